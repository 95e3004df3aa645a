"""`sketchvary`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import click
import numpy as np
import pytest
import shapely
import vpype as vp

from tests.commands.conftest import Run, Runner, assert_refused
from tests.conftest import CommandLine

CM = 96 / 2.54
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def run(coded: Path, runner: Runner) -> Run:
    """VARY is the command with a scribbling model."""
    return runner("VARY", f"sketchvary --model '{coded}'")


@pytest.fixture
def two_pens() -> vp.Document:
    """A drawing on two layers with names, colours and pen widths, and an empty one."""
    document = vp.Document(page_size=(30 * CM, 20 * CM))
    lines = {
        2: [[99 + 300j, 200 + 1 / 3 + 300j, 150 + 390j]],
        5: [],
        7: [[170 + 340j, 180 + 300j, 99 + 300j]],
    }
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


def variations(document: vp.Document) -> list[list[complex]]:
    return [
        line.tolist()
        for layer in document.layers.values()
        if str(layer.property("vp_name")).startswith("variation: ")
        for line in layer
    ]


def clusters(lines: list[list[complex]], gap: float) -> list[shapely.Geometry]:
    """Drawings that lie apart by more than a gap."""
    grown = shapely.union_all(
        [
            shapely.LineString([(z.real, z.imag) for z in line]).buffer(gap / 2)
            for line in lines
        ]
    )
    return list(shapely.get_parts(grown))


# --- what was there, and what is new -------------------------------------------------------


def test_the_drawing_is_kept_and_variations_lie_beside_it(
    run: Run, two_pens: vp.Document
) -> None:
    after = run("VARY -n 6 -c cat", two_pens)
    before = bits(two_pens)
    assert {lid: layer for lid, layer in bits(after).items() if lid in before} == before
    (new,) = set(after.layers) - set(before)
    assert new == 8  # drawn last
    assert after.layers[new].property("vp_name") == "variation: cat"
    right = two_pens.bounds()[2]
    left, top, far, low = after.layers[new].bounds()
    assert left > right
    assert top > -1e-6
    assert far <= after.page_size[0]
    assert low <= after.page_size[1]


def test_each_variation_is_as_large_as_the_drawing_and_alone_in_its_cell(run: Run) -> None:
    document = run("read letter.svg VARY -n 6 grid -o 6cm 6cm 3 2")
    left, top, right, bottom = run("read letter.svg").bounds()
    size = max(right - left, bottom - top)
    middle = complex(left + right, top + bottom) / 2
    cells: dict[tuple[int, int], list[complex]] = {}
    for line in variations(document):
        column, row = (
            round(part / (6 * CM))
            for part in ((line[0] - middle).real, (line[0] - middle).imag)
        )
        cells.setdefault((row, column), []).extend(line)
    assert sorted(cells) == [(row, column) for row in (0, 1) for column in (1, 2, 3)]
    for (row, column), points in cells.items():
        x, y = np.real(points), np.imag(points)
        assert max(np.ptp(x), np.ptp(y)) == pytest.approx(size)
        centre = complex(x.min() + x.max(), y.min() + y.max()) / 2 - middle
        assert abs(centre - 6 * CM * complex(column, row)) < 1e-6


def test_replaced_drawings_leave_their_layers_and_pens(
    run: Run, two_pens: vp.Document
) -> None:
    after = run("VARY --replace -c cat", two_pens)
    assert list(after.layers) == list(two_pens.layers)
    for lid, layer in two_pens.layers.items():
        assert after.layers[lid].metadata == layer.metadata
    assert len(after.layers[2]) > 0
    assert after.layers[7].is_empty()
    assert after.page_size == two_pens.page_size
    left, top, right, bottom = two_pens.bounds()
    x0, y0, x1, y1 = after.bounds()
    assert max(x1 - x0, y1 - y0) == pytest.approx(max(right - left, bottom - top))
    assert np.allclose([x0 + x1, y0 + y1], [left + right, top + bottom])


def test_a_layer_alone_may_be_the_drawing(run: Run, two_pens: vp.Document) -> None:
    after = run("VARY -c cat --layer 7 --replace", two_pens)
    assert bits(after)[2] == bits(two_pens)[2]
    assert bits(after)[7] != bits(two_pens)[7]


def test_amounts_go_from_the_same_code_to_another(run: Run, two_pens: vp.Document) -> None:
    """Without chance in the drawing itself, the seed matters only for another code."""
    still = "VARY -c cat --tries 1 -t 1e-9 --structure-temperature 1e-9 --pen-temperature 1e-9"

    def drawn(amount: float, seed: int) -> list[list[complex]]:
        return variations(run(f"{still} --amount {amount} --seed {seed}", two_pens))

    assert drawn(0, 1) == drawn(0, 2)
    assert drawn(1, 1) != drawn(1, 2)


def test_the_page_grows_with_the_sheet_unless_it_is_to_be_kept(run: Run) -> None:
    page = run("read circle.svg pagesize 12x12cm").page_size
    width, height = run(
        "read circle.svg pagesize 12x12cm VARY --tries 1 grid -o 9cm 9cm 2 2"
    ).page_size
    assert width > page[0]
    assert height > page[1]
    assert (
        run("read circle.svg pagesize 12x12cm VARY --tries 1 grid -k -o 9cm 9cm 2 2").page_size
        == page
    )
    assert run("circle 9cm 9cm 1cm VARY").page_size is not None


def test_variations_do_not_depend_on_their_number(run: Run) -> None:
    one = variations(run("read circle.svg VARY -c cat --seed 5 grid -o 9cm 9cm 1 1"))
    many = variations(run("read circle.svg VARY -c cat --seed 5 grid -o 9cm 9cm 3 2"))
    assert one
    for same, line in zip(many, one, strict=False):
        assert same == pytest.approx(line)
    assert len(many) > len(one)


@pytest.mark.parametrize(
    "option",
    ["-t 0.9", "--pen-temperature 0.3", "--guidance 3", "--tries 1", "-c dog", "-a 0.9"],
)
def test_options_reach_the_model(run: Run, option: str) -> None:
    line = "read circle.svg VARY -n 4 -c cat {} --seed 5"
    assert variations(run(line.format(option))) != variations(run(line.format("")))


def test_the_guess_is_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    document = run("read circle.svg VARY")
    lines = [text for text in capsys.readouterr().err.splitlines() if "looks like" in text]
    assert len(lines) == 1
    first = re.search(r"looks like (.+?) \((\d+) %\)", lines[0])
    assert first is not None
    assert document.property("sketchformer_guess").startswith(
        first[0].removeprefix("looks like ")
    )
    expected = first[1] if int(first[2]) >= 20 else None
    assert document.property("sketchformer_class") == expected
    run("read circle.svg VARY -c cat")
    assert "looks like" not in capsys.readouterr().err


# --- blocks ----------------------------------------------------------------------------------


def test_blocks_draw_others_each_time(run: Run) -> None:
    document = run("grid -o 10cm 10cm 2 2 read letter.svg VARY -c cat --replace end")
    assert list(document.layers) == [1]
    assert document.page_size == pytest.approx((20 * CM, 20 * CM))
    drawn = clusters([line.tolist() for line in document.layers[1]], 1.0)
    assert len({round(part.length, 3) for part in drawn}) > 1


def test_forlayer_varies_every_layer(run: Run, two_pens: vp.Document) -> None:
    after = run("forlayer VARY -c cat --replace end", two_pens)
    assert list(after.layers) == list(two_pens.layers)
    for lid in (2, 7):
        assert len(after.layers[lid]) > 0
        assert bits(after)[lid][0] == bits(two_pens)[lid][0]
        assert bits(after)[lid][1] != bits(two_pens)[lid][1]


def test_what_is_invented_can_be_varied(run: Run, tiny: Path) -> None:
    document = run(f"sketchgen -m '{tiny}' -c owl VARY grid 2 2")
    assert len(document.layers) == 2
    assert len(variations(document)) >= 4


# --- drawing it again, bad input -------------------------------------------------------------


def test_an_svg_says_how_it_was_drawn(run: Run) -> None:
    document = run("read letter.svg VARY -n 3 -a 0.7 write -r out.svg write p.svg", seed=None)
    seed = document.property("sketchformer_seed")
    assert f"# sketchvary --seed {seed}\n" in Path("p.svg").read_text()
    assert document.property("sketchformer_amount") == 0.7
    command = run("read out.svg").property("svg_dc_description")
    assert variations(run(f"read letter.svg {command}", seed=None)) == variations(document)


def test_much_detail_is_told(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    lines = rng.uniform(0, 500, (400, 3)) + 1j * rng.uniform(0, 500, (400, 3))
    before = vp.Document(vp.LineCollection(lines), page_size=(700, 700))
    after = run("VARY -c cat", before)
    assert bits(after)[1] == bits(before)[1]
    assert sum("more detail than the model" in text for text in caplog.messages) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("VARY", "nothing to begin with: no lines"),
        ("line 5 5 5 5 VARY", "all points are in one place"),
        ("line 0 0 1e300 1e300 VARY", "a drawing of size 1e+300 cannot be used"),
        ("repeat 2 VARY end", "Inside `repeat` the pipeline begins empty"),
        ("read circle.svg VARY -c catt", "unknown class 'catt'; did you mean 'cat'"),
        ("read circle.svg VARY -n 0", "'--count': 0 is not at least 1"),
        ("read circle.svg VARY -n 5 grid 2 2", "5 variations do not fit into a grid of 4"),
        ("read circle.svg VARY grid 0 2", "a grid has 1 cell or more"),
        ("read circle.svg VARY grid -o 1mm 1mm 2 2", "choose larger cells"),
        ("read circle.svg VARY -l 9", "'--layer': layer 9 does not exist"),
        ("read circle.svg VARY -a 1.5", "'--amount': 1.5 is not between 0 and 1"),
        ("read circle.svg VARY -a -1", "'--amount': -1 is not between 0 and 1"),
        ("read circle.svg VARY -a nan", "'--amount'"),
        ("read circle.svg VARY -t 0", "'--temperature': 0 is not above 0"),
        ("read circle.svg VARY --tries 0", "'--tries': 0 is not at least 1"),
        ("read circle.svg VARY --seed -1", "'--seed': -1 is negative"),
        ("read circle.svg sketchvary -m missing.safetensors", "no model 'missing.safet"),
    ],
)
def test_bad_input(run: Run, line: str, message: str) -> None:
    assert_refused(run, line, message)


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, -np.inf)])
def test_coordinates_that_are_no_numbers(run: Run, value: complex) -> None:
    document = vp.Document(vp.LineCollection([[1, 2j], [3, value, 5]]))
    with pytest.raises(click.UsageError, match="not finite numbers"):
        run("VARY write out.svg", document)


def test_a_model_without_an_encoder_on_the_command_line(
    vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    result = vpype("line", 1, 1, "90", "90", "sketchvary", "-m", tiny, "write", "out.svg")
    assert result.returncode == 2, result.stderr
    errors = [text for text in result.stderr.splitlines() if text.startswith("Error:")]
    assert len(errors) == 1
    assert "'--model': " in errors[0] or "--model" in errors[0]
    assert "has no encoder" in errors[0]
    assert not (tmp_path / "out.svg").exists()


def test_the_line_of_the_docs(vpype: CommandLine, coded: Path, tmp_path: Path) -> None:
    (tmp_path / "cat.svg").write_bytes((DATA / "letter.svg").read_bytes())
    line = f"read cat.svg sketchvary -m {coded} -n 12 --amount 0.5 grid 4 3 write twelve.svg"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    written = vp.read_multilayer_svg(str(tmp_path / "twelve.svg"), 0.1)
    boxes = [layer.bounds() for layer in written.layers.values()]
    assert len(boxes) == 2
    assert not any(
        shapely.box(*a).intersects(shapely.box(*b))
        for a, b in itertools.combinations(boxes, 2)
    )
