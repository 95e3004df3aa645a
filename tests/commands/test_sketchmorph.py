"""`sketchmorph`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
import vpype as vp

from tests.commands.conftest import Run, Runner, assert_refused
from tests.conftest import CommandLine

CM = 96 / 2.54
CALM = "--tries 2 -t 0.3"


@pytest.fixture
def run(coded: Path, runner: Runner) -> Run:
    """MORPH is the command with a scribbling model."""
    return runner("MORPH", f"sketchmorph --model '{coded}' {CALM}")


@pytest.fixture
def two() -> vp.Document:
    """Two drawings on top of each other, on layers with names and pens: 4 cm and 2 cm."""
    document = vp.Document(page_size=(20 * CM, 20 * CM))
    drawings = {
        3: [[4 + 5j, 8 + 5j, 8 + 8j], [5 + 6j, 6 + 6j]],
        4: [[4 + 5j, 6 + 5.5j], [4 + 6j, 5 + 6j, 4 + 7j]],
    }
    for lid, lines in drawings.items():
        layer = vp.LineCollection([[z * CM for z in line] for line in lines])
        layer.set_property("vp_name", f"drawing {lid}")
        layer.set_property("vp_pen_width", 0.1 * lid)
        document.add(layer, lid, with_metadata=True)
    return document


def steps(document: vp.Document, name: str) -> list[list[complex]]:
    (layer,) = (x for x in document.layers.values() if x.property("vp_name") == name)
    return [line.tolist() for line in layer]


def box(lines: list[list[complex]] | vp.LineCollection) -> tuple[complex, float]:
    """Middle and longer side."""
    points = np.concatenate([np.asarray(line) for line in lines])
    x, y = points.real, points.imag
    middle = complex(x.min() + x.max(), y.min() + y.max()) / 2
    return middle, max(np.ptp(x), np.ptp(y))


def by_cell(
    lines: list[list[complex]], first: complex, cell: tuple[float, float]
) -> dict[tuple[int, int], list[list[complex]]]:
    """Lines by the row and column of a grid, whose first cell's middle is given."""
    cells: dict[tuple[int, int], list[list[complex]]] = {}
    for line in lines:
        middle, _ = box([line])
        row = round((middle - first).imag / cell[1])
        cells.setdefault((row, round((middle - first).real / cell[0])), []).append(line)
    return cells


# --- two classes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "columns", "rows"),
    [("-n 5", 5, 1), ("grid 3 2", 3, 2), ("-n 4 grid 2 2", 2, 2), ("", 8, 1)],
)
def test_classes_make_a_row_or_a_grid(run: Run, command: str, columns: int, rows: int) -> None:
    document = run(f"MORPH --from cat --to rabbit {command}")
    assert document.page_size == pytest.approx((5 * columns * CM, 5 * rows * CM))
    first = complex(2.5, 2.5) * CM
    cells = by_cell(steps(document, "cat to rabbit"), first, (5 * CM, 5 * CM))
    assert sorted(cells) == [(y, x) for y in range(rows) for x in range(columns)]
    for (row, column), lines in cells.items():
        middle, size = box(lines)
        assert size == pytest.approx(4 * CM)
        assert abs(middle - first - 5 * CM * complex(column, row)) < 1e-6


def test_a_page_and_a_size(run: Run) -> None:
    document = run("pagesize a4 MORPH --from cat --to owl -s 1cm -n 4")
    assert document.page_size == pytest.approx((21 * CM, 29.7 * CM))
    middle, width = box(steps(document, "cat to owl"))
    assert abs(middle - complex(10.5, 14.85) * CM) < 0.6 * CM
    assert 4 * CM < width < 5 * CM


def test_what_is_there_is_left_alone(run: Run, two: vp.Document) -> None:
    before = [line.tobytes() for line in two.layers[3]]
    document = run("MORPH --from cat --to owl -n 3", two)
    assert [line.tobytes() for line in document.layers[3]] == before
    assert max(document.layers) == 5
    assert document.layers[5].property("vp_name") == "cat to owl"


def test_the_same_seed_is_the_same_way(run: Run) -> None:
    line = "MORPH --from cat --to rabbit -n 4 --seed {}"
    one, same, other = (steps(run(line.format(i)), "cat to rabbit") for i in (5, 5, 6))
    assert one == same != other


def test_a_grid_block_draws_another_way_in_each_cell(run: Run) -> None:
    document = run("grid -o 12cm 4cm 1 2 MORPH --from cat --to owl -n 3 end")
    assert document.page_size == pytest.approx((12 * CM, 8 * CM))
    cells = by_cell(steps(document, "cat to owl"), complex(2, 2) * CM, (4 * CM, 4 * CM))
    assert sorted(cells) == [(y, x) for y in (0, 1) for x in (0, 1, 2)]
    shift = 4j * CM
    assert not np.array_equal(np.concatenate(cells[0, 0]) + shift, np.concatenate(cells[1, 0]))


@pytest.mark.parametrize("option", ["--ease", "-t 0.9", "--guidance 3", "--tries 4"])
def test_options_reach_the_model(run: Run, option: str) -> None:
    line = "MORPH --from cat --to owl -n 7 --seed 3"
    assert steps(run(f"{line} {option}"), "cat to owl") != steps(run(line), "cat to owl")


# --- drawings ------------------------------------------------------------------------------


def test_the_first_drawing_stays_and_the_second_goes_to_the_end(
    run: Run, two: vp.Document
) -> None:
    document = run("MORPH -l 3,4 -n 5 grid -o 6cm 6cm 5 1", two)
    assert [x.tobytes() for x in document.layers[3]] == [x.tobytes() for x in two.layers[3]]
    first, big = box(two.layers[3])
    for lid in (3, 4):
        assert document.layers[lid].metadata == two.layers[lid].metadata
    moves = [
        np.asarray(new) - old
        for old, new in zip(two.layers[4], document.layers[4], strict=True)
    ]
    assert np.abs(np.concatenate(moves) - moves[0][0]).max() < 1e-6
    last, small = box(document.layers[4])
    assert abs(last - first - 4 * 6 * CM) < 1e-6
    new = max(document.layers)
    lines = [line.tolist() for line in document.layers[new]]
    cells = by_cell(lines, first, (6 * CM, 6 * CM))
    assert sorted(cells) == [(0, 1), (0, 2), (0, 3)]
    sizes = [big, *(box(cells[0, i])[1] for i in (1, 2, 3)), small]
    ratios = np.divide(sizes[1:], sizes[:-1])
    assert np.allclose(ratios, ratios[0])
    assert document.page_size[0] > last.real + small / 2


def test_the_order_of_layers_is_that_of_the_way(run: Run, two: vp.Document) -> None:
    document = run("MORPH -l 4,3 -n 3", two)
    assert [x.tobytes() for x in document.layers[4]] == [x.tobytes() for x in two.layers[4]]
    assert box(document.layers[3])[0].real > box(document.layers[4])[0].real
    default = run("MORPH -n 3", two)
    assert [x.tobytes() for x in default.layers[3]] == [x.tobytes() for x in two.layers[3]]


@pytest.mark.parametrize(("option", "place"), [("--to owl", 0), ("--from owl", 2)])
def test_from_a_drawing_to_a_class_and_back(
    run: Run, two: vp.Document, option: str, place: int
) -> None:
    document = run(f"MORPH {option} --layers 3 -n 3 grid -o 9cm 9cm 3 1", two)
    assert [x.tobytes() for x in document.layers[4]] == [x.tobytes() for x in two.layers[4]]
    before, after = box(two.layers[3])[0], box(document.layers[3])[0]
    assert abs(after - before - place * 9 * CM) < 1e-6
    assert len(document.layers) == 3


# --- drawing it again, bad input -----------------------------------------------------------


def test_an_svg_says_how_it_was_drawn(run: Run) -> None:
    line = "MORPH --from cat --to owl -n 3 --ease write -r out.svg write plain.svg"
    document = run(line, seed=None)
    seed = document.property("sketchformer_seed")
    assert f"# sketchmorph --seed {seed}\n" in Path("plain.svg").read_text()
    assert document.property("sketchformer_class") == "cat, owl"
    assert document.property("sketchformer_ease") is True
    command = run("read out.svg").property("svg_dc_description")
    assert steps(run(command, seed=None), "cat to owl") == steps(document, "cat to owl")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("MORPH", "two drawings are needed, on two layers, not on 0"),
        ("line 0 0 9 9 MORPH", "on two layers, not on 1"),
        ("line 0 0 9 9 line -l 2 5 5 5 5 MORPH", "all points are in one place"),
        ("line 0 0 9 9 line -l 2 0 0 9 9 line -l 3 0 0 9 9 MORPH", "on two layers, not on 3"),
        ("line 0 0 9 9 MORPH -l 1,1", "on two layers, not on 1"),
        ("line 0 0 9 9 MORPH -l 1,7", "'--layers': layer 7 does not exist"),
        ("MORPH --to cat", "no drawing: `read` one, or name a class by `--from`"),
        ("MORPH --from cat", "no drawing: `read` one, or name a class by `--to`"),
        ("MORPH --from cat --to owl -l 1", "with --from and --to there are no drawings"),
        ("MORPH --from catt --to owl", "'--from': unknown class 'catt'; did you mean 'cat'"),
        ("MORPH --from cat --to xyzzy", "'--to': unknown class 'xyzzy'"),
        ("MORPH --from cat --to owl -n 1", "'--count': 1 is not at least 2"),
        ("MORPH --from cat --to owl grid 1 1", "2 steps or more"),
        ("MORPH --from cat --to owl -n 7 grid 2 2", "7 steps do not fit into a grid of 4"),
        ("MORPH --from cat --to owl -s 0", "'--size': the size must be greater than zero"),
        ("MORPH --from cat --to owl -t 0", "'--temperature': 0 is not above 0"),
        ("MORPH --from cat --to owl --tries 0", "'--tries': 0 is not at least 1"),
        ("MORPH --from cat --to owl --seed -1", "'--seed': -1 is negative"),
        ("pagesize 1x1cm MORPH --from cat --to owl -s 2cm", "choose a larger page"),
        ("sketchmorph -m missing.safetensors --to cat", "no model 'missing.safetensors'"),
    ],
)
def test_bad_input(run: Run, line: str, message: str) -> None:
    assert_refused(run, line, message)


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, -np.inf)])
def test_coordinates_that_are_no_numbers(run: Run, value: complex) -> None:
    document = vp.Document(vp.LineCollection([[1, 2j], [3, value, 5]]))
    with pytest.raises(click.UsageError, match="not finite numbers"):
        run("MORPH --to cat write out.svg", document)


def test_a_model_without_an_encoder_on_the_command_line(
    vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    line = f"sketchmorph -m {tiny} --from cat --to rabbit write out.svg"
    result = vpype(*line.split())
    assert result.returncode == 2, result.stderr
    errors = [text for text in result.stderr.splitlines() if text.startswith("Error:")]
    assert len(errors) == 1
    assert "has no encoder" in errors[0]
    assert not (tmp_path / "out.svg").exists()
