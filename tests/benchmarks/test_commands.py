"""Whole processes of vpype: what one waits for at the prompt."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from vpype_sketchformer.model import checkpoint

from .conftest import Judge, in_turns

VPYPE = Path(sysconfig.get_path("scripts")) / "vpype"
CONTRACT = "sketchgen -n 20 --class cat grid 5 4 linesort write out.svg"
RANDOM = "random -n 20 write out.svg"

#: Bytecode is kept, as it is where the plug-in was installed.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

#: Runs a command in a small process: memory before exec counts as the child's own.
PEAK_MEMORY = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak if sys.platform == "darwin" else 1024 * peak)
"""

#: Runs vpype as its console script does, but without our entry points where asked.
HELP = """
import sys
from importlib import metadata
plugins = metadata.entry_points(group="vpype.plugins")
others = [point for point in plugins if "sketchformer" not in point.value]
listed = metadata.EntryPoints(others if sys.argv[1] == "without" else plugins)
metadata.entry_points = lambda **wanted: listed.select(**wanted)
from vpype_cli import cli
sys.argv = ["vpype", "--help"]
cli()
"""


def run(folder: Path, *command: str | Path) -> str:
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stdout


def contract_line(tiny: Path) -> list[str | Path]:
    """The contract line, word for word where its model is there."""
    command, *rest = CONTRACT.split()
    model = [] if "quickdraw" in checkpoint.bundled() else ["--model", tiny]
    return [VPYPE, command, *model, *rest]


def test_contract_line(
    benchmark: BenchmarkFixture, judge: Judge, tiny: Path, tmp_path: Path
) -> None:
    """A sheet of cats takes at most 2 times as long as a sheet of random lines."""
    line = contract_line(tiny)
    our_times, their_times = in_turns(
        benchmark,
        lambda: run(tmp_path, *line),
        lambda: run(tmp_path, VPYPE, *RANDOM.split()),
        rounds=10,
    )
    ours, theirs = min(our_times), min(their_times)
    judge(
        "time of the contract line over that of vpype random",
        ours / theirs,
        "times",
        at_most=2,
        details=f"{ours:.2f} s against {theirs:.2f} s",
    )


def test_memory_of_the_contract_line(
    benchmark: BenchmarkFixture, judge: Judge, tiny: Path, tmp_path: Path
) -> None:
    """A sheet of cats needs at most 250 MB."""

    def peak(*command: str | Path) -> float:
        return int(run(tmp_path, sys.executable, "-c", PEAK_MEMORY, *command)) / 1e6

    theirs = peak(VPYPE, *RANDOM.split())
    ours = benchmark.pedantic(peak, contract_line(tiny), rounds=1)
    judge(
        "peak memory of the contract line",
        ours,
        "MB",
        at_most=250,
        details=f"vpype random: {theirs:.0f} MB",
    )


def test_help(benchmark: BenchmarkFixture, judge: Judge, tmp_path: Path) -> None:
    """The plug-in adds at most 0.1 s to `vpype --help`, and so to every command."""

    def show(which: str) -> str:
        return run(tmp_path, sys.executable, "-c", HELP, which)

    assert "sketchgen" in show("with")
    assert "sketchgen" not in show("without")
    our_times, their_times = in_turns(
        benchmark, lambda: show("with"), lambda: show("without"), rounds=10
    )
    ours, without = min(our_times), min(their_times)
    judge(
        "what the plug-in adds to vpype --help",
        ours - without,
        "s",
        at_most=0.1,
        details=f"{ours:.2f} s against {without:.2f} s",
    )
