"""What `Recognizer` needs of a network, whatever computes it.

There are two: `KerasEngine` in `model.py`, and `OnnxEngine` beside this file. They give the same
texts; confidences differ by less than 1e-4. In 8 bits, uncertain lines may be read differently.
"""

import abc
from typing import Any

import numpy as np

from ocr_simple.engines.step_decoder import StepDecoder
from ocr_simple.spec import ModelSpec


class Engine(abc.ABC):
    """A network that reads."""

    spec: ModelSpec
    at_once = 1  # batches that are computed at a time, where there are many

    def for_many(self) -> "Engine":
        """The same network, for as many batches as `at_once`, each in a thread of the caller's."""
        return self

    @abc.abstractmethod
    def run(self, x: dict[str, np.ndarray]) -> Any:
        """The network's outputs for a batch of `preprocessing.pad_batch`: {"image", "width"}.

        With a CTC head: logits (batch, steps, classes). With an attention head: {"logits":
        (batch, characters, classes), "attention": (batch, characters, steps)}. See `model.build`.
        """

    @abc.abstractmethod
    def step_decoder(self) -> StepDecoder:
        """The attention head, character by character, for beam search."""
