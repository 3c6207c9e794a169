"""Quotation marks and dashes as printers set them, where the alphabet has a keyboard's alone.

A model of ASCII meets “so-called”, it’s and 1998–2004, and should read "so-called", it's and
1998-2004. So some of its lines are drawn with the printer's marks; the label has the keyboard's.
"""

import numpy as np

OPENING = {'"': "“„", "'": "‘"}  # before a word
CLOSING = {'"': "”", "'": "’"}
DASHES = "–—"
PRINTED = "".join((*OPENING.values(), *CLOSING.values(), DASHES))


def printed_marks(text: str, marks: str, rng: np.random.Generator) -> str:
    """`text` with the printer's marks in place of " and ', and of dashes between words or numbers.

    marks: those of PRINTED that may be drawn. A hyphen inside a word stays.
    """
    shown = list(text)
    dashes = [mark for mark in DASHES if mark in marks]
    for i, character in enumerate(text):
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if character == "-":
            found = dashes if not (before.isalpha() or after.isalpha()) else []
        else:
            forms = CLOSING if before.strip() and before not in "([" else OPENING
            found = [mark for mark in forms.get(character, "") if mark in marks]
        if found:
            shown[i] = found[rng.integers(len(found))]
    return "".join(shown)
