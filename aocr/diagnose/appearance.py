"""What a picture of a line looks like, in nine measurements that need no labels.

They are taken at the height that models read at, so that pictures of any size can be compared with
generated lines. Strokes are found by their edges, and ink is the rarer of the two grey levels that
Otsu's method (1979) separates. Each measurement is rough for a single picture; medians over some
dozen pictures are not.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ocr_simple import preprocessing

ROWS = 32  # height of a picture when it is measured
LEAST_CONTRAST = 8.0  # grey levels; of a blank picture
TEXT_ROWS = 0.4  # rows with this share of the strongest row's edges have text
SLANTS = tuple(i / 20 for i in range(-10, 11))  # that are tried, in heights from foot to head
FRAME_EDGE = 0.25  # gradient of a line along the picture, in shares of the contrast per pixel
FRAMED = 0.9  # share of the columns that such a line crosses


class Appearance(NamedTuple):
    """The figures of one picture. Lengths are shares of its height or of the ink's."""

    ink_height: float  # of the picture's height
    contrast: float  # grey levels between dark and light
    light_ink: float  # 1 if the ink is lighter than what it is on, else 0
    sharpness: float  # of the steepest edges: 1 if the contrast is passed within two pixels
    noise: float  # grey levels, where there are no edges
    slant: float  # to the right, in heights from foot to head
    stroke: float  # width of a stroke, in heights of the ink
    density: float  # strokes along a stretch as wide as the ink is high
    frame: float  # 1 if a straight line runs along nearly all of the picture, else 0


SHARES = ("light_ink", "frame")  # of pictures: their mean says more than their median
LOGARITHMIC = {"contrast": 0.0, "sharpness": 0.02, "noise": 0.3, "stroke": 0.02, "density": 0.1}


def measure(pixels: np.ndarray) -> Appearance:
    """The appearance of a picture, uint8 (rows, columns, 1)."""
    grey = preprocessing.resize(pixels, ROWS)[..., 0]
    low, high = np.percentile(grey, (5, 95))
    contrast = max(LEAST_CONTRAST, float(high - low))
    level = ((grey - low) / contrast).astype(np.float32)
    across = cv2.Sobel(level, cv2.CV_32F, 1, 0, ksize=3) / 4
    down = cv2.Sobel(level, cv2.CV_32F, 0, 1, ksize=3) / 4
    by_row = cv2.blur(abs(across).mean(axis=1)[:, None], (1, 3))[:, 0]
    text = np.flatnonzero(by_row >= TEXT_ROWS * by_row.max())
    top, bottom = int(text[0]), int(text[-1]) + 1
    ink, light = _ink(grey, top, bottom)
    stroke, density = _strokes(ink)
    return Appearance(
        ink_height=(bottom - top) / ROWS,
        contrast=contrast,
        light_ink=float(light),
        sharpness=float(np.percentile(abs(across), 99)),
        noise=contrast * _noise(level, abs(across) + abs(down)),
        slant=_slant(across),
        stroke=stroke,
        density=density,
        frame=float(_has_frame(down)),
    )


def _ink(grey: np.ndarray, top: int, bottom: int) -> tuple[np.ndarray, bool]:
    """(the ink in the rows of the text, bool; whether it is light)."""
    levels = np.clip(grey, 0, 255).astype(np.uint8)
    _, lighter = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    inside = lighter[top:bottom] > 0
    light = bool(inside.mean() < 0.5)
    return (inside if light else ~inside), light


def _strokes(ink: np.ndarray) -> tuple[float, float]:
    """(width of a stroke, strokes along a height) in heights of the ink, bool (rows, columns)."""
    rows, columns = ink.shape
    across, down = (ink[:, 1:] != ink[:, :-1]).sum(), (ink[1:] != ink[:-1]).sum()
    width = 2 * ink.sum() / max(1, across + down) / rows  # a stroke has an edge on either side
    return float(width), float(across / 2 / columns)


def _noise(level: np.ndarray, edges: np.ndarray) -> float:
    """Standard deviation of the finest detail in the flatter half, in shares of the contrast."""
    detail = abs(level - cv2.GaussianBlur(level, (0, 0), 1.0))
    return 1.4826 * float(np.median(detail[edges <= np.median(edges)]))


def _slant(across: np.ndarray) -> float:
    """The slant of upright strokes: that of the shear which best aligns their edges in columns."""
    edges = abs(across)
    rows, columns = edges.shape
    sums = [
        cv2.warpAffine(
            edges, np.array([[1, slant, -slant * rows / 2], [0, 1, 0]], np.float32), (columns, rows)
        ).sum(axis=0)
        for slant in SLANTS
    ]
    # of slants that are as good, as in a blank picture, the least
    best = max(range(len(SLANTS)), key=lambda i: (round(float(sums[i].var()), 3), -abs(SLANTS[i])))
    return SLANTS[best]


def _has_frame(down: np.ndarray) -> bool:
    """Whether one straight edge, of either direction, runs along the picture."""
    wide = 3 * cv2.blur(down, (1, 3))  # the line may lean by a row or two
    edges = wide > FRAME_EDGE, wide < -FRAME_EDGE
    return any(edge.mean(axis=1).max() >= FRAMED for edge in edges)


def comparable(found: Sequence[Appearance]) -> np.ndarray:
    """The figures as float (pictures, 9), those that span orders of magnitude as logarithms."""
    values = np.array(found, np.float64).reshape(-1, len(Appearance._fields))
    for i, name in enumerate(Appearance._fields):
        if name in LOGARITHMIC:
            values[:, i] = np.log(values[:, i] + LOGARITHMIC[name])
    return values
