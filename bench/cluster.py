"""Measures a training by several processes on this computer, as several machines would share it.

    python bench/cluster.py --count 2 -- --model-dir checkpoints/two --steps 300

The options after -- go to train.py; without --model-dir the run is made in a temporary folder. On
several machines, each is started with the same TF_CONFIG except for its index.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.cluster import start


@dataclass(frozen=True)
class Options:
    """Train with several local processes."""

    train: tyro.conf.Positional[tuple[str, ...]] = ("--steps", "60", "--interval", "20")
    """Options of train.py, after --."""
    count: int = 2
    """Number of processes."""


def main(options: Options) -> None:
    """Train. Exits with the highest exit status of the processes."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        processes = start(options.count, "--model-dir", f"{folder}/run", *options.train)
        codes = [process.wait() for process in processes]
    print(f"{options.count} processes, {time.perf_counter() - started:.0f} s, exit status {codes}")
    sys.exit(max(map(abs, codes)))  # -9: killed


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
