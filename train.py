"""Train a recogniser on generated lines, on labelled images, or on both.

    python train.py                                  # digits, from scratch, into checkpoints/
    python train.py --alphabet ascii --text-source dictionary --words 4 --steps 20000
    python train.py --dataset my_images/             # file names and labels in labels.tsv
    python train.py --recipe receipt --preview       # a picture of what would be drawn
    python train.py --help                           # the options, their defaults and reasons

This file is the training loop: options, data, model, training step, schedule, loop, validation and
checkpoints, from top to bottom. Every --interval steps the model is validated on fonts, or labelled
images, that it never trained on, and all that is needed to resume is written to the run folder.
"""

if __name__ == "__main__":  # --help and mistakes are answered before TensorFlow is imported
    from ocr_simple import interrupts

    interrupts.start_command()

    from ocr_simple.command_line import parse
    from ocr_simple.options import TrainOptions
    from ocr_simple.runs.config import check

    OPTIONS = parse(TrainOptions, prog="train.py", check=check)
    if OPTIONS.preview:
        from ocr_simple.runs import training_preview

        raise SystemExit(training_preview.run(OPTIONS, "train.py"))

import contextlib
import dataclasses
import functools
import itertools
import math
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np

import model as models
from data_generator import Data, counts, gather
from inference import Recognizer
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets.batches import Batch
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.decoding.calibration import fit_temperature
from ocr_simple.errors import TrainError
from ocr_simple.network.backend import backend, is_out_of_memory, keras
from ocr_simple.network.schedule import WarmupCosine
from ocr_simple.options import TrainOptions
from ocr_simple.reports.validation import Validation
from ocr_simple.runs import devices
from ocr_simple.runs.checkpoint import TrainState
from ocr_simple.runs.cluster import Cluster
from ocr_simple.runs.config import as_config, check, check_batch_size, resolve
from ocr_simple.runs.journal import log
from ocr_simple.runs.model_files import find_model
from ocr_simple.runs.progress import Progress, end_of_run
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.runs.signals import Stopper
from ocr_simple.spec import read_spec
from ocr_simple.text import Alphabet
from ocr_simple.written_files import is_disk_full, replacing_file

OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "adam": keras.optimizers.Adam,
    "adadelta": keras.optimizers.Adadelta,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during the training steps: a checkpoint is saved."""


def train(
    options: TrainOptions,
    on_validation: Callable[[Validation], Any] | None = None,
    onnx: bool = False,
) -> Validation:
    """Train as `options` say, or resume the run in their folder.

    Returns the validation of the best model so far, which is kept as best.keras.

    on_validation: called after each validation, to show how the model learns. onnx: whether to
    write the ONNX file of that model too, with which it is read without TensorFlow.
    Raises ValueError or TrainError before the first step for whatever cannot work; TrainError for
    a loss that is not finite; ClusterError if machines cannot work together; on Ctrl-C Interrupted
    if a checkpoint was saved then, otherwise KeyboardInterrupt.
    """
    # 1. Options and data: whatever is wrong is found before anything is written or built.
    check(options)
    cluster = Cluster()
    spec = models.spec_to_train(options)
    folder = RunFolder(options.model_dir, cluster.chief)
    if cluster.chief:  # it may be writing there already when another machine gets here
        folder.check_place(options.resume)
    # a run that resumes with other data keeps the characters that its network knows
    known = folder.earlier("alphabet") if options.data_changed and options.resume else ""
    data = gather(options, spec, known=known or "")
    options = resolve(options, data.spec.alphabet, data.images)

    # 2. The run folder: a new run, or one that resumes from its last checkpoint.
    with contextlib.closing(folder), Stopper() as stopper:
        if not options.shares:  # fixed for the life of a run, so that its batches stay the same
            shares = (folder.earlier("shares") if options.resume else None) or cluster.size
            options = dataclasses.replace(options, shares=shares)
        check_batch_size(options, cluster.devices)
        config = as_config(options) | ({"dataset_digest": data.digest} if data.labelled else {})
        saved = None
        if cluster.chief:
            saved = folder.open(config, options.resume, options.data_changed)
        # the other machines wait for the folder
        folder.data_differ = bool(cluster.from_chief([folder.data_differ])[0])
        if not cluster.chief:
            folder.fetch()
            saved = folder.last_checkpoint()
        training = Training(options, data, cluster, folder, stopper)
        return training.run(saved, on_validation, onnx)


class Training:
    """A run in its folder: the model, its optimiser, and the loop."""

    def __init__(
        self,
        options: TrainOptions,
        data: Data,
        cluster: Cluster,
        folder: RunFolder,
        stopper: Stopper,
    ):
        self.options, self.data, self.cluster = options, data, cluster
        self.folder, self.stopper = folder, stopper

    def run(self, saved: dict | None, on_validation: Callable | None, onnx: bool) -> Validation:
        """Train from a checkpoint, if there is one. Returns the validation of the best model."""
        options, cluster, folder = self.options, self.cluster, self.folder
        # Batches are drawn by other processes, which start while the model is built.
        part = {"shares": options.shares, "rank": cluster.rank, "size": cluster.size}
        with Prefetcher(self.data.lines, options.batch_size, options.workers, **part) as prefetcher:
            device = devices.prepare()
            self.build()
            if saved is not None:
                self.state.restore(saved)
            if folder.data_differ:
                self.state.forget_best()
                log(
                    "The labelled images have changed, so the best model is chosen again from here "
                    "on. Some validation images may have been trained on before; name a fixed set "
                    "with --validation"
                )
                folder.save(self.state)  # a resumed run must not go back to the old best
            if cluster.from_chief([self.state.step]) != [self.state.step]:
                raise TrainError(
                    f"--model-dir {folder.name}: is not the same folder on every machine; name "
                    "one on storage that they share"
                )
            log(f"Device: {device}, computing in {self.model.get_layer('features').compute_dtype}")
            log(f"Alphabet: {Alphabet(self.data.spec.alphabet)}")
            log(f"{self.model.count_params():,} parameters; {self.data.about}")
            finished = self.finished()
            batches = prefetcher.batches(self.state.step, options.steps)
            with Progress(options.steps, self.state.step, folder, cluster.chief) as progress:
                self.loop(batches, progress, on_validation)
        if prefetcher.redrawn:
            log(f"Redrawn lines: {counts(prefetcher.redrawn)}")
        if message := end_of_run(self.state, options, finished, self.data.labelled, folder.name):
            log(message)
        if cluster.chief:
            best = self.calibrated()
            if onnx and (reason := models.save_onnx(folder.best, best)):
                log(f"No ONNX file was written ({reason}); the model is read with Keras")
            folder.publish()
        cluster.from_chief()  # the other machines wait for the best model
        if not cluster.chief:
            folder.fetch()
            best = models.load(folder.best)
        return self.validate(best, self.state.best_step)

    # --- model, optimiser and schedule

    def build(self) -> None:
        """The model, its loss and optimiser, and the training step."""
        options, spec = self.options, self.data.spec
        self.averaged = models.build(spec)  # has the averaged weights; is validated and saved
        with self.cluster.scope():
            with devices.precision(options.mixed_precision):
                self.model, loss = models.trainable(models.build(spec, seed=options.seed))
                self.loss = models.robust(loss, options.robust_loss)
            self.optimizer = OPTIMIZERS[options.optimizer](
                self.schedule(),
                # Keras multiplies it by the learning rate, which is 1 for adadelta: far too much
                weight_decay=options.weight_decay if options.optimizer == "adamw" else None,
                global_clipnorm=options.clip_norm or None,
                use_ema=options.average > 0,
                ema_momentum=options.average,
            )
            # on TensorFlow XLA is slower here, and compiles again for every width
            self.model.compile(self.optimizer, self.loss, jit_compile=backend() == "jax")
            self.optimizer = self.model.optimizer
            self.optimizer.build(self.model.trainable_variables)
        self.part_count = devices.part_count(options.batch_size // self.cluster.devices)
        if backend() == "tensorflow":
            self.run_step = self.cluster.compiled(self.step, self.model)
        else:
            self.run_step = self.keras_step
        if options.init_from:
            start = models.load(find_model(options.init_from))
            new = models.transfer(start, self.model)
            if start.spec.head != spec.head:
                log(f"The {spec.head} head is new and starts from scratch")
            elif new:
                log(f"{options.init_from} lacks {new!r}; these characters start from scratch")
        self.state = TrainState(self.model, self.averaged)

    def schedule(self) -> Any:
        """The learning rate: a linear rise over --warmup steps, then a cosine to its end."""
        options = self.options
        warmup = min(options.warmup, options.steps - 1)
        return WarmupCosine(options.highest_rate, options.steps, warmup, options.final_rate)

    # --- the training step

    def step(self, inputs: dict[str, Any], labels: Any) -> Any:
        """One step of gradient descent on one device's share of a batch. Returns the mean loss.

        inputs: image (batch, height, width, channels), width (batch,); labels: `pack_labels`.
        """
        import tensorflow as tf

        lines = tf.shape(labels)[0]
        losses, gradients = [], []
        for k in range(self.part_count):  # computed side by side: see backend.py
            part = slice(lines * k // self.part_count, lines * (k + 1) // self.part_count)
            x = {name: values[part] for name, values in inputs.items()}
            found = self.loss_and_gradients(x, labels[part], lines)
            losses.append(found[0])
            gradients.append(found[1])
        total = [tf.add_n(list(map(tf.convert_to_tensor, parts))) for parts in zip(*gradients)]
        total = self.cluster.mean_gradients(total)  # over all devices and machines
        # clips them, and keeps the average of weights
        self.optimizer.apply(total, self.model.trainable_variables)
        return tf.add_n(losses)

    def loss_and_gradients(self, inputs: dict[str, Any], labels: Any, lines: Any) -> tuple:
        """What a part of a batch of `lines` adds to the mean loss and to its gradients."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            logits = self.model(inputs, training=True)  # (part, steps, classes)
            losses = self.loss(labels, logits)  # (part,)
            loss = tf.reduce_sum(losses) / tf.cast(lines, losses.dtype)
        weights = [weight.value for weight in self.model.trainable_variables]
        return loss, tape.gradient(loss, weights)

    def keras_step(self, inputs: dict, labels: np.ndarray, stop: bool) -> tuple[float, bool]:
        """The same step as Keras makes it, for other backends than TensorFlow."""
        with self.cluster.scope():
            self.model.reset_metrics()
            return float(self.model.train_on_batch(inputs, labels)), stop

    # --- the loop

    def loop(
        self,
        batches: Iterator[tuple[int, Batch]],
        progress: Progress,
        on_validation: Callable | None,
    ) -> None:
        """Train, and validate every --interval steps, until the run is finished."""
        state, options = self.state, self.options
        self.stopper.in_loop = True
        while not self.finished():
            until = min(options.steps, (state.step // options.interval + 1) * options.interval)
            stopped = self.train_until(until, batches, progress)
            if stopped and state.step < until:
                self.folder.save(state)
                raise Interrupted
            state.average()
            result = self.validate(self.averaged, state.step) if self.cluster.chief else None
            found = (result.exact, result.cer, result.loss) if result else (0, 0, 0)
            exact, cer, val_loss = self.cluster.from_chief(found)
            row = {"val_exact": exact, "val_cer": cer}
            if self.data.labelled:  # few images are soon all read, but their loss still falls
                row["val_loss"] = val_loss
            better = state.record(row)
            if result:
                self.checkpoint(better)
                progress.validated(state.rows[-1], result)
                if on_validation:
                    on_validation(result)
            if stopped:  # on the last step of the interval, whose validation is now saved too
                raise Interrupted
        self.stopper.in_loop = False

    def train_until(
        self, until: int, batches: Iterator[tuple[int, Batch]], progress: Progress
    ) -> bool:
        """Train up to step `until`. Returns whether it was asked to stop, and did."""
        state = self.state
        for step, (x, y) in self.checked(itertools.islice(batches, until - state.step)):
            inputs = models.training_inputs(self.data.spec, x, y)
            loss, stopped = self.run_step(inputs, y, self.stopper.asked)
            if not math.isfinite(loss):
                machine = f"_machine_{self.cluster.rank}" if self.cluster.size > 1 else ""
                name = f"not_finite_step_{step:06d}{machine}.npz"
                values = {"image": x["image"], "width": x["width"], "y": y, "loss": loss}
                np.savez(self.folder.path / name, **values)
                self.folder.publish()
                raise TrainError(
                    f"the loss is {loss} at step {step}; its batch is kept in {self.folder.name}/"
                    f"{name}. Try a lower --learning-rate or --clip-norm, with --no-resume or "
                    "another --model-dir"
                )
            state.step += 1
            state.losses.append(loss)
            progress.step(step, loss, state.rows)
            if stopped:
                return True
        return False

    def checked(self, batches: Iterator[tuple[int, Batch]]) -> Iterator[tuple[int, Batch]]:
        """The batches; if a process that draws them dies, saves and raises TrainError."""
        try:
            yield from batches
        except BrokenExecutor as error:
            self.folder.save(self.state)
            raise TrainError(
                "a process that draws lines ended (out of memory?). The checkpoint is saved: "
                "resume with fewer --workers, or 0"
            ) from error

    # --- validation and checkpoints

    def validate(self, model: keras.Model, step: int) -> Validation:
        """Read the validation lines as `inference.py` does."""
        recognizer = Recognizer(model)
        readings = recognizer.read_labelled(self.data.validation, losses=self.data.labelled)
        return Validation.of(step, readings, [pixels for pixels, _, _ in self.data.validation])

    def checkpoint(self, better: bool) -> None:
        """Write the model, the best so far if it is, metrics.csv, and all that resuming takes."""
        models.save(self.averaged, self.folder.last)
        if better:
            with replacing_file(self.folder.best) as file:
                shutil.copyfile(self.folder.last, file)
        self.folder.write_metrics(self.state.rows)
        self.folder.save(self.state)

    def calibrated(self) -> keras.Model:
        """The best model, with its confidence calibrated on lines it was not trained on.

        It replaces best.keras. With too few such lines, it keeps the temperature of the model that
        the run began with.
        """
        best = models.load(self.folder.best)
        if lines := list(self.data.to_calibrate()):
            pixels, truths, _ = zip(*lines)
            temperature = fit_temperature(Recognizer(best).outputs(pixels), truths, best.spec)
        else:
            temperature = self.first_temperature()
            few = f"{len(self.data.validation)} validation images are too few"
            log(f"Confidence not calibrated: {few}; temperature {temperature:.3g} is kept")
        if temperature != best.spec.temperature:
            best.spec = dataclasses.replace(best.spec, temperature=temperature)
            models.save(best, self.folder.best)
        return best

    def first_temperature(self) -> float:
        """The temperature of the model that the run began with."""
        start = self.options.init_from
        spec = read_spec(find_model(start)) if start else self.data.spec
        return spec.temperature if spec.head == self.data.spec.head else 1.0

    def finished(self) -> bool:
        """Whether all steps are done, or --patience is exhausted."""
        return self.state.step >= self.options.steps or self.out_of_patience()

    def out_of_patience(self) -> bool:
        return 0 < self.options.patience <= self.state.waited


# --- the script -------------------------------------------------------------------------------


def run(options: TrainOptions, command: list[str]) -> int:
    """Train, and print the result; `command`: what the user typed, to resume with.

    Returns the exit status: 0 done, 2 not possible, 130 interrupted.
    """
    started, where = time.perf_counter(), storage.display_name(options.model_dir)
    script = command[1] if command[0] == "python" else command[0]
    try:
        result = train(options, onnx=True)
    except (ValueError, OSError) as error:
        log(f"{script}: {error}")
        if is_disk_full(error):
            log(f"{where}: free some disk space; the same command resumes from the last checkpoint")
        is_local = not storage.url_of(options.model_dir)
        if isinstance(error, FileNotFoundError) and is_local and not options.model_dir.is_dir():
            log(f"{where}: was removed during the run; the same command starts a new run")
        return 2
    except Interrupted:
        words = (word for word in command if word.replace("_", "-") != "--no-resume")
        resume = shlex.join(words)
        log(f"Interrupted; checkpoint saved. Resume with: {resume}")
        return 130
    except KeyboardInterrupt:
        log("Interrupted outside the training steps; the same command resumes")
        return 130
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        log(f"{script}: not enough memory; give a smaller --batch-size")
        return 2
    say(result.summary())
    if options.dataset:
        say(result.misread_images())
    elif options.worst_fonts:
        say(result.worst_fonts(options.worst_fonts))
    say(
        f"{time.perf_counter() - started:.0f} s in all; pictures: {where}/pictures\n"
        f"Read your own images with: python inference.py --model {shlex.quote(where)} IMAGE..."
    )
    return 0


if __name__ == "__main__":
    sys.exit(run(OPTIONS, ["python", "train.py", *sys.argv[1:]]))
