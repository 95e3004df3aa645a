"""What to link in a network of lines: ends that nearly touch, and parts that lie apart."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from scipy.spatial import Delaunay, cKDTree

from vpype_sketchformer.oneline.graph import (
    Flags,
    Floats,
    Groups,
    Indices,
    Links,
    Network,
    Points,
    bend,
    by_node,
    find_headings,
    stretch,
)

#: Ends join what is nearer than this share of the drawing's longer side.
TOLERANCE = 0.02

#: Parts are one drawing if no farther apart than this share of the larger part's longer side.
#: Sketches on a sheet have a quarter of their size between them.
NEARNESS = 0.2

#: ... or than this share of the layer's longer side: specks are no drawings.
SPECK = 0.01

#: Ink that is within so many times the tolerance along the line is no gap: the line's own
#: course, a hook, or an end that reaches a little beyond a crossing.
DETOUR = 3.0

#: Neighbours of a part are looked for from so many places along its longer side.
SAMPLES = 32

#: Other loose ends that an end is compared with, to bridge from one to the other.
NEIGHBOURS = 6

#: What a bridge costs, over its length, by how many of its sides land in the middle of a line:
#: from its end a line goes on, to its middle the pen must come back.
LANDING = np.array([1.0, 1.5, 2.0])


@dataclass(frozen=True)
class Limits:
    """How far links may reach, in the unit of the lines; None: a share of the drawing's size.

    Attributes:
        tolerance: The longest join.
        max_bridge: The longest bridge.
    """

    tolerance: float | None = None
    max_bridge: float | None = None

    def joins(self, size: float) -> float:
        """Return how far an end may be from what it joins, in a drawing of this size."""
        return TOLERANCE * size if self.tolerance is None else self.tolerance

    def gaps(self, size: float, least: float, within: bool) -> float:
        """Return how far parts of one drawing may be apart.

        Args:
            size: The longer side of the larger part.
            least: Default limit for the smallest of parts.
            within: Whether one part lies within the other, as eyes do in a face.
        """
        if self.max_bridge is not None:
            return max(self.max_bridge, self.joins(size))
        return size if within else max(NEARNESS * size, least, self.joins(size))


@dataclass(frozen=True, eq=False)
class Gaps:
    """Shortest ways from one part of a network to another.

    Attributes:
        links: The ways, (l,).
        parts: The parts at both sides, (l, 2).
        tips: Whether the sides are loose ends, (l, 2).
        costs: What bridging there would cost: the length, weighed by `LANDING`.
    """

    links: Links
    parts: Indices
    tips: Flags
    costs: Floats


def loose(network: Network) -> Flags:
    """Tell which ends of pieces are alone, (e, 2); a dot that is alone has one such end."""
    degrees = network.degrees[network.ends]
    alone = degrees == 1
    alone[:, 0] |= (network.lengths == 0) & (degrees[:, 0] == 2)
    return alone


def boxes(network: Network, groups: Indices) -> Floats:
    """Return the corners of each group's box, (g, 2, 2); ``groups`` has one for each piece."""
    bounds = shapely.bounds(network.lines)
    corners = np.full((groups.max() + 1, 2, 2), [[[np.inf] * 2, [-np.inf] * 2]])
    np.minimum.at(corners[:, 0], groups, bounds[:, :2])
    np.maximum.at(corners[:, 1], groups, bounds[:, 2:])
    return corners


def sizes(network: Network, groups: Indices) -> Floats:
    """Return the longer side of each group, (g,); ``groups`` has one for each piece."""
    return np.ptp(boxes(network, groups), axis=1).max(axis=1)


# --- parts that lie apart --------------------------------------------------------------------


def find_gaps(network: Network) -> Gaps:
    """Find the ways between parts that are neighbours.

    The shortest connections of a set of points are edges of its Delaunay triangulation (Shamos
    & Hoey 1975), so the triangulation of points along the lines tells which pieces deserve a
    closer look; between those the shortest way is exact. Ways from loose end to loose end are
    looked at as well.
    """
    parts = network.parts
    piece, place, tip = _samples(network, sizes(network, parts)[parts] / SAMPLES)
    points = shapely.line_interpolate_point(network.lines[piece], place)
    xy = shapely.get_coordinates(points)
    pairs = np.concatenate([_neighbours(xy), _near(xy, np.flatnonzero(tip))])
    part = parts[piece]
    pairs = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
    pairs = _shortest(pairs, xy, part, tip)

    sides = np.where(tip[pairs], points[pairs], network.lines[piece[pairs]])
    ways = shapely.shortest_line(sides[:, 0], sides[:, 1])
    landings = shapely.points(shapely.get_coordinates(ways).reshape(-1, 2, 2))
    pieces, lengths = piece[pairs], shapely.length(ways)
    places = shapely.line_locate_point(network.lines[pieces], landings)
    middles = 2 - tip[pairs].sum(axis=1)
    return Gaps(
        Links(pieces, places, lengths), parts[pieces], tip[pairs], lengths * LANDING[middles]
    )


def _samples(network: Network, spacing: Floats) -> tuple[Indices, Floats, Flags]:
    """Choose places along the pieces, ``spacing`` (e,) apart at most.

    Returns:
        Of each place: its piece, how far along that it is, and whether it is a loose end.
    """
    steps = np.ceil(network.lengths / np.maximum(spacing, network.resolution)).astype(np.intp)
    piece = np.repeat(np.arange(len(steps)), steps + 1)
    last = np.cumsum(steps + 1) - 1
    first = last - steps
    step = np.arange(len(piece)) - first[piece]
    place = network.lengths[piece] * step / np.maximum(steps, 1)[piece]
    tip = np.zeros(len(piece), bool)
    alone = loose(network)
    tip[first[alone[:, 0]]] = True
    tip[last[alone[:, 1]]] = True
    return piece, place, tip


def _neighbours(points: Points) -> Indices:
    """Return pairs of points that are neighbours in the Delaunay triangulation, (p, 2)."""
    low = points.min(axis=0)
    extent = np.ptp(points, axis=0).max() or 1.0
    # Four corners, too far away to come between points, so that there are always triangles.
    corners = np.array([[x, y] for x in (-2.0, 3.0) for y in (-2.0, 3.0)])
    mesh = Delaunay(np.concatenate([(points - low) / extent, corners]))
    sides = np.concatenate([mesh.simplices[:, [i, i - 1]] for i in range(3)])
    sides = np.concatenate([sides, mesh.coplanar[:, [0, 2]]]).astype(np.intp)
    return sides[(sides < len(points)).all(axis=1)]


def _near(points: Points, tips: Indices) -> Indices:
    """Return pairs of each loose end and those that are nearest to it, (p, 2)."""
    if len(tips) < 2:
        return np.zeros((0, 2), np.intp)
    count = min(NEIGHBOURS + 1, len(tips))
    _, near = cKDTree(points[tips]).query(points[tips], k=count)
    return np.column_stack([np.repeat(tips, count), tips[near.ravel()]])


def _shortest(pairs: Indices, points: Points, part: Indices, tip: Flags) -> Indices:
    """Keep the shortest of the pairs that connect the same parts in the same way."""
    flip = part[pairs[:, 0]] > part[pairs[:, 1]]
    pairs = np.where(flip[:, None], pairs[:, ::-1], pairs)
    length = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    keys = np.column_stack([part[pairs], tip[pairs]])
    order = np.lexsort([length, *keys.T])
    keys = keys[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return pairs[order[first]]


class _Boxes(Groups):
    """Parts put together, with the box around each group."""

    def __init__(self, corners: Floats) -> None:
        super().__init__(len(corners))
        self.corners = corners.copy()

    def unite(self, a: int, b: int) -> bool:
        a, b = self.find(a), self.find(b)
        low = np.minimum(self.corners[a, 0], self.corners[b, 0])
        high = np.maximum(self.corners[a, 1], self.corners[b, 1])
        self.corners[a] = self.corners[b] = low, high
        return super().unite(a, b)

    def nested(self, a: int, b: int) -> bool:
        """Tell whether the box of one group lies within that of the other."""
        a, b = self.find(a), self.find(b)
        outer = np.minimum(self.corners[a, 0], self.corners[b, 0])
        outer = np.stack([outer, np.maximum(self.corners[a, 1], self.corners[b, 1])])
        return bool((outer == self.corners[[a, b]]).all(axis=(1, 2)).any())

    def size(self, part: int) -> float:
        """Return the longer side of the group that a part belongs to."""
        low, high = self.corners[self.find(part)].tolist()
        return max(high[0] - low[0], high[1] - low[1])


def find_drawings(network: Network, gaps: Gaps, limits: Limits) -> tuple[Indices, float]:
    """Tell which parts are one drawing: a part belongs to what is near it for its size.

    Returns:
        The number of each part's drawing, and the shortest way between two drawings (inf if
        there is only one).
    """
    groups = _Boxes(boxes(network, network.parts))
    order = np.argsort(gaps.links.lengths, kind="stable")
    least = SPECK * float(np.ptp(groups.corners, axis=(0, 1)).max())
    parts = gaps.parts[order].tolist()
    left = list(zip(gaps.links.lengths[order].tolist(), parts, strict=True))
    grown = True
    while grown:  # what has grown may reach farther
        grown, ways, left = False, left, []
        for length, (a, b) in ways:
            size = max(groups.size(a), groups.size(b))
            if length <= limits.gaps(size, least, within=groups.nested(a, b)):
                grown |= groups.unite(a, b)
            elif groups.find(a) != groups.find(b):
                left.append((length, [a, b]))
    roots = [groups.find(part) for part in range(len(groups.parent))]
    return np.unique(roots, return_inverse=True)[1], left[0][0] if left else np.inf


def find_bridges(
    network: Network, gaps: Gaps, joins: Links, drawings: Indices, free: bool = True
) -> Indices:
    """Choose the gaps to bridge: the cheapest first, as for a spanning tree (Kruskal 1956).

    If ``free``, an end that a bridge or a join has landed on is no loose end any more: a
    further bridge there costs what one to the middle of a line does.

    Args:
        network: The network.
        gaps: What is between its parts.
        joins: What is joined anyway.
        drawings: The number of each part's drawing.
        free: Whether only ends that nothing has landed on count as loose.

    Returns:
        Indices of gaps.
    """
    groups = Groups(int(network.parts.max()) + 1)
    for a, b in network.parts[joins.pieces].tolist():
        groups.unite(a, b)
    taken = set(_sides(joins) if free else ())
    sides = _sides(gaps.links)
    parts, tips, lengths = gaps.parts.tolist(), gaps.tips.tolist(), gaps.links.lengths.tolist()
    inside = np.flatnonzero(drawings[gaps.parts[:, 0]] == drawings[gaps.parts[:, 1]])
    queue = list(zip(gaps.costs[inside].tolist(), inside.tolist(), strict=True))
    heapq.heapify(queue)
    chosen = []
    while queue:
        cost, i = heapq.heappop(queue)
        both = sides[2 * i : 2 * i + 2]
        middles = sum(
            side in taken or not tip for side, tip in zip(both, tips[i], strict=True)
        )
        now = lengths[i] * float(LANDING[middles])
        if now > cost:
            heapq.heappush(queue, (now, i))
        elif groups.unite(*parts[i]):
            chosen.append(i)
            taken.update(both if free else ())
    return np.array(chosen, np.intp)


def _sides(links: Links) -> list[tuple[int, float]]:
    """List the pieces and places at the sides of links, two for each."""
    pieces, places = links.pieces.ravel().tolist(), links.places.ravel().tolist()
    return list(zip(pieces, places, strict=True))


def find_shortcuts(network: Network, reach: Floats) -> tuple[Indices, Floats]:
    """Find the ways from loose end to loose end across white paper, instead of back over ink.

    Args:
        network: The network, all of its parts whole.
        reach: How long such a way may be at most from the ends of each piece, (e,).

    Returns:
        The nodes at both sides (s, 2), and what the way costs: the length, several times if
        it does not go straight on from the ends.
    """
    ends = np.argwhere(loose(network))
    at = network.ends[ends[:, 0], ends[:, 1]]
    limit = reach[ends[:, 0]]
    points = network.nodes[at]
    pairs = cKDTree(points).query_pairs(limit.max(initial=0.0), output_type="ndarray")
    way = points[pairs[:, 1]] - points[pairs[:, 0]]
    length = np.hypot(*way.T)
    part = network.parts[ends[pairs, 0]]
    near = (length > 0) & (length <= limit[pairs].min(axis=1)) & (part[:, 0] == part[:, 1])
    pairs, way, length = pairs[near], way[near], length[near]
    heading = find_headings(network, reach)[ends[:, 0], ends[:, 1]]
    ahead = way / length[:, None]
    turns = bend(heading[pairs[:, 0]], ahead) + bend(heading[pairs[:, 1]], -ahead)
    return at[pairs], length * (1 + turns / bend(np.array([1, 0]), np.array([0, 1])))


# --- ends that nearly touch ------------------------------------------------------------------


def find_joins(network: Network, tolerance: Floats) -> Links:
    """Find what loose ends are to be joined with, at most ``tolerance`` (e,) away.

    First ends are joined in pairs, the nearest first, then each end that is left with the
    nearest ink. Ink that the end leads to anyway, by a short way, is not meant.
    """
    ends = np.argwhere(loose(network))
    if not len(ends):
        return Links.none()
    offsets, halves = by_node(network.ends, len(network.nodes))
    nodes = network.ends[ends[:, 0], ends[:, 1]]
    limit = tolerance[ends[:, 0]]
    points = network.nodes[nodes]

    @cache
    def reach(end: int) -> dict[int, float]:
        """Return how far nodes are along the ink, if it is no gap (Dijkstra 1959)."""
        found: dict[int, float] = {}
        queue = [(0.0, int(nodes[end]))]
        while queue:
            so_far, node = heapq.heappop(queue)
            if node in found:
                continue
            found[node] = so_far
            for half in halves[offsets[node] : offsets[node + 1]]:
                further = so_far + float(network.lengths[half >> 1])
                if further <= DETOUR * limit[end]:
                    heapq.heappush(queue, (further, int(network.ends[half >> 1, ~half & 1])))
        return found

    links: list[tuple[int, float, int, float, float]] = []
    place = np.where(ends[:, 1] == 0, 0.0, network.lengths[ends[:, 0]])
    free = np.ones(len(ends), bool)
    pairs = cKDTree(points).query_pairs(limit.max(), output_type="ndarray")
    length = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    near = length <= limit[pairs].min(axis=1)
    order = np.argsort(length[near], kind="stable")
    pairs, length = pairs[near][order], length[near][order]
    for (i, j), distance in zip(pairs.tolist(), length.tolist(), strict=True):
        if free[i] and free[j] and int(nodes[j]) not in reach(i):
            free[[i, j]] = False
            links.append((ends[i, 0], place[i], ends[j, 0], place[j], distance))

    tips = np.flatnonzero(free)
    tree = shapely.STRtree(network.lines)
    which, pieces = tree.query(
        shapely.points(points[tips]), predicate="dwithin", distance=limit[tips]
    )
    best: dict[int, tuple[float, int, float]] = {}
    for end, piece in zip(tips[which].tolist(), pieces.tolist(), strict=True):
        ways = reach(end)
        detour = DETOUR * limit[end]
        first, last = (ways.get(int(node), detour) for node in network.ends[piece])
        begin, stop = detour - first, network.lengths[piece] - (detour - last)
        if begin > stop:
            continue
        line = shapely.linestrings(stretch(network.pieces[piece], begin, stop))
        tip = shapely.points(points[end])
        distance = float(shapely.distance(line, tip))
        if distance <= limit[end] and distance < best.get(end, (np.inf,))[0]:
            at = begin + float(shapely.line_locate_point(line, tip))
            best[end] = (distance, piece, at)
    for end, (distance, piece, at) in best.items():
        links.append((ends[end, 0], place[end], piece, at, distance))
    table = np.array(links, float).reshape(-1, 5)
    return Links(table[:, [0, 2]].astype(np.intp), table[:, [1, 3]], table[:, 4])
