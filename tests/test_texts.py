"""What generated lines say: random characters, words, numbers, given strings, Wikipedia."""

import re
import string
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ocr_simple.drawing.phrases import frequencies
from ocr_simple.drawing.texts import Texts, check_text_options, chosen_alphabet, number
from ocr_simple.errors import LineError
from ocr_simple.options import TRDG_FOLDER, LineOptions
from pretrained.word_list import is_suitable


def texts(**options):
    options = LineOptions(**options)
    return Texts(options, options.parsed_alphabet())


def draws(source, count=200):
    return [source.draw(np.random.default_rng(k)) for k in range(count)]


def test_random_text_keeps_to_the_alphabet_and_the_lengths():
    drawn = draws(texts(alphabet="ab ", min_length=2, max_length=5))
    assert {len(text) for text in drawn} == {2, 3, 4, 5}
    assert set("".join(drawn)) == set("ab ")
    assert all(" ".join(text.split()) == text for text in drawn), "spaces that would not show"


def test_long_text_of_few_characters_is_drawn_without_the_spaces_that_would_not_show():
    (text,) = draws(texts(alphabet="01 ", min_length=200, max_length=200), 1)
    assert set(text) == set("01 ") and len(text) > 100 and "  " not in text


def test_dictionary_lines_have_up_to_words_words():
    drawn = draws(texts(text_source="dictionary", alphabet="ascii", words=3))
    assert {text.count(" ") for text in drawn} == {0, 1, 2}


@pytest.mark.parametrize("source", ["signs", "pages", "recipe"])
@pytest.mark.parametrize("alphabet", ["ascii", "alnum", string.ascii_uppercase])
def test_phrases_are_in_the_alphabet_and_show_something(source, alphabet):
    source = texts(text_source=source, alphabet=alphabet, words=5)
    for text in draws(source):
        assert not source.alphabet.unknown(text) and " ".join(text.split()) == text != ""


def test_signs_have_words_in_every_case_and_of_every_length_names_and_codes():
    drawn = draws(texts(text_source="signs", alphabet="ascii", words=3), 2000)
    for case in (str.isupper, str.islower, str.istitle):
        assert 0.1 < sum(map(case, drawn)) / 2000 < 0.6
    assert 0.05 < sum(len(text) > 10 for text in drawn) / 2000 < 0.3
    assert sum(" " in text for text in drawn) / 2000 < 0.15, "most are one word"
    codes = [text for text in drawn if re.search("[A-Z][0-9]|[0-9][A-Z]", text)]
    assert 0.03 < len(codes) / 2000 < 0.25


def test_pages_have_frequent_words_most_often_in_rows_of_up_to_words_words():
    drawn = draws(texts(text_source="pages", alphabet="ascii", words=6), 1000)
    words = Counter(" ".join(drawn).lower().split())
    assert words["the"] > 5 * words["restaurant"] and words["the"] > 50
    assert max(text.count(" ") for text in drawn) < 10
    assert any(text.endswith("-") for text in drawn), "words broken at the end of a row"


def test_the_source_recipe_draws_what_fits_a_recipe():
    source = texts(text_source="recipe", alphabet="ascii", words=6)
    rng = np.random.default_rng(0)
    spaces = {
        kind: np.mean([source.draw(rng, kind).count(" ") for _ in range(300)])
        for kind in ("signs", "pages")
    }
    assert spaces["signs"] < 0.5 < 1.5 < spaces["pages"]


def test_phrases_need_letters():
    with pytest.raises(LineError, match=r"none of the .* fits the alphabet"):
        texts(text_source="signs", alphabet="digits")


def test_the_word_list_is_sorted_in_latin_letters_and_not_offensive():
    words = list(frequencies())
    assert words == sorted(words) and len(words) > 40_000
    assert all(map(is_suitable, words))
    assert frequencies()["the"] > 100 * frequencies()["library"]


def test_dictionary_words_outside_the_alphabet_are_left_out_and_counted():
    source = texts(text_source="dictionary", alphabet=string.ascii_lowercase, language="fr")
    assert source.left_out > 0 and not set("".join(source.pool)) - set(string.ascii_lowercase)
    every = (TRDG_FOLDER / "dicts" / "fr.txt").read_text(encoding="utf-8").split("\n")
    assert source.left_out + len(source.pool) == len({" ".join(w.split()) for w in every if w})


def test_mixed_lines_have_words_in_every_case_numbers_and_punctuation():
    drawn = draws(texts(text_source="mixed", alphabet="ascii", words=4), 600)
    assert {text.count(" ") for text in drawn} >= {0, 1, 2, 3}
    words = [word for text in drawn for word in text.split()]
    for shown in (str.islower, str.isupper, str.istitle, str.isdigit):
        assert sum(map(shown, words)) > 20
    assert sum(any(c in string.punctuation for c in word) for word in words) > 100


@pytest.mark.parametrize("alphabet", ["digits", string.ascii_lowercase, "ABC 123"])
def test_mixed_lines_keep_to_any_alphabet(alphabet):
    source = texts(text_source="mixed", alphabet=alphabet, words=2)
    drawn = draws(source)
    assert all(text and not source.alphabet.unknown(text) for text in drawn)
    assert len(set(drawn)) > 30


@pytest.mark.parametrize("source", ["mixed", "pages"])
def test_long_lines_lose_the_words_and_marks_that_the_alphabet_lacks(source):
    source = texts(text_source=source, alphabet=string.ascii_lowercase + " ", words=30)
    drawn = draws(source)
    assert not source.alphabet.unknown("".join(drawn))
    assert sum(text.count(" ") >= 5 for text in drawn) > 40, "not random strings alone"


def test_the_source_numbers_draws_printed_numbers_and_digits_in_the_alphabet():
    source = texts(text_source="numbers", alphabet="numbers")
    drawn = draws(source, 400)
    assert all(text and not source.alphabet.unknown(text) for text in drawn)
    for kind in (r"\d{1,10}", r"-\d+", r"\d+\.\d\d", r"-\d+\.\d+", r"\d\d:\d\d", r"\d+/\d+/\d+"):
        assert any(re.fullmatch(kind, text) for text in drawn), kind


def test_numbers_lose_the_marks_that_the_alphabet_lacks():
    drawn = draws(texts(text_source="numbers", alphabet="digits", max_length=14), 400)
    assert all(text.isdecimal() for text in drawn)
    first = [text[0] for text in drawn]
    assert first.count("1") > 1.5 * first.count("9"), "as in prices, amounts and dates"
    assert sum(text.endswith("00") for text in drawn) > 20


def test_the_source_numbers_needs_all_digits():
    with pytest.raises(LineError, match="alphabet '012' lacks '3456789'"):
        texts(text_source="numbers", alphabet="012")


def test_numbers_are_of_many_kinds():
    drawn = {number(np.random.default_rng(k)) for k in range(400)}
    for mark in ",.:/-$%#(":
        assert any(mark in text for text in drawn)
    assert all(text == text.strip() and any(c.isdigit() for c in text) for text in drawn)
    padded = [text for text in drawn if re.fullmatch(r"0\d+\.\d+", text)]
    assert padded, "a display of a fixed width shows 07.27"


def test_prices_are_the_most_frequent_numbers_from_zero_on():
    drawn = [number(np.random.default_rng(k)) for k in range(400)]
    prices = [text for text in drawn if re.fullmatch(r"[\d,]+\.\d\d", text)]
    assert len(prices) > 0.3 * len(drawn)
    assert any(text.startswith("0.") for text in prices)
    assert any(text.endswith(".00") for text in prices)


def test_a_dictionary_without_a_word_in_the_alphabet_is_an_error():
    with pytest.raises(
        LineError, match=r"none of the [\d,]+ dictionary texts fits .* --alphabet ascii"
    ):
        texts(text_source="dictionary", alphabet="digits", language="fr")


def test_a_language_without_a_dictionary_is_an_error_that_lists_those_there_are():
    with pytest.raises(LineError, match=r"--language 'xx': no dictionary; choose from .*en, "):
        texts(text_source="dictionary", language="xx", alphabet="ascii")


@pytest.mark.parametrize("case, expected", [("keep", "Ab"), ("upper", "AB"), ("lower", "ab")])
def test_case_changes_words_and_strings(case, expected):
    source = texts(text_source="strings", strings=("Ab",), alphabet="ABab", case=case)
    assert draws(source, 1) == [expected]


def test_given_strings_come_from_the_options_and_a_file(tmp_path):
    path = tmp_path / "strings.txt"
    path.write_text("\ufeffdeux  mots\n\ncafe\u0301\n", encoding="utf-8")  # BOM, blank, decomposed
    source = texts(
        text_source="strings", strings=("un",), strings_file=path, alphabet="acdefmnotsux\u00e9 "
    )
    assert source.pool == ("un", "deux mots", "caf\u00e9")
    assert set(draws(source)) == set(source.pool)


def test_strings_outside_the_alphabet_are_all_named_in_one_report(tmp_path):
    path = tmp_path / "strings.txt"
    path.write_text("12\n1x\n34\ny5\n")
    with pytest.raises(LineError) as error:
        texts(text_source="strings", strings=("7", "8z"), strings_file=path)
    message = str(error.value)
    assert "3 of 6 strings" in message and "--alphabet" in message
    for place in ("strings[1]: '8z' has 'z'", f"{path}:2: '1x' has 'x'", f"{path}:4: 'y5' has 'y'"):
        assert place in message


def test_a_report_of_many_faults_is_short():
    with pytest.raises(LineError, match="and 90 more") as error:
        texts(text_source="strings", strings=("x",) * 100)
    assert len(str(error.value).splitlines()) == 12


@pytest.mark.parametrize(
    "content, message",
    [(b"caf\xe9\n", "cannot be read"), (b"\n\n", "none given"), (None, "cannot be read")],
)
def test_a_file_without_usable_strings_is_named(content, message, tmp_path):
    path = tmp_path / "strings.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LineError, match=message) as error:
        texts(text_source="strings", strings_file=path)
    assert str(path) in str(error.value) or message == "none given"


def test_wikipedia_without_a_network_names_other_sources(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(LineError, match=r"Wikipedia cannot be reached .*dictionary.*--strings"):
        texts(text_source="wikipedia", alphabet="ascii")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": 3}, r"--words: --text-source random does not use it; add --text-source dictio"),
        ({"strings": ("12",)}, r"--strings: .* add --text-source strings"),
        ({"strings_file": Path("a.txt"), "text_source": "mixed"}, r"--strings-file: .*mixed does"),
        ({"words": 2, "text_source": "strings", "strings": ("12",)}, "--words: .*strings does not"),
    ],
)
def test_texts_that_would_be_ignored_are_an_error(options, message):
    with pytest.raises(LineError, match=message):
        check_text_options(LineOptions(**options))


@pytest.mark.parametrize("source", ["random", "numbers", "mixed", "recipe"])
def test_a_least_length_over_the_longest_is_an_error(source):
    with pytest.raises(LineError, match="--min-length 20 and --max-length 10: give"):
        texts(text_source=source, alphabet="ascii", min_length=20)


def test_texts_that_the_source_uses_are_none():
    check_text_options(LineOptions(words=3, text_source="mixed"))
    check_text_options(LineOptions(strings=("12",), text_source="strings"))
    check_text_options(LineOptions())


# --- the alphabet of the texts ------------------------------------------------------------------


def alphabet(**options):
    return chosen_alphabet(LineOptions(alphabet="auto", **options)).characters


def test_the_alphabet_of_a_dictionary_is_its_characters_and_no_word_is_left_out():
    german = alphabet(text_source="dictionary", language="de")
    assert set("äöüßÄÖÜ") <= set(german)
    source = texts(text_source="dictionary", language="de", alphabet=german)
    assert source.left_out == 0
    assert " " not in alphabet(text_source="dictionary", language="he")
    assert " " in alphabet(text_source="dictionary", language="he", words=3)


def test_the_alphabet_of_a_dictionary_follows_the_case():
    assert not set("abcß") & set(alphabet(text_source="dictionary", language="de", case="upper"))


def test_the_alphabet_of_mixed_lines_has_both_cases_digits_and_punctuation():
    characters = set(alphabet(text_source="mixed", language="fr"))
    assert set("éÉ" + string.digits + ".,:%") <= characters


def test_a_string_that_is_no_line_is_refused_before_it_is_drawn(tmp_path):
    path = tmp_path / "strings.txt"
    path.write_text("12\n" + "1" * 1_001)
    message = rf"{path}:2: a row of 1,001 characters, over the limit of 1,000; shorten it"
    with pytest.raises(LineError, match=message):
        texts(text_source="strings", strings_file=path)
    with pytest.raises(
        LineError, match=r"strings\[1\] has 1,001 characters, over the limit of 1,0"
    ):
        alphabet(text_source="strings", strings=("1", "1" * 1_001))
    assert texts(text_source="strings", strings=("1" * 1_000,)).pool


def test_the_alphabet_of_strings_is_their_characters_with_inner_spaces():
    found = alphabet(text_source="strings", strings=(" né ", "a  b", "e\u0301"))
    assert set(found) == set("néab ")


def test_invisible_characters_never_become_classes():
    source = {"text_source": "strings", "strings": ("ab\u200b", "c\ufeff", "d")}
    assert set(alphabet(**source)) == set("abcd")
    with pytest.raises(LineError, match=r"u200b"):
        texts(alphabet="abcd", **source)


def test_sources_that_make_texts_up_have_digits():
    for source in ("random", "numbers"):
        assert alphabet(text_source=source) == string.digits


def test_wikipedia_is_asked_once_for_alphabet_and_lines(monkeypatch):
    asked = []

    def sentences(least, count, language):
        asked.append(language)
        return ["Grüße aus Köln", "Ein Satz"]

    module = types.ModuleType("trdg.string_generator")
    module.create_strings_from_wikipedia = sentences
    monkeypatch.setitem(sys.modules, "trdg.string_generator", module)
    found = alphabet(text_source="wikipedia", language="de")
    source = texts(text_source="wikipedia", language="de", alphabet=found)
    assert asked == ["de"] and source.left_out == 0 and "ü" in found
