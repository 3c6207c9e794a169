"""Measures how well a model's character spans match where trdg drew the characters.

    python bench/character_positions.py --model checkpoints/words --count 1000

The lines are one to three dictionary words, each in lower, upper or title case, in the font
families that training leaves out, with random margins and letter spacing, and not varied. For a
model without letters they are random characters. This trains a model of such lines:

    python bench/character_positions.py --texts words.txt --count 200000 --seed 1
    python train.py --alphabet " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \\
        --text-source strings --strings-file words.txt --spacing 3 --architecture fine \\
        --rnn-units 128 --model-dir checkpoints/words   # and --head attention

A glyph's box covers all of its ink; a space has none, and is not counted. IoU is the length that
span and box share, divided by the length that either covers. For comparison, the same is measured
for spans that split the picture, or its ink, equally.
"""

import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.spans import (
    Drawn,
    compare,
    draw_lines,
    draw_texts,
    equal_spans,
    read_spans,
    usable_fonts,
)

from inference import Recognizer
from ocr_simple.runs.model_files import find_model
from ocr_simple.text import Alphabet, Line


@dataclass(frozen=True)
class Options:
    """Measure a model's spans on generated lines."""

    model: Annotated[str, tyro.conf.arg(aliases=["--model-dir"])] = "digits"
    """A shipped model's name, a model file, or a run folder."""
    count: int = 1000
    """Lines to draw."""
    seed: int = 0
    """Random seed of the lines."""
    texts: Path | None = None
    """Only write texts of letters to this file, to train on."""


def print_table(drawn: list[Drawn], read: list[Line]) -> None:
    """Print how well spans match boxes, for lines that were read exactly and for all."""
    exact = np.array([d.text == line.text for d, line in zip(drawn, read)])
    spans = {
        "as read": [read_spans(d.text, line) for d, line in zip(drawn, read)],
        "equal split of the picture": [equal_spans(0, d.image.width, len(d.text)) for d in drawn],
        "equal split of the ink": [
            equal_spans(np.nanmin(d.boxes), np.nanmax(d.boxes), len(d.text)) for d in drawn
        ],
    }
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


def main(options: Options) -> None:
    """Print a Markdown table, or write texts. Raises ValueError."""
    rng = np.random.default_rng(options.seed)
    if options.texts:
        texts = draw_texts(Alphabet.parse(" " + string.ascii_letters), options.count, rng)
        options.texts.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return
    file = find_model(options.model)
    recognizer = Recognizer.load(file)
    fonts, left_out = usable_fonts(recognizer.alphabet)
    drawn = draw_lines(draw_texts(recognizer.alphabet, options.count, rng), fonts, rng)
    read = recognizer.read([np.asarray(line.image) for line in drawn])
    print(f"model {file}, head {recognizer.spec.head}, {len(fonts)} fonts")
    if left_out:
        names = ", ".join(Path(font).name for font in left_out)
        print(f"fonts left out (they lack characters, or draw a as A): {names}")
    print_table(drawn, read)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"character_positions.py: {error}", file=sys.stderr)
        sys.exit(2)
