"""Variation of a generated line, so that what is learned from drawings holds for photographs.

Two stages, both on uint8 pixels and both drawn from one random generator:

geometry  rotation, shift, shear, zoom, stretch, elastic, in one warp; the crop grows or shrinks
photo     what a camera sees, by a recipe (recipes.py); with perspective, curl and looser crops

Only training lines pass here; validation lines never do.
"""

import math

import cv2
import numpy as np

from ocr_simple.options import Variation
from ocr_simple.photography.camera import camera
from ocr_simple.photography.recipes import CLEAN, PHOTO, Recipe

cv2.setNumThreads(0)  # small images: OpenCV's own threads cost more than they give


def augment(
    pixels: np.ndarray, how: Variation, rng: np.random.Generator, recipe: Recipe = PHOTO
) -> np.ndarray:
    """A varied copy of a line: uint8 (rows, columns, channels) -> the same rows, other columns.

    The line is expected to fit its image; up to a few rows of it may be cut, as crops do.
    """
    return vary(pixels, how, rng, photographed(recipe, how, rng))


def photographed(recipe: Recipe, how: Variation, rng: np.random.Generator) -> Recipe:
    """The recipe of a line that may be photographed: it, or CLEAN for one that is not."""
    return recipe if recipe.photographed and rng.random() < how.photo else CLEAN


def vary(
    pixels: np.ndarray, how: Variation, rng: np.random.Generator, recipe: Recipe
) -> np.ndarray:
    """As `augment`, of which it is known whether it is photographed."""
    if not how.varies:
        return pixels
    if rng.random() < how.stroke_weight:
        pixels = stroke_weight(pixels, rng)
    pixels = warp(pixels, how, rng, recipe)
    return camera(pixels, recipe, rng) if recipe.photographed else pixels


def stroke_weight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes thinner or bolder, by up to about a pixel each side."""
    kernel = np.ones((2 + rng.integers(2), 2 + rng.integers(2)), np.uint8)
    grow_dark = rng.random() < 0.5
    changed = (cv2.erode if grow_dark else cv2.dilate)(pixels, kernel)
    # thinning by more than half a pixel would wipe out hairlines
    amount = rng.uniform(0.1, 1.0 if grow_dark else 0.55)
    return cv2.addWeighted(pixels, 1 - amount, changed, amount, 0).reshape(pixels.shape)


def background(pixels: np.ndarray) -> tuple[float, ...]:
    """Grey level or colour that fills what a warp uncovers: the median of the image's edges."""
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    middle = len(edge) // 2
    return tuple(np.partition(edge, middle, axis=0)[middle].tolist())


def _inked_rows(pixels: np.ndarray, paper: tuple[float, ...]) -> tuple[int, int]:
    """First row with ink, and the row behind the last: what differs from the paper."""
    away = abs(pixels.astype(np.int16) - np.array(paper, np.int16))
    inked = np.flatnonzero(away.reshape(len(pixels), -1).max(axis=1) > 60)
    return (int(inked[0]), int(inked[-1]) + 1) if len(inked) else (0, len(pixels))


def _along(columns: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (columns,) of spread 1 about, with a bump for every character or so."""
    coarse = rng.standard_normal((1, max(2, 2 * columns // rows)), np.float32)
    return cv2.resize(coarse, (columns, 1), interpolation=cv2.INTER_CUBIC)[0]


def warp(
    pixels: np.ndarray, how: Variation, rng: np.random.Generator, recipe: Recipe
) -> np.ndarray:
    """All of the geometry in one resampling; for photographs perspective and curl too."""
    rows, columns, _ = pixels.shape
    photo = recipe.photographed
    bent = recipe.bent if photo else 1.0
    paper = background(pixels)
    top, bottom = _inked_rows(pixels, paper) if photo and recipe.fills else (0, rows)
    if photo and recipe.fills:
        zoom_y = rng.uniform(*recipe.fills) * rows / (bottom - top)
        spare = 0.8 * max(0.0, rows - zoom_y * (bottom - top))
    else:
        smaller = 2 * how.zoom if not photo else min(2 * how.zoom, recipe.smaller)
        zoom_y = math.exp(rng.uniform(-smaller, how.zoom) + rng.uniform(-0.1, 0.15) * photo)
        spare = max(0.0, 1 - zoom_y) * rows
    zoom_x = zoom_y * math.exp(rng.uniform(-how.stretch, how.stretch))
    shear = rng.uniform(-how.shear, how.shear) * bent
    if photo and any(recipe.slant):
        shear += rng.uniform(*recipe.slant)
    # a long line may turn less: its ends would leave the picture
    turn = how.rotation + recipe.turn * photo
    angle = math.radians(rng.uniform(-turn, turn)) * min(1.0, 4 * rows / columns)
    # wider or narrower crop, left and right
    before = rng.uniform(recipe.tight, recipe.before) * rows * photo
    behind = rng.uniform(recipe.tight, recipe.behind) * rows * photo
    width = max(rows // 2, round(columns * zoom_x + abs(shear) * rows + before + behind))

    # output pixel -> source pixel, about the two centres
    sine, cosine = math.sin(angle), math.cos(angle)
    across_x, across_y = (cosine + shear * sine) / zoom_x, (shear * cosine - sine) / zoom_x
    down_x, down_y = sine / zoom_y, cosine / zoom_y
    shift_x = rng.uniform(-1, 1) * how.shift * rows
    shift_y = rng.uniform(-1, 1) * (how.shift * rows + spare / 2)
    # in float32: NumPy's own scalars would make it float64
    x = np.arange(width, dtype=np.float32) + (0.5 - width / 2 - (before - behind) / 2 - shift_x)
    y = np.arange(rows, dtype=np.float32)[:, None] + (0.5 - rows / 2 - shift_y)
    if photo:
        tilt_x, tilt_y = (rng.normal(0, 0.1 * bent, 2)).tolist()
        curl, turns, phase = rng.normal(0, 0.04 * bent) * rows, rng.uniform(1, 4), rng.uniform(0, 6)
        nearer = 1 / (1 + np.clip(tilt_x / width * x + tilt_y / rows * y, -0.3, 0.3))
        y = y + curl * np.sin(x * (turns / max(width, 3 * rows)) + phase)
        x, y = x * nearer, y * nearer
        if recipe.wobble:
            high, low = rng.uniform(0, recipe.wobble, 2).tolist()
            y = y * (1 + high * _along(width, rows, rng)) + low * rows * _along(width, rows, rng)
    source_x = across_x * x + (across_y * y + (columns / 2 - 0.5))
    source_y = down_x * x + (down_y * y + ((top + bottom) / 2 - 0.5))
    if elastic := how.elastic + recipe.elastic * photo:
        bend = rng.uniform(0, elastic) * rows
        source_x += bend * bumps(rows, width, rng)
        source_y += bend * bumps(rows, width, rng)
    warped = cv2.remap(
        pixels,
        source_x,
        source_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=paper,
    )
    return warped.reshape(rows, width, -1)


def bumps(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (rows, columns) of spread 1 about, with a bump for every stroke or so.

    Elastic distortion, after Simard et al. 2003: other letter forms from the same font.
    """
    coarse = rng.standard_normal((5, max(2, 5 * columns // rows)), np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
