"""An ONNX file in 8 bits: smaller, and faster where a processor multiplies whole numbers faster.

It is made by ONNX Runtime's static quantisation. The weights of a layer become whole numbers, with
a scale for each channel; its input becomes whole numbers too, with one scale, which is measured on
example lines. Convolutions and products with a matrix of weights are converted. The first and the
last of them stay in 32 bits, as is usual.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ocr_simple import preprocessing
from ocr_simple.engines.onnx_file import CHECKSUM
from ocr_simple.spec import ModelSpec

LAYERS = ("Conv", "MatMul")


def quantised(network: bytes, spec: ModelSpec, lines: Sequence[np.ndarray]) -> bytes:
    """A network in 8 bits: the content of an ONNX file, with the same inputs, outputs and metadata.

    It has no checksum yet. network: the content of its file in 32 bits. lines: examples of what it
    will read, uint8 (rows, columns, channels) each. Raises OSError, and what ONNX does.
    """
    import onnx
    from onnxruntime import quantization

    whole = onnx.load_from_string(network)
    weights = {array.name for array in whole.graph.initializer}
    layers = [
        node.name
        for node in whole.graph.node
        if node.op_type in LAYERS and not weights.isdisjoint(node.input)
    ]
    with TemporaryDirectory() as folder, _quiet():
        file = Path(folder, "network.onnx")
        quantization.quantize_static(
            whole,
            file,
            _Examples(lines, spec),
            op_types_to_quantize=list(LAYERS),
            nodes_to_quantize=layers[1:-1],
            per_channel=True,
            reduce_range=True,  # else AVX2's sums of products do not fit into 16 bits
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"CalibMovingAverage": True},  # one odd line must not widen a range
        )
        found = onnx.load(file)
    about = {item.key: item.value for item in whole.metadata_props if item.key != CHECKSUM}
    onnx.helper.set_model_props(found, about)
    return found.SerializeToString()


class _Examples:
    """Batches of one line each, as ONNX Runtime asks for them."""

    def __init__(self, lines: Sequence[np.ndarray], spec: ModelSpec):
        self.prepared = (preprocessing.prepare(pixels, spec.height) for pixels in lines)
        self.multiple = spec.multiple

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch; None at the end."""
        prepared = next(self.prepared, None)
        return None if prepared is None else preprocessing.pad_batch([prepared], self.multiple)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings, one of which is about a graph that could be simplified before."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
