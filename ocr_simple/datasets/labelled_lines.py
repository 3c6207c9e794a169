"""Labelled images as lines to train on, alone or mixed with generated lines.

`LabelledLines` is a stream like that of generated lines: line k is (pixels, text, file name), a
function of (seed, k) alone, so that batches, workers and resuming work the same way for both.
"""

import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import preprocessing, storage
from ocr_simple.datasets.annotations import DEFAULT, find_dataset
from ocr_simple.datasets.batches import Example, LineStream
from ocr_simple.datasets.crops import straightened
from ocr_simple.datasets.entries import Entry, Fault, fault_list
from ocr_simple.errors import DatasetError
from ocr_simple.messages import counted
from ocr_simple.options import LabelOptions, Variation
from ocr_simple.photography.geometry import TooWide, augment
from ocr_simple.photography.mixtures import Mix
from ocr_simple.photography.recipes import CLEAN
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet, unique_characters

ATTEMPTS = 10  # variations of an image that are tried before it is used unchanged
DETAIL = 2  # times the model's height: more pixels do not improve a variation
TOO_NARROW = "label too long for the width of the varied image"
TOO_WIDE = "varied image too wide"


def find_all_entries(
    datasets: Iterable[str],
    how: LabelOptions = DEFAULT,
    say: Callable[[str], Any] = lambda about: None,
) -> list[Entry | Fault]:
    """The rows of several data sets, one after the other. Raises DatasetError.

    say: called with what was recognised of each.
    """
    found: list[Entry | Fault] = []
    for name in datasets:
        dataset = find_dataset(name, how)
        say(str(dataset))
        found += dataset.rows
    return found


def _encoded_size(entry: Entry) -> int:
    """Bytes of an entry's encoded image; -1 for one in a bucket, which is not read for it."""
    if entry.key:
        return len(entry.image_bytes())
    if entry.size >= 0 or storage.url_of(entry.file):
        return entry.size
    return os.path.getsize(entry.file)


def _digest(entry: Entry) -> bytes:
    return hashlib.sha1(entry.image_bytes()).digest()


def in_both(training: Iterable[Entry], validation: Iterable[Entry]) -> list[Entry]:
    """The entries to validate on whose image, byte for byte, is also one to train on.

    Images are read only where the other side has one of the same size. Raises OSError.
    """
    by_size: dict[int, list[Entry]] = {}
    for entry in training:
        by_size.setdefault(_encoded_size(entry), []).append(entry)
    alike = [(entry, size) for entry in validation if (size := _encoded_size(entry)) in by_size]
    known = {_digest(entry) for size in {size for _, size in alike} for entry in by_size[size]}
    return [entry for entry, _ in alike if _digest(entry) in known]


def characters_of_labels(found: list[Entry | Fault]) -> str:
    """The characters of all labels, sorted. Raises DatasetError if there is no label."""
    characters = {character for row in found if isinstance(row, Entry) for character in row.label}
    if not characters:
        if any(isinstance(row, Fault) for row in found):
            raise DatasetError(
                "no row of the data set has a label that can be used; correct these:"
                + fault_list(found)
            )
        raise DatasetError(
            f"the data set has only empty labels ({len(found):,}); add the text of each image, or "
            "name an --alphabet if there is nothing to read"
        )
    return unique_characters(sorted(characters))


def fingerprint(found: list[Entry | Fault]) -> int:
    """A checksum (CRC-32) of a list of labelled images: their places, names, labels and boxes."""
    rows = ("\t".join(map(str, (*row[:3], *getattr(row, "corners", ())))) for row in found)
    return zlib.crc32("\n".join(rows).encode(errors="surrogateescape"))


def load_image(entry: Entry, channels: int = 1) -> np.ndarray:
    """An entry's line, uint8 (rows, columns, channels): its image, or the box in it.

    Raises ImageError, OSError.
    """
    pixels = imaging.load(entry.image_bytes(), channels, entry.name, warn=False)
    return straightened(pixels, entry.corners, entry.name) if entry.corners else pixels


def kept_size(columns: int, rows: int, height: int) -> tuple[int, int]:
    """(columns, rows) of an image as `load_example` gives it to a model of this height."""
    most = DETAIL * height
    return (
        (preprocessing.scaled_width(columns, rows, most), most) if rows > most else (columns, rows)
    )


def load_example(entry: Entry, spec: ModelSpec) -> Example:
    """(pixels, label, file name) of an entry, with no more pixels than are useful for training.

    Raises ImageError, OSError.
    """
    pixels = load_image(entry, spec.channels)
    _, rows = kept_size(pixels.shape[1], pixels.shape[0], spec.height)
    if rows < pixels.shape[0]:
        pixels = np.rint(preprocessing.resize(pixels, rows)).astype(np.uint8)
    return pixels, entry.label, entry.name


def split_entries(entries: list[Entry], share: float, seed: int) -> tuple[list[Entry], list[Entry]]:
    """(entries to train on, entries to validate on): a random `share` to validate on, at least one.

    All rows of an image are on one side. Raises DatasetError if that leaves none to train on.
    """
    count = max(1, round(share * len(entries)))
    rows_of: dict[tuple, list[int]] = {}
    for i, entry in enumerate(entries):
        rows_of.setdefault(entry.image, []).append(i)
    unseen: set[int] = set()
    for i in np.random.default_rng((seed, len(entries))).permutation(len(entries)).tolist():
        if len(unseen) < count:
            unseen.update(rows_of[entries[i].image])
    if len(unseen) >= len(entries):
        raise DatasetError(
            f"--validation-share {share} of {counted(len(rows_of), 'labelled image')} leaves none "
            "to train on; add images, or name a separate set with --validation"
        )
    parts: tuple[list[Entry], list[Entry]] = [], []
    for i, entry in enumerate(entries):
        parts[i in unseen].append(entry)
    return parts


class LabelledLines:
    """A stream of labelled images: each once per epoch, in a different order each epoch.

    `lines[k]` is (pixels, text, file name), varied if `variation` is given; never by the recipe
    `blank`, which hides the text.
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
        self.redrawn: Counter[str] = Counter()  # why images were varied again
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))  # an epoch, and its order

    def __getitem__(self, k: int) -> Example:
        epoch, place = divmod(k, len(self.entries))
        if self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.entries))
            self._order = (epoch, order)
        pixels, text, name = load_example(self.entries[self._order[1][place]], self.spec)
        if self.variation is None:
            return pixels, text, name
        reasons = set()  # counted once for a line, as `Lines` counts them
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng((self.seed, k, attempt))
            # the height of the ink cannot be measured in a photograph
            recipe = self.recipes.choose(rng)[0]
            recipe = CLEAN if recipe.blank else recipe
            recipe = replace(recipe, crop=replace(recipe.crop, ink_height=None))
            try:
                varied = augment(pixels, self.variation, rng, recipe)
            except TooWide:
                reasons.add(TOO_WIDE)
                continue
            columns = preprocessing.scaled_width(varied.shape[1], varied.shape[0], self.spec.height)
            if self.spec.steps_needed(text) <= time_steps(columns, self.stride):
                break
            reasons.add(TOO_NARROW)
        else:
            varied = pixels
        self.redrawn.update(reasons)
        return varied, text, name


class MixedLines:
    """A stream of labelled images in which a `share`, 0 to 1, of the lines is generated instead."""

    def __init__(self, labelled: LabelledLines, generated: LineStream, share: float):
        self.labelled, self.generated, self.share = labelled, generated, share
        self.spec, self.seed, self.alphabet = labelled.spec, labelled.seed, labelled.alphabet
        self.stride, self.multiple = labelled.stride, labelled.multiple

    def __getitem__(self, k: int) -> Example:
        before, after = int(k * self.share), int((k + 1) * self.share)  # generated lines so far
        return self.generated[before] if after > before else self.labelled[k - before]

    @property
    def redrawn(self) -> Counter[str]:
        """Why lines of either kind were drawn or varied again."""
        return self.labelled.redrawn + self.generated.redrawn

    @redrawn.setter
    def redrawn(self, counter: Counter[str]) -> None:
        self.labelled.redrawn, self.generated.redrawn = counter, Counter()
