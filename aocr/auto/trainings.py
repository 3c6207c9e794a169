"""The trainings of `--auto`, within a time limit: five-fold cross-validation, or a single one.

With few labelled images, five models are trained, each on four fifths of the images, and each reads
the fifth that it has not seen. The result is the mean of their weights (Wortsman et al. 2022,
"Model soups"), so it uses all labels. With more images, or on a slow computer, one model is
trained, and part of the images is held out for validation.
"""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import model as models
import train
from aocr.auto import stages
from aocr.auto.comparison import BeforeAfter
from inference import Recognizer
from ocr_simple.datasets.batches import Example
from ocr_simple.datasets.crops import encoded_line
from ocr_simple.datasets.entries import Entry
from ocr_simple.decoding.calibration import fit_temperature
from ocr_simple.decoding.greedy import Prediction
from ocr_simple.images import EXTENSIONS
from ocr_simple.network.backend import keras
from ocr_simple.options import TrainOptions
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.validation import Validation
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import BEST
from ocr_simple.spec import ModelSpec

FOLDS = 5
FOLD_STEPS = 80  # of each fold, for each minute that there is
STEPS = 400  # of a single training, likewise
MOST_STEPS = 3000
VALIDATION_SHARE = 0.2  # of the images, for a single training
ENDING = 1.5  # times the seconds of starting: what a training takes beside its steps
ALMOST = 0.9  # share of the steps that are enough
HALF = 0.5  # of a fold's time: with less, another one is not begun
LEAST_STEPS = 120  # of a fold: with fewer, one model is trained longer instead
AT_THE_END = 27.0  # seconds kept for what follows the trainings


class OutOfTime(Exception):
    """There is no time for another interval."""


class NoTimeForSteps(Exception):
    """A training cannot do its steps in the time that is left.

    step: seconds of each step. beside: seconds of all else, such as the start.
    """

    def __init__(self, step: float, beside: float):
        super().__init__(step, beside)
        self.step, self.beside = step, beside

    def steps_in(self, seconds: float) -> int:
        """The steps of such a training that has so much time."""
        return max(0, int((seconds - self.beside) / self.step))


class Unseen(NamedTuple):
    """Images that a model was not trained on, and what it read in them."""

    examples: list[Example]
    readings: list[Reading]
    predictions: list[Prediction]
    in_time: bool = True  # False: the time was up before all trainings had all their steps


class Clock:
    """The time that is left of `minutes` since `started`, in seconds of `time.monotonic`."""

    def __init__(self, minutes: float, started: float):
        self.end = started + 60 * minutes

    def left(self) -> float:
        """Seconds until the trainings have to end."""
        return self.end - time.monotonic() - AT_THE_END


class Watch:
    """Called after each validation: ends a training in time, or finds that it is too slow.

    seconds: for this training. strict: whether to begin again if it is too slow; else it is ended
    early.
    """

    def __init__(self, options: TrainOptions, seconds: float, strict: bool):
        self.interval, self.steps = options.interval, options.steps
        self.seconds, self.strict = seconds, strict
        self.started = self.before = time.monotonic()
        self.laps: list[float] = []  # seconds of each interval, with its validation
        self.latest: Validation | None = None

    def __call__(self, validation: Validation) -> None:
        """Raises OutOfTime or NoTimeForSteps."""
        now, self.latest = time.monotonic(), validation
        self.laps.append(now - self.before)
        self.before, lap = now, self.laps[-1]
        if validation.step >= self.steps:
            return
        # the first interval also compiles, so it does not tell how long the next one takes
        ahead = lap if len(self.laps) > 1 else 0.0
        late = now - self.started + ahead > self.seconds
        if self.strict and (late or len(self.laps) == 2):
            starting = max(0.0, self.laps[0] - lap)
            slow = NoTimeForSteps(lap / self.interval, ENDING * starting)
            if slow.steps_in(self.seconds) < ALMOST * self.steps:
                raise slow
        if late:
            raise OutOfTime


def with_steps(options: TrainOptions, steps: int) -> TrainOptions:
    """The options with so many steps, and with validations and a warm-up that suit them.

    An interval and a warm-up that the user gave are kept.
    """
    interval, warmup = options.interval, options.warmup
    if not options.was_given("interval"):
        interval = min(steps, max(10, min(80, steps // 6)))
    if not options.was_given("warmup"):
        warmup = min(100, steps // 5)
    return dataclasses.replace(options, steps=steps, interval=interval, warmup=warmup)


def train_part(
    options: TrainOptions, seconds: float, temperature: float, strict: bool = False
) -> Unseen:
    """Train into a new folder, and read the images that were kept to validate.

    seconds: in which it ends, early if need be. temperature: what the model gets. strict: raise
    NoTimeForSteps if there is no time for all steps. Raises what `train.train` does.
    """
    watch, in_time = Watch(options, seconds, strict), True
    try:
        validation = train.train(options, watch)
    except OutOfTime:
        assert watch.latest is not None
        validation, in_time = watch.latest, False
        log("The time is up; the best model so far is kept")
    file = options.model_dir / BEST
    best = with_temperature(models.load(file), temperature)
    models.save(best, file)
    unseen = read_unseen(best, list(zip(validation.pixels, validation.truths, validation.fonts)))
    return unseen._replace(in_time=in_time)


def exact_share(readings: Sequence[Reading]) -> float:
    """The share of lines that are read exactly."""
    return sum(reading.exact for reading in readings) / len(readings)


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """The model, with this temperature of its confidences."""
    model.spec = dataclasses.replace(model.spec, temperature=temperature)
    return model


def read_unseen(model: keras.Model, examples: list[Example]) -> Unseen:
    """What a model reads in labelled lines that it was not trained on."""
    recognizer = Recognizer(model)
    predictions = recognizer.outputs([pixels for pixels, _, _ in examples])
    return Unseen(examples, recognizer.read_labelled(examples), predictions)


def best_of(
    models: Sequence[keras.Model], unseen: Unseen, temperature: float
) -> tuple[keras.Model, Unseen]:
    """The model that reads the most of some images, and what it reads.

    unseen: what the first model read, which is kept where others are no better.
    """
    best = models[0]
    for model in models[1:]:
        found = read_unseen(with_temperature(model, temperature), unseen.examples)
        if BeforeAfter(unseen.readings, found.readings).is_better:
            best, unseen = model, found._replace(in_time=False)
    return best, unseen


def fitted_temperature(unseen: Unseen, spec: ModelSpec) -> float:
    """The temperature that fits what was read; spec: of the models that read it."""
    return fit_temperature(unseen.predictions, [truth for _, truth, _ in unseen.examples], spec)


def write_images(entries: Sequence[Entry], folder: Path) -> list[str]:
    """A JSON row for each image, to be written into data sets in this new folder.

    Images are copied there, as they may be in an archive or a bucket. Raises OSError.
    """
    folder.mkdir(parents=True)
    rows = []
    for i, entry in enumerate(entries):
        suffix = ".png" if entry.corners else Path(entry.name).suffix.lower()
        name = f"{i:03}{suffix if suffix in EXTENSIONS else '.png'}"
        (folder / name).write_bytes(encoded_line(entry))
        rows.append(json.dumps({"file_name": name, "text": entry.label}))
    return rows


def write_rows(file: Path, rows: Sequence[str]) -> None:
    """A data set of some rows of `write_images`."""
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_folds(entries: Sequence[Entry], folder: Path, seed: int) -> list[tuple[Path, Path]]:
    """(images to train on, images to validate on) of each fold, as data sets. Raises OSError."""
    rows = write_images(entries, folder)
    order = np.random.default_rng(seed).permutation(len(rows))
    found = []
    for fold in range(FOLDS):
        kept = set(order[fold::FOLDS].tolist())
        files = folder / f"train_{fold + 1}.jsonl", folder / f"validation_{fold + 1}.jsonl"
        for file, unseen in zip(files, (False, True)):
            write_rows(file, [row for i, row in enumerate(rows) if (i in kept) == unseen])
        found.append(files)
    return found


def with_names(unseen: Unseen, entries: Sequence[Entry]) -> Unseen:
    """The same, with the names that the images had before `write_folds` numbered them."""
    names = [entries[int(Path(name).stem)].name for _, _, name in unseen.examples]
    examples = [(*example[:2], name) for example, name in zip(unseen.examples, names)]
    readings = [dataclasses.replace(r, name=name) for r, name in zip(unseen.readings, names)]
    return Unseen(examples, readings, unseen.predictions, unseen.in_time)


def cross_validate(
    options: TrainOptions,
    entries: Sequence[Entry],
    folder: Path,
    clock: Clock,
    temperature: float,
    strict: bool,
) -> tuple[keras.Model, Unseen]:
    """(the mean of the folds' models, what each read of its fold), trained in an empty folder.

    Raises NoTimeForSteps, if strict.
    """
    parts, files, least = [], [], math.inf  # least: seconds that a fold took
    for number, (training, validation) in enumerate(
        write_folds(entries, folder / "images", options.seed), 1
    ):
        log(f"{stages.FOLD} {number} of {FOLDS}")
        changes: dict[str, Any] = {"dataset": (str(training),), "validation": (str(validation),)}
        fold = dataclasses.replace(options, model_dir=folder / str(number), **changes)
        before, folds_left = clock.left(), FOLDS - number + 1
        if number > 2 and before < HALF * least:
            log(f"The time is up after {number - 1} of {FOLDS} folds")
            break
        parts.append(train_part(fold, before / folds_left, temperature, strict and number == 1))
        least = min(least, before - clock.left())
        files.append(fold.model_dir / BEST)
    together = Unseen(
        [example for part in parts for example in part.examples],
        [reading for part in parts for reading in part.readings],
        [prediction for part in parts for prediction in part.predictions],
        len(parts) == FOLDS and all(part.in_time for part in parts),
    )
    unseen = with_names(together, entries)
    mean = with_temperature(models.mean([models.load(file) for file in files]), temperature)
    if exact_share(Recognizer(mean).read_labelled(unseen.examples)) >= exact_share(unseen.readings):
        return mean, unseen
    best = max(range(len(parts)), key=lambda i: exact_share(parts[i].readings))
    log(f"The mean of the models reads worse than they do; the model of fold {best + 1} is kept")
    return models.load(files[best]), unseen
