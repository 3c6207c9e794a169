"""A preview shows what training draws: the same lines, in fonts from all over the list."""

import numpy as np

from ocr_simple.datasets.preview import APART, draw_line, draw_lines
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

OPTIONS = LineOptions(max_length=4)


def test_draw_lines_gives_lines_of_the_stream_far_apart():
    pixels, texts = draw_lines(OPTIONS, 3)
    stream = Lines(OPTIONS, ModelSpec(), find_fonts(OPTIONS.fonts))
    for i in range(3):
        drawn, text, _ = stream[i * APART]
        assert texts[i] == text
        np.testing.assert_array_equal(pixels[i], drawn)


def test_draw_line_is_in_colour():
    red = LineOptions(text_color="#ff0000", photo=0.0)
    pixels = draw_line(red, 1)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert (pixels[..., 0] > pixels[..., 1]).any()
