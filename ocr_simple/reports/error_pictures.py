"""Pictures of a report: what is misread, how far confidence goes, where each character was read.

Every public function returns PIL images, which a notebook shows and `save` writes.
"""

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from ocr_simple import images as imaging
from ocr_simple.reports import canvas as pages
from ocr_simple.reports.canvas import Page, visible
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Line

CYCLE = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#bf3989")  # neighbours must differ
HEAT = "#ff6a00"  # seen on black ink, on white paper, and on most colours
MUCH, LIKELY, SAME = "#a50f15", "#08306b", "#eaeef2"


def _laid(color: str, share: np.ndarray | float, over: np.ndarray | int = 255) -> np.ndarray:
    """uint8 RGB of a share, 0 to 1, of `color` laid over another, white unless told."""
    share = np.asarray(share, np.float32)[..., None]
    return np.round(over + share * (np.array(ImageColor.getrgb(color)) - over)).astype(np.uint8)


# --- errors and confidence of many lines --------------------------------------------------------


def misread(
    pixels: Sequence[np.ndarray],
    truths: Sequence[str],
    lines: Sequence[Line],
    names: Sequence[str],
) -> Image.Image:
    """Each line under its name and confidence; below it the truth, and what was read, in red.

    pixels: uint8 (rows, columns, channels) each. Long lines get more of the page's width.
    """
    even: dict[str, Any] = {"size": 14.0, "bold": True, "even": True}  # texts line up, l is not I
    said = [(visible(truth), visible(line.text)) for truth, line in zip(truths, lines)]
    texts = [max(pages.length(text, **even) for text in both) for both in said]
    columns = pages.columns_for(map(max, map(pages.natural_width, pixels), texts))
    page, width, places = pages.grid(len(pixels), columns, 116)
    quiet: dict[str, Any] = {"color": pages.QUIET, "size": pages.SMALL}
    for i, (left, top) in enumerate(places):
        left, right = left + 8, left + width - 8
        page.write(left, top + 15, visible(names[i]), width=width - 70, **quiet)
        page.write(right, top + 15, f"{lines[i].confidence:.1%}", align=1, **quiet)
        page.show(pixels[i], left, top + 26, width - 16, 42)
        color = pages.RIGHT if lines[i].text == truths[i] else pages.WRONG
        page.write(left, top + 80, "is", pages.QUIET, size=11)
        page.write(left + 35, top + 80, said[i][0], width=width - 51, **even)
        page.write(left, top + 97, "read", pages.QUIET, size=11)
        page.write(left + 35, top + 97, said[i][1], color, width - 51, **even)
    return page.picture()


def confusions(counts: Iterable[tuple[str, str, int]], most: int = 20) -> Image.Image:
    """Which characters are read as which: a heat map, the truth's down, those read across.

    counts: (truth, read, times) of each kind of edit; "" is nothing, so that it is an insertion
        as the truth, and a character missed as the one read
    most: the characters with the most edits, down and across; how much is left out is said
    """
    table, lost, gained = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for truth, read, count in counts:
        table[visible(truth), visible(read)] += count
        lost[visible(truth)] += count
        gained[visible(read)] += count
    down, across = (
        sorted((c for c, _ in side.most_common(most)), key=lambda c: (c == pages.NOTHING, c))
        for side in (lost, gained)
    )
    cell, left, top = 34, 95, 95
    page = Page(max(400, left + cell * len(across) + 20), top + cell * len(down) + 20)
    shown, every = sum(table[t, r] for t in down for r in across), table.total()
    part = f"edits: {every:,}" if shown == every else f"edits: {shown:,} of {every:,}"
    said = f"{part}; {pages.NOTHING}: missed or inserted; grey: right"
    page.write(10, 17, said, pages.QUIET, size=11)
    if shown:
        page.write(left, 45, "read", bold=True)
        page.write(10, top + cell / 2, "truth", bold=True)
    for place, character in enumerate(down):
        page.write(left - 9, top + cell * (place + 0.5), character, align=1, size=15, even=True)
    for place, character in enumerate(across):
        page.write(left + cell * (place + 0.5), top - 14, character, align=0.5, size=15, even=True)
    largest = max(table.values(), default=1)
    for (row, truth), (column, read) in itertools.product(enumerate(down), enumerate(across)):
        x, y, count = left + cell * column, top + cell * row, table[truth, read]
        # the root, or a single frequent confusion leaves all others white
        share = 0.1 + 0.9 * (count / largest) ** 0.5 if count else 0.0
        fill = SAME if truth == read else tuple(_laid(MUCH, share))
        page.draw.rectangle((x, y, x + cell, y + cell), fill, pages.EDGE)
        if count:
            text = f"{count}" if count < 1e4 else f"{count / 1e3:.0f}k"
            color = "white" if count > 0.3 * largest else "black"
            page.write(x + cell / 2, y + cell / 2, text, color, align=0.5, size=11)
    return page.picture()


def reliability(
    confidences: Sequence[float], exact: Sequence[float], lines: Sequence[int]
) -> Image.Image:
    """How far confidence can be trusted (Guo et al. 2017): on the diagonal, it is the truth.

    Of each of the bins of equal width from 0 to 1: mean confidence, share of lines read exactly,
    number of lines. Bins without lines have no bar.
    """
    figure, bins = pages.chart(460, 470), len(lines)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(27, 8))
    above.plot([0, 1], [0, 1], color=pages.QUIET, linewidth=1, linestyle="--", zorder=1)
    style = {"width": 1 / bins, "align": "edge", "edgecolor": "white"}
    for i in (i for i in range(bins) if lines[i]):
        above.bar(i / bins, exact[i], color=pages.BLUE, alpha=0.35, **style)
        above.plot(confidences[i], exact[i], "o", color=pages.BLUE, markersize=5, clip_on=False)
        below.bar(i / bins, lines[i], color=pages.QUIET, alpha=0.6, **style)
        said = f"{lines[i]:,}" if lines[i] < 1e5 else f"{lines[i]:.0e}"
        below.text((i + 0.5) / bins, lines[i], said, ha="center", va="bottom", fontsize=7)
    above.set_title("share of lines read exactly", fontsize=9, loc="left")
    below.set_title("lines", fontsize=9, loc="left")
    below.set_xlabel("confidence", fontsize=9)
    ticks = np.linspace(0, 1, 6)
    above.set(xlim=(0, 1), ylim=(0, 1.03), xticks=ticks, yticks=ticks)
    below.set(ylim=(0, 1.35 * max([*lines, 1])), yticks=[])
    below.xaxis.set_major_formatter("{x:.0%}")
    above.yaxis.set_major_formatter("{x:.0%}")
    for axes in (above, below):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    above.grid(alpha=0.3)
    return pages.charted(figure)


def coverage(answered: np.ndarray, exact: np.ndarray) -> Image.Image:
    """What is right of the lines answered, as more are: shares, from the surest line to all."""
    figure = pages.chart(460, 330)
    axes = figure.subplots()
    axes.step(answered, exact, where="post", color=pages.BLUE, linewidth=1.5)
    axes.plot(answered[-1], exact[-1], "o", color=pages.BLUE, markersize=5, clip_on=False)
    axes.set_title("share of answered lines read exactly", fontsize=9, loc="left")
    axes.set_xlabel("lines answered, the surest first", fontsize=9)
    low = float(exact.min())
    axes.set(xlim=(0, 1), ylim=(max(0.0, low - 0.1 * (1 - low) - 0.005), 1.002))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.1%}" if low > 0.95 else "{x:.0%}")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    return pages.charted(figure)


# --- where a CTC model read each character ------------------------------------------------------


def _write_title(page: Page, left: float, line: Line, truth: str | None) -> None:
    style: dict[str, Any] = {"size": 14.0}
    said, certain = f"“{visible(line.text)}”", f"  {line.confidence:.1%}"
    wrong = "" if truth in (None, line.text) else f"  is “{visible(truth)}”"
    room = page.image.width - left - 10 - pages.length(certain, **style)
    said = pages.shorten(said, max(room / 2, room - pages.length(wrong, **style)), **style)
    used = pages.length(said, **style)
    page.write(left, 20, said + certain, **style)
    left += pages.length(said + certain, **style)
    page.write(left, 20, wrong, pages.WRONG, room - used, **style)


def time_step_map(
    image: imaging.Source,
    line: Line,
    probabilities: np.ndarray,
    spec: ModelSpec,
    truth: str | None = None,
) -> Image.Image:
    """Where a line was read: the image, its characters' spans, and the class probabilities below.

    line: as `Recognizer.read` gives it, spans in pixels of the upright image
    probabilities: (steps, classes), as `Recognizer.probabilities` gives them; drawn under the
        columns that each step stands for. Of a large alphabet, the likeliest classes are shown.
    truth: what it should be, if that is known; said where it is not what was read
    """
    pixels = imaging.load(image, channels=3, warn=False)  # (rows, columns, 3)
    rows, columns, _ = pixels.shape
    own = imaging.scaled_width(columns, rows, spec.height)  # columns of the model's input
    step = spec.stride * columns / own  # pixels of the image that make one time step
    names = ["blank", *map(visible, spec.alphabet)]
    likely = np.argsort(-probabilities.max(axis=0), kind="stable")[:16]
    classes = np.sort(likely)  # in the order of the alphabet, the blank first

    width = round(np.clip(130 * columns / rows, 200, 900))
    high, cell, scale = round(np.clip(width * rows / columns, 16, 200)), 17, width / columns
    left, top = 70, 68
    below = top + high + 10
    page = Page(left + width + 20, below + cell * len(classes) + 50)
    _write_title(page, left, line, truth)

    upper = np.array(pages.scaled(pixels, width, high))  # (high, width, 3)
    steps = ((np.arange(width) + 0.5) / (step * scale)).astype(int)  # (width,): of each column
    covered = steps < len(probabilities)
    shares = np.zeros((len(classes), width))
    shares[:, covered] = probabilities[steps[covered]][:, classes].T
    lower = _laid(LIKELY, np.repeat(shares, cell, axis=0))  # (classes * cell, width, 3)
    middles = [left + scale * (c.start + c.end) / 2 for c in line.characters]
    nearest = min((b - a for a, b in itertools.pairwise(middles)), default=width)
    size = float(np.clip(1.2 * nearest, 8, pages.LARGE))
    for i, character in enumerate(line.characters):
        color = CYCLE[i % len(CYCLE)]
        span = slice(round(character.start * scale), round(character.end * scale))
        upper[:, span] = _laid(color, 0.25, upper[:, span])
        lower[:, span] = _laid(color, 0.12, lower[:, span])
        said = visible(character.text)
        page.write(middles[i], top - 16, said, color, align=0.5, size=size, bold=True)
    page.put(Image.fromarray(upper), left, top)
    page.put(Image.fromarray(lower), left, below)

    for row, i in enumerate(classes):
        page.write(left - 6, below + cell * (row + 0.5), names[i], align=1, size=11)
    bottom = below + cell * len(classes)
    round_numbers = (digit * 10**zeros for zeros in itertools.count() for digit in (1, 2, 5))
    apart = next(number for number in round_numbers if number * scale >= 45)
    for tick in range(0, columns + 1, apart):
        page.write(left + tick * scale, bottom + 12, f"{tick}", align=0.5, size=11)
    said = f"columns ({step:.3g} a time step)"
    page.write(left + width / 2, bottom + 33, said, align=0.5)
    return page.picture()


# --- where an attention model looks -------------------------------------------------------------


def _heated(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`pixels` (rows, columns, 3), HEAT laid over the columns of each step's weight."""
    columns, steps = pixels.shape[1], len(weights)
    step = (np.arange(columns) + 0.5) * steps / columns  # (columns,): where each one's middle is
    heat = weights[step.astype(int)] / max(float(weights.max()), 1e-9)
    return _laid(HEAT, 0.55 * heat, pixels)  # ink has to shine through


def _check_attention(line: Line, attention: np.ndarray) -> None:
    if attention.ndim != 2 or len(attention) != len(line.text) or not attention.shape[1]:
        raise ValueError(
            f"attention has the shape {attention.shape}; wanted (characters, steps), "
            f"{len(line.text)} characters for {line.text!r}"
        )


def attention_sheet(
    pixels: np.ndarray, line: Line, attention: np.ndarray, truth: str | None = None
) -> Image.Image:
    """The image with its text, and below it once for each character, heated where it was looked at.

    pixels: uint8 (rows, columns, 1 or 3)
    attention: (characters, steps) of `line`, not negative; step s covers the columns from
        s * columns / steps to (s + 1) * columns / steps. The highest of a row is drawn strongest.
    truth: what it should be, if that is known; said where it is not what was read
    Raises ValueError if there is not a row for each character of the text.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    height = round(np.clip(900 * rows / columns, 20, 50))
    width = round(np.clip(height * columns / rows, 30, 900))
    image, place, left, top = pages.scaled(pixels, width, height), height + 8, 100, 40
    page = Page(max(400, left + width + 10), top + place * (1 + len(attention)))
    _write_title(page, 10, line, truth)
    page.put(image, left, top)
    for i, character in enumerate(line.text):
        top += place
        middle = top + height / 2
        page.put(Image.fromarray(_heated(np.asarray(image), attention[i])), left, top)
        page.write(20, middle, visible(character), align=0.5, size=17, bold=True, even=True)
        if i < len(line.characters):
            certain = f"{line.characters[i].confidence:.1%}"
            page.write(left - 10, middle, certain, pages.QUIET, align=1, size=11)
    return page.picture()


def attention_frames(pixels: np.ndarray, line: Line, attention: np.ndarray) -> list[Image.Image]:
    """The image once for each character, heated where it was looked at, above the text so far.

    All are of one size and palette. Of an empty text the only one is the image. Arguments and
    errors are those of `attention_sheet`.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    height = round(np.clip(700 * rows / columns, 20, 80))
    width = round(np.clip(height * columns / rows, 30, 700))
    image = np.asarray(pages.scaled(pixels, width, height))
    frame = max(200, width + 20), height + 50  # columns, rows
    left = round((frame[0] - width) / 2)
    page = Page(frame[0], frame[1] * max(1, len(attention)))  # under each other
    for i, weights in enumerate(attention):
        top = i * frame[1]
        page.put(Image.fromarray(_heated(image, weights)), left, top + 10)
        _write_progress(page, top + height + 30, [visible(c) for c in line.text], i)
    if not line.text:
        page.put(Image.fromarray(image), left, 10)
    picture = page.picture()
    return [
        picture.crop((0, top, frame[0], top + frame[1]))
        for top in range(0, picture.height, frame[1])
    ]


def _write_progress(page: Page, middle: float, characters: Sequence[str], now: int) -> None:
    """The text, in the middle if it fits, with character `now` marked and the later ones faint."""
    style: dict[str, Any] = {"size": 17.0, "bold": True}
    before, after = "".join(characters[:now]), "".join(characters[now + 1 :])
    whole, room = pages.length("".join(characters), **style), page.image.width - 20
    left = page.image.width / 2
    left += pages.length(before, **style) - whole / 2 if whole <= room else 0
    right = left + pages.length(characters[now], **style)
    before = pages.shorten(before[::-1], left - 10, **style)[::-1]  # its end counts
    page.write(left, middle, before, align=1, **style)
    page.write(left, middle, characters[now], CYCLE[1], **style)
    page.write(right, middle, after, pages.EDGE, room + 10 - right, **style)


def save_gif(frames: Sequence[Image.Image], path: str | os.PathLike) -> None:
    """Write frames as an animated GIF, half a second each, the last for two."""
    durations = [500] * (len(frames) - 1) + [2000]  # ms; the whole text stays longer
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
