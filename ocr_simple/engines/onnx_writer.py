"""Keras model -> ONNX: for reading without TensorFlow, and for exports. It needs TensorFlow."""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple.engines.onnx_file import metadata, onnx_of, sealed, step_of
from ocr_simple.engines.step_decoder import AFTER, state_names
from ocr_simple.messages import reason_of
from ocr_simple.network.backend import backend, keras, standard_error_closed
from ocr_simple.written_files import replacing_file

OPSET = 18  # of ONNX; onnxruntime 1.14 (2023) and later run it
TOLERANCE = 1e-3  # of logits, against Keras's
SEED = 0


class NotConverted(RuntimeError):
    """A model cannot be converted to ONNX. The message has the reason."""


def can_write() -> bool:
    """Whether tf2onnx is installed, and Keras computes with TensorFlow."""
    return backend() == "tensorflow" and importlib.util.find_spec("tf2onnx") is not None


def input_signature(model: "keras.Model", batch: int | None = None) -> list:
    """TensorFlow's description of a model's inputs, image and width."""
    import tensorflow as tf

    spec = model.spec
    return [
        tf.TensorSpec((batch, spec.height, None, spec.channels), tf.float32, "image"),
        tf.TensorSpec((batch,), tf.int32, "width"),
    ]


def without_cudnn(model: "keras.Model") -> None:
    """Make recurrent layers use standard operations; cuDNN's cannot be exported."""
    for layer in model._flatten_layers():
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False


def to_onnx(function: Callable, signature: Sequence, about: dict[str, str], file: Path) -> None:
    """Write a TensorFlow function as ONNX, with metadata. Raises what tf2onnx does, and OSError."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    # otherwise the graph is copied before each of its optimisations
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    graph = tf.function(function, input_signature=signature, autograph=False)
    network, _ = tf2onnx.convert.from_function(graph, input_signature=signature, opset=OPSET)
    onnx.helper.set_model_props(network, about)
    file.write_bytes(network.SerializeToString())


def write_onnx(model: "keras.Model", file: Path) -> list[Path]:
    """Write the ONNX files of a model file, whole or not at all; model: as it was loaded from it.

    Each gives what Keras gives, or is not written. Raises NotConverted, and OSError.
    """
    without_cudnn(model)
    about = metadata(file, model.spec)
    parts = {onnx_of(file): _network(model)}
    if model.spec.head == "attention":
        parts[step_of(file)] = _step(model)
    with contextlib.ExitStack() as at_the_end:  # all files are replaced, or none
        for place, (function, signature, example) in parts.items():
            written = at_the_end.enter_context(replacing_file(place))
            try:
                with standard_error_closed():
                    to_onnx(function, signature, about, written)
                    difference = _difference(written, function, example)
                written.write_bytes(sealed(written.read_bytes()))
            except OSError:
                raise
            except Exception as error:  # converters raise many kinds; the last line has the reason
                reason = reason_of(error, line=-1)
                raise NotConverted(f"{place.name}: not converted ({reason})") from error
            if not difference <= TOLERANCE:
                raise NotConverted(f"{place.name}: differs from the Keras model by {difference}")
    return list(parts)


Part = tuple[Callable[..., dict], Sequence, dict[str, np.ndarray]]  # function, signature, example


def _network(model: "keras.Model") -> Part:
    """The whole network; with an attention head also what its decoder sees."""
    from ocr_simple.network.attention import shown_outputs

    spec = model.spec
    if spec.head == "attention":
        outputs = {**model.output, **shown_outputs(model)}
    else:
        outputs = {"logits": model.output}
    whole = keras.Model(model.input, outputs)

    def network(image: Any, width: Any) -> dict[str, Any]:
        return whole({"image": image, "width": width}, training=False)

    widths = np.array([3 * spec.multiple, 8 * spec.multiple - 1], np.int32)
    shape = (len(widths), spec.height, 8 * spec.multiple, spec.channels)
    image = np.random.default_rng(SEED).normal(size=shape).astype(np.float32)
    image *= np.arange(shape[2])[:, None] < widths[:, None, None, None]
    return network, input_signature(model), {"image": image, "width": widths}


def _step(model: "keras.Model") -> Part:
    """One step of the attention head."""
    import tensorflow as tf

    from ocr_simple.network.attention import advance_by_names

    spec, decoder = model.spec, model.get_layer("decoder")
    channels, names = decoder.input[0].shape[-1], state_names(spec)
    texts, steps = None, None
    shapes: dict[str, tuple] = {
        "features": (1, steps, channels),
        "keys": (1, steps, spec.attn_num_hidden),
        "seen": (texts, steps, 2),
        **dict.fromkeys(names, (texts, spec.attn_num_hidden)),
    }
    signature = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]
    signature.append(tf.TensorSpec((1, steps), tf.int32, "valid"))
    signature.append(tf.TensorSpec((texts,), tf.int32, "character"))

    def step(*tensors: Any) -> dict[str, Any]:
        inputs = {spec.name: tensor for spec, tensor in zip(signature, tensors)}
        after = advance_by_names(decoder, inputs)
        return {AFTER + name: values for name, values in after.items()}

    rng, size = np.random.default_rng(SEED), 5  # of unknown dimensions: texts and time steps
    example: dict[str, np.ndarray] = {
        name: rng.random([n or size for n in shape]).astype(np.float32)
        for name, shape in shapes.items()
    }
    example["valid"] = np.ones((1, size), np.int32)
    example["character"] = np.arange(size, dtype=np.int32) % 2
    return step, signature, example


def _difference(file: Path, function: Callable, example: dict[str, np.ndarray]) -> float:
    """The largest difference between an ONNX file's outputs and a function's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, example)))
    expected = function(*example.values())
    return max(float(np.abs(found[name] - np.asarray(expected[name])).max()) for name in found)
