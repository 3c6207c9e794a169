"""Characters as receipt printers set them: drawn, in fine dots, or by needles."""

from itertools import pairwise

import cv2
import numpy as np
from outlines import EM, GRID, Glyph, curve, outline_of, strokes

# Strokes of each digit's forms as printers draw them, in the notation of FORMS, in a box 1 wide.
PRINTED = {
    "0": (
        ".25 0, .75 0, 1 .18, 1 .82, .75 1, .25 1, 0 .82, 0 .18, .25 0",
        ".5 0, .9 .12, 1 .5, .9 .88, .5 1, .1 .88, 0 .5, .1 .12, .5 0",
    ),
    "1": (
        ".5 0, .5 1",
        ".15 .22, .55 0, .55 1",
        ".15 .2, .5 0, .5 1 / .1 1, .9 1",
        ".2 .12, .6 .12 / .6 0, .6 1",
        ".2 .15, .5 0, .5 1 / .25 1, .75 1",
    ),
    "2": (
        "0 .25, 0 .15, .25 0, .75 0, 1 .16, 1 .35, .8 .52, .1 .88, 0 1 / 0 1, 1 1",
        "0 .22, .2 .04, .5 0, .85 .08, 1 .28, .8 .55, .35 .8, 0 1 / 0 1, 1 1",
    ),
    "3": (
        "0 .16, .25 0, .75 0, 1 .15, 1 .35, .75 .47, .35 .47 / "
        ".75 .47, 1 .6, 1 .85, .75 1, .25 1, 0 .84",
        "0 0, 1 0 / 1 0, .45 .4 / .45 .4, .75 .42, 1 .6, 1 .85, .75 1, .25 1, 0 .87",
    ),
    "4": (
        ".75 1, .75 0 / .75 0, 0 .68 / 0 .68, 1 .68",
        ".1 0, 0 .62 / 0 .62, 1 .62 / .75 .3, .75 1",
        ".6 0, 0 .7 / 0 .7, 1 .7 / .7 .4, .7 1",
    ),
    "5": (
        "1 0, .08 0 / .08 0, 0 .46 / 0 .46, .3 .38, .7 .38, 1 .55, 1 .82, .75 1, .25 1, 0 .85",
        ".95 0, .05 0 / .05 0, .05 .44 / .05 .44, .7 .42, 1 .58, 1 .85, .7 1, .25 1, 0 .88",
        "1 0, 0 0 / 0 0, 0 .36 / 0 .36, .8 .36, 1 .5, 1 .85, .8 1, .2 1, 0 .85, 0 .76",
    ),
    "6": (
        ".95 .14, .7 0, .3 0, 0 .2, 0 .8, .25 1, .75 1, 1 .82, 1 .58, .75 .42, .25 .42, 0 .58",
        ".75 0, .3 .22, 0 .6, 0 .82, .25 1, .75 1, 1 .82, 1 .6, .75 .44, .25 .44, 0 .62",
        # curled hooks and large bowls, as in narrow faces, where a little ink closes the gap
        "1 .2, .8 0, .2 0, 0 .15, 0 .85, .2 1, .8 1, 1 .85, 1 .5, .8 .35, .2 .35, 0 .46",
        "1 .22, 1 .12, .75 0, .25 0, 0 .14, 0 .84, .25 1, .75 1, 1 .84, 1 .54, .8 .38, 0 .38",
    ),
    "7": (
        "0 0, 1 0 / 1 0, .4 1",
        "0 .15, 0 0 / 0 0, 1 0 / 1 0, .95 .2, .5 .6, .4 1",
        "0 0, 1 0 / 1 0, 1 .15, .45 .55, .45 1",
    ),
    "8": (
        ".25 0, .75 0, 1 .14, 1 .34, .75 .47, .25 .47, 0 .34, 0 .14, .25 0 / "
        ".25 .47, 0 .6, 0 .86, .25 1, .75 1, 1 .86, 1 .6, .75 .47",
        ".5 0, .88 .1, .9 .32, .5 .46, .1 .32, .12 .1, .5 0 / "
        ".5 .46, .95 .62, .95 .88, .5 1, .05 .88, .05 .62, .5 .46",
    ),
    ".": (".5 .98, .52 1",),
    ",": (".52 .95, .5 1, .42 1.14",),
    ":": (".5 .35, .52 .37 / .5 .85, .52 .87",),
    "-": (".1 .52, .9 .52",),
    "/": ("1 0, 0 1",),
}
PRINTED["9"] = tuple(  # the 6, turned round
    " / ".join(
        ", ".join(f"{1 - x:.2f} {1 - y:.2f}" for x, y in stroke.tolist())
        for stroke in strokes(form)
    )
    for form in PRINTED["6"]
)
ZEROS = ("", "", "", "", " / .15 .78, .85 .22", " / .5 .44, .5 .56")  # plain, slashed, dotted


def printer(rng: np.random.Generator) -> dict[str, Glyph]:
    """One receipt printer's characters, all of one width: drawn, in fine dots, or by needles."""
    wide, pen = rng.uniform(0.38, 0.72), rng.uniform(0.07, 0.2)
    kind = rng.choice(["drawn", "dots", "needles"], p=[0.35, 0.35, 0.3])
    rounded, zero = rng.random() < 0.6 and kind != "needles", ZEROS[rng.integers(len(ZEROS))]
    if kind == "needles":
        high = int(rng.choice([7, 7, 9]))  # dots
        across = max(5, round(high * wide * rng.choice([1, 1, 2])))  # sometimes in half steps
        radius = rng.uniform(0.4, 0.65)
    else:
        high = int(rng.integers(14, 26))
        across = max(6, round(high * wide))
        pen = max(pen, 1.1 / high) if kind == "dots" else pen
    gap = pen if kind != "needles" else 1.5 * wide / across + radius / high
    room = round(0.72 * EM * (wide * rng.uniform(0.1, 0.5) + gap))
    glyphs = {" ": Glyph([], round(0.72 * EM * wide) + room)}
    for character, forms in PRINTED.items():
        form = forms[rng.integers(len(forms))] + (zero if character == "0" else "")
        paths = [curve(p) if rounded and len(p) > 2 else p for p in strokes(form)]
        if kind == "drawn":
            ink = _stroked(paths, (GRID * wide, GRID), GRID * pen)
        elif kind == "dots":
            fine = _stroked(paths, (8 * across, 8 * high), 8 * high * pen)
            few = cv2.resize(fine, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA) > 110
            scale = GRID / high, GRID * wide / across
            ink = cv2.resize(
                few.astype(np.uint8) * 255, None, fx=scale[1], fy=scale[0],
                interpolation=cv2.INTER_NEAREST,
            )  # fmt: skip
        else:
            ink = _struck(paths, across, high, wide, radius)
        outline = outline_of(ink > 127, 0.72 * EM / GRID, 0, ink.shape[0] * 3 // 4)
        left = round(0.72 * EM * ink.shape[1] / GRID - 0.72 * EM * wide) // 2
        glyphs[character] = Glyph(
            [np.add(p, (room // 2 - left, 0)) for p in outline], glyphs[" "].advance
        )
    return glyphs


def _stroked(paths: list[np.ndarray], size: tuple[float, float], pen: float) -> np.ndarray:
    """Strokes of a box as wide and high as `size`, in a picture twice as high, 0 to 255."""
    wide, high = size
    ink = np.zeros((round(2 * high), round(wide + high)), np.uint8)
    for path in paths:
        points = path * (wide - pen, high - pen) + (high / 2 + pen / 2, high / 2 + pen / 2)
        cv2.polylines(ink, [np.rint(points).astype(np.int32)], False, 255, max(1, round(pen)))
    return ink


def _struck(
    paths: list[np.ndarray], across: int, high: int, wide: float, radius: float
) -> np.ndarray:
    """The needles' dots on the strokes, in a picture as `_stroked` gives it."""
    pitch = np.array((GRID * wide / (across - 1), GRID / (high - 1)))
    ink = np.zeros((2 * GRID, round(GRID * wide) + GRID), np.uint8)
    for path in paths:
        ends = np.rint(path * (across - 1, high - 1))
        dots = np.concatenate(
            [np.rint(np.linspace(a, b, 1 + int(abs(b - a).max()))) for a, b in pairwise(ends)]
        )
        for x, y in dots * pitch + GRID / 2:
            cv2.circle(ink, (round(x), round(y)), max(3, round(radius * pitch[1])), 255, -1)
    return ink
