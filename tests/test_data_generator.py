"""Where the lines of a run come from, and the Keras Sequence that `model.fit` takes."""

import shutil
from dataclasses import replace

import numpy as np
from support.lines import FONTS, OPEN_SANS

import data_generator
from data_generator import LineSequence, gather
from ocr_simple.datasets.annotations import read_labels
from ocr_simple.datasets.batches import Batches
from ocr_simple.drawing.fonts import split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import HELD_OUT, LineOptions, TrainOptions
from ocr_simple.runs.config import resolve
from ocr_simple.spec import ModelSpec


def lines(seed=0, **options):
    return Lines(LineOptions(**options), ModelSpec(), FONTS, seed)


def test_a_sequence_has_the_batches_of_its_lines():
    sequence, batches = LineSequence(lines(), 4), Batches(lines(), 4)
    for i in (0, 2, 17):
        (x, y), (expected_x, expected_y) = sequence[i], batches[i]
        assert np.array_equal(x["image"], expected_x["image"])
        assert np.array_equal(x["width"], expected_x["width"])
        assert np.array_equal(y, expected_y)


def test_the_first_two_batches_share_no_shape_that_fit_would_take_for_fixed():
    for seed in range(8):
        sequence = LineSequence(lines(seed, min_length=5, max_length=5), 4)
        (x, y), (other_x, other_y) = sequence[0], sequence[1]
        assert x["image"].shape[2] != other_x["image"].shape[2] and y.shape != other_y.shape


def test_a_sequence_is_endless_unless_it_is_given_a_length():
    assert LineSequence(lines(), 4).num_batches is None
    assert LineSequence(lines(), 4, num_batches=7).num_batches == 7


# --- where lines come from --------------------------------------------------------------------


def test_generated_lines_to_validate_and_to_calibrate_are_in_fonts_that_are_not_trained_on():
    options = TrainOptions(fonts=("trdg",), validation_lines=40, seed=3)
    data = gather(options, options.spec())
    trained, unseen = set(data.lines.fonts), {font for _, _, font in data.validation}
    calibrated = [data.varied[k] for k in range(5)]
    assert len(data.validation) == 40 and not data.labelled
    assert trained == set(split_fonts(FONTS, HELD_OUT)[0])
    assert unseen and not unseen & trained
    assert not {font for _, _, font in calibrated} & trained
    assert [text for _, text, _ in calibrated] != [text for _, text, _ in data.validation[:5]]


def test_labelled_images_give_the_alphabet_and_a_share_to_validate_on(labelled_folder):
    options = TrainOptions(dataset=(str(labelled_folder),), validation_share=0.25)
    data = gather(options, options.spec())
    labels = read_labels(labelled_folder)
    assert data.spec.alphabet == "".join(sorted(set("".join(labels.values()))))
    validated = {name for _, _, name in data.validation}
    assert len(validated) == 3 and data.labelled and data.images == 9
    assert {data.lines[k][2] for k in range(9)} == set(labels) - validated


def test_confidence_is_fitted_to_many_labelled_images_or_to_generated_lines(labelled_folder):
    options = TrainOptions(
        dataset=(str(labelled_folder),), fonts=(OPEN_SANS,), held_out=("none",), alphabet="digits"
    )
    few = gather(options, options.spec())
    assert not list(few.to_calibrate())
    many = few._replace(validation=few.validation * 30)
    assert list(many.to_calibrate()) == many.validation
    mixed = replace(options, mix_generated=0.5)
    found = list(gather(mixed, mixed.spec()).to_calibrate())
    assert len(found) == data_generator.CALIBRATION_LINES and {font for _, _, font in found} == {
        OPEN_SANS
    }


def test_generated_lines_can_be_mixed_with_labelled_ones(labelled_folder):
    options = TrainOptions(
        dataset=(str(labelled_folder),),
        alphabet="digits",
        mix_generated=0.5,
        fonts=(OPEN_SANS,),
        held_out=("none",),
    )
    data = gather(options, options.spec())
    names = [data.lines[k][2] for k in range(20)]
    assert names.count(OPEN_SANS) == 10 and "50% of the lines are generated" in data.about


def test_the_automatic_alphabet_is_that_of_the_texts_in_the_run_and_its_config():
    options = TrainOptions(
        fonts=("matplotlib",), validation_lines=5, text_source="strings",
        strings=("Grüße", "Äpfel"), held_out=("none",),
    )  # fmt: skip
    data = gather(options, options.spec())
    assert set(data.spec.alphabet) == set("GrüßeÄpfel")
    assert {data.lines[k][1] for k in range(20)} == {"Grüße", "Äpfel"}
    assert resolve(options, data.spec.alphabet, data.images).alphabet == data.spec.alphabet


def test_without_texts_the_automatic_alphabet_is_digits():
    options = TrainOptions(fonts=("matplotlib",), validation_lines=5, held_out=("none",))
    data = gather(options, options.spec())
    assert data.spec.alphabet == "0123456789"
    assert resolve(options, data.spec.alphabet, data.images).alphabet == "digits"


def test_images_to_validate_on_that_are_trained_on_are_counted(labelled_folder, tmp_path, capsys):
    shutil.copytree(labelled_folder, tmp_path / "copy")
    (tmp_path / "link").symlink_to(labelled_folder)
    for other in (labelled_folder, tmp_path / "copy", tmp_path / "link"):
        options = TrainOptions(dataset=(str(labelled_folder),), validation=(str(other),))
        gather(options, options.spec())
        assert "12 of 12 validation images are also training images" in capsys.readouterr().err
    twice = TrainOptions(dataset=(str(labelled_folder), str(tmp_path / "link")))
    gather(twice, twice.spec())
    assert "2 of 2 validation images are also training images" in capsys.readouterr().err
    options = TrainOptions(dataset=(str(labelled_folder),))
    gather(options, options.spec())
    assert "also training images" not in capsys.readouterr().err
