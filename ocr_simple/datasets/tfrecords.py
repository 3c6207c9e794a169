"""TFRecord files of labelled images: written from a data set, or from generated lines.

Each record is an Example with `image` (encoded bytes), `label` (UTF-8) and optionally `comment`
(the image's file name), the schema of aocr (github.com/emedvedev/attention-ocr). See
`records.py` for reading them. TensorFlow is imported when a file is written.
"""

import contextlib
import functools
import io
import logging
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets.annotations import DEFAULT, find_dataset
from ocr_simple.datasets.batches import LineStream
from ocr_simple.datasets.crops import encoded_line
from ocr_simple.datasets.entries import (
    Entry,
    Fault,
    check_outside,
    fault_list,
    image_fault,
    write_faults,
)
from ocr_simple.datasets.labelled_lines import Limits
from ocr_simple.datasets.records import is_tfrecords
from ocr_simple.datasets.workers import WorkerPool, in_order
from ocr_simple.errors import DatasetError
from ocr_simple.network.backend import import_tensorflow
from ocr_simple.options import LabelOptions
from ocr_simple.written_files import replacing_file

logger = logging.getLogger("ocr_simple")

GZIP_SUFFIX = ".gz"  # of files that are compressed
SKIPPED = ".skipped.tsv"  # appended to the name of an output: the file of rows left out
AHEAD = 64  # items that are prepared before the one that is written next
CHUNK = 64  # generated lines that a process draws at a time
ANY = Limits()


@dataclass(frozen=True)
class WriteSummary:
    """What was written. str() describes it for people."""

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


def skipped_file(output: str | os.PathLike) -> Path:
    """The file that lists the rows that were left out of an output."""
    return Path(f"{os.fspath(output)}{SKIPPED}")


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
                f"{url or file}: is there already, and is not TFRecords, so it is not replaced; "
                "name another output, such as lines.tfrecords"
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


# --- from a data set --------------------------------------------------------------------------


def find_inputs(
    output: str | os.PathLike,
    dataset: str | os.PathLike,
    how: LabelOptions = DEFAULT,
    shards: int = 1,
) -> list[Entry | Fault]:
    """As `find_entries`. Raises DatasetError, also for an output that would replace a user's file.

    Such a file is one of the data set, or in its folder, or any other that is not TFRecords.
    """
    found = find_dataset(dataset, how)
    for file in (*shard_files(output, shards), skipped_file(output)):
        if not storage.url_of(file):
            check_outside(file, dataset, found.rows)
    check_replaceable(output, shards)
    logger.info("%s", found)
    return found.rows


def to_record(
    row: Entry | Fault, force_uppercase: bool, save_filename: bool, limits: Limits = ANY
) -> Record | Fault:
    """The record of an entry.

    A fault for one whose image cannot be decoded, or that a model of such `limits` cannot learn.
    """
    if isinstance(row, Fault):
        return row
    try:
        encoded = encoded_line(row)
        height, width, _ = imaging.load(encoded, name=row.name, warn=False).shape
    except (OSError, imaging.ImageError) as error:
        return image_fault(row, error)
    label = row.label.upper() if force_uppercase else row.label
    if reason := limits.why_unusable((width, height), label):
        return Fault(row.place, reason)
    name = row.name if save_filename else ""
    longer = {c for c in row.label if len(c.upper()) > 1} if force_uppercase else ""
    changed = label != row.label
    return Record(encoded, label, name, (width, height), changed, "".join(sorted(longer)))


def unusable_error(dataset: str | os.PathLike, written: WriteSummary) -> DatasetError:
    """The error that lists the rows of a data set that cannot be used."""
    count = len(written.faults)
    fix = "correct them, or leave them out with --skip-bad" if written.labels else "correct them"
    return DatasetError(
        f"{count:,} of {count + len(written.labels):,} rows of {dataset} cannot be used; {fix}:"
        + fault_list(written.faults)
    )


def write_skipped(output: str | os.PathLike, faults: list[Fault]) -> None:
    """List the rows that were left out in OUTPUT.skipped.tsv; without any, remove that file."""
    skipped = skipped_file(output)
    if not faults:
        storage.remove(skipped)  # of an earlier time
        return
    with (
        storage.output_folder(skipped.parent) as folder,
        replacing_file(folder / skipped.name, by_several=True) as partial,
        open(partial, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        write_faults(file, faults)


def write_labelled(
    dataset: str | os.PathLike,
    output: str | os.PathLike,
    *,
    force_uppercase: bool = True,
    save_filename: bool = False,
    skip_bad: bool = False,
    limits: Limits = ANY,
    how: LabelOptions = DEFAULT,
    shards: int = 1,
    on_line: Callable[[int, int], object] = lambda done, of: None,
) -> WriteSummary:
    """Write the images of a data set, their bytes unchanged, and their labels to TFRecords.

    limits: of the model to be trained; what it cannot learn cannot be used. how: labels are read.
    on_line: called with the number of rows done and the number of all rows.
    Raises DatasetError that lists every row that cannot be used. With `skip_bad` these rows are
    left out and listed in OUTPUT.skipped.tsv. Raises it too for an output that is there already,
    unless that is TFRecords of other images.
    """
    found, faults = find_inputs(output, dataset, how, shards), []
    convert = functools.partial(
        to_record, force_uppercase=force_uppercase, save_filename=save_filename, limits=limits
    )
    with RecordWriter(output, shards) as writer, ThreadPoolExecutor() as pool:
        for number, record in enumerate(in_order(pool, convert, found, AHEAD)):
            if isinstance(record, Fault):
                faults.append(record)
            else:
                writer.add(number, record)
            on_line(number + 1, len(found))
        written = writer.summary(faults)
        if faults and not (skip_bad and written.labels):
            raise unusable_error(dataset, written)
    write_skipped(output, faults)
    return written


# --- from generated lines ---------------------------------------------------------------------


_lines: LineStream  # in a worker process: the lines that it draws


def _prepare_worker(lines: LineStream) -> None:
    global _lines
    _lines = lines


def _draw_chunk(chunk: range) -> list[Record]:
    return [draw_record(_lines, k) for k in chunk]


def draw_record(lines: LineStream, k: int) -> Record:
    """Generated line k as PNG, named after its font. Raises LineError."""
    pixels, label, font = lines[k]
    content = io.BytesIO()
    imaging.as_picture(pixels).save(content, "PNG")
    return Record(content.getvalue(), label, Path(font).name, pixels.shape[1::-1])


def write_generated(
    lines: LineStream,
    count: int,
    output: str | os.PathLike,
    *,
    shards: int = 1,
    workers: int = 1,
    on_line: Callable[[int, int], object] = lambda done, of: None,
) -> WriteSummary:
    """Write the first `count` generated lines to TFRecords; the same for any number of `workers`.

    on_line: called with the number of lines done and the number of all lines.
    Raises DatasetError, or LineError for lines that cannot be drawn.
    """
    if count < 1:
        raise DatasetError(f"generate {count}: give at least 1")
    if workers < 1:
        raise DatasetError(f"workers {workers}: give at least 1")
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    with (
        RecordWriter(output, shards) as writer,
        WorkerPool(workers, _prepare_worker, lines) as pool,
    ):
        for chunk, records in zip(chunks, in_order(pool, _draw_chunk, chunks, AHEAD)):
            for number, record in zip(chunk, records):
                writer.add(number, record)
                on_line(number + 1, count)
    return writer.summary(faults=[])
