"""Every option of generated lines and of a training run, in groups, with its range beside it.

A group is a frozen dataclass; `LineOptions` and `TrainOptions` put groups together. The command
line is made from them by `command_line.py`, and `--help` shows each group under its first line.
Groups with `shown = False` are listed by `--help-all` alone.
"""

import dataclasses
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro
from annotated_types import Ge, Gt, Le, Lt
from tyro.conf import Positional

from ocr_simple.cores import usable_cores
from ocr_simple.spec import Context, Head, ModelSpec
from ocr_simple.text import Alphabet

_TRDG = importlib.util.find_spec("trdg")  # who only reads need not install it
TRDG_FOLDER = Path(_TRDG.origin).parent if _TRDG and _TRDG.origin else Path("trdg")

# Font families (beginnings of file names) that training leaves to validation by default.
HELD_OUT = ("Sansation", "OpenSans", "Pacifico", "DroidSans", "RobotoCondensed", "Walkway", "BEBAS")

LONGEST_LINE = 1_000  # characters of a generated line: 14,000 pixels wide at a height of 32
LARGEST_SEED = (1 << 32) - 1  # validation draws from streams that no training seed reaches
WORKERS = max(1, min(8, usable_cores() - 1))
LEARNING_RATES = {"adamw": 6e-3, "adam": 6e-3, "adadelta": 1.0, "sgd": 0.03}

NotNegative = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]
Pixels = Annotated[int, Ge(1), Le(178_000_000)]  # Pillow decodes no larger image
Share = Annotated[float, Ge(0), Le(1)]
Strength = Annotated[float, Ge(0), Le(10)]
Logarithm = Annotated[float, Ge(0), Le(3)]  # e ** 3 is 20
Large = Annotated[float, Ge(0), Le(1_000_000)]
Orientation = Literal["upright", "auto"]
EngineName = Literal["auto", "onnx", "int8", "keras"]


class Group:
    """Options that belong together; its docstring is their heading in `--help`."""

    shown: ClassVar[bool] = True  # else only `--help-all` lists them
    title: ClassVar[str] = ""  # before "options" in the heading; "": from the class name


# --- generated lines --------------------------------------------------------------------------


@dataclass(frozen=True)
class TextOptions(Group):
    """Text of generated lines."""

    alphabet: str = "digits"
    """digits, numbers (digits and . , : - / and space), alnum (0-9a-z), ascii (printable), a string
    of characters, or a UTF-8 file of characters. auto: the characters of a dictionary, your own
    strings or Wikipedia; digits if there are none of these."""
    text_source: Literal[
        "random",
        "numbers",
        "dictionary",
        "mixed",
        "strings",
        "wikipedia",
        "signs",
        "pages",
        "recipe",
    ] = "random"
    """random: random characters; numbers: digits, prices, dates and times as they are printed,
    without marks that the alphabet lacks; dictionary: words of --language; mixed: words, numbers
    and codes; strings: your own lines; wikipedia: sentences, downloaded; signs: words by frequency,
    names, codes; pages: rows of running text, headings, cells of tables; recipe: texts that suit
    each recipe."""
    min_length: Annotated[int, Ge(1), Le(LONGEST_LINE)] = 1
    """Minimum number of characters in a random line, or of words in a Wikipedia sentence."""
    max_length: Annotated[int, Ge(1), Le(LONGEST_LINE)] = 10
    """Maximum number of characters in a random line. The model can also read longer lines."""
    words: Annotated[int, Ge(1), Le(100)] = 1
    """Maximum number of words in a dictionary or mixed line, or in a row of running text."""
    strings: tuple[str, ...] = ()
    """Your own lines, for --text-source strings."""
    strings_file: Path | None = None
    """UTF-8 file of your own lines, one per row, for --text-source strings."""
    language: str = "en"
    """Language of the dictionary, Wikipedia and trdg's fonts: en, fr, de, es, cn, ja, …"""
    case: Literal["keep", "upper", "lower"] = "keep"
    """Change the case of words and strings, for an alphabet that has one case."""

    def parsed_alphabet(self) -> Alphabet:
        """The alphabet; auto means digits here: see `texts.chosen_alphabet`. Raises ValueError."""
        return Alphabet.parse("digits" if self.alphabet == "auto" else self.alphabet)


@dataclass(frozen=True)
class DrawingOptions(Group):
    """How lines are drawn."""

    fonts: tuple[str, ...] = ("trdg", "matplotlib")
    """trdg (its hundred Latin fonts), matplotlib (its 23 text fonts), font files, or folders."""
    size: Annotated[int, Ge(1), Le(1000)] = 32
    """Height of the drawn line in pixels; lines are scaled to the model's height."""
    background_type: Literal[0, 1, 2, 3] = 1
    """0 noise; 1 white, clean and fast; 2 quasicrystal, slow; 3 pictures from --image-dir."""
    text_color: str = "#282828"
    """A colour, or the two ends of a range: #000000,#888888."""
    character_spacing: Annotated[int, Ge(-100), Le(1000)] = 0
    """Pixels between characters."""
    margins: tuple[int, int, int, int] = (5, 5, 5, 5)
    """Pixels above, left of, below and right of the text."""


@dataclass(frozen=True)
class VariationOptions(Group):
    """How training lines vary."""

    photo: Share = 0.5
    """Share of training lines made to look photographed; this helps with unseen fonts too."""
    recipe: tuple[str, ...] = ("photo",)
    """What training lines look like: clean, photo, serial, receipt, display, screen, counter,
    handwriting, blank (nothing to read), sign, page, typewriter, nameplate; or a mixture: mixed
    (numbers of all kinds), words (signs, pages and other words). Weights combine several: photo:3
    receipt:1. A recipe uses fonts of its kind if --fonts has some."""
    elastic: Strength = 0.0
    """Strength of elastic distortion, as a share of the line's height; 0.03 visibly changes letter
    shapes."""


@dataclass(frozen=True)
class MoreDrawingOptions(Group):
    """How lines are drawn: the rest of trdg's options."""

    shown = False
    skewing_angle: NotNegative = 0
    """Degrees by which the text is turned."""
    random_skew: bool = False
    """Turn by a random angle up to --skewing-angle, either way."""
    blur: NotNegative = 0
    """Radius of Gaussian blur in pixels."""
    random_blur: bool = False
    """Blur by a random radius up to --blur."""
    distorsion_type: Literal[0, 1, 2, 3] = 0
    """0 none, 1 sine, 2 cosine, 3 random."""
    distorsion_orientation: Literal[0, 1, 2] = 0
    """0 up and down, 1 left and right, 2 both."""
    width: Annotated[int, Ge(-1), Le(100_000)] = -1
    """Width of the drawn image in pixels; -1 fits the text."""
    alignment: Literal[0, 1, 2] = 1
    """Position of the text in an image of fixed width: 0 left, 1 centre, 2 right."""
    orientation: Literal[0, 1] = 0
    """0 horizontal; 1 vertical, which the networks here do not learn well."""
    space_width: Large = 1.0
    """Width of a space, as a multiple of the font's; 0 also drops spaces from the label."""
    fit: bool = False
    """Crop to the ink before the margins are added."""
    word_split: bool = False
    """Draw whole words, which keeps kerning and ligatures."""
    image_dir: Path | None = None
    """Folder of pictures for --background-type 3; by default trdg's four."""
    stroke_width: NotNegative = 0
    """Pixels of outline around each character."""
    stroke_fill: str = "#282828"
    """Colour of the outline, or a range."""


@dataclass(frozen=True)
class MoreVariationOptions(Group):
    """How training lines vary: the strength of each variation."""

    shown = False
    rotation: Annotated[float, Ge(0), Le(180)] = 2.0
    """Largest rotation in degrees, either way."""
    shift: Strength = 0.08
    """Largest shift, as a share of the height."""
    shear: Strength = 0.2
    """Largest slant, as a share of the line's height."""
    zoom: Logarithm = 0.3
    """Zoom as a natural logarithm z: scales from exp(-2 z) to exp(z); 0.3 gives 0.55 to 1.35."""
    stretch: Logarithm = 0.5
    """Stretching of the width alone, s: from exp(-s) to exp(s); 0.5 gives 0.61 to 1.65."""
    spacing: NotNegative = 2
    """Random variation of --character-spacing in pixels; rarely up to ten times this."""
    stroke_weight: Share = 0.6
    """Share of training lines with thinner or bolder strokes."""


@dataclass(frozen=True)
class Drawing(MoreDrawingOptions, DrawingOptions):
    """All that says how a line is drawn."""

    @property
    def picture_folder(self) -> str:
        """The folder of pictures for --background-type 3."""
        return str(self.image_dir or TRDG_FOLDER / "images")


@dataclass(frozen=True)
class Variation(MoreVariationOptions, VariationOptions):
    """All that says how training lines vary."""

    @property
    def varies(self) -> bool:
        """Whether any variation is on."""
        strengths = ("rotation", "shift", "shear", "zoom", "stretch", "elastic", "stroke_weight")
        return any(getattr(self, name) for name in (*strengths, "photo"))


@dataclass(frozen=True)
class LineOptions(Variation, Drawing, TextOptions):
    """What generated lines say and look like, and how training lines vary."""


# --- a training run ---------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetOption(Group):
    """Your labelled images."""

    dataset: tuple[str, ...] = ()
    """Folders of images with labels, annotation files, TFRecords: see docs/data.md. Without any,
    lines are generated."""


@dataclass(frozen=True)
class LabelOptions(Group):
    """How labels are read."""

    shown = False
    labels_from_names: bool = False
    """Use file names as labels: 2b827.png has the label 2b827. If all names end in _ and a number,
    as trdg's do (text_0.jpg), that ending is removed."""
    clean_labels: bool = False
    """Remove invisible characters from labels, such as zero-width spaces."""
    label_encoding: Literal["utf-8", "latin-1"] = "utf-8"
    """Encoding of labels in TFRecords and LMDB databases: attention-ocr wrote latin-1."""


@dataclass(frozen=True)
class LabelledImageOptions(Group):
    """How labelled images are used."""

    validation: tuple[str, ...] = ()
    """Labelled images for validation. By default, a share of --dataset is held out."""
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.1
    """Share of the labelled images held out for validation, chosen by --seed."""
    mix_generated: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of training lines that are generated; the others are labelled images. Helps if you have
    few images."""
    init_from: str | None = None
    """Start from the weights and the network of this model: a shipped model's name, a model file,
    or a run folder."""
    skip_bad: bool = False
    """Leave out labelled images that cannot be used, and list them."""
    max_width: NotNegative = 0
    """Leave out labelled images wider than this, in pixels, and list them; 0 leaves out none."""
    max_height: NotNegative = 0
    """Leave out labelled images taller than this, in pixels, and list them; 0 leaves out none."""
    crops: str | None = None
    """Keep the box of a camera that does not move in the model, which then reads images of that
    size in it: a crops.tsv with one box for all images of a size, or WIDTHxHEIGHT:X,Y,... with its
    four corners. See docs/data.md."""


@dataclass(frozen=True)
class ModelOptions(Group):
    """The network."""

    architecture: str = ModelSpec.architecture
    """Encoder, one of those in ocr_simple/network/encoders.py. plain: best on unseen fonts; fine:
    for narrow characters; deep: for hard pictures; deeper: for many kinds of picture; wide,
    wide_residual: for letters in many fonts; residual: for GPUs."""
    context: Context = ModelSpec.context
    """Layers after the encoder that see more of the line: conv is fastest; attention adds
    self-attention over the whole line; lstm and gru are recurrent."""
    rnn_units: int = ModelSpec.rnn_units
    """Units of the context layers, per direction for lstm and gru; conv and attention use twice as
    many. 64 suffice for digits, 128 for text."""
    height: int = ModelSpec.height
    """Rows of the model's input. Small print in large pictures may be read better with 48."""
    color: bool = False
    """Read images in colour. Grey is as accurate and faster, unless ink and background differ only
    in colour."""
    head: Head = ModelSpec.head
    """ctc trains and reads faster; attention also learns which characters follow each other."""


@dataclass(frozen=True)
class OptimisationOptions(Group):
    """Steps, batches and learning rate."""

    steps: Positive = 3000
    """Total training steps; the learning rate falls over them."""
    num_epoch: NotNegative = 0
    """Train for this many passes over the labelled images, instead of --steps; 0: use --steps."""
    batch_size: Positive = 32
    """Lines per step, on all devices and machines together. On a CPU, small batches and more steps
    learn faster."""
    optimizer: Literal["adamw", "adam", "adadelta", "sgd"] = "adamw"
    """AdamW learns fastest and reads unseen fonts best."""
    learning_rate: Annotated[float | None, tyro.conf.arg(aliases=["--initial-learning-rate"])] = (
        None
    )
    """Highest learning rate. Default: 6e-3 for adamw and adam, 1 for adadelta, 0.03 for sgd; a
    third of that with --init-from."""
    mixed_precision: Literal["auto", "on", "off"] = "auto"
    """Compute in bfloat16, with weights in float32. auto: on hardware that is built for it."""


@dataclass(frozen=True)
class RunOptions(Group):
    """The run: folder, resuming, validation."""

    preview: bool = False
    """Do not train: draw up to forty lines as training would see them into preview.png, beside your
    images if you gave any."""
    model_dir: Annotated[Path, tyro.conf.arg(aliases=["--job-dir"])] = Path("checkpoints")
    """Run folder for config, models, checkpoint, metrics and pictures."""
    resume: bool = True
    """Resume the run in the folder. --no-resume moves it aside and starts a new one."""
    data_changed: bool = False
    """Resume although the labelled images have changed since the run began."""
    seed: NotNegative = 0
    """Random seed for weights and data."""
    workers: NotNegative = WORKERS
    """Processes that draw lines; 0: draw in the training process. The lines do not depend on the
    number."""
    interval: Annotated[Positive, tyro.conf.arg(aliases=["--steps-per-checkpoint"])] = 500
    """Validate and save a checkpoint every this many steps."""
    validation_lines: Positive = 500
    """Generated lines read at each validation."""
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) that are used for validation only. none: train and
    validate on all fonts."""
    patience: NotNegative = 10
    """Stop after this many validations without an improvement; 0 never stops early."""
    worst_fonts: NotNegative = 3
    """How many of the worst-read fonts to name at the end."""


@dataclass(frozen=True)
class AttentionOptions(Group):
    """The attention head."""

    shown = False
    attn_num_hidden: int = ModelSpec.attn_num_hidden
    """Width of each layer of the attention head."""
    attn_num_layers: int = ModelSpec.attn_num_layers
    """Recurrent layers of the attention head; the first computes the attention query."""
    target_embedding_size: int = ModelSpec.target_embedding_size
    """Size of the embedding of the character written before."""
    use_gru: bool = ModelSpec.use_gru
    """GRU instead of LSTM in the attention head."""
    max_prediction: int = ModelSpec.max_prediction
    """Maximum number of characters the attention head writes; 0: the image's time steps."""


@dataclass(frozen=True)
class MoreTrainingOptions(Group):
    """Schedule, regularisation, averaging."""

    shown = False
    final_rate: Share = 0.0
    """Learning rate at the end, as a share of the highest. For long runs, 0.3 with --average 0.9998
    gives better results on real pictures."""
    warmup: NotNegative = 100
    """Steps over which the learning rate rises."""
    weight_decay: Large = 0.05
    """Weight decay of AdamW; keeps weights small, which helps with unseen fonts."""
    clip_norm: Annotated[Large, tyro.conf.arg(aliases=["--max-gradient-norm"])] = 1.0
    """Clip gradients to this norm; 0 disables clipping."""
    robust_loss: Share = 0.0
    """Weigh lines less whose label the model finds improbable, such as illegible images and wrong
    labels. 0: weigh all alike. 0.5: a line counts half if the mean probability of its label's
    characters is 0.25."""
    average: Annotated[float, Ge(0), Lt(1)] = 0.99
    """Decay of the exponential moving average of the weights, which is validated and saved. 0: no
    average."""
    shares: NotNegative = 0
    """Number of equal parts into which each batch is split, one per machine; 0: the number of
    machines at the start."""


@dataclass(frozen=True)
class TrainOptions(
    MoreTrainingOptions,
    AttentionOptions,
    RunOptions,
    OptimisationOptions,
    ModelOptions,
    LabelledImageOptions,
    LabelOptions,
    DatasetOption,
    LineOptions,
):
    """Train a recogniser on generated lines, on labelled images, or on both."""

    alphabet: str = "auto"
    """digits, numbers (digits and . , : - / and space), alnum (0-9a-z), ascii (printable), a string
    of characters, or a UTF-8 file of them. auto: the characters of the labels, or of a dictionary,
    your own strings or Wikipedia (with --init-from also that model's); digits if there are none of
    these."""
    # no option: the fields whose options were typed, even if with their defaults
    given: frozenset[str] = field(default=frozenset(), compare=False)

    def was_given(self, name: str) -> bool:
        """Whether the user chose an option: it was typed, or has another value than by default."""
        return name in self.given or getattr(self, name) != getattr(type(self), name)

    @property
    def highest_rate(self) -> float:
        """The highest learning rate, given or by default."""
        default = LEARNING_RATES[self.optimizer] / (3 if self.init_from else 1)
        return default if self.learning_rate is None else self.learning_rate

    def spec(self) -> ModelSpec:
        """The model that the options describe. Raises ValueError."""
        same = {field.name for field in dataclasses.fields(ModelSpec)} & {
            field.name for field in dataclasses.fields(self)
        } - {"alphabet"}
        return ModelSpec(
            alphabet=self.parsed_alphabet().characters,
            channels=3 if self.color else 1,
            **{name: getattr(self, name) for name in same},
        )


# --- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class InferenceOptions(Group):
    """Read the line in each image."""

    paths: Annotated[tuple[str, ...], Positional, tyro.conf.arg(metavar="[PATH ...]")] = ()
    """Images, folders of them, and patterns such as 'scans/*.png'; - takes names from standard
    input. Without any, inference_test_imgs/ is read."""
    format: Literal["text", "tsv", "json", "aocr"] = "text"
    """text: for people; tsv: path, text, confidence; json: JSON Lines with characters; aocr: the
    format of aocr predict."""
    safe_tsv: bool = False
    """With --format tsv: write ' before texts and paths that a spreadsheet would run as formulas,
    which begin with =, +, - or @."""
    model: Annotated[str, tyro.conf.arg(aliases=["--model-dir", "--job-dir"])] = "digits"
    """A shipped model's name (digits, numbers, text), a model file, or a run folder."""
    engine: EngineName = "auto"
    """Engine that computes the network. onnx: ONNX Runtime, which starts at once. int8: the same in
    8 bits; faster, but unsure lines may be read differently. keras: takes seconds to start, and
    uses a GPU. auto: onnx if the model has an ONNX file, see aocr onnx --help."""
    lexicon: Path | None = None
    """UTF-8 file of the possible texts, one per row. The result is the most probable of them."""
    pattern: str | None = None
    r"""Regular expression that the whole text must match, such as \d{5}."""
    language_model: str | None = None
    """Prefer texts that look like words: words (English), or a file made by
    pretrained/language_model.py. For models with a CTC head."""
    min_confidence: Share = 0.0
    """Mark lines read with less confidence than this as unsure. The report of aocr test shows how
    many lines each threshold accepts, and how many of those are right."""
    beam_width: Positive = 1
    """Beam width; 1 is greedy decoding. With a constraint or a language model, at least 10 is
    used."""
    alternatives: NotNegative = 0
    """Also print up to this many other texts for each line, the most probable first. Not in
    --format aocr."""
    crops: str | None = None
    """Boxes to read images in: a crops.tsv, as aocr label writes it, or WIDTHxHEIGHT:X,Y,... with
    the four corners of one box for all images of that size. none: read whole images, even if the
    model keeps a box."""
    page: Positive = 1
    """Which page of a TIFF, or frame of a GIF, to read."""
    orientation: Orientation = "upright"
    """auto: read each image in several orientations and keep the most confident reading: upright
    and upside down; also sideways if it is taller than wide; only sideways if it is over twice as
    tall as wide. This takes at least twice the time."""
    max_pixels: Pixels = 50_000_000
    """Largest image, in pixels; a larger one is reported and not decoded."""
    max_columns: Positive = 16_000
    """Maximum width of an image after scaling to the model's height, in pixels. Memory and time
    grow with it."""
