"""`aocr export`: write a model in the formats that services, programs and phones load.

    aocr export exported --model digits --format all
    aocr export exported --model checkpoints --format onnx

Every export is checked against the Keras model on about forty images, of all widths, colours and
formats, one by one and in a batch. On a mismatch nothing is written, and files of an earlier
export stay as they were.
"""

import contextlib
import csv
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aocr import reader
from aocr.options import ExportOptions
from aocr.parity import SEED, ExportError, Parity, Sample, compare, samples
from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.network.backend import backend, standard_error_closed
from ocr_simple.options import LineOptions
from ocr_simple.reports.metrics import error_rates
from ocr_simple.runs import devices
from ocr_simple.runs.checkpoint import selection_key
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import Alphabet, Line

if TYPE_CHECKING:  # they import TensorFlow: see `export`
    from aocr.formats import Format
    from inference import Recognizer

MARKS = {  # files that replace an earlier export's, and what only an export writes into them
    "model.json": '"made_from": ',
    "reader.py": str(reader.__doc__).partition(".")[0],
    "README.md": "Exported by ocr_simple from ",
}
ACCURACY_LINES = 200  # generated lines that an accuracy is measured on, where no run has one


class Exported(NamedTuple):
    """A file or folder that was written."""

    path: Path
    bytes: int
    parity: Parity


def check_replaceable(output: Path) -> None:
    """Raise ValueError for a file that an export would replace and that no export has written."""
    for name, mark in MARKS.items():
        file = output / name
        if file.exists() and not (
            file.is_file() and mark in file.read_text(encoding="utf-8", errors="replace")
        ):
            raise ValueError(
                f"{storage.display_name(file)}: is there already, and aocr export did not write "
                "it, so it is not replaced; name another DIR, such as exported"
            )


def _check_models(output: Path, formats: Sequence["Format"]) -> None:
    """Raise ValueError for models to replace that no export has written: there is no model.json."""
    names = [form.file for form in formats if (output / form.file).exists()]
    if names and not (output / "model.json").exists():
        raise ValueError(
            f"{storage.display_name(output / names[0])}: is there already, without the model.json "
            "of an export, so it is not replaced; name another DIR, such as exported"
        )


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
    check_replaceable(output)
    _check_models(output, chosen)
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
        about = json.dumps(describe(recognizer, file), ensure_ascii=False, indent=1) + "\n"
        (staged / "model.json").write_text(about)
        shutil.copy(reader.__file__, staged / "reader.py")
        version = _next_version(output)
        for form in chosen:
            path = staged / form.file.format(version=version)
            parity = _write_and_check(form, model, path, images, expected)
            if path.is_dir():
                shutil.copy(staged / "model.json", path)
            files = path.rglob("*") if path.is_dir() else [path]
            size = sum(f.stat().st_size for f in files)
            done.append(Exported(output / path.name, size, parity))
    (output / "README.md").write_text(_readme(output, file, FORMATS), encoding="utf-8")
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
        for path in sorted(staged.iterdir()):
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


def describe(recognizer: "Recognizer", file: Path) -> dict[str, Any]:
    """The content of model.json: what a program needs to know to use an export."""
    spec = recognizer.spec
    ctc = spec.head == "ctc"
    return {
        "made_from": file.name,
        "alphabet": spec.alphabet,
        "head": spec.head,
        "height": spec.height,
        "channels": spec.channels,
        "normalisation": "median of the image to 0, its standard deviation to 1",
        "least_spread": imaging.MIN_SPREAD,
        "stride": spec.stride,
        "multiple": spec.multiple,
        "bytes": {"inputs": ["input"], "outputs": ["output", "probability"]},
        "pixels": {
            "inputs": ["image", "width"],
            "outputs": ["log_probabilities"] if ctc else ["ids", "probabilities"],
        },
        "accuracy": _accuracy(recognizer, file),
    } | _direction(recognizer.alphabet)


def _direction(alphabet: Alphabet) -> dict[str, str]:
    """What reader.py needs to know to put right-to-left text into logical order."""
    if not alphabet.right_to_left:
        return {}
    mirrored = "".join(map(alphabet.mirrored, alphabet.characters))
    return {"kinds": alphabet.kinds, "mirrored": mirrored}


def _accuracy(recognizer: "Recognizer", file: Path) -> dict[str, Any]:
    """The validation of the model's run, if the file lies in one; else of generated lines."""
    with contextlib.suppress(OSError, LookupError, ValueError):
        with open(file.parent / "metrics.csv", newline="") as opened:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(opened)]
        row = rows[-1] if file.name == "last.keras" else min(rows, key=selection_key)
        return {
            "exact": row["val_exact"],
            "cer": row["val_cer"],
            "of": "the validation of its training run",
        }
    try:
        options = LineOptions(alphabet=recognizer.spec.alphabet)
        lines = Lines(options, recognizer.spec, find_fonts(options.fonts), SEED, augment=False)
        pixels, truths, _ = zip(*(lines[k] for k in range(ACCURACY_LINES)))
    except LineError:  # none of these fonts draws the alphabet
        return {}
    exact, cer = error_rates(list(truths), [line.text for line in recognizer.read(pixels)])
    return {"exact": exact, "cer": cer, "of": f"{ACCURACY_LINES} generated lines without variation"}


def _readme(folder: Path, file: Path, formats: Sequence["Format"]) -> str:
    """How to use each format that a folder holds."""
    versions = sorted((p.name for p in folder.iterdir() if p.name.isdecimal()), key=int)
    parts = [
        f"# {storage.display_name(folder)}\n",
        f"Exported by ocr_simple from {file.name}. Each file gives the texts and confidences of "
        "that model, as checked on about forty images; one in 8 bits may differ slightly. "
        "`model.json` describes the model.\n",
    ]
    for form in formats:
        name = form.file.format(version=versions[-1] if versions else 0)
        if (folder / name).exists():
            example = form.example.format(file=name, folder=storage.display_name(folder))
            parts.append(f"`{name}`:\n\n```python\n{example}\n```\n")
    return "\n".join(parts)


# --- the command ------------------------------------------------------------------------------


def run(options: ExportOptions, _: list[str]) -> int:
    """Export, and print what was written. Returns the exit status. Raises ValueError, OSError."""
    file = find_model(options.model)
    if options.output.is_file():
        raise ValueError(f"{options.output}: is a file; name a folder to write into")
    storage.check_writable(options.output, "DIR")
    check_replaceable(options.output)
    print(f"Exporting {storage.display_name(file)}", file=sys.stderr)
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
