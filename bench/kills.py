"""Kills processes of a training again and again, and checks that nothing is lost or repeated.

    python bench/kills.py --kills 10

First a random one of two processes is killed at random moments and both are started again, until
the run is done: the metrics have to be those of an undisturbed run, to the digit. Then one, two and
three processes take turns: in what was trained on in the end, each epoch has to contain every
labelled image exactly once. The model is small; what is tested is everything around it.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.cluster import start

import model as models
from ocr_simple.datasets.batches import Batches
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

BATCH, EPOCHS = 12, 30
IMAGES = Batches.GROUP * BATCH  # lines are sorted within a group, which is an epoch here
TRAIN = (
    f"--rnn-units 16 --photo 0 --batch-size {BATCH} --num-epoch {EPOCHS} --interval 20 --shares 6 "
    "--warmup 2 --validation-lines 20 --workers 0 --patience 0 --average 0.9 --mixed-precision off"
).split()
# train.py, with each step's number and labels written to the file that is its first argument
RECORDING = """
import sys
import train
from ocr_simple.command_line import parse
from ocr_simple.options import TrainOptions
from ocr_simple.runs.cluster import Cluster

compiled = Cluster.compiled

def recording(self, step, model):
    run = compiled(self, step, model)

    def recorded(x, y, stop):
        number, result = int(model.optimizer.iterations.numpy()), run(x, y, stop)
        labels = ["".join(str(i - 1) for i in row[2 : 2 + row[1]]) for row in y]
        with open(sys.argv[1], "a") as file:
            file.write(f"{number} {' '.join(labels)}\\n")
        return result

    return recorded

Cluster.compiled = recording
sys.exit(train.run(parse(TrainOptions, sys.argv[2:]), ["train.py", *sys.argv[2:]]))
"""


@dataclass(frozen=True)
class Options:
    """Kill processes of a training at random."""

    kills: int = 10
    """Kills with two processes, and again with one, two and three in turn."""
    seed: int = 0
    """Random seed of which process is killed, and when."""


def labelled(folder: Path) -> None:
    """Write a data set whose labels are all different."""
    font = next(font for font in find_fonts(("trdg",)) if "OpenSans-Regular" in font)
    lines = Lines(LineOptions(min_length=4, max_length=5), ModelSpec(), [font], augment=False)
    rows: dict[str, str] = {}
    for k in range(2 * IMAGES):
        pixels, text, _ = lines[k]
        if text not in rows and len(rows) < IMAGES:
            Image.fromarray(pixels[..., 0]).save(folder / f"{k}.png")
            rows[text] = f"{k}.png\t{text}\n"
    (folder / "labels.tsv").write_text("".join(rows.values()))


class Trial:
    """A run in a folder, by groups of processes that record what they train on."""

    def __init__(self, folder: Path, data: Path):
        self.folder, self.run = folder, folder / "run"
        self.options = [*TRAIN, "--dataset", str(data), "--validation", str(data)]
        self.groups = 0

    def start(self, count: int) -> list[subprocess.Popen]:
        """A group of processes that resumes the run."""
        self.groups += 1
        given = ("--model-dir", str(self.run), *self.options)
        record = f"{self.folder}/{self.groups:03}"
        return start(
            count,
            *given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            program=lambda rank: ("-c", RECORDING, f"{record}-{rank}.txt"),
        )

    def checkpoints(self) -> int:
        """The number of checkpoints in its metrics."""
        file = self.run / "metrics.csv"
        return len(file.read_text().splitlines()) - 1 if file.exists() else 0

    def kill(self, group: list[subprocess.Popen], rng: random.Random) -> None:
        """Wait for a random moment, kill a random process, and wait for the others to end."""
        until, wait = self.checkpoints() + rng.randint(0, 3), rng.uniform(0, 1)
        while self.checkpoints() < until and all(p.poll() is None for p in group):
            time.sleep(0.02)
        time.sleep(wait)
        victim, began = rng.choice(group), time.monotonic()
        victim.kill()
        messages = [process.communicate(timeout=120)[1] for process in group]
        codes = [process.returncode for process in group]
        print(
            f"  {len(group)} processes, {self.checkpoints()} checkpoints: one killed, all ended "
            f"after {time.monotonic() - began:.1f} s, {codes}",
            flush=True,
        )
        assert victim.returncode == -signal.SIGKILL, "the run was done before: give fewer --kills"
        assert all("Traceback" not in text for text in messages), "\n".join(messages)
        for file in (self.run / "best.keras", self.run / "last.keras"):
            if file.exists():
                models.load(file)
        if (self.run / "checkpoint.npz").exists():
            with np.load(self.run / "checkpoint.npz") as saved:
                dict(saved)  # raises if an array is damaged

    def finish(self, count: int) -> str:
        """Let a group of `count` processes finish the run. Returns the metrics."""
        group = self.start(count)
        messages = [process.communicate()[1] for process in group]
        assert [process.returncode for process in group] == [0] * count, "\n".join(messages)
        return (self.run / "metrics.csv").read_text()

    def epochs(self) -> list[Counter[str]]:
        """How often each label was seen in each epoch; of repeated steps the last one counts."""
        steps: dict[int, list[str]] = {}
        for number in range(1, self.groups + 1):
            of_group: dict[int, list[str]] = {}
            for file in sorted(self.folder.glob(f"{number:03}-*.txt")):
                for row in file.read_text().splitlines():
                    step, *labels = row.split()
                    of_group.setdefault(int(step), []).extend(labels)
            steps |= of_group
        in_epoch = IMAGES // BATCH
        assert sorted(steps) == list(range(EPOCHS * in_epoch)), "a step was left out"
        return [
            Counter(
                label for step in range(e * in_epoch, (e + 1) * in_epoch) for label in steps[step]
            )
            for e in range(EPOCHS)
        ]


def compare(undisturbed: str, changed: str) -> None:
    """Compare the metrics of a run with those of one whose number of processes changed."""
    rows = [
        np.array([row.split(",") for row in metrics.split()[1:]], float)
        for metrics in (undisturbed, changed)
    ]
    most, last = np.abs(rows[0][:, 2] - rows[1][:, 2]).max(), rows[1][-1, 2]
    difference = abs(rows[0][-1, 2] - last)
    print(
        f"validation: lines read exactly differ by {100 * most:.2f} points at most, and by "
        f"{100 * difference:.2f} in the end, where {last:.1%} are read"
    )
    assert difference <= 0.01


def main(options: Options) -> None:
    """Print what was tested; an AssertionError says what was lost."""
    rng = random.Random(options.seed)
    os.environ["OCR_START_LIMIT"] = "30"  # for a process whose peer is killed before it joins
    with tempfile.TemporaryDirectory() as place:
        data, trials = Path(place, "data"), {}
        data.mkdir()
        labelled(data)
        for name in ("undisturbed", "killed", "changed"):
            Path(place, name).mkdir()
            trials[name] = Trial(Path(place, name), data)
        undisturbed = trials["undisturbed"].finish(2)
        print(f"two processes, killed {options.kills} times:", flush=True)
        for _ in range(options.kills):
            trials["killed"].kill(trials["killed"].start(2), rng)
        assert trials["killed"].finish(2) == undisturbed, "other metrics than undisturbed"
        print(f"the same {len(undisturbed.splitlines()) - 1} rows of metrics as undisturbed")
        print(f"one, two and three processes in turn, killed {options.kills} times:", flush=True)
        for i in range(options.kills):
            trials["changed"].kill(trials["changed"].start(1 + (i + 1) % 3), rng)
        changed = trials["changed"].finish(2)
        for name, trial in trials.items():
            epochs = trial.epochs()
            assert all(len(seen) == IMAGES and set(seen.values()) == {1} for seen in epochs), name
        print(f"each of {EPOCHS} epochs saw each of {IMAGES} images once, in all three runs")
        compare(undisturbed, changed)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
