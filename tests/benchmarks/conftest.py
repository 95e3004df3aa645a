"""Timing two things, and the lines at the end that set them side by side.

With ``--benchmark-disable`` everything runs once, so that it is known to run; nothing is timed
or judged then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vpype_sketchformer.model import checkpoint

LINES = pytest.StashKey[list[str]]()

Judge = Callable[..., None]


@pytest.fixture
def judge(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> Judge:
    """Note a figure in the benchmark's results and in the lines at the end."""

    def note(
        what: str,
        figure: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        details: str,
    ) -> None:
        if at_most is not None:
            verdict = f"at most {at_most:g}: target {'met' if figure <= at_most else 'missed'}"
        elif at_least is not None:
            verdict = (
                f"at least {at_least:g}: target {'met' if figure >= at_least else 'missed'}"
            )
        else:
            verdict = "no target"
        if benchmark.disabled:
            return
        benchmark.extra_info[what] = {"figure": figure, "unit": unit, "verdict": verdict}
        lines = request.config.stash.setdefault(LINES, [])
        lines.append(f"{what}: {figure:.3g} {unit} ({verdict}; {details})")

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the lines."""
    if lines := config.stash.get(LINES, []):
        terminalreporter.section(f"side by side, on {os.cpu_count()} cores")
        for line in lines:
            terminalreporter.write_line(line)


def timed(action: Callable[[], object], seconds: list[float]) -> Callable[[], None]:
    """Return the action, which then adds its time to the list."""

    def run() -> None:
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)

    return run


def in_turns(
    benchmark: BenchmarkFixture,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
) -> tuple[list[float], list[float]]:
    """Time both in turns, so that they meet the same weather.

    Returns:
        Seconds of each round of both, without the one to warm up, unless that was all.
    """
    our_times: list[float] = []
    their_times: list[float] = []
    benchmark.pedantic(
        timed(ours, our_times),
        setup=timed(theirs, their_times),
        rounds=rounds,
        warmup_rounds=1,
    )
    return our_times[1:] or our_times, their_times[1:] or their_times


@pytest.fixture(scope="session")
def shipped(tiny: Path) -> Path:
    """The model that ships; the tiny one for tests where there is none."""
    return checkpoint.bundled().get("quickdraw", tiny)
