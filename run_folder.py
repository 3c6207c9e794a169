"""The folder of a run: what is kept of it, and all that it takes to go on as if never stopped."""

import contextlib
import fcntl
import io
import json
import logging
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import storage
from devices import keras

journal = logging.getLogger("ocr_simple.train")  # for a log file: it has no handler by itself
journal.propagate = False


class TrainError(RuntimeError):
    """Training cannot start or go on. The message names the mend."""


def log(message: str) -> None:
    """Say something on standard error, where the progress bar is too, and in a log file."""
    print(message, file=sys.stderr)
    journal.info(message)


# Which run is it? In this order:
# 1. An empty or missing folder: a new run. config.json is written before the first step.
# 2. --no-resume: what is in the folder is moved aside to FOLDER.1, .2, ...; then 1.
# 3. Options other than config.json's: an error that names them. More --steps are allowed, and any
#    --patience, for a run that stopped early.
# 4. A finished run: it says so, and how to go on.
# 5. Otherwise the run goes on from its last checkpoint, as if it had never stopped; from the one
#    before, and it says so, where a disk has damaged the last.
# A folder takes one run at a time: another process gets an error that says so.


class RunFolder:
    """The files of one run; each is written whole or not at all.

    Of several processes that train together the chief alone opens the folder and writes to it.
    """

    def __init__(self, path: Path, chief: bool = True):
        self._mirror = storage.Mirror(path)
        self.path, self.name, self.chief = self._mirror.path, storage.named(path), chief
        self.config = self.path / "config.json"
        self.checkpoint = self.path / "checkpoint.npz"
        self.checkpoint_before = self.path / "checkpoint.before.npz"
        self.metrics = self.path / "metrics.csv"
        self.best, self.last = self.path / "best.keras", self.path / "last.keras"
        self.pictures = self.path / "pictures"
        self._taken: int | None = None  # file descriptor of the folder, locked
        self.fetch()

    def fetch(self) -> None:
        """Bring a folder in a bucket up to date here. Raises StorageError."""
        self._mirror.fetch()

    def publish(self) -> None:
        """Bring one in a bucket up to date there. Raises StorageError; what is here is kept."""
        try:
            self._mirror.publish()
        except storage.StorageError:
            storage.keep()
            log(f"{self.name}: not all is written; it is kept in {self.path}")
            raise

    def open(self, config: dict[str, Any], resume: bool) -> dict[str, np.ndarray] | None:
        """The checkpoint to go on from, or None for a new run. Raises TrainError.

        config: the options that make the run what it is, as JSON holds them.
        """
        if self.path.exists() and not self.path.is_dir():
            raise TrainError(f"model-dir {self.name}: is a file; name a folder")
        if self.path.exists() and any(self.path.iterdir()):
            if resume and not self.config.exists():
                raise TrainError(
                    f"model-dir {self.name}: holds files but no config.json; name another folder, "
                    "or move them aside with --no-resume"
                )
            self._take()
            if not resume:
                self.move_aside()
        if self.config.exists():
            self._check_same(config)
        self.pictures.mkdir(parents=True, exist_ok=True)
        self._take()
        write_whole(self.config, json.dumps(config, indent=1, ensure_ascii=False).encode())
        self.publish()
        return self.last_checkpoint()

    def _take(self) -> None:
        """Keep other processes out until this one ends, however it does. Raises TrainError."""
        self.close()
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(folder)
            raise TrainError(
                f"model-dir {self.name}: another process is training in it; name another folder, "
                "or stop that one first"
            ) from error
        self._taken = folder

    def close(self) -> None:
        """Let other processes in."""
        if self._taken is not None:
            os.close(self._taken)
            self._taken = None

    def last_checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last one that is whole, by the checksums in it. Raises TrainError if none is."""
        faults = []
        for path in (self.checkpoint, self.checkpoint_before):
            try:
                found = unpack(path)
            except FileNotFoundError:
                faults.append(f"{path}: is not there")
            except Exception as error:  # NumPy, zipfile and zlib raise many kinds
                faults.append(f"{path}: cannot be read ({error})")
            else:
                if faults:
                    log(f"{faults[0]}; going on from the one before, {path.name}")
                return found
        if self.checkpoint.exists() or self.checkpoint_before.exists():
            raise TrainError(f"{'; '.join(faults)}; start anew with --no-resume")
        return None

    def save(self, state: "TrainState") -> None:
        """Write a checkpoint, and keep the one before."""
        if not self.chief:
            return
        before = self.checkpoint_before if self.checkpoint.exists() else None
        write_whole(self.checkpoint, state.as_bytes(), before)
        with contextlib.suppress(storage.StorageError):  # it is told; the next time writes it
            self.publish()

    def earlier(self, name: str) -> Any:
        """An option of the run that is in the folder, or None."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return json.loads(self.config.read_text(encoding="utf-8")).get(name)

    def _check_same(self, config: dict[str, Any]) -> None:
        try:
            before = json.loads(self.config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainError(
                f"{self.config}: not JSON ({error}); start anew with --no-resume"
            ) from error
        different = [
            f"--{name.replace('_', '-')} {json.dumps(before.get(name))} -> {json.dumps(value)}"
            for name, value in config.items()
            if before.get(name) != value
            and name != "patience"
            and not (name == "steps" and value > before.get(name, 0))
        ]
        if different:
            raise TrainError(
                f"model-dir {self.name}: holds a run with other options ({'; '.join(different)}). "
                "Give the same to resume it, another --model-dir, or --no-resume to move it aside"
            )

    def move_aside(self) -> None:
        """Rename the folder to the first free FOLDER.N."""
        number = 1
        if self._mirror.url:
            while storage.names(aside := f"{self.name}.{number}"):
                number += 1
            storage.move(self.name, aside)
            shutil.rmtree(self.path)
            self.fetch()
        else:
            while os.path.exists(aside := f"{self.path}.{number}"):
                number += 1
            shutil.move(self.path, aside)
        log(f"moved the earlier run to {aside}")

    def write_metrics(self, rows: list[dict[str, float]]) -> None:
        """metrics.csv, one row a validation."""
        text = [",".join(rows[0])] + [",".join(f"{v:.10g}" for v in row.values()) for row in rows]
        write_whole(self.metrics, ("\n".join(text) + "\n").encode())


def write_whole(path: Path, content: bytes, before: Path | None = None) -> None:
    """Write a file so that it is there whole, or as it was before; `before`: to keep that as."""
    temporary = path.with_name(f".{path.name}.partial")
    kept = path.with_name(f".{path.name}.before.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            kept.unlink(missing_ok=True)
            try:
                os.link(path, kept)
            except OSError:  # no second name for a file here
                shutil.copyfile(path, kept)
            os.replace(kept, before)
        os.replace(temporary, path)
    finally:
        for partial in (temporary, kept):
            partial.unlink(missing_ok=True)


def pack(arrays: dict[str, Any]) -> bytes:
    """A NumPy archive of arrays, each with a checksum, and of their names.

    The archive's own list of what is in it has no checksum.
    """
    content = io.BytesIO()
    np.savez(content, **arrays, names=np.array(list(arrays)))
    return content.getvalue()


def unpack(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `pack`. Raises FileNotFoundError, and many kinds for one that is damaged."""
    with np.load(path, allow_pickle=False) as saved:
        found = dict(saved)
    names = found.pop("names", np.array([]))
    if set(names.tolist()) != set(found):
        raise ValueError("its arrays are not those it lists, or an earlier version wrote it")
    return found


def badness(validation: dict[str, float]) -> tuple[float, float]:
    """What the best model has least of: loss where it is known, else wrong lines, characters."""
    if "val_loss" in validation:
        return validation["val_loss"], 0.0
    return 1 - validation["val_exact"], validation["val_cer"]


class TrainState:
    """All that changes while a run goes on, and so all that a checkpoint holds."""

    def __init__(self, model: keras.Model, averaged: keras.Model):
        self.model, self.averaged = model, averaged
        self.step = 0
        self.losses: list[float] = []  # of the steps since the last validation
        self.rows: list[dict[str, float]] = []  # of metrics.csv
        self.best = (math.inf, math.inf)  # the least `badness` so far
        self.best_step = 0
        self.waited = 0  # validations since the best

    def average(self) -> None:
        """Copy the optimiser's average of the weights into `averaged`."""
        weights = self.model.get_weights()
        if self.model.optimizer.use_ema:
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.averaged.set_weights(self.model.get_weights())
        self.model.set_weights(weights)

    def record(self, validation: dict[str, float]) -> bool:
        """Add a row to the metrics; whether this is the best validation so far.

        To six digits, as metrics.csv has them: the order of a sum may change those behind.
        """
        loss = sum(self.losses) / max(1, len(self.losses))
        self.losses = []
        row = {"loss": loss, **validation}
        row = {"step": self.step} | {name: float(f"{value:.6g}") for name, value in row.items()}
        self.rows.append(row)
        bad = badness(row)
        better = bad < self.best
        if better:
            self.best, self.best_step = bad, self.step
        self.waited = 0 if better else self.waited + 1
        return better

    def as_bytes(self) -> bytes:
        """A checkpoint."""
        names = ("step", "losses", "rows", "best", "best_step", "waited")
        progress = {name: getattr(self, name) for name in names}
        arrays = {k: keras.ops.convert_to_numpy(v) for k, v in self._variables()}
        return pack({"progress": np.array(json.dumps(progress)), **arrays})

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Raises TrainError where the checkpoint is of another model, as after an edit of one."""
        try:
            for name, variable in self._variables():
                variable.assign(saved[name])
            progress = json.loads(str(saved["progress"]))
        except (KeyError, ValueError) as error:
            raise TrainError(
                f"the checkpoint does not fit the model ({error}); start anew with --no-resume"
            ) from error
        for name, value in progress.items():
            setattr(self, name, tuple(value) if name == "best" else value)

    def _variables(self) -> list[tuple[str, Any]]:
        """All that training changes, by name: weights, dropout's random states, the optimiser's."""
        owners = {"model": self.model, "optimizer": self.model.optimizer}
        return [(f"{name}{i}", v) for name, o in owners.items() for i, v in enumerate(o.variables)]
