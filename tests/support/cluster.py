"""Several processes on this computer that train one model together, as several machines would."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(
    count: int,
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    program: Callable[[int], Sequence[str]] = lambda rank: ("train.py",),
) -> list[subprocess.Popen]:
    """Start `count` processes of train.py with these arguments. Returns them by rank.

    stdout, stderr: as for subprocess.Popen. program: what Python runs for a rank, before the
    arguments, in place of train.py.
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
