"""A SavedModel as the server uses it: PNG images in, lines with characters and spans out."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import images as imaging

PER_CHARACTER = ("probabilities", "starts", "ends")


class ServedLine(NamedTuple):
    """What was read in one image, with the names of the signature `read`."""

    output: str
    probability: float
    characters: list[str]
    probabilities: list[float]
    starts: list[float]  # in pixels of the upright image
    ends: list[float]
    maps: np.ndarray  # (characters, valid steps): where each was seen, 0 to 1


class ServedModel:
    """One version of an exported SavedModel."""

    def __init__(self, folder: Path):
        """folder: named by its version. Raises ValueError for a folder without an export."""
        import tensorflow as tf

        self.version = int(folder.name)
        try:
            about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            self._loaded = tf.saved_model.load(str(folder))
            self._look = self._loaded.signatures["look"]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"{folder}: not a SavedModel of ocr_simple ({error}); write one with aocr export"
            ) from error
        self._constant = tf.constant
        self.channels = int(about["channels"])
        self.signatures = self._loaded.signatures
        self.read([_png(Image.new("L", (64, 32), "white"))])  # the first call is slow

    def read(self, encoded: Sequence[bytes]) -> list[ServedLine]:
        """The line in each image, an encoded PNG. Blocks."""
        found = {k: v.numpy() for k, v in self._look(self._constant(list(encoded))).items()}
        lines = []
        for i, text in enumerate(found["output"]):
            characters = [c.decode() for c in found["characters"][i] if c]
            count = len(characters)
            values = {name: found[name][i][:count].tolist() for name in PER_CHARACTER}
            maps = found["maps"][i, :count, : found["steps"][i]]
            probability = float(found["probability"][i])
            lines.append(ServedLine(text.decode(), probability, characters, maps=maps, **values))
        return lines


def to_png(encoded: bytes, channels: int, name: str, max_pixels: int) -> bytes:
    """Any image file as an upright PNG without alpha, as the SavedModel reads it.

    The file is decoded by `ocr_simple/images.py`. Raises ImageError.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=imaging.FORMATS) as image:
            width, height = image.size
    except Exception:  # `images.load` reports it
        width = height = 0
    if width * height > max_pixels:
        raise imaging.ImageError(
            f"{name}: {width} x {height} pixels, over the limit of {max_pixels:,}; scale it down"
        )
    pixels = imaging.load(encoded, channels, name, warn=False)
    return _png(Image.fromarray(pixels[..., 0] if channels == 1 else pixels))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png", compress_level=0)
    return file.getvalue()
