"""Counters: digits on wheels that stand side by side behind a window, as in meters and odometers.

Each wheel is turned by itself. Most rest, the last one often stands between two digits, and a wheel
that passes from 9 to 0 turns its left neighbour with it. The label of a wheel is the digit of which
more shows. The wheel curves away above and below, where parts of the neighbouring digits show; the
last wheels may have other colours; there are gaps, teeth, a window and what is printed beside it.
"""

import functools
import string
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ImageFont

OVERSAMPLING = 2  # drawn larger by this, then scaled down
FONT_SIZE = 72  # of the glyphs that are kept; about the size at which they are drawn
HALF = 0.49  # of a pitch: further turned, another digit would show more
SEEN = 0.4  # of a digit's width: at most so much is seen of a wheel that the picture's edge cuts
HIDDEN = 0.25  # of a digit's width: at most so much is hidden by the side of its wheel


@functools.lru_cache(maxsize=1024)
def _face(font: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, FONT_SIZE)


@functools.lru_cache(maxsize=8192)
def _glyph(font: str, digit: str) -> np.ndarray:
    """A digit's ink, cropped: (rows, columns) float32, 0 to 1."""
    mask, _ = _face(font).getmask2(digit, "L", anchor="la")
    ink = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[::-1])
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ValueError(f"no ink in {digit!r}")
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255


@dataclass(frozen=True)
class _Counter:
    """The measures of one counter, in pixels; levels of ink are 0 to 1."""

    rows: int  # of the window
    columns: int  # of a wheel
    height: float  # of a digit
    pitch: float  # from one digit of a wheel to the next
    radius: float  # of a wheel
    direction: int  # 1: the next higher digit comes from below, -1: from above
    shade: float  # how much darker the wheel is at its edges
    gap: int  # columns between wheels
    gap_ink: float
    teeth: int  # columns of a toothed rim beside each wheel
    rim: float  # ink of a line at the left of each wheel


def _measures(rows: int, rng: np.random.Generator) -> _Counter:
    height = rows * rng.uniform(0.5, 0.85)
    columns = round(height * rng.uniform(0.7, 1.35))
    return _Counter(
        rows=rows,
        columns=columns,
        height=height,
        pitch=height * rng.uniform(1.1, 1.6),
        radius=rows * rng.uniform(0.62, 2.5),
        direction=1 if rng.random() < 0.8 else -1,
        shade=rng.uniform(0, 0.5),
        gap=round(rows * rng.uniform(0, 0.12)) if rng.random() < 0.8 else 0,
        gap_ink=rng.uniform(0, 1),
        teeth=max(2, round(columns * rng.uniform(0.06, 0.16))) if rng.random() < 0.25 else 0,
        rim=rng.uniform(0.2, 0.8) if rng.random() < 0.3 else 0.0,
    )


def turns(text: str, rng: np.random.Generator) -> np.ndarray:
    """How far each wheel has turned past its digit: (wheels,), in pitches, under half of one."""
    turned = rng.normal(0, rng.choice([0.02, 0.06]), len(text))
    if rng.random() < 0.75:
        turned[-1] = rng.uniform(-0.5, 0.5)
    for i in range(len(text) - 1, 0, -1):  # carries
        passes = (text[i], turned[i] > 0) in (("9", True), ("0", False))
        if not passes or abs(turned[i]) < 0.15 or rng.random() < 0.2:
            break
        turned[i - 1] = turned[i] + rng.normal(0, 0.05)
    return np.clip(turned + rng.normal(0, 0.03), -HALF, HALF)


def positions(text: str, rng: np.random.Generator) -> np.ndarray:
    """How far each wheel has turned, as `turns` says.

    In one counter of eight every wheel stands anywhere. No real counter does that, but it shows a
    model many half digits.
    """
    return rng.uniform(-HALF, HALF, len(text)) if rng.random() < 0.12 else turns(text, rng)


def _wheel(
    counter: _Counter, columns: int, font: str, digit: int, turned: float, aside: float
) -> np.ndarray:
    """The ink of one wheel: (rows, columns), 0 to 1.

    aside: how far right of its middle the digits stand, in widths of a wheel, whose sides cut them.
    """
    rows = counter.rows
    strip = np.zeros((3 * rows, columns), np.float32)  # the wheel unrolled
    scale = counter.height / _glyph(font, "0").shape[0]
    for k in (-1, 0, 1):
        glyph = _glyph(font, str((digit + k * counter.direction) % 10))
        width = max(1, min(columns, round(glyph.shape[1] * scale)))
        height = max(1, round(glyph.shape[0] * scale))
        glyph = cv2.resize(glyph, (width, height), interpolation=cv2.INTER_AREA)
        top = round(1.5 * rows + (k - turned) * counter.pitch - height / 2)
        start, end = max(0, top), min(len(strip), top + height)
        room = (columns - width) / 2 + HIDDEN * width
        left = round((columns - width) / 2 + max(-room, min(aside * columns, room)))
        first, last = max(0, left), min(columns, left + width)
        if end > start and last > first:
            part = strip[start:end, first:last]
            np.maximum(part, glyph[start - top : end - top, first - left : last - left], out=part)
    # the row of the unrolled wheel that each row of the window shows
    away = (np.arange(rows, dtype=np.float32) + 0.5 - rows / 2) / counter.radius
    source = np.arcsin(np.clip(away, -0.98, 0.98)) * counter.radius + 1.5 * rows - 0.5
    share, above = np.modf(source)
    share, above = share[:, None], above.astype(int)
    return (1 - share) * strip[above] + share * strip[above + 1]


def _cut_wheels(
    wheel: np.ndarray, counter: _Counter, font: str, rng: np.random.Generator
) -> np.ndarray:
    """A single wheel between the next ones of its counter, of which the picture shows a part."""
    parts, sides = [wheel], rng.choice(["left", "right", "both"])
    scale = counter.height / _glyph(font, "0").shape[0]
    gap = np.full((counter.rows, counter.gap), counter.gap_ink, np.float32)
    for side in ("left", "right"):
        if sides not in (side, "both"):
            continue
        digit = int(rng.integers(10))
        width = min(counter.columns, round(_glyph(font, str(digit)).shape[1] * scale))
        ink = _wheel(counter, counter.columns, font, digit, rng.normal(0, 0.06), 0)
        seen = max(1, int((counter.columns - width) / 2 + rng.uniform(0, SEEN) * width))
        parts = [ink[:, -seen:], gap, *parts] if side == "left" else [*parts, gap, ink[:, :seen]]
    return np.hstack(parts)


def _beside(counter: _Counter, turned: float, last: bool) -> list[np.ndarray]:
    """What stands right of a wheel: its toothed rim, and the gap to the next one."""
    parts = []
    if counter.teeth:
        row = np.arange(counter.rows) - counter.rows / 2
        tooth = (row / (counter.pitch / 2) - turned) % 1 < 0.5
        ink = np.where(tooth, counter.gap_ink, 1 - counter.gap_ink).astype(np.float32)
        parts.append(np.tile(ink[:, None], (1, counter.teeth)))
    if counter.gap and not last:
        parts.append(np.full((counter.rows, counter.gap), counter.gap_ink, np.float32))
    return parts


def _plate(counter: _Counter, font: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    """What is printed beside the window: a small digit, which is no part of the number."""
    level = rng.uniform(0, 1)
    plate = np.full((rows, round(rows * rng.uniform(0.15, 0.7))), level, np.float32)
    glyph = _glyph(font, str(rng.integers(10)))
    height = max(1, round(counter.height * rng.uniform(0.2, 0.42)))
    width = min(max(1, round(glyph.shape[1] * height / glyph.shape[0])), plate.shape[1])
    glyph = cv2.resize(glyph, (width, height), interpolation=cv2.INTER_AREA)
    top = int(rng.integers(-height // 2, rows - height // 2))  # the crop may cut it
    left = int(rng.integers(0, plate.shape[1] - width // 2))
    shown = plate[max(0, top) : top + height, left : left + width]
    glyph = glyph[max(0, -top) :][: len(shown), : shown.shape[1]]
    shown += (float(level < 0.5) - shown) * glyph
    return plate


def _window(wheels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The wheels in a window with round corners, and its surroundings: more at the sides."""
    rows, columns = wheels.shape
    above, below = (round(rows * rng.uniform(0, 0.25)) for _ in range(2))
    left, right = (round(rows * rng.uniform(0, 0.6)) for _ in range(2))
    opening = np.zeros((rows, columns), np.float32)
    radius = max(1, round(rows * rng.uniform(0.02, 0.3)))
    cv2.rectangle(opening, (radius, 0), (columns - 1 - radius, rows - 1), 1, cv2.FILLED)
    cv2.rectangle(opening, (0, radius), (columns - 1, rows - 1 - radius), 1, cv2.FILLED)
    for x in (radius, columns - 1 - radius):
        for y in (radius, rows - 1 - radius):
            cv2.circle(opening, (x, y), radius, 1, cv2.FILLED)
    sides = (above, below, left, right)
    opening = cv2.copyMakeBorder(opening, *sides, cv2.BORDER_CONSTANT, value=0)
    wheels = cv2.copyMakeBorder(wheels, *sides, cv2.BORDER_CONSTANT, value=0)
    level = rng.uniform(0, 1)
    drawn = wheels * opening + level * (1 - opening)
    if rng.random() < 0.4:  # the edge of the window catches the light, or lies in shadow
        x = left if rng.random() < 0.6 else left + columns - 1
        start, end = sorted(rng.uniform(0, len(drawn), 2).astype(int))
        thickness = max(1, round(rows * rng.uniform(0.02, 0.08)))
        cv2.line(drawn, (x, int(start)), (x, int(end)), float(level < 0.5), thickness)
    return drawn


def counter_text(text: str, characters: str, rng: np.random.Generator) -> str:
    """What a counter shows of a text: its digits, often with zeros in front.

    characters: those that the model reads. A text without digits is left as it is.
    """
    digits = "".join(filter(_is_digit, text))
    if "0" in characters and rng.random() < 0.35:
        zeros = int(rng.integers(0, max(1, len(digits) - 1)))
        digits = "0" * zeros + digits[zeros:]
    return digits or text


def _is_digit(character: str) -> bool:
    return character in string.digits


def draw_counter(text: str, font: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Digits on wheels, dark on light: uint8 (rows, columns).

    Raises ValueError where the text is not of digits alone, or the font has no ink for one.
    """
    if not text or not all(map(_is_digit, text)):
        raise ValueError(f"{text!r} is not of digits alone")
    counter = _measures(OVERSAMPLING * rows, rng)
    turned = positions(text, rng)
    # the last wheels may be of other colours: fractions of a unit, in red or inverse
    special = min(len(text) - 1, int(rng.choice([1, 1, 1, 2, 3]))) if rng.random() < 0.75 else 0
    inverse, ink_level = rng.random() < 0.75, rng.uniform(0.4, 1)
    aside = rng.normal(0, 0.04)  # of the digits of all wheels
    # the window may hide a part of the last wheel, whose digits may stand elsewhere
    last_columns = round(counter.columns * (rng.uniform(0.7, 1) if rng.random() < 0.4 else 1))
    last_aside = rng.uniform(-0.25, 0.4) if rng.random() < 0.5 else aside
    edge = np.linspace(-1, 1, counter.rows, dtype=np.float32)[:, None] ** 2
    parts = []
    for i, digit in enumerate(text):
        last = i == len(text) - 1
        columns, shift = (last_columns, last_aside) if last else (counter.columns, aside)
        ink = _wheel(counter, columns, font, int(digit), turned[i], shift)
        if i >= len(text) - special:
            ink = ink_level * (1 - ink) if inverse else ink_level * ink
        ink = ink + counter.shade * edge * (0.6 - ink)
        ink[:, : 2 * OVERSAMPLING] = np.maximum(ink[:, : 2 * OVERSAMPLING], counter.rim)
        parts += [ink, *_beside(counter, turned[i], last)]
    drawn = np.concatenate(parts, axis=1)
    if len(text) == 1 and rng.random() < 0.6:
        drawn = _cut_wheels(drawn, counter, font, rng)
    elif rng.random() < 0.55:
        drawn = _window(drawn, rng)
    elif cut := round(counter.rows * rng.uniform(0, 0.1)):  # above and below
        drawn = drawn[cut:-cut]
    if rng.random() < 0.25:  # if frequent, a model learns to skip a last digit
        plate = _plate(counter, font, len(drawn), rng)
        drawn = np.hstack((drawn, plate) if rng.random() < 0.6 else (plate, drawn))
    columns = max(4, round(drawn.shape[1] * rows / drawn.shape[0]))
    drawn = cv2.resize(drawn, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.rint(255 * (1 - np.clip(drawn, 0, 1))).astype(np.uint8)
