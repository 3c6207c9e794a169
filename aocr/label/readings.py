"""What the model reads in the pictures, computed in the background by another process.

That process loads the model, and where Keras reads it imports TensorFlow, which takes seconds. The
page is there before, and does not wait.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.boxes import Corners
from ocr_simple.datasets.crops import NO_CROPS, straightened
from ocr_simple.datasets.workers import WorkerPool
from ocr_simple.images import ImageError

if TYPE_CHECKING:  # it imports TensorFlow: see `_load_model`
    from inference import Recognizer

logger = logging.getLogger("ocr_simple")

ALTERNATIVES = 4  # texts to choose from besides the one that was read
CHUNK = 16  # pictures read at a time: the one that is shown next does not wait for many others
IDLE = 0.2  # seconds between two looks for pictures that are to be read
SOON = 10.0  # seconds in which the reading of a box that is being drawn is of use
THUMBNAIL = (16, 8)  # columns and rows
NICENESS = 5  # the page comes first


class PictureReading(NamedTuple):
    """What the model reads in a picture."""

    text: str
    confidence: float
    confidences: tuple[float, ...]  # of each character
    others: tuple[str, ...]  # the next most probable texts
    look: tuple[float, ...] = ()  # how the picture looks, to tell which are alike: see `look_of`

    def shown(self) -> dict[str, Any]:
        """What the page shows of it."""
        return {name: value for name, value in self._asdict().items() if name != "look"}


Result = PictureReading | str  # or why the picture cannot be used
Boxes = dict[int, Corners]  # by the number of the picture; empty: all of it is read
Wanted = Callable[[int], Boxes]  # up to so many pictures to read next
Deliver = Callable[[dict[int, Result], Boxes], None]  # with the boxes that were read


def look_of(pixels: np.ndarray) -> tuple[float, ...]:
    """A thumbnail of uint8 (rows, columns, channels), normalised: distances tell what is alike."""
    grey = Image.fromarray(pixels.mean(axis=2).astype(np.uint8))
    small = grey.resize(THUMBNAIL, Image.Resampling.BOX)
    values = preprocessing.normalise(np.asarray(small)[..., None])
    return tuple(np.round(values.ravel(), 2).tolist())


_model: "list[Recognizer]" = []  # of the process that reads


def _load_model(file: Path) -> None:
    """Called once in the process that reads."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    from inference import Recognizer

    # no boxes: _read gives it what is in them
    _model.append(Recognizer.load(file, crops=NO_CROPS, alternatives=ALTERNATIVES))


def _read(pictures: Sequence[tuple[Path, Corners]]) -> list[Result]:
    """The reading of each picture, or of the box in it, or why it cannot be used."""
    recognizer = _model[0]
    found: dict[int, Result] = {}
    good: dict[int, np.ndarray] = {}
    for place, (file, box) in enumerate(pictures):
        try:
            pixels = imaging.load(file, recognizer.spec.channels, warn=False)
            pixels = straightened(pixels, box, file.name) if box else pixels
            recognizer.check(pixels, file.name)
            good[place] = pixels
        except (ImageError, OSError) as error:
            found[place] = str(error).removeprefix(f"{file}: ").removeprefix(f"{file.name}: ")
    for place, output in zip(good, recognizer.outputs(list(good.values()))):
        line = output.line
        confidences = tuple(float(c.confidence) for c in line.characters)
        others = tuple(other.text for other in line.alternatives)
        found[place] = PictureReading(
            line.text, float(line.confidence), confidences, others, look_of(good[place])
        )
    return [found[place] for place in range(len(pictures))]


class BackgroundReader:
    """Reads the wanted pictures in the background, in another process."""

    def __init__(self, model: Path, files: Sequence[Path], wanted: Wanted, deliver: Deliver):
        """files: the pictures, by number. deliver: takes results, by number, and what was read."""
        self.model, self.files, self.wanted, self.deliver = model, files, wanted, deliver
        self.problem = ""  # why nothing is read now
        self._pool: WorkerPool | None = None
        self._stopped, self._changed = threading.Event(), threading.Event()
        self._before_reading: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return str(self.model.parent) if self.model.stem == "best" else self.model.stem

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more, and end the process that reads."""
        self._stopped.set()
        while self._thread.is_alive():
            if pool := self._pool:  # its process may be loading the model for seconds
                pool.kill()
            self._thread.join(IDLE)

    def read_now(self, number: int, box: Corners) -> Result | None:
        """The reading of a box, before other pictures; None if there is none within SOON."""
        if not (pool := self._pool):
            return None
        try:
            return pool.submit(_read, [(self.files[number], box)]).result(SOON)[0]
        except (BrokenExecutor, RuntimeError, TimeoutError, CancelledError):
            return None

    def use(self, model: Path, begin: Callable[[], object]) -> None:
        """Read with another model. begin: called when the one of before reads no more."""
        self.model, self._before_reading = model, begin
        self._changed.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._changed.clear()
            try:
                self._before_reading()
                with WorkerPool(1, _load_model, self.model) as self._pool:
                    self._read_wanted(self._pool)
            except BrokenExecutor:
                self._wait("the process that reads ended; the model may be damaged, or memory full")
            except Exception as error:  # labels can still be typed
                self._wait(str(error))

    def _wait(self, problem: str) -> None:
        """Say why nothing is read, and wait for another model."""
        if not self._stopped.is_set():
            logger.warning("%s: no readings (%s); labels can be typed", self.model, problem)
        self.problem = problem
        while not (self._stopped.is_set() or self._changed.wait(IDLE)):
            pass
        self.problem = ""

    def _read_wanted(self, pool: WorkerPool) -> None:
        while not (self._stopped.is_set() or self._changed.is_set()):
            boxes = self.wanted(CHUNK)
            if not boxes:
                self._stopped.wait(IDLE)
                continue
            results = pool.submit(_read, [(self.files[n], box) for n, box in boxes.items()])
            self.deliver(dict(zip(boxes, results.result())), boxes)
