"""Texts of generated lines: random characters, words, numbers, phrases, your strings, Wikipedia.

To add a text source, write a function that draws one text; if it chooses from given texts, also one
that reads them, and one that keeps those in the alphabet. Add a row to SOURCES, at the end, and the
name to `text_source` in options.py. To add a kind of number, see numbers.py; of words on signs and
pages, phrases.py; a mark, which is drawn but is no part of the label, marks.py.
"""

import functools
import string
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ocr_simple.drawing.numbers import number
from ocr_simple.drawing.phrases import PAGES, SIGNS, Kind, Vocabulary, frequencies, phrase
from ocr_simple.errors import LineError
from ocr_simple.local_files import read_rows
from ocr_simple.messages import first_ten
from ocr_simple.options import LONGEST_LINE, TRDG_FOLDER, TextOptions
from ocr_simple.text import Alphabet, normalise_text, unique_characters

NUMBERS = 0.6  # share of printed numbers in the source numbers; the others are plain digits
MOST_BYTES = 1 << 26  # of a --strings-file
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


# --- reading the texts to choose from ---------------------------------------------------------


class Pool(NamedTuple):
    """The texts that a source chooses from."""

    texts: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # where each of your own strings comes from
    left_out: int = 0  # words or sentences with characters outside the alphabet, or too long


def in_case(text: str, case: str) -> str:
    """The text in the case keep, upper or lower."""
    if case == "keep":
        return text
    return text.upper() if case == "upper" else text.lower()


def dictionary_words(options: TextOptions) -> list[str]:
    """The words of trdg's dictionary for a language. Raises LineError."""
    path = TRDG_FOLDER / "dicts" / f"{options.language}.txt"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt")))
        raise LineError(f"--language {options.language!r}: no dictionary; choose from {known}")
    return path.read_text(encoding="utf-8", errors="ignore").splitlines()


def read_dictionary(options: TextOptions, alphabet: Alphabet) -> Pool:
    """The words of a dictionary that are written in the alphabet."""
    return _in_alphabet("dictionary", dictionary_words(options), options, alphabet)


def listed_words(options: TextOptions) -> list[str]:
    """The words of the list of frequencies, in three cases."""
    return [form for word in frequencies() for form in (word, word.upper(), word.capitalize())]


def read_listed_words(options: TextOptions, alphabet: Alphabet) -> Pool:
    """The words of the list whose small letters, or else capitals, are in the alphabet."""
    changes = (str, str.upper) if options.case == "keep" else (str,)
    for change in changes:
        words = [change(word) for word in frequencies()]
        if not all(alphabet.unknown(in_case(word, options.case)) for word in words):
            break
    return _in_alphabet("listed", words, options, alphabet)


def wikipedia_sentences(options: TextOptions) -> list[str]:
    """The beginnings of random articles, from the network. Raises LineError."""
    return _downloaded(options.min_length, options.language)


@functools.lru_cache(maxsize=1)  # the alphabet is made of the texts that are drawn
def _downloaded(min_words: int, language: str) -> list[str]:
    try:
        from trdg.string_generator import create_strings_from_wikipedia

        return create_strings_from_wikipedia(min_words, 200, language)
    except Exception as error:  # requests, JSON and Wikipedia itself fail in many ways
        raise LineError(
            f"Wikipedia cannot be reached ({type(error).__name__}); use --text-source "
            "dictionary, or your own lines with --text-source strings --strings-file FILE"
        ) from error


def read_wikipedia(options: TextOptions, alphabet: Alphabet) -> Pool:
    """The sentences that are written in the alphabet."""
    return _in_alphabet("Wikipedia", wikipedia_sentences(options), options, alphabet)


def _in_alphabet(name: str, found: list[str], options: TextOptions, alphabet: Alphabet) -> Pool:
    """The texts that are written in the alphabet, and are no paragraphs; the others are counted."""
    cased = dict.fromkeys(in_case(normalise_text(text), options.case) for text in found)
    cased.pop("", None)
    texts = tuple(t for t in cased if len(t) <= LONGEST_LINE and not alphabet.unknown(t))
    if not texts:
        raise LineError(
            f"none of the {len(cased):,} {name} texts fits the alphabet "
            f"{alphabet.characters!r}; give --alphabet ascii, auto for all of their characters, or "
            "--case lower with alnum"
        )
    return Pool(texts, left_out=len(cased) - len(texts))


def own_strings(options: TextOptions) -> list[tuple[str, str]]:
    """(place, text) of your own strings, from the options and a file.

    Raises LineError, also for a text that is too long to be drawn as a line.
    """
    found = [(f"strings[{i}]", text) for i, text in enumerate(options.strings)]
    for place, text in found:
        if len(text) > LONGEST_LINE:
            raise LineError(
                f"--strings: {place} has {len(text):,} characters, over the limit of "
                f"{LONGEST_LINE:,}; shorten it"
            )
    path = options.strings_file
    if path is not None:
        try:
            rows = read_rows(path, MOST_BYTES, LONGEST_LINE)
            found += [(f"{path}:{number}", row) for number, row in rows]
        except (OSError, UnicodeDecodeError) as error:
            raise LineError(f"--strings-file {path}: cannot be read ({error})") from error
    return found


def read_strings(options: TextOptions, alphabet: Alphabet) -> Pool:
    """Your own strings; all of them must be in the alphabet."""
    found = own_strings(options)
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
                raise LineError("the alphabet has nothing but spaces; add characters that show")
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
        f"--text-source {texts.options.text_source}: {TRIES:,} texts had no word of the alphabet's "
        "characters; add letters or digits to --alphabet, or use --text-source random"
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
