"""In which order pictures are shown."""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from aocr.label.labels_file import Answer
from aocr.label.readings import PictureReading, Result
from ocr_simple.reports.metrics import SURE

Order = Literal["unsure", "name"]


def first_order(count: int, order: Order) -> list[int]:
    """The order in which pictures are read, and shown as long as they are not.

    By name, or mixed: so those that are read first are like the rest, and the least sure of them
    nearly the least sure of all.
    """
    numbers = list(range(count))
    if order == "unsure":
        random.Random(0).shuffle(numbers)
    return numbers


def next_to_label(
    waiting: Collection[int], readings: Mapping[int, Result], order: Order
) -> int | None:
    """Which of the waiting pictures comes next; waiting: in their first order.

    unsure: the least sure of those that were read. Pictures that cannot be used come last.
    """
    if order == "unsure":
        sure = {
            n: found.confidence
            for n in waiting
            if isinstance(found := readings.get(n), PictureReading)
        }
        if sure:
            return min(sure, key=lambda n: sure[n])
    good = (n for n in waiting if not isinstance(readings.get(n), str))
    return next(good, next(iter(waiting), None))


def disagreement(
    answer: Answer, found: Result | None, alphabet: Collection[str]
) -> tuple[int, float]:
    """The place of an answered picture in a review; the lowest is looked at first.

    First what may be a wrong label, as in the report of `aocr test`: the model is sure, reads
    something else, and knows all characters of the label. The surest first.
    """
    if answer.label is None:
        return 3, 0.0
    if not isinstance(found, PictureReading) or found.text == answer.label:
        return 2, 0.0
    suspected = found.confidence >= SURE and all(c in alphabet for c in answer.label)
    return (0 if suspected else 1), -found.confidence


def next_to_review(
    waiting: Sequence[int],
    answers: Mapping[int, Answer],
    readings: Mapping[int, Result],
    alphabet: Collection[str],
) -> int | None:
    """Which of the answered pictures is looked at next; waiting: in their order."""

    def place(number: int) -> tuple[int, float]:
        return disagreement(answers[number], readings.get(number), alphabet)

    return min(waiting, key=place, default=None)
