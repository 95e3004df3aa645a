"""Packing: designs on pages, by their true shapes, with white between them.

A page is a lattice of small cells. The cells that a design and half the gap around it touch
are its footprint, and footprints share no cell: so designs are apart by the gap at least, and
all the places where one fits are found at once, by a correlation of the footprint with the
cells that are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from scipy import fft

from vpype_sketchformer.layout.designs import Design
from vpype_sketchformer.units import CM

Size = tuple[float, float]
#: Left, top, right and bottom of a part of a page.
Box = tuple[float, float, float, float]
Cells = NDArray[np.bool_]
Field = NDArray[np.floating]

#: Cells along the longer side of a page.
CELLS = 160
#: Smaller gaps are none: shapely gives wrong shapes for a buffer of next to nothing.
NEGLIGIBLE = 1e-6

#: The longer side of a typical design is at least this where the user gives none: what does
#: not fit on the page goes on to the next. On small pages this share of the shorter side.
LEAST, LEAST_SHARE = 3 * CM, 0.25

#: ... and at most this share of the page's shorter side.
MOST_SHARE = 0.6

#: Designs are drawn at this share of the size at which they just fit.
EASE = 0.93

#: Bounds of a design's size over that of a typical one.
SMALLEST, LARGEST = 0.6, 1.7

#: How closely the largest size that fits is found, and how long designs seek better places:
#: so many steps, and fewer where they would be more than so many designs' in all.
BISECTIONS, ROUNDS = 7, 5
PATIENCE = 500

#: What is lower by no more than this share of a design's size stands beside it.
LOWER = 0.6

#: By which power of the distance designs push each other, and how wide the border is that
#: pushes them back, in cells.
POWER, BORDER = 3, 12

#: Segments of a quarter of a circle in shapes' corners.
ARC = 4


class PackingError(ValueError):
    """Designs that do not fit; the message is one clear line.

    Attributes:
        design: The index of the one that does not fit on a page of its own.
    """

    def __init__(self, message: str, design: int) -> None:
        super().__init__(message)
        self.design = design


@dataclass(frozen=True)
class Spot:
    """Where a design goes.

    Attributes:
        design: Its index.
        place: Its centre on the page.
        size: Its longer side.
        caption: The middle of its caption's upper edge.
    """

    design: int
    place: complex
    size: float
    caption: complex


@dataclass(frozen=True)
class Caption:
    """Room for lettering under a design, centred.

    Attributes:
        width: Width.
        height: Height.
        distance: From the design down to the lettering.
    """

    width: float
    height: float
    distance: float


def weights(designs: Sequence[Design], vary: float | None) -> list[float]:
    """Return how large designs are beside a typical one.

    Args:
        designs: The designs.
        vary: How much their sizes differ: 0 not at all; with 1, twice the ink in proportion
            to the size is twice the size. None: as they did where they were drawn.
    """
    if vary is None:
        drawn = np.array([design.size for design in designs])
        middle = np.median(drawn[drawn > 0]) if drawn.any() else 1.0
        return [float(size / middle) if size else 1.0 for size in drawn]
    ink = np.array([design.ink for design in designs])
    typical = np.median(ink[ink > 0]) if ink.any() else 1.0
    return [float(w) for w in np.clip((ink / typical) ** vary, SMALLEST, LARGEST)]


def pack(
    designs: Sequence[Design],
    captions: Sequence[Caption],
    area: Box,
    gap: float,
    *,
    vary: float | None = 0.0,
    size: float | None = None,
    columns: int | None = None,
    advance: Callable[[float], None] = lambda share: None,
) -> list[list[Spot]]:
    """Place designs on as few pages as possible, more or less in order, as many on each.

    Args:
        designs: The designs.
        captions: What stands under each.
        area: The part of each page that the designs may take up.
        gap: The least distance between designs, lettering included.
        vary: How much their sizes differ, see `weights`.
        size: The longer side of a typical design. None: as large as fits on the pages.
        columns: How many stand side by side, more or less. None: as the page has room.
        advance: Called with the share of the work that is done.

    Returns:
        For each page, where its designs go, in their order.

    Raises:
        PackingError: A design does not fit on a page.
    """
    left, top, right, bottom = area
    gap = gap if gap > NEGLIGIBLE else 0.0
    lattice = _Lattice.over((right - left, bottom - top), gap)
    packer = _Packer(designs, captions, weights(designs, vary), lattice, columns)
    shorter = min(right - left, bottom - top)
    least = size or min(LEAST, LEAST_SHARE * shorter)
    pages, layout = packer.fewest_pages(least, lambda share: advance(0.5 * share))
    if size is None:
        most = max(least, MOST_SHARE * shorter)
        layout = packer.enlarge(
            pages, layout, least, most, lambda share: advance(0.5 + 0.3 * share)
        )
    spots = []
    for i, chunk in enumerate(layout):
        spots.append(packer.spots(chunk, complex(left, top)))
        advance(0.8 + 0.2 * (i + 1) / len(layout))
    return spots


def read(spots: Sequence[Spot]) -> list[Spot]:
    """Put places in the order of reading: row by row, each from left to right.

    To the row of the highest place belongs what has its middle hardly lower.
    """
    left = sorted(spots, key=lambda spot: (spot.place.imag, spot.place.real))
    order: list[Spot] = []
    while left:
        first = left[0]
        row = [
            spot
            for spot in left
            if spot.place.imag - first.place.imag <= LOWER * min(first.size, spot.size)
        ]
        order += sorted(row, key=lambda spot: spot.place.real)
        left = [spot for spot in left if spot not in row]
    return order


@dataclass(frozen=True, eq=False)
class _Footprint:
    """The cells that a design takes up.

    Attributes:
        cells: Which cells, (rows, columns).
        centre: The design's centre, from the top left corner of the cells.
    """

    cells: Cells
    centre: complex


@dataclass(frozen=True)
class _Lattice:
    """The cells of a page. Half the gap is outside of the page: nothing is near there.

    Attributes:
        shape: Rows and columns.
        cell: Width and height of a cell.
        gap: The least distance between designs.
    """

    shape: tuple[int, int]
    cell: Size
    gap: float

    @classmethod
    def over(cls, page: Size, gap: float) -> _Lattice:
        width, height = page[0] + gap, page[1] + gap
        side = max(width, height) / CELLS
        rows, columns = (max(1, round(length / side)) for length in (height, width))
        return cls((rows, columns), (width / columns, height / rows), gap)

    def footprint(self, shape: shapely.Geometry) -> _Footprint:
        """Return the cells of a design that has this shape around its centre."""
        wide, high = self.cell
        # The corners of shapely's circles are on the circle, their sides inside of it.
        shape = shapely.buffer(
            shape, self.gap / 2 / math.cos(math.pi / 4 / ARC), quad_segs=ARC
        )
        left, top, right, bottom = shape.bounds
        slack = 1e-9
        columns = max(1, math.ceil((right - left) / wide - slack))
        rows = max(1, math.ceil((bottom - top) / high - slack))
        x = left + (np.arange(columns) + 0.5) * wide
        y = top + (np.arange(rows) + 0.5) * high
        around = shapely.buffer(shape, math.hypot(wide, high) / 2 * 1.03, quad_segs=ARC)
        shapely.prepare(around)
        cells = shapely.contains_xy(around, *np.meshgrid(x, y))
        return _Footprint(cells, complex(-left, -top))


@dataclass(frozen=True)
class _Chunk:
    """The designs of one page, and the cells that they stand on.

    Attributes:
        first: The index of the first design.
        size: The longer side of a typical design.
        footprints: The footprint of each.
        corners: The row and the column of each footprint's top left cell.
    """

    first: int
    size: float
    footprints: tuple[_Footprint, ...]
    corners: tuple[tuple[int, int], ...]


class _Packer:
    """Packs designs on a lattice."""

    def __init__(
        self,
        designs: Sequence[Design],
        captions: Sequence[Caption],
        weights: Sequence[float],
        lattice: _Lattice,
        columns: int | None,
    ) -> None:
        self.designs = designs
        self.captions = captions
        self.weights = weights
        self.lattice = lattice
        self.columns = columns

    def fewest_pages(
        self, size: float, advance: Callable[[float], None]
    ) -> tuple[int, list[_Chunk]]:
        """Return the least number of pages at a size, and where the designs go.

        Raises:
            PackingError: A design does not fit on a page.
        """
        footprints = self._footprints(size, advance)
        for i, footprint in enumerate(footprints):
            if any(
                f > n for f, n in zip(footprint.cells.shape, self.lattice.shape, strict=True)
            ):
                raise PackingError("does not fit on the page", i)
        area = sum(int(f.cells.sum()) for f in footprints)
        for pages in range(max(1, area // math.prod(self.lattice.shape)), len(footprints)):
            if layout := self._lay_out(pages, size, footprints):
                return pages, layout
        alone = self._lay_out(len(footprints), size, footprints)
        assert alone is not None
        return len(footprints), alone

    def enlarge(
        self,
        pages: int,
        layout: list[_Chunk],
        least: float,
        most: float,
        advance: Callable[[float], None],
    ) -> list[_Chunk]:
        """Return the layout of the largest size that fits on so many pages, with some ease."""
        steps = min(BISECTIONS, PATIENCE // len(self.designs))
        if not steps:
            return layout
        for step in range(steps):
            advance(step / steps)
            size = (least + most) / 2
            larger = self._lay_out(pages, size, self._footprints(size))
            if larger:
                layout, least = larger, size
            else:
                most = size
        eased = EASE * least
        return self._lay_out(pages, eased, self._footprints(eased)) or layout

    def spots(self, chunk: _Chunk, corner: complex) -> list[Spot]:
        """Return where designs go, apart from each other, from a corner of the page on."""
        wide, high = self.lattice.cell
        corner -= complex(self.lattice.gap, self.lattice.gap) / 2
        rounds = min(ROUNDS, PATIENCE // len(self.designs))
        corners = _spread(self.lattice.shape, chunk.footprints, chunk.corners, rounds)
        spots = []
        for i, (row, column) in enumerate(corners):
            design = chunk.first + i
            size = chunk.size * self.weights[design]
            place = complex(column * wide, row * high) + chunk.footprints[i].centre + corner
            top = _caption_top(self.designs[design], size, self.captions[design])
            spots.append(Spot(design, place, size, place + 1j * top))
        return spots

    def _lay_out(
        self, pages: int, size: float, footprints: list[_Footprint]
    ) -> list[_Chunk] | None:
        """Distribute designs on pages; None if they do not fit."""
        bounds = [round(i * len(footprints) / pages) for i in range(pages + 1)]
        chunks = []
        for first, end in pairwise(bounds):
            part = footprints[first:end]
            corners = _place(self.lattice.shape, part, self.columns)
            if corners is None:
                return None
            chunks.append(_Chunk(first, size, tuple(part), tuple(corners)))
        return chunks

    def _footprints(
        self, size: float, advance: Callable[[float], None] = lambda share: None
    ) -> list[_Footprint]:
        footprints = []
        for design, weight, caption in zip(
            self.designs, self.weights, self.captions, strict=True
        ):
            shape = _shape(design, size * weight, caption)
            footprints.append(self.lattice.footprint(shape))
            advance(len(footprints) / len(self.designs))
        return footprints


def _shape(design: Design, size: float, caption: Caption) -> shapely.Geometry:
    """Return the shape of a design and its caption, around the design's centre."""
    outline = design.outline
    if design.size:
        outline = shapely.affinity.scale(outline, size, size, origin=(0, 0))
    if not caption.width:
        return outline
    top = _caption_top(design, size, caption)
    half = caption.width / 2
    return shapely.union(outline, shapely.box(-half, top, half, top + caption.height))


def _caption_top(design: Design, size: float, caption: Caption) -> float:
    """Return how far below the centre of a design its caption begins."""
    return design.depth * (size if design.size else 1.0) + caption.distance


def _place(
    shape: tuple[int, int], footprints: Sequence[_Footprint], columns: int | None
) -> list[tuple[int, int]] | None:
    """Find places in reading order, more or less: the largest designs choose first.

    Returns:
        The top left cell of each, or None if one has found no place.
    """
    if sum(int(f.cells.sum()) for f in footprints) > math.prod(shape):
        return None
    wishes = _rows(shape, footprints, columns)
    taken = np.zeros(shape, bool)
    corners: list[tuple[int, int]] = [(0, 0)] * len(footprints)
    for i in sorted(range(len(footprints)), key=lambda i: -int(footprints[i].cells.sum())):
        cells = footprints[i].cells
        free = _correlate(taken.astype(np.float32), cells) < 0.5
        if not free.any():
            return None
        row, column = np.ogrid[: free.shape[0], : free.shape[1]]
        away = (row + cells.shape[0] / 2 - wishes[i][0]) ** 2 + (
            column + cells.shape[1] / 2 - wishes[i][1]
        ) ** 2
        corners[i] = _least(np.where(free, away, np.inf))
        _stamp(taken, corners[i], cells, True)
    return corners


def _rows(
    shape: tuple[int, int], footprints: Sequence[_Footprint], columns: int | None
) -> list[tuple[float, float]]:
    """Return where the middles of designs would be, set in rows like words in a text."""
    count = len(footprints)
    heights = [f.cells.shape[0] for f in footprints]
    widths = [f.cells.shape[1] for f in footprints]
    proportion = shape[0] / shape[1] * np.mean(widths) / np.mean(heights)
    rows = min(count, max(1, round(math.sqrt(count * proportion))))
    bounds = [round(i * count / rows) for i in range(rows + 1)]
    if columns:
        bounds = [*range(0, count, columns), count]
    tall = [max(heights[first:end]) for first, end in pairwise(bounds)]
    wishes = []
    top = 0.0
    for (first, end), high in zip(pairwise(bounds), tall, strict=True):
        depth = high * shape[0] / sum(tall)
        room = shape[1] / sum(widths[first:end])
        left = 0.0
        for width in widths[first:end]:
            wishes.append((top + depth / 2, left + width * room / 2))
            left += width * room
        top += depth
    return wishes


def _spread(
    shape: tuple[int, int],
    footprints: Sequence[_Footprint],
    corners: Sequence[tuple[int, int]],
    rounds: int,
) -> list[tuple[int, int]]:
    """Move designs, one after the other, to where others and the border push them least."""
    corners = list(corners)
    taken = np.zeros(shape, bool)
    for corner, footprint in zip(corners, footprints, strict=True):
        _stamp(taken, corner, footprint.cells, True)
    push = _Push.on(shape)
    for _ in range(rounds):
        before = list(corners)
        for i, footprint in enumerate(footprints):
            cells = footprint.cells
            _stamp(taken, corners[i], cells, False)
            free = _correlate(taken.astype(np.float32), cells) < 0.5
            row, column = np.ogrid[: free.shape[0], : free.shape[1]]
            far = np.hypot(row - corners[i][0], column - corners[i][1]) > max(cells.shape)
            crowd = _correlate(push.by(taken), cells)
            corners[i] = _least(np.where(free & ~far, crowd, np.inf))
            _stamp(taken, corners[i], cells, True)
        if corners == before:
            break
    return corners


@dataclass(frozen=True, eq=False)
class _Push:
    """How what is on a page, and its border, push others away: by a power of the distance.

    Attributes:
        spectrum: Of the push of a single cell.
        shape: The shape behind the spectrum.
    """

    spectrum: NDArray[np.complex128]
    shape: tuple[int, int]

    @classmethod
    def on(cls, shape: tuple[int, int]) -> _Push:
        rows, columns = (fft.next_fast_len(2 * (n + 2 * BORDER), real=True) for n in shape)
        y = np.minimum(np.arange(rows), rows - np.arange(rows))[:, None]
        x = np.minimum(np.arange(columns), columns - np.arange(columns))
        kernel = 1 / np.maximum(np.hypot(x, y), 1) ** POWER
        return cls(fft.rfft2(kernel), (rows, columns))

    def by(self, taken: Cells) -> Field:
        """Return the push on each cell by those that are taken, and by the border."""
        framed = np.pad(taken, BORDER, constant_values=True).astype(float)
        pushed = fft.irfft2(fft.rfft2(framed, self.shape) * self.spectrum, self.shape)
        rows, columns = taken.shape
        return pushed[BORDER : BORDER + rows, BORDER : BORDER + columns]


def _stamp(taken: Cells, corner: tuple[int, int], cells: Cells, value: bool) -> None:
    """Take the cells of a footprint, or give them back."""
    row, column = corner
    taken[row : row + cells.shape[0], column : column + cells.shape[1]][cells] = value


def _correlate(field: Field, cells: Cells) -> Field:
    """Sum a field over a footprint, wherever that can lie inside of the field."""
    shape = [fft.next_fast_len(n, real=True) for n in field.shape]
    spectrum = fft.rfft2(field, shape) * np.conj(fft.rfft2(cells.astype(field.dtype), shape))
    rows, columns = (n - m + 1 for n, m in zip(field.shape, cells.shape, strict=True))
    return fft.irfft2(spectrum, shape)[: max(0, rows), : max(0, columns)]


def _least(field: Field) -> tuple[int, int]:
    """Return the row and column of the least value; rounding decides nothing."""
    least = field.min()
    row, column = np.argwhere(field <= least + 1e-9 * abs(least))[0]
    return int(row), int(column)
