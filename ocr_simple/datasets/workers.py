"""Processes that work ahead, their results in order."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WorkerPool(ProcessPoolExecutor):
    """Spawned processes that end with their parent and leave Ctrl-C to it.

    They are spawned because forked ones would hang in the locks that the threads of JAX and
    TensorFlow hold. They do not import the parent's script, which may import Keras.
    """

    def __init__(self, workers: int, prepare: Callable[..., object], *args: Any):
        """prepare(*args) is called once in each process; both are pickled."""
        script = any(getattr(x, "__module__", "") == "__main__" for x in map(type, args))
        context = multiprocessing.get_context("spawn") if script else _Context()
        super().__init__(workers, context, _start, (prepare, args))
        for _ in range(workers):  # start them all now
            self.submit(os.getpid)


def in_order(pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """`work` of each item, in order, with up to `ahead` items submitted before they are used."""
    waiting: deque[Future] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start(prepare: Callable[..., object], args: tuple) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all processes:
        signal.signal(number, signal.SIG_IGN)  # the parent says when to stop
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
        with _script_hidden():
            super().start()


class _Context(SpawnContext):
    Process = _Worker


_hiding = threading.Lock()


@contextlib.contextmanager
def _script_hidden() -> Iterator[None]:
    """multiprocessing finds no file of the main module, and so gives none to the new process."""
    main = vars(sys.modules["__main__"])
    with _hiding:
        kept = {name: main[name] for name in ("__file__", "__spec__") if name in main}
        main.pop("__file__", None)
        main["__spec__"] = None
        try:
            yield
        finally:
            main.update(kept)
