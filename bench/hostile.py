"""Sends hostile requests to the server: damaged images, wrong base64, odd JSON, slow bodies.

    python bench/hostile.py --requests 20000 --minutes 10

First come attacks of all kinds in attacks.py, from 16 clients at once, for some minutes. A good
client beside them has to get the right answer within 2 s in 95 % of cases; the memory of all
processes of the server has to stay under 2.5 GB, and must not grow at the end.

Then come requests one by one. Half of them are made here, from images damaged byte by byte; the
others by schemathesis, from the server's OpenAPI document. Every answer to the first half has to be
a 2xx or 4xx that shows nothing of the server's internals, and none to the others a server error.
Afterwards the server has to read as before. The memory of its processes is printed after each part:
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
import time
from collections import Counter
from collections.abc import Iterator, Sequence
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
from bench.attacks import KINDS, Attack, good_client
from bench.load import memory_of_all
from ocr_simple.datasets.workers import WorkerPool
from ocr_simple.runs.model_files import TEST_IMAGES, find_model

PREDICT = "/v1/models/aocr:predict"
INTERNALS = ("Traceback", "site-packages", str(ROOT), ".py")  # what no answer may contain
EXAMPLES = 500  # that schemathesis makes for each operation, in one run
CLIENTS = 16  # that attack
IN_TIME, LEAST_SERVED = 2.0, 0.95  # seconds to a good client's answer, and in which share of cases
MOST_MEMORY, MOST_LOG = 2560, 100_000  # MB; characters
MOST_GROWTH = 100  # MB, in the last third of the attacks or the second half of the requests
GRACE = 10.0  # seconds to end in


@dataclass(frozen=True)
class Options:
    """Send hostile requests to a server of a model."""

    model: str = "digits"
    """A shipped model's name, a model file, or a run folder."""
    requests: int = 20_000
    """At least this many requests, besides the attacks; 0: none."""
    minutes: float = 10
    """Minutes of attacks of all kinds at once."""
    kinds: tuple[str, ...] = ()
    """Kinds of attacks, by the names in attacks.py; by default all."""
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
    writer.write(b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
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


# --- attacks of all kinds -------------------------------------------------------------------------


@dataclass
class Outcome:
    """What happened under attacks."""

    answers: dict[str, Counter[str]]  # to each kind of attack
    good: list[float]  # seconds to the good client's answers; infinite for a wrong one
    memory: list[int]  # of all processes, in MB, every second

    def is_well(self) -> bool:
        """Whether the server kept its promises."""
        faults = {answer for found in self.answers.values() for answer in found}
        tail = self.memory[len(self.memory) * 2 // 3 :]
        flat = np.mean(tail[len(tail) // 2 :]) < np.mean(tail[: len(tail) // 2]) + MOST_GROWTH
        served = np.mean(np.array(self.good) <= IN_TIME) >= LEAST_SERVED
        return not faults & {"500"} and max(self.memory) <= MOST_MEMORY and bool(flat and served)

    def __str__(self) -> str:
        good = np.array(self.good)
        rows = [f"  {kind}: {dict(sorted(found.items()))}" for kind, found in self.answers.items()]
        return "\n".join([
            *rows,
            f"good client: {np.mean(good <= IN_TIME):.1%} of {len(good)} within {IN_TIME:g} s, "
            f"median {np.median(good):.2f} s",
            f"memory in MB: {self.memory[0]} at first, {max(self.memory)} at most, "
            f"{self.memory[-1]} at last",
        ])  # fmt: skip


async def run_attacks(
    process: subprocess.Popen, address: str, kinds: Sequence[Attack], options: Options
) -> Outcome:
    """Attack with CLIENTS clients, and measure how a good one fares beside them."""
    until = time.monotonic() + 60 * options.minutes
    outcome = Outcome({kind.__name__: Counter() for kind in kinds}, [], [])

    async def attack(number: int) -> None:
        rng = np.random.default_rng((options.seed, number))
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            while time.monotonic() < until:
                kind = kinds[int(rng.integers(len(kinds)))]
                try:
                    answer = await kind(client, rng)
                except (httpx.HTTPError, OSError) as error:  # its connection gave way to another
                    answer = type(error).__name__
                outcome.answers[kind.__name__][answer] += 1

    async def record_memory() -> None:
        while time.monotonic() < until:
            outcome.memory.append(await asyncio.to_thread(memory_of_all, process))
            await asyncio.sleep(1)

    # another process, which attacks do not delay
    with WorkerPool(1, int) as pool:
        asking = pool.submit(good_client, address, until - time.monotonic())
        await asyncio.gather(*(attack(number) for number in range(CLIENTS)), record_memory())
        seconds = await asyncio.wrap_future(asking)
    outcome.good += seconds
    return outcome


def attack_server(folder: Path, options: Options) -> bool:
    """Attack a server of an export, and print the outcome; whether all was well."""
    unknown = set(options.kinds) - {kind.__name__ for kind in KINDS}
    if unknown:
        known = ", ".join(kind.__name__ for kind in KINDS)
        raise ValueError(f"--kinds {' '.join(sorted(unknown))}: choose from {known}")
    kinds = [kind for kind in KINDS if not options.kinds or kind.__name__ in options.kinds]
    with serving(folder) as (process, client):
        outcome = asyncio.run(run_attacks(process, str(client.base_url), kinds, options))
        print(f"answers to attacks:\n{outcome}")
        log = process.messages()
        if quiet := "Traceback" not in log and len(log) < MOST_LOG:
            print("no traceback in the server's log")
        else:
            print(log[-2000:])
        start = time.monotonic()
    ended = time.monotonic() - start
    print(f"it ended within {ended:.1f} s")
    return outcome.is_well() and quiet and ended < GRACE


# --- requests one by one --------------------------------------------------------------------------


def send_damaged(folder: Path, options: Options) -> bool:
    """Send all requests to a server of an export, and print the outcome; whether all was well."""
    with serving(folder, "--timeout", "5") as (process, client):
        answers: Counter[str] = Counter()
        address, image = str(client.base_url), (TEST_IMAGES / "receipt.jpg").read_bytes()
        before = client.post("/read", content=image).json()
        asyncio.run(send(address, 500, options.seed + 1))  # what is allocated only once
        memory = [memory_of_all(process)]
        total, faults = 0, ""
        for part in range(4):
            found = asyncio.run(send(address, options.requests // 8, options.seed + 4 * part))
            total += sum(found.values())
            answers += found
            memory.append(memory_of_all(process))
        print(f"answers to {total:,} damaged requests: {dict(sorted(answers.items()))}")
        seed = options.seed
        while total < options.requests and not faults:
            more, faults = schemathesis(address, seed)
            total, seed = total + more, seed + 1
            memory.append(memory_of_all(process))
        print(f"{total:,} requests with schemathesis's: {faults or 'no server error'}")
        same = client.post("/read", content=image).json() == before
        print(f"reads as before: {same}; memory in MB, before and after each part: {memory}")
        messages = process.messages()
        failed = "Traceback" in messages
        print(messages[-2000:] if failed else "no traceback in the server's log")
    bad = [answer for answer in answers if answer[0] not in "24" or "with" in answer]
    flat = memory[-1] < memory[len(memory) // 2] + MOST_GROWTH
    return same and flat and not bad and not faults and not failed


def main(options: Options) -> None:
    """Print the outcome. Exits with 1 if anything was wrong. Raises ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        export.export(find_model(options.model), Path(folder) / "model", ["savedmodel"])
        well = not options.minutes or attack_server(Path(folder) / "model", options)
        if options.requests:
            well &= send_damaged(Path(folder) / "model", options)
        if not well:
            sys.exit(1)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"hostile.py: {error}", file=sys.stderr)
        sys.exit(2)
