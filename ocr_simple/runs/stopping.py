"""Ctrl-C and SIGTERM."""

import signal
import threading


class Stopper:
    """While entered, Ctrl-C and SIGTERM end the run: between two steps of the loop, else at once.

    A request is kept even where what runs swallows KeyboardInterrupt, as C extensions may: the
    loop then ends after its first step. In the loop, asking twice insists.
    """

    def __init__(self):
        self.asked = False
        self.in_loop = False

    def _ask(self, *_: object) -> None:
        insists, self.asked = self.asked or not self.in_loop, True
        if insists:
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
