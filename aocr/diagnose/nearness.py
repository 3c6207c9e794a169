"""Which kind of generated lines pictures are nearest to, by the feature vector of each of them.

Kinds are compared as in linear discriminant analysis: each kind is the mean of its lines, and
distances are Mahalanobis distances by the covariance within the kinds. With few lines for many
features that covariance is shrunk (Friedman 1989, "Regularized Discriminant Analysis"). The Fréchet
distance between a set of pictures and a kind is then the distance of their means.
"""

import math
from typing import NamedTuple

import numpy as np

from ocr_simple.reports.intervals import CONFIDENCE

SHRINKAGE = 0.1  # share of the covariance that is replaced by an equal variance of all figures
LIMIT = 4.0  # standard deviations: one odd figure of a picture must not decide
FAR = 0.95  # a picture is far if this share of the lines is nearer to their kinds


class Nearness(NamedTuple):
    """How near some pictures are to each kind of line."""

    kinds: tuple[str, ...]
    nearest: np.ndarray  # of each picture, the place of its kind in `kinds`
    lines: np.ndarray  # of each picture, the place of the most similar line of that kind
    distances: np.ndarray  # between the means of the pictures and of each kind
    far: np.ndarray  # of each picture, whether it is farther from its kind than lines are

    @property
    def counts(self) -> np.ndarray:
        """How many pictures are nearest to each kind."""
        return np.bincount(self.nearest, minlength=len(self.kinds))

    def ranked(self) -> list[tuple[str, int]]:
        """(kind, number of pictures nearest to it), the most first; kinds without any left out."""
        counts = self.counts
        order = np.lexsort((self.distances, -counts))
        return [(self.kinds[i], int(counts[i])) for i in order if counts[i]]

    def is_undecided(self) -> bool:
        """Whether chance may have put the first kind before the second (a sign test)."""
        (_, first), (_, second) = [*self.ranked(), ("", 0)][:2]
        return first - second < CONFIDENCE * math.sqrt(first + second)


def compare(
    groups: dict[str, np.ndarray], pictures: np.ndarray, emphasis: np.ndarray | None = None
) -> Nearness:
    """How near pictures (count, figures) are to groups of lines, {kind: (lines, figures)}.

    Each group needs two lines or more. Figures may have any scale. emphasis: the weight of each
    figure in the search for the most similar line, by default 1.
    """
    everything = np.concatenate(list(groups.values()))
    centre, spread = everything.mean(axis=0), everything.std(axis=0)
    spread += 1e-3 * spread.mean() + 1e-9  # a figure that hardly varies must not decide

    def scaled(vectors: np.ndarray) -> np.ndarray:
        return np.clip((vectors - centre) / spread, -LIMIT, LIMIT)

    lines = [scaled(group) for group in groups.values()]
    found, kinds = scaled(pictures), _Kinds(lines)
    nearest = kinds.distances(found).argmin(axis=1)
    # how far lines are from kinds that were made without them
    half = _Kinds([group[::2] for group in lines])
    usual = [half.distances(group[1::2])[:, i] for i, group in enumerate(lines)]
    limit = np.quantile(np.concatenate(usual), FAR)
    weight = np.ones(found.shape[1]) if emphasis is None else emphasis
    similar = [_most_similar(lines[kind], each, weight) for kind, each in zip(nearest, found)]
    return Nearness(
        kinds=tuple(groups),
        nearest=nearest,
        lines=np.array(similar, int),
        distances=kinds.distances(found.mean(axis=0)[None])[0],
        far=half.distances(found).min(axis=1) > limit,
    )


class _Kinds:
    """Kinds of lines: their means, and the covariance within them."""

    def __init__(self, groups: list[np.ndarray]):
        means = np.stack([group.mean(axis=0) for group in groups])
        within = np.concatenate([group - mean for group, mean in zip(groups, means)])
        covariance = within.T @ within / len(within)
        size = len(covariance)
        equal = np.trace(covariance) / size * np.eye(size)
        shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * equal
        self.whitening = np.linalg.cholesky(np.linalg.inv(shrunk))
        self.means = means @ self.whitening

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """Mahalanobis' distance of each vector from the mean of each kind: (vectors, kinds)."""
        white = vectors @ self.whitening
        return np.stack([np.linalg.norm(white - mean, axis=1) for mean in self.means], axis=1)


def _most_similar(lines: np.ndarray, picture: np.ndarray, weight: np.ndarray) -> int:
    return int(np.linalg.norm(weight * (lines - picture), axis=1).argmin())
