"""How a model reads the validation lines of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_simple.reports.intervals import FEW, shown_interval, shown_share
from ocr_simple.reports.metrics import Reading, error_rates, perplexity


@dataclass(frozen=True)
class Validation:
    """How a model reads the validation lines after `step` steps."""

    step: int
    exact: float  # share of lines read without an error
    cer: float  # edits per character of truth
    loss: float  # mean of the lines; nan if not computed
    truths: list[str]
    texts: list[str]
    fonts: list[str]  # the font of each line, or the file of its image
    pixels: list[np.ndarray]

    @classmethod
    def of(
        cls, step: int, readings: Sequence[Reading], pixels: Sequence[np.ndarray]
    ) -> "Validation":
        """The figures of `readings`; pixels: uint8 (rows, columns, channels) of each line."""
        truths = [reading.truth for reading in readings]
        texts = [reading.line.text for reading in readings]
        loss = float(np.mean([reading.loss for reading in readings]))
        fonts = [reading.name for reading in readings]
        return cls(step, *error_rates(truths, texts), loss, truths, texts, fonts, list(pixels))

    @property
    def perplexity(self) -> float:
        """exp of the loss per character; infinite if the loss was not computed."""
        return perplexity(self.loss * len(self.truths), sum(map(len, self.truths)))

    def __str__(self) -> str:
        figures = f"exact {shown_share(self.exact, len(self.truths))}, CER {self.cer:.2%}"
        if math.isfinite(self.loss):
            figures += f", loss {self.loss:.4f}, perplexity {self.perplexity:.4g}"
        return figures

    def by_font(self) -> list[tuple[str, float, int]]:
        """(font file name, share of exact lines, lines) of each font, the worst first."""
        right: dict[str, list[bool]] = {}
        for truth, text, font in zip(self.truths, self.texts, self.fonts):
            right.setdefault(Path(font).name, []).append(truth == text)
        return sorted(((f, sum(r) / len(r), len(r)) for f, r in right.items()), key=lambda x: x[1])

    def worst_fonts(self, count: int) -> str:
        """The fonts with the lowest share of exact lines, in words."""
        fonts = self.by_font()[:count]
        return "worst fonts: " + ", ".join(f"{name} {exact:.0%}" for name, exact, _ in fonts)

    def misread_images(self, count: int = 10) -> str:
        """The first images that were read wrongly, with what was read, in words."""
        lines = zip(self.fonts, self.truths, self.texts)
        wrong = [f"{name} ({text!r})" for name, truth, text in lines if text != truth]
        return "misread: " + (", ".join(wrong[:count]) or "none")

    def summary(self) -> str:
        """The result of a run, whose best model gave this validation, in words."""
        lines, few = len(self.truths), ""
        if lines < FEW:
            interval = shown_interval(self.exact, lines)
            few = f"; so few lines give a 95 % interval of {interval}"
        return (
            f"The best model (step {self.step}) reads {self.exact:.1%} of {lines} validation lines "
            f"correctly (CER {self.cer:.2%}){few}"
        )
