"""Labelled images: where a data set has them, whatever its form."""

import contextlib
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ocr_simple import storage
from ocr_simple.text import normalise_text, one_line

LABELS = "labels.tsv"  # the annotation file of a folder
FRAME = 12  # bytes of a TFRecord before its content: the length of it, and that one's checksum
FOOT = 4  # bytes after it: its checksum


class RecordsError(ValueError):
    """A data set that cannot be used. The message names each place, what is wrong, and the mend."""


class Entry(NamedTuple):
    """A labelled image of a data set."""

    place: str  # annotations.txt:12
    name: str  # of the image's file, as the data set has it
    label: str  # NFC, single spaces
    file: str  # that holds the encoded image
    start: int = 0  # of it in the file, in bytes
    size: int = -1  # in bytes; -1: to the end

    def encoded(self) -> bytes:
        """The image's bytes. Raises OSError."""
        if url := storage.url_of(self.file):
            return storage.read(url, start=self.start, size=self.size)
        with open(self.file, "rb") as file:
            file.seek(self.start)
            return file.read(self.size)


class Fault(NamedTuple):
    """A line of a data set that cannot be used, and why."""

    place: str
    reason: str


def find_entries(dataset: str | os.PathLike) -> list[Entry | Fault]:
    """The lines of a data set, in order; images are looked for, not decoded.

    Raises RecordsError where there is no data set.
    """
    if url := storage.url_of(dataset):
        return _find_in_bucket(url)
    path = Path(dataset)
    if path.is_dir():
        path /= LABELS
    if not path.is_file():
        raise RecordsError(
            f"{dataset}: no data set there; name an annotation file, a folder with {LABELS} (file "
            "name, tab, label), or TFRecords"
        )
    found = list(_records(path) if _has_records(path) else _annotations(path))
    if not found:
        raise RecordsError(f"{path}: is empty; give it lines of a path and a label")
    return found


def _find_in_bucket(url: str) -> list[Entry | Fault]:
    """Like `find_entries`, of local copies: of the data set, and of the images that it names."""
    if not storage.is_file(url):
        url = f"{url}/{LABELS}"
    if not storage.is_file(url):
        raise RecordsError(f"{url.removesuffix('/' + LABELS)}: no data set there")
    file = storage.fetched(url)
    if not _has_records(file):
        beside = url.rpartition("/")[0]
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        given = {name for line in lines if line.strip() for name, _ in _readings(line)}
        storage.fetch(beside, file.parent, sorted(given & set(storage.names(beside))))
    try:
        found = find_entries(file)
    except RecordsError as error:
        raise RecordsError(str(error).replace(str(file), url)) from error
    return [line._replace(place=line.place.replace(str(file), url)) for line in found]


def _has_records(path: Path) -> bool:
    """Whether a data set is TFRecords: in text, eight characters would be a length of exabytes."""
    with open(path, "rb") as file:
        start = file.read(FRAME)
    return len(start) == FRAME and int.from_bytes(start[:8], "little") < path.stat().st_size


def _annotations(path: Path) -> Iterator[Entry | Fault]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecordsError(
            f"{path}: neither TFRecords nor UTF-8 text ({error}); save it as UTF-8"
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        readings = [(*reading, _image_file(reading[0], path)) for reading in _readings(line)]
        name, label, file = next((r for r in readings if r[2]), readings[0])
        label = normalise_text(label)
        if file and label:
            yield Entry(place, name, label, str(file))
        else:
            yield Fault(place, f"no {'label for' if file else 'such image'} {one_line(name)!r}")


def _readings(line: str) -> Iterator[tuple[str, str]]:
    """What a line may mean by its path and its label, the likeliest first."""
    line = line.strip()
    for separator in ("\t", " "):
        if separator in line:
            name, label = line.split(separator, 1)
            yield name.strip(), label
    name, *label = next(csv.reader([line], skipinitialspace=True))
    yield name.strip(), ",".join(label)
    yield line, ""  # a path with spaces, and no label


def _image_file(name: str, annotations: Path) -> Path | None:
    """The file that is meant: from the working directory, or beside the annotations.

    A folder's labels.tsv means the folder's own first.
    """
    places = Path(name), annotations.parent / name
    with contextlib.suppress(OSError, ValueError):  # no path at all
        own_first = reversed(places) if annotations.name == LABELS else places
        return next((path for path in own_first if path.is_file()), None)
    return None


def _records(path: Path) -> Iterator[Entry | Fault]:
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
            text = normalise_text(_decoded(label))
            if encoded and text:
                offset = start + FRAME + record.index(encoded)
                yield Entry(place, name, text, str(path), offset, len(encoded))
            else:
                yield Fault(place, f"no {'label' if encoded else 'image'} in its Example")
            start += FRAME + len(record) + FOOT
    except (tf.errors.OpError, DecodeError) as error:
        raise RecordsError(
            f"{path}: broken after record {number:,} ({one_line(str(error))}); make it anew with "
            "aocr dataset"
        ) from error


def _decoded(label: bytes) -> str:
    try:
        return label.decode("utf-8")
    except UnicodeDecodeError:
        return label.decode("latin-1")  # as aocr wrote them
