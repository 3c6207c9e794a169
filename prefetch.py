"""Batches drawn ahead of the training that needs them, by processes or a thread."""

import functools
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

from data_generator import Batch, LineSequence, LineStream


class Prefetcher:
    """Draws the batches of a stream of lines before they are asked for; a context manager.

    `workers` processes draw, or a thread of this one if it is 0. A thread and the training loop
    take turns with Python's lock. Processes are spawned: forked ones would hang in the locks
    that the threads of JAX and TensorFlow hold. `part`: of a `LineSequence`, shares, rank and size.
    """

    AHEAD = 2  # groups for each worker

    def __init__(self, lines: LineStream, batch_size: int, workers: int = 1, **part: int):
        self.redrawn: Counter[str] = Counter()  # of the stream, for the batches handed out
        self._ahead = self.AHEAD * max(1, workers)
        self._pool: Executor
        self._draw: Callable[[int], tuple[list[Batch], Counter[str]]]
        if workers:
            context = multiprocessing.get_context("spawn")
            make = functools.partial(LineSequence, lines, batch_size, **part)
            self._pool = ProcessPoolExecutor(workers, context, _start_worker, (make,))
            self._draw = _draw_in_worker
            for _ in range(workers):  # starts them, while their parent builds its model
                self._pool.submit(os.getpid)
        else:
            self._pool = ThreadPoolExecutor(1)
            self._draw = functools.partial(_draw_group, LineSequence(lines, batch_size, **part))

    def __enter__(self) -> "Prefetcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """(i, batch i) from `first` to before `last`, as `LineSequence` gives them.

        Raises BrokenExecutor if a worker dies.
        """
        groups = range(first // LineSequence.GROUP, -(-last // LineSequence.GROUP))
        ahead: deque[Future] = deque()
        for number in groups:
            while len(ahead) < min(self._ahead, groups.stop - number):
                ahead.append(self._pool.submit(self._draw, number + len(ahead)))
            batches, redrawn = ahead.popleft().result()
            self.redrawn.update(redrawn)
            for i, batch in enumerate(batches, number * LineSequence.GROUP):
                if first <= i < last:
                    yield i, batch


def _draw_group(sequence: LineSequence, number: int) -> tuple[list[Batch], Counter[str]]:
    """The batches of a group, and why lines of it were drawn anew."""
    sequence.lines.redrawn = Counter()
    return sequence.group(number), sequence.lines.redrawn


_sequence: LineSequence  # of a process that draws


def _start_worker(make: Callable[[], LineSequence]) -> None:
    global _sequence
    _sequence = make()
    become_worker()


def become_worker() -> None:
    """Make this spawned process one that works for as long as its parent lives."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all: the parent
        signal.signal(number, signal.SIG_IGN)  # says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _draw_in_worker(number: int) -> tuple[list[Batch], Counter[str]]:
    return _draw_group(_sequence, number)
