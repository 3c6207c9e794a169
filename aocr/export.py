"""`aocr export`: write a model in the formats that services, programs and phones load.

    aocr export exported --model digits --format all
    aocr export exported --model checkpoints --format onnx

Every export is checked against the Keras model on about forty images, of all widths, colours and
formats, one by one and in a batch. On a mismatch nothing is written, and files of an earlier
export stay as they were.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aocr import export_files, reader
from aocr.options import ExportOptions
from aocr.parity import SEED, ExportError, Parity, Sample, compare, samples
from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.network.backend import backend, standard_error_closed
from ocr_simple.options import LineOptions
from ocr_simple.reports.markdown import cell
from ocr_simple.reports.metrics import error_rates
from ocr_simple.reports.metrics_file import read_metrics
from ocr_simple.runs import devices
from ocr_simple.runs.checkpoint import selection_key
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import Line

if TYPE_CHECKING:  # they import TensorFlow: see `export`
    from aocr.formats import Format
    from inference import Recognizer

SAVEDMODEL = "{version}"  # the file of this format is a folder with a new number
COMMON = (export_files.READER, export_files.README)  # in each export
ACCURACY_LINES = 200  # generated lines that an accuracy is measured on, where no run has one


class Exported(NamedTuple):
    """A file or folder that was written."""

    path: Path
    bytes: int
    parity: Parity


def export(file: Path, output: Path, formats: Sequence[str]) -> list[Exported]:
    """Write a model file into a folder; formats: names in `formats.FORMATS`, or "all".

    Raises ValueError for a file that is not a model, and for files in the folder that would be
    replaced and that no export has written; OSError; and ExportError for a format that the model
    does not convert to or that reads differently. Nothing is written then.
    """
    if backend() != "tensorflow":
        raise ValueError("exporting needs TensorFlow; run it without KERAS_BACKEND")
    import model as models
    from aocr.formats import FORMATS
    from inference import Recognizer

    chosen = [form for form in FORMATS if form.name in formats or "all" in formats]
    files = [form.file for form in chosen if form.file != SAVEDMODEL]
    names = (name for file_name in files for name in (file_name, f"{file_name}.json"))
    export_files.check_replaceable(output, (*COMMON, *names))
    validation = _validation_of(file)
    model = models.load(file)
    for layer in model._flatten_layers():
        if hasattr(layer, "use_cudnn"):  # neither ONNX nor LiteRT has its operation
            layer.use_cudnn = False
    recognizer = Recognizer(model)
    images = samples(model.spec)
    loaded = [imaging.load(s.encoded, model.spec.channels, warn=False) for s in images]
    expected = recognizer.read(loaded)  # without warnings about their shapes
    done = []
    with _staged(output) as staged:
        about = {"made_from": file.name} | export_files.description(model.spec)
        about["accuracy"] = validation or _accuracy(recognizer)
        version = _next_version(output)
        for form in chosen:
            path = staged / form.file.format(version=version)
            parity = _write_and_check(form, model, path, images, expected)
            export_files.describe(path, about)
            inside = path.rglob("*") if path.is_dir() else [path]
            size = sum(f.stat().st_size for f in inside)
            done.append(Exported(output / path.name, size, parity))
        code = Path(reader.__file__).read_text(encoding="utf-8")
        for name, text in (
            (export_files.READER, code),
            (export_files.README, _readme(output, staged, FORMATS)),
        ):
            (staged / name).write_text(export_files.signed(text, name), encoding="utf-8")
    return done


def _next_version(output: Path) -> int:
    """The number of a new SavedModel beside those in a folder."""
    return 1 + max((int(p.name) for p in output.iterdir() if p.name.isdecimal()), default=0)


@contextlib.contextmanager
def _staged(output: Path) -> Iterator[Path]:
    """A folder whose content is moved to `output` at the end, or removed on an error."""
    new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".partial-", dir=output))
    try:
        yield staged
        written = sorted(staged.iterdir())
        # once more: the folder may have changed since
        export_files.check_replaceable(output, (path.name for path in written))
        for path in written:
            os.replace(path, output / path.name)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise
    staged.rmdir()


def _write_and_check(
    form: "Format", model: Any, path: Path, images: list[Sample], expected: list[Line]
) -> Parity:
    """Write one format, and compare its results with the model's. Raises ExportError."""
    try:
        with standard_error_closed():
            read = form.write(model, path)
    except Exception as error:  # converters raise many kinds; the last line has the reason
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            f"{path.name}: this {model.spec.head} model does not convert ({reason[-1].strip()}); "
            "try another --format"
        ) from error
    readable = form.image_formats
    chosen = [i for i, image in enumerate(images) if not readable or image.format in readable]
    used, truths = [images[i] for i in chosen], [expected[i] for i in chosen]
    encoded = [image.encoded for image in used]
    with standard_error_closed():
        single = [read([item])[0] for item in encoded]
        batch = read(encoded) if form.batches else single
    try:
        found = [compare(truths, lines, used, form.exact) for lines in (single, batch)]
    except ExportError as error:
        raise ExportError(f"{path.name}: {error}") from None
    return max(found, key=lambda parity: parity.difference)


def _validation_of(file: Path) -> dict[str, Any]:
    """The validation of a model in a run folder; empty for another model. Raises ValueError."""
    metrics = file.parent / "metrics.csv"
    if file.name not in ("best.keras", "last.keras") or not metrics.exists():
        return {}
    rows = read_metrics(metrics)
    row = rows[-1] if file.name == "last.keras" else min(rows, key=selection_key)
    of = "the validation of its training run"
    return {"exact": row["val_exact"], "cer": row["val_cer"], "of": of}


def _accuracy(recognizer: "Recognizer") -> dict[str, Any]:
    """How a model reads generated lines."""
    try:
        options = LineOptions(alphabet=recognizer.spec.alphabet)
        lines = Lines(options, recognizer.spec, find_fonts(options.fonts), SEED, augment=False)
        pixels, truths, _ = zip(*(lines[k] for k in range(ACCURACY_LINES)))
    except LineError:  # none of these fonts draws the alphabet
        return {}
    exact, cer = error_rates(list(truths), [line.text for line in recognizer.read(pixels)])
    return {"exact": exact, "cer": cer, "of": f"{ACCURACY_LINES} generated lines without variation"}


def _readme(folder: Path, staged: Path, formats: Sequence["Format"]) -> str:
    """How to use each format that a folder holds; staged: with the files that it will hold too."""
    there = {path.name: path for place in (folder, staged) for path in place.iterdir()}
    versions = sorted(filter(str.isdecimal, there), key=int)
    parts = [
        f"# {cell(storage.display_name(folder))}\n",
        "Exported by ocr_simple. Each file gives the texts and confidences of its model, as "
        "checked on about forty images; one in 8 bits may differ slightly. `FILE.json` describes "
        "the model in FILE, and has its checksum: copy both.\n",
    ]
    for form in formats:
        name = form.file.format(version=versions[-1] if versions else 0)
        if name in there:
            example = form.example.format(file=name, folder=storage.display_name(folder))
            source = export_files.made_from(there[name])
            parts.append(f"`{name}`, from {cell(source)}:\n\n```python\n{example}\n```\n")
    return "\n".join(parts)


# --- the command ------------------------------------------------------------------------------


def run(options: ExportOptions, _: list[str]) -> int:
    """Export, and print what was written. Returns the exit status. Raises ValueError, OSError."""
    file = find_model(options.model)
    if options.output.is_file():
        raise ValueError(f"{options.output}: is a file; name a folder to write into")
    storage.check_writable(options.output, "DIR")
    export_files.check_replaceable(options.output, COMMON)
    say(f"Exporting {storage.display_name(file)}", sys.stderr)
    devices.prepare()
    try:
        with storage.output_folder(options.output, fetch=True) as output:
            found = export(file, output, [options.format])
    except ExportError as error:
        raise ValueError(f"nothing was written: {error}") from error
    for item in found:
        parity, place = item.parity, storage.display_name(item.path)
        print(
            f"{place}: {item.bytes / 1e6:.1f} MB; {parity.same} of {parity.lines} images read as "
            f"by the Keras model, confidences within {parity.difference:.0e}"
        )
    print(f"How to use them: {storage.display_name(output / 'README.md')}")
    return 0
