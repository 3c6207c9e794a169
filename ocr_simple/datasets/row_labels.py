"""What the labels of an annotation file have in common that cannot be part of them.

A row without a header says too little: `1.png , one` is a label `, one` behind a space, or `one`
behind a comma. All rows together are clear: no text begins with a comma in each image.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ocr_simple.datasets.entries import quoted
from ocr_simple.errors import DatasetError

SEPARATOR = re.compile(r"(?:->|=>|:=|[-–—=])(?=\s|$)|[,;:|]|'(?=.*'$)")
QUOTED = re.compile(r'"((?:[^"]|"")*)"')  # a cell of CSV in quotes
MJSYNTH = re.compile(r"(?:^|.*/)\d+/\d+/\d+_([^/_]+)_(\d+)\.\w+")  # 2911/6/77_Heartbreak_35885.jpg
SPREADSHEET = re.compile(  # what a spreadsheet makes of numbers and formulas, or shows instead
    r'="[^"]*"?|\'[\d.,/-]+|\d(?:[.,]\d+)?E[+-]\d{2,}|#{4,}'
    r"|#(?:NAME\?|N/A|REF!|VALUE!|DIV/0!|NUM!|NULL!)"
)


class Labels(NamedTuple):
    """The labels of an annotation file, each without what is not part of it."""

    texts: list[str]
    notes: tuple[str, ...] = ()  # what was found, for messages


def check_labels(
    place: str, names: Sequence[str], texts: Sequence[str], columns: bool, tabs: bool = False
) -> Labels:
    """The labels that the rows of an annotation file mean.

    names: the path of each image, as the file has it. columns: whether a header or JSON says which
    part of a row is the label. tabs: whether it follows a tab in all rows: it may then begin with
    any character. Raises DatasetError if all labels begin with the same separator, or all are in
    single quotes.
    """
    if words := _mjsynth(names, texts):
        note = "its numbers are indexes into MJSynth's lexicon; the labels are from the file names"
        return Labels(words, (note,))
    labels = list(texts)
    notes = []
    written = [text for text in labels if text]
    if not columns and len(written) > 1:
        quotes = [QUOTED.fullmatch(text) for text in written]
        if all(quotes):
            labels = [text[1:-1].replace('""', '"') for text in labels]
            notes.append("the quotes around every label were removed")
        elif count := sum(found is not None for found in quotes):
            notes.append(f"labels in quotes: {count:,} of {len(labels):,}; the quotes are kept")
        if not tabs:
            _refuse_separators(place, written)
    notes += [note] if (note := _spreadsheet(labels)) else []
    return Labels(labels, tuple(notes))


def mjsynth_word(path: str) -> tuple[str, str] | None:
    """(word, index into the lexicon) that the path of an image of MJSynth names; else None."""
    found = MJSYNTH.fullmatch(path.replace("\\", "/"))
    return (found[1], found[2]) if found else None


def _mjsynth(names: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The words of rows that are all MJSynth's, whose labels are indexes; else nothing."""
    words = []
    for name, text in zip(names, texts, strict=True):
        found = mjsynth_word(name)
        if found is None or found[1] != text:
            return []
        words.append(found[0])
    return words


def _refuse_separators(place: str, labels: list[str]) -> None:
    """Raise DatasetError if all labels begin with the same separator, or are in single quotes."""
    first = SEPARATOR.match(labels[0])
    if first is None:
        return
    separator = first[0]
    for label in labels:
        found = SEPARATOR.match(label)
        if found is None or found[0] != separator:
            return
    if separator == "'":
        what = f"every label is in single quotes, such as {quoted(labels[0])}; remove them"
    else:
        what = (
            f"every label begins with {quoted(separator)}, such as {quoted(labels[0])}; put only a "
            "tab between path and label"
        )
    raise DatasetError(f"{place}: {what}")


def _spreadsheet(labels: list[str]) -> str:
    """A message about labels that a spreadsheet has changed; empty if there are none."""
    changed = [label for label in labels if SPREADSHEET.fullmatch(label)]
    if len(labels) > 1 and all(label.startswith("'") and label[1:] for label in labels):
        changed = labels
    if not changed:
        return ""
    return (
        f"labels that a spreadsheet may have changed: {len(changed):,} (first: "
        f"{quoted(changed[0])}); if so, format the column as text there, and save it again"
    )
