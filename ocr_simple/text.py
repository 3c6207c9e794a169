"""Text and class ids: the alphabet of a model, and a line of text that was read.

A model sees class ids. `Alphabet` turns text into them and back. Id 0 is the blank of CTC (Graves
et al. 2006, "Connectionist Temporal Classification"), the end symbol of an attention head, and the
padding of label arrays.
"""

import itertools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BLANK = 0
NOTHING = "∅"  # stands for empty text
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

NAMED_ALPHABETS = {
    "digits": string.digits,
    "numbers": string.digits + ".,:-/ ",
    "alnum": string.digits + string.ascii_lowercase,
    "ascii": "".join(map(chr, range(32, 127))),  # the printable characters and the space
}


def normalise_text(text: str) -> str:
    """Unicode NFC, with runs of white space as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def escape_controls(text: str) -> str:
    """`text` on one line: control characters and line breaks are replaced by escapes."""
    return CONTROLS.sub(lambda control: control[0].encode("unicode_escape").decode(), text)


def printable(text: str) -> str:
    """As `escape_controls`, and valid Unicode: file names may hold other bytes."""
    return escape_controls(text).encode(errors="backslashreplace").decode()


def visible(text: str) -> str:
    """`text` with empty text, extra spaces, control characters and lone accents made visible."""
    text = re.sub(r"^ | $|(?<= ) ", "␣", printable(text)) or NOTHING
    return f"◌{text}" if unicodedata.combining(text[0]) else text


def first_ten(items: list[str]) -> str:
    """The first ten items, each on a new line, and how many more there are."""
    more = [f"... and {len(items) - 10} more"] if len(items) > 10 else []
    return "".join(f"\n  {item}" for item in items[:10] + more)


@dataclass(frozen=True)
class Alphabet:
    """The characters that a model can read, in the order of their class ids, which start at 1.

    Raises ValueError if there are none, if they are not in Unicode NFC, or if one is repeated.
    """

    characters: str
    ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.characters:
            raise ValueError("the alphabet is empty; name at least one character, or 'digits'")
        if unicodedata.normalize("NFC", self.characters) != self.characters:
            raise ValueError("the alphabet is not in Unicode NFC; use Alphabet.parse")
        repeated = sorted(c for c, n in Counter(self.characters).items() if n > 1)
        if repeated:
            raise ValueError(f"the alphabet repeats {''.join(repeated)!r}; name each once")
        object.__setattr__(self, "ids", {c: i for i, c in enumerate(self.characters, start=1)})

    @classmethod
    def parse(cls, specification: str) -> "Alphabet":
        """The alphabet named `digits`, `alnum` or `ascii`, or the characters of a file or string.

        Files are UTF-8; their line breaks are ignored. Raises ValueError for an empty alphabet, or
        a file that is not UTF-8.
        """
        if specification in NAMED_ALPHABETS:
            return cls(NAMED_ALPHABETS[specification])
        characters = specification
        if _is_file(specification):
            try:
                characters = Path(specification).read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"alphabet file {specification}: not UTF-8 ({error}); save it as UTF-8"
                ) from error
            characters = characters.replace("\r", "").replace("\n", "")
        characters = unicodedata.normalize("NFC", characters)
        return cls("".join(dict.fromkeys(characters)))

    @property
    def classes(self) -> int:
        """Classes of a model's output: the characters and the blank."""
        return len(self.characters) + 1

    def unknown(self, text: str) -> str:
        """The characters of `text` that the alphabet lacks, each once."""
        return "".join(c for c in dict.fromkeys(text) if c not in self.ids)

    def encode(self, text: str) -> list[int]:
        """The class ids of NFC text. Raises ValueError that names the unknown characters."""
        unknown = self.unknown(text)
        if unknown:
            raise ValueError(
                f"label {text!r} has {unknown!r}, not in the alphabet {self.characters!r}; "
                "add it with --alphabet, or leave the label out"
            )
        return [self.ids[c] for c in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of class ids, without blanks."""
        return "".join(self.characters[i - 1] for i in ids if i != BLANK)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a string too long, or with a NUL, to be a path
        return False


def ctc_steps_needed(text: str) -> int:
    """Time steps that CTC needs: one per character, and one between equal neighbours."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


class Character(NamedTuple):
    """A character that was read, its position, and the probability that it is right."""

    text: str
    confidence: float  # 0 to 1
    start: float  # left edge: in time steps from `decoding`, in pixels from `Recognizer`
    end: float  # right edge, in the same unit


class Line(NamedTuple):
    """A line of text that was read."""

    text: str
    confidence: float  # probability that the whole line is right, 0 to 1
    characters: tuple[Character, ...]
