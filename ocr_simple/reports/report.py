"""The report on how well lines were read: a folder of figures, pictures and all lines.

    evaluation = write_report(readings, "results", pixels)

See `metrics.py` for the figures, `report_text.py` for report.md, `report_page.py` for report.html,
`error_pictures.py` and `charts.py` for the pictures, and `report_files.py` for what a report
replaces.
"""

import functools
import json
import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple.images import ImageError
from ocr_simple.messages import escape_controls
from ocr_simple.reports import charts, error_pictures
from ocr_simple.reports.comparison import Comparison
from ocr_simple.reports.metrics import Evaluation, Reading, coverage_curve, evaluate
from ocr_simple.reports.report_files import (
    CHECKSUMS,
    FILES,
    FOLDERS,
    PAGE,
    REPORT,
    check_replaceable,
    checksums,
    written_by_report,
)
from ocr_simple.reports.report_page import report_page
from ocr_simple.reports.report_text import report_text
from ocr_simple.written_files import staged

SHEET = 24  # lines in a picture
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I)


def safe_file_name(name: str) -> str:
    """`name` as a file or folder name that is valid on every system, of at most 120 bytes.

    Separators, control characters and what Windows forbids become "_". Different names may give
    the same result.
    """
    name = "".join(
        "_" if c in '<>:"/\\|?*' or unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c
        for c in unicodedata.normalize("NFC", name)
    ).strip(". ")
    name = name.encode()[:119].decode(errors="ignore").rstrip(". ")
    return f"_{name}" if not name or RESERVED.match(name) else name


def _write_pictures(
    evaluation: Evaluation,
    readings: Sequence[Reading],
    folder: Path,
    pixels: Callable[[int], np.ndarray],
) -> None:
    """Draw what there is to show."""
    bins, confusions = evaluation.calibration, evaluation.confusions
    charts.reliability_diagram(
        [b.confidence for b in bins], [b.exact for b in bins], [b.lines for b in bins]
    ).save(folder / "reliability.png")
    charts.coverage_chart(*coverage_curve(readings)[1:]).save(folder / "coverage.png")
    if counts := [(c.truth, c.read, c.count) for c in confusions]:
        error_pictures.confusion_map(counts).save(folder / "confusions.png")
    for name, indices in (("worst", evaluation.worst), ("suspects", evaluation.suspects)):
        if shown := [(readings[i], _pixels_or_blank(pixels, i)) for i in indices[:SHEET]]:
            _sheet(shown).save(folder / f"{name}.png")


def _sheet(shown: Sequence[tuple[Reading, np.ndarray]]) -> Image.Image:
    readings = [reading for reading, _ in shown]
    return error_pictures.misread_lines(
        [pixels for _, pixels in shown],
        [reading.truth for reading in readings],
        [reading.line for reading in readings],
        [reading.name for reading in readings],
    )


def _pixels_or_blank(pixels: Callable[[int], np.ndarray], index: int) -> np.ndarray:
    try:
        return pixels(index)
    except ImageError:  # it was read as empty text, and is one of the lines
        return np.full((32, 128, 1), 255, np.uint8)


def _write(path: Path, content: str) -> None:
    # file names need not be Unicode; their other bytes are escaped
    path.write_text(content + "\n", encoding="utf-8", errors="backslashreplace", newline="\n")


def _figures(
    evaluation: Evaluation,
    readings: Sequence[Reading],
    title: str,
    comparison: Comparison | None,
) -> dict[str, Any]:
    """The content of report.json."""
    figures = {"title": title} | _to_json(asdict(evaluation))
    for name, indices in (("worst", evaluation.worst), ("suspects", evaluation.suspects)):
        figures[name] = [_to_json(_entry(readings[i])) for i in indices]
    if comparison:
        figures["comparison"] = _compared(comparison, readings)
    return figures


def _compared(found: Comparison, readings: Sequence[Reading]) -> dict[str, Any]:
    """The comparison in report.json: the other model's main figures and the lines that differ."""
    other, others = found.other_evaluation, found.other_readings
    names = ("exact", "cer", "wer", "similarity", "confidence", "ece")
    lines = {
        name: [_to_json(_entry(readings[i])) | {"other": others[i].line.text} for i in indices]
        for name, indices in (
            ("gained", found.gained), ("lost", found.lost), ("different", found.different)
        )
    }  # fmt: skip
    figures = _to_json({name: getattr(other, name) for name in names})
    return {"model": found.model, "other": found.other, "p": found.p} | figures | lines


def _entry(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "truth": reading.truth,
        "text": reading.line.text,
        "confidence": float(reading.line.confidence),  # JSON does not take NumPy's numbers
        "similarity": reading.similarity,
        "loss": float(reading.loss),
    }


def _to_json(value: Any) -> Any:
    """`value` with null for numbers that are not finite, which JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return [_to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def write_report(
    readings: Iterable[Reading],
    output_dir: str | os.PathLike,
    pixels: Callable[[int], np.ndarray],
    title: str = "Evaluation",
    draw: Callable[[Path], None] | None = None,
    comparison: Comparison | None = None,
) -> Evaluation:
    """Evaluate `readings` and write a report into the folder `output_dir`, created if necessary.

    It has report.md, and report.html with more pictures; the pictures reliability.png,
    coverage.png, and where there are errors confusions.png, worst.png and suspects.png;
    report.json, all figures; and lines.tsv, the name, truth, text and confidence of each line. An
    earlier report in the folder is replaced.

    pixels: gives the image of reading i, uint8 (rows, columns, channels); called for the few that
        are drawn. One for which it raises ImageError is drawn blank.
    draw: draws more pictures, into the folders FOLDERS of the one that it is called with.
    comparison: with another model's readings of the same lines, to be reported too.
    Raises ValueError without readings, and for files in `output_dir` that would be replaced and
    that no report has written; OSError. Nothing is written then.
    """
    readings, output = list(readings), Path(output_dir)
    evaluation = evaluate(readings)
    names = (*FILES, *FOLDERS) if draw else FILES
    check_replaceable(output, names)
    outdated = list(written_by_report(output))
    with staged(output, functools.partial(check_replaceable, output), outdated) as folder:
        _write_pictures(evaluation, readings, folder, pixels)
        if draw:
            draw(folder)
        rows = [("name", "truth", "text", "confidence")]
        rows += [(r.name, r.truth, r.line.text, f"{r.line.confidence:.4f}") for r in readings]
        text = "\n".join("\t".join(map(escape_controls, row)) for row in rows)
        _write(folder / "lines.tsv", text)
        _write(folder / "report.md", report_text(evaluation, readings, title, comparison))
        drawn = functools.partial(_pixels_or_blank, pixels)
        page = report_page(evaluation, readings, drawn, folder, title, comparison)
        _write(folder / PAGE, page)
        figures = _figures(evaluation, readings, title, comparison) | {CHECKSUMS: checksums(folder)}
        content = json.dumps(figures, ensure_ascii=False, indent=1, allow_nan=False)
        _write(folder / REPORT, content)
    return evaluation
