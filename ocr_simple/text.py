"""Text and class ids: the alphabet of a model, and a line of text that was read.

A model sees class ids. `Alphabet` turns text into them and back. Id 0 is the blank of CTC (Graves
et al. 2006, "Connectionist Temporal Classification"), the end symbol of an attention head, and the
padding of label arrays.

Texts are in logical order, as they are typed, in labels, files and output. A model reads from left
to right, so it sees right-to-left text in visual order, as it is drawn. `to_visual` and
`Alphabet.in_logical_order` convert between the two; `aocr/reader.py` and `aocr/graph.py` do the
latter for exports.
"""

import difflib
import itertools
import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ocr_simple.local_files import FileRefused, read_bytes

BLANK = 0
NOTHING = "∅"  # stands for empty text
LONGEST_LABEL = 10_000  # characters: no image has room for more
MOST_CHARACTERS = 20_000  # of an alphabet
MOST_BYTES = 1 << 20  # of a file with one
# Characters that change how the text around them is shown, or break it: control characters (ESC
# begins the commands of a terminal), line separators, bidi controls, and invisible ones. Joiners
# stay, as they are part of the spelling of Persian, Hindi and others.
HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f"
)
CONTROLS = re.compile(f"[{HIDDEN}]")
# In no label, as halves of UTF-16 pairs are not; in a stranger's alphabet only there to deceive who
# reads a terminal, or to break what writes UTF-8.
NOT_READ = re.compile(rf"[{HIDDEN}\ud800-\udfff]")
LAYOUT = "\n\t"  # the control characters that a message of several rows has

NAMED_ALPHABETS = {
    "digits": string.digits,
    "numbers": string.digits + ".,:-/ ",
    "alnum": string.digits + string.ascii_lowercase,
    "ascii": "".join(map(chr, range(32, 127))),  # the printable characters and the space
}
FILE_NAME = re.compile(r"[^/\\]*\w\.[A-Za-z]\w{1,4}")  # with an extension, and without a folder
SHOWN = 200  # characters of an alphabet or another value that a message has at most
TEXT_FILES = (".txt", ".text", ".chars", ".charset", ".dict", ".list", ".utf8")


def normalise_text(text: str) -> str:
    """Unicode NFC, with runs of white space as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def escape_controls(text: str) -> str:
    """`text` on one line: line breaks and what else is in CONTROLS are replaced by escapes."""
    return CONTROLS.sub(_escaped, text)


def escape_message(text: str) -> str:
    """As `escape_controls`, for a message of several rows: line breaks and tabs stay."""
    return CONTROLS.sub(lambda found: found[0] if found[0] in LAYOUT else _escaped(found), text)


def escape_json(text: str) -> str:
    """JSON in which what is in CONTROLS is escaped, so that it can be printed; the same values."""
    return CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def printable(text: str) -> str:
    """As `escape_controls`, and valid Unicode: file names may hold other bytes."""
    return escape_controls(text).encode(errors="backslashreplace").decode()


def visible(text: str) -> str:
    """`text` with empty text, extra spaces, control characters and lone accents made visible."""
    text = re.sub(r"^ | $|(?<= ) ", "␣", printable(text)) or NOTHING
    return f"◌{text}" if unicodedata.combining(text[0]) else text


def shortened(text: str) -> str:
    """`text` for a message: only its beginning if it is long."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def shown(value: Any) -> str:
    """A value for a message, as Python writes it: only its beginning if it is long."""
    return shortened(repr(value))


def counted(number: int, thing: str) -> str:
    """A number of things whose plural ends in s: 1 image, 1,200 images."""
    return f"{number:,} {thing}" + "s" * (number != 1)


def first_ten(items: list[str]) -> str:
    """The first ten items, each on a new line, and how many more there are."""
    more = [f"... and {len(items) - 10} more"] if len(items) > 10 else []
    return "".join(f"\n  {item}" for item in items[:10] + more)


def unique_characters(characters: Iterable[str]) -> str:
    """The characters, each once, as an alphabet: combining marks do not join their neighbours."""
    unique = "".join(dict.fromkeys(characters))
    if unicodedata.normalize("NFC", unique) == unique:
        return unique
    # at the beginning, marks have nothing to join; Unicode orders them by their combining class
    return "".join(
        sorted(unique, key=lambda c: (not unicodedata.combining(c), unicodedata.combining(c), c))
    )


# --- right-to-left text -----------------------------------------------------------------------

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


# --- the alphabet -----------------------------------------------------------------------------


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
                f"the alphabet has U+{ord(found[0]):04X}, which no label can have: it is a control "
                "character, an invisible one, a mark that turns text round, or half a character; "
                "leave it out"
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
        count, shown = len(self.characters), self.characters[:SHOWN]
        more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
        return f"{count:,} characters, {printable(shown)!r}{more}"

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
        """The kind of each character, one letter each; see KINDS."""
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


def mirrored(character: str) -> str:
    """The counterpart of a bracket or similar sign in right-to-left text."""
    if not unicodedata.mirrored(character):
        return character
    from bidi.mirror import MIRRORED

    return MIRRORED.get(character, character)


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
