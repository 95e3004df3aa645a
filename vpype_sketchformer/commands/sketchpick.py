"""`sketchpick`: a contact sheet in the browser; what is chosen goes on."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support import browser, options
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import PREFIX
from vpype_sketchformer.commands.support.pipeline import PlacedCommand

if TYPE_CHECKING:
    from vpype_sketchformer.sketchpad.picking import Item, Picking

#: How many sketches are drawn when more are asked for.
MORE = 6
#: Options of `sketchgen` that further sketches are drawn with, as the document notes them.
KNOBS = ("temperature", "structure_temperature", "pen_temperature", "guidance", "tries")
#: The name that `sketchgen --layers sketch` gives a layer: class and number.
NAME = re.compile(r"(.+) \d+")

#: Layer and line of each line of an item; the lines of a layer of further ones come with it.
Origin = tuple[int, tuple[int, ...]]


def _check(call: Call[Memory]) -> None:
    """Any values will do."""


@click.command(cls=PlacedCommand)
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Do not ask: all goes on, as if it had been chosen (for scripts).",
)
@click.option(
    "--browser/--no-browser",
    "opens",
    default=None,
    help="Open the page in the browser, or only say its address (default: --browser).",
)
@options.model
@processor(Memory, _check)
def sketchpick(call: Call[Memory], document: vp.Document) -> vp.Document:
    """Choose in the browser what goes on down the pipeline.

    A contact sheet opens: a picture of each layer, or, if all is on one layer, of each
    drawing that lies apart from the others. Click those that you like; drag them, or press
    Shift and an arrow key, to change their order. `Send` lets what is chosen go on, in the
    order of the sheet. `?` shows what the keys do.

    `More like this` draws six more like one of them. What was drawn by `sketchgen --layers
    sketch` is drawn as it was, of the same class, and `More` draws further ones of all. Of
    anything else, whoever drew it, these are variations as `sketchvary` draws them, if the
    model has an encoder. They lie below the others, in the pen of the one that they are like.

    Nothing is lost when you close the tab: open the address again. Where there is no
    display, and with `--yes`, all goes on. The page is served on this machine only, to this
    one browser. It takes a few packages more:
    `pipx inject vpype "vpype-sketchformer[sketchpad]"`.

    Examples:

        Choose among the layers of a drawing:

            vpype read drawing.svg sketchpick write out.svg

        Draw sixty, keep the good ones, and lay them out on a page:

    \b
            vpype sketchgen -n 60 --class cat,owl,snail --layers sketch \\
                sketchpick flashsheet -p a4 write flash.svg
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    values = call.values
    origins = _find(call.ctx, document)
    if not origins or values["yes"] or (values["opens"] is None and not browser.has_display()):
        _say_why(len(origins), values["yes"])
        return document
    browser.require_packages()

    import asyncio

    further = _Further(call, document)
    items = [further.item(document.layers[lid], lid, indices) for lid, indices in origins]
    picked = asyncio.run(_pick(items, further, values["opens"] is not False))
    if picked is None:
        raise click.Abort
    _keep(document, [item.origin for item in picked], further.layers)
    click.echo(f"sketchpick: {len(picked)} of {len(items)} go on.", err=True)
    return document


def _say_why(count: int, yes: bool) -> None:
    """Say, in one line, why nobody chooses."""
    if not count:
        click.echo("sketchpick: there are no lines to choose from.", err=True)
        return
    why = "--yes" if yes else "no display; `--no-browser` says an address to open elsewhere"
    click.echo(f"sketchpick: all {count} go on ({why}).", err=True)


def _find(ctx: click.Context, document: vp.Document) -> list[Origin]:
    """Find what there is to choose: layers, or drawings that lie apart on a single one.

    Raises:
        click.UsageError: Lines are nowhere.
    """
    from vpype_sketchformer.layout.designs import DesignError, require_finite, tell_apart

    layers = {k: layer for k, layer in sorted(document.layers.items()) if not layer.is_empty()}
    for lid, layer in layers.items():
        try:
            require_finite(list(layer))
        except DesignError as error:
            raise click.UsageError(f"layer {lid}: {error}", ctx) from error
    if len(layers) != 1:
        return [(lid, tuple(range(len(layer)))) for lid, layer in layers.items()]
    [(lid, layer)] = layers.items()
    return [(lid, tuple(drawing)) for drawing in tell_apart(list(layer))]


async def _pick(items: list[Item], further: _Further, opens: bool) -> list[Item] | None:
    """Let the user choose; None to stop here."""
    import webbrowser

    from vpype_sketchformer.sketchpad.picking import Picking, PickServer
    from vpype_sketchformer.sketchpad.server import serve

    picking = Picking(items, further.draw, further.anew)

    def announce(address: str) -> None:
        click.echo(f"sketchpick: choose at {address} (Ctrl-C ends it)", err=True)
        if opens:
            webbrowser.open(address)

    try:
        finished = await serve(PickServer(picking), announce, lambda: _ask(picking))
    finally:
        picking.close()
    return (picking.picked or picking.items) if finished else None


def _ask(picking: Picking) -> str:
    """Ask what to do, after Ctrl-C; a second one stops here."""
    from vpype_sketchformer.sketchpad.server import Ask

    chosen, all_ = len(picking.picked), len(picking.items)
    what = f"the {chosen} chosen" if chosen else f"all {all_}, for none is chosen"
    if not sys.stdin.isatty():
        click.echo(f"sketchpick: {what}, go on.", err=True)
        return Ask.FINISH
    click.echo(err=True)
    return browser.ask(
        f"sketchpick: go on with {what} (y), stop here (n), or choose on (c)?",
        {"y": Ask.FINISH, "n": Ask.ABANDON, "c": Ask.GO_ON},
        otherwise=Ask.ABANDON,
    )


def _keep(
    document: vp.Document, picked: Sequence[Origin], further: Mapping[int, vp.LineCollection]
) -> None:
    """Leave what was chosen in the document, in the order in which it was chosen."""
    layers = {**document.layers, **further}
    chosen: dict[int, list[int]] = {}
    for lid, indices in picked:
        chosen.setdefault(lid, []).extend(indices)
    empty = {k: layer for k, layer in document.layers.items() if layer.is_empty()}
    document.layers.clear()
    for lid, (source, lines) in zip(sorted(chosen), chosen.items(), strict=True):
        layer = vp.LineCollection([layers[source][i] for i in lines], layers[source].metadata)
        document.add(layer, lid, with_metadata=True)
    for lid, layer in empty.items():
        document.add(layer, lid, with_metadata=True)


class _Further:
    """Draws further ones: as `sketchgen` drew those that it drew, and variations of others.

    Attributes:
        call: The call of the command.
        document: What is in the pipeline.
        layers: Where further ones are put, by the numbers of layers that are free.
        model: Draws variations, if it has an encoder.
    """

    def __init__(self, call: Call[Memory], document: vp.Document) -> None:
        self.call, self.document = call, document
        self.layers: dict[int, vp.LineCollection] = {}
        self.model = call.memory.checkpoint(call.values["model"])
        self._asked = 0

    @property
    def anew(self) -> bool:
        """Whether more of all can be drawn."""
        return any(self._drew(layer) for layer in self.document.layers.values())

    def item(self, layer: vp.LineCollection, lid: int, indices: Sequence[int]) -> Item:
        """Describe lines of a layer to the contact sheet."""
        from vpype_sketchformer.sketchpad.picking import Item

        whole = len(indices) == len(layer)
        name = layer.property(vp.METADATA_FIELD_NAME) or f"layer {lid}"
        colour = layer.property(vp.METADATA_FIELD_COLOR)
        return Item(
            name=str(name) if whole else "",
            lines=[layer[i] for i in indices],
            colour="" if colour is None or colour == vp.Color("black") else colour.as_hex(),
            origin=(lid, tuple(indices)),
            again=self._drew(layer) or bool(self.model.config.code),
        )

    def draw(self, like: Item | None) -> list[Item]:
        """Draw more like an item, or more of all; they lie below all others.

        Raises:
            DrawingError: They cannot be drawn; the message is one clear line.
        """
        from vpype_sketchformer.model.completion import CompletionError
        from vpype_sketchformer.sketchpad.picking import DrawingError

        self._asked += 1
        layers = {**self.document.layers, **self.layers}
        try:
            if like is None or self._drew(layers[like.origin[0]]):
                sheet, size = self._as_drawn(like)
            else:
                sheet, size = self._varied(like, layers[like.origin[0]])
        except click.ClickException as error:
            raise DrawingError(error.format_message()) from error
        except CompletionError as error:
            raise DrawingError(str(error)) from error
        if sheet.is_empty():
            return []
        lowest = max(box[3] for layer in layers.values() if (box := layer.bounds()))
        sheet.translate(0, lowest + size / 4 - sheet.bounds()[1])
        found = []
        for lid, layer in enumerate(sheet.layers.values(), max(layers) + 1):
            if not layer.is_empty():
                self.layers[lid] = layer
                found.append(self.item(layer, lid, range(len(layer))))
        return found

    def _drew(self, layer: vp.LineCollection) -> bool:
        """Tell whether `sketchgen` drew a layer, and the document tells how."""
        known = self.document.property(f"{PREFIX}model") is not None
        return known and layer.property(f"{PREFIX}number") is not None

    def _as_drawn(self, like: Item | None) -> tuple[vp.Document, float]:
        """Have `sketchgen` draw a sheet, with sketches of this size."""
        document = self.document
        size = max(_extent(layer) for layer in document.layers.values() if self._drew(layer))
        seed = (int(document.property(f"{PREFIX}seed")) + self._asked) % 2**31
        named = NAME.fullmatch(like.name) if like is not None else None
        label = named[1] if named else document.property(f"{PREFIX}class")
        return vpype_cli.execute(_command(document, label, seed, size)), size

    def _varied(self, like: Item, source: vp.LineCollection) -> tuple[vp.Document, float]:
        """Draw a sheet of variations, each a layer with the pen of their source."""
        from vpype_sketchformer.layout.grid import plan
        from vpype_sketchformer.model.completion import clean
        from vpype_sketchformer.model.varying import alike

        strokes = clean([vp.as_vector(line) for line in like.lines])
        seeds = np.random.SeedSequence(self._asked).spawn(MORE)
        with self.call.memory.predicting(self.call.values["model"]):
            seen, sketches = alike(self.model, strokes, None, seeds)
        size = _extent(vp.LineCollection(like.lines))
        places, sheet = plan(MORE, size=size), vp.Document()
        for i, sketch in enumerate(sketches):
            lines = [line @ [1, 1j] for line in places.place(sketch, i).strokes]
            layer = vp.LineCollection(lines, source.metadata)
            name = f"variation: {seen.label or 'of its looks'}"
            layer.set_property(vp.METADATA_FIELD_NAME, name)
            sheet.add(layer, i + 1, with_metadata=True)
        return sheet, size


def _extent(lines: vp.LineCollection) -> float:
    """Return the longer side of lines; 0 where there are none."""
    box = lines.bounds()
    return max(box[2] - box[0], box[3] - box[1]) if box else 0.0


def _command(document: vp.Document, label: str, seed: int, size: float) -> str:
    """Return the command that draws further sketches."""
    arguments = ["sketchgen", "-n", MORE, "--layers", "sketch", "--size", f"{size}px"]
    arguments += ["--seed", seed, "--model", document.property(f"{PREFIX}model")]
    if label != "random":
        arguments += ["--class", label]
    for knob in KNOBS:
        value = document.property(f"{PREFIX}{knob}")
        if value is not None:
            arguments += [f"--{knob.replace('_', '-')}", value]
    if document.property(f"{PREFIX}one_line"):
        arguments.append("--one-line")
    return shlex.join(map(str, arguments))
