"""Folders of images: labels in a text file beside each image, or in the images' names."""

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ocr_simple import images as imaging
from ocr_simple.datasets.entries import Entry, Fault, quoted, to_label
from ocr_simple.datasets.row_labels import mjsynth_word
from ocr_simple.datasets.rows import refuse_boxes
from ocr_simple.errors import DatasetError
from ocr_simple.local_files import read_bytes
from ocr_simple.messages import counted
from ocr_simple.storage import is_hidden

NUMBERED = re.compile(r"(.*)_\d+")  # the names of images that trdg draws: text_0.jpg
COUNTER = re.compile(r"(\D*)(\d+)")  # names such as img_001
ENDINGS = (".gt.txt", ".txt")  # of the text beside an image
MOST_BESIDE = 1 << 16  # bytes of it
LABEL_SUFFIXES = (".tsv", ".csv", ".txt", ".json", ".jsonl", ".ndjson")


def images_in(folder: Path, most_folders: int | None = None) -> list[Path]:
    """The images in a folder and the folders in it, sorted; hidden ones are left out.

    most_folders: how many of these are looked into; None: all.
    """
    found = []
    for place, folders, names in itertools.islice(os.walk(folder), most_folders):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [
            Path(place, name)
            for name in names
            if not is_hidden(name) and Path(name).suffix.lower() in imaging.EXTENSIONS
        ]
    return sorted(found)


def text_beside(image: Path) -> Path | None:
    """The file with an image's text: for a.bin.png, a.bin.gt.txt, a.gt.txt, a.bin.txt or a.txt."""
    stems = dict.fromkeys((image.stem, image.name.partition(".")[0]))
    files = (image.with_name(stem + ending) for ending in ENDINGS for stem in stems)
    return next((file for file in files if file.is_file()), None)


def texts_alone(folder: Path, images: Iterable[Path]) -> list[Path]:
    """The .gt.txt files in a folder, and the folders in it, that belong to none of its images."""
    used = {text_beside(image) for image in images}
    found = (file for file in folder.rglob(f"*{ENDINGS[0]}") if file not in used)
    return sorted(file for file in found if not is_hidden(file.relative_to(folder)))


def unlabelled(folder: Path, entries: Iterable[Entry]) -> list[Path]:
    """The images in a folder, and the folders in it, that are no entry's."""
    files = {os.path.abspath(entry.file) for entry in entries}
    left = [image for image in images_in(folder) if os.path.abspath(image) not in files]
    if not left:
        return []
    # symbolic links give a file several paths
    real = {os.path.realpath(file) for file in files}
    return [image for image in left if os.path.realpath(image) not in real]


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
            label = read_bytes(text, MOST_BESIDE).decode("utf-8-sig").rstrip("\r\n")
            refuse_boxes(label, str(text))
            yield Entry(str(text), name, to_label(label, clean), str(image))
        except DatasetError:
            raise
        except UnicodeDecodeError as error:
            yield Fault(str(text), f"not UTF-8 ({error}); save it as UTF-8")
        except (OSError, ValueError) as error:
            yield Fault(str(text), str(error))


def read_names(
    images: list[Path], clean: bool = False
) -> tuple[str, list[Entry | Fault], tuple[str, ...]]:
    """(what was recognised, the rows, notes) of images whose names are their labels.

    If all names end as trdg ends them, in _ and a number, the label is what comes before it. If all
    are MJSynth's, such as 2911/6/77_Heartbreak_35885.jpg, the label is the word.
    """
    stems = [image.stem for image in images]
    layout, notes = "labels from file names", []
    numbered = [NUMBERED.fullmatch(stem) for stem in stems]
    if all(words := [mjsynth_word(image.as_posix()) for image in images]):
        stems, layout = [word[0] for word in words if word], f"{layout} of MJSynth"
    elif all(numbered):
        stems = [found[1] for found in numbered if found]
        layout += ", without the number at the end"
    elif ending := sum(map(bool, numbered)):
        other = images[numbered.index(None)].name
        notes.append(
            f"{ending:,} of {counted(len(stems), 'file name')} end in _ and a number, which stays "
            f"in their labels because not all names have one (first without: {quoted(other)}); if "
            "it only counts the images, move the others to another folder"
        )
    rows: list[Entry | Fault] = []
    for image, stem in zip(images, stems, strict=True):
        try:
            label = to_label(stem, clean)
            rows.append(Entry(str(image), image.name, label, str(image)))
        except ValueError as error:
            rows.append(Fault(str(image), str(error)))
    return layout, rows, tuple(notes)


# --- folders that are no data set -------------------------------------------------------------


def why_not_dataset(folder: Path, is_dataset: Callable[[Path], bool]) -> str:
    """What a folder without labels has instead, and the fix; empty if it has no image.

    is_dataset: whether a folder in it is a data set.
    """
    if inside := [repr(f"{each}/") for each in _folders_in(folder) if is_dataset(folder / each)]:
        if len(inside) == 1:
            return f". The data set is in {inside[0]}: name that folder"
        return f". There are data sets in {_listed(inside)}: name those folders"
    images = images_in(folder)
    if not images:
        return ""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    files = [repr(name) for name in names if Path(name).suffix.lower() in LABEL_SUFFIXES]
    about = f". The folder has {counted(len(images), 'image')} without labels"
    if any(name.lower().endswith(".xml") for name in names):
        about += ", and XML, which is not read"
    if files:
        which = "the file, if it" if len(files) == 1 else "the file that"
        about += f", and {_listed(files)}: name {which} has the labels. Otherwise"
    else:
        about += ": label them with aocr label, or"
    first = images[0].relative_to(folder)
    about += f" write a labels.tsv with rows such as {quoted(first.as_posix())}, tab, "
    stems = [image.stem for image in images]
    if len(set(stems)) < len(stems) and len(first.parts) > 1:  # counted in each folder
        return f"{about}{quoted(first.parts[-2])}, if the names of the folders are the labels"
    if _are_counters(stems):
        return f"{about}text"
    return f"{about}text; or give --labels-from-names if the file names are the labels"


def _folders_in(folder: Path) -> list[str]:
    """The folders in a folder and in those, relative to it, sorted; hidden ones are left out."""
    found = (each for pattern in ("*/", "*/*/") for each in folder.glob(pattern) if each.is_dir())
    names = (each.relative_to(folder).as_posix() for each in found)
    return sorted(name for name in names if not is_hidden(name))


def _listed(names: list[str]) -> str:
    """Names for a message: the first three, and how many more there are."""
    if len(names) > 3:
        names = [*names[:3], f"{len(names) - 3:,} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _are_counters(stems: list[str]) -> bool:
    """Whether names such as img_001, img_002 only count the images."""
    found = [match for stem in stems if (match := COUNTER.fullmatch(stem))]
    if len(found) < len(stems) or len(stems) < 2:
        return False
    numbers = sorted(int(match[2]) for match in found)
    consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return consecutive and len({match[1] for match in found}) == 1
