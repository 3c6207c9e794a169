"""An exported model as a server holds it: images that wait while others are read are read together.

Images are decoded by `image.py`, each by itself, so that a bad one is its sender's alone; the
SavedModel gets them as upright PNG.
"""

import asyncio
import contextlib
import io
import json
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from prometheus_client import Histogram

from ocr_simple import images as imaging
from ocr_simple import storage

PER_CHARACTER = ("probabilities", "starts", "ends")


class ServedLine(NamedTuple):
    """What is read of an image."""

    output: str
    probability: float
    characters: list[str]
    probabilities: list[float]
    starts: list[float]  # pixels of the upright image
    ends: list[float]
    maps: np.ndarray  # (characters, own steps): where it saw each, 0 to 1


class ServedModel:
    """A SavedModel of one version, and the images that wait for it."""

    def __init__(self, folder: Path, batch: int):
        """Raises ValueError for a folder that holds no export."""
        import tensorflow as tf

        self.version, self.batch = int(folder.name), batch
        try:
            self.about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            self._loaded = tf.saved_model.load(str(folder))
            self._look = self._loaded.signatures["look"]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder}: not a SavedModel of ocr_simple ({error})") from error
        self._constant = tf.constant
        self.channels = int(self.about["channels"])
        self.waiting: deque[tuple[bytes, asyncio.Future]] = deque()
        self.users = 0  # requests that are not answered
        self.signatures = self._loaded.signatures
        self._woken = asyncio.Event()
        self.read([_png(Image.new("L", (64, 32), "white"))])  # the first takes longest

    def read(self, encoded: Sequence[bytes]) -> list[ServedLine]:
        """What stands in each image (PNG). Blocks."""
        found = {k: v.numpy() for k, v in self._look(self._constant(list(encoded))).items()}
        read = []
        for i, text in enumerate(found["output"]):
            written = [c.decode() for c in found["characters"][i] if c]
            own = {name: found[name][i][: len(written)].tolist() for name in PER_CHARACTER}
            maps = found["maps"][i, : len(written), : found["steps"][i]]
            probability = float(found["probability"][i])
            read.append(ServedLine(text.decode(), probability, written, maps=maps, **own))
        return read

    def ask(self, encoded: bytes) -> asyncio.Future:
        """A future of what will be read of an image."""
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((encoded, future))
        self._woken.set()
        return future

    async def run(self, pool: ThreadPoolExecutor, sizes: Histogram) -> None:
        """Read what waits, all that there is by then in one batch, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self.waiting:
                count = min(self.batch, len(self.waiting))
                taken = [self.waiting.popleft() for _ in range(count)]
                taken = [(encoded, future) for encoded, future in taken if not future.done()]
                if not taken:  # whoever asked has gone
                    continue
                sizes.observe(len(taken))
                try:
                    found = await loop.run_in_executor(pool, self.read, [e for e, _ in taken])
                except Exception as error:
                    for _, future in taken:
                        if not future.done():
                            future.set_exception(error)
                    continue
                for (_, future), read in zip(taken, found):
                    if not future.done():
                        future.set_result(read)


def newest(folder: Path) -> Path | None:
    """The SavedModel of the highest version in a model folder; from a bucket, a copy of it.

    Raises StorageError.
    """
    if url := storage.url_of(folder):
        # an export's model.json comes last: with it, all of a version is there
        found = (name.split("/") for name in storage.names(url))
        numbers = [int(n) for n, *rest in found if n.isdecimal() and rest == ["model.json"]]
        return storage.fetched_folder(f"{url}/{max(numbers)}") if numbers else None
    with contextlib.suppress(OSError):
        versions = [p for p in folder.iterdir() if p.name.isdecimal()]
        whole = [p for p in versions if (p / "saved_model.pb").is_file()]
        return max(whole, key=lambda path: int(path.name), default=None)
    return None


def changed(folder: Path) -> int:
    """When a folder, or anything that stays in it, was last changed, in ns."""
    times = [0]
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            with contextlib.suppress(OSError):
                times.append(os.stat(path).st_mtime_ns)
    return max(times)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png", compress_level=0)
    return file.getvalue()


def upright(encoded: bytes, channels: int, name: str, max_pixels: int) -> bytes:
    """Any image file as an upright PNG without alpha. Raises ImageError."""
    try:
        with Image.open(io.BytesIO(encoded), formats=imaging.FORMATS) as image:
            width, height = image.size
    except Exception:  # `image.load` says what is wrong
        width = height = 0
    if width * height > max_pixels:
        raise imaging.ImageError(
            f"{name}: {width} x {height} pixels, over the limit of {max_pixels:,}; scale it down"
        )
    pixels = imaging.load(encoded, channels, name, warn=False)
    return _png(Image.fromarray(pixels[..., 0] if channels == 1 else pixels))
