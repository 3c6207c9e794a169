"""The labelling page in headless Chromium, by keyboard: answers are on disk, whatever happens."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from PIL import Image, ImageDraw, ImageFont
from support.commands import ROOT
from support.lines import OPEN_SANS

from ocr_simple.datasets.annotations import find_dataset, read_labels

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]


@contextlib.contextmanager
def labelling(folder, *arguments):
    """Run `aocr label` in another process. Yields (process, address of the page)."""
    command = [sys.executable, "-m", "aocr", "label", str(folder), "--port", "0", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        address = None
        while not address:
            messages = os.pread(log.fileno(), 10_000, 0).decode()
            assert process.poll() is None, messages
            time.sleep(0.05)
            address = re.search(r"at (http://\S+);", messages)
        try:
            yield process, address[1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser):
    """A function that opens a page; none may make third-party requests or have an error."""
    errors = []

    def open_page(address, width=1100):
        page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda r: r.url.startswith(address) or errors.append(r.url))
        page.goto(address)
        return page

    yield open_page
    assert not errors


@pytest.fixture
def folder(labelled_folder, tmp_path):
    """The drawn lines without their labels."""
    for image in labelled_folder.glob("*.png"):
        shutil.copy(image, tmp_path)
    return tmp_path


def name_on(page):
    return page.locator("#name").text_content()


def wait_for_picture(page):
    page.locator("#work").wait_for()
    page.wait_for_function("() => document.getElementById('image').complete")


def press(page, key):
    """Press a key that answers, and wait for the next picture."""
    before = name_on(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.getElementById('name').textContent !== before"
        " && document.getElementById('image').complete || !document.getElementById('done').hidden",
        arg=before,
    )


def answer(page, text):
    """Correct the field if it has another text, and accept it."""
    if page.locator("#text").input_value() != text:
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
    press(page, "Enter")


@pytest.fixture(scope="module")
def truths():
    """The texts of thirty lines, by the names of their pictures."""
    return {f"{k:02}.png": str(1000 + 37 * k)[-2 - k % 3 :] for k in range(30)}


@pytest.fixture
def thirty(truths, tmp_path):
    """A folder of thirty lines without labels."""
    for name, text in truths.items():
        draw_line(text).save(tmp_path / name)
    return tmp_path


def draw_line(text):
    """A picture of 160 x 32 pixels."""
    line = Image.new("L", (160, 32), 230)
    ImageDraw.Draw(line).text((12, 2), text, 20, ImageFont.truetype(OPEN_SANS, 22))
    return line


def test_thirty_pictures_are_labelled_by_keyboard_though_the_process_is_killed_twice(
    thirty, truths, new_page
):
    with labelling(thirty) as (process, address):
        page = new_page(address)
        wait_for_picture(page)
        for _ in range(3):  # before the model has read anything
            answer(page, truths[name_on(page)])
        page.locator("#next button").first.wait_for(timeout=240_000)
        answer(page, truths[name_on(page)])
        page.locator("#next button").first.wait_for()
        first, read = name_on(page), page.locator("#text").input_value()
        page.keyboard.press("ArrowDown")
        other = page.locator("#text").input_value()
        assert other != read and other == page.locator("#next button").nth(1).text_content()
        page.keyboard.press("Escape")
        assert page.locator("#text").input_value() == read
        press(page, "F2")
        page.keyboard.press("Control+z")
        page.wait_for_function("n => document.getElementById('name').textContent === n", arg=first)
        answer(page, truths[first])
        page.keyboard.press("Control+z")  # its text is there again, to be corrected
        page.wait_for_function("n => document.getElementById('name').textContent === n", arg=first)
        assert page.locator("#text").input_value() == truths[first]
        answer(page, truths[first])
        for _ in range(5):
            answer(page, truths[name_on(page)])
        process.kill()
    assert read_labels(thirty).items() <= truths.items() and len(read_labels(thirty)) == 10
    with labelling(thirty, "--order", "diverse") as (process, address):
        page = new_page(address)
        wait_for_picture(page)
        assert "10 of 30 pictures labelled" in page.locator("#figures").text_content()
        for _ in range(10):
            answer(page, truths[name_on(page)])
        process.kill()
    with labelling(thirty) as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        for _ in range(10):
            answer(page, truths[name_on(page)])
        page.locator("#done", has_text="All pictures are done: 30 labels").wait_for()
        assert page.locator("#then").text_content().startswith("Next, train on the labels")
    assert read_labels(thirty) == truths
    assert not (thirty / ".aocr-label.lock").exists()


def test_a_training_is_started_survives_a_reload_and_is_stopped(thirty, truths, new_page):
    labels = [f"{name}\t{text}\n" for name, text in truths.items()]
    (thirty / "labels.tsv").write_text("".join(labels[:9]))
    with labelling(thirty, "--order", "name") as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        assert page.locator("#train").is_disabled()
        assert "10 labels are needed, 1 more than now" in page.locator("#trained").text_content()
        answer(page, truths[name_on(page)])
        page.locator("#train", has_text="Train on 10 labels").click()
        page.locator("#train", has_text="Stop training").wait_for()
        page.reload()
        page.locator("#train", has_text="Stop training").click(timeout=30_000)
        page.locator("#train", has_text="Train on 10 labels").wait_for(timeout=60_000)
        answer(page, truths[name_on(page)])


@pytest.fixture
def camera(tmp_path):
    """Pictures of a camera that does not move, of a line and its surroundings, and another one."""
    for name, text in {"a.png": "7315", "b.png": "2048", "c.png": "9266"}.items():
        scene = Image.new("L", (320, 200), 120)
        scene.paste(draw_line(text), (100, 90))
        scene.save(tmp_path / name)
    draw_line("11").save(tmp_path / "d.png")
    return tmp_path


def drag(page, corner, to):
    """Drag a corner to a place of the picture, in its pixels."""
    frame, handle = page.locator("#frame").bounding_box(), page.locator(".corner").nth(corner)
    handle = handle.bounding_box()
    size = frame["width"] / 320
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + to[0] * size, frame["y"] + to[1] * size, steps=3)
    page.mouse.up()


def boxes_of(folder):
    rows = [row.split("\t") for row in (folder / "crops.tsv").read_text().splitlines()]
    return {name: [float(number) for number in box.split()] for name, box in rows}


@pytest.mark.parametrize("width", [1100, 390])
def test_a_box_is_drawn_and_kept_for_all_pictures_of_the_size(camera, new_page, width):
    files = {file.name: file.read_bytes() for file in camera.glob("*.png")}
    with labelling(camera, "--order", "name") as (_, address):
        page = new_page(address, width)
        wait_for_picture(page)
        page.locator("#crop").click()
        page.locator("#box").wait_for()
        for corner, to in enumerate([(100, 90), (260, 90), (260, 122), (100, 122)]):
            drag(page, corner, to)
        page.locator("#inside", has_text="7315").wait_for(timeout=240_000)
        assert not (camera / "crops.tsv").exists()
        page.keyboard.press("a")
        page.wait_for_function("() => document.getElementById('text').value === '7315'")
        boxes = boxes_of(camera)
        assert [*boxes] == ["a.png", "b.png", "c.png"]
        assert boxes["c.png"] == pytest.approx([100, 90, 260, 90, 260, 122, 100, 122], abs=3)
        assert page.locator("#status").inner_text() == "Last: box of a.png, applied to 3 pictures"
        press(page, "Enter")
        page.wait_for_function("() => document.getElementById('text').value === '2048'")
        page.keyboard.press("Control+z")
        page.locator("#name", has_text="a.png").wait_for()
        page.keyboard.press("Control+z")
        page.wait_for_function("() => !document.getElementById('image').src.includes('box=')")
        assert not (camera / "crops.tsv").exists()
    assert {file.name: file.read_bytes() for file in camera.glob("*.png")} == files


def test_a_box_is_drawn_by_keyboard(camera, new_page):
    with labelling(camera, "--order", "name") as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        page.keyboard.press("Control+a")  # the reading may be there already
        page.keyboard.type("73")
        page.keyboard.press("F6")
        page.locator("#box").wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        assert page.locator("#box").is_hidden() and not (camera / "crops.tsv").exists()
        page.keyboard.press("F6")
        page.locator("#box").wait_for()
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("3")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.getElementById('image').src.includes('box=')")
        left, top, right, bottom = 32, 40, 288, 160  # of the box that is there at first
        step = 320 / 250
        expected = [left + 5 * step, top, right, top, right, bottom - step, left, bottom]
        assert boxes_of(camera)["a.png"] == pytest.approx(expected, abs=0.1)
        assert page.locator("#text").input_value() == "73"  # what was typed is still there
        reach = page.locator("#status").inner_text()
        assert reach == "Last: box of a.png, applied to this picture only"
        page.keyboard.press("F6")
        page.locator("#box").wait_for()
        page.keyboard.press("Delete")
        page.locator("#box").wait_for(state="hidden")  # once the answer is there
        assert not (camera / "crops.tsv").exists()


def test_a_folder_that_cannot_be_written_to_any_more_is_reported(folder, labelled_folder, new_page):
    truths = read_labels(labelled_folder)
    blocked = folder / ".labels.tsv.partial"  # stands in the way of each write, also of root's
    with labelling(folder, "--order", "name") as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        blocked.mkdir()
        page.keyboard.press("Control+a")  # the reading may be there already
        page.keyboard.type(truths["0.png"])
        page.keyboard.press("Enter")
        page.locator("#status.error", has_text="labels.tsv").wait_for()
        assert name_on(page) == "0.png" and page.locator("#text").input_value() == truths["0.png"]
        blocked.rmdir()
        press(page, "Enter")
        assert read_labels(folder) == {"0.png": truths["0.png"]}


def test_each_other_answer_has_its_key(folder, new_page):
    with labelling(folder, "--order", "name") as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        for key in ("F2", "F4", "F8", "F9"):
            press(page, key)
        assert (folder / "left_out.tsv").read_text() == "0.png\tunreadable\n1.png\tnot a line\n"
        assert [entry.label for entry in find_dataset(folder).entries] == [""]
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        page.keyboard.press("Enter")  # an empty field is not blank by mistake
        page.locator("#status.error", has_text="The field is empty").wait_for()
        page.keyboard.press("Escape")


def test_what_was_typed_can_be_had_back(folder, new_page):
    with labelling(folder, "--order", "name") as (_, address):
        page = new_page(address)
        page.locator("#next button").first.wait_for(timeout=240_000)
        field = page.locator("#text")
        page.keyboard.press("Control+a")
        page.keyboard.type("77")
        page.keyboard.press("ArrowDown")  # a reading instead
        assert field.input_value() != "77"
        page.keyboard.press("Control+z")
        assert field.input_value() == "77"
        page.keyboard.type("5")
        page.keyboard.press("Control+z")  # the browser's
        assert field.input_value() == "77"
        press(page, "F2")
        page.keyboard.press("Control+z")
        page.locator("#name", has_text="0.png").wait_for()
        page.wait_for_function("() => document.getElementById('text').value === '77'")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+z")
        assert field.input_value() == "77"
        page.keyboard.press("Control+z")
        assert field.input_value() != "77", "taken back"


def test_in_a_review_enter_leaves_out_what_was_left_out(folder, labelled_folder, new_page):
    truths = read_labels(labelled_folder)
    del truths["3.png"]
    (folder / "labels.tsv").write_text("".join(f"{n}\t{t}\n" for n, t in truths.items()))
    (folder / "left_out.tsv").write_text("3.png\tunreadable\n")
    with labelling(folder, "--order", "name") as (_, address):
        page = new_page(address)
        page.locator("#done .again").click()
        for _ in range(12):
            page.locator("#next button").first.wait_for(timeout=240_000)
            press(page, "Enter")
        page.locator("#done", has_text="All labels reviewed").wait_for()
    assert read_labels(folder) == truths
    assert (folder / "left_out.tsv").read_text() == "3.png\tunreadable\n"


def test_a_text_outlives_a_restart_of_the_command(folder, new_page):
    with labelling(folder, "--order", "name") as (process, address):
        page = new_page(address)
        wait_for_picture(page)
        page.keyboard.press("Control+a")
        page.keyboard.type("4711")
        process.kill()
        process.wait()
    port = address.rpartition(":")[2]
    with labelling(folder, "--order", "name", "--port", port):
        page.keyboard.press("Enter")
        page.locator("#status.error", has_text="was started again").wait_for()
        assert page.locator("#text").input_value() == "4711"
        wait_for_picture(page)
        press(page, "Enter")
        assert read_labels(folder) == {"0.png": "4711"}


def test_turning_size_and_brightness_change_only_the_view(folder, new_page):
    files = {file.name: file.read_bytes() for file in folder.glob("*.png")}
    with labelling(folder, "--order", "name") as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        page.wait_for_function("() => document.getElementById('image').style.width")
        width, height = Image.open(folder / "0.png").size

        def frame():
            box = page.locator("#frame").bounding_box()
            return box["width"], box["height"]

        before = frame()
        assert before[0] / before[1] == pytest.approx(width / height, rel=0.02)
        page.keyboard.press("Alt+r")
        assert frame()[0] / frame()[1] == pytest.approx(height / width, rel=0.02)
        page.keyboard.press("Alt+r")
        page.keyboard.press("PageUp")
        assert frame()[0] == pytest.approx(1.25 * before[0], rel=0.02)
        page.keyboard.press("Alt+b")
        assert "brightness" in page.locator("#image").get_attribute("style")
    assert {file.name: file.read_bytes() for file in folder.glob("*.png")} == files


def test_a_page_that_could_not_be_opened_tries_again(folder, new_page):
    with labelling(folder) as (_, address):
        page = new_page(address)
        wait_for_picture(page)
        page.route("**/open", lambda route: route.abort(), times=1)
        page.reload()
        page.locator("#status", has_text="does not answer").wait_for()
        wait_for_picture(page)


def test_a_second_page_is_told_of_the_first(folder, new_page):
    with labelling(folder) as (_, address):
        first = new_page(address)
        wait_for_picture(first)
        second = new_page(address, width=390)
        second.locator("#taken", has_text="open in another page").wait_for()
        assert second.locator("#work").is_hidden()
        second.locator("#take").click()
        wait_for_picture(second)
        first.keyboard.type("7")
        first.keyboard.press("Enter")
        first.locator("#taken", has_text="opened in another page").wait_for()
        first.keyboard.press("Enter")  # meant for a text, it must not take the folder back
        assert not (folder / "labels.tsv").exists()
        second.reload()
        wait_for_picture(second)
        assert first.locator("#taken").is_visible() and first.locator("#work").is_hidden()


def test_a_suspected_error_comes_first_in_a_review(folder, labelled_folder, new_page):
    truths = read_labels(labelled_folder)
    wrong = dict(truths, **{"7.png": "1" * len(truths["7.png"])})
    (folder / "labels.tsv").write_text("".join(f"{n}\t{t}\n" for n, t in wrong.items()))
    with labelling(folder) as (_, address):
        page = new_page(address)
        page.locator("#done", has_text="12 labels").wait_for()
        again = page.locator("#done .again", has_text="1 suspected error first")
        again.wait_for(timeout=240_000)
        again.click()
        page.locator("#read.suspected", has_text="Suspected error").wait_for()
        assert name_on(page) == "7.png" and page.locator("#text").input_value() == wrong["7.png"]
        page.keyboard.press("ArrowDown")
        press(page, "Enter")
        assert read_labels(folder) == truths
        assert [*read_labels(folder)] == [*truths]  # in their order
