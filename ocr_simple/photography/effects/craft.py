"""How the letters of a sign are made: raised, of neon, of lamps, painted, in chalk, engraved.

STYLES lists the ways; a recipe's `tone.craft` is the share of lines that are made in one of them.
"""

import math

import cv2
import numpy as np

from ocr_simple.photography.effects import ink as inks
from ocr_simple.photography.effects import tone
from ocr_simple.photography.effects.shot import Effect, Shot, softened


def _shifted(ink: np.ndarray, right: float, down: float) -> np.ndarray:
    """Ink moved by parts of pixels."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(ink, move, ink.shape[1::-1]).reshape(ink.shape)


def _direction(rng: np.random.Generator) -> tuple[float, float]:
    """Right and down: mostly to a corner below."""
    angle = rng.choice([0.25, 0.75]) * math.pi + rng.normal(0, 0.3)
    if rng.random() < 0.15:
        angle += math.pi
    return math.cos(angle), math.sin(angle)


def extruded(shot: Shot, rng: np.random.Generator) -> None:
    """Solid letters: their sides show, in another tone."""
    right, down = _direction(rng)
    depth = len(shot.inked_rows) * rng.uniform(0.06, 0.25)
    side, step = shot.ink, 1.0
    while step < 2 * depth:  # twice as deep each time
        reach = min(step, depth)
        side = np.maximum(side, _shifted(side, reach * right, reach * down))
        step *= 2
    level = shot.paper + shot.contrast * rng.uniform(-0.4, 0.7)
    shot.image = shot.image + (level - shot.image) * np.clip(side - shot.ink, 0, 1)


def shadowed(shot: Shot, rng: np.random.Generator) -> None:
    """A hard shadow of the letters, beside them."""
    right, down = _direction(rng)
    reach = len(shot.inked_rows) * rng.uniform(0.06, 0.2)
    shadow = _shifted(shot.ink, reach * right, reach * down) * (1 - shot.ink)
    level = shot.paper + shot.contrast * rng.uniform(-0.5, 0.6)
    shot.image = shot.image + (level - shot.image) * shadow


def _rim(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rim around letters, 0 to 1, of a width between pixels."""
    sigma = rng.uniform(0.6, 1.6)
    grown = np.clip(softened(ink, sigma) * rng.uniform(3, 8), 0, 1)
    return np.clip(grown - ink, 0, 1)


def outlined(shot: Shot, rng: np.random.Generator) -> None:
    """Nothing but the outlines of the letters, or letters with a rim that stands out more."""
    rim = _rim(shot.ink, rng)
    face = rng.choice([0.0, rng.uniform(0, 0.6)])
    shot.image = shot.paper + shot.contrast * np.maximum(rim, face * shot.ink)


def neon(shot: Shot, rng: np.random.Generator) -> None:
    """Tubes of light along the letters or around them, on a dark wall."""
    letters = shot.ink
    if rng.random() < 0.4:
        shot.ink = _rim(letters, rng)
    elif rng.random() < 0.5:
        thin = cv2.erode(letters, np.ones((2, 2), np.uint8)).reshape(letters.shape)
        shot.ink = np.maximum(thin, 0.6 * letters)
    tone.glow(shot, rng)
    shot.ink = letters


def of_lamps(shot: Shot, rng: np.random.Generator) -> None:
    """Letters set with lamps, whose faces show more or less."""
    letters = shot.ink
    inks.dot_matrix(shot, rng)
    shot.ink = np.maximum(shot.ink, rng.uniform(0, 0.5) * letters)
    if rng.random() < 0.6:
        tone.glow(shot, rng)
    else:
        shot.image = shot.paper + shot.contrast * shot.ink
    shot.ink = letters


def _noise(
    rows: int, columns: int, size: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Smooth noise (rows, columns) of about unit spread, with spots of `size`, down and across."""
    cells = max(2, round(rows / size[0])), max(2, round(columns / size[1]))
    coarse = rng.standard_normal(cells, np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)


def painted(shot: Shot, rng: np.random.Generator) -> None:
    """Strokes of a brush: uneven edges, and streaks where the paint is thin."""
    rows, columns, _ = shot.ink.shape
    reach = rng.uniform(0.3, 1.1) * rows / 32
    x = np.arange(columns, dtype=np.float32)[None, :] + reach * _noise(rows, columns, (4, 4), rng)
    y = np.arange(rows, dtype=np.float32)[:, None] + reach * _noise(rows, columns, (4, 4), rng)
    letters = cv2.remap(shot.ink, x, y, cv2.INTER_LINEAR).reshape(shot.ink.shape)
    streaks = _noise(rows, columns, ((1.5, 12) if rng.random() < 0.5 else (12, 1.5)), rng)
    thin = np.clip(1 - rng.uniform(0, 0.5) * np.clip(streaks, 0, 2), 0, 1)[..., None]
    shot.ink = letters * thin
    shot.image = shot.paper + shot.contrast * shot.ink


def chalked(shot: Shot, rng: np.random.Generator) -> None:
    """Chalk or crayon, mostly white on a dark board: the grain of the ground shows through."""
    rows, columns, _ = shot.ink.shape
    if shot.contrast < 0 and rng.random() < 0.8:
        shot.paper, shot.contrast = shot.paper + shot.contrast, -shot.contrast
    grains = _noise(rows, columns, (1.3, 1.3), rng) + _noise(rows, columns, (4, 4), rng)
    kept = np.clip(rng.uniform(0.7, 1.1) + rng.uniform(0.2, 0.5) * grains, 0.1, 1)[..., None]
    dust = rng.uniform(0, 0.25) * np.clip(softened(shot.ink, 3.0), 0, 1)
    shot.ink = np.maximum(shot.ink * kept, dust)
    shot.image = shot.paper + shot.contrast * shot.ink


def engraved(shot: Shot, rng: np.random.Generator) -> None:
    """Letters cut into stone or metal, or raised from it: light on one side, shade on the other."""
    right, down = _direction(rng)
    depth = rng.uniform(0.5, 1.4) * shot.ink.shape[0] / 32
    soft = softened(shot.ink, rng.uniform(0.5, 0.9))
    slope = _shifted(soft, depth * right, depth * down) - _shifted(
        soft, -depth * right, -depth * down
    )
    if rng.random() < 0.5:
        slope = -slope
    face = shot.contrast * rng.uniform(0, 0.5) ** 2 * shot.ink  # paint left in the letters
    shot.image = shot.paper + face + shot.levels * rng.uniform(0.5, 1) * slope


def two_tones(shot: Shot, rng: np.random.Generator) -> None:
    """Letters that are darker towards their feet or heads, or at one end of the line."""
    rows, columns, _ = shot.ink.shape
    x = np.linspace(0, 1, columns, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    along = x if rng.random() < 0.3 else y
    along = along if rng.random() < 0.5 else 1 - along
    level = 1 - rng.uniform(0.2, 0.7) * along
    shot.image = shot.paper + shot.contrast * shot.ink * level[..., None]


STYLES: tuple[Effect, ...] = (
    extruded, extruded, shadowed, outlined, outlined, neon, of_lamps, painted, painted, chalked,
    engraved, engraved, two_tones,
)  # fmt: skip


def craft(shot: Shot, rng: np.random.Generator) -> None:
    """Letters made in one of STYLES."""
    STYLES[rng.integers(len(STYLES))](shot, rng)
