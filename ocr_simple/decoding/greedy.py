"""Greedy decoding: a line's class probabilities -> its text, confidence and character spans.

`ctc_greedy` takes the best path of CTC (Graves et al. 2006, "Connectionist Temporal
Classification"): the most probable class at each time step; then runs of one class are collapsed
and blanks are dropped. `attention_greedy` takes the most probable class of each character that an
attention head wrote, up to the end symbol. Both give lines in visual order, from left to right;
`Alphabet.in_logical_order` converts right-to-left text. NumPy only.

Exports decode by themselves: aocr/graph.py in TensorFlow, aocr/reader.py beside ONNX and LiteRT.
tests/test_decoders_agree.py compares the three.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ocr_simple.text import BLANK, Alphabet, Character, Line

Run = tuple[int, int]  # the first time step of a character, and the step after its last


class Prediction(NamedTuple):
    """What a model gives for an image: the line, and the outputs that it was decoded from."""

    place: int  # of the image in its list
    line: Line  # spans in time steps, or in pixels
    probabilities: np.ndarray  # (steps, classes); of an attention head: (rows, classes)
    attention: np.ndarray  # (rows, steps), see `model.build` for the rows; empty for a CTC head


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Class probabilities of `logits` (..., classes), scaled by a temperature (Guo et al. 2017)."""
    scaled = logits.astype(np.float32) / np.float32(temperature)
    scaled -= scaled.max(axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=-1, keepdims=True)
    return scaled


def spans_of(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """(start, end) of each character: neighbours meet halfway across the blanks between them."""
    edges = [(left[1] + right[0]) / 2 for left, right in itertools.pairwise(runs)]
    return list(zip([float(runs[0][0]), *edges], [*edges, float(runs[-1][1])]))


def ctc_greedy(probabilities: np.ndarray, alphabet: Alphabet) -> Line:
    """The best path of one line; probabilities: (steps, classes), of its valid time steps.

    A character's confidence is the maximum over its run of steps, and the line's is the product of
    its characters'. The confidence of an empty line is the lowest blank probability of any step:
    that of the step which most probably shows something. Spans are in time steps.
    """
    if not len(probabilities):
        return Line("", 1.0, ())
    ids = probabilities.argmax(axis=1).tolist()  # (steps,)
    best = probabilities.max(axis=1).tolist()
    texts, peaks, runs, end = [], [], [], 0
    for i, run in itertools.groupby(ids):
        start, end = end, end + sum(1 for _ in run)
        if i != BLANK:
            texts.append(alphabet.characters[i - 1])
            peaks.append(max(best[start:end]))
            runs.append((start, end))
    if not runs:
        return Line("", min(best), ())
    characters = tuple(
        Character(text, peak, left, right)
        for text, peak, (left, right) in zip(texts, peaks, spans_of(runs))
    )
    return Line("".join(texts), math.prod(peaks), characters)


def attention_greedy(probabilities: np.ndarray, attention: np.ndarray, alphabet: Alphabet) -> Line:
    """The line that an attention head wrote, up to the end symbol. See `attention_line`.

    probabilities: (rows, classes). A row is a character or the end symbol, class 0.
    attention: (rows, steps), over the valid time steps. Rows of zeros come after the line's end.
    Without an end symbol, the head was cut off; its last row is left out.
    """
    written = int(attention.any(axis=1).sum())
    ids = probabilities[:written].argmax(axis=1)
    best = probabilities[:written].max(axis=1)
    ends = np.flatnonzero(ids == BLANK)
    count = int(ends[0]) if len(ends) else max(0, written - 1)
    return attention_line(
        alphabet.decode(ids[:count]), best[: count + bool(len(ends))], attention[:count]
    )


def attention_line(text: str, probabilities: np.ndarray, attention: np.ndarray) -> Line:
    """The line `text` with spans from its attention (characters, steps).

    probabilities: of each character, and of the end symbol if there is one. The line's confidence
    is their product. Spans are in time steps: a character's centre is the mean of its attention,
    and neighbours meet halfway. The outer edges are as far from their centres as the inner ones.
    The span of a single character is as wide as its attention.
    """
    confidence = math.prod(probabilities.tolist())
    if not text:
        return Line("", confidence, ())
    steps = attention.shape[1]
    position = np.arange(steps) + 0.5
    centres = np.maximum.accumulate(attention @ position)  # never from right to left
    if len(text) == 1:
        spread = math.sqrt(max(0.0, float(attention[0] @ (position - centres[0]) ** 2)))
        half = 0.5 + math.sqrt(3) * spread  # half of a uniform distribution with this deviation
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
