"""The most probable text that an export's constraint allows. Copy this file beside reader.py.

reader.py needs it for exports that keep a --pattern or --lexicon: their descriptions hold the
allowed texts as an automaton. The search and the confidence are those of ocr_simple: see
`prefix_search.py`, `beam_search.py` and `alignment.py` in its folder decoding. It needs NumPy. MIT
licence.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

BEAM_WIDTH, WIDEST = 10, 100  # prefixes of each length to keep: at first, and if no text is found
BATCH, LARGE_BATCH = 64, 2048  # prefixes that are extended together, before and after a text
MOST_EDGES, MOST_PREFIXES = 200_000, 500_000
MOST_EXACT = 10**9  # of an exact search in one line: prefixes times its time steps squared
SMALLEST = math.log(np.finfo(np.float32).tiny)


class Prefixes(NamedTuple):
    """Prefixes of texts that extend those of a batch by one character, the best first."""

    rows: np.ndarray  # (n,) rows of those that they extend
    ids: np.ndarray  # (n,) class ids of the new characters
    states: np.ndarray  # (n,) of the automaton
    texts: list[tuple[int, ...]]  # class ids
    bounds: np.ndarray  # (n,) upper bounds for the log probability of texts that begin so


class Constraint:
    """The automaton of a description: states, and edges with the class id of a character."""

    def __init__(self, about: dict[str, Any], classes: int):
        """about: with `automaton`: first, ids, next, final and exact. Raises ValueError."""
        try:
            content = about["automaton"]
            lists = [np.array(content[n], int).ravel() for n in ("first", "ids", "next", "final")]
            self.exact = bool(content["exact"])
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"its constraint is no automaton ({error})") from error
        self.first, self.ids, self.next, final = lists
        states = len(self.first) - 1
        if not (
            0 < states <= MOST_EDGES
            and self.first[0] == 0
            and (np.diff(self.first) >= 0).all()
            and self.first[-1] == len(self.ids) == len(self.next) <= MOST_EDGES
            and ((self.ids > 0) & (self.ids < classes)).all()
            and all(((x >= 0) & (x < states)).all() for x in (self.next, final))
        ):
            raise ValueError("its constraint is no automaton of its alphabet")
        self.final = np.isin(np.arange(states), final)
        self.prefixes = self._prefixes() if self.exact else math.inf
        if self.exact and self.prefixes > MOST_PREFIXES:
            raise ValueError(f"its constraint allows over {MOST_PREFIXES:,} prefixes of texts")

    def _prefixes(self) -> float:
        """How many prefixes of texts there are, if all edges lead to later states."""
        counts = np.ones(len(self.final))
        for state in reversed(range(len(self.final))):
            following = self.next[self.first[state] : self.first[state + 1]]
            if (following <= state).any():
                return math.inf
            counts[state] += counts[following].sum()
        return float(counts[0])

    def read(
        self, log_probabilities: np.ndarray, greedy: Sequence[int], confidence: float
    ) -> tuple[list[int], float]:
        """(class ids, confidence) of the most probable allowed text; ([], 0.0) if none fits.

        log_probabilities: (time steps, classes). greedy: the class ids that are most probable
        without a constraint, with their confidence.
        """
        log_p = np.maximum(log_probabilities.astype(np.float64), SMALLEST)
        exact = self.prefixes * len(log_p) ** 2 <= MOST_EXACT
        found = self._search(log_p, None if exact else BEAM_WIDTH)
        if found is None:
            return [], 0.0
        if list(found) == list(greedy):
            return list(found), confidence
        of_found, of_greedy = (
            np.logaddexp.reduce(trellis(log_p, ids, np.logaddexp)[-1, -2:])
            for ids in (found, greedy)
        )
        ratio = math.exp(min(0.0, of_found - of_greedy))
        return list(found), min(aligned_confidence(log_p, found), confidence * ratio)

    def _search(self, log_p: np.ndarray, width: int | None) -> tuple[int, ...] | None:
        """The best text; width: prefixes of each length that are kept, None for all."""
        none = np.zeros(1, int)
        start = Prefixes(none, none, none, [()], np.array([math.inf]))
        pending: list[tuple[Any, Prefixes]] = [(None, start)]
        best, text, cut = -math.inf, None, False
        while pending:
            state, (rows, ids, states, texts, bounds) = pending.pop()
            live = np.flatnonzero(bounds > best)
            if not len(live):
                continue
            states, texts = states[live], [texts[i] for i in live]
            scores, bounds, state = extend(log_p, state, rows[live], ids[live])
            scores = np.where(self.final[states], scores, -math.inf)
            row = int(scores.argmax())
            if scores[row] > best:
                best, text = float(scores[row]), texts[row]
            found, more = self._longer(states, texts, bounds, best, width)
            cut |= more
            size = (width or BATCH) if text is None else LARGE_BATCH
            pending += [(state, part) for part in reversed(list(_parts(found, size)))]
        if text is None and cut and width is not None and width < WIDEST:
            return self._search(log_p, min(10 * width, WIDEST))
        return text

    def _longer(
        self, states: np.ndarray, texts: list, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Prefixes, bool]:
        """(prefixes with one more character and a bound above `least`, whether some are cut)."""
        counts = np.diff(self.first)[states]
        rows = np.repeat(np.arange(len(states)), counts)
        offsets = np.repeat(self.first[states] - np.cumsum(counts) + counts, counts)
        edges = np.arange(len(rows)) + offsets
        bounds = bounds[rows, self.ids[edges]]
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        rows, edges = rows[order], edges[order]
        ids = self.ids[edges]
        longer = [(*texts[row], i) for row, i in zip(rows.tolist(), ids.tolist())]
        return Prefixes(rows, ids, self.next[edges], longer, bounds[order]), cut


def _parts(found: Prefixes, size: int) -> Iterator[Prefixes]:
    for first in range(0, len(found.rows), size):
        part = slice(first, first + size)
        yield Prefixes(
            found.rows[part], found.ids[part], found.states[part], found.texts[part],
            found.bounds[part],
        )  # fmt: skip


def extend(
    log_p: np.ndarray, state: Any, rows: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Any]:
    """(scores (n,), bounds (n, classes), new state) of prefixes, by their forward variables.

    Prefix i extends prefix `rows[i]` of the batch before, whose state is `state`, by the class
    `ids[i]`. state None: the only prefix is the empty one.
    """
    steps, blank, last = len(log_p), log_p[:, 0], log_p[:, ids]
    in_blank = np.full((steps + 1, len(ids)), -math.inf)
    in_last = np.full((steps + 1, len(ids)), -math.inf)
    before = np.full((steps, 1), -math.inf)  # that the shorter text ends just before each step
    if state is None:
        in_blank[0] = 0.0
    else:
        last_before, blank_before, total = state
        before = total[:-1][:, rows]
        repeated = np.flatnonzero(last_before[rows] == ids)  # the same character: after a blank
        before[:, repeated] = blank_before[:-1, rows[repeated]]
    for t in range(steps):
        in_last[t + 1] = np.logaddexp(in_last[t], before[t]) + last[t]
        in_blank[t + 1] = np.logaddexp(in_last[t], in_blank[t]) + blank[t]
    total = np.logaddexp(in_last, in_blank)
    paths = total[:-1].T
    top = np.maximum(paths.max(axis=1, keepdims=True), -1e300)  # -inf minus itself would be NaN
    with np.errstate(divide="ignore"):
        bounds = np.log(np.exp(paths - top) @ np.exp(log_p)) + top
    repeats = np.logaddexp.reduce(in_blank[:-1] + last, axis=0)
    bounds[np.arange(len(ids)), ids] = repeats  # the same character needs a blank between
    return total[-1], bounds, (ids, in_blank, total)


def trellis(log_p: np.ndarray, ids: Sequence[int], combine: np.ufunc) -> np.ndarray:
    """Log probabilities (steps + 1, states) of a text's alignments up to a step and a state.

    The states are blank, character, blank, ...; combine: np.logaddexp for the sum over alignments,
    np.maximum for the best one.
    """
    classes = np.zeros(2 * len(ids) + 1, int)
    classes[1::2] = ids
    skips = np.zeros(len(classes), bool)  # states that may follow the one before the blank
    skips[3::2] = classes[3::2] != classes[1:-2:2]
    result = np.full((len(log_p) + 1, len(classes)), -math.inf)
    result[0, 0] = 0.0
    for step, row in enumerate(log_p):
        before, reached = result[step], result[step].copy()
        combine(reached[1:], before[:-1], out=reached[1:])
        reached[2:] = np.where(skips[2:], combine(reached[2:], before[:-2]), reached[2:])
        result[step + 1] = reached + row[classes]
    return result


def aligned_confidence(log_p: np.ndarray, ids: Sequence[int]) -> float:
    """The product of each character's highest probability on the best alignment of a text."""
    if not ids:
        return float(np.exp(log_p[:, 0].min()))
    best = trellis(log_p, ids, np.maximum)
    state = best.shape[1] - 1
    state -= bool(best[-1, state - 1] > best[-1, state])
    peaks = np.full(len(ids), -math.inf)
    for step in range(len(log_p), 0, -1):  # backwards along the alignment
        character = state // 2
        if state % 2:
            peaks[character] = max(peaks[character], log_p[step - 1, ids[character]])
        skips = state % 2 and character and ids[character] != ids[character - 1]
        before = best[step - 1, max(0, state - 1 - bool(skips)) : state + 1]
        state -= int(before[::-1].argmax())
    return float(np.exp(peaks.sum()))
