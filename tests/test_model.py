"""The recogniser: results do not depend on the batch; a file holds all that is needed, no code."""

import io
import itertools
import json
import re
import shutil
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
from support.lines import batch
from support.training import loss_and_gradients, wider

from model import build, ctc_loss, load, predictor, save
from ocr_simple import images as imaging
from ocr_simple import spec as specs
from ocr_simple.network import encoders
from ocr_simple.network.backend import keras
from ocr_simple.spec import Context, ModelSpec, pack_labels, time_steps

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(encoders.ENCODERS)
EVERY = [  # by default each encoder and each context, in `make test-long` each pair of them
    pytest.param(*pair, marks=[] if {"plain", "conv"} & set(pair) else pytest.mark.long)
    for pair in itertools.product(SHIPPED, get_args(Context))
]
SMALL = ModelSpec(context="conv", rnn_units=8)


def documented_encoder():
    """The code of an encoder that the module shows; the documentation shows the same."""
    indented = re.search(r"^    @encoder.*?(?=^\S)", encoders.__doc__, re.M | re.S)
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    code = textwrap.dedent(indented[0]).strip()
    assert code in map(str.strip, blocks)
    return code


def logits_of(model, x):
    """One call without the graph that `predictor` makes for many."""
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture
def registry():
    """The encoders, put back afterwards."""
    before = dict(encoders.ENCODERS)
    yield encoders.ENCODERS
    encoders.ENCODERS.clear()
    encoders.ENCODERS.update(before)


def assert_independent_of_the_batch(model, x, y):
    """Valid logits, loss and gradients are the same in any batch and with 256 more columns."""
    spec = model.spec
    predict = predictor(model)
    together, padded = predict(x), predict(wider(x, 256))
    for i, width in enumerate(x["width"].tolist()):
        valid = time_steps(width, spec.stride)
        alone = predict(imaging.pad_batch([x["image"][i][:, :width]]))[0, :valid]
        np.testing.assert_allclose(together[i, :valid], alone, rtol=0, atol=1e-5)
        np.testing.assert_allclose(padded[i, :valid], alone, rtol=0, atol=1e-5)
    loss, gradients = loss_and_gradients(model, ctc_loss, x, y)
    padded_loss, padded_gradients = loss_and_gradients(model, ctc_loss, wider(x, 256), y)
    assert padded_loss == pytest.approx(loss, rel=1e-5)
    for variable, a, b in zip(model.trainable_variables, gradients, padded_gradients, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * max(np.abs(a).max(), 1e-3), variable.path


# --- independence of the batch ----------------------------------------------------------------


def stirred(model):
    """The model, with weights that are not 0 where it starts with zeros."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if not np.any(variable):
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize("architecture, context", EVERY)
def test_results_do_not_depend_on_the_batch(architecture, context):
    model = stirred(
        build(ModelSpec(architecture=architecture, context=context, rnn_units=16), seed=3)
    )
    assert_independent_of_the_batch(model, *batch(6, SMALL, min_length=1, max_length=7))


@pytest.mark.parametrize("architecture", SHIPPED)
def test_results_do_not_depend_on_the_batch_at_any_width(architecture):
    model = build(ModelSpec(architecture=architecture, rnn_units=8), seed=3)
    rng = np.random.default_rng(0)
    images = [rng.normal(size=(32, width, 1)).astype(np.float32) for width in range(1, 70, 3)]
    predict = predictor(model)
    together = predict(imaging.pad_batch(images))
    for image, row in zip(images, together, strict=True):
        valid = time_steps(image.shape[1], model.spec.stride)
        alone = predict(imaging.pad_batch([image]))[0, :valid]
        np.testing.assert_allclose(row[:valid], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", SHIPPED)
def test_time_steps_are_what_the_model_gives(architecture):
    spec = ModelSpec(architecture=architecture, context="conv", rnn_units=8)
    model = build(spec)
    widths = np.arange(1, 129, dtype=np.int32)
    x = {"image": np.zeros((128, 32, 128, 1), np.float32), "width": widths}
    valid = keras.Model(model.inputs, model.get_layer("valid").output)(x)
    assert np.array_equal(np.sum(valid, axis=1), time_steps(widths, spec.stride))
    assert logits_of(model, x).shape == (128, time_steps(128, spec.stride), 11)


def test_the_documented_encoder_trains_and_obeys_the_contract(registry):
    at_the_end_of_encoders = dict(vars(encoders))
    exec(documented_encoder(), at_the_end_of_encoders)
    name = next(name for name in registry if name not in SHIPPED)
    model = build(ModelSpec(architecture=name, context="conv", rnn_units=32), seed=0)
    x, y = batch(8, SMALL, max_length=3)
    model.compile(keras.optimizers.Adam(3e-3), ctc_loss, run_eagerly=True)
    losses = [float(model.train_on_batch(x, y)) for _ in range(40)]
    assert losses[-1] < losses[0] / 2
    assert_independent_of_the_batch(model, x, y)


@pytest.mark.parametrize("architecture", ["plain", "fine"])
def test_filters_stay_standardised_while_they_learn(architecture):
    model = build(ModelSpec(architecture=architecture, rnn_units=16), seed=0)
    x, y = batch(4, SMALL, max_length=3)
    model.compile(keras.optimizers.AdamW(6e-3), ctc_loss, run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(x, y)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            np.testing.assert_allclose(kernel.mean(axis=(0, 1, 2)), 0, atol=1e-5)
            np.testing.assert_allclose(np.square(kernel).sum(axis=(0, 1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("stride", [3, 64])
def test_a_stride_that_batches_are_not_padded_to_is_an_error(stride, registry):
    with pytest.raises(ValueError, match="divisor of 32"):
        encoders.encoder("odd", stride=stride)


# --- size and loss ----------------------------------------------------------------------------


@pytest.mark.parametrize("architecture, context", EVERY)
def test_a_model_of_digits_is_small(architecture, context):
    assert (
        100_000
        < build(ModelSpec(architecture=architecture, context=context)).count_params()
        < 1_000_000
    )


def test_the_same_seed_gives_the_same_weights():
    one, two, other = (build(SMALL, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(map(np.array_equal, one, two)) and not all(map(np.array_equal, one, other))


def loss_by_every_path(logits, label):
    """-log of the probability of all paths that collapse to `label` (Graves et al. 2006)."""
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        collapsed = [c for c, _ in itertools.groupby(path) if c]
        if collapsed == label:
            total += np.prod([row[c] for row, c in zip(probabilities, path, strict=True)])
    return -np.log(total)


def test_ctc_loss_is_the_sum_over_all_paths_of_a_lines_valid_steps():
    logits = np.random.default_rng(0).normal(0, 2, (4, 5, 3)).astype(np.float32)
    steps, labels = [5, 4, 3, 5], [[1, 2], [1, 1], [], [2, 1, 2]]
    losses = keras.ops.convert_to_numpy(ctc_loss(pack_labels(steps, labels), logits))
    expected = [
        loss_by_every_path(logits[i, : steps[i]].astype(float), labels[i]) for i in range(4)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_ctc_loss_takes_a_batch_without_any_label():
    logits = np.random.default_rng(1).normal(0, 2, (2, 5, 3)).astype(np.float32)
    losses = keras.ops.convert_to_numpy(ctc_loss(pack_labels([5, 4], [[], []]), logits))
    expected = [loss_by_every_path(logits[i, :n].astype(float), []) for i, n in enumerate((5, 4))]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_labels_are_packed_behind_steps_and_length():
    packed = pack_labels([9, 7], [[1, 2, 3], [4]])
    assert packed.tolist() == [[9, 3, 1, 2, 3], [7, 1, 4, 0, 0]] and packed.dtype == np.int32


# --- the spec ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, message",
    [
        ({"alphabet": ""}, "alphabet is empty"),
        ({"alphabet": "1231"}, "repeats '1'"),
        ({"alphabet": 5}, "alphabet 5: give a string"),
        ({"height": 20}, "height 20: give a multiple of 16"),
        ({"height": "32"}, "height '32'"),
        ({"channels": 2}, "channels 2"),
        ({"channels": True}, "channels True"),
        ({"architecture": "resnet"}, "architecture 'resnet': choose from .*fine, large, plain"),
        ({"context": "bilstm"}, "context 'bilstm': choose from conv, attention, lstm, gru"),
        ({"rnn_units": 0}, "rnn_units 0"),
        ({"rnn_units": 10**9}, "rnn_units 1000000000"),
        ({"normalisation": "mean"}, "normalisation 'mean'"),
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"schema": 99}, "schema 99: .* update ocr_simple"),
    ],
)
def test_a_spec_that_cannot_be_built_names_the_entry_and_the_fix(values, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **values)


# --- the file ---------------------------------------------------------------------------------


def rewrite(path, **entries):
    """Replace entries of a model file (`config_json=b"..."`); None leaves one out."""
    entries = {name.replace("_json", ".json"): content for name, content in entries.items()}
    with zipfile.ZipFile(path) as archive:
        kept = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (kept | entries).items():
            if content is not None:
                archive.writestr(name, content)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "model.keras"
    save(build(SMALL, seed=1), path)
    return path


@pytest.fixture
def saved(small_file, tmp_path):
    return Path(shutil.copy(small_file, tmp_path))


@pytest.mark.parametrize("architecture, context", EVERY)
def test_a_saved_model_reads_the_same(architecture, context, tmp_path):
    spec = ModelSpec(
        "\u00e9\u6570 a",
        48,
        channels=3,
        architecture=architecture,
        context=context,
        rnn_units=8,
        temperature=1.7,
    )
    model = build(spec, seed=7)
    save(model, tmp_path / "a.keras")
    again = load(tmp_path / "a.keras")
    x = {"image": np.random.default_rng(0).normal(size=(2, 48, 64, 3)), "width": np.array([64, 40])}
    assert again.spec == spec
    assert np.array_equal(logits_of(model, x), logits_of(again, x))


def test_saving_replaces_a_file_and_leaves_no_other(saved):
    save(build(replace(SMALL, temperature=2.0)), saved)
    assert load(saved).spec.temperature == 2.0
    assert list(saved.parent.iterdir()) == [saved]


def test_a_file_holds_no_optimiser_state(tmp_path):
    model = build(SMALL)
    model.compile("adam", ctc_loss, run_eagerly=True)
    model.train_on_batch(*batch(2, SMALL))
    save(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        assert "optimizer" not in weights
        assert not json.loads(archive.read("config.json")).get("compile_config")


COMMAND = b'{"module": "os", "class_name": "system", "config": {"command": "touch was_run"}}'


@pytest.mark.parametrize("config", [b"", b"garbage", COMMAND])
def test_nothing_but_the_spec_and_the_weights_is_read(config, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, _ = batch(2, SMALL)
    before = logits_of(load(saved), x)
    rewrite(saved, config_json=config, metadata_json=config)
    assert np.array_equal(logits_of(load(saved), x), before)
    assert list(tmp_path.iterdir()) == [saved]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "no ocr.json in it"),
        ("not JSON", "not a model of ocr_simple"),
        ("[]", "not an object"),
        ({"schema": 2}, "schema 2: .* update ocr_simple"),
        ({"architecture": "evil"}, "architecture 'evil'"),
        ({"architecture": ["plain"]}, "not a model of ocr_simple"),
        ({"alphabet": "11"}, "repeats '1'"),
        ({"extra": 1}, "unknown entries .*extra"),
        ({"rnn_units": 9}, "weights do not fit its ocr.json .*; the file is damaged"),
        ({"alphabet": "01"}, "weights do not fit its ocr.json .*; the file is damaged"),
    ],
)
def test_a_file_with_another_spec_is_an_error_that_names_it(content, message, saved):
    if isinstance(content, dict):
        with zipfile.ZipFile(saved) as archive:
            content = json.dumps(json.loads(archive.read("ocr.json")) | content)
    rewrite(saved, ocr_json=content)
    with pytest.raises(ValueError, match=message) as error:
        load(saved)
    assert str(saved) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", "cut", None])
def test_a_file_that_is_no_model_is_an_error_that_names_it(content, saved):
    whole = saved.read_bytes()
    saved.unlink()
    if content is not None:
        saved.write_bytes(whole[:-100] if content == "cut" else content)
    with pytest.raises(ValueError, match=re.escape(str(saved))):
        load(saved)


def test_damaged_weights_are_an_error_that_names_the_file(saved):
    with zipfile.ZipFile(saved) as archive:
        weights = archive.read("model.weights.h5")
    rewrite(saved, **{"model.weights.h5": weights[: len(weights) // 2]})
    with pytest.raises(ValueError, match=f"{saved}: its weights"):
        load(saved)


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr(specs, "MAX_ARCHIVE_BYTES", 1000)
    with pytest.raises(ValueError, match="unpacks to over 1,000 bytes"):
        load(saved)
