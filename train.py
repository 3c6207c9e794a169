"""Train a recogniser on generated lines.

    python train.py                                  # digits, from nothing, into checkpoints/
    python train.py --alphabet ascii --text-source dictionary --words 4 --steps 20000
    python train.py --help                           # every option, its default and why

Each interval the run is validated on fonts it never trained on, a picture of validation lines
with their predictions is drawn, and everything needed to go on is written to the run folder.
"""

import dataclasses
import errno
import itertools
import json
import math
import os
import shlex
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from tensorboardX import SummaryWriter
from tqdm import tqdm

import devices
import image as imaging
import model as models
import visualize
from data_generator import Batch, LineOptions, Lines
from devices import keras
from drawing import HELD_OUT, find_fonts, split_fonts
from inference import Recognizer
from model import ModelSpec
from prefetch import Prefetcher
from run_folder import RunFolder, TrainError, TrainState

VALIDATION_SEED = 1 << 32  # validation draws from a stream that no training seed reaches
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what a full disk answers
SURVEY = 256  # lines drawn before the first step, to find what cannot be trained


@dataclass(frozen=True)
class TrainOptions(LineOptions):
    """Train a recogniser on generated lines."""

    # --- run
    model_dir: Annotated[Path, tyro.conf.arg(aliases=["--job-dir"])] = Path("checkpoints")
    """Run folder: config, models, checkpoint, metrics, pictures."""
    resume: bool = True
    """Go on with the run in the folder; --no-resume moves it aside and starts anew."""
    seed: int = 0
    """Of weights and lines: the same seed gives the same run."""
    workers: int = max(1, min(8, (os.cpu_count() or 1) - 1))
    """Processes that draw lines; 0 draws in this one. The lines are the same for any number."""

    # --- model
    architecture: str = "plain"
    """Encoder, by its name in model.py; plain reads unseen fonts best, fine narrower characters."""
    rnn: str = "none"
    """none, lstm or gru behind the encoder; none, two convolutions, learns and reads fastest."""
    rnn_units: int = 64
    """Width behind the encoder, each way; 64 is enough for digits, 128 for text."""
    height: int = 32
    """Rows of the model's input; small print in large pictures may gain from 48."""
    color: bool = False
    """Read colour; grey reads as well and faster, unless colour alone sets ink apart."""
    mixed_precision: Literal["auto", "on", "off"] = "auto"
    """Compute in bfloat16, weights in 32 bits: auto does where the processor is built for it."""

    # --- training
    steps: int = 3000
    """Batches in all; the learning rate falls to zero over them."""
    batch_size: int = 32
    """Lines a step; more, smaller steps learn faster on a CPU."""
    learning_rate: float = 6e-3
    """Highest learning rate, of AdamW."""
    warmup: int = 100
    """Steps over which the learning rate rises, as the first gradients are wild."""
    weight_decay: float = 0.05
    """AdamW's; keeps weights small, which helps with unseen fonts."""
    clip_norm: float = 1.0
    """Longest gradient; CTC's leap now and then."""
    average: float = 0.99
    """Momentum of the weight average that is validated and saved; it reads better than the last."""

    # --- validation
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) for validation alone; none trains on all."""
    interval: int = 500
    """Steps between validations, and between checkpoints."""
    validation_lines: int = 500
    """Lines read at each validation."""
    patience: int = 10
    """Stop after this many validations without fewer errors; 0 never does."""
    worst_fonts: int = 3
    """How many fonts to name at the end, the worst read first."""

    def spec(self) -> ModelSpec:
        """The model that the options describe. Raises ValueError."""
        return ModelSpec(
            alphabet=self.parsed_alphabet().characters,
            height=self.height,
            channels=3 if self.color else 1,
            architecture=self.architecture,
            rnn=self.rnn,
            rnn_units=self.rnn_units,
        )


# Options that say how to run, not what to train: a resumed run may change them.
NOT_COMPARED = {"model_dir", "resume", "workers", "worst_fonts"}


def as_config(options: TrainOptions) -> dict[str, Any]:
    """The options that make a run what it is, as JSON holds them."""
    values = {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_COMPARED}
    return json.loads(json.dumps(values, default=str))


# --- validation -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Validation:
    """How a model reads the validation lines after `step` steps."""

    step: int
    exact: float  # share of lines read without an error
    cer: float  # edits a character of truth
    truths: list[str]
    texts: list[str]
    fonts: list[str]  # font file of each line
    pixels: list[np.ndarray]

    def by_font(self) -> list[tuple[str, float, int]]:
        """(font file name, exact, lines) of each font, the worst read first."""
        right: dict[str, list[bool]] = {}
        for truth, text, font in zip(self.truths, self.texts, self.fonts):
            right.setdefault(Path(font).name, []).append(truth == text)
        return sorted(((f, sum(r) / len(r), len(r)) for f, r in right.items()), key=lambda x: x[1])


def validate(model: keras.Model, lines: list[tuple[np.ndarray, str, str]], step: int) -> Validation:
    """Read drawn lines (see `Lines`) with a model, the way `inference.py` does."""
    pixels, truths, fonts = map(list, zip(*lines))
    texts = [line.text for line in Recognizer(model).read(pixels)]
    exact, cer = models.error_rates(truths, texts)
    return Validation(step, exact, cer, truths, texts, fonts, pixels)


class Stopper:
    """While entered, Ctrl-C and SIGTERM ask for a stop between two steps; twice insists."""

    def __init__(self):
        self.asked = False

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __enter__(self) -> "Stopper":
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


# --- training -------------------------------------------------------------------------------


def train(
    options: TrainOptions, on_validation: Callable[[Validation], Any] | None = None
) -> Validation:
    """Train as `options` say, or go on with the run in their folder.

    Returns the validation of the best model so far, the one that is kept as best.keras.

    on_validation is called after each one, to show how the model learns.
    Raises ValueError or TrainError before the first step for whatever cannot work; TrainError
    for a loss that is not finite; KeyboardInterrupt, with everything saved, after Ctrl-C.
    """
    # 1. what can be wrong is found before anything is written or built
    _check(options)
    spec = options.spec()
    found = find_fonts(options.fonts, options.language)
    fonts, validation_fonts = split_fonts(found, options.held_out)
    lines = Lines(options, spec, fonts, options.seed)
    unseen = Lines(options, spec, validation_fonts, options.seed + VALIDATION_SEED, augment=False)
    _survey(lines)
    validation_lines = [unseen[k] for k in range(options.validation_lines)]

    # 2. the run folder
    folder = RunFolder(options.model_dir)
    saved = folder.open(as_config(options), options.resume)

    # 3. the model, while the processes that draw start up
    with Prefetcher(lines, options.batch_size, options.workers) as prefetcher:
        device = devices.prepare()
        averaged = models.build(spec)  # carries the averaged weights, for validation and saving
        model = _compiled(options, spec)
        state = TrainState(model, averaged)
        if saved is not None:
            state.restore(saved)
        log(f"device: {device}, computing in {model.get_layer('features').compute_dtype}")
        log(
            f"{model.count_params():,} parameters; {len(lines.fonts)} fonts to train on, "
            f"{len(unseen.fonts)} to validate on"
        )
        finished = state.step >= options.steps or _exhausted(state, options)

        # 4. the loop
        batches = prefetcher.batches(state.step, options.steps)
        bar = tqdm(
            total=options.steps,
            initial=state.step,
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 15,  # a log or a notebook wants few
            smoothing=0.05,
            disable="ipykernel" in sys.modules,  # a notebook shows the pictures instead
        )
        with bar, SummaryWriter(str(folder.path / "tensorboard")) as board, Stopper() as stopper:
            while state.step < options.steps and not _exhausted(state, options):
                until = min(options.steps, (state.step // options.interval + 1) * options.interval)
                _run_steps(
                    state, itertools.islice(batches, until - state.step), bar, stopper, folder
                )
                state.average()
                result = validate(averaged, validation_lines, state.step)
                better = state.record(result.exact, result.cer)
                models.save(averaged, folder.last)
                if better:
                    models.save(averaged, folder.best)
                folder.write_metrics(state.rows)
                state.save(folder.checkpoint)
                _report(state, result, bar, board, folder)
                if on_validation:
                    on_validation(result)
    if finished:
        more = "more --steps" if state.step >= options.steps else "a larger --patience, or 0"
        log(
            f"the run in {folder.path} is finished, at step {state.step}. To go on, give {more}; "
            "to train anew, another --model-dir or --no-resume"
        )
    elif _exhausted(state, options) and state.step < options.steps:
        log(f"stopped early: {state.waited} validations without fewer errors (--patience)")
    if prefetcher.redrawn:
        log("lines drawn anew: " + _counts(prefetcher.redrawn))
    best = min(state.rows, key=lambda row: (1 - row["val_exact"], row["val_cer"]))
    return validate(models.load(folder.best), validation_lines, int(best["step"]))


def log(message: str) -> None:
    """Say something on standard error, where the progress bar is too."""
    print(message, file=sys.stderr)


def _check(options: TrainOptions) -> None:
    for name, least in (
        ("steps", 1), ("batch_size", 1), ("interval", 1), ("validation_lines", 1), ("warmup", 0),
        ("patience", 0), ("clip_norm", 0), ("weight_decay", 0), ("seed", 0), ("workers", 0),
    ):  # fmt: skip
        if not getattr(options, name) >= least:
            raise TrainError(f"{name} {getattr(options, name)}: give at least {least}")
    if options.seed >= VALIDATION_SEED:
        raise TrainError(f"seed {options.seed}: give a number under {VALIDATION_SEED}")
    if not 0 < options.learning_rate < 1:
        raise TrainError(f"learning_rate {options.learning_rate}: give a number between 0 and 1")
    if not 0 <= options.average < 1:
        raise TrainError(f"average {options.average}: give 0 (no averaging) to under 1")


def _survey(lines: Lines) -> None:
    """Draw some lines before training does; say what had to be drawn anew."""
    for k in range(SURVEY):
        lines[k]
    if lines.partial:
        log(f"{len(lines.partial)} fonts lack some characters, and draw only lines without them")
    if lines.texts.left_out:
        log(f"{lines.texts.left_out} texts left out: characters outside the alphabet")
    if lines.redrawn:
        log(f"of {SURVEY} first lines, drawn anew: {_counts(lines.redrawn)}")
    lines.redrawn.clear()


def _counts(counter: Counter[str]) -> str:
    return "; ".join(f"{count} ({reason})" for reason, count in counter.most_common())


def _compiled(options: TrainOptions, spec: ModelSpec) -> keras.Model:
    policy = keras.config.dtype_policy()
    mixed = options.mixed_precision == "on" or (
        options.mixed_precision == "auto" and devices.quick_in_bfloat16()
    )
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        model = models.build(spec, seed=options.seed)
    finally:
        keras.config.set_dtype_policy(policy)
    warmup = min(options.warmup, options.steps - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else options.learning_rate,
        decay_steps=options.steps - warmup,
        warmup_target=options.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=options.weight_decay,
        global_clipnorm=options.clip_norm or None,
        use_ema=options.average > 0,
        ema_momentum=options.average,
    )
    # on TensorFlow XLA is slower here, and compiles anew for every width
    model.compile(optimizer, models.ctc_loss, jit_compile=models.JAX)
    model.optimizer.build(model.trainable_variables)
    if keras.backend.backend() == "tensorflow":
        _trace(model, options.batch_size)
    return model


def _trace(model: keras.Model, batch_size: int) -> None:
    """Make TensorFlow's graph of a training step for any shape, before the first.

    By itself it makes one for the shapes it meets first and only then one for any, which rounds
    otherwise; but a run that goes on has to round as if it had never stopped.
    """
    spec = model.spec
    variables = [*model.variables, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for i in (1, 2):  # shapes that no batch has
        count, width = batch_size + i, i * imaging.WIDTH_MULTIPLE
        image = np.zeros((count, spec.height, width, spec.channels), np.float32)
        steps = models.time_steps(width, spec.stride)
        y = models.pack_labels([steps] * count, [[1] * i] * count)
        model.train_on_batch({"image": image, "width": np.full(count, width, np.int32)}, y)
    for variable, value in zip(variables, before):
        variable.assign(value)


def _exhausted(state: TrainState, options: TrainOptions) -> bool:
    return bool(options.patience) and state.waited >= options.patience


def _run_steps(
    state: TrainState,
    batches: Iterator[tuple[int, Batch]],
    bar: tqdm,
    stopper: Stopper,
    folder: RunFolder,
) -> None:
    """Train on `batches`. Asked to stop, saves and raises KeyboardInterrupt."""
    while drawn := _next(batches, state, folder):
        step, (x, y) = drawn
        if stopper.asked:
            state.save(folder.checkpoint)
            raise KeyboardInterrupt
        state.model.reset_metrics()
        loss = float(state.model.train_on_batch(x, y))
        if not math.isfinite(loss):
            path = folder.path / f"not_finite_step_{step:06d}.npz"
            np.savez(path, image=x["image"], width=x["width"], y=y, loss=loss)
            raise TrainError(
                f"the loss is {loss} at step {step}; its batch is kept in {path}. Try a lower "
                "--learning-rate or --clip-norm, with --no-resume or another --model-dir"
            )
        state.step += 1
        state.losses.append(loss)
        bar.update()
        if step % 10 == 0:
            last = state.rows[-1] if state.rows else {}
            shown = {"loss": f"{loss:.3f}"}
            if last:
                shown |= {"exact": f"{last['val_exact']:.1%}", "CER": f"{last['val_cer']:.2%}"}
            bar.set_postfix(shown, refresh=False)


def _next(
    batches: Iterator[tuple[int, Batch]], state: TrainState, folder: RunFolder
) -> tuple[int, Batch] | None:
    try:
        return next(batches, None)
    except BrokenExecutor as error:
        state.save(folder.checkpoint)
        raise TrainError(
            "a process that draws lines has ended (out of memory?). All is saved: go on with fewer "
            "--workers, or 0. A script of your own calls train() under if __name__ == '__main__':"
        ) from error


def _report(
    state: TrainState, result: Validation, bar: tqdm, board: SummaryWriter, folder: RunFolder
) -> None:
    row = state.rows[-1]
    bar.write(
        f"step {state.step}: loss {row['loss']:.4f}, validation: "
        f"exact {result.exact:.1%}, CER {result.cer:.2%}"
    )
    for name in ("loss", "val_exact", "val_cer"):
        board.add_scalar(name, row[name], state.step)
    picture = visualize.predictions(result.pixels, result.truths, result.texts)
    picture.save(folder.pictures / f"step_{state.step:06d}.png")


# --- the script -----------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Train from the command line. Returns the exit status: 0 done, 2 not possible, 130 stopped."""
    options = tyro.cli(TrainOptions, args=arguments, prog="train.py")
    started = time.perf_counter()
    try:
        result = train(options)
    except (ValueError, OSError, TrainError) as error:
        log(f"train.py: {error}")
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            log(f"{options.model_dir}: make room, and the same command goes on from its checkpoint")
        return 2
    except KeyboardInterrupt:
        given = sys.argv[1:] if arguments is None else arguments
        again = shlex.join(["python", "train.py", *(a for a in given if a != "--no-resume")])
        log(f"stopped. To go on: {again}")
        return 130
    worst = ", ".join(
        f"{name} {exact:.0%}" for name, exact, _ in result.by_font()[: options.worst_fonts]
    )
    print(
        f"{result.exact:.1%} of {len(result.truths)} validation lines read without an error "
        f"(CER {result.cer:.2%}) by the best model, of step {result.step}; "
        f"{time.perf_counter() - started:.0f} s in all\n"
        f"worst fonts: {worst}\n"
        f"pictures: {options.model_dir / 'pictures'}\n"
        f"read your own images with: python inference.py --model-dir {options.model_dir} IMAGE..."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
