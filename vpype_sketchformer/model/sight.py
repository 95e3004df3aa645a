"""Sight: drawings as pictures, and a small residual network that looks at them, in NumPy.

It looks as people do: at the drawing in its own bounding box. Place, size, number of points,
order of strokes and their direction are not in the picture, so they cannot matter. The
recogniser names what it sees (``model.recogniser``, which follows the pen as well, see
``model.way``), the encoder turns it into a code (``model.encoder``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vpype_sketchformer.model.transformer import on_one_thread

Array = NDArray[np.float32]
Stroke = NDArray[np.float64]

#: Pictures are this wide and high, in pixels; the drawing's longer side takes all but the
#: margin, and is centred.
SIZE, MARGIN = 40, 3
#: Longest way between two drops of ink along a line, and its width, in pixels.
SPACING, LINE = 0.5, 1.25

#: Channels of the stages; each stage but the first halves the picture, as the stem does.
STAGES = (32, 32, 64, 128, 256)
#: Width of the stem's convolution; those of the stages are three wide.
STEM = 5
#: The last stage sees this many places each way.
SEEN = 3
#: Drawings looked at at once, so that memory stays bounded.
ROWS = 64


def join(
    drawings: Sequence[Sequence[Stroke]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Put the points of drawings one after the other, for ``draw``."""
    strokes = [(i, s) for i, drawing in enumerate(drawings) for s in drawing if len(s)]
    lengths = [len(stroke) for _, stroke in strokes]
    points = np.concatenate([np.asarray(stroke, np.float64) for _, stroke in strokes])
    begins = np.zeros(len(points), bool)
    begins[np.cumsum(lengths) - lengths] = True
    return points, begins, np.repeat([i for i, _ in strokes], lengths)


def draw(
    points: NDArray[np.floating], begins: NDArray[np.bool_], owners: NDArray[np.intp]
) -> Array:
    """Draw drawings, each in its own bounding box, lines ``LINE`` wide.

    A line leaves as much ink as it is long, spread over the pixels that it passes.

    Args:
        points: The points of all drawings, one drawing after the other, (n, 2).
        begins: Which of them begin a stroke, (n,).
        owners: Which drawing each belongs to: 0, 1, ..., each of them at least once, (n,).

    Returns:
        Ink from 0 to 1, (drawings, SIZE, SIZE).
    """
    count = int(owners[-1]) + 1
    first = np.searchsorted(owners, np.arange(count))
    low = np.minimum.reduceat(points, first)
    high = np.maximum.reduceat(points, first)
    extents = (high - low).max(axis=1)
    scale = (SIZE - 2 * MARGIN) / np.where(extents > 0, extents, 1.0)
    # Pixel (0, 0) has its middle at (0, 0).
    middle = (SIZE - 1) / 2
    places = (points - ((low + high) / 2)[owners]) * scale[owners, None] + middle
    ends = np.append(begins[1:], True)
    segments = np.flatnonzero(~ends)
    start, way = places[segments], places[segments + 1] - places[segments]
    lengths = np.hypot(*way.T)
    drops = np.maximum(np.ceil(lengths / SPACING).astype(np.intp), 1)
    segment = np.repeat(np.arange(len(segments)), drops)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(drops) - drops, drops)
    share = (number + 0.5) / drops[segment]
    # Both ends of a stroke have a drop of their own, so a dot is seen as well.
    tips = np.concatenate([np.flatnonzero(begins), np.flatnonzero(ends)])
    drop = np.concatenate([start[segment] + way[segment] * share[:, None], places[tips]])
    ink = np.concatenate([(lengths / drops)[segment], np.full(len(tips), 0.5)])
    picture = np.concatenate([owners[segments][segment], owners[tips]])
    corner = np.floor(drop).astype(np.intp)
    near = drop - corner
    canvas = np.zeros(count * SIZE * SIZE)
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            weight = np.abs(1 - dx - near[:, 0]) * np.abs(1 - dy - near[:, 1])
            pixel = (picture * SIZE + y) * SIZE + x
            canvas += np.bincount(pixel, ink * weight, minlength=len(canvas))
    return np.minimum(LINE * canvas, 1.0).reshape(count, SIZE, SIZE).astype(np.float32)


def sight_shapes() -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of the network (He et al. 2016)."""
    layers = {"stem": (STAGES[0], STEM * STEM)}
    for i, (inner, outer) in enumerate(pairwise(STAGES)):
        layers[f"stages.{i}.first"] = (outer, 9 * inner)
        layers[f"stages.{i}.second"] = (outer, 9 * outer)
        layers[f"stages.{i}.short"] = (outer, inner)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def lay_out(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Lay out the network's weights for products from the right.

    Args:
        tensors: The weights, as ``sight_shapes`` names them; others may be among them.

    Returns:
        The same, weights as (y, x, channel, out) in two dimensions: what is copied for a
        product then lies side by side in the picture.
    """
    eyes = {name: tensors[name] for name in sight_shapes()}
    for name in eyes:
        if name.endswith(".weight"):
            part = name.rpartition(".")[0]
            side = {"stem": STEM}.get(part, 1 if part.endswith("short") else 3)
            weight = tensors[name].reshape(len(tensors[name]), -1, side, side)
            eyes[name] = np.ascontiguousarray(
                weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))
            )
    return eyes


@on_one_thread
def see(eyes: Mapping[str, Array], pictures: Array) -> Array:
    """Look at pictures.

    Args:
        eyes: The network's weights, see `lay_out`.
        pictures: Ink, (n, SIZE, SIZE).

    Returns:
        What is seen where, (n, SEEN, SEEN, channels).
    """
    seen = []
    for first in range(0, len(pictures), ROWS):
        x = pictures[first : first + ROWS, :, :, None]  # (n, y, x, channels)
        x = np.maximum(_convolve(eyes, "stem", x, 2), 0.0)
        for i, (inner, outer) in enumerate(pairwise(STAGES)):
            stride = 1 if inner == outer else 2
            y = np.maximum(_convolve(eyes, f"stages.{i}.first", x, stride), 0.0)
            y = _convolve(eyes, f"stages.{i}.second", y)
            x = np.maximum(y + _convolve(eyes, f"stages.{i}.short", x, stride), 0.0)
        seen.append(x)
    return np.concatenate(seen)


def _convolve(eyes: Mapping[str, Array], name: str, x: Array, stride: int = 1) -> Array:
    """Convolve (n, y, x, channels); beyond the picture's edge is white paper."""
    weight, bias = eyes[f"{name}.weight"], eyes[f"{name}.bias"]
    width = math.isqrt(len(weight) // x.shape[3])
    side = width // 2
    x = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
    windows = sliding_window_view(x, (width, width), axis=(1, 2))[:, ::stride, ::stride]
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(weight))
    return (rows @ weight + bias).reshape(*windows.shape[:3], -1)
