"""Other engines behind one interface, for accuracy.py --peers.

    .venv/bin/python -m pip install --no-deps -r requirements/peers.txt
    apt-get install tesseract-ocr-eng

Each reads files to (text, confidence), without looking for lines first: an image is a line.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

Read = tuple[str, float]  # text, confidence 0 to 1


class Reader(NamedTuple):
    """An engine: `one` reads a file, `many` reads files as quickly as it can."""

    name: str
    one: Callable[[Path], Read]
    many: Callable[[Sequence[Path]], list[Read]]


def peers(digits: bool) -> list[Reader]:
    """The engines that are installed. Raises ValueError that says how to install them.

    digits: whether they are told that there is nothing but digits, where they can be told
    """
    try:
        return [tesseract(digits), tesseract(digits, height=64), *rapidocr()]
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"peers: {error}; pip install --no-deps -r requirements/peers.txt and apt-get "
            "install tesseract-ocr-eng"
        ) from error


def tesseract(digits: bool, height: int = 0) -> Reader:
    """Tesseract's LSTM, an image as a line; `height` scales lines up to it, on a margin."""
    os.environ["OMP_THREAD_LIMIT"] = "1"  # its own threads slow it down
    import tesserocr

    folder = next(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), None)
    workers = os.cpu_count() or 1

    def engine() -> tesserocr.PyTessBaseAPI:
        api = tesserocr.PyTessBaseAPI(
            path=str(folder) if folder else "", lang="eng", psm=tesserocr.PSM.SINGLE_LINE
        )
        if digits:
            api.SetVariable("tessedit_char_whitelist", "0123456789")
        return api

    def read(api: tesserocr.PyTessBaseAPI, path: Path) -> Read:
        with Image.open(path) as opened:
            image = opened.convert("L")
        if height:
            width = max(1, round(image.width * height / image.height))
            image = image.resize((width, height), Image.Resampling.BICUBIC)
            pixels = np.pad(np.asarray(image), 12, mode="edge")
            image = Image.fromarray(pixels)
        api.SetImage(image)
        return api.GetUTF8Text().strip(), api.MeanTextConf() / 100

    engines = [engine() for _ in range(workers)]

    def many(paths: Sequence[Path]) -> list[Read]:
        # each engine reads every n-th file in a thread of its own
        with ThreadPoolExecutor(workers) as pool:
            shares = pool.map(
                lambda i: [read(engines[i], path) for path in paths[i::workers]], range(workers)
            )
            found: list[Read] = [("", 0.0)] * len(paths)
            for i, share in enumerate(shares):
                found[i::workers] = share
        return found

    version = tesserocr.tesseract_version().split()[1]
    name = f"Tesseract {version}" + (f", {height} rows" if height else "")
    return Reader(name, partial(read, engines[0]), many)


def rapidocr() -> list[Reader]:
    """RapidOCR's recogniser, the one that its package carries."""
    import rapidocr as package
    from rapidocr.ch_ppocr_rec import TextRecInput

    engine = package.RapidOCR(params={"Global.log_level": "error"})
    recogniser = engine._load_rec_model()
    model = f"{engine.cfg.Rec.ocr_version.value} {engine.cfg.Rec.model_type.value}"

    def load(path: Path) -> np.ndarray:
        return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)

    def many(paths: Sequence[Path]) -> list[Read]:
        found = recogniser(TextRecInput(img=[load(path) for path in paths]))
        return [(text, float(score)) for text, score in zip(found.txts, found.scores)]

    def one(path: Path) -> Read:
        return many([path])[0]

    return [Reader(model, one, many)]
