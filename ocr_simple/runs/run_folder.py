"""The folder of a run: what is kept of it, and all that it takes to go on as if never stopped."""

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple import storage
from ocr_simple.errors import TrainError
from ocr_simple.runs.checkpoint import TrainState, unpack, write_whole
from ocr_simple.runs.config import updated
from ocr_simple.runs.journal import log

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
            before = updated(json.loads(self.config.read_text(encoding="utf-8")))
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
