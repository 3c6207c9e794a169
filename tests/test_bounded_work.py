"""What a request may cost the server is known, and limited, before the work is done."""

import asyncio
import io
import itertools
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi import HTTPException
from PIL import Image, ImageDraw
from prometheus_client import CollectorRegistry, Histogram
from support.serving import serving

from aocr.options import ServeOptions
from aocr.server import answers
from aocr.server.queue import BatchQueue
from aocr.server.served_line import MAP_COLUMNS, ServedLine, pooled
from aocr.server.served_model import ServedImage, to_png
from aocr.server.service import check_room
from aocr.server.uploads import MODEL_PIXELS, MODEL_SIDE, Preparation, smaller
from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.runs.model_files import TEST_IMAGES

GOOD = (TEST_IMAGES / "sticker.png").read_bytes()
GREY = Preparation(channels=1, height=32, max_pixels=20_000_000, max_columns=16_000)


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def repeated(columns: int) -> bytes:
    """A long line of many characters in few bytes, 32 rows high."""
    tile = np.asarray(Image.open(io.BytesIO(GOOD)).convert("L").resize((110, 32)))
    return png(Image.fromarray(np.tile(tile, (1, columns // 110 + 1))[:, :columns]))


# --- one image --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((500, 1), "500 x 1 pixels, 16,000 columns at the model's height of 32, over the limit of"),
        ((600, 1), "too long for one line"),
        ((5000, 5000), "5000 x 5000 pixels, over the limit of 20,000,000"),
    ],
)
def test_an_image_over_a_limit_is_refused_and_the_limit_named(size, message):
    limits = GREY._replace(max_columns=15_999)
    with pytest.raises(imaging.TooLargeError) as error:
        to_png(png(Image.new("1", size, 1)), "a.png", limits)
    assert str(error.value).startswith("a.png: ") and message in str(error.value)


def test_a_line_of_ten_thousand_pixels_is_no_hostile_image():
    image = to_png(png(Image.new("L", (10_000, 32), 255)), "a.png", GREY)
    assert image.columns == 10_000 and image.scale == 1


def test_the_model_is_given_no_more_rows_than_png_may_have():
    image = to_png(png(Image.new("1", (1, 1_000_001), 1)), "a.png", GREY)
    with Image.open(io.BytesIO(image.png)) as given:
        assert given.size == (1, 500_001)


@pytest.mark.parametrize("size", [(1, 20_000_000), (6, 3_300_000), (3, 6_600_000)])
def test_the_model_is_given_few_pixels_of_narrow_images_too(size):
    given = smaller(np.zeros((size[1], size[0], 1), np.uint8), 32)
    assert given.width * given.height <= MODEL_PIXELS and given.height <= MODEL_SIDE


def test_an_image_costs_its_columns_or_its_pixels():
    assert image("long line", 16_000, 16_000 * 32).cost == 16_000
    assert image("photograph", 32, 1_000_000).cost == 6666
    check_room(16 * 6666, 16 * 6666, ServeOptions().max_waiting_columns)


@pytest.mark.parametrize(
    "size", [(4000, 800), (4400, 4400), (8000, 260), (30_000, 600), (1500, 40)]
)
def test_the_model_is_given_few_pixels_and_sees_the_same(size):
    width, height = size
    picture = Image.new("L", size, 230)
    draw = ImageDraw.Draw(picture)
    for x in range(0, width, max(2, height // 3)):
        draw.line((x, height * 0.1, x + height * 0.2, height * 0.9), x % 120, max(1, height // 10))
    found = to_png(png(picture), "a.png", GREY)
    with Image.open(io.BytesIO(found.png)) as given:
        assert given.width * given.height == found.pixels <= MODEL_PIXELS
        assert found.scale * given.width == pytest.approx(width)
        seen = preprocessing.resize(np.asarray(given)[..., None], 32)
    expected = preprocessing.resize(np.asarray(picture)[..., None], 32)
    assert abs(seen - expected).max() <= 1
    assert found.columns == expected.shape[1]


def test_a_map_has_few_columns_and_its_peaks():
    maps = np.zeros((3, 8000), np.float32)
    maps[0, 0], maps[1, 4017], maps[2, 7999] = 0.7, 0.8, 0.9
    found = pooled(maps)
    assert found.shape == (3, MAP_COLUMNS)
    assert found.max(1).tolist() == maps.max(1).tolist()
    assert found.argmax(1).tolist() == [0, 4017 * MAP_COLUMNS // 8000, MAP_COLUMNS - 1]
    assert (pooled(maps[:, :150]) == maps[:, :150]).all()


# --- batches and the queue --------------------------------------------------------------------


def test_a_batch_has_limited_columns_padding_included():
    widths = [100, 16_000, 90, 3000, 3100, 80, 5000, *[500] * 40]
    found = list(preprocessing.batches(widths, 4))
    assert sorted(itertools.chain(*found)) == list(range(len(widths)))
    for batch in found:
        padded = len(batch) * max(widths[i] for i in batch)
        assert padded <= preprocessing.BATCH_COLUMNS or len(batch) == 1


class Recording:
    """In place of a model: which batches it was given."""

    def __init__(self):
        self.batches: list[list[bytes]] = []

    def read(self, images, maps):
        self.batches.append([image.png for image in images])
        return [image.png for image in images]


def run_queue(submit, batch_size=32, model=None):
    """The batches that a queue makes of what submit(queue, now) puts into it at once."""
    model = model or Recording()

    async def run():
        queue = BatchQueue(model, batch_size)
        futures = submit(queue, asyncio.get_running_loop().time())
        sizes = Histogram("sizes", "of batches", registry=CollectorRegistry())
        with ThreadPoolExecutor(1) as pool:
            task = asyncio.create_task(queue.run(pool, sizes))
            await asyncio.gather(*futures, return_exceptions=True)
            task.cancel()
        return queue

    return model.batches, asyncio.run(run())


def image(name: str, columns: int, pixels: int = 1) -> ServedImage:
    return ServedImage(name.encode(), columns, pixels, 1.0)


def test_the_queue_gives_the_model_a_limited_number_of_columns_and_pixels_at_once():
    wide = lambda q, now: [q.submit(image(str(k), 2000), now, 2000) for k in range(7)]  # noqa: E731
    assert [len(batch) for batch in run_queue(wide)[0]] == [3, 3, 1]
    large = lambda q, now: [  # noqa: E731
        q.submit(image(str(k), 99, MODEL_PIXELS), now, 99) for k in range(6)
    ]
    assert [len(batch) for batch in run_queue(large)[0]] == [4, 2]


def test_a_short_line_does_not_wait_for_long_ones_that_came_just_before():
    def submit(queue, now):
        long = [queue.submit(image(f"long {k}", 16_000), now, 16_000 * (k + 1)) for k in range(6)]
        return [*long, queue.submit(image("short", 100), now + 1, 100)]

    assert run_queue(submit)[0][0] == [b"short"]


def test_nor_do_long_lines_wait_forever():
    def submit(queue, now):
        long = queue.submit(image("long", 16_000), now, 16_000)
        short = [queue.submit(image(str(k), 100), now + 17, 100) for k in range(200)]
        return [long, *short]

    assert run_queue(submit)[0][0] == [b"long"]


def test_an_image_that_makes_a_batch_fail_fails_alone():
    class Failing(Recording):
        def read(self, images, maps):
            if any(image.png == b"bad" for image in images):
                raise RuntimeError("cannot be read")
            return super().read(images, maps)

    futures = []

    def submit(queue, now):
        futures.extend(queue.submit(image(name, 9), now, 9) for name in ("a", "bad", "b"))
        return futures

    run_queue(submit, model=Failing())
    assert [futures[0].result(), futures[2].result()] == [b"a", b"b"]
    assert str(futures[1].exception()) == "cannot be read"


def test_an_image_that_nobody_waits_for_is_dropped():
    kept = []

    def submit(queue, now):
        futures = [queue.submit(image(str(k), 16_000), now, 16_000) for k in range(8)]
        for future in futures[1:]:
            future.cancel()
        kept.append(queue)
        return futures

    read, queue = run_queue(submit)
    assert read == [[b"0"]] and not queue._images


def test_a_large_request_leaves_room_for_small_ones():
    check_room(100, 0, 100)  # alone it may have all
    check_room(30, 40, 100)
    check_room(1, 98, 100)
    for needed, taken in ((31, 40), (2, 98), (1, 99), (1, 100)):
        with pytest.raises(HTTPException) as error:
            check_room(needed, taken, 100)
        assert error.value.status_code == 429 and error.value.headers == {"Retry-After": "1"}


# --- answers ----------------------------------------------------------------------------------


def line(characters: int, columns: int = 0) -> ServedLine:
    numbers = [0.5] * characters
    maps = np.full((characters, columns), 0.123, np.float32)
    return ServedLine("7" * characters, 0.5, ["7"] * characters, numbers, numbers, numbers, maps)


def test_only_large_answers_are_made_in_another_process():
    assert answers.is_small([line(12, 64), imaging.ImageError("no image")])
    assert not answers.is_small([line(1500, 200)])
    assert not answers.is_small([line(100)] * 64)


def test_the_numbers_of_a_map_have_three_decimals():
    found = answers.of_uploads([line(1, 2), imaging.ImageError("b: bad")], ["a", "b"], True, 7)
    assert b'"map":[0.123,0.123]' in found
    assert json.loads(found)["lines"][1] == {"name": "b", "error": "b: bad"}


# --- a server ---------------------------------------------------------------------------------


def memory(process: int) -> int:
    """Of a process and those that it started, in MB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        started = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        resident = int(status.split("VmRSS:")[1].split()[0]) // 1024
        return resident + sum(memory(int(child)) for child in started)
    except (OSError, IndexError):  # it has ended
        return 0


@pytest.fixture(scope="module")
def server(exported):
    """(process, client, memory when idle)."""
    with serving(exported) as (process, client):
        for query in ("", "?maps=true"):
            client.post(f"/read{query}", content=GOOD)
        yield process, client, memory(process.pid)


def ask(server, images, query=""):
    """The answer to an upload; the server has to take less than 15 s and 1 GB for it."""
    process, client, idle = server
    start, most = time.monotonic(), 0
    with ThreadPoolExecutor(1) as pool:
        files = [("image", (f"{k}.png", image)) for k, image in enumerate(images)]
        answer = pool.submit(client.post, f"/read{query}", files=files)
        while not answer.done():
            most = max(most, memory(process.pid))
            time.sleep(0.02)
    assert most < idle + 1000
    assert client.post("/read", content=GOOD).json()["lines"][0]["text"] == "904172563801"
    assert time.monotonic() - start < 15
    return answer.result()


@pytest.mark.long
def test_many_flat_images_are_refused_by_the_limit_of_a_request(server):
    answer = ask(server, [png(Image.new("1", (500, 1), 1))] * 64)
    assert answer.status_code == 413 and "limit of 100,000" in answer.json()["error"]


@pytest.mark.long
def test_a_wide_image_with_maps_has_a_small_answer(server):
    answer = ask(server, [repeated(16_000)], "?maps=true")
    characters = answer.json()["lines"][0]["characters"]
    assert len(characters) > 1000 and len(answer.content) < 4_000_000
    assert {len(character["map"]) for character in characters} == {MAP_COLUMNS}


@pytest.mark.long
def test_images_with_many_pixels_take_little_memory(server):
    picture = Image.new("1", (4470, 4470), 1)
    picture.paste(0, (100, 100, 2000, 2000))
    # whether there is time for all of them depends on the computer; `ask` looks at the memory
    assert ask(server, [png(picture)] * 12).status_code in (200, 503, 504)


@pytest.mark.long
def test_spans_of_a_large_image_are_in_its_pixels(server):
    with Image.open(io.BytesIO(GOOD)) as picture:
        large = picture.convert("L").resize((picture.width * 8, picture.height * 8))
    usual = ask(server, [GOOD]).json()["lines"][0]["characters"]
    found = ask(server, [png(large)]).json()["lines"][0]["characters"]
    starts = [character["start"] / 8 for character in found]
    step = 2 * large.height / 8 / 32  # in pixels
    assert starts == pytest.approx([character["start"] for character in usual], abs=2 * step)


@pytest.mark.long
def test_the_work_of_clients_that_left_is_dropped(server):
    _, client, _ = server
    content = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n' % part
        for part in [repeated(16_000)] * 6
    )
    content += b"--b--\r\n"
    head = (
        b"POST /read?maps=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % len(content)
    )
    for _ in range(10):  # 960,000 columns, which would take ten seconds and more
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(head + content)
            time.sleep(0.1)
    start = time.monotonic()
    assert client.post("/read", content=repeated(16_000)).status_code == 200
    assert time.monotonic() - start < 8
    assert 'status="499"' in client.get("/metrics").text
