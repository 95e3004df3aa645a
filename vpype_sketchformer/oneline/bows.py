"""Bridges as a hand would draw them: bowed, so that one line flows into the next."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import shapely
from numpy.typing import NDArray

from vpype_sketchformer.oneline.graph import (
    BRIDGE,
    INK,
    JOIN,
    Floats,
    Graph,
    Points,
    find_headings,
)
from vpype_sketchformer.oneline.rounding import bezier

#: Lengths of both handles of a bow over that of the bridge: all that are tried.
HANDLES = np.array(list(product((0.55, 0.35, 0.2, 0.1), repeat=2)))
#: ... where it is drawn twice: there and back make a narrow loop, not a bead.
NARROW = HANDLES[(HANDLES <= 0.2).all(axis=1)]
#: A bow turns so far at most from its bridge's direction: more would be a spike.
SHARPEST = math.radians(150)
#: What a bow costs beside its bending, over how often as long as the bridge it is.
LONG = 6.0
#: Points of a bow, and how many at each of its ends may touch ink: few, or more if need be.
POINTS, TOUCHING = 33, (3, 7)
#: What is nearer to a bridge's ends than this share of its length is not what it crosses.
MIDDLE = 0.1

#: A direction as a number of length 1: x + iy; 0 where there is none.
Way = complex
Ways = NDArray[np.complex128]


def bow(
    graph: Graph, trails: Sequence[list[int]], sight: Floats, beyond: Sequence[float]
) -> list[list[Points]]:
    """Bow the bridges, each time the way the path comes to it and leaves it.

    A bow crosses nothing that the bridge does not, and stays within the box around its part.
    Of those that leave and arrive as the lines go it is the one that bends least; where there
    is none, one that turns half as far; where there is none either, the bridge is straight.

    Args:
        graph: The pieces.
        trails: The way through the pieces of each part, see `find_trails`. What lies between
            both times that a bridge is drawn is turned round where they would cross.
        sight: Length of the stretch that shows a piece's direction, (e,).
        beyond: How far the bows of each part may reach out of its box.

    Returns:
        The lines of each trail as they are drawn, one for each of its pieces.
    """
    headings: Ways = find_headings(graph, sight) @ np.array([1, 1j])
    solid = graph.lines[graph.kinds != JOIN]
    tree = shapely.STRtree(solid)
    drawn = []
    for trail, margin in zip(trails, beyond, strict=True):
        _untwist(graph, trail, headings)
        lines = graph.along(trail)
        here = np.array(trail) >> 1
        times = np.bincount(here)
        low, high = shapely.total_bounds(graph.lines[here]).reshape(2, 2)
        for i in np.flatnonzero(graph.kinds[here] == BRIDGE).tolist():
            ends = lines[i][[0, -1]]
            middle = shapely.linestrings(ends + MIDDLE * (ends[::-1] - ends))
            crossed = tree.query(middle, predicate="intersects")  # itself among them
            handles = HANDLES if times[here[i]] == 1 else NARROW
            bows = _curves(ends, handles, *_ways(graph, trail, i, headings))
            for curves, free in ((curves, free) for curves in bows for free in TOUCHING):
                good = ((curves >= low - margin) & (curves <= high + margin)).all((1, 2))
                middles = shapely.linestrings(curves[:, free:-free])
                curve, other = tree.query(middles, predicate="intersects")
                good[curve[~np.isin(other, crossed)]] = False
                if good.any():
                    lines[i] = curves[np.argmax(good)]
                    break
        drawn.append(lines)
    return drawn


def _ways(graph: Graph, trail: Sequence[int], i: int, headings: Ways) -> tuple[Way, Way]:
    """Return where a trail heads before and behind a bridge, if there is ink."""
    found = [0j, 0j]
    for side, step in enumerate((-1, 1)):
        k = i + step
        while 0 <= k < len(trail) and graph.kinds[trail[k] >> 1] == JOIN:
            k += step
        if 0 <= k < len(trail) and graph.kinds[trail[k] >> 1] == INK:
            found[side] = step * complex(headings[trail[k] >> 1, trail[k] & 1 ^ side ^ 1])
    return found[0], found[1]


def _untwist(graph: Graph, trail: list[int], headings: Ways) -> None:
    """Turn round what lies between both times that a bridge is drawn, if its bows crossed."""
    pieces = np.array(trail) >> 1
    times = np.bincount(pieces, minlength=len(graph.kinds))
    twice = (graph.kinds == BRIDGE) & (times == 2)
    for i, half in enumerate(trail):
        if not twice[half >> 1] or half ^ 1 not in trail[i:]:
            continue
        j = trail.index(half ^ 1, i)
        (comes, leaves), (returns, goes) = (_ways(graph, trail, k, headings) for k in (i, j))
        bridge = complex(*graph.nodes[graph.ends[half >> 1]].T @ [1, -1])
        if _side(bridge, comes + goes) * _side(bridge, leaves + returns) > 0:
            trail[i + 1 : j] = [other ^ 1 for other in reversed(trail[i + 1 : j])]


def _side(way: complex, other: complex) -> float:
    """Return a number above 0 if one direction is clockwise from another, below 0 if not."""
    return (way.conjugate() * other).imag


def _curves(ends: Points, handles: Floats, comes: Way, goes: Way) -> Iterator[Points]:
    """Yield bows between two points, (b, POINTS, 2), those first that are to be preferred.

    They have the handles (b, 2); they leave and arrive in given directions, then in some that
    turn half as far.
    """
    way = complex(*(ends[1] - ends[0]))
    length = max(abs(way), np.finfo(float).tiny)
    for leave, arrive in product(_turned(way, comes), _turned(way, goes)):
        controls = np.tile(ends[[0, 0, 1, 1]], (len(handles), 1, 1))
        controls[:, 1] += handles[:, :1] * [leave.real, leave.imag]
        controls[:, 2] -= handles[:, 1:] * [arrive.real, arrive.imag]
        curves = bezier(controls, POINTS)
        curves[:, [0, -1]] = ends
        steps = np.diff(curves, axis=1).view(np.complex128)[..., 0]
        apart = np.abs(steps)
        bends = np.angle(steps[:, 1:] * steps[:, :-1].conj())
        both = np.maximum(apart[:, 1:] + apart[:, :-1], np.finfo(float).tiny)
        bending = 2 * (bends**2 / both).sum(axis=1)
        long = apart.sum(axis=1)
        cost = long * bending + LONG * (long / length)
        yield curves[np.argsort(cost, kind="stable")]


def _turned(bridge: complex, way: Way) -> list[complex]:
    """Return a bridge turned into a direction, by `SHARPEST` at most, and half as far."""
    if not way:
        return [bridge]
    angle = min(max(cmath.phase(way * bridge.conjugate()), -SHARPEST), SHARPEST)
    return [bridge * cmath.rect(1, part) for part in (angle, angle / 2)]
