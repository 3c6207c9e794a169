"""Character n-grams: how probable each character is after the few before it.

Characters are folded to symbols: a letter without its case, one symbol for all digits, and one, the
boundary, for a run of anything else, such as ", ". Every text begins and ends with a boundary.

Probabilities are interpolated over all orders, so that a sequence which was never counted still has
one (Witten & Bell 1991, "The zero-frequency problem"). A file holds rounded counts alone; the
probabilities are computed from them when it is read. NumPy only.
"""

import contextlib
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.local_files import open_regular

FORMAT = 1  # of the file
MOST_UNPACKED = 1 << 28  # bytes of it
UNKNOWN, BOUNDARY, DIGIT, FIRST_LETTER = 0, 1, 2, 3  # symbols
ORDERS = range(2, 9)
CODES_PER_DOUBLING = 8  # counts are rounded to powers of 2 ** (1 / 8)
BUILD = "build one with python pretrained/language_model.py FILE.npz TEXTS.txt"


def fold(character: str) -> str:
    """What a character counts as: a letter without its case, "0" for digits, " " for the rest.

    An apostrophe is a letter.
    """
    if character in "'\N{RIGHT SINGLE QUOTATION MARK}":
        return "'"
    if unicodedata.category(character)[0] in "LM":
        lower = character.lower()
        return lower if len(lower) == 1 else character
    return "0" if character.isdecimal() else " "


class Table(NamedTuple):
    """The n-grams of one order. A key is the symbols of an n-gram, the last in the lowest bits."""

    keys: np.ndarray  # int64 (n-grams,), ascending
    log_p: np.ndarray  # (n-grams,) of the last symbol after the others
    contexts: np.ndarray  # int64 (contexts,), ascending: the n-grams without their last symbol
    backoff: np.ndarray  # (contexts,) log weight of the next lower order


class NGrams:
    """Counts of n-grams, with the probabilities that follow from them. See `fit` and `load`."""

    def __init__(self, letters: str, keys: Sequence[np.ndarray], codes: Sequence[np.ndarray]):
        """letters: folded, in the order of their symbols. keys, codes: for each order from 1 on.

        codes: uint8, the logarithm of the counts. Raises ValueError if they contradict each other.
        """
        self.letters, self.order, self.keys, self.codes = letters, len(keys), keys, codes
        self.symbols = FIRST_LETTER + len(letters)
        self.bits = _bits(self.symbols, self.order)
        self.symbol = {letter: i for i, letter in enumerate(letters, FIRST_LETTER)}
        self.symbol |= {" ": BOUNDARY, "0": DIGIT}
        self.tables: list[Table] = []
        for n in range(1, self.order + 1):
            self.tables.append(self._table(n))

    def _table(self, n: int) -> Table:
        keys, counts = self.keys[n - 1], 2.0 ** (self.codes[n - 1] / CODES_PER_DOUBLING)
        if len(keys) != len(counts) or (np.diff(keys) <= 0).any():
            raise ValueError(f"the n-grams of order {n} are damaged")
        contexts, where = np.unique(keys >> self.bits, return_inverse=True)
        total = np.bincount(where, counts, len(contexts))
        kinds = np.bincount(where, minlength=len(contexts))  # of symbols after each context
        backoff = kinds / (total + kinds)
        lower = np.full(len(keys), 1 / self.symbols)
        if n > 1:
            place, known = find(self.tables[-1].keys, keys & self.mask(n - 1))
            if not known.all():
                raise ValueError(f"n-grams of order {n} lack theirs of order {n - 1}")
            lower = np.exp(self.tables[-1].log_p[place])
        p = (1 - backoff[where]) * counts / total[where] + backoff[where] * lower
        return Table(keys, np.log(p), contexts, np.log(backoff))

    def mask(self, symbols: int) -> int:
        """The bits of the last `symbols` symbols of a key."""
        return (1 << symbols * self.bits) - 1

    def log_p(self, histories: np.ndarray) -> np.ndarray:
        """Log probability (n, symbols) of each symbol after each history.

        histories: int64 (n,), keys of the symbols so far, which begin with a boundary; those before
        the last order - 1 may be left out.
        """
        following = np.arange(self.symbols)
        result = np.full((len(histories), self.symbols), -np.log(self.symbols))
        for n, table in enumerate(self.tables, 1):
            contexts = histories & self.mask(n - 1)
            place, known = find(table.contexts, contexts)
            rows = np.flatnonzero(known)  # a context that was never counted changes nothing
            keys = (contexts[rows, None] << self.bits) | following
            found, counted = find(table.keys, keys)
            lower = result[rows] + table.backoff[place[rows], None]
            result[rows] = np.where(counted, table.log_p[found], lower)
        return result

    @classmethod
    def fit(cls, texts: Iterable[tuple[str, float]], order: int, size: int) -> "NGrams":
        """The n-grams of some texts, each with the number of times that it counts.

        size: the most n-grams to keep, those with the highest counts; all of order 1 and 2 are
        kept. Raises ValueError if no text has a letter or digit, or for a wrong order.
        """
        rows = [(text, count) for text, count in texts if count > 0]
        folded = {c: fold(c) for c in set().union(*(text for text, _ in rows))}
        letters = "".join(sorted(set(folded.values()) - {" ", "0"}))
        if not letters and "0" not in folded.values():
            raise ValueError("no text has a letter or a digit; give texts to count")
        if order not in ORDERS:
            raise ValueError(f"order {order}: give {ORDERS[0]} to {ORDERS[-1]}")
        empty = np.zeros(0, np.int64)
        model = cls(letters, [empty] * order, [empty] * order)
        points = np.array(sorted(map(ord, folded)))
        of_points = np.array([model.symbol[folded[chr(point)]] for point in points])
        lengths = np.array([len(text) for text, _ in rows])
        text = np.frombuffer("".join(text for text, _ in rows).encode("utf-32-le"), "<u4")
        ends = np.cumsum(lengths + 1)  # places after each text's closing boundary
        symbols = np.full(len(text) + len(rows), BOUNDARY)
        inside = np.ones(len(symbols), bool)
        inside[ends - 1] = False
        symbols[inside] = of_points[np.searchsorted(points, text)]
        row = np.repeat(np.arange(len(rows)), lengths + 1)
        kept = symbols != BOUNDARY  # a run of boundaries is one; a text begins after one
        kept[1:] |= symbols[:-1] != BOUNDARY
        symbols, row = symbols[kept], row[kept]
        counts = np.array([count for _, count in rows])
        keys, totals = _count(symbols, row, counts / min(1.0, counts.min()), order, model.bits)
        keys, totals = _prune(keys, totals, size)
        codes = [np.rint(CODES_PER_DOUBLING * np.log2(c)).clip(0, 255) for c in totals]
        return cls(letters, keys, [code.astype(np.uint8) for code in codes])

    def save(self, path: Path) -> None:
        """Write a NumPy archive."""
        arrays = {"format": np.array(FORMAT), "letters": np.array(self.letters)}
        for n, (keys, codes) in enumerate(zip(self.keys, self.codes), 1):
            arrays |= {f"steps_{n}": np.diff(keys, prepend=0), f"counts_{n}": codes}
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "NGrams":
        """The n-grams in a file of `save`; nothing in it is run as code. Raises ValueError."""
        try:
            with _opened(path) as file:
                if int(file["format"]) != FORMAT:
                    raise ValueError(f"it has format {file['format']}, not {FORMAT}")
                orders = range(1, 1 + sum(name.startswith("steps_") for name in file))
                keys = [np.cumsum(file[f"steps_{n}"].astype(np.int64)) for n in orders]
                codes = [file[f"counts_{n}"].astype(np.uint8) for n in orders]
                letters = str(file["letters"])
            return cls(letters, keys, codes)
        except Exception as error:  # zipfile, zlib and NumPy fail in many ways
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"--language-model {path}: cannot be used ({reason}); {BUILD}"
            ) from None


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """A NumPy archive of bounded size. Raises errors of many types."""
    with open_regular(path) as (file, _):
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise ValueError(f"it decompresses to over {MOST_UNPACKED:,} bytes")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays


def find(ascending: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(place of each wanted value, whether it is there), both shaped as `wanted`."""
    if not len(ascending):
        return np.zeros(wanted.shape, int), np.zeros(wanted.shape, bool)
    place = np.searchsorted(ascending, wanted)
    place[place == len(ascending)] = 0
    return place, ascending[place] == wanted


def _bits(symbols: int, order: int) -> int:
    bits = (symbols - 1).bit_length()
    if bits * order > 63:
        raise ValueError(
            f"order {order} is too high for {symbols} symbols; give at most --order {63 // bits}"
        )
    return bits


def _count(
    symbols: np.ndarray, row: np.ndarray, counts: np.ndarray, order: int, bits: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(keys, their total counts) of each order.

    symbols: of all texts, one after the other; each ends with the boundary that begins the next.
    row: the text of each symbol. counts: of each text.
    """
    first = np.flatnonzero(np.diff(row, prepend=-1))
    before = np.arange(len(row)) - np.repeat(first, np.diff(first, append=len(row)))
    all_keys, totals, key = [], [], symbols.copy()
    for n in range(1, order + 1):
        if n > 1:
            shifted = np.concatenate([np.full(n - 1, BOUNDARY), symbols[: 1 - n]])[: len(symbols)]
            key |= shifted << (bits * (n - 1))
        whole = before >= n - 2  # does not begin in the text before
        keys, where = np.unique(key[whole], return_inverse=True)
        all_keys.append(keys)
        totals.append(np.bincount(where, counts[row[whole]], len(keys)))
    return all_keys, totals


def _prune(
    keys: list[np.ndarray], totals: list[np.ndarray], size: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The `size` n-grams with the highest counts.

    The shorter n-grams within one have at least its count, so they are kept with it.
    """
    room, longer = size - sum(map(len, keys[:2])), np.concatenate([[], *totals[2:]])
    if len(longer) <= room:
        return keys, totals
    least = np.sort(longer)[-max(0, room) - 1]  # the highest count that is left out
    kept = [total > (least if n > 2 else 0) for n, total in enumerate(totals, 1)]
    return [k[keep] for k, keep in zip(keys, kept)], [c[keep] for c, keep in zip(totals, kept)]
