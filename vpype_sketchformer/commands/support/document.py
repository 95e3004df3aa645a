"""What commands do with the document: pages, layers, and notes of how it was drawn."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import vpype as vp
from click.core import ParameterSource

from vpype_sketchformer.commands.support.command import Call
from vpype_sketchformer.commands.support.parameters import evaluate, require
from vpype_sketchformer.commands.support.pipeline import Place
from vpype_sketchformer.layout.grid import Sheet, SheetError, plan, plan_inside
from vpype_sketchformer.wording import plain

if TYPE_CHECKING:
    from vpype_sketchformer.sketch import Sketch

#: Prefix of the document's properties that say how it was drawn.
PREFIX = "sketchformer_"

#: The property that an SVG keeps: the commands that draw the sketches again.
DESCRIPTION = "svg_dc_description"


def layout(call: Call[Any]) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """Return columns and rows of the `grid` behind a command, and its cell, as far as given.

    Raises:
        click.BadParameter: There are no cells, or they have no size.
    """
    grid = call.place.layout
    if grid is None:
        return None, None
    values = evaluate(call.state, grid, grid.params)
    number, offset = values["number"], values["offset"]
    require(min(number) >= 1, grid, "number", "a grid has 1 cell or more.")
    require_lengths(grid, offset)
    given = grid.get_parameter_source("offset") is not ParameterSource.DEFAULT
    return number, offset if given else None


def frame_of(call: Call[Any]) -> tuple[float, float] | None:
    """Return the size of the cell of vpype's own `grid` around a command."""
    grid = call.place.block("grid")
    if grid is None:
        return None
    offset: tuple[float, float] = evaluate(call.state, grid, grid.params)["offset"]
    require_lengths(grid, offset)
    return offset


def plan_sheet(
    document: vp.Document,
    frame: tuple[float, float] | None,
    count: int,
    **cells: Any,
) -> Sheet:
    """Lay out a sheet in its frame, on the document's page, or where neither is, freely.

    Raises:
        click.UsageError: It has no room.
    """
    try:
        if frame is not None:
            return plan_inside(frame, count, **cells)
        return plan(
            count, page=None if page_is_free(document) else document.page_size, **cells
        )
    except SheetError as error:
        raise click.UsageError(str(error)) from error


def fit_page(document: vp.Document, sheet: Sheet, place: Place) -> None:
    """Make the page as large as a sheet, where it may grow and is not to be tight or kept."""
    grows = page_is_free(document) and document.page_size != (0.0, 0.0)
    if grows and not keeps_page_size(place):
        extend_page(document, sheet.extent)


def require_lengths(grid: click.Context, offset: tuple[float, float]) -> None:
    """Refuse the offset of a `grid` unless cells of that size can hold something.

    Raises:
        click.BadParameter: They cannot.
    """
    for length in offset:
        require(0 < length < math.inf, grid, "offset", "a cell must be greater than zero.")


def keeps_page_size(place: Place) -> bool:
    """Tell whether the `grid` behind a command asks to leave the page as it is."""
    return place.layout is not None and bool(place.layout.params["keep_page_size"])


def page_is_free(document: vp.Document) -> bool:
    """Tell whether the page may grow: it is not set, tight, or set by this plug-in itself."""
    own = document.property(f"{PREFIX}page_size")
    return document.page_size in (None, (0.0, 0.0), own)


def extend_page(document: vp.Document, size: tuple[float, float]) -> None:
    """Make the page at least this large, and note if all of it is this plug-in's doing."""
    free = page_is_free(document)
    document.extend_page_size(size)
    if free:
        document.set_property(f"{PREFIX}page_size", document.page_size)


def add(document: vp.Document, sketch: Sketch, layer_id: int, name: str) -> None:
    """Add a sketch to a layer, and name the layer where it has no name."""
    lines = [stroke[:, 0] + 1j * stroke[:, 1] for stroke in sketch.strokes]
    document.add(vp.LineCollection(lines), layer_id)
    layer = document.layers[layer_id]
    if not layer.property_exists(vp.METADATA_FIELD_NAME):
        layer.set_property(vp.METADATA_FIELD_NAME, plain(name))


def note(document: vp.Document, call: Call[Any], properties: Mapping[str, Any]) -> None:
    """Note in the document how it was drawn.

    Args:
        document: The document.
        call: The call of the command that has drawn it.
        properties: What the drawing depends on; among it the ``seed``.
    """
    for name, value in properties.items():
        text = isinstance(value, str)
        document.set_property(f"{PREFIX}{name}", plain(value) if text else value)
    typed, seed = list(call.place.arguments), ("--seed", str(properties["seed"]))
    if seed not in itertools.pairwise(typed):
        typed.extend(seed)
    line = plain(shlex.join([call.memory.command, *typed, *call.place.layout_arguments]))
    # Of all the document's properties, `write -r` and `read` keep those of this form.
    known = document.property(DESCRIPTION) or ""
    if line not in known:
        document.set_property(DESCRIPTION, "; ".join(filter(None, [known, line])))
