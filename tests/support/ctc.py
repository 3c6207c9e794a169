"""Class probabilities of CTC heads, made up, and all that they can say."""

import itertools
import math

import numpy as np

from ocr_simple.text import Alphabet

ONES = Alphabet("1a-")


def random_line(seed, steps, alphabet=ONES, sharpness=0.5):
    rng = np.random.default_rng(seed)
    alpha = np.full(alphabet.classes, sharpness)
    return rng.dirichlet(alpha, size=steps).astype(np.float32)


def counted_out(probabilities, alphabet=ONES):
    """The total probability of each text, over every path there is."""
    totals = {}
    for path in itertools.product(range(alphabet.classes), repeat=len(probabilities)):
        text = alphabet.decode(i for i, _ in itertools.groupby(path))
        p = math.prod(float(row[i]) for row, i in zip(probabilities, path))
        totals[text] = totals.get(text, 0.0) + p
    return totals


def image_of(text, steps, alphabet, confidence=0.99):
    """Class probabilities of a line that shows `text`, spread out evenly."""
    ids = np.zeros(steps, int)
    ids[np.linspace(1, steps - 2, len(text)).astype(int)] = alphabet.encode(text)
    rest = (1 - confidence) / (alphabet.classes - 1)
    probabilities = np.full((steps, alphabet.classes), rest, np.float32)
    probabilities[np.arange(steps), ids] = confidence
    return probabilities
