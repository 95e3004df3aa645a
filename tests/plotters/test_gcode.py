"""gwrite with the plug-in's profiles: what a GRBL machine gets, as other programs read it.

Two interpreters that follow the modal state have to agree: gcode-machine, which knows GRBL's
words, and pygcode, which knows the modal groups and where the pen and the spindle are. What
neither minds but GRBL does, such as long lines, is checked beside them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import pygcode
import pytest
import shapely
import shapely.affinity
import vpype as vp
import vpype_cli
from gcode_machine import GcodeMachine
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import VPYPE

MM = 96 / 25.4
PROFILES = ("grbl_servo", "grbl_servo_s", "grbl_z")

WORD = re.compile(r"([A-Z])(-?(?:\d+\.?\d*|\.\d+))")


@dataclass
class Plot:
    """What a machine does: pen strokes in mm, between the pauses for another pen."""

    layers: list[list[list[tuple[float, float]]]] = field(default_factory=lambda: [[]])
    travels: list[shapely.LineString] = field(default_factory=list)
    feeds: set[float] = field(default_factory=set)
    spindle: set[float] = field(default_factory=set)
    heights: set[float] = field(default_factory=set)
    dwells: set[float] = field(default_factory=set)

    @property
    def drawn(self) -> list[shapely.MultiLineString]:
        return [shapely.MultiLineString(strokes) for strokes in self.layers]


def words_of(line: str) -> list[tuple[str, str]]:
    """Split a line as GRBL does; refuse what GRBL would refuse."""
    assert line.isascii()
    assert len(line) <= 80
    code = re.sub(r"\([^()]*\)|;.*|\s", "", line)
    words = WORD.findall(code)
    assert "".join(map("".join, words)) == code, line
    for letter, number in words:
        assert letter in "FGIJKLMNPRSTXYZ", line
        assert letter not in "FPS" or float(number) >= 0, line
        assert len(number.strip("-").split(".")[0]) <= 8, line
    letters = [letter for letter, _ in words if letter not in "GM"]
    assert len(letters) == len(set(letters)), line
    return words


def follow(grbl: GcodeMachine, line: str) -> None:
    """Let gcode-machine, which wants commands one by one, run a line."""
    grbl.set_line(line)
    for command in grbl.split_lines():
        grbl.set_line(command)
        grbl.strip()
        grbl.tidy()
        assert not grbl.line_is_unsupported_cmd, line
        grbl.parse_state()
        grbl.done()


def is_down(machine: pygcode.Machine, profile: str) -> bool:
    """Tell whether the pen is on the paper; the tests lower it to 0 or by more S."""
    if profile == "grbl_z":
        return bool(machine.pos.Z <= 0)
    turning = machine.mode.spindle.word == "M3"
    enough = 0 if profile == "grbl_servo" else 200
    return bool(turning and machine.mode.spindle_speed.word.value > enough)


def plot(gcode: str, profile: str = "grbl_servo") -> Plot:
    """Run a program, insisting on what a pen and GRBL need."""
    machine, grbl, result = pygcode.Machine(), GcodeMachine(), Plot()
    modes: set[str] = set()
    pen: bool | None = None  # where it was left is not known
    settled = True
    for line in gcode.splitlines():
        words = words_of(line)
        numbers = dict(words)
        codes = {"".join(word) for word in words if word[0] in "GM"}
        place = (machine.pos.X, machine.pos.Y)
        machine.process_block(pygcode.Line(line).block)
        after = (machine.pos.X, machine.pos.Y)
        follow(grbl, line)
        assert grbl.pos_w == [*after, machine.pos.Z]
        modes |= codes
        if "G1" in codes:
            assert float(numbers["F"]) > 0, "a feed on every G1"
            result.feeds.add(float(numbers["F"]))
        if "S" in numbers:
            result.spindle.add(float(numbers["S"]))
        if "Z" in numbers:
            assert after == place
            result.heights.add(float(numbers["Z"]))
        if "G4" in codes:
            settled = True
            result.dwells.add(float(numbers["P"]))
        if codes & {"M3", "M5"} or "Z" in numbers:
            assert settled, "a dwell after each move of the pen"
            pen, settled = is_down(machine, profile), False
            if pen:
                result.layers[-1].append([after])
        if "X" in numbers or "Y" in numbers:
            assert {"G21", "G90", "G94", "G17"} <= modes, "modes before the first move"
            assert pen is not None, "the pen is raised before the first move"
            assert settled, "no move while the pen moves"
            if pen:
                assert "G1" in codes
                result.layers[-1][-1].append(after)
            else:
                result.travels.append(shapely.LineString([place, after]))
        if "M0" in codes:
            assert pen is False
            assert after == (0, 0)
            result.layers.append([])
    assert pen is False
    assert settled
    assert (machine.pos.X, machine.pos.Y) == (0, 0)
    return result


def upright(document: vp.Document) -> list[shapely.MultiLineString]:
    """Return what has lines, in mm, y up: within the page, or else within its own height."""
    bounds = document.bounds() or (0, 0, 0, 0)
    height = document.page_size[1] if document.page_size else bounds[1] + bounds[3]
    matrix = [1 / MM, 0, 0, -1 / MM, 0, height / MM]
    layers = [layer.as_mls() for layer in document.layers.values() if not layer.is_empty()]
    return [shapely.affinity.affine_transform(layer, matrix) for layer in layers]


def same(drawn: list[shapely.MultiLineString], wanted: list[shapely.MultiLineString]) -> bool:
    pairs = zip(drawn, wanted, strict=True)
    return all(shapely.equals_exact(one, other, tolerance=0.01) for one, other in pairs)


Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Run a pipeline on a document, with gwrite at its end, and return the file's content."""
    monkeypatch.chdir(tmp_path)

    def run(document: vp.Document, pipeline: str = "", options: str = "") -> str:
        options = options or "-p grbl_servo"
        vpype_cli.execute(f"{pipeline} gwrite {options} out.gcode", document)
        return Path("out.gcode").read_text()

    return run


Home = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Run the command line in an empty folder that is the user's home as well."""

    def run(line: str, toml: str = "") -> subprocess.CompletedProcess[str]:
        if toml:
            (tmp_path / ".vpype.toml").write_text(toml)
        environment = os.environ | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
        command = [str(VPYPE), *line.split()]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


def drawing(page: tuple[float, float] | None = (100 * MM, 80 * MM)) -> vp.Document:
    """Two pens: a triangle and a stroke, then a wave; lengths in mm."""
    document = vp.Document(page_size=page)
    document.add([MM * np.array([10 + 10j, 40 + 10j, 30 + 40j, 10 + 10j])], 1)
    document.add([MM * np.array([50 + 70j, 90.1234 + 1.2345j])], 1)
    wave = np.linspace(0, 50, 40)
    document.add([MM * (20 + wave + 1j * (40 + 20 * np.sin(wave)))], 2)
    document.layers[1].set_property("vp_name", "black (a pen) é")
    return document


# --- the program ------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("page", [(100 * MM, 80 * MM), None])
def test_draws_the_document(
    write: Write, profile: str, page: tuple[float, float] | None
) -> None:
    document = drawing(page)
    result = plot(write(document, options=f"-p {profile}"), profile)
    assert same(result.drawn, upright(document))
    if page:
        paper = shapely.box(0, 0, 100, 80)
        assert all(map(paper.covers, [*result.drawn, *result.travels]))


def test_up_is_up(write: Write) -> None:
    document = vp.Document(page_size=(200 * MM, 100 * MM))
    document.add([MM * np.array([10 + 5j, 60 + 5j])])  # near the top edge of the page
    (strokes,) = plot(write(document)).layers
    assert strokes == [[(10, 95), (60, 95)]]


def test_without_a_page_it_stays_in_place(write: Write) -> None:
    document = vp.Document([MM * np.array([-10 + 20j, 30 + 50j])])
    (strokes,) = plot(write(document)).layers
    assert strokes == [[(-10, 50), (30, 20)]]


def test_the_pipelines_document_stays_as_it_is() -> None:
    document = drawing()
    assert vpype_cli.execute("gwrite -p grbl_servo -", document) == document == drawing()


def test_one_point_is_a_dot(write: Write) -> None:
    document = vp.Document(page_size=(10 * MM, 10 * MM))
    document.add([], 1)
    document.layers[1].lines.append(np.array([MM * (2 + 3j)]))
    assert plot(write(document)).layers == [[[(2, 7)]]]


def test_no_negative_zero(write: Write) -> None:
    document = vp.Document(page_size=(10 * MM, 10 * MM))
    document.add([MM * np.array([-1e-5 + 10j, 5 + 10.00001j])])
    assert "-" not in write(document)


@given(
    data=st.lists(  # layers of lines of points, 0 and 1 being the edges of the page
        st.lists(
            st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=5),
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    ).filter(any),
    size=st.tuples(st.floats(0.1, 5000), st.floats(0.1, 5000)),
    paged=st.booleans(),
    profile=st.sampled_from(PROFILES),
)
@settings(max_examples=40, deadline=None)
def test_any_drawing(
    tmp_path_factory: pytest.TempPathFactory,
    data: list[list[list[tuple[float, float]]]],
    size: tuple[float, float],
    paged: bool,
    profile: str,
) -> None:
    document = vp.Document(page_size=size if paged else None)
    for lid, lines in enumerate(data, start=1):
        document.add(
            [[complex(x * size[0], y * size[1]) for x, y in line] for line in lines], lid
        )
    file = tmp_path_factory.mktemp("any") / "out.gcode"
    vpype_cli.execute(f"gwrite -p {profile} '{file}'", document)
    assert same(plot(file.read_text(), profile).drawn, upright(document))


# --- pens -------------------------------------------------------------------------------


def test_empty_layers_need_no_pen(write: Write) -> None:
    document = vp.Document(page_size=(100 * MM, 100 * MM))
    for lid in (1, 2, 3, 4, 5, 6):
        document.add([MM * np.array([1, 1j]) * lid] if lid in (2, 5) else [], lid)
    gcode = write(document)
    assert len(plot(gcode).layers) == 2
    assert gcode.count("M0") == 1
    assert "layer 5" in gcode


def test_one_layer_has_no_pause(write: Write) -> None:
    assert "M0" not in write(drawing(), pipeline="ldelete 2")


def test_a_file_for_each_layer(write: Write) -> None:
    write(drawing(), pipeline="forlayer gwrite -p grbl_servo %_lid%.gcode end")
    first, second = Path("1.gcode").read_text(), Path("2.gcode").read_text()
    assert same(plot(first).drawn + plot(second).drawn, upright(drawing()))
    assert "M0" not in first + second


# --- values -----------------------------------------------------------------------------


def test_values_from_properties(write: Write) -> None:
    values = "propset -g s_down 300 propset -g -t float dwell 0.5 propset -g -t int feed 700"
    result = plot(write(drawing(), pipeline=values))
    assert (result.spindle, result.dwells, result.feeds) == ({300}, {0.5}, {700})


def test_a_feed_for_each_pen(write: Write) -> None:
    gcode = write(drawing(), pipeline="propset -l 1 feed 500 propset -l 2 feed 900")
    first, second = gcode.split("M0")
    assert ("F500\n" in first, "F900\n" in first) == (True, False)
    assert ("F500\n" in second, "F900\n" in second) == (False, True)


def test_heights(write: Write) -> None:
    values = "propset -g z_down -0.5 propset -g z_up 7.25 propset -g z_feed 99"
    result = plot(write(drawing(), values, "-p grbl_z"), "grbl_z")
    assert result.heights == {-0.5, 7.25}
    assert result.feeds == {99, 2000}


def test_both_heights_by_servo(write: Write) -> None:
    gcode = write(drawing(), options="-p grbl_servo_s -d s_up 20 -d s_down 210")
    assert plot(gcode, "grbl_servo_s").spindle == {20, 210}
    assert "M5" not in gcode, "no signal would let the pen fall"


def test_travel_feed(write: Write) -> None:
    gcode = write(drawing(), pipeline="propset -g travel 'G1 F4000'")
    assert plot(gcode).feeds == {2000, 4000}
    assert "G0" not in gcode


VALUES = "[gwrite.grbl_servo.default_values]\nfeed = 1234\ns_down = 240.5\n"
SKETCH = "line 1cm 1cm 5cm 2cm"


def test_values_from_the_users_configuration(home: Home, tmp_path: Path) -> None:
    result = home(f"{SKETCH} gwrite -p grbl_servo out.gcode", VALUES)
    assert (result.returncode, result.stderr) == (0, "")
    program = plot((tmp_path / "out.gcode").read_text())
    assert (program.feeds, program.spindle, program.dwells) == ({1234}, {240.5}, {0.2})


def test_values_from_another_configuration(home: Home, tmp_path: Path) -> None:
    (tmp_path / "pen.toml").write_text("[gwrite.grbl_servo.default_values]\nfeed = 77\n")
    result = home(f"-c pen.toml {SKETCH} gwrite out.gcode", VALUES)
    assert (result.returncode, result.stderr) == (0, "")
    program = plot((tmp_path / "out.gcode").read_text())
    assert (program.feeds, program.spindle) == ({77}, {240.5})


def test_properties_go_before_the_configuration(home: Home) -> None:
    result = home(f"{SKETCH} propset -g feed 55 gwrite -", VALUES)
    assert plot(result.stdout).feeds == {55}


# --- the user's choice ------------------------------------------------------------------

MINE = 'document_start = "mine\\n"\nline_end = "up\\n"\nunit = "mm"\n'


def test_grbl_servo_is_the_default(home: Home) -> None:
    result = home(f"{SKETCH} gwrite -")
    assert result.returncode == 0
    assert plot(result.stdout, "grbl_servo").drawn
    assert "M5\n" in result.stdout


WRONG_TABLES = {
    "gwrite.grbl_servo.default_values": '[gwrite.grbl_servo]\ndefault_values = "x"',
    "gwrite.grbl_servo": "[gwrite]\ngrbl_servo = 5",
    "gwrite.grbl_servo.unit": '[gwrite.grbl_servo]\nunit = "parsec"',
    "gwrite.grbl_servo.scale_x": "[gwrite.grbl_servo]\nscale_x = [1]",
    "gwrite.grbl_servo.invert_y": '[gwrite.grbl_servo]\ninvert_y = "\\u001b[2J"',
}


@pytest.mark.parametrize("key", WRONG_TABLES)
def test_a_wrong_configuration_is_one_line_and_left_out(
    home: Home, key: str, tmp_path: Path
) -> None:
    result = home(f"{SKETCH} gwrite out.gcode", WRONG_TABLES[key])
    assert result.returncode == 0, result.stderr
    (line,) = result.stderr.splitlines()
    assert f"{key} in your ~/.vpype.toml is " in line
    assert line.isprintable()
    assert "M3 S250" in (tmp_path / "out.gcode").read_text()


def test_a_wrong_configuration_file_is_one_line(home: Home, tmp_path: Path) -> None:
    (tmp_path / "pen.toml").write_text('[gwrite.grbl_servo]\ndefault_values = "x"')
    (tmp_path / "out.gcode").write_text("before")
    result = home(f"-c pen.toml {SKETCH} gwrite out.gcode")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "gwrite.grbl_servo or its default_values is not a table" in result.stderr
    assert (tmp_path / "out.gcode").read_text() == "before"


@pytest.mark.parametrize("default", ["grbl_z", "own"])
def test_the_users_default_stays(home: Home, default: str) -> None:
    toml = f'[gwrite]\ndefault_profile = "{default}"\n[gwrite.own]\n{MINE}'
    chosen = home(f"{SKETCH} gwrite -", toml)
    named = home(f"{SKETCH} gwrite -p {default} -")
    assert chosen.returncode == 0
    assert chosen.stdout == named.stdout
    assert ("mine" in chosen.stdout) == (default == "own")


def test_a_default_given_on_the_command_line_stays(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(
        f'[gwrite]\ndefault_profile = "x"\n[gwrite.x]\n{MINE}'
    )
    result = home(f"-c other.toml {SKETCH} gwrite -", '[gwrite]\ndefault_profile = "grbl_z"\n')
    assert result.stdout == "mine\nup\n"


def test_a_profile_of_the_same_name_is_the_users_wholly(home: Home) -> None:
    result = home(f"{SKETCH} gwrite -", f"[gwrite.grbl_servo]\n{MINE}")
    assert (result.returncode, result.stdout) == (0, "mine\nup\n")


def test_settings_of_the_users_go_before(home: Home) -> None:
    settings = "[gwrite.grbl_servo]\nvertical_flip = false\n"
    result = home(f"{SKETCH} pagesize 100mmx100mm gwrite -", settings)
    assert plot(result.stdout).layers == [[[(10, 10), (50, 20)]]]


def test_other_profiles_stay(home: Home) -> None:
    result = home(f"{SKETCH} pagesize a4 gwrite -p gcodemm -")
    assert result.returncode == 0
    assert "M5" not in result.stdout


# --- bad input --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("", "no lines"),
        ("pagesize a4", "no lines"),
        (f"{SKETCH} crop 0 0 1mm 1mm", "no lines"),
        (f"{SKETCH} pagesize 40mmx40mm", "10.00 mm beyond its page"),
        (f"{SKETCH} translate -- -11mm 0 pagesize a4", "1.00 mm beyond its page"),
        (f"{SKETCH} scaleto 200m 200m", "too large"),
        (f"{SKETCH} propset -g feed 10mm", "feed is '10mm'"),
        (f"{SKETCH} propset -g feed 0", "feed is '0'"),
        (f"{SKETCH} propset -l 1 s_down -5", "s_down is '-5'"),
        (f"{SKETCH} propset -g -t float dwell 1e-7", "dwell is '1e-07'"),
        (f"{SKETCH} propset -g travel G28", "travel is 'G28'"),
    ],
)
def test_refused(write: Write, pipeline: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        write(vp.Document(), pipeline=pipeline)
    assert not Path("out.gcode").exists()


def test_refused_in_one_line(home: Home, tmp_path: Path) -> None:
    result = home("pagesize a4 gwrite out.gcode")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("Error: gwrite: nothing to draw")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("place", [np.nan, np.inf, complex(0, -np.inf)])
@pytest.mark.parametrize("page", [None, (100.0, 100.0)])
def test_points_nowhere_are_refused(
    write: Write, profile: str, place: complex, page: tuple[float, float] | None
) -> None:
    document = vp.Document(vp.LineCollection([[1 + 1j, place, 2 + 2j]]), page_size=page)
    with pytest.raises(click.UsageError, match="finite"):
        write(document, options=f"-p {profile}")
    assert not Path("out.gcode").exists()


def test_a_refused_drawing_leaves_the_last_file(write: Write) -> None:
    before = write(drawing())
    with pytest.raises(click.UsageError, match="no lines"):
        write(vp.Document())
    assert Path("out.gcode").read_text() == before


@pytest.mark.parametrize("toml", [VALUES.replace("1234", '"fast"'), ""])
def test_wrong_values_elsewhere_are_told(home: Home, toml: str) -> None:
    option = "" if toml else "-d feed fast"
    result = home(f"{SKETCH} gwrite {option} -", toml)
    assert (result.returncode, result.stdout) == (2, "")
    assert "feed is 'fast'" in result.stderr


# --- with the commands of this plug-in ---------------------------------------------------


def test_a_file_of_the_users(home: Home, tmp_path: Path) -> None:
    (tmp_path / "partial.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="4in" height="3in" viewBox="0 0 8 6">'
        '<circle cx="2" cy="2" r="1"/><path d="M 7 5 L 9 5"/></svg>'
    )
    result = home("read partial.svg gwrite cnc.gcode")
    assert (result.returncode, result.stderr) == (0, "")
    (drawn,) = plot((tmp_path / "cnc.gcode").read_text()).drawn
    circle, line = drawn.geoms
    inch = 25.4
    true_circle = shapely.Point(inch, 2 * inch).buffer(inch / 2, quad_segs=100).exterior
    assert circle.hausdorff_distance(true_circle) < 0.1, "within read's own tolerance"
    cropped = shapely.LineString([(3.5 * inch, inch / 2), (4 * inch, inch / 2)])
    assert shapely.equals_exact(line, cropped, tolerance=0.01)


def test_sketches(home: Home, tiny: Path, tmp_path: Path) -> None:
    sketchgen = f"sketchgen --model {tiny} -n 6 --class cat,dog --layers class grid 3 2"
    result = home(f"-s 3 {sketchgen} linesort write out.svg gwrite out.gcode")
    assert result.returncode == 0, result.stderr
    program = plot((tmp_path / "out.gcode").read_text())
    document = vp.read_multilayer_svg(str(tmp_path / "out.svg"), 0.1)
    assert same(program.drawn, upright(document))
    assert len(program.drawn) == 2
