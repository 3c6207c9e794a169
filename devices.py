"""Which device the work runs on: a GPU if there is one, else the CPU, without a switch."""

import keras


def prepare() -> str:
    """Let TensorFlow take GPU memory as it needs it, not all at once; name the devices found.

    Call it before the first model is built.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except RuntimeError:  # already in use by this process: the setting stays as it is
                break
    return ", ".join(keras.distribution.list_devices())
