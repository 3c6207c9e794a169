"""Scripts that are drawn in one piece: the line equals Pillow's drawing of the whole text."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from ocr_simple.drawing.fonts import MATPLOTLIB_FOLDER
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.shaping import graphemes, needs_shaping, pieces_of
from ocr_simple.errors import LineError
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec

DEJAVU = MATPLOTLIB_FOLDER / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"  # Hebrew, Arabic
FONTS = Path("/usr/share/fonts")  # Debian's packages fonts-thai-tlwg, fonts-lohit-...
LOMA = FONTS / "truetype" / "tlwg" / "Loma.ttf"
DEVANAGARI = FONTS / "truetype" / "lohit-devanagari" / "Lohit-Devanagari.ttf"
BENGALI = FONTS / "truetype" / "lohit-bengali" / "Lohit-Bengali.ttf"
AMIRI = FONTS / "opentype" / "fonts-hosny-amiri" / "Amiri-Regular.ttf"
SCRIPTS = [
    (DEJAVU, "שלום עולם"),
    (DEJAVU, "בְּרֵאשִׁית"),  # with points
    (DEJAVU, "שלום (abc) 123"),
    (DEJAVU, "مرحبا بالعالم"),
    (DEJAVU, "السعر 12.50"),
    (AMIRI, "مُحَمَّد لا"),  # with points and a ligature
    (LOMA, "ที่นี่น้ำกินได้"),
    (DEVANAGARI, "क्षत्रिय हिन्दी"),
    (BENGALI, "বাংলা ক্ষুদ্র"),
    (DEJAVU, "n̈3"),
    (DEJAVU, "q̃é"),
]
raqm = pytest.mark.skipif(not features.check("raqm"), reason="Pillow has no Raqm here")


def options(**changes):
    return LineOptions(text_color="#000000", margins=(0, 0, 0, 0), size=64, **changes)


def drawn_by_pillow(text, font, rows=64, **how):
    """A whole text as Pillow draws it, black on white, scaled to `rows`: uint8 (rows, columns)."""
    face = ImageFont.truetype(str(font), 64)
    left, top, right, bottom = face.getbbox(text, **how)
    left, top, right = min(left, 0), min(top, 0), max(right, round(face.getlength(text)))
    ink = Image.new("LA", (right - left, bottom - top), (0, 0))
    mask = Image.new("L", ink.size)
    ImageDraw.Draw(mask).text((-left, -top), text, 255, font=face, **how)
    ink.putalpha(mask)
    ink = ink.resize((int(ink.width * (rows / ink.height)), rows), Image.Resampling.LANCZOS)
    page = Image.new("L", ink.size, 255)
    page.paste(ink.getchannel("L"), (0, 0), ink)
    return np.asarray(page)


@raqm
@pytest.mark.parametrize(("font", "text"), SCRIPTS)
def test_a_line_equals_pillows_drawing_of_the_whole_text(font, text):
    if not font.exists():
        pytest.skip(f"{font.name} is not installed")
    assert np.array_equal(draw(text, str(font), options(), 0), drawn_by_pillow(text, font))


@raqm
def test_a_line_that_begins_with_a_latin_word_is_laid_out_as_in_a_hebrew_document():
    expected = drawn_by_pillow("abc שלום", DEJAVU, direction="rtl")
    assert np.array_equal(draw("abc שלום", str(DEJAVU), options(), 0), expected)


@raqm
def test_no_dotted_circle_is_drawn_for_a_letter_with_a_mark():
    circle = np.asarray(draw("n\u25cc3", str(DEJAVU), options(), 0)).shape[1]
    letter = np.asarray(draw("n3", str(DEJAVU), options(), 0)).shape[1]
    marked = np.asarray(draw("n\u03083", str(DEJAVU), options(), 0)).shape[1]
    assert marked <= letter < circle


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("n̈3", ["n̈", "3"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("क्षत्रि", ["क्ष", "त्रि"]),
        ("বাংলা", ["বাং", "লা"]),
    ],
)
def test_letters_keep_their_marks(text, pieces):
    assert graphemes(text) == pieces


def test_spacing_moves_whole_pieces_in_the_order_in_which_they_are_drawn():
    assert pieces_of("שלום", options()) == ["שלום"]
    assert pieces_of("שלום", options(character_spacing=2)) == list("םולש")
    assert pieces_of("مرحبا بك", options(character_spacing=2)) == ["بك", " ", "مرحبا"]
    assert pieces_of("שלום 12", options(character_spacing=2)) == ["שלום 12"]
    assert pieces_of("n̈ o", options(word_split=True)) == ["n̈", " ", "o"]


@pytest.mark.parametrize("text", ["Straße", "Ελλάδα", "Привет", "北京", "こんにちは", "한국어"])
def test_other_scripts_are_drawn_as_before(text):
    assert not needs_shaping(text)


def test_vertical_text_in_these_scripts_is_refused():
    with pytest.raises(LineError, match="--orientation 1"):
        Lines(options(orientation=1), ModelSpec("אב"), [str(DEJAVU)])


def test_without_raqm_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(LineError, match="libfribidi0"):
        Lines(options(), ModelSpec("אב"), [str(DEJAVU)])


@raqm
@pytest.mark.parametrize("alphabet", ["אבגדהוז 0123", "مرحبا 12", "n\u03083"])
def test_random_lines_of_such_alphabets_can_be_drawn(alphabet):
    alphabet = "".join(dict.fromkeys(alphabet))
    lines = Lines(LineOptions(max_length=6), ModelSpec(alphabet), [str(DEJAVU)])
    texts = [lines[k][1] for k in range(60)]
    assert all(texts) and not lines.alphabet.unknown("".join(texts))
    # a mark has a letter to stand on: otherwise a dotted circle is drawn for it
    marked = [text for text in texts if "\u0308" in text]
    assert all("n\u0308" in text and text.count("\u0308") <= text.count("n") for text in marked)
