"""report.md, and tables in Markdown."""

import math
import re
from collections.abc import Sequence

from ocr_simple.reports.canvas import NOTHING, visible
from ocr_simple.reports.metrics import SURE, Evaluation, Reading, table


def _cell(text: str) -> str:
    """`text` as Markdown shows it in a table, whatever is in it."""
    return re.sub(r"([\\`*_\[\]<>|~&$:])", r"\\\1", visible(text))


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}"


def markdown(evaluation: Evaluation, readings: Sequence[Reading], title: str) -> str:
    def listed(indices: Sequence[int]) -> list[str]:
        chosen = [readings[i] for i in indices]
        rows = [
            [_cell(r.name), _cell(r.truth), _cell(r.line.text), _share(r.line.confidence)]
            for r in chosen
        ]
        return table(("name", "truth", "read", "confidence"), rows)

    lines = [
        f"# {_cell(title)}",
        "",
        *str(evaluation).splitlines(),
        "",
        "CER, WER: edits over characters, over words of the truth. 1-NED: mean of 1 - edits / the "
        "longer text. ECE: expected calibration error. All lines: lines.tsv; all figures: "
        "report.json.",
        "",
        "## Wrong lines",
        "",
    ]
    if evaluation.worst:
        lines += ["Least similar first.", "", "![wrong lines](worst.png)", ""]
        lines += [*listed(evaluation.worst), ""]
    else:
        lines += ["None: every line was read exactly.", ""]
    if evaluation.suspects:
        lines += [
            "## Suspected label errors",
            "",
            f"Read with a confidence of {SURE:.0%} or more, and not as the label has it: look at "
            "the labels first.",
            "",
            "![suspected label errors](suspects.png)",
            "",
            *listed(evaluation.suspects),
            "",
        ]
    if evaluation.confusions:
        confused = [[_cell(c.truth), _cell(c.read), f"{c.count:,}"] for c in evaluation.confusions]
        lines += [
            "## Confused characters",
            "",
            f"{NOTHING} as truth: inserted; as read: missed.",
            "",
            "![confused characters](confusions.png)",
            "",
            *table(("truth", "read", "count"), confused),
            "",
        ]
    characters = [
        [_cell(c.character), f"{c.count:,}", _share(c.recall), _share(c.precision)]
        for c in evaluation.by_character
    ]
    lengths = [
        [str(s.length), f"{s.lines:,}", _share(s.exact), _share(s.cer)]
        for s in evaluation.by_length
    ]
    filled = [
        [f"{b.low:.0%} to {b.high:.0%}", f"{b.lines:,}", _share(b.confidence), _share(b.exact)]
        for b in evaluation.calibration
        if b.lines
    ]
    answered = [
        [f"{c.goal:.1%}", f"{c.threshold:.4f}" if c.answered else "-", _share(c.answered)]
        for c in evaluation.coverage
    ]
    lines += [
        "## Characters",
        "",
        "Most edits first. Recall: share of the truth's read right; precision: share right of "
        "those read.",
        "",
        *table(("character", "count", "recall", "precision"), characters),
        "",
        "## Length",
        "",
        *table(("characters", "lines", "exact", "CER"), lengths),
        "",
        "## Confidence",
        "",
        "![reliability](reliability.png)",
        "",
        *table(("confidence", "lines", "mean confidence", "exact"), filled),
        "",
        "## Answering sure lines alone",
        "",
        "With --min-confidence, the rest are for people to read.",
        "",
        "![coverage](coverage.png)",
        "",
        *table(("exact lines wanted", "least confidence", "lines answered"), answered),
    ]
    return "\n".join(lines)
