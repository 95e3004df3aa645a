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
    offsets = (machine.status or machine.report()).offset
    points = np.concatenate([group.points for group in plan.groups])
    heights = np.array([float(z) for line in plan.lines for z in _HEIGHT.findall(line)])
    for axis, values in enumerate((points.real, points.imag, heights)):
        travel = machine.settings.get(130 + axis)
        if not travel or not values.size:
            continue
        name = "XYZ"[axis]
        if np.ptp(values) > travel + NEAR:
            raise MachineError(
                f"the drawing needs {np.ptp(values):.1f} mm along {name}, the machine has "
                f"{travel:.1f} mm (${130 + axis}); scale it, or turn the page."
            )
        reach = limits(machine, axis) if machine.settings.get(22) else None
        if reach is None or (name == "Z" and not machine.settings.get(20)):
            continue
        _check_axis(name, values, offsets[axis], reach)


def _check_axis(name: str, values: NDArray[np.float64], offset: float, reach: Range) -> None:
    """Refuse places beyond an axis, and an origin that is, for the pen waits there.

    Raises:
        MachineError: A place is out of reach.
    """
    low, high = float(values.min()) + offset, float(values.max()) + offset
    what = "the pen's heights reach" if name == "Z" else "the drawing reaches"
    if name != "Z" and not reach[0] - NEAR <= offset <= reach[1] + NEAR:
        low = high = offset
        what = "the origin, where the pen waits, reaches"
    if low < reach[0] - NEAR or high > reach[1] + NEAR:
        raise MachineError(
            f"{what} from {low:.1f} to {high:.1f} mm in the machine's own {name}, which ends "
            f"at {reach[0]:.1f} and {reach[1]:.1f}; {MOVE}"
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
