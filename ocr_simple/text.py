"""Text and label ids: the alphabet, CTC decoding, confidence and character spans.

A recogniser sees class numbers. `Alphabet` turns text into them and back; id 0 is CTC's blank
(Graves et al. 2006, "Connectionist Temporal Classification") and the padding of label arrays.
`ctc_decode` turns a line's class probabilities into text by the best path: the most probable
class at each time step, runs of one class collapsed, blanks dropped. `attention_decode` does it
for a decoder that wrote the line, where id 0 is the end symbol. NumPy only.
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
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

NAMED_ALPHABETS = {
    "digits": string.digits,
    "alnum": string.digits + string.ascii_lowercase,
    "ascii": "".join(map(chr, range(32, 127))),  # printable, space included
}


def normalise_text(text: str) -> str:
    """NFC text with white space as trdg can draw it: single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def one_line(text: str) -> str:
    """`text` with its control characters and line breaks as escapes: a file name, to be printed."""
    return CONTROLS.sub(lambda control: control[0].encode("unicode_escape").decode(), text)


def first_ten(faults: list[str]) -> str:
    """The first ten of a list, each on a line of its own."""
    more = [f"... and {len(faults) - 10} more"] if len(faults) > 10 else []
    return "".join(f"\n  {fault}" for fault in faults[:10] + more)


@dataclass(frozen=True)
class Alphabet:
    """The characters a model can read, in the order of their class ids, which start at 1."""

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
        """An alphabet from `digits`, `alnum`, `ascii`, a UTF-8 file's characters, or a string.

        A file's line breaks do not count. Raises ValueError for an empty one, or a file that
        is not UTF-8.
        """
        if specification in NAMED_ALPHABETS:
            return cls(NAMED_ALPHABETS[specification])
        characters = specification
        if _is_file(specification):
            try:
                characters = Path(specification).read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValueError(f"alphabet file {specification}: not UTF-8 ({error})") from error
            characters = characters.replace("\r", "").replace("\n", "")
        characters = unicodedata.normalize("NFC", characters)
        return cls("".join(dict.fromkeys(characters)))

    @property
    def classes(self) -> int:
        """Number of classes of a model's output: the characters and the blank."""
        return len(self.characters) + 1

    def unknown(self, text: str) -> str:
        """The characters of `text` that are not in the alphabet, each once."""
        return "".join(c for c in dict.fromkeys(text) if c not in self.ids)

    def encode(self, text: str) -> list[int]:
        """Label ids of NFC text. Raises ValueError that names the unknown characters."""
        unknown = self.unknown(text)
        if unknown:
            raise ValueError(
                f"label {text!r} has {unknown!r}, not in the alphabet {self.characters!r}; "
                "add it with --alphabet, or leave the label out"
            )
        return [self.ids[c] for c in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of label ids; blanks are passed over."""
        return "".join(self.characters[i - 1] for i in ids if i != BLANK)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a string too long, or with a NUL, to be a path
        return False


def steps_needed(text: str) -> int:
    """Time steps that CTC needs for `text`: one a character, one between equal neighbours."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


class Character(NamedTuple):
    """One character read: where it stands, and the probability that it is right."""

    text: str
    confidence: float  # 0 to 1
    start: float  # left edge; time steps out of `ctc_decode`, pixels out of `Recognizer`
    end: float  # right edge, same unit


class Line(NamedTuple):
    """One line read."""

    text: str
    confidence: float  # probability that the whole line is right, 0 to 1
    characters: tuple[Character, ...]
