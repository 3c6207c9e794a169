"""The text of report.md: the figures of an evaluation as tables, beside its pictures."""

import math
from collections.abc import Sequence

from ocr_simple.messages import NOTHING
from ocr_simple.reports.comparison import Comparison
from ocr_simple.reports.intervals import shown_share
from ocr_simple.reports.markdown import cell, markdown_table
from ocr_simple.reports.metrics import SURE, Evaluation, Reading


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}"


def _reading_table(readings: Sequence[Reading], indices: Sequence[int]) -> list[str]:
    chosen = [readings[i] for i in indices]
    rows = [
        [cell(r.name), cell(r.truth), cell(r.line.text), _percent(r.line.confidence)]
        for r in chosen
    ]
    return markdown_table(("name", "truth", "read", "confidence"), rows)


def _unknown(evaluation: Evaluation) -> list[str]:
    if not (note := evaluation.unknown_note):
        return []
    return [f"{cell(note)}. These lines count as wrong, and the mean loss is infinite.", ""]


def _errors(evaluation: Evaluation, readings: Sequence[Reading]) -> list[str]:
    if not evaluation.worst:
        return ["## Wrong lines", "", "None: every line was read exactly.", ""]
    return [
        "## Wrong lines",
        "",
        "The least similar ones are first.",
        "",
        "![wrong lines](worst.png)",
        "",
        *_reading_table(readings, evaluation.worst),
        "",
    ]


def _suspects(evaluation: Evaluation, readings: Sequence[Reading]) -> list[str]:
    if not evaluation.suspects:
        return []
    return [
        "## Suspected label errors",
        "",
        f"These were read with a confidence of {SURE:.0%} or more, but differ from their labels. "
        "Check the labels first.",
        "",
        "![suspected label errors](suspects.png)",
        "",
        *_reading_table(readings, evaluation.suspects),
        "",
    ]


def _confusions(evaluation: Evaluation) -> list[str]:
    if not evaluation.confusions:
        return []
    rows = [[cell(c.truth), cell(c.read), f"{c.count:,}"] for c in evaluation.confusions]
    return [
        "## Confused characters",
        "",
        f"{NOTHING} as truth: an inserted character. {NOTHING} as read: a missed one.",
        "",
        "![confused characters](confusions.png)",
        "",
        *markdown_table(("truth", "read", "count"), rows),
        "",
    ]


def _characters(evaluation: Evaluation) -> list[str]:
    rows = [
        [cell(c.character), f"{c.count:,}", _percent(c.recall), _percent(c.precision)]
        for c in evaluation.by_character
    ]
    return [
        "## Characters",
        "",
        "Those with the most edits are first. Recall: the share of a character's occurrences in "
        "the truth that was read right. Precision: the share of its occurrences in the texts that "
        "is right.",
        "",
        *markdown_table(("character", "count", "recall", "precision"), rows),
        "",
    ]


def _lengths(evaluation: Evaluation) -> list[str]:
    rows = [
        [str(s.length), f"{s.lines:,}", _percent(s.exact), _percent(s.cer)]
        for s in evaluation.by_length
    ]
    return ["## Length", "", *markdown_table(("characters", "lines", "exact", "CER"), rows), ""]


def _confidence(evaluation: Evaluation) -> list[str]:
    bins = [
        [f"{b.low:.0%} to {b.high:.0%}", f"{b.lines:,}", _percent(b.confidence), _percent(b.exact)]
        for b in evaluation.calibration
        if b.lines
    ]
    points = [
        [
            f"{c.goal:.1%}",
            f"{c.threshold:.4f}" if c.accepted else "-",
            _percent(c.accepted),
            shown_share(c.exact, c.lines) if c.accepted else "-",
        ]
        for c in evaluation.coverage
    ]
    return [
        "## Confidence",
        "",
        "![reliability](reliability.png)",
        "",
        *markdown_table(("confidence", "lines", "mean confidence", "exact"), bins),
        "",
        "## Accepting only confident lines",
        "",
        "With --min-confidence, lines below a confidence are marked as unsure, for a person to "
        "check.",
        "",
        "![coverage](coverage.png)",
        "",
        *markdown_table(
            ("target accuracy", "minimum confidence", "lines accepted", "accuracy of these"), points
        ),
    ]


def _comparison(found: Comparison | None, readings: Sequence[Reading]) -> list[str]:
    if found is None:
        return []
    models = ((found.other, found.other_evaluation), (found.model, found.evaluation))
    figures = [
        [cell(name), *map(_percent, (e.exact, e.cer, e.wer, e.confidence, e.ece))]
        for name, e in models
    ]
    kinds = (
        (found.lost, "lost"), (found.gained, "gained"), (found.different, "both wrong")
    )  # fmt: skip
    rows = [
        [cell(readings[i].name), cell(readings[i].truth), cell(found.other_readings[i].line.text),
         cell(readings[i].line.text), kind]
        for indices, kind in kinds for i in indices
    ]  # fmt: skip
    names = ("name", "truth", cell(found.other), cell(found.model), "change")
    return [
        f"## Compared with {cell(found.other)}",
        "",
        f"{cell(found.verdict)}.",
        "",
        *markdown_table(("model", "exact", "CER", "WER", "mean confidence", "ECE"), figures),
        "",
        *(markdown_table(names, rows) if rows else []),
        "",
    ]


def report_text(
    evaluation: Evaluation,
    readings: Sequence[Reading],
    title: str,
    comparison: Comparison | None = None,
) -> str:
    """The text of report.md, without the last line break."""
    lines = [
        f"# {cell(title)}",
        "",
        *str(evaluation).splitlines(),
        "",
        *_unknown(evaluation),
        "CER and WER: edits per character and per word of the truth. 1-NED: the mean of 1 - edits "
        "/ the length of the longer text. ECE: expected calibration error. lines.tsv has all "
        "lines, report.json all figures.",
        "",
        *_comparison(comparison, readings),
        *_errors(evaluation, readings),
        *_suspects(evaluation, readings),
        *_confusions(evaluation),
        *_characters(evaluation),
        *_lengths(evaluation),
        *_confidence(evaluation),
    ]
    return "\n".join(lines)
