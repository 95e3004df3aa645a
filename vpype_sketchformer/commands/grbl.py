"""`grbl`: plot what is in the pipeline on a machine that runs GRBL."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.pipeline import layers_around
from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters.job import Job, JobError, JobFile
from vpype_sketchformer.plotters.operator import DeclinedError
from vpype_sketchformer.units import MM
from vpype_sketchformer.wording import plain

if TYPE_CHECKING:
    from vpype_sketchformer.commands.support.terminal import Terminal
    from vpype_sketchformer.plotters.grbl.session import Surroundings, Wanted


def _list_ports(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print the serial ports, and end."""
    if not value or ctx.resilient_parsing:
        return
    from serial.tools import list_ports

    ports = sorted(list_ports.comports())
    for port in ports:
        click.echo(plain(f"{port.device}  {port.description}"))
    if not ports:
        click.echo("grbl: no serial port was found", err=True)
    ctx.exit()


@click.command()
@click.argument("port", type=vpype_cli.TextType())
@click.option(
    "-p",
    "--profile",
    type=vpype_cli.TextType(),
    metavar="NAME",
    help="How the pen is moved, as for `gwrite`: grbl_servo, grbl_servo_s or grbl_z "
    "(default: your default for `gwrite`, or else grbl_servo).",
)
@click.option(
    "-b",
    "--baud",
    type=vpype_cli.IntegerType(),
    default="115200",
    help="Speed of the line (default: 115200).",
)
@click.option("-y", "--yes", is_flag=True, help="Answer every question with yes.")
@click.option("--dry-run", is_flag=True, help="Print the plan and the G-code; open no port.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_ports,
    help="List the serial ports.",
)
@click.option("--unlock", is_flag=True, help="Unlock the machine after an alarm ($X).")
@click.option("--home", is_flag=True, help="Send the machine home first ($H).")
@click.option(
    "--set-origin",
    is_flag=True,
    help="First move the pen by keys to the bottom left corner of the page. With --yes the "
    "corner is where the pen stands (with grbl_z, touching the paper).",
)
@click.option("--resume", is_flag=True, help="Go on with a plot that was stopped.")
@click.option(
    "--from",
    "first",
    type=vpype_cli.IntegerType(),
    metavar="N",
    help="Begin with stroke N, counted from 1.",
)
@click.option(
    "--pause/--no-pause",
    default=True,
    help="Stop at the origin before each layer but the first, for another pen "
    "(default: --pause).",
)
@click.option(
    "--check/--no-check",
    default=True,
    help="Let the machine check the G-code before it moves (default: --check).",
)
@click.option("--simple", is_flag=True, help="Wait for the answer to each line: slower.")
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
    help="Where the pen is changed and rests, from the bottom left corner (default: 0 0).",
)
@click.option(
    "--jog-feed",
    type=vpype_cli.FloatType(),
    default="2000",
    metavar="FEED",
    help="Speed of moving by hand and around the frame, in mm/min (default: 2000).",
)
@click.option(
    "--copies",
    type=vpype_cli.IntegerType(),
    default="1",
    metavar="N",
    help="Plot so many times, with a stop for new paper in between (default: 1).",
)
@click.option(
    "--back",
    type=vpype_cli.LengthType(),
    default="0",
    metavar="LENGTH",
    help="When going on, draw the last bit of the stroke before again, for a pen that had run "
    "dry (default: 0).",
)
@click.option(
    "--pen-test",
    is_flag=True,
    help="Only raise and lower the pen, change its heights and dwell by keys, and say how to "
    "keep them.",
)
@vpype_cli.global_processor
def grbl(document: vp.Document, **options: Any) -> vp.Document:
    """Plot on a machine that runs GRBL.

    PORT is a serial port such as /dev/ttyUSB0 or COM3; `--list` shows those there are. It can
    be a machine in the network as well, such as socket://192.168.0.7:23. The pen is moved as
    the profile says, with the values that `gwrite` takes as well: set them with `propset`, or
    in the configuration; `--pen-test` finds them.

    The page's bottom left corner is the origin (X0 Y0). Without a page the drawing stays
    where it is, turned over within its own height. The job and the machine are checked, the
    time is estimated, and you are asked before anything moves. What is in the pipeline goes
    on unchanged.

    While it plots:

    \b
        Space, p       pause where the pen is, and go on
        l              pause at the next pen lift; there u and d draw on with
                       the pen higher or lower, Enter goes on
        + -            ten percent faster, slower
        q, Ctrl-C      stop: halt, raise the pen, say where it stands

    Layers are drawn one after the other; before each but the first the pen waits at the
    origin, or where `--park` says, to be changed. `vpype -v` shows the position.

    A plot that has stopped goes on with the same command and `--resume`, from the first
    stroke that was not drawn to its end. How far it got is kept in a file beside the
    drawing, with the ending .job.json, until it is complete. So plot from a file: a sketch
    that is invented anew is another drawing.

    Examples:

        Plot a file:

            vpype read sheet.svg grbl /dev/ttyUSB0

        What would be plotted?

            vpype read sheet.svg grbl --dry-run /dev/ttyUSB0

        Six cats on A5, kept in a file, and plotted:

    \b
            vpype sketchgen -n 6 -c cat layout -l a5 linesort write cats.svg
            vpype read cats.svg grbl /dev/ttyUSB0

        Find the heights of the pen (no drawing needed):

            vpype grbl --pen-test /dev/ttyUSB0

        Put the pen on the corner of the page first, and look where the page lies:

            vpype read sheet.svg grbl --set-origin --frame page /dev/ttyUSB0

        Go on after a stop:

            vpype read sheet.svg grbl --resume /dev/ttyUSB0

        A pen on a Z axis, slower, pressed down a little:

    \b
            vpype read sheet.svg propset -g feed 1200 propset -g z_down -0.5 \\
                grbl -p grbl_z /dev/ttyUSB0

        One layer at a time, asking before each:

            vpype read sheet.svg forlayer grbl /dev/ttyUSB0 end
    """  # noqa: D301, D412 -- click's \b, and vpype's way with examples
    from vpype_sketchformer.commands.support.terminal import Terminal
    from vpype_sketchformer.plotters.grbl.link import MachineError

    operator = Terminal("grbl")
    try:
        if options["pen_test"]:
            _try_pen(document, options, operator)
        elif document.is_empty() and layers_around()[0]:
            operator.say("nothing to draw in this layer")
            _close(document, options)
        else:
            _plot(document, options, operator)
            _close(document, options)
    except JobError as error:
        raise click.UsageError(f"grbl: {error}") from error
    except MachineError as error:
        raise click.ClickException(f"grbl: {error}") from error
    except DeclinedError as error:
        if not options["pen_test"]:
            _close(document, options)  # another copy may have been declined
        raise click.Abort from error
    return document


grbl.help_group = "Output"  # type: ignore[attr-defined]


def _plot(document: vp.Document, options: dict[str, Any], operator: Terminal) -> None:
    """Plot a document, or tell what would be plotted."""
    from vpype_sketchformer.plotters.grbl.session import Session

    wanted, around = _wanted(options), _surroundings()
    gcode.check_lines(document, "grbl")
    if len(around.shown) > 1 and document.page_size is None:
        raise JobError(
            "in `forlayer` the layers fit each other only on a page; say `pagesize` before it."
        )
    profile = gcode.find(options["profile"], "grbl")
    values = []
    for layer in document.layers.values():
        if any(map(len, layer)):
            values.append(gcode.values_of(profile, document, layer))
            gcode.check_values(values[-1], "grbl")
    job = Job.from_document(document).upright()
    file = JobFile.beside(document)
    session = Session(job, profile, values, file, around, wanted, operator)
    if options["dry_run"]:
        click.echo("\n".join(session.dry_run()))
    else:
        session.run()


def _wanted(options: dict[str, Any]) -> Wanted:
    """Return what the options ask for.

    Raises:
        click.BadParameter: A value is outside its range.
    """
    from vpype_sketchformer.plotters.grbl.session import Wanted

    for name, least, most in (
        ("baud", 1, 10_000_000),
        ("copies", 1, 1000),
        ("jog_feed", 1, 100_000),
        ("back", 0, 1000 * MM),
    ):
        if not least <= options[name] <= most:
            hint = "--" + name.replace("_", "-")
            raise click.BadParameter(f"{options[name]:g} is out of range.", param_hint=hint)
    x, y = (length / MM for length in options["park"])
    if max(abs(x), abs(y)) > gcode.LARGEST_COORDINATE:
        raise click.BadParameter("that is too far away.", param_hint="--park")
    return Wanted(
        port=options["port"],
        baud=options["baud"],
        sure=options["yes"],
        unlock=options["unlock"],
        home=options["home"],
        set_origin=options["set_origin"],
        resume=options["resume"],
        first=options["first"],
        back=options["back"] / MM,
        pause=options["pause"],
        check=options["check"],
        simple=options["simple"],
        frame=options["frame"],
        park=complex(x, y),
        jog_feed=options["jog_feed"],
        copies=options["copies"],
    )


def _surroundings() -> Surroundings:
    """Return the layers that `forlayer` shows one by one."""
    from vpype_sketchformer.plotters.grbl.session import Surroundings

    shown, finished = layers_around()
    return Surroundings(frozenset(shown), frozenset(finished))


def _try_pen(document: vp.Document, options: dict[str, Any], operator: Terminal) -> None:
    """Try the pen, and say how to keep what was found.

    Raises:
        JobError: Nobody is at the keys.
    """
    from vpype_sketchformer.plotters import user_config
    from vpype_sketchformer.plotters.grbl.session import try_pen

    if not operator.present:
        raise JobError("--pen-test needs somebody at the keys of a terminal.")
    profile = gcode.find(options["profile"], "grbl")
    values = gcode.values_of(profile, document, vp.LineCollection())
    gcode.check_values(values, "grbl")
    kept = try_pen(profile, values, _wanted(options), operator)
    configured = vp.config_manager.config["gwrite"]
    profile_name = next(n for n in gcode.PROFILES if configured.get(n) is profile)
    name = f"gwrite.{profile_name}.default_values"
    click.echo(" ".join(f"propset -g {key} {value:g}" for key, value in kept.items()))
    click.echo(f"\n{user_config.table(name, kept)}")
    path = Path.home() / ".vpype.toml"
    if operator.confirm(f"Write these lines to {path}?"):
        user_config.keep(path, name, kept)


def _close(document: vp.Document, options: dict[str, Any]) -> None:
    """Remove the job file once nothing is left to resume."""
    if options["dry_run"]:
        return
    shown, finished = layers_around()
    file = JobFile.beside(document)
    if not shown - finished - document.ids() and all(
        progress.complete for progress in file.load().values()
    ):
        file.save({})
