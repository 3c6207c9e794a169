"""The training that fits some pictures, as one command to copy."""

import re
import shlex
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from aocr.diagnose.nearness import Nearness
from aocr.model_folder import model_folder
from aocr.options import GOOD_START, LEAST_LABELS
from ocr_simple.datasets.usable_images import too_long
from ocr_simple.options import DrawingOptions
from ocr_simple.runs.model_files import PRETRAINED
from ocr_simple.spec import ModelSpec, read_spec
from ocr_simple.text import NAMED_ALPHABETS, Alphabet, unique_characters

LEAST_SHARE = 0.1  # of the pictures that are nearest to a recipe: fewer may be chance
PHOTO = 0.85  # share of lines that become pictures, as in the training of the shipped models
HEIGHTS = (32, 48, 64)  # rows of the model's input that are tried
LEAST_INK = 10  # rows: recipes rarely draw smaller ink, which shows little of a character
MANY = 1000  # labelled images: with more of them, generated lines add little
MOSTLY = 0.9  # share of characters that make texts numbers
SURE = 0.5  # confidence from which a reading says what is written
CODE = re.compile(r"\d[^\W\d_]|[^\W\d_]\d")  # a digit beside a letter
MOST_WORDS = 8  # in a generated line
STEPS_FROM_SCRATCH = 10_000


class TextsSeen(NamedTuple):
    """What the lines to train on say."""

    alphabet: str  # its characters
    shortest: int
    longest: int
    words: int  # most words in a line; 0: they are no words

    @property
    def case(self) -> str:
        """The case that all letters have: upper or lower; keep if they have both, or none."""
        letters = "".join(filter(str.isalpha, self.alphabet))
        return "upper" if letters.isupper() else "lower" if letters.islower() else "keep"


class Observations(NamedTuple):
    """What is known of the pictures."""

    folder: str
    sizes: list[tuple[int, int]]  # width and height in pixels, of those that were looked at
    labels: list[str]  # of all that have one
    readings: list[tuple[str, float]]  # by the shipped model `text`: (text, confidence)
    ink_height: float  # median, of the height
    nearness: Nearness
    labelled: list[tuple[tuple[int, int], str]]  # (size, label) of those that were looked at
    how: tuple[str, ...] = ()  # options that say how labels are read


@dataclass
class Advice:
    """A command, and what the user should know about it."""

    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        """The command on several rows, each with what belongs together, for a shell."""
        groups: list[list[str]] = []
        for word in self.arguments:
            if word.startswith("--") or not groups:
                groups.append([])
            groups[-1].append(shlex.quote(word))
        rows = ["python train.py"]
        for group in map(" ".join, groups):
            if len(rows[-1]) + len(group) > 92:
                rows.append("   ")
            rows[-1] += f" {group}"
        return " \\\n".join(rows)


def advise(seen: Observations, fonts: Sequence[str]) -> Advice:
    """The training for pictures like these. fonts: as given to `--fonts`."""
    advice = Advice()
    texts = _texts(seen, advice)
    height = _height(seen, advice)
    start = "numbers" if not Alphabet.parse("numbers").unknown(texts.alphabet) else "text"
    if seen.labels:
        advice.arguments += ["--dataset", seen.folder, *seen.how]
        if len(seen.labels) < MANY:
            advice.arguments += ["--mix-generated", "0.5"]
    spec = read_spec(PRETRAINED / f"{start}.keras")
    if height == spec.height:
        advice.arguments += ["--init-from", start, "--architecture", spec.architecture]
    else:
        advice.arguments += ["--architecture", "wide" if start == "text" else "deep"]
        advice.arguments += ["--rnn-units", "128" if start == "text" else "80"]
        advice.arguments += ["--steps", str(STEPS_FROM_SCRATCH)]
    advice.arguments += ["--height", str(height), *_text_options(texts)]
    advice.arguments += ["--recipe", *mixture(seen.nearness), "--photo", str(PHOTO)]
    if tuple(fonts) != DrawingOptions.fonts:
        advice.arguments += ["--fonts", *fonts]
    advice.arguments += ["--model-dir", str(model_folder(seen.folder))]
    return advice


def next_step(folder: str, labels: int, model: str, how: Sequence[str] = ()) -> str:
    """What to do with the pictures now, for people.

    model: that suggests the texts to label. how: options that say how labels are read.
    """
    place = shlex.quote(folder)
    train = " ".join((f"    aocr train {place} --auto", *how))
    if labels >= LEAST_LABELS:
        return f"Next, train on your labels; the options are chosen for you:\n\n{train}"
    return (
        f"Next, label some of them ({GOOD_START} are a good start), and train on the labels:\n\n"
        f"    aocr label {place} --model {model}\n{train}"
    )


def mixture(nearness: Nearness) -> list[str]:
    """Recipes with weights, by the share of pictures that are nearest to each."""
    ranked, total = nearness.ranked(), len(nearness.nearest)
    kept = [(kind, count) for kind, count in ranked if count >= LEAST_SHARE * total]
    kept = kept or ranked[:1]
    if len(kept) == 1:
        return [kept[0][0]]
    return [f"{kind}:{max(1, round(10 * count / total))}" for kind, count in kept]


# --- texts ------------------------------------------------------------------------------------


def _texts(seen: Observations, advice: Advice) -> TextsSeen:
    """What the lines should say: by the labels, or else by what was read."""
    if seen.labels:
        return _texts_like(seen.labels, "".join(seen.labels))
    texts = [text for text, confidence in seen.readings if text and confidence >= SURE]
    digits = seen.nearness.ranked()[0][0] == "counter"  # which has nothing else
    if len(texts) < max(3, len(seen.readings) // 10):
        advice.notes.append(
            "Without labels, and with few readings that are sure, the characters and the lengths "
            "are a guess: correct --alphabet, --min-length and --max-length."
        )
        return TextsSeen(
            NAMED_ALPHABETS["digits" if digits else "ascii"], 1, 10, 0 if digits else 2
        )
    advice.notes.append(
        "Without labels, the characters and the lengths are what the model text read where it was "
        "sure: check --alphabet, --min-length and --max-length."
    )
    written = "".join(texts)
    numeric = sum(c in NAMED_ALPHABETS["numbers"] for c in written) / len(written)
    if digits or numeric >= MOSTLY:
        marks = sum(c in ".,:-/" for c in written) > (1 - MOSTLY) / 2 * len(written)
        alphabet = NAMED_ALPHABETS["numbers" if marks and not digits else "digits"]
    else:
        alphabet = NAMED_ALPHABETS["ascii"]
    shortest, longest = np.percentile([len(text) for text in texts], (5, 95))
    return _texts_like(texts, alphabet)._replace(shortest=int(shortest), longest=int(longest))


def _texts_like(texts: list[str], characters: str) -> TextsSeen:
    """Texts as long as these, with these characters, and others that words and numbers have."""
    words = 0
    if 2 * sum(map(_is_text, texts)) >= len(texts):
        words = min(MOST_WORDS, max(len(text.split()) for text in texts))
    sets = [string.digits] + [string.ascii_lowercase, string.ascii_uppercase] * bool(words)
    alphabet = set(characters).union(*(each for each in sets if set(each) & set(characters)))
    lengths = [len(text) for text in texts]
    return TextsSeen(unique_characters(sorted(alphabet)), min(lengths), max(lengths), words)


def _is_text(text: str) -> bool:
    """Whether a text has words, and is no number or code: none of its words has digits too."""
    letters = sum(c.isalpha() or c == " " for c in text)
    coded = any(CODE.search(word) for word in text.split())
    return not coded and len(text) > 1 and letters >= 0.6 * len(text)


def _text_options(texts: TextsSeen) -> list[str]:
    names = [name for name, c in NAMED_ALPHABETS.items() if set(c) == set(texts.alphabet)]
    alphabet = names[0] if names else texts.alphabet
    options = [f"--alphabet={alphabet}"] if alphabet.startswith("-") else ["--alphabet", alphabet]
    if texts.words:
        options += ["--text-source", "recipe", "--words", str(texts.words)]
        options += ["--case", texts.case] if texts.case != "keep" else []
    elif set(texts.alphabet) <= set(NAMED_ALPHABETS["numbers"]) and not texts.alphabet.isdigit():
        options += ["--text-source", "numbers"]
    return [*options, "--min-length", str(texts.shortest), "--max-length", str(texts.longest)]


# --- height -----------------------------------------------------------------------------------


def _height(seen: Observations, advice: Advice) -> int:
    """Rows at which labels have time steps enough, and small ink can be seen."""
    least, *higher = HEIGHTS
    reason = _why_more(seen, least)
    if not reason:
        return least
    height = next((rows for rows in higher if not _why_more(seen, rows)), HEIGHTS[-1])
    advice.notes.append(
        f"--height {height}, because {reason}. No shipped model has that height, so the training "
        "starts from scratch. Pictures cropped closer to the line are read better, and the "
        "training can then start from a shipped model."
    )
    return height


def _why_more(seen: Observations, height: int) -> str:
    """Why a model needs more rows than `height`; empty if it does not."""
    rows = float(np.median([rows for _, rows in seen.sizes]))
    if seen.ink_height * height < LEAST_INK and rows > height:
        return "the ink is small in its pictures"
    spec = ModelSpec(height=height, architecture="deep")
    dense = [too_long(size, label, spec) for size, label in seen.labelled]
    return "labels are long for the width of their pictures" if any(dense) else ""
