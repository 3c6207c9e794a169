"""Layers that keep the padding of a batch out of every image's output.

Columns right of an image's valid ones are set back to zero after every layer that looks sideways.
"""

from typing import Any

from ocr_simple.network.backend import keras

ops = keras.ops
Tensor = Any  # of Keras's backend, or NumPy


class ValidColumns(keras.layers.Layer):
    """1 at each image's valid columns of features, 0 at its padding: (batch, columns) int32.

    Inputs: image (batch, height, width, channels), and steps (batch,), its valid time steps.
    """

    def __init__(self, stride: int, repeats: int = 1, **kwargs: Any):
        """stride: image columns in one column of features. repeats: such columns in a time step."""
        super().__init__(**kwargs)
        self.stride, self.repeats = stride, repeats

    def call(self, image: Tensor, steps: Tensor) -> Tensor:
        column = ops.arange(ops.shape(image)[2] // self.stride)
        count = ops.cast(steps, column.dtype) * self.repeats
        return ops.cast(column[None, :] < count[:, None], "int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stride": self.stride, "repeats": self.repeats}


class MaskPadding(keras.layers.Layer):
    """Sets features at padded columns to zero.

    Inputs: features (batch, rows, columns, channels) or (batch, columns, channels), and valid
    (batch, columns) as `ValidColumns` gives it.
    """

    def call(self, features: Tensor, valid: Tensor) -> Tensor:
        keep = ops.cast(valid, features.dtype)[:, :, None]  # (batch, columns, 1)
        return features * (keep[:, None] if len(features.shape) == 4 else keep)


class ReverseValid(keras.layers.Layer):
    """Reverses the valid columns of each sequence (batch, columns, channels)."""

    def call(self, sequence: Tensor, valid: Tensor) -> Tensor:
        column = ops.arange(ops.shape(valid)[1])[None, :]
        count = ops.sum(ops.cast(valid, column.dtype), axis=1, keepdims=True)  # (batch, 1)
        source = ops.where(column < count, count - 1 - column, column)  # (batch, columns)
        return ops.take_along_axis(sequence, source[:, :, None], axis=1)


class StandardisedFilters(keras.constraints.Constraint):
    """Filters of mean 0 and length 1 (Weight Standardization, Qiao et al. 2019).

    Applied after each training step, this does for learning what normalising the features does,
    at no cost when reading.
    """

    def __call__(self, kernel: Tensor) -> Tensor:
        taps = tuple(range(len(kernel.shape) - 1))
        centred = kernel - ops.mean(kernel, axis=taps, keepdims=True)
        return centred * ops.rsqrt(ops.sum(ops.square(centred), axis=taps, keepdims=True) + 1e-8)
