"""A GRBL 1.1 controller and its pen plotter, on a pseudo-terminal.

It keeps a real one's rules: a receive buffer of 128 bytes that loses what overflows, answers
in order, realtime bytes, states, a planner of 15 blocks, motion that takes time, feed hold
with a way to brake, alarms that answer nothing until a reset, check mode, settings, homing,
jogs. What the pen leaves on the paper is kept in `ink`, in the coordinates of the paper: those
of the machine are lost with a hard reset, the paper's are not.

    python tests/fakes/grbl.py [SPEED LATENCY]     prints its port and runs until it is stopped
"""

from __future__ import annotations

import contextlib
import math
import os
import pty
import random
import re
import select
import sys
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: How firmwares introduce themselves.
BANNERS = {
    "grbl": "Grbl 1.1h ['$' for help]",
    "grbl 0.9": "Grbl 0.9j ['$' for help]",
    "grblhal": "GrblHAL 1.1f ['$' or '$HELP' for help]",
    "grbl_esp32": "Grbl 1.3a ['$' for help]",
    "fluidnc": "Grbl 3.7 [FluidNC v3.7.8 (wifi) '$' for help]",
}
#: How firmwares for the ESP32 are asked for the place of their home, and answer.
HOMES = {
    "grbl_esp32": (r"\$([XYZ])/Home/Mpos", "$%s/Home/Mpos=%.3f"),
    "fluidnc": (r"\$/axes/([xyz])/homing/mpos_mm", "/axes/%s/homing/mpos_mm=%.3f"),
}
#: What grblHAL says in answer to `$$` beside what GRBL does.
TEXT_SETTINGS = ("$74=", "$300=grblHAL", "$302=192.168.5.1", "$340=N/A", "$384=0")
RX_SIZE = 127  # of 128 bytes one stays free
LINE_SIZE = 80
PLANNER = 15
STARTING = 0.05  # s from a hard reset to the banner, with nobody listening
DEAF = 0.5  # s after a limit switch in which a reset is thrown away
BRAKING = 0.03  # s of motion after a feed hold, before the scale
WORD = re.compile(r"([A-Z])([-+]?(?:\d+\.?\d*|\.\d+))")
KNOWN_G = {"0", "1", "4", "10", "17", "20", "21", "53", "54", "55", "80", "90", "91", "94"}
KNOWN_M = {"0", "2", "3", "4", "5", "30"}

SETTINGS = {
    0: 10, 1: 25, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 10: 1, 11: 0.010, 12: 0.002, 13: 0, 20: 0,
    21: 0, 22: 0, 23: 3, 24: 25, 25: 500, 26: 250, 27: 1, 30: 1000, 31: 0, 32: 0, 100: 80,
    101: 80, 102: 400, 110: 5000, 111: 5000, 112: 1000, 120: 500, 121: 500, 122: 100,
    130: 300, 131: 200, 132: 40,
}  # fmt: skip

Point = tuple[float, float, float]


@dataclass
class Block:
    """A motion in the planner, or what waits for all before it."""

    target: Point
    speed: float  # mm/s
    jog: bool = False


@dataclass
class Fault:
    """What goes wrong, once, when so many bytes have been received."""

    kind: str
    byte: int
    rng: random.Random
    #: Told what has to be done outside the machine: Ctrl-C, a process killed.
    strike: Callable[[str], None] = lambda kind: None


@dataclass
class FakeGrbl:
    """The machine.

    Attributes:
        speed: How many times faster than the clock it moves; infinite for no motion.
        settings: The values of ``$$``.
        resets_on_open: Whether opening the port resets it, as most Arduinos do unless the
            port was left with HUPCL off.
        z_down: Below which height the pen draws; None where M3 lowers it.
        firmware: Which one it runs, a key of `BANNERS`.
        startup: A line that it runs after each reset, and echoes (`$N0`): G54 or G55.
        build: What `$I` says of it.
        start_time: How long it takes to start, in s.
        babble: What it says beside each answer.
        ink: The strokes on the paper, each a list of x, y.
        faults: What will go wrong.
    """

    speed: float = 50.0
    settings: dict[int, float] = field(default_factory=lambda: dict(SETTINGS))
    resets_on_open: bool = False
    z_down: float | None = None
    s_down: float | None = None
    latency: float = 0.0
    folder: Path | None = None
    firmware: str = "grbl"
    startup: str = ""
    build: str = "[OPT:V,15,128]"
    start_time: float = STARTING
    babble: str = ""
    ink: list[list[tuple[float, float]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    # What tests look at.
    log: list[str] = field(default_factory=list)
    overflowed: int = 0
    most_unread: int = 0
    received: int = 0
    events: list[str] = field(default_factory=list)
    overrides: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.physical: Point = (0.0, 0.0, 3.0 if self.z_down is not None else 0.0)
        self.machine: Point = self.physical
        self.offset: Point = (0.0, 0.0, self.physical[2] if self.z_down is None else 0.0)
        self.system = "G54"
        self.offsets: dict[str, Point] = {}  # of the systems that are not the active one
        self.alarmed = bool(self.settings[22])
        self.critical = False
        self.deaf_until = 0.0
        self.dead = False
        self.stalled_until = 0.0
        self.swallow = False
        self.opened = False
        self.master = -1
        self.slave = -1
        self.out: deque[tuple[float, bytes]] = deque()
        self.into: deque[tuple[float, bytes]] = deque()
        self._clear()
        self.plug_in()

    # --- the port -------------------------------------------------------------------------

    def plug_in(self) -> None:
        """Appear on a new pseudo-terminal, under a name that stays."""
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        attributes = termios.tcgetattr(self.slave)
        attributes[2] |= termios.HUPCL  # as a serial port has it
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.drops = True
        os.set_blocking(self.master, False)
        self.port = os.ttyname(self.slave)
        if self.folder:
            link = self.folder / "port"
            link.unlink(missing_ok=True)
            link.symlink_to(self.port)
            self.port = str(link)
        os.close(self.slave)
        self.opened, self.dead = False, False

    def unplug(self) -> None:
        """Vanish from the port; the machine goes on with what it has."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1
        self.out.clear()
        self.into.clear()

    # --- time -----------------------------------------------------------------------------

    def run(self, until: Callable[[], bool]) -> None:
        """Work until something has come to pass."""
        while not until():
            self.step()

    def settle(self) -> None:
        """Work until all that was received is done."""
        while self.blocks or self.waiting or self.rx:
            if self.hold or self.critical:
                break
            self.step()

    def step(self) -> None:
        """Read, work, write, and sleep if there was nothing to do."""
        now = time.monotonic()
        if now < self.stalled_until:
            time.sleep(0.005)
            return
        worked = self._receive()
        while self.into and self.into[0][0] <= now:
            self._take(self.into.popleft()[1])
            worked = True
        if self.starting_until and now > self.starting_until:
            self._greet()
        self._move()
        self._parse()
        self._transmit()
        if not worked and not (self.blocks and self.speed > 1000):
            self._sleep()

    def _sleep(self) -> None:
        if self.master >= 0 and self.opened:
            select.select([self.master], [], [], 0.001)
        else:
            time.sleep(0.002)

    def _receive(self) -> bool:
        if self.master < 0:
            return False
        try:
            data = os.read(self.master, 4096)
        except BlockingIOError:
            self._open()
            return False
        except OSError:  # nobody has the other end open
            if self.opened:
                self.opened = False
                self.drops = bool(termios.tcgetattr(self.master)[2] & termios.HUPCL)
            return False
        self._open()
        if self.latency:
            self.into.append((time.monotonic() + self.latency, data))
        else:
            self._take(data)
        return True

    def _open(self) -> None:
        """Notice that the port has been opened."""
        if not self.opened:
            self.opened = True
            self.dead = False
            if self.resets_on_open and self.drops:
                self.events.append("reset by opening")
                self._boot(hard=True)

    def _take(self, data: bytes) -> None:
        for byte in data:
            self.received += 1
            for fault in [f for f in self.faults if f.byte <= self.received]:
                self.faults.remove(fault)
                self._fail(fault)
            if self.dead or self.master < 0:
                return
            if not self.starting_until:
                self._realtime(byte)

    def _write(self, text: str) -> None:
        self.out.append((time.monotonic() + self.latency, f"{text}\r\n".encode("latin-1")))

    def _transmit(self) -> None:
        now = time.monotonic()
        while self.out and self.out[0][0] <= now:
            data = self.out.popleft()[1]
            if self.swallow and data == b"ok\r\n":
                self.swallow = False
                continue
            if self.master >= 0 and not self.dead:
                with contextlib.suppress(OSError):
                    os.write(self.master, data)

    # --- what goes wrong --------------------------------------------------------------------

    def _fail(self, fault: Fault) -> None:
        self.events.append(fault.kind)
        rng = fault.rng
        if fault.kind == "line drops":
            self.unplug()
        elif fault.kind == "line dead":
            self.dead = True
        elif fault.kind == "error":
            self.next_error = rng.choice((1, 2, 20, 33))
        elif fault.kind == "alarm":
            self._alarm(rng.choice((1, 2)))
        elif fault.kind == "limit switch":
            self._alarm(1)
            self.deaf_until = time.monotonic() + DEAF / (1 if self.speed <= 1 else 5)
        elif fault.kind == "reset":
            self._boot(hard=True)
        elif fault.kind == "power lost":  # the port stays: the board lives on the computer's
            self._boot(hard=True)
            self.dead = True
        elif fault.kind == "garbage":
            noise = bytes(rng.randrange(256) for _ in range(rng.randint(1, 12)))
            self.out.append((0.0, noise + rng.choice((b"", b"\r\n"))))
        elif fault.kind == "garbage to it":
            for _ in range(rng.randint(1, 4)):
                self._realtime(rng.choice(b"\xff@^_|}{`&q#"))
        elif fault.kind == "answer lost":
            self.swallow = True
        elif fault.kind == "delay":
            self.stalled_until = time.monotonic() + rng.uniform(0.04, 0.8)
        else:
            fault.strike(fault.kind)

    # --- bytes ----------------------------------------------------------------------------

    def _realtime(self, byte: int) -> None:
        char = chr(byte)
        if char == "?":
            if not self.critical and not self.homing_until:
                self._report()
        elif byte == 0x18:
            if time.monotonic() > self.deaf_until:
                self._soft_reset()
        elif self.critical:
            return
        elif char == "!":
            if not self.alarmed and not self.check and not self.hold:
                self.hold = True
                self.braking = BRAKING / self.speed if self.blocks else 0.0
        elif char == "~":
            if self.hold:
                self.hold = False
                self.clock = time.monotonic()
        elif byte == 0x85:
            if any(block.jog for block in self.blocks):
                self.blocks.clear()
        elif byte > 0x7F:
            self.overrides.append(byte)
        elif len(self.rx) >= RX_SIZE:
            self.overflowed += 1
        else:
            self.rx.append(char)
            self.most_unread = max(self.most_unread, len(self.rx))
            self._parse()

    def _report(self) -> None:
        x, y, z = self.machine
        if self.firmware == "grbl 0.9":
            self._write(f"<{self.state},MPos:{x:.3f},{y:.3f},{z:.3f},WPos:0.000,0.000,0.000>")
            return
        text = f"<{self.state}|MPos:{x:.3f},{y:.3f},{z:.3f}|FS:0,{self.spindle:.0f}"
        if self.report_offset:
            a, b, c = self.offset
            text += f"|WCO:{a:.3f},{b:.3f},{c:.3f}"
        self.report_offset = not self.report_offset
        self._write(text + ">")

    @property
    def state(self) -> str:
        """The state as GRBL calls it."""
        if self.alarmed:
            return "Alarm"
        if self.check:
            return "Check"
        if self.hold:
            return "Hold:1" if self.braking > 0 else "Hold:0"
        if self.blocks:
            return "Jog" if self.blocks[0].jog else "Run"
        return "Idle"

    # --- resets and alarms ----------------------------------------------------------------

    def _choose(self, system: str) -> None:
        """Make a system of coordinates the active one."""
        if system != self.system:
            self.offsets[self.system] = self.offset
            self.system, self.offset = system, self.offsets.get(system, (0.0, 0.0, 0.0))
            self.report_offset = True

    def _clear(self) -> None:
        self._choose("G54")
        self.rx: deque[str] = deque()
        self.text = ""
        self.blocks: deque[Block] = deque()
        self.waiting: Callable[[], bool] | None = None
        self.dwell_until = 0.0
        self.planned = self.machine
        self.hold = self.check = False
        self.braking = 0.0
        self.feed = 0.0
        self.motion = "0"
        self.relative = False
        self.spindle = 0.0
        self.spinning = False
        self.report_offset = True
        self.next_error: int | None = None
        self.clock = time.monotonic()
        self.overlong = False
        self.stroke_open = False

    def _boot(self, *, hard: bool) -> None:
        if hard:
            self.machine = (0.0, 0.0, 0.0)
            self.alarmed = bool(self.settings[22])
            self.out.clear()
            self.starting_until = time.monotonic() + self.start_time
        self._clear()
        if self.s_down is not None:
            self._pen()
        self.critical = False
        if not hard:
            self._greet()

    def _greet(self) -> None:
        self.starting_until = 0.0
        self._write(f"\r\n{BANNERS[self.firmware]}")
        if self.firmware == "fluidnc":
            self._write("[MSG:INFO: Connecting to STA SSID:studio]")
        if self.alarmed:
            self._write("[MSG:'$H'|'$X' to unlock]")
        elif self.startup:
            self._choose(self.startup)
            self._write(f">{self.startup}:ok")

    def _soft_reset(self) -> None:
        if self.blocks and (not self.hold or self.braking > 0) and not self.check:
            self.alarmed = True
            self._write("ALARM:3")
        if self.homing_until:
            self.homing_until = 0.0
            self.alarmed = True
            self._write("ALARM:6")
        self._boot(hard=False)

    def _alarm(self, number: int) -> None:
        self._clear()
        self.alarmed = True
        self.critical = number in (1, 2)
        self._write(f"ALARM:{number}")
        if self.critical:
            self._write("[MSG:Reset to continue]")

    homing_until = 0.0
    starting_until = 0.0

    # --- motion ---------------------------------------------------------------------------

    @property
    def down(self) -> bool:
        """Whether the pen touches the paper."""
        if self.z_down is not None:
            return self.physical[2] <= self.z_down + 1e-6
        if self.s_down is not None:
            return not self.spinning or self.spindle >= self.s_down
        return self.spinning and self.spindle > 0

    def _move(self) -> None:
        now = time.monotonic()
        left = (now - self.clock) * self.speed
        self.clock = now
        if self.hold:
            if self.braking <= 0:
                return
            left = min(left, self.braking * self.speed)
            self.braking -= left / self.speed
            if self.braking < 1e-9:
                self.braking = 0.0
        while self.blocks and left > 0:
            block = self.blocks[0]
            way = [b - a for a, b in zip(self.machine, block.target, strict=True)]
            length = math.sqrt(sum(w * w for w in way))
            needed = length / block.speed
            share = 1.0 if needed <= left else left / needed
            self._go([share * w for w in way])
            left -= needed
            if share == 1.0:
                self.machine = block.target
                self.blocks.popleft()
        if not self.blocks and self.hold:
            self.braking = 0.0

    def _go(self, way: list[float]) -> None:
        x, y, z = self.physical
        if self.down and (way[0] or way[1]):
            self._touch()
            self.ink[-1].append((x + way[0], y + way[1]))
        self.physical = (x + way[0], y + way[1], z + way[2])
        self.machine = tuple(a + b for a, b in zip(self.machine, way, strict=True))
        if way[2]:
            self._pen()

    def _touch(self) -> None:
        """Begin a stroke on the paper where the pen is, unless one has begun."""
        if not self.stroke_open:
            self.ink.append([self.physical[:2]])
            self.stroke_open = True

    def _pen(self) -> None:
        """Lower or raise the pen."""
        if self.down:
            self._touch()
        else:
            self.stroke_open = False

    def move_by_hand(self, x: float, y: float) -> None:
        """Push the pen to a place on the paper while the machine knows nothing of it.

        One on a Z axis touches the paper there.
        """
        self.physical = (x, y, 0.0)

    # --- lines ----------------------------------------------------------------------------

    def _parse(self) -> None:
        while True:
            if self.homing_until:
                if time.monotonic() < self.homing_until:
                    return
                self._homed()
            if self.waiting is not None:
                if self.hold or not self.waiting():
                    return
                self.waiting = None
                self._write("ok")
            if not self.rx or self.critical or (self.hold and not self.check):
                return
            char = self.rx.popleft()
            if char in "\r\n":
                line, self.text = self.text, ""
                if self.babble:
                    self._write(self.babble)
                self._line(line)
            elif char != " ":
                self.text += char
                self.overlong |= len(self.text) >= LINE_SIZE

    def _line(self, line: str) -> None:
        if self.overlong:
            self.overlong = False
            self._write("error:11")
            return
        self.log.append(line)
        if self.next_error is not None and line and not line.startswith("$"):
            number, self.next_error = self.next_error, None
            self._write(f"error:{number}")
            return
        try:
            answer = self._system(line) if line.startswith("$") else self._gcode(line)
        except Refusal as refusal:
            answer = f"error:{refusal}"
        if answer:
            self._write(answer)

    def _system(self, line: str) -> str | None:
        if line == "$$":
            for number, value in self.settings.items():
                self._write(
                    f"${number}={value:g}" if value % 1 == 0 else f"${number}={value:.3f}"
                )
            if self.firmware == "grblhal":
                for text in TEXT_SETTINGS:
                    self._write(text)
        elif line == "$I":
            self._write("[VER:1.1h.20190825:]")
            self._write(self.build)
        elif line == "$G":
            self._write(f"[GC:G{self.motion} G54 G17 G21 G90 G94 M5 M9 T0 F{self.feed:g} S0]")
        elif line == "$X":
            if self.alarmed:
                self.alarmed = False
                self._write("[MSG:Caution: Unlocked]")
        elif line == "$C":
            if self.check:
                self._write("[MSG:Disabled]")
                self._write("ok")
                self._boot(hard=False)
                return None
            if self.state != "Idle":
                raise Refusal(8)
            self.check = True
            self._write("[MSG:Enabled]")
        elif line == "$H":
            if not self.settings[22]:
                raise Refusal(5)
            self.homing_until = time.monotonic() + 10 / self.speed
            return None
        elif self.firmware in HOMES and (match := re.fullmatch(HOMES[self.firmware][0], line)):
            self._write(HOMES[self.firmware][1] % (match[1], self.low_corner))
        elif line.startswith("$J="):
            if self.alarmed:
                raise Refusal(9)
            return self._jog(line[3:])
        elif re.fullmatch(r"\$\d+=[\d.]+", line):
            if self.state not in ("Idle", "Alarm"):
                raise Refusal(8)
            number, value = line[1:].split("=")
            self.settings[int(number)] = float(value)
        else:
            raise Refusal(3)
        return "ok"

    def _homed(self) -> None:
        """Be at home, where the machine knows the place of, less the pull-off."""
        self.homing_until = 0.0
        back = -self.settings[27]
        backs = tuple(-back if self.low(axis) else back for axis in range(3))
        ends = tuple(self.low_corner if self.low(axis) else 0.0 for axis in range(3))
        self.physical = tuple(a + b for a, b in zip(self.home, backs, strict=True))
        self.machine = tuple(a + b for a, b in zip(ends, backs, strict=True))
        self.planned = self.machine
        self.alarmed = False
        self._write("ok")

    #: Where the paper's origin sees the machine's home: the top right corner, as GRBL has it.
    home = (290.0, 190.0, 10.0)
    #: What FluidNC and Grbl_Esp32 call the place of a low end.
    low_corner = 0.0

    def low(self, axis: int) -> bool:
        """Whether an axis homes to its low end and counts from there, as ESP32s can."""
        return self.firmware in HOMES and bool(int(self.settings[23]) >> axis & 1)

    def reach(self, axis: int) -> tuple[float, float]:
        """Where an axis ends, in the machine's own coordinates."""
        travel = self.settings[130 + axis]
        if self.low(axis):
            return self.low_corner, self.low_corner + travel
        return -travel, 0.0

    def _words(self, line: str) -> dict[str, str]:
        if not line:
            return {}
        if not line[0].isalpha():
            raise Refusal(1)
        words = WORD.findall(line.upper())
        if "".join(a + b for a, b in words) != line.upper():
            raise Refusal(2 if line[0].isalpha() and WORD.match(line.upper()) is None else 1)
        found: dict[str, str] = {}
        for letter, number in words:
            value = number.lstrip("0") or "0"
            name = letter + value if letter in "GM" else letter
            if letter == "G" and value not in KNOWN_G:
                raise Refusal(20)
            if letter == "M" and value not in KNOWN_M:
                raise Refusal(20)
            if letter not in "GMXYZFSPLT":
                raise Refusal(20)
            if name in found:
                raise Refusal(25)
            found[name] = number
        if len(found.keys() & {"G0", "G1"}) > 1:
            raise Refusal(21)
        return found

    def _target(self, words: dict[str, str], *, relative: bool) -> Point:
        target = []
        for axis, now, offset in zip("XYZ", self.planned, self.offset, strict=True):
            value = float(words[axis]) if axis in words else None
            if value is None:
                target.append(now)
            else:
                target.append(now + value if relative else value + offset)
        return tuple(target)

    def _gcode(self, line: str) -> str | None:
        if self.alarmed:
            raise Refusal(9)
        words = self._words(line)
        feed = float(words.get("F", self.feed))
        motion = "1" if "G1" in words else "0" if "G0" in words else self.motion
        axes = words.keys() & set("XYZ")
        if motion == "1" and axes and not feed and "G10" not in words:
            raise Refusal(22)
        if "G4" in words and "P" not in words:
            raise Refusal(28)
        self.feed, self.motion = feed, motion
        if "G90" in words or "G91" in words:
            self.relative = "G91" in words
        for system in words.keys() & {"G54", "G55"}:
            self._choose(system)
        if "G4" in words and self.firmware in HOMES and not float(words["P"]):
            return "ok"  # which does not tell that motion is over
        if "G4" in words:
            return self._synchronise(lambda: self._dwell(float(words["P"])))
        if words.keys() & {"M3", "M4", "M5", "M2", "M30", "M0"}:
            return self._synchronise(lambda: self._m(words))
        if "G10" in words:
            return self._synchronise(lambda: self._set_offset(words))
        if axes:
            return self._plan(self._target(words, relative=self.relative), motion, feed)
        return "ok"

    def _synchronise(self, action: Callable[[], bool]) -> str | None:
        """Wait for the planner to be empty, then act until the action says it is done."""
        if self.check:
            return "ok"
        self.waiting = lambda: not self.blocks and action()
        return None

    def _dwell(self, seconds: float) -> bool:
        if not self.dwell_until:
            self.dwell_until = time.monotonic() + seconds / self.speed
        if time.monotonic() < self.dwell_until:
            return False
        self.dwell_until = 0.0
        return True

    def _m(self, words: dict[str, str]) -> bool:
        if "M0" in words:
            self.hold = True
        elif words.keys() & {"M3", "M4"}:
            self.spinning = True
            self.spindle = float(words.get("S", self.spindle))
        else:
            self.spinning = False
            self.spindle = 0.0 if "M5" not in words else self.spindle
            if "M5" not in words:
                self._write("[MSG:Pgm End]")
        self._pen()
        return True

    def _set_offset(self, words: dict[str, str]) -> bool:
        active = self.system
        self._choose({"0": active, "1": "G54", "2": "G55"}[words["P"]])
        self.offset = tuple(
            here - float(words[axis]) if axis in words else now
            for axis, here, now in zip("XYZ", self.machine, self.offset, strict=True)
        )
        self._choose(active)
        self.report_offset = True
        return True

    def _leaves(self, target: Point) -> bool:
        if not self.settings[22]:
            return False
        ends = [self.reach(axis) for axis in range(3)]
        return any(
            not low - 1e-9 <= place <= high + 1e-9
            for place, (low, high) in zip(target, ends, strict=True)
        )

    def _plan(self, target: Point, motion: str, feed: float) -> str | None:
        if self.settings[20] and self._leaves(target):
            self._alarm(2)
            return None
        if self.check:
            self.planned = target
            return "ok"
        rapid = min(self.settings[110], self.settings[111])
        speed = (rapid if motion == "0" else min(feed, rapid)) / 60

        def room() -> bool:
            if len(self.blocks) >= PLANNER:
                return False
            if not self.blocks:
                self.clock = time.monotonic()
            if math.isinf(self.speed):
                self.machine = target
            elif target != self.planned:
                self.blocks.append(Block(target, speed))
            self.planned = target
            return True

        if room():
            return "ok"
        self.waiting = room
        return None

    def _jog(self, line: str) -> str:
        words = self._words(line)
        target = self._target(words, relative="G91" in words)
        if self._leaves(target):
            raise Refusal(15)
        if not self.blocks:
            self.clock = time.monotonic()
        self.blocks.append(Block(target, float(words["F"]) / 60, jog=True))
        self.planned = target
        return "ok"


class Refusal(Exception):
    """An error:N."""


@contextlib.contextmanager
def running(machine: FakeGrbl) -> Iterator[FakeGrbl]:
    """Let a machine run beside the test."""
    over = threading.Event()
    thread = threading.Thread(target=machine.run, args=(over.is_set,), daemon=True)
    thread.start()
    try:
        yield machine
    finally:
        over.set()
        thread.join()
        machine.unplug()


if __name__ == "__main__":
    speed, latency = map(float, sys.argv[1:] or (1, 0))
    fake = FakeGrbl(speed=speed, latency=latency)
    print(fake.port, flush=True)
    fake.run(lambda: False)
