"""Texts like some labels: of their lengths, with their kinds of characters and their fixed parts.

A label's shape is the kind of each of its characters: digits, capitals, small letters, and all
other characters, which stand for themselves. A text takes the shape of a label. In each of its
places it has a character that labels of that shape have there, or any of that kind: with n such
labels, and a kind of k characters, the first with the chance n / (n + k) (a Dirichlet prior). Words
are often replaced by others, since the next picture may show any.
"""

import itertools
import re
import string
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from ocr_simple.drawing.phrases import frequencies
from ocr_simple.text import Alphabet, normalise_text

KINDS = {r"\d": string.digits, "[A-Z]": string.ascii_uppercase, "[a-z]": string.ascii_lowercase}
# letters with neither digit nor letter beside
WORD = re.compile(r"(?<![^\W_])[^\W\d_]{3,}(?![^\W_])")
OTHER_WORD = 0.5  # share of words that are replaced
ATTEMPTS = 20  # until a text is in the alphabet


def kind_of(character: str) -> str:
    """The kind of a character, as a regular expression."""
    known = (kind for kind, members in KINDS.items() if character in members)
    return next(known, re.escape(character))


def shape(label: str) -> tuple[str, ...]:
    """The kind of each character of a label."""
    return tuple(map(kind_of, label))


def pattern_of(labels: Sequence[str]) -> str:
    r"""A regular expression of all labels, such as \d{4,5}; empty if they have no common one."""
    runs = [[(k, len(list(g))) for k, g in itertools.groupby(shape(text))] for text in labels]
    if not runs or len({tuple(kind for kind, _ in each) for each in runs}) > 1:
        return ""
    parts = []
    for place in zip(*runs):
        lengths = [count for _, count in place]
        low, high = min(lengths), max(lengths)
        times = "" if high == 1 else f"{{{low}}}" if low == high else f"{{{low},{high}}}"
        parts.append(place[0][0] + times)
    return "".join(parts)


class TextsLike:
    """`draw(rng)` gives a text like `labels`, in the alphabet.

    labels: those of pictures with something to read. Raises ValueError if there are none.
    """

    def __init__(self, labels: Sequence[str], alphabet: str):
        self.labels = [label for label in labels if label]
        if not self.labels:
            raise ValueError("no label has any text; label some pictures with a line of text")
        self.alphabet = Alphabet(alphabet)
        self.members = {
            kind: "".join(c for c in members if c in self.alphabet.ids)
            for kind, members in KINDS.items()
        }
        self.seen: dict[tuple[str, ...], list[str]] = defaultdict(list)  # labels of each shape
        for label in self.labels:
            self.seen[shape(label)].append(label)
        lengths = Counter(len(word) for text in self.labels for word in WORD.findall(text))
        self.words: list[str] = []  # of the lengths that the labels' words have, at most
        if lengths:
            longest = max(lengths)
            self.words = [word for word in frequencies() if 2 <= len(word) <= longest]

    def draw(self, rng: np.random.Generator) -> str:
        """A text."""
        for _ in range(ATTEMPTS):
            label = self.labels[int(rng.integers(len(self.labels)))]
            text = WORD.sub(lambda found: self._word(found[0], rng), self._filled(label, rng))
            if text and normalise_text(text) == text and not self.alphabet.unknown(text):
                return text
        return label

    def _filled(self, label: str, rng: np.random.Generator) -> str:
        """The label with other characters of the same kinds; its words are left as they are."""
        words = {i for found in WORD.finditer(label) for i in range(*found.span())}
        kinds = shape(label)
        alike = self.seen[kinds]
        filled = list(label)
        for place, kind in enumerate(kinds):
            members = self.members.get(kind)
            if not members or place in words:
                continue
            if rng.random() * (len(alike) + len(members)) < len(alike):
                filled[place] = alike[int(rng.integers(len(alike)))][place]
            else:
                filled[place] = members[int(rng.integers(len(members)))]
        return "".join(filled)

    def _word(self, word: str, rng: np.random.Generator) -> str:
        """The same word, or another one in the same case."""
        if rng.random() >= OTHER_WORD:
            return word
        other = self.words[int(rng.integers(len(self.words)))]
        if word.isupper():
            return other.upper()
        return other.capitalize() if word[0].isupper() else other


def texts_like(labels: Sequence[str], alphabet: str, count: int) -> list[str]:
    """`count` texts like some labels, in an alphabet. Raises ValueError if all labels are empty."""
    source, rng = TextsLike(labels, alphabet), np.random.default_rng(0)
    return [source.draw(rng) for _ in range(count)]
