"""Characters that a font draws alike: O and 0, l and I and 1.

A label may hold such a character only where the characters beside it tell which one it is: in K0O7
nobody sees which is O and which 0, if the font draws them alike.
"""

import functools

import numpy as np
from PIL import ImageFont

from ocr_simple.drawing.font_files import stretched_ink

PAIRS = ("O0", "o0", "Il", "I1", "l1", "I|", "l|", "1|", "S5", "s5", "Z2", "z2", "B8")
ALIKE = 0.85  # least correlation of look-alikes at the same size; half of all O and 0 reach it
DOT = 40  # grey levels by which the middle of a dotted or slashed 0 differs from that of O
# Letters whose capitals have the same form: a word of them alone may be of either case.
SAME_FORM = frozenset("cosuvwxzCOSUVWXZ")


def _look_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two forms can hardly be told apart."""
    if abs(one[8:16, 8:16].mean() - other[8:16, 8:16].mean()) > DOT:
        return False
    one, other = one - one.mean(), other - other.mean()
    product = float((one * other).sum())
    return product >= ALIKE * float((one**2).sum() * (other**2).sum()) ** 0.5  # bars: 0 >= 0


@functools.lru_cache(maxsize=4096)
def drawn_alike(font: str) -> frozenset[str]:
    """The characters that a font draws like another one of their pair."""
    face = ImageFont.truetype(font, 40)
    forms = {character: stretched_ink(face, character) for pair in PAIRS for character in pair}
    alike = (pair for pair in PAIRS if _look_alike(forms[pair[0]], forms[pair[1]]))
    return frozenset("".join(alike))


def _tells(word: str, at: int, alike: frozenset[str]) -> bool:
    """Whether a word shows which of its look-alikes a character is, by what stands beside it."""
    beside = word[max(0, at - 1) : at] + word[at + 1 : at + 2]
    if word[at].isdigit():  # between other digits
        known = [c for c in (word if word.isdigit() else beside) if c not in alike]
        return beside.isdigit() and (bool(known) or (word.isdigit() and len(word) > 2))
    if not beside.isalpha() or all(c in alike for c in word):
        return False
    letters = "".join(filter(str.isalpha, word))  # in one case, I is a capital and l is not
    return letters.isupper() or letters.islower() or (word.isalpha() and word.istitle())


def is_ambiguous(text: str, font: str) -> bool:
    """Whether a text has a character that its picture does not tell from another one."""
    letters = [c for c in text if c.isalnum()]
    if letters and all(c in SAME_FORM for c in letters):
        return True
    alike = drawn_alike(font)
    if alike.isdisjoint(text):
        return False
    words = ["".join(c for c in word if c.isalnum()) for word in text.split(" ")]
    if len(words) > 2:  # a sentence tells what a single I is
        words = [word for word in words if word != "I"]
    signs = {c for c in text if not c.isalnum()}
    return bool(signs & alike) or any(
        c in alike and not _tells(word, at, alike) for word in words for at, c in enumerate(word)
    )
