"""The Keras Sequence that `model.fit` takes, and where its lines come from."""

import numpy as np
from support.lines import FONTS

from data_generator import LineSequence
from ocr_simple.datasets.batches import Batches
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


def lines(seed=0, **options):
    return Lines(LineOptions(**options), ModelSpec(), FONTS, seed)


def test_a_sequence_has_the_batches_of_its_lines():
    sequence, batches = LineSequence(lines(), 4), Batches(lines(), 4)
    for i in (0, 2, 17):
        (x, y), (expected_x, expected_y) = sequence[i], batches[i]
        assert np.array_equal(x["image"], expected_x["image"])
        assert np.array_equal(x["width"], expected_x["width"])
        assert np.array_equal(y, expected_y)


def test_the_first_two_batches_share_no_shape_that_fit_would_take_for_fixed():
    for seed in range(8):
        sequence = LineSequence(lines(seed, min_length=5, max_length=5), 4)
        (x, y), (other_x, other_y) = sequence[0], sequence[1]
        assert x["image"].shape[2] != other_x["image"].shape[2] and y.shape != other_y.shape


def test_a_sequence_is_endless_unless_it_is_given_a_length():
    assert LineSequence(lines(), 4).num_batches is None
    assert LineSequence(lines(), 4, num_batches=7).num_batches == 7
