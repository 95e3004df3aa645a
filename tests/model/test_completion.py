"""Properties of completion that do not depend on how well the model draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from vpype_sketchformer.model import checkpoint, sampling
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.completion import (
    Completion,
    CompletionError,
    Placement,
    clean,
    complete,
    simplify,
)
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.transformer import Transformer
from vpype_sketchformer.sketch import DRAW, LIFT

Stroke = NDArray[np.float64]

FACE = [
    np.array([[0, 0], [60, -20], [130, 10], [150, 90], [90, 160], [10, 130], [0, 0.0]]),
    np.array([[40, 40], [55, 40.0]]),
    np.array([[90, 42], [110, 45.0], [105, 60]]),
]


@pytest.fixture(scope="module")
def model(tiny: Path) -> Checkpoint:
    return checkpoint.load(tiny)


def seeds(count: int) -> list[np.random.SeedSequence]:
    return [np.random.SeedSequence(7, spawn_key=(i,)) for i in range(count)]


def finish(model: Checkpoint, strokes: list[Stroke], **wishes: object) -> Completion:
    style = {"temperature": 0.5, "tries": 2} | wishes
    return complete(model, strokes, seeds(3), **style)  # type: ignore[arg-type]


def test_one_thread_guesses_and_draws(
    model: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that wait for a busy core made a guess ten times slower."""
    seen: list[int] = []
    forward = Transformer.forward

    def watched(network: Transformer, *inputs: Any) -> Any:
        if len(seen) < 60:  # looking takes a while
            seen.append(blas_threads())
        return forward(network, *inputs)

    monkeypatch.setattr(Transformer, "forward", watched)
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        finish(model, FACE)
        assert blas_threads() == before
    assert set(seen) == {1}


def blas_threads() -> int:
    return max(
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    )


def resampled(stroke: Stroke, count: int) -> Stroke:
    """Add points on the segments of a stroke; its own points stay."""
    distance = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    where = np.union1d(distance, np.linspace(0, distance[-1], count))
    return np.column_stack([np.interp(where, distance, axis) for axis in stroke.T])


def assert_same(one: Completion, other: Completion, factor: float, shift: Stroke) -> None:
    """The other completion is the first one, scaled and moved."""
    assert other.extent == pytest.approx(one.extent * factor)
    for a, b in zip(one.sketches, other.sketches, strict=True):
        assert a.label == b.label
        assert len(a.strokes) == len(b.strokes)
        for p, q in zip(a.strokes, b.strokes, strict=True):
            assert np.allclose(p * factor + shift, q, rtol=0, atol=1e-5 * other.extent)


@pytest.mark.parametrize("factor", [1e-3, 0.37, 1, 3.78, 1e4])
@pytest.mark.parametrize("shift", [(0, 0), (-310, 127.5)])
def test_place_scale_and_points_do_not_matter(
    model: Checkpoint, factor: float, shift: tuple[float, float]
) -> None:
    plain = finish(model, FACE)
    assert any(sketch.strokes for sketch in plain.sketches)
    offset = np.array(shift) * factor
    moved = [stroke * factor + offset for stroke in FACE]
    assert_same(plain, finish(model, moved), factor, offset)
    dense = [resampled(stroke, 4000) for stroke in moved]
    assert_same(plain, finish(model, dense), factor, offset)


@settings(deadline=None, max_examples=100)
@given(
    st.floats(1e-6, 1e6),
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    st.tuples(st.floats(-100, 255), st.floats(-100, 255)),
)
def test_placement_there_and_back(
    scale: float, corner: tuple[float, float], offset: tuple[float, float]
) -> None:
    placement = Placement(np.array(corner), scale, np.array(offset))
    pixels = np.array([[0, 0], [255, 13], [-40, 77.0]])
    assert np.array_equal(placement.to_frame(placement.to_own(pixels)), pixels)
    assert np.allclose(placement.to_own(np.array([offset])), [corner])


@pytest.mark.parametrize("join", [False, True])
def test_a_shared_prefix_is_the_same_as_one_for_each(model: Checkpoint, join: bool) -> None:
    style: dict[str, Any] = {"temperature": 0.5, "tries": 3, "guidance": 1.5, "join": join}
    together = complete(model, FACE, seeds(3), label="cat", **style)
    for i, seed in enumerate(seeds(3)):
        alone = complete(model, FACE, [seed], label="cat", **style)
        a, b = together.sketches[i], alone.sketches[0]
        assert [s.tolist() for s in a.strokes] == [s.tolist() for s in b.strokes]


def test_going_on_is_the_same_as_drawing_point_by_point(model: Checkpoint) -> None:
    """A sketch goes on alike whether its beginning was just drawn, or read as a prefix.

    At a temperature near zero nothing is left to chance but rounding.
    """
    style = dict.fromkeys(("temperature", "structure_temperature", "pen_temperature"), 1e-9)
    (whole,) = sampling.sample(model, ["cat"], seeds(1), **style)  # type: ignore[arg-type]
    positions = np.concatenate(whole.strokes)
    pens = np.full(len(positions), DRAW)
    pens[np.cumsum([len(stroke) for stroke in whole.strokes]) - 1] = LIFT
    assert len(positions) > 4
    for cut in (1, 2, len(positions) // 2, len(positions) - 1):
        prefix = sampling.Prefix(positions[:cut], pens[: cut - 1], join=True)
        (again,) = sampling.sample(
            model,
            ["cat"],
            seeds(1),
            prefix=prefix,
            **style,  # type: ignore[arg-type]
        )
        # One that does not end is cut a number of points after its beginning: later.
        assert np.array_equal(np.concatenate(again.strokes)[: len(positions)], positions)


@pytest.mark.parametrize("room", [(-200, -100, 300, 250), (-20, -60, 160, 170)])
def test_the_finished_drawing_is_expected_in_its_room(
    model: Checkpoint, room: tuple[float, float, float, float]
) -> None:
    result = finish(model, FACE, room=room)
    assert result.extent <= max(room[2] - room[0], room[3] - room[1]) + 1e-9


@pytest.mark.parametrize("wishes", [{"join": True}, {"one_line": True}])
def test_what_goes_on_begins_at_the_last_point(
    model: Checkpoint, wishes: dict[str, bool]
) -> None:
    result = complete(model, FACE, seeds(12), temperature=0.5, label="cat", **wishes)  # type: ignore[arg-type]
    starts = [sketch.strokes[0][0] for sketch in result.sketches if sketch.strokes]
    joined = [np.array_equal(start, FACE[-1][-1]) for start in starts]
    assert any(joined)
    if "one_line" in wishes:
        assert all(joined)
        assert {len(sketch.strokes) for sketch in result.sketches} <= {0, 1}


def test_without_join_the_pen_lifts_first(model: Checkpoint) -> None:
    result = complete(model, FACE, seeds(12), temperature=0.5, label="cat")
    for sketch in result.sketches:
        assert all(len(stroke) >= 2 for stroke in sketch.strokes)
        assert not any(np.array_equal(s[0], FACE[-1][-1]) for s in sketch.strokes)


@pytest.mark.parametrize("strokes", [1, 40, 300])
def test_what_is_too_long_is_thinned(model: Checkpoint, strokes: int) -> None:
    rng = np.random.default_rng(strokes)
    beginning = list(rng.uniform(0, 100, (strokes, 1200 // strokes, 2)))
    result = complete(model, beginning, seeds(2), temperature=0.5, label="cat")
    assert result.thinned
    assert not finish(model, FACE).thinned


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30),
    st.integers(0, 40),
    st.floats(0.1, 30),
    st.integers(0, 99),
)
def test_simplify_keeps_to_the_limit_and_to_the_line(
    lengths: list[int], limit: int, tolerance: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    strokes = [rng.uniform(0, 100, (n, 2)) for n in lengths]
    result, thinned = simplify(strokes, tolerance, limit)
    assert sum(map(len, result)) <= max(limit, 2)
    if not thinned:
        assert len(result) == len(strokes)
    points = {tuple(p) for stroke in strokes for p in stroke}
    assert all(tuple(p) in points for stroke in result for p in stroke)


@pytest.mark.parametrize("count", [3, 50, 5000])
def test_simplify_strays_no_further_than_the_tolerance(count: int) -> None:
    angles = np.linspace(0, 2 * np.pi, count)
    circle = 100 * np.column_stack([np.cos(angles), np.sin(angles)])
    (result,), thinned = simplify([circle], 2.0, 200)
    assert not thinned
    assert len(result) <= 24  # an arc that is 2 high spans 0.4 at a radius of 100
    for point in circle:
        a, b = result[:-1], result[1:]
        step = b - a
        square = np.maximum((step**2).sum(axis=1), 1e-12)
        t = np.clip(((point - a) * step).sum(axis=1) / square, 0, 1)
        assert np.hypot(*(a + t[:, None] * step - point).T).min() <= 2.0 + 1e-9


def test_clean_drops_repeated_points_only() -> None:
    stroke = np.array([[0, 0], [0, 0], [1, 2], [1, 2], [0, 0.0]])
    (result,) = clean([stroke, np.zeros((0, 2))])
    assert result.tolist() == [[0, 0], [1, 2], [0, 0]]


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "no lines"),
        ([np.zeros((0, 2))], "no lines"),
        ([np.ones((1, 2))], "all points are in one place"),
        ([np.ones((3, 2)), np.ones((2, 2))], "all points are in one place"),
        ([np.array([[0, 0], [np.nan, 1]])], "not finite"),
        ([np.array([[0, 0], [1, np.inf]])], "not finite"),
        ([np.array([[0, 0], [1e200, 1]])], "cannot be used"),
    ],
)
def test_what_cannot_be_completed(
    model: Checkpoint, strokes: list[Stroke], message: str
) -> None:
    with pytest.raises(CompletionError, match=message):
        finish(model, strokes)


def test_more_tries_look_more_like_the_class(model: Checkpoint) -> None:
    row = bundled().classes.index("cat")

    def shares(tries: int) -> NDArray[np.float64]:
        result = complete(
            model, FACE[:1], seeds(12), temperature=0.5, label="cat", tries=tries
        )
        drawings = [[*FACE[:1], *sketch.strokes] for sketch in result.sketches]
        return bundled().probabilities(drawings)[:, row]

    assert shares(3).sum() > shares(1).sum()


def test_what_nothing_is_added_to_stays_what_it_most_looks_like(model: Checkpoint) -> None:
    angles = np.linspace(0, 2 * np.pi, 40)
    circle = [np.column_stack([np.cos(angles), np.sin(angles)])]
    result = complete(model, circle, seeds(24), temperature=0.5)
    bare = {sketch.label for sketch in result.sketches if not sketch.strokes}
    assert bare <= {result.ranking[0][0]}
