"""`train.py --preview`: shows what a run would be trained on, before it starts.

Forty generated lines; with --dataset, beside forty of its images. With --dataset and without
--mix-generated, only its images, as training varies them. No network is built, so this takes
seconds.
"""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.crops import in_kept_box, kept_box
from ocr_simple.datasets.entries import Entry, Fault, check_outside, fault_list
from ocr_simple.datasets.preview import APART
from ocr_simple.datasets.usable_images import select_usable
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.texts import characters_of
from ocr_simple.messages import visible
from ocr_simple.options import TrainOptions
from ocr_simple.reports import pictures
from ocr_simple.reports.canvas import LARGE, WIDTH, Page, columns_for, natural_width, with_palette
from ocr_simple.reports.sheet import is_made_by, write_sheet
from ocr_simple.runs.config import with_auto_alphabet
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import ModelSpec, read_spec

FILE = Path("preview.png")  # in the current folder
COUNT = 40
HEADING = 44  # rows of pixels above the lines

Part = tuple[str, list[np.ndarray], list[str]]  # heading, pixels and text of each line


def run(options: TrainOptions, command: str) -> int:
    """Draw the lines and print where they are. Returns the exit status: 1 if images are left out.

    command: its name, for messages. It ends with a message and 2 if nothing can be drawn.
    """
    try:
        _check_replaceable(options, command)
        parts, faults = _parts(options)
        if faults:
            say(f"Images that cannot be used: {len(faults):,}{fault_list(faults)}", sys.stderr)
        write_sheet(_picture(parts), FILE, command)
    except (ValueError, OSError) as error:
        say(f"{command}: {error}", sys.stderr)
        return 2
    shown = " beside ".join(heading for heading, _, _ in parts)
    say(f"Wrote {FILE}: {shown}. Nothing was trained; run without --preview to train")
    return 1 if faults else 0


def _check_replaceable(options: TrainOptions, command: str) -> None:
    """Raise ValueError if the picture cannot be written, or would replace a user's file."""
    storage.check_writable(Path.cwd(), "--preview")
    if os.path.lexists(FILE) and not is_made_by(command, FILE):
        raise ValueError(
            f"{FILE}: already exists and was not written by {command} --preview, so it is not "
            "overwritten; rename it, or run the command in another folder"
        )
    for dataset in options.dataset:
        if not storage.url_of(dataset):
            check_outside(FILE, dataset)


# --- lines ------------------------------------------------------------------------------------


def _parts(options: TrainOptions) -> tuple[list[Part], list[Fault]]:
    """(what is shown side by side, rows of the data set that cannot be used)."""
    found = labelled.find_all_entries(options.dataset, options)
    found = in_kept_box(found, kept_box(options.crops), say)
    spec = _spec(options, found)
    if not options.dataset:
        return [_generated(options, spec)], []
    count = min(COUNT, len(found))
    some = [found[i * len(found) // count] for i in range(count)]  # evenly spread over all
    limits = options.max_width, options.max_height
    entries, faults = select_usable(some, spec, *limits, skip_bad=True)
    first = _generated(options, spec) if options.mix_generated else _varied(options, spec, entries)
    images = [labelled.load_example(entry, spec)[0] for entry in entries]
    texts = [entry.label for entry in entries]
    return [first, (f"{len(entries)} of your images", images, texts)], faults


def _spec(options: TrainOptions, found: Sequence[Entry | Fault]) -> ModelSpec:
    """What the model would be, as far as lines depend on it."""
    spec = options.spec()
    if options.init_from:
        start = read_spec(find_model(options.init_from))
        alphabet = start.alphabet if options.alphabet == "auto" else spec.alphabet
        spec = dataclasses.replace(start, alphabet=alphabet)
    if options.alphabet != "auto":
        return spec
    labels = labelled.characters_of_labels(list(found)) if options.dataset else ""
    drawn = characters_of(options) if options.mix_generated or not options.dataset else ""
    return with_auto_alphabet(spec, options, labels + drawn)


def _generated(options: TrainOptions, spec: ModelSpec) -> Part:
    """Lines of the training's stream, in fonts from all over the list."""
    fonts, _ = split_fonts(find_fonts(options.fonts, options.language), options.held_out)
    lines = Lines(options, spec, fonts, options.seed)
    places = range(0, COUNT * APART, APART)
    return f"{COUNT} generated lines", *lines.pixels_and_texts(places)


def _varied(options: TrainOptions, spec: ModelSpec, entries: list[Entry]) -> Part:
    """The images as training varies them, in the same order."""
    lines = (
        labelled.LabelledLines([entry], spec, options.seed, options)[k]
        for k, entry in enumerate(entries)
    )
    pixels, texts, _ = zip(*lines)
    return "the images as training varies them (no --mix-generated)", list(pixels), list(texts)


# --- the picture ------------------------------------------------------------------------------


def _picture(parts: list[Part]) -> Image.Image:
    """The parts side by side, each under its heading."""
    columns = min(columns_for(map(natural_width, pixels)) for _, pixels, _ in parts)
    columns = min(columns, 2) if len(parts) > 1 else columns
    drawn = [
        pictures.lines(pixels, [visible(text) for text in texts], columns)
        for _, pixels, texts in parts
    ]
    page = Page(WIDTH * len(parts), HEADING + max(each.height for each in drawn))
    for i, (each, (heading, _, _)) in enumerate(zip(drawn, parts)):
        page.write(i * WIDTH + 8, HEADING / 2, heading, size=LARGE, bold=True, width=WIDTH - 16)
        page.image.paste(each.convert("RGB"), (i * WIDTH, HEADING))
    return with_palette(page.image)
