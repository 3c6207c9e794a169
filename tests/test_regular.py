"""Regular expressions as automata: they allow what the package regex matches."""

import itertools
import random
import time

import numpy as np
import pytest
import regex

from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.beam_search import ctc_beam_search
from ocr_simple.decoding.constraints import Lexicon, Pattern, is_exact, load_constraint
from ocr_simple.decoding.greedy import softmax
from ocr_simple.decoding.regular import NotRegular, compile_pattern
from ocr_simple.text import Alphabet

ABC = Alphabet("01ab-")
TEXTS = ["".join(text) for n in range(6) for text in itertools.product("01ab-", repeat=n)]
PATTERNS = [
    r"\d{2}-\d", r"(a|b)*", r"a{,2}b", r"[^ab]+?", r"^\d+$", r"^1|a$", r"(?:ab|a)(b|)",
    r"(?P<x>0)?1{1,2}", r"[]a-]b", r"\p{L}\P{L}", r"[[:alpha:]]\d", "", ".{2}", r"\-a|\x30",
    r"(a{2}){1,2}", r"(a*)*b", r"a{0}b", r"[\d-]a", r"((|a)b)+", "a|", r"(?<y>a)b", r"\u0031",
    r"[\]a]", r"(((a{2}){2}){2})?",
]  # fmt: skip


def check_same(pattern: str, texts: list[str]) -> None:
    automaton, compiled = compile_pattern(pattern, ABC), regex.compile(pattern)
    for text in texts:
        assert automaton.allows(text) == bool(compiled.fullmatch(text)), (pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_automaton_allows_what_the_pattern_matches(pattern):
    check_same(pattern, TEXTS)
    matching = [text for text in TEXTS if regex.fullmatch(pattern, text)]
    automaton = compile_pattern(pattern, ABC)
    assert all(
        automaton.state_of(text[:k]) is not None for text in matching for k in range(len(text) + 1)
    )


def random_pattern(rng: random.Random, depth: int) -> str:
    kind = rng.random()
    if depth == 0 or kind < 0.35:
        return rng.choice(["0", "1", "a", "[ab]", r"\d", ".", "[^0]", "-"])
    first = random_pattern(rng, depth - 1)
    if kind < 0.6:
        return first + random_pattern(rng, depth - 1)
    if kind < 0.75:
        return f"({first}|{random_pattern(rng, depth - 1)})"
    times = ["*", "+", "?", "{2}", "{1,2}", "{,1}", "{2,}", "*?", "{0,3}?"]
    return f"(?:{first}){rng.choice(times)}"


def test_random_patterns_too():
    rng = random.Random(0)
    for _ in range(200):
        check_same(random_pattern(rng, 4), rng.sample(TEXTS, 60) + TEXTS[:31])


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b", r"(a)\1", r"\ba", "a$b", "(^a)", "a++", "(?i)a", "a{2}{3}", "(?<!a)b", "(?>a)",
        "a(b", "[[a]", "a{e<=1}", "[0-9", "(((.{1000}){1000}){1000})", "a" * 1001,
        "(" * 60 + ")" * 60, "(((){1000}){1000}){1000}", "(a|b)*a(a|b){20}",
    ],
)  # fmt: skip
def test_what_is_not_regular_or_too_large_is_refused_soon(pattern):
    started = time.process_time()
    with pytest.raises(NotRegular):
        compile_pattern(pattern, ABC)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (r"(?!00)\d", "a lookahead"), (r"\d(?<=1)", "a lookbehind"), (r"(a)\1", "a back-reference"),
        (r"(?P<x>a)(?P=x)", "a back-reference"), (r"\ba", "a word boundary"), ("(?i)a", "flags"),
    ],
)  # fmt: skip
def test_what_is_not_regular_is_named(pattern, named):
    with pytest.raises(NotRegular, match=named):
        compile_pattern(pattern, ABC)


def test_a_pattern_that_is_no_automaton_is_matched_by_regex():
    assert isinstance(load_constraint(None, r"(?=1)\d", ABC), Pattern)
    assert isinstance(load_constraint(None, r"1\d", ABC), Automaton)


def test_a_pattern_that_takes_forever_is_given_up(monkeypatch):
    monkeypatch.setattr("ocr_simple.decoding.constraints.MOST_SECONDS", 0.05)
    with pytest.raises(ValueError, match=r"takes over 0\.05 s to match"):
        Pattern(r"(\w*)(\w*)(\w*)(\w*)(\w*)\1\2\3\4\5-").allows("ab" * 60 + "-a")


def test_automaton_and_regex_read_the_same_text():
    rng = np.random.default_rng(0)
    for steps in range(3, 15):
        p = softmax(rng.normal(0, 3, (steps, ABC.classes)).astype(np.float32))
        for pattern in (r"\d{2}-\d", "[ab]*", r"(0|1a)+-?"):
            by_automaton = ctc_beam_search(p, ABC, compile_pattern(pattern, ABC))
            assert by_automaton == ctc_beam_search(p, ABC, Pattern(pattern))


def test_the_words_of_an_automaton_share_their_endings():
    words = sorted({f"{a}{b}-1" for a, b in itertools.product("01ab", repeat=2)} | {"0"})
    automaton = Automaton.of_words(words, ABC)
    assert [text for text in TEXTS if automaton.allows(text)] == sorted(words, key=TEXTS.index)
    assert len(automaton.edges) == 6 and automaton.prefixes == 1 + 4 + 16 + 16 + 16
    assert is_exact(automaton, 100) and not is_exact(automaton, 1_000_000)
    lexicon = Lexicon(words, ABC)
    p = softmax(np.random.default_rng(1).normal(0, 3, (9, ABC.classes)).astype(np.float32))
    assert ctc_beam_search(p, ABC, automaton) == ctc_beam_search(p, ABC, lexicon)
