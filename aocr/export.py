"""`aocr export`: write a model in the formats that services, programs and phones load.

    aocr export exported --model digits --format all
    aocr export exported --model checkpoints --format onnx
    aocr export exported --model checkpoints --format web

Every export is checked against the Keras model on about forty images, of all widths, colours and
formats, one by one and in a batch. On a mismatch nothing is written, and files of an earlier
export stay as they were.
"""

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aocr import export_files, kept_box
from aocr.export_readme import SAVEDMODEL, earlier_exports, readme_text
from aocr.kept_constraint import APPLIED, Kept, to_keep
from aocr.model_accuracy import measured_accuracy, validation_of
from aocr.options import ExportOptions
from aocr.parity import (
    ExportError,
    Parity,
    Sample,
    allowed_samples,
    camera_sample,
    compare,
    samples,
)
from aocr.server.versions import is_version
from aocr.web import browser
from aocr.web.folder import check_runtime
from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.boxes import CameraBox
from ocr_simple.command_line import say
from ocr_simple.datasets import crops
from ocr_simple.decoding.beam_search import BEAM_WIDTH
from ocr_simple.engines.onnx_writer import without_cudnn
from ocr_simple.messages import reason_of
from ocr_simple.network.backend import backend, standard_error_closed
from ocr_simple.runs import devices
from ocr_simple.runs.model_files import BEST, LAST, find_model
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.text import Line
from ocr_simple.written_files import is_disk_full, staged

if TYPE_CHECKING:  # they import TensorFlow: see `export`
    from aocr.formats import Format

WEB = "web"  # not part of "all": it needs a runtime that is installed by another command
CODE = Path(__file__).resolve().parent  # where reader.py and reader_constraint.py are
OBEYING = ("reader", "page")  # what reads with a constraint and a box when an export is checked
COMMON = (export_files.READER, export_files.README)  # in each export


class Exported(NamedTuple):
    """A file or folder that was written."""

    path: Path
    bytes: int
    parity: Parity
    obeyed: str = ""  # whether it is read with the constraint and the box that the export keeps


def export(
    file: Path,
    output: Path,
    formats: Sequence[str],
    kept: Kept | None = None,
    box: CameraBox | None = None,
) -> list[Exported]:
    """Write a model file into a folder; formats: names in `formats.FORMATS`, or "all".

    kept, box: a constraint and a camera's box, which the descriptions keep. Raises ValueError for a
    file that is not a model, and for files in the folder that would be replaced and that no export
    has written; OSError; and ExportError for a format that the model does not convert to or that
    reads differently. Nothing is written then.
    """
    if backend() != "tensorflow":
        raise ValueError("exporting needs TensorFlow; run it without KERAS_BACKEND")
    import model as models
    from aocr.formats import FORMATS
    from inference import Recognizer

    if WEB in formats:
        check_runtime()
    every = "all" in formats
    chosen = [f for f in FORMATS if f.name in formats or (every and f.name != WEB)]
    files = [form.file for form in chosen if form.file != SAVEDMODEL]
    descriptions = [f"{file_name}.json" for file_name in files if file_name != WEB]
    # README.md last: it says which files there are
    code = (export_files.READER, *([export_files.READER_CONSTRAINT] if kept else []))
    common = (*code, export_files.README)
    export_files.check_replaceable(output, (*common, *files, *descriptions))
    validation = validation_of(file)
    model = models.load(file)
    without_cudnn(model)  # neither ONNX nor LiteRT has its operation
    recognizer = Recognizer(model)
    images, loaded = _samples(model.spec, box, kept)
    expected = recognizer.read(loaded)  # without warnings about their shapes
    constrained = Recognizer(model, kept.automaton, BEAM_WIDTH).read(loaded) if kept else expected
    done = []
    # the folder may have changed when they are moved
    check = functools.partial(export_files.check_replaceable, output)
    with staged(output, check, outdated=[WEB] if WEB in formats else ()) as folder:
        about = {"made_from": _name_of(file)} | export_files.description(model.spec)
        about["accuracy"] = validation or measured_accuracy(recognizer)
        version = _next_version(output)
        for form in chosen:
            path = folder / form.file.format(version=version)
            described = about | ({"constraint": kept.described(form.read_by)} if kept else {})
            described |= {"crop": kept_box.described(box, form.read_by)} if box else {}
            lines = constrained if form.read_by in OBEYING else expected
            parity = _write_and_check(form, model, path, described, images, lines)
            export_files.describe(path, described)
            inside = path.rglob("*") if path.is_dir() else [path]
            size = sum(f.stat().st_size for f in inside)
            obeyed = APPLIED[form.read_by] if kept or box else ""
            done.append(Exported(output / path.name, size, parity, obeyed))
        for name in common:
            if name == export_files.README:
                text = readme_text(output, folder, FORMATS)
            else:
                text = (CODE / name).read_text("utf-8")
            (folder / name).write_text(export_files.signed(text, name), encoding="utf-8")
    return done


def _samples(
    spec: ModelSpec, box: CameraBox | None, kept: Kept | None
) -> tuple[list[Sample], list[np.ndarray]]:
    """(images to compare by, their lines: uint8 (rows, columns, channels)).

    The last one has its line in the box, if there is one.
    """
    images = samples(spec) + (allowed_samples(kept.automaton) if kept else [])
    images += [camera_sample(spec, box)] if box else []
    lines = [imaging.load(image.encoded, spec.channels, warn=False) for image in images]
    if box:
        lines[-1] = crops.straightened(lines[-1], box.corners, images[-1].name)
    return images, lines


def _name_of(file: Path) -> str:
    """A model file's name; with its folder in a run, as all runs have files of one name."""
    return f"{file.parent.name}/{file.name}" if file.name in (BEST, LAST) else file.name


def _next_version(output: Path) -> int:
    """The number of a new SavedModel beside those in a folder."""
    return 1 + max((int(p.name) for p in output.iterdir() if is_version(p.name)), default=0)


def _write_and_check(
    form: "Format",
    model: Any,
    path: Path,
    about: dict[str, Any],
    images: list[Sample],
    expected: list[Line],
) -> Parity:
    """Write one format, and compare its results with the model's. Raises ExportError, OSError."""
    try:
        with standard_error_closed():
            read = form.write(model, path, about)
    except Exception as error:  # converters raise many kinds; the last line has the reason
        if is_disk_full(error):
            raise
        raise ExportError(
            f"{path.name}: this {model.spec.head} model does not convert "
            f"({reason_of(error, line=-1)}); try another --format"
        ) from error
    readable, obeys = form.image_formats, form.read_by in OBEYING
    chosen = [i for i, image in enumerate(images) if not readable or image.format in readable]
    if "crop" in about and not obeys:
        del chosen[-1]  # the picture with a box
    used, truths = [images[i] for i in chosen], [expected[i] for i in chosen]
    encoded = [image.encoded for image in used]
    with standard_error_closed():
        batch = read(encoded)
        single = [read([item])[0] for item in encoded] if form.batches else batch
    constrained = "constraint" in about and obeys
    try:
        found = [compare(truths, lines, used, form.exact, constrained) for lines in (single, batch)]
    except ExportError as error:
        raise ExportError(f"{path.name}: {error}") from None
    return max(found, key=lambda parity: parity.difference)


# --- the command ------------------------------------------------------------------------------


def run(options: ExportOptions, _: list[str]) -> int:
    """Export, and print what was written. Returns the exit status. Raises ValueError, OSError."""
    file = find_model(options.model)
    if options.output.is_file():
        raise ValueError(f"{options.output}: is a file; name a folder to write into")
    spec = read_spec(file)
    kept = to_keep(spec, options.pattern, options.lexicon, options.model)
    box = spec.crop if options.crops is None else crops.kept_box(options.crops)
    if options.format == WEB:
        check_runtime()
    storage.check_writable(options.output, "DIR")
    export_files.check_replaceable(options.output, COMMON)
    say(f"Exporting {storage.display_name(file)}", sys.stderr)
    devices.prepare()
    try:
        with storage.output_folder(options.output, fetch=True) as output:
            found = export(file, output, [options.format], kept, box)
    except ExportError as error:
        raise ValueError(f"nothing was written: {error}") from error
    for item in found:
        parity, place = item.parity, storage.display_name(item.path)
        say(
            f"{place}: {item.bytes / 1e6:.1f} MB; {parity.same} of {parity.lines} images give the "
            f"Keras model's text, confidences within {parity.difference:.0e}"
        )
        if item.path.name == WEB and not browser.find():
            print(
                "    not checked in a browser (playwright or Chromium is missing), only its model"
            )
        if kept:
            say(f"    constraint ({kept}): {item.obeyed}")
        if box:
            say(f"    box (for images of {box}): {item.obeyed}")
    for name in earlier_exports(output, {item.path.name for item in found}):
        say(f"also in the folder, from an earlier export: {name}")
    say(f"How to use them: {storage.display_name(output / 'README.md')}")
    return 0
