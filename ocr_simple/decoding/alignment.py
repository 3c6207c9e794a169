"""Forced alignment of CTC: which time steps belong to each character of a known text.

A text's alignments run through the states blank, character, blank, character, ..., blank, and may
skip a blank between characters that differ (Graves et al. 2006, "Connectionist Temporal
Classification"). NumPy only.
"""

import math
from collections.abc import Sequence

import numpy as np

from ocr_simple.decoding.greedy import Run, spans_of
from ocr_simple.text import BLANK, Alphabet, Character, Line

SMALLEST = float(np.finfo(np.float32).tiny)  # in place of a probability of 0, whose log is infinite


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms in float64, all finite."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def trellis(log_p: np.ndarray, ids: Sequence[int], combine: np.ufunc) -> np.ndarray:
    """Log probabilities (steps + 1, states) of the alignments of a text up to a step and state.

    log_p: (steps, classes). ids: the text's class ids. Row 0 is before the first step.
    combine: np.logaddexp sums over alignments (the forward algorithm), np.maximum takes the best
    one (Viterbi's).
    """
    classes = np.full(2 * len(ids) + 1, BLANK)  # of each state
    classes[1::2] = ids
    skips = np.zeros(len(classes), bool)  # states that may follow the character before the blank
    skips[3::2] = classes[3::2] != classes[1:-2:2]
    result = np.full((len(log_p) + 1, len(classes)), -math.inf)
    result[0, 0] = 0.0
    of_states = log_p[:, classes]  # (steps, states)
    for step, before in enumerate(result[:-1]):
        reached = before.copy()
        combine(reached[1:], before[:-1], out=reached[1:])
        reached[2:] = np.where(skips[2:], combine(reached[2:], before[:-2]), reached[2:])
        result[step + 1] = reached + of_states[step]
    return result


def log_probability(log_p: np.ndarray, ids: Sequence[int]) -> float:
    """Of a text's class ids, over all its alignments; -inf if it needs more time steps."""
    return float(np.logaddexp.reduce(trellis(log_p, ids, np.logaddexp)[-1, -2:]))


def ctc_loss(probabilities: np.ndarray, ids: Sequence[int], temperature: float = 1.0) -> float:
    """-log of a text's probability, over all its alignments; infinite if it needs more time steps.

    probabilities: (steps, classes), of logits that were divided by `temperature`, which the loss
    does without. ids: the text's class ids, without blanks.
    """
    log_p = temperature * log_probabilities(probabilities)
    log_p -= np.logaddexp.reduce(log_p, axis=1, keepdims=True)
    return -log_probability(log_p, ids)


def ctc_align(probabilities: np.ndarray, ids: Sequence[int]) -> list[Run]:
    """The run of time steps of each character on the most probable alignment of a text.

    probabilities: (steps, classes); ids: the text's class ids, without blanks. Raises ValueError if
    the text needs more steps.
    """
    best = trellis(log_probabilities(probabilities), ids, np.maximum)  # (steps + 1, states)
    state = best.shape[1] - 1
    if ids and best[-1, state - 1] > best[-1, state]:
        state -= 1
    if best[-1, state] == -math.inf:
        raise ValueError(
            f"a text of {len(ids)} characters does not fit into {len(probabilities)} time steps; "
            "it needs one per character, and one between equal neighbours"
        )
    runs = [(0, 0)] * len(ids)
    for step in range(len(probabilities), 0, -1):  # backwards along the best alignment
        character = state // 2
        if state % 2:
            end = runs[character][1] or step
            runs[character] = (step - 1, end)
        skips = state % 2 and character and ids[character] != ids[character - 1]
        before = best[step - 1, max(0, state - 1 - bool(skips)) : state + 1]
        state -= int(before[::-1].argmax())
    return runs


def aligned_line(probabilities: np.ndarray, text: str, alphabet: Alphabet) -> Line:
    """The line `text`, with confidences and spans from its most probable alignment.

    A character's confidence is the maximum of its class over its run of steps, and the line's is
    the product of its characters'.
    """
    if not text:
        return Line("", float(probabilities[:, BLANK].min()), ())
    ids = alphabet.ids_of(text)
    runs = ctc_align(probabilities, ids)
    characters = tuple(
        Character(character, float(probabilities[first:end, i].max()), left, right)
        for character, i, (first, end), (left, right) in zip(text, ids, runs, spans_of(runs))
    )
    return Line(text, math.prod(c.confidence for c in characters), characters)
