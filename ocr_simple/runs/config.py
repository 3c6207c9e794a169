"""The options of a run as its config.json holds them, and the checks made before it starts."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from ocr_simple import storage
from ocr_simple.command_line import check_ranges, option_name
from ocr_simple.datasets.annotations import check_datasets
from ocr_simple.datasets.crops import kept_box
from ocr_simple.drawing.texts import check_text_options
from ocr_simple.errors import TrainError
from ocr_simple.local_files import read_object
from ocr_simple.messages import shown
from ocr_simple.network.backend import check_backend
from ocr_simple.options import LARGEST_SEED, TrainOptions
from ocr_simple.photography.mixtures import Mix
from ocr_simple.runs.model_files import find_model
from ocr_simple.spec import FORMER_CONTEXTS, ModelSpec
from ocr_simple.text import NAMED_ALPHABETS, unique_characters

MOST_BYTES = 1 << 26  # of a config.json, which holds all --strings
CHECKED = {"steps": int, "shares": int, "alphabet": str, "rnn": str}  # more than compared

# Options that say how to run, not what to train, or that act through others: a resumed run may
# change them. full_ascii and gradient_clipping act through alphabet and clip_norm; those that say
# how labels are read, through the labelled images, which have a checksum.
NOT_COMPARED = {
    "preview", "model_dir", "resume", "workers", "worst_fonts", "log_path", "gpu_id",
    "full_ascii", "gradient_clipping", "auto", "minutes",
    "labels_from_names", "clean_labels", "label_encoding", "skip_bad", "data_changed", "given",
}  # fmt: skip


def with_auto_alphabet(spec: ModelSpec, options: TrainOptions, characters: str) -> ModelSpec:
    """For --alphabet auto: `spec` with these characters, and those of the --init-from model."""
    if not characters:
        return spec
    known = spec.alphabet if options.init_from else ""
    return dataclasses.replace(spec, alphabet=unique_characters(known + characters))


def resolve(options: TrainOptions, alphabet: str, images: int) -> TrainOptions:
    """The options with what follows from the data: the alphabet, and steps for --num-epoch.

    images: number of labelled images to train on.
    """
    if options.alphabet == "auto":
        given = bool(images or options.init_from) or alphabet != NAMED_ALPHABETS["digits"]
        options = dataclasses.replace(options, alphabet=alphabet if given else "digits")
    if options.num_epoch:
        lines = options.num_epoch * images / (1 - options.mix_generated)
        steps = math.ceil(lines / options.batch_size)
        options = dataclasses.replace(options, steps=steps, num_epoch=0)
    return options


def as_config(options: TrainOptions) -> dict[str, Any]:
    """The options that make a run what it is, as JSON holds them."""
    values = {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_COMPARED}
    return json.loads(json.dumps(values, default=str))


def updated(config: dict[str, Any]) -> dict[str, Any]:
    """A config.json with the options that there are today; new ones have their defaults."""
    config = as_config(TrainOptions()) | config
    if "rnn" in config:
        former = config.pop("rnn")
        config["context"] = FORMER_CONTEXTS.get(former, former)
    if "weight" in config:
        config["stroke_weight"] = config.pop("weight")
    if str(config["image_dir"]).endswith("trdg/images"):  # the default, where trdg was then
        config["image_dir"] = None
    return config


def read_config(path: Path) -> dict[str, Any]:
    """The options in a config.json, with the names of today.

    Raises TrainError, with the fix, for a file that cannot be one; FileNotFoundError.
    """
    try:
        config = read_object(path, MOST_BYTES)
        for name, kind in CHECKED.items():
            value = config.get(name, kind())
            if type(value) is not kind or (isinstance(value, int) and value < 0):
                what = "a number, 0 or more" if kind is int else "text"
                raise ValueError(f"{path}: its {name} is {shown(value)}, and must be {what}")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise TrainError(
            f"{error}; restore the file, or start a new run with --no-resume"
        ) from error
    return updated(config)


def check(options: TrainOptions) -> None:
    """Raises ValueError for options that cannot work, and for files that do not exist."""
    check_ranges(options, TrainError)
    if options.seed > LARGEST_SEED:
        raise TrainError(f"--seed {options.seed}: give a number of at most {LARGEST_SEED}")
    if not 0 < options.highest_rate <= 1:
        raise TrainError(
            f"--learning-rate {options.learning_rate}: give a number over 0, at most 1"
        )
    if not options.dataset:
        for name in ("validation", "mix_generated", "max_width", "max_height", "num_epoch"):
            if getattr(options, name):
                raise TrainError(
                    f"{option_name(name)} needs labelled images; add --dataset, or DATASET with "
                    "aocr train"
                )
    check_text_options(options)
    options.spec()
    kept_box(options.crops)
    Mix(options.recipe, fonts=[])
    check_datasets((*options.dataset, *options.validation), options)
    if options.init_from and not storage.url_of(options.init_from):
        start = find_model(options.init_from).resolve()
        if not options.resume and start.is_relative_to(Path(options.model_dir).resolve()):
            raise TrainError(
                f"--init-from {options.init_from}: is in --model-dir {options.model_dir}, which "
                "--no-resume moves aside; name another --model-dir"
            )
    check_backend()
    storage.check_writable(options.model_dir, "--model-dir")


def check_batch_size(options: TrainOptions, devices: int) -> None:
    """Raises TrainError if a batch cannot be split evenly."""
    for count, name in ((devices, "devices"), (options.shares, "shares")):
        if options.batch_size % count:
            more = -(-options.batch_size // count) * count
            raise TrainError(
                f"--batch-size {options.batch_size}: give a multiple of the {count} {name}, "
                f"such as {more}"
            )
