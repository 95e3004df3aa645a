"""The sketchpad after a pen lift: what is kept of the drawing, against reading it anew.

Both know already how large the drawing will be, and which classes are in the running.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

from tests.fakes.sketchpads import Beside
from tests.sketchpad.browser import Page, circle, needs_chromium, open_chromium
from vpype_sketchformer.model.checkpoint import load
from vpype_sketchformer.sketchpad.suggesting import Companion, Wish

from .conftest import Judge

PAGE = (800.0, 1100.0)
POINTS = 60
ROUNDS = 9


def drawing() -> list[np.ndarray]:
    """A cat's head: an outline, ears, eyes and whiskers, of 60 points in the model's frame."""
    angles = np.linspace(0, 2 * np.pi, 200)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    ear = np.array([[-0.9, -0.5], [-0.8, -1.3], [-0.35, -0.95]])
    strokes = [
        circle,
        ear,
        ear * (-1, 1),
        circle * 0.12 - (0.4, 0.2),
        circle * 0.12 + (0.4, -0.2),
    ]
    for side in (-1, 1):
        for height in (0.25, 0.4, 0.55):
            strokes.append(np.array([[0.3, height], [1.2, height * 1.1]]) * (side, 1))
    strokes.append(np.array([[-0.3, 0.6], [0, 0.7], [0.3, 0.6]]))
    strokes.append(np.array([[-0.1, 0.2], [0.1, 0.2], [0, 0.35], [-0.1, 0.2]]))
    return [400 + 150 * stroke for stroke in strokes]


@pytest.mark.parametrize("kept", [True, False])
def test_pen_lift(
    benchmark: BenchmarkFixture, judge: Judge, shipped: Path, kept: bool
) -> None:
    """From the last stroke of some 60 points to the first suggested one, and to all eight."""
    strokes = drawing()
    companion = Companion(load(shipped), 1)
    wish = Wish(None, 0.3, None, False)
    first, every = [], []

    def draw_on() -> None:
        began, seen = time.perf_counter(), False
        for grown in companion.suggest(1, strokes, PAGE, wish):
            if grown and not seen:
                seen = True
                first.append(time.perf_counter() - began)
        every.append(time.perf_counter() - began)

    def before() -> None:
        """Take the last stroke back, and forget all, if so much is wanted."""
        list(companion.suggest(1, strokes[:-1], PAGE, wish))
        if not kept:
            companion.known.readings.clear()

    with threadpool_limits(1, "blas"):
        list(companion.suggest(1, strokes[:-1], PAGE, wish))
        benchmark.pedantic(draw_on, setup=before, rounds=ROUNDS, warmup_rounds=1)
    points = len(companion.known.prefix.positions)
    how = "with what is kept" if kept else "reading all anew"
    details = f"median of {ROUNDS}, {points} points, one core"
    for what, times, target in (
        ("first suggested stroke", first, 150),
        ("eight suggestions", every, 1000),
    ):
        judge(
            f"pen lift to {what}, {how}",
            1000 * float(np.median(times[1:] or times)),
            "ms",
            at_most=target if kept else None,
            details=details,
        )
    assert points == pytest.approx(POINTS, abs=10)


STROKES = 200
RECORD = """
window.frames = [];
let last;
requestAnimationFrame(function next(now) {
  if (last) frames.push(now - last);
  last = now;
  requestAnimationFrame(next);
});
"""


@needs_chromium
def test_frames(
    benchmark: BenchmarkFixture,
    judge: Judge,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A spiral is drawn on a full page: how many frames come a sixtieth of a second apart."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    rng = np.random.default_rng(1)
    lines = [circle(*rng.uniform(100, 700, 2), rng.uniform(20, 80)) for _ in range(STROKES)]
    drawn = "".join(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}"/>'
        for line in lines
    )
    (tmp_path / "page.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="794" height="1123">{drawn}</svg>'
    )
    spiral = [
        (400 + 20 * a * np.cos(a), 550 + 20 * a * np.sin(a)) for a in np.arange(0, 18, 0.06)
    ]
    driver = open_chromium(tmp_path / "chromium")
    driver.set_window_size(1280, 860)
    try:
        pad = Beside(tiny)
        page = Page(driver, pad.address)
        page.find("#file").send_keys(str(tmp_path / "page.svg"))
        page.wait(lambda: len(page.strokes()) == STROKES)
        page.suggested()
        driver.execute_script(RECORD)
        benchmark.pedantic(page.draw, (spiral,), rounds=1)
        frames = np.array(driver.execute_script("return frames.splice(0)"))
        heap = driver.execute_script("return performance.memory.usedJSHeapSize")
        page.done()
        pad.result()
    finally:
        driver.quit()
    late = f"{len(frames)} frames, the slowest {frames.max():.0f} ms"
    judge(
        f"a stroke beside {STROKES} others: frames in time",
        100 * float(np.mean(frames < 20)),
        "%",
        at_least=95,
        details=late,
    )
    judge(
        "memory of the page's script", heap / 1e6, "MB", at_most=100, details="with all that"
    )
