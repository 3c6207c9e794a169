"""How well lines were read: as figures, pictures and files.

    evaluation = evaluate(readings)         # exact lines, CER, WER, 1-NED, calibration, ...
    report(readings, "results", pixels)     # report.md with pictures, report.json, lines.tsv

CER and WER are edits (Levenshtein 1966) over characters or words of the truth; 1-NED is the mean
of 1 - edits / the longer of truth and text (ICDAR 2019 ArT, LSVT). Characters are counted by the
alignment with the fewest edits. Calibration is that of Guo et al. 2017, "On Calibration of Modern
Neural Networks": lines in bins of equal width by their confidence, and the expected calibration
error (ECE), the mean distance of a bin's confidence from its share of exact lines.
"""

import json
import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple.images import ImageError
from ocr_simple.reports import error_pictures as pictures
from ocr_simple.reports.markdown import markdown
from ocr_simple.reports.metrics import Bin, Evaluation, Reading, answered_alone, evaluate
from ocr_simple.text import one_line

SHEET = 24  # lines of a picture


# --- figures ----------------------------------------------------------------------------------


# --- files ------------------------------------------------------------------------------------


RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I)


def safe_name(name: str) -> str:
    """`name` as a single file or folder name that any system takes, of at most 120 bytes.

    Separators, controls and what Windows forbids become "_". Two names may become the same one.
    """
    name = "".join(
        "_" if c in '<>:"/\\|?*' or unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c
        for c in unicodedata.normalize("NFC", name)
    ).strip(". ")
    name = name.encode()[:119].decode(errors="ignore").rstrip(". ")
    return f"_{name}" if not name or RESERVED.match(name) else name


def report(
    readings: Iterable[Reading],
    output_dir: str | os.PathLike,
    pixels: Callable[[int], np.ndarray],
    title: str = "Evaluation",
) -> Evaluation:
    """Evaluate `readings`, and write what was found into the folder `output_dir`, made if need be.

    report.md, with pictures where there is something to show: reliability.png, confusions.png,
    worst.png, suspects.png; report.json, all figures; lines.tsv, each line's name, truth, text and
    confidence. What a former report left there is replaced.

    pixels: gives the image of reading i, uint8 (rows, columns, channels), for the few that are
        drawn; one for which it raises ImageError is drawn empty
    Raises ValueError without readings, or if `output_dir` cannot be a folder.
    """
    readings, folder = list(readings), Path(output_dir)
    evaluation = evaluate(readings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{folder}: a file is in the way; name another folder") from error

    def sheet(indices: Sequence[int]) -> Image.Image:
        shown = indices[:SHEET]
        return pictures.misread(
            [_pixels_or_blank(pixels, i) for i in shown],
            [readings[i].truth for i in shown],
            [readings[i].line for i in shown],
            [readings[i].name for i in shown],
        )

    confused = [(c.truth, c.read, c.count) for c in evaluation.confusions]
    for name, found, draw in (
        ("reliability", True, lambda: pictures.reliability(*_columns(evaluation.calibration))),
        ("coverage", True, lambda: pictures.coverage(*answered_alone(readings)[1:])),
        ("confusions", confused, lambda: pictures.confusions(confused)),
        ("worst", evaluation.worst, lambda: sheet(evaluation.worst)),
        ("suspects", evaluation.suspects, lambda: sheet(evaluation.suspects)),
    ):
        path = folder / f"{name}.png"
        if found:
            draw().save(path)
        else:
            path.unlink(missing_ok=True)
    rows = [(r.name, r.truth, r.line.text, f"{r.line.confidence:.4f}") for r in readings]
    tsv = ["name\ttruth\ttext\tconfidence", *("\t".join(map(one_line, row)) for row in rows)]
    _write(folder / "lines.tsv", "\n".join(tsv))
    values = {"title": title} | _clean(asdict(evaluation)) | {
        name: [_clean(_entry(readings[i])) for i in indices]
        for name, indices in (("worst", evaluation.worst), ("suspects", evaluation.suspects))
    }  # fmt: skip
    content = json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False)
    _write(folder / "report.json", content)
    _write(folder / "report.md", markdown(evaluation, readings, title))
    return evaluation


def _write(path: Path, content: str) -> None:
    # a file name of the readings need not be Unicode; escaped, it is still text and still JSON
    path.write_text(content + "\n", encoding="utf-8", errors="backslashreplace", newline="\n")


def _pixels_or_blank(pixels: Callable[[int], np.ndarray], index: int) -> np.ndarray:
    try:
        return pixels(index)
    except ImageError:  # which was read as nothing, and is one of the lines all the same
        return np.full((32, 128, 1), 255, np.uint8)


def _columns(bins: Sequence[Bin]) -> tuple[list[float], list[float], list[int]]:
    return [b.confidence for b in bins], [b.exact for b in bins], [b.lines for b in bins]


def _entry(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "truth": reading.truth,
        "text": reading.line.text,
        "confidence": float(reading.line.confidence),  # NumPy's are not JSON
        "similarity": reading.similarity,
        "loss": float(reading.loss),
    }


def _clean(value: Any) -> Any:
    """`value` as JSON has it: what is not a finite number as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


# --- report.md --------------------------------------------------------------------------------
