"""Font files for training, in folders by kind: print, receipt, handwriting, display.

    make fonts          (npm ci, then this script; see ../Makefile)

Three sources: families under open licences that npm carries (package.json; each has its LICENSE
in node_modules); digits that 43 people wrote, which scikit-learn carries (Alpaydin and Kaynak
1998, "Optical Recognition of Handwritten Digits", UCI, CC BY 4.0); and three kinds that are made
here, with the forms of many writers, of many receipt printers and of many displays.
A recipe draws with the fonts of its folder: see recipes.py.
"""

import json
import math
import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from skimage.morphology import skeletonize
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
WRITERS = 400  # fonts of strokes
PRINTERS = 120  # fonts of receipt printers
DISPLAYS = 120  # fonts of segments
EM = 1000  # units of a font's height
GRID = 400  # pixels on which strokes are drawn


class Glyph(NamedTuple):
    """A character's outline and how far it moves on, both in units of EM."""

    outline: list[np.ndarray]  # closed polygons (points, 2), y upwards; holes run the other way
    advance: int


# --- font files -------------------------------------------------------------------------------


def save_font(file: Path, glyphs: dict[str, Glyph]) -> None:
    """A TrueType file of these characters."""
    names = {character: f"u{ord(character):04x}" for character in glyphs}
    drawn, metrics = {".notdef": TTGlyphPen(None).glyph()}, {".notdef": (EM // 2, 0)}
    for character, (outline, advance) in glyphs.items():
        pen, corners = TTGlyphPen(None), [np.rint(polygon).astype(int) for polygon in outline]
        for points in corners:
            pen.moveTo(tuple(points[0].tolist()))
            for point in points[1:].tolist():
                pen.lineTo(tuple(point))
            pen.closePath()
        drawn[names[character]] = pen.glyph()
        left = min((int(points[:, 0].min()) for points in corners), default=0)
        metrics[names[character]] = (advance, left)
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder([".notdef", *names.values()])
    font.setupCharacterMap({ord(character): name for character, name in names.items()})
    font.setupGlyf(drawn)
    font.setupHorizontalMetrics(metrics)
    font.setupHorizontalHeader(ascent=850, descent=-150)
    font.setupNameTable({"familyName": file.stem, "styleName": "Regular"})
    font.setupOS2(sTypoAscender=850, sTypoDescender=-150, usWinAscent=1000, usWinDescent=300)
    font.setupPost()
    font.save(file)


def outline_of(ink: np.ndarray, unit: float, left: int, foot: int) -> list[np.ndarray]:
    """Outlines of a picture's ink (bool), `unit` to the pixel, `left` and `foot` its origin."""
    contours, _ = cv2.findContours(ink.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    smooth = (cv2.approxPolyDP(contour, 0.7, True)[:, 0] for contour in contours)
    return [(p - (left, foot)) * (unit, -unit) for p in smooth if len(p) > 2]


# --- handwriting ------------------------------------------------------------------------------

# Strokes of each digit's forms, through points (x, y) of a box 1 high, y downwards. `/` lifts the
# pen. Written down by hand for this file, after what one sees on forms in Europe and America.
FORMS = {
    "0": (
        ".5 0, .12 .2, .05 .6, .3 1, .6 .85, .68 .4, .5 .02, .35 .06",
        ".62 .12, .35 0, .05 .4, .2 .95, .5 .95, .68 .5, .55 .08, .4 .1",
        ".3 .02, .05 .5, .3 1, .6 .6, .5 .1, .2 .0",
        ".45 .05, .1 .2, .1 .8, .4 .95, .55 .5, .4 .05, .6 .2, .9 .15",
        ".1 .1, .3 0, .05 .4, .2 .95, .5 .8, .5 .2, .3 0, .75 0",
    ),
    "1": (
        ".1 0, .1 1",
        ".25 0, .05 1",
        "0 .35, .3 0, .3 1",
        "0 .55, .35 0, .25 1",
        "0 .8, .4 0, .35 1",
        "0 .2, .15 0, .15 1",
        "0 .3, .25 0, .25 1 / 0 1, .5 1",
    ),
    "2": (
        "0 .2, .25 0, .5 .2, .35 .6, 0 1 / 0 1, .6 1",
        "0 .15, .3 0, .5 .25, .3 .65, .02 .95, .12 .85, .3 .98, .6 .92",
        ".05 .25, .2 .02, .45 .1, .4 .45, .15 .8, 0 1, .3 .95, .6 1",
        ".2 .35, .05 .25, .2 0, .5 .1, .4 .5, .0 1, .1 .85, .4 1, .75 .9",
        ".15 .4, 0 .2, .25 0, .45 .2, .2 .7, -.1 1 / -.1 1, .6 .95",
    ),
    "3": (
        "0 .1, .3 0, .5 .2, .2 .45, .5 .7, .3 1, 0 .9",
        "0 0, .5 0 / .5 0, .2 .4, .5 .6, .4 .95, 0 .95",
        ".05 .15, .3 0, .45 .25, .15 .48, .3 .48, .5 .75, .25 1, 0 .85",
    ),
    "4": (
        ".3 0, 0 .6 / 0 .6, .6 .6 / .45 .3, .45 1",
        ".45 0, 0 .65 / 0 .65, .65 .65 / .45 0, .45 1",
        ".05 0, .02 .45, .45 .45 / .5 0, .45 1",
        ".1 0, 0 .4, .2 .5, .5 .4 / .55 0, .45 1",
        ".35 0, .1 .3, 0 .6, .3 .6, .6 .52 / .5 .3, .4 1",
        "0 0, 0 .45, .5 .45 / .5 0, .5 1",
        ".2 .0, .0 .4, .4 .5, .7 .35 / .55 .1, .45 1",
    ),
    "5": (
        ".5 0, .1 0 / .1 0, .05 .45, .3 .38, .5 .65, .35 1, 0 .9",
        ".1 0, .05 .42, .35 .4, .48 .7, .25 1, 0 .92 / .1 0, .6 .0",
        ".6 .02, .3 .0, .15 .2, .1 .45, .4 .5, .4 .85, .2 1, 0 .95",
        ".15 .05, .08 .45, .4 .5, .42 .85, .2 1, 0 .95 / .15 .06, .7 0",
        ".4 0, .3 .4, .45 .7, .25 1, 0 .85 / .35 .05, .8 0",
        ".2 .05, .15 .5, .4 .55, .35 .9, .1 1 / .2 0, .5 .05",
    ),
    "6": (
        ".45 0, .1 .4, .05 .8, .3 1, .5 .75, .3 .55, .06 .75",
        ".3 0, .05 .5, .15 .95, .45 .9, .42 .6, .2 .58, .08 .8",
        ".5 .05, .2 .2, 0 .7, .2 1, .45 .85, .4 .62, .15 .65",
    ),
    "7": (
        "0 0, .55 0 / .55 0, .2 1",
        "0 0, .55 0 / .55 0, .25 1 / .15 .5, .6 .5",
        "0 .15, .05 0, .55 .05 / .55 .05, .3 .5, .2 1 / .1 .55, .6 .45",
        "0 .1, .2 0, .4 .06, .6 0 / .6 0, .3 .45, .25 1 / .1 .5, .55 .48",
        "0 .05, .6 0 / .6 0, .35 .4, .3 1",
    ),
    "8": (
        ".5 .15, .25 0, .08 .2, .3 .45, .5 .75, .25 1, .02 .78, .3 .45, .5 .2, .4 .05",
        ".25 0, .05 .2, .25 .45, .48 .25, .25 0 / .25 .45, 0 .75, .25 1, .5 .75, .25 .45",
        ".55 .05, .2 .05, .15 .3, .45 .6, .35 1, .05 .9, .15 .6, .5 .25, .5 .08",
        ".6 .1, .35 0, .2 .2, .4 .5, .3 .95, .05 .8, .3 .5, .6 .25, .55 0",
    ),
    "9": (
        ".48 .15, .2 0, 0 .25, .2 .5, .45 .3, .5 .1 / .5 .1, .45 1",
        ".5 .2, .25 0, .02 .2, .2 .45, .45 .3, .52 .1, .5 .6, .3 1, .05 .9",
        ".5 .1, .2 .02, .05 .3, .3 .45, .5 .12 / .5 .12, .35 .6, .15 1",
        ".45 .2, .2 0, 0 .3, .25 .5, .48 .2, .4 .7, .3 1",
        ".35 .3, .1 .35, .1 .1, .35 0, .45 .2, .3 .4 / .45 .1, .1 1",
        ".1 .05, .05 .35, .35 .4, .5 .1, .2 0 / .5 .1, .3 1",
    ),
    ".": (".0 .97, .03 1",),
    ",": (".06 .93, .06 1, 0 1.12",),
    "-": ("0 .55, .4 .55", "0 .6, .2 .5, .5 .55"),
    "=": ("0 .4, .4 .4 / 0 .6, .4 .6", "0 .45, .5 .4 / 0 .65, .5 .6"),
}


def curve(points: np.ndarray, steps: int = 12) -> np.ndarray:
    """A Catmull-Rom spline through points (n, 2), `steps` to a piece."""
    p = np.concatenate((points[:1], points, points[-1:]))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2)
        + 0.5 * (3 * b - a - 3 * c + d) * t**3
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:])
    ]
    return np.concatenate((*pieces, points[-1:]))


def strokes(form: str) -> list[np.ndarray]:
    """The points (n, 2) of each stroke of a form."""
    return [
        np.array([[float(v) for v in point.split()] for point in stroke.split(",")])
        for stroke in form.split("/")
    ]


def glyph_of(ink: np.ndarray, high: float, room: int) -> Glyph:
    """A picture's ink as a glyph: GRID pixels are `high` units; it stands GRID / 4 from below."""
    columns = np.flatnonzero(ink.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    unit = high / GRID
    foot = ink.shape[0] - GRID // 4
    outline = [np.add(p, (room // 2, 0)) for p in outline_of(ink, unit, left, foot)]
    return Glyph(outline, max(60, round((right - left) * unit) + room))


def written_by(rng: np.random.Generator) -> dict[str, Glyph]:
    """One writer's characters: a form for each, moved about, with one slant and one pen."""
    slant, wide = rng.normal(0.15, 0.2), rng.uniform(0.7, 1.3)
    pen = max(6, round(GRID * rng.uniform(0.05, 0.14)))
    wobble, room = rng.uniform(0.02, 0.06), round(EM * rng.uniform(-0.02, 0.14))
    glyphs: dict[str, Glyph] = {" ": Glyph([], 300)}
    for character, forms in FORMS.items():
        canvas = np.zeros((2 * GRID, 3 * GRID), np.uint8)
        sure = character in ".,-="
        size = 1 if sure else rng.uniform(0.8, 1.15)
        drop = 0 if sure else rng.normal(0, 0.05)
        for stroke in strokes(forms[rng.integers(len(forms))]):
            moved = stroke + rng.normal(0, wobble, stroke.shape) * (0.3 if sure else 1)
            x, y = (curve(moved) if len(moved) > 2 else moved).T
            y = (y - 1) * size + drop  # over the foot
            x = x * wide * size - slant * y
            path = np.stack((x * GRID + GRID, y * GRID + 1.75 * GRID), 1)
            cv2.polylines(canvas, [np.round(path).astype(np.int32)], False, 255, pen)
        soft = cv2.GaussianBlur(canvas, (0, 0), pen / 4) > 127
        glyphs[character] = glyph_of(soft, 0.72 * EM, room)
    return glyphs


HOLES = {"0": {1}, "2": {0, 1}, "4": {0, 1}, "6": {1}, "8": {2}, "9": {1}}  # else none


def thinned(image: np.ndarray, character: str) -> np.ndarray | None:
    """The middle line (bool) of an 8 x 8 image, where it has the character's holes."""
    large = cv2.resize(np.pad(image, 1), (GRID, GRID), interpolation=cv2.INTER_CUBIC) / 16
    for level in (0.45, 0.35, 0.55, 0.65, 0.75):
        line = skeletonize(large > level)
        pieces = cv2.connectedComponents(line.astype(np.uint8), connectivity=8)[0] - 1
        holes = cv2.connectedComponents((~line).astype(np.uint8), connectivity=4)[0] - 2
        if pieces == 1 and holes in HOLES.get(character, {0}):
            return line
    return None


def collected(rng: np.random.Generator) -> Iterator[dict[str, Glyph]]:
    """Fonts of the digits that scikit-learn carries; each digit is used once."""
    digits = load_digits()
    lines: dict[str, list[np.ndarray]] = {str(k): [] for k in range(10)}
    for image, k in zip(digits.images, digits.target.tolist()):
        line = thinned(image, str(k))
        if line is not None:
            lines[str(k)].append(line)
    marks = written_by(rng)
    for i in range(min(map(len, lines.values()))):
        pen = max(6, round(GRID * rng.uniform(0.05, 0.12)))
        room = round(EM * rng.uniform(0.0, 0.16))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen))
        glyphs = {" ": marks[" "], **{c: marks[c] for c in ".,-="}}
        for character, found in lines.items():
            thick = cv2.dilate(found[i].astype(np.uint8) * 255, disc)
            ink = np.pad(cv2.GaussianBlur(thick, (0, 0), 6) > 127, ((GRID // 2, GRID // 4), (0, 0)))
            glyphs[character] = glyph_of(ink, 0.85 * EM, room)
        yield glyphs


# --- receipt printers -------------------------------------------------------------------------

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
        # hooks that curl, bowls of two thirds: narrow faces, where a little ink closes them
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
PRINTED["9"] = tuple(
    " / ".join(
        ", ".join(f"{1 - x:.2f} {1 - y:.2f}" for x, y in stroke.tolist())
        for stroke in strokes(form)
    )
    for form in PRINTED["6"]
)  # the 6, turned round
ZEROS = ("", "", "", "", " / .15 .78, .85 .22", " / .5 .44, .5 .56")  # plain, slashed, dotted


def printer(rng: np.random.Generator) -> dict[str, Glyph]:
    """One receipt printer's characters, all of one width: drawn, of fine dots, or of needles."""
    wide, pen = rng.uniform(0.38, 0.72), rng.uniform(0.07, 0.2)
    kind = rng.choice(["drawn", "dots", "needles"], p=[0.35, 0.35, 0.3])
    rounded, zero = rng.random() < 0.6 and kind != "needles", ZEROS[rng.integers(len(ZEROS))]
    if kind == "needles":
        high = int(rng.choice([7, 7, 9]))  # dots
        across = max(5, round(high * wide * rng.choice([1, 1, 2])))  # in half steps now and then
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
    """The needles' dots that the strokes run through, as `_stroked`."""
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


# --- displays ---------------------------------------------------------------------------------

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


# --- packages ---------------------------------------------------------------------------------


def packaged() -> Iterator[tuple[str, Path]]:
    """(kind, file) of each family of package.json: its regular weight, of receipts' bold too, and
    the italic of print, whose 1 is near a 7."""
    for kind, names in json.loads((HERE / "package.json").read_text())["kinds"].items():
        for name in names:
            files = HERE / "node_modules" / "@fontsource" / name / "files"
            found = [files / f"{name}-latin-{w}-normal.woff" for w in (400, 700, 300, 500)]
            found = [file for file in found if file.is_file()]
            if not found:
                sys.exit(f"fonts: {files} holds no file of {name}; run make fonts, which asks npm")
            yield kind, found[0]
            if kind == "receipt":
                yield from ((kind, file) for file in found[1:] if "-700-" in file.name)
            italic = files / f"{name}-latin-400-italic.woff"
            if kind == "print" and italic.is_file():
                yield kind, italic


def main() -> None:
    """Make fonts/made/ anew."""
    made = HERE / "made"
    shutil.rmtree(made, ignore_errors=True)
    for kind in ("print", "receipt", "handwriting", "display"):
        (made / kind).mkdir(parents=True)
    counts = dict.fromkeys(("npm", "collected", "strokes", "printers", "segments"), 0)
    for kind, file in packaged():
        shutil.copy(file, made / kind)
        counts["npm"] += 1
    for i, glyphs in enumerate(collected(np.random.default_rng(1))):
        save_font(made / "handwriting" / f"collected{i:03}.ttf", glyphs)
        counts["collected"] += 1
    for i in range(WRITERS):
        save_font(made / "handwriting" / f"strokes{i:03}.ttf", written_by(np.random.default_rng(i)))
        counts["strokes"] += 1
    for i in range(PRINTERS):
        save_font(made / "receipt" / f"printer{i:03}.ttf", printer(np.random.default_rng(i)))
        counts["printers"] += 1
    for i in range(DISPLAYS):
        save_font(made / "display" / f"segments{i:03}.ttf", display(np.random.default_rng(i)))
        counts["segments"] += 1
    print(f"{made}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
