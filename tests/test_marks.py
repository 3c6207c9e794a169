"""Marks: beside the label, never in it."""

import numpy as np
import pytest
from support.lines import FONTS, OPEN_SANS

from ocr_simple.drawing.fonts import characters_drawn
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.marks import Marks
from ocr_simple.options import LineOptions
from ocr_simple.photography.recipes import RecipeMarks
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet


@pytest.mark.parametrize("kind", [RecipeMarks(), RecipeMarks(words=True)])
@pytest.mark.parametrize("alphabet", ["0123456789", "0123456789.- ", "0123456789EURkg€"])
def test_without_its_marks_a_line_is_its_label_again(alphabet, kind):
    marks, rng = Marks.of(OPEN_SANS, alphabet, kind), np.random.default_rng(0)
    known = Alphabet(alphabet)
    texts = [marks.add_to("4096125", rng) for _ in range(500)]
    assert {"".join(c for c in text if c in known.ids) for text in texts} == {"4096125"}
    assert len(set(texts)) > 50


def test_no_mark_has_a_character_of_the_alphabet_or_one_that_the_font_lacks():
    marks = Marks.of(OPEN_SANS, "0123456789.,E", RecipeMarks())
    assert {".", ",", ".-", "EUR "}.isdisjoint((*marks.between, *marks.before, *marks.after))
    assert "-" in marks.between and "$" in marks.before and "€" in marks.after
    without = next(f for f in FONTS if not characters_drawn(f, "€"))
    assert "€" not in Marks.of(without, "0123456789", RecipeMarks()).after


def test_no_mark_looks_like_one_that_the_model_reads():
    marks = Marks.of(OPEN_SANS, "0123456789.-", RecipeMarks())
    drawn = "".join((*marks.between, *marks.before, *marks.after))
    assert not set(drawn) & set("·—~") and "'" in drawn


def test_a_display_has_no_units():
    marks = Marks.of(OPEN_SANS, "0123456789", RecipeMarks(units=False))
    assert not any(c.isalpha() for mark in (*marks.before, *marks.after) for c in mark)
    assert "." in marks.between and "-" in marks.after


def test_a_letter_that_looks_like_a_digit_is_only_inside_a_word():
    marks = Marks.of(OPEN_SANS, "0123456789", RecipeMarks(words=True))
    rng = np.random.default_rng(0)
    assert set(marks.letters).isdisjoint("OoQDIilJSsBZzGgqbT")
    assert all(sum(map(str.isalpha, word)) > 1 for word in marks.words)
    texts = {marks.add_to("40", rng) for _ in range(3000)}
    assert {"No 40", "NO40", "40A", "40 km", "• 40 •"} <= texts


@pytest.mark.parametrize("name", ["alnum", "ascii"])
def test_a_model_that_reads_letters_has_none_beside_its_label(name):
    alphabet = Alphabet.parse(name).characters
    marks, rng = Marks.of(OPEN_SANS, alphabet, RecipeMarks(words=True)), np.random.default_rng(0)
    assert not marks.words and not marks.letters
    for _ in range(200):
        added = marks.add_to("407", rng).translate(dict.fromkeys(map(ord, "407")))
        assert not any(map(str.isalpha, added))


def test_training_lines_have_marks_and_validation_lines_none():
    def line_widths(recipe, **options):
        stream = Lines(
            LineOptions(recipe=(recipe,), spacing=0), ModelSpec(), [OPEN_SANS], **options
        )
        stream.augment = False  # not varied, so that widths can be compared
        return {text: pixels.shape[1] for pixels, text, _ in (stream[k] for k in range(40))}

    plain, marked = line_widths("serial"), line_widths("display")
    assert len(plain) > 30 and plain.keys() == marked.keys()
    assert sum(marked[text] > plain[text] for text in plain) > 10
    assert line_widths("display", augment=False) == plain
