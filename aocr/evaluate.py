"""`aocr test`: how well a model reads labelled images, as a report with pictures."""

import functools
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aocr.options import TestOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.annotations import check_datasets
from ocr_simple.datasets.crops import in_kept_box
from ocr_simple.datasets.entries import Entry, Fault, fault_list, image_fault, is_part
from ocr_simple.decoding.constraints import load_constraint
from ocr_simple.images import ImageError
from ocr_simple.messages import escape_controls, visible
from ocr_simple.network.backend import check_backend
from ocr_simple.reports import decoding_pictures as pictures
from ocr_simple.reports.comparison import Comparison, compare
from ocr_simple.reports.metrics import Reading, aocr_accuracy, perplexity
from ocr_simple.reports.report import safe_file_name, write_report
from ocr_simple.reports.report_files import FILES, FOLDERS, check_replaceable
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import read_spec
from ocr_simple.text import Alphabet

if TYPE_CHECKING:  # it imports TensorFlow: see `run`
    from inference import Recognizer

logger = logging.getLogger("ocr_simple")

CHUNK = 256  # labelled images read at a time


def run(options: TestOptions, _: list[str]) -> int:
    """Read, log each line and write the report. Returns the exit status.

    Raises ValueError for missing files before TensorFlow is imported, and if nothing can be read.
    """
    if not options.dataset:
        raise ValueError("name a DATASET, such as a folder with labels.tsv; see docs/data.md")
    file = find_model(options.model)
    other = find_model(options.against) if options.against else None
    for each in filter(None, (file, other)):
        spec = read_spec(each)
        load_constraint(options.lexicon, options.pattern, Alphabet(spec.alphabet))
        if spec.head != "ctc":  # Keras computes its losses
            check_backend()
    storage.check_writable(options.output_dir, "--output-dir")
    check_datasets(options.dataset, options)
    with storage.output_folder(options.output_dir, fetch=True) as folder:
        try:
            check_replaceable(folder, (*FILES, *FOLDERS) if options.visualize else FILES)
        except ValueError as error:
            raise ValueError(f"--output-dir {error}") from error
        return _test(options, file, other, folder)


def _test(options: TestOptions, file: Path, other: Path | None, folder: Path) -> int:
    """Read with a model file and write the report into a folder. Returns the exit status.

    other: a model to compare with.
    """
    rows = labelled.find_all_entries(options.dataset, options, logger.info)
    for report_file in (options.output_dir / name for name in FILES):
        if is_part(report_file, rows):
            raise ValueError(
                f"--output-dir {options.output_dir}: the report would replace {report_file}, which "
                "is part of the data set; name another folder"
            )
    say(f"Reading with {storage.display_name(file)}", sys.stderr)
    recognizer = _load(options, file)
    against = _load(options, other) if other else None
    rows = in_kept_box(rows, recognizer.spec.crop, lambda message: say(message, sys.stderr))
    entries, readings, faults = _read(recognizer, rows, options.distance, against)
    if faults:
        reasons = fault_list(faults)
        logger.warning(f"{len(faults)} of {len(rows)} rows cannot be used:{reasons}")
    if not readings:
        raise ValueError(
            f"no line of {', '.join(options.dataset)} could be read; the reasons are above"
        )

    def pixels_of(index: int) -> np.ndarray:
        return _upright(entries[index], readings[index], channels=3)

    comparison = None
    if other and against:
        say(f"Reading with {storage.display_name(other)}", sys.stderr)
        comparison = _compare(options, against, entries, readings)
    draw = functools.partial(_draw_pictures, recognizer, entries, readings)
    title = f"{', '.join(options.dataset)}, read with {storage.display_name(file)}"
    evaluation = write_report(
        readings, folder, pixels_of, title, draw if options.visualize else None, comparison
    )
    if evaluation.unknown_note:
        say(evaluation.unknown_note)
    say(str(evaluation))
    if comparison:
        say(f"{comparison.other}:\n{comparison.other_evaluation}\n{comparison.verdict}")
    say(f"Report: {storage.display_name(folder / 'report.md')} (web page: report.html)")
    return 1 if faults else 0


def _load(options: TestOptions, file: Path) -> "Recognizer":
    """The recogniser in a model file."""
    from inference import Recognizer

    how = {name: getattr(options, name) for name in ("pattern", "lexicon", "orientation")}
    return Recognizer.load(file, **how)


def _compare(
    options: TestOptions, recognizer: "Recognizer", entries: list[Entry], readings: list[Reading]
) -> Comparison:
    """The comparison with another model's recogniser, which reads the same lines."""
    found: list[Reading] = []
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        pixels = [labelled.load_image(entry, recognizer.spec.channels) for entry in chunk]
        found += recognizer.read_labelled(
            [(image, entry.label, entry.name) for image, entry in zip(pixels, chunk)]
        )
    return compare(readings, found, options.model, str(options.against))


def _read(
    recognizer: "Recognizer",
    rows: list[Entry | Fault],
    distance: bool,
    against: "Recognizer | None",
) -> tuple[list[Entry], list[Reading], list[Fault]]:
    """(entries that were read, what was read in them, rows that cannot be used), in order.

    against: of another model, which must be able to read the images too.
    """
    used: list[Entry] = []
    readings: list[Reading] = []
    faults = {i: row for i, row in enumerate(rows) if isinstance(row, Fault)}
    entries = [(i, row) for i, row in enumerate(rows) if isinstance(row, Entry)]
    correct = 0.0
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        good, examples = [], []
        for i, entry in chunk:
            try:
                pixels = labelled.load_image(entry, recognizer.spec.channels)
                for each in filter(None, (recognizer, against)):
                    each.check(pixels, entry.name)
                examples.append((pixels, entry.label, entry.name))
                good.append(entry)
            except (OSError, ImageError) as error:
                faults[i] = image_fault(entry, error)
        started = time.perf_counter()
        found = recognizer.read_labelled(examples, losses=True)
        seconds = (time.perf_counter() - started) / len(chunk)
        for entry, reading in zip(good, found):
            used.append(entry)
            readings.append(reading)
            correct += aocr_accuracy(reading.truth, reading.line.text, distance)
            accuracy = correct / len(readings)
            logger.info(_log_line(len(readings), seconds, accuracy, reading, distance))
    return used, readings, [faults[i] for i in sorted(faults)]


def _log_line(
    number: int, seconds: float, accuracy: float, reading: Reading, distance: bool
) -> str:
    """A reading in the log, in the format of attention-ocr but with clearer names.

    accuracy: the mean so far of what `distance` asks for: correct characters, or whole lines.
    """
    text, truth = reading.line.text, reading.truth
    correct = aocr_accuracy(truth, text, distance)
    shown = f"({truth})" if correct == 1 else f"(read {text!r}, truth {truth!r})"
    kind = "characters" if distance else "lines"
    return (
        f"Step {number} ({seconds:.3f}s). Accuracy of {kind} so far: {accuracy:6.2%}, "
        f"loss: {reading.loss:f}, "
        f"perplexity: {perplexity(reading.loss, len(truth)):.6g}, "
        f"probability: {reading.line.confidence:6.2%}, this line: {correct:>4.0%} "
        f"{escape_controls(shown)} {escape_controls(reading.name)}"
    )


def _upright(entry: Entry, reading: Reading, channels: int) -> np.ndarray:
    """An entry's image, turned as it was read: uint8 (rows, columns, channels)."""
    return np.rot90(labelled.load_image(entry, channels), reading.line.turned // 90)


# --- pictures ---------------------------------------------------------------------------------


def _draw_pictures(
    recognizer: "Recognizer", entries: list[Entry], readings: list[Reading], output: Path
) -> None:
    """Show where each character was read, in a folder per line, in correct/ or incorrect/."""
    for number, (entry, reading) in enumerate(zip(entries, readings), 1):
        kind = "correct" if reading.exact else "incorrect"
        folder = output / kind / safe_file_name(f"{number:05}_{Path(entry.name).stem}")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = _upright(entry, reading, recognizer.spec.channels)
        draw = _draw_time_steps if recognizer.spec.head == "ctc" else _draw_attention
        draw(recognizer, pixels, reading, folder)


def _draw_time_steps(
    recognizer: "Recognizer", pixels: np.ndarray, reading: Reading, folder: Path
) -> None:
    """The class probabilities of a CTC head at each time step."""
    probabilities = recognizer.probabilities(pixels)
    picture = pictures.time_step_map(
        pixels, reading.line, probabilities, recognizer.spec, reading.truth
    )
    picture.save(folder / "time_steps.png")


def _draw_attention(
    recognizer: "Recognizer", pixels: np.ndarray, reading: Reading, folder: Path
) -> None:
    """Where an attention head looked for each character: on one sheet, and one by one."""
    attention = recognizer.attention(pixels)
    sheet = pictures.attention_sheet(pixels, reading.line, attention, reading.truth)
    sheet.save(folder / "attention.png")
    frames = pictures.attention_frames(pixels, reading.line, attention)
    pictures.save_gif(frames, folder / "attention.gif")
    for place, (character, frame) in enumerate(zip(reading.line.text, frames), 1):
        frame.save(folder / safe_file_name(f"{place:02}_{visible(character)}.png"))
