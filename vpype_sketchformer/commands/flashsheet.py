"""`flashsheet`: pages of designs, numbered and signed."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import PREFIX, page_is_free
from vpype_sketchformer.commands.support.lettering import SIZE, check, extent, furnish, moved
from vpype_sketchformer.commands.support.letters import text_line
from vpype_sketchformer.commands.support.pipeline import PlacedCommand
from vpype_sketchformer.commands.support.progress import part_of, progress
from vpype_sketchformer.units import CM

if TYPE_CHECKING:
    from vpype_sketchformer.layout.designs import Design
    from vpype_sketchformer.layout.packing import Spot

#: The page where none is set: what tattoo flash is drawn on.
DEFAULT_PAGE = "11x14in"

#: From a design down to its number.
CAPTION_DISTANCE = 0.25 * CM

#: What tells the pens of layers apart.
PEN = (vp.METADATA_FIELD_COLOR, vp.METADATA_FIELD_PEN_WIDTH)

#: Properties of layers that have none: their name, and a fine pen with black ink.
DEFAULTS = {
    vp.METADATA_FIELD_NAME: "flash sheet",
    vp.METADATA_FIELD_PEN_WIDTH: 0.03 * CM,
    vp.METADATA_FIELD_COLOR: vp.Color("black"),
}


@dataclass(frozen=True, eq=False)
class _Entry:
    """A design as it came down the pipeline.

    Attributes:
        design: Its lines.
        layers: The layer of each line.
        seed: The seed of `sketchgen`, if it drew it.
        number: The number that `sketchgen` gave it.
    """

    design: Design
    layers: tuple[int, ...]
    seed: int | None = None
    number: int | None = None


def _check(call: Call[Memory]) -> None:
    """Refuse values outside their range, and letters that cannot be drawn."""
    values = call.values
    for name in ("margin", "gap", "apart"):
        length = values[name]
        call.require(
            length is None or 0 <= length < math.inf, name, "the length must be 0 or more."
        )
    call.require(0 <= values["vary"] <= 2, "vary", "it is not between 0 and 2.")
    columns = values["columns"]
    call.require(columns is None or columns >= 1, "columns", f"{columns} is not at least 1.")
    size = values["size"]
    call.require(
        size is None or 0 < size < math.inf, "size", "the size must be greater than zero."
    )
    for name in ("title", "signature"):
        check(call.ctx, name, values[name])


@click.command(cls=PlacedCommand)
@click.option(
    "-p",
    "--page-size",
    "page",
    type=vpype_cli.PageSizeType(),
    metavar="SIZE",
    help="Page, such as a4, letter, or 11x14in (default: the page that is set, or "
    f"{DEFAULT_PAGE}).",
)
@click.option("-l", "--landscape", is_flag=True, help="Landscape orientation.")
@click.option(
    "-m",
    "--margin",
    type=vpype_cli.LengthType(),
    default="1.5cm",
    help="White border of the page (default: 1.5cm).",
)
@click.option(
    "-g",
    "--gap",
    type=vpype_cli.LengthType(),
    default="1cm",
    help="Least distance between designs, their numbers included (default: 1cm).",
)
@click.option(
    "-s",
    "--size",
    type=vpype_cli.LengthType(),
    help="Longest side of a typical design (default: as large as fits; 3cm at least, rather "
    "on more pages).",
)
@click.option(
    "--vary",
    type=vpype_cli.FloatType(),
    default="0.5",
    help="How much the sizes differ: 0 not at all, 1 with the ink of the designs "
    "(default: 0.5).",
)
@click.option(
    "--in-proportion",
    is_flag=True,
    help="Sizes as they were drawn beside each other, instead of `--vary`.",
)
@click.option(
    "--columns",
    type=vpype_cli.IntegerType(),
    help="How many designs stand side by side, more or less (default: as there is room).",
)
@click.option(
    "--apart",
    type=vpype_cli.LengthType(),
    help="Lines farther apart than this are different designs, whatever their layers "
    "(default: each layer is a design; in a sole layer, what lies apart by 20% of its size).",
)
@click.option("--title", type=vpype_cli.TextType(), help="Title at the top of each page.")
@click.option(
    "--signature", type=vpype_cli.TextType(), help="Signature at the bottom of each page."
)
@click.option(
    "--numbers/--no-numbers",
    default=True,
    help="Number under each design, seed at the bottom (default: --numbers).",
)
@click.option("--frame", is_flag=True, help="Draw a frame on the margin.")
@click.option(
    "-f",
    "--font",
    type=vpype_cli.ChoiceType(vp.FONT_NAMES),
    default="futural",
    metavar="FONT",
    help="Font of the lettering, one of vpype's, see `vpype text --help` (default: futural).",
)
@processor(Memory, _check)
def flashsheet(call: Call[Memory], document: vp.Document) -> vp.Document:
    """Lay out designs on flash sheets, numbered and signed.

    Takes whatever is in the pipeline. Each layer is a design; if there is but one layer, each
    drawing in it that lies apart from the others is (`--apart` says how far, and finds the
    drawings of several layers as well). The designs are scaled, richer ones larger than plain
    ones, and packed on the page by their true shapes, with generous white between them, in
    rough order. Nothing else is done to their lines. What is smaller than a pen's width is a
    dot: it keeps its size and belongs to the nearest drawing. Text beside a drawing stays with
    it where `--apart` is wider than the space between them. Designs are numbered row by row.

    What does not fit goes on to further pages, each on a layer of its own, to be written with
    `forlayer`. A single page keeps the layers of the pipeline apart by their pens: layers of
    one colour and pen width become one layer. Lettering is drawn with the first pen. Lines
    without a pen width get 0.3mm, and those without a colour are black; of several layers that
    `--apart` keeps, vpype's colours tell the pens apart.

    Designs by `sketchgen --layers sketch` have the numbers of the sketches, and the seed at
    the bottom of the page. `sketchgen` with that seed, `--only` and a number draws the sketch
    again, alone and in any size; the class, the model and the other options must be the same.

    Examples:

        All drawings of a file, each with its number:

            vpype read drawings.svg flashsheet write sheet.svg

        Twelve designs on one page:

    \b
            vpype sketchgen -n 12 -c flower,bird --layers sketch \\
                flashsheet write sheet.svg

        Number 7 of a sheet again, larger, where the sheet says "seed 1234":

    \b
            vpype sketchgen -c flower,bird --seed 1234 --only 7 --size 15cm \\
                write flower.svg

        With all that belongs to it:

    \b
            vpype sketchgen -n 9 -c cat --layers sketch \\
                flashsheet -p a3 --frame --title Cats --signature "A. Nonymous" \\
                write sheet.svg

        Your own designs, a file each, a page per file:

    \b
            vpype forfile "designs/*.svg" read -l new %_path% end \\
                flashsheet -p a4 -s 6cm forlayer write page%_i+1%.svg end

        All drawings of a file, even of several pens, for a plotter:

            vpype read drawings.svg flashsheet --apart 5mm gwrite sheet.gcode
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    from vpype_sketchformer.layout.packing import Caption, PackingError, pack, read

    ctx, values = call.ctx, call.values
    page = _page(call, document)
    entries = _entries(ctx, document, values["apart"])
    labels, seed = _labels(entries) if values["numbers"] else ([""] * len(entries), None)
    numbers = [text_line(label, values["font"], SIZE) for label in labels]
    room = [extent(number) for number in numbers]
    if all(entry.seed is None for entry in entries):  # which number goes where is not settled
        room = [(max(w for w, _ in room), max(h for _, h in room))] * len(room)
    furniture, area = furnish(ctx, page, values, seed)
    try:
        with progress(len(entries)) as advance:
            pages = pack(
                [entry.design for entry in entries],
                [Caption(*size, CAPTION_DISTANCE) for size in room],
                area,
                values["gap"],
                vary=None if values["in_proportion"] else values["vary"],
                size=values["size"],
                columns=values["columns"],
                advance=part_of(advance, len(entries)),
            )
    except PackingError as error:
        raise click.UsageError(
            f"design {error.design + 1} does not fit on the page: choose a larger page, or a "
            "smaller size, margin or gap.",
            ctx,
        ) from error

    if all(entry.seed is None for entry in entries):  # they are counted as they are read
        order = [spot.design for spots in pages for spot in read(spots)]
        counted = dict(zip(order, numbers, strict=True))
        numbers = [counted[i] for i in range(len(order))]
    old = dict(document.layers)
    document.layers.clear()
    lids = _lids(old, len(pages), by_pen=values["apart"] is None)
    for i, spots in enumerate(pages):
        for lid, lines in _draw(entries, numbers, furniture, spots, lids[i]).items():
            shared = [old[k] for k in old if lids[i].get(k) == lid]
            name = f"page {i + 1}" if len(pages) > 1 else None
            black = values["apart"] is None or len(set(lids[i].values())) == 1
            document.add(_dressed(lines, shared, name, black), lid, with_metadata=True)
    document.page_size = page
    _report(entries, pages)
    return document


def _page(call: Call[Memory], document: vp.Document) -> tuple[float, float]:
    """Return width and height of the page, in the orientation asked for."""
    size = call.values["page"]
    if size is None:
        free = page_is_free(document)
        size = vp.convert_page_size(DEFAULT_PAGE) if free else document.page_size
    call.require(min(size) > 0, "page", "a sheet needs a page of a size, such as a4.")
    return (max(size), min(size)) if call.values["landscape"] else size


def _entries(ctx: click.Context, document: vp.Document, apart: float | None) -> list[_Entry]:
    """Gather the designs: layers, or drawings that lie apart.

    Raises:
        click.UsageError: There are none, or their lines are nowhere.
    """
    from vpype_sketchformer.layout.designs import (
        Design,
        DesignError,
        require_finite,
        tell_apart,
    )

    layers = {
        lid: list(document.layers[lid])
        for lid in sorted(document.layers)
        if not document.layers[lid].is_empty()
    }
    if not layers:
        raise click.UsageError(
            "there are no lines in the pipeline: read or draw designs first.", ctx
        )
    for lid, lines in layers.items():
        try:
            require_finite(lines)
        except DesignError as error:
            raise click.UsageError(f"layer {lid}: {error}", ctx) from error
    seeds = {lid: document.layers[lid].property(f"{PREFIX}seed") for lid in layers}
    if apart is None and (len(layers) > 1 or any(seed is not None for seed in seeds.values())):
        return [
            _Entry(
                Design.of(lines),
                (lid,) * len(lines),
                seeds[lid],
                document.layers[lid].property(f"{PREFIX}number"),
            )
            for lid, lines in layers.items()
        ]
    owners = [lid for lid, lines in layers.items() for _ in lines]
    everything = [line for lines in layers.values() for line in lines]
    return [
        _Entry(Design.of([everything[i] for i in drawing]), tuple(owners[i] for i in drawing))
        for drawing in tell_apart(everything, apart)
    ]


def _labels(entries: Sequence[_Entry]) -> tuple[list[str], int | None]:
    """Return what stands under the designs, and the seed of all of them, if there is one."""
    seeds = {entry.seed for entry in entries}
    if len(seeds) == 1 and None not in seeds:
        return [str(entry.number) for entry in entries], seeds.pop()
    return [
        str(i) if entry.seed is None else f"{entry.seed}:{entry.number}"
        for i, entry in enumerate(entries, 1)
    ], None


def _lids(
    layers: Mapping[int, vp.LineCollection], pages: int, by_pen: bool
) -> list[dict[int, int]]:
    """Return, for each page, to which layer of the sheet the lines of each layer go.

    Args:
        layers: The layers of the pipeline.
        pages: How many pages there are. With several, each is one layer.
        by_pen: Whether layers of the same pen go together on a single page.
    """
    lids = [lid for lid in sorted(layers) if not layers[lid].is_empty()]
    if pages > 1:
        return [dict.fromkeys(lids, page) for page in range(1, pages + 1)]
    first = {_pen(layers[lid]): lid for lid in reversed(lids)}
    return [{lid: first[_pen(layers[lid])] if by_pen else lid for lid in lids}]


def _pen(layer: vp.LineCollection) -> tuple[Any, Any]:
    """Return what tells the pens of layers apart: colour and width."""
    return tuple(layer.property(name) for name in PEN)


def _draw(
    entries: Sequence[_Entry],
    numbers: Sequence[vp.LineCollection],
    furniture: vp.LineCollection,
    spots: Sequence[Spot],
    lids: Mapping[int, int],
) -> dict[int, vp.LineCollection]:
    """Draw a page: each design and its number, in order, then what every page has.

    Args:
        entries: All designs.
        numbers: What stands under each.
        furniture: What every page has; like the numbers, it goes to the first layer.
        spots: Where the designs of this page go.
        lids: To which layer of the page the lines of each layer go.
    """
    layers = {lid: vp.LineCollection() for lid in sorted(set(lids.values()))}
    lettering = layers[min(layers)]
    for spot in spots:
        entry, number = entries[spot.design], numbers[spot.design]
        lines = entry.design.at(spot.place, spot.size)
        for line, lid in zip(lines, entry.layers, strict=True):
            layers[lids[lid]].append(line)
        left = spot.caption.real - extent(number)[0] / 2
        lettering.extend(moved(number, left, spot.caption.imag))
    lettering.extend(furniture)
    return layers


def _dressed(
    lines: vp.LineCollection,
    shared: Sequence[vp.LineCollection],
    name: str | None,
    black: bool,
) -> vp.LineCollection:
    """Return a layer of a page with what the layers that it comes from have in common.

    Args:
        lines: What was drawn.
        shared: The layers that it comes from.
        name: Its name; None: theirs, if they have one name.
        black: Whether it is black where they have no colour in common.
    """
    common = {
        key: value
        for key, value in shared[0].metadata.items()
        if all(layer.property(key) == value for layer in shared)
    }
    layer = vp.LineCollection(lines, {**DEFAULTS, **common})
    if not black and vp.METADATA_FIELD_COLOR not in common:
        layer.set_property(vp.METADATA_FIELD_COLOR, None)
    for key in (f"{PREFIX}seed", f"{PREFIX}number"):
        layer.set_property(key, None)  # it is not a single sketch any more
    if name is not None:
        layer.set_property(vp.METADATA_FIELD_NAME, name)
    return layer


def _report(entries: Sequence[_Entry], pages: Sequence[Sequence[Spot]]) -> None:
    """Say what came out; dots have no size to speak of."""
    designs = f"{len(entries)} {'design' if len(entries) == 1 else 'designs'}"
    sizes = [
        spot.size / CM for spots in pages for spot in spots if entries[spot.design].design.size
    ]
    if sizes:
        least, most = f"{min(sizes):.2g}", f"{max(sizes):.2g}"
        designs += f" of {least if least == most else f'{least} to {most}'} cm"
    click.echo(
        f"flashsheet: {designs} on "
        + (
            "1 page"
            if len(pages) == 1
            else f"{len(pages)} pages, each on its own layer; "
            "`forlayer write page%_i+1%.svg end` writes them"
        ),
        err=True,
    )
