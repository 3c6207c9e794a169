"""An uploaded image: decoded within limits, cut to the model's box, no larger than needed."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.boxes import CameraBox
from ocr_simple.datasets.crops import straightened

MODEL_PIXELS = 1 << 20  # of an image that the model is given; it needs up to 70 bytes for each
MODEL_SIDE = 1_000_000  # rows or columns of such an image; libpng reads no more
ATTENTION_COLUMNS = 4000  # of a line; the head's time grows with their square
CONSTRAINED_COLUMNS = 1000  # of a line that is read with a constraint; so does the search's
EXACT = 8  # rows of an image for each of the model's, so that it may be made smaller before


def most_columns(head: str | None, constrained: bool) -> int:
    """The columns of the longest line that a model reads, at its height."""
    if constrained:
        return CONSTRAINED_COLUMNS
    return ATTENTION_COLUMNS if head == "attention" else preprocessing.MAX_COLUMNS


class Preparation(NamedTuple):
    """How images are prepared for a model, and how large they may be."""

    channels: int
    height: int  # of the model's images, in rows
    max_pixels: int
    max_columns: int  # at that height
    box: CameraBox | None = None  # that images of its size are cropped by


def load_upload(encoded: bytes, name: str, preparation: Preparation) -> tuple[np.ndarray, bool]:
    """(any image file as upright pixels without alpha: uint8 (rows, columns, channels), cropped).

    cropped: whether they are the line in the model's box. Raises ImageError.
    """
    pixels = imaging.load(
        encoded,
        preparation.channels,
        name,
        warn=False,
        max_pixels=preparation.max_pixels,
        formats=imaging.UPLOADS,
        limit_time=False,
    )
    box = preparation.box
    cropped = box is not None and box.size == (pixels.shape[1], pixels.shape[0])
    if box and cropped:
        pixels = straightened(pixels, box.corners, name)
    preprocessing.check_columns(name, pixels, preparation.height, preparation.max_columns)
    return pixels, cropped


def _too_large(rows: int, columns: int) -> bool:
    return rows * columns > MODEL_PIXELS or rows > MODEL_SIDE


def smaller(pixels: np.ndarray, height: int) -> Image.Image:
    """uint8 (rows, columns, channels) as an image of at most MODEL_PIXELS, no side over MODEL_SIDE.

    The model, which scales it to `height` rows, sees the same, to one grey level.
    """
    rows, columns = pixels.shape[:2]
    image = imaging.as_picture(pixels)
    factor = 1
    while _too_large(math.ceil(rows / factor), math.ceil(columns / factor)):
        factor += 1
    if factor == 1:
        return image
    if rows >= EXACT * height * factor:
        return image.reduce(factor)
    return imaging.as_picture(np.round(preprocessing.resize(pixels, height)).astype(np.uint8))
