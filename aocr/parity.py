"""Exports read what the Keras model reads: the lines that both read, and how they are compared."""

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from ocr_simple.drawing.fonts import characters_drawn, find_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet, Line

TOLERANCE = 1e-3  # of a confidence
SEED = 4_000_000  # no training run draws these lines
CHARACTERS = 16  # most of a line that is drawn to compare
Read = Callable[[Sequence[bytes]], list[tuple[str, float]]]


class ExportError(RuntimeError):
    """A model that cannot be exported, or an export that does not read as its model does."""


class Sample(NamedTuple):
    """A line to compare by."""

    name: str
    format: str
    encoded: bytes


class Parity(NamedTuple):
    """How an export reads, beside the Keras model."""

    lines: int
    same: int  # texts
    difference: float  # the largest of a confidence, where the texts are the same


def samples(spec: ModelSpec) -> list[Sample]:
    """Lines of all widths in every format and colour, from a seed; some with nothing on them."""
    rng = np.random.default_rng(SEED)
    fonts = find_fonts(("matplotlib", "trdg"))
    known = Alphabet(spec.alphabet).characters.replace(" ", "")
    found = []
    for number, (name, encode) in enumerate(_ENCODERS * 3):
        font = fonts[int(rng.integers(len(fonts)))]
        characters = characters_drawn(font, known) or "0123456789"
        length = 1 + number % CHARACTERS if number % 8 else 3 * CHARACTERS
        text = "".join(characters[i] for i in rng.integers(len(characters), size=length))
        colour = "#{:02x}{:02x}{:02x}".format(*rng.integers(0, 120, 3))
        size = (16, 32, 57, 120)[number % 4]
        options = LineOptions(size=size, margins=(2, 2, 2, 2), text_color=colour)
        drawn = draw(text, font, options, number)
        if drawn is None:
            continue
        picture = drawn.convert("RGB")
        if number % 3 == 0:  # light on dark
            picture = Image.fromarray(255 - np.asarray(picture))
        found.append(Sample(f"{name} {number}", *encode(picture)))
    blank = Image.new("RGB", (60, 20), "#c0c0c0")
    dot = Image.new("RGB", (1, 1), "white")
    noise = Image.fromarray(rng.integers(0, 256, (40, 200, 3), np.uint8))
    for name, picture in (("blank", blank), ("a pixel", dot), ("noise", noise)):
        found.append(Sample(name, *_as("png")(picture)))
    return found


def _as(form: str, mode: str = "RGB", **options: Any) -> Callable[[Image.Image], tuple[str, bytes]]:
    def encode(picture: Image.Image) -> tuple[str, bytes]:
        file = io.BytesIO()
        picture.convert(mode).save(file, form, **options)
        return form, file.getvalue()

    return encode


def _transparent(picture: Image.Image) -> tuple[str, bytes]:
    """Ink with the paper left out: what is drawn on white shows through."""
    ink = picture.convert("L").point(lambda level: 255 - level)
    painted = Image.merge("RGBA", (*picture.split(), ink))
    return _as("png", "RGBA")(painted)


def _sixteen_bits(picture: Image.Image) -> tuple[str, bytes]:
    file = io.BytesIO()
    levels = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(file, "tiff")
    return "tiff", file.getvalue()


def _turned(picture: Image.Image) -> tuple[str, bytes]:
    """Lying on its side, and an EXIF block that says so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return "exif", _as("jpeg", exif=exif)(picture.transpose(Image.Transpose.ROTATE_90))[1]


_ENCODERS = (
    ("grey PNG", _as("png", "L")),
    ("colour PNG", _as("png")),
    ("PNG of two levels", _as("png", "1")),
    ("PNG with a palette", _as("png", "P")),
    ("transparent PNG", _transparent),
    ("colour JPEG", _as("jpeg", quality=75)),
    ("grey JPEG", _as("jpeg", "L", quality=60)),
    ("progressive JPEG", _as("jpeg", progressive=True, subsampling=0)),
    ("BMP", _as("bmp")),
    ("GIF", _as("gif", "L")),
    ("WebP", _as("webp", lossless=True)),
    ("TIFF of 16 bits", _sixteen_bits),
    ("JPEG on its side", _turned),
)


def compare(
    expected: list[Line], found: list[tuple[str, float]], lines: list[Sample], exact: bool
) -> Parity:
    """How alike they are. If not, and they should be `exact`, raises ExportError for the worst."""
    off = [
        abs(line.confidence - confidence) if line.text == text else np.inf
        for line, (text, confidence) in zip(expected, found, strict=True)
    ]
    same = [difference for difference in off if difference < np.inf]
    worst = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
    if exact and not off[worst] <= TOLERANCE:
        line, (text, confidence) = expected[worst], found[worst]
        raise ExportError(
            f"does not read as the Keras model: {len(off) - len(same)} of {len(off)} texts differ; "
            f"{lines[worst].name}: {text!r} ({confidence:.5f}) instead of {line.text!r} "
            f"({line.confidence:.5f})"
        )
    return Parity(len(off), len(same), max(same, default=0.0))
