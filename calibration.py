"""Confidence that can be acted on: the temperature of a model's softmax, fitted after training.

Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks": one number,
which changes no text. Here it is fitted to whole lines: their confidence is to say how many of
them are exact.
"""

from collections.abc import Iterable

import numpy as np

from devices import keras
from inference import Recognizer
from text import attention_decode, ctc_decode, softmax

TEMPERATURES = np.geomspace(0.5, 8, 41)
PRIOR = 5.0  # weight of log(temperature)^2: a few lines without an error prove little
LEAST = 1e-6  # of a confidence, and of its distance from 1


def fit_temperature(model: keras.Model, lines: Iterable[tuple[np.ndarray, str, str]]) -> float:
    """The one of TEMPERATURES with the least log loss of the lines' confidences.

    lines: (pixels, text, name) of each, none trained on, and as hard as what is to be read
    """
    recognizer = Recognizer(model)
    alphabet, loss = recognizer.alphabet, PRIOR * np.log(TEMPERATURES) ** 2
    for pixels, truth, _ in lines:
        output = recognizer.output(pixels)
        logits = np.log(np.maximum(output.probabilities, 1e-30)) * model.spec.temperature
        for i, temperature in enumerate(TEMPERATURES):
            shares = softmax(logits, float(temperature))
            if model.spec.head == "ctc":
                line = ctc_decode(shares, alphabet)
            else:
                line = attention_decode(shares, output.attention, alphabet)
            confidence = np.clip(line.confidence, LEAST, 1 - LEAST)
            loss[i] -= np.log(confidence if line.text == truth else 1 - confidence)
    return float(TEMPERATURES[np.argmin(loss)])
