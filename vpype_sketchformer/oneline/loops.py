"""Narrow loops, as one-line artists draw what the pen must come back from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vpype_sketchformer.oneline.graph import BRIDGE, Graph, Points, stations

#: A loop is at most this share of its length wide.
SLENDER = 0.2
#: A loop's tip is such a share of its width wide.
TIP = 0.5
#: A loop has a point each so many of its widths, and so many at its tip.
STEP, TIP_POINTS = 0.5, 9


def loop(graph: Graph, trail: Sequence[int], lines: list[Points], width: float) -> None:
    """Let a path come back beside the ink where it turns round at an end and goes back on it.

    Args:
        graph: The pieces.
        trail: The way through the pieces of a part, see `find_trails`.
        lines: What is drawn, one line for each piece of the trail; those back are changed.
        width: How far from the ink the path comes back at most.
    """
    own = list(lines)
    for turn in range(1, len(trail)):
        out = turn
        while (
            out > 0
            and 2 * turn - out < len(trail)
            and trail[out - 1] == trail[2 * turn - out] ^ 1
            and graph.kinds[trail[out - 1] >> 1] != BRIDGE
        ):
            out -= 1
        home = 2 * turn - out
        there = np.concatenate([own[out][:1], *(line[1:] for line in own[out:turn])])
        if out == turn or min(width, stations(there)[-1]) <= graph.resolution:
            continue
        before = own[out - 1][-2] if out else None
        after = own[home][1] if home < len(trail) else None
        lines[turn] = _back(there, _side(there, before, after), width)
        for i in range(turn + 1, home):
            lines[i] = lines[turn][-1:]


def _side(there: Points, before: Points | None, after: Points | None) -> float:
    """Tell on which side of a line the path comes back so as not to cross it: 1 or -1."""
    ahead = there[1] - there[0]
    if after is not None:
        way = after - there[0]
    elif before is not None:
        way = there[0] - before
    else:
        return 1.0
    return 1.0 if ahead[0] * way[1] - ahead[1] * way[0] >= 0 else -1.0


def _back(there: Points, side: float, width: float) -> Points:
    """Return the way back beside a line, round its end, to its start."""
    along = stations(there)
    length = float(along[-1])
    width = min(width, SLENDER * length)
    at = np.linspace(0, length, int(np.ceil(length / (STEP * width))) + 1)
    line = np.column_stack([np.interp(at, along, axis) for axis in there.T])
    heading = np.gradient(line, axis=0)
    heading /= np.hypot(*heading.T).clip(np.finfo(float).tiny)[:, None]
    across = side * heading[:, ::-1] * [-1, 1]
    share = at / length
    away = width * ((1 - TIP) * np.sin(np.pi * share) + TIP * share * (2 - share))
    beside = line + away[:, None] * across
    angle = np.linspace(0, np.pi, TIP_POINTS)[:, None]
    radius = TIP * width / 2
    tip = line[-1] + radius * (np.sin(angle) * heading[-1] + (1 - np.cos(angle)) * across[-1])
    back = np.concatenate([tip, beside[-2::-1]])
    back[0], back[-1] = there[-1], there[0]
    return back
