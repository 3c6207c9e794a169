"""Mixtures of recipes: which recipe a line is pictured by, and which font it is drawn in.

Names with weights mix recipes: ("photo:3", "receipt", "display") draws three photographs for each
of the others. MIXTURES names some mixtures.
"""

import math
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ocr_simple.errors import LineError
from ocr_simple.photography.recipes import RECIPES, Recipe

MIXTURES = {
    "mixed": (  # of numbers
        "photo:2.5", "serial:1.5", "receipt:4", "display:4.5", "screen:1.5", "counter:4.5",
        "handwriting:4", "blank:0.4",
    ),
    "words": (
        "sign:5", "page:2.5", "typewriter:0.8", "nameplate:0.8", "photo:1", "receipt:2",
        "blank:0.1",
    ),
}  # fmt: skip


def _name_and_weight(given: str) -> tuple[str, float]:
    """Split "name:weight"; without a weight it is 1. Raises LineError."""
    name, _, weight = given.partition(":")
    if name not in (*RECIPES, *MIXTURES):
        raise LineError(f"--recipe {name!r}: choose from {', '.join((*RECIPES, *MIXTURES))}")
    try:
        value = float(weight or 1)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise LineError(f"--recipe {given!r}: give a weight over 0, such as {name}:2")
    return name, value


def _matches(font: str, patterns: Iterable[str]) -> bool:
    """Whether a font file, with its folder where a pattern has one, matches any pattern."""
    path = Path(font)
    return any(
        fnmatch(f"{path.parent.name}/{path.name}" if "/" in pattern else path.name, pattern)
        for pattern in patterns
    )


def has_fonts_for(recipe: Recipe, fonts: Iterable[str]) -> bool:
    """Whether any of `fonts` is of a recipe's kind; True for a recipe that draws with all."""
    patterns = recipe.fonts.patterns
    return not patterns or any(_matches(font, patterns) for font in fonts)


def _family(font: str) -> str:
    """The family of a font file: the part of its name before weight and style."""
    name, latin, _ = Path(font).name.partition("-latin-")  # as @fontsource names its files
    return name if latin else re.split("[-_.]", name)[0]


def _families(fonts: list[str]) -> list[list[str]]:
    """The files of each family."""
    families: dict[str, list[str]] = {}
    for font in fonts:
        families.setdefault(_family(font), []).append(font)
    return list(families.values())


class Mix:
    """Recipes by weight, with the fonts that each draws with.

    names: of RECIPES or MIXTURES, each optionally followed by a colon and a weight.
    Raises LineError for an unknown name or a weight that is not over 0.
    """

    def __init__(self, names: Iterable[str], fonts: list[str]):
        self.recipes: list[Recipe] = []
        weights = []
        for given in names:
            name, share = _name_and_weight(given)
            for item in MIXTURES.get(name, (name,)):
                kind, weight = _name_and_weight(item)
                self.recipes.append(RECIPES[kind])
                weights.append(share * weight)
        if not self.recipes:
            raise LineError("--recipe: name at least one, such as photo")
        self.chances = np.cumsum(weights) / np.sum(weights)
        reserved = [
            pattern
            for recipe in RECIPES.values()
            if recipe.fonts.share == 1
            for pattern in recipe.fonts.patterns
        ]
        of_one = [
            pattern
            for recipe in RECIPES.values()
            if recipe.fonts.by_family
            for pattern in recipe.fonts.patterns
        ]
        self.shared = [font for font in fonts if not _matches(font, of_one)] or fonts
        self.plain = [font for font in fonts if not _matches(font, reserved)] or fonts
        self.fonts = [self._fonts_of(recipe, fonts) for recipe in self.recipes]
        self.families = [
            _families(fonts) if recipe.fonts.by_family else []
            for recipe, fonts in zip(self.recipes, self.fonts)
        ]

    def _fonts_of(self, recipe: Recipe, fonts: list[str]) -> list[str]:
        """A recipe's fonts among `fonts`; the plain ones if there are none of its kind."""
        patterns = recipe.fonts.patterns
        if not recipe.fonts.by_family:
            fonts = self.shared
        if not patterns and len(self.recipes) == 1:
            return fonts
        return [font for font in fonts if _matches(font, patterns)] or self.plain

    def choose(self, rng: np.random.Generator) -> tuple[Recipe, list[str]]:
        """A recipe, and the fonts to draw its line with."""
        i = 0
        if len(self.recipes) > 1:
            i = int(np.searchsorted(self.chances, rng.random(), side="right"))
        recipe = self.recipes[i]
        if families := self.families[i]:
            return recipe, families[rng.integers(len(families))]
        share = recipe.fonts.share
        return recipe, self.fonts[i] if share == 1 or rng.random() < share else self.plain
