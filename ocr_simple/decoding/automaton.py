"""An automaton: the texts that are allowed, as states and edges.

It begins in state 0. Each character of a text leads along an edge to the next state; the text is
allowed if there is an edge for each of its characters and the last state is final. What a pattern
(`regular.py`) or a lexicon allows becomes such an automaton, and an export keeps it in its
description: reading with it needs no regular expressions, and takes bounded time. NumPy only.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ocr_simple.text import Alphabet

MOST_STATES = 100_000
MOST_EDGES = 200_000
MOST_PREFIXES = 500_000  # of an automaton that is searched exactly
MOST_EXACT = 10**9  # of an exact search in one line: prefixes times its time steps squared
LISTS = ("first", "ids", "next", "final")  # in a description


def edges_of(first: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges that leave each of `nodes` (n,): (rows of their nodes, numbers of the edges).

    first: the number of each node's first edge; the edges of a node are consecutive.
    """
    start = first[nodes]
    counts = first[nodes + 1] - start
    rows = np.repeat(np.arange(len(nodes)), counts)
    return rows, np.arange(len(rows)) + np.repeat(start - np.cumsum(counts) + counts, counts)


class Automaton:
    """Which texts of an alphabet are allowed; a `Constraint` as in `constraints.py`."""

    def __init__(
        self,
        edges: Sequence[Mapping[int, int]],
        final: Iterable[int],
        alphabet: Alphabet,
        exact: bool = False,
    ):
        """edges: of each state, class id -> next state. final: the final states.

        exact: whether all texts are searched, instead of the best few prefixes of each length.
        """
        self.alphabet, self.exact = alphabet, exact
        self.edges = [dict(sorted(leaving.items())) for leaving in edges]
        self.first = np.cumsum([0, *map(len, self.edges)])  # (states + 1,)
        self.ids = np.array([i for leaving in self.edges for i in leaving], int)  # (edges,)
        self.next = np.array([s for leaving in self.edges for s in leaving.values()], int)
        self.final = np.zeros(len(self.edges), bool)  # (states,)
        self.final[list(final)] = True

    @classmethod
    def of_words(cls, words: Iterable[str], alphabet: Alphabet) -> "Automaton":
        """The automaton of a list of words in visual order. Raises ValueError if it is too large.

        States from which the same endings follow are one state (Daciuk et al. 2000).
        """
        children: list[dict[int, int]] = [{}]  # of each beginning of a word
        complete = set()
        for word in words:
            node = 0
            for i in alphabet.ids_of(word):
                if i not in children[node]:
                    children[node][i] = len(children)
                    children.append({})
                node = children[node][i]
            complete.add(node)
            if len(children) > MOST_PREFIXES:
                raise ValueError(f"the texts have over {MOST_PREFIXES:,} prefixes")
        same: dict[Any, int] = {}
        names = [0] * len(children)
        for node in reversed(range(len(children))):  # children have higher numbers
            leaving = tuple(sorted((i, names[child]) for i, child in children[node].items()))
            names[node] = same.setdefault((node in complete, leaving), node)
        kept = sorted(same.values())
        number = {node: place for place, node in enumerate(kept)}
        if len(kept) > MOST_STATES:
            raise ValueError(f"the texts need over {MOST_STATES:,} states")
        edges = [{i: number[names[n]] for i, n in children[node].items()} for node in kept]
        final = [number[node] for node in kept if node in complete]
        return cls(edges, final, alphabet, exact=True)

    def random_text(self, rng: np.random.Generator, most: int) -> str:
        """A text that is allowed, in visual order; empty if none was found in `most` characters."""
        state = 0
        ids: list[int] = []
        while len(ids) < most and self.edges[state]:
            if self.final[state] and rng.random() < 0.2:
                break
            ids.append(int(rng.choice(list(self.edges[state]))))
            state = self.edges[state][ids[-1]]
        return self.alphabet.decode(ids) if self.final[state] else ""

    def state_of(self, text: str) -> int | None:
        """The state after a text; None if no allowed text begins with it."""
        state = 0
        for character in text:
            following = self.edges[state].get(self.alphabet.ids.get(character, 0))
            if following is None:
                return None
            state = following
        return state

    def allows(self, text: str) -> bool:
        """Whether `text` is allowed."""
        state = self.state_of(text)
        return state is not None and bool(self.final[state])

    # --- as a part of a description ---------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """The automaton as JSON: lists of numbers, and `exact`.

        first: of each state, the number of its first edge, and last the number of edges. ids, next:
        of each edge, the class id of its character, from 1, and its state. final: final states.
        """
        arrays = (self.first, self.ids, self.next, np.flatnonzero(self.final))
        return {name: x.tolist() for name, x in zip(LISTS, arrays)} | {"exact": self.exact}

    @classmethod
    def of_description(cls, content: Any, alphabet: Alphabet) -> "Automaton":
        """The automaton that `description` gave. Raises ValueError; it may come from a stranger."""
        if not isinstance(content, dict) or type(content.get("exact")) is not bool:
            raise ValueError("the automaton is not an object with lists and exact")
        lists: list[list[int]] = []
        for name in LISTS:
            values = content.get(name)
            if not isinstance(values, list) or any(type(x) is not int for x in values):
                raise ValueError(f"the automaton's {name} is not a list of whole numbers")
            if len(values) > MOST_EDGES:
                raise ValueError(f"the automaton's {name} is over the limit of {MOST_EDGES:,}")
            lists.append(values)
        first, ids, following, final = lists
        states = len(first) - 1
        fits = (
            0 < states <= MOST_STATES
            and first == sorted(first)
            and first[0] == 0
            and first[-1] == len(ids) == len(following)
            and all(0 < i < alphabet.classes for i in ids)
            and all(0 <= state < states for state in (*following, *final))
        )
        edges = [dict(zip(ids[a:b], following[a:b])) for a, b in itertools.pairwise(first)]
        edges *= fits
        if not fits or sum(map(len, edges)) != len(ids):  # two edges for one character
            raise ValueError("the automaton's lists do not fit each other and the alphabet")
        found = cls(edges, final, alphabet, content["exact"])
        if found.exact and found.prefixes > MOST_PREFIXES:
            raise ValueError(f"the automaton allows over {MOST_PREFIXES:,} prefixes of texts")
        return found

    @cached_property
    def prefixes(self) -> float:
        """How many prefixes of texts there are; infinite if an edge leads to no later state."""
        counts = [1.0] * len(self.edges)
        for state in reversed(range(len(self.edges))):
            for following in self.edges[state].values():
                if following <= state:
                    return float("inf")
                counts[state] += counts[following]
        return counts[0]
