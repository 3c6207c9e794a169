"""Pictures of lines, and of what was read in them."""

import numpy as np
import pytest
from PIL import Image
from support.pictures import GREEN, RED, filled, line, near

from ocr_simple.reports import pictures
from ocr_simple.text import Line


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_lines_has_a_row_for_every_four(count):
    picture = pictures.lines([line()] * count, ["12"] * count)
    assert picture.size == (1000, 78 * max(1, -(-count // 4)))
    assert (filled(picture) > 0) == (count > 0)


def test_lines_of_any_width_and_either_depth_fit_their_cells():
    pixels = [line(1), line(3000), line(100, channels=3)]
    picture = pictures.lines(pixels, ["a", "b", "c"], columns=3)
    page = np.asarray(picture.convert("L"))
    for gap in (0, 332, 333, 665, 666, 999):  # between cells
        assert (page[:, gap] > 250).all()


def test_wide_lines_have_fewer_beside_each_other():
    for width, rows in ((150, 1), (300, 2), (900, 4)):
        assert pictures.lines([line(width)] * 4, ["12"] * 4).height == 78 * rows
        assert pictures.readings([line(width)] * 4, [Line("1", 0.5, ())] * 4).height == 140 * rows


def test_predictions_are_green_if_right_and_red_if_not():
    pixels = [line()] * 3
    right = pictures.predictions(pixels, ["1", "2", "3"], ["1", "2", "3"])
    assert near(right, GREEN).any() and not near(right, RED).any()
    wrong = pictures.predictions(pixels, ["1", "2", "3"], ["7", "7", ""])
    assert near(wrong, RED).any() and not near(wrong, GREEN).any()


@pytest.mark.parametrize("misread", [3, 77, 499])
def test_predictions_show_the_same_lines_and_then_a_misread_one_wherever_it_is(misread):
    magenta = np.full((32, 60, 3), (255, 0, 255), np.uint8)
    pixels, truths = [line(50 + i // 4) for i in range(500)], [str(i) for i in range(500)]
    before = pictures.predictions(pixels, truths, truths, count=12)
    pixels[misread], texts = magenta, [*truths[:misread], "?", *truths[misread + 1 :]]
    after = pictures.predictions(pixels, truths, texts, count=12)
    found = np.flatnonzero(near(after, (255, 0, 255)).any(axis=1))
    assert len(found) and found.min() > 2 * 78  # in the third row of three
    first_rows = (np.asarray(p.convert("L")).astype(int)[: 2 * 78] for p in (before, after))
    assert np.abs(np.subtract(*first_rows)).max() < 40


def test_readings_mark_what_is_not_the_truth(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(line()[..., 0]).save(path)
    read = [Line("12", 0.5, ()), Line("", 0.9, ())]
    assert not near(pictures.readings([path, path], read), GREEN).any()
    picture = pictures.readings([path, line()], read, truths=["12", "34"])
    left, right = picture.crop((0, 0, 250, 140)), picture.crop((250, 0, 500, 140))
    assert near(left, GREEN).any() and not near(left, RED).any()
    assert near(right, RED).any() and not near(right, GREEN).any()


@pytest.mark.parametrize("text", ["x" * 300, "字 " * 99, "i\n" * 200])
def test_no_text_runs_into_the_next_cell(text):
    pixels, read = [line()] * 8, [Line(text, 0.5, ())] * 8
    for picture in (
        pictures.lines(pixels, [text] * 8),
        pictures.predictions(pixels, [f"{text}y"] * 8, [text] * 8),
        pictures.readings(pixels, read, [f"{text}y"] * 8),
    ):
        page = np.asarray(picture.convert("L"))
        for gap in range(0, 1000, 250):
            assert (page[:, max(0, gap - 3) : gap + 3] > 250).all()
