"""Runs hostile inputs through the real commands, in a process with limits, and judges each.

    python -m tests.hostile.worker KIND FIRST COUNT

An input is to end in success, or in exit status 2 with one line; within ten seconds of the
processor and a gigabyte; and whatever was there is as it was. What does not is printed, a line
each, and the exit status is 1. Who starts this watches the clock and the memory.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import click
import vpype as vp
import vpype_cli
from click.testing import CliRunner

from tests.hostile.inputs import NAMES, inputs
from training import prepare
from training.data import dataset
from vpype_sketchformer import svg_reader
from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters.job import JobError, JobFile
from vpype_sketchformer.sketchpad import svg
from vpype_sketchformer.sketchpad.keeping import Shelf
from vpype_sketchformer.svg_reader import SvgError, SvgReader

SECONDS = 10.0
BEFORE = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><!-- before --></svg>'


class Broken(AssertionError):
    """What an input must not do."""


def run(command: click.Command, *arguments: str) -> str:
    """Run a command line; returns what it printed."""
    logging.getLogger().handlers.clear()  # each run has a standard error of its own
    result = CliRunner().invoke(command, list(arguments))
    said = result.stdout + result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 2):
        raise Broken(f"exit status {result.exit_code}: {said}")
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    if len(lines) != (result.exit_code == 2):
        raise Broken(f"not one line: {said}")
    if result.exit_code and not result.stderr.endswith(lines[0] + "\n"):
        raise Broken(f"something after the line: {said}")
    if not said.replace("\n", "").isprintable():
        raise Broken(f"not printable: {said!r}")
    return said


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


PIPELINES = (
    "sketchgen -m {} -s 2cm --layers sketch write -r out.svg",
    "sketchgen -m {} --layers class write out.svg",
    "sketchgen -m {} --list-classes",
    "sketchgen -m {} --tries 2 --guidance 3 write -r out.svg",
    "line 1cm 1cm 4cm 3cm sketchcomplete -m {} write -r out.svg",
    "sketchgen -m {} -n 2 --layers class forlayer write %_name%.svg end",
)


def try_model(path: Path, folder: Path, number: int) -> None:
    """Draw with it: what is written is whole, and in this folder."""
    out = folder / "out.svg"
    out.write_text(BEFORE)
    hostile_names = number <= len(NAMES)
    pipelines = PIPELINES if hostile_names else [PIPELINES[number % len(PIPELINES)]]
    for pipeline in pipelines:
        outside = contents(folder.parent) - {f"{folder.name}/{n}" for n in contents(folder)}
        run(vpype_cli.cli, "-s", "1", *pipeline.format(path).split())
        ElementTree.fromstring(out.read_bytes())
        left = contents(folder.parent) - {f"{folder.name}/{n}" for n in contents(folder)}
        if left != outside:
            raise Broken(f"wrote outside: {left - outside}")


def try_prepare(path: Path, folder: Path, number: int) -> None:
    """Pack it: there is a dataset, or there is none."""
    out = folder / "dataset.safetensors"
    out.unlink(missing_ok=True)
    run(prepare.main, str(path), "-o", str(out))
    if out.exists():
        dataset.load(out)
    if strange := contents(folder) - {"dataset.safetensors"}:
        raise Broken(f"left behind: {strange}")


def try_svg(path: Path, folder: Path, number: int) -> None:
    """Import it into the page."""
    with _one_line(SvgError):
        svg.read_strokes(READER, path.read_bytes())


def try_page(path: Path, folder: Path, number: int) -> None:
    """Offer it again."""
    shelf = Shelf(folder)
    name = "2026-01-01-000000-0000"
    (folder / f"{name}.json").write_bytes(path.read_bytes())
    shelf.read(name)
    shelf.earlier(6)


def try_dataset(path: Path, folder: Path, number: int) -> None:
    """Load it, and look at every drawing."""
    with _one_line(dataset.DatasetError):
        loaded = dataset.load(path)
        for i in range(len(loaded)):
            loaded.drawing(i)


def try_job(path: Path, folder: Path, number: int) -> None:
    """Look how far a plot came."""
    with _one_line(JobError):
        JobFile(path).load()


def try_config(path: Path, folder: Path, number: int) -> None:
    """Offer the profiles beside the user's own, as at every start of vpype, and use one."""
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    # Of what is no table at the top, and of a whole profile of the user's, vpype itself knows.
    if not isinstance(config, dict) or "gwrite" not in config:
        return
    with mock.patch.object(vp.config_manager, "_config", config):
        gcode.register()
        with contextlib.suppress(click.UsageError):
            gcode.find(None, "grbl")


class _one_line:
    """Lets an error of a kind pass whose message is one printable line."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, self.kind):
            return False
        if not str(error).isprintable() or not str(error):
            raise Broken(f"not a line: {str(error)!r}")
        return True


READER = SvgReader(0.2, crop=True)
TRIALS: dict[str, tuple[str, Callable[[Path, Path, int], None]]] = {
    "model": ("model.safetensors", try_model),
    "npz": ("cat.npz", try_prepare),
    "svg": ("cat.svg", try_svg),
    "ndjson": ("cat.ndjson", try_prepare),
    "page": ("page", try_page),
    "job": ("sheet.job.json", try_job),
    "config": ("config.json", try_config),
    "dataset": ("data.safetensors", try_dataset),
}


def trials(kind: str, first: int, count: int) -> Iterator[tuple[int, str]]:
    """Try inputs; yields the number of each, and what was wrong with it, or nothing."""
    name, trial = TRIALS[kind]
    with tempfile.TemporaryDirectory() as home:
        path, folder = Path(home) / name, Path(home) / "here"
        folder.mkdir()
        os.chdir(folder)
        for number, content in inputs(kind, first, count):
            path.write_bytes(content)
            begun, trouble = time.process_time(), ""
            try:
                trial(path, folder, number)
            except Exception:
                trouble = traceback.format_exc()
            taken = time.process_time() - begun
            if taken > SECONDS:
                trouble += f" took {taken:.0f} s"
            yield number, trouble


def main(arguments: Sequence[str]) -> int:
    """Try the inputs of a kind; returns the exit status."""
    warnings.simplefilter("error")
    svg_reader.SECONDS = 2.0  # a shorter limit shows the same, sooner
    kind, first, count = arguments[0], int(arguments[1]), int(arguments[2])
    status = 0
    for number, trouble in trials(kind, first, count):
        print(f"at {kind} {number}", file=sys.__stderr__, flush=True)
        if trouble:
            status = 1
            print(f"{kind} {number}: {trouble}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
