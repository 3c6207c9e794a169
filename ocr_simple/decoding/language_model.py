"""A language model for beam search: which texts are more like words than like random strings.

The score of a text is the sum of its words' scores; words are what spaces separate. A word is
either one that character n-grams describe, or, with the probability ESCAPE, a random string: a
number, a code, a name of no language. Its score is

    log((1 - ESCAPE) * P(word) / R(word) + ESCAPE)

with P the n-grams' probability, and R that of a random string, in which each character has the
probability 1 / FLAT. So a frequent sequence of letters gains much, while the most that a random
string can lose is log(ESCAPE): codes do not become words. Capitals are expected at the beginning of
a word, or in all of it. NumPy only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ocr_simple.decoding.constraints import Constraint, Lexicon
from ocr_simple.decoding.ngrams import BOUNDARY, DIGIT, UNKNOWN, NGrams, fold
from ocr_simple.decoding.prefix_search import Extend
from ocr_simple.spec import ModelSpec
from ocr_simple.text import BLANK, Alphabet

# chosen on generated lines; docs/experiments.md has the scores
WEIGHT = 0.3  # of a text's score, against the log probability that the image gives it
ESCAPE = 0.03
FLAT = 50
SAME_CASE = 0.97  # probability that a letter has the case of the one before it
SPACE = 0.5  # probability that what ends a word is a space or the end of the line
NONE, CAPITAL, LOWER, UPPER = range(4)  # the case so far: no letter yet, one capital, ...
CASE_OF_NEXT = {NONE: 0.5, CAPITAL: 0.5, LOWER: SAME_CASE, UPPER: 1 - SAME_CASE}  # to be lower
MARGIN = 3 * WEIGHT * float(np.log(FLAT))  # gained by three characters that are certain to come


class Prefixes(NamedTuple):
    """The prefixes of a batch, as far as the language model has to know them."""

    histories: np.ndarray  # int64 (n,) the last symbols, a key of the n-grams
    case: np.ndarray  # (n,) NONE, CAPITAL, LOWER or UPPER
    closed: np.ndarray  # (n,) score of the words before the last
    last: np.ndarray  # (n, classes) log(P / R) of the last word, if each class continues it


def _score(log_ratio: np.ndarray) -> np.ndarray:
    """The score of words, from their log(P / R)."""
    return np.logaddexp(np.log1p(-ESCAPE) + log_ratio, np.log(ESCAPE))


class LanguageModel:
    """Scores prefixes and texts in a model's alphabet."""

    def __init__(self, ngrams: NGrams, alphabet: Alphabet):
        self.ngrams = ngrams
        characters = alphabet.characters
        folded = [fold(character) for character in characters]
        # class 0, the blank, stands for the end of the line here, which is like a space
        self.symbols = np.array([BOUNDARY, *(ngrams.symbol.get(c, UNKNOWN) for c in folded)])
        self.space = np.array([False, *(c == " " for c in characters)])
        known = set(characters)
        cased = [c for c in characters if c.swapcase() != c and c.swapcase() in known]
        self.lower = np.array([False, *(c in cased and c.islower() for c in characters)])
        self.upper = np.array([False, *(c in cased and c.isupper() for c in characters)])
        self.letter = np.array([False, *(f not in " 0" for f in folded)])
        self.within = self._log_p_within()

    @classmethod
    def load(
        cls, path: str | Path, spec: ModelSpec, constraint: Constraint | None = None
    ) -> "LanguageModel":
        """The language model in a file, for a model of `spec`.

        Raises ValueError if the file cannot be used, or the model or the constraint not with it.
        """
        alphabet = Alphabet(spec.alphabet)
        unusable = ""
        if spec.head != "ctc":
            unusable = "it needs a CTC head, and the model has an attention head"
        elif alphabet.right_to_left:
            unusable = "the model reads right-to-left text, and n-grams run from left to right"
        elif isinstance(constraint, Lexicon):
            unusable = "--lexicon already says which texts are possible"
        if unusable:
            raise ValueError(f"--language-model {path}: {unusable}; leave it out")
        return cls(NGrams.load(path), alphabet)

    def _log_p_within(self) -> np.ndarray:
        """Log probability (cases, classes) of a character among those of its symbol."""
        p = np.ones((4, len(self.symbols)))
        for case, lower in CASE_OF_NEXT.items():
            p[case, self.lower], p[case, self.upper] = lower, 1 - lower
        digits, boundaries = self.symbols == DIGIT, self.symbols == BOUNDARY
        p[:, digits] = 1 / max(1, digits.sum())
        signs = boundaries & ~self.space
        signs[BLANK] = False
        p[:, boundaries & ~signs] = SPACE
        p[:, signs] = (1 - SPACE) / max(1, signs.sum())
        return np.log(p)

    def start(self) -> Prefixes:
        """The empty prefix."""
        history, none = np.array([BOUNDARY]), np.zeros(1, int)
        return self._prefixes(history, none, np.zeros(1), np.zeros(1))

    def extend(self, prefixes: Prefixes, rows: np.ndarray, ids: np.ndarray) -> Prefixes:
        """Some prefixes (n,), each with a class (n,) after it."""
        histories, case = prefixes.histories[rows], prefixes.case[rows]
        last, closes = prefixes.last[rows, ids], self.space[ids]
        closed = prefixes.closed[rows] + np.where(closes, _score(last), 0.0)
        repeated = (self.symbols[ids] == BOUNDARY) & self._at_boundary(histories)
        longer = ((histories << self.ngrams.bits) | self.symbols[ids]) & self.ngrams.mask(
            self.ngrams.order - 1
        )
        histories = np.where(repeated, histories, longer)
        capital = np.where((case == CAPITAL) | (case == UPPER), UPPER, CAPITAL)
        case = np.where(self.letter[ids], case, NONE)
        case = np.where(self.lower[ids], LOWER, np.where(self.upper[ids], capital, case))
        return self._prefixes(histories, case, closed, np.where(closes, 0.0, last))

    def _at_boundary(self, histories: np.ndarray) -> np.ndarray:
        return histories & self.ngrams.mask(1) == BOUNDARY

    def _prefixes(
        self, histories: np.ndarray, case: np.ndarray, closed: np.ndarray, last: np.ndarray
    ) -> Prefixes:
        """Prefixes with log(P / R) `last` of their last word, so far."""
        ratio = self.ngrams.log_p(histories)[:, self.symbols] + self.within[case] + np.log(FLAT)
        # a boundary after a boundary, such as the space after a comma, tells nothing
        repeated = self._at_boundary(histories)[:, None] & (self.symbols == BOUNDARY)
        ratio = np.where(repeated, 0.0, ratio)
        return Prefixes(histories, case, closed, last[:, None] + ratio)

    def scores(self, prefixes: Prefixes) -> tuple[np.ndarray, np.ndarray]:
        """(scores (n,) of the prefixes as texts, scores (n, classes) if each class follows)."""
        scores = prefixes.closed[:, None] + _score(prefixes.last)
        return scores[:, BLANK], scores

    def score(self, text: str, alphabet: Alphabet) -> float:
        """The score of one text."""
        prefixes = self.start()
        for i in alphabet.ids_of(text):
            prefixes = self.extend(prefixes, np.zeros(1, int), np.array([i]))
        return float(self.scores(prefixes)[0][0])


@dataclass(frozen=True)
class GuidedExtend:
    """Extends prefixes for `prefix_search.search`, with a language model's scores added.

    Scores may rise with each character, so the bounds are not strict: MARGIN makes up for that.
    """

    extend: Extend
    model: LanguageModel

    def __call__(
        self, state: Any, rows: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """See `prefix_search.Extend`."""
        inner, prefixes = (None, None) if state is None else state
        scores, bounds, inner = self.extend(inner, rows, ids)
        if prefixes is None:
            prefixes = self.model.start()
        else:
            prefixes = self.model.extend(prefixes, rows, ids)
        complete, continued = self.model.scores(prefixes)
        return scores + WEIGHT * complete, bounds + WEIGHT * continued + MARGIN, (inner, prefixes)
