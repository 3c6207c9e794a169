"""Which labelled images a model can be trained on, and why it cannot be trained on the others."""

from dataclasses import dataclass

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.datasets.entries import Entry, Fault, fault_list, image_fault, quoted
from ocr_simple.datasets.labelled_lines import kept_size, load_image
from ocr_simple.errors import DatasetError
from ocr_simple.network.encoders import ENCODERS
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet

FINEST = min(encoder.stride for encoder in ENCODERS.values())  # of any encoder, such as fine


def outside_alphabet(label: str, alphabet: Alphabet) -> str | None:
    """Why a label cannot be written in an alphabet; None if it can."""
    unknown = alphabet.unknown(label)
    return f"label {quoted(label)} has {unknown!r}, not in --alphabet" if unknown else None


def too_long(size: tuple[int, int], label: str, spec: ModelSpec) -> str | None:
    """Why a model of `spec` cannot write a label of this length; None if it can.

    size: width and height of the image, in pixels.
    """
    columns, rows = size
    if 0 < spec.max_prediction < len(label):
        return f"label {quoted(label)} is longer than --max-prediction {spec.max_prediction}"
    needed = spec.steps_needed(label)
    steps = time_steps(preprocessing.scaled_width(columns, rows, spec.height), spec.stride)
    if needed <= steps:
        return None
    fix = "no --architecture gives enough; correct the label"
    if rows > columns and needed <= time_steps(
        preprocessing.scaled_width(rows, columns, spec.height), spec.stride
    ):
        fix = "the image is taller than wide: turn it, so that its text is level"
    elif needed <= time_steps(preprocessing.scaled_width(columns, rows, spec.height), FINEST):
        fix = "try --architecture fine, or correct the label"
    return (
        f"label {quoted(label)} needs {needed} time steps, but its image of {columns} x {rows} "
        f"pixels gives {steps}; {fix}"
    )


def why_unusable(pixels: np.ndarray, label: str, spec: ModelSpec) -> str | None:
    """Why a model of `spec` cannot learn this label for this image, and the fix; None if it can."""
    rows, columns, _ = pixels.shape
    reason = preprocessing.why_too_wide((columns, rows), spec.height)
    # scaled twice, it may be one column wider
    kept = kept_size(columns, rows, spec.height)
    reason = reason or preprocessing.why_too_wide(kept, spec.height)
    reason = reason or outside_alphabet(label, Alphabet(spec.alphabet))
    return reason or too_long((columns, rows), label, spec)


@dataclass(frozen=True)
class Limits:
    """What is known of a model before there is one. Raises ValueError for what cannot be."""

    alphabet: str = ""  # its characters; empty: any
    architecture: str = ""  # its encoder; empty: any

    def __post_init__(self) -> None:
        self._spec()

    def _spec(self) -> ModelSpec:
        usual = ModelSpec()
        return ModelSpec(
            alphabet=self.alphabet or usual.alphabet,
            architecture=self.architecture or usual.architecture,
        )

    def why_unusable(self, size: tuple[int, int], label: str) -> str | None:
        """Why such a model cannot learn a label; size: the image's width and height in pixels."""
        reason = None
        if self.alphabet:
            reason = outside_alphabet(label, Alphabet(self.alphabet))
        if self.architecture:
            reason = reason or too_long(size, label, self._spec())
        return reason


def select_usable(
    found: list[Entry | Fault],
    spec: ModelSpec,
    max_width: int = 0,
    max_height: int = 0,
    skip_bad: bool = False,
) -> tuple[list[Entry], list[Fault]]:
    """(entries that a model of `spec` can train on, rows that are left out).

    Left out are images over `max_width` or `max_height`, and with `skip_bad` all rows that cannot
    be used. Every image is decoded once. Raises DatasetError that lists all rows that cannot be
    used, or if none is left.
    """
    entries, faults, left_out = [], [], []
    for row in found:
        if isinstance(row, Fault):
            faults.append(row)
            continue
        try:
            pixels = load_image(row)
        except (OSError, imaging.ImageError) as error:
            faults.append(image_fault(row, error))
            continue
        rows, columns, _ = pixels.shape
        if 0 < max_width < columns or 0 < max_height < rows:
            left_out.append(Fault(row.place, f"{columns} x {rows} pixels, over the limit"))
        elif reason := why_unusable(pixels, row.label, spec):
            faults.append(Fault(row.place, reason))
        else:
            entries.append(row)
    if faults and not (skip_bad and entries):
        fix = "correct them" + (", or leave them out with --skip-bad" if entries else "")
        raise DatasetError(
            f"{len(faults):,} of {len(found):,} labelled images cannot be used; {fix}:"
            + fault_list(faults)
        )
    if not entries:
        raise DatasetError(
            f"--max-width {max_width} and --max-height {max_height} leave none of {len(found):,} "
            "labelled images; give larger ones, or 0 for no limit"
        )
    return entries, faults + left_out
