"""What is left of strokes that were drawn up to some place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vpype_sketchformer.plotters.job import Stroke

#: How near in mm a place has to be to a line to be on it: a few steps of the motors.
NEAR = 0.1


def after(strokes: Sequence[Stroke], length: float) -> list[Stroke]:
    """Return what is left of strokes when so much has been drawn.

    Args:
        strokes: Points x + iy in mm.
        length: The way with the pen down, in mm.
    """
    rest = []
    for stroke in strokes:
        reached = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(stroke)))])
        if length <= 0:
            rest.append(stroke)
        elif length < reached[-1]:
            following = int(np.searchsorted(reached, length, side="right"))
            share = (length - reached[following - 1]) / (
                reached[following] - reached[following - 1]
            )
            cut = stroke[following - 1] + share * (stroke[following] - stroke[following - 1])
            rest.append(np.append(cut, stroke[following:]))
        length -= float(reached[-1])
    return rest


def locate(
    strokes: Sequence[Stroke],
    place: complex,
    span: tuple[float, float],
    start: complex,
    lag: float = 0.0,
) -> float | None:
    """Tell how much has been drawn from where the pen stands.

    A pen may come to a place more than once. Then what is sure to have been drawn counts:
    better some of it twice than some of it never.

    Args:
        strokes: Points x + iy in mm.
        place: Where the pen stands.
        span: The least and the most that can have been drawn, in mm.
        start: Where the pen was when the least had been drawn.
        lag: By how much what has been drawn may lag behind the most.

    Returns:
        The way with the pen down in mm, up to the first place that fits within the lag, or
        else to the last one before; None if the pen stands where it never comes to.
    """
    least, most = span
    found = [least] if _is_on(place, start, _at(strokes, least, start)) else []
    drawn, end = 0.0, 0j
    for stroke in [*strokes, np.zeros(1, complex)]:  # and home
        if drawn and _is_on(place, end, stroke[0]):
            found.append(drawn)
        for a, b in pairwise(stroke):
            if _is_on(place, a, b):
                found.append(drawn + abs(b - a) * _share(place, a, b))
            drawn += abs(b - a)
        end = stroke[-1]
    fitting = [
        min(max(way, least), most) for way in found if least - NEAR <= way <= most + NEAR
    ]
    late = [way for way in fitting if way >= most - lag]
    return min(late, default=max(fitting, default=None))


def _at(strokes: Sequence[Stroke], length: float, otherwise: complex) -> complex:
    """Return where the pen goes on when so much has been drawn."""
    rest = after(strokes, length)
    return complex(rest[0][0]) if rest else otherwise


def _share(place: complex, a: complex, b: complex) -> float:
    way = b - a
    along = ((place - a) * way.conjugate()).real / abs(way) ** 2 if way else 0.0
    return min(1.0, max(0.0, along))


def _is_on(place: complex, a: complex, b: complex) -> bool:
    return abs(a + _share(place, a, b) * (b - a) - place) <= NEAR
