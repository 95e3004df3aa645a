"""What is done by hand before a plot: find the origin, walk the frame, try the pen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters import operator as operators
from vpype_sketchformer.plotters.grbl.link import STOP_JOG, Machine, RefusedError
from vpype_sketchformer.plotters.grbl.place import at
from vpype_sketchformer.plotters.operator import DOWN, ENTER, UP, DeclinedError

if TYPE_CHECKING:
    from vpype_sketchformer.plotters.operator import Operator

#: Keys for jogging and where they lead.
JOGS = {
    UP: ("Y", 1),
    DOWN: ("Y", -1),
    "\x1b[C": ("X", 1),
    "\x1b[D": ("X", -1),
    "u": ("Z", 1),
    "d": ("Z", -1),
}
#: What the number keys choose when jogging: steps in mm.
STEPS = {"1": 0.1, "2": 1.0, "3": 10.0}

#: By how much a key changes a height or a dwell: S, mm, s.
NUDGES = {"s_up": 5.0, "s_down": 5.0, "z_up": 0.1, "z_down": 0.1, "dwell": 0.05}


def jog(machine: Machine, operator: Operator, *, feed: float, on_z: bool) -> None:
    """Move the pen as keys are pressed, until Enter.

    Args:
        machine: The machine.
        operator: Who presses the keys.
        feed: How fast, in mm/min.
        on_z: Whether the pen is on a Z axis, which is moved as well.

    Raises:
        DeclinedError: The operator gives up.
    """
    step = STEPS["2"]
    with operator.keys() as pressed:
        operator.say("arrow keys move the pen, 1 2 3 choose steps of 0.1, 1, 10 mm")
        if on_z:
            operator.say("u and d move it up and down; never sideways while it touches paper")
        where = "touches the paper in" if on_z else "is over"
        operator.say(
            f"press Enter when it {where} the bottom left corner of the page, q to leave"
        )
        while (key := pressed()) not in ENTER:
            machine.attend()
            if key == "q":
                machine.write(STOP_JOG)
                raise DeclinedError
            step = STEPS.get(key, step)
            axis, sign = JOGS.get(key, ("", 0))
            if axis and (on_z or axis != "Z"):
                _try(machine, f"$J=G91G21{axis}{sign * step:g}F{feed:g}", operator)
    machine.wait()


def frame(
    machine: Machine, operator: Operator, corners: Sequence[complex], *, feed: float
) -> None:
    """Travel around a frame, pen up.

    Args:
        machine: The machine, its pen raised.
        operator: Who watches, and may stop it.
        corners: Where to go, in mm in the coordinates of the machine's work.
        feed: How fast, in mm/min.

    Raises:
        DeclinedError: The operator has stopped it.
    """
    with operator.keys() as pressed:
        operator.say(f"around the frame, {at(corners[0])} to {at(corners[2])}; q stops")
        for corner in [*corners, corners[0]]:
            _try(machine, f"$J=G90G21X{corner.real:.3f}Y{corner.imag:.3f}F{feed:g}", operator)
            while machine.report().moving:
                if pressed() == "q":
                    machine.write(STOP_JOG)
                    raise DeclinedError


def _try(machine: Machine, line: str, operator: Operator) -> None:
    """Send a jog; one that the machine refuses is no harm."""
    try:
        machine.ask(line)
    except RefusedError as error:
        operator.say(str(error))


def try_pen(
    machine: Machine, operator: Operator, profile: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, float]:
    """Raise and lower the pen, and change how, as keys are pressed, until Enter.

    Args:
        machine: The machine.
        operator: Who presses the keys.
        profile: One of `gcode.PROFILES`.
        values: The variables of its templates.

    Returns:
        The values to keep, by their names; the pen is up.

    Raises:
        DeclinedError: The operator gives up.
    """
    tried = {name: float(values[name]) for name in profile["default_values"] if name in NUDGES}

    def move(down: bool) -> None:
        shown = {name: f"{value:g}" for name, value in tried.items()}
        before, _, after = gcode.stroke(profile, [0j], {**values, **shown})
        for line in before[1:] if down else after:
            machine.ask(line)
        told = ", ".join(f"{name} {value}" for name, value in shown.items())
        operator.say(f"pen {'down' if down else 'up'}: {told}")

    def change(key: str, down: bool) -> bool:
        name = _changed(key, tried, down=down)
        if name is None:
            return False
        step = NUDGES[name] * (1 if key in (UP, "+") else -1)
        tried[name] = round(max(_least(name), tried[name] + step), 3)
        return True

    try:
        operators.try_pen(
            operator, ", + and - the dwell", move=move, change=change, wait=machine.attend
        )
    finally:
        move(False)
    return tried


def _changed(key: str, tried: Mapping[str, float], *, down: bool) -> str | None:
    """Return the name of the value that a key changes, if there is one."""
    if key in ("+", "-"):
        return "dwell"
    if key not in (UP, DOWN):
        return None
    names = [name for name in tried if name.endswith("_down" if down else "_up")]
    return names[0] if names else None


def _least(name: str) -> float:
    return {"dwell": 0.05, "z_up": -99.0, "z_down": -99.0}.get(name, 0.0)
