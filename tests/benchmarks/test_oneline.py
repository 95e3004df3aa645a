"""Joining the strokes of a drawing to one line."""

from __future__ import annotations

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


def cost(strokes: list[np.ndarray]) -> float:
    """The same as `oneline` weighs it: a bridge counts twice, white paper shows it."""
    drawn = unbroken(strokes, Limits(tolerance=0.0, max_bridge=np.inf))
    return float(drawn.bridges.sum()) + added(strokes)


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


def apart(strokes: list[np.ndarray]) -> np.ndarray:
    """Return how far ends are apart, (2n, 2n); end k of stroke i is 2 i + k."""
    ends = np.stack([stroke[[0, -1]] for stroke in strokes]).reshape(-1, 2)
    return np.hypot(*(ends[:, None] - ends).transpose(2, 0, 1))


def best_order(strokes: list[np.ndarray]) -> float:
    """The least that is added if each stroke is drawn once (Held & Karp 1962)."""
    count, length = len(strokes), apart(strokes)
    ends = np.arange(2 * count)
    # For each set of strokes that is drawn: the shortest way, by the end where it is.
    ways = np.full((1 << count, 2 * count), np.inf)
    ways[1 << (ends >> 1), ends] = 0
    for drawn in range(1, 1 << count):
        for end in ends[(drawn >> (ends >> 1)) & 1 == 0]:
            reached = (ways[drawn] + length[:, end]).min()
            into = drawn | 1 << (end >> 1)
            ways[into, end ^ 1] = min(ways[into, end ^ 1], reached)
    return float(ways[-1].min())


def least_of_orders(strokes: list[np.ndarray], rounds: int = 600) -> float:
    """What no line can do with less than that draws each stroke once (Held & Karp 1970).

    Its bridges are a spanning tree of the strokes; prices on ends make the least of all trees
    use each end as often as a line does, nearly, and the bound is as good as that of the
    linear program. Both ends of the line are bridged to a stroke that is nowhere.
    """
    count, length = len(strokes), apart(strokes)
    one, other = np.triu_indices(count, 1)
    far, best = 2 * length.max(), 0.0
    price, momentum = np.zeros(2 * count), np.zeros(2 * count)
    size = length.mean() / 10
    for step in size * 0.99 ** np.arange(rounds):
        priced = (length + price[:, None] + price).reshape(count, 2, count, 2)
        sides = priced.transpose(0, 2, 1, 3)[one, other].reshape(-1, 4)
        side = sides.argmin(axis=1)
        weights = sides.min(axis=1) + far  # above 0, as scipy needs them
        tree = minimum_spanning_tree(
            coo_array((weights, (one, other)), (count, count))
        ).tocoo()
        which = np.searchsorted(
            one * count + other, tree.row.astype(np.intp) * count + tree.col
        )
        used = np.concatenate(
            [2 * one[which] + side[which] // 2, 2 * other[which] + side[which] % 2]
        )
        outer = np.argsort(price)[:2]
        used = np.bincount(np.concatenate([used, outer]), minlength=2 * count)
        bound = tree.data.sum() - far * (count - 1) + price[outer].sum() - price.sum()
        best = max(best, float(bound))
        momentum = 0.7 * (used - 1) + 0.3 * momentum
        price += step * momentum
    return best


def strewn(count: int, seed: int) -> list[np.ndarray]:
    """Strokes of all lengths, and dots, that do not meet: even, in heaps, or along lines."""
    generator = np.random.default_rng(seed)
    side = 10 * np.sqrt(count)
    spread = seed % 3
    heaps = generator.uniform(0, side, (max(2, count // 12), 2))
    found: list[np.ndarray] = []
    while len(found) < count:
        middle = generator.uniform(0, side, 2)
        if spread == 1:
            middle = generator.choice(heaps) + generator.normal(0, side / 12, 2)
        elif spread == 2:
            middle[1] = side / 5 * generator.integers(6)
        way = generator.normal(size=2) * generator.choice([0, 1, 3, 8])
        stroke = np.stack([middle - way / 2, middle + way / 2])
        line = shapely.linestrings(stroke)
        if (
            not found
            or shapely.distance(line, shapely.linestrings(np.stack(found))).min() > 0.5
        ):
            found.append(stroke)
    return found


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


@pytest.mark.parametrize(
    ("count", "sets", "least_of", "what", "at_most"),
    [
        *((count, 30, best_order, "the best", 1.02) for count in (6, 8, 9)),
        *((count, 3, least_of_orders, "a lower bound", None) for count in (50, 200)),
    ],
)
def test_cost_beside_all_orders(
    benchmark: BenchmarkFixture,
    judge: Judge,
    count: int,
    sets: int,
    least_of: Callable[[list[np.ndarray]], float],
    what: str,
    at_most: float | None,
) -> None:
    """Beside orders that draw each stroke once: the best, which may be beaten, or a bound."""
    drawn = [strewn(count, seed) for seed in range(sets)]
    ours = benchmark.pedantic(lambda: np.array([cost(s) for s in drawn]), rounds=1)
    least = np.array([2 * least_of(s) for s in drawn])
    judge(
        f"cost of {count} strewn strokes, over {what} of all orders",
        ours.sum() / least.sum(),
        "times",
        at_most=at_most,
        details=f"{sets} sets; {(ours / least).max():.3g} times at worst",
    )
