"""Beam search: the most probable texts of a line, constrained by a list of words or a pattern.

Greedy decoding takes the most probable path. Here the most probable *text* is searched for: for
CTC by its total probability over all alignments (Graves et al. 2006, "Connectionist Temporal
Classification"), for an attention head by the product of the probabilities of its characters and
the end symbol. A `Lexicon` or a `Pattern` restricts the texts. `prefix_search.py` has the search;
this module scores the prefixes of each head. NumPy only.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.decoding.alignment import (
    SMALLEST,
    aligned_line,
    log_probabilities,
    log_probability,
)
from ocr_simple.decoding.constraints import Constraint, is_exact
from ocr_simple.decoding.greedy import ctc_greedy
from ocr_simple.decoding.language_model import WEIGHT, GuidedExtend, LanguageModel
from ocr_simple.decoding.prefix_search import Extend, FoundText, search
from ocr_simple.text import BLANK, Alphabet, Alternative, Line

END = BLANK  # class 0 is the end symbol of an attention head
BEAM_WIDTH = 10
TOO_SMALL = math.log(1e-280)  # below, probabilities near float64's smallest cannot be compared


def _check_shape(probabilities: np.ndarray, classes: int) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != classes:
        raise ValueError(
            f"probabilities of shape {probabilities.shape}: give (steps, {classes}), the "
            "alphabet's characters and class 0"
        )


class _Rated(NamedTuple):
    """A text, its log probability, and the score by which it was found."""

    text: str
    log_p: float
    score: float


def _with_alternatives(line: Line, own: _Rated, found: Sequence[_Rated], count: int) -> Line:
    """The line with up to `count` other texts that were found, the empty one left out.

    The probabilities of the alternatives and the confidence of the line add up to at most 1: an
    alternative gets its share of what the line's confidence leaves, and never more than that
    confidence times the ratio of their scores.
    """
    left = max(1 - math.exp(own.log_p), SMALLEST)
    others = []
    for text, log_p, score in found:
        share = min(1.0, math.exp(log_p) / left)
        ratio = math.exp(min(0.0, score - own.score))
        confidence = min((1 - line.confidence) * share, line.confidence * ratio)
        if text not in ("", own.text):
            others.append(Alternative(text, confidence))
    others.sort(key=lambda other: -other.confidence)
    return line._replace(alternatives=tuple(others[:count]))


def _wide(beam_width: int, count: int) -> int:
    """A beam that holds so many alternatives, the line's text and the empty one."""
    return max(beam_width, BEAM_WIDTH, count + 2)


# --- CTC ------------------------------------------------------------------------------------


class Semiring(NamedTuple):
    """How probabilities are added and multiplied: as they are, or as logarithms."""

    add: np.ufunc
    multiply: np.ufunc
    zero: float
    one: float
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, steps), (steps, m) -> (n, m)
    log: Callable[[np.ndarray], np.ndarray]


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # in blocks: BLAS uses threads for larger ones, which cost other work more than they gain
    return np.concatenate([a[first : first + 64] @ b for first in range(0, len(a), 64)])


def _log_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    top = np.maximum(a.max(axis=1, keepdims=True), -1e300)  # -inf minus itself would be NaN
    return _log(np.exp(a - top) @ np.exp(b)) + top


def _log(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # the log of 0 is -inf, as intended
        return np.log(x)


REAL_SEMIRING = Semiring(np.add, np.multiply, 0.0, 1.0, _matmul, _log)
LOG_SEMIRING = Semiring(np.logaddexp, np.add, -math.inf, 0.0, _log_matmul, np.asarray)


@dataclass(frozen=True)
class CtcExtend:
    """Extends prefixes by their forward variables (Graves et al. 2006), for `prefix_search.search`.

    Many prefixes are extended at once, over all steps. p: (steps, classes) in the semiring.
    """

    p: np.ndarray
    semiring: Semiring

    def __call__(
        self, state: Any, rows: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """See `prefix_search.Extend`."""
        add, multiply, zero, one, matmul, log = self.semiring
        steps = len(self.p)
        blank, last = self.p[:, BLANK], self.p[:, ids]  # (steps,), (steps, prefixes)
        # probability that the first t steps give the prefix, with the last of them a blank, or the
        # prefix's last character: (steps + 1, prefixes)
        in_blank = np.empty((steps + 1, len(ids)))
        in_last = np.empty((steps + 1, len(ids)))
        in_blank[0], in_last[0] = one if state is None else zero, zero
        before = self._before(state, rows, ids)
        for t in range(steps):
            multiply(add(in_last[t], before[t]), last[t], out=in_last[t + 1])
            multiply(add(in_last[t], in_blank[t]), blank[t], out=in_blank[t + 1])
        total = add(in_last, in_blank, out=in_last)
        # the next character may begin at any step; these are all alignments that continue
        bounds = matmul(total[:-1].T, self.p)  # (prefixes, classes)
        repeated = add.reduce(multiply(in_blank[:-1], last, out=last), axis=0)
        bounds[np.arange(len(ids)), ids] = repeated  # the same character needs a blank between
        return log(total[-1]), log(bounds), (ids, in_blank, total)

    def _before(self, state: Any, rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Probability (steps, prefixes) that the shorter prefix ends just before each step."""
        if state is None:
            return np.full((len(self.p), 1), self.semiring.zero)
        last, in_blank, total = state
        before = total[:-1].take(rows, axis=1)
        repeated = np.flatnonzero(last[rows] == ids)  # the same character: only after a blank
        before[:, repeated] = in_blank[:-1, rows[repeated]]
        return before


def ctc_beam_search(
    probabilities: np.ndarray,
    alphabet: Alphabet,
    constraint: Constraint | None = None,
    beam_width: int = BEAM_WIDTH,
    language_model: LanguageModel | None = None,
) -> Line:
    """The allowed text with the highest total probability over its alignments, as a Line.

    language_model: adds its score to the logarithm of each text's probability.

    probabilities: (steps, classes), of one line's valid time steps. beam_width: prefixes kept of
    each length; a lexicon is always searched exactly. If no allowed text fits into the steps, the
    Line is empty with confidence 0. Raises ValueError.

    If the text is that of greedy decoding, so is the Line. Otherwise its characters' confidences
    and spans come from its best alignment. The line's confidence is their product, but at most the
    greedy line's times the ratio of the two texts' probabilities: a word that lacks a character
    which the image shows gets a low confidence.
    """
    _check_shape(probabilities, alphabet.classes)
    if not len(probabilities):
        possible = constraint is None or constraint.allows("")
        return Line("", float(possible), ())
    log_p = log_probabilities(probabilities)
    found = _ctc_search(log_p, alphabet, constraint, beam_width, language_model)
    if not found:
        return Line("", 0.0, ())
    greedy = ctc_greedy(probabilities, alphabet)
    if found[0].text == greedy.text:
        return greedy
    line = aligned_line(probabilities, found[0].text, alphabet)
    of_found, of_greedy = (
        log_probability(log_p, alphabet.ids_of(text)) for text in (line.text, greedy.text)
    )
    ratio = math.exp(min(0.0, of_found - of_greedy))
    return line._replace(confidence=min(line.confidence, greedy.confidence * ratio))


def ctc_alternatives(
    line: Line,
    probabilities: np.ndarray,
    alphabet: Alphabet,
    count: int,
    constraint: Constraint | None = None,
    beam_width: int = BEAM_WIDTH,
    language_model: LanguageModel | None = None,
) -> Line:
    """The line, with up to `count` alternatives: the most probable allowed texts besides its own.

    line: as `ctc_beam_search` or `ctc_greedy` read it. The other arguments are those of
    `ctc_beam_search`; the beam is at least as wide as the alternatives need.
    """
    if not len(probabilities):
        return line
    log_p = log_probabilities(probabilities)
    how = constraint, _wide(beam_width, count), language_model
    found = _ctc_search(log_p, alphabet, *how, count=count + 2)

    def rated(text: str) -> _Rated:
        of_image = score = log_probability(log_p, alphabet.ids_of(text))
        if language_model is not None:
            score += WEIGHT * language_model.score(text, alphabet)
        return _Rated(text, of_image, score)

    return _with_alternatives(line, rated(line.text), [rated(x.text) for x in found], count)


def _ctc_search(
    log_p: np.ndarray,
    alphabet: Alphabet,
    constraint: Constraint | None,
    beam_width: int,
    language_model: LanguageModel | None,
    count: int = 1,
) -> list[FoundText]:
    in_logs: Extend = CtcExtend(log_p, LOG_SEMIRING)
    if language_model is not None:
        in_logs = GuidedExtend(in_logs, language_model)
    elif is_exact(constraint, len(log_p)):
        extend = CtcExtend(np.exp(log_p), REAL_SEMIRING)  # ten times as fast as logarithms
        found = search(extend, alphabet, constraint, None, count)
        if found and found[0].score >= TOO_SMALL:
            return found
        return search(in_logs, alphabet, constraint, None, count)
    return search(in_logs, alphabet, constraint, beam_width, count)


# --- attention ------------------------------------------------------------------------------

Step = Callable[[Any, np.ndarray], tuple[np.ndarray, Any]]
Select = Callable[[Any, np.ndarray], Any]


class DecodedText(NamedTuple):
    """The text that an attention head writes."""

    ids: list[int]  # class ids of the characters
    log_probability: float  # of all characters and the end symbol; -inf if no text is possible
    probabilities: np.ndarray  # (characters + 1,), the end symbol's last; empty without a text
    states: Any  # of one row, after the step that gave the end symbol; None without a text


@dataclass(frozen=True)
class AttentionExtend:
    """Extends the texts that an attention head writes, for `prefix_search.search`.

    See `attention_beam_search` for the fields.
    """

    step: Step
    start_state: Any
    select: Select
    classes: int
    max_steps: int

    def __call__(
        self, state: Any, rows: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """See `prefix_search.Extend`. The state has the log probabilities written so far."""
        if state is None:
            states, written, scores = self.start_state, np.zeros((1, 0)), np.zeros(1)
        else:
            states, written, log_p = state
            written = np.concatenate([written[rows], log_p[rows, ids][:, None]], axis=1)
            states, scores = self.select(states, rows), written.sum(axis=1)
        log_p, states = self.step(states, ids)
        log_p = np.asarray(log_p, np.float64)
        _check_shape(log_p, self.classes)
        totals = scores[:, None] + log_p  # (prefixes, classes)
        last = written.shape[1] + 1 == self.max_steps
        bounds = np.full_like(totals, -math.inf) if last else totals
        return totals[:, END], bounds, (states, written, log_p)


def attention_beam_search(
    step: Step,
    start_state: Any,
    select: Select,
    alphabet: Alphabet,
    max_steps: int,
    constraint: Constraint | None = None,
    beam_width: int | None = None,
) -> DecodedText:
    """The most probable allowed text of one line that an attention head writes.

    step(states, ids): log probabilities (n, classes) of the next characters, and the new states,
        from the last classes (n,); class 0 is the end symbol, and the first class given.
    start_state: the states of one row, before the first step.
    select(states, rows): the states of some rows (m,), which may repeat.
    max_steps: the most steps, including the one for the end symbol.
    beam_width: prefixes kept of each length. By default all for a Lexicon, so that the result is
        exact, else 10. A width bounds the time for difficult lines and long lists of words.
    Raises ValueError.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps {max_steps}: give at least 1, for the end symbol")
    if beam_width is None and not is_exact(constraint):
        beam_width = BEAM_WIDTH
    extend = AttentionExtend(step, start_state, select, alphabet.classes, max_steps)
    found = search(extend, alphabet, constraint, beam_width)
    if not found:
        return DecodedText([], -math.inf, np.zeros(0), None)
    score, text, (states, written, log_p), row = found[0]
    symbols = np.append(written[row], log_p[row, END])
    states = select(states, np.array([row]))
    return DecodedText(alphabet.ids_of(text), score, np.exp(symbols), states)


def attention_alternatives(
    line: Line,
    step: Step,
    start_state: Any,
    select: Select,
    alphabet: Alphabet,
    max_steps: int,
    count: int,
    constraint: Constraint | None = None,
    beam_width: int | None = None,
) -> Line:
    """The line, with up to `count` alternatives: the most probable allowed texts besides its own.

    line: as it was read. The other arguments are those of `attention_beam_search`.
    """
    if beam_width is not None or not is_exact(constraint):
        beam_width = _wide(beam_width or BEAM_WIDTH, count)
    extend = AttentionExtend(step, start_state, select, alphabet.classes, max_steps)
    found = search(extend, alphabet, constraint, beam_width, count + 2)
    log_p = math.log(max(line.confidence, SMALLEST))  # the product of its symbols' probabilities
    others = [_Rated(other.text, other.score, other.score) for other in found]
    return _with_alternatives(line, _Rated(line.text, log_p, log_p), others, count)
