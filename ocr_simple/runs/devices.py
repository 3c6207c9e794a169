"""Which devices the work runs on: all GPUs of the machine, or else its CPU. There is no switch."""

import contextlib
from collections.abc import Iterator

from ocr_simple.network.backend import (
    backend,
    keras,
    limit_gpu_memory,
    side_by_side,
    standard_error_closed,
)

LEAST_LINES = 8  # in a part of a batch


def prepare() -> str:
    """Initialise the devices, and return their names. Call it before the first model is built."""
    with standard_error_closed():
        if backend() == "tensorflow":
            limit_gpu_memory()
        if backend() == "torch":  # for which Keras lists no devices
            return str(keras.ops.zeros(1).device)
        keras.ops.zeros(1)  # initialises the device
        return ", ".join(keras.distribution.list_devices())


def part_count(batch_size: int) -> int:
    """In how many parts a batch of training is computed: see `backend.side_by_side`."""
    return max(1, min(side_by_side(), batch_size // LEAST_LINES))


@contextlib.contextmanager
def precision(mixed: str) -> Iterator[None]:
    """Models built inside compute in bfloat16, with weights in float32, or all in float32.

    mixed: on, off, or auto, which chooses by the hardware.
    """
    before = keras.config.dtype_policy()
    fast = mixed == "on" or (mixed == "auto" and fast_in_bfloat16())
    keras.config.set_dtype_policy("mixed_bfloat16" if fast else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fast_in_bfloat16() -> bool:
    """Whether the device multiplies matrices faster in bfloat16 than in float32.

    GPUs of compute capability 8.0 (Ampere) and later do, and on TensorFlow so do x86 processors
    with AMX. AVX-512 is not enough: a step took 1.35 times as long as in float32.
    """
    if backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return "amx_bf16" in _cpu_flags()
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in details)
    if backend() == "jax":
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
