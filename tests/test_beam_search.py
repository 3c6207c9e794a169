"""Beam search, with and without a lexicon or pattern, against all paths counted out."""

import itertools
import math

import numpy as np
import pytest
from support.ctc import ONES, counted_out, image_of, random_line

from ocr_simple.decoding.alignment import aligned_line, ctc_align
from ocr_simple.decoding.beam_search import (
    LOG_SEMIRING,
    REAL_SEMIRING,
    CtcExtend,
    attention_alternatives,
    attention_beam_search,
    ctc_alternatives,
    ctc_beam_search,
)
from ocr_simple.decoding.constraints import Lexicon, Pattern
from ocr_simple.decoding.greedy import ctc_greedy, softmax
from ocr_simple.decoding.prefix_search import search
from ocr_simple.text import Alphabet, Alternative, Line, ctc_steps_needed

WIDE = 1000  # no prefix of a short line is dropped
WORDS = ["1", "11", "1a1", "a", "aa", "a-1a", "1-1-1-1"]


# --- CTC ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("constraint", [None, Pattern(r"1+"), Pattern(r"[1a]{2}(-1)?"), WORDS])
def test_the_most_probable_allowed_text_is_found(seed, constraint):
    probabilities = random_line(seed, steps=1 + seed % 6)
    totals = counted_out(probabilities)
    if constraint is WORDS:
        constraint = Lexicon(WORDS, ONES)
    allowed = {t: p for t, p in totals.items() if constraint is None or constraint.allows(t)}
    line = ctc_beam_search(probabilities, ONES, constraint, WIDE)
    assert line.text == max(allowed, key=allowed.get, default="")
    assert allowed or line.confidence == 0


@pytest.mark.parametrize("semiring", [REAL_SEMIRING, LOG_SEMIRING])
@pytest.mark.parametrize("text", ["", "1", "11", "1a1", "a-1a"])
def test_a_text_has_its_total_probability(text, semiring):
    probabilities = random_line(3, steps=5).astype(float)
    p = np.log(probabilities) if semiring is LOG_SEMIRING else probabilities
    only = Pattern(text)
    [found] = search(CtcExtend(p, semiring), ONES, only, WIDE)
    assert found.text == text
    assert math.exp(found.score) == pytest.approx(counted_out(probabilities)[text], rel=1e-9)


def test_the_total_over_alignments_beats_the_best_path():
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4]], np.float32)  # blank, 1
    assert ctc_greedy(probabilities, Alphabet("1")).text == ""  # 0.36; three paths of "1": 0.64
    assert ctc_beam_search(probabilities, Alphabet("1")).text == "1"


def test_a_lexicon_is_exact_whatever_the_beam():
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice(list("1a-"), rng.integers(1, 6))) for _ in range(200)}
    lexicon = Lexicon(words, ONES)
    for seed in range(5):
        probabilities = random_line(seed, steps=6, sharpness=2)
        totals = counted_out(probabilities)
        line = ctc_beam_search(probabilities, ONES, lexicon, beam_width=1)
        assert line.text == max(words, key=lambda word: totals.get(word, 0))


def test_a_line_too_improbable_for_plain_numbers_is_read_all_the_same():
    alphabet = Alphabet("abc")
    probabilities = image_of("ab" * 60, 300, alphabet, confidence=1 - 1e-7)
    lexicon = Lexicon(["c", "ccc", "cba"], alphabet)
    line = ctc_beam_search(probabilities, alphabet, lexicon)
    assert line.text == "cba" and line.confidence < 1e-9


def test_probabilities_of_0_forbid_no_text():
    probabilities = np.eye(4, dtype=np.float32)[[1, 0, 2, 0]]  # 1, blank, a, blank
    assert ctc_beam_search(probabilities, ONES, Lexicon(["--", "1-"], ONES)).text == "1-"


def test_a_word_that_needs_more_steps_than_there_are_does_not_come_out():
    probabilities = image_of("11", 5, ONES)[:2]
    assert ctc_steps_needed("11") == 3
    assert ctc_beam_search(probabilities, ONES, Lexicon(["11", "a"], ONES)).text == "a"
    assert ctc_beam_search(probabilities, ONES, Lexicon(["11"], ONES)) == Line("", 0.0, ())
    assert ctc_beam_search(probabilities, ONES, Pattern("11")) == Line("", 0.0, ())


def test_a_single_step_has_a_single_character_at_most():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    assert ctc_beam_search(probabilities, ONES).text == "-"
    line = ctc_beam_search(probabilities, ONES, Pattern("[1a]+"))
    assert [(c.text, c.start, c.end) for c in line.characters] == [("a", 0, 1)]
    assert line.confidence == pytest.approx(0.3)


def test_no_steps_are_an_empty_line():
    nothing = np.zeros((0, ONES.classes), np.float32)
    assert ctc_beam_search(nothing, ONES) == ctc_greedy(nothing, ONES)
    assert ctc_beam_search(nothing, ONES, Pattern("1*")) == Line("", 1.0, ())
    assert ctc_beam_search(nothing, ONES, Pattern("1+")) == Line("", 0.0, ())


def test_an_empty_text_can_be_allowed():
    probabilities = image_of("", 6, ONES)
    line = ctc_beam_search(probabilities, ONES, Pattern("1*"))
    assert line == ctc_greedy(probabilities, ONES) and line.confidence == pytest.approx(0.99)


def test_a_pattern_decides_what_the_image_leaves_open():
    alphabet = Alphabet("0123456789-")
    probabilities = image_of("12-345", 24, alphabet)
    dash = probabilities[:, alphabet.ids["-"]].argmax()
    one = alphabet.ids["1"]
    probabilities[dash] = 0.01
    probabilities[dash, [one, alphabet.ids["-"]]] = 0.6, 0.3
    assert ctc_beam_search(probabilities, alphabet).text == "121345"
    assert ctc_beam_search(probabilities, alphabet, Pattern(r"\d{2}-\d{3}")).text == "12-345"


def test_a_pattern_of_which_the_image_shows_only_the_beginning_still_gives_a_text():
    alphabet = Alphabet("0123456789-")
    probabilities = image_of("12", 40, alphabet, confidence=1 - 1e-6)
    line = ctc_beam_search(probabilities, alphabet, Pattern(r"\d{2}-\d{3}"))
    assert Pattern(r"12-\d{3}").allows(line.text) and line.confidence < 1e-12


def test_a_beam_that_a_pattern_leads_astray_is_widened():
    alphabet = Alphabet("abcdefghij")
    probabilities = image_of("aj", 8, alphabet)
    # beginnings with a to i look right, and none of them can end in this alphabet
    assert ctc_beam_search(probabilities, alphabet, Pattern("[a-i].*X|jj"), 2).text == "jj"


def test_a_lexicon_and_a_pattern_hold_together():
    lexicon = Lexicon(["11", "aa", "1a"], ONES).matching(Pattern("[1]+|a+"))
    probabilities = image_of("1a", 8, ONES)
    assert ctc_beam_search(probabilities, ONES, Lexicon(["11", "aa", "1a"], ONES)).text == "1a"
    assert ctc_beam_search(probabilities, ONES, lexicon).text in ("11", "aa")


def test_any_script_is_read():
    alphabet = Alphabet("日本語éя𝟙")
    probabilities = image_of("語語я𝟙", 12, alphabet)
    lexicon = Lexicon(["日本", "語語я𝟙", "語я𝟙"], alphabet)
    assert ctc_beam_search(probabilities, alphabet, lexicon).text == "語語я𝟙"
    assert ctc_beam_search(probabilities, alphabet, Pattern(r"\p{Han}+я.")).text == "語語я𝟙"


def test_a_constraint_can_be_any_object_with_the_two_methods():
    class Palindrome:
        def extends(self, prefix):
            return True

        def allows(self, text):
            return text == text[::-1]

    probabilities = random_line(1, steps=5)
    totals = {t: p for t, p in counted_out(probabilities).items() if t == t[::-1]}
    line = ctc_beam_search(probabilities, ONES, Palindrome(), WIDE)
    assert line.text == max(totals, key=totals.get)


def test_a_lexicon_of_another_alphabet_is_an_error():
    with pytest.raises(ValueError, match="make the lexicon with the model's"):
        ctc_beam_search(random_line(0, 3), ONES, Lexicon(["1"], Alphabet("1")))


@pytest.mark.parametrize("width", [0, -1])
def test_a_beam_of_nothing_is_an_error(width):
    with pytest.raises(ValueError, match=f"beam_width {width}"):
        ctc_beam_search(random_line(0, 3), ONES, None, width)


def test_probabilities_of_another_alphabet_are_an_error():
    with pytest.raises(ValueError, match=r"shape \(3, 4\): give \(steps, 3\)"):
        ctc_beam_search(random_line(0, 3), Alphabet("ab"))


# --- alignment, confidence, spans -----------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_alignment_is_the_most_probable_path_of_its_text(seed):
    probabilities = random_line(seed, steps=6)
    for text in ("", "1", "11", "1a1"):
        ids = ONES.encode(text)
        paths = [
            path
            for path in itertools.product(range(ONES.classes), repeat=6)
            if ONES.decode(i for i, _ in itertools.groupby(path)) == text
        ]
        best = max(paths, key=lambda path: probabilities[np.arange(6), path].prod(dtype=float))
        runs, end = [], 0
        for i, run in itertools.groupby(best):
            start, end = end, end + len(list(run))
            runs += [(start, end)] if i else []
        assert ctc_align(probabilities, ids) == runs


def test_a_text_that_does_not_fit_has_no_alignment():
    with pytest.raises(ValueError, match="2 characters does not fit into 2 time steps"):
        ctc_align(random_line(0, 2), ONES.encode("11"))


@pytest.mark.parametrize("seed", range(20))
def test_the_best_paths_text_has_the_best_paths_line(seed):
    probabilities = softmax(np.random.default_rng(seed).normal(0, 4, (12, ONES.classes)))
    greedy = ctc_greedy(probabilities, ONES)
    if greedy.text:
        assert ctc_beam_search(probabilities, ONES, Lexicon([greedy.text], ONES)) == greedy
        aligned = aligned_line(probabilities, greedy.text, ONES)
        assert aligned.confidence == pytest.approx(greedy.confidence, abs=1e-6)
        for ours, theirs in zip(aligned.characters, greedy.characters, strict=True):
            assert ours.text == theirs.text
            assert ours[1:] == pytest.approx(theirs[1:])


def test_a_constrained_character_has_its_probability():
    probabilities = np.full((5, 4), 0.01, np.float32)
    probabilities[[0, 2, 4], 0] = 0.97
    probabilities[1, [1, 2]] = 0.6, 0.38  # 1, or an a
    probabilities[3, 1] = 0.97
    line = ctc_beam_search(probabilities, ONES, Lexicon(["a1", "--"], ONES))
    assert [c.confidence for c in line.characters] == pytest.approx([0.38, 0.97])
    assert [(c.start, c.end) for c in line.characters] == [(1, 2.5), (2.5, 4)]
    assert line.confidence == pytest.approx(0.38 * 0.97, rel=0.05)


def test_a_word_that_leaves_out_what_the_image_shows_is_not_sure():
    probabilities = image_of("1a1", 9, ONES)
    line = ctc_beam_search(probabilities, ONES, Lexicon(["1a"], ONES))
    assert min(c.confidence for c in line.characters) > 0.98
    assert line.confidence < 0.02


# --- attention ------------------------------------------------------------------------------


class Toy:
    """A decoder whose next symbol hangs on the last two, with random probabilities."""

    def __init__(self, seed, classes=3):
        logits = np.random.default_rng(seed).normal(0, 1.5, (classes, classes, classes))
        self.log_p = np.log(softmax(logits).astype(float))
        self.start = {"last": np.zeros(1, int)}
        self.rows = 0

    def step(self, states, last_ids):
        self.rows += len(last_ids)
        return self.log_p[states["last"], last_ids], {"last": last_ids}

    @staticmethod
    def select(states, indices):
        return {"last": states["last"][indices]}

    def score(self, ids):
        symbols = [0, 0, *ids, 0]
        return sum(self.log_p[a, b, c] for a, b, c in zip(symbols, symbols[1:], symbols[2:]))

    def search(self, max_steps=6, constraint=None, beam_width=None):
        return attention_beam_search(
            self.step, self.start, self.select, AB, max_steps, constraint, beam_width
        )


AB = Alphabet("ab")
TEXTS = ["".join(text) for n in range(6) for text in itertools.product("ab", repeat=n)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("constraint", [None, Pattern("(ab)+a?"), ["aa", "abba", "bbbbb", "aba"]])
def test_the_most_probable_text_of_a_decoder_is_found(seed, constraint):
    toy = Toy(seed)
    width = WIDE
    if isinstance(constraint, list):
        constraint, width = Lexicon(constraint, AB), None
    allowed = [text for text in TEXTS if constraint is None or constraint.allows(text)]
    best = max(allowed, key=lambda text: toy.score(AB.encode(text)))
    decoded = toy.search(6, constraint, width)
    assert AB.decode(decoded.ids) == best
    assert decoded.log_probability == pytest.approx(toy.score(decoded.ids))


def test_each_symbol_has_its_probability_the_end_too():
    decoded = Toy(2).search(constraint=Lexicon(["abb"], AB))
    assert len(decoded.probabilities) == 4
    assert np.log(decoded.probabilities).sum() == pytest.approx(decoded.log_probability)


def test_a_text_ends_within_the_steps():
    words = Lexicon(["aaa", "aaaa"], AB)
    assert Toy(0).search(4, words).ids == AB.encode("aaa")
    nothing = Toy(0).search(3, words)
    assert (nothing.ids, nothing.log_probability, len(nothing.probabilities)) == ([], -math.inf, 0)
    with pytest.raises(ValueError, match="max_steps 0"):
        Toy(0).search(0)


def test_a_width_bounds_the_steps_of_a_decoder():
    words = Lexicon(TEXTS[1:], AB)
    narrow, whole = Toy(1), Toy(1)
    narrow.search(6, words, 1)
    whole.search(6, words)
    assert narrow.rows <= 6 < whole.rows


# --- alternatives ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("constraint", [None, Pattern(r"[1a]+"), WORDS])
def test_alternatives_are_the_next_most_probable_texts(seed, constraint):
    probabilities = random_line(seed, steps=5)
    if constraint is WORDS:
        constraint = Lexicon(WORDS, ONES)
    totals = counted_out(probabilities)
    allowed = {t: p for t, p in totals.items() if constraint is None or constraint.allows(t)}
    line = ctc_beam_search(probabilities, ONES, constraint, WIDE)
    found = ctc_alternatives(line, probabilities, ONES, 3, constraint, WIDE)
    others = sorted(allowed.keys() - {line.text, ""}, key=allowed.get, reverse=True)
    assert [other.text for other in found.alternatives] == others[:3]
    assert found._replace(alternatives=()) == line


@pytest.mark.parametrize("seed", range(6))
def test_no_alternative_is_surer_than_the_line_and_their_sum_is_at_most_1(seed):
    probabilities = random_line(seed, steps=6)
    greedy = ctc_greedy(probabilities, ONES)
    line = ctc_alternatives(greedy, probabilities, ONES, 20)
    shares = [line.confidence, *(other.confidence for other in line.alternatives)]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1


def test_an_alternative_is_as_probable_as_what_it_replaces():
    alphabet = Alphabet("0123456789")
    rows = np.full((2, alphabet.classes), 1e-4)
    rows[0, [alphabet.ids["1"], alphabet.ids["7"]]] = 0.6, 0.39
    rows[1, [alphabet.ids["4"], alphabet.ids["9"]]] = 0.8, 0.19
    line = ctc_alternatives(ctc_greedy(rows, alphabet), rows, alphabet, 4)
    assert line.text == "14" and len(line.alternatives) == 4
    assert [other.text for other in line.alternatives[:3]] == ["74", "19", "79"]
    assert line.alternatives[0].confidence == pytest.approx(0.39 * 0.8, rel=0.01)


@pytest.mark.parametrize("constraint", [None, ["aa", "abba", "bbbbb", "aba"]])
def test_alternatives_of_a_decoder_have_their_probabilities(constraint):
    toy = Toy(1)
    allowed, width = TEXTS, WIDE
    if constraint:
        allowed, constraint, width = constraint, Lexicon(constraint, AB), None
    decoded = toy.search(6, constraint, width)
    line = Line(AB.decode(decoded.ids), math.exp(decoded.log_probability), ())
    how = toy.step, toy.start, toy.select, AB, 6, 3, constraint, width
    found = attention_alternatives(line, *how).alternatives
    scores = {text: toy.score(AB.encode(text)) for text in allowed if text not in ("", line.text)}
    assert [x.text for x in found] == sorted(scores, key=scores.get, reverse=True)[:3]
    for other in found:
        assert other.confidence == pytest.approx(math.exp(scores[other.text]))


def test_alternatives_of_right_to_left_text_are_in_logical_order():
    alphabet = Alphabet("אב1")
    others = Alternative("1בא", 0.2), Alternative("אב1", 0.1)
    line = alphabet.in_logical_order(Line("", 0.7, (), alternatives=others))
    assert [other.text for other in line.alternatives] == ["אב1", "1בא"]
