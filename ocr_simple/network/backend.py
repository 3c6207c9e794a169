"""Keras, imported when it is first used.

All modules take Keras from here: `from ocr_simple.network.backend import keras`. Importing Keras
and TensorFlow takes seconds and half a gigabyte; what parses options, draws lines or writes reports
never uses them. While TensorFlow is imported it prints messages about its build on standard error,
whatever its log level: they are dropped.
"""

import contextlib
import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def standard_error_closed() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; Python's exceptions are not touched."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _LazyKeras:
    """The module `keras`, imported at the first look at one of its names."""

    def __getattr__(self, name: str) -> Any:
        with standard_error_closed():
            value = getattr(importlib.import_module("keras"), name)
        setattr(self, name, value)
        return value


keras: Any = _LazyKeras()


def backend() -> str:
    """The backend that Keras uses, or will: tensorflow, jax or torch. Does not import it."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return json.loads((folder / "keras.json").read_text(encoding="utf-8"))["backend"]
    return "tensorflow"
