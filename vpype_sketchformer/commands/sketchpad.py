"""`sketchpad`: a page in the browser where one draws with the model."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer import COMPLETION_TEMPERATURE
from vpype_sketchformer.commands.support import browser, options
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import add, note
from vpype_sketchformer.commands.support.pipeline import PlacedCommand, layers_around
from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.wording import plain

if TYPE_CHECKING:
    from vpype_sketchformer.model.checkpoint import Checkpoint
    from vpype_sketchformer.sketchpad.pad import Pad
    from vpype_sketchformer.sketchpad.session import Session, Setting

#: Page sizes that the page offers where none is given.
SIZES = ("a6", "a5", "a4", "a3", "letter", "tabloid")
DEFAULT_SIZE = "a4"


def _check(call: Call[Memory]) -> None:
    """Refuse values outside their range."""
    options.check_temperature(call)
    options.check_seed(call)


@click.command(cls=PlacedCommand)
@click.option(
    "-p",
    "--page-size",
    type=vpype_cli.PageSizeType(),
    help="Size of the page, as for `pagesize` (default: the pipeline's, or chosen on the "
    "page).",
)
@click.option(
    "-c",
    "--class",
    "label",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="What you are going to draw (default: guessed as you draw).",
)
@options.temperature_of(COMPLETION_TEMPERATURE)
@click.option("--one-line", is_flag=True, help="Draw in one line that never lifts the pen.")
@click.option(
    "--layers",
    "way",
    type=vpype_cli.ChoiceType(["author", "drawing", "one"]),
    default="author",
    help="Layers of the result: your strokes and the model's apart, one for each drawing, or "
    "one for everything; to be changed on the page (default: author).",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    help="Open the page in the browser, or only say its address (default: --browser).",
)
@options.model
@options.seed
@processor(Memory, _check)
def sketchpad(call: Call[Memory], document: vp.Document) -> vp.Document:
    """Draw in the browser, together with a model that learnt from human drawings.

    A page opens. You draw on it with a mouse, a finger or a pen; after each stroke the model
    shows how the drawing could go on, in pale ink. Take what you like and draw on. `Done`, at
    the top of the page, sends the drawing down the pipeline, exactly where it was on the
    page. `?` shows what the keys do.

    What is in the pipeline is shown, and stays as it is. The drawing goes on new layers: your
    strokes and the model's apart, one for each drawing, or all on one.

    Nothing is lost when you close the tab: open the address again. Ctrl-C asks whether the
    pipeline goes on with what is on the page. All that was drawn is kept on disk as well, and
    offered on an empty page the next time.

    The page is served on this machine only, to this one browser; no network is needed. It
    takes a few packages more: `pipx inject vpype "vpype-sketchformer[sketchpad]"`.

    These properties say how it was drawn:

    \b
        sketchformer_seed, sketchformer_model,
        sketchformer_classes (those that were chosen, for all drawings)

    Examples:

        Draw on A4, and write what you drew:

            vpype sketchpad write out.svg

        Draw on a postcard, in landscape:

            vpype pagesize -l a6 sketchpad write card.svg

        Go on with a drawing:

            vpype read partial.svg sketchpad write out.svg

        Draw a cat with a single line, and plot it:

            vpype sketchpad -c cat --one-line --layers one gwrite cat.gcode
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    import asyncio

    browser.require_packages()
    from vpype_sketchformer.sketchpad.pad import Pad

    values = call.values
    checkpoint = call.memory.checkpoint(values["model"])
    if values["label"] is not None:
        values["label"] = options.find_class(
            call.ctx, "label", values["label"], checkpoint.classes, "sketchgen --list-classes"
        )
    size, given_size = _page(call, document)
    setting = _setting(document, size, values, given_size)
    pad, way, finished = asyncio.run(_draw(checkpoint, Pad(size), setting, values))
    if not finished:
        raise click.Abort
    if document.page_size is None or values["page_size"] is not None:
        document.page_size = pad.size
    _add_layers(document, pad, way)
    _note(document, pad, call)
    return document


def _page(call: Call[Memory], document: vp.Document) -> tuple[tuple[float, float], bool]:
    """Return the size of the page, and whether it is given or can be chosen."""
    from vpype_sketchformer.sketchpad.pad import LONGEST, SHORTEST

    wanted = call.values["page_size"]

    def possible(size: tuple[float, float]) -> bool:
        return all(math.isfinite(s) and SHORTEST <= s <= LONGEST for s in size)

    if wanted is not None:
        call.require(possible(wanted), "page_size", "nobody can draw on a page of this size.")
        return wanted, True
    if document.page_size is not None and possible(document.page_size):
        return document.page_size, True
    bounds = document.bounds()
    if bounds is None:
        return vp.PAGE_SIZES[DEFAULT_SIZE], False
    # There is no paper yet: it is large enough for what is to be drawn on.
    width, height = vp.PAGE_SIZES[DEFAULT_SIZE]
    return (
        min(max(width, bounds[2] * 1.1), LONGEST),
        min(max(height, bounds[3] * 1.1), LONGEST),
    ), True


def _setting(
    document: vp.Document,
    size: tuple[float, float],
    values: Mapping[str, Any],
    given_size: bool,
) -> Setting:
    """Return what the page starts with."""
    from vpype_sketchformer.sketchpad.session import Setting
    from vpype_sketchformer.sketchpad.svg import write_document

    shown = vp.Document(page_size=size)
    for lid, layer in document.layers.items():
        shown.add(layer, lid, with_metadata=True)
    return Setting(
        label=values["label"],
        temperature=values["temperature"],
        one_line=values["one_line"],
        way=values["way"],
        sizes={} if given_size else {name: vp.PAGE_SIZES[name] for name in SIZES},
        pipeline="" if document.is_empty() else write_document(shown),
        taken=[box for layer in document.layers.values() if (box := layer.bounds())],
    )


async def _draw(
    checkpoint: Checkpoint, pad: Pad, setting: Setting, values: Mapping[str, Any]
) -> tuple[Pad, str, bool]:
    """Let the user draw; returns the page, the way of layers, and whether to go on."""
    import webbrowser

    import platformdirs

    from vpype_sketchformer.sketchpad.keeping import Shelf
    from vpype_sketchformer.sketchpad.server import PadServer, serve
    from vpype_sketchformer.sketchpad.session import Session
    from vpype_sketchformer.sketchpad.suggesting import Companion

    companion = Companion(checkpoint, values["seed"])
    shelf = Shelf(platformdirs.user_data_path("vpype-sketchformer", False) / "sketchpad")
    session = Session(pad, companion, shelf, setting)

    def announce(address: str) -> None:
        click.echo(f"sketchpad: draw at {address} (Ctrl-C ends it)", err=True)
        if values["browser"]:
            webbrowser.open(address)

    try:
        finished = await serve(PadServer(session), announce, lambda: _ask(session))
    finally:
        await session.close()
    if not finished and session.standing:
        click.echo(f"sketchpad: {plain(session.standing)}", err=True)
    return session.pad, session.way, finished


def _ask(session: Session) -> str:
    """Ask what to do, after Ctrl-C; a second one stops here."""
    from vpype_sketchformer.sketchpad.server import Ask

    count = len(session.pad.strokes)
    if not sys.stdin.isatty():
        return Ask.FINISH
    click.echo(err=True)
    strokes = "the stroke" if count == 1 else f"the {count} strokes"
    what = f"{strokes} on the page" if count else "an empty page"
    stop = "stop here"
    if session.trouble and count:
        standing = plain(session.standing)
        click.echo(f"sketchpad: {standing}. The page offers it as an SVG.", err=True)
        stop = "stop here and lose what is not kept"
    return browser.ask(
        f"sketchpad: go on with {what} (y), {stop} (n), or draw on (d)?",
        {"y": Ask.FINISH, "n": Ask.ABANDON, "d": Ask.GO_ON},
        otherwise=Ask.ABANDON,
    )


def _add_layers(document: vp.Document, pad: Pad, way: str) -> None:
    """Put what was drawn on new layers, above all others."""
    from vpype_sketchformer.sketchpad.svg import dip

    shown, result = layers_around()
    above = max({0, *document.ids(), *shown, *result})
    for lid, layer in enumerate(pad.layers(way), above + 1):
        add(document, Sketch(tuple(layer.strokes)), lid, layer.name)
        dip(document.layers[lid], layer.pen)


def _note(document: vp.Document, pad: Pad, call: Call[Memory]) -> None:
    """Note in the document how it was drawn."""
    classes = ", ".join(pad.labels[number] for number in sorted(pad.labels))
    properties = {name: call.values[name] for name in ("seed", "model")}
    note(document, call, properties | {"classes": classes or None})
