"""Tails: a line that swings in from one side and out to the other."""

from __future__ import annotations

import numpy as np

from vpype_sketchformer.oneline.graph import Points, stations, stretch
from vpype_sketchformer.oneline.rounding import bezier

#: How far tails reach beyond a path, over its longer side.
BEYOND = 0.25
#: Length of a tail's handles over the distance from its begin to its end.
HANDLE = 0.5
#: The direction of a path at its end is that of a stretch of this share of its longer side.
SIGHT = 0.03
#: Points of a tail.
POINTS = 33


def with_tails(path: Points) -> Points:
    """Lead a path, (k, 2), on at both ends, to the left and to the right, until it lies level.

    A path without extent stays as it is.
    """
    low, high = path.min(axis=0), path.max(axis=0)
    size = float((high - low).max())
    if not size:
        return path
    along = stations(path)
    near = stretch(path, 0.0, SIGHT * size, along)[-1]
    far = stretch(path, along[-1] - SIGHT * size, along[-1], along)[0]
    sides = (-1.0, 1.0) if path[0, 0] <= path[-1, 0] else (1.0, -1.0)
    first, last = (
        _tail(end, end - within, side, float((low if side < 0 else high)[0]), size)
        for end, within, side in ((path[0], near, sides[0]), (path[-1], far, sides[1]))
    )
    return np.concatenate([first[:0:-1], path, last[1:]])


def _tail(end: Points, heading: Points, side: float, edge: float, size: float) -> Points:
    """Return what leads on from an end to a place beside the path, (POINTS, 2)."""
    level = np.array([side, 0.0])
    goal = np.array([edge + side * BEYOND * size, end[1]])
    length = HANDLE * float(np.hypot(*(goal - end)))
    ahead = heading / max(float(np.hypot(*heading)), np.finfo(float).tiny)
    swing = min(length, BEYOND * size)
    # Where the line leaves upwards or downwards, so does the tail end there.
    goal[1] += swing * ahead[1]
    controls = [end, end + swing * ahead, goal - length * level, goal]
    return bezier(np.array(controls), POINTS)
