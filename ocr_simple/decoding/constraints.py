"""Constraints on the text that is read: a list of words, or a regular expression.

A `Constraint` says which texts are allowed, and which prefixes can still become one. The words of
a `Lexicon` are also a `Trie`, and a regular expression is an `Automaton` where it can be one: in
both, many prefixes are extended at once. All of them are in visual order, as a model reads them;
see `ocr_simple/text.py`. NumPy and regex only.
"""

import contextlib
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import regex

from ocr_simple.decoding.automaton import MOST_EXACT, Automaton, edges_of
from ocr_simple.decoding.regular import NotRegular, compile_pattern
from ocr_simple.local_files import read_rows
from ocr_simple.messages import escape_controls, first_ten, shown
from ocr_simple.text import BLANK, LONGEST_LABEL, Alphabet, normalise_text

MOST_BYTES = 1 << 26  # of a lexicon
MOST_PREFIXES = 10_000  # that are tried to find a text that a pattern matches
MOST_SECONDS = 2.0  # that matching one text may take


def option_of(pattern: str) -> str:
    """The option --pattern for a message, as it was typed."""
    return f"--pattern '{escape_controls(pattern)}'"


class Candidates(NamedTuple):
    """Prefixes that extend those of a batch by one character, the most promising first."""

    rows: np.ndarray  # (n,) rows of the prefixes that they extend
    ids: np.ndarray  # (n,) class ids of the new characters
    prefixes: np.ndarray  # (n,) the extended prefixes
    bounds: np.ndarray  # (n,) upper bounds for the log probability of texts that begin with them


def _shared_with_previous(lengths: np.ndarray, place: np.ndarray, text: np.ndarray) -> np.ndarray:
    """How many characters each word has in common with the word before it, at its beginning.

    lengths: (words,). place, text: (characters,) of all words, one after the other: the place in
    its word, and the code point.
    """
    previous = np.concatenate([[0], lengths[:-1]]).astype(np.int32)
    behind = np.repeat(previous, lengths)  # how far back the previous word has the same place
    there = place < behind
    same = np.zeros(len(text), bool)
    same[there] = text[there] == text[np.flatnonzero(there) - behind[there]]
    starts = np.cumsum(lengths) - lengths
    # the first place that differs; sorted words that are each once differ before the end
    return np.minimum.reduceat(np.where(same, int(lengths.max()), place), starts)


class Trie:
    """The prefixes of sorted words as nodes: integers, 0 for the empty prefix.

    Nodes are numbered by length, and then in the order of the words, so that the children of a node
    are consecutive. The prefixes in `prefix_search.py` have the same methods.
    """

    def __init__(self, words: list[str], alphabet: Alphabet):
        """words: not empty, sorted, and each once."""
        lengths = np.array([len(word) for word in words])
        word = np.repeat(np.arange(len(words), dtype=np.int32), lengths)  # of each character
        starts = (np.cumsum(lengths) - lengths).astype(np.int32)
        place = np.arange(len(word), dtype=np.int32) - np.repeat(starts, lengths)  # in its word
        points = np.array([ord(c) for c in alphabet.characters])
        order = np.argsort(points).astype(np.int32)
        text = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), "<u4")
        ids = order[np.searchsorted(points[order], text)] + 1
        # the nodes: prefixes that a word has, and the word before it lacks
        shared = np.repeat(_shared_with_previous(lengths, place, text), lengths)
        new = np.flatnonzero(place >= shared)
        new = new[np.argsort(place[new], kind="stable")]
        keys = place[new].astype(np.int64) * len(words) + word[new]  # ascending, as the nodes are
        # a prefix that a word shares with those before it is the last node of its length up to it
        parent = np.searchsorted(keys, keys - len(words), side="right")
        children = np.bincount(parent, minlength=len(parent) + 1)
        ends = np.searchsorted(keys, (lengths - 1) * len(words) + np.arange(len(words)), "right")
        self.words = words
        self.root = np.array([0])
        self.first = np.concatenate([[1], 1 + np.cumsum(children)])  # the first child of each node
        self.ids = np.concatenate([[BLANK], ids[new]])  # the last class of each node
        self.word = np.full(len(parent) + 1, -1)  # the word that ends at each node, or -1
        self.word[ends] = np.arange(len(words))

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
        rows, children = edges_of(self.first, nodes)
        ids = self.ids[children]
        bounds = bounds[rows, ids]
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        return Candidates(rows[order], ids[order], children[order], bounds[order]), cut


class Pattern:
    """The texts that a regular expression matches completely.

    The syntax is that of the package regex, an extension of Python's. Raises ValueError if it is
    not a regular expression, and later for a text that takes over MOST_SECONDS to match.
    """

    def __init__(self, pattern: str):
        try:
            self.compiled = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(
                f"{option_of(pattern)}: {error}; correct it, or write \\ before a special "
                "character that is meant literally"
            ) from error
        self.pattern = pattern

    def extends(self, prefix: str) -> bool:
        """Whether a matching text, of any characters, begins with `prefix`.

        If that is not known yet, as within a lookahead, it is True.
        """
        return self._match(prefix, partial=True)

    def allows(self, text: str) -> bool:
        """Whether all of `text` matches."""
        return self._match(text)

    def _match(self, text: str, partial: bool = False) -> bool:
        try:
            found = self.compiled.fullmatch(text, partial=partial, timeout=MOST_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"{option_of(self.pattern)}: takes over {MOST_SECONDS:g} s to match {text!r}; "
                "write it without nested repetitions, such as (a+)+"
            ) from None
        return found is not None

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
        self._set(list(enumerate(words)), alphabet, "the lexicon", lambda i: f"words[{i}]")

    @classmethod
    def load(cls, path: str | os.PathLike, alphabet: Alphabet) -> "Lexicon":
        """The lexicon in a UTF-8 file with one word or phrase per row; empty rows are ignored.

        A row has at most LONGEST_LABEL characters. Raises ValueError as Lexicon does, with the file
        and row, or if the file cannot be read.
        """
        try:
            rows = list(read_rows(path, MOST_BYTES, LONGEST_LABEL))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"--lexicon {path}: cannot be read ({error}); name a UTF-8 file with one word per "
                "row"
            ) from error
        lexicon = cls.__new__(cls)
        lexicon._set(rows, alphabet, f"--lexicon {path}", lambda number: f"{path}:{number}")
        return lexicon

    def _set(
        self,
        rows: list[tuple[int, str]],
        alphabet: Alphabet,
        name: str,
        place_of: Callable[[int], str],
    ) -> None:
        """rows: (number, word). place_of: where the row of a number is, for messages."""
        if not rows:
            raise ValueError(f"{name}: is empty; add at least one word")
        known, words, faults = set(alphabet.characters), [], []
        for number, text in rows:
            word = normalise_text(text)
            if not word:
                faults.append(f"{place_of(number)}: empty")
            elif not known.issuperset(word):
                faults.append(f"{place_of(number)}: {word!r} has {alphabet.unknown(word)!r}")
            words.append(word)
        if faults:
            raise ValueError(
                f"{name}: {len(faults)} of {len(rows)} words cannot be read in the alphabet "
                f"{shown(alphabet.characters)}; correct or remove them:" + first_ten(faults)
            )
        self.texts = sorted(set(words))  # as they are typed
        visual = set(map(alphabet.to_visual, words)) if alphabet.right_to_left else None
        self.words = self.texts if visual is None else sorted(visual)
        self.alphabet = alphabet
        self.trie = Trie(self.words, alphabet)

    def allows(self, text: str) -> bool:
        """Whether `text` is one of the words."""
        place = bisect_left(self.words, text)
        return place < len(self.words) and self.words[place] == text

    def matching(self, pattern: Pattern) -> "Lexicon":
        """The words that match `pattern`. Raises ValueError if none does."""
        words = [text for text in self.texts if pattern.allows(text)]
        if not words:
            raise ValueError(
                f"{option_of(pattern.pattern)} matches none of the lexicon's {len(self.words)} "
                f"words, such as {self.texts[0]!r}; correct the pattern, or leave it out"
            )
        return Lexicon(words, self.alphabet)


Constraint = Pattern | Automaton | Lexicon


def is_exact(constraint: Constraint | None, steps: int = 0) -> bool:
    """Whether all texts that a constraint allows are searched, so that no beam is needed.

    steps: of the line. A lexicon that an export keeps is an automaton; it is searched in whole
    where that takes at most about two seconds.
    """
    if isinstance(constraint, Automaton):
        return constraint.exact and constraint.prefixes * steps**2 <= MOST_EXACT
    return isinstance(constraint, Lexicon)


def load_constraint(
    lexicon: str | os.PathLike | Iterable[str] | None, pattern: str | None, alphabet: Alphabet
) -> Constraint | None:
    """The constraint of a lexicon, a regular expression, or both; None without either.

    lexicon: a file, or the texts themselves. A regular expression becomes an Automaton, or a
    Pattern if it cannot. Raises ValueError as Lexicon and Pattern do, and for a pattern alone if no
    text in the alphabet matches it, or if the alphabet has right-to-left letters.
    """
    matching = Pattern(pattern) if pattern is not None else None
    if lexicon is not None:
        if isinstance(lexicon, (str, os.PathLike)):
            words = Lexicon.load(lexicon, alphabet)
        else:
            words = Lexicon(lexicon, alphabet)
        return words if matching is None else words.matching(matching)
    if pattern is None or matching is None:
        return None
    if alphabet.right_to_left:
        raise ValueError(
            f"{option_of(pattern)}: patterns are matched from left to right, and this model reads "
            "right-to-left text; list the possible texts with --lexicon"
        )
    automaton = None
    with contextlib.suppress(NotRegular):
        automaton = compile_pattern(pattern, alphabet)
    possible = automaton.edges[0] if automaton else matching.can_be_written(alphabet.characters)
    if not possible:
        raise ValueError(
            f"{option_of(pattern)}: matches no text in the alphabet {shown(alphabet.characters)}; "
            "correct the pattern, or choose a model that reads its characters"
        )
    return automaton or matching
