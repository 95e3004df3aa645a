"""`sketchcomplete`: the rest of a drawing, from its beginning."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer import (
    COMPLETION_GUIDANCE,
    COMPLETION_STRUCTURE_TEMPERATURE,
    COMPLETION_TEMPERATURE,
    COMPLETION_TRIES,
)
from vpype_sketchformer.commands.support import options
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import add, layout, note, page_is_free
from vpype_sketchformer.commands.support.drawing import (
    Box,
    DrawingMemory,
    count_of,
    extend_to,
    guess,
    is_tight,
    lines_of,
    loosen,
    report_guess,
    room_of,
    strokes_of,
)
from vpype_sketchformer.commands.support.pipeline import LayoutCommand
from vpype_sketchformer.commands.support.progress import progress
from vpype_sketchformer.layout.grid import SLACK, Sheet, SheetError, plan_around
from vpype_sketchformer.units import CM, FLATNESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.model.completion import Completion
    from vpype_sketchformer.sketch import Sketch

#: The options that `complete` takes as they are.
STYLE = (
    "temperature",
    "structure_temperature",
    "pen_temperature",
    "guidance",
    "tries",
    "one_line",
    "join",
)


class _Memory(DrawingMemory):
    """What `sketchcomplete` keeps."""

    def complete(
        self,
        strokes: Sequence[NDArray[np.float64]],
        count: int,
        label: str | None,
        room: Box | None,
        values: Mapping[str, Any],
    ) -> Completion:
        """Draw the next completions; each depends on its own number only."""
        from vpype_sketchformer.model.completion import complete

        with progress(count) as advance, self.predicting(values["model"]):
            return complete(
                self.checkpoint(values["model"]),
                strokes,
                self.seeds(values["seed"], count),
                label=label,
                extent=values["extent"],
                room=room,
                progress=advance,
                **{name: values[name] for name in STYLE},
            )


def _check(call: Call[_Memory]) -> None:
    """Refuse values outside their range."""
    extent = call.values["extent"]
    options.check(call)
    call.require(
        not (call.values["clean"] and call.values["one_line"]),
        "clean",
        "it may cut lines in two, and `--one-line` is to be one.",
    )
    call.require(
        extent is None or 0 < extent < math.inf,
        "extent",
        "the extent must be greater than zero.",
    )


@click.command(cls=LayoutCommand)
@options.count_of("variants", "the cells of the grid, or 1")
@click.option(
    "-c",
    "--class",
    "label",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="What the drawing shows (default: guessed from what is there).",
)
@click.option(
    "-e",
    "--extent",
    type=vpype_cli.LengthType(),
    help="Longest side of the finished drawing (default: estimated from what is there).",
)
@click.option(
    "--join",
    is_flag=True,
    help="Let the last line go on where the model wants to, instead of beginning a new one.",
)
@options.temperature_of(COMPLETION_TEMPERATURE)
@options.structure_temperature_of(COMPLETION_STRUCTURE_TEMPERATURE)
@options.pen_temperature
@options.guidance_of(COMPLETION_GUIDANCE)
@options.tries_of(
    COMPLETION_TRIES,
    "Draw each K times, and keep the one that most looks like its class and is likeliest to "
    "the model, of those that fit",
)
@click.option(
    "--one-line",
    is_flag=True,
    help="Add a single line that goes on from the end of the last one.",
)
@click.option(
    "--clean/--no-clean",
    default=False,
    help="For fine pens: leave out what is added as specks on lines or on top of other lines, "
    "cut ends that go a little too far, and lead on those that stop a little short. Dots that "
    "stand alone and your own lines stay as they are (default: --no-clean).",
)
@options.smooth
@options.layer_of("the beginning")
@options.model
@options.seed
@processor(_Memory, _check)
def sketchcomplete(call: Call[_Memory], document: vp.Document) -> vp.Document:
    """Finish a drawing with a model that learnt from human drawings.

    The lines in the pipeline are taken for the beginning of a drawing, in the order in which
    they were drawn. They are left as they are; what the model adds goes to a new layer, in
    the same place and scale, so that another pen can draw it. What the drawing shows and how
    large it is going to be are guessed, unless `--class` and `--extent` tell. The guess is
    printed. A drawing that looks finished, or that no try fits, may get nothing added, less
    often where you tell its class or its extent.

    Where the class is guessed, several variants are drawn as what the drawing may be, in
    proportion to how likely that is, the first as the likeliest; where nothing is missing of
    that, the next likely class has its turn. What is added for each class has a layer of its
    own, which it names.

    Several variants make a sheet: the first cell lies around your drawing, which stays in its
    place, the others follow to the right and below, and hold copies of it. The copies lie on
    the layers that they are copies of. A `grid NX NY` right behind the command gives the
    columns and rows; its `-o DX DY` gives the size of a cell, by default a little more than
    the drawings need. There is no `end` then: a `grid` that is closed by an `end` is vpype's
    own block. Without a grid the sheet is nearly square.

    The page stays as it is for one drawing, and grows where a sheet needs it, unless the
    `grid` has its option `-k`. Where there is no page size yet, one is set. A page that is
    just the box around the lines, as `write` makes where there is none, is no limit: it grows
    to hold the finished drawing, and everything moves where that begins further up or to the
    left. `layout` behind the command centres everything on the paper.

    The same seed, model, options and beginning give the same completion. These properties
    say how it was drawn:

    \b
        sketchformer_seed, sketchformer_model,
        sketchformer_class (one for each variant),
        sketchformer_guess (the likeliest classes, where none was given),
        sketchformer_extent (in pixels), sketchformer_temperature,
        sketchformer_structure_temperature, sketchformer_pen_temperature,
        sketchformer_guidance, sketchformer_tries, sketchformer_one_line,
        sketchformer_join
        svg_dc_description: the command with its seed (kept by `write -r`)

    A plain `write` notes the seed beside the command line in the file.

    Examples:

        Finish a drawing, in a file that shows it:

            vpype read partial.svg sketchcomplete write out.svg

        The same for a plotter that speaks G-code:

            vpype read partial.svg sketchcomplete gwrite cnc.gcode

        Six ways to make a cat of it, in 3 columns and 2 rows:

    \b
            vpype read partial.svg sketchcomplete -c cat grid 3 2 \\
                write cats.svg

        The same, centred on an A4 page:

    \b
            vpype read partial.svg sketchcomplete -n 6 -c cat \\
                layout -m 1cm a4 write cats.svg

        A circle of 2cm becomes a flower of 6cm:

    \b
            vpype circle 5cm 5cm 1cm sketchcomplete -c flower --extent 6cm \\
                write out.svg

        Go on with the last line, and never lift the pen:

            vpype read partial.svg sketchcomplete --one-line write line.svg

        Finish what is on layer 2, whatever else is on the page:

            vpype read partial.svg sketchcomplete --layer 2 write out.svg

        Every layer is a drawing of its own:

            vpype read partial.svg forlayer sketchcomplete end write out.svg

        Finish all drawings in a folder:

    \b
            vpype forfile "*.svg" read %_path% sketchcomplete \\
                write done_%_name% ldelete all end
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    memory, values, place = call.memory, call.values, call.place
    label = values["label"]
    if label is not None:
        known = memory.checkpoint(values["model"]).classes
        label = options.find_class(call.ctx, "label", label, known, "sketchgen --list-classes")
    grid, cell = layout(call)
    count = count_of(call, grid, "variants")
    beginning = lines_of(call, document, values["layer"])
    if not any(beginning.values()) and place.block("forlayer"):
        return document
    strokes = strokes_of(beginning, place)
    _check_extent(values["extent"], strokes)
    tight = is_tight(document, place)
    room = None if tight else room_of(document, strokes)
    completion = memory.complete(strokes, count, label, room, values)
    _report(memory, completion)
    added = completion.smoothed(FLATNESS) if values["smooth"] else completion.sketches
    if values["clean"]:
        added = [_cleaned(sketch, strokes) for sketch in added]
    if room is not None:
        added = [_crop(memory, sketch, room) for sketch in added]
    sheet = _plan(strokes, added, count, grid=grid, cell=cell)
    for i in range(1, count):
        dx, dy = sheet.offset(i)
        for source, lines in beginning.items():
            document.add([line + complex(dx, dy) for line in lines], source)
    for name in dict.fromkeys(sketch.label for sketch in added):
        layer = f"completion: {name}"
        lid = memory.layer_id(layer, document)
        for i, sketch in enumerate(added):
            if sketch.label == name and sketch.strokes:
                add(document, sketch.moved(*sheet.offset(i)), lid, layer)
    _note(document, completion, call)
    if count > 1 or page_is_free(document):
        extend_to(memory, document, sheet, place)
    if tight:
        loosen(memory, document)
    return document


def _check_extent(extent: float | None, strokes: Sequence[NDArray[np.float64]]) -> None:
    """Refuse an extent that the drawing has already."""
    from vpype_sketchformer.model.completion import bounds

    _, size = bounds(strokes)
    if extent is not None and extent < size - SLACK:
        raise click.BadParameter(
            f"{extent / CM:.4g} cm is less than the drawing has already, {size / CM:.4g} cm.",
            param_hint="--extent",
        )


def _plan(
    strokes: Sequence[NDArray[np.float64]],
    added: Sequence[Sketch],
    count: int,
    **cells: Any,
) -> Sheet:
    """Lay out the sheet, with room for the largest of the variants in every cell."""
    points = np.concatenate([*strokes, *(s for sketch in added for s in sketch.strokes)])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    try:
        return plan_around((left, top, right, bottom), count, **cells)
    except SheetError as error:
        raise click.UsageError(str(error)) from error


def _report(memory: Memory, completion: Completion) -> None:
    """Say what the drawing was taken for, and what is not as one would expect."""
    report_guess(memory, completion.ranking)
    if completion.thinned:
        memory.warn(
            "thinned",
            "the drawing has more detail than the model can take in: it looked at a "
            "simpler one; your lines stay as they are",
        )
    first = completion.sketches[0]
    if completion.ranking and first.label != completion.ranking[0][0]:
        click.echo(
            f"{memory.command}: nothing is missing of {completion.ranking[0][0]}: drawn as "
            f"{first.label}; `--class` makes it what you say",
            err=True,
        )
    bare = sum(not sketch.strokes for sketch in completion.sketches)
    if bare:
        count = len(completion.sketches)
        click.echo(
            f"{memory.command}: {f'{bare} of {count} times ' if count > 1 else ''}nothing "
            "was added, the drawing looks finished; try another `--seed` or `--class`, "
            "or a larger `--extent`",
            err=True,
        )
    memory.warn_of_cuts(completion.sketches)


def _cleaned(sketch: Sketch, strokes: Sequence[NDArray[np.float64]]) -> Sketch:
    """Clean what was added to strokes; what that needs is loaded only then."""
    from vpype_sketchformer.cleaning import CleaningError, clean_sketch

    try:
        return clean_sketch(sketch, strokes)
    except CleaningError as error:
        raise click.UsageError(str(error)) from error


def _crop(memory: Memory, sketch: Sketch, room: Box) -> Sketch:
    """Cut off what lies beyond the page: there is no paper."""
    lines = vp.LineCollection(stroke @ [1, 1j] for stroke in sketch.strokes)
    left, top, right, bottom = lines.bounds() or room
    if left >= room[0] and top >= room[1] and right <= room[2] and bottom <= room[3]:
        return sketch
    memory.warn(
        "page",
        "what reached beyond the page was cut off; a larger page, by `pagesize` or "
        "`layout` before the command, gives it room",
    )
    lines.crop(*room)
    return replace(sketch, strokes=tuple(vp.as_vector(line) for line in lines))


def _note(document: vp.Document, completion: Completion, call: Call[_Memory]) -> None:
    """Note in the document how it was completed."""
    note(
        document,
        call,
        {name: call.values[name] for name in ("seed", "model", *STYLE)}
        | {
            "class": ", ".join(sketch.label for sketch in completion.sketches),
            "guess": guess(completion.ranking),
            "extent": completion.extent,
        },
    )
