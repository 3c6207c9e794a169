"""How well a model reads labelled images, and how fast.

    python bench/accuracy.py inference_test_imgs photos/ [--model digits] [--fold digits]

A folder holds images and labels.tsv: file name, tab, text. An image that cannot be read is named
and counts as read empty. Lines/s are from file to text, the model loaded.
"""

import logging
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from inference import TEST_IMAGES, Recognizer
from model import error_rates
from text import Line, normalise_text

FOLDS = {  # what counts of both texts
    "none": normalise_text,
    "digits": lambda text: re.sub("[^0-9]", "", text),
    "alnum": lambda text: "".join(filter(str.isalnum, normalise_text(text).casefold())),
}


@dataclass(frozen=True)
class Options:
    """Measure a model on folders of labelled images."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = (TEST_IMAGES,)
    """Folders with labels.tsv."""
    fold: Literal["none", "digits", "alnum"] = "none"
    """digits: 0 to 9 alone count; alnum: letters and digits, upper as lower case."""
    model: str = "digits"
    """Shipped model's name, or a model file."""


def read_labels(folder: Path) -> dict[Path, str]:
    """Label of each image of labels.tsv. Raises ValueError that names the file."""
    file = folder / "labels.tsv"
    rows = file.read_text("utf-8-sig").splitlines() if file.is_file() else []
    if not rows or not all("\t" in row for row in rows):
        raise ValueError(f"{file}: wanted one line an image: file name, tab, text")
    return {folder / name: label for name, label in (row.split("\t", 1) for row in rows)}


def main(options: Options) -> None:
    """Print a Markdown table."""
    logging.getLogger("ocr_simple").setLevel(logging.ERROR)
    labels, fold = {f: read_labels(f) for f in options.folders}, FOLDS[options.fold]
    recognizer = Recognizer.load(options.model)
    print(f"model {options.model}, fold {options.fold}\n")
    print("| folder | lines | exact | CER | lines/s |\n|---|---|---|---|---|")
    for folder, truths in labels.items():
        recognizer.read(list(truths)[:64], errors="return")  # builds the graph
        start = time.perf_counter()
        lines = recognizer.read(truths, errors="return")
        speed = len(truths) / (time.perf_counter() - start)
        texts = [fold(line.text) if isinstance(line, Line) else "" for line in lines]
        for error in (line for line in lines if not isinstance(line, Line)):
            print(error, file=sys.stderr)
        exact, cer = error_rates(list(map(fold, truths.values())), texts)
        row = f"| {folder.name} | {len(truths)} | {exact:.1%} | {cer:.1%} | {speed:,.0f} |"
        print(row, flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ValueError as error:
        sys.exit(f"accuracy.py: {error}")
