"""The server's page in headless Chromium: images are dropped, chosen, pasted, read and shown."""

import pytest
from PIL import Image
from support.reading_page import CHROMIUM, drop, paste, rows, texts, wait_for_status
from support.serving import serving

from inference import Recognizer
from ocr_simple.runs.model_files import TEST_IMAGES

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
PHONE, DESKTOP = {"width": 390, "height": 780}, {"width": 1100, "height": 800}
ON_BOTH = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
METER, RECEIPT = (str(TEST_IMAGES / name) for name in ("water_meter.png", "receipt.jpg"))


@pytest.fixture(scope="module")
def client():
    with serving("--model=digits") as (_, client):
        yield client


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def size(request):
    """Width and height of the window: a phone's, unless a test is one of ON_BOTH."""
    return getattr(request, "param", PHONE)


@pytest.fixture
def page(browser, client, size):
    """The page; it must make no third-party requests and log no error."""
    context = browser.new_context(
        viewport=size, permissions=["clipboard-read", "clipboard-write"], has_touch=True
    )
    page, base = context.new_page(), str(client.base_url)
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(base)
    yield page
    context.close()
    assert all(url.startswith((base, "blob:", "data:")) for url in requests)
    assert not errors


@ON_BOTH
def test_dropped_images_are_read_in_order(page):
    drop(page, METER, RECEIPT)
    wait_for_status(page, "2 images read")
    assert texts(page) == [line.text for line in Recognizer.load("digits").read([METER, RECEIPT])]
    assert "water_meter.png" in rows(page)[0].inner_text()


def test_an_image_that_is_probably_not_one_line_is_said_to_be(page, tmp_path):
    with Image.open(METER) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "on its side.png")
        image.convert("RGB").resize((400, 500)).save(tmp_path / "page.png")
    drop(page, METER, str(tmp_path / "on its side.png"), str(tmp_path / "page.png"))
    wait_for_status(page, "3 images read")
    line, side, whole = (row.locator(".hint").inner_text() for row in rows(page))
    assert not line
    assert side.startswith("Taller than wide") and whole.startswith("Looks like more than a line")


def test_images_can_be_chosen(page):
    page.set_input_files("#files", [METER])
    wait_for_status(page, "Read: ")
    assert len(texts(page)) == 1 and texts(page)[0].isdigit()


def test_an_image_can_be_pasted(page, tmp_path):
    Image.open(RECEIPT).convert("L").save(tmp_path / "copied.png")  # the clipboard takes PNG
    paste(page, (tmp_path / "copied.png").read_bytes())
    wait_for_status(page, "Read: ")
    assert texts(page) == [Recognizer.load("digits").read([RECEIPT])[0].text]


@ON_BOTH
@pytest.mark.parametrize("name", ["water_meter.png", "book_page.png"], ids=["wide", "narrow"])
def test_pointing_at_a_character_shows_where_it_was_read(page, name):
    image = str(TEST_IMAGES / name)
    drop(page, image)
    wait_for_status(page, "Read: ")
    line = Recognizer.load("digits").read([image])[0]
    page.locator(".text span").nth(1).hover()
    assert page.locator(".text span.on").text_content() == line.characters[1].text
    box, picture = page.locator(".span").bounding_box(), page.locator("img").bounding_box()
    scale = picture["width"] / Image.open(image).width
    assert box["x"] - picture["x"] == pytest.approx(line.characters[1].start * scale, abs=3)
    assert page.locator("canvas").bounding_box()["width"] == pytest.approx(picture["width"], abs=1)
    assert "sure, read at pixels" in page.locator(".about").text_content()
    page.mouse.move(0, 0)
    assert page.locator(".span").is_hidden()


def test_the_keyboard_steps_along_the_text(page):
    drop(page, METER)
    wait_for_status(page, "Read: ")
    page.locator(".text span").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert (
        page.evaluate(
            "[...document.activeElement.parentNode.children].indexOf(document.activeElement)"
        )
        == 2
    )
    page.keyboard.press("End")
    last = page.locator(".text span").last
    assert last.evaluate("element => element === document.activeElement")
    assert last.get_attribute("aria-label").endswith("% sure")


def test_the_table_is_copied_as_tsv_and_cleared(page, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    drop(page, METER, str(broken))
    wait_for_status(page, "1 of 2 images read")
    assert "not an image" in rows(page)[1].inner_text()
    page.locator("#copy").click()
    wait_for_status(page, "2 rows copied")
    copied = [
        row.split("\t") for row in page.evaluate("navigator.clipboard.readText()").splitlines()
    ]
    assert copied[0] == ["image", "text", "confidence"]
    assert copied[1][:2] == ["water_meter.png", texts(page)[0]]
    assert copied[2][0] == "broken.png" and "not an image" in copied[2][2]
    page.locator("#clear").click()
    assert page.locator("#results").is_hidden() and not rows(page)


def test_many_readings_that_are_kept_nowhere_are_not_cleared_at_once(page):
    drop(page, *[METER] * 12)
    wait_for_status(page, "12 images read")
    page.locator("#clear").click()
    wait_for_status(page, "12 readings have not been copied or downloaded")
    assert len(rows(page)) == 12
    page.locator("#copy").click()
    wait_for_status(page, "12 rows copied")
    page.locator("#clear").click()
    assert page.locator("#results").is_hidden() and not rows(page)


def test_clear_ends_what_is_under_way(page):
    page.route("**/read?*", lambda route: None)  # no answer
    drop(page, METER)
    wait_for_status(page, "Reading 1 of 1")
    page.locator("#clear").click()
    page.unroute("**/read?*")
    drop(page, METER)
    wait_for_status(page, "Read: ")
    assert len(rows(page)) == 1


def test_images_that_are_not_read_yet_are_no_rows(page):
    page.route("**/read?*", lambda route: None)  # no answer
    drop(page, METER)
    page.locator("#copy").click()
    wait_for_status(page, "0 rows copied; 1 not read yet")


def test_a_broken_answer_does_not_stop_the_next_images(page):
    page.route("**/read?*", lambda route: route.fulfill(status=200, body="<html>"))
    drop(page, METER)
    wait_for_status(page, "Not read: the server answered 200")
    page.unroute("**/read?*")
    drop(page, METER)
    wait_for_status(page, "Read: ")


def test_no_spreadsheet_runs_what_is_copied(page, tmp_path):
    broken = tmp_path / "=1+1.png"
    broken.write_bytes(b"no image")
    drop(page, METER, str(broken))
    wait_for_status(page, "1 of 2 images read")
    page.locator("#copy").click()
    wait_for_status(page, "2 rows copied")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[1].startswith("water_meter.png\t") and copied[2].startswith("'=1+1.png\t")


def test_the_page_asks_for_the_token(browser):
    with serving("--model=digits", OCR_TOKEN="a secret") as (_, client):
        context = browser.new_context()
        page = context.new_page()
        page.goto(str(client.base_url))
        drop(page, METER)
        page.locator("#token").fill("another")
        page.keyboard.press("Enter")
        wait_for_status(page, "The token is wrong")
        page.locator("#token").fill("a secret")
        page.keyboard.press("Enter")
        wait_for_status(page, "Read: ")
        context.close()
