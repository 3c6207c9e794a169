"""Generated lines: a text, drawn in a font, and varied or photographed by a recipe.

Line k of a stream is a function of (seed, k) alone, so one number says how far a run has come. A
line that cannot be drawn, or whose label needs more time steps than its image gives, is redrawn
and counted. Where texts, fonts, marks and pictures come from: texts.py, fonts.py, marks.py and
photography/recipes.py.
"""

import contextlib
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.command_line import check_ranges
from ocr_simple.drawing.counter import counter_text, draw_counter
from ocr_simple.drawing.fonts import characters_drawn, drawn_by_each
from ocr_simple.drawing.glyphs import TOO_WIDE, check_drawing, draw
from ocr_simple.drawing.lettering import draw_lettering, suits
from ocr_simple.drawing.look_alikes import is_ambiguous
from ocr_simple.drawing.marks import Marks
from ocr_simple.drawing.shaping import check_scripts, needs_shaping
from ocr_simple.drawing.texts import Texts
from ocr_simple.drawing.typography import PRINTED, printed_marks
from ocr_simple.errors import LineError
from ocr_simple.messages import first_ten
from ocr_simple.options import LineOptions
from ocr_simple.photography import geometry
from ocr_simple.photography.effects.shot import happens
from ocr_simple.photography.mixtures import Mix
from ocr_simple.photography.recipes import CLEAN, Lettering, Recipe, RecipeMarks
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet

CHARACTER_COLUMNS = 5  # columns of a model's input that common fonts give each character
# What is raised where nothing is left of a text, or a glyph of its font is damaged or huge
UNDRAWABLE = (ValueError, OSError, ArithmeticError, Image.DecompressionBombError, cv2.error)
ATTEMPTS = 50  # draws of one line, before its options are reported as unusable
REASONS = 5  # most reasons that this report names
TOO_FEW_STEPS = "label too long for its image width"


class Redraw(Exception):
    """A draw that cannot be used: the reason, which is counted, and perhaps an example."""

    def __init__(self, reason: str, example: str = ""):
        super().__init__(reason)
        self.reason, self.example = reason, example


class Lines:
    """A stream of generated lines: `lines[k]` is (pixels, text, font), a function of (seed, k).

    pixels: uint8 (rows, columns, channels), varied if `augment`. text: empty where the recipe
    `blank` leaves nothing to read.
    Raises LineError for options that cannot be drawn, before the first line is.
    """

    def __init__(
        self,
        options: LineOptions,
        spec: ModelSpec,
        fonts: list[str],
        seed: int = 0,
        augment: bool = True,
    ):
        self.options, self.spec, self.seed, self.augment = options, spec, seed, augment
        # computed here: worker processes do not know encoders that are registered elsewhere
        self.stride, self.multiple = spec.stride, spec.multiple
        self.alphabet = Alphabet(spec.alphabet)
        check_ranges(options, LineError)
        check_drawing(options)
        check_scripts(spec.alphabet, options)
        self.shaped = needs_shaping(spec.alphabet)
        self.texts = Texts(options, self.alphabet)
        drawn = drawn_by_each(fonts, self.alphabet.characters)
        self.fonts = [font for font in drawn if drawn[font].strip()]
        if self.shaped:  # a font of digits and punctuation alone would draw hardly any line
            self.fonts = [font for font in drawn if needs_shaping(drawn[font])] or self.fonts
        self.partial = {f: c for f, c in drawn.items() if len(c) < len(self.alphabet.characters)}
        missing = "".join(
            c for c in self.alphabet.characters if not any(c in chars for chars in drawn.values())
        )
        if missing:
            raise LineError(
                f"none of the {len(fonts)} fonts has {missing!r}; add one that does with --fonts, "
                "or leave the characters out of --alphabet"
            )
        self.recipes = Mix(options.recipe if augment else ("clean",), self.fonts)
        self.redrawn: Counter[str] = Counter()  # why lines were redrawn
        self._marks: dict[tuple[str, RecipeMarks], Marks] = {}  # by font and kind
        self._printed: dict[str, str] = {}  # a printer's marks that each font has
        self._spaced: dict[tuple[int, bool], LineOptions] = {}  # by extra spacing, and `fit`
        self._check_strings()

    def __getitem__(self, k: int) -> tuple[np.ndarray, str, str]:
        reasons: Counter[str] = Counter()
        example = ""
        for attempt in range(ATTEMPTS):
            try:
                line = self._attempt(k, attempt)
            except Redraw as redraw:
                reasons[redraw.reason] += 1
                example = redraw.example or example
                continue
            self.redrawn.update(reasons.keys())
            return line
        causes = "; ".join(f"{n} times {reason}" for reason, n in reasons.most_common(REASONS))
        if len(reasons) > REASONS:
            causes += f"; {len(reasons) - REASONS} other reasons"
        last = f"; last: {example}" if example else ""
        raise LineError(
            f"line {k}: no usable drawing in {ATTEMPTS} attempts ({causes}{last}). Change the "
            "option that is named; if labels are too long, give a larger --character-spacing, "
            "--width -1 or shorter texts"
        )

    def pixels_and_texts(self, places: Iterable[int]) -> tuple[list[np.ndarray], list[str]]:
        """The pixels of some lines, and their texts. Raises LineError."""
        drawn = [self[k] for k in places]
        return [pixels for pixels, _, _ in drawn], [text for _, text, _ in drawn]

    def _attempt(self, k: int, attempt: int) -> tuple[np.ndarray, str, str]:
        """One attempt at line k. Raises Redraw."""
        rng = np.random.default_rng((self.seed, k, attempt))
        if self.options.text_source == "recipe":
            recipe, fonts = self.recipes.choose(rng)
            text = self.texts.draw(rng, recipe.texts)
        else:
            text, (recipe, fonts) = self.texts.draw(rng), self.recipes.choose(rng)
        if recipe.wheels:
            text = counter_text(text, self.alphabet.characters, rng)
        # after a failure any font: the next ones may lack the same characters
        font = fonts[int(rng.integers(len(fonts))) if attempt else k % len(fonts)]
        if font in self.partial and set(text) - set(self.partial[font]):
            raise Redraw("the font lacks a character")
        shown = text
        # between letters that join, a mark would change them
        if happens(recipe.marks.share, rng) and not self.shaped:
            shown = self._with_marks(text, font, recipe, rng)
        if happens(recipe.typeset, rng) and not self.shaped:
            shown = self._typeset(shown, font, rng)
        extra, photo = 0, CLEAN  # pixels between characters; the recipe of the photograph
        if self.augment:
            photo = geometry.photo_recipe(recipe, self.options, rng)
            if self.options.spacing:
                extra = round(self.options.spacing * (rng.exponential() ** 1.5 - 0.5))
            if happens(photo.warp.overlap, rng):
                extra = -round(self.options.size * rng.uniform(0.02, 0.09))
        options = self._with_spacing(extra, photo.crop.fit and self.options.width == -1)
        seed = int(rng.integers(1 << 31))
        if photo.wheels and not set(text) - set(string.digits):
            pixels = self._draw_counter(text, font, rng)
        elif photo.lettering and not self.shaped and self._may_be_lettered:
            pixels = self._draw_lettering(shown, font, photo.lettering, rng)
        else:
            pixels = self._draw(shown, font, options, seed)
        if self.options.space_width == 0:
            text = text.replace(" ", "")
        if happens(recipe.ink.unlit_segments, rng):
            pixels = self._with_unlit_segments(pixels, shown, font, options, seed, rng)
        if photo.blank:
            text, pixels = "", without_line(pixels, rng)
        try:
            if self.augment:
                pixels = geometry.vary(pixels, self.options, rng, photo)
        except geometry.TooWide as error:
            raise Redraw(f"the line is {TOO_WIDE}") from error
        rows, columns = pixels.shape[:2]
        if columns > imaging.MAX_ASPECT * rows:  # no image like it is read
            raise Redraw(f"the line is {TOO_WIDE}")
        if preprocessing.why_too_wide((columns, rows), self.spec.height):
            raise Redraw(f"over {preprocessing.MAX_COLUMNS:,} columns at the model's height")
        columns = preprocessing.scaled_width(columns, rows, self.spec.height)
        if self.spec.steps_needed(text) > time_steps(columns, self.stride):
            raise Redraw(TOO_FEW_STEPS, f"{text!r} in {columns} columns")
        return pixels, text, font

    @property
    def _may_be_lettered(self) -> bool:
        """Whether no option asks for what lettering does not do."""
        return self.options.width == -1 and self.options.space_width > 0

    def _draw(self, shown: str, font: str, options: LineOptions, seed: int) -> np.ndarray:
        """The picture of a text, uint8 (rows, columns, channels). Raises Redraw."""
        try:
            drawn = draw(shown, font, options, seed)
        except UNDRAWABLE as error:
            raise Redraw(f"{Path(font).name} cannot be drawn ({error})") from error
        if drawn is None:
            raise Redraw("--text-color too close to the background")
        if self.options.width > 0 and self._is_cut_off(shown, font, options):
            raise Redraw(f"text wider than --width {self.options.width}")
        return self._to_pixels(drawn)

    def _draw_counter(self, text: str, font: str, rng: np.random.Generator) -> np.ndarray:
        """Digits on the wheels of a counter, uint8 (rows, columns, channels). Raises Redraw."""
        try:
            drawn = draw_counter(text, font, self.options.size, rng)
        except UNDRAWABLE as error:
            raise Redraw(f"{Path(font).name} cannot be drawn ({error})") from error
        return np.repeat(drawn[..., None], self.spec.channels, axis=2)

    def _draw_lettering(
        self, text: str, font: str, how: Lettering, rng: np.random.Generator
    ) -> np.ndarray:
        """Letters placed one by one, uint8 (rows, columns, channels). Raises Redraw."""
        if is_ambiguous(text, font):
            raise Redraw("the font draws two characters alike", f"{text!r} in {Path(font).name}")
        try:
            if not suits(text, font):
                raise Redraw("a script font has no words in capitals")
            drawn = draw_lettering(text, font, self.options.size, how, rng)
        except UNDRAWABLE as error:
            raise Redraw(f"{Path(font).name} cannot be drawn ({error})") from error
        return np.repeat(drawn[..., None], self.spec.channels, axis=2)

    def _with_spacing(self, extra: int, fit: bool) -> LineOptions:
        """The options with `extra` pixels more between characters, and without margins if `fit`."""
        if (extra, fit) not in self._spaced:
            changes: dict[str, Any] = {"character_spacing": self.options.character_spacing + extra}
            if fit:
                changes |= {"fit": True, "margins": (0, 0, 0, 0)}
            self._spaced[extra, fit] = replace(self.options, **changes)
        return self._spaced[extra, fit]

    def _with_marks(self, text: str, font: str, recipe: Recipe, rng: np.random.Generator) -> str:
        """The text with marks that its label lacks: points, signs, units."""
        key = font, recipe.marks
        if key not in self._marks:
            self._marks[key] = Marks.of(font, self.alphabet.characters, recipe.marks)
        return self._marks[key].add_to(text, rng)

    def _typeset(self, text: str, font: str, rng: np.random.Generator) -> str:
        """The text with a printer's quotation marks and dashes, which its label lacks."""
        if set(text).isdisjoint("\"'-"):
            return text
        if font not in self._printed:
            wanted = "".join(mark for mark in PRINTED if mark not in self.alphabet.characters)
            self._printed[font] = characters_drawn(font, wanted) if wanted else ""
        return printed_marks(text, self._printed[font], rng)

    def _with_unlit_segments(
        self,
        pixels: np.ndarray,
        shown: str,
        font: str,
        options: LineOptions,
        seed: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """An 8 behind every digit, mostly pale: the segments of a display that are off."""
        eights = None
        with contextlib.suppress(*UNDRAWABLE):
            lit = "".join("8" if c in string.digits else c for c in shown)
            eights = draw(lit, font, options, seed)
        if eights is None or eights.size != pixels.shape[1::-1]:
            return pixels
        segments = pixels - np.minimum(pixels, self._to_pixels(eights))
        # in bright light, those of light-emitting diodes are nearly as light as lit ones
        level = rng.uniform(0.35, 0.6) if rng.random() < 0.2 else rng.uniform(0.03, 0.35)
        return (pixels - level * segments).astype(np.uint8)

    def _to_pixels(self, drawn: Image.Image) -> np.ndarray:
        """A drawing as uint8 (rows, columns, channels)."""
        mode = "L" if self.spec.channels == 1 else "RGB"
        pixels = np.asarray(drawn if drawn.mode == mode else drawn.convert(mode))
        return pixels.reshape(*pixels.shape[:2], self.spec.channels)

    def _check_strings(self) -> None:
        """Raise LineError that lists your own strings that no font gives enough time steps."""
        faults = []
        for place, text in zip(self.texts.places, self.texts.pool):
            columns = self.spec.steps_needed(text) * self.stride
            if columns > CHARACTER_COLUMNS * len(text) and self._widest(text) < columns:
                faults.append(f"{place}: {text!r} needs {columns} columns")
        if faults:
            raise LineError(
                f"{len(faults)} of {len(self.texts.pool)} strings need more time steps than their "
                "images give in any font; give a larger --character-spacing, --architecture fine, "
                "wider --fonts, or leave them out:" + first_ten(faults)
            )

    def _widest(self, text: str) -> int:
        """Columns of a text at the model's height, in the font that draws it widest."""
        options = replace(self.options, background_type=1, text_color="#000000")
        columns = 0
        for font in self.fonts:
            if not set(text) - set(self.partial.get(font, text)):
                with contextlib.suppress(*UNDRAWABLE):
                    if drawn := draw(text, font, options, 0):
                        width, height = drawn.width, drawn.height
                        scaled = preprocessing.scaled_width(width, height, self.spec.height)
                        columns = max(columns, scaled)
        return columns

    def _is_cut_off(self, text: str, font: str, options: LineOptions) -> bool:
        """Whether trdg cut the text off at the fixed width."""
        free = replace(options, width=-1, background_type=1, text_color="#000000")
        whole = draw(text, font, free, 0)
        return whole is None or whole.width > options.width


def without_line(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The paper around a line: bare, or with the feet of a line above or the heads of one below."""
    bare = np.full_like(pixels, 255)
    ink = np.flatnonzero(pixels.min(axis=(1, 2)) < 128)
    if len(ink) and rng.random() < 0.5:
        seen = int(rng.integers(1, 2 + len(ink) // 6))  # rows of that line
        if rng.random() < 0.5:
            bare[:seen] = pixels[ink[-1] + 1 - seen : ink[-1] + 1]
        else:
            bare[-seen:] = pixels[ink[0] : ink[0] + seen]
    return bare
