"""Sheets: every sketch in its own cell, of the size asked for, on the page."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vpype_sketchformer.layout.grid import (
    CELL_RATIO,
    DEFAULT_SIZE,
    Sheet,
    SheetError,
    plan,
    plan_inside,
)
from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.units import CM

lengths = st.floats(1 * CM, 60 * CM)
numbers = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


def sketch_of(seed: int) -> Sketch:
    """A random sketch of one to four strokes."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 9, size=random.integers(1, 5))
    return Sketch(tuple(random.integers(0, 256, (n, 2)).astype(float) for n in sizes), "cat")


def geometry(sketch: Sketch) -> shapely.MultiLineString:
    return shapely.MultiLineString([stroke.tolist() for stroke in sketch.strokes])


def cells_of(sheet: Sheet) -> list[shapely.Polygon]:
    """The cells row by row, from the words of the documentation."""
    x, y = sheet.origin
    width, height = sheet.cell
    return [
        shapely.box(
            x + column * width,
            y + row * height,
            x + (column + 1) * width,
            y + (row + 1) * height,
        )
        for row in range(sheet.rows)
        for column in range(sheet.columns)
    ]


@given(seeds, numbers, numbers, lengths, st.integers(0, 300), st.booleans())
@settings(deadline=None)
def test_a_sketch_lies_centred_in_its_cell_at_its_size(
    seed: int, columns: int, rows: int, size: float, index: int, smooth: bool
) -> None:
    sheet = plan(1, grid=(columns, rows), size=size)
    placed = geometry(sheet.place(sketch_of(seed), index, smooth))
    cell = cells_of(sheet)[index % (columns * rows)]
    assert cell.buffer(1e-6).contains(placed)
    left, top, right, bottom = placed.bounds
    assert max(right - left, bottom - top) == pytest.approx(size)
    middle = shapely.box(*placed.bounds).centroid
    assert middle.distance(cell.centroid) < 1e-6


@given(
    st.integers(1, 200),
    st.none() | st.tuples(numbers, numbers),
    st.none() | st.tuples(lengths, lengths),
    st.none() | lengths,
    st.tuples(lengths, lengths),
)
@settings(deadline=None)
def test_a_sheet_fits_on_its_page_or_is_refused(
    count: int,
    grid: tuple[int, int] | None,
    cell: tuple[float, float] | None,
    size: float | None,
    page: tuple[float, float],
) -> None:
    try:
        sheet = plan(count, grid=grid, cell=cell, size=size, page=page)
    except SheetError as error:
        assert "\n" not in str(error)
        columns, rows = grid or (1, 1)
        width, height = cell or (size or DEFAULT_SIZE,) * 2
        too_large = columns * width > page[0] or rows * height > page[1]
        too_small_cell = bool(cell and size and size > min(cell))
        assert too_large or too_small_cell
        return
    cells = cells_of(sheet)
    paper = shapely.box(0, 0, *page)
    assert all(paper.buffer(1e-3).contains(c) for c in cells)
    assert shapely.union_all(cells).centroid.distance(paper.centroid) < 1e-3
    assert sheet.size <= min(sheet.cell) + 1e-6
    assert sheet.size == size or size is None
    assert cell is None or sheet.cell == cell
    assert grid is None or (sheet.columns, sheet.rows) == grid
    assert sheet.pages(count) * sheet.cells >= count > (sheet.pages(count) - 1) * sheet.cells


@given(st.integers(1, 500))
def test_without_a_grid_the_sheet_is_nearly_square(count: int) -> None:
    sheet = plan(count)
    assert sheet.pages(count) == 1
    assert 0 <= sheet.columns - sheet.rows <= 1
    assert sheet.cells - count < sheet.columns


@given(st.integers(1, 300), lengths, lengths)
def test_without_a_grid_a_page_is_filled_before_the_next(
    count: int, width: float, height: float
) -> None:
    side = CELL_RATIO * DEFAULT_SIZE
    assume(min(width, height) >= side)
    sheet = plan(count, page=(width, height))
    room = math.floor(width / side + 1e-6) * math.floor(height / side + 1e-6)
    assert sheet.pages(count) == math.ceil(count / room)


def test_the_default_size_yields_to_small_cells() -> None:
    assert plan(1).size == pytest.approx(4 * CM)
    assert plan(20, grid=(5, 4), cell=(2 * CM, 3 * CM)).size == pytest.approx(1.6 * CM)
    assert plan(20, grid=(5, 4), page=(21 * CM, 29.7 * CM)).size == pytest.approx(3.36 * CM)


@given(st.integers(1, 30), lengths, lengths)
@settings(deadline=None)
def test_a_frame_holds_all_its_sketches(count: int, width: float, height: float) -> None:
    sheet = plan_inside((width, height), count)
    frame = shapely.box(0, 0, width, height).buffer(1e-3)
    assert sheet.pages(count) == 1
    assert all(frame.contains(cell) for cell in cells_of(sheet))


def test_errors_say_what_does_not_fit() -> None:
    a4 = (21 * CM, 29.7 * CM)
    with pytest.raises(SheetError, match="6 cm does not fit into a cell of 4 × 5 cm"):
        plan(1, cell=(4 * CM, 5 * CM), size=6 * CM)
    with pytest.raises(
        SheetError, match="page of 3 × 3 cm is smaller than a cell of 4 × 4 cm"
    ):
        plan(1, page=(3 * CM, 3 * CM))
    with pytest.raises(SheetError, match="need 50 × 40 cm, the page has 21 ×"):
        plan(20, grid=(5, 4), size=10 * CM, page=a4)


def test_a_sketch_without_strokes_stays_empty() -> None:
    assert plan(1).place(Sketch(()), 0).strokes == ()
