"""Plotting on a GRBL machine: streaming, pausing, and stopping so that nothing is spoilt."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from vpype_sketchformer.plotters.grbl import link
from vpype_sketchformer.plotters.grbl.link import (
    FASTER,
    GO_ON,
    HOLD,
    RESET,
    SLOWER,
    LineLostError,
    Machine,
    MachineError,
    PlaceLostError,
    RefusedError,
    Status,
)
from vpype_sketchformer.plotters.grbl.plan import NEAR, Group, Plan, reached
from vpype_sketchformer.plotters.job import JobError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.plotters.job import Layer, Progress

#: How long to leave a machine that does not answer to brake, and to start again, in s.
BLIND = 1.0

#: Lines that GRBL answers only when all before them has been done.
_WAITS = re.compile(r"M|G4(?!\d)")


class Request(Enum):
    """What the user wants while the machine works."""

    PAUSE = "pause where the pen is, or go on"
    LIFT = "pause at the next pen lift"
    CONFIRM = "go on: the pen is changed, or ready"
    ABORT = "abort"
    FASTER = "ten percent faster"
    SLOWER = "ten percent slower"
    HIGHER = "draw with the pen a little higher"
    LOWER = "draw with the pen a little lower"


class AbortedError(MachineError):
    """The user has stopped the plot."""


# --- before the first move ----------------------------------------------------------------


def check_lines(machine: Machine, lines: Sequence[str]) -> None:
    """Let the machine check the program without moving ($C).

    Raises:
        MachineError: It refuses a line.
    """
    machine.ask("$C")
    try:
        for line in lines:
            while not machine.fits(line):
                machine.attend()
            machine.send(line)
        while machine.sent:
            machine.attend()
    finally:
        machine.reset()  # as `$C` does, too, where it switches checking off
    machine.report()


def raise_pen(machine: Machine, plan: Plan) -> None:
    """Raise the pen, and wait until it is up."""
    for line in plan.raise_pen:
        machine.ask(line)


# --- the plot -----------------------------------------------------------------------------


@dataclass
class Plot:
    """A plan on its way to the paper.

    A stroke is not begun before the one before it is known to be drawn and has been recorded,
    so that at most one stroke can ever be in doubt.

    Attributes:
        machine: The machine, connected and idle.
        plan: What is left to draw.
        seconds: How long each line of the plan takes.
        progress: How far the job got; kept up to date.
        save: Writes the progress down.
        request: Returns what the user wants at the moment.
        show: Called again and again with the seconds of the plan that have passed.
        say: Tells the user what is waited for.
        adjust: Returns the plan with the lowered pen so many steps higher.
        pens: Whether to stop for another pen before each layer but the first.
        simple: Whether to wait for the answer to each line before sending the next.
    """

    machine: Machine
    plan: Plan
    seconds: NDArray[np.float64]
    progress: Progress
    save: Callable[[], None]
    request: Callable[[], Request | None]
    show: Callable[[float, Status | None], None]
    say: Callable[[str], None]
    adjust: Callable[[int], Plan]
    pens: bool
    simple: bool = False
    _passed: NDArray[np.float64] = field(init=False)
    _sent: int = 0  # lines of the plan
    _group: Group | None = None
    _first: int = 0  # number of the first line of the group
    _under_way: bool = False
    _resting: bool = False

    def run(self) -> None:
        """Draw.

        Raises:
            MachineError: It had to stop; says why, where, and how much is drawn. Whether the
                stroke that was being drawn is complete is in the progress.
        """
        self._passed = np.concatenate([[0.0], np.cumsum(self.seconds)])
        try:
            self._send(self.plan.raise_pen)
            self._drain()
            layer = None
            for number, group in enumerate(self.plan.groups):
                if layer is not None and group.layer is not layer:
                    self._go_home()
                    self._wait_for_pen(group.layer)
                elif self._resting:
                    self._rest()
                layer = group.layer
                self._draw(self.plan.groups[number])  # as adjusted in a rest
            self._go_home()
        except (MachineError, JobError) as error:
            self._stop(error)
        except Exception as error:  # whatever it is, the pen must not stay down
            self._stop(MachineError(f"{error or type(error).__name__}."))

    @property
    def _answered(self) -> int:
        """How many lines of the plan the machine has answered."""
        return self._sent - len(self.machine.sent)

    def _draw(self, group: Group) -> None:
        """Draw a stroke, and record it."""
        self._group, self._first, self._under_way = group, self._sent, False
        self._send(group.lines[:1])
        self._drain()  # were the way there refused, what follows would be drawn from here
        self._send(group.lines[1 : group.last])
        if not group.again:
            self.progress.finishing = True
            self.save()
        self._send(group.lines[group.last :])
        self._drain()
        self._group = None
        if not group.again:
            self.progress.drawn += 1
            self.progress.finishing = False
            self.save()

    def _go_home(self) -> None:
        self._send(self.plan.home)
        self._drain()

    def _wait_for_pen(self, layer: Layer) -> None:
        """Wait until the user has changed the pen."""
        if self.pens:
            self.say(f"now the pen for {layer}, then press Enter")
            self._wait_for_user()

    def _rest(self) -> None:
        """Wait, with the pen up, until the user wants to go on."""
        self._resting = False
        self.say("paused, pen up: u and d draw on with the pen higher or lower, Enter goes on")
        self._wait_for_user()

    def _wait_for_user(self) -> None:
        """Watch the machine until the user confirms, and set the height of the pen."""
        while (request := self._turn()) is not Request.CONFIRM:
            if request in (Request.HIGHER, Request.LOWER):
                self.plan = self.adjust(1 if request is Request.HIGHER else -1)

    def _send(self, lines: Iterable[str]) -> None:
        """Send lines as room comes free."""
        batch: list[str] = []
        for line in lines:
            while not self._fits(batch, line):
                if batch:
                    self._send_now(batch)
                else:
                    self._work()
            batch.append(line)
        self._send_now(batch)

    def _fits(self, batch: Sequence[str], line: str) -> bool:
        if self.simple:
            return not batch and not self.machine.sent
        return self.machine.fits(*batch, line)

    def _send_now(self, batch: list[str]) -> None:
        if batch:
            self._sent += len(batch)
            self.machine.send(*batch)
            batch.clear()

    def _drain(self) -> None:
        """Wait until all lines are answered."""
        while self.machine.sent:
            self._work()

    def _work(self) -> None:
        """Take a turn while the machine is drawing, which may be asked to pause."""
        request = self._turn()
        if request is Request.PAUSE:
            state = self.machine.status.state if self.machine.status else ""
            self.machine.write(GO_ON if state.startswith(("Hold", "Door")) else HOLD)
        elif request is Request.LIFT:
            self._resting = not self._resting
            self.say("pausing at the next pen lift" if self._resting else "not pausing")

    def _turn(self) -> Request | None:
        """Read what has come, do what the user wants, and look at the machine."""
        answered, status = self._answered, self.machine.status
        self.machine.attend()
        if self.machine.status is not status:
            self._look(self.machine.status, answered)
        self.show(float(self._passed[self._answered]), self.machine.status)
        request = self.request()
        if request is Request.ABORT:
            raise AbortedError("stopped by you.")
        if request in (Request.FASTER, Request.SLOWER):
            self.machine.write(FASTER if request is Request.FASTER else SLOWER)
        return request

    def _look(self, status: Status | None, answered: int) -> None:
        """Notice that the pen has left the beginning of a stroke."""
        assert status is not None
        if status.state in ("Alarm", "Sleep", "Check"):
            raise PlaceLostError(f"the machine is in the state {status.state!r}.")
        if self._group and answered - self._first >= self._group.along:
            place = complex(*status.position[:2])
            self._under_way |= abs(place - self._group.points[0]) > 2 * NEAR

    # --- stopping ---------------------------------------------------------------------------

    def _stop(self, reason: MachineError | JobError) -> NoReturn:
        """Hold, reset, raise the pen, and tell what is drawn.

        Raises:
            MachineError: The reason, with all that is known.
        """
        told = [str(reason)]
        status = complete = None
        try:
            refused = self._answered - 1 if isinstance(reason, RefusedError) else None
            self.progress.lost = isinstance(reason, PlaceLostError)
            status = None if self.progress.lost else self._halt()
            sure = isinstance(reason, AbortedError | RefusedError | JobError)
            complete = self._is_complete(status, refused, sure)
            self.machine.reset(seconds=link.SILENCE)
            if self.machine.report().state == "Alarm":
                told.append(
                    "The machine is locked; raise the pen by hand if it is down. `--home` or "
                    "`--unlock` unlocks."
                )
            else:
                raise_pen(self.machine, self.plan)
                told.append("The pen is up.")
                status = status and self.machine.report()
        except MachineError:
            self._raise_blindly()
            told.append(
                "It does not answer, and may finish what is in its buffer; raise the pen by "
                "hand if it is down."
            )
        with suppress(JobError):  # the file as it is knows less, but nothing wrong
            self._record(complete, status)
        if status:
            told.append("It stands at X{:.2f} Y{:.2f}.".format(*status.position))
        told.append(self._summary())
        kind = MachineError if isinstance(reason, JobError) else type(reason)
        raise kind(" ".join(told)) from reason

    def _halt(self) -> Status | None:
        """Hold, and return where the machine came to stand; None if it has lost its place.

        Raises:
            LineLostError: It does not answer.
        """
        self.machine.write(HOLD)
        deadline = time.monotonic() + link.SILENCE
        while time.monotonic() < deadline:
            try:
                status = self.machine.report()
            except LineLostError:
                raise
            except PlaceLostError:
                self.progress.lost = True
                return None
            except MachineError:
                continue  # what else it has to say does not matter any more
            if not status.moving:
                return None if status.state == "Alarm" else status
        raise LineLostError("the machine does not stop.")

    def _is_complete(
        self, status: Status | None, refused: int | None, sure: bool
    ) -> bool | None:
        """Tell whether the stroke under way is drawn to its end; None if that is not known.

        Args:
            status: Where the machine stands; None if it has lost its place.
            refused: Number of a line that the machine has refused.
            sure: Whether all of the machine's answers have arrived.
        """
        if self._group is None or self._group.again or not self.progress.finishing:
            return False
        last = self._group.last
        answered = self._answered - self._first
        if refused is not None:  # all the same, GRBL goes on with the lines behind it
            answered = refused - self._first
        if answered <= last and sure:
            return False
        if any(map(_WAITS.match, self._group.lines[last + 1 : answered])):
            return True
        if status is None:
            return None
        place = complex(*status.position[:2])
        return reached(self._group.points, place, self._under_way)

    def _raise_blindly(self) -> None:
        """Do all that can be done for a machine that listens but is not heard."""
        with suppress(MachineError):
            for data in (HOLD, RESET, "".join(f"{x}\n" for x in self.plan.raise_pen).encode()):
                self.machine.write(data)
                time.sleep(BLIND)

    def _record(self, complete: bool | None, status: Status | None) -> None:
        if complete:
            self.progress.drawn += 1
        self.progress.finishing = complete is None and self.progress.finishing
        self.progress.position = status.position if status else None
        self.save()

    def _summary(self) -> str:
        progress = self.progress
        doubt = f"; look whether stroke {progress.drawn + 1} is" if progress.finishing else ""
        return (
            f"{progress.drawn} of {progress.strokes} strokes are drawn{doubt}. "
            "`--resume` goes on from there."
        )
