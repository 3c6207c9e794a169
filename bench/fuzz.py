"""Reads damaged files for minutes: each must be read, or refused with a message that names it.

    python bench/fuzz.py --minutes 10 --parts images fonts models

Each kind of file is read in another process, and written to disk before it is read: if reading
crashes the process, the file is still there. The exit status is 1 if any file was neither read nor
refused, or took over 5 s of processor time or a gigabyte of memory.
"""

import functools
import multiprocessing
import sys
import typing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.damage import Part, attack


@dataclass(frozen=True)
class Options:
    """Read damaged files."""

    parts: tuple[Part, ...] = typing.get_args(Part)
    """Kinds of file: images, data sets, model files, fonts; of run folders checkpoints, config.json
    and metrics.csv; model.json of exports, job.json of pipelines."""
    minutes: float = 1
    """Minutes for each kind."""
    seed: int = 0
    """Random seed of the damage."""
    kept: Path = Path("results/fuzz")
    """Folder for the files that were neither read nor refused, or took too much."""


def main(options: Options) -> None:
    """Print the outcomes of each kind of file. Exits with 1 after a crash."""
    options.kept.mkdir(parents=True, exist_ok=True)
    context, well = multiprocessing.get_context("spawn"), True
    for part in options.parts:
        file = options.kept / f"{part}.bin"
        run = functools.partial(attack, part, file, 60 * options.minutes, np.inf, options.seed)
        try:
            with ProcessPoolExecutor(1, context) as pool:
                found = pool.submit(run).result()
        except BrokenProcessPool:
            found = Counter({f"CRASH of the process; see {file}": 1})
        well &= not any(outcome.startswith("CRASH") for outcome in found)
        print(f"{part}: {sum(found.values()):,} files: {dict(found.most_common())}", flush=True)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
