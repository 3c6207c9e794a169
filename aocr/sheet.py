"""Pictures that a command writes for people: they replace no file but such a picture."""

import io
from pathlib import Path

from PIL import Image, PngImagePlugin

from ocr_simple import storage

KEY = "Software"  # in the text of a PNG: names the command that made it


def check_sheet(sheet: Path, command: str) -> None:
    """Raise ValueError for a sheet that cannot be written, or would replace a user's picture."""
    url = storage.url_of(sheet)
    if sheet.suffix.lower() != ".png":
        raise ValueError(f"--sheet {sheet}: name a .png file, such as {sheet.stem}.png")
    if not url and not sheet.parent.is_dir():
        raise ValueError(f"--sheet {sheet}: no such folder; name a file in another one")
    storage.check_writable(sheet.parent, "--sheet")
    if not (storage.is_file(url) if url else sheet.exists()):
        return
    try:
        with Image.open(io.BytesIO(storage.read(url)) if url else sheet) as picture:
            ours = picture.info.get(KEY) == command
    except (OSError, Image.DecompressionBombError):  # a folder, not an image, or a huge one
        ours = False
    if not ours:
        raise ValueError(
            f"--sheet {sheet}: is there already, and {command} did not make it, so it is not "
            "replaced; name another file, or None for no picture"
        )


def write_sheet(picture: Image.Image, sheet: Path, command: str) -> None:
    """Write a picture that `check_sheet` allows the same command to replace."""
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, command)
    with storage.output_folder(sheet.parent) as folder:
        picture.save(folder / sheet.name, pnginfo=text)
