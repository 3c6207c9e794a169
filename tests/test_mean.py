"""pretrained/mean.py: the mean of several models' weights."""

import numpy as np
import pytest

import model as models
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec
from pretrained import mean

SPEC = ModelSpec(rnn_units=8)


def file(path, spec, seed):
    models.save(models.build(spec, seed=seed), path)
    return str(path)


def test_each_weight_is_the_mean_and_the_temperature_is_fitted(tmp_path):
    names = [file(tmp_path / f"{seed}.keras", SPEC, seed) for seed in (1, 2, 3)]
    found = tmp_path / "mean.keras"
    mean.main(mean.Options(tuple(names), output=found, lines=4, text=LineOptions(photo=0)))
    weights = zip(*(models.load(tmp_path / f"{seed}.keras").get_weights() for seed in (1, 2, 3)))
    for got, values in zip(models.load(found).get_weights(), weights, strict=True):
        assert np.allclose(got, np.mean(values, axis=0), atol=1e-6)
    assert models.load(found).spec.temperature != SPEC.temperature  # these read nothing right


def test_models_of_different_networks_are_refused(tmp_path):
    one = file(tmp_path / "one.keras", SPEC, 1)
    other = file(tmp_path / "other.keras", ModelSpec(rnn_units=9), 1)
    with pytest.raises(ValueError, match=r"other\.keras: not the network of"):
        mean.mean((one, other))
