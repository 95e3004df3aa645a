"""`grbl`: plot what is in the pipeline on a machine that runs GRBL."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.keys import Keys
from vpype_sketchformer.commands.support.pipeline import layers_around
from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Layer, Progress, key

if TYPE_CHECKING:
    from vpype_sketchformer.plotters.grbl.link import Machine, Status
    from vpype_sketchformer.plotters.grbl.plan import Plan
    from vpype_sketchformer.plotters.grbl.plot import Wish

#: Keys for jogging, the arrow keys as a terminal sends them, and where they lead.
JOGS = {
    "\x1b[A": ("Y", 1),
    "\x1b[B": ("Y", -1),
    "\x1b[C": ("X", 1),
    "\x1b[D": ("X", -1),
    "u": ("Z", 1),
    "d": ("Z", -1),
}
#: What the number keys choose when jogging: steps in mm.
STEPS = {"1": 0.1, "2": 1.0, "3": 10.0}
#: Speed of jogging in mm/min.
JOG_FEED = 2000
#: How far the pen may be from where it stopped, in mm, before that is asked about.
ASTRAY = 0.1
#: What to do when the origin is not known.
ORIGIN = "Put the pen to the bottom left corner of the page and say --set-origin as well."
#: How often the progress bar is drawn, in s.
REFRESH = 0.2


def _list_ports(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print the serial ports, and end."""
    if not value or ctx.resilient_parsing:
        return
    from serial.tools import list_ports

    ports = sorted(list_ports.comports())
    for port in ports:
        click.echo(f"{port.device}  {port.description}")
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
@vpype_cli.global_processor
def grbl(document: vp.Document, **options: Any) -> vp.Document:
    """Plot on a machine that runs GRBL.

    PORT is a serial port such as /dev/ttyUSB0 or COM3; `--list` shows those there are. The
    pen is moved as the profile says, with the values that `gwrite` takes as well: set them
    with `propset`, or in the configuration.

    The page's bottom left corner is the origin (X0 Y0). Without a page the drawing stays
    where it is, turned over within its own height. The job and the machine are checked, the
    time is estimated, and you are asked before anything moves. What is in the pipeline goes
    on unchanged.

    While it plots:

    \b
        Space, p       pause where the pen is, and go on
        q, Ctrl-C      stop: halt, raise the pen, say where it stands

    Layers are drawn one after the other; before each but the first the pen waits at the
    origin to be changed. `vpype -v` shows the position.

    A plot that has stopped goes on with the same command and `--resume`, from the first
    stroke that was not drawn to its end. How far it got is kept in a file beside the
    drawing, with the ending .job.json, until it is complete. So plot from a file: a sketch
    that is invented anew is another drawing.

    Examples:

        What would be plotted?

            vpype read sheet.svg grbl --dry-run /dev/ttyUSB0

        Six cats on A5, kept in a file, and plotted:

            vpype sketchgen -n 6 --class cat layout -l a5 linesort write cats.svg
            vpype read cats.svg grbl /dev/ttyUSB0

        Put the pen on the corner of the page first:

            vpype read sheet.svg grbl --set-origin /dev/ttyUSB0

        Go on after a stop:

            vpype read sheet.svg grbl --resume /dev/ttyUSB0

        A pen on a Z axis, slower, pressed down a little:

            vpype read sheet.svg propset -g feed 1200 propset -g z_down -0.5 grbl -p grbl_z /dev/ttyUSB0

        One layer at a time, asking before each:

            vpype read sheet.svg forlayer grbl /dev/ttyUSB0 end
    """  # noqa: D301, D412, E501 -- click's \b, and vpype's way with examples
    from vpype_sketchformer.plotters.grbl.link import MachineError

    try:
        if document.is_empty() and layers_around()[0]:
            _say("nothing to draw in this layer")
        else:
            _Session(document, options).run()
        if not options["dry_run"]:
            _close(document)
    except JobError as error:
        raise click.UsageError(f"grbl: {error}") from error
    except MachineError as error:
        raise click.ClickException(f"grbl: {error}") from error
    return document


grbl.help_group = "Output"  # type: ignore[attr-defined]


class _Session:
    """One run of the command: from the document to a finished or stopped plot."""

    def __init__(self, document: vp.Document, options: Mapping[str, Any]) -> None:
        from vpype_sketchformer.plotters.grbl.plan import plan

        self.options = options
        shown, finished = layers_around()
        gcode.check_lines(document, "grbl")
        if len(shown) > 1 and document.page_size is None:
            raise click.UsageError(
                "grbl: in `forlayer` the layers fit each other only on a page; say `pagesize` "
                "before it."
            )
        profile = gcode.find(options["profile"], "grbl")
        values = []
        for layer in document.layers.values():
            if any(map(len, layer)):
                values.append(gcode.values_of(profile, document, layer))
                gcode.check_values(values[-1], "grbl")
        self.job = Job.from_document(document).upright()
        self.plan = plan(self.job, profile, values)
        self.file = JobFile.beside(document)
        self.is_first = not finished
        self.is_alone = len(shown) < 2
        self.on_z = any("Z" in line for line in self.plan.raise_pen)

    # --- what to do -----------------------------------------------------------------------

    def run(self) -> None:
        """Plot."""
        from vpype_sketchformer.plotters.grbl.link import Machine

        known = self._known() if self.options["resume"] else None
        if known is not None and known.complete:
            _say(f"{_names(self.plan)}: drawn already")
            return
        self.resumed = known is not None
        progress = self._beginning(known)
        left = replace(self.plan, groups=self.plan.groups[progress.drawn :])
        if self.options["dry_run"]:
            self._announce(left, progress, np.zeros(0), {})
            click.echo("\n".join(left.lines))
            return
        self._require_terminal(left)
        with _open(self.options["port"], self.options["baud"]) as port:
            machine = Machine(port)
            machine.connect(_say)
            self._prepare(machine, progress)
            seconds = self._check(machine, left)
            self._announce(left, progress, seconds, machine.settings)
            if self.options["pause"] and not self.is_first:
                click.confirm(f"Now the pen for {_names(left)}: plot?", abort=True, err=True)
            elif not self.options["yes"]:
                click.confirm("Plot?", abort=True, err=True)
            progress.position, progress.lost = None, False
            self._save(progress)
            self._plot(machine, left, progress, seconds)

    def _require_terminal(self, plan: Plan) -> None:
        """Refuse to go on where a question would find nobody to answer it."""
        if sys.stdin.isatty():
            return
        if not self.options["yes"]:
            raise click.UsageError("grbl: there is nobody to ask; say --yes to plot anyway.")
        several = len({group.layer.number for group in plan.groups}) > 1
        if self.options["pause"] and (several or not self.is_alone):
            raise click.UsageError(
                "grbl: there is nobody to change the pen between layers; plot them one by one "
                "(`ldelete`), or with --no-pause."
            )

    # --- how far it got ----------------------------------------------------------------

    def _beginning(self, known: Progress | None) -> Progress:
        """Return where to begin: where it was stopped, or where the user says."""
        progress = known or Progress(self.job.fingerprint, self.job.count)
        first = self.options["first"]
        if first is not None:
            if not 1 <= first <= progress.strokes + self.resumed:
                raise click.BadParameter(
                    f"{first} is not 1 to {progress.strokes}, the strokes of the drawing.",
                    param_hint="--from",
                )
            return replace(progress, drawn=first - 1, finishing=False)
        return self._settled(progress) if progress.finishing else progress

    def _known(self) -> Progress | None:
        """Return what the job file knows; None for a layer whose turn had not come."""
        jobs = self.file.load()
        known = jobs.get(key(self.job))
        if known is None and (not jobs or not layers_around()[0]):
            raise JobError(
                f"there is nothing to resume: {self.file.path} "
                f"{'is of other layers' if jobs else 'does not exist'}."
            )
        if known is not None and (
            known.fingerprint != self.job.fingerprint or known.strokes != self.job.count
        ):
            raise JobError(
                f"this is not the drawing that {self.file.path} is about: run the command "
                "that was stopped, or plot without --resume."
            )
        return known

    def _settled(self, progress: Progress) -> Progress:
        """Ask about the one stroke of which it is not known whether it is drawn."""
        number = progress.drawn + 1
        points = self.plan.groups[progress.drawn].points
        where = f"Stroke {number} of {progress.strokes}, from {_at(points[0])} to "
        where += f"{_at(points[-1])}, "
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"grbl: {where}may be drawn or not. Look at the paper: to draw it, say "
                f"`--resume --from {number}`, to leave it, `--resume --from {number + 1}`."
            )
        drawn = click.confirm(f"{where}may be drawn or not. Is it, to its end?", err=True)
        return replace(progress, drawn=progress.drawn + drawn, finishing=False)

    def _save(self, progress: Progress) -> None:
        """Write down how far the plot got."""
        jobs = self.file.load()
        if not self.options["resume"]:  # what an earlier plot left is not of this one
            finished = map(str, layers_around()[1])
            jobs = {name: jobs[name] for name in finished if name in jobs}
        self.file.save({**jobs, key(self.job): progress})

    # --- before the first move -------------------------------------------------------------

    def _prepare(self, machine: Machine, progress: Progress) -> None:
        """Bring the machine to where it can plot: unlocked, its origin set."""
        from vpype_sketchformer.plotters.grbl.link import MachineError

        if self.options["home"]:
            machine.home()
        elif self.options["unlock"]:
            machine.ask("$X")
        status = machine.report()
        if status.state == "Alarm":
            raise MachineError(
                "the machine is locked by an alarm. If its way is free, `--home` sends it "
                "home and unlocks it; `--unlock` unlocks it as it stands, and it may not know "
                "where that is."
            )
        if status.state != "Idle":
            raise MachineError(f"the machine is not idle but in the state {status.state!r}.")
        if not self.on_z and machine.settings.get(32):
            raise MachineError(
                "the machine is in laser mode, where M3 does not move a pen; send it `$32=0`."
            )
        if self.options["set_origin"]:
            self._set_origin(machine)
        elif self.resumed:
            self._find_place(machine, status, progress)
        elif machine.was_reset and not machine.settings.get(22):
            here = complex(*status.position[:2])
            if self.on_z:
                raise MachineError(
                    "the controller was just reset and has no homing: it does not know how "
                    f"high the pen is. {ORIGIN}"
                )
            if here:
                raise MachineError(
                    "the controller was just reset and has no homing: it takes the place of "
                    f"the pen for {_at(here)}. {ORIGIN}"
                )

    def _set_origin(self, machine: Machine) -> None:
        """Let the user move the pen to the origin, and make it that."""
        from vpype_sketchformer.plotters.grbl.plot import raise_pen

        if not self.on_z:
            raise_pen(machine, self.plan)
        if not self.options["yes"]:
            _jog(machine, on_z=self.on_z)
        machine.ask("G10L20P1X0Y0" + "Z0" * self.on_z)
        raise_pen(machine, self.plan)

    def _find_place(self, machine: Machine, status: Status, progress: Progress) -> None:
        """Make sure that the machine's origin is still that of the plot it goes on with."""
        from vpype_sketchformer.plotters.grbl.link import MachineError

        if machine.settings.get(22):
            if progress.lost and not self.options["home"]:
                raise MachineError("the machine may have lost its place; say --home as well.")
            return
        if progress.lost or (progress.position is None and machine.was_reset):
            raise MachineError(f"the machine does not know where the pen is. {ORIGIN}")
        if progress.position is None:
            return
        here = complex(*status.position[:2])
        there = complex(*progress.position[:2])
        if abs(here - there) <= ASTRAY and not (self.on_z and machine.was_reset):
            return
        question = (
            f"The plot stopped with the pen at {_at(there)}, but the machine takes its place "
            f"for {_at(here)}. Is the pen still where it stopped?"
        )
        if not self.options["yes"] and not click.confirm(question, err=True):
            raise MachineError(f"the machine has lost its origin. {ORIGIN}")
        machine.ask("G10L20P1X{:.3f}Y{:.3f}Z{:.3f}".format(*progress.position))
        _say(f"the machine's origin is set again: the pen is at {_at(there)}")

    def _check(self, machine: Machine, plan: Plan) -> Any:
        """Check the job against the machine; return how long its lines take."""
        from vpype_sketchformer.plotters.grbl.plan import Kinematics, durations
        from vpype_sketchformer.plotters.grbl.plot import check_lines, check_travel

        status = machine.report()
        place = complex(*status.position[:2])
        points = np.concatenate([[0j, place], *(group.points for group in plan.groups)])
        check_travel(machine, points)
        if self.options["check"]:
            _say(f"the machine checks {len(plan.lines)} lines")
            check_lines(machine, plan.lines)
        kinematics = Kinematics.of(machine.settings)
        return durations(plan.lines, kinematics, (place.real, place.imag))

    def _announce(
        self, plan: Plan, progress: Progress, seconds: Any, settings: Mapping[int, float]
    ) -> None:
        """Say what is going to be plotted and how long it takes."""
        from vpype_sketchformer.plotters.grbl.plan import (
            Kinematics,
            drawn,
            durations,
            travelled,
        )

        if not settings:
            seconds = durations(plan.lines, Kinematics())
        if progress.drawn:
            _say(f"{progress.drawn} of {progress.strokes} strokes are drawn already")
        for layer in dict.fromkeys(group.layer for group in plan.groups):
            count = sum(group.layer is layer for group in plan.groups)
            _say(f"{layer}: {count} strokes")
        note = "" if settings else ", for a machine of 5000 mm/min and 500 mm/s²"
        _say(
            f"{drawn(plan) / 1000:.2f} m drawn, {travelled(plan) / 1000:.2f} m travelled, "
            f"{len(plan.groups)} pen lifts, about {_duration(seconds.sum())}{note}"
        )
        if not self.options["resume"] and self.is_first and not self.options["dry_run"]:
            old = self.file.load().get(key(self.job))
            if old and old.fingerprint == self.job.fingerprint and not old.complete:
                _say(
                    f"a plot of this was stopped at {old.drawn} of {old.strokes} strokes, "
                    "--resume would go on with it"
                )

    # --- the plot --------------------------------------------------------------------------

    def _plot(self, machine: Machine, plan: Plan, progress: Progress, seconds: Any) -> None:
        from vpype_sketchformer.plotters.grbl.plot import Plot

        with Keys() as keys, _Bar(seconds.sum(), progress) as bar:
            Plot(
                machine=machine,
                plan=plan,
                seconds=seconds,
                progress=progress,
                save=lambda: self._save(progress),
                wish=lambda: _wish(keys.pressed()),
                show=bar.show,
                change_pen=bar.ask_for_pen if self.options["pause"] else None,
                simple=self.options["simple"],
            ).run()
        _say(f"{_names(self.plan)}: drawn")


def _close(document: vp.Document) -> None:
    """Remove the job file once nothing is left to resume."""
    shown, finished = layers_around()
    file = JobFile.beside(document)
    if not shown - finished - document.ids() and all(
        progress.complete for progress in file.load().values()
    ):
        file.save({})


def _jog(machine: Machine, *, on_z: bool) -> None:
    """Move the pen as keys are pressed, until Enter.

    Raises:
        click.Abort: The user gives up.
    """
    from vpype_sketchformer.plotters.grbl.link import STOP_JOG, RefusedError

    step = STEPS["2"]
    with Keys() as keys:
        _say("arrow keys move the pen, 1 2 3 choose steps of 0.1, 1, 10 mm")
        if on_z:
            _say("u and d move it up and down; never sideways while it touches the paper")
        where = "touches the paper in" if on_z else "is over"
        _say(f"press Enter when it {where} the bottom left corner of the page, q to leave")
        while (pressed := keys.pressed()) not in ("\n", "\r"):
            machine.attend()
            if pressed == "q":
                machine.write(STOP_JOG)
                raise click.Abort
            step = STEPS.get(pressed, step)
            axis, sign = JOGS.get(pressed, ("", 0))
            if axis and (on_z or axis != "Z"):
                try:
                    machine.ask(f"$J=G91G21{axis}{sign * step:g}F{JOG_FEED}")
                except RefusedError as error:
                    _say(str(error))
    machine.wait()


def _wish(pressed: str) -> Wish | None:
    """Return what a key stands for."""
    from vpype_sketchformer.plotters.grbl.plot import Wish

    return {
        " ": Wish.PAUSE,
        "p": Wish.PAUSE,
        "q": Wish.ABORT,
        "\n": Wish.CONFIRM,
        "\r": Wish.CONFIRM,
    }.get(pressed)


class _Bar:
    """The progress bar: the time by the plan, for that is what is left."""

    def __init__(self, seconds: float, progress: Progress) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=seconds,
            disable=None,
            leave=False,
            bar_format="{percentage:3.0f}%|{bar}|{postfix}",
        )
        self._progress = progress
        self._shown = 0.0
        self._verbose = logging.getLogger().isEnabledFor(logging.INFO)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def show(self, passed: float, status: Status | None) -> None:
        """Show how much of the plan has passed, and the machine's position if verbose."""
        if time.monotonic() - self._shown < REFRESH:
            return
        self._shown = time.monotonic()
        self._bar.n = passed
        text = f" {_duration(self._bar.total - passed)} left, "
        text += f"{self._progress.drawn} of {self._progress.strokes} strokes"
        if status and status.state.startswith("Hold"):
            text += ", paused"
        if status and self._verbose:
            text += ", {} X{:.2f} Y{:.2f} Z{:.2f}".format(status.state, *status.position)
        self._bar.set_postfix_str(text)

    def ask_for_pen(self, layer: Layer) -> None:
        """Ask for the pen of the next layer."""
        self._bar.clear()
        _say(f"now the pen for {layer}, then press Enter")


@contextmanager
def _open(port: str, baud: int) -> Iterator[Any]:
    """Open the port, and close it at the end."""
    import serial

    try:
        connection = serial.Serial(port, baud, write_timeout=2, exclusive=True)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"grbl: cannot open {port}: {_reason(error)}") from error
    _keep_awake(connection)
    try:
        yield connection
    finally:
        connection.close()


def _keep_awake(connection: Any) -> None:
    """Leave the controller running when the port is closed.

    Closing a port drops its DTR line, and raising that again at the next opening resets most
    Arduinos, which makes them forget where the pen is.
    """
    try:
        import termios
    except ImportError:  # Windows has no such setting
        return
    with suppress(termios.error):  # what is amiss with the line shows soon enough
        attributes = termios.tcgetattr(connection.fileno())
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(connection.fileno(), termios.TCSANOW, attributes)


def _reason(error: Exception) -> str:
    """Say in words why a port cannot be opened."""
    number = getattr(error, "errno", None)
    if number in (2, 6, 19):
        return "there is no such port; `grbl --list` lists them."
    if number == 13:
        return "not permitted; on Linux, add yourself to the group dialout (or uucp)."
    if number in (11, 16):
        return "another program uses it."
    return f"{error}."


def _say(text: str) -> None:
    click.echo(f"grbl: {text}", err=True)


def _names(plan: Plan) -> str:
    return ", ".join(str(layer) for layer in dict.fromkeys(g.layer for g in plan.groups))


def _at(place: complex) -> str:
    return f"X{place.real:.1f} Y{place.imag:.1f}"


def _duration(seconds: float) -> str:
    """Format a duration."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
