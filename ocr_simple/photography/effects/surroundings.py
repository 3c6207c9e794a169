"""Photographs behind a line, other lines that the crop cuts, the rules of a table."""

import functools
import importlib.util
from pathlib import Path

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot

# Photographs in packages; those of packages that are not installed are left out. trdg and
# matplotlib always are; `make venv` installs the others. None of them is shipped here.
PHOTOGRAPHS = {
    "trdg": ("images/bricks.jpg", "images/city.jpg", "images/containers.jpg", "images/water.jpg"),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),  # U.S. Navy, public domain
    "skimage": (  # public domain or CC0, see scikit-image's data/README
        "data/astronaut.png", "data/brick.png", "data/camera.png", "data/chelsea.png",
        "data/coffee.png", "data/grass.png", "data/gravel.png", "data/rocket.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),  # CC BY 2.0
}  # fmt: skip
LARGEST = 640  # columns of a photograph that is kept
TEXTURE = 2.5  # standard deviations of a photograph's levels that count


@functools.lru_cache(maxsize=2)
def photographs(channels: int) -> tuple[np.ndarray, ...]:
    """The photographs that are installed, (rows, columns, channels) uint8."""
    found = []
    for package, names in PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(package)
        for name in names if spec and spec.origin else ():
            path = Path(str(spec.origin)).parent / name  # type: ignore[union-attr]
            flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
            image = cv2.imread(str(path), flag) if path.is_file() else None
            if image is not None:
                scale = min(1.0, LARGEST / image.shape[1])
                size = round(image.shape[1] * scale), round(image.shape[0] * scale)
                small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                found.append(small.reshape(size[1], size[0], channels))
    return tuple(found)


def _patch(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A part of a photograph, scaled to a shape: float32, mean 0, mostly within -1 and 1."""
    rows, columns, channels = shape
    pictures = photographs(channels)
    picture = pictures[rng.integers(len(pictures))]
    scale = np.exp(rng.uniform(np.log(0.25), np.log(4)))  # pixels of the photograph to one here
    scale = min(scale, picture.shape[0] / rows, picture.shape[1] / columns)
    high, wide = max(2, int(rows * scale)), max(2, int(columns * scale))
    top = int(rng.integers(picture.shape[0] - high + 1))
    left = int(rng.integers(picture.shape[1] - wide + 1))
    part = picture[top : top + high, left : left + wide]
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, (columns, rows), interpolation=way).reshape(shape).astype(np.float32)
    part = part - part.mean()
    return np.clip(part / (TEXTURE * max(4.0, float(part.std()))), -1, 1)


def photograph_behind(shot: Shot, rng: np.random.Generator) -> None:
    """A wall, leaves, a street behind the letters, which may let it show through."""
    if not photographs(shot.image.shape[2]):
        return
    texture = _patch(shot.image.shape, rng)
    strength = rng.uniform(0.15, 1) * (0.5 * shot.levels + 8)
    opaque = 1.0 if rng.random() < 0.7 else rng.random()
    shot.image = shot.image + strength * texture * (1 - opaque * np.clip(shot.ink, 0, 1))


def _edges(inked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last row with ink at each column, smoothed: float32 (columns,)."""
    rows, columns = inked.shape
    some = np.flatnonzero(inked.any(axis=0))
    first = inked[:, some].argmax(axis=0)
    last = rows - 1 - inked[::-1, some].argmax(axis=0)
    width = 2 * rows + 1
    kernel = np.ones(width, np.float32) / width
    smooth = []
    for edge, extreme in ((first, np.minimum), (last, np.maximum)):
        along = np.interp(np.arange(columns), some, edge)
        mean = np.convolve(np.pad(along, rows, mode="edge"), kernel, mode="valid")
        beyond = extreme.reduce((edge - mean[some]).astype(np.float32))
        smooth.append((mean + beyond).astype(np.float32))
    return smooth[0], smooth[1]


def cut_lines(shot: Shot, rng: np.random.Generator) -> None:
    """Parts of lines above and below, larger or smaller, along a line that is turned or bent."""
    inked = shot.ink.max(axis=2) > 0.3
    found = shot.inked_rows
    if len(found) < 8:
        return
    rows, columns = inked.shape
    top, foot = _edges(inked)
    ink = shot.ink
    for below in (False, True):
        if rng.random() < 0.4:
            continue
        # this line's own letters, elsewhere and in another size: the same hand
        scale = np.exp(rng.uniform(-0.7, 0.5))
        gap = rng.uniform(0.04, 0.35) * len(found)
        start = rng.uniform(-columns, columns)
        x = (np.arange(columns, dtype=np.float32) * np.float32(scale) + start) % columns
        y = np.arange(rows, dtype=np.float32)[:, None]
        if below:
            y = (y - (foot + gap)[None, :]) * scale + found[0]
            beyond = found[0]
        else:
            y = (y - (top - gap)[None, :]) * scale + found[-1]
            beyond = found[-1]
        other = cv2.remap(
            shot.ink,
            np.tile(x.astype(np.float32), (rows, 1)),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
        ).reshape(ink.shape)
        outside = (y >= beyond) if below else (y <= beyond)
        ink = np.maximum(ink, other * outside[..., None])
    shot.ink = ink


def _cut_beside(shot: Shot, widest: float, gap: float, rng: np.random.Generator) -> None:
    """Slivers of letters at the left and the right edge, of this line's ink.

    widest, gap: the most columns of a sliver, and the least between it and the line, in heights.
    """
    found, ink = shot.inked_rows, shot.ink.copy()
    across = np.flatnonzero(ink.max(axis=(0, 2)) > 0.3)
    if len(found) < 8:
        return
    for view, margin in ((ink, across[0]), (ink[:, ::-1], ink.shape[1] - 1 - across[-1])):
        width = int(min(rng.uniform(0.04, widest) * len(found), margin - gap * len(found)))
        if width < 1 or rng.random() < 0.4:
            continue
        at = int(rng.choice(across[: max(1, len(across) - width)]))
        part = shot.ink[:, at : at + width]
        view[:, : part.shape[1]] = np.maximum(view[:, : part.shape[1]], part)
    shot.ink = ink


def cut_letters(shot: Shot, rng: np.random.Generator) -> None:
    """A sliver of a letter at the left or the right edge: the crop has cut the word beside."""
    _cut_beside(shot, 0.16, 0.2, rng)


def cut_digits(shot: Shot, rng: np.random.Generator) -> None:
    """Parts of the next characters beside a single one, as in a crop of one digit of a number."""
    across = np.flatnonzero(shot.ink.max(axis=(0, 2)) > 0.3)
    if len(across) and across[-1] - across[0] < len(shot.inked_rows):
        _cut_beside(shot, 0.25, 0.06, rng)


def rules(shot: Shot, rng: np.random.Generator) -> None:
    """The rules of a table or a form, single or double, beside the line and never through it."""
    found, ink = shot.inked_rows, shot.ink.copy()
    across = np.flatnonzero(ink.max(axis=(0, 2)) > 0.3)
    if not len(found):
        return
    rows, columns, _ = ink.shape
    level, thickness = rng.uniform(0.4, 1), int(rng.integers(1, 3))
    margins = found[0], rows - 1 - found[-1], across[0], columns - 1 - across[-1]
    views = ink, ink[::-1], ink.swapaxes(0, 1), ink.swapaxes(0, 1)[::-1]
    for view, margin in zip(views, margins):
        room = int(margin) - thickness - 1
        if room < 1 or rng.random() < 0.5:
            continue
        at = int(rng.integers(0, room))
        view[at : at + thickness] = np.maximum(view[at : at + thickness], level)
        if rng.random() < 0.15 and at + 3 * thickness < margin:  # double
            view[at + 2 * thickness : at + 3 * thickness] = level
    shot.ink = ink
