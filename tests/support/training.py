"""Losses, gradients and logits of a batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ocr_simple.network.backend import backend, keras


def wider(x: dict[str, np.ndarray], columns: int) -> dict[str, np.ndarray]:
    """A batch with more columns of padding."""
    return {**x, "image": np.pad(x["image"], ((0, 0), (0, 0), (0, columns), (0, 0)))}


def loss_and_gradients(
    model: Any, loss_of: Callable, x: dict[str, np.ndarray], y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """The mean loss, and the gradient of each trainable variable, on backends that have one."""
    if backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = keras.ops.mean(loss_of(y, model(x, training=True)))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        gradients = [tf.convert_to_tensor(g) for g in gradients]  # an embedding's is sparse
    elif backend() == "jax":
        import jax

        def mean_loss(trainable: list) -> Any:
            frozen = [v.value for v in model.non_trainable_variables]
            logits, _ = model.stateless_call(trainable, frozen, x, training=True)
            return keras.ops.mean(loss_of(y, logits))

        values = [v.value for v in model.trainable_variables]
        loss, gradients = jax.value_and_grad(mean_loss)(values)
    else:
        pytest.skip(f"gradients are not compared on {backend()}")
    return float(loss), [np.asarray(keras.ops.convert_to_numpy(g)) for g in gradients]
