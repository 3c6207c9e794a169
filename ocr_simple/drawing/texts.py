"""Texts of generated lines: random characters, words, numbers, your own strings, Wikipedia.

To add a text source, write a function that draws one text, and another one that reads the texts to
choose from, if there are any; add a row to SOURCES, at the end, and the name to `text_source` in
options.py. To add a kind of number, see `number`. To add a mark, which is drawn but is no part of
the label, see marks.py.
"""

import string
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ocr_simple.errors import LineError
from ocr_simple.options import TRDG_FOLDER, TextOptions
from ocr_simple.text import Alphabet, first_ten, normalise_text

PRICES = 0.3  # share of prices among numbers, at least: receipts are full of them
NUMBERS = 0.6  # share of printed numbers in the source numbers; the others are plain digits
REPEATS = 0.15  # share of random lines with a repeated character, as in 10000 and 7788
CASES = (str, str.lower, str.upper, str.capitalize, str.title)


# --- numbers and punctuation ------------------------------------------------------------------


def number(rng: np.random.Generator) -> str:
    """A number as it is printed: a price, plain, grouped, a percentage, a date, a time, a code."""
    whole = int(10 ** rng.uniform(-1, 6))  # 0 too: 0.00 is frequent on receipts
    price = f"{whole:,}." + ("00", _digits(1, rng) + "0", _digits(2, rng))[rng.integers(3)]
    if rng.random() < PRICES:
        return price
    # of one to three places: 14.09, 0.5
    decimal = f"{int(10 ** rng.uniform(-1, 4))}.{_digits(int(rng.integers(1, 4)), rng)}"
    separator = "/-."[rng.integers(3)]
    day, month, year = rng.integers(1, 32), rng.integers(1, 13), rng.integers(1950, 2035)
    kinds = (
        str(whole),
        _digits(int(rng.integers(4, 14)), rng),
        f"{whole:,}",
        price.replace(",", ""),
        "$" + price,
        price.translate(str.maketrans(",.", ".,")),
        f"-{whole}",
        decimal,
        "-" + decimal,
        f"{whole % 100}%",
        separator.join((f"{day:02}", f"{month:02}", str(year))),
        separator.join((str(year), f"{month:02}", f"{day:02}")),
        f"{day}{separator}{month}{separator}{year % 100:02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}",
        f"{rng.integers(24):02}:{rng.integers(60):02}:{rng.integers(60):02}",
        f"{day:02}/{month:02}/{year} {rng.integers(24):02}:{rng.integers(60):02}",
        f"{whole:,}".replace(",", " "),
        f"{_digits(3, rng)}-{_digits(4, rng)}",
        f"#{_digits(5, rng)}",
        f"({_digits(3, rng)})",
    )
    return kinds[rng.integers(len(kinds))]


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def _punctuated(word: str, rng: np.random.Generator) -> str:
    """A word that sometimes has punctuation after it or brackets around it."""
    kind = rng.random()
    if kind < 0.2:
        return word + ",.:;!?"[rng.choice(6, p=(0.35, 0.35, 0.1, 0.08, 0.06, 0.06))]
    if kind < 0.25:
        before, after = ("()", '""', "''", "[]", "**", "//")[rng.integers(6)]
        return before + word + after
    if kind < 0.28:
        return word + ("'s", "-", "&", "...")[rng.integers(4)]
    return word


# --- reading the texts to choose from ---------------------------------------------------------


class Pool(NamedTuple):
    """The texts that a source chooses from."""

    texts: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # where each of your own strings comes from
    left_out: int = 0  # words or sentences with characters outside the alphabet


def in_case(text: str, case: str) -> str:
    """The text in the case keep, upper or lower."""
    if case == "keep":
        return text
    return text.upper() if case == "upper" else text.lower()


def read_dictionary(options: TextOptions, alphabet: Alphabet) -> Pool:
    """The words of trdg's dictionary for a language."""
    path = TRDG_FOLDER / "dicts" / f"{options.language}.txt"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt")))
        raise LineError(f"--language {options.language!r}: no dictionary; choose from {known}")
    words = path.read_text(encoding="utf-8", errors="ignore").splitlines()
    return _in_alphabet("dictionary", words, options, alphabet)


def read_wikipedia(options: TextOptions, alphabet: Alphabet) -> Pool:
    """The beginnings of random articles, from the network."""
    try:
        from trdg.string_generator import create_strings_from_wikipedia

        found = create_strings_from_wikipedia(options.min_length, 200, options.language)
    except Exception as error:  # requests, JSON and Wikipedia itself fail in many ways
        raise LineError(
            f"Wikipedia cannot be reached ({type(error).__name__}); use --text-source "
            "dictionary, or your own lines with --text-source strings --strings-file FILE"
        ) from error
    return _in_alphabet("Wikipedia", found, options, alphabet)


def _in_alphabet(name: str, found: list[str], options: TextOptions, alphabet: Alphabet) -> Pool:
    """The texts that are written in the alphabet; the others are counted."""
    cased = dict.fromkeys(in_case(normalise_text(text), options.case) for text in found)
    texts = tuple(text for text in cased if text and not alphabet.unknown(text))
    if not texts:
        raise LineError(
            f"none of the {len(cased):,} {name} texts fits the alphabet "
            f"{alphabet.characters!r}; give --alphabet ascii, or --case lower with alnum"
        )
    return Pool(texts, left_out=len(cased) - len(texts))


def read_strings(options: TextOptions, alphabet: Alphabet) -> Pool:
    """Your own strings, from the options and a file; all of them must be in the alphabet."""
    found = [(f"strings[{i}]", text) for i, text in enumerate(options.strings)]
    path = options.strings_file
    if path is not None:
        try:
            rows = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LineError(f"--strings-file {path}: cannot be read ({error})") from error
        found += [(f"{path}:{i}", row) for i, row in enumerate(rows, 1) if row.strip()]
    labels = [(place, in_case(normalise_text(text), options.case)) for place, text in found]
    faults = [f"{place}: empty" for place, text in labels if not text] + [
        f"{place}: {text!r} has {alphabet.unknown(text)!r}"
        for place, text in labels
        if alphabet.unknown(text)
    ]
    if faults:
        raise LineError(
            f"{len(faults)} of {len(labels)} strings cannot be labels in the alphabet "
            f"{alphabet.characters!r}; widen it with --alphabet, or fix them:" + first_ten(faults)
        )
    if not labels:
        raise LineError("--text-source strings: none given; add --strings or --strings-file")
    return Pool(tuple(text for _, text in labels), tuple(place for place, _ in labels))


def read_digits(options: TextOptions, alphabet: Alphabet) -> Pool:
    """No texts: numbers are made up, of the ten digits and of what else is in the alphabet."""
    if missing := alphabet.unknown(string.digits):
        raise LineError(
            f"--text-source numbers: the alphabet {alphabet.characters!r} lacks {missing!r}; add "
            "them with --alphabet, or give another --text-source"
        )
    return Pool()


def read_nothing(options: TextOptions, alphabet: Alphabet) -> Pool:
    """No texts: the source makes them up."""
    return Pool()


# --- drawing one text -------------------------------------------------------------------------


class Texts:
    """The text source that options name: `draw(rng)` gives one line of text.

    Raises LineError if the source cannot be used: characters outside the alphabet in your own
    strings, a missing dictionary, no network for Wikipedia, --min-length over --max-length.
    """

    def __init__(self, options: TextOptions, alphabet: Alphabet):
        self.options, self.alphabet = options, alphabet
        if options.text_source in ("random", "numbers", "mixed"):
            if options.min_length > options.max_length:
                raise LineError(
                    f"--min-length {options.min_length} and --max-length {options.max_length}: "
                    "give a --min-length of at most --max-length"
                )
            if not alphabet.characters.strip():
                raise LineError("the alphabet has nothing but spaces; add characters that show")
        self.pool, self.places, self.left_out = SOURCES[options.text_source].read(options, alphabet)

    def draw(self, rng: np.random.Generator) -> str:
        """One line of NFC text, at least one character long."""
        return SOURCES[self.options.text_source].draw(self, rng)

    @property
    def has_space(self) -> bool:
        """Whether a line can have several words."""
        return " " in self.alphabet.ids


def draw_random(texts: Texts, rng: np.random.Generator) -> str:
    """Random characters of the alphabet."""
    length = _random_length(texts.options, rng)
    while True:  # until no space is at an end or beside another one, where it would not show
        text = _random_characters(length, texts.alphabet.characters, rng)
        if normalise_text(text) == text:
            return text


def _random_length(options: TextOptions, rng: np.random.Generator) -> int:
    return int(rng.integers(options.min_length, options.max_length + 1))


def _random_characters(length: int, characters: str, rng: np.random.Generator) -> str:
    ids = rng.integers(len(characters), size=length).tolist()
    if rng.random() < REPEATS:
        start, end = np.sort(rng.integers(0, length + 1, 2)).tolist()
        ids[start:end] = ids[start : start + 1] * (end - start)
    return "".join([characters[i] for i in ids])


def draw_number(texts: Texts, rng: np.random.Generator) -> str:
    """A number as it is printed, or random digits; all of it in the alphabet."""
    while True:
        if rng.random() < NUMBERS:
            text = number(rng)
        else:
            text = _random_characters(_random_length(texts.options, rng), string.digits, rng)
        if not texts.alphabet.unknown(text):
            return text


def draw_words(texts: Texts, rng: np.random.Generator) -> str:
    """From one to `words` words of a dictionary."""
    count = int(rng.integers(1, texts.options.words + 1)) if texts.has_space else 1
    return " ".join(texts.pool[i] for i in rng.integers(len(texts.pool), size=count))


def draw_mixed(texts: Texts, rng: np.random.Generator) -> str:
    """Words in one case, with punctuation; among them, or alone, numbers and codes."""
    most = texts.options.words if texts.has_space else 1
    count = 1 if rng.random() < 0.5 else int(rng.integers(1, most + 1))
    while True:  # until all of it is in the alphabet
        style, parts = CASES[rng.integers(len(CASES))], []
        for _ in range(count):
            kind = rng.random()
            if kind < 0.65:
                part = _punctuated(style(draw_one(texts, rng)), rng)
            elif kind < 0.9:
                part = number(rng)
            else:
                part = draw_random(texts, rng)
            parts.append(part)
        text = in_case(" ".join(parts), texts.options.case)
        if not texts.alphabet.unknown(text) and normalise_text(text) == text:
            return text


def draw_one(texts: Texts, rng: np.random.Generator) -> str:
    """One text of the pool."""
    return texts.pool[rng.integers(len(texts.pool))]


class Source(NamedTuple):
    """How a text source reads the texts to choose from, and draws one."""

    read: Callable[[TextOptions, Alphabet], Pool]
    draw: Callable[[Texts, np.random.Generator], str]


SOURCES = {
    "random": Source(read_nothing, draw_random),
    "numbers": Source(read_digits, draw_number),
    "dictionary": Source(read_dictionary, draw_words),
    "mixed": Source(read_dictionary, draw_mixed),
    "strings": Source(read_strings, draw_one),
    "wikipedia": Source(read_wikipedia, draw_one),
}
