"""What the model reads in the pictures, computed in the background by another process.

That process imports TensorFlow, which takes seconds. The page is there before, and does not wait.
"""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aocr.label.next_readings import next_readings
from ocr_simple import images as imaging
from ocr_simple.datasets.workers import WorkerPool
from ocr_simple.images import ImageError
from ocr_simple.runs import devices

if TYPE_CHECKING:  # it imports TensorFlow: see `_load_model`
    from inference import Recognizer

log = logging.getLogger("ocr_simple")

CHUNK = 16  # pictures read at a time: the one that is shown next does not wait for many others
IDLE = 0.2  # seconds between two looks for pictures that are to be read
NICENESS = 5  # the page comes first


class PictureReading(NamedTuple):
    """What the model reads in a picture."""

    text: str
    confidence: float
    confidences: tuple[float, ...]  # of each character
    others: tuple[str, ...]  # the next most probable texts


Result = PictureReading | str  # or why the picture cannot be used
Wanted = Callable[[int], Sequence[int]]  # up to so many pictures to read next, by number
Deliver = Callable[[dict[int, Result]], None]

_model: "list[Recognizer]" = []  # of the process that reads


def _load_model(file: Path) -> None:
    """Called once in the process that reads."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    devices.prepare()
    from inference import Recognizer

    _model.append(Recognizer.load(file))


def _read(files: Sequence[Path]) -> list[Result]:
    """The reading of each picture, or why it cannot be used."""
    recognizer = _model[0]
    spec = recognizer.spec
    found: dict[int, Result] = {}
    good: dict[int, imaging.Source] = {}
    for place, file in enumerate(files):
        try:
            pixels = imaging.load(file, spec.channels, warn=False)
            imaging.check_columns(file.name, pixels, spec.height, recognizer.max_columns)
            good[place] = pixels
        except (ImageError, OSError) as error:
            found[place] = str(error).removeprefix(f"{file}: ").removeprefix(f"{file.name}: ")
    for place, output in zip(good, recognizer.outputs(list(good.values()))):
        others = next_readings(output, recognizer.alphabet, spec.head == "ctc")
        confidences = tuple(float(c.confidence) for c in output.line.characters)
        line = output.line
        found[place] = PictureReading(line.text, float(line.confidence), confidences, tuple(others))
    return [found[place] for place in range(len(files))]


class BackgroundReader:
    """Reads pictures as long as some are wanted, in a thread that another process works for."""

    def __init__(self, model: Path, files: Sequence[Path], wanted: Wanted, deliver: Deliver):
        """files: the pictures, by number. deliver: takes results, by number."""
        self.model, self.files, self.wanted, self.deliver = model, files, wanted, deliver
        self.problem = ""  # why nothing is read any more
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more, and end the process that reads."""
        self._stopped.set()
        for process in multiprocessing.active_children():  # it may be importing for seconds
            process.kill()
        self._thread.join()

    def _run(self) -> None:
        try:
            with WorkerPool(1, _load_model, self.model) as pool:
                while not self._stopped.is_set():
                    numbers = list(self.wanted(CHUNK))
                    if not numbers:
                        self._stopped.wait(IDLE)
                        continue
                    results = pool.submit(_read, [self.files[n] for n in numbers])
                    self.deliver(dict(zip(numbers, results.result())))
        except BrokenExecutor:
            self.problem = "the process that reads ended: is the model damaged, or memory full?"
        except Exception as error:  # labels can still be typed
            self.problem = str(error)
        if self.problem and not self._stopped.is_set():
            log.warning("%s: no readings (%s); labels can be typed", self.model, self.problem)
