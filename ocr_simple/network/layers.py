"""Layers that keep the padding of a batch out of every image's output.

Columns right of an image's valid ones are set back to zero after every layer that looks sideways.
"""

from typing import Any

from ocr_simple.network.backend import keras

ops = keras.ops
Tensor = Any  # of Keras's backend, or NumPy
MOST_IMAGE_CHANNELS = 3  # red, green and blue


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


class Conv2D(keras.layers.Conv2D):
    """Keras's Conv2D, which trains in less time on a CPU when its input is an image.

    Convolution libraries are slow with few channels, above all at the gradient of the filters. So
    in training, with at most MOST_IMAGE_CHANNELS channels, this layer is a product of two matrices:
    the filters, and the image shifted to each of their pixels. It needs an odd kernel, padding
    "same" and strides of 1. Model files name layers by class, so it has the name of Keras's class.
    """

    def call(self, image: Tensor, training: bool = False) -> Tensor:
        if not training or image.shape[3] > MOST_IMAGE_CHANNELS:
            return super().call(image)
        (high, wide), channels = self.kernel_size, image.shape[3]
        batch, rows, columns = ops.shape(image)[:3]
        padded = ops.pad(image, [(0, 0), (high // 2, high // 2), (wide // 2, wide // 2), (0, 0)])
        shifted = [
            padded[:, i : i + rows, j : j + columns, channel]
            for i in range(high)
            for j in range(wide)
            for channel in range(channels)
        ]
        ones = ops.ones_like(shifted[0])  # for the bias
        weights = ops.reshape(self.kernel, (len(shifted), self.filters))
        weights = ops.concatenate([weights, self.bias[None]])  # (taps, filters)
        shifted = ops.reshape(ops.stack([*shifted, ones]), (len(shifted) + 1, -1))  # (taps, pixels)
        y = ops.matmul(ops.transpose(shifted), weights)  # (pixels, filters)
        return self.activation(ops.reshape(y, (batch, rows, columns, self.filters)))


class MaxPooling2D(keras.layers.MaxPooling2D):
    """Keras's MaxPooling2D, with a gradient that is faster on a CPU for pools of at most 2 x 2.

    In training, this layer takes the maximum of pairs of rows, then of columns, whose number must
    be even. Of equal numbers, TensorFlow gives the gradient to one; JAX and PyTorch divide it.
    Larger pools, an odd number of rows and reading use Keras's layer.
    """

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        high, wide = self.pool_size
        if not training or x.shape[1] % high or max(high, wide) > 2:
            return super().call(x)
        batch, rows, columns, channels = ops.shape(x)
        if high == 2:
            pairs = ops.reshape(x, (batch, rows // 2, 2, columns, channels))
            x = ops.maximum(*ops.unstack(pairs, axis=2))
        if wide == 2:
            pairs = ops.reshape(x, (batch, rows // high, columns // 2, 2, channels))
            x = ops.maximum(*ops.unstack(pairs, axis=3))
        return x  # (batch, rows / high, columns / wide, channels)


class StandardisedFilters(keras.constraints.Constraint):
    """Filters of mean 0 and length 1 (Weight Standardization, Qiao et al. 2019).

    Applied after each training step, this does for learning what normalising the features does,
    at no cost when reading.
    """

    def __call__(self, kernel: Tensor) -> Tensor:
        taps = tuple(range(len(kernel.shape) - 1))
        centred = kernel - ops.mean(kernel, axis=taps, keepdims=True)
        return centred * ops.rsqrt(ops.sum(ops.square(centred), axis=taps, keepdims=True) + 1e-8)
