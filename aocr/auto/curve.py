"""`aocr diagnose --curve`: how much more labels would bring, by short trainings on parts of them.

A third of the labelled pictures is held out. Models are trained on a quarter, a half and all of the
others, with the options of `--auto`, and each reads the pictures that were held out.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aocr.auto.choice import ModelCache, choose, usable
from aocr.options import AocrTrainOptions, DiagnoseOptions
from ocr_simple.command_line import say
from ocr_simple.datasets.entries import Entry
from ocr_simple.datasets.labelled_lines import find_all_entries
from ocr_simple.messages import counted
from ocr_simple.options import LabelOptions
from ocr_simple.reports.comparison import LIKELY, mcnemar
from ocr_simple.reports.intervals import shown_interval
from ocr_simple.reports.metrics import Reading
from ocr_simple.runs.journal import log

LEAST = 30  # labelled pictures: of fewer, a third shows nothing
HELD_OUT, MOST_HELD_OUT = 1 / 3, 100  # share of the labelled pictures, and the most of them
PARTS = (1 / 4, 1 / 2, 1.0)  # of the others, to train on
STEP_SECONDS, START_SECONDS = 0.2, 25.0  # of a training on two processor cores
NEARLY_ALL = 0.98  # share of the pictures; there is nothing to gain by then


class Point(NamedTuple):
    """What was read in the held-out pictures after a training on so many labels."""

    labels: int
    readings: list[Reading]

    @property
    def right(self) -> int:
        """The number of pictures that were read right."""
        return sum(reading.exact for reading in self.readings)


def find_labelled(options: DiagnoseOptions) -> list[Entry]:
    """The labelled pictures of the folder. Raises ValueError if there are too few."""
    rows = find_all_entries((options.folder,), options, lambda _: None) if options.folder else []
    entries = [row for row in rows if isinstance(row, Entry)]
    if len(entries) < LEAST:
        raise ValueError(
            f"--curve needs {LEAST} labelled pictures or more, and there are {len(entries)}; "
            f"label some with aocr label, or leave --curve out"
        )
    return entries


def held_out_of(labelled: int) -> int:
    """How many of the labelled pictures are held out."""
    return min(MOST_HELD_OUT, round(HELD_OUT * labelled))


def parts_of(others: int) -> list[int]:
    """How many labels each training has, of those that are not held out."""
    return [max(1, round(part * others)) for part in PARTS]


def announce(labelled: int, steps: int) -> None:
    """Say what will be done, and how long it takes."""
    held_out = held_out_of(labelled)
    parts = parts_of(labelled - held_out)
    minutes = max(1, round(len(parts) * (START_SECONDS + STEP_SECONDS * steps) / 60))
    say(
        f"After the diagnosis, --curve trains on {', '.join(map(str, parts[:-1]))} and {parts[-1]} "
        f"labels for {steps:,} steps each, then reads {held_out} other pictures. This takes about "
        f"{counted(minutes, 'minute')} more on two processor cores",
        sys.stderr,
    )


def run(options: DiagnoseOptions, entries: Sequence[Entry]) -> None:
    """Train on parts of the labelled pictures, and print what was read."""
    models = ModelCache()
    with tempfile.TemporaryDirectory() as place:
        points, start = _measure(options, entries, Path(place), models)
    say(f"{table(points, start)}\n\n{verdict(points, options.curve_steps)}\n")


def _measure(
    options: DiagnoseOptions, entries: Sequence[Entry], place: Path, models: ModelCache
) -> tuple[list[Point], str]:
    """(what was read without a training and after each, the model that they start from)."""
    from aocr.auto import trainings

    order = np.random.default_rng(options.seed).permutation(len(entries))
    how = {field.name: getattr(options, field.name) for field in dataclasses.fields(LabelOptions)}
    asked = AocrTrainOptions(
        dataset=(options.folder,), fonts=options.fonts, seed=options.seed, skip_bad=True, **how
    )
    shuffled = [entries[i] for i in order]
    held_out = shuffled[: held_out_of(len(shuffled))]
    # the options are chosen by the others alone
    chosen, spec = choose(asked, place / "curve", shuffled[len(held_out) :], models)
    shuffled = usable(shuffled, chosen, spec)
    first = sum(entry in held_out for entry in shuffled)  # they come before the others
    if not 0 < first < len(shuffled):
        raise ValueError("--curve: too few of the labelled pictures can be used; leave it out")
    rows = trainings.write_images(shuffled, place / "images")
    unseen = place / "images" / "held_out.jsonl"
    trainings.write_rows(unseen, rows[:first])
    points = []
    for labels in parts_of(len(rows) - first):
        log(f"Training on {counted(labels, 'label')}")
        file = place / "images" / f"{labels}.jsonl"
        trainings.write_rows(file, rows[first : first + labels])
        planned = dataclasses.replace(
            trainings.with_steps(chosen, options.curve_steps),
            interval=options.curve_steps,  # the held-out pictures choose nothing
            dataset=(str(file),),
            validation=(str(unseen),),
            model_dir=place / str(labels),
        )
        found = trainings.train_part(planned, float("inf"), spec.temperature)
        points.append(Point(labels, found.readings))
    start = str(chosen.init_from)
    return [Point(0, models.read(start, found.examples)), *points], start


# --- what it shows ----------------------------------------------------------------------------


def table(points: Sequence[Point], start: str) -> str:
    """For each number of labels, the share of the held-out pictures that was read right."""
    count = len(points[0].readings)
    rows = [f"{'labels':>8}   read right, of {counted(count, 'other picture')}"]
    for point in points:
        share, note = point.right / count, f"   {start}, not trained" if not point.labels else ""
        interval = f"({shown_interval(share, count)})"
        rows.append(f"{point.labels:>8,}   {100 * share:>3.0f} %  {interval:18}{note}".rstrip())
    return "\n".join(rows)


def verdict(points: Sequence[Point], steps: int) -> str:
    """What the last doubling of the labels brought, and whether that may be chance."""
    half, whole = points[-2:]
    pairs = [(a.exact, b.exact) for a, b in zip(half.readings, whole.readings, strict=True)]
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    chance = mcnemar(gained, lost) > LIKELY
    more = f"With twice the labels, the model reads {counted(gained - lost, 'more picture')}"
    if whole.right >= NEARLY_ALL * len(pairs):
        found = "Nearly all are read correctly: more labels can improve little."
    elif gained > lost and not chance:
        found = f"{more}, which is unlikely to be chance: more labels will help."
    elif gained > lost:
        found = f"{more}, which may be chance. More labels may help."
    else:
        found = (
            "Twice the labels did not help on these few pictures. Look at the misread ones before "
            "you label many more."
        )
    return f"{found}\nEach training had only {steps:,} steps; aocr train --auto trains longer."
