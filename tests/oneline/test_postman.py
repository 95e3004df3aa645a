"""Matching against an independent implementation."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpype_sketchformer.oneline.postman import match


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 10**6), st.booleans())
def test_pairs_cost_as_little_as_networkx_finds(half: int, seed: int, ties: bool) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(0, 100, (2 * half, 2))
    points = np.rint(points / 20) if ties else points
    weights = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))
    graph = nx.Graph()
    graph.add_weighted_edges_from(
        (a, b, float(weights[a, b])) for b in range(2 * half) for a in range(b)
    )
    best = sum(weights[pair] for pair in nx.min_weight_matching(graph))
    pairs = match(weights)
    assert sorted(np.ravel(pairs)) == list(range(2 * half))
    assert sum(weights[pair] for pair in pairs) == pytest.approx(best)


def test_pairs_that_are_forbidden_are_not_made() -> None:
    weights = np.array([[0, 9, 1, 1], [9, 0, 1, 1], [1, 1, 0, np.inf], [1, 1, np.inf, 0.0]])
    assert {frozenset(pair) for pair in match(weights)} in (
        {frozenset({0, 2}), frozenset({1, 3})},
        {frozenset({0, 3}), frozenset({1, 2})},
    )
