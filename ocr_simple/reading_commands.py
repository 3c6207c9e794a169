"""What `inference.py` and `aocr predict` share: the images to read, the model, the output.

Neither Keras nor TensorFlow is needed, so that mistakes are reported before they are imported.
"""

import contextlib
import glob
import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.command_line import discard_output, escape_unencodable, say
from ocr_simple.datasets.crops import load_crops
from ocr_simple.decoding.constraints import load_constraint
from ocr_simple.decoding.language_model import LanguageModel
from ocr_simple.engines.onnx_engine import resolve_engine
from ocr_simple.local_files import MOST_ROWS
from ocr_simple.messages import escape_controls, escape_json
from ocr_simple.options import EngineName, InferenceOptions
from ocr_simple.runs.model_files import TEST_IMAGES, find_language_model, find_model
from ocr_simple.spec import read_spec
from ocr_simple.text import Alphabet, Line

logger = logging.getLogger("ocr_simple")

LONGEST_NAME = 1 << 16  # characters of a name on standard input
MOST_CHARACTERS = 1 << 28  # of all of them
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # what begins with one, a spreadsheet runs


class Plan(NamedTuple):
    """What is to be read, and with which model."""

    model: Path
    images: list[str]
    passed_over: int  # other files in the folders
    engine: EngineName = "auto"  # another one, once it is known


def plan(options: InferenceOptions) -> Plan:
    """The model and the images that options name.

    Raises ValueError, also if no engine can read the model. If none of the images exists, reports
    that and raises SystemExit with status 2.
    """
    if options.safe_tsv and options.format != "tsv":
        raise ValueError(f"--safe-tsv needs --format tsv, not {options.format}")
    if options.alternatives and options.format == "aocr":
        raise ValueError(
            f"--alternatives {options.alternatives} cannot be shown in --format aocr; give "
            "--format text, tsv or json"
        )
    images, passed_over = find_images(options.paths or [os.path.relpath(TEST_IMAGES)])
    if not images:
        where = ", ".join(options.paths) or TEST_IMAGES
        raise ValueError(f"no image in {where}; name images, or folders of images")
    found = Plan(find_model(options.model), images, passed_over)
    if not any(storage.url_of(path) or os.path.lexists(path) for path in images):
        missing = [imaging.ImageError(f"{escape_controls(path)}: no such file") for path in images]
        raise SystemExit(print_readings(found, missing, options))
    spec = read_spec(found.model)
    # reports what is wrong with them
    constraint = load_constraint(options.lexicon, options.pattern, Alphabet(spec.alphabet))
    if options.crops is not None:
        if any(crops := load_crops(options.crops)):
            say(f"{options.crops}: {crops.about(images)}", sys.stderr)
    elif spec.crop:
        say(
            f"Images of {spec.crop} are read in the model's box; --crops none reads whole images",
            sys.stderr,
        )
    if options.language_model is not None:
        LanguageModel.load(find_language_model(options.language_model), spec, constraint)
    return found._replace(engine=resolve_engine(found.model, options.engine))


def print_readings(
    plan: Plan, lines: Iterable[Line | imaging.ImageError], options: InferenceOptions
) -> int:
    """Print what was read in each image, and the errors on standard error. Returns the status."""
    failed = unsure = 0
    for report in reports(plan.images, lines, options):
        if report.error is not None:
            failed += 1
            say(report.error, sys.stderr)
        unsure += not report.sure
        if report.line is not None:
            print(report.line, flush=not sys.stdout.isatty())
    return summary(options, len(plan.images), failed, unsure, plan.passed_over)


@contextlib.contextmanager
def piped() -> Iterator[None]:
    """Standard input and output for names that need not be UTF-8, and readers that stop early."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    escape_unencodable(sys.stdout)
    try:
        yield
    except BrokenPipeError:  # `| head` is done
        discard_output()


def find_images(paths: Iterable[str]) -> tuple[list[str], int]:
    """(image files in `paths`, folders searched in order of name; number of other files there).

    Hidden files, and those that an operating system puts into folders, are neither. A path may be a
    pattern, such as 'scans/*.png', in quotes that keep the shell from replacing it.
    """
    found, passed_over = [], 0
    for path in _expanded(paths):
        if path == "-":
            found += _names_on_standard_input()
        elif (url := storage.url_of(path)) and (inside := storage.list_files(url)):
            inside = [name for name in inside if not storage.is_hidden(name)]
            images = [name for name in inside if Path(name).suffix.lower() in imaging.EXTENSIONS]
            passed_over += len(inside) - len(images)
            found += [f"{url}/{name}" for name in images]
        elif os.path.isdir(path):
            files = sorted(
                Path(folder, name)
                for folder, _, names in os.walk(path, onerror=_not_searched)
                for name in names
                if not storage.is_hidden(os.path.join(os.path.relpath(folder, path), name))
            )
            named = [str(p) for p in files if p.suffix.lower() in imaging.EXTENSIONS]
            passed_over += len(files) - len(named)
            found += named
        else:
            found.append(path)
    return found, passed_over


def _names_on_standard_input() -> list[str]:
    """The names, one per row; blank rows are left out. Raises ValueError for what has no end."""
    names, rows, characters = [], 0, 0
    while row := sys.stdin.readline(LONGEST_NAME + 1):
        rows, characters = rows + 1, characters + len(row)
        if len(row) > LONGEST_NAME:
            raise ValueError(
                f"standard input: row {rows:,} has over {LONGEST_NAME:,} characters; write one "
                "file name per row"
            )
        if rows > MOST_ROWS or characters > MOST_CHARACTERS:
            raise ValueError(
                f"standard input: over {MOST_ROWS:,} rows, or {MOST_CHARACTERS:,} characters; "
                "name fewer images at a time"
            )
        if name := row.rstrip("\r\n"):
            names.append(name)
    return names


def _expanded(paths: Iterable[str]) -> Iterator[str]:
    """The paths, and what is there for a pattern; one for which nothing is stays as it is."""
    for path in paths:
        found = not os.path.lexists(path) and not storage.url_of(path) and sorted(glob.glob(path))
        yield from found or [path]


def _not_searched(error: OSError) -> None:
    logger.warning(
        "%s: the folder cannot be searched (%s)", escape_controls(error.filename), error.strerror
    )


def format_line(
    path: str, line: Line, style: str, min_confidence: float = 0.0, safe: bool = False,
    alternatives: int = 0,
) -> str:  # fmt: skip
    """One row of output, without its end, in the style of `--format`.

    With a `min_confidence` it says whether the line is that sure: text and aocr mark lines that
    are not, tsv has one more column, json one more entry. safe: for tsv, see `--safe-tsv`.
    alternatives: how many were asked for; tsv has two more columns for each, text and confidence.
    """
    sure = line.confidence >= min_confidence
    text = escape_controls(line.text)
    if style == "text":
        note = "" if sure else ", unsure"
        others = ", ".join(f"{escape_controls(t)} {share:.1%}" for t, share in line.alternatives)
        note += others and f"; or {others}"
        return f"{escape_controls(path)}: {text}  ({line.confidence:.1%}{note})"
    if style == "aocr":
        return f"result: {'ok' if sure else 'unsure'} {line.confidence:.2f} {text}"
    if style == "tsv":
        row = f"{_cell(path, safe)}\t{_cell(line.text, safe)}\t{line.confidence:.5f}"
        row += ("\tsure" if sure else "\tunsure") * (min_confidence > 0)
        cells = "".join(f"\t{_cell(t, safe)}\t{share:.5f}" for t, share in line.alternatives)
        return row + cells + "\t\t" * (alternatives - len(line.alternatives))
    characters = [
        {
            "text": c.text,
            "confidence": round(c.confidence, 5),
            "start": round(c.start, 1),
            "end": round(c.end, 1),
        }
        for c in line.characters
    ]
    objects = [{"text": t, "confidence": round(share, 5)} for t, share in line.alternatives]
    content = json.dumps(
        {
            "path": path,
            "text": line.text,
            "confidence": round(line.confidence, 5),
            **({"sure": sure} if min_confidence > 0 else {}),
            **({"turned": line.turned} if line.turned else {}),
            "characters": characters,
            **({"alternatives": objects} if alternatives else {}),
        },
        ensure_ascii=False,
        allow_nan=False,
    )
    return escape_json(content)


def _cell(text: str, safe: bool) -> str:
    """A cell of TSV; safe: one that no spreadsheet runs."""
    guard = "'" if safe and text.startswith(FORMULA) else ""
    return guard + escape_controls(text.replace("\\", "\\\\"))


class Report(NamedTuple):
    """What is printed about an image."""

    line: str | None  # on standard output
    error: str | None  # why it could not be read
    sure: bool


def reports(
    paths: Iterable[str], lines: Iterable[Line | imaging.ImageError], options: InferenceOptions
) -> Iterator[Report]:
    """What is printed about each image, in order; lines: what was read in them."""
    for path, line in zip(paths, lines):
        if isinstance(line, imaging.ImageError):
            # aocr prints a row for each file, so that programs can match them
            failed = f"result: err opening file {escape_controls(path)}"
            yield Report(failed if options.format == "aocr" else None, str(line), True)
        else:
            how = options.format, options.min_confidence, options.safe_tsv, options.alternatives
            row = format_line(path, line, *how)
            yield Report(row, None, line.confidence >= options.min_confidence)


def summary(
    options: InferenceOptions, images: int, failed: int, unsure: int, passed_over: int
) -> int:
    """Report on standard error what was not read, or not surely. Returns the exit status.

    0: all images were read; 1: some could not be read; 2: none could.
    """
    if passed_over:
        print(f"files skipped that are not images: {passed_over}", file=sys.stderr)
    if options.min_confidence:
        print(f"unsure: {unsure} of {images - failed} images", file=sys.stderr)
    if failed:
        print(f"{failed} of {images} images could not be read", file=sys.stderr)
    return 0 if not failed else 1 if failed < images else 2
