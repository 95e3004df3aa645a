"""The pen's way: in what order and direction a drawing's lines were drawn, in few numbers.

A picture does not tell. Of a beginning it shows so little that how people go about a thing
says as much: where they begin, which way round, what comes next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model.sight import Array

#: Places along the way, and the numbers that tell of each: x, y, strokes begun since the last.
PLACES = 48
#: How many numbers tell of a way.
WAY = 3 * PLACES


def follow(
    points: NDArray[np.floating], begins: NDArray[np.bool_], owners: NDArray[np.intp]
) -> Array:
    """Follow the pen through drawings, in equal steps of what it drew.

    Place, size and number of points do not matter, as in a picture.

    Args:
        points: The points of all drawings, one drawing after the other, (n, 2).
        begins: Which of them begin a stroke, (n,).
        owners: Which drawing each belongs to: 0, 1, ..., each of them at least once, (n,).

    Returns:
        Places from -1 to 1 in the drawing's own box, and strokes begun since the place before,
        (drawings, WAY).
    """
    count = int(owners[-1]) + 1
    first = np.searchsorted(owners, np.arange(count))
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    extents = (high - low).max(axis=1)
    scale = 2.0 / np.where(extents > 0, extents, 1.0)
    places = (points - ((low + high) / 2)[owners]) * scale[owners, None]
    way = np.diff(places, axis=0, prepend=places[:1])
    way[begins] = 0.0
    lengths = np.hypot(*way.T)
    # Drawings lie one behind the other on one line, as the points do.
    gone = np.cumsum(lengths)
    before = gone[first] - lengths[first]
    whole = gone[np.append(first[1:], len(points)) - 1] - before
    wanted = before[:, None] + whole[:, None] * (np.arange(PLACES) + 0.5) / PLACES
    last = np.append(first[1:], len(points)) - 1
    at = np.clip(np.searchsorted(gone, wanted), first[:, None], last[:, None])
    share = (gone[at] - wanted) / np.where(lengths[at] > 0, lengths[at], 1.0)
    where = places[at] - way[at] * np.clip(share, 0.0, 1.0)[..., None]
    begun = np.diff(np.cumsum(begins)[at], axis=1, prepend=np.cumsum(begins)[first][:, None])
    return (
        np.concatenate([where, begun[..., None]], axis=2).reshape(count, -1).astype(np.float32)
    )
