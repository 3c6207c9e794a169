"""Which device the work runs on: a GPU if there is one, else the CPU, without a switch.

The other modules take Keras from here: TensorFlow tells of its build on standard error while it is
imported, whatever its log level, and here it does so unheard.
"""

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; Python's exceptions are not touched."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _standard_error_closed():
    import keras as keras


def prepare() -> str:
    """Let TensorFlow take GPU memory as it needs it, not all at once; name the devices found.

    Call it before the first model is built.
    """
    with _standard_error_closed():
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            for gpu in tf.config.list_physical_devices("GPU"):
                try:
                    tf.config.experimental.set_memory_growth(gpu, True)
                except RuntimeError:  # already in use by this process: the setting stays as it is
                    break
        keras.ops.zeros(1)  # wakes the device up
        return ", ".join(keras.distribution.list_devices())
