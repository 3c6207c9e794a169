"""Builds a language model, which --language-model reads, from texts.

    python pretrained/language_model.py mine.npz texts.txt parts.txt
    python pretrained/language_model.py pretrained/words.npz --wordfreq en --alphabet ascii

Texts are UTF-8 files with a text per row: a word, a part number, a whole line. A tab and a number
after a text say how often it counts. The best texts are like those that are to be read.

The shipped model `words` is made by the second command, after pip install wordfreq.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ocr_simple.decoding.ngrams import NGrams
from ocr_simple.text import Alphabet, normalise_text

NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
EXPONENT = 0.5  # of a word's frequency: signs have rarer words than books


@dataclass(frozen=True)
class Options:
    """Build a language model for --language-model from texts."""

    output: tyro.conf.Positional[Path]
    """File to write, named .npz; its folder is made if it does not exist."""
    texts: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """UTF-8 files with a text per row, perhaps with a tab and how often it counts."""
    wordfreq: str | None = None
    """Add the words of a language, such as en, from the package wordfreq."""
    alphabet: str | None = None
    """Leave out texts with other characters than these: a name such as ascii, a string, a file."""
    order: int = 7
    """Longest sequence of characters that is counted, 2 to 8."""
    size: int = 1_000_000
    """Sequences to keep, the most frequent; a million take about 2.3 MB."""


def read_texts(path: Path) -> dict[str, float]:
    """The texts of a file, each with how often it counts. Raises ValueError."""
    try:
        rows = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); name a UTF-8 file with one text per row"
        ) from error
    found: dict[str, float] = defaultdict(float)
    for number, row in enumerate(rows, 1):
        text, tab, count = row.partition("\t")
        if tab and not NUMBER.fullmatch(count.strip()):
            raise ValueError(
                f"{path}:{number}: {count!r} after the tab is no number; write how often the text "
                "counts, or leave out the tab"
            )
        found[normalise_text(text)] += float(count) if tab else 1
    return found


def read_wordfreq(language: str) -> dict[str, float]:
    """The words of a language in the package wordfreq, with their weights. Raises ValueError."""
    try:
        from wordfreq import get_frequency_dict

        words = get_frequency_dict(language, wordlist="best")
    except ImportError as error:
        raise ValueError(f"--wordfreq {language}: install it with pip install wordfreq") from error
    except LookupError as error:
        raise ValueError(f"--wordfreq {language}: {error}") from error
    least = min(words.values())
    # the others, such as numbers and e-mail, are put together from parts
    kept = {word: f for word, f in words.items() if word.replace("'", "").isalpha()}
    return {word: (f / least) ** EXPONENT for word, f in kept.items()}


def main(options: Options) -> None:
    """Write the language model. Raises ValueError."""
    if options.output.suffix != ".npz":
        raise ValueError(f"{options.output}: give the file a name that ends in .npz")
    sources = [read_texts(path) for path in options.texts]
    if options.wordfreq is not None:
        sources.append(read_wordfreq(options.wordfreq))
    texts: dict[str, float] = defaultdict(float)
    for source in sources:
        for text, count in source.items():
            texts[text] += count
    if options.alphabet is not None:
        known = set(Alphabet.parse(options.alphabet).characters)
        texts = {text: n for text, n in texts.items() if known.issuperset(text)}
    if not texts:
        raise ValueError("no texts; name files with one text per row, or give --wordfreq")
    ngrams = NGrams.fit(texts.items(), options.order, options.size)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    ngrams.save(options.output)
    sizes = sum(map(len, ngrams.keys))
    print(
        f"{options.output}: {len(texts):,} texts, {sizes:,} sequences of up to {options.order} "
        f"characters, {options.output.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except (ValueError, OSError) as error:
        print(f"language_model.py: {error}", file=sys.stderr)
        sys.exit(2)
