"""A process for calls that may never return: it can be ended, and another takes its place.

Decoders of image formats are C code. Neither an exception nor a thread can end them, and a file of
a hundred kilobytes can keep them busy for minutes. The end of their process does.
"""

import contextlib
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import util
from multiprocessing.connection import Connection
from typing import Any

with contextlib.suppress(ImportError):  # Windows has no such limits
    import resource

# A process of fork server is a copy of one that has imported what the calls need. So another takes
# the place of a stopped one within milliseconds.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class Stopped(Exception):
    """A call that was not finished: it took too long, or its process crashed."""


class Killed(Stopped):
    """A call whose process was ended from outside, perhaps because memory was short."""


_hidden = threading.Lock()  # held while the script is hidden


@contextlib.contextmanager
def script_hidden() -> Iterator[None]:
    """Hide the file of the main module, so that multiprocessing does not pass it to the process."""
    main: dict[str, Any] = vars(sys.modules["__main__"])
    with _hidden:
        hidden = {"__file__", "__spec__"}
        saved = {name: value for name, value in main.items() if name in hidden}
        main.pop("__file__", None)
        main["__spec__"] = None
        try:
            yield
        finally:
            main.update(saved)


class StoppableProcess:
    """A process that makes one call after the other, each for a limited time.

    For one thread at a time, but for `close`.
    """

    def __init__(self, seconds: float, memory: int, niceness: int = 0, preload: Sequence[str] = ()):
        """seconds: of processor time for each call. memory: bytes that the process may allocate.

        niceness: how far other processes come before it, 0 to 19. preload: modules of the calls.
        """
        self.seconds, self._limits = seconds, (seconds, memory, niceness)
        self._context: Any = multiprocessing.get_context(METHOD)
        if METHOD == "forkserver":
            self._context.set_forkserver_preload(list(preload))
        self._closed = False
        self._start()
        # multiprocessing waits at its end for processes, and these ignore its SIGTERM
        self._end = util.Finalize(None, self.close, exitpriority=1)

    def run(self, patience: float, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args), computed in the process; arguments and result are pickled.

        patience: seconds on the clock after which the call is stopped. Raises what the function
        raises, and Stopped.
        """
        if not self._process.is_alive():  # it was ended while it had nothing to do
            self._replace(late=False)
        try:
            self._connection.send((function, args))
            if not self._connection.poll(patience):
                raise TimeoutError
            succeeded, result = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._replace(late=isinstance(error, TimeoutError)) from None
        except BaseException:  # Ctrl-C: the next call must not get the answer to this one
            self._replace(late=False)
            raise
        if not succeeded:
            raise result
        return result

    def close(self) -> None:
        """End the process; a call in another thread ends with Stopped."""
        self._closed = True
        self._end.cancel()
        self._process.kill()

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_answer_calls, args=(theirs, *self._limits), daemon=True
        )
        with script_hidden():
            self._process.start()
        theirs.close()

    def _replace(self, late: bool) -> Stopped:
        """Start another process. Returns why this one ended."""
        self._process.kill()  # if it has not ended yet
        self._process.join()
        self._connection.close()
        status, closed = self._process.exitcode, self._closed
        late = late or status == -getattr(signal, "SIGPROF", 0)
        if not self._closed:
            self._start()
            if self._closed:  # in the meantime, in another thread
                self._process.kill()
        if late:
            return Stopped(f"takes over {self.seconds:g} s")
        if status == -getattr(signal, "SIGKILL", 0) and not closed:
            return Killed("its process was ended from outside")
        return Stopped("its process crashed")


def _answer_calls(connection: Connection, seconds: float, memory: int, niceness: int) -> None:
    """Make the calls that come, until the parent ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or systemd sends them to all
        signal.signal(number, signal.SIG_IGN)  # processes, but the parent decides when to stop
    if hasattr(os, "nice"):
        os.nice(niceness)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    warnings.simplefilter("ignore")  # about files of strangers, who could fill a log with them
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    gc.set_threshold(100_000, 50, 100)  # by default, large JSON spends most of its time in it
    while True:
        try:
            function, args = connection.recv()
        except (EOFError, OSError):
            return
        connection.send_bytes(_outcome(seconds, function, args))


def _outcome(seconds: float, function: Callable[..., Any], args: tuple) -> bytes:
    """(True, the result) or (False, the error), pickled."""
    _limit_time(seconds)
    try:
        return pickle.dumps((True, function(*args)))
    except Exception as error:
        try:
            return pickle.dumps((False, error))
        except Exception:  # some errors cannot be pickled
            return pickle.dumps((False, RuntimeError(str(error))))
    finally:
        _limit_time(0)


def _limit_time(seconds: float) -> None:
    """End this process after so many seconds of processor time; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # the signal's default is to end the process
