"""Sketches: stroke-3 arrays and back, fitting, and curves through the points of a stroke."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from training.data.readers import read_ndjson
from vpype_sketchformer.sketch import DRAW, END, LIFT, Sketch
from vpype_sketchformer.smoothing import smooth

Points = np.ndarray
pixels = st.tuples(st.integers(0, 255), st.integers(0, 255))
strokes = st.lists(pixels, min_size=1, max_size=12).map(lambda s: np.array(s, float))
sketches = st.lists(strokes, min_size=1, max_size=5).map(lambda s: Sketch(tuple(s), "cat"))
seeds = st.integers(0, 2**32 - 1)


def line(points: Points) -> shapely.LineString:
    return shapely.LineString(np.asarray(points).tolist())


# --- stroke-3 --------------------------------------------------------------------------


def test_stroke3_by_hand() -> None:
    sketch = Sketch((np.array([[10.0, 20.0], [30.0, 20.0]]), np.array([[30.0, 0.0]])), "cat")
    expected = [[1, 2, DRAW], [2, 0, LIFT], [0, -2, END]]
    assert sketch.to_stroke3(10.0).tolist() == expected


@given(sketches, st.floats(0.5, 200))
def test_a_sketch_comes_back_from_stroke3(sketch: Sketch, scale: float) -> None:
    points = sketch.to_stroke3(scale)
    assert points.dtype == np.float32
    again = Sketch.from_stroke3(points, scale, "cat")
    assert (again.label, again.finished) == ("cat", True)
    assert len(again.strokes) == len(sketch.strokes)
    for stroke, expected in zip(again.strokes, sketch.strokes, strict=True):
        np.testing.assert_allclose(stroke, expected, atol=1e-3)


def test_real_drawings_come_back_from_stroke3(quickdraw: Path) -> None:
    for drawing in read_ndjson(quickdraw / "cat.ndjson"):
        offsets = np.diff(drawing.points.astype(float), axis=0, prepend=0)
        sketch = Sketch.from_stroke3(np.column_stack([offsets, drawing.pen]), 1.0)
        assert np.concatenate(sketch.strokes).tolist() == drawing.points.tolist()
        assert [len(s) for s in sketch.strokes] == np.diff(
            np.flatnonzero(drawing.pen), prepend=-1
        ).tolist()
        assert sketch.to_stroke3(1.0).tolist() == [
            [*offset, pen] for offset, pen in zip(offsets.tolist(), drawing.pen, strict=True)
        ]


def test_a_sketch_that_was_cut_is_not_finished() -> None:
    points = np.array([[1, 1, DRAW], [2, 2, LIFT], [3, 3, DRAW]])
    sketch = Sketch.from_stroke3(points, 1.0)
    assert not sketch.finished
    assert [len(stroke) for stroke in sketch.strokes] == [2, 1]


def test_a_sketch_of_nothing() -> None:
    assert Sketch(()).to_stroke3(1.0).shape == (0, 3)
    nothing = Sketch.from_stroke3(np.zeros((0, 3)), 1.0)
    assert (nothing.strokes, nothing.finished) == ((), False)


# --- size and place --------------------------------------------------------------------


@given(sketches, st.floats(0.1, 1000))
def test_fitted_to_a_size(sketch: Sketch, size: float) -> None:
    left, top, right, bottom = sketch.bounds
    fitted = sketch.fitted(size)
    x, y, width, height = fitted.bounds
    assert (x, y) == (0, 0)
    if max(right - left, bottom - top) == 0:
        assert (width, height) == (0, 0)
        return
    assert max(width, height) == pytest.approx(size)
    assert width * (bottom - top) == pytest.approx(height * (right - left), abs=1e-6 * size)
    factor = size / max(right - left, bottom - top)
    for stroke, before in zip(fitted.strokes, sketch.strokes, strict=True):
        expected = affinity.affine_transform(
            shapely.MultiPoint(before), [factor, 0, 0, factor, -left * factor, -top * factor]
        )
        np.testing.assert_allclose(shapely.get_coordinates(expected), stroke, atol=1e-6 * size)


@given(sketches, st.floats(-500, 500), st.floats(-500, 500))
def test_moved(sketch: Sketch, dx: float, dy: float) -> None:
    before, after = np.array(sketch.bounds), np.array(sketch.moved(dx, dy).bounds)
    np.testing.assert_allclose(after - before, [dx, dy, dx, dy], atol=1e-9)


# --- curves ----------------------------------------------------------------------------


def barry_goldman(p: Points, t: Points, at: Points) -> Points:
    """The Catmull-Rom spline through p[1] and p[2], by the pyramid of Barry & Goldman (1988).

    Args:
        p: Four points, (4, 2).
        t: Their knots, (4,).
        at: Where between t[1] and t[2] to evaluate, (n,).
    """

    def between(a: Points, b: Points, i: int, j: int) -> Points:
        return ((t[j] - at)[:, None] * a + (at - t[i])[:, None] * b) / (t[j] - t[i])

    a = [between(p[i], p[i + 1], i, i + 1) for i in range(3)]
    b = [between(a[i], a[i + 1], i, i + 2) for i in range(2)]
    return between(b[0], b[1], 1, 2)


def exact_curve(points: Points, closed: bool = False) -> Points:
    """The centripetal curve through points without corners, 200 points to a span.

    The neighbour that an end does not have is its other neighbour, mirrored.
    """
    if closed:
        around = np.concatenate([points[-2:-1], points, points[1:2]])
    else:
        mirrored = 2 * points[[0, -1]] - points[[1, -2]]
        around = np.concatenate([mirrored[:1], points, mirrored[1:]])
    spans = []
    for i in range(len(points) - 1):
        p = around[i : i + 4]
        steps = np.linalg.norm(np.diff(p, axis=0), axis=1) ** 0.5
        t = np.concatenate([[0.0], np.cumsum(steps)])
        spans.append(barry_goldman(p, t, np.linspace(t[1], t[2], 200)))
    return np.concatenate(spans)


def gentle_stroke(seed: int) -> Points:
    """A stroke of uneven steps that turns by less than 80 degrees at each point."""
    random = np.random.default_rng(seed)
    count = random.integers(2, 15)
    headings = np.cumsum(random.uniform(-1.4, 1.4, count))
    lengths = 30 * random.lognormal(0, 0.8, count)
    steps = lengths[:, None] * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    return np.cumsum(np.concatenate([np.zeros((1, 2)), steps]), axis=0)


def smooth_stroke(points: Points, tolerance: float, detail: float) -> Points:
    """Smooth one stroke between others, which it must not hang on."""
    return smooth([points[:1], points, points[::-1] + 1.0], tolerance, detail)[1]


def passes_through(curve: Points, points: Points) -> bool:
    """Tell whether the curve has all of the points among its own, in their order."""
    rows = iter(curve.tolist())
    return all(point in rows for point in points.tolist())


NO_CORNERS = 1e9  # a detail so coarse that no turn rises above it


@given(seeds, st.floats(0.01, 5))
def test_the_curve_is_the_centripetal_spline_to_the_tolerance(
    seed: int, tolerance: float
) -> None:
    points = gentle_stroke(seed)
    curve = smooth_stroke(points, tolerance, NO_CORNERS)
    assert passes_through(curve, points)
    exact = line(exact_curve(points))
    assert line(curve).hausdorff_distance(exact) <= tolerance + 0.002


@given(st.integers(5, 20), seeds, st.floats(0.01, 5))
def test_a_closed_curve_goes_round(count: int, seed: int, tolerance: float) -> None:
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False) + random.uniform(0, 0.2, count)
    ring = 100 * np.stack([np.cos(angles), 0.8 * np.sin(angles)], axis=1)
    ring = np.concatenate([ring, ring[:1]])
    curve = smooth_stroke(ring, tolerance, NO_CORNERS)
    assert passes_through(curve, ring)
    exact = line(exact_curve(ring, closed=True))
    assert line(curve).hausdorff_distance(exact) <= tolerance + 0.002


def test_a_finer_tolerance_takes_more_points_than_a_coarse_one() -> None:
    points = gentle_stroke(3)
    counts = [len(smooth_stroke(points, t, NO_CORNERS)) for t in (0.01, 0.1, 1.0)]
    assert counts[0] > counts[1] > counts[2] >= len(points)


DETAIL = 2.0  # what Quick, Draw!'s simplification takes away, in its pixels


def simplified(points: Points) -> Points:
    """Simplify as Quick, Draw! does."""
    return shapely.get_coordinates(line(points).simplify(DETAIL))


@pytest.mark.parametrize("turn", [0, 10, 37, 45])
@pytest.mark.parametrize("first", [0.0, 0.5])
def test_corners_of_a_square_stay_corners(turn: float, first: float) -> None:
    """Wherever the pen began, at a corner or in the middle of a side."""
    square = shapely.box(0, 0, 200, 200).exterior
    corners = np.linspace(0, 800, 5) if not first else [100, 200, 400, 600, 800, 900]
    around = [square.interpolate(distance % 800) for distance in corners]
    points = shapely.get_coordinates(
        affinity.rotate(line([p.coords[0] for p in around]), turn)
    )
    curve = smooth_stroke(points, 0.05, DETAIL)
    assert line(curve).hausdorff_distance(line(points)) < 1e-9


def circle(count: int) -> Points:
    angles = np.linspace(0, 2 * np.pi, count + 1)
    ring = 127.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ring[-1] = ring[0]
    return ring


@pytest.mark.parametrize("count", [16, 24, 720])
def test_a_coarse_circle_becomes_round(count: int) -> None:
    coarse = simplified(circle(count))
    curve = smooth_stroke(coarse, 0.05, DETAIL)

    def unroundness(points: Points) -> float:
        return line(points).hausdorff_distance(line(circle(3600)))

    assert unroundness(curve) < 0.4
    assert unroundness(coarse) > 5 * unroundness(curve)


@pytest.mark.parametrize("begun", ["at the tip", "elsewhere"])
def test_a_drop_keeps_its_tip_and_becomes_round_elsewhere(begun: str) -> None:
    """Where the stroke begins and ends, no point of it lies between two others."""
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    drop = np.stack([1 - np.cos(angles), np.sin(angles) * np.sin(angles / 2) ** 1.5], axis=1)
    drop = 127.5 * np.roll(drop, 0 if begun == "at the tip" else 360, axis=0)
    drop = np.concatenate([drop, drop[:1]])
    curve = smooth_stroke(simplified(drop), 0.05, DETAIL)
    assert line(curve).hausdorff_distance(line(drop)) < 1.5 * DETAIL
    assert opening(curve, np.zeros(2)) < 110
    if begun == "elsewhere":
        assert opening(curve, curve[0]) > 160


def opening(ring: Points, corner: Points) -> float:
    """Angle in degrees between the two sides of a corner of a closed line."""
    points = ring[:-1]
    here = int(np.argmin(np.linalg.norm(points - corner, axis=1)))
    before, after = (points[(here + step) % len(points)] - points[here] for step in (-1, 1))
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    return float(np.degrees(np.arccos(cosine)))


@given(seeds, st.integers(3, 10))
def test_a_straight_line_stays_straight(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    along = np.sort(random.choice(np.arange(256), count, replace=False)).astype(float)
    for axis in (0, 1):
        points = np.zeros((count, 2))
        points[:, axis] = along
        curve = smooth_stroke(points, 0.05, DETAIL)
        assert not curve[:, 1 - axis].any()
        assert np.all(np.diff(curve[:, axis]) > 0), "it never turns back"
    slanted = along[:, None] * [0.6, -0.8]
    curve = smooth_stroke(slanted, 0.05, DETAIL)
    np.testing.assert_allclose(curve @ [0.8, 0.6], 0, atol=1e-9)


@given(sketches)
def test_any_sketch_can_be_smoothed(sketch: Sketch) -> None:
    """Repeated points, lone points, there and back: everything is finite and near."""
    smooth = sketch.smoothed(0.1)
    assert len(smooth.strokes) == len(sketch.strokes)
    left, top, right, bottom = sketch.bounds
    around = shapely.box(left, top, right, bottom).buffer(0.25 * max(right, bottom) + 1e-9)
    for curve, points in zip(smooth.strokes, sketch.strokes, strict=True):
        assert np.isfinite(curve).all()
        moved = np.any(np.diff(points, axis=0, prepend=np.nan) != 0, axis=1)
        assert passes_through(curve, points[moved])
        assert shapely.MultiPoint(curve).within(around)


@pytest.mark.parametrize(
    "points",
    [
        [[5, 5]],
        [[5, 5], [5, 5]],
        [[5, 5], [9, 2]],
        [[5, 5], [5, 5], [9, 2], [9, 2], [9, 2]],
        [[5, 5], [9, 2], [5, 5]],
    ],
)
def test_strokes_too_short_for_a_curve_keep_their_points(points: list[list[float]]) -> None:
    curve = smooth_stroke(np.array(points, float), 0.05, DETAIL)
    distinct = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    assert curve.tolist() == distinct


def test_smoothing_knows_the_size_of_the_sketch(quickdraw: Path) -> None:
    """What is a corner does not hang on the unit: a sketch in centimetres is the same."""
    drawing = next(iter(read_ndjson(quickdraw / "house.ndjson")))
    ends = np.flatnonzero(drawing.pen)[:-1] + 1
    sketch = Sketch(tuple(np.split(drawing.points.astype(float), ends)))
    small = Sketch(tuple(stroke / 50 for stroke in sketch.strokes))
    for one, other in zip(
        sketch.smoothed(0.1).strokes, small.smoothed(0.1 / 50).strokes, strict=True
    ):
        np.testing.assert_allclose(other * 50, one, atol=1e-9)
