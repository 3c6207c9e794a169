"""Generated lines: functions of (seed, k), drawn by trdg in each font that can, or an error."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont
from PIL import Image
from support.lines import FONTS, OPEN_SANS

from ocr_simple.drawing.fonts import characters_drawn, find_fonts, split_fonts
from ocr_simple.drawing.glyphs import draw
from ocr_simple.drawing.lines import Lines
from ocr_simple.errors import LineError
from ocr_simple.options import HELD_OUT, LineOptions, Variation
from ocr_simple.photography import geometry
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet

ROOT = Path(__file__).resolve().parent.parent
PLAIN = {f.name: 0 for f in fields(Variation)} | {"recipe": ("clean",)}  # no variation, no marks
ASCII = Alphabet.parse("ascii").characters


def lines(seed=0, augment=True, color=False, fonts=None, height=32, **options):
    options = LineOptions(**options)
    alphabet = options.parsed_alphabet().characters
    spec = ModelSpec(alphabet, height=height, channels=3 if color else 1)
    return Lines(options, spec, fonts or find_fonts(options.fonts), seed, augment)


def same(a, b):
    return a[1:] == b[1:] and np.array_equal(a[0], b[0])


# --- one number is the whole place in a stream ------------------------------------------------


def test_a_line_depends_on_seed_and_number_alone():
    first = lines(photo=0.5)
    forward = [first[k] for k in range(40)]
    second = lines(photo=0.5)
    assert all(same(forward[k], second[k]) for k in reversed(range(40)))


def test_a_line_is_the_same_in_any_thread():
    stream = lines(background_type=0, skewing_angle=5, random_skew=True, photo=0.5)
    alone = [stream[k] for k in range(80)]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(same, alone, pool.map(stream.__getitem__, range(80))))


def test_another_seed_gives_other_lines():
    first, second = lines(seed=1), lines(seed=2)
    assert not any(same(first[k], second[k]) for k in range(20))


@pytest.mark.parametrize("background", [0, 2, 3])
def test_drawing_leaves_the_global_random_states_alone(background):
    stream = lines(
        photo=1.0, background_type=background, distorsion_type=3, random_blur=True, blur=2
    )
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    stream[0]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_the_global_random_states_do_not_change_a_line():
    stream = lines(photo=1.0, background_type=0, distorsion_type=3)
    random.seed(1)
    first = stream[3]
    random.seed(2)
    assert same(first, stream[3])


# --- trdg -------------------------------------------------------------------------------------


def test_what_other_threads_print_while_lines_are_drawn_is_kept(capsys):
    stream, stop = lines(), threading.Event()

    def draw_on():
        k = 0
        while not stop.is_set():
            stream[k]
            k += 1

    thread = threading.Thread(target=draw_on)
    thread.start()
    for i in range(500):
        print(i)
        stop.wait(0.0002)
    stop.set()
    thread.join()
    assert capsys.readouterr().out.split() == [str(i) for i in range(500)]


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_every_background_is_drawn(kind):
    assert draw("42", OPEN_SANS, LineOptions(background_type=kind), 0).height == 32


@pytest.mark.parametrize("kind, color", [(1, "#ffffff"), (1, "#f8f8f8"), (0, "#ebebeb")])
def test_text_too_close_to_its_background_is_an_error_that_says_so(kind, color):
    with pytest.raises(LineError, match="--text-color too close to the background"):
        lines(text_color=color, background_type=kind)[0]


def test_white_text_on_dark_pictures_is_drawn(tmp_path):
    Image.new("RGB", (400, 400), "#202020").save(tmp_path / "dark.png")
    assert lines(text_color="#ffffff", background_type=3, image_dir=tmp_path)[0]


# --- fonts ------------------------------------------------------------------------------------


def test_a_font_draws_only_lines_it_has_the_characters_for():
    font = next(f for f in FONTS if 60 < len(characters_drawn(f, ASCII)) < len(ASCII) - 1)
    lacks = set(ASCII) - set(characters_drawn(font, ASCII))
    stream = lines(alphabet="ascii", fonts=[font, OPEN_SANS], max_length=20)
    drawn = [stream[k] for k in range(300)]
    assert all(not set(text) & lacks for _, text, used in drawn if used == font)
    assert any(set(text) & lacks for _, text, used in drawn if used == OPEN_SANS)
    assert stream.redrawn["the font lacks a character"] > 0


def test_fonts_in_a_row_that_lack_letters_do_not_end_the_draws(tmp_path):
    """120 fonts of digits alone among others, as in a folder of receipt printers."""
    digits = TTFont(OPEN_SANS)
    subsetter = Subsetter()
    subsetter.populate(text="0123456789")
    subsetter.subset(digits)
    digits.save(tmp_path / "digits.ttf")
    fonts = [str(tmp_path / "digits.ttf")] * 120 + [OPEN_SANS] * 60
    stream = lines(augment=False, alphabet="0123456789abcdefghij", fonts=fonts, min_length=9)
    assert all(len(stream[k][1]) >= 9 for k in range(0, 180, 7))


def test_a_character_that_no_font_has_is_named():
    with pytest.raises(LineError, match="none of the 1 fonts has '\u6570'"):
        lines(alphabet="12\u6570", fonts=[OPEN_SANS])


def test_held_out_families_are_never_trained_on():
    train, held = split_fonts(FONTS, HELD_OUT)
    assert len(held) == 35 and len(train) == 65 and not set(train) & set(held)
    assert not any(Path(font).name.startswith(HELD_OUT) for font in train)
    stream = lines(fonts=train)
    assert not {stream[k][2] for k in range(200)} & set(held)


def test_fonts_take_even_turns():
    stream = lines(augment=False, fonts=split_fonts(FONTS, HELD_OUT)[1])
    assert set(Counter(stream[k][2] for k in range(3 * 35)).values()) == {3}


# --- lines ------------------------------------------------------------------------------------


def test_validation_lines_are_never_varied():
    plain, varied = lines(augment=False, **PLAIN), lines(augment=False, photo=1.0, spacing=9)
    assert all(same(plain[k], varied[k]) for k in range(30))
    assert not any(same(plain[k], lines(photo=1.0)[k]) for k in range(5))


def test_without_strengths_a_training_line_is_as_drawn():
    stream = lines(**PLAIN)
    assert all(same(stream[k], lines(augment=False)[k]) for k in range(20))


@pytest.mark.parametrize("color, channels", [(False, 1), (True, 3)])
def test_a_line_has_the_channels_of_its_model(color, channels):
    pixels, _, _ = lines(color=color, text_color="#ff0000", photo=0.5)[0]
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == channels


def test_a_colour_is_kept_where_the_model_reads_colour():
    pixels, _, _ = lines(color=True, text_color="#ff0000", augment=False)[0]
    assert (pixels[..., 0].min(), pixels[..., 1].min()) == (255, 0)


def test_a_label_has_no_spaces_where_none_are_drawn():
    options = {"text_source": "strings", "strings": ("1 2 3",), "alphabet": "123 "}
    assert lines(space_width=0, **options)[0][1] == "123"
    assert lines(**options)[0][1] == "1 2 3"


def test_lines_that_need_more_steps_than_they_have_are_redrawn_and_counted():
    stream = lines(alphabet="17", max_length=6, character_spacing=-20, fonts=[OPEN_SANS], **PLAIN)
    assert max(len(stream[k][1]) for k in range(20)) < 6
    assert list(stream.redrawn) == ["label too long for its image width"]


def test_a_label_that_always_needs_more_steps_is_an_error_with_text_and_fix():
    stream = lines(
        alphabet="1", min_length=6, max_length=6, character_spacing=-20, fonts=[OPEN_SANS], **PLAIN
    )
    with pytest.raises(
        LineError, match=r"label too long.*'111111' in \d+ columns.*--character-spacing"
    ):
        stream[0]


def test_the_attention_head_needs_no_time_step_between_equal_characters():
    options = LineOptions(alphabet="1", min_length=6, max_length=6, character_spacing=-12, **PLAIN)
    with pytest.raises(LineError, match="label too long"):
        Lines(options, ModelSpec("1"), [OPEN_SANS])[0]
    assert Lines(options, ModelSpec("1", head="attention"), [OPEN_SANS])[0][1] == "111111"


def test_given_strings_that_fit_no_font_are_all_listed_before_the_first_line(tmp_path):
    path = tmp_path / "strings.txt"
    path.write_text("7\n111111\n12\n777777\n")
    squeezed = {"character_spacing": -20, "text_source": "strings", "strings_file": path, **PLAIN}
    with pytest.raises(LineError) as error:
        lines(fonts=[OPEN_SANS], **squeezed)
    message = str(error.value)
    assert "2 of 4 strings" in message and "--character-spacing" in message
    assert f"{path}:2: '111111' needs 44 columns" in message and f"{path}:4: '777777'" in message
    lines(fonts=[OPEN_SANS], **{**squeezed, "character_spacing": 20})


def test_text_wider_than_a_fixed_width_is_redrawn_and_counted():
    stream = lines(width=60, fonts=[OPEN_SANS], **PLAIN)
    drawn = [stream[k] for k in range(30)]
    assert {pixels.shape[1] for pixels, _, _ in drawn} == {60}
    assert max(len(text) for _, text, _ in drawn) == 4
    assert stream.redrawn["text wider than --width 60"] > 0


def test_text_always_wider_than_a_fixed_width_is_an_error():
    with pytest.raises(LineError, match="50 times text wider than --width 20"):
        lines(width=20, min_length=5, fonts=[OPEN_SANS])[0]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"min_length": 4, "max_length": 3}, "--min-length 4 and --max-length 3"),
        ({"min_length": 0}, "--min-length 0"),
        ({"words": 0, "text_source": "dictionary"}, "--words 0"),
        ({"words": 101, "text_source": "dictionary"}, "--words 101: give a number from 1 to 100"),
        ({"max_length": 1_001}, "--max-length 1001: give a number from 1 to 1000"),
        ({"size": 12}, "--size 12 with --margins 5 5 5 5"),
        ({"margins": (-1, 0, 0, 0)}, "--margins -1 0 0 0"),
        ({"orientation": 1, "margins": (5, 16, 5, 16)}, "--margins 5 16 5 16"),
        ({"text_color": "bluish"}, "--text-color 'bluish'"),
        ({"stroke_fill": ""}, "--stroke-fill ''"),
        ({"skewing_angle": -1}, "--skewing-angle -1: give a number"),
        ({"stretch": -0.1}, "--stretch -0.1: give a number"),
        ({"photo": 1.5}, "--photo 1.5: give a number"),
        ({"zoom": float("nan")}, "--zoom nan"),
        ({"alphabet": " "}, "has only spaces"),
        ({"background_type": 3, "image_dir": ROOT / "tests"}, "no pictures there"),
        ({"background_type": 3, "image_dir": Path("nowhere")}, "no pictures there"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_drawn_are_named_before_the_first_line(options, message):
    with pytest.raises(LineError, match=message):
        lines(fonts=[OPEN_SANS], **{"alphabet": "ascii", **options})


def test_text_that_overlaps_to_nothing_is_an_error_that_names_the_cause():
    with pytest.raises(LineError, match=r"50 times .*cannot be drawn"):
        lines(character_spacing=-40, min_length=3, fonts=[OPEN_SANS])[0]


def test_a_line_too_wide_to_be_read_is_redrawn():
    wide = {"text_source": "strings", "strings": ("1 1",), "alphabet": "1 ", "fonts": [OPEN_SANS]}
    message = r"50 times .*OpenSans.* cannot be drawn \(over 500 times as wide as high\)"
    with pytest.raises(LineError, match=message):
        lines(space_width=5_000.0, **wide)[0]
    with pytest.raises(LineError, match=r"50 times .* cannot be drawn \(over 50,000,000 pixels\)"):
        lines(space_width=1e6, **wide)[0]


def test_a_line_of_more_columns_than_are_read_is_redrawn():
    long = {"min_length": 450, "max_length": 450, "fonts": [OPEN_SANS], "augment": False}
    with pytest.raises(LineError, match=r"50 times over 16,000 columns at the model's height"):
        lines(height=128, **long)[0]


def test_without_spaces_between_words_letters_are_not_placed_one_by_one(monkeypatch):
    options = {"recipe": ("sign",), "photo": 1.0, "text_source": "strings", "strings": ("A B",)}
    without = lines(space_width=0.0, alphabet="AB ", fonts=[OPEN_SANS], augment=True, **options)
    monkeypatch.setattr(type(without), "_draw_lettering", None)
    assert without[0][1] == "AB"


def test_a_line_that_would_be_varied_to_a_width_beyond_opencv_is_redrawn(monkeypatch):
    monkeypatch.setattr(geometry, "WIDEST", 20)
    with pytest.raises(LineError, match="50 times the line is over 500 times as wide as high"):
        lines(min_length=5, fonts=[OPEN_SANS])[0]
