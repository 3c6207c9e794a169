"""The attention head: company changes nothing, the width bounds it, training and reading agree."""

from ocr_simple.text import Alphabet
from ocr_simple.options import LineOptions
from data_generator import LineSequence
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec
from ocr_simple.decoding.greedy import attention_decode
from ocr_simple.network.attention import attention_loss
from model import build
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple import images as imaging
from ocr_simple.spec import pack_labels
from model import save
from ocr_simple.decoding.greedy import softmax
from ocr_simple.network.attention import teacher_forced
from ocr_simple.spec import time_steps

import functools
import io
import itertools
import json
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest


SMALL = ModelSpec(head="attention", rnn_units=8, attn_num_hidden=16)
OTHERS = (
    replace(SMALL, context="lstm", attn_num_layers=1),
    replace(SMALL, architecture="fine", context="gru", use_gru=True, attn_num_layers=3),
)
KINDS = [SMALL, *(pytest.param(spec, marks=pytest.mark.slow) for spec in OTHERS)]
DIGITS = Alphabet("0123456789")


def lines(count, spec=SMALL, **options):
    stream = Lines(LineOptions(**options), spec, find_fonts(("trdg",)))
    return LineSequence(stream).collate([stream[k] for k in range(count)])


def with_label(x, y):
    return {**x, "label": y[:, 2:]}


def widen(x, columns):
    return {**x, "image": np.pad(x["image"], ((0, 0), (0, 0), (0, columns), (0, 0)))}


def read(model, x):
    return {k: keras.ops.convert_to_numpy(v) for k, v in model(x, training=False).items()}


@functools.cache
def lively(spec):
    """A model that has learned a little: it looks about, and its lines end here and there."""
    model = build(spec, seed=1)
    trainer = teacher_forced(model)
    trainer.compile(keras.optimizers.AdamW(1e-2), attention_loss, jit_compile=JAX)
    x, y = lines(6, min_length=1, max_length=5)
    for _ in range(40):
        trainer.train_on_batch(with_label(x, y), y)
    return model


def loss_and_gradients(trainer, x, y):
    """The mean loss and its gradients, on the backends that have them."""
    x = with_label(x, y)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = keras.ops.mean(attention_loss(y, trainer(x, training=True)))
        gradients = tape.gradient(loss, [v.value for v in trainer.trainable_variables])
        gradients = [tf.convert_to_tensor(g) for g in gradients]  # the embedding's is sparse
    elif keras.backend.backend() == "jax":
        import jax

        def mean_loss(trainable):
            frozen = [v.value for v in trainer.non_trainable_variables]
            logits, _ = trainer.stateless_call(trainable, frozen, x, training=True)
            return keras.ops.mean(attention_loss(y, logits))

        values = [v.value for v in trainer.trainable_variables]
        loss, gradients = jax.value_and_grad(mean_loss)(values)
    else:
        pytest.skip(f"gradients are not compared on {keras.backend.backend()}")
    return float(loss), [np.asarray(keras.ops.convert_to_numpy(g)) for g in gradients]


# --- company changes nothing ------------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.rnn}")
def test_a_line_is_read_the_same_in_any_company(spec):
    model = lively(spec)
    x, _ = lines(6, min_length=1, max_length=7)
    together, wider = read(model, x), read(model, widen(x, 256))
    for i, width in enumerate(x["width"].tolist()):
        own = time_steps(width, spec.stride)
        alone = read(model, imaging.pad_batch([x["image"][i][:, :width]]))
        for batch in (together, wider):
            for name, columns in (("logits", 11), ("attention", own)):
                rows = batch[name][i, : own + 1, :columns]
                np.testing.assert_allclose(rows, alone[name][0, : own + 1, :columns], atol=1e-4)
                assert not batch[name][i, own + 1 :].any()
                assert not batch[name][i, :, columns:].any()


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.rnn}")
def test_padding_of_images_and_labels_changes_neither_loss_nor_gradient(spec):
    trainer = teacher_forced(lively(spec))
    x, y = lines(5, min_length=1, max_length=5)
    loss, gradients = loss_and_gradients(trainer, x, y)
    padded = loss_and_gradients(trainer, widen(x, 256), np.pad(y, ((0, 0), (0, 9))))
    assert padded[0] == pytest.approx(loss, rel=1e-5)
    for variable, a, b in zip(trainer.trainable_variables, gradients, padded[1], strict=True):
        assert np.abs(a - b).max() <= 1e-5 * max(np.abs(a).max(), 1e-3), variable.path
        assert np.abs(a).max() > 0, variable.path


# --- training and reading agree ---------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.rnn}")
def test_given_its_own_characters_it_says_in_training_what_it_reads(spec):
    model = lively(spec)
    x, _ = lines(4)
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


@pytest.mark.slow
def test_it_learns_lines_by_heart_and_reads_them():
    spec = replace(SMALL, rnn_units=32, attn_num_hidden=64)
    model = build(spec, seed=0)
    trainer = teacher_forced(model)
    x, y = lines(4, min_length=2, max_length=4)
    trainer.compile(keras.optimizers.AdamW(5e-3), attention_loss, jit_compile=JAX)
    for _ in range(80):
        loss = float(trainer.train_on_batch(with_label(x, y), y))
    assert loss < 0.2
    outputs = read(model, x)
    for i in range(4):
        line = attention_decode(softmax(outputs["logits"][i]), outputs["attention"][i], DIGITS)
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
    most = [min(own, longest or own) for own in (12, 5, 1)]
    assert outputs["logits"].shape == (3, most[0] + 1, 11)
    assert outputs["attention"].shape == (3, most[0] + 1, 12)
    for i, count in enumerate(most):
        assert outputs["attention"][i].any(axis=1).sum() == count + 1
        line = attention_decode(softmax(outputs["logits"][i]), outputs["attention"][i], DIGITS)
        assert len(line.text) == count


# --- its file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: f"{spec.architecture}-{spec.rnn}")
def test_a_saved_model_reads_the_same(spec, tmp_path):
    model = lively(spec)
    trainer = teacher_forced(model)
    assert [v.path for v in trainer.weights] == [v.path for v in model.weights]
    x, _ = lines(2)
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
        ({"head": "transformer"}, "head 'transformer' .* ctc, attention"),
        ({"attn_num_hidden": 0}, "attn_num_hidden 0 .* give 1 to"),
        ({"attn_num_layers": True}, "attn_num_layers True"),
        ({"target_embedding_size": 10.0}, "target_embedding_size 10.0"),
        ({"max_prediction": -1}, "max_prediction -1"),
        ({"use_gru": 1}, "use_gru 1"),
    ],
)
def test_a_spec_that_cannot_be_built_names_the_entry_and_the_mend(values, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **values)


# --- decoding ---------------------------------------------------------------------------------


def decoded(rows, attention):
    """The line of (class, its probability) a row, of the alphabet ab."""
    probabilities = np.array([[(1 - p) / 2 + (c == i) * (3 * p - 1) / 2 for i in range(3)]
                              for c, p in rows])  # fmt: skip
    return attention_decode(probabilities, np.array(attention, float), Alphabet("ab"))


def one_hot(*columns, steps=10):
    return [[float(i == column) for i in range(steps)] for column in columns]


def test_confidence_is_the_characters_and_the_ends():
    line = decoded([(1, 0.9), (1, 0.8), (0, 0.5)], one_hot(1, 4, 9))
    assert line.text == "aa" and line.confidence == pytest.approx(0.9 * 0.8 * 0.5)
    assert [c.confidence for c in line.characters] == pytest.approx([0.9, 0.8])


def test_neighbours_meet_halfway_and_outer_edges_are_as_far():
    line = decoded([(1, 0.9), (2, 0.9), (1, 0.9), (0, 0.9)], one_hot(1, 4, 8, 9))
    spans = [(c.start, c.end) for c in line.characters]
    assert spans == [(0, 3), (3, 6.5), (6.5, 10)]  # the outer ones kept inside the image


def test_attention_that_turns_back_gives_spans_that_do_not():
    line = decoded([(1, 0.9), (2, 0.9), (1, 0.9), (0, 0.9)], one_hot(5, 2, 8, 9))
    for left, right in itertools.pairwise(line.characters):
        assert left.start <= left.end == right.start <= right.end


def test_a_single_character_reaches_as_far_as_it_was_looked_for():
    spread = [[0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0], *one_hot(9)]
    (character,) = decoded([(2, 0.9), (0, 0.9)], spread).characters
    assert (character.start + character.end) / 2 == pytest.approx(3.5)
    assert 2 < character.end - character.start < 5


def test_an_empty_line_is_as_sure_as_its_end_symbol():
    assert decoded([(0, 0.7)], one_hot(3)) == ("", pytest.approx(0.7), ())


def test_rows_behind_the_end_do_not_count():
    ended = decoded([(1, 0.9), (0, 0.8)], one_hot(1, 5))
    more = decoded([(1, 0.9), (0, 0.8), (2, 0.9), (0, 0.4)], [*one_hot(1, 5), *[[0.0] * 10] * 2])
    assert more == ended


def test_a_line_cut_off_has_no_end_symbol_to_count():
    line = decoded([(1, 0.9), (2, 0.8), (2, 0.6), (0, 0.4)], [*one_hot(1, 5, 7), [0.0] * 10])
    assert line.text == "ab" and line.confidence == pytest.approx(0.9 * 0.8)
