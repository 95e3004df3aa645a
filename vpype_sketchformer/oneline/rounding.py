"""Trails written down as polylines, their joints rounded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import shapely

from vpype_sketchformer.oneline.graph import (
    JOIN,
    Flags,
    Floats,
    Graph,
    Points,
    stations,
    stretch,
)

#: How far from a joint rounding begins, over the deviation allowed: the farthest that will do.
REACHES = (12.0, 6.0, 3.0, 1.5)
#: Length of a curve's handles over that of its chord: near that of an arc.
HANDLE = 0.4
#: A joint that turns by less than 5 degrees is not rounded.
STRAIGHT = np.radians(5)
#: Points of a curve.
CURVE_POINTS = 12


def write_down(
    graph: Graph,
    trail: Sequence[int],
    lines: Sequence[Points],
    deviation: float,
    advance: Callable[[float], None] = lambda share: None,
) -> Points:
    """Return the polyline of a trail, its joints rounded by up to ``deviation``.

    A joint is where one line goes over into the next, with what joins ends that nearly touch.

    Args:
        graph: The pieces.
        trail: The way through the pieces of a part, see `find_trails`.
        lines: What is drawn, one line for each piece of the trail.
        deviation: How far rounding may move a joint.
        advance: Called with the share of the work that is done.
    """
    path = _without_repeats(lines, graph.resolution)
    if deviation <= 0 or len(trail) < 2 or len(path) < 3:
        return path
    stops = np.cumsum([stations(line)[-1] for line in lines]).tolist()
    joints: list[tuple[float, float]] = []
    for i, (stop, half) in enumerate(zip(stops[:-1], trail, strict=False)):
        begin = joints.pop()[0] if i and graph.kinds[half >> 1] == JOIN else stop
        joints.append((begin, stop))
    sharp = _sharp(path, np.array(joints), graph.resolution)
    if not sharp.any():
        return path
    return _rounded(path, list(itertools.compress(joints, sharp)), deviation, advance)


def _sharp(path: Points, joints: Floats, resolution: float) -> Flags:
    """Tell at which joints, (j, 2), a path does not go straight on."""
    along = stations(path)
    before = np.searchsorted(along, joints[:, 0] - resolution).clip(1) - 1
    after = np.searchsorted(along, joints[:, 1] + resolution).clip(None, len(path) - 1) - 1
    ways = np.diff(path, axis=0) @ [1, 1j]
    return np.abs(np.angle(ways[after] / ways[before])) > STRAIGHT


def _rounded(
    path: Points,
    joints: Sequence[tuple[float, float]],
    deviation: float,
    advance: Callable[[float], None],
) -> Points:
    """Round a path at its joints, by up to ``deviation``."""
    along = stations(path)
    length = float(along[-1])
    bounds = [0.0, *((a[1] + b[0]) / 2 for a, b in itertools.pairwise(joints)), length]
    done, parts = 0.0, []
    for i, ((begin, end), room) in enumerate(
        zip(joints, itertools.pairwise(bounds), strict=True)
    ):
        advance(i / len(joints))
        for reach in REACHES:
            first = max(begin - reach * deviation, room[0])
            last = min(end + reach * deviation, room[1])
            sharp = stretch(path, first, last, along)
            curve = _curve(sharp)
            if curve is not None and _apart(sharp, curve) <= deviation:
                parts += [stretch(path, done, first, along), curve]
                done = last
                break
    rounded = np.concatenate([*parts, stretch(path, done, length, along)])
    new = np.diff(rounded, axis=0).any(axis=1)
    return rounded[np.concatenate([[True], new])]


def _curve(sharp: Points) -> Points | None:
    """Return a Bezier curve that leaves and arrives as a polyline; None if it turns back."""
    if len(sharp) < 3:
        return None
    way = sharp[-1] - sharp[0]
    leave, arrive = sharp[1] - sharp[0], sharp[-1] - sharp[-2]
    lengths = [float(np.hypot(*v)) for v in (way, leave, arrive)]
    if min(lengths) == 0 or way @ leave < 0 or way @ arrive < 0:
        return None
    handle = HANDLE * lengths[0]
    b, c = sharp[0] + leave * handle / lengths[1], sharp[-1] - arrive * handle / lengths[2]
    return bezier(np.array([sharp[0], b, c, sharp[-1]]), CURVE_POINTS)


def bezier(controls: Points, count: int) -> Points:
    """Return points of cubic Bezier curves, (..., count, 2); ``controls`` are (..., 4, 2)."""
    return np.asarray(_bernstein(count) @ controls, np.float64)


@cache
def _bernstein(count: int) -> Floats:
    """Return how much each control point weighs at each point, (count, 4)."""
    t = np.linspace(0, 1, count)
    s = 1 - t
    return np.column_stack([s**3, 3 * s * s * t, 3 * s * t * t, t**3])


def _apart(a: Points, b: Points) -> float:
    """Return how far two lines are apart where they are so most (Hausdorff)."""
    both = shapely.linestrings(a), shapely.linestrings(b)
    return float(shapely.hausdorff_distance(*both, densify=0.1))


def _without_repeats(lines: Sequence[Points], resolution: float) -> Points:
    """Put lines together, without points that are there twice or that lines go straight on at.

    A dot is two points.
    """
    points = np.concatenate(lines)
    seam = np.zeros(len(points), bool)
    seam[np.cumsum([len(line) for line in lines])[:-1]] = True
    new = np.ones(len(points), bool)
    new[1:] = np.hypot(*np.diff(points, axis=0).T) > resolution
    if new.sum() < 2:
        return points[:1].repeat(2, axis=0)
    # Of points at the same place the last one stands for a seam.
    group = np.cumsum(new) - 1
    seams = np.zeros(group[-1] + 1, bool)
    np.logical_or.at(seams, group, seam)
    points = points[new]
    back, ahead = points[1:-1] - points[:-2], points[2:] - points[1:-1]
    off = np.abs(back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0])
    off = off / np.hypot(*(back + ahead).T).clip(resolution)
    straight = (off <= resolution) & ((back * ahead).sum(axis=1) > 0)
    spare = np.zeros(len(points), bool)
    spare[1:-1] = straight & seams[1:-1]
    spare[1:] &= ~spare[:-1]  # each was looked at with both neighbours there
    return points[~spare]
