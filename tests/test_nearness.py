"""Which kind of lines pictures are nearest to."""

import numpy as np
import pytest

from aocr.diagnose.nearness import compare

FIGURES = 30


def cloud(centre: float, count: int, seed: int) -> np.ndarray:
    """Vectors (count, FIGURES) about a point; the first figure has another scale."""
    vectors = np.random.default_rng(seed).normal(size=(count, FIGURES))
    vectors[:, : FIGURES // 3] += centre
    vectors[:, 0] *= 1000
    return vectors


@pytest.fixture
def groups() -> dict[str, np.ndarray]:
    return {"low": cloud(-1, 80, 0), "middle": cloud(0, 40, 1), "high": cloud(1, 80, 2)}


@pytest.mark.parametrize("centre, kind", [(-1, "low"), (0, "middle"), (1, "high")])
def test_pictures_are_nearest_to_lines_of_their_kind(groups, centre, kind):
    found = compare(groups, cloud(centre, 50, 9))
    assert found.ranked()[0][0] == kind == found.kinds[found.distances.argmin()]
    assert found.counts.sum() == 50
    assert not found.is_undecided()
    assert found.far.mean() < 0.25


def test_pictures_unlike_any_kind_are_far(groups):
    strange = cloud(0, 50, 9)
    strange[:, -5:] += 6
    assert compare(groups, strange).far.mean() > 0.9


def test_between_two_kinds_it_is_undecided(groups):
    between = np.concatenate((cloud(-1, 10, 9), cloud(1, 9, 10)))
    found = compare(groups, between)
    assert {kind for kind, _ in found.ranked()[:2]} == {"low", "high"}
    assert found.is_undecided()


def test_one_picture_never_decides(groups):
    assert compare(groups, cloud(1, 1, 9)).is_undecided()


def test_the_most_similar_line_is_of_the_nearest_kind(groups):
    pictures = groups["high"][[7, 3]] + 1e-6
    found = compare(groups, pictures)
    assert found.lines[found.nearest == 2].tolist() == [7, 3]


def test_a_figure_that_never_varies_does_not_matter(groups):
    constant = {kind: np.pad(group, ((0, 0), (0, 1))) for kind, group in groups.items()}
    found = compare(constant, np.pad(cloud(1, 20, 9), ((0, 0), (0, 1)), constant_values=0.01))
    assert found.ranked()[0][0] == "high"
