"""Smooth curves through the points of strokes: all strokes of a sketch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

#: Sharper turns, in radians, are corners however short their sides.
SHARPEST_CURVE = np.radians(110)


def smooth(strokes: Sequence[Points], tolerance: float, detail: float) -> list[Points]:
    """Draw a centripetal Catmull-Rom spline through the points of each stroke.

    Centripetal knots (Yuksel, Schaefer & Keyser 2011) neither loop nor overshoot where points
    lie unevenly, as simplified ones do. Corners stay corners; the curve of a closed stroke
    goes round.

    Args:
        strokes: Polylines, (n, 2) each, n >= 1.
        tolerance: Largest distance between a curve and the polyline that stands for it.
        detail: What simplification removed, see ``_corners``.

    Returns:
        The flattened curves, (m, 2) each; they pass through all points.
    """
    if not strokes:
        return []
    points, starts = _distinct(strokes)
    ends = np.append(starts[1:], len(points)) - 1
    before, after = _neighbours(points, starts, ends)
    own = np.arange(len(points))
    breaks = (before == own) | (after == own) | _corners(points, before, after, detail)
    first = np.delete(own, ends)  # of each span from one point of a stroke to the next
    second = first + 1
    a, d = points[first], points[second]
    # At a break the curve goes on as if it came, and went, straight.
    earlier = np.where(breaks[first, None], 2 * a - d, points[before[first]])
    later = np.where(breaks[second, None], 2 * d - a, points[after[second]])
    curve, counts = _flatten(earlier, a, d, later, tolerance)
    spans = np.cumsum(ends - starts)  # spans of this stroke and all before
    stops = np.concatenate([[0], np.cumsum(counts)])[spans]
    pieces = np.split(curve, stops[:-1])
    return [np.concatenate(pair) for pair in zip(points[starts, None], pieces, strict=True)]


def _distinct(strokes: Sequence[Points]) -> tuple[Points, NDArray[np.intp]]:
    """Drop repeated points; returns all points, (N, 2), and where each stroke starts."""
    points = np.concatenate(strokes)
    begins = np.zeros(len(points), bool)
    begins[np.cumsum([0, *map(len, strokes[:-1])])] = True
    kept = begins | np.any(points != np.roll(points, 1, axis=0), axis=1)
    return points[kept], np.flatnonzero(begins[kept])


def _neighbours(
    points: Points, starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the points before and after each, (N,): itself where a stroke is over."""
    before, after = np.arange(len(points)) - 1, np.arange(len(points)) + 1
    closed = (starts < ends) & np.all(points[starts] == points[ends], axis=1)
    before[starts] = np.where(closed, ends - 1, starts)
    after[ends] = np.where(closed, starts + 1, ends)
    return before, after


def _corners(
    points: Points, before: NDArray[np.intp], after: NDArray[np.intp], detail: float
) -> NDArray[np.bool_]:
    """Tell which points (N, 2) of polylines were corners before they were simplified.

    Simplification leaves no arc higher than ``detail`` over its chord. A turn that, drawn
    round, would rise clearly above that was a corner; a gentler one was a curve.
    """
    come, leave = points - points[before], points[after] - points
    headings = np.arctan2(leave[:, 1], leave[:, 0]) - np.arctan2(come[:, 1], come[:, 0])
    turns = np.abs((headings + np.pi) % (2 * np.pi) - np.pi)
    sides = np.minimum(np.hypot(*come.T), np.hypot(*leave.T))
    heights = sides * np.tan(turns / 4) / 2
    return (heights > 1.5 * detail) | (turns > SHARPEST_CURVE)


def _flatten(
    earlier: Points, a: Points, d: Points, later: Points, tolerance: float
) -> tuple[Points, NDArray[np.int64]]:
    """Flatten the spans of splines from ``a`` to ``d``, all (n, 2).

    Returns:
        The points after each ``a``, up to its ``d``, (m, 2), and how many there are, (n,).
    """
    steps = np.stack([a - earlier, d - a, later - d])
    knots = np.sqrt(np.hypot(steps[..., 0], steps[..., 1]))[..., None]  # of the parameter
    slopes = steps / knots
    tangents = (knots[1:] * slopes[:-1] + knots[:-1] * slopes[1:]) / (knots[:-1] + knots[1:])
    b, c = a + tangents[0] * knots[1] / 3, d - tangents[1] * knots[1] / 3  # Bezier controls
    bend = np.maximum(np.hypot(*(a - 2 * b + c).T), np.hypot(*(b - 2 * c + d).T))
    # A cubic strays from its chord by at most an eighth of its second derivative (6 * bend).
    counts = np.maximum(1, np.ceil(np.sqrt(0.75 * bend / tolerance))).astype(np.int64)
    span = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(1, counts.sum() + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    t = (place / counts[span])[:, None]
    s = 1 - t
    curve = s * s * (s * a[span] + 3 * t * b[span]) + t * t * (3 * s * c[span] + t * d[span])
    return curve, counts
