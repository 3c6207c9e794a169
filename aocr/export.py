"""A trained model in the formats that services, programs and phones load, each compared with it.

    python export.py exported --model digits --format all
    aocr export exported --model-dir checkpoints --format onnx

Whatever is written first reads a set of lines of its own making: all widths, colours and formats,
alone and in company. It has to give the texts and confidences of the Keras model; else it is
refused, and nothing is left in its place.
"""

import contextlib
import csv
import io
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import model as models
from aocr import reader
from aocr.options import ExportOptions
from aocr.parity import SEED, ExportError, Parity, Read, Sample, compare, samples
from inference import Recognizer
from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import DataError
from ocr_simple.network.backend import backend, keras, standard_error_closed
from ocr_simple.options import LineOptions
from ocr_simple.reports.metrics import error_rates
from ocr_simple.runs import devices
from ocr_simple.runs.checkpoint import badness
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import Line

HERE = Path(__file__).resolve().parent
OPSET = 18  # of ONNX: of 2022, which onnxruntime 1.14 and later know
GRAPH_FORMATS = ("png", "jpeg", "gif", "bmp")  # which a TensorFlow graph can decode


# --- what is compared -------------------------------------------------------------------------


# --- formats ----------------------------------------------------------------------------------


def _savedmodel(model: keras.Model, folder: Path) -> Read:
    import tensorflow as tf

    from aocr.graph import ServingModule

    module = ServingModule(model)
    signatures = {name: getattr(module, name) for name in ("serving_default", "read", "look")}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    loaded = tf.saved_model.load(str(folder))
    return _of_graph(lambda x: loaded.signatures["serving_default"](x))


def _frozengraph(model: keras.Model, file: Path) -> Read:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    from aocr.graph import ServingModule

    names = ("output", "probability")
    module = ServingModule(model)  # whose functions do not keep it
    frozen = freeze(module.serving_default.get_concrete_function())
    with tf.Graph().as_default() as graph:  # where outputs have their names again
        encoded = tf.compat.v1.placeholder(tf.string, None, name="input")
        outputs = tf.graph_util.import_graph_def(
            frozen.graph.as_graph_def(),
            {frozen.inputs[0].name: encoded},
            [output.name for output in frozen.outputs],
            name="reader",
        )
        for name, output in zip(names, outputs):
            tf.identity(output, name)
    file.write_bytes(graph.as_graph_def().SerializeToString())

    definition = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(definition, name=""), []
    )
    pruned = imported.prune("input:0", [f"{name}:0" for name in names])
    return _of_graph(lambda x: dict(zip(names, pruned(x))))


def _of_graph(run: Callable[[Any], dict[str, Any]]) -> Read:
    """A graph that takes encoded images, as a function that takes some of them."""
    import tensorflow as tf

    def read(encoded: Sequence[bytes]) -> list[tuple[str, float]]:
        alone = len(encoded) == 1
        found = run(tf.constant(encoded[0] if alone else list(encoded)))
        texts, confidences = found["output"].numpy(), found["probability"].numpy()
        if alone:
            return [(texts.decode(), float(confidences))]
        return [(text.decode(), float(p)) for text, p in zip(texts, confidences)]

    return read


def _network(model: keras.Model, batch: int | None) -> tuple[Any, list]:
    """A TensorFlow function from image and width to what is named in model.json, and its inputs."""
    import tensorflow as tf

    from aocr.graph import written

    spec = model.spec
    signature = [
        tf.TensorSpec((batch, spec.height, None, spec.channels), tf.float32, "image"),
        tf.TensorSpec((batch,), tf.int32, "width"),
    ]

    @tf.function(input_signature=signature)
    def network(image: Any, width: Any) -> dict[str, Any]:
        outputs = model({"image": image, "width": width}, training=False)
        if spec.head == "ctc":
            return {"log_probabilities": tf.nn.log_softmax(outputs / spec.temperature)}
        ids, probabilities, _ = written(outputs, spec.temperature)
        return {"ids": ids, "probabilities": probabilities}

    return network, signature


def _onnx(model: keras.Model, file: Path) -> Read:
    import tf2onnx

    network, signature = _network(model, None)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    tf2onnx.convert.from_function(
        network, input_signature=signature, opset=OPSET, output_path=str(file)
    )
    portable = reader.Reader(file)
    return lambda encoded: portable.read_batch([io.BytesIO(item) for item in encoded])


def _litert(model: keras.Model, file: Path, quantised: bool = False) -> Read:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    network, signature = _network(model, 1)
    concrete = network.get_concrete_function()
    module = tf.Module()
    module.frozen = freeze(concrete, lower_control_flow=False)
    module.network = tf.function(
        lambda image, width: dict(
            zip(sorted(concrete.structured_outputs), module.frozen(image=image, width=width))
        ),
        input_signature=signature,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.network.get_concrete_function()], module
    )
    if quantised:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    file.write_bytes(converter.convert())
    portable = reader.Reader(file)
    return lambda encoded: [portable.read(io.BytesIO(item)) for item in encoded]


class Format(NamedTuple):
    """One file or folder of an export."""

    name: str  # of the option
    file: str
    write: Callable[[keras.Model, Path], Read]
    formats: tuple[str, ...] = ()  # of images, if not all can be read
    batches: bool = True
    exact: bool = True  # else its loss is reported
    example: str = ""


FORMATS = (
    Format(
        "savedmodel", "{version}", _savedmodel, GRAPH_FORMATS,
        example="loaded = tf.saved_model.load('{file}')  # or: aocr serve {folder}\n"
        "loaded.signatures['serving_default'](tf.constant(open('photo.png', 'rb').read()))",
    ),
    Format(
        "frozengraph", "frozen_graph.pb", _frozengraph, GRAPH_FORMATS,
        example="graph = tf.compat.v1.GraphDef.FromString(open('{file}', 'rb').read())\n"
        "tf.import_graph_def(graph, name='')  # input:0 takes images; output:0, probability:0",
    ),
    Format(
        "onnx", "model.onnx", _onnx,
        example="from reader import Reader\nReader('{file}').read('photo.png')",
    ),
    Format(
        "litert", "model.tflite", _litert, batches=False,
        example="from reader import Reader\nReader('{file}').read('photo.png')",
    ),
    Format(
        "litert", "model_8bit.tflite", lambda model, file: _litert(model, file, quantised=True),
        batches=False, exact=False,
        example="from reader import Reader\nReader('{file}').read('photo.png')",
    ),
)  # fmt: skip


# --- an export ----------------------------------------------------------------------------------


class Exported(NamedTuple):
    """What was written."""

    path: Path
    bytes: int
    parity: Parity


def export(file: Path, output: Path, formats: Sequence[str]) -> list[Exported]:
    """Write a model file in some of the FORMATS, by their names, into a folder.

    Raises ValueError for a file that is no model, OSError, and ExportError for a format that the
    model does not convert to, or whose reading differs; what was there before is still there.
    """
    if backend() != "tensorflow":
        raise ValueError("exporting needs TensorFlow; run it without KERAS_BACKEND")
    model = models.load(file)
    for layer in model._flatten_layers():
        if hasattr(layer, "use_cudnn"):  # whose operation neither ONNX nor LiteRT has
            layer.use_cudnn = False
    recognizer = Recognizer(model)
    lines = samples(model.spec)
    expected = recognizer.read([sample.encoded for sample in lines])
    about = describe(recognizer, file)
    fresh = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    version = 1 + max((int(p.name) for p in output.iterdir() if p.name.isdecimal()), default=0)
    staged = Path(tempfile.mkdtemp(prefix=".partial-", dir=output))
    done = []
    try:
        (staged / "model.json").write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n")
        for form in (form for form in FORMATS if form.name in formats):
            path = staged / form.file.format(version=version)
            parity = _checked(form, model, path, lines, expected)
            if path.is_dir():
                shutil.copy(staged / "model.json", path)
            files = path.rglob("*") if path.is_dir() else [path]
            done.append(Exported(path, sum(f.stat().st_size for f in files), parity))
        shutil.copy(HERE / "reader.py", staged)
        for path in sorted(staged.iterdir()):
            os.replace(path, output / path.name)
        (output / "README.md").write_text(_readme(output, file), encoding="utf-8")
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        if fresh:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise
    staged.rmdir()
    return [item._replace(path=output / item.path.name) for item in done]


def _checked(
    form: Format, model: keras.Model, path: Path, lines: list[Sample], expected: list[Line]
) -> Parity:
    """Write one format and read the lines with it, alone and in company. Raises ExportError."""
    try:
        with standard_error_closed():
            read = form.write(model, path)
    except Exception as error:  # converters raise many kinds
        reason = str(error).strip().splitlines() or [type(error).__name__]  # the last line says it
        raise ExportError(
            f"{path.name}: this {model.spec.head} model does not convert ({reason[-1].strip()})"
        ) from error
    chosen = [i for i, s in enumerate(lines) if not form.formats or s.format in form.formats]
    used, truths = [lines[i] for i in chosen], [expected[i] for i in chosen]
    encoded = [sample.encoded for sample in used]
    with standard_error_closed():
        alone = [read([item])[0] for item in encoded]
        in_company = read(encoded) if form.batches else alone
    try:
        found = [compare(truths, readings, used, form.exact) for readings in (alone, in_company)]
    except ExportError as error:
        raise ExportError(f"{path.name}: {error}") from None
    return max(found, key=lambda parity: parity.difference)


def describe(recognizer: Recognizer, file: Path) -> dict[str, Any]:
    """What a program has to know that uses an export: model.json."""
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
    }


def _accuracy(recognizer: Recognizer, file: Path, count: int = 200) -> dict[str, Any]:
    """Validation of the run that the file is of; else of generated lines, as trdg draws them."""
    with contextlib.suppress(OSError, LookupError, ValueError):
        with open(file.parent / "metrics.csv", newline="") as opened:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(opened)]
        row = rows[-1] if file.name == "last.keras" else min(rows, key=badness)
        return {
            "exact": row["val_exact"],
            "cer": row["val_cer"],
            "of": "validation of its training",
        }
    try:
        options = LineOptions(alphabet=recognizer.spec.alphabet)
        lines = Lines(options, recognizer.spec, find_fonts(options.fonts), SEED, augment=False)
        pixels, truths, _ = zip(*(lines[k] for k in range(count)))
    except DataError:  # an alphabet that none of these fonts draws
        return {}
    exact, cer = error_rates(list(truths), [x.text for x in recognizer.read(pixels)])
    return {"exact": exact, "cer": cer, "of": f"{count} generated lines, as trdg draws them"}


def _readme(folder: Path, file: Path) -> str:
    """Two lines for each format that the folder holds."""
    said = [
        f"# {storage.named(folder)}\n",
        f"Exported by ocr_simple from {file.name}; model.json describes it.\n",
    ]
    versions = sorted((p.name for p in folder.iterdir() if p.name.isdecimal()), key=int)
    for form in FORMATS:
        name = form.file.format(version=versions[-1] if versions else 0)
        if (folder / name).exists():
            example = form.example.format(file=name, folder=storage.named(folder))
            said.append(f"`{name}`:\n\n```python\n{example}\n```\n")
    return "\n".join(said)


# --- the script -------------------------------------------------------------------------------


def run(options: ExportOptions, _: list[str]) -> int:
    """Write, and print what was written. Returns the exit status. Raises ValueError."""
    file = find_model(options.model)
    print(f"Exporting {storage.named(file)}", file=sys.stderr)
    devices.prepare()
    names = {form.name for form in FORMATS} if options.format == "all" else {options.format}
    try:
        with storage.written(options.output, fetch=True) as output:
            found = export(file, output, sorted(names))
    except ExportError as error:
        raise ValueError(f"nothing was written: {error}") from error
    for item in found:
        parity, place = item.parity, storage.named(item.path)
        print(
            f"{place}: {item.bytes / 1e6:.1f} MB; {parity.same} of {parity.lines} lines "
            f"read as by the Keras model, confidences within {parity.difference:.0e}"
        )
    print(f"how to use them: {storage.named(output / 'README.md')}")
    return 0
