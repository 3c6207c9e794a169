"""Pictures of errors: the misread lines of a report, and which characters are confused.

Both functions return a PIL image, which a notebook shows and `save` writes.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple.messages import NOTHING, visible
from ocr_simple.reports.canvas import (
    EDGE,
    QUIET,
    RIGHT,
    SMALL,
    WRONG,
    Page,
    blend,
    columns_for,
    grid,
    natural_width,
    text_width,
)
from ocr_simple.text import Line

FREQUENT, CORRECT = "#a50f15", "#eaeef2"  # cells of the confusion map


def misread_lines(
    pixels: Sequence[np.ndarray],
    truths: Sequence[str],
    lines: Sequence[Line],
    names: Sequence[str],
) -> Image.Image:
    """Each line under its name and confidence; below it the truth, and what was read, in red.

    pixels: uint8 (rows, columns, channels) each. Long lines get more of the page's width.
    """
    # in a bold monospaced font, texts can be compared, and l is not I
    style: dict[str, Any] = {"size": 14.0, "bold": True, "mono": True}
    texts = [(visible(truth), visible(line.text)) for truth, line in zip(truths, lines)]
    widths = [max(text_width(text, **style) for text in pair) for pair in texts]
    columns = columns_for(map(max, map(natural_width, pixels), widths))
    page, width, places = grid(len(pixels), columns, 116)
    quiet: dict[str, Any] = {"color": QUIET, "size": SMALL}
    for i, (left, top) in enumerate(places):
        left, right = left + 8, left + width - 8
        page.write(left, top + 15, visible(names[i]), width=width - 70, **quiet)
        page.write(right, top + 15, f"{lines[i].confidence:.1%}", align=1, **quiet)
        page.put_scaled(pixels[i], left, top + 26, width - 16, 42)
        color = RIGHT if lines[i].text == truths[i] else WRONG
        page.write(left, top + 80, "is", QUIET, size=11)
        page.write(left + 35, top + 80, texts[i][0], width=width - 51, **style)
        page.write(left, top + 97, "read", QUIET, size=11)
        page.write(left + 35, top + 97, texts[i][1], color, width - 51, **style)
    return page.picture()


def confusion_map(counts: Iterable[tuple[str, str, int]], most: int = 20) -> Image.Image:
    """A heat map of confused characters: those of the truth down, those that were read across.

    counts: (truth, read, times) of each kind of edit. An empty truth is an insertion, and an empty
        text a character that was missed.
    most: how many characters are shown down and across, those with the most edits. The picture
        says how many edits are not shown.
    """
    table, lost, gained = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for truth, read, count in counts:
        table[visible(truth), visible(read)] += count
        lost[visible(truth)] += count
        gained[visible(read)] += count
    down, across = (
        sorted((c for c, _ in side.most_common(most)), key=lambda c: (c == NOTHING, c))
        for side in (lost, gained)
    )
    cell, left, top = 34, 95, 95
    page = Page(max(400, left + cell * len(across) + 20), top + cell * len(down) + 20)
    shown = sum(table[truth, read] for truth in down for read in across)
    _write_headings(page, shown, table.total(), left, top + cell / 2)
    for place, character in enumerate(down):
        page.write(left - 9, top + cell * (place + 0.5), character, align=1, size=15, mono=True)
    for place, character in enumerate(across):
        page.write(left + cell * (place + 0.5), top - 14, character, align=0.5, size=15, mono=True)
    largest = max(table.values(), default=1)
    for (row, truth), (column, read) in itertools.product(enumerate(down), enumerate(across)):
        x, y, count = left + cell * column, top + cell * row, table[truth, read]
        # the square root: next to one frequent confusion, all others would look white
        share = 0.1 + 0.9 * (count / largest) ** 0.5 if count else 0.0
        fill = CORRECT if truth == read else tuple(blend(FREQUENT, share))
        page.draw.rectangle((x, y, x + cell, y + cell), fill, EDGE)
        if count:
            text = f"{count}" if count < 1e4 else f"{count / 1e3:.0f}k"
            color = "white" if count > 0.3 * largest else "black"
            page.write(x + cell / 2, y + cell / 2, text, color, align=0.5, size=11)
    return page.picture()


def _write_headings(page: Page, shown: int, total: int, left: float, middle: float) -> None:
    edits = f"edits: {total:,}" if shown == total else f"edits: {shown:,} of {total:,}"
    legend = f"{edits}; {NOTHING}: missed or inserted; grey: right"
    page.write(10, 17, legend, QUIET, size=11)
    if shown:
        page.write(left, 45, "read", bold=True)
        page.write(10, middle, "truth", bold=True)
