"""The operator of a plotter at a terminal: lines, questions, keys, a bar."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from vpype_sketchformer.commands.support.keys import Keys, forget_typed
from vpype_sketchformer.plotters.operator import DeclinedError, duration
from vpype_sketchformer.wording import plain

#: How often the progress bar is drawn, in s.
REFRESH = 0.2


@dataclass(frozen=True)
class Terminal:
    """An `Operator` behind the terminal.

    Attributes:
        command: The name of the command, which all lines begin with.
    """

    command: str

    @property
    def present(self) -> bool:
        """Whether somebody can be asked."""
        return sys.stdin.isatty()

    @property
    def curious(self) -> bool:
        """Whether details are wanted (`vpype -v`)."""
        return logging.getLogger().isEnabledFor(logging.INFO)

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(f"{self.command}: {plain(text)}", err=True)

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Ask a question; what was typed before it does not answer it."""
        forget_typed()
        try:
            return click.confirm(question, default=default, err=True)
        except click.Abort as error:
            raise DeclinedError from error

    @contextmanager
    def keys(self) -> Iterator[Callable[[], str]]:
        """Take keys as they are pressed."""
        with Keys() as keys:
            yield keys.pressed

    @contextmanager
    def bar(self, seconds: float) -> Iterator[PlotBar]:
        """Show a progress bar."""
        from tqdm import tqdm

        with tqdm(
            total=seconds,
            disable=None,
            leave=False,
            bar_format="{percentage:3.0f}%|{bar}|{postfix}",
        ) as bar:
            yield PlotBar(self, bar)


@dataclass
class PlotBar:
    """The progress bar of a plot: the time by its plan, for that is what is left."""

    terminal: Terminal
    bar: Any
    _shown: float = field(default=0.0)

    def show(self, passed: float, note: str) -> None:
        """Show how much has passed, in s, and what else there is to say."""
        if time.monotonic() - self._shown < REFRESH:
            return
        self._shown = time.monotonic()
        self.bar.n = passed
        self.bar.set_postfix_str(f" {duration(self.bar.total - passed)} left, {note}")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.clear()
        self.terminal.say(text)
