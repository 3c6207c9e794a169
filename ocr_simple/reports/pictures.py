"""Pictures of lines with what was read in them.

Every function returns a PIL image, which a notebook shows and `save` writes.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple.messages import visible
from ocr_simple.reports.canvas import (
    LARGE,
    QUIET,
    RIGHT,
    WIDTH,
    WRONG,
    columns_for,
    grid,
    natural_width,
    shorten,
    text_width,
)
from ocr_simple.text import Line


def _shown(text: str) -> str:
    return visible(text) if text else "nothing"


def _with_truth(text: str, truth: str, width: float) -> str:
    """`text` and the truth behind it; if they are too long for `width`, both are shortened."""
    truth, room = _shown(truth), width - text_width("  (is )")
    text = shorten(text, max(room / 2, room - text_width(truth)))
    return f"{text}  (is {shorten(truth, room - text_width(text))})"


def lines(
    pixels: Sequence[np.ndarray],
    titles: Sequence[str],
    columns: int | None = None,
    colors: Sequence[str] | None = None,
) -> Image.Image:
    """A grid of lines, each under its title.

    pixels: uint8 (rows, columns, channels) each; columns: of the grid, by default as many as the
    lines and titles allow; colors: of the titles, by default black.
    """
    if not columns:
        columns = columns_for(map(natural_width, pixels))
        if all(natural_width(p) < 90 and len(t) < 8 for p, t in zip(pixels, titles, strict=True)):
            columns = 8  # single characters, mostly
    page, width, places = grid(len(pixels), columns, 78)
    for i, (left, top) in enumerate(places):
        color = colors[i] if colors else "black"
        page.write(left + 8, top + 18, titles[i], color, width - 16)
        page.put_scaled(pixels[i], left + 8, top + 30, width - 16, 42)
    return page.picture()


def predictions(
    pixels: Sequence[np.ndarray], truths: Sequence[str], texts: Sequence[str], count: int = 24
) -> Image.Image:
    """Validation lines under what was read: green if right, red with the truth if wrong.

    Two thirds of the `count` lines are the same in every call, evenly spread over all, so that the
    pictures of a run can be compared. Below them are others, misread ones first.
    """
    columns = columns_for(map(natural_width, pixels))
    room = WIDTH / columns - 16
    same = min(count, len(texts)) * 2 // 3
    fixed = [i * len(texts) // same for i in range(same)]
    others = sorted(set(range(len(texts))) - set(fixed), key=lambda i: (texts[i] == truths[i], i))
    titles, colors = [], []
    chosen = [*fixed, *others][:count]
    for text, truth in ((texts[i], truths[i]) for i in chosen):
        shown = _shown(text)
        titles.append(shown if text == truth else _with_truth(shown, truth, room))
        colors.append(RIGHT if text == truth else WRONG)
    return lines([pixels[i] for i in chosen], titles, columns, colors)


def readings(
    images: Sequence[imaging.Source],
    lines: Sequence[Line],
    truths: Sequence[str] | None = None,
) -> Image.Image:
    """Each image above its text and confidence; with `truths`, green if right and red if wrong."""
    loaded = [imaging.load(source, channels=3, warn=False) for source in images]
    page, width, places = grid(len(loaded), columns_for(map(natural_width, loaded)), 140)
    for i, (left, top) in enumerate(places):
        right = truths is None or lines[i].text == truths[i]
        color = "black" if truths is None else RIGHT if right else WRONG
        note = f"{lines[i].confidence:.1%}"
        if truths is not None and not right:
            note = _with_truth(note, truths[i], width - 20)
        middle, room = left + width / 2, width - 20
        page.put_scaled(loaded[i], left + 10, top + 10, room, 80, across=0.5, down=1.0)
        text = _shown(lines[i].text)
        page.write(middle, top + 104, text, color, room, align=0.5, size=LARGE, bold=True)
        page.write(middle, top + 122, note, QUIET, room, align=0.5)
    return page.picture()
