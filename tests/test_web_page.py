"""The page of `aocr export --format web` in headless Chromium: it reads as the Keras model does."""

import base64
import json
import re
import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image
from support.camera import BOX, camera_picture
from support.made_once import made_once
from support.reading_page import CHROMIUM, drop, paste, texts, wait_for_status

from aocr import kept_box
from aocr.web import browser as web_browser
from aocr.web import folder as web_folder
from inference import Recognizer
from ocr_simple import images as imaging
from ocr_simple.datasets.crops import straightened
from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.decoding.constraints import Lexicon
from ocr_simple.decoding.greedy import attention_line, softmax
from ocr_simple.decoding.regular import compile_pattern
from ocr_simple.runs.model_files import PRETRAINED, TEST_IMAGES
from ocr_simple.text import Alphabet

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
    pytest.mark.skipif(not web_folder.RUNTIME.is_dir(), reason="run: make web"),
]
METER, RECEIPT = (str(TEST_IMAGES / name) for name in ("water_meter.png", "receipt.jpg"))
MOST_BYTES = 15_000_000
HEBREW = Alphabet("0123 abאבגד(),.")
ABC = Alphabet("0123456789ab-")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What an export of digits.keras gives."""
    from aocr.export import export

    def make(folder):
        return export(PRETRAINED / "digits.keras", folder / "page", ["web"])[0]

    return made_once(tmp_path_factory, "web", make)


@pytest.fixture(scope="module")
def address(exported):
    with web_browser.served(exported.path) as address:
        yield address


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of a meter, in the middle of a grey picture."""
    picture = Image.new("L", (640, 480), 128)
    picture.paste(Image.open(METER).convert("L").resize((560, 90)), (40, 195))
    frame = np.asarray(picture).tobytes() + bytes([128]) * (320 * 240 * 2)
    file = tmp_path_factory.mktemp("video") / "meter.y4m"
    file.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip C420mpeg2\n" + 2 * (b"FRAME\n" + frame))
    return file


@pytest.fixture(scope="module")
def browser(video):
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox", *web_browser.FLAGS, "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]  # fmt: skip
    with sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def opened(browser, address):
    """(the page, the URLs that it asked for, the errors that it logged)."""
    permissions = ["camera", "clipboard-read", "clipboard-write"]
    context = browser.new_context(viewport={"width": 390, "height": 844}, permissions=permissions)
    page, requests, errors = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator("#status", has_text="Ready.").wait_for(timeout=20_000)
    yield page, requests, errors
    context.close()


@pytest.fixture
def page(opened, address):
    """The page, without results; it must make no other requests and log no error."""
    page, requests, errors = opened
    yield page
    assert all(url.startswith((address, "blob:", "data:")) for url in requests)
    assert not errors
    if page.locator("#clear").is_visible():
        page.locator("#clear").click()


@pytest.fixture(scope="module")
def line_of():
    """What the Keras model reads, by file."""
    files = [METER, RECEIPT]
    return dict(zip(files, Recognizer.load("digits").read(files)))


def run(page, script, *arguments):
    """What an async JavaScript function returns."""
    return page.evaluate(f"x => ({script})(...x)", list(arguments))


def encoded(picture, form="png", **options):
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


# --- it reads as the model does ----------------------------------------------------------------


def test_the_export_is_checked_in_the_browser_and_small(exported):
    assert web_browser.find()
    assert exported.parity.same == exported.parity.lines >= 30
    assert exported.parity.difference <= 1e-3
    assert sum(file.stat().st_size for file in exported.path.iterdir()) <= MOST_BYTES


def pictures():
    """Kinds of images that decoders treat differently, by name."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (8, 30, 3), np.uint8)).resize((150, 40))
    alpha = Image.fromarray(rng.integers(0, 256, (40, 150), np.uint8))
    faint = Image.merge("RGBA", (*smooth.split(), alpha))
    wide = Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    yield "transparent", encoded(faint)
    yield "grey, transparent", encoded(faint.convert("LA"))
    yield "16 bits", encoded(wide)
    yield "WebP", encoded(smooth, "webp", quality=70)
    yield "gamma", encoded(smooth, icc_profile=b"")
    yield "palette", encoded(smooth.convert("P"), transparency=3)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        yield f"orientation {orientation}", encoded(smooth, "jpeg", exif=exif)


def test_images_are_decoded_to_one_grey_level(page):
    names, files = zip(*pictures())
    found = run(
        page,
        """async files => {
            const {decode, levelsOf} = await import("./pixels.js"), found = [];
            for (const file of files) {
                const bytes = Uint8Array.from(atob(file), c => c.charCodeAt(0));
                const {width, height, planes} = levelsOf(await decode(new Blob([bytes])), 1);
                found.push([height, width, [...planes[0]]]);
            }
            return found;
        }""",
        [base64.b64encode(file).decode() for file in files],
    )
    for name, file, (height, width, levels) in zip(names, files, found):
        expected = imaging.load(file, warn=False)[..., 0].astype(int)
        assert expected.shape == (height, width), name
        assert np.abs(expected - np.reshape(levels, expected.shape)).max() <= 1, name


def test_characters_and_their_places_are_the_models(page, line_of):
    drop(page, METER)
    wait_for_status(page, "Read: ")
    line = line_of[METER]
    about = []
    for character in page.locator(".text span").all():
        character.hover()
        about.append(page.locator(".about").text_content())
    assert [text.split("read at pixels ")[1] for text in about] == [
        f"{round(c.start)} to {round(c.end)}" for c in line.characters
    ]
    assert texts(page) == [line.text]


@pytest.mark.parametrize("words", [None, ["12-34", "1", "1a", "aa", "ab-ab", "0012345", "b"]])
def test_a_constraint_is_searched_as_in_python(page, words):
    automaton = (
        Automaton.of_words(words, ABC) if words else compile_pattern(r"\d{2}-\d{3}|[ab]+", ABC)
    )
    rng = np.random.default_rng(0)
    rows = [softmax(rng.normal(0, 3, (n, ABC.classes)).astype(np.float32)) for n in (4, 9, 30)]
    found = run(
        page,
        """async (automaton, lines, text) => {
            const {Constraint} = await import("./constraint.js"), {ctcGreedy} = await import("./decode.js");
            const alphabet = [...text], constraint = new Constraint(automaton, alphabet.length + 1);
            return lines.map(rows => constraint.read(rows, ctcGreedy(rows, alphabet), alphabet))
                .map(({text, confidence}) => [text, confidence]);
        }""",  # noqa: E501
        automaton.description(),
        [np.log(p).astype(float).tolist() for p in rows],
        ABC.characters,
    )
    constraint = Lexicon(words, ABC) if words else automaton
    for p, (text, confidence) in zip(rows, found):
        line = ctc_beam_search(p, ABC, constraint)
        assert text == line.text and confidence == pytest.approx(line.confidence, abs=1e-6)


def test_attention_and_right_to_left_text_are_decoded_as_in_python(page):
    rng = np.random.default_rng(1)
    attention = softmax(rng.normal(0, 2, (9, 20)).astype(np.float32))
    ids = rng.integers(1, HEBREW.classes, 9)
    peaks = rng.uniform(0.5, 1, 9)
    about = {
        "alphabet": HEBREW.characters, "kinds": HEBREW.kinds,
        "mirrored": "".join(map(HEBREW.mirrored, HEBREW.characters)),
    }  # fmt: skip
    for count in (0, 1, 5, 9):
        found = run(
            page,
            """async (ids, peaks, attention, about) => {
                const {attentionLine, inLogicalOrder} = await import("./decode.js");
                const line = attentionLine(ids, peaks, attention, [...about.alphabet]);
                return inLogicalOrder(line, about);
            }""",
            [*ids[:count].tolist(), 0],
            [*peaks[:count].tolist(), 0.9],
            attention[:count].astype(float).tolist(),
            about,
        )
        visual = attention_line(
            HEBREW.decode(ids[:count]), np.append(peaks[:count], 0.9), attention[:count]
        )
        line = HEBREW.in_logical_order(visual)
        assert found["text"] == line.text
        assert found["confidence"] == pytest.approx(line.confidence)
        places = [(c["start"], c["end"]) for c in found["characters"]]
        assert places == [pytest.approx((c.start, c.end), abs=1e-4) for c in line.characters]


def test_the_line_in_a_box_is_cut_out_as_in_python(page, tmp_path):
    pixels = np.asarray(Image.open(camera_picture(tmp_path / "photo.png")))
    found = run(
        page,
        """async (levels, crop) => {
            const {straighten} = await import("./pixels.js"), [width, height] = crop.size;
            const planes = levels.map(plane => Uint8Array.from(plane));
            return straighten({width, height, planes}, crop).planes.map(plane => [...plane]);
        }""",
        [pixels[..., channel].ravel().tolist() for channel in range(3)],
        kept_box.described(BOX, "page"),
    )
    line = straightened(pixels, BOX.corners, "photo")
    difference = np.array(found).T.reshape(line.shape) - line
    assert np.abs(difference).max() <= 1


# --- how images come in ------------------------------------------------------------------------


def test_images_are_dropped_and_a_bad_one_is_named(page, line_of, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    drop(page, METER, RECEIPT, str(broken))
    wait_for_status(page, "2 of 3 images read")
    assert texts(page) == [line_of[METER].text, line_of[RECEIPT].text, ""]
    assert "not an image" in page.locator(".error").text_content()


def test_an_image_can_be_pasted(page, line_of):
    paste(page, encoded(Image.open(RECEIPT).convert("L")))
    wait_for_status(page, "Read: ")
    assert texts(page) == [line_of[RECEIPT].text]


def test_the_camera_shows_the_surest_reading_which_can_be_kept(page):
    page.locator("#start").click()
    page.locator("#seen", has_text="00483617").wait_for(timeout=20_000)
    page.locator("#keep").click()
    wait_for_status(page, "Read: 00483617")
    page.keyboard.press("Escape")
    assert page.locator("#live").is_hidden()
    assert page.locator("#start").evaluate("element => element === document.activeElement")
    assert "camera 1.png" in page.locator("#rows").inner_text()


def test_the_keyboard_is_enough(page):
    page.locator("h1").click()  # from where Tab begins
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"
    with page.expect_file_chooser() as chooser:
        page.locator("#files").press("Enter")
    chooser.value.set_files([METER])
    wait_for_status(page, "Read: ")
    page.locator(".text span").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith("% sure")
    assert "read at pixels" in page.locator(".about").text_content()


def test_the_table_is_downloaded(page):
    drop(page, METER)
    wait_for_status(page, "Read: ")
    with page.expect_download() as download:
        page.locator("#save").click()
    heading, row = download.value.path().read_text().splitlines()
    assert heading == "image\ttext\tconfidence" and row.startswith("water_meter.png\t00483617\t")


def test_it_forbids_other_servers_and_works_offline_once_it_was_loaded(browser, exported):
    context = browser.new_context()
    page = context.new_page()
    with web_browser.served(exported.path) as address:
        page.goto(address)
        page.locator("#offline", has_text="offline").wait_for(timeout=20_000)
        forbidden = page.evaluate(
            """new Promise(resolve => {
                addEventListener("securitypolicyviolation", e => resolve(e.effectiveDirective));
                fetch("https://example.org").catch(() => {});
            })"""
        )
        assert forbidden == "connect-src"
    page.reload()  # the server is closed
    page.set_input_files("#files", [METER])
    wait_for_status(page, "Read: 00483617")
    context.close()


def change(folder, version):
    """Make a folder that of another version, whose model has the version's name."""
    about, offline = folder / "model.json", folder / "offline.js"
    described = json.loads(about.read_text())
    about.write_text(json.dumps(described | {"made_from": version}))
    offline.write_text(re.sub('VERSION = "[^"]*"', f'VERSION = "{version}"', offline.read_text()))


def test_a_newer_version_is_shown_and_so_is_another_program(browser, exported, tmp_path):
    folder = tmp_path / "page"
    shutil.copytree(exported.path, folder)
    context = browser.new_context()
    page = context.new_page()
    with web_browser.served(folder) as address:
        page.goto(address)
        page.locator("#offline", has_text="offline").wait_for(timeout=20_000)
        change(folder, "newer.keras")
        page.reload()  # the kept files are shown first
        page.locator("#model", has_text="newer.keras").wait_for(timeout=20_000)
        page.locator("#offline", has_text="offline").wait_for(timeout=20_000)
        (folder / "offline.js").unlink()
        (folder / "index.html").write_text("<p>another program</p>")
        page.reload()
        page.get_by_text("another program").wait_for(timeout=20_000)
    context.close()


def test_a_page_without_its_scripts_says_what_it_needs(browser, exported):
    page = browser.new_page()
    page.goto((exported.path / "index.html").as_uri())
    page.locator("#unstarted", has_text="from a web server").wait_for(timeout=20_000)
    page.close()


def test_a_model_of_other_characters_is_refused(browser, exported, tmp_path):
    folder = tmp_path / "page"
    shutil.copytree(exported.path, folder)
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | {"alphabet": "0123"}))
    page = browser.new_page()
    with web_browser.served(folder) as address:
        page.goto(address)
        wait_for_status(page, "model.onnx and model.json do not belong together")
    page.close()


def test_an_image_wider_than_a_canvas_keeps_its_pixels(page):
    """A part of it that is drawn alone has the same grey levels."""
    found = run(page, """async () => {
        const {levelsOf} = await import("./pixels.js");
        const wide = Object.assign(document.createElement("canvas"), {width: 20_000, height: 3});
        const pen = wide.getContext("2d");
        for (let x = 0; x < 20_000; x += 1000) {
            pen.fillStyle = `rgb(${x / 100} 0 0)`;
            pen.fillRect(x, 0, 1000, 3);
        }
        const [levels] = levelsOf(wide, 3).planes;
        return [0, 8_191, 8_192, 19_999, 20_000, 59_999].map(i => levels[i]);
    }""")  # fmt: skip
    assert found == [0, 80, 80, 190, 0, 190]
