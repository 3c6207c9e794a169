"""Where a model says that each character stands, against where trdg drew it.

    python bench/spans.py --model-dir checkpoints/words [--count 1000] [--seed 0]

Lines of one to three words of a dictionary, each in lower, upper or title case, in the font
families that training leaves out, with random margins and letter spacing, not varied; of a model
that knows no letters, random characters. A model of such lines, here in 200,000 texts:

    python bench/spans.py --texts words.txt --count 200000 --seed 1
    python train.py --alphabet " " --letters --text-source strings --strings-file words.txt \\
        --spacing 3 --architecture fine --rnn-units 128 --model-dir checkpoints/words \\
        [--head attention]

A glyph's box reaches over all of its ink, also where a neighbour's overlaps it; a space has none,
and is not counted. IoU is the length that span and box share, over the length that either covers.
What knows the text alone can split the picture, or its ink, equally.
"""

from ocr_simple.text import Alphabet
from ocr_simple.options import DrawingOptions
from ocr_simple.options import HELD_OUT
from ocr_simple.text import Line
from ocr_simple.options import LineOptions
from inference import Recognizer
from ocr_simple.drawing.texts import Texts
from ocr_simple.drawing.fonts import characters_drawn
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.runs.model_files import find_model
from ocr_simple.drawing.fonts import split_fonts

import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from PIL import Image, ImageFont
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


WORDS, LONGEST = 3, 6  # most words of a line, most letters of a word
MARGIN = 6  # most pixels on each of the four sides
SPACING = 6  # most pixels between characters, before the text is scaled to its rows


@dataclass(frozen=True)
class Options:
    """Measure a model's spans on generated lines."""

    model: str = "digits"
    """Shipped model's name, or a model file."""
    model_dir: Path | None = None
    """Run folder of train.py, instead of --model; its best model reads."""
    count: int = 1000
    """Lines to draw."""
    seed: int = 0
    """Of what is drawn."""
    texts: Path | None = None
    """Write texts of letters to this file, to train on, and measure nothing."""


# --- lines and their boxes --------------------------------------------------------------------


class Drawn(NamedTuple):
    """A line, and where its characters stand."""

    text: str
    image: Image.Image
    boxes: np.ndarray  # (characters, 2): left and right edge in pixels; nan of a space


def draw_texts(alphabet: Alphabet, count: int, rng: np.random.Generator) -> list[str]:
    """Words in mixed case, or what else can be written in the alphabet."""
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
        if not alphabet.unknown(text):  # of a case that it lacks
            texts.append(text)
    return texts


def usable_fonts(alphabet: Alphabet) -> tuple[list[str], list[str]]:
    """Held-out fonts that have every character, and tell a from A; and those that do not."""
    held_out = split_fonts(find_fonts(("trdg",)), HELD_OUT)[1]
    needed = alphabet.characters
    usable = [font for font in held_out if characters_drawn(font, needed) == needed]
    if not usable:
        raise ValueError(f"none of {len(held_out)} held-out fonts draws all of {needed!r}")
    return usable, [font for font in held_out if font not in usable]


def draw_line(text: str, font: str, options: DrawingOptions) -> Drawn:
    """A text as trdg draws it, and the boxes: trdg's own mask loses what is thin or overlapped."""
    image = draw(text, font, options, seed=0)
    assert image is not None  # dark on white stands out
    face = ImageFont.truetype(font, options.size)
    boxes, x = np.full((len(text), 2), np.nan), 0
    for box, character in zip(boxes, text):
        mask, (left, _) = face.getmask2(character, "L", anchor="la")
        if ink := mask.getbbox():
            box[:] = x + left + ink[0], x + left + ink[2]
        x += round(face.getlength(character)) + options.character_spacing
    width = x - options.character_spacing  # of the text, until it is scaled to its rows
    _, before, _, after = options.margins
    scale = (image.width - before - after) / width
    return Drawn(text, image, before + scale * boxes.clip(0, width))


def draw_lines(texts: list[str], fonts: list[str], rng: np.random.Generator) -> list[Drawn]:
    """Each text in the next font, with random margins and letter spacing."""
    lines, most = [], [MARGIN] * 4 + [SPACING]
    for k, text in enumerate(texts):
        top, left, bottom, right, spacing = rng.integers(0, most, endpoint=True).tolist()
        options = DrawingOptions(margins=(top, left, bottom, right), character_spacing=spacing)
        lines.append(draw_line(text, fonts[k % len(fonts)], options))
    return lines


# --- spans --------------------------------------------------------------------------------------


def read_spans(truth: str, line: Line) -> np.ndarray:
    """Spans (characters, 2) that were read for the characters of `truth`.

    Of one that was read as another it is the other's; of one that was missed it is nan.
    """
    spans = np.full((len(truth), 2), np.nan)
    for step in Levenshtein.opcodes(truth, line.text):
        if step.tag in ("equal", "replace"):
            read = line.characters[step.dest_start : step.dest_end]
            spans[step.src_start : step.src_end] = [(c.start, c.end) for c in read]
    return spans


def equal_spans(start: float, end: float, count: int) -> np.ndarray:
    """Spans (count, 2) that split what is between two edges equally."""
    edges = np.linspace(start, end, count + 1)
    return np.stack((edges[:-1], edges[1:]), axis=1)


def compare(spans: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(boxes that are there, 2): whether the span's centre is inside, and the IoU."""
    drawn = ~np.isnan(boxes[:, 0])
    (start, end), (left, right) = spans[drawn].T, boxes[drawn].T
    centre = (start + end) / 2
    common = np.minimum(end, right) - np.maximum(start, left)  # below 0 where they are apart
    either = np.maximum(end, right) - np.minimum(start, left)
    iou = np.nan_to_num(common / either).clip(0)  # 0 where none was read
    return np.stack(((left <= centre) & (centre <= right), iou), axis=1)


def main(options: Options) -> None:
    """Print a Markdown table, or write texts."""
    rng = np.random.default_rng(options.seed)
    if options.texts:
        texts = draw_texts(Alphabet.parse(" " + string.ascii_letters), options.count, rng)
        options.texts.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return
    file = find_model(options.model_dir) if options.model_dir else find_model(options.model)
    recognizer = Recognizer.load(file)
    fonts, left_out = usable_fonts(recognizer.alphabet)
    drawn = draw_lines(draw_texts(recognizer.alphabet, options.count, rng), fonts, rng)
    read = recognizer.read([np.asarray(line.image) for line in drawn])
    exact = np.array([d.text == line.text for d, line in zip(drawn, read)])
    spans = {
        "as read": [read_spans(d.text, line) for d, line in zip(drawn, read)],
        "equal split of the picture": [equal_spans(0, d.image.width, len(d.text)) for d in drawn],
        "equal split of the ink": [
            equal_spans(np.nanmin(d.boxes), np.nanmax(d.boxes), len(d.text)) for d in drawn
        ],
    }
    print(f"model {file}, head {recognizer.spec.head}, {len(fonts)} fonts")
    if left_out:
        names = ", ".join(Path(font).name for font in left_out)
        print(f"left out, as they lack characters or draw a as A: {names}")
    print(f"read exactly: {exact.sum()} of {len(exact)} lines ({exact.mean():.1%})\n")
    print("| lines | spans | characters | centre in box | median IoU | mean IoU | IoU >= 0.5 |")
    print("|---|---|---|---|---|---|---|")
    for name, counted in (("read exactly", exact), ("all", np.ones_like(exact))):
        for kind, each in spans.items() if counted.any() else ():
            pairs = [compare(s, d.boxes) for s, d, c in zip(each, drawn, counted) if c]
            inside, iou = np.concatenate(pairs).T
            print(
                f"| {name} | {kind} | {len(iou):,} | {inside.mean():.1%} "
                f"| {np.median(iou):.2f} | {iou.mean():.2f} | {(iou >= 0.5).mean():.1%} |"
            )


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ValueError as error:
        sys.exit(f"spans.py: {error}")
