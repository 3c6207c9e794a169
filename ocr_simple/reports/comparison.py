"""Two models that read the same lines: which lines they read differently, and what that shows.

McNemar's test (McNemar 1947, "Note on the sampling error of the difference between correlated
proportions") looks at the lines that only one of the models read right. If both were equally good,
each such line would be either's with probability 1/2. The exact p is the probability of a split at
least as uneven as the one that was found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ocr_simple.messages import counted
from ocr_simple.reports.metrics import Evaluation, Reading, evaluate

LIKELY = 0.05  # a p above it may well be chance


@dataclass(frozen=True)
class Comparison:
    """A model compared with another one; the indices are of lines."""

    model: str
    other: str
    evaluation: Evaluation  # of the model
    other_evaluation: Evaluation
    other_readings: tuple[Reading, ...]
    gained: tuple[int, ...]  # lines that only the model read right
    lost: tuple[int, ...]  # lines that only the other one read right
    different: tuple[int, ...]  # lines that both read wrong, and differently
    p: float  # McNemar's, exact and two-sided

    @property
    def verdict(self) -> str:
        """The difference in one sentence."""
        gained, lost = counted(len(self.gained), "line"), f"{len(self.lost):,}"
        found = f"{self.model} reads {gained} right that {self.other} misreads, and misreads "
        found += f"{lost} that {self.other} reads right"
        if not self.gained and not self.lost:
            return f"Both models read the same lines right, {self.evaluation.exact:.1%}"
        p = f"p = {self.p:.2g}" if self.p >= 1e-4 else "p < 0.0001"
        meaning = "may be chance" if self.p > LIKELY else "is unlikely to be chance"
        return f"{found}. Such a difference {meaning} (McNemar's exact test, {p})"


def mcnemar(gained: int, lost: int) -> float:
    """The exact p, two-sided, of lines that only one of two models read right."""
    count = gained + lost
    log_all = math.lgamma(count + 1) - count * math.log(2)  # logarithms, as the numbers are large
    tail = (
        math.exp(log_all - math.lgamma(k + 1) - math.lgamma(count - k + 1))
        for k in range(min(gained, lost) + 1)
    )
    return min(1.0, 2 * math.fsum(tail))


def compare(
    readings: Sequence[Reading], other_readings: Sequence[Reading], model: str, other: str
) -> Comparison:
    """The readings of two models, of the same lines in the same order. Raises ValueError."""
    pairs = list(zip(readings, other_readings, strict=True))
    gained = tuple(i for i, (a, b) in enumerate(pairs) if a.exact and not b.exact)
    lost = tuple(i for i, (a, b) in enumerate(pairs) if b.exact and not a.exact)
    different = tuple(
        i for i, (a, b) in enumerate(pairs)
        if not a.exact and not b.exact and a.line.text != b.line.text
    )  # fmt: skip
    return Comparison(
        model, other, evaluate(readings), evaluate(other_readings), tuple(other_readings),
        gained, lost, different, mcnemar(len(gained), len(lost)),
    )  # fmt: skip
