"""The images that a program gives to `Recognizer.read`: one or several, of which kind."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple.images import Source


def checked_list(images: Any) -> Iterable[Source]:
    """`images`, unchanged. Raises TypeError for a single image, None, or what is not iterable."""
    single = isinstance(images, np.ndarray) and (
        images.ndim < 3 or (images.ndim == 3 and images.shape[2] <= 4)  # (rows, columns, channels)
    )
    single = single or isinstance(images, (str, bytes, bytearray, memoryview))
    if single or not isinstance(images, Iterable):
        raise TypeError(
            f"images is a single {type(images).__name__}; give a list of images, such as [image]"
            if images is not None
            else "images is None; give a list of images, such as ['photo.jpg']"
        )
    return images


def decoded_if_pil(image: Source) -> Source:
    """A PIL image with its pixels decoded: threads must not decode one image at the same time.

    By then the caller may also have moved it to another frame of its file.
    """
    try:
        return image.copy() if isinstance(image, Image.Image) else image
    except Exception:  # `images.load` reports what is wrong
        return image
