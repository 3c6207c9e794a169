"""Counters: each wheel shows its digit, and of the digits beside it less."""

import numpy as np
import pytest
from support.lines import FONTS, OPEN_SANS

from ocr_simple.drawing import counter
from ocr_simple.drawing.counter import HALF, counter_text, draw_counter, turns
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


def test_a_wheel_shows_more_of_its_digit_than_of_any_other():
    for seed in range(200):
        assert abs(turns("12345", np.random.default_rng(seed))).max() <= HALF < 0.5


def test_a_wheel_that_passes_from_nine_to_zero_turns_its_left_neighbour():
    passing = [turns("199", np.random.default_rng(seed)) for seed in range(400)]
    carried = [t for t in passing if t[2] > 0.3 and t[1] > 0.15]
    assert len(carried) > 30
    assert np.mean([t[0] > 0.1 for t in carried]) > 0.6, "a second nine turns the wheel before it"
    alone = [turns("195", np.random.default_rng(seed)) for seed in range(400)]
    assert max(abs(t[1]) for t in alone) < 0.4, "a five turns no wheel but its own"


def test_most_wheels_rest_and_the_last_is_often_between_two_digits():
    turned = np.abs([turns("12345", np.random.default_rng(seed)) for seed in range(400)])
    assert np.median(turned[:, :4]) < 0.07 and 0.4 < np.mean(turned[:, 4] > 0.15) < 0.6


def test_a_counter_is_as_high_as_asked_and_wider_with_more_wheels():
    one, five = (draw_counter(t, OPEN_SANS, 40, np.random.default_rng(3)) for t in ("1", "12345"))
    assert one.dtype == five.dtype == np.uint8
    assert len(one) == len(five) == 40 and one.shape[1] < five.shape[1]


def test_a_counter_shows_digits_alone_often_with_zeros_in_front():
    shown = [counter_text("-12.45", "0123456789", np.random.default_rng(k)) for k in range(200)]
    assert set(shown) == {"1245", "0245", "0045"}
    assert 0.6 < np.mean([text == "1245" for text in shown]) < 0.9
    without = {counter_text("12", "12", np.random.default_rng(k)) for k in range(50)}
    assert without == {"12"}, "a model that reads no zero is shown none"
    assert counter_text("abc", "abc0", np.random.default_rng(0)) == "abc"


@pytest.mark.parametrize("aside", [-9.0, -0.2, 0.2, 9.0])
def test_the_side_of_a_wheel_hides_at_most_a_quarter_of_its_digit(aside):
    rng = np.random.default_rng(0)
    measures = counter._measures(64, rng)
    middle, moved = (
        counter._wheel(measures, measures.columns, OPEN_SANS, 8, 0.0, where).any(axis=0).sum()
        for where in (0.0, aside)
    )
    assert 0.7 * middle < moved <= middle


def test_beside_a_single_wheel_there_are_often_parts_of_the_next_ones():
    widths = [
        draw_counter("5", OPEN_SANS, 40, np.random.default_rng(k)).shape[1] for k in range(60)
    ]
    narrow = np.min(widths)
    assert 0.3 < np.mean(np.array(widths) > 1.3 * narrow) < 1


def test_a_counter_of_anything_but_digits_is_refused():
    with pytest.raises(ValueError, match="'1a' is not of digits alone"):
        draw_counter("1a", OPEN_SANS, 40, np.random.default_rng(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_recipe_draws_digits_on_wheels_and_labels_them(channels):
    alphabet = "0123456789.-"
    options = LineOptions(recipe=("counter",), photo=1.0, alphabet=alphabet, text_source="numbers")
    lines = Lines(options, ModelSpec(alphabet, channels=channels), FONTS)
    for k in range(40):
        pixels, text, _ = lines[k]
        assert text.isdecimal() and pixels.shape[::2] == (32, channels)
