"""Fonts: which files there are, and which characters each of them draws.

`--fonts` takes the names of two packages that come with fonts, font files, and folders. Files in a
folder that are no outline fonts are left out, and named once. Fonts in a folder named `receipt`,
`display` or `handwriting` are for the recipe of that name: see photography/recipes.py.
"""

import functools
import importlib.util
import logging
import struct
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageFont

from ocr_simple.errors import LineError
from ocr_simple.options import TRDG_FOLDER
from ocr_simple.storage import LFS_POINTER, is_system_file
from ocr_simple.text import first_ten

MATPLOTLIB_FOLDER = Path(str(importlib.util.find_spec("matplotlib").origin)).parent  # type: ignore[union-attr]
FONT_EXTENSIONS = {".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2"}
FEW = 40  # characters by which a font is tried
ODD_SIZE = 37  # no bitmap font has it
# Families of matplotlib's fonts that hold letters and digits, and no symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")
# Small letters that look different from their capitals, except in fonts of small capitals.
DISTINCT_LETTERS = "abdeghnqrt"

# What fontTools raises for damaged tables, besides its TTLibError
DAMAGES = (AttributeError, AssertionError, IndexError, KeyError, ValueError, struct.error)

log = logging.getLogger("ocr_simple")
logging.getLogger("fontTools").setLevel(logging.CRITICAL)  # what matters, it raises


def _matplotlib_fonts() -> list[str]:
    """The text fonts of matplotlib, which is not imported for them: that takes time and memory."""
    folder = MATPLOTLIB_FOLDER / "mpl-data" / "fonts" / "ttf"
    return sorted(str(p) for name in MATPLOTLIB_TEXT for p in folder.glob(f"{name}*.ttf"))


def _trdg_folder(language: str) -> Path:
    """The folder of trdg's fonts for a language; the Latin ones if it has none."""
    folder = TRDG_FOLDER / "fonts" / language
    return folder if folder.is_dir() else TRDG_FOLDER / "fonts" / "latin"


def _mapped_characters(font: str) -> set[str]:
    """The characters for which a font file names a glyph.

    Raises TTLibError, OSError, DAMAGES, and ImportError for WOFF2 without brotli.
    """
    collection = font.lower().endswith((".ttc", ".otc"))
    face = TTCollection(font).fonts[0] if collection else TTFont(font, lazy=True)
    return set(map(chr, face.getBestCmap() or {}))


def _has_ink(face: ImageFont.FreeTypeFont, character: str) -> bool:
    return face.getmask(character).getbbox() is not None


@functools.lru_cache(maxsize=4096)
def why_unusable(font: str) -> str | None:
    """Why a font file cannot be drawn with, or None if it can."""
    try:
        mapped = _mapped_characters(font)
        face = ImageFont.truetype(font, ODD_SIZE)
        shown = sorted(c for c in mapped if c.isprintable() and not c.isspace())
        few = shown[:: max(1, len(shown) // FEW)]
        if not any(_has_ink(face, c) for c in few):
            return "has no outlines to draw: a bitmap or colour font, or one without characters"
    except ImportError:
        return "a WOFF2 font, which needs the package brotli: python -m pip install brotli"
    except (OSError, TTLibError, *DAMAGES) as error:
        with open(font, "rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return "a Git LFS pointer, not the font itself: fetch it with git lfs pull"
        if "invalid pixel size" in str(error):
            return "has bitmaps of fixed sizes only, and no outlines"
        return f"not a font, or damaged ({error})"
    return None


def _files_in(folder: Path) -> list[str]:
    files = (p for p in folder.rglob("*") if p.suffix.lower() in FONT_EXTENSIONS)
    return [str(p) for p in sorted(files) if not is_system_file(p.relative_to(folder))]


def _fonts_in(folder: Path) -> list[str]:
    """The usable fonts in a folder; the others are named in a warning."""
    faults = {font: why_unusable(font) for font in _files_in(folder)}
    left_out = tuple((font, fault) for font, fault in faults.items() if fault)
    if left_out:
        _warn(left_out)
    return [font for font, fault in faults.items() if not fault]


@functools.lru_cache(maxsize=1024)  # so that it warns once
def _warn(left_out: tuple[tuple[str, str], ...]) -> None:
    rows = [f"{font}: {fault}" for font, fault in left_out]
    log.warning("%d font files left out:%s", len(rows), first_ten(rows))


def find_fonts(sources: tuple[str, ...], language: str = "en") -> list[str]:
    """Font files of `trdg`, `matplotlib`, files and folders, each once; sorted within a source.

    Folders are searched with their subfolders; what cannot be used in them is left out with a
    warning. Raises LineError for a source without fonts, and for a file that cannot be used.
    """
    fonts: list[str] = []
    for source in sources:
        path = _trdg_folder(language) if source == "trdg" else Path(source).expanduser()
        if source == "matplotlib":
            found = _matplotlib_fonts()
        elif path.is_file():
            if fault := why_unusable(str(path)):
                raise LineError(f"--fonts {source!r}: {fault}; leave it out of --fonts")
            found = [str(path)]
        else:
            found = _fonts_in(path) if source != "trdg" else _files_in(path)
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
    except (OSError, TTLibError, ImportError, *DAMAGES) as error:
        raise LineError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error
