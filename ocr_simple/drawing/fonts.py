"""Fonts: which files there are, and which characters each of them draws.

`--fonts` takes the names of two packages that come with fonts, font files, and folders. Fonts in a
folder named `receipt`, `display` or `handwriting` are for the recipe of that name: see
photography/recipes.py.
"""

import functools
import importlib.util
import logging
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageFont

from ocr_simple.errors import LineError
from ocr_simple.options import TRDG_FOLDER

MATPLOTLIB_FOLDER = Path(str(importlib.util.find_spec("matplotlib").origin)).parent  # type: ignore[union-attr]
FONT_EXTENSIONS = {".ttf", ".otf", ".ttc", ".woff"}
# Families of matplotlib's fonts that hold letters and digits, and no symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")
# Small letters that look different from their capitals, except in fonts of small capitals.
DISTINCT_LETTERS = "abdeghnqrt"

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of tables that are not used here


def _matplotlib_fonts() -> list[str]:
    """The text fonts of matplotlib, which is not imported for them: that takes time and memory."""
    folder = MATPLOTLIB_FOLDER / "mpl-data" / "fonts" / "ttf"
    return sorted(str(p) for name in MATPLOTLIB_TEXT for p in folder.glob(f"{name}*.ttf"))


def _trdg_folder(language: str) -> Path:
    """The folder of trdg's fonts for a language; the Latin ones if it has none."""
    folder = TRDG_FOLDER / "fonts" / language
    return folder if folder.is_dir() else TRDG_FOLDER / "fonts" / "latin"


def find_fonts(sources: tuple[str, ...], language: str = "en") -> list[str]:
    """Font files of `trdg`, `matplotlib`, files and folders, each once; sorted within a source.

    Folders are searched with their subfolders. Raises LineError for a source without fonts.
    """
    fonts: list[str] = []
    for source in sources:
        path = _trdg_folder(language) if source == "trdg" else Path(source).expanduser()
        if source == "matplotlib":
            found = _matplotlib_fonts()
        elif path.is_file():
            found = [str(path)]
        else:
            files = (p for p in path.rglob("*") if p.suffix.lower() in FONT_EXTENSIONS)
            found = list(map(str, sorted(files)))
        if not found:
            raise LineError(
                f"--fonts {source!r}: no font file there; give trdg, matplotlib, a font file, "
                "or a folder that holds some"
            )
        fonts += found
    return list(dict.fromkeys(fonts))


def split_fonts(fonts: list[str], held_out: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Fonts for training and for validation, by the beginnings of their file names.

    If no font is held out, or `held_out` is "none", both get all of them. Raises LineError if no
    font is left for training.
    """
    beginnings = () if held_out == ("none",) else held_out
    held = [font for font in fonts if Path(font).name.startswith(beginnings)]
    rest = [font for font in fonts if font not in set(held)]
    if not rest:
        raise LineError("every font is held out; give more --fonts, or fewer --held-out")
    return rest, held or rest


def _mapped_characters(font: str) -> set[str]:
    """The characters for which a font file names a glyph. Raises TTLibError, OSError."""
    collection = font.lower().endswith(".ttc")
    face = TTCollection(font).fonts[0] if collection else TTFont(font, lazy=True)
    return set(map(chr, face.getBestCmap() or {}))


def _form(face: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """A character's ink, stretched to 24 x 24 pixels: float64 (576,)."""
    mask = face.getmask(character)
    ink = Image.frombytes("L", mask.size, bytes(mask))
    return np.asarray(ink.resize((24, 24), box=ink.getbbox()), np.float64).ravel()


def _has_small_capitals(face: ImageFont.FreeTypeFont) -> bool:
    """Whether a font's small letters look like its capitals, when stretched to the same size.

    Measured by the mean correlation of ten pairs: under 0.55 in over 400 other fonts, and over 0.65
    in fonts of small capitals.
    """
    pairs = ((_form(face, c), _form(face, c.upper())) for c in DISTINCT_LETTERS)
    return float(np.mean([np.corrcoef(small, capital)[0, 1] for small, capital in pairs])) > 0.6


def _has_ink(face: ImageFont.FreeTypeFont, character: str) -> bool:
    return face.getmask(character).getbbox() is not None


def _look_alike(face: ImageFont.FreeTypeFont, first: str, second: str) -> bool:
    """Whether a font draws two characters exactly alike."""
    one, other = face.getmask(first), face.getmask(second)
    return (one.size, bytes(one)) == (other.size, bytes(other))


@functools.lru_cache(maxsize=4096)
def characters_drawn(font: str, characters: str) -> str:
    """Those of `characters` that a font draws: with ink, and unlike their capitals.

    A small letter that looks like its capital does not count if both are asked for: nobody could
    tell them apart. Raises LineError for a file that cannot be used.
    """
    try:
        mapped = _mapped_characters(font)
        face = ImageFont.truetype(font, 32)
        drawn = [c for c in characters if c in mapped and (c == " " or _has_ink(face, c))]
        letters = set(DISTINCT_LETTERS + DISTINCT_LETTERS.upper())
        small_capitals = letters <= mapped & set(characters) and _has_small_capitals(face)
        ambiguous = {
            c
            for c in drawn
            if c.upper() != c
            and c.upper() in characters
            and (small_capitals or _look_alike(face, c, c.upper()))
        }
        return "".join(c for c in drawn if c not in ambiguous)
    except (OSError, TTLibError, KeyError, AttributeError) as error:
        raise LineError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error
