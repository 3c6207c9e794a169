"""A drawn line -> a picture of it, by a recipe; taken again if the line cannot be read in it."""

import functools
from operator import attrgetter

import cv2
import numpy as np

from ocr_simple.photography.effects import EFFECTS
from ocr_simple.photography.effects.shot import Effect, Shot, to_uint8
from ocr_simple.photography.recipes import Recipe

INVISIBLE = 2 / 255  # contrast that counts as none, as a share of the drawn line's
ATTEMPTS = 4  # pictures of a line, until one is legible


def take(pixels: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """One picture of a line: uint8 (rows, columns, channels), the same shape.

    Each effect of the recipe is applied by its chance, in the order of EFFECTS.
    """
    drawn = pixels.astype(np.float32)
    shot = Shot(recipe, ink=1 - drawn / 255, image=drawn)
    for chance, effect in _effects_of(recipe):
        if chance is None or rng.random() < chance:
            effect(shot, rng)
    return to_uint8(shot.image)


@functools.lru_cache
def _effects_of(recipe: Recipe) -> tuple[tuple[float | None, Effect], ...]:
    """The effects that a recipe has, in order, each after its chance; None: always applied."""
    chances = [(attrgetter(field)(recipe) if field else None, effect) for field, effect in EFFECTS]
    return tuple((chance, effect) for chance, effect in chances if chance is None or chance > 0)


def legibility(pixels: np.ndarray, picture: np.ndarray) -> float:
    """How much of a drawn line can be seen in its picture, at the worst place: 0 to 1.

    It is the correlation of the two in a window that moves along the line and is as wide as the
    line is high. Both are compared with their mean around each pixel, over a quarter of that
    height, so that strokes count and light does not.
    """
    drawn, seen = (
        cv2.transform(x.astype(np.float32), np.ones((1, x.shape[2]))) for x in (pixels, picture)
    )
    inked = 255 * pixels.shape[2] - drawn > 80 * pixels.shape[2]
    height, inked_columns = max(6, int(inked.any(axis=1).sum())), inked.any(axis=0)
    around = (height // 4 | 1, height // 4 | 1)
    drawn, seen = (x - cv2.blur(x, around) for x in (drawn, seen))
    # mean over the window at each column of the line
    product, drawn_power, seen_power = (
        cv2.blur(cv2.reduce(x, 0, cv2.REDUCE_SUM), (height | 1, 1))[0, inked_columns]
        for x in (drawn * seen, drawn**2, seen**2)
    )
    seen_power = seen_power + drawn_power * INVISIBLE**2
    # sums that run along the line may end a little under 0
    correlation = abs(product) / np.sqrt(np.maximum(drawn_power * seen_power, 0) + 1e-9)
    return float(correlation.min(initial=1.0))


def photograph(pixels: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """A legible picture of a line: uint8 (rows, columns, channels), the same shape.

    Pictures are taken until one is legible; after ATTEMPTS, the most legible one is kept.
    """
    most, best = -1.0, pixels
    for _ in range(ATTEMPTS):
        picture = take(pixels, recipe, rng)
        shown = legibility(pixels, picture)
        if shown > most:
            most, best = shown, picture
        if most >= recipe.legible:
            break
    return best
