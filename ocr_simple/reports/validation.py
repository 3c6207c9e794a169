"""How a model reads the validation lines of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_simple.reports.metrics import Reading, error_rates, perplexity


@dataclass(frozen=True)
class Validation:
    """How a model reads the validation lines after `step` steps."""

    step: int
    exact: float  # share of lines read without an error
    cer: float  # edits per character of truth
    loss: float  # mean of the lines; nan where it was not computed
    truths: list[str]
    texts: list[str]
    fonts: list[str]  # font file of each line, or its image's file
    pixels: list[np.ndarray]

    @classmethod
    def of(
        cls, step: int, readings: Sequence[Reading], pixels: Sequence[np.ndarray]
    ) -> "Validation":
        """The validation whose lines were read so; pixels: uint8 (rows, columns, channels) each."""
        truths = [reading.truth for reading in readings]
        texts = [reading.line.text for reading in readings]
        loss = float(np.mean([reading.loss for reading in readings]))
        fonts = [reading.name for reading in readings]
        return cls(step, *error_rates(truths, texts), loss, truths, texts, fonts, list(pixels))

    @property
    def perplexity(self) -> float:
        """exp of the loss per character; nan where the loss is not known."""
        return perplexity(self.loss * len(self.truths), sum(map(len, self.truths)))

    def __str__(self) -> str:
        figures = f"exact {self.exact:.1%}, CER {self.cer:.2%}"
        if math.isfinite(self.loss):
            figures += f", loss {self.loss:.4f}, perplexity {self.perplexity:.4g}"
        return figures

    def by_font(self) -> list[tuple[str, float, int]]:
        """(font file name, exact, lines) of each font, the worst read first."""
        right: dict[str, list[bool]] = {}
        for truth, text, font in zip(self.truths, self.texts, self.fonts):
            right.setdefault(Path(font).name, []).append(truth == text)
        return sorted(((f, sum(r) / len(r), len(r)) for f, r in right.items()), key=lambda x: x[1])

    def summary(self, worst_fonts: int) -> str:
        """The end of a run in words. worst_fonts: how many to name; 0 names misread images."""
        if worst_fonts:
            fonts = self.by_font()[:worst_fonts]
            worst = "worst fonts: " + ", ".join(f"{name} {exact:.0%}" for name, exact, _ in fonts)
        else:
            lines = zip(self.fonts, self.truths, self.texts)
            wrong = [f"{name} ({text!r})" for name, truth, text in lines if text != truth]
            worst = "misread: " + (", ".join(wrong[:10]) or "none")
        return (
            f"{self.exact:.1%} of {len(self.truths)} validation lines read without an error (CER "
            f"{self.cer:.2%}) by the best model, of step {self.step}\n{worst}"
        )
