"""The figures of a validation, and what is printed of it."""

import math

import numpy as np
import pytest

from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.validation import Validation
from ocr_simple.text import Line

READ = (  # font, truth, text
    ("fonts/b.ttf", "12", "12"),
    ("fonts/b.ttf", "34", "3"),
    ("fonts/a.ttf", "56", "78"),
    ("fonts/c.ttf", "9", "9"),
)


def validation(**loss):
    readings = [Reading(font, truth, Line(text, 0.9, ()), **loss) for font, truth, text in READ]
    return Validation.of(500, readings, [np.zeros((32, 60, 1), np.uint8)] * len(READ))


def test_lines_and_characters_are_counted():
    found = validation()
    assert (found.exact, found.cer) == (0.5, 3 / 7)
    assert str(found) == "exact 50.0% (15 to 85 %), CER 42.86%"
    assert "50.0% of 4 validation lines" in found.summary() and "step 500" in found.summary()


def test_few_lines_are_reported_with_their_interval():
    assert "a 95 % interval of 15 to 85 %" in validation().summary()
    many = Validation(1, 1.0, 0.0, math.nan, ["1"] * 100, ["1"] * 100, ["a"] * 100, [])
    assert "interval" not in many.summary() and str(many) == "exact 100.0%, CER 0.00%"


def test_a_loss_is_shown_with_its_perplexity_if_it_is_known():
    assert math.isnan(validation().loss)
    found = validation(loss=7.0)
    assert found.loss == 7 and found.perplexity == pytest.approx(math.exp(4 * 7 / 7))
    assert "loss 7.0000, perplexity 54.6" in str(found)


def test_the_worst_fonts_are_named_first():
    found = validation()
    assert found.by_font() == [("a.ttf", 0, 1), ("b.ttf", 0.5, 2), ("c.ttf", 1, 1)]
    assert found.worst_fonts(2) == "worst fonts: a.ttf 0%, b.ttf 50%"


def test_misread_images_are_named_with_their_text():
    found = validation()
    assert found.misread_images() == "misread: fonts/b.ttf ('3'), fonts/a.ttf ('78')"
    assert found.misread_images(1) == "misread: fonts/b.ttf ('3')"
    right = Validation(1, 1.0, 0.0, math.nan, ["1"], ["1"], ["a.png"], [])
    assert right.misread_images() == "misread: none"
