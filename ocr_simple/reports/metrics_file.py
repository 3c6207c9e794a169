"""The metrics.csv of a run folder: a row of figures for each validation."""

import csv
import io
import math
import os

from ocr_simple.local_files import read_bytes

MOST_BYTES = 1 << 26
COLUMNS = ("step", "loss", "val_exact", "val_cer")  # and val_loss, on labelled images


def read_metrics(path: str | os.PathLike) -> list[dict[str, float]]:
    """The rows of a metrics.csv, at least one.

    Raises ValueError that names the file and the fix, for a file of another shape; OSError.
    """
    fix = "restore it, or remove it: a run that resumes writes it again"
    where = os.fsdecode(path)
    try:
        text = read_bytes(path, MOST_BYTES, fix).decode()
        reader = csv.DictReader(io.StringIO(text), strict=True)
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"it has no column {missing[0]}")
        rows = []
        for row in reader:
            where = f"{os.fsdecode(path)}:{reader.line_num}"
            if None in row or None in row.values():
                raise ValueError("it has more or fewer columns than the first row")
            rows.append({name: float(value) for name, value in row.items()})
            if not all(math.isfinite(rows[-1][name]) for name in ("step", "val_exact", "val_cer")):
                raise ValueError("a number is not finite")
        if not rows:
            raise ValueError("it has no rows")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{where}: not the metrics of a run ({error}); {fix}") from error
    return rows
