"""What a run trains on and is validated on: generated lines, labelled images, or both."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import labelled
import model as models
from data_generator import Lines, LineStream
from drawing import find_fonts, split_fonts
from inference import find_model
from model import ModelSpec
from options import CALIBRATION_SEED, VALIDATION_SEED, TrainOptions
from run_folder import TrainError, log

HEAD = ("head", "attn_num_hidden", "attn_num_layers", "target_embedding_size", "use_gru")
CALIBRATION_LINES = 300
SURVEY = 256  # lines drawn before the first step, to find what cannot be trained


class Data(NamedTuple):
    """What a run trains on and is validated on."""

    spec: ModelSpec
    lines: LineStream
    validation: list[labelled.Example]
    about: str
    varied: Lines | None = None  # unseen, as hard as those trained on; None where all are labelled
    images: int = 0  # labelled ones to train on
    digest: int = 0  # of --dataset, to tell when it has changed

    def to_calibrate(self) -> Iterable[labelled.Example]:
        """Lines that confidence is fitted to: none is trained on."""
        if self.varied is None:
            return self.validation
        return (self.varied[k] for k in range(CALIBRATION_LINES))

    @property
    def labelled(self) -> bool:
        """Whether it is labelled images, and not generated lines alone."""
        return self.images > 0


def gather(options: TrainOptions) -> Data:
    """The lines that `options` name. Raises ValueError for those that cannot be used."""
    spec = options.spec()
    if options.init_from:
        spec = _spec_to_start_from(options, options.init_from)
    if not options.dataset:
        generated, unseen = _generated(options, spec)
        validation = [unseen[k] for k in range(options.validation_lines)]
        about = f"{len(generated.fonts)} fonts to train on, {len(unseen.fonts)} to validate on"
        seed = options.seed + CALIBRATION_SEED
        return Data(spec, generated, validation, about, Lines(options, spec, unseen.fonts, seed))
    found, found_to_validate = map(labelled.find_all, (options.dataset, options.validation))
    if options.alphabet == "auto":
        known = spec.alphabet if options.init_from else ""
        characters = dict.fromkeys(known + labelled.alphabet_of(found + found_to_validate))
        spec = dataclasses.replace(spec, alphabet="".join(characters))
    limits = options.max_width, options.max_height
    entries, left_out = labelled.usable(found, spec, *limits)
    digest = labelled.digest(found)
    if options.validation:
        unseen_entries, more = labelled.usable(found_to_validate, spec, *limits)
        left_out += more
    else:
        entries, unseen_entries = labelled.split(entries, options.validation_share, options.seed)
    if left_out:
        log(
            f"left out by --max-width and --max-height: {len(left_out)}" + labelled.listed(left_out)
        )
    about = f"{len(entries):,} images to train on, {len(unseen_entries):,} to validate on"
    lines: LineStream
    variation = options.augmentation, options.recipe
    lines = labelled.LabelledLines(entries, spec, options.seed, *variation)
    if options.mix_generated:
        lines = labelled.MixedLines(lines, _generated(options, spec)[0], options.mix_generated)
        about += f"; {options.mix_generated:.0%} of the lines are generated"
    validation = [labelled.load(entry, spec) for entry in unseen_entries]
    return Data(spec, lines, validation, about, None, len(entries), digest)


def _spec_to_start_from(options: TrainOptions, model: str) -> ModelSpec:
    """The spec of --init-from, with the alphabet that is asked for, or an attention head."""
    given, spec = options.spec(), models.read_spec(find_model(model))
    head = HEAD if given.head == "attention" and spec.head == "ctc" else ()  # it starts anew
    spec = dataclasses.replace(spec, **{name: getattr(given, name) for name in head})
    standard = TrainOptions().spec()
    for name in ("architecture", "rnn"):
        wanted, known = getattr(given, name), getattr(spec, name)
        if wanted in (getattr(standard, name), known):
            continue
        more = dataclasses.replace(spec, **{name: wanted})
        try:
            models.transfer(models.load(find_model(model)), models.build(more))
        except ValueError as error:
            raise TrainError(
                f"init-from {model}: its {name} is {known}, not {wanted}, and is no beginning of "
                f"{wanted} ({error}); leave --{name} out"
            ) from error
        spec = more
    for name in ("rnn_units", "height", "channels", *HEAD):
        if getattr(given, name) not in (getattr(standard, name), getattr(spec, name)):
            raise TrainError(
                f"init-from {model}: its {name} is {getattr(spec, name)}, not "
                f"{getattr(given, name)}; leave that option out"
            )
    alphabet = spec.alphabet if options.alphabet == "auto" else given.alphabet
    most = given.max_prediction or spec.max_prediction
    return dataclasses.replace(spec, alphabet=alphabet, temperature=1.0, max_prediction=most)


def _generated(options: TrainOptions, spec: ModelSpec) -> tuple[Lines, Lines]:
    """(lines to train on, lines in held-out fonts to validate on)."""
    found = find_fonts(options.fonts, options.language)
    fonts, unseen_fonts = split_fonts(found, options.held_out)
    lines = Lines(options, spec, fonts, options.seed)
    _survey(lines)
    seed = options.seed + VALIDATION_SEED
    return lines, Lines(options, spec, unseen_fonts, seed, augment=False)


def _survey(lines: Lines) -> None:
    """Draw some lines before training does; say what had to be drawn anew."""
    for k in range(SURVEY):
        lines[k]
    if lines.partial:
        log(f"{len(lines.partial)} fonts lack some characters, and draw only lines without them")
    if lines.texts.left_out:
        log(f"{lines.texts.left_out} texts left out: characters outside the alphabet")
    if lines.redrawn:
        log(f"of {SURVEY} first lines, drawn anew: {counts(lines.redrawn)}")
    lines.redrawn.clear()


def counts(counter: Counter[str]) -> str:
    """How often each reason was counted, the most frequent first."""
    return "; ".join(f"{count} ({reason})" for reason, count in counter.most_common())
