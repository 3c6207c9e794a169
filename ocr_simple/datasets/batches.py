"""From lines to padded batches, in the form that `model.py` trains on.

Batch i of a stream is a function of (seed, i), for any number of processes and machines.
"""

from collections import Counter
from typing import Protocol

import numpy as np

from ocr_simple import preprocessing
from ocr_simple.spec import ModelSpec, pack_labels, padded_columns, time_steps
from ocr_simple.text import Alphabet

Example = tuple[np.ndarray, str, str]  # pixels, text, font or file name
Batch = tuple[dict[str, np.ndarray], np.ndarray]  # {"image", "width"}, y


class LineStream(Protocol):
    """What batches are made from: generated lines, labelled images, or both."""

    spec: ModelSpec
    seed: int
    alphabet: Alphabet
    stride: int  # of the spec
    multiple: int  # of the spec
    redrawn: Counter[str]  # why lines were redrawn, counted

    def __getitem__(self, k: int, /) -> Example:
        """(pixels, text, font or file name) of line k, a function of (seed, k) alone."""
        ...


class Batches:
    """Batches of a stream of lines: `batches[i]` is ({"image", "width"}, y).

    See `preprocessing.padded` and `spec.pack_labels`. The lines of GROUP consecutive batches are
    sorted by aspect ratio before they are split into batches, so that little padding is computed.

    If several machines train together, process `rank` of `size` gets its part of each batch. The
    lines of a group are divided into `shares`, which are sorted separately. If the shares can be
    divided evenly among the processes, each draws only its part; otherwise each draws all lines and
    uses its part. For given `shares`, the batches are the same for any number of processes.
    """

    GROUP = 16

    def __init__(
        self, lines: LineStream, batch_size: int, shares: int = 1, rank: int = 0, size: int = 1
    ):
        self.lines, self.batch_size = lines, batch_size
        self.shares, self.rank, self.size = shares, rank, size
        self._last: tuple[int, list[Batch]] = (-1, [])  # the group drawn last

    def __getitem__(self, index: int) -> Batch:
        number, place = divmod(index, self.GROUP)
        if self._last[0] != number:
            self._last = (number, self.group(number))
        return self._last[1][place]

    def group(self, number: int) -> list[Batch]:
        """The GROUP batches of a group, each of lines of similar aspect, in random order."""
        count, part = self.GROUP * self.batch_size, self.batch_size // self.size
        evenly = self.shares % self.size == 0
        mine = range(self.shares)[self.rank :: self.size] if evenly else range(self.shares)
        batches: list[list[Example]] = [[] for _ in range(self.GROUP)]
        for share in mine:
            numbers = range(number * count + share, (number + 1) * count, self.shares)
            drawn = sorted((self.lines[k] for k in numbers), key=_aspect)
            for i, batch in enumerate(batches):
                batch += drawn[i * len(drawn) // self.GROUP : (i + 1) * len(drawn) // self.GROUP]
        if not evenly:
            batches = [batch[self.rank * part :][:part] for batch in batches]
        order = np.random.default_rng((self.lines.seed, number)).permutation(self.GROUP)
        return [collate(batches[i], self.lines) for i in order]


def collate(examples: list[Example], stream: LineStream) -> Batch:
    """Prepare and pad the lines of one batch, and encode their labels."""
    prepared = [preprocessing.prepare(pixels, stream.spec.height) for pixels, _, _ in examples]
    columns = padded_columns(max(image.shape[1] for image in prepared), stream.multiple)
    x = preprocessing.padded(prepared, preprocessing.training_columns(columns))
    steps = time_steps(x["width"], stream.stride).tolist()
    return x, pack_labels(steps, [stream.alphabet.encode(text) for _, text, _ in examples])


def _aspect(example: Example) -> float:
    rows, columns, _ = example[0].shape
    return columns / rows
