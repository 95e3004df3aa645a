"""`sketchgen`: sheets of sketches that a model invents."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import difflib
import itertools
import logging
import math
import shlex
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli
from click.core import ParameterSource

from vpype_sketchformer.commands.lookahead import Place, PlacedCommand
from vpype_sketchformer.commands.parameters import evaluate, require, varies
from vpype_sketchformer.sheet import Sheet, SheetError, plan, plan_inside

if TYPE_CHECKING:
    from vpype_sketchformer.checkpoint import Checkpoint
    from vpype_sketchformer.strokes import Sketch

DEFAULT_MODEL = "quickdraw"
DEFAULT_TEMPERATURE = 0.4

#: The highest temperature: beyond it nothing is left of a drawing.
MAX_TEMPERATURE = 2.0
MAX_GUIDANCE = 10.0

#: Prefix of the document's properties that say how it was drawn.
PREFIX = "sketchformer_"

#: The property that an SVG keeps: the command that draws the sketches again.
DESCRIPTION = "svg_dc_description"


@dataclass(frozen=True)
class _Drawing:
    """What to draw: everything that a sketch depends on beside its number."""

    model: str
    classes: tuple[str, ...]
    seed: int
    temperature: float
    pen_temperature: float
    guidance: float
    best_of: int
    one_line: bool


@dataclass
class _Run:
    """What one command keeps while the pipeline runs, however often a block runs it."""

    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    drawing: _Drawing | None = None
    stock: deque[Sketch] = field(default_factory=deque)
    dealt: int = 0
    layers: dict[str, int] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a model, once."""
        from vpype_sketchformer import checkpoint

        if name not in self.checkpoints:
            try:
                self.checkpoints[name] = checkpoint.load(checkpoint.find(name))
            except checkpoint.CheckpointError as error:
                raise click.BadParameter(str(error), param_hint="--model") from error
        return self.checkpoints[name]

    def deal(self, drawing: _Drawing, count: int, expected: int) -> list[Sketch]:
        """Return the next sketches, drawing all that are ``expected`` in one batch."""
        if drawing != self.drawing:
            self.stock.clear()
            if self.drawing is None or drawing.seed != self.drawing.seed:
                self.dealt = 0
            self.drawing = drawing
        if len(self.stock) < count:
            first = self.dealt + len(self.stock)
            self.stock.extend(self.draw(drawing, range(first, self.dealt + expected)))
        self.dealt += count
        return [self.stock.popleft() for _ in range(count)]

    def draw(self, drawing: _Drawing, numbers: range) -> list[Sketch]:
        """Draw the sketches of these numbers; each depends on its own number only."""
        from tqdm import tqdm

        from vpype_sketchformer.sampling import sample

        classes = drawing.classes
        with tqdm(total=len(numbers), delay=1, disable=None, leave=False) as bar:
            sketches = sample(
                self.checkpoint(drawing.model),
                [classes[number % len(classes)] for number in numbers],
                [np.random.SeedSequence(drawing.seed, spawn_key=(n,)) for n in numbers],
                temperature=drawing.temperature,
                pen_temperature=drawing.pen_temperature,
                guidance=drawing.guidance,
                best_of=drawing.best_of,
                one_line=drawing.one_line,
                progress=bar.update,
            )
        cut = sum(not sketch.finished for sketch in sketches)
        if cut:
            self.warn(
                "cut",
                f"{cut} of {len(sketches)} sketches were cut at the length limit; a lower "
                "`--temperature` or `--best-of 4` may help",
            )
        return sketches

    def layer_id(self, name: str, document: vp.Document, first: int) -> int:
        """Return the layer of a name: the ``first``, then unused ones above it."""
        if not self.layers:
            self.layers[name] = first
        elif name not in self.layers:
            above = itertools.count(max(self.layers.values()) + 1)
            self.layers[name] = next(lid for lid in above if lid not in document.layers)
        return self.layers[name]

    def warn(self, kind: str, message: str) -> None:
        """Warn, once in a run about each kind of thing."""
        if kind not in self.warned:
            self.warned.add(kind)
            logging.warning(f"sketchgen: {message}")


def _draw_seed(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Draw a seed from vpype's own generator and note it in the command line.

    `write` stores the command line in the file, which then tells how to draw it again. It is
    the context object of vpype's command group, and read when the next commands are parsed.
    """
    if value is not None or ctx.resilient_parsing:
        return value
    seed = int(np.random.randint(2**31))  # noqa: NPY002 -- what `vpype --seed` seeds
    if ctx.parent is not None and isinstance(ctx.parent.obj, str):
        ctx.parent.obj += f"# sketchgen --seed {seed}\n"
    return seed


@click.command(cls=PlacedCommand)
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
@click.option(
    "-t",
    "--temperature",
    type=vpype_cli.FloatType(),
    default=str(DEFAULT_TEMPERATURE),
    help="How adventurous the lines are: near 0 plain, above 1 wild "
    f"(default: {DEFAULT_TEMPERATURE}).",
)
@click.option(
    "--pen-temperature",
    type=vpype_cli.FloatType(),
    default="1",
    help="The same for when to lift the pen and when to end (default: 1).",
)
@click.option(
    "--guidance",
    type=vpype_cli.FloatType(),
    default="1",
    help="How much to insist on the class: 1 as learnt, 2 and more exaggerates (default: 1).",
)
@click.option(
    "--best-of",
    type=vpype_cli.IntegerType(),
    default="1",
    metavar="K",
    help="Draw each sketch K times and keep the one that most looks like its class, by the "
    "model's own measure (default: 1).",
)
@click.option("--one-line", is_flag=True, help="Draw each sketch without lifting the pen.")
@click.option(
    "--smooth/--no-smooth",
    default=True,
    help="Draw curves, flattened to 0.05 mm, or straight lines from point to point "
    "(default: --smooth).",
)
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
@click.option(
    "-m",
    "--model",
    type=vpype_cli.TextType(),
    default=DEFAULT_MODEL,
    metavar="MODEL",
    help=f"A model that ships, or the path of your own (default: {DEFAULT_MODEL}).",
)
@click.option(
    "--seed",
    type=vpype_cli.IntegerType(),
    callback=_draw_seed,
    help="Seed of the sketches (default: drawn from vpype's own, see `vpype --seed`).",
)
@click.option("--list-classes", is_flag=True, help="List the model's classes and exit.")
@click.pass_context
def sketchgen(
    ctx: click.Context,
    /,
    place: Place,
    list_classes: bool,
    **options: Any,
) -> Callable[[vpype_cli.State], None]:
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
        sketchformer_temperature, sketchformer_pen_temperature,
        sketchformer_guidance, sketchformer_best_of, sketchformer_one_line
        svg_dc_description: the command with its seed (kept by `write -r`)

    A plain `write` notes the seed beside the command line in the file.

    Examples:

        A sheet of 20 cats in 5 columns and 4 rows:

            vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg

        The same with vpype's own block, cells of 4cm:

            vpype grid -o 4cm 4cm 5 4 sketchgen --class cat end linesort write out.svg

        Cats and dogs in turn, a layer and so a pen for each class:

            vpype sketchgen -n 12 --class cat,dog --layers class grid 4 3 write out.svg

        As many owls as fit on two A4 pages, one file per page:

            vpype pagesize a4 sketchgen -n 40 --class owl forlayer write page%_i+1%.svg end

        A single flower of 10cm in one unbroken line, always the same one:

            vpype -s 7 sketchgen --class flower --size 10cm --one-line write flower.svg

        From calm to wild:

            vpype grid -o 5cm 5cm 5 1 sketchgen -c face -t "%0.1+0.2*_i%" end write faces.svg

        Your own model:

            vpype sketchgen --model my_model.safetensors -n 9 write out.svg
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    if list_classes:
        model = vpype_cli.State().preprocess_argument(options["model"])
        click.echo(_columns(_Run().checkpoint(model).classes))
        ctx.exit()
    if place.layout is not None and options["grid"] is not None:
        raise click.UsageError("give --grid or a grid behind the command, not both.", ctx)
    return _sketchgen(run=_Run(), ctx=ctx, place=place, options=options)


@vpype_cli.global_processor
@vpype_cli.pass_state
def _sketchgen(
    state: vpype_cli.State,
    document: vp.Document,
    *,
    run: _Run,
    ctx: click.Context,
    place: Place,
    options: Mapping[str, Any],
) -> vp.Document:
    """Draw sketches and put them on the document."""
    values = evaluate(state, ctx, options)
    _check(ctx, values)
    drawing = _drawing(ctx, values, run.checkpoint(values["model"]).classes)
    grid, cell = _grid(state, ctx, place, values["grid"])
    count = values["count"] or (math.prod(grid) if grid else 1)
    frame = _frame(state, place.blocks)
    sheet = _plan(document, frame, count, grid=grid, cell=cell, size=values["size"])
    by = values["layers"]
    if sheet.pages(count) > 1:
        _announce_pages(ctx, run, by, count, sheet)
        by = "page"
    fresh = values["layer"] is None and by != "one"
    first_layer = vpype_cli.single_to_layer_id(
        vpype_cli.LayerType.NEW if fresh else values["layer"], document
    )

    dealt = run.dealt
    left = 1 if varies(options) else _runs_left(state, place.blocks)
    for i, sketch in enumerate(run.deal(drawing, count, count * left)):
        name = {
            "one": ", ".join(drawing.classes) if len(drawing.classes) <= 3 else "sketches",
            "class": sketch.label,
            "sketch": f"{sketch.label} {dealt + i + 1}",
            "page": f"page {i // sheet.cells + 1}",
        }[by]
        lid = first_layer if by == "one" else run.layer_id(name, document, first_layer)
        _add(document, sheet.place(sketch, i, values["smooth"]), lid, name)
        state.target_layer_id = lid

    _note(document, drawing, values["classes"], place)
    keep = place.layout is not None and place.layout.params["keep_page_size"]
    if not (frame or keep):
        _extend_page(document, sheet)
    return document


def _check(ctx: click.Context, values: Mapping[str, Any]) -> None:
    """Refuse values outside their range."""
    count, size, guidance = values["count"], values["size"], values["guidance"]
    require(count is None or count >= 1, ctx, "count", f"{count} is not at least 1.")
    require(
        size is None or 0 < size < math.inf, ctx, "size", "the size must be greater than zero."
    )
    for name in ("temperature", "pen_temperature"):
        require(
            0 < values[name] <= MAX_TEMPERATURE,
            ctx,
            name,
            f"{values[name]:g} is not above 0 and at most {MAX_TEMPERATURE:g}.",
        )
    require(
        0 <= guidance <= MAX_GUIDANCE,
        ctx,
        "guidance",
        f"{guidance:g} is not between 0 and {MAX_GUIDANCE:g}.",
    )
    require(values["best_of"] >= 1, ctx, "best_of", f"{values['best_of']} is not at least 1.")
    require(values["seed"] >= 0, ctx, "seed", f"{values['seed']} is negative.")


def _drawing(ctx: click.Context, values: Mapping[str, Any], known: Sequence[str]) -> _Drawing:
    """Gather what the sketches depend on; ``known`` are the model's classes."""
    names = {f.name for f in fields(_Drawing)} - {"classes"}
    classes = _classes(ctx, values["classes"], known, values["seed"])
    return _Drawing(classes=classes, **{name: values[name] for name in names})


def _classes(
    ctx: click.Context, wanted: Sequence[str], known: Sequence[str], seed: int
) -> tuple[str, ...]:
    """Return the classes that take turns; none wanted: all, in random order."""
    if not wanted:
        return tuple(str(name) for name in np.random.default_rng(seed).permutation(known))
    by_name = {name.casefold(): name for name in known}
    classes: list[str] = []
    for name in (part.strip() for text in wanted for part in text.split(",")):
        if name.casefold() == "all":
            classes.extend(known)
            continue
        near = difflib.get_close_matches(name.casefold(), by_name, n=3)
        hint = f"did you mean {' or '.join(repr(by_name[n]) for n in near)}? " if near else ""
        require(
            name.casefold() in by_name,
            ctx,
            "classes",
            f"unknown class {name!r}; {hint}--list-classes lists all {len(known)}.",
        )
        classes.append(by_name[name.casefold()])
    return tuple(classes)


def _grid(
    state: vpype_cli.State,
    ctx: click.Context,
    place: Place,
    option: tuple[int, int] | None,
) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """Return the columns and rows of the sheet, and the size of a cell, as far as given."""
    if place.layout is None:
        require(option is None or min(option) >= 1, ctx, "grid", "a grid has 1 cell or more.")
        return option, None
    layout = place.layout
    values = evaluate(state, layout, layout.params)
    number, offset = values["number"], values["offset"]
    require(min(number) >= 1, layout, "number", "a grid has 1 cell or more.")
    _require_lengths(layout, offset)
    given = layout.get_parameter_source("offset") is not ParameterSource.DEFAULT
    return number, offset if given else None


def _frame(
    state: vpype_cli.State, blocks: Sequence[click.Context]
) -> tuple[float, float] | None:
    """Return the size of the cell of vpype's own `grid` around the command."""
    grids = [block for block in blocks if block.info_name == "grid"]
    if not grids:
        return None
    offset: tuple[float, float] = evaluate(state, grids[-1], grids[-1].params)["offset"]
    _require_lengths(grids[-1], offset)
    return offset


def _require_lengths(grid: click.Context, offset: tuple[float, float]) -> None:
    for length in offset:
        require(0 < length < math.inf, grid, "offset", "a cell must be greater than zero.")


def _runs_left(state: vpype_cli.State, blocks: Sequence[click.Context]) -> int:
    """Return how often the innermost block still runs the command, this time included."""
    # forfile's _n is not the number of its files: it is the length of their pattern.
    if not blocks or blocks[-1].info_name not in ("forlayer", "grid", "repeat"):
        return 1
    return int(state.substitute("%_n - _i%"))


def _plan(
    document: vp.Document,
    frame: tuple[float, float] | None,
    count: int,
    **wishes: Any,
) -> Sheet:
    """Lay out the sheet in its frame, on the document's page, or where neither is, freely."""
    try:
        if frame is not None:
            return plan_inside(frame, count, **wishes)
        return plan(
            count, page=None if _page_is_free(document) else document.page_size, **wishes
        )
    except SheetError as error:
        raise click.UsageError(str(error)) from error


def _page_is_free(document: vp.Document) -> bool:
    """Tell whether the page may grow: it is not set, tight, or set by `sketchgen` itself."""
    own = document.property(f"{PREFIX}page_size")
    return document.page_size in (None, (0.0, 0.0), own)


def _extend_page(document: vp.Document, sheet: Sheet) -> None:
    """Make the page large enough for the sheet, if it is for us to do so."""
    if _page_is_free(document) and document.page_size != (0.0, 0.0):
        document.extend_page_size(sheet.extent)
        document.set_property(f"{PREFIX}page_size", document.page_size)


def _announce_pages(
    ctx: click.Context, run: _Run, layers: str, count: int, sheet: Sheet
) -> None:
    """Warn that the sheet has several pages, or refuse where layers mean something else."""
    what = f"{count} sketches in {sheet.cells} cells make {sheet.pages(count)} pages"
    require(
        layers == "one",
        ctx,
        "layers",
        f"{what}, which are layers themselves: give the sheet more cells.",
    )
    run.warn(
        "pages",
        f"{what}, each on its own layer; `forlayer write page%_i+1%.svg end` writes them",
    )


def _add(document: vp.Document, sketch: Sketch, layer_id: int, name: str) -> None:
    """Add a sketch to a layer, and name the layer where it has no name."""
    lines = [stroke[:, 0] + 1j * stroke[:, 1] for stroke in sketch.strokes]
    document.add(vp.LineCollection(lines), layer_id)
    layer = document.layers[layer_id]
    if not layer.property_exists(vp.METADATA_FIELD_NAME):
        layer.set_property(vp.METADATA_FIELD_NAME, name)


def _note(
    document: vp.Document, drawing: _Drawing, classes: Sequence[str], place: Place
) -> None:
    """Note in the document how the sketches were drawn."""
    properties = asdict(drawing)
    properties["class"] = ", ".join(classes) or "random"
    del properties["classes"]
    for name, value in properties.items():
        document.set_property(f"{PREFIX}{name}", value)
    command = shlex.join(
        [
            "sketchgen",
            *place.arguments,
            *("--seed", str(drawing.seed)),
            *place.layout_arguments,
        ]
    )
    # Of all the document's properties, `write -r` and `read` keep those of this form.
    known = document.property(DESCRIPTION) or ""
    if command not in known:
        document.set_property(DESCRIPTION, "; ".join(filter(None, [known, command])))


def _columns(names: Sequence[str]) -> str:
    """Format names in columns, down the first one first."""
    width = max(map(len, names)) + 2
    columns = max(1, shutil.get_terminal_size().columns // width)
    rows = math.ceil(len(names) / columns)
    lines = ("".join(name.ljust(width) for name in names[row::rows]) for row in range(rows))
    return "\n".join(line.rstrip() for line in lines)
