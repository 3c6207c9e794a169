"""Measures what `aocr train --auto` makes of a few labels: exact match before and after.

    python bench/few_labels.py data/ --sets water_meter odometer nameplate display_led --seeds 0 1 2

Of each set, a folder in `data` with labels.tsv, --labels random images are copied, as if they were
all that a user has labelled. A model is trained on them, and reads the rest; so does the shipped
model that the training began with. The sets are not written to.
"""

import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.text_folding import FOLDS, folded
from inference import Recognizer
from ocr_simple.datasets.annotations import Entry, require_entries
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.images import as_picture
from ocr_simple.reports.intervals import wilson
from ocr_simple.reports.markdown import markdown_table
from ocr_simple.reports.metrics import evaluate

COLUMNS = (
    "set", "fold", "seed", "labels", "start", "others", "before", "after", "95 %", "reported", "s",
)  # fmt: skip
FOLD_OF = {"nameplate": "alnum"}  # sets whose labels do not have every character


@dataclass(frozen=True)
class Options:
    """Measure trainings from few labels."""

    data: Annotated[Path, tyro.conf.Positional] = Path("data")
    """Folder of the sets."""
    sets: tuple[str, ...] = ("water_meter", "odometer", "nameplate", "display_led")
    """Sets to measure, each a folder with labels.tsv."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Random seeds; each chooses other images to label."""
    labels: int = 40
    """Labelled images to train on."""
    minutes: float = 6.0
    """As for aocr train --auto."""
    arguments: str = ""
    """More arguments of aocr train, separated by spaces."""
    output: Path = Path("results/few_labels")
    """Folder for the copies and the models; a subfolder that exists is replaced."""


def copy_labelled(entries: list[Entry], folder: Path) -> None:
    """Write some entries to a folder with labels.tsv."""
    folder.mkdir(parents=True)
    rows = []
    for number, entry in enumerate(entries):  # two folders may have images of one name
        name = f"{number:05}_{Path(entry.name).name}"
        if entry.corners:
            as_picture(load_image(entry, 3)).save(folder / name, "PNG")  # the line in the box
        else:
            shutil.copy(entry.file, folder / name)
        rows.append(f"{name}\t{entry.label}\n")
    (folder / "labels.tsv").write_text("".join(rows), encoding="utf-8")


def exact(model: str | Path, entries: list[Entry], fold: str) -> float:
    """The share of entries that a model reads right, in the characters of a fold."""
    recognizer = Recognizer.load(str(model))
    channels = recognizer.spec.channels
    examples = [(load_image(entry, channels), entry.label, entry.name) for entry in entries]
    return evaluate(folded(recognizer.read_labelled(examples), fold)).exact


def measure(options: Options, name: str, seed: int) -> list[str]:
    """The row of a set and a seed. Raises subprocess.CalledProcessError."""
    entries = require_entries(options.data / name)
    random.Random(seed).shuffle(entries)
    chosen, rest = entries[: options.labels], entries[options.labels :]
    folder = options.output / f"{name}_{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    copy_labelled(chosen, folder / "labelled")
    command = [sys.executable, "-m", "aocr", "train", str(folder / "labelled"), "--auto"]
    command += ["--minutes", f"{options.minutes:g}", "--model-dir", str(folder / "model")]
    started = time.perf_counter()
    subprocess.run([*command, *options.arguments.split()], cwd=ROOT, check=True)
    seconds = time.perf_counter() - started
    figures = json.loads((folder / "model" / "auto.json").read_text())
    fold = FOLD_OF.get(name, "none")
    assert fold in FOLDS
    before, after = (exact(m, rest, fold) for m in (figures["start"], folder / "model"))
    low, high = wilson(round(after * len(rest)), len(rest))
    return [
        name, fold, str(seed), str(len(chosen)), figures["start"], str(len(rest)),
        f"{before:.1%}", f"{after:.1%}", f"{low:.0%} to {high:.0%}",
        f"{figures['before']:.0%} -> {figures['after']:.0%}", f"{seconds:.0f}",
    ]  # fmt: skip


def main(options: Options) -> None:
    """Measure all sets, and print the table, of which each row is shown as it comes."""
    # absolute, as trainings run in the folder of this project
    options = replace(options, data=options.data.absolute(), output=options.output.absolute())
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.sets:
        for seed in options.seeds:
            rows.append(measure(options, name, seed))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print("\n".join(markdown_table(COLUMNS, rows)))


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except (ValueError, subprocess.CalledProcessError) as error:
        print(f"few_labels.py: {error}", file=sys.stderr)
        sys.exit(2)
