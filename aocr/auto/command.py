"""`aocr train FOLDER --auto`: from a few labels to a model, without choosing.

It reads the pictures with each shipped model that knows their characters and starts from the one
that reads them best; finds which recipes draw lines like them; writes texts like their labels; and
runs the training of train.py with these options. Then it compares the model with the one that it
began with, on images that were not trained on, and keeps the better one.
"""

import dataclasses
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aocr.auto import choice, stages
from aocr.auto.comparison import LIST, PICTURE, BeforeAfter
from aocr.auto.texts import pattern_of, texts_like
from aocr.diagnose.advice import MANY, mixture
from aocr.diagnose.pictures import spread
from aocr.diagnose.recipe_lines import MODELS
from aocr.model_folder import absolute, holds, model_folder
from aocr.options import GOOD_START, LEAST_LABELS, AocrTrainOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.batches import Example
from ocr_simple.datasets.crops import in_kept_box, kept_box
from ocr_simple.datasets.entries import Entry, Fault
from ocr_simple.decoding.calibration import LEAST_LINES
from ocr_simple.images import ImageError
from ocr_simple.options import TrainOptions
from ocr_simple.reports.intervals import FEW
from ocr_simple.reports.metrics import Reading
from ocr_simple.runs import devices
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import BEST, find_model
from ocr_simple.runs.run_folder import replacing
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.text import Alphabet, unique_characters
from ocr_simple.written_files import write_whole

if TYPE_CHECKING:  # they import TensorFlow: see `run`
    from aocr.auto.trainings import Clock, Unseen
    from inference import Recognizer
    from ocr_simple.network.backend import keras

LOOKED_AT = 200  # labelled images that the start and the recipes are chosen by
FEW_UNSEEN = 15  # images: with fewer, the comparison says little
MOST_REPLANS = 2  # times that trainings begin again with fewer steps


class Shipped:
    """Models by name, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Recognizer] = {}

    def __getitem__(self, name: str) -> "Recognizer":
        from inference import Recognizer

        if name not in self._loaded:
            self._loaded[name] = Recognizer.load(name)
        return self._loaded[name]

    def read(self, name: str, examples: Sequence[Example]) -> list[Reading]:
        """What a model reads in labelled lines."""
        return self[name].evaluate(examples)


def run(options: AocrTrainOptions) -> int:
    """Choose, train, compare. Returns the exit status.

    Raises ValueError for what cannot work before TensorFlow is imported.
    """
    started = time.monotonic()
    folder = _folder(options)
    found = labelled.find_all_entries(options.dataset, options, log)
    found = in_kept_box(found, kept_box(options.crops), log)
    entries = [row for row in found if isinstance(row, Entry)]
    if len(entries) < LEAST_LABELS:
        raise ValueError(
            f"{', '.join(options.dataset)}: --auto needs {LEAST_LABELS} labelled images or more, "
            f"and there are {len(entries)}; label some with aocr label ({GOOD_START} are a good "
            "start)"
        )
    try:
        with replacing(folder) as made:
            devices.prepare()
            from aocr.auto.trainings import Clock

            clock, models = Clock(options.minutes, started), Shipped()
            chosen, spec = choose(options, folder, entries, models)
            entries = usable(found, chosen, spec)
            log(f"{stages.STARTING} {chosen.init_from}, alphabet {chosen.alphabet}")
            chosen = dataclasses.replace(chosen, model_dir=made)
            planned, model, unseen = _train(chosen, entries, clock, spec.temperature)
            comparison = _compare(chosen, model, unseen, models)
    except KeyboardInterrupt:
        kept = f"; {folder} is as it was" if folder.exists() else ""
        log(f"Stopped before its end: nothing of this training is kept{kept}")
        raise
    labels = 0 if chosen.validation else len(entries)
    _say_result(comparison, folder, str(chosen.init_from), unseen.in_time, labels)
    again = dataclasses.replace(planned, model_dir=folder.with_name(f"{folder.name}_again"))
    say(f"A training with these options, to repeat or to change:\n\n{choice.command_of(again)}")
    return 0


def _folder(options: AocrTrainOptions) -> Path:
    """The folder for the model. Raises ValueError."""
    if not options.dataset:
        raise ValueError("--auto: name a FOLDER of labelled images; aocr label helps to label them")
    folder = options.model_dir
    if folder == AocrTrainOptions.model_dir:
        folder = model_folder(options.dataset[0])
    if storage.url_of(folder):
        raise ValueError(f"--model-dir {folder}: --auto writes to a folder of this computer")
    for dataset in (*options.dataset, *options.validation):
        if not storage.url_of(dataset) and holds(folder, dataset):
            raise ValueError(
                f"--model-dir {folder}: the pictures of {dataset} are in there, and a training "
                "moves what is in its folder aside; name another folder"
            )
    return folder


# --- choosing ---------------------------------------------------------------------------------


def choose(
    options: AocrTrainOptions, folder: Path, entries: list[Entry], models: Shipped
) -> tuple[TrainOptions, ModelSpec]:
    """(the options of the training, what the model is that it starts from)."""
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(TrainOptions)
        if getattr(options, field.name) != getattr(AocrTrainOptions(), field.name)
    }
    given.pop("model_dir", None)
    examples = _examples(spread(entries, LOOKED_AT))
    labels = [entry.label for entry in entries]
    start = given.get("init_from")
    if start is None:
        start = choice.best_start(choice.shipped_models(labels), examples, models.read)
    spec = read_spec(find_model(start))
    alphabet = given.get("alphabet") or choice.alphabet_option(labels)
    chosen: dict[str, Any] = {
        "dataset": options.dataset,
        "init_from": start,
        "alphabet": alphabet,
        "held_out": ("none",),
        "patience": 5,
        "batch_size": 16 if len(entries) < FEW else 32,
    }
    if len(entries) < MANY:
        chosen |= _generated(given, folder, spec, alphabet, labels, examples, models)
    return TrainOptions(**(chosen | given)), spec


def _examples(entries: Sequence[Entry]) -> list[Example]:
    """The images that can be read, in grey. The others are reported by `usable`."""
    examples = []
    for entry in entries:
        try:
            examples.append((labelled.load_image(entry), entry.label, entry.name))
        except (OSError, ImageError):
            continue
    if not examples:
        raise ValueError(f"{entries[0].place}: neither this nor any other image can be read")
    return examples


def _generated(
    given: dict[str, Any],
    folder: Path,
    spec: ModelSpec,
    alphabet: str,
    labels: Sequence[str],
    examples: Sequence[Example],
    models: Shipped,
) -> dict[str, Any]:
    """The options of the generated lines: their recipes, fonts and texts."""
    from aocr.diagnose.features import Features

    fonts = given.get("fonts", TrainOptions.fonts)
    recipes = given.get("recipe")
    if recipes is None:
        log(stages.LOOKING)
        features = Features([models[name] for name in MODELS])
        pixels = [pixels for pixels, _, _ in examples]
        nearness = choice.nearest_recipes(pixels, features, fonts, seed=0)
        recipes = tuple(mixture(nearness))
    chosen = {
        "mix_generated": 0.5,
        "recipe": recipes,
        "fonts": choice.fonts_of(recipes, fonts),
    }
    if not choice.uses_texts(given):
        return chosen
    characters = _characters(alphabet, spec, labels)
    texts = dict.fromkeys(texts_like(labels, characters, choice.TEXTS))
    file = folder.with_name(f"{folder.name}_texts.txt")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, ("\n".join(texts) + "\n").encode())
    pattern = pattern_of([label for label in labels if label])
    log(f"Texts like the labels{f', {pattern}' if pattern else ''}: {file}")
    return chosen | {"text_source": "strings", "strings_file": file}


def _characters(alphabet: str, spec: ModelSpec, labels: Sequence[str]) -> str:
    """The characters of an --alphabet, which may be auto."""
    if alphabet != "auto":
        return Alphabet.parse(alphabet).characters
    return unique_characters(spec.alphabet + "".join(labels))


def usable(found: list[Entry | Fault], chosen: TrainOptions, spec: ModelSpec) -> list[Entry]:
    """The images that can be trained on. Raises DatasetError, which lists the others."""
    labels = [row.label for row in found if isinstance(row, Entry)]
    spec = dataclasses.replace(spec, alphabet=_characters(chosen.alphabet, spec, labels))
    limits = chosen.max_width, chosen.max_height, chosen.skip_bad
    return labelled.select_usable(found, spec, *limits)[0]


# --- training ---------------------------------------------------------------------------------


def _steps(chosen: TrainOptions, affordable: int) -> int:
    """The steps that the user gave, or else those that the time allows, up to MOST_STEPS."""
    from aocr.auto import trainings

    if chosen.steps != TrainOptions.steps:
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
        while steps >= trainings.LEAST_STEPS or steps == chosen.steps:
            try:
                planned, strict = trainings.with_steps(chosen, steps), replans < MOST_REPLANS
                found = trainings.cross_validate(
                    planned, entries, folds, clock, temperature, strict
                )
                return planned, *found
            except trainings.TooSlow as slow:
                steps, replans = slow.steps, replans + 1
                log(f"There is time for {steps} steps of each fold")
            finally:
                shutil.rmtree(folds, ignore_errors=True)
        log("There is no time for five folds: one model is trained, and a part kept to validate it")
    return _train_one(chosen, clock, temperature)


def _train_one(
    chosen: TrainOptions, clock: "Clock", temperature: float
) -> tuple[TrainOptions, "keras.Model", "Unseen"]:
    """(its options, one model, what it read of the images that were kept to validate it)."""
    import model as networks
    from aocr.auto import trainings

    affordable = max(trainings.LEAST_STEPS, int(trainings.STEPS * clock.left() / 60))
    steps = _steps(chosen, affordable)
    share = chosen.validation_share
    if share == TrainOptions.validation_share:
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
        except trainings.TooSlow as slow:
            steps = max(trainings.LEAST_STEPS, slow.steps)
            log(f"There is time for {steps} steps: the training begins again with them")
            earlier.append(networks.load(planned.model_dir / BEST))
            shutil.rmtree(planned.model_dir)
    raise AssertionError("the last training is not strict")


# --- the result -------------------------------------------------------------------------------


def _compare(
    chosen: TrainOptions, model: "keras.Model", unseen: "Unseen", models: Shipped
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
        log(f"Read with Keras, without an ONNX file: {reason}")
    pixels, dataset = [x for x, _, _ in unseen.examples], list(map(absolute, chosen.dataset))
    comparison.write(start, pixels, folder, unseen.in_time, dataset)
    return comparison


def _say_result(
    comparison: BeforeAfter, folder: Path, start: str, in_time: bool, labels: int
) -> None:
    """Print how the models compare, and what to do next. labels: how many could be tested."""
    say(f"{comparison.figures(start)}\n{comparison.changes()}: {folder / LIST}, {PICTURE}")
    if (count := len(comparison.after)) < FEW_UNSEEN:
        all_of_them = f"; with more time, all {labels} labelled images are tested: --minutes 15"
        fix = all_of_them if count < labels else "; label more"
        say(f"Too few unseen images ({count}) to tell which model is better{fix}")
    if not in_time:
        say("The time was up before the training was done; --minutes gives it more")
    if not comparison.is_better:
        advice = "; more labels help most" if in_time else ""
        say(f"The trained model is not better, so {folder} holds {start}{advice}")
    say(f"Read your own images with: {choice.reading_command(folder)}")
