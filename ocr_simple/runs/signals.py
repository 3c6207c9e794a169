"""Ctrl-C and SIGTERM during a run."""

import signal
import threading


class Stopper:
    """A context manager in which Ctrl-C and SIGTERM end the run.

    In the training loop (`in_loop`) a first signal sets `asked`, and the loop ends after its step;
    a second one raises KeyboardInterrupt. Outside the loop the first one raises it. `asked` is set
    even if some library swallows the exception: the loop then ends after its first step.
    """

    def __init__(self):
        self.asked = False
        self.in_loop = False

    def _ask(self, *_: object) -> None:
        at_once, self.asked = self.asked or not self.in_loop, True
        if at_once:
            raise KeyboardInterrupt

    def __enter__(self) -> "Stopper":
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
