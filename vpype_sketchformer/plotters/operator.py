"""Who stands at the plotter: is told things, is asked, presses keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class DeclinedError(Exception):
    """The operator has said no, or left."""


class Bar(Protocol):
    """A progress bar, in s of the plot's time."""

    def show(self, passed: float, note: str) -> None:
        """Show how much has passed."""

    def say(self, text: str) -> None:
        """Tell something without spoiling the bar."""


class Operator(Protocol):
    """The one who runs the machine."""

    @property
    def present(self) -> bool:
        """Whether there is anybody to ask."""

    @property
    def curious(self) -> bool:
        """Whether details are wanted."""

    def say(self, text: str) -> None:
        """Tell something."""

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask something that is answered with yes or no, by Enter alone with the default.

        Raises:
            DeclinedError: Nobody answers.
        """

    def keys(self) -> AbstractContextManager[Callable[[], str]]:
        """Take keys as they are pressed: gives what returns the next one, or nothing.

        An arrow comes as its escape sequence; Ctrl-C and other requests to end as ``q``.
        """

    def bar(self, seconds: float) -> AbstractContextManager[Bar]:
        """Show how far something is that takes so long."""


#: Keys that have a meaning everywhere.
UP, DOWN = "\x1b[A", "\x1b[B"
ENTER = ("\n", "\r")


def try_pen(
    operator: Operator,
    hint: str,
    *,
    move: Callable[[bool], object],
    change: Callable[[str, bool], bool],
    wait: Callable[[], object],
) -> None:
    """Raise and lower the pen, and change how, as keys are pressed, until Enter.

    Args:
        operator: Who presses the keys.
        hint: What is told of keys beside Space and arrows.
        move: Moves the pen, told whether it is to be down.
        change: Changes what a key is for, told whether the pen is down; returns whether the
            pen is to move anew.
        wait: Called between keys.

    Raises:
        DeclinedError: The operator gives up.
    """
    down = False
    with operator.keys() as pressed:
        operator.say("Space raises and lowers the pen, arrows up and down change its height")
        operator.say(f"as it stands{hint}; Enter when it is right, q to leave")
        move(down)
        while (key := pressed()) not in ENTER:
            wait()
            if key == "q":
                raise DeclinedError
            down ^= key == " "
            if key == " " or change(key, down):
                move(down)


def duration(seconds: float) -> str:
    """Format a duration."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
