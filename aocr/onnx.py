"""`aocr onnx`: write the file with which a model is read without TensorFlow.

    aocr onnx digits
    aocr onnx checkpoints/mine

A training writes it by itself, beside its best model. `aocr export --format onnx` is for other
programs: it writes a copy of the network that also computes probabilities, with what describes it.
"""

import sys

from aocr.options import OnnxOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.engines.onnx_writer import NotConverted, can_write, write_onnx
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import read_spec


def run(options: OnnxOptions, _: list[str]) -> int:
    """Write the ONNX file beside each model. Returns the exit status.

    Raises ValueError for what is not a model here, or that ONNX does not take; OSError.
    """
    if not can_write():
        raise ValueError(
            "writing ONNX files needs TensorFlow and tf2onnx; install requirements.txt, and run it "
            "without KERAS_BACKEND"
        )
    for model in options.models:
        if storage.url_of(model):
            raise ValueError(f"{model}: is in a bucket; copy it to this computer first")
    files = [find_model(model) for model in options.models]
    for file in files:
        read_spec(file)
    import model as models

    for file in files:
        say(f"Converting {storage.display_name(file)}", sys.stderr)
        try:
            written = write_onnx(models.load(file), file)
        except NotConverted as error:
            raise ValueError(f"{error}; it is read with Keras") from error
        for place in written:
            print(f"{place}: {place.stat().st_size / 1e6:.1f} MB; gives what the Keras model gives")
    return 0
