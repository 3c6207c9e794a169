"""report.html, and the comparison of two models in it."""

import base64
import hashlib
import html.parser
import json
import re
import shutil

import numpy as np
import pytest

from ocr_simple.reports.comparison import compare, mcnemar
from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.report import write_report
from ocr_simple.text import Line

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
HOSTILE = "<script>alert(1)</script>\"'{{policy}}\u202e&amp;"


def reading(truth: str, text: str, confidence: float = 0.5, name: str = "") -> Reading:
    return Reading(name or f"{truth}.png", truth, Line(text, confidence, ()))


def pixels(index: int) -> np.ndarray:
    return np.full((32, 100, 3), 200, np.uint8)


class Elements(html.parser.HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def page_of(folder, readings, **options) -> str:
    write_report(readings, folder, pixels, **options)
    return (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1), (1, 0, 1), (5, 0, 0.0625), (0, 5, 0.0625), (8, 2, 0.109375), (7, 7, 1)],
)
def test_the_p_of_mcnemar_is_the_exact_one(gained, lost, p):
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_many_lines_do_not_overflow_it():
    assert mcnemar(40_000, 39_000) == pytest.approx(0.00038, rel=0.05)


def test_lines_that_changed_are_told_in_both_directions():
    truths, before, after = "abcde", "axcxx", "abxxy"
    new = [reading(truth, text) for truth, text in zip(truths, after)]
    old = [reading(truth, text) for truth, text in zip(truths, before)]
    found = compare(new, old, "mine", "digits")
    assert (found.gained, found.lost, found.different) == ((1,), (2,), (4,))
    assert found.verdict == (
        "mine reads 1 line right that digits misreads, and misreads 1 that digits reads right. "
        "Such a difference may be chance (McNemar's exact test, p = 1)"
    )
    assert "unlikely to be chance" in compare(new * 40, old[3:4] * 200, "a", "b").verdict
    assert "the same lines right, 40.0%" in compare(new, new, "mine", "digits").verdict


def test_a_comparison_is_in_every_form_of_the_report(tmp_path):
    new, old = (
        [reading("12", "12"), reading("34", "3")],
        [reading("12", "1|2"), reading("34", "34")],
    )
    page = page_of(tmp_path, new, comparison=compare(new, old, "mine", HOSTILE))
    assert "<script>alert" not in page and "gained" in page and "lost" in page
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "## Compared with" in text and "| 12\\.png | 12 | 1\\|2 | 12 | gained |" in text
    values = json.loads((tmp_path / "report.json").read_text("utf-8"))["comparison"]
    assert values["p"] == 1 and values["exact"] == 0.5
    assert [line["other"] for line in values["gained"]] == ["1|2"]
    assert [line["text"] for line in values["lost"]] == ["3"]


def test_names_and_texts_are_escaped(tmp_path):
    readings = [reading(HOSTILE, f"{HOSTILE}x", 0.95, name=HOSTILE), reading("1", "1")]
    page = page_of(tmp_path, readings, title=HOSTILE)
    tags = [tag for tag, _ in Elements(page).found]
    assert tags.count("script") == tags.count("style") == 1
    assert "\u202e" not in page and "{{policy}}" in page
    assert not any(name.startswith("on") for _, named in Elements(page).found for name in named)


def test_the_page_asks_for_nothing_and_runs_only_its_script(tmp_path):
    page = page_of(tmp_path, [reading("12", "13", 0.95), reading("3", "3")])
    elements = Elements(page).found
    sources = [named[n] for _, named in elements for n in ("src", "href") if n in named]
    assert len(sources) >= 5 and all(source.startswith("data:") for source in sources)
    policy = next(named["content"] for _, named in elements if "http-equiv" in named)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        checksum = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{checksum}'" in policy
    assert not any("style" in named for _, named in elements)


def test_a_page_of_somebody_else_is_not_replaced(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ValueError, match=r"report\.html"):
        write_report([reading("1", "1")], tmp_path, pixels)
    assert (tmp_path / "report.html").read_text() == "mine"


@pytest.mark.long
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_columns_can_be_sorted_in_a_browser(tmp_path):
    from playwright.sync_api import sync_playwright

    wrong = [reading(f"{k}", f"{k}0", confidence=c) for k, c in ((5, 0.31), (40, 0.2), (7, 0.8))]
    page_of(tmp_path, [*wrong, reading("1", "1", name=HOSTILE)], title=HOSTILE)
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, errors = browser.new_page(viewport={"width": 390, "height": 800}), []
        page.on("console", lambda message: errors.append(message.text))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto((tmp_path / "report.html").as_uri())
        table = page.locator(".lines table").first
        for heading, expected in (
            ("truth", ["5", "7", "40"]), ("truth", ["40", "7", "5"]),
            ("confidence", ["40", "5", "7"]),
        ):  # fmt: skip
            table.get_by_role("button", name=heading).click()
            assert table.locator("tbody tr td:nth-child(2)").all_inner_texts() == expected
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        browser.close()
    assert not errors
