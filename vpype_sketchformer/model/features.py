"""What the network is told of a point: where it lies, and how the pen got there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.sketch import DRAW

Array = NDArray[np.float32]

#: Periods, in pixels, of the waves that tell where on the page a point lies.
PERIODS = 512.0 / 2.0 ** np.arange(7)
#: How many numbers describe a point to the network.
FEATURES = 8 + 4 * len(PERIODS)


def point_features(
    offset: NDArray[np.floating], position: NDArray[np.floating], begin: NDArray[np.floating]
) -> Array:
    """Describe points to the network.

    Args:
        offset: Offset from the point before, pixels of the 0-255 frame, (..., 2).
        position: The point itself, from the frame's corner, pixels, (..., 2).
        begin: The first point of the stroke that the point belongs to, pixels, (..., 2).

    Returns:
        Features of order one, float32 (..., FEATURES).
    """
    angles = position[..., None] * (2 * np.pi / PERIODS)  # (..., 2, periods)
    waves = angles.reshape(*position.shape[:-1], -1)
    return np.concatenate(
        [
            offset / 64.0,
            np.arcsinh(offset / 2.0) / 2.0,
            position / 128.0 - 1.0,
            np.arcsinh((position - begin) / 2.0) / 2.0,
            np.sin(waves),
            np.cos(waves),
        ],
        axis=-1,
    ).astype(np.float32)


def describe(
    positions: NDArray[np.floating], pens: NDArray[np.intp]
) -> tuple[Array, NDArray[np.floating]]:
    """Describe drawings to the network.

    Args:
        positions: Points in the frame, pixels, (n, T, 2).
        pens: What the pen does after each, (T,) or (n, T).

    Returns:
        Features, (n, T, FEATURES), and offsets in pixels, (n, T, 2).
    """
    rows = np.broadcast_to(pens, positions.shape[:2])
    fresh = np.ones_like(rows, bool)
    fresh[:, 1:] = rows[:, :-1] != DRAW
    first = np.maximum.accumulate(np.where(fresh, np.arange(rows.shape[1]), 0), axis=1)
    begins = np.take_along_axis(positions, first[..., None], axis=1)
    offsets = np.diff(positions, axis=1, prepend=positions.dtype.type(0))
    return point_features(offsets, positions, begins), offsets
