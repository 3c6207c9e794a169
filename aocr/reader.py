"""Read lines of text with an exported model. Copy this file, model.onnx and model.onnx.json.

    from reader import Reader
    text, confidence = Reader("model.onnx").read("photo.png")

or `python reader.py model.onnx photo.png`. For many images, `read_many` is faster. It needs NumPy
and Pillow, and onnxruntime for a .onnx file or ai-edge-litert for a .tflite file; for an export
that keeps a --pattern or --lexicon also reader_constraint.py. An export may keep the box of a
camera: images of its size are read in the box, others whole. From ocr_simple, whose `inference.py`
does more. MIT licence.
"""

import functools
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BATCH_SIZE = 8  # images in a batch on one core; larger batches are not faster
BATCH_COLUMNS = 6144  # of a batch, padding included
CHUNK, CHUNK_COLUMNS = 128, 1 << 18  # images in memory at a time, and their columns
FEW = 16  # images that are prepared before it is known how many columns they have
# Pillow has more, such as EPS, for which it starts Ghostscript: unsafe with untrusted files
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 50_000_000  # of an image
MAX_COLUMNS = 16_000  # of an image at the model's height
MAX_BYTES = 8 * MAX_PIXELS  # of a file
LARGEST_DESCRIPTION = 1 << 22  # bytes
DESCRIPTION = {  # what is used of it, and its types
    "alphabet": (str,), "height": (int,), "channels": (int,), "least_spread": (int, float),
    "stride": (int,), "multiple": (int,),
}  # fmt: skip
CONTROLS = re.compile(  # as ocr_simple/messages.py has it: not to be printed
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)
SIZES = ("height", "channels", "least_spread", "stride", "multiple")
LARGEST_SIZE = 4096  # of any of them
FULL_SCALES = (255, 4095, 65535)  # white in images of 8, 12 and 16 bits
STRIP_PIXELS = 1 << 20  # of a large image that are computed with at a time
LIGHT_INK = 3.9  # black goes behind transparent pixels if its contrast is so many times white's
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


class NotAccepted(ValueError):
    """An image that is not read because it is too large, or not a regular file."""


class Reader:
    """An exported model."""

    def __init__(
        self,
        model: str | Path = "model.onnx",
        about: dict[str, Any] | None = None,
        max_pixels: int = MAX_PIXELS,
        max_columns: int = MAX_COLUMNS,
    ):
        """model: a .onnx or .tflite file. about: its description; else model.onnx.json beside it.

        max_pixels: of an image as it is in its file. max_columns: of an image at the model's
        height; memory and time grow with them. Raises ValueError for a model that is no file,
        and for a description that is missing, or of another file; OSError.
        """
        self.model = Path(model)
        if not self.model.is_file():  # reading a pipe could block forever
            raise ValueError(f"{self.model}: no such model file; name a .onnx or .tflite file")
        if self.model.suffix not in (".onnx", ".tflite"):
            raise ValueError(f"{self.model}: is not a .onnx or .tflite file")
        self.about = read_description(self.model) if about is None else about
        self.constraint = constraint_of(self.about, self.model)
        self.crop = crop_of(self.about, self.model)
        self.whole = 0  # number of images read whole, because the box is for another size
        self._counting = threading.Lock()
        self.limits = max_pixels, max_columns
        self.one_by_one = self.model.suffix == ".tflite"  # LiteRT takes one image, in one thread
        self.run = self._load()

    def _load(self, threads: int = 0) -> Callable[[dict], dict]:
        """The network as a function; threads: for each call, 0 for one per core."""
        if self.one_by_one:
            try:
                from ai_edge_litert.interpreter import Interpreter
            except ImportError as error:
                fix = "python -m pip install ai-edge-litert"
                raise ValueError(f"{self.model}: needs ai-edge-litert: {fix}") from error
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
        """The same for several images, in batches of similar widths, one after the other."""
        prepared = [self._prepare(image) for image in images]
        run = functools.partial(self._run_prepared, run=self.run)
        return self._read(prepared, len(prepared), functools.partial(map, run))

    def read_many(self, images: Iterable, errors: str = "raise") -> list:
        """The same for any number of images, in order: batches of similar widths on all cores.

        A bad image raises ValueError; with errors="return" the error is returned in its place.
        """
        lines: list = []
        remaining = iter(images)
        prepare_image = functools.partial(self._prepare, errors=errors)
        run = self.run if self.one_by_one else self._run_on_one_core
        run_batch = functools.partial(self._run_prepared, run=run)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            run_batches = functools.partial(map if self.one_by_one else pool.map, run_batch)
            while chunk := _chunk(remaining, functools.partial(pool.map, prepare_image)):
                lines += self._read(chunk, BATCH_SIZE, run_batches)
        return lines

    def _read(self, prepared: list, most: int, run_batches: Callable) -> list:
        """The line of each prepared image; errors among them stay. most: images in a batch."""
        good = [i for i, x in enumerate(prepared) if isinstance(x, np.ndarray)]
        widths = [prepared[i].shape[1] for i in good]
        most = 1 if self.one_by_one else most
        order = [[good[k] for k in b] for b in batches(widths, self.about["multiple"], most)]
        found = run_batches([[prepared[i] for i in batch] for batch in order])
        lines = dict(zip(itertools.chain(*order), itertools.chain.from_iterable(found)))
        return [lines.get(i, x) for i, x in enumerate(prepared)]

    def _prepare(self, image: Any, errors: str = "raise") -> Any:
        """As `prepare`; with errors="return" what is wrong with the image is returned."""
        max_pixels, max_columns = self.limits
        name = _name(image)
        try:
            picture = _picture(image, name, self.about, max_pixels)
            if self.crop and list(picture.size) != self.crop["size"]:
                with self._counting:
                    self.whole += 1
            picture = straightened(picture, self.crop)
            return _scaled(picture, name, self.about, max_columns)
        except ValueError as error:
            if errors == "raise":
                raise
            return error

    def _check_classes(self, outputs: dict) -> None:
        """Raise ValueError if a model has other classes than its description has characters."""
        known = len(self.about["alphabet"]) + 1
        ids = outputs.get("ids", np.zeros(0, int))
        rows = outputs.get("log_probabilities", np.zeros((0, 0, known)))
        if ids.max(initial=0) >= known or rows.shape[2] != known:
            raise ValueError(f"{self.model}: is not the model that is described; export it again")

    def _run_prepared(
        self, prepared: Sequence[np.ndarray], run: Callable[[dict], dict]
    ) -> list[tuple[str, float]]:
        about = self.about
        x = pad_batch(prepared, about["multiple"])
        try:
            outputs = run(x)
        except Exception as error:  # another height, other channels
            raise ValueError(f"{self.model}: fails ({_reason(error)}); export it again") from error
        self._check_classes(outputs)
        if "ids" in outputs:  # an attention head writes the characters itself
            rows = zip(outputs["ids"], outputs["probabilities"])
            lines = [join(ids, probabilities, about["alphabet"]) for ids, probabilities in rows]
        else:
            steps = -(-x["width"] // about["stride"])  # valid time steps of each image
            lines = [self._decode(*row) for row in zip(outputs["log_probabilities"], steps)]
        return [(in_logical_order(text, about), confidence) for text, confidence in lines]

    def _decode(self, log_probabilities: np.ndarray, steps: int) -> tuple[str, float]:
        """(text, confidence) of one line, of which so many time steps are valid."""
        rows, alphabet = log_probabilities[:steps], self.about["alphabet"]
        text, confidence = ctc_greedy(rows, alphabet)
        if self.constraint is None:
            return text, confidence
        greedy = [alphabet.index(character) + 1 for character in text]
        ids, confidence = self.constraint.read(rows, greedy, confidence)
        return join(ids, confidence, alphabet)


def constraint_of(about: dict[str, Any], model: Path) -> Any:
    """The constraint that a description has, from reader_constraint.py; or None.

    Raises ValueError if it is damaged, or if that file is missing.
    """
    constraint = about.get("constraint")
    if not isinstance(constraint, dict | None):
        raise ValueError(f"{model}: its constraint is not an object; export it again")
    if not constraint or "automaton" not in constraint:
        return None
    name = ".reader_constraint" if __package__ else "reader_constraint"  # beside this file
    try:
        module = importlib.import_module(name, __package__ or None)
        return module.Constraint(constraint, len(about["alphabet"]) + 1)
    except ImportError as error:
        raise ValueError("reader_constraint.py: not there; copy it beside reader.py") from error
    except ValueError as error:
        raise ValueError(f"{model}: {_reason(error)}; export it again") from error


def crop_of(about: dict[str, Any], model: Path) -> dict[str, Any] | None:
    """The box that a description has, or None. Raises ValueError if it is damaged."""
    if (crop := about.get("crop")) is None:
        return None
    try:
        (width, height), size = crop["line"], np.array(crop["size"])
        corners, transform = (np.array(crop[n], float) for n in ("corners", "transform"))
        fits = corners.shape == (4, 2) and size.shape == (2,) and size.dtype.kind == "i"
        fits = fits and transform.shape == (8,)
        fits = fits and ((corners > -1) & (corners < size + 1)).all()
        fits = fits and (np.abs(transform) < MAX_PIXELS).all()
        fits = fits and min(width, height) > 0 and width * height <= MAX_PIXELS
        # all of the line is in front of the camera: Pillow divides by this
        fits = fits and min(0, transform[6] * width) + min(0, transform[7] * height) > -1
    except (TypeError, KeyError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise ValueError(f"{model}: its crop is no box; export it again")
    return crop


def read_description(model: Path) -> dict[str, Any]:
    """What describes a model file. Earlier exports have one model.json for all files of a folder.

    Raises ValueError if it is missing, has another shape, or is of another file; OSError.
    """
    places = (model.with_name(f"{model.name}.json"), model.with_name("model.json"))
    file = next((place for place in places if place.is_file()), places[0])
    if not file.is_file():
        raise ValueError(f"{file}: not there; copy it from the export, beside the model")
    if file.stat().st_size > LARGEST_DESCRIPTION:
        raise ValueError(f"{file}: over {LARGEST_DESCRIPTION:,} bytes; export the model again")
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        wrong = [name for name, kinds in DESCRIPTION.items() if type(about[name]) not in kinds]
        orders = [about.get(name, "") for name in ("kinds", "mirrored")]
        wrong += ["kinds"] * any(not isinstance(order, str) for order in orders)
        wrong += ["kinds"] * ({*map(len, orders)} not in ({0}, {len(about["alphabet"])}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = _reason(error)
        raise ValueError(f"{file}: describes no model ({reason}); export it again") from error
    fits = not wrong and all(0 < about[name] <= LARGEST_SIZE for name in SIZES)
    if not fits or about["channels"] not in (1, 3):
        raise ValueError(f"{file}: describes no model; export it again")
    if "sha256" in about and hashlib.sha256(model.read_bytes()).hexdigest() != about["sha256"]:
        raise ValueError(f"{model}: is not the file that {file.name} describes; export it again")
    return about


def prepare(
    image: Any,
    about: dict[str, Any],
    max_pixels: int = MAX_PIXELS,
    max_columns: int = MAX_COLUMNS,
) -> np.ndarray:
    """An image as the model takes it, float32 (height, width, channels).

    Upright, without alpha, in the box that is kept for its size, scaled to the model's height,
    median 0, standard deviation 1. about: the model's description. Raises ValueError for a bad
    image.
    """
    name = _name(image)
    picture = straightened(_picture(image, name, about, max_pixels), about.get("crop"))
    return _scaled(picture, name, about, max_columns)


def _name(image: Any) -> str:
    """An image's name in messages."""
    return escape(os.fsdecode(image)) if isinstance(image, (str, os.PathLike)) else "image"


def _picture(image: Any, name: str, about: dict[str, Any], max_pixels: int) -> Image.Image:
    """A decoded image, in grey or in colour as the model takes it. Raises ValueError."""
    try:
        return _opened(image, max_pixels).convert("L" if about["channels"] == 1 else "RGB")
    except NotAccepted as error:
        raise ValueError(f"{name}: {error}") from error
    except Image.DecompressionBombError as error:
        limit = f"{max_pixels:,} pixels; crop it, or scale it down"
        raise ValueError(f"{name}: far over the limit of {limit}") from error
    except Exception as error:  # decoders raise errors of many types
        reason = getattr(error, "strerror", None) or "not an image, or damaged"
        raise ValueError(f"{name}: {reason}") from error


def straightened(picture: Image.Image, crop: dict[str, Any] | None) -> Image.Image:
    """The level line in the box of a picture; the picture if it is of another size.

    crop: of a description: the size of the pictures, the corners of the box, the size of the line
    in it, and the perspective from the line to the picture. See ocr_simple/datasets/crops.py.
    """
    if crop is None or list(picture.size) != crop["size"]:
        return picture
    corners, (a, b, c, e, f, g, h, i) = np.array(crop["corners"], float), crop["transform"]
    left, top = np.maximum(0, corners.min(axis=0).astype(int) - 1).tolist()
    right, bottom = np.minimum(picture.size, corners.max(axis=0).astype(int) + 2).tolist()
    # from the line to the part of the picture that is around the box
    transform = (a - left * h, b - left * i, c - left, e - top * h, f - top * i, g - top, h, i)
    how = Image.Transform.PERSPECTIVE, transform, Image.Resampling.BILINEAR
    planes = [  # as float: Pillow rounds bytes down
        band.convert("F").transform(tuple(crop["line"]), *how).point(lambda level: level + 0.5)
        for band in picture.crop((left, top, right, bottom)).split()
    ]
    return Image.merge(picture.mode, [plane.convert("L") for plane in planes])


def _scaled(picture: Image.Image, name: str, about: dict[str, Any], max_columns: int) -> np.ndarray:
    """A decoded image as the model takes it: see `prepare`. Raises ValueError."""
    height = about["height"]
    width = max(1, int(picture.width * height / picture.height + 0.5))
    if width > max_columns:
        raise ValueError(
            f"{name}: {picture.width} x {picture.height} pixels, {width:,} columns at the model's "
            f"height of {height}, over the limit of {max_columns:,}; cut it into pieces"
        )
    planes = [
        band.convert("F").resize((width, height), Image.Resampling.BILINEAR)
        for band in picture.split()
    ]
    pixels = np.stack([np.asarray(plane) for plane in planes], 2)
    pixels = pixels - np.median(pixels)
    return (pixels / max(about["least_spread"], pixels.std())).astype(np.float32)


def _opened(image: Any, max_pixels: int) -> Image.Image:
    """A decoded image of 8 bits, upright and without alpha."""
    if isinstance(image, Image.Image):
        _check_size(*image.size, max_pixels)
        return _eight_bit(_upright(image))
    with Image.open(io.BytesIO(_content(image)), formats=FORMATS) as opened:
        _check_size(*opened.size, max_pixels)
        opened.load()
        return _eight_bit(_upright(opened))


def _content(image: Any) -> bytes:
    """The bytes of a path or an open file. Raises NotAccepted, OSError."""
    if hasattr(image, "read"):
        content = image.read(MAX_BYTES + 1)
    else:
        status = os.stat(image)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could block forever
            raise NotAccepted("a folder, pipe or device; name an image file")
        if status.st_size <= MAX_BYTES:
            return Path(image).read_bytes()
        content = None
    if content is None or len(content) > MAX_BYTES:
        raise NotAccepted(f"over the limit of {MAX_BYTES:,} bytes; crop it to the line")
    return content


def _check_size(width: int, height: int, most: int) -> None:
    """Raise NotAccepted for an image of over `most` pixels."""
    if width * height > most:
        raise NotAccepted(
            f"{width} x {height} pixels, over the limit of {most:,}; crop it to the line, or scale "
            "it down"
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        transpose = TRANSPOSES.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the pixels can be used even if the EXIF data cannot
        return image
    return image if transpose is None else image.transpose(transpose)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any mode to 1, L or RGB; see ocr_simple/images.py."""
    if image.mode == "F" or image.mode.startswith("I"):  # 16 or 32 bits
        samples = np.asarray(image)
        highest = float(np.nan_to_num(samples).max(initial=0))
        scales = (1, *FULL_SCALES) if image.mode == "F" else FULL_SCALES
        white = next((scale for scale in scales if highest <= scale), highest)
        found = np.empty(samples.shape, np.uint8)
        for rows in _strips(samples):
            part = np.nan_to_num(samples[rows].astype(np.float64)) * 255 / white
            found[rows] = np.clip(np.round(part), 0, 255)
        return Image.fromarray(found)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        luma, alpha = np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
        on_black, on_white = (_variance(alpha, ink) for ink in (luma, 255 - luma))
        behind = "black" if on_black > LIGHT_INK**2 * on_white else "white"
        return Image.alpha_composite(Image.new("RGBA", image.size, behind), image).convert("RGB")
    return image if image.mode in ("1", "L", "RGB") else image.convert("RGB")


def _variance(alpha: np.ndarray, ink: np.ndarray) -> float:
    """Of the product of two uint8 arrays."""
    total = squares = 0  # exact: integers
    for rows in _strips(alpha):
        levels = alpha[rows].astype(np.int64) * ink[rows]
        total += int(levels.sum())
        squares += int((levels * levels).sum())
    return (alpha.size * squares - total**2) / alpha.size**2


def _strips(pixels: np.ndarray) -> Iterator[slice]:
    """Rows of a large image, some at a time: what is computed with them takes little memory."""
    rows = max(1, STRIP_PIXELS // max(1, pixels.shape[1]))
    for top in range(0, len(pixels), rows):
        yield slice(top, top + rows)


def batches(widths: Sequence[int], multiple: int, most: int) -> Iterator[list[int]]:
    """Indices of images in batches of similar widths; see ocr_simple/preprocessing.py."""
    by_width = sorted(range(len(widths)), key=lambda i: widths[i])
    while by_width:
        count = min(most, max(1, BATCH_COLUMNS // (widths[by_width[-1]] + multiple)))
        yield by_width[-count:]
        del by_width[-count:]


def _chunk(images: Iterator, prepare_all: Callable) -> list:
    """The next images, prepared: at most CHUNK, and little more than CHUNK_COLUMNS."""
    found: list = []
    columns = 0
    while len(found) < CHUNK and columns < CHUNK_COLUMNS:
        few = list(prepare_all(list(itertools.islice(images, min(FEW, CHUNK - len(found))))))
        if not few:
            break
        found += few
        columns += sum(x.shape[1] for x in few if isinstance(x, np.ndarray))
    return found


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


# --- right-to-left text: see ocr_simple/right_to_left.py --------------------------------------

NUMBER = "E+(?:[SC]E+)*"  # 1,250.00 and 050-1234567
LEFT_TO_RIGHT = re.compile(  # what is written from left to right within right-to-left text
    "(?:(?:T*E[^RANL]*)?L(?:[^RAN]*(?:ET*|L))?"  # words, with the numbers beside them
    f"|T*{NUMBER}(?:T+{NUMBER})*T*"  # numbers, with signs such as %
    "|N+(?:CN+)*)+"  # numbers in Arabic digits
)


def in_logical_order(text: str, about: dict[str, Any]) -> str:
    """A text as it is typed; the model reads right-to-left text from left to right.

    about: the model's description: alphabet, and for right-to-left ones kinds and mirrored.
    """
    if not about.get("kinds"):
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


def escape(text: str) -> str:
    """`text` on one line, without characters that change how a terminal shows it."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _reason(error: Exception) -> str:
    """What an error of a library says, for a message; it may repeat what is in a file."""
    return escape(str(error)[:200])


def main(arguments: Sequence[str]) -> int:
    """Print what each image says. Returns 0, 1 if some cannot be read, 2 if none can."""
    if len(arguments) < 2:
        print("usage: python reader.py model.onnx|model.tflite IMAGE...", file=sys.stderr)
        return 2
    model, *names = arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # whatever can be read can be printed
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        reader, bad = Reader(model), 0
    except Exception as error:  # runtimes raise errors of many types
        ours = isinstance(error, ValueError)
        print(escape(str(error) if ours else f"{model}: {_reason(error)}"), file=sys.stderr)
        return 2
    for name in names:
        try:
            text, confidence = reader.read(name)
            print(escape(name), escape(text), confidence, sep="\t")
        except ValueError as error:
            print(escape(str(error)), file=sys.stderr)
            bad += 1
    if reader.crop and reader.whole:
        width, height = reader.crop["size"]
        reason = f"the model's box is for {width} x {height} pixels"
        print(f"{reader.whole} of {len(names)} images read whole: {reason}", file=sys.stderr)
    return 0 if not bad else 1 if bad < len(names) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
