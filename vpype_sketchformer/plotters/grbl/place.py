"""Whether a machine still stands where a plot has left it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from vpype_sketchformer.plotters.grbl.link import Machine, MachineError, Status
from vpype_sketchformer.plotters.grbl.plan import Plan, distance

if TYPE_CHECKING:
    from vpype_sketchformer.plotters.job import Progress
    from vpype_sketchformer.plotters.operator import Operator

#: How far the pen may be from where it should be, in mm.
ASTRAY = 0.1
#: What to do when the origin is not known.
ORIGIN = "Put the pen to the bottom left corner of the page and say --set-origin as well."


def at(place: complex) -> str:
    """Name a place in mm."""
    return f"X{place.real:.1f} Y{place.imag:.1f}"


def has_forgotten(machine: Machine, status: Status) -> bool:
    """Tell whether a machine may have been switched off since its origin was set.

    One that was takes the place where it was switched on for 0, 0, 0 exactly. The port may
    have stayed open all the while, for the board may live on the computer's power.
    """
    return machine.was_reset or not any(status.machine)


def check_origin(machine: Machine, status: Status, *, on_z: bool) -> None:
    """Refuse a new plot on a machine that does not know where its origin is.

    Args:
        machine: The machine.
        status: Its report.
        on_z: Whether its pen is on a Z axis.

    Raises:
        MachineError: It does not know, or not how high the pen is.
    """
    if machine.settings.get(22) or not has_forgotten(machine, status):
        return
    why = "the controller was just reset and has no homing: it "
    if not machine.was_reset:
        why = "the machine has no homing and stands at 0, 0, 0, as when just switched on: it "
    here = complex(*status.position[:2])
    if on_z:
        raise MachineError(f"{why}does not know how high the pen is. {ORIGIN}")
    if here:
        raise MachineError(f"{why}takes the place of the pen for {at(here)}. {ORIGIN}")


def recover(
    machine: Machine,
    status: Status,
    progress: Progress,
    way: Sequence[complex],
    operator: Operator,
    *,
    on_z: bool,
    sure: bool,
) -> None:
    """Make sure that the machine's origin is that of the plot that it is to go on with.

    Args:
        machine: The machine, which was not sent home.
        status: Its report.
        progress: How far the plot got.
        way: Where the machine may have come to since it was last heard of.
        operator: Who can be asked.
        on_z: Whether its pen is on a Z axis.
        sure: Whether every question is answered with yes.

    Raises:
        MachineError: The origin is lost, or may be.
    """
    lost = "it may have lost its place. "
    lost += "Say --home as well." if machine.settings.get(22) else ORIGIN
    if progress.lost:
        raise MachineError(f"the machine was stopped so that {lost}")
    astray = MachineError(f"the machine is not where the plot has left it: {lost}")
    if progress.position is None:
        if not _is_on_its_way(status, progress, way):
            raise astray
        return
    here, there = complex(*status.position[:2]), complex(*progress.position[:2])
    moved = progress.offset is not None and _apart(status.offset, progress.offset) > ASTRAY
    if abs(here - there) <= ASTRAY and not moved and not (on_z and machine.was_reset):
        return
    if not has_forgotten(machine, status):  # it has moved since, and so has the pen
        raise astray
    question = (
        f"The plot stopped with the pen at {at(there)}, but the machine takes its place "
        f"for {at(here)}. Is the pen still where it stopped?"
    )
    if not sure and not operator.confirm(question):
        raise MachineError(f"the machine has lost its origin. {ORIGIN}")
    machine.ask("G10L20P0X{:.3f}Y{:.3f}Z{:.3f}".format(*progress.position))
    operator.say(f"the machine's origin is set again: the pen is at {at(there)}")


def way_on(plan: Plan, drawn: int, park: complex) -> list[complex]:
    """Return where a plan goes after so many strokes until the next one is drawn."""
    before = plan.groups[drawn - 1].points[-1] if drawn else park
    following = plan.groups[drawn].points if drawn < len(plan.groups) else [before]
    return [park, before, *following, park, following[0]]


def _is_on_its_way(status: Status, progress: Progress, way: Sequence[complex]) -> bool:
    """Tell whether a machine nobody has heard of since stands where it may have come to."""
    if progress.offset is None or not any(status.machine):
        return False
    if _apart(status.offset, progress.offset) > ASTRAY:
        return False
    here = complex(*status.position[:2])
    return any(distance(here, a, b) <= ASTRAY for a, b in pairwise(way))


def _apart(a: Sequence[float], b: Sequence[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
