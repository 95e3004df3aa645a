"""Sketches: strokes as polylines, and the stroke-3 arrays that a model reads.

A sketch is what travels between the model, the sheet and the commands. Coordinates are in
the frame of Quick, Draw!'s simplified drawings: y down, the top left corner of the bounding
box at the origin, 255 units on the longer side. The layout on paper scales them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: What happens after a point, the third column of a stroke-3 array.
DRAW, LIFT, END = 0, 1, 2

#: Longer side of Quick, Draw!'s simplified drawings, and the epsilon of their simplification
#: (Ramer 1972; Douglas & Peucker 1973), in pixels.
FRAME = 255.0
SIMPLIFICATION = 2.0
#: Sharper turns, in radians, are corners however short their sides.
SHARPEST_CURVE = np.radians(110)


@dataclass(frozen=True, eq=False)
class Sketch:
    """A drawing: strokes in drawing order.

    Attributes:
        strokes: One float64 array (n, 2) of x, y per stroke, n >= 1, y pointing down.
        label: The name of the class, or an empty string.
        finished: Whether the drawing came to its own end (False: cut at the length limit).
    """

    strokes: tuple[NDArray[np.float64], ...]
    label: str = ""
    finished: bool = True

    @classmethod
    def from_stroke3(
        cls, points: NDArray[np.floating], scale: float, label: str = ""
    ) -> Sketch:
        """Build a sketch from offsets.

        Args:
            points: Array (n, 3) of dx, dy, pen; offsets in model units, the first one from
                the frame's origin.
            scale: Pixels of the 0-255 frame per model unit.
            label: The name of the class.

        Returns:
            The sketch; ``finished`` tells whether the last pen value is ``END``.
        """
        positions = np.cumsum(points[:, :2].astype(np.float64) * scale, axis=0)
        lifts = np.flatnonzero(points[:-1, 2] != DRAW) + 1
        strokes = tuple(np.split(positions, lifts)) if len(points) else ()
        finished = bool(len(points)) and points[-1, 2] == END
        return cls(strokes, label, finished)

    def to_stroke3(self, scale: float) -> NDArray[np.float32]:
        """Return the offsets, (n, 3) float32 of dx, dy, pen in model units."""
        if not self.strokes:
            return np.zeros((0, 3), np.float32)
        positions = np.concatenate(self.strokes)
        points = np.zeros((len(positions), 3), np.float32)
        points[:, :2] = np.diff(positions, axis=0, prepend=np.zeros((1, 2))) / scale
        points[np.cumsum([len(stroke) for stroke in self.strokes]) - 1, 2] = LIFT
        points[-1, 2] = END
        return points

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The bounding box: left, top, right, bottom. A sketch without strokes has none."""
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def fitted(self, size: float) -> Sketch:
        """Scale to ``size`` on the longer side, the top left corner at the origin."""
        left, top, right, bottom = self.bounds
        extent = max(right - left, bottom - top)
        factor = size / extent if extent > 0 else 1.0
        corner = np.array([left, top])
        return replace(self, strokes=tuple((s - corner) * factor for s in self.strokes))

    def moved(self, dx: float, dy: float) -> Sketch:
        """Return the sketch shifted by (dx, dy)."""
        return replace(self, strokes=tuple(s + np.array([dx, dy]) for s in self.strokes))

    def smoothed(self, tolerance: float) -> Sketch:
        """Replace the polylines by smooth curves through their points.

        Args:
            tolerance: Largest distance between the curve and the polyline that stands for
                it, in the sketch's own unit.
        """
        left, top, right, bottom = self.bounds
        detail = max(right - left, bottom - top) * SIMPLIFICATION / FRAME
        strokes = tuple(smooth_stroke(s, tolerance, detail) for s in self.strokes)
        return replace(self, strokes=strokes)


def smooth_stroke(
    points: NDArray[np.float64], tolerance: float, detail: float
) -> NDArray[np.float64]:
    """Draw a centripetal Catmull-Rom spline through the points of a stroke.

    Centripetal knots (Yuksel, Schaefer & Keyser 2011) neither loop nor overshoot where points
    lie unevenly, as simplified ones do. Corners stay corners.

    Args:
        points: The stroke, (n, 2).
        tolerance: Largest distance between curve and result.
        detail: What simplification removed, see ``corners``.

    Returns:
        The flattened curve, (m, 2); it passes through all points.
    """
    moved = np.any(np.diff(points, axis=0) != 0, axis=1)
    points = points[np.concatenate([[True], moved])]
    if len(points) < 3:
        return points
    closed, end = np.array_equal(points[0], points[-1]), len(points) - 1
    # Of a closed stroke the seam, too, may be a corner: it is passed once more.
    turns = corners(np.concatenate([points, points[1:2]]) if closed else points, detail)
    if closed and not len(turns):
        return _spline(points, tolerance, closed=True)
    breaks = [0, *turns[turns < end], end]
    pieces = [_spline(points[first : last + 1], tolerance) for first, last in pairwise(breaks)]
    return np.concatenate([points[:1], *(piece[1:] for piece in pieces)])


def corners(points: NDArray[np.float64], detail: float) -> NDArray[np.intp]:
    """Find the points (n, 2) of a polyline that were corners before it was simplified.

    Simplification leaves no arc higher than ``detail`` over its chord. A turn that, drawn
    round, would rise clearly above that was a corner; a gentler one was a curve.

    Returns:
        Indices between the first and the last point.
    """
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    turns = np.abs((np.diff(headings) + np.pi) % (2 * np.pi) - np.pi)  # (n - 2,)
    heights = np.minimum(lengths[:-1], lengths[1:]) * np.tan(turns / 4) / 2
    return np.flatnonzero((heights > 1.5 * detail) | (turns > SHARPEST_CURVE)) + 1


def _spline(
    points: NDArray[np.float64], tolerance: float, closed: bool = False
) -> NDArray[np.float64]:
    """Flatten a centripetal Catmull-Rom spline through points (n, 2) without corners."""
    if len(points) < 3:
        return points
    if closed:  # the curve goes round
        ends = points[-2:-1], points[1:2]
    else:
        ends = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    p = np.concatenate([ends[0], points, ends[1]])
    steps = p[1:] - p[:-1]
    knots = np.sqrt(np.hypot(*steps.T))[:, None]  # steps of the parameter
    slopes = steps / knots
    tangents = (knots[1:] * slopes[:-1] + knots[:-1] * slopes[1:]) / (knots[:-1] + knots[1:])
    spans = knots[1:-1]
    a, d = points[:-1], points[1:]
    b, c = a + tangents[:-1] * spans / 3, d - tangents[1:] * spans / 3  # Bezier controls
    bend = np.maximum(np.hypot(*(a - 2 * b + c).T), np.hypot(*(b - 2 * c + d).T))
    # A cubic strays from its chord by at most an eighth of its second derivative (6 * bend).
    counts = np.maximum(1, np.ceil(np.sqrt(0.75 * bend / tolerance))).astype(int)
    piece = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(1, counts.sum() + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    t = (place / counts[piece])[:, None]
    s = 1 - t
    curve = s * s * (s * a[piece] + 3 * t * b[piece]) + t * t * (
        3 * s * c[piece] + t * d[piece]
    )
    return np.concatenate([points[:1], curve])
