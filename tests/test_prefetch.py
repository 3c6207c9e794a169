"""Batches drawn ahead are the same, whichever process draws them."""

import numpy as np
import pytest
from support.lines import FONTS

from ocr_simple.datasets.batches import Batches
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec


def lines(**options):
    return Lines(LineOptions(**options), ModelSpec(), FONTS)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_drawn_ahead_are_the_same_from_any_step(workers):
    stream, batches = lines(), Batches(lines(), 4)
    with Prefetcher(stream, 4, workers) as prefetcher:
        for first, last in ((5, 50), (16, 18), (3, 3)):
            drawn = list(prefetcher.batches(first, last))
            assert [i for i, _ in drawn] == list(range(first, last))
            for i, (x, y) in drawn:
                expected_x, expected_y = batches[i]
                assert np.array_equal(y, expected_y)
                assert np.array_equal(x["image"], expected_x["image"])
                assert np.array_equal(x["width"], expected_x["width"])


@pytest.mark.parametrize("workers", [0, 1])
def test_lines_redrawn_ahead_are_counted(workers):
    tight = {"character_spacing": -10, "min_length": 4, "max_length": 6}
    stream = lines(**tight)
    for k in range(2 * 16 * 16):
        stream[k]
    assert stream.redrawn
    with Prefetcher(lines(**tight), 16, workers) as prefetcher:
        assert len(list(prefetcher.batches(0, 32))) == 32
    assert prefetcher.redrawn == stream.redrawn


@pytest.mark.parametrize("workers", [0, 1])
def test_a_line_that_cannot_be_drawn_ahead_is_the_same_error(workers):
    stream = lines(character_spacing=-40, min_length=3)
    failure = pytest.raises(LineError, match=r"line 0: no usable drawing in 50 attempts")
    with Prefetcher(stream, 4, workers) as prefetcher, failure:
        next(prefetcher.batches(0, 1))
