"""Greedy decoding: text, confidences and spans of a line's class probabilities."""

import itertools

import numpy as np
import pytest

from ocr_simple.decoding.greedy import attention_greedy, ctc_greedy, softmax
from ocr_simple.text import Alphabet, Line, ctc_steps_needed

AB = Alphabet("ab")


def steps(path, alphabet=AB, peak=0.9):
    """Class probabilities of a best path, `-` the blank: "a-b" is three steps."""
    ids = [0 if c == "-" else alphabet.ids[c] for c in path]
    peaks = np.broadcast_to(np.asarray(peak, np.float32), len(ids))
    rest = (1 - peaks) / (alphabet.classes - 1)
    probabilities = np.repeat(rest[:, None], alphabet.classes, axis=1)
    probabilities[np.arange(len(ids)), ids] = peaks
    return probabilities


def spans(line):
    return [(c.text, c.start, c.end) for c in line.characters]


# --- CTC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ab", "ab"),
        ("aabb", "ab"),
        ("-a-b-", "ab"),
        ("aa", "a"),
        ("a-a", "aa"),
        ("aa--abb-b", "aabb"),
        ("---", ""),
    ],
)
def test_runs_collapse_and_blanks_drop(path, text):
    assert ctc_greedy(steps(path), AB).text == text


def test_a_line_of_exactly_the_steps_needed_can_be_decoded():
    assert ctc_greedy(steps("a-aba"), AB).text == "aaba"
    assert len("a-aba") == ctc_steps_needed("aaba")


def test_a_character_has_the_maximum_of_its_run_and_the_line_their_product():
    line = ctc_greedy(steps("aa-b-", peak=[0.6, 0.8, 0.99, 0.7, 0.5]), AB)
    assert [c.confidence for c in line.characters] == pytest.approx([0.8, 0.7])
    assert line.confidence == pytest.approx(0.56)


def test_an_empty_line_has_the_least_blank_probability():
    line = ctc_greedy(steps("---", peak=[0.9, 0.6, 0.8]), AB)
    assert (line.text, line.characters) == ("", ())
    assert line.confidence == pytest.approx(0.6)


def test_no_steps_are_an_empty_line():
    assert ctc_greedy(np.zeros((0, 3), np.float32), AB) == Line("", 1.0, ())


def test_neighbours_meet_halfway_across_the_blanks_between_them():
    assert spans(ctc_greedy(steps("-aa---b-"), AB)) == [("a", 1, 4.5), ("b", 4.5, 7)]


def test_neighbours_without_a_blank_touch():
    assert spans(ctc_greedy(steps("abb"), AB)) == [("a", 0, 1), ("b", 1, 3)]


def test_softmax_sums_to_1_and_a_temperature_softens_it():
    logits = np.array([[1000.0, 1001.0], [0.0, 3.0]], np.float32)
    sharp, soft = softmax(logits), softmax(logits, temperature=2.0)
    assert sharp.sum(axis=-1) == pytest.approx([1, 1])
    assert sharp[0] == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e)])
    assert soft[1, 1] == pytest.approx(1 / (1 + np.exp(-1.5)))


def test_softmax_leaves_its_logits_alone():
    logits = np.array([[1.0, 2.0]], np.float32)
    softmax(logits)
    assert logits.tolist() == [[1.0, 2.0]]


# --- attention ------------------------------------------------------------------------------


def decoded(rows, attention):
    """The line of (class, its probability) a row, of the alphabet ab."""
    probabilities = np.array([[(1 - p) / 2 + (c == i) * (3 * p - 1) / 2 for i in range(3)]
                              for c, p in rows])  # fmt: skip
    return attention_greedy(probabilities, np.array(attention, float), Alphabet("ab"))


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
    assert decoded([(0, 0.7)], one_hot(3)) == Line("", pytest.approx(0.7), ())


def test_rows_behind_the_end_do_not_count():
    ended = decoded([(1, 0.9), (0, 0.8)], one_hot(1, 5))
    more = decoded([(1, 0.9), (0, 0.8), (2, 0.9), (0, 0.4)], [*one_hot(1, 5), *[[0.0] * 10] * 2])
    assert more == ended


def test_a_line_cut_off_has_no_end_symbol_to_count():
    line = decoded([(1, 0.9), (2, 0.8), (2, 0.6), (0, 0.4)], [*one_hot(1, 5, 7), [0.0] * 10])
    assert line.text == "ab" and line.confidence == pytest.approx(0.9 * 0.8)
