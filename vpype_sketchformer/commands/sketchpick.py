"""`sketchpick`: a contact sheet in the browser; what is chosen goes on."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support import browser
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import PREFIX
from vpype_sketchformer.commands.support.pipeline import PlacedCommand

if TYPE_CHECKING:
    from vpype_sketchformer.sketchpad.picking import DrawMore, Item, Picking

#: How many sketches are drawn when more are asked for.
MORE = 6
#: Options of `sketchgen` that further sketches are drawn with, as the document notes them.
KNOBS = ("temperature", "structure_temperature", "pen_temperature", "guidance", "best_of")
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
@processor(Memory, _check)
def sketchpick(call: Call[Memory], document: vp.Document) -> vp.Document:
    """Choose in the browser what goes on down the pipeline.

    A contact sheet opens: a picture of each layer, or, if all is on one layer, of each
    drawing that lies apart from the others. Click those that you like; drag them, or press
    Shift and an arrow key, to change their order. `Send` lets what is chosen go on, in the
    order of the sheet. `?` shows what the keys do.

    What was drawn by `sketchgen --layers sketch` has more to offer: `More` draws further
    ones, `More like this` further ones of the same class.

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

    further: dict[int, vp.LineCollection] = {}
    items = [_item(document.layers[lid], lid, indices) for lid, indices in origins]
    picked = asyncio.run(_pick(items, _more(document, further), values["opens"] is not False))
    if picked is None:
        raise click.Abort
    _keep(document, [item.origin for item in picked], further)
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


def _item(layer: vp.LineCollection, lid: int, indices: Sequence[int]) -> Item:
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
        again=layer.property(f"{PREFIX}number") is not None,
    )


async def _pick(items: list[Item], more: DrawMore | None, opens: bool) -> list[Item] | None:
    """Let the user choose; None to stop here."""
    import webbrowser

    from vpype_sketchformer.sketchpad.picking import Picking, PickServer
    from vpype_sketchformer.sketchpad.server import serve

    picking = Picking(items, more)

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


def _more(document: vp.Document, further: dict[int, vp.LineCollection]) -> DrawMore | None:
    """Return what draws further sketches as `sketchgen` drew these; None if it drew none.

    Args:
        document: What is in the pipeline.
        further: Where further ones are put, by the numbers of layers that are free.
    """
    from vpype_sketchformer.sketchpad.picking import DrawingError

    drawn = [layer for layer in document.layers.values() if layer.property(f"{PREFIX}number")]
    if not drawn or document.property(f"{PREFIX}model") is None:
        return None
    boxes = [box for layer in drawn if (box := layer.bounds())]
    size = max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    asked = 0

    def draw(like: Item | None) -> list[Item]:
        nonlocal asked
        asked += 1
        seed = (int(document.property(f"{PREFIX}seed")) + asked) % 2**31
        label = document.property(f"{PREFIX}class")
        named = NAME.fullmatch(like.name) if like is not None else None
        try:
            line = _command(document, named[1] if named else label, seed, size)
            sheet = vpype_cli.execute(line)
        except click.ClickException as error:
            raise DrawingError(error.format_message()) from error
        first = max({*document.ids(), *further}) + 1
        lowest = max(layer.bounds()[3] for layer in [*drawn, *further.values()])
        sheet.translate(0, lowest + size / 4 - sheet.bounds()[1])
        found = []
        for lid, (_, layer) in enumerate(sorted(sheet.layers.items()), first):
            if layer.is_empty():
                continue
            further[lid] = layer
            found.append(_item(layer, lid, range(len(layer))))
        return found

    return draw


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
