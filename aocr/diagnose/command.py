"""`aocr diagnose`: which recipe draws lines like some pictures, and the training that fits them."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from aocr.diagnose import report
from aocr.diagnose.advice import Observations, advise, next_step
from aocr.diagnose.appearance import measure
from aocr.diagnose.nearness import Nearness, compare
from aocr.diagnose.pictures import Found, Picture, find_pictures, load, spread
from aocr.diagnose.recipe_lines import COMPARED, MODELS, all_fonts, draw_recipe, few_fonts
from aocr.options import DiagnoseOptions
from ocr_simple.command_line import arguments_of, say
from ocr_simple.datasets.entries import fault_list
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.messages import visible
from ocr_simple.options import LabelOptions
from ocr_simple.photography.mixtures import has_fonts_for
from ocr_simple.photography.recipes import RECIPES
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.nearest_pictures import beside
from ocr_simple.reports.sheet import choose_sheet, write_sheet
from ocr_simple.runs import devices
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import Alphabet, Line

if TYPE_CHECKING:  # it imports TensorFlow: see `run`
    from inference import Recognizer

COMMAND = "aocr diagnose"
SHOWN = 24  # pictures of the sheet

LinesOfRecipes = dict[str, list[np.ndarray]]  # of each recipe, uint8 (rows, columns, 1) each


def run(options: DiagnoseOptions, _: list[str]) -> int:
    """Compare, report and advise. Returns the exit status.

    Raises ValueError for missing files and what cannot be drawn before TensorFlow is imported.
    """
    found, sheet = _load(options)
    fonts_given = all_fonts(options.fonts)
    fonts = find_fonts(fonts_given)
    lacking = [name for name in COMPARED if not has_fonts_for(RECIPES[name], fonts)]
    files = [find_model(name) for name in MODELS]
    say(
        f"Drawing {options.lines:,} lines of each of {len(COMPARED)} recipes, which takes up to a "
        "minute",
        sys.stderr,
    )
    few = few_fonts(fonts)
    lines = {name: draw_recipe(name, few, options.lines, options.seed) for name in COMPARED}

    say(f"Comparing them by features of the models {' and '.join(MODELS)}", sys.stderr)
    devices.prepare()
    from aocr.diagnose.features import Features
    from inference import Recognizer

    recognizers = {name: Recognizer.load(file) for name, file in zip(MODELS, files)}
    features = Features(list(recognizers.values()))
    groups = {name: features(each) for name, each in lines.items()}
    pictures = found.pictures
    vectors = features([picture.pixels for picture in pictures])
    nearness = compare(groups, vectors, features.emphasis(vectors.shape[1]))
    readings = {name: _read(recognizer, pictures) for name, recognizer in recognizers.items()}

    _say_what_was_found(found, lacking, lines, nearness, readings, options.folder, fonts_given)
    seen = _seen(options, found, readings["text"], nearness)
    confidences = _confidences(readings)
    _say_advice(seen, fonts_given, max(confidences, key=lambda name: confidences[name]))
    if sheet:
        write_sheet(_sheet(pictures, lines, nearness), sheet, COMMAND)
        say(f"Your pictures, each beside the line most like it: {sheet}", sys.stderr)
    return 1 if found.faults else 0


def _load(options: DiagnoseOptions) -> tuple[Found, Path | None]:
    """(the pictures, the sheet to write or None).

    Raises ValueError if there is no picture, or the sheet cannot be written.
    """
    if not options.folder:
        raise ValueError("name a FOLDER of your pictures, one line of text in each")
    listed, faults = find_pictures(options.folder, options)
    read = (options.folder,)
    sheet = choose_sheet(options.sheet, DiagnoseOptions.sheet, COMMAND, read)
    if options.sheet:
        ours = os.path.realpath(options.sheet)  # perhaps of an earlier version, in that folder
        listed = [each for each in listed if os.path.realpath(each.entry.file) != ours]
    found = load(listed, faults, options.pictures)
    if found.faults:
        count = f"{len(found.faults):,}"
        say(f"Images that cannot be used: {count}{fault_list(found.faults)}", sys.stderr)
    if not found.pictures:
        raise ValueError(f"{options.folder}: none of its {found.total:,} images can be read")
    return found, sheet


def _read(recognizer: "Recognizer", pictures: Sequence[Picture]) -> list[Line]:
    return recognizer.read([picture.pixels for picture in pictures])


def _seen(
    options: DiagnoseOptions, found: Found, lines: Sequence[Line], nearness: Nearness
) -> Observations:
    pictures = found.pictures
    sizes = [(p.pixels.shape[1], p.pixels.shape[0]) for p in pictures]
    return Observations(
        folder=options.folder,
        sizes=sizes,
        labels=found.all_labels,
        readings=[(line.text, line.confidence) for line in lines],
        ink_height=float(np.median([measure(p.pixels).ink_height for p in pictures])),
        nearness=nearness,
        labelled=[(size, p.label) for size, p in zip(sizes, pictures) if p.label],
        how=tuple(arguments_of(options, LabelOptions)),
    )


def _say_what_was_found(
    found: Found,
    lacking: list[str],
    lines: LinesOfRecipes,
    nearness: Nearness,
    readings: dict[str, list[Line]],
    folder: str,
    fonts: tuple[str, ...],
) -> None:
    """Print the figures: recipes, appearance, confidence, errors."""
    kind = nearness.ranked()[0][0]
    say(report.about(folder, found) + "\n")  # not wrapped: a path stays whole
    parts = [
        f"{report.nearest_table(nearness)}\n\n{report.verdict(nearness)}",
        report.fonts_note(fonts, lacking),
        report.appearance_table(
            [measure(picture.pixels) for picture in found.pictures],
            [measure(pixels) for pixels in lines[kind]],
            kind,
        ),
        report.readings_note(_confidences(readings)),
    ]
    if found.labels:
        parts.append(_errors(found.pictures, readings))
    say(report.wrapped("\n\n".join(part for part in parts if part)))


def _confidences(readings: dict[str, list[Line]]) -> dict[str, float]:
    """The mean confidence of each model."""
    return {
        name: float(np.mean([line.confidence for line in each])) for name, each in readings.items()
    }


def _errors(pictures: Sequence[Picture], readings: dict[str, list[Line]]) -> str:
    """The errors of the smallest model that knows most of the labels' characters."""
    labelled = [(i, p) for i, p in enumerate(pictures) if p.label is not None]
    written = "".join(p.label or "" for _, p in labelled)
    numbers = Alphabet.parse("numbers")
    model = "text" if sum(c not in numbers.ids for c in written) > 0.1 * len(written) else "numbers"
    return report.errors_note(
        [Reading(p.name, p.label or "", readings[model][i]) for i, p in labelled], model
    )


def _say_advice(seen: Observations, fonts: tuple[str, ...], surest: str) -> None:
    """Print what to do next. surest: the model that is the surest of the pictures."""
    advice = advise(seen, fonts)
    step = next_step(seen.folder, len(seen.labels), surest, seen.how)
    notes = "".join(f"\n{report.wrapped(note)}" for note in advice.notes)
    lines = "with generated lines too" if seen.labels else "on generated lines alone"
    say(f"\n{step}\n\nOr choose the options yourself, {lines}:{notes}\n\n{advice.command}\n")


def _sheet(pictures: Sequence[Picture], lines: LinesOfRecipes, nearness: Nearness) -> Image.Image:
    """Some pictures, each beside the line that is most like it."""
    chosen = spread(range(len(pictures)), SHOWN)
    kinds = [nearness.kinds[nearness.nearest[i]] for i in chosen]
    names = [
        f"{each.name}  {visible(each.label)}" if each.label else each.name
        for each in (pictures[i] for i in chosen)
    ]
    similar = [lines[kind][nearness.lines[i]] for i, kind in zip(chosen, kinds)]
    return beside([pictures[i].pixels for i in chosen], names, similar, kinds)
