"""Characters of seven-segment displays."""

import math

import numpy as np
from outlines import Glyph

#   a
# f   b      Segments lit for each digit; 6, 7 and 9 have two forms each.
#   g
# e   c
#   d
LIT = {
    "0": ("abcdef",),
    "1": ("bc",),
    "2": ("abged",),
    "3": ("abgcd",),
    "4": ("fgbc",),
    "5": ("afgcd",),
    "6": ("afgedc", "fgedc"),
    "7": ("abc", "fabc"),
    "8": ("abcdefg",),
    "9": ("abcdfg", "abcfg"),
    "-": ("g",),
}


def display(rng: np.random.Generator) -> dict[str, Glyph]:
    """The characters of one seven-segment display: proportions, thickness, gaps, ends, slant."""
    high, wide = 760.0, rng.uniform(330, 560)
    thick = rng.uniform(0.08, 0.2) * high * (0.7 + 0.3 * wide / 450)
    gap, slant = rng.uniform(0.02, 0.25) * thick, math.tan(math.radians(rng.choice([0, 5, 8, 12])))
    pointed = rng.choice([0.5, 1.0]) == 0.5  # hexagons, or an outer edge longer than the inner
    half, middle = thick / 2, high / 2
    left, right = (0.0, wide) if pointed else (half, wide - half)
    foot, head = (half, high - half) if pointed else (0.0, high)

    def level(y: float, outer: int) -> np.ndarray:
        """A horizontal segment about y; outer 1 at the head, -1 at the foot, 0 in the middle."""
        start, end = gap, wide - gap
        if pointed or not outer:
            points = [(start + half, y - half), (start, y), (start + half, y + half)]
            return np.array([*points, (end - half, y + half), (end, y), (end - half, y - half)])
        edge, inner = y + outer * half, y - outer * half
        return np.array([(start, edge), (end, edge), (end - thick, inner), (start + thick, inner)])

    def upright(x: float, low: float, top: float, side: int) -> np.ndarray:
        """A vertical segment about x from low to top; side -1 left, 1 right."""
        low, top = low + gap, top - gap
        if pointed:
            points = [(x, low), (x - half, low + half), (x - half, top - half)]
            return np.array([*points, (x, top), (x + half, top - half), (x + half, low + half)])
        edge, inner = x + side * half, x - side * half
        at_foot, at_top = (thick, half) if low < middle - gap else (half, thick)
        return np.array([(edge, low), (edge, top), (inner, top - at_top), (inner, low + at_foot)])

    segments = {
        "a": level(high - half, 1),
        "g": level(middle, 0),
        "d": level(half, -1),
        "f": upright(left, middle, head, -1),
        "b": upright(right, middle, head, 1),
        "e": upright(left, foot, middle, -1),
        "c": upright(right, foot, middle, 1),
    }
    room = wide * rng.uniform(0.15, 0.6) + thick
    dot = thick * rng.uniform(0.7, 1.2)
    square = np.array([(0, 0), (0, dot), (dot, dot), (dot, 0)])
    beside = round(dot + rng.uniform(0.1, 0.6) * thick)
    glyphs = {
        " ": Glyph([], round(wide + room)),
        ".": Glyph([square], beside),
        ":": Glyph([np.add(square, (0, y * high)) for y in (0.2, 0.6)], beside),
    }
    for character, forms in LIT.items():
        lit = forms[rng.integers(len(forms))]
        outline = [segments[name] @ ((1, 0), (slant, 1)) + (room / 2, 0) for name in lit]
        glyphs[character] = Glyph([clockwise(polygon) for polygon in outline], round(wide + room))
    return glyphs


def clockwise(polygon: np.ndarray) -> np.ndarray:
    """A polygon's corners in the order in which TrueType fills it."""
    x, y = polygon.T
    area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return polygon[::-1] if area > 0 else polygon
