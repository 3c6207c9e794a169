"""Images that may be a mistake: a page, two lines, a line on its side."""

import itertools
import math

import numpy as np

ONE_LINE = "only single lines can be read; crop it to the line"


def odd_shape(pixels: np.ndarray, may_be_turned: bool) -> str | None:
    """A warning about an image that is probably not a single line; None for others."""
    height, width = pixels.shape[:2]
    if height > 2 * width:  # a single digit is taller than wide
        turned = "if the line runs from top to bottom, read it with --orientation auto"
        taller = f"taller than wide ({width} x {height}); {ONE_LINE}, or {turned}"
        return None if may_be_turned else taller
    if height > 300 and width < 2 * height:
        return f"looks like a page ({width} x {height}); {ONE_LINE}"
    return f"looks like two lines; {ONE_LINE}" if shows_two_lines(pixels) else None


def shows_two_lines(pixels: np.ndarray) -> bool:
    """Whether a clear band without ink divides an image into two lines of similar height.

    pixels: uint8 (rows, columns, channels). Rarely wrong when it finds two: of 6,000 photographs
    and scans of single lines, one is taken for two; of images of two, about half are found.
    """
    step = max(1, pixels.shape[0] // 64)  # detail that is not needed
    levels = pixels[::step, ::step]
    levels = levels[..., 0] if levels.shape[2] == 1 else levels.max(axis=2)
    rows = len(levels)
    ordered = np.sort(levels[::2, ::2], axis=None)  # np.percentile takes ten times as long
    places = np.multiply((0.01, 0.5, 0.99), len(ordered) - 1)
    dark, background, light = np.interp(places, np.arange(len(ordered)), ordered).tolist()
    if rows < 16 or light - dark < 40:
        return False
    margin = (light - dark) / 4
    darker, lighter = math.ceil(background - margin), math.floor(background + margin)
    inked: np.ndarray = (levels < darker) | (levels > lighter)  # (rows, columns)
    tall = [(top, end) for top, end in _runs(inked.max(axis=1)) if end - top >= rows / 5]
    if len(tall) < 2:
        return False
    lines = [band for band in tall if _looks_like_text(inked[slice(*band)])]
    for (top, end), (next_top, next_end) in itertools.pairwise(lines):
        low, high = sorted((end - top, next_end - next_top))
        between = inked[end:next_top]
        if low >= 0.6 * high and len(between) >= 0.4 * high and not between.any():
            return True
    return False


def _looks_like_text(inked: np.ndarray) -> bool:
    """Whether a band (rows, columns) has at least three characters, and is wide for its height."""
    characters = _runs(inked.max(axis=0))
    return len(characters) >= 3 and characters[-1][1] - characters[0][0] >= 2 * len(inked)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of each run of true values."""
    framed = np.zeros(len(flags) + 2, bool)  # np.diff with prepend takes ten times as long
    framed[1:-1] = flags
    changes = np.flatnonzero(framed[1:] != framed[:-1]).tolist()
    return list(zip(changes[::2], changes[1::2]))
