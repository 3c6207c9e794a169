"""Right-to-left text: logical order in labels and output, visual order in what a model sees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont, features

from aocr import reader
from ocr_simple.decoding.constraints import Lexicon, load_constraint
from ocr_simple.decoding.greedy import ctc_greedy
from ocr_simple.drawing.fonts import MATPLOTLIB_FOLDER
from ocr_simple.right_to_left import kinds_of, reading_order, to_visual
from ocr_simple.text import Alphabet, unique_characters

DEJAVU = MATPLOTLIB_FOLDER / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
HEBREW = Alphabet.parse("אבגדהוזחטיכלמנסעפצקרשתםןץףך 0123456789()[-.,:/%abcdefghijklmnopqrstuvwxyz")
ARABIC = Alphabet.parse("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءأإآ٠١٢٣٤٥٦٧٨٩ 0123456789()-.,:/%abc")
CASES = [  # as typed, and as drawn
    ("שלום", "םולש"),
    ("שלום עולם", "םלוע םולש"),
    ("שלום 123", "123 םולש"),
    ("טלפון 050-1234567", "050-1234567 ןופלט"),
    ("בשעה 12:30", "12:30 העשב"),
    ("שלום abc def", "abc def םולש"),
    ("iphone הוא טלפון", "ןופלט אוה iphone"),
    ("ב (abc) ג", "ג (abc) ב"),
    ("הנחה 50% היום", "םויה 50% החנה"),
    ("12 34 שלום", "םולש 34 12"),
    ("שלום abc 12", "abc 12 םולש"),
    ("مرحبا", "ابحرم"),
    ("السعر 12.50", "12.50 رعسلا"),
    ("خصم 50%", "%50 مصخ"),  # after an Arabic letter the sign is on the left
    ("هاتف 12-34", "34-12 فتاه"),
    ("رقم ١٢٣", "١٢٣ مقر"),
    ("123", "123"),
    ("abc 123", "abc 123"),
    ("", ""),
]
KINDS = st.text("RALENSCTMO", max_size=14)


def read(text, alphabet):
    """A picture of `text` read without an error: the line that a decoder gives, converted."""
    return decode(alphabet.encode(text), alphabet)


def decode(ids, alphabet):
    """The line of class ids that a model would see from left to right."""
    ids = [i for c in ids for i in (c, 0)] or [0]  # with blanks between
    probabilities = np.full((len(ids), alphabet.classes), 0.1 / alphabet.classes, np.float32)
    for step, i in enumerate(ids):
        probabilities[step, i] = 0.9 - 0.01 * (step % 7)
    return alphabet.in_logical_order(ctc_greedy(probabilities, alphabet))


@pytest.mark.parametrize(("logical", "visual"), CASES)
def test_a_text_is_learned_as_it_is_drawn_and_read_as_it_is_typed(logical, visual):
    assert to_visual(logical) == visual
    alphabet = ARABIC if any(c in ARABIC.ids for c in logical if c > "\u0600") else HEBREW
    assert [alphabet.characters[i - 1] for i in alphabet.encode(logical)] == list(visual)
    assert read(logical, alphabet).text == logical


def drawn(text):
    """Ink of a text drawn by Pillow alone: bool (rows, columns)."""
    picture = Image.new("1", (40 * len(text) + 40, 64))
    ImageDraw.Draw(picture).text((4, 4), text, 1, font=ImageFont.truetype(str(DEJAVU), 32))
    return np.asarray(picture)


def split_at_gaps(ink):
    """What stands in a line, from left to right: pieces of ink without empty rows and columns."""
    columns = np.flatnonzero(ink.any(axis=0))
    pieces = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    shapes = [ink[:, piece[0] : piece[-1] + 1] for piece in pieces]
    return [shape[np.flatnonzero(shape.any(axis=1))[0] :] for shape in shapes]


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow has no Raqm here")
@pytest.mark.parametrize("text", ["שלום", "בגד", "שם12", "שגבab", "מחשב1202"])
def test_a_line_drawn_by_pillow_alone_is_read_in_logical_order(text):
    shapes = {c: split_at_gaps(drawn(c)) for c in HEBREW.characters if c != " "}
    known = {shape[0].tobytes(): HEBREW.ids[c] for c, shape in shapes.items() if len(shape) == 1}
    ids = [known[shape.tobytes()] for shape in split_at_gaps(drawn(text))]
    assert decode(ids, HEBREW).text == text


def test_characters_keep_their_positions_and_confidences():
    line = read("ab שלום", HEBREW)  # drawn as םולש ab
    assert "".join(c.text for c in line.characters) == line.text == "ab שלום"
    starts = {c.text: c.start for c in line.characters}
    order = sorted(starts, key=starts.__getitem__)
    assert "".join(order) == "םולש ab"
    steps = {character: 2 * i for i, character in enumerate(order)}
    for c in line.characters:
        assert c.confidence == pytest.approx(0.9 - 0.01 * (steps[c.text] % 7))


def test_brackets_are_mirrored_only_if_the_alphabet_has_both():
    assert HEBREW.encode("(א)") == [HEBREW.ids[c] for c in "(א)"]
    assert HEBREW.encode("[א") == [HEBREW.ids["א"], HEBREW.ids["["]]
    assert read("(א) [ב", HEBREW).text == "(א) [ב"


def test_other_alphabets_are_not_converted():
    latin = Alphabet.parse("ascii")
    assert not latin.right_to_left
    line = ctc_greedy(np.eye(latin.classes, dtype=np.float32), latin)
    assert latin.in_logical_order(line) is line
    assert reader.in_logical_order("(a) b", {"alphabet": latin.characters}) == "(a) b"


@given(
    st.sampled_from(["אבגab12 -,:().", "אבג12 -,:%().", "ابج١٢ -,:%().", "ابجab -,:()."]), st.data()
)
@settings(max_examples=200, deadline=None)
def test_what_is_read_is_drawn_as_the_picture(characters, data):
    text = data.draw(st.text(characters, max_size=12)).strip()
    visual, alphabet = to_visual(text), Alphabet.parse(characters)
    found = "".join(
        alphabet.mirrored(visual[i]) if flip else visual[i]
        for i, flip in reading_order(kinds_of(visual))
    )
    assert sorted(i for i, _ in reading_order(kinds_of(visual))) == list(range(len(visual)))
    assert to_visual(found) == visual


@given(KINDS)
@settings(max_examples=200, deadline=None)
def test_the_copied_reader_has_the_same_rules(kinds):
    assert reader.reading_order(kinds) == reading_order(kinds)


def test_the_reader_of_exports_answers_in_logical_order():
    about = {"alphabet": HEBREW.characters, "kinds": HEBREW.kinds}
    about["mirrored"] = "".join(map(HEBREW.mirrored, HEBREW.characters))
    for logical, visual in CASES[:11]:
        assert reader.in_logical_order(visual, about) == logical


def test_a_lexicon_of_right_to_left_words_is_searched_in_visual_order():
    lexicon = Lexicon(["שלום", "עולם"], HEBREW)
    assert lexicon.allows("םולש") and not lexicon.allows("שלום")


def test_a_pattern_alone_is_refused_for_right_to_left_alphabets():
    with pytest.raises(ValueError, match="--lexicon"):
        load_constraint(None, r"\d+", HEBREW)


def test_combining_marks_can_be_in_an_alphabet_beside_letters_that_they_would_join():
    characters = unique_characters(sorted(set("q\u0301ez")))
    assert set(characters) == set("q\u0301ez")
    assert Alphabet(characters).encode("q\u0301") == [
        Alphabet(characters).ids["q"], Alphabet(characters).ids["\u0301"],
    ]  # fmt: skip
    assert unique_characters("zab") == "zab"


def test_a_character_of_a_later_version_of_unicode_has_no_direction():
    unassigned = "\u0378\u0379"  # two code points without a character
    assert to_visual(f"\u05d0{unassigned}\u05d1") == f"\u05d1{unassigned[::-1]}\u05d0"
    assert to_visual(f"\u05d0\u2500{unassigned}") == f"{unassigned[::-1]}\u2500\u05d0"
