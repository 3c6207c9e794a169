"""The options of each `aocr` command. No other module is imported to parse them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Gt

from ocr_simple.options import (
    HELD_OUT,
    DatasetOption,
    Group,
    InferenceOptions,
    LineOptions,
    NotNegative,
    Positive,
    TrainOptions,
)

File = tyro.conf.Positional[Path | None]
Model = Annotated[str, tyro.conf.arg(aliases=["--model-dir", "--job-dir"])]


@dataclass(frozen=True)
class LogOptions(Group):
    """Log file and GPU."""

    shown = False
    log_path: Path | None = Path("attentionocr.log")
    """Also write messages to this file; None for none."""
    gpu_id: int | None = None
    """GPU to use, by number; -1 for none."""


@dataclass(frozen=True)
class RunnerOptions(Group):
    """Apache Beam."""

    shown = False
    shards: Positive = 1
    """Files to split the output into; with --runner they are made in parallel."""
    runner: str | None = None
    """Run as a pipeline of Apache Beam: DirectRunner on this machine, DataflowRunner, FlinkRunner,
    SparkRunner. Without it, the command runs here, without Beam."""
    runner_options: tuple[str, ...] = ()
    """Beam's options, such as project=mine region=europe-west1."""


# --- dataset ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RecordOptions(Group):
    """What is written."""

    annotations: Annotated[File, tyro.conf.arg(metavar="ANNOTATIONS")] = None
    """Rows of a path and a label, separated by a space, tab or comma; or a folder with
    labels.tsv."""
    output: Annotated[File, tyro.conf.arg(metavar="[OUTPUT]")] = None
    """File to write; dataset.tfrecords by default."""
    force_uppercase: bool = True
    """Change labels to upper case, as aocr does; --no-force-uppercase keeps them."""
    save_filename: bool = False
    """Keep the name of each image's file, for reports."""
    skip_bad: bool = False
    """Leave out rows that cannot be used, and list them in OUTPUT.skipped.tsv."""
    log_step: int = 500
    """Images between two log messages, where there is no progress bar."""
    generate: NotNegative = 0
    """Write this many generated lines instead of annotations."""
    vary: bool = False
    """Vary generated lines. Training varies whatever it reads, so this is rarely needed."""
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) not to draw with; none draws with all."""
    seed: NotNegative = 0
    """Random seed of generated lines."""
    color: bool = False
    """Write generated lines in colour."""
    workers: Positive = os.cpu_count() or 1
    """Processes that draw; the lines do not depend on the number."""


@dataclass(frozen=True)
class DatasetOptions(RunnerOptions, LineOptions, RecordOptions):
    """Make TFRecords of labelled images, or of generated lines."""


# --- train ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetArgument(DatasetOption):
    """Your labelled images."""

    dataset: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")] = ()
    """TFRecords, annotation files, or folders with labels.tsv. Without any, lines are generated."""


@dataclass(frozen=True)
class AocrWords(Group):
    """Options of attention-ocr."""

    shown = False
    full_ascii: bool = False
    """Train for all printable ASCII characters, not those of the labels alone."""
    gradient_clipping: bool = True
    """Clip gradients to --max-gradient-norm."""


@dataclass(frozen=True)
class AocrTrainOptions(LogOptions, AocrWords, TrainOptions, DatasetArgument):
    """Train a recogniser on labelled images, or without any on generated lines.

    The options of train.py, with attention-ocr's names and defaults where they differ: DATASET
    as an argument, the attention head, and a validation every 100 steps.
    """

    interval: int = 100  # see RunOptions
    head: Literal["ctc", "attention"] = "attention"  # see ModelOptions


# --- test, predict ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportOptions(Group):
    """What is read, and the report."""

    dataset: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")] = ()
    """TFRecords, annotation files, or folders with labels.tsv."""
    model: Model = "checkpoints"
    """A shipped model's name (digits, text), a model file, or a run folder."""
    output_dir: Path = Path("results")
    """Folder for the report and the pictures."""
    visualize: bool = False
    """Draw, for every line, where each of its characters was read."""
    distance: bool = True
    """Count a line by its share of right characters; --no-distance: right or wrong."""


@dataclass(frozen=True)
class TestOptions(LogOptions, ReportOptions):
    """Read labelled images, and report how well they were read."""

    __test__ = False  # pytest takes it for a test


@dataclass(frozen=True)
class OutputOptions(Group):
    """Output of a Beam pipeline."""

    shown = False
    output: Path | None = None
    """File to write what is read to, with --runner; several files with --shards."""


@dataclass(frozen=True)
class PredictOptions(LogOptions, RunnerOptions, OutputOptions, InferenceOptions):
    """Read images named as arguments or, one per row, on standard input."""

    format: Literal["text", "tsv", "json", "aocr"] = "aocr"  # see InferenceOptions
    model: Model = "checkpoints"
    log_path: Path | None = None


# --- export, serve ----------------------------------------------------------------------------


@dataclass(frozen=True)
class FormatOptions(Group):
    """What is written."""

    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[DIR]")] = Path("exported")
    """Folder to write into. A SavedModel goes under the next version number."""
    format: Literal["savedmodel", "frozengraph", "onnx", "litert", "all"] = "savedmodel"
    """savedmodel for TensorFlow and TensorFlow Serving; frozengraph, one .pb file; onnx for any
    ONNX runtime; litert for phones and small devices, in 32 and in 8 bits."""
    model: Model = "checkpoints"
    """A shipped model's name (digits, text), a model file, or a run folder."""


@dataclass(frozen=True)
class ExportOptions(LogOptions, FormatOptions):
    """Write a model for services, programs and phones, checked against the Keras model."""


@dataclass(frozen=True)
class ServeOptions(Group):
    """Serve an exported model over HTTP."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[DIR]")] = Path("exported")
    """Folder that aocr export wrote a SavedModel to, or its URL. Newer versions are loaded."""
    name: str = "aocr"
    """The model's name in addresses: /v1/models/NAME:predict."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines connect."""
    port: int = 8501
    """Port, by default that of TensorFlow Serving's REST API; 0 for any that is free."""
    token: str = ""
    """Secret that requests must send: Authorization: Bearer TOKEN. Better set in OCR_TOKEN, which
    no list of processes shows."""
    batch: Positive = 32
    """Most images read together."""
    max_body: Positive = 16_000_000
    """Most bytes of a request."""
    max_images: Positive = 64
    """Most images of a request."""
    max_pixels: Positive = 20_000_000
    """Most pixels of an image."""
    max_waiting: Positive = 256
    """Queue limit, in images; further requests get 429."""
    timeout: Annotated[float, Gt(0)] = 10.0
    """Seconds for a request to arrive, and as many for its images to be read."""
