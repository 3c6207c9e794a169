"""Greedy decoding: a line's class probabilities -> text, confidence and character spans.

`ctc_decode` takes the best path (Graves et al. 2006, "Connectionist Temporal Classification"): the most
probable class at each time step, runs of one class collapsed, blanks dropped. `attention_decode` does it
for a decoder that wrote the line, where id 0 is the end symbol. NumPy only.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from ocr_simple.text import BLANK, Alphabet, Character, Line


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Class probabilities of `logits` (..., classes), softened by `temperature` (Guo 2017)."""
    scaled = logits.astype(np.float32) / np.float32(temperature)
    scaled -= scaled.max(axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=-1, keepdims=True)
    return scaled


def ctc_decode(probabilities: np.ndarray, alphabet: Alphabet) -> Line:
    """Best-path text of one line's `probabilities` (steps, classes), its own steps only.

    A character's confidence is the maximum over its run of steps, the line's is the product of
    its characters'. An empty line's is the least blank probability of any step: how sure the
    least sure step is that nothing stands there. Spans are in time steps; neighbours meet
    halfway across the blanks between them.
    """
    if not len(probabilities):
        return Line("", 1.0, ())
    ids = probabilities.argmax(axis=1).tolist()  # of each step
    best = probabilities.max(axis=1).tolist()
    runs, end = [], 0  # (character, confidence, first step, step after the last)
    for i, run in itertools.groupby(ids):
        start, end = end, end + sum(1 for _ in run)
        if i != BLANK:
            runs.append((alphabet.characters[i - 1], max(best[start:end]), start, end))
    if not runs:
        return Line("", min(best), ())
    edges = [(left[3] + right[2]) / 2 for left, right in itertools.pairwise(runs)]
    lefts = [float(runs[0][2]), *edges]
    rights = [*edges, float(runs[-1][3])]
    characters = tuple(
        Character(text, peak, left, right)
        for (text, peak, _, _), left, right in zip(runs, lefts, rights)
    )
    confidence = math.prod(c.confidence for c in characters)
    return Line("".join(c.text for c in characters), confidence, characters)


def attention_decode(probabilities: np.ndarray, attention: np.ndarray, alphabet: Alphabet) -> Line:
    """The line that a decoder wrote: `probabilities` (characters, classes), up to the end symbol.

    attention: (characters, steps), where each was looked for, the line's own steps only; rows of
    zeros are behind the line's end. A row that is no character's is the end symbol's; a last row
    without one is where the decoder was cut off, and left out. See `attended`.
    """
    written = int(attention.any(axis=1).sum())
    ids = probabilities[:written].argmax(axis=1)
    best = probabilities[:written].max(axis=1)
    ends = np.flatnonzero(ids == BLANK)
    count = int(ends[0]) if len(ends) else max(0, written - 1)
    return attended(
        alphabet.decode(ids[:count]), best[: count + bool(len(ends))], attention[:count]
    )


def attended(text: str, probabilities: np.ndarray, attention: np.ndarray) -> Line:
    """The line `text`, whose characters were looked for by `attention` (characters, steps).

    probabilities: (characters,) or more, of each, and of the end symbol behind them. A line's
    confidence is the product of them all. Spans are in time steps: a character's centre is the
    mean of its attention, neighbours meet halfway, and the outer edges are as far from their
    centres as the inner ones; a single character's reach as its attention spreads.
    """
    confidence = math.prod(probabilities.tolist())
    if not text:
        return Line("", confidence, ())
    steps = attention.shape[1]
    position = np.arange(steps) + 0.5
    centres = np.maximum.accumulate(attention @ position)  # never from right to left
    if len(text) == 1:
        spread = math.sqrt(max(0.0, float(attention[0] @ (position - centres[0]) ** 2)))
        half = 0.5 + math.sqrt(3) * spread  # of an even distribution that spreads as far
        edges = np.array([centres[0] - half, centres[0] + half])
    else:
        inner = (centres[1:] + centres[:-1]) / 2
        edges = np.array([2 * centres[0] - inner[0], *inner, 2 * centres[-1] - inner[-1]])
    edges = edges.clip(0, steps).tolist()
    characters = tuple(
        Character(character, peak, left, right)
        for character, peak, (left, right) in zip(
            text, probabilities.tolist(), itertools.pairwise(edges)
        )
    )
    return Line(text, confidence, characters)


class Output(NamedTuple):
    """All that a model says about an image."""

    place: int  # of the image in its list
    line: Line  # spans in time steps
    probabilities: np.ndarray  # (steps, classes), or (characters, classes) and further rows
    attention: np.ndarray  # (characters, steps) and further rows; empty for a CTC head
