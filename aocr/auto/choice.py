"""What `--auto` chooses for some labelled pictures: the model to start from, recipes, texts."""

import os
import shlex
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from aocr.diagnose.advice import Advice
from aocr.diagnose.recipe_lines import COMPARED, all_fonts, draw_recipe, few_fonts
from ocr_simple.command_line import arguments_of
from ocr_simple.datasets.batches import Example
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.options import DrawingOptions, TextOptions, TrainOptions
from ocr_simple.photography.mixtures import Mix, has_own_fonts
from ocr_simple.photography.nearness import Nearness, compare
from ocr_simple.reports.metrics import Reading, rates_of
from ocr_simple.runs.model_files import MADE_FONTS, PRETRAINED
from ocr_simple.spec import read_spec
from ocr_simple.text import Alphabet, unique_characters

LINES = 100  # of each recipe, to compare the pictures with
SURE_OF_ALPHABET = 8  # times that a character of the labels was seen, on average
TEXTS = 4000  # generated ones
TEXT_FIELDS = {field.name for field in fields(TextOptions)} - {"alphabet"}

Read = Callable[[str, Sequence[Example]], list[Reading]]  # (model, labelled lines) -> readings


def shipped_models(labels: Iterable[str]) -> list[str]:
    """The shipped models that know the most of the labels' characters."""
    written = Counter("".join(labels))
    unknown = {}
    for file in sorted(PRETRAINED.glob("*.keras")):
        known = Alphabet(read_spec(file).alphabet).ids
        unknown[file.stem] = sum(count for c, count in written.items() if c not in known)
    return [name for name, count in unknown.items() if count == min(unknown.values())]


def best_start(names: Sequence[str], examples: Sequence[Example], read: Read) -> str:
    """The model that reads the most of the examples right; of equals, the most characters."""

    def score(name: str) -> tuple[float, float]:
        readings = read(name, examples)
        exact, cer = rates_of(readings)
        return exact, -cer

    return max(names, key=score)


def alphabet_option(labels: Sequence[str]) -> str:
    """An --alphabet: the labels' characters if there are enough labels to know them all.

    Otherwise auto, which adds those of the model to start from. By Good and Turing, the share of
    characters still unseen is that of the ones that were seen once.
    """
    written = Counter("".join(labels))
    if set(written) <= set(string.digits):
        return "digits"
    complete = min(written.values()) > 1
    enough = written.total() >= SURE_OF_ALPHABET * len(written)
    return unique_characters(sorted(written)) if complete and enough else "auto"


def nearest_recipes(
    pixels: Sequence[np.ndarray], features: Any, fonts: Sequence[str], seed: int
) -> Nearness:
    """Which recipe each picture, uint8 (rows, columns, 1), is nearest to; see `aocr diagnose`."""
    few = few_fonts(find_fonts(all_fonts(tuple(fonts))))
    groups = {name: features(draw_recipe(name, few, LINES, seed)) for name in COMPARED}
    vectors = features(pixels)
    return compare(groups, vectors, features.emphasis(vectors.shape[1]))


def fonts_of(recipes: Sequence[str], given: tuple[str, ...]) -> tuple[str, ...]:
    """The fonts to train with: as given; by default also the folders of the recipes' own kinds."""
    if given != DrawingOptions.fonts or not MADE_FONTS.is_dir():
        return given
    kinds, folders = Mix(recipes, fonts=[]).recipes, []
    for folder in sorted(path for path in MADE_FONTS.iterdir() if path.is_dir()):
        inside = [str(file) for file in folder.iterdir()]
        if any(kind.fonts.patterns and has_own_fonts(kind, inside) for kind in kinds):
            folders.append(os.path.relpath(folder))
    return (*given, *folders)


def uses_texts(given: dict[str, Any]) -> bool:
    """Whether the texts are to be like the labels: no option of the user says what they are."""
    return not TEXT_FIELDS & set(given)


def command_of(options: TrainOptions) -> str:
    """The same training as a command, on several rows."""
    return Advice(arguments_of(options, TrainOptions)).command


def reading_command(folder: Path) -> str:
    """The command that reads with the model in a folder."""
    return f"python inference.py --model {shlex.quote(str(folder))} IMAGE..."
