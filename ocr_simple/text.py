"""Text and class ids: the alphabet of a model, and a line of text that was read.

A model sees class ids. `Alphabet` turns text into them and back. Id 0 is the blank of CTC (Graves
et al. 2006, "Connectionist Temporal Classification"), the end symbol of an attention head, and the
padding of label arrays.

Labels, files and output have texts in logical order, as they are typed. A model sees those that
have right-to-left characters in visual order, as they are drawn; `Alphabet` converts between them.
"""

import difflib
import itertools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ocr_simple.local_files import FileRefused, read_bytes
from ocr_simple.messages import HIDDEN, SHOWN, printable, shown
from ocr_simple.right_to_left import is_right_to_left, kinds_of, mirrored, reading_order, to_visual

BLANK = 0
LONGEST_LABEL = 10_000  # characters: no image has room for more
MOST_CHARACTERS = 20_000  # of an alphabet
MOST_BYTES = 1 << 20  # of a file with one
# Never part of a label: invisible and control characters, and lone surrogates. In an untrusted
# alphabet they could deceive the reader of a terminal, or break code that writes UTF-8.
NOT_READ = re.compile(rf"[{HIDDEN}\ud800-\udfff]")

NAMED_ALPHABETS = {
    "digits": string.digits,
    "numbers": string.digits + ".,:-/ ",
    "alnum": string.digits + string.ascii_lowercase,
    "ascii": "".join(map(chr, range(32, 127))),  # the printable characters and the space
}
LANGUAGES = {  # and scripts: no alphabets have these names, although users may expect it
    "arabic", "chinese", "cyrillic", "devanagari", "english", "french", "german", "greek",
    "hebrew", "hindi", "italian", "japanese", "korean", "latin", "persian", "russian", "spanish",
    "thai", "turkish", "unicode", "letters", "numeric", "alpha", "lowercase", "uppercase",
}  # fmt: skip
FILE_NAME = re.compile(r"[^/\\]*\w\.[A-Za-z]\w{1,4}")  # with an extension, and without a folder
TEXT_FILES = (".txt", ".text", ".chars", ".charset", ".dict", ".list", ".utf8")


def normalise_text(text: str) -> str:
    """Unicode NFC, with runs of white space as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def unique_characters(characters: Iterable[str]) -> str:
    """The characters, each once, as an alphabet: combining marks do not join their neighbours."""
    unique = "".join(dict.fromkeys(characters))
    if unicodedata.normalize("NFC", unique) == unique:
        return unique
    # at the beginning, marks have nothing to join; Unicode orders them by their combining class
    return "".join(
        sorted(unique, key=lambda c: (not unicodedata.combining(c), unicodedata.combining(c), c))
    )


@dataclass(frozen=True)
class Alphabet:
    """The characters that a model can read, in the order of their class ids, which start at 1.

    Raises ValueError if there are none or too many, if they are not in Unicode NFC, if one is
    repeated, or if one is a control character or an invisible one.
    """

    characters: str
    ids: dict[str, int] = field(init=False, repr=False, compare=False)
    right_to_left: bool = field(init=False, repr=False, compare=False)  # whether any character is

    def __post_init__(self):
        if not self.characters:
            raise ValueError("the alphabet is empty; name at least one character, or 'digits'")
        if len(self.characters) > MOST_CHARACTERS:
            raise ValueError(
                f"the alphabet has {len(self.characters):,} characters; give at most "
                f"{MOST_CHARACTERS:,}"
            )
        if found := NOT_READ.search(self.characters):
            raise ValueError(
                f"the alphabet has U+{ord(found[0]):04X}, which no label can have: a control or "
                "invisible character, a mark of text direction, or a lone surrogate; leave it out"
            )
        if unicodedata.normalize("NFC", self.characters) != self.characters:
            raise ValueError("the alphabet is not in Unicode NFC; use Alphabet.parse")
        repeated = sorted(c for c, n in Counter(self.characters).items() if n > 1)
        if repeated:
            raise ValueError(f"the alphabet repeats {shown(''.join(repeated))}; name each once")
        object.__setattr__(self, "ids", {c: i for i, c in enumerate(self.characters, start=1)})
        object.__setattr__(self, "right_to_left", is_right_to_left(self.characters))

    def __str__(self) -> str:
        """How many characters there are, and which."""
        count, first = len(self.characters), self.characters[:SHOWN]
        more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
        return f"{count:,} characters, {printable(first)!r}{more}"

    @classmethod
    def parse(cls, specification: str) -> "Alphabet":
        """One of NAMED_ALPHABETS, or the characters of a file or string.

        Files are UTF-8; their line breaks are ignored, and so is a byte order mark. Raises
        ValueError for an empty alphabet, a file that is missing or not UTF-8, or a misspelt name.
        """
        if specification in NAMED_ALPHABETS:
            return cls(NAMED_ALPHABETS[specification])
        characters = specification.removeprefix("\ufeff")
        if _is_file(specification):
            try:
                characters = read_bytes(specification, MOST_BYTES).decode("utf-8-sig")
            except FileRefused as error:
                raise ValueError(f"alphabet file {error}") from error
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"alphabet file {specification}: not UTF-8 ({error}); save it as UTF-8"
                ) from error
            characters = characters.replace("\r", "").replace("\n", "")
        else:
            _check_is_no_name(specification)
        return cls(unique_characters(unicodedata.normalize("NFC", characters)))

    @property
    def kinds(self) -> str:
        """The kind of each character, one letter each; see `right_to_left.KINDS`."""
        return kinds_of(self.characters)

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
                f"label {text!r} has {unknown!r}, not in the alphabet {shown(self.characters)}; "
                "add it with --alphabet, or leave the label out"
            )
        return self.ids_of(self.to_visual(text))

    def ids_of(self, text: str) -> list[int]:
        """The class ids of a text in visual order, all of whose characters are known."""
        return [self.ids[c] for c in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of class ids, without blanks, in visual order."""
        return "".join(self.characters[i - 1] for i in ids if i != BLANK)

    def to_visual(self, text: str) -> str:
        """A text in visual order. A bracket without its counterpart here is not mirrored."""
        if not self.right_to_left:
            return text
        return "".join(c if c in self.ids else mirrored(c) for c in to_visual(text))

    def mirrored(self, character: str) -> str:
        """The counterpart of a bracket; other characters unchanged."""
        counterpart = mirrored(character)
        return counterpart if counterpart in self.ids else character

    def in_logical_order(self, line: "Line") -> "Line":
        """A line that was read in visual order, in logical order with all its characters."""
        if not self.right_to_left:
            return line
        order = reading_order(kinds_of(line.text))
        texts = self._reordered(line.text, order)
        characters = [line.characters[i]._replace(text=text) for (i, _), text in zip(order, texts)]
        others: dict[str, Alternative] = {}
        for other in line.alternatives:
            text = "".join(self._reordered(other.text, reading_order(kinds_of(other.text))))
            others.setdefault(text, other._replace(text=text))
        others.pop("".join(texts), None)
        return line._replace(
            text="".join(texts), characters=tuple(characters), alternatives=tuple(others.values())
        )

    def _reordered(self, text: str, order: Sequence[tuple[int, bool]]) -> list[str]:
        """The characters of a text in another order, some of them mirrored."""
        return [self.mirrored(text[i]) if flip else text[i] for i, flip in order]


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a string too long, or with a NUL, to be a path
        return False


def _check_is_no_name(characters: str) -> None:
    """Raise ValueError for what looks like the name of a missing file, or a misspelt name."""
    if "\0" in characters or len(characters) > 255:
        return
    path, repeats = Path(characters), len(set(characters)) < len(characters)
    in_folder = path.name != characters and path.parent != Path("/") and path.parent.is_dir()
    is_text = path.suffix.lower() in TEXT_FILES
    if characters.lower() in LANGUAGES:
        raise ValueError(
            f"--alphabet {characters}: no such alphabet; give its characters, or a file with them"
        )
    if is_text or (repeats and (in_folder or FILE_NAME.fullmatch(characters))):
        raise ValueError(
            f"--alphabet {characters}: no such file; give an existing file, a name "
            f"({', '.join(NAMED_ALPHABETS)}), or the characters, each once"
        )
    in_order = "".join(sorted(set(characters)))
    if characters.isascii() and characters.isalpha() and characters != in_order:
        close = difflib.get_close_matches(characters.lower(), [*NAMED_ALPHABETS, "auto"], 1, 0.75)
        if close:
            raise ValueError(
                f"--alphabet {characters}: no such alphabet; did you mean {close[0]}? If these "
                f"letters are the alphabet, give them in order: {in_order}"
            )


def ctc_steps_needed(text: str) -> int:
    """Time steps that CTC needs: one per character, and one between equal neighbours."""
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))


class Character(NamedTuple):
    """A character that was read, its position, and the probability that it is right."""

    text: str
    confidence: float  # 0 to 1
    start: float  # left edge: in time steps from `decoding`, in pixels from `Recognizer`
    end: float  # right edge, in the same unit


class Alternative(NamedTuple):
    """Another text that a line may have."""

    text: str
    confidence: float  # the line's, times how probable this text is compared with the line's


class Line(NamedTuple):
    """A line of text that was read.

    Its text and characters are in logical order, as they are typed; in right-to-left text, a later
    character is further to the left.
    """

    text: str
    confidence: float  # probability that the whole line is right, 0 to 1
    characters: tuple[Character, ...]
    turned: int = 0  # degrees, counter-clockwise, by which its image was turned to be read
    alternatives: tuple[Alternative, ...] = ()  # if asked for; the most probable first
