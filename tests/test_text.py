"""The alphabet, CTC decoding, confidences and spans."""

from ocr_simple.text import Alphabet
from ocr_simple.text import BLANK
from ocr_simple.decoding.greedy import ctc_decode
from ocr_simple.text import normalise_text
from ocr_simple.text import one_line
from ocr_simple.decoding.greedy import softmax
from ocr_simple.text import steps_needed

import numpy as np
import pytest


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


# --- the alphabet ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("digits", "0123456789"),
        ("alnum", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("ascii", "".join(chr(c) for c in range(32, 127))),
    ],
)
def test_named_alphabets(name, characters):
    assert Alphabet.parse(name).characters == characters


def test_a_string_is_an_alphabet_in_its_own_order():
    alphabet = Alphabet.parse("zäa7")
    assert alphabet.characters == "zäa7"
    assert alphabet.encode("a7z") == [3, 4, 1]
    assert alphabet.classes == 5


def test_a_file_is_an_alphabet_without_its_line_breaks_and_byte_order_mark(tmp_path):
    file = tmp_path / "characters.txt"
    file.write_bytes("ab c\r\né€\n".encode("utf-8-sig"))
    assert Alphabet.parse(str(file)).characters == "ab cé€"


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt: not UTF-8"):
        Alphabet.parse(str(file))


def test_parse_composes_to_nfc_and_takes_each_character_once():
    assert Alphabet.parse("e\u0301a\u00e9a").characters == "\u00e9a"


@pytest.mark.parametrize(
    ("characters", "what"),
    [("", "empty"), ("abca", "repeats 'a'"), ("e\u0301", "not in Unicode NFC")],
)
def test_an_alphabet_that_cannot_be_used_says_why(characters, what):
    with pytest.raises(ValueError, match=what):
        Alphabet(characters)


def test_an_empty_file_is_no_alphabet(tmp_path):
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(ValueError, match="empty"):
        Alphabet.parse(str(tmp_path / "none.txt"))


@pytest.mark.parametrize("specification", ["a" * 5000 + "b", "a\0b"])
def test_a_string_that_cannot_be_a_path_is_an_alphabet(specification):
    assert Alphabet.parse(specification).characters == "".join(dict.fromkeys(specification))


def test_decode_is_the_inverse_of_encode():
    alphabet = Alphabet.parse("ascii")
    assert alphabet.decode(alphabet.encode("Hello, World")) == "Hello, World"


def test_id_0_is_the_blank_and_padding():
    assert BLANK == 0
    assert AB.decode([0, 1, 0, 2, 0, 0]) == "ab"


def test_encode_names_each_unknown_character_once_and_the_label():
    with pytest.raises(ValueError, match=r"label 'a-b-é' has '-é'"):
        AB.encode("a-b-é")
    assert AB.unknown("a-b-é") == "-é"


def test_normalised_text_is_composed_with_single_spaces():
    assert normalise_text("  e\u0301 \t\n b\u3000") == "é b"


def test_one_line_escapes_what_would_break_the_line_and_nothing_else():
    assert one_line("a\tb\nc\rd\x1b\x85\u2028") == r"a\tb\nc\rd\x1b\x85\u2028"
    assert one_line("über C:\\new 名前.png") == "über C:\\new 名前.png"


# --- decoding -------------------------------------------------------------------------------


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
    assert ctc_decode(steps(path), AB).text == text


@pytest.mark.parametrize(("text", "needed"), [("", 0), ("a", 1), ("ab", 2), ("aa", 3), ("aaba", 5)])
def test_steps_needed_counts_a_blank_between_equal_neighbours(text, needed):
    assert steps_needed(text) == needed


def test_a_line_of_exactly_the_steps_needed_can_be_decoded():
    assert ctc_decode(steps("a-aba"), AB).text == "aaba"
    assert len("a-aba") == steps_needed("aaba")


def test_a_character_has_the_maximum_of_its_run_and_the_line_their_product():
    line = ctc_decode(steps("aa-b-", peak=[0.6, 0.8, 0.99, 0.7, 0.5]), AB)
    assert [c.confidence for c in line.characters] == pytest.approx([0.8, 0.7])
    assert line.confidence == pytest.approx(0.56)


def test_an_empty_line_has_the_least_blank_probability():
    line = ctc_decode(steps("---", peak=[0.9, 0.6, 0.8]), AB)
    assert (line.text, line.characters) == ("", ())
    assert line.confidence == pytest.approx(0.6)


def test_no_steps_are_an_empty_line():
    assert ctc_decode(np.zeros((0, 3), np.float32), AB) == ("", 1.0, ())


def test_neighbours_meet_halfway_across_the_blanks_between_them():
    assert spans(ctc_decode(steps("-aa---b-"), AB)) == [("a", 1, 4.5), ("b", 4.5, 7)]


def test_neighbours_without_a_blank_touch():
    assert spans(ctc_decode(steps("abb"), AB)) == [("a", 0, 1), ("b", 1, 3)]


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
