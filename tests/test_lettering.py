"""Letters that are placed one by one: kerned, uneven, on an arc, in perspective, typed."""

from dataclasses import fields

import numpy as np
import pytest
from support.lines import FONTS, OPEN_SANS, font_named

from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lettering import draw_lettering, suits
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.photography.recipes import Lettering
from ocr_simple.spec import ModelSpec

EVEN = Lettering(spaces=(1.0, 1.0))


def drawn(text, how=EVEN, font=OPEN_SANS, seed=0):
    return draw_lettering(text, font, 32, how, np.random.default_rng(seed))


def tops(pixels):
    """The first row with ink of each column that has some."""
    ink = pixels < 128
    return ink.argmax(axis=0)[ink.any(axis=0)]


CHANCES = [f.name for f in fields(Lettering) if isinstance(f.default, float)]


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize("text", ["A", "HOTEL BAR", "To the gate. No. 12,", "-"])
def test_a_line_fills_its_rows_within_paper(name, text):
    for seed in range(10):
        pixels = drawn(text, Lettering(**{name: 1.0}), seed=seed)
        assert pixels.dtype == np.uint8 and len(pixels) == 32
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        assert all((edge == 255).all() for edge in edges), "the paper of geometry.py"
        assert (pixels < 128).any()


def test_letters_of_an_even_line_stand_on_one_row():
    assert np.ptp(tops(drawn("TTTTTT"))) <= 1
    assert np.ptp(tops(drawn("TTTTTT", Lettering(uneven=1.0), seed=1))) > 1


def test_on_an_arc_the_middle_is_higher_or_lower_than_the_ends():
    for seed in range(8):
        rows = tops(drawn("TTTTTTTT", Lettering(arc=1.0), seed=seed))
        assert abs(rows[len(rows) // 2] - (rows[0] + rows[-1]) / 2) > 2


def test_a_turned_line_runs_uphill_or_downhill_with_large_letters():
    slopes, rises = [], []
    for seed in range(8):
        rows = tops(drawn("TTTTTT", Lettering(turned=1.0), seed=seed)).astype(int)
        slopes.append(np.sign(rows[-3] - rows[2]))
        rises.append(abs(rows[-3] - rows[2]))
    assert set(slopes) == {-1, 1} and min(rises) > 3 and max(rises) < 24


def test_in_perspective_one_end_is_smaller():
    for seed in range(8):
        ink = drawn("HHHHHHHH", Lettering(perspective=1.0), seed=seed) < 128
        left, right = ink[:, :12].any(axis=1).sum(), ink[:, -12:].any(axis=1).sum()
        assert min(left, right) < 0.95 * max(left, right)


def test_initials_are_larger_than_the_capitals_after_them():
    rows = tops(drawn("TTTT", Lettering(initials=1.0)))
    assert rows[0] < rows[-1] - 3


def test_a_typewriter_strikes_letters_unevenly():
    mono = next(font for font in find_fonts(("matplotlib",)) if font.endswith("SansMono.ttf"))
    levels = {
        typed: {int(drawn("H", Lettering(typed=typed), mono, seed).min()) for seed in range(9)}
        for typed in (0.0, 1.0)
    }
    assert levels[0.0] == {0} and len(levels[1.0]) > 3


def test_ink_that_has_run_fills_the_narrow_parts_of_letters():
    mono = next(font for font in find_fonts(("matplotlib",)) if font.endswith("SansMono.ttf"))
    dry, run = (
        np.mean([
            255 - drawn("e", Lettering(typed=1.0, blotted=share), mono, seed)[8:24, 4:-4].mean()
            for seed in range(20)
        ])
        for share in (0.0, 1.0)
    )  # fmt: skip
    assert run > 1.2 * dry


def test_spaces_are_as_wide_as_the_lettering_says():
    narrow, wide = (drawn("a b", Lettering(spaces=(s, s))).shape[1] for s in (1.0, 3.0))
    assert wide > 1.15 * narrow


def test_kerning_brings_letters_together():
    apart = drawn("AHV").shape[1] + drawn("HVA").shape[1]
    assert drawn("AVA").shape[1] < apart / 2


def test_a_script_has_no_word_in_capitals():
    script = font_named("Pacifico.ttf")
    assert suits("Hotel", script) and not suits("HOTEL", script)
    assert suits("HOTEL", OPEN_SANS)


def test_a_line_without_ink_is_an_error():
    with pytest.raises(ValueError, match="no ink"):
        drawn(" ")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("recipe", ["sign", "page"])
def test_signs_and_pages_are_drawn_in_grey_and_in_colour(recipe, channels):
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    options = LineOptions(recipe=(recipe,), photo=1.0, alphabet=alphabet, text_source="recipe")
    stream = Lines(options, ModelSpec(alphabet=alphabet, channels=channels), FONTS)
    for k in range(20):
        pixels, text, _ = stream[k]
        assert pixels.shape[0] == 32 and pixels.shape[2] == channels and text
