"""A SavedModel as the server uses it: PNG images in, lines with characters and spans out."""

import functools
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from aocr.kept_box import box_in
from aocr.kept_constraint import kept_in
from aocr.server.served_line import NO_MAPS, ServedLine, pooled, served_line
from aocr.server.uploads import MODEL_PIXELS, Preparation, load_upload, most_columns, smaller
from aocr.server.versions import read_about
from ocr_simple import preprocessing
from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.network.backend import import_tensorflow

BATCH_PIXELS = 4 * MODEL_PIXELS


# Pixels of an image that count as a column. Decoding a photograph of a megapixel, and scaling it
# down in the graph, takes as long as reading 6,000 columns with `digits`, 7,700 with `text`.
PIXELS_PER_COLUMN = 150


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
        self.max_columns = most_columns(about.get("head"), bool(self.constraint))
        self.prepare = to_png
        blank = _png(Image.new("L", (64, 32), "white"))
        for maps in (False, True):  # the first call is slow
            self.read([ServedImage(blank, 64, 64 * 32, 1.0)], maps)

    def read(self, images: Sequence[ServedImage], maps: bool = False) -> list[ServedLine]:
        """The line in each image, in batches of similar widths. Blocks.

        maps: whether to say where each character was seen; they take memory.
        """
        lines: dict[int, ServedLine] = {}
        for batch in preprocessing.batches([image.columns for image in images], self.multiple):
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


def to_png(encoded: bytes, name: str, preparation: Preparation) -> ServedImage:
    """Any image file as an upright PNG without alpha, as the SavedModel reads it.

    The file is decoded by `ocr_simple/images.py`. Raises ImageError.
    """
    pixels, cropped = load_upload(encoded, name, preparation)
    rows, columns = pixels.shape[:2]
    image = smaller(pixels, preparation.height)
    size = image.width * image.height
    width = preprocessing.scaled_width(columns, rows, preparation.height)
    return ServedImage(_png(image), width, size, columns / image.width, cropped)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png", compress_level=0)
    return file.getvalue()
