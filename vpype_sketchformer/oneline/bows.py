"""Bridges as a hand would draw them: bowed, so that one line flows into the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

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

#: Length of a bow's handles over that of the bridge; the fullest that finds white paper.
HANDLES = (0.45, 0.25)
#: A bow goes on as the line before it, unless it would have to turn by more than this.
SHARPEST = np.cos(np.radians(120))
#: Points of a bow, and how many at each of its ends may touch ink.
POINTS, TOUCHING = 33, 6


def bow(graph: Graph, trails: Sequence[Sequence[int]], sight: Floats) -> list[list[Points]]:
    """Bow the bridges, each time the way the path comes to it and leaves it.

    A bow stays within the box around its part and crosses no ink; where it would, the bridge
    is straight.

    Args:
        graph: The pieces.
        trails: The way through the pieces of each part, see `find_trails`.
        sight: Length of the stretch that shows a piece's direction, (e,).

    Returns:
        The lines of each trail as they are drawn, one for each of its pieces.
    """
    headings = find_headings(graph, sight)
    tree = shapely.STRtree(graph.lines[graph.kinds == INK])
    drawn = []
    for trail in trails:
        lines = graph.along(trail)
        here = np.array(trail) >> 1
        box = shapely.box(*shapely.total_bounds(graph.lines[here]))
        solid = [i for i, piece in enumerate(here) if graph.kinds[piece] != JOIN]
        for before, i, after in zip([-1, *solid], solid, [*solid[1:], -1], strict=False):
            if graph.kinds[here[i]] != BRIDGE:
                continue
            comes, goes = np.zeros(2), np.zeros(2)
            if before >= 0 and graph.kinds[here[before]] == INK:
                comes = -headings[here[before], ~trail[before] & 1]
            if after >= 0 and graph.kinds[here[after]] == INK:
                goes = headings[here[after], trail[after] & 1]
            for handle in HANDLES:
                curve = _curve(lines[i][[0, -1]], comes, goes, handle)
                middle = shapely.linestrings(curve[TOUCHING:-TOUCHING])
                if box.covers(shapely.linestrings(curve)) and not len(
                    tree.query(middle, predicate="intersects")
                ):
                    lines[i] = curve
                    break
        drawn.append(lines)
    return drawn


def _curve(ends: Points, comes: Points, goes: Points, handle: float) -> Points:
    """Return a Bezier curve between two points that begins and ends in given directions."""
    first, last = ends
    way = last - first
    length = np.hypot(*way)
    ahead = way / max(length, np.finfo(float).tiny)
    leave, arrive = (
        side if side.any() and side @ ahead >= SHARPEST else ahead for side in (comes, goes)
    )
    b, c = first + handle * length * leave, last - handle * length * arrive
    curve = bezier(first, b, c, last, POINTS)
    curve[[0, -1]] = ends
    return curve
