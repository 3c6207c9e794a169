"""What a font file holds: read here, for fonts.py, by two libraries in C and Python.

A damaged font raises errors of many types in them, and a hostile one keeps them busy for minutes or
fills the memory. Every error becomes a `FontError`; time and memory are limited by the process that
fonts.py calls these functions in.
"""

import logging
import string

import numpy as np
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageFont

from ocr_simple.errors import FontError
from ocr_simple.local_files import LFS_MESSAGE, LFS_POINTER, FileRefused, open_regular
from ocr_simple.messages import reason_of

FEW = 40  # characters by which a font is tried, besides those of ASCII
ODD_SIZE = 37  # no bitmap font has it
WIDEST = 5  # a character's width in sizes of its font; a three-em dash has 3
MAX_BYTES = 256 << 20  # of a file; the largest fonts for Chinese have half of it
# Small letters that look different from their capitals, except in fonts of small capitals.
DISTINCT_LETTERS = "abdeghnqrt"

logging.getLogger("fontTools").setLevel(logging.CRITICAL)  # what matters, it raises


def check_font(font: str) -> None:
    """Raise FontError for a font file that cannot be drawn with. The message is the reason."""
    try:
        _check_bytes(font)
        mapped = _mapped_characters(font)
        face = ImageFont.truetype(font, ODD_SIZE)
        shown = sorted(c for c in mapped if c.isprintable() and not c.isspace())
        few = mapped.intersection(string.printable.strip()).union(shown[:: len(shown) // FEW + 1])
        inked = [_has_ink(face, c) for c in sorted(few)]  # of all: a damaged one raises an error
        if not any(inked):
            raise FontError(
                "has no outlines to draw: a bitmap or colour font, or one without characters"
            )
        if all(_is_too_wide(face, c) for c in few):
            raise FontError(f"its characters are over {WIDEST} times as wide as high")
    except FontError:
        raise
    except ImportError as error:
        raise FontError(
            "a WOFF2 font, which needs the package brotli: python -m pip install brotli"
        ) from error
    except Exception as error:  # fontTools, FreeType, zlib and brotli raise many kinds
        if "invalid pixel size" in str(error):
            raise FontError("has bitmaps of fixed sizes only, and no outlines") from error
        raise FontError(f"not a font, or damaged ({reason_of(error)})") from error


def find_drawn(font: str, characters: str) -> str:
    """Those of `characters` that a font draws: see `fonts.characters_drawn`. Raises FontError."""
    try:
        _check_bytes(font)
        mapped = _mapped_characters(font)
        face = ImageFont.truetype(font, 32)
        drawn = {c for c in characters if c in mapped and _is_drawn(face, c)}
        letters = set(DISTINCT_LETTERS + DISTINCT_LETTERS.upper())
        small_capitals = letters <= drawn and _has_small_capitals(face)
        ambiguous = {
            c
            for c in drawn
            if c.upper() != c
            and c.upper() in drawn
            and (small_capitals or _are_identical(face, c, c.upper()))
        }
        return "".join(c for c in characters if c in drawn and c not in ambiguous)
    except FontError:
        raise
    except Exception as error:  # as above
        raise FontError(reason_of(error)) from error


def _check_bytes(font: str) -> None:
    """Raise FontError for a file that is no font by its kind, size or first bytes; OSError."""
    try:
        with open_regular(font) as (file, size):
            start = file.read(len(LFS_POINTER))
    except FileRefused as error:
        raise FontError("a folder, pipe or device, not a file") from error
    if size > MAX_BYTES:
        raise FontError(f"over {MAX_BYTES:,} bytes")
    if start == LFS_POINTER:
        raise FontError(LFS_MESSAGE)


def _mapped_characters(font: str) -> set[str]:
    """The characters for which a font file names a glyph. Raises errors of any type."""
    collection = font.lower().endswith((".ttc", ".otc"))
    face = TTCollection(font).fonts[0] if collection else TTFont(font, lazy=True)
    return set(map(chr, face.getBestCmap() or {}))


def _has_ink(face: ImageFont.FreeTypeFont, character: str) -> bool:
    return face.getmask(character).getbbox() is not None


def _is_too_wide(face: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the ink of a character, or the room that it takes in a line, is huge."""
    return face.getmask(character).size[0] > WIDEST * face.size


def _is_drawn(face: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether a character is a space or has ink, and is neither too wide nor damaged."""
    try:
        mask = face.getmask(character)
    except Exception:  # FreeType and Pillow raise several kinds
        return False
    return mask.size[0] <= WIDEST * face.size and (character == " " or mask.getbbox() is not None)


def stretched_ink(face: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """A character's ink, stretched: float64 (24, 24)."""
    mask = face.getmask(character)
    ink = Image.frombytes("L", mask.size, bytes(mask)) if mask.size[0] else Image.new("L", (1, 1))
    return np.asarray(ink.resize((24, 24), box=ink.getbbox()), np.float64)


def _has_small_capitals(face: ImageFont.FreeTypeFont) -> bool:
    """Whether a font's small letters look like its capitals, when stretched to the same size.

    Measured by the mean correlation of ten pairs: under 0.55 in over 400 other fonts, and over 0.65
    in fonts of small capitals.
    """
    pairs = (
        (stretched_ink(face, c).ravel(), stretched_ink(face, c.upper()).ravel())
        for c in DISTINCT_LETTERS
    )
    with np.errstate(invalid="ignore", divide="ignore"):  # of forms that are all ink
        alike = [np.corrcoef(small, capital)[0, 1] for small, capital in pairs]
    return float(np.mean(alike)) > 0.6


def _are_identical(face: ImageFont.FreeTypeFont, first: str, second: str) -> bool:
    """Whether a font draws two characters exactly alike."""
    one, other = face.getmask(first), face.getmask(second)
    return (one.size, bytes(one)) == (other.size, bytes(other))
