"""What a checkpoint holds: all that changes during a run."""

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple.errors import TrainError
from ocr_simple.local_files import open_regular
from ocr_simple.messages import shortened
from ocr_simple.network.backend import keras


def pack(arrays: dict[str, Any]) -> bytes:
    """A NumPy archive of arrays, each with a checksum, and of their names.

    The names are stored too because the archive's directory has no checksum.
    """
    content = io.BytesIO()
    np.savez(content, **arrays, names=np.array(list(arrays)))
    return content.getvalue()


def unpack(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `pack`. Raises FileNotFoundError; for a damaged file many kinds of error."""
    with open_regular(path) as (file, size):
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > size:
                raise ValueError("it is compressed, and a checkpoint is not")
        file.seek(0)
        with np.load(file, allow_pickle=False) as saved:
            found = dict(saved)
    names = found.pop("names", np.array([]))
    if set(names.tolist()) != set(found):
        raise ValueError("its arrays are not those it lists")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_number, values))


def _are_rows(rows: Any) -> bool:
    """Whether something is rows of metrics.csv, all with the same names."""
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and "step" in row
        and row.keys() == rows[0].keys()
        and all(map(_is_number, row.values()))
        for row in rows
    )


PROGRESS: dict[str, Callable[[Any], bool]] = {  # fields of `TrainState` in a checkpoint
    "step": _is_count,
    "losses": _are_numbers,
    "rows": _are_rows,
    "best": lambda value: _are_numbers(value) and len(value) == 2,
    "best_step": _is_count,
    "waited": _is_count,
}


def progress_of(saved: dict[str, np.ndarray]) -> dict[str, Any]:
    """The progress in a checkpoint. Raises ValueError if something of it is missing or wrong."""
    if "progress" not in saved:
        raise ValueError("it has no progress")
    try:
        progress = json.loads(str(saved["progress"]))
    except RecursionError as error:
        raise ValueError("its progress is not JSON") from error
    if not isinstance(progress, dict):
        raise ValueError("its progress is not an object")
    for name, is_valid in PROGRESS.items():
        if name not in progress:
            raise ValueError(f"its progress has no {name}")
        if not is_valid(progress[name]):
            raise ValueError(f"its progress has a {name} of a wrong kind")
    return {name: progress[name] for name in PROGRESS}


def selection_key(validation: dict[str, float]) -> tuple[float, float]:
    """Lowest for the best model: its loss if known, else its wrong lines, then its CER."""
    if "val_loss" in validation:
        return validation["val_loss"], 0.0
    return 1 - validation["val_exact"], validation["val_cer"]


class TrainState:
    """All that changes during a run."""

    def __init__(self, model: Any, averaged: Any):
        self.model, self.averaged = model, averaged
        self.step = 0
        self.losses: list[float] = []  # of the steps since the last validation
        self.rows: list[dict[str, float]] = []  # of metrics.csv
        self.best = (math.inf, math.inf)  # the least `selection_key` so far
        self.best_step = 0
        self.waited = 0  # validations since the best one

    def average(self) -> None:
        """Copy the optimiser's average of the weights into `averaged`."""
        weights = self.model.get_weights()
        if self.model.optimizer.use_ema:
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.averaged.set_weights(self.model.get_weights())
        self.model.set_weights(weights)

    def record(self, validation: dict[str, float]) -> bool:
        """Add a row to the metrics. Returns whether this is the best validation so far.

        Numbers are kept to six digits: the order in which a sum is made may change the rest.
        """
        loss = sum(self.losses) / max(1, len(self.losses))
        self.losses = []
        row = {"loss": loss, **validation}
        row = {"step": self.step} | {name: float(f"{value:.6g}") for name, value in row.items()}
        self.rows.append(row)
        key = selection_key(row)
        better = key < self.best
        if better:
            self.best, self.best_step = key, self.step
        self.waited = 0 if better else self.waited + 1
        return better

    def forget_best(self) -> None:
        """Choose the best model again: the lines to validate on have changed."""
        self.best, self.waited = (math.inf, math.inf), 0

    def as_bytes(self) -> bytes:
        """A checkpoint."""
        progress = {name: getattr(self, name) for name in PROGRESS}
        arrays = {k: keras.ops.convert_to_numpy(v) for k, v in self._variables()}
        return pack({"progress": np.array(json.dumps(progress)), **arrays})

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Raises TrainError if the checkpoint is of another model, as after an edit of model.py."""
        try:
            progress = progress_of(saved)
            for name, variable in self._variables():
                variable.assign(saved[name])
        except (KeyError, ValueError) as error:
            reason = shortened(str(error))  # Keras shows all values of an array
            raise TrainError(
                f"the checkpoint does not fit the model ({reason}); start a new run with "
                "--no-resume"
            ) from error
        for name, value in progress.items():
            setattr(self, name, tuple(value) if name == "best" else value)

    def _variables(self) -> list[tuple[str, Any]]:
        """All that training changes, by name: weights, random states, the optimiser's variables."""
        owners = {"model": self.model, "optimizer": self.model.optimizer}
        return [(f"{name}{i}", v) for name, o in owners.items() for i, v in enumerate(o.variables)]
