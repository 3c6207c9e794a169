"""Texts of generated lines: random characters, words, numbers, phrases, your strings, Wikipedia.

To add a text source, write a function that draws one text; if it chooses from given texts, also
those that read them, in text_pools.py. Add a row to SOURCES, at the end, and the name to
`text_source` in options.py. To add a kind of number, see numbers.py; of words on signs and pages,
phrases.py; a mark, which is drawn but is no part of the label, marks.py.
"""

import functools
import string
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ocr_simple.drawing.numbers import number
from ocr_simple.drawing.phrases import PAGES, SIGNS, Kind, Vocabulary, phrase
from ocr_simple.drawing.text_pools import (
    Pool,
    dictionary_words,
    in_case,
    listed_words,
    own_strings,
    read_dictionary,
    read_digits,
    read_listed_words,
    read_nothing,
    read_strings,
    read_wikipedia,
    wikipedia_sentences,
)
from ocr_simple.errors import LineError
from ocr_simple.options import TextOptions
from ocr_simple.text import Alphabet, normalise_text, unique_characters

NUMBERS = 0.6  # share of printed numbers in the source numbers; the others are plain digits
TRIES = 1000  # draws of one random text, at most
REPEATS = 0.15  # share of random lines with a repeated character, as in 10000 and 7788
OF_WORDS = ("dictionary", "mixed", "signs", "pages", "recipe")  # sources that use --words
OF_LENGTHS = ("random", "numbers", "mixed", "recipe")  # that use --min-length and --max-length
CASES = (str, str.lower, str.upper, str.capitalize, str.title)


# --- punctuation ------------------------------------------------------------------------------


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


def check_text_options(options: TextOptions) -> None:
    """Raise LineError for texts that were given, but that the text source does not use."""
    source = options.text_source
    unused = {
        "--words": options.words > 1 and source not in OF_WORDS,
        "--strings": bool(options.strings) and source != "strings",
        "--strings-file": options.strings_file is not None and source != "strings",
    }
    for name, given in unused.items():
        if given:
            instead = "strings"
            if name == "--words":
                instead = f"{', '.join(OF_WORDS[:-1])}, or {OF_WORDS[-1]}"
            raise LineError(
                f"{name}: --text-source {source} does not use it; add --text-source {instead}"
            )


# --- drawing one text -------------------------------------------------------------------------


class Texts:
    """The text source that options name: `draw(rng)` gives one line of text.

    Raises LineError if the source cannot be used: characters outside the alphabet in your own
    strings, a missing dictionary, no network for Wikipedia, --min-length over --max-length.
    """

    def __init__(self, options: TextOptions, alphabet: Alphabet):
        self.options, self.alphabet = options, alphabet
        if options.text_source in OF_LENGTHS:
            if options.min_length > options.max_length:
                raise LineError(
                    f"--min-length {options.min_length} and --max-length {options.max_length}: "
                    "give a --min-length of at most --max-length"
                )
            if not alphabet.characters.strip():
                raise LineError("the alphabet has only spaces; add visible characters")
        # combining marks, and what else a random text can have
        self.marks = {c for c in alphabet.characters if unicodedata.category(c)[0] == "M"}
        self.unmarked = "".join(c for c in alphabet.characters if c not in self.marks)
        self.pool, self.places, self.left_out = SOURCES[options.text_source].read(options, alphabet)

    def draw(self, rng: np.random.Generator, of_recipe: str = "mixed") -> str:
        """One line of NFC text, at least one character long.

        of_recipe: the text source of a recipe, which the source `recipe` draws from.
        """
        source = self.options.text_source
        return SOURCES[of_recipe if source == "recipe" else source].draw(self, rng)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of signs and pages, with their frequencies."""
        return Vocabulary(self.pool, self.options.words)

    @property
    def has_space(self) -> bool:
        """Whether a line can have several words."""
        return " " in self.alphabet.ids


def draw_random(texts: Texts, rng: np.random.Generator) -> str:
    """Random characters of the alphabet."""
    length = _random_length(texts.options, rng)
    for _ in range(TRIES):  # until no space is at an end or beside another, where it does not show
        text = _random_characters(length, texts.alphabet.characters, rng)
        if texts.marks and texts.unmarked.strip():
            text = _with_marks_on_letters(text, texts, rng)
        if normalise_text(text) == text:
            return text
    return normalise_text(text)  # long, of few characters: without the spaces that do not show


def _random_length(options: TextOptions, rng: np.random.Generator) -> int:
    return int(rng.integers(options.min_length, options.max_length + 1))


def _random_characters(length: int, characters: str, rng: np.random.Generator) -> str:
    ids = rng.integers(len(characters), size=length).tolist()
    if rng.random() < REPEATS:
        start, end = np.sort(rng.integers(0, length + 1, 2)).tolist()
        ids[start:end] = ids[start : start + 1] * (end - start)
    return "".join([characters[i] for i in ids])


def _with_marks_on_letters(text: str, texts: Texts, rng: np.random.Generator) -> str:
    """The text with other characters in place of marks that do not follow a letter.

    They would be drawn on a dotted circle.
    """
    shown = ""
    for character in text:
        if character in texts.marks and not shown[-1:].isalpha():
            character = texts.unmarked[rng.integers(len(texts.unmarked))]
        shown += character
    return shown


def draw_number(texts: Texts, rng: np.random.Generator) -> str:
    """A number as it is printed, less what the alphabet lacks, or random digits."""
    while True:  # until no space is at an end, as the sign after it may have left one
        if rng.random() < NUMBERS:
            text = "".join(c for c in number(rng) if not texts.alphabet.unknown(c))
        else:
            text = _random_characters(_random_length(texts.options, rng), string.digits, rng)
        if normalise_text(text) == text:
            return text


def draw_words(texts: Texts, rng: np.random.Generator) -> str:
    """From one to `words` words of a dictionary."""
    count = int(rng.integers(1, texts.options.words + 1)) if texts.has_space else 1
    return " ".join(texts.pool[i] for i in rng.integers(len(texts.pool), size=count))


def draw_mixed(texts: Texts, rng: np.random.Generator) -> str:
    """Words in one case, with punctuation; among them, or alone, numbers and codes."""
    most = texts.options.words if texts.has_space else 1
    count = 1 if rng.random() < 0.5 else int(rng.integers(1, most + 1))

    def draw() -> str:
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
        return " ".join(parts)

    return _kept(draw, texts)


def _kept(draw: Callable[[], str], texts: Texts) -> str:
    """The first text of `draw` of which something is left in the alphabet.

    A word is changed to a case that the alphabet has, and loses the punctuation around it that the
    alphabet lacks. If it still has unknown characters, it is left out. Raises LineError if nothing
    is left of many texts.
    """
    for _ in range(TRIES):
        words = in_case(draw(), texts.options.case).split(" ")
        if texts.alphabet.unknown("".join(words)):
            words = [known for word in words if (known := _known(word, texts.alphabet))]
        text = " ".join(words)
        if text and not texts.alphabet.unknown(text) and normalise_text(text) == text:
            return text
    raise LineError(
        f"--text-source {texts.options.text_source}: none of {TRIES:,} texts has a word in the "
        "alphabet; add letters or digits to --alphabet, or use --text-source random"
    )


def _known(word: str, alphabet: Alphabet) -> str:
    """A word in a case that the alphabet has, without the punctuation that it lacks; or ""."""
    for form in (word, word.lower(), word.upper()):
        form = form.strip("".join(c for c in alphabet.unknown(form) if not c.isalnum()))
        if not alphabet.unknown(form):
            return form
    return ""


def draw_one(texts: Texts, rng: np.random.Generator) -> str:
    """One text of the pool."""
    return texts.pool[rng.integers(len(texts.pool))]


def draw_sign(texts: Texts, rng: np.random.Generator) -> str:
    """What a sign says: mostly one word."""
    return _phrase(SIGNS, texts, rng)


def draw_page(texts: Texts, rng: np.random.Generator) -> str:
    """A row of a page: running text, a heading, a cell of a table, a name, a date."""
    return _phrase(PAGES, texts, rng)


def _phrase(kinds: tuple[tuple[Kind, float], ...], texts: Texts, rng: np.random.Generator) -> str:
    def draw() -> str:
        text = phrase(kinds, texts.vocabulary, rng)
        return text if any(map(str.isalnum, text)) else ""  # alone, a dash looks like other bars

    return _kept(draw, texts)


class Source(NamedTuple):
    """How a text source reads the texts to choose from, and draws one."""

    read: Callable[[TextOptions, Alphabet], Pool]
    draw: Callable[[Texts, np.random.Generator], str]
    every: Callable[[TextOptions], list[str]] | None = None  # the texts, in any alphabet


SOURCES = {
    "random": Source(read_nothing, draw_random),
    "numbers": Source(read_digits, draw_number),
    "dictionary": Source(read_dictionary, draw_words, dictionary_words),
    "mixed": Source(read_dictionary, draw_mixed, dictionary_words),
    "strings": Source(read_strings, draw_one, lambda options: [t for _, t in own_strings(options)]),
    "wikipedia": Source(read_wikipedia, draw_one, wikipedia_sentences),
    "signs": Source(read_listed_words, draw_sign, listed_words),
    "pages": Source(read_listed_words, draw_page, listed_words),
    "recipe": Source(read_listed_words, draw_mixed, listed_words),
}


# --- the alphabet of the texts ------------------------------------------------------------------


def characters_of(options: TextOptions) -> str:
    """The characters of the texts that a source chooses from; none if it makes its texts up.

    Invisible characters, such as zero-width spaces, are left out. Raises LineError as Texts does.
    """
    every, several = SOURCES[options.text_source].every, options.words > 1
    if every is None:
        return ""
    texts = unicodedata.normalize("NFC", "\0".join(map(str.strip, every(options))))
    if options.text_source in ("mixed", "signs", "pages", "recipe"):
        texts += texts.lower() + texts.upper() + string.digits + string.punctuation
    found = {" " if c.isspace() else c for c in set(in_case(texts, options.case))}
    found = {c for c in found if unicodedata.category(c)[0] != "C"} | set(" " * several)
    return unique_characters(sorted(found))


def chosen_alphabet(options: TextOptions) -> Alphabet:
    """The alphabet that options name; auto: the characters of the texts, or digits without any.

    Raises ValueError, and LineError for texts that cannot be read.
    """
    found = characters_of(options) if options.alphabet == "auto" else ""
    return Alphabet(found) if found else options.parsed_alphabet()
