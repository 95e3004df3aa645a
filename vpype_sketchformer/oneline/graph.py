"""Lines as a graph: pieces of ink between the places where they meet.

Lines meet where they cross, where one ends on another, and where one runs on top of another.
What nearly meets is joined by short links, and parts that lie apart are bridged. No ink is
moved: links and bridges are pieces of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
#: x, y in the columns.
Points = Floats

#: What a piece is.
INK, JOIN, BRIDGE = 0, 1, 2

#: Points nearer than this share of the layer's size are one: far below what a pen can show,
#: far above what rounding does.
RESOLUTION = 2.0**-30


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of polylines.

    Attributes:
        nodes: Where pieces end, (n, 2), in the order in which they were drawn.
        pieces: Polylines, (k, 2) each, k >= 2; a dot is a piece without length.
        ends: The nodes at the first and the last point of each piece, (e, 2).
        kinds: `INK`, `JOIN` or `BRIDGE` for each piece, (e,).
        resolution: Places nearer than this are one.
    """

    nodes: Points
    pieces: list[Points]
    ends: Indices
    kinds: NDArray[np.int8]
    resolution: float

    @cached_property
    def lengths(self) -> Floats:
        """The length of each piece, (e,)."""
        return np.asarray(shapely.length(self.lines), np.float64)

    @cached_property
    def lines(self) -> NDArray[np.object_]:
        """The pieces for shapely, (e,)."""
        counts = [len(piece) for piece in self.pieces]
        indices = np.repeat(np.arange(len(self.pieces)), counts)
        return shapely.linestrings(np.concatenate(self.pieces), indices=indices)

    @cached_property
    def degrees(self) -> Indices:
        """How many pieces end at each node, (n,)."""
        return np.bincount(self.ends.ravel(), minlength=len(self.nodes))

    @cached_property
    def parts(self) -> Indices:
        """The number of the connected part that each piece belongs to, (e,)."""
        return components(self.ends, len(self.nodes))[self.ends[:, 0]]

    def along(self, trail: Sequence[int]) -> list[Points]:
        """Return the pieces of a trail, each from where it is begun, see `find_trails`."""
        return [self.pieces[half >> 1][:: -1 if half & 1 else 1] for half in trail]


@dataclass(frozen=True)
class Links:
    """Straight lines between places on pieces; a place is a piece and a distance along it.

    Attributes:
        pieces: (l, 2).
        places: (l, 2).
        lengths: (l,).
    """

    pieces: Indices
    places: Floats
    lengths: Floats

    @classmethod
    def none(cls) -> Links:
        """Return no links."""
        return cls(np.zeros((0, 2), np.intp), np.zeros((0, 2)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Indices | Flags) -> Links:
        return Links(self.pieces[index], self.places[index], self.lengths[index])

    def __add__(self, other: Links) -> Links:
        return Links(
            np.concatenate([self.pieces, other.pieces]),
            np.concatenate([self.places, other.places]),
            np.concatenate([self.lengths, other.lengths]),
        )


def components(edges: Indices, count: int) -> Indices:
    """Label the connected parts of a graph of ``count`` nodes, (count,)."""
    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, tuple(edges.T)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.intp)


def simple(edges: Indices, lengths: Floats, count: int) -> tuple[Indices, Indices]:
    """Choose the shortest of the edges (e, 2) between each two of ``count`` nodes.

    Returns:
        The lower node times ``count`` plus the higher, in order, and the edge between them.
    """
    low, high = edges.min(axis=1), edges.max(axis=1)
    keys = low * count + high
    order = np.lexsort([lengths, keys])
    order = order[low[order] != high[order]]
    keys, first = np.unique(keys[order], return_index=True)
    return keys, order[first]


def adjacency(edges: Indices, lengths: Floats, count: int) -> csr_array:
    """Return the lengths of a graph's edges for scipy, the shortest between two nodes."""
    keys, kept = simple(edges, lengths, count)
    # scipy takes an edge of length 0 for none.
    shortest = np.maximum(lengths[kept], np.finfo(float).tiny)
    return csr_array((shortest, (keys // count, keys % count)), shape=(count, count))


def by_node(edges: Indices, count: int) -> tuple[list[int], list[int]]:
    """List the halves of edges (e, 2) at each node: half 2 i + k is at side k of edge i.

    Returns:
        Offsets (count + 1,) into the second list, and the halves, node by node.
    """
    at = edges.ravel()
    counts = np.bincount(at, minlength=count)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return offsets.tolist(), np.argsort(at, kind="stable").tolist()


# --- from lines to a graph -----------------------------------------------------------------


def build(lines: Sequence[Points]) -> Graph:
    """Cut lines where they meet.

    Args:
        lines: Polylines, (k, 2) each, k >= 1, all points finite; at least one line.

    Returns:
        The graph of the ink; every stretch is there once, however often it was drawn.
    """
    points = np.concatenate(lines)
    resolution = _resolution(points)
    label, first = _merge(points, resolution)
    within = np.ones(len(points) - 1, bool)
    within[np.cumsum([len(line) for line in lines[:-1]], dtype=np.intp) - 1] = False
    segments = np.column_stack([label[:-1], label[1:]])[within]
    vertices, segments = _cut(points[first], _unique(segments), resolution)
    dots = np.setdiff1d(np.arange(len(vertices)), segments)
    segments = np.concatenate([segments, np.column_stack([dots, dots])])
    return _chains(vertices, segments, resolution)


def _resolution(points: Points) -> float:
    extent = float(np.ptp(points, axis=0).max())
    return max(extent * RESOLUTION, float(np.abs(points).max()) * 2.0**-48, 2.0**-500)


def _merge(points: Points, resolution: float) -> tuple[Indices, Indices]:
    """Make one of points that are the same.

    Returns:
        The label of each point, in order of appearance, and the first point of each label.
    """
    cells = np.rint((points - points.min(axis=0)) / resolution).astype(np.int64)
    keys = (cells[:, 0] << 32) | cells[:, 1]
    _, index, label = np.unique(keys, return_index=True, return_inverse=True)
    near = cKDTree(points[index]).query_pairs(1.5 * resolution, output_type="ndarray")
    label = components(near, len(index))[label]
    first = np.full(label.max() + 1, len(points))
    np.minimum.at(first, label, np.arange(len(points)))
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[label], first[order]


def _unique(segments: Indices) -> Indices:
    """Drop segments (m, 2) without length, and those that are there already."""
    segments = np.sort(segments[segments[:, 0] != segments[:, 1]], axis=1)
    if not len(segments):
        return segments
    _, first = np.unique((segments[:, 0] << 32) | segments[:, 1], return_index=True)
    return segments[np.sort(first)]


def _cut(vertices: Points, segments: Indices, resolution: float) -> tuple[Points, Indices]:
    """Cut segments where they cross, touch or overlap.

    Returns:
        All vertices, those of the crossings behind the others, and the pieces of the segments.
    """
    if len(segments) < 2:
        return vertices, segments
    tree = shapely.STRtree(shapely.linestrings(vertices[segments]))
    i, j = tree.query(tree.geometries)
    i, j = i[i < j], j[i < j]
    cuts = []  # of a segment at a vertex
    met = np.zeros(len(i), bool)
    for one, other in ((i, j), (j, i)):
        for side in (0, 1):
            end = segments[other, side]
            own = (segments[one] == end[:, None]).any(axis=1)
            near = ~own & (_distance(vertices[end], vertices[segments[one]]) <= resolution)
            cuts.append(np.column_stack([one[near], end[near]]))
            met |= own | near
    i, j = i[~met], j[~met]
    p, q = vertices[segments[i, 0]], vertices[segments[j, 0]]
    r, s = vertices[segments[i, 1]] - p, vertices[segments[j, 1]] - q
    area = _cross(r, s)
    with np.errstate(divide="ignore", invalid="ignore"):
        t, u = _cross(q - p, s) / area, _cross(q - p, r) / area
    crosses = (t > 0) & (t < 1) & (u > 0) & (u < 1)
    found = np.arange(crosses.sum()) + len(vertices)
    cuts += [np.column_stack([i[crosses], found]), np.column_stack([j[crosses], found])]
    everything = np.concatenate([vertices, (p + t[:, None] * r)[crosses]])
    label, first = _merge(everything, resolution)
    return everything[first], _split(everything[first], label[segments], cuts, label)


def _split(
    vertices: Points, segments: Indices, cuts: Sequence[Indices], label: Indices
) -> Indices:
    """Split segments at vertices that lie on them; ``cuts`` are pairs of both."""
    at = np.concatenate(cuts)
    count = len(segments)
    owner = np.concatenate([np.arange(count), np.arange(count), at[:, 0]])
    vertex = np.concatenate([segments[:, 0], segments[:, 1], label[at[:, 1]]])
    start = vertices[segments[owner, 0]]
    along = ((vertices[vertex] - start) * (vertices[segments[owner, 1]] - start)).sum(axis=1)
    order = np.lexsort([along, owner])
    owner, vertex = owner[order], vertex[order]
    same = owner[:-1] == owner[1:]
    return _unique(np.column_stack([vertex[:-1], vertex[1:]])[same])


def _cross(a: Points, b: Points) -> Floats:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _distance(points: Points, segments: Points) -> Floats:
    """Return the distances of points (n, 2) from segments (n, 2, 2), none without length."""
    start, way = segments[:, 0], segments[:, 1] - segments[:, 0]
    t = ((points - start) * way).sum(axis=1) / (way * way).sum(axis=1)
    foot = start + np.clip(t, 0, 1)[:, None] * way
    return np.hypot(*(points - foot).T)


def _chains(vertices: Points, segments: Indices, resolution: float) -> Graph:
    """Join segments that nothing else meets into pieces; (v, v) is a dot."""
    offsets, halves = by_node(segments, len(vertices))
    where = segments.ravel().tolist()
    junction = (np.diff(offsets) != 2).tolist()
    used = [False] * len(segments)
    chains: list[list[int]] = []

    def follow(half: int) -> None:
        chain = [where[half]]
        while not used[half >> 1]:
            used[half >> 1] = True
            half ^= 1
            vertex = where[half]
            chain.append(vertex)
            if junction[vertex]:
                break
            first, second = halves[offsets[vertex] : offsets[vertex + 1]]
            half = second if first == half else first
        chains.append(chain)

    for closed in (False, True):  # lines without a junction last, each from its first vertex
        for half in halves:
            if not used[half >> 1] and (closed or junction[where[half]]):
                junction[where[half]] = True
                follow(half)

    ends = np.array([(chain[0], chain[-1]) for chain in chains], dtype=np.intp)
    kept, ends = np.unique(ends, return_inverse=True)
    return Graph(
        nodes=vertices[kept],
        pieces=[vertices[chain] for chain in chains],
        ends=ends.reshape(-1, 2),
        kinds=np.full(len(chains), INK, np.int8),
        resolution=resolution,
    )


# --- links -----------------------------------------------------------------------------------


def link(graph: Graph, links: Links, kind: int) -> Graph:
    """Add straight pieces between places on the graph, cutting pieces where they land.

    Each piece keeps its number, which is its first stretch then.
    """
    graph, pairs = cut(graph, links)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return connect(graph, pairs, np.full(len(pairs), kind, np.int8))


def cut(graph: Graph, links: Links) -> tuple[Graph, Indices]:
    """Cut pieces where links land; return the graph and the nodes of the links, (l, 2)."""
    nodes, pieces = list(graph.nodes), list(graph.pieces)
    ends, kinds = graph.ends.tolist(), graph.kinds.tolist()
    places: dict[int, set[float]] = {}
    landed = list(
        zip(links.pieces.ravel().tolist(), links.places.ravel().tolist(), strict=True)
    )
    for piece, place in landed:
        places.setdefault(piece, set()).add(place)
    landings: dict[tuple[int, float], int] = {}
    for piece, wanted in places.items():
        line = graph.pieces[piece]
        first, last = (int(node) for node in graph.ends[piece])
        along = stations(line)
        length = float(along[-1])
        cuts = [(0.0, first)]
        for place in sorted(wanted):
            at_last = place > max(length - graph.resolution, length / 2)
            if not at_last and place > cuts[-1][0] + graph.resolution:
                cuts.append((place, len(nodes)))
                nodes.append(stretch(line, place, place)[0])
            landings[piece, place] = last if at_last else cuts[-1][1]
        cuts.append((length, last))
        pieces[piece], ends[piece] = stretch(line, 0.0, cuts[1][0]), [first, cuts[1][1]]
        for (begin, tail), (end, head) in pairwise(cuts[1:]):
            pieces.append(stretch(line, begin, end))
            ends.append([tail, head])
            kinds.append(kinds[piece])
    joined = [landings[where] for where in landed]
    graph = replace(
        graph,
        nodes=np.array(nodes),
        pieces=pieces,
        ends=np.array(ends, np.intp),
        kinds=np.array(kinds, np.int8),
    )
    return graph, np.array(joined, np.intp).reshape(-1, 2)


def connect(graph: Graph, pairs: Indices, kinds: NDArray[np.int8]) -> Graph:
    """Add straight pieces between nodes (p, 2), of the kinds (p,)."""
    return replace(
        graph,
        pieces=[*graph.pieces, *graph.nodes[pairs]],
        ends=np.concatenate([graph.ends, pairs]),
        kinds=np.concatenate([graph.kinds, kinds]),
    )


def stations(line: Points) -> Floats:
    """Return how far along a polyline (k, 2) its points lie, (k,)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])


def stretch(line: Points, begin: float, end: float, along: Floats | None = None) -> Points:
    """Return what of a polyline (k, 2) is between two distances along it.

    With its `stations` the time does not grow with the line.
    """
    along = stations(line) if along is None else along
    if begin <= 0 and end >= along[-1]:
        return line
    first = int(np.searchsorted(along, begin, side="right"))
    stop = max(first, int(np.searchsorted(along, end)))
    near = slice(max(first - 1, 0), stop + 1)
    sides = [np.interp([begin, end], along[near], line[near, axis]) for axis in (0, 1)]
    begins, ends = np.column_stack(sides)[:, None]
    return np.concatenate([begins, line[first:stop], ends])


def find_headings(graph: Graph, sight: Floats) -> Points:
    """Return where pieces head from each of their ends, unit vectors (e, 2 ends, 2)."""
    near = np.minimum(sight, graph.lengths)
    first = shapely.line_interpolate_point(graph.lines, near)
    last = shapely.line_interpolate_point(graph.lines, graph.lengths - near)
    seen = np.stack([shapely.get_coordinates(p) for p in (first, last)], axis=1)
    ways = seen - graph.nodes[graph.ends]
    lengths = np.hypot(ways[..., 0], ways[..., 1])[..., None]
    return np.divide(ways, lengths, out=np.zeros_like(ways), where=lengths > 0)


def bend(a: Points, b: Points) -> Floats:
    """Return what it costs to come along heading ``a`` reversed and leave along ``b``."""
    return np.square(np.pi - np.arccos(np.clip((a * b).sum(axis=-1), -1, 1)))
