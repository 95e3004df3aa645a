"""Cleaning strokes for a pen, against shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from vpype_sketchformer.cleaning import CleaningError, clean, clean_sketch
from vpype_sketchformer.sketch import Sketch

Stroke = np.ndarray


def line(*points: tuple[float, float]) -> Stroke:
    return np.array(points, float)


def ink(strokes: list[Stroke]) -> shapely.Geometry:
    return shapely.union_all([shapely.LineString(s) for s in strokes if len(s) > 1])


ROAD = line((0, 0), (100, 0))


def test_specks_go_but_not_the_last_of_them() -> None:
    speck = line((50, 9), (50.3, 9.2))
    assert len(clean([ROAD, speck], 1)) == 1
    assert len(clean([speck], 1)) == 1


def test_a_dot_that_stands_alone_stays_in_a_sketch() -> None:
    """Eyes of one point and of a tenth of a millimetre, one of them dabbed at twice."""
    face = line((0, 0), (40, 0), (40, 40), (0, 40), (0, 0))
    eyes = [line((12, 15)), line((28, 15), (28.1, 15)), line((28, 15.1), (28.1, 15.1))]
    on_a_line = line((40.1, 20), (40.2, 20.1))
    after = clean_sketch(Sketch((face, *eyes, on_a_line))).strokes
    assert [stroke.tolist() for stroke in after] == [s.tolist() for s in (face, *eyes[:2])]


def test_what_is_drawn_twice_is_drawn_once() -> None:
    (only,) = clean([ROAD, line((10, 0.4), (90, 0.4))], 1)
    assert only.tolist() == ROAD.tolist()
    there_and_back = line((0, 0), (100, 0), (0, 0.3))
    assert ink(clean([there_and_back], 1)).length < 105


def test_crossings_and_neighbours_stay() -> None:
    strokes = [ROAD, line((50, 50), (50, -50)), line((0, 1.5), (100, 1.5))]
    after = clean(strokes, 1)
    assert [s.tolist() for s in after] == [s.tolist() for s in strokes]


def test_ends_meet_the_line_that_they_were_meant_to_meet() -> None:
    for height in (-0.8, 0.8):
        _, after = clean([ROAD, line((50, 50), (50, height))], 1)
        assert after[-1] == pytest.approx([50, 0])
    far = line((50, 50), (50, 3))
    assert clean([ROAD, far], 1)[1].tolist() == far.tolist()
    assert clean([ROAD, far], 1, reach=4)[1][-1] == pytest.approx([50, 0])


def test_a_ring_is_closed() -> None:
    t = np.linspace(0, 2 * np.pi - 0.03, 200)
    (after,) = clean([30 * np.column_stack([np.cos(t), np.sin(t)])], 1)
    assert np.hypot(*(after[0] - after[-1])) < 1e-9


strokes_of = st.lists(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100)).map(tuple), min_size=1, max_size=6
    ).map(lambda points: np.array(points, float)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(strokes_of)
def test_no_place_is_left_white_and_none_new_is_inked(strokes: list[Stroke]) -> None:
    """But for specks and tails, whatever is inked was, and is again."""
    before, after = ink(strokes), ink(clean(strokes, 1))
    assert not shapely.difference(after, shapely.buffer(before, 1 + 1e-6)).length > 0
    lost = shapely.difference(before, shapely.buffer(after, 1.1))
    assert all(part.length < 4 for part in shapely.get_parts(lost))


@settings(max_examples=40, deadline=None)
@given(strokes_of, strokes_of)
def test_what_is_beside_is_ink_that_stays(beside: list[Stroke], strokes: list[Stroke]) -> None:
    """Nothing is drawn along it again, and together they show what both showed."""
    kept = [stroke.copy() for stroke in beside]
    before, after = ink(beside + strokes), ink(beside + clean(strokes, 1, beside=beside))
    assert all(np.array_equal(a, b) for a, b in zip(beside, kept, strict=True))
    assert not shapely.difference(after, shapely.buffer(before, 1 + 1e-6)).length > 0
    lost = shapely.difference(before, shapely.buffer(after, 1.1))
    assert all(part.length < 4 for part in shapely.get_parts(lost))


def test_lines_are_cleaned_beside_others() -> None:
    double, short = line((10, 0.4), (90, 0.4)), line((50, 50), (50, 0.8))
    assert clean([double], 1, beside=[ROAD]) == []
    assert clean([short], 1, beside=[ROAD])[0][-1] == pytest.approx([50, 0])


def test_lines_without_end_are_refused() -> None:
    with pytest.raises(CleaningError, match="too long"):
        clean([line((0, 0), (1e9, 0))], 1)
