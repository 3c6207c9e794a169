"""Lexicons and patterns: which texts they allow, and which can still become one of those."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest

from ocr_simple.decoding.constraints import Lexicon, Pattern, Trie, load_constraint
from ocr_simple.text import Alphabet

ONES = Alphabet("1a-")


def written(path, word):
    path.write_text(word, encoding="utf-8")
    return path


def test_a_lexicon_knows_its_words_and_their_beginnings():
    lexicon = Lexicon(["1a1", "11"], ONES)
    assert [lexicon.allows(text) for text in ("1a1", "1a", "")] == [True, False, False]


def test_words_are_normalised_as_labels_are():
    lexicon = Lexicon(["  e\u0301  e ", "é e"], Alphabet("é e"))
    assert lexicon.words == ["é e"]


def test_a_lexicon_file_has_a_word_or_phrase_a_line(tmp_path):
    file = written(tmp_path / "words.txt", "\ufeff1a\r\n\n 1  1 \n")
    assert Lexicon.load(file, Alphabet("1a ")).words == ["1 1", "1a"]


def test_words_outside_the_alphabet_are_named_by_file_line_and_characters(tmp_path):
    file = written(tmp_path / "words.txt", "1a\n1ü\n" + "x\n" * 11)
    with pytest.raises(ValueError, match=r"12 of 13 words") as error:
        Lexicon.load(file, ONES)
    assert f"{file}:2: '1ü' has 'ü'" in str(error.value)
    assert f"{file}:11:" in str(error.value) and f"{file}:12:" not in str(error.value)
    assert "and 2 more" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_lexicon_is_an_error(tmp_path, content):
    file = tmp_path / "words.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"words\.txt: is empty"):
        Lexicon.load(file, ONES)


def test_a_lexicon_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("ü".encode("latin-1"))
    for path in (file, tmp_path / "none.txt"):
        with pytest.raises(ValueError, match=f"{path.name}: cannot be read"):
            Lexicon.load(path, ONES)


def test_an_empty_word_is_an_error():
    with pytest.raises(ValueError, match=r"words\[1\]: empty"):
        Lexicon(["1", " "], ONES)


def test_a_pattern_knows_its_texts_and_their_beginnings():
    pattern = Pattern(r"\d{2}-\d{3}")
    texts = ("", "1", "12-", "12-345", "12-3456", "1-", "a")
    assert [pattern.extends(t) for t in texts] == [True, True, True, True, False, False, False]
    assert [pattern.allows(t) for t in texts] == [t == "12-345" for t in texts]


def test_a_pattern_that_is_none_says_so():
    with pytest.raises(ValueError, match=r"--pattern '\(1': missing \)"):
        Pattern("(1")


def test_a_constraint_is_made_of_a_file_a_pattern_both_or_neither(tmp_path):
    file = written(tmp_path / "words.txt", "1a\n11\n1")
    assert load_constraint(None, None, ONES) is None
    assert load_constraint(None, "1+", ONES).allows("111")
    assert load_constraint(file, None, ONES).words == ["1", "11", "1a"]
    assert load_constraint(file, "1+", ONES).words == ["1", "11"]
    assert load_constraint(["1a", "11"], "1+", ONES).words == ["11"]


def test_a_lexicon_without_a_word_that_matches_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="matches none of the lexicon's 1 words"):
        load_constraint(written(tmp_path / "words.txt", "1a"), r"\d", ONES)


@pytest.mark.parametrize("pattern", ["[A-Z]+", "1{2}/1{3}", "1a?-b"])
def test_a_pattern_that_the_alphabet_cannot_write_is_an_error(pattern):
    with pytest.raises(ValueError, match="matches no text in the alphabet"):
        load_constraint(None, pattern, ONES)


def prefixes_of(trie, alphabet):
    """The prefix of each node of a trie, which its children extend."""
    found = {0: ""}
    for node, first, after in zip(itertools.count(), trie.first, trie.first[1:]):
        found |= {n: found[node] + alphabet.decode([trie.ids[n]]) for n in range(first, after)}
    return [found[node] for node in range(len(found))]


def test_the_nodes_of_a_trie_are_the_prefixes_of_its_words_by_length_and_order():
    rng = random.Random(0)
    for longest in (1, 2, 9):
        lengths = [rng.randint(1, longest) for _ in range(40)]
        words = sorted({"".join(rng.choices("1a", k=length)) for length in lengths})
        trie = Trie(words, ONES)
        prefixes = {word[:end] for word in words for end in range(len(word) + 1)}
        assert prefixes_of(trie, ONES) == sorted(prefixes, key=lambda text: (len(text), text))
        complete = [node for node, word in enumerate(trie.word) if word >= 0]
        assert sorted(map(trie.text, complete)) == words
        assert [prefixes_of(trie, ONES)[node] for node in complete] == [
            trie.text(node) for node in complete
        ]


def test_the_memory_of_a_lexicon_does_not_grow_with_its_longest_row(tmp_path):
    rows = [str(number) for number in range(5_000)] + ["9" * 10_000]
    file = written(tmp_path / "words.txt", "\n".join(rows))
    tracemalloc.start()
    lexicon = Lexicon.load(file, Alphabet("0123456789"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lexicon.allows(rows[-1]) and len(lexicon.words) == len(rows)
    assert peak < 10 << 20  # 5,001 rows times 10,000 characters are 50 million
    assert np.count_nonzero(lexicon.trie.word >= 0) == len(rows)


def test_a_row_that_is_longer_than_a_line_is_named(tmp_path):
    file = written(tmp_path / "words.txt", "1a\n" + "1" * 10_001)
    message = rf"--lexicon {file}: cannot be read \({file}:2: a row of 10,001 characters, over the "
    with pytest.raises(ValueError, match=message + "limit of 10,000; shorten it"):
        Lexicon.load(file, ONES)
