"""Batches of lines: functions of (seed, i), packed as the model takes them."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from support.lines import FONTS

from ocr_simple.datasets.batches import Batches
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.spec import ModelSpec, time_steps
from ocr_simple.text import Alphabet


def lines(seed=0, **options):
    return Lines(LineOptions(**options), ModelSpec(), FONTS, seed)


def test_a_batch_depends_on_seed_and_number_alone():
    first, second = Batches(lines(), 4), Batches(lines(), 4)
    forward = {i: first[i] for i in range(20)}
    with ThreadPoolExecutor(3) as pool:
        shuffled = list(pool.map(second.__getitem__, (17, 3, 19, 0, 3)))
    for i, (x, y) in zip((17, 3, 19, 0, 3), shuffled, strict=True):
        assert np.array_equal(forward[i][0]["image"], x["image"])
        assert np.array_equal(forward[i][0]["width"], x["width"])
        assert np.array_equal(forward[i][1], y)


def test_a_batch_packs_images_and_labels_as_the_model_takes_them():
    x, y = Batches(lines(), 8)[0]
    image, width = x["image"], x["width"]
    assert image.dtype == np.float32 and image.shape[:2] == (8, 32) and image.shape[3] == 1
    assert image.shape[2] % ModelSpec().multiple == 0 and width.max() <= image.shape[2]
    assert width.dtype == y.dtype == np.int32
    for row, valid, (steps, length, *ids) in zip(image, width.tolist(), y.tolist(), strict=True):
        assert not row[:, valid:].any() and row[:, :valid].any()
        assert steps == time_steps(valid, ModelSpec().stride)
        assert all(ids[:length]) and not any(ids[length:])


def test_a_group_of_batches_has_each_of_its_lines_once():
    stream, alphabet = lines(), Alphabet("0123456789")
    batches = Batches(stream, 4)
    found = [alphabet.decode(row[2:]) for i in range(16) for row in batches[i][1]]
    assert sorted(found) == sorted(stream[k][1] for k in range(64))


def test_batches_are_of_lines_of_similar_width():
    batches = Batches(lines(), 16)
    spread = np.mean([np.ptp(batches[i][0]["width"]) for i in range(16)])
    everything = np.ptp(np.concatenate([batches[i][0]["width"] for i in range(16)]))
    assert spread < everything / 4


def test_every_label_fits_the_steps_of_its_width():
    batches = Batches(lines(character_spacing=-6, max_length=6), 16)
    for i in range(16):
        _, y = batches[i]
        for steps, length, *ids in y.tolist():
            assert steps >= length + sum(a == b for a, b in pairwise(ids[:length]))


@pytest.mark.parametrize(("shares", "size"), [(2, 2), (4, 2), (1, 2), (2, 3)])
def test_the_parts_of_any_number_of_processes_make_the_same_batches(shares, size):
    whole = Batches(lines(), 12, shares=shares)
    parts = [Batches(lines(), 12, shares=shares, rank=r, size=size) for r in range(size)]
    for i in (0, 1, 17):
        y = [part[i][1] for part in parts]
        assert [len(labels) for labels in y] == [12 // size] * size
        rows = sorted(tuple(row[row > 0]) for labels in y for row in labels)
        assert rows == sorted(tuple(row[row > 0]) for row in whole[i][1])
