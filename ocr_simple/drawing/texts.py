"""What generated lines say: random characters, words, numbers, one's own strings, Wikipedia."""

import numpy as np

from ocr_simple.errors import DataError
from ocr_simple.options import TRDG_FOLDER, TextOptions
from ocr_simple.text import Alphabet, first_ten, normalise_text

PRICES = 0.3  # of numbers, and some of the others: most that receipts print
RUNS = 0.15  # of random lines: as 10000 and 7788 have them, and chance has not
CASES = (str, str.lower, str.upper, str.capitalize, str.title)


class Texts:
    """The text source that options name: `draw(rng)` gives one line of text.

    Raises DataError where the source cannot serve: unknown characters in the user's own strings,
    a missing dictionary, no network for Wikipedia, bounds that cross.
    """

    def __init__(self, options: TextOptions, alphabet: Alphabet):
        self.options, self.alphabet = options, alphabet
        self.left_out = 0  # words or sentences with characters outside the alphabet
        self.places: tuple[str, ...] = ()  # where each of the user's own strings comes from
        if options.text_source in ("random", "mixed"):
            if not 1 <= options.min_length <= options.max_length:
                raise DataError(
                    f"min_length {options.min_length} and max_length {options.max_length}: "
                    "give 1 <= min_length <= max_length"
                )
            if not alphabet.characters.strip():
                raise DataError("the alphabet has nothing but spaces; add characters that show")
        if options.text_source == "random":
            self.pool: tuple[str, ...] = ()
        elif options.text_source == "strings":
            self.pool = self._own_strings()
        else:
            if options.words < 1:
                raise DataError(f"words {options.words}: give at least 1")
            wanted = "Wikipedia" if options.text_source == "wikipedia" else "dictionary"
            found = self._dictionary() if wanted == "dictionary" else self._wikipedia()
            cased = dict.fromkeys(self._case(normalise_text(text)) for text in found)
            self.pool = tuple(text for text in cased if text and not alphabet.unknown(text))
            self.left_out = len(cased) - len(self.pool)
            if not self.pool:
                raise DataError(
                    f"no {wanted} text of {len(cased)} is written in the alphabet "
                    f"{alphabet.characters!r}; give --alphabet ascii, or --case lower with alnum"
                )

    def draw(self, rng: np.random.Generator) -> str:
        """One line of NFC text, at least one character long."""
        if self.options.text_source == "random":
            return self._random(rng)
        if self.options.text_source == "dictionary":
            count = int(rng.integers(1, self.options.words + 1)) if self._has_space else 1
            return " ".join(self.pool[i] for i in rng.integers(len(self.pool), size=count))
        if self.options.text_source == "mixed":
            return self._mixed(rng)
        return self.pool[rng.integers(len(self.pool))]

    @property
    def _has_space(self) -> bool:
        return " " in self.alphabet.ids

    def _random(self, rng: np.random.Generator) -> str:
        length = int(rng.integers(self.options.min_length, self.options.max_length + 1))
        characters = self.alphabet.characters
        while True:  # a space at an end or beside another one would not show
            ids = rng.integers(len(characters), size=length).tolist()
            if rng.random() < RUNS:
                start, end = np.sort(rng.integers(0, length + 1, 2)).tolist()
                ids[start:end] = ids[start : start + 1] * (end - start)
            text = "".join([characters[i] for i in ids])
            if normalise_text(text) == text:
                return text

    def _mixed(self, rng: np.random.Generator) -> str:
        """Words in one case, with punctuation; among them, or alone, numbers and codes."""
        most = self.options.words if self._has_space else 1
        count = 1 if rng.random() < 0.5 else int(rng.integers(1, most + 1))
        while True:  # until all of it is in the alphabet
            style, parts = CASES[rng.integers(len(CASES))], []
            for _ in range(count):
                kind = rng.random()
                if kind < 0.65:
                    part = _punctuated(style(self.pool[rng.integers(len(self.pool))]), rng)
                elif kind < 0.9:
                    part = number(rng)
                else:
                    part = self._random(rng)
                parts.append(part)
            text = self._case(" ".join(parts))
            if not self.alphabet.unknown(text) and normalise_text(text) == text:
                return text

    def _case(self, text: str) -> str:
        if self.options.case == "keep":
            return text
        return text.upper() if self.options.case == "upper" else text.lower()

    def _own_strings(self) -> tuple[str, ...]:
        places = [(f"strings[{i}]", text) for i, text in enumerate(self.options.strings)]
        path = self.options.strings_file
        if path is not None:
            try:
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"strings_file {path}: cannot be read ({error})") from error
            places += [(f"{path}:{i}", line) for i, line in enumerate(lines, 1) if line.strip()]
        texts = [(place, self._case(normalise_text(text))) for place, text in places]
        faults = [f"{place}: empty" for place, text in texts if not text] + [
            f"{place}: {text!r} has {self.alphabet.unknown(text)!r}"
            for place, text in texts
            if self.alphabet.unknown(text)
        ]
        if faults:
            raise DataError(
                f"{len(faults)} of {len(texts)} strings cannot be labels in the alphabet "
                f"{self.alphabet.characters!r}; widen it with --alphabet, or mend them:"
                + first_ten(faults)
            )
        if not texts:
            raise DataError("text source strings: none given; add --strings or --strings-file")
        self.places = tuple(place for place, _ in texts)
        return tuple(text for _, text in texts)

    def _dictionary(self) -> list[str]:
        path = TRDG_FOLDER / "dicts" / f"{self.options.language}.txt"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt")))
            raise DataError(f"language {self.options.language!r}: no dictionary; known are {known}")
        return path.read_text(encoding="utf-8", errors="ignore").splitlines()

    def _wikipedia(self) -> list[str]:
        try:
            from trdg.string_generator import create_strings_from_wikipedia

            return create_strings_from_wikipedia(
                self.options.min_length, 200, self.options.language
            )
        except Exception as error:  # requests, JSON and Wikipedia itself fail in many ways
            raise DataError(
                f"Wikipedia cannot be reached ({type(error).__name__}); use --text-source "
                "dictionary, or your own lines with --text-source strings --strings-file FILE"
            ) from error


def number(rng: np.random.Generator) -> str:
    """A number as it is printed: a price, plain, grouped, a share, a date, a time, a code."""

    def digits(count: int) -> str:
        return "".join(map(str, rng.integers(0, 10, count)))

    whole = int(10 ** rng.uniform(-1, 6))  # 0 too: 0.00 stands on every other receipt
    price = f"{whole:,}." + ("00", digits(1) + "0", digits(2))[rng.integers(3)]
    if rng.random() < PRICES:
        return price
    separator = "/-."[rng.integers(3)]
    day, month, year = rng.integers(1, 32), rng.integers(1, 13), rng.integers(1950, 2035)
    kinds = (
        str(whole),
        digits(int(rng.integers(4, 14))),
        f"{whole:,}",
        price.replace(",", ""),
        "$" + price,
        price.translate(str.maketrans(",.", ".,")),
        f"-{whole}",
        f"{whole % 100}%",
        separator.join((f"{day:02}", f"{month:02}", str(year))),
        separator.join((str(year), f"{month:02}", f"{day:02}")),
        f"{day}{separator}{month}{separator}{year % 100:02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}:{rng.integers(60):02}",
        f"{digits(3)}-{digits(4)}",
        f"#{digits(5)}",
        f"({digits(3)})",
    )
    return kinds[rng.integers(len(kinds))]


def _punctuated(word: str, rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.2:
        return word + ",.:;!?"[rng.choice(6, p=(0.35, 0.35, 0.1, 0.08, 0.06, 0.06))]
    if kind < 0.25:
        before, after = ("()", '""', "''", "[]", "**", "//")[rng.integers(6)]
        return before + word + after
    if kind < 0.28:
        return word + ("'s", "-", "&", "...")[rng.integers(4)]
    return word
