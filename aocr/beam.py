"""Data sets and readings made in shards by Apache Beam, on this machine or on many.

    aocr dataset --generate 100000 --shards 16 --runner DirectRunner lines.tfrecords
    ls scans/*.png | aocr predict --shards 16 --runner DirectRunner --output read.tsv --format tsv

A shard's file depends on the request and on the shard's number alone, and is in place whole or not
at all; what became of it is written down after it, in OUTPUT.parts/. So a command that was stopped
goes on with the shards that are lacking, and two workers at the same one do no harm. Beam is
imported to run only; requirements/beam.txt has it.
"""

import functools
import itertools
import json
import logging
import os
import shutil
import sys
import uuid
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from aocr.options import RunnerOptions
from inference import Recognizer
from ocr_simple import storage
from ocr_simple.datasets.annotations import Entry, Fault, RecordsError
from ocr_simple.datasets.tfrecords import (
    RecordWriter,
    Written,
    draw_record,
    find_inputs,
    shard_files,
    to_record,
    unusable_error,
    write_skipped,
)
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import InferenceOptions, LineOptions
from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.readings import Plan, reports, summary

JOB = "job.json"  # the request; beside it NNNNN.items.json and NNNNN.done.json


class PipelineError(ValueError):
    """A pipeline that cannot run. The message names the mend."""


@dataclass(frozen=True)
class Task(ABC):
    """Work that is dealt to shards; it is sent to the workers."""

    output: Path  # absolute, or a URL
    shards: int  # each with a file of its own: shard_files

    @property
    def parts(self) -> Path:
        """The folder of what is to be done, and of what became of it."""
        return self.output.with_name(f"{self.output.name}.parts")

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """What must be the same for shards to belong together; for JSON."""

    @abstractmethod
    def items(self, shard: int) -> list:
        """What a shard is made of, where the task itself does not say it; for JSON."""

    @abstractmethod
    def make(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Write a shard's file. Returns what became of it, for JSON; raises ValueError."""


# --- data sets --------------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerateTask(Task):
    """TFRecords of generated lines, as `tfrecords.write_generated` writes them."""

    lines: Lines
    count: int

    def request(self) -> dict[str, Any]:
        """All that a line depends on but its number, and how many there are."""
        lines = self.lines
        options = {field.name: getattr(lines.options, field.name) for field in fields(LineOptions)}
        vary = lines.augmentation is not None
        fonts, texts = _digest(lines.fonts), _digest(lines.texts.pool)
        own = {"seed": lines.seed, "spec": lines.spec, "vary": vary, "fonts": fonts, "texts": texts}
        return options | own | {"count": self.count}

    def items(self, shard: int) -> list:
        """None, as line k is a function of the seed and k."""
        return []

    def make(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Draw each line that is dealt to the shard."""
        with RecordWriter(file) as writer:
            for k in range(shard, self.count, self.shards):
                writer.add(k, draw_record(self.lines, k))
        return {"labels": writer.labels, "sizes": writer.sizes}


@dataclass(frozen=True)
class ConvertTask(Task):
    """TFRecords of labelled images, as `tfrecords.write_labelled` writes them."""

    found: list[Entry | Fault]
    force_uppercase: bool
    save_filename: bool

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"found": []}  # workers have their `items`

    def request(self) -> dict[str, Any]:
        """The data set, and how it is written."""
        how = {"force_uppercase": self.force_uppercase, "save_filename": self.save_filename}
        return how | {"images": _digest([line[:3] for line in self.found])}

    def items(self, shard: int) -> list:
        """The lines that are dealt to the shard; for images in buckets their URLs."""
        return [
            line._replace(file=storage.named(line.file)) if isinstance(line, Entry) else line
            for line in self.found[shard :: self.shards]
        ]

    def make(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Check and write each image."""
        faults = []
        with RecordWriter(file) as writer:
            for turn, item in enumerate(items):
                line = Fault(*item) if len(item) == len(Fault._fields) else Entry(*item)
                record = to_record(line, self.force_uppercase, self.save_filename)
                if isinstance(record, Fault):
                    faults.append((turn * self.shards + shard, *record))
                else:
                    writer.add(turn, record)
        done = {"labels": writer.labels, "sizes": writer.sizes, "capitalised": writer.capitalised}
        return done | {"faults": faults}


def generate(lines: Lines, count: int, output: Path, how: RunnerOptions) -> Written:
    """As `tfrecords.write_generated`, by Beam. Raises ValueError."""
    if count < 1:
        raise RecordsError(f"generate {count}: give at least 1")
    return _written(output, run(GenerateTask(_absolute(output), how.shards, lines, count), how))


def convert(
    dataset: Path,
    output: Path,
    how: RunnerOptions,
    *,
    force_uppercase: bool = True,
    save_filename: bool = False,
    skip_bad: bool = False,
) -> Written:
    """As `tfrecords.write_labelled`, by Beam. Raises ValueError."""
    found = find_inputs(output, dataset)
    task = ConvertTask(_absolute(output), how.shards, found, force_uppercase, save_filename)
    written = _written(output, run(task, how))
    if written.faults and not (skip_bad and written.labels):
        for file in written.files:
            storage.remove(file)
        raise unusable_error(dataset, written)
    if written.faults:
        write_skipped(output, written.faults)
    return written


def _written(output: Path, done: list[dict[str, Any]]) -> Written:
    """What the shards hold together, in the order of their lines."""
    faults = sorted(fault for shard in done for fault in shard.get("faults", ()))
    images = [zip(shard["labels"], map(tuple, shard["sizes"])) for shard in done]
    in_turn = [image for turn in itertools.zip_longest(*images) for image in turn if image]
    return Written(
        shard_files(output, len(done)),
        [label for label, _ in in_turn],
        [size for _, size in in_turn],
        sum(shard.get("capitalised", 0) for shard in done),
        [Fault(place, reason) for _, place, reason in faults],
    )


# --- readings ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PredictTask(Task):
    """What images say, as `inference.run` prints it; the shards follow each other in order."""

    paths: list[str]
    options: InferenceOptions

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"paths": []}  # workers have their `items`

    def request(self) -> dict[str, Any]:
        """The images by their names, model and lexicon by their contents, and how it reads."""
        options = self.options
        model = zlib.crc32(find_model(options.model).read_bytes())
        words = zlib.crc32(options.lexicon.read_bytes()) if options.lexicon else None
        own = {"paths": _digest(self.paths), "model": model, "lexicon": words}
        return asdict(options) | own

    def items(self, shard: int) -> list:
        """The shard's images, as many as any other's or one more."""
        start, end = (len(self.paths) * i // self.shards for i in (shard, shard + 1))
        return self.paths[start:end]

    def make(self, shard: int, items: list, file: Path) -> dict[str, Any]:
        """Read each image."""
        recognizer = _recognizer(self.options)
        lines = recognizer.read_each(items, errors="return")
        said = list(reports(items, lines, self.options))
        with storage.written(file.parent) as folder:
            _write(folder / file.name, "".join(f"{s.line}\n" for s in said if s.line is not None))
        errors = [s.error for s in said if s.error is not None]
        return {"errors": errors, "unsure": sum(not s.sure for s in said)}


@functools.lru_cache(maxsize=1)
def _recognizer(options: InferenceOptions) -> Recognizer:
    """A worker's recogniser, for all shards that it makes."""
    return Recognizer.of(find_model(options.model), options)


def predict(options: InferenceOptions, plan: Plan, output: Path, how: RunnerOptions) -> int:
    """Like `inference.run`, but into files, by Beam. Returns the exit status; raises ValueError."""
    print(f"Reading with {storage.named(plan.model)}", file=sys.stderr)
    Recognizer.of(plan.model, options)  # what is wrong with it is reported before work begins
    place = str(_absolute(Path(storage.named(plan.model))))  # each worker loads it
    settings = {field.name: getattr(options, field.name) for field in fields(InferenceOptions)}
    asked = InferenceOptions(**settings | {"paths": (), "model": place})
    done = run(PredictTask(_absolute(output), how.shards, plan.images, asked), how)
    for shard in done:
        for error in shard["errors"]:
            print(error, file=sys.stderr)
    files = shard_files(output, how.shards)
    print(f"written: {', '.join(map(storage.named, files))}", file=sys.stderr)
    failed = sum(len(shard["errors"]) for shard in done)
    unsure = sum(shard["unsure"] for shard in done)
    return summary(options, len(plan.images), failed, unsure, plan.passed_over)


# --- Beam -------------------------------------------------------------------------------------


def run(task: Task, how: RunnerOptions) -> list[dict[str, Any]]:
    """Make the shards of a task that are not there yet. Returns what became of each, in order.

    Raises PipelineError, and what Beam's runner raises.
    """
    beam, options = _beam(how)
    files = shard_files(task.output, task.shards)
    parts = _claim(task)
    reports = [parts.path / _report(shard) for shard in range(task.shards)]
    lacking = [shard for shard, report in enumerate(reports) if not report.exists()]
    if len(lacking) < task.shards:
        made = task.shards - len(lacking)
        print(f"{made} of {task.shards} shards are there already", file=sys.stderr)
    if lacking:
        with beam.Pipeline(runner=how.runner, options=options) as pipeline:
            # reshuffled, or a single worker would get all that is created
            _ = pipeline | beam.Create(lacking) | beam.Reshuffle() | beam.Map(make, task)
        parts.fetch()
    done = [json.loads(report.read_text(encoding="utf-8")) for report in reports]
    if errors := [shard["error"] for shard in done if "error" in shard]:
        for shard, report in zip(done, reports):
            if "error" in shard:
                report.unlink()
        parts.publish()
        raise PipelineError("\n".join(dict.fromkeys(errors)))
    for left in (*parts.path.iterdir(), *(p for file in files for p in _partial_of(file))):
        left.unlink()
    parts.publish()
    shutil.rmtree(parts.path)
    return done


def make(shard: int, task: Task) -> int:
    """Make a shard, and write down what became of it. Returns its number."""
    items = storage.local(task.parts / _items(shard)).read_text(encoding="utf-8")
    file = shard_files(task.output, task.shards)[shard]
    try:
        became = task.make(shard, json.loads(items), file)
    except ValueError as error:  # the request's fault: to try again, as Beam would, is of no use
        became = {"error": str(error)}
    with storage.written(task.parts) as folder:
        _write(folder / _report(shard), _json(became))
    return shard


def _beam(how: RunnerOptions) -> tuple[Any, Any]:
    """Beam, and its options. Raises PipelineError."""
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise PipelineError(
            f"runner {how.runner}: needs Apache Beam ({error}); "
            "python -m pip install --no-deps -r requirements/beam.txt"
        ) from error
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    flags = [f"--{option.lstrip('-')}" for option in how.runner_options]
    options = PipelineOptions(["--default_sdk_harness_log_level=ERROR", *flags])
    known = options.get_all_options()
    for flag in flags:
        if (name := flag.removeprefix("--").partition("=")[0]) not in known:
            raise PipelineError(f"runner-options {name}: Beam has none of that name")
    return apache_beam, options


def _claim(task: Task) -> storage.Mirror:
    """The folder of a task's parts, begun or gone on with. Raises PipelineError for another's."""
    request = json.loads(_json(task.request() | {"shards": task.shards}))
    parts = storage.Mirror(task.parts)
    parts.path.mkdir(exist_ok=True)
    parts.fetch()
    if (parts.path / JOB).exists():
        begun = json.loads((parts.path / JOB).read_text(encoding="utf-8"))
        names = sorted(request.keys() | begun.keys())
        if differing := [name for name in names if request.get(name) != begun.get(name)]:
            raise PipelineError(
                f"{storage.named(task.parts)}: holds a command that did not come to its end, and "
                f"this one differs in {', '.join(differing)}; give that one, or remove the folder"
            )
        return parts
    for shard in range(task.shards):
        _write(parts.path / _items(shard), _json(task.items(shard)))
    _write(parts.path / JOB, _json(request))
    parts.publish()
    return parts


def _absolute(path: Path) -> Path:
    return path if storage.url_of(path) else path.absolute()


def _items(shard: int) -> str:
    return f"{shard:05}.items.json"


def _report(shard: int) -> str:
    return f"{shard:05}.done.json"


def _write(file: Path, content: str) -> None:
    """Write a local file in one piece, whoever else writes it."""
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}.partial")
    partial.write_text(content, encoding="utf-8", errors="backslashreplace", newline="\n")
    os.replace(partial, file)


def _partial_of(file: Path) -> list[Path]:
    """What workers left that were killed while they wrote a local file."""
    return list(file.parent.glob(f".{file.name}.*.partial"))


def _json(content: Any) -> str:
    return json.dumps(content, default=str)


def _digest(items: Sequence) -> int:
    return zlib.crc32(_json(items).encode())
