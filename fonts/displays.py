"""Characters of displays: of seven segments, or of the pixels of a panel."""

import math

import numpy as np
from outlines import Glyph
from printers import printer

#   a
# f   b      Segments lit for each digit; 1, 6, 7 and 9 have two forms each.
#   g
# e   c
#   d
LIT = {
    "0": ("abcdef",),
    "1": ("bc", "bc", "bc", "bc", "bc", "ef"),
    "2": ("abged",),
    "3": ("abgcd",),
    "4": ("fgbc",),
    "5": ("afgcd",),
    "6": ("afgedc", "afgedc", "fgedc"),
    "7": ("abc", "abc", "fabc"),
    "8": ("abcdefg",),
    "9": ("abcdfg", "abcdfg", "abcfg"),
    "-": ("g",),
}
HIGH = 760.0  # of a digit
CLEAR = 100.0  # beside a point: 3 pixels where digits are 23 high
SMALLEST_POINT = 65.0  # 2 of these pixels
PANELS = 0.3  # share of fonts of pixels


def display(rng: np.random.Generator) -> dict[str, Glyph]:
    """The characters of one display."""
    return panel(rng) if rng.random() < PANELS else segments(rng)


# --- segments ---------------------------------------------------------------------------------


def segments(rng: np.random.Generator) -> dict[str, Glyph]:
    """One seven-segment display: proportions, thickness, gaps, ends, slant, pitch, points."""
    wide = rng.uniform(330, 520) if rng.random() < 0.7 else rng.uniform(230, 680)
    thick = min(0.27 * wide, rng.uniform(0.06, 0.2) * HIGH * (0.7 + 0.3 * wide / 450))
    slant = math.tan(math.radians(rng.uniform(3, 15) if rng.random() < 0.65 else 0))
    drawn = _segments(wide, thick, rng)
    # A slanted digit leans half to the left and half to the right of its cell. The gap between
    # digits is on the right of a cell: the point stands in it, at the foot.
    lean = slant * HIGH / 2
    gap = rng.uniform(0.12, 0.5) * wide if rng.random() < 0.8 else rng.uniform(0.5, 1.1) * wide
    room = max(gap + 0.5 * thick, 1.7 * lean)
    free = max(0.0, room - 2 * lean)
    left = room / 2 - 0.35 * free  # of a digit
    advance = round(wide + room)

    def glyph(polygons: list[np.ndarray], x: float, width: float) -> Glyph:
        """Polygons that are slanted about their middle and moved to x, in a cell of a width."""
        placed = [np.add(p @ ((1, 0), (slant, 1)), (x - lean, 0)) for p in polygons]
        return Glyph([clockwise(polygon) for polygon in placed], round(width))

    size = max(SMALLEST_POINT, thick * rng.uniform(0.8, 1.4))
    corners = 4 if rng.random() < 0.5 else 12
    between = room - left + lean  # from a digit's foot to the end of its cell
    clear = max(CLEAR, 0.8 * thick)  # of the point, on both sides together: it has to be seen
    beside = max(0.0, size * rng.uniform(1.0, 1.3) + clear - between)
    if rng.random() < 0.3:  # points that have a place of their own
        beside = max(beside, size * rng.uniform(0.3, 1.3))
    # in the middle of the gap at the foot, or closer to the digit before it
    start = rng.uniform(0.3, 0.6) * (beside + between - size) - between + lean
    point = dot(size, corners)
    tail = np.array([(0.3, 0.3), (1.0, 0.3), (0.4, -0.9), (0.0, -0.9)]) * size
    colon = size * rng.uniform(1.5, 3.5)
    glyphs = {
        " ": Glyph([], advance),
        ".": glyph([point], start, beside),
        ",": glyph([point, tail], start, beside),
        ":": glyph([np.add(point, (0, y * HIGH)) for y in (0.22, 0.65)], lean + 0.2 * colon, colon),
    }
    for character, forms in LIT.items():
        lit = forms[rng.integers(len(forms))]
        glyphs[character] = glyph([drawn[name] for name in lit], left, advance)
    return glyphs


def _segments(wide: float, thick: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The outline of each segment of an upright digit, its foot at the left at (0, 0)."""
    ends = rng.choice(["pointed", "mitred", "round", "flat"], p=[0.4, 0.35, 0.15, 0.1])
    gap = rng.uniform(0.02, 0.25) * thick if rng.random() < 0.7 else rng.uniform(0.25, 0.6) * thick
    gap = min(gap, 0.08 * wide)
    half, middle = thick / 2, HIGH / 2
    if ends == "mitred":
        return _mitred(wide, thick, gap)
    # from the middle of one joint to the next; round and flat ends meet at a distance
    shape = {"pointed": pointed, "round": rounded, "flat": flat}[ends]
    short = gap if ends == "pointed" else gap + half * rng.uniform(0.3, 1.0)
    short = min(short, 0.11 * (wide - thick))  # or strokes would turn into dots
    left, right, foot, head = half, wide - half, half, HIGH - half

    def level(y: float) -> np.ndarray:
        return np.add(shape(right - left - 2 * short, half), (left + short, y))

    def upright(x: float, low: float, top: float) -> np.ndarray:
        return np.add(shape(top - low - 2 * short, half)[:, ::-1], (x, low + short))

    return {
        "a": level(head),
        "g": level(middle),
        "d": level(foot),
        "f": upright(left, middle, head),
        "b": upright(right, middle, head),
        "e": upright(left, foot, middle),
        "c": upright(right, foot, middle),
    }


def _mitred(wide: float, thick: float, gap: float) -> dict[str, np.ndarray]:
    """Segments with an outer edge that is longer than the inner one."""
    half, middle = thick / 2, HIGH / 2

    def level(y: float, outer: int) -> np.ndarray:
        """A horizontal segment about y; outer 1 at the head, -1 at the foot."""
        start, end, edge, inner = gap, wide - gap, y + outer * half, y - outer * half
        return np.array([(start, edge), (end, edge), (end - thick, inner), (start + thick, inner)])

    def upright(x: float, low: float, top: float, side: int) -> np.ndarray:
        """A vertical segment about x from low to top; side -1 left, 1 right."""
        low, top, edge, inner = low + gap, top - gap, x + side * half, x - side * half
        at_foot, at_top = (thick, half) if low < middle - gap else (half, thick)
        return np.array([(edge, low), (edge, top), (inner, top - at_top), (inner, low + at_foot)])

    return {
        "a": level(HIGH - half, 1),
        "g": np.add(pointed(wide - 2 * gap - thick, half), (gap + half, middle)),
        "d": level(half, -1),
        "f": upright(half, middle, HIGH, -1),
        "b": upright(wide - half, middle, HIGH, 1),
        "e": upright(half, 0, middle, -1),
        "c": upright(wide - half, 0, middle, 1),
    }


def pointed(length: float, half: float) -> np.ndarray:
    """A hexagon from (0, 0) to (length, 0), `half` high on each side."""
    cut = min(half, length / 2)
    points = [(0, 0), (cut, half), (length - cut, half)]
    return np.array([*points, (length, 0), (length - cut, -half), (cut, -half)])


def rounded(length: float, half: float) -> np.ndarray:
    """The same with half circles as ends."""
    angles = np.linspace(math.pi / 2, 3 * math.pi / 2, 8)
    radius = min(half, length / 2)
    end = np.stack((radius * (1 + np.cos(angles)), half * np.sin(angles)), axis=1)
    return np.concatenate((end, (length, 0) - end))


def flat(length: float, half: float) -> np.ndarray:
    """The same as a rectangle."""
    return np.array([(0, half), (length, half), (length, -half), (0, -half)])


def dot(size: float, corners: int) -> np.ndarray:
    """A regular polygon that is `size` wide, its corner at (0, 0)."""
    angles = (np.arange(corners) + 0.5) * (2 * math.pi / corners)
    points = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return (points / points.max() + 1) * (size / 2)


def clockwise(polygon: np.ndarray) -> np.ndarray:
    """A polygon's corners in the order in which TrueType fills it."""
    x, y = polygon.T
    area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return polygon[::-1] if area > 0 else polygon


# --- pixels -----------------------------------------------------------------------------------


def panel(rng: np.random.Generator) -> dict[str, Glyph]:
    """One panel of pixels: a printer's forms, with narrow points."""
    glyphs = printer(rng)
    beside = rng.uniform(20, 90)
    for mark in ".,:" if rng.random() < 0.8 else "":
        corners = np.concatenate(glyphs[mark].outline)
        left, right = corners[:, 0].min(), corners[:, 0].max()
        outline = [np.add(polygon, (beside - left, 0)) for polygon in glyphs[mark].outline]
        glyphs[mark] = Glyph(outline, round(right - left + 2 * beside))
    return glyphs
