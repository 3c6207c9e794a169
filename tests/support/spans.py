"""Where characters stand in drawn lines, and how well spans match that.

A glyph's box covers all of its ink, also where a neighbour's ink overlaps it. A space has no box
and is not counted.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFont
from rapidfuzz.distance import Levenshtein

from ocr_simple.drawing.fonts import characters_drawn, find_fonts, split_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.texts import Texts
from ocr_simple.options import HELD_OUT, Drawing, LineOptions
from ocr_simple.text import Alphabet, Line

WORDS, LONGEST = 3, 6  # most words of a line, most letters of a word
MARGIN = 6  # most pixels on each of the four sides
SPACING = 6  # most pixels between characters, before the text is scaled to its height


# --- lines and their boxes --------------------------------------------------------------------


class Drawn(NamedTuple):
    """A line, and where its characters stand."""

    text: str
    image: Image.Image
    boxes: np.ndarray  # (characters, 2): left and right edge in pixels; nan for a space


def draw_texts(alphabet: Alphabet, count: int, rng: np.random.Generator) -> list[str]:
    """Words in mixed case; random characters for an alphabet without letters."""
    if not any(map(str.isalpha, alphabet.characters)):
        random_texts = Texts(LineOptions(), alphabet)
        return [random_texts.draw(rng) for _ in range(count)]
    words = Texts(LineOptions(text_source="dictionary"), alphabet).pool
    words = tuple(word for word in words if len(word) <= LONGEST)
    most = WORDS if " " in alphabet.ids else 1
    cases = str.lower, str.upper, str.title
    texts: list[str] = []
    while len(texts) < count:
        indices = rng.integers(len(words), size=rng.integers(1, most + 1)).tolist()
        text = " ".join(cases[rng.integers(3)](words[i]) for i in indices)
        if not alphabet.unknown(text):  # the alphabet may lack a case
            texts.append(text)
    return texts


def usable_fonts(alphabet: Alphabet) -> tuple[list[str], list[str]]:
    """(held-out fonts that draw every character, and a unlike A; the other held-out fonts)."""
    held_out = split_fonts(find_fonts(("trdg",)), HELD_OUT)[1]
    needed = alphabet.characters
    usable = [font for font in held_out if characters_drawn(font, needed) == needed]
    if not usable:
        raise ValueError(f"none of {len(held_out)} held-out fonts draws all of {needed!r}")
    return usable, [font for font in held_out if font not in usable]


def draw_line(text: str, font: str, options: Drawing) -> Drawn:
    """A text as trdg draws it, with its boxes.

    The boxes come from the font: trdg's mask loses ink that is thin or overlapped.
    """
    image = draw(text, font, options, seed=0)
    assert image is not None  # dark on white stands out
    face = ImageFont.truetype(font, options.size)
    boxes, x = np.full((len(text), 2), np.nan), 0
    for box, character in zip(boxes, text):
        mask, (left, _) = face.getmask2(character, "L", anchor="la")
        if ink := mask.getbbox():
            box[:] = x + left + ink[0], x + left + ink[2]
        x += round(face.getlength(character)) + options.character_spacing
    width = x - options.character_spacing  # of the text, before it is scaled to its height
    _, before, _, after = options.margins
    scale = (image.width - before - after) / width
    return Drawn(text, image, before + scale * boxes.clip(0, width))


def draw_lines(texts: list[str], fonts: list[str], rng: np.random.Generator) -> list[Drawn]:
    """Each text in the next font, with random margins and letter spacing."""
    lines, most = [], [MARGIN] * 4 + [SPACING]
    for k, text in enumerate(texts):
        top, left, bottom, right, spacing = rng.integers(0, most, endpoint=True).tolist()
        options = Drawing(margins=(top, left, bottom, right), character_spacing=spacing)
        lines.append(draw_line(text, fonts[k % len(fonts)], options))
    return lines


# --- spans --------------------------------------------------------------------------------------


def read_spans(truth: str, line: Line) -> np.ndarray:
    """Spans (characters, 2) that were read for the characters of `truth`.

    A character that was read as another has the other's span; the span of a missed one is nan.
    """
    spans = np.full((len(truth), 2), np.nan)
    for step in Levenshtein.opcodes(truth, line.text):
        if step.tag in ("equal", "replace"):
            read = line.characters[step.dest_start : step.dest_end]
            spans[step.src_start : step.src_end] = [(c.start, c.end) for c in read]
    return spans


def equal_spans(start: float, end: float, count: int) -> np.ndarray:
    """Spans (count, 2) that split the columns between two edges equally."""
    edges = np.linspace(start, end, count + 1)
    return np.stack((edges[:-1], edges[1:]), axis=1)


def compare(spans: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(boxes without spaces, 2): whether the span's centre is inside its box, and their IoU.

    IoU: the length that both cover, divided by the length that either covers.
    """
    drawn = ~np.isnan(boxes[:, 0])
    (start, end), (left, right) = spans[drawn].T, boxes[drawn].T
    centre = (start + end) / 2
    common = np.minimum(end, right) - np.maximum(start, left)  # below 0 where they are apart
    either = np.maximum(end, right) - np.minimum(start, left)
    iou = np.nan_to_num(common / either).clip(0)  # 0 where none was read
    return np.stack(((left <= centre) & (centre <= right), iou), axis=1)
