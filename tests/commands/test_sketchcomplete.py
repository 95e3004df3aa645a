"""`sketchcomplete`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from unittest import mock

import click
import numpy as np
import pytest
import shapely
import vpype as vp
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.commands.conftest import Run, Runner, assert_refused
from tests.conftest import CommandLine
from vpype_sketchformer.commands.sketchcomplete import sketchcomplete
from vpype_sketchformer.model import completion, recogniser

CM = 96 / 2.54
DATA = Path(__file__).parents[1] / "data"
BEGINNINGS = ["circle", "triangle", "eyes", "spiral", "letter"]


@pytest.fixture
def run(tiny: Path, runner: Runner) -> Run:
    """COMPLETE is the command with the tiny model."""
    return runner("COMPLETE", f"sketchcomplete --model '{tiny}'")


@pytest.fixture
def three_pens() -> vp.Document:
    """A drawing on three layers with names, colours and pen widths; the second is empty."""
    document = vp.Document(page_size=(30 * CM, 20 * CM))
    lines = {2: [[99, 200 + 1 / 3 * 1j, 150 + 90j]], 5: [], 7: [[170 + 40j, 180, 99], [1, 2j]]}
    for i, (lid, content) in enumerate(lines.items()):
        layer = vp.LineCollection(content)
        layer.set_property("vp_name", f"pen {i}")
        layer.set_property("vp_color", ["red", "lime", "blue"][i])
        layer.set_property("vp_pen_width", 0.3 + i)
        document.add(layer, lid, with_metadata=True)
    return document


def bits(document: vp.Document) -> dict[int, tuple[dict[str, object], list[bytes]]]:
    """Everything there is in the layers, to the bit."""
    return {
        lid: (dict(layer.metadata), [line.tobytes() for line in layer])
        for lid, layer in document.layers.items()
    }


def completions(document: vp.Document) -> dict[int, vp.LineCollection]:
    return {
        lid: layer
        for lid, layer in document.layers.items()
        if str(layer.property("vp_name")).startswith("completion: ")
    }


def added(document: vp.Document) -> list[list[complex]]:
    return [line.tolist() for layer in completions(document).values() for line in layer]


def assert_kept(before: vp.Document, after: vp.Document) -> None:
    """Nothing of what was there has changed; all that is new is on layers of completions."""
    kept = {lid: layer for lid, layer in bits(after).items() if lid not in completions(after)}
    assert kept == bits(before)


# --- what was there, and what is new -------------------------------------------------------


@pytest.mark.parametrize("name", BEGINNINGS)
def test_beginnings_are_kept_and_go_on(run: Run, name: str) -> None:
    before = run(f"read {name}.svg")
    after = run(f"read {name}.svg COMPLETE --tries 4")
    assert_kept(before, after)
    assert after.page_size == before.page_size
    page = shapely.box(0, 0, *after.page_size)
    for layer in completions(after).values():
        assert page.buffer(1e-6).contains(layer.as_mls())


def test_layers_names_colours_and_widths_are_kept(run: Run, three_pens: vp.Document) -> None:
    after = run("COMPLETE -c cat --seed 5", three_pens)
    assert_kept(three_pens, after)
    assert list(completions(after)) == [8]  # drawn last
    assert after.layers[8].property("vp_name") == "completion: cat"
    assert len(after.layers[8]) > 0


def test_a_layer_alone_may_be_the_beginning(run: Run, three_pens: vp.Document) -> None:
    alone = vp.Document(three_pens.layers[2], page_size=three_pens.page_size)
    after = run("COMPLETE -c cat --seed 5 --layer 2", three_pens)
    assert_kept(three_pens, after)
    assert added(after) == added(run("COMPLETE -c cat --seed 5", alone))
    assert added(after) != added(run("COMPLETE -c cat --seed 5 --layer 2,7", three_pens))
    assert added(run("COMPLETE --layer 7,2", three_pens)) == added(
        run("COMPLETE --layer all", three_pens)
    )


def test_only_what_is_added_is_smoothed(run: Run) -> None:
    command = "read letter.svg pagesize tight COMPLETE -c cat --join {} grid -o 40cm 40cm 3 3"
    smooth, straight = run(command.format("")), run(command.format("--no-smooth"))
    assert bits(smooth)[1] == bits(straight)[1]
    assert smooth.segment_count() > straight.segment_count()
    for curve, line in zip(added(smooth), added(straight), strict=True):
        for point in line:
            assert np.abs(np.array(curve) - point).min() < 1e-6


def test_joined_lines_begin_at_the_last_point(run: Run) -> None:
    last = run("read letter.svg").layers[1][-1][-1]
    line = "read letter.svg COMPLETE --join --tries 1 --seed"
    joined = [added(run(f"{line} {i}")) for i in range(12)]
    starts = [lines[0][0] for lines in joined if lines]
    assert 0 < starts.count(last) < 12
    lifted = [added(run(f"read letter.svg COMPLETE --seed {i}")) for i in range(12)]
    assert last not in [line[0] for lines in lifted for line in lines]


def test_one_line_goes_on_from_the_last_point(run: Run) -> None:
    last = run("read letter.svg").layers[1][-1][-1]
    for seed in range(6):
        for line in added(run(f"read letter.svg COMPLETE --one-line --seed {seed}"))[:1]:
            assert line[0] == last
    assert (
        len(added(run("read letter.svg pagesize tight COMPLETE -c cat --one-line -t 0.1")))
        == 1
    )


def test_extent_is_the_size_of_the_finished_drawing(run: Run) -> None:
    """At a low temperature even a model that scribbles stays in the frame that it knows."""
    for extent in (4, 40):
        document = run(f"circle 50cm 50cm 1cm COMPLETE -n 1 -t 0.1 -c cat -e {extent}cm")
        assert document.property("sketchformer_extent") == pytest.approx(extent * CM)
        left, top, right, bottom = document.bounds()
        assert max(right - left, bottom - top) < 1.2 * extent * CM
    wide = run("circle 50cm 50cm 1cm COMPLETE -t 0.1 -c cat -e 40cm").bounds()
    assert wide[2] - wide[0] > 4 * CM


@pytest.mark.parametrize(
    "option",
    [
        "-t 0.9",
        "--pen-temperature 0.3",
        "--guidance 3",
        "--tries 8",
        "-c dog",
        "-e 9cm",
    ],
)
def test_options_reach_the_model(run: Run, option: str) -> None:
    line = "read circle.svg COMPLETE -n 4 -c cat --tries 1 --seed 5"
    assert added(run(f"{line} {option}")) != added(run(line))


# --- the class -----------------------------------------------------------------------------


def test_the_guess_is_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    document = run("read eyes.svg COMPLETE")
    lines = [text for text in capsys.readouterr().err.splitlines() if "looks like" in text]
    assert len(lines) == 1
    names = re.findall(r"(?:like|else|,) ([^,(]+) \((\d+) %\)", lines[0])
    assert len(names) == 4
    shares = [int(share) for _, share in names]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 102
    assert document.property("sketchformer_class") == names[0][0]
    assert document.property("sketchformer_guess").startswith(f"{names[0][0]} ({shares[0]} %)")


def test_the_next_class_has_its_turn_aloud(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A circle is a circle, and nothing is missing of it."""
    document = run("read circle.svg sketchcomplete --seed 1")
    told = re.search(
        r"nothing is missing of circle: drawn as ([^;]+);", capsys.readouterr().err
    )
    assert told is not None
    assert document.property("sketchformer_class") == told[1] != "circle"
    assert [layer.property("vp_name") for layer in completions(document).values()] == [
        f"completion: {told[1]}"
    ]


def test_guesses_of_nothing_are_not_named(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("read letter.svg sketchcomplete --seed 1")  # an Eiffel tower, if anything
    assert "(0 %)" not in capsys.readouterr().err


def test_a_page_that_is_kept_too_small_is_told(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run("read circle.svg pagesize 12cmx12cm COMPLETE -n 4 -c cat grid 2 2")
    assert "grid -k" not in caplog.text
    document = run("read circle.svg pagesize 12cmx12cm COMPLETE -n 4 -c cat grid -k 2 2")
    assert document.page_size == pytest.approx((12 * CM, 12 * CM))
    assert "more than the page, which `grid -k` keeps as it is" in caplog.text


def test_a_model_of_one_class_does_not_guess(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("read circle.svg sketchcomplete --model oneline")
    assert "looks like" not in capsys.readouterr().err


def test_a_class_that_is_given_is_not_guessed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    document = run("read circle.svg COMPLETE -n 9 -c 'the MONA lisa'")
    assert "looks like" not in capsys.readouterr().err
    (layer,) = completions(document).values()
    assert layer.property("vp_name") == "completion: The Mona Lisa"
    assert document.property("sketchformer_guess") is None


def test_what_gets_nothing_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The number that is told is that of the cells without anything new."""
    document = run("read circle.svg COMPLETE --tries 1 -c circle grid -o 20cm 20cm 5 4")
    told = re.search(r"(\d+) of 20 times nothing was added", capsys.readouterr().err)
    assert told is not None
    corner = document.layers[1][0][0]
    filled = {
        round((line[0] - corner).real / (20 * CM))
        + 5 * round((line[0] - corner).imag / 20 / CM)
        for line in added(document)
    }
    assert len(filled) == 20 - int(told[1])


def test_a_finished_drawing_gets_no_layer(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(20):
        document = run(f"read circle.svg COMPLETE -c circle --tries 1 --seed {seed}")
        said = "nothing was added" in capsys.readouterr().err
        assert said == (set(document.layers) == {1})
        if said:
            return
    pytest.fail("never finished")


# --- variants on a sheet -------------------------------------------------------------------


@pytest.mark.parametrize("command", ["COMPLETE -n 5", "COMPLETE -n 5 grid 3 2"])
def test_variants_lie_in_cells(run: Run, three_pens: vp.Document, command: str) -> None:
    single = bits(three_pens)
    document = run(
        command.replace("COMPLETE", "COMPLETE -c cat --tries 1 --seed 3"), three_pens
    )
    first = three_pens.layers[2][0]
    places = [line[0] - first[0] for line in document.layers[2]]
    assert places[0] == 0
    cells = []
    for place in places:
        lines = []
        for lid in (2, 7):
            expected = [line + place for line in three_pens.layers[lid]]
            for line in expected:
                assert any(np.array_equal(line, other) for other in document.layers[lid])
            lines += expected
        cells.append(shapely.MultiPoint([(z.real, z.imag) for z in np.concatenate(lines)]))
    assert len(cells) == 5
    for lid in (2, 5, 7):
        meta, lines_before = single[lid]
        assert bits(document)[lid][0] == meta
        assert bits(document)[lid][1][: len(lines_before)] == lines_before
        assert len(document.layers[lid]) == 5 * len(lines_before)
    boxes = [cell.envelope for cell in cells]
    assert not any(a.intersects(b) for a, b in itertools.combinations(boxes, 2))
    assert len({round(place.imag, 6) for place in places}) == 2
    width, height = document.page_size
    page = shapely.box(0, 0, width, height).buffer(1e-6)
    assert page.contains(shapely.union_all(boxes))
    (layer,) = completions(document).values()
    assert page.contains(layer.as_mls())


def test_variants_differ_and_do_not_depend_on_their_number(run: Run) -> None:
    """The first variant lies in place, so it is the same line for line."""
    one = added(run("read circle.svg COMPLETE -c cat --tries 3 --seed 5"))
    nine = added(run("read circle.svg COMPLETE -c cat --tries 3 --seed 5 -n 9"))
    assert one
    assert nine[: len(one)] == one
    shapes = {tuple(np.round(np.diff(line), 6)) for line in nine}
    assert len(shapes) > len(one)


def test_the_beginning_is_read_once(run: Run) -> None:
    with mock.patch.object(completion, "complete", wraps=completion.complete) as complete:
        run("read circle.svg COMPLETE grid 4 3")
    assert complete.call_count == 1


@pytest.mark.parametrize(
    ("pipeline", "variants"),
    [
        ("COMPLETE", 1),
        ("COMPLETE -n 3", 3),
        ("COMPLETE grid 3 2", 6),
        ("COMPLETE -n 2 grid 3 2", 2),
        ("COMPLETE -n %1+1%", 2),
        ("COMPLETE grid 1 1 linesort", 1),
        ("COMPLETE -n 2 COMPLETE -l 1", 2),
    ],
)
def test_how_many_variants(run: Run, pipeline: str, variants: int) -> None:
    assert len(run(f"read circle.svg {pipeline}").layers[1]) == variants


def test_cells_of_a_given_size(run: Run) -> None:
    document = run("pagesize 60x60cm circle 5cm 5cm 1cm COMPLETE grid -o 14cm 16cm 3 2")
    starts = [line[0] for line in document.layers[1]]
    expected = [14 * CM * x + 16j * CM * y for y in range(2) for x in range(3)]
    assert np.allclose(np.array(starts) - starts[0], expected)
    assert document.page_size == pytest.approx((60 * CM, 60 * CM))


def test_the_page_grows_with_the_sheet_unless_it_is_to_be_kept(run: Run) -> None:
    page = run("read circle.svg").page_size
    width, height = run("read circle.svg COMPLETE -n 6 grid 3 2").page_size
    assert width > page[0]
    assert height > page[1]
    assert run("read circle.svg COMPLETE -n 6 grid -k 3 2").page_size == page
    assert run("read circle.svg pagesize a2 COMPLETE grid 2 1").page_size == pytest.approx(
        (42 * CM, 59.4 * CM)
    )


def test_a_page_is_set_where_there_is_none(run: Run) -> None:
    for count in (1, 4):
        document = run(f"circle 9cm 9cm 1cm COMPLETE -n {count}")
        _, _, right, bottom = document.bounds()
        assert document.page_size[0] > right
        assert document.page_size[1] > bottom
    assert run("pagesize tight circle 9cm 9cm 1cm COMPLETE").page_size == (0, 0)


def test_what_lies_beyond_the_page_is_cut_off(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    document = run(
        "pagesize 10x10cm circle 9cm 9cm 1cm COMPLETE --extent 60cm -c cat -t 1 -n 9 "
        "grid -o 10cm 10cm 9 1"
    )
    assert sum("beyond the page" in text for text in caplog.messages) == 1
    left, top, right, bottom = document.bounds()
    assert min(left, top) > -1e-6
    assert right < 90 * CM + 1e-6
    assert bottom < 10 * CM + 1e-6


# --- blocks and commands behind --------------------------------------------------------------


def test_forlayer_completes_every_layer(run: Run, three_pens: vp.Document) -> None:
    three_pens.add([[300 + 300j, 340 + 310j, 310 + 340j]], 8)
    after = run("forlayer COMPLETE -c cat -t 0.2 end", three_pens)
    assert_kept(three_pens, after)
    lines = 0
    for lid in (2, 7, 8):
        alone = vp.Document(three_pens.layers[lid], page_size=three_pens.page_size)
        lines += bool(added(run("COMPLETE -c cat -t 0.2", alone)))
    assert lines > 0
    assert set(completions(after)) == {9}


def test_forlayer_writes_each_layer_with_its_completion(
    run: Run, three_pens: vp.Document, tmp_path: Path
) -> None:
    run("forlayer COMPLETE -c cat --tries 3 write '%_name%.svg' end", three_pens)
    for name in ("pen 0", "pen 2"):
        written = vp.read_multilayer_svg(str(tmp_path / f"{name}.svg"), 0.1)
        names = [layer.property("vp_name") for layer in written.layers.values()]
        assert names == [name, "completion: cat"]


def test_repeat_draws_different_variants_on_one_layer(run: Run) -> None:
    document = run("repeat 4 read letter.svg COMPLETE -c cat end")
    assert len(document.layers[1]) == 8
    assert set(document.layers) == {1, 2}
    lines = added(document)
    assert len({tuple(line) for line in lines}) == len(lines)


def test_vpypes_own_grid_keeps_its_meaning(run: Run) -> None:
    document = run("grid -o 10cm 10cm 2 2 read letter.svg COMPLETE -c cat end")
    starts = sorted({(round(z[0].real), round(z[0].imag)) for z in document.layers[1]})
    assert len(starts) == 8
    assert document.page_size == pytest.approx((20 * CM, 20 * CM))
    assert set(document.layers) == {1, 2}


def test_forfile_completes_every_file(run: Run, tmp_path: Path) -> None:
    pipeline = "forfile '*e*.svg' read %_path% COMPLETE write done_%_name% ldelete all end"
    assert run(pipeline).is_empty()
    for name in ("circle", "eyes", "letter"):
        before = vp.read_multilayer_svg(str(tmp_path / f"{name}.svg"), 0.1 * CM / 10)
        after = vp.read_multilayer_svg(str(tmp_path / f"done_{name}.svg"), 0.1 * CM / 10)
        assert len(after.layers[1]) == len(before.layers[1])
        assert after.page_size == pytest.approx(before.page_size)


def test_a_layer_of_the_user_is_never_taken_for_the_commands(run: Run) -> None:
    """The second file has a layer where the first one's completion went."""
    Path("x0.svg").write_text(svg([["M 9 9 L 80 20 L 30 70"]]))
    Path("x1.svg").write_text(svg([["M 9 9 L 80 20"], ["M 30 70 L 9 9"]]))
    document = run(
        "forfile 'x?.svg' read %_path% forlayer COMPLETE -c cat end "
        "write %_i%.svg ldelete all end"
    )
    assert document.is_empty()
    written = vp.read_multilayer_svg("1.svg", 0.1)
    assert [len(written.layers[lid]) for lid in (1, 2)] == [1, 1]


@pytest.mark.parametrize(
    "behind",
    [
        "linemerge linesort",
        "layout -m 1cm a4",
        "forlayer write %_i%.svg end",
        "splitall",
        "lmove all 1",
        "rotate 30",
    ],
)
def test_commands_behind_need_nothing_more(run: Run, behind: str) -> None:
    run(f"read letter.svg COMPLETE -n 4 {behind} write out.svg")
    assert Path("out.svg").stat().st_size > 0


# --- drawing it again ------------------------------------------------------------------------


def test_an_svg_says_how_it_was_completed(run: Run) -> None:
    document = run(
        "read letter.svg COMPLETE -n 3 -t 0.7 write -r out.svg write plain.svg", seed=None
    )
    seed = document.property("sketchformer_seed")
    assert f"# sketchcomplete --seed {seed}\n" in Path("plain.svg").read_text()
    assert document.property("sketchformer_temperature") == 0.7
    command = run("read out.svg").property("svg_dc_description")
    assert added(run(f"read letter.svg {command}", seed=None)) == added(document)


def test_a_seed_that_was_typed_is_noted_once(run: Run) -> None:
    run("read letter.svg COMPLETE --seed 7 write -r out.svg")
    assert run("read out.svg").property("svg_dc_description").count("--seed") == 1


def test_vpypes_seed_decides(run: Run) -> None:
    one, same, other = (run("read eyes.svg COMPLETE -n 3", seed=i) for i in (5, 5, 6))
    assert added(one) == added(same) != added(other)


# --- many points, bad input ------------------------------------------------------------------


def test_a_drawing_with_too_much_detail_is_thinned(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    lines = rng.uniform(0, 500, (400, 3)) + 1j * rng.uniform(0, 500, (400, 3))
    before = vp.Document(vp.LineCollection(lines), page_size=(700, 700))
    assert_kept(before, run("COMPLETE -c cat", before))
    assert sum("more detail than the model" in text for text in caplog.messages) == 1


def test_contract_line(vpype: CommandLine, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "partial.svg").write_bytes((DATA / "letter.svg").read_bytes())
    line = f"read partial.svg sketchcomplete --model {tiny} gwrite cnc.gcode"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    # Three are the letter's own; whether any are added is for the seed to say.
    assert (tmp_path / "cnc.gcode").read_text().count("\nG1 ") >= 3


@pytest.mark.parametrize("name", ["circle", "letter"])
def test_contract_line_word_for_word(vpype: CommandLine, tmp_path: Path, name: str) -> None:
    (tmp_path / "partial.svg").write_bytes((DATA / f"{name}.svg").read_bytes())
    line = "read partial.svg sketchcomplete gwrite cnc.gcode"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    assert "looks like" in result.stderr
    assert (tmp_path / "cnc.gcode").read_text().count("\nG1 ") > 1


def examples() -> list[str]:
    text = re.sub(r"\\\n\s+", "", sketchcomplete.help or "")
    return re.findall(r"^ +vpype (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("line", examples())
def test_examples_of_the_help_work(
    vpype: CommandLine, tiny: Path, tmp_path: Path, line: str
) -> None:
    for name in ("partial.svg", "other.svg"):
        (tmp_path / name).write_text(svg([["M 9 9 L 80 20"], ["M 30 70 L 9 9"]]))
    line = line.replace("sketchcomplete", f"sketchcomplete --model {tiny}")
    result = vpype(*shlex.split(line))
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.iterdir())) > 2


def test_there_are_examples() -> None:
    assert len(examples()) == sketchcomplete.help.count("    vpype ")  # type: ignore[union-attr]


def svg(layers: list[list[str]], *, size: str = "100", extra: str = "") -> str:
    groups = "".join(
        f'<g stroke="{color}">{"".join(f"<path d={d!r}/>" for d in paths)}</g>'
        for paths, color in zip(layers, itertools.cycle(["red", "blue"]))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="0 0 100 100">{groups}{extra}</svg>'
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COMPLETE", "nothing to begin with: no lines"),
        ("read empty.svg COMPLETE", "nothing to begin with: no lines"),
        ("read point.svg COMPLETE", "nothing to begin with: no lines"),
        ("line 5 5 5 5 COMPLETE", "all points are in one place"),
        ("line 5 5 5 5 line -l 2 5 5 5 5 COMPLETE", "all points are in one place"),
        ("read infinite.svg COMPLETE", "not finite numbers"),
        ("line 0 0 1e300 1e300 COMPLETE", "a drawing of size 1e+300 cannot be used"),
        ("line 0 0 1e-300 0 COMPLETE", "a drawing of size 1e-300 cannot be used"),
        ("read good.svg repeat 2 COMPLETE end", "Inside `repeat` the pipeline begins empty"),
        ("read good.svg COMPLETE -c catt", "unknown class 'catt'; did you mean 'cat'"),
        ("read good.svg COMPLETE -c all", "unknown class 'all'"),
        ("read good.svg COMPLETE -n 0", "'--count': 0 is not at least 1"),
        ("read good.svg COMPLETE -n -2", "'--count': -2 is not at least 1"),
        ("read good.svg COMPLETE -n x", "'--count': 'x' is not a whole number"),
        ("read good.svg COMPLETE -c cat,dog", "one class is needed, not 'cat,dog'"),
        ("read good.svg forfile good.svg COMPLETE end", "empty, or the file has no lines"),
        ("read good.svg COMPLETE -n 5 grid 2 2", "5 variants do not fit into a grid of 4"),
        ("read good.svg COMPLETE grid 0 2", "a grid has 1 cell or more"),
        ("read good.svg COMPLETE grid -o 1mm 1mm 2 2", "choose larger cells"),
        ("read good.svg COMPLETE -l 9", "'--layer': layer 9 does not exist"),
        ("read good.svg COMPLETE -l 1,9", "'--layer': layer 9 does not exist"),
        ("read good.svg COMPLETE -l 0", "'--layer': layer 0 is invalid"),
        ("read good.svg COMPLETE -l new", "does not accept `new`"),
        ("read good.svg COMPLETE -e 1mm", "0.1 cm is less than the drawing has already, 1.8"),
        ("read good.svg COMPLETE -e 0", "'--extent': the extent must be greater than zero"),
        ("read good.svg COMPLETE -e nan", "'--extent'"),
        ("read good.svg COMPLETE -e 3furlong", "'--extent': '3furlong' is not a length"),
        ("read good.svg COMPLETE -t 0", "'--temperature': 0 is not above 0"),
        ("read good.svg COMPLETE --pen-temperature 9", "9 is not above 0 and at most 2"),
        ("read good.svg COMPLETE --guidance -1", "'--guidance': -1 is not between 0 and 10"),
        ("read good.svg COMPLETE --tries 0", "'--tries': 0 is not at least 1"),
        ("read good.svg COMPLETE --seed -1", "'--seed': -1 is negative"),
        ("read good.svg sketchcomplete -m missing.safetensors", "no model 'missing.safet"),
        ("read good.svg sketchcomplete -m good.svg", "not a readable model file"),
    ],
)
def test_bad_input(run: Run, line: str, message: str) -> None:
    write_bad_files(Path())
    assert_refused(run, line, message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COMPLETE", "nothing to begin with: no lines"),
        ("read point.svg COMPLETE", "nothing to begin with: no lines"),
        ("read infinite.svg COMPLETE", "not finite numbers"),
        ("line 5 5 5 5 COMPLETE", "all points are in one place"),
        ("read good.svg COMPLETE -c catt", "unknown class 'catt'; did you mean 'cat'"),
        ("read good.svg COMPLETE -n 0", "'--count': 0 is not at least 1"),
        ("read good.svg COMPLETE -l 9", "'--layer': layer 9 does not exist"),
        ("read good.svg sketchcomplete -m missing.safetensors", "no model 'missing.safet"),
    ],
)
def test_bad_input_on_the_command_line(
    vpype: CommandLine, tiny: Path, tmp_path: Path, line: str, message: str
) -> None:
    write_bad_files(tmp_path)
    line = line.replace("COMPLETE", f"sketchcomplete -m {tiny}")
    result = vpype(*line.split(), "write", "out.svg")
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    errors = [text for text in result.stderr.splitlines() if text.startswith("Error:")]
    assert len(errors) == 1
    assert result.stderr.rstrip().endswith(errors[0])
    assert message in errors[0]
    assert not (tmp_path / "out.svg").exists()


def write_bad_files(folder: Path) -> None:
    files = {
        "good": svg([["M 9 9 L 80 20"], ["M 30 70 L 9 9"]]),
        "empty": svg([]),
        "point": svg([["M 5 5", "M 6 6 Z"]]),
        "infinite": svg([["M 3 3 L 1e400 5"]]),
    }
    for name, text in files.items():
        (folder / f"{name}.svg").write_text(text)


def test_a_recogniser_that_is_missing_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recogniser, "BUNDLED", tmp_path / "gone.safetensors")
    recogniser.bundled.cache_clear()
    with pytest.raises(click.UsageError, match="not a readable recogniser"):
        run("read circle.svg COMPLETE")
    recogniser.bundled.cache_clear()


def test_variants_are_of_what_the_drawing_may_be(run: Run) -> None:
    """Each class has a layer that names it; the document names the class of each variant."""
    document = run("read eyes.svg COMPLETE -n 12 --tries 1")
    classes = document.property("sketchformer_class").split(", ")
    assert len(classes) == 12
    assert len(set(classes)) > 1
    names = [layer.property("vp_name") for layer in completions(document).values()]
    assert len(names) == len(set(names))
    assert {f"completion: {name}" for name in classes} >= set(names)


def test_a_page_that_is_just_the_drawing_is_no_limit(
    vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    """The same is added as on a larger page; all of it lies on the page that grew."""
    partial, out = tmp_path / "partial.svg", tmp_path / "out.svg"
    vpype("circle", "10cm", "10cm", "2cm", "write", partial)
    draw = ["sketchcomplete", "-m", tiny, "-c", "cat", "--seed", "2", "--extent", "9cm"]
    result = vpype("read", partial, *draw, "write", out)
    assert "the page was just the box around the drawing; it is" in result.stderr
    document = vp.read_multilayer_svg(str(out), 0.01)
    page = shapely.box(0, 0, *document.page_size)
    assert all(page.buffer(0.1).contains(x.as_mls()) for x in document.layers.values())
    vpype("read", partial, "layout", "-m", "3cm", "a4", *draw, "write", out)
    roomy = vp.read_multilayer_svg(str(out), 0.01)
    lengths = [[x.length() for x in d.layers.values()] for d in (document, roomy)]
    assert len(lengths[0]) == 2
    assert np.allclose(*lengths, rtol=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, -np.inf)])
def test_coordinates_that_are_no_numbers(run: Run, value: complex) -> None:
    document = vp.Document(vp.LineCollection([[1, 2j], [3, value, 5]]))
    with pytest.raises(click.UsageError, match="not finite numbers"):
        run("COMPLETE write out.svg", document)
    assert not Path("out.svg").exists()


# --- whatever the drawing ----------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-20, 120),
    st.floats(0, 100),
    st.sampled_from([0, 50, 50.0001, 1e-9, 900]),
).map(lambda value: f"{value:g}")
NO_NUMBERS = st.sampled_from(["nan", "inf", "-inf"])
SEGMENTS = st.one_of(
    st.tuples(st.sampled_from("MLlmT"), NUMBERS, NUMBERS),
    st.tuples(st.sampled_from("ML"), NUMBERS, st.one_of(NUMBERS, NUMBERS, NO_NUMBERS)),
    st.tuples(st.sampled_from("QqS"), *[NUMBERS] * 4),
    st.tuples(st.sampled_from("Cc"), *[NUMBERS] * 6),
    st.tuples(st.sampled_from("HVhv"), NUMBERS),
    st.just(("Z",)),
)
PATHS = st.lists(SEGMENTS, max_size=7).map(
    lambda parts: " ".join(["M 30 40", *(" ".join(part) for part in parts)])
)
SHAPES = st.lists(
    st.one_of(
        st.tuples(NUMBERS, NUMBERS, st.integers(0, 60)).map(
            lambda v: f'<circle cx="{v[0]}" cy="{v[1]}" r="{v[2]}"/>'
        ),
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(-400, 400)).map(
            lambda v: (
                f'<rect x="5" width="{v[0]}" height="{v[1]}" transform="rotate({v[2]})"/>'
            )
        ),
    ),
    max_size=3,
).map("".join)
SVGS = st.builds(
    svg,
    st.lists(st.lists(PATHS, max_size=4), max_size=4),
    size=st.sampled_from(["100", "2mm", "30cm"]),
    extra=SHAPES,
)
OPTIONS = st.sampled_from(
    ["-c cat", "", "-c cat --join", "-c cat --one-line", "-c cat --no-smooth -t 2", "-n 3"]
)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=SVGS, options=OPTIONS)
def test_any_drawing_is_completed_or_refused_and_kept(
    run: Run, text: str, options: str
) -> None:
    Path("fuzz.svg").write_text(text)
    try:
        before = run("read fuzz.svg")
    except Exception:
        reject()  # vpype's own reader gave up
    points = [z for layer in before.layers.values() for line in layer for z in line]
    usable = bool(points) and np.all(np.isfinite(points)) and np.ptp(np.array(points)) != 0
    try:
        after = run(f"read fuzz.svg COMPLETE {options}")
    except click.ClickException as error:
        assert not usable, error
        return
    assert usable
    # Where the page was just the box around the drawing, everything may move together.
    moves = np.concatenate(
        [
            np.asarray(new) - np.asarray(old)
            for lid, layer in before.layers.items()
            for old, new in zip(layer, after.layers[lid], strict=False)
        ]
    )
    assert np.abs(moves - moves[0]).max() == pytest.approx(0, abs=1e-6)
    kept = {lid: bits(after)[lid] for lid in before.layers}
    for lid, (properties, lines) in bits(before).items():
        assert kept[lid][0] == properties
        assert len(kept[lid][1]) >= len(lines)
        if not moves.any():
            assert kept[lid][1][: len(lines)] == lines
    assert set(after.layers) - set(before.layers) == set(completions(after))
    assert np.all(np.isfinite([z for line in added(after) for z in line]))


def test_only_what_is_added_is_cleaned(run: Run) -> None:
    """Your lines stay as they are, specks and all; what is drawn on top of them goes."""
    speck = [300 + 300j, 300.1 + 300j]
    yours = [[100 + 100j, 300 + 100j], [100 + 100.2j, 300 + 100.2j], speck]
    plain, cleaned = (
        run(
            f"COMPLETE -c cat --tries 1 --extent 6cm --seed 3 {option}",
            vp.Document(vp.LineCollection(yours)),
        )
        for option in ("", "--clean")
    )
    assert [list(line) for line in cleaned.layers[1]] == [
        list(line) for line in plain.layers[1]
    ]
    assert len(cleaned.layers[1]) == len(yours)
    assert cleaned.layers[2].pen_up_length() != plain.layers[2].pen_up_length()
    assert cleaned.layers[2].length() < plain.layers[2].length()
    with pytest.raises(click.BadParameter, match="--one-line"):
        run("COMPLETE --clean --one-line", vp.Document(vp.LineCollection(yours)))
