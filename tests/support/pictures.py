"""Pictures of a report: lines to put in them, and what can be seen on them."""

import numpy as np
from PIL import Image

GREEN, RED = (26, 127, 55), (207, 34, 46)


def line(width: int = 120, channels: int = 1) -> np.ndarray:
    """A white line with a black bar in the middle."""
    pixels = np.full((32, width, channels), 255, np.uint8)
    pixels[8:24, width // 2 - 4 : width // 2 + 4] = 0
    return pixels


def near(picture: Image.Image, color: tuple[int, int, int]) -> np.ndarray:
    """Which pixels are of about this colour."""
    distance = np.asarray(picture.convert("RGB")).astype(int) - color
    return np.abs(distance).max(axis=2) < 40


def filled(picture: Image.Image) -> float:
    """Share of the pixels that are not white."""
    return float((np.asarray(picture.convert("L")) < 250).mean())
