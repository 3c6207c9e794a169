"""Handwritten digits: drawn by strokes as many writers do, or taken from scikit-learn's digits."""

from collections.abc import Iterator

import cv2
import numpy as np
from outlines import EM, GRID, Glyph, curve, glyph_of, strokes
from skimage.morphology import skeletonize
from sklearn.datasets import load_digits

# Zeros whose last stroke runs on from the top to the next one, as in 5000.
LINKED_ZEROS = (
    ".1 .1, .3 0, .05 .4, .2 .95, .5 .8, .5 .2, .3 0, .75 0",
    ".35 .1, .05 .45, .2 .95, .5 .85, .55 .35, .3 .08, .55 0, .95 .1",
    ".3 .05, .02 .5, .25 1, .55 .6, .4 .1, .2 .2, .45 .3, .9 .12",
)

# Strokes of each digit's forms, through points (x, y) of a box 1 high, y downwards. `/` lifts the
# pen. Written by hand for this file, modelled on handwritten forms from Europe and America.
FORMS = {
    "0": (
        ".5 0, .12 .2, .05 .6, .3 1, .6 .85, .68 .4, .5 .02, .35 .06",
        ".62 .12, .35 0, .05 .4, .2 .95, .5 .95, .68 .5, .55 .08, .4 .1",
        ".3 .02, .05 .5, .3 1, .6 .6, .5 .1, .2 .0",
        ".45 .05, .1 .2, .1 .8, .4 .95, .55 .5, .4 .05, .6 .2, .9 .15",
        ".5 .1, .1 .3, .15 .9, .6 1, .9 .6, .75 .15, .4 .05",
        ".15 .1, .02 .6, .3 1, .6 .6, .5 .08, .3 .02",
        *LINKED_ZEROS,
    ),
    "1": (
        ".1 0, .1 1",
        ".25 0, .05 1",
        "0 .35, .3 0, .3 1",
        "0 .55, .35 0, .25 1",
        "0 .8, .4 0, .35 1",
        "0 .2, .15 0, .15 1",
        "0 .3, .25 0, .25 1 / 0 1, .5 1",
        "-.3 1, .35 0, .2 1",
        "-.35 .75, .3 0, .15 1",
        "0 1, .25 0, .35 1",
    ),
    "2": (
        "0 .2, .25 0, .5 .2, .35 .6, 0 1 / 0 1, .6 1",
        "0 .15, .3 0, .5 .25, .3 .65, .02 .95, .12 .85, .3 .98, .6 .92",
        ".05 .25, .2 .02, .45 .1, .4 .45, .15 .8, 0 1, .3 .95, .6 1",
        ".2 .35, .05 .25, .2 0, .5 .1, .4 .5, .0 1, .1 .85, .4 1, .75 .9",
        ".15 .4, 0 .2, .25 0, .45 .2, .2 .7, -.1 1 / -.1 1, .6 .95",
        "0 .08, .45 .05 / .45 .05, 0 1 / 0 1, .6 1",
        ".1 .25, .3 .02, .5 .2, .35 .7, .05 .98, -.05 .85, .1 .8, .5 1, .8 .9",
    ),
    "3": (
        "0 .1, .3 0, .5 .2, .2 .45, .5 .7, .3 1, 0 .9",
        "0 0, .5 0 / .5 0, .2 .4, .5 .6, .4 .95, 0 .95",
        ".05 .15, .3 0, .45 .25, .15 .48, .3 .48, .5 .75, .25 1, 0 .85",
        "0 .05, .45 .02 / .45 .02, .2 .38, .5 .55, .4 .95, -.1 1.1",
        "0 .15, .25 0, .45 .2, .25 .42 / .25 .42, .6 .65, .3 1, -.05 .85",
    ),
    "4": (
        ".3 0, 0 .6 / 0 .6, .6 .6 / .45 .3, .45 1",
        ".45 0, 0 .65 / 0 .65, .65 .65 / .45 0, .45 1",
        ".05 0, .02 .45, .45 .45 / .5 0, .45 1",
        ".1 0, 0 .4, .2 .5, .5 .4 / .55 0, .45 1",
        ".35 0, .1 .3, 0 .6, .3 .6, .6 .52 / .5 .3, .4 1",
        "0 0, 0 .45, .5 .45 / .5 0, .5 1",
        ".2 .0, .0 .4, .4 .5, .7 .35 / .55 .1, .45 1",
        ".2 0, 0 .55, .25 .45, .5 .5 / .5 .25, .4 1.1",
        "0 0, 0 .5, .5 .5 / .7 .1, .3 1.05",
        ".5 0, 0 .6, .1 .7, .65 .5 / .55 .2, .45 1",
    ),
    "5": (
        ".5 0, .1 0 / .1 0, .05 .45, .3 .38, .5 .65, .35 1, 0 .9",
        ".1 0, .05 .42, .35 .4, .48 .7, .25 1, 0 .92 / .1 0, .6 .0",
        ".6 .02, .3 .0, .15 .2, .1 .45, .4 .5, .4 .85, .2 1, 0 .95",
        ".15 .05, .08 .45, .4 .5, .42 .85, .2 1, 0 .95 / .15 .06, .7 0",
        ".4 0, .3 .4, .45 .7, .25 1, 0 .85 / .35 .05, .8 0",
        ".2 .05, .15 .5, .4 .55, .35 .9, .1 1 / .2 0, .5 .05",
        ".2 .1, .15 .5, .35 .55, .3 .95, 0 1 / .2 .08, .9 -.05",
        ".25 .15, .2 .5, .38 .6, .3 .95, 0 .95 / .1 .12, .85 0",
    ),
    "6": (
        ".45 0, .1 .4, .05 .8, .3 1, .5 .75, .3 .55, .06 .75",
        ".3 0, .05 .5, .15 .95, .45 .9, .42 .6, .2 .58, .08 .8",
        ".5 .05, .2 .2, 0 .7, .2 1, .45 .85, .4 .62, .15 .65",
        ".35 -.15, .05 .5, .1 .95, .45 .95, .45 .6, .1 .6",
        ".5 0, .1 .5, .1 .95, .45 .9, .4 .65, .2 .7",
    ),
    "7": (
        "0 0, .55 0 / .55 0, .2 1",
        "0 0, .55 0 / .55 0, .25 1 / .15 .5, .6 .5",
        "0 .15, .05 0, .55 .05 / .55 .05, .3 .5, .2 1 / .1 .55, .6 .45",
        "0 .1, .2 0, .4 .06, .6 0 / .6 0, .3 .45, .25 1 / .1 .5, .55 .48",
        "0 .05, .6 0 / .6 0, .35 .4, .3 1",
        "0 .12, .05 0, .55 0 / .55 0, .3 .5, .3 1.05 / 0 .55, .65 .45",
        "0 .2, .1 .02, .35 .12, .6 0 / .6 0, .35 .5, .2 1.1 / .1 .5, .6 .42",
    ),
    "8": (
        ".5 .15, .25 0, .08 .2, .3 .45, .5 .75, .25 1, .02 .78, .3 .45, .5 .2, .4 .05",
        ".25 0, .05 .2, .25 .45, .48 .25, .25 0 / .25 .45, 0 .75, .25 1, .5 .75, .25 .45",
        ".55 .05, .2 .05, .15 .3, .45 .6, .35 1, .05 .9, .15 .6, .5 .25, .5 .08",
        ".6 .1, .35 0, .2 .2, .4 .5, .3 .95, .05 .8, .3 .5, .6 .25, .55 0",
        ".6 0, .15 .1, .2 .4, .45 .65, .35 1, .05 .85, .25 .5, .6 .05",
        ".5 .1, .25 0, .1 .3, .4 .7, .3 1, 0 .8, .3 .4, .6 0",
    ),
    "9": (
        ".48 .15, .2 0, 0 .25, .2 .5, .45 .3, .5 .1 / .5 .1, .45 1",
        ".5 .2, .25 0, .02 .2, .2 .45, .45 .3, .52 .1, .5 .6, .3 1, .05 .9",
        ".5 .1, .2 .02, .05 .3, .3 .45, .5 .12 / .5 .12, .35 .6, .15 1",
        ".45 .2, .2 0, 0 .3, .25 .5, .48 .2, .4 .7, .3 1",
        ".35 .3, .1 .35, .1 .1, .35 0, .45 .2, .3 .4 / .45 .1, .1 1",
        ".1 .05, .05 .35, .35 .4, .5 .1, .2 0 / .5 .1, .3 1",
        ".5 .1, .2 .05, .05 .3, .2 .45, .45 .35 / .55 .05, .4 1",
        ".48 .1, .15 .05, .05 .35, .3 .45, .5 .1, .45 .8, .2 1.1, -.1 .95",
    ),
    ".": (".0 .97, .03 1",),
    ",": (".06 .93, .06 1, 0 1.12",),
    "-": ("0 .55, .4 .55", "0 .6, .2 .5, .5 .55"),
    "=": ("0 .4, .4 .4 / 0 .6, .4 .6", "0 .45, .5 .4 / 0 .65, .5 .6"),
    ":": ("0 .5, .03 .53 / 0 .97, .03 1",),
    "'": (".05 0, 0 .2",),
    "·": ("0 .55, .03 .58",),
    "—": ("0 .55, 1.2 .5", "0 .6, .4 .52, .8 .6, 1.4 .55", "0 .9, 1.5 .85"),
    "~": ("0 .6, .2 .5, .4 .65, .65 .5",),
    "*": (".2 .15, .2 .65 / 0 .28, .4 .52 / .4 .28, 0 .52",),
    "#": (".15 .1, .05 .9 / .45 .1, .35 .9 / 0 .35, .5 .35 / 0 .65, .5 .65",),
}


def written_by(rng: np.random.Generator) -> dict[str, Glyph]:
    """One writer's characters: a form for each, its points moved, with one slant and one pen."""
    slant, wide = rng.normal(0.15, 0.2), rng.uniform(0.7, 1.3)
    pen = max(6, round(GRID * rng.uniform(0.05, 0.14)))
    wobble, room = rng.uniform(0.02, 0.06), round(EM * rng.uniform(-0.02, 0.14))
    zero = rng.uniform(0.5, 0.85) if rng.random() < 0.3 else 1.0  # height of a 0 beside the others
    glyphs: dict[str, Glyph] = {" ": Glyph([], 300)}
    for character, forms in FORMS.items():
        canvas = np.zeros((2 * GRID, 3 * GRID), np.uint8)
        form = forms[rng.integers(len(forms))]
        mark = not character.isdecimal()
        size = 1 if mark else rng.uniform(0.8, 1.15) * (zero if character == "0" else 1)
        drop = 0 if mark else rng.normal(0, 0.05)
        for stroke in strokes(form):
            moved = stroke + rng.normal(0, wobble, stroke.shape) * (0.3 if mark else 1)
            x, y = (curve(moved) if len(moved) > 2 else moved).T
            y = (y - 1) * size + drop  # from the foot
            x = x * wide * size - slant * y
            path = np.stack((x * GRID + GRID, y * GRID + 1.75 * GRID), 1)
            cv2.polylines(canvas, [np.round(path).astype(np.int32)], False, 255, pen)
        soft = cv2.GaussianBlur(canvas, (0, 0), pen / 4) > 127
        glyph = glyph_of(soft, 0.72 * EM, room)
        if form in LINKED_ZEROS:  # the next character stands under the end of the stroke
            glyph = glyph._replace(advance=max(60, round(glyph.advance - 0.15 * EM * wide * size)))
        glyphs[character] = glyph
    return glyphs


HOLES = {"0": {1}, "2": {0, 1}, "4": {0, 1}, "6": {1}, "8": {2}, "9": {1}}  # other digits have none


def thinned(image: np.ndarray, character: str) -> np.ndarray | None:
    """The middle line (bool) of an 8 x 8 image; None if it lacks the character's holes."""
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
        glyphs = {c: mark for c, mark in marks.items() if not c.isdecimal()}
        for character, found in lines.items():
            thick = cv2.dilate(found[i].astype(np.uint8) * 255, disc)
            ink = np.pad(cv2.GaussianBlur(thick, (0, 0), 6) > 127, ((GRID // 2, GRID // 4), (0, 0)))
            glyphs[character] = glyph_of(ink, 0.85 * EM, room)
        yield glyphs
