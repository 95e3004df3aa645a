"""`grbl` on a fake machine: what it inks, what it refuses, and how it stops and goes on."""

from __future__ import annotations

import fcntl
import math
import os
import pty
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tomllib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pygcode
import pytest
import vpype as vp
import vpype_cli
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import VPYPE
from tests.fakes.grbl import SETTINGS, FakeGrbl, Fault, running
from tests.plotters.grbl_faults import Paper
from vpype_sketchformer.plotters.grbl import link as grbl_link
from vpype_sketchformer.plotters.grbl.codes import ALARMS, ERRORS, words
from vpype_sketchformer.plotters.grbl.plan import Kinematics, compact, durations, reached
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress

MM = 96 / 25.4
PAGE = (100.0, 80.0)
FAST = 200.0


def drawing() -> vp.Document:
    """Two pens: a triangle, a stroke and a dot, then a wave and a circle; lengths in mm."""
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    document.add([MM * np.array([10 + 10j, 40 + 10j, 30 + 40j, 10 + 10j])], 1)
    document.add([MM * np.array([50 + 70j, 90.1234 + 1.2345j])], 1)
    document.layers[1].lines.append(MM * np.array([5 + 5j]))
    wave = np.linspace(0, 50, 40)
    document.add([MM * (20 + wave + 1j * (40 + 20 * np.sin(wave)))], 2)
    document.add([MM * (80 + 20j + 5 * np.exp(1j * np.linspace(0, 2 * np.pi, 20)))], 2)
    document.layers[2].set_property("vp_name", "fine red")
    document.layers[2].set_property("vp_color", vp.Color("#ff0000"))
    return document


def lines_only() -> vp.Document:
    """The drawing without its dot, which vpype itself drops on the way."""
    document = drawing()
    document.layers[1].lines.pop()
    return document


def is_drawn(machine: FakeGrbl, document: vp.Document | None = None) -> bool:
    """Whether the paper shows every stroke once, and nothing else."""
    paper = Paper(document or drawing())
    once = paper.times_drawn(machine.ink) == [1] * len(paper.strokes)
    return once and paper.beyond(machine.ink) < 0.01 and len(machine.ink) == len(paper.strokes)


def is_sound(machine: FakeGrbl, document: vp.Document | None = None) -> bool:
    """Whether every stroke is on the paper once, and no ink beside them."""
    paper = Paper(document or drawing())
    once = paper.times_drawn(machine.ink) == [1] * len(paper.strokes)
    return once and paper.beyond(machine.ink) < 0.01


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


Plot = Callable[..., FakeGrbl]


@pytest.fixture
def plot() -> Plot:
    """Plot the drawing, in this process, on a machine of one's own or a new one."""

    def run(
        options: str = "",
        machine: FakeGrbl | None = None,
        before: str = "",
        document: vp.Document | None = None,
        after: str = "",
    ) -> FakeGrbl:
        machine = machine or FakeGrbl(speed=FAST)
        with running(machine):
            options = f"--yes --no-pause {options}"
            vpype_cli.execute(
                f"{before} grbl {options} {machine.port} {after}", document or drawing()
            )
        return machine

    return run


@contextmanager
def stopping(message: str, status: int = 1) -> Iterator[None]:
    """Expect the command to end with one line."""
    with pytest.raises(click.ClickException, match=message) as caught:
        yield
    assert caught.value.exit_code == status
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("grbl: ")


# --- what is inked ----------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["grbl_servo", "grbl_servo_s", "grbl_z"])
@pytest.mark.parametrize("option", ["", "--simple", "--no-check"])
def test_draws_the_document(plot: Plot, profile: str, option: str) -> None:
    machine = FakeGrbl(
        speed=FAST,
        z_down=0.0 if profile == "grbl_z" else None,
        s_down=200.0 if profile == "grbl_servo_s" else None,
    )
    if profile == "grbl_servo_s":
        machine.spinning, machine.spindle = True, 100.0
    plot(f"-p {profile} {option}", machine)
    strokes = [line for line in machine.ink if profile != "grbl_servo_s" or line != [(0, 0)]]
    machine.ink = strokes  # without a signal this servo drops its pen, at the origin
    assert is_drawn(machine)
    assert machine.overflowed == 0
    assert machine.machine[:2] == (0, 0)
    assert not machine.down


def test_the_document_goes_on_unchanged(plot: Plot) -> None:
    machine = FakeGrbl(speed=np.inf)
    with running(machine):
        document = drawing()
        after = vpype_cli.execute(f"grbl --yes --no-pause {machine.port}", document)
    assert after == document == drawing()


def test_keeps_to_the_machines_buffer(plot: Plot) -> None:
    machine = plot()
    assert 100 < machine.most_unread <= 127
    assert machine.overflowed == 0
    assert plot("--simple").most_unread <= 30


def test_values_are_those_of_gwrite(plot: Plot) -> None:
    values = "propset -g s_down 300 propset -l 2 feed 700 propset -g -t float dwell 0.5"
    log = plot(before=values).log
    assert any(line.endswith("F700") for line in log)
    assert any(line.endswith("F2000") for line in log)
    assert {"M3S300", "G4P0.5"} <= set(log)


def test_dry_run_is_gwrites_program(capsys: pytest.CaptureFixture[str]) -> None:
    document = drawing()
    document.pop(2)
    vpype_cli.execute("gwrite -p grbl_servo out.gcode", document)
    written = Path("out.gcode").read_text()
    vpype_cli.execute("grbl --dry-run /dev/nowhere", document)
    out, err = capsys.readouterr()
    assert path_of(out.splitlines()) == path_of(written.splitlines())
    assert "3 pen lifts" in err


def path_of(lines: list[str]) -> list[tuple[object, ...]]:
    """Where pygcode's machine goes, and its pen."""
    machine, path = pygcode.Machine(), []
    for line in lines:
        machine.process_block(pygcode.Line(line).block)
        mode = machine.mode
        state = (machine.pos.X, machine.pos.Y, machine.pos.Z, str(mode.spindle))
        if not path or path[-1] != state:
            path.append(state)
    return path


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["G0", "G1"]),
            st.floats(-999, 999).map(lambda x: f"{x:z.3f}"),
            st.sampled_from(["10", "200", "3000.50"]),
        ),
        max_size=20,
    )
)
def test_shorter_lines_do_the_same(moves: list[tuple[str, str, str]]) -> None:
    lines = ["G21 G90 G94 G17", "M5", "G4 P0.20"]
    lines += [f"{motion} X{place} Y{place} F{feed} (a move)" for motion, place, feed in moves]
    short = list(compact(lines))
    assert path_of(short) == path_of(lines)
    assert len(short) == len(lines)
    assert all(len(a) <= len(b) for a, b in zip(short, lines, strict=True))


def test_forlayer(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    with running(machine):
        vpype_cli.execute(f"forlayer grbl --yes --no-pause {machine.port} end", drawing())
    assert is_drawn(machine, lines_only())
    assert not list(Path().iterdir())


def test_random_drawings(plot: Plot) -> None:
    from tests.plotters.grbl_faults import drawing as random_drawing

    for seed in range(5):
        document = random_drawing(random.Random(seed))
        assert is_sound(plot(machine=FakeGrbl(speed=1000), document=document), document)


def test_a_slow_move_may_take_as_long_as_it_likes(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SILENCE", "STALL"):
        monkeypatch.setattr(grbl_link, name, 0.5)
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    document.add([MM * np.array([10 + 70j, 90 + 70j])])
    machine = plot(machine=FakeGrbl(speed=1.5), document=document)
    assert is_drawn(machine, document)


# --- before the first move --------------------------------------------------------------


def locked(**settings: float) -> FakeGrbl:
    machine = FakeGrbl(speed=FAST, settings={**SETTINGS, 22: 1, **settings})
    machine.offset = tuple(-place for place in machine.home)
    return machine


def test_an_alarm_is_refused_with_the_way_out(plot: Plot) -> None:
    machine = locked()
    with stopping("--home.*--unlock"):
        plot(machine=machine)
    assert machine.ink == []
    assert machine.alarmed


def test_unlock_and_home(plot: Plot) -> None:
    machine = plot("--home", locked())
    assert is_drawn(machine)
    machine = locked()
    machine.machine = (-290.0, -190.0, 0.0)
    assert is_drawn(plot("--unlock", machine))


def test_home_needs_homing(plot: Plot) -> None:
    with stopping("homing is switched off"):
        plot("--home")


@pytest.mark.parametrize(("axis", "end"), [("X", 350 + 5j), ("Y", 5 + 250j)])
def test_a_drawing_larger_than_the_machine_is_refused(
    plot: Plot, axis: str, end: complex
) -> None:
    machine = FakeGrbl(speed=FAST)
    document = vp.Document(page_size=(400 * MM, 300 * MM))
    document.add([MM * np.array([5 + 295j, end.real + (300 - end.imag) * 1j])])
    with stopping(f"along {axis}, the machine has"):
        plot(machine=machine, document=document)
    assert machine.ink == []


def test_a_place_out_of_reach_is_refused(plot: Plot) -> None:
    machine = locked()
    machine.offset = (-50.0, -190.0, -10.0)  # the corner of the page is near the right end
    with stopping("the drawing would reach .* in the machine's own X"):
        plot("--home", machine)
    assert machine.ink == []


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("--park 5cm -1cm", "the place where the pen waits would reach from -10.0"),
        ("--frame page", "the frame would reach from 0.0 to 250.0 mm"),
        ("", ""),
        ("--no-check --park 5cm -1cm", ""),
    ],
)
def test_the_way_around_the_drawing_is_checked_too(plot: Plot, option: str, what: str) -> None:
    """The park and the frame of a machine that homes to its low corner, 0, 0."""
    machine = low_corner()
    machine.home, machine.offset = (0.0, 0.0, 10.0), (0.0, 0.0, -10.0)
    document = vp.Document(page_size=(100 * MM, 250 * MM))
    document.add([MM * np.array([10 + 240j, 90 + 240j])])
    if what:
        with stopping(f"{what}.* ends at 0.0"):
            plot(f"--home {option}", machine, document=document)
        assert machine.ink == []
    else:
        plot(f"--home {option}", machine, document=document)
        assert len(machine.ink) == 1


@pytest.mark.parametrize("startup", ["G54", "G55"])
def test_the_origin_is_set_in_the_system_that_is_used(plot: Plot, startup: str) -> None:
    machine = FakeGrbl(speed=FAST, startup=startup)
    machine.machine = machine.planned = (30.0, 20.0, 0.0)
    machine._boot(hard=False)
    assert is_drawn(plot("--set-origin", machine))


def test_check_mode_finds_what_the_machine_refuses(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    machine.faults = [Fault("error", 40, random.Random(1))]
    with stopping("error:.* in answer to the line"):
        plot(machine=machine)
    assert machine.ink == []
    assert machine.state == "Idle"
    assert not list(Path().iterdir())


def test_laser_mode_is_refused(plot: Plot) -> None:
    with stopping(r"\$32=0"):
        plot(machine=FakeGrbl(speed=FAST, settings={**SETTINGS, 32: 1}))


def test_a_controller_that_forgot_its_place_is_refused(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST, resets_on_open=True)
    machine.offset = (50.0, 30.0, 0.0)
    with stopping("--set-origin"):
        plot(machine=machine)
    machine.plug_in()
    assert is_drawn(plot("--set-origin", machine))


def test_the_port_is_left_so_that_it_does_not_reset_again(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST, resets_on_open=True)
    with running(machine):
        for _ in range(2):
            vpype_cli.execute(f"grbl --yes --no-pause {machine.port}", drawing())
    assert machine.events == ["reset by opening"]


def test_half_a_line_of_someone_else_is_not_run(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    for byte in b"M3S250\nG1F2000X5":
        machine._realtime(byte)
    machine.settle()
    machine.ink.clear()
    plot(machine=machine)
    assert is_sound(machine)
    assert "G1F2000X5" not in "".join(machine.log[1:])


def test_nobody_there(plot: Plot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grbl_link, "BOOT", 0.4)
    machine = FakeGrbl()
    machine.step = lambda: time.sleep(0.01)  # type: ignore[method-assign]
    with stopping("no GRBL answers"):
        plot(machine=machine)


def test_settings_in_inches_are_understood(plot: Plot) -> None:
    # $13=1: the fake reports mm all the same, so the place it tells is 25.4 times too far
    machine = FakeGrbl(speed=FAST, settings={**SETTINGS, 13: 1}, resets_on_open=True)
    machine.offset = (1.0, 0.0, 0.0)
    with stopping("X-25.4 Y0.0"):
        plot(machine=machine)


def test_the_estimate_is_of_this_machine(
    plot: Plot, capsys: pytest.CaptureFixture[str]
) -> None:
    document = vp.Document(page_size=(300 * MM, 20 * MM))
    document.add([MM * np.array([0 + 20j, 240 + 20j])])  # and home again, as far
    values = "propset -g feed 6000 propset -g -t int dwell 0"
    for acceleration, seconds in ((500, "05 s"), (10, "20 s")):
        limits = {110: 6000, 111: 6000, 120: acceleration, 121: acceleration}
        machine = FakeGrbl(speed=1000, settings={**SETTINGS, **limits})
        plot(machine=machine, document=document, before=values)
        assert f"about 0 min {seconds}" in capsys.readouterr().err


# --- refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("grbl --yes /dev/null", "cannot open /dev/null"),
        ("grbl --yes /dev/nowhere", "there is no such port"),
        ("grbl /dev/nowhere", "nobody to ask; say --yes"),
        ("grbl --yes /dev/nowhere", "cannot open"),
        ("ldelete all grbl --yes /dev/nowhere", "nothing to draw"),
        ("pagesize 20mmx20mm grbl --yes /dev/nowhere", "beyond its page"),
        ("propset -g feed fast grbl --yes /dev/nowhere", "feed is 'fast'"),
        ("grbl --yes -p gcodemm /dev/nowhere", "not a profile with a pen"),
        ("grbl --yes --resume /dev/nowhere", "nothing to resume"),
        ("grbl --yes --from 9 /dev/nowhere", "9 is not 1 to 3"),
    ],
)
def test_refused(pipeline: str, message: str) -> None:
    document = drawing()
    document.pop(2)
    with pytest.raises(click.UsageError, match=message) as caught:
        vpype_cli.execute(pipeline, document)
    assert caught.value.exit_code == 2
    assert not list(Path().iterdir())


@pytest.mark.parametrize("command", ["{}", "forlayer {} end"])
def test_nobody_to_change_the_pen(command: str) -> None:
    with pytest.raises(click.UsageError, match="--no-pause"):
        vpype_cli.execute(command.format("grbl --yes /dev/nowhere"), drawing())


def test_forlayer_needs_a_page() -> None:
    document = drawing()
    document.page_size = None
    with pytest.raises(click.UsageError, match="pagesize"):
        vpype_cli.execute("forlayer grbl --yes /dev/nowhere end", document)


def test_another_drawing_is_not_resumed(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("reset", 700, random.Random(1))]
    with stopping("reset"):
        plot("--no-check", machine)
    assert Path("plot.job.json").exists()
    with pytest.raises(click.UsageError, match="not the drawing"):
        vpype_cli.execute("translate 1mm 0 grbl --yes --no-pause --resume /dev/x", drawing())
    Path("plot.job.json").write_text("{}")
    with pytest.raises(click.UsageError, match="not a job file"):
        vpype_cli.execute("grbl --yes --no-pause --resume /dev/x", drawing())


# --- stopping and going on --------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 22, 33])
def test_errors_are_told_in_words(plot: Plot, number: int) -> None:
    machine = FakeGrbl(speed=20)
    rng = random.Random()
    rng.choice = lambda options: number  # type: ignore[method-assign, assignment]
    machine.faults = [Fault("error", 500, rng)]
    with stopping(
        f"error:{number} .*{ERRORS[number][:9]}.* line '.*pen is up.*strokes are drawn"
    ):
        plot("--no-check", machine)
    assert not machine.down


def test_every_code_has_words() -> None:
    assert sorted(ERRORS) == [*range(1, 18), *range(20, 39)]
    assert sorted(ALARMS) == list(range(1, 11))
    assert "limit switch" in words("ALARM:1")
    assert "not a code of GRBL" in words("error:99")


def test_resume_after_forlayer_was_stopped(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("Ctrl-C", 1500, random.Random(1), strike=interrupt)]
    with running(machine), stopping("stopped by you"):
        vpype_cli.execute(f"forlayer grbl --yes --no-pause {machine.port} end", drawing())
    assert Path("plot.job.json").exists()
    assert not machine.down
    machine.plug_in()
    with running(machine):
        vpype_cli.execute(
            f"forlayer grbl --yes --no-pause --resume {machine.port} end", drawing()
        )
    assert is_sound(machine, lines_only())
    assert not Path("plot.job.json").exists()


def test_a_new_plot_owes_nothing_to_an_earlier_one() -> None:
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    document.add([], 1)
    x = np.linspace(0, 80, 200)
    document.add([MM * (10 + x + 1j * (40 + 20 * np.sin(x)))], 2)
    document.add([MM * np.array([10 + 5j, 90 + 5j])], 3)
    last = vp.Document(page_size=document.page_size)
    last.add(document.layers[3], 3)
    earlier = Progress(Job.from_document(last).upright().fingerprint, 1, drawn=1)
    JobFile.beside(document).save({"3": earlier})
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("Ctrl-C", 900, random.Random(1), strike=interrupt)]
    pipeline = "forlayer grbl --yes --no-check --no-pause {} {} end"
    with running(machine), stopping("stopped by you"):
        vpype_cli.execute(pipeline.format("", machine.port), document)
    machine.plug_in()
    with running(machine):
        vpype_cli.execute(pipeline.format("--resume", machine.port), document)
    assert is_sound(machine, document)
    assert not Path("plot.job.json").exists()


def test_the_pen_rises_when_the_disk_is_full(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves, save = [], JobFile.save

    def full(file: JobFile, jobs: dict[str, Progress]) -> None:
        saves.append(jobs)
        if len(saves) > 4:
            raise JobError("cannot write: no space left.")
        save(file, jobs)

    monkeypatch.setattr(JobFile, "save", full)
    machine = FakeGrbl(speed=20)
    with stopping("no space left. The pen is up.*strokes are drawn"):
        plot(machine=machine)
    assert not machine.down
    monkeypatch.setattr(JobFile, "save", save)
    machine.plug_in()
    with pytest.raises(click.UsageError, match="may be drawn or not"):
        plot("--resume", machine)
    drawn = Paper(drawing()).times_drawn(machine.ink)[1]
    machine.plug_in()
    plot(f"--resume --from {2 + drawn}", machine)
    assert is_sound(machine)


def test_the_pen_rises_when_the_terminal_is_gone(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(bar: object, passed: float, note: str) -> None:
        if passed > 5:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("vpype_sketchformer.commands.support.terminal.PlotBar.show", show)
    machine = FakeGrbl(speed=20)
    with stopping("Broken pipe. The pen is up"):
        plot(machine=machine)
    assert not machine.down


def test_a_file_of_another_kind_is_left_alone(plot: Plot) -> None:
    Path("plot.job.json").write_text("mine")
    with pytest.raises(click.UsageError, match="not a job file"):
        plot()
    assert Path("plot.job.json").read_text() == "mine"


def test_an_empty_layer_does_not_end_forlayer(plot: Plot) -> None:
    document = lines_only()
    document.add([], 3)
    machine = FakeGrbl(speed=FAST)
    with running(machine):
        vpype_cli.execute(f"forlayer grbl --yes --no-pause {machine.port} end", document)
    assert is_drawn(machine, lines_only())
    assert not list(Path().iterdir())


def interrupt(kind: str) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_job_file_lies_beside_the_drawing(plot: Plot, folder: Path) -> None:
    (folder / "art").mkdir()
    with (folder / "art" / "sheet.svg").open("w") as file:
        vp.write_svg(file, drawing(), page_size=(PAGE[0] * MM, PAGE[1] * MM))
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("reset", 900, random.Random(1))]
    with stopping("reset"):
        plot("--no-check", machine, before="read art/sheet.svg", document=vp.Document())
    assert [file.name for file in (folder / "art").iterdir() if file.suffix == ".json"] == [
        "sheet.job.json"
    ]


def test_the_origin_comes_back_after_a_reset(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("Ctrl-C", 1400, random.Random(1), strike=interrupt)]
    with stopping("stopped by you.*It stands at"):
        plot(machine=machine)
    machine._boot(hard=True)  # switched off and on: it takes this place for its origin
    machine.plug_in()
    plot("--resume", machine)
    assert is_sound(machine)


@pytest.mark.parametrize(
    ("points", "place", "under_way", "verdict"),
    [
        ([0, 10], 10, True, True),
        ([0, 10], 10, False, True),
        ([0, 10], 9.9, True, False),
        ([0, 10, 10j, 0], 0, False, None),  # closed: it may not have begun
        ([0, 10, 10j, 0], 0, True, True),
        ([0, 10, 0], 0, True, True),
        ([0, 10, 5, 5 + 5j, 0], 0, True, True),
        ([0, 20, 20 + 5j, 10 + 5j, 10], 10, True, None),  # it passes its end on the way
        ([3], 3, True, None),
        ([0, 0.01, 0], 0, True, None),
    ],
)
def test_when_a_stroke_is_known_to_be_drawn(
    points: list[complex], place: complex, under_way: bool, verdict: bool | None
) -> None:
    assert reached(np.array(points, complex), place, under_way) is verdict


class Asleep:
    """The port of a machine that goes on while the computer sleeps for a minute."""

    timeout = 0.0

    def __init__(self) -> None:
        self.now, self.said = 0.0, b""

    @property
    def in_waiting(self) -> int:
        return len(self.said)

    def read(self, count: int) -> bytes:
        self.now += 60
        data, self.said = self.said[:count], self.said[count:]
        return data

    def write(self, data: bytes) -> None:
        if b"\n" in data:
            self.said = b"<Idle|MPos:0.000,0.000,0.000>\nok\n"


def test_a_computer_that_slept_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come in the meantime is read before the machine is thought to be stuck."""
    port = Asleep()
    monkeypatch.setattr(grbl_link, "time", SimpleNamespace(monotonic=lambda: port.now))
    machine = grbl_link.Machine(port)
    assert machine.ask("G0 X0") == []
    assert machine.status is not None and machine.status.state == "Idle"


class Distant(Asleep):
    """The port of a machine whose answers take a tenth of a second, as by Wi-Fi."""

    def __init__(self) -> None:
        super().__init__()
        self.coming: deque[tuple[float, bytes]] = deque()

    def read(self, count: int) -> bytes:
        self.now += 0.05
        while self.coming and self.coming[0][0] <= self.now:
            self.said += self.coming.popleft()[1]
        data, self.said = self.said[:count], self.said[count:]
        return data

    def write(self, data: bytes) -> None:
        if data == b"?":
            self.coming.append((self.now + 0.1, b"<Idle|MPos:0.000,0.000,0.000>\n"))


def test_a_user_may_think_as_long_as_they_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine is not gone because nobody has listened to it while a question was asked."""
    port = Distant()
    monkeypatch.setattr(grbl_link, "time", SimpleNamespace(monotonic=lambda: port.now))
    machine = grbl_link.Machine(port)
    machine.report()
    port.now += 600
    assert machine.report().state == "Idle"
    monkeypatch.setattr(port, "write", len)
    began = port.now
    with pytest.raises(grbl_link.LineLostError, match="has not answered for 5 s"):
        machine.report()
    assert port.now - began == pytest.approx(5, abs=0.2)


def test_faults() -> None:
    """A few of what tests/plotters/grbl_faults.py does by the hundred."""
    script = Path(__file__).with_name("grbl_faults.py")
    result = subprocess.run(
        [sys.executable, script, "--plots", "24", "--jobs", "8"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(script.parents[2])},
    )
    assert result.returncode == 0, result.stdout + result.stderr


# --- other firmwares, and what machines say -----------------------------------------------


@pytest.mark.parametrize("profile", ["grbl_servo", "grbl_z"])
@pytest.mark.parametrize(
    "kind",
    [
        {"startup": "G54"},
        {"startup": "G55"},
        {"firmware": "grblhal"},
        {"firmware": "fluidnc"},
        {"firmware": "grbl_esp32"},
        {"babble": "[MSG:INFO: Low memory]"},
        {"babble": "<Idle|MP"},
        {"build": "[OPT:VZ+*$#,15,128,4]"},
        {"build": "[OPT:V,15,0]"},
        {"build": "[OPT:V,15,5]"},
        {"build": f"[OPT:V,15,{'9' * 900}]"},
        {"start_time": 1.2},
    ],
    ids=str,
)
def test_draws_on_other_firmwares(
    plot: Plot, monkeypatch: pytest.MonkeyPatch, kind: dict[str, str], profile: str
) -> None:
    monkeypatch.setattr(grbl_link, "WAKE", 0.5)
    monkeypatch.setattr(grbl_link, "AGAIN", 0.3)
    z_down = 0.0 if profile == "grbl_z" else None
    machine = FakeGrbl(speed=FAST, resets_on_open="start_time" in kind, z_down=z_down, **kind)
    if "start_time" in kind:
        machine.move_by_hand(0, 0)
    plot(f"-p {profile} {'--set-origin' * ('start_time' in kind)}", machine)
    paper = Paper(drawing())
    assert paper.times_drawn(machine.ink) == [1] * len(paper.strokes)


@pytest.mark.parametrize("firmware", ["fluidnc", "grbl_esp32"])
def test_no_dwell_is_so_short_that_it_tells_nothing(plot: Plot, firmware: str) -> None:
    """An ESP32 answers a dwell of no time at once, before the stroke is drawn."""
    machine = FakeGrbl(speed=FAST, firmware=firmware)
    plot(machine=machine, before="propset -g -t int dwell 0")
    assert is_drawn(machine)
    assert "G4P0.01" in machine.log
    assert "G4P0" not in machine.log


def test_an_older_grbl_is_told_that_it_is_too_old(plot: Plot) -> None:
    with stopping("GRBL 0.9, and 1.1 is needed"):
        plot(machine=FakeGrbl(speed=FAST, firmware="grbl 0.9"))


@pytest.mark.parametrize(
    "said",
    [
        "[MSG:" + 5000 * "x" + "]",
        "$1=" + 5000 * "9",
        "error:" + 5000 * "9",
        "\x1b[2J",
        "ok",
        "error:99999",
        "\n".join(3000 * ["$131=200.000"]),
        "\n".join(3000 * ["[MSG:hello]"]),
    ],
    ids=lambda text: text[:12],
)
def test_what_no_machine_should_say_is_one_line(plot: Plot, said: str) -> None:
    machine = FakeGrbl(speed=FAST, babble=said)
    with stopping("the machine .*"):
        plot(machine=machine)
    assert machine.ink == []


def test_a_machine_that_only_babbles_is_left(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grbl_link, "SILENCE", 0.5)
    machine = FakeGrbl(speed=FAST)
    said = machine._write

    def babble(text: str) -> None:
        said("[MSG:Wi-Fi]" if "Grbl" not in text and len(machine.log) > 2 else text)

    machine._write = babble  # type: ignore[method-assign]
    with stopping("has not answered for"):
        plot(machine=machine)


# --- where a machine stands -----------------------------------------------------------------


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (54.0, 107.0, 0.0)])
def test_a_machine_that_lost_its_power_unseen_is_not_resumed(
    plot: Plot, monkeypatch: pytest.MonkeyPatch, offset: tuple[float, float, float]
) -> None:
    monkeypatch.setattr(grbl_link, "SILENCE", 0.6)
    monkeypatch.setattr("vpype_sketchformer.plotters.grbl.plot.BLIND", 0.1)
    machine = FakeGrbl(speed=20)
    machine.offset = machine.machine = machine.planned = offset
    machine.faults = [Fault("power lost", 900, random.Random(1))]
    with stopping("has not answered"):
        plot("--no-check", machine)
    assert machine.machine == (0, 0, 0)
    ink = [list(line) for line in machine.ink]
    machine.plug_in()
    with stopping("--set-origin"):
        plot("--resume", machine)
    assert machine.ink == ink
    machine.move_by_hand(0, 0)
    machine.plug_in()
    plot("--resume --set-origin", machine)
    assert is_sound(machine)


def test_a_new_plot_needs_the_origin_after_the_power_was_lost(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    machine.offset = (54.0, 107.0, 0.0)  # from the memory of the board; it stands at 0, 0, 0
    with stopping("just switched on.*--set-origin"):
        plot(machine=machine)
    assert machine.ink == []


def test_a_killed_plot_goes_on_where_the_machine_stands(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    machine.offset = machine.machine = machine.planned = (5.0, 6.0, 0.0)
    machine.faults = [Fault("line drops", 900, random.Random(1))]
    with stopping("the line to the machine is gone"):
        plot("--no-check", machine)
    machine.settle()
    machine.plug_in()
    plot("--resume", machine)
    assert is_sound(machine)


def test_a_machine_that_was_moved_since_needs_its_origin(plot: Plot) -> None:
    """Its pen is not where the plot stopped, though --yes would say so."""
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("Ctrl-C", 900, random.Random(1), strike=interrupt)]
    with stopping("stopped by you.*It stands at"):
        plot("--no-check", machine)
    ink = [list(line) for line in machine.ink]
    x, y, z = machine.machine
    machine.machine = machine.planned = (x + 7, y, z)
    machine.plug_in()
    with stopping("not where the plot has left it.*--set-origin"):
        plot("--resume", machine)
    assert machine.ink == ink


def test_looking_at_the_frame_does_not_cost_the_place(plot: Plot, folder: Path) -> None:
    machine = FakeGrbl(speed=20, folder=folder)
    with Path("sheet.svg").open("w") as file:
        vp.write_svg(file, drawing(), page_size=(PAGE[0] * MM, PAGE[1] * MM))
    machine.faults = [Fault("Ctrl-C", 700, random.Random(1), strike=interrupt)]
    with stopping("stopped by you"):
        plot("--no-check", machine, before="read sheet.svg", document=vp.Document())
    for left in ("frame", "question"):
        machine.plug_in()
        with terminal(machine, "--resume --frame page --jog-feed 1000 --no-pause") as user:
            user.expect("around the frame")
            if left == "frame":
                time.sleep(0.1)
                user.type("q")
            else:
                user.expect("again? [y/N]")
                user.type("n\n")
                user.expect("Plot? [y/N]")
                user.type("n\n")
            assert user.end() == 1
    machine.plug_in()
    plot("--resume", machine, before="read sheet.svg", document=vp.Document())
    assert on_paper(machine)


def test_a_limit_switch_is_reset_until_the_machine_listens(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    machine.faults = [Fault("limit switch", 900, random.Random(1))]
    with stopping("limit switch.*The machine is locked.*--home"):
        plot("--no-check", machine)
    assert not machine.critical
    assert not machine.down


def test_a_servo_without_signal_is_raised_before_anything_is_asked() -> None:
    machine = FakeGrbl(speed=FAST, s_down=200.0)
    with terminal(machine, "-p grbl_servo_s") as user:
        user.expect("Plot? [y/N]")
        assert not machine.down
        user.type("n\n")
        assert user.end() == 1
    assert not machine.down


def low_corner(low: float = 0.0, firmware: str = "fluidnc") -> FakeGrbl:
    """An ESP32 that homes to the bottom left, where it calls its place ``low``."""
    machine = FakeGrbl(speed=FAST, firmware=firmware, settings={**SETTINGS, 22: 1, 23: 3})
    machine.home, machine.low_corner = (-10.0, -15.0, 10.0), low
    machine.offset = (low + 10.0, low + 15.0, -10.0)
    return machine


@pytest.mark.parametrize("low", [0.0, -7.5])
@pytest.mark.parametrize("firmware", ["fluidnc", "grbl_esp32"])
def test_a_machine_may_home_to_a_low_corner(plot: Plot, low: float, firmware: str) -> None:
    machine = plot("--home", low_corner(low, firmware))
    assert is_drawn(machine)
    machine.plug_in()
    machine.ink.clear()
    assert is_drawn(plot(machine=machine))  # its range is asked for where it was not homed
    machine.plug_in()
    machine.offset = (low + 250.0, low + 15.0, -10.0)
    with stopping(f"from .* ends at {low:.1f} and {low + 300:.1f}"):
        plot(machine=machine)


def test_without_checks_the_travel_is_not_checked(plot: Plot) -> None:
    machine = low_corner()
    machine.firmware = "grbl"  # so that all of it is beyond
    machine.alarmed = False
    machine.machine = (11.0, 16.0, -9.0)
    with stopping("in the machine's own X"):
        plot(machine=machine)
    machine.plug_in()
    plot("--no-check", machine)
    assert len(machine.ink) == 5


def test_the_size_is_that_of_the_drawing_alone(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    machine.machine = machine.planned = (-400.0, 0.0, 0.0)
    plot(machine=machine)
    assert len(machine.ink) == 5


def test_the_height_of_the_pen_is_checked(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST, z_down=0.0, settings={**SETTINGS, 20: 1, 22: 1})
    machine.offset = (-290.0, -190.0, -1.0)  # Z: touches the paper 1 mm below its top
    with stopping("the pen's heights would reach from -1.0 to 2.0 mm in the machine's own Z"):
        plot("--home -p grbl_z", machine)
    assert machine.ink == []


def test_motors_that_are_let_go_are_mentioned(
    plot: Plot, capsys: pytest.CaptureFixture[str]
) -> None:
    plot()
    assert "$1=255" in capsys.readouterr().err
    plot(machine=FakeGrbl(speed=FAST, settings={**SETTINGS, 1: 255}))
    assert "$1=255" not in capsys.readouterr().err


def test_the_estimate_of_simple_counts_the_answers(
    plot: Plot, capsys: pytest.CaptureFixture[str]
) -> None:
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    x = np.linspace(10, 20, 101)
    document.add([MM * (x + 1j * (40 + 0.1 * (np.arange(101) % 2)))])
    machine = FakeGrbl(speed=1000, latency=0.05)
    began = time.monotonic()
    plot("--simple --no-check", machine, document=document)
    took = time.monotonic() - began
    minutes, seconds = re.search(r"about (\d+) min (\d+) s", capsys.readouterr().err).groups()
    assert 60 * int(minutes) + int(seconds) > took / 2


@pytest.mark.parametrize(
    "text",
    [
        f'{{"format": "vpype-sketchformer-job-1", "jobs": {{"1,2": {record}}}}}'
        for record in (
            '{"fingerprint": "x", "strokes": 5, "drawn": 0.5}',
            '{"fingerprint": "x", "strokes": true}',
            '{"fingerprint": 3, "strokes": 5}',
            '{"fingerprint": "x", "strokes": 5, "position": [0, 1]}',
            '{"fingerprint": "x", "strokes": 5, "position": [0, 1, NaN]}',
            '{"fingerprint": "x", "strokes": 5, "offset": {"a": 1}}',
            '{"fingerprint": "x", "strokes": 5, "lost": 1}',
            '{"fingerprint": "x", "strokes": 5, "drawn": 6}',
            f'{{"fingerprint": "x", "strokes": {5000 * "9"}}}',
            "[]",
            "null",
        )
    ]
    + [100_000 * "[", "\x00", 11_000_000 * " "],
    ids=lambda text: text[-40:],
)
def test_a_strange_job_file_is_one_line(text: str) -> None:
    Path("plot.job.json").write_text(text)
    with pytest.raises(click.UsageError, match="not a job file") as caught:
        vpype_cli.execute("grbl --yes --no-pause --resume /dev/x", drawing())
    assert caught.value.exit_code == 2


def test_a_pipe_is_no_job_file() -> None:
    os.mkfifo("plot.job.json")
    with pytest.raises(click.UsageError, match="not a job file"):
        vpype_cli.execute("grbl --yes --no-pause --resume /dev/x", drawing())


# --- how long it takes ------------------------------------------------------------------

STEADY = Kinematics((6000, 6000, 600), (100, 100, 10), 0.01)


def total(*lines: str) -> float:
    return float(durations(["G90", "M5", *lines, "M5"], STEADY).sum())


def test_time_of_a_straight_line() -> None:
    """At 100 mm/s and 100 mm/s²: a second and 50 mm to get up to speed, as much to brake."""
    assert total("G1X200F6000") == pytest.approx(3)
    assert total("G1X100F6000") == pytest.approx(2)
    assert total("G1X25F6000") == pytest.approx(1)
    assert total("G0X200") == pytest.approx(3), "the top speed of the machine"
    assert total("G1X200F12000") == pytest.approx(3), "no faster than the machine"
    assert total("G1X120Y160F6000") < 3, "both axes push"
    assert total("G4P1.5") == pytest.approx(1.5)


def test_time_of_a_path() -> None:
    pieces = [f"G1X{x}F6000" for x in range(1, 201)]
    assert total(*pieces) == pytest.approx(3), "a straight line in pieces is a straight line"
    there_and_back = total("G1X100F6000", "X0")
    assert there_and_back == pytest.approx(4), "stops where it turns back"
    corner = total("G1X100F6000", "Y100")
    assert 3 < corner < 4, "slows down at a corner"
    bend = [
        f"G1X{50 * np.sin(a):.4f}Y{50 - 50 * np.cos(a):.4f}F600"
        for a in np.arange(0.01, 3, 0.01)
    ]
    assert total(*bend) == pytest.approx(2.99 * 50 / 10, rel=0.03), "feed along a curve"


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_time_is_within_its_bounds(places: list[tuple[float, float]]) -> None:
    lines = [f"G1X{x:.3f}Y{y:.3f}F3000" for x, y in places]
    path = np.array([(0, 0), *((round(x, 3), round(y, 3)) for x, y in places)])
    way = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    stops = sum(
        total(f"G1X{b[0] - a[0]:.3f}Y{b[1] - a[1]:.3f}F3000") for a, b in pairwise(path)
    )
    assert way / 50 - 1e-6 <= total(*lines) <= stops + 1e-6


# --- at the terminal --------------------------------------------------------------------


@dataclass
class Terminal:
    """The real command line on a terminal."""

    process: subprocess.Popen[bytes]
    master: int
    text: str = ""

    def expect(self, text: str, seconds: float = 60) -> None:
        """Wait until something is shown."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} in {self.text!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 4096).decode()
                except OSError:
                    assert text in self.text, self.text
        self.text = self.text.split(text, 1)[1]

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.master, 4096).decode()
                except OSError:
                    break
        return self.process.wait(5)


@contextmanager
def terminal(
    machine: FakeGrbl, options: str = "", vpype: str = "", before: str = "", after: str = ""
) -> Iterator[Terminal]:
    """Run the command on the drawing."""
    with Path("sheet.svg").open("w") as file:
        vp.write_svg(file, drawing(), page_size=(PAGE[0] * MM, PAGE[1] * MM))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    line = f"{VPYPE} {vpype} read sheet.svg {before} grbl {options} {machine.port} {after}"
    with running(machine):
        process = subprocess.Popen(
            line.split(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            process.wait()
            os.close(master)


def on_paper(machine: FakeGrbl) -> bool:
    """Whether the drawing, as `read` gives it, is on the paper."""
    return is_sound(machine, vp.read_multilayer_svg("sheet.svg", 0.1))


def test_asks_before_it_plots() -> None:
    machine = FakeGrbl(speed=FAST)
    with terminal(machine) as user:
        user.expect("pen lifts, about")
        user.expect("Plot? [y/N]")
        user.type("n\n")
        assert user.end() == 1
    assert machine.ink == []


def test_prompts_for_the_pen_pauses_and_shows_where_it_is() -> None:
    machine = FakeGrbl(speed=6)
    with terminal(machine, vpype="-v") as user:
        user.expect("Plot? [y/N]")
        user.type("y\n")
        user.expect("of 4 strokes, Run X")
        user.expect("1 of 4 strokes")
        user.type(" ")
        user.expect("paused")
        ink = [list(line) for line in machine.ink]
        time.sleep(0.3)
        assert machine.ink == ink
        assert machine.state == "Hold:0"
        user.type("p")
        user.expect("now the pen for layer 2 'fine red' #ff0000")
        assert machine.physical[:2] == (0, 0)
        time.sleep(0.5)
        assert len(machine.ink) == 2
        user.type("\n")
        user.expect("drawn")
        assert user.end() == 0
    assert on_paper(machine)


def test_prompts_for_the_pen_in_forlayer() -> None:
    machine = FakeGrbl(speed=FAST)
    with terminal(machine, "--yes", after="end", before="forlayer") as user:
        user.expect("Now the pen for layer 2 'fine red' #ff0000: plot? [y/N]")
        assert machine.physical[:2] == (0, 0)
        assert len(machine.ink) == 2
        user.type("y\n")
        assert user.end() == 0
    assert on_paper(machine)


@pytest.mark.parametrize("how", ["q", "Ctrl-C twice"])
def test_stops_and_goes_on(how: str, folder: Path) -> None:
    machine = FakeGrbl(speed=12, folder=folder)
    with terminal(machine, "--yes --no-pause") as user:
        user.expect("1 of 4 strokes")
        time.sleep(0.3)
        if how == "q":
            user.type("q")
        else:
            user.process.send_signal(signal.SIGINT)
            time.sleep(0.02)
            user.process.send_signal(signal.SIGINT)
        user.expect("stopped by you. The pen is up. It stands at X")
        assert user.end() == 1
        ink = [list(line) for line in machine.ink]
        place = machine.physical
        assert not machine.down
        time.sleep(0.2)
        assert (machine.ink, machine.physical) == (ink, place)
    assert not on_paper(machine)
    machine.plug_in()
    with running(machine):
        resume = f"grbl --yes --no-pause --resume {machine.port}"
        vpype_cli.execute(f"read sheet.svg {resume}")
    assert on_paper(machine)
    assert not Path("sheet.job.json").exists()


def test_set_origin_by_keys() -> None:
    machine = FakeGrbl(speed=FAST)
    machine.physical = (-21.0, 9.9, 0.0)  # where the pen is on the paper
    with terminal(machine, "--set-origin --no-pause") as user:
        user.expect("press Enter")
        for key in ["3", *2 * ["\x1b[C"], "2", "\x1b[C", "3", "\x1b[B", "1", "\x1b[A"]:
            user.type(key)
            time.sleep(0.3)
        user.type("\n")
        user.expect("Plot? [y/N]")
        assert machine.physical[:2] == pytest.approx((0, 0))
        user.type("y\n")
        assert user.end() == 0
    assert on_paper(machine)


def test_leaving_the_keys_stops_the_jog() -> None:
    machine = FakeGrbl(speed=1)
    with terminal(machine, "--set-origin") as user:
        user.expect("press Enter")
        user.type("3" + 5 * "\x1b[C")
        time.sleep(0.5)
        user.process.send_signal(signal.SIGINT)
        user.expect("Aborted!")
        assert user.end() == 1
        place = machine.physical
        assert place[0] < 45
        time.sleep(0.2)
        assert machine.physical == place
    assert machine.ink == []


def test_what_was_typed_ahead_answers_nothing() -> None:
    """An Enter too many, at the keys or before them, neither sets an origin nor plots."""
    machine = FakeGrbl(speed=FAST, start_time=2.0, resets_on_open=True)
    with terminal(machine, "--set-origin --no-pause") as user:
        user.type("y\n")  # while the machine starts
        user.expect("press Enter")
        time.sleep(0.3)
        assert not any(line.startswith("G10") for line in machine.log)
        user.type("\ny\ny\n")
        user.expect("Plot? [y/N]")
        time.sleep(0.3)
        assert user.process.poll() is None
        user.type("n\n")
        assert user.end() == 1
    assert machine.ink == []


def test_the_terminal_is_as_it_was() -> None:
    machine = FakeGrbl(speed=12)
    with terminal(machine, "--yes --no-pause") as user:
        before = termios.tcgetattr(user.master)
        user.expect("1 of 4 strokes")
        assert not termios.tcgetattr(user.master)[3] & termios.ECHO
        user.type("q")
        user.expect("The pen is up")
        assert user.end() == 1
        assert termios.tcgetattr(user.master) == before


def test_a_terminal_that_is_gone_stops_the_plot(folder: Path) -> None:
    machine = FakeGrbl(speed=12, folder=folder)
    with terminal(machine, "--yes --no-pause") as user:
        user.expect("1 of 4 strokes")
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), user.master)
        assert user.process.wait(20) == 1
        assert not machine.down
    assert not on_paper(machine)
    machine.plug_in()
    with running(machine):
        vpype_cli.execute(f"read sheet.svg grbl --yes --no-pause --resume {machine.port}")
    assert on_paper(machine)


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from serial.tools import list_ports, list_ports_common

    port = list_ports_common.ListPortInfo("/dev/ttyUSB7")
    port.description = "a plotter"
    monkeypatch.setattr(list_ports, "comports", lambda: [port])
    vpype_cli.execute("grbl --list")
    assert capsys.readouterr().out == "/dev/ttyUSB7  a plotter\n"


# --- what owners of plotters ask for --------------------------------------------------------


def test_parks_where_it_is_told(plot: Plot) -> None:
    machine = plot("--park 3cm 1cm")
    assert is_drawn(machine)
    assert machine.machine[:2] == pytest.approx((30, 10))


def test_travels_round_the_frame_with_the_pen_up(plot: Plot) -> None:
    machine = FakeGrbl(speed=FAST)
    with terminal(machine, "--frame page --no-pause --jog-feed 4000") as user:
        user.expect("around the frame, X0.0 Y0.0 to X100.0 Y80.0")
        user.expect("Around the frame again? [y/N]")
        assert machine.ink == []
        user.type("y\n")
        user.expect("again? [y/N]")
        user.type("n\n")
        user.expect("Plot? [y/N]")
        user.type("y\n")
        assert user.end() == 0
    jogs = [line for line in machine.log if line.startswith("$J=G90G21")]
    assert len(jogs) == 10
    assert {"$J=G90G21X100.000Y80.000F4000"} < set(jogs)
    assert on_paper(machine)


def test_leaving_the_frame_stops_the_machine() -> None:
    machine = FakeGrbl(speed=1)
    with terminal(machine, "--frame drawing") as user:
        user.expect("around the frame")
        time.sleep(0.5)
        user.type("q")
        user.expect("Aborted!")
        assert user.end() == 1
        place = machine.physical
        time.sleep(0.2)
        assert machine.physical == place
    assert machine.ink == []
    assert not machine.alarmed


def test_a_copy_that_is_not_wanted_leaves_nothing_behind() -> None:
    machine = FakeGrbl(speed=FAST)
    with terminal(machine, "--copies 2 --no-pause --yes") as user:
        user.expect("New paper for copy 2 of 2: plot? [y/N]")
        user.type("n\n")
        assert user.end() == 1
    assert on_paper(machine)
    assert not Path("sheet.job.json").exists()


def test_copies_wait_for_paper() -> None:
    machine = FakeGrbl(speed=FAST)
    with terminal(machine, "--copies 2 --no-pause --yes") as user:
        user.expect("New paper for copy 2 of 2: plot? [y/N]")
        assert on_paper(machine)
        machine.ink.clear()
        user.type("y\n")
        assert user.end() == 0
    assert on_paper(machine)
    assert not Path("sheet.job.json").exists()


def test_a_dry_pen_draws_the_end_of_the_stroke_before_again(plot: Plot) -> None:
    machine = FakeGrbl(speed=20)
    document = vp.Document(page_size=(PAGE[0] * MM, PAGE[1] * MM))
    for y in (20, 40, 60):
        document.add([MM * np.array([10 + 1j * y, 50 + 1j * y, 90 + 1j * y])], 1)
    plot("--from 2 --back 45mm", machine, document=document)
    lengths = [sum(math.dist(a, b) for a, b in pairwise(line)) for line in machine.ink]
    assert lengths == pytest.approx([45, 80, 80], abs=0.01)
    assert machine.ink[0][0] == pytest.approx((45, 60))
    assert machine.ink[0][-1] == pytest.approx((90, 60))


def test_speed_and_height_by_keys() -> None:
    machine = FakeGrbl(speed=6)
    with terminal(machine, "--yes --no-pause") as user:
        user.expect("0 of 4 strokes")
        user.type("++-l")
        user.expect("pausing at the next pen lift")
        user.expect("paused, pen up")
        assert not machine.down
        drawn = len(machine.ink)
        user.type("d")
        user.expect("s_down is 255 from here on")
        user.type("\n")
        user.expect("drawn")
        assert user.end() == 0
    assert machine.overrides == [0x91, 0x91, 0x92]
    servo = [line for line in machine.log if line.startswith("M3S")]
    assert servo[len(servo) // 2 :].count("M3S255") == 4 - drawn  # behind those of the check
    assert on_paper(machine)


def test_the_pen_is_tried_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    Path(".vpype.toml").write_text('# mine\n[gwrite]\ndefault_profile = "grbl_servo_s"\n')
    machine = FakeGrbl(speed=FAST, s_down=200.0)
    with terminal(machine, "--pen-test") as user:
        user.expect("pen up: dwell 0.2, s_down 250, s_up 100")
        user.type(" ")
        user.expect("pen down")
        user.type("\x1b[A\x1b[A")
        user.expect("s_down 260")
        user.type("+")
        user.expect("dwell 0.25")
        user.type("\n")
        user.expect("propset -g dwell 0.25 propset -g s_down 260 propset -g s_up 100")
        user.expect("Write these lines")
        user.type("y\n")
        assert user.end() == 0
    assert not machine.down
    text = Path(".vpype.toml").read_text()
    assert text.startswith("# mine\n")
    kept = tomllib.loads(text)["gwrite"]
    assert kept["default_profile"] == "grbl_servo_s"
    assert kept["grbl_servo_s"]["default_values"] == {
        "s_down": 260,
        "s_up": 100,
        "dwell": 0.25,
    }


def test_what_cannot_be_kept_is_left_alone(folder: Path) -> None:
    from vpype_sketchformer.plotters.user_config import keep

    path = folder / "mine.toml"
    for text in ("[gwrite.grbl_z.default_values]\nz_up = 1\n", "= no TOML", "gwrite = 3"):
        path.write_text(text)
        with pytest.raises(JobError, match="has that table already, or is not TOML"):
            keep(path, "gwrite.grbl_z.default_values", {"z_up": 2.0})
        assert path.read_text() == text


def bridge(machine: FakeGrbl, cut: float = math.inf) -> str:
    """Offer a machine in the network, as ESP3D does; cut it off after so many s."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        line = os.open(machine.port, os.O_RDWR | os.O_NOCTTY)
        began = time.monotonic()
        while time.monotonic() - began < cut:
            for source in select.select([connection, line], [], [], 0.05)[0]:
                if source == line:
                    connection.sendall(os.read(line, 4096))
                elif data := connection.recv(4096):
                    os.write(line, data)
                else:
                    os.close(line)
                    return
        connection.close()
        os.close(line)

    threading.Thread(target=serve, daemon=True).start()
    return f"socket://127.0.0.1:{server.getsockname()[1]}"


def test_a_machine_in_the_network() -> None:
    machine = FakeGrbl(speed=FAST)
    with running(machine):
        vpype_cli.execute(f"grbl --yes --no-pause {bridge(machine)}", drawing())
    assert is_drawn(machine)


def test_a_connection_that_drops_is_a_stop(plot: Plot) -> None:
    machine = FakeGrbl(speed=5)
    machine.machine = machine.planned = machine.offset = (3.0, 4.0, 0.0)
    with running(machine):
        with stopping("the line to the machine is gone.*--resume"):
            address = bridge(machine, cut=1.5)
            vpype_cli.execute(f"grbl --yes --no-pause --no-check {address}", drawing())
        machine.run(lambda: machine.state == "Idle" and not machine.rx)
    machine.plug_in()
    try:
        plot("--resume", machine)
    except click.UsageError as error:
        number = int(re.search(r"Stroke (\d+) of .* may be drawn or not", str(error))[1])
        drawn = Paper(drawing()).times_drawn(machine.ink)[number - 1]
        machine.plug_in()
        plot(f"--resume --from {number + drawn}", machine)
    assert is_sound(machine)


def test_no_machine_in_the_network() -> None:
    with pytest.raises(click.UsageError, match=r"cannot open socket://127\.0\.0\.1:1"):
        vpype_cli.execute("grbl --yes --no-pause socket://127.0.0.1:1", drawing())
    with pytest.raises(click.UsageError, match="cannot open nothing://x"):
        vpype_cli.execute("grbl --yes --no-pause nothing://x", drawing())
