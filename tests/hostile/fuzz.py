"""Tens of thousands of hostile inputs: `make fuzz`.

    python -m tests.hostile.fuzz 20000
    python -m tests.hostile.fuzz 20000 model npz

So many of each kind, the same ones every time; a report for each that ends badly, with the
command that repeats it. Then, where atheris is installed, a minute for each kind with inputs
that are bred for reaching new code.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.hostile.inputs import KINDS, inputs

MEMORY = 2**30
BATCH = 500
#: Seconds for one input, of the processor and by the clock. The worker itself counts the
#: processor's, but cannot where an input does not come to its end.
BUSY, PATIENCE = 60.0, 600.0
GUIDED_SECONDS = 60


def watch(kind: str, first: int, count: int) -> str:
    """Try inputs in a process of their own; returns what was wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out, progress = Path(folder) / "out", Path(folder) / "progress"
        command = [sys.executable, "-m", "tests.hostile.worker", kind, str(first), str(count)]
        with out.open("wb") as stdout, progress.open("wb") as stderr:
            process = psutil.Popen(
                command,
                cwd=Path(__file__).parents[2],
                env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": folder},
                stdout=stdout,
                stderr=stderr,
            )
        trouble = _wait(process, progress)
        said = progress.read_text(errors="replace").splitlines()
        if not trouble and process.returncode not in (0, 1):
            trouble = f"it ended with status {process.returncode}"
        if trouble:
            trouble += f", after {said[-1] if said else 'nothing'}\n"
        return trouble + out.read_text(errors="replace")


def _wait(process: psutil.Popen, progress: Path) -> str:
    """Wait for a worker to end, or end it; returns why."""
    size, moved, worked = 0, time.monotonic(), 0.0
    while process.poll() is None:
        time.sleep(0.05)
        try:
            family = [process, *process.children(recursive=True)]
            taken = sum(member.memory_info().rss for member in family)
            busy = sum(sum(member.cpu_times()[:2]) for member in family)
        except psutil.Error:
            continue
        if progress.stat().st_size != size:
            size, moved, worked = progress.stat().st_size, time.monotonic(), busy
        hung = busy - worked > BUSY or time.monotonic() - moved > PATIENCE
        if taken > MEMORY or hung:
            for member in family:
                member.kill()
            process.wait()
            return f"it took {taken / 2**20:.0f} MiB" if taken > MEMORY else "it hung"
    return ""


def guided(kind: str) -> None:
    """Breed inputs of a kind, for a minute, with atheris (libFuzzer); ends the process."""
    import atheris

    with atheris.instrument_imports(include=["training", "vpype_sketchformer", "svgelements"]):
        from tests.hostile import worker

    name, trial = worker.TRIALS[kind]
    home = Path(tempfile.mkdtemp())
    (corpus := home / "corpus").mkdir()
    (folder := home / "here").mkdir()
    os.chdir(folder)
    for number, content in inputs(kind, 1, 100):
        if len(content) < 2**20:
            (corpus / str(number)).write_bytes(content)

    def one(data: bytes) -> None:
        (home / name).write_bytes(data)
        trial(home / name, folder, 10**9)

    limits = [f"-max_total_time={GUIDED_SECONDS}", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup(["fuzz", str(corpus), *limits], one)
    atheris.Fuzz()


def main(arguments: Sequence[str]) -> int:
    """Try so many inputs of each kind; returns the exit status."""
    if arguments[0] == "--guided":
        guided(arguments[1])
    count, kinds = int(arguments[0]), arguments[1:] or list(KINDS)
    status = 0
    for kind in kinds:
        for first in range(1, count + 1, BATCH):
            size = min(BATCH, count + 1 - first)
            trouble = watch(kind, first, size)
            print(f"{kind} {first} to {first + size - 1}: {trouble or 'good'}", flush=True)
            if trouble:
                status = 1
                print(f"again: python -m tests.hostile.worker {kind} {first} {size}")
        if importlib.util.find_spec("atheris"):
            again = [sys.executable, "-m", "tests.hostile.fuzz", "--guided", kind]
            status |= subprocess.run(again, cwd=Path(__file__).parents[2]).returncode != 0
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
