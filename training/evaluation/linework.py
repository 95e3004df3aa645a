"""How a line runs: what tells a line that a person would draw from strokes strung together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from training.evaluation import Figures
from vpype_sketchformer.oneline.graph import stations

Points = NDArray[np.float64]

#: Lines are looked at from places such a share of the drawing's size apart.
STEP = 1 / 150
#: A corner is where a line turns by more than 75 degrees within four steps.
CORNER, WITHIN = np.radians(75), 4
#: What is farther than this share of the size from all strokes is a way across white paper.
WHITE = 0.03
#: Ink is the same where it is no farther apart than this share of the size.
FINE = 1e-4


def run(paths: Sequence[Points], strokes: Sequence[Points]) -> Figures:
    """Measure how the lines of a drawing run.

    Args:
        paths: The lines, (k, 2) each.
        strokes: What they were made of.

    Returns:
        The turning in radians, and the corners, on a way as long as the drawing's longer side;
        the share of the way that goes over ink again, and across white paper; and how often
        as long as the strokes the way is.
    """
    points = np.concatenate(strokes)
    size = float(np.ptp(points, axis=0).max())
    own = [shapely.LineString(stroke) for stroke in strokes if len(stroke) > 1]
    lines = [shapely.LineString(path) for path in paths if len(path) > 1]
    length = sum(line.length for line in lines)
    turning, corners = 0.0, 0
    for path in paths:
        turn = _turns(path, STEP * size)
        turning += float(np.abs(turn).sum())
        corners += _corners(turn)
    once = shapely.union_all(lines, grid_size=FINE * size).length
    near = shapely.union_all(shapely.buffer(own, WHITE * size))
    white = sum(shapely.difference(line, near).length for line in lines)
    return {
        "turning": turning * size / length,
        "corners": corners * size / length,
        "retraced": max(0.0, 1 - once / length),
        "white": white / length,
        "length": length / sum(line.length for line in own),
    }


def _turns(path: Points, step: float) -> Points:
    """Return how much a path turns at places a step apart, in radians."""
    along = stations(path)
    at = np.arange(0, along[-1], step)
    even = np.column_stack([np.interp(at, along, axis) for axis in path.T])
    ways = np.diff(even, axis=0) @ np.array([1, 1j])
    return np.angle(ways[1:] * ways[:-1].conj()) if len(ways) > 1 else np.zeros(0)


def _corners(turns: Points) -> int:
    """Count the places where a path turns sharply."""
    sums = np.convolve(turns, np.ones(WITHIN), "same") if len(turns) >= WITHIN else turns
    sharp = np.abs(sums) > CORNER
    return int(np.count_nonzero(sharp[1:] & ~sharp[:-1]) + sharp[:1].sum())
