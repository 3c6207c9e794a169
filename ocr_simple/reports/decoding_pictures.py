"""Pictures of where a model read each character of a line.

`time_step_map` shows the class probabilities of a CTC head at each time step, the attention
pictures the part of the image that an attention head used for each character. They return PIL
images, which a notebook shows and `save` writes.
"""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ocr_simple import images as imaging
from ocr_simple import preprocessing
from ocr_simple.messages import visible
from ocr_simple.reports.canvas import (
    EDGE,
    LARGE,
    QUIET,
    WRONG,
    Page,
    blend,
    scaled,
    shorten,
    text_width,
)
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Line

CYCLE = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#bf3989")  # of characters' spans, in turn
HEAT = "#ff6a00"  # of attention: visible on black ink, on white paper, and on most colours
PROBABLE = "#08306b"  # of a class with probability 1
MOST_CLASSES = 16  # rows of a time step map
ROW = 17  # pixels of one of them


def _write_title(page: Page, left: float, line: Line, truth: str | None) -> None:
    """The text and its confidence, and in red the truth if it differs."""
    style: dict[str, Any] = {"size": 14.0}
    text, confidence = f"“{visible(line.text)}”", f"  {line.confidence:.1%}"
    wrong = "" if truth in (None, line.text) else f"  is “{visible(truth)}”"
    room = page.image.width - left - 10 - text_width(confidence, **style)
    text = shorten(text, max(room / 2, room - text_width(wrong, **style)), **style)
    used = text_width(text, **style)
    page.write(left, 20, text + confidence, **style)
    left += text_width(text + confidence, **style)
    page.write(left, 20, wrong, WRONG, room - used, **style)


# --- time steps of a CTC head -------------------------------------------------------------------


def time_step_map(
    image: imaging.Source,
    line: Line,
    probabilities: np.ndarray,
    spec: ModelSpec,
    truth: str | None = None,
) -> Image.Image:
    """The image with the spans of its characters, above the class probabilities.

    line: from `Recognizer.read`, with spans in pixels of the upright image
    probabilities: (steps, classes) from `Recognizer.probabilities`; each step is drawn below the
        columns that it covers. Only the most probable classes of a large alphabet are shown.
    truth: the label, if known; it is written beside a text that differs
    """
    pixels = imaging.load(image, channels=3, warn=False)  # (rows, columns, 3)
    rows, columns, _ = pixels.shape
    model_columns = preprocessing.scaled_width(columns, rows, spec.height)
    step = spec.stride * columns / model_columns  # pixels of the image in one time step
    likely = np.argsort(-probabilities.max(axis=0), kind="stable")[:MOST_CLASSES]
    classes = np.sort(likely)  # in the order of the alphabet, the blank first

    width = round(np.clip(130 * columns / rows, 200, 900))
    height, scale = round(np.clip(width * rows / columns, 16, 200)), width / columns
    left, top = 70, 68
    below = top + height + 10
    bottom = below + ROW * len(classes)
    page = Page(left + width + 20, bottom + 50)
    _write_title(page, left, line, truth)

    upper = np.array(scaled(pixels, width, height))  # (height, width, 3)
    lower = _probability_rows(probabilities[:, classes], step * scale, width)
    middles = [left + scale * (c.start + c.end) / 2 for c in line.characters]
    nearest = min((b - a for a, b in itertools.pairwise(middles)), default=width)
    size = float(np.clip(1.2 * nearest, 8, LARGE))
    for i, character in enumerate(line.characters):
        color = CYCLE[i % len(CYCLE)]
        span = slice(round(character.start * scale), round(character.end * scale))
        upper[:, span] = blend(color, 0.25, upper[:, span])
        lower[:, span] = blend(color, 0.12, lower[:, span])
        text = visible(character.text)
        page.write(middles[i], top - 16, text, color, align=0.5, size=size, bold=True)
    page.put(Image.fromarray(upper), left, top)
    page.put(Image.fromarray(lower), left, below)

    names = ["blank", *map(visible, spec.alphabet)]
    for row, i in enumerate(classes):
        page.write(left - 6, below + ROW * (row + 0.5), names[i], align=1, size=11)
    _write_ticks(page, left, bottom, columns, scale)
    axis = f"columns ({step:.3g} per time step)"
    page.write(left + width / 2, bottom + 33, axis, align=0.5)
    return page.picture()


def _probability_rows(probabilities: np.ndarray, step: float, width: int) -> np.ndarray:
    """(steps, classes), `step` pixels each -> uint8 (classes * ROW, width, 3), dark for likely."""
    steps = ((np.arange(width) + 0.5) / step).astype(int)  # (width,), of each column
    covered = steps < len(probabilities)
    shares = np.zeros((probabilities.shape[1], width))
    shares[:, covered] = probabilities[steps[covered]].T
    return blend(PROBABLE, np.repeat(shares, ROW, axis=0))


def _write_ticks(page: Page, left: float, bottom: float, columns: int, scale: float) -> None:
    """Column numbers at round distances of at least 45 pixels."""
    round_numbers = (digit * 10**zeros for zeros in itertools.count() for digit in (1, 2, 5))
    distance = next(number for number in round_numbers if number * scale >= 45)
    for tick in range(0, columns + 1, distance):
        page.write(left + tick * scale, bottom + 12, f"{tick}", align=0.5, size=11)


# --- attention ----------------------------------------------------------------------------------


def _heated(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`pixels` (rows, columns, 3) with HEAT over the columns, by the attention of their step."""
    columns, steps = pixels.shape[1], len(weights)
    step = (np.arange(columns) + 0.5) * steps / columns  # (columns,), at the middle of each
    heat = weights[step.astype(int)] / max(float(weights.max()), 1e-9)
    return blend(HEAT, 0.55 * heat, pixels)  # not opaque: the ink stays visible


def _check_attention(line: Line, attention: np.ndarray) -> None:
    if attention.ndim != 2 or len(attention) != len(line.text) or not attention.shape[1]:
        raise ValueError(
            f"attention has the shape {attention.shape}; wanted (characters, steps), "
            f"{len(line.text)} characters for {line.text!r}"
        )


def attention_sheet(
    pixels: np.ndarray, line: Line, attention: np.ndarray, truth: str | None = None
) -> Image.Image:
    """The image, and below it a copy for each character that shows the attention for it.

    pixels: uint8 (rows, columns, 1 or 3)
    attention: (characters, steps) of `line`, not negative; step s covers the columns from
        s * columns / steps to (s + 1) * columns / steps. Each row is scaled to its maximum.
    truth: the label, if known; it is written beside a text that differs
    Raises ValueError if there is not a row for each character of the text.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    height = round(np.clip(900 * rows / columns, 20, 50))
    width = round(np.clip(height * columns / rows, 30, 900))
    image, distance, left, top = scaled(pixels, width, height), height + 8, 100, 40
    page = Page(max(400, left + width + 10), top + distance * (1 + len(attention)))
    _write_title(page, 10, line, truth)
    page.put(image, left, top)
    for i, character in enumerate(line.text):
        top += distance
        middle = top + height / 2
        page.put(Image.fromarray(_heated(np.asarray(image), attention[i])), left, top)
        page.write(20, middle, visible(character), align=0.5, size=17, bold=True, mono=True)
        if i < len(line.characters):
            confidence = f"{line.characters[i].confidence:.1%}"
            page.write(left - 10, middle, confidence, QUIET, align=1, size=11)
    return page.picture()


def attention_frames(pixels: np.ndarray, line: Line, attention: np.ndarray) -> list[Image.Image]:
    """For each character, the image with the attention for it, above the text so far.

    All frames have one size and one palette. An empty text gives one frame, the image. Arguments
    and errors are those of `attention_sheet`.
    """
    _check_attention(line, attention)
    rows, columns, _ = pixels.shape
    height = round(np.clip(700 * rows / columns, 20, 80))
    width = round(np.clip(height * columns / rows, 30, 700))
    image = np.asarray(scaled(pixels, width, height))
    frame = max(200, width + 20), height + 50  # columns, rows
    left = round((frame[0] - width) / 2)
    page = Page(frame[0], frame[1] * max(1, len(attention)))  # the frames below each other
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
    """The text, centred if it fits, with character `now` in colour and the later ones faint."""
    style: dict[str, Any] = {"size": 17.0, "bold": True}
    before, after = "".join(characters[:now]), "".join(characters[now + 1 :])
    whole, room = text_width("".join(characters), **style), page.image.width - 20
    left = page.image.width / 2
    left += text_width(before, **style) - whole / 2 if whole <= room else 0
    right = left + text_width(characters[now], **style)
    before = shorten(before[::-1], left - 10, **style)[::-1]  # its end is kept
    page.write(left, middle, before, align=1, **style)
    page.write(left, middle, characters[now], CYCLE[1], **style)
    page.write(right, middle, after, EDGE, room + 10 - right, **style)


def save_gif(frames: Sequence[Image.Image], path: str | os.PathLike) -> None:
    """Write frames as an animated GIF: half a second each, and two seconds for the last."""
    durations = [500] * (len(frames) - 1) + [2000]  # ms
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
