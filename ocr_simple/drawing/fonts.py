"""Fonts: which files there are, and which characters each of them draws.

`--fonts` takes "trdg" and "matplotlib", two packages that contain fonts, and files and folders.
Files in a folder that are not outline fonts are left out, with one warning. A folder that is named
after a recipe holds its fonts: those in `display`, `handwriting`, `sign` and `page` are used by no
other recipe, those in `receipt`, `typewriter` and `nameplate` by few. See photography/recipes.py.
"""

import functools
import importlib.util
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ocr_simple.drawing import font_files
from ocr_simple.errors import FontError, LineError
from ocr_simple.messages import counted, escape_controls, first_ten
from ocr_simple.options import HELD_OUT, TRDG_FOLDER
from ocr_simple.stoppable import StoppableProcess, Stopped
from ocr_simple.storage import is_hidden

MATPLOTLIB_FOLDER = Path(str(importlib.util.find_spec("matplotlib").origin)).parent  # type: ignore[union-attr]
FONT_EXTENSIONS = {".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2"}
# Families of matplotlib's fonts that hold letters and digits, and no symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")

# Limits of a font file, which may be untrusted
SECONDS = 4.0  # of processor time; the largest fonts for Chinese take half a second
PATIENCE = 60.0  # seconds, on a busy computer
MEMORY = 512 << 20  # bytes

T = TypeVar("T")

logger = logging.getLogger("ocr_simple")


def _matplotlib_fonts() -> list[str]:
    """The text fonts of matplotlib, which is not imported for them: that takes time and memory."""
    folder = MATPLOTLIB_FOLDER / "mpl-data" / "fonts" / "ttf"
    return sorted(str(p) for name in MATPLOTLIB_TEXT for p in folder.glob(f"{name}*.ttf"))


def _trdg_folder(language: str) -> Path:
    """The folder of trdg's fonts for a language; the Latin ones if it has none."""
    folder = TRDG_FOLDER / "fonts" / language
    return folder if folder.is_dir() else TRDG_FOLDER / "fonts" / "latin"


# --- font files, read in another process --------------------------------------------------------


_one_at_a_time = threading.Lock()


@functools.cache
def _reader(process: int) -> StoppableProcess:
    """The process that reads fonts for process number `process`; started for the first font."""
    return StoppableProcess(SECONDS, MEMORY, preload=[font_files.__name__])


def _is_shipped(font: str) -> bool:
    """Whether a font came with trdg or matplotlib."""
    return Path(font).is_relative_to(TRDG_FOLDER) or Path(font).is_relative_to(MATPLOTLIB_FOLDER)


def _limited(function: Callable[..., T], font: str, *args: str) -> T:
    """function(font, *args), with limits of time and memory for a font of the user's.

    Raises FontError. A worker process has no limits: its parent has read all of its fonts.
    """
    if _is_shipped(font) or multiprocessing.parent_process() is not None:
        return function(font, *args)
    with _one_at_a_time:
        try:
            return _reader(os.getpid()).run(PATIENCE, function, font, *args)
        except Stopped as error:
            raise FontError(f"cannot be read ({error}); damaged or malicious") from error


@functools.lru_cache(maxsize=4096)
def why_unusable(font: str) -> str | None:
    """Why a font file cannot be drawn with, or None if it can."""
    try:
        _limited(font_files.check_font, font)
    except FontError as error:
        return str(error)
    return None


def _files_in(folder: Path) -> list[str]:
    files = (p for p in folder.rglob("*") if p.suffix.lower() in FONT_EXTENSIONS)
    return [str(p) for p in sorted(files) if not is_hidden(p.relative_to(folder))]


def _fonts_in(folder: Path) -> list[str]:
    """The usable fonts in a folder; the others are named in a warning."""
    faults = {font: why_unusable(font) for font in _files_in(folder)}
    left_out = tuple((font, fault) for font, fault in faults.items() if fault)
    if left_out:
        _warn(left_out)
    return [font for font, fault in faults.items() if not fault]


def _listed(faults: tuple[tuple[str, str], ...]) -> str:
    return first_ten([f"{escape_controls(font)}: {fault}" for font, fault in faults])


@functools.lru_cache(maxsize=1024)  # so that it warns once
def _warn(left_out: tuple[tuple[str, str], ...]) -> None:
    logger.warning("%d font files left out:%s", len(left_out), _listed(left_out))


def find_fonts(sources: tuple[str, ...], language: str = "en") -> list[str]:
    """Font files of `trdg`, `matplotlib`, files and folders, each once; sorted within a source.

    Folders are searched with their subfolders; what cannot be used in them is left out with a
    warning. Raises LineError for a source without fonts, and for a file that cannot be used.
    """
    fonts: list[str] = []
    for source in sources:
        path = _trdg_folder(language) if source == "trdg" else Path(os.path.expanduser(source))
        if source == "matplotlib":
            found = _matplotlib_fonts()
        elif path.is_file():
            if fault := why_unusable(str(path)):
                raise FontError(f"--fonts {source!r}: {fault}; leave it out of --fonts")
            found = [str(path)]
        else:
            found = _fonts_in(path) if source != "trdg" else _files_in(path)
        if not found:
            files = _files_in(path) if path.is_dir() else []
            what = f"none of its {counted(len(files), 'font file')} can be used"
            raise LineError(
                f"--fonts {source!r}: {what if files else 'no font file there'}; give trdg, "
                "matplotlib, a font file, or a folder that holds some"
            )
        fonts += found
    return list(dict.fromkeys(fonts))


def split_fonts(fonts: list[str], held_out: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Fonts for training and for validation, by the beginnings of their file names.

    If no font is held out, or `held_out` is "none", both get all of them. Beginnings that no font
    has are named in a warning, unless they are the default. Raises LineError if no font is left for
    training, or for such a beginning after none.
    """
    beginnings = tuple(each for each in held_out if each != "none")
    names = [Path(font).name for font in fonts]
    absent = [each for each in beginnings if not any(name.startswith(each) for name in names)]
    if absent and held_out != HELD_OUT:
        message = (
            f"--held-out {' '.join(held_out)}: no font's file name begins with {absent[-1]!r}; if "
            "it is an argument, such as an output, write it before the options"
        )
        if "none" in held_out:
            raise LineError(message)
        logger.warning("%s", message)
    rest: list[str] = []
    held: list[str] = []
    for font in fonts:
        (held if Path(font).name.startswith(beginnings) else rest).append(font)
    if not rest:
        raise LineError("every font is held out; give more --fonts, or fewer --held-out")
    return rest, held or rest


@functools.lru_cache(maxsize=4096)
def characters_drawn(font: str, characters: str) -> str:
    """Those of `characters` that a font draws: with ink, and unlike their capitals.

    A small letter that looks like its capital does not count if both are asked for: nobody could
    tell them apart. Raises FontError for a file that cannot be used.
    """
    try:
        return _limited(font_files.find_drawn, font, characters)
    except FontError as error:
        raise FontError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error


def drawn_by_each(fonts: list[str], characters: str) -> dict[str, str]:
    """`characters_drawn` of each font. One that cannot be used is left out, with a warning.

    Raises FontError if none can be used.
    """
    found: dict[str, str] = {}
    faults: list[tuple[str, str]] = []
    for font in fonts:
        try:
            found[font] = characters_drawn(font, characters)
        except FontError as error:
            faults.append((font, str(error.__cause__)))
    if fonts and not found:
        raise FontError(f"none of the {len(fonts)} fonts can be used:{_listed(tuple(faults))}")
    if faults:
        _warn(tuple(faults))
    return found
