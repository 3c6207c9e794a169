"""The page's training: `aocr train FOLDER --auto` in another process, one at a time."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aocr.auto import stages
from aocr.model_folder import FIGURES, MOST_BYTES
from aocr.options import GOOD_START, LEAST_LABELS, AutoOptions
from ocr_simple.datasets.crops import CROPS, load_crops
from ocr_simple.local_files import read_object
from ocr_simple.runs.model_files import BEST

LISTED = 12  # rows of its messages that the page lists, if it failed
COMPARING = "Comparing the models"  # when all trainings are done
STAGES = {  # the first words of its messages that say what it does, and what the page says then
    stages.LOOKING: stages.LOOKING,
    stages.STARTING: "Preparing",
    stages.FOLD: "Preparing the next training",
    stages.COMPARING: COMPARING,
}
FOLD = re.compile(rf"{stages.FOLD} (\d+) of (\d+)")  # which of its trainings runs
STEP = re.compile(r"\| *(\d+)/(\d+) \[")  # the progress bar of each
PATIENCE = 20.0  # seconds that a training has to end by itself before it is killed


def training_command(folder: Path, model_dir: Path) -> list[str]:
    """The command that trains on the labels of a folder.

    Its model keeps the box that was applied to all pictures of a size, as of one camera. Raises
    ValueError for a damaged crops.tsv.
    """
    module = [sys.executable, "-m", "aocr.label.training_process"]
    crops = folder / CROPS
    of_camera = crops.is_file() and len(load_crops(crops).sizes) == 1
    kept = ["--crops", str(crops)] if of_camera else []
    return [*module, "train", str(folder), "--auto", "--model-dir", str(model_dir), *kept]


def _what_is_kept(figures: dict[str, Any], model_dir: Path) -> str:
    """Which model reads the pictures from now on, and where it is."""
    late = "" if figures["in_time"] else "The time was up before the training was done. "
    if figures["better"]:
        return f"{late}The new model now reads the pictures. It is in {model_dir}"
    kept = f"The trained model is not better; {model_dir} holds {figures['start']} instead. "
    more = (
        "More labels help most: label more and train again"
        if figures["in_time"]
        else "More time helps: stop aocr label, and run aocr train --auto with more --minutes"
    )
    return late + kept + more


class Training:
    """Starts, follows and stops a training. Its methods may be called by several threads."""

    def __init__(
        self,
        command: Callable[[], Sequence[str]],
        model_dir: Path,
        done: Callable[[Path], None],
    ):
        """command: gives that of a training that begins. model_dir: where the command writes.

        done: called with the model of each training.
        """
        self.command, self.model_dir, self.done = command, model_dir, done
        self._process: subprocess.Popen | None = None
        self._follower: threading.Thread | None = None
        self._stopped = False  # whether it was asked to stop
        self._rows: deque[str] = deque(maxlen=LISTED)  # without those of progress bars
        self._stage = ""
        self._fold, self._step = (1, 1), (0, 1)  # which one of how many
        self._failed = False
        self._result: list[str] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin. Raises ValueError if one is running or there is no command for it; OSError."""
        with self._lock:
            if self._process:
                raise ValueError("a training is running already")
            command = self.command()
            self._rows.clear()
            self._stage = "Starting"
            self._fold, self._step = (1, 1), (0, 1)
            self._failed = self._stopped = False
            self._process = subprocess.Popen(  # a session of its own: Ctrl-C is the server's
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self._follower = threading.Thread(target=self._follow, args=[self._process])
            self._follower.start()

    def stop(self) -> None:
        """Ask it to stop; it ends soon afterwards. Nothing happens if none is running."""
        with self._lock:
            if (process := self._process) and not self._stopped:
                self._stopped = True
                process.send_signal(signal.SIGINT)
                end = threading.Timer(PATIENCE, process.kill)
                end.daemon = True
                end.start()

    def close(self) -> None:
        """End it now."""
        with self._lock:
            self._stopped = True
            if process := self._process:
                process.kill()
        if self._follower:
            self._follower.join()

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        with self._lock:
            return {
                "running": self._process is not None,
                "doing": self._doing(),
                "progress": self._progress(),
                "lines": list(self._rows),
                "failed": self._failed,
                "stopped": self._stopped,
                "result": self._result,
                "needed": LEAST_LABELS,
                "good": GOOD_START,
                "minutes": AutoOptions.minutes,
            }

    def _doing(self) -> str:
        """What it does now, in a few words."""
        if not self._step[0]:
            return self._stage
        fold = "Training {} of {}, step".format(*self._fold) if self._fold[1] > 1 else "Step"
        return f"{fold} {self._step[0]:,} of {self._step[1]:,}"

    def _progress(self) -> float:
        """The share of its trainings that is done."""
        if self._stage == COMPARING:
            return 1.0
        return (self._fold[0] - 1 + self._step[0] / self._step[1]) / self._fold[1]

    def _take(self, row: str) -> None:
        """Keep one of its messages, or what a progress bar shows."""
        if step := STEP.search(row):
            self._step = int(step[1]), max(1, int(step[2]))
        elif row.strip():
            self._rows.append(row)
            for start, stage in STAGES.items():
                if row.startswith(start):
                    self._stage, self._step = stage, (0, 1)
            if fold := FOLD.fullmatch(row.strip()):
                self._fold, self._step = (int(fold[1]), max(1, int(fold[2]))), (0, 1)

    def _follow(self, process: subprocess.Popen) -> None:
        """Take its messages until it ends, and then its result."""
        assert process.stdout and process.stdin
        kept = b""
        while content := os.read(process.stdout.fileno(), 1 << 16):
            *rows, kept = re.split(rb"[\r\n]+", kept + content)
            with self._lock:
                for row in rows:
                    self._take(row.decode(errors="replace"))
        status = process.wait()
        process.stdin.close()
        process.stdout.close()
        problem, result = "", self._result
        if status == 0:
            try:
                figures = read_object(self.model_dir / FIGURES, MOST_BYTES)
                result = [*figures["summary"], _what_is_kept(figures, self.model_dir)]
                self.done(self.model_dir / BEST)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problem = f"the training has ended, but its result cannot be used: {error}"
        with self._lock:
            self._process, self._result = None, result
            self._stopped = self._stopped and status != 0
            self._failed = bool(problem) or (status != 0 and not self._stopped)
            for row in (kept.decode(errors="replace"), problem):
                self._take(row)
