"""The folder of a run: all that is kept of it, and all that resuming it takes."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ocr_simple import storage
from ocr_simple.errors import TrainError
from ocr_simple.messages import shortened, shown
from ocr_simple.reports.metrics_file import read_metrics
from ocr_simple.runs.checkpoint import TrainState, progress_of, unpack
from ocr_simple.runs.config import read_config
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import BEST, LAST
from ocr_simple.runs.model_weights import check_weights
from ocr_simple.spec import read_spec
from ocr_simple.written_files import write_whole

# What happens to a folder, in this order:
# 1. It is empty or missing: a new run starts. config.json is written before the first step.
# 2. --no-resume: what is in the folder is moved to FOLDER.1, .2, ...; then as in 1.
# 3. Something that a run writes is a link: an error names it. An untrusted run folder may have
#    links to files of yours.
# 4. The options differ from config.json: an error names them. More --steps are allowed, and any
#    --patience; with --data-changed, other labelled images of the same alphabet too.
# 5. The run is finished: a message says so, and how to continue it.
# 6. Otherwise the run resumes from its last checkpoint, as if it had never stopped. If the disk has
#    damaged that one, it resumes from the one before, and a message says so. If best.keras or
#    metrics.csv is damaged, an error says so.
# A folder takes one run at a time: another process gets an error. Other runs may be in folders
# inside it, as checkpoints/mine is in checkpoints; they are left alone.


FOLDERS = ("pictures", "tensorboard")
FILES = ("config.", "checkpoint.", "metrics.", "best.", "last.", "not_finite_")  # how names begin
DATA = {"dataset", "validation", "dataset_digest"}  # in config.json: the labelled images


def _shown(value: Any) -> str:
    """A value of a config.json for a message."""
    return shortened(json.dumps(value, ensure_ascii=False))


class RunFolder:
    """The files of one run; each is written completely or not at all.

    Where several processes train together, only the chief opens the folder and writes to it.
    """

    def __init__(self, path: Path, chief: bool = True):
        self._mirror = storage.Mirror(path)
        self.path, self.name, self.chief = self._mirror.path, storage.display_name(path), chief
        self.config = self.path / "config.json"
        self.checkpoint = self.path / "checkpoint.npz"
        self.checkpoint_before = self.path / "checkpoint.before.npz"
        self.metrics = self.path / "metrics.csv"
        self.best, self.last = self.path / BEST, self.path / LAST
        self.pictures = self.path / "pictures"
        self.data_differ = False  # whether the run resumes with other labelled images
        self._locked: int | None = None  # file descriptor of the folder, locked
        self.fetch()

    def fetch(self) -> None:
        """Update the local copy of a folder in a bucket. Raises StorageError."""
        self._mirror.fetch()

    def publish(self) -> None:
        """Update a folder in a bucket. Raises StorageError; the local copy is kept then."""
        try:
            self._mirror.publish()
        except storage.StorageError:
            log(f"{self.name}: some files could not be written; they are kept in {self.path}")
            raise

    def open(
        self, config: dict[str, Any], resume: bool, data_changed: bool = False
    ) -> dict[str, np.ndarray] | None:
        """The checkpoint to resume from, or None for a new run. Raises TrainError.

        config: the options that make the run what it is, as JSON holds them. data_changed: whether
        its labelled images may differ from those of the run.
        """
        self.check_place(resume)
        if self.path.exists() and self._entries():
            self._lock()
            if not resume:
                self.move_aside()
        self._check_links()
        if self.config.exists():
            self._check_same(config, data_changed)
        self.pictures.mkdir(parents=True, exist_ok=True)
        self._lock()
        text = json.dumps(config, indent=1, ensure_ascii=False)
        write_whole(self.config, text.encode(errors="backslashreplace"))  # names may not be UTF-8
        self.publish()
        if (saved := self.last_checkpoint()) is not None:
            self._check_results(saved)
        return saved

    def check_place(self, resume: bool) -> None:
        """Raise TrainError for a file, and where a run is to resume for a folder of other files."""
        if self.path.exists() and not self.path.is_dir():
            raise TrainError(f"--model-dir {self.name}: is a file; name a folder")
        if resume and self.path.exists() and self._entries() and not self.config.exists():
            raise TrainError(
                f"--model-dir {self.name}: holds files but no config.json; name another folder, "
                "or move them aside with --no-resume"
            )

    def _entries(self) -> list[Path]:
        """All files and folders in it, except the folders of other runs."""
        inside = self.path.iterdir()
        return [path for path in inside if not (path / self.config.name).is_file()]

    def _has_other_runs(self) -> bool:
        """Whether folders of other runs are in it."""
        return len(self._entries()) < len(os.listdir(self.path))

    def _check_links(self) -> None:
        """Raise TrainError for a link among what the run writes, which may lead anywhere."""
        names = sorted(os.listdir(self.path)) if self.path.exists() else []
        for path in map(self.path.joinpath, names):
            is_file = path.name.removeprefix(".").startswith(FILES)  # unfinished ones have a point
            if (is_file or path.name in FOLDERS) and path.is_symlink():
                raise self._link_error(path)
        for name in FOLDERS:
            for path in (self.path / name).rglob("*"):
                if path.is_symlink():
                    raise self._link_error(path)

    @staticmethod
    def _link_error(path: Path) -> TrainError:
        return TrainError(
            f"{path}: is a link to {shown(os.readlink(path))}, and resuming would write there; "
            "replace it with its target, or start a new run with --no-resume"
        )

    def _check_results(self, saved: dict[str, np.ndarray]) -> None:
        """Raise TrainError for a best.keras or metrics.csv that cannot be one of this run.

        Otherwise a damaged best.keras would be noticed only after the training, and a damaged
        metrics.csv would be overwritten.
        """
        try:
            if progress_of(saved)["best_step"]:
                check_weights(self.best, read_spec(self.best))
        except ValueError as error:
            raise TrainError(
                f"{error}. To resume, restore {self.best.name}, or copy {self.last.name} to "
                f"{self.best.name}; or start a new run with --no-resume"
            ) from error
        try:
            if self.metrics.exists():
                read_metrics(self.metrics)
        except (OSError, ValueError) as error:
            raise TrainError(str(error)) from error

    def _lock(self) -> None:
        """Keep other processes out until this one ends in any way. Raises TrainError."""
        self.close()
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(folder)
            raise TrainError(
                f"--model-dir {self.name}: another process is training in it; name another "
                "folder, or stop it first"
            ) from error
        self._locked = folder

    def close(self) -> None:
        """Unlock the folder."""
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None

    def last_checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last intact checkpoint, by its checksums.

        Raises TrainError if all are damaged, or if it holds no progress to resume from.
        """
        faults = []
        for path in (self.checkpoint, self.checkpoint_before):
            try:
                found = unpack(path)
            except FileNotFoundError:
                faults.append(f"{path}: is missing")
            except Exception as error:  # NumPy, zipfile and zlib raise many kinds
                faults.append(f"{path}: cannot be read ({shortened(str(error))})")
            else:
                if faults:
                    log(f"{faults[0]}; resuming from the previous checkpoint, {path.name}")
                try:
                    progress_of(found)  # without its step, the run would start again in silence
                except ValueError as error:
                    raise TrainError(
                        f"{path}: is intact, but not a checkpoint of ocr_simple ({error}); remove "
                        "it to resume from the previous one, or start a new run with --no-resume"
                    ) from error
                return found
        if self.checkpoint.exists() or self.checkpoint_before.exists():
            raise TrainError(f"{'; '.join(faults)}; start a new run with --no-resume")
        return None

    def save(self, state: "TrainState") -> None:
        """Write a checkpoint, and keep the previous one."""
        if not self.chief:
            return
        before = self.checkpoint_before if self.checkpoint.exists() else None
        write_whole(self.checkpoint, state.as_bytes(), before)
        # a failure is reported already, and the next checkpoint tries again
        with contextlib.suppress(storage.StorageError):
            self.publish()

    def earlier(self, name: str) -> Any:
        """An option of the run that is in the folder, or None."""
        with contextlib.suppress(OSError, TrainError):  # `open` reports them
            return read_config(self.config).get(name)

    def _check_same(self, config: dict[str, Any], data_changed: bool) -> None:
        before = read_config(self.config)
        different = [
            f"--{name.replace('_', '-')} {_shown(before.get(name))} -> {_shown(value)}"
            for name, value in config.items()
            if before.get(name) != value
            and name != "patience"
            and not (name == "steps" and value > before.get(name, 0))
            and not (name in DATA and data_changed)
        ]
        changed = before.get("dataset_digest") != config.get("dataset_digest")
        start = f"--init-from {self.name} with another --model-dir"
        new = sorted(set(config.get("alphabet", "")) - set(before.get("alphabet", "")))
        if changed and new:
            raise TrainError(
                f"--model-dir {self.name}: the labelled images have changed, and the network lacks "
                f"some of their characters: {''.join(new)!r}. Start a new run: {start}"
            )
        if different and changed and not data_changed:
            raise TrainError(
                f"--model-dir {self.name}: the labelled images have changed since this run began. "
                f"Resume it anyway with --data-changed, or start a new run: {start}, or "
                "--no-resume to move this one aside"
            )
        self.data_differ = changed and data_changed
        if different:
            raise TrainError(
                f"--model-dir {self.name}: holds a run with other options "
                f"({'; '.join(different)}). Give the same options to resume it, another "
                "--model-dir, or --no-resume to move it aside"
            )

    def move_aside(self) -> None:
        """Move what is in the folder, except other runs, to the first free FOLDER.N."""
        number, names = 1, [path.name for path in self._entries()]
        if self._mirror.url:
            while storage.list_files(aside := f"{self.name}.{number}"):
                number += 1
            files = storage.list_files(self.name)
            storage.move(self.name, aside, [f for f in files if f.split("/")[0] in names])
            shutil.rmtree(self.path)
            self.fetch()
        else:
            while os.path.exists(aside := f"{self.path}.{number}"):
                number += 1
            if self._has_other_runs():
                os.mkdir(aside)
                # config.json last: without it, what is left would be no run
                for name in sorted(names, key=lambda name: name == self.config.name):
                    shutil.move(self.path / name, aside)
            else:
                shutil.move(self.path, aside)
        log(f"Moved the earlier run to {aside}")

    def write_metrics(self, rows: list[dict[str, float]]) -> None:
        """Write metrics.csv, one row per validation."""
        text = [",".join(rows[0])] + [",".join(f"{v:.10g}" for v in row.values()) for row in rows]
        write_whole(self.metrics, ("\n".join(text) + "\n").encode())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A folder to make, which takes the place of `path` if the block ends without an error.

    What was in `path` is moved aside then, as by --no-resume. Otherwise it stays as it was, and
    what was made is removed. Raises TrainError if another process trains in `path`, or replaces it.
    """
    earlier, beside = RunFolder(path), RunFolder(path.with_name(f"{path.name}.training"))
    earlier.check_place(resume=False)
    with contextlib.closing(earlier), contextlib.closing(beside):
        if path.is_dir():
            if earlier._has_other_runs():
                raise TrainError(
                    f"--model-dir {path}: holds other runs; name another folder, such as "
                    f"{path / 'mine'}"
                )
            earlier._lock()
        beside.path.mkdir(parents=True, exist_ok=True)
        beside._lock()
        made = beside.path / path.name
        try:
            shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
            yield made
            if path.is_dir() and earlier._entries():
                earlier.move_aside()
            elif path.is_dir():
                path.rmdir()
            shutil.move(made, path)
        finally:
            shutil.rmtree(beside.path, ignore_errors=True)
