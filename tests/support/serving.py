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


@contextlib.contextmanager
def serving(folder, *arguments, **environment):
    """Run `aocr serve` in another process. Yields (process, client) once it answers.

    `process.messages()` is what it has written to standard error so far.
    """
    command = [sys.executable, "-m", "aocr", "serve", str(folder), "--port", "0", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=os.environ | environment)
        process.messages = lambda: os.pread(log.fileno(), 1 << 20, 0).decode()
        while not (address := re.search(r"at (http://\S+)", process.messages())):
            assert process.poll() is None, process.messages()
            time.sleep(0.05)
        with httpx.Client(base_url=address[1], timeout=60) as client:
            assert client.get("/readyz").status_code == 200
            try:
                yield process, client
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)
