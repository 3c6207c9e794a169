"""Text and a font -> a picture of a line, drawn by trdg.

trdg (https://github.com/Belval/TextRecognitionDataGenerator, MIT) draws here and nowhere else. Its
faults are corrected here too: its prints, its `None` images, its global random state, and the
method it calls that Pillow 10 removed. `render` draws a line; the functions before it are single
steps of trdg's, for glyphs.py.
"""

import contextlib
import functools
import io
import os
import random
import sys
import threading
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, ImageFont

from ocr_simple import images as imaging
from ocr_simple.options import Drawing
from ocr_simple.storage import is_hidden

# trdg asks for its handwriting module, which needs TensorFlow 1 and prints that it is missing
sys.modules.setdefault("trdg.handwritten_text_generator", None)  # type: ignore[arg-type]
with contextlib.redirect_stdout(io.StringIO()):
    from trdg import background_generator, computer_text_generator, distorsion_generator
    from trdg import data_generator as trdg


class Font(ImageFont.FreeTypeFont):
    """A font with `getsize`, which trdg calls and Pillow 10 removed."""

    def getsize(self, text: str) -> tuple[int, int]:
        """Width and height of a text in pixels."""
        return self.getbbox(text)[2:]  # type: ignore[return-value]


def mean_grey(image: Image.Image) -> float:
    """Mean grey level, weighted by alpha. Raises ZeroDivisionError where nothing is visible."""
    image = image if image.mode == "LA" else image.convert("LA")
    grey, alpha = np.asarray(image).reshape(-1, 2).T.astype(np.float64)
    # not a product of vectors: BLAS would use threads, which cost more time than they save
    return float((grey * alpha).sum()) / float(alpha.sum())


# --- trdg's modules, changed ------------------------------------------------------------------


class _ImageFont:
    """Replaces `PIL.ImageFont` in trdg."""

    truetype = staticmethod(functools.lru_cache(maxsize=1024)(Font))


class _Statistics:
    """Replaces `PIL.ImageStat.Stat` in trdg: means that make its check of contrast work.

    trdg sums two bands of the text, weighted by its mask instead of its alpha, and all bands of the
    background, alpha included, and divides both by three: white on white passed.
    """

    def __init__(self, image: Image.Image, mask: Image.Image | None = None):
        mean = mean_grey(image)
        self.mean = [3 * mean] if mask is None else [1.5 * mean, 1.5 * mean]


class _ImageStat:
    Stat = _Statistics


LONGEST = 20  # a picture's long side, in its short sides


def pictures_in(folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the pictures in a folder, sorted; the other files there, but for an operating system's)."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return (), ()
    return _pictures_in(folder, changed)


@functools.lru_cache  # each is decoded once, to find the damaged ones
def _pictures_in(folder: str, changed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # not entry.is_dir(), which raises an error for a link to itself
    names = [name for name in os.listdir(folder) if not os.path.isdir(os.path.join(folder, name))]
    names = sorted(name for name in names if not is_hidden(name))
    pictures = tuple(name for name in names if _is_picture(os.path.join(folder, name)))
    return pictures, tuple(name for name in names if name not in pictures)


def _is_picture(path: str) -> bool:
    """Whether a file can be decoded within the limits of any image, and is not too long."""
    try:
        rows, columns, _ = imaging.load(path, warn=False).shape
    except imaging.ImageError:
        return False
    # trdg enlarges a picture until both sides are long enough
    return max(rows, columns) <= LONGEST * min(rows, columns)


class _Pictures:
    """Replaces `os` in trdg, which picks a picture by its position in the folder."""

    path = os.path
    listdir = staticmethod(lambda folder: pictures_in(folder)[0])


_random = random.Random()  # trdg's, instead of the global one
_lock = threading.Lock()
background_generator.os = _Pictures
computer_text_generator.ImageFont = _ImageFont
trdg.ImageStat = _ImageStat
trdg.print = lambda *_: None  # redirecting standard output would affect other threads too
for _module in (trdg, computer_text_generator, background_generator, distorsion_generator):
    _module.rnd = _random


@contextlib.contextmanager
def _trdg_draws_from(rng: random.Random) -> Iterator[None]:
    """trdg continues with the random numbers of `rng`."""
    with _lock:
        _random.setstate(rng.getstate())
        yield
        rng.setstate(_random.getstate())


# --- steps of trdg's --------------------------------------------------------------------------


def text_width(font: Font, text: str) -> int:
    """Columns by which trdg moves on after a character or a word."""
    return computer_text_generator._compute_character_width(font, text)


def distort(picture: Image.Image, options: Drawing, rng: random.Random) -> Image.Image:
    """A text distorted by `options.distorsion_type`, which is not 0; the mode is kept."""
    distortions = (distorsion_generator.sin, distorsion_generator.cos, distorsion_generator.random)
    with _trdg_draws_from(rng):
        distorted, _ = distortions[options.distorsion_type - 1](
            picture,
            picture,
            vertical=options.distorsion_orientation in (0, 2),
            horizontal=options.distorsion_orientation in (1, 2),
        )
    return distorted.convert(picture.mode)


def background(width: int, options: Drawing, seed: int, rng: random.Random) -> Image.Image:
    """A background of `width` columns and `options.size` rows."""
    if options.background_type == 1:
        return Image.new("L", (width, options.size), 255)
    with _trdg_draws_from(rng):
        if options.background_type == 0:
            cv2.setRNGSeed(seed & 0x7FFFFFFF)
            return background_generator.gaussian_noise(options.size, width)
        if options.background_type == 2:
            return background_generator.quasicrystal(options.size, width)
        return background_generator.image(options.size, width, options.picture_folder)


# --- a line -----------------------------------------------------------------------------------


def render(text: str, font: str, options: Drawing, seed: int) -> Image.Image | None:
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
            image_dir=options.picture_folder,
            stroke_width=options.stroke_width,
            stroke_fill=options.stroke_fill,
        )
