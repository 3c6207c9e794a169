"""`aocr test`: how well a model reads labelled images, as a report with pictures."""

import logging
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from aocr.options import TestOptions
from inference import Recognizer
from ocr_simple import storage
from ocr_simple.datasets import labelled
from ocr_simple.datasets.annotations import Entry, Fault
from ocr_simple.images import ImageError
from ocr_simple.reports import error_pictures as pictures
from ocr_simple.reports.canvas import visible
from ocr_simple.reports.metrics import Reading, aocr_accuracy, perplexity
from ocr_simple.reports.report import report, safe_name
from ocr_simple.runs import devices
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import one_line

log = logging.getLogger("ocr_simple")

CHUNK = 256  # labelled images read at a time


def run(options: TestOptions, _: list[str]) -> int:
    """Read, log each line and write the report. Returns the exit status. Raises ValueError."""
    if not options.dataset:
        raise ValueError("name a DATASET: TFRecords, annotations, or a folder with labels.tsv")
    file = find_model(options.model)
    devices.prepare()  # before TensorFlow reads the records
    found = labelled.find_all(options.dataset)
    print(f"Reading with {storage.named(file)}", file=sys.stderr)
    recognizer = Recognizer.load(file)
    entries, readings, faults = _read(recognizer, found, options.distance)
    if faults:
        listed = labelled.fault_list(faults)
        log.warning(f"{len(faults)} of {len(found)} rows cannot be used:{listed}")
    if not readings:
        raise ValueError("no line was read")

    def pixels_of(index: int) -> np.ndarray:
        return labelled.decoded(entries[index], channels=3)

    title = f"{', '.join(options.dataset)}, read with {storage.named(file)}"
    with storage.written(options.output_dir, fetch=True) as folder:
        evaluation = report(readings, folder, pixels_of, title)
        if options.visualize:
            _visualize(recognizer, entries, readings, folder)
        print(f"{evaluation}\nreport: {storage.named(folder / 'report.md')}")
    return 1 if faults else 0


def _read(
    recognizer: Recognizer, found: list[Entry | Fault], distance: bool
) -> tuple[list[Entry], list[Reading], list[Fault]]:
    """(entries that were read, what was read in them, rows that cannot be used), in order."""
    used: list[Entry] = []
    readings: list[Reading] = []
    faults = {line.place: line for line in found if isinstance(line, Fault)}
    entries = [line for line in found if isinstance(line, Entry)]
    correct = 0.0
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        good, examples = [], []
        for entry in chunk:
            try:
                pixels = labelled.decoded(entry, recognizer.spec.channels)
                examples.append((pixels, entry.label, entry.name))
                good.append(entry)
            except (OSError, ImageError) as error:
                faults[entry.place] = Fault(entry.place, str(error))
        before = time.perf_counter()
        found_here = recognizer.evaluate(examples, losses=True)
        seconds = (time.perf_counter() - before) / len(chunk)
        for entry, reading in zip(good, found_here):
            used.append(entry)
            readings.append(reading)
            correct += aocr_accuracy(reading.truth, reading.line.text, distance)
            log.info(_step(len(readings), seconds, correct / len(readings), reading, distance))
    return used, readings, [faults[line.place] for line in found if line.place in faults]


def _step(number: int, seconds: float, accuracy: float, reading: Reading, distance: bool) -> str:
    """A row of the log, in the format of attention-ocr."""
    right = aocr_accuracy(reading.truth, reading.line.text, distance)
    read = f"({reading.truth})" if right == 1 else f"({reading.line.text} vs {reading.truth})"
    perplexity = perplexity(reading.loss, len(reading.truth))
    return (
        f"Step {number} ({seconds:.3f}s). Accuracy: {accuracy:6.2%}, loss: {reading.loss:f}, "
        f"perplexity: {perplexity:.6g}, probability: {reading.line.confidence:6.2%} "
        f"{right:>4.0%} {read} {one_line(reading.name)}"
    )


def _visualize(
    recognizer: Recognizer, entries: list[Entry], readings: list[Reading], output: Path
) -> None:
    """A folder for each line, under correct/ or incorrect/, with pictures of where it was read."""
    _remove_pictures(output)
    for number, (entry, reading) in enumerate(zip(entries, readings), 1):
        kind = "correct" if reading.exact else "incorrect"
        folder = output / kind / safe_name(f"{number:05}_{Path(entry.name).stem}")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = labelled.decoded(entry, recognizer.spec.channels)
        line, truth = reading.line, reading.truth
        if recognizer.spec.head == "ctc":
            probabilities = recognizer.probabilities(pixels)
            picture = pictures.time_step_map(pixels, line, probabilities, recognizer.spec, truth)
            picture.save(folder / "time_steps.png")
        else:
            attention = recognizer.attention(pixels)
            picture = pictures.attention_sheet(pixels, line, attention, truth)
            picture.save(folder / "attention.png")
            frames = pictures.attention_frames(pixels, line, attention)
            pictures.save_gif(frames, folder / "attention.gif")
            for place, (character, frame) in enumerate(zip(line.text, frames), 1):
                frame.save(folder / safe_name(f"{place:02}_{visible(character)}.png"))


def _remove_pictures(output: Path) -> None:
    """Remove the folders of an earlier test, whose lines may have other numbers."""
    for kind in ("correct", "incorrect"):
        for picture in sorted(output.glob(f"{kind}/[0-9]*_*/*")):
            if picture.name in {"time_steps.png", "attention.gif"}:
                shutil.rmtree(picture.parent, ignore_errors=True)
