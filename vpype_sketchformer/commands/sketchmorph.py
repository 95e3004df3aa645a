"""`sketchmorph`: the steps from one drawing to another."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer import (
    CALM_STRUCTURE_TEMPERATURE,
    CALM_TEMPERATURE,
    CALM_TRIES,
    MORPH_GUIDANCE,
)
from vpype_sketchformer.commands.support import options
from vpype_sketchformer.commands.support.command import Call, processor
from vpype_sketchformer.commands.support.document import (
    add,
    fit_page,
    frame_of,
    layout,
    note,
    plan_sheet,
)
from vpype_sketchformer.commands.support.drawing import (
    FREEDOM,
    Lines,
    SeeingMemory,
    count_of,
    extend_to,
    is_tight,
    lines_of,
    loosen,
    strokes_of,
)
from vpype_sketchformer.commands.support.pipeline import LayoutCommand
from vpype_sketchformer.commands.support.progress import part_of, progress
from vpype_sketchformer.layout.grid import Sheet, SheetError, plan_around

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.model.varying import Seen
    from vpype_sketchformer.sketch import Sketch

#: How many steps there are where nobody says.
STEPS = 8


def _check(call: Call[SeeingMemory]) -> None:
    """Refuse values outside their range."""
    count, size = call.values["count"], call.values["size"]
    options.check(call)
    call.require(count is None or count >= 2, "count", f"{count} is not at least 2.")
    call.require(
        size is None or 0 < size < math.inf, "size", "the size must be greater than zero."
    )


@click.command(cls=LayoutCommand)
@options.count_of("steps, both ends among them", f"the cells of the grid, or {STEPS}")
@click.option(
    "--from",
    "first",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="Begin with an invented drawing of this class.",
)
@click.option(
    "--to",
    "last",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="End with an invented drawing of this class.",
)
@click.option(
    "-l",
    "--layers",
    type=vpype_cli.LayerType(accept_multiple=True),
    metavar="A,B",
    help="The layers of the two drawings, in this order; with --from or --to, those of the "
    "one drawing (default: all).",
)
@click.option(
    "--ease",
    is_flag=True,
    help="Begin and end with small steps, and take larger ones halfway.",
)
@click.option(
    "-s",
    "--size",
    type=vpype_cli.LengthType(),
    help="Longest side of a sketch where both ends are invented (default: 4cm, or less where "
    "a cell is too small).",
)
@options.temperature_of(CALM_TEMPERATURE)
@options.structure_temperature_of(CALM_STRUCTURE_TEMPERATURE)
@options.pen_temperature
@options.guidance_of(MORPH_GUIDANCE)
@options.tries_of(
    CALM_TRIES, "Draw what lies on the way K times, and go where the steps are short and even"
)
@options.smooth
@options.model
@options.seed
@processor(SeeingMemory, _check)
def sketchmorph(call: Call[SeeingMemory], document: vp.Document) -> vp.Document:
    """Draw the steps by which one drawing turns into another.

    Between two drawings in the pipeline, each on a layer of its own: the first stays in its
    place, what lies between follows to the right, each a step nearer to the second, which is
    moved to the end. Or between two classes: `--from` and `--to` name them, and both ends are
    invented. Or from a drawing to a class, or the other way: give one of the two.

    A model that learnt from human drawings draws many things that lie between the two, and
    those are kept that lead from the one to the other in short and even steps. Another
    `--seed` finds another way.

    The steps make one row, or the `grid NX NY` right behind the command, row by row; its
    `-o DX DY` gives the size of a cell, by default a little more than the drawings need.
    There is no `end` then: a `grid` that is closed by an `end` is vpype's own block. What is
    drawn has a layer of its own; drawings of yours keep theirs.

    With drawings of yours, the page grows where the row needs it, unless the `grid` has its
    option `-k`. With classes, a row is centred on the page, or makes it where there is none;
    inside a `grid` block it fills the cell, and another one is drawn each time.

    The same seed, model, options and drawings give the same steps. These properties say how
    they were drawn:

    \b
        sketchformer_seed, sketchformer_model,
        sketchformer_class (of both ends), sketchformer_ease,
        sketchformer_temperature, sketchformer_structure_temperature,
        sketchformer_pen_temperature, sketchformer_guidance,
        sketchformer_tries
        svg_dc_description: the command with its seed (kept by `write -r`)

    A plain `write` notes the seed beside the command line in the file.

    Examples:

        From the drawing on one layer to that on another:

            vpype read two.svg sketchmorph write steps.svg

        Eight steps from a cat to a rabbit:

            vpype sketchmorph --from cat --to rabbit -n 8 write steps.svg

        Twelve from your own drawing to a teapot, in 4 columns and 3 rows:

            vpype read cat.svg sketchmorph --to teapot grid 4 3 write out.svg

        Two files:

    \b
            vpype read -l 1 cat.svg read -l 2 drawing.svg \\
                sketchmorph -l 1,2 -n 10 write out.svg

        Four ways from a fish to a bird, one below the other:

    \b
            vpype grid -o 24cm 4cm 1 4 \\
                sketchmorph --from fish --to bird -n 6 end write ways.svg
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    memory, values, place = call.memory, call.values, call.place
    model = values["model"]
    grid, cell = layout(call)
    call.require(grid is None or math.prod(grid) > 1, "count", "a way has 2 steps or more.")
    count = STEPS if grid is None and not values["count"] else count_of(call, grid, "steps")
    known = memory.checkpoint(model).classes
    named = {
        name: values[name]
        and options.find_class(call.ctx, name, values[name], known, "sketchgen --list-classes")
        for name in ("first", "last")
    }
    drawings = _drawings(call, document, [name for name in named if not named[name]])
    if drawings is None:
        return document
    ends = {
        name: named[name] or memory.see(model, strokes_of(drawings[name], place))
        for name in named
    }
    sketches = _morph(call, (ends["first"], ends["last"]), count)
    memory.warn_of_cuts(sketches)
    titles = [end if isinstance(end, str) else end.label or "?" for end in ends.values()]
    name = " to ".join(titles)
    lid = memory.layer_id(name, document)
    cells = {"grid": grid or (count, 1), "cell": cell}
    if drawings:
        tight = is_tight(document, place)
        sheet, sizes = _plan(list(ends.values()), sketches, count, **cells)
        begin = int("first" in drawings)
        placed = [
            replace(sheet, size=sizes[i]).place(sketch, i, values["smooth"])
            for i, sketch in enumerate(sketches, begin)
        ]
        if "last" in drawings:
            _move(document, drawings["last"], sheet.middle(count - 1))
    else:
        frame = frame_of(call)
        sheet = plan_sheet(document, frame, count, size=values["size"], **cells)
        placed = [sheet.place(s, i, values["smooth"]) for i, s in enumerate(sketches)]
    for sketch in placed:
        add(document, sketch, lid, name)
    note(
        document,
        call,
        {name: values[name] for name in ("seed", "model", "ease", "tries", *FREEDOM)}
        | {"class": ", ".join(titles)},
    )
    if drawings:
        extend_to(memory, document, sheet, place)
        if tight:
            loosen(memory, document)
    elif not frame:
        fit_page(document, sheet, place)
    return document


def _drawings(
    call: Call[SeeingMemory], document: vp.Document, ends: Sequence[str]
) -> dict[str, Lines] | None:
    """Return the lines of the ends that are drawings.

    Returns:
        What there is by the end's name; None in a `forlayer` where there is nothing.
    """
    layers = call.values["layers"]
    call.require(
        bool(ends) or layers is None, "layers", "with --from and --to there are no drawings."
    )
    if not ends:
        return {}
    every = vpype_cli.LayerType.ALL
    lines = lines_of(call, document, every if layers is None else layers, "layers")
    if layers in (None, every):
        lines = {lid: content for lid, content in lines.items() if content}
    if not lines and call.place.block("forlayer"):
        return None
    if len(ends) == 1:
        option = {"first": "--from", "last": "--to"}[ends[0]]
        if not any(lines.values()):
            raise click.UsageError(
                f"there is no drawing: `read` one, or name a class by `{option}` as well."
            )
        return {ends[0]: lines}
    lids = list(dict.fromkeys(lines if layers in (None, every) else layers))
    if len(lids) != 2:
        raise click.UsageError(
            f"two drawings are needed, on two layers, not on {len(lids)}: name them by "
            "`--layers A,B`, or a class by `--from` or `--to`."
        )
    return {end: {lid: lines[lid]} for end, lid in zip(ends, lids, strict=True)}


def _morph(
    call: Call[SeeingMemory], ends: tuple[Seen | str, Seen | str], count: int
) -> list[Sketch]:
    """Draw the steps between two ends."""
    from vpype_sketchformer.model.varying import morph

    memory, values = call.memory, call.values
    (seed,) = memory.seeds(values["seed"], 1)
    with progress(count) as advance, memory.predicting(values["model"]):
        return morph(
            memory.checkpoint(values["model"]),
            ends,
            count,
            seed,
            tries=values["tries"],
            ease=values["ease"],
            progress=part_of(advance, count),
            **{name: values[name] for name in FREEDOM},
        )


def _plan(
    ends: Sequence[Seen | str], sketches: Sequence[Sketch], count: int, **cells: Any
) -> tuple[Sheet, NDArray[np.float64]]:
    """Lay out a sheet that begins in the place of the first drawing.

    Returns:
        The sheet, and the longer sides of the steps, (count,): they grow or shrink evenly.
    """
    boxes = [
        np.array([points.min(axis=0), points.max(axis=0)])
        for points in (np.concatenate(end.strokes) for end in ends if not isinstance(end, str))
    ]
    extents = [high - low for low, high in boxes]
    sizes = np.geomspace(extents[0].max(), extents[-1].max(), count)
    begin = int(not isinstance(ends[0], str))
    drawn = [
        sketch.fitted(size).bounds[2:]
        for sketch, size in zip(sketches, sizes[begin:], strict=False)
    ]
    half = np.max([*extents, *drawn], axis=0) / 2
    middle = boxes[0].mean(axis=0)
    try:
        return plan_around((*(middle - half), *(middle + half)), count, **cells), sizes
    except SheetError as error:
        raise click.UsageError(str(error)) from error


def _move(document: vp.Document, lines: Lines, middle: tuple[float, float]) -> None:
    """Move a drawing of the user's: its box's middle is to lie there."""
    points = np.concatenate([line for content in lines.values() for line in content])
    places = np.column_stack([points.real, points.imag])
    move = np.array(middle) - (places.min(axis=0) + places.max(axis=0)) / 2
    for lid in lines:
        document.layers[lid].translate(*move)
