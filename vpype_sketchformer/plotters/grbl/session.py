"""One plot on a GRBL machine, from the job to the finished or stopped drawing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vpype_sketchformer.plotters.grbl import hand, place
from vpype_sketchformer.plotters.grbl.link import Machine, MachineError, Status
from vpype_sketchformer.plotters.grbl.plan import (
    Group,
    Kinematics,
    Plan,
    drawn,
    durations,
    end_of,
    plan,
    travelled,
)
from vpype_sketchformer.plotters.grbl.plot import Plot, Request, check_lines, raise_pen
from vpype_sketchformer.plotters.grbl.reach import check_places, check_travel
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress, key
from vpype_sketchformer.plotters.operator import DeclinedError, duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.plotters.operator import Bar, Operator

#: What keys stand for while the machine draws.
REQUESTS = {
    " ": Request.PAUSE,
    "p": Request.PAUSE,
    "l": Request.LIFT,
    "q": Request.ABORT,
    "\n": Request.CONFIRM,
    "\r": Request.CONFIRM,
    "+": Request.FASTER,
    "-": Request.SLOWER,
    "u": Request.HIGHER,
    "d": Request.LOWER,
}

#: Towards the paper, one key's change of the lowered pen: a servo's S grows, a Z axis sinks.
NEARER = {"s_down": 5.0, "z_down": -0.1}


@dataclass(frozen=True)
class Wanted:
    """What the user wants of a plot.

    Attributes:
        port: A serial port, or an address such as ``socket://host:23``.
        baud: Speed of a serial line.
        sure: Whether every question is answered with yes.
        unlock: Whether to unlock the machine after an alarm.
        home: Whether to send it home first.
        set_origin: Whether to set its origin by hand.
        resume: Whether to go on with a plot that was stopped.
        first: The stroke to begin with, from 1; None for the first that is not drawn.
        back: How much of the stroke before that to draw again, in mm.
        pause: Whether to stop before each layer but the first, for another pen.
        check: Whether to check travel and G-code before the machine moves.
        simple: Whether to wait for the answer to each line.
        frame: What to travel around before the plot: ``page``, ``drawing``, or nothing.
        park: Where the pen is changed and rests, in mm from the origin.
        jog_feed: How fast to move by hand, in mm/min.
        copies: How often to plot.
    """

    port: str
    baud: int = 115_200
    sure: bool = False
    unlock: bool = False
    home: bool = False
    set_origin: bool = False
    resume: bool = False
    first: int | None = None
    back: float = 0.0
    pause: bool = True
    check: bool = True
    simple: bool = False
    frame: str | None = None
    park: complex = 0j
    jog_feed: float = 2000.0
    copies: int = 1


@dataclass(frozen=True)
class Surroundings:
    """The other layers of a drawing that is plotted layer by layer, as `forlayer` does.

    Attributes:
        shown: The numbers of all layers; empty where the drawing is plotted at once.
        finished: Those of the layers that are done.
    """

    shown: frozenset[int] = frozenset()
    finished: frozenset[int] = frozenset()


class Session:
    """One run of the command: from the document to a finished or stopped plot."""

    def __init__(
        self,
        job: Job,
        profile: dict[str, Any],
        values: Sequence[dict[str, Any]],
        file: JobFile,
        around: Surroundings,
        wanted: Wanted,
        operator: Operator,
    ) -> None:
        """Plan the plot.

        Args:
            job: What is to be drawn, y up.
            profile: How the pen is moved, one of `gcode.PROFILES`.
            values: The variables of its templates, for each layer.
            file: Where to keep how far it got.
            around: The layers beside it.
            wanted: What the user wants.
            operator: Who stands at the machine.
        """
        self.job = job
        self.profile = profile
        self.values = list(values)
        self.file = file
        self.around = around
        self.wanted = wanted
        self.operator = operator
        self.plan = plan(job, profile, values, wanted.park)
        self.on_z = any("Z" in line for line in self.plan.raise_pen)

    # --- what to do -----------------------------------------------------------------------

    def dry_run(self) -> list[str]:
        """Tell what would be plotted, and return the lines."""
        known = self._known() if self.wanted.resume else None
        progress = self._beginning(known)
        left = self._left(progress)
        self._announce(left, progress, durations(left.lines, Kinematics()), None)
        return left.lines

    def run(self) -> None:
        """Plot.

        Raises:
            MachineError: The machine cannot, or not any longer.
            JobError: The job cannot be plotted, or its file not be kept.
            DeclinedError: The user does not want to, before anything was drawn.
        """
        known = self._known() if self.wanted.resume else None
        if known is not None and known.complete:
            self.operator.say(f"{_names(self.plan)}: drawn already")
            return
        progress = self._beginning(known)
        left = self._left(progress)
        self._require_somebody(left)
        with _connected(self.wanted, self.operator) as machine:
            if not self.on_z:
                machine.hold_up = self.plan.raise_pen
            machine.connect(self.operator.say)
            self._prepare(machine, progress, resumed=known is not None)
            for copy in range(1, self.wanted.copies + 1):
                if copy > 1:
                    progress = Progress(self.job.fingerprint, self.job.count)
                    left = self.plan
                    self._ask_for_paper(copy)
                seconds = self._check(machine, left)
                self._announce(left, progress, seconds, machine)
                try:
                    self._frame(machine)
                    if copy == 1:
                        self._ask(left)
                except DeclinedError:
                    if known is not None:  # the frame has led it away from where it stopped
                        status = machine.wait()
                        known.position, known.offset = status.position, status.offset
                        self._save(known)
                    raise
                status = machine.report()
                progress.position, progress.lost = None, False
                progress.offset = status.offset
                self._save(progress)
                self._plot(machine, left, progress, seconds)

    def _left(self, progress: Progress) -> Plan:
        """Return the plan of what is not drawn."""
        groups: list[Group] = list(self.plan.groups[progress.drawn :])
        if self.wanted.back and progress.drawn and groups:
            before = self.plan.groups[progress.drawn - 1]
            values = self.values[self.job.layers.index(before.layer)]
            if before.layer is groups[0].layer:
                groups.insert(0, end_of(before, self.wanted.back, self.profile, values))
        return replace(self.plan, groups=tuple(groups))

    def _require_somebody(self, left: Plan) -> None:
        """Refuse a plot that would wait for somebody who is not there.

        Raises:
            JobError: Nobody is.
        """
        if self.operator.present:
            return
        if not self.wanted.sure:
            raise JobError("there is nobody to ask; say --yes to plot at once.")
        if self.wanted.copies > 1:
            raise JobError("there is nobody to change the paper between copies.")
        several = len({group.layer for group in left.groups}) > 1
        if self.wanted.pause and (several or len(self.around.shown) > 1):
            raise JobError(
                "there is nobody to change the pen between layers; plot them one by one "
                "(`ldelete`), or with --no-pause."
            )

    # --- how far it got ----------------------------------------------------------------

    def _beginning(self, known: Progress | None) -> Progress:
        """Return where to begin: where it was stopped, or where the user says."""
        progress = known or Progress(self.job.fingerprint, self.job.count)
        first = self.wanted.first
        if first is not None:
            if not 1 <= first <= progress.strokes + (known is not None):
                raise JobError(
                    f"--from: {first} is not 1 to {progress.strokes}, the strokes there are."
                )
            return replace(progress, drawn=first - 1, finishing=False)
        return self._settled(progress) if progress.finishing else progress

    def _known(self) -> Progress | None:
        """Return what the job file knows; None for a layer whose turn had not come."""
        jobs = self.file.load()
        known = jobs.get(key(self.job))
        if known is None and (not jobs or not self.around.shown):
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
        if progress.complete:
            return replace(progress, finishing=False)
        number = progress.drawn + 1
        points = self.plan.groups[progress.drawn].points
        where = f"Stroke {number} of {progress.strokes}, from {place.at(points[0])} to "
        where += f"{place.at(points[-1])}, "
        if not self.operator.present:
            raise JobError(
                f"{where}may be drawn or not. Look at the paper: to draw it, say "
                f"`--resume --from {number}`, to leave it, `--resume --from {number + 1}`."
            )
        is_drawn = self.operator.confirm(f"{where}may be drawn or not. Is it, to its end?")
        return replace(progress, drawn=progress.drawn + is_drawn, finishing=False)

    def _save(self, progress: Progress) -> None:
        """Write down how far the plot got."""
        jobs = self.file.load()
        if not self.wanted.resume:  # what an earlier plot left is not of this one
            finished = map(str, self.around.finished)
            jobs = {name: jobs[name] for name in finished if name in jobs}
        self.file.save({**jobs, key(self.job): progress})

    # --- before the first move -------------------------------------------------------------

    def _prepare(self, machine: Machine, progress: Progress, *, resumed: bool) -> None:
        """Bring the machine to where it can plot: unlocked, its origin set."""
        if self.wanted.home:
            machine.home()
        elif self.wanted.unlock:
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
        if not self.on_z:
            raise_pen(machine, self.plan)
        if self.wanted.set_origin:
            self._set_origin(machine)
        elif resumed and not self.wanted.home:
            way = place.way_on(self.plan, progress.drawn, self.wanted.park)
            sure, ask = self.wanted.sure, self.operator
            place.recover(machine, status, progress, way, ask, on_z=self.on_z, sure=sure)
        elif not resumed:
            place.check_origin(machine, status, on_z=self.on_z)

    def _set_origin(self, machine: Machine) -> None:
        """Let the user move the pen to the origin, and make it that."""
        if not self.wanted.sure:
            hand.jog(machine, self.operator, feed=self.wanted.jog_feed, on_z=self.on_z)
        machine.ask("G10L20P0X0Y0" + "Z0" * self.on_z)
        raise_pen(machine, self.plan)

    def _check(self, machine: Machine, left: Plan) -> NDArray[np.float64]:
        """Check the job against the machine; return how long its lines take."""
        status = machine.report()
        if self.wanted.check and left.groups:
            check_travel(machine, left)
            self.operator.say(f"the machine checks {len(left.lines)} lines")
            check_lines(machine, left.lines)
        kinematics = Kinematics.of(machine.settings)
        seconds = durations(left.lines, kinematics, status.position[:2])
        if self.wanted.simple:
            seconds = np.maximum(seconds, _answer_time(machine))
        return seconds

    def _announce(
        self,
        left: Plan,
        progress: Progress,
        seconds: NDArray[np.float64],
        machine: Machine | None,
    ) -> None:
        """Say what is going to be plotted and how long it takes."""
        say = self.operator.say
        if progress.drawn:
            say(f"{progress.drawn} of {progress.strokes} strokes are drawn already")
        for layer in dict.fromkeys(group.layer for group in left.groups):
            count = sum(group.layer is layer for group in left.groups)
            say(f"{layer}: {count} strokes")
        note = "" if machine else ", for a machine of 5000 mm/min and 500 mm/s²"
        say(
            f"{drawn(left) / 1000:.2f} m drawn, {travelled(left) / 1000:.2f} m travelled, "
            f"{len(left.groups)} pen lifts, about {duration(seconds.sum())}{note}"
        )
        if machine and machine.settings.get(1, 255) != 255:
            say(
                f"the motors are let go when idle ($1={machine.settings[1]:g}): do not push "
                "the pen while it waits, or send the machine `$1=255`"
            )
        if machine and not self.wanted.resume and not self.around.finished:
            old = self.file.load().get(key(self.job))
            if old and old.fingerprint == self.job.fingerprint and not old.complete:
                say(
                    f"a plot of this was stopped at {old.drawn} of {old.strokes} strokes, "
                    "--resume would go on with it"
                )

    def _frame(self, machine: Machine) -> None:
        """Travel around the page or the drawing, as often as the user likes."""
        if self.wanted.frame is None:
            return
        raise_pen(machine, self.plan)
        low, high = self._outline(self.wanted.frame)
        corners = [low, complex(high.real, low.imag), high, complex(low.real, high.imag)]
        if self.wanted.check:
            check_places(machine, "the frame", np.array(corners))
        again = True
        while again:
            hand.frame(machine, self.operator, corners, feed=self.wanted.jog_feed)
            again = not self.wanted.sure and self.operator.confirm("Around the frame again?")

    def _outline(self, what: str) -> tuple[complex, complex]:
        """Return the bottom left and the top right corner of the page or the drawing."""
        if what == "page" and self.job.page is not None:
            return 0j, complex(*self.job.page)
        points = self.job.points
        return (
            complex(points.real.min(), points.imag.min()),
            complex(points.real.max(), points.imag.max()),
        )

    def _ask(self, left: Plan) -> None:
        """Ask whether to plot.

        Raises:
            DeclinedError: The user does not want to.
        """
        if self.wanted.pause and self.around.finished:
            question = f"Now the pen for {_names(left)}: plot?"
        elif not self.wanted.sure:
            question = "Plot?"
        else:
            return
        if not self.operator.confirm(question):
            raise DeclinedError

    def _ask_for_paper(self, copy: int) -> None:
        """Ask for the paper of another copy."""
        if not self.operator.confirm(
            f"New paper for copy {copy} of {self.wanted.copies}: plot?"
        ):
            raise DeclinedError

    # --- the plot --------------------------------------------------------------------------

    def _plot(
        self, machine: Machine, left: Plan, progress: Progress, seconds: NDArray[np.float64]
    ) -> None:
        with self.operator.keys() as pressed, self.operator.bar(float(seconds.sum())) as bar:
            Plot(
                machine=machine,
                plan=left,
                seconds=seconds,
                progress=progress,
                save=lambda: self._save(progress),
                request=lambda: REQUESTS.get(pressed()),
                show=lambda passed, status: self._show(bar, progress, passed, status),
                say=bar.say,
                adjust=lambda steps: self._adjust(steps, left, bar),
                pens=self.wanted.pause,
                simple=self.wanted.simple,
            ).run()
        self.operator.say(f"{_names(self.plan)}: drawn")

    def _show(
        self, bar: Bar, progress: Progress, passed: float, status: Status | None
    ) -> None:
        note = f"{progress.drawn} of {progress.strokes} strokes"
        if status and status.state.startswith("Hold"):
            note += ", paused"
        if status and self.operator.curious:
            note += ", {} X{:.2f} Y{:.2f} Z{:.2f}".format(status.state, *status.position)
        bar.show(passed, note)

    def _adjust(self, steps: int, left: Plan, bar: Bar) -> Plan:
        """Return the plan of what was left with the lowered pen so many steps higher."""
        name = "z_down" if self.on_z else "s_down"
        for values in self.values:
            lowered = round(float(values[name]) - steps * NEARER[name], 3)
            values[name] = max(lowered, 0.0) if name == "s_down" else lowered
        bar.say(f"{name} is {self.values[0][name]:g} from here on")
        self.plan = plan(self.job, self.profile, self.values, self.wanted.park)
        number = len(self.plan.groups) - sum(not group.again for group in left.groups)
        return self._left(Progress(self.job.fingerprint, self.job.count, drawn=number))


def try_pen(
    profile: dict[str, Any], values: dict[str, Any], wanted: Wanted, operator: Operator
) -> dict[str, float]:
    """Let the user try the pen on a machine, and return the values to keep.

    Raises:
        MachineError: The machine cannot.
        DeclinedError: The user gives up.
    """
    with _connected(wanted, operator) as machine:
        machine.connect(operator.say)
        if wanted.unlock:
            machine.ask("$X")
        if machine.report().state != "Idle":
            raise MachineError(
                "the machine is not idle; `--unlock` unlocks it after an alarm."
            )
        for line in profile["document_start"].format_map(values).splitlines()[:1]:
            machine.ask(line)
        return hand.try_pen(machine, operator, profile, values)


def _answer_time(machine: Machine) -> float:
    """Return how long the machine takes to answer a line that does nothing, in s."""
    began = time.monotonic()
    for _ in range(5):
        machine.ask("")
    return (time.monotonic() - began) / 5


def _names(plan: Plan) -> str:
    return ", ".join(str(layer) for layer in dict.fromkeys(g.layer for g in plan.groups))


# --- the port ----------------------------------------------------------------------------


@contextmanager
def _connected(wanted: Wanted, operator: Operator) -> Iterator[Machine]:
    """Open the port, and close it at the end."""
    import serial

    try:
        if "://" in wanted.port:
            connection = serial.serial_for_url(wanted.port, wanted.baud, write_timeout=2)
        else:
            connection = serial.Serial(
                wanted.port, wanted.baud, write_timeout=2, exclusive=True
            )
    except (OSError, ValueError) as error:
        raise JobError(f"cannot open {wanted.port}: {_reason(error)}") from error
    _keep_awake(connection)
    try:
        yield Machine(connection)
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
    # What is amiss with the line shows soon enough, and an address has no such line.
    with suppress(termios.error, OSError, AttributeError):
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
