"""Scripts whose characters change with their neighbours: what has to be drawn in one piece.

Arabic letters join, right-to-left text runs the other way, and combining marks, Thai, Hindi and
Bengali stack around their letters. Pillow draws such text right if it has Raqm
(https://github.com/HOST-Oman/libraqm); character by character it would be wrong.
"""

import re
import unicodedata

import regex
from PIL import features

from ocr_simple.errors import LineError
from ocr_simple.options import Drawing
from ocr_simple.right_to_left import is_right_to_left, kinds_of

SHAPED = re.compile(
    "[\u0300-\u036f\u0483-\u0489"  # combining marks
    "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"  # Hebrew, Arabic and others from right to left
    "\u0900-\u109f\u1700-\u18af\u1900-\u1aff\u1b00-\u1cff\ua800-\uabff"  # of South and East Asia
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # more combining marks
    "\U00010800-\U00010fff\U00011000-\U00011fff\U0001e800-\U0001efff]"
)
# Arabic, Syriac, Mongolian and others, whose letters join: only words are drawn apart.
JOINED = re.compile("[\u0600-\u08ff\u1800-\u18af\ufb50-\ufdff\ufe70-\ufefe]")
VIRAMA = 9  # combining class of the signs that join a letter of Hindi or Bengali to the next one


def needs_shaping(text: str) -> bool:
    """Whether a text, or any character of an alphabet, is wrong if it is drawn by characters."""
    return not text.isascii() and SHAPED.search(text) is not None


def check_scripts(characters: str, options: Drawing) -> None:
    """Raise LineError if the alphabet `characters` cannot be drawn here, or with these options."""
    if not needs_shaping(characters):
        return
    found = "".join(filter(needs_shaping, characters))[:10]
    if options.orientation == 1:
        raise LineError(
            f"--orientation 1: vertical text is drawn by characters, which {found!r} in the "
            "alphabet do not allow; leave --orientation out"
        )
    if not features.check("raqm"):
        raise LineError(
            f"the alphabet has {found!r}, which Pillow draws right only with Raqm, and here it "
            "does not find it; install the library FriBiDi (Debian and Ubuntu: apt install "
            "libfribidi0; macOS: brew install fribidi) and Pillow from PyPI"
        )


def graphemes(text: str) -> list[str]:
    """The text in pieces that look the same when they are drawn apart: letters with their marks."""
    found: list[str] = []
    for piece in regex.findall(r"\X", text):
        if found and unicodedata.combining(found[-1][-1]) == VIRAMA:
            found[-1] += piece
        else:
            found.append(piece)
    return found


def pieces_of(text: str, options: Drawing) -> list[str]:
    """A text that needs shaping, in the pieces to be drawn from left to right.

    One piece, unless options ask for wider or narrower gaps between characters or words.
    """
    spread = options.character_spacing != 0 and not options.word_split
    if not (spread or options.word_split or options.space_width != 1):
        return [text]
    right_to_left = is_right_to_left(text)
    if right_to_left and re.search("[LEN]", kinds_of(text)):
        return [text]  # words and numbers in it run the other way
    by_letters = spread and not JOINED.search(text)
    pieces = graphemes(text) if by_letters else re.findall(" |[^ ]+", text)
    return pieces[::-1] if right_to_left else pieces
