"""How well lines were read, as figures.

    evaluation = evaluate(readings)  # exact lines, CER, WER, 1-NED, calibration, ...

CER and WER are edits (Levenshtein 1966) over characters or words of the truth; 1-NED is the mean
of 1 - edits / the longer of truth and text (ICDAR 2019 ArT, LSVT). Characters are counted by the
alignment with the fewest edits. Calibration is that of Guo et al. 2017, "On Calibration of Modern
Neural Networks": lines in bins of equal width by their confidence, and the expected calibration
error (ECE), the mean distance of a bin's confidence from its share of exact lines.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr_simple.text import Line

BINS = 10  # of confidence
GOALS = (0.95, 0.99, 0.995)  # shares of exact lines that one may want of those answered
SURE = 0.9  # a wrong line read with this confidence has perhaps a wrong label


ROWS = 30  # most rows of a Markdown table


@dataclass(frozen=True)
class Reading:
    """One labelled line and what was read in it."""

    name: str
    truth: str
    line: Line
    loss: float = math.nan  # -log p(truth) of the whole line, in nats; nan: not known

    @property
    def exact(self) -> bool:
        """Whether the text is the truth."""
        return self.line.text == self.truth

    @cached_property
    def similarity(self) -> float:
        """1 - edits / the longer of truth and text: 1 is right, and of two empty texts too."""
        return Levenshtein.normalized_similarity(self.truth, self.line.text)


@dataclass(frozen=True)
class LengthScore:
    """Lines of one length."""

    length: int  # characters of truth
    lines: int
    exact: float  # share of the lines
    cer: float


@dataclass(frozen=True)
class CharacterScore:
    """One character of the truths or the texts."""

    character: str
    count: int  # in the truths
    recall: float  # share of these that was read right; nan where there are none
    precision: float  # share right of those that were read; nan where none was


@dataclass(frozen=True)
class Confusion:
    """One kind of edit; "" as truth is an insertion, as read a character that was missed."""

    truth: str
    read: str
    count: int


@dataclass(frozen=True)
class Bin:
    """Lines whose confidence is above `low`, up to `high`."""

    low: float
    high: float
    lines: int
    confidence: float  # mean; nan without lines
    exact: float  # share; nan without lines


@dataclass(frozen=True)
class Coverage:
    """What is answered if only lines of a confidence of at least `threshold` are."""

    goal: float  # share of the answered lines that are to be exact
    threshold: float  # the lowest confidence with which they are; infinite if there is none
    answered: float  # share of all lines


@dataclass(frozen=True)
class Evaluation:
    """The figures of many readings; shares and rates are fractions, CER and WER may pass 1."""

    lines: int
    exact: float  # share of the lines
    cer: float
    wer: float
    similarity: float  # 1-NED
    confidence: float  # mean
    ece: float
    loss: float  # mean of the lines whose loss is known; nan if it is of none
    perplexity: float  # exp of these lines' loss for each character of truth
    by_length: tuple[LengthScore, ...]  # shortest first
    by_character: tuple[CharacterScore, ...]  # most edits first
    confusions: tuple[Confusion, ...]  # most frequent first
    calibration: tuple[Bin, ...]  # lowest first, empty ones too
    coverage: tuple[Coverage, ...]  # for each of GOALS
    worst: tuple[int, ...]  # all wrong readings' indices: least similar first, then most confident
    suspects: tuple[int, ...]  # those of wrong readings as sure as SURE, most confident first

    def __str__(self) -> str:
        """The chief figures as a Markdown table."""
        figures = {
            "lines": f"{self.lines:,}",
            "exact": f"{self.exact:.2%}",
            "CER": f"{self.cer:.2%}",
            "WER": f"{self.wer:.2%}",
            "1-NED": f"{self.similarity:.4f}",
            "mean confidence": f"{self.confidence:.2%}",
            "ECE": f"{self.ece:.2%}",
        }
        if not math.isnan(self.loss):
            figures |= {"mean loss": f"{self.loss:.4g}", "perplexity": f"{self.perplexity:.4g}"}
        return "\n".join(table(figures, [list(figures.values())]))


def evaluate(readings: Iterable[Reading]) -> Evaluation:
    """The figures of `readings`. Raises ValueError if there are none."""
    readings = list(readings)
    if not readings:
        raise ValueError("no lines to evaluate; is the data set empty?")
    exact, cer = _error_rates(readings)
    truths = [reading.truth.split() for reading in readings]
    edits = sum(Levenshtein.distance(t, r.line.text.split()) for t, r in zip(truths, readings))
    wrong = [i for i, reading in enumerate(readings) if not reading.exact]
    sure = [i for i in wrong if readings[i].line.confidence >= SURE]
    known = [reading for reading in readings if not math.isnan(reading.loss)]
    loss = float(sum(reading.loss for reading in known))
    bins, confusions = _calibration(readings), _confusions(readings)
    return Evaluation(
        lines=len(readings),
        exact=exact,
        cer=cer,
        wer=edits / max(1, sum(map(len, truths))),
        similarity=float(np.mean([reading.similarity for reading in readings])),
        confidence=float(np.mean([reading.line.confidence for reading in readings])),
        ece=sum(b.lines * abs(b.exact - b.confidence) for b in bins if b.lines) / len(readings),
        loss=loss / len(known) if known else math.nan,
        perplexity=perplexity(loss, sum(len(r.truth) for r in known)) if known else math.nan,
        by_length=_by_length(readings),
        by_character=_by_character(readings, confusions),
        confusions=confusions,
        calibration=bins,
        coverage=tuple(coverage(readings, goal) for goal in GOALS),
        worst=tuple(
            sorted(wrong, key=lambda i: (readings[i].similarity, -readings[i].line.confidence))
        ),
        suspects=tuple(sorted(sure, key=lambda i: -readings[i].line.confidence)),
    )


def error_rates(truths: list[str], texts: list[str]) -> tuple[float, float]:
    """(share of lines read exactly, character error rate: edits over characters of truth)."""
    exact = sum(truth == text for truth, text in zip(truths, texts)) / len(truths)
    edits = sum(Levenshtein.distance(truth, text) for truth, text in zip(truths, texts))
    return exact, edits / max(1, sum(map(len, truths)))


def _error_rates(readings: Sequence[Reading]) -> tuple[float, float]:
    return error_rates([r.truth for r in readings], [r.line.text for r in readings])


def perplexity(loss: float, characters: int) -> float:
    """exp of a loss in nats for each of `characters`; infinite where that is past all bounds."""
    each = loss / max(1, characters)
    return math.exp(each) if each < 300 else math.inf  # where aocr stops too


def _by_length(readings: Sequence[Reading]) -> tuple[LengthScore, ...]:
    groups = defaultdict(list)
    for reading in readings:
        groups[len(reading.truth)].append(reading)
    return tuple(LengthScore(n, len(groups[n]), *_error_rates(groups[n])) for n in sorted(groups))


def _confusions(readings: Sequence[Reading]) -> tuple[Confusion, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for truth, text in ((r.truth, r.line.text) for r in readings if not r.exact):
        for edit in Levenshtein.editops(truth, text):
            lost = "" if edit.tag == "insert" else truth[edit.src_pos]
            gained = "" if edit.tag == "delete" else text[edit.dest_pos]
            counts[lost, gained] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Confusion(*pair, count) for pair, count in ordered)


def _by_character(
    readings: Sequence[Reading], confusions: Sequence[Confusion]
) -> tuple[CharacterScore, ...]:
    written, read, lost, gained = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for reading in readings:
        written.update(reading.truth)
        read.update(reading.line.text)
    for confusion in confusions:
        lost[confusion.truth] += confusion.count
        gained[confusion.read] += confusion.count
    return tuple(
        CharacterScore(
            character=c,
            count=written[c],
            recall=1 - lost[c] / written[c] if written[c] else math.nan,
            precision=1 - gained[c] / read[c] if read[c] else math.nan,
        )
        for c in sorted(written | read, key=lambda c: (-lost[c] - gained[c], c))
    )


def _calibration(readings: Sequence[Reading]) -> tuple[Bin, ...]:
    confidences = np.array([reading.line.confidence for reading in readings])  # (lines,)
    exact = np.array([reading.exact for reading in readings])
    which = np.clip(np.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for i in range(BINS):
        inside, means = which == i, (math.nan, math.nan)
        if inside.any():
            means = float(confidences[inside].mean()), float(exact[inside].mean())
        bins.append(Bin(i / BINS, (i + 1) / BINS, int(inside.sum()), *means))
    return tuple(bins)


def answered_alone(readings: Iterable[Reading]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a least confidence leaves of the lines: (confidence, share answered, share exact).

    A row for each confidence that occurs, the highest first.
    """
    readings = sorted(readings, key=lambda reading: -reading.line.confidence)
    confidences = np.array([reading.line.confidence for reading in readings])
    count = np.arange(1, len(readings) + 1)
    exact = np.cumsum([reading.exact for reading in readings]) / count
    last = np.append(confidences[1:] != confidences[:-1], True)  # lines as sure go together
    return confidences[last], (count / len(readings))[last], exact[last]


def coverage(readings: Iterable[Reading], goal: float) -> Coverage:
    """The most lines that can be answered with a share `goal` of them exact."""
    confidences, answered, exact = answered_alone(readings)
    reached = np.flatnonzero(exact >= goal)
    if not len(reached):
        return Coverage(goal, math.inf, 0.0)
    return Coverage(goal, float(confidences[reached[-1]]), float(answered[reached[-1]]))


def aocr_accuracy(truth: str, text: str, distance: bool = True) -> float:
    """How right `text` is, 0 to 1, as attention-ocr's `aocr test` counts it.

    distance: 1 - edits / characters of truth, at least 0; else 1 if they are the same, or 0
    """
    if not distance or not truth:
        return float(text == truth)
    return 1 - min(1.0, Levenshtein.distance(truth, text) / len(truth))


def table(header: Iterable[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a Markdown table, of cells that are escaped already; at most ROWS of them."""
    names = list(header)
    lines = [f"| {' | '.join(row)} |" for row in (names, ["---"] * len(names), *rows[:ROWS])]
    more = len(rows) - ROWS
    return [*lines, "", f"... and {more:,} more, in report.json"] if more > 0 else lines
