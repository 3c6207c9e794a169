"""Recipes: what pictures of one kind have, and how often; `camera` makes one of a drawn line.

A recipe is a table of chances and ranges for the effects in effects.py. The kinds are those that
people point a reader at: photographs, serial numbers, scanned receipts, displays, handwriting on
forms. Names with weights mix them: ("photo:3", "receipt", "display") draws three photographs for
each of the others.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ocr_simple.errors import DataError


@dataclass(frozen=True)
class Recipe:
    """Chances (0 to 1) of effects, and ranges; the defaults are those of photographs."""

    photographed: bool = True  # else the line stays as it is drawn
    fonts: tuple[str, ...] = ()  # patterns of FOLDER/FILE; without any, all fonts
    own: float = 1.0  # share of lines in these fonts; the others are for any recipe then
    marks: float = 0.0  # points, signs and units that the label lacks: see marks.py
    units: bool = True  # else no letters among them: a display's look like digits
    fit: bool = True  # drawn as high as the picture, margins and all: sharp where it is large
    fills: tuple[float, float] | None = (0.35, 1.0)  # the ink, of its height; else by `zoom`
    # crop, in heights of the line: at least and most beyond the drawn margin, before and behind
    tight: float = -0.1
    before: float = 0.5
    behind: float = 0.5
    smaller: float = 0.6  # log scale: by how much at most, against the drawn line
    turn: float = 0.0  # degrees more, either way
    bent: float = 1.0  # of the usual perspective, curl and shear
    wobble: float = 0.0  # characters higher and lower, larger and smaller, in heights
    slant: tuple[float, float] = (0.0, 0.0)  # to the right, in heights from foot to head
    elastic: float = 0.0  # more bend of strokes, in heights
    # ink
    broken: float = 0.15
    dot_matrix: float = 0.0
    bled: float = 0.0
    starved: float = 0.0
    faded: float = 0.0
    ghost: float = 0.0  # unlit segments, of fonts that have segments
    neighbours: float = 0.15
    separators: float = 0.05  # few: of more, a model learns to pass over a large 1
    underline: float = 0.0
    # tone
    contrast: tuple[float, float] = (50, 255)  # levels between ink and paper
    paper: float = 0.0  # share of lines on the lightest paper that the contrast allows
    dark_on_light: float = 0.6
    outline: float = 0.08
    relief: float = 0.08
    # light and surface
    frame: float = 0.25
    bezel: float = 0.0
    light: float = 0.6
    uneven: float = 0.2  # how much more light at one end than in the middle, about
    reflections: float = 0.0
    surface: float = 0.5
    guilloche: float = 0.05
    # sensor
    blur: float = 0.5
    low_resolution: float = 0.3
    noise: float = 0.6
    scanned: float = 0.0
    jpeg: float = 0.4


CLEAN = Recipe(photographed=False, fit=False, fills=None)
PHOTO = Recipe()
RECIPES = {
    "clean": CLEAN,
    "photo": PHOTO,
    "serial": Recipe(  # on labels and meters: fixed pitch, the zeros slashed or dotted
        fonts=("receipt/*-mono-*", "receipt/*-cod*-*", "receipt/anonymous-*"), own=0.5,
        fills=(0.25, 1.0), bled=0.2,
    ),
    "receipt": Recipe(
        fonts=("receipt/*",), own=0.8, fills=(0.4, 1.0), bent=0.3,
        marks=0.15, tight=-0.2, broken=0.45, dot_matrix=0.3, bled=0.3, starved=0.3, faded=0.3,
        neighbours=0.25,
        separators=0, underline=0.05, contrast=(40, 255), paper=0.7, dark_on_light=0.98,
        outline=0.02, relief=0, frame=0.05, light=0.1, surface=0.15, blur=0.3,
        low_resolution=0.3, noise=0.3, scanned=0.5, jpeg=0.5,
    ),
    "display": Recipe(
        fonts=("display/*", "DSEG*"), marks=0.7, units=False, before=3.0, behind=1.0,
        fit=False, fills=(0.4, 0.85), turn=3, broken=0.03, ghost=0.4, neighbours=0.05, separators=0,
        contrast=(8, 120), dark_on_light=0.75, outline=0, relief=0, frame=0.4, bezel=0.6,
        light=0.8, uneven=0.35, reflections=0.6, surface=0.1, guilloche=0, noise=0.3,
    ),
    "handwriting": Recipe(
        fonts=(
            "handwriting/*", "*[Hh]and*", "*Kristi*", "*Rufscript*", "*Dancing*", "*Kaushan*",
            "*femke*", "*Klee*", "*Tom*", "*sj*", "*Yusei*", "*Ecolier*", "*ecolier*", "*Comic*",
            "*[Hh]umor*", "*Leckerli*", "*Amatic*", "*Pacifico*", "*Caveat*", "*Script*", "*Indie*",
            "*bwht*", "*dkg*", "*fifthhorseman*",
        ),
        fills=(0.4, 1.0), wobble=0.08,
        marks=0.7, before=0.8, behind=0.8, slant=(-0.1, 0.4), elastic=0.04, broken=0.1, faded=0.05,
        neighbours=0.05, separators=0, underline=0.35, contrast=(60, 230), paper=0.3,
        dark_on_light=0.98, outline=0, relief=0, frame=0.1, light=0.3, surface=0.1,
        guilloche=0.6, blur=0.4, low_resolution=0.2, noise=0.3, scanned=0.05,
    ),
}  # fmt: skip
MIXED = ("photo:2", "serial:1.5", "receipt:4", "display:2.5", "handwriting:3.5")


class Mix:
    """Recipes by weight, with the fonts that each draws with.

    names: of RECIPES or `mixed`, each perhaps with a weight behind a colon. Raises DataError.
    """

    def __init__(self, names: Iterable[str], fonts: list[str]):
        self.recipes: list[Recipe] = []
        weights = []
        for given in names:
            name, share = _weighted(given)
            for item in MIXED if name == "mixed" else (name,):
                kind, weight = _weighted(item)
                self.recipes.append(RECIPES[kind])
                weights.append(share * weight)
        if not self.recipes:
            raise DataError("recipe: name at least one, such as photo")
        self.chances = np.cumsum(weights) / np.sum(weights)
        special = [p for recipe in RECIPES.values() if recipe.own == 1 for p in recipe.fonts]
        self.plain = [font for font in fonts if not _matches(font, special)] or fonts
        self.fonts = [
            [font for font in fonts if _matches(font, recipe.fonts)] or self.plain
            if recipe.fonts or len(self.recipes) > 1
            else fonts
            for recipe in self.recipes
        ]

    def choose(self, rng: np.random.Generator) -> tuple[Recipe, list[str]]:
        """A recipe, and the fonts to draw its line with."""
        only = len(self.recipes) == 1
        i = 0 if only else int(np.searchsorted(self.chances, rng.random(), side="right"))
        recipe = self.recipes[i]
        own = recipe.own == 1 or rng.random() < recipe.own
        return recipe, self.fonts[i] if own else self.plain


def _weighted(given: str) -> tuple[str, float]:
    """A recipe's name and its weight, 1 if there is none behind it."""
    name, _, weight = given.partition(":")
    if name not in (*RECIPES, "mixed"):
        raise DataError(f"recipe {name!r}: known are {', '.join((*RECIPES, 'mixed'))}")
    try:
        value = float(weight or 1)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise DataError(f"recipe {given!r}: give a weight over 0, such as {name}:2")
    return name, value


def _matches(font: str, patterns: Iterable[str]) -> bool:
    path = Path(font)
    return any(
        fnmatch(f"{path.parent.name}/{path.name}" if "/" in pattern else path.name, pattern)
        for pattern in patterns
    )
