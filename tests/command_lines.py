"""The command lines in help texts and pages, read and run as someone does who copies them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import vpype_cli


def command_lines(text: str, program: str = "vpype") -> list[str]:
    r"""Return the commands in the indented lines of a text.

    Args:
        text: Help, or Markdown; a command goes on behind a ``\`` at the end of its line.
        program: What a command begins with.
    """
    whole = re.sub(r" *\\\n\s*", " ", text)
    lines = re.findall(rf"^ {{4,}}({program} .*)$", whole, re.MULTILINE)
    return [re.sub(r"\s+#\s.*", "", line).rstrip() for line in lines]


def run(line: str) -> None:
    """Run a line of vpype in this process and folder; errors are raised."""
    vpype_cli.cli.main(args=shlex.split(line)[1:], prog_name="vpype", standalone_mode=False)


DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" width="10cm" height="10cm"
    viewBox="0 0 100 100" fill="none" stroke="black">
  <g id="layer1"><circle cx="30" cy="40" r="8"/><circle cx="60" cy="40" r="8"/></g>
  <g id="layer2"><path d="M 30 60 L 45 70 L 60 60"/></g>
</svg>
"""


def write_samples(folder: Path, model: Path) -> None:
    """Put the files that examples name into a folder."""
    (folder / "designs").mkdir()
    for name in (
        *("partial", "drawing", "drawings", "sheet", "cat", "cats", "two"),
        *("designs/one", "designs/two"),
    ):
        (folder / f"{name}.svg").write_text(DRAWING, encoding="utf-8")
    (folder / "my_model.safetensors").write_bytes(model.read_bytes())
