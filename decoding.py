"""Decoding steered by what is known of the text: a list of words, a pattern, or nothing.

`ctc_decode` in text.py takes the best path. Here the best *text* is sought: for CTC by its total
probability over all alignments (Graves et al. 2006, "Connectionist Temporal Classification"), for
an attention decoder by the product of its symbols' probabilities; and a `Lexicon` or a `Pattern`
says which texts may come out.

One search serves both heads. It lengthens prefixes by a character at a time, the likeliest first.
A prefix bounds what can follow it: no text is likelier than all the texts together that begin as
it does. So what is not above the best text found so far is left alone, and nothing is lost by
that (prefix search, Graves 2006, section 3.2). A beam keeps the best few prefixes of each length
besides; unlike a beam that goes through the image (Graves & Jaitly 2014, "Towards End-to-End
Speech Recognition"; Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
Recognition"), it has seen the whole line when it drops one, and as it compares texts of one
length, it comes to the end of a pattern of which the image shows only a part. NumPy and regex only.
"""

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import regex

from text import BLANK, Alphabet, Character, Line, ctc_decode, normalise_text

END = BLANK  # class 0 ends a line for attention, where CTC has its blank
LEAST = float(np.finfo(np.float32).tiny)  # stands for a probability of 0, so that any text can win
BEAM_WIDTH = 10
WIDEST = 100  # beam for a pattern of which a narrower one finds no text
BATCH = 64  # prefixes looked at together where none is dropped, until a text is found
LARGE_BATCH = 2048  # then
TOO_SMALL = math.log(1e-280)  # numbers near the least of float64 are none to be compared

Grow = Callable[[Any, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, Any]]


# --- what may be read -----------------------------------------------------------------------


class Constraint(Protocol):
    """Which texts may be read."""

    def extends(self, prefix: str) -> bool:
        """Whether some allowed text begins with `prefix`, or is it."""

    def allows(self, text: str) -> bool:
        """Whether `text` is allowed."""


class Pattern:
    """The texts that a regular expression matches from end to end.

    The syntax is that of the package regex, Python's own and more. Raises ValueError if it is
    not a regular expression.
    """

    def __init__(self, pattern: str):
        try:
            self.compiled = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(
                f"pattern {pattern!r}: {error}; mend it, or write \\ before a character that "
                "stands for itself"
            ) from error
        self.pattern = pattern

    def extends(self, prefix: str) -> bool:
        """Whether some matching text begins with `prefix`, whatever its characters.

        In doubt (a lookahead that is not decided yet) it is True.
        """
        return self.compiled.fullmatch(prefix, partial=True) is not None

    def allows(self, text: str) -> bool:
        """Whether all of `text` matches."""
        return self.compiled.fullmatch(text) is not None


class Lexicon:
    """A list of words, or of whole phrases, in an alphabet.

    They are normalised as labels are. Raises ValueError that names the first ten which are empty
    or have characters outside the alphabet, or if there is none at all.
    """

    def __init__(self, words: Iterable[str], alphabet: Alphabet):
        self._set([(f"words[{i}]", word) for i, word in enumerate(words)], alphabet, "the lexicon")

    @classmethod
    def load(cls, path: str | Path, alphabet: Alphabet) -> "Lexicon":
        """The lexicon in a UTF-8 file, a word or phrase a line; empty lines do not count.

        Raises ValueError as Lexicon does, with file and line, or if the file cannot be read.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"lexicon {path}: cannot be read ({error}); name a UTF-8 file, a word a line"
            ) from error
        lexicon = cls.__new__(cls)
        places = [(f"{path}:{i}", line) for i, line in enumerate(lines, 1) if line.strip()]
        lexicon._set(places, alphabet, f"lexicon {path}")
        return lexicon

    def _set(self, places: list[tuple[str, str]], alphabet: Alphabet, name: str) -> None:
        if not places:
            raise ValueError(f"{name}: is empty; give it at least one word")
        known, words, faults = set(alphabet.characters), [], []
        for place, text in places:
            word = normalise_text(text)
            if not word:
                faults.append(f"\n  {place}: empty")
            elif not known.issuperset(word):
                faults.append(f"\n  {place}: {word!r} has {alphabet.unknown(word)!r}")
            words.append(word)
        if faults:
            more = f"\n  ... and {len(faults) - 10} more" if len(faults) > 10 else ""
            raise ValueError(
                f"{name}: {len(faults)} of {len(places)} words cannot be read in the alphabet "
                f"{alphabet.characters!r}; mend them, or leave them out:"
                + "".join(faults[:10])
                + more
            )
        self.words = sorted(set(words))
        self.alphabet = alphabet
        self.trie = _Trie(self.words, alphabet)

    def extends(self, prefix: str) -> bool:
        """Whether some word begins with `prefix`, or is it."""
        place = bisect_left(self.words, prefix)
        return place < len(self.words) and self.words[place].startswith(prefix)

    def allows(self, text: str) -> bool:
        """Whether `text` is one of the words."""
        place = bisect_left(self.words, text)
        return place < len(self.words) and self.words[place] == text

    def matching(self, pattern: Pattern) -> "Lexicon":
        """The words that match `pattern`. Raises ValueError if none does."""
        words = [word for word in self.words if pattern.allows(word)]
        if not words:
            raise ValueError(
                f"pattern {pattern.pattern!r} matches none of the lexicon's {len(self.words)} "
                f"words, of which {self.words[0]!r} is one; mend the pattern, or do without one"
            )
        return Lexicon(words, self.alphabet)


def load_constraint(
    lexicon: str | Path | None, pattern: str | None, alphabet: Alphabet
) -> Constraint | None:
    """What a lexicon file and a regular expression allow, either or both or neither.

    Raises ValueError as Lexicon and Pattern do, and if no text in the alphabet begins as the
    pattern asks.
    """
    matching = Pattern(pattern) if pattern is not None else None
    if lexicon is not None:
        words = Lexicon.load(lexicon, alphabet)
        return words.matching(matching) if matching else words
    if matching and not any(map(matching.extends, alphabet.characters)):
        raise ValueError(
            f"pattern {pattern!r}: no text that it matches begins with a character of the alphabet "
            f"{alphabet.characters!r}; mend the pattern"
        )
    return matching


# --- prefixes, and how they go on -----------------------------------------------------------


class _Choice(NamedTuple):
    """Prefixes to look at, the most promising first."""

    rows: np.ndarray  # (n,) of the prefixes that they lengthen, in their batch
    ids: np.ndarray  # (n,) class by which
    prefixes: np.ndarray  # (n,) the longer ones
    bounds: np.ndarray  # (n,) log probability that no text which begins so exceeds


class _Texts:
    """Prefixes as texts: an array of strings."""

    def __init__(self, alphabet: Alphabet, constraint: Constraint | None):
        self.alphabet, self.constraint = alphabet, constraint
        self.root = np.array([""], object)

    def whole(self, prefixes: np.ndarray) -> np.ndarray:
        """Which of the prefixes are allowed as they stand."""
        if self.constraint is None:
            return np.ones(len(prefixes), bool)
        return np.array([self.constraint.allows(prefix) for prefix in prefixes])

    def text(self, prefix: str) -> str:
        return prefix

    def longer(
        self, prefixes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[_Choice, bool]:
        """The best `limit` allowed prefixes, longer by a character, with a bound above `least`.

        bounds: (prefixes, classes). The bool says whether there are more of them.
        """
        bounds = bounds[:, 1:]  # of the characters
        order = np.argsort(-bounds, axis=None, kind="stable")
        order = order[: np.count_nonzero(bounds > least)]
        found: list[tuple[int, int, str]] = []
        for place in order.tolist():
            row, character = divmod(place, bounds.shape[1])
            text = prefixes[row] + self.alphabet.characters[character]
            if self.constraint is not None and not self.constraint.extends(text):
                continue
            if len(found) == limit:
                break
            found.append((row, character, text))
        else:
            place = -1  # none is left over
        rows = np.array([row for row, _, _ in found], int)
        characters = np.array([character for _, character, _ in found], int)
        texts = np.array([text for _, _, text in found], object)
        return _Choice(rows, characters + 1, texts, bounds[rows, characters]), place >= 0


class _Trie:
    """Prefixes of sorted words as nodes: an array of integers, 0 for the empty one.

    Nodes are numbered by length, then in the order of the words, so that those which lengthen a
    node lie together.
    """

    def __init__(self, words: list[str], alphabet: Alphabet):
        lengths = np.array([len(word) for word in words])
        inside = np.arange(lengths.max()) < lengths[:, None]  # (words, longest)
        points = np.array([ord(c) for c in alphabet.characters])
        order = np.argsort(points)
        text = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), "<u4")
        ids = np.zeros(inside.shape, np.int32)
        ids[inside] = order[np.searchsorted(points[order], text)] + 1
        new = inside.copy()  # where a word leaves those before it
        new[1:] &= np.logical_or.accumulate(ids[1:] != ids[:-1], axis=1)
        nodes = np.cumsum(new.T, dtype=np.int32).reshape(new.T.shape)  # (longest, words)
        length, word = np.nonzero(new.T)  # of each node but the root
        parent = np.where(length, nodes[length - 1, word], 0)
        children = np.bincount(parent, minlength=len(parent) + 1)
        self.words = words
        self.root = np.array([0])
        self.first = np.concatenate([[1], 1 + np.cumsum(children)])  # node that lengthens a node
        self.ids = np.concatenate([[BLANK], ids[word, length]])  # last class of each
        self.word = np.full(len(parent) + 1, -1)  # that ends at the node
        self.word[nodes[lengths - 1, np.arange(len(words))]] = np.arange(len(words))

    def whole(self, nodes: np.ndarray) -> np.ndarray:
        return self.word[nodes] >= 0

    def text(self, node: int) -> str:
        return self.words[self.word[node]]

    def longer(
        self, nodes: np.ndarray, bounds: np.ndarray, least: float, limit: int | None
    ) -> tuple[_Choice, bool]:
        first = self.first[nodes]
        counts = self.first[nodes + 1] - first
        rows = np.repeat(np.arange(len(nodes)), counts)
        children = np.arange(len(rows)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        own = bounds[rows, self.ids[children]]
        order = np.argsort(-own, kind="stable")[: np.count_nonzero(own > least)]
        cut = limit is not None and len(order) > limit
        order = order[:limit]
        return _Choice(rows[order], self.ids[children[order]], children[order], own[order]), cut


class _Found(NamedTuple):
    score: float  # log probability; -inf if no allowed text is possible
    text: str
    state: Any  # of the batch in which it was found
    row: int  # in that batch


def _search(
    grow: Grow, alphabet: Alphabet, constraint: Constraint | None, width: int, whole: bool
) -> _Found:
    """The best allowed text; of all of them if `whole`, else of a beam's `width` each length.

    grow(state, rows, ids) lengthens `rows` of the batch whose state it is by the classes `ids`
    (n,). It returns the log probability of each text as it stands (n,), a bound for all that
    begin so and go on with each class (n, classes), and their state. With state None it begins.
    """
    if width < 1:
        raise ValueError(f"beam_width {width}: give at least 1")
    steer: _Trie | _Texts = _Texts(alphabet, constraint)
    if isinstance(constraint, Lexicon):
        if constraint.alphabet != alphabet:
            raise ValueError(
                f"the lexicon's alphabet {constraint.alphabet.characters!r} is not the reader's "
                f"{alphabet.characters!r}; make the lexicon with the reader's"
            )
        steer = constraint.trie
    best, cut = _Found(-math.inf, "", None, 0), False
    start = np.zeros(1, int)
    pending: list[tuple[Any, _Choice]] = []
    pending.append((None, _Choice(start, start, steer.root, np.array([math.inf]))))
    while pending:
        state, choice = pending.pop()
        live = choice.bounds > best.score
        if not live.any():
            continue
        prefixes = choice.prefixes[live]
        scores, bounds, state = grow(state, choice.rows[live], choice.ids[live])
        scores = np.where(steer.whole(prefixes), scores, -math.inf)
        row = int(scores.argmax())
        if scores[row] > best.score:
            best = _Found(float(scores[row]), steer.text(prefixes[row]), state, row)
        choice, more = steer.longer(prefixes, bounds, best.score, None if whole else width)
        cut |= more
        # the best batch goes on the pile last: it is looked at first, and makes the rest needless
        size = width if best.state is None else LARGE_BATCH
        for first in reversed(range(0, len(choice.rows), size)):
            part = slice(first, first + size)
            pending.append((state, _Choice(*(field[part] for field in choice))))
    if best.state is None and cut and width < WIDEST:
        return _search(grow, alphabet, constraint, min(10 * width, WIDEST), whole)
    return best


# --- CTC ------------------------------------------------------------------------------------


def ctc_beam_search(
    probabilities: np.ndarray,
    alphabet: Alphabet,
    constraint: Constraint | None = None,
    beam_width: int = BEAM_WIDTH,
) -> Line:
    """The allowed text of the highest total probability over its alignments, as a Line.

    probabilities: (steps, classes), one line's own steps. beam_width: prefixes kept of each
    length; wide enough, the text is exact. With a Lexicon it is exact whatever the beam. Where
    a pattern leads a narrow beam to no text at all, one of 100 is tried. If nothing
    allowed fits into the steps, the Line is empty, with confidence 0. Raises ValueError.

    If the text is the best path's, the Line is `ctc_decode`'s. Otherwise its best alignment gives
    the runs, and a character's confidence is its class's maximum over its run. The line's is
    their product, but at most the best path's confidence times how much less probable this text
    is than that path's: a word that lacks a character which the image shows is not a sure one.
    """
    _check(probabilities, alphabet.classes)
    if not len(probabilities):
        possible = constraint is None or constraint.allows("")
        return Line("", float(possible), ())
    log_p = _log(probabilities)
    if isinstance(constraint, Lexicon):
        plain, logs = _ctc_growth(np.exp(log_p), PLAIN), _ctc_growth(log_p, LOGS)
        found = _search(plain, alphabet, constraint, BATCH, whole=True)
        if found.score < TOO_SMALL:  # seldom: logarithms take ten times as long
            found = _search(logs, alphabet, constraint, BATCH, whole=True)
    else:
        found = _search(_ctc_growth(log_p, LOGS), alphabet, constraint, beam_width, whole=False)
    if found.state is None:
        return Line("", 0.0, ())
    best_path = ctc_decode(probabilities, alphabet)
    if found.text == best_path.text:
        return best_path
    line = _aligned(probabilities, found.text, alphabet)
    other = _lattice(log_p, alphabet.encode(best_path.text), np.logaddexp)[-1, -2:]
    odds = math.exp(min(0.0, found.score - np.logaddexp.reduce(other)))
    return line._replace(confidence=min(line.confidence, best_path.confidence * odds))


def ctc_align(probabilities: np.ndarray, ids: Sequence[int]) -> list[tuple[int, int]]:
    """The run of steps of each character of a text on its most probable alignment.

    probabilities: (steps, classes); ids: its class ids, without blanks. A run is (first step,
    step after the last). Raises ValueError if the text needs more steps. Viterbi's algorithm
    ("forced alignment").
    """
    best = _lattice(_log(probabilities), ids, np.maximum)  # (steps + 1, states)
    state = best.shape[1] - 1
    if ids and best[-1, state - 1] > best[-1, state]:
        state -= 1
    if best[-1, state] == -math.inf:
        raise ValueError(
            f"a text of {len(ids)} characters does not fit into {len(probabilities)} time steps; "
            "it needs one a character, and one between equal neighbours"
        )
    runs = [(0, 0)] * len(ids)
    for step in range(len(probabilities), 0, -1):
        character = state // 2
        if state % 2:
            end = runs[character][1] or step
            runs[character] = (step - 1, end)
        skips = state % 2 and character and ids[character] != ids[character - 1]
        before = best[step - 1, max(0, state - 1 - bool(skips)) : state + 1]
        state -= int(before[::-1].argmax())
    return runs


def _check(probabilities: np.ndarray, classes: int) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != classes:
        raise ValueError(
            f"probabilities of shape {probabilities.shape}: give (steps, {classes}), the "
            "alphabet's characters and class 0"
        )


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST))


def _lattice(log_p: np.ndarray, ids: Sequence[int], combine: np.ufunc) -> np.ndarray:
    """Log probability of each step and state (steps + 1, states) of a text's alignments so far.

    The states are the characters with a blank before, between and after them; row 0 is before
    the first step. combine: np.logaddexp sums over alignments (the forward algorithm),
    np.maximum takes the best.
    """
    classes = np.full(2 * len(ids) + 1, BLANK)
    classes[1::2] = ids
    skips = np.zeros(len(classes), bool)  # past the blank between characters that differ
    skips[3::2] = classes[3::2] != classes[1:-2:2]
    result = np.full((len(log_p) + 1, len(classes)), -math.inf)
    result[0, 0] = 0.0
    own = log_p[:, classes]  # (steps, states)
    for step, before in enumerate(result[:-1]):
        reached = before.copy()
        combine(reached[1:], before[:-1], out=reached[1:])
        reached[2:] = np.where(skips[2:], combine(reached[2:], before[:-2]), reached[2:])
        result[step + 1] = reached + own[step]
    return result


class _Numbers(NamedTuple):
    """How probabilities are added and multiplied: as they are, or as their logarithms."""

    add: np.ufunc
    multiply: np.ufunc
    zero: float
    one: float
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, steps), (steps, m) -> (n, m)
    log: Callable[[np.ndarray], np.ndarray]


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # by pieces: BLAS gives larger ones to threads, which take from others more than they gain
    return np.concatenate([a[first : first + 64] @ b for first in range(0, len(a), 64)])


def _log_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    top = np.maximum(a.max(axis=1, keepdims=True), -1e300)  # not -inf, which less itself is NaN
    return _log_of(np.exp(a - top) @ np.exp(b)) + top


def _log_of(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # the log of 0 is -inf, as it should be
        return np.log(x)


PLAIN = _Numbers(np.add, np.multiply, 0.0, 1.0, _matmul, _log_of)
LOGS = _Numbers(np.logaddexp, np.add, -math.inf, 0.0, _log_matmul, np.asarray)


def _ctc_growth(p: np.ndarray, numbers: _Numbers) -> Grow:
    """Prefixes with their forward variables (Graves 2006): every step of many prefixes at once.

    p: (steps, classes) in `numbers`.
    """
    add, multiply, zero, one, matmul, log = numbers
    steps = len(p)
    blank = p[:, BLANK]

    def grow(state: Any, rows: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        # probability that a prefix is written, and nothing else, after so many steps, with a
        # blank at last or its own last character: (steps + 1, prefixes)
        in_blank = np.empty((steps + 1, len(ids)))
        in_last = np.empty((steps + 1, len(ids)))
        in_blank[0], in_last[0] = one if state is None else zero, zero
        own = p[:, ids]
        if state is None:
            before = np.full((steps, 1), zero)
        else:
            last, before_in_blank, before = state
            before = before[:-1].take(rows, axis=1)
            again = np.flatnonzero(last[rows] == ids)  # the same character: after a blank only
            before[:, again] = before_in_blank[:-1, rows[again]]
        for t in range(steps):
            multiply(add(in_last[t], before[t]), own[t], out=in_last[t + 1])
            multiply(add(in_last[t], in_blank[t]), blank[t], out=in_blank[t + 1])
        total = add(in_last, in_blank, out=in_last)
        # each step may be the first of the next character: these are all the ways to go on
        bounds = matmul(total[:-1].T, p)  # (prefixes, classes)
        again = add.reduce(multiply(in_blank[:-1], own, out=own), axis=0)
        bounds[np.arange(len(ids)), ids] = again
        return log(total[-1]), log(bounds), (ids, in_blank, total)

    return grow


def _aligned(probabilities: np.ndarray, text: str, alphabet: Alphabet) -> Line:
    """`text` with the confidences and spans that its best alignment gives it."""
    if not text:
        return Line("", float(probabilities[:, BLANK].min()), ())
    ids = alphabet.encode(text)
    runs = ctc_align(probabilities, ids)
    edges = [(left[1] + right[0]) / 2 for left, right in itertools.pairwise(runs)]
    lefts = [float(runs[0][0]), *edges]
    rights = [*edges, float(runs[-1][1])]
    characters = tuple(
        Character(character, float(probabilities[first:end, i].max()), left, right)
        for character, i, (first, end), left, right in zip(text, ids, runs, lefts, rights)
    )
    return Line(text, math.prod(c.confidence for c in characters), characters)


# --- attention ------------------------------------------------------------------------------


class Decoded(NamedTuple):
    """What an attention decoder writes."""

    ids: list[int]  # of the characters
    log_probability: float  # of all of them and the end symbol; -inf if nothing allowed is possible
    probabilities: np.ndarray  # (characters + 1,) of each, the end symbol last; empty if nothing is


def attention_beam_search(
    step: Callable[[Any, np.ndarray], tuple[np.ndarray, Any]],
    start_state: Any,
    select: Callable[[Any, np.ndarray], Any],
    alphabet: Alphabet,
    max_steps: int,
    constraint: Constraint | None = None,
    beam_width: int | None = None,
) -> Decoded:
    """The most probable allowed text of one line that a decoder writes symbol by symbol.

    step(states, last ids (n,)) gives log probabilities (n, classes) and the new states; class 0
    is the end symbol, and the start symbol that the first call is given. start_state: states of
    one row. select(states, indices (m,)) gives the states of those rows, where some may repeat.
    max_steps: most symbols, the end's included. Raises ValueError.

    beam_width: prefixes kept of each length, 10 if not given. With a Lexicon, none given means
    that all are looked at which can still win, so that the word is the best one, exactly; hard
    lines and long lists then take many steps, which a width bounds.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps {max_steps}: give at least 1, for the end symbol")
    whole = isinstance(constraint, Lexicon) and beam_width is None

    def grow(state: Any, rows: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        if state is None:
            states, written, scores = start_state, np.zeros((1, 0)), np.zeros(1)
        else:
            states, written, log_p = state
            written = np.concatenate([written[rows], log_p[rows, ids][:, None]], axis=1)
            states, scores = select(states, rows), written.sum(axis=1)
        log_p, states = step(states, ids)
        log_p = np.asarray(log_p, np.float64)
        _check(log_p, alphabet.classes)
        totals = scores[:, None] + log_p  # (prefixes, classes)
        last = written.shape[1] + 1 == max_steps
        bounds = np.full_like(totals, -math.inf) if last else totals
        return totals[:, END], bounds, (states, written, log_p)

    width = BATCH if whole else BEAM_WIDTH if beam_width is None else beam_width
    found = _search(grow, alphabet, constraint, width, whole)
    if found.state is None:
        return Decoded([], -math.inf, np.zeros(0))
    _, written, log_p = found.state
    symbols = np.append(written[found.row], log_p[found.row, END])
    return Decoded(alphabet.encode(found.text), found.score, np.exp(symbols))
