"""Sends hostile requests to the server: damaged images, wrong base64, odd JSON, slow bodies.

    python bench/hostile.py --requests 20000

Half of them are made here, from images damaged byte by byte; the others by schemathesis, from the
server's OpenAPI document. Every answer has to be a 2xx or 4xx that shows nothing of the server's
internals, and afterwards the server has to read as before. Its memory is printed after each part:
it may be large after large images, but must not keep growing. The exit status is 1 if anything was
wrong.
"""

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

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.damage import damaged
from support.serving import serving

from aocr import export
from bench.load import resident
from ocr_simple.runs.model_files import TEST_IMAGES, find_model

PREDICT = "/v1/models/aocr:predict"
INTERNALS = ("Traceback", "site-packages", str(ROOT), ".py")  # what no answer may contain
EXAMPLES = 500  # that schemathesis makes for each operation, in one run


@dataclass(frozen=True)
class Options:
    """Send hostile requests to a server of a model."""

    model: str = "digits"
    """A shipped model's name, a model file, or a run folder."""
    requests: int = 20_000
    """At least this many requests in all."""
    seed: int = 0
    """Random seed of what is sent."""


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
    """Send about `count` requests, 16 at a time. Returns how often each answer came."""
    found: Counter[str] = Counter()
    todo = requests(np.random.default_rng(seed))

    async def one(client: httpx.AsyncClient) -> None:
        path, body, headers = next(todo)
        answer = await client.post(path, content=body, headers=headers)
        leaked = next((text for text in INTERNALS if text in answer.text), "")
        found[f"{answer.status_code}" + f" with {leaked!r}" * bool(leaked)] += 1

    async def some(client: httpx.AsyncClient, share: int) -> None:
        for _ in range(share):
            await one(client)

    limits = httpx.Limits(keepalive_expiry=2)  # sooner than the server closes a connection
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        slow = [asyncio.create_task(trickle(address)) for _ in range(8)]
        await asyncio.gather(*(some(client, -(-count // 16)) for _ in range(16)))
        for answer in await asyncio.gather(*slow):
            found[answer + ", slowly"] += 1
    return found


async def trickle(address: str) -> str:
    """The status of the answer to a body that is sent byte by byte."""
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
    """Run it once. Returns the number of its requests, and its report if an answer was wrong."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{address.rstrip('/')}/openapi.json",
        "--checks", "not_a_server_error", "--max-examples", str(EXAMPLES),
        "--phases", "examples,coverage,fuzzing", "--mode", "all", "--seed", str(seed),
        "--suppress-health-check", "all", "--request-timeout", "60", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    sent = re.search(r"([\d,]+) generated", done.stdout)
    if not sent:
        raise ValueError(f"schemathesis did not run\n{done.stdout}{done.stderr}")
    return int(sent[1].replace(",", "")), "" if done.returncode == 0 else done.stdout


def attack(folder: Path, options: Options) -> bool:
    """Send all requests to a server of an export, and print the outcome; whether all was well."""
    with serving(folder, "--timeout", "5") as (process, client):
        answers: Counter[str] = Counter()
        address, image = str(client.base_url), (TEST_IMAGES / "receipt.jpg").read_bytes()
        before = client.post("/read", content=image).json()
        asyncio.run(send(address, 500, options.seed + 1))  # what is allocated only once
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
        print(f"reads as before: {same}; memory in MB, before and after each part: {memory}")
        messages = process.messages()
        failed = "Traceback" in messages
        print(messages[-2000:] if failed else "no traceback in the server's log")
    bad = [answer for answer in answers if answer[0] not in "24" or "with" in answer]
    return same and not bad and not faults and not failed


def main(options: Options) -> None:
    """Print the outcome. Exits with 1 if anything was wrong. Raises ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        export.export(find_model(options.model), Path(folder) / "model", ["savedmodel"])
        if not attack(Path(folder) / "model", options):
            sys.exit(1)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"hostile.py: {error}", file=sys.stderr)
        sys.exit(2)
