"""Quotation marks and dashes that the alphabet lacks."""

import numpy as np
import pytest
from support.lines import OPEN_SANS

from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.typography import PRINTED, printed_marks
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet

ASCII = Alphabet.parse("ascii").characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('a "so-called" one', "a “so-called” one"),
        ("it's ('new')", "it’s (‘new’)"),
        ('"', "“"),
        ("1998-2004 - x", "1998–2004 – x"),
    ],
)
def test_marks_are_set_as_printers_do(text, shown):
    assert printed_marks(text, "“”‘’–", np.random.default_rng(0)) == shown


def test_a_font_without_printed_marks_has_the_keyboards():
    assert printed_marks('"it\'s" 1-2', "", np.random.default_rng(0)) == '"it\'s" 1-2'


def shown_texts(monkeypatch, alphabet):
    """The labels of lines, and what was drawn of them."""
    options = LineOptions(
        recipe=("page",), photo=1.0, alphabet=alphabet, text_source="strings",
        strings=("\"it's\" 1-2",),
    )  # fmt: skip
    lines, shown = Lines(options, ModelSpec(alphabet), [OPEN_SANS]), []
    draw = lines._draw_lettering
    monkeypatch.setattr(
        lines, "_draw_lettering", lambda text, *rest: shown.append(text) or draw(text, *rest)
    )
    return {lines[k][1] for k in range(12)}, set(shown)


def test_the_label_keeps_the_keyboards_marks(monkeypatch):
    labels, shown = shown_texts(monkeypatch, ASCII)
    assert labels == {'"it\'s" 1-2'}
    assert '"it\'s" 1-2' in shown and any("’" in text for text in shown)


def test_an_alphabet_with_printed_marks_has_none_under_another_label(monkeypatch):
    labels, shown = shown_texts(monkeypatch, ASCII + PRINTED)
    assert labels == shown == {'"it\'s" 1-2'}
