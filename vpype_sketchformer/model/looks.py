"""How drawings look, so that it can be told how far they are apart.

A drawing's looks are its blurred picture, which tells where there is ink, and what the
recogniser sees in it, which tells of what kind the ink is. Each has the length 1, so that
neither has more to say, and much ink no more than little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model import sight
from vpype_sketchformer.model.sight import Array, Stroke

#: How wide and high blurred pictures are.
COARSE = 16
#: How wide rows of `looks` are.
WIDTH = COARSE * COARSE + sight.STAGES[-1]
#: What no two rows of `looks` are further apart than.
FARTHEST = 8**0.5
#: The least length.
LEAST = 1e-6


def blurred(drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float64]:
    """Draw drawings as blurred pictures.

    Args:
        drawings: The strokes of each, (n, 2) of x, y, y down, in any unit; one point at least.

    Returns:
        Their ink, of length 1, (drawings, COARSE * COARSE).
    """
    width = sight.SIZE / COARSE
    middles = (np.arange(COARSE) + 0.5) * width - 0.5
    blur = np.exp(-0.5 * ((np.arange(sight.SIZE) - middles[:, None]) / width) ** 2)
    blur /= blur.sum(axis=1, keepdims=True)
    parts = [drawings[i : i + sight.ROWS] for i in range(0, len(drawings), sight.ROWS)]
    pictures = (sight.draw(*sight.join(part)).astype(np.float64) for part in parts)
    rows = np.concatenate([blur @ part @ blur.T for part in pictures])
    return _unit(rows.reshape(len(drawings), -1))


def looks(drawings: Sequence[Sequence[Stroke]], seen: Array) -> NDArray[np.float64]:
    """Return how drawings look: the distance of two rows is how little they look alike.

    Args:
        drawings: The strokes of each, see `blurred`.
        seen: What the recogniser sees in them, see ``Recogniser.look``.

    Returns:
        Rows of length 1.41, (drawings, width).
    """
    return np.concatenate([blurred(drawings), _unit(seen)], axis=1)


def nearest(
    rows: NDArray[np.float64], others: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return how far each row of `looks` is from the nearest of others, (n,).

    Where there are no others it is as far as can be.
    """
    if not others:
        return np.full(len(rows), FARTHEST)
    away: NDArray[np.float64] = np.linalg.norm(rows[:, None] - np.stack(others), axis=2)
    return away.min(axis=1)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), LEAST)
