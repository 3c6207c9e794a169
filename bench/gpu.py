"""Measures training on one accelerator: lines a second, how busy it is, how long it waits.

    KERAS_BACKEND=jax python bench/gpu.py
    python bench/gpu.py --batch-sizes 32 --mixed-precision off    # or a CPU, in 32 bits

The same training is fed twice: from batches drawn beforehand, which is the most the device can do,
and from lines that workers draw meanwhile. Every shape is compiled before the clock starts.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import model as models
from bench.speed import built
from ocr_simple.datasets.batches import Batch
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import TrainOptions
from ocr_simple.runs import devices
from train import Training


@dataclass(frozen=True)
class Options:
    """Measure training on one device."""

    batch_sizes: tuple[int, ...] = ()
    """Lines per step. Default: 256, 1024 and 4096; 64 without a GPU."""
    batches: int = 32
    """Batches to draw beforehand."""
    steps: int = 200
    """Steps to time."""
    workers: int = max(1, (os.cpu_count() or 1) - 1)
    """Processes that draw lines."""
    mixed_precision: Literal["auto", "on", "off"] = "auto"
    """Compute in bfloat16, with weights in float32."""
    architecture: str = TrainOptions.architecture
    """Encoder."""
    context: Literal["conv", "attention", "lstm", "gru"] = TrainOptions.context
    """Layers after the encoder."""


class Utilisation:
    """While entered, asks the driver how busy the GPU is; `mean` in percent, NaN without one."""

    def __enter__(self) -> "Utilisation":
        self._seen: list[float] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while shutil.which(query[0]) and not self._done.wait(0.2):
            with contextlib.suppress(ValueError, IndexError):
                done = subprocess.run(query, capture_output=True, text=True)
                self._seen.append(float(done.stdout.splitlines()[0]))

    @property
    def mean(self) -> float:
        return float(np.mean(self._seen)) if self._seen else float("nan")


def step(training: Training, batch: Batch) -> int:
    """Train on a batch. Returns the number of its lines."""
    x, y = batch
    training.run_step(models.training_inputs(training.data.spec, x, y), y, False)
    return len(y)


def measure(training: Training, batches: Iterator[Batch], steps: int) -> tuple[float, float, float]:
    """(lines a second, share of the time spent waiting for lines, device busy in percent)."""
    waited, lines = 0.0, 0
    with Utilisation() as utilisation:
        started = time.perf_counter()
        for _ in range(steps):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            lines += step(training, batch)
        seconds = time.perf_counter() - started
    return lines / seconds, waited / seconds, utilisation.mean


def main(options: Options) -> None:
    """Print a Markdown table. Raises ValueError."""
    device = devices.prepare()
    sizes = options.batch_sizes or ((64,) if device.startswith("cpu") else (256, 1024, 4096))
    print(f"device: {device}; {options.workers} workers\n")
    print("| lines per step | fed from | lines/s | waiting for lines | device busy |")
    print("|---|---|---|---|---|")
    for size in sizes:
        run = TrainOptions(
            batch_size=size,
            mixed_precision=options.mixed_precision,
            architecture=options.architecture,
            context=options.context,
        )
        fonts, _ = split_fonts(find_fonts(run.fonts), run.held_out)
        lines = Lines(run, run.spec(), fonts)
        training = built(run, lines)
        with Prefetcher(lines, size, options.workers) as prefetcher:
            drawn = [batch for _, batch in prefetcher.batches(0, options.batches)]
            seen = set()
            for _, (x, y) in prefetcher.batches(0, max(options.batches, options.steps)):
                if (shape := (*x["image"].shape, *y.shape)) not in seen:  # it is compiled now
                    step(training, (x, y))
                    seen.add(shape)
            fresh = (batch for _, batch in prefetcher.batches(0, options.steps))
            for name, batches in (("memory", itertools.cycle(drawn)), ("workers", fresh)):
                speed, waiting, busy = measure(training, batches, options.steps)
                shown = "" if np.isnan(busy) else f"{busy:.0f} %"
                print(f"| {size} | {name} | {speed:,.0f} | {waiting:.0%} | {shown} |", flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        sys.exit(2)
