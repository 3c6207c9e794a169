"""Decoding steered by what is known of the text: a list of words, a pattern, or nothing.

`ctc_decode` in text.py takes the best path. Here the best *text* is sought: for CTC by its total
probability over all alignments (Graves et al. 2006, "Connectionist Temporal Classification"), for
an attention decoder by the product of its symbols' probabilities; and a `Lexicon` or a `Pattern`
says which texts may come out.

One search serves both heads. It lengthens prefixes by a character at a time, the likeliest first.
A prefix bounds what can follow it: no text is likelier than all the texts together that begin as
it does. So what is not above the best text found so far is left alone, and nothing is lost by
that (prefix search, Graves 2006, section 3.2). A beam keeps the best few prefixes of each length
besides; unlike a beam that goes through the image (Graves & Jaitly 2014, "Towards End-to-End
Speech Recognition"; Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
Recognition"), it has seen the whole line when it drops one, and as it compares texts of one
length, it comes to the end of a pattern of which the image shows only a part. NumPy only.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.decoding.greedy import ctc_decode
from ocr_simple.decoding.lexicon import Choice, Constraint, Lexicon, Trie
from ocr_simple.text import BLANK, Alphabet, Character, Line

END = BLANK  # class 0 ends a line for attention, where CTC has its blank
LEAST = float(np.finfo(np.float32).tiny)  # stands for a probability of 0, so that any text can win
BEAM_WIDTH = 10
WIDEST = 100  # beam for a pattern of which a narrower one finds no text
BATCH = 64  # prefixes looked at together where none is dropped, until a text is found
LARGE_BATCH = 2048  # then
TOO_SMALL = math.log(1e-280)  # numbers near the least of float64 are none to be compared

Grow = Callable[[Any, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, Any]]


# --- prefixes, and how they go on -----------------------------------------------------------


class _Texts:
    """Prefixes as texts: an array of strings."""

    def __init__(self, alphabet: Alphabet, constraint: Constraint | None):
        self.alphabet, self.constraint = alphabet, constraint
        self.root = np.array([""], object)

    def whole(self, prefixes: np.ndarray) -> np.ndarray:
        """Which of the prefixes are allowed as they stand."""
        if self.constraint is None:
            return np.ones(len(prefixes), bool)
        return np.array([self.constraint.allows(prefix) for prefix in prefixes])

    def text(self, prefix: str) -> str:
        return prefix

    def longer(
        self, prefixes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[Choice, bool]:
        """The best `limit` allowed prefixes, longer by a character, with a bound above `least`.

        bounds: (prefixes, classes). The bool says whether there are more of them.
        """
        bounds = bounds[:, 1:]  # of the characters
        order = np.argsort(-bounds, axis=None, kind="stable")
        order = order[: np.count_nonzero(bounds > least)]
        found: list[tuple[int, int, str]] = []
        for place in order.tolist():
            row, character = divmod(place, bounds.shape[1])
            text = prefixes[row] + self.alphabet.characters[character]
            if self.constraint is not None and not self.constraint.extends(text):
                continue
            if len(found) == limit:
                break
            found.append((row, character, text))
        else:
            place = -1  # none is left over
        rows = np.array([row for row, _, _ in found], int)
        characters = np.array([character for _, character, _ in found], int)
        texts = np.array([text for _, _, text in found], object)
        return Choice(rows, characters + 1, texts, bounds[rows, characters]), place >= 0


class _Found(NamedTuple):
    score: float  # log probability; -inf if no allowed text is possible
    text: str
    state: Any  # of the batch in which it was found
    row: int  # in that batch


def _search(
    grow: Grow, alphabet: Alphabet, constraint: Constraint | None, width: int, whole: bool
) -> _Found:
    """The best allowed text; of all of them if `whole`, else of a beam's `width` each length.

    grow(state, rows, ids) lengthens `rows` of the batch whose state it is by the classes `ids`
    (n,). It returns the log probability of each text as it stands (n,), a bound for all that
    begin so and go on with each class (n, classes), and their state. With state None it begins.
    """
    if width < 1:
        raise ValueError(f"beam_width {width}: give at least 1")
    steer: Trie | _Texts = _Texts(alphabet, constraint)
    if isinstance(constraint, Lexicon):
        if constraint.alphabet != alphabet:
            raise ValueError(
                f"the lexicon's alphabet {constraint.alphabet.characters!r} is not the reader's "
                f"{alphabet.characters!r}; make the lexicon with the reader's"
            )
        steer = constraint.trie
    best, cut = _Found(-math.inf, "", None, 0), False
    start = np.zeros(1, int)
    pending: list[tuple[Any, Choice]] = []
    pending.append((None, Choice(start, start, steer.root, np.array([math.inf]))))
    while pending:
        state, choice = pending.pop()
        live = choice.bounds > best.score
        if not live.any():
            continue
        prefixes = choice.prefixes[live]
        scores, bounds, state = grow(state, choice.rows[live], choice.ids[live])
        scores = np.where(steer.whole(prefixes), scores, -math.inf)
        row = int(scores.argmax())
        if scores[row] > best.score:
            best = _Found(float(scores[row]), steer.text(prefixes[row]), state, row)
        choice, more = steer.longer(prefixes, bounds, best.score, None if whole else width)
        cut |= more
        # the best batch goes on the pile last: it is looked at first, and makes the rest needless
        size = width if best.state is None else LARGE_BATCH
        for first in reversed(range(0, len(choice.rows), size)):
            part = slice(first, first + size)
            pending.append((state, Choice(*(field[part] for field in choice))))
    if best.state is None and cut and width < WIDEST:
        return _search(grow, alphabet, constraint, min(10 * width, WIDEST), whole)
    return best


# --- CTC ------------------------------------------------------------------------------------


def ctc_beam_search(
    probabilities: np.ndarray,
    alphabet: Alphabet,
    constraint: Constraint | None = None,
    beam_width: int = BEAM_WIDTH,
) -> Line:
    """The allowed text of the highest total probability over its alignments, as a Line.

    probabilities: (steps, classes), one line's own steps. beam_width: prefixes kept of each
    length; wide enough, the text is exact. With a Lexicon it is exact whatever the beam. Where
    a pattern leads a narrow beam to no text at all, one of 100 is tried. If nothing
    allowed fits into the steps, the Line is empty, with confidence 0. Raises ValueError.

    If the text is the best path's, the Line is `ctc_decode`'s. Otherwise its best alignment gives
    the runs, and a character's confidence is its class's maximum over its run. The line's is
    their product, but at most the best path's confidence times how much less probable this text
    is than that path's: a word that lacks a character which the image shows is not a sure one.
    """
    _check(probabilities, alphabet.classes)
    if not len(probabilities):
        possible = constraint is None or constraint.allows("")
        return Line("", float(possible), ())
    log_p = _log(probabilities)
    if isinstance(constraint, Lexicon):
        plain, logs = _ctc_growth(np.exp(log_p), PLAIN), _ctc_growth(log_p, LOGS)
        found = _search(plain, alphabet, constraint, BATCH, whole=True)
        if found.score < TOO_SMALL:  # seldom: logarithms take ten times as long
            found = _search(logs, alphabet, constraint, BATCH, whole=True)
    else:
        found = _search(_ctc_growth(log_p, LOGS), alphabet, constraint, beam_width, whole=False)
    if found.state is None:
        return Line("", 0.0, ())
    best_path = ctc_decode(probabilities, alphabet)
    if found.text == best_path.text:
        return best_path
    line = _aligned(probabilities, found.text, alphabet)
    other = _lattice(log_p, alphabet.encode(best_path.text), np.logaddexp)[-1, -2:]
    odds = math.exp(min(0.0, found.score - np.logaddexp.reduce(other)))
    return line._replace(confidence=min(line.confidence, best_path.confidence * odds))


def ctc_align(probabilities: np.ndarray, ids: Sequence[int]) -> list[tuple[int, int]]:
    """The run of steps of each character of a text on its most probable alignment.

    probabilities: (steps, classes); ids: its class ids, without blanks. A run is (first step,
    step after the last). Raises ValueError if the text needs more steps. Viterbi's algorithm
    ("forced alignment").
    """
    best = _lattice(_log(probabilities), ids, np.maximum)  # (steps + 1, states)
    state = best.shape[1] - 1
    if ids and best[-1, state - 1] > best[-1, state]:
        state -= 1
    if best[-1, state] == -math.inf:
        raise ValueError(
            f"a text of {len(ids)} characters does not fit into {len(probabilities)} time steps; "
            "it needs one a character, and one between equal neighbours"
        )
    runs = [(0, 0)] * len(ids)
    for step in range(len(probabilities), 0, -1):
        character = state // 2
        if state % 2:
            end = runs[character][1] or step
            runs[character] = (step - 1, end)
        skips = state % 2 and character and ids[character] != ids[character - 1]
        before = best[step - 1, max(0, state - 1 - bool(skips)) : state + 1]
        state -= int(before[::-1].argmax())
    return runs


def _check(probabilities: np.ndarray, classes: int) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != classes:
        raise ValueError(
            f"probabilities of shape {probabilities.shape}: give (steps, {classes}), the "
            "alphabet's characters and class 0"
        )


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST))


def _lattice(log_p: np.ndarray, ids: Sequence[int], combine: np.ufunc) -> np.ndarray:
    """Log probability of each step and state (steps + 1, states) of a text's alignments so far.

    The states are the characters with a blank before, between and after them; row 0 is before
    the first step. combine: np.logaddexp sums over alignments (the forward algorithm),
    np.maximum takes the best.
    """
    classes = np.full(2 * len(ids) + 1, BLANK)
    classes[1::2] = ids
    skips = np.zeros(len(classes), bool)  # past the blank between characters that differ
    skips[3::2] = classes[3::2] != classes[1:-2:2]
    result = np.full((len(log_p) + 1, len(classes)), -math.inf)
    result[0, 0] = 0.0
    own = log_p[:, classes]  # (steps, states)
    for step, before in enumerate(result[:-1]):
        reached = before.copy()
        combine(reached[1:], before[:-1], out=reached[1:])
        reached[2:] = np.where(skips[2:], combine(reached[2:], before[:-2]), reached[2:])
        result[step + 1] = reached + own[step]
    return result


class _Numbers(NamedTuple):
    """How probabilities are added and multiplied: as they are, or as their logarithms."""

    add: np.ufunc
    multiply: np.ufunc
    zero: float
    one: float
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, steps), (steps, m) -> (n, m)
    log: Callable[[np.ndarray], np.ndarray]


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # by pieces: BLAS gives larger ones to threads, which take from others more than they gain
    return np.concatenate([a[first : first + 64] @ b for first in range(0, len(a), 64)])


def _log_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    top = np.maximum(a.max(axis=1, keepdims=True), -1e300)  # not -inf, which less itself is NaN
    return _log_of(np.exp(a - top) @ np.exp(b)) + top


def _log_of(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # the log of 0 is -inf, as it should be
        return np.log(x)


PLAIN = _Numbers(np.add, np.multiply, 0.0, 1.0, _matmul, _log_of)
LOGS = _Numbers(np.logaddexp, np.add, -math.inf, 0.0, _log_matmul, np.asarray)


def _ctc_growth(p: np.ndarray, numbers: _Numbers) -> Grow:
    """Prefixes with their forward variables (Graves 2006): every step of many prefixes at once.

    p: (steps, classes) in `numbers`.
    """
    add, multiply, zero, one, matmul, log = numbers
    steps = len(p)
    blank = p[:, BLANK]

    def grow(state: Any, rows: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        # probability that a prefix is written, and nothing else, after so many steps, with a
        # blank at last or its own last character: (steps + 1, prefixes)
        in_blank = np.empty((steps + 1, len(ids)))
        in_last = np.empty((steps + 1, len(ids)))
        in_blank[0], in_last[0] = one if state is None else zero, zero
        own = p[:, ids]
        if state is None:
            before = np.full((steps, 1), zero)
        else:
            last, before_in_blank, before = state
            before = before[:-1].take(rows, axis=1)
            again = np.flatnonzero(last[rows] == ids)  # the same character: after a blank only
            before[:, again] = before_in_blank[:-1, rows[again]]
        for t in range(steps):
            multiply(add(in_last[t], before[t]), own[t], out=in_last[t + 1])
            multiply(add(in_last[t], in_blank[t]), blank[t], out=in_blank[t + 1])
        total = add(in_last, in_blank, out=in_last)
        # each step may be the first of the next character: these are all the ways to go on
        bounds = matmul(total[:-1].T, p)  # (prefixes, classes)
        again = add.reduce(multiply(in_blank[:-1], own, out=own), axis=0)
        bounds[np.arange(len(ids)), ids] = again
        return log(total[-1]), log(bounds), (ids, in_blank, total)

    return grow


def _aligned(probabilities: np.ndarray, text: str, alphabet: Alphabet) -> Line:
    """`text` with the confidences and spans that its best alignment gives it."""
    if not text:
        return Line("", float(probabilities[:, BLANK].min()), ())
    ids = alphabet.encode(text)
    runs = ctc_align(probabilities, ids)
    edges = [(left[1] + right[0]) / 2 for left, right in itertools.pairwise(runs)]
    lefts = [float(runs[0][0]), *edges]
    rights = [*edges, float(runs[-1][1])]
    characters = tuple(
        Character(character, float(probabilities[first:end, i].max()), left, right)
        for character, i, (first, end), left, right in zip(text, ids, runs, lefts, rights)
    )
    return Line(text, math.prod(c.confidence for c in characters), characters)


# --- attention ------------------------------------------------------------------------------


class Decoded(NamedTuple):
    """What an attention decoder writes."""

    ids: list[int]  # of the characters
    log_probability: float  # of all of them and the end symbol; -inf if nothing allowed is possible
    probabilities: np.ndarray  # (characters + 1,) of each, the end symbol last; empty if nothing is
    states: Any  # of the one row, after the step that gave the end symbol; None if nothing is


def attention_beam_search(
    step: Callable[[Any, np.ndarray], tuple[np.ndarray, Any]],
    start_state: Any,
    select: Callable[[Any, np.ndarray], Any],
    alphabet: Alphabet,
    max_steps: int,
    constraint: Constraint | None = None,
    beam_width: int | None = None,
) -> Decoded:
    """The most probable allowed text of one line that a decoder writes symbol by symbol.

    step(states, last ids (n,)) gives log probabilities (n, classes) and the new states; class 0
    is the end symbol, and the start symbol that the first call is given. start_state: states of
    one row. select(states, indices (m,)) gives the states of those rows, where some may repeat.
    max_steps: most symbols, the end's included. Raises ValueError.

    beam_width: prefixes kept of each length, 10 if not given. With a Lexicon, none given means
    that all are looked at which can still win, so that the word is the best one, exactly; hard
    lines and long lists then take many steps, which a width bounds.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps {max_steps}: give at least 1, for the end symbol")
    whole = isinstance(constraint, Lexicon) and beam_width is None

    def grow(state: Any, rows: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        if state is None:
            states, written, scores = start_state, np.zeros((1, 0)), np.zeros(1)
        else:
            states, written, log_p = state
            written = np.concatenate([written[rows], log_p[rows, ids][:, None]], axis=1)
            states, scores = select(states, rows), written.sum(axis=1)
        log_p, states = step(states, ids)
        log_p = np.asarray(log_p, np.float64)
        _check(log_p, alphabet.classes)
        totals = scores[:, None] + log_p  # (prefixes, classes)
        last = written.shape[1] + 1 == max_steps
        bounds = np.full_like(totals, -math.inf) if last else totals
        return totals[:, END], bounds, (states, written, log_p)

    width = BATCH if whole else BEAM_WIDTH if beam_width is None else beam_width
    found = _search(grow, alphabet, constraint, width, whole)
    if found.state is None:
        return Decoded([], -math.inf, np.zeros(0), None)
    states, written, log_p = found.state
    symbols = np.append(written[found.row], log_p[found.row, END])
    states = select(states, np.array([found.row]))
    return Decoded(alphabet.encode(found.text), found.score, np.exp(symbols), states)
