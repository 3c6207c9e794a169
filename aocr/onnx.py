"""`aocr onnx`: write the file with which a model is read without TensorFlow.

    aocr onnx digits
    aocr onnx checkpoints/mine --int8

Training writes this file too, beside its best model. Only this command writes one in 8 bits.
`aocr export --format onnx` is for other programs: it writes a copy of the network that also
computes probabilities, with what describes it.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aocr.example_lines import EXAMPLES, lines_for
from aocr.options import OnnxOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.drawing.lines import Lines
from ocr_simple.engines.int8_writer import quantised
from ocr_simple.engines.onnx_engine import why_not_onnx
from ocr_simple.engines.onnx_file import int8_of, onnx_of, read_onnx, sealed, step_of
from ocr_simple.engines.onnx_writer import NotConverted, can_write, write_onnx
from ocr_simple.options import EngineName
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.written_files import write_whole

CHECKED = 1000  # lines to compare on, besides those to measure ranges on
LOSS = 0.02  # share of the lines by which it may read fewer right than in 32 bits


def run(options: OnnxOptions, _: list[str]) -> int:
    """Write the ONNX file beside each model. Returns the exit status.

    Raises ValueError for what is not a model here, or that ONNX does not take; OSError.
    """
    if options.fonts != OnnxOptions.fonts and not options.int8:
        raise ValueError(f"--fonts {' '.join(options.fonts)}: is used only with --int8; add it")
    for model in options.models:
        if storage.url_of(model):
            raise ValueError(f"{model}: is in a bucket; copy it to this computer first")
    files = [find_model(model) for model in options.models]
    specs = [read_spec(file) for file in files]
    for file in files:
        storage.check_writable(file.parent, "the folder")
    convert = [file for file in files if why_not_onnx(file)]
    if convert and not can_write():
        raise ValueError(
            "writing ONNX files needs TensorFlow and tf2onnx; install requirements.txt, and run it "
            "without KERAS_BACKEND"
        )
    lines = [lines_for(spec, options.fonts) if options.int8 else None for spec in specs]
    for file, spec, drawn in zip(files, specs, lines):
        if file in convert:
            _convert(file)
        elif drawn is None:
            say(f"{onnx_of(file)}: already exists and matches {file.name}")
        if drawn is not None:
            _write_int8(file, spec, drawn)
    return 0


def _convert(file: Path) -> None:
    """Write the ONNX files of a model file in 32 bits, and say so. Raises ValueError, OSError."""
    import model as models

    say(f"Converting {storage.display_name(file)}", sys.stderr)
    try:
        written = write_onnx(models.load(file), file)
    except NotConverted as error:
        raise ValueError(f"{error}; it is read with Keras") from error
    for place in written:
        say(f"{place}: {place.stat().st_size / 1e6:.1f} MB; same outputs as the Keras model")


def _write_int8(file: Path, spec: ModelSpec, lines: Lines) -> None:
    """Write a model file's ONNX file in 8 bits, whole or not at all, and say how well it reads.

    Raises ValueError if it reads worse than in 32 bits; OSError.
    """
    from inference import Recognizer

    place = int8_of(file)
    say(f"Drawing {EXAMPLES + CHECKED:,} lines, to convert {place.name} to 8 bits", sys.stderr)
    examples, _ = lines.pixels_and_texts(range(EXAMPLES))
    pixels, truths = lines.pixels_and_texts(range(EXAMPLES, EXAMPLES + CHECKED))
    content = sealed(quantised(read_onnx(onnx_of(file), file), spec, examples))
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copy(file, folder))
        int8_of(copy).write_bytes(content)
        if step_of(file).exists():
            shutil.copy(step_of(file), folder)
        engines: list[tuple[Path, EngineName]] = [(file, "onnx"), (copy, "int8")]
        readings = [
            [line.text for line in Recognizer.load(model, engine=engine).read(pixels)]
            for model, engine in engines
        ]
    right = [sum(text == truth for text, truth in zip(texts, truths)) for texts in readings]
    same = sum(one == other for one, other in zip(*readings))
    found = (
        f"of {CHECKED:,} generated lines it reads {right[1]:,} correctly, the file in 32 bits "
        f"{right[0]:,}; both read {same:,} the same"
    )
    if right[0] - right[1] > LOSS * CHECKED:
        raise ValueError(f"{place.name}: was not written: {found}; read with --engine onnx")
    write_whole(place, content)
    say(f"{place}: {place.stat().st_size / 1e6:.1f} MB; {found}")
