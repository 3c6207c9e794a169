"""What texts there are: the words of a lexicon, or those that a pattern matches.

Decoding asks of a `Constraint` which prefixes can go on, and which texts are whole. The words of a
lexicon are a trie besides, whose prefixes are looked at many at once. NumPy and regex only.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import regex

from ocr_simple.text import BLANK, Alphabet, first_ten, normalise_text

TRIES = 10_000  # beginnings looked at for a text that a pattern matches


class Choice(NamedTuple):
    """Prefixes to look at, the most promising first."""

    rows: np.ndarray  # (n,) of the prefixes that they lengthen, in their batch
    ids: np.ndarray  # (n,) class by which
    prefixes: np.ndarray  # (n,) the longer ones
    bounds: np.ndarray  # (n,) log probability that no text which begins so exceeds


class Trie:
    """Prefixes of sorted words as nodes: an array of integers, 0 for the empty one.

    Nodes are numbered by length, then in the order of the words, so that those which lengthen a
    node lie together.
    """

    def __init__(self, words: list[str], alphabet: Alphabet):
        lengths = np.array([len(word) for word in words])
        inside = np.arange(lengths.max()) < lengths[:, None]  # (words, longest)
        points = np.array([ord(c) for c in alphabet.characters])
        order = np.argsort(points)
        text = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), "<u4")
        ids = np.zeros(inside.shape, np.int32)
        ids[inside] = order[np.searchsorted(points[order], text)] + 1
        new = inside.copy()  # where a word leaves those before it
        new[1:] &= np.logical_or.accumulate(ids[1:] != ids[:-1], axis=1)
        nodes = np.cumsum(new.T, dtype=np.int32).reshape(new.T.shape)  # (longest, words)
        length, word = np.nonzero(new.T)  # of each node but the root
        parent = np.where(length, nodes[length - 1, word], 0)
        children = np.bincount(parent, minlength=len(parent) + 1)
        self.words = words
        self.root = np.array([0])
        self.first = np.concatenate([[1], 1 + np.cumsum(children)])  # node that lengthens a node
        self.ids = np.concatenate([[BLANK], ids[word, length]])  # last class of each
        self.word = np.full(len(parent) + 1, -1)  # that ends at the node
        self.word[nodes[lengths - 1, np.arange(len(words))]] = np.arange(len(words))

    def whole(self, nodes: np.ndarray) -> np.ndarray:
        return self.word[nodes] >= 0

    def text(self, node: int) -> str:
        return self.words[self.word[node]]

    def longer(
        self, nodes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Choice, bool]:
        first = self.first[nodes]
        counts = self.first[nodes + 1] - first
        rows = np.repeat(np.arange(len(nodes)), counts)
        children = np.arange(len(rows)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        own = bounds[rows, self.ids[children]]
        order = np.argsort(-own, kind="stable")[: np.count_nonzero(own > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        return Choice(rows[order], self.ids[children[order]], children[order], own[order]), cut


class Constraint(Protocol):
    """Which texts may be read."""

    def extends(self, prefix: str) -> bool:
        """Whether some allowed text begins with `prefix`, or is it."""

    def allows(self, text: str) -> bool:
        """Whether `text` is allowed."""


class Pattern:
    """The texts that a regular expression matches from end to end.

    The syntax is that of the package regex, Python's own and more. Raises ValueError if it is
    not a regular expression.
    """

    def __init__(self, pattern: str):
        try:
            self.compiled = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(
                f"pattern {pattern!r}: {error}; mend it, or write \\ before a character that "
                "stands for itself"
            ) from error
        self.pattern = pattern

    def extends(self, prefix: str) -> bool:
        """Whether some matching text begins with `prefix`, whatever its characters.

        In doubt (a lookahead that is not decided yet) it is True.
        """
        return self.compiled.fullmatch(prefix, partial=True) is not None

    def allows(self, text: str) -> bool:
        """Whether all of `text` matches."""
        return self.compiled.fullmatch(text) is not None

    def can_be_written(self, characters: str) -> bool:
        """Whether some text of `characters` matches; in doubt, after TRIES beginnings, True."""
        beginnings = deque(characters)  # the shortest first
        for _ in range(TRIES):
            if not beginnings:
                return False
            prefix = beginnings.popleft()
            if self.extends(prefix):
                if self.allows(prefix):
                    return True
                beginnings += (prefix + character for character in characters)
        return True


class Lexicon:
    """A list of words, or of whole phrases, in an alphabet.

    They are normalised as labels are. Raises ValueError that names the first ten which are empty
    or have characters outside the alphabet, or if there is none at all.
    """

    def __init__(self, words: Iterable[str], alphabet: Alphabet):
        self._set([(f"words[{i}]", word) for i, word in enumerate(words)], alphabet, "the lexicon")

    @classmethod
    def load(cls, path: str | Path, alphabet: Alphabet) -> "Lexicon":
        """The lexicon in a UTF-8 file, a word or phrase a line; empty lines do not count.

        Raises ValueError as Lexicon does, with file and line, or if the file cannot be read.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"lexicon {path}: cannot be read ({error}); name a UTF-8 file, a word a line"
            ) from error
        lexicon = cls.__new__(cls)
        places = [(f"{path}:{i}", line) for i, line in enumerate(lines, 1) if line.strip()]
        lexicon._set(places, alphabet, f"lexicon {path}")
        return lexicon

    def _set(self, places: list[tuple[str, str]], alphabet: Alphabet, name: str) -> None:
        if not places:
            raise ValueError(f"{name}: is empty; give it at least one word")
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
                f"{alphabet.characters!r}; mend them, or leave them out:" + first_ten(faults)
            )
        self.words = sorted(set(words))
        self.alphabet = alphabet
        self.trie = Trie(self.words, alphabet)

    def extends(self, prefix: str) -> bool:
        """Whether some word begins with `prefix`, or is it."""
        place = bisect_left(self.words, prefix)
        return place < len(self.words) and self.words[place].startswith(prefix)

    def allows(self, text: str) -> bool:
        """Whether `text` is one of the words."""
        place = bisect_left(self.words, text)
        return place < len(self.words) and self.words[place] == text

    def matching(self, pattern: Pattern) -> "Lexicon":
        """The words that match `pattern`. Raises ValueError if none does."""
        words = [word for word in self.words if pattern.allows(word)]
        if not words:
            raise ValueError(
                f"pattern {pattern.pattern!r} matches none of the lexicon's {len(self.words)} "
                f"words, of which {self.words[0]!r} is one; mend the pattern, or do without one"
            )
        return Lexicon(words, self.alphabet)


def load_constraint(
    lexicon: str | Path | None, pattern: str | None, alphabet: Alphabet
) -> Constraint | None:
    """What a lexicon file and a regular expression allow, either or both or neither.

    Raises ValueError as Lexicon and Pattern do, and if the alphabet cannot write what the pattern
    asks for.
    """
    matching = Pattern(pattern) if pattern is not None else None
    if lexicon is not None:
        words = Lexicon.load(lexicon, alphabet)
        return words.matching(matching) if matching else words
    if matching and not matching.can_be_written(alphabet.characters):
        raise ValueError(
            f"pattern {pattern!r}: matches nothing that the alphabet {alphabet.characters!r} can "
            "write; mend the pattern"
        )
    return matching
