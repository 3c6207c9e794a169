"""How long one image takes with each format of an export, warm: from its file's bytes to its text.

    python bench/export.py [--models digits text]

The formats of one model take turns in rounds, so that a busy moment hits them all; not image by
image, as the threads of the one before would still be spinning.
"""

from ocr_simple.options import DrawingOptions
from ocr_simple.runs.model_files import PRETRAINED
from inference import Recognizer
from ocr_simple.drawing.glyphs import draw
from aocr import export
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.runs.model_files import find_model
from aocr import reader

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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


ROUNDS, WARM = 5, 10  # turns of each format; images of each that do not count


@dataclass(frozen=True)
class Options:
    """Time the formats."""

    models: tuple[str, ...] = tuple(sorted(path.stem for path in PRETRAINED.glob("*.keras")))
    """Shipped models' names, or model files."""
    images: int = 300
    """Images to read with each."""
    columns: int = 128
    """Width of the image; its height is 32."""


def readers(file: Path, folder: Path) -> dict[str, Callable[[bytes], object]]:
    """A function from bytes to text for each format, and for Keras itself."""
    import tensorflow as tf

    export.export(file, folder, ["savedmodel", "onnx", "litert"])
    recognizer = Recognizer.load(file)
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
    """Print a Markdown table."""
    font = find_fonts(("matplotlib",))[0]
    drawn = draw("2048692318", font, DrawingOptions(), 0)
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
                    for number in range(options.images // ROUNDS + WARM):
                        start = time.perf_counter()
                        read(file.getvalue())
                        if number >= WARM:
                            times[form].append(1000 * (time.perf_counter() - start))
        for form, taken in times.items():
            p50, p95 = np.percentile(taken, (50, 95))
            print(f"| {name} | {form} | {p50:.2f} | {p95:.2f} |", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
