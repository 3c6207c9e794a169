"""Calibration: the temperature of a model's softmax, fitted after training.

Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks". It is one
number, which changes no text. Here it is fitted to whole lines, so that the mean confidence of
many lines is the share of them that is exact.
"""

from collections.abc import Iterable

import numpy as np

from ocr_simple.decoding.greedy import Prediction
from ocr_simple.spec import ModelSpec
from ocr_simple.text import BLANK

TEMPERATURES = np.geomspace(0.5, 8, 161)
PRIOR = 5.0  # weight of log(temperature)^2, as a few lines without errors are little evidence
LEAST_LINES = 30  # of labelled images; fewer say too little about confidence
LEAST = 1e-6  # smallest confidence, and smallest distance from 1, in the loss


def fit_temperature(
    predictions: Iterable[Prediction], truths: Iterable[str], spec: ModelSpec
) -> float:
    """The one of TEMPERATURES with the lowest log loss of the lines' confidences.

    predictions: of a model of `spec`, for lines that it was not trained on.
    """
    loss = PRIOR * np.log(TEMPERATURES) ** 2
    for prediction, truth in zip(predictions, truths):
        right = np.clip(confidences(prediction, spec, TEMPERATURES), LEAST, 1 - LEAST)
        loss -= np.log(right if prediction.line.text == truth else 1 - right)
    return float(TEMPERATURES[np.argmin(loss)])


def confidences(prediction: Prediction, spec: ModelSpec, temperatures: np.ndarray) -> np.ndarray:
    """The confidence of a greedily decoded line at each of `temperatures` (n,); see `text.Line`."""
    logits = np.log(np.maximum(prediction.probabilities, 1e-30)) * spec.temperature
    below = logits - logits.max(axis=1, keepdims=True)  # (steps, classes)
    # one by one: thousands of classes at once take gigabytes
    best = np.array([1 / np.exp(below / t).sum(axis=1) for t in temperatures])  # (n, steps)
    ids = logits.argmax(axis=1)
    if spec.head == "attention":  # the product over the characters, and over the end symbol
        count = len(prediction.line.text)
        written = int(prediction.attention.any(axis=1).sum())
        ended = count < written and ids[count] == BLANK  # else the head was cut off
        return best[:, : count + ended].prod(axis=1)
    starts = np.flatnonzero(np.diff(ids, prepend=-1))  # of runs of one class
    peaks = np.maximum.reduceat(best, starts, axis=1)[:, ids[starts] != BLANK]
    return peaks.prod(axis=1) if peaks.shape[1] else best.min(axis=1)
