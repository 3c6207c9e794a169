"""`aocr diagnose --curve`: how much labels bring, by short trainings on parts of them.

A third of the labelled pictures is kept. A quarter, a half and all of the others are trained on,
with the options of `--auto`, and each model reads the pictures that were kept.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aocr.auto.choice import Shipped, choose, usable
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
KEPT, MOST_KEPT = 1 / 3, 100  # share of the labelled pictures that are kept, and at most
PARTS = (1 / 4, 1 / 2, 1.0)  # of the others, to train on
SECONDS, STARTING = 0.2, 25.0  # of a step on two processor cores, and of a training beside them
NEARLY_ALL = 0.98  # share of the pictures; there is nothing to gain by then


class Point(NamedTuple):
    """What was read in the kept pictures after a training on so many labels."""

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


def parts_of(labelled: int) -> tuple[int, list[int]]:
    """(pictures that are kept, labels of each training), of so many labelled pictures."""
    kept = min(MOST_KEPT, round(KEPT * labelled))
    return kept, [max(1, round(part * (labelled - kept))) for part in PARTS]


def announce(labelled: int, steps: int) -> None:
    """Say what will be done, and how long it takes."""
    kept, parts = parts_of(labelled)
    minutes = max(1, round(len(parts) * (STARTING + SECONDS * steps) / 60))
    say(
        f"After the diagnosis, --curve trains on {', '.join(map(str, parts[:-1]))} and {parts[-1]} "
        f"labels for {steps:,} steps each, then reads {kept} other pictures. This takes about "
        f"{counted(minutes, 'minute')} more on two processor cores",
        sys.stderr,
    )


def run(options: DiagnoseOptions, entries: Sequence[Entry]) -> None:
    """Train on parts of the labelled pictures, and print what was read."""
    models = Shipped()
    with tempfile.TemporaryDirectory() as place:
        points, start = _measure(options, entries, Path(place), models)
    say(f"{table(points, start)}\n\n{verdict(points, options.curve_steps)}\n")


def _measure(
    options: DiagnoseOptions, entries: Sequence[Entry], place: Path, models: Shipped
) -> tuple[list[Point], str]:
    """(what was read without a training and after each, the model that they start from)."""
    from aocr.auto import trainings

    order = np.random.default_rng(options.seed).permutation(len(entries))
    how = {field.name: getattr(options, field.name) for field in dataclasses.fields(LabelOptions)}
    asked = AocrTrainOptions(
        dataset=(options.folder,), fonts=options.fonts, seed=options.seed, skip_bad=True, **how
    )
    kept, _ = parts_of(len(entries))
    known = [entries[i] for i in order[kept:]]  # the options are chosen by these
    chosen, spec = choose(asked, place / "curve", known, models)
    shuffled = usable([entries[i] for i in order], chosen, spec)
    kept, parts = parts_of(len(shuffled))
    rows = trainings.write_images(shuffled, place / "images")
    unseen = place / "images" / "kept.jsonl"
    trainings.write_rows(unseen, rows[:kept])
    points = []
    for labels in parts:
        log(f"Training on {counted(labels, 'label')}")
        file = place / "images" / f"{labels}.jsonl"
        trainings.write_rows(file, rows[kept : kept + labels])
        planned = dataclasses.replace(
            trainings.with_steps(chosen, options.curve_steps),
            interval=options.curve_steps,  # the kept pictures choose nothing
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
    """For each number of labels, the share of the kept pictures that was read right."""
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
