"""Pictures of what options draw."""

from dataclasses import fields

import numpy as np
import pytest
from support.pictures import filled

from ocr_simple.datasets.preview import draw_line, draw_lines
from ocr_simple.errors import LineError
from ocr_simple.options import LineOptions, Variation
from ocr_simple.reports import option_pictures


@pytest.mark.parametrize("rows", [option_pictures.DRAWING, option_pictures.VARIATION])
@pytest.mark.filterwarnings("error::UserWarning")
def test_generator_options_has_a_row_for_each_option(rows):
    picture = option_pictures.generator_options(rows, draw_line)
    assert picture.size == (1150, 66 * len(rows))
    for row in range(len(rows)):
        assert filled(picture.crop((0, 66 * row, 190, 66 * row + 66))) > 0.01  # its name
        assert filled(picture.crop((190, 66 * row, 420, 66 * row + 66))) > 0.03  # its first line


def test_every_variation_has_a_row_and_is_off_in_the_plain_line():
    names = {field.name for field in fields(Variation)} - {"recipe"}
    assert set(option_pictures.VARIATION) == names
    assert not any(getattr(option_pictures.PLAIN, name) for name in names)


def test_generator_options_change_what_they_name():
    def cell(changes):
        picture = option_pictures.generator_options({"row": [changes]}, draw_line)
        return np.asarray(picture.crop((190, 24, 420, 66)).convert("L"))

    plain = cell({})
    assert (cell({}) == plain).all()
    for changes in ({"blur": 2}, {"photo": 1.0}, {"spacing": 9}, {"shear": 0.3}):
        assert (cell(changes) != plain).any(), changes


def test_generator_options_names_what_cannot_be_drawn():
    with pytest.raises(LineError, match="--margins"):
        option_pictures.generator_options({"size": [{"size": 8}]}, draw_line)


def test_a_preview_is_of_different_fonts():
    options = LineOptions(strings=("7",), text_source="strings", photo=0, spacing=0)
    pixels, texts = draw_lines(options, 5)
    assert texts == ["7"] * 5 and len({image.tobytes() for image in pixels}) == 5
    assert all(image.dtype == np.uint8 and image.shape[2] == 1 for image in pixels)
