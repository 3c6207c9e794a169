"""reader_constraint.py, which is copied beside reader.py, searches as ocr_simple does."""

import json

import numpy as np
import pytest

from aocr import reader
from aocr.reader_constraint import Constraint
from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.decoding.constraints import Lexicon
from ocr_simple.decoding.greedy import ctc_greedy, softmax
from ocr_simple.decoding.regular import compile_pattern
from ocr_simple.text import Alphabet

ABC = Alphabet("0123456789ab-")
WORDS = ["12-34", "1", "1a", "aa", "ab-ab", "00", "0012345", "b"]


def probabilities(seed: int, steps: int, sharpness: float = 3.0) -> np.ndarray:
    """Of a line: blanks and characters, more or less sure."""
    logits = np.random.default_rng(seed).normal(0, sharpness, (steps, ABC.classes))
    return softmax(logits.astype(np.float32))


def read_both(automaton: Automaton, p: np.ndarray, constraint=None) -> tuple:
    """(what ocr_simple reads, what reader.py reads), texts and confidences."""
    kept = json.loads(json.dumps({"automaton": automaton.description()}))
    greedy = ctc_greedy(p, ABC)
    ids, confidence = Constraint(kept, ABC.classes).read(
        np.log(p), ABC.ids_of(greedy.text), greedy.confidence
    )
    line = ctc_beam_search(p, ABC, constraint or automaton)
    return (line.text, line.confidence), (ABC.decode(ids), confidence)


@pytest.mark.parametrize(
    "pattern", [r"\d{5}", r"\d{2}-\d{3}", r"[ab]*", r"(1|12|123)+a?", ".*", r"00(-\d)*"]
)
def test_a_pattern_reads_the_same(pattern):
    automaton = compile_pattern(pattern, ABC)
    for seed in range(12):
        line, found = read_both(automaton, probabilities(seed, 4 + seed, 1 + seed % 4))
        assert found == (line[0], pytest.approx(line[1], rel=1e-4, abs=1e-30))


def test_a_lexicon_reads_the_same():
    lexicon = Lexicon(WORDS, ABC)
    automaton = Automaton.of_words(lexicon.words, ABC)
    for seed in range(30):
        line, found = read_both(automaton, probabilities(seed, 3 + seed), lexicon)
        assert found == (line[0], pytest.approx(line[1], rel=1e-4, abs=1e-30))


def test_where_nothing_fits_the_line_is_empty():
    line, found = read_both(compile_pattern(r"\d{5}", ABC), probabilities(0, 3))
    assert line == found == ("", 0.0)


def test_a_damaged_automaton_is_refused_before_it_is_used():
    good = Automaton.of_words(WORDS, ABC).description()
    states = len(good["first"]) - 1
    damages = [
        {"first": []}, {"first": [0, 5]}, {"first": [1, *good["first"][1:]]}, {"ids": "12"},
        {"ids": [99] * len(good["ids"])}, {"next": [states] * len(good["next"])}, {"final": [-1]},
        {"next": [0] * len(good["next"])}, {"first": None}, {"ids": [[1, 2], 3]}, {"ids": [1e400]},
    ]  # fmt: skip
    for damage in damages:
        with pytest.raises(ValueError, match=r"automaton|constraint"):
            Constraint({"automaton": good | damage}, ABC.classes)
        with pytest.raises(ValueError, match="automaton"):
            Automaton.of_description(good | damage, ABC)
    for other in (None, [], {"exact": True}, 5):
        with pytest.raises(ValueError, match="automaton"):
            Constraint({"automaton": other}, ABC.classes)
        with pytest.raises(ValueError, match="automaton"):
            Automaton.of_description(other, ABC)


def test_texts_beyond_number_are_not_all_searched():
    endless = compile_pattern(r"\d{9}", ABC).description() | {"exact": True}
    with pytest.raises(ValueError, match="over 500,000 prefixes"):
        Constraint({"automaton": endless}, ABC.classes)
    with pytest.raises(ValueError, match="over 500,000 prefixes"):
        Automaton.of_description(endless, ABC)


def test_a_reader_without_the_second_file_names_it(monkeypatch):
    about = {"alphabet": "01", "constraint": {"automaton": {}}}
    monkeypatch.setattr(reader, "__package__", "")
    with pytest.raises(ValueError, match=r"reader_constraint\.py: not there; copy it"):
        reader.constraint_of(about, reader.Path("model.onnx"))


def test_a_long_line_and_many_texts_are_searched_by_a_beam_in_both(monkeypatch):
    monkeypatch.setattr("ocr_simple.decoding.constraints.MOST_EXACT", 100)
    monkeypatch.setattr("aocr.reader_constraint.MOST_EXACT", 100)
    for seed in range(10):
        line, found = read_both(Automaton.of_words(sorted(WORDS), ABC), probabilities(seed, 9))
        assert found == (line[0], pytest.approx(line[1], rel=1e-4, abs=1e-30)) and line[0] in WORDS
