"""The options of a training run: what it trains on, what it trains, and how."""

import dataclasses
import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from data_generator import LineOptions
from devices import keras
from drawing import HELD_OUT
from model import ModelSpec
from run_folder import TrainError
from text import Alphabet

VALIDATION_SEED = 1 << 32  # validation draws from a stream that no training seed reaches,
CALIBRATION_SEED = 1 << 33  # and calibration from another
OPTIMIZERS = {  # with the learning rate of each
    "adamw": (keras.optimizers.AdamW, 6e-3),
    "adam": (keras.optimizers.Adam, 6e-3),
    "adadelta": (keras.optimizers.Adadelta, 1.0),
    "sgd": (functools.partial(keras.optimizers.SGD, momentum=0.9, nesterov=True), 0.03),
}


@dataclass(frozen=True)
class TrainOptions(LineOptions):
    """Train a recogniser on generated lines, on labelled images, or on both."""

    alphabet: str = "auto"
    """digits, alnum (0-9a-z), ascii, a string of characters, or a UTF-8 file of them; auto is
    digits, or the characters of labelled images."""

    # --- labelled images
    dataset: tuple[str, ...] = ()
    """TFRecords, annotation files, or folders with labels.tsv; without any, lines are generated."""
    validation: tuple[str, ...] = ()
    """Data sets to validate on; without any, a share of --dataset does."""
    validation_share: float = 0.1
    """Share of the labelled images to validate on, drawn by --seed; the rest are trained on."""
    mix_generated: float = 0.0
    """Share of generated lines among the labelled ones; helps where those are few."""
    max_width: int = 0
    """Leave out wider images, in pixels, counted and listed; 0 takes any."""
    max_height: int = 0
    """Leave out higher images, in pixels, counted and listed; 0 takes any."""
    init_from: str | None = None
    """Model to start from, a shipped one's name or a file: a head start for few images."""

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
    """Encoder, by its name in encoders.py; plain reads unseen fonts best, fine narrower characters,
    deep harder pictures, wide letters."""
    rnn: str = "none"
    """Behind the encoder: none, two convolutions, learns and reads fastest; transformer adds
    attention to the whole line, for letters that look like others; lstm; gru."""
    rnn_units: int = 64
    """Width behind the encoder, each way; 64 is enough for digits, 128 for text."""
    height: int = 32
    """Rows of the model's input; small print in large pictures may gain from 48."""
    color: bool = False
    """Read colour; grey reads as well and faster, unless colour alone sets ink apart."""
    head: Literal["ctc", "attention"] = "ctc"
    """ctc reads faster, and learns faster; attention learns which character follows which."""
    attn_num_hidden: int = 128
    """Width of each layer of the attention head."""
    attn_num_layers: int = 2
    """Recurrent layers of the attention head; the first one steers where it looks."""
    target_embedding_size: int = 10
    """Width of a written character, as the attention head sees it."""
    use_gru: bool = False
    """GRU in the attention head: a quarter fewer weights than LSTM."""
    max_prediction: int = 0
    """Most characters that the attention head writes; 0 for as many as the image has time steps."""
    mixed_precision: Literal["auto", "on", "off"] = "auto"
    """Compute in bfloat16, weights in 32 bits: auto does where the processor is built for it."""

    # --- training
    steps: int = 3000
    """Batches in all; the learning rate falls over them."""
    num_epoch: int = 0
    """Times that each labelled image is seen, instead of --steps."""
    batch_size: int = 32
    """Lines a step, of all devices and machines together, each of which takes an equal part. On a
    CPU, more and smaller steps learn faster; a larger batch may take a higher --learning-rate."""
    shares: int = 0
    """Parts that a batch's lines are sorted in by width, a machine drawing its own; 0 for as many
    as there are machines when the run begins."""
    optimizer: Literal["adamw", "adam", "adadelta", "sgd"] = "adamw"
    """AdamW learns fastest and reads unseen fonts best; adadelta is aocr's."""
    learning_rate: Annotated[float | None, tyro.conf.arg(aliases=["--initial-learning-rate"])] = (
        None
    )
    """Highest learning rate: 6e-3 for adamw and adam, 1 for adadelta, 0.03 for sgd, and a third of
    that with --init-from, unless given."""
    final_rate: float = 0.0
    """Learning rate at the end, as a share of the highest. Long trainings on a mixture of recipes
    read real pictures better with 0.3 and a longer average, of 0.9998, than with a fall to 0."""
    warmup: int = 100
    """Steps over which the learning rate rises, as the first gradients are wild."""
    weight_decay: float = 0.05
    """AdamW's; keeps weights small, which helps with unseen fonts."""
    clip_norm: Annotated[float, tyro.conf.arg(aliases=["--max-gradient-norm"])] = 1.0
    """Longest gradient; CTC's leap now and then; 0 does not clip."""
    average: float = 0.99
    """Momentum of the weight average that is validated and saved; it reads better than the last."""

    # --- validation
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) for validation alone; none trains on all."""
    interval: Annotated[int, tyro.conf.arg(aliases=["--steps-per-checkpoint"])] = 500
    """Steps between validations, and between checkpoints."""
    validation_lines: int = 500
    """Generated lines read at each validation; of labelled images, all that are kept for it."""
    patience: int = 10
    """Stop after this many validations without fewer errors, for labelled images without a lower
    loss; 0 never does."""
    worst_fonts: int = 3
    """How many fonts to name at the end, the worst read first."""

    def parsed_alphabet(self) -> Alphabet:
        """The alphabet with `letters` and `symbols` added, auto being digits. Raises ValueError."""
        if self.alphabet == "auto":
            return dataclasses.replace(self, alphabet="digits").parsed_alphabet()
        return super().parsed_alphabet()

    @property
    def highest_rate(self) -> float:
        """The learning rate, given or not."""
        default = OPTIMIZERS[self.optimizer][1] / (3 if self.init_from else 1)
        return default if self.learning_rate is None else self.learning_rate

    def spec(self) -> ModelSpec:
        """The model that the options describe. Raises ValueError."""
        return ModelSpec(
            alphabet=self.parsed_alphabet().characters,
            height=self.height,
            channels=3 if self.color else 1,
            architecture=self.architecture,
            rnn=self.rnn,
            rnn_units=self.rnn_units,
            head=self.head,
            attn_num_hidden=self.attn_num_hidden,
            attn_num_layers=self.attn_num_layers,
            target_embedding_size=self.target_embedding_size,
            use_gru=self.use_gru,
            max_prediction=self.max_prediction,
        )


# Options that say how to run, not what to train: a resumed run may change them.
# The last two act through alphabet and clip_norm.
NOT_COMPARED = {"model_dir", "resume", "workers", "worst_fonts", "log_path", "gpu_id"} | {
    "full_ascii", "gradient_clipping",
}  # fmt: skip


def as_config(options: TrainOptions) -> dict[str, Any]:
    """The options that make a run what it is, as JSON holds them."""
    values = {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_COMPARED}
    return json.loads(json.dumps(values, default=str))


def check(options: TrainOptions) -> None:
    """Raises TrainError for values that cannot work, before anything is looked at."""
    for name, least in (
        ("steps", 1), ("batch_size", 1), ("interval", 1), ("validation_lines", 1), ("warmup", 0),
        ("shares", 0), ("patience", 0), ("clip_norm", 0), ("weight_decay", 0), ("seed", 0),
        ("workers", 0), ("max_width", 0), ("max_height", 0), ("num_epoch", 0),
    ):  # fmt: skip
        if not getattr(options, name) >= least:
            raise TrainError(f"{name} {getattr(options, name)}: give at least {least}")
    if options.seed >= VALIDATION_SEED:
        raise TrainError(f"seed {options.seed}: give a number under {VALIDATION_SEED}")
    if not 0 < options.highest_rate <= 1:
        raise TrainError(f"learning_rate {options.learning_rate}: give a number from 0 to 1, not 0")
    if not 0 < options.validation_share < 1:
        raise TrainError(f"validation_share {options.validation_share}: give a share, 0 to 1")
    if options.alphabet == "auto" and (options.dataset or options.init_from):
        for name in ("letters", "symbols"):
            if getattr(options, name):
                raise TrainError(f"{name}: adds to an alphabet; name it too, as --alphabet digits")
    if not 0 <= options.mix_generated < 1:
        raise TrainError(f"mix_generated {options.mix_generated}: give a share, 0 to under 1")
    if not options.dataset:
        for name in ("validation", "mix_generated", "max_width", "max_height", "num_epoch"):
            if getattr(options, name):
                raise TrainError(f"{name}: is for labelled images; name some with --dataset")
    if not 0 <= options.final_rate <= 1:
        raise TrainError(f"final_rate {options.final_rate}: give a share from 0 to 1")
    if not 0 <= options.average < 1:
        raise TrainError(f"average {options.average}: give 0 (no averaging) to under 1")


def check_parts(options: TrainOptions, devices: int) -> None:
    """Raises TrainError where a batch cannot be dealt out evenly."""
    for count, name in ((devices, "devices"), (options.shares, "shares")):
        if options.batch_size % count:
            more = -(-options.batch_size // count) * count
            raise TrainError(
                f"batch_size {options.batch_size}: give a multiple of the {count} {name}, "
                f"such as {more}"
            )
