"""What a printer, a pen or a display does to the characters."""

import cv2
import numpy as np

from ocr_simple.photography.effects.shot import Shot, grain, softened


def dot_matrix(shot: Shot, rng: np.random.Generator) -> None:
    """Characters made of the dots of a needle printer, or of the finer ones of a thermal head."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    height = max(8, len(shot.inked_rows))
    needles = rng.random() < 0.5
    pitch = height / (rng.uniform(8.5, 14) if needles else rng.uniform(14, 26))  # rows to a dot
    across = pitch * rng.uniform(0.6, 1.0)
    size = max(2, round(columns / across)), max(2, round(rows / pitch))
    dots = cv2.resize(ink, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    struck = np.clip((dots / max(0.1, dots.max()) - rng.uniform(0.25, 0.5)) / 0.15, 0, 1)
    struck *= rng.uniform(0.7, 1.0, struck.shape[:2]).astype(np.float32)[..., None]
    enlarged = cv2.resize(struck, (columns, rows), interpolation=cv2.INTER_NEAREST)
    x = np.arange(columns, dtype=np.float32) * (size[0] / columns) % 1 - 0.5
    y = np.arange(rows, dtype=np.float32) * (size[1] / rows) % 1 - 0.5
    radius = rng.uniform(0.4, 0.75)
    distance = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / radius  # from a dot's centre
    shot.ink = enlarged.reshape(ink.shape) * np.clip(1.5 - distance, 0, 1)[..., None]


def bleed(shot: Shot, rng: np.random.Generator) -> None:
    """Ink that has run, until narrow gaps close: a 5 becomes nearly a 6, a 6 nearly an 8."""
    ink = shot.ink
    soft = softened(ink, len(shot.inked_rows) * rng.uniform(0.03, 0.08))
    grown = (soft - rng.uniform(0.15, 0.45)) / rng.uniform(0.1, 0.4) + 0.5
    shot.ink = np.maximum(ink, np.clip(grown, 0, 1))


def starvation(shot: Shot, rng: np.random.Generator) -> None:
    """Too little ink: in patches, thin strokes and the sides of characters are missing."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    height = len(shot.inked_rows)
    soft = softened(ink, height * rng.uniform(0.02, 0.06))
    size = max(2.0, height * rng.uniform(0.2, 0.7))  # of a patch
    cells = max(2, round(columns / size)), max(2, round(rows / size))
    patches = cv2.resize(
        rng.standard_normal(cells[::-1], np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC
    )[..., None]
    level = rng.uniform(0.3, 0.55) + rng.uniform(0.05, 0.25) * patches
    kept = (soft - level) / rng.uniform(0.05, 0.3) + 0.5
    shot.ink = ink * np.clip(kept, rng.uniform(0, 0.3), 1)


def voids(shot: Shot, rng: np.random.Generator) -> None:
    """Print with gaps: worn patches, or rows or columns that the print head left out."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    if rng.random() < 0.6:
        worn = grain(rows, columns, rng)
        shot.ink = ink * np.clip(0.9 + worn / worn.std() * rng.uniform(0.1, 0.5), 0, 1)
        return
    shot.ink = ink = ink.copy()  # a new array, so that it may be changed
    across = rng.random() < 0.6
    lines = ink if across else ink.swapaxes(0, 1)
    for _ in range(int(rng.integers(1, 4 if across else 2 + 3 * columns // rows))):
        start = int(rng.integers(0, len(lines)))
        lines[start : start + rng.integers(1, 3)] *= rng.uniform(0, 0.6)


def fading(shot: Shot, rng: np.random.Generator) -> None:
    """Ink that runs out towards one end, or varies from row to row, as on thermal paper."""
    ink = shot.ink
    rows, columns, _ = ink.shape
    least = rng.uniform(0.05, 0.7)
    if rng.random() < 0.6:
        full = rng.uniform(0.2, 1) ** 2  # share of the width at which the ink is full
        slope = np.linspace(least, least + (1 - least) / full, columns, dtype=np.float32)
        level = np.minimum(slope, 1)[None, :, None]
        shot.ink = ink * (level if rng.random() < 0.5 else level[:, ::-1])
    else:
        rough = np.convolve(rng.uniform(least, 1.3, rows + 4), np.ones(3) / 3)[3 : rows + 3]
        shot.ink = ink * np.clip(rough, 0, 1).astype(np.float32)[:, None, None]


def neighbour_lines(shot: Shot, rng: np.random.Generator) -> None:
    """The feet of a line above and the heads of a line below, cut by the crop."""
    inked = shot.inked_rows
    if len(inked) < 8:
        return
    ink = shot.ink.copy()
    top, bottom = inked[0], inked[-1] + 1
    other = ink[:, ::-1]  # this line, mirrored: strokes like a neighbour's
    above, below = (rng.integers(0, 4, 2) * len(ink) / 32).astype(int)
    above = min(above, max(0, top - 2))
    below = min(below, max(0, len(ink) - bottom - 2))
    if above:
        ink[:above] = other[bottom - above : bottom]
    if below:
        ink[-below:] = other[top : top + below]
    shot.ink = ink


def separators(shot: Shot, rng: np.random.Generator) -> None:
    """Rules in the gaps between characters: the drums of a counter, the boxes of a form."""
    ink = shot.ink.copy()
    gaps = np.flatnonzero(ink.max(axis=(0, 2)) < 0.1)  # columns without ink
    level, half = rng.uniform(0.15, 1), rng.random()
    for run in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1):
        if 2 <= len(run) < len(ink):
            middle = (run[0] + run[-1] + 1) / 2
            width = max(1, round(half * len(run) / 2))
            ink[:, round(middle - width / 2) : round(middle + width / 2)] = level
    shot.ink = ink


def underline(shot: Shot, rng: np.random.Generator) -> None:
    """A rule under the line, or through its feet, over the whole width or a part."""
    ink = shot.ink.copy()
    rows, columns, _ = ink.shape
    inked = shot.inked_rows
    foot = inked[-1] if len(inked) else rows - 2
    top = int(np.clip(foot + rng.integers(-2, 4), 0, rows - 1))
    thickness = int(rng.integers(1, 3))
    start = int(rng.integers(0, columns)) if rng.random() < 0.3 else 0
    part = ink[top : top + thickness, start:]
    np.maximum(part, rng.uniform(0.3, 1), out=part)
    shot.ink = ink
