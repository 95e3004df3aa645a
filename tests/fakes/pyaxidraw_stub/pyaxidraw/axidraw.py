"""A stand-in for the maker's `pyaxidraw.axidraw`, for machines without it.

It keeps to what the documentation of the AxiDraw Python API 3.9 promises for the plot context
(axidraw.com/doc/py_api): names, ranges and defaults of the options, what `plot_run` leaves in
`errors.code` and in its other variables, the layer names, resuming from the SVG it returned.
An option that the documentation does not have, or a value outside its range, is an error here.

It shows that a caller keeps to that interface and what reaches the machine, through the
maker's own serial library (`plotink`); it shows nothing about the maker's program itself: no
acceleration, no curves, no reordering, and its times are rough. Nothing of it is copied.

Where the program 3.9.7 was seen to do what one would not expect, the stub does that too: it
keeps six digits of the scale and then clips to the page; it goes on counting for a while when
the cable is out; `load_config` replaces every parameter, so that a partial file fails; low
voltage is no error; signals are taken even for a preview.
"""

from __future__ import annotations

import math
import re
import signal
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import shapely
from plotink import ebb_motion, ebb_serial

__version__ = "3.9.6 (stub)"

PERCENT, SPEED, FLAG, ANY = range(101), range(1, 111), (False, True), None

#: Option: default, allowed values.
OPTIONS = {
    "mode": ("plot", ("plot", "layers", "res_plot", "res_home", "manual")),
    "manual_cmd": (
        "fw_version",
        ("fw_version", "raise_pen", "lower_pen", "walk_mmx", "walk_mmy"),
    ),
    "dist": (1.0, ANY),
    "model": (1, range(1, 8)),
    "port": (None, ANY),
    "port_config": (0, range(4)),
    "pen_pos_up": (60, PERCENT),
    "pen_pos_down": (30, PERCENT),
    "pen_rate_raise": (75, range(1, 101)),
    "pen_rate_lower": (50, range(1, 101)),
    "pen_delay_up": (0, range(-500, 501)),
    "pen_delay_down": (0, range(-500, 501)),
    "speed_pendown": (25, SPEED),
    "speed_penup": (75, SPEED),
    "accel": (75, range(1, 101)),
    "const_speed": (False, FLAG),
    "penlift": (1, range(1, 4)),
    "auto_rotate": (True, FLAG),
    "reordering": (0, range(5)),
    "random_start": (False, FLAG),
    "hiding": (False, FLAG),
    "report_time": (False, FLAG),
    "preview": (False, FLAG),
    "rendering": (3, range(4)),
    "copies": (1, range(10_000)),
    "layer": (1, range(1, 1001)),
    "digest": (0, range(3)),
}

#: Travel in inches, by what the configuration calls the models.
TRAVEL = {
    "default": (11.81, 8.58),
    "V3A3": (16.93, 11.69),
    "V3XLX": (23.42, 8.58),
    "MiniKit": (6.30, 4.00),
    "SEA1": (34.02, 23.39),
    "SEA2": (23.39, 17.01),
    "V3B6": (7.48, 5.51),
}

#: How long one move is at most, in mm.
SLICE = 8.0
#: How many moves go to a port that is gone before that is noticed.
DEAD_MOVES = 3

STEPS = 80  # to the millimetre
FULL_SPEED = 8.6979 * 25.4 / 110  # mm/s for one percent
SERVO = 9855, 27831  # 0 %, 100 %
CORNER = (0.0, 0.0)

INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
SVG = "{http://www.w3.org/2000/svg}"
UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "px": 25.4 / 96, "": 25.4 / 96}


class Options:
    """The options, as `plot_setup` leaves them."""

    def __init__(self, table: dict) -> None:
        vars(self)["_table"] = table
        for name, (default, _) in table.items():
            setattr(self, name, default)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._table:
            raise AttributeError(f"the documentation has no option {name}")
        allowed = self._table[name][1]
        if allowed is not ANY and (value not in allowed or isinstance(value, float)):
            raise ValueError(f"{name} cannot be {value!r}")
        super().__setattr__(name, value)


class Params:
    """The configuration: the defaults of the options and what else there is."""

    def __init__(self, table: dict, travel: dict) -> None:
        for name, (default, _) in table.items():
            if name not in ("mode", "manual_cmd", "utility_cmd", "port", "layer", "preview"):
                setattr(self, name, default)
        self.clip_to_page = True
        for name, (x, y) in travel.items():
            setattr(self, f"x_travel_{name}", x)
            setattr(self, f"y_travel_{name}", y)


class Errors:
    """Which stops raise RuntimeError, and how the last run ended."""

    connect = button = keyboard = disconnect = False
    code = 0


class Stop(Exception):
    """The plot ends here, with this code."""


class AxiDraw:
    """The plot context, for the strokes and layers that an SVG of vpype's has."""

    table = OPTIONS
    travel = TRAVEL
    #: The mode that moves by hand, and the option that says what.
    by_hand = ("manual", "manual_cmd")

    def __init__(self) -> None:
        self.errors = Errors()
        self.keyboard_pause = False
        self.time_estimate = self.distance_pendown = self.distance_total = 0.0
        self.pen_lifts = 0
        self.fw_version_string = None
        self.params = Params(self.table, self.travel)

    def plot_setup(self, svg_input: str | None = None) -> None:
        """Begin: parse the SVG, set the options to their defaults."""
        self.options = Options(self.table)
        self._svg = ET.fromstring(svg_input) if svg_input else None

    def load_config(self, path: str) -> None:
        """Take all parameters, and the options, from a configuration file."""
        found: dict[str, object] = {}
        exec(Path(path).read_text(), found)
        expected = vars(self.params)
        self.params = Params.__new__(Params)
        self.params.__dict__.update(found)
        for name in expected:
            value = getattr(self.params, name)  # one that is missing fails here
            if name in self.table:
                setattr(self.options, name, value)

    def plot_run(self, output: bool = False) -> str | None:
        """Do what the options say."""
        self._interrupted = self._down = False
        signal.signal(signal.SIGINT, self._interrupt)
        self._unanswered = 0
        self.errors.code = 0
        self.time_estimate = self.distance_pendown = self.distance_total = 0.0
        self.pen_lifts = 0
        self._at = CORNER
        self._port = None if self.options.preview else self._connect()
        if self._port or self.options.preview:
            try:
                self._run()
            except Stop as stop:
                (self.errors.code,) = stop.args
                self._raise()
            if self._svg is not None:
                self._write_progress()
        else:
            self.errors.code = 101
        ebb_serial.closePort(self._port)
        return ET.tostring(self._svg, encoding="unicode") if output else None

    def _interrupt(self, *_: object) -> None:
        self._interrupted = True

    def _connect(self):
        name = self.options.port
        found = ebb_serial.find_named_ebb(name) if name else ebb_serial.findPort()
        port = ebb_serial.testPort(found)
        if port:
            self.fw_version_string = ebb_serial.queryVersion(port).split()[-1]
            ebb_motion.QueryPRGButton(port)
        return port

    def _run(self) -> None:
        self._set_pen(self.options.pen_pos_down)
        self._raise()
        if self.options.mode == self.by_hand[0]:
            self._walk()
            return
        self._command("EM,1,1")
        done = 0.0
        if self.options.mode.startswith("res_"):
            data = self._svg.find("plotdata")
            if data is None or float(data.get("pause_dist")) < 0:
                print("No in-progress plot data found in file; unable to resume.")
                return
            done = float(data.get("pause_dist")) / 1000
            self._at = float(data.get("last_x")), float(data.get("last_y"))
            self._origin = self._at
        else:
            self._origin = CORNER
        self._offset = [round(c * STEPS) for c in _mixed(self._origin)]
        self.distance_pendown = self.distance_total = done
        if self.options.mode == "res_home":
            self._move(CORNER)
            return
        self._progress = done
        for label, strokes in self._layers():
            self._plot_layer(label, strokes)
        self._raise()
        self._move(CORNER)
        self._progress = -1

    def _walk(self) -> None:
        command = getattr(self.options, self.by_hand[1])
        if command == "lower_pen":
            self._lower()
        axis = {"walk_mmx": 0, "walk_mmy": 1}.get(command)
        if axis is None:
            return
        self._command("EM,1,1")
        self._offset, self._speed = [0, 0], 2000.0
        way = [0.0, 0.0]
        way[axis] = self.options.dist
        self._move((way[0], way[1]))

    def _plot_layer(self, label: str, strokes: list[list[tuple[float, float]]]) -> None:
        pause, number, controls = re.match(
            r"\s*(!?)(\d*)((?:\+[a-z]\d+)*)", label, re.I
        ).groups()
        if pause and self._skipped >= self._progress:
            raise Stop(1)
        wishes = {k.lower(): int(v) for k, v in re.findall(r"\+([hsd])(\d+)", controls, re.I)}
        if self.options.mode == "layers" and number != str(self.options.layer):
            return
        self._set_pen(wishes.get("h", self.options.pen_pos_down))
        self._speed = wishes.get("s", self.options.speed_pendown) * FULL_SPEED
        if not self.options.preview:
            time.sleep(wishes.get("d", 0) / 1000)
        self.time_estimate += wishes.get("d", 0) / 1000
        for stroke in strokes:
            self._plot_stroke(stroke)

    def _plot_stroke(self, stroke: list[tuple[float, float]]) -> None:
        length = sum(map(math.dist, stroke, stroke[1:]))
        rest = self._progress - self._skipped
        self._skipped += min(length, max(rest, 0))
        if rest >= length:
            return
        while rest > 0:
            (x, y), (u, v) = stroke[:2]
            segment = math.dist((x, y), (u, v))
            if rest < segment:
                t = rest / segment
                stroke = [(x + t * (u - x), y + t * (v - y)), *stroke[1:]]
                break
            rest -= segment
            stroke = stroke[1:]
        self._raise()
        self._move(stroke[0])
        self._lower()
        for point in stroke[1:]:
            self._move(point)
        self._raise()

    def _layers(self):
        """Return names and strokes in mm, turned to landscape as the options say."""
        root = self._svg
        self._skipped = 0.0
        (width, width_unit), (height, unit) = (
            re.fullmatch(r"([\d.]+)(\D*)", root.get(side)).groups()
            for side in ("width", "height")
        )
        width, height = float(width) * UNITS[width_unit], float(height) * UNITS[unit]
        scale = width / 25.4 / float(root.get("viewBox").split()[2])
        scale = 25.4 * round(scale, 6)  # so many digits are kept
        turned = self.options.auto_rotate and height > width
        bounds = [25.4 * side for side in self._travel()]
        page = (height, width) if turned else (width, height)
        if self.params.clip_to_page:
            bounds = [min(a, b) for a, b in zip(bounds, page, strict=True)]

        def place(x: float, y: float) -> tuple[float, float]:
            return (y * scale, width - x * scale) if turned else (x * scale, y * scale)

        def clipped(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
            line = shapely.LineString([place(*point) for point in points])
            inside = (-1e-6, -1e-6, bounds[0] + 1e-6, bounds[1] + 1e-6)
            if shapely.box(*inside).covers(line):
                return [list(line.coords)]
            parts = shapely.get_parts(shapely.line_merge(line & shapely.box(*inside)))
            return [list(part.coords) for part in parts if part.length]

        for group in root.iter(f"{SVG}g"):
            label = group.get(f"{INKSCAPE}label", "")
            if group.get(f"{INKSCAPE}groupmode") == "layer" and not label.startswith("%"):
                yield label, [part for shape in group for part in clipped(_points(shape))]

    def _travel(self) -> tuple[float, float]:
        name = list(self.travel)[self.options.model - 1]
        return getattr(self.params, f"x_travel_{name}"), getattr(
            self.params, f"y_travel_{name}"
        )

    def _set_pen(self, down: int) -> None:
        low, high = SERVO
        for number, percent in ((4, self.options.pen_pos_up), (5, down)):
            self._command(f"SC,{number},{round(low + (high - low) * percent / 100)}")

    def _raise(self) -> None:
        self.pen_lifts += self._down
        self._down = False
        self._command("SP,1,300")
        self.time_estimate += 0.3

    def _lower(self) -> None:
        self._down = True
        self._command("SP,0,300")
        self.time_estimate += 0.3

    def _move(self, to: tuple[float, float]) -> None:
        (x, y), (u, v) = self._at, to
        count = max(1, math.ceil(math.dist(self._at, to) / SLICE))
        for number in range(1, count):
            share = number / count
            self._move_slice((x + share * (u - x), y + share * (v - y)))
        self._move_slice(to)

    def _move_slice(self, to: tuple[float, float]) -> None:
        self._check()
        length = math.dist(self._at, to)
        speed = self._speed if self._down else self.options.speed_penup * FULL_SPEED
        steps = [
            round(target * STEPS) - here
            for target, here in zip(_mixed(to), self._offset, strict=True)
        ]
        if any(steps):
            fastest = math.ceil(max(map(abs, steps)) / 24.9)
            self._command(
                f"SM,{max(round(length / speed * 1000), fastest)},{steps[0]},{steps[1]}"
            )
            self._offset = [here + s for here, s in zip(self._offset, steps, strict=True)]
        self._at = to
        self.time_estimate += length / speed
        self.distance_total += length
        if self._down:
            self.distance_pendown += length

    def _check(self) -> None:
        if self.options.preview:
            return
        button = ebb_motion.QueryPRGButton(self._port, False)
        if not button:
            self._unanswered += 1
            if self._unanswered > DEAD_MOVES:
                raise Stop(104)
            return
        if button.startswith("1"):
            raise Stop(102)
        if self._interrupted:
            raise Stop(103)

    def _command(self, text: str) -> None:
        if not self.options.preview:
            ebb_serial.command(self._port, f"{text}\r", False)

    def _write_progress(self) -> None:
        old = self._svg.find("plotdata")
        if old is not None:
            self._svg.remove(old)
        stopped = self.errors.code != 0
        if self.options.mode == "res_home":
            paused = float(old.get("pause_dist"))
        else:
            paused = round(self.distance_pendown * 1000) if stopped else -1
        place = {"last_x": f"{self._at[0]}", "last_y": f"{self._at[1]}"}
        ET.SubElement(self._svg, "plotdata", pause_dist=f"{paused}", **place)
        self.distance_pendown /= 1000
        self.distance_total /= 1000


def _mixed(point: tuple[float, float]) -> tuple[float, float]:
    return point[0] + point[1], point[0] - point[1]


def _points(shape: ET.Element) -> list[tuple[float, float]]:
    if shape.tag == f"{SVG}line":
        x1, y1, x2, y2 = (float(shape.get(name)) for name in ("x1", "y1", "x2", "y2"))
        return [(x1, y1), (x2, y2)]
    pairs = [tuple(map(float, pair.split(","))) for pair in shape.get("points").split()]
    return pairs + pairs[:1] if shape.tag == f"{SVG}polygon" else pairs
