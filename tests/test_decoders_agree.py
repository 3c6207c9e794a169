"""The greedy decoders of the serving graph and of the copied reader equal those of the package."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_simple.decoding.greedy import attention_greedy, ctc_greedy, softmax
from ocr_simple.right_to_left import KINDS, reading_order
from ocr_simple.text import Alphabet

tf = pytest.importorskip("tensorflow")

from aocr import graph, reader
from aocr.reading_order import ReadingOrder

ALPHABET = Alphabet("abc")
SEEDS = st.integers(0, 2**32 - 1)
TEMPERATURES = st.sampled_from([0.5, 1.0, 2.3])
SHARPNESS = st.sampled_from([0.3, 2.0, 10.0])  # even classes, and nearly certain ones
STEPS = st.lists(st.integers(1, 30), min_size=1, max_size=5)  # valid steps of each line


def assert_equal_lines(found, lines):
    """found: what the graph's decoders give, for the same batch as `lines`."""
    ids, probabilities, starts, ends, confidence = (values.numpy() for values in found)
    for i, line in enumerate(lines):
        count = len(line.text)
        assert ALPHABET.decode(ids[i]) == line.text
        assert confidence[i] == pytest.approx(line.confidence, rel=1e-4)
        assert probabilities[i, :count] == pytest.approx([c.confidence for c in line.characters])
        assert starts[i, :count] == pytest.approx([c.start for c in line.characters], abs=1e-3)
        assert ends[i, :count] == pytest.approx([c.end for c in line.characters], abs=1e-3)
        assert not ids[i, count:].any() and not probabilities[i, count:].any()


@given(SEEDS, STEPS, SHARPNESS, TEMPERATURES)
@settings(max_examples=50, deadline=None)
def test_every_ctc_decoder_reads_the_same(seed, steps, sharpness, temperature):
    steps = np.array(steps, np.int32)
    size = (len(steps), steps.max(), ALPHABET.classes)
    logits = np.random.default_rng(seed).normal(0, sharpness, size).astype(np.float32)
    logits = np.round(logits) if seed % 2 else logits  # classes that are equally probable
    probabilities = softmax(logits, temperature)
    lines = [ctc_greedy(p[:count], ALPHABET) for p, count in zip(probabilities, steps)]

    decoded = graph.ctc_greedy(tf.constant(logits), tf.constant(steps), temperature)
    assert_equal_lines(decoded, lines)

    for line, rows, count in zip(lines, np.log(probabilities), steps):
        text, confidence = reader.ctc_greedy(rows[:count], ALPHABET.characters)
        assert text == line.text
        assert confidence == pytest.approx(line.confidence, rel=1e-4)


def attention_outputs(rng, steps, sharpness):
    """Logits and attention of an attention head, some lines cut off before an end symbol."""
    rows = steps.max() + 1
    logits = rng.normal(0, sharpness, (len(steps), rows, ALPHABET.classes)).astype(np.float32)
    attention = rng.random((len(steps), rows, steps.max()), np.float32) ** 8
    for i, count in enumerate(steps):
        written = rng.integers(1, count + 2)
        logits[i, written:] = attention[i, written:] = attention[i, :, count:] = 0
        logits[i, : written - 1, 0] -= sharpness * rng.integers(5)  # few early end symbols
        logits[i, written - 1, 0] += 10 * sharpness * rng.choice([-1, 1])
        attention[i, :written] /= attention[i, :written].sum(axis=1, keepdims=True)
    return logits, attention


@given(SEEDS, STEPS, SHARPNESS, TEMPERATURES)
@settings(max_examples=50, deadline=None)
def test_both_attention_decoders_read_the_same(seed, steps, sharpness, temperature):
    steps = np.array(steps, np.int32)
    logits, attention = attention_outputs(np.random.default_rng(seed), steps, sharpness)
    lines = [
        attention_greedy(probabilities, looked[:, :count], ALPHABET)
        for probabilities, looked, count in zip(softmax(logits, temperature), attention, steps)
    ]
    outputs = {"logits": tf.constant(logits), "attention": tf.constant(attention)}
    assert_equal_lines(graph.attention_greedy(outputs, tf.constant(steps), temperature), lines)


OF_KIND = dict(zip("RALENSCTMO", "אاa1١+.%\u05b4!"))  # a character of each kind


@given(st.lists(st.text("".join(OF_KIND), max_size=12), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_graph_puts_right_to_left_text_into_the_same_order(lines):
    assert set(OF_KIND) == {*KINDS.values(), "O"}
    alphabet = Alphabet("\u05b4" + "".join(c for c in OF_KIND.values() if c != "\u05b4") + "()")
    ids = np.zeros((len(lines), max(1, *map(len, lines))), np.int32)
    for row, line in zip(ids, lines):
        row[: len(line)] = [alphabet.ids[OF_KIND[kind]] for kind in line]
    places, found = (values.numpy() for values in ReadingOrder(alphabet)(tf.constant(ids)))
    for i, line in enumerate(lines):
        order = [place for place, _ in reading_order(line)]
        assert places[i, : len(line)].tolist() == order
        assert found[i, : len(line)].tolist() == ids[i, order].tolist()
        assert not found[i, len(line) :].any()


def test_the_graph_mirrors_brackets_of_right_to_left_text_alone():
    alphabet = Alphabet("אa()")
    texts = ["(a)", "א(a", "(א)a"]
    rows = [alphabet.encode(text) + [0] * (4 - len(text)) for text in texts]
    found = ReadingOrder(alphabet)(tf.constant(rows)).ids.numpy()
    assert [alphabet.decode(row) for row in found] == texts
