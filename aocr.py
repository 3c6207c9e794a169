"""The `aocr` command: from labelled images to a model, its report and its readings.

    aocr dataset annotations.txt training.tfrecords     # lines of: path label
    aocr dataset --generate 20000 training.tfrecords    # generated lines instead
    aocr train training.tfrecords                       # into checkpoints/
    aocr test --visualize testing.tfrecords             # report and pictures, into results/
    ls scans/*.png | aocr predict
    aocr export exported --format all                   # SavedModel, ONNX, LiteRT
    aocr serve exported                                 # TensorFlow Serving's REST API
    aocr train --help

Its words are those of attention-ocr's command of that name.
"""

import atexit
import contextlib
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from tqdm import tqdm

import devices
import evaluation
import inference
import labelled
import model as models
import pipelines
import records
import report_pictures as pictures
import storage
import train
from data_generator import LineOptions, Lines
from drawing import HELD_OUT, find_fonts, split_fonts
from evaluation import Reading
from export import ExportOptions
from image import ImageError
from inference import InferenceOptions, Recognizer, find_model, find_run_model
from model import ModelSpec
from options import TrainOptions
from page import visible
from pipelines import RunnerOptions
from records import Entry, Fault
from run_folder import journal
from serve import ServeOptions
from text import one_line

log = logging.getLogger("ocr_simple")

NEW_DATASET = Path("dataset.tfrecords")
CHUNK = 256  # labelled images read at a time
File = tyro.conf.Positional[Path | None]


@dataclass(frozen=True)
class DatasetOptions(LineOptions, RunnerOptions):
    """Make TFRecords of labelled images, or of generated lines."""

    annotations: Annotated[File, tyro.conf.arg(metavar="ANNOTATIONS")] = None
    """Lines of a path and a label, parted by a space, tab or comma; or a folder with labels.tsv."""
    output: Annotated[File, tyro.conf.arg(metavar="[OUTPUT]")] = None
    """The file to write; dataset.tfrecords if none is named."""

    # --- what is written
    force_uppercase: bool = True
    """Put labels in capitals, as aocr does; --no-force-uppercase leaves them as they are."""
    save_filename: bool = False
    """Keep the name of each image's file, so that reports can name it."""
    skip_bad: bool = False
    """Leave bad lines out, listed in OUTPUT.skipped.tsv; else one of them stops it all."""
    log_step: int = 500
    """Images between two lines of the log, where no terminal shows a bar."""

    # --- generated lines
    generate: int = 0
    """Generated lines to write in place of annotations."""
    vary: bool = False
    """Vary generated lines as in training; training varies whatever it reads by itself."""
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) to leave to validation; none draws with all."""
    seed: int = 0
    """The same seed writes the same lines."""
    color: bool = False
    """Write colour."""
    workers: int = os.cpu_count() or 1
    """Processes that draw; the lines are the same for any number."""

    def run(self, given: list[str]) -> int:
        """Write the files; print what is in them. Returns the exit status."""
        output = self.output or NEW_DATASET
        with _progress(self.log_step) as on_line:
            if self.generate and self.output:
                raise ValueError(f"{self.annotations}: --generate takes OUTPUT alone")
            if self.generate:
                output, lines = self.annotations or NEW_DATASET, self._lines()
                if self.runner:
                    written = pipelines.generate(lines, self.generate, output, how=self)
                else:
                    written = records.generate(
                        lines, self.generate, output, shards=self.shards, workers=self.workers,
                        on_line=on_line,
                    )  # fmt: skip
            elif self.annotations:
                changes = {
                    "force_uppercase": self.force_uppercase,
                    "save_filename": self.save_filename,
                    "skip_bad": self.skip_bad,
                }
                if self.runner:
                    written = pipelines.convert(self.annotations, output, how=self, **changes)
                else:
                    written = records.convert(
                        self.annotations, output, shards=self.shards, on_line=on_line, **changes
                    )
            else:
                raise ValueError("name an ANNOTATIONS file, or --generate a number of lines")
        print(written)
        if not written.faults:
            return 0
        listed = f"{storage.named(output)}{records.SKIPPED}"
        print(f"{len(written.faults)} lines left out, listed in {listed}", file=sys.stderr)
        return 1

    def _lines(self) -> Lines:
        fonts, _ = split_fonts(find_fonts(self.fonts, self.language), self.held_out)
        spec = ModelSpec(self.parsed_alphabet().characters, channels=3 if self.color else 1)
        return Lines(self, spec, fonts, self.seed, augment=self.vary)


@contextlib.contextmanager
def _progress(log_step: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line each `log_step` images."""
    with tqdm(unit="image", mininterval=0.5, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)
            if bar.disable and done % max(1, log_step) == 0:
                log.info("%d of %d", done, of)

        yield show


@dataclass(frozen=True)
class LoggedOptions:
    """What all commands that use a model take."""

    log_path: Path | None = Path("attentionocr.log")
    """File that gets what is said, line by line, as well; None for none."""
    gpu_id: int | None = None
    """GPU to use, by its number; -1 for none of them."""

    def prepare(self) -> None:
        """Choose the GPU and open the log. Raises OSError."""
        if self.gpu_id is not None:  # before TensorFlow or JAX look for them
            os.environ["CUDA_VISIBLE_DEVICES"] = str(self.gpu_id)
        if self.log_path is not None:
            folder = storage.Mirror(self.log_path.parent)
            atexit.register(folder.publish)
            file = folder.path / self.log_path.name
            handler = logging.FileHandler(file, encoding="utf-8", errors="replace")
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            for logger in (journal, log):
                for earlier in logger.handlers:  # of another command in this process
                    earlier.close()
                logger.setLevel(logging.INFO)
                logger.handlers = [handler]


@dataclass(frozen=True)
class AocrTrainOptions(TrainOptions, LoggedOptions):
    """Train a recogniser on labelled images, or without any on generated lines."""

    dataset: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")] = ()
    """TFRecords, annotation files, or folders with labels.tsv; without any, lines are generated."""
    interval: Annotated[int, tyro.conf.arg(aliases=["--steps-per-checkpoint"])] = 100
    """Steps between validations, and between checkpoints."""
    head: Literal["ctc", "attention"] = "attention"
    """attention, aocr's, learns which character follows which; ctc reads and learns faster."""
    full_ascii: bool = False
    """Know all printable ASCII characters, not those of the labels alone."""
    gradient_clipping: bool = True
    """Clip gradients to --max-gradient-norm."""

    def run(self, given: list[str]) -> int:
        """Train. Returns the exit status."""
        self.prepare()
        changed: dict[str, Any] = {} if self.gradient_clipping else {"clip_norm": 0.0}
        if self.full_ascii:
            changed["alphabet"] = "ascii"
        return train.run(replace(self, **changed), ["aocr", *given])


@dataclass(frozen=True)
class TestOptions(LoggedOptions):
    """Read labelled images, and report how well they were read."""

    dataset: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")] = ()
    """TFRecords, annotation files, or folders with labels.tsv."""
    model: str | None = None
    """Shipped model's name, or a model file, in place of --model-dir."""
    model_dir: Annotated[Path, tyro.conf.arg(aliases=["--job-dir"])] = Path("checkpoints")
    """Run folder of a training; its best model reads."""
    output_dir: Path = Path("results")
    """Folder for the report and the pictures."""
    visualize: bool = False
    """Draw for every line where each of its characters was read."""
    distance: bool = True
    """Count a line as right by its share of right characters; --no-distance: whole or not."""

    def run(self, given: list[str]) -> int:
        """Read, log each line and write the report. Returns the exit status."""
        if not self.dataset:
            raise ValueError("name a DATASET: TFRecords, annotations, or a folder with labels.tsv")
        file = find_model(self.model) if self.model else find_run_model(self.model_dir)
        self.prepare()
        devices.prepare()  # first, as TensorFlow reads the records too
        found = labelled.find_all(self.dataset)
        entries = [line for line in found if isinstance(line, Entry)]
        faults = [line for line in found if isinstance(line, Fault)]
        print(f"reading with {storage.named(file)}", file=sys.stderr)
        recognizer = Recognizer(models.load(file))
        readings, used, correct = [], [], 0.0
        for start in range(0, len(entries), CHUNK):
            chunk = entries[start : start + CHUNK]
            good, pixels = [], []
            for entry in chunk:
                try:
                    pixels.append(labelled.decoded(entry, recognizer.spec.channels))
                    good.append(entry)
                except (OSError, ImageError) as error:
                    faults.append(Fault(entry.place, str(error)))
            before = time.perf_counter()
            lines = recognizer.read(pixels)
            seconds = (time.perf_counter() - before) / len(chunk)
            examples = [(p, entry.label, entry.name) for p, entry in zip(pixels, good)]
            losses = train.losses(recognizer.model, examples)
            for entry, line, loss in zip(good, lines, losses):
                used.append(entry)
                readings.append(Reading(entry.name, entry.label, line, float(loss)))
                correct += evaluation.aocr_accuracy(entry.label, line.text, self.distance)
                accuracy = correct / len(readings)
                log.info(_step(len(readings), seconds, accuracy, readings[-1], self.distance))
        if faults:
            places = {line.place: i for i, line in enumerate(found)}
            faults.sort(key=lambda fault: places[fault.place])
            log.warning(
                f"{len(faults)} of {len(found)} lines cannot be used:{labelled.listed(faults)}"
            )
        if not readings:
            raise ValueError("no line was read")

        def pixels_of(index: int) -> np.ndarray:
            return labelled.decoded(used[index], channels=3)

        title = f"{', '.join(self.dataset)}, read with {storage.named(file)}"
        with storage.written(self.output_dir, fetch=True) as folder:
            report = evaluation.report(readings, folder, pixels_of, title)
            if self.visualize:
                _visualize(recognizer, used, readings, folder)
            print(f"{report}\nreport: {storage.named(folder / 'report.md')}")
        return 1 if faults else 0


@dataclass(frozen=True)
class PredictOptions(InferenceOptions, RunnerOptions, LoggedOptions):
    """Read images named as arguments or, a line each, on standard input."""

    format: Literal["aocr", "text", "tsv", "json"] = "aocr"
    """aocr: result: ok, probability, text; text for people; tsv: path, text, confidence; json: JSON
    Lines with characters."""
    model_dir: Annotated[Path | None, tyro.conf.arg(aliases=["--job-dir"])] = None
    """Run folder of a training, whose best model reads; checkpoints unless --model is given."""
    output: Path | None = None
    """File for what is read, or files if there are --shards; for a --runner."""
    log_path: Path | None = None
    """File that gets what is said, line by line, as well; None for none."""

    def run(self, given: list[str]) -> int:
        """Read. Returns the exit status."""
        self.prepare()
        folder = self.model_dir or (None if self.model else Path("checkpoints"))
        asked = replace(self, paths=self.paths or ("-",), model_dir=folder)
        if self.runner and self.output:
            return pipelines.predict(asked, self.output, how=self)
        if self.runner:
            raise ValueError(f"runner {self.runner}: name a file to write to with --output")
        if self.output or self.shards != 1:
            raise ValueError("output and shards are for a --runner; without one, give > FILE")
        return inference.piped(lambda: inference.run(asked))


@dataclass(frozen=True)
class AocrExportOptions(ExportOptions, LoggedOptions):
    """Write a model for services, programs and phones; how each reads is compared with it."""

    model_dir: Annotated[Path | None, tyro.conf.arg(aliases=["--job-dir"])] = None
    """Run folder of a training; its best model is written. checkpoints unless --model is given."""

    def run(self, given: list[str]) -> int:
        """Write. Returns the exit status."""
        self.prepare()
        folder = self.model_dir or (None if self.model else Path("checkpoints"))
        return ExportOptions.run(replace(self, model_dir=folder), given)


def _step(number: int, seconds: float, accuracy: float, reading: Reading, distance: bool) -> str:
    """A line of the log, in the form of aocr's."""
    own = evaluation.aocr_accuracy(reading.truth, reading.line.text, distance)
    read = f"({reading.truth})" if own == 1 else f"({reading.line.text} vs {reading.truth})"
    perplexity = evaluation.perplexity(reading.loss, len(reading.truth))
    return (
        f"Step {number} ({seconds:.3f}s). Accuracy: {accuracy:6.2%}, loss: {reading.loss:f}, "
        f"perplexity: {perplexity:.6g}, probability: {reading.line.confidence:6.2%} "
        f"{own:>4.0%} {read} {one_line(reading.name)}"
    )


def _visualize(
    recognizer: Recognizer, entries: list[Entry], readings: list[Reading], output: Path
) -> None:
    """A folder for each line, under correct/ or incorrect/, with pictures of where it was read."""
    _remove_pictures(output)
    for number, (entry, reading) in enumerate(zip(entries, readings), 1):
        kind = "correct" if reading.exact else "incorrect"
        folder = output / kind / evaluation.safe_name(f"{number:05}_{Path(entry.name).stem}")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = labelled.decoded(entry, recognizer.spec.channels)
        line, truth = reading.line, reading.truth
        if recognizer.spec.head == "ctc":
            probabilities = recognizer.probabilities(pixels)
            picture = pictures.time_step_map(pixels, line, probabilities, recognizer.spec, truth)
            picture.save(folder / "time_steps.png")
        else:
            attention = recognizer.attention(pixels)
            picture = pictures.attention_sheet(pixels, line, attention, truth)
            picture.save(folder / "attention.png")
            frames = pictures.attention_frames(pixels, line, attention)
            pictures.save_gif(frames, folder / "attention.gif")
            for place, (character, frame) in enumerate(zip(line.text, frames), 1):
                frame.save(folder / evaluation.safe_name(f"{place:02}_{visible(character)}.png"))


def _remove_pictures(output: Path) -> None:
    """Remove an earlier test's folders: a line may stand elsewhere now, and read otherwise."""
    for kind in ("correct", "incorrect"):
        for picture in sorted(output.glob(f"{kind}/[0-9]*_*/*")):
            if picture.name in {"time_steps.png", "attention.gif"}:
                shutil.rmtree(picture.parent, ignore_errors=True)


Command = (
    DatasetOptions
    | AocrTrainOptions
    | TestOptions
    | PredictOptions
    | AocrExportOptions
    | ServeOptions
)
COMMANDS: dict[str, Callable[..., Command]] = {
    "dataset": DatasetOptions,
    "train": AocrTrainOptions,
    "test": TestOptions,
    "predict": PredictOptions,
    "export": AocrExportOptions,
    "serve": ServeOptions,
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 with lines left out, 2 not possible."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    warnings.filterwarnings("ignore", module="PIL")  # what Pillow can read past; the rest it raises
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = next((i for i, word in enumerate(given) if word in COMMANDS), 0)
    given = given[place : place + 1] + given[:place] + given[place + 1 :]  # aocr's global options
    command = tyro.extras.subcommand_cli_from_dict(COMMANDS, args=given, prog="aocr")
    try:
        return command.run(given)
    except (ValueError, OSError) as error:
        print(f"aocr: {error}", file=sys.stderr)
        return 2
    except BrokenExecutor:
        print("aocr: a process has ended (out of memory?); give fewer --workers", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
