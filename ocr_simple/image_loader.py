"""The images of a recogniser: decoded, cut out, turned and scaled, in chunks that fit in memory."""

import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.cores import usable_cores
from ocr_simple.datasets.crops import Crops, load_line
from ocr_simple.messages import escape_controls
from ocr_simple.options import Orientation
from ocr_simple.spec import ModelSpec

CHUNK = 256  # images decoded at a time, while those before are read
CHUNK_COLUMNS = 1 << 19  # of these images: about 64 MB of grey ones
THREADS = min(8, usable_cores())  # that decode large files


class OrientedImage(NamedTuple):
    """An image as it is given to the model, in one of the ways that it may be turned."""

    prepared: np.ndarray  # float32 (height, width, channels)
    columns: int  # of the image before it was scaled
    turned: int  # degrees, counter-clockwise
    boxed: bool  # whether it is the line in a box of the image


Loaded = list[OrientedImage] | imaging.ImageError  # an image in each way that it may be turned


@dataclass(frozen=True)
class ImageLoader:
    """Loads images for a model, as the arguments of `Recognizer` say."""

    spec: ModelSpec
    crops: Crops | None  # the boxes that lines are cut out of
    page: int  # of a TIFF, or frame of a GIF
    orientation: Orientation
    max_pixels: int  # of an image in its file
    max_columns: int  # of an image at the model's height

    def pixels(
        self, source: imaging.Source, name: str, channels: int, **how: Any
    ) -> tuple[np.ndarray, bool]:
        """(an image, or the line in its box; whether it has one), as `crops.load_line` says."""
        how |= {"page": self.page, "may_be_turned": self.orientation == "auto"}
        return load_line(source, self.crops, channels, name, max_pixels=self.max_pixels, **how)

    def turned(self, pixels: np.ndarray, name: str) -> list[tuple[np.ndarray, int]]:
        """(the image in a way that it may be turned, degrees) for each. Raises ImageError."""
        turns = imaging.possible_turns(pixels) if self.orientation == "auto" else (0,)
        found = [(np.rot90(pixels, turn // 90), turn) for turn in turns]
        for x, _ in found:
            preprocessing.check_columns(name, x, self.spec.height, self.max_columns)
        return found

    def load(self, source: imaging.Source, index: int = 0) -> Loaded:
        """The image, turned in each possible way, or what is wrong with it.

        index: its place among the images, for messages about one without a file.
        """
        name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else f"images[{index}]"
        height = self.spec.height
        try:
            pixels, boxed = self.pixels(source, name, self.spec.channels)
            return [
                OrientedImage(preprocessing.prepare(x, height), x.shape[1], turn, boxed)
                for x, turn in self.turned(pixels, name)
            ]
        except imaging.ImageError as error:
            return error
        except MemoryError:
            return imaging.ImageError(
                f"{escape_controls(name)}: too large for memory; scale it down"
            )


class Chunks:
    """Images in chunks, of which `pool` decodes the large files ahead."""

    def __init__(
        self, loader: ImageLoader, images: Iterable[imaging.Source], pool: ThreadPoolExecutor
    ):
        self._loader, self._pool = loader, pool
        self._images: Iterator[imaging.Source] = iter(images)
        self._indices = itertools.count()
        self.ahead: list[Loaded | Future[Loaded]] = []
        self.load_ahead()

    def load_ahead(self) -> None:
        """Begin the next chunk. What is `ahead` must have been taken."""
        self.ahead, columns = [], 0
        for image, index in zip(itertools.islice(self._images, CHUNK), self._indices):
            load = partial(self._loader.load, image, index)
            # threads help with large files only
            self.ahead.append(self._pool.submit(load) if imaging.is_large(image) else load())
            if (columns := columns + self._columns(self.ahead[-1])) >= CHUNK_COLUMNS:
                break

    def take(self) -> list[Loaded]:
        """The chunk that is ahead; none if there are no images left."""
        return [item.result() if isinstance(item, Future) else item for item in self.ahead]

    def _columns(self, loaded: Loaded | Future[Loaded]) -> int:
        """Columns of an image; of one that is not decoded yet, as many as possible."""
        if isinstance(loaded, Future):
            return self._loader.max_columns
        return sum(x.prepared.shape[1] for x in loaded) if isinstance(loaded, list) else 0
