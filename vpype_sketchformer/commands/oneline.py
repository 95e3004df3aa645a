"""`oneline`: many strokes to one unbroken line."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.pipeline import PlacedCommand
from vpype_sketchformer.commands.support.progress import part_of, progress
from vpype_sketchformer.units import CM, MM

if TYPE_CHECKING:
    from vpype_sketchformer.oneline import Unbroken

#: The width of a pen where the layer has none.
PEN_WIDTH = 0.3 * MM


def _check(call: Call[Memory]) -> None:
    """Refuse lengths below 0."""
    for name in ("tolerance", "max_bridge"):
        length = call.values[name]
        call.require(
            length is None or 0 <= length < math.inf, name, "the length must be 0 or more."
        )


@click.command(cls=PlacedCommand)
@click.option(
    "-t",
    "--tolerance",
    type=vpype_cli.LengthType(),
    help="An end is joined with lines that are nearer than this (default: 2% of the longer "
    "side of what is joined, but one to two widths of the pen).",
)
@click.option(
    "-b",
    "--max-bridge",
    type=vpype_cli.LengthType(),
    help="Parts that are farther apart than this stay apart (default: 20% of the longer side "
    "of the larger one; no limit for what lies within it).",
)
@click.option(
    "--smooth/--no-smooth",
    default=False,
    help="Draw as a hand would: come back in narrow loops rather than over a line, link ends "
    "with lines nearby, begin and end at the outline, bow the bridges, and round the corners "
    "where one line goes over into another, which moves them by at most the pen's width, or "
    "half the tolerance that is given (default: --no-smooth).",
)
@click.option(
    "--tails",
    is_flag=True,
    help="Let each line swing in from one side, and out to the other.",
)
@click.option(
    "--clean/--no-clean",
    default=False,
    help="First leave out what is smaller than the pen's width and lines that run on top of "
    "others, cut ends that go beyond a line by no more than that, and lead on those that stop "
    "short of one by no more (default: --no-clean).",
)
@click.option(
    "-l",
    "--layer",
    type=vpype_cli.LayerType(accept_multiple=True),
    default="all",
    help="Target layer(s) or 'all' (default: all).",
)
@processor(Memory, _check)
def oneline(call: Call[Memory], document: vp.Document) -> vp.Document:
    """Turn lines into one unbroken line for each drawing.

    The pen goes down once and draws all that is there. Ends that nearly touch are joined, and
    parts that lie apart are bridged where that costs least: by short lines, from end to end
    rather than from the middle of a line; a ring is passed once, in and out where that is
    shortest. They are straight. Nothing else is added and nothing is taken away, unless you
    ask for `--clean`: where a drawing cannot be drawn in one go otherwise, the pen goes over
    lines again, hardly more than it must, rather than across white paper. At crossings it goes
    straight on where it can.

    `--smooth` is for what is looked at from near, as a tattoo is: the line that a person would
    draw in one go. It flows from one line into the next by bows, and where it has to come back
    from an end it does so in a narrow loop.

    Each layer is done on its own. What lies farther apart than `--max-bridge` is taken for
    different drawings, each with a line of its own, so that the sketches on a sheet stay
    apart; what lies within another line, as eyes in a face, belongs to it. For every layer it
    is said how many strokes there were and are, how many ends were joined and bridges built,
    and how much of the way goes over lines that were there already. The pen's width is the
    layer's, 0.3mm where none is set. Hatching becomes a zigzag.

    Examples:

        One line from each drawing in a file:

            vpype read drawing.svg oneline write line.svg

        A sheet of sketches, each in one line:

            vpype sketchgen -n 12 -c flower,cat,bicycle oneline write lines.svg

        One line from everything on the page, however far apart:

            vpype read drawing.svg oneline --max-bridge 1m write line.svg

        Bridge nothing, and join only what is nearer than half a millimetre:

    \b
            vpype read drawing.svg oneline -t 0.5mm --max-bridge 0 \\
                write line.svg

        The line that a hand would draw, from left to right, and plot it:

            vpype read drawing.svg oneline --smooth --tails gwrite line.gcode
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    from vpype_sketchformer.cleaning import CleaningError, clean
    from vpype_sketchformer.oneline import Limits, StrokeError, check, unbroken

    values = call.values
    layers = [
        (lid, document.layers[lid])
        for lid in vpype_cli.multiple_to_layer_ids(values["layer"], document)
        if not document.layers[lid].is_empty()
    ]
    results = {}
    with progress(sum(len(layer) for _, layer in layers)) as advance:
        for lid, layer in layers:
            strokes = [np.column_stack([line.real, line.imag]) for line in layer]
            pen = _pen(layer)
            limits = Limits(values["tolerance"], values["max_bridge"], pen)
            step = part_of(advance, len(layer))
            try:
                check(strokes)
                results[lid] = unbroken(
                    clean(strokes, pen) if values["clean"] else strokes,
                    limits,
                    smooth=values["smooth"],
                    tails=values["tails"],
                    advance=step,
                )
            except (CleaningError, StrokeError) as error:
                raise click.UsageError(f"layer {lid}: {error}") from error
    for lid, result in results.items():
        _report(lid, len(document.layers[lid]), result)
        document.layers[lid] = document.layers[lid].clone(
            [path @ [1, 1j] for path in result.paths]
        )
    return document


def _pen(layer: vp.LineCollection) -> float:
    """Return the width of a layer's pen, the usual one where there is none that can be."""
    width = float(layer.property(vp.METADATA_FIELD_PEN_WIDTH) or 0)
    return width if 0 < width < math.inf else PEN_WIDTH


def _report(lid: int, before: int, result: Unbroken) -> None:
    """Say what was done to a layer."""
    after = len(result.paths)
    said = [f"{before} {_counted(before, 'stroke')} before, {after} now"]
    for kind, lengths in (("join", result.joins), ("bridge", result.bridges)):
        if len(lengths):
            said.append(
                f"{len(lengths)} {_counted(len(lengths), kind)} ({lengths.sum() / CM:.2g} cm)"
            )
    said.append(f"{100 * result.retraced / max(result.length, 1e-9):.0f} % retraced")
    if math.isfinite(result.gap):
        said.append(f"apart by {result.gap / CM:.2g} cm or more (`--max-bridge` joins them)")
    click.echo(f"oneline: layer {lid}: {', '.join(said)}", err=True)


def _counted(count: int, thing: str) -> str:
    return thing if count == 1 else f"{thing}s"
