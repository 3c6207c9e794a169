"""Folds: which characters count when a text is compared with its truth."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from ocr_simple.reports.metrics import Reading
from ocr_simple.text import normalise_text

FOLDS: dict[str, Callable[[str], str]] = {
    "none": normalise_text,  # every character
    "digits": lambda text: re.sub("[^0-9]", "", text),
    "alnum": lambda text: "".join(filter(str.isalnum, normalise_text(text).casefold())),
}


def folded(readings: Iterable[Reading], fold: str) -> list[Reading]:
    """The same readings with truths and texts reduced to what counts; spans are dropped."""
    keep = FOLDS[fold]
    return [
        replace(
            reading,
            truth=keep(reading.truth),
            line=reading.line._replace(text=keep(reading.line.text), characters=()),
        )
        for reading in readings
    ]
