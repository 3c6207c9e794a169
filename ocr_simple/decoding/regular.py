"""Regular expressions as automata.

    automaton = compile_pattern(r"\\d{5}", Alphabet("0123456789"))

An expression becomes a nondeterministic automaton (Thompson 1968, "Regular Expression Search
Algorithm"), and that a deterministic one by the subset construction (Rabin & Scott 1959, "Finite
Automata and Their Decision Problems"). What one character may be (`\\d`, `[a-f]`, `\\p{Han}`) is
left to the package regex. Not everything in its syntax is a regular expression in this sense:
lookahead, back-references and similar constructs raise NotRegular.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import regex

from ocr_simple.decoding.automaton import MOST_EDGES, Automaton
from ocr_simple.text import BLANK, Alphabet

MOST_CHARACTERS = 1000  # of an expression
MOST_WORK = 1_000_000  # edges and states that are looked at; about a second
DEEPEST = 50  # groups in groups
MOST_STATES = 5000
TOKENS = re.compile(
    r"""(?P<set>\[\^?\]?(?:[^][\\]|\\.|\[:\^?\w+:\])*\])
    | (?P<escape>\\(?:[dDwWsS]|[pP]\{[^{}]*\}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^0-9A-Za-z]))
    | (?P<repeat>(?:[*+?]|\{(?P<least>\d+)(?:(?P<comma>,)(?P<most>\d*))?\}|\{,(?P<upto>\d+)\})\??)
    | (?P<open>\((?:\?:|\?P?<\w+>)?)
    | (?P<close>\)) | (?P<or>\|) | (?P<begin>\^) | (?P<end>\$) | (?P<any>\.)
    | (?P<literal>[^][\\(){}*+?|^$.]|[]}])""",
    re.VERBOSE | re.DOTALL,
)


UNSUPPORTED = {  # what the package regex has beyond regular languages, by how it begins
    r"\(\?[=!]": "a lookahead",
    r"\(\?<[=!]": "a lookbehind",
    r"\(\?>": "an atomic group",
    r"\\[1-9]|\(\?P=": "a back-reference",
    r"\\b": "a word boundary",
    r"\(\?": "a group with flags",
}


class NotRegular(ValueError):
    """A pattern, or a part of one, that is no automaton of bounded size."""


# --- an expression as a tree --------------------------------------------------------------------


class One(NamedTuple):
    """One character of several."""

    ids: frozenset[int]


class Sequence(NamedTuple):
    """One part after the other."""

    parts: list


class Either(NamedTuple):
    """One of the parts."""

    parts: list


class Repeat(NamedTuple):
    """A part that follows itself."""

    part: "Node"
    least: int
    most: int | None  # None: any number


Node = One | Sequence | Either | Repeat


class _Parser:
    """Reads an expression from left to right."""

    def __init__(self, pattern: str, alphabet: Alphabet):
        self.pattern, self.alphabet, self.place = pattern, alphabet, 0
        self.known: dict[str, One] = {}

    def parse(self, depth: int = 0) -> Either:
        """The alternatives up to the end, or to the bracket that closes a group."""
        if depth > DEEPEST:
            raise NotRegular(f"groups are nested over {DEEPEST} deep")
        branches: list[Sequence] = [Sequence([])]
        repeatable = False  # whether a repetition may follow
        while self.place < len(self.pattern):
            token = TOKENS.match(self.pattern, self.place)
            kind = token.lastgroup if token else None
            rest = self.pattern[self.place :]
            if token is None or kind is None or (token[0] == "(" and rest.startswith("(?")):
                raise NotRegular(_unsupported(rest))
            parts, start, self.place = branches[-1].parts, self.place, token.end()
            if kind == "close":
                self.place = start
                break
            if kind == "or":
                branches.append(Sequence([]))
            elif kind == "repeat":
                if not repeatable:
                    raise NotRegular(f"{token[0]!r} repeats nothing, or a repetition")
                parts[-1] = Repeat(parts[-1], *_times(token))
            elif kind in ("begin", "end"):
                self._check_anchor(kind, depth, not parts)
            elif kind == "open":
                parts.append(self.parse(depth + 1))
                if self.pattern[self.place : self.place + 1] != ")":
                    raise NotRegular("a ) is missing")
                self.place += 1
            else:
                parts.append(self._one(token[0]))
            repeatable = kind not in ("or", "repeat", "begin", "end")
        if depth == 0 and self.place < len(self.pattern):
            raise NotRegular("a ) has no (")
        return Either(branches)

    def _check_anchor(self, kind: str, depth: int, first: bool) -> None:
        """Raise NotRegular for ^ and $ anywhere but at the ends, where they change nothing."""
        last = self.pattern[self.place : self.place + 1] in ("", "|")
        if depth or not (first if kind == "begin" else last):
            raise NotRegular("^ or $ in the middle of the pattern")

    def _one(self, source: str) -> One:
        """The characters that a part for one character matches."""
        if source not in self.known:
            compiled = regex.compile(source)
            matching = map(compiled.fullmatch, self.alphabet.characters)
            ids = frozenset(i for i, found in enumerate(matching, BLANK + 1) if found)
            self.known[source] = One(ids)
        return self.known[source]


def _unsupported(rest: str) -> str:
    """Why the rest of an expression cannot be taken."""
    for start, name in UNSUPPORTED.items():
        if re.match(start, rest):
            return f"{rest[:10]!r} begins with {name}"
    return f"{rest[:10]!r} is not a part of a regular language"


def _times(token: re.Match[str]) -> tuple[int, int | None]:
    """(least, most) of a repetition such as * or {2,5}."""
    if token["upto"]:
        return 0, int(token["upto"])
    if token["least"]:
        least = int(token["least"])
        if not token["comma"]:
            return least, least
        return least, int(token["most"]) if token["most"] else None
    return {"*": (0, None), "+": (1, None), "?": (0, 1)}[token[0][0]]


# --- a tree as an automaton ---------------------------------------------------------------------


class _Nondeterministic:
    """States with any number of edges for a character, and some without a character."""

    def __init__(self) -> None:
        self.edges: list[tuple[frozenset[int], int] | None] = []  # of each state, at most one
        self.jumps: list[list[int]] = []  # states that need no character

    def new(self, *before: int) -> int:
        """A state to which those before lead without a character."""
        if len(self.jumps) >= MOST_STATES:
            raise NotRegular(f"it needs over {MOST_STATES:,} states")
        self.edges.append(None)
        self.jumps.append([])
        for state in before:
            self.jumps[state].append(len(self.jumps) - 1)
        return len(self.jumps) - 1

    def add(self, node: Node, start: int) -> int:
        """Add what a node allows after a state. Returns the state after it."""
        match node:
            case One(ids):
                begin, end = self.new(start), self.new()
                self.edges[begin] = ids, end
                return end
            case Sequence(parts):
                end = self.new(start)
                for part in parts:
                    end = self.add(part, end)
                return end
            case Either(parts):
                return self.new(*[self.add(part, start) for part in parts])
        end = self.new(start)
        for _ in range(node.least):
            end = self.add(node.part, end)
        if node.most is None:
            end = self.new(end)
            self.jumps[self.add(node.part, end)].append(end)
            return end
        ends = [end]
        for _ in range(node.most - node.least):
            ends.append(self.add(node.part, ends[-1]))
        return self.new(*ends)

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """These states, and those that they lead to without a character."""
        found, pending = set(states), list(states)
        while pending:
            fresh = set(self.jumps[pending.pop()]) - found
            found |= fresh
            pending += fresh
        return frozenset(found)


def _determined(net: _Nondeterministic, end: int) -> tuple[list[dict[int, int]], set[int]]:
    """(edges of each state, final states) of the deterministic automaton."""
    numbers = {net.closure([0]): 0}
    pending, edges, count, work = deque(numbers), [], 0, 0
    while pending:
        targets: dict[int, set[int]] = {}
        for state in pending.popleft():
            if edge := net.edges[state]:
                work += len(edge[0])
                for i in edge[0]:
                    targets.setdefault(i, set()).add(edge[1])
        closures: dict[frozenset[int], frozenset[int]] = {}  # many characters lead to one state
        leaving = {}
        for i, states in targets.items():
            key = frozenset(states)
            if key not in closures:
                closures[key] = net.closure(key)
                work += len(closures[key])
            if closures[key] not in numbers:
                numbers[closures[key]] = len(numbers)
                pending.append(closures[key])
            leaving[i] = numbers[closures[key]]
        edges.append(leaving)
        count += len(leaving)
        if len(numbers) > MOST_STATES or count > MOST_EDGES or work > MOST_WORK:
            raise NotRegular(f"it needs over {MOST_STATES:,} states or {MOST_EDGES:,} edges")
    return edges, {number for states, number in numbers.items() if end in states}


def _trimmed(
    edges: list[dict[int, int]], final: set[int]
) -> tuple[list[dict[int, int]], list[int]]:
    """The same without states from which no final one can be reached; but state 0 stays."""
    before: list[list[int]] = [[] for _ in edges]
    for state, leaving in enumerate(edges):
        for following in leaving.values():
            before[following].append(state)
    alive, pending = set(final), list(final)
    while pending:
        fresh = set(before[pending.pop()]) - alive
        alive |= fresh
        pending += fresh
    kept = sorted(alive | {0})
    number = {state: place for place, state in enumerate(kept)}
    trimmed = [{i: number[s] for i, s in edges[n].items() if s in alive} for n in kept]
    return trimmed, [number[state] for state in sorted(final)]


def compile_pattern(pattern: str, alphabet: Alphabet) -> Automaton:
    """The automaton of the texts in an alphabet that an expression matches completely.

    Raises NotRegular, a ValueError, if there is none of bounded size.
    """
    if len(pattern) > MOST_CHARACTERS:
        raise NotRegular(f"it has {len(pattern):,} characters, over {MOST_CHARACTERS:,}")
    try:
        tree = _Parser(pattern, alphabet).parse()
    except regex.error as error:
        raise NotRegular(str(error)) from error
    net = _Nondeterministic()
    end = net.add(tree, net.new())
    return Automaton(*_trimmed(*_determined(net, end)), alphabet)
