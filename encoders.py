"""Encoders: the image's features, by name, and the layers that keep an image's company out.

What lies right of an image's own columns is set back to zero after every layer that looks sideways.
An encoder is a function in a registry; `--architecture NAME` chooses it. A new one goes to the end.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from devices import keras
from image import WIDTH_MULTIPLE

ops = keras.ops
Tensor = Any  # of Keras's backend, or NumPy

BLOCK = "block"  # how the paths of a residual block's weights begin


def time_steps(width: Tensor, stride: int) -> Tensor:
    """Time steps that a model of `stride` gives for images `width` columns wide (int or array)."""
    return (width + stride - 1) // stride


# --- layers that keep company out -----------------------------------------------------------


@keras.saving.register_keras_serializable("ocr_simple")
class OwnColumns(keras.layers.Layer):
    """Zeroes what lies right of each image's own columns, at any resolution in between.

    Inputs: features (batch, rows, n, channels) or (batch, n, channels), and `own` (batch,
    columns), 1 at an image's own columns of features and 0 behind; n is a multiple of columns.
    """

    def call(self, features: Tensor, own: Tensor) -> Tensor:
        axis = len(features.shape) - 2
        repeats = ops.shape(features)[axis] // ops.shape(own)[1]
        column_step = ops.floor_divide(ops.arange(ops.shape(features)[axis]), repeats)
        keep = ops.cast(ops.take(own, column_step, axis=1), features.dtype)  # (batch, columns)
        return features * (keep[:, None, :, None] if axis == 2 else keep[:, :, None])


@keras.saving.register_keras_serializable("ocr_simple")
class OwnFeatureColumns(keras.layers.Layer):
    """1 at each image's own columns of features, 0 behind: (batch, columns) int32."""

    def __init__(self, stride: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, image: Tensor, width: Tensor) -> Tensor:
        column = ops.arange(ops.shape(image)[2] // self.stride)
        own = time_steps(ops.cast(width, column.dtype), self.stride)
        return ops.cast(column[None, :] < own[:, None], "int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("ocr_simple")
class ReverseOwnColumns(keras.layers.Layer):
    """Reverses the own columns of each sequence (batch, columns, channels)."""

    def call(self, sequence: Tensor, own: Tensor) -> Tensor:
        column = ops.arange(ops.shape(own)[1])[None, :]
        count = ops.sum(ops.cast(own, column.dtype), axis=1, keepdims=True)  # (batch, 1)
        source = ops.where(column < count, count - 1 - column, column)  # (batch, columns)
        return ops.take_along_axis(sequence, source[:, :, None], axis=1)


# --- encoders ---------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("ocr_simple")
class Standardised(keras.constraints.Constraint):
    """Filters of mean 0 and length 1 (Weight Standardization, Qiao et al. 2019).

    As a projection after each step it does for learning what normalising the features does, and
    reading is spared it.
    """

    def __call__(self, kernel: Tensor) -> Tensor:
        taps = tuple(range(len(kernel.shape) - 1))
        centred = kernel - ops.mean(kernel, axis=taps, keepdims=True)
        return centred * ops.rsqrt(ops.sum(ops.square(centred), axis=taps, keepdims=True) + 1e-8)


class Encoder(NamedTuple):
    """An entry of the registry: `build(image, mask)`, and columns of the image a feature column."""

    build: Callable
    stride: int


ENCODERS: dict[str, Encoder] = {}


def encoder(name: str, stride: int) -> Callable:
    """Decorator that registers an encoder for `--architecture NAME`.

    The function takes the image (batch, height, width, channels) and `mask`, and returns a
    feature map (batch, rows, width / stride, channels). It calls `mask(x)` after each layer that
    looks sideways, so that padding stays zero. The width is a multiple of the stride.
    """
    if WIDTH_MULTIPLE % stride:
        raise ValueError(f"encoder {name!r}: stride {stride}; give a divisor of {WIDTH_MULTIPLE}")

    def register(build: Callable) -> Callable:
        ENCODERS[name] = Encoder(build, stride)
        return build

    return register


@encoder("plain", stride=4)
def plain(x: Tensor, mask: Callable) -> Tensor:
    """Five 3 x 3 convolutions: the default, which reads unseen fonts best."""
    filters, pools = (16, 32, 48, 64, 96), ((2, 2), (2, 1), (1, 1), (2, 1), (2, 2))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 4, 96)


@encoder("fine", stride=2)
def fine(x: Tensor, mask: Callable) -> Tensor:
    """Four, with twice the time steps: for characters less than eight columns wide."""
    filters, pools = (16, 24, 48, 96), ((2, 2), (2, 1), (2, 1), (2, 1))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 2, 96)


@encoder("wide", stride=2)
def wide(x: Tensor, mask: Callable) -> Tensor:
    """As `fine`, with more filters: for alphabets of letters in many fonts."""
    filters, pools = (16, 32, 64, 128), ((2, 2), (2, 1), (2, 1), (2, 1))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 2, 128)


@encoder("deep", stride=2)
def deep(x: Tensor, mask: Callable) -> Tensor:
    """As `fine`, with residual blocks: for print that is worn, handwriting, long trainings."""
    filters, pools = (16, 24, 48, 96), ((2, 2), (2, 1), (2, 1), (2, 1))
    blocks = (0, 0, 1, 1)
    return convolutions(x, mask, filters, pools, blocks)  # (batch, height / 16, width / 2, 96)


def convolutions(
    x: Tensor,
    mask: Callable,
    filters: tuple[int, ...],
    pools: tuple[tuple[int, int], ...],
    blocks: tuple[int, ...] = (),
) -> Tensor:
    """3 x 3 convolutions, each pooled; the last one normalised, so that faint lines weigh as much.

    Columns are best pooled late: what tells 3 from 8 in an unseen font is a pixel or two.
    blocks: how many residual blocks behind each.
    """
    for i, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        x = keras.layers.Conv2D(
            count, 3, padding="same", kernel_constraint=Standardised(), name=f"conv{i}"
        )(x)
        if pool != (1, 1):  # pooled first: less is left to do, and ReLU commutes
            x = keras.layers.MaxPooling2D(pool, padding="same", name=f"pool{i}")(x)
        if i == len(filters):
            x = keras.layers.LayerNormalization(name="norm")(x)
        x = mask(keras.layers.ReLU(name=f"relu{i}")(x))
        for j in range(1, 1 + (blocks[i - 1] if blocks else 0)):
            x = residual_block(x, mask, f"block{i}_{j}")
    return x


def residual_block(x: Tensor, mask: Callable, name: str) -> Tensor:
    """Two convolutions beside what passes by; it starts as if it were not there.

    So a model with more blocks can start from the weights of one with fewer (`transfer`).
    """
    y = keras.layers.Conv2D(
        x.shape[-1], 3, padding="same", kernel_constraint=Standardised(), name=f"{name}_conv1"
    )(x)
    y = mask(keras.layers.ReLU(name=f"{name}_relu1")(y))
    y = keras.layers.Conv2D(
        x.shape[-1], 3, padding="same", kernel_initializer="zeros", name=f"{name}_conv2"
    )(y)
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return mask(keras.layers.ReLU(name=f"{name}_relu2")(x))


@encoder("residual", stride=4)
def residual(x: Tensor, mask: Callable) -> Tensor:
    """Patches, then residual blocks of depthwise convolutions (after ConvNeXt, Liu et al. 2022)."""
    x = keras.layers.Conv2D(48, (4, 2), strides=(4, 2), name="patches")(x)
    x = mask(x)  # (batch, height / 4, width / 2, 48)
    for i, (filters, strides) in enumerate(((48, 1), (96, 2), (96, 1), (128, (2, 1)), (128, 1)), 1):
        if strides != 1:
            pool = strides if isinstance(strides, tuple) else (strides, strides)
            x = keras.layers.AveragePooling2D(pool, padding="same", name=f"shrink{i}")(x)
            x = keras.layers.Conv2D(filters, 1, name=f"widen{i}")(x)
            x = mask(x)
        y = keras.layers.DepthwiseConv2D(5, padding="same", name=f"depthwise{i}")(x)
        y = keras.layers.LayerNormalization(name=f"norm{i}")(y)
        y = keras.layers.Conv2D(2 * filters, 1, name=f"expand{i}")(y)
        y = ops.gelu(y, approximate=True)  # the exact one does not become ONNX
        y = keras.layers.Conv2D(filters, 1, name=f"project{i}")(y)
        x = mask(keras.layers.Add(name=f"add{i}")([x, y]))
    return x  # (batch, height / 16, width / 4, 128)
