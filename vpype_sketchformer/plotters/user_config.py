"""Keeping the values of a pen in the user's `~/.vpype.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.plotters.job import JobError


def table(profile: str, values: Mapping[str, float]) -> str:
    """Return the lines that make values the defaults of one of gwrite's profiles."""
    lines = [f"[gwrite.{profile}.default_values]"]
    return "\n".join([*lines, *(f"{name} = {value:g}" for name, value in values.items())])


def keep(path: Path, profile: str, values: Mapping[str, float]) -> None:
    """Append the table to a configuration file, which keeps all that it has.

    Raises:
        JobError: It has that table already, is not TOML, or cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        added = f"{text.rstrip()}\n\n{table(profile, values)}\n".lstrip()
        tomllib.loads(text)
        tomllib.loads(added)
        write_whole(path.resolve(), added)  # it may be a link, which stays
    except tomllib.TOMLDecodeError as error:
        raise JobError(
            f"{path} has that table already, or is not TOML; change it by hand."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"{path} cannot be changed: {error}.") from error
