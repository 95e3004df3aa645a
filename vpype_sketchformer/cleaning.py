"""Cleaning strokes for a pen: no specks, no smears, ends that meet.

A pen has a width. What is shorter becomes a blot, lines that run on top of each other become
a smear, and an end that stops just short of a line, or goes just beyond it, looks like a slip.
No line is moved: some are cut, and some led on straight.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from vpype_sketchformer.oneline.graph import stations, stretch
from vpype_sketchformer.sketch import Sketch

#: Shares of a sketch's size: a pen of 0.3 mm in a sketch of 4 cm, and how far ends are from
#: what they were meant to meet.
PEN, REACH = 0.3 / 40, 0.5 / 40

Points = NDArray[np.float64]

#: Lines nearer than this share of the pen's width are on top of each other.
DOUBLE = 0.75

#: Lines that run beside each other for so many widths of the pen are one; less is a crossing.
RUN = 8.0

#: Lines are looked at from places so many widths of the pen apart.
STEP = 0.5

#: An end is led on if that turns it by less than 60 degrees: lines side by side stay apart.
STRAIGHT = 0.5

#: Nearer than this share of the pen's width, ends touch already.
TOUCHING = 0.1

#: Lines are looked at from so many places at most: 450 m of them with a pen of 0.3 mm.
MOST = 3_000_000


class CleaningError(ValueError):
    """Strokes that cannot be cleaned; the message is one clear line."""


def clean_sketch(sketch: Sketch, beside: Sequence[Points] = ()) -> Sketch:
    """Clean a sketch as a fine pen needs it, the same at all sizes.

    A speck that stands alone stays: it is a dot that was meant, as an eye is.

    Args:
        sketch: The sketch.
        beside: Strokes of the same drawing, (k, 2) each, that are to stay as they are.
    """
    if not sketch.strokes:
        return sketch
    size = float(np.ptp(np.concatenate([*sketch.strokes, *beside]), axis=0).max())
    if not size:
        return sketch
    strokes = clean(sketch.strokes, PEN * size, reach=REACH * size, beside=beside, dots=True)
    return replace(sketch, strokes=tuple(strokes))


def clean(
    strokes: Sequence[Points],
    pen: float,
    *,
    reach: float | None = None,
    beside: Sequence[Points] = (),
    dots: bool = False,
) -> list[Points]:
    """Clean strokes; shorter ones than the pen's width go, unless nothing would be left.

    Args:
        strokes: Polylines, (k, 2) each, k >= 1, in drawing order.
        pen: The pen's width, greater than 0.
        reach: Ends that stop short of other lines by this much are led on to them, and cut
            back where they go beyond them by no more. None: the pen's width.
        beside: Strokes that were drawn before and stay as they are.
        dots: Whether short strokes stay that are farther from all others than the pen's width.

    Returns:
        The strokes that are left, in the same order; one that ran over others may have become
        several.

    Raises:
        CleaningError: The strokes are too long for such a pen.
    """
    if sum(map(_length, [*beside, *strokes])) > MOST * STEP * pen:
        raise CleaningError("the lines are too long to be cleaned for a pen as fine as this.")
    reach = pen if reach is None else reach
    large = _without_specks(strokes, pen, beside, dots)
    if not large and not beside:
        return list(strokes)
    parts = list(_without_doubles([*beside, *large], pen, len(beside)))
    return _with_ends(_without_specks(parts, pen, beside, dots), pen, reach, beside)


def _without_specks(
    strokes: Sequence[Points], pen: float, beside: Sequence[Points], dots: bool
) -> list[Points]:
    """Leave out short strokes, or only those that lie on what is kept, or nearly."""
    stays = [_length(stroke) >= pen for stroke in strokes]
    if dots:
        lines = [shapely.linestrings(s.repeat(2, 0)) for s in [*strokes, *beside]]
        tree = shapely.STRtree(lines)
        stays += [True] * len(beside)
        for i in np.flatnonzero(~np.array(stays)).tolist():
            near = tree.query(lines[i], predicate="dwithin", distance=pen)
            stays[i] = not any(stays[k] for k in near.tolist())
    return list(itertools.compress(strokes, stays))


def _length(stroke: Points) -> float:
    return float(np.hypot(*np.diff(stroke, axis=0).T).sum())


# --- doubles ---------------------------------------------------------------------------------


class _Inked:
    """Places where there is ink already, found by the cell that they lie in."""

    def __init__(self, pen: float) -> None:
        self.pen = pen
        self.cells: dict[tuple[int, int], list[tuple[float, float, int, float]]] = {}

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        return int(x // self.pen), int(y // self.pen)

    def add(self, x: float, y: float, stroke: int, along: float) -> None:
        """Note a place, and how far along which stroke it is."""
        self.cells.setdefault(self._cell(x, y), []).append((x, y, stroke, along))

    def near(self, x: float, y: float, stroke: int, along: float) -> bool:
        """Tell whether there is ink within a pen's width that is not the line's own course."""
        column, row = self._cell(x, y)
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                for a, b, other, there in self.cells.get((i, j), ()):
                    if (other != stroke or along - there > RUN * self.pen / 2) and (
                        (a - x) ** 2 + (b - y) ** 2 <= (DOUBLE * self.pen) ** 2
                    ):
                        return True
        return False


def _without_doubles(strokes: Sequence[Points], pen: float, first: int) -> Iterator[Points]:
    """Yield what of strokes, from ``first`` on, does not run along earlier ink."""
    inked = _Inked(pen)
    for number, stroke in enumerate(strokes):
        along = stations(stroke)
        count = max(2, int(np.ceil(along[-1] / (STEP * pen))) + 1)
        at = np.linspace(0, along[-1], count)
        places = np.column_stack([np.interp(at, along, side) for side in stroke.T])
        gone = np.zeros(count, bool)
        waiting: list[int] = []
        for i, ((x, y), there) in enumerate(zip(places.tolist(), at.tolist(), strict=True)):
            if number >= first and inked.near(x, y, number, there):
                waiting.append(i)
                if i < count - 1:
                    continue
            run = at[waiting[-1]] - at[waiting[0]] if waiting else 0.0
            if waiting and (run >= RUN * pen or len(waiting) == count):
                gone[waiting] = True
            for k in [k for k in waiting if not gone[k]] + [i] * (i not in waiting):
                inked.add(float(places[k, 0]), float(places[k, 1]), number, float(at[k]))
            waiting = []
        if number >= first:
            yield from _pieces(stroke, along, at, gone)


def _pieces(
    stroke: Points, along: Points, at: Points, gone: NDArray[np.bool_]
) -> list[Points]:
    """Return the stretches of a stroke that are not gone, with their own points."""
    if not gone.any():
        return [stroke]
    pieces = []
    kept = np.flatnonzero(~gone)
    for run in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
        if len(run) > 1:
            pieces.append(stretch(stroke, float(at[run[0]]), float(at[run[-1]]), along))
    return pieces


# --- ends ------------------------------------------------------------------------------------


def _with_ends(
    strokes: Sequence[Points], pen: float, reach: float, beside: Sequence[Points]
) -> list[Points]:
    """Cut ends that go a little too far, and lead on those that stop a little short."""
    result = [np.asarray(stroke, np.float64) for stroke in [*strokes, *beside]]
    lines = [k for k, line in enumerate(result) if len(line) > 1]
    tree = shapely.STRtree([shapely.linestrings(result[k]) for k in lines])
    for i in range(len(strokes)):
        for side in (0, -1):
            stroke = result[i][:: 1 if side else -1]  # the end in question last
            if len(stroke) < 2:
                continue
            # Twice as far, since others may have been led on meanwhile.
            around = shapely.box(*(stroke[-1] - 2 * reach), *(stroke[-1] + 2 * reach))
            near = [lines[k] for k in np.sort(tree.query(around)) if lines[k] != i]
            end = _mended(stroke, [result[k] for k in near], pen, reach)
            result[i] = end[:: 1 if side else -1]
    return result[: len(strokes)]


def _mended(stroke: Points, others: Sequence[Points], pen: float, reach: float) -> Points:
    """Return a stroke with its last end mended."""
    along = stations(stroke)
    length = float(along[-1])
    far = max(length - 3 * reach, length / 2)  # the line's own course from here on is no goal
    body = stretch(stroke, 0.0, far, along)
    whole, tail = (
        shapely.linestrings(part) for part in (stroke, stretch(stroke, far, length))
    )
    around = shapely.union_all([shapely.linestrings(line) for line in others])
    crossings = shapely.get_coordinates(shapely.intersection(tail, around))
    if len(crossings):
        last = float(np.max(shapely.line_locate_point(whole, shapely.points(crossings))))
        if length - last <= reach:
            return (
                stretch(stroke, 0.0, last, along) if length - last > TOUCHING * pen else stroke
            )
    tip = shapely.points(stroke[-1])
    ink = shapely.union(around, shapely.linestrings(body))
    gap = float(shapely.distance(tip, ink))
    if not TOUCHING * pen < gap <= reach:
        return stroke
    ends = np.array([stroke[0], *(line[k] for line in others for k in (0, -1))])
    distances = np.hypot(*(ends - stroke[-1]).T)
    nearest = int(np.argmin(distances))
    if distances[nearest] <= min(reach, 1.5 * gap):  # end to end rather than to the side
        goal = ends[nearest]
    else:
        goal = shapely.get_coordinates(shapely.shortest_line(tip, ink))[-1]
    heading = stroke[-1] - stretch(stroke, max(0.0, length - 2 * reach), length, along)[0]
    ahead = float(heading @ (goal - stroke[-1]))
    if ahead < STRAIGHT * np.hypot(*heading) * np.hypot(*(goal - stroke[-1])):
        return stroke
    return np.concatenate([stroke, [goal]])
