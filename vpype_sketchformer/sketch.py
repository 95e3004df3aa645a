"""Sketches: strokes as polylines, and the stroke-3 arrays that a model reads.

A sketch is what travels between the model, the sheet and the commands. Coordinates are in
the frame of Quick, Draw!'s simplified drawings: y down, the top left corner of the bounding
box at the origin, 255 units on the longer side. The layout on paper scales them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.smoothing import smooth

#: What happens after a point, the third column of a stroke-3 array.
DRAW, LIFT, END = 0, 1, 2

#: Longer side of Quick, Draw!'s simplified drawings, and the epsilon of their simplification
#: (Ramer 1972; Douglas & Peucker 1973), in pixels.
FRAME = 255.0
SIMPLIFICATION = 2.0


@dataclass(frozen=True, eq=False)
class Sketch:
    """A drawing: strokes in drawing order.

    Attributes:
        strokes: One float64 array (n, 2) of x, y per stroke, n >= 1, y pointing down.
        label: The name of the class, or an empty string.
        finished: Whether the drawing came to its own end (False: cut at the length limit).
        likelihood: How likely its points are to the model that drew it: log-density, nats in
            pixels, the mean of its points.
    """

    strokes: tuple[NDArray[np.float64], ...]
    label: str = ""
    finished: bool = True
    likelihood: float = 0.0

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
        return replace(self, strokes=tuple(smooth(self.strokes, tolerance, detail)))
