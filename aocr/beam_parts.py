"""The files of a Beam pipeline's parts folder: the job, and the inputs and result of each shard.

They may be changed between two runs of a command, so their shape is checked when they are read.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ocr_simple import storage
from ocr_simple.local_files import read_bytes, read_object
from ocr_simple.written_files import replacing_file

JOB = "job.json"  # beside it NNNNN.items.json and NNNNN.done.json, of each shard
NAMES = re.compile(r"job\.json|\d{5,}\.(items|done)\.json|\..*\.partial")  # of these files
MOST_BYTES = 1 << 30
REPEAT = "remove the folder, and repeat the command"


class PipelineError(ValueError):
    """A pipeline that cannot run. The message names the fix."""


def items_file(shard: int) -> str:
    """The name of the file with the inputs of a shard."""
    return f"{shard:05}.items.json"


def done_file(shard: int) -> str:
    """The name of the file with the result of a shard."""
    return f"{shard:05}.done.json"


def as_json(content: Any) -> str:
    """Content as JSON; what JSON does not know is written as text."""
    return json.dumps(content, default=str)


def write(file: Path, content: str) -> None:
    """Write a local file in one piece, even if another worker writes it too."""
    with replacing_file(file, by_several=True) as partial:
        partial.write_text(content, encoding="utf-8", errors="backslashreplace", newline="\n")


def partial_files(file: Path) -> list[Path]:
    """Unfinished copies of a local file, left by workers that were killed while writing it."""
    return list(file.parent.glob(f".{file.name}.*.partial"))


# --- what JSON must look like -----------------------------------------------------------------


def _is_list(values: Any, *kinds: type) -> bool:
    """Whether something is a list of values of these kinds, one of each."""
    return isinstance(values, list) and list(map(type, values)) == list(kinds)


def _are_texts(values: Any) -> bool:
    """Whether something is a list of texts."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _is_row(item: Any) -> bool:
    """Whether something is a row of a data set: the fields of a Fault or of an Entry."""
    if not _is_list(item, *[str] * 4, int, int, str, list):
        return _is_list(item, str, str)
    return all(isinstance(number, float) for number in item[7]) and len(item[7]) in (0, 8)


def _are_images(result: dict[str, Any]) -> bool:
    """Whether a result has a label, and a width and height, for each image."""
    labels, sizes = result.get("labels"), result.get("sizes")
    return (
        isinstance(labels, list)
        and _are_texts(labels)
        and isinstance(sizes, list)
        and len(labels) == len(sizes)
        and all(_is_list(size, int, int) for size in sizes)
    )


def _are_converted(result: dict[str, Any]) -> bool:
    """Whether a result has images, what was changed in their labels, and the rows left out."""
    faults = result.get("faults")
    return (
        _are_images(result)
        and type(result.get("capitalised")) is int
        and isinstance(result.get("expanded"), str)
        and isinstance(faults, list)
        and all(_is_list(fault, int, str, str) for fault in faults)
    )


def _are_readings(result: dict[str, Any]) -> bool:
    """Whether a result has errors, and the number of unsure lines."""
    return _are_texts(result.get("errors")) and type(result.get("unsure")) is int


class Schema(NamedTuple):
    """Which JSON can be an input, and which the result of a shard."""

    is_item: Callable[[Any], bool]
    is_result: Callable[[dict[str, Any]], bool]


DRAWN = Schema(lambda item: False, _are_images)  # generated lines, which need no input
CONVERTED = Schema(_is_row, _are_converted)  # labelled images
READ = Schema(lambda item: isinstance(item, str), _are_readings)  # images, by their paths


# --- files that are read ----------------------------------------------------------------------


def check_ours(folder: Path) -> None:
    """Raise PipelineError for a folder with files that are no parts of a pipeline."""
    for path in folder.iterdir():
        if not NAMES.fullmatch(path.name):
            raise PipelineError(
                f"{storage.display_name(path)}: is not part of a job; move it out of the folder, "
                "or name another output"
            )


def read_job(file: Path) -> dict[str, Any]:
    """What the job depends on. Raises PipelineError for a file of another shape."""
    try:
        return read_object(file, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise PipelineError(f"{error}; {REPEAT}") from error


def read_items(file: Path, schema: Schema) -> list:
    """The inputs of a shard. Raises PipelineError for a file of another shape."""
    try:
        items = json.loads(read_bytes(file, MOST_BYTES))
        if not isinstance(items, list) or not all(map(schema.is_item, items)):
            raise ValueError("not the inputs of a shard")
    except (OSError, ValueError, RecursionError) as error:
        raise PipelineError(f"{storage.display_name(file)}: {error}; {REPEAT}") from error
    return items


def read_result(file: Path, schema: Schema) -> dict[str, Any]:
    """The result of a shard. Raises PipelineError for a file of another shape."""
    result = read_job(file)
    if not isinstance(result.get("error"), str) and not schema.is_result(result):
        raise PipelineError(f"{storage.display_name(file)}: not the result of a shard; {REPEAT}")
    return result
