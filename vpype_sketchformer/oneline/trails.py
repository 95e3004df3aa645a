"""The way through a graph: one trail through all pieces of a part, as straight as it can be.

At each node pieces go over into each other in pairs, the straightest way. That gives several
trails; where two of them meet they change partners and become one (Hierholzer 1873), first
where that costs least in straightness.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from vpype_sketchformer.oneline.graph import (
    Floats,
    Graph,
    Indices,
    Points,
    bend,
    by_node,
    components,
    find_headings,
)

#: At nodes of up to so many pieces all ways of passing are compared; at others each piece goes
#: over into the one opposite.
COMPARED = 8


def find_trails(
    graph: Graph, order: Indices, sight: Floats, ending: Floats | None = None
) -> list[list[int]]:
    """Find one trail for each part, through all of its pieces, as straight as it can be.

    Args:
        graph: The pieces.
        order: Each piece as often as it is to be drawn.
        sight: Length of the stretch that shows a piece's direction, (e,).
        ending: What it costs to begin at each node, (n,), where that is free to choose; None:
            a path is begun where its lines were.

    Returns:
        The pieces of each trail: piece i as 2 i if it is drawn from its first point to its
        last, as 2 i + 1 the other way.
    """
    ends = graph.ends[order]
    headings = find_headings(graph, sight)[order].reshape(-1, 2)  # of each half
    offsets, halves = by_node(ends, len(graph.nodes))
    straight = _pair(np.array(halves), np.array(offsets), headings)
    partner = _unite(ends, halves, offsets, headings, straight.tolist())
    starts = _starts(ends, len(graph.nodes), headings, partner, ending)
    trails = []
    for half in starts:
        trail = []
        while half >= 0:
            trail.append(int(2 * order[half >> 1] + (half & 1)))
            half = partner[half ^ 1]
        trails.append(trail)
    return trails


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
            around = np.arctan2(headings[here, 1], headings[here, 0]).argsort(axis=1)
            here = np.take_along_axis(here, around, axis=1)
            a, b = here[:, : degree // 2], here[:, degree // 2 : degree // 2 * 2]
            partner[a], partner[b] = b, a
            continue
        if degree % 2:  # a path ends here: one of them has nobody
            here = np.concatenate([here, np.full((len(nodes), 1), -1)], axis=1)
        ways = _pairings(here.shape[1])
        a, b = here[:, ways[..., 0]], here[:, ways[..., 1]]  # (n, w, pairs)
        cost = np.where((a < 0) | (b < 0), 0.0, bend(headings[a], headings[b])).sum(axis=2)
        best = cost.argmin(axis=1)
        chosen = ways[best]  # (n, pairs, 2)
        row = np.arange(len(nodes))[:, None]
        a, b = here[row, chosen[..., 0]].ravel(), here[row, chosen[..., 1]].ravel()
        both = (a >= 0) & (b >= 0)
        partner[a[both]], partner[b[both]] = b[both], a[both]
    return partner


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
    trails = DisjointSet(range(len(ends)))

    def changes(node: int) -> Iterator[_Change]:
        """Yield what can be changed at a node: who goes with whom."""
        here = halves[offsets[node] : offsets[node + 1]]
        turns = bend(headings[here][:, None], headings[here]).tolist()
        group = [trails[int(trail_at[half])] for half in here]
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
        if trails.merge(int(trail_at[a]), int(trail_at[b])):
            for one, other in ((a, b), (b, a), (c, d), (d, c)):
                if one >= 0:
                    partner[one] = other
            for change in changes(node):
                heapq.heappush(queue, change)
    return partner


def _starts(
    ends: Indices, nodes: int, headings: Points, partner: list[int], ending: Floats | None
) -> list[int]:
    """Choose the half where each trail starts, and open those that are closed.

    A path starts at the end that was drawn first; a closed one where its lines were begun, or
    where that costs least, at the sharpest turn there.
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
    begin = first
    if ending is not None:
        best = np.lexsort([ending[at], part[at]])
        begin = at[best[np.unique(part[at[best]], return_index=True)[1]]]
    here = np.flatnonzero(at == begin[part[at]])
    turns = bend(headings[here], headings[mates[here]])
    for half in here[np.lexsort([here, -turns])].tolist():
        label = int(part[at[half]])
        if label not in starts:
            partner[partner[half]] = partner[half] = -1
            starts[label] = half
    return [starts[label] for label in np.argsort(first, kind="stable").tolist()]
