"""Compares how fast two versions of this project read, side by side: they take turns.

    git worktree add --detach /tmp/before COMMIT
    python bench/before_after.py /tmp/before \\
        --before-model "$PWD/pretrained/digits.keras" --model "$PWD/pretrained/digits.keras"

Give both the same file: with a name such as digits, each version reads its own model, and their
networks may differ. Both versions stay loaded, and read the same PNG files in turns. The ratio of
each round is that of two readings which ran directly after each other, so that other work on the
computer slows both. Processor time counts less of that work than the clock does.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

READER = """
import json, sys, time
from inference import Recognizer
recognizer = Recognizer.load(sys.argv[1])
files, one = json.loads(sys.stdin.readline())

def timed(work):
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor

def each(count):
    times = [timed(lambda: recognizer.read([one])) for _ in range(count)]
    return [sorted(column)[count // 2] for column in zip(*times)]

recognizer.read(files), each(3)  # the first reading is slow
print("ready", flush=True)
for count in map(int, sys.stdin):
    print(json.dumps([timed(lambda: recognizer.read(files)), each(count)]), flush=True)
"""


@dataclass(frozen=True)
class Options:
    """Compare two versions."""

    before: Annotated[Path, tyro.conf.Positional]
    """The folder with the version to compare with."""
    before_model: str = "digits"
    """What that version reads with: a name or a file."""
    model: str = "digits"
    """What this version reads with."""
    rounds: int = 5
    """Turns of each version."""
    files: int = 500
    """PNG files to read in each turn."""
    ones: int = 100
    """Readings of one file of 32 x 128 pixels in each turn."""


def reader(folder: Path, model: str, files: list[str], one: str) -> subprocess.Popen:
    """A version that has read the files once and waits for its turns."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, model], cwd=folder, text=True,
        env=os.environ | {"PYTHONPATH": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout
    print(json.dumps([files, one]), file=process.stdin, flush=True)
    if process.stdout.readline() != "ready\n":
        raise ValueError(f"{folder}: does not read; its message is above")
    return process


def turn(process: subprocess.Popen, ones: int) -> list[float]:
    """Seconds on the clock and of processor time: of all files, then the median of one file."""
    assert process.stdin and process.stdout
    print(ones, file=process.stdin, flush=True)
    files, one = json.loads(process.stdout.readline())
    return [*files, *one]


def main(options: Options) -> None:
    """Print a Markdown table. Raises ValueError."""
    drawn = Lines(LineOptions(), ModelSpec(), find_fonts(("trdg",)), augment=False)
    with tempfile.TemporaryDirectory() as name:
        files = [str(Path(name) / f"{k}.png") for k in range(options.files)]
        for k, file in enumerate(files):
            Image.fromarray(drawn[k][0][..., 0]).save(file)
        one = str(Path(name) / "one.png")
        Image.open(files[0]).resize((128, 32)).save(one)
        versions = [
            reader(options.before, options.before_model, files, one),
            reader(ROOT, options.model, files, one),
        ]
        print("| what | before | now | before / now | of each round |\n|---|---|---|---|---|")
        rounds = [[turn(v, options.ones) for v in versions] for _ in range(options.rounds)]
        for version in versions:
            version.communicate()
    names = (f"{options.files} files, s", "… processor", "one file, p50 ms", "… processor")
    for what, name in enumerate(names):
        scale = 1000 if what > 1 else 1
        before, now = zip(*(([scale * version[what] for version in both]) for both in rounds))
        ratios = [a / b for a, b in zip(before, now)]
        cells = [f"{statistics.median(x):.2f}" for x in (before, now, ratios)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"| {name} | {' | '.join(cells)} | {each} |")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"before_after.py: {error}", file=sys.stderr)
        sys.exit(2)
