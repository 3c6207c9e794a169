"""How fast it draws, trains and reads, beside plain trdg: a Markdown table.

    python bench/speed.py                          # all of it: some five minutes
    python bench/speed.py --parts generate read    # some of it: a minute

Compare figures of one run only: other programs on the machine change them all.
"""

from ocr_simple.runs.cluster import Cluster
from ocr_simple.options import LineOptions
from data_generator import LineSequence
from ocr_simple.datasets.batches import LineStream
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.runs.model_files import find_model
import inference
from ocr_simple.datasets import labelled
import model as models
from ocr_simple.drawing.trdg_renderer import render
from ocr_simple.images import scaled_width
from ocr_simple.drawing.fonts import split_fonts
import train

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.card import varied_lines

Part = typing.Literal["generate", "train", "learn", "read", "start"]
Row = tuple[str, str, str, str, str]  # what, figure, model, image, warm or cold
CORES = f"{os.cpu_count()} cores"

PLAIN_TRDG = """
import json, sys, time
sys.modules["tensorflow"] = None  # for handwriting alone
from PIL import ImageFont
ImageFont.FreeTypeFont.getsize = lambda self, text: self.getbbox(text)[2:]  # gone since Pillow 10
from trdg.generators import GeneratorFromStrings
texts, fonts = json.load(sys.stdin)
lines = iter(GeneratorFromStrings(texts, fonts=fonts, background_type=1))
speeds = []
for _ in range(3):
    started = time.perf_counter()
    for _ in texts:
        next(lines)
    speeds.append(len(texts) / (time.perf_counter() - started))
print(max(speeds))
"""


@dataclass(frozen=True)
class Options:
    """Measure speed."""

    parts: tuple[Part, ...] = typing.get_args(Part)
    """generate lines; train, from TFRecords too; learn to 95 % exact; read files; start afresh."""
    model: str | None = None
    """What reads: a shipped model or a file; digits if it is there, else fresh weights."""
    lines: int = 2000
    """Lines to draw, each three times; half of them are written to files and read."""
    steps: int = 200
    """Training steps to time."""
    most_seconds: float = 300
    """When to give up learning."""


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def described(model: models.keras.Model) -> str:
    """What a row says of its model."""
    spec = model.spec
    return f"{spec.architecture} + {spec.rnn} {spec.rnn_units}, {model.count_params() / 1e6:.2f} M"


def generate(options: Options) -> Iterator[Row]:
    """Lines a second: plain trdg, `draw` and `Lines`, the same texts and fonts, best of three."""
    fonts = find_fonts(("trdg",))
    plain = Lines(LineOptions(), ModelSpec(), fonts, augment=False)
    texts = [plain[k][1] for k in range(options.lines)]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_TRDG],
        input=json.dumps([texts, fonts]), capture_output=True, text=True, check=True,
    )  # fmt: skip
    of_trdg = float(done.stdout.split()[-1])
    yield "draw with plain trdg", f"{of_trdg:,.0f} lines/s", "", "height 32, 1 thread", "warm"
    varied, photo = (Lines(LineOptions(photo=p), ModelSpec(), fonts) for p in (0, 0.8))
    mixed = varied_lines(LineOptions(photo=0.85, recipe=("mixed",)), ModelSpec(), seed=0)
    given = [(text, fonts[k % len(fonts)], LineOptions(), k) for k, text in enumerate(texts)]
    for name, draw_all in (
        ("the same by trdg in this process", lambda: [render(*line) for line in given]),
        ("composed from glyphs, the same pixels", lambda: [draw(*line) for line in given]),
        ("draw, with texts and seeds", lambda: [plain[k] for k in range(options.lines)]),
        ("draw, varied", lambda: [varied[k] for k in range(options.lines)]),
        ("draw, 80 % photos", lambda: [photo[k] for k in range(options.lines)]),
        (
            f"draw, mixed recipes, 85 % photos, {len(mixed.fonts):,} fonts",
            lambda: [mixed[k] for k in range(options.lines)],
        ),
    ):
        speed = options.lines / min(timed(draw_all) for _ in range(3))
        figure = f"{speed:,.0f} lines/s, {speed / of_trdg:.1f} times plain trdg"
        yield name, figure, "", "height 32, 1 thread", "warm"


def steps(options: Options) -> Iterator[Row]:
    """Lines a second of training as `train.py` does by default, and the wait for them.

    The same from TFRecords of the first of those lines as trdg draws them; with either head.
    """
    run = train.TrainOptions()
    fonts, _ = split_fonts(find_fonts(run.fonts), run.held_out)
    generated = Lines(run, run.spec(), fonts)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.tfrecords"
        plain = Lines(run, run.spec(), fonts, augment=False)
        records.generate(plain, options.lines, file, workers=os.cpu_count() or 1)
        entries = [line for line in records.find(file) if isinstance(line, records.Entry)]
        alone = labelled.LabelledLines(entries, run.spec(), run.seed)
        widths = [scaled_width(alone[k][0].shape[1], alone[k][0].shape[0], 32) for k in range(500)]
        image = f"32 x {np.mean(widths):.0f} on average, {CORES}"
        count = 16 * LineSequence.GROUP
        with Prefetcher(alone, run.batch_size, os.cpu_count() or 1) as prefetcher:
            batches = prefetcher.batches(0, count + LineSequence.GROUP)
            for _ in range(LineSequence.GROUP):
                next(batches)
            seconds = timed(lambda: [batch for _, batch in batches])
        speed = count * run.batch_size / seconds
        yield "TFRecords read into batches, no training", f"{speed:,.0f} lines/s", "", image, "warm"
        varied = labelled.LabelledLines(entries, run.spec(), run.seed, run.augmentation)
        for head in ("ctc", "attention"):
            for name, lines in (("generated lines", generated), ("TFRecords", varied)):
                speed, waited, model = trained(replace(run, head=head), lines, options.steps)
                figure = f"{speed:,.0f} lines/s, {waited:.0%} of it waiting for lines"
                name = f"train on {name}, {head}, batch {run.batch_size}, varied"
                yield name, figure, described(model), image, "warm"


def trained(
    run: train.TrainOptions, lines: LineStream, steps: int
) -> tuple[float, float, models.keras.Model]:
    """(lines a second over `steps` steps of training, share of it waiting for lines, model)."""
    model, loss = train._compiled(run, run.spec())
    train_step = Cluster().trainer(model, loss)
    warm_up, waited = 48, 0.0
    with Prefetcher(lines, run.batch_size, run.workers) as prefetcher:
        batches = prefetcher.batches(0, warm_up + steps)
        for step in range(warm_up + steps):
            if step == warm_up:
                started, waited = time.perf_counter(), 0.0
            asked = time.perf_counter()
            _, (x, y) = next(batches)
            waited += time.perf_counter() - asked
            train_step(models.training_inputs(model.spec, x, y), y, False)
        seconds = time.perf_counter() - started
    return steps * run.batch_size / seconds, waited / seconds, model


def learn(options: Options) -> Iterator[Row]:
    """Seconds until 95 % of the lines in held-out families are read without an error."""
    started = time.perf_counter()
    seen = [0.0]

    def look(validation: train.Validation) -> None:
        seen.append(validation.exact)
        if seen[-1] >= 0.95 or time.perf_counter() - started > options.most_seconds:
            raise StopIteration

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(StopIteration):
        run = train.TrainOptions(model_dir=Path(folder) / "run", interval=100, patience=0)
        with contextlib.redirect_stdout(sys.stderr):
            train.train(run, on_validation=look)
    seconds = time.perf_counter() - started
    figure = f"{seconds:.0f} s" if seen[-1] >= 0.95 else f"not in {seconds:.0f} s: {seen[-1]:.1%}"
    name = described(models.build(run.spec()))
    yield "train to 95 % exact, held-out families", figure, name, CORES, "cold, imports apart"


def read(options: Options) -> Iterator[Row]:
    """Lines a second from PNG files, and the time one line takes by itself."""
    recognizer = inference.Recognizer(models.load(reader(options)))
    count = options.lines // 2
    drawn = Lines(LineOptions(), ModelSpec(), find_fonts(("trdg",)), augment=False)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{k}.png") for k in range(count)]
        images = [drawn[k][0][..., 0] for k in range(count)]
        for pixels, path in zip(images, paths, strict=True):
            Image.fromarray(pixels).save(path)
        recognizer.read(paths)
        seconds = timed(lambda: recognizer.read(paths))
    name = described(recognizer.model)
    image = f"32 x {np.mean([p.shape[1] for p in images]):.0f} on average, {CORES}"
    yield f"read {count:,} PNG files", f"{count / seconds:,.0f} lines/s", name, image, "warm"
    one = np.random.default_rng(0).integers(0, 256, (32, 128), np.uint8)
    times = [1000 * timed(lambda: recognizer.read([one])) for _ in range(250)][50:]
    p50, p95 = np.percentile(times, (50, 95))
    figure = f"{p50:.1f} ms (p50), {p95:.1f} ms (p95)"
    yield "read one line", figure, name, f"32 x 128, {CORES}", "warm"


def start(options: Options) -> Iterator[Row]:
    """Seconds from `python inference.py IMAGE` to its text, the median of three."""
    file = reader(options)
    image = ROOT / "inference_test_imgs" / "water_meter.png"
    command = [sys.executable, str(ROOT / "inference.py"), str(image), "--model", str(file)]
    read_it = functools.partial(subprocess.run, command, capture_output=True, check=True)
    figure = f"{np.median([timed(read_it) for _ in range(3)]):.1f} s"
    yield "python inference.py, one file", figure, described(models.load(file)), CORES, "cold"


def reader(options: Options) -> Path:
    """The file of the model that reads."""
    if options.model or (inference.PRETRAINED / "digits.keras").exists():
        return find_model(options.model or "digits")
    fresh = Path(tempfile.gettempdir()) / "fresh_weights.keras"
    models.save(models.build(ModelSpec(), seed=0), fresh)
    return fresh


def main(options: Options) -> None:
    """Print the table, row by row."""
    parts = dict(zip(typing.get_args(Part), (generate, steps, learn, read, start), strict=True))
    print("| what | figure | model | image | state |\n|---|---|---|---|---|")
    for part in options.parts:
        for row in parts[part](options):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
