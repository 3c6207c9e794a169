"""The options of each `aocr` command, which are parsed without importing TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Ge, Gt, Le
from tyro.conf import Positional

from ocr_simple.cores import usable_cores
from ocr_simple.options import (
    HELD_OUT,
    DatasetOption,
    DrawingOptions,
    EngineName,
    Group,
    InferenceOptions,
    LabelOptions,
    LineOptions,
    NotNegative,
    Orientation,
    Pixels,
    Positive,
    TrainOptions,
)
from ocr_simple.spec import Head

CORES = usable_cores()
DEFAULT_MODEL = "digits"
Model = Annotated[str, tyro.conf.arg(aliases=["--model-dir", "--job-dir"])]


@dataclass(frozen=True)
class LogOptions(Group):
    """Log file and GPU."""

    shown = False
    log_path: Path | None = None
    """Also write messages to this file. attention-ocr writes attentionocr.log."""
    gpu_id: int | None = None
    """Use only this GPU, by its number; -1: no GPU."""


@dataclass(frozen=True)
class RunnerOptions(Group):
    """Apache Beam."""

    shown = False
    shards: Positive = 1
    """Number of files to split the output into. With --runner they are written in parallel."""
    runner: str | None = None
    """Run as an Apache Beam pipeline: DirectRunner on this machine, DataflowRunner, FlinkRunner,
    SparkRunner. By default, Beam is not used."""
    runner_options: tuple[str, ...] = ()
    """Options of Beam, such as project=mine region=europe-west1."""


# --- dataset ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RecordOptions(Group):
    """How labelled images are written."""

    title = "labelled image"
    annotations: Annotated[Path | None, Positional, tyro.conf.arg(metavar="[ANNOTATIONS]")] = None
    """A data set in any layout of docs/data.md: a folder of images with labels, a file with a path
    and a label in each row, TFRecords. Leave it out with --generate."""
    output: Annotated[Path | None, Positional, tyro.conf.arg(metavar="[OUTPUT]")] = None
    """File to write: dataset.tfrecords if none is named."""
    output_file: Annotated[Path | None, tyro.conf.arg(aliases=["--output"])] = None
    """File to write, as an option instead of an argument."""
    force_uppercase: bool = True
    """Change labels to upper case, as attention-ocr does."""
    save_filename: bool = False
    """Store the name of each image file, for reports."""
    skip_bad: bool = False
    """Leave out rows that cannot be used, and list them in OUTPUT.skipped.tsv. With --architecture
    and --alphabet these are also the rows that such a model cannot learn."""
    architecture: str = ""
    """Encoder of the model to be trained. Rows whose label needs more time steps than its image
    gives then count as rows that cannot be used."""
    log_step: int = 500
    """Images between two log messages, where there is no progress bar."""


@dataclass(frozen=True)
class GenerateOptions(Group):
    """Which lines are generated."""

    title = "generated line"
    generate: Annotated[int | None, Ge(1)] = None
    """Write this many generated lines instead of labelled images."""
    vary: bool = False
    """Vary the generated lines as in training. Rarely needed: training varies all lines that it
    reads."""
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) that are not used. none: use all."""
    seed: NotNegative = 0
    """Random seed of generated lines."""
    color: bool = False
    """Draw generated lines in colour."""
    workers: Positive = CORES
    """Processes that draw lines. The lines do not depend on the number."""


@dataclass(frozen=True)
class DatasetOptions(RunnerOptions, LabelOptions, LineOptions, GenerateOptions, RecordOptions):
    """Write labelled images, or generated lines, to TFRecords."""

    alphabet: str = "auto"
    """digits, numbers (digits and . , : - / and space), alnum (0-9a-z), ascii (printable), a string
    of characters, or a UTF-8 file of them. Rows whose label has other characters then count as rows
    that cannot be used. By default, labels may have any characters, and generated lines have those
    of a dictionary, your own strings or Wikipedia, or digits."""


# --- check ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LookOptions(Group):
    """The data set and what to look for."""

    title = "check"
    dataset: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="DATASET ...")] = ()
    """Data sets in any layout of docs/data.md."""
    alphabet: str = ""
    """Report labels with other characters than these: the name of an alphabet, such as ascii, a
    string of characters, or a UTF-8 file of them."""
    sheet: Path | None = Path("check.png")
    """Picture to write, a .png file outside the data sets: some images with their labels. An
    existing file is replaced only if this command wrote it. None: no picture."""


@dataclass(frozen=True)
class CheckOptions(LabelOptions, LookOptions):
    """Report what data sets contain, and what to correct before training."""


# --- label ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LabelPageOptions(Group):
    """Label a folder of pictures on a page in the browser; a model suggests the texts."""

    title = "page"
    folder: Annotated[Path | None, Positional, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of pictures. Every answer is saved to its labels.tsv at once; pictures that are left
    out are listed in left_out.tsv."""
    model: Annotated[str | None, tyro.conf.arg(aliases=["--model-dir", "--job-dir"])] = None
    """Model that suggests the texts: a shipped model's name (digits, numbers, text), a model file,
    or a run folder. By default the one that was trained on this folder, in checkpoints/FOLDER, or
    digits if there is none."""
    order: Literal["unsure", "diverse", "name"] = "unsure"
    """unsure: the pictures that the model is least sure of first. diverse: of the least sure ones,
    first the one that looks least like those already labelled. name: by name."""
    port: Annotated[NotNegative, Le(65535)] = 8502
    """Port of the page, which only this computer can open; 0: any free port."""


# --- diagnose ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class DiagnosisOptions(Group):
    """The pictures, and what they are compared with."""

    title = "diagnose"
    folder: Annotated[str, Positional, tyro.conf.arg(metavar="FOLDER")] = ""
    """Folder of your pictures, one line of text in each, with or without labels."""
    fonts: tuple[str, ...] = DrawingOptions.fonts
    """Fonts of the generated lines, as for train.py. By default also fonts/made, if make fonts was
    run: it has special fonts for displays, receipts and handwriting."""
    pictures: Positive = 100
    """Number of pictures to look at, evenly spread over all."""
    lines: Annotated[int, Ge(20), Le(1000)] = 300
    """Lines to draw of each recipe."""
    sheet: Path | None = Path("diagnose.png")
    """Picture to write, a .png file outside the folder: your pictures, each beside the generated
    line most like it. An existing file is replaced only if this command wrote it. None: no
    picture."""
    seed: NotNegative = 0
    """Random seed of the generated lines, and of --curve."""
    curve: bool = False
    """Also train three times on parts of your labels, to estimate how much more labels would help.
    Takes minutes; the expected time is printed first."""
    curve_steps: Positive = 200
    """With --curve: steps of each training."""


@dataclass(frozen=True)
class DiagnoseOptions(LabelOptions, DiagnosisOptions):
    """Find the recipe whose lines look most like your pictures, and suggest how to train."""


# --- train ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetArgument(DatasetOption):
    """Your labelled images."""

    dataset: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="[DATASET ...]")] = ()
    """Folders of images with labels, annotation files, TFRecords: see docs/data.md. Without any,
    lines are generated."""


@dataclass(frozen=True)
class AocrOptions(Group):
    """Switches of attention-ocr."""

    shown = False
    full_ascii: bool = False
    """Train for all printable ASCII characters, not only those of the labels."""
    gradient_clipping: bool = True
    """Clip gradients to --max-gradient-norm."""


LEAST_LABELS, GOOD_START = 10, 40  # labelled images that --auto needs, and that do well


@dataclass(frozen=True)
class AutoOptions(Group):
    """Training from few labelled images, with options chosen for you."""

    title = "automatic"
    auto: bool = False
    """Choose all other options from your labelled images, train in a few minutes, and compare the
    model with the one it started from. Options that you give are kept."""
    minutes: Annotated[float, Ge(1)] = 6.0
    """With --auto: how long it may take in all."""


@dataclass(frozen=True)
class AocrTrainOptions(LogOptions, AocrOptions, TrainOptions, AutoOptions, DatasetArgument):
    """Train a recogniser on labelled images, on generated lines, or on both.

    The same as train.py, with attention-ocr's names and defaults where they differ: DATASET is an
    argument, --head is attention, and --interval is 100. --auto chooses all options for you.
    """

    interval: Positive = 100  # explained in RunOptions
    head: Head = "attention"  # explained in ModelOptions


# --- test, predict ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ConstraintOptions(Group):
    """Which texts are possible."""

    title = "constraint"
    pattern: str | None = None
    r"""Regular expression that the whole text must match, such as \d{5}."""
    lexicon: Path | None = None
    """UTF-8 file of the possible texts, one per row. The result is the most probable of them."""


@dataclass(frozen=True)
class ReportOptions(Group):
    """Model and report."""

    dataset: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="DATASET ...")] = ()
    """Folders of images with labels, annotation files, TFRecords: see docs/data.md."""
    model: Model = "checkpoints"
    """A shipped model's name (digits, numbers, text), a model file, or a run folder."""
    against: str | None = None
    """Another model to compare with: both models' figures, the lines that they read differently,
    and how probable such a difference is by chance."""
    output_dir: Path = Path("results")
    """Folder for the report and the pictures. An earlier report in it is replaced."""
    orientation: Orientation = "upright"
    """auto: read each image in several orientations and keep the most confident reading: upright
    and upside down; also sideways if it is taller than wide; only sideways if it is over twice as
    tall as wide."""
    visualize: bool = False
    """Draw, for every line, where each of its characters was read."""
    distance: bool = True
    """Score each line in the log by its share of correct characters; --no-distance: 1 or 0."""


@dataclass(frozen=True)
class TestOptions(LogOptions, LabelOptions, ConstraintOptions, ReportOptions):
    """Read labelled images, and report how well they were read."""

    __test__ = False  # not a test of pytest


@dataclass(frozen=True)
class ReadingOptions(InferenceOptions):
    """Input, model and output."""

    paths: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="[PATH ...]")] = ()
    """Images and folders of images. Without PATH, or for -, names are read from standard input."""
    format: Literal["aocr", "text", "tsv", "json"] = "aocr"
    """aocr: status, confidence, text, as attention-ocr prints them; text: for people; tsv:
    path, text, confidence; json: JSON Lines with characters."""
    model: Model = "checkpoints"
    """A shipped model's name (digits, numbers, text), a model file, or a run folder."""


@dataclass(frozen=True)
class OutputOptions(Group):
    """Output of a Beam pipeline."""

    shown = False
    output: Path | None = None
    """File to write to with --runner; one file per shard with --shards."""


@dataclass(frozen=True)
class PredictOptions(LogOptions, RunnerOptions, OutputOptions, ReadingOptions):
    """Read images that are named as arguments, or one per row on standard input."""


# --- export, serve ----------------------------------------------------------------------------


@dataclass(frozen=True)
class FormatOptions(Group):
    """Format and model."""

    output: Annotated[Path, Positional, tyro.conf.arg(metavar="[DIR]")] = Path("exported")
    """Folder to write to. Each SavedModel goes into a subfolder, named by the next version. Files
    of an earlier export are replaced, and no others."""
    format: Literal["savedmodel", "frozengraph", "onnx", "litert", "web", "all"] = "savedmodel"
    """savedmodel: TensorFlow and TensorFlow Serving; frozengraph: one .pb file for TensorFlow;
    onnx: any ONNX runtime; litert: phones and small devices; web: a page that reads in the browser,
    with no server; all: all of them but web. onnx and litert write a file in 8 bits as well."""
    model: Model = "checkpoints"
    """A shipped model's name (digits, numbers, text), a model file, or a run folder."""


@dataclass(frozen=True)
class KeptBoxOptions(Group):
    """The box that images are read in."""

    title = "box"
    crops: str | None = None
    """Box of a camera that does not move: a crops.tsv with one box for all images of a size, or
    WIDTHxHEIGHT:X,Y,... with its four corners. By default, the box that the model keeps, if any.
    none: no box."""


@dataclass(frozen=True)
class ExportOptions(LogOptions, KeptBoxOptions, ConstraintOptions, FormatOptions):
    """Write a model for services, programs and phones, checked against the Keras model.

    A constraint and a box are kept in the descriptions of the exported files; reader.py, aocr serve
    and the page apply them.
    """


@dataclass(frozen=True)
class OnnxOptions(Group):
    """Write the ONNX file of a model beside it, so that it can be read without TensorFlow."""

    title = "model"
    models: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="[MODEL ...]")] = (
        "checkpoints",
    )
    """Shipped models' names (digits, numbers, text), model files, or run folders."""
    int8: bool = False
    """Also write a file in 8 bits, for --engine int8. It is calibrated on generated lines."""
    fonts: tuple[str, ...] = DrawingOptions.fonts
    """With --int8: fonts of the generated lines, if the default fonts lack the model's alphabet."""


@dataclass(frozen=True)
class ServedOptions(Group):
    """The served model."""

    title = "model"
    folder: Annotated[Path | None, Positional, tyro.conf.arg(metavar="[DIR]")] = None
    """Folder or URL that aocr export wrote a SavedModel to. Newer versions are loaded while the
    server runs. Without it, --model is served."""
    model: str | None = None
    """A shipped model's name (digits, numbers, text), a model file, a run folder, or such a folder
    of SavedModels. Without it, digits is served."""
    engine: EngineName = "auto"
    """Engine that computes --model. onnx: ONNX Runtime. int8: the same in 8 bits, faster. keras:
    Keras. auto: onnx if the model has an ONNX file, see aocr onnx --help. A folder of SavedModels
    is read with TensorFlow."""
    name: str = "aocr"
    """The model's name in request URLs: /v1/models/NAME:predict."""

    @property
    def source(self) -> str:
        """What is served, for messages: without the folders that it is in."""
        return Path(self.folder or self.model or DEFAULT_MODEL).name


@dataclass(frozen=True)
class AddressOptions(Group):
    """Address and access."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines connect."""
    port: Annotated[NotNegative, Le(65535)] = 8501
    """Port to listen on; 0: any free port. 8501 is also the default of TensorFlow Serving's REST
    API."""
    token: str = ""
    """Secret that requests must send as Authorization: Bearer TOKEN. Safer in the environment
    variable OCR_TOKEN, which process listings do not show."""
    allowed_host: tuple[str, ...] = ()
    """More host names that requests may use, such as a domain, or the name that a proxy forwards.
    On 127.0.0.1, other names are refused. On other addresses, all names are allowed unless some are
    given here."""


@dataclass(frozen=True)
class LimitOptions(Group):
    """Limits of a request and of the queue."""

    batch: Positive = 32
    """Largest number of images read in one batch."""
    max_body: Positive = 16_000_000
    """Largest request, in bytes."""
    max_images: Positive = 64
    """Largest number of images in a request."""
    max_pixels: Pixels = 20_000_000
    """Largest image, in pixels."""
    max_columns: Annotated[int | None, Ge(1)] = None
    """Maximum width of an image after scaling to the model's height (usually 32), in pixels. By
    default 16,000; 4,000 for an attention head and 1,000 with a constraint, because time grows
    faster than the width."""
    max_request_columns: Positive = 100_000
    """Columns of all images of a request together."""
    max_waiting: Positive = 256
    """Queue limit, in images. A request that needs more than half of the free places gets 429,
    unless the queue is empty."""
    max_waiting_columns: Positive = 400_000
    """Queue limit, in columns; the same rule applies. 400,000 columns take about five seconds on
    two cores. A large image counts as its pixels divided by 150, if that is more than its
    columns."""
    max_connections: Positive = 512
    """Maximum number of open connections; fewer if the system allows fewer open files. A further
    connection takes the place of one without a request, or gets 503 if there is none."""
    max_bodies: Positive = 128_000_000
    """Limit on the bytes of all unanswered requests together. Above it, large requests get 503."""
    timeout: Annotated[float, Gt(0)] = 10.0
    """Time limit in seconds, separately for receiving the headers of a request, for receiving its
    body, and for reading its images."""
    grace: Annotated[float, Gt(0)] = 9.0
    """Maximum seconds until the server has ended after Ctrl-C or SIGTERM; open requests may take
    two thirds of them. Docker waits for 10."""


@dataclass(frozen=True)
class ServeOptions(LimitOptions, AddressOptions, ConstraintOptions, ServedOptions):
    """Serve a model over HTTP.

    --pattern and --lexicon are for --model: a folder of SavedModels has the constraint that aocr
    export kept in it.
    """
