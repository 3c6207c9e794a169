"""Measures how fast this project draws, trains and reads, and plain trdg for comparison.

    python bench/speed.py                          # everything: about five minutes
    python bench/speed.py --parts generate read    # some of it: a minute

Compare figures of one run only: other programs on the computer change them all.
"""

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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import model as models
import train
from data_generator import Data
from inference import Recognizer
from ocr_simple.datasets.annotations import Entry, find_entries
from ocr_simple.datasets.batches import Batches, LineStream
from ocr_simple.datasets.labelled_lines import LabelledLines
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.datasets.tfrecords import write_generated
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.trdg_renderer import render
from ocr_simple.options import EngineName, LineOptions, TrainOptions
from ocr_simple.preprocessing import scaled_width
from ocr_simple.reports.validation import Validation
from ocr_simple.runs.cluster import Cluster
from ocr_simple.runs.model_files import TEST_IMAGES, find_model
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.runs.signals import Stopper
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet
from pretrained.card import varied_lines

Part = typing.Literal["generate", "train", "learn", "read", "start"]
Row = tuple[str, str, str, str, str]  # what, figure, model, image, warm or cold
CORES = f"{os.cpu_count()} cores"
WARM_UP = 48  # training steps that are not timed
LEARNED = 0.95  # share of validation lines read exactly

PLAIN_TRDG = """
import json, sys, time
sys.modules["tensorflow"] = None  # only for handwriting
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
    """Measure the speed of drawing, training and reading."""

    parts: tuple[Part, ...] = typing.get_args(Part)
    """generate: draw lines; train: on them and on TFRecords; learn: train until 95 % are exact;
    read: files; start: run inference.py on one file."""
    model: str | None = None
    """The model that reads: a shipped model's name, a file or a run folder. Default: digits."""
    engine: EngineName = "auto"
    """What computes its network, as for inference.py."""
    lines: int = 2000
    """Lines to draw, each three times; half of them are also written to files and read."""
    steps: int = 200
    """Training steps to time."""
    most_seconds: float = 300
    """Stop learning after this time."""


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def described(model: models.keras.Model) -> str:
    """A model's architecture and size, for a row."""
    spec, size = model.spec, model.count_params() / 1e6
    return f"{spec.architecture} + {spec.context} {spec.rnn_units}, {size:.2f} M"


# --- drawing ------------------------------------------------------------------------------------


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
    words = varied_lines(
        LineOptions(photo=0.85, recipe=("words",), alphabet="ascii", text_source="recipe", words=7),
        ModelSpec(alphabet=Alphabet.parse("ascii").characters, architecture="wide"),
        seed=0,
    )
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
        (
            f"draw, signs, pages and other words, 85 % photos, {len(words.fonts):,} fonts",
            lambda: [words[k] for k in range(options.lines)],
        ),
    ):
        speed = options.lines / min(timed(draw_all) for _ in range(3))
        figure = f"{speed:,.0f} lines/s, {speed / of_trdg:.1f} times plain trdg"
        yield name, figure, "", "height 32, 1 thread", "warm"


# --- training -----------------------------------------------------------------------------------


def steps(options: Options) -> Iterator[Row]:
    """Lines a second of training with `train.py`'s defaults, and the wait for lines.

    With either head, on generated lines and on TFRecords of such lines as trdg draws them.
    """
    run = TrainOptions()
    fonts, _ = split_fonts(find_fonts(run.fonts), run.held_out)
    generated = Lines(run, run.spec(), fonts)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.tfrecords"
        plain = Lines(run, run.spec(), fonts, augment=False)
        write_generated(plain, options.lines, file, workers=os.cpu_count() or 1)
        entries = [row for row in find_entries(file) if isinstance(row, Entry)]
        unvaried = LabelledLines(entries, run.spec(), run.seed)
        shapes = [unvaried[k][0].shape for k in range(min(500, len(entries)))]
        width = np.mean([scaled_width(columns, rows, 32) for rows, columns, _ in shapes])
        image = f"32 x {width:.0f} on average, {CORES}"
        speed = batches_a_second(unvaried, run.batch_size) * run.batch_size
        yield "TFRecords read into batches, no training", f"{speed:,.0f} lines/s", "", image, "warm"
        varied = LabelledLines(entries, run.spec(), run.seed, run)
        for head in ("ctc", "attention"):
            for name, lines in (("generated lines", generated), ("TFRecords", varied)):
                speed, waited, model = trained(replace(run, head=head), lines, options.steps)
                figure = f"{speed:,.0f} lines/s, {waited:.0%} of it waiting for lines"
                name = f"train on {name}, {head}, batch {run.batch_size}, varied"
                yield name, figure, described(model), image, "warm"


def batches_a_second(lines: LineStream, batch_size: int) -> float:
    """How many batches a second as many processes as cores prepare."""
    count = 16 * Batches.GROUP
    with Prefetcher(lines, batch_size, os.cpu_count() or 1) as prefetcher:
        batches = prefetcher.batches(0, count + Batches.GROUP)
        for _ in range(Batches.GROUP):
            next(batches)
        return count / timed(lambda: [batch for _, batch in batches])


def built(options: TrainOptions, lines: LineStream) -> train.Training:
    """The model, optimiser and training step of a run, as train.py builds them; writes nothing."""
    data = Data(options.spec(), lines, validation=[], about="")
    folder = RunFolder(Path(tempfile.gettempdir()) / "not_written")
    training = train.Training(options, data, Cluster(), folder, Stopper())
    training.build()
    return training


def trained(
    run: TrainOptions, lines: LineStream, count: int
) -> tuple[float, float, models.keras.Model]:
    """(lines a second over `count` training steps, share of it waiting for lines, model)."""
    training, waited = built(run, lines), 0.0
    with Prefetcher(lines, run.batch_size, run.workers) as prefetcher:
        batches = prefetcher.batches(0, WARM_UP + count)
        for step in range(WARM_UP + count):
            if step == WARM_UP:
                started, waited = time.perf_counter(), 0.0
            asked = time.perf_counter()
            _, (x, y) = next(batches)
            waited += time.perf_counter() - asked
            training.run_step(models.training_inputs(training.data.spec, x, y), y, False)
        seconds = time.perf_counter() - started
    return count * run.batch_size / seconds, waited / seconds, training.model


class StopLearning(Exception):
    """Ends a training from its validation: the goal is reached, or the time is over."""


def learn(options: Options) -> Iterator[Row]:
    """Seconds until 95 % of the lines in held-out families are read exactly."""
    started = time.perf_counter()
    seen = [0.0]

    def look(validation: Validation) -> None:
        seen.append(validation.exact)
        if seen[-1] >= LEARNED or time.perf_counter() - started > options.most_seconds:
            raise StopLearning

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(StopLearning):
        run = TrainOptions(model_dir=Path(folder) / "run", interval=100, patience=0)
        with contextlib.redirect_stdout(sys.stderr):
            train.train(run, on_validation=look)
    seconds = time.perf_counter() - started
    reached = seen[-1] >= LEARNED
    figure = f"{seconds:.0f} s" if reached else f"not in {seconds:.0f} s: {seen[-1]:.1%}"
    name = described(models.build(run.spec()))
    yield "train to 95 % exact, held-out families", figure, name, CORES, "cold, without imports"


# --- reading ------------------------------------------------------------------------------------


def read(options: Options) -> Iterator[Row]:
    """Lines a second from PNG files, and the time that one line takes by itself."""
    recognizer = Recognizer.load(model_file(options), engine=options.engine)
    count = options.lines // 2
    drawn = Lines(LineOptions(), ModelSpec(), find_fonts(("trdg",)), augment=False)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{k}.png") for k in range(count)]
        images = [drawn[k][0][..., 0] for k in range(count)]
        for pixels, path in zip(images, paths, strict=True):
            Image.fromarray(pixels).save(path)
        recognizer.read(paths)
        seconds = timed(lambda: recognizer.read(paths))
    name = f"{described(recognizer.model)}, {type(recognizer.engine).__name__}"
    image = f"32 x {np.mean([p.shape[1] for p in images]):.0f} on average, {CORES}"
    yield f"read {count:,} PNG files", f"{count / seconds:,.0f} lines/s", name, image, "warm"
    one = np.random.default_rng(0).integers(0, 256, (32, 128), np.uint8)
    times = [1000 * timed(lambda: recognizer.read([one])) for _ in range(250)][50:]
    p50, p95 = np.percentile(times, (50, 95))
    figure = f"{p50:.1f} ms (p50), {p95:.1f} ms (p95)"
    yield "read one line", figure, name, f"32 x 128, {CORES}", "warm"


def start(options: Options) -> Iterator[Row]:
    """Seconds from `python inference.py IMAGE` to its text, the median of three."""
    file, image = model_file(options), TEST_IMAGES / "water_meter.png"
    command = [sys.executable, str(ROOT / "inference.py"), str(image), "--model", str(file)]
    read_it = functools.partial(subprocess.run, command, capture_output=True, check=True)
    figure = f"{np.median([timed(read_it) for _ in range(3)]):.1f} s"
    yield "python inference.py, one file", figure, described(models.load(file)), CORES, "cold"


def model_file(options: Options) -> Path:
    """The file of the model that reads. Raises ValueError."""
    return find_model(options.model or "digits")


def main(options: Options) -> None:
    """Print the table, row by row. Raises ValueError."""
    parts = dict(zip(typing.get_args(Part), (generate, steps, learn, read, start), strict=True))
    print("| what | figure | model | image | state |\n|---|---|---|---|---|")
    for part in options.parts:
        for row in parts[part](options):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"speed.py: {error}", file=sys.stderr)
        sys.exit(2)
