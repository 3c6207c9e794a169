"""TFRecord files, written whole or not at all, and what was written to them.

Each record is an Example with `image` (encoded bytes), `label` (UTF-8) and optionally `comment`
(the image's file name), the schema of aocr (github.com/emedvedev/attention-ocr). See
`records.py` for reading them. TensorFlow is imported when a file is written.
"""

import contextlib
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ocr_simple import storage
from ocr_simple.datasets.entries import Fault
from ocr_simple.datasets.records import is_tfrecords
from ocr_simple.errors import DatasetError
from ocr_simple.network.backend import import_tensorflow

GZIP_SUFFIX = ".gz"  # of files that are compressed


@dataclass(frozen=True)
class WriteSummary:
    """What was written. str() describes it for messages."""

    files: list[Path]
    labels: list[str]
    sizes: list[tuple[int, int]]  # width and height of each image, upright
    capitalised: int  # labels that were changed to upper case
    faults: list[Fault]  # rows that were left out
    expanded: str = ""  # characters whose upper case is several, such as ß

    def __str__(self) -> str:
        widths, heights = np.array(self.sizes).T
        lengths = Counter(map(len, self.labels))
        longest = max(self.labels, key=len)
        counts = ", ".join(f"{n} ({lengths[n]:,}x)" for n in sorted(lengths))
        characters = "".join(sorted(set("".join(self.labels))))
        longer = ", ".join(f"{character} became {character.upper()}" for character in self.expanded)
        return (
            f"{len(self.labels):,} images in {', '.join(map(storage.display_name, self.files))}\n"
            f"labels changed to upper case: {self.capitalised:,}"
            f"{f' ({longer}; --no-force-uppercase keeps labels)' if longer else ''}\n"
            f"longest label: {longest} ({len(longest)} characters)\n"
            f"alphabet: {characters} ({len(characters)} characters)\n"
            f"characters per label: {counts}\n"
            f"widths: {widths.min()} to {widths.max()} pixels, median {np.median(widths):.0f}; "
            f"heights: {heights.min()} to {heights.max()}, median {np.median(heights):.0f}"
        )


def shard_files(output: str | os.PathLike, shards: int) -> list[Path]:
    """The files of an output: name-00000-of-00004.tfrecords and so on, or one by its name.

    Raises DatasetError for an impossible number of shards, or a folder that does not exist.
    """
    path = Path(output)
    if not 1 <= shards <= 99_999:
        raise DatasetError(f"--shards {shards}: give 1 to 99999")
    if path.is_dir() or not (storage.url_of(path) or path.parent.is_dir()):
        raise DatasetError(f"{path}: cannot be written; name a file in an existing folder")
    end = "".join(path.suffixes[-2:]) if path.suffix == GZIP_SUFFIX else path.suffix
    stem = path.name.removesuffix(end)
    names = [f"{stem}-{i:05}-of-{shards:05}{end}" for i in range(shards)]
    return [path.with_name(name) for name in names] if shards > 1 else [path]


def check_replaceable(output: str | os.PathLike, shards: int = 1) -> None:
    """Raise DatasetError for a file of an output that is there, and is anything but TFRecords."""
    for file in shard_files(output, shards):
        url = storage.url_of(file)
        if not (storage.is_file(url) if url else os.path.exists(file)):
            continue
        if not url and not os.path.isfile(file):
            raise DatasetError(f"{file}: is a pipe or device; name a file to write")
        if (url or os.path.getsize(file)) and not is_tfrecords(file):
            raise DatasetError(
                f"{url or file}: already exists and is not a TFRecord file, so it is not "
                "overwritten; name another output, such as lines.tfrecords"
            )


class Record(NamedTuple):
    """A labelled image to write."""

    encoded: bytes
    label: str
    name: str  # the image's file name, or the font of a generated line; may be empty
    size: tuple[int, int]  # width and height in pixels, upright
    capitalised: bool = False  # whether its label was changed to upper case
    expanded: str = ""  # its characters whose upper case is several, such as ß


class RecordWriter:
    """Writes TFRecord files, a context manager: they are complete when it ends without an error.

    After an error, no file is written and existing ones are unchanged. Record number n goes to file
    n % shards. Files whose names end in .gz are compressed. Raises DatasetError for an existing
    file that is not TFRecords.
    """

    def __init__(self, output: str | os.PathLike, shards: int = 1):
        names = [file.name for file in shard_files(output, shards)]
        check_replaceable(output, shards)
        self._mirror = storage.Mirror(Path(output).parent)
        self.files = [self._mirror.path / name for name in names]
        unique = uuid.uuid4().hex  # another process may be writing the same files
        self._partial = [file.with_name(f".{file.name}.{unique}.partial") for file in self.files]
        self.labels: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.capitalised = 0
        self.expanded = ""

    def __enter__(self) -> "RecordWriter":
        self._tf = tf = import_tensorflow()
        try:
            with self._disk_errors():
                self._writers = [
                    tf.io.TFRecordWriter(str(partial), "GZIP" if file.suffix == GZIP_SUFFIX else "")
                    for partial, file in zip(self._partial, self.files)
                ]
        except DatasetError:
            self._remove_partial()
            raise
        return self

    def add(self, number: int, record: Record) -> None:
        """Write a record to the file of its number."""
        train = self._tf.train
        contents = {
            "image": record.encoded,
            "label": record.label.encode(),
            "comment": record.name.encode(errors="backslashreplace"),
        }
        features = {
            key: train.Feature(bytes_list=train.BytesList(value=[value]))
            for key, value in contents.items()
            if value or key == "label"  # an empty one means that there is nothing to read
        }
        example = train.Example(features=train.Features(feature=features))
        encoded = example.SerializeToString(deterministic=True)  # equal bytes in every process
        with self._disk_errors():
            self._writers[number % len(self._writers)].write(encoded)
        self.labels.append(record.label)
        self.sizes.append(record.size)
        self.capitalised += record.capitalised
        self.expanded = "".join(sorted({*self.expanded, *record.expanded}))

    def summary(self, faults: list[Fault]) -> WriteSummary:
        """What has been written, if the rows with `faults` were left out."""
        counts = self.capitalised, faults, self.expanded
        return WriteSummary(self.files, self.labels, self.sizes, *counts)

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            with self._disk_errors():
                for writer in self._writers:
                    writer.close()
            if kind is None:
                for partial, file in zip(self._partial, self.files, strict=True):
                    os.replace(partial, file)
        finally:
            self._remove_partial()
        if kind is None:
            self._mirror.publish()

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """TensorFlow's errors in it are raised as DatasetError."""
        try:
            yield
        except self._tf.errors.OpError as error:
            name = storage.display_name(self.files[0])
            raise DatasetError(f"{name}: cannot be written ({error.message})") from error

    def _remove_partial(self) -> None:
        for partial in self._partial:
            partial.unlink(missing_ok=True)
