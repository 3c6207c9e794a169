"""Several processes on this machine that train one model together, as several machines would.

    python bench/cluster.py --count 2 -- --model-dir checkpoints/two --steps 300

What stands behind -- goes to train.py; without a folder it is a temporary one. On a machine of its
own each would be started with the same TF_CONFIG but for its index.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """Train with several local processes."""

    train: tyro.conf.Positional[tuple[str, ...]] = ("--steps", "60", "--interval", "20")
    """Options of train.py, behind --."""
    count: int = 2
    """Processes."""


def start(
    count: int,
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    program: Callable[[int], Sequence[str]] = lambda rank: ("train.py",),
) -> list[subprocess.Popen]:
    """That many processes of train.py, in the order of their ranks; they write as those say.

    program: what Python is given for a rank before the arguments, in place of train.py.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return [
        subprocess.Popen(
            [sys.executable, *program(rank), *arguments],
            cwd=ROOT,
            env=os.environ | {"TF_CONFIG": config(addresses, rank)},
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        for rank in range(count)
    ]


def config(addresses: list[str], rank: int) -> str:
    """TF_CONFIG of the worker with that rank."""
    task = {"type": "worker", "index": rank}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def main(options: Options) -> None:
    """Train; exits with the status of the process that failed first, if one did."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        processes = start(options.count, "--model-dir", f"{folder}/run", *options.train)
        codes = [process.wait() for process in processes]
    print(f"{options.count} processes, {time.perf_counter() - started:.0f} s, exit status {codes}")
    sys.exit(max(codes))


if __name__ == "__main__":
    main(tyro.cli(Options))
