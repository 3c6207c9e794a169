"""Generated lines: text -> trdg -> variation -> padded batches, as a Keras `Sequence`.

`LineOptions` names every choice of text, drawing and variation; `Lines` draws line k; and
`LineSequence` stacks lines into batches in the form that `model.py` trains on.

Line k of a stream is a function of (seed, k) alone, and batch i one of (seed, i), so that a
run's whole place in its data is one number. A line that trdg cannot draw, or
whose label needs more time steps than its image gives, is drawn anew and counted.

trdg (https://github.com/Belval/TextRecognitionDataGenerator, MIT) is handled in one place,
`render`: its prints, its `None` images, its global random state, and the method it calls that
Pillow 10 removed.
"""

import contextlib
import functools
import io
import random
import string
import sys
import threading
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import matplotlib
import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageColor, ImageFont

import augmentation
import image as imaging
from devices import keras
from model import ModelSpec, pack_labels, time_steps
from text import Alphabet, normalise_text, steps_needed

# trdg asks for its handwriting module, which needs TensorFlow 1 and says so on standard output
sys.modules.setdefault("trdg.handwritten_text_generator", None)  # type: ignore[arg-type]
with contextlib.redirect_stdout(io.StringIO()):
    from trdg import background_generator, computer_text_generator, distorsion_generator
    from trdg import data_generator as trdg
    from trdg.string_generator import create_strings_from_wikipedia
    from trdg.utils import load_dict

TRDG_FOLDER = Path(trdg.__file__).parent
FONT_EXTENSIONS = {".ttf", ".otf", ".ttc"}

# Families of matplotlib's fonts that hold letters and digits, not symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")

# Font families (beginnings of file names) that training leaves to validation by default.
HELD_OUT = ("Sansation", "OpenSans", "Pacifico", "DroidSans", "RobotoCondensed", "Walkway", "BEBAS")

ATTEMPTS = 50  # draws of one line before its options are at fault


class DataError(ValueError):
    """Options or text that cannot give training lines. The message names the mend."""


@dataclass(frozen=True)
class LineOptions:
    """What generated lines say and look like. The drawing options have trdg's names."""

    # --- text
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

    # --- drawing
    fonts: tuple[str, ...] = ("trdg",)
    """trdg (its own hundred), matplotlib (the 27 text fonts it carries), font files, or folders."""
    size: int = 32
    """Height of the drawn line in pixels; lines are scaled to the model's height."""
    skewing_angle: int = 0
    """Degrees the text is turned."""
    random_skew: bool = False
    """Turn by a random angle up to skewing_angle, either way."""
    blur: int = 0
    """Radius of Gaussian blur in pixels."""
    random_blur: bool = False
    """Blur by a random radius up to blur."""
    background_type: Literal[0, 1, 2, 3] = 1
    """0 noise, 1 white (clean, fast), 2 quasicrystal (slow: drawn pixel by pixel), 3 image_dir."""
    distorsion_type: Literal[0, 1, 2, 3] = 0
    """0 none, 1 sine, 2 cosine, 3 random."""
    distorsion_orientation: Literal[0, 1, 2] = 0
    """0 up and down, 1 left and right, 2 both."""
    width: int = -1
    """Width of the drawn image; -1 fits the text, as any width can be read."""
    alignment: Literal[0, 1, 2] = 1
    """Where text stands in a wider image: 0 left, 1 centre, 2 right."""
    text_color: str = "#282828"
    """Colour, or the two ends of a range: #000000,#888888."""
    orientation: Literal[0, 1] = 0
    """0 horizontal; 1 vertical, which a reader of horizontal lines will not learn well."""
    space_width: float = 1.0
    """Width of a space, times the font's; 0 drops spaces from the label too."""
    character_spacing: int = 0
    """Pixels between characters."""
    margins: tuple[int, int, int, int] = (5, 5, 5, 5)
    """Pixels above, left of, below and right of the text."""
    fit: bool = False
    """Crop to the ink before the margins are added."""
    word_split: bool = False
    """Draw whole words, which keeps kerning and ligatures."""
    image_dir: Path = TRDG_FOLDER / "images"
    """Pictures for background_type 3; trdg's four unless told."""
    stroke_width: int = 0
    """Pixels of outline around each character."""
    stroke_fill: str = "#282828"
    """Colour of the outline, or a range."""

    # --- variation, on training lines only
    rotation: float = 2.0
    """Degrees a training line may turn, either way; photographs are rarely level."""
    shift: float = 0.08
    """Share of the height a training line may move; crops are never centred."""
    shear: float = 0.2
    """Slant of a training line, as a share of its height; makes up for missing italics."""
    zoom: float = 0.3
    """Log scale by which a training line may grow, and twice that by which it may shrink."""
    stretch: float = 0.3
    """Log scale by which its width alone may change; families are narrow or wide."""
    elastic: float = 0.0
    """Share of its height by which a training line's strokes bend; makes new letter forms."""
    spacing: int = 2
    """Pixels by which character_spacing varies: usually about as many, at times ten times."""
    weight: float = 0.6
    """Share of training lines with thinner or bolder strokes; weights are few in most families."""
    photo: float = 0.5
    """Share of training lines made to look photographed; helps with unseen fonts too."""

    @property
    def augmentation(self) -> augmentation.Augmentation:
        names = (field.name for field in fields(augmentation.Augmentation))
        return augmentation.Augmentation(**{name: getattr(self, name) for name in names})

    def parsed_alphabet(self) -> Alphabet:
        """The alphabet with `letters` and `symbols` added. Raises ValueError."""
        characters = Alphabet.parse(self.alphabet).characters
        characters += string.ascii_letters * self.letters + string.punctuation * self.symbols
        return Alphabet("".join(dict.fromkeys(characters)))


# --- text -----------------------------------------------------------------------------------


class Texts:
    """The text source that options name: `draw(rng)` gives one line of text.

    Raises DataError where the source cannot serve: unknown characters in the user's own strings,
    a missing dictionary, no network for Wikipedia, bounds that cross.
    """

    def __init__(self, options: LineOptions, alphabet: Alphabet):
        self.options, self.alphabet = options, alphabet
        self.left_out = 0  # words or sentences with characters outside the alphabet
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
            ids = rng.integers(len(characters), size=length)
            text = "".join(characters[i] for i in ids)
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
            more = f"\n  ... and {len(faults) - 10} more" if len(faults) > 10 else ""
            raise DataError(
                f"{len(faults)} of {len(texts)} strings cannot be labels in the alphabet "
                f"{self.alphabet.characters!r}; widen it with --alphabet, or mend them:\n  "
                + "\n  ".join(faults[:10])
                + more
            )
        if not texts:
            raise DataError("text source strings: none given; add --strings or --strings-file")
        return tuple(text for _, text in texts)

    def _dictionary(self) -> list[str]:
        path = TRDG_FOLDER / "dicts" / f"{self.options.language}.txt"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt")))
            raise DataError(f"language {self.options.language!r}: no dictionary; known are {known}")
        return load_dict(str(path))

    def _wikipedia(self) -> list[str]:
        try:
            return create_strings_from_wikipedia(
                self.options.min_length, 200, self.options.language
            )
        except Exception as error:  # requests, JSON and Wikipedia itself fail in many ways
            raise DataError(
                f"Wikipedia cannot be reached ({type(error).__name__}); use --text-source "
                "dictionary, or your own lines with --text-source strings --strings-file FILE"
            ) from error


# --- fonts ----------------------------------------------------------------------------------


def find_fonts(sources: tuple[str, ...], language: str = "en") -> list[str]:
    """Font files of `trdg`, `matplotlib`, files and folders (searched through), sorted by source.

    Raises DataError that names a source which is neither, or holds no font.
    """
    fonts: list[str] = []
    for source in sources:
        folder = Path(source).expanduser()
        if source == "trdg":
            folder = TRDG_FOLDER / "fonts" / language
            folder = folder if folder.is_dir() else TRDG_FOLDER / "fonts" / "latin"
        elif source == "matplotlib":
            folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
            fonts += sorted(str(p) for name in MATPLOTLIB_TEXT for p in folder.glob(f"{name}*.ttf"))
            continue
        if folder.is_file():
            found = [folder]
        else:
            found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in FONT_EXTENSIONS)
        if not found:
            raise DataError(
                f"fonts {source!r}: no font file there; give trdg, matplotlib, a font file, "
                "or a folder that holds some"
            )
        fonts += map(str, found)
    return list(dict.fromkeys(fonts))


def split_fonts(fonts: list[str], held_out: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Fonts for training and for validation, by the beginnings of their file names.

    Where nothing is held out, both get all. Raises DataError where nothing is left to train on.
    """
    held = [font for font in fonts if Path(font).name.startswith(held_out)] if held_out else []
    rest = [font for font in fonts if font not in set(held)]
    if not rest:
        raise DataError("every font is held out; give more --fonts, or fewer --held-out")
    return rest, held or rest


@functools.lru_cache(maxsize=4096)
def characters_drawn(font: str, characters: str) -> str:
    """Those of `characters` for which a font has a glyph with ink. Raises DataError."""
    try:
        face = (
            TTCollection(font).fonts[0]
            if font.lower().endswith(".ttc")
            else TTFont(font, lazy=True)
        )
        mapped = set(face.getBestCmap() or {})
        drawn = ImageFont.truetype(font, 32)
        return "".join(
            c for c in characters if ord(c) in mapped and (c == " " or drawn.getmask(c).getbbox())
        )
    except (OSError, TTLibError, KeyError, AttributeError) as error:
        raise DataError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error


# --- trdg, in one place ---------------------------------------------------------------------


class _CachedFont(ImageFont.FreeTypeFont):
    """A font that remembers what it drew: trdg draws every character by itself, twice.

    Also gives back `getsize`, which trdg calls and Pillow 10 removed.
    """

    def getsize(self, text):
        return self.getbbox(text)[2:]

    def _remember(self, kind, method, text, arguments, options):
        if len(text) > 1:
            return method(text, *arguments, **options)
        key = (kind, text, arguments, tuple(sorted(options.items())))
        cache = self.__dict__.setdefault("_cache", {})
        if key not in cache:
            cache[key] = method(text, *arguments, **options)
        return cache[key]

    def getlength(self, text, *arguments, **options):
        return self._remember("length", super().getlength, text, arguments, options)

    def getbbox(self, text, *arguments, **options):
        return self._remember("box", super().getbbox, text, arguments, options)

    def getmask2(
        self, text, mode="", direction=None, features=None, language=None, stroke_width=0,
        anchor=None, ink=0, start=None, **options,
    ):  # fmt: skip
        # the ink colours nothing but emoji; as part of the key it would fill the cache for ever
        arguments = (mode, direction, features, language, stroke_width, anchor, 0, start)
        return self._remember("mask", super().getmask2, text, arguments, options)


@functools.lru_cache(maxsize=1024)
def _truetype(font, size):
    return _CachedFont(font, size)


class _ImageFont:
    """What trdg sees in place of `PIL.ImageFont`."""

    truetype = staticmethod(_truetype)


class _Statistics:
    """What trdg sees in place of `PIL.ImageStat.Stat`: means that make its check of contrast work.

    It adds up two bands of the text, where its mask and not where its alpha is, and all of the
    background's, alpha too, and takes a third of each: white on white passed.
    """

    def __init__(self, image: Image.Image, mask: Image.Image | None = None):
        grey, alpha = np.moveaxis(np.asarray(image.convert("LA"), np.float32), 2, 0)
        mean = float(np.average(grey, weights=alpha))
        self.mean = [3 * mean] if mask is None else [1.5 * mean, 1.5 * mean]


class _ImageStat:
    Stat = _Statistics


_random = random.Random()  # trdg's own, in place of the global one
_lock = threading.Lock()
computer_text_generator.ImageFont = _ImageFont
trdg.ImageStat = _ImageStat
trdg.print = lambda *_: None  # redirecting standard output would swallow other threads' too
for _module in (trdg, computer_text_generator, background_generator, distorsion_generator):
    _module.rnd = _random


def render(text: str, font: str, options: LineOptions, seed: int) -> Image.Image | None:
    """One line drawn by trdg: an RGB image, or None where trdg finds its contrast too low.

    The same for the same arguments, in any thread.
    """
    with _lock:
        _random.seed(seed)
        cv2.setRNGSeed(seed & 0x7FFFFFFF)
        return trdg.FakeTextDataGenerator.generate(
            index=0,
            text=text,
            font=font,
            out_dir=None,
            size=options.size,
            extension=None,
            skewing_angle=options.skewing_angle,
            random_skew=options.random_skew,
            blur=options.blur,
            random_blur=options.random_blur,
            background_type=options.background_type,
            distorsion_type=options.distorsion_type,
            distorsion_orientation=options.distorsion_orientation,
            is_handwritten=False,
            name_format=0,
            width=options.width,
            alignment=options.alignment,
            text_color=options.text_color,
            orientation=options.orientation,
            space_width=options.space_width,
            character_spacing=options.character_spacing,
            margins=options.margins,
            fit=options.fit,
            output_mask=False,
            word_split=options.word_split,
            image_dir=str(options.image_dir),
            stroke_width=options.stroke_width,
            stroke_fill=options.stroke_fill,
        )


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
        self.augmentation = options.augmentation if augment else None
        self.alphabet = Alphabet(spec.alphabet)
        _check_drawing(options)
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
        self.redrawn: Counter[str] = Counter()  # why lines were drawn anew

    def __getitem__(self, k: int) -> tuple[np.ndarray, str, str]:
        reasons: Counter[str] = Counter()
        short = ""
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.seed, k, attempt))
            text, font = self.texts.draw(rng), self.fonts[(k + attempt) % len(self.fonts)]
            if font in self.partial and set(text) - set(self.partial[font]):
                reasons["the font lacks a character"] += 1
                continue
            options = self.options
            if self.augmentation is not None and options.spacing:
                extra = round(
                    options.spacing * (rng.exponential() ** 1.5 - 0.5)
                )  # now and then wide
                options = replace(options, character_spacing=options.character_spacing + extra)
            try:
                drawn = render(text, font, options, int(rng.integers(1 << 31)))
            except ValueError as error:  # Pillow's, where nothing is left of the text
                reasons[f"{Path(font).name} cannot be drawn so ({error})"] += 1
                continue
            if drawn is None:
                reasons["text_color too close to the background"] += 1
                continue
            if self.options.width > 0 and self._cut_off(text, font, options):
                reasons[f"text wider than width {self.options.width}"] += 1
                continue
            if self.options.space_width == 0:
                text = text.replace(" ", "")
            pixels = np.asarray(drawn.convert("L" if self.spec.channels == 1 else "RGB"))
            pixels = pixels.reshape(*pixels.shape[:2], self.spec.channels)
            if self.augmentation:
                pixels = augmentation.augment(pixels, self.augmentation, rng)
            columns = imaging.scaled_width(pixels.shape[1], pixels.shape[0], self.spec.height)
            if steps_needed(text) > time_steps(columns, self.spec.stride):
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

    def _cut_off(self, text: str, font: str, options: LineOptions) -> bool:
        """Whether trdg cut the text off at the fixed width."""
        free = replace(options, width=-1, background_type=1, text_color="#000000")
        whole = render(text, font, free, 0)
        return whole is None or whole.width > options.width


NOT_NEGATIVE = (
    "skewing_angle", "blur", "space_width", "stroke_width",
    "rotation", "shift", "shear", "zoom", "stretch", "elastic", "spacing",
)  # fmt: skip


def _check_drawing(options: LineOptions) -> None:
    for name in NOT_NEGATIVE:
        if not getattr(options, name) >= 0:
            raise DataError(f"{name} {getattr(options, name)}: give 0 or more")
    for name in ("weight", "photo"):
        if not 0 <= getattr(options, name) <= 1:
            raise DataError(f"{name} {getattr(options, name)}: a share; give 0 to 1")
    # horizontal text fills the size between the upper and lower margins, vertical the other two
    across = options.margins[options.orientation] + options.margins[options.orientation + 2]
    if options.size < 8 or options.size - across < 4 or min(options.margins) < 0:
        raise DataError(
            f"size {options.size} with margins {options.margins} leaves no room for text; "
            "give a size of at least 8, and 4 pixels more than the margins across the text"
        )
    for name in ("text_color", "stroke_fill"):
        try:
            for colour in getattr(options, name).split(","):
                ImageColor.getrgb(colour)
        except ValueError as error:
            raise DataError(f"{name} {getattr(options, name)!r}: {error}; write #282828") from error
    if options.background_type == 3:
        pictures = list(Path(options.image_dir).glob("*"))
        broken = [p.name for p in pictures if not _is_picture(p)]
        if not pictures or broken:
            raise DataError(
                f"image_dir {options.image_dir}: "
                + (f"{broken[0]} is no picture" if broken else "no pictures there")
                + "; give a folder of nothing but pictures"
            )


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


class LineSequence(keras.utils.PyDataset):
    """Batches of generated lines for training; item i is a function of (seed, i).

    An item is ({"image", "width"}, y): see `image.pad_batch` and `model.pack_labels`. The lines
    of GROUP batches in a row are sorted by width and dealt out again, batch by batch, so that
    little padding is computed on. `num_batches` None makes the stream endless.
    """

    GROUP = 16

    def __init__(
        self, lines: Lines, batch_size: int = 32, num_batches: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.lines, self.batch_size, self._num_batches = lines, batch_size, num_batches
        self._lock = threading.Lock()
        self._group: tuple[int, list[list]] = (-1, [])  # the group drawn last

    @property
    def num_batches(self) -> int | None:
        return self._num_batches

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        group, place = divmod(index, self.GROUP)
        with self._lock:
            if self._group[0] != group:
                self._group = (group, self._draw(group))
            x, y = self.collate(self._group[1][place])
            if index == 1:  # `fit` takes the shapes that its first two batches share for fixed
                first_x, first_y = self.collate(self._group[1][0])
                if x["image"].shape == first_x["image"].shape:
                    more = ((0, 0), (0, 0), (0, imaging.WIDTH_MULTIPLE), (0, 0))
                    x["image"] = np.pad(x["image"], more)
                if y.shape == first_y.shape:
                    y = np.pad(y, ((0, 0), (0, 1)))
            return x, y

    def _draw(self, group: int) -> list[list[tuple[np.ndarray, str, str]]]:
        """The batches of a group, each of lines of like width, in random order."""
        count = self.GROUP * self.batch_size
        drawn = [self.lines[k] for k in range(group * count, (group + 1) * count)]
        drawn.sort(key=lambda line: line[0].shape[1] / line[0].shape[0])
        batches = [drawn[i : i + self.batch_size] for i in range(0, count, self.batch_size)]
        order = np.random.default_rng((self.lines.seed, group)).permutation(self.GROUP)
        return [batches[i] for i in order]

    def collate(self, lines: list[tuple[np.ndarray, str, str]]) -> tuple[dict, np.ndarray]:
        """Prepare, pad and label drawn lines."""
        spec = self.lines.spec
        x = imaging.pad_batch([imaging.prepare(pixels, spec.height) for pixels, _, _ in lines])
        steps = time_steps(x["width"], spec.stride).tolist()
        return x, pack_labels(steps, [self.lines.alphabet.encode(text) for _, text, _ in lines])
