"""From a job to the lines for a GRBL machine, stroke by stroke, and how long they take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters.job import Job, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.plotters.job import Stroke

Triple = tuple[float, float, float]

#: The shortest dwell, in s: firmwares for the ESP32 answer one of nothing at once.
SHORTEST = 0.01

_WORD = re.compile(r"([A-Z])(-?\d*\.?\d+)")
_COMMENT = re.compile(r"\([^()]*\)|;.*|\s")


@dataclass(frozen=True)
class Group:
    """The lines of one stroke: to its beginning, pen down, along it, pen up, and a dwell.

    GRBL answers a dwell (G4) once all before it has been done, so the answer to the last line
    says that the stroke is drawn; all other answers say only that a line was understood.

    Attributes:
        layer: The stroke's layer.
        points: The stroke, in mm in the coordinates of the machine's work.
        lines: What to send.
        along: Index of the first line with the pen down and at rest.
        last: Index of the line that can complete the stroke: that of its last segment, or
            that which lowers the pen for a dot.
        again: Whether it is the end of a stroke that is drawn already.
    """

    layer: Layer
    points: Stroke
    lines: tuple[str, ...]
    along: int
    last: int
    again: bool = False


@dataclass(frozen=True)
class Plan:
    """What to send for a job.

    Attributes:
        raise_pen: Sets the modes and raises the pen; to be sent before any move.
        groups: The strokes.
        home: Leads to where the pen is changed and rests, and waits for it.
        park: Where that is, in mm in the coordinates of the machine's work.
    """

    raise_pen: tuple[str, ...]
    groups: tuple[Group, ...]
    home: tuple[str, ...]
    park: complex = 0j

    @property
    def lines(self) -> list[str]:
        """All lines of the program, in order."""
        lines = list(self.raise_pen)
        for before, group in pairwise((None, *self.groups)):
            assert group is not None
            if before is not None and before.layer is not group.layer:
                lines += self.home
            lines += group.lines
        return [*lines, *self.home]


def plan(
    job: Job,
    profile: Mapping[str, Any],
    values: Sequence[Mapping[str, Any]],
    park: complex = 0j,
) -> Plan:
    """Write the lines of a job with y up.

    Args:
        job: The job.
        profile: One of `gcode.PROFILES`.
        values: The variables of its templates, for each layer of the job.
        park: Where the pen is changed and rests.
    """
    values = [_dwelling(variables) for variables in values]
    groups = tuple(
        _group(layer, points, profile, variables)
        for layer, variables in zip(job.layers, values, strict=True)
        for points in layer.strokes
    )
    home = f"{values[0]['travel']} X{park.real:z.3f} Y{park.imag:z.3f}"
    return Plan(
        raise_pen=tuple(compact(profile["document_start"].format_map(values[0]).splitlines())),
        groups=groups,
        home=tuple(compact([home, f"G4 P{SHORTEST}"])),
        park=park,
    )


def end_of(
    group: Group, length: float, profile: Mapping[str, Any], values: Mapping[str, Any]
) -> Group:
    """Return the last few mm of a stroke, to be drawn again with a pen that had run dry.

    Args:
        group: The stroke.
        length: How much of it, in mm.
        profile: One of `gcode.PROFILES`.
        values: The variables of its templates.
    """
    points = group.points[::-1]
    lengths = np.abs(np.diff(points))
    reached = np.concatenate([[0.0], np.cumsum(lengths)])
    if length < reached[-1]:
        count = int(np.searchsorted(reached, length))
        share = (length - reached[count - 1]) / lengths[count - 1]
        cut = points[count - 1] + share * (points[count] - points[count - 1])
        points = np.append(points[:count], cut)
    whole = _group(group.layer, points[::-1], profile, _dwelling(values))
    return replace(whole, again=True)


def _dwelling(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with a dwell that every firmware waits for."""
    dwell = values["dwell"]
    return {**values, "dwell": dwell if float(dwell) >= SHORTEST else SHORTEST}


def _group(
    layer: Layer, points: Stroke, profile: Mapping[str, Any], values: Mapping[str, Any]
) -> Group:
    before, segments, after = gcode.stroke(profile, points, values)
    lines = tuple(compact([*before, *segments, *after]))
    last = len(before) + len(segments) - 1 if segments else 1
    return Group(layer, points, lines, len(before), last)


def compact(lines: Iterable[str]) -> Iterator[str]:
    """Shorten lines of G-code without changing what they do, for the line is slow.

    Leaves out spaces, comments, needless zeros, and the motion and the feed where they are
    those of the line before.
    """
    motion = feed = None
    for line in lines:
        words = []
        for letter, digits in _WORD.findall(_COMMENT.sub("", line)):
            number = re.sub(r"\.?0+$", "", digits) if "." in digits else digits
            word = letter + number
            if word in (motion, feed):
                continue
            if word in ("G0", "G1"):
                motion = word
            if letter == "F":
                feed = word
            words.append(word)
        if words:
            yield "".join(words)


@dataclass(frozen=True)
class Kinematics:
    """What limits a machine's motion, for X, Y, Z.

    Attributes:
        rates: Highest speeds in mm/min ($110 to $112).
        accelerations: In mm/s² ($120 to $122).
        deviation: How far a corner may be thought of as rounded, in mm ($11).
    """

    rates: Triple = (5000, 5000, 1000)
    accelerations: Triple = (500, 500, 100)
    deviation: float = 0.01

    @classmethod
    def of(cls, settings: Mapping[int, float]) -> Kinematics:
        """Return that of a machine by its settings; what it does not tell is as above."""
        usual = cls()

        def axes(first: int, known: Triple) -> Triple:
            x, y, z = (settings.get(first + axis) or known[axis] for axis in range(3))
            return x, y, z

        rates, accelerations = axes(110, usual.rates), axes(120, usual.accelerations)
        return cls(rates, accelerations, settings.get(11, usual.deviation))


def durations(
    lines: Iterable[str], kinematics: Kinematics, start: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """Return how long each line takes, in s.

    Speeds rise and fall with constant acceleration and are bounded at corners by GRBL's rule
    of the junction deviation, with all of the path known in advance; the controller knows 15
    lines, and is a little slower where they are very short. Moves of the pen and dwells stop
    the machine.

    Args:
        lines: The program, in mm and absolute coordinates, as `plan` writes it.
        kinematics: The machine.
        start: Where it begins.
    """
    seconds: list[float] = []
    moves: list[tuple[int, NDArray[np.float64], float]] = []  # line, way, mm/s
    place = np.array([*start, 0.0])
    feed, rapid = 0.0, True

    def stop() -> None:
        for (line, _, _), duration in zip(moves, _times(moves, kinematics), strict=True):
            seconds[line] += duration
        moves.clear()

    for number, line in enumerate(lines):
        seconds.append(0.0)
        words = dict(_WORD.findall(line))
        motion = words.get("G")
        if motion == "4" or "M" in words:
            stop()
            seconds[-1] += float(words.get("P", 0))
            continue
        rapid = motion == "0" if motion in ("0", "1") else rapid
        feed = float(words.get("F", feed))
        target = [float(words.get(axis, place[i])) for i, axis in enumerate("XYZ")]
        way = np.array(target) - place
        if way.any():
            moves.append((number, way, math.inf if rapid else feed / 60))
            place = np.array(target)
    stop()
    return np.array(seconds)


def _times(
    moves: Sequence[tuple[int, NDArray[np.float64], float]], kinematics: Kinematics
) -> list[float]:
    """Return how long moves take, in s, from standstill to standstill."""
    if not moves:
        return []
    ways = np.stack([way for _, way, _ in moves])  # (n, 3)
    lengths = np.linalg.norm(ways, axis=1)
    units = ways / lengths[:, None]
    limits = np.array([speed for _, _, speed in moves])
    speeds = np.minimum(limits, _along(np.array(kinematics.rates) / 60, units))
    powers = _along(np.array(kinematics.accelerations), units)

    # Squares of the speeds at the corners, at most: v² = a d s / (1 - s), s = sin(angle / 2).
    cosines = -(units[:-1] * units[1:]).sum(axis=1).clip(-1, 1)
    halves = np.sqrt((1 - cosines) / 2)
    turns = units[1:] - units[:-1]
    norms = np.linalg.norm(turns, axis=1, keepdims=True)
    turns = np.divide(turns, norms, out=np.ones_like(turns), where=norms > 0)
    room = _along(np.array(kinematics.accelerations), turns) * kinematics.deviation
    bends = np.divide(
        room * halves, 1 - halves, out=np.full_like(halves, np.inf), where=halves < 1 - 1e-9
    )
    corners = np.minimum(bends, np.minimum(speeds[:-1], speeds[1:]) ** 2)
    squares = np.concatenate([[0.0], corners, [0.0]]).tolist()
    gains = (2 * powers * lengths).tolist()
    for i in reversed(range(len(gains))):  # slow enough to brake in time
        squares[i] = min(squares[i], squares[i + 1] + gains[i])
    for i, gain in enumerate(gains):  # no faster than the way allows
        squares[i + 1] = min(squares[i + 1], squares[i] + gain)

    enter, leave = np.array(squares[:-1]), np.array(squares[1:])
    top = np.minimum(speeds, np.sqrt(powers * lengths + (enter + leave) / 2))
    changing = (2 * top - np.sqrt(enter) - np.sqrt(leave)) / powers
    steady = lengths - (2 * top**2 - enter - leave) / (2 * powers)
    times: list[float] = (changing + steady / top).tolist()
    return times


def _along(limits: NDArray[np.float64], units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the limit along each direction that keeps every axis within its own."""
    parts = np.abs(units)
    with np.errstate(divide="ignore"):
        shares: NDArray[np.float64] = np.where(parts > 1e-12, limits / parts, np.inf)
    return shares.min(axis=1)


def drawn(plan: Plan) -> float:
    """Return the way with the pen down in mm."""
    return float(sum(np.abs(np.diff(group.points)).sum() for group in plan.groups))


def travelled(plan: Plan) -> float:
    """Return the way with the pen up in mm, from the park and back to it for every pen."""
    way, place = 0.0, plan.park
    for before, group in pairwise((None, *plan.groups)):
        assert group is not None
        if before is not None and before.layer is not group.layer:
            way += abs(plan.park - place)
            place = plan.park
        way += abs(group.points[0] - place)
        place = group.points[-1]
    return float(way + abs(plan.park - place))


# --- what is known of a stroke that was stopped ---------------------------------------------

#: How near in mm a place reported by the machine has to be to be that of the drawing: it
#: stands on whole steps.
NEAR = 0.03


def reached(points: Stroke, place: complex, under_way: bool) -> bool | None:
    """Tell from where the pen stands whether it has come to the end of a stroke.

    Args:
        points: The stroke.
        place: Where the pen stands.
        under_way: Whether the pen was seen to have left the stroke's beginning.

    Returns:
        None if that is no evidence, for the stroke passes its end before.
    """
    if abs(place - points[-1]) > NEAR:
        return False
    inside = np.abs(points - points[-1]) <= 2 * NEAR
    leading = int(np.argmin(inside)) if not inside.all() else len(points)
    if (leading and not under_way) or inside.all():
        return None
    trailing = int(np.argmin(inside[::-1]))
    middle = points[leading : len(points) - trailing]
    return not any(distance(points[-1], a, b) <= 2 * NEAR for a, b in pairwise(middle)) or None


def distance(point: complex, a: complex, b: complex) -> float:
    """Return how far a point is from the line between two others."""
    way = b - a
    share = ((point - a) * way.conjugate()).real / abs(way) ** 2 if way else 0.0
    return abs(a + min(1.0, max(0.0, share)) * way - point)
