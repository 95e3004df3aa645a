"""Sketchpads that run, for the tests: as users start them, and beside a test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sysconfig
import threading
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock
from urllib.parse import SplitResult, urlsplit

import vpype as vp
import vpype_cli

VPYPE = Path(sysconfig.get_path("scripts")) / "vpype"
PATIENCE = 60


class Sketchpad:
    """The command, from its first word to its last."""

    def __init__(self, folder: Path, model: Path, *options: str, before: str = "") -> None:
        """Start it; ``before`` is the pipeline up to the command, which writes out.svg."""
        self.folder = folder
        self.process = subprocess.Popen(
            [
                *(str(VPYPE), *before.split(), "sketchpad", "--no-browser"),
                *("--model", str(model), *options, "write", "-r", "out.svg"),
            ],
            cwd=folder,
            env=os.environ | {"XDG_DATA_HOME": str(folder / "data")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.said = ""
        while "http" not in self.said:
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        self.address = re.search(r"http://\S+", self.said)[0]

    def __enter__(self) -> Sketchpad:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.address)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def result(self, status: int = 0) -> vp.Document:
        """What went down the pipeline, once the command has ended."""
        _, rest = self.process.communicate(timeout=PATIENCE)
        self.said += rest
        assert self.process.returncode == status, self.said
        return vp.read_multilayer_svg(str(self.folder / "out.svg"), 0.1)

    def kept(self) -> list[Any]:
        """The files on the shelf."""
        return sorted((self.folder / "data").rglob("*.json"))


class Pipeline:
    """A pipeline with a page, in a thread beside the test: starts much faster."""

    def __init__(self, line: str, document: Any = None) -> None:
        ready = threading.Event()

        def open_page(address: str) -> None:
            self.address = address
            ready.set()

        def run() -> None:
            with mock.patch("webbrowser.open", open_page):
                self.document = vpype_cli.execute(line, document, "-s 1")

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert ready.wait(PATIENCE)

    def result(self) -> vp.Document:
        """What came out of the pipeline."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.document


class Beside(Pipeline):
    """A pipeline that is a sketchpad."""

    def __init__(self, model: Path, options: str = "", document: Any = None) -> None:
        super().__init__(f"sketchpad --model '{model}' {options}", document)
