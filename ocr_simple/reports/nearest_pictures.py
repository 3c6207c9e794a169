"""Pictures, each beside the generated line that is most like it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ocr_simple.reports.canvas import QUIET, grid

HEIGHT, TITLE = 42, 30  # pixels of a line, and of the space above it
GAP = 14  # between a picture and its line
CAPTION = "Your pictures, each beside the generated line that is most like it, and its recipe"
CAPTION_HEIGHT = 32


def beside(
    pictures: Sequence[np.ndarray],
    names: Sequence[str],
    lines: Sequence[np.ndarray],
    kinds: Sequence[str],
) -> Image.Image:
    """A grid of pairs: a picture under its name on the left, its line under its kind on the right.

    What they are stands above them.

    pictures, lines: uint8 (rows, columns, channels) each.
    """
    page, width, places = grid(len(pictures), 2, HEIGHT + TITLE + GAP, CAPTION_HEIGHT)
    page.write(GAP, CAPTION_HEIGHT - 12, CAPTION)
    half = (width - 2 * GAP - 20) / 2
    for (left, top), picture, name, line, kind in zip(
        places, pictures, names, lines, kinds, strict=True
    ):
        left += GAP
        page.write(left + half, top + 18, name, QUIET, half, align=1.0)
        page.write(left + half + 20, top + 18, kind, width=half)
        page.put_scaled(picture, left, top + TITLE, half, HEIGHT, across=1.0)
        page.write(left + half + 10, top + TITLE + HEIGHT / 2, "→", align=0.5)
        page.put_scaled(line, left + half + 20, top + TITLE, half, HEIGHT)
    return page.picture()
