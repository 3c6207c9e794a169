"""Some generated lines, to look at before a model is trained on them."""

import numpy as np

from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.texts import chosen_alphabet
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

APART = 7  # consecutive lines use consecutive fonts of the list, which often look alike


def draw_line(options: LineOptions, k: int = 0) -> np.ndarray:
    """Pixels of line k that `options` draw, in colour: uint8 (rows, columns, 3).

    Raises LineError for options that cannot be drawn.
    """
    return _stream(options, channels=3)[k][0]


def draw_lines(options: LineOptions, count: int) -> tuple[list[np.ndarray], list[str]]:
    """(pixels, texts) of lines that `options` draw, in fonts from all over the list.

    pixels: uint8 (rows, columns, 1) each. Raises LineError for options that cannot be drawn.
    """
    return _stream(options, channels=1).pixels_and_texts(range(0, count * APART, APART))


def _stream(options: LineOptions, channels: int) -> Lines:
    spec = ModelSpec(chosen_alphabet(options).characters, channels=channels)
    return Lines(options, spec, find_fonts(options.fonts, options.language))
