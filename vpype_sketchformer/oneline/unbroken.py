"""Strokes in, one unbroken line for each drawing out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpype_sketchformer.oneline import bridging, postman
from vpype_sketchformer.oneline.bows import bow
from vpype_sketchformer.oneline.bridging import Advance, Gaps, Limits, ignore, share_of
from vpype_sketchformer.oneline.graph import (
    BRIDGE,
    JOIN,
    Floats,
    Graph,
    Indices,
    Links,
    Points,
    build,
    components,
    connect,
    cut,
    link,
    stations,
)
from vpype_sketchformer.oneline.loops import loop
from vpype_sketchformer.oneline.rounding import write_down
from vpype_sketchformer.oneline.tails import with_tails
from vpype_sketchformer.oneline.trails import find_trails

#: Coordinates end here: squares of what is greater have no meaning left.
LARGEST_COORDINATE = 1e100

#: The direction of a piece at its end is that of a stretch as long as so many tolerances.
SIGHT = 2.0

#: An end may be linked with what is no farther than this share of its part's size, instead of
#: a loop back.
FLOWING = 0.1

#: What it costs to end a path within a drawing, over how far from its outline that is.
INWARD = 0.5

#: So many times as wide as rounding may move ink are loops where the pen comes back.
LOOP = 2.5

#: What a bridge counts beside ink that is gone over again: white paper shows it.
WHITE = 2.0

#: More parts than this are strung together without a look at other ways.
MANY = 1000

#: Rounding begins when this share of the work is done.
UNROUNDED = 0.6

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


def check(strokes: Sequence[Points]) -> None:
    """Refuse strokes, (k, 2) each, that cannot be drawn.

    Raises:
        StrokeError: A point is not at a finite place, or they are too far from each other.
    """
    points = np.concatenate(strokes)
    if not np.isfinite(points).all():
        raise StrokeError("a point of the drawing is not at a finite place.")
    if np.abs(points).max() > LARGEST_COORDINATE:
        raise StrokeError("the drawing is too large, or too far away.")


def unbroken(
    strokes: Sequence[Points],
    limits: Limits | None = None,
    *,
    shortcut: float = 0.0,
    smooth: bool = False,
    tails: bool = False,
    advance: Advance = ignore,
) -> Unbroken:
    """Turn strokes into one unbroken path for each drawing.

    Args:
        strokes: Polylines, (k, 2) each, k >= 1.
        limits: How far joins and bridges may reach.
        shortcut: Loose ends no farther apart than this share of their drawing's longer side
            may be linked where that saves going back over ink. What is apart then is a line
            that was broken, and mended by straight bridges.
        smooth: Draw as a hand would: begin and end at the outline, link an end with a line
            nearby and come back from others in a narrow loop rather than over the ink, bow the
            bridges, and round the corners where a path turns from one piece into another. No
            ink is moved by more than half the tolerance, or by default the pen's width.
        tails: Lead each path on to the left and to the right of it.
        advance: Called with the share of the work that is done.

    Raises:
        StrokeError: A point is not at a finite place, or they are too far from each other.
    """
    if not strokes:
        return Unbroken([], np.zeros(0), np.zeros(0), 0.0, 0.0, np.inf)
    check(strokes)
    limits = limits or Limits()
    done = share_of(advance, 0.0, UNROUNDED if smooth else 0.95)
    graph = build(strokes)
    done(0.1)
    size = bridging.sizes(graph, graph.parts)[graph.parts]
    joins = bridging.find_joins(graph, limits.joins(size))
    graph = link(graph, joins, JOIN)
    done(0.2)
    gaps = bridging.find_gaps(graph)
    done(0.4)
    drawings, gap = bridging.find_drawings(graph, gaps, limits)
    done(0.5)
    if shortcut:  # these spare going back from ends that are bridged twice
        bridges = bridging.find_bridges(graph, gaps, drawings, Links.none(), free=False)
    else:
        bridges = _choose(graph, gaps, drawings, limits, smooth, share_of(done, 0.5, 0.3))
    flowing = smooth and not shortcut
    whole, shortcuts, costs = _shortcuts(
        link(graph, bridges, BRIDGE), limits, shortcut or FLOWING * flowing, flowing
    )
    ending = INWARD * bridging.inwards(whole) if flowing else None
    again = postman.repeat(
        np.concatenate([whole.ends, shortcuts]),
        np.concatenate([whole.lengths, costs]),
        len(whole.nodes),
        spare=len(shortcuts),
        ending=ending,
        advance=share_of(done, 0.8, 0.15),
    )
    taken = shortcuts[again[again >= len(whole.ends)] - len(whole.ends)]
    again = again[again < len(whole.ends)]
    whole = connect(whole, taken, np.full(len(taken), BRIDGE, np.int8))
    order = np.concatenate([np.arange(len(whole.pieces)), again])  # pieces as often as drawn
    sight = SIGHT * limits.joins(bridging.sizes(whole, whole.parts)[whole.parts])
    trails = find_trails(whole, order, sight, ending)
    done(1.0)
    whose = [whole.parts[trail[0] >> 1] for trail in trails]
    deviation = (limits.rounds(bridging.sizes(whole, whole.parts))[whose] * smooth).tolist()
    if flowing:
        lines = bow(whole, trails, sight, deviation)
        for trail, drawn, room in zip(trails, lines, deviation, strict=True):
            loop(whole, trail, drawn, LOOP * room)
    else:
        lines = [whole.along(trail) for trail in trails]
    written = [
        share_of(
            advance,
            UNROUNDED + (1 - UNROUNDED) * i / len(trails),
            (1 - UNROUNDED) / len(trails),
        )
        for i in range(len(trails))
    ]
    paths = list(map(write_down, itertools.repeat(whole), trails, lines, deviation, written))
    retraced = sum(map(_retraced, itertools.repeat(whole), trails, lines))
    length = sum(float(stations(path)[-1]) for path in paths)
    if tails:
        paths = [with_tails(path) for path in paths]
    advance(1.0)
    return Unbroken(
        paths,
        whole.lengths[whole.kinds == JOIN],
        whole.lengths[whole.kinds == BRIDGE],
        length,
        retraced,
        gap,
    )


def _shortcuts(
    whole: Graph, limits: Limits, share: float, flowing: bool
) -> tuple[Graph, Indices, Floats]:
    """Find the ways across white paper that may spare going back, see `find_shortcuts`.

    Args:
        whole: The graph, all parts of a drawing connected.
        limits: How far bridges may reach.
        share: How long such a way may be, over the longer side of its part.
        flowing: Whether ways may lead to any line, rather than along that a second time.

    Returns:
        The graph, cut where such ways land; the nodes at both sides; what they cost.
    """
    part = components(whole.ends, len(whole.nodes))
    reach = share * bridging.sizes(whole, whole.parts)[part]
    if not flowing:
        return whole, *bridging.find_shortcuts(whole, reach)
    if limits.max_bridge is not None:
        reach = np.minimum(reach, limits.max_bridge)
    np.minimum.at(reach, whole.ends[:, 0], whole.lengths / WHITE)
    np.minimum.at(reach, whole.ends[:, 1], whole.lengths / WHITE)
    landed, _ = cut(whole, bridging.find_landings(whole, reach))
    reach[whole.degrees > 1] = np.inf
    reach = np.append(reach, np.full(len(landed.nodes) - len(reach), np.inf))
    pairs, costs = bridging.find_shortcuts(landed, reach, anywhere=True)
    return landed, pairs, WHITE * costs


def _retraced(graph: Graph, trail: Sequence[int], lines: Sequence[Points]) -> float:
    """Return how much of what is drawn goes over pieces that were drawn before."""
    drawn, again = set(), 0.0
    for half, line, own in zip(trail, lines, graph.along(trail), strict=True):
        if line is own or np.array_equal(line, own):
            again += float(graph.lengths[half >> 1]) if half >> 1 in drawn else 0.0
            drawn.add(half >> 1)
    return again


def _choose(
    graph: Graph, gaps: Gaps, drawings: Indices, limits: Limits, smooth: bool, advance: Advance
) -> Links:
    """Choose the bridges: of two ways to do so, the better one for each drawing.

    The first looks for bridges that are short, the second for a path that passes the parts
    one after the other. With very many parts the first takes long and is hardly better.
    """
    chains = bridging.find_chains(graph, drawings, limits, share_of(advance, 0.0, 0.5))
    strung = bridging.find_bridges(graph, gaps, drawings, chains)
    if not len(chains) or len(drawings) > MANY:
        return strung
    short = bridging.find_bridges(graph, gaps, drawings, Links.none())
    costs = np.array([_costs(graph, links, drawings, smooth) for links in (short, strung)])
    whose = [drawings[graph.parts[links.pieces[:, 0]]] for links in (short, strung)]
    better = costs[1] < costs[0] * (1 - SLACK)
    advance(1.0)
    return short[~better[whose[0]]] + strung[better[whose[1]]]


def _costs(graph: Graph, bridges: Links, drawings: Indices, smooth: bool) -> Floats:
    """Return what each drawing would get that is not its own: bridges, and ink gone over.

    When smooth, a bridge that is drawn twice is two lines on white paper.
    """
    whole = link(graph, bridges, BRIDGE)
    again = postman.repeat(whole.ends, whole.lengths, len(whole.nodes))
    drawing = np.zeros(whole.parts.max() + 1, np.intp)
    drawing[whole.parts[: len(graph.pieces)]] = drawings[graph.parts]
    bridge = whole.kinds == BRIDGE
    added = np.where(bridge, WHITE, 0.0)
    added[again] += np.where(bridge[again] & smooth, WHITE, 1.0)
    return np.bincount(drawing[whole.parts], added * whole.lengths).astype(np.float64)
