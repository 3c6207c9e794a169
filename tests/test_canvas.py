"""Text and images stand in their places, whatever they are."""

from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph

from ocr_simple.messages import visible
from ocr_simple.reports import canvas
from ocr_simple.reports.canvas import Page, shorten, text_width


def inked(paper: Page) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is drawn."""
    drawn = np.asarray(paper.image.convert("L")) < 200
    down, across = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return across[0], down[0], across[-1] + 1, down[-1] + 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "∅"),
        (" ", "␣"),
        (" a  b ", "␣a ␣b␣"),
        ("a b", "a b"),
        ("a\n", "a\\n"),
        ("\u0301", "◌\u0301"),
    ],
)
def test_visible_shows_what_cannot_be_seen(text, shown):
    assert visible(text) == shown


def test_a_script_that_the_packages_lack_is_drawn_in_a_font_of_the_system(monkeypatch, tmp_path):
    damaged, font = tmp_path / "a.ttf", tmp_path / "b.ttf"
    damaged.write_bytes(b"no font")
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "kokai"])
    builder.setupCharacterMap({ord("ก"): "kokai"})
    builder.setupGlyf({name: Glyph() for name in (".notdef", "kokai")})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "kokai"), (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Thai", "styleName": "Regular"})
    builder.setupPost()
    builder.save(font)
    monkeypatch.setattr(canvas, "findSystemFonts", lambda: [str(font), str(damaged)])
    for cached in (canvas._system_fonts, canvas._font_for):
        cached.cache_clear()
    assert canvas._font_for("ก", bold=False, mono=False) == font
    canvas._system_fonts.cache_clear()
    canvas._font_for.cache_clear()


@pytest.mark.parametrize(
    "text", ["12", "$x^2$", "\\frac", "a\nb", "字汉 ж ひらがな", "\udcff", "אب"]
)
@pytest.mark.parametrize("align", [0, 0.5, 1])
def test_text_of_any_script_stands_where_it_is_put(text, align):
    paper = Page(400, 40)
    paper.write(200, 20, text, align=align)
    left, top, right, bottom = inked(paper)
    wide = right - left
    assert left == pytest.approx(200 - align * wide, abs=4) and 10 <= top < 20 < bottom <= 30


def test_every_character_is_in_a_font_that_has_it():
    def drawn(text):
        paper = Page(40, 40)
        paper.write(10, 20, text, size=20)
        return paper.image.tobytes()

    assert len({drawn(character) for character in "aж字ひ␣∅◌"}) == 7  # no two the same box
    assert text_width("a字") == text_width("a") + text_width("字")


@pytest.mark.parametrize("style", [{}, {"bold": True, "mono": True, "size": 20}])
@pytest.mark.parametrize("text", ["x" * 500, "字" * 99, "one two three four five six", "iiii", ""])
def test_text_is_shortened_only_where_it_must_be_and_no_more_than_that(text, style):
    for width in (1000, 120, 40):
        short = shorten(text, width, **style)
        assert text_width(short, **style) <= width
        if text_width(text, **style) <= width:
            assert short == text
        else:
            begun = short.removesuffix("…")
            assert short.endswith("…") and text.startswith(begun)
            assert text_width(f"{text[: len(begun) + 1]}…", **style) > width


@pytest.mark.parametrize("shape", [(1, 1, 1), (20, 2000, 3), (300, 200, 1)])
def test_images_of_any_shape_fit_their_place(shape):
    paper = Page(120, 60)
    paper.put_scaled(np.zeros(shape, np.uint8), 10, 10, 100, 40, across=1.0, down=0.0)
    left, top, right, bottom = inked(paper)
    assert (top, right) == (10, 110) and left >= 10 and bottom <= 50
    assert right - left == 100 or bottom - top == 40


def test_paper_is_white_and_of_256_colours():
    paper = Page(300, 60)
    noise = np.random.default_rng(0).integers(256, size=(40, 200, 3), dtype=np.uint8)
    paper.put_scaled(noise, 10, 10, 280, 40)
    picture = paper.picture()
    assert picture.mode == "P" and picture.convert("RGB").getpixel((299, 59)) == (255, 255, 255)


def test_pictures_leave_pyplot_alone():
    for file in Path(canvas.__file__).parent.glob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert "pyplot" not in source and "rcParams" not in source
