"""Everything that needs torch or data: readers, training, evaluation, export.

Not part of the installed plug-in; run the modules from a checkout (``python -m training.…``).
"""

from __future__ import annotations

import click


class Refusal(click.ClickException):
    """Ends a command with one clear line on standard error and exit status 2."""

    exit_code = 2
