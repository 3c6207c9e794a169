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

import cv2
import numpy as np
from PIL import Image, ImageFont

from ocr_simple.options import Drawing

# trdg asks for its handwriting module, which needs TensorFlow 1 and says so on standard output
sys.modules.setdefault("trdg.handwritten_text_generator", None)  # type: ignore[arg-type]
with contextlib.redirect_stdout(io.StringIO()):
    from trdg import background_generator, computer_text_generator, distorsion_generator
    from trdg import data_generator as trdg

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of tables that none here reads


# --- fonts ----------------------------------------------------------------------------------


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
            image_dir=str(options.image_dir),
            stroke_width=options.stroke_width,
            stroke_fill=options.stroke_fill,
        )


# --- the same, composed -----------------------------------------------------------------------


@contextlib.contextmanager
def _trdg_draws_from(rng: random.Random) -> Iterator[None]:
    with _lock:
        _random.setstate(rng.getstate())
        yield
        rng.setstate(_random.getstate())
