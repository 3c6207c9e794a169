"""The attention head: independent of the batch, of bounded length, the same in training."""

import functools
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from support.lines import batch
from support.training import loss_and_gradients, wider

from model import build, load, predictor, save
from ocr_simple import preprocessing
from ocr_simple.decoding.greedy import attention_greedy, softmax
from ocr_simple.network.attention import attention_loss, teacher_forced
from ocr_simple.network.backend import backend, keras
from ocr_simple.spec import ModelSpec, pack_labels, time_steps
from ocr_simple.text import Alphabet

SMALL = ModelSpec(head="attention", rnn_units=8, attn_num_hidden=16)
OTHERS = (
    replace(SMALL, context="lstm", attn_num_layers=1),
    replace(SMALL, architecture="fine", context="gru", use_gru=True, attn_num_layers=3),
)
KINDS = [SMALL, *(pytest.param(spec, marks=pytest.mark.long) for spec in OTHERS)]
DIGITS = Alphabet("0123456789")


def with_label(x, y):
    return {**x, "label": y[:, 2:]}


def read(model, x):
    return predictor(model)(x)


@functools.cache
def lively(spec):
    """A model that has learned a little: its attention moves, and its lines have different ends."""
    model = build(spec, seed=1)
    trainer = teacher_forced(model)
    trainer.compile(keras.optimizers.AdamW(1e-2), attention_loss, jit_compile=backend() == "jax")
    x, y = batch(6, SMALL, min_length=1, max_length=5)
    for _ in range(40):
        trainer.train_on_batch(with_label(x, y), y)
    return model


# --- independence of the batch ----------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.context}")
def test_results_do_not_depend_on_the_batch(spec):
    model = lively(spec)
    x, _ = batch(6, SMALL, min_length=1, max_length=7)
    together, padded = read(model, x), read(model, wider(x, 256))
    for i, width in enumerate(x["width"].tolist()):
        valid = time_steps(width, spec.stride)
        alone = read(model, preprocessing.pad_batch([x["image"][i][:, :width]], 32))
        for outputs in (together, padded):
            for name, columns in (("logits", 11), ("attention", valid)):
                rows = outputs[name][i, : valid + 1, :columns]
                np.testing.assert_allclose(rows, alone[name][0, : valid + 1, :columns], atol=1e-4)
                assert not outputs[name][i, valid + 1 :].any()
                assert not outputs[name][i, :, columns:].any()


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.context}")
def test_padding_of_images_and_labels_changes_neither_loss_nor_gradient(spec):
    trainer = teacher_forced(lively(spec))
    x, y = batch(5, SMALL, min_length=1, max_length=5)
    more_y = np.pad(y, ((0, 0), (0, 9)))
    loss, gradients = loss_and_gradients(trainer, attention_loss, with_label(x, y), y)
    more_x = with_label(wider(x, 256), more_y)
    padded = loss_and_gradients(trainer, attention_loss, more_x, more_y)
    assert padded[0] == pytest.approx(loss, rel=1e-5)
    for variable, a, b in zip(trainer.trainable_variables, gradients, padded[1], strict=True):
        assert np.abs(a - b).max() <= 1e-5 * max(np.abs(a).max(), 1e-3), variable.path
        assert np.abs(a).max() > 0, variable.path


# --- training and reading agree ---------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.context}")
def test_given_the_characters_that_it_reads_training_gives_the_same_logits(spec):
    model = lively(spec)
    x, _ = batch(4, SMALL)
    logits = read(model, x)["logits"]
    taught = teacher_forced(model)({**x, "label": logits.argmax(axis=2)[:, :-1].astype(np.int32)})
    taught = keras.ops.convert_to_numpy(taught)
    written = logits.any(axis=2)  # rows up to the end of each line
    np.testing.assert_allclose(taught[written], logits[written], atol=1e-4)


def test_the_loss_is_that_of_the_characters_and_the_end():
    y = pack_labels([9, 9], [[1, 2, 1], [2]])
    logits = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    minus_log = -np.log(softmax(logits))
    expected = [
        minus_log[0, [0, 1, 2, 3], [1, 2, 1, 0]].sum(),
        minus_log[1, [0, 1], [2, 0]].sum(),
    ]
    losses = keras.ops.convert_to_numpy(attention_loss(y, logits))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_it_learns_lines_by_heart_and_reads_them():
    spec = replace(SMALL, rnn_units=32, attn_num_hidden=64)
    model = build(spec, seed=0)
    trainer = teacher_forced(model)
    x, y = batch(4, SMALL, min_length=2, max_length=4)
    trainer.compile(keras.optimizers.AdamW(5e-3), attention_loss, jit_compile=backend() == "jax")
    for _ in range(80):
        loss = float(trainer.train_on_batch(with_label(x, y), y))
    assert loss < 0.2
    outputs = read(model, x)
    for i in range(4):
        line = attention_greedy(softmax(outputs["logits"][i]), outputs["attention"][i], DIGITS)
        assert line.text == DIGITS.decode(y[i, 2:]) and line.confidence > 0.7


# --- its length -------------------------------------------------------------------------------


def endless(spec):
    """A model that never writes an end symbol."""
    model = build(spec, seed=0)
    bias = model.get_layer("decoder").logits.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == 0, -1e4, 0))
    return model


@pytest.mark.parametrize("longest", [0, 3, 1000])
def test_no_line_has_more_characters_than_time_steps_or_max_prediction(longest):
    model = endless(replace(SMALL, max_prediction=longest))
    x = {"image": np.zeros((3, 32, 48, 1), np.float32), "width": np.array([48, 17, 1], np.int32)}
    outputs = read(model, x)
    most = [min(steps, longest or steps) for steps in (12, 5, 1)]
    assert outputs["logits"].shape == (3, most[0] + 1, 11)
    assert outputs["attention"].shape == (3, most[0] + 1, 12)
    for i, count in enumerate(most):
        assert outputs["attention"][i].any(axis=1).sum() == count + 1
        line = attention_greedy(softmax(outputs["logits"][i]), outputs["attention"][i], DIGITS)
        assert len(line.text) == count


# --- its file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.context}")
def test_a_saved_model_reads_the_same(spec, tmp_path):
    model = lively(spec)
    trainer = teacher_forced(model)
    assert [v.path for v in trainer.weights] == [v.path for v in model.weights]
    x, _ = batch(2, SMALL)
    for name, saved in (("model", model), ("trainer", trainer)):
        save(saved, tmp_path / f"{name}.keras")
        again = load(tmp_path / f"{name}.keras")
        assert again.spec == spec
        for key, value in read(model, x).items():
            assert np.array_equal(read(again, x)[key], value)


def test_a_file_from_before_the_attention_head_is_read_as_ctc(tmp_path):
    path = tmp_path / "old.keras"
    save(build(ModelSpec(rnn_units=8)), path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    old = json.loads(entries["ocr.json"])
    for name in ("head", "max_prediction", "use_gru", "target_embedding_size"):
        del old[name]
    entries["ocr.json"] = json.dumps({k: v for k, v in old.items() if "attn" not in k}).encode()
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    path.write_bytes(archive_bytes.getvalue())
    assert load(path).spec == ModelSpec(rnn_units=8)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"head": "transformer"}, "head 'transformer': choose from ctc, attention"),
        ({"attn_num_hidden": 0}, "attn_num_hidden 0: give 1 to"),
        ({"attn_num_layers": True}, "attn_num_layers True"),
        ({"target_embedding_size": 10.0}, "target_embedding_size 10.0"),
        ({"max_prediction": -1}, "max_prediction -1"),
        ({"use_gru": 1}, "use_gru 1"),
    ],
)
def test_a_spec_that_cannot_be_built_names_the_entry_and_the_fix(values, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **values)
