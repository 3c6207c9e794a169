"""Pictures to look at that a command writes: they replace no file but such a picture."""

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, PngImagePlugin

from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets.entries import check_outside
from ocr_simple.errors import DatasetError

KEY = "Software"  # in the text of a PNG: names the command that made it


def choose_sheet(
    sheet: Path | None, usual: Path | None, command: str, read: Iterable[str]
) -> Path | None:
    """The sheet to write, or None for no picture.

    usual: the default, which is not written if it would be in one of the data sets that are read.
    Raises ValueError for another sheet in one, for one that cannot be written, and for one that
    would replace a user's picture.
    """
    if sheet is None:
        return None
    _check_replaceable(sheet, command)
    try:
        for dataset in read:
            if not (storage.url_of(sheet) or storage.url_of(dataset)):
                check_outside(sheet, dataset)
    except DatasetError as error:
        if sheet != usual:
            raise ValueError(f"--sheet {error}, or None for no picture") from error
        say(f"no picture is written: {error} with --sheet", sys.stderr)
        return None
    return sheet


def is_made_by(command: str, sheet: Path) -> bool:
    """Whether a command wrote what is there. A link is not followed: it may lead to any file."""
    url = storage.url_of(sheet)
    if not url and (sheet.is_symlink() or not sheet.is_file()):  # opening a pipe would wait
        return False
    try:
        with Image.open(io.BytesIO(storage.read(url)) if url else sheet) as picture:
            return picture.info.get(KEY) == command
    except (OSError, Image.DecompressionBombError):  # not an image, or a huge one
        return False


def _check_replaceable(sheet: Path, command: str) -> None:
    """Raise ValueError for a sheet that cannot be written, or would replace a user's picture."""
    url = storage.url_of(sheet)
    if sheet.suffix.lower() != ".png":
        raise ValueError(f"--sheet {sheet}: name a .png file, such as {sheet.stem}.png")
    if not url and not sheet.parent.is_dir():
        raise ValueError(f"--sheet {sheet}: no such folder; name a file in another one")
    storage.check_writable(sheet.parent, "--sheet")
    if (storage.is_file(url) if url else os.path.lexists(sheet)) and not is_made_by(command, sheet):
        raise ValueError(
            f"--sheet {sheet}: already exists and was not written by {command}, so it is not "
            "overwritten; name another file, or None for no picture"
        )


def write_sheet(picture: Image.Image, sheet: Path, command: str) -> None:
    """Write a picture that `choose_sheet` allows the same command to replace."""
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, command)
    with storage.output_folder(sheet.parent) as folder:
        picture.save(folder / sheet.name, pnginfo=text)
