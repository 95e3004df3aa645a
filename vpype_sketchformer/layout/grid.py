"""Sheets: sketches in the cells of a grid, page after page.

Lengths are vpype's pixels, 96 to the inch, y pointing down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.units import CM, FLATNESS

#: The longest side of a sketch where the user gives none.
DEFAULT_SIZE = 4 * CM

#: Side of a cell over the longest side of its sketch: white space of an eighth all around.
CELL_RATIO = 1.25

#: Lengths that come from different sums of the same numbers differ by less than this.
SLACK = 1e-6


class SheetError(ValueError):
    """A sheet that cannot be laid out; the message is one clear line."""


@dataclass(frozen=True)
class Sheet:
    """A grid of cells, filled row by row; what does not fit goes on to further pages.

    Attributes:
        columns: Cells side by side.
        rows: Cells one below the other.
        cell: Width and height of a cell.
        size: The longest side of a sketch.
        origin: The top left corner of the first cell.
    """

    columns: int
    rows: int
    cell: tuple[float, float]
    size: float
    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def cells(self) -> int:
        """The number of cells on a page."""
        return self.columns * self.rows

    @property
    def corner(self) -> tuple[float, float]:
        """The bottom right corner of the last cell."""
        return self.origin[0] + self.extent[0], self.origin[1] + self.extent[1]

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of all the cells together."""
        return self.columns * self.cell[0], self.rows * self.cell[1]

    def pages(self, count: int) -> int:
        """Return how many pages ``count`` sketches need."""
        return math.ceil(count / self.cells)

    def offset(self, index: int) -> tuple[float, float]:
        """Return how far a cell lies from the first one, to the right and down."""
        row, column = divmod(index % self.cells, self.columns)
        return column * self.cell[0], row * self.cell[1]

    def middle(self, index: int) -> tuple[float, float]:
        """Return the middle of a cell."""
        dx, dy = self.offset(index)
        return (
            self.origin[0] + dx + self.cell[0] / 2,
            self.origin[1] + dy + self.cell[1] / 2,
        )

    def moved(self, dx: float, dy: float) -> Sheet:
        """Return the sheet shifted by (dx, dy)."""
        return replace(self, origin=(self.origin[0] + dx, self.origin[1] + dy))

    def place(self, sketch: Sketch, index: int, smooth: bool = True) -> Sketch:
        """Scale a sketch to the sheet's size and centre it in its cell.

        Args:
            sketch: The sketch, in any frame. One without strokes stays as it is.
            index: Its number on the sheet, counted from 0 through all pages.
            smooth: Whether to draw curves through its points.
        """
        if not sketch.strokes:
            return sketch
        sketch = sketch.fitted(self.size)
        if smooth:
            # A curve swings out beyond the points that it passes through.
            sketch = sketch.smoothed(FLATNESS).fitted(self.size)
        dx, dy = self.offset(index)
        _, _, width, height = sketch.bounds
        return sketch.moved(
            self.origin[0] + dx + (self.cell[0] - width) / 2,
            self.origin[1] + dy + (self.cell[1] - height) / 2,
        )


def plan(
    count: int,
    *,
    grid: tuple[int, int] | None = None,
    cell: tuple[float, float] | None = None,
    size: float | None = None,
    page: tuple[float, float] | None = None,
) -> Sheet:
    """Lay out a sheet.

    Args:
        count: How many sketches.
        grid: Columns and rows. None: nearly a square, or what the page has room for.
        cell: Width and height of a cell. None: `CELL_RATIO` times the size, or less where
            the page is too small for that.
        size: The longest side of a sketch. None: `DEFAULT_SIZE`, or less where the cells are
            too small for that.
        page: The page to centre the sheet on. None: the sheet starts at the origin and is as
            large as it needs to be.

    Raises:
        SheetError: The sketches do not fit into the cells, or the cells not on the page.
    """
    wanted = DEFAULT_SIZE if size is None else size
    roomy = cell or (CELL_RATIO * wanted, CELL_RATIO * wanted)
    least = cell or (wanted, wanted)
    if cell and size and not _fits((size, size), cell):
        raise SheetError(
            f"a sketch of {_cm(size)} cm does not fit into a cell of {_format(cell)}."
        )
    if page and not _fits(least, page):
        raise SheetError(
            f"the page of {_format(page)} is smaller than a cell of {_format(least)}: "
            "choose a larger page or a smaller size."
        )
    columns, rows = grid or _shape(count, roomy, page)
    if cell is None:
        sides = [*roomy, *((page[0] / columns, page[1] / rows) if page else ())]
        cell = (min(sides), min(sides))
    sheet = Sheet(columns, rows, cell, size or min(wanted, min(cell) / CELL_RATIO))
    if page is None:
        return sheet
    needed = (columns * max(cell[0], sheet.size), rows * max(cell[1], sheet.size))
    if not _fits(needed, page):
        raise SheetError(
            f"{columns} columns and {rows} rows need {_format(needed)}, the page has "
            f"{_format(page)}: choose fewer cells, a smaller size or a larger page."
        )
    origin = ((page[0] - sheet.extent[0]) / 2, (page[1] - sheet.extent[1]) / 2)
    return Sheet(columns, rows, cell, sheet.size, origin)


def plan_inside(
    frame: tuple[float, float],
    count: int,
    *,
    grid: tuple[int, int] | None = None,
    cell: tuple[float, float] | None = None,
    size: float | None = None,
) -> Sheet:
    """Lay out a sheet that fills a frame, such as one cell of a larger grid.

    The arguments are those of `plan`, without a page; the cells divide the frame.

    Raises:
        SheetError: The sketches do not fit into the cells, or the cells into the frame.
    """
    columns, rows = grid or _shape(count, frame, None)
    cell = cell or (frame[0] / columns, frame[1] / rows)
    return plan(count, grid=(columns, rows), cell=cell, size=size, page=frame)


def plan_around(
    bounds: tuple[float, float, float, float],
    count: int,
    *,
    grid: tuple[int, int] | None = None,
    cell: tuple[float, float] | None = None,
) -> Sheet:
    """Lay out a sheet whose first cell lies around a drawing, wherever that is.

    Args:
        bounds: Left, top, right and bottom of the drawing.
        count: How many cells are needed.
        grid: Columns and rows. None: nearly a square.
        cell: Width and height of a cell. None: a little more than the drawing.

    Raises:
        SheetError: The drawing does not fit into the cell.
    """
    left, top, right, bottom = bounds
    width, height = right - left, bottom - top
    size = max(width, height)
    gap = (CELL_RATIO - 1) * size
    wide, high = cell or (width + gap, height + gap)
    if not _fits((width, height), (wide, high)):
        raise SheetError(
            f"the drawings need {_format((width, height))}, a cell has "
            f"{_format((wide, high))}: choose larger cells."
        )
    columns, rows = grid or _shape(count, (wide, high), None)
    origin = (left - (wide - width) / 2, top - (high - height) / 2)
    return Sheet(columns, rows, (wide, high), size, origin)


def _shape(
    count: int, cell: tuple[float, float], page: tuple[float, float] | None
) -> tuple[int, int]:
    """Return the columns and rows of a near square, as far as the page has room for them."""
    columns = math.ceil(math.sqrt(count))
    if page is None:
        return columns, math.ceil(count / columns)
    most_columns = max(1, math.floor(page[0] / cell[0] + SLACK))
    most_rows = max(1, math.floor(page[1] / cell[1] + SLACK))
    columns = min(max(columns, math.ceil(count / most_rows)), most_columns)
    return columns, min(math.ceil(count / columns), most_rows)


def _fits(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return all(i <= o + SLACK for i, o in zip(inner, outer, strict=True))


def _cm(length: float) -> str:
    return f"{length / CM:.4g}"


def _format(size: tuple[float, float]) -> str:
    return f"{_cm(size[0])} × {_cm(size[1])} cm"
