"""Everything that needs torch or data: readers, training, evaluation, export.

Not part of the installed plug-in; run the modules from a checkout (``python -m training.…``).
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import click


def help_from(docstring: str | None) -> str:
    """Make a module's docstring the help of its command, whose examples are not wrapped."""
    text = inspect.cleandoc(docstring or "")
    told, title, examples = text.partition("Examples:\n")
    paragraphs = f"{title}{examples}".split("\n\n")
    return told + "\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs)


class Refusal(click.ClickException):
    """Ends a command with one clear line on standard error and exit status 2."""

    exit_code = 2


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
