"""What a camera or a scanner, and a file, do to the picture."""

import math

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot, to_uint8


def blur(shot: Shot, rng: np.random.Generator) -> None:
    """Defocus, or motion along a random direction."""
    image = shot.image
    if rng.random() < 0.7:
        shot.image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4)).reshape(image.shape)
        return
    length = int(rng.integers(2, 5))
    kernel = np.zeros((5, 5), np.float32)
    angle = rng.uniform(0, math.pi)
    for t in np.linspace(-length / 2, length / 2, 9):
        kernel[round(2 + t * math.sin(angle) * 0.8), round(2 + t * math.cos(angle) * 0.8)] += 1
    shot.image = cv2.filter2D(image, -1, kernel / kernel.sum()).reshape(image.shape)


def low_resolution(shot: Shot, rng: np.random.Generator) -> None:
    """A picture taken from afar and enlarged: down to as little as 40 % and up again."""
    small = _shrunk(shot.image, rng.uniform(0.4, 0.9))
    shot.image = _enlarged(small, shot.image.shape)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    rows, columns, _ = image.shape
    size = max(4, round(columns * scale)), max(4, round(rows * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(shape)


def noise(shot: Shot, rng: np.random.Generator) -> None:
    """Gaussian noise of each pixel."""
    sigma = shot.levels * rng.uniform(0.005, 0.08)
    shot.image = shot.image + sigma * rng.standard_normal(shot.image.shape, np.float32)


def binarisation(shot: Shot, rng: np.random.Generator) -> None:
    """A scanner's black and white: rough edges, specks, strokes that merge or break.

    Half of the pictures are scanned in larger pixels than the image's.
    """
    image = shot.image
    if rng.random() < 0.5:
        small = _shrunk(image, rng.uniform(0.45, 0.9))
        black_and_white = _enlarged(_binarised(small, shot.levels, rng), image.shape)
    else:
        black_and_white = _binarised(image, shot.levels, rng)
    shot.image = black_and_white


def _binarised(image: np.ndarray, levels: float, rng: np.random.Generator) -> np.ndarray:
    """`image` near its lowest and highest level, by a rough threshold between them."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.1)).reshape(image.shape)
    rough = cv2.GaussianBlur(
        rng.standard_normal(image.shape[:2], np.float32), (0, 0), rng.uniform(0.4, 0.9)
    )[..., None]
    low, high = float(soft.min()), float(soft.max())
    threshold = low + (high - low) * rng.uniform(0.35, 0.75)
    value = soft - threshold + levels * rng.uniform(0.02, 0.15) * rough
    steep = np.clip(value * rng.uniform(3, 25) / max(1.0, high - low), -20, 20)
    return low + (high - low) / (1 + np.exp(-steep))


def jpeg(shot: Shot, rng: np.random.Generator) -> None:
    """Compression artefacts."""
    image = to_uint8(shot.image)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
    flag = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR
    encoded = cv2.imencode(".jpg", image, quality)[1]
    decoded = np.asarray(cv2.imdecode(encoded, flag), np.float32)
    shot.image = decoded.reshape(image.shape)
