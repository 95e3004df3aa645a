"""`sketchvary`: others like a drawing."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer import (
    CALM_GUIDANCE,
    CALM_STRUCTURE_TEMPERATURE,
    CALM_TEMPERATURE,
    CALM_TRIES,
    DEFAULT_AMOUNT,
)
from vpype_sketchformer.commands.support import options
from vpype_sketchformer.commands.support.command import Call, processor
from vpype_sketchformer.commands.support.document import add, layout, note, page_is_free
from vpype_sketchformer.commands.support.drawing import (
    FREEDOM,
    Box,
    Lines,
    SeeingMemory,
    count_of,
    extend_to,
    guess,
    is_tight,
    lines_of,
    loosen,
    room_of,
    strokes_of,
)
from vpype_sketchformer.commands.support.pipeline import LayoutCommand
from vpype_sketchformer.commands.support.progress import progress
from vpype_sketchformer.layout.grid import Sheet, SheetError, plan_around

if TYPE_CHECKING:
    from vpype_sketchformer.model.varying import Seen
    from vpype_sketchformer.sketch import Sketch


def _check(call: Call[SeeingMemory]) -> None:
    """Refuse values outside their range."""
    amount = call.values["amount"]
    options.check(call)
    call.require(0 <= amount <= 1, "amount", f"{amount:g} is not between 0 and 1.")


@click.command(cls=LayoutCommand)
@options.count_of("variations", "the cells of the grid, or 1")
@click.option(
    "-a",
    "--amount",
    type=vpype_cli.FloatType(),
    default=str(DEFAULT_AMOUNT),
    help="How different they are: from 0, nearly the same, to 1, another of its kind "
    f"(default: {DEFAULT_AMOUNT}).",
)
@click.option(
    "-c",
    "--class",
    "label",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="What the drawing shows (default: guessed).",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Put the variations in the drawing's place, instead of beside it.",
)
@options.temperature_of(CALM_TEMPERATURE)
@options.structure_temperature_of(CALM_STRUCTURE_TEMPERATURE)
@options.pen_temperature
@options.guidance_of(CALM_GUIDANCE)
@options.tries_of(
    CALM_TRIES,
    "Draw each variation K times, and keep the one that comes out as it was meant to be: of "
    "the drawing's class, and as like it as asked for",
)
@options.smooth
@options.layer_of("the drawing")
@options.model
@options.seed
@processor(SeeingMemory, _check)
def sketchvary(call: Call[SeeingMemory], document: vp.Document) -> vp.Document:
    """Draw variations of a drawing: others that are like it, not the same.

    The lines in the pipeline are taken for one drawing, whoever drew it. A model that learnt
    from human drawings looks at it, and draws it anew: with `--amount 0` nearly as it is,
    with 1 as any other of its kind. What it shows is guessed, unless `--class` tells, and the
    guess is printed; where it shows nothing that the model knows, its looks alone count.

    Each variation is as large as the drawing. They make a sheet, nearly square, that begins
    to the right of the drawing, on a layer of its own, so that another pen can draw it; the
    drawing stays as it is. With `--replace` the sheet begins in the drawing's own place, on
    the first of its layers, and its lines are gone. A `grid NX NY` right behind the command
    gives columns and rows; its `-o DX DY` gives the size of a cell, by default a little more
    than the drawings need. There is no `end` then: a `grid` that is closed by an `end` is
    vpype's own block. Inside a block the command draws other variations each time.

    The page grows where the sheet needs it, unless the `grid` has its option `-k`. Where
    there is no page size yet, one is set.

    The model draws strokes of few points, as people do with a finger: of a drawing with more
    detail it sees and draws a simpler one.

    The same seed, model, options and drawing give the same variations. These properties say
    how they were drawn:

    \b
        sketchformer_seed, sketchformer_model, sketchformer_class,
        sketchformer_guess (the likeliest classes, where none was given),
        sketchformer_amount, sketchformer_temperature,
        sketchformer_structure_temperature, sketchformer_pen_temperature,
        sketchformer_guidance, sketchformer_tries
        svg_dc_description: the command with its seed (kept by `write -r`)

    A plain `write` notes the seed beside the command line in the file.

    Examples:

        Another one, beside the drawing:

            vpype read cat.svg sketchvary write out.svg

        Twelve, in 4 columns and 3 rows:

    \b
            vpype read cat.svg sketchvary -n 12 --amount 0.5 grid 4 3 \\
                write twelve.svg

        From nearly the same to any other of its kind:

    \b
            vpype grid -o 6cm 6cm 6 1 read cat.svg \\
                sketchvary --replace --amount "%_i/5%" end write more.svg

        Every layer is a drawing of its own, and another one takes its place:

    \b
            vpype read drawings.svg forlayer sketchvary --replace end \\
                write out.svg

        Variations of what is invented:

            vpype sketchgen -c owl sketchvary grid 4 4 write owls.svg
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    memory, values, place = call.memory, call.values, call.place
    grid, cell = layout(call)
    count = count_of(call, grid, "variations")
    lines = lines_of(call, document, values["layer"])
    if not any(lines.values()) and place.block("forlayer"):
        return document
    label = values["label"]
    if label is not None:
        known = memory.checkpoint(values["model"]).classes
        label = options.find_class(call.ctx, "label", label, known, "sketchgen --list-classes")
    seen = memory.see(values["model"], strokes_of(lines, place), label)
    sketches = _vary(call, seen, count)
    memory.warn_of_cuts(sketches)
    tight = is_tight(document, place)
    sheet = _plan(seen, sketches, grid=grid, cell=cell)
    if not values["replace"]:
        sheet = sheet.moved(sheet.cell[0], 0.0)
    placed = [sheet.place(sketch, i, values["smooth"]) for i, sketch in enumerate(sketches)]
    if not tight:
        sheet, placed = _onto_page(sheet, placed, room_of(document, seen.strokes))
    name = f"variation: {seen.label or 'of its looks'}"
    lid = _clear(document, lines) if values["replace"] else memory.layer_id(name, document)
    for sketch in placed:
        add(document, sketch, lid, name)
    note(
        document,
        call,
        {name: values[name] for name in ("seed", "model", "amount", "tries", *FREEDOM)}
        | {"class": seen.label, "guess": guess(seen.ranking)},
    )
    if not values["replace"] or count > 1 or page_is_free(document):
        extend_to(memory, document, sheet, place)
    if tight:
        loosen(memory, document)
    return document


def _vary(call: Call[SeeingMemory], seen: Seen, count: int) -> list[Sketch]:
    """Draw the next variations."""
    from vpype_sketchformer.model.varying import vary

    memory, values = call.memory, call.values
    tries = values["tries"]
    with progress(count * tries) as advance, memory.predicting(values["model"]):
        return vary(
            memory.checkpoint(values["model"]),
            seen,
            values["amount"],
            memory.seeds(values["seed"], count),
            tries=tries,
            progress=advance,
            **{name: values[name] for name in FREEDOM},
        )


def _plan(seen: Seen, sketches: Sequence[Sketch], **cells: Any) -> Sheet:
    """Lay out a sheet that begins in the drawing's place, with room for the largest."""
    points = np.concatenate(seen.strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    boxes = [sketch.fitted(size).bounds[2:] for sketch in sketches]
    half = np.max([high - low, *boxes], axis=0) / 2
    middle = (low + high) / 2
    try:
        return plan_around((*(middle - half), *(middle + half)), len(sketches), **cells)
    except SheetError as error:
        raise click.UsageError(str(error)) from error


def _onto_page(
    sheet: Sheet, placed: Sequence[Sketch], room: Box | None
) -> tuple[Sheet, list[Sketch]]:
    """Move what reaches beyond the page's left and upper edge onto the page."""
    if room is None:
        return sheet, list(placed)
    low = np.min([sketch.bounds[:2] for sketch in placed], axis=0)
    move = np.maximum(np.array(room[:2]) - low, 0.0)
    return sheet.moved(*move), [sketch.moved(*move) for sketch in placed]


def _clear(document: vp.Document, lines: Lines) -> int:
    """Take the lines out of their layers, which stay, and return the first of these."""
    for lid in lines:
        document.layers[lid] = document.layers[lid].clone([])
    return next(lid for lid, content in lines.items() if content)
