"""Ctrl-C in a command's first seconds, while it imports what it needs: the process ends at once.

Some imports swallow KeyboardInterrupt, and others answer with a traceback. No work has begun by
then, so the process just ends, with status 130.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

# Standard error, for `_end`, as imports of TensorFlow close it; empty in a notebook or a library
_errors: list[int] = []


def start_command() -> None:
    """From now on Ctrl-C ends the process. Called by scripts before they import anything else."""
    with contextlib.suppress(OSError):  # there may be none
        _errors.append(os.dup(2))
    signal.signal(signal.SIGINT, _end)


def _end(*_: object) -> None:
    with contextlib.suppress(OSError):
        os.write(_errors[-1] if _errors else 2, b"Interrupted\n")
    os._exit(130)


def end_command(status: int) -> None:
    """End the process without its handlers of `atexit`, if it runs a command."""
    if _errors:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, so that what has begun can be tidied up."""
    with _handled_by(signal.default_int_handler):
        yield


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Ctrl-C ends the process, if it runs a command."""
    with _handled_by(_end) if _errors else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
