"""Ctrl-C while Python still loads what a command needs: one line, and the end.

Before vpype loads its plug-ins, Ctrl-C is its own and Python's affair (docs/vpype-wishes.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine

#: Presses Ctrl-C as soon as a module is looked for.
PRESS = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            # Where tests run in the background, Python finds it ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("vpype_sketchformer.commands", "line 0 0 1cm 1cm stat"),
        ("vpype_sketchformer.plotters.grbl.session", "line 0 0 1cm 1cm grbl --yes /dev/null"),
        ("pyaxidraw", "line 0 0 1cm 1cm axidraw --yes"),
        ("vpype_sketchformer.model.checkpoint", "sketchgen -n 1"),
    ],
)
def test_ctrl_c_while_loading_is_one_line(
    vpype: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    line: str,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRESS.format(module=module))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    result = vpype(*line.split())
    assert result.returncode == 1
    assert result.stderr.strip() == "Aborted!"
