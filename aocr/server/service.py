"""What the server's routes share: the model with its queue, the limits, the metrics."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fastapi import FastAPI, HTTPException
from prometheus_client import CollectorRegistry, Counter, Histogram

from aocr.options import ServeOptions
from aocr.server.queue import BatchQueue
from aocr.server.served_model import ServedLine, ServedModel, to_png
from aocr.server.versions import last_change, newest
from ocr_simple import storage
from ocr_simple.images import ImageError

log = logging.getLogger("ocr_simple")

POLL, BUCKET_POLL = 1.0, 10.0  # seconds between two looks for a newer version
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)  # of the histogram


class Metrics:
    """Counters and histograms for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "status")
        self.requests = Counter("ocr_requests", "Requests answered", labels, registry=self.registry)
        self.seconds = Histogram(
            "ocr_request_seconds", "Time to the answer", ("route",), registry=self.registry
        )
        self.images = Counter("ocr_images", "Images read", registry=self.registry)
        self.batches = Histogram(
            "ocr_batch_images", "Images in a batch", registry=self.registry, buckets=BATCH_SIZES
        )


class Service:
    """Reads images with the newest version of a model."""

    def __init__(self, options: ServeOptions, model: ServedModel):
        self.options, self.metrics = options, Metrics()
        self.queue = BatchQueue(model, options.batch)
        self.decoders = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
        self.reader = ThreadPoolExecutor(1, "read")  # one thread: TensorFlow has its own pool
        self.open_images = 0  # in requests that were not answered yet
        self.broken: tuple[Path, int] | None = None  # version that did not load, its last change

    @property
    def model(self) -> ServedModel:
        """The version that new requests are read by."""
        return self.queue.model

    @contextlib.asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Read the queue and look for newer versions, for as long as the context is open."""
        self._start()
        watch = asyncio.create_task(self.watch())
        yield
        watch.cancel()
        self.task.cancel()
        self.decoders.shutdown()
        self.reader.shutdown()

    def _start(self) -> None:
        self.task = asyncio.create_task(self.queue.run(self.reader, self.metrics.batches))

    async def watch(self) -> None:
        """Look for newer versions, forever."""
        folder, unreachable = self.options.folder, False
        while True:
            await asyncio.sleep(BUCKET_POLL if storage.url_of(folder) else POLL)
            try:
                found = await asyncio.to_thread(newest, folder)
            except OSError as error:  # a bucket that is out of reach for a while: reported once
                if not unreachable:
                    log.warning("cannot look for newer versions: %s", error)
                unreachable = True
                continue
            unreachable = False
            if found is not None and int(found.name) != self.model.version:
                await self._replace(found)

    async def _replace(self, folder: Path) -> None:
        """Serve another version, if it can be loaded; open requests are answered by the old one."""
        state = folder, last_change(folder)
        if state == self.broken:  # still as it was when it did not load
            return
        try:
            model = await asyncio.to_thread(ServedModel, folder)
        except Exception as error:  # whatever is wrong with it, perhaps it is still being copied
            version = self.model.version
            message = "version %s cannot be loaded (%s); still serving version %d"
            log.warning(message, folder.name, error, version)
            self.broken = state
            return
        former, former_task = self.queue, self.task
        self.queue = BatchQueue(model, self.options.batch)
        self._start()
        versions = model.version, former.model.version
        log.warning("now serving version %d instead of %d", *versions)
        while former.open_requests:
            await asyncio.sleep(0.05)
        former_task.cancel()

    async def read(
        self, images: Sequence[bytes], names: Sequence[str]
    ) -> list[ServedLine | ImageError]:
        """The line in each image, or what is wrong with the image. Raises HTTPException."""
        options, queue = self.options, self.queue
        if not images:
            raise HTTPException(400, "no image in the request")
        if len(images) > options.max_images:
            message = f"{len(images)} images, over the limit of {options.max_images}; send fewer"
            raise HTTPException(413, message)
        if self.open_images + len(images) > options.max_waiting:
            raise HTTPException(429, "the queue is full; try again later", {"Retry-After": "1"})
        self.open_images += len(images)
        queue.open_requests += 1
        try:
            async with asyncio.timeout(options.timeout):
                found = await asyncio.gather(
                    *(self._read_one(queue, *pair) for pair in zip(images, names))
                )
        except TimeoutError:
            raise HTTPException(504, "reading took too long; send fewer images") from None
        finally:
            self.open_images -= len(images)
            queue.open_requests -= 1
        self.metrics.images.inc(sum(isinstance(item, ServedLine) for item in found))
        return found

    async def _read_one(
        self, queue: BatchQueue, encoded: bytes, name: str
    ) -> ServedLine | ImageError:
        decode = partial(to_png, encoded, queue.model.channels, name, self.options.max_pixels)
        try:
            png = await asyncio.get_running_loop().run_in_executor(self.decoders, decode)
        except ImageError as error:
            return error
        return await queue.submit(png)

    def require(self, name: str, version: int | None) -> None:
        """Raise HTTPException for a model, or a version, that is not served."""
        serves = f"this server serves {self.options.name!r}"
        if name != self.options.name:
            raise HTTPException(404, f"no model named {name!r}; {serves}")
        if version not in (None, self.model.version):
            served = self.model.version
            raise HTTPException(404, f"version {version} is not served; {served} is")
