"""What the server's routes share: the model with its queue, the limits, the metrics."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from prometheus_client import CollectorRegistry, Counter, Histogram

from aocr.options import ServeOptions
from aocr.server import answers, predict_api
from aocr.server.decoders import Busy, Decoders, NotTried, Turns
from aocr.server.engine_model import AnyModel
from aocr.server.queue import BatchQueue
from aocr.server.served_line import ServedLine
from aocr.server.served_model import ServedModel
from aocr.server.uploads import Preparation
from aocr.server.versions import last_change, newest
from ocr_simple import storage
from ocr_simple.images import ImageError
from ocr_simple.messages import shown
from ocr_simple.stoppable import Stopped

logger = logging.getLogger("ocr_simple")

POLL, BUCKET_POLL = 1.0, 10.0  # seconds between two looks for a newer version
SMALL_BODY = 1 << 16  # bytes of JSON that are parsed within a millisecond
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
        self.whole = Counter(
            "ocr_images_whole",
            "Images read whole: the box is for other sizes",
            registry=self.registry,
        )
        self.batches = Histogram(
            "ocr_batch_images", "Images in a batch", registry=self.registry, buckets=BATCH_SIZES
        )


class _Reading:
    """The reading of a request's images."""

    def __init__(self, queue: BatchQueue, turns: Turns, maps: bool):
        self.queue, self.turns, self.maps = queue, turns, maps
        self.arrived = asyncio.get_running_loop().time()
        self.columns = self.cost = 0  # of the images that were decoded


def check_room(needed: int, taken: int, limit: int) -> None:
    """Raise HTTPException if a request needs more than half of what others leave of a limit.

    So there is room for small requests though large ones come all the time. A request that is
    alone may have all of it.
    """
    if taken and 2 * needed > limit - taken:
        raise HTTPException(429, "the queue is full; try again later", {"Retry-After": "1"})


class Service:
    """Reads images with the newest version of a model."""

    def __init__(self, options: ServeOptions, model: AnyModel):
        self.options, self.metrics = options, Metrics()
        self.queue = BatchQueue(model, options.batch)
        self.decoders = Decoders(options.max_pixels, options.timeout)
        self.reader = ThreadPoolExecutor(1, "read")  # one thread: the model has its own pool
        self.open_images = 0  # in requests that were not answered yet
        self.open_cost = 0  # of those that were decoded, in columns
        self.open_bytes = 0  # of bodies of such requests
        self.broken: tuple[Path, int] | None = None  # version that did not load, its last change

    @property
    def model(self) -> AnyModel:
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
        self.decoders.close()
        self.reader.shutdown(cancel_futures=True)

    def _start(self) -> None:
        self.task = asyncio.create_task(self.queue.run(self.reader, self.metrics.batches))

    async def watch(self) -> None:
        """Look for newer versions, forever, if a folder of them is served."""
        folder, unreachable = self.options.folder, False
        if folder is None:
            return
        while True:
            await asyncio.sleep(BUCKET_POLL if storage.url_of(folder) else POLL)
            try:
                found = await asyncio.to_thread(newest, folder)
            except OSError as error:  # a bucket that is out of reach for a while: reported once
                if not unreachable:
                    logger.warning("cannot look for newer versions: %s", error)
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
            logger.warning(message, folder.name, error, version)
            self.broken = state
            return
        former, former_task = self.queue, self.task
        self.queue = BatchQueue(model, self.options.batch)
        self._start()
        versions = model.version, self.options.source, former.model.version
        logger.warning("now serving version %d of %s instead of %d", *versions)
        while former.open_requests:
            await asyncio.sleep(0.05)
        former_task.cancel()
        if isinstance(former.model, ServedModel):
            await asyncio.to_thread(storage.remove_copy, former.model.folder)

    async def read(
        self, images: Sequence[bytes], names: Sequence[str], maps: bool = False
    ) -> list[ServedLine | ImageError]:
        """The line in each image, or what is wrong with the image. Raises HTTPException.

        maps: whether the lines need their maps. If the call is cancelled, so is its work.
        """
        options = self.options
        if not images:
            raise HTTPException(400, "no image in the request")
        if len(images) > options.max_images:
            message = f"{len(images)} images, over the limit of {options.max_images}; send fewer"
            raise HTTPException(413, message)
        check_room(len(images), self.open_images, options.max_waiting)
        reading = _Reading(self.queue, self.decoders.turns(), maps)
        self.open_images += len(images)
        reading.queue.open_requests += 1
        tasks = [asyncio.create_task(self._read_one(reading, *pair)) for pair in zip(images, names)]
        try:
            async with asyncio.timeout(options.timeout):
                found = await asyncio.gather(*tasks)
        except Busy as error:
            raise HTTPException(503, str(error), {"Retry-After": "5"}) from None
        except TimeoutError:
            raise HTTPException(504, "reading took too long; send fewer images") from None
        finally:
            for task in tasks:  # nobody waits for them any more
                task.cancel()
            self.open_images -= len(images)
            self.open_cost -= reading.cost
            reading.queue.open_requests -= 1
        self.metrics.images.inc(sum(isinstance(item, ServedLine) for item in found))
        return found

    async def _read_one(
        self, reading: _Reading, encoded: bytes, name: str
    ) -> ServedLine | ImageError:
        model, options = reading.queue.model, self.options
        limits = options.max_pixels, options.max_columns or model.max_columns
        preparation = Preparation(model.channels, model.height, *limits, model.box)
        try:
            image = await self.decoders.decode(
                reading.turns, model.prepare, encoded, name, preparation
            )
        except ImageError as error:
            return error
        except NotTried as reason:
            return ImageError(f"{name}: not read ({reason}); send it in another request")
        except Stopped as stopped:
            message = f"{name}: cannot be decoded ({stopped}); save it again as PNG or JPEG"
            return ImageError(message)
        if model.box and not image.cropped:
            self.metrics.whole.inc()
        reading.columns += image.columns
        reading.cost += image.cost
        self.open_cost += image.cost
        if reading.columns > options.max_request_columns:
            message = f"more columns than the limit of {options.max_request_columns:,}"
            raise HTTPException(413, f"the images have {message} for a request; send fewer")
        check_room(reading.cost, self.open_cost - reading.cost, options.max_waiting_columns)
        return await reading.queue.submit(image, reading.arrived, reading.cost, reading.maps)

    async def parse(self, body: bytes) -> tuple[list[bytes], str, str]:
        """What a predict request asks for, as `predict_api.parse_body`. Raises HTTPException."""
        try:
            if len(body) <= SMALL_BODY:
                return predict_api.parse_body(body)
            async with asyncio.timeout(self.options.timeout):  # in a process: it takes its time
                return await self.decoders.json.run(predict_api.parse_body, body)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        except (MemoryError, Stopped) as error:
            reason = str(error) or "takes too much memory"
            raise HTTPException(400, f"the request cannot be read as JSON: {reason}") from None
        except TimeoutError:
            message = "many large requests are waiting; try again later"
            raise HTTPException(503, message, {"Retry-After": "5"}) from None

    async def answer(
        self, found: Sequence[ServedLine | ImageError], build: Callable[..., bytes], *args: Any
    ) -> Response:
        """The JSON that build(found, *args) gives. Raises HTTPException if it takes too long."""
        try:
            if answers.is_small(found):
                content = build(found, *args)
            else:
                async with asyncio.timeout(self.options.timeout):
                    content = await self.decoders.json.run(build, found, *args)
        except (MemoryError, Stopped, TimeoutError):
            raise HTTPException(504, "the answer takes too long; send fewer images") from None
        return Response(content, media_type="application/json")

    def require(self, name: str, version: int | None) -> None:
        """Raise HTTPException for a model, or a version, that is not served."""
        serves = f"this server serves {self.options.name!r}"
        if name != self.options.name:
            raise HTTPException(404, f"no model named {shown(name)}; {serves}")
        if version not in (None, self.model.version):
            served = self.model.version
            raise HTTPException(
                404, f"version {version} is not served; this server serves {served}"
            )
