"""`camera` makes a picture of a drawn line, by a recipe."""

import cv2
import numpy as np

from ocr_simple.photography import effects
from ocr_simple.photography.recipes import Recipe

LEGIBLE = 0.25  # of `legibility`: of lines under it a trained model read one in four
LEVELS = 2  # contrast that counts as none, of 255
TAKES = 4  # pictures of a line, until one shows it


def camera(pixels: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """A line as in a picture of its recipe: uint8 (rows, columns, channels), the same shape.

    A picture in which the line drowns is taken anew; of TAKES such the most legible is kept.
    """
    most, best = -1.0, pixels
    for _ in range(TAKES):
        picture = _taken(pixels, recipe, rng)
        shown = legibility(pixels, picture)
        if shown > most:
            most, best = shown, picture
        if most >= LEGIBLE:
            break
    return best


def legibility(pixels: np.ndarray, picture: np.ndarray) -> float:
    """How much of a drawn line shows in its picture, where that is least: 0 nothing, 1 all of it.

    The correlation of the two in a window of the line's height that moves along it, of what
    differs from the mean around by at most a quarter of that height: strokes, not light.
    """
    ink, seen = (
        cv2.transform(x.astype(np.float32), np.ones((1, x.shape[2]))) for x in (pixels, picture)
    )
    inked = 255 * pixels.shape[2] - ink > 80 * pixels.shape[2]
    height, across = max(6, int(inked.any(axis=1).sum())), inked.any(axis=0)
    ink, seen = (x - cv2.blur(x, (height // 4 | 1, height // 4 | 1)) for x in (ink, seen))
    # sums over the window, at each column of the line
    both, own, other = (
        cv2.blur(cv2.reduce(x, 0, cv2.REDUCE_SUM), (height | 1, 1))[0, across]
        for x in (ink * seen, ink**2, seen**2)
    )
    invisible = own * (LEVELS / 255) ** 2
    return float((abs(both) / np.sqrt(own * (other + invisible) + 1e-9)).min(initial=1.0))


def _taken(pixels: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    rows, columns, _ = pixels.shape

    def chance(share: float) -> bool:
        return share > 0 and rng.random() < share

    ink = 1 - pixels.astype(np.float32) / 255  # 0 paper to 1 ink
    if chance(recipe.dot_matrix):
        ink = effects.dot_matrix(ink, rng)
    for share, effect in (
        (recipe.bled, effects.bled),
        (recipe.starved, effects.starved),
        (recipe.broken, effects.broken_print),
        (recipe.faded, effects.faded),
        (recipe.neighbours, effects.neighbour_lines),
        (recipe.separators, effects.separators),
        (recipe.underline, effects.underline),
    ):
        if chance(share):
            ink = effect(ink, rng)
    # contrast between paper and ink, either way round
    contrast = rng.uniform(*recipe.contrast)
    paper = rng.uniform(0, 255 - contrast)
    if chance(recipe.paper):
        paper = (255 - contrast) * rng.uniform(0.9, 1)
    if chance(recipe.dark_on_light):
        paper, contrast = paper + contrast, -contrast
    if chance(recipe.guilloche):
        ink = np.maximum(ink, rng.uniform(0.05, 0.35) * effects.guilloche(rows, columns, rng))
    image = paper + contrast * ink
    style = rng.random()
    if style < recipe.outline:
        image = effects.outline(image, ink, rng)
    elif style < recipe.outline + recipe.relief:
        image = effects.relief(image, ink, contrast, rng)
    contrast = abs(contrast)
    if chance(recipe.frame):
        image = effects.frame(image, rng)
    if chance(recipe.bezel):
        image = effects.bezel(image, rng)
    if chance(recipe.light):
        image = effects.light(image, rng, recipe.uneven)
    if chance(recipe.reflections):
        image = effects.reflections(image, contrast, rng)
    if chance(recipe.surface):
        image = image + contrast * effects.surface(rows, columns, rng)
    if chance(recipe.blur):
        image = effects.blur(image, rng)
    if chance(recipe.low_resolution):
        image = effects.low_resolution(image, rng)
    if chance(recipe.noise):
        grain = contrast * rng.uniform(0.005, 0.08)
        image = image + grain * rng.standard_normal(image.shape, np.float32)
    if chance(recipe.scanned):
        image = effects.scanned(image, contrast, rng)
    image = np.clip(image, 0, 255).astype(np.uint8).reshape(pixels.shape)
    return _compressed(image, rng) if chance(recipe.jpeg) else image


def _compressed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An image that has been a JPEG file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
    flag = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR
    encoded = cv2.imencode(".jpg", image, quality)[1]
    return np.asarray(cv2.imdecode(encoded, flag), np.uint8).reshape(image.shape)
