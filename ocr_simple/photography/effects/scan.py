"""What copiers, fax machines, screens and far cameras do to a picture."""

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot, to_uint8
from ocr_simple.photography.effects.tone import LUMA

# Order in which the dots of a halftone cell turn black, in 16ths of the way from white.
BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) + 0.5
) / 16


def _resized(image: np.ndarray, rows: int, columns: int, way: int) -> np.ndarray:
    return cv2.resize(image, (columns, rows), interpolation=way).reshape(rows, columns, -1)


def specks(shot: Shot, rng: np.random.Generator) -> None:
    """Dirt on the glass of a copier: dots of ink on the paper."""
    rows, columns, _ = shot.ink.shape
    dots = np.zeros((rows, columns), np.float32)
    count = int(rng.integers(1, 4 + rows * columns // 250))
    dots[rng.integers(rows, size=count), rng.integers(columns, size=count)] = 1
    dots = cv2.GaussianBlur(dots, (0, 0), rng.uniform(0.3, 0.7))
    dots = np.clip(dots / max(1e-3, float(dots.max())), 0, 1)[..., None]
    shot.ink = np.maximum(shot.ink, rng.uniform(0.4, 1) * dots)


def fax(shot: Shot, rng: np.random.Generator) -> None:
    """A fax: black and white in pixels that are higher than wide, and rows that are torn."""
    image = shot.image
    rows, columns, _ = image.shape
    dots = rng.uniform(0.55, 1)  # of a row of the picture to a column of the fax
    high = max(10, round(rows * dots * rng.uniform(0.5, 1)))
    small = _resized(image, high, max(4, round(columns * dots)), cv2.INTER_AREA)
    low, top = float(small.min()), float(small.max())
    rough = rng.uniform(0.03, 0.12) * (top - low) * rng.standard_normal(small.shape, np.float32)
    ends = np.where(small + rough > low + (top - low) * rng.uniform(0.4, 0.7), top, low)
    if rng.random() < 0.3:  # rows that were sent wrongly
        at = int(rng.integers(high))
        ends[at] = np.roll(ends[at], int(rng.integers(-3, 4)), axis=0)
    shot.image = _resized(ends.astype(np.float32), rows, columns, cv2.INTER_LINEAR)


def halftone(shot: Shot, rng: np.random.Generator) -> None:
    """Grey print as black dots on white: in a pattern, or at random."""
    image = shot.image
    rows, columns, _ = image.shape
    scale = rng.uniform(0.8, 1.6)  # dots to a row of the picture
    size = max(12, round(rows * scale)), max(4, round(columns * scale))
    fine = _resized(image, *size, cv2.INTER_LINEAR)
    low, top = float(fine.min()), float(fine.max())
    part = (fine - low) / max(1.0, top - low)
    part = rng.uniform(0.05, 0.35) + part * rng.uniform(0.6, 0.75)  # neither black nor white
    if rng.random() < 0.5:
        threshold = np.tile(BAYER, (size[0] // 4 + 1, size[1] // 4 + 1))[: size[0], : size[1], None]
    else:
        threshold = rng.random((*size, 1), np.float32)
    dots = np.where(part > threshold, top, low).astype(np.float32)
    soft = cv2.GaussianBlur(dots, (0, 0), rng.uniform(0.4, 0.9)).reshape(dots.shape)
    shot.image = _resized(soft, rows, columns, cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)


def subpixels(shot: Shot, rng: np.random.Generator) -> None:
    """Text on a screen, smoothed over the red, green and blue parts of its pixels."""
    image = shot.image
    rows, columns, channels = image.shape
    high = int(rng.integers(12, 25))
    wide = max(4, round(columns * high / rows))
    thirds = _resized(image, high, 3 * wide, cv2.INTER_AREA)
    thirds = cv2.blur(thirds, (3, 1)).reshape(thirds.shape)
    parts = [thirds[:, i::3] for i in range(3)]  # red, green, blue: (high, wide, channels)
    if rng.random() < 0.5:
        parts = parts[::-1]
    if channels == 3:
        small = np.stack([part[..., i] for i, part in enumerate(parts)], axis=2)
    else:
        small = sum(part * weight for part, weight in zip(parts, LUMA))
    way = cv2.INTER_NEAREST if rng.random() < 0.2 else cv2.INTER_LINEAR
    shot.image = _resized(np.ascontiguousarray(small, np.float32), rows, columns, way)


def exposure(shot: Shot, rng: np.random.Generator) -> None:
    """Too much or too little light: the brightest or the darkest part has no detail."""
    image = shot.image
    low, high = float(image.min()), float(image.max())
    gain = rng.uniform(1.1, 2)
    if rng.random() < 0.6:  # too bright, and bright parts spread
        bright = np.minimum(low + (image - low) * gain, high)
        spread = cv2.GaussianBlur(bright, (0, 0), rng.uniform(0.5, 1.2)).reshape(image.shape)
        shot.image = np.maximum(bright, spread)
    else:
        shot.image = np.maximum(high - (high - image) * gain, low)


def small_picture(shot: Shot, rng: np.random.Generator) -> None:
    """Taken from afar: a few pixels, with their noise and compression, and enlarged."""
    rows, columns, channels = shot.image.shape
    high = int(rng.integers(11, 24))
    size = high, max(4, round(columns * high / rows))
    small = _resized(shot.image, *size, cv2.INTER_AREA)
    small = small + rng.uniform(0, 4) * rng.standard_normal(small.shape, np.float32)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))]
        flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
        encoded = cv2.imencode(".jpg", to_uint8(small), quality)[1]
        small = np.asarray(cv2.imdecode(encoded, flag), np.float32).reshape(*size, channels)
    way = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    shot.image = _resized(small, rows, columns, way)
