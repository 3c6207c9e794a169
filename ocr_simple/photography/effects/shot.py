"""A picture in the making, and what several effects use."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ocr_simple.photography.recipes import Recipe


@dataclass
class Shot:
    """A picture that is being made. Effects replace its arrays and never change them in place."""

    recipe: Recipe
    ink: np.ndarray  # (rows, columns, channels) float32: 0 where there is paper, 1 ink
    image: np.ndarray  # the same shape, float32: 0 to 255; the drawn line until `print_ink`
    paper: float = 255.0  # grey level
    contrast: float = -255.0  # grey levels from paper to ink, under 0 for dark ink

    @property
    def levels(self) -> float:
        """Grey levels between paper and ink, whichever is lighter."""
        return abs(self.contrast)

    @property
    def inked_rows(self) -> np.ndarray:
        """The numbers of rows with ink."""
        return np.flatnonzero(self.ink.max(axis=(1, 2)) > 0.3)


Effect = Callable[[Shot, np.random.Generator], None]


def happens(chance: float, rng: np.random.Generator) -> bool:
    """Whether something of a chance of 0 to 1 happens; 0 draws no random number."""
    return chance > 0 and rng.random() < chance


def softened(ink: np.ndarray, sigma: float) -> np.ndarray:
    """Ink (rows, columns, channels) through a Gaussian blur of at least half a pixel."""
    return cv2.GaussianBlur(ink, (0, 0), max(0.5, sigma)).reshape(ink.shape)


def grain(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise around 0, of a random scale and direction, (rows, columns, 1)."""
    cells = rng.uniform(0.05, 0.7, 2)
    small = rng.normal(
        0, rng.uniform(0.01, 0.12), (max(2, int(rows * cells[0])), max(2, int(columns * cells[1])))
    )
    return cv2.resize(small.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)[
        ..., None
    ]


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Grey levels as whole numbers from 0 to 255."""
    return np.clip(image, 0, 255).astype(np.uint8)
