"""Many strokes to one unbroken line.

The strokes become a network of pieces between the places where they meet (`network`). Ends
that nearly touch are joined, parts that lie apart are bridged (`bridging`), and pieces are
chosen to be gone over twice (`postman`), so that each drawing is one path. How that runs is
chosen here: at every crossing as straight as it can be.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import shapely

from vpype_sketchformer import bridging, postman
from vpype_sketchformer.bridging import Limits
from vpype_sketchformer.network import (
    JOIN,
    Floats,
    Groups,
    Indices,
    Network,
    Points,
    build,
    by_node,
    components,
    link,
    stations,
    stretch,
)

#: Coordinates end here: squares of what is greater have no meaning left.
FARTHEST = 1e100

#: The direction of a piece at its end is that of a stretch as long as so many tolerances.
SIGHT = 2.0

#: At nodes of up to so many pieces all ways of passing are compared; at others, straight ways
#: are chosen one by one.
COMPARED = 8


class StrokeError(ValueError):
    """Strokes that cannot be drawn; the message is one clear line."""


#: How far from a joint rounding begins, over the deviation allowed: the farthest that will do.
REACHES = (12.0, 6.0, 3.0, 1.5)
#: Length of a curve's handles over that of its chord: near that of an arc.
HANDLE = 0.4
#: Points of a curve.
CURVE_POINTS = 12


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
    strokes: Sequence[Points], limits: Limits | None = None, *, smooth: bool = False
) -> Unbroken:
    """Turn strokes into one unbroken path for each drawing.

    Args:
        strokes: Polylines, (k, 2) each, k >= 1.
        limits: How far joins and bridges may reach.
        smooth: Round the corners where a path turns from one piece into another; no ink is
            moved by more than half the tolerance.

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
    bridges = gaps.links[bridging.find_bridges(network, gaps, joins, drawings)]
    whole = link(network, joins, bridges)
    again = postman.repeat(whole.ends, whole.lengths, len(whole.nodes))
    order = np.concatenate([np.arange(len(whole.pieces)), again])  # pieces as often as drawn
    part = components(whole.ends, len(whole.nodes))[whole.ends[:, 0]]
    limit = np.zeros(part.max() + 1)  # the tolerance of each part, which is a drawing now
    limit[part[: len(drawing)]] = tolerance[drawing]
    trails = _trails(whole, order, SIGHT * limit[part])
    paths = [
        _path(whole, trail, limit[part[trail[0] >> 1]] / 2 if smooth else 0.0)
        for trail in trails
    ]
    return Unbroken(
        paths,
        bridges.lengths,
        float(whole.lengths[order].sum()),
        float(whole.lengths[again].sum()),
        gap,
    )


# --- the way through the network -------------------------------------------------------------


def _trails(network: Network, order: Indices, sight: Floats) -> list[list[int]]:
    """Find one trail for each part, through all of its pieces, as straight as it can be.

    At each node pieces go over into each other in pairs, the straightest way. That gives
    several trails; where two of them meet they change partners and become one (Hierholzer
    1873), first where that costs least in straightness.

    Args:
        network: The pieces.
        order: Each piece as often as it is to be drawn.
        sight: Length of the stretch that shows a piece's direction, (e,).

    Returns:
        The pieces of each trail: piece i as 2 i if it is drawn from its first point to its
        last, as 2 i + 1 the other way.
    """
    ends = network.ends[order]
    headings = _headings(network, sight)[order].reshape(-1, 2)  # of each half
    offsets, halves = by_node(ends, len(network.nodes))
    straight = _pair(np.array(halves), np.array(offsets), headings)
    partner = _unite(ends, halves, offsets, headings, straight.tolist())
    starts = _starts(ends, len(network.nodes), headings, partner)
    trails = []
    for half in starts:
        trail = []
        while half >= 0:
            trail.append(int(2 * order[half >> 1] + (half & 1)))
            half = partner[half ^ 1]
        trails.append(trail)
    return trails


def _headings(network: Network, sight: Floats) -> Points:
    """Return where pieces head from each of their ends, unit vectors (e, 2 ends, 2)."""
    near = np.minimum(sight, network.lengths)
    first = shapely.line_interpolate_point(network.lines, near)
    last = shapely.line_interpolate_point(network.lines, network.lengths - near)
    seen = np.stack([shapely.get_coordinates(p) for p in (first, last)], axis=1)
    ways = seen - network.nodes[network.ends]
    lengths = np.hypot(ways[..., 0], ways[..., 1])[..., None]
    return np.divide(ways, lengths, out=np.zeros_like(ways), where=lengths > 0)


def _turn(a: Points, b: Points) -> Floats:
    """Return what it costs to come along heading ``a`` reversed and leave along ``b``."""
    return np.square(np.pi - np.arccos(np.clip((a * b).sum(axis=-1), -1, 1)))


@cache
def _pairings(count: int) -> Indices:
    """Return all ways to put an even number of things in pairs, (w, count / 2, 2)."""
    if count == 0:
        return np.zeros((1, 0, 2), np.intp)
    found = []
    for other in range(1, count):
        rest = np.array([i for i in range(1, count) if i != other], np.intp)
        smaller = _pairings(count - 2)
        inner = rest[smaller] if len(rest) else smaller
        head = np.broadcast_to([[0, other]], (len(smaller), 1, 2))
        found.append(np.concatenate([head, inner], axis=1))
    return np.concatenate(found)


def _pair(halves: Indices, offsets: Indices, headings: Points) -> Indices:
    """Pair the halves at each node so that paths pass it straight.

    Returns:
        The partner of each half, -1 for one at each node with an odd number of them.
    """
    partner = np.full(len(halves), -1)
    degrees = np.diff(offsets)
    for degree in np.unique(degrees):
        nodes = np.flatnonzero(degrees == degree)
        here = halves[offsets[nodes][:, None] + np.arange(degree)]  # (n, degree)
        if degree > COMPARED:
            for row in here:
                _pair_greedily(row, headings, partner)
            continue
        if degree % 2:  # a path ends here: one of them has nobody
            here = np.concatenate([here, np.full((len(nodes), 1), -1)], axis=1)
        ways = _pairings(here.shape[1])
        a, b = here[:, ways[..., 0]], here[:, ways[..., 1]]  # (n, w, pairs)
        cost = np.where((a < 0) | (b < 0), 0.0, _turn(headings[a], headings[b])).sum(axis=2)
        best = cost.argmin(axis=1)
        chosen = ways[best]  # (n, pairs, 2)
        row = np.arange(len(nodes))[:, None]
        a, b = here[row, chosen[..., 0]].ravel(), here[row, chosen[..., 1]].ravel()
        both = (a >= 0) & (b >= 0)
        partner[a[both]], partner[b[both]] = b[both], a[both]
    return partner


def _pair_greedily(halves: Indices, headings: Points, partner: Indices) -> None:
    i, j = np.triu_indices(len(halves), 1)
    cost = _turn(headings[halves[i]], headings[halves[j]])
    for k in np.argsort(cost, kind="stable"):
        a, b = halves[i[k]], halves[j[k]]
        if partner[a] < 0 and partner[b] < 0:
            partner[a], partner[b] = b, a


#: A change of partners: what it costs, the node, and two halves, each with its partner.
_Change = tuple[float, int, int, int, int, int]


def _unite(
    ends: Indices, halves: list[int], offsets: list[int], headings: Points, partner: list[int]
) -> list[int]:
    """Change partners until each part is a single trail."""
    mates = np.array(partner)
    paired = np.flatnonzero(mates >= 0)
    trail = components(np.column_stack([paired, mates[paired]]) >> 1, len(ends))
    at, trail_at = ends.ravel(), np.repeat(trail, 2)
    trails = Groups(len(ends))

    def changes(node: int) -> Iterator[_Change]:
        """Yield what can be changed at a node: who goes with whom."""
        here = halves[offsets[node] : offsets[node + 1]]
        turns = _turn(headings[here][:, None], headings[here]).tolist()
        group = [trails.find(int(trail_at[half])) for half in here]
        mate = [here.index(partner[half]) if partner[half] >= 0 else -1 for half in here]

        def turn(i: int, j: int) -> float:
            return float(turns[i][j]) if min(i, j) >= 0 else 0.0

        for i, j in combinations(range(len(here)), 2):
            if group[i] != group[j]:
                k, m = mate[i], mate[j]
                cost = turn(i, j) + turn(k, m) - turn(i, k) - turn(j, m)
                a, b = here[i], here[j]
                yield cost, node, a, partner[a], b, partner[b]

    first, last = np.full(len(offsets) - 1, len(ends)), np.full(len(offsets) - 1, -1)
    np.minimum.at(first, at, trail_at)
    np.maximum.at(last, at, trail_at)
    queue = [change for node in np.flatnonzero(first < last) for change in changes(int(node))]
    heapq.heapify(queue)
    while queue:
        _, node, a, c, b, d = heapq.heappop(queue)
        if partner[a] != c or partner[b] != d:
            continue
        if trails.unite(int(trail_at[a]), int(trail_at[b])):
            for one, other in ((a, b), (b, a), (c, d), (d, c)):
                if one >= 0:
                    partner[one] = other
            for change in changes(node):
                heapq.heappush(queue, change)
    return partner


def _starts(ends: Indices, nodes: int, headings: Points, partner: list[int]) -> list[int]:
    """Choose the half where each trail starts, and open those that are closed.

    A path starts at the end that was drawn first; a closed one where its lines were begun, at
    the sharpest turn there.
    """
    part = components(ends, nodes)
    at = ends.ravel()
    first = np.full(part.max() + 1, nodes)
    np.minimum.at(first, part[at], at)
    mates = np.array(partner)
    alone = np.flatnonzero(mates < 0)
    alone = alone[np.argsort(at[alone], kind="stable")]
    labels, index = np.unique(part[at[alone]], return_index=True)
    starts = dict(zip(labels.tolist(), alone[index].tolist(), strict=True))
    here = np.flatnonzero(at == first[part[at]])
    turns = _turn(headings[here], headings[mates[here]])
    for half in here[np.lexsort([here, -turns])].tolist():
        label = int(part[at[half]])
        if label not in starts:
            partner[partner[half]] = partner[half] = -1
            starts[label] = half
    return [starts[label] for label in np.argsort(first, kind="stable").tolist()]


def _path(network: Network, trail: Sequence[int], deviation: float) -> Points:
    """Return the polyline of a trail, its joints rounded by up to ``deviation``.

    A joint is where one piece goes over into the next, with what joins ends that nearly touch.
    """
    pieces = np.array(trail) >> 1
    lines = [network.pieces[half >> 1][:: -1 if half & 1 else 1] for half in trail]
    path = _without_repeats(lines, network.resolution)
    if deviation <= 0 or len(trail) < 2 or len(path) < 3:
        return path
    stops = np.cumsum(network.lengths[pieces]).tolist()
    joints: list[tuple[float, float]] = []
    for i, stop in enumerate(stops[:-1]):
        begin = joints.pop()[0] if i and network.kinds[pieces[i]] == JOIN else stop
        joints.append((begin, stop))
    return _rounded(path, joints, deviation)


def _rounded(path: Points, joints: Sequence[tuple[float, float]], deviation: float) -> Points:
    """Round a path at its joints, by up to ``deviation``."""
    along = stations(path)
    length = float(along[-1])
    bounds = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(joints)), length]
    done, parts = 0.0, []
    for (begin, end), room in zip(joints, pairwise(bounds), strict=True):
        for reach in REACHES:
            first = max(begin - reach * deviation, room[0])
            last = min(end + reach * deviation, room[1])
            sharp = stretch(path, first, last)
            curve = _curve(sharp)
            if curve is not None and _apart(sharp, curve) <= deviation:
                parts += [stretch(path, done, first), curve]
                done = last
                break
    rounded = np.concatenate([*parts, stretch(path, done, length)])
    new = np.diff(rounded, axis=0).any(axis=1)
    return rounded[np.concatenate([[True], new])]


def _curve(sharp: Points) -> Points | None:
    """Return a Bezier curve that leaves and arrives as a polyline; None if it turns back."""
    if len(sharp) < 3:
        return None
    way = sharp[-1] - sharp[0]
    leave, arrive = sharp[1] - sharp[0], sharp[-1] - sharp[-2]
    lengths = [float(np.hypot(*v)) for v in (way, leave, arrive)]
    if min(lengths) == 0 or way @ leave < 0 or way @ arrive < 0:
        return None
    handle = HANDLE * lengths[0]
    b, c = sharp[0] + leave * handle / lengths[1], sharp[-1] - arrive * handle / lengths[2]
    t = np.linspace(0, 1, CURVE_POINTS)[:, None]
    s = 1 - t
    return s**3 * sharp[0] + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * sharp[-1]


def _apart(a: Points, b: Points) -> float:
    """Return how far two lines are apart where they are so most (Hausdorff)."""
    both = shapely.linestrings(a), shapely.linestrings(b)
    return float(shapely.hausdorff_distance(*both, densify=0.1))


def _without_repeats(lines: Sequence[Points], resolution: float) -> Points:
    """Put lines together, without points that are there twice or that lines go straight on at.

    A dot is two points.
    """
    points = np.concatenate(lines)
    seam = np.zeros(len(points), bool)
    seam[np.cumsum([len(line) for line in lines])[:-1]] = True
    new = np.ones(len(points), bool)
    new[1:] = np.hypot(*np.diff(points, axis=0).T) > resolution
    if new.sum() < 2:
        return points[:1].repeat(2, axis=0)
    # Of points at the same place the last one stands for a seam.
    group = np.cumsum(new) - 1
    seams = np.zeros(group[-1] + 1, bool)
    np.logical_or.at(seams, group, seam)
    points = points[new]
    back, ahead = points[1:-1] - points[:-2], points[2:] - points[1:-1]
    off = np.abs(back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0])
    off = off / np.hypot(*(back + ahead).T).clip(resolution)
    straight = (off <= resolution) & ((back * ahead).sum(axis=1) > 0)
    spare = np.zeros(len(points), bool)
    spare[1:-1] = straight & seams[1:-1]
    spare[1:] &= ~spare[:-1]  # each was looked at with both neighbours there
    return points[~spare]
