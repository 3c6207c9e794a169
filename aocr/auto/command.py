"""`aocr train FOLDER --auto`: from a few labels to a model, without choosing.

It reads the pictures with each shipped model that knows their characters and starts from the one
that reads them best; finds which recipes draw lines like them; writes texts like their labels; and
runs the training of train.py with these options. Then it compares the model with the one that it
began with, on images that were not trained on, and keeps the better one.
"""

import dataclasses
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aocr.auto import choice, stages
from aocr.auto.comparison import LIST, PICTURE, BeforeAfter
from aocr.model_folder import absolute, holds, model_folder
from aocr.options import GOOD_START, LEAST_LABELS, AocrTrainOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.crops import in_kept_box, kept_box
from ocr_simple.datasets.entries import Entry
from ocr_simple.decoding.calibration import LEAST_LINES
from ocr_simple.options import TrainOptions
from ocr_simple.reports.intervals import FEW
from ocr_simple.runs import devices
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import BEST, find_model
from ocr_simple.runs.run_folder import replacing

if TYPE_CHECKING:  # they import TensorFlow: see `run`
    from aocr.auto.trainings import Clock, NoTimeForSteps, Unseen
    from ocr_simple.network.backend import keras

FEW_UNSEEN = 15  # images: with fewer, the comparison says little
MOST_REPLANS = 2  # times that trainings begin again with fewer steps


def run(options: AocrTrainOptions) -> int:
    """Choose, train, compare. Returns the exit status.

    Raises ValueError for what cannot work before TensorFlow is imported.
    """
    started = time.monotonic()
    folder = _folder(options)
    found = labelled.find_all_entries(options.dataset, options, log)
    found = in_kept_box(found, kept_box(options.crops), log)
    entries = [row for row in found if isinstance(row, Entry)]
    _check_labels(options.dataset, len(entries))
    try:
        with replacing(folder) as made:
            devices.prepare()
            from aocr.auto.trainings import Clock

            clock, models = Clock(options.minutes, started), choice.ModelCache()
            chosen, spec = choice.choose(options, made, entries, models)
            entries = choice.usable(found, chosen, spec)
            _check_labels(options.dataset, len(entries))
            log(f"{stages.STARTING} {chosen.init_from}, alphabet {chosen.alphabet}")
            chosen = dataclasses.replace(chosen, model_dir=made)
            planned, model, unseen = _train(chosen, entries, clock, spec.temperature)
            comparison = _compare(chosen, model, unseen, models)
            again = dataclasses.replace(planned, model_dir=folder.with_name(f"{folder.name}_again"))
            if choice.drawn_texts(made).exists():  # the user's own are where they are
                os.replace(choice.drawn_texts(made), made / choice.TEXTS)
                again = dataclasses.replace(again, strings_file=folder / choice.TEXTS)
    except KeyboardInterrupt:
        kept = f"; {folder} is unchanged" if folder.exists() else ""
        log(f"Stopped: nothing of this training was saved{kept}")
        raise
    labels = 0 if chosen.validation else len(entries)
    _say_result(comparison, folder, str(chosen.init_from), unseen.in_time, labels)
    say(f"To train with these options again, or with others:\n\n{choice.command_of(again)}")
    return 0


def _check_labels(datasets: Sequence[str], labels: int) -> None:
    """Raise ValueError if there are too few labels."""
    if labels < LEAST_LABELS:
        raise ValueError(
            f"{', '.join(datasets)}: --auto needs {LEAST_LABELS} labelled images that can be used, "
            f"and there are {labels}; label some with aocr label ({GOOD_START} are a good start)"
        )


def _folder(options: AocrTrainOptions) -> Path:
    """The folder for the model. Raises ValueError."""
    if not options.dataset:
        raise ValueError("--auto: name a FOLDER of labelled images; aocr label helps to label them")
    folder = options.model_dir
    if folder == AocrTrainOptions.model_dir:
        folder = model_folder(options.dataset[0])
    if storage.url_of(folder):
        raise ValueError(f"--model-dir {folder}: --auto writes only to a local folder; name one")
    for dataset in (*options.dataset, *options.validation):
        if not storage.url_of(dataset) and holds(folder, dataset):
            raise ValueError(
                f"--model-dir {folder}: holds the pictures of {dataset}, which a training would "
                "move aside; name another folder"
            )
    return folder


# --- training ---------------------------------------------------------------------------------


def _steps(chosen: TrainOptions, affordable: int) -> int:
    """The steps that the user gave, or else those that the time allows, up to MOST_STEPS."""
    from aocr.auto import trainings

    if chosen.was_given("steps"):
        return chosen.steps
    return min(affordable, trainings.MOST_STEPS)


def _train(
    chosen: TrainOptions, entries: list[Entry], clock: "Clock", temperature: float
) -> tuple[TrainOptions, "keras.Model", "Unseen"]:
    """(options of one training, the model, what was read of images that were not trained on)."""
    from aocr.auto import trainings

    folder, minutes = chosen.model_dir, clock.left() / 60
    if len(entries) < FEW and not chosen.validation:
        steps, folds = _steps(chosen, int(trainings.FOLD_STEPS * minutes)), folder / "folds"
        replans = 0
        known: NoTimeForSteps | None = None
        while steps >= trainings.LEAST_STEPS or steps == chosen.steps:
            try:
                planned, strict = trainings.with_steps(chosen, steps), replans < MOST_REPLANS
                found = trainings.cross_validate(
                    planned, entries, folds, clock, temperature, strict
                )
                return planned, *found
            except trainings.NoTimeForSteps as slow:
                known, replans = slow, replans + 1
                steps = slow.steps_in(clock.left() / trainings.FOLDS)
                log(f"Only {steps} steps of each fold fit in the time that is left")
            finally:
                shutil.rmtree(folds, ignore_errors=True)
        log("Not enough time for five folds: training one model, validated on held-out images")
        return _train_one(chosen, clock, temperature, known)
    return _train_one(chosen, clock, temperature)


def _train_one(
    chosen: TrainOptions,
    clock: "Clock",
    temperature: float,
    known: "NoTimeForSteps | None" = None,
) -> tuple[TrainOptions, "keras.Model", "Unseen"]:
    """(its options, one model, what it read of the images that were kept to validate it).

    known: how long such a training takes, if one was tried and too slow.
    """
    import model as networks
    from aocr.auto import trainings

    left = clock.left()
    affordable = known.steps_in(left) if known else int(trainings.STEPS * left / 60)
    steps = _steps(chosen, max(trainings.LEAST_STEPS, affordable))
    share = chosen.validation_share
    if not chosen.was_given("validation_share"):
        share = trainings.VALIDATION_SHARE
    # models of trainings that were too slow: one may be the best in the end
    earlier: list[keras.Model] = []
    for replan in range(MOST_REPLANS + 1):
        planned = dataclasses.replace(trainings.with_steps(chosen, steps), validation_share=share)
        try:
            strict = replan < MOST_REPLANS and steps > trainings.LEAST_STEPS
            unseen = trainings.train_part(planned, clock.left(), temperature, strict)
            models = [networks.load(planned.model_dir / BEST), *earlier]
            return planned, *trainings.best_of(models, unseen, temperature)
        except trainings.NoTimeForSteps as slow:
            steps = max(trainings.LEAST_STEPS, slow.steps_in(clock.left()))
            log(f"Only {steps} steps fit in the time that is left; starting again with these")
            earlier.append(networks.load(planned.model_dir / BEST))
            shutil.rmtree(planned.model_dir)
    raise AssertionError("the last training is not strict")


# --- the result -------------------------------------------------------------------------------


def _compare(
    chosen: TrainOptions, model: "keras.Model", unseen: "Unseen", models: choice.ModelCache
) -> BeforeAfter:
    """The model and the one that it began with; the better one and what changed are written."""
    import model as networks
    from aocr.auto.trainings import fitted_temperature, with_temperature

    start, folder = str(chosen.init_from), chosen.model_dir
    log(f"{stages.COMPARING} {start}")
    comparison = BeforeAfter(models.read(start, unseen.examples), unseen.readings)
    folder.mkdir(parents=True, exist_ok=True)
    best = folder / BEST
    if comparison.is_better:
        if len(unseen.examples) >= LEAST_LINES:
            model = with_temperature(model, fitted_temperature(unseen, model.spec))
        networks.save(model, best)
    elif chosen.crops:
        model = networks.load(find_model(start))
        model.spec = dataclasses.replace(model.spec, crop=kept_box(chosen.crops))
        networks.save(model, best)
    else:
        shutil.copyfile(find_model(start), best)
    if reason := networks.save_onnx(best):
        log(f"No ONNX file was written ({reason}); the model is read with Keras")
    pixels, dataset = [x for x, _, _ in unseen.examples], list(map(absolute, chosen.dataset))
    comparison.write(start, pixels, folder, unseen.in_time, dataset)
    return comparison


def _say_result(
    comparison: BeforeAfter, folder: Path, start: str, in_time: bool, labels: int
) -> None:
    """Print how the models compare, and what to do next. labels: how many could be tested."""
    say(f"{comparison.figures(start)}\n{comparison.changes()}: {folder / LIST}, {PICTURE}")
    if (count := len(comparison.after)) < FEW_UNSEEN:
        all_of_them = f"; with more time (--minutes 15), all {labels} labelled images are tested"
        fix = all_of_them if count < labels else "; label more"
        say(f"Too few unseen images ({count}) to tell which model is better{fix}")
    if not in_time:
        say("The time was up before the training was done; give more --minutes")
    if not comparison.is_better:
        advice = "; more labels help most" if in_time else ""
        say(f"The trained model is not better; {folder} holds {start} instead{advice}")
    say(f"Read your own images with: {choice.reading_command(folder)}")
