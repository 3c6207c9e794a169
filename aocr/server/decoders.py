"""The work on requests that takes processor time, in processes that can be stopped.

There are three lanes, each a queue with processes that work on it. Every image is first tried in
the first lane, for a moment that is enough for ordinary images. One that takes longer is decoded
again, from its start, in the second lane, whose processes have a lower priority. So images that
are made to take long mostly delay each other. The third lane is for large JSON.
"""

import asyncio
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ocr_simple.cores import usable_cores
from ocr_simple.stoppable import Killed, StoppableProcess, Stopped

PRELOAD = ("aocr.server.engine_model", "aocr.server.served_model", "aocr.server.answers")
FIRST_SECONDS = 0.05  # of processor time: a line takes 0.005, a photograph of 12 megapixels 0.15
IMAGE_SECONDS = 2.0
JSON_SECONDS = 2.0
BUSY_SECONDS = 1.0  # delay of an answer that the server is busy: clients may try again at once
WAITING = 4  # images that may wait for each process of the second lane
BYTES_PER_PIXEL = 60  # that decoding allocates, at most
MOST_AT_ONCE = 4  # images of one request, however many cores there are: they take memory


class Busy(Exception):
    """An image cannot be decoded for now: too many that take long wait, or memory is short."""


class NotTried(Stopped):
    """An image that was not decoded, because another one of its request takes too long."""


class Lane:
    """A queue, and the processes that work on it."""

    def __init__(self, count: int, seconds: float, patience: float, memory: int, niceness: int):
        self.count, self.patience, self.open = count, patience, 0
        self._threads = ThreadPoolExecutor(count, "lane")  # each waits for a process
        self._all = [StoppableProcess(seconds, memory, niceness, PRELOAD) for _ in range(count)]
        self._idle: queue.SimpleQueue[StoppableProcess] = queue.SimpleQueue()
        for process in self._all:
            self._idle.put(process)

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args) in one of the processes. Raises what it raises, and Stopped."""
        self.open += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._run, function, args)
        finally:
            self.open -= 1

    def _run(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        process = self._idle.get()
        try:
            return process.run(self.patience, function, *args)
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes, and with them the calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._all:
            process.close()


class Turns:
    """The images of one request take turns, so that requests with few of them wait less."""

    def __init__(self, at_once: int):
        self.free = asyncio.Semaphore(at_once)
        self.slow = False  # one of the images took long: the others are not tried in the first lane
        self.stopped = False  # one of them took too long: the others are not decoded


class Decoders:
    """The queues of a server."""

    def __init__(self, max_pixels: int, patience: float):
        """patience: seconds on the clock for each call."""
        cores = usable_cores()
        memory = max(1 << 30, BYTES_PER_PIXEL * max_pixels)
        self.first = Lane(cores, FIRST_SECONDS, patience, memory, 5)
        self.second = Lane(cores, IMAGE_SECONDS, patience, memory, 10)
        self.json = Lane(1, JSON_SECONDS, patience, 1 << 30, 5)

    def turns(self) -> Turns:
        """For the images of one request."""
        return Turns(max(1, min(MOST_AT_ONCE, self.first.count // 2)))

    async def decode(self, turns: Turns, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args), which decodes an image. Raises what it raises, Stopped and Busy."""
        async with turns.free:
            if turns.stopped:
                raise NotTried("another image of the request takes too long")
            if not turns.slow:
                try:
                    return await self.first.run(function, *args)
                except Stopped:
                    turns.slow = True
            if self.second.open >= self.second.count * (1 + WAITING):
                await asyncio.sleep(BUSY_SECONDS)
                raise Busy("many images that take long to decode are waiting; try again later")
            try:
                return await self.second.run(function, *args)
            except Killed:  # twice, which need not be the image's fault
                raise Busy("the server is short of memory; try again later") from None
            except Stopped:
                turns.stopped = True
                raise

    def close(self) -> None:
        """End all processes."""
        for lane in (self.first, self.second, self.json):
            lane.close()
