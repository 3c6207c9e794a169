"""Text and a font -> a picture of a line, exactly as trdg draws it.

`draw` composes the picture from glyphs that each font renders once, which takes a fraction of
trdg's time and gives the same pixels. Vertical text is drawn by trdg itself.

trdg (https://github.com/Belval/TextRecognitionDataGenerator, MIT) is handled here and nowhere
else: its prints, its `None` images, its global random state, and the method it calls that
Pillow 10 removed.
"""

import contextlib
import functools
import io
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import matplotlib
import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageColor, ImageFilter, ImageFont

# trdg asks for its handwriting module, which needs TensorFlow 1 and says so on standard output
sys.modules.setdefault("trdg.handwritten_text_generator", None)  # type: ignore[arg-type]
with contextlib.redirect_stdout(io.StringIO()):
    from trdg import background_generator, computer_text_generator, distorsion_generator
    from trdg import data_generator as trdg

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of tables that none here reads

TRDG_FOLDER = Path(trdg.__file__).parent
FONT_EXTENSIONS = {".ttf", ".otf", ".ttc", ".woff"}

# Families of matplotlib's fonts that hold letters and digits, not symbols in their places.
MATPLOTLIB_TEXT = ("DejaVu", "STIXGeneral", "cmb", "cmr", "cmss", "cmti", "cmtt")

# Font families (beginnings of file names) that training leaves to validation by default.
HELD_OUT = ("Sansation", "OpenSans", "Pacifico", "DroidSans", "RobotoCondensed", "Walkway", "BEBAS")


class DataError(ValueError):
    """Options or text that cannot give training lines. The message names the mend."""


@dataclass(frozen=True)
class DrawingOptions:
    """What a drawn line looks like, by trdg's names."""

    fonts: tuple[str, ...] = ("trdg", "matplotlib")
    """trdg (its own hundred), matplotlib (the 23 text fonts it carries), font files, or folders."""
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


def check_drawing(options: DrawingOptions) -> None:
    """Raises DataError for options that cannot be drawn."""
    for name in ("skewing_angle", "blur", "space_width", "stroke_width"):
        if not getattr(options, name) >= 0:
            raise DataError(f"{name} {getattr(options, name)}: give 0 or more")
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

    Where nothing is held out, or "none", both get all. Raises DataError where nothing is left to
    train on.
    """
    beginnings = () if held_out == ("none",) else held_out
    held = [font for font in fonts if Path(font).name.startswith(beginnings)]
    rest = [font for font in fonts if font not in set(held)]
    if not rest:
        raise DataError("every font is held out; give more --fonts, or fewer --held-out")
    return rest, held or rest


OWN_FORMS = "abdeghnqrt"  # small letters that look unlike their capitals, but in small capitals


def _has_small_capitals(font: ImageFont.FreeTypeFont) -> bool:
    """Whether a font's small letters look as its capitals do, when both are stretched to one size.

    By the mean correlation of ten pairs: under 0.55 in over 400 other faces, over 0.65 in those.
    """

    def form(character: str) -> np.ndarray:
        mask = font.getmask(character)
        ink = Image.frombytes("L", mask.size, bytes(mask))
        return np.asarray(ink.resize((24, 24), box=ink.getbbox()), np.float64).ravel()

    alike = [np.corrcoef(form(c), form(c.upper()))[0, 1] for c in OWN_FORMS]
    return float(np.mean(alike)) > 0.6


@functools.lru_cache(maxsize=4096)
def characters_drawn(font: str, characters: str) -> str:
    """Those of `characters` for which a font has a glyph of its own, with ink. Raises DataError.

    A small letter that looks as its capital does, where both are asked for, is none of its own;
    nor are those of a font of small capitals.
    """
    try:
        face = (
            TTCollection(font).fonts[0]
            if font.lower().endswith(".ttc")
            else TTFont(font, lazy=True)
        )
        mapped = set(face.getBestCmap() or {})
        drawn = ImageFont.truetype(font, 32)
        known = mapped & set(map(ord, characters))
        both = set(map(ord, OWN_FORMS + OWN_FORMS.upper()))
        small_capitals = both <= known and _has_small_capitals(drawn)

        def has(character: str) -> bool:
            mask = drawn.getmask(character) if ord(character) in mapped else None
            if mask is None or not mask.getbbox():
                return mask is not None and character == " "
            capital = character.upper()
            if capital == character or capital not in characters:
                return True
            if small_capitals:
                return False
            above = drawn.getmask(capital)
            return (mask.size, bytes(mask)) != (above.size, bytes(above))

        return "".join(filter(has, characters))
    except (OSError, TTLibError, KeyError, AttributeError) as error:
        raise DataError(
            f"font {font}: cannot be used ({error}); leave it out of --fonts"
        ) from error


# --- trdg, in one place ---------------------------------------------------------------------


class _Font(ImageFont.FreeTypeFont):
    """A font with `getsize`, which trdg calls and Pillow 10 removed."""

    def getsize(self, text):
        return self.getbbox(text)[2:]


class _ImageFont:
    """What trdg sees in place of `PIL.ImageFont`."""

    truetype = staticmethod(functools.lru_cache(maxsize=1024)(_Font))


def _mean_grey(image: Image.Image) -> float:
    """Mean grey level, by alpha. Raises ZeroDivisionError where nothing is seen."""
    image = image if image.mode == "LA" else image.convert("LA")
    grey, alpha = np.asarray(image).reshape(-1, 2).T.astype(np.float64)
    # not a product of vectors: BLAS gives those to threads, which take more than they gain
    return float((grey * alpha).sum()) / float(alpha.sum())


class _Statistics:
    """What trdg sees in place of `PIL.ImageStat.Stat`: means that make its check of contrast work.

    It adds up two bands of the text, where its mask and not where its alpha is, and all of the
    background's, alpha too, and takes a third of each: white on white passed.
    """

    def __init__(self, image: Image.Image, mask: Image.Image | None = None):
        mean = _mean_grey(image)
        self.mean = [3 * mean] if mask is None else [1.5 * mean, 1.5 * mean]


class _ImageStat:
    Stat = _Statistics


class _SortedFolders:
    """What trdg sees in place of `os`: it picks a picture by its place in the folder."""

    path = os.path
    listdir = staticmethod(lambda folder: sorted(os.listdir(folder)))


_random = random.Random()  # trdg's own, in place of the global one
_lock = threading.Lock()
background_generator.os = _SortedFolders
computer_text_generator.ImageFont = _ImageFont
trdg.ImageStat = _ImageStat
trdg.print = lambda *_: None  # redirecting standard output would swallow other threads' too
for _module in (trdg, computer_text_generator, background_generator, distorsion_generator):
    _module.rnd = _random


def render(text: str, font: str, options: DrawingOptions, seed: int) -> Image.Image | None:
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


# --- the same, composed -----------------------------------------------------------------------


class _Glyph(NamedTuple):
    """A character, or a word, at a font's own size."""

    width: int
    height: int
    plain: tuple  # mask, and the offset at which it is drawn
    stroked: tuple  # with its outline


class _Face:
    """A font at a size, and the characters that it has rendered; words are too many to keep."""

    def __init__(self, font: str, size: int, stroke_width: int):
        self.font, self.stroke_width = _Font(font, size), stroke_width
        self.space = self.font.getsize(" ")[0]
        self.glyphs: dict[str, _Glyph] = {}

    def glyph(self, text: str) -> _Glyph:
        if text in self.glyphs:
            return self.glyphs[text]
        plain = stroked = self.font.getmask2(text, "L", anchor="la")
        if self.stroke_width:
            stroked = self.font.getmask2(
                text, "L", stroke_width=self.stroke_width, anchor="la", stroke_filled=True
            )
        width = computer_text_generator._compute_character_width(self.font, text)
        glyph = _Glyph(width, self.font.getsize(text)[1], plain, stroked)
        if len(text) == 1:
            self.glyphs[text] = glyph
        return glyph


_face = functools.lru_cache(maxsize=1024)(_Face)


def draw(text: str, font: str, options: DrawingOptions, seed: int) -> Image.Image | None:
    """As `render`, pixel for pixel, in a fraction of its time; mode L where no colour can be.

    Each step is trdg's, in trdg's order. Vertical text is left to trdg.
    """
    if options.orientation == 1:
        return render(text, font, options, seed)
    rng = random.Random(seed)
    fill, stroke = _color(options.text_color, rng), _color(options.stroke_fill, rng)
    colours = [fill, stroke] if options.stroke_width else [fill]
    grey = options.background_type != 3 and all(r == g == b for r, g, b in colours)

    face = _face(font, options.size, options.stroke_width)
    picture = _text(text, face, options, fill, stroke, grey)
    angle = rng.randint(-options.skewing_angle, options.skewing_angle)
    if options.skewing_angle:
        picture = picture.rotate(angle if options.random_skew else options.skewing_angle, expand=1)
    if options.distorsion_type:
        picture = _distorted(picture, options, rng)

    top, left, bottom, right = options.margins
    rows = options.size - top - bottom
    columns = int(picture.width * (float(rows) / float(picture.height)))
    picture = picture.resize((columns, rows), Image.Resampling.LANCZOS)
    width = options.width if options.width > 0 else columns + left + right
    white = options.background_type == 1
    ground = _background(width, options, seed, rng)
    if ground.mode != ("L" if grey else "RGB"):
        ground = ground.convert("L" if grey else "RGB")
    if not _stands_out(picture, ground, white, max(map(max, colours))):
        return None
    if options.width != -1 and options.alignment == 1:
        left = int(width / 2 - columns / 2)
    elif options.width != -1 and options.alignment == 2:
        left = width - columns - right
    ground.paste(picture.getchannel("L") if grey else picture.convert("RGB"), (left, top), picture)
    if options.blur:
        radius = rng.random() * options.blur if options.random_blur else options.blur
        ground = ground.filter(ImageFilter.GaussianBlur(radius=radius))
    return ground


def _stands_out(picture: Image.Image, ground: Image.Image, white: bool, lightest: int) -> bool:
    """trdg's check of contrast, which text without ink fails too; `lightest`: level of the text."""
    if white and picture.mode == "LA" and lightest <= 200:  # on the whole, so is the mean
        return picture.getchannel("A").getbbox() is not None
    try:
        return abs(_mean_grey(picture) - (255 if white else _mean_grey(ground))) >= 15
    except ZeroDivisionError:
        return False


def _color(range_of_colours: str, rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.randint(low, high) for low, high in _bounds(range_of_colours))


@functools.lru_cache
def _bounds(range_of_colours: str) -> list[tuple[int, int]]:
    """Least and greatest red, green and blue of two colours."""
    colours = [ImageColor.getrgb(colour) for colour in range_of_colours.split(",")]
    return [(min(end), max(end)) for end in zip(colours[0], colours[-1])][:3]


def _text(
    text: str, face: _Face, options: DrawingOptions, fill: tuple, stroke: tuple, grey: bool
) -> Image.Image:
    """The text at the font's own size, with nothing behind it: mode LA or RGBA."""
    pieces: str | list[str] = text
    spacing = options.character_spacing
    if options.word_split:
        pieces = [piece for word in text.split(" ") for piece in (word, " ")][:-1]
        spacing = 0
    glyphs = [face.glyph(piece) for piece in pieces]
    space = int(face.space * options.space_width)
    widths = [space if piece == " " else glyph.width for piece, glyph in zip(pieces, glyphs)]
    size = (sum(widths) + spacing * (len(pieces) - 1), max(glyph.height for glyph in glyphs))
    picture = Image.new("LA" if grey else "RGBA", size)
    x = 0
    for glyph, width in zip(glyphs, widths):
        layers = [(glyph.plain, fill)]
        if options.stroke_width:  # a stroke of the same colour is drawn alone
            layers = [(glyph.stroked, stroke)] + layers * (fill != stroke)
        for (mask, (left, top)), ink in layers:
            box = (x + left, top, x + left + mask.size[0], top + mask.size[1])
            picture.im.paste((ink[0], 255) if grey else (*ink, 255), box, mask)
        x += width + spacing
    return picture.crop(picture.getbbox()) if options.fit else picture


def _distorted(picture: Image.Image, options: DrawingOptions, rng: random.Random) -> Image.Image:
    distort = (distorsion_generator.sin, distorsion_generator.cos, distorsion_generator.random)
    with _trdg_draws_from(rng):
        distorted, _ = distort[options.distorsion_type - 1](
            picture,
            picture,
            vertical=options.distorsion_orientation in (0, 2),
            horizontal=options.distorsion_orientation in (1, 2),
        )
    return distorted.convert(picture.mode)


def _background(width: int, options: DrawingOptions, seed: int, rng: random.Random) -> Image.Image:
    if options.background_type == 1:
        return Image.new("L", (width, options.size), 255)
    with _trdg_draws_from(rng):
        if options.background_type == 0:
            cv2.setRNGSeed(seed & 0x7FFFFFFF)
            return background_generator.gaussian_noise(options.size, width)
        if options.background_type == 2:
            return background_generator.quasicrystal(options.size, width)
        return background_generator.image(options.size, width, str(options.image_dir))


@contextlib.contextmanager
def _trdg_draws_from(rng: random.Random) -> Iterator[None]:
    with _lock:
        _random.setstate(rng.getstate())
        yield
        rng.setstate(_random.getstate())
