"""How well lines were read, as figures.

    evaluation = evaluate(readings)  # exact lines, CER, WER, 1-NED, calibration, ...

CER and WER are the edits (Levenshtein 1966) per character or word of the truth. 1-NED is the mean
of 1 - edits / the length of the longer of truth and text (ICDAR 2019 ArT, LSVT). Characters are
counted by an alignment with the fewest edits. Calibration is measured as by Guo et al. 2017, "On
Calibration of Modern Neural Networks": lines are put into bins of equal width by confidence, and
the expected calibration error (ECE) is the mean distance of a bin's mean confidence from its share
of exact lines. Coverage is the share of lines that are accepted if only those with a minimum
confidence are.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr_simple.messages import visible
from ocr_simple.reports.intervals import shown_share
from ocr_simple.reports.markdown import markdown_table
from ocr_simple.text import Line

BINS = 10  # of confidence
GOALS = (0.95, 0.99, 0.995)  # shares of exact lines that may be required of those accepted
SHOWN_CHARACTERS = 100  # of those that a model cannot read
SURE = 0.9  # a line that is misread with this confidence may have a wrong label


@dataclass(frozen=True)
class Reading:
    """One labelled line and what was read in it."""

    name: str
    truth: str
    line: Line
    loss: float = math.nan  # -log p(truth) of the whole line, in nats; nan if not computed
    unknown: str = ""  # characters of the truth that the model does not have

    @property
    def exact(self) -> bool:
        """Whether the text is the truth."""
        return self.line.text == self.truth

    @cached_property
    def similarity(self) -> float:
        """1 - edits / the length of the longer of truth and text; 1 if both are empty."""
        return Levenshtein.normalized_similarity(self.truth, self.line.text)


@dataclass(frozen=True)
class LengthScore:
    """Lines of one length."""

    length: int  # characters of the truth
    lines: int
    exact: float  # share of the lines
    cer: float


@dataclass(frozen=True)
class CharacterScore:
    """How well one character was read."""

    character: str
    count: int  # in the truths
    recall: float  # share of these that was read right; nan if there are none
    precision: float  # share of those read that is right; nan if none was read


@dataclass(frozen=True)
class Confusion:
    """One kind of edit. An empty truth is an insertion, an empty text a missed character."""

    truth: str
    read: str
    count: int


@dataclass(frozen=True)
class Bin:
    """Lines with a confidence above `low` and up to `high`."""

    low: float
    high: float
    lines: int
    confidence: float  # mean; nan if there are no lines
    exact: float  # share; nan if there are no lines


@dataclass(frozen=True)
class CoveragePoint:
    """How many lines can be accepted if a share `goal` of them must be exact."""

    goal: float
    threshold: float  # lowest confidence that is accepted; infinite if none reaches the goal
    accepted: float  # share of all lines
    lines: int  # that are accepted
    exact: float  # share of these; nan if none is accepted


@dataclass(frozen=True)
class Evaluation:
    """The figures of many readings. Shares and rates are fractions; CER and WER can exceed 1."""

    lines: int
    exact: float  # share of the lines
    cer: float
    wer: float
    similarity: float  # 1-NED
    confidence: float  # mean
    ece: float
    loss: float  # mean of the lines whose loss is known; nan if there are none
    perplexity: float  # exp of these lines' loss per character of truth
    by_length: tuple[LengthScore, ...]  # shortest first
    by_character: tuple[CharacterScore, ...]  # most edits first
    confusions: tuple[Confusion, ...]  # most frequent first
    calibration: tuple[Bin, ...]  # lowest first, with the empty ones
    coverage: tuple[CoveragePoint, ...]  # one for each of GOALS
    worst: tuple[int, ...]  # indices of wrong readings: least similar first, then most confident
    # of those with a confidence from SURE on, most confident first; none with unknown characters
    suspects: tuple[int, ...]
    unknown_lines: int = 0  # lines whose truth has characters that the model does not have
    unknown_characters: str = ""  # these characters, sorted

    def __str__(self) -> str:
        """The main figures as a Markdown table."""
        figures = {
            "lines": f"{self.lines:,}",
            "exact": shown_share(self.exact, self.lines, ".2%"),
            "CER": f"{self.cer:.2%}",
            "WER": f"{self.wer:.2%}",
            "1-NED": f"{self.similarity:.4f}",
            "mean confidence": f"{self.confidence:.2%}",
            "ECE": f"{self.ece:.2%}",
        }
        if not math.isnan(self.loss):
            figures |= {"mean loss": f"{self.loss:.4g}", "perplexity": f"{self.perplexity:.4g}"}
        return "\n".join(markdown_table(figures, [list(figures.values())]))

    @property
    def unknown_note(self) -> str:
        """One line on labels that the model cannot read; empty if there are none."""
        if not self.unknown_lines:
            return ""
        shown = " ".join(map(visible, self.unknown_characters[:SHOWN_CHARACTERS]))
        more = " …" * (len(self.unknown_characters) > SHOWN_CHARACTERS)
        return (
            f"{self.unknown_lines:,} of {self.lines:,} labels have characters that the model "
            f"cannot read: {shown}{more}"
        )


def evaluate(readings: Iterable[Reading]) -> Evaluation:
    """The figures of `readings`. Raises ValueError if there are none."""
    readings = list(readings)
    if not readings:
        raise ValueError("no lines to evaluate; is the data set empty?")
    exact, cer = rates_of(readings)
    truths = [reading.truth.split() for reading in readings]
    edits = sum(Levenshtein.distance(t, r.line.text.split()) for t, r in zip(truths, readings))
    wrong = [i for i, reading in enumerate(readings) if not reading.exact]
    unknown = [reading.unknown for reading in readings if reading.unknown]
    sure = [i for i in wrong if readings[i].line.confidence >= SURE and not readings[i].unknown]
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
        coverage=tuple(coverage_at(readings, goal) for goal in GOALS),
        worst=tuple(
            sorted(wrong, key=lambda i: (readings[i].similarity, -readings[i].line.confidence))
        ),
        suspects=tuple(sorted(sure, key=lambda i: -readings[i].line.confidence)),
        unknown_lines=len(unknown),
        unknown_characters="".join(sorted(set("".join(unknown)))),
    )


def error_rates(truths: list[str], texts: list[str]) -> tuple[float, float]:
    """(share of lines read exactly, character error rate: edits per character of truth)."""
    exact = sum(truth == text for truth, text in zip(truths, texts)) / len(truths)
    edits = sum(Levenshtein.distance(truth, text) for truth, text in zip(truths, texts))
    return exact, edits / max(1, sum(map(len, truths)))


def rates_of(readings: Sequence[Reading]) -> tuple[float, float]:
    """`error_rates` of readings; not empty."""
    return error_rates([r.truth for r in readings], [r.line.text for r in readings])


def perplexity(loss: float, characters: int) -> float:
    """exp of a loss in nats per character; infinite where that would overflow."""
    each = loss / max(1, characters)
    return math.exp(each) if each < 300 else math.inf  # the same limit as in aocr


def _by_length(readings: Sequence[Reading]) -> tuple[LengthScore, ...]:
    groups = defaultdict(list)
    for reading in readings:
        groups[len(reading.truth)].append(reading)
    return tuple(LengthScore(n, len(groups[n]), *rates_of(groups[n])) for n in sorted(groups))


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


def coverage_curve(readings: Iterable[Reading]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(minimum confidences, share of lines that have it, share of these that is exact).

    One value for each confidence that occurs, the highest first.
    """
    readings = sorted(readings, key=lambda reading: -reading.line.confidence)
    confidences = np.array([reading.line.confidence for reading in readings])
    count = np.arange(1, len(readings) + 1)
    exact = np.cumsum([reading.exact for reading in readings]) / count
    last = np.append(confidences[1:] != confidences[:-1], True)  # of lines with one confidence
    return confidences[last], (count / len(readings))[last], exact[last]


def coverage_at(readings: Iterable[Reading], goal: float) -> CoveragePoint:
    """The most lines that can be accepted so that a share `goal` of them is exact."""
    readings = list(readings)
    confidences, accepted, exact = coverage_curve(readings)
    reached = np.flatnonzero(exact >= goal)
    if not len(reached):
        return CoveragePoint(goal, math.inf, 0.0, 0, math.nan)
    last = reached[-1]
    lines = round(accepted[last] * len(readings))
    return CoveragePoint(
        goal, float(confidences[last]), float(accepted[last]), lines, float(exact[last])
    )


def aocr_accuracy(truth: str, text: str, distance: bool = True) -> float:
    """The accuracy of `text`, 0 to 1, as attention-ocr's `aocr test` computes it.

    distance: 1 - edits / characters of truth, at least 0. Without it: 1 if they are equal, else 0.
    """
    if not distance or not truth:
        return float(text == truth)
    return 1 - min(1.0, Levenshtein.distance(truth, text) / len(truth))
