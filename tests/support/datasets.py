"""Labelled images in files."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(path: Path, size: tuple[int, int] = (60, 20), seed: int = 0) -> Path:
    """Write an image of noise; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)
    Image.fromarray(noise).save(path)
    return path


def annotate(path: Path, *rows: str) -> Path:
    """Write an annotation file."""
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
