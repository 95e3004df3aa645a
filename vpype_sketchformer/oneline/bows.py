"""Bridges as a hand would draw them: bowed, so that one line flows into the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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


def bow(graph: Graph, trails: Sequence[Sequence[int]], sight: Floats) -> Graph:
    """Bow the bridges, each the way the path comes to it and leaves it first.

    A bow stays within the box around its part and crosses no ink; where it would, the bridge
    is straight.

    Args:
        graph: The pieces.
        trails: The way through the pieces of each part, see `find_trails`.
        sight: Length of the stretch that shows a piece's direction, (e,).
    """
    headings = find_headings(graph, sight)
    tree = shapely.STRtree(graph.lines[graph.kinds == INK])
    pieces = list(graph.pieces)
    for trail in trails:
        here = np.array(trail) >> 1
        box = shapely.box(*shapely.total_bounds(graph.lines[here]))
        solid = [half for half in trail if graph.kinds[half >> 1] != JOIN]
        done = set()
        for before, half, after in zip([-1, *solid], solid, [*solid[1:], -1], strict=False):
            piece = half >> 1
            if graph.kinds[piece] != BRIDGE or piece in done:
                continue
            done.add(piece)
            comes, goes = np.zeros(2), np.zeros(2)
            if before >= 0 and graph.kinds[before >> 1] == INK:
                comes = -headings[before >> 1, ~before & 1]
            if after >= 0 and graph.kinds[after >> 1] == INK:
                goes = headings[after >> 1, after & 1]
            ends = graph.nodes[graph.ends[piece]][:: -1 if half & 1 else 1]
            for handle in HANDLES:
                curve = _curve(ends, comes, goes, handle)
                middle = shapely.linestrings(curve[TOUCHING:-TOUCHING])
                if box.covers(shapely.linestrings(curve)) and not len(
                    tree.query(middle, predicate="intersects")
                ):
                    pieces[piece] = curve[:: -1 if half & 1 else 1]
                    break
    return replace(graph, pieces=pieces)


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
