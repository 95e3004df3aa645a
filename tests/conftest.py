"""Fixtures: a model that draws in milliseconds, and the real command line."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

VPYPE = Path(sysconfig.get_path("scripts")) / "vpype"


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A model that scribbles, but goes through all of the code."""
    return Path(__file__).parent / "data" / "tiny.safetensors"


CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def vpype(tmp_path: Path) -> CommandLine:
    """Run the console script in an empty folder, as a user would."""

    def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(VPYPE), *map(str, args)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    return run
