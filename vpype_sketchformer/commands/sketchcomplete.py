"""`sketchcomplete`: the rest of a drawing, from its beginning."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support import options
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import (
    add,
    extend_page,
    keeps_page_size,
    layout,
    note,
    page_is_free,
)
from vpype_sketchformer.commands.support.pipeline import LayoutCommand, Place, layers_around
from vpype_sketchformer.commands.support.progress import progress
from vpype_sketchformer.layout.grid import SLACK, Sheet, SheetError, plan_around
from vpype_sketchformer.units import CM, FLATNESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.model.completion import Completion
    from vpype_sketchformer.sketch import Sketch

Box = tuple[float, float, float, float]

#: The options that `complete` takes as they are.
STYLE = (
    "temperature",
    "structure_temperature",
    "pen_temperature",
    "guidance",
    "best_of",
    "one_line",
    "join",
)
#: A page is the box around the lines if it differs by less, in pixels.
TIGHT = 1.0
#: How many classes are named where the class is guessed.
GUESSES = 3


@dataclass
class _Memory(Memory):
    """What `sketchcomplete` keeps.

    Attributes:
        drawn: How many completions have been drawn with each seed.
        layers: The layers that they lie on, by name.
    """

    drawn: Counter[int] = field(default_factory=Counter)
    layers: dict[str, int] = field(default_factory=dict)

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

        seed, first = values["seed"], self.drawn[values["seed"]]
        with progress(count) as advance, self.predicting(values["model"]):
            completion = complete(
                self.checkpoint(values["model"]),
                strokes,
                [np.random.SeedSequence(seed, spawn_key=(first + i,)) for i in range(count)],
                label=label,
                extent=values["extent"],
                room=room,
                progress=advance,
                **{name: values[name] for name in STYLE},
            )
        self.drawn[seed] += count
        return completion

    def layer_id(self, name: str, document: vp.Document) -> int:
        """Return a layer for completions that holds nothing else: above all others."""
        shown, result = layers_around()
        taken = shown | {i for i in document.ids() if not _is_vacant(document[i], name)}
        if name not in self.layers or self.layers[name] in taken:
            self.layers[name] = max({0, *document.ids(), *shown, *result}) + 1
        return self.layers[name]


def _check(call: Call[_Memory]) -> None:
    """Refuse values outside their range."""
    extent = call.values["extent"]
    options.check(call)
    call.require(
        extent is None or 0 < extent < math.inf,
        "extent",
        "the extent must be greater than zero.",
    )


@click.command(cls=LayoutCommand)
@click.option(
    "-n",
    "--count",
    type=vpype_cli.IntegerType(),
    metavar="N",
    help="Number of variants (default: the cells of the grid, or 1).",
)
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
@options.temperature
@options.structure_temperature
@options.pen_temperature
@options.guidance
@options.best_of
@click.option(
    "--one-line",
    is_flag=True,
    help="Add a single line that goes on from the end of the last one.",
)
@options.smooth
@click.option(
    "-l",
    "--layer",
    type=vpype_cli.LayerType(accept_multiple=True),
    default="all",
    help="Layer(s) that hold the beginning, or 'all' (default: all).",
)
@options.model
@options.seed
@processor(_Memory, _check)
def sketchcomplete(call: Call[_Memory], document: vp.Document) -> vp.Document:
    """Finish a drawing with a model that learnt from human drawings.

    The lines in the pipeline are taken for the beginning of a drawing, in the order in which
    they were drawn. They are left as they are; what the model adds goes to a new layer, in
    the same place and scale, so that another pen can draw it. What the drawing shows and how
    large it is going to be are guessed, unless `--class` and `--extent` tell. The guess is
    printed. A drawing that looks finished may get nothing added.

    Where the class is guessed, several variants are drawn as what the drawing may be, in
    proportion to how likely that is, the first as the likeliest; what is added for each class
    has a layer of its own, which it names.

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
        sketchformer_guidance, sketchformer_best_of, sketchformer_one_line,
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
    count = _count(call, grid)
    beginning = _beginning(call, document)
    if not any(beginning.values()) and place.block("forlayer"):
        return document
    strokes = _strokes(beginning, values["extent"], place)
    tight = _is_tight(document, place)
    room = None if tight else _room(document, strokes)
    completion = memory.complete(strokes, count, label, room, values)
    _report(memory, completion)
    added = completion.smoothed(FLATNESS) if values["smooth"] else completion.sketches
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
        _extend_page(document, sheet, place)
    if tight:
        _loosen(memory, document)
    return document


def _count(call: Call[_Memory], grid: tuple[int, int] | None) -> int:
    """Return the number of variants."""
    count: int | None = call.values["count"]
    cells = math.prod(grid) if grid else count or 1
    call.require(
        count is None or count <= cells,
        "count",
        f"{count} variants do not fit into a grid of {cells} cells.",
    )
    return count or cells


def _beginning(
    call: Call[_Memory], document: vp.Document
) -> dict[int, list[NDArray[np.complex128]]]:
    """Return the lines to begin with, by layer."""
    layers: int | list[int] = call.values["layer"]
    lids = sorted(document.ids()) if layers == vpype_cli.LayerType.ALL else layers
    assert isinstance(lids, list)
    for lid in lids:
        call.require(lid in document.layers, "layer", f"layer {lid} does not exist.")
    return {lid: list(document.layers[lid]) for lid in sorted(set(lids))}


def _strokes(
    beginning: Mapping[int, Sequence[NDArray[np.complex128]]],
    extent: float | None,
    place: Place,
) -> list[NDArray[np.float64]]:
    """Return the lines as strokes of x, y, fit to begin with."""
    from vpype_sketchformer.model.completion import CompletionError, bounds, clean

    lines = itertools.chain.from_iterable(beginning.values())
    try:
        strokes = clean([np.column_stack([line.real, line.imag]) for line in lines])
    except CompletionError as error:
        hint = ""
        if place.loop and not any(beginning.values()):
            hint = f" Inside `{place.loop}` the pipeline begins empty."
        raise click.UsageError(f"{error}{hint}") from error
    _, size = bounds(strokes)
    if extent is not None and extent < size - SLACK:
        raise click.BadParameter(
            f"{extent / CM:.4g} cm is less than the drawing has already, {size / CM:.4g} cm.",
            param_hint="--extent",
        )
    return strokes


def _is_tight(document: vp.Document, place: Place) -> bool:
    """Tell whether the page is only the box around the lines, as `write` makes it of none."""
    bounds = document.bounds()
    if not document.page_size or bounds is None:
        return False
    if keeps_page_size(place) or place.block("forlayer"):
        return False
    page = (0.0, 0.0, *document.page_size)
    return bool(np.allclose(bounds, page, rtol=0, atol=TIGHT))


def _room(document: vp.Document, strokes: Sequence[NDArray[np.float64]]) -> Box | None:
    """Return where there is paper: the page, if there is one, and the drawing itself."""
    if document.page_size in (None, (0.0, 0.0)):
        return None
    points = np.concatenate([*strokes, [(0.0, 0.0), document.page_size]])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return left, top, right, bottom


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
    if len(completion.ranking) > 1:
        first, *others = (_percent(*guess) for guess in completion.ranking[: GUESSES + 1])
        click.echo(
            f"{memory.command}: looks like {first}, else {', '.join(others)}",
            err=True,
        )
    if completion.thinned:
        memory.warn(
            "thinned",
            "the drawing has more detail than the model can take in: it looked at a "
            "simpler one; your lines stay as they are",
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


def _loosen(memory: _Memory, document: vp.Document) -> None:
    """Make a page that was only the box around the lines large enough for what is new."""
    left, top, right, bottom = document.bounds() or (0.0, 0.0, 0.0, 0.0)
    shift = max(0.0, -left), max(0.0, -top)
    size = right + shift[0], bottom + shift[1]
    if not (any(shift) or np.any(np.greater(size, document.page_size or (0.0, 0.0)))):
        return
    document.translate(*shift)
    document.extend_page_size(size)
    wide, high = (length / CM for length in document.page_size or size)
    moved = " and everything moved to the right and down" if any(shift) else ""
    click.echo(
        f"{memory.command}: the page was just the box around the drawing; it is "
        f"{wide:.3g} × {high:.3g} cm now{moved}",
        err=True,
    )


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


def _is_vacant(layer: vp.LineCollection, name: str) -> bool:
    """Tell whether a layer is one that a block emptied, and waits for the next completion."""
    return layer.is_empty() and layer.property(vp.METADATA_FIELD_NAME) == name


def _percent(label: str, share: float) -> str:
    return f"{label} ({100 * share:.0f} %)"


def _note(document: vp.Document, completion: Completion, call: Call[_Memory]) -> None:
    """Note in the document how it was completed."""
    guesses = [_percent(*guess) for guess in completion.ranking[: GUESSES + 1]]
    note(
        document,
        call,
        {name: call.values[name] for name in ("seed", "model", *STYLE)}
        | {
            "class": ", ".join(sketch.label for sketch in completion.sketches),
            "guess": ", ".join(guesses) or None,
            "extent": completion.extent,
        },
    )


def _extend_page(document: vp.Document, sheet: Sheet, place: Place) -> None:
    """Make the page large enough for the sheet, unless it is to be tight or kept."""
    if document.page_size != (0.0, 0.0) and not keeps_page_size(place):
        extend_page(document, sheet.corner)
