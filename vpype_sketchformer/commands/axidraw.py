"""`axidraw`: plot what is in the pipeline on an AxiDraw."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.pipeline import layers_around
from vpype_sketchformer.plotters import axidraw as machine
from vpype_sketchformer.plotters.job import Job, JobError, JobFile
from vpype_sketchformer.units import MM

#: Options of the command, the module's names for them, and what the documentation allows.
RANGES = {
    "model": ("model", 1, max(machine.MODELS)),
    "pen_up": ("pen_pos_up", 0, 100),
    "pen_down": ("pen_pos_down", 0, 100),
    "speed_up": ("speed_penup", 1, 110),
    "speed_down": ("speed_pendown", 1, 110),
}


@dataclass(frozen=True)
class _Part:
    """One layer, as the AxiDraw is to plot it.

    Attributes:
        job: The layer alone.
        svg: The layer on its page, or what the module returned when it stopped.
        pause: Whether its name asks for a pause before it.
        mode: The module's mode.
    """

    job: Job
    svg: str
    pause: bool
    mode: str = "plot"

    def __str__(self) -> str:
        """Name the layer."""
        return str(self.job.layers[0])


@click.command()
@click.option(
    "-l",
    "--layer",
    type=vpype_cli.LayerType(accept_multiple=True),
    default="all",
    help="Layer(s) to plot (default: all).",
)
@click.option(
    "-m",
    "--model",
    type=vpype_cli.IntegerType(),
    metavar="N",
    help="The machine, a number of the list above (default: the module's own, 1).",
)
@click.option(
    "-p",
    "--port",
    type=vpype_cli.TextType(),
    metavar="PORT",
    help="USB port or nickname of the machine (default: the first one found).",
)
@click.option(
    "--pen-up",
    type=vpype_cli.IntegerType(),
    metavar="PERCENT",
    help="Height of the raised pen, 0 to 100 (default: the module's own, 60).",
)
@click.option(
    "--pen-down",
    type=vpype_cli.IntegerType(),
    metavar="PERCENT",
    help="Height of the lowered pen, 0 to 100 (default: the module's own, 30).",
)
@click.option(
    "--speed-down",
    type=vpype_cli.IntegerType(),
    metavar="PERCENT",
    help="Top speed while drawing, 1 to 110 (default: the module's own, 25).",
)
@click.option(
    "--speed-up",
    type=vpype_cli.IntegerType(),
    metavar="PERCENT",
    help="Top speed with the pen up, 1 to 110 (default: the module's own, 75).",
)
@click.option(
    "--rotate/--no-rotate",
    default=True,
    help="Turn a page that is taller than wide by a quarter, counter-clockwise, onto the bed "
    "(default: --rotate).",
)
@click.option(
    "--config",
    type=vpype_cli.PathType(exists=True, dir_okay=False),
    metavar="FILE",
    help="A configuration file of the module's, for all other settings.",
)
@click.option(
    "--pause/--no-pause",
    default=True,
    help="Stop at home before each layer but the first, to change the pen (default: --pause).",
)
@click.option(
    "--preview", is_flag=True, help="Only say what would be plotted and how long it takes."
)
@click.option("--resume", is_flag=True, help="Go on with a plot that was stopped.")
@click.option(
    "--home",
    is_flag=True,
    help="Only move the carriage home, pen up, from where a plot was stopped.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the plot.")
@vpype_cli.global_processor
def axidraw(document: vp.Document, **options: Any) -> vp.Document:
    """Plot on an AxiDraw.

    Layers are plotted one after the other, each from the home corner (top left) and back; the
    strokes are drawn in their order, as they are. Before the pen moves, the time is estimated,
    and you are asked. Before the next layer there is a pause for another pen. What is in the
    pipeline goes on unchanged.

    This needs the module pyaxidraw of the AxiDraw's maker, installed as
    https://axidraw.com/doc/py_api tells. Your settings in its configuration are the defaults
    here. The models are, with their travel:

    \b
        1  V2, V3 or SE/A4     300 x 218 mm
        2  V3/A3 or SE/A3      430 x 297 mm
        3  V3 XLX              595 x 218 mm
        4  MiniKit             160 x 101.6 mm
        5  SE/A1               864 x 594 mm
        6  SE/A2               594 x 432 mm
        7  V3/B6               190 x 140 mm

    A drawing without a page size is plotted where it is, on the whole travel. Nothing is cut
    off: a drawing that reaches beyond its page or the travel is refused.

    The names of layers are understood as the AxiDraw understands them: a layer with a % in
    front is not plotted, a ! in front asks for a pause, and +H, +S or +D and a number,
    in front or behind a leading number, set pen height, speed, or a delay in milliseconds.

    The pause button and Ctrl-C lift the pen and stop; the same command with `--resume` goes on
    from there, so plot from a file: a sketch that is invented anew is another drawing. How far
    the plot got is kept in two files beside the drawing, .job.json and .axidraw.svg. The
    carriage must stay where it stopped; before you switch the machine off, run the command
    with `--home` instead.

    Examples:

        Plot a file:

            vpype read sheet.svg axidraw

        How long will it take? (No AxiDraw needed.)

            vpype read sheet.svg axidraw --preview

        Six cats on A5, kept in a file, and plotted:

    \b
            vpype sketchgen -n 6 -c cat layout -l a5 linesort write cats.svg
            vpype read cats.svg axidraw

        A large sheet with a soft pen, on a V3/A3:

            vpype read sheet.svg axidraw --model 2 --pen-down 25 --speed-down 15

        Go on after a stop:

            vpype read sheet.svg axidraw --model 2 --resume

        Plot one layer only:

            vpype read sheet.svg axidraw -l 2

        Slow down for layer 2 alone, and press harder:

            vpype read sheet.svg name -l 2 "2+S10+H20 red" axidraw
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    try:
        _plot(document, options)
    except (machine.AxiDrawError, JobError) as error:
        raise click.UsageError(f"axidraw: {error}") from error
    return document


axidraw.help_group = "Output"  # type: ignore[attr-defined]


def _plot(document: vp.Document, options: dict[str, Any]) -> None:
    """Do what the options say."""
    config = options["config"]
    axidraw = machine.AxiDraw(_settings(options), None if config is None else Path(config))
    parts = _parts(document, options, axidraw.model)
    record = machine.Record(JobFile.beside(document))
    if options["home"]:
        _go_home(axidraw, parts, record)
        return
    if options["resume"]:
        record.require_begun()
        parts = [_resumed(part, record) for part in parts if not _is_drawn(part, record)]
    estimates = [axidraw.run(part.svg, part.mode, preview=True) for part in parts]
    _announce(axidraw.model, parts, estimates)
    if options["preview"]:
        return
    if parts and not options["yes"]:
        if not options["resume"] and any(record.is_stopped(part.job) for part in parts):
            click.echo(
                "axidraw: a plot of this was stopped; --resume goes on with it", err=True
            )
        _ask(parts)
    shown, finished = layers_around()
    if not options["resume"]:
        record.forget({part.job.layers[0].number for part in parts} | (shown - finished))
    for number, (part, estimate) in enumerate(zip(parts, estimates, strict=True)):
        another = number or (finished and options["yes"] and part.mode == "plot")
        if another and (part.pause or options["pause"]):
            _change_pen(part)
        with _progress(estimate.seconds):
            _draw(axidraw, part, record)
    if not _more_to_come():
        record.close()


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the module's options, by its own names."""
    settings: dict[str, Any] = {"auto_rotate": options["rotate"]}
    if options["port"]:
        settings["port"] = options["port"]
    for name, (documented, least, most) in RANGES.items():
        value = options[name]
        if value is None:
            continue
        if not least <= value <= most:
            hint = "--" + name.replace("_", "-")
            raise click.BadParameter(f"{value} is not {least} to {most}.", param_hint=hint)
        settings[documented] = value
    return settings


def _parts(document: vp.Document, options: dict[str, Any], model: int) -> list[_Part]:
    """Return the layers to plot, one by one; refuse a drawing that would be cut off."""
    parts = []
    for number in vpype_cli.multiple_to_layer_ids(options["layer"], document):
        layer = document.layers[number]
        lines = [line for line in layer if len(line) > 1]
        name = str(layer.property(vp.METADATA_FIELD_NAME) or number).strip()
        if len(lines) < len(layer):
            click.echo(f"axidraw: layer {number}: single points are not plotted", err=True)
        if not lines or name.startswith("%"):
            continue
        alone = document.clone()
        alone.add(layer.clone(lines), number, with_metadata=True)
        job = Job.from_document(alone)
        page = job.page or machine.MODELS[model].travel
        _check_bounds(job, page, model, rotate=options["rotate"])
        alone.layers[number].set_property(vp.METADATA_FIELD_NAME, name.removeprefix("!"))
        svg = io.StringIO()
        vp.write_svg(svg, alone, (page[0] * MM, page[1] * MM), set_date=False)
        parts.append(_Part(job, svg.getvalue(), pause=name.startswith("!")))
    return parts


def _check_bounds(job: Job, page: tuple[float, float], model: int, *, rotate: bool) -> None:
    """Refuse a drawing that the module would cut off at an edge."""
    over = machine.excess(job.points, page)
    if job.page and over > machine.TOLERANCE:
        raise click.UsageError(
            f"axidraw: {job.layers[0]} reaches {over:.2f} mm beyond its page; `layout` or "
            "`crop` it, or set another `pagesize`."
        )
    names, travel = machine.MODELS[model]
    over = machine.excess(machine.on_the_bed(job.points, page, rotate=rotate), travel)
    if over > machine.TOLERANCE:
        raise click.UsageError(
            f"axidraw: {job.layers[0]} reaches {over:.2f} mm beyond the travel of model "
            f"{model} ({names}), {travel[0]:g} x {travel[1]:g} mm; choose another --model, or "
            "`layout` the drawing on a smaller page."
        )


def _is_drawn(part: _Part, record: machine.Record) -> bool:
    """Tell whether a layer has been plotted already, and say so."""
    progress = record.progress(part.job)
    drawn = progress is not None and progress.complete
    if drawn:
        click.echo(f"axidraw: {part} is drawn already", err=True)
    return drawn


def _resumed(part: _Part, record: machine.Record) -> _Part:
    """Return the rest of a layer whose plot was stopped; all of one that was not begun."""
    svg = record.stopped(part.job)
    return part if svg is None else replace(part, svg=svg, mode="res_plot")


def _announce(model: int, parts: list[_Part], estimates: list[machine.Run]) -> None:
    """Say what is going to be plotted, and how long that takes."""
    if not parts:
        click.echo("axidraw: nothing to plot", err=True)
        return
    for part, estimate in zip(parts, estimates, strict=True):
        rest = "the rest of " if part.mode == "res_plot" else ""
        click.echo(
            f"axidraw: {rest}{part}: {part.job.count} strokes, {part.job.drawn / 1000:.2f} m, "
            f"{_duration(estimate.seconds)}",
            err=True,
        )
    click.echo(
        f"axidraw: model {model} ({machine.MODELS[model].names}): "
        f"{sum(estimate.travelled for estimate in estimates):.2f} m above the paper, "
        f"{sum(estimate.lifts for estimate in estimates)} pen lifts, "
        f"{_duration(sum(estimate.seconds for estimate in estimates))} in all",
        err=True,
    )


def _ask(parts: list[_Part]) -> None:
    question = "The carriage is in the home corner, pen and paper are in place: plot"
    if any(part.mode == "res_plot" for part in parts):
        question = "The carriage is where it was left, pen and paper are in place: go on"
    click.confirm(f"{question}?", default=True, abort=True, err=True, prompt_suffix=" ")


def _change_pen(part: _Part) -> None:
    try:
        click.confirm(
            f"Now the pen for {part}: plot?",
            default=True,
            abort=True,
            err=True,
            prompt_suffix=" ",
        )
    except click.Abort as error:
        raise click.ClickException(
            f"axidraw: stopped before {part}; the same command with --resume goes on."
        ) from error


def _draw(axidraw: machine.AxiDraw, part: _Part, record: machine.Record) -> None:
    """Plot a layer, or what is left of it, and keep how far it got."""
    record.begin(part.job)
    try:
        run = axidraw.run(part.svg, part.mode)
    except machine.AxiDrawError as error:
        raise click.ClickException(f"axidraw: {part}: {error}.") from error
    if run.code == machine.NOT_FOUND:
        record.undo()
        raise _stopped(run)
    try:
        if run.code:
            record.stop(part.job, run.svg)
        else:
            record.finish(part.job)
    except JobError as error:
        raise click.ClickException(f"axidraw: {part}: {error}") from error
    if run.code:
        raise _stopped(run, f" {part} is unfinished; the same command with --resume goes on.")


def _go_home(axidraw: machine.AxiDraw, parts: list[_Part], record: machine.Record) -> None:
    """Move the carriage home from where a plot was stopped."""
    stopped = [part for part in parts if record.is_stopped(part.job)]
    if not stopped:
        raise JobError("no plot of this drawing was stopped, the carriage stays where it is.")
    part = _resumed(stopped[0], record)
    run = axidraw.run(part.svg, "res_home")
    if run.code:
        raise _stopped(run)
    record.stop(part.job, run.svg)
    click.echo("axidraw: the carriage is home; --resume goes on from there", err=True)


def _stopped(run: machine.Run, advice: str = "") -> click.ClickException:
    """Return the error for a run that did not get to its end."""
    reason = machine.STOPS.get(run.code, f"stopped with the module's code {run.code}")
    return click.ClickException(f"axidraw: {reason}.{advice}")


def _more_to_come() -> bool:
    """Tell whether a loop such as `forlayer` runs the command again."""
    try:
        return int(vpype_cli.State.get_current().substitute("%_n - _i%")) > 1
    except click.BadParameter:
        return False


@contextlib.contextmanager
def _progress(seconds: float) -> Iterator[None]:
    """Show a bar of the time that a plot takes by its estimate: the module has none."""
    from tqdm import tqdm

    over = threading.Event()

    def tick() -> None:
        while not over.wait(1) and bar.n < bar.total:
            bar.update()

    with tqdm(total=round(seconds), unit="s", disable=None, leave=False) as bar:
        clock = threading.Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()


def _duration(seconds: float) -> str:
    """Format a duration."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
