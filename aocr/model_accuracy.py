"""How well a model reads, as its export states it: its run's validation, or generated lines."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aocr.parity import SEED
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError, TrainError
from ocr_simple.options import LineOptions
from ocr_simple.reports.metrics import error_rates
from ocr_simple.reports.metrics_file import read_metrics
from ocr_simple.runs.checkpoint import progress_of, selection_key
from ocr_simple.runs.model_files import BEST, LAST
from ocr_simple.runs.run_folder import RunFolder

if TYPE_CHECKING:  # it imports TensorFlow
    from inference import Recognizer

LINES = 200  # generated ones, where no run has validated the model


def validation_of(file: Path) -> dict[str, Any]:
    """The validation of a model in a run folder; empty for another model. Raises ValueError."""
    metrics = file.parent / "metrics.csv"
    if file.name not in (BEST, LAST) or not metrics.exists():
        return {}
    rows = read_metrics(metrics)
    row = rows[-1] if file.name == LAST else _row_of_best(file.parent, rows)
    of = "the validation of its training run"
    return {"exact": row["val_exact"], "cer": row["val_cer"], "of": of}


def _row_of_best(folder: Path, rows: list[dict[str, float]]) -> dict[str, float]:
    """The row of metrics.csv when best.keras was written; it may not be the best row.

    With --data-changed the best model is chosen again. Without an intact checkpoint, which knows
    its step, it is the best row.
    """
    with contextlib.suppress(TrainError):
        if saved := RunFolder(folder).last_checkpoint():
            step = progress_of(saved)["best_step"]
            if found := [row for row in rows if row["step"] == step]:
                return found[-1]
    return min(rows, key=selection_key)


def measured_accuracy(recognizer: "Recognizer") -> dict[str, Any]:
    """How a model reads generated lines."""
    try:
        options = LineOptions(alphabet=recognizer.spec.alphabet)
        lines = Lines(options, recognizer.spec, find_fonts(options.fonts), SEED, augment=False)
        pixels, truths = lines.pixels_and_texts(range(LINES))
    except LineError:  # none of these fonts draws the alphabet
        return {}
    exact, cer = error_rates(truths, [line.text for line in recognizer.read(pixels)])
    return {"exact": exact, "cer": cer, "of": f"{LINES} generated lines without variation"}
