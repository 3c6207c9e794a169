"""bench/character_positions.py: its boxes are those of trdg's glyphs, its measures are right."""

import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.spans import (
    compare,
    draw_line,
    draw_lines,
    draw_texts,
    equal_spans,
    read_spans,
    usable_fonts,
)
from trdg.generators import GeneratorFromStrings

from ocr_simple.options import HELD_OUT, Drawing
from ocr_simple.text import Alphabet, Character, Line

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).resolve().parents[1] / "bench" / "character_positions.py"
LETTERS = Alphabet(" " + string.ascii_letters)
BOXES = np.array([[2, 6], [7, 8], [np.nan, np.nan], [12, 20]], float)  # of "ab c"


def line(text, spans):
    return Line(text, 1.0, tuple(Character(c, 1.0, *span) for c, span in zip(text, spans)))


@pytest.fixture(scope="module")
def fonts():
    return usable_fonts(LETTERS)[0]


# --- the measure ------------------------------------------------------------------------------


def test_exact_spans_are_inside_and_overlap_fully():
    compared = compare(np.nan_to_num(BOXES, nan=9), BOXES)
    assert compared.tolist() == [[1, 1]] * 3  # the space is not counted


def test_overlap_is_the_shared_length_over_that_of_either():
    spans = np.array([[4, 8], [0, 15], [8, 12], [20, 30]], float)
    assert compare(spans, BOXES).tolist() == [[1, 2 / 6], [1, 1 / 15], [0, 0]]


def test_a_character_that_was_missed_counts_as_not_found():
    read = line("a c", [(2, 6), (8, 12), (12, 20)])
    assert compare(read_spans("ab c", read), BOXES).tolist() == [[1, 1], [0, 0], [1, 1]]


def test_an_insertion_or_a_wrong_character_moves_no_span():
    read = line("aab C", [(0, 2), (2, 6), (7, 8), (8, 12), (12, 20)])
    assert compare(read_spans("ab c", read), BOXES).tolist()[1:] == [[1, 1], [1, 1]]


def test_an_equal_split_divides_the_width():
    assert equal_spans(4, 10, 3).tolist() == [[4, 6], [6, 8], [8, 10]]


# --- the lines -----------------------------------------------------------------------------------


def test_texts_are_words_in_mixed_case_with_spaces():
    texts = draw_texts(LETTERS, 300, np.random.default_rng(0))
    assert {text.count(" ") for text in texts} == {0, 1, 2}
    assert set(string.ascii_letters) <= set("".join(texts))
    assert draw_texts(Alphabet("0123456789"), 1, np.random.default_rng(0))[0].isdigit()


def test_fonts_are_held_out_ones_with_lower_case_letters():
    usable, left_out = usable_fonts(LETTERS)
    assert all(font.rsplit("/", 1)[1].startswith(HELD_OUT) for font in usable + left_out)
    assert [font.rsplit("/", 1)[1] for font in left_out] == ["BEBAS___.ttf"]


def test_lines_are_a_function_of_the_seed(fonts):
    texts = ["One", "two Three"]
    first, again = (draw_lines(texts, fonts, np.random.default_rng(5)) for _ in range(2))
    assert [np.asarray(d.image).tolist() for d in first] == [
        np.asarray(d.image).tolist() for d in again
    ]


def test_boxes_are_the_columns_of_ink(fonts):
    options = Drawing(margins=(2, 9, 3, 4), character_spacing=12)  # so that none touch
    for font in fonts:
        drawn = draw_line("Wil Ma", font, options)
        ink = (np.asarray(drawn.image) < 240).any(axis=0)  # lighter are the echoes of resizing
        edges = np.flatnonzero(np.diff(ink, prepend=False, append=False)).reshape(-1, 2)
        boxes = drawn.boxes[~np.isnan(drawn.boxes[:, 0])]
        assert edges == pytest.approx(boxes, abs=1), font


def test_boxes_match_trdgs_mask(fonts):
    offsets = []
    for font in fonts:
        margins = (1, 6, 3, 0)
        drawn = draw_line("Ticket Of", font, Drawing(margins=margins))
        image, mask = next(
            GeneratorFromStrings(
                [drawn.text], fonts=[font], margins=margins, background_type=1, output_mask=True
            )
        )[0]
        assert np.array_equal(np.asarray(image.convert("L")), np.asarray(drawn.image))
        for i, (left, right) in enumerate(drawn.boxes, start=1):
            columns = np.flatnonzero((np.asarray(mask)[..., 2] == i).any(axis=0))
            assert len(columns) == 0 or not np.isnan(left)  # a space has neither
            if len(columns):  # which a thin glyph may lose
                offsets.append((columns[0] - left, columns[-1] + 1 - right))
    outside = np.array(offsets) * (-1, 1)  # the mask's beyond the box; where overlapped, within
    assert outside.max() < 1.5
    assert np.abs(np.median(outside, axis=0)).max() < 0.75


# --- the script -------------------------------------------------------------------------------


def test_the_script_prints_a_table(tmp_path):
    command = [sys.executable, str(SCRIPT), "--count", "20"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = [row.split(" | ") for row in done.stdout.splitlines() if row.startswith("| all")]
    assert [row[1] for row in rows] == [
        "as read", "equal split of the picture", "equal split of the ink",
    ]  # fmt: skip
    assert float(rows[0][3].rstrip("%")) > 90  # centres of the spans read are in their boxes
