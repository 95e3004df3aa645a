"""`axidraw`: what reaches an AxiDraw, what it says, and what is left when it stops.

The command runs with the maker's module `pyaxidraw` where that is installed, else with a
stand-in that keeps to its documentation (`pyaxidraw_stub`, which says what it does not show).
Either talks through the maker's serial library to a fake board on a pseudo-terminal, which
turns the steps of the motors back into strokes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import click.testing
import numpy as np
import pytest
import shapely
import vpype as vp
import vpype_cli
from plotink import ebb_motion, ebb_serial

from tests.conftest import CommandLine
from tests.fakes.ebb import FakeEBB
from vpype_sketchformer.commands.support.terminal import Terminal
from vpype_sketchformer.plotters.axidraw import module
from vpype_sketchformer.plotters.axidraw.module import MAKERS

MM = 96 / 25.4
STUB = Path(__file__).parents[1] / "fakes" / "pyaxidraw_stub"
REAL = importlib.util.find_spec("pyaxidraw") is not None

#: How far a pen may be from the drawing, in mm.
CLOSE = 0.01

#: The module's 100 %, in mm/s.
FULL_SPEED = 8.6979 * 25.4 / 1.1

#: A drawing on two layers: a triangle, a line and a curve; another pen's zigzag.
SHEET = """<svg xmlns="http://www.w3.org/2000/svg"
  xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
  width="148mm" height="105mm" viewBox="0 0 148 105" fill="none">
<g inkscape:groupmode="layer" inkscape:label="1 black" stroke="#000000">
  <path d="M20 20 L60 20 L40 50 Z"/>
  <path d="M100 90 L101.5 33.3"/>
  <path d="M70 70 C80 20 90 100 120 60"/>
</g>
<g inkscape:groupmode="layer" inkscape:label="2 red" stroke="#ff0000">
  <path d="M5 5 L15 10 L5 15 L15 20 L5 25"/>
</g>
</svg>"""


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEBB]:
    """The only board there is; no other port is ever opened."""
    if not REAL:
        monkeypatch.syspath_prepend(STUB)
    with FakeEBB() as board:
        monkeypatch.setattr(ebb_serial, "findPort", lambda: board.path)
        monkeypatch.setattr(ebb_serial, "find_named_ebb", lambda name: board.path)
        yield board
    for name in [n for n in sys.modules if n.partition(".")[0] == "pyaxidraw"]:
        monkeypatch.delitem(sys.modules, name)


Vpype = Callable[..., click.testing.Result]


@pytest.fixture
def vpype(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vpype:
    """Run a command line beside `sheet.svg`; what is typed answers its questions."""
    monkeypatch.chdir(tmp_path)
    Path("sheet.svg").write_text(SHEET)

    def run(line: str, typed: str = "") -> click.testing.Result:
        before = signal.getsignal(signal.SIGINT)
        runner = click.testing.CliRunner()
        result = runner.invoke(vpype_cli.cli, line.split(), input=typed)
        assert signal.getsignal(signal.SIGINT) is before
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


def strokes_of(document: vp.Document, *layers: int) -> list[np.ndarray]:
    chosen = layers or sorted(document.ids())
    return [vp.as_vector(line) / MM for lid in chosen for line in document.layers[lid]]


def sheet() -> vp.Document:
    return vpype_cli.execute("read sheet.svg")


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def assert_drawn(board: FakeEBB, strokes: list[np.ndarray]) -> None:
    """The board drew these strokes, in this order and direction, once each, and rests."""
    assert board.complaints == []
    assert board.pen_up
    drawn = [stroke for stroke in board.strokes if len(stroke) > 1]
    assert len(drawn) == len(strokes)
    for got, wanted in zip(drawn, strokes, strict=True):
        line = shapely.LineString(got)
        wish = shapely.LineString(wanted)
        assert shapely.hausdorff_distance(line, wish, densify=0.1) < CLOSE
        assert line.length == pytest.approx(wish.length, rel=0.01)
        assert np.hypot(*(np.array(got[0]) - wanted[0])) < CLOSE
        assert np.hypot(*(np.array(got[-1]) - wanted[-1])) < CLOSE


def assert_drawn_once(board: FakeEBB, strokes: list[np.ndarray]) -> None:
    """The board drew these strokes, maybe in pieces, and no part of them twice."""
    assert board.complaints == []
    assert board.pen_up
    ink = shapely.MultiLineString([stroke for stroke in board.strokes if len(stroke) > 1])
    wish = shapely.MultiLineString(strokes)
    # Each walk home, of whole steps, may cost half a step.
    assert shapely.hausdorff_distance(ink, wish, densify=0.1) < 3 * CLOSE
    assert ink.length == pytest.approx(wish.length, rel=0.005)


def test_the_pen_draws_the_document(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 0, result.output
    assert_drawn(board, strokes_of(sheet()))
    assert board.position == (0, 0)
    assert files() == ["sheet.svg"]


def test_the_document_goes_on_unchanged(board: FakeEBB, vpype: Vpype) -> None:
    before = sheet()
    after = vpype_cli.execute("axidraw --yes --no-pause", sheet())
    assert after == before
    assert [x.metadata for x in after.layers.values()] == [
        x.metadata for x in before.layers.values()
    ]


def test_strokes_keep_their_order_and_are_not_joined(board: FakeEBB, vpype: Vpype) -> None:
    document = vp.Document(
        vp.LineCollection([[100, 50], [50 + 50j, 50 + 100j], [10j, 50 + 50j]]),
        page_size=(200, 200),
    )
    vpype_cli.execute("axidraw --yes", document)
    assert_drawn(board, strokes_of(document))


@pytest.mark.parametrize("option", ["", "--no-rotate"])
def test_a_portrait_page_is_turned_to_the_left(
    board: FakeEBB, vpype: Vpype, option: str
) -> None:
    line = "line 10mm 20mm 90mm 120mm pagesize a5"
    result = vpype(f"{line} axidraw --yes {option}")
    assert result.exit_code == 0, result.output
    wanted = [[10, 20], [90, 120]] if option else [[20, 138], [120, 58]]
    assert_drawn(board, [np.array(wanted)])


def test_a_drawing_without_a_page_stays_where_it_is(board: FakeEBB, vpype: Vpype) -> None:
    vpype("line 10mm 20mm 90mm 120mm axidraw --yes")
    assert_drawn(board, [np.array([[10, 20], [90, 120]])])


def test_layers_can_be_chosen(board: FakeEBB, vpype: Vpype) -> None:
    vpype("read sheet.svg axidraw --yes -l 2")
    assert_drawn(board, strokes_of(sheet(), 2))


def test_it_asks_before_the_plot(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw", typed="n\n")
    assert result.exit_code == 1
    assert "1 black" in result.output
    assert "model 1 (V2, V3 or SE/A4)" in result.output
    assert board.strokes == []
    assert files() == ["sheet.svg"]


def test_it_stops_at_home_for_another_pen(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw", typed="y\ny\n")
    assert result.exit_code == 0, result.output
    assert "Now the pen for layer 2 '2 red' #ff0000" in result.output
    assert_drawn(board, strokes_of(sheet()))


def test_stopping_at_a_pen_change_can_be_resumed(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw --yes", typed="n\n")
    assert result.exit_code == 1
    assert "--resume" in result.output
    assert_drawn(board, strokes_of(sheet(), 1))
    result = vpype("read sheet.svg axidraw --yes --resume")
    assert result.exit_code == 0, result.output
    assert "layer 1 '1 black' #000000 is drawn already" in result.output
    assert_drawn(board, strokes_of(sheet()))
    assert files() == ["sheet.svg"]


def test_forlayer_plots_each_layer(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg forlayer axidraw end", typed="y\nn\n")
    assert result.exit_code == 1
    assert_drawn(board, strokes_of(sheet(), 1))
    result = vpype("read sheet.svg forlayer axidraw --yes --resume end", typed="y\n")
    assert result.exit_code == 0, result.output
    assert_drawn(board, strokes_of(sheet()))
    assert files() == ["sheet.svg"]


def test_forfile_leaves_nothing_beside_the_file(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("forfile sheet.svg read %_path% axidraw --yes --no-pause end")
    assert result.exit_code == 0, result.output
    assert_drawn(board, strokes_of(sheet()))
    assert files() == ["sheet.svg"]


def test_forlayer_asks_for_each_pen(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg forlayer axidraw --yes end", typed="n\n")
    assert result.exit_code == 1
    assert "Now the pen for layer 2 '2 red' #ff0000" in result.output
    assert_drawn(board, strokes_of(sheet(), 1))
    result = vpype("read sheet.svg forlayer axidraw --yes --no-pause --resume end")
    assert result.exit_code == 0, result.output
    assert_drawn(board, strokes_of(sheet()))


@pytest.mark.parametrize("fault", ["button", "ctrl-c"])
@pytest.mark.parametrize("home", [False, True])
def test_a_stop_lifts_the_pen_and_can_be_resumed(
    board: FakeEBB, vpype: Vpype, fault: str, home: bool
) -> None:
    actions = {
        "button": (board.press, "pause button"),
        "ctrl-c": (lambda: os.kill(os.getpid(), signal.SIGINT), "stopped by you"),
    }
    action, words = actions[fault]
    for millimetres in (60, 170, 250):
        board.after(millimetres, action)
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    for _ in range(3):
        assert result.exit_code == 1
        assert words in result.output
        assert "--resume" in result.output
        assert board.pen_up
        drawn = board.drawn
        if home:
            result = vpype("read sheet.svg axidraw --home")
            assert result.exit_code == 0, result.output
            assert board.position == pytest.approx((0, 0), abs=CLOSE)
            assert board.drawn == drawn
        result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))
    assert files() == ["sheet.svg"]


def test_a_request_to_end_lifts_the_pen(board: FakeEBB, vpype: Vpype) -> None:
    """As of a system that shuts down, where nobody sits at a terminal."""

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)  # the board lets the machine wait: its moves take no time

    board.after(60, end)
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "stopped by you" in result.output
    assert board.pen_up
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Somebody at a terminal, who types keys now, and others once there is a pause."""
    master, slave = pty.openpty()
    answers: list[str] = []
    say = Terminal.say

    def told(self: Terminal, text: str) -> None:
        say(self, text)
        if text.startswith("paused"):
            os.write(master, answers.pop(0).encode())

    def typed(keys: str, then: str = "") -> None:
        answers.append(then)
        os.write(master, keys.encode())
        time.sleep(0.3)  # the board lets the machine wait: its moves take no time

    monkeypatch.setattr(Terminal, "say", told)
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typed
    os.close(master)


def test_keys_pause_and_change_speed_and_height(
    board: FakeEBB, vpype: Vpype, typing: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    line = "read sheet.svg axidraw --yes --no-pause --speed-down 20"
    board.after(60, lambda: typing(" ", "++d\n"))
    board.after(200, lambda: typing("--"))  # at once, without a pause
    vpype_cli.execute(line)
    told = capsys.readouterr().err
    assert told.count("paused, pen up") == 1
    assert "--speed-down 24 --pen-down 29" in told
    assert "--speed-down 20 --pen-down 29" in told
    assert_drawn_once(board, strokes_of(sheet()))
    speeds = np.array(board.speeds[False]) / FULL_SPEED * 100
    assert sum(np.isclose(speeds, 20, rtol=0.01)) > 5
    assert sum(np.isclose(speeds, 24, rtol=0.01)) > 5
    assert heights(board)[1] == pytest.approx(29, abs=0.1)
    assert board.position == pytest.approx((0, 0), abs=CLOSE)
    assert files() == ["sheet.svg"]


def test_the_button_pauses_where_somebody_is_there(
    board: FakeEBB, vpype: Vpype, typing: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    def press() -> None:
        board.press()
        typing("", "\n")

    board.after(60, press)
    vpype_cli.execute("read sheet.svg axidraw --yes --no-pause")
    assert "paused, pen up" in capsys.readouterr().err
    assert_drawn_once(board, strokes_of(sheet()))


@pytest.mark.parametrize("keys", [("q", ""), (" ", "q")])
def test_q_stops_for_resume(
    board: FakeEBB, vpype: Vpype, typing: Callable[..., None], keys: tuple[str, str]
) -> None:
    board.after(60, lambda: typing(*keys))
    with pytest.raises(click.ClickException, match="stopped by you"):
        vpype_cli.execute("read sheet.svg axidraw --yes --no-pause")
    assert board.pen_up
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))


def test_a_plot_that_was_resumed_at_home_pauses_where_it_is(
    board: FakeEBB, vpype: Vpype, typing: Callable[..., None]
) -> None:
    board.after(60, board.unplug)
    board.after(170, lambda: typing(" ", "\n"))
    vpype("read sheet.svg axidraw --yes --no-pause")
    board.plug_in()
    board.switch_off()
    board._place = [0, 0]  # by hand
    vpype_cli.execute("read sheet.svg axidraw --yes --no-pause --resume --at-home")
    assert_all_drawn(board, strokes_of(sheet()), again=100)
    assert board.position == pytest.approx((0, 0), abs=CLOSE)


def test_the_carriage_parks_for_another_pen(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def confirm(self: Terminal, question: str, default: bool = False) -> bool:
        asked.append(board.position)
        return "copy" not in question

    monkeypatch.setattr(Terminal, "confirm", confirm)
    result = vpype("read sheet.svg axidraw --yes --park 12cm 3cm --copies 2")
    assert result.exit_code == 1
    assert asked == [pytest.approx((120, 30), abs=CLOSE)] * 2
    assert_drawn(board, strokes_of(sheet()))
    assert board.position == (0, 0)


def test_a_parking_place_beyond_the_travel_is_refused(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw --yes --park 1m 0")
    assert result.exit_code == 2
    assert "--park is beyond the travel, 299.97 x 217.93 mm" in result.output
    assert board.strokes == []


def test_a_stop_that_cannot_be_kept_is_said(board: FakeEBB, vpype: Vpype) -> None:
    Path("sheet.1.axidraw.svg").mkdir()
    board.after(60, board.press)
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "layer 1 '1 black' #000000: cannot write" in result.output
    assert board.pen_up
    assert vpype("read sheet.svg axidraw --yes --resume").exit_code == 2


def test_a_pulled_cable_is_said_in_words(board: FakeEBB, vpype: Vpype) -> None:
    board.after(60, board.unplug)
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "does not answer any more" in result.output
    assert "lift it by hand" in result.output
    assert files() == ["sheet.1.axidraw.svg", "sheet.job.json", "sheet.svg"]


def test_a_plot_goes_on_when_the_cable_is_in_again(board: FakeEBB, vpype: Vpype) -> None:
    board.after(60, board.unplug)
    vpype("read sheet.svg axidraw --yes --no-pause")
    assert board.pen_up is False
    board.plug_in()
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))


@pytest.mark.parametrize("seed", range(10))
def test_any_plot_stopped_anywhere_is_drawn_once(
    board: FakeEBB, vpype: Vpype, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    document = vp.Document(page_size=(200 * MM, 150 * MM))
    for lid in (1, 2):
        points = rng.uniform((0, 0), (200, 150), (4, 5, 2)) @ [1, 1j] * MM
        document.add(vp.LineCollection(points), lid)
    with Path("sheet.svg").open("w") as file:
        vp.write_svg(file, document)
    faults = [board.press, board.unplug, lambda: os.kill(os.getpid(), signal.SIGINT)]
    length = sum(layer.length() for layer in document.layers.values()) / MM
    for millimetres in rng.uniform(0, 0.9 * length, 4):
        board.after(millimetres, faults[rng.integers(3)])
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    runs = 1
    while result.exit_code == 1 and runs < 9:
        unplugged = "does not answer" in result.output
        assert unplugged or board.pen_up, result.output
        if unplugged:
            board.plug_in()
        result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
        runs += 1
    assert result.exit_code == 0, result.output
    assert runs > 1
    assert_drawn_once(board, strokes_of(document))
    assert files() == ["sheet.svg"]


def test_no_machine_leaves_nothing_behind(board: FakeEBB, vpype: Vpype) -> None:
    board.unplug()
    result = vpype("read sheet.svg axidraw --yes")
    assert result.exit_code == 1
    assert "no AxiDraw was found" in result.output
    assert "--resume" not in result.output
    assert files() == ["sheet.svg"]


def test_a_plot_without_known_progress_is_not_drawn_over(board: FakeEBB, vpype: Vpype) -> None:
    vpype("read sheet.svg axidraw --yes", typed="n\n")
    job_file = Path("sheet.job.json")
    content = json.loads(job_file.read_text())
    content["jobs"]["1"] |= {"drawn": 0, "finishing": True}
    job_file.write_text(json.dumps(content))
    drawn = board.drawn
    result = vpype("read sheet.svg axidraw --yes --resume")
    assert result.exit_code == 2
    assert "nothing tells how far it got" in result.output
    assert board.drawn == drawn


def test_another_drawing_is_not_resumed(board: FakeEBB, vpype: Vpype) -> None:
    vpype("read sheet.svg axidraw --yes", typed="n\n")
    drawn = board.drawn
    result = vpype("read sheet.svg translate 1cm 0 axidraw --yes --resume")
    assert result.exit_code == 2
    assert "is not the drawing" in result.output
    assert board.drawn == drawn


def test_a_new_plot_owes_nothing_to_an_earlier_one(board: FakeEBB, vpype: Vpype) -> None:
    length = sheet().layers[1].length() / MM
    board.after(length + 10, board.press)
    assert "layer 2" in vpype("read sheet.svg axidraw --yes --no-pause").output
    assert vpype("read sheet.svg axidraw --home").exit_code == 0
    board.strokes.clear()  # another sheet of paper
    board.after(length + 70, board.press)
    assert "layer 1" in vpype("read sheet.svg axidraw --yes --no-pause").output
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))
    assert files() == ["sheet.svg"]


def test_without_a_machine_the_stopped_plot_is_still_known(
    board: FakeEBB, vpype: Vpype
) -> None:
    board.after(60, board.press)
    vpype("read sheet.svg axidraw --yes --no-pause")
    board.unplug()
    assert "no AxiDraw" in vpype("read sheet.svg axidraw --yes --no-pause").output
    board.plug_in()
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))


@pytest.mark.parametrize("option", ["--resume", "--home"])
def test_without_a_stopped_plot_nothing_moves(
    board: FakeEBB, vpype: Vpype, option: str
) -> None:
    assert vpype("read sheet.svg axidraw --yes --no-pause").exit_code == 0
    drawn, moves = board.drawn, len(board.speeds[True])
    result = vpype(f"read sheet.svg axidraw --yes {option}")
    assert result.exit_code == 2
    assert "was stopped" in result.output
    assert (board.drawn, len(board.speeds[True])) == (drawn, moves)


def test_the_preview_needs_no_machine(board: FakeEBB, vpype: Vpype) -> None:
    board.unplug()
    result = vpype("read sheet.svg axidraw --preview")
    assert result.exit_code == 0, result.output
    lengths = [x.length() / MM / 1000 for x in sheet().layers.values()]
    for each in lengths:
        assert f"{each:.2f} m" in result.output
    assert "4 pen lifts" in result.output


def test_the_machine_can_be_named(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"Edna": board.path}
    monkeypatch.setattr(ebb_serial, "find_named_ebb", named.get)
    assert vpype("read sheet.svg axidraw --yes --port Egon").exit_code == 1
    assert board.strokes == []
    assert vpype("read sheet.svg axidraw --yes --no-pause --port Edna").exit_code == 0
    assert_drawn(board, strokes_of(sheet()))


def test_heights_and_speeds_reach_the_machine(board: FakeEBB, vpype: Vpype) -> None:
    options = "--pen-up 80 --pen-down 20 --speed-down 10 --speed-up 100"
    result = vpype(f"read sheet.svg axidraw --yes --no-pause {options}")
    assert result.exit_code == 0, result.output
    assert heights(board) == pytest.approx((80, 20), abs=0.1)
    assert np.median(board.speeds[False]) <= 0.11 * FULL_SPEED
    assert 0.5 * FULL_SPEED < max(board.speeds[True]) <= 1.02 * FULL_SPEED


def heights(board: FakeEBB) -> tuple[float, float]:
    """Return the heights of the pen, up and down, in percent."""
    low, high = 9855, 27831
    up, down = (100 * (board.servo[number] - low) / (high - low) for number in (4, 5))
    return up, down


def test_layer_names_speak_to_the_axidraw(board: FakeEBB, vpype: Vpype) -> None:
    Path("sheet.svg").write_text(
        SHEET.replace("1 black", "% notes").replace("2 red", "2+S5+H10+D1 red")
    )
    result = vpype("read sheet.svg axidraw --yes")
    assert result.exit_code == 0, result.output
    assert_drawn(board, strokes_of(sheet(), 2))
    assert heights(board) == pytest.approx((60, 10), abs=0.1)
    assert np.median(board.speeds[False]) <= 0.055 * FULL_SPEED


def test_an_exclamation_mark_pauses_whatever_the_option(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg name -l 2 !2 axidraw --yes --no-pause", typed="n\n")
    assert result.exit_code == 1
    assert_drawn(board, strokes_of(sheet(), 1))
    result = vpype("read sheet.svg name -l 2 !2 axidraw --yes --resume")
    assert_drawn(board, strokes_of(sheet()))


def test_a_configuration_file_sets_the_rest(board: FakeEBB, vpype: Vpype) -> None:
    Path("mine.py").write_text("pen_pos_up = 90\npen_pos_down = 33\nreordering = 2\n")
    result = vpype("read sheet.svg axidraw --yes --no-pause --config mine.py --pen-down 25")
    assert result.exit_code == 0, result.output
    assert heights(board) == pytest.approx((90, 25), abs=0.1)
    assert_drawn(board, strokes_of(sheet()))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("read sheet.svg axidraw --pen-up 101", "--pen-up: 101 is not 0 to 100"),
        ("read sheet.svg axidraw --model 8", "--model: '8' is no model of pyaxidraw"),
        ("read sheet.svg axidraw --model SE", "'SE' is several models"),
        ("read sheet.svg axidraw --speed-down 0", "--speed-down: 0 is not 1 to 110"),
        ("read sheet.svg axidraw --config none.py", "none.py"),
        ("line 0 0 400mm 0 axidraw", "100.03 mm beyond the travel of model 1"),
        ("line 0 0 60mm 0 pagesize 5cmx5cm axidraw", "10.00 mm beyond its page"),
        (
            "line 1cm 1cm 2cm 24cm pagesize a4 axidraw --no-rotate",
            "22.07 mm beyond the travel",
        ),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    board: FakeEBB, vpype: Vpype, line: str, words: str
) -> None:
    result = vpype(f"{line} --yes")
    assert result.exit_code == 2
    assert words in result.output
    assert board.strokes == []
    assert files() == ["sheet.svg"]


def test_an_empty_document_is_no_error(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("axidraw --yes")
    assert result.exit_code == 0
    assert "nothing to plot" in result.output


def test_single_points_are_mentioned(board: FakeEBB, vpype: Vpype) -> None:
    document = vp.Document(vp.LineCollection([[10, 50], [5j]]))
    vpype_cli.execute("axidraw --yes", document)
    assert_drawn(board, strokes_of(document)[:1])


def test_a_failing_module_leaves_the_pen_up(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ebb_motion.QueryPRGButton

    def fail(*_: object) -> None:
        monkeypatch.setattr(ebb_motion, "QueryPRGButton", ask)
        raise ZeroDivisionError("somewhere inside")

    board.after(60, lambda: monkeypatch.setattr(ebb_motion, "QueryPRGButton", fail))
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "pyaxidraw failed: somewhere inside" in result.output
    assert board.pen_up


def test_the_configuration_is_read_before_the_drawing_is_checked(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("broken.py").write_text("model = = 2\n")
    result = vpype("read sheet.svg axidraw --config broken.py --yes")
    assert result.exit_code == 2
    assert "pyaxidraw does not start" in result.output
    Path("other.py").write_text("model = 5\n")
    result = vpype("line 0 0 800mm 0 axidraw --config other.py --preview")
    assert result.exit_code == 0, result.output
    assert "model 5 (SE/A1)" in result.output


# --- what the real module and the real board were found to do ------------------------------


def test_a_frame_round_the_page_is_drawn(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("rect 0 0 148mm 105mm pagesize -l a6 axidraw --yes")
    assert result.exit_code == 0, result.output
    assert board.drawn == pytest.approx(2 * (148 + 105), abs=0.1)


@pytest.mark.parametrize("side", [(210, 148), (147.999, 105.001), (123.4567, 98.7654)])
def test_nothing_on_an_edge_is_lost(
    board: FakeEBB, vpype: Vpype, side: tuple[float, float]
) -> None:
    width, height = side
    frame = f"rect 0 0 {width}mm {height}mm pagesize -l {width}mmx{height}mm"
    result = vpype(f"{frame} axidraw --yes")
    assert result.exit_code == 0, result.output
    assert board.drawn == pytest.approx(2 * (width + height), abs=0.1)


def test_what_the_module_would_leave_out_is_refused(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    width = 100 / 25.4

    def smaller(*_: object) -> str:
        return (
            f'<svg xmlns="{module.SVG}" xmlns:inkscape="{module.INKSCAPE}" width="4in" '
            f'height="4in" viewBox="0 0 4 4"><g inkscape:groupmode="layer" inkscape:label="1">'
            f'<polyline points="0,0 {width / 2},0"/></g></svg>'
        )

    monkeypatch.setattr(module, "to_svg", smaller)
    result = vpype("line 0 0 100mm 0 pagesize 11cmx11cm axidraw --yes")
    assert result.exit_code == 2
    assert "would draw 50 of 100 mm" in result.output
    assert board.strokes == []


def test_the_travel_is_that_of_the_configuration(board: FakeEBB, vpype: Vpype) -> None:
    Path("mine.py").write_text("x_travel_default = 4.0\n")
    result = vpype("line 0 0 110mm 0 axidraw --yes --config mine.py")
    assert result.exit_code == 2
    assert "8.40 mm beyond the travel" in result.output
    assert board.strokes == []


def test_without_power_nothing_is_plotted(board: FakeEBB, vpype: Vpype) -> None:
    board.power = False
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "the motors have no power" in result.output
    assert board.strokes == []
    assert files() == ["sheet.svg"]


def test_what_was_plotted_without_power_is_not_recorded_as_drawn(
    board: FakeEBB, vpype: Vpype
) -> None:
    def cut() -> None:
        board.power = False

    board.after(60, cut)
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 1
    assert "the motors have no power" in result.output
    board.power = True
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 2
    assert "nothing tells how far it got" in result.output


def test_rotation_in_the_configuration_is_obeyed(board: FakeEBB, vpype: Vpype) -> None:
    Path("mine.py").write_text("auto_rotate = False\n")
    vpype("line 10mm 20mm 90mm 120mm pagesize a5 axidraw --yes --config mine.py")
    assert_drawn(board, [np.array([[10, 20], [90, 120]])])


@pytest.mark.parametrize("option", ["--model 2", "--no-rotate"])
def test_a_plot_goes_on_only_as_it_began(board: FakeEBB, vpype: Vpype, option: str) -> None:
    board.after(60, board.press)
    vpype("read sheet.svg axidraw --yes --no-pause")
    drawn = board.drawn
    result = vpype(f"read sheet.svg axidraw --yes --no-pause --resume {option}")
    assert result.exit_code == 2
    assert "was begun with model 1 and portrait pages turned" in result.output
    assert board.drawn == drawn


def test_the_preview_works_beside_the_main_thread(board: FakeEBB, vpype: Vpype) -> None:
    from concurrent.futures import ThreadPoolExecutor

    taken = signal.signal
    with ThreadPoolExecutor(1) as pool:
        pool.submit(vpype_cli.execute, "read sheet.svg axidraw --preview").result()
    assert signal.signal is taken


def test_a_machine_that_was_off_has_to_be_put_home(board: FakeEBB, vpype: Vpype) -> None:
    board.after(60, board.unplug)
    vpype("read sheet.svg axidraw --yes --no-pause")
    drawn = board.drawn
    board.switch_off()
    board.plug_in()
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 2
    assert "push the carriage into the home corner" in result.output
    assert board.drawn == drawn
    board._place = [0, 0]  # by hand
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume --at-home")
    assert result.exit_code == 0, result.output
    assert_all_drawn(board, strokes_of(sheet()), again=100)


@pytest.mark.parametrize("option", ["", "--back 5mm"])
def test_a_machine_that_was_switched_off_after_a_stop(
    board: FakeEBB, vpype: Vpype, option: str
) -> None:
    board.after(60, board.press)
    vpype("read sheet.svg axidraw --yes --no-pause")
    drawn = board.drawn
    board.switch_off()
    resume = f"read sheet.svg axidraw --yes --no-pause {option} --resume"
    for line in (resume, "read sheet.svg axidraw --home"):
        result = vpype(line)
        assert result.exit_code == 2
        assert "push the carriage into the home corner" in result.output
    assert board.drawn == drawn
    board._place = [0, 0]  # by hand
    result = vpype(f"{resume} --at-home")
    assert result.exit_code == 0, result.output
    assert_all_drawn(board, strokes_of(sheet()), again=6 if option else 0.2)


@pytest.mark.parametrize("stopped", ["button", "cable"])
@pytest.mark.parametrize("line", ["--home", "--yes --no-pause --resume --back 5mm"])
def test_a_cable_pulled_on_the_way_home(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch, stopped: str, line: str
) -> None:
    """Nobody knows then where the carriage is, however well it was known before."""
    board.after(60, board.press if stopped == "button" else board.unplug)
    vpype("read sheet.svg axidraw --yes --no-pause")
    if stopped == "cable":
        board.plug_in()
    move = board._move

    def pulled(a: int, b: int, duration: int | None) -> None:
        move(a // 2, b // 2, duration)
        board.unplug()

    monkeypatch.setattr(board, "_move", pulled)
    assert vpype(f"read sheet.svg axidraw {line}").exit_code != 0
    monkeypatch.setattr(board, "_move", move)
    board.plug_in()
    drawn = board.drawn
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 2
    assert "push the carriage into the home corner" in result.output
    assert board.drawn == drawn
    board.switch_off()
    board._place = [0, 0]  # by hand
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume --at-home")
    assert result.exit_code == 0, result.output
    assert_all_drawn(board, strokes_of(sheet()), again=36)


def test_a_line_there_and_back_is_not_cut_short(board: FakeEBB, vpype: Vpype) -> None:
    """The carriage stands where the pen comes twice: nothing may be missing in the end."""
    with Path("sheet.svg").open("w") as file:
        line = MM * np.array([10 + 10j, 110 + 50j, 10 + 10j])
        vp.write_svg(file, vp.Document(vp.LineCollection([line]), page_size=(500, 300)))
    board.after(100, board.unplug)
    vpype("read sheet.svg axidraw --yes")
    board.plug_in()
    result = vpype("read sheet.svg axidraw --yes --resume")
    assert result.exit_code == 0, result.output
    assert_all_drawn(board, strokes_of(sheet()), again=30)


def assert_all_drawn(board: FakeEBB, strokes: list[np.ndarray], again: float) -> None:
    """The board drew these strokes and no other, at most so many mm of them twice."""
    ink = shapely.MultiLineString([stroke for stroke in board.strokes if len(stroke) > 1])
    wish = shapely.MultiLineString(strokes)
    assert shapely.hausdorff_distance(ink, wish, densify=0.1) < 2 * CLOSE
    assert wish.length - 0.1 < ink.length < wish.length + again


def test_after_a_pulled_cable_the_carriage_can_be_sent_home(
    board: FakeEBB, vpype: Vpype
) -> None:
    board.after(60, board.unplug)
    vpype("read sheet.svg axidraw --yes --no-pause")
    board.plug_in()
    result = vpype("read sheet.svg axidraw --home")
    assert result.exit_code == 0, result.output
    assert board.position == pytest.approx((0, 0), abs=CLOSE)
    board.switch_off()
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(board, strokes_of(sheet()))


def test_a_dry_pen_draws_the_last_bit_again(board: FakeEBB, vpype: Vpype) -> None:
    board.after(60, board.press)
    vpype("read sheet.svg axidraw --yes --no-pause")
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume --back 5mm")
    assert result.exit_code == 0, result.output
    ink = sum(shapely.LineString(stroke).length for stroke in board.strokes if len(stroke) > 1)
    wanted = sum(shapely.LineString(stroke).length for stroke in strokes_of(sheet()))
    assert ink == pytest.approx(wanted + 5, abs=0.2)
    assert_all_drawn(board, strokes_of(sheet()), again=6)


def test_the_frame_is_shown_with_the_pen_up(board: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw --frame page", typed="y\nn\nn\n")
    assert result.exit_code == 1
    assert result.output.count("Around the frame again?") == 2
    assert board.drawn == pytest.approx(
        2 * 2 * (148 + 105), abs=1
    )  # by what the board is told
    assert heights(board)[0] == heights(board)[1]  # but that is up as well
    assert board.position == (0, 0)


@pytest.mark.parametrize("copies", [1, 2])
def test_copies_wait_for_paper(board: FakeEBB, vpype: Vpype, copies: int) -> None:
    typed = "y\n" if copies == 2 else "n\n"
    result = vpype("line 1cm 1cm 3cm 1cm axidraw --yes --copies 2", typed=typed)
    assert result.exit_code == 2 - copies, result.output
    assert "New paper for copy 2 of 2" in result.output
    assert_drawn(board, copies * [np.array([[10, 10], [30, 10]])])
    assert files() == ["sheet.svg"]


def test_a_stopped_frame_says_where_the_carriage_is(board: FakeEBB, vpype: Vpype) -> None:
    board.after(60, board.press)
    result = vpype("read sheet.svg axidraw --frame page --yes")
    assert result.exit_code == 1
    assert "pause button. The carriage is not at home" in result.output
    assert files() == ["sheet.svg"]


def test_defaults_of_the_command_may_be_configured(
    board: FakeEBB, vpype: Vpype, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"pen_up": 70, "pen_down": 44, "model": "MiniKit"}
    monkeypatch.setitem(vp.config_manager.config, "command", {"axidraw": values})
    result = vpype("line 1cm 1cm 3cm 1cm axidraw --yes --pen-down 41")
    assert "model 4 (MiniKit)" in result.output
    assert heights(board) == pytest.approx((70, 41), abs=0.1)


# --- NextDraw, after what is public of its module; no machine was there ---------------------


@pytest.fixture
def nextdraw(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEBB]:
    """The board behind the module `nextdraw`; `pyaxidraw` is not there."""
    monkeypatch.syspath_prepend(STUB.with_name("nextdraw_stub"))
    for name in [n for n in sys.modules if n.partition(".")[0] == "pyaxidraw"]:
        monkeypatch.delitem(sys.modules, name)
    if REAL:
        monkeypatch.setattr("vpype_sketchformer.plotters.axidraw.module.MAKERS", MAKERS[1:])
    with FakeEBB() as board:
        monkeypatch.setattr(ebb_serial, "findPort", lambda: board.path)
        yield board
    sys.modules.pop("nextdraw", None)


def test_nextdraw_is_used_where_it_is_installed(nextdraw: FakeEBB, vpype: Vpype) -> None:
    result = vpype("read sheet.svg axidraw --yes --no-pause")
    assert result.exit_code == 0, result.output
    assert "model 8 (NextDraw 8511)" in result.output
    assert_drawn(nextdraw, strokes_of(sheet()))


def test_nextdraws_models_have_names(nextdraw: FakeEBB, vpype: Vpype) -> None:
    result = vpype("line 0 0 16in 0 axidraw --preview --model 1117")
    assert "model 9 (NextDraw 1117)" in result.output
    result = vpype("line 0 0 1in 0 axidraw --preview --speed-down 101")
    assert "101 is not 1 to 100" in result.output


def test_nextdraws_penlifts_are_one_and_three(nextdraw: FakeEBB, vpype: Vpype) -> None:
    assert vpype("line 0 0 1in 0 axidraw --preview --penlift 3").exit_code == 0
    result = vpype("line 0 0 1in 0 axidraw --preview --penlift 2")
    assert result.exit_code == 2
    assert "--penlift: nextdraw has no 2" in result.output


def test_nextdraw_goes_on_after_the_pause_button(nextdraw: FakeEBB, vpype: Vpype) -> None:
    nextdraw.after(60, nextdraw.press)
    assert "pause button" in vpype("read sheet.svg axidraw --yes --no-pause").output
    result = vpype("read sheet.svg axidraw --yes --no-pause --resume")
    assert result.exit_code == 0, result.output
    assert_drawn_once(nextdraw, strokes_of(sheet()))


# --- without any module -----------------------------------------------------------------


@pytest.mark.parametrize("option", ["", "--preview"])
def test_without_the_module_one_line_says_how_to_install_it(
    command_line: CommandLine, option: str
) -> None:
    result = command_line("line", "0", "0", "1cm", "1cm", "axidraw", *option.split())
    assert result.returncode == 2
    assert "pip install https://" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def command_line(request: pytest.FixtureRequest, tmp_path: Path) -> CommandLine:
    """The console script, with no module in reach."""
    from tests.conftest import VPYPE

    (tmp_path / "pyaxidraw").mkdir()
    (tmp_path / "pyaxidraw" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'pyaxidraw'\", name='pyaxidraw')"
    )

    def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(VPYPE), *map(str, args)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_fake_board_answers_the_makers_library() -> None:
    """What the tests above rest on, without any module of the AxiDraw's."""
    with FakeEBB(nickname="Edna") as board:
        port = ebb_serial.testPort(board.path)
        assert ebb_serial.min_version(port, "2.8.1")
        assert ebb_serial.query_nickname(port, verbose=False) == "Edna"
        assert ebb_motion.queryVoltage(port)
        ebb_motion.sendPenUp(port, 200)
        assert ebb_motion.QueryPenUp(port)
        ebb_motion.sendEnableMotors(port, 2)
        assert ebb_motion.query_enable_motors(port) == (2, 2)
        ebb_motion.doABMove(port, 400, 800, 100)  # 8-fold: 10 mm and 20 mm
        ebb_motion.sendPenDown(port, 200)
        assert not ebb_motion.QueryPenUp(port)
        ebb_motion.doXYMove(port, 400, 400, 100)  # both motors: 10 mm along x
        ebb_motion.doLowLevelMove(port, 1, 400, 0, 1, -400, 0)  # against: 10 mm along y
        assert ebb_motion.query_steps(port) == (2000, -400)
        ebb_motion.sendPenUp(port, 200)
        ebb_motion.doTimedPause(port, 10)
        assert board.strokes == [[(10, 20), (20, 20), (20, 30)]]
        assert board.position == (20, 30)
        assert board.drawn == 20
        board.press()
        assert ebb_motion.QueryPRGButton(port).strip() == "1"
        assert ebb_motion.QueryPRGButton(port).strip() == "0"
        ebb_motion.setEBBLV(port, 7)
        assert ebb_motion.queryEBBLV(port) == 7
        assert board.complaints == []
        ebb_motion.sendDisableMotors(port)
        assert ebb_motion.query_enable_motors(port) == (0, 0)
        ebb_serial.command(port, "SM,1,100,100\r", verbose=False)
        assert board.complaints == [
            "moved with the motors off",
            "too fast: 100, 100 in 1 ms",
        ]
        # By hand: the library waits 100 s for an OK behind every answer.
        port.write(b"XX\r")
        assert b"Err" in port.readline()
        ebb_serial.closePort(port)
