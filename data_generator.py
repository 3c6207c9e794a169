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
from typing import Any, Literal, Protocol

import numpy as np

import augmentation
import image as imaging
from devices import keras
from drawing import TRDG_FOLDER, DataError, DrawingOptions, characters_drawn, check_drawing, draw
from marks import Marks
from model import ModelSpec, pack_labels, time_steps
from recipes import Mix
from text import Alphabet, normalise_text, steps_needed

CHARACTER_COLUMNS = 5  # of a model's input, which common fonts give every character
ATTEMPTS = 50  # draws of one line before its options are at fault

Batch = tuple[dict[str, np.ndarray], np.ndarray]  # {"image", "width"}, y


@dataclass(frozen=True)
class TextOptions:
    """What generated lines say."""

    alphabet: str = "digits"
    """digits, alnum (0-9a-z), ascii, a string of characters, or a UTF-8 file of them."""
    letters: bool = False
    """Add a-z and A-Z to the alphabet."""
    symbols: bool = False
    """Add ASCII punctuation to the alphabet."""
    text_source: Literal["random", "dictionary", "strings", "wikipedia"] = "random"
    """Random characters need no text at hand; choose another where language helps reading."""
    min_length: int = 1
    """Fewest characters of a random line; fewest words of a Wikipedia sentence."""
    max_length: int = 10
    """Most characters of a random line; longer ones are read too, as training goes by pieces."""
    words: int = 1
    """Most words of a dictionary line; each line has from one to this many."""
    strings: tuple[str, ...] = ()
    """Your own lines, for the text source strings."""
    strings_file: Path | None = None
    """UTF-8 file of your own lines, one a line, for the text source strings."""
    language: str = "en"
    """trdg dictionary, Wikipedia and font folder: en, fr, de, es, cn, ja, ..."""
    case: Literal["keep", "upper", "lower"] = "keep"
    """Change the case of words and strings, for an alphabet that has one case."""

    def parsed_alphabet(self) -> Alphabet:
        """The alphabet with `letters` and `symbols` added. Raises ValueError."""
        characters = Alphabet.parse(self.alphabet).characters
        characters += string.ascii_letters * self.letters + string.punctuation * self.symbols
        return Alphabet("".join(dict.fromkeys(characters)))


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
    """What photographed lines are pictures of: clean, photo, receipt, display, handwriting; with
    weights, as in photo:3 receipt:1; mixed is all of them. Marks that the label lacks, and fonts
    of a kind, if there are any in --fonts, come with it."""

    @property
    def augmentation(self) -> augmentation.Augmentation:
        names = (field.name for field in fields(augmentation.Augmentation))
        return augmentation.Augmentation(**{name: getattr(self, name) for name in names})


# --- text -----------------------------------------------------------------------------------


class Texts:
    """The text source that options name: `draw(rng)` gives one line of text.

    Raises DataError where the source cannot serve: unknown characters in the user's own strings,
    a missing dictionary, no network for Wikipedia, bounds that cross.
    """

    def __init__(self, options: LineOptions, alphabet: Alphabet):
        self.options, self.alphabet = options, alphabet
        self.left_out = 0  # words or sentences with characters outside the alphabet
        self.places: tuple[str, ...] = ()  # where each of the user's own strings comes from
        if options.text_source == "random":
            if not 1 <= options.min_length <= options.max_length:
                raise DataError(
                    f"min_length {options.min_length} and max_length {options.max_length}: "
                    "give 1 <= min_length <= max_length"
                )
            if not alphabet.characters.strip():
                raise DataError("the alphabet has nothing but spaces; add characters that show")
            self.pool: tuple[str, ...] = ()
        elif options.text_source == "strings":
            self.pool = self._own_strings()
        else:
            if options.words < 1:
                raise DataError(f"words {options.words}: give at least 1")
            wanted = "dictionary" if options.text_source == "dictionary" else "Wikipedia"
            found = self._dictionary() if wanted == "dictionary" else self._wikipedia()
            cased = dict.fromkeys(self._case(normalise_text(text)) for text in found)
            self.pool = tuple(text for text in cased if text and not alphabet.unknown(text))
            self.left_out = len(cased) - len(self.pool)
            if not self.pool:
                raise DataError(
                    f"no {wanted} text of {len(cased)} is written in the alphabet "
                    f"{alphabet.characters!r}; give --alphabet ascii, or --case lower with alnum"
                )

    def draw(self, rng: np.random.Generator) -> str:
        """One line of NFC text, at least one character long."""
        if self.options.text_source == "random":
            return self._random(rng)
        if self.options.text_source == "dictionary":
            count = int(rng.integers(1, self.options.words + 1)) if self._has_space else 1
            return " ".join(self.pool[i] for i in rng.integers(len(self.pool), size=count))
        return self.pool[rng.integers(len(self.pool))]

    @property
    def _has_space(self) -> bool:
        return " " in self.alphabet.ids

    def _random(self, rng: np.random.Generator) -> str:
        length = int(rng.integers(self.options.min_length, self.options.max_length + 1))
        characters = self.alphabet.characters
        while True:  # a space at an end or beside another one would not show
            ids = rng.integers(len(characters), size=length).tolist()
            text = "".join([characters[i] for i in ids])
            if normalise_text(text) == text:
                return text

    def _case(self, text: str) -> str:
        if self.options.case == "keep":
            return text
        return text.upper() if self.options.case == "upper" else text.lower()

    def _own_strings(self) -> tuple[str, ...]:
        places = [(f"strings[{i}]", text) for i, text in enumerate(self.options.strings)]
        path = self.options.strings_file
        if path is not None:
            try:
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"strings_file {path}: cannot be read ({error})") from error
            places += [(f"{path}:{i}", line) for i, line in enumerate(lines, 1) if line.strip()]
        texts = [(place, self._case(normalise_text(text))) for place, text in places]
        faults = [f"{place}: empty" for place, text in texts if not text] + [
            f"{place}: {text!r} has {self.alphabet.unknown(text)!r}"
            for place, text in texts
            if self.alphabet.unknown(text)
        ]
        if faults:
            raise DataError(
                f"{len(faults)} of {len(texts)} strings cannot be labels in the alphabet "
                f"{self.alphabet.characters!r}; widen it with --alphabet, or mend them:"
                + _listed(faults)
            )
        if not texts:
            raise DataError("text source strings: none given; add --strings or --strings-file")
        self.places = tuple(place for place, _ in texts)
        return tuple(text for _, text in texts)

    def _dictionary(self) -> list[str]:
        path = TRDG_FOLDER / "dicts" / f"{self.options.language}.txt"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt")))
            raise DataError(f"language {self.options.language!r}: no dictionary; known are {known}")
        return path.read_text(encoding="utf-8", errors="ignore").splitlines()

    def _wikipedia(self) -> list[str]:
        try:
            from trdg.string_generator import create_strings_from_wikipedia

            return create_strings_from_wikipedia(
                self.options.min_length, 200, self.options.language
            )
        except Exception as error:  # requests, JSON and Wikipedia itself fail in many ways
            raise DataError(
                f"Wikipedia cannot be reached ({type(error).__name__}); use --text-source "
                "dictionary, or your own lines with --text-source strings --strings-file FILE"
            ) from error


def _listed(faults: list[str]) -> str:
    """The first ten of a list, each on a line of its own."""
    more = [f"... and {len(faults) - 10} more"] if len(faults) > 10 else []
    return "".join(f"\n  {fault}" for fault in faults[:10] + more)


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
        self._by_spacing: dict[int, LineOptions] = {}
        self._check_own_strings()

    def __getitem__(self, k: int) -> tuple[np.ndarray, str, str]:
        reasons: Counter[str] = Counter()
        short = ""
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.seed, k, attempt))
            text, (recipe, fonts) = self.texts.draw(rng), self.recipes.choose(rng)
            font = fonts[(k + attempt) % len(fonts)]
            if font in self.partial and set(text) - set(self.partial[font]):
                reasons["the font lacks a character"] += 1
                continue
            shown = text
            if recipe.marks and rng.random() < recipe.marks:
                shown = self._marks(font, recipe.units).put(text, rng)
            options = self.options
            if self.augmentation is not None and options.spacing:
                extra = round(options.spacing * (rng.exponential() ** 1.5 - 0.5))  # at times wide
                options = self._spaced(extra)
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
            pixels = np.asarray(drawn.convert("L" if self.spec.channels == 1 else "RGB"))
            pixels = pixels.reshape(*pixels.shape[:2], self.spec.channels)
            if recipe.ghost and rng.random() < recipe.ghost:
                pixels = self._with_ghosts(pixels, shown, font, options, seed, rng)
            if self.augmentation:
                pixels = augmentation.augment(pixels, self.augmentation, rng, recipe)
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
        off = np.asarray(eights.convert("L" if self.spec.channels == 1 else "RGB"))
        pale = rng.uniform(0.03, 0.35) * (pixels - np.minimum(pixels, off.reshape(pixels.shape)))
        return (pixels - pale).astype(np.uint8)

    def _spaced(self, extra: int) -> LineOptions:
        """The options with `extra` pixels more between characters."""
        if extra not in self._by_spacing:
            spacing = self.options.character_spacing + extra
            self._by_spacing[extra] = replace(self.options, character_spacing=spacing)
        return self._by_spacing[extra]

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
                "wider --fonts, or leave them out:" + _listed(faults)
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
    """

    GROUP = 16

    def __init__(
        self,
        lines: LineStream,
        batch_size: int = 32,
        num_batches: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.lines, self.batch_size, self._num_batches = lines, batch_size, num_batches
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
                    more = ((0, 0), (0, 0), (0, imaging.WIDTH_MULTIPLE), (0, 0))
                    x = x | {"image": np.pad(x["image"], more)}
                if y.shape == first_y.shape:
                    y = np.pad(y, ((0, 0), (0, 1)))
            return x, y

    def group(self, number: int) -> list[Batch]:
        """The batches of a group, each of lines of like width, in random order."""
        count = self.GROUP * self.batch_size
        drawn = [self.lines[k] for k in range(number * count, (number + 1) * count)]
        drawn.sort(key=lambda line: line[0].shape[1] / line[0].shape[0])
        order = np.random.default_rng((self.lines.seed, number)).permutation(self.GROUP)
        return [self.collate(drawn[i * self.batch_size :][: self.batch_size]) for i in order]

    def collate(self, lines: list[tuple[np.ndarray, str, str]]) -> Batch:
        """Prepare, pad and label drawn lines."""
        spec = self.lines.spec
        prepared = [imaging.prepare(pixels, spec.height) for pixels, _, _ in lines]
        x = imaging.pad_batch(prepared, self.lines.multiple)
        steps = time_steps(x["width"], self.lines.stride).tolist()
        return x, pack_labels(steps, [self.lines.alphabet.encode(text) for _, text, _ in lines])
