"""Encoders: image -> features, one function each, chosen by `--architecture NAME`.

A new one goes to the end of this file:

    @encoder("mine", stride=4)
    def mine(x, mask):
        for filters, pool in ((16, (2, 2)), (32, (2, 2)), (64, (4, 1))):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = mask(keras.layers.MaxPooling2D(pool)(x))  # set the padded columns to zero again
        return x  # (batch, height / 16, width / 4, 64)

Keras is imported when an encoder is built: options are checked against these names without it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from ocr_simple.network.backend import keras

Tensor = Any  # of Keras's backend
LARGEST_STRIDE = 32
BLOCK = "block"  # how the names of a residual block's layers begin


class Encoder(NamedTuple):
    """An entry of the registry."""

    build: Callable  # (image, mask) -> features
    stride: int  # image columns in one column of features


ENCODERS: dict[str, Encoder] = {}


def encoder(name: str, stride: int) -> Callable:
    """Decorator that registers an encoder for `--architecture NAME`.

    The function takes the image (batch, height, width, channels) and `mask`, and returns features
    (batch, rows, width / stride, channels). It calls `mask(x)` after each layer that looks
    sideways, which sets padding back to zero. The width is a multiple of the stride.
    """
    if LARGEST_STRIDE % stride:
        raise ValueError(f"encoder {name!r}: stride {stride}; give a divisor of {LARGEST_STRIDE}")

    def register(build: Callable) -> Callable:
        ENCODERS[name] = Encoder(build, stride)
        return build

    return register


@functools.cache
def strides_at_masks(encoder: Encoder, height: int, channels: int) -> tuple[int, ...]:
    """Image columns in one column of what an encoder gives to `mask`, call by call.

    Found by building it once for an image of a known width. Its layers draw random numbers then.
    """
    strides = []

    def note(x: Tensor) -> Tensor:
        strides.append(LARGEST_STRIDE // x.shape[2])
        return x

    encoder.build(keras.Input((height, LARGEST_STRIDE, channels)), note)
    return tuple(strides)


def convolutions(
    x: Tensor,
    mask: Callable,
    filters: tuple[int, ...],
    pools: tuple[tuple[int, int], ...],
    blocks: tuple[int, ...] = (),
) -> Tensor:
    """3 x 3 convolutions, each pooled; the last is normalised, so that faint lines weigh as much.

    Columns are best pooled late: one or two pixels tell 3 from 8 in an unseen font.
    blocks: number of residual blocks behind each convolution.
    """
    from ocr_simple.network.layers import Conv2D, MaxPooling2D, StandardisedFilters

    for i, (count, pool) in enumerate(zip(filters, pools, strict=True), start=1):
        x = Conv2D(
            count, 3, padding="same", kernel_constraint=StandardisedFilters(), name=f"conv{i}"
        )(x)
        if pool != (1, 1):  # pooled first: less is left to compute, and ReLU commutes
            x = MaxPooling2D(pool, padding="same", name=f"pool{i}")(x)
        if i == len(filters):
            x = keras.layers.LayerNormalization(name="norm")(x)
        x = mask(keras.layers.ReLU(name=f"relu{i}")(x))
        for j in range(1, 1 + (blocks[i - 1] if blocks else 0)):
            x = residual_block(x, mask, f"{BLOCK}{i}_{j}")
    return x


def residual_block(x: Tensor, mask: Callable, name: str) -> Tensor:
    """Two convolutions added to their input; with its initial weights it changes nothing.

    So a model with more blocks can start from the weights of one with fewer (`model.transfer`).
    """
    from ocr_simple.network.layers import StandardisedFilters

    y = keras.layers.Conv2D(
        x.shape[-1],
        3,
        padding="same",
        kernel_constraint=StandardisedFilters(),
        name=f"{name}_conv1",
    )(x)
    y = mask(keras.layers.ReLU(name=f"{name}_relu1")(y))
    y = keras.layers.Conv2D(
        x.shape[-1], 3, padding="same", kernel_initializer="zeros", name=f"{name}_conv2"
    )(y)
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return mask(keras.layers.ReLU(name=f"{name}_relu2")(x))


# --- the encoders -----------------------------------------------------------------------------


@encoder("plain", stride=4)
def plain(x: Tensor, mask: Callable) -> Tensor:
    """Five 3 x 3 convolutions: the default, which reads unseen fonts best."""
    filters, pools = (16, 32, 48, 64, 96), ((2, 2), (2, 1), (1, 1), (2, 1), (2, 2))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 4, 96)


@encoder("fine", stride=2)
def fine(x: Tensor, mask: Callable) -> Tensor:
    """Four convolutions, twice the time steps: for characters under eight columns wide."""
    filters, pools = (16, 24, 48, 96), ((2, 2), (2, 1), (2, 1), (2, 1))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 2, 96)


@encoder("wide", stride=2)
def wide(x: Tensor, mask: Callable) -> Tensor:
    """`fine` with more filters: for alphabets of letters in many fonts."""
    filters, pools = (16, 32, 64, 128), ((2, 2), (2, 1), (2, 1), (2, 1))
    return convolutions(x, mask, filters, pools)  # (batch, height / 16, width / 2, 128)


@encoder("deep", stride=2)
def deep(x: Tensor, mask: Callable) -> Tensor:
    """`fine` with residual blocks: for worn print, handwriting and long trainings."""
    filters, pools = (16, 24, 48, 96), ((2, 2), (2, 1), (2, 1), (2, 1))
    blocks = (0, 0, 1, 1)
    return convolutions(x, mask, filters, pools, blocks)  # (batch, height / 16, width / 2, 96)


@encoder("deeper", stride=2)
def deeper(x: Tensor, mask: Callable) -> Tensor:
    """`deep` with twice the residual blocks, which starts from the weights of a `deep` model."""
    filters, pools = (16, 24, 48, 96), ((2, 2), (2, 1), (2, 1), (2, 1))
    blocks = (0, 0, 2, 2)
    return convolutions(x, mask, filters, pools, blocks)  # (batch, height / 16, width / 2, 96)


@encoder("wide_residual", stride=2)
def wide_residual(x: Tensor, mask: Callable) -> Tensor:
    """`wide` with residual blocks, which starts from the weights of a `wide` model."""
    filters, pools = (16, 32, 64, 128), ((2, 2), (2, 1), (2, 1), (2, 1))
    blocks = (0, 0, 2, 2)
    return convolutions(x, mask, filters, pools, blocks)  # (batch, height / 16, width / 2, 128)


@encoder("residual", stride=4)
def residual(x: Tensor, mask: Callable) -> Tensor:
    """Depthwise residual blocks on patches, after ConvNeXt (Liu et al. 2022): for GPUs."""
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
        y = keras.ops.gelu(y, approximate=True)  # the exact one does not become ONNX
        y = keras.layers.Conv2D(filters, 1, name=f"project{i}")(y)
        x = mask(keras.layers.Add(name=f"add{i}")([x, y]))
    return x  # (batch, height / 16, width / 4, 128)
