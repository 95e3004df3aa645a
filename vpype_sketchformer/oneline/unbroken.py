"""Strokes in, one unbroken line for each drawing out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpype_sketchformer.oneline import bridging, postman
from vpype_sketchformer.oneline.bows import bow
from vpype_sketchformer.oneline.bridging import Advance, Gaps, Limits, ignore
from vpype_sketchformer.oneline.graph import (
    BRIDGE,
    JOIN,
    Floats,
    Graph,
    Indices,
    Links,
    Points,
    build,
    connect,
    link,
)
from vpype_sketchformer.oneline.rounding import write_down
from vpype_sketchformer.oneline.trails import find_trails

#: Coordinates end here: squares of what is greater have no meaning left.
LARGEST_COORDINATE = 1e100

#: The direction of a piece at its end is that of a stretch as long as so many tolerances.
SIGHT = 2.0

#: What a bridge counts beside ink that is gone over again: white paper shows it.
WHITE = 2.0

#: More parts than this are strung together without a look at other ways.
MANY = 1000

#: Costs that differ by less than this share are the same.
SLACK = 1e-9


class StrokeError(ValueError):
    """Strokes that cannot be drawn; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Unbroken:
    """Strokes as unbroken lines.

    Attributes:
        paths: One polyline, (k, 2), for each drawing, in the order in which they were begun.
        joins: The lengths of what was joined.
        bridges: The lengths of the bridges.
        length: Length of all paths.
        retraced: How much of that goes over what is there already.
        gap: The shortest way from one drawing to another; inf for a single one.
    """

    paths: list[Points]
    joins: Floats
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
    advance: Advance = ignore,
) -> Unbroken:
    """Turn strokes into one unbroken path for each drawing.

    Args:
        strokes: Polylines, (k, 2) each, k >= 1.
        limits: How far joins and bridges may reach.
        shortcut: Loose ends no farther apart than this share of their drawing's longer side
            may be linked where that saves going back over ink. What is apart then is a line
            that was broken, and mended by straight bridges.
        smooth: Round the corners where a path turns from one piece into another, and bow the
            bridges; no ink is moved by more than half the tolerance, or by default the pen's
            width.
        advance: Called with the share of the work that is done.

    Raises:
        StrokeError: A point is not at a finite place, or they are too far from each other.
    """
    if not strokes:
        return Unbroken([], np.zeros(0), np.zeros(0), 0.0, 0.0, np.inf)
    points = np.concatenate(strokes)
    if not np.isfinite(points).all():
        raise StrokeError("a point of the drawing is not at a finite place.")
    if np.abs(points).max() > LARGEST_COORDINATE:
        raise StrokeError("the drawing is too large, or too far away.")
    limits = limits or Limits()
    graph = build(strokes)
    advance(0.05)
    size = bridging.sizes(graph, graph.parts)[graph.parts]
    joins = bridging.find_joins(graph, limits.joins(size))
    graph = link(graph, joins, JOIN)
    gaps = bridging.find_gaps(graph)
    drawings, gap = bridging.find_drawings(graph, gaps, limits)
    advance(0.2)
    if shortcut:  # these spare going back from ends that are bridged twice
        bridges = bridging.find_bridges(graph, gaps, drawings, Links.none(), free=False)
    else:
        bridges = _choose(graph, gaps, drawings, limits, lambda x: advance(0.2 + 0.4 * x))
    whole = link(graph, bridges, BRIDGE)
    size = bridging.sizes(whole, whole.parts)[whole.parts]
    shortcuts, costs = bridging.find_shortcuts(whole, shortcut * size)
    again = postman.repeat(
        np.concatenate([whole.ends, shortcuts]),
        np.concatenate([whole.lengths, costs]),
        len(whole.nodes),
        spare=len(shortcuts),
        advance=lambda x: advance(0.6 + 0.2 * x),
    )
    taken = shortcuts[again[again >= len(whole.ends)] - len(whole.ends)]
    again = again[again < len(whole.ends)]
    whole = connect(whole, taken, np.full(len(taken), BRIDGE, np.int8))
    order = np.concatenate([np.arange(len(whole.pieces)), again])  # pieces as often as drawn
    sight = SIGHT * limits.joins(bridging.sizes(whole, whole.parts)[whole.parts])
    trails = find_trails(whole, order, sight)
    advance(0.9)
    if smooth and not shortcut:
        whole = bow(whole, trails, sight)
    deviation = limits.rounds(bridging.sizes(whole, whole.parts))
    paths = [
        write_down(whole, trail, deviation[whole.parts[trail[0] >> 1]] if smooth else 0.0)
        for trail in trails
    ]
    advance(1.0)
    return Unbroken(
        paths,
        whole.lengths[whole.kinds == JOIN],
        whole.lengths[whole.kinds == BRIDGE],
        float(whole.lengths[order].sum()),
        float(whole.lengths[again].sum()),
        gap,
    )


def _choose(
    graph: Graph, gaps: Gaps, drawings: Indices, limits: Limits, advance: Advance
) -> Links:
    """Choose the bridges: of two ways to do so, the better one for each drawing.

    The first looks for bridges that are short, the second for a path that passes the parts
    one after the other. With very many parts the first takes long and is hardly better.
    """
    chains = bridging.find_chains(graph, drawings, limits, lambda x: advance(0.8 * x))
    strung = bridging.find_bridges(graph, gaps, drawings, chains)
    if not len(chains) or len(drawings) > MANY:
        return strung
    short = bridging.find_bridges(graph, gaps, drawings, Links.none())
    costs = np.array([_costs(graph, links, drawings) for links in (short, strung)])
    whose = [drawings[graph.parts[links.pieces[:, 0]]] for links in (short, strung)]
    better = costs[1] < costs[0] * (1 - SLACK)
    advance(1.0)
    return short[~better[whose[0]]] + strung[better[whose[1]]]


def _costs(graph: Graph, bridges: Links, drawings: Indices) -> Floats:
    """Return what each drawing would get that is not its own: bridges, and ink gone over."""
    whole = link(graph, bridges, BRIDGE)
    again = postman.repeat(whole.ends, whole.lengths, len(whole.nodes))
    drawing = np.zeros(whole.parts.max() + 1, np.intp)
    drawing[whole.parts[: len(graph.pieces)]] = drawings[graph.parts]
    added = np.where(whole.kinds == BRIDGE, WHITE, 0.0)
    added[again] += 1
    return np.bincount(drawing[whole.parts], added * whole.lengths).astype(np.float64)
