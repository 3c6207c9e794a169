"""Constraints on the text that is read: a list of words, or a regular expression.

A `Constraint` says which texts are allowed, and which prefixes can still become one. The words of
a `Lexicon` are also a `Trie`, in which many prefixes are extended at once. All of them are in
visual order, as a model reads them; see `ocr_simple/text.py`. NumPy and regex only.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import regex

from ocr_simple.local_files import read_bytes
from ocr_simple.text import BLANK, Alphabet, first_ten, normalise_text

MOST_BYTES = 1 << 28  # of a lexicon
MOST_PREFIXES = 10_000  # that are tried to find a text that a pattern matches


class Candidates(NamedTuple):
    """Prefixes that extend those of a batch by one character, the most promising first."""

    rows: np.ndarray  # (n,) rows of the prefixes that they extend
    ids: np.ndarray  # (n,) class ids of the new characters
    prefixes: np.ndarray  # (n,) the extended prefixes
    bounds: np.ndarray  # (n,) upper bounds for the log probability of texts that begin with them


class Trie:
    """The prefixes of sorted words as nodes: integers, 0 for the empty prefix.

    Nodes are numbered by length, and then in the order of the words, so that the children of a node
    are consecutive. `prefix_search.TextPrefixes` has the same methods.
    """

    def __init__(self, words: list[str], alphabet: Alphabet):
        """words: not empty, sorted, and each once."""
        lengths = np.array([len(word) for word in words])
        inside = np.arange(lengths.max()) < lengths[:, None]  # (words, longest)
        points = np.array([ord(c) for c in alphabet.characters])
        order = np.argsort(points)
        text = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), "<u4")
        ids = np.zeros(inside.shape, np.int32)
        ids[inside] = order[np.searchsorted(points[order], text)] + 1
        new = inside.copy()  # where a word has a prefix that the word before it lacks
        new[1:] &= np.logical_or.accumulate(ids[1:] != ids[:-1], axis=1)
        nodes = np.cumsum(new.T, dtype=np.int32).reshape(new.T.shape)  # (longest, words)
        length, word = np.nonzero(new.T)  # of each node but the root
        parent = np.where(length, nodes[length - 1, word], 0)
        children = np.bincount(parent, minlength=len(parent) + 1)
        self.words = words
        self.root = np.array([0])
        self.first = np.concatenate([[1], 1 + np.cumsum(children)])  # the first child of each node
        self.ids = np.concatenate([[BLANK], ids[word, length]])  # the last class of each node
        self.word = np.full(len(parent) + 1, -1)  # the word that ends at each node, or -1
        self.word[nodes[lengths - 1, np.arange(len(words))]] = np.arange(len(words))

    def complete(self, nodes: np.ndarray) -> np.ndarray:
        """Whether each node is a word."""
        return self.word[nodes] >= 0

    def text(self, node: int) -> str:
        """The word of a node."""
        return self.words[self.word[node]]

    def extensions(
        self, nodes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Candidates, bool]:
        """(the best children with a bound above `least`, whether the limit left some out).

        bounds: (nodes, classes). limit: how many children to return; None for all.
        """
        first = self.first[nodes]
        counts = self.first[nodes + 1] - first
        rows = np.repeat(np.arange(len(nodes)), counts)
        children = np.arange(len(rows)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        ids = self.ids[children]
        bounds = bounds[rows, ids]
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        return Candidates(rows[order], ids[order], children[order], bounds[order]), cut


class Constraint(Protocol):
    """Which texts are allowed."""

    def extends(self, prefix: str) -> bool:
        """Whether an allowed text begins with `prefix`, or is equal to it."""

    def allows(self, text: str) -> bool:
        """Whether `text` is allowed."""


class Pattern:
    """The texts that a regular expression matches completely.

    The syntax is that of the package regex, an extension of Python's. Raises ValueError if it is
    not a regular expression.
    """

    def __init__(self, pattern: str):
        try:
            self.compiled = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(
                f"--pattern {pattern!r}: {error}; correct it, or write \\ before a character that "
                "stands for itself"
            ) from error
        self.pattern = pattern

    def extends(self, prefix: str) -> bool:
        """Whether a matching text, of any characters, begins with `prefix`.

        If that is not known yet, as within a lookahead, it is True.
        """
        return self.compiled.fullmatch(prefix, partial=True) is not None

    def allows(self, text: str) -> bool:
        """Whether all of `text` matches."""
        return self.compiled.fullmatch(text) is not None

    def can_be_written(self, characters: str) -> bool:
        """Whether a text of `characters` matches. After MOST_PREFIXES without an answer, True."""
        prefixes = deque(characters)  # the shortest first
        for _ in range(MOST_PREFIXES):
            if not prefixes:
                return False
            prefix = prefixes.popleft()
            if self.extends(prefix):
                if self.allows(prefix):
                    return True
                prefixes += (prefix + character for character in characters)
        return True


class Lexicon:
    """A list of words, or of whole phrases, in an alphabet.

    They are normalised as labels are. Raises ValueError if there are none, or if some are empty or
    have characters that are not in the alphabet; the message lists the first ten.
    """

    def __init__(self, words: Iterable[str], alphabet: Alphabet):
        self._set([(f"words[{i}]", word) for i, word in enumerate(words)], alphabet, "the lexicon")

    @classmethod
    def load(cls, path: str | Path, alphabet: Alphabet) -> "Lexicon":
        """The lexicon in a UTF-8 file with one word or phrase per row; empty rows are ignored.

        Raises ValueError as Lexicon does, with the file and row, or if the file cannot be read.
        """
        try:
            rows = read_bytes(path, MOST_BYTES).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"--lexicon {path}: cannot be read ({error}); name a UTF-8 file with one word per "
                "row"
            ) from error
        lexicon = cls.__new__(cls)
        places = [(f"{path}:{i}", row) for i, row in enumerate(rows, 1) if row.strip()]
        lexicon._set(places, alphabet, f"--lexicon {path}")
        return lexicon

    def _set(self, places: list[tuple[str, str]], alphabet: Alphabet, name: str) -> None:
        if not places:
            raise ValueError(f"{name}: is empty; add at least one word")
        known, words, faults = set(alphabet.characters), [], []
        for place, text in places:
            word = normalise_text(text)
            if not word:
                faults.append(f"{place}: empty")
            elif not known.issuperset(word):
                faults.append(f"{place}: {word!r} has {alphabet.unknown(word)!r}")
            words.append(word)
        if faults:
            raise ValueError(
                f"{name}: {len(faults)} of {len(places)} words cannot be read in the alphabet "
                f"{alphabet.characters!r}; correct or remove them:" + first_ten(faults)
            )
        self.texts = sorted(set(words))  # as they are typed
        visual = set(map(alphabet.to_visual, words)) if alphabet.right_to_left else None
        self.words = self.texts if visual is None else sorted(visual)
        self.alphabet = alphabet
        self.trie = Trie(self.words, alphabet)

    def extends(self, prefix: str) -> bool:
        """Whether a word begins with `prefix`, or is equal to it."""
        place = bisect_left(self.words, prefix)
        return place < len(self.words) and self.words[place].startswith(prefix)

    def allows(self, text: str) -> bool:
        """Whether `text` is one of the words."""
        place = bisect_left(self.words, text)
        return place < len(self.words) and self.words[place] == text

    def matching(self, pattern: Pattern) -> "Lexicon":
        """The words that match `pattern`. Raises ValueError if none does."""
        words = [text for text in self.texts if pattern.allows(text)]
        if not words:
            raise ValueError(
                f"--pattern {pattern.pattern!r} matches none of the lexicon's {len(self.words)} "
                f"words, such as {self.texts[0]!r}; correct the pattern, or leave it out"
            )
        return Lexicon(words, self.alphabet)


def load_constraint(
    lexicon: str | Path | None, pattern: str | None, alphabet: Alphabet
) -> Constraint | None:
    """The constraint of a lexicon file, a regular expression, or both; None without either.

    Raises ValueError as Lexicon and Pattern do, and for a pattern alone if no text in the alphabet
    matches it, or if the alphabet has right-to-left letters.
    """
    matching = Pattern(pattern) if pattern is not None else None
    if lexicon is not None:
        words = Lexicon.load(lexicon, alphabet)
        return words.matching(matching) if matching else words
    if matching and alphabet.right_to_left:
        raise ValueError(
            f"--pattern {pattern!r}: patterns are matched from left to right, and this model reads "
            "right-to-left text; list the possible texts with --lexicon"
        )
    if matching and not matching.can_be_written(alphabet.characters):
        raise ValueError(
            f"--pattern {pattern!r}: matches no text in the alphabet {alphabet.characters!r}; "
            "correct the pattern"
        )
    return matching
