"""A page to draw on: text and images of lines, each in a place of its own.

Sizes are pixels. Text is measured and cut to its place, so that nothing overlaps whatever it is,
and each of its characters is taken from a font that has it.
"""

import bisect
import io
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image, ImageDraw, ImageFont

from ocr_simple.options import TRDG_FOLDER
from ocr_simple.text import one_line

WIDTH = 1000  # pixels of a page of lines
DEJAVU = Path(get_data_path(), "fonts", "ttf")
FONTS = (
    DEJAVU / "DejaVuSans.ttf",  # Latin, Greek, Cyrillic, Arabic and more
    TRDG_FOLDER / "fonts" / "cn" / "SourceHanSans-Normal.ttf",
    TRDG_FOLDER / "fonts" / "ja" / "TakaoMincho.ttf",
)  # for what the chosen one lacks
TEXT, SMALL, LARGE = 12.5, 9.5, 16.0  # pixels of an em
RIGHT, WRONG, QUIET, EDGE, BLUE = "#1a7f37", "#cf222e", "#6e7781", "#d0d7de", "#0969da"
NOTHING = "∅"


# --- text -----------------------------------------------------------------------------------


def _printable(text: str) -> str:
    """`text` on one line, with escapes for controls and for the stray bytes of file names."""
    return one_line(text).encode(errors="backslashreplace").decode()


def visible(text: str) -> str:
    """`text` with what cannot be seen made visible: no text, controls, stray spaces and accents."""
    text = re.sub(r"^ | $|(?<= ) ", "␣", _printable(text)) or NOTHING
    return f"◌{text}" if unicodedata.combining(text[0]) else text


@cache
def _characters(font: Path) -> frozenset[int]:
    return frozenset(get_font(font).get_charmap())


@cache
def _font_of(character: str, bold: bool, even: bool) -> Path:
    chosen = DEJAVU / f"DejaVuSans{'Mono' * even}{'-Bold' * bold}.ttf"
    return next((f for f in (chosen, *FONTS) if ord(character) in _characters(f)), chosen)


@cache
def _opened(font: Path, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size)


def _runs(
    text: str, size: float = TEXT, bold: bool = False, even: bool = False
) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """`text` in pieces, each with a font that has its characters."""
    fonts = itertools.groupby(text, lambda character: _font_of(character, bold, even))
    return [("".join(run), _opened(font, size)) for font, run in fonts]


def length(text: str, **style: Any) -> float:
    """Pixels from one end of `text` to the other, in the style that `Page.write` takes."""
    return sum(font.getlength(piece) for piece, font in _runs(text, **style))


def shorten(text: str, width: float, **style: Any) -> str:
    """`text`, or as much of its beginning as with an ellipsis is no longer than `width` pixels."""
    if length(text, **style) <= width:
        return text
    fitting = bisect.bisect(
        range(len(text)), width, key=lambda count: length(text[:count] + "…", **style)
    )
    return text[: max(0, fitting - 1)] + "…"


# --- pages ----------------------------------------------------------------------------------


class Page:
    """A white picture to draw on; all measures are pixels, from its upper left corner."""

    def __init__(self, width: float, height: float):
        self.image = Image.new("RGB", (round(width), round(height)), "white")
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self, left: float, middle: float, text: str, color: str = "black", width: float = math.inf,
        align: float = 0.0, **style: Any,
    ) -> None:  # fmt: skip
        """A line of text, cut to `width`, its capitals' middle at `middle`.

        align: 0 if its left end is at `left`, 0.5 if its middle is, 1 if its right end is
        style: `size` of an em, `bold`, `even` for characters of one width
        """
        text = shorten(_printable(text), width, **style)
        left -= align * length(text, **style)
        for piece, font in _runs(text, **style):
            self.draw.text((left, middle + 0.36 * font.size), piece, color, font, anchor="ls")
            left += font.getlength(piece)

    def put(self, image: Image.Image, left: float, top: float) -> None:
        """`image` as large as it is, with an edge around it: white lines need one."""
        left, top = round(left), round(top)
        self.image.paste(image, (left, top))
        box = (left - 1, top - 1, left + image.width, top + image.height)
        self.draw.rectangle(box, outline=EDGE)

    def show(
        self, pixels: np.ndarray, left: float, top: float, width: float, height: float,
        across: float = 0.0, down: float = 0.5,
    ) -> None:  # fmt: skip
        """uint8 `pixels` (rows, columns, 1 or 3) as large as they fit there, aspect kept.

        across, down: 0 to 1, where in the room that is left over
        """
        rows, columns, _ = pixels.shape
        scale = min(width / columns, height / rows)
        image = scaled(pixels, columns * scale, rows * scale)
        spare = width - image.width, height - image.height
        self.put(image, left + across * spare[0], top + down * spare[1])

    def picture(self) -> Image.Image:
        """What has been drawn."""
        return small(self.image)


def scaled(pixels: np.ndarray, width: float, height: float) -> Image.Image:
    """uint8 `pixels` (rows, columns, 1 or 3) in colour and this size, a pixel at least."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    size = max(1, round(width)), max(1, round(height))
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def small(image: Image.Image) -> Image.Image:
    """A page in 256 colours: a quarter of the bytes in a notebook, and no JPEG beside the PNG."""
    picture = image.quantize(method=Image.Quantize.FASTOCTREE)
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    palette[np.asarray(picture)[0, 0]] = 255  # the page's white, which the method makes off white
    picture.putpalette(palette.ravel().tolist())
    return picture


def chart(width: float, height: float) -> Figure:
    """A Matplotlib figure of pixels' size, for what has axes."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    return Figure(figsize=(width / 100, height / 100), dpi=100, layout=layout)


def charted(figure: Figure) -> Image.Image:
    """A figure's picture."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return small(Image.open(content).convert("RGB"))


# --- grids of lines ---------------------------------------------------------------------------


def natural_width(pixels: np.ndarray) -> float:
    """Columns of a line that is drawn 42 rows high."""
    return 42 * pixels.shape[1] / pixels.shape[0]


def columns_for(widths: Iterable[float]) -> int:
    """How many lines to put side by side, if each would like to be `widths` pixels wide."""
    usual = float(np.median([*widths] or [0]))
    return 4 if usual < 300 else 2 if usual < 600 else 1


def grid(count: int, columns: int, height: int) -> tuple[Page, float, list[tuple[float, float]]]:
    """A page for `count` cells of this height, a cell's width, each one's left and top."""
    page, width = Page(WIDTH, height * max(1, -(-count // columns))), WIDTH / columns
    return page, width, [(i % columns * width, i // columns * height) for i in range(count)]
