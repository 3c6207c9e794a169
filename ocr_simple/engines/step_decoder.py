"""The attention head one character at a time, in NumPy: for beam search, which follows several
texts at once.

The network is in two halves, and each engine has both: `encode` for a batch of images, and
`advance` for the next character of several texts.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ocr_simple.spec import ModelSpec

Arrays = dict[str, np.ndarray]
SHOWN = ("features", "keys", "valid")  # what the decoder sees of an image
AFTER = "after_"  # begins an output's name in ONNX, where inputs and outputs share no names


def state_names(spec: ModelSpec) -> list[str]:
    """The names of the recurrent layers' states: each is (texts, hidden)."""
    each = 1 if spec.use_gru else 2
    return [f"state{i}" for i in range(each * spec.attn_num_layers)]


class StepDecoder:
    """An attention model, for `decoding.beam_search.attention_beam_search`."""

    def __init__(
        self, spec: ModelSpec, encode: Callable[[Arrays], Arrays], advance: Callable[..., Arrays]
    ):
        """encode: {"image", "width"} -> features, keys (batch, steps, ...), valid (batch, steps).

        advance: those of one image, character (texts,), seen (texts, steps, 2) and states ->
        logits (texts, classes), seen and states. See `AttentionDecoder.advance`.
        """
        self.encode, self.advance = encode, advance
        self.hidden, self.classes = spec.attn_num_hidden, len(spec.alphabet) + 1
        self.states = state_names(spec)
        self.temperature, self.max_prediction = spec.temperature, spec.max_prediction

    def look(self, x: Arrays) -> list[Arrays]:
        """What the decoder sees of each image of a batch: arrays (1, steps, ...)."""
        shown = self.encode(x)
        return [{k: shown[k][i : i + 1] for k in SHOWN} for i in range(len(shown["valid"]))]

    def start(self, shown: Arrays) -> Arrays:
        """States of one empty text; it is as if the left edge had been looked at."""
        steps = shown["valid"].shape[1]
        seen = np.zeros((1, steps, 2), np.float32)
        seen[:, 0, 0] = 1
        return {
            "seen": seen,
            **{name: np.zeros((1, self.hidden), np.float32) for name in self.states},
            "logits": np.zeros((1, 0, self.classes), np.float32),
            "attention": np.zeros((1, 0, steps), np.float32),
        }

    def step(self, shown: Arrays, states: Arrays, ids: np.ndarray) -> tuple[np.ndarray, Arrays]:
        """(logits (texts, classes) of what follows `ids` (texts,), the states after it).

        The states hold all "logits" (texts, characters, classes) and "attention" (texts,
        characters, steps) so far; the last row of each belongs to what follows.
        """
        texts = len(ids)
        padded = 1 << (texts - 1).bit_length()  # few sizes: JAX compiles for each
        inputs = {name: states[name] for name in ("seen", *self.states)}
        inputs["character"] = np.asarray(ids, np.int32)
        inputs = self.select(inputs, np.minimum(np.arange(padded), texts - 1))
        after = self.select(self.advance(shown | inputs), np.arange(texts))
        logits, attention = after["logits"], after["seen"][..., 0]
        for name, row in (("logits", logits), ("attention", attention)):
            after[name] = np.concatenate([states[name], row[:, None]], axis=1)
        return logits, after

    def for_search(self, shown: Arrays, steps: int) -> dict[str, Any]:
        """Arguments of the searches in `decoding.beam_search`, for a line of so many time steps."""

        def step(states: Arrays, ids: np.ndarray) -> tuple[np.ndarray, Arrays]:
            logits, states = self.step(shown, states, ids)
            scaled = logits.astype(np.float64) / self.temperature
            return scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True), states

        return {
            "step": step,
            "start_state": self.start(shown),
            "select": self.select,
            "max_steps": min(steps, self.max_prediction or steps) + 1,
        }

    @staticmethod
    def select(states: Arrays, rows: np.ndarray) -> Arrays:
        """The states of those texts, in that order."""
        return {name: values[rows] for name, values in states.items()}
