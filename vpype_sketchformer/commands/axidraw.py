"""`axidraw`: plot what is in the pipeline on an AxiDraw."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.pipeline import PlacedCommand, layers_around
from vpype_sketchformer.plotters.job import JobError, JobFile
from vpype_sketchformer.plotters.operator import DeclinedError
from vpype_sketchformer.units import MM

if TYPE_CHECKING:
    from vpype_sketchformer.commands.support.pipeline import Place
    from vpype_sketchformer.commands.support.terminal import Terminal
    from vpype_sketchformer.plotters.axidraw.module import AxiDraw
    from vpype_sketchformer.plotters.axidraw.session import Surroundings, Wanted

#: Options of the command, the module's names for them, and what the documentation allows.
RANGES = {
    "pen_up": ("pen_pos_up", 0, 100),
    "pen_down": ("pen_pos_down", 0, 100),
    "speed_up": ("speed_penup", 1, 110),
    "speed_down": ("speed_pendown", 1, 110),
    "accel": ("accel", 1, 100),
    "penlift": ("penlift", 1, 3),
}


@click.command(cls=PlacedCommand)
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
    "--park",
    type=vpype_cli.LengthType(),
    nargs=2,
    default=("0", "0"),
    metavar="X Y",
    help="Where the carriage waits for another pen or paper, from the home corner along the "
    "long side and the short one (default: 0 0).",
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
def axidraw(document: vp.Document, place: Place, **options: Any) -> vp.Document:
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

    While it plots:

    \b
        Space, p       pause: the pen is lifted where it is; so does the
                       machine's button, where somebody sits at the terminal
        + -            ten percent faster, slower
        u d            draw with the pen higher, lower
        Enter          go on after a pause
        q, Ctrl-C      lift the pen and stop

    The module reads its settings when it begins, so a change lifts the pen for a moment.

    After a stop the same command with `--resume` goes on from there, so plot from a file: a
    sketch that is invented anew is another drawing. How far the plot got is kept in two files
    beside the drawing, .job.json and .axidraw.svg. The carriage must stay where it stopped;
    before you switch the machine off, run the command with `--home` instead. After a pulled
    cable the machine's own count of steps tells where the carriage is; where it was switched
    off since, push the carriage into the home corner and say `--at-home` as well.

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
    from vpype_sketchformer.commands.support.terminal import Terminal
    from vpype_sketchformer.plotters.axidraw.module import AxiDrawError
    from vpype_sketchformer.plotters.axidraw.session import Session, StoppedError

    operator = Terminal("axidraw")
    try:
        if options["pen_test"]:
            _try_pen(options, operator)
            return document
        wanted, machine = _wanted(options), _machine(options)
        numbers = vpype_cli.multiple_to_layer_ids(options["layer"], document)
        file = JobFile.beside(document)
        session = Session(machine, file, _surroundings(place), wanted, operator)
        if options["home"]:
            session.go_home(document, numbers)
        else:
            session.run(document, numbers)
    except (AxiDrawError, JobError) as error:
        raise click.UsageError(f"axidraw: {error}") from error
    except StoppedError as error:
        raise click.ClickException(f"axidraw: {error}") from error
    except DeclinedError as error:
        raise click.Abort from error
    return document


axidraw.help_group = "Output"


def _machine(options: dict[str, Any]) -> AxiDraw:
    """Return the AxiDraw with the options of the command, or else of `~/.vpype.toml`.

    Raises:
        click.BadParameter: A value is outside its range.
    """
    from vpype_sketchformer.plotters.axidraw import module

    configured = vp.config_manager.get_command_config("axidraw")
    maker = module.find()
    settings: dict[str, Any] = {}
    if options["rotate"] is not None:
        settings["auto_rotate"] = options["rotate"]
    if options["port"]:
        settings["port"] = options["port"]
    model = options["model"] or configured.get("model")
    if model is not None:
        settings["model"] = module.model_number(str(model), maker)
    for name, (documented, least, most) in RANGES.items():
        value = options[name] if options[name] is not None else configured.get(name)
        if value is None:
            continue
        most = maker.fastest if name.startswith("speed") else most
        if not isinstance(value, int) or not least <= value <= most:
            hint = "--" + name.replace("_", "-")
            raise click.BadParameter(f"{value} is not {least} to {most}.", param_hint=hint)
        if name == "penlift" and value not in maker.penlifts:
            raise click.BadParameter(
                f"{maker.package} has no {value}.", param_hint="--penlift"
            )
        settings[documented] = value
    config = options["config"]
    return module.AxiDraw(settings, None if config is None else Path(config))


def _wanted(options: dict[str, Any]) -> Wanted:
    """Return what the options ask for.

    Raises:
        click.BadParameter: A value is outside its range.
    """
    from vpype_sketchformer.plotters.axidraw.session import Wanted

    if not 1 <= options["copies"] <= 1000:
        raise click.BadParameter("that is not 1 to 1000.", param_hint="--copies")
    if not 0 <= options["back"] <= 1000 * MM:
        raise click.BadParameter("that is not 0 to 1 m.", param_hint="--back")
    return Wanted(
        sure=options["yes"],
        preview=options["preview"],
        resume=options["resume"],
        at_home=options["at_home"],
        back=options["back"] / MM,
        pause=options["pause"],
        frame=options["frame"],
        copies=options["copies"],
        park=complex(*options["park"]) / MM,
    )


def _surroundings(place: Place) -> Surroundings:
    """Return the layers that `forlayer` shows one by one, and whether a loop goes on."""
    from vpype_sketchformer.plotters.axidraw.session import Surroundings

    shown, finished = layers_around()
    return Surroundings(frozenset(shown), frozenset(finished), more=place.remaining > 1)


def _try_pen(options: dict[str, Any], operator: Terminal) -> None:
    """Try the pen, and say how to keep what was found.

    Raises:
        JobError: Nobody is at the keys.
    """
    from vpype_sketchformer.plotters import user_config
    from vpype_sketchformer.plotters.axidraw.session import try_pen

    if not operator.present:
        raise JobError("--pen-test needs somebody at the keys of a terminal.")
    heights = try_pen(_machine(options), operator)
    click.echo(" ".join(f"--{name.replace('_', '-')} {n}" for name, n in heights.items()))
    click.echo(f"\n{user_config.table('command.axidraw', heights)}")
    path = Path.home() / ".vpype.toml"
    if operator.confirm(f"Write these lines to {path}?"):
        user_config.keep(path, "command.axidraw", heights)
