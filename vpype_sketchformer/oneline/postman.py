"""The postman's way: which pieces of a graph to go over twice, so that one path covers all.

A connected graph can be drawn without lifting the pen if no more than two of its nodes have
an odd number of pieces; the path begins and ends there. Otherwise pieces have to be gone over
again: routes that connect all but two of the odd nodes in pairs, as short as possible in all
(the Chinese postman problem, Kwan 1962; solved by matching, Edmonds & Johnson 1973).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, dijkstra, minimum_spanning_tree

from vpype_sketchformer.oneline.graph import (
    Flags,
    Floats,
    Indices,
    adjacency,
    components,
    simple,
)

#: So many odd nodes are matched at once; a part that has more is divided.
BLOCK = 300

#: Of more odd nodes than this, only pairs of near ones are candidates, so many for each.
WHOLE, NEAREST = 100, 20

#: Costs are told apart down to the largest one divided by this.
FINENESS = 2.0**40


def repeat(
    edges: Indices,
    lengths: Floats,
    count: int,
    spare: int = 0,
    ending: Floats | None = None,
    advance: Callable[[float], None] = lambda share: None,
) -> Indices:
    """Choose the edges to go over twice, so that each connected part is one open path.

    The sum of their lengths is the least possible in parts of up to `WHOLE` odd nodes. Parts
    of more than `BLOCK` are cut into connected blocks, each solved on its own: what that costs
    is at the borders only, and the time grows with the number of blocks.

    Args:
        edges: The two nodes of each edge, (e, 2); there may be parallel edges and loops.
        lengths: How long each edge is, (e,), 0 or more.
        count: The number of nodes.
        spare: So many edges, the last ones, need not be drawn; those that are chosen are
            drawn once. They connect nothing that is not connected by others.
        ending: What it costs to end a path at each node, (count,); None: nothing.
        advance: Called with the share of the work that is done.

    Returns:
        Indices of edges, each at most once.
    """
    graph = _Simple(edges, lengths, count)
    ends = np.zeros(count) if ending is None else ending
    drawn = edges[: len(edges) - spare]
    odd = np.bincount(drawn.ravel(), minlength=count) % 2 == 1
    part = components(edges, count)
    again = np.zeros(len(edges), bool)
    problems: list[_Problem] = []
    order = np.argsort(part, kind="stable")
    for nodes in np.split(order, np.cumsum(np.bincount(part))[:-1]):
        number = np.count_nonzero(odd[nodes])
        if 2 < number <= BLOCK:
            problems.append(_Problem(graph, nodes, odd, ends))
        elif number > BLOCK:
            blocks, crossed, left = _divide(graph, nodes, odd)
            again[crossed] ^= True
            problems += [_Problem(graph, block, left) for block in blocks if left[block].any()]
    longest: dict[int, tuple[float, Indices]] = {}
    for i, problem in enumerate(problems):
        for pair in match(problem.weights):
            route = problem.route(*pair)
            again[route] ^= True
            if not problem.is_open:
                label = int(part[problem.nodes[0]])
                best = longest.get(label, (-1.0, route))
                longest[label] = max(best, (problem.weights[pair], route), key=itemgetter(0))
        advance((i + 1) / len(problems))
    for _, route in longest.values():  # the ends of the path: what is between them is spared
        again[route] ^= True
    return np.flatnonzero(again)


class _Simple:
    """A graph with one edge between two nodes, the shortest of those that there are."""

    def __init__(self, edges: Indices, lengths: Floats, count: int) -> None:
        self.keys, self.edges = simple(edges, lengths, count)
        self.count = count
        self.matrix = adjacency(edges, lengths, count)

    def between(self, nodes: Indices, others: Indices) -> Indices:
        """Return the edges between nodes and others, in turn."""
        keys = np.minimum(nodes, others) * self.count + np.maximum(nodes, others)
        return self.edges[np.searchsorted(self.keys, keys)]


class _Problem:
    """Odd nodes of a connected graph that are to be connected in pairs.

    Attributes:
        weights: Lengths of the shortest routes, (n, n), fit for `match`. If it is told what
            ending at each node costs, a path is open: the first and the last node stand for
            its ends.
    """

    def __init__(
        self, graph: _Simple, nodes: Indices, odd: Flags, ending: Floats | None = None
    ) -> None:
        self.graph, self.nodes = graph, nodes
        self.odd = np.flatnonzero(odd[nodes])
        matrix = graph.matrix[nodes][:, nodes]
        distance, self.before = dijkstra(
            matrix, directed=False, indices=self.odd, return_predecessors=True
        )
        self.weights = distance[:, self.odd]
        self.is_open = ending is not None
        if ending is not None:
            self.weights = np.pad(self.weights, 1)
            ends = ending[nodes[self.odd]]
            self.weights[[0, -1], 1:-1] = ends
            self.weights[1:-1, [0, -1]] = ends[:, None]
            self.weights[[0, -1], [-1, 0]] = np.inf

    def route(self, a: int, b: int) -> Indices:
        """Return the edges of the shortest route of a pair; of an end there are none."""
        a, b = a - self.is_open, b - self.is_open
        if not (0 <= a < len(self.odd) and 0 <= b < len(self.odd)):
            return np.zeros(0, np.intp)
        route = [int(self.odd[b])]
        while route[-1] != self.odd[a]:
            route.append(int(self.before[a, route[-1]]))
        nodes = self.nodes[route]
        return self.graph.between(nodes[:-1], nodes[1:])


def _divide(
    graph: _Simple, nodes: Indices, odd: Flags
) -> tuple[list[Indices], Indices, Flags]:
    """Divide a connected part into connected blocks, along its minimum spanning tree.

    Returns:
        The nodes of each block, the edges between blocks that are gone over twice, and which
        nodes are odd then: an even number in each block.
    """
    odd = odd.copy()
    tree = minimum_spanning_tree(graph.matrix[nodes][:, nodes])
    order, parent = breadth_first_order(tree, 0, directed=False)
    number = odd[nodes].astype(int)
    root = np.arange(len(nodes))
    crossed = []
    for node in order[:0:-1].tolist():
        above = parent[node]
        if number[node] < BLOCK // 2 and number[node] + number[above] <= BLOCK:
            number[above] += number[node]
            root[node] = above
        elif number[node] % 2:
            both = [node, above]
            odd[nodes[both]] ^= True
            number[above] += 1 if odd[nodes[above]] else -1
            crossed.append(nodes[both])
    for node in order.tolist():
        root[node] = root[root[node]]
    by_root = np.argsort(root, kind="stable")
    blocks = np.split(nodes[by_root], np.flatnonzero(np.diff(root[by_root])) + 1)
    pairs = np.array(crossed, np.intp).reshape(-1, 2)
    return blocks, graph.between(pairs[:, 0], pairs[:, 1]), odd


def match(weights: Floats) -> list[tuple[int, int]]:
    """Match nodes in pairs, as cheaply as possible in all (Galil 1986, by rustworkx).

    Args:
        weights: The cost of each pair, (n, n), symmetric, n even; inf where there is no such
            pair. The pairs (0, 1), (2, 3) ... must be finite.

    Returns:
        n / 2 pairs. Of more than `WHOLE` nodes only pairs of near ones are looked at: beyond
        the nearest `NEAREST` a cheaper matching is rare.
    """
    from rustworkx import PyGraph, max_weight_matching

    count = len(weights)
    candidate = np.isfinite(weights)
    if count > WHOLE:
        nearest = np.argpartition(
            np.where(np.eye(count, dtype=bool), np.inf, weights), NEAREST, axis=1
        )[:, :NEAREST]
        near = np.zeros_like(candidate)
        near[np.arange(count)[:, None], nearest] = True
        near[np.arange(0, count, 2), np.arange(1, count, 2)] = True
        candidate &= near | near.T
    pairs = np.argwhere(np.triu(candidate, 1))
    costs = weights[tuple(pairs.T)]
    # It takes whole numbers, and the most of them.
    worth = np.rint((1 - costs / max(costs.max(), np.finfo(float).tiny)) * FINENESS)
    graph: PyGraph[int, int] = PyGraph(multigraph=False)
    graph.add_nodes_from(range(count))
    graph.add_edges_from(
        [(a, b, int(w)) for (a, b), w in zip(pairs.tolist(), worth.tolist(), strict=True)]
    )
    return sorted(max_weight_matching(graph, max_cardinality=True, weight_fn=int))
