"""The temperature is the one at which confidence says how many lines are exact."""

import dataclasses

import numpy as np
import pytest

import model as models
from calibration import fit_temperature
from data_generator import LineOptions, Lines
from drawing import find_fonts
from inference import PRETRAINED, Recognizer

LINES = 300


@pytest.fixture(scope="module")
def model():
    return models.load(PRETRAINED / "digits.keras")


@pytest.fixture(scope="module")
def hard(model):
    options = LineOptions(photo=1.0, recipe=("mixed",))
    lines = Lines(options, model.spec, find_fonts(("trdg",)), seed=1 << 34)
    return [lines[k] for k in range(LINES)]


def distance(model, lines) -> float:
    read = Recognizer(model).read([pixels for pixels, _, _ in lines])
    exact = np.mean([line.text == truth for line, (_, truth, _) in zip(read, lines)])
    return abs(float(np.mean([line.confidence for line in read]) - exact))


def test_confidence_is_nearer_to_the_share_of_exact_lines(model, hard):
    model.spec = dataclasses.replace(model.spec, temperature=1.0)
    before = distance(model, hard)
    temperature = fit_temperature(model, hard[: LINES // 2])
    model.spec = dataclasses.replace(model.spec, temperature=temperature)
    assert distance(model, hard[LINES // 2 :]) < min(0.06, before + 0.01)


def test_a_model_fitted_before_is_fitted_to_the_same(model, hard):
    found = []
    for temperature in (1.0, 3.0):
        model.spec = dataclasses.replace(model.spec, temperature=temperature)
        found.append(fit_temperature(model, hard[:100]))
    assert found[0] == found[1]


def test_a_few_lines_without_an_error_change_little(model):
    model.spec = dataclasses.replace(model.spec, temperature=1.0)
    lines = Lines(LineOptions(), model.spec, find_fonts(("matplotlib",)), seed=5, augment=False)
    drawn = (lines[k] for k in range(20))
    exact = [line for line in drawn if Recognizer(model).read([line[0]])[0].text == line[1]]
    assert 0.8 < fit_temperature(model, exact) <= 1.05
