"""Generated lines: text -> drawing -> variation -> padded batches, as a Keras `Sequence`.

`LineOptions` names every choice of text, drawing and variation; `Lines` draws line k; and
`LineSequence` stacks lines into batches in the form that `model.py` trains on.

Line k of a stream is a function of (seed, k) alone, and batch i one of (seed, i), so that a
run's whole place in its data is one number. A line that cannot be drawn, or whose label needs
more time steps than its image gives, is drawn anew and counted.
"""

import contextlib
import string
import threading
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

import augmentation
import image as imaging
from devices import keras
from drawing import DataError, DrawingOptions, characters_drawn, check_drawing, draw
from encoders import time_steps
from marks import Marks
from model import ModelSpec, pack_labels
from recipes import CLEAN, Mix
from text import Alphabet, steps_needed
from text_sources import TextOptions, Texts, listed

CHARACTER_COLUMNS = 5  # of a model's input, which common fonts give every character
ATTEMPTS = 50  # draws of one line before its options are at fault

Batch = tuple[dict[str, np.ndarray], np.ndarray]  # {"image", "width"}, y


@dataclass(frozen=True)
class LineOptions(DrawingOptions, TextOptions):
    """What generated lines say and look like, and how training lines vary."""

    rotation: float = 2.0
    """Degrees a training line may turn, either way; photographs are rarely level."""
    shift: float = 0.08
    """Share of the height a training line may move; crops are never centred."""
    shear: float = 0.2
    """Slant of a training line, as a share of its height; makes up for missing italics."""
    zoom: float = 0.3
    """Log scale by which a training line may grow, and twice that by which it may shrink."""
    stretch: float = 0.5
    """Log scale by which its width alone may change; families are narrow or wide."""
    elastic: float = 0.0
    """Share of its height by which a training line's strokes bend; makes new letter forms."""
    spacing: int = 2
    """Pixels by which character_spacing varies: usually about as many, at times ten times."""
    weight: float = 0.6
    """Share of training lines with thinner or bolder strokes; weights are few in most families."""
    photo: float = 0.5
    """Share of training lines made to look photographed; helps with unseen fonts too."""
    recipe: tuple[str, ...] = ("photo",)
    """What photographed lines are pictures of: clean, photo, serial, receipt, display, handwriting;
    with weights, as in photo:3 receipt:1; mixed is all but clean. Marks that the label lacks, and
    fonts of a kind, if there are any in --fonts, come with it."""

    @property
    def augmentation(self) -> augmentation.Augmentation:
        names = (field.name for field in fields(augmentation.Augmentation))
        return augmentation.Augmentation(**{name: getattr(self, name) for name in names})


# --- lines and batches ----------------------------------------------------------------------


class Lines:
    """A stream of generated lines: `lines[k]` is (pixels, text, font), a function of (seed, k).

    pixels: uint8 (rows, columns, channels), as drawn, varied if `augment`.
    Raises DataError for options that cannot be drawn, before the first line is.
    """

    def __init__(
        self,
        options: LineOptions,
        spec: ModelSpec,
        fonts: list[str],
        seed: int = 0,
        augment: bool = True,
    ):
        self.options, self.spec, self.seed = options, spec, seed
        # asked now: processes that draw know no encoder that was registered outside model.py
        self.stride, self.multiple = spec.stride, spec.multiple
        self.augmentation = options.augmentation if augment else None
        self.alphabet = Alphabet(spec.alphabet)
        check_drawing(options)
        _check_variation(options)
        self.texts = Texts(options, self.alphabet)
        drawn = {font: characters_drawn(font, self.alphabet.characters) for font in fonts}
        self.fonts = [font for font in fonts if drawn[font].strip()]
        self.partial = {f: c for f, c in drawn.items() if len(c) < len(self.alphabet.characters)}
        missing = "".join(
            c for c in self.alphabet.characters if not any(c in chars for chars in drawn.values())
        )
        if missing:
            raise DataError(
                f"no font of {len(fonts)} draws {missing!r}; add one that does with --fonts, "
                "or leave the characters out of --alphabet"
            )
        self.recipes = Mix(options.recipe if augment else ("clean",), self.fonts)
        self.marks: dict[tuple[str, bool], Marks] = {}  # of the fonts that draw them
        self.redrawn: Counter[str] = Counter()  # why lines were drawn anew
        self._drawing: dict[tuple[int, bool], LineOptions] = {}
        self._check_own_strings()

    def __getitem__(self, k: int) -> tuple[np.ndarray, str, str]:
        reasons: Counter[str] = Counter()
        short = ""
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.seed, k, attempt))
            text, (recipe, fonts) = self.texts.draw(rng), self.recipes.choose(rng)
            # another is any other: those that lack letters may stand in a row
            font = fonts[int(rng.integers(len(fonts))) if attempt else k % len(fonts)]
            if font in self.partial and set(text) - set(self.partial[font]):
                reasons["the font lacks a character"] += 1
                continue
            shown = text
            if recipe.marks and rng.random() < recipe.marks:
                shown = self._marks(font, recipe.units).put(text, rng)
            extra, shot = 0, CLEAN  # shot: what it is photographed by
            if self.augmentation is not None:
                shot = augmentation.photographed(recipe, self.augmentation, rng)
                if self.options.spacing:
                    wide = rng.exponential() ** 1.5  # at times
                    extra = round(self.options.spacing * (wide - 0.5))
            options = self._drawn_so(extra, shot.fit and self.options.width == -1)
            seed = int(rng.integers(1 << 31))
            try:
                drawn = draw(shown, font, options, seed)
            except ValueError as error:  # Pillow's, where nothing is left of the text
                reasons[f"{Path(font).name} cannot be drawn so ({error})"] += 1
                continue
            if drawn is None:
                reasons["text_color too close to the background"] += 1
                continue
            if self.options.width > 0 and self._cut_off(shown, font, options):
                reasons[f"text wider than width {self.options.width}"] += 1
                continue
            if self.options.space_width == 0:
                text = text.replace(" ", "")
            pixels = self._pixels(drawn)
            if recipe.ghost and rng.random() < recipe.ghost:
                pixels = self._with_ghosts(pixels, shown, font, options, seed, rng)
            if self.augmentation:
                pixels = augmentation.vary(pixels, self.augmentation, rng, shot)
            columns = imaging.scaled_width(pixels.shape[1], pixels.shape[0], self.spec.height)
            if steps_needed(text) > time_steps(columns, self.stride):
                reasons["the label needs more time steps than its image gives"] += 1
                short = f" (last: {text!r} in {columns} columns)"
                continue
            self.redrawn.update(reasons.keys())
            return pixels, text, font
        causes = "; ".join(f"{count} times {reason}" for reason, count in reasons.most_common())
        raise DataError(
            f"line {k}: {ATTEMPTS} draws gave none that can be used: {causes}{short}. "
            "Change the named option; for time steps: larger --character-spacing, --width -1, "
            "shorter text"
        )

    def _marks(self, font: str, units: bool) -> Marks:
        if (font, units) not in self.marks:
            self.marks[font, units] = Marks.of(font, self.alphabet.characters, units)
        return self.marks[font, units]

    def _with_ghosts(
        self,
        pixels: np.ndarray,
        shown: str,
        font: str,
        options: LineOptions,
        seed: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Every digit with a pale 8 behind it: the segments of a display that are off."""
        eights = draw("".join("8" if c in string.digits else c for c in shown), font, options, seed)
        if eights is None or eights.size != pixels.shape[1::-1]:
            return pixels
        pale = rng.uniform(0.03, 0.35) * (pixels - np.minimum(pixels, self._pixels(eights)))
        return (pixels - pale).astype(np.uint8)

    def _pixels(self, drawn: Image.Image) -> np.ndarray:
        """A drawing as uint8 (rows, columns, channels)."""
        mode = "L" if self.spec.channels == 1 else "RGB"
        pixels = np.asarray(drawn if drawn.mode == mode else drawn.convert(mode))
        return pixels.reshape(*pixels.shape[:2], self.spec.channels)

    def _drawn_so(self, extra: int, fit: bool) -> LineOptions:
        """The options with `extra` pixels more between characters, and without margins if `fit`."""
        if (extra, fit) not in self._drawing:
            changes: dict[str, Any] = {"character_spacing": self.options.character_spacing + extra}
            if fit:
                changes |= {"fit": True, "margins": (0, 0, 0, 0)}
            self._drawing[extra, fit] = replace(self.options, **changes)
        return self._drawing[extra, fit]

    def _check_own_strings(self) -> None:
        """Raises DataError that lists strings which fit their time steps in no font."""
        faults = []
        for place, text in zip(self.texts.places, self.texts.pool):
            columns = steps_needed(text) * self.stride
            if columns > CHARACTER_COLUMNS * len(text) and self._widest(text) < columns:
                faults.append(f"{place}: {text!r} needs {columns} columns")
        if faults:
            raise DataError(
                f"{len(faults)} of {len(self.texts.pool)} strings need more time steps than their "
                "images give in any font; give a larger --character-spacing, --architecture fine, "
                "wider --fonts, or leave them out:" + listed(faults)
            )

    def _widest(self, text: str) -> int:
        """Columns of a text at the model's height, in the font that draws it widest."""
        options = replace(self.options, background_type=1, text_color="#000000")
        columns = 0
        for font in self.fonts:
            if not set(text) - set(self.partial.get(font, text)):
                with contextlib.suppress(ValueError):  # Pillow's, where nothing is left of it
                    if drawn := draw(text, font, options, 0):
                        width = imaging.scaled_width(drawn.width, drawn.height, self.spec.height)
                        columns = max(columns, width)
        return columns

    def _cut_off(self, text: str, font: str, options: LineOptions) -> bool:
        """Whether trdg cut the text off at the fixed width."""
        free = replace(options, width=-1, background_type=1, text_color="#000000")
        whole = draw(text, font, free, 0)
        return whole is None or whole.width > options.width


def _check_variation(options: LineOptions) -> None:
    for name in ("rotation", "shift", "shear", "zoom", "stretch", "elastic", "spacing"):
        if not getattr(options, name) >= 0:
            raise DataError(f"{name} {getattr(options, name)}: give 0 or more")
    for name in ("weight", "photo"):
        if not 0 <= getattr(options, name) <= 1:
            raise DataError(f"{name} {getattr(options, name)}: a share; give 0 to 1")


class LineStream(Protocol):
    """What batches are made of: `Lines`, or the labelled images of `labelled.py`."""

    spec: ModelSpec
    seed: int
    alphabet: Alphabet
    stride: int  # of the spec
    multiple: int  # of the spec
    redrawn: Counter[str]  # why lines were made anew

    def __getitem__(self, k: int, /) -> tuple[np.ndarray, str, str]:
        """(pixels, text, font or file) of line k, a function of (seed, k) alone."""
        ...


class LineSequence(keras.utils.PyDataset):
    """Batches of lines for training; item i is a function of (seed, i).

    An item is ({"image", "width"}, y): see `image.pad_batch` and `model.pack_labels`. The lines
    of GROUP batches in a row are sorted by width and dealt out again, batch by batch, so that
    little padding is computed on. `num_batches` None makes the stream endless.

    Of a group that trains together, the process `rank` of `size` has its part of each batch. The
    lines of a group are sorted in `shares`, of which a process draws its own alone, where they can
    be dealt out evenly; the batches are the same for any number of processes.
    """

    GROUP = 16

    def __init__(
        self,
        lines: LineStream,
        batch_size: int = 32,
        num_batches: int | None = None,
        shares: int = 1,
        rank: int = 0,
        size: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.lines, self.batch_size, self._num_batches = lines, batch_size, num_batches
        self.shares, self.rank, self.size = shares, rank, size
        self._lock = threading.Lock()
        self._last: tuple[int, list[Batch]] = (-1, [])  # the group drawn last

    @property
    def num_batches(self) -> int | None:
        return self._num_batches

    def __getitem__(self, index: int) -> Batch:
        group, place = divmod(index, self.GROUP)
        with self._lock:
            if self._last[0] != group:
                self._last = (group, self.group(group))
            x, y = self._last[1][place]
            if index == 1:  # `fit` takes the shapes that its first two batches share for fixed
                first_x, first_y = self._last[1][0]
                if x["image"].shape == first_x["image"].shape:
                    columns = x["image"].shape[2]
                    more = imaging.columns_to_train(columns + imaging.WIDTH_MULTIPLE) - columns
                    x = x | {"image": np.pad(x["image"], ((0, 0), (0, 0), (0, more), (0, 0)))}
                if y.shape == first_y.shape:
                    y = np.pad(y, ((0, 0), (0, 1)))
            return x, y

    def group(self, number: int) -> list[Batch]:
        """The batches of a group, each of lines of like width, in random order."""
        count, part = self.GROUP * self.batch_size, self.batch_size // self.size
        evenly = self.shares % self.size == 0
        mine = range(self.shares)[self.rank :: self.size] if evenly else range(self.shares)
        batches: list[list[tuple[np.ndarray, str, str]]] = [[] for _ in range(self.GROUP)]
        for share in mine:
            numbers = range(number * count + share, (number + 1) * count, self.shares)
            drawn = sorted(
                (self.lines[k] for k in numbers),
                key=lambda line: line[0].shape[1] / line[0].shape[0],
            )
            for i, batch in enumerate(batches):
                batch += drawn[i * len(drawn) // self.GROUP : (i + 1) * len(drawn) // self.GROUP]
        if not evenly:
            batches = [batch[self.rank * part :][:part] for batch in batches]
        order = np.random.default_rng((self.lines.seed, number)).permutation(self.GROUP)
        return [self.collate(batches[i]) for i in order]

    def collate(self, lines: list[tuple[np.ndarray, str, str]]) -> Batch:
        """Prepare, pad and label drawn lines."""
        spec = self.lines.spec
        prepared = [imaging.prepare(pixels, spec.height) for pixels, _, _ in lines]
        x = imaging.pad_batch(prepared, self.lines.multiple, training=True)
        steps = time_steps(x["width"], self.lines.stride).tolist()
        return x, pack_labels(steps, [self.lines.alphabet.encode(text) for _, text, _ in lines])
