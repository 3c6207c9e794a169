"""A page to draw on: text and images of lines, each in its place.

Sizes are in pixels. Text is measured and cut to the width of its place, so that nothing overlaps,
and each character is drawn in a font that has it.
"""

import bisect
import contextlib
import itertools
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.font_manager import findSystemFonts, get_font
from PIL import Image, ImageColor, ImageDraw, ImageFont

from ocr_simple import images as imaging
from ocr_simple.messages import printable
from ocr_simple.options import TRDG_FOLDER
from ocr_simple.right_to_left import is_right_to_left

WIDTH = 1000  # pixels of a page of lines
DEJAVU = Path(get_data_path(), "fonts", "ttf")
FALLBACK_FONTS = (  # for characters that the chosen font lacks, before those of the system
    DEJAVU / "DejaVuSans.ttf",  # Latin, Greek, Cyrillic, Arabic and more
    TRDG_FOLDER / "fonts" / "cn" / "SourceHanSans-Normal.ttf",
    TRDG_FOLDER / "fonts" / "ja" / "TakaoMincho.ttf",
)
TEXT, SMALL, LARGE = 12.5, 9.5, 16.0  # pixels of an em
RIGHT, WRONG, QUIET, EDGE, BLUE = "#1a7f37", "#cf222e", "#6e7781", "#d0d7de", "#0969da"


# --- text -----------------------------------------------------------------------------------


@cache
def _characters_of(font: Path) -> frozenset[int]:
    return frozenset(get_font(font).get_charmap())


@cache
def _system_fonts() -> list[Path]:
    """The fonts of the system, upright ones of regular weight first."""
    files = [file for file in findSystemFonts() if "Emoji" not in file]  # they are bitmaps
    styles = ("Bold", "Black", "Thin", "Light", "Italic", "Oblique")
    return [Path(f) for f in sorted(files, key=lambda f: (any(s in f for s in styles), f))]


@cache
def _font_for(character: str, bold: bool, mono: bool) -> Path:
    chosen = DEJAVU / f"DejaVuSans{'Mono' * mono}{'-Bold' * bold}.ttf"
    for font in itertools.chain((chosen, *FALLBACK_FONTS), _system_fonts()):
        with contextlib.suppress(OSError, RuntimeError):  # it is damaged
            if ord(character) in _characters_of(font):
                return font
    return chosen


@cache
def _open_font(font: Path, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size)


def _split_by_font(
    text: str, size: float = TEXT, bold: bool = False, mono: bool = False
) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """`text` in pieces, each with a font that has its characters; right-to-left text in one."""
    if is_right_to_left(text):
        chosen = DEJAVU / f"DejaVuSans{'-Bold' * bold}.ttf"
        return [(text, _open_font(chosen, size))]
    runs = itertools.groupby(text, lambda character: _font_for(character, bold, mono))
    return [("".join(run), _open_font(font, size)) for font, run in runs]


def text_width(text: str, **style: Any) -> float:
    """The width of `text` in the style that `Page.write` takes."""
    return sum(font.getlength(piece) for piece, font in _split_by_font(text, **style))


def shorten(text: str, width: float, **style: Any) -> str:
    """`text`, or as much of its beginning as fits into `width` with an ellipsis."""
    if text_width(text, **style) <= width:
        return text
    fitting = bisect.bisect(
        range(len(text)), width, key=lambda count: text_width(text[:count] + "…", **style)
    )
    return text[: max(0, fitting - 1)] + "…"


# --- images -----------------------------------------------------------------------------------


def scaled(pixels: np.ndarray, width: float, height: float) -> Image.Image:
    """uint8 `pixels` (rows, columns, 1 or 3) as an RGB image of this size, at least 1 x 1."""
    image = imaging.as_picture(pixels)
    size = max(1, round(width)), max(1, round(height))
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def blend(color: str, share: np.ndarray | float, over: np.ndarray | int = 255) -> np.ndarray:
    """uint8 RGB of a share, 0 to 1, of `color` over other pixels, by default white ones."""
    share = np.asarray(share, np.float32)[..., None]
    return np.round(over + share * (np.array(ImageColor.getrgb(color)) - over)).astype(np.uint8)


def with_palette(image: Image.Image) -> Image.Image:
    """A page in 256 colours: a notebook stores it in a quarter of the bytes, without a JPEG."""
    picture = image.quantize(method=Image.Quantize.FASTOCTREE)
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    palette[np.asarray(picture)[0, 0]] = 255  # white, which the method makes off-white
    picture.putpalette(palette.ravel().tolist())
    return picture


# --- pages ----------------------------------------------------------------------------------


class Page:
    """A white picture to draw on. Positions are in pixels from its upper left corner."""

    def __init__(self, width: float, height: float):
        self.image = Image.new("RGB", (round(width), round(height)), "white")
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self, left: float, middle: float, text: str, color: str = "black", width: float = math.inf,
        align: float = 0.0, **style: Any,
    ) -> None:  # fmt: skip
        """Write one line of text, cut to `width`, with its capitals centred on row `middle`.

        align: the text's left end is at `left` for 0, its middle for 0.5, its right end for 1
        style: `size` of an em, `bold`, `mono` for characters of equal width
        """
        text = shorten(printable(text), width, **style)
        left -= align * text_width(text, **style)
        for piece, font in _split_by_font(text, **style):
            self.draw.text((left, middle + 0.36 * font.size), piece, color, font, anchor="ls")
            left += font.getlength(piece)

    def put(self, image: Image.Image, left: float, top: float) -> None:
        """Paste `image` in its size, with a border, which white images need."""
        left, top = round(left), round(top)
        self.image.paste(image, (left, top))
        box = (left - 1, top - 1, left + image.width, top + image.height)
        self.draw.rectangle(box, outline=EDGE)

    def put_scaled(
        self, pixels: np.ndarray, left: float, top: float, width: float, height: float,
        across: float = 0.0, down: float = 0.5,
    ) -> None:  # fmt: skip
        """Paste uint8 `pixels` (rows, columns, 1 or 3) as large as they fit, aspect kept.

        across, down: the share of the remaining space, 0 to 1, that is left of and above them
        """
        rows, columns, _ = pixels.shape
        scale = min(width / columns, height / rows)
        image = scaled(pixels, columns * scale, rows * scale)
        spare = width - image.width, height - image.height
        self.put(image, left + across * spare[0], top + down * spare[1])

    def picture(self) -> Image.Image:
        """The page as it is now, in 256 colours."""
        return with_palette(self.image)


# --- grids of lines ---------------------------------------------------------------------------


def natural_width(pixels: np.ndarray) -> float:
    """The width of a line that is drawn 42 rows high."""
    return 42 * pixels.shape[1] / pixels.shape[0]


def columns_for(widths: Iterable[float]) -> int:
    """How many lines to draw side by side, by the median of their natural widths."""
    usual = float(np.median([*widths] or [0]))
    return 4 if usual < 300 else 2 if usual < 600 else 1


def grid(
    count: int, columns: int, height: int, top: int = 0
) -> tuple[Page, float, list[tuple[float, float]]]:
    """(a page for `count` cells of this height, the width of a cell, each cell's left and top).

    top: pixels above the cells.
    """
    page, width = Page(WIDTH, top + height * max(1, -(-count // columns))), WIDTH / columns
    return page, width, [(i % columns * width, top + i // columns * height) for i in range(count)]
