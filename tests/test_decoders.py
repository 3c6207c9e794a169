"""The server's decoders: images that take long delay each other, and hardly others."""

import asyncio
import time

import pytest
from support import slow_images

from aocr.server import decoders
from aocr.server.decoders import Busy, Decoders
from aocr.server.served_model import to_png
from aocr.server.uploads import Preparation
from ocr_simple.images import ImageError
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.stoppable import Stopped

GOOD = (TEST_IMAGES / "sticker.png").read_bytes()
BAD = slow_images.repeated_scan(scans=1000)
LIMITS = Preparation(channels=1, height=32, max_pixels=20_000_000, max_columns=16_000)


@pytest.fixture
def lanes(monkeypatch):
    """Decoders with one process for each queue, and an image's limit of 0.4 s."""
    monkeypatch.setattr(decoders, "usable_cores", lambda: 1)
    monkeypatch.setattr(decoders, "IMAGE_SECONDS", 0.4)
    lanes = Decoders(LIMITS.max_pixels, patience=60)
    yield lanes
    lanes.close()


def decode(lanes, *images, turns=None):
    """For each image what `to_png` gives, or the error; of one request if it has turns."""

    async def all_of_them():
        shared = turns and lanes.turns()
        each = (
            lanes.decode(shared or lanes.turns(), to_png, image, "it", LIMITS) for image in images
        )
        return await asyncio.gather(*each, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_an_image_is_decoded_or_its_error_raised(lanes):
    found, error = decode(lanes, GOOD, b"no image")
    assert found.png.startswith(b"\x89PNG")
    assert isinstance(error, ImageError) and "it: not an image" in str(error)


@pytest.mark.parametrize("kind", slow_images.SLOW)
def test_decoding_ends_whatever_the_format(lanes, kind):
    (error,) = decode(lanes, slow_images.SLOW[kind]())
    assert isinstance(error, Stopped) and str(error) == "takes over 0.4 s"
    assert decode(lanes, GOOD)[0].png


def test_pages_are_not_counted(lanes):
    assert decode(lanes, slow_images.many_pages())[0].columns == 96


def test_good_images_overtake_those_that_take_long(lanes):
    async def both():
        bad = [
            asyncio.ensure_future(lanes.decode(lanes.turns(), to_png, BAD, "it", LIMITS))
            for _ in range(3)
        ]
        await asyncio.sleep(0.02)
        found = await lanes.decode(lanes.turns(), to_png, GOOD, "it", LIMITS)
        finished = [task.done() for task in bad]
        await asyncio.gather(*bad, return_exceptions=True)
        return found, finished

    found, finished = asyncio.run(both())
    assert found.png and not all(finished)


def test_few_of_them_wait(lanes):
    async def many():
        requests = [lanes.turns() for _ in range(8)]
        for turns in requests:
            turns.slow = True  # so all come to the second queue at once
        each = (lanes.decode(turns, to_png, BAD, "it", LIMITS) for turns in requests)
        return await asyncio.gather(*each, return_exceptions=True)

    found = asyncio.run(many())
    assert sum(isinstance(error, Stopped) for error in found) == 1 + decoders.WAITING
    assert sum(isinstance(error, Busy) for error in found) == 8 - 1 - decoders.WAITING


def test_after_one_that_takes_too_long_the_others_of_its_request_are_not_decoded(lanes):
    start = time.monotonic()
    first, *others = decode(lanes, *[BAD] * 20, turns=True)
    assert str(first) == "takes over 0.4 s"
    assert {str(error) for error in others} == {"another image of the request takes too long"}
    assert time.monotonic() - start < 20


def test_what_its_client_has_left_is_not_decoded(lanes):
    async def left():
        waiting = [
            asyncio.ensure_future(lanes.decode(lanes.turns(), to_png, BAD, "it", LIMITS))
            for _ in range(4)
        ]
        await asyncio.sleep(0.3)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return lanes.first.open, lanes.second.open

    assert asyncio.run(left()) == (0, 0)
    start = time.process_time()
    assert decode(lanes, GOOD)[0].png and time.process_time() - start < 1
