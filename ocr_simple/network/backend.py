"""Keras, imported when it is first used.

All modules take Keras from here: `from ocr_simple.network.backend import keras`. Importing Keras
and TensorFlow takes seconds and half a gigabyte; what parses options, draws lines or writes reports
never uses them. While TensorFlow is imported it prints messages about its build on standard error,
whatever its log level: they are dropped.
"""

import contextlib
import functools
import gc
import importlib
import importlib.abc
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ocr_simple import interrupts
from ocr_simple.cores import usable_cores

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MOST_SIDE_BY_SIDE = 4
BACKENDS = ("tensorflow", "jax", "torch")  # each the name of its package, too
# What Keras and TensorFlow import where it is installed, for parts of them that are not used here
EXTRAS = ("jax", "matplotlib", "pandas", "sklearn")
_standard_error = threading.RLock()  # held while it is closed


@contextlib.contextmanager
def standard_error_closed() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; Python's exceptions are not touched.

    One thread at a time, as the descriptor belongs to all of them.
    """
    with _standard_error:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


class _Hidden(importlib.abc.MetaPathFinder):
    """Makes packages look as if they were not installed, to the thread that made it."""

    def __init__(self, packages: Iterable[str]):
        self.packages, self.thread = frozenset(packages), threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Called for each module that is imported and was not imported before."""
        if name in self.packages and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"{name} is hidden while Keras is imported", name=name)


@contextlib.contextmanager
def without_extras() -> Iterator[None]:
    """Import Keras without EXTRAS, which take a third of its time where all are installed."""
    hidden = _Hidden(name for name in EXTRAS if name != backend())
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Import without searches for reference cycles: Keras makes so many objects that they add up.

    Its modules stay until the process ends. So later searches pass over all that there is now.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python or of a backend says that memory is exhausted."""
    names = ("ResourceExhaustedError", "OutOfMemoryError")  # of TensorFlow and PyTorch
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ in names
        or "RESOURCE_EXHAUSTED" in str(error)  # JAX
        or "Failed to allocate memory" in str(error)  # ONNX Runtime
    )


class _LazyKeras:
    """The module `keras`, imported at the first look at one of its names."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(_import_keras(), name)
        setattr(self, name, value)
        return value


keras: Any = _LazyKeras()


def _settings_file() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"


def backend() -> str:
    """The backend that Keras uses, or will: tensorflow, jax or torch. Does not import it."""
    environ = os.environ.get
    return environ("KERAS_BACKEND") or _backend_in_settings(environ("KERAS_HOME"), environ("HOME"))


@functools.cache  # each batch that is read asks for it
def _backend_in_settings(keras_home: str | None, home: str | None) -> str:
    """The backend in the settings file, which these two folders decide."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):
        return json.loads(_settings_file().read_text(encoding="utf-8"))["backend"]
    return "tensorflow"


def check_backend() -> None:
    """Raises ValueError for a backend that is unknown, or that is not installed."""
    name = backend()
    if os.environ.get("KERAS_BACKEND"):
        setting, fix = f"KERAS_BACKEND={name}", "unset KERAS_BACKEND"
    else:
        setting, fix = f'{_settings_file()}: "backend": "{name}"', "set KERAS_BACKEND=tensorflow"
    if name not in BACKENDS:
        raise ValueError(f"{setting}: no such backend; choose from {', '.join(BACKENDS)}, or {fix}")
    if importlib.util.find_spec(name) is None:
        install = "install it"
        if name == "tensorflow":
            install, fix = "install requirements.txt", "set KERAS_BACKEND to jax or torch"
        raise ValueError(f"{setting}: the package {name} is not installed; {install}, or {fix}")


def side_by_side() -> int:
    """How many batches, or parts of one batch, are computed at a time.

    With TensorFlow on a CPU one for each core, up to MOST_SIDE_BY_SIDE. Otherwise one.
    """
    if backend() != "tensorflow":
        return 1
    tf = importlib.import_module("tensorflow")
    gpus = tf.config.list_physical_devices("GPU")
    return 1 if gpus else min(usable_cores(), MOST_SIDE_BY_SIDE)


def _share_cores() -> None:
    """Let each operation of TensorFlow use only the cores of its batch: see `side_by_side`.

    By default TensorFlow spreads each operation over all cores, and most operations of these
    networks are too small for that. It is set when TensorFlow is imported, so that every process
    rounds alike, and a resumed run gives what an uninterrupted one does.
    """
    tf = importlib.import_module("tensorflow")
    if side_by_side() > 1 and not tf.config.threading.get_intra_op_parallelism_threads():
        with contextlib.suppress(RuntimeError):  # the process has used TensorFlow already
            threads = usable_cores() // side_by_side()
            tf.config.threading.set_intra_op_parallelism_threads(threads)


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    with interrupts.importing(), standard_error_closed(), without_extras(), without_collecting():
        yield


@functools.cache
def import_tensorflow() -> Any:
    """The module tensorflow, for what may need it before Keras."""
    with _importing():
        module = importlib.import_module("tensorflow")
        limit_gpu_memory()
    return module


def limit_gpu_memory() -> None:
    """Let TensorFlow take a GPU's memory as it needs it, not all at once."""
    tf = importlib.import_module("tensorflow")
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # already initialised in this process
            break


@functools.cache
def _import_keras() -> Any:
    check_backend()
    with _importing():
        module = importlib.import_module("keras")
        if backend() == "tensorflow":
            _share_cores()
    # a user's keras.json may have other settings, which the networks here do not support
    module.config.set_image_data_format("channels_last")
    module.config.set_floatx("float32")
    module.config.set_epsilon(1e-7)
    return module
