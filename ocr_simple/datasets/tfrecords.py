"""Labelled images -> TFRecords, and back.

A data set is one of

- an annotation file: on each line the path of an image and its label, parted by a space, a tab or
  a comma;
- a folder that holds one, named labels.tsv;
- a TFRecord file of Examples with `image` (encoded bytes), `label` (UTF-8) and perhaps `comment`
  (the image's file name): the schema of aocr, whose files are read as they are.

What is wrong with the lines of a data set is told all at once, each with its place. TensorFlow is
needed for TFRecords alone.
"""

import contextlib
import csv
import functools
import io
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets.annotations import Entry, Fault, RecordsError, find_entries
from ocr_simple.datasets.batches import LineStream
from ocr_simple.datasets.workers import WorkerPool, in_order

SKIPPED = ".skipped.tsv"  # after the name of an output: the lines that were left out
AHEAD = 64  # items that are worked on ahead of the one to be written
CHUNK = 64  # generated lines that a process draws at a time


# --- read -------------------------------------------------------------------------------------


# --- write ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """What was written, for a report."""

    files: list[Path]
    labels: list[str]
    sizes: list[tuple[int, int]]  # width and height of each image, upright
    capitalised: int  # labels that were changed to upper case
    faults: list[Fault]  # lines that were left out

    def __str__(self) -> str:
        widths, heights = np.array(self.sizes).T
        lengths = Counter(map(len, self.labels))
        longest = max(self.labels, key=len)
        characters = "".join(sorted(set("".join(self.labels))))
        return (
            f"{len(self.labels):,} images in {', '.join(map(storage.named, self.files))}\n"
            f"labels changed to upper case: {self.capitalised:,}\n"
            f"longest label: {longest} ({len(longest)} characters)\n"
            f"alphabet: {characters} ({len(characters)} characters)\n"
            f"characters a label: {', '.join(f'{n} ({lengths[n]:,}x)' for n in sorted(lengths))}\n"
            f"widths: {widths.min()} to {widths.max()} pixels, median {np.median(widths):.0f}; "
            f"heights: {heights.min()} to {heights.max()}, median {np.median(heights):.0f}"
        )


def shard_files(output: str | os.PathLike, shards: int) -> list[Path]:
    """Where the shards of an output go: name-00000-of-00004.tfrecords; of one, the output itself.

    Raises RecordsError for a number that cannot be, or a folder that is not there.
    """
    path = Path(output)
    if not 1 <= shards <= 99_999:
        raise RecordsError(f"shards {shards}: give 1 to 99999")
    if path.is_dir() or not (storage.url_of(path) or path.parent.is_dir()):
        raise RecordsError(f"{path}: cannot be written; name a file in a folder that is there")
    names = [f"{path.stem}-{i:05}-of-{shards:05}{path.suffix}" for i in range(shards)]
    return [path.with_name(name) for name in names] if shards > 1 else [path]


class Record(NamedTuple):
    """A labelled image to be written."""

    encoded: bytes
    label: str
    name: str  # of its file, or its font; may be empty
    size: tuple[int, int]  # width and height in pixels, upright
    capitalised: bool = False  # whether its label was changed


class RecordWriter:
    """TFRecord files that are there whole, once the context is left, or not at all.

    The records are dealt to the files in turn, by the number of the line that each is of.
    """

    def __init__(self, output: str | os.PathLike, shards: int = 1):
        names = [file.name for file in shard_files(output, shards)]
        self._mirror = storage.Mirror(Path(output).parent)
        self.files = [self._mirror.path / name for name in names]
        own = uuid.uuid4().hex  # another writer of the same file may be at work
        self._partial = [file.with_name(f".{file.name}.{own}.partial") for file in self.files]
        self.labels: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.capitalised = 0

    def __enter__(self) -> "RecordWriter":
        import tensorflow as tf

        self._tf = tf
        try:
            with self._on_disk():
                self._writers = [tf.io.TFRecordWriter(str(partial)) for partial in self._partial]
        except RecordsError:
            self._remove_partial()
            raise
        return self

    def add(self, number: int, record: Record) -> None:
        """Write an Example: the encoded image, its label and, unless empty, its file's name."""
        train = self._tf.train
        contents = {
            "image": record.encoded,
            "label": record.label.encode(),
            "comment": record.name.encode(),
        }
        features = {
            key: train.Feature(bytes_list=train.BytesList(value=[value]))
            for key, value in contents.items()
            if value
        }
        example = train.Example(features=train.Features(feature=features))
        encoded = example.SerializeToString(deterministic=True)  # the same bytes in every process
        with self._on_disk():
            self._writers[number % len(self._writers)].write(encoded)
        self.labels.append(record.label)
        self.sizes.append(record.size)
        self.capitalised += record.capitalised

    def written(self, faults: list[Fault]) -> Written:
        """What was written, but for the lines with `faults`."""
        return Written(self.files, self.labels, self.sizes, self.capitalised, faults)

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            with self._on_disk():
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
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except self._tf.errors.OpError as error:
            name = storage.named(self.files[0])
            raise RecordsError(f"{name}: cannot be written ({error.message})") from error

    def _remove_partial(self) -> None:
        for partial in self._partial:
            partial.unlink(missing_ok=True)


def write_labelled(
    dataset: str | os.PathLike,
    output: str | os.PathLike,
    *,
    force_uppercase: bool = True,
    save_filename: bool = False,
    skip_bad: bool = False,
    shards: int = 1,
    on_line: Callable[[int, int], object] = lambda done, of: None,
) -> Written:
    """Write the images of a data set, as they are encoded, and their labels to TFRecords.

    on_line: called with the number of lines done, and of all.
    Raises RecordsError that lists every line which cannot be used; with `skip_bad` they are left
    out, and listed in OUTPUT.skipped.tsv.
    """
    lines, faults = find_inputs(output, dataset), []
    to_record = functools.partial(
        to_record, force_uppercase=force_uppercase, save_filename=save_filename
    )
    with RecordWriter(output, shards) as writer, ThreadPoolExecutor() as pool:
        for number, line in enumerate(in_order(pool, to_record, lines, AHEAD)):
            if isinstance(line, Fault):
                faults.append(line)
            else:
                writer.add(number, line)
            on_line(number + 1, len(lines))
        written = writer.written(faults)
        if faults and not (skip_bad and written.labels):
            raise unusable_error(dataset, written)
    if faults:
        write_skipped(output, faults)
    return written


def find_inputs(output: str | os.PathLike, dataset: str | os.PathLike) -> list[Entry | Fault]:
    """Like `find_entries`, of a data set that is not the output itself. Raises RecordsError."""
    lines = find_entries(dataset)
    if Path(output).exists() and Path(output).samefile(dataset):
        raise RecordsError(f"{output}: is the data set itself; name another output")
    return lines


def to_record(line: Entry | Fault, force_uppercase: bool, save_filename: bool) -> Record | Fault:
    """The record of an entry whose image can be decoded, or what is wrong with it."""
    if isinstance(line, Fault):
        return line
    try:
        encoded = line.encoded()
        height, width, _ = imaging.load(encoded, name=line.name, warn=False).shape
    except (OSError, imaging.ImageError) as error:
        return Fault(line.place, str(error))
    label = line.label.upper() if force_uppercase else line.label
    name = line.name if save_filename else ""
    return Record(encoded, label, name, (width, height), capitalised=label != line.label)


def unusable_error(dataset: str | os.PathLike, written: Written) -> RecordsError:
    """What is said of a data set with lines that cannot be used."""
    faults, some_can = written.faults, bool(written.labels)
    return RecordsError(
        f"{len(faults):,} of {len(faults) + len(written.labels):,} lines of {dataset} cannot be "
        "used; mend them"
        + (", or leave them out with --skip-bad:" if some_can else ":")
        + "".join(f"\n  {place}: {reason}" for place, reason in faults)
    )


def write_skipped(output: str | os.PathLike, faults: list[Fault]) -> None:
    """Write the lines that were left out to OUTPUT.skipped.tsv."""
    skipped = Path(f"{output}{SKIPPED}")
    with (
        storage.written(skipped.parent) as folder,
        open(folder / skipped.name, "w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, "excel-tab").writerows(faults)


def write_generated(
    lines: LineStream,
    count: int,
    output: str | os.PathLike,
    *,
    shards: int = 1,
    workers: int = 1,
    on_line: Callable[[int, int], object] = lambda done, of: None,
) -> Written:
    """Write the first `count` generated lines, PNG, to TFRecords; the same for any `workers`.

    The font of each stands in for its file name.
    Raises RecordsError, or DataError for lines that cannot be drawn.
    """
    if count < 1:
        raise RecordsError(f"generate {count}: give at least 1")
    if workers < 1:
        raise RecordsError(f"workers {workers}: give at least 1")
    chunks = [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    with (
        RecordWriter(output, shards) as writer,
        WorkerPool(workers, _prepare, lines) as pool,
    ):
        for (start, _), chunk in zip(chunks, in_order(pool, _draw_chunk, chunks, AHEAD)):
            for number, record in enumerate(chunk, start):
                writer.add(number, record)
                on_line(number + 1, count)
    return writer.written(faults=[])


_lines: LineStream  # of a process that draws


def _prepare(lines: LineStream) -> None:
    global _lines
    _lines = lines


def _draw_chunk(ends: tuple[int, int]) -> list[Record]:
    """The lines from one number to before another."""
    return [draw_record(_lines, k) for k in range(*ends)]


def draw_record(lines: LineStream, k: int) -> Record:
    """Generated line k as PNG. Raises DataError."""
    pixels, label, font = lines[k]
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return Record(content.getvalue(), label, Path(font).name, pixels.shape[1::-1])
