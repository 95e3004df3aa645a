"""Keys pressed while a machine works, and Ctrl-C, which asks for an end, not forces it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

try:
    import select
    import termios
    import tty
except ImportError:  # Windows: Ctrl-C alone
    TERMINAL = False
else:
    TERMINAL = True

#: What asks a program to end.
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def forget_typed() -> None:
    """Drop what has been typed and that nobody has read."""
    if TERMINAL and sys.stdin.isatty():
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


class Keys:
    """Takes over the terminal and the signals for as long as it is entered.

    What was typed before is dropped, and so is what is left in the end: an Enter typed ahead
    must not answer a question that nobody has read yet.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._handlers: dict[int, Any] = {}
        self._saved: list[Any] | None = None
        self._typed = ""

    def __enter__(self) -> Keys:
        for name in SIGNALS:
            if hasattr(signal, name):
                number = getattr(signal, name)
                with contextlib.suppress(ValueError):  # only the main thread gets signals
                    self._handlers[number] = signal.signal(number, self._interrupt)
        if TERMINAL and sys.stdin.isatty():
            self._saved = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSAFLUSH)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._saved is not None:
            with contextlib.suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._saved)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True

    def pressed(self) -> str:
        """Return the next key that has been pressed, an arrow as its escape sequence.

        Ctrl-C and other requests to end come as ``q``, as does a terminal that is gone.
        """
        if self._interrupted:
            self._interrupted = False
            return "q"
        if self._saved is not None and select.select([sys.stdin], [], [], 0)[0]:
            try:
                typed = os.read(sys.stdin.fileno(), 64)
            except OSError:
                typed = b""
            self._typed += typed.decode("ascii", "ignore") if typed else "q"
        length = 3 if self._typed.startswith("\x1b[") else 1
        key, self._typed = self._typed[:length], self._typed[length:]
        return key
