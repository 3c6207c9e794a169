"""Shares of lines with their intervals: what a few lines can show about all of them.

Wilson's interval (Wilson 1927, "Probable Inference, the Law of Succession, and Statistical
Inference"): with 4 of 4 lines right, the share of all lines that are read right is 51 to 100 %.
"""

import math

FEW = 100  # lines: a share of fewer is shown with its interval
CONFIDENCE = 1.96  # standard deviations of an interval that holds in 95 % of all cases


def wilson(right: int, lines: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `right` of `lines` were seen; each 0 to 1."""
    if not lines:
        return 0.0, 1.0
    share, spread = right / lines, CONFIDENCE**2 / lines
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def shown_interval(share: float, lines: int) -> str:
    """The interval of a share of lines, as in "51 to 100 %"."""
    low, high = wilson(round(share * lines), lines)
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def shown_share(share: float, lines: int, style: str = ".1%") -> str:
    """A share of lines as text; of fewer than FEW, with its interval.

    "98.2%", or "75.0% (30 to 95 %)".
    """
    interval = f" ({shown_interval(share, lines)})" if lines < FEW else ""
    return f"{share:{style}}{interval}"
