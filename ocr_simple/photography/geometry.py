"""Variation of a drawn line, so that what a model learns from drawings holds for photographs.

Three stages, all on uint8 pixels and all drawn from one random generator:

stroke    thinner or thicker strokes
geometry  rotation, shift, shear, zoom, stretch and elastic distortion, in one resampling
photo     what a camera adds, by a recipe (recipes.py), with perspective, curl and looser crops

Lines to train on and to calibrate with are varied, validation lines never.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from ocr_simple.options import Variation
from ocr_simple.photography.camera import photograph
from ocr_simple.photography.recipes import CLEAN, PHOTO, Recipe

WIDEST = (1 << 15) - 2  # columns of an image that OpenCV can warp
CUT = 0.3  # share of `shift` by which a crop may cut its line above or below

cv2.setNumThreads(0)  # small images: OpenCV's threads cost more time than they save


class TooWide(ValueError):
    """A line that has, or would get, more columns than can be warped."""


def background(pixels: np.ndarray) -> tuple[float, ...]:
    """Grey level or colour that fills what a warp uncovers: the median of the image's edges."""
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    middle = len(edge) // 2
    return tuple(np.partition(edge, middle, axis=0)[middle].tolist())


def inked_rows(pixels: np.ndarray, paper: tuple[float, ...]) -> tuple[int, int]:
    """The first row with ink, and the row after the last one. Ink differs from the paper."""
    difference = abs(pixels.astype(np.int16) - np.array(paper, np.int16))
    inked = np.flatnonzero(difference.reshape(len(pixels), -1).max(axis=1) > 60)
    return (int(inked[0]), int(inked[-1]) + 1) if len(inked) else (0, len(pixels))


def stroke_weight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes thinner or bolder, by up to about a pixel each side."""
    kernel = np.ones((2 + rng.integers(2), 2 + rng.integers(2)), np.uint8)
    grow_dark = rng.random() < 0.5
    changed = (cv2.erode if grow_dark else cv2.dilate)(pixels, kernel)
    # thinning by more than half a pixel would wipe out hairlines
    amount = rng.uniform(0.1, 1.0 if grow_dark else 0.55)
    return cv2.addWeighted(pixels, 1 - amount, changed, amount, 0).reshape(pixels.shape)


class _Placement(NamedTuple):
    """Where the line stands in the varied image, and how large; lengths are in pixels."""

    width: int  # columns of the varied image
    middle: float  # row of the drawn line that comes to the middle
    zoom_x: float
    zoom_y: float
    shear: float
    angle: float  # radians
    crop_x: float  # shift by a wider crop on one side
    shift_x: float
    shift_y: float


def _place(
    pixels: np.ndarray,
    paper: tuple[float, ...],
    variation: Variation,
    recipe: Recipe,
    rng: np.random.Generator,
) -> _Placement:
    """A random size, rotation, shear, crop and shift."""
    rows, columns, _ = pixels.shape
    photo, crop = recipe.photographed, recipe.crop
    ink_height = crop.ink_height if photo else None
    top, bottom = inked_rows(pixels, paper) if ink_height else (0, rows)
    if ink_height:
        zoom_y = rng.uniform(*ink_height) * rows / (bottom - top)
    else:
        shrink = min(2 * variation.zoom, crop.shrink) if photo else 2 * variation.zoom
        zoom_y = math.exp(rng.uniform(-shrink, variation.zoom) + rng.uniform(-0.1, 0.15) * photo)
    zoom_x = zoom_y * math.exp(rng.uniform(-variation.stretch, variation.stretch))
    shear = rng.uniform(-variation.shear, variation.shear)
    shear *= recipe.warp.distortion if photo else 1.0
    if photo and any(recipe.warp.slant):
        shear += rng.uniform(*recipe.warp.slant)
    rotation = variation.rotation + recipe.warp.rotation * photo
    # a long line turns less: its ends would leave the image
    angle = math.radians(rng.uniform(-rotation, rotation)) * min(1.0, 4 * rows / columns)
    shift = variation.shift * rows
    if ink_height:  # a crop encloses its line, also one that is turned; of points little is cut off
        upright = zoom_y * (bottom - top)
        turned = math.cos(angle) * upright + abs(math.sin(angle)) * zoom_x * columns
        fit = min(1.0, max(rows, upright) / turned)
        zoom_x, zoom_y = fit * zoom_x, fit * zoom_y
        shift_y = CUT * shift + 0.4 * max(0.0, rows - fit * turned)
    else:
        shift_y = shift + max(0.0, 1 - zoom_y) * rows / 2
    left = rng.uniform(*crop.left) * rows * photo
    right = rng.uniform(*crop.right) * rows * photo
    return _Placement(
        width=max(rows // 2, round(columns * zoom_x + abs(shear) * rows + left + right)),
        middle=(top + bottom) / 2,
        zoom_x=zoom_x,
        zoom_y=zoom_y,
        shear=shear,
        angle=angle,
        crop_x=(left - right) / 2,
        shift_x=rng.uniform(-1, 1) * shift,
        shift_y=rng.uniform(-1, 1) * shift_y,
    )


def _distort(
    x: np.ndarray, y: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Perspective, curl and jitter of the coordinates x (columns,) and y (rows, 1).

    Returns the changed ones, (rows, columns) both.
    """
    rows, width, distortion = len(y), len(x), recipe.warp.distortion
    tilt_x, tilt_y = (rng.normal(0, 0.1 * distortion, 2)).tolist()
    curl = rng.normal(0, 0.04 * distortion) * rows
    turns, phase = rng.uniform(1, 4), rng.uniform(0, 6)
    nearer = 1 / (1 + np.clip(tilt_x / width * x + tilt_y / rows * y, -0.3, 0.3))
    y = y + curl * np.sin(x * (turns / max(width, 3 * rows)) + phase)
    x, y = x * nearer, y * nearer
    if recipe.warp.jitter:
        size, offset = rng.uniform(0, recipe.warp.jitter, 2).tolist()
        y = y * (1 + size * _bumps_along(width, rows, rng))
        y = y + offset * rows * _bumps_along(width, rows, rng)
    return x, y


def _bumps_along(columns: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (columns,) of about unit spread, with a bump for every character or so."""
    coarse = rng.standard_normal((1, max(2, 2 * columns // rows)), np.float32)
    return cv2.resize(coarse, (columns, 1), interpolation=cv2.INTER_CUBIC)[0]


def _bumps(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (rows, columns) of about unit spread, with a bump for every stroke or so."""
    coarse = rng.standard_normal((5, max(2, 5 * columns // rows)), np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def warp(
    pixels: np.ndarray, variation: Variation, rng: np.random.Generator, recipe: Recipe
) -> np.ndarray:
    """All of the geometry in one resampling; for photographs perspective and curl too.

    Elastic distortion, after Simard et al. 2003, bends strokes: other letter forms from one font.
    Raises TooWide.
    """
    rows, columns, _ = pixels.shape
    paper = background(pixels)
    place = _place(pixels, paper, variation, recipe, rng)
    if max(columns, place.width) > WIDEST:
        raise TooWide(f"{max(columns, place.width):,} columns, over the limit of {WIDEST:,}")
    # coordinates of the varied image about its middle; in float32, which NumPy's scalars would
    # make float64
    x = np.arange(place.width, dtype=np.float32) + (
        0.5 - place.width / 2 - place.crop_x - place.shift_x
    )
    y = np.arange(rows, dtype=np.float32)[:, None] + (0.5 - rows / 2 - place.shift_y)
    if recipe.photographed:
        x, y = _distort(x, y, recipe, rng)
    # to coordinates of the drawn line, by the inverse of zoom, shear and rotation
    sine, cosine = math.sin(place.angle), math.cos(place.angle)
    across_x = (cosine + place.shear * sine) / place.zoom_x
    across_y = (place.shear * cosine - sine) / place.zoom_x
    down_x, down_y = sine / place.zoom_y, cosine / place.zoom_y
    source_x = across_x * x + (across_y * y + (columns / 2 - 0.5))  # (rows, width)
    source_y = down_x * x + (down_y * y + (place.middle - 0.5))  # (rows, width)
    elastic = variation.elastic + recipe.warp.elastic * recipe.photographed
    if elastic:
        bend = rng.uniform(0, elastic) * rows
        source_x += bend * _bumps(rows, place.width, rng)
        source_y += bend * _bumps(rows, place.width, rng)
    warped = cv2.remap(
        pixels,
        source_x,
        source_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=paper,
    )
    return warped.reshape(rows, place.width, -1)


def photo_recipe(recipe: Recipe, variation: Variation, rng: np.random.Generator) -> Recipe:
    """The recipe that a line is photographed by: `recipe`, or CLEAN if it stays a drawing."""
    return recipe if recipe.photographed and rng.random() < variation.photo else CLEAN


def vary(
    pixels: np.ndarray, variation: Variation, rng: np.random.Generator, recipe: Recipe
) -> np.ndarray:
    """The pixels, varied by a recipe that is chosen already. Raises TooWide."""
    if not variation.varies:
        return pixels
    if rng.random() < variation.stroke_weight:
        pixels = stroke_weight(pixels, rng)
    pixels = warp(pixels, variation, rng, recipe)
    return photograph(pixels, recipe, rng) if recipe.photographed else pixels


def augment(
    pixels: np.ndarray, variation: Variation, rng: np.random.Generator, recipe: Recipe = PHOTO
) -> np.ndarray:
    """A varied copy of a line: uint8 (rows, columns, channels) -> the same rows, other columns.

    The line is expected to fit its image; up to a few rows of it may be cut, as crops do.
    Raises TooWide.
    """
    return vary(pixels, variation, rng, photo_recipe(recipe, variation, rng))
