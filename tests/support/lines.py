"""Generated lines, and the fonts to draw them with."""

from pathlib import Path

from ocr_simple.datasets.batches import Batch, collate
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

FONTS = find_fonts(("trdg",))


def font_named(name: str) -> str:
    """The file of one of trdg's fonts."""
    return next(font for font in FONTS if Path(font).name == name)


OPEN_SANS = font_named("OpenSans-Regular.ttf")


def batch(count: int, spec: ModelSpec, **options) -> Batch:
    """({"image", "width"}, y) of the first `count` lines that are drawn with `options`."""
    stream = Lines(LineOptions(**options), spec, FONTS)
    return collate([stream[k] for k in range(count)], stream)
