"""The recogniser: results do not depend on the batch; a file holds all that is needed, no code."""

import dataclasses
import io
import itertools
import json
import math
import re
import shutil
import string
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

import model as models
from inference import Recognizer
from model import build, ctc_loss, load, predictor, robust, save
from ocr_simple import preprocessing
from ocr_simple import spec as specs
from ocr_simple.network import encoders
from ocr_simple.network.backend import keras
from ocr_simple.reading_commands import format_line
from ocr_simple.spec import Context, ModelSpec, pack_labels, time_steps
from ocr_simple.text import Line

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(encoders.ENCODERS)
EVERY = [  # each encoder, each context, and the pairs of the shipped models
    *((encoder, "conv") for encoder in SHIPPED),
    *(("plain", context) for context in get_args(Context) if context != "conv"),
    *((encoder, "attention") for encoder in ("deep", "deeper", "wide_residual")),
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
        alone = predict(preprocessing.pad_batch([x["image"][i][:, :width]], 32))[0, :valid]
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
    together = predict(preprocessing.pad_batch(images, 32))
    for image, row in zip(images, together, strict=True):
        valid = time_steps(image.shape[1], model.spec.stride)
        alone = predict(preprocessing.pad_batch([image], 32))[0, :valid]
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
    most = 1_100_000 if architecture == "wide_residual" else 1_000_000  # the one for text
    count = build(ModelSpec(architecture=architecture, context=context)).count_params()
    assert 100_000 < count < most


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


def test_lines_far_from_their_labels_weigh_less_in_the_robust_loss():
    logits = np.random.default_rng(2).normal(0, 2, (2, 5, 3)).astype(np.float32)
    y = pack_labels([5, 5], [[1, 2], [2, 1, 2]])
    plain, steep = loss_and_gradient(ctc_loss, y, logits)
    found, flat = loss_and_gradient(robust(ctc_loss, 0.5), y, logits)
    length = np.array([2, 3])
    root = np.exp(-plain / length)  # what each character has, if all have the same
    np.testing.assert_allclose(found, length * (1 - root**0.5) / 0.5, rtol=1e-5)
    np.testing.assert_allclose(flat, steep * (root**0.5)[:, None, None], rtol=1e-4, atol=1e-6)
    assert robust(ctc_loss, 0) is ctc_loss


def loss_and_gradient(loss, y, logits) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each line, and the gradient of each one's logits."""
    import tensorflow as tf

    logits = tf.Variable(logits)
    with tf.GradientTape() as tape:
        losses = loss(tf.constant(y), logits)
    return losses.numpy(), np.asarray(tape.gradient(losses, logits))


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
        ({"architecture": "resnet"}, "architecture 'resnet': choose from .*fine, plain, residual"),
        ({"context": "bilstm"}, "context 'bilstm': choose from conv, attention, lstm, gru"),
        ({"rnn_units": 0}, "rnn_units 0"),
        ({"rnn_units": 10**9}, "rnn_units 1000000000"),
        ({"normalisation": "mean"}, "normalisation 'mean'"),
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": 0.009}, "temperature 0.009: give at least 0.01"),
        ({"alphabet": "01\x1b"}, r"the alphabet has U\+001B, which no label can have"),
        ({"alphabet": "01\u202e"}, r"the alphabet has U\+202E"),
        ({"alphabet": "01\u2066"}, r"the alphabet has U\+2066"),
        ({"alphabet": "01\ud800"}, r"the alphabet has U\+D800"),
        ({"alphabet": "1" * 20_001}, "the alphabet has 20,001 characters; give at most 20,000"),
        ({"architecture": "x" * 10**6}, "architecture 'x{190,200}…: choose from"),
        ({"rnn_units": "x", "schema": 2}, "schema 2"),
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


def test_a_file_of_another_name_is_an_error_with_the_fix(saved):
    other = saved.rename(saved.with_suffix(".model"))
    with pytest.raises(ValueError, match=f"{other}: .* named .keras; rename it"):
        load(other)


# --- the file of a stranger ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(rnn_units=256),
        ModelSpec(rnn_units=256, context="gru", architecture="wide_residual"),
        ModelSpec(string.ascii_letters, context="lstm", head="attention", attn_num_hidden=256),
        ModelSpec(context="attention", head="attention", attn_num_layers=1, use_gru=True),
    ],
)
def test_the_least_parameters_are_a_close_lower_bound(spec):
    count = build(spec).count_params()
    assert spec.least_parameters <= count <= 5 * spec.least_parameters + 1_000_000


def packed(**spec):
    return json.dumps(dataclasses.asdict(replace(SMALL, **spec)))


def with_weights(change):
    """A function that changes the weights in a model file: `change` gets all arrays of the head."""

    def rewrite_weights(path):
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r+") as file:
            change(file["layers/dense_1/vars"])
        rewrite(path, **{"model.weights.h5": content.getvalue()})

    return rewrite_weights


def replaced(**how):
    """The head's weights replaced by an array that is stored in another way."""

    def change(arrays):
        as_before = {"shape": arrays["0"].shape, "dtype": "float32"}
        del arrays["0"]
        arrays.create_dataset("0", **(as_before | how))

    return with_weights(change)


def linked(link):
    def change(arrays):
        del arrays["0"]
        arrays["0"] = link

    return with_weights(change)


def many_names(arrays):
    for i in range(500):
        arrays[f"more{i}"] = arrays["0"]


def not_a_number(arrays):
    arrays["0"][0, 0] = np.nan


def many_entries(path):
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(2000):
            archive.writestr(f"entry{i}", b"")


def deflated(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10 << 20))


CHARACTERS = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
HOSTILE = {  # what a file does, and the message
    "a long spec": (
        lambda path: rewrite(path, ocr_json=" " * (4 << 20) + packed()), "its ocr.json has over 4,1"
    ),
    "a deep spec": (lambda path: rewrite(path, ocr_json="[" * 10**6), "recursion"),
    "a long message": (
        lambda path: rewrite(path, ocr_json=json.dumps({"schema": 1, "x" * 10**6: 0})), "unknown"
    ),
    "many entries": (many_entries, "its list of entries has over 65,536 bytes"),
    "a compressed entry": (deflated, "unpacks to over"),
    "a large alphabet": (
        lambda path: rewrite(path, ocr_json=packed(alphabet=CHARACTERS, rnn_units=2048)),
        "20,000 characters and rnn_units 2048 make over 596,131,840 bytes of weights",
    ),
    "a large head": (
        lambda path: rewrite(
            path, ocr_json=packed(head="attention", attn_num_hidden=2048, attn_num_layers=8)
        ),
        "bytes of weights, and the file has",
    ),
    "no weights": (
        lambda path: rewrite(path, **{"model.weights.h5": None}), "no model.weights.h5 in it"
    ),
    "declared": (replaced(shape=(70_000_000, 11)), r"\(70000000, 11\) float32 is not in the"),
    "compressed": (replaced(chunks=True, compression="gzip"), "compressed or chunked"),
    "elsewhere": (replaced(external=[("/etc/hostname", 0, 10**6)]), "compressed or chunked"),
    "strings": (replaced(dtype="S4", data=np.zeros((16, 11), "S4")), "holds no numbers"),
    "a link out": (linked(h5py.ExternalLink("/etc/hostname", "/x")), "a link to another place"),
    "a soft link": (linked(h5py.SoftLink("/layers/dense/vars/0")), "a link to another place"),
    "many names": (with_weights(many_names), "more weights than the file has bytes"),
    "not a number": (with_weights(not_a_number), "infinite or NaN values"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_an_error_before_anything_is_built(name, saved, monkeypatch):
    make, message = HOSTILE[name]
    make(saved)
    monkeypatch.setattr(models, "build", lambda *_: pytest.fail("it was built"))
    with pytest.raises(ValueError, match=message) as error:
        load(saved)
    assert str(error.value).startswith(f"{saved}: ") and len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"dtype": "float64"}, r"it lacks logits/kernel, float32 \(16, 11\)"),
        ({"shape": (11, 16)}, r"it lacks logits/kernel, float32 \(16, 11\)"),
    ],
)
def test_weights_of_another_type_or_shape_are_not_read(how, message, saved, monkeypatch):
    replaced(**how, data=np.ones(how.get("shape", (16, 11))))(saved)
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_weights_that_the_model_lacks_are_not_read(saved, monkeypatch):
    with_weights(lambda arrays: arrays.create_dataset("9", data=np.ones((3, 3), "f4")))(saved)
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: pytest.fail("it was read"))
    message = r"its layers/dense_1/vars/9, float32 \(3, 3\), is not in the model"
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_weights_that_are_finite_but_too_large_never_give_nan(saved):
    def change(arrays):
        arrays["0"][...] = 3e38

    with_weights(change)(saved)
    image = np.random.default_rng(0).integers(0, 255, (32, 64), np.uint8)
    with pytest.raises(ValueError, match="the model gives no number for an image"):
        Recognizer(load(saved)).read([image])
    with pytest.raises(ValueError, match="Out of range float"):
        format_line("a.png", Line("1", math.nan, ()), "json")
