"""The README.md of an export: how to use each of its files, and which were there before."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aocr import export_files
from aocr.server.versions import versions_in
from ocr_simple import storage
from ocr_simple.reports.markdown import cell

if TYPE_CHECKING:  # it imports TensorFlow
    from aocr.formats import Format

SAVEDMODEL = "{version}"  # the file of this format is a folder with a new number


def readme_text(folder: Path, new: Path, formats: Sequence["Format"]) -> str:
    """How to use each format that a folder holds; new: with the files that it will hold too."""
    there = {path.name: path for place in (folder, new) for path in place.iterdir()}
    versions = [path.name for path in (*versions_in(folder), *versions_in(new))]
    also = f", {export_files.READER_CONSTRAINT}" if export_files.READER_CONSTRAINT in there else ""
    parts = [
        f"# {cell(Path(storage.display_name(folder)).resolve().name)}\n",
        "Exported by ocr_simple. Each file gives the texts and confidences of its model, as "
        "checked on about forty images; a file in 8 bits may read some differently. `FILE.json` "
        "describes the model in FILE, and has its checksum. To use one elsewhere, copy FILE, "
        f"FILE.json{also} and, for ONNX and LiteRT, reader.py.\n",
    ]
    for form in formats:
        name = form.file.format(version=versions[-1] if versions else 0)
        if name in there:
            example = form.example.format(file=name)
            source = export_files.made_from(there[name])
            code = f"```{form.language}\n{example}\n```"
            parts.append(f"`{name}`, from {cell(source)}:\n\n{code}\n")
            if form.image_formats and "exif" not in form.image_formats:
                takes = ", ".join(form.image_formats).upper()
                parts.append(f"It decodes {takes}, and does not turn photographs upright (EXIF).\n")
            parts += [f"{cell(note)}\n" for note in export_files.kept_notes(there[name])]
    return "\n".join(parts)


def earlier_exports(folder: Path, new: set[str]) -> list[str]:
    """The exported files that are in a folder besides `new`, each with its model; for people."""
    from aocr.formats import FORMATS

    versions = [path.name for path in versions_in(folder)[-2:]]
    names = [form.file for form in FORMATS if form.file != SAVEDMODEL] + versions
    there = [folder / name for name in names if name not in new and (folder / name).exists()]
    return [f"{path.name} (from {export_files.made_from(path)})" for path in there]
