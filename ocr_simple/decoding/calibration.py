"""Confidence that can be acted on: the temperature of a model's softmax, fitted after training.

Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks": one number,
which changes no text. Here it is fitted to whole lines: their confidence is to say how many of
them are exact.
"""

from collections.abc import Iterable

import numpy as np

from ocr_simple.decoding.greedy import Output
from ocr_simple.spec import ModelSpec
from ocr_simple.text import BLANK

TEMPERATURES = np.geomspace(0.5, 8, 161)
PRIOR = 5.0  # weight of log(temperature)^2: a few lines without an error prove little
LEAST = 1e-6  # of a confidence, and of its distance from 1


def fit_temperature(outputs: Iterable[Output], truths: Iterable[str], spec: ModelSpec) -> float:
    """The one of TEMPERATURES with the least log loss of the lines' confidences.

    outputs: of a model of `spec`, for lines that it was not trained on.
    """
    loss = PRIOR * np.log(TEMPERATURES) ** 2
    for output, truth in zip(outputs, truths):
        shares = confidences(output, spec, TEMPERATURES)
        right = np.clip(shares, LEAST, 1 - LEAST)
        loss -= np.log(right if output.line.text == truth else 1 - right)
    return float(TEMPERATURES[np.argmin(loss)])


def confidences(output: Output, spec: ModelSpec, temperatures: np.ndarray) -> np.ndarray:
    """A greedily read line's confidence at each of `temperatures` (n,); see `text.Line`."""
    logits = np.log(np.maximum(output.probabilities, 1e-30)) * spec.temperature
    below = logits - logits.max(axis=1, keepdims=True)  # (steps, classes)
    best = 1 / np.exp(below / temperatures[:, None, None]).sum(axis=2)  # (n, steps)
    ids = logits.argmax(axis=1)
    if spec.head == "attention":  # all characters', and the end symbol's if it was written
        count = len(output.line.text)
        written = int(output.attention.any(axis=1).sum())
        ended = count < written and ids[count] == BLANK
        return best[:, : count + ended].prod(axis=1)
    starts = np.flatnonzero(np.diff(ids, prepend=-1))  # of runs of one class
    peaks = np.maximum.reduceat(best, starts, axis=1)[:, ids[starts] != BLANK]
    return peaks.prod(axis=1) if peaks.shape[1] else best.min(axis=1)
