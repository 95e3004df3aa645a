"""An EiBotBoard, the controller inside an AxiDraw, on a pseudo-terminal.

It answers the serial commands that the maker's own library (`plotink`) sends, as the maker's
page of EBB commands lists them (evil-mad.github.io/EggBot/ebb.html, firmware 2.8.1), and turns
the steps of the two motors back into strokes on paper: both turn for a move along one axis,
a = x + y and b = x - y, at 80 steps to the millimetre (40 with 8-fold microstepping). Moves
take no time. What the board does is asked of its attributes, not of what was sent.
"""

from __future__ import annotations

import math
import os
import select
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

Point = tuple[float, float]

VERSION = "EBBv13_and_above EB Firmware Version 2.8.1"

#: Steps of 16-fold microstepping in one step, by what EM was told.
MICROSTEPS = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16}

#: The board ignores what is faster than this, in steps in a millisecond.
FASTEST = 25

#: The pins that tell how the motors are set, each by what EM was told, 0 (off) to 5: two that
#: are low while a motor is on, and three for the microsteps.
PINS = {"E,0": "100000", "C,1": "100000", "E,2": "011010", "E,1": "011100", "A,6": "010000"}


@dataclass
class FakeEBB:
    """One board; a context that plugs it in and out.

    Attributes:
        path: What to open.
        pen_up: Whether the pen is up; nobody knows before the first SP.
        strokes: What the pen drew, in mm from where the carriage was when this began.
        drawn: How much that is, in mm.
        servo: The values of SC, by their number: 4 and 5 are the heights of the pen up and
            down, from 9855 (0 %) to 27831 (100 %).
        speeds: The speed of every move in mm/s, apart for pen up (True) and down (False).
        complaints: What a real board would have done something unwanted with.
        nickname: What QT answers.
        button: Whether the button was pressed since it was last asked for.
        power: Whether the motors have power: the board itself lives on the computer's. Without
            they do not move, and the board counts their steps all the same.
    """

    path: str = ""
    pen_up: bool | None = None
    strokes: list[list[Point]] = field(default_factory=list)
    drawn: float = 0.0
    servo: dict[int, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    speeds: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    nickname: str = ""
    button: bool = False
    power: bool = True

    def __post_init__(self) -> None:
        self._steps = [0, 0]
        self._place = [0, 0]
        self._motors = 0
        self._layer = 0
        self._plans: list[tuple[float, Callable[[], None]]] = []

    def __enter__(self) -> FakeEBB:
        self.plug_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unplug()

    @property
    def position(self) -> Point:
        """Where the carriage is, in mm from where it was when this began."""
        a, b = self._place
        return (a + b) / 160, (a - b) / 160

    def after(self, millimetres: float, action: Callable[[], None]) -> None:
        """Do something as soon as so much has been drawn in all."""
        self._plans.append((millimetres, action))

    def press(self) -> None:
        """Press the pause button."""
        self.button = True

    def plug_in(self) -> None:
        """Connect; the carriage and the pen are where they were."""
        controller, terminal = os.openpty()
        tty.setraw(terminal)
        self.path = os.ttyname(terminal)
        self._unplugged = threading.Event()
        self._server = threading.Thread(
            target=self._serve, args=(controller, terminal, self._unplugged), daemon=True
        )
        self._server.start()

    def switch_off(self) -> None:
        """Take the power from the board and the motors, and give it back."""
        self._motors, self._steps = 0, [0, 0]

    def unplug(self) -> None:
        """Pull the cable; what was asked before is not answered any more."""
        self._unplugged.set()
        if threading.current_thread() is not self._server:
            self._server.join()

    def _serve(self, controller: int, terminal: int, unplugged: threading.Event) -> None:
        """Answer until unplugged, then close: no other thread knows these descriptors.

        A descriptor's number is given again as soon as it is closed, maybe to a file that is
        being written elsewhere.
        """
        buffer = b""
        while not unplugged.is_set():
            if not select.select([controller], [], [], 0.01)[0]:
                continue
            *lines, buffer = (buffer + os.read(controller, 1024)).split(b"\r")
            for line in lines:
                answer = self._answer(line.decode("ascii"))
                if unplugged.is_set():
                    break
                os.write(controller, answer.encode())
        os.close(controller)
        os.close(terminal)

    def _answer(self, line: str) -> str:
        name, *values = line.strip().upper().split(",")
        handler = getattr(self, f"_do_{name.lower()}", None)
        if handler is None:
            self.complaints.append(f"unknown: {line!r}")
            return f"!8 Err: Unknown command '{name}'\r\n"
        return handler(*values) + "\r\n"

    def _do_v(self) -> str:
        return VERSION

    def _do_qb(self) -> str:
        pressed, self.button = self.button, False
        return f"{int(pressed)}\r\nOK"

    def _do_qc(self) -> str:
        return f"0394,{300 if self.power else 12:04}\r\nOK"

    def _do_ql(self) -> str:
        return f"{self._layer}\r\nOK"

    def _do_sl(self, value: str = "0") -> str:
        self._layer = int(value)
        return "OK"

    def _do_qp(self) -> str:
        return f"{int(self.pen_up is not False)}\r\nOK"

    def _do_qs(self) -> str:
        return f"{self._steps[0]},{self._steps[1]}\r\nOK"

    def _do_qt(self) -> str:
        return f"{self.nickname}\r\nOK"

    def _do_qg(self) -> str:
        return f"{self.button << 5 | (self.pen_up is not False) << 4:02X}"

    def _do_qm(self) -> str:
        return "QM,0,0,0,0"

    def _do_pi(self, port: str, pin: str) -> str:
        return f"PI,{PINS[f'{port},{pin}'][self._motors]}"

    def _do_em(self, first: str, second: str = "") -> str:
        self._motors = int(first)
        self._steps = [0, 0]
        return "OK"

    def _do_sc(self, number: str, value: str) -> str:
        self.servo[int(number)] = int(value)
        return "OK"

    def _do_sr(self, timeout: str, state: str = "") -> str:
        return "OK"

    def _do_cs(self) -> str:
        self._steps = [0, 0]
        return "OK"

    def _do_sp(self, up: str, duration: str = "0", pin: str = "") -> str:
        if up == "0" and self.pen_up is not False:
            self.strokes.append([self.position])
        self.pen_up = up == "1"
        return "OK"

    def _do_tp(self, duration: str = "0") -> str:
        return self._do_sp("0" if self.pen_up else "1")

    def _do_sm(self, duration: str, a: str, b: str = "0") -> str:
        self._move(int(a), int(b), int(duration))
        return "OK"

    def _do_xm(self, duration: str, x: str, y: str) -> str:
        self._move(int(x) + int(y), int(x) - int(y), int(duration))
        return "OK"

    def _do_lm(
        self, rate: str, a: str, change: str, rate2: str, b: str, change2: str, clear: str = ""
    ) -> str:
        self._move(int(a), int(b), None)
        return "OK"

    def _move(self, a: int, b: int, duration: int | None) -> None:
        if (a or b) and not self._motors:
            self.complaints.append("moved with the motors off")
        if duration == 0 or (duration and max(abs(a), abs(b)) > FASTEST * duration):
            self.complaints.append(f"too fast: {a}, {b} in {duration} ms")
        start = self.position
        self._steps = [self._steps[0] + a, self._steps[1] + b]
        if not self.power:
            return
        scale = MICROSTEPS.get(self._motors, 1)
        self._place = [self._place[0] + scale * a, self._place[1] + scale * b]
        length = math.dist(start, self.position)
        if duration and length:
            self.speeds[self.pen_up is not False].append(length / duration * 1000)
        if self.pen_up is False and length:
            self.strokes[-1].append(self.position)
            self.drawn += length
            due = [plan for plan in self._plans if plan[0] <= self.drawn]
            self._plans = [plan for plan in self._plans if plan[0] > self.drawn]
            for _, action in due:
                action()
