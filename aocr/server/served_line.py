"""What was read in an image, as the server answers it."""

from typing import NamedTuple

import numpy as np

from ocr_simple.text import Line

NO_MAPS = np.zeros((0, 0), np.float32)
MAP_COLUMNS = 200  # of a character's map, at most


class ServedLine(NamedTuple):
    """What was read in one image, with the names of the signature `read`."""

    output: str
    probability: float
    characters: list[str]
    probabilities: list[float]
    starts: list[float]  # in pixels of the upright image, or of the line in its box
    ends: list[float]
    maps: np.ndarray  # (characters, at most MAP_COLUMNS): where each was seen, 0 to 1
    cropped: bool = False  # whether the image was read in the model's box


def served_line(
    line: Line, pixels: float, width: float, maps: np.ndarray | None, cropped: bool
) -> ServedLine:
    """A line in logical order, as it is answered.

    pixels: of a time step, in the upright image or the line in its box; width: of that, in pixels.
    maps: where each character was seen, (characters, steps).
    """
    characters = line.characters
    return ServedLine(
        line.text,
        line.confidence,
        [c.text for c in characters],
        [c.confidence for c in characters],
        [c.start * pixels for c in characters],
        [min(c.end * pixels, width) for c in characters],
        NO_MAPS if maps is None else pooled(maps),
        cropped,
    )


def pooled(maps: np.ndarray) -> np.ndarray:
    """Maps (characters, steps) of at most MAP_COLUMNS columns: the highest of several steps."""
    steps = maps.shape[1]
    if steps <= MAP_COLUMNS:
        return maps.copy()  # the maps of the whole batch can be forgotten
    return np.maximum.reduceat(maps, np.arange(MAP_COLUMNS) * steps // MAP_COLUMNS, axis=1)
