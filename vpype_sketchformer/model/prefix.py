"""Prefill: beginnings of drawings, read by the network and kept.

Reading a beginning into the key/value cache is most of the work before the first new point.
What was read stays: the same beginning with a stroke more costs that stroke, one with a stroke
less costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model.features import Array, describe
from vpype_sketchformer.model.transformer import (
    BEST_QUALITY,
    UNKNOWN_QUALITY,
    Conditions,
    KVCache,
    Transformer,
)
from vpype_sketchformer.sketch import DRAW, LIFT


@dataclass(frozen=True)
class Prefix:
    """A beginning that drawings share.

    Attributes:
        positions: Points in the frame, whole pixels, (T, 2), T >= 1.
        pens: What the pen does after each but the last, (T - 1,).
        join: Whether the last stroke may go on; else the pen lifts first, or it is the end.
    """

    positions: NDArray[np.float64]
    pens: NDArray[np.intp]
    join: bool

    @property
    def strokes(self) -> list[NDArray[np.float64]]:
        """The points, stroke by stroke; the last one may go on."""
        return np.split(self.positions, np.flatnonzero(self.pens != DRAW) + 1)

    def rest(self, strokes: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Cut it off the strokes of a drawing that begins with it.

        Where its last stroke goes on, what is added begins at its last point.
        """
        before = len(self.positions)
        rest = []
        for stroke in strokes:
            if before < len(stroke):
                rest.append(stroke[max(before - 1, 0) :])
            before -= len(stroke)
        return rest

    def shared(self, other: Prefix) -> int:
        """Count the points that begin both, with what the pen does after them."""
        most = min(len(self.pens), len(other.pens))
        differ = self.pens[:most] != other.pens[:most]
        differ |= np.any(self.positions[:most] != other.positions[:most], axis=1)
        return int(np.argmax(differ)) if differ.any() else most


def pens_of(strokes: Sequence[NDArray[np.float64]]) -> NDArray[np.intp]:
    """Return what the pen does after each point of strokes, (T,): it lifts after each."""
    pens = np.full(sum(map(len, strokes)), DRAW)
    pens[np.cumsum([len(stroke) for stroke in strokes]) - 1] = LIFT
    return pens


class Reading:
    """What the network knows of a beginning, under one condition.

    Attributes:
        cache: Keys and values, one row: of the start and of all points but the last, whose
            pen is not known yet.
        stream: What the network knows before each point, (T, width).
    """

    def __init__(
        self, network: Transformer, label: int, strokes: int, quality: int = UNKNOWN_QUALITY
    ) -> None:
        """Read nothing yet.

        Args:
            network: The model.
            label: The class, or the null class.
            strokes: What the drawing is to be, see ``transformer.ANY_STROKES``.
            quality: How good it is to be, see ``transformer.UNKNOWN_QUALITY``.
        """
        self.network = network
        self.conditions = Conditions.of([label], network.null, strokes, quality)
        self.cache = KVCache(network.config, 1)
        self.stream = np.zeros((0, network.config.width), np.float32)
        self.prefix: Prefix | None = None

    def read(self, prefix: Prefix) -> Array:
        """Read what is new of a beginning; returns what is known at its end, (width,)."""
        if self.prefix is None:
            first = self.network.embed_start(self.conditions)[:, None]
            self.stream = self.network.forward(first, self.cache)[0]
            known = 0
        else:
            known = self.prefix.shared(prefix)
            self.cache.length = known + 1
            self.stream = self.stream[: known + 1]
        if known < len(prefix.pens):
            pens = np.append(prefix.pens, DRAW)
            features, _ = describe(prefix.positions[None], pens)
            points = self.network.embed_points(
                self.conditions, features[:, known:-1], prefix.pens[None, known:]
            )
            self.stream = np.concatenate(
                [self.stream, self.network.forward(points, self.cache)[0]]
            )
        self.prefix = prefix
        return self.stream[-1]


class Readings:
    """A beginning under any number of conditions, each read when it is first asked for."""

    def __init__(
        self, network: Transformer, strokes: int, quality: int = BEST_QUALITY
    ) -> None:
        """Read nothing yet; ``strokes`` and ``quality`` as for a `Reading`."""
        self.network, self.strokes, self.quality = network, strokes, quality
        self.kept: dict[int, Reading] = {}

    def read(self, prefix: Prefix, labels: Sequence[int]) -> tuple[KVCache, Array]:
        """Read a beginning; returns a cache of its own and what is known, a row per label."""
        for label in dict.fromkeys(labels):
            if label not in self.kept:
                self.kept[label] = Reading(self.network, label, self.strokes, self.quality)
            self.kept[label].read(prefix)
        rows = [self.kept[label] for label in labels]
        cache = KVCache.joined([row.cache for row in rows])
        return cache, np.stack([row.stream[-1] for row in rows])
