"""The recogniser: company changes nothing, files carry all that is needed and nothing that runs."""

from ocr_simple.options import LineOptions
from data_generator import LineSequence
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from model import build
from model import ctc_loss
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple import images as imaging
import model as models
from ocr_simple.spec import pack_labels
from model import save
from ocr_simple.spec import time_steps

import io
import itertools
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest


ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(encoders.ENCODERS)
EVERY = list(itertools.product(SHIPPED, models.RNNS))
SMALL = ModelSpec(context="conv", rnn_units=8)

OWN_ENCODER = '''
import keras
import encoders

@encoders.encoder("mine", stride=4)
def mine(x, mask):
    """Three convolutions: the least that reads."""
    for filters, pool in ((16, (2, 2)), (32, (2, 2)), (64, (4, 1))):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = mask(keras.layers.MaxPooling2D(pool)(x))  # padding back to zero
    return x  # (batch, height / 16, width / 4, 64)
'''


def readme_encoder():
    """The code block of the README's section on an encoder of one's own."""
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not there")
    section = re.search(
        r"^#+ [^\n]*own encoder[^\n]*\n(.*?)(?=^#+ |\Z)", readme.read_text(), re.I | re.M | re.S
    )
    assert section, "README.md has no heading with 'own encoder'"
    return re.search(r"```python\n(.*?)```", section[1], re.S)[1]


@pytest.fixture
def registry():
    """The encoders, put back afterwards."""
    before = dict(encoders.ENCODERS)
    yield encoders.ENCODERS
    encoders.ENCODERS.clear()
    encoders.ENCODERS.update(before)


def lines(count, **options):
    stream = Lines(LineOptions(**options), SMALL, find_fonts(("trdg",)))
    return LineSequence(stream).collate([stream[k] for k in range(count)])


def logits_of(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def widen(x, columns):
    image = np.pad(x["image"], ((0, 0), (0, 0), (0, columns), (0, 0)))
    return {"image": image, "width": x["width"]}


def loss_and_gradients(model, x, y):
    """Mean loss and the gradient of each trainable variable, on the backends that have one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = keras.ops.mean(ctc_loss(y, model(x, training=True)))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    elif keras.backend.backend() == "jax":
        import jax

        def mean_loss(trainable):
            frozen = [v.value for v in model.non_trainable_variables]
            logits, _ = model.stateless_call(trainable, frozen, x, training=True)
            return keras.ops.mean(ctc_loss(y, logits))

        values = [v.value for v in model.trainable_variables]
        loss, gradients = jax.value_and_grad(mean_loss)(values)
    else:
        pytest.skip(f"gradients are not compared on {keras.backend.backend()}")
    return float(loss), [np.asarray(keras.ops.convert_to_numpy(g)) for g in gradients]


def assert_company_changes_nothing(model, x, y):
    """Own logits, loss and gradients are the same in any batch and with 256 more columns."""
    spec = model.spec
    together, wider = logits_of(model, x), logits_of(model, widen(x, 256))
    for i, width in enumerate(x["width"].tolist()):
        own = time_steps(width, spec.stride)
        alone = logits_of(model, imaging.pad_batch([x["image"][i][:, :width]]))[0, :own]
        np.testing.assert_allclose(together[i, :own], alone, rtol=0, atol=1e-5)
        np.testing.assert_allclose(wider[i, :own], alone, rtol=0, atol=1e-5)
    loss, gradients = loss_and_gradients(model, x, y)
    loss_wider, gradients_wider = loss_and_gradients(model, widen(x, 256), y)
    assert loss_wider == pytest.approx(loss, rel=1e-5)
    for variable, a, b in zip(model.trainable_variables, gradients, gradients_wider, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * max(np.abs(a).max(), 1e-3), variable.path


# --- company changes nothing ------------------------------------------------------------------


def stirred(model):
    """The model, with weights that are not 0 where it starts with zeros."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if not np.any(variable):
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize("architecture, rnn", EVERY)
def test_company_changes_nothing(architecture, rnn):
    model = stirred(build(ModelSpec(architecture=architecture, rnn=rnn, rnn_units=16), seed=3))
    assert_company_changes_nothing(model, *lines(6, min_length=1, max_length=7))


@pytest.mark.parametrize("architecture", SHIPPED)
def test_company_changes_nothing_at_any_width(architecture):
    model = build(ModelSpec(architecture=architecture, rnn_units=8), seed=3)
    rng = np.random.default_rng(0)
    images = [rng.normal(size=(32, width, 1)).astype(np.float32) for width in range(1, 70, 3)]
    together = logits_of(model, imaging.pad_batch(images))
    for image, row in zip(images, together, strict=True):
        own = time_steps(image.shape[1], model.spec.stride)
        alone = logits_of(model, imaging.pad_batch([image]))[0, :own]
        np.testing.assert_allclose(row[:own], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", SHIPPED)
def test_time_steps_are_what_the_model_gives(architecture):
    spec = ModelSpec(architecture=architecture, context="conv", rnn_units=8)
    model = build(spec)
    widths = np.arange(1, 129, dtype=np.int32)
    x = {"image": np.zeros((128, 32, 128, 1), np.float32), "width": widths}
    own = keras.Model(model.inputs, model.get_layer("own").output)(x)
    assert np.array_equal(np.sum(own, axis=1), time_steps(widths, spec.stride))
    assert logits_of(model, x).shape == (128, time_steps(128, spec.stride), 11)


@pytest.mark.parametrize("code", ["here", "README"])
def test_your_own_encoder_trains_and_obeys_the_contract(code, registry):
    at_the_end_of_encoders = dict(vars(encoders))
    exec(OWN_ENCODER if code == "here" else readme_encoder(), at_the_end_of_encoders)
    name = next(name for name in registry if name not in SHIPPED)
    model = build(ModelSpec(architecture=name, context="conv", rnn_units=32), seed=0)
    x, y = lines(8, max_length=3)
    model.compile(keras.optimizers.Adam(3e-3), ctc_loss, jit_compile=False)
    losses = [float(model.train_on_batch(x, y)) for _ in range(40)]
    assert losses[-1] < losses[0] / 2
    assert_company_changes_nothing(model, x, y)


@pytest.mark.parametrize("architecture", ["plain", "fine"])
def test_filters_stay_standardised_while_they_learn(architecture):
    model = build(ModelSpec(architecture=architecture, rnn_units=16), seed=0)
    x, y = lines(4, max_length=3)
    model.compile(keras.optimizers.AdamW(6e-3), ctc_loss, jit_compile=False)
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


@pytest.mark.parametrize("architecture, rnn", EVERY)
def test_a_model_of_digits_is_small(architecture, rnn):
    assert 100_000 < build(ModelSpec(architecture=architecture, rnn=rnn)).count_params() < 1_000_000


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


def test_ctc_loss_is_the_sum_over_all_paths_of_a_lines_own_steps():
    logits = np.random.default_rng(0).normal(0, 2, (4, 5, 3)).astype(np.float32)
    steps, labels = [5, 4, 3, 5], [[1, 2], [1, 1], [2], [2, 1, 2]]
    losses = keras.ops.convert_to_numpy(ctc_loss(pack_labels(steps, labels), logits))
    expected = [
        loss_by_every_path(logits[i, : steps[i]].astype(float), labels[i]) for i in range(4)
    ]
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
        ({"alphabet": 5}, "alphabet 5 cannot be used"),
        ({"height": 20}, "height 20 .* multiple of 16"),
        ({"height": "32"}, "height '32'"),
        ({"channels": 2}, "channels 2"),
        ({"channels": True}, "channels True"),
        ({"architecture": "resnet"}, "architecture 'resnet' .* plain, residual"),
        ({"context": "bilstm"}, "rnn 'bilstm' .* none, transformer, lstm, gru"),
        ({"rnn_units": 0}, "rnn_units 0"),
        ({"rnn_units": 10**9}, "rnn_units 1000000000"),
        ({"normalisation": "mean"}, "normalisation 'mean'"),
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"schema": 99}, "schema 99 .* update ocr_simple"),
    ],
)
def test_a_spec_that_cannot_be_built_names_the_entry_and_the_mend(values, message):
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


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.keras"
    save(build(SMALL, seed=1), path)
    return path


@pytest.mark.parametrize("architecture, rnn", EVERY)
def test_a_saved_model_reads_the_same(architecture, rnn, tmp_path):
    spec = ModelSpec(
        "\u00e9\u6570 a",
        48,
        channels=3,
        architecture=architecture,
        rnn=rnn,
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
    model.compile("adam", ctc_loss, jit_compile=False)
    model.train_on_batch(*lines(2))
    save(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        assert "optimizer" not in weights
        assert not json.loads(archive.read("config.json")).get("compile_config")


COMMAND = b'{"module": "os", "class_name": "system", "config": {"command": "touch was_run"}}'


@pytest.mark.parametrize("config", [b"", b"garbage", COMMAND])
def test_nothing_but_the_spec_and_the_weights_is_read(config, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, _ = lines(2)
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
        ({"schema": 2}, "schema 2 .* update ocr_simple"),
        ({"architecture": "evil"}, "architecture 'evil'"),
        ({"architecture": ["plain"]}, "not a model of ocr_simple"),
        ({"alphabet": "11"}, "repeats '1'"),
        ({"extra": 1}, "unknown entries .*extra"),
        ({"rnn_units": 9}, "weights do not fit its ocr.json"),
        ({"alphabet": "01"}, "weights do not fit its ocr.json"),
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
    monkeypatch.setattr(models, "MAX_ARCHIVE_BYTES", 1000)
    with pytest.raises(ValueError, match="unpacks to over 1,000 bytes"):
        load(saved)
