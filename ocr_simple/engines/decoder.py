"""A network's outputs for a batch -> the line of each image: greedy or by beam search, either head.

What is computed with the outputs is in `ocr_simple/decoding/`. Beam search with an attention head
asks the network for one character after the other.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.decoding.beam_search import (
    attention_alternatives,
    attention_beam_search,
    ctc_alternatives,
    ctc_beam_search,
)
from ocr_simple.decoding.constraints import Constraint, is_exact
from ocr_simple.decoding.greedy import attention_greedy, attention_line, ctc_greedy, softmax
from ocr_simple.decoding.language_model import LanguageModel
from ocr_simple.engines.engine import Engine
from ocr_simple.engines.step_decoder import Arrays
from ocr_simple.spec import time_steps
from ocr_simple.text import Alphabet, Line


class Decoded(NamedTuple):
    """A line in visual order, spans in time steps, and the outputs that it was decoded from."""

    line: Line
    probabilities: np.ndarray  # (steps, classes); of an attention head: (rows, classes)
    attention: np.ndarray  # (rows, steps), see `model.build` for the rows; empty for a CTC head


class Decoder:
    """Reads lines from what a network computes."""

    def __init__(
        self,
        engine: Engine,
        constraint: Constraint | None = None,
        beam_width: int = 1,
        language_model: LanguageModel | None = None,
        alternatives: int = 0,
    ):
        """See `Recognizer`. beam_width: 1 without a constraint is greedy."""
        self.engine, self.spec = engine, engine.spec
        self.alphabet = Alphabet(self.spec.alphabet)
        self.constraint, self.beam_width = constraint, beam_width
        self.language_model, self.alternatives = language_model, alternatives
        self.greedy = constraint is None and beam_width == 1
        if self.spec.head == "attention" and (alternatives or not self.greedy):
            self.steps = engine.step_decoder()

    def read(self, x: Arrays) -> Iterator[Decoded]:
        """The line of each image in a batch of `preprocessing.pad_batch`. Raises ValueError."""
        steps = time_steps(x["width"], self.spec.stride)
        return self._read_ctc(x, steps) if self.spec.head == "ctc" else self._write(x, steps)

    def _read_ctc(self, x: Arrays, steps: np.ndarray) -> Iterator[Decoded]:
        probabilities = self._probabilities(self.engine.run(x))
        how = self.constraint, self.beam_width, self.language_model
        for count, rows in zip(steps, probabilities):
            rows = rows[:count]
            if self.greedy:
                line = ctc_greedy(rows, self.alphabet)
            else:
                line = ctc_beam_search(rows, self.alphabet, *how)
            if self.alternatives:
                line = ctc_alternatives(line, rows, self.alphabet, self.alternatives, *how)
            yield Decoded(line, rows, rows[:0])

    def _write(self, x: Arrays, steps: np.ndarray) -> Iterator[Decoded]:
        """The lines of a batch, as an attention head writes them."""
        if self.greedy and not self.alternatives:
            yield from self._write_greedily(x, steps)
            return
        width = None if is_exact(self.constraint) else self.beam_width
        how = {"alphabet": self.alphabet, "constraint": self.constraint, "beam_width": width}
        shown = self.steps.look(x)
        searches = [self.steps.for_search(*each) | how for each in zip(shown, steps.tolist())]
        greedy = self._write_greedily(x, steps) if self.greedy else None
        for search, found in zip(searches, greedy or map(self._search, searches, steps)):
            if self.alternatives:
                line = attention_alternatives(found.line, count=self.alternatives, **search)
                found = found._replace(line=line)
            yield found

    def _write_greedily(self, x: Arrays, steps: np.ndarray) -> Iterator[Decoded]:
        output = self.engine.run(x)
        probabilities = self._probabilities(output["logits"])
        for count, rows, attention in zip(steps, probabilities, output["attention"]):
            attention = attention[:, :count]
            yield Decoded(attention_greedy(rows, attention, self.alphabet), rows, attention)

    def _search(self, search: dict[str, Any], steps: int) -> Decoded:
        """The best text that the constraint allows."""
        found = attention_beam_search(**search)
        if found.states is None:
            nothing = np.zeros((0, self.alphabet.classes)), np.zeros((0, steps))
            return Decoded(Line("", 0.0, ()), *nothing)
        attention = found.states["attention"][0, :, :steps]
        line = attention_line(self.alphabet.decode(found.ids), found.probabilities, attention[:-1])
        return Decoded(line, self._probabilities(found.states["logits"][0]), attention)

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Class probabilities of `logits` (..., classes). Raises ValueError if they are no numbers.

        Weights may be finite, as is checked when they are loaded, and yet too large.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found = softmax(logits, self.spec.temperature)
        if not np.isfinite(found).all():
            raise ValueError(
                "the model gives no number for an image: its weights are damaged or too large; get "
                "the model again, or train it again with a lower --learning-rate"
            )
        return found
