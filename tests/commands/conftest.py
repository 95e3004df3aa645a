"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
import vpype as vp
import vpype_cli

from tests.conftest import DATA

Run = Callable[..., vp.Document]
Runner = Callable[[str, str], Run]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    """Make what executes pipelines in a folder that holds nothing but a few drawings.

    Of a pipeline, one word stands for a command with some of its options.
    """
    monkeypatch.chdir(tmp_path)
    for path in DATA.glob("*.svg"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    def make(word: str, command: str) -> Run:
        def execute(
            pipeline: str, document: vp.Document | None = None, seed: int | None = 1
        ) -> vp.Document:
            pipeline = pipeline.replace(word, command)
            return vpype_cli.execute(pipeline, document, "" if seed is None else f"-s {seed}")

        return execute

    return make


def assert_refused(run: Run, line: str, message: str) -> None:
    """One line says what is wrong, and nothing is written."""
    with pytest.raises(click.UsageError) as caught:
        run(f"{line} write out.svg")
    assert caught.value.exit_code == 2
    assert message in caught.value.format_message()
    assert "\n" not in caught.value.format_message()
    assert not Path("out.svg").exists()
