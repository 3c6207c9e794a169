"""With the fitted temperature, the mean confidence is the share of exact lines."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from support.lines import FONTS

import model as models
import train
from data_generator import Data
from inference import Recognizer
from ocr_simple.decoding.calibration import confidences, fit_temperature
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions, TrainOptions
from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.spec import ModelSpec, read_spec

LINES = 300


@pytest.fixture(scope="module")
def model():
    return models.load(PRETRAINED / "digits.keras")


@pytest.fixture(scope="module")
def hard(model):
    options = LineOptions(photo=1.0, recipe=("mixed",))
    lines = Lines(options, model.spec, FONTS, seed=1 << 34)
    return [lines[k] for k in range(LINES)]


def fitted(model, lines) -> float:
    outputs = Recognizer(model).outputs([pixels for pixels, _, _ in lines])
    return fit_temperature(outputs, [truth for _, truth, _ in lines], model.spec)


def distance(model, lines) -> float:
    """How far the mean confidence is from the share of exact lines."""
    read = Recognizer(model).read([pixels for pixels, _, _ in lines])
    exact = np.mean([line.text == truth for line, (_, truth, _) in zip(read, lines)])
    return abs(float(np.mean([line.confidence for line in read]) - exact))


def test_a_model_too_sure_of_itself_says_how_many_lines_are_exact(model, hard):
    fitted_to, others = hard[: LINES // 2], hard[LINES // 2 :]
    model.spec = dataclasses.replace(model.spec, temperature=0.2)
    before = distance(model, others)
    temperature = fitted(model, fitted_to)
    model.spec = dataclasses.replace(model.spec, temperature=temperature)
    assert distance(model, others) < 0.1 < before


def test_a_model_fitted_before_is_fitted_to_the_same(model, hard):
    found = []
    for temperature in (1.0, 3.0):
        model.spec = dataclasses.replace(model.spec, temperature=temperature)
        found.append(fitted(model, hard[:100]))
    assert found[0] == found[1]


def test_a_few_lines_without_an_error_change_little(model):
    model.spec = dataclasses.replace(model.spec, temperature=1.0)
    lines = Lines(LineOptions(), model.spec, find_fonts(("matplotlib",)), seed=5, augment=False)
    drawn = [lines[k] for k in range(20)]
    read = Recognizer(model).read([pixels for pixels, _, _ in drawn])
    exact = [example for example, line in zip(drawn, read) if line.text == example[1]]
    assert 0.8 < fitted(model, exact) <= 1.05


@pytest.mark.parametrize("head", ["ctc", "attention"])
def test_a_temperature_gives_the_confidence_that_reading_gives(head, hard):
    model = models.build(ModelSpec(head=head), seed=1)
    pixels = [line[0] for line in hard[:20]]
    outputs = Recognizer(model).outputs(pixels)
    found = [confidences(output, model.spec, np.array([2.5])) for output in outputs]
    model.spec = dataclasses.replace(model.spec, temperature=2.5)
    read = [line.confidence for line in Recognizer(model).read(pixels)]
    assert np.concatenate(found) == pytest.approx(read, rel=1e-3)


def test_a_run_on_few_images_keeps_the_temperature_of_its_start():
    start = read_spec(PRETRAINED / "numbers.keras")
    few = Data(dataclasses.replace(start, temperature=1.0), [], [], "", images=9)
    parts = [Any] * 3  # cluster, folder and stopper, which are not used for it
    assert start.temperature != 1.0
    for options, expected in (
        (TrainOptions(init_from="numbers"), start.temperature),
        (TrainOptions(), 1.0),
    ):
        run = train.Training(options, few, *parts)
        assert not list(few.to_calibrate()) and run.first_temperature() == expected
