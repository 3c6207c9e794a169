"""Reads lines of text with an exported model; copy it beside model.json, into any project.

    from reader import Reader
    text, confidence = Reader("model.onnx").read("photo.png")

or `python reader.py model.onnx photo.png`. It needs NumPy, Pillow, and for model.onnx onnxruntime,
for a .tflite file ai-edge-litert. From ocr_simple, whose own reader does more. MIT licence.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


class Reader:
    """An exported model."""

    def __init__(self, model: str | Path = "model.onnx", threads: int = 0):
        """model: .onnx or .tflite file, beside its model.json; threads: of one call (0: as many as
        cores). Fastest for many: a thread of yours a core, each with batches, and 1 here."""
        self.about = json.loads((Path(model).parent / "model.json").read_text(encoding="utf-8"))
        if Path(model).suffix == ".tflite":
            from ai_edge_litert.interpreter import Interpreter

            run = Interpreter(str(model), num_threads=threads or None).get_signature_runner()
            self.run = lambda x: run(**x)
        else:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(str(model), options)
            names = [output.name for output in session.get_outputs()]
            self.run = lambda x: dict(zip(names, session.run(names, x)))

    def read(self, image: Any) -> tuple[str, float]:
        """(text, confidence from 0 to 1) of a path, a file or a PIL image."""
        return self.read_batch([image])[0]

    def read_batch(self, images: list) -> list[tuple[str, float]]:
        """The same of several images, read at once; a .tflite file takes one by one."""
        lines = [self._prepare(image) for image in images]
        width = np.array([line.shape[1] for line in lines], np.int32)
        multiple = self.about["multiple"]
        columns = -(-width.max() // multiple) * multiple  # up to a multiple, with zeros
        batch = np.zeros((len(lines), lines[0].shape[0], columns, lines[0].shape[2]), np.float32)
        for row, line in zip(batch, lines):
            row[:, : line.shape[1]] = line
        found = self.run({"image": batch, "width": width})
        if "ids" in found:
            return [self._text(i, p) for i, p in zip(found["ids"], found["probabilities"])]
        steps = -(-width // self.about["stride"])
        return [self._collapse(row[:own]) for row, own in zip(found["log_probabilities"], steps)]

    def _prepare(self, image):
        """float32 (height, width, channels): upright, on white, scaled, median 0, spread 1."""
        if not isinstance(image, Image.Image):
            image = Image.open(image)
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits
            samples = np.asarray(image) / (257 if np.max(image) > 255 else 1)
            image = Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image if image.mode in ("1", "L") else image.convert("RGB")
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
