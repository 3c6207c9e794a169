"""Generated lines of each recipe, to compare pictures with."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from aocr.diagnose.pictures import spread
from ocr_simple.datasets.preview import APART
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.options import DrawingOptions, LineOptions
from ocr_simple.photography.recipes import RECIPES
from ocr_simple.runs.model_files import MADE_FONTS
from ocr_simple.spec import ModelSpec

MODELS = ("numbers", "text")  # between them they were trained on every recipe
COMPARED = tuple(name for name, recipe in RECIPES.items() if not recipe.blank)
FONTS = 40  # of each folder: finding what a font draws takes longer than drawing with it
# What the text is must not matter, so there are both kinds.
TEXTS: tuple[dict[str, Any], ...] = (
    {"alphabet": "numbers", "text_source": "numbers"},
    {"alphabet": "ascii", "text_source": "recipe", "words": 2},
)
# of wheels, and of fonts without letters
DIGITS: dict[str, Any] = {"alphabet": "digits", "text_source": "random"}


def all_fonts(given: tuple[str, ...]) -> tuple[str, ...]:
    """The fonts to compare with: as given; by default also those that make fonts made."""
    if given != DrawingOptions.fonts or not MADE_FONTS.is_dir():
        return given
    return (*given, os.path.relpath(MADE_FONTS))


def few_fonts(fonts: list[str]) -> list[str]:
    """Up to FONTS of each folder, evenly spread."""
    folders: dict[Path, list[str]] = {}
    for font in fonts:
        folders.setdefault(Path(font).parent, []).append(font)
    return [font for each in folders.values() for font in spread(each, FONTS)]


def draw_recipe(name: str, fonts: list[str], count: int, seed: int = 0) -> list[np.ndarray]:
    """`count` lines of a recipe, half of them numbers, half words: uint8 (rows, columns, 1).

    Every line is photographed as the recipe says. Only digits, if the recipe draws wheels or the
    fonts lack other characters. Raises LineError if they lack digits too.
    """
    kinds = (DIGITS, DIGITS) if RECIPES[name].wheels else TEXTS
    halves = count // 2, count - count // 2
    drawn: list[np.ndarray] = []
    for number, (texts, half) in enumerate(zip(kinds, halves)):
        try:
            lines = _lines(name, fonts, texts, seed)
        except LineError:
            lines = _lines(name, fonts, DIGITS, seed)
        first = number * count * APART  # so that two halves of digits differ
        drawn += [lines[first + k * APART][0] for k in range(half)]
    return drawn


def _lines(name: str, fonts: list[str], texts: dict[str, Any], seed: int) -> Lines:
    options = LineOptions(recipe=(name,), photo=1.0, **texts)
    return Lines(options, ModelSpec(options.parsed_alphabet().characters), fonts, seed)
