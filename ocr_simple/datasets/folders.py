"""Folders of images: labels in a text file beside each image, or in the images' names."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocr_simple import images as imaging
from ocr_simple.datasets.entries import Entry, Fault, quoted, to_label
from ocr_simple.datasets.rows import refuse_boxes
from ocr_simple.errors import DatasetError

NUMBERED = re.compile(r"(.*)_\d+")  # the names of images that trdg draws: text_0.jpg
ENDINGS = (".gt.txt", ".txt")  # of the text beside an image


def images_in(folder: Path) -> list[Path]:
    """The images in a folder and the folders in it, sorted; hidden ones are left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        found += [
            Path(place, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in imaging.EXTENSIONS
        ]
    return sorted(found)


def text_beside(image: Path) -> Path | None:
    """The file with an image's text: for a.bin.png, a.bin.gt.txt, a.gt.txt, a.bin.txt or a.txt."""
    stems = dict.fromkeys((image.stem, image.name.partition(".")[0]))
    files = (image.with_name(stem + ending) for ending in ENDINGS for stem in stems)
    return next((file for file in files if file.is_file()), None)


def read_pairs(
    folder: Path, images: Iterable[Path], clean: bool = False
) -> Iterator[Entry | Fault]:
    """The rows of a folder with a text beside each image.

    clean: whether to remove invisible characters from labels. Raises DatasetError for texts that
    are boxes in a page.
    """
    for image in images:
        name = image.relative_to(folder).as_posix()
        text = text_beside(image)
        if text is None:
            yield Fault(str(image), f"no {image.stem}.gt.txt or {image.stem}.txt beside it")
            continue
        try:
            label = text.read_bytes().decode("utf-8-sig").rstrip("\r\n")
            refuse_boxes(label, str(text))
            if "\n" in label:
                raise ValueError(f"{label.count(chr(10)) + 1} rows; a label is one line of text")
            yield Entry(str(text), name, to_label(label, clean), str(image))
        except DatasetError:
            raise
        except UnicodeDecodeError as error:
            yield Fault(str(text), f"not UTF-8 ({error}); save it as UTF-8")
        except (OSError, ValueError) as error:
            yield Fault(str(text), str(error))


def read_names(images: list[Path], clean: bool = False) -> tuple[str, list[Entry | Fault]]:
    """(what was recognised, the rows) of images whose names are their labels.

    If all names end as trdg ends them, in _ and a number, the label is what comes before it.
    """
    numbered = all(NUMBERED.fullmatch(image.stem) for image in images)
    rows: list[Entry | Fault] = []
    for image in images:
        found = NUMBERED.fullmatch(image.stem) if numbered else None
        try:
            label = to_label(found[1] if found else image.stem, clean)
            rows.append(Entry(str(image), image.name, label, str(image)))
        except ValueError as error:
            rows.append(Fault(str(image), str(error)))
    layout = "labels from file names" + (", without the number at the end" if numbered else "")
    return layout, rows


def why_none(folder: Path) -> str:
    """What a folder without labels has, and the fix; empty if it has no image."""
    images = images_in(folder)
    if not images:
        return ""
    return (
        f". It has {len(images):,} images without labels: write a labels.tsv with rows such as "
        f"{quoted(images[0].relative_to(folder).as_posix())}, tab, text; or give "
        "--labels-from-names if the file names are the labels"
    )
