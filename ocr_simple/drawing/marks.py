"""Marks that real lines have and labels lack: points, dashes, currency signs, units.

A reader of digits meets 1.250,00 EUR, 17:45 and ***3.500.- and has to pass over what is not in its
alphabet; unless lines are drawn so, it reads the dash as a 1 and the sign as a 2.
"""

from dataclasses import dataclass

import numpy as np

from ocr_simple.drawing.fonts import characters_drawn

# no strokes and brackets: they look like many a handwritten 1, which would be passed over too
BETWEEN = (".", ",", " ", "-", ":", "'", "·")
BEFORE = ("$", "€", "£", "RM", "EUR ", "No. ", "#", "*", "**", "=", "-", "+", "~", "x", ": ")
AFTER = (
    "=", "-", ".-", ",-", ".", ",", "%", "€", " €", " EUR", " kg", " g", " km", " m", " kWh",
    "°", "*", "x", "#", ":",
)  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """The marks that a font draws and an alphabet lacks."""

    between: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, font: str, alphabet: str, units: bool = True) -> "Marks":
        """Those of a font file; without `units` none that has letters. Raises DataError."""
        every = {c for c in "".join((*BETWEEN, *BEFORE, *AFTER)) if units or not c.isalpha()}
        drawn = {" ", *characters_drawn(font, "".join(sorted(every - set(alphabet))))}
        drawn -= set(alphabet)
        return cls(*(tuple(filter(drawn.issuperset, kind)) for kind in (BETWEEN, BEFORE, AFTER)))

    def put(self, text: str, rng: np.random.Generator) -> str:
        """`text` with marks in it and around it; without them it is `text` again."""
        if self.between and rng.random() < 0.6:
            text = _parted(text, self.between[rng.integers(len(self.between))], rng)
        if self.before and rng.random() < 0.25:
            text = self.before[rng.integers(len(self.before))] + text
        if self.after and rng.random() < 0.4:
            text += self.after[rng.integers(len(self.after))]
        return text


def _parted(text: str, mark: str, rng: np.random.Generator) -> str:
    """`text` in groups: thousands, a fraction, or of any length."""
    kind = rng.random()
    if kind < 0.4:  # 1.234.567
        ends = list(range(len(text) % 3 or 3, len(text), 3))
    elif kind < 0.7:  # 12.34
        ends = [max(0, len(text) - int(rng.integers(1, 4)))]
    else:  # 12-3-4567
        ends = sorted(rng.choice(len(text), min(2, len(text)), replace=False).tolist())
    parts = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)])]
    return mark.join(part for part in parts if part)
