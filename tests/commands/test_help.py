"""Help: every example keeps its lines at 80 columns, can be copied, and runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
import vpype as vp
import vpype_cli
from click.testing import CliRunner

from tests.command_lines import command_lines, run, write_samples
from vpype_sketchformer.model import checkpoint

COMMANDS: dict[str, click.Command] = {
    point.name: point.load()
    for point in entry_points(group="vpype.plugins")
    if point.value.startswith("vpype_sketchformer.")
}
#: These wait for a browser or a machine: their options are read here, their work is tested
#: with browsers and machines elsewhere.
WAITING = ("axidraw", "grbl", "sketchpad", "sketchpick")


def help_of(name: str) -> str:
    """Return the help of a command as a terminal of 80 columns shows it."""
    result = CliRunner(env={"COLUMNS": "80"}).invoke(COMMANDS[name], ["--help"])
    assert result.exit_code == 0, result.output
    return result.output


def examples_of(name: str) -> list[str]:
    return command_lines(help_of(name).partition("Examples:\n")[2])


EXAMPLES = [(name, line) for name in COMMANDS for line in examples_of(name)]


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_keep_their_lines(name: str) -> None:
    text = help_of(name)
    assert max(map(len, text.splitlines())) <= 80
    written = inspect.cleandoc(COMMANDS[name].callback.__doc__ or "")
    expected = command_lines(written.partition("Examples:\n")[2])
    assert expected
    assert examples_of(name) == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_a_short_example_comes_first(name: str) -> None:
    assert len(examples_of(name)[0].split()) <= 6


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_run(
    name: str,
    line: str,
    coded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_samples(tmp_path, coded)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "find", lambda model: coded)
    for waiting in WAITING:
        monkeypatch.setattr(COMMANDS[waiting], "callback", pass_on)
    before = times_of(tmp_path)
    run(line)
    assert (times_of(tmp_path) != before) == (" write " in line or " gwrite " in line)


def times_of(folder: Path) -> dict[Path, int]:
    """Return when each file was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@vpype_cli.global_processor
def _something_drawn(document: vp.Document) -> vp.Document:
    if document.is_empty():
        document.add(vp.LineCollection([(0, 100 + 100j)]), 1)
    return document


def pass_on(**options: Any) -> Callable[[vpype_cli.State], None]:
    """Stand in for a command that waits for somebody."""
    return _something_drawn()
