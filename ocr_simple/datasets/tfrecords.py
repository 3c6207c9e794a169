"""Labelled images, or generated lines -> TFRecord files: see `record_writer.py`."""

import functools
import io
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
from ocr_simple.datasets.record_writer import (
    Record,
    RecordWriter,
    WriteSummary,
    check_replaceable,
    shard_files,
)
from ocr_simple.datasets.usable_images import Limits
from ocr_simple.datasets.workers import WorkerPool, in_order
from ocr_simple.errors import DatasetError
from ocr_simple.options import LabelOptions
from ocr_simple.written_files import replacing_file

logger = logging.getLogger("ocr_simple")

SKIPPED = ".skipped.tsv"  # appended to the name of an output: the file of rows left out
AHEAD = 64  # items that are prepared before the one that is written next
CHUNK = 64  # generated lines that a process draws at a time
ANY = Limits()


# --- from a data set --------------------------------------------------------------------------


def skipped_file(output: str | os.PathLike) -> Path:
    """The file that lists the rows that were left out of an output."""
    return Path(f"{os.fspath(output)}{SKIPPED}")


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
    left out and listed in OUTPUT.skipped.tsv. Also raises it for an existing output, unless that
    is TFRecords that are not among the inputs.
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
