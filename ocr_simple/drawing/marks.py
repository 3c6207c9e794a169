"""Marks that real lines have and labels lack: points, dashes, currency signs, units.

A model of digits meets 1.250,00 EUR, 17:45 and ***3.500.- and has to skip what is not in its
alphabet. Unless training lines have such marks, it reads the dash as a 1 and the sign as a 2.

A photograph of a house number, a race number or a sign may have words beside it: No 12, Suite 300.

To add a mark, add it to BETWEEN, BEFORE or AFTER; words and letters, to WORDS or LETTERS. How many
lines have marks is set by the recipe: see `RecipeMarks` in photography/recipes.py.
"""

from dataclasses import dataclass

import numpy as np

from ocr_simple.drawing.fonts import characters_drawn
from ocr_simple.photography.recipes import RecipeMarks

# no strokes and brackets: they look like a handwritten 1, which a model would then skip too
BETWEEN = (".", ",", " ", "-", ":", "'", "·")
BEFORE = ("$", "€", "£", "RM", "EUR ", "No. ", "#", "*", "**", "=", "-", "+", "~", "x", ": ")
AFTER = (
    "=", "-", ".-", ",-", ".", ",", "%", "€", " €", " EUR", " kg", " g", " km", " m", " kWh",
    "°", "*", "x", "#", ":", "—", " —", ".—", ". —", " -", "--", ".--", " =", ".=", "**", " *", "~",
    ".~",
)  # fmt: skip
# Beside the number in a photograph. A letter that looks like a digit (O, I, l, S, B, Z) is only
# inside a word, so that a model does not learn to skip digits.
WORDS = (
    "No", "No.", "Nr", "Nr.", "NR", "NO", "Apt", "Unit", "Suite", "Room", "Hotel", "House", "Haus",
    "Rue", "Street", "St.", "Road", "Ave", "Route", "Bus", "Tram", "Line", "Exit", "Gate", "Floor",
    "Level", "Block", "Tel", "Tel.", "Since", "Est.", "Max", "Min", "Model", "Type", "Date", "Run",
    "Marathon", "Half", "Team", "Race", "Sport", "Police", "Radio", "Bank", "Market", "the", "of",
    "and", "km", "kg", "lbs", "min", "am", "pm", "th", "st", "nd", "rd", "bis", "ter", "mm", "pcs",
    "FM", "KGS", "mph", "Years", "USA", "Way", "Park", "Inn", "Bar", "Café",
)  # fmt: skip
LETTERS = tuple("ACEFHKMNPRUVWXYackmnrvwx")  # of one letter: 12A, K 7
# A mark is not drawn where the alphabet has the mark that it looks like.
LOOKS_LIKE = {"·": ".", "•": ".", "'": ",", "—": "-", "~": "-"}
ORNAMENTS = ("-", "·", "•", "*", "—", "~", ":")  # as in · 56 ·


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


def _in_a_case(word: str, rng: np.random.Generator) -> str:
    """A word as it is, or in capitals, which are as frequent on signs."""
    return word.upper() if rng.random() < 0.4 else word


@dataclass(frozen=True)
class Marks:
    """The marks that a font draws and an alphabet lacks."""

    between: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    words: tuple[str, ...] = ()  # empty for a kind of picture without words
    letters: tuple[str, ...] = ()
    ornaments: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ("",)  # between the line and what is beside it

    @classmethod
    def of(cls, font: str, alphabet: str, kind: RecipeMarks) -> "Marks":
        """The marks of a font file, as far as `kind` has them. Raises LineError.

        An alphabet with letters has no words beside its lines: a model of it reads words.
        """
        reads_letters = any(map(str.isalpha, alphabet))
        words = kind.words and not reads_letters
        groups: tuple[tuple[str, ...], ...] = (BETWEEN, BEFORE, AFTER)
        if words:
            groups += (WORDS, LETTERS, ORNAMENTS, ("", " "))
        every = {c for group in groups for mark in group for c in mark + mark.upper() * words}
        if not kind.units or (kind.words and reads_letters):
            every = {c for c in every if not c.isalpha()}
        drawn = {" ", *characters_drawn(font, "".join(sorted(every - set(alphabet))))}
        drawn -= {c for c in drawn if c in alphabet or LOOKS_LIKE.get(c, c) in alphabet}
        return cls(
            *(
                tuple(m for m in group if drawn.issuperset(m + m.upper() * words))
                for group in groups
            )
        )

    def add_to(self, text: str, rng: np.random.Generator) -> str:
        """`text` with random marks in it and around it; the label stays `text`."""
        if self.words and rng.random() < 0.8:
            return self._with_words(text, rng)
        if self.between and rng.random() < 0.6:
            text = _grouped(text, self.between[rng.integers(len(self.between))], rng)
        if self.before and rng.random() < 0.25:
            text = self.before[rng.integers(len(self.before))] + text
        if self.after and rng.random() < 0.4:
            text += self.after[rng.integers(len(self.after))]
        return text

    def _with_words(self, text: str, rng: np.random.Generator) -> str:
        """`text` with a word, a letter or ornaments beside it."""
        kind, gap = rng.random(), self.gaps[rng.integers(len(self.gaps))]
        if kind < 0.2 and self.ornaments:
            ornament = self.ornaments[rng.integers(len(self.ornaments))]
            return gap.join((ornament, text, ornament))
        if kind < 0.45 and self.letters:
            beside = self.letters[rng.integers(len(self.letters))]
        else:
            beside = _in_a_case(self.words[rng.integers(len(self.words))], rng)
            if len(beside) > 3:
                gap = self.gaps[-1]  # a space, unless the alphabet has one
        return gap.join((beside, text) if rng.random() < 0.5 else (text, beside))
