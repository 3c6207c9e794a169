"""Charts: learning curves and reliability."""

import numpy as np
import pytest
from support.pictures import filled

from ocr_simple.reports import charts


def test_curves_of_a_metrics_file(tmp_path):
    metrics = tmp_path / "metrics.csv"
    header = "step,loss,val_exact,val_cer\n"
    metrics.write_text(header + "500,12.5,0.1,0.8\n1000,0.25,0.975,0.01\n")
    assert charts.learning_curves(metrics).size == (1000, 270)
    metrics.write_text(header + "1,3,0,0\n")  # the first validation of a short run
    assert filled(charts.learning_curves(str(metrics))) > 0


def test_reliability_has_a_bar_for_each_bin_with_lines():
    picture = charts.reliability_diagram(
        [np.nan, 0.25, 0.95, 0.99], [np.nan, 0, 1, 1], [0, 3, 100, 9]
    )
    across = np.asarray(picture.convert("RGB")).astype(int)[150]  # at about half the height
    axis = np.flatnonzero(across.max(axis=1) < 40)[0]
    bars = np.flatnonzero(across[:, 2] - across[:, 0] > 40)
    assert bars[0] == pytest.approx((axis + bars[-1]) / 2, abs=5)  # the upper half of the bins
    assert len(bars) > 0.9 * (bars[-1] - bars[0])
