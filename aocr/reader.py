"""Read lines of text with an exported model. Copy this file and model.json beside the model.

    from reader import Reader
    text, confidence = Reader("model.onnx").read("photo.png")

or `python reader.py model.onnx photo.png`. For many images, `read_many` is faster. It needs NumPy
and Pillow, and onnxruntime for a .onnx file or ai-edge-litert for a .tflite file. From ocr_simple,
whose `inference.py` does more. MIT licence.
"""

import functools
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

BATCH_SIZE = 8  # images in a batch on one core; larger batches are not faster
OPEN_FILES = 128  # at a time; some systems allow 256


class Reader:
    """An exported model."""

    def __init__(self, model: str | Path = "model.onnx"):
        """model: a .onnx or .tflite file with its model.json beside it."""
        self.model = Path(model)
        self.about = json.loads((self.model.parent / "model.json").read_text(encoding="utf-8"))
        self.run = self._load()

    def _load(self, threads: int = 0) -> Callable[[dict], dict]:
        """The network as a function; threads: for each call, 0 for one per core."""
        if self.model.suffix == ".tflite":
            from ai_edge_litert.interpreter import Interpreter

            run = Interpreter(str(self.model)).get_signature_runner()
            return lambda x: run(**x)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(self.model), options)
        names = [output.name for output in session.get_outputs()]
        return lambda x: dict(zip(names, session.run(names, x)))

    @functools.cached_property
    def _run_on_one_core(self) -> Callable[[dict], dict]:
        return self._load(threads=1)

    def read(self, image: Any) -> tuple[str, float]:
        """(text, confidence from 0 to 1) for an image: a path, an open file or a PIL image."""
        return self.read_batch([image])[0]

    def read_batch(self, images: Sequence) -> list[tuple[str, float]]:
        """The same for several images in one batch. A .tflite file takes one image at a time."""
        return self._read(images, self.run)

    def read_many(self, images: Sequence) -> list[tuple[str, float]]:
        """The same for any number of images, in order: batches of similar widths on all cores."""
        if self.model.suffix == ".tflite":
            return [self.read(image) for image in images]
        lines: list[tuple[str, float]] = []
        read_batch = functools.partial(self._read, run=self._run_on_one_core)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), OPEN_FILES):
                opened = [_open(image) for image in images[start : start + OPEN_FILES]]
                aspects = [image.width / image.height for image in opened]
                order = sorted(range(len(opened)), key=lambda i: -aspects[i])  # widest first
                batches = [
                    [opened[i] for i in order[k : k + BATCH_SIZE]]
                    for k in range(0, len(order), BATCH_SIZE)
                ]
                found = itertools.chain.from_iterable(pool.map(read_batch, batches))
                by_index = dict(zip(order, found))
                lines += [by_index[i] for i in range(len(opened))]
        return lines

    def _read(self, images: Iterable, run: Callable[[dict], dict]) -> list[tuple[str, float]]:
        about = self.about
        x = pad_batch([prepare(image, about) for image in images], about["multiple"])
        outputs = run(x)
        if "ids" in outputs:  # an attention head writes the characters itself
            rows = zip(outputs["ids"], outputs["probabilities"])
            return [join(ids, probabilities, about["alphabet"]) for ids, probabilities in rows]
        steps = -(-x["width"] // about["stride"])  # valid time steps of each image
        return [
            ctc_greedy(row[:count], about["alphabet"])
            for row, count in zip(outputs["log_probabilities"], steps)
        ]


def _open(image: Any) -> Image.Image:
    """A PIL image; of a file only the header is read yet."""
    return image if isinstance(image, Image.Image) else Image.open(image)


def prepare(image: Any, about: dict[str, Any]) -> np.ndarray:
    """An image as the model takes it, float32 (height, width, channels).

    Upright, alpha composited on white, scaled to the model's height, median 0, standard deviation
    1. about: height, channels and least_spread of model.json.
    """
    image = ImageOps.exif_transpose(_open(image))
    if image.mode.startswith("I"):  # 16 bits
        samples = np.asarray(image)
        samples = np.round(samples / (257 if samples.max() > 255 else 1))
        image = Image.fromarray(np.clip(samples, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image if image.mode in ("1", "L", "RGB") else image.convert("RGB")
    image = image.convert("L" if about["channels"] == 1 else "RGB")
    height = about["height"]
    width = max(1, int(image.width * height / image.height + 0.5))
    planes = [
        band.convert("F").resize((width, height), Image.Resampling.BILINEAR)
        for band in image.split()
    ]
    pixels = np.stack([np.asarray(plane) for plane in planes], 2)
    pixels = pixels - np.median(pixels)
    return (pixels / max(about["least_spread"], pixels.std())).astype(np.float32)


def pad_batch(images: Sequence[np.ndarray], multiple: int) -> dict[str, np.ndarray]:
    """The model's inputs: images padded with zeros to one width, and the width of each."""
    width = np.array([image.shape[1] for image in images], np.int32)
    height, _, channels = images[0].shape
    columns = -(-width.max() // multiple) * multiple
    batch = np.zeros((len(images), height, columns, channels), np.float32)
    for row, image in zip(batch, images):
        row[:, : image.shape[1]] = image
    return {"image": batch, "width": width}


def ctc_greedy(log_probabilities: np.ndarray, alphabet: str) -> tuple[str, float]:
    """(text, confidence) of the best path of one line (time steps, classes).

    The best class of each time step; runs of one class are collapsed and blanks, class 0, dropped.
    """
    ids, best = log_probabilities.argmax(1), np.exp(log_probabilities.max(1))
    runs = np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids)) + 1)
    runs = [run for run in runs if ids[run[0]]]
    if not runs:
        return "", float(best.min())
    return join([ids[run[0]] for run in runs], [best[run].max() for run in runs], alphabet)


def join(ids: Iterable, probabilities: Any, alphabet: str) -> tuple[str, float]:
    """(text, confidence) of class ids, of which 0 writes nothing, and of their probabilities."""
    text = "".join(alphabet[i - 1] for i in ids if i)
    return text, float(np.prod(probabilities))


def main(arguments: Sequence[str]) -> int:
    """Print what each image says. Returns 0, 1 if some cannot be read, 2 if none can."""
    if len(arguments) < 2:
        print("usage: python reader.py model.onnx|model.tflite IMAGE...", file=sys.stderr)
        return 2
    model, *names = arguments
    if not Path(model).is_file():
        print(f"{model}: no such model file", file=sys.stderr)
        return 2
    reader, status = Reader(model), 0
    for name in names:
        try:
            print(name, *reader.read(name), sep="\t")
        except OSError as error:  # a missing file, or one that is no image
            print(f"{name}: {error.strerror or 'not an image, or damaged'}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
