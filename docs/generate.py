"""What the site takes from elsewhere: the help of all commands, the card of the models.

A hook of mkdocs (see mkdocs.yml).
"""

from __future__ import annotations

import os
import re
from importlib.metadata import entry_points
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
CARD = ROOT / "vpype_sketchformer" / "models" / "README.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and leave out notes that belong to no page."""
    for name, text in (("reference.md", reference()), ("models.md", card())):
        files.append(File.generated(config, name, content=text))
    return files


def reference() -> str:
    """Return the help of all commands as one page."""
    os.environ["COLUMNS"] = "80"
    commands: list[click.Command] = [
        point.load()
        for point in entry_points(group="vpype.plugins")
        if point.value.startswith("vpype_sketchformer.")
    ]
    parts = ["# Commands", "What `vpype COMMAND --help` says, word for word."]
    for command in sorted(commands, key=lambda command: command.name or ""):
        context = click.Context(command, info_name=command.name)
        parts += [f"## {command.name}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts)


def card() -> str:
    """Return the card of the models, its pictures found from here."""
    return re.sub(r"\(\.\./\.\./docs/", "(", CARD.read_text(encoding="utf-8"))
