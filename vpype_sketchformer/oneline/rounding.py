"""Trails written down as polylines, their joints rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import shapely

from vpype_sketchformer.oneline.graph import JOIN, Graph, Points, stations, stretch

#: How far from a joint rounding begins, over the deviation allowed: the farthest that will do.
REACHES = (12.0, 6.0, 3.0, 1.5)
#: Length of a curve's handles over that of its chord: near that of an arc.
HANDLE = 0.4
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
    return _rounded(path, joints, deviation, advance)


def _rounded(
    path: Points,
    joints: Sequence[tuple[float, float]],
    deviation: float,
    advance: Callable[[float], None],
) -> Points:
    """Round a path at its joints, by up to ``deviation``."""
    along = stations(path)
    length = float(along[-1])
    bounds = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(joints)), length]
    done, parts = 0.0, []
    for i, ((begin, end), room) in enumerate(zip(joints, pairwise(bounds), strict=True)):
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
    return bezier(sharp[0], b, c, sharp[-1], CURVE_POINTS)


def bezier(a: Points, b: Points, c: Points, d: Points, count: int) -> Points:
    """Return ``count`` points of a cubic Bezier curve with these control points, (2,) each."""
    t = np.linspace(0, 1, count)[:, None]
    s = 1 - t
    return np.asarray(s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d, np.float64)


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
