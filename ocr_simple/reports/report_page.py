"""The report as one HTML page: figures, pictures of lines beside what was read in them, charts.

The page holds all that it shows, and asks for nothing elsewhere: pictures are data URIs, and its
content security policy allows only its own style and script, by their checksums. Texts and names
come from files that anybody may have made, so they are escaped wherever they are written.
"""

import base64
import hashlib
import html
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from ocr_simple import images as imaging
from ocr_simple.messages import NOTHING, counted, visible
from ocr_simple.reports.comparison import Comparison
from ocr_simple.reports.intervals import shown_share
from ocr_simple.reports.metrics import SURE, Evaluation, Reading

TEMPLATE = Path(__file__).with_suffix(".html")
MOST_WRONG, MOST_RIGHT, MOST_CHANGED = 300, 60, 300  # lines with pictures
MOST_ROWS = 500  # of other tables
HEIGHT, WIDTH = 72, 640  # of a picture, at most; screens may show two pixels for one
CHARTS = {
    "reliability.png": "mean confidence and share of right lines",
    "coverage.png": "share of lines accepted, and of these that are right",
}


Pixels = Callable[[int], np.ndarray]  # of a line, by its index: uint8 (rows, columns, channels)


class Cell(NamedTuple):
    """A cell of a table: HTML, and what its column is sorted by, if not its text."""

    content: str
    kind: str = "text"  # its class
    value: float | None = None


# --- pieces -------------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    """An untrusted text for HTML; <bdi> keeps its direction of writing from its surroundings."""
    return f"<bdi>{html.escape(visible(text))}</bdi>"


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _picture(pixels: np.ndarray) -> str:
    """An image of a line as <img>, made smaller if it is large."""
    image = imaging.as_picture(pixels)
    image.thumbnail((WIDTH, HEIGHT), Image.Resampling.BICUBIC, reducing_gap=2.0)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=82)
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img {size} alt="" loading="lazy" src="{_uri(file.getvalue(), "jpeg")}">'


def _number(value: float, shown: str) -> Cell:
    """A figure; one that is not known comes first."""
    return Cell(html.escape(shown), "number", -1.0 if math.isnan(value) else value)


def _share(value: float) -> Cell:
    return _number(value, "-" if math.isnan(value) else f"{value:.1%}")


def _marked(truth: str, text: str) -> tuple[str, str]:
    """Truth and text in HTML, with what differs marked."""
    if not truth or not text:
        return _escaped(truth), _escaped(text)
    ends: tuple[list[str], list[str]] = ([], [])
    for edit in Levenshtein.opcodes(truth, text):
        pieces = truth[edit.src_start : edit.src_end], text[edit.dest_start : edit.dest_end]
        for end, piece in zip(ends, pieces):
            if piece:
                shown = html.escape(visible(piece))
                end.append(shown if edit.tag == "equal" else f"<mark>{shown}</mark>")
    return f"<bdi>{''.join(ends[0])}</bdi>", f"<bdi>{''.join(ends[1])}</bdi>"


def _table(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """A table with columns to sort by; headings: (name, kind) each."""
    yield '<div class="wide"><table><thead><tr>'
    for name, kind in headings:
        inner = f"<span>{name}</span>" if kind == "picture" else f"<button>{name}</button>"
        yield f'<th scope="col" data-kind="{kind}">{inner}</th>'
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>"
        for (name, _), cell in zip(headings, row):
            value = "" if cell.value is None else f' data-value="{cell.value:.6g}"'
            label = f' data-label="{name}"' * (cell.kind not in ("picture", "name"))
            yield f'<td class="{cell.kind}"{label}{value}>{cell.content}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _name(reading: Reading) -> Cell:
    return Cell(_escaped(reading.name), "name")


# --- sections -----------------------------------------------------------------------------------


def _figures(evaluation: Evaluation) -> Iterator[str]:
    figures = {
        "read exactly": shown_share(evaluation.exact, evaluation.lines, ".1%"),
        "lines": f"{evaluation.lines:,}",
        "CER": f"{evaluation.cer:.2%}",
        "WER": f"{evaluation.wer:.2%}",
        "mean confidence": f"{evaluation.confidence:.1%}",
        "calibration error": f"{evaluation.ece:.1%}",
    }
    yield '<dl class="figures">'
    for number, (name, figure) in enumerate(figures.items()):
        value, _, rest = figure.partition(" ")
        more = f"<small>{html.escape(rest)}</small>" if rest else ""
        first = ' class="first"' if number == 0 else ""
        yield f"<div{first}><dt>{name}</dt><dd>{html.escape(value)}{more}</dd></div>"
    yield "</dl>"
    yield (
        '<p class="quiet">CER and WER: edits per character and per word of the truth. Calibration '
        "error (ECE): lines are grouped by confidence; it is the mean difference, over all lines, "
        "between a group's mean confidence and its share of exact lines.</p>"
    )
    if note := evaluation.unknown_note:
        yield f"<p>{_escaped(note)}. These lines count as wrong.</p>"


def _comparison(found: Comparison, readings: Sequence[Reading], pixels: Pixels) -> Iterator[str]:
    yield f"<h2>Compared with {_escaped(found.other)}</h2><p>{_escaped(found.verdict)}.</p>"
    models = ((found.other, found.other_evaluation), (found.model, found.evaluation))
    names = ("exact", "CER", "WER", "mean confidence", "calibration error")
    figures = [
        [Cell(_escaped(name)), *map(_share, (e.exact, e.cer, e.wer, e.confidence, e.ece))]
        for name, e in models
    ]
    yield from _small([("model", "text"), *((name, "number") for name in names)], figures)
    kinds = (
        (found.lost, "lost", "bad"), (found.gained, "gained", "good"),
        (found.different, "both wrong", ""),
    )  # fmt: skip
    changed = [(i, what, kind) for indices, what, kind in kinds for i in indices]
    if not changed:
        return
    yield _first(f"{len(changed):,} lines are read differently", changed, MOST_CHANGED)
    rows = (
        [
            Cell(_picture(pixels(i)), "picture"),
            Cell(_escaped(readings[i].truth)),
            Cell(_marked(readings[i].truth, found.other_readings[i].line.text)[1]),
            Cell(_marked(readings[i].truth, readings[i].line.text)[1]),
            Cell(f'<span class="{kind}">{what}</span>', "change"),
            _name(readings[i]),
        ]
        for i, what, kind in changed[:MOST_CHANGED]
    )
    before, after = (html.escape(visible(name)) for name in (found.other, found.model))
    texts = [(name, "text") for name in ("truth", before, after, "change", "name")]
    yield from _lines([("image", "picture"), *texts], rows)


def _small(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """A table of figures, as wide as they are."""
    yield '<div class="small">'
    yield from _table(headings, rows)
    yield "</div>"


def _first(what: str, lines: Sequence, most: int) -> str:
    rest = f" The first {most:,} are shown." if len(lines) > most else ""
    return f"<p>{what}.{rest} What differs from the truth is underlined.</p>"


def _lines(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """A table of lines, whose rows become cards on a narrow screen."""
    yield '<div class="lines">'
    yield from _table(headings, rows)
    yield "</div>"


def _readings(readings: Sequence[Reading], indices: Sequence[int], pixels: Pixels) -> Iterator[str]:
    def rows() -> Iterator[list[Cell]]:
        for reading, picture in ((readings[i], _picture(pixels(i))) for i in indices):
            truth, text = _marked(reading.truth, reading.line.text)
            confidence = _share(reading.line.confidence)
            yield [Cell(picture, "picture"), Cell(truth), Cell(text), confidence, _name(reading)]

    headings = (
        ("image", "picture"), ("truth", "text"), ("read", "text"), ("confidence", "number"),
        ("name", "text"),
    )  # fmt: skip
    yield from _lines(headings, rows())


def _wrong_and_right(
    evaluation: Evaluation, readings: Sequence[Reading], pixels: Pixels
) -> Iterator[str]:
    if evaluation.suspects:
        yield "<h2>Suspected label errors</h2>"
        what = f"Read with a confidence of {SURE:.0%} or more, but not as they are labelled: check "
        what += "the labels first"
        yield _first(what, evaluation.suspects, MOST_WRONG)
        yield from _readings(readings, evaluation.suspects[:MOST_WRONG], pixels)
    yield f"<h2>{'Other wrong' if evaluation.suspects else 'Wrong'} lines</h2>"
    suspects = set(evaluation.suspects)
    wrong = [i for i in evaluation.worst if i not in suspects]
    if not evaluation.worst:
        yield "<p>None: every line was read exactly.</p>"
    elif not wrong:
        yield "<p>Only those above.</p>"
    else:
        yield _first(f"{counted(len(wrong), 'line')}, the least similar first", wrong, MOST_WRONG)
        yield from _readings(readings, wrong[:MOST_WRONG], pixels)
    right = [i for i, reading in enumerate(readings) if reading.exact]
    right.sort(key=lambda i: readings[i].line.confidence)
    if right:
        yield f"<details><summary>{len(right):,} lines read exactly</summary>"
        shown = f"; the first {MOST_RIGHT:,} are shown" if len(right) > MOST_RIGHT else ""
        yield f"<p>The least sure ones first{shown}.</p>"
        yield from _readings(readings, right[:MOST_RIGHT], pixels)
        yield "</details>"


def _confidence(evaluation: Evaluation, folder: Path) -> Iterator[str]:
    yield "<h2>Confidence</h2><p>With --min-confidence, lines below a confidence are marked as "
    yield 'unsure, for a person to check.</p><div class="charts">'
    for name, what in CHARTS.items():
        yield f'<img alt="{what}" src="{_uri((folder / name).read_bytes(), "png")}">'
    yield "</div>"
    points = [
        [
            _share(c.goal),
            _number(c.threshold, f"{c.threshold:.4f}"),
            _share(c.accepted),
            _number(c.exact, shown_share(c.exact, c.lines)),
        ]
        for c in evaluation.coverage
        if c.accepted
    ]
    if points:
        names = (
            "target accuracy", "minimum confidence", "lines accepted", "accuracy of these",
        )  # fmt: skip
        yield from _small([(name, "number") for name in names], points)


def _characters(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.confusions:
        yield f"<h2>Confused characters</h2><p>{NOTHING} as truth: an inserted character. "
        yield f"{NOTHING} as read: a missed one.</p>"
        rows = [
            [Cell(_escaped(c.truth)), Cell(_escaped(c.read)), _number(c.count, f"{c.count:,}")]
            for c in evaluation.confusions[:MOST_ROWS]
        ]
        yield from _small([("truth", "text"), ("read", "text"), ("count", "number")], rows)
    yield "<h2>Characters</h2><p>Recall: the share of a character's occurrences in the truth that "
    yield "was read right. Precision: the share of its occurrences in the texts that is right.</p>"
    rows = [
        [
            Cell(_escaped(c.character)),
            _number(c.count, f"{c.count:,}"),
            _share(c.recall),
            _share(c.precision),
        ]
        for c in evaluation.by_character[:MOST_ROWS]
    ]
    names = ("count", "recall", "precision")
    yield from _small([("character", "text"), *((name, "number") for name in names)], rows)
    yield "<h2>Length</h2>"
    rows = [
        [
            _number(s.length, str(s.length)),
            _number(s.lines, f"{s.lines:,}"),
            _share(s.exact),
            _share(s.cer),
        ]
        for s in evaluation.by_length[:MOST_ROWS]
    ]
    yield from _small([(n, "number") for n in ("characters", "lines", "exact", "CER")], rows)


# --- the page -----------------------------------------------------------------------------------


def report_page(
    evaluation: Evaluation,
    readings: Sequence[Reading],
    pixels: Pixels,
    folder: Path,
    title: str,
    comparison: Comparison | None = None,
) -> str:
    """The HTML of the page; folder: has the charts."""
    heading = _escaped(title).replace("/", "/<wbr>").replace("</<wbr>", "</")  # paths may break
    parts = [f"<h1>{heading}</h1>", *_figures(evaluation)]
    if comparison:
        parts += _comparison(comparison, readings, pixels)
    parts += _wrong_and_right(evaluation, readings, pixels)
    parts += _confidence(evaluation, folder)
    parts += _characters(evaluation)
    parts.append("<footer>All lines are in lines.tsv, all figures in report.json.</footer>")
    template = TEMPLATE.read_text(encoding="utf-8")
    allowed = (f"{tag}-src 'sha256-{_checksum(template, tag)}'" for tag in ("style", "script"))
    policy = "; ".join(("default-src 'none'", "img-src data:", *allowed, "base-uri 'none'"))
    filled = {"policy": policy, "title": html.escape(visible(title)), "content": "\n".join(parts)}
    # in one pass, so that no text of a line is taken for a placeholder
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template)


def _checksum(template: str, tag: str) -> str:
    """The checksum of the style or script, as a content security policy has it."""
    content = re.search(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    assert content, f"{TEMPLATE} has no {tag}"
    return base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
