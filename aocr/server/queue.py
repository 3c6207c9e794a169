"""The queue of images: those that arrive while a batch is read make up the next batch."""

import asyncio
from collections import deque
from concurrent.futures import Executor

from prometheus_client import Histogram

from aocr.server.served_model import ServedModel


class BatchQueue:
    """A model, and the images to be read by it."""

    def __init__(self, model: ServedModel, batch_size: int):
        self.model, self.batch_size = model, batch_size
        self.open_requests = 0  # that were not answered yet
        self._images: deque[tuple[bytes, asyncio.Future]] = deque()
        self._filled = asyncio.Event()

    def submit(self, encoded: bytes) -> asyncio.Future:
        """Add an image, an encoded PNG. Returns a future of its ServedLine."""
        future = asyncio.get_running_loop().create_future()
        self._images.append((encoded, future))
        self._filled.set()
        return future

    async def run(self, pool: Executor, sizes: Histogram) -> None:
        """Read batch after batch in a thread of `pool`, until cancelled; sizes: of the batches."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._images:
                if batch := self._next_batch():
                    sizes.observe(len(batch))
                    await self._read(batch, pool)

    def _next_batch(self) -> list[tuple[bytes, asyncio.Future]]:
        """The first images in the queue, without those of requests that were cancelled."""
        count = min(self.batch_size, len(self._images))
        batch = [self._images.popleft() for _ in range(count)]
        return [(encoded, future) for encoded, future in batch if not future.done()]

    async def _read(self, batch: list[tuple[bytes, asyncio.Future]], pool: Executor) -> None:
        loop, images = asyncio.get_running_loop(), [encoded for encoded, _ in batch]
        try:
            lines = await loop.run_in_executor(pool, self.model.read, images)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), line in zip(batch, lines):
            if not future.done():
                future.set_result(line)
