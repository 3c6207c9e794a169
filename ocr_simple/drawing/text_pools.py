"""The texts that text sources choose from: read, and those kept that are in the alphabet."""

import functools
import string
from typing import NamedTuple

from ocr_simple.drawing.phrases import frequencies
from ocr_simple.errors import LineError
from ocr_simple.local_files import read_rows
from ocr_simple.messages import first_ten, shown
from ocr_simple.options import LONGEST_LINE, TRDG_FOLDER, TextOptions
from ocr_simple.text import Alphabet, normalise_text

MOST_BYTES = 1 << 26  # of a --strings-file


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
            f"{shown(alphabet.characters)}; give --alphabet ascii, auto for all of their "
            "characters, or --case lower with alnum"
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
            f"{shown(alphabet.characters)}; widen it with --alphabet, or fix them:"
            + first_ten(faults)
        )
    if not labels:
        raise LineError("--text-source strings: none given; add --strings or --strings-file")
    return Pool(tuple(text for _, text in labels), tuple(place for place, _ in labels))


def read_digits(options: TextOptions, alphabet: Alphabet) -> Pool:
    """No texts: numbers are made up, of the ten digits and of what else is in the alphabet."""
    if missing := alphabet.unknown(string.digits):
        raise LineError(
            f"--text-source numbers: the alphabet {shown(alphabet.characters)} lacks {missing!r}; "
            "add them with --alphabet, or give another --text-source"
        )
    return Pool()


def read_nothing(options: TextOptions, alphabet: Alphabet) -> Pool:
    """No texts: the source makes them up."""
    return Pool()
