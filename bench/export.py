"""Measures how long one image takes in each export format, from its file's bytes to its text.

    python bench/export.py --models digits text

Loading and the first images do not count. The formats of a model take turns in rounds, so that
other work on the computer slows all of them; not image by image, as the threads of the format
before would still be busy.
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aocr import export, reader
from inference import Recognizer
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.options import Drawing
from ocr_simple.runs.model_files import PRETRAINED, find_model

ROUNDS, WARM_UP = 5, 10  # turns of each format; images at the start of a turn that do not count


@dataclass(frozen=True)
class Options:
    """Measure the formats of an export."""

    models: tuple[str, ...] = tuple(sorted(path.stem for path in PRETRAINED.glob("*.keras")))
    """Shipped models' names, model files, or run folders."""
    images: int = 300
    """Images to read with each format."""
    columns: int = 128
    """Width of the image; its height is 32."""


def readers(file: Path, folder: Path) -> dict[str, Callable[[bytes], object]]:
    """A function from bytes to text for each format, and for the Keras model."""
    import tensorflow as tf

    export.export(file, folder, ["savedmodel", "onnx", "litert"])
    recognizer = Recognizer.load(file, engine="keras")
    serve = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
    portable = {
        path.name: reader.Reader(path)
        for path in sorted(folder.glob("model*.*"))
        if path.suffix != ".json"
    }
    return {
        "Keras": lambda encoded: recognizer.read([encoded]),
        "SavedModel": lambda encoded: serve(tf.constant(encoded))["output"].numpy(),
    } | {name: lambda encoded, r=r: r.read(io.BytesIO(encoded)) for name, r in portable.items()}


def main(options: Options) -> None:
    """Print a Markdown table. Raises ValueError."""
    font = find_fonts(("matplotlib",))[0]
    drawn = draw("2048692318", font, Drawing(), 0)
    assert drawn is not None
    line = drawn.convert("L").resize((options.columns, 32))
    file = io.BytesIO()
    Image.fromarray(np.asarray(line)).save(file, "png")
    print("| model | format | p50 ms | p95 ms |\n|---|---|---|---|")
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            found = readers(find_model(name), Path(folder))
            times: dict[str, list[float]] = {form: [] for form in found}
            for _ in range(ROUNDS):
                for form, read in found.items():
                    for number in range(options.images // ROUNDS + WARM_UP):
                        start = time.perf_counter()
                        read(file.getvalue())
                        if number >= WARM_UP:
                            times[form].append(1000 * (time.perf_counter() - start))
        for form, taken in times.items():
            p50, p95 = np.percentile(taken, (50, 95))
            print(f"| {name} | {form} | {p50:.2f} | {p95:.2f} |", flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"export.py: {error}", file=sys.stderr)
        sys.exit(2)
