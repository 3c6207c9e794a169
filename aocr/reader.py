"""Reads lines of text with an exported model; copy it beside model.json, into any project.

    from reader import Reader
    text, confidence = Reader("model.onnx").read("photo.png")

or `python reader.py model.onnx photo.png`; `read_many` is faster for a folder of them. It needs
NumPy, Pillow, and for model.onnx onnxruntime, for a .tflite file ai-edge-litert. From ocr_simple,
whose own reader does more. MIT licence.
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

AT_ONCE = 8  # images of a batch on one core: more gain nothing
OPENED = 128  # files at a time: some systems allow 256


def _opened(image: Any) -> Image.Image:
    """A picture, or one of a path or file: its header read, its pixels not yet."""
    return image if isinstance(image, Image.Image) else Image.open(image)


class Reader:
    """An exported model."""

    def __init__(self, model: str | Path = "model.onnx"):
        """model: .onnx or .tflite file, beside its model.json."""
        self.model = Path(model)
        self.about = json.loads((self.model.parent / "model.json").read_text(encoding="utf-8"))
        self.run = self._open()

    def _open(self, threads: int = 0) -> Callable[[dict], dict]:
        """The network; threads: of one call, 0 for as many as there are cores."""
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
        return self._open(threads=1)

    def read(self, image: Any) -> tuple[str, float]:
        """(text, confidence from 0 to 1) of a path, a file or a PIL image."""
        return self.read_batch([image])[0]

    def read_batch(self, images: Sequence) -> list[tuple[str, float]]:
        """The same of several images, read at once; a .tflite file takes one by one."""
        return self._read(map(self._prepare, images), self.run)

    def read_many(self, images: Sequence) -> list[tuple[str, float]]:
        """The same of any number of them, in their order: a batch of about one width a core."""
        if self.model.suffix == ".tflite":
            return [self.read(image) for image in images]
        found: list[tuple[str, float]] = []
        run = self._run_on_one_core
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), OPENED):
                opened = [_opened(image) for image in images[start : start + OPENED]]
                aspects = [image.width / image.height for image in opened]
                order = sorted(range(len(opened)), key=lambda i: -aspects[i])
                batches = [
                    [opened[i] for i in order[k : k + AT_ONCE]]
                    for k in range(0, len(order), AT_ONCE)
                ]
                read = pool.map(lambda batch: self._read(map(self._prepare, batch), run), batches)
                of_image = dict(zip(order, itertools.chain.from_iterable(read)))
                found += [of_image[i] for i in range(len(opened))]
        return found

    def _read(self, prepared: Iterable[np.ndarray], run: Callable) -> list[tuple[str, float]]:
        """Prepared images, padded to the widest."""
        lines = list(prepared)
        width = np.array([line.shape[1] for line in lines], np.int32)
        multiple = self.about["multiple"]
        columns = -(-width.max() // multiple) * multiple  # up to a multiple, with zeros
        batch = np.zeros((len(lines), lines[0].shape[0], columns, lines[0].shape[2]), np.float32)
        for row, line in zip(batch, lines):
            row[:, : line.shape[1]] = line
        found = run({"image": batch, "width": width})
        if "ids" in found:
            return [self._text(i, p) for i, p in zip(found["ids"], found["probabilities"])]
        steps = -(-width // self.about["stride"])
        return [self._collapse(row[:own]) for row, own in zip(found["log_probabilities"], steps)]

    def _prepare(self, image):
        """float32 (height, width, channels): upright, on white, scaled, median 0, spread 1."""
        image = ImageOps.exif_transpose(_opened(image))
        if image.mode.startswith("I"):  # 16 bits
            samples = np.asarray(image) / (257 if np.max(image) > 255 else 1)
            image = Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image if image.mode in ("1", "L", "RGB") else image.convert("RGB")
        image = image.convert("L" if self.about["channels"] == 1 else "RGB")
        height = self.about["height"]
        width = max(1, int(image.width * height / image.height + 0.5))
        planes = [
            band.convert("F").resize((width, height), 2) for band in image.split()
        ]  # bilinear
        pixels = np.stack([np.asarray(plane) for plane in planes], 2)
        pixels = pixels - np.median(pixels)
        return (pixels / max(self.about["least_spread"], pixels.std())).astype(np.float32)

    def _collapse(self, log_probabilities):
        """The best class of each time step, runs of one class taken together, 0 left out."""
        ids, best = log_probabilities.argmax(1), np.exp(log_probabilities.max(1))
        runs = np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids)) + 1)
        runs = [run for run in runs if ids[run[0]]]
        if not runs:
            return "", float(best.min())
        return self._text([ids[run[0]] for run in runs], [best[run].max() for run in runs])

    def _text(self, ids, probabilities):
        text = "".join(self.about["alphabet"][i - 1] for i in ids if i)
        return text, float(np.prod(probabilities))


if __name__ == "__main__":
    reader = Reader(sys.argv[1])
    for name in sys.argv[2:]:
        print(name, *reader.read(name), sep="\t")
