"""The figures are those of the papers."""

import math

import pytest

from ocr_simple.reports.metrics import (
    Confusion,
    CoveragePoint,
    Reading,
    aocr_accuracy,
    coverage_at,
    evaluate,
)
from ocr_simple.text import Line


def reading(truth: str, text: str, confidence: float = 0.5, **others) -> Reading:
    return Reading(others.pop("name", f"{truth}.png"), truth, Line(text, confidence, ()), **others)


def test_rates_count_lines_characters_and_words():
    found = evaluate([reading("ab cd", "ab cd"), reading("abc", "abd"), reading("", "xy")])
    assert found.lines == 3
    assert found.exact == pytest.approx(1 / 3)
    assert found.cer == pytest.approx(3 / 8)
    assert found.wer == pytest.approx(2 / 3)
    assert found.similarity == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.confidence == 0.5


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(ValueError, match="no lines"):
        evaluate([])


def test_loss_is_of_the_lines_that_have_one():
    known = [reading("ab", "ab", loss=2.0), reading("abcd", "abcd", loss=4.0)]
    found = evaluate([*known, reading("abc", "abc")])
    assert found.loss == 3 and found.perplexity == pytest.approx(math.exp(6 / 6))
    assert "perplexity" in str(found)
    assert math.isnan(evaluate([reading("a", "a")]).loss)
    assert "perplexity" not in str(evaluate([reading("a", "a")]))
    assert evaluate([reading("a", "a", loss=1e6)]).perplexity == math.inf


def test_confusions_come_from_the_alignment():
    found = evaluate([reading("1234", "1734"), reading("129", "179"), reading("55", "5"),
                      reading("8", "88")])  # fmt: skip
    assert found.confusions == (
        Confusion("2", "7", 2),
        Confusion("", "8", 1),
        Confusion("5", "", 1),
    )


def test_characters_have_recall_and_precision():
    found = evaluate([reading("117", "177"), reading("7", "7"), reading("0", "x")])
    scores = {score.character: score for score in found.by_character}
    assert (scores["1"].count, scores["1"].recall, scores["1"].precision) == (2, 0.5, 1.0)
    assert (scores["7"].count, scores["7"].recall) == (2, 1.0)
    assert scores["7"].precision == pytest.approx(2 / 3)
    assert scores["x"].count == 0 and math.isnan(scores["x"].recall)
    assert scores["0"].recall == 0 and math.isnan(scores["0"].precision)


def test_lengths_are_those_of_the_truths():
    found = evaluate([reading("12", "12"), reading("34", "3"), reading("5", "5")])
    rows = [(s.length, s.lines, s.exact, s.cer) for s in found.by_length]
    assert rows == [(1, 1, 1.0, 0.0), (2, 2, 0.5, 0.25)]


def test_coverage_is_the_most_lines_that_reach_a_goal():
    lines = [("1", 0.99), ("1", 0.98), ("2", 0.9), ("1", 0.8), ("2", 0.3)]
    readings = [reading("1", text, confidence) for text, confidence in lines]
    assert coverage_at(readings, 1.0) == CoveragePoint(1.0, 0.98, 0.4, 2, 1.0)
    assert coverage_at(readings, 0.75) == CoveragePoint(0.75, 0.8, 0.8, 4, 0.75)
    assert coverage_at(readings, 0.6) == CoveragePoint(0.6, 0.3, 1.0, 5, 0.6)


def test_lines_as_sure_as_each_other_are_accepted_together_or_not_at_all():
    readings = [reading("1", "1", 0.9), reading("1", "2", 0.9), reading("1", "1", 0.5)]
    assert coverage_at(readings, 0.6) == CoveragePoint(0.6, 0.5, 1.0, 3, 2 / 3)
    assert coverage_at(readings, 0.9) == CoveragePoint(0.9, math.inf, 0.0, 0, math.nan)


def test_calibration_error_is_the_mean_distance_of_confidence_from_exactness():
    sure = [reading("1", "1", 0.95)] * 3 + [reading("1", "2", 0.95)]
    unsure = [reading("1", "1", 0.25), reading("1", "", 0.0), reading("1", "1", 1.0)]
    found = evaluate(sure + unsure)
    assert [b.lines for b in found.calibration] == [1, 0, 1, 0, 0, 0, 0, 0, 0, 5]
    assert found.calibration[-1].exact == pytest.approx(0.8)
    assert found.ece == pytest.approx((1 * 0 + 1 * 0.75 + 5 * abs(0.96 - 0.8)) / 7)


def test_worst_lines_and_suspects_are_in_order():
    found = evaluate([
        reading("12", "12", 0.99), reading("1234", "1235", 0.92), reading("12", "34", 0.3),
        reading("56", "78", 0.95), reading("123", "124", 0.89),
    ])  # fmt: skip
    assert found.worst == (3, 2, 4, 1)
    assert found.suspects == (3, 1)


@pytest.mark.parametrize(
    ("truth", "text", "accuracy"),
    [("1234", "1234", 1), ("1234", "1235", 0.75), ("1", "2345", 0), ("", "", 1), ("", "1", 0)],
)
def test_aocr_accuracy(truth, text, accuracy):
    assert aocr_accuracy(truth, text) == accuracy
    assert aocr_accuracy(truth, text, distance=False) == (truth == text)


def test_a_label_that_the_model_cannot_read_is_no_suspected_label_error():
    found = evaluate(
        [
            reading("AB-1", "1", 0.99, unknown="AB-"),
            reading("12", "13", 0.95),
            reading("7", "7"),
            reading("B2", "82", 0.2, unknown="B"),
        ]
    )
    assert found.suspects == (1,) and set(found.worst) == {0, 1, 3}
    assert found.unknown_note == ("2 of 4 labels have characters that the model cannot read: - A B")
    assert evaluate([reading("7", "7")]).unknown_note == ""
