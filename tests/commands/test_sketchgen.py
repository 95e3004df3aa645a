"""`sketchgen`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import pytest
import safetensors.numpy
import shapely
import vpype as vp

from tests.commands.conftest import Run, Runner
from tests.conftest import CommandLine
from vpype_sketchformer.model import checkpoint, choosing, sampling

CM = 96 / 2.54


@pytest.fixture
def run(tiny: Path, runner: Runner) -> Run:
    """SKETCHGEN is the command with the tiny model."""
    return runner("SKETCHGEN", f"sketchgen --model '{tiny}'")


def lines_of(document: vp.Document) -> dict[int, list[list[complex]]]:
    return {lid: [line.tolist() for line in layer] for lid, layer in document.layers.items()}


def names_of(document: vp.Document) -> list[str]:
    return [str(document.layers[lid].property("vp_name")) for lid in sorted(document.layers)]


def box(layer: vp.LineCollection) -> shapely.Polygon:
    bounds = layer.bounds()
    assert bounds is not None
    return shapely.box(*bounds)


def cell(i: int, columns: int, width: float, height: float | None = None) -> shapely.Polygon:
    """Cell i, counted row by row from the origin; lengths in cm."""
    height = height or width
    row, column = divmod(i, columns)
    x, y, w, h = (CM * v for v in (column * width, row * height, width, height))
    return shapely.box(x, y, x + w, y + h)


def filled_cells(document: vp.Document, columns: int, rows: int, side: float) -> list[int]:
    """The cells, of ``side`` cm, that hold lines; no line may cross the border of one."""
    cells = [cell(i, columns, side).buffer(1e-3) for i in range(columns * rows)]
    found = set()
    for layer in document.layers.values():
        for line in layer.as_mls().geoms:
            inside = [i for i, c in enumerate(cells) if c.contains(line)]
            assert len(inside) == 1
            found.add(inside[0])
    return sorted(found)


def alike(one: vp.LineCollection, other: vp.LineCollection) -> bool:
    """Tell whether two drawings are the same, whatever their places and sizes."""
    normal = []
    for layer in (one, other):
        x, y, right, bottom = layer.bounds() or (0, 0, 1, 1)
        size = max(right - x, bottom - y)
        normal.append([(line - complex(x, y)) / size for line in layer])
    if [len(line) for line in normal[0]] != [len(line) for line in normal[1]]:
        return False
    return bool(np.allclose(np.concatenate(normal[0]), np.concatenate(normal[1])))


# --- the two forms of the grid ---------------------------------------------------------


def test_contract_line(vpype: CommandLine, tiny: Path, tmp_path: Path) -> None:
    line = f"sketchgen --model {tiny} -n 20 --class cat grid 5 4 linesort write out.svg"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    document = vp.read_multilayer_svg(str(tmp_path / "out.svg"), 0.1)
    assert document.page_size == pytest.approx((25 * CM, 20 * CM), abs=1e-3)
    assert filled_cells(document, 5, 4, side=5) == list(range(20))
    assert names_of(document) == ["cat"]


def test_contract_line_word_for_word(vpype: CommandLine, tmp_path: Path) -> None:
    line = "sketchgen -n 20 --class cat grid 5 4 linesort write out.svg"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    document = vp.read_multilayer_svg(str(tmp_path / "out.svg"), 0.1)
    assert filled_cells(document, 5, 4, side=5) == list(range(20))


def test_vpypes_own_grid(run: Any) -> None:
    document = run("grid -o 4cm 4cm 5 4 SKETCHGEN --class cat --layers sketch end linesort")
    assert document.page_size == pytest.approx((20 * CM, 16 * CM))
    assert names_of(document) == [f"cat {i}" for i in range(1, 21)]
    for i, lid in enumerate(sorted(document.layers)):
        assert box(document.layers[lid]).centroid.distance(cell(i, 5, 4).centroid) < 1e-3
        assert cell(i, 5, 4).contains(box(document.layers[lid]))


def test_both_forms_draw_the_same_sketches(run: Any) -> None:
    sheet = run("SKETCHGEN -n 6 --no-smooth --layers sketch -c cat grid 3 2")
    block = run("grid -o 4cm 4cm 3 2 SKETCHGEN --no-smooth --layers sketch -c cat end")
    assert len(sheet.layers) == 6
    for lid in sheet.layers:
        assert alike(sheet.layers[lid], block.layers[lid])


def test_include_file_draws_the_same(
    run: Any, vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / "cats.vpy").write_text(
        f"sketchgen --model {tiny} -n 4  # four\n--class cat grid 2 2\nlinesort"
    )
    assert vpype("-s", 1, "-I", "cats.vpy", "write", "out.svg").returncode == 0
    document = vp.read_multilayer_svg(str(tmp_path / "out.svg"), 0.1)
    expected = run("SKETCHGEN -n 4 --class cat grid 2 2 linesort")
    assert document.bounds() == pytest.approx(expected.bounds(), abs=1e-3)
    assert document.length() == pytest.approx(expected.length(), rel=1e-3)


@pytest.mark.parametrize(
    ("pipeline", "sketches"),
    [
        ("SKETCHGEN grid 3 2", 6),
        ("SKETCHGEN --grid 3 2", 6),
        ("SKETCHGEN -n 2 grid 3 2", 2),
        ("SKETCHGEN -n %2*3%", 6),
        ("SKETCHGEN", 1),
        ("eval n=2 SKETCHGEN grid %n% %n%", 4),
        ("SKETCHGEN grid 2 2 SKETCHGEN grid 3 1", 7),
        ("repeat 3 SKETCHGEN end", 3),
        ("repeat 3 SKETCHGEN grid 2 1 end", 6),
        ("repeat 3 SKETCHGEN grid 2 1 linesort end linesort", 6),
        ("repeat 2 repeat 2 SKETCHGEN grid 2 1 end end", 8),
        ("begin repeat 2 SKETCHGEN grid 2 1 end", 4),
        ("begin grid -o 9cm 9cm 2 1 SKETCHGEN grid 2 2 end", 8),
        ("grid -o 9cm 9cm 2 1 SKETCHGEN grid 2 2 SKETCHGEN end", 10),
        ("grid -o 9cm 9cm 2 1 repeat 2 SKETCHGEN end end", 4),
        ("SKETCHGEN grid -o 9cm 9cm 2 2 SKETCHGEN end", 5),
        ("SKETCHGEN begin grid -o 9cm 9cm 2 2 SKETCHGEN end", 5),
        ("repeat 2 SKETCHGEN grid -o 9cm 9cm 2 1 SKETCHGEN end end", 6),
        ("repeat 2 SKETCHGEN grid 2 1 SKETCHGEN grid 2 2 SKETCHGEN end", 14),
        ("repeat 2 SKETCHGEN grid -o 9cm 9cm 2 1 SKETCHGEN end SKETCHGEN grid 3 1 end", 12),
        ("forfile '*.txt' SKETCHGEN grid 2 1 end", 4),
        ("forfile '*.txt' grid -o 9cm 9cm 2 1 SKETCHGEN end end", 4),
        ("line 0 0 1 1 forlayer SKETCHGEN grid 2 1 end", 2),
    ],
)
def test_how_many_sketches(run: Any, tmp_path: Path, pipeline: str, sketches: int) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").touch()
    document = run(pipeline.replace("SKETCHGEN", "SKETCHGEN -c cat --layers sketch"))
    assert sum(name.startswith("cat ") for name in names_of(document)) == sketches


def test_a_grid_closed_by_an_end_stays_vpypes(run: Any) -> None:
    document = run("SKETCHGEN -l 1 grid -o 3cm 3cm 2 2 line -l 2 0 0 1cm 1cm end")
    starts = sorted((line[0].real, line[0].imag) for line in document.layers[2])
    expected = itertools.product((0, 3 * CM), repeat=2)
    assert np.allclose(starts, sorted(expected))


def test_a_grid_behind_another_command_stays_vpypes(run: Any, vpype: CommandLine) -> None:
    document = run("SKETCHGEN -l 1 linesort grid -o 3cm 3cm 2 2 line -l 2 0 0 1cm 1cm end")
    assert len(document.layers[2]) == 4
    result = vpype("random", "grid", "2", "2", "write", "out.svg")
    assert "An 'end' command is missing" in result.stderr


@pytest.mark.parametrize(
    "pipeline",
    [
        "grid -o 4cm 4cm 3 2 SKETCHGEN end",
        "repeat 6 SKETCHGEN end",
        "repeat 3 SKETCHGEN -n 2 end",
        "SKETCHGEN -n 6 grid 3 2",
    ],
)
def test_one_model_load_and_one_batch(run: Any, pipeline: str) -> None:
    load = mock.patch.object(checkpoint, "load", wraps=checkpoint.load)
    sample = mock.patch.object(choosing, "sample", wraps=sampling.sample)
    with load as loads, sample as samples:
        run(pipeline.replace("SKETCHGEN", "SKETCHGEN --tries 1"))
    assert loads.call_count == samples.call_count == 1
    (_, labels, _), _ = samples.call_args
    assert len(labels) == 6


def test_all_tries_are_one_batch(run: Any) -> None:
    with mock.patch.object(choosing, "sample", wraps=sampling.sample) as samples:
        run("SKETCHGEN -n 6 -c cat --seed 3 --tries 4")
    assert [len(call.args[1]) for call in samples.call_args_list] == [24]


def test_nothing_is_drawn_in_vain(run: Any, tmp_path: Path) -> None:
    """Where options or blocks leave no batch to foresee, each sketch is drawn when due."""
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").touch()
    for pipeline in ("repeat 2 SKETCHGEN -t %0.3+_i/10% end", "forfile *.txt SKETCHGEN end"):
        with mock.patch.object(choosing, "sample", wraps=sampling.sample) as samples:
            run(pipeline.replace("SKETCHGEN", "SKETCHGEN --tries 1"))
        assert sum(len(call.args[1]) for call in samples.call_args_list) == 2


def test_commands_in_one_block_do_not_mix_up(run: Any) -> None:
    both = "SKETCHGEN -c cat -l 1 --no-smooth SKETCHGEN -c dog -l 2 --no-smooth"
    document = run(f"grid -o 5cm 5cm 3 1 {both} end")
    assert names_of(document) == ["cat", "dog"]
    for layer in document.layers.values():
        assert filled_cells(vp.Document(layer), 3, 1, side=5) == [0, 1, 2]
    assert not alike(document.layers[1], document.layers[2])


def test_options_may_change_inside_a_block(run: Any) -> None:
    document = run("grid -o 8cm 8cm 3 1 SKETCHGEN --size %_i+1%cm -c cat --layers sketch end")
    for i, lid in enumerate(sorted(document.layers)):
        left, top, right, bottom = document.layers[lid].bounds()
        assert max(right - left, bottom - top) == pytest.approx((i + 1) * CM)
    document = run("repeat 3 SKETCHGEN -c \"%['cat','dog','owl'][_i]%\" --layers class end")
    assert names_of(document) == ["cat", "dog", "owl"]


# --- the sheet ---------------------------------------------------------------------------


def test_sketches_have_their_size_and_lie_centred(run: Any) -> None:
    document = run("SKETCHGEN -n 5 --size 3cm --layers sketch grid -o 6cm 5cm 3 2")
    assert document.page_size == pytest.approx((18 * CM, 10 * CM))
    assert len(document.layers) == 5
    for i, lid in enumerate(sorted(document.layers)):
        frame = box(document.layers[lid])
        left, top, right, bottom = frame.bounds
        assert max(right - left, bottom - top) == pytest.approx(3 * CM)
        assert frame.centroid.distance(cell(i, 3, 6, 5).centroid) < 1e-6


def test_without_a_grid_sketches_lie_side_by_side(run: Any) -> None:
    document = run("SKETCHGEN -n 7 --layers sketch")
    boxes = [box(layer) for layer in document.layers.values()]
    assert len(boxes) == 7
    assert not any(a.intersects(b) for a, b in itertools.combinations(boxes, 2))
    width, height = document.page_size
    assert shapely.box(0, 0, width, height).contains(shapely.union_all(boxes))
    assert 2 / 3 <= width / height <= 3 / 2


def test_a_single_sketch_has_a_small_margin(run: Any) -> None:
    document = run("SKETCHGEN --size 10cm")
    left, top, right, bottom = document.bounds()
    width, height = document.page_size
    assert min(left, top, width - right, height - bottom) > 0.5 * CM
    assert max(width, height) < 15 * CM


def test_fewer_sketches_leave_cells_empty(run: Any) -> None:
    document = run("SKETCHGEN -n 3 grid 2 2")
    assert filled_cells(document, 2, 2, side=5) == [0, 1, 2]
    assert document.page_size == pytest.approx((10 * CM, 10 * CM))


def test_more_sketches_go_on_to_further_pages(
    vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    line = f"sketchgen --model {tiny} -n 9 grid 2 2 forlayer write page%_i+1%.svg end"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    warnings = [text for text in result.stderr.splitlines() if "pages" in text]
    assert len(warnings) == 1
    assert "forlayer write" in warnings[0]
    found = []
    for i in (1, 2, 3):
        page = vp.read_multilayer_svg(str(tmp_path / f"page{i}.svg"), 0.1)
        assert names_of(page) == [f"page {i}"]
        assert page.page_size == pytest.approx((10 * CM, 10 * CM), abs=1e-3)
        found.append(filled_cells(page, 2, 2, side=5))
    assert found == [[0, 1, 2, 3], [0, 1, 2, 3], [0]]


def test_a_page_that_is_there_is_kept_and_the_sheet_centred(run: Any) -> None:
    document = run("pagesize 30x40cm SKETCHGEN --size 5cm --layers sketch grid -o 6cm 6cm 3 2")
    assert document.page_size == pytest.approx((30 * CM, 40 * CM))
    corner = shapely.box(6 * CM, 14 * CM, 12 * CM, 20 * CM)  # (30 - 18) / 2, (40 - 12) / 2
    assert box(document.layers[1]).centroid.distance(corner.centroid) < 1e-6


def test_without_a_grid_a_page_takes_what_it_has_room_for(run: Any) -> None:
    document = run("pagesize a4 SKETCHGEN -n 30")
    assert names_of(document) == ["page 1", "page 2"]  # 4 by 5 cells of 5cm, and the rest
    assert document.page_size == pytest.approx((21 * CM, 29.7 * CM))


def test_a_grid_without_lengths_fits_the_page(run: Any) -> None:
    document = run("pagesize a4 SKETCHGEN --layers sketch grid 5 4")
    boxes = [box(layer) for layer in document.layers.values()]
    assert len(boxes) == 20
    assert not any(a.intersects(b) for a, b in itertools.combinations(boxes, 2))
    assert shapely.box(0, 0, 21 * CM, 29.7 * CM).contains(shapely.union_all(boxes))


def test_a_page_of_its_own_grows(run: Any) -> None:
    document = run("SKETCHGEN -n 4 grid 2 2 SKETCHGEN -l new -n 9 grid 3 3")
    assert document.page_size == pytest.approx((15 * CM, 15 * CM))


def test_keep_page_size(run: Any) -> None:
    assert run("SKETCHGEN grid -k 2 2").page_size is None
    assert run("pagesize tight SKETCHGEN").page_size == (0, 0)


def test_smooth_sketches_are_curves(run: Any) -> None:
    raw = run("SKETCHGEN -n 9 -c cat --no-smooth --size 8cm --seed 3")
    smooth = run("SKETCHGEN -n 9 -c cat --size 8cm --seed 3")
    assert smooth.segment_count() > raw.segment_count()
    assert len(smooth.layers[1]) == len(raw.layers[1])


# --- classes, layers, lines ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-c cat,dog", ["cat", "dog", "cat", "dog", "cat"]),
        ("-c cat -c 'DOG, hot Dog'", ["cat", "dog", "hot dog", "cat", "dog"]),
        ("-c 'the mona lisa'", ["The Mona Lisa"] * 5),
        ("-c all", ["The Eiffel Tower", "The Great Wall of China", "The Mona Lisa"]),
    ],
)
def test_classes_take_turns(run: Any, options: str, expected: list[str]) -> None:
    document = run(f"SKETCHGEN -n {len(expected)} {options} --layers sketch")
    assert names_of(document) == [f"{name} {i}" for i, name in enumerate(expected, 1)]


def test_without_a_class_classes_are_random(run: Any) -> None:
    first = names_of(run("SKETCHGEN -n 40 --layers class", seed=1))
    assert len(set(first)) == 40  # none twice before all were once
    assert names_of(run("SKETCHGEN -n 40 --layers class", seed=1)) == first
    assert names_of(run("SKETCHGEN -n 40 --layers class", seed=2)) != first


def test_layers_by_class(run: Any) -> None:
    document = run("SKETCHGEN -n 6 -c cat,dog --layers class grid 2 3")
    assert names_of(document) == ["cat", "dog"]
    cats, dogs = (vp.Document(document.layers[lid]) for lid in (1, 2))
    assert filled_cells(cats, 2, 3, side=5) == [0, 2, 4]
    assert filled_cells(dogs, 2, 3, side=5) == [1, 3, 5]
    block = run("grid -o 5cm 5cm 2 3 SKETCHGEN -c cat,dog --layers class end")
    assert names_of(block) == ["cat", "dog"]


def test_target_layer(run: Any) -> None:
    assert set(run("SKETCHGEN -l 3").layers) == {3}
    assert set(run("line -l 1 0 0 1 1 SKETCHGEN -l new").layers) == {1, 2}
    document = run("line -l 6 0 0 1 1 SKETCHGEN -l 5 -c cat,dog -n 2 --layers class")
    assert set(document.layers) == {5, 6, 7}
    assert document.layers[7].property("vp_name") == "dog"


def test_what_was_there_stays_as_it_was(run: Any) -> None:
    document = vp.Document(vp.LineCollection([[0, 10 + 5j], [3 + 3j, 4j, 7]]))
    document.layers[1].set_property("vp_name", "mine")
    for options in ("", "-l 1", "--layers class", "--layers sketch", "-n 9 --grid 2 2"):
        result = run(f"SKETCHGEN -c cat {options}", document)
        assert lines_of(result)[1][:2] == lines_of(document)[1]
        assert result.layers[1].property("vp_name") == "mine"


def test_one_line_never_lifts_the_pen(run: Any) -> None:
    document = run("SKETCHGEN -n 6 -c cat --one-line --no-clean --layers sketch")
    assert [len(layer) for layer in document.layers.values()] == [1] * 6
    free = run("SKETCHGEN -n 6 -c cat --layers sketch")
    for line, strokes in zip(document.layers.values(), free.layers.values(), strict=True):
        pen = line.as_mls().buffer(0.06 * CM)  # corners are rounded
        assert shapely.difference(strokes.as_mls(), pen).is_empty


def test_tails_make_a_sketch_wider(run: Any) -> None:
    def widths(tails: str) -> list[float]:
        lines = [f"SKETCHGEN -c cat --one-line --seed {seed} {tails}" for seed in range(5)]
        bounds = [run(line).bounds() for line in lines]
        return [(right - left) / (bottom - top) for left, top, right, bottom in bounds]

    assert np.mean(widths("--tails")) > 1.2 * np.mean(widths(""))
    with pytest.raises(click.UsageError, match="--one-line"):
        run("SKETCHGEN -c cat --tails")


def test_the_model_of_figures_does_not_lift_the_pen(run: Any) -> None:
    document = run("sketchgen --model oneline --seed 1 -n 4 --layers sketch")
    assert [len(layer) for layer in document.layers.values()] == [1] * 4
    names = [layer.property("vp_name") for layer in document.layers.values()]
    assert names == ["figure 1", "figure 2", "figure 3", "figure 4"]


@pytest.mark.parametrize(
    "option",
    [
        "-t 0.9",
        "--structure-temperature 0.3",
        "--pen-temperature 0.3",
        "--guidance 3",
        "--tries 1",
        "--best-of 8",
        "-c dog",
    ],
)
def test_options_reach_the_model(run: Any, option: str) -> None:
    plain = run("SKETCHGEN -n 4 -c cat --seed 5")
    assert lines_of(run(f"SKETCHGEN -n 4 -c cat {option} --seed 5")) != lines_of(plain)


# --- drawing it again ------------------------------------------------------------------------


def test_vpypes_seed_decides(vpype: CommandLine, tiny: Path, tmp_path: Path) -> None:
    line = f"sketchgen --model {tiny} -n 2 write --dont-set-date"
    for seed, name in ((5, "a.svg"), (5, "b.svg"), (6, "c.svg")):
        assert vpype("-s", seed, *line.split(), name).returncode == 0
    a, b, c = (
        re.findall(r"<(?:line|poly).*", (tmp_path / name).read_text())
        for name in ("a.svg", "b.svg", "c.svg")
    )
    assert a == b != c


def test_commands_of_a_pipeline_draw_different_sketches(run: Any) -> None:
    document = run("SKETCHGEN -c cat -l 1 SKETCHGEN -c cat -l 2")
    assert not alike(document.layers[1], document.layers[2])


def test_a_sketch_does_not_depend_on_how_many_are_drawn(run: Any) -> None:
    few = run("SKETCHGEN -n 2 -c cat --layers sketch --seed 9")
    many = run("SKETCHGEN -n 12 -c cat --layers sketch --seed 9")
    for lid in (1, 2):
        assert alike(few.layers[lid], many.layers[lid])


def test_the_document_says_how_to_draw_it_again(run: Any) -> None:
    document = run("SKETCHGEN -n 4 -c cat,dog -t 0.7 grid 2 2", seed=None)
    properties = {
        name.removeprefix("sketchformer_"): document.property(name)
        for name in document.metadata
        if name.startswith("sketchformer_")
    }
    assert properties["class"] == "cat,dog"
    assert properties["temperature"] == 0.7
    assert Path(properties["model"]).stem == "tiny"
    again = run(f"SKETCHGEN -n 4 -c cat,dog -t 0.7 --seed {properties['seed']} grid 2 2")
    assert lines_of(again) == lines_of(document)


def test_an_svg_says_how_to_draw_it_again(run: Any, tmp_path: Path) -> None:
    document = run("SKETCHGEN -n 4 grid 2 2 write -r out.svg write plain.svg", seed=None)
    seed = document.property("sketchformer_seed")
    assert f"# sketchgen --seed {seed}\n" in (tmp_path / "plain.svg").read_text()
    command = run("read out.svg").property("svg_dc_description")
    assert lines_of(run(command)) == lines_of(document)


# --- help and bad input ----------------------------------------------------------------------


def test_list_classes(vpype: CommandLine, tiny: Path, tmp_path: Path) -> None:
    result = vpype("sketchgen", "--list-classes", "--model", tiny, "write", "out.svg")
    assert result.returncode == 0
    assert set(re.split(r"\s{2,}|\n", result.stdout.strip())) == set(
        checkpoint.load(tiny).classes
    )
    assert not (tmp_path / "out.svg").exists()


@pytest.fixture
def models(tiny: Path, tmp_path: Path) -> Path:
    """A folder of broken models."""
    (tmp_path / "cut.safetensors").write_bytes(tiny.read_bytes()[:-999])
    (tmp_path / "text.safetensors").write_text("once upon a time")
    with safetensors.safe_open(tiny, "numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    newer = {**metadata, "format": "sketchformer-99"}
    safetensors.numpy.save_file(tensors, tmp_path / "newer.safetensors", newer)
    tensors["start.weight"] = tensors["start.weight"] * np.float16(np.nan)
    safetensors.numpy.save_file(tensors, tmp_path / "nan.safetensors", metadata)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sketchgen -m TINY --class catt", "unknown class 'catt'; did you mean 'cat'"),
        ("sketchgen -m TINY --class cat,", "unknown class ''"),
        ("sketchgen -m TINY -n 0", "'--count': 0 is not at least 1"),
        ("sketchgen -m TINY -n -3", "'--count': -3 is not at least 1"),
        ("sketchgen -m TINY -n many", "'--count': 'many' is not a whole number"),
        ("sketchgen -m TINY -n 2.5", "'--count': '2.5' is not a whole number"),
        ("sketchgen -m TINY --size 0", "'--size': the size must be greater than zero"),
        ("sketchgen -m TINY --size -4cm", "'--size': the size must be greater than zero"),
        ("sketchgen -m TINY --size 4furlong", "'--size': '4furlong' is not a length"),
        ("sketchgen -m TINY -t 0", "'--temperature': 0 is not above 0"),
        ("sketchgen -m TINY -t 3", "'--temperature': 3 is not above 0 and at most 2"),
        ("sketchgen -m TINY -t nan", "'--temperature': nan is not above 0"),
        ("sketchgen -m TINY --pen-temperature 0", "'--pen-temperature': 0 is not above 0"),
        ("sketchgen -m TINY --guidance inf", "'--guidance': inf is not between 0 and 10"),
        ("sketchgen -m TINY --best-of 0", "'--tries' / '--best-of': 0 is not at least 1"),
        ("sketchgen -m TINY --seed -1", "'--seed': -1 is negative"),
        ("sketchgen -m TINY --layers pens", "'pens' is not one of 'one', 'class', 'sketch'"),
        ("sketchgen -m TINY --layer 0", "layer 0 is invalid"),
        ("sketchgen -m TINY grid 0 2", "a grid has 1 cell or more"),
        ("sketchgen -m TINY --grid 2 -1", "a grid has 1 cell or more"),
        ("sketchgen -m TINY grid -o 0 4cm 2 2", "a cell must be greater than zero"),
        ("grid -o 0 4cm 2 2 sketchgen -m TINY end", "a cell must be greater than zero"),
        ("sketchgen -m TINY grid two 2", "is not a whole number"),
        ("sketchgen -m TINY --grid 2 2 grid 2 2", "give --grid or a grid behind"),
        ("sketchgen -m TINY --size 6cm grid -o 5cm 5cm 2 2", "does not fit into a cell"),
        ("grid -o 5cm 5cm 2 2 sketchgen -m TINY --size 6cm end", "does not fit into a cell"),
        (
            "sketchgen -m TINY -n 9 --layers class grid 2 2",
            "'--layers': 9 sketches in 4 cells",
        ),
        ("pagesize 3x3cm sketchgen -m TINY", "smaller than a cell"),
        ("pagesize 3x3cm sketchgen -m TINY grid 1 1", "smaller than a cell"),
        ("pagesize a4 sketchgen -m TINY --size 30cm", "smaller than a cell"),
        ("pagesize a4 sketchgen -m TINY grid -o 5cm 5cm 5 4", "need 25 × 20 cm"),
        ("sketchgen -m missing.safetensors", "no model 'missing.safetensors'"),
        ("sketchgen -m cut.safetensors", "not a readable model file"),
        ("sketchgen -m text.safetensors", "not a readable model file"),
        ("sketchgen -m newer.safetensors", "newer vpype-sketchformer"),
        ("sketchgen -m nan.safetensors", "not numbers"),
        ("sketchgen --list-classes -m missing.safetensors", "no model"),
    ],
)
def test_bad_input(
    vpype: CommandLine, tiny: Path, models: Path, line: str, message: str
) -> None:
    result = vpype(*line.replace("TINY", str(tiny)).split(), "write", "out.svg")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    errors = [text for text in result.stderr.splitlines() if text.startswith("Error:")]
    assert len(errors) == 1
    assert result.stderr.rstrip().endswith(errors[0])
    assert message in errors[0]
    assert not (models / "out.svg").exists()


def test_cut_sketches_are_announced_once(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    run("grid -o 5cm 5cm 3 2 SKETCHGEN --one-line --pen-temperature 0.05 end")
    assert sum("cut at the length limit" in text for text in caplog.messages) == 1
