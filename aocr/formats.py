"""The formats of `aocr export`: each is written by a function that returns a reader of the file.

The reader is what a user of the file would run, so that the file itself is compared with the Keras
model: a loaded SavedModel or frozen graph takes encoded images, `reader.py` reads with ONNX and
LiteRT files, and a page reads in Chromium.
"""

import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from aocr import reader
from aocr.example_lines import examples
from aocr.graph import CTCServingModule, ServingModule, best_characters
from aocr.kept_constraint import ReadBy
from aocr.parity import Read
from aocr.web import browser
from aocr.web import folder as web_folder
from ocr_simple.engines.int8_writer import quantised
from ocr_simple.engines.onnx_writer import input_signature, to_onnx
from ocr_simple.network.backend import keras

GRAPH_FORMATS = ("png", "jpeg", "gif", "bmp")  # image formats that a TensorFlow graph decodes
WEB_FORMATS = (*GRAPH_FORMATS, "webp", "exif")  # that every browser decodes

SIGNATURES = ("serving_default", "read", "look")
OUTPUTS = ("output", "probability")


# --- from encoded images ----------------------------------------------------------------------


def write_savedmodel(model: keras.Model, folder: Path, about: dict[str, Any]) -> Read:
    """For TensorFlow and TensorFlow Serving."""
    is_ctc = model.spec.head == "ctc"
    module = CTCServingModule(model) if is_ctc else ServingModule(model)
    names = (*SIGNATURES, "probabilities") if is_ctc else SIGNATURES
    signatures = {name: getattr(module, name) for name in names}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    loaded = tf.saved_model.load(str(folder))
    return _graph_reader(lambda x: loaded.signatures["serving_default"](x))  # keeps it loaded


def write_frozen_graph(model: keras.Model, file: Path, about: dict[str, Any]) -> Read:
    """A GraphDef: input:0 takes images, output:0 and probability:0 are the results."""
    module = ServingModule(model)  # in a variable, as its functions hold no reference to it
    frozen = convert_variables_to_constants_v2(module.serving_default.get_concrete_function())
    with tf.Graph().as_default() as graph:  # freezing renames the outputs: name them again
        encoded = tf.compat.v1.placeholder(tf.string, None, name="input")
        outputs = tf.graph_util.import_graph_def(
            frozen.graph.as_graph_def(),
            {frozen.inputs[0].name: encoded},
            [output.name for output in frozen.outputs],
            name="reader",
        )
        for name, output in zip(OUTPUTS, outputs):
            tf.identity(output, name)
    file.write_bytes(graph.as_graph_def().SerializeToString())

    definition = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(definition, name=""), []
    )
    pruned = imported.prune("input:0", [f"{name}:0" for name in OUTPUTS])
    return _graph_reader(lambda x: dict(zip(OUTPUTS, pruned(x))))


def _graph_reader(run: Callable[[Any], dict[str, Any]]) -> Read:
    """A graph of encoded images as a function of a list of them."""

    def read(encoded: Sequence[bytes]) -> list[tuple[str, float]]:
        single = len(encoded) == 1  # given as a scalar
        found = run(tf.constant(encoded[0] if single else list(encoded)))
        texts, confidences = found["output"].numpy(), found["probability"].numpy()
        if single:
            return [(texts.decode(), float(confidences))]
        return [(text.decode(), float(p)) for text, p in zip(texts, confidences)]

    return read


# --- from prepared pixels ---------------------------------------------------------------------


def write_onnx(
    model: keras.Model,
    file: Path,
    about: dict[str, Any],
    attention: bool = False,
    in_8_bits: bool = False,
) -> Read:
    """The network, for any ONNX runtime; attention: whether it returns attention weights too."""
    network, signature = _network(model, None, attention)
    to_onnx(network, signature, {}, file)
    if in_8_bits:
        file.write_bytes(quantised(file.read_bytes(), model.spec, examples(model.spec)))
    portable = reader.Reader(file, about)
    return lambda encoded: portable.read_batch([io.BytesIO(item) for item in encoded])


def write_litert(
    model: keras.Model, file: Path, about: dict[str, Any], in_8_bits: bool = False
) -> Read:
    """The network for one image at a time; in_8_bits: its weights."""
    network, signature = _network(model, 1)
    concrete = network.get_concrete_function()
    module = tf.Module()
    module.frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    module.network = tf.function(
        lambda image, width: dict(
            zip(sorted(concrete.structured_outputs), module.frozen(image=image, width=width))
        ),
        input_signature=signature,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.network.get_concrete_function()], module
    )
    if in_8_bits:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    file.write_bytes(converter.convert())
    portable = reader.Reader(file, about)
    return lambda encoded: [portable.read(io.BytesIO(item)) for item in encoded]


def write_web(model: keras.Model, folder: Path, about: dict[str, Any]) -> Read:
    """A page that reads in the browser. Where there is no Chromium, reader.py reads its model."""
    folder.mkdir()
    read = write_onnx(model, folder / "model.onnx", about, attention=True)
    web_folder.complete(folder, about)
    return functools.partial(browser.read, folder) if browser.find() else read


def _network(model: keras.Model, batch: int | None, attention: bool = False) -> tuple[Any, list]:
    """(TensorFlow function from image and width to the outputs that are described, its inputs).

    attention: an attention head has this output too.
    """
    spec = model.spec
    signature = input_signature(model, batch)

    @tf.function(input_signature=signature)
    def network(image: Any, width: Any) -> dict[str, Any]:
        outputs = model({"image": image, "width": width}, training=False)
        if spec.head == "ctc":
            return {"log_probabilities": tf.nn.log_softmax(outputs / spec.temperature)}
        ids, probabilities, _ = best_characters(outputs, spec.temperature)
        found = {"ids": ids, "probabilities": probabilities}
        return found | ({"attention": outputs["attention"]} if attention else {})

    return network, signature


# --- the formats ------------------------------------------------------------------------------


class Format(NamedTuple):
    """A file or folder of an export."""

    name: str  # of --format
    file: str
    write: Callable[[keras.Model, Path, dict], Read]  # the dict: its description
    image_formats: tuple[str, ...] = ()  # that it can read; empty for all
    batches: bool = True  # whether it takes several images
    exact: bool = True  # whether it must read exactly as the model; else differences are reported
    example: str = ""  # Python code, or a command
    language: str = "python"  # of the example
    read_by: ReadBy = "reader"  # what reads it with the constraint that its description keeps


READER_EXAMPLE = "from reader import Reader\nReader('{file}').read('photo.png')"
FORMATS = (
    Format(
        "savedmodel", "{version}", write_savedmodel, GRAPH_FORMATS,
        example="import tensorflow as tf\n"
        "loaded = tf.saved_model.load('{file}')  # or: aocr serve .\n"
        "loaded.signatures['serving_default'](tf.constant(open('photo.png', 'rb').read()))",
        read_by="server",
    ),
    Format(
        "frozengraph", "frozen_graph.pb", write_frozen_graph, GRAPH_FORMATS,
        example="import tensorflow as tf\n"
        "graph = tf.compat.v1.GraphDef.FromString(open('{file}', 'rb').read())\n"
        "tf.import_graph_def(graph, name='')  # input:0 takes images; output:0, probability:0",
        read_by="nothing",
    ),
    Format("onnx", "model.onnx", write_onnx, example=READER_EXAMPLE),
    Format(
        "onnx", "model_8bit.onnx", functools.partial(write_onnx, in_8_bits=True),
        exact=False, example=READER_EXAMPLE,
    ),
    Format("litert", "model.tflite", write_litert, batches=False, example=READER_EXAMPLE),
    Format(
        "litert", "model_8bit.tflite",
        functools.partial(write_litert, in_8_bits=True),
        batches=False, exact=False, example=READER_EXAMPLE,
    ),
    Format(
        "web", "web", write_web, WEB_FORMATS, batches=False,
        example="python -m http.server --directory {file}  # http://localhost:8000",
        language="sh", read_by="page",
    ),
)  # fmt: skip
