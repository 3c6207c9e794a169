"""Train a recogniser on generated lines, on labelled images, or on both.

    python train.py                                  # digits, from nothing, into checkpoints/
    python train.py --alphabet ascii --text-source dictionary --words 4 --steps 20000
    python train.py --dataset my_images/             # file names and labels in labels.tsv
    python train.py --help                           # every option, its default and why

Each interval the run is validated on fonts, or labelled images, that it never trained on, a
picture of validation lines with their predictions is drawn, and everything needed to go on is
written to the run folder.
"""

import signal

if __name__ == "__main__":
    # Ctrl-C ends the program at once until there is a run to save: some imports would take it for a
    # package that is missing, and go on
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import contextlib
import dataclasses
import errno
import itertools
import math
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from tensorboardX import SummaryWriter
from tqdm import tqdm

import devices
import labelled
import model as models
import storage
import visualize
from calibration import fit_temperature
from data_generator import Batch, LineSequence
from devices import keras
from evaluation import perplexity
from inference import Recognizer, find_model
from model import ModelSpec
from options import OPTIMIZERS, TrainOptions, as_config, check, check_parts
from prefetch import Prefetcher
from run_folder import RunFolder, TrainError, TrainState, journal, log
from training_data import Data, counts, gather

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what a full disk answers


# --- validation -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Validation:
    """How a model reads the validation lines after `step` steps."""

    step: int
    exact: float  # share of lines read without an error
    cer: float  # edits a character of truth
    loss: float  # mean of labelled images; of generated lines not a number
    truths: list[str]
    texts: list[str]
    fonts: list[str]  # font file of each line, or its own
    pixels: list[np.ndarray]

    @property
    def perplexity(self) -> float:
        """exp of the loss a character; not a number where the loss is not known."""
        return perplexity(self.loss * len(self.truths), sum(map(len, self.truths)))

    def by_font(self) -> list[tuple[str, float, int]]:
        """(font file name, exact, lines) of each font, the worst read first."""
        right: dict[str, list[bool]] = {}
        for truth, text, font in zip(self.truths, self.texts, self.fonts):
            right.setdefault(Path(font).name, []).append(truth == text)
        return sorted(((f, sum(r) / len(r), len(r)) for f, r in right.items()), key=lambda x: x[1])


def validate(model: keras.Model, data: Data, step: int) -> Validation:
    """Read the validation lines with a model, the way `inference.py` does."""
    pixels, truths, fonts = map(list, zip(*data.validation))
    texts = [line.text for line in Recognizer(model).read(pixels)]
    exact, cer = models.error_rates(truths, texts)
    loss = float(np.mean(losses(model, data.validation))) if data.labelled else math.nan
    return Validation(step, exact, cer, loss, truths, texts, fonts, pixels)


def losses(
    model: keras.Model, examples: list[labelled.Example], batch_size: int = 64
) -> np.ndarray:
    """Loss of each line (lines,), in order; infinite for a label that the model cannot write."""
    spec, found = model.spec, np.full(len(examples), np.inf)
    sequence = LineSequence(labelled.LabelledLines([], spec), batch_size)
    scorer, loss = models.to_train(model)
    order = np.argsort([pixels.shape[1] / pixels.shape[0] for pixels, _, _ in examples])
    possible = []
    for i in order:
        pixels, text, _ = examples[i]
        if labelled.fault(pixels, text, spec) is None:
            possible.append(i)
    for start in range(0, len(possible), batch_size):
        chosen = possible[start : start + batch_size]
        x, y = sequence.collate([examples[i] for i in chosen])
        logits = scorer.predict_on_batch(models.training_inputs(spec, x, y))
        found[chosen] = keras.ops.convert_to_numpy(loss(y, logits))
    return found


class Stopper:
    """While entered, Ctrl-C and SIGTERM end the run: between two steps of the loop, else at once.

    A request is kept even where what runs swallows KeyboardInterrupt, as C extensions may: the
    loop then ends after its first step. In the loop, asking twice insists.
    """

    def __init__(self):
        self.asked = False
        self.in_loop = False

    def _ask(self, *_: object) -> None:
        insists, self.asked = self.asked or not self.in_loop, True
        if insists:
            raise KeyboardInterrupt

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
    for a loss that is not finite; ClusterError where the machines of a group cannot go on;
    KeyboardInterrupt, with everything saved, after Ctrl-C.
    """
    # 1. what can be wrong is found before anything is written or built
    check(options)
    group = devices.Group()
    data = gather(options)

    if options.alphabet == "auto":
        known = data.labelled or options.init_from
        alphabet = data.spec.alphabet if known else "digits"
        options = dataclasses.replace(options, alphabet=alphabet)
    if options.num_epoch:
        lines = options.num_epoch * data.images / (1 - options.mix_generated)
        steps = math.ceil(lines / options.batch_size)
        options = dataclasses.replace(options, steps=steps, num_epoch=0)

    # 2. the run folder
    folder = RunFolder(options.model_dir, group.chief)
    with contextlib.closing(folder), Stopper() as stopper:
        if not options.shares:
            shares = (folder.earlier("shares") if options.resume else None) or group.size
            options = dataclasses.replace(options, shares=shares)
        check_parts(options, group.devices)
        config = as_config(options) | ({"dataset_digest": data.digest} if data.labelled else {})
        if group.chief:
            saved = folder.open(config, options.resume)
        group.from_chief()  # the others wait for the folder
        if not group.chief:
            folder.fetch()
            saved = folder.last_checkpoint()
        return _train(options, data, group, folder, saved, stopper, on_validation)


def _train(
    options: TrainOptions,
    data: Data,
    group: devices.Group,
    folder: RunFolder,
    saved: dict[str, np.ndarray] | None,
    stopper: Stopper,
    on_validation: Callable[[Validation], Any] | None,
) -> Validation:
    """Train in a folder that is this run's alone, from a checkpoint if there is one."""
    # 3. the model, while the processes that draw start up
    part = {"shares": options.shares, "rank": group.rank, "size": group.size}
    with Prefetcher(data.lines, options.batch_size, options.workers, **part) as prefetcher:
        device = devices.prepare()
        averaged = models.build(data.spec)  # with the averaged weights, for validation and saving
        with group.scope():
            model, loss = _compiled(options, data.spec)
        train_step = group.trainer(model, loss)
        if options.init_from:
            start = models.load(find_model(options.init_from))
            if new := models.transfer(start, model):
                log(f"characters that have no weights in {options.init_from}: {new}")
        state = TrainState(model, averaged)
        if saved is not None:
            state.restore(saved)
        if group.from_chief([state.step]) != [state.step]:
            raise TrainError(
                f"model-dir {folder.name}: is not the same folder on every machine; name one on "
                "storage that they share"
            )
        log(f"device: {device}, computing in {model.get_layer('features').compute_dtype}")
        log(f"{model.count_params():,} parameters; {data.about}")
        finished = state.step >= options.steps or _exhausted(state, options)

        # 4. the loop
        batches = prefetcher.batches(state.step, options.steps)
        bar = tqdm(
            total=options.steps,
            initial=state.step,
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 15,  # a log or a notebook wants few
            smoothing=0.05,
            # a notebook shows the pictures instead
            disable="ipykernel" in sys.modules or not group.chief,
        )
        events = SummaryWriter(str(folder.path / "tensorboard"), write_to_disk=group.chief)
        with bar, events as board:
            stopper.in_loop = True
            while state.step < options.steps and not _exhausted(state, options):
                until = min(options.steps, (state.step // options.interval + 1) * options.interval)
                steps = itertools.islice(batches, until - state.step)
                _run_steps(train_step, state, steps, bar, stopper, folder)
                state.average()
                result = validate(averaged, data, state.step) if group.chief else None
                found = (result.exact, result.cer, result.loss) if result else (0, 0, 0)
                exact, cer, val_loss = group.from_chief(found)
                row = {"val_exact": exact, "val_cer": cer}
                if data.labelled:  # these are few and soon all read, but their loss still falls
                    row["val_loss"] = val_loss
                better = state.record(row)
                if result:
                    models.save(averaged, folder.last)
                    if better:
                        models.save(averaged, folder.best)
                    folder.write_metrics(state.rows)
                    folder.save(state)
                    _report(state, result, bar, board, folder)
                    if on_validation:
                        on_validation(result)
            stopper.in_loop = False
    if finished:
        more = "more --steps" if state.step >= options.steps else "a larger --patience, or 0"
        log(
            f"the run in {folder.name} is finished, at step {state.step}. To go on, give {more}; "
            "to train anew, another --model-dir or --no-resume"
        )
    elif _exhausted(state, options) and state.step < options.steps:
        wanted = "a lower loss" if data.labelled else "fewer errors"
        log(f"stopped early: {state.waited} validations without {wanted} (--patience)")
    if prefetcher.redrawn:
        log("lines drawn anew: " + counts(prefetcher.redrawn))
    if group.chief:
        best = models.load(folder.best)
        temperature = fit_temperature(best, data.to_calibrate())
        if temperature != best.spec.temperature:
            best.spec = dataclasses.replace(best.spec, temperature=temperature)
            models.save(best, folder.best)
        folder.publish()
    group.from_chief()  # the others wait for the best model
    if not group.chief:
        folder.fetch()
    return validate(models.load(folder.best), data, state.best_step)


def _compiled(options: TrainOptions, spec: ModelSpec) -> tuple[keras.Model, Callable]:
    """A model with its optimiser, and its loss."""
    policy = keras.config.dtype_policy()
    mixed = options.mixed_precision == "on" or (
        options.mixed_precision == "auto" and devices.quick_in_bfloat16()
    )
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        model, loss = models.to_train(models.build(spec, seed=options.seed))
    finally:
        keras.config.set_dtype_policy(policy)
    warmup = min(options.warmup, options.steps - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else options.highest_rate,
        decay_steps=options.steps - warmup,
        alpha=options.final_rate,
        warmup_target=options.highest_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = OPTIMIZERS[options.optimizer][0](
        schedule,
        # times the rate, which is 1 for adadelta: a twentieth of every weight, each step
        weight_decay=options.weight_decay if options.optimizer == "adamw" else None,
        global_clipnorm=options.clip_norm or None,
        use_ema=options.average > 0,
        ema_momentum=options.average,
    )
    # on TensorFlow XLA is slower here, and compiles anew for every width
    model.compile(optimizer, loss, jit_compile=models.JAX)
    model.optimizer.build(model.trainable_variables)
    return model, loss


def _exhausted(state: TrainState, options: TrainOptions) -> bool:
    return bool(options.patience) and state.waited >= options.patience


def _run_steps(
    train_step: Callable[[dict[str, np.ndarray], np.ndarray, bool], tuple[float, bool]],
    state: TrainState,
    batches: Iterator[tuple[int, Batch]],
    bar: tqdm,
    stopper: Stopper,
    folder: RunFolder,
) -> None:
    """Train on `batches`. Asked to stop, saves and raises KeyboardInterrupt."""
    while drawn := _next(batches, state, folder):
        step, (x, y) = drawn
        inputs = models.training_inputs(state.model.spec, x, y)
        loss, stopped = train_step(inputs, y, stopper.asked)
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
        if stopped:
            folder.save(state)
            raise KeyboardInterrupt
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
        folder.save(state)
        raise TrainError(
            "a process that draws lines has ended (out of memory?). All is saved: go on with fewer "
            "--workers, or 0. A script of your own calls train() under if __name__ == '__main__':"
        ) from error


def _report(
    state: TrainState, result: Validation, bar: tqdm, board: SummaryWriter, folder: RunFolder
) -> None:
    row = state.rows[-1]
    figures = f"exact {result.exact:.1%}, CER {result.cer:.2%}"
    if math.isfinite(result.loss):
        figures += f", loss {result.loss:.4f}, perplexity {result.perplexity:.4g}"
    said = f"step {state.step}: loss {row['loss']:.4f}, validation: {figures}"
    bar.write(said)
    journal.info(said)
    for name in row.keys() - {"step"}:
        board.add_scalar(name, row[name], state.step)
    picture = visualize.predictions(result.pixels, result.truths, result.texts)
    picture.save(folder.pictures / f"step_{state.step:06d}.png")


# --- the script -----------------------------------------------------------------------------


def run(options: TrainOptions, command: list[str]) -> int:
    """Train, and say how it went; `command` is what the user gave.

    Returns the exit status: 0 done, 2 not possible, 130 stopped.
    """
    started, where = time.perf_counter(), storage.named(options.model_dir)
    try:
        result = train(options)
    except (ValueError, OSError, TrainError, devices.ClusterError) as error:
        log(f"{command[1] if command[0] == 'python' else command[0]}: {error}")
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            log(f"{where}: make room, and the same command goes on from its checkpoint")
        elif isinstance(error, FileNotFoundError) and not options.model_dir.is_dir():
            log(f"{where}: has gone while the run went on; the same command starts anew")
        return 2
    except KeyboardInterrupt:
        log(f"stopped. To go on: {shlex.join(a for a in command if a != '--no-resume')}")
        return 130
    by_font = result.by_font()[: options.worst_fonts]
    worst = "worst fonts: " + ", ".join(f"{name} {exact:.0%}" for name, exact, _ in by_font)
    if options.dataset:
        pairs = zip(result.fonts, result.truths, result.texts)
        wrong = [f"{name} ({text!r})" for name, truth, text in pairs if text != truth]
        worst = "misread: " + (", ".join(wrong[:10]) or "none")
    print(
        f"{result.exact:.1%} of {len(result.truths)} validation lines read without an error "
        f"(CER {result.cer:.2%}) by the best model, of step {result.step}; "
        f"{time.perf_counter() - started:.0f} s in all\n"
        f"{worst}\n"
        f"pictures: {where}/pictures\n"
        f"read your own images with: python inference.py --model-dir {where} IMAGE..."
    )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Train from the command line. Returns the exit status."""
    options = tyro.cli(TrainOptions, args=arguments, prog="train.py")
    given = sys.argv[1:] if arguments is None else arguments
    return run(options, ["python", "train.py", *given])


if __name__ == "__main__":
    sys.exit(main())
