"""Which device the work runs on: a GPU if there is one, else the CPU, without a switch.

The other modules take Keras from here: TensorFlow tells of its build on standard error while it is
imported, whatever its log level, and here it does so unheard.
"""

import contextlib
import os
from collections.abc import Iterator

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


with standard_error_closed():
    import keras as keras


def prepare() -> str:
    """Let TensorFlow take GPU memory as it needs it, not all at once; name the devices found.

    Call it before the first model is built.
    """
    with standard_error_closed():
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            for gpu in tf.config.list_physical_devices("GPU"):
                try:
                    tf.config.experimental.set_memory_growth(gpu, True)
                except RuntimeError:  # already in use by this process: the setting stays as it is
                    break
        keras.ops.zeros(1)  # wakes the device up
        return ", ".join(keras.distribution.list_devices())


def quick_in_bfloat16() -> bool:
    """Whether the device multiplies matrices of bfloat16 faster than of float32.

    GPUs of compute capability 8.0 (Ampere) and later do, and so do x86 processors with
    instructions for it, by which of the backends TensorFlow's oneDNN alone profits.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in details)
    if keras.backend.backend() == "jax":
        import jax

        return all(
            device.platform == "gpu" and float(device.compute_capability) >= 8
            for device in jax.devices()
        )
    return False


def _cpu_flags() -> set[str]:
    """What the processor can do, as Linux lists it; nothing elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return set(next((line for line in file if line.startswith("flags")), "").split())
    except OSError:
        return set()
