"""Which characters count when a text is compared with its truth."""

import pytest

from bench.text_folding import FOLDS, folded
from ocr_simple.reports.metrics import Reading
from ocr_simple.text import Line


@pytest.mark.parametrize(
    ("fold", "text", "counted"),
    [
        ("digits", "1.234,- EUR", "1234"),
        ("alnum", "It's 5 O\u2019Clock", "its5oclock"),
        ("none", " a  b ", "a b"),
    ],
)
def test_a_fold_keeps_what_counts(fold, text, counted):
    assert FOLDS[fold](text) == counted


def test_readings_are_folded_on_both_sides():
    (reading,) = folded([Reading("a.png", "1.234", Line("12 34 EUR", 0.5, ()), 2.0)], "digits")
    assert reading.exact and reading.truth == "1234"
    assert (reading.name, reading.line.confidence, reading.loss) == ("a.png", 0.5, 2.0)
