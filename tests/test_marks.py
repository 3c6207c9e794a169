"""Marks: beside the label, never in it."""

import numpy as np
import pytest
from support.lines import FONTS, OPEN_SANS

from ocr_simple.drawing.fonts import characters_drawn
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.marks import Marks
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet


@pytest.mark.parametrize("alphabet", ["0123456789", "0123456789.- ", "0123456789EURkg€"])
def test_without_its_marks_a_line_is_its_label_again(alphabet):
    marks, rng = Marks.of(OPEN_SANS, alphabet), np.random.default_rng(0)
    known = Alphabet(alphabet)
    texts = [marks.add_to("4096125", rng) for _ in range(500)]
    assert {"".join(c for c in text if c in known.ids) for text in texts} == {"4096125"}
    assert len(set(texts)) > 50


def test_no_mark_has_a_character_of_the_alphabet_or_one_that_the_font_lacks():
    marks = Marks.of(OPEN_SANS, "0123456789.,E")
    assert {".", ",", ".-", "EUR "}.isdisjoint((*marks.between, *marks.before, *marks.after))
    assert "-" in marks.between and "$" in marks.before and "€" in marks.after
    without = next(f for f in FONTS if not characters_drawn(f, "€"))
    assert "€" not in Marks.of(without, "0123456789").after


def test_a_display_has_no_units():
    marks = Marks.of(OPEN_SANS, "0123456789", units=False)
    assert not any(c.isalpha() for mark in (*marks.before, *marks.after) for c in mark)
    assert "." in marks.between and "-" in marks.after


def test_training_lines_have_marks_and_validation_lines_none():
    def line_widths(recipe, **options):
        stream = Lines(
            LineOptions(recipe=(recipe,), spacing=0), ModelSpec(), [OPEN_SANS], **options
        )
        stream.augment = False  # not varied, so that widths can be compared
        return {text: pixels.shape[1] for pixels, text, _ in (stream[k] for k in range(40))}

    plain, marked = line_widths("photo"), line_widths("display")
    assert len(plain) > 30 and plain.keys() == marked.keys()
    assert sum(marked[text] > plain[text] for text in plain) > 10
    assert line_widths("display", augment=False) == plain
