"""Attacks on the server, one of each kind that is known, for `hostile.py`.

Each is a function of a client and of random numbers, and gives the status of the last answer, or
what happened instead.
"""

import asyncio
import base64
import contextlib
import functools
import io
import json
import math
import time
from collections.abc import Awaitable, Callable

import httpx
import numpy as np
from PIL import Image
from support import slow_images

from ocr_simple.runs.model_files import TEST_IMAGES

PREDICT = "/v1/models/aocr:predict"
Attack = Callable[[httpx.AsyncClient, np.random.Generator], Awaitable[str]]

# --- what is sent ---------------------------------------------------------------------------------


@functools.cache
def blank(width: int, height: int) -> bytes:
    """A white PNG."""
    file = io.BytesIO()
    Image.new("1", (width, height), 1).save(file, "png")
    return file.getvalue()


@functools.cache
def long_line(columns: int) -> bytes:
    """A PNG, 32 rows high, of one text again and again."""
    with Image.open(TEST_IMAGES / "sticker.png") as picture:
        tile = np.asarray(picture.convert("L").resize((110, 32)))
    file = io.BytesIO()
    Image.fromarray(np.tile(tile, (1, columns // 110 + 1))[:, :columns]).save(file, "png")
    return file.getvalue()


SLOW = {
    "repeated scan": functools.cache(slow_images.repeated_scan),
    "many layers": functools.cache(slow_images.many_layers),
    "many pages": functools.cache(slow_images.many_pages),
}
BODIES = {  # of predict requests
    "lists": b"[" + b"[]," * 5_000_000 + b"0]",
    "dicts": b'{"instances": [' + b"{}," * 5_000_000 + b"{}]}",
    "depth": b"[" * 100_000,
    "long number": b'{"instances": ' + b"9" * 1_000_000 + b"}",
    "long key": b'{"inputs": {"' + b"x" * 1_000_000 + b'": 1}}',
    "list as a name": b'{"signature_name": ["read"], "inputs": 1}',
    "object as a name": b'{"signature_name": {"a": 1}, "inputs": 1}',
    "surrogate": b'{"signature_name": "\\ud800", "inputs": 1}',
}
CHARSETS = ("utf-16", "undefined", "unicode_escape", "idna", "raw_unicode_escape")


# --- attacks --------------------------------------------------------------------------------------


async def slow_image(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """An image that takes long to decode."""
    return await _post(client, "/read", SLOW[_one(rng, SLOW)]())


async def slow_images_together(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """Many of them in one request."""
    image = SLOW[_one(rng, SLOW)]()
    count = min(64, 8_000_000 // len(image))
    return await _post(client, "/read", files=[("image", ("a", image))] * max(1, count))


async def flat_images(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """Images of one row, which become very wide."""
    return await _post(client, "/read", files=[("image", ("a", blank(500, 1)))] * 64)


async def wide_maps(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """Lines of over a thousand characters, with a map of each: one, as many as fit, and more."""
    files = [("image", ("a", long_line(16_000)))] * int(rng.choice((1, 6, 12)))
    return await _post(client, "/read?maps=true", files=files)


async def full_requests(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """As many columns as a request may have."""
    return await _post(client, "/read", files=[("image", ("a", long_line(1500)))] * 64)


async def many_pixels(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """Images of as many pixels as are allowed, in few bytes."""
    files = [("image", ("a", blank(4470, 4470)))] * int(rng.integers(1, 65))
    return await _post(client, "/read", files=files)


async def odd_json(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """A predict request of an odd form."""
    return await _post(client, PREDICT, BODIES[_one(rng, BODIES)])


async def many_instances(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """A large predict request of small images."""
    image = {"b64": base64.b64encode(blank(500, 30)).decode()}
    return await _post(client, PREDICT, json.dumps({"instances": [image] * 60_000}).encode())


async def odd_charset(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """A form in another charset."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="\\ud800.png"\r\n\r\n'
    kind = f"multipart/form-data; boundary=b; charset={_one(rng, CHARSETS)}"
    return await _post(client, "/read", head + b"x\r\n--b--\r\n", headers={"Content-Type": kind})


async def large_body(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """A request as large as is allowed, which does not end."""

    async def parts():
        for _ in range(15):
            yield bytes(1_000_000)
        await asyncio.sleep(5)
        yield b"x"

    return await _post(client, "/read", parts())


async def left_early(client: httpx.AsyncClient, rng: np.random.Generator) -> str:
    """A client that leaves before it has its answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(rng.uniform(0.01, 0.5)):
            return await flat_images(client, rng)
    return "left"


async def half_heads(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """Many connections on which no request arrives."""
    return await _connections(client, 100, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nA: ", 3)


async def never_read(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """Answers that are not taken."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return await _connections(client, 5, asked * 300, 3)


async def wrong_http(client: httpx.AsyncClient, _: np.random.Generator) -> str:
    """What is no HTTP, and requests for a change of protocol."""
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    return await _connections(client, 20, b"\x16\x03\x01 no HTTP\r\n\r\n" + upgrade, 3)


KINDS: tuple[Attack, ...] = (
    slow_image, slow_images_together, flat_images, wide_maps, full_requests, many_pixels, odd_json,
    many_instances, odd_charset,
    large_body, left_early, half_heads, never_read, wrong_http,
)  # fmt: skip


def good_client(address: str, seconds: float) -> list[float]:
    """Ask for the same line again and again. Returns the seconds to each answer; infinite for a
    wrong one."""
    image, right = (TEST_IMAGES / "sticker.png").read_bytes(), b'"904172563801"'
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            answer = httpx.post(f"{address.rstrip('/')}/read", content=image, timeout=30)
            well = right in answer.content
        except httpx.HTTPError:
            well = False
        found.append(time.monotonic() - start if well else math.inf)
        time.sleep(0.2)
    return found


def _one(rng: np.random.Generator, choices: object) -> str:
    return str(rng.choice(list(choices)))  # type: ignore[call-overload]


async def _post(client: httpx.AsyncClient, path: str, content: object = None, **how: object) -> str:
    answer = await client.post(path, content=content, **how)  # type: ignore[arg-type]
    return str(answer.status_code)


async def _connections(client: httpx.AsyncClient, count: int, sent: bytes, seconds: float) -> str:
    """Open connections, send the same on each, and leave after some seconds."""
    writers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(sent)
            writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.close()
    return "left"
