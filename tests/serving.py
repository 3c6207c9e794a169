"""A server of an exported model, over a real socket, for tests and bench."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def serving(folder, *arguments, **environment):
    """A server in a process of its own; yields (process, client)."""
    command = [sys.executable, str(ROOT / "serve.py"), str(folder), "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    said = ""
    while "http://" not in said and process.poll() is None:
        said = process.stderr.readline()
    address = said.split()[-1]
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/readyz").status_code == 200
        try:
            yield process, client
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            process.stderr.close()
