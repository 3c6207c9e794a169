"""Pictures of misread lines and confusions."""

import numpy as np
import pytest
from support.pictures import RED, line, near

from ocr_simple.reports import error_pictures
from ocr_simple.text import Line


@pytest.mark.filterwarnings("error::UserWarning")
def test_misread_gives_long_lines_more_width():
    wrong = Line("$x$ 字\n", 0.5, ())
    for width, text, rows in (
        (100, "12", 1),
        (400, "12", 2),
        (100, "x" * 45, 2),
        (100, "字" * 50, 4),
    ):
        picture = error_pictures.misread_lines(
            [line(width)] * 4, [text] * 4, [wrong] * 4, ["a.png"] * 4
        )
        assert picture.size == (1000, 116 * rows)
        assert near(picture, RED).any()
        page = np.asarray(picture.convert("L"))
        assert (page[:, 999] > 250).all()  # nothing runs over the edge


def test_confusions_are_darker_the_more_there_are():
    picture = error_pictures.confusion_map([("0", "8", 90), ("1", "7", 1), ("", "7", 1)])
    page = np.asarray(picture.convert("L")).astype(int)
    # rows 0, 1, nothing; columns 7, 8, of 34 pixels each
    corner = page[95 + 4 : 95 + 3 * 34 : 34, 95 + 4 : 95 + 2 * 34 : 34]
    often, seldom = corner[0, 1], corner[1, 0]
    assert often < seldom < corner[0, 0] and corner[2, 0] == seldom


@pytest.mark.filterwarnings("error::UserWarning")
def test_confusions_of_many_characters_are_cut():
    many = [(chr(65 + i), chr(0x4E00 + i), 1 + i) for i in range(40)]
    assert (
        error_pictures.confusion_map(many, most=12).height
        == error_pictures.confusion_map(many[:12]).height
    )
    assert error_pictures.confusion_map([]).convert("L").getextrema()[0] < 200  # says so
