"""Other engines that read the same images, for `python bench/accuracy.py --peers`.

    .venv/bin/python -m pip install --no-deps -r requirements/peers.txt
    apt-get install tesseract-ocr-eng

Each takes an image as one line of text: no text detection runs before it.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

Result = tuple[str, float]  # text, confidence from 0 to 1


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
        with Image.open(path) as opened:
            image = opened.convert("L")
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
            found: list[Result] = [("", 0.0)] * len(paths)
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

    def load(path: Path) -> np.ndarray:
        return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR))

    def many(paths: Sequence[Path]) -> list[Result]:
        found = recogniser(TextRecInput(img=[load(path) for path in paths]))
        return [(text, float(score)) for text, score in zip(found.txts, found.scores)]

    def one(path: Path) -> Result:
        return many([path])[0]

    return [Engine(model, one, many)]
