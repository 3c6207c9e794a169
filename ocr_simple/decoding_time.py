"""Limits how long an image file may take to decode: after some seconds it is rejected.

A small file can keep a decoder busy for minutes: a JPEG that repeats a scan, a JPEG 2000 with
65,535 layers, a TIFF with as many pages. Most decoders are given a file piece by piece, and get no
more of it when the time is over. Those that take all of it at once run in another process, which
can be stopped.
"""

import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from ocr_simple.stoppable import StoppableProcess

SECONDS = 10.0  # of processor time; 50 million pixels take 0.3 to 2
PATIENCE = 60.0  # seconds on the clock, for a busy computer
MEMORY = 4 << 30  # bytes of another process; 50 million pixels of JPEG 2000 take 2 << 30
JPEG_BLOCK = 1024  # bytes that a JPEG decoder is given at a time: they may hold 60 scans
AT_ONCE_CODECS = ("libtiff", "jpeg2k")
AT_ONCE_FORMATS = ("AVIF", "HEIF")


class TooSlow(Exception):
    """A file that takes too long to decode. The message is a reason, without the file's name."""


class _TimedFile(io.BytesIO):
    """A file in memory that cannot be read any more when this thread has taken too long."""

    def __init__(self, encoded: bytes):
        super().__init__(encoded)
        self.until = time.thread_time() + SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises TooSlow."""
        if time.thread_time() > self.until:
            raise TooSlow(f"takes over {SECONDS:g} s")
        return super().read(size)


def open_file(encoded: bytes, formats: Sequence[str]) -> Image.Image:
    """An image file, whose decoding raises TooSlow unless `decodes_at_once`.

    Raises what Pillow raises, and TooSlow.
    """
    image = Image.open(_TimedFile(encoded), formats=tuple(formats))
    if image.format in ("JPEG", "MPO"):
        image.decodermaxblock = JPEG_BLOCK
    return image


def decodes_at_once(image: Image.Image) -> bool:
    """Whether an open file has to be decoded in another process for its decoding to end."""
    codecs = [tile[0] for tile in getattr(image, "tile", ())[:1]]
    return image.format in AT_ONCE_FORMATS or any(codec in AT_ONCE_CODECS for codec in codecs)


# --- other processes ----------------------------------------------------------------------------


class _Processes:
    """Processes that are started when they are needed, and kept."""

    def __init__(self) -> None:
        self._lock, self._owner = threading.Lock(), os.getpid()
        self._idle: list[StoppableProcess] = []

    def take(self) -> StoppableProcess:
        with self._lock:
            if self._owner != os.getpid():  # a fork has those of its parent
                self._idle, self._owner = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        return StoppableProcess(SECONDS, MEMORY, preload=["ocr_simple.images"])

    def give_back(self, process: StoppableProcess) -> None:
        with self._lock:
            self._idle.append(process)


_processes = _Processes()


def run_elsewhere(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args) in another process. Raises what it raises, and Stopped if it takes long."""
    process = _processes.take()
    try:
        return process.run(PATIENCE, function, *args)
    finally:
        _processes.give_back(process)
