"""Joining the strokes of a drawing to one line."""

from __future__ import annotations

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from vpype_sketchformer.oneline import Limits, unbroken

from .conftest import Judge, in_turns

STROKES = 1000


def scribbles(count: int) -> list[np.ndarray]:
    """Wavy strokes all over a sheet, as dense whatever their number: each crosses some others.

    A stroke is as long as a few of the distances between strokes.
    """
    generator = np.random.default_rng(0)
    side = np.sqrt(count)
    along = np.linspace(0, 2, 12)[:, None]
    angles = generator.uniform(0, 2 * np.pi, count)
    starts = generator.uniform(0, side, (count, 2))
    return [
        start
        + along * [np.cos(angle), np.sin(angle)]
        + 0.2 * np.sin(4 * along) * [-np.sin(angle), np.cos(angle)]
        for start, angle in zip(starts, angles, strict=True)
    ]


def test_oneline(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """1,000 strokes take at most 2 s, and four times as many hardly more than four times."""
    few, many = scribbles(STROKES), scribbles(4 * STROKES)
    far = Limits(max_bridge=np.inf)
    assert len(unbroken(few, far).paths) == 1
    times, longer = in_turns(
        benchmark, lambda: unbroken(few, far), lambda: unbroken(many, far), rounds=3
    )
    ours, theirs = min(times), min(longer)
    judge(
        f"one line from {STROKES:,} strokes",
        ours,
        "s",
        at_most=2,
        details=f"{4 * STROKES:,} strokes: {theirs:.2f} s",
    )
    judge(
        "time of four times as many strokes",
        theirs / ours,
        "times",
        at_most=5,
        details=f"{theirs:.2f} s against {ours:.2f} s",
    )


def test_smooth(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """Rounding takes hardly longer than the rest, however many joints a path has."""
    strokes, far = scribbles(STROKES), Limits(max_bridge=np.inf)
    times, longer = in_turns(
        benchmark,
        lambda: unbroken(strokes, far),
        lambda: unbroken(strokes, far, smooth=True),
        rounds=3,
    )
    judge(
        f"time of {STROKES:,} strokes with --smooth",
        min(longer) / min(times),
        "times",
        at_most=2,
        details=f"{min(longer):.2f} s against {min(times):.2f} s",
    )
