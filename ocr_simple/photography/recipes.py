"""Recipes: the kinds of picture that a drawn line is turned into.

A recipe holds the chance of each effect in effects.py, the ranges for geometry.py, and which fonts
and marks its lines are drawn with. There is one for each kind of picture that people want to read:
photographs, serial numbers, scanned receipts, displays, handwriting on forms. Names with weights
mix them: ("photo:3", "receipt", "display") draws three photographs for each of the others.

To add a recipe, add it to RECIPES: `--recipe` then accepts its name. Add it to MIXED too if `mixed`
should include it, and to the help of `recipe` in options.py. To add an effect, see effects.py.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ocr_simple.errors import LineError

# In all groups, a number without a unit is the share of lines that have the effect, 0 to 1.
# A height is that of the drawn line.


@dataclass(frozen=True)
class RecipeFonts:
    """The fonts that lines are drawn in."""

    patterns: tuple[str, ...] = ()  # of FILE or FOLDER/FILE; none: all fonts
    share: float = 1.0  # of lines in these fonts; under 1, other recipes may use them too


@dataclass(frozen=True)
class RecipeMarks:
    """Points, signs and units that the label lacks: see drawing/marks.py."""

    share: float = 0.0
    units: bool = True  # False: no letters, which look like digits on a display
    words: bool = False  # mostly words and letters, as beside the number of a house


@dataclass(frozen=True)
class Crop:
    """How much of the picture the line takes up."""

    fit: bool = True  # draw the ink as high as the image: sharper where it is large
    ink_height: tuple[float, float] | None = (0.35, 1.0)  # of the image's; None: by `zoom`
    shrink: float = 0.6  # log scale: at most this much smaller than drawn, if by `zoom`
    left: tuple[float, float] = (-0.1, 0.5)  # heights added to the drawn margin; under 0 cuts
    right: tuple[float, float] = (-0.1, 0.5)


@dataclass(frozen=True)
class Warp:
    """How the line is turned and bent, beyond what the options of variation do."""

    rotation: float = 0.0  # degrees, either way
    distortion: float = 1.0  # strength of perspective, curl and shear; 1 is the usual
    jitter: float = 0.0  # characters higher and lower, larger and smaller, in heights
    slant: tuple[float, float] = (0.0, 0.0)  # to the right, in heights from foot to head
    elastic: float = 0.0  # bend of strokes, in heights
    overlap: float = 0.0  # share of lines whose characters are so close that some touch


@dataclass(frozen=True)
class Ink:
    """What a printer, a pen or a display does to the characters."""

    dot_matrix: float = 0.0
    bleed: float = 0.0
    starvation: float = 0.0
    voids: float = 0.15
    fading: float = 0.0
    neighbour_lines: float = 0.15
    separators: float = 0.05  # if frequent, a model learns to skip a large 1
    underline: float = 0.0
    unlit_segments: float = 0.0  # a pale 8 behind each digit; for fonts of displays


@dataclass(frozen=True)
class Tone:
    """Grey levels of ink and paper."""

    contrast: tuple[float, float] = (50, 255)  # levels between ink and paper
    light_paper: float = 0.0  # the lightest paper that the contrast allows
    dark_paper: float = 0.0  # a dark picture, as far as the contrast allows
    dark_on_light: float = 0.6
    guilloche: float = 0.05
    outline: float = 0.08
    relief: float = 0.08
    glow: float = 0.0  # characters shine on a dark panel, whatever the fields above say
    pixel_grid: float = 0.0
    gloss: float = 0.0
    drop_shadow: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What surrounds and lights the line, and what it is written on."""

    frame: float = 0.25
    bezel: float = 0.0
    light: float = 0.6
    unevenness: float = 0.2  # of the light: spread of its slope along the line
    reflections: float = 0.0
    glare: float = 0.0
    surface: float = 0.5
    tiles: float = 0.0
    small_print: float = 0.0
    sides: float = 0.0
    folds: float = 0.0


@dataclass(frozen=True)
class Sensor:
    """What a camera or a scanner, and a file, do to the picture."""

    blur: float = 0.5
    low_resolution: float = 0.3
    noise: float = 0.6
    binarisation: float = 0.0
    jpeg: float = 0.4


@dataclass(frozen=True)
class Recipe:
    """A kind of picture; the defaults are those of photographs."""

    photographed: bool = True  # False: the line stays as it is drawn
    wheels: bool = False  # digits are drawn as a counter's, see drawing/counter.py
    blank: bool = False  # nothing to read is left in the picture, and the label is empty
    fonts: RecipeFonts = RecipeFonts()
    marks: RecipeMarks = RecipeMarks()
    crop: Crop = Crop()
    warp: Warp = Warp()
    ink: Ink = Ink()
    tone: Tone = Tone()
    scene: Scene = Scene()
    sensor: Sensor = Sensor()


CLEAN = Recipe(photographed=False, crop=Crop(fit=False, ink_height=None))
PHOTO = Recipe(
    marks=RecipeMarks(0.1, words=True),
    warp=Warp(rotation=5, slant=(-0.15, 0.25)),
    ink=Ink(bleed=0.1),
    tone=Tone(contrast=(55, 255), light_paper=0.12, gloss=0.06, drop_shadow=0.1),
    scene=Scene(tiles=0.05, small_print=0.15, sides=0.15, folds=0.15),
    sensor=Sensor(noise=0.45),
)
SERIAL = Recipe(  # on labels and meters: fixed pitch, the zeros slashed or dotted
    fonts=RecipeFonts(("receipt/*-mono-*", "receipt/*-cod*-*", "receipt/anonymous-*"), share=0.5),
    crop=Crop(ink_height=(0.25, 1.0)),
    ink=Ink(bleed=0.2),
)
RECEIPT = Recipe(
    fonts=RecipeFonts(("receipt/*",), share=0.8),
    marks=RecipeMarks(0.15),
    crop=Crop(ink_height=(0.4, 1.0), left=(-0.2, 0.5), right=(-0.2, 0.5)),
    warp=Warp(distortion=0.3),
    ink=Ink(
        dot_matrix=0.3,
        bleed=0.3,
        starvation=0.3,
        voids=0.45,
        fading=0.3,
        neighbour_lines=0.25,
        separators=0,
        underline=0.05,
    ),
    tone=Tone(contrast=(40, 255), light_paper=0.7, dark_on_light=0.98, outline=0.02, relief=0),
    scene=Scene(frame=0.05, light=0.1, surface=0.15),
    sensor=Sensor(blur=0.3, noise=0.3, binarisation=0.5, jpeg=0.5),
)
DISPLAY = Recipe(
    fonts=RecipeFonts(("display/*", "DSEG*")),
    marks=RecipeMarks(0.7, units=False),
    crop=Crop(fit=False, ink_height=(0.45, 0.88), left=(-0.15, 1.2), right=(-0.15, 0.7)),
    warp=Warp(rotation=6, distortion=0.6),
    ink=Ink(
        dot_matrix=0.02,
        voids=0.03,
        fading=0.03,
        neighbour_lines=0.05,
        separators=0,
        unlit_segments=0.4,
    ),
    tone=Tone(
        contrast=(8, 120),
        dark_paper=0.35,
        dark_on_light=0.7,
        guilloche=0,
        outline=0,
        relief=0,
        glow=0.45,
        pixel_grid=0.15,
    ),
    scene=Scene(
        frame=0.4,
        bezel=0.5,
        light=0.7,
        unevenness=0.35,
        reflections=0.5,
        glare=0.1,
        surface=0.1,
    ),
    sensor=Sensor(blur=0.5, noise=0.3),
)
SANS = (  # upright fonts without serifs
    "print/*sans*normal*", "print/barlow*normal*", "print/archivo*normal*", "print/inter*normal*",
    "print/lato*normal*", "print/m-plus*", "print/rubik-l*normal*", "print/saira*normal*",
    "print/oswald*", "print/titillium*normal*", "print/tomorrow*normal*", "print/rajdhani*",
    "print/blinker*", "print/varela*", "print/manrope*", "print/monda*", "print/khand*",
    "print/league*", "print/work*normal*", "print/yanone*", "print/antonio*", "DejaVuSans*",
    "Roboto*Regular*", "Roboto*Medium.*", "Roboto*Bold.*", "DroidSans*", "OpenSans-Regular*",
    "OpenSans-Semibold.*", "Lato-Regular*", "Lato-Medium.*", "Sansation-Regular*", "Aller_Rg*",
    "BEBAS*", "Walkway_Bold*",
)  # fmt: skip
COUNTER = Recipe(
    wheels=True,
    fonts=RecipeFonts(SANS, share=0.8),
    crop=Crop(fit=False, ink_height=(0.75, 1.15), left=(-0.1, 0.4), right=(-0.15, 0.4)),
    warp=Warp(rotation=2),
    ink=Ink(voids=0.05, neighbour_lines=0, separators=0),
    tone=Tone(contrast=(40, 255), dark_on_light=0.5, guilloche=0, outline=0, relief=0.03),
    scene=Scene(frame=0.3, bezel=0.25, light=0.7, unevenness=0.3, reflections=0.3, surface=0.25),
    sensor=Sensor(blur=0.6, low_resolution=0.4, noise=0.4),
)
BLANK = Recipe(
    blank=True,
    crop=Crop(fit=False, ink_height=None, left=(-0.5, 0.5), right=(-0.5, 0.5)),
    ink=Ink(neighbour_lines=0),
    tone=Tone(contrast=(0, 255)),
    scene=Scene(frame=0.5, bezel=0.3, unevenness=0.3, reflections=0.3, surface=0.6),
)
HANDWRITING = Recipe(
    fonts=RecipeFonts(
        (
            "handwriting/*", "*[Hh]and*", "*Kristi*", "*Rufscript*", "*Dancing*", "*Kaushan*",
            "*femke*", "*Klee*", "*Tom*", "*sj*", "*Yusei*", "*Ecolier*", "*ecolier*", "*Comic*",
            "*[Hh]umor*", "*Leckerli*", "*Amatic*", "*Pacifico*", "*Caveat*", "*Script*", "*Indie*",
            "*bwht*", "*dkg*", "*fifthhorseman*",
        )
    ),
    marks=RecipeMarks(0.7),
    crop=Crop(ink_height=(0.4, 0.95), left=(-0.1, 0.8), right=(-0.1, 0.8)),
    warp=Warp(distortion=0.7, jitter=0.05, slant=(-0.1, 0.5), elastic=0.025, overlap=0.3),
    ink=Ink(voids=0.1, fading=0.05, neighbour_lines=0.05, separators=0, underline=0.35),
    tone=Tone(
        contrast=(60, 200), light_paper=0.15, dark_on_light=0.98, guilloche=0.7, outline=0, relief=0
    ),
    scene=Scene(frame=0.1, light=0.3, surface=0.1),
    sensor=Sensor(blur=0.3, low_resolution=0.2, noise=0.3, binarisation=0.05),
)  # fmt: skip

RECIPES = {
    "clean": CLEAN,
    "photo": PHOTO,
    "serial": SERIAL,
    "receipt": RECEIPT,
    "display": DISPLAY,
    "counter": COUNTER,
    "handwriting": HANDWRITING,
    "blank": BLANK,
}
MIXED = (  # all but clean
    "photo:2.5", "serial:1.5", "receipt:4", "display:4", "counter:3.5", "handwriting:4",
    "blank:0.4",
)  # fmt: skip


def _name_and_weight(given: str) -> tuple[str, float]:
    """Split "name:weight"; without a weight it is 1. Raises LineError."""
    name, _, weight = given.partition(":")
    if name not in (*RECIPES, "mixed"):
        raise LineError(f"--recipe {name!r}: choose from {', '.join((*RECIPES, 'mixed'))}")
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


class Mix:
    """Recipes by weight, with the fonts that each draws with.

    names: of RECIPES or `mixed`, each optionally followed by a colon and a weight.
    Raises LineError for an unknown name or a weight that is not over 0.
    """

    def __init__(self, names: Iterable[str], fonts: list[str]):
        self.recipes: list[Recipe] = []
        weights = []
        for given in names:
            name, share = _name_and_weight(given)
            for item in MIXED if name == "mixed" else (name,):
                kind, weight = _name_and_weight(item)
                self.recipes.append(RECIPES[kind])
                weights.append(share * weight)
        if not self.recipes:
            raise LineError("recipe: name at least one, such as photo")
        self.chances = np.cumsum(weights) / np.sum(weights)
        reserved = [
            pattern
            for recipe in RECIPES.values()
            if recipe.fonts.share == 1
            for pattern in recipe.fonts.patterns
        ]
        self.plain = [font for font in fonts if not _matches(font, reserved)] or fonts
        self.fonts = [self._fonts_of(recipe, fonts) for recipe in self.recipes]

    def _fonts_of(self, recipe: Recipe, fonts: list[str]) -> list[str]:
        """A recipe's fonts among `fonts`; the plain ones if there are none of its kind."""
        patterns = recipe.fonts.patterns
        if not patterns and len(self.recipes) == 1:
            return fonts
        return [font for font in fonts if _matches(font, patterns)] or self.plain

    def choose(self, rng: np.random.Generator) -> tuple[Recipe, list[str]]:
        """A recipe, and the fonts to draw its line with."""
        i = 0
        if len(self.recipes) > 1:
            i = int(np.searchsorted(self.chances, rng.random(), side="right"))
        recipe = self.recipes[i]
        share = recipe.fonts.share
        return recipe, self.fonts[i] if share == 1 or rng.random() < share else self.plain
