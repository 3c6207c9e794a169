"""Charts, drawn by Matplotlib: how a run learns, and how far confidence can be trusted.

Every public function returns a PIL image, which a notebook shows and `save` writes.
"""

import io
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from ocr_simple.reports.canvas import BLUE, QUIET, WIDTH, with_palette
from ocr_simple.reports.metrics_file import read_metrics


def _figure(width: float, height: float) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    return Figure(figsize=(width / 100, height / 100), dpi=100, layout=layout)


def _picture(figure: Figure) -> Image.Image:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return with_palette(Image.open(content).convert("RGB"))


def _style(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def learning_curves(metrics: str | os.PathLike) -> Image.Image:
    """Training loss, and exact lines and character errors of the validation, over the steps.

    metrics: the metrics.csv of a run folder. Raises ValueError for a file of another shape.
    """
    rows = read_metrics(metrics)
    steps = [row["step"] for row in rows]
    panels = (
        ("loss", "training loss", 1, "log"),
        ("val_exact", "validation: lines read exactly, %", 100, "linear"),
        ("val_cer", "validation: character errors, %", 100, "linear"),
    )
    figure = _figure(WIDTH, 270)
    for axes, (name, title, scale, kind) in zip(figure.subplots(1, len(panels)), panels):
        values = [row[name] * scale for row in rows]
        axes.plot(steps, values, color=BLUE, marker="o", markersize=4)
        _style(axes, title)
        axes.set_xlabel("step", fontsize=9)
        axes.set(yscale=kind, xlim=(0, steps[-1] * 1.15))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="both", labelsize=8)
        axes.grid(alpha=0.3)
        if kind == "linear":
            axes.set_ylim(0, 104 if name == "val_exact" else max(values) * 1.05 or 1)
        last = f" {values[-1]:.3g}"
        axes.text(steps[-1] * 1.01, values[-1], last, color=BLUE, fontsize=8, va="center")
    return _picture(figure)


def reliability_diagram(
    confidences: Sequence[float], exact: Sequence[float], lines: Sequence[int]
) -> Image.Image:
    """The share of exact lines over their confidence, in bins (Guo et al. 2017).

    On the diagonal, confidence is the probability that a line is right. For each of the bins of
    equal width from 0 to 1: mean confidence, share of lines read exactly, number of lines. Bins
    without lines have no bar.
    """
    figure, bins = _figure(460, 470), len(lines)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(27, 8))
    above.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", zorder=1)
    style = {"width": 1 / bins, "align": "edge", "edgecolor": "white"}
    for i in (i for i in range(bins) if lines[i]):
        above.bar(i / bins, exact[i], color=BLUE, alpha=0.35, **style)
        above.plot(confidences[i], exact[i], "o", color=BLUE, markersize=5, clip_on=False)
        below.bar(i / bins, lines[i], color=QUIET, alpha=0.6, **style)
        count = f"{lines[i]:,}" if lines[i] < 1e5 else f"{lines[i]:.0e}"
        below.text((i + 0.5) / bins, lines[i], count, ha="center", va="bottom", fontsize=7)
    _style(above, "share of lines read exactly")
    _style(below, "lines")
    below.set_xlabel("confidence", fontsize=9)
    ticks = np.linspace(0, 1, 6)
    above.set(xlim=(0, 1), ylim=(0, 1.03), xticks=ticks, yticks=ticks)
    below.set(ylim=(0, 1.35 * max([*lines, 1])), yticks=[])
    below.xaxis.set_major_formatter("{x:.0%}")
    above.yaxis.set_major_formatter("{x:.0%}")
    for axes in (above, below):
        axes.tick_params(labelsize=8)
    above.grid(alpha=0.3)
    return _picture(figure)


def coverage_chart(accepted: np.ndarray, exact: np.ndarray) -> Image.Image:
    """The share of exact lines over the share of lines that are accepted, the surest first.

    Both as `metrics.coverage_curve` gives them.
    """
    figure = _figure(460, 330)
    axes = figure.subplots()
    axes.step(accepted, exact, where="post", color=BLUE, linewidth=1.5)
    axes.plot(accepted[-1], exact[-1], "o", color=BLUE, markersize=5, clip_on=False)
    _style(axes, "share of accepted lines read exactly")
    axes.set_xlabel("lines accepted, the surest first", fontsize=9)
    low = float(exact.min())
    bottom = max(0.0, min(0.97, low - 0.1 * (1 - low) - 0.005))
    axes.set(xlim=(0, 1), ylim=(bottom, 1.002))
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= 1])
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.1%}" if low > 0.95 else "{x:.0%}")
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    return _picture(figure)
