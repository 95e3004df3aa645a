"""Distances between sets of drawings, each seen as a row of numbers."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.stats
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

Features = NDArray[np.floating]
#: Neighbours that a set's outline is drawn from, for precision and recall.
NEIGHBOURS = 3
#: Drawings that a Fréchet distance needs for each dimension: the covariance of fewer has
#: directions without any spread, and the distance says how few they are.
FEWEST = 2


def frechet(a: Features, b: Features) -> float:
    """Fréchet distance of the Gaussians nearest to two sets (Heusel et al. 2017: FID).

    Args:
        a: One set, (n, d).
        b: The other, (m, d).
    """
    mean = a.mean(axis=0) - b.mean(axis=0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The trace of the root of first @ second, whose eigenvalues are real and not negative.
    roots = np.sqrt(np.maximum(scipy.linalg.eigvals(first @ second).real, 0.0))
    return float(mean @ mean + np.trace(first) + np.trace(second) - 2.0 * roots.sum())


def kernel_distance(a: Features, b: Features) -> float:
    """Squared maximum mean discrepancy, unbiased, cubic kernel (Bińkowski et al. 2018: KID).

    Args:
        a: One set, (n, d).
        b: The other, (m, d).
    """

    def kernel(x: Features, y: Features) -> Features:
        return (x @ y.T / x.shape[1] + 1.0) ** 3

    a, b = a.astype(np.float64), b.astype(np.float64)
    n, m = len(a), len(b)
    inside_a, inside_b = kernel(a, a), kernel(b, b)
    within_a = (inside_a.sum() - np.trace(inside_a)) / (n * (n - 1))
    within_b = (inside_b.sum() - np.trace(inside_b)) / (m * (m - 1))
    return float(within_a + within_b - 2.0 * kernel(a, b).mean())


def precision_recall(real: Features, other: Features) -> tuple[float, float]:
    """Share of the others inside the real ones' outline, and the reverse.

    The outline of a set are the balls around its members that reach to the third neighbour
    (Kynkäänniemi et al. 2019).

    Args:
        real: Real drawings, (n, d).
        other: Drawings to judge, (m, d).
    """
    return _covered(real, other), _covered(other, real)


def density(real: Features, other: Features) -> float:
    """In how many balls of the real ones' outline the others lie, about 1 for real drawings.

    Unlike precision, it is not deceived by one stray drawing, whose ball holds everything
    (Naeem et al. 2020).

    Args:
        real: Real drawings, (n, d).
        other: Drawings to judge, (m, d).
    """
    return float(_inside(real, other).sum(axis=1).mean() / NEIGHBOURS)


def _covered(outline: Features, members: Features) -> float:
    return float(_inside(outline, members).any(axis=1).mean())


def _inside(outline: Features, members: Features) -> NDArray[np.bool_]:
    """Tell which balls of an outline, (n, d), each member, (m, d), lies in: (m, n)."""
    reach = np.partition(cdist(outline, outline), NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return np.asarray(cdist(members, outline) <= reach)


def spread(features: Features, labels: NDArray[np.integer]) -> float:
    """Spread within a class: root of the mean squared distance from its mean.

    Args:
        features: The drawings, (n, d).
        labels: Their classes, (n,).

    Returns:
        The mean of the classes of two drawings or more, on average the same for any number.
    """
    classes = _by_class(features, labels)
    return float(np.mean([np.sqrt(rows.var(axis=0, ddof=1).sum()) for rows in classes]))


def apart(features: Features, labels: NDArray[np.integer]) -> float:
    """Mean distance between two drawings of a class, mean of the classes; see ``spread``."""
    return float(np.mean([pdist(rows).mean() for rows in _by_class(features, labels)]))


def nearest_other(features: Features, labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Distance of each drawing to the nearest other one of its class, class by class."""
    distances = []
    for rows in _by_class(features, labels):
        between = cdist(rows, rows)
        np.fill_diagonal(between, np.inf)
        distances.append(between.min(axis=1))
    return np.concatenate(distances)


def _by_class(features: Features, labels: NDArray[np.integer]) -> list[Features]:
    """Part the drawings by class; a class of one drawing says nothing."""
    groups = [features[labels == label].astype(np.float64) for label in np.unique(labels)]
    return [rows for rows in groups if len(rows) > 1]


def spread_distance(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Wasserstein distance of two samples of numbers, in standard deviations of the real one.

    Args:
        real: Of real drawings, (n,).
        other: Of others, (m,).
    """
    return float(scipy.stats.wasserstein_distance(real, other) / real.std())
