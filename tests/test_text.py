"""The alphabet, label ids and normalised text."""

import re

import pytest

from ocr_simple.messages import escape_controls
from ocr_simple.text import BLANK, Alphabet, ctc_steps_needed, normalise_text

AB = Alphabet("ab")


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


def test_a_string_that_cannot_be_a_path_is_an_alphabet():
    assert Alphabet.parse("a" * 5000 + "b").characters == "ab"


@pytest.mark.parametrize("character", ["\0", "\t", "\x1b", "\u2028", "\u061c", "\u202e", "\ud800"])
def test_what_no_label_can_have_is_in_no_alphabet(character):
    with pytest.raises(ValueError, match=rf"has U\+{ord(character):04X}, which no label can have"):
        Alphabet.parse(f"a{character}b")


def test_joiners_of_persian_and_hindi_are_characters():
    assert Alphabet.parse("a\u200c\u200d").characters == "a\u200c\u200d"


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
    assert escape_controls("a\tb\nc\rd\x1b\x85\u2028") == r"a\tb\nc\rd\x1b\x85\u2028"
    assert escape_controls("über C:\\new 名前.png") == "über C:\\new 名前.png"


@pytest.mark.parametrize(("text", "needed"), [("", 0), ("a", 1), ("ab", 2), ("aa", 3), ("aaba", 5)])
def test_steps_needed_counts_a_blank_between_equal_neighbours(text, needed):
    assert ctc_steps_needed(text) == needed


# --- which alphabet ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["my_charakters.txt", "chars/german.txt", "letters.dat", "gone.chars", "./alphabet"]
)
def test_a_name_that_looks_like_a_missing_file_is_an_error(name):
    with pytest.raises(ValueError, match=f"{re.escape(name)}: no such file"):
        Alphabet.parse(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("alnm", "alnum"), ("digts", "digits"), ("asci", "ascii"), ("ASCII", "ascii"),
     ("number", "numbers"), ("nubmers", "numbers"), ("Digits", "digits")],
)  # fmt: skip
def test_a_misspelt_name_is_an_error_that_suggests_the_right_one(name, meant):
    with pytest.raises(ValueError, match=f"did you mean {meant}"):
        Alphabet.parse(name)


@pytest.mark.parametrize("name", ["hebrew", "Greek", "latin", "letters"])
def test_the_name_of_a_script_is_no_alphabet(name):
    with pytest.raises(ValueError, match=f"--alphabet {name}: no such alphabet; give its char"):
        Alphabet.parse(name)


@pytest.mark.parametrize(
    "characters",
    ["almn", "dgist", "0123456789./-", "0123456789.,:-/ ", "abc", "aeiou", "xyz", "bcdfghjklmnp",
     "0123456789.ab", "ACGT", "αβγδ", "a/b", "/", ".", "1.2", "nein", "A1.B2"],
)  # fmt: skip
def test_characters_that_are_no_name_are_an_alphabet(characters):
    assert Alphabet.parse(characters).characters == "".join(dict.fromkeys(characters))


def test_an_alphabet_says_how_many_and_which_characters_it_has():
    assert str(AB) == "2 characters, 'ab'"
    many = Alphabet("".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    assert str(many).startswith("3,000 characters, '一") and str(many).endswith("and 2,800 more")


@pytest.mark.parametrize(
    "character", ["\u200b", "\ufeff", "\xad", "\u2060", "\U000e0041", "\u202e"]
)
def test_an_invisible_character_in_an_alphabet_is_named(character, tmp_path):
    file = tmp_path / "characters.txt"
    file.write_text(f"ab{character}c")
    for given in (f"ab{character}c", str(file)):
        with pytest.raises(ValueError, match=rf"has U\+{ord(character):04X}, which no label can"):
            Alphabet.parse(given)


def test_a_byte_order_mark_before_an_alphabet_is_dropped_and_joiners_stay():
    assert Alphabet.parse("\ufeffab").characters == "ab"
    assert Alphabet.parse("\u200c\u0641").characters == "\u200c\u0641"
