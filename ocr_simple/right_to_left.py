"""Right-to-left text: logical order, as it is typed, to visual order, as it is drawn, and back.

A model reads from left to right, so it sees text in visual order. `reading_order` is also in
`aocr/reader.py` and, on whole batches, in `aocr/reading_order.py`.
"""

import re
import unicodedata

# What a character does to the direction of text, in one letter: its class in the Unicode
# bidirectional algorithm (https://unicode.org/reports/tr9/). "O" is any other class.
KINDS = {
    "R": "R", "AL": "A", "L": "L", "EN": "E", "AN": "N",
    "ES": "S", "CS": "C", "ET": "T", "NSM": "M",
}  # fmt: skip
RIGHT_TO_LEFT = re.compile(  # blocks that have such characters
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
SYMBOLS = tuple(map(chr, range(0x2500, 0x2600)))  # without a direction
NUMBER = "E+(?:[SC]E+)*"  # 1,250.00 and 050-1234567
LEFT_TO_RIGHT = re.compile(  # what is written from left to right within right-to-left text
    "(?:(?:T*E[^RANL]*)?L(?:[^RAN]*(?:ET*|L))?"  # words, with the numbers beside them
    f"|T*{NUMBER}(?:T+{NUMBER})*T*"  # numbers, with signs such as %
    "|N+(?:CN+)*)+"  # numbers in Arabic digits
)


def kinds_of(text: str) -> str:
    """The kind of each character, one letter each; see KINDS."""
    return "".join(KINDS.get(unicodedata.bidirectional(c), "O") for c in text)


def is_right_to_left(text: str) -> bool:
    """Whether a line is laid out from right to left: if any of its characters is.

    So are lines of a Hebrew or Arabic document, also those that begin with a Latin word.
    """
    return RIGHT_TO_LEFT.search(text) is not None and re.search("[RAN]", kinds_of(text)) is not None


def to_visual(text: str) -> str:
    """A text in visual order, from left to right as it is drawn; brackets are mirrored."""
    if not is_right_to_left(text):
        return text
    from bidi.algorithm import get_display  # not needed for other scripts

    # it knows no character without a direction, such as one of a later version of Unicode
    unknown = [c for c in dict.fromkeys(text) if not unicodedata.bidirectional(c)]
    symbols = (symbol for symbol in SYMBOLS if symbol not in text)
    stand_ins = dict(zip(unknown, symbols))
    known = text.translate({ord(c): symbol for c, symbol in stand_ins.items()})
    back = {ord(symbol): c for c, symbol in stand_ins.items()}
    return get_display(known, base_dir="R").translate(back)


def reading_order(kinds: str) -> list[tuple[int, bool]]:
    """(place, whether it is right-to-left) of each character, in logical order.

    kinds: of the characters in visual order. A picture does not tell "abc 12" from "12 abc" within
    right-to-left text: the former is assumed. The same function is in aocr/reader.py.
    """
    if not re.search("[RAN]", kinds):
        return [(place, False) for place in range(len(kinds))]
    # marks belong to a Latin letter on their left, or else to the letter on their right
    kinds = re.sub("(?<=L)M+", lambda marks: "L" * len(marks[0]), kinds).replace("M", "R")
    # after an Arabic letter, digits are Arabic too
    kinds = re.sub("(?<![^RA])[^RAL]+(?=A)", lambda run: run[0].replace("E", "N"), kinds)
    order, end = [], len(kinds)
    for run in reversed(list(LEFT_TO_RIGHT.finditer(kinds))):
        order += [(place, True) for place in reversed(range(run.end(), end))]
        order += [(place, False) for place in range(run.start(), run.end())]
        end = run.start()
    return order + [(place, True) for place in reversed(range(end))]


def mirrored(character: str) -> str:
    """The counterpart of a bracket or similar sign in right-to-left text."""
    if not unicodedata.mirrored(character):
        return character
    from bidi.mirror import MIRRORED

    return MIRRORED.get(character, character)
