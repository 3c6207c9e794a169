"""Groups of processes of which one is killed again and again: is anything lost, doubled or broken?

    python bench/kills.py [--kills 10]

First two processes, killed at random and started anew until the run is done, against a run that
nothing disturbed: are the metrics the same, digit by digit? Then one, two and three processes in
turn: was every labelled image seen once in each epoch, by what was trained on in the end? The model
is small; what is tried is all that is around it.
"""

from ocr_simple.options import LineOptions
from data_generator import LineSequence
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from ocr_simple.drawing.fonts import find_fonts
import model as models

import os
import random
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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.cluster import start

BATCH, EPOCHS = 12, 30
IMAGES = LineSequence.GROUP * BATCH  # lines are dealt anew within so many: an epoch here
TRAIN = (
    f"--rnn-units 16 --photo 0 --batch-size {BATCH} --num-epoch {EPOCHS} --interval 20 --shares 6 "
    "--warmup 2 --validation-lines 20 --workers 0 --patience 0 --average 0.9 --mixed-precision off"
).split()
TOLD = """
import sys, devices, train
make = Cluster.trainer
def trainer(self, model, loss):
    step = make(self, model, loss)
    def told(x, y, stop):
        number, out = int(model.optimizer.iterations.numpy()), step(x, y, stop)
        labels = ["".join(str(i - 1) for i in row[2 : 2 + row[1]]) for row in y]
        with open(sys.argv[1], "a") as file:
            file.write(f"{number} {' '.join(labels)}\\n")
        return out
    return told
Cluster.trainer = trainer
sys.exit(train.main(sys.argv[2:]))
"""


@dataclass(frozen=True)
class Options:
    """Kill processes of a group at random."""

    kills: int = 10
    """Of a group of two; as many again of groups of one, two and three."""
    seed: int = 0
    """Of who is killed, and when."""


def labelled(folder: Path) -> Path:
    """A data set whose labels are all different."""
    font = next(font for font in find_fonts(("trdg",)) if "OpenSans-Regular" in font)
    lines = Lines(LineOptions(min_length=4, max_length=5), ModelSpec(), [font], augment=False)
    rows: dict[str, str] = {}
    for k in range(2 * IMAGES):
        pixels, text, _ = lines[k]
        if text not in rows and len(rows) < IMAGES:
            Image.fromarray(pixels[..., 0]).save(folder / f"{k}.png")
            rows[text] = f"{k}.png\t{text}\n"
    (folder / "labels.tsv").write_text("".join(rows.values()))
    return folder


class Trial:
    """A run of a folder, by groups that tell what they train on."""

    def __init__(self, folder: Path, data: Path):
        self.folder, self.run = folder, folder / "run"
        self.options = [*TRAIN, "--dataset", str(data), "--validation", str(data)]
        self.groups = 0

    def start(self, count: int) -> list[subprocess.Popen]:
        """A group that goes on with the run."""
        self.groups += 1
        given = ("--model-dir", str(self.run), *self.options)
        return start(
            count, *given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            program=lambda rank: ("-c", TOLD, str(self.folder / f"{self.groups:03}-{rank}.txt")),
        )  # fmt: skip

    def checkpoints(self) -> int:
        """How many are in its metrics."""
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
        said = [process.communicate(timeout=120)[1] for process in group]
        codes = [process.returncode for process in group]
        print(
            f"  {len(group)} processes, {self.checkpoints()} checkpoints: one killed, all ended "
            f"after {time.monotonic() - began:.1f} s, {codes}",
            flush=True,
        )  # fmt: skip
        assert all("Traceback" not in text for text in said), "\n".join(said)
        for file in (self.run / "best.keras", self.run / "last.keras"):
            if file.exists():
                models.load(file)
        if (self.run / "checkpoint.npz").exists():
            with np.load(self.run / "checkpoint.npz") as saved:
                assert all(saved[name] is not None for name in saved)

    def finish(self, count: int) -> str:
        """Let a group of that many come to the end. Returns the metrics."""
        group = self.start(count)
        said = [process.communicate()[1] for process in group]
        assert [process.returncode for process in group] == [0] * count, "\n".join(said)
        return (self.run / "metrics.csv").read_text()

    def epochs(self) -> list[Counter[str]]:
        """How often each label was seen in each epoch, in the steps that count: the last made."""
        steps: dict[int, list[str]] = {}
        for number in range(1, self.groups + 1):
            told: dict[int, list[str]] = {}
            for file in sorted(self.folder.glob(f"{number:03}-*.txt")):
                for line in file.read_text().splitlines():
                    step, *labels = line.split()
                    told.setdefault(int(step), []).extend(labels)
            steps |= told
        in_epoch = IMAGES // BATCH
        assert sorted(steps) == list(range(EPOCHS * in_epoch)), "a step was left out"
        return [
            Counter(
                label for step in range(e * in_epoch, (e + 1) * in_epoch) for label in steps[step]
            )
            for e in range(EPOCHS)
        ]


def main(options: Options) -> None:
    """Print what was tried; an AssertionError says what was lost."""
    rng = random.Random(options.seed)
    os.environ["OCR_START_LIMIT"] = "30"  # of those whose other is killed before it came
    with tempfile.TemporaryDirectory() as place:
        trials = {}
        for name in ("data", "calm", "killed", "changed"):
            Path(place, name).mkdir()
            trials[name] = Trial(Path(place, name), Path(place, "data"))
        labelled(Path(place, "data"))
        calm = trials["calm"].finish(2)
        print(f"two processes, killed {options.kills} times:", flush=True)
        for _ in range(options.kills):
            trials["killed"].kill(trials["killed"].start(2), rng)
        assert trials["killed"].finish(2) == calm, "other metrics than undisturbed"
        print(f"the same {len(calm.splitlines()) - 1} rows of metrics as undisturbed")
        print(f"one, two and three processes in turn, killed {options.kills} times:", flush=True)
        for i in range(options.kills):
            trials["changed"].kill(trials["changed"].start(1 + (i + 1) % 3), rng)
        changed = trials["changed"].finish(2)
        for name in ("calm", "killed", "changed"):
            epochs = trials[name].epochs()
            assert all(len(seen) == IMAGES and set(seen.values()) == {1} for seen in epochs), name
        print(f"each of {EPOCHS} epochs saw each of {IMAGES} images once, in all three runs")
        rows = [np.array([row.split(",") for row in x.split()[1:]], float) for x in (calm, changed)]
        most, last = np.abs(rows[0][:, 2] - rows[1][:, 2]).max(), rows[1][-1, 2]
        print(
            f"validation: lines read exactly differ by {100 * most:.2f} points at most, and by "
            f"{100 * abs(rows[0][-1, 2] - last):.2f} in the end, where {last:.1%} are read"
        )
        assert abs(rows[0][-1, 2] - last) <= 0.01


if __name__ == "__main__":
    main(tyro.cli(Options))
