"""The line to a GRBL 1.1 controller: its bytes, its replies, its states; no drawing in here.

A controller answers every line with ``ok`` or ``error:N``, in order. Beside that run the
realtime bytes, which take no room in its buffer and get no ``ok``: ``?`` asks for a status
report, ``!`` holds, ``~`` goes on, 0x18 resets.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from vpype_sketchformer.plotters.grbl.codes import words
from vpype_sketchformer.wording import OneLineError

BAUD = 115_200

STATUS, HOLD, GO_ON, RESET, STOP_JOG = b"?", b"!", b"~", b"\x18", b"\x85"
FASTER, SLOWER = b"\x91", b"\x92"

#: A machine that idles for so long, in s, and longer than its dwells, has lost a line.
STALL = 5.0
#: How often a status report is asked for, in s.
INTERVAL = 0.2
#: A controller that says nothing of use for so long, in s, is gone: it always answers ``?``.
SILENCE = 5.0
#: How long homing may take, in s.
HOMING = 300.0
#: How long to wait for a word of a controller before it is reset, in s.
WAKE = 3.0
#: How long a controller may take to start, in s: one that looks for a Wi-Fi takes 12.
BOOT = 20.0
#: How often a reset is sent until the banner comes, in s: for half a second after a limit
#: switch GRBL throws it away.
AGAIN = 1.0
#: How long to wait in one go for something to read, in s.
PATIENCE = 0.05
#: Room in the receive buffer of a stock GRBL, in bytes; one of 128 is never used.
ROOM = 127
#: The longest line that a controller may send, in bytes, and the most bytes read in one go.
LONGEST = 1024
CHUNK = 4096
#: The most lines that a controller may say to one question.
MOST = 2000

_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?"
_PLACE = re.compile(rf"(MPos|WPos|WCO):({_NUMBER}),({_NUMBER}),({_NUMBER})(?:,{_NUMBER})*")
_STATE = re.compile(r"(Idle|Run|Hold|Jog|Alarm|Door|Check|Home|Sleep|Tool)(?::\d+)?")
_SETTING = re.compile(rf"\$(\d{{1,4}})=({_NUMBER})(?: \(.*\))?")
_BUILD = re.compile(r"\[OPT:([^,\]]*),\d{1,6},(\d{1,6})[,\]].*")
_BANNER = re.compile(r"Grbl(?:HAL)? (\d{1,3})\.(\d{1,3})")
_ANSWER = re.compile(r"ok|error:\d{1,4}")
_ALARM = re.compile(r"ALARM:\d{1,4}")
_DWELL = re.compile(r"G4P([\d.]+)")

Place = tuple[float, float, float]


class MachineError(OneLineError):
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
    def machine(self) -> Place:
        """X, Y, Z in the coordinates of the machine, in mm."""
        x, y, z = (round(a + b, 4) for a, b in zip(self.position, self.offset, strict=True))
        return x, y, z

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
        banner: How it introduces itself.
        home_place: Where it came to stand when it was sent home, in the coordinates of the
            machine; None before.
        hold_up: The lines that keep a servo pen up, sent after each reset: that cuts the
            signal of the servo, and the pen drops.
        sent: The lines without an answer, the oldest first.
    """

    port: Port
    settings: dict[int, float] = field(default_factory=dict)
    options: str = ""
    room: int = ROOM
    status: Status | None = None
    was_reset: bool = False
    banner: str = ""
    home_place: Place | None = None
    hold_up: tuple[str, ...] = ()
    sent: deque[str] = field(default_factory=deque)
    _inbox: deque[str] = field(default_factory=deque)
    _offset: Place = (0.0, 0.0, 0.0)
    _partial: bytes = b""
    _silent: float = 0.0  # how long it has said nothing while it was listened to, in s
    _busy: float = 0.0
    _asked: float = 0.0

    def __post_init__(self) -> None:
        self.port.timeout = PATIENCE
        self._busy = time.monotonic()

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
            data = self.port.read(1)
            while len(data) < CHUNK and (waiting := self.port.in_waiting):
                data += self.port.read(min(waiting, CHUNK - len(data)))
        except (OSError, TypeError) as error:  # pyserial reads None where a line is cut
            raise LineLostError("the line to the machine is gone.") from error
        *lines, self._partial = (self._partial + data).split(b"\n")
        if max(map(len, [*lines, self._partial])) > LONGEST:
            self._partial = b""
            raise MachineError("the machine sends a line without an end, as no GRBL does.")
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
        feedback: list[str] = []
        heard, latest = False, None
        for text in self._received():
            if status := self._parse_status(text):
                self.status, latest, heard = status, status, True
            elif _ANSWER.fullmatch(text) and self.sent:
                line = self.sent.popleft()
                heard, self._busy = True, time.monotonic()
                if text != "ok":
                    raise RefusedError(f"{words(text)} in answer to the line {line!r}.")
            elif _ALARM.fullmatch(text):
                line = f" at the line {self.sent[0]!r}" if self.sent else ""
                raise PlaceLostError(f"{words(text)}{line}.")
            elif _BANNER.match(text):
                raise PlaceLostError("the controller was reset.")
            elif text[0] in "[<$>/":  # what another firmware, or a start-up block, has to say
                logging.info("grbl: the machine says %a", text)
                feedback.append(text)
            else:
                raise MachineError(f"the machine said what no GRBL says: {text[:60]!a}.")
        # Not before all is read: the computer may have slept, and the machine not.
        if latest:
            self._notice_stall(latest)
        # While the user thinks, or the computer sleeps, nobody listens.
        listened = min(time.monotonic() - now, 2 * PATIENCE)
        self._silent = 0.0 if heard else self._silent + listened
        silence = SILENCE if silence is None else silence
        if self._silent > silence:
            raise LineLostError(f"the machine has not answered for {silence:.0f} s.")
        return feedback

    def _notice_stall(self, status: Status) -> None:
        """Refuse to wait for the answer of a machine that has nothing to do.

        Raises:
            MachineError: It should have answered by now.
        """
        now = time.monotonic()
        if not self.sent or status.state not in ("Idle", "Check", "Alarm"):
            self._busy = now
        dwells = sum(float(match[1]) for match in map(_DWELL.match, self.sent) if match)
        if now - self._busy > STALL + dwells:
            raise MachineError(
                f"the machine idles but has not answered the line {self.sent[0]!r}: something "
                "was lost on the way."
            )

    def _parse_status(self, text: str) -> Status | None:
        """Read a status report; None for what is not one, or was garbled on the way."""
        state, *fields = text[1:-1].split("|")
        places = {match[1]: match for match in map(_PLACE.fullmatch, fields) if match}
        reported = places.get("MPos") or places.get("WPos")
        framed = (text[0], text[-1]) == ("<", ">")
        if not framed or not _STATE.fullmatch(state) or reported is None:
            return None
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

    def fits(self, *lines: str) -> bool:
        """Tell whether there is room for lines in the machine's buffer.

        One line always has room in a machine that has answered all others, whatever it says
        of its buffer.
        """
        unanswered = [*self.sent, *lines]
        return len(unanswered) < 2 or sum(len(line) + 1 for line in unanswered) <= self.room

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
            if len(feedback) > MOST:
                raise MachineError(f"the machine answers {line!r} without an end.")
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
        self.home_place = self.report().machine

    # --- beginning ------------------------------------------------------------------------

    def connect(self, say: Callable[[str], None]) -> None:
        """Find the controller, empty its buffer, and read its build, settings and state.

        Opening the port resets many controllers, which then send a banner. One that was not
        may still be moving, and may hold half a line: once it stands it is reset.

        Raises:
            MachineError: There is no GRBL 1.1 at this port.
        """
        answer = self._wake(say)
        self.was_reset = not answer.startswith("<")
        if _BANNER.match(answer):
            self._greet(answer)
        else:
            self.reset(say)
        for text in self.ask("$I"):
            if match := _BUILD.fullmatch(text):
                self.options = match[1]
                self.room = min(ROOM, int(match[2]) - 1)
        for text in self.ask("$$"):
            if match := _SETTING.fullmatch(text):
                self.settings[int(match[1])] = float(match[2])
        self.report()

    @property
    def version(self) -> tuple[int, int]:
        """The version of GRBL that the machine says it has."""
        match = _BANNER.match(self.banner)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    def _wake(self, say: Callable[[str], None]) -> str:
        """Wait for a banner, or a report of standing still, and return it.

        Returns:
            Nothing if there is neither: after ALARM:1 and 2 GRBL listens to a reset only.
        """
        deadline, waiting, asked = time.monotonic() + WAKE, False, 0.0
        while time.monotonic() < deadline:
            if time.monotonic() - asked > INTERVAL:
                self.write(STATUS)
                asked = time.monotonic()
            for text in self._received():
                if _BANNER.match(text):
                    return text
                if status := self._parse_status(text):
                    if not status.moving:
                        return text
                    deadline = time.monotonic() + BOOT
                    if not waiting:
                        waiting = True
                        say("the machine is still moving; waiting for it to stop")
        return ""

    def reset(
        self, say: Callable[[str], None] | None = None, *, seconds: float | None = None
    ) -> None:
        """Reset the controller, which forgets what is in its buffers, and await its banner.

        Args:
            say: Told if that takes a while.
            seconds: How long it may take; `BOOT` if not given.

        Raises:
            LineLostError: There is no banner.
        """
        self.sent.clear()
        self._inbox.clear()
        self.status, self._partial = None, b""
        seconds = BOOT if seconds is None else seconds
        began, asked = time.monotonic(), 0.0
        while (now := time.monotonic()) - began < seconds:
            if now - asked > AGAIN:
                self.write(RESET)
                asked = now
            for text in self._received():
                if _BANNER.match(text):
                    self._greet(text)
                    return
            if say is not None and now - began > WAKE:
                say("waiting for the machine; some take a quarter of a minute to start")
                say = None
        raise LineLostError("no GRBL answers; is it the right port, and switched on?")

    def _greet(self, banner: str) -> None:
        """Await the first report after a banner, and hold the pen up.

        A reset that was sent twice is done twice, and brings another banner.

        Raises:
            MachineError: The firmware is too old, or says no more.
        """
        self.banner = banner
        if self.version < (1, 1):
            raise MachineError(
                f"the machine runs GRBL {self.version[0]}.{self.version[1]}, and 1.1 is "
                "needed: older ones report their state in another form."
            )
        self.status, began, asked = None, time.monotonic(), 0.0
        while self.status is None:
            if (now := time.monotonic()) - began > SILENCE:
                raise LineLostError("the machine has introduced itself and says no more.")
            if now - asked > INTERVAL:
                self.write(STATUS)
                asked = now
            for text in self._received():
                self.status = self._parse_status(text)
        self._silent, self._busy = 0.0, time.monotonic()
        if self.status.state == "Idle":
            with suppress(RefusedError):
                for line in self.hold_up:
                    self.ask(line)
