"""Requests that mean no good: damaged images, wrong base64, false claims, odd JSON, slow bodies.

    python bench/hostile.py [--requests 20000]

Half come from here, of images damaged byte by byte; the rest are schemathesis's, which makes up
requests by the server's OpenAPI document. Every answer has to be a 2xx or 4xx, without a trace of
the server in it; then the server has to read as before. Its memory is told after each part: large
images leave a heap large, but it may not go on growing.
"""

from ocr_simple.runs.model_files import TEST_IMAGES
from aocr import export
from ocr_simple.runs.model_files import find_model

import asyncio
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.fuzz import damaged
from bench.load import resident
from bench.serving import serving

PREDICT = "/v1/models/aocr:predict"
TRACES = ("Traceback", "site-packages", str(ROOT), ".py")  # what no answer may hold
EXAMPLES = 500  # that schemathesis makes up for each operation, in one run


@dataclass(frozen=True)
class Options:
    """Send hostile requests to a server of a model."""

    model: str = "digits"
    """Shipped model's name, or a model file."""
    requests: int = 20_000
    """In all, at least."""
    seed: int = 0
    """Of what is sent."""


def requests(rng: np.random.Generator) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Paths, bodies and headers, without end."""
    images = [path.read_bytes() for path in sorted(TEST_IMAGES.iterdir()) if path.is_file()]
    while True:
        image = damaged(images[int(rng.integers(len(images)))], rng)
        encoded, kind = base64.b64encode(image).decode(), int(rng.integers(8))
        if kind < 3:
            yield "/read", image, {}
        elif kind == 3:
            head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="\xff\x00.png"'
            body = damaged(head + b"\r\n\r\n" + image + b"\r\n--b--\r\n", rng)
            yield "/read", body, {"Content-Type": "multipart/form-data; boundary=b"}
        elif kind < 6:
            yield PREDICT, json.dumps({"instances": [{"b64": encoded}]}).encode(), {}
        elif kind == 6:
            text = json.dumps({"inputs": {"input": [{"b64": encoded[: len(encoded) // 2 - 1]}]}})
            yield PREDICT, damaged(text.encode(), rng), {}
        else:
            odd = ("[" * 20_000, '{"instances": ' + "9" * 5_000 + "}", "NaN", '"\\ud800"', "{}")
            yield PREDICT, odd[int(rng.integers(len(odd)))].encode(), {}


async def send(address: str, count: int, seed: int) -> Counter[str]:
    """Send that many, 16 at a time; how often each answer came."""
    found: Counter[str] = Counter()
    todo = requests(np.random.default_rng(seed))

    async def one(client: httpx.AsyncClient) -> None:
        path, body, headers = next(todo)
        answer = await client.post(path, content=body, headers=headers)
        told = next((trace for trace in TRACES if trace in answer.text), "")
        found[f"{answer.status_code}" + f" with {told!r}" * bool(told)] += 1

    async def some(client: httpx.AsyncClient, share: int) -> None:
        for _ in range(share):
            await one(client)

    limits = httpx.Limits(keepalive_expiry=2)  # sooner than the server gives up a connection
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        slow = [asyncio.create_task(trickle(address)) for _ in range(8)]
        await asyncio.gather(*(some(client, -(-count // 16)) for _ in range(16)))
        for answer in await asyncio.gather(*slow):
            found[answer + ", slowly"] += 1
    return found


async def trickle(address: str) -> str:
    """The status of an answer to a body that comes byte by byte."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    answer = asyncio.create_task(reader.readline())
    while not answer.done():
        writer.write(b"x")
        await asyncio.sleep(0.2)
    writer.close()
    return answer.result().split()[1].decode()


def schemathesis(address: str, seed: int) -> tuple[int, str]:
    """One run of it; the number of its requests, and what was wrong with the answers."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{address.rstrip('/')}/openapi.json",
        "--checks", "not_a_server_error", "--max-examples", str(EXAMPLES),
        "--phases", "examples,coverage,fuzzing", "--mode", "all", "--seed", str(seed),
        "--suppress-health-check", "all", "--request-timeout", "60", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    sent = re.search(r"([\d,]+) generated", done.stdout)
    if not sent:
        raise SystemExit(f"hostile.py: schemathesis did not run\n{done.stdout}{done.stderr}")
    return int(sent[1].replace(",", "")), "" if done.returncode == 0 else done.stdout


def attack(folder: Path, options: Options) -> bool:
    """Send all of it to a server of that export, and print what came; whether all was well."""
    with serving(folder, "--timeout", "5") as (process, client):
        answers: Counter[str] = Counter()
        address, image = str(client.base_url), (TEST_IMAGES / "receipt.jpg").read_bytes()
        before = client.post("/read", content=image).json()
        asyncio.run(send(address, 500, options.seed + 1))  # what is allocated once
        memory = [resident(process)]
        total, faults = 0, ""
        for part in range(4):
            found = asyncio.run(send(address, options.requests // 8, options.seed + 4 * part))
            total += sum(found.values())
            answers += found
            memory.append(resident(process))
        print(f"answers to {total:,} damaged requests: {dict(sorted(answers.items()))}")
        seed = options.seed
        while total < options.requests and not faults:
            more, faults = schemathesis(address, seed)
            total, seed = total + more, seed + 1
            memory.append(resident(process))
        print(f"{total:,} requests with schemathesis's: {faults or 'no server error'}")
        same = client.post("/read", content=image).json() == before
        print(f"reads as before: {same}; MB before, after each part: {memory}")
        said = process.said()
        print(said[-2000:] if "Traceback" in said else "no traceback in the server's log")
    bad = [answer for answer in answers if answer[0] not in "24" or "with" in answer]
    return same and not bad and not faults and "Traceback" not in said


def main(options: Options) -> None:
    """Print what came of it. Exits with 1 if not all was well."""
    with tempfile.TemporaryDirectory() as folder:
        export.export(find_model(options.model), Path(folder) / "model", ["savedmodel"])
        if not attack(Path(folder) / "model", options):
            sys.exit(1)


if __name__ == "__main__":
    main(tyro.cli(Options))
