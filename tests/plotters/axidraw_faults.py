"""AxiDraw plots that go wrong: random drawings, each with one fault at a random place.

    PYTHONPATH=. python tests/plotters/axidraw_faults.py [--plots 100] [--seed 1]

Each is plotted with the stand-in for the maker's module on the fake board, and resumed as the
messages say. In the end every stroke has to be on the paper, no ink beside them, and nothing
twice but what was said. Prints a table of faults and counts.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click.testing
import numpy as np
import shapely
import vpype as vp
import vpype_cli
from plotink import ebb_serial

from tests.fakes.ebb import FakeEBB

MM = 96 / 25.4
STUB = Path(__file__).parents[1] / "fakes" / "pyaxidraw_stub"
FAULTS = ("button", "Ctrl-C", "pulled cable", "cable, then switched off", "low voltage")
#: How much may be drawn twice, in mm: the last 30 mm before a carriage that was put home, or
#: where a line leads over itself, so that the carriage's place can mean either.
TWICE = {"cable, then switched off": 62.0, "pulled cable": 31.0}


@dataclass
class Result:
    kind: str
    stopped: bool = False
    beyond: float = 0.0
    missing: float = 0.0
    twice: float = 0.0
    wrong: list[str] = field(default_factory=list)


def drawing(rng: np.random.Generator) -> vp.Document:
    """One or two layers of crooked and of closed strokes, on a page of some size."""
    size = rng.uniform(80, 200, 2)
    document = vp.Document(page_size=(size[0] * MM, size[1] * MM))
    for lid in range(1, rng.integers(1, 3) + 1):
        for _ in range(rng.integers(1, 6)):
            points = rng.uniform((0, 0), size, (rng.integers(2, 8), 2)) @ [1, 1j]
            if rng.random() < 0.3:
                points = np.append(points, points[0])
            document.add([points * MM], lid)
    return document


def try_one(seed: int, kind: str) -> Result:
    """Plot with a fault, resume until it is done, and compare."""
    rng = np.random.default_rng(seed)
    document = drawing(rng)
    with Path("sheet.svg").open("w") as file:
        vp.write_svg(file, document)
    length = sum(layer.length() for layer in document.layers.values()) / MM
    result = Result(kind)
    with FakeEBB() as board:
        ebb_serial.findPort = lambda: board.path

        def lose_power() -> None:
            board.power = False

        actions: dict[str, Callable[[], None]] = {
            "button": board.press,
            "Ctrl-C": lambda: os.kill(os.getpid(), signal.SIGINT),
            "low voltage": lose_power,
        }
        board.after(rng.uniform(0, 0.95 * length), actions.get(kind, board.unplug))
        line = "read sheet.svg axidraw --yes --no-pause --no-rotate"
        status, text = command(line)
        result.stopped = status != 0
        if kind == "low voltage":
            told = status == 1 and "not recorded as drawn" in text
            undrawn = command(f"{line} --resume")[0] == 2
            if not told or not undrawn:
                result.wrong.append(f"seed {seed}: {text}")
            return result
        told = text
        for _ in range(4):
            if status == 0:
                break
            if "does not answer" in told:
                if kind == "cable, then switched off":
                    board.switch_off()
                board.plug_in()
                told = ""
            if "home corner" in text:
                board._place = [0, 0]  # pushed there by hand
                status, text = command(f"{line} --resume --at-home")
            else:
                status, text = command(f"{line} --resume")
        compare(board, document, result, f"seed {seed} {kind}: {text}")
        if status != 0:
            result.wrong.append(f"seed {seed} {kind}: {text}")
    return result


def compare(board: FakeEBB, document: vp.Document, result: Result, what: str) -> None:
    """Compare the paper with the drawing."""
    lines = [vp.as_vector(x) / MM for layer in document.layers.values() for x in layer]
    ink = [shapely.LineString(stroke) for stroke in board.strokes if len(stroke) > 1]
    wanted = shapely.MultiLineString(lines)
    drawn = shapely.MultiLineString(ink)
    result.beyond = drawn.difference(wanted.buffer(0.05)).length
    result.missing = wanted.difference(drawn.buffer(0.05)).length
    result.twice = drawn.length - wanted.length
    if result.beyond > 0.01 or result.missing > 0.2:
        result.wrong.append(
            f"{what}: {result.beyond:.2f} beside, {result.missing:.2f} missing"
        )
    if result.twice > TWICE.get(result.kind, 0.5):
        result.wrong.append(f"{what}: {result.twice:.1f} mm twice")


def command(line: str) -> tuple[int, str]:
    """Run a command line, and return its exit status and what it said."""
    result = click.testing.CliRunner().invoke(vpype_cli.cli, line.split())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(STUB))
    results = []
    for number in range(options.plots):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            seed = options.seed * 100_000 + number
            results.append(try_one(seed, FAULTS[number % len(FAULTS)]))
            for line in results[-1].wrong:
                print(line, flush=True)
    print("| fault | plots | stopped | beside the drawing | missing | drawn twice | wrong |")
    print("|---|---|---|---|---|---|---|")
    for kind in (*FAULTS, "all"):
        of = [result for result in results if kind in (result.kind, "all")]
        print(
            f"| {kind} | {len(of)} | {sum(r.stopped for r in of)} | "
            f"{max(r.beyond for r in of):.2f} mm | {max(r.missing for r in of):.2f} mm | "
            f"{max(r.twice for r in of):.1f} mm | {sum(bool(r.wrong) for r in of)} |"
        )
    return any(result.wrong for result in results)


if __name__ == "__main__":
    sys.exit(main())
