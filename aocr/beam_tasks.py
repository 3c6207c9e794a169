"""The work of a Beam pipeline, split into shards: what each shard's file is made from, and how.

Tasks are sent to the workers, which get the inputs of a shard from its items file.
"""

import functools
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from aocr import beam_parts
from aocr.beam_parts import Schema, as_json, write
from inference import Recognizer
from ocr_simple import storage
from ocr_simple.datasets.entries import Entry, Fault
from ocr_simple.datasets.record_writer import RecordWriter
from ocr_simple.datasets.tfrecords import ANY, draw_record, to_record
from ocr_simple.datasets.usable_images import Limits
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import InferenceOptions, LineOptions
from ocr_simple.reading_commands import reports
from ocr_simple.runs.model_files import find_language_model, find_model


@dataclass(frozen=True)
class Task(ABC):
    """Work that is split into shards. It is sent to the workers."""

    output: Path  # absolute, or a URL
    shards: int  # each with its own file: see `shard_files`

    schema: ClassVar[Schema]  # of inputs and results

    @property
    def parts(self) -> Path:
        """The folder with the items and the result of each shard."""
        return self.output.with_name(f"{self.output.name}.parts")

    @abstractmethod
    def job(self) -> dict[str, Any]:
        """All that the output depends on, as JSON: shards of one job belong together."""

    @abstractmethod
    def items(self, shard: int) -> list:
        """The inputs of a shard, as JSON, if the worker does not know them from the task."""

    @abstractmethod
    def write_shard(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Write a shard's file. Returns its result, as JSON. Raises ValueError."""


@dataclass(frozen=True)
class GenerateTask(Task):
    """TFRecords of generated lines, the same as `tfrecords.write_generated` writes."""

    lines: Lines
    count: int
    schema = beam_parts.DRAWN

    def job(self) -> dict[str, Any]:
        """All that a line depends on besides its number, and how many lines there are."""
        lines = self.lines
        options = {field.name: getattr(lines.options, field.name) for field in fields(LineOptions)}
        return options | {
            "seed": lines.seed,
            "spec": lines.spec,
            "vary": lines.augment,
            "fonts": _digest(lines.fonts),
            "texts": _digest(lines.texts.pool),
            "count": self.count,
        }

    def items(self, shard: int) -> list:
        """None: line k depends only on the seed and k."""
        return []

    def write_shard(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Draw every line of the shard."""
        with RecordWriter(file) as writer:
            for k in range(shard, self.count, self.shards):
                writer.add(k, draw_record(self.lines, k))
        return {"labels": writer.labels, "sizes": writer.sizes}


@dataclass(frozen=True)
class ConvertTask(Task):
    """TFRecords of labelled images, the same as `tfrecords.write_labelled` writes."""

    found: list[Entry | Fault]
    force_uppercase: bool
    save_filename: bool
    limits: Limits = ANY
    schema = beam_parts.CONVERTED

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"found": []}  # workers get their items

    def job(self) -> dict[str, Any]:
        """The images and labels, and how they are written."""
        return {
            "force_uppercase": self.force_uppercase,
            "save_filename": self.save_filename,
            "limits": self.limits,
            "images": _digest([(*row[:3], *getattr(row, "corners", ())) for row in self.found]),
        }

    def items(self, shard: int) -> list:
        """The rows of the shard; images in buckets by their URLs."""
        return [
            row._replace(file=storage.display_name(row.file)) if isinstance(row, Entry) else row
            for row in self.found[shard :: self.shards]
        ]

    def write_shard(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Check and write every image of the shard."""
        faults = []
        with RecordWriter(file) as writer:
            for index, item in enumerate(items):
                row = Fault(*item) if len(item) == len(Fault._fields) else Entry(*item)
                record = to_record(row, self.force_uppercase, self.save_filename, self.limits)
                if isinstance(record, Fault):
                    faults.append((index * self.shards + shard, *record))
                else:
                    writer.add(index, record)
        return {
            "labels": writer.labels,
            "sizes": writer.sizes,
            "capitalised": writer.capitalised,
            "expanded": writer.expanded,
            "faults": faults,
        }


@dataclass(frozen=True)
class PredictTask(Task):
    """The text of images, as `inference.run` prints it; each shard continues the one before."""

    paths: list[str]
    options: InferenceOptions
    schema = beam_parts.READ

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"paths": []}  # workers get their items

    def job(self) -> dict[str, Any]:
        """The options, with the contents of the files they name, and the images by their names."""
        options, language_model, crops = self.options, None, None
        if options.language_model is not None:
            language_model = zlib.crc32(find_language_model(options.language_model).read_bytes())
        if options.crops and Path(options.crops).is_file():
            crops = zlib.crc32(Path(options.crops).read_bytes())
        return asdict(options) | {
            "paths": _digest(self.paths),
            "model": zlib.crc32(find_model(options.model).read_bytes()),
            "lexicon": zlib.crc32(options.lexicon.read_bytes()) if options.lexicon else None,
            "language_model": language_model,
            "crops": [options.crops, crops],
        }

    def items(self, shard: int) -> list:
        """The images of the shard: consecutive, and as many as of any other, give or take one."""
        start, end = (len(self.paths) * i // self.shards for i in (shard, shard + 1))
        return self.paths[start:end]

    def write_shard(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Read every image of the shard."""
        lines = _recognizer(self.options).read_each(items, errors="return")
        found = list(reports(items, lines, self.options))
        rows = [report.line for report in found if report.line is not None]
        with storage.output_folder(file.parent) as folder:
            write(folder / file.name, "".join(f"{row}\n" for row in rows))
        errors = [report.error for report in found if report.error is not None]
        return {"errors": errors, "unsure": sum(not report.sure for report in found)}


@functools.lru_cache(maxsize=1)
def _recognizer(options: InferenceOptions) -> Recognizer:
    """A worker's recogniser, for all shards that it writes."""
    return Recognizer.of(find_model(options.model), options)


def _digest(items: Sequence) -> int:
    return zlib.crc32(as_json(items).encode())
