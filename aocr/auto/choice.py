"""What `--auto` chooses for some labelled pictures: the model to start from, recipes, texts.

`choose` is the whole of it.
"""

import os
import shlex
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aocr.auto import stages
from aocr.auto.texts import pattern_of, texts_like
from aocr.diagnose.advice import MANY, Advice, mixture
from aocr.diagnose.nearness import Nearness, compare
from aocr.diagnose.pictures import spread
from aocr.diagnose.recipe_lines import COMPARED, MODELS, all_fonts, draw_recipe, few_fonts
from aocr.options import AocrTrainOptions
from ocr_simple.command_line import arguments_of
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.batches import Example
from ocr_simple.datasets.entries import Entry, Fault
from ocr_simple.datasets.usable_images import select_usable
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.images import ImageError
from ocr_simple.options import DrawingOptions, TextOptions, TrainOptions
from ocr_simple.photography.effects.tone import LUMA
from ocr_simple.photography.mixtures import Mix, has_fonts_for
from ocr_simple.reports.intervals import FEW
from ocr_simple.reports.metrics import Reading, rates_of
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import MADE_FONTS, PRETRAINED, find_model
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.text import Alphabet, unique_characters
from ocr_simple.written_files import write_whole

if TYPE_CHECKING:  # it imports TensorFlow
    from inference import Recognizer

LINES = 100  # lines of each recipe to compare the pictures with
SURE_OF_ALPHABET = 8  # if the labels show each character so often on average, they show all
DRAWN = 4000  # generated texts like the labels
TEXTS = "texts.txt"  # the file of these texts, beside the model
COLOURFUL = 1.5  # an image is colourful if one of its colours varies so many times more than grey
SOME = 0.05  # the training is in colour if at least this share of the images is colourful
LOOKED_AT = 200  # the most labelled images that the model and the recipes are chosen by
TEXT_FIELDS = {field.name for field in fields(TextOptions)} - {"alphabet"}

Read = Callable[[str, Sequence[Example]], list[Reading]]  # (model, labelled lines) -> readings


class ModelCache:
    """Loaded models by name, so that each is loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Recognizer] = {}

    def __getitem__(self, name: str) -> "Recognizer":
        from inference import Recognizer

        if name not in self._loaded:
            self._loaded[name] = Recognizer.load(name)
        return self._loaded[name]

    def read(self, name: str, examples: Sequence[Example]) -> list[Reading]:
        """What a model reads in labelled lines."""
        return self[name].read_labelled(examples)


def shipped_models(labels: Iterable[str]) -> list[str]:
    """The shipped models that know the most of the labels' characters."""
    written = Counter("".join(labels))
    unknown = {}
    for file in sorted(PRETRAINED.glob("*.keras")):
        known = Alphabet(read_spec(file).alphabet).ids
        unknown[file.stem] = sum(count for c, count in written.items() if c not in known)
    return [name for name, count in unknown.items() if count == min(unknown.values())]


def best_start(names: Sequence[str], examples: Sequence[Example], read: Read) -> str:
    """The model that reads the most of the examples right; of equals, the most characters."""

    def score(name: str) -> tuple[float, float]:
        readings = read(name, examples)
        exact, cer = rates_of(readings)
        return exact, -cer

    return max(names, key=score)


def alphabet_option(labels: Sequence[str]) -> str:
    """An --alphabet: the labels' characters if there are enough labels to know them all.

    Otherwise auto, which adds those of the model to start from. By Good and Turing, the share of
    characters still unseen is that of the ones that were seen once.
    """
    written = Counter("".join(labels))
    if set(written) <= set(string.digits):
        return "digits"
    complete = min(written.values()) > 1
    enough = written.total() >= SURE_OF_ALPHABET * len(written)
    return unique_characters(sorted(written)) if complete and enough else "auto"


def nearest_recipes(
    pixels: Sequence[np.ndarray], features: Any, fonts: Sequence[str], seed: int
) -> Nearness:
    """Which recipe each picture, uint8 (rows, columns, 1), is nearest to; see `aocr diagnose`."""
    few = few_fonts(find_fonts(all_fonts(tuple(fonts))))
    groups = {name: features(draw_recipe(name, few, LINES, seed)) for name in COMPARED}
    vectors = features(pixels)
    return compare(groups, vectors, features.emphasis(vectors.shape[1]))


def fonts_of(recipes: Sequence[str], given: tuple[str, ...]) -> tuple[str, ...]:
    """The fonts to train with: as given; by default also the folders of the recipes' own kinds."""
    if given != DrawingOptions.fonts or not MADE_FONTS.is_dir():
        return given
    kinds, folders = Mix(recipes, fonts=[]).recipes, []
    for folder in sorted(path for path in MADE_FONTS.iterdir() if path.is_dir()):
        inside = [str(file) for file in folder.iterdir()]
        if any(kind.fonts.patterns and has_fonts_for(kind, inside) for kind in kinds):
            folders.append(os.path.relpath(folder))
    return (*given, *folders)


def uses_texts(given: dict[str, Any]) -> bool:
    """Whether the texts are to be like the labels: no option of the user says what they are."""
    return not TEXT_FIELDS & set(given)


def command_of(options: TrainOptions) -> str:
    """The same training as a command, on several rows."""
    return Advice(arguments_of(options, TrainOptions)).command


def reading_command(folder: Path) -> str:
    """The command that reads with the model in a folder."""
    return f"python inference.py --model {shlex.quote(str(folder))} IMAGE..."


def _characters(alphabet: str, spec: ModelSpec, labels: Sequence[str]) -> str:
    """The characters of an --alphabet, which may be auto."""
    if alphabet != "auto":
        return Alphabet.parse(alphabet).characters
    return unique_characters(spec.alphabet + "".join(labels))


def usable(found: list[Entry | Fault], chosen: TrainOptions, spec: ModelSpec) -> list[Entry]:
    """The images that can be trained on. Raises DatasetError, which lists the others."""
    labels = [row.label for row in found if isinstance(row, Entry)]
    spec = replace(spec, alphabet=_characters(chosen.alphabet, spec, labels))
    limits = chosen.max_width, chosen.max_height, chosen.skip_bad
    return select_usable(found, spec, *limits)[0]


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


def needs_colour(entries: Sequence[Entry]) -> bool:
    """Whether text and background of some of the images differ more in colour than in grey.

    Lit red segments among unlit grey ones are an example: one of red, green and blue varies far
    more than the grey level does.
    """
    colourful = 0
    for entry in entries:
        try:
            pixels = labelled.load_image(entry, channels=3).reshape(-1, 3).astype(np.float32)
        except (OSError, ImageError):
            continue
        spread_of_grey = max(1.0, float((pixels @ LUMA).std()))
        colourful += float(pixels.std(axis=0).max()) >= COLOURFUL * spread_of_grey
    return colourful >= SOME * len(entries)


def drawn_texts(folder: Path) -> Path:
    """Where the texts to draw are while a model is trained in a folder, which may be removed."""
    return folder.with_name(f"{folder.name}_{TEXTS}")


def _generated(
    given: dict[str, Any],
    folder: Path,
    spec: ModelSpec,
    alphabet: str,
    labels: Sequence[str],
    examples: Sequence[Example],
    models: ModelCache,
) -> dict[str, Any]:
    """The options of the generated lines: their recipes, fonts and texts."""
    from aocr.diagnose.features import Features

    fonts = given.get("fonts", TrainOptions.fonts)
    recipes = given.get("recipe")
    if recipes is None:
        log(stages.LOOKING)
        features = Features([models[name] for name in MODELS])
        pixels = [pixels for pixels, _, _ in examples]
        nearness = nearest_recipes(pixels, features, fonts, seed=0)
        recipes = tuple(mixture(nearness))
    chosen = {
        "mix_generated": 0.5,
        "recipe": recipes,
        "fonts": fonts_of(recipes, fonts),
    }
    if not uses_texts(given):
        return chosen
    characters = _characters(alphabet, spec, labels)
    texts = dict.fromkeys(texts_like(labels, characters, DRAWN))
    file = drawn_texts(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, ("\n".join(texts) + "\n").encode())
    pattern = pattern_of([label for label in labels if label])
    log(f"Drawing texts like the labels{f', {pattern}' if pattern else ''}")
    return chosen | {"text_source": "strings", "strings_file": file}


def choose(
    options: AocrTrainOptions, folder: Path, entries: list[Entry], models: ModelCache
) -> tuple[TrainOptions, ModelSpec]:
    """(the options of the training, the specification of the model that it starts from).
    folder: of the model that is trained; the texts to draw are written beside it.
    """
    given = {
        field.name: getattr(options, field.name)
        for field in fields(TrainOptions)
        if field.name not in ("given", "model_dir") and options.was_given(field.name)
    }
    examples = _examples(spread(entries, LOOKED_AT))
    labels = [entry.label for entry in entries]
    start = given.get("init_from")
    if start is None:
        start = best_start(shipped_models(labels), examples, models.read)
    spec = read_spec(find_model(start))
    alphabet = given.get("alphabet") or alphabet_option(labels)
    chosen: dict[str, Any] = {
        "dataset": options.dataset,
        "init_from": start,
        "alphabet": alphabet,
        "held_out": ("none",),
        "patience": 5,
        "batch_size": 16 if len(entries) < FEW else 32,
    }
    if needs_colour(spread(entries, LOOKED_AT)):
        log("Some pictures differ more in colour than in grey: training in colour")
        chosen["color"] = True
    if len(entries) < MANY:
        chosen |= _generated(given, folder, spec, alphabet, labels, examples, models)
    return TrainOptions(**(chosen | given), given=frozenset(given)), spec
