"""Strokes in, one unbroken line for each drawing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpype_sketchformer.oneline import bridging, postman
from vpype_sketchformer.oneline.bows import bow
from vpype_sketchformer.oneline.bridging import Limits
from vpype_sketchformer.oneline.graph import BRIDGE, Floats, Points, build, connect, link
from vpype_sketchformer.oneline.rounding import write_down
from vpype_sketchformer.oneline.trails import find_trails

#: Coordinates end here: squares of what is greater have no meaning left.
FARTHEST = 1e100

#: The direction of a piece at its end is that of a stretch as long as so many tolerances.
SIGHT = 2.0


class StrokeError(ValueError):
    """Strokes that cannot be drawn; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Unbroken:
    """Strokes as unbroken lines.

    Attributes:
        paths: One polyline, (k, 2), for each drawing, in the order in which they were begun.
        bridges: The lengths of the bridges.
        length: Length of all paths.
        retraced: How much of that goes over what is there already.
        gap: The shortest way from one drawing to another; inf for a single one.
    """

    paths: list[Points]
    bridges: Floats
    length: float
    retraced: float
    gap: float


def unbroken(
    strokes: Sequence[Points],
    limits: Limits | None = None,
    *,
    shortcut: float = 0.0,
    smooth: bool = False,
) -> Unbroken:
    """Turn strokes into one unbroken path for each drawing.

    Args:
        strokes: Polylines, (k, 2) each, k >= 1.
        limits: How far joins and bridges may reach.
        shortcut: Loose ends no farther apart than this share of their drawing's longer side
            may be linked where that saves going back over ink. What is apart then is a line
            that was broken, and mended by straight bridges.
        smooth: Round the corners where a path turns from one piece into another, and bow the
            bridges; no ink is moved by more than half the tolerance.

    Raises:
        StrokeError: A point is not at a finite place, or they are too far from each other.
    """
    if not strokes:
        return Unbroken([], np.zeros(0), 0.0, 0.0, np.inf)
    points = np.concatenate(strokes)
    if not np.isfinite(points).all():
        raise StrokeError("a point of the drawing is not at a finite place.")
    if np.abs(points).max() > FARTHEST:
        raise StrokeError("the drawing is too large, or too far away.")
    limits = limits or Limits()
    network = build(strokes)
    gaps = bridging.find_gaps(network)
    drawings, gap = bridging.find_drawings(network, gaps, limits)
    drawing = drawings[network.parts]
    tolerance = np.array([limits.joins(size) for size in bridging.sizes(network, drawing)])
    joins = bridging.find_joins(network, tolerance[drawing])
    # Shortcuts spare going back from ends that are bridged twice.
    free = not shortcut
    bridges = gaps.links[bridging.find_bridges(network, gaps, joins, drawings, free)]
    whole = link(network, joins, bridges)
    limit = np.zeros(whole.parts.max() + 1)  # the tolerance of each part: a drawing now
    limit[whole.parts[: len(drawing)]] = tolerance[drawing]
    size = bridging.sizes(whole, whole.parts)
    shortcuts, costs = bridging.find_shortcuts(whole, shortcut * size[whole.parts])
    again = postman.repeat(
        np.concatenate([whole.ends, shortcuts]),
        np.concatenate([whole.lengths, costs]),
        len(whole.nodes),
        spare=len(shortcuts),
    )
    taken = shortcuts[again[again >= len(whole.ends)] - len(whole.ends)]
    again = again[again < len(whole.ends)]
    whole = connect(whole, taken, np.full(len(taken), BRIDGE, np.int8))
    order = np.concatenate([np.arange(len(whole.pieces)), again])  # pieces as often as drawn
    sight = SIGHT * limit[whole.parts]
    trails = find_trails(whole, order, sight)
    if smooth and not shortcut:
        whole = bow(whole, trails, sight)
    paths = [
        write_down(whole, trail, limit[whole.parts[trail[0] >> 1]] / 2 if smooth else 0.0)
        for trail in trails
    ]
    return Unbroken(
        paths,
        whole.lengths[whole.kinds == BRIDGE],
        float(whole.lengths[order].sum()),
        float(whole.lengths[again].sum()),
        gap,
    )
