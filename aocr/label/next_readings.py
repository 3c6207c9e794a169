"""The most probable texts of a line besides the one that was read."""

from collections.abc import Iterator

import numpy as np

from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.decoding.greedy import Prediction, ctc_greedy
from ocr_simple.text import BLANK, Alphabet, Character, Line

COUNT = 4
WIDTH = 6  # of the beam


class _Except:
    """A constraint: all texts but some."""

    def __init__(self, texts: set[str]):
        self.texts = texts

    def allows(self, text: str) -> bool:
        """Whether a complete text is allowed."""
        return text not in self.texts

    def extends(self, prefix: str) -> bool:
        """Whether an allowed text can begin with this: any can."""
        return True


def next_readings(found: Prediction, alphabet: Alphabet, is_ctc: bool) -> list[str]:
    """Up to COUNT texts, the most probable first, without the one that was read and without "".

    found: what the model gives for the image; its probabilities are (steps, classes) of a CTC
    head, or (characters, classes) of an attention head.
    """
    lines = _of_ctc(found.probabilities, alphabet) if is_ctc else _of_attention(found, alphabet)
    texts = (alphabet.in_logical_order(line).text for line in lines)
    return [text for text in dict.fromkeys(texts) if text not in ("", found.line.text)][:COUNT]


def _of_ctc(probabilities: np.ndarray, alphabet: Alphabet) -> Iterator[Line]:
    """Lines in visual order: the best text, the best without that one, and so on."""
    seen = {"", ctc_greedy(probabilities, alphabet).text}
    for _ in range(COUNT):
        line = ctc_beam_search(probabilities, alphabet, _Except(seen), WIDTH)
        if line.text in seen:  # there is no other
            return
        seen.add(line.text)
        yield line


def _of_attention(found: Prediction, alphabet: Alphabet) -> Iterator[Line]:
    """Lines in visual order that differ in one character, which the head found probable there."""
    rows = found.probabilities[: len(found.line.text)]  # (characters, classes)
    if not len(rows):
        return
    ids = rows.argmax(axis=1)
    ratios = rows / rows.max(axis=1, keepdims=True)
    ratios[:, BLANK] = 0.0  # would end the text
    ratios[np.arange(len(ids)), ids] = 0.0
    for place in np.argsort(-ratios, axis=None, kind="stable")[:COUNT]:
        row, other = divmod(int(place), rows.shape[1])
        text = alphabet.decode([*ids[:row], other, *ids[row + 1 :]])
        yield Line(text, 0.0, tuple(Character(c, 0.0, 0.0, 0.0) for c in text))
