"""The constraint that an export keeps in its description: a --pattern or a --lexicon.

It is kept as an automaton, so that a program that reads with the export needs neither the pattern's
syntax nor the lexicon's file. reader.py, `aocr serve` and the page of `--format web` read with it.
A TensorFlow graph that is called by another program reads without it, and its description says so.
"""

import json
import os
import shlex
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from ocr_simple.decoding.automaton import Automaton
from ocr_simple.decoding.constraints import Constraint, Lexicon, load_constraint, option_of
from ocr_simple.decoding.regular import compile_pattern
from ocr_simple.messages import escape_controls, shortened, shown
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet

MOST_BYTES = 3 << 20  # of the automaton in a description, which may have 4 MB
ReadBy = Literal["reader", "server", "page", "nothing"]
APPLIED: dict[ReadBy, str] = {
    "reader": "reader.py applies it; other programs that run the model read without it",
    "server": "aocr serve applies it; TensorFlow and TensorFlow Serving read without it",
    "page": "the page applies it",
    "nothing": "this file is read without it",
}


def allowed(pattern: str | None, texts: int) -> str:
    """Which texts a constraint allows, on one line; texts: in its lexicon, 0 without one."""
    if texts:
        return f"one of {texts:,} texts"
    return f"texts that match {escape_controls(shortened(pattern or ''))}"


class Kept(NamedTuple):
    """A constraint that an export keeps."""

    pattern: str | None
    texts: int  # in the lexicon that match the pattern; 0 without a lexicon
    automaton: Automaton

    def __str__(self) -> str:
        """Which texts it allows, on one line."""
        return allowed(self.pattern, self.texts)

    def described(self, by: ReadBy) -> dict[str, Any]:
        """What a description says about it; by: what reads the export with it."""
        about = {"pattern": self.pattern, "texts": self.texts, "obeyed": APPLIED[by]}
        return about | ({} if by == "nothing" else {"automaton": self.automaton.description()})


def to_keep(
    spec: ModelSpec,
    pattern: str | None,
    lexicon: str | os.PathLike | Iterable[str] | None,
    model: str = "digits",
) -> Kept | None:
    """The constraint to keep in exports of a model; None without a pattern and a lexicon.

    model: its name, for messages. Raises ValueError for one that cannot be kept.
    """
    alphabet = Alphabet(spec.alphabet)
    constraint = load_constraint(lexicon, pattern, alphabet)
    if constraint is None:
        return None
    option = option_of(pattern) if pattern and lexicon is None else "--lexicon"
    if spec.head != "ctc":
        raise ValueError(
            f"{option}: exports keep it only for a CTC head, and this model has an attention head; "
            f"leave it out, or read with inference.py --model {shlex.quote(model)}"
        )
    try:
        automaton = _automaton_of(constraint, pattern, alphabet)
        size = len(json.dumps(automaton.description()))
        if size > MOST_BYTES:
            raise ValueError(f"it takes {size:,} bytes, over the limit of {MOST_BYTES:,}")
    except ValueError as error:
        raise ValueError(
            f"{option}: cannot be kept in an export ({error}); give a simpler one, or read with "
            "inference.py, which takes any"
        ) from error
    texts = len(constraint.texts) if isinstance(constraint, Lexicon) else 0
    return Kept(pattern, texts, automaton)


def _automaton_of(constraint: Constraint, pattern: str | None, alphabet: Alphabet) -> Automaton:
    """Raises ValueError if there is none of bounded size."""
    if isinstance(constraint, Automaton):
        return constraint
    if isinstance(constraint, Lexicon):
        return Automaton.of_words(constraint.words, alphabet)
    return compile_pattern(pattern or "", alphabet)  # raises the reason why it was not one before


def kept_in(about: dict[str, Any]) -> Kept | None:
    """The constraint that a description has; None if it has none.

    Raises ValueError for a damaged one, before it takes more time or memory than a good one.
    """
    found = about.get("constraint")
    if found is None:
        return None
    pattern, texts = (found.get(n) if isinstance(found, dict) else "" for n in ("pattern", "texts"))
    if not isinstance(pattern, str | None) or type(texts) is not int or about.get("head") != "ctc":
        raise ValueError(f"constraint {shown(found)}: is damaged")
    alphabet = about.get("alphabet")
    if not isinstance(alphabet, str):
        raise ValueError(f"alphabet {shown(alphabet)}: is no text")
    automaton = Automaton.of_description(found.get("automaton"), Alphabet(alphabet))
    return Kept(pattern, texts, automaton)
