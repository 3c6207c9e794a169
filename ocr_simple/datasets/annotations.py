"""Labelled images: the entries of a data set, whatever its form.

A data set is one of

- an annotation file: each row has the path of an image and its label, separated by a tab, a space
  or a comma;
- a folder of images with such a file, named labels.tsv;
- a TFRecord file of Examples with `image` (encoded bytes), `label` (UTF-8) and optionally `comment`
  (the image's file name): the schema of aocr (github.com/emedvedev/attention-ocr).

Rows that cannot be used are returned with their place and the reason, so that all are reported at
once. TensorFlow is imported only to read TFRecords.
"""

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import storage
from ocr_simple.network.backend import standard_error_closed
from ocr_simple.text import escape_controls, normalise_text

LABELS = "labels.tsv"  # the annotation file of a folder
RECORD_HEADER = 12  # bytes before the content of a TFRecord: its length, and a checksum of that
RECORD_FOOTER = 4  # bytes after it: its checksum


class DatasetError(ValueError):
    """A data set that cannot be used. The message names each place, the problem and the fix."""


class Entry(NamedTuple):
    """A labelled image of a data set."""

    place: str  # file and row, such as annotations.txt:12
    name: str  # the image's file name, as the data set has it
    label: str  # NFC, single spaces
    file: str  # the file that holds the encoded image
    start: int = 0  # where the image begins in it, in bytes
    size: int = -1  # in bytes; -1: to the end of the file

    def image_bytes(self) -> bytes:
        """The encoded image. Raises OSError."""
        if url := storage.url_of(self.file):
            return storage.read(url, start=self.start, size=self.size)
        with open(self.file, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


class Fault(NamedTuple):
    """A row of a data set that cannot be used."""

    place: str  # file and row
    reason: str


def fault_list(found: Iterable[Entry | Fault]) -> str:
    """The faults among `found` for a message, each on a new line."""
    faults = (row for row in found if isinstance(row, Fault))
    return "".join(f"\n  {fault.place}: {escape_controls(fault.reason)}" for fault in faults)


# --- annotation files -------------------------------------------------------------------------


def _read_annotations(path: Path) -> Iterator[Entry | Fault]:
    try:
        rows = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: neither TFRecords nor UTF-8 text ({error}); save it as UTF-8"
        ) from error
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        place = f"{path}:{number}"
        splits = [(*split, _image_file(split[0], path)) for split in _ways_to_split(row)]
        name, label, file = next((split for split in splits if split[2]), splits[0])
        label = normalise_text(label)
        if file and label:
            yield Entry(place, name, label, str(file))
        else:
            missing = "label for" if file else "such image"
            yield Fault(place, f"no {missing} {escape_controls(name)!r}")


def _ways_to_split(row: str) -> Iterator[tuple[str, str]]:
    """(path, label) by each way that a row can be split, the most likely first."""
    row = row.strip()
    for separator in ("\t", " "):
        if separator in row:
            name, label = row.split(separator, 1)
            yield name.strip(), label
    name, *label = next(csv.reader([row], skipinitialspace=True))
    yield name.strip(), ",".join(label)
    yield row, ""  # a path with spaces, and no label


def _image_file(name: str, annotations: Path) -> Path | None:
    """The image file of a row: relative to the working directory, or to the annotation file.

    The images beside a labels.tsv come before those in the working directory.
    """
    places = [Path(name), annotations.parent / name]
    if annotations.name == LABELS:
        places.reverse()
    with contextlib.suppress(OSError, ValueError):  # not a valid path
        return next((path for path in places if path.is_file()), None)
    return None


# --- TFRecords --------------------------------------------------------------------------------


def _is_tfrecords(path: Path) -> bool:
    """Whether a file is TFRecords: the first 8 bytes of a text would be a length of exabytes."""
    with open(path, "rb") as file:
        start = file.read(RECORD_HEADER)
    return len(start) == RECORD_HEADER and int.from_bytes(start[:8], "little") < path.stat().st_size


def _read_tfrecords(path: Path) -> Iterator[Entry | Fault]:
    with standard_error_closed():  # TensorFlow prints about its build
        import tensorflow as tf
    from google.protobuf.message import DecodeError

    number, start = 0, 0
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), 1):
            place = f"{path}:{number}"
            features = tf.train.Example.FromString(record).features.feature
            encoded, label, comment = (
                b"".join(features[key].bytes_list.value[:1])
                for key in ("image", "label", "comment")
            )
            name = comment.decode("utf-8", "replace") or place
            text = normalise_text(_decode_label(label))
            if encoded and text:
                offset = start + RECORD_HEADER + record.index(encoded)
                yield Entry(place, name, text, str(path), offset, len(encoded))
            else:
                yield Fault(place, f"no {'label' if encoded else 'image'} in its Example")
            start += RECORD_HEADER + len(record) + RECORD_FOOTER
    except (tf.errors.OpError, DecodeError) as error:
        raise DatasetError(
            f"{path}: damaged after record {number:,} ({escape_controls(str(error))}); make it "
            "again with aocr dataset"
        ) from error


def _decode_label(label: bytes) -> str:
    try:
        return label.decode("utf-8")
    except UnicodeDecodeError:
        return label.decode("latin-1")  # as aocr writes them


# --- data sets --------------------------------------------------------------------------------


def find_entries(dataset: str | os.PathLike) -> list[Entry | Fault]:
    """The rows of a data set, in order. Images are looked for, but not decoded.

    Raises DatasetError if there is no data set, or if it is empty or damaged.
    """
    if url := storage.url_of(dataset):
        return _find_in_bucket(url)
    path = Path(dataset)
    if path.is_dir():
        path /= LABELS
    if not path.is_file():
        raise DatasetError(
            f"{dataset}: no data set there; name an annotation file, a folder with {LABELS} (file "
            "name, tab, label), or TFRecords"
        )
    found = list(_read_tfrecords(path) if _is_tfrecords(path) else _read_annotations(path))
    if not found:
        raise DatasetError(f"{path}: is empty; add rows of a path and a label")
    return found


def _find_in_bucket(url: str) -> list[Entry | Fault]:
    """As `find_entries`, of local copies of a data set in a bucket and of the images it names."""
    if not storage.is_file(url):
        url = f"{url}/{LABELS}"
    if not storage.is_file(url):
        raise DatasetError(
            f"{url.removesuffix('/' + LABELS)}: no data set there; name an annotation file, a "
            f"folder with {LABELS}, or TFRecords"
        )
    file = storage.local_file(url)
    if not _is_tfrecords(file):
        folder = url.rpartition("/")[0]
        rows = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        named = {name for row in rows if row.strip() for name, _ in _ways_to_split(row)}
        storage.download(folder, file.parent, sorted(named & set(storage.list_files(folder))))
    try:
        found = find_entries(file)
    except DatasetError as error:
        raise DatasetError(str(error).replace(str(file), url)) from error
    return [row._replace(place=row.place.replace(str(file), url)) for row in found]


# --- folders with labels.tsv ------------------------------------------------------------------


def require_entries(dataset: str | os.PathLike) -> list[Entry]:
    """The entries of a data set. Raises DatasetError that lists all rows that cannot be used."""
    found = find_entries(dataset)
    entries = [row for row in found if isinstance(row, Entry)]
    if len(entries) < len(found):
        raise DatasetError(
            f"{dataset}: {len(found) - len(entries):,} of {len(found):,} rows cannot be used; "
            "correct or remove them:" + fault_list(found)
        )
    return entries


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
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(folder / name)
        rows.append(f"{name}\t{label}\n")
    (folder / LABELS).write_text("".join(rows), encoding="utf-8", newline="\n")


def check_datasets(datasets: Iterable[str]) -> None:
    """Raise DatasetError for the first local data set that does not exist."""
    for dataset in datasets:
        path = Path(dataset)
        file = path / LABELS if path.is_dir() else path
        if not storage.url_of(dataset) and not file.is_file():
            find_entries(dataset)  # raises the error
