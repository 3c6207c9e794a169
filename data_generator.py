"""From options to training batches: generated lines, labelled images, or both.

    options = TrainOptions(alphabet="alnum", max_length=8)
    data = gather(options, options.spec())              # lines to train on and to validate on
    sequence = LineSequence(data.lines, batch_size=32)  # for model.fit(sequence)

Line k of a stream is a function of (seed, k), and batch i one of (seed, i). The parts:
drawing (`ocr_simple/drawing/lines.py`), variation (`ocr_simple/photography`), labelled images
(`ocr_simple/datasets`).
"""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ocr_simple import preprocessing
from ocr_simple.datasets import labelled_lines as labelled
from ocr_simple.datasets.batches import Batch, Batches, Example, LineStream
from ocr_simple.datasets.crops import in_kept_box
from ocr_simple.datasets.entries import fault_list
from ocr_simple.datasets.usable_images import select_usable
from ocr_simple.decoding.calibration import LEAST_LINES
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.texts import characters_of
from ocr_simple.network.backend import keras
from ocr_simple.options import LARGEST_SEED, TrainOptions
from ocr_simple.runs.config import with_auto_alphabet
from ocr_simple.runs.journal import log
from ocr_simple.spec import ModelSpec

# Added to a run's seed, for lines that no training draws.
VALIDATION_SEED = LARGEST_SEED + 1
CALIBRATION_SEED = 2 * VALIDATION_SEED
CALIBRATION_LINES = 300
SURVEY = 256  # lines drawn before the first step, to find options that cannot work
WIDER = 32  # columns that are added to a batch which is as wide as the first


class Data(NamedTuple):
    """What a run trains on and is validated on."""

    spec: ModelSpec  # with the alphabet of the labels
    lines: LineStream
    validation: list[Example]  # never trained on
    about: str  # for a message
    varied: Lines | None = None  # held-out lines as hard as those trained on, to calibrate
    images: int = 0  # labelled images to train on
    digest: int = 0  # of --dataset and --validation, to tell when they have changed

    @property
    def labelled(self) -> bool:
        """Whether there are labelled images, and not only generated lines."""
        return self.images > 0

    def to_calibrate(self) -> Iterable[Example]:
        """Lines to calibrate the confidence with; none is trained on.

        Labelled images if there are LEAST_LINES or more to validate on, else generated lines. With
        fewer labelled images, no lines if none are generated, or if the run starts from a model,
        whose temperature is a better estimate.
        """
        if self.labelled and len(self.validation) >= LEAST_LINES:
            return self.validation
        if self.varied is None:
            return ()
        return (self.varied[k] for k in range(CALIBRATION_LINES))


def gather(options: TrainOptions, spec: ModelSpec, known: str = "") -> Data:
    """The lines that `options` ask for, for a model of `spec`.

    known: characters that an alphabet made of labels begins with.
    Raises ValueError for options, text or images that cannot be used.
    """
    return _labelled(options, spec, known) if options.dataset else _generated(options, spec)


def _generated(options: TrainOptions, spec: ModelSpec) -> Data:
    """Generated lines; validation reads fonts that training never sees."""
    if options.alphabet == "auto":
        spec = with_auto_alphabet(spec, options, characters_of(options))
    lines, unseen_fonts = _lines(options, spec)
    seed = options.seed + VALIDATION_SEED
    unseen = Lines(options, spec, unseen_fonts, seed, augment=False)
    validation = [unseen[k] for k in range(options.validation_lines)]
    about = f"{len(lines.fonts)} fonts to train on, {len(unseen.fonts)} to validate on"
    varied = Lines(options, spec, unseen.fonts, options.seed + CALIBRATION_SEED)
    return Data(spec, lines, validation, about, varied)


def _labelled(options: TrainOptions, spec: ModelSpec, known: str) -> Data:
    """Labelled images, perhaps with generated lines among them."""
    found, found_to_validate = (
        in_kept_box(labelled.find_all_entries(datasets, options, log), spec.crop, log)
        for datasets in (options.dataset, options.validation)
    )
    if options.alphabet == "auto":
        drawn = characters_of(options) if options.mix_generated else ""
        labels = labelled.characters_of_labels(found + found_to_validate)
        spec = with_auto_alphabet(spec, options, known + labels + drawn)
    limits = options.max_width, options.max_height, options.skip_bad
    entries, left_out = select_usable(found, spec, *limits)
    if options.validation:
        unseen, more = select_usable(found_to_validate, spec, *limits)
        left_out += more
    else:
        entries, unseen = labelled.split_entries(entries, options.validation_share, options.seed)
    if left_out:
        log(
            f"Left out {len(left_out):,} images (--skip-bad, --max-width, --max-height)"
            + fault_list(left_out)
        )
    if both := labelled.in_both(entries, unseen):
        fix = "remove them from one of the two"
        if not options.validation:
            fix = "the data set has copies of images, which aocr check lists: keep one of each"
        log(
            f"{len(both):,} of {len(unseen):,} validation images are also training images (first: "
            f"{both[0].place}), so the validation results are too good; {fix}"
        )
    about = f"{len(entries):,} images to train on, {len(unseen):,} to validate on"
    images = labelled.LabelledLines(entries, spec, options.seed, options)
    lines: LineStream = images
    varied = None
    if options.mix_generated:
        generated, unseen_fonts = _lines(options, spec)
        lines = labelled.MixedLines(images, generated, options.mix_generated)
        if not options.init_from:
            varied = Lines(options, spec, unseen_fonts, options.seed + CALIBRATION_SEED)
        about += f"; {options.mix_generated:.0%} of the lines are generated"
    validation = [labelled.load_example(entry, spec) for entry in unseen]
    digest = labelled.fingerprint(found + found_to_validate)
    return Data(spec, lines, validation, about, varied, len(entries), digest)


def _lines(options: TrainOptions, spec: ModelSpec) -> tuple[Lines, list[str]]:
    """Generated lines to train on, and the fonts that are kept for validation."""
    fonts, unseen = split_fonts(find_fonts(options.fonts, options.language), options.held_out)
    lines = Lines(options, spec, fonts, options.seed)
    for k in range(SURVEY):  # whatever cannot work fails here, before training
        lines[k]
    if lines.partial:
        log(f"{len(lines.partial)} fonts lack some characters and draw only lines without them")
    if lines.texts.left_out:
        log(f"{lines.texts.left_out} texts left out: characters outside the alphabet")
    if lines.redrawn:
        log(f"Redrawn of the first {SURVEY} lines: {counts(lines.redrawn)}")
    lines.redrawn.clear()
    return lines, unseen


def counts(counter: Counter[str]) -> str:
    """How often each reason was counted, the most frequent first."""
    return "; ".join(f"{count} ({reason})" for reason, count in counter.most_common())


class LineSequence(keras.utils.PyDataset):
    """`Batches` as a Keras `PyDataset` for `model.fit`; item i is ({"image", "width"}, y).

    num_batches: None makes it endless; give `fit` steps_per_epoch then. Otherwise give `fit`
    shuffle=False: the batches are in random order already, and are drawn several at a time, so
    another order draws most of them several times.
    """

    def __init__(
        self, lines: LineStream, batch_size: int = 32, num_batches: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.batches, self._num_batches = Batches(lines, batch_size), num_batches
        self._lock = threading.Lock()

    @property
    def num_batches(self) -> int | None:
        return self._num_batches

    def __getitem__(self, index: int) -> Batch:
        with self._lock:
            x, y = self.batches[index]
            if index == 1:  # `fit` treats sizes that its first two batches share as fixed
                (first_x, first_y), columns = self.batches[0], x["image"].shape[2]
                if first_x["image"].shape == x["image"].shape:
                    wider = preprocessing.training_columns(columns + WIDER) - columns
                    x = x | {"image": np.pad(x["image"], ((0, 0), (0, 0), (0, wider), (0, 0)))}
                if first_y.shape == y.shape:
                    y = np.pad(y, ((0, 0), (0, 1)))
            return x, y
