"""Labelled images: the entries of a data set, whatever its layout.

`find_dataset` recognises

- an annotation file: rows of a path and a label, CSV, TSV, JSON or JSON Lines; see `rows.py`;
- a folder with such a file, by one of the names in LABEL_FILES;
- a folder of images, each with a text file beside it; or, if asked, with its label as its name;
- TFRecords of Examples with `image` (encoded bytes), `label` (UTF-8) and optionally `comment`
  (the image's file name): the schema of aocr (github.com/emedvedev/attention-ocr);
- an LMDB database, and any of these by a pattern such as lines-*.tfrecords.

docs/data.md shows each. Rows that cannot be used are returned with their place and the reason, so
that all are reported at once. TensorFlow is imported only to read TFRecords.
"""

import glob
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from posixpath import dirname, join, normpath
from typing import Literal, NamedTuple

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets import lmdb_files
from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.crops import CROPS, with_crops
from ocr_simple.datasets.entries import Entry, Fault, fault_list, quoted
from ocr_simple.datasets.folders import (
    images_in,
    read_names,
    read_pairs,
    text_beside,
    texts_alone,
    unlabelled,
    why_not_dataset,
)
from ocr_simple.datasets.records import is_tfrecords, read_lmdb, read_tfrecords
from ocr_simple.datasets.row_images import IMAGES, read_annotations, spellings
from ocr_simple.datasets.rows import parse
from ocr_simple.errors import DatasetError, NoDatasetError
from ocr_simple.local_files import numbered_rows
from ocr_simple.messages import counted, escape_controls
from ocr_simple.options import LabelOptions

LABELS = "labels.tsv"  # the annotation file that this project writes
LABEL_FILES = (  # of a folder; the first that is there is used
    LABELS, "labels.csv", "labels.txt", "gt.txt", "labels.json", "labels.jsonl", "metadata.jsonl",
    "metadata.csv", "rec_gt_train.txt", "rec_gt_val.txt", "rec_gt_test.txt", "rec_gt.txt",
)  # fmt: skip
RECORDS = ("*.tfrecord", "*.tfrecords", "*.tfrecord.gz", "*.tfrecords.gz")  # of a folder
SHOWN_CHARACTERS = 100  # of an alphabet in a summary

Kind = Literal["annotations", "tfrecords", "lmdb", "pairs", "names"]
DEFAULT = LabelOptions()


class Dataset(NamedTuple):
    """What is in a data set. str() describes it for messages: one line, and the notes."""

    name: str  # as it was asked for
    layout: str  # what was recognised, for messages
    rows: list[Entry | Fault]  # in order
    notes: tuple[str, ...] = ()  # what else there is to say about it

    @property
    def entries(self) -> list[Entry]:
        """The rows that can be used."""
        return [row for row in self.rows if isinstance(row, Entry)]

    def __str__(self) -> str:
        labels = [entry.label for entry in self.entries]
        alphabet = "".join(sorted(set("".join(labels))))
        shown = alphabet[:SHOWN_CHARACTERS] + "…" * (len(alphabet) > SHOWN_CHARACTERS)
        about = f"{self.name}: {self.layout}; {counted(len(labels), 'image')}"
        if alphabet:
            shortest, longest = min(map(len, labels)), max(map(len, labels))
            lengths = counted(longest, "character")
            if shortest < longest:
                lengths = f"{shortest} to {longest} characters"
            about += f", labels of {lengths}, alphabet {shown} ({len(alphabet):,})"
        if empty := labels.count(""):
            about += f"; {counted(empty, 'empty label')}" if alphabet else "; all labels are empty"
        if faults := len(self.rows) - len(labels):
            about += f"; {counted(faults, 'row')} cannot be used"
        return "\n".join((about, *(f"{self.name}: {note}" for note in self.notes)))


# --- which layout -----------------------------------------------------------------------------


def _images(parts: Iterable[Path]) -> list[Path]:
    """The images in folders, and those that are named themselves."""
    found: list[Path] = []
    for part in parts:
        if part.is_dir():
            found += images_in(part)
        elif part.suffix.lower() in imaging.EXTENSIONS:
            found.append(part)
    return found


def _locate_part(path: Path) -> list[tuple[Kind, Path]]:
    """(layout, path) of a file, or of what is in a folder. Raises DatasetError for an image."""
    if lmdb_files.is_lmdb(path):
        return [("lmdb", path)]
    if path.is_file():
        if path.suffix.lower() in imaging.EXTENSIONS:
            raise DatasetError(f"{path}: is an image; name its folder, or a file with its label")
        named = any(path.match(pattern) for pattern in RECORDS)  # if empty or damaged too
        return [("tfrecords" if named or is_tfrecords(path) else "annotations", path)]
    if label_files := _label_files(path):
        return _locate_part(label_files[0])
    if records := sorted({file for pattern in RECORDS for file in path.glob(pattern)}):
        return [("tfrecords", file) for file in records]
    return [("pairs", path)] if any(text_beside(image) for image in images_in(path)) else []


def _label_files(folder: Path) -> list[Path]:
    """The files in a folder that have the name of an annotation file, the best one first."""
    return [folder / name for name in LABEL_FILES if (folder / name).is_file()]


def _is_dataset(folder: Path) -> bool:
    """Whether a folder can be read as a data set."""
    try:
        return bool(_locate_part(folder))
    except OSError:  # not allowed to look into it
        return False


def _locate(dataset: str | os.PathLike, how: LabelOptions) -> list[tuple[Kind, Path]]:
    """(layout, path) of each part of a local data set. Raises DatasetError if there is none."""
    path = Path(os.path.expanduser(dataset))
    parts = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(f"{path}"))]
    if how.labels_from_names:
        if path.is_file() and _images([path]):  # whether a number at its end counts is not clear
            raise DatasetError(
                f"{path}: is one image; --labels-from-names takes its folder, or a pattern in "
                f"quotes, such as '{path.parent / '*'}{path.suffix}'"
            )
        found: list[tuple[Kind, Path]] = [("names", part) for part in parts if _images([part])]
    else:
        found = [located for part in parts for located in _locate_part(part)]
    if found:
        return found
    if how.labels_from_names and parts:
        raise NoDatasetError(
            f"{dataset}: holds no images for --labels-from-names; name a folder of images"
        )
    about = why_not_dataset(path, _is_dataset) if path.is_dir() else ""
    raise NoDatasetError(
        f"{dataset}: no data set found; name an annotation file, a folder with {LABELS} (file "
        f"name, tab, label), or TFRecords; docs/data.md shows all layouts{about}"
    )


# --- data sets --------------------------------------------------------------------------------


def find_dataset(dataset: str | os.PathLike, how: LabelOptions = DEFAULT) -> Dataset:
    """A data set with its rows, in order. Images are looked for, but not decoded.

    Raises DatasetError if there is no data set, or if it is empty, damaged or of another kind.
    """
    if url := storage.url_of(dataset):
        return _find_in_bucket(url, how)
    parts = _locate(dataset, how)
    layouts: dict[str, int] = {}
    rows: list[Entry | Fault] = []
    faults: set[Fault] = set()  # parts may share a crops.tsv, and its faults
    notes: list[str] = []
    # the names of all images together show what of them is the label
    for group in [parts] if how.labels_from_names else [[part] for part in parts]:
        kind, path = group[0]
        layout, found, more = _read(kind, [path for _, path in group], how)
        if kind not in ("tfrecords", "lmdb"):  # their images have no names of files
            found, cropped = with_crops(path if path.is_dir() else path.parent, found)
            more = (*more, *cropped)
        layouts[layout] = layouts.get(layout, 0) + 1
        rows += [row for row in found if row not in faults]
        faults.update(row for row in found if isinstance(row, Fault))
        notes += more
    folder = Path(os.path.expanduser(dataset))
    if folder.is_dir() and parts[0][0] == "annotations":
        used, *others = (file.name for file in _label_files(folder))
        layouts = {f"{used}, {layout}": count for layout, count in layouts.items()}
        notes += [f"{used} is used; ignored: {', '.join(others)}"] if others else []
        if left := unlabelled(folder, (row for row in rows if isinstance(row, Entry))):
            first = escape_controls(str(left[0]))
            notes.append(
                f"images in the folder without a usable row: {len(left):,} (first: {first})"
            )
    notes += _several_labels(rows)
    if not rows:
        fix = "add images with their labels"
        if parts[0][0] == "tfrecords":
            fix = "write its images and labels to it with aocr dataset"
        raise DatasetError(f"{dataset}: is empty; {fix}")
    shown = [f"{count} files of {name}" if count > 1 else name for name, count in layouts.items()]
    return Dataset(os.fspath(dataset), " and ".join(shown), rows, tuple(notes))


def _several_labels(rows: Iterable[Entry | Fault]) -> list[str]:
    """A note about images that have more than one label, if there are any."""
    first: dict[tuple, Entry] = {}
    differing: dict[tuple, tuple[Entry, Entry]] = {}
    for row in rows:
        if isinstance(row, Entry):
            one = first.setdefault((*row.image, row.corners), row)
            if one.label != row.label:
                differing.setdefault(row.image, (one, row))
    if not differing:
        return []
    one, other = next(iter(differing.values()))
    return [
        f"images in several rows with different labels: {len(differing):,} (first: {one.place} "
        f"{quoted(one.label)}, {other.place} {quoted(other.label)}); correct them"
    ]


def _read(
    kind: Kind, paths: list[Path], how: LabelOptions
) -> tuple[str, list[Entry | Fault], tuple[str, ...]]:
    """(layout for messages, rows, notes) of a part of a data set, or of images by their names.

    Raises DatasetError.
    """
    clean, encoding, path = how.clean_labels, how.label_encoding, paths[0]
    match kind:
        case "annotations":
            return read_annotations(path, clean)
        case "tfrecords":
            return "TFRecords", list(read_tfrecords(path, clean, encoding)), ()
        case "lmdb":
            samples = list(read_lmdb(path, clean, encoding))
            return "LMDB database", samples, lmdb_files.notes(str(path))
        case "pairs":
            images = images_in(path)
            pairs = list(read_pairs(path, images, clean))
            alone = texts_alone(path, images)
            notes = [
                f"texts without an image: {len(alone):,} (first: {escape_controls(str(text))})"
                for text in alone[:1]
            ]
            return "images with a text file beside each", pairs, tuple(notes)
        case "names":
            return read_names(_images(paths), clean)


def find_entries(dataset: str | os.PathLike, how: LabelOptions = DEFAULT) -> list[Entry | Fault]:
    """The rows of a data set, in order; see `find_dataset`. Raises DatasetError."""
    return find_dataset(dataset, how).rows


def _find_in_bucket(url: str, how: LabelOptions) -> Dataset:
    """As `find_dataset`, of local copies of a data set in a bucket and of the images it names."""
    folder = ""  # of the annotation file, if there is one
    if storage.is_file(url):
        folder, file = url.rpartition("/")[0], storage.local_file(url)
    else:
        names = set(storage.list_files(url))
        chosen = next((name for name in LABEL_FILES if name in names), None)
        if not names:
            raise NoDatasetError(
                f"{url}: no data set found; name an annotation file, a folder with {LABELS}, or "
                "TFRecords"
            )
        if chosen is None or how.labels_from_names:
            file = storage.local_folder(url)
        else:
            folder, url = url, f"{url}/{chosen}"
            file = storage.local_file(url)
    place, origin = (str(file.parent), folder) if folder else (str(file), url)
    try:
        if folder and not is_tfrecords(file) and not lmdb_files.is_lmdb(file):
            _download_named(folder, file)
        found = find_dataset(file, how)
    except DatasetError as error:
        raise type(error)(str(error).replace(place, origin)) from error
    rows = [row._replace(place=row.place.replace(place, origin)) for row in found.rows]
    notes = tuple(note.replace(place, origin) for note in found.notes)
    return found._replace(name=url, rows=rows, notes=notes)


def _download_named(url: str, file: Path) -> None:
    """Copy what an annotation file of a folder in a bucket names, and the boxes, beside its copy.

    Raises DatasetError.
    """
    names = storage.list_files(url)
    crops = [name for name in names if PurePosixPath(name).name == CROPS]
    storage.download(url, file.parent, crops)
    splits = (split for row in parse(file).rows for split in row.splits)
    named = {normpath(name) for split in splits for name in spellings(split.name)}
    named |= {f"{IMAGES}/{name}" for name in named}
    for crop in crops:
        text = read_text(file.parent / crop)
        boxed = (row.partition("\t")[0].strip() for _, row in numbered_rows(text))
        named |= {normpath(join(dirname(crop), name)) for name in boxed}
    storage.download(url, file.parent, sorted(named.intersection(names) - set(crops)))


def require_entries(dataset: str | os.PathLike) -> list[Entry]:
    """The entries of a data set. Raises DatasetError that lists all rows that cannot be used."""
    found = find_dataset(dataset)
    if len(found.entries) < len(found.rows):
        raise DatasetError(
            f"{dataset}: {len(found.rows) - len(found.entries):,} of {len(found.rows):,} rows "
            "cannot be used; correct or remove them:" + fault_list(found.rows)
        )
    return found.entries


def check_datasets(datasets: Iterable[str], how: LabelOptions = DEFAULT) -> None:
    """Raise DatasetError for the first local data set that does not exist."""
    for dataset in datasets:
        if not storage.url_of(dataset):
            _locate(dataset, how)


# --- folders with labels.tsv ------------------------------------------------------------------


def read_labels(folder: str | os.PathLike) -> dict[str, str]:
    """The label of each image in a folder with labels.tsv, by file name. Raises DatasetError."""
    return {entry.name: entry.label for entry in require_entries(Path(folder, LABELS))}


def write_folder(
    folder: str | os.PathLike, images: Iterable[np.ndarray], labels: Iterable[str]
) -> None:
    """Write images, uint8 (rows, columns, 1 or 3), as 000.png and so on, and their labels.tsv.

    The folder is made if it is not there. Raises ValueError unless each image has a label.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        name = f"{number:03}.png"
        imaging.as_picture(pixels).save(folder / name)
        rows.append(f"{name}\t{label}\n")
    (folder / LABELS).write_text("".join(rows), encoding="utf-8", newline="\n")
