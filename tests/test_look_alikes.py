"""Characters that a font draws alike stand only where others tell which one it is."""

import pytest
from support.lines import OPEN_SANS

from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.look_alikes import drawn_alike, is_ambiguous

MONO = next(font for font in find_fonts(("matplotlib",)) if font.endswith("SansMono.ttf"))


def test_fonts_differ_in_what_they_draw_alike():
    assert {"I", "l", "O", "0"} <= drawn_alike(OPEN_SANS)
    assert not {"0", "O", "l"} & drawn_alike(MONO), "a dotted zero, a curved l"


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "ILLINOIS",
        "Illinois",
        "illness",
        "OFFICE",
        "2005",
        "100",
        "$10.99",
        "A205B",
        "I am in",
    ],
)
def test_context_tells(text):
    assert not is_ambiguous(text, OPEN_SANS)


@pytest.mark.parametrize("text", ["K0O7", "I", "l", "0", "00", "aIlb", "I0S85", "|", "B2O"])
def test_nothing_tells(text):
    assert is_ambiguous(text, OPEN_SANS)


def test_a_font_that_draws_them_unlike_needs_no_context():
    assert not is_ambiguous("K0O7", MONO)


@pytest.mark.parametrize("text", ["cow", "COW", "x", "so, so"])
def test_letters_that_are_like_their_capitals_do_not_stand_alone(text):
    assert is_ambiguous(text, MONO)
    assert not is_ambiguous(text + ("N" if text.isupper() else "n"), MONO)
