"""Builds the list of words and frequencies that `--text-source signs` and `pages` draw from.

    python -m pip install wordfreq==3.1.1
    python pretrained/word_list.py

It writes ocr_simple/drawing/words.tsv.gz: the most frequent words of several languages in the
package wordfreq, each with 100 times the logarithm (base 10) of its frequency per billion words.
English has most of them. The frequency of a word of another language is divided by 100, so that
signs, which draw rare words more often, have some of them, and pages few.
"""

import argparse
import gzip
import re
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[1] / "ocr_simple" / "drawing" / "words.tsv.gz"
WORDS = {"en": 30_000, "de": 3000, "es": 3000, "fr": 3000, "it": 3000, "nl": 1500, "pt": 1500}
LATIN = re.compile(r"[a-z\u00df-\u00f6\u00f8-\u017f']*[a-z\u00df-\u00f6\u00f8-\u017f]")
FOREIGN = -200  # hundredths of a logarithm: a hundredth
# Beginnings of words that nobody wants to see in the pictures of a model's card.
OFFENSIVE = re.compile(
    "anal(|ly)$|arse|ass(|es|hole)$|bastard|bitch|blowjob|bollock|boob|cock(|s|sucker.*)$|coon|cum(|s|ming|shot)$|cunt|"
    "dick|dildo|dyke|fag(|s|got.*)$|fuck|gangbang|handjob|hitler|jizz|kike|merd(|e|a)$|milf|motherf|nazi|nigg|nude|"
    "orgasm|orgy|paki|penis|piss|porn|prick(|s)$|prostitut|puss|puta(|s)$|rape(|d|s)$|rapi(st|ng)|retard|scheiss|"
    "scheiß|sex|shit|slut|spic(|s)$|sperm|tit(|s|ties)$|tranny|turd|twat|vagina|wank|whor|xxx"
)
HEADER = """\
# Words and 100 log10 of their frequency in 1e9 words, from wordfreq 3.1.1 by Robyn Speer
# (https://github.com/rspeer/wordfreq), CC BY-SA 4.0; made by pretrained/word_list.py
"""


def is_suitable(word: str) -> bool:
    """Whether a word is in Latin letters and not offensive."""
    return bool(LATIN.fullmatch(word)) and not OFFENSIVE.match(word)


def word_list() -> dict[str, int]:
    """Words and their logarithms of frequency. Raises ImportError without wordfreq."""
    from wordfreq import top_n_list, zipf_frequency

    found: dict[str, int] = {}
    for language, count in WORDS.items():
        words = [w for w in top_n_list(language, 2 * count) if is_suitable(w)]
        for word in words[:count]:
            weight = round(100 * zipf_frequency(word, language)) + FOREIGN * (language != "en")
            found[word] = max(weight, found.get(word, 0))
    return found


def main() -> None:
    """Write the list."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    words = word_list()
    rows = "".join(f"{word}\t{words[word]}\n" for word in sorted(words))
    with open(OUTPUT, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write((HEADER + rows).encode())
    print(f"{OUTPUT}: {len(words):,} words, {OUTPUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
