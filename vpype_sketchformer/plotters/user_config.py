"""Keeping the values of a pen in the user's `~/.vpype.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.plotters.job import JobError


def table(name: str, values: Mapping[str, float]) -> str:
    """Return the lines of a table with numbers, such as ``gwrite.grbl_z.default_values``."""
    lines = [f"[{name}]"]
    return "\n".join([*lines, *(f"{key} = {value:g}" for key, value in values.items())])


def keep(path: Path, name: str, values: Mapping[str, float]) -> None:
    """Append the table to a configuration file, which keeps all that it has.

    Raises:
        JobError: It has that table already, is not TOML, or cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        added = f"{text.rstrip()}\n\n{table(name, values)}\n".lstrip()
        tomllib.loads(text)
        tomllib.loads(added)
        write_whole(path.resolve(), added)  # it may be a link, which stays
    except tomllib.TOMLDecodeError as error:
        raise JobError(
            f"{path} has that table already, or is not TOML; change it by hand."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"{path} cannot be changed: {error}.") from error
