"""Fonts: which files there are, and which characters each draws."""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageFont

from ocr_simple.errors import DataError
from ocr_simple.options import TRDG_FOLDER

FONT_EXTENSIONS = {".ttf", ".otf", ".ttc", ".woff"}
# Families of matplotlib's fonts that hold letters and digits, not symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")


def find_fonts(sources: tuple[str, ...], language: str = "en") -> list[str]:
    """Font files of `trdg`, `matplotlib`, files and folders (searched through), sorted by source.

    Raises DataError that names a source which is neither, or holds no font.
    """
    fonts: list[str] = []
    for source in sources:
        folder = Path(source).expanduser()
        if source == "trdg":
            folder = TRDG_FOLDER / "fonts" / language
            folder = folder if folder.is_dir() else TRDG_FOLDER / "fonts" / "latin"
        elif source == "matplotlib":
            folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
            fonts += sorted(str(p) for name in MATPLOTLIB_TEXT for p in folder.glob(f"{name}*.ttf"))
            continue
        if folder.is_file():
            found = [folder]
        else:
            found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in FONT_EXTENSIONS)
        if not found:
            raise DataError(
                f"fonts {source!r}: no font file there; give trdg, matplotlib, a font file, "
                "or a folder that holds some"
            )
        fonts += map(str, found)
    return list(dict.fromkeys(fonts))


def split_fonts(fonts: list[str], held_out: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Fonts for training and for validation, by the beginnings of their file names.

    Where nothing is held out, or "none", both get all. Raises DataError where nothing is left to
    train on.
    """
    beginnings = () if held_out == ("none",) else held_out
    held = [font for font in fonts if Path(font).name.startswith(beginnings)]
    rest = [font for font in fonts if font not in set(held)]
    if not rest:
        raise DataError("every font is held out; give more --fonts, or fewer --held-out")
    return rest, held or rest


OWN_FORMS = "abdeghnqrt"  # small letters that look unlike their capitals, but in small capitals


def _has_small_capitals(font: ImageFont.FreeTypeFont) -> bool:
    """Whether a font's small letters look as its capitals do, when both are stretched to one size.

    By the mean correlation of ten pairs: under 0.55 in over 400 other faces, over 0.65 in those.
    """

    def form(character: str) -> np.ndarray:
        mask = font.getmask(character)
        ink = Image.frombytes("L", mask.size, bytes(mask))
        return np.asarray(ink.resize((24, 24), box=ink.getbbox()), np.float64).ravel()

    alike = [np.corrcoef(form(c), form(c.upper()))[0, 1] for c in OWN_FORMS]
    return float(np.mean(alike)) > 0.6


@functools.lru_cache(maxsize=4096)
def characters_drawn(font: str, characters: str) -> str:
    """Those of `characters` for which a font has a glyph of its own, with ink. Raises DataError.

    A small letter that looks as its capital does, where both are asked for, is none of its own;
    nor are those of a font of small capitals.
    """
    try:
        face = (
            TTCollection(font).fonts[0]
            if font.lower().endswith(".ttc")
            else TTFont(font, lazy=True)
        )
        mapped = set(face.getBestCmap() or {})
        drawn = ImageFont.truetype(font, 32)
        known = mapped & set(map(ord, characters))
        both = set(map(ord, OWN_FORMS + OWN_FORMS.upper()))
        small_capitals = both <= known and _has_small_capitals(drawn)

        def has(character: str) -> bool:
            mask = drawn.getmask(character) if ord(character) in mapped else None
            if mask is None or not mask.getbbox():
                return mask is not None and character == " "
            capital = character.upper()
            if capital == character or capital not in characters:
                return True
            if small_capitals:
                return False
            above = drawn.getmask(capital)
            return (mask.size, bytes(mask)) != (above.size, bytes(above))

        return "".join(filter(has, characters))
    except (OSError, TTLibError, KeyError, AttributeError) as error:
        raise DataError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error
