"""Lines whose letters are placed one by one: kerned, uneven, bent, turned, in perspective, typed.

trdg sets letters side by side on a straight line. Signs do not: their letters differ in size, stand
higher or lower, lean, are spread out or follow an arc. Nor do typewriters, which strike letters
unevenly, nor justified print, whose spaces are wide. A recipe with a `Lettering` is drawn here.
"""

import functools
import math
import re

import cv2
import numpy as np
from PIL import ImageFont

from ocr_simple.photography.effects.shot import happens
from ocr_simple.photography.recipes import Lettering

FONT_SIZE = 48  # of the glyphs that are kept: lines of 32 rows are scaled down from it
PAD = 24  # rows and columns around a line, for what is turned or moved
MARGIN = 2  # pixels around a line, by which geometry.py tells what is paper
BLOT = 6  # rows and columns that ink may run over the edges of a letter
RISE = 1.2  # heights of a line by which one of its ends may be higher than the other
LEAST = 0.4  # of FONT_SIZE: a dash is not enlarged to the height of a letter
JOINED = "nuhmai"  # letters that touch their neighbours in a script
CAPITALS = re.compile("[A-Z]{2}")
ENDS = frozenset(".?!:")  # of sentences, after which typists leave two spaces


class _Face:
    """A font's glyphs, each drawn once, and the space between pairs of them."""

    def __init__(self, font: str):
        self.face = ImageFont.truetype(font, FONT_SIZE)
        self.glyphs: dict[str, tuple[np.ndarray, int, int]] = {}  # ink, left, top
        self.advances: dict[str, float] = {}  # of a character, and of a pair
        # a script, whose letters touch; its capitals are not made to stand side by side
        self.joined = sum(self._gap(character) < 0.5 for character in JOINED) > 4
        self.fixed_pitch = abs(self.advance("i") - self.advance("m")) < 0.5

    def glyph(self, character: str) -> tuple[np.ndarray, int, int]:
        """The ink (rows, columns) uint8, and where it starts: columns, rows from the ascent."""
        if character not in self.glyphs:
            mask, (left, top) = self.face.getmask2(character, "L", anchor="la")
            ink = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[::-1])
            self.glyphs[character] = ink, int(left), int(top)
        return self.glyphs[character]

    def _gap(self, character: str) -> float:
        """Columns without ink before and after a character."""
        ink, _, _ = self.glyph(character)
        columns = np.flatnonzero(ink.max(axis=0, initial=0) > 128)
        return self.advance(character) - (columns[-1] + 1 - columns[0] if len(columns) else 0)

    def advance(self, text: str) -> float:
        """Columns from the start of a character, or of a pair, to what follows."""
        if text not in self.advances:
            self.advances[text] = self.face.getlength(text)
        return self.advances[text]

    def kerned(self, character: str, following: str) -> float:
        """Columns from the start of a character to the next one."""
        if self.fixed_pitch or not following:
            return self.advance(character)
        return self.advance(character + following) - self.advance(following)


_face = functools.lru_cache(maxsize=2048)(_Face)


# --- placing letters ----------------------------------------------------------------------------


def _starts(text: str, face: _Face, how: Lettering, rng: np.random.Generator) -> list[int]:
    """The column at which each character starts, and that at which the line ends."""
    space = rng.uniform(*how.spaces)
    extra, uneven = rng.normal(0, 0.015), 0.0
    if face.joined:
        extra = 0.0
    elif happens(how.spread, rng):
        extra = rng.uniform(0.05, 0.6)
    elif happens(how.uneven, rng):
        uneven = rng.uniform(0, 0.08)
    two_spaces = happens(how.two_spaces, rng)
    starts, x = [], 0.0
    for i, character in enumerate(text):
        starts.append(round(x))
        step = face.kerned(character, text[i + 1 : i + 2]) + extra * FONT_SIZE
        if character == " ":
            step *= space * (1 + (two_spaces and text[i - 1] in ENDS))
        if uneven:
            step += rng.normal(0, uneven) * FONT_SIZE
        x += max(2.0, step)
    return [*starts, round(x)]


def _changes(count: int, how: Lettering, rng: np.random.Generator) -> np.ndarray | None:
    """Of each letter: scale, columns and rows it is moved, degrees, slant; None without any."""
    if not happens(how.uneven, rng):
        return None
    strength = rng.uniform(0.2, 1)
    spread = np.array([0.1, 0.02 * FONT_SIZE, 0.06 * FONT_SIZE, 5.0, 0.1]) * strength
    spread *= rng.random(5) < 0.6  # some kinds of change, on all letters
    return rng.standard_normal((count, 5)) * spread + np.array([1, 0, 0, 0, 0])


def _changed(ink: np.ndarray, change: np.ndarray) -> np.ndarray:
    """A glyph scaled, moved, turned and slanted about its foot: with PAD around it."""
    scale, right, down, degrees, slant = change.tolist()
    rows, columns = ink.shape
    angle = math.radians(degrees)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    across, foot = columns / 2, float(rows)
    matrix = np.array([[cosine, sine - slant * cosine], [-sine, cosine + slant * sine]], np.float32)
    moved = np.array([across + PAD + right, foot + PAD + down]) - matrix @ [across, foot]
    matrix = np.column_stack((matrix, moved)).astype(np.float32)
    return cv2.warpAffine(ink, matrix, (columns + 2 * PAD, rows + 2 * PAD))


def _blotted(ink: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A letter whose ink has run into its narrow parts: with BLOT rows and columns around it.

    reach: of the ink that runs, in rows.
    """
    around = cv2.copyMakeBorder(ink, *(BLOT,) * 4, cv2.BORDER_CONSTANT, value=0)
    soft = cv2.GaussianBlur(around, (0, 0), reach * rng.uniform(0.6, 1.4)).astype(np.float32) / 255
    grown = (soft - rng.uniform(0.25, 0.5)) / rng.uniform(0.2, 0.6) + 0.5
    return (255 * np.clip(grown, 0, 1)).astype(np.uint8)


def _struck(ink: np.ndarray, worn: float, rng: np.random.Generator) -> np.ndarray:
    """A letter as a typewriter strikes it: paler, and harder on one of its sides."""
    rows, columns = ink.shape
    level = 1 - worn * rng.random()
    across, down = rng.normal(0, 0.4 * worn, 2).tolist()
    slope = level + across * np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    slope = slope + down * np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    return (ink * np.clip(slope, 0.15, 1)).astype(np.uint8)


def _compose(text: str, face: _Face, how: Lettering, rng: np.random.Generator) -> np.ndarray:
    """The ink of a line, (rows, columns) uint8, with PAD around it."""
    starts = _starts(text, face, how, rng)
    rows = int(1.5 * FONT_SIZE) + 2 * PAD
    canvas = np.zeros((rows, max(1, starts[-1]) + FONT_SIZE + 2 * PAD), np.uint8)
    typed = face.fixed_pitch and happens(how.typed, rng)
    worn = rng.uniform(0.1, 0.6) if typed else 0.0
    offset = rng.uniform(0, 0.05) * FONT_SIZE if typed else 0.0
    blot = rng.uniform(0.015, 0.06) * FONT_SIZE if typed and happens(how.blotted, rng) else 0.0
    changes = None if face.joined else _changes(len(text), how, rng)
    initial = 0.0
    if text.isupper() and len(text) > 2 and happens(how.initials, rng):
        initial = rng.uniform(0.15, 0.35)  # capitals, with larger ones at the starts of words
        changes = np.tile([1.0, 0, 0, 0, 0], (len(text), 1)) if changes is None else changes
    for i, character in enumerate(text):
        ink, left, top = face.glyph(character)
        if not ink.size:
            continue
        x, y = starts[i] + left + PAD, top + PAD
        if blot:
            ink, x, y = _blotted(ink, blot, rng), x - BLOT, y - BLOT
        if typed:
            ink, y = _struck(ink, worn, rng), y + round(rng.normal(0, offset))
        if changes is not None:
            change = changes[i]
            if initial and (i and text[i - 1] != " "):
                change = change * [1 - initial, 1, 1, 1, 1]
            ink, x, y = _changed(ink, change), x - PAD, y - PAD
        _paste(canvas, ink, x, y)
    return canvas


def _paste(canvas: np.ndarray, ink: np.ndarray, x: int, y: int) -> None:
    """Add the ink of a letter whose corner is at (x, y); what lies outside is left out."""
    x0, y0 = max(0, x), max(0, y)
    part = canvas[y0 : y + ink.shape[0], x0 : x + ink.shape[1]]
    np.maximum(part, ink[y0 - y :, x0 - x :][: part.shape[0], : part.shape[1]], out=part)


# --- bending lines ------------------------------------------------------------------------------


def _cropped(ink: np.ndarray) -> np.ndarray:
    """The part with ink. Raises ValueError if there is none."""
    rows = np.flatnonzero(cv2.reduce(ink, 1, cv2.REDUCE_MAX)[:, 0] > 60)
    columns = np.flatnonzero(cv2.reduce(ink, 0, cv2.REDUCE_MAX)[0] > 60)
    if not len(rows):
        raise ValueError("no ink")
    missing = max(0, int(LEAST * FONT_SIZE) - (int(rows[-1]) + 1 - int(rows[0])))
    top = max(0, int(rows[0]) - missing // 2)
    return ink[top : rows[-1] + 1 + missing // 2, columns[0] : columns[-1] + 1]


def _on_an_arc(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line whose letters stand on the outside or the inside of a circle."""
    rows, columns = ink.shape
    # the ends rise by at most 0.8 of the height, so that the letters stay large
    most = min(math.radians(100), 6.4 * rows / columns)
    angle = most * rng.uniform(0.3, 1)  # from end to end
    radius = columns / angle
    rise = radius * (1 - math.cos(angle / 2))
    half = (radius + rows) * math.sin(min(angle, math.pi) / 2)
    x = np.arange(-math.ceil(half), math.ceil(half) + 1, dtype=np.float32)[None, :]
    y = np.arange(math.ceil(rows + rise) + 2, dtype=np.float32)[:, None]
    to_centre = radius + rows - y
    source_x = np.arctan2(x, to_centre) * radius + columns / 2
    source_y = radius + rows - np.sqrt(x * x + to_centre * to_centre)
    down = rng.random() < 0.25  # along the lower half of a circle
    ink = ink[::-1] if down else ink
    bent = cv2.remap(ink, source_x, source_y, cv2.INTER_LINEAR, borderValue=0)
    return bent[::-1] if down else bent


def _in_perspective(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line on a wall that is seen from the side: one end is smaller, and lines converge."""
    rows, columns = ink.shape
    smaller = rng.uniform(0.5, 0.9)
    top = rng.uniform(0, 1 - smaller) * rows
    heights = np.array([[0, rows], [top, top + smaller * rows]])
    if rng.random() < 0.5:
        heights = heights[::-1]
    (left_top, left_foot), (right_top, right_foot) = heights
    width = columns * rng.uniform(0.6, 1)
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    seen = np.array(
        [[0, left_top], [width, right_top], [width, right_foot], [0, left_foot]], np.float32
    )
    return cv2.warpPerspective(
        ink, cv2.getPerspectiveTransform(corners, seen), (math.ceil(width), rows)
    )


def _turned(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line that runs uphill or downhill, as across a poster, or beside the top of a circle."""
    rows, columns = ink.shape
    # one end rises by at most RISE of the height, so that the letters stay large
    most = min(math.radians(40), math.asin(min(1.0, RISE * rows / columns)))
    angle = rng.uniform(0.25, 1) * most * rng.choice([-1, 1])
    cosine, sine = math.cos(angle), math.sin(angle)
    wide = math.ceil(columns * cosine + rows * abs(sine))
    high = math.ceil(columns * abs(sine) + rows * cosine)
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    moved = np.array([wide, high]) / 2 - matrix @ np.array([columns, rows]) / 2
    return cv2.warpAffine(ink, np.column_stack((matrix, moved)), (wide, high))


def suits(text: str, font: str) -> bool:
    """Whether a text may be set in a font: not a word in capitals in a script."""
    return not (_face(font).joined and CAPITALS.search(text))


def draw_lettering(
    text: str, font: str, rows: int, how: Lettering, rng: np.random.Generator
) -> np.ndarray:
    """A line nearly as high as its ink, dark on light: uint8 (rows, columns). Raises ValueError."""
    ink = _cropped(_compose(text, _face(font), how, rng))
    long = ink.shape[1] / ink.shape[0]
    arc = 1.8 < long < 12 and happens(how.arc, rng)
    if arc:
        ink = _cropped(_on_an_arc(ink, rng))
    if long < 12 and happens(how.turned * (4 if arc else 1), rng):
        ink = _cropped(_turned(ink, rng))
    if long < 12 and happens(how.perspective, rng):
        ink = _cropped(_in_perspective(ink, rng))
    high = rows - 2 * MARGIN
    wide = max(2, round(ink.shape[1] * high / ink.shape[0]))
    way = cv2.INTER_AREA if high < ink.shape[0] else cv2.INTER_LINEAR
    ink = cv2.resize(ink, (wide, high), interpolation=way)
    return 255 - cv2.copyMakeBorder(ink, *(MARGIN,) * 4, cv2.BORDER_CONSTANT, value=0)
