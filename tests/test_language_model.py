"""The language model: scores of words and random strings, and beam search with it."""

import dataclasses
import math

import numpy as np
import pytest
from support.ctc import ONES, counted_out, image_of, random_line

from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.decoding.constraints import Lexicon, Pattern
from ocr_simple.decoding.language_model import ESCAPE, WEIGHT, LanguageModel
from ocr_simple.decoding.ngrams import NGrams
from ocr_simple.options import InferenceOptions
from ocr_simple.reading_commands import plan
from ocr_simple.runs.model_files import TEST_IMAGES, find_language_model
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet
from pretrained import language_model as builder

ASCII = Alphabet.parse("ascii")
SPEC = ModelSpec(ASCII.characters)
LEAST = math.log(ESCAPE)


@pytest.fixture(scope="module")
def words():
    return LanguageModel.load(find_language_model("words"), SPEC)


def test_words_score_more_than_their_misreadings(words):
    for right, wrong in (
        ("HERITAGE", "HERITACE"),
        ("Brothers", "16rothars!"),
        ("MEAT", "WE4"),
        ("SOON", "SO0N"),
        ("the end", "theend"),
        ("Hotel", "hOtEl"),
    ):
        assert words.score(right, ASCII) > words.score(wrong, ASCII) + 1


@pytest.mark.parametrize("code", ["xq4Zf9", "B2000", "12345", "$25.00", "QXJKV"])
def test_a_random_string_loses_no_more_than_the_escape(words, code):
    assert LEAST <= words.score(code, ASCII) < LEAST + 0.1


def test_each_word_of_a_line_has_its_escape(words):
    assert words.score("HERITAGE xq4Zf9", ASCII) == pytest.approx(
        words.score("HERITAGE", ASCII) + LEAST, abs=0.1
    )


def test_signs_around_words_change_little(words):
    assert words.score("(hello), world.", ASCII) > 5


def test_your_own_texts_are_preferred(tmp_path):
    (tmp_path / "parts.txt").write_text("AB-1234\nAB-7788\t5\nAC-1200\n")
    file = tmp_path / "made" / "parts.npz"
    builder.main(builder.Options(file, (tmp_path / "parts.txt",)))
    model = LanguageModel.load(file, SPEC)
    assert model.score("AB-5901", ASCII) > model.score("A8-5901", ASCII) + 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("constraint", [None, Pattern("[1a]+(-1)?")])
def test_beam_search_finds_the_text_with_the_best_sum(seed, constraint):
    model = LanguageModel(NGrams.fit([("a-1a", 3), ("aa1", 2), ("1-a", 1)], 3, 1000), ONES)
    probabilities = random_line(seed, steps=6)
    totals = {
        text: math.log(p) + WEIGHT * model.score(text, ONES)
        for text, p in counted_out(probabilities).items()
        if p > 0 and (constraint is None or constraint.allows(text))
    }
    line = ctc_beam_search(probabilities, ONES, constraint, 1000, model)
    assert totals[line.text] == pytest.approx(max(totals.values()), abs=1e-4)


def test_the_image_decides_where_it_is_clear(words):
    for text in ("HERITACE", "SO0N", "xq4Zf9"):
        line = ctc_beam_search(image_of(text, 60, ASCII, 0.999), ASCII, language_model=words)
        assert line.text == text


def test_a_word_is_read_where_the_image_is_unclear(words):
    probabilities = image_of("HERITACE", 60, ASCII)
    c, g = ASCII.encode("CG")
    step = int(probabilities[:, c].argmax())
    last = max(np.flatnonzero(probabilities.argmax(axis=1) == c), default=step)
    probabilities[last, [c, g]] = 0.6, 0.39
    line = ctc_beam_search(probabilities, ASCII, language_model=words)
    assert line.text == "HERITAGE"
    assert line.confidence < 0.4  # it is the image's: the language model does not raise it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "attention"}, "the model has an attention head"),
        ({"alphabet": "אב"}, "the model reads right-to-left text"),
    ],
)
def test_models_that_it_cannot_help_are_refused(change, message):
    spec = dataclasses.replace(SPEC, **change)
    with pytest.raises(ValueError, match=message):
        LanguageModel.load(find_language_model("words"), spec)


def test_a_lexicon_beside_it_is_refused():
    with pytest.raises(ValueError, match="--lexicon already says"):
        LanguageModel.load(find_language_model("words"), SPEC, Lexicon(["the"], ASCII))


def test_a_file_that_is_missing_or_no_model_is_reported_before_reading(tmp_path):
    options = InferenceOptions(paths=(str(TEST_IMAGES),), model="text")
    with pytest.raises(ValueError, match=r"nowhere\.npz: no such file; shipped .* words"):
        plan(dataclasses.replace(options, language_model="nowhere.npz"))
    file = tmp_path / "words.txt"
    file.write_text("the\n")
    with pytest.raises(ValueError, match=r"words\.txt: cannot be used .*build one with python"):
        plan(dataclasses.replace(options, language_model=str(file)))


def test_the_builder_names_what_is_wrong(tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("the\t3\nend\tmany\n")
    for options, message in (
        (builder.Options(tmp_path / "a.npz", (texts,)), "texts.txt:2: 'many' after the tab"),
        (builder.Options(tmp_path / "a.npz", (tmp_path / "no.txt",)), "no.txt: cannot be read"),
        (builder.Options(tmp_path / "a.txt", (texts,)), "a name that ends in .npz"),
        (builder.Options(tmp_path / "a.npz"), "no texts; name files"),
    ):
        with pytest.raises(ValueError, match=message):
            builder.main(options)
