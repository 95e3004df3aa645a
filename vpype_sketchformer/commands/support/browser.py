"""What the commands with a page in the browser have in common."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping

import click

INSTALL = (
    "this command needs some more packages; install them with "
    '`pipx inject vpype "vpype-sketchformer[sketchpad]"`, '
    'or `pip install "vpype-sketchformer[sketchpad]"`.'
)


def require_packages() -> None:
    """Refuse to go on without the packages that the server needs.

    Raises:
        click.UsageError: They are not installed.
    """
    try:
        import aiohttp  # noqa: F401
        import platformdirs  # noqa: F401
        import psutil  # noqa: F401
    except ImportError as error:
        raise click.UsageError(INSTALL) from error


def has_display() -> bool:
    """Tell whether a browser could show a window here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def ask(question: str, answers: Mapping[str, str], otherwise: str) -> str:
    """Ask what to do after Ctrl-C.

    Args:
        question: What to ask; it names the answers.
        answers: What each letter leads to; the first is the default.
        otherwise: What a second Ctrl-C leads to.
    """
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = click.prompt(
            question,
            prompt_suffix=" ",
            type=click.Choice(list(answers), case_sensitive=False),
            default=next(iter(answers)),
            show_choices=False,
            err=True,
        )
    except click.Abort:
        return otherwise
    finally:
        signal.signal(signal.SIGINT, handler)
    return answers[answer]
