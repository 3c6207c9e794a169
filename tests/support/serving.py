"""A server of an exported model, over a real socket, for tests and bench."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
START = 120.0  # seconds until it answers, at most


@contextlib.contextmanager
def serving(served, *arguments, **environment):
    """Run `aocr serve` in another process. Yields (process, client) once it answers.

    served: a folder, or --model=NAME. `process.messages()` is what it has written to standard
    error so far. If it still runs at the end, it is asked to end, which has to give the status 0.
    """
    command = [sys.executable, "-m", "aocr", "serve", str(served), "--port", "0", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=os.environ | environment)
        process.messages = lambda: os.pread(log.fileno(), 1 << 20, 0).decode()
        until = time.monotonic() + START
        try:
            while not (address := re.search(r"at (http://\S+)", process.messages())):
                assert process.poll() is None and time.monotonic() < until, process.messages()
                time.sleep(0.05)
            with httpx.Client(base_url=address[1], timeout=60) as client:
                assert client.get("/readyz").status_code == 200
                yield process, client
        finally:
            ended = process.poll() is not None
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            finally:
                process.kill()
        assert ended or process.returncode == 0, process.messages()
