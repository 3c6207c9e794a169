"""The command that `aocr diagnose` advises."""

import shlex
import string

import numpy as np
import pytest
from support.datasets import picture

from aocr.diagnose.advice import Observations, advise, mixture, next_step
from aocr.diagnose.nearness import Nearness
from aocr.diagnose.pictures import find_pictures, load
from ocr_simple.command_line import parse
from ocr_simple.drawing.texts import Texts
from ocr_simple.options import DrawingOptions, LabelOptions, TrainOptions

FONTS = DrawingOptions.fonts


def near(**counts: int) -> Nearness:
    """Pictures of which so many are nearest to each recipe."""
    nearest = np.repeat(np.arange(len(counts)), list(counts.values()))
    return Nearness(
        tuple(counts), nearest, nearest * 0, np.arange(len(counts)), np.zeros(len(nearest), bool)
    )


def seen(labels=(), readings=(), nearness=None, size=(200, 40), ink=0.7, folder="mine/meters"):
    count = max(len(labels), len(readings), 1)
    return Observations(
        folder, [size] * count, list(labels), list(readings), ink, nearness or near(counter=10),
        [(size, label) for label in labels],
    )  # fmt: skip


def options_of(advice) -> TrainOptions:
    """What train.py makes of the command, as a shell gives it."""
    words = shlex.split(advice.command.replace("\\\n", " "))
    assert words[:2] == ["python", "train.py"]
    return parse(TrainOptions, words[2:])


def test_it_has_the_characters_and_lengths_of_the_labels():
    options = options_of(advise(seen(["A-17", "B-2034", "A-9"]), FONTS))
    assert set(options.alphabet) == set("AB-0123456789")
    assert (options.min_length, options.max_length) == (3, 6)
    assert options.text_source == "random"
    assert options.dataset == ("mine/meters",)
    assert options.init_from == "text"


def test_labels_of_digits_start_from_numbers():
    options = options_of(advise(seen(["00483", "17250"]), FONTS))
    assert (options.alphabet, options.min_length, options.max_length) == ("digits", 5, 5)
    assert (options.init_from, options.height) == ("numbers", 32)
    assert options.mix_generated == 0.5
    assert options.recipe == ("counter",)
    assert str(options.model_dir) == "checkpoints/meters"


def test_pictures_that_lie_in_checkpoints_have_another_folder_for_the_model():
    options = options_of(advise(seen(["1"], folder="checkpoints/meters"), FONTS))
    assert str(options.model_dir) == "checkpoints/meters_model"


def test_the_next_step_is_to_label_or_to_train():
    assert "aocr label 'my pictures' --model text\n" in next_step("my pictures", 9, "text")
    said = next_step("mine", 10, "text")
    assert "aocr train mine --auto" in said and "label mine" not in said
    assert next_step("mine", 10, "text", ["--clean-labels"]).endswith("mine --auto --clean-labels")


def test_labels_are_read_as_they_were(tmp_path):
    for i in range(30):
        picture(tmp_path / f"{i:05}{'X' if i == 29 else ''}.png")
    listed, faults = find_pictures(str(tmp_path), LabelOptions(labels_from_names=True))
    found = load(listed, faults, 10)
    assert len(found.pictures) == 10 and len(found.all_labels) == 30
    advised = advise(seen(found.all_labels)._replace(how=("--labels-from-names",)), FONTS)
    assert "X" in options_of(advised).alphabet, "not only the labels of the ten"
    assert options_of(advised).labels_from_names


def test_labels_of_words_are_drawn_with_words():
    options = options_of(advise(seen(["Main Street", "Exit"], nearness=near(sign=9)), FONTS))
    assert (options.text_source, options.words) == ("recipe", 2)
    letters = string.ascii_letters  # others than those of these few labels will come
    assert set(options.alphabet) == set(letters + " ")


@pytest.mark.parametrize("labels", [["EXIT", "HOTEL"], ["exit 5", "hotel"], ["Exit", "A.B"]])
def test_lines_with_the_letters_of_the_labels_are_drawn(labels):
    options = options_of(advise(seen(labels, nearness=near(sign=9)), FONTS))
    texts = Texts(options, options.parsed_alphabet())
    drawn = "".join(texts.draw(np.random.default_rng(k), "signs") for k in range(20))
    assert not options.parsed_alphabet().unknown(drawn)
    assert options.case == (
        "upper" if labels[0].isupper() else "keep" if "A.B" in labels else "lower"
    )


def test_codes_and_numbers_are_no_words():
    options = options_of(advise(seen(["2b827", "bdef5", "xyn4w"], nearness=near(page=9)), FONTS))
    assert (options.text_source, options.init_from) == ("random", "text")
    assert set(options.alphabet) == set("0123456789bdefnwxy")
    prices = options_of(advise(seen(["12.50", "7.99"], nearness=near(receipt=9)), FONTS))
    assert (prices.text_source, prices.alphabet) == ("numbers", ".0123456789")


@pytest.mark.parametrize("labels", [["-1.5", "-20"], ["it's 5 $"], ["#1"], ["--"], ["é", "ü ö"]])
def test_any_characters_survive_the_shell(labels):
    alphabet = options_of(advise(seen(labels), FONTS)).parsed_alphabet()
    assert not alphabet.unknown("".join(labels))


def test_many_labels_need_no_generated_lines():
    assert options_of(advise(seen(["12"] * 1000), FONTS)).mix_generated == 0


def test_the_mixture_has_the_shares_of_the_pictures():
    assert mixture(near(counter=70, photo=25, sign=5)) == ["counter:7", "photo:2"]
    assert mixture(near(receipt=95, page=5)) == ["receipt"]
    assert mixture(near(**{f"kind{i}": 1 for i in range(12)})) == ["kind0"]


def test_fonts_are_passed_on():
    options = options_of(advise(seen(["1"]), ("trdg", "fonts/made")))
    assert options.fonts == ("trdg", "fonts/made")


def test_small_ink_in_large_pictures_needs_more_rows():
    advice = advise(seen(["123"], size=(900, 300), ink=0.22), FONTS)
    options = options_of(advice)
    assert (options.height, options.init_from) == (48, None)
    assert "--height 48, because the ink is small in its pictures" in advice.notes[0]
    small = seen(["123"], size=(90, 30), ink=0.22)  # no more pixels would show
    assert options_of(advise(small, FONTS)).height == 32


def test_dense_labels_need_more_rows():
    advice = advise(seen(["1234567890123"], size=(30, 40)), FONTS)
    assert options_of(advice).height == 48
    assert "labels are long for the width" in advice.notes[0]


def test_without_labels_it_is_a_guess_by_what_was_read():
    readings = [("00123", 0.9), ("00456", 0.8), ("0O789", 0.2), ("04561", 0.9)]
    advice = advise(seen(readings=readings, nearness=near(photo=4)), FONTS)
    options = options_of(advice)
    assert (options.alphabet, options.min_length, options.max_length) == ("digits", 5, 5)
    assert not options.dataset
    assert "check --alphabet" in advice.notes[0]


def test_without_sure_readings_it_says_that_it_does_not_know():
    advice = advise(seen(readings=[("x1", 0.1)] * 9, nearness=near(sign=9)), FONTS)
    assert "are a guess" in advice.notes[0]
    assert options_of(advice).alphabet == "ascii"
