"""Generated lines of all kinds, to calibrate and to measure networks in 8 bits."""

import numpy as np

from aocr.parity import samples
from ocr_simple import images as imaging
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.options import DrawingOptions, LineOptions
from ocr_simple.spec import ModelSpec

EXAMPLES = 400  # lines that a network in 8 bits is calibrated on
SEED = 5_000_000  # not likely to be the --seed of a training


def lines_for(spec: ModelSpec, fonts: tuple[str, ...] = DrawingOptions.fonts) -> Lines:
    """Lines in a model's alphabet by all recipes. Raises LineError if no font draws it."""
    options = LineOptions(alphabet=spec.alphabet, fonts=fonts, recipe=("mixed", "words"), photo=0.8)
    return Lines(options, spec, find_fonts(fonts), SEED)


def examples(spec: ModelSpec) -> list[np.ndarray]:
    """Lines to measure ranges on; if no font draws the alphabet, the images of parity.py."""
    try:
        return lines_for(spec).pixels_and_texts(range(EXAMPLES))[0]
    except LineError:
        return [imaging.load(each.encoded, spec.channels, warn=False) for each in samples(spec)]
