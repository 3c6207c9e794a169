"""Other engines that read the same images, for `python bench/accuracy.py --peers`.

    .venv/bin/python -m pip install --no-deps -r requirements/peers.txt
    apt-get install tesseract-ocr-eng

Each takes an image as one line of text: no text detection runs before it. They are given the same
pixels as the models here: upright, without transparency, 16 bits scaled to 8. An image that cannot
be read counts as read empty.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ocr_simple import images

Result = tuple[str, float]  # text, confidence from 0 to 1
UNREAD: Result = ("", 0.0)


class Engine(NamedTuple):
    """What reads images: `one` reads a file, `many` reads files as fast as the engine can."""

    name: str
    one: Callable[[Path], Result]
    many: Callable[[Sequence[Path]], list[Result]]
    recognizer: Any = None  # the `inference.Recognizer` behind it, if there is one


def peers(digits: bool) -> list[Engine]:
    """Tesseract, twice, and RapidOCR. Raises ValueError that says how to install them.

    digits: whether only digits are expected; Tesseract is restricted to them.
    """
    try:
        return [tesseract(digits), tesseract(digits, height=64), *rapidocr()]
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"peers: {error}; install them with pip install --no-deps -r requirements/peers.txt "
            "and apt-get install tesseract-ocr-eng"
        ) from error


def load(path: Path, channels: int) -> np.ndarray | None:
    """uint8 (rows, columns, channels); None for an image that cannot be read."""
    try:
        return images.load(path, channels, warn=False)
    except (OSError, images.ImageError):
        return None


def tesseract(digits: bool, height: int = 0) -> Engine:
    """Tesseract's LSTM in single-line mode; with `height`, lines are scaled to it and padded."""
    os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract's threads slow it down
    import tesserocr

    folder = next(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), None)
    workers = os.cpu_count() or 1

    def start() -> tesserocr.PyTessBaseAPI:
        api = tesserocr.PyTessBaseAPI(
            path=str(folder) if folder else "", lang="eng", psm=tesserocr.PSM.SINGLE_LINE
        )
        if digits:
            api.SetVariable("tessedit_char_whitelist", "0123456789")
        return api

    def read(api: tesserocr.PyTessBaseAPI, path: Path) -> Result:
        pixels = load(path, 1)
        if pixels is None:
            return UNREAD
        image = images.as_picture(pixels)
        if height:
            width = max(1, round(image.width * height / image.height))
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            pixels = np.pad(np.asarray(image), 12, mode="edge")
            image = Image.fromarray(pixels)
        api.SetImage(image)
        return api.GetUTF8Text().strip(), api.MeanTextConf() / 100

    apis = [start() for _ in range(workers)]

    def many(paths: Sequence[Path]) -> list[Result]:
        # each instance reads every n-th file in its thread
        with ThreadPoolExecutor(workers) as pool:
            shares = pool.map(
                lambda i: [read(apis[i], path) for path in paths[i::workers]], range(workers)
            )
            found = [UNREAD] * len(paths)
            for i, share in enumerate(shares):
                found[i::workers] = share
        return found

    version = tesserocr.tesseract_version().split()[1]
    name = f"Tesseract {version}" + (f", {height} rows" if height else "")
    return Engine(name, partial(read, apis[0]), many)


def rapidocr() -> list[Engine]:
    """RapidOCR's recogniser: the model that comes with its package."""
    import rapidocr as package
    from rapidocr.ch_ppocr_rec import TextRecInput

    engine = package.RapidOCR(params={"Global.log_level": "error"})
    recogniser = engine._load_rec_model()
    model = f"{engine.cfg.Rec.ocr_version.value} {engine.cfg.Rec.model_type.value}"

    def many(paths: Sequence[Path]) -> list[Result]:
        loaded = [load(path, 3) for path in paths]
        blue_first = [pixels[..., ::-1] for pixels in loaded if pixels is not None]
        if not blue_first:
            return [UNREAD] * len(paths)
        found = recogniser(TextRecInput(img=blue_first))
        read = zip(found.txts, map(float, found.scores))
        return [UNREAD if pixels is None else next(read) for pixels in loaded]

    def one(path: Path) -> Result:
        return many([path])[0]

    return [Engine(model, one, many)]
