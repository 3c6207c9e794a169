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

ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def serving(folder, *arguments, **environment):
    """A server in a process of its own; yields it and a client. `process.said()`: its messages."""
    command = [sys.executable, str(ROOT / "serve.py"), str(folder), "--port", "0", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log, env=os.environ | environment)
        process.said = lambda: os.pread(log.fileno(), 1 << 20, 0).decode()
        while not (address := re.search(r"at (http://\S+)", process.said())):
            assert process.poll() is None, process.said()
            time.sleep(0.05)
        with httpx.Client(base_url=address[1], timeout=60) as client:
            assert client.get("/readyz").status_code == 200
            try:
                yield process, client
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)
