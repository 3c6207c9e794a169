"""The queue of images: those that arrive while a batch is read make up the next batch.

A batch has limited columns and pixels. Each image is due at a time that is the later the more the
images of its request cost, and those that are due first are read first. So a few long lines or
large photographs delay only themselves.
"""

import asyncio
import heapq
import itertools
from concurrent.futures import Executor
from typing import NamedTuple

from prometheus_client import Histogram

from aocr.server.engine_model import AnyModel, PreparedImage
from aocr.server.served_model import BATCH_PIXELS, ServedImage
from ocr_simple.preprocessing import BATCH_COLUMNS

COLUMNS_PER_SECOND = 1000  # a cost that makes an image due 1 s later; computers read 50 times that


class _Waiting(NamedTuple):
    """An image in the queue; the smallest is the first."""

    due: float  # on the clock of the event loop
    number: int  # in the order of arrival
    image: ServedImage | PreparedImage
    maps: bool
    future: asyncio.Future  # of its ServedLine


class BatchQueue:
    """A model, and the images to be read by it."""

    def __init__(self, model: AnyModel, batch_size: int):
        self.model, self.batch_size = model, batch_size
        self.open_requests = 0  # that were not answered yet
        self._images: list[_Waiting] = []  # a heap
        self._numbers, self._filled = itertools.count(), asyncio.Event()

    def submit(
        self,
        image: ServedImage | PreparedImage,
        arrived: float,
        cost: int,
        maps: bool = False,
    ) -> asyncio.Future:
        """Add an image. Returns a future of its ServedLine; an image whose future is cancelled is
        dropped.

        arrived: when its request did. cost: of the request's images so far, this one included.
        maps: whether the line needs its maps.
        """
        future = asyncio.get_running_loop().create_future()
        due = arrived + cost / COLUMNS_PER_SECOND
        heapq.heappush(self._images, _Waiting(due, next(self._numbers), image, maps, future))
        future.add_done_callback(self._drop_if_cancelled)
        self._filled.set()
        return future

    def _drop_if_cancelled(self, future: asyncio.Future) -> None:
        if future.cancelled():
            self._images = [waiting for waiting in self._images if waiting.future is not future]
            heapq.heapify(self._images)

    async def run(self, pool: Executor, sizes: Histogram) -> None:
        """Read batch after batch in a thread of `pool`, until cancelled; sizes: of the batches."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._images:
                if batch := self._next_batch():
                    sizes.observe(len(batch))
                    await self._read(batch, pool)

    def _next_batch(self) -> list[_Waiting]:
        """The first images in the queue, as many as fit into a batch."""
        batch: list[_Waiting] = []
        columns = pixels = 0
        while self._images and len(batch) < self.batch_size:
            image = self._images[0].image
            columns, pixels = columns + image.columns, pixels + image.pixels
            if batch and (columns > BATCH_COLUMNS or pixels > BATCH_PIXELS):
                break
            batch.append(heapq.heappop(self._images))
        return [waiting for waiting in batch if not waiting.future.done()]

    async def _read(self, batch: list[_Waiting], pool: Executor) -> None:
        loop = asyncio.get_running_loop()
        images: list = [waiting.image for waiting in batch]
        maps = any(waiting.maps for waiting in batch)
        try:
            lines = await loop.run_in_executor(pool, self.model.read, images, maps)
        except Exception as error:
            for waiting in batch:
                if waiting.future.done():
                    continue
                if len(batch) > 1:  # only the image at fault is to fail
                    await self._read([waiting], pool)
                else:
                    waiting.future.set_exception(error)
            return
        for waiting, line in zip(batch, lines):
            if not waiting.future.done():
                waiting.future.set_result(line)
