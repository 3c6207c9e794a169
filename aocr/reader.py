"""Read lines of text with an exported model. Copy this file and model.json beside the model.

    from reader import Reader
    text, confidence = Reader("model.onnx").read("photo.png")

or `python reader.py model.onnx photo.png`. For many images, `read_many` is faster. It needs NumPy
and Pillow, and onnxruntime for a .onnx file or ai-edge-litert for a .tflite file. From ocr_simple,
whose `inference.py` does more. MIT licence.
"""

import functools
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BATCH_SIZE = 8  # images in a batch on one core; larger batches are not faster
CHUNK = 128  # images in memory at a time
# Pillow has more, such as EPS, for which it starts Ghostscript: unsafe with untrusted files
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
LIGHT_INK = 3.9  # times the contrast that black behind transparent pixels must give over white
ORIENTATION = 0x0112  # the EXIF tag
TRANSPOSES = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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

    def read_many(self, images: Sequence, errors: str = "raise") -> list:
        """The same for any number of images, in order: batches of similar widths on all cores.

        A bad image raises ValueError; with errors="return" the error is returned in its place.
        """
        lines: list = []
        on_one = functools.partial(self._run_prepared, run=self._run_on_one_core)
        prepare_image = functools.partial(self._prepare, errors=errors)
        size = 1 if self.model.suffix == ".tflite" else BATCH_SIZE
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), CHUNK):
                prepared = list(pool.map(prepare_image, images[start : start + CHUNK]))
                good = [i for i, x in enumerate(prepared) if isinstance(x, np.ndarray)]
                good.sort(key=lambda i: -prepared[i].shape[1])  # widest first
                order = [good[k : k + size] for k in range(0, len(good), size)]
                batches = [[prepared[i] for i in batch] for batch in order]
                if size == 1:  # an interpreter of LiteRT runs in one thread at a time
                    found = map(functools.partial(self._run_prepared, run=self.run), batches)
                else:
                    found = pool.map(on_one, batches)
                texts = dict(zip(good, itertools.chain.from_iterable(found)))
                lines += [texts.get(i, prepared[i]) for i in range(len(prepared))]
        return lines

    def _prepare(self, image: Any, errors: str = "raise") -> Any:
        """As `prepare`; with errors="return" what is wrong with the image is returned."""
        try:
            return prepare(image, self.about)
        except ValueError as error:
            if errors == "raise":
                raise
            return error

    def _read(self, images: Iterable, run: Callable[[dict], dict]) -> list[tuple[str, float]]:
        return self._run_prepared([self._prepare(image) for image in images], run)

    def _run_prepared(
        self, prepared: Sequence[np.ndarray], run: Callable[[dict], dict]
    ) -> list[tuple[str, float]]:
        about = self.about
        x = pad_batch(prepared, about["multiple"])
        outputs = run(x)
        if "ids" in outputs:  # an attention head writes the characters itself
            rows = zip(outputs["ids"], outputs["probabilities"])
            lines = [join(ids, probabilities, about["alphabet"]) for ids, probabilities in rows]
            return [(in_logical_order(text, about), confidence) for text, confidence in lines]
        steps = -(-x["width"] // about["stride"])  # valid time steps of each image
        lines = [
            ctc_greedy(row[:count], about["alphabet"])
            for row, count in zip(outputs["log_probabilities"], steps)
        ]
        return [(in_logical_order(text, about), confidence) for text, confidence in lines]


def prepare(image: Any, about: dict[str, Any]) -> np.ndarray:
    """An image as the model takes it, float32 (height, width, channels).

    Upright, without alpha, scaled to the model's height, median 0, standard deviation 1.
    about: height, channels and least_spread of model.json. Raises ValueError for a bad image.
    """
    try:
        picture = _opened(image).convert("L" if about["channels"] == 1 else "RGB")
    except Exception as error:  # decoders raise errors of many types
        reason = getattr(error, "strerror", None) or "not an image, or damaged"
        name = image if isinstance(image, (str, os.PathLike)) else "image"
        raise ValueError(f"{name}: {reason}") from error
    height = about["height"]
    width = max(1, int(picture.width * height / picture.height + 0.5))
    planes = [
        band.convert("F").resize((width, height), Image.Resampling.BILINEAR)
        for band in picture.split()
    ]
    pixels = np.stack([np.asarray(plane) for plane in planes], 2)
    pixels = pixels - np.median(pixels)
    return (pixels / max(about["least_spread"], pixels.std())).astype(np.float32)


def _opened(image: Any) -> Image.Image:
    """A decoded image of 8 bits, upright and without alpha."""
    if isinstance(image, Image.Image):
        return _eight_bit(_upright(image))
    content = image.read() if hasattr(image, "read") else Path(image).read_bytes()
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        opened.load()
        return _eight_bit(_upright(opened))


def _upright(image: Image.Image) -> Image.Image:
    try:
        transpose = TRANSPOSES.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the pixels can be used even if the EXIF data cannot
        return image
    return image if transpose is None else image.transpose(transpose)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any mode to 1, L or RGB; see ocr_simple/images.py."""
    if image.mode == "F" or image.mode.startswith("I"):  # 16 or 32 bits
        samples = np.nan_to_num(np.asarray(image).astype(np.float64))
        if image.mode != "F":
            samples /= 257 if samples.max(initial=0) > 255 else 1
        elif samples.max(initial=0) <= 1:
            samples *= 255
        return Image.fromarray(np.clip(np.round(samples), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        luma = np.asarray(image.convert("L"), np.float32)
        alpha = np.asarray(image.getchannel("A"), np.float32)
        on_black, on_white = (np.var(alpha * ink, dtype=np.float64) for ink in (luma, 255 - luma))
        behind = "black" if on_black > LIGHT_INK**2 * on_white else "white"
        return Image.alpha_composite(Image.new("RGBA", image.size, behind), image).convert("RGB")
    return image if image.mode in ("1", "L", "RGB") else image.convert("RGB")


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


# --- right-to-left text: see ocr_simple/text.py -----------------------------------------------

NUMBER = "E+(?:[SC]E+)*"  # 1,250.00 and 050-1234567
LEFT_TO_RIGHT = re.compile(  # what is written from left to right within right-to-left text
    "(?:(?:T*E[^RANL]*)?L(?:[^RAN]*(?:ET*|L))?"  # words, with the numbers beside them
    f"|T*{NUMBER}(?:T+{NUMBER})*T*"  # numbers, with signs such as %
    "|N+(?:CN+)*)+"  # numbers in Arabic digits
)


def in_logical_order(text: str, about: dict[str, Any]) -> str:
    """A text as it is typed; the model reads right-to-left text from left to right.

    about: alphabet, and for right-to-left alphabets kinds and mirrored, of model.json.
    """
    if "kinds" not in about:
        return text
    kinds = dict(zip(about["alphabet"], about["kinds"]))
    mirrored = dict(zip(about["alphabet"], about["mirrored"]))
    order = reading_order("".join(kinds[c] for c in text))
    return "".join(mirrored[text[i]] if flip else text[i] for i, flip in order)


def reading_order(kinds: str) -> list[tuple[int, bool]]:
    """(place, whether it is right-to-left) of each character, in logical order.

    kinds: of the characters in visual order, one letter each: R and A are right-to-left letters.
    """
    if not re.search("[RAN]", kinds):
        return [(place, False) for place in range(len(kinds))]
    # marks belong to a Latin letter on their left, or else to the letter on their right
    kinds = re.sub("(?<=L)M+", lambda marks: "L" * len(marks[0]), kinds).replace("M", "R")
    # after an Arabic letter, digits are Arabic too
    kinds = re.sub("(?<![^RA])[^RAL]+(?=A)", lambda run: run[0].replace("E", "N"), kinds)
    order, end = [], len(kinds)
    for run in reversed(list(LEFT_TO_RIGHT.finditer(kinds))):
        order += [(place, True) for place in reversed(range(run.end(), end))]
        order += [(place, False) for place in range(run.start(), run.end())]
        end = run.start()
    return order + [(place, True) for place in reversed(range(end))]


def main(arguments: Sequence[str]) -> int:
    """Print what each image says. Returns 0, 1 if some cannot be read, 2 if none can."""
    if len(arguments) < 2:
        print("usage: python reader.py model.onnx|model.tflite IMAGE...", file=sys.stderr)
        return 2
    model, *names = arguments
    if not Path(model).is_file():
        print(f"{model}: no such model file", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):  # whatever can be read can be printed
        sys.stdout.reconfigure(errors="backslashreplace")
    reader, bad = Reader(model), 0
    for name in names:
        try:
            print(name, *reader.read(name), sep="\t")
        except ValueError as error:
            print(error, file=sys.stderr)
            bad += 1
    return 0 if not bad else 1 if bad < len(names) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
