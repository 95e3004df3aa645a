"""How far a machine reaches, and whether a plan keeps within it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from vpype_sketchformer.plotters.grbl.link import Machine, MachineError, RefusedError
from vpype_sketchformer.plotters.grbl.plan import NEAR, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

Range = tuple[float, float]

#: What to do where the origin is in the wrong place.
MOVE = "move the origin with `--set-origin`, or leave the checks with `--no-check`."

_HEIGHT = re.compile(r"Z(-?[\d.]+)")
_TOLD = re.compile(r"\$?/?[\w/]+=(-?\d{1,9}(?:\.\d{1,9})?)")


def check_travel(machine: Machine, plan: Plan) -> None:
    """Refuse a drawing for which the machine is too small, or stands elsewhere.

    A machine with homing knows where it is, so every place is checked; without, only the size
    of the drawing can be.

    Args:
        machine: The machine, with its settings and a report.
        plan: What is to be drawn.

    Raises:
        MachineError: A place is out of reach.
    """
    points = np.concatenate([group.points for group in plan.groups])
    heights = np.array([float(z) for line in plan.lines for z in _HEIGHT.findall(line)])
    for axis, values in enumerate((points.real, points.imag, heights)):
        travel = machine.settings.get(130 + axis)
        if travel and values.size and np.ptp(values) > travel + NEAR:
            raise MachineError(
                f"the drawing needs {np.ptp(values):.1f} mm along {'XYZ'[axis]}, the machine "
                f"has {travel:.1f} mm (${130 + axis}); scale it, or turn the page."
            )
    check_places(machine, "the drawing", points)
    check_places(machine, "the place where the pen waits", np.array([plan.park]))
    if heights.size and machine.settings.get(20):
        _check_axis(machine, "the pen's heights", 2, heights)


def check_places(machine: Machine, what: str, points: NDArray[np.complex128]) -> None:
    """Refuse places that a machine does not reach, as far as it knows where it is.

    Args:
        machine: The machine, with its settings and a report.
        what: What lies there.
        points: The places, x + iy in mm in the coordinates of its work.

    Raises:
        MachineError: One is out of reach.
    """
    for axis, values in enumerate((points.real, points.imag)):
        _check_axis(machine, what, axis, values)


def _check_axis(machine: Machine, what: str, axis: int, values: NDArray[np.float64]) -> None:
    """Refuse places beyond an axis.

    Raises:
        MachineError: One is out of reach.
    """
    known = machine.settings.get(22) and machine.settings.get(130 + axis)
    reach = limits(machine, axis) if known else None
    if reach is None:
        return
    offset = (machine.status or machine.report()).offset[axis]
    low, high = float(values.min()) + offset, float(values.max()) + offset
    if low < reach[0] - NEAR or high > reach[1] + NEAR:
        raise MachineError(
            f"{what} would reach from {low:.1f} to {high:.1f} mm in the machine's own "
            f"{'XYZ'[axis]}, which ends at {reach[0]:.1f} and {reach[1]:.1f}; {MOVE}"
        )


def limits(machine: Machine, axis: int) -> Range | None:
    """Return where an axis begins and ends, in the machine's own coordinates, in mm.

    GRBL counts from 0 at the high end downwards, wherever it homes. One that was built to
    call its home 0 counts from there, and FluidNC and Grbl_Esp32 from wherever their home is
    said to be.

    Returns:
        None if that cannot be known.
    """
    travel = machine.settings.get(130 + axis, 0.0)
    home_is_low = bool(int(machine.settings.get(23, 0)) >> axis & 1)
    if "Z" in machine.options:  # HOMING_FORCE_SET_ORIGIN
        return (0.0, travel) if home_is_low else (-travel, 0.0)
    if machine.version < (1, 2):
        return -travel, 0.0
    home = _home(machine, axis, home_is_low=home_is_low)
    if home is None:
        return None
    return (home, home + travel) if home_is_low else (home - travel, home)


def _home(machine: Machine, axis: int, *, home_is_low: bool) -> float | None:
    """Return where an ESP32 firmware has its home: from where it came to stand, or asked."""
    if machine.home_place is not None and axis < 2:
        pull_off = machine.settings.get(27, 0.0)
        return machine.home_place[axis] + (-pull_off if home_is_low else pull_off)
    name = "xyz"[axis]
    for question in (f"$/axes/{name}/homing/mpos_mm", f"${name.upper()}/Home/Mpos"):
        with suppress(RefusedError):
            for text in machine.ask(question):
                if match := _TOLD.fullmatch(text):
                    return float(match[1])
    return None
