"""Labelled images as lines to train on, alone or among generated ones.

`LabelledLines` has the form of `data_generator.Lines`: line k is (pixels, text, file name), a
function of (seed, k) alone, so that batches, workers and resuming are the same for both.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ocr_simple import images as imaging
from ocr_simple.datasets.annotations import Entry, Fault, RecordsError, find_entries
from ocr_simple.datasets.batches import Example, LineStream
from ocr_simple.options import Variation
from ocr_simple.photography.geometry import augment
from ocr_simple.photography.recipes import Mix
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet, one_line

ATTEMPTS = 10  # variations of an image before it is taken as it is
DETAIL = 2  # times the model's height: finer pixels are of no use to a variation
NARROWED = "varied, its label needs more time steps than the image gives"


def find_all(datasets: Iterable[str]) -> list[Entry | Fault]:
    """The lines of several data sets, one after the other. Raises RecordsError."""
    return [line for dataset in datasets for line in find_entries(dataset)]


def alphabet_of(found: list[Entry | Fault]) -> str:
    """The characters of all labels, sorted. Raises RecordsError if there is no label."""
    labels = {character for line in found if isinstance(line, Entry) for character in line.label}
    if not labels:
        raise RecordsError("no line of the data set can be used:" + fault_list(found))
    return "".join(sorted(labels))


def usable(
    found: list[Entry | Fault], spec: ModelSpec, max_width: int = 0, max_height: int = 0
) -> tuple[list[Entry], list[Fault]]:
    """(what a model of `spec` can train on, what `max_width` and `max_height` pixels leave out).

    Every image is decoded once. Raises RecordsError that lists all lines that cannot be used.
    """
    entries, faults, left_out = [], [], []
    for line in found:
        if isinstance(line, Fault):
            faults.append(line)
            continue
        try:
            pixels = decoded(line)
        except (OSError, imaging.ImageError) as error:
            faults.append(Fault(line.place, str(error)))
            continue
        rows, columns, _ = pixels.shape
        if 0 < max_width < columns or 0 < max_height < rows:
            left_out.append(Fault(line.place, f"{columns} x {rows} pixels, over the limit"))
        elif reason := fault(pixels, line.label, spec):
            faults.append(Fault(line.place, reason))
        else:
            entries.append(line)
    if faults:
        raise RecordsError(
            f"{len(faults):,} of {len(found):,} labelled images cannot be used; mend them, or "
            "leave them out with aocr dataset --skip-bad:" + fault_list(faults)
        )
    if not entries:
        raise RecordsError(
            f"max-width {max_width} and max-height {max_height} leave none of {len(found):,} "
            "labelled images; give larger ones, or 0 for no limit"
        )
    return entries, left_out


def fault(pixels: np.ndarray, label: str, spec: ModelSpec) -> str | None:
    """Why a model of `spec` cannot give an image its label, and the mend; None if it can."""
    if unknown := Alphabet(spec.alphabet).unknown(label):
        return f"label {label!r} has {unknown!r}, not in --alphabet"
    rows, columns, _ = pixels.shape
    steps = time_steps(imaging.scaled_width(columns, rows, spec.height), spec.stride)
    if 0 < spec.max_prediction < len(label):
        return f"label {label!r} is longer than --max-prediction {spec.max_prediction}"
    if spec.steps_needed(label) <= steps:
        return None
    return (
        f"label {label!r} needs {spec.steps_needed(label)} time steps, its image of "
        f"{columns} x {rows} pixels gives {steps}; try --architecture fine, or mend it"
    )


def fault_list(faults: Iterable[Entry | Fault]) -> str:
    """Each fault on a line of its own."""
    return "".join(f"\n  {f.place}: {one_line(f.reason)}" for f in faults if isinstance(f, Fault))


def digest(found: list[Entry | Fault]) -> int:
    """A number that tells one list of labelled images from another."""
    lines = ("\t".join(map(str, line[:3])) for line in found)
    return zlib.crc32("\n".join(lines).encode())


def split(entries: list[Entry], share: float, seed: int) -> tuple[list[Entry], list[Entry]]:
    """(to train on, to validate on), a random `share` of `entries` in the second, one at least."""
    count = max(1, round(share * len(entries)))
    if count >= len(entries):
        raise RecordsError(
            f"{len(entries)} labelled images leave none to train on beside a share of {share} to "
            "validate on; name a set of its own with --validation"
        )
    order = np.random.default_rng((seed, len(entries))).permutation(len(entries)).tolist()
    return [entries[i] for i in sorted(order[count:])], [entries[i] for i in sorted(order[:count])]


def decoded(entry: Entry, channels: int = 1) -> np.ndarray:
    """An entry's image, uint8 (rows, columns, channels). Raises ImageError, OSError."""
    return imaging.load(entry.encoded(), channels, entry.name, warn=False)


def load(entry: Entry, spec: ModelSpec) -> Example:
    """An entry with its pixels, uint8 (rows, columns, channels), as finely as is of use.

    Raises ImageError, OSError.
    """
    pixels = decoded(entry, spec.channels)
    if pixels.shape[0] > DETAIL * spec.height:
        pixels = np.rint(imaging.resize(pixels, DETAIL * spec.height)).astype(np.uint8)
    return pixels, entry.label, entry.name


class LabelledLines:
    """A stream of labelled images, each once an epoch, in an order of the epoch's own.

    `lines[k]` is (pixels, text, file name), varied if `variation` is given.
    """

    def __init__(
        self,
        entries: list[Entry],
        spec: ModelSpec,
        seed: int = 0,
        variation: Variation | None = None,
    ):
        self.entries, self.spec, self.seed, self.variation = entries, spec, seed, variation
        self.recipes = Mix(variation.recipe if variation else ("photo",), fonts=[])
        self.stride, self.multiple = spec.stride, spec.multiple
        self.alphabet = Alphabet(spec.alphabet)
        self.redrawn: Counter[str] = Counter()  # why lines were varied anew
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))  # of an epoch

    def __getitem__(self, k: int) -> Example:
        epoch, place = divmod(k, len(self.entries))
        if self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.entries))
            self._order = (epoch, order)
        pixels, text, name = load(self.entries[self._order[1][place]], self.spec)
        if self.variation is None:
            return pixels, text, name
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.seed, k, attempt))
            # a picture's height is its crop's: ink and background cannot be told apart in it
            recipe = replace(self.recipes.choose(rng)[0], fills=None)
            varied = augment(pixels, self.variation, rng, recipe)
            columns = imaging.scaled_width(varied.shape[1], varied.shape[0], self.spec.height)
            if self.spec.steps_needed(text) <= time_steps(columns, self.stride):
                return varied, text, name
            self.redrawn[NARROWED] += 1
        return pixels, text, name


class MixedLines:
    """A stream of labelled images of which a share, 0 to 1, is generated lines instead."""

    def __init__(self, labelled: LabelledLines, generated: LineStream, share: float):
        self.labelled, self.generated, self.share = labelled, generated, share
        self.spec, self.seed, self.alphabet = labelled.spec, labelled.seed, labelled.alphabet
        self.stride, self.multiple = labelled.stride, labelled.multiple

    def __getitem__(self, k: int) -> Example:
        before, after = int(k * self.share), int((k + 1) * self.share)  # generated lines, of all
        return self.generated[before] if after > before else self.labelled[k - before]

    @property
    def redrawn(self) -> Counter[str]:
        """Why lines of either kind were drawn or varied anew."""
        return self.labelled.redrawn + self.generated.redrawn

    @redrawn.setter
    def redrawn(self, counter: Counter[str]) -> None:
        self.labelled.redrawn, self.generated.redrawn = counter, Counter()
