"""Joining the strokes of a drawing to one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from vpype_sketchformer.oneline import Limits, unbroken

from .conftest import Judge, in_turns

STROKES = 1000


def scribbles(count: int) -> list[np.ndarray]:
    """Wavy strokes all over a sheet, as dense whatever their number: each crosses some others.

    A stroke is as long as a few of the distances between strokes.
    """
    generator = np.random.default_rng(0)
    side = np.sqrt(count)
    along = np.linspace(0, 2, 12)[:, None]
    angles = generator.uniform(0, 2 * np.pi, count)
    starts = generator.uniform(0, side, (count, 2))
    return [
        start
        + along * [np.cos(angle), np.sin(angle)]
        + 0.2 * np.sin(4 * along) * [-np.sin(angle), np.cos(angle)]
        for start, angle in zip(starts, angles, strict=True)
    ]


def test_oneline(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """1,000 strokes take at most 2 s, and four times as many hardly more than four times."""
    few, many = scribbles(STROKES), scribbles(4 * STROKES)
    far = Limits(max_bridge=np.inf)
    assert len(unbroken(few, far).paths) == 1
    times, longer = in_turns(
        benchmark, lambda: unbroken(few, far), lambda: unbroken(many, far), rounds=3
    )
    ours, theirs = min(times), min(longer)
    judge(
        f"one line from {STROKES:,} strokes",
        ours,
        "s",
        at_most=2,
        details=f"{4 * STROKES:,} strokes: {theirs:.2f} s",
    )
    judge(
        "time of four times as many strokes",
        theirs / ours,
        "times",
        at_most=5,
        details=f"{theirs:.2f} s against {ours:.2f} s",
    )


def test_smooth(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """Rounding takes hardly longer than the rest, however many joints a path has."""
    strokes, far = scribbles(STROKES), Limits(max_bridge=np.inf)
    times, longer = in_turns(
        benchmark,
        lambda: unbroken(strokes, far),
        lambda: unbroken(strokes, far, smooth=True),
        rounds=3,
    )
    judge(
        f"time of {STROKES:,} strokes with --smooth",
        min(longer) / min(times),
        "times",
        at_most=2,
        details=f"{min(longer):.2f} s against {min(times):.2f} s",
    )


def added(strokes: list[np.ndarray]) -> float:
    """What one line through strokes needs beside them: bridges, and ink gone over again."""
    drawn = unbroken(strokes, Limits(tolerance=0.0, max_bridge=np.inf))
    assert len(drawn.paths) == 1
    return drawn.length - float(sum(shapely.length(shapely.linestrings(s)) for s in strokes))


def least(strokes: list[np.ndarray]) -> float:
    """What no line through strokes can do with less than; mostly not even the best can.

    Bridges connect all strokes: no less than a minimum spanning tree of their distances. And
    what is added pairs all loose ends but two by ways that share nothing (a T-join); from an
    end, such a way is at least as long as it is to the nearest other stroke, along ink or not,
    or to the stroke's own other end.
    """
    lines = shapely.linestrings(np.stack(strokes))
    apart = shapely.distance(lines[:, None], lines[None])
    ends = np.stack([[stroke[0], stroke[-1]] for stroke in strokes])
    chord = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
    away = shapely.distance(shapely.points(ends)[:, :, None], lines)
    away[np.arange(len(lines)), :, np.arange(len(lines))] = np.inf
    nearest = np.sort(np.minimum(away.min(axis=2), chord[:, None]), axis=None)
    tree = minimum_spanning_tree(np.maximum(apart, 1e-12)).sum()
    return float(max(tree, nearest[:-2].sum() / 2))


def least_over_ink(strokes: list[np.ndarray]) -> float:
    """The same for strokes that all meet: from an end to the nearest other, over ink."""
    cut = shapely.node(shapely.multilinestrings(shapely.linestrings(np.stack(strokes))))
    pieces = shapely.get_parts(cut)
    sides = [shapely.get_coordinates(shapely.get_point(pieces, i)) for i in (0, -1)]
    ends = np.concatenate([np.stack(strokes)[:, i] for i in (0, -1)])
    points = np.concatenate([ends, *sides]).round(6)
    nodes, at = np.unique(points, axis=0, return_inverse=True)
    ours, one, other = np.split(at.ravel(), [len(ends), len(ends) + len(pieces)])
    ink = coo_array((shapely.length(pieces), (one, other)), shape=(len(nodes), len(nodes)))
    ways = dijkstra(ink.tocsr(), directed=False, indices=ours)[:, ours]
    nearest = np.sort(np.where(np.eye(len(ours), dtype=bool), np.inf, ways).min(axis=1))
    return float(nearest[:-2].sum() / 2)


def best_order(strokes: list[np.ndarray]) -> float:
    """The least that is added if each stroke is drawn once, by trying all orders."""
    count = len(strokes)
    ends = np.stack([[stroke[0], stroke[-1]] for stroke in strokes]).reshape(-1, 2)
    length = np.hypot(*(ends[:, None] - ends).T)
    orders = np.array(list(itertools.permutations(range(count))))
    sides = np.array(list(itertools.product([0, 1], repeat=count)))
    out = 2 * orders[:, None] + sides
    return float(length[out[..., :-1] ^ 1, out[..., 1:]].sum(axis=2).min())


def hatching(count: int, apart: float) -> list[np.ndarray]:
    return [np.array([[0, y], [100, y]]) for y in apart * np.arange(count, dtype=float)]


def clipped() -> list[np.ndarray]:
    """Hatching in a circle."""
    heights = np.arange(-45, 46, 3.0)
    return [
        np.array([[-w, y], [w, y]])
        for w, y in zip(np.sqrt(50**2 - heights**2), heights, strict=True)
    ]


def crossed() -> list[np.ndarray]:
    """Hatching in two directions."""
    one = [line + np.array([0, 5]) for line in hatching(19, 5)]
    return one + [line[:, ::-1] for line in one]


def dashes() -> list[np.ndarray]:
    """A spiral of dashes."""
    t = np.linspace(2, 10 * np.pi, 2000)
    spiral = 4 * t[:, None] * np.column_stack([np.cos(t), np.sin(t)])
    return [spiral[i : i + 16] for i in range(0, 1980, 20)]


def scattered(count: int, seed: int = 0) -> list[np.ndarray]:
    """Short strokes all over a sheet, as dense whatever their number."""
    generator = np.random.default_rng(seed)
    starts = generator.uniform(0, 3 * np.sqrt(count), (count, 2))
    angles = generator.uniform(0, 2 * np.pi, count)
    ways = np.column_stack([np.cos(angles), np.sin(angles)])
    return list(np.stack([starts, starts + ways], axis=1))


@pytest.mark.parametrize(
    ("name", "make", "bound_of", "at_most"),
    [
        ("hatching, 8 lines", lambda: hatching(8, 5), least, 1.02),
        ("hatching, 50 lines", lambda: hatching(50, 2), least, 1.02),
        ("hatching in a circle", clipped, least, None),
        ("cross-hatching", crossed, least_over_ink, 1.02),
        ("a spiral of dashes", dashes, least, None),
        ("100 scattered strokes", lambda: scattered(100), least, None),
        ("1,000 scattered strokes", lambda: scattered(1000), least, None),
    ],
)
def test_added_beside_the_least(
    benchmark: BenchmarkFixture,
    judge: Judge,
    name: str,
    make: Callable[[], list[np.ndarray]],
    bound_of: Callable[[list[np.ndarray]], float],
    at_most: float | None,
) -> None:
    """What is added, beside what nobody can do without: the best is somewhere in between."""
    strokes = make()
    ours = benchmark.pedantic(added, args=(strokes,), rounds=1)
    bound = bound_of(strokes)
    assert ours >= bound * (1 - 1e-6)
    judge(
        f"added to {name}, over a lower bound",
        ours / bound,
        "times",
        at_most=at_most,
        details=f"{ours:.4g} against {bound:.4g}",
    )


def test_added_beside_the_best_order(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """Six strokes in all orders: the best that draws each once, which may be beaten."""
    sets = [scattered(6, seed) for seed in range(20)]
    ours = benchmark.pedantic(lambda: np.array([added(s) for s in sets]), rounds=1)
    best = np.array([best_order(s) for s in sets])
    judge(
        "added to six scattered strokes, over the best of all orders",
        ours.sum() / best.sum(),
        "times",
        at_most=1.02,
        details=f"20 sets; {(ours / best).max():.3g} times at worst",
    )
