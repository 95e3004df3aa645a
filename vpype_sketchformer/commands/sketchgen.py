"""`sketchgen`: sheets of sketches that a model invents."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import itertools
import math
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support import options
from vpype_sketchformer.commands.support.command import Call, Memory, processor
from vpype_sketchformer.commands.support.document import (
    PREFIX,
    add,
    fit_page,
    frame_of,
    layout,
    note,
    plan_sheet,
)
from vpype_sketchformer.commands.support.parameters import varies
from vpype_sketchformer.commands.support.pipeline import LayoutCommand
from vpype_sketchformer.commands.support.progress import progress
from vpype_sketchformer.layout.grid import Sheet

if TYPE_CHECKING:
    from vpype_sketchformer.model.choosing import Drawn
    from vpype_sketchformer.sketch import Sketch


@dataclass(frozen=True)
class _Drawing:
    """What to draw: everything that a sketch depends on beside its number."""

    model: str
    classes: tuple[str, ...]
    seed: int
    temperature: float
    structure_temperature: float
    pen_temperature: float
    guidance: float
    tries: int
    one_line: bool


@dataclass
class _Memory(Memory):
    """What `sketchgen` keeps: sketches drawn in advance, and where they go.

    Attributes:
        drawing: What to draw, as it was the last time.
        stock: Sketches that are drawn and not dealt.
        dealt: How many are.
        before: What has been drawn so, so that what follows differs.
        layers: The layers of what has been drawn, by name.
    """

    drawing: _Drawing | None = None
    stock: deque[Sketch] = field(default_factory=deque)
    dealt: int = 0
    before: Drawn = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)

    def deal(self, drawing: _Drawing, count: int, expected: int) -> list[Sketch]:
        """Return the next sketches, drawing all that are ``expected`` in one batch."""
        if drawing != self.drawing:
            self.stock.clear()
            self.before = {}
            if self.drawing is None or drawing.seed != self.drawing.seed:
                self.dealt = 0
            self.drawing = drawing
        if len(self.stock) < count:
            first = self.dealt + len(self.stock)
            self.stock.extend(self.draw(drawing, range(first, self.dealt + expected)))
        self.dealt += count
        return [self.stock.popleft() for _ in range(count)]

    def draw(self, drawing: _Drawing, numbers: Sequence[int]) -> list[Sketch]:
        """Draw the sketches of these numbers; each depends on those of its class before it."""
        from vpype_sketchformer.model.choosing import sample_best

        classes = drawing.classes
        with progress(len(numbers)) as advance, self.predicting(drawing.model):
            return sample_best(
                self.checkpoint(drawing.model),
                [classes[number % len(classes)] for number in numbers],
                [np.random.SeedSequence(drawing.seed, spawn_key=(n,)) for n in numbers],
                temperature=drawing.temperature,
                structure_temperature=drawing.structure_temperature,
                pen_temperature=drawing.pen_temperature,
                guidance=drawing.guidance,
                tries=drawing.tries,
                before=self.before,
                progress=advance,
            )

    def draw_again(self, drawing: _Drawing, number: int) -> list[Sketch]:
        """Draw the sketch of a number, alone; those that it depends on are drawn first."""
        classes = drawing.classes
        name = classes[number % len(classes)]
        same = [n for n in range(number + 1) if classes[n % len(classes)] == name]
        self.before = {}
        return self.draw(drawing, same)[-1:]

    def layer_id(self, name: str, document: vp.Document, first: int) -> int:
        """Return the layer of a name: the ``first``, then unused ones above it."""
        if not self.layers:
            self.layers[name] = first
        elif name not in self.layers:
            above = itertools.count(max(self.layers.values()) + 1)
            self.layers[name] = next(lid for lid in above if lid not in document.layers)
        return self.layers[name]


def _check(call: Call[_Memory]) -> None:
    """Refuse values outside their range."""
    size, only = call.values["size"], call.values["only"]
    options.check(call)
    call.require(
        size is None or 0 < size < math.inf, "size", "the size must be greater than zero."
    )
    call.require(only is None or only >= 1, "only", f"{only} is not at least 1.")
    call.require(
        call.values["one_line"] or not call.values["tails"],
        "tails",
        "only a line has tails: give --one-line as well.",
    )
    count = call.values["count"]
    call.require(
        only is None or count is None or only <= count,
        "only",
        f"there is no sketch {only} of {count}: give a larger -n, or none.",
    )


@click.command(cls=LayoutCommand)
@click.option(
    "-n",
    "--count",
    type=vpype_cli.IntegerType(),
    metavar="N",
    help="Number of sketches (default: the cells of the grid, or 1).",
)
@click.option(
    "-c",
    "--class",
    "classes",
    type=vpype_cli.TextType(),
    multiple=True,
    metavar="NAME",
    help="What to draw: a class, several separated by commas, or 'all'. May be repeated. "
    "Several classes take turns. (default: classes chosen at random)",
)
@click.option(
    "-s",
    "--size",
    type=vpype_cli.LengthType(),
    help="Longest side of a sketch (default: 4cm, or less where a cell is too small).",
)
@click.option(
    "--grid",
    nargs=2,
    type=vpype_cli.IntegerType(),
    metavar="NX NY",
    help="Columns and rows of the sheet; the same as `grid NX NY` behind the command.",
)
@options.temperature
@options.structure_temperature
@options.pen_temperature
@options.guidance
@options.tries
@click.option(
    "--one-line",
    is_flag=True,
    help="Draw each sketch in one unbroken line: the same sketch as without, its strokes "
    "joined as `oneline --smooth` joins them.",
)
@click.option(
    "--tails",
    is_flag=True,
    help="With --one-line: let the line swing in from one side, and out to the other.",
)
@click.option(
    "--clean/--no-clean",
    default=None,
    help="For fine pens: leave out specks on lines and what runs on top of other lines, cut "
    "ends that go a little too far, and lead on those that stop a little short. Dots that "
    "stand alone stay (default: --clean with --one-line, --no-clean without).",
)
@options.smooth
@click.option(
    "--layers",
    type=vpype_cli.ChoiceType(["one", "class", "sketch"]),
    default="one",
    metavar="[one|class|sketch]",
    help="What gets a layer of its own (default: one for all).",
)
@click.option(
    "-l",
    "--layer",
    type=vpype_cli.LayerType(accept_new=True),
    help="Target layer or 'new'; the first one with several layers.",
)
@options.model
@options.seed
@click.option(
    "--only",
    type=vpype_cli.IntegerType(),
    metavar="NUMBER",
    help="Draw but this one of the sketches, counted from 1: with the same --seed, one sketch "
    "of a sheet again, alone. (Takes as long as those of its class before it.)",
)
@click.option("--list-classes", is_flag=True, help="List the model's classes and exit.")
@processor(_Memory, _check)
def sketchgen(call: Call[_Memory], document: vp.Document) -> vp.Document:
    """Invent sketches with a model that learnt from human drawings.

    The sketches are laid out on a sheet, row by row, each scaled to `--size` and centred in
    its cell. A `grid NX NY` right behind the command gives the columns and rows; its
    `-o DX DY` gives the size of a cell, by default a quarter more than `--size`. There is no
    `end` then: a `grid` that is closed by an `end` is vpype's own block. Without a grid the
    sheet is nearly square.

    Cells without a sketch stay empty. Sketches without a cell go on to further pages, each on
    a layer of its own, to be written with `forlayer`.

    If the document has a page size, the sheet is centred on the page: with a grid all cells
    must fit, without one there are as many columns and rows as there is room for. Otherwise
    the page becomes as large as the sheet.

    Inside a block, such as vpype's `grid`, the command draws one sketch each time, unless
    told otherwise, and fits it into the cell. All are drawn in one batch the first time.

    The same seed, model and options give the same sketches. Layers are named after what they
    hold, and these properties say how to draw the sketches again:

    \b
        sketchformer_seed, sketchformer_model, sketchformer_class,
        sketchformer_temperature, sketchformer_structure_temperature,
        sketchformer_pen_temperature, sketchformer_guidance, sketchformer_tries,
        sketchformer_one_line
        svg_dc_description: the command with its seed (kept by `write -r`)

    A plain `write` notes the seed beside the command line in the file.

    Examples:

        A cat:

            vpype sketchgen -c cat write cat.svg

        A sheet of 20 cats in 5 columns and 4 rows:

            vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg

        The same with vpype's own block, cells of 4cm:

            vpype grid -o 4cm 4cm 5 4 sketchgen -c cat end write out.svg

        Cats and dogs in turn, a layer and so a pen for each class:

    \b
            vpype sketchgen -n 12 -c cat,dog --layers class grid 4 3 \\
                write out.svg

        As many owls as fit on two A4 pages, one file per page:

    \b
            vpype pagesize a4 sketchgen -n 40 -c owl \\
                forlayer write page%_i+1%.svg end

        A flower of 10cm in one unbroken line, always the same one:

            vpype -s 7 sketchgen -c flower -s 10cm --one-line write out.svg

        From calm to wild:

    \b
            vpype grid -o 5cm 5cm 5 1 sketchgen -c face -t "%0.1+0.2*_i%" end \\
                write faces.svg

        Your own model:

            vpype sketchgen --model my_model.safetensors -n 9 write out.svg
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    memory, values, place = call.memory, call.values, call.place
    known = memory.checkpoint(values["model"]).classes
    if values["list_classes"]:
        click.echo(_columns(known))
        call.ctx.exit()
    drawing = _drawing(call, known)
    grid, cell = _grid(call)
    only = values["only"]
    count = 1 if only else values["count"] or (math.prod(grid) if grid else 1)
    frame = frame_of(call)
    sheet = plan_sheet(document, frame, count, grid=grid, cell=cell, size=values["size"])
    by = values["layers"]
    if sheet.pages(count) > 1:
        _announce_pages(call, by, count, sheet)
        by = "page"
    fresh = values["layer"] is None and by != "one"
    first_layer = vpype_cli.single_to_layer_id(
        vpype_cli.LayerType.NEW if fresh else values["layer"], document
    )

    first = only - 1 if only else memory.dealt
    left = 1 if varies(call.given) else place.remaining
    if only:
        sketches = memory.draw_again(drawing, first)
    else:
        sketches = memory.deal(drawing, count, count * left)
    memory.warn_of_cuts(sketches)
    for i, sketch in enumerate(sketches):
        name = {
            "one": ", ".join(drawing.classes) if len(drawing.classes) <= 3 else "sketches",
            "class": sketch.label,
            "sketch": f"{sketch.label} {first + i + 1}",
            "page": f"page {i // sheet.cells + 1}",
        }[by]
        lid = first_layer if by == "one" else memory.layer_id(name, document, first_layer)
        if drawing.one_line if values["clean"] is None else values["clean"]:
            sketch = _cleaned(sketch)
        if drawing.one_line:
            line = _joined(sketch, values["smooth"], values["tails"])
            placed = sheet.place(line, i, smooth=False)
        else:
            placed = sheet.place(sketch, i, values["smooth"])
        add(document, placed, lid, name)
        if by == "sketch":
            document.layers[lid].set_property(f"{PREFIX}seed", drawing.seed)
            document.layers[lid].set_property(f"{PREFIX}number", first + i + 1)
        call.state.target_layer_id = lid

    properties = asdict(drawing) | {"class": ", ".join(values["classes"]) or "random"}
    del properties["classes"]
    note(document, call, properties)
    if not frame:
        fit_page(document, sheet, place)
    return document


def _cleaned(sketch: Sketch) -> Sketch:
    """Clean a sketch; what that needs is loaded only then."""
    from vpype_sketchformer.cleaning import clean_sketch

    return clean_sketch(sketch)


def _joined(sketch: Sketch, smooth: bool, tails: bool) -> Sketch:
    """Make one line of a sketch; what that needs is loaded only then."""
    from vpype_sketchformer.oneline.sketches import in_one_line

    return in_one_line(sketch, smooth, tails)


def _drawing(call: Call[_Memory], known: Sequence[str]) -> _Drawing:
    """Gather what the sketches depend on; ``known`` are the model's classes."""
    names = {f.name for f in fields(_Drawing)} - {"classes"}
    return _Drawing(
        classes=_classes(call, known), **{name: call.values[name] for name in names}
    )


def _classes(call: Call[_Memory], known: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that take turns; none wanted: all, in random order."""
    wanted = call.values["classes"]
    if not wanted:
        random = np.random.default_rng(call.values["seed"])
        return tuple(str(name) for name in random.permutation(known))
    classes: list[str] = []
    for name in (part.strip() for text in wanted for part in text.split(",")):
        if name.casefold() == "all":
            classes.extend(known)
        else:
            classes.append(
                options.find_class(call.ctx, "classes", name, known, "--list-classes")
            )
    return tuple(classes)


def _grid(call: Call[_Memory]) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """Return the columns and rows of the sheet, and the size of a cell, as far as given."""
    option = call.values["grid"]
    if call.place.layout is None:
        call.require(option is None or min(option) >= 1, "grid", "a grid has 1 cell or more.")
        return option, None
    if option is not None:
        raise click.UsageError("give --grid or a grid behind the command, not both.", call.ctx)
    return layout(call)


def _announce_pages(call: Call[_Memory], layers: str, count: int, sheet: Sheet) -> None:
    """Warn that the sheet has several pages, or refuse where layers mean something else."""
    what = f"{count} sketches in {sheet.cells} cells make {sheet.pages(count)} pages"
    call.require(
        layers == "one",
        "layers",
        f"{what}, which are layers themselves: give the sheet more cells.",
    )
    call.memory.warn(
        "pages",
        f"{what}, each on its own layer; `forlayer write page%_i+1%.svg end` writes them",
    )


def _columns(names: Sequence[str]) -> str:
    """Format names in columns, down the first one first."""
    width = max(map(len, names)) + 2
    columns = max(1, shutil.get_terminal_size().columns // width)
    rows = math.ceil(len(names) / columns)
    lines = ("".join(name.ljust(width) for name in names[row::rows]) for row in range(rows))
    return "\n".join(line.rstrip() for line in lines)
