"""Plots that go wrong: random drawings, each with a fault at a random byte, then resumed.

    python tests/plotters/grbl_faults.py [--plots 600] [--seed 1]

Each plot is a process of its own, on a fake machine. It has to end with a message and no line
off the drawing, and the pen up wherever the machine still listens; resuming it, as its own
messages say, has to complete the drawing, every stroke exactly once. Prints a table of faults
and counts. All waiting times of the sender are a fifth of the real ones.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import shapely
import vpype as vp
import vpype_cli

from tests.fakes.grbl import SETTINGS, FakeGrbl, Fault
from vpype_sketchformer.commands.grbl import grbl as _grbl  # noqa: F401 -- loaded before forking
from vpype_sketchformer.plotters.grbl import link as grbl_link
from vpype_sketchformer.plotters.grbl import plot as grbl_plot

MM = 96 / 25.4
PAGE = (100.0, 80.0)
#: Other firmwares and settings; these plots are stopped by Ctrl-C.
VARIATIONS = {
    "startup block": {"startup": "G54"},
    "text settings": {"firmware": "grblhal"},
    "low corner": {"firmware": "fluidnc"},
}
FAULTS = (
    "line drops",
    "line dead",
    "error",
    "alarm",
    "reset",
    "garbage",
    "garbage to it",
    "answer lost",
    "delay",
    "Ctrl-C",
    "Ctrl-C twice",
    "killed",
    "power lost",
    "limit switch",
    *VARIATIONS,
)
#: After these nobody can raise the pen.
CUT_OFF = ("line drops", "line dead", "killed", "power lost")
#: After these the machine goes on with the lines behind the one it has refused, until the
#: sender hears of it: a matter of the true speed, so these plots run at that.
REFUSALS = ("error", "garbage to it")
#: What of a stroke's shortcut may be on the paper then, in mm.
SHORTCUT = 5.0
LIMIT = 240.0


# --- drawings ---------------------------------------------------------------------------


def stroke(rng: random.Random) -> np.ndarray:
    """A stroke in mm, y down: crooked, closed, there and back, short, or a dot."""
    x, y = rng.uniform(15, 85), rng.uniform(15, 65)
    kind = rng.choice(("crooked", "crooked", "closed", "small", "back", "dot"))
    if kind == "crooked":
        steps = [complex(rng.gauss(0, 4), rng.gauss(0, 4)) for _ in range(rng.randint(1, 25))]
        points = np.cumsum([complex(x, y), *steps])
    elif kind in ("closed", "small"):
        radius = rng.uniform(3, 12) if kind == "closed" else rng.uniform(0.3, 1)
        turns = np.linspace(0, 2 * np.pi, rng.randint(5, 30))
        points = complex(x, y) + radius * np.exp(1j * turns)
        points[-1] = points[0]
    elif kind == "back":
        far = complex(x, y) + complex(rng.uniform(3, 9), rng.uniform(3, 9))
        points = np.array([complex(x, y), far, complex(x, y)])
    else:
        points = np.array([complex(x, y)])
    return np.clip(points.real, 0, PAGE[0]) + 1j * np.clip(points.imag, 0, PAGE[1])


def drawing(rng: random.Random) -> vp.Document:
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    for lid in range(1, rng.randint(1, 2) + 1):
        document.add([], lid)
        for _ in range(rng.randint(1, 5)):
            document.layers[lid].lines.append(stroke(rng) * MM)
    return document


# --- paper ------------------------------------------------------------------------------


@dataclass
class Paper:
    """What should be on the paper, compared with what is."""

    document: vp.Document

    def __post_init__(self) -> None:
        lines = [line / MM for layer in self.document.layers.values() for line in layer]
        self.strokes = [
            np.column_stack([line.real, PAGE[1] - line.imag]).round(3) for line in lines
        ]
        self.shapes = [shape(stroke) for stroke in self.strokes]
        self.area = shapely.union_all([each.buffer(0.01) for each in self.shapes])

    def times_drawn(self, ink: list[list[tuple[float, float]]]) -> list[int]:
        """How often each stroke has been drawn from its beginning to its end."""
        counts = [0] * len(self.shapes)
        for line in ink:
            points = np.array(line)
            drawn = shape(points)
            for i, (stroke, wanted) in enumerate(zip(self.strokes, self.shapes, strict=True)):
                if (
                    abs(drawn.length - wanted.length) < 0.05
                    and shapely.hausdorff_distance(drawn, wanted, densify=0.2) < 0.02
                    and np.abs(stroke[0] - points[0]).max() < 0.005
                    and all(near(corner, points) for corner in stroke[:-1])
                ):
                    counts[i] += 1
        return counts

    def beyond(self, ink: list[list[tuple[float, float]]]) -> float:
        """How much ink is off the drawing, in mm."""
        return sum(shape(np.array(line)).difference(self.area).length for line in ink)


def near(corner: np.ndarray, points: np.ndarray) -> bool:
    """Whether a line turns at a corner."""
    return np.abs(points - corner).max(axis=1).min() < 0.005


def shape(points: np.ndarray) -> shapely.Geometry:
    if len(points) > 1 and np.ptp(points, axis=0).max() > 1e-4:
        return shapely.LineString(points)
    return shapely.Point(points[0])


# --- processes --------------------------------------------------------------------------


def hurry() -> None:
    """Make the sender wait a fifth as long."""
    for module, name in (
        (grbl_link, "SILENCE"),
        (grbl_link, "WAKE"),
        (grbl_link, "BOOT"),
        (grbl_link, "AGAIN"),
        (grbl_link, "HOMING"),
        (grbl_link, "INTERVAL"),
        (grbl_link, "STALL"),
        (grbl_plot, "BLIND"),
    ):
        setattr(module, name, getattr(module, name) / 5)


def plot(
    machine: FakeGrbl, document: vp.Document, folder: Path, options: str
) -> tuple[int, str]:
    """Run the command in a process of its own while the machine works here."""
    out = folder / "output.txt"
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            os.close(machine.master)  # or the line could not be cut
            os.chdir(folder)
            file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(file, 1)
            os.dup2(file, 2)
            hurry()
            status = command(document, f"grbl {options} {folder / 'port'}")
        finally:
            os._exit(status)

    def strike(kind: str) -> None:
        if kind == "killed":
            os.kill(child, signal.SIGKILL)
            return
        os.kill(child, signal.SIGINT)
        if kind == "Ctrl-C twice":
            time.sleep(0.02)
            os.kill(child, signal.SIGINT)

    for fault in machine.faults:
        fault.strike = strike
    ended: list[int] = []
    began = time.monotonic()

    def over() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            ended.append(status)
        if time.monotonic() - began > LIMIT:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"hangs: {out.read_text()}")
        return bool(ended)

    machine.run(over)
    return os.waitstatus_to_exitcode(ended[0]), out.read_text(errors="replace")


def command(document: vp.Document, pipeline: str) -> int:
    """Run a pipeline as the console script would, and return its exit status."""
    try:
        vpype_cli.execute(pipeline, document)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Aborted!", err=True)
        return 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    return 0


# --- one plot ---------------------------------------------------------------------------


@dataclass
class Result:
    kind: str
    struck: bool
    stopped: bool = False
    asked: bool = False
    beyond: float = 0.0
    pen_left_down: bool = False
    wrong: list[str] = field(default_factory=list)


def try_one(seed: int, kind: str, folder: Path) -> Result:
    """Plot with a fault, resume until it is done, and compare."""
    rng = random.Random(seed)
    document = drawing(rng)
    paper = Paper(document)
    z = rng.random() < 0.3
    settings = {**SETTINGS, 22: int(rng.random() < 0.25)}
    if kind == "low corner":
        settings |= {22: 1, 23: 3}
    machine = FakeGrbl(
        speed=1.0 if kind in REFUSALS else rng.uniform(10, 30),
        settings=settings,
        resets_on_open=rng.random() < 0.5 and kind != "power lost",
        z_down=0.0 if z else None,
        folder=folder,
        **VARIATIONS.get(kind, {}),
    )
    if kind == "low corner":
        machine.low_corner = rng.choice((0.0, -7.5))
        machine.home = (-10.0, -15.0, 10.0)
    if settings[22]:
        ends = [machine.low_corner if machine.low(axis) else 0.0 for axis in range(3)]
        machine.offset = tuple(a - b for a, b in zip(ends, machine.home, strict=True))
    elif kind == "power lost" and not z:  # its origin is not where it was switched on
        machine.offset = (rng.uniform(-99, 99), rng.uniform(-99, 99), 0.0)
        machine.machine = machine.planned = machine.offset
    points = sum(map(len, paper.strokes))
    size = 2 * (14 * points + 60 * len(paper.strokes)) + 100
    fault = "Ctrl-C" if kind in VARIATIONS else kind
    machine.faults = [Fault(fault, rng.randint(1, size), rng)]
    profile = "-p grbl_z" if z else "-p grbl_servo"
    options = f"--yes --no-pause {profile}"
    if settings[22]:
        options += " --home"
    elif z:
        machine.move_by_hand(0, 0)
        options += " --set-origin"
    status, text = plot(machine, document, folder, options)
    result = Result(kind, struck=fault in machine.events)
    machine.faults.clear()
    result.stopped = status != 0
    log = [(options, status, text)]

    def expect(condition: bool, what: str) -> None:
        if not condition:
            told = "\n".join(f"  $ {o}\n  -> {s}: {t}" for o, s, t in log)
            result.wrong.append(f"seed {seed} {kind} {machine.events}: {what}\n{told}")

    expect("Traceback" not in text, "traceback")
    if kind == "killed":
        expect(status in (0, -signal.SIGKILL), "status")
    else:
        expect(status in (0, 1, 2), "status")
        expect(status == 0 or "Error: " in text or "Aborted!" in text, "message")
    machine.settle()
    if kind not in CUT_OFF:
        result.pen_left_down = machine.down
        locked = z and (machine.alarmed or not list(folder.glob("*.job.json")))
        expect(not machine.down or locked, "the pen is down")
        ink = [list(line) for line in machine.ink]
        time.sleep(0.01)
        machine.settle()
        expect(ink == machine.ink, "moves after the end")
    result.beyond = paper.beyond(machine.ink)
    allowed = SHORTCUT if kind in REFUSALS else 0.01
    expect(result.beyond < allowed, f"{result.beyond:.2f} mm off the drawing")
    machine.speed = max(machine.speed, 20.0)

    for _ in range(6):
        if status == 0:
            break
        if machine.master < 0:
            machine.plug_in()
        options = f"--yes --no-pause {profile}"
        if list(folder.glob("*.job.json")):
            options += " --resume"
        if "may be drawn or not" in text:
            result.asked = True
            number = int(re.search(r"Stroke (\d+) of", text)[1])
            drawn = paper.times_drawn(machine.ink)[number - 1]
            options += f" --from {number + bool(drawn)}"
            last_from = f" --from {number + bool(drawn)}"
        if settings[22]:
            options += " --home"
        elif re.search(r"locked|--set-origin", text) or (z and "--resume" not in options):
            options += " --unlock --set-origin"
            machine.move_by_hand(0, 0)
        if result.asked and "--from" not in options and not begun(folder):
            options += last_from
        status, text = plot(machine, document, folder, options)
        log.append((options, status, text))
        expect("Traceback" not in text, "traceback on resuming")
        machine.settle()
    expect(status == 0, "cannot be resumed")
    times = paper.times_drawn(machine.ink)
    expect(times == [1] * len(times), f"drawn {times} times")
    expect(paper.beyond(machine.ink) < result.beyond + 0.01, "resumed off the drawing")
    by_hand = z and "drawn already" in text  # put there for an origin that was not needed
    expect(not machine.down or by_hand, "the pen is down at the end")
    expect(not list(folder.glob("*.job.json*")), "a job file is left")
    return result


def try_seed(seed: int) -> Result:
    """Plot with the fault that a seed stands for."""
    kind = FAULTS[seed % len(FAULTS)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            return try_one(seed, kind, Path(folder))
        except AssertionError as error:
            return Result(kind, True, wrong=[f"seed {seed} {kind}: {error}"])


def begun(folder: Path) -> bool:
    """Whether a resumed plot has settled what was in doubt."""
    return '"finishing": true' not in "".join(
        file.read_text() for file in folder.glob("*.job.json")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4, help="plots at the same time")
    parser.add_argument("--only", type=int, help="the seed of one plot")
    options = parser.parse_args()
    seeds = [options.seed * 170_000 + i for i in range(options.plots)]
    if options.only is not None:
        seeds = [options.only]
    began = time.monotonic()
    results = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for result in pool.map(try_seed, seeds):
            results.append(result)
            for line in result.wrong:
                print(line, flush=True)
    print(f"{options.plots} plots in {time.monotonic() - began:.0f} s\n")
    print("| fault | plots | stopped | asked about a stroke | most off the drawing | wrong |")
    print("|---|---|---|---|---|---|")
    for kind in (*FAULTS, "all"):
        of = [r for r in results if kind in (r.kind, "all")]
        print(
            f"| {kind} | {len(of)} | {sum(r.stopped for r in of)} | "
            f"{sum(r.asked for r in of)} | {max((r.beyond for r in of), default=0):.2f} mm | "
            f"{sum(bool(r.wrong) for r in of)} |"
        )
    return any(r.wrong for r in results)


if __name__ == "__main__":
    sys.exit(main())
