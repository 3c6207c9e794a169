"""A model file as the server uses it: read by `Recognizer`, with ONNX Runtime if it can be."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aocr.kept_constraint import allowed
from aocr.server.served_line import ServedLine, served_line
from aocr.server.served_model import ServedModel
from aocr.server.uploads import Preparation, load_upload, most_columns, smaller
from ocr_simple import preprocessing
from ocr_simple.cores import usable_cores
from ocr_simple.decoding.constraints import Lexicon
from ocr_simple.options import EngineName
from ocr_simple.right_to_left import kinds_of, reading_order
from ocr_simple.text import Line


class PreparedImage(NamedTuple):
    """An image as the network takes it."""

    prepared: np.ndarray  # float32 (height, columns, channels)
    columns: int
    pixels: int
    scale: float  # pixels of the upright image, or of the line in its box, for each column
    cropped: bool = False  # whether it is the line in the model's box

    @property
    def cost(self) -> int:
        """What reading it costs, in columns; decoding and scaling are done already."""
        return self.columns


class EngineModel:
    """A model file. It is served as version 1, until the server ends."""

    version = 1

    def __init__(
        self,
        file: Path,
        engine: EngineName = "auto",
        pattern: str | None = None,
        lexicon: Path | None = None,
    ):
        """engine, pattern, lexicon: see `Recognizer.load`.

        Raises ValueError for a file that is not a model, or that no engine here can read.
        """
        from inference import Recognizer

        # the other cores decode images and answer requests
        threads = max(1, usable_cores() // 2)
        self.recognizer = Recognizer.load(
            file, engine=engine, pattern=pattern, lexicon=lexicon, threads=threads
        )
        found = self.recognizer.constraint
        texts = len(found.texts) if isinstance(found, Lexicon) else 0
        self.constraint = allowed(pattern, texts) if found else None
        spec = self.recognizer.spec
        self.box = spec.crop
        self.channels, self.height = spec.channels, spec.height
        self.max_columns = most_columns(spec.head, bool(self.constraint))
        self.prepare = to_prepared
        blank = np.zeros((spec.height, 64, spec.channels), np.float32)
        self.read([PreparedImage(blank, 64, blank.size, 1.0)])  # the first call is slow

    def read(self, images: Sequence[PreparedImage], maps: bool = False) -> list[ServedLine]:
        """As `ServedModel.read`."""
        found: dict[int, ServedLine] = {}
        for place, visual, rows, attention in self.recognizer.predictions(
            [image.prepared for image in images]
        ):
            line, image = self.recognizer.alphabet.in_logical_order(visual), images[place]
            pixels, width = self.recognizer.spec.stride * image.scale, image.columns * image.scale
            seen = self._maps(visual, rows, attention) if maps else None
            found[place] = served_line(line, pixels, width, seen, image.cropped)
        return [found[place] for place in range(len(images))]

    def _maps(self, visual: Line, rows: np.ndarray, attention: np.ndarray) -> np.ndarray:
        """Where each character of the line in logical order was seen: (characters, steps)."""
        count = len(visual.characters)
        if self.recognizer.spec.head == "attention":
            maps = attention[:count]
        else:
            ids = self.recognizer.alphabet.ids
            maps = rows[:, [ids[c.text] for c in visual.characters]].T
        if not self.recognizer.alphabet.right_to_left:
            return maps
        return maps[[place for place, _ in reading_order(kinds_of(visual.text))]]


AnyModel = ServedModel | EngineModel


def to_prepared(encoded: bytes, name: str, preparation: Preparation) -> PreparedImage:
    """Any image file, prepared as `Recognizer` prepares it. Raises ImageError."""
    pixels, cropped = load_upload(encoded, name, preparation)
    image = np.asarray(smaller(pixels, preparation.height))
    if image.ndim == 2:
        image = image[..., None]
    prepared = preprocessing.prepare(image, preparation.height)
    columns = prepared.shape[1]
    return PreparedImage(prepared, columns, prepared.size, pixels.shape[1] / columns, cropped)
