"""`axidraw`: plot what is in the pipeline on an AxiDraw."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.pipeline import layers_around
from vpype_sketchformer.commands.support.terminal import Terminal
from vpype_sketchformer.plotters import axidraw as machine
from vpype_sketchformer.plotters import remainder
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress
from vpype_sketchformer.plotters.operator import DeclinedError, duration
from vpype_sketchformer.plotters.record import Record
from vpype_sketchformer.units import MM

#: Options of the command, the module's names for them, and what the documentation allows.
RANGES = {
    "pen_up": ("pen_pos_up", 0, 100),
    "pen_down": ("pen_pos_down", 0, 100),
    "speed_up": ("speed_penup", 1, 110),
    "speed_down": ("speed_pendown", 1, 110),
    "accel": ("accel", 1, 100),
    "penlift": ("penlift", 1, 3),
}

#: How much of a drawing is drawn again, in mm, where the module has counted on after the
#: cable was out, and only the carriage could tell.
OVERLAP = 30.0

OPERATOR = Terminal("axidraw")


@dataclass(frozen=True)
class _Part:
    """One layer, as the AxiDraw is to plot it.

    Attributes:
        job: The layer alone.
        page: Width and height in mm.
        label: The layer's name for the module.
        svg: The layer on its page, or what the module returned when it stopped.
        pause: Whether its name asks for a pause before it.
        progress: What to record when its plot begins.
        mode: The module's mode.
        walk: How to bring the carriage home first, x + iy in mm.
    """

    job: Job
    page: tuple[float, float]
    label: str
    svg: str
    pause: bool
    progress: Progress
    mode: str = "plot"
    walk: complex = 0j

    def __str__(self) -> str:
        """Name the layer."""
        return str(self.job.layers[0])

    @property
    def is_begun(self) -> bool:
        """Whether some of it is drawn."""
        return self.mode == "res_plot" or self.progress.span[0] > 0


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
    type=vpype_cli.TextType(),
    metavar="MODEL",
    help="The machine: 1 V2, V3 or SE/A4; 2 V3/A3 or SE/A3; 3 V3 XLX; 4 MiniKit; 5 SE/A1; "
    "6 SE/A2; 7 V3/B6; 8, 9, 10 NextDraw 8511, 1117, 2234 (default: the module's own).",
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
    "--accel",
    type=vpype_cli.IntegerType(),
    metavar="PERCENT",
    help="Acceleration, 1 to 100 (default: the module's own, 75).",
)
@click.option(
    "--penlift",
    type=vpype_cli.IntegerType(),
    metavar="N",
    help="The servo that lifts the pen: 1 as the model has it, 2 standard, 3 brushless.",
)
@click.option(
    "--rotate/--no-rotate",
    default=None,
    help="Turn a page that is taller than wide by a quarter, counter-clockwise, onto the bed "
    "(default: the module's own, --rotate).",
)
@click.option(
    "--config",
    type=vpype_cli.PathType(exists=True, dir_okay=False),
    metavar="FILE",
    help="A configuration file of the module's, for all other settings; what it does not say "
    "stays as it is.",
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
@click.option(
    "--at-home",
    is_flag=True,
    help="With --resume: the carriage was put into the home corner since.",
)
@click.option(
    "--back",
    type=vpype_cli.LengthType(),
    default="0",
    metavar="LENGTH",
    help="With --resume: draw so much of what was drawn again, for a pen that had run dry.",
)
@click.option(
    "--frame",
    type=vpype_cli.ChoiceType(["page", "drawing"]),
    metavar="WHAT",
    help="Before the plot, travel around the `page` or the `drawing` with the pen up.",
)
@click.option(
    "--copies",
    type=vpype_cli.IntegerType(),
    default="1",
    metavar="N",
    help="Plot so many times, with a stop for new paper in between (default: 1).",
)
@click.option(
    "--pen-test",
    is_flag=True,
    help="Only raise and lower the pen, change its heights by keys, and say how to keep them.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the plot.")
@vpype_cli.global_processor
def axidraw(document: vp.Document, **options: Any) -> vp.Document:
    """Plot on an AxiDraw or a NextDraw.

    Layers are plotted one after the other, each from the home corner (top left) and back; the
    strokes are drawn in their order, as they are. Before the pen moves, the time is estimated,
    and you are asked. Before the next layer there is a pause for another pen. What is in the
    pipeline goes on unchanged.

    This needs the module pyaxidraw of the AxiDraw's maker, installed as
    https://axidraw.com/doc/py_api tells, or its successor nextdraw (https://bantam.tools/nd_py),
    which runs the models from 8 on as well; that was not tried on a machine. Your settings in
    its configuration are the defaults here, and before them those of [command.axidraw] in
    ~/.vpype.toml (pen_up, pen_down, model and so on).

    A drawing without a page size is plotted where it is, on the whole travel. Nothing is cut
    off: a drawing that reaches beyond its page or the travel is refused.

    The names of layers are understood as the AxiDraw understands them: a layer with a % in
    front is not plotted, a ! in front asks for a pause, and +H, +S or +D and a number,
    in front or behind a leading number, set pen height, speed, or a delay in milliseconds.

    The pause button and Ctrl-C lift the pen and stop; the same command with `--resume` goes on
    from there, so plot from a file: a sketch that is invented anew is another drawing. How far
    the plot got is kept in two files beside the drawing, .job.json and .axidraw.svg. The
    carriage must stay where it stopped; before you switch the machine off, run the command
    with `--home` instead. After a pulled cable the machine's own count of steps tells where
    the carriage is; where it was switched off since, push the carriage into the home corner
    and say `--at-home` as well.

    Examples:

        Plot a file:

            vpype read sheet.svg axidraw

        How long will it take? (No AxiDraw needed.)

            vpype read sheet.svg axidraw --preview

        Six cats on A5, kept in a file, and plotted:

    \b
            vpype sketchgen -n 6 -c cat layout -l a5 linesort write cats.svg
            vpype read cats.svg axidraw

        Find the heights of the pen (no drawing needed):

            vpype axidraw --pen-test

        A large sheet with a soft pen, on a V3/A3, after a look where it lies:

            vpype read sheet.svg axidraw -m V3/A3 --pen-down 25 --frame page

        Go on after a stop:

            vpype read sheet.svg axidraw -m V3/A3 --resume

        Plot one layer only:

            vpype read sheet.svg axidraw -l 2

        Slow down for layer 2 alone, and press harder:

            vpype read sheet.svg name -l 2 "2+S10+H20 red" axidraw
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    try:
        if options["pen_test"]:
            _try_pen(options)
        else:
            _plot(document, options)
    except (machine.AxiDrawError, JobError) as error:
        raise click.UsageError(f"axidraw: {error}") from error
    except DeclinedError as error:
        raise click.Abort from error
    return document


axidraw.help_group = "Output"  # type: ignore[attr-defined]


def _plot(document: vp.Document, options: dict[str, Any]) -> None:
    """Do what the options say."""
    axidraw = _machine(options)
    if not 1 <= options["copies"] <= 1000:
        raise click.BadParameter("that is out of range.", param_hint="--copies")
    parts = _parts(document, options, axidraw)
    record = Record(JobFile.beside(document))
    if options["home"]:
        _go_home(axidraw, parts, record)
        return
    whole = parts
    if options["resume"]:
        record.require_begun()
        parts = [
            _resumed(part, record, axidraw, options)
            for part in parts
            if not _is_drawn(part, record)
        ]
    estimates = [axidraw.run(part.svg, part.mode, preview=True) for part in parts]
    _check_complete(parts, estimates, axidraw)
    _announce(axidraw, parts, estimates)
    if options["preview"]:
        return
    if parts:
        _check_power(axidraw)
        _frame(axidraw, parts, options)
    if parts and not options["yes"]:
        if not options["resume"] and any(record.is_stopped(part.job) for part in parts):
            OPERATOR.say("a plot of this was stopped; --resume goes on with it")
        _ask(parts)
    for copy in range(1, options["copies"] + 1):
        if copy > 1:
            if not OPERATOR.confirm(
                f"New paper for copy {copy} of {options['copies']}: plot?"
            ):
                raise DeclinedError
            parts = whole
            estimates = [axidraw.run(part.svg, part.mode, preview=True) for part in parts]
        _plot_parts(axidraw, parts, estimates, record, options)
    if not _more_to_come():
        record.close()


def _plot_parts(
    axidraw: machine.AxiDraw,
    parts: list[_Part],
    estimates: list[machine.Run],
    record: Record,
    options: dict[str, Any],
) -> None:
    """Plot layers one after the other, with a pause for another pen before each."""
    shown, finished = layers_around()
    if not options["resume"]:
        record.forget({part.job.layers[0].number for part in parts} | (shown - finished))
    for number, (part, estimate) in enumerate(zip(parts, estimates, strict=True)):
        another = number or (finished and options["yes"] and not part.is_begun)
        if another and (part.pause or options["pause"]):
            _change_pen(part)
        with _progress(estimate.seconds):
            _draw(axidraw, part, record)


def _machine(options: dict[str, Any]) -> machine.AxiDraw:
    """Return the AxiDraw with the options of the command, of `~/.vpype.toml`, by its names."""
    configured = vp.config_manager.get_command_config("axidraw")
    maker = machine.find()
    settings: dict[str, Any] = {}
    if options["rotate"] is not None:
        settings["auto_rotate"] = options["rotate"]
    if options["port"]:
        settings["port"] = options["port"]
    model = options["model"] or configured.get("model")
    if model is not None:
        settings["model"] = machine.model_number(str(model), maker)
    for name, (documented, least, most) in RANGES.items():
        value = options[name] if options[name] is not None else configured.get(name)
        if value is None:
            continue
        most = maker.fastest if name.startswith("speed") else most
        if not isinstance(value, int) or not least <= value <= most:
            hint = "--" + name.replace("_", "-")
            raise click.BadParameter(f"{value} is not {least} to {most}.", param_hint=hint)
        settings[documented] = value
    config = options["config"]
    return machine.AxiDraw(settings, None if config is None else Path(config))


# --- what to plot ----------------------------------------------------------------------------


def _parts(
    document: vp.Document, options: dict[str, Any], axidraw: machine.AxiDraw
) -> list[_Part]:
    """Return the layers to plot, one by one; refuse a drawing that would be cut off."""
    parts = []
    turned = "turned" if axidraw.rotates else "not turned"
    setup = f"model {axidraw.model} and portrait pages {turned}"
    for number in vpype_cli.multiple_to_layer_ids(options["layer"], document):
        layer = document.layers[number]
        lines = [line for line in layer if len(line) > 1]
        name = str(layer.property(vp.METADATA_FIELD_NAME) or number).strip()
        if len(lines) < len(layer):
            OPERATOR.say(f"layer {number}: single points are not plotted")
        if not lines or name.startswith("%"):
            continue
        alone = document.clone()
        alone.add(layer.clone(lines), number, with_metadata=True)
        job = Job.from_document(alone)
        page = job.page or axidraw.travel
        _check_bounds(job, page, axidraw)
        label = name.removeprefix("!")
        svg = machine.to_svg(list(job.strokes), page, label)
        progress = Progress(
            job.fingerprint,
            job.count,
            position=(0.0, 0.0, 0.0),
            setup=setup,
            span=(0.0, job.drawn),
        )
        parts.append(_Part(job, page, label, svg, name.startswith("!"), progress))
    return parts


def _check_bounds(job: Job, page: tuple[float, float], axidraw: machine.AxiDraw) -> None:
    """Refuse a drawing that the module would cut off at an edge."""
    over = machine.excess(job.points, page)
    if job.page and over > machine.TOLERANCE:
        raise click.UsageError(
            f"axidraw: {job.layers[0]} reaches {over:.2f} mm beyond its page; `layout` or "
            "`crop` it, or set another `pagesize`."
        )
    travel, model = axidraw.travel, axidraw.model
    points = machine.on_the_bed(job.points, page, rotate=axidraw.rotates)
    over = machine.excess(points, travel)
    if over > machine.TOLERANCE:
        raise click.UsageError(
            f"axidraw: {job.layers[0]} reaches {over:.2f} mm beyond the travel of model "
            f"{model} ({machine.MODELS[model].names}), {travel[0]:.2f} x {travel[1]:.2f} mm; "
            "choose another --model, or `layout` the drawing on a smaller page."
        )


def _check_complete(
    parts: list[_Part], estimates: list[machine.Run], axidraw: machine.AxiDraw
) -> None:
    """Refuse what the module would leave out, by its own preview.

    Raises:
        AxiDrawError: It would draw less than there is.
    """
    for part, estimate in zip(parts, estimates, strict=True):
        wanted = part.job.drawn - part.progress.span[0]
        told = estimate.drawn - (
            part.progress.span[0] - part.progress.base if part.mode == "res_plot" else 0
        )
        unknown = axidraw.maker.package == "nextdraw" and not estimate.drawn
        if told < (1 - machine.MISSING) * wanted - 1 and not unknown:
            raise machine.AxiDrawError(
                f"{part}: {axidraw.maker.package} would draw {told:.0f} of {wanted:.0f} mm, "
                "and leave out the rest; `layout` it with a margin, or on a smaller page"
            )


def _is_drawn(part: _Part, record: Record) -> bool:
    """Tell whether a layer has been plotted already, and say so."""
    progress = record.progress(part.job)
    drawn = progress is not None and progress.complete
    if drawn:
        OPERATOR.say(f"{part} is drawn already")
    return drawn


def _resumed(
    part: _Part, record: Record, axidraw: machine.AxiDraw, options: dict[str, Any]
) -> _Part:
    """Return the rest of a layer whose plot was stopped; all of one that was not begun."""
    progress = record.stopped(part.job, part.progress.setup)
    if progress is None:
        return part
    back = options["back"] / MM
    if not back >= 0:
        raise click.BadParameter("it is less than nothing.", param_hint="--back")
    at_home = options["at_home"] or progress.homed
    if not (progress.lost or at_home or back):
        return replace(part, svg=record.svg(part.job), mode="res_plot", progress=progress)
    if at_home:
        done, walk = progress.span[1] - OVERLAP * progress.lost, 0j
    else:
        done, walk = _whereabouts(part, progress, axidraw)
    done = max(0.0, done - back)
    svg = machine.to_svg(remainder.after(list(part.job.strokes), done), part.page, part.label)
    begun = replace(part.progress, span=(done, part.job.drawn), base=done)
    return replace(part, svg=svg, progress=begun, walk=walk)


def _whereabouts(
    part: _Part, progress: Progress, axidraw: machine.AxiDraw
) -> tuple[float, complex]:
    """Return how much is drawn in mm, and how the carriage comes home from where it is.

    Raises:
        JobError: That cannot be known.
    """
    start = None if progress.position is None else complex(*progress.position[:2])
    if not progress.lost and start is not None:
        return progress.span[1], -start
    board = axidraw.look()
    if start is not None and board is not None and board.place is not None:
        place = start + board.place
        done = remainder.locate(_on_the_bed(part, axidraw), place, progress.span, start)
        if done is not None:
            return done, -place
    raise JobError(
        f"{part}: where the carriage is cannot be told, for the machine was off, or moved. "
        "Switch it off, push the carriage into the home corner, switch it on, and say "
        f"--at-home as well: the last {OVERLAP:.0f} mm are drawn again then."
    )


def _on_the_bed(part: _Part, axidraw: machine.AxiDraw) -> list[Any]:
    return [
        machine.on_the_bed(stroke, part.page, rotate=axidraw.rotates)
        for stroke in part.job.strokes
    ]


# --- before the plot ----------------------------------------------------------------------


def _announce(
    axidraw: machine.AxiDraw, parts: list[_Part], estimates: list[machine.Run]
) -> None:
    """Say what is going to be plotted, and how long that takes."""
    if not parts:
        OPERATOR.say("nothing to plot")
        return
    for part, estimate in zip(parts, estimates, strict=True):
        rest = "the rest of " if part.is_begun else ""
        OPERATOR.say(
            f"{rest}{part}: {part.job.count} strokes, {part.job.drawn / 1000:.2f} m, "
            f"{duration(estimate.seconds)}"
        )
    OPERATOR.say(
        f"model {axidraw.model} ({machine.MODELS[axidraw.model].names}): "
        f"{sum(estimate.travelled for estimate in estimates) / 1000:.2f} m above the paper, "
        f"{sum(estimate.lifts for estimate in estimates)} pen lifts, "
        f"{duration(sum(estimate.seconds for estimate in estimates))} in all"
    )


def _check_power(axidraw: machine.AxiDraw) -> None:
    """Refuse to plot with motors that cannot move.

    Raises:
        ClickException: They have no power.
    """
    board = axidraw.look()
    if board is not None and not board.powered:
        raise click.ClickException(
            "axidraw: the motors have no power: plug in the machine's own power supply."
        )


def _frame(axidraw: machine.AxiDraw, parts: list[_Part], options: dict[str, Any]) -> None:
    """Travel around the page or the drawing, as often as the user likes."""
    if options["frame"] is None:
        return
    if any(part.mode == "res_plot" or part.walk for part in parts):
        raise JobError("--frame begins in the home corner; the carriage is elsewhere.")
    page = parts[0].page
    corners = np.array([0, page[0], complex(*page), 1j * page[1], 0])
    if options["frame"] == "drawing":
        points = np.concatenate([part.job.points for part in parts])
        low = complex(points.real.min(), points.imag.min())
        size = complex(np.ptp(points.real), np.ptp(points.imag))
        corners = low + np.array([0, size.real, size, 1j * size.imag, 0])
    svg = machine.to_svg([corners], page, "frame")
    up = axidraw.setting("pen_pos_up")
    again = True
    while again:
        run = axidraw.run(svg, pen_pos_down=up)
        if run.code:
            raise _stopped(run)
        again = not options["yes"] and OPERATOR.confirm("Around the frame again?")


def _ask(parts: list[_Part]) -> None:
    question = "The carriage is in the home corner, pen and paper are in place: plot"
    if any(part.mode == "res_plot" or part.walk for part in parts):
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


# --- the plot -----------------------------------------------------------------------------


def _draw(axidraw: machine.AxiDraw, part: _Part, record: Record) -> None:
    """Plot a layer, or what is left of it, and keep how far it got."""
    answers = axidraw.look() is not None
    if part.walk:
        axidraw.walk(part.walk)
    record.begin(part.job, part.progress)
    try:
        run = axidraw.run(part.svg, part.mode)
    except machine.AxiDrawError as error:
        raise click.ClickException(f"axidraw: {part}: {error}.") from error
    if run.code == machine.NOT_FOUND:
        record.undo()
        raise _stopped(run)
    least, base = part.progress.span[0], part.progress.base
    most = min(part.job.drawn, max(least, base + run.drawn))
    if run.code == 0 or (run.code is None and most >= part.job.drawn * (1 - machine.MISSING)):
        board = axidraw.look()
        if board is None and answers:  # the module has not noticed
            run = run._replace(code=machine.UNPLUGGED)
        elif board is not None and not board.powered:
            raise click.ClickException(
                f"axidraw: {part}: the motors have no power, so it may not be drawn, and is "
                "not recorded as drawn. Look at the paper; plot it anew without --resume."
            )
        else:
            record.finish(part.job)
            return
    progress = replace(part.progress, span=(least, most), lost=run.code == machine.UNPLUGGED)
    if not progress.lost:
        progress = _noted(part, progress, axidraw)
    try:
        record.stop(part.job, progress, run.svg)
    except JobError as error:
        raise click.ClickException(f"axidraw: {part}: {error}") from error
    raise _stopped(run, f" {part} is unfinished; the same command with --resume goes on.")


def _noted(part: _Part, progress: Progress, axidraw: machine.AxiDraw) -> Progress:
    """Return the progress with the place where the carriage stands, as the board counts."""
    board = axidraw.look()
    if progress.position is None or board is None or board.place is None:
        return replace(progress, position=None)
    start = complex(*progress.position[:2])
    place = start + board.place
    done = remainder.locate(_on_the_bed(part, axidraw), place, progress.span, start)
    span = progress.span if done is None else (done, done)
    return replace(progress, position=(place.real, place.imag, 0.0), span=span)


def _go_home(axidraw: machine.AxiDraw, parts: list[_Part], record: Record) -> None:
    """Move the carriage home from where a plot was stopped."""
    stopped = [part for part in parts if record.is_stopped(part.job)]
    if not stopped:
        raise JobError("no plot of this drawing was stopped, the carriage stays where it is.")
    part = stopped[0]
    progress = record.stopped(part.job, part.progress.setup)
    assert progress is not None
    svg = record.svg(part.job)
    if progress.lost:
        done, walk = _whereabouts(part, progress, axidraw)
        axidraw.walk(walk)
        progress = replace(progress, span=(done, done), lost=False, homed=True)
    elif axidraw.maker.package == "nextdraw":  # which has no res_home
        axidraw.by_hand("walk_home")
        progress = replace(progress, homed=True)
    else:
        run = axidraw.run(svg, "res_home")
        if run.code:
            raise _stopped(run)
        svg = run.svg
    record.stop(part.job, replace(progress, position=(0.0, 0.0, 0.0)), svg)
    OPERATOR.say("the carriage is home; --resume goes on from there")


def _stopped(run: machine.Run, advice: str = "") -> click.ClickException:
    """Return the error for a run that did not get to its end."""
    reason = "stopped, and the module does not say why"
    if run.code is not None:
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


# --- the pen ------------------------------------------------------------------------------


def _try_pen(options: dict[str, Any]) -> None:
    """Raise and lower the pen, change its heights by keys, and say how to keep them.

    Raises:
        JobError: Nobody is at the keys.
        DeclinedError: The user gives up.
    """
    from vpype_sketchformer.plotters import user_config

    if not OPERATOR.present:
        raise JobError("--pen-test needs somebody at the keys of a terminal.")
    axidraw = _machine(options)
    heights = {name: axidraw.setting(RANGES[name][0]) for name in ("pen_up", "pen_down")}
    is_down = False
    arrows = {"\x1b[A": 1, "\x1b[B": -1}

    def move() -> None:
        values = {RANGES[name][0]: height for name, height in heights.items()}
        axidraw.by_hand("lower_pen" if is_down else "raise_pen", **values)
        told = ", ".join(f"{name} {height}" for name, height in heights.items())
        OPERATOR.say(f"pen {'down' if is_down else 'up'}: {told}")

    try:
        with OPERATOR.keys() as pressed:
            OPERATOR.say(
                "Space raises and lowers the pen, arrows up and down change its height"
            )
            OPERATOR.say("as it stands; Enter when it is right, q to leave")
            move()
            while (key := pressed()) not in ("\n", "\r"):
                if key == "q":
                    raise DeclinedError
                if key == " ":
                    is_down = not is_down
                elif key in arrows:
                    name = "pen_down" if is_down else "pen_up"
                    heights[name] = min(100, max(0, heights[name] + arrows[key]))
                else:
                    time.sleep(0.02)
                    continue
                move()
    finally:
        axidraw.lift()
    click.echo(" ".join(f"--{name.replace('_', '-')} {n}" for name, n in heights.items()))
    click.echo(f"\n{user_config.table('command.axidraw', heights)}")
    path = Path.home() / ".vpype.toml"
    if OPERATOR.confirm(f"Write these lines to {path}?"):
        user_config.keep(path, "command.axidraw", heights)
