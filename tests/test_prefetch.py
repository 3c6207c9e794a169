"""Batches drawn ahead: the same as those of the sequence, whoever draws them."""

from ocr_simple.errors import DataError
from ocr_simple.options import LineOptions
from data_generator import LineSequence
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from ocr_simple.datasets.prefetch import Prefetcher
from ocr_simple.drawing.fonts import find_fonts

import numpy as np
import pytest



def lines(**options):
    return Lines(LineOptions(**options), ModelSpec(), find_fonts(("trdg",)))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_drawn_ahead_is_the_sequence_from_any_step(workers):
    stream, sequence = lines(), LineSequence(lines(), 4)
    with Prefetcher(stream, 4, workers) as prefetcher:
        for first, last in ((5, 50), (16, 18), (3, 3)):
            drawn = list(prefetcher.batches(first, last))
            assert [i for i, _ in drawn] == list(range(first, last))
            for i, (x, y) in drawn:
                expected_x, expected_y = sequence[i]
                assert np.array_equal(y, expected_y)
                assert np.array_equal(x["image"], expected_x["image"])
                assert np.array_equal(x["width"], expected_x["width"])


@pytest.mark.parametrize(("shares", "size"), [(2, 2), (4, 2), (1, 2), (2, 3)])
def test_the_parts_of_any_number_of_processes_make_the_same_batches(shares, size):
    whole = LineSequence(lines(), 12, shares=shares)
    parts = [LineSequence(lines(), 12, shares=shares, rank=r, size=size) for r in range(size)]
    for i in (0, 1, 17):
        y = [part[i][1] for part in parts]
        assert [len(labels) for labels in y] == [12 // size] * size
        rows = sorted(tuple(row[row > 0]) for labels in y for row in labels)
        assert rows == sorted(tuple(row[row > 0]) for row in whole[i][1])


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_lines_drawn_anew_ahead_are_counted(workers):
    tight = {"character_spacing": -10, "min_length": 4, "max_length": 6}
    stream = lines(**tight)
    for k in range(2 * 16 * 16):
        stream[k]
    assert stream.redrawn
    with Prefetcher(lines(**tight), 16, workers) as prefetcher:
        assert len(list(prefetcher.batches(0, 32))) == 32
    assert prefetcher.redrawn == stream.redrawn


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_line_that_cannot_be_drawn_ahead_is_the_same_error(workers):
    stream = lines(character_spacing=-40, min_length=3)
    failure = pytest.raises(DataError, match=r"line 0: 50 draws")
    with Prefetcher(stream, 4, workers) as prefetcher, failure:
        next(prefetcher.batches(0, 1))
