"""Data sets and readings made in shards by Apache Beam, on this machine or on many.

    aocr dataset --generate 100000 --shards 16 --runner DirectRunner lines.tfrecords
    ls scans/*.png | aocr predict --shards 16 --runner DirectRunner --output read.tsv --format tsv

A shard's file depends only on the job and on the shard's number, and is written whole or not at
all; its result is then written to OUTPUT.parts/. So an interrupted command continues with the
missing shards, and two workers may write the same shard. Beam, from requirements/beam.txt, is
imported only when a pipeline runs.
"""

import argparse
import itertools
import json
import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from aocr import beam_parts
from aocr.beam_parts import JOB, PipelineError, as_json, done_file, items_file, partial_files, write
from aocr.beam_tasks import ConvertTask, GenerateTask, PredictTask, Task
from aocr.options import RunnerOptions
from inference import Recognizer
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets.annotations import DEFAULT
from ocr_simple.datasets.entries import Fault
from ocr_simple.datasets.record_writer import WriteSummary, shard_files
from ocr_simple.datasets.tfrecords import ANY, find_inputs, unusable_error, write_skipped
from ocr_simple.datasets.usable_images import Limits
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import DatasetError
from ocr_simple.options import InferenceOptions, LabelOptions
from ocr_simple.reading_commands import Plan, summary

# --- data sets --------------------------------------------------------------------------------


def generate(lines: Lines, count: int, output: Path, how: RunnerOptions) -> WriteSummary:
    """Like `tfrecords.write_generated`, by Beam. Raises ValueError."""
    if count < 1:
        raise DatasetError(f"generate {count}: give at least 1")
    task = GenerateTask(_absolute(output), how.shards, lines, count)
    return _written(output, run_task(task, how))


def convert(
    dataset: Path,
    output: Path,
    how: RunnerOptions,
    *,
    force_uppercase: bool = True,
    save_filename: bool = False,
    skip_bad: bool = False,
    limits: Limits = ANY,
    labels: LabelOptions = DEFAULT,
) -> WriteSummary:
    """Like `tfrecords.write_labelled`, by Beam. labels: how they are read. Raises ValueError.

    Earlier files of that name are replaced shard by shard, and are gone after an error.
    """
    found = find_inputs(output, dataset, labels, how.shards)
    contents = found, force_uppercase, save_filename, limits
    task = ConvertTask(_absolute(output), how.shards, *contents)
    written = _written(output, run_task(task, how))
    if written.faults and not (skip_bad and written.labels):
        for file in written.files:
            storage.remove(file)
        raise unusable_error(dataset, written)
    write_skipped(output, written.faults)
    return written


def _written(output: Path, results: list[dict[str, Any]]) -> WriteSummary:
    """The results of all shards as one. Images take turns by shard.

    Unless rows were left out, this is the order of the inputs.
    """
    faults = sorted(fault for result in results for fault in result.get("faults", ()))
    images = [zip(result["labels"], map(tuple, result["sizes"])) for result in results]
    in_order = [image for row in itertools.zip_longest(*images) for image in row if image]
    return WriteSummary(
        shard_files(output, len(results)),
        [label for label, _ in in_order],
        [size for _, size in in_order],
        sum(result.get("capitalised", 0) for result in results),
        [Fault(place, reason) for _, place, reason in faults],
        "".join(sorted({c for result in results for c in result.get("expanded", "")})),
    )


# --- readings ---------------------------------------------------------------------------------


def predict(options: InferenceOptions, plan: Plan, output: Path, how: RunnerOptions) -> int:
    """Like `inference.run`, but into files, by Beam. Returns the exit status; raises ValueError."""
    say(f"Reading with {storage.display_name(plan.model)}", sys.stderr)
    Recognizer.of(plan.model, options)  # reports what is wrong with it before the work begins
    place = str(_absolute(Path(storage.display_name(plan.model))))  # where each worker loads it
    values = {field.name: getattr(options, field.name) for field in fields(InferenceOptions)}
    settings = InferenceOptions(**values | {"paths": (), "model": place})
    results = run_task(PredictTask(_absolute(output), how.shards, plan.images, settings), how)
    for result in results:
        for error in result["errors"]:
            say(error, sys.stderr)
    files = shard_files(output, how.shards)
    say(f"written: {', '.join(map(storage.display_name, files))}", sys.stderr)
    failed = sum(len(result["errors"]) for result in results)
    unsure = sum(result["unsure"] for result in results)
    return summary(options, len(plan.images), failed, unsure, plan.passed_over)


# --- Beam -------------------------------------------------------------------------------------


def run_task(task: Task, how: RunnerOptions) -> list[dict[str, Any]]:
    """Write the shards of a task that are missing. Returns the result of each, in order.

    Raises PipelineError, and what Beam's runner raises.
    """
    beam, options = _beam(how)
    files = shard_files(task.output, task.shards)
    parts = _open_parts(task)
    done = [parts.path / done_file(shard) for shard in range(task.shards)]
    missing = [shard for shard, file in enumerate(done) if not file.exists()]
    if len(missing) < task.shards:
        finished = task.shards - len(missing)
        print(f"{finished} of {task.shards} shards are already written", file=sys.stderr)
    if missing:
        with beam.Pipeline(runner=how.runner, options=options) as pipeline:
            # without Reshuffle a single worker would get all shards
            _ = pipeline | beam.Create(missing) | beam.Reshuffle() | beam.Map(process, task)
        parts.fetch()
    results = [beam_parts.read_result(file, task.schema) for file in done]
    if errors := [result["error"] for result in results if "error" in result]:
        for result, file in zip(results, done):
            if "error" in result:
                file.unlink()
        parts.publish()
        raise PipelineError("\n".join(dict.fromkeys(errors)))
    partial = (path for file in files for path in partial_files(file))
    for left in (*parts.path.iterdir(), *partial):
        left.unlink()
    parts.publish()
    parts.path.rmdir()
    return results


def process(shard: int, task: Task) -> int:
    """Write a shard and its result, in a worker. Returns the shard's number."""
    items = storage.local_file(task.parts / items_file(shard))
    file = shard_files(task.output, task.shards)[shard]
    try:
        result = task.write_shard(shard, beam_parts.read_items(items, task.schema), file)
    except ValueError as error:  # a mistake of the user: Beam must not try again
        result = {"error": str(error)}
    with storage.output_folder(task.parts) as folder:
        write(folder / done_file(shard), as_json(result))
    return shard


def _beam(how: RunnerOptions) -> tuple[Any, Any]:
    """Beam, and its options. Raises PipelineError."""
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise PipelineError(
            f"--runner {how.runner}: needs Apache Beam ({error}); "
            "python -m pip install --no-deps -r requirements/beam.txt"
        ) from error
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    flags = [f"--{option.lstrip('-')}" for option in how.runner_options]
    options = PipelineOptions(["--default_sdk_harness_log_level=ERROR", *flags])
    # a parser of all Beam's options, because Beam itself only logs unknown ones
    parser = argparse.ArgumentParser(allow_abbrev=False, conflict_handler="resolve", add_help=False)
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)  # type: ignore[arg-type]
    if unknown := parser.parse_known_args(flags)[1]:
        name = unknown[0].removeprefix("--").partition("=")[0]
        raise PipelineError(f"--runner-options {name}: Beam has no such option; correct its name")
    return apache_beam, options


def _open_parts(task: Task) -> storage.Mirror:
    """The folder of a task's parts, new or to continue. Raises PipelineError for another job's."""
    job = json.loads(as_json(task.job() | {"shards": task.shards}))
    parts = storage.Mirror(task.parts)
    parts.path.mkdir(exist_ok=True)
    parts.fetch()
    beam_parts.check_ours(parts.path)
    if (parts.path / JOB).exists():
        earlier = beam_parts.read_job(parts.path / JOB)
        names = sorted(job.keys() | earlier.keys())
        if differing := [name for name in names if job.get(name) != earlier.get(name)]:
            raise PipelineError(
                f"{storage.display_name(task.parts)}: belongs to an interrupted command that "
                f"differs from this one in {', '.join(differing)}; repeat that command, or remove "
                "the folder"
            )
        return parts
    for shard in range(task.shards):
        write(parts.path / items_file(shard), as_json(task.items(shard)))
    write(parts.path / JOB, as_json(job))
    parts.publish()
    return parts


def _absolute(path: Path) -> Path:
    return path if storage.url_of(path) else path.absolute()
