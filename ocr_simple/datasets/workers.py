"""A pool of worker processes, and results that are computed ahead, in order."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

from ocr_simple.stoppable import script_hidden

T = TypeVar("T")
R = TypeVar("R")


class WorkerPool(ProcessPoolExecutor):
    """Worker processes that end when their parent ends, and that ignore Ctrl-C.

    They are spawned, because forked ones would hang in locks that threads of JAX and TensorFlow
    hold. They do not import the parent's script, which would import Keras.
    """

    def __init__(self, workers: int, prepare: Callable[..., object], *args: Any):
        """prepare(*args) is called once in each process; it and its arguments are pickled."""
        # arguments of a class that the script defines can only be unpickled with the script
        from_script = any(type(argument).__module__ == "__main__" for argument in args)
        context = multiprocessing.get_context("spawn") if from_script else _Context()
        super().__init__(workers, context, _start_worker, (prepare, args))
        for _ in range(workers):  # starts all processes now
            self.submit(os.getpid)

    def kill(self) -> None:
        """End the workers at once; what they have not computed raises BrokenExecutor."""
        for process in dict(self._processes or {}).values():  # kill_workers() of Python 3.14
            process.kill()


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """work(item) for each item, in order; up to `ahead` of them are submitted in advance."""
    waiting: deque[Future] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start_worker(prepare: Callable[..., object], args: tuple) -> None:
    # a terminal sends these to all processes, but the parent decides when to stop
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(*args)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Worker(SpawnProcess):
    """A spawned process that does not import its parent's script."""

    def start(self) -> None:
        with script_hidden():
            super().start()


class _Context(SpawnContext):
    Process = _Worker
