"""Marks that real lines have and labels lack: points, dashes, currency signs, units.

A model of digits meets 1.250,00 EUR, 17:45 and ***3.500.- and has to skip what is not in its
alphabet. Unless training lines have such marks, it reads the dash as a 1 and the sign as a 2.

To add a mark, add it to BETWEEN, BEFORE or AFTER. How many lines have marks is set by the recipe:
see `RecipeMarks` in photography/recipes.py.
"""

from dataclasses import dataclass

import numpy as np

from ocr_simple.drawing.fonts import characters_drawn

# no strokes and brackets: they look like a handwritten 1, which a model would then skip too
BETWEEN = (".", ",", " ", "-", ":", "'", "·")
BEFORE = ("$", "€", "£", "RM", "EUR ", "No. ", "#", "*", "**", "=", "-", "+", "~", "x", ": ")
AFTER = (
    "=", "-", ".-", ",-", ".", ",", "%", "€", " €", " EUR", " kg", " g", " km", " m", " kWh",
    "°", "*", "x", "#", ":",
)  # fmt: skip


def _grouped(text: str, mark: str, rng: np.random.Generator) -> str:
    """`text` in groups with a mark between them: thousands, a fraction, or of any length."""
    kind = rng.random()
    if kind < 0.4:  # 1.234.567
        ends = list(range(len(text) % 3 or 3, len(text), 3))
    elif kind < 0.7:  # 12.34
        ends = [max(0, len(text) - int(rng.integers(1, 4)))]
    else:  # 12-3-4567
        ends = sorted(rng.choice(len(text), min(2, len(text)), replace=False).tolist())
    groups = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)])]
    return mark.join(group for group in groups if group)


@dataclass(frozen=True)
class Marks:
    """The marks that a font draws and an alphabet lacks."""

    between: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, font: str, alphabet: str, units: bool = True) -> "Marks":
        """The marks of a font file; without `units`, none that has letters. Raises LineError."""
        every = {c for c in "".join((*BETWEEN, *BEFORE, *AFTER)) if units or not c.isalpha()}
        drawn = {" ", *characters_drawn(font, "".join(sorted(every - set(alphabet))))}
        drawn -= set(alphabet)
        return cls(*(tuple(filter(drawn.issuperset, kind)) for kind in (BETWEEN, BEFORE, AFTER)))

    def add_to(self, text: str, rng: np.random.Generator) -> str:
        """`text` with random marks in it and around it; the label stays `text`."""
        if self.between and rng.random() < 0.6:
            text = _grouped(text, self.between[rng.integers(len(self.between))], rng)
        if self.before and rng.random() < 0.25:
            text = self.before[rng.integers(len(self.before))] + text
        if self.after and rng.random() < 0.4:
            text += self.after[rng.integers(len(self.after))]
        return text
