"""Lines per second to a GRBL controller that does not move: streamed, and one by one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial
import vpype as vp
import vpype_cli
from pytest_benchmark.fixture import BenchmarkFixture

from vpype_sketchformer.plotters import gcode
from vpype_sketchformer.plotters.grbl.link import Machine
from vpype_sketchformer.plotters.grbl.plan import Plan, plan
from vpype_sketchformer.plotters.grbl.plot import Plot
from vpype_sketchformer.plotters.job import Job, Progress

from .conftest import Judge, in_turns

FAKE = Path(__file__).parents[1] / "fakes" / "grbl.py"
POINTS = 600


@contextmanager
def controller(latency: float) -> Iterator[Machine]:
    """A controller in a process of its own, that answers so many seconds late."""
    process = subprocess.Popen(
        [sys.executable, FAKE, "inf", str(latency)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        with serial.Serial(process.stdout.readline().strip()) as port:
            machine = Machine(port)
            machine.connect(print)
            yield machine
    finally:
        process.terminate()
        process.wait()


def long_stroke() -> Plan:
    """One stroke of many points a millimetre apart."""
    angles = np.linspace(0, 40, POINTS)
    spiral = (100 + 100j + 2 * angles * np.exp(1j * angles)) * vp.convert_length("mm")
    document = vp.Document(vp.LineCollection([spiral]), page_size=(1000, 1000))
    profile = gcode.PROFILES["grbl_servo"]
    with vpype_cli.State(document).current():  # a profile looks at the pipeline
        return plan(
            Job.from_document(document).upright(), profile, [profile["default_values"]]
        )


@pytest.mark.parametrize("latency", [0.0, 0.004])
def test_streaming(benchmark: BenchmarkFixture, judge: Judge, latency: float) -> None:
    """Character counting streams at least 5 times as many lines as waiting for each answer.

    A line without any latency is no real one; USB has milliseconds each way.
    """
    lines = long_stroke()
    with controller(latency) as machine:

        def draw(*, simple: bool) -> None:
            Plot(
                machine=machine,
                plan=lines,
                seconds=np.zeros(len(lines.lines)),
                progress=Progress("", 1),
                save=lambda: None,
                request=lambda: None,
                show=lambda passed, status: None,
                say=print,
                adjust=lambda steps: lines,
                pens=False,
                simple=simple,
            ).run()

        streamed, one_by_one = in_turns(
            benchmark, lambda: draw(simple=False), lambda: draw(simple=True), rounds=3
        )
    ours, theirs = (len(lines.lines) / min(times) for times in (streamed, one_by_one))
    judge(
        f"lines per second streamed over waiting, {1000 * latency:g} ms each way",
        ours / theirs,
        "times",
        at_least=5 if latency else None,
        details=f"{ours:.0f} against {theirs:.0f} lines/s",
    )
