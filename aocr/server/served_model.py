"""A SavedModel as the server uses it: PNG images in, lines with characters and spans out."""

import functools
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from aocr.kept_box import box_in
from aocr.kept_constraint import kept_in
from aocr.server.versions import read_about
from ocr_simple import images as imaging
from ocr_simple.boxes import CameraBox
from ocr_simple.datasets.crops import straightened
from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.network.backend import import_tensorflow
from ocr_simple.text import Line

NO_MAPS = np.zeros((0, 0), np.float32)
MAP_COLUMNS = 200  # of a character's map, at most
MODEL_PIXELS = 1 << 20  # of an image that the model is given; it needs up to 70 bytes for each
MODEL_SIDE = 1_000_000  # rows or columns of such an image; libpng reads no more
BATCH_PIXELS = 4 * MODEL_PIXELS
ATTENTION_COLUMNS = 4000  # of a line; the head's time grows with their square
CONSTRAINED_COLUMNS = 1000  # of a line that is read with a constraint; so does the search's
EXACT = 8  # rows of an image for each of the model's, so that it may be made smaller before


# Pixels of an image that count as a column. Decoding a photograph of a megapixel, and scaling it
# down in the graph, takes as long as reading 6,000 columns with `digits`, 7,700 with `text`.
PIXELS_PER_COLUMN = 150


class Preparation(NamedTuple):
    """How images are prepared for a model, and how large they may be."""

    channels: int
    height: int  # of the model's images, in rows
    max_pixels: int
    max_columns: int  # at that height
    box: CameraBox | None = None  # that images of its size are cropped by


class ServedImage(NamedTuple):
    """An image as the SavedModel is given it."""

    png: bytes
    columns: int  # at the model's height
    pixels: int  # in the PNG
    scale: float  # pixels of the upright image, or of the line in its box, to a column of the PNG
    cropped: bool = False  # whether it is the line in the model's box

    @property
    def cost(self) -> int:
        """What reading it costs, in columns."""
        return max(self.columns, self.pixels // PIXELS_PER_COLUMN)


class ServedLine(NamedTuple):
    """What was read in one image, with the names of the signature `read`."""

    output: str
    probability: float
    characters: list[str]
    probabilities: list[float]
    starts: list[float]  # in pixels of the upright image, or of the line in its box
    ends: list[float]
    maps: np.ndarray  # (characters, at most MAP_COLUMNS): where each was seen, 0 to 1
    cropped: bool = False  # whether the image was read in the model's box


class ServedModel:
    """One version of an exported SavedModel."""

    def __init__(self, folder: Path):
        """folder: named by its version. Raises ValueError for a folder without an export."""
        tf = import_tensorflow()
        self.folder, self.version = folder, int(folder.name)
        try:
            about = read_about(folder)
            self._kept, self.box = kept_in(about), box_in(about)
            self.constraint = str(self._kept) if self._kept else None
            self._loaded = tf.saved_model.load(str(folder))
            self._read, self._look = (self._loaded.signatures[name] for name in ("read", "look"))
            if self._kept:
                self._probabilities = self._loaded.signatures["probabilities"]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"{folder}: not a SavedModel of ocr_simple ({error}); write one with aocr export"
            ) from error
        self._constant = tf.constant
        self.channels, self.height = about["channels"], about["height"]
        self.multiple = about["multiple"]
        attention = about.get("head") == "attention"
        self.max_columns = ATTENTION_COLUMNS if attention else imaging.MAX_COLUMNS
        if self.constraint:
            self.max_columns = CONSTRAINED_COLUMNS
        self.prepare = to_png
        blank = _png(Image.new("L", (64, 32), "white"))
        for maps in (False, True):  # the first call is slow
            self.read([ServedImage(blank, 64, 64 * 32, 1.0)], maps)

    def read(self, images: Sequence[ServedImage], maps: bool = False) -> list[ServedLine]:
        """The line in each image, in batches of similar widths. Blocks.

        maps: whether to say where each character was seen; they take memory.
        """
        lines: dict[int, ServedLine] = {}
        for batch in imaging.batches([image.columns for image in images], self.multiple):
            read = self._read_batch
            if self._kept:
                read = functools.partial(self._read_constrained, self._kept.automaton)
            lines.update(zip(batch, read([images[i] for i in batch], maps)))
        return [lines[i] for i in range(len(images))]

    def _read_batch(self, images: Sequence[ServedImage], maps: bool) -> Iterator[ServedLine]:
        encoded = self._constant([image.png for image in images])
        found = (self._look if maps else self._read)(encoded)
        found = {name: value.numpy() for name, value in found.items()}
        for i, image in enumerate(images):
            characters = [c.decode() for c in found["characters"][i] if c]
            count = len(characters)
            yield ServedLine(
                found["output"][i].decode(),
                float(found["probability"][i]),
                characters,
                found["probabilities"][i][:count].tolist(),
                (found["starts"][i][:count] * image.scale).tolist(),
                (found["ends"][i][:count] * image.scale).tolist(),
                pooled(found["maps"][i, :count, : found["steps"][i]]) if maps else NO_MAPS,
                image.cropped,
            )

    def _read_constrained(
        self, automaton: Automaton, images: Sequence[ServedImage], maps: bool
    ) -> Iterator[ServedLine]:
        """As `_read_batch`, with the constraint that the export keeps."""
        found = self._probabilities(self._constant([image.png for image in images]))
        found = {name: value.numpy() for name, value in found.items()}
        for i, image in enumerate(images):
            rows = found["probabilities"][i, : found["steps"][i]]
            visual = ctc_beam_search(rows, automaton.alphabet, automaton)
            line = automaton.alphabet.in_logical_order(visual)
            classes = {c.start: automaton.alphabet.ids[c.text] for c in visual.characters}
            pixels, width = float(found["pixels"][i]), int(found["columns"][i]) * image.scale
            seen = rows[:, [classes[c.start] for c in line.characters]].T if maps else None
            yield served_line(line, pixels * image.scale, width, seen, image.cropped)


def served_line(
    line: Line, pixels: float, width: float, maps: np.ndarray | None, cropped: bool
) -> ServedLine:
    """A line in logical order, as it is answered.

    pixels: of a time step, in the upright image or the line in its box; width: of that, in pixels.
    maps: where each character was seen, (characters, steps).
    """
    characters = line.characters
    return ServedLine(
        line.text,
        line.confidence,
        [c.text for c in characters],
        [c.confidence for c in characters],
        [c.start * pixels for c in characters],
        [min(c.end * pixels, width) for c in characters],
        NO_MAPS if maps is None else pooled(maps),
        cropped,
    )


def pooled(maps: np.ndarray) -> np.ndarray:
    """Maps (characters, steps) of at most MAP_COLUMNS columns: the highest of several steps."""
    steps = maps.shape[1]
    if steps <= MAP_COLUMNS:
        return maps.copy()  # the maps of the whole batch can be forgotten
    return np.maximum.reduceat(maps, np.arange(MAP_COLUMNS) * steps // MAP_COLUMNS, axis=1)


def to_png(encoded: bytes, name: str, preparation: Preparation) -> ServedImage:
    """Any image file as an upright PNG without alpha, as the SavedModel reads it.

    The file is decoded by `ocr_simple/images.py`. Raises ImageError.
    """
    pixels, cropped = load_upload(encoded, name, preparation)
    rows, columns = pixels.shape[:2]
    image = smaller(pixels, preparation.height)
    size = image.width * image.height
    width = imaging.scaled_width(columns, rows, preparation.height)
    return ServedImage(_png(image), width, size, columns / image.width, cropped)


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
    imaging.check_columns(name, pixels, preparation.height, preparation.max_columns)
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
    return imaging.as_picture(np.round(imaging.resize(pixels, height)).astype(np.uint8))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png", compress_level=0)
    return file.getvalue()
