"""How well a model reads labelled images, and how fast; beside other engines, if told.

    python bench/accuracy.py inference_test_imgs photos/ [--models digits] [--fold digits] [--peers]

A folder holds images and labels.tsv: file name, tab, text. An image that cannot be read is named
and counts as read empty. Lines/s are from file to text, the model loaded: one image after the
other, and as fast as the engine reads many. Confidence is the mean, beside which the share of
exact lines should stand; at the end, how many lines are answered if only sure ones are.
"""

from ocr_simple.text import Line
from ocr_simple.reports.metrics import Reading
from inference import Recognizer
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.reports.metrics import evaluate
from ocr_simple.text import normalise_text
from aocr import reader

import logging
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers import Read, Reader, peers

FOLDS = {  # what counts of both texts
    "none": normalise_text,
    "digits": lambda text: re.sub("[^0-9]", "", text),
    "alnum": lambda text: "".join(filter(str.isalnum, normalise_text(text).casefold())),
}
TIMES = 3  # that each speed is measured: the first meets new shapes
GOALS = (0.95, 0.98, 0.99, 0.995)  # shares of right ones among the lines answered


@dataclass(frozen=True)
class Options:
    """Measure a model on folders of labelled images."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = (TEST_IMAGES,)
    """Folders with labels.tsv."""
    fold: Literal["none", "digits", "alnum"] = "none"
    """digits: 0 to 9 alone count; alnum: letters and digits, upper as lower case."""
    models: tuple[str, ...] = ("digits",)
    """Shipped models' names, model files, or model.onnx of an export."""
    peers: bool = False
    """Read the same images with Tesseract and RapidOCR too: see peers.py."""


def read_labels(folder: Path) -> dict[Path, str]:
    """Label of each image of labels.tsv. Raises ValueError that names the file."""
    file = folder / "labels.tsv"
    rows = file.read_text("utf-8-sig").splitlines() if file.is_file() else []
    if not rows or not all("\t" in row for row in rows):
        raise ValueError(f"{file}: wanted one line an image: file name, tab, text")
    return {folder / name: label for name, label in (row.split("\t", 1) for row in rows)}


def ours(model: str) -> Reader:
    """The recogniser, or an export's reader, as one of the engines."""
    if Path(model).suffix == ".onnx":
        portable = reader.Reader(model)

        def one(path: Path) -> Read:
            try:
                return portable.read(path)
            except OSError as error:
                print(f"{path}: {error}", file=sys.stderr)
                return "", 0.0

        def every(paths: Sequence[Path]) -> list[Read]:
            try:
                return portable.read_many(paths)
            except OSError:  # one of them: it is named
                return list(map(one, paths))

        return Reader(f"ocr_simple {Path(model).parent.name}, ONNX", one, every)
    recognizer = Recognizer.load(model)

    def many(paths: Sequence[Path]) -> list[Read]:
        lines = recognizer.read(paths, errors="return")
        for error in (line for line in lines if not isinstance(line, Line)):
            print(error, file=sys.stderr)
        return [(x.text, x.confidence) if isinstance(x, Line) else ("", 0.0) for x in lines]

    return Reader(f"ocr_simple {model}", lambda path: many([path])[0], many)


def measure(
    engine: Reader, truths: dict[Path, str], fold: str
) -> tuple[list[Reading], float, float]:
    """(readings, lines/s one by one, lines/s of many, each the best of TIMES)."""
    paths = list(truths)
    few = paths[:200]
    engine.many(paths[:64])  # builds graphs, fills caches
    together, apart = [], []
    for _ in range(TIMES):  # in turn: other work on the machine slows both
        start = time.perf_counter()
        found = engine.many(paths)
        together.append(time.perf_counter() - start)
        start = time.perf_counter()
        for path in few:
            engine.one(path)
        apart.append(time.perf_counter() - start)
    readings = [
        Reading(path.name, FOLDS[fold](truth), Line(FOLDS[fold](text), confidence, ()))
        for (path, truth), (text, confidence) in zip(truths.items(), found)
    ]
    return readings, len(few) / min(apart), len(paths) / min(together)


def main(options: Options) -> None:
    """Print Markdown tables."""
    labels = {folder: read_labels(folder) for folder in options.folders}
    engines = [ours(model) for model in options.models]
    engines += peers(options.fold == "digits") if options.peers else []
    print(f"fold {options.fold}\n")
    print("| folder | lines | engine | exact | CER | 1-NED | confidence | one by one | at best |")
    print("|---|---|---|---|---|---|---|---|---|")
    together: dict[str, list[Reading]] = {engine.name: [] for engine in engines}
    for folder, truths in labels.items():
        for engine in engines:
            readings, one_by_one, many = measure(engine, truths, options.fold)
            together[engine.name] += readings
            found = evaluate(readings)
            print(
                f"| {folder.name} | {found.lines} | {engine.name} | {found.exact:.1%} | "
                f"{found.cer:.1%} | {found.similarity:.3f} | {found.confidence:.1%} | "
                f"{one_by_one:,.0f} | {max(many, one_by_one):,.0f} |",
                flush=True,
            )
    print("\nshare of all lines answered, and the least confidence of these, for so many right\n")
    print("| engine |" + "".join(f" {goal:.1%} right |" for goal in GOALS))
    print("|---|" + "---|" * len(GOALS))
    for name, readings in together.items():
        cells = (coverage(readings, goal) for goal in GOALS)
        print(f"| {name} |" + "".join(f" {c.answered:.1%} from {c.threshold:.3f} |" for c in cells))


if __name__ == "__main__":
    logging.getLogger("ocr_simple").setLevel(logging.ERROR)
    try:
        main(tyro.cli(Options))
    except ValueError as error:
        sys.exit(f"accuracy.py: {error}")
