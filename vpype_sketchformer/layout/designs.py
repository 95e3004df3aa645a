"""Designs: drawings that lie on a page or in layers, each to be placed and scaled alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from vpype_sketchformer.units import MM

#: A polyline: points x + iy, y down.
Line = NDArray[np.complex128]

#: Parts are one design if no farther apart than this share of the larger one's longer side.
#: Sketches on a sheet have a quarter of their size between them.
NEARNESS = 0.2

#: A design's outline keeps this far from its lines, over its longer side: bays that are
#: narrower than twice as much are filled.
OUTLINE = 0.02

#: What is smaller than a pen's width is a dot: it keeps its size. In pixels.
DOT = 0.3 * MM

#: Coordinates beyond this are a mistake, and would be lost in rounding, in pixels.
LARGEST_COORDINATE = 1e9


class DesignError(ValueError):
    """Lines that are no designs; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Design:
    """A drawing without a place or a size: centred at 0, 1 on its longer side.

    A dot has a size of its own.

    Attributes:
        lines: The lines, in drawing order.
        size: The longer side of the drawing that it was made from; 0 for a dot.
    """

    lines: tuple[Line, ...]
    size: float

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Design:
        """Take a design from where it was drawn; see `require_finite` about its points."""
        points = np.concatenate(lines)
        left, right = points.real.min(), points.real.max()
        top, bottom = points.imag.min(), points.imag.max()
        size = float(max(right - left, bottom - top))
        if size < DOT:
            size = 0.0
        centre = complex(left + right, top + bottom) / 2
        return cls(tuple((line - centre) / (size or 1.0) for line in lines), size)

    def at(self, place: complex, size: float) -> list[Line]:
        """Return the lines, centred at a place, ``size`` on the longer side."""
        return [line * (size if self.size else 1.0) + place for line in self.lines]

    @cached_property
    def outline(self) -> shapely.Geometry:
        """A shape around all lines, holes filled: what others must keep away from."""
        # Line by line: thousands on top of each other are slow to buffer together.
        strokes = shapely.simplify(shapely.get_parts(_geometry(self.lines)), OUTLINE / 8)
        distance = OUTLINE if self.size else DOT
        inked = shapely.union_all(shapely.buffer(strokes, distance, quad_segs=4))
        rings = shapely.get_exterior_ring(shapely.get_parts(inked))
        return shapely.union_all(shapely.polygons(rings))

    @cached_property
    def depth(self) -> float:
        """How far below the centre it reaches; for a dot in pixels."""
        return max(float(line.imag.max()) for line in self.lines)

    @cached_property
    def ink(self) -> float:
        """The length of all lines; of a dot there is none to speak of."""
        if not self.size:
            return 0.0
        return float(sum(np.abs(np.diff(line)).sum() for line in self.lines))


def require_finite(lines: Sequence[Line]) -> None:
    """Refuse lines that lie nowhere.

    Raises:
        DesignError: A point is not at a finite place.
    """
    if not all((np.abs(line.view(np.float64)) < LARGEST_COORDINATE).all() for line in lines):
        raise DesignError("a point is not at a finite place, or very far away.")


def tell_apart(lines: Sequence[Line], apart: float | None = None) -> list[list[int]]:
    """Find the drawings on a page: lines that are near, or inside one another.

    Args:
        lines: The lines, at finite places.
        apart: Parts farther apart than this are different drawings. None: than `NEARNESS`
            says. Dots belong to the nearest drawing, however far they are.

    Returns:
        The indices of each drawing's lines; drawings and indices in the order of the lines.
    """
    groups = [[i] for i in range(len(lines))]
    while True:
        merged = _merge(lines, groups, apart)
        if len(merged) == len(groups):
            return sorted(_with_dots(lines, merged))
        groups = merged


def _with_dots(lines: Sequence[Line], groups: list[list[int]]) -> list[list[int]]:
    """Put each dot to the drawing that it is nearest to; dots alone are one drawing."""
    shapes = np.array([_geometry([lines[i] for i in group]) for group in groups])
    large = _sizes(shapes) >= DOT
    if large.all():
        return groups
    if not large.any():
        return [sorted(i for group in groups for i in group)]
    drawings = [groups[i] for i in np.flatnonzero(large)]
    dots = np.flatnonzero(~large)
    of, nearest = shapely.STRtree(shapes[large]).query_nearest(shapes[dots], all_matches=False)
    for dot, drawing in zip(dots[of].tolist(), nearest.tolist(), strict=True):
        drawings[drawing] = drawings[drawing] + groups[dot]
    return [sorted(drawing) for drawing in drawings]


def _merge(
    lines: Sequence[Line], groups: list[list[int]], apart: float | None
) -> list[list[int]]:
    """Let groups of lines grow, the largest first, each by all that it reaches."""
    hulls = np.array([shapely.convex_hull(_geometry([lines[i] for i in g])) for g in groups])
    tree = shapely.STRtree(hulls)
    left = np.ones(len(groups), bool)
    merged = []
    for first in np.argsort(-_sizes(hulls), kind="stable"):
        if not left[first]:
            continue
        members, count, hull = np.array([first]), 0, hulls[first]
        while len(members) > count:
            count = len(members)
            reach = NEARNESS * _sizes(hull) if apart is None else apart
            near = tree.query(hull, predicate="dwithin", distance=reach)
            members = np.union1d(members, near[left[near]])
            hull = shapely.convex_hull(shapely.geometrycollections(hulls[members]))
        left[members] = False
        merged.append(sorted(i for m in members for i in groups[m]))
    return merged


def _sizes(shapes: shapely.Geometry | NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the longer side of each shape."""
    bounds = shapely.bounds(shapes)
    return np.max(bounds[..., 2:] - bounds[..., :2], axis=-1)


def _geometry(lines: Sequence[Line]) -> shapely.MultiLineString:
    """Turn lines into a geometry; shapely takes a line of two equal points for a dot."""
    points = np.concatenate(lines).view(np.float64).reshape(-1, 2)
    owners = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    return shapely.multilinestrings(shapely.linestrings(points, indices=owners))
