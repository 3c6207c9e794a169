"""Batches drawn ahead of the training that uses them, by worker processes or a thread."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

from ocr_simple.datasets.batches import Batch, Batches, LineStream
from ocr_simple.datasets.workers import WorkerPool, in_order

DrawnGroup = tuple[list[Batch], Counter[str]]  # the batches of a group; why lines were redrawn


class Prefetcher:
    """Draws the batches of a stream of lines before they are needed; a context manager.

    workers: the number of processes that draw; with 0, a thread of this process draws, which takes
    turns with the training loop. part: shares, rank and size, as `Batches` takes them.
    """

    AHEAD = 2  # groups of batches per worker

    def __init__(self, lines: LineStream, batch_size: int, workers: int = 1, **part: int):
        self.redrawn: Counter[str] = Counter()  # why lines of the batches so far were redrawn
        self._ahead = self.AHEAD * max(1, workers)
        self._pool: Executor
        self._draw: Callable[[int], DrawnGroup]
        if workers:
            self._pool = WorkerPool(workers, _prepare_worker, lines, batch_size, part)
            self._draw = _draw_in_worker
        else:
            self._pool = ThreadPoolExecutor(1)
            self._draw = functools.partial(_draw_group, Batches(lines, batch_size, **part))

    def __enter__(self) -> "Prefetcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """(i, batch i) for i from `first` up to, but without, `last`.

        Raises BrokenExecutor if a worker process dies.
        """
        groups = range(first // Batches.GROUP, -(-last // Batches.GROUP))
        drawn = in_order(self._pool, self._draw, groups, self._ahead)
        for number, (batches, redrawn) in zip(groups, drawn):
            self.redrawn.update(redrawn)
            for i, batch in enumerate(batches, number * Batches.GROUP):
                if first <= i < last:
                    yield i, batch


def _draw_group(batches: Batches, number: int) -> DrawnGroup:
    batches.lines.redrawn = Counter()
    return batches.group(number), batches.lines.redrawn


_batches: Batches  # in a worker process: the batches that it draws


def _prepare_worker(lines: LineStream, batch_size: int, part: dict[str, int]) -> None:
    global _batches
    _batches = Batches(lines, batch_size, **part)


def _draw_in_worker(number: int) -> DrawnGroup:
    return _draw_group(_batches, number)
