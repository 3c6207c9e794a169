"""Character n-grams: probabilities, files, damage."""

import numpy as np
import pytest

from ocr_simple.decoding.ngrams import BOUNDARY, NGrams, fold

WORDS = [("the", 40), ("then", 10), ("hotel", 3), ("they're", 2)]


def key(ngrams, text):
    """The symbols of a text, after the boundary before it."""
    symbols = [BOUNDARY, *(ngrams.symbol[fold(c)] for c in text)]
    return sum(s << ngrams.bits * i for i, s in enumerate(reversed(symbols)))


def log_p(ngrams, text):
    """Log probability of each symbol after a text, by its letter."""
    found = ngrams.log_p(np.array([key(ngrams, text)]))[0]
    return {letter: found[symbol] for letter, symbol in ngrams.symbol.items()}


@pytest.mark.parametrize(
    ("characters", "folded"), [("aA", "a"), ("äÄ", "ä"), ("09٣", "0"), (" .-€", " "), ("'’", "'")]
)
def test_case_digits_and_signs_do_not_count(characters, folded):
    assert {fold(c) for c in characters} == {folded}


def test_what_was_counted_more_often_is_more_probable():
    after = log_p(NGrams.fit(WORDS, order=4, size=1000), "the")
    assert after[" "] > after["n"] > after["y"] > after["o"]


@pytest.mark.parametrize("order", [2, 4, 7])
def test_probabilities_of_all_symbols_add_up_to_one(order):
    ngrams = NGrams.fit(WORDS, order, size=1000)
    histories = np.array([key(ngrams, text) for text in ("", "t", "the", "ooo", "then", "lll")])
    assert np.allclose(np.exp(ngrams.log_p(histories)).sum(axis=1), 1)


def test_texts_do_not_continue_into_one_another():
    joined = NGrams.fit([("ab", 1), ("cd", 1)], order=3, size=1000)
    context = joined.tables[2].contexts
    assert key(joined, "ab") & joined.mask(2) in context  # "ab", before the boundary that ends it
    assert (joined.symbol["b"] << joined.bits | BOUNDARY) not in context


def test_a_run_of_signs_is_one_boundary():
    one = NGrams.fit([("no 5", 1)], order=4, size=1000)
    other = NGrams.fit([("No., (7)", 1)], order=4, size=1000)
    assert all(map(np.array_equal, one.keys, other.keys))


def test_pruning_keeps_the_most_frequent():
    whole, pruned = (NGrams.fit(WORDS, order=5, size=size) for size in (1000, 40))
    kept = sum(map(len, pruned.keys))
    assert kept <= 40 < sum(map(len, whole.keys))
    assert log_p(pruned, "the")[" "] > log_p(pruned, "the")["o"]


def test_frequencies_may_be_fractions():
    shares = [(text, count / 1000) for text, count in WORDS]
    found, expected = (log_p(NGrams.fit(t, 4, 1000), "the")[" "] for t in (shares, WORDS))
    assert found == pytest.approx(expected, abs=0.3)


def test_a_file_gives_the_same_model(tmp_path):
    ngrams = NGrams.fit(WORDS, order=7, size=1000)
    ngrams.save(tmp_path / "words.npz")
    found = NGrams.load(tmp_path / "words.npz")
    assert log_p(found, "the") == log_p(ngrams, "the")


def test_a_file_that_is_no_language_model_is_refused(tmp_path):
    ngrams = NGrams.fit(WORDS, order=3, size=1000)
    good = tmp_path / "good.npz"
    ngrams.save(good)
    content, arrays = good.read_bytes(), dict(np.load(good))
    (tmp_path / "text.npz").write_text("the\n")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "flipped.npz").write_bytes(content[:300] + bytes(40) + content[340:])
    np.savez(tmp_path / "pickled.npz", **arrays | {"letters": np.array([object()])})
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "later.npz", **arrays | {"format": np.array(99)})
    np.savez(tmp_path / "short.npz", **arrays | {"counts_2": np.zeros(1, np.uint8)})
    np.savez(tmp_path / "order.npz", **arrays | {"steps_3": -arrays["steps_3"]})
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "array.npz")
    for file in tmp_path.glob("*.npz"):
        if file != good:
            with pytest.raises(ValueError, match=rf"{file.name}: cannot be used \(.+\); build one"):
                NGrams.load(file)


def test_a_damaged_file_is_refused_or_read(tmp_path):
    file, rng = tmp_path / "words.npz", np.random.default_rng(0)
    NGrams.fit(WORDS, order=4, size=1000).save(file)
    good = file.read_bytes()
    refused = 0
    for _ in range(200):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] = rng.integers(256)
        file.write_bytes(bad)
        try:
            NGrams.load(file)
        except ValueError:
            refused += 1
    assert refused > 50


def test_texts_without_letters_and_orders_out_of_range_are_refused():
    with pytest.raises(ValueError, match="no text has a letter or a digit"):
        NGrams.fit([("--", 1)], order=3, size=100)
    with pytest.raises(ValueError, match="order 9: give 2 to 8"):
        NGrams.fit(WORDS, order=9, size=100)
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
    with pytest.raises(ValueError, match="give at most --order 4"):
        NGrams.fit([(many, 1)], order=7, size=100)
