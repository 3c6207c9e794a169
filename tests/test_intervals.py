"""Shares of few lines are shown with their intervals."""

import pytest

from ocr_simple.reports.intervals import shown_interval, shown_share, wilson


@pytest.mark.parametrize(
    "right, lines, interval",
    [(4, 4, (0.510, 1.0)), (0, 10, (0.0, 0.278)), (81, 263, (0.255, 0.366)), (0, 0, (0.0, 1.0))],
)
def test_wilsons_interval(right, lines, interval):
    # 81 of 263: Newcombe 1998, "Two-sided confidence intervals for the single proportion"
    assert wilson(right, lines) == pytest.approx(interval, abs=6e-4)


def test_only_shares_of_few_lines_have_their_interval():
    assert shown_share(1.0, 4) == "100.0% (51 to 100 %)"
    assert shown_share(0.5, 100) == "50.0%"
    assert shown_interval(0.75, 40) == "60 to 86 %"
