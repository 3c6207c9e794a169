"""Prefix search: the most probable texts that a constraint allows, for both heads.

The search extends prefixes by one character at a time, the most promising first. The score of a
prefix bounds that of every text that begins with it, so that prefixes whose bound is not above the
best text found so far (or the last of several that are wanted) are dropped without loss (Graves et
al. 2006, "Connectionist Temporal Classification", section 3.2).

A beam also drops all but the best few extensions at each length. A beam that runs through the time
steps (Graves & Jaitly 2014, "Towards End-to-End Speech Recognition"; Hannun et al. 2014,
"First-Pass Large Vocabulary Continuous Speech Recognition") compares prefixes by the part of the
line it has seen. This one compares them by the whole line, and it compares prefixes of one length,
so it reaches the end of a pattern even if the image shows only a part of it. NumPy only.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.decoding.automaton import Automaton, edges_of
from ocr_simple.decoding.constraints import Candidates, Constraint, Lexicon, Pattern, Trie
from ocr_simple.messages import shown
from ocr_simple.text import Alphabet

WIDEST = 100  # widest beam that is tried if a narrower one finds no text
BATCH = 64  # prefixes that are extended together until a text is found
LARGE_BATCH = 2048  # the same, after one is found

# extend(state, rows, ids) -> (scores, bounds, new state). It extends the prefixes `rows` (n,) of an
# earlier batch, whose state is given, by the classes `ids` (n,); state None is the empty text.
# scores: (n,) log probability of each new prefix as a complete text. bounds: (n, classes) upper
# bound for all texts that continue it with each class. The new state is that of the new prefixes.
Extend = Callable[[Any, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, Any]]


class FoundText(NamedTuple):
    """A result of a search."""

    score: float  # log probability
    text: str
    state: Any  # of the batch of prefixes in which it was found
    row: int  # its row in that batch


class TextPrefixes:
    """Prefixes as strings, in arrays; the same methods as `Trie`."""

    def __init__(self, alphabet: Alphabet, constraint: Pattern | None):
        self.alphabet, self.constraint = alphabet, constraint
        self.root = np.array([""], object)

    def complete(self, prefixes: np.ndarray) -> np.ndarray:
        """Whether each prefix is allowed as a complete text."""
        if self.constraint is None:
            return np.ones(len(prefixes), bool)
        return np.array([self.constraint.allows(prefix) for prefix in prefixes])

    def text(self, prefix: str) -> str:
        """The text of a prefix."""
        return prefix

    def extensions(
        self, prefixes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Candidates, bool]:
        """(the best extensions with a bound above `least`, whether the limit left some out).

        bounds: (prefixes, classes). limit: how many extensions to return; None for all.
        """
        bounds = bounds[:, 1:]  # of the characters
        order = np.argsort(-bounds, axis=None, kind="stable")
        order = order[: np.count_nonzero(bounds > least)]
        rows: list[int] = []
        characters: list[int] = []
        texts: list[str] = []
        cut = False
        for place in order.tolist():
            row, character = divmod(place, bounds.shape[1])
            text = prefixes[row] + self.alphabet.characters[character]
            if self.constraint is not None and not self.constraint.extends(text):
                continue
            if len(texts) == limit:
                cut = True
                break
            rows.append(row)
            characters.append(character)
            texts.append(text)
        chosen = np.array(rows, int), np.array(characters, int)
        found = Candidates(chosen[0], chosen[1] + 1, np.array(texts, object), bounds[chosen])
        return found, cut


PREFIX = np.dtype([("state", np.int32), ("text", object)])


class StatePrefixes:
    """Prefixes as states of an automaton, with their texts; the same methods as `Trie`."""

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self.root = np.array([(0, "")], PREFIX)

    def complete(self, prefixes: np.ndarray) -> np.ndarray:
        """Whether each prefix is allowed as a complete text."""
        return self.automaton.final[prefixes["state"]]

    def text(self, prefix: np.void) -> str:
        """The text of a prefix."""
        return prefix["text"]

    def extensions(
        self, prefixes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Candidates, bool]:
        """As `Trie.extensions`."""
        rows, edges = edges_of(self.automaton.first, prefixes["state"])
        bounds = bounds[rows, self.automaton.ids[edges]]
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        rows, edges = rows[order], edges[order]
        ids = self.automaton.ids[edges]
        characters = self.automaton.alphabet.characters
        found = np.empty(len(order), PREFIX)
        found["state"] = self.automaton.next[edges]
        found["text"] = [
            text + characters[i - 1] for text, i in zip(prefixes["text"][rows], ids.tolist())
        ]
        return Candidates(rows, ids, found, bounds[order]), cut


def search(
    extend: Extend,
    alphabet: Alphabet,
    constraint: Constraint | None,
    beam_width: int | None,
    count: int = 1,
) -> list[FoundText]:
    """The `count` most probable allowed texts, or as many as are possible, the best first.

    beam_width: how many extensions of each length are kept; None keeps all, so that the result is
    exact. Where a pattern leaves a narrow beam without a text, wider ones up to WIDEST are tried.
    Raises ValueError.
    """
    if beam_width is not None and beam_width < 1:
        raise ValueError(f"beam_width {beam_width}: give at least 1")
    prefixes = _prefixes(alphabet, constraint)
    best: list[FoundText] = []
    least, cut = -math.inf, False  # least: the score above which a text is among the best
    none = np.zeros(1, int)
    start = Candidates(none, none, prefixes.root, np.array([math.inf]))
    pending: list[tuple[Any, Candidates]] = [(None, start)]  # with the state that they extend
    while pending:
        state, candidates = pending.pop()
        live = candidates.bounds > least
        if not live.any():
            continue
        batch = candidates.prefixes[live]
        scores, bounds, state = extend(state, candidates.rows[live], candidates.ids[live])
        scores = np.where(prefixes.complete(batch), scores, -math.inf)
        for row in np.argsort(-scores, kind="stable")[:count].tolist():
            if scores[row] > least:
                found = FoundText(float(scores[row]), prefixes.text(batch[row]), state, row)
                best = sorted([*best, found], key=lambda text: -text.score)[:count]
                least = best[-1].score if len(best) == count else -math.inf
        candidates, more = prefixes.extensions(batch, bounds, least, beam_width)
        cut |= more
        # the most promising batch is pushed last: it is extended first, which may save the others
        size = LARGE_BATCH if best else (beam_width or BATCH)
        for first in reversed(range(0, len(candidates.rows), size)):
            part = slice(first, first + size)
            pending.append((state, Candidates(*(field[part] for field in candidates))))
    if not best and cut and beam_width is not None and beam_width < WIDEST:
        return search(extend, alphabet, constraint, min(10 * beam_width, WIDEST), count)
    return best


def _prefixes(
    alphabet: Alphabet, constraint: Constraint | None
) -> Trie | StatePrefixes | TextPrefixes:
    if not isinstance(constraint, (Lexicon, Automaton)):
        return TextPrefixes(alphabet, constraint)
    if constraint.alphabet != alphabet:
        kind = "lexicon" if isinstance(constraint, Lexicon) else "automaton"
        raise ValueError(
            f"the {kind}'s alphabet {shown(constraint.alphabet.characters)} is not the model's "
            f"{shown(alphabet.characters)}; make the {kind} with the model's"
        )
    return constraint.trie if isinstance(constraint, Lexicon) else StatePrefixes(constraint)
