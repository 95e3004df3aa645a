"""The postman's way: which pieces of a network to go over twice, so that one path covers all.

A connected network can be drawn without lifting the pen if no more than two of its nodes have
an odd number of pieces; the path begins and ends there. Otherwise pieces have to be gone over
again: routes that connect all but two of the odd nodes in pairs, as short as possible in all
(the Chinese postman problem, Kwan 1962; solved by matching, Edmonds & Johnson 1973).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import itemgetter

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, dijkstra, minimum_spanning_tree

from vpype_sketchformer.oneline.graph import Flags, Floats, Indices, components

#: So many odd nodes are matched at once, exactly; a part that has more is divided.
BLOCK = 100

#: So many nodes go into one linear program: it has its fixed costs.
BATCH = 400

#: Partners that the linear program begins with for each node.
NEAREST = 6

#: What the solver takes for zero.
SLACK = 1e-6


def repeat(edges: Indices, lengths: Floats, count: int, spare: int = 0) -> Indices:
    """Choose the edges to go over twice, so that each connected part is one open path.

    The sum of their lengths is the least possible in parts of up to `BLOCK` odd nodes. Larger
    parts are cut into connected blocks of at most that size, each solved exactly on its own:
    what that costs is at the borders only, and the time grows with the number of blocks.

    Args:
        edges: The two nodes of each edge, (e, 2); there may be parallel edges and loops.
        lengths: How long each edge is, (e,), 0 or more.
        count: The number of nodes.
        spare: So many edges, the last ones, need not be drawn; those that are chosen are
            drawn once. They connect nothing that is not connected by others.

    Returns:
        Indices of edges, each at most once.
    """
    network = _Simple(edges, lengths, count)
    drawn = edges[: len(edges) - spare]
    odd = np.bincount(drawn.ravel(), minlength=count) % 2 == 1
    part = components(edges, count)
    again = np.zeros(len(edges), bool)
    problems: list[_Problem] = []
    order = np.argsort(part, kind="stable")
    for nodes in np.split(order, np.cumsum(np.bincount(part))[:-1]):
        number = np.count_nonzero(odd[nodes])
        if 2 < number <= BLOCK:
            problems.append(_Problem(network, nodes, odd, is_open=True))
        elif number > BLOCK:
            blocks, crossed, left = _divide(network, nodes, odd)
            again[crossed] ^= True
            problems += [
                _Problem(network, block, left) for block in blocks if left[block].any()
            ]
    longest: dict[int, tuple[float, Indices]] = {}
    for batch in _batches(problems):
        for problem, pairs in zip(batch, _match_all(batch), strict=True):
            for pair in pairs:
                route = problem.route(*pair)
                again[route] ^= True
                if not problem.is_open:
                    label = int(part[problem.nodes[0]])
                    best = longest.get(label, (-1.0, route))
                    longest[label] = max(
                        best, (problem.weights[*pair], route), key=itemgetter(0)
                    )
    for _, route in longest.values():  # the ends of the path: what is between them is spared
        again[route] ^= True
    return np.flatnonzero(again)


class _Simple:
    """A graph with one edge between two nodes, the shortest of those that there are."""

    def __init__(self, edges: Indices, lengths: Floats, count: int) -> None:
        low, high = edges.min(axis=1), edges.max(axis=1)
        keys = low * count + high
        order = np.lexsort([lengths, keys])
        order = order[low[order] != high[order]]
        self.keys, first = np.unique(keys[order], return_index=True)
        self.edges = order[first]
        self.count = count
        # scipy takes an edge of length 0 for none.
        length = np.maximum(lengths[self.edges], np.finfo(float).tiny)
        ends = low[self.edges], high[self.edges]
        self.graph = csr_array((length, ends), shape=(count, count))

    def between(self, nodes: Indices, others: Indices) -> Indices:
        """Return the edges between nodes and others, in turn."""
        keys = np.minimum(nodes, others) * self.count + np.maximum(nodes, others)
        return self.edges[np.searchsorted(self.keys, keys)]


class _Problem:
    """Odd nodes of a connected graph that are to be connected in pairs.

    Attributes:
        weights: Lengths of the shortest routes, (n, n), fit for `match`. If it is open, the
            first and the last node stand for the ends of the path, which may be anywhere.
    """

    def __init__(
        self, network: _Simple, nodes: Indices, odd: Flags, is_open: bool = False
    ) -> None:
        self.network, self.nodes = network, nodes
        self.odd = np.flatnonzero(odd[nodes])
        graph = network.graph[nodes][:, nodes]
        distance, self.before = dijkstra(
            graph, directed=False, indices=self.odd, return_predecessors=True
        )
        self.weights = distance[:, self.odd]
        if is_open:
            self.weights = np.pad(self.weights, 1)
            self.weights[[0, -1], [-1, 0]] = np.inf
        self.is_open = is_open

    def route(self, a: int, b: int) -> Indices:
        """Return the edges of the shortest route of a pair; of an end there are none."""
        a, b = a - self.is_open, b - self.is_open
        if not (0 <= a < len(self.odd) and 0 <= b < len(self.odd)):
            return np.zeros(0, np.intp)
        route = [int(self.odd[b])]
        while route[-1] != self.odd[a]:
            route.append(int(self.before[a, route[-1]]))
        nodes = self.nodes[route]
        return self.network.between(nodes[:-1], nodes[1:])


def _batches(problems: Sequence[_Problem]) -> Iterator[list[_Problem]]:
    """Put problems together, to solve them at once."""
    batch: list[_Problem] = []
    for problem in problems:
        if batch and sum(len(p.weights) for p in [*batch, problem]) > BATCH:
            yield batch
            batch = []
        batch.append(problem)
    if batch:
        yield batch


def _match_all(batch: Sequence[_Problem]) -> list[list[list[int]]]:
    """Match within each problem; returns the pairs of each, by their numbers in it."""
    sizes = [len(problem.weights) for problem in batch]
    offsets = np.cumsum([0, *sizes])
    weights = np.full((offsets[-1], offsets[-1]), np.inf)
    for problem, (begin, end) in zip(batch, pairwise(offsets), strict=True):
        weights[begin:end, begin:end] = problem.weights
    pairs = match(weights)
    owner = np.searchsorted(offsets, pairs[:, 0], side="right") - 1
    return [(pairs[owner == i] - offsets[i]).tolist() for i in range(len(batch))]


def _divide(
    network: _Simple, nodes: Indices, odd: Flags
) -> tuple[list[Indices], Indices, Flags]:
    """Divide a connected part into connected blocks, along its minimum spanning tree.

    Returns:
        The nodes of each block, the edges between blocks that are gone over twice, and which
        nodes are odd then: an even number in each block.
    """
    odd = odd.copy()
    tree = minimum_spanning_tree(network.graph[nodes][:, nodes])
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
    return blocks, network.between(pairs[:, 0], pairs[:, 1]), odd


def match(weights: Floats) -> Indices:
    """Match nodes in pairs, as cheaply as possible in all.

    The linear program of Edmonds (1965), by pricing and cutting: it begins with few pairs and
    without constraints on odd sets, and gets what its solution lacks.

    Args:
        weights: The cost of each pair, (n, n), symmetric; inf where there is no such pair. The
            pairs (0, 1), (2, 3) ... must be finite.

    Returns:
        The pairs, (n / 2, 2).
    """
    count = len(weights)
    allowed = np.triu(np.isfinite(weights), 1)
    cost = np.where(allowed, weights, 0.0)
    cost = cost / max(cost.max(), np.finfo(float).tiny)
    candidate = np.zeros((count, count), bool)
    nearest = np.argsort(np.where(np.eye(count, dtype=bool), np.inf, weights), axis=1)
    candidate[np.arange(count)[:, None], nearest[:, :NEAREST]] = True
    candidate |= candidate.T
    candidate[np.arange(0, count, 2), np.arange(1, count, 2)] = True
    candidate &= allowed
    sets = np.zeros((0, count), bool)  # odd ones: some pair must leave each of them
    while True:
        pairs, within, leaving = _constraints(candidate, sets)
        result = linprog(
            cost[tuple(pairs.T)],
            A_ub=-leaving,
            b_ub=-np.ones(len(sets)),
            A_eq=within,
            b_eq=np.ones(count),
            method="highs",
        )
        share = result.x
        potential, bonus = result.eqlin.marginals, -result.ineqlin.marginals
        worth = potential[:, None] + potential
        across = (bonus * sets.T) @ ~sets  # from within sets to without
        worth += across + across.T
        missing = allowed & ~candidate & (cost < worth - SLACK**2)
        fresh = _violated(pairs, share, count)
        if not missing.any() and not len(fresh):
            if (np.minimum(share, 1 - share) < SLACK).all():
                return pairs[share > 0.5]
            break
        candidate |= missing
        sets = np.concatenate([sets, fresh])
    while True:  # the sets that are missing now hide from so simple a search, a rare thing
        pairs, within, leaving = _constraints(candidate, sets)
        whole = milp(
            cost[tuple(pairs.T)],
            constraints=[LinearConstraint(within, 1, 1), LinearConstraint(leaving, 1)],
            integrality=np.ones(len(pairs)),
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": 0},
        )
        missing = allowed & ~candidate & (cost - worth < whole.fun - result.fun)
        if not missing.any():
            return pairs[whole.x > 0.5]
        candidate |= missing


def _constraints(candidate: Flags, sets: Flags) -> tuple[Indices, csr_array, csr_array]:
    """Return the candidate pairs (p, 2), which of them a node has, and which leave a set."""
    pairs = np.argwhere(candidate)
    columns = np.repeat(np.arange(len(pairs)), 2)
    shape = len(candidate), len(pairs)
    within = csr_array((np.ones(len(columns)), (pairs.ravel(), columns)), shape=shape)
    leaving = csr_array(sets[:, pairs[:, 0]] != sets[:, pairs[:, 1]], dtype=float)
    return pairs, within, leaving


def _violated(pairs: Indices, share: Floats, count: int) -> Flags:
    """Return odd sets that pairs leave by less than one in all (Grötschel & Holland 1985)."""
    found = np.zeros((0, count), bool)
    for level in (SLACK, 0.3):
        label = components(pairs[share > level], count)
        odd = np.flatnonzero(np.bincount(label) % 2)
        sets = label == odd[:, None]
        leaving = (sets[:, pairs[:, 0]] != sets[:, pairs[:, 1]]) @ share
        found = np.concatenate([found, sets[leaving < 1 - SLACK]])
    return np.unique(found, axis=0)
