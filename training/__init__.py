"""Everything that needs torch or data: readers, training, evaluation, export.

Not part of the installed plug-in; run the modules from a checkout (``python -m training.…``).
"""

from __future__ import annotations

import inspect
import math
import os
from pathlib import Path
from typing import Any

import click

from vpype_sketchformer.wording import plain


def help_from(docstring: str | None) -> str:
    """Make a module's docstring the help of its command, whose examples are not wrapped."""
    text = inspect.cleandoc(docstring or "")
    told, title, examples = text.partition("Examples:\n")
    paragraphs = f"{title}{examples}".split("\n\n")
    return told + "\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs)


class Refusal(click.ClickException):
    """Ends a command with one clear line on standard error and exit status 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Take the message, whatever text from outside is part of it."""
        super().__init__(plain(message))


class OutFile(click.Path):
    """A file to write: refused before the work, not after, where there is no folder for it."""

    def __init__(self) -> None:
        """Take paths of files."""
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Refuse a file whose folder is missing or cannot be written to."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not os.access(path.parent, os.W_OK | os.X_OK) or not path.parent.is_dir():
            self.fail(f"'{path.parent}' is not a folder that can be written to.", param, ctx)
        return path


class FiniteRange(click.FloatRange):
    """A number in a range; what is not a number is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Refuse what is not finite, which compares as if it were inside."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number
