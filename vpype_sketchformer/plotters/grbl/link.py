"""The line to a GRBL 1.1 controller: its bytes, its replies, its states; no drawing in here.

A controller answers every line with ``ok`` or ``error:N``, in order. Beside that run the
realtime bytes, which take no room in its buffer and get no ``ok``: ``?`` asks for a status
report, ``!`` holds, ``~`` goes on, 0x18 resets.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from vpype_sketchformer.plotters.grbl.codes import words

BAUD = 115_200

STATUS, HOLD, GO_ON, RESET, STOP_JOG = b"?", b"!", b"~", b"\x18", b"\x85"

#: A machine that idles for so long, in s, and longer than its dwells, has lost a line.
STALL = 5.0
#: How often a status report is asked for, in s.
INTERVAL = 0.2
#: A controller that says nothing for so long, in s, is gone: it always answers ``?``.
SILENCE = 5.0
#: How long homing may take, in s.
HOMING = 300.0
#: How long a controller may take from the opening of its port to its banner, in s.
BOOT = 6.0
#: How long to wait in one go for something to read, in s.
PATIENCE = 0.05
#: Room in the receive buffer of a stock GRBL, in bytes; one of 128 is never used.
ROOM = 127

_NUMBER = r"-?\d+(?:\.\d+)?"
_PLACE = re.compile(rf"(MPos|WPos|WCO):({_NUMBER}),({_NUMBER}),({_NUMBER})(?:,{_NUMBER})*")
_STATE = re.compile(r"(Idle|Run|Hold|Jog|Alarm|Door|Check|Home|Sleep|Tool)(?::\d+)?")
_SETTING = re.compile(rf"\$(\d+)=({_NUMBER})(?: \(.*\))?")
_ANSWER = re.compile(r"ok|error:\d+")
_DWELL = re.compile(r"G4P([\d.]+)")

Place = tuple[float, float, float]


class MachineError(Exception):
    """The machine cannot be worked with, or not any longer; says why."""


class LineLostError(MachineError):
    """Nobody answers at the other end."""


class RefusedError(MachineError):
    """The machine answered a line with an error; it still listens."""


class PlaceLostError(MachineError):
    """The machine was reset or has raised an alarm, and may not know where it is."""


class Port(Protocol):
    """What is used of `serial.Serial`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read at once."""

    def read(self, size: int = 1, /) -> bytes:
        """Read so many bytes, or fewer at the time-out."""

    def write(self, data: bytes, /) -> int | None:
        """Write bytes."""


@dataclass(frozen=True)
class Status:
    """A status report.

    Attributes:
        state: Such as ``Idle``, ``Run`` or ``Hold:0``.
        position: X, Y, Z in the coordinates of the work, in mm.
        offset: What is to be added for the coordinates of the machine.
    """

    state: str
    position: Place
    offset: Place

    @property
    def moving(self) -> bool:
        """Whether the machine is in motion, if only to come to a halt."""
        return self.state in ("Run", "Jog", "Home", "Hold:1", "Door:2", "Door:3")


@dataclass
class Machine:
    """A controller behind a port.

    Attributes:
        port: The open port.
        settings: The values of ``$$`` by number.
        options: The letters of the build, from ``$I``.
        room: How many bytes may be sent without an answer.
        status: The latest report; None after a reset, until the next one.
        was_reset: Whether the controller seems to have been reset by the opening of its port.
        sent: The lines without an answer, the oldest first.
    """

    port: Port
    settings: dict[int, float] = field(default_factory=dict)
    options: str = ""
    room: int = ROOM
    status: Status | None = None
    was_reset: bool = False
    sent: deque[str] = field(default_factory=deque)
    _inbox: deque[str] = field(default_factory=deque)
    _offset: Place = (0.0, 0.0, 0.0)
    _partial: bytes = b""
    _heard: float = 0.0
    _busy: float = 0.0
    _asked: float = 0.0

    def __post_init__(self) -> None:
        self.port.timeout = PATIENCE
        self._heard = self._busy = time.monotonic()

    # --- bytes ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write bytes: realtime ones, or lines by way of `send`.

        Raises:
            LineLostError: The line is gone.
        """
        try:
            self.port.write(data)
        except OSError as error:
            raise LineLostError("the line to the machine is gone.") from error

    def read(self) -> None:
        """Take in what has come, after waiting a moment for it.

        Raises:
            LineLostError: The line is gone.
        """
        try:
            data = self.port.read(max(1, self.port.in_waiting))
            data += self.port.read(self.port.in_waiting) if data else b""
        except (OSError, TypeError) as error:  # pyserial reads None where a line is cut
            raise LineLostError("the line to the machine is gone.") from error
        if data:
            self._heard = time.monotonic()
        *lines, self._partial = (self._partial + data).split(b"\n")
        texts = [line.strip(b"\r").decode("ascii", "replace") for line in lines]
        self._inbox.extend(text for text in texts if text)

    def _received(self) -> Iterator[str]:
        """Take out, one by one, the replies that have come; what an error leaves stays."""
        self.read()
        while self._inbox:
            yield self._inbox.popleft()

    # --- replies --------------------------------------------------------------------------

    def attend(self, silence: float | None = None) -> list[str]:
        """Ask for a report where one is due, read, and keep account of what comes.

        Args:
            silence: How long the machine may say nothing, in s; `SILENCE` if not given.

        Returns:
            The feedback in brackets and the settings, which may matter to whoever asked.

        Raises:
            LineLostError: Nobody has answered for so long, or the line is gone.
            MachineError: An error, an alarm, a reset, or what no controller says.
        """
        now = time.monotonic()
        if now - self._asked > INTERVAL:
            self.write(STATUS)
            self._asked = now
        feedback = []
        for text in self._received():
            if text.startswith("<"):
                self.status = self._parse_status(text)
                self._notice_stall(self.status)
            elif _ANSWER.fullmatch(text) and self.sent:
                line = self.sent.popleft()
                self._busy = time.monotonic()
                if text != "ok":
                    raise RefusedError(f"{words(text)} in answer to the line {line!r}.")
            elif text.startswith("ALARM:"):
                line = f" at the line {self.sent[0]!r}" if self.sent else ""
                raise PlaceLostError(f"{words(text)}{line}.")
            elif text.startswith("Grbl"):
                raise PlaceLostError("the controller was reset.")
            elif (text[0], text[-1]) == ("[", "]") or _SETTING.fullmatch(text):
                feedback.append(text)
            else:
                raise MachineError(f"the machine said what no GRBL says: {text[:60]!r}.")
        silence = SILENCE if silence is None else silence
        if time.monotonic() - self._heard > silence:
            raise LineLostError(f"the machine has been silent for {silence:.0f} s.")
        return feedback

    def _notice_stall(self, status: Status) -> None:
        """Refuse to wait for the answer of a machine that has nothing to do.

        Raises:
            MachineError: It should have answered by now.
        """
        if not self.sent or status.state not in ("Idle", "Check", "Alarm"):
            self._busy = time.monotonic()
        dwells = sum(float(match[1]) for match in map(_DWELL.match, self.sent) if match)
        if time.monotonic() - self._busy > STALL + dwells:
            raise MachineError(
                f"the machine idles but has not answered the line {self.sent[0]!r}: something "
                "was lost on the way."
            )

    def _parse_status(self, text: str) -> Status:
        state, *fields = text[1:-1].split("|")
        places = {match[1]: match for match in map(_PLACE.fullmatch, fields) if match}
        reported = places.get("MPos") or places.get("WPos")
        if not text.endswith(">") or not _STATE.fullmatch(state) or reported is None:
            raise MachineError(
                f"the machine sent a report that cannot be read: {text[:60]!r}."
            )
        scale = 25.4 if self.settings.get(13) else 1.0
        x, y, z = (scale * float(value) for value in reported.groups()[1:])
        if "WCO" in places:
            a, b, c = (scale * float(value) for value in places["WCO"].groups()[1:])
            self._offset = (a, b, c)
        if reported[1] == "MPos":
            a, b, c = self._offset
            x, y, z = x - a, y - b, z - c
        return Status(state, (x, y, z), self._offset)

    # --- lines ----------------------------------------------------------------------------

    def fits(self, line: str) -> bool:
        """Tell whether there is room for a line in the machine's buffer."""
        return sum(map(len, self.sent)) + len(self.sent) + len(line) + 1 <= self.room

    def send(self, *lines: str) -> None:
        """Send lines, for which there has to be room."""
        if not self.sent:
            self._busy = time.monotonic()
        self.sent.extend(lines)
        self.write("".join(f"{line}\n" for line in lines).encode("ascii"))

    def ask(self, line: str, silence: float | None = None) -> list[str]:
        """Send one line and wait for its answer, however long it takes.

        Args:
            line: The line.
            silence: How long the machine may say nothing, in s; `SILENCE` if not given.

        Returns:
            The feedback that came with the answer.

        Raises:
            MachineError: The machine answers with an error, or not at all.
        """
        self.send(line)
        feedback = []
        while self.sent:
            feedback += self.attend(silence)
        return feedback

    def report(self) -> Status:
        """Return a status report that was asked for now.

        Raises:
            MachineError: There is none.
        """
        self.status, self._asked = None, 0.0
        while self.status is None:
            self.attend()
        return self.status

    def wait(self) -> Status:
        """Wait until the machine stands still, and return its report."""
        while (status := self.report()).moving:
            pass
        return status

    def home(self) -> None:
        """Send the machine home, during which it says nothing at all."""
        try:
            self.ask("$H", silence=HOMING)
        except BaseException:  # Ctrl-C too: it must not run on
            self.write(RESET)
            raise

    # --- beginning ------------------------------------------------------------------------

    def connect(self, say: Callable[[str], None]) -> None:
        """Find the controller, empty its buffer, and read its build, settings and state.

        Opening the port resets many controllers, which then send a banner. One that was not
        may still be moving, and may hold half a line: once it stands it is reset.

        Raises:
            MachineError: There is no GRBL at this port.
        """
        answer = self._wake(say)
        self.was_reset = not answer.startswith("<")
        if not answer.startswith("Grbl"):
            self.reset()
        for text in self.ask("$I"):
            if match := re.fullmatch(r"\[OPT:(\w*),(\d+),(\d+).*\]", text):
                self.options = match[1]
                self.room = min(ROOM, int(match[3]) - 1)
        for text in self.ask("$$"):
            if match := _SETTING.fullmatch(text):
                self.settings[int(match[1])] = float(match[2])
        self.report()

    def _wake(self, say: Callable[[str], None]) -> str:
        """Wait for a banner, or a report of standing still, and return it.

        Returns:
            Nothing if there is neither: after ALARM:1 and 2 GRBL listens to a reset only.
        """
        deadline, waiting, asked = time.monotonic() + BOOT / 2, False, 0.0
        while time.monotonic() < deadline:
            if time.monotonic() - asked > INTERVAL:
                self.write(STATUS)
                asked = time.monotonic()
            for text in self._received():
                if text.startswith("Grbl"):
                    return text
                if match := re.match(rf"<({_STATE.pattern})\|", text):
                    if not replace(_NOWHERE, state=match[1]).moving:
                        return text
                    deadline = time.monotonic() + BOOT
                    if not waiting:
                        waiting = True
                        say("the machine is still moving; waiting for it to stop")
        return ""

    def reset(self) -> None:
        """Reset the controller, which forgets what is in its buffers, and await its banner.

        Raises:
            LineLostError: There is no banner.
        """
        self.write(RESET)
        self.sent.clear()
        self._inbox.clear()
        self.status, self._partial = None, b""
        deadline = time.monotonic() + BOOT
        while not any(text.startswith("Grbl") for text in self._received()):
            if time.monotonic() > deadline:
                raise LineLostError("no GRBL answers; is it the right port, and switched on?")
        self._heard = time.monotonic()


_NOWHERE = Status("", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
