"""`Recognizer.show`: a line that was read, as a picture for a notebook."""

from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from inference import Recognizer
from ocr_simple.reports.shown_line import ShownLine, colour
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.text import Alternative, Character, Line

SVG = "{http://www.w3.org/2000/svg}"


def test_an_image_is_shown_with_its_spans_its_text_and_alternatives():
    recognizer = Recognizer.load("digits", alternatives=2)
    shown = recognizer.show(TEST_IMAGES / "raffle_ticket.webp")
    [line] = recognizer.read([TEST_IMAGES / "raffle_ticket.webp"])
    assert shown.line == line and str(shown).startswith(f"{line.text}  ({line.confidence:.1%}; or ")
    picture = ElementTree.fromstring(shown._repr_svg_())
    spans = picture.findall(f"{SVG}rect")[1:]  # the first one is the background
    assert len(spans) == len(line.characters)
    texts = ["".join(element.itertext()) for element in picture.findall(f"{SVG}text")]
    assert texts[: len(spans)] == list(line.text)
    assert texts[-2].split() == [line.text, f"{line.confidence:.1%}"]
    assert texts[-1].startswith(f"or {line.alternatives[0].text} ")


def test_an_image_is_shown_as_it_was_turned():
    upright = Image.open(TEST_IMAGES / "water_meter.png")
    turned = upright.rotate(90, expand=True)
    shown = Recognizer.load("digits", orientation="auto").show(turned)
    assert shown.line.turned == 270 and shown.pixels.shape[:2] == upright.size[::-1]


@pytest.mark.parametrize("size", [(1, 500), (300, 2), (32, 100)])
def test_any_text_and_image_make_a_valid_picture(size):
    text = "<a&'\x07 ש"
    characters = tuple(Character(c, i / 6, i, i + 1) for i, c in enumerate(text))
    line = Line(text, 0.5, characters, alternatives=(Alternative("<", 0.1),))
    for each in (line, Line("", 1.0, ())):
        shown = ShownLine(each, np.zeros((*size, 1), np.uint8))
        assert ElementTree.fromstring(shown._repr_svg_()).get("role") == "img"


def test_colours_run_from_red_to_green():
    assert (colour(0), colour(1)) == ("hsl(0 75% 33%)", "hsl(130 75% 33%)")
