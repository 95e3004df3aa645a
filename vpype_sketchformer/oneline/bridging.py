"""What to link in a graph of lines: ends that nearly touch, and parts that lie apart."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.cluster.hierarchy import DisjointSet
from scipy.spatial import Delaunay, cKDTree

from vpype_sketchformer.oneline.graph import (
    Flags,
    Floats,
    Graph,
    Indices,
    Links,
    Points,
    bend,
    by_node,
    components,
    find_headings,
    stretch,
)
from vpype_sketchformer.oneline.tour import tour

#: Ends join what is nearer than this share of the longer side of the smaller part.
TOLERANCE = 0.02

#: Parts are one drawing if no farther apart than this share of the larger part's longer side.
#: Sketches on a sheet have a quarter of their size between them.
NEARNESS = 0.2

#: ... or than this share of the layer's longer side: specks are no drawings.
SPECK = 0.01

#: Ink that is within so many times the tolerance along the line is no gap: the line's own
#: course, a hook, or an end that reaches a little beyond a crossing.
DETOUR = 3.0

#: Lines are side by side if the directions from their ends differ by less than 10 degrees.
BESIDE = np.cos(np.radians(10))

#: Neighbours of a part are looked for from so many places along its longer side.
SAMPLES = 32

#: ... but from so many along all lines at most, with two for each.
ALL_SAMPLES = 20_000

#: Other loose ends that an end is compared with, to bridge from one to the other.
NEIGHBOURS = 6

#: Nodes that are looked at from each loose end, for a way there instead of back over ink.
ROUND_AN_END = 17

#: A line that goes on straight ahead starts at this share of its reach: not in its own ink.
START = 0.01

#: How often each second ring is turned to its neighbours.
TURNS = 12

#: What a bridge costs, over its length, by how many of its sides land in the middle of a line:
#: from its end a line goes on, to its middle the pen must come back.
LANDING = np.array([1.0, 1.5, 2.0])


#: Called with the share of the work that is done.
Advance = Callable[[float], None]


def ignore(share: float) -> None:
    """Show no progress."""


def share_of(advance: Advance, begin: float, share: float) -> Advance:
    """Return what shows the progress of a share of the work."""
    return lambda done: advance(begin + share * done)


@dataclass(frozen=True)
class Limits:
    """How far links may reach, in the unit of the lines; None: a share of the parts' size.

    Attributes:
        tolerance: The longest join.
        max_bridge: The longest bridge.
        pen: The pen's width: what is nearer than that is joined, however small, and by default
            nothing with more white than that in between. 0: it is not known.
    """

    tolerance: float | None = None
    max_bridge: float | None = None
    pen: float = 0.0

    def joins(self, sizes: Floats) -> Floats:
        """Return how far ends may be from what they join, in parts of these sizes."""
        if self.tolerance is None:
            most = 2 * self.pen if self.pen else np.inf
            return np.clip(TOLERANCE * sizes, self.pen, most)
        return np.full(np.shape(sizes), self.tolerance)

    def rounds(self, sizes: Floats) -> Floats:
        """Return how far rounding may move the ink of drawings of these sizes."""
        half = self.joins(sizes) / 2
        return np.minimum(half, self.pen) if self.pen and self.tolerance is None else half

    def gaps(self, size: float, least: float, within: bool) -> float:
        """Return how far parts of one drawing may be apart.

        Args:
            size: The longer side of the larger part.
            least: Default limit for the smallest of parts.
            within: Whether one part lies within the other, as eyes do in a face.
        """
        if self.max_bridge is not None:
            return self.max_bridge
        return size if within else max(NEARNESS * size, least)


@dataclass(frozen=True, eq=False)
class Gaps:
    """Shortest ways from one part of a graph to another.

    Attributes:
        links: The ways, (l,).
        parts: The parts at both sides, (l, 2).
        tips: Whether the sides are loose ends, (l, 2).
    """

    links: Links
    parts: Indices
    tips: Flags

    @property
    def costs(self) -> Floats:
        """What bridging there would cost: the length, weighed by `LANDING`."""
        return self.links.lengths * LANDING[2 - self.tips.sum(axis=1)]


def loose(graph: Graph) -> Flags:
    """Tell which ends of pieces are alone, (e, 2); a dot that is alone has one such end."""
    degrees = graph.degrees[graph.ends]
    alone = degrees == 1
    alone[:, 0] |= (graph.lengths == 0) & (degrees[:, 0] == 2)
    return alone


def boxes(graph: Graph, groups: Indices) -> Floats:
    """Return the corners of each group's box, (g, 2, 2); ``groups`` has one for each piece."""
    bounds = shapely.bounds(graph.lines)
    corners = np.full((groups.max() + 1, 2, 2), [[[np.inf] * 2, [-np.inf] * 2]])
    np.minimum.at(corners[:, 0], groups, bounds[:, :2])
    np.maximum.at(corners[:, 1], groups, bounds[:, 2:])
    return corners


def sizes(graph: Graph, groups: Indices) -> Floats:
    """Return the longer side of each group, (g,); ``groups`` has one for each piece."""
    return np.ptp(boxes(graph, groups), axis=1).max(axis=1)


def inwards(graph: Graph) -> Floats:
    """Return how far each node is from the hull around its part, (n,)."""
    depths = np.zeros(len(graph.nodes))
    order = np.argsort(graph.parts, kind="stable")
    for pieces in np.split(order, np.flatnonzero(np.diff(graph.parts[order])) + 1):
        hull = shapely.convex_hull(shapely.multilinestrings(graph.lines[pieces]))
        nodes = np.unique(graph.ends[pieces])
        points = shapely.points(graph.nodes[nodes])
        depths[nodes] = shapely.distance(points, shapely.boundary(hull))
    return np.nan_to_num(depths)


# --- parts that lie apart --------------------------------------------------------------------


def find_gaps(graph: Graph) -> Gaps:
    """Find the ways between parts that are neighbours.

    The shortest connections of a set of points are edges of its Delaunay triangulation (Shamos
    & Hoey 1975), so the triangulation of points along the lines tells which pieces deserve a
    closer look; between those the shortest way is exact. Ways from loose end to loose end are
    looked at as well.
    """
    parts = graph.parts
    spacing = np.maximum(
        sizes(graph, parts)[parts] / SAMPLES, graph.lengths.sum() / ALL_SAMPLES
    )
    piece, place, tip = _samples(graph, spacing)
    points = shapely.line_interpolate_point(graph.lines[piece], place)
    xy = shapely.get_coordinates(points)
    pairs = np.concatenate([_neighbours(xy), _near(xy, np.flatnonzero(tip))])
    part = parts[piece]
    pairs = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
    pairs = _shortest(pairs, xy, part, tip)

    sides = np.where(tip[pairs], points[pairs], graph.lines[piece[pairs]])
    ways = shapely.shortest_line(sides[:, 0], sides[:, 1])
    landings = shapely.points(shapely.get_coordinates(ways).reshape(-1, 2, 2))
    pieces, lengths = piece[pairs], shapely.length(ways)
    places = shapely.line_locate_point(graph.lines[pieces], landings)
    return Gaps(Links(pieces, places, lengths), parts[pieces], tip[pairs])


def _samples(graph: Graph, spacing: Floats) -> tuple[Indices, Floats, Flags]:
    """Choose places along the pieces, ``spacing`` (e,) apart at most.

    Returns:
        Of each place: its piece, how far along that it is, and whether it is a loose end.
    """
    steps = np.ceil(graph.lengths / np.maximum(spacing, graph.resolution)).astype(np.intp)
    piece = np.repeat(np.arange(len(steps)), steps + 1)
    last = np.cumsum(steps + 1) - 1
    first = last - steps
    step = np.arange(len(piece)) - first[piece]
    place = graph.lengths[piece] * step / np.maximum(steps, 1)[piece]
    tip = np.zeros(len(piece), bool)
    alone = loose(graph)
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
    """Keep all pairs of loose ends, and the shortest of others between the same parts."""
    flip = part[pairs[:, 0]] > part[pairs[:, 1]]
    pairs = np.where(flip[:, None], pairs[:, ::-1], pairs)
    length = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    keys = np.column_stack([part[pairs], tip[pairs]])
    order = np.lexsort([length, *keys.T])
    keys = keys[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.unique(pairs[order[first | (keys[:, 2:] == 1).all(axis=1)]], axis=0)


class _Boxes:
    """Parts put together, with the box around each group: left, top, right, bottom."""

    def __init__(self, corners: Floats) -> None:
        self.groups = DisjointSet(range(len(corners)))
        self.corners: list[list[float]] = corners.reshape(-1, 4).tolist()

    def unite(self, a: int, b: int) -> bool:
        """Put the groups of two parts together; tell whether they were apart."""
        one, other = self.corners[self.groups[a]], self.corners[self.groups[b]]
        united = self.groups.merge(a, b)
        self.corners[self.groups[a]] = _around(one, other)
        return bool(united)

    def nested(self, a: int, b: int) -> bool:
        """Tell whether the box of one group lies within that of the other."""
        one, other = self.corners[self.groups[a]], self.corners[self.groups[b]]
        return _around(one, other) in (one, other)

    def size(self, part: int) -> float:
        """Return the longer side of the group that a part belongs to."""
        left, top, right, bottom = self.corners[self.groups[part]]
        return max(right - left, bottom - top)


def _around(a: list[float], b: list[float]) -> list[float]:
    """Return the box around two boxes."""
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def find_drawings(graph: Graph, gaps: Gaps, limits: Limits) -> tuple[Indices, float]:
    """Tell which parts are one drawing: a part belongs to what is near it for its size.

    Returns:
        The number of each part's drawing, and the shortest way between two drawings (inf if
        there is only one).
    """
    groups = _Boxes(boxes(graph, graph.parts))
    order = np.argsort(gaps.links.lengths, kind="stable")
    least = SPECK * float(sizes(graph, np.zeros(len(graph.pieces), np.intp))[0])
    parts = gaps.parts[order].tolist()
    left = list(zip(gaps.links.lengths[order].tolist(), parts, strict=True))
    grown = True
    while grown:  # what has grown may reach farther
        grown, ways, left = False, left, []
        for length, (a, b) in ways:
            size = max(groups.size(a), groups.size(b))
            if length <= limits.gaps(size, least, within=groups.nested(a, b)):
                grown |= groups.unite(a, b)
            elif not groups.groups.connected(a, b):
                left.append((length, [a, b]))
    roots = [groups.groups[part] for part in range(len(groups.corners))]
    return np.unique(roots, return_inverse=True)[1], left[0][0] if left else np.inf


def find_bridges(
    graph: Graph, gaps: Gaps, drawings: Indices, first: Links, free: bool = True
) -> Links:
    """Choose the gaps to bridge: the cheapest first, as for a spanning tree (Kruskal 1956).

    If ``free``, an end that a bridge has landed on is no loose end any more: a further bridge
    there costs what one to the middle of a line does.

    Args:
        graph: The graph.
        gaps: What is between its parts.
        drawings: The number of each part's drawing.
        first: Bridges that are chosen already, see `find_chains`.
        free: Whether only ends that nothing has landed on count as loose.
    """
    groups = DisjointSet(range(int(graph.parts.max()) + 1))
    for a, b in graph.parts[first.pieces].tolist():
        groups.merge(a, b)
    taken = set(_sides(first) if free else ())
    sides = _sides(gaps.links)
    parts, tips, lengths = gaps.parts.tolist(), gaps.tips.tolist(), gaps.links.lengths.tolist()
    inside = np.flatnonzero(drawings[gaps.parts[:, 0]] == drawings[gaps.parts[:, 1]])
    queue = list(zip(gaps.costs[inside].tolist(), inside.tolist(), strict=True))
    heapq.heapify(queue)
    chosen = []
    while queue:
        cost, i = heapq.heappop(queue)
        if groups.connected(*parts[i]):
            continue
        both = sides[2 * i : 2 * i + 2]
        middles = sum(
            side in taken or not tip for side, tip in zip(both, tips[i], strict=True)
        )
        now = lengths[i] * float(LANDING[middles])
        if now > cost:
            heapq.heappush(queue, (now, i))
        else:
            groups.merge(*parts[i])
            chosen.append(i)
            taken.update(both if free else ())
    return first + gaps.links[np.array(chosen, np.intp)]


def _sides(links: Links) -> list[tuple[int, float]]:
    """List the pieces and places at the sides of links, two for each."""
    pieces, places = links.pieces.ravel().tolist(), links.places.ravel().tolist()
    return list(zip(pieces, places, strict=True))


def find_chains(
    graph: Graph, drawings: Indices, limits: Limits, advance: Advance = ignore
) -> Links:
    """Find bridges from end to end that string the parts of each drawing together.

    A path that passes each part once goes over nothing again: a line from one end to the
    other, a ring once round, in and out at one place, which is where that is shortest.

    Args:
        graph: The graph.
        drawings: The number of each part's drawing.
        limits: How far bridges may reach.
        advance: Called with the share of the work that is done.
    """
    tips = _farthest(graph)
    whose = drawings[graph.parts[tips[:, 0, 0]]]
    size = sizes(graph, drawings[graph.parts])
    pieces, sides = tips[..., 0], tips[..., 1]
    points = graph.nodes[graph.ends[pieces, sides]]
    places = sides * graph.lengths[pieces]
    order = np.argsort(whose, kind="stable")
    found, done = [Links.none()], 0
    for lines in np.split(order, np.flatnonzero(np.diff(whose[order])) + 1):
        if len(lines) < 2:
            continue
        ends = tour(
            points[lines], share_of(advance, done / len(order), len(lines) / len(order))
        )
        done += len(lines)
        line, side = lines[ends >> 1], ends & 1
        at, piece, place = points[line, side], pieces[line, side], places[line, side]
        _turn_rings(graph, at, piece, place)
        both = [of[1:-1].reshape(-1, 2) for of in (piece, place)]
        lengths = np.hypot(*(at[1:-1:2] - at[2:-1:2]).T)
        near = lengths <= limits.gaps(float(size[whose[lines[0]]]), 0.0, within=False)
        found.append(Links(both[0], both[1], lengths)[near])
    return sum(found[1:], found[0])


def _farthest(graph: Graph) -> Indices:
    """Return where a path enters and leaves each part, (p, 2, 2): piece and side.

    Those are the two nodes with an odd number of pieces; where there are more, the loose ends
    that are farthest apart, and nothing of parts without two of them. Where no node is odd, as
    in a ring or a dot, it is one place, which is there twice: the highest.
    """
    odd = graph.degrees % 2 == 1
    part = components(graph.ends, len(graph.nodes))
    number = np.bincount(part, odd)[part][graph.ends]
    good = np.where(number > 2, loose(graph), odd[graph.ends] | (number == 0))
    ends = np.argwhere(good)
    if not len(ends):
        return np.zeros((0, 2, 2), np.intp)
    part = graph.parts[ends[:, 0]]
    order = np.argsort(part, kind="stable")
    found = []
    for here in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        tips = ends[here]
        points = graph.nodes[graph.ends[tips[:, 0], tips[:, 1]]]
        if number[tips[0, 0], 0] == 0:
            found.append(tips[[np.argmin(points[:, 1])] * 2])
            continue
        middle = points.mean(axis=0)
        one = int(np.argmax(np.hypot(*(points - middle).T)))
        other = int(np.argmax(np.hypot(*(points - points[one]).T)))
        if one != other:
            found.append(tips[[one, other]])
    return np.array(found, np.intp).reshape(-1, 2, 2)


def _turn_rings(graph: Graph, at: Points, piece: Indices, place: Floats) -> None:
    """Let a path pass rings where the way past them is shortest.

    Args:
        graph: The graph.
        at: Where the path enters and leaves each part in turn, (2 p, 2); at one place if that
            is a ring. Changed, as are ...
        piece: ... the piece of each place, (2 p,), and ...
        place: ... how far along that it is, (2 p,).
    """
    same = (piece[::2] == piece[1::2]) & (place[::2] == place[1::2])
    rings = np.flatnonzero(same & (graph.lengths[piece[::2]] > 0))
    if not len(rings):
        return
    order = np.argsort(graph.parts, kind="stable")
    bounds = np.searchsorted(graph.parts[order], np.arange(graph.parts.max() + 2))
    parts = graph.parts[piece[2 * rings]].tolist()
    own = [order[bounds[part] : bounds[part + 1]] for part in parts]
    lines = np.array([shapely.multilinestrings(graph.lines[pieces]) for pieces in own])
    last = len(at) // 2 - 1
    before = np.where(rings > 0, 2 * rings - 1, 2)  # nothing is before the first
    after = np.where(rings < last, 2 * rings + 2, 2 * last - 1)
    for turn in range(TURNS):
        now = rings % 2 == turn % 2
        first = 2 * rings[now]
        ways = np.stack([at[before[now]], at[after[now]]], axis=1)
        nearest = shapely.shortest_line(lines[now], shapely.linestrings(ways))
        goals = np.stack([at[first], shapely.get_coordinates(nearest)[::2]], axis=1)
        long = np.hypot(*np.moveaxis(ways[:, None] - goals[:, :, None], -1, 0)).sum(axis=2)
        at[first] = at[first + 1] = goals[np.arange(len(first)), long.argmin(axis=1)]
    for first, pieces in zip((2 * rings).tolist(), own, strict=True):
        point = shapely.points(at[first])
        nearest = pieces[np.argmin(shapely.distance(graph.lines[pieces], point))]
        piece[first : first + 2] = nearest
        place[first : first + 2] = shapely.line_locate_point(graph.lines[nearest], point)


def find_landings(graph: Graph, reach: Floats) -> Links:
    """Find where lines would land if they went on: straight ahead, and by the shortest way.

    Args:
        graph: The graph.
        reach: How far a line may go on at most from each node, (n,).
    """
    ends = loose(graph) & (reach[graph.ends] > graph.resolution)
    piece, side = np.argwhere(ends).T
    node = graph.ends[piece, side]
    tips, far = graph.nodes[node], reach[node]
    points = shapely.points(tips)
    heading = _headings(graph, reach)[piece, side]
    ways = np.stack([tips - START * far[:, None] * heading, tips - far[:, None] * heading], 1)
    rays = shapely.linestrings(ways)
    tree = shapely.STRtree(graph.lines)
    ahead, hit = tree.query(rays, predicate="intersects")
    near, other = tree.query(points, predicate="dwithin", distance=far)
    near, other = near[other != piece[near]], other[other != piece[near]]
    begins = [points[ahead], points[near]]
    goals = [shapely.intersection(rays[ahead], graph.lines[hit]), graph.lines[other]]
    sides = shapely.shortest_line(np.concatenate(begins), np.concatenate(goals))
    landed = shapely.get_point(sides, 1)
    tip, other = np.concatenate([ahead, near]), np.concatenate([hit, other])
    lengths = shapely.length(sides)
    straight = np.arange(len(tip)) < len(ahead)
    order = np.lexsort([lengths, straight, tip])
    order = order[lengths[order] > 0]
    _, first = np.unique(2 * tip[order] + straight[order], return_index=True)
    kept = order[first]  # the nearest of both kinds
    tip, other = tip[kept], other[kept]
    begin = np.where(side == 0, 0.0, graph.lengths[piece])[tip]
    end = shapely.line_locate_point(graph.lines[other], landed[kept])
    return Links(
        np.column_stack([piece[tip], other]), np.column_stack([begin, end]), lengths[kept]
    )


def find_shortcuts(
    graph: Graph, reach: Floats, anywhere: bool = False
) -> tuple[Indices, Floats]:
    """Find the ways from loose ends across white paper, instead of back over ink.

    Args:
        graph: The graph, all of its parts whole.
        reach: How long such a way may be at most to and from each node, (n,).
        anywhere: Whether ways may lead to any node, not to loose ends alone.

    Returns:
        The nodes at both sides (s, 2), and what the way costs: the length, several times if
        it does not go straight on from the ends.
    """
    ends = np.argwhere(loose(graph))
    at = graph.ends[ends[:, 0], ends[:, 1]]
    goals = np.arange(len(graph.nodes)) if anywhere else np.sort(at)
    count = min(ROUND_AN_END, len(goals))
    if not len(at) or count < 2:
        return np.zeros((0, 2), np.intp), np.zeros(0)
    _, near = cKDTree(graph.nodes[goals]).query(graph.nodes[at], k=count)
    one, other = np.repeat(at, count), goals[near.ravel()]
    way = graph.nodes[other] - graph.nodes[one]
    length = np.hypot(*way.T)
    part = components(graph.ends, len(graph.nodes))
    end = np.full(len(graph.nodes), -1)
    end[at] = np.arange(len(at))
    good = (length > 0) & (length <= np.minimum(reach[one], reach[other]))
    good &= (part[one] == part[other]) & ((end[other] < 0) | (one < other))
    one, other, way, length = one[good], other[good], way[good], length[good]
    heading = _headings(graph, reach)[ends[:, 0], ends[:, 1]]
    ahead = way / length[:, None]
    turns = bend(heading[end[one]], ahead)
    turns += np.where(end[other] < 0, 0.0, bend(heading[end[other]], -ahead))
    right = bend(np.array([1, 0]), np.array([0, 1]))
    return np.column_stack([one, other]), length * (1 + turns / right)


def _headings(graph: Graph, reach: Floats) -> Points:
    """Return where pieces head, seen over a stretch as long as the reach of their nodes."""
    return find_headings(graph, reach[graph.ends].min(axis=1))


# --- ends that nearly touch ------------------------------------------------------------------


def find_joins(graph: Graph, tolerance: Floats) -> Links:
    """Find what loose ends are to be joined with, at most ``tolerance`` (e,) away.

    First ends are joined in pairs, the nearest first, those of different parts before those
    that close a ring, then each end that is left with the nearest ink. Ink that the end leads
    to anyway, by a short way, is not meant; nor are lines side by side, as in hatching.
    """
    ends = np.argwhere(loose(graph))
    if not len(ends):
        return Links.none()
    nodes = graph.ends[ends[:, 0], ends[:, 1]]
    limit = tolerance[ends[:, 0]]
    points = graph.nodes[nodes]
    place = np.where(ends[:, 1] == 0, 0.0, graph.lengths[ends[:, 0]])
    pairs = cKDTree(points).query_pairs(limit.max(), output_type="ndarray")
    length = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    near = length <= limit[pairs].min(axis=1)
    pairs, length = pairs[near], length[near]
    heading = find_headings(graph, DETOUR * tolerance)[ends[:, 0], ends[:, 1]]
    beside = (heading[pairs[:, 0]] * heading[pairs[:, 1]]).sum(axis=1) > BESIDE
    pairs, length = pairs[~beside], length[~beside]
    order = np.lexsort([*pairs.T[::-1], np.rint(length / graph.resolution)])
    pairs, length = pairs[order], length[order]
    tree = shapely.STRtree(graph.lines)
    tip, piece = tree.query(shapely.points(points), predicate="dwithin", distance=limit)
    near = shapely.distance(shapely.points(points[tip]), graph.lines[piece]) <= np.minimum(
        limit[tip], tolerance[piece]
    )
    tip, piece = tip[near], piece[near]
    along = _reach(graph, nodes, limit, tip, piece)

    links: list[tuple[int, float, int, float, float]] = []
    free = np.ones(len(ends), bool)
    parts = graph.parts[ends[:, 0]].tolist()
    groups = DisjointSet(parts)
    for rings in (False, True):
        for (i, j), distance in zip(pairs.tolist(), length.tolist(), strict=True):
            if free[i] and free[j] and int(nodes[j]) not in along[i]:
                if not groups.merge(parts[i], parts[j]) and not rings:
                    continue
                free[[i, j]] = False
                links.append((ends[i, 0], place[i], ends[j, 0], place[j], distance))

    looked = []  # what of a piece no end leads to anyway
    far, whole, sides = (DETOUR * limit).tolist(), graph.lengths.tolist(), graph.ends.tolist()
    for end, other in zip(tip[free[tip]].tolist(), piece[free[tip]].tolist(), strict=True):
        first, last = (along[end].get(node, far[end]) for node in sides[other])
        begin, stop = far[end] - first, whole[other] - (far[end] - last)
        if begin <= stop:
            looked.append((end, other, begin, stretch(graph.pieces[other], begin, stop)))
    best: dict[int, tuple[float, int, float]] = {}
    for end, other, distance, at in _landings(points, looked):
        if distance <= min(limit[end], best.get(end, (np.inf,))[0]) and not _beside(
            graph.pieces[other], at, limit[end], heading[end]
        ):
            best[end] = (distance, other, at)
    for end, (distance, other, at) in best.items():
        links.append((ends[end, 0], place[end], other, at, distance))
    table = np.array(links, float).reshape(-1, 5)
    return Links(table[:, [0, 2]].astype(np.intp), table[:, [1, 3]], table[:, 4])


def _landings(
    points: Points, looked: Sequence[tuple[int, int, float, Points]]
) -> Iterator[tuple[int, int, float, float]]:
    """Yield where stretches of pieces are nearest to points.

    Args:
        points: (n, 2).
        looked: A point, a piece, how far along it the stretch begins, and the stretch, (k, 2).

    Yields:
        The point, the piece, the distance, and how far along the piece that is.
    """
    if not looked:
        return
    ends, pieces, begins, stretches = zip(*looked, strict=True)
    indices = np.repeat(np.arange(len(looked)), [len(line) for line in stretches])
    lines = shapely.linestrings(np.concatenate(stretches), indices=indices)
    tips = shapely.points(points[list(ends)])
    distances = shapely.distance(lines, tips).tolist()
    places = (np.array(begins) + shapely.line_locate_point(lines, tips)).tolist()
    yield from zip(ends, pieces, distances, places, strict=True)


def _beside(line: Points, at: float, limit: float, heading: Points) -> bool:
    """Tell whether a line runs, around a place on it, in a direction or against it."""
    first, *_, last = stretch(line, max(0.0, at - limit), at + limit)
    way = last - first
    return abs(float(way @ heading)) > BESIDE * float(np.hypot(*way))


def _reach(
    graph: Graph, nodes: Indices, limit: Floats, tip: Indices, piece: Indices
) -> dict[int, dict[int, float]]:
    """Return how far nodes are along the ink from loose ends, where that is no gap.

    Args:
        graph: The graph.
        nodes: The node of each loose end, (n,).
        limit: How far each may be from what it joins, (n,).
        tip: The loose ends that have something near, with ...
        piece: ... the pieces that are near them.

    Returns:
        For each of these ends, the nodes that are within `DETOUR` of its limit.
    """
    offsets, halves = by_node(graph.ends, len(graph.nodes))
    at, lengths = graph.ends.ravel().tolist(), graph.lengths.tolist()
    found: dict[int, dict[int, float]] = {}
    for end in np.unique(tip).tolist():
        farthest = DETOUR * float(limit[end])
        here = found[end] = {}
        queue = [(0.0, int(nodes[end]))]
        while queue:
            way, node = heapq.heappop(queue)
            if node in here:
                continue
            here[node] = way
            for half in halves[offsets[node] : offsets[node + 1]]:
                if way + lengths[half >> 1] <= farthest:
                    heapq.heappush(queue, (way + lengths[half >> 1], at[half ^ 1]))
    return found
