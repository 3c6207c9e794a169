"""What signs and pages say: words by frequency, names, brands, codes, rows of running text.

The words come from words.tsv.gz, which pretrained/word_list.py makes, and from phrases.txt, which
is edited by hand. To add a kind of text, write a function (vocabulary, rng) -> text, and add it to
SIGNS or PAGES with its weight.
"""

import functools
import gzip
import itertools
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ocr_simple.drawing.numbers import digits, number

WORD_LIST = Path(__file__).with_name("words.tsv.gz")
WORDS_BY_KIND = Path(__file__).with_name("phrases.txt")
SIGN_EXPONENT = 0.5  # of a word's frequency: signs have rarer words than books
ANY_LENGTH = 0.5  # share of words whose length is drawn first, so that long ones come as often
RARE = 1.0  # weight, before the exponent, of words that are not in the list

TITLES = ("Mr.", "Mrs.", "Dr.", "Prof.", "Hon.", "Miss", "Rev.")
CODAS = ("", "", "", "l", "n", "r", "s", "x", "t", "m", "ck", "nd", "rt", "ss", "ll")
DOMAINS = (".com", ".co.uk", ".org", ".net", ".de", ".ac.uk", ".in", ".fr")


def one_of(items: Sequence[str], rng: np.random.Generator) -> str:
    """One of several texts, each as likely."""
    return items[int(rng.integers(len(items)))]


@functools.lru_cache(maxsize=1)
def words_by_kind() -> dict[str, tuple[str, ...]]:
    """The words of phrases.txt, by the heading over them."""
    sections = WORDS_BY_KIND.read_text(encoding="utf-8").split("[")[1:]
    parts = (section.partition("]") for section in sections)
    return {heading: tuple(words.split()) for heading, _, words in parts}


def word_of(kind: str, rng: np.random.Generator) -> str:
    """A word of a kind in phrases.txt."""
    return one_of(words_by_kind()[kind], rng)


@functools.lru_cache(maxsize=1)
def frequencies() -> dict[str, float]:
    """How often each word of the list stands in a thousand million words."""
    with gzip.open(WORD_LIST, "rt", encoding="utf-8") as file:
        rows = [row.rstrip("\n").split("\t") for row in file if not row.startswith("#")]
    return {word: 10 ** (int(logarithm) / 100) for word, logarithm in rows}


class Vocabulary:
    """Words to draw by their frequency, or by a flatter one with all lengths alike."""

    def __init__(self, words: Sequence[str], row: int):
        self.row = row  # most words in a row of running text
        known = frequencies()
        natural = np.array([known.get(word.lower(), RARE) for word in words])
        order = np.argsort([len(word) for word in words], kind="stable")  # by length
        self.words = [words[i] for i in order]
        lengths = np.array([len(word) for word in self.words])
        self.natural = np.cumsum(natural[order])
        self.flat = np.cumsum(natural[order] ** SIGN_EXPONENT)
        ends = [int(np.searchsorted(lengths, length, side="right")) for length in range(14)]
        # the words of each length, from 2 characters on
        self.spans = [span for span in itertools.pairwise(ends[1:]) if span[0] < span[1]]

    def running(self, rng: np.random.Generator) -> str:
        """A word as often as it stands in running text."""
        return self._drawn(self.natural, 0, len(self.words), rng)

    def sign(self, rng: np.random.Generator) -> str:
        """A word for a sign: rare ones more often."""
        if self.spans and rng.random() < ANY_LENGTH:
            return self._drawn(self.flat, *self.spans[rng.integers(len(self.spans))], rng)
        return self._drawn(self.flat, 0, len(self.words), rng)

    def _drawn(self, sums: np.ndarray, start: int, end: int, rng: np.random.Generator) -> str:
        least = sums[start - 1] if start else 0.0
        at = least + rng.random() * (sums[end - 1] - least)
        return self.words[min(end - 1, int(np.searchsorted(sums, at, side="right")))]


# --- signs --------------------------------------------------------------------------------------


def in_a_case(text: str, rng: np.random.Generator) -> str:
    """A text as on signs: in capitals, with a first capital, in small letters, or mixed."""
    kind = rng.random()
    if kind < 0.45:
        return text.upper()
    if kind < 0.77:
        return text.title() if "'" not in text else text.capitalize()
    if kind < 0.97:
        return text.lower()
    at = int(rng.integers(len(text) + 1))  # as in iPhone, McDonald, EasyJet
    return text[:at].capitalize() + text[at:].capitalize()


def plain_word(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A word in a case, sometimes with punctuation, or with its ends cut off."""
    word = word_of("signs", rng) if rng.random() < 0.15 else vocabulary.sign(rng)
    kind = rng.random()
    if kind < 0.05 and len(word) > 4:  # as crops show them
        cut = int(rng.integers(1, len(word) - 2))
        word = word[cut:] if rng.random() < 0.5 else word[:-cut]
    word = in_a_case(word, rng)
    if kind > 0.93:
        word += one_of((".", ",", "!", "?", ":", "'s", "-", "..."), rng)
    elif kind > 0.91:
        word = one_of(('"', "(", "-", "#", "@", "&"), rng) + word
    return word


def brand(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A made-up name of up to three syllables, or two words in one."""
    if rng.random() < 0.3:
        return in_a_case(vocabulary.sign(rng)[:6] + vocabulary.sign(rng)[:6], rng)
    syllables = (
        word_of("onsets", rng) + word_of("vowels", rng) + one_of(CODAS, rng)
        for _ in range(int(rng.integers(1, 4)))
    )
    return in_a_case("".join(syllables), rng)


def proper_name(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A first name, a surname or a place, perhaps with 's."""
    name = word_of(one_of(("first names", "surnames", "places"), rng), rng)
    name = name if rng.random() < 0.5 else name.upper()
    if rng.random() < 0.12:
        name += "'S" if name.isupper() else "'s"
    return name


def abbreviation(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """An abbreviation, an ordinal, or a number in words."""
    if rng.random() < 0.35:
        return in_a_case(word_of("numbers", rng), rng)
    if rng.random() < 0.7:
        return word_of("abbreviations", rng)
    letters = rng.choice(list(string.ascii_uppercase), int(rng.integers(1, 5))).tolist()
    return (".".join(letters) + ".") if rng.random() < 0.3 else "".join(letters)


def address(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A web or mail address."""
    name = vocabulary.sign(rng).replace("'", "")
    before = one_of(("www.", "www.", "http://", "https://www.", "info@", ""), rng)
    return (before + name + one_of(DOMAINS, rng)).lower()


def random_string(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """Characters without a meaning: a code, digits, letters of one case or of both, any signs."""
    length = int(rng.integers(1, 10))
    characters = (
        string.ascii_uppercase + string.digits,
        string.ascii_uppercase + string.digits,
        string.ascii_uppercase,
        string.ascii_lowercase,
        string.digits,
        string.ascii_letters + string.digits,
        string.ascii_letters + string.digits + string.punctuation,
    )[rng.integers(7)]
    text = "".join(characters[i] for i in rng.integers(len(characters), size=length))
    if length > 4 and rng.random() < 0.25:
        at = int(rng.integers(2, length - 1))
        text = text[:at] + one_of(("-", "/", ".", " "), rng) + text[at:]
    return text


def printed_number(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A number as it is printed, or a short one."""
    return number(rng) if rng.random() < 0.5 else digits(int(rng.integers(1, 5)), rng)


def several_words(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """Two or three words in one case."""
    words = [vocabulary.sign(rng) for _ in range(int(rng.integers(2, 4)))]
    return in_a_case(one_of((" ", " ", " ", " & ", "-"), rng).join(words), rng)


Kind = Callable[[Vocabulary, np.random.Generator], str]
SIGNS: tuple[tuple[Kind, float], ...] = (
    (plain_word, 0.52),
    (several_words, 0.06),
    (proper_name, 0.06),
    (brand, 0.06),
    (abbreviation, 0.04),
    (address, 0.02),
    (printed_number, 0.05),
    (random_string, 0.19),
)


# --- pages --------------------------------------------------------------------------------------


def running_text(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A row of a paragraph: it starts and ends anywhere in a sentence, perhaps within a word."""
    parts, new = [], rng.random() < 0.25
    count = int(rng.integers(max(1, vocabulary.row // 2), vocabulary.row + 1))
    for _ in range(count):
        kind = rng.random()
        if kind < 0.04:
            word = number(rng)
        elif kind < 0.08:
            word = word_of(one_of(("first names", "surnames", "places", "dates"), rng), rng)
        elif kind < 0.1:
            word = word_of("abbreviations", rng)
        else:
            word = vocabulary.running(rng) if rng.random() < 0.7 else vocabulary.sign(rng)
            word = "I" if word == "i" else word
        if new:
            word = word[:1].upper() + word[1:]
        word, new = _with_punctuation(word, rng)
        parts.append(word)
    text = " ".join(parts)
    if rng.random() < 0.06 and len(parts[-1]) > 5 and parts[-1].isalpha():
        text = text[: -int(rng.integers(2, len(parts[-1]) - 2))] + "-"
    return text


def _with_punctuation(word: str, rng: np.random.Generator) -> tuple[str, bool]:
    """A word of a sentence, and whether the next one starts a sentence."""
    kind = rng.random()
    if kind < 0.07:
        return word + ",", False
    if kind < 0.12:
        return word.rstrip(".") + ".", True
    if kind < 0.16:
        return word + one_of((";", ":", "?", "!", "'s", " -", " &"), rng), False
    if kind < 0.19:
        brackets = one_of(("()", '""', "''", "[]"), rng)
        return brackets[0] + word + brackets[1], False
    return word, False


def heading(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A heading or a label: a few words in capitals or with first capitals, perhaps a colon."""
    words = [vocabulary.sign(rng) for _ in range(int(rng.integers(1, 5)))]
    text = " ".join(words)
    text = (text.upper(), text.title(), text.capitalize())[rng.integers(3)]
    before = one_of(("", "", "", "1. ", "A. ", "II. ", "(a) ", "2.3 ", "Fig. 1 "), rng)
    return before + text + one_of(("", "", ":", ".", " (US$)", " No.", " #"), rng)


def cell(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A cell of a table: a number in one of many forms."""
    if rng.random() < 0.5:
        return number(rng)
    whole = int(10 ** rng.uniform(0, 6))
    tenths = f"{whole:,}.{digits(1, rng)}"
    forms = (
        f"{whole:,}", f"({whole:,})", f"${whole:,}", f"${tenths}", tenths, f"{tenths}%", "-0",
        f"-{tenths}%", f"{whole % 100}", f"US${whole:,}", f"{whole % 40}x", f"+{tenths}", "N/A",
        "YES", "NO", f"{whole:,} lbs", f"{whole % 100}.{digits(2, rng)} kg", f"Q{whole % 4 + 1}",
    )  # fmt: skip
    return one_of(forms, rng)


def reference(vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    """A name, a date, an address, a citation, a code."""
    first, last, place = (word_of(kind, rng) for kind in ("first names", "surnames", "places"))
    titled = f"{one_of(TITLES, rng)} {last}"
    initial, other = (one_of(string.ascii_uppercase, rng) for _ in range(2))
    year, day, month = rng.integers(1880, 2031), rng.integers(1, 29), word_of("dates", rng)
    plain = digits(int(rng.integers(1, 5)), rng)
    code = "".join(one_of("0123456789ABCDEF", rng) for _ in range(int(rng.integers(4, 17))))
    forms = (
        f"{one_of(TITLES, rng)} {first} {last}", f"{initial}. {last},", f"Dear {titled}:",
        f"{first} {initial}. {last}", f"{initial}. {other}. {last},", f"{month} {day}, {year}",
        f"{day} {month} {year}.", f"{plain} {last} St.", f"{place}, {initial}{other}",
        f"{place}, {initial}{other} {digits(5, rng)}", f"[{last} et al. {year}]", f"Fig. {plain}",
        f"{last}, {initial}. ({year})", f"p. {plain}", f"{last} v. {place},", f"No. {plain}",
        f"ID {code}", code, f"{first} {last} ({digits(9, rng)})", f"Sec. {plain}.",
        address(vocabulary, rng),
    )  # fmt: skip
    return one_of(forms, rng)


PAGES: tuple[tuple[Kind, float], ...] = (
    (running_text, 0.58),
    (heading, 0.12),
    (cell, 0.14),
    (reference, 0.12),
    (random_string, 0.04),
)


def phrase(
    kinds: tuple[tuple[Kind, float], ...], vocabulary: Vocabulary, rng: np.random.Generator
) -> str:
    """A text of one of the kinds, by their weights, which add up to 1."""
    at, sums = rng.random(), itertools.accumulate(weight for _, weight in kinds)
    kind = next((kind for (kind, _), end in zip(kinds, sums) if at < end), kinds[0][0])
    return kind(vocabulary, rng)
