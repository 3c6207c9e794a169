"""In which order pictures are shown."""

import heapq
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

from aocr.label.labels_file import Answer
from aocr.label.readings import PictureReading, Result
from ocr_simple.reports.metrics import SURE

Order = Literal["unsure", "diverse", "name"]
LEAST_SURE, MOST_COMPARED = 0.2, 60  # share and number of the waiting pictures that are compared


def first_order(count: int, order: Order) -> list[int]:
    """The order in which pictures are read, and in which they are shown until they are read.

    By name, or shuffled: then the pictures that are read first are a random sample, and the least
    sure of them is nearly the least sure of all.
    """
    numbers = list(range(count))
    if order != "name":
        random.Random(0).shuffle(numbers)
    return numbers


def next_to_label(
    waiting: Collection[int],
    readings: Mapping[int, Result],
    order: Order,
    known: Collection[int] = (),
) -> int | None:
    """Which of the waiting pictures comes next; waiting: in their first order.

    unsure: the least sure of those that were read. diverse: of the least sure ones, the one that
    looks least like those that are `known`. Pictures that cannot be used come last.
    """
    if order != "name":
        sure = {
            n: found.confidence
            for n in waiting
            if isinstance(found := readings.get(n), PictureReading)
        }
        if sure and order == "diverse":
            compared = min(MOST_COMPARED, max(1, round(LEAST_SURE * len(sure))))
            return least_alike(
                heapq.nsmallest(compared, sure, key=sure.__getitem__), known, readings
            )
        if sure:
            return min(sure, key=lambda n: sure[n])
    good = (n for n in waiting if not isinstance(readings.get(n), str))
    return next(good, next(iter(waiting), None))


def least_alike(
    numbers: Sequence[int], known: Collection[int], readings: Mapping[int, Result]
) -> int:
    """The picture that is farthest from the nearest known one (greedy farthest-first traversal).

    numbers: those to choose from, all of them read; of several that are equally far, the first.
    """
    looks = {n: found.look for n in (*numbers, *known)
             if isinstance(found := readings.get(n), PictureReading)}  # fmt: skip
    theirs = np.array([looks[n] for n in known if n in looks])  # (known, values)
    if not len(theirs):
        return numbers[0]
    ours = np.array([looks[n] for n in numbers])
    to_each = (theirs**2).sum(axis=1) - 2 * ours @ theirs.T  # (numbers, known)
    nearest = to_each.min(axis=1) + (ours**2).sum(axis=1)  # squares of distances
    return numbers[int(nearest.argmax())]


def review_key(
    answer: Answer, found: Result | None, alphabet: Collection[str]
) -> tuple[int, float]:
    """Sort key of an answered picture in a review; the lowest comes first.

    Labels that may be wrong come first, as in the report of `aocr test`: the model is sure, reads
    something else, and knows all characters of the label. Of these, the surest come first.
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
        return review_key(answers[number], readings.get(number), alphabet)

    return min(waiting, key=place, default=None)
