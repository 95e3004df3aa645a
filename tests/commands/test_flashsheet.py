"""`flashsheet`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import shapely
import shapely.affinity
import vpype as vp
import vpype_cli
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conftest import CommandLine

CM = 96 / 2.54
MM = CM / 10

DATA = Path(__file__).parents[1] / "data"

Lines = list[NDArray[np.complex128]]


def execute(pipeline: str, document: vp.Document | None = None) -> vp.Document:
    return vpype_cli.execute(pipeline, document, "-s 1")


def drawing(seed: int) -> Lines:
    """A random drawing of one to five lines, somewhere on a page."""
    random = np.random.default_rng(seed)
    place = random.uniform(-2000, 2000, 2) @ [1, 1j]
    shape = random.uniform(0.05, 10, 2)
    return [
        place + (random.normal(size=(n, 2)) * shape).cumsum(axis=0) @ [1, 1j]
        for n in random.integers(2, 40, size=random.integers(1, 6))
    ]


def in_layers(drawings: Sequence[Lines]) -> vp.Document:
    document = vp.Document()
    for lid, lines in enumerate(drawings, 1):
        document.add(vp.LineCollection(lines), lid)
    return document


def shape(lines: Sequence[NDArray[np.complex128]]) -> shapely.Geometry:
    return shapely.union_all(
        [shapely.LineString(np.c_[line.real, line.imag]) for line in lines]
    )


def split(document: vp.Document, drawings: Sequence[Lines]) -> tuple[list[Lines], list[Lines]]:
    """Split what is on a page into designs and numbers; they come in turns, all from 1 on."""
    (layer,) = document.layers.values()
    lines = list(layer)
    designs, numbers = [], []
    labels = [str(i) for i in range(1, len(drawings) + 1)]
    for original in drawings:
        designs.append(lines[: len(original)])
        lines = lines[len(original) :]
        texts = {label: list(vp.text_line(label, size=0.42 * CM)) for label in labels}
        label = next(k for k, text in texts.items() if similar(text, lines[: len(text)], 1e-3))
        labels.remove(label)
        numbers.append(lines[: len(texts[label])])
        lines = lines[len(texts[label]) :]
    assert not lines
    return designs, numbers


def similar(before: Lines, after: Lines, atol: float = 1e-6) -> bool:
    """Tell whether two drawings are the same, moved and scaled by one number, not turned."""
    if [len(line) for line in before] != [len(line) for line in after]:
        return False
    old, new = np.concatenate(before), np.concatenate(after)
    old, new = old - old.mean(), new - new.mean()
    scale = np.vdot(old, new) / max(np.vdot(old, old).real, 1e-30)
    return (
        abs(scale.imag) < 1e-9 and scale.real >= 0 and np.allclose(new, scale * old, atol=atol)
    )


def ink(*layers: Any) -> float:
    return sum(layer.length() for layer in layers)


# --- designs on a page -----------------------------------------------------------------------


@example(seeds=[2228, 9782, 1, 3621], page="20x20cm", margin=2.0, gap=1e-273, vary=0.0)
@given(
    seeds=st.lists(st.integers(0, 9999), min_size=1, max_size=9),
    page=st.sampled_from(["a4", "a3", "letter", "11x14in", "20x20cm", "40x15cm"]),
    margin=st.floats(0, 3),
    gap=st.floats(0, 2),
    vary=st.floats(0, 2),
)
@settings(deadline=None, max_examples=8)
def test_designs_are_whole_and_apart(
    seeds: list[int], page: str, margin: float, gap: float, vary: float
) -> None:
    drawings = [drawing(seed) for seed in seeds]
    sheet = execute(
        f"flashsheet -p {page} -m {margin}cm -g {gap}cm --vary {vary}", in_layers(drawings)
    )
    assert sheet.page_size == pytest.approx(vp.convert_page_size(page))
    designs, numbers = split(sheet, drawings)
    assert all(map(similar, drawings, designs))
    shapes = list(map(shape, designs))
    captions = list(map(shape, numbers))
    width, height = vp.convert_page_size(page)
    border = margin * CM - 1e-6
    inner = shapely.box(border, border, width - border, height - border)
    assert all(inner.contains(part) for part in shapes + captions)
    both = [shapely.union(*pair) for pair in zip(shapes, captions, strict=True)]
    for one, other in itertools.combinations(both, 2):
        assert one.distance(other) >= max(gap * CM, 1e-3)
    for one, caption in zip(shapes, captions, strict=True):
        assert one.distance(caption) > 1 * MM
        left, _, right, bottom = one.bounds
        assert caption.bounds[1] > bottom
        assert shapely.box(*caption.bounds).centroid.x == pytest.approx((left + right) / 2)


def test_designs_follow_each_other_by_shape_not_by_box() -> None:
    """Two L whose boxes would not fit beside each other interlock."""
    corner = [100 * (np.array([0, 0, 1]) + 1j * np.array([0, 1, 1]))]
    other = [100 * (1 + 1j) - line for line in corner]
    sheet = execute(
        "flashsheet -p 12x10cm -m 1cm -g 5mm -s 7cm --no-numbers", in_layers([corner, other])
    )
    (layer,) = sheet.layers.values()
    first, second = (shape([line]) for line in layer)
    assert shapely.box(*first.bounds).intersects(shapely.box(*second.bounds))
    assert first.distance(second) >= 5 * MM


def test_richer_designs_are_larger() -> None:
    plain, rich = [np.array([0, 50 + 50j])], drawing(3)

    def sizes(vary: float) -> list[float]:
        sheet = execute(
            f"flashsheet -s 4cm --vary {vary} --no-numbers", in_layers([plain, rich])
        )
        designs = [list(sheet.layers[1])[:1], list(sheet.layers[1])[1:]]
        boxes = [shape(lines).bounds for lines in designs]
        return [max(b[2] - b[0], b[3] - b[1]) / CM for b in boxes]

    assert sizes(0) == pytest.approx([4, 4])
    small, large = sizes(0.7)
    assert small < 4 < large


def test_the_same_again() -> None:
    drawings = [drawing(seed) for seed in range(8)]
    one, other = (execute("flashsheet --frame --title A", in_layers(drawings)) for _ in "12")
    assert one == other


def test_a_sheet_uses_its_page() -> None:
    drawings = [drawing(seed) for seed in range(12)]
    sheet = execute("flashsheet -p a4 --no-numbers", in_layers(drawings))
    left, top, right, bottom = sheet.bounds()
    assert right - left > 14 * CM and bottom - top > 21 * CM  # of 18 by 26.7
    assert (left + right) / 2 == pytest.approx(10.5 * CM, abs=1.5 * CM)
    assert (top + bottom) / 2 == pytest.approx(14.85 * CM, abs=1.5 * CM)


def test_the_page_that_is_set_is_taken() -> None:
    lines = "line 0 0 1cm 1cm"
    assert execute(f"pagesize a5 {lines} flashsheet").page_size == vp.PAGE_SIZES["a5"]
    assert execute(f"{lines} flashsheet").page_size == vp.convert_page_size("11x14in")
    landscape = execute(f"{lines} flashsheet -p a5 -l").page_size
    assert landscape == vp.PAGE_SIZES["a5"][::-1]


# --- pages -----------------------------------------------------------------------------------


def test_pages_are_layers_for_forlayer(vpype: CommandLine, tmp_path: Path) -> None:
    drawings = [drawing(seed) for seed in range(14)]
    with (tmp_path / "in.svg").open("w") as file:
        vp.write_svg(file, in_layers(drawings), (2000, 2000))
    line = "read --no-crop in.svg flashsheet -p a5 -s 4cm --signature me --title T "
    line += "forlayer write page%_i+1%.svg end"
    result = vpype(*line.split())
    assert result.returncode == 0, result.stderr
    said = re.search(r"14 designs of .* on (\d) pages", result.stderr)
    assert said
    count = int(said[1])
    assert count > 1
    names = {f"page{i + 1}.svg" for i in range(count)}
    assert {path.name for path in tmp_path.glob("page*.svg")} == names
    for name in names:
        page = vp.read_multilayer_svg(str(tmp_path / name), 0.1)
        assert page.page_size == pytest.approx(vp.PAGE_SIZES["a5"])
        assert page.bounds()[1] == pytest.approx(1.5 * CM, abs=0.1)  # the title
        assert set(re.findall('stroke="(.*?)"', (tmp_path / name).read_text())) == {"#000000"}


def test_nothing_is_lost_on_several_pages() -> None:
    drawings = [drawing(seed) for seed in range(20)]
    sheet = execute("flashsheet -p a5 --vary 0 -s 4cm --no-numbers", in_layers(drawings))
    assert [layer.property("vp_name") for layer in sheet.layers.values()] == [
        f"page {i}" for i in sorted(sheet.layers)
    ]
    lines = iter([line for lid in sorted(sheet.layers) for line in sheet.layers[lid]])
    for original in drawings:
        assert similar(original, list(itertools.islice(lines, len(original))))
    assert next(lines, None) is None
    counts = [len(layer) for layer in sheet.layers.values()]
    assert min(counts) > 0.4 * max(counts)


# --- what a design is, and its pen -----------------------------------------------------------


def test_pens_survive_on_a_single_page() -> None:
    sheet = execute(
        "line -l 1 0 0 1cm 1cm rect -l 2 0 0 1cm 1cm circle -l 3 0 0 1cm "
        "line -l 4 0 0 2cm 1cm color -l 1,3 red color -l 2 blue penwidth -l 2 1mm "
        "flashsheet --no-numbers"
    )
    pens = {
        (
            layer.property("vp_color").as_hex(),
            round(layer.property("vp_pen_width") / MM, 6),
        ): len(layer)
        for layer in sheet.layers.values()
    }
    assert pens == {("#ff0000", 0.3): 2, ("#0000ff", 1.0): 1, ("#000000", 0.3): 1}


def test_drawings_in_one_layer_are_designs() -> None:
    """Those of a sheet of `sketchgen`, with the model that ships."""
    sketches = "sketchgen --seed 3 -n 6 -c flower,fish,cat"
    apart = execute(f"{sketches} --layers sketch")
    sheet = execute(f"{sketches} flashsheet --no-numbers --vary 0 -s 5cm")
    lines = iter(sheet.layers[1])
    for lid in sorted(apart.layers):
        original = list(apart.layers[lid])
        assert similar(original, list(itertools.islice(lines, len(original))), atol=1e-3)


def test_drawings_of_several_pens_stay_whole() -> None:
    sheet = execute(
        "circle -l 1 0 0 1cm circle -l 1 20cm 0 1cm "
        "rect -l 2 -- -0.5cm -0.5cm 1cm 1cm rect -l 2 -- 19.5cm -0.5cm 1cm 1cm "
        "name -l 1 round flashsheet --apart 1cm --no-numbers --vary 0 -s 4cm"
    )
    assert sheet.layers[1].property("vp_name") == "round"
    assert not any(layer.property("vp_color") for layer in sheet.layers.values())
    for circle, square in zip(sheet.layers[1], sheet.layers[2], strict=True):
        around, inside = shape([circle]), shape([square])
        assert shapely.box(*around.bounds).centroid.distance(inside.centroid) < 0.1
        assert around.bounds[2] - around.bounds[0] == pytest.approx(4 * CM, abs=0.1)
        assert inside.bounds[2] - inside.bounds[0] == pytest.approx(2 * CM, abs=0.1)


def lengths(sheet: vp.Document) -> list[float]:
    return sorted(float(np.abs(np.diff(line)).sum()) for line in sheet.layers[1])


def test_dots_stay_dots() -> None:
    """Stippling of a hundred marks of 0.01 mm, as it comes in files."""
    dots = vp.read_multilayer_svg(str(DATA / "onlydots.svg"), 0.1)
    sheet = execute("flashsheet -p a4 --no-numbers", dots)
    assert len(sheet.layers[1]) == 100
    inked = shape(list(sheet.layers[1])).bounds
    assert inked[2] - inked[0] > 5 * CM or inked[3] - inked[1] > 5 * CM


def test_dots_in_layers_of_their_own_keep_their_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dot = [np.array([0, 0.2])]
    sheet = execute("flashsheet -p a4 -s 4cm --no-numbers", in_layers([dot, drawing(1)]))
    assert lengths(sheet)[0] == pytest.approx(0.2)
    assert "2 designs of 4 cm" in capsys.readouterr().err
    execute("flashsheet -p a4", in_layers([dot]))
    assert "1 design on 1 page" in capsys.readouterr().err


def test_stippling_belongs_to_the_nearest_drawing() -> None:
    drawn = vp.read_multilayer_svg(str(DATA / "dotwork.svg"), 0.1)
    circles = sum(np.abs(np.diff(line)).sum() > MM for line in drawn.layers[1])
    sheet = execute("flashsheet -p a4 --apart 1cm --no-numbers", drawn)
    assert sum(length > MM for length in lengths(sheet)) == circles


def test_numbers_are_read_row_by_row() -> None:
    drawings = [drawing(seed) for seed in range(9)]
    sheet = execute("flashsheet -p 30x30cm --vary 0 -s 5cm --columns 3", in_layers(drawings))
    (layer,) = sheet.layers.values()
    lines, places = list(layer), {}
    for i in range(1, 10):
        text = list(vp.text_line(str(i), size=0.42 * CM))
        places[i] = next(
            shape(lines[k : k + len(text)]).centroid
            for k in range(len(lines))
            if similar(text, lines[k : k + len(text)], 1e-3)
        )
    steps = np.diff([places[i].coords[0] for i in range(1, 10)], axis=0)
    assert ((steps[:, 0] > 0) | (steps[:, 1] > 0)).all()  # to the right, or down
    assert (
        np.diff([np.mean([places[i + k].y for k in (1, 2, 3)]) for i in (0, 3, 6)]) > 0
    ).all()


def test_sizes_in_proportion() -> None:
    small, large = [np.array([0, 20 + 20j, 20])], [np.array([0, 100 + 100j, 100])]
    sheet = execute("flashsheet --in-proportion --no-numbers", in_layers([small, large]))
    one, other = lengths(sheet)
    assert other / one == pytest.approx(5)


# --- lettering -------------------------------------------------------------------------------


def test_lettering_is_on_the_sheet_and_touches_nothing() -> None:
    drawings = [drawing(seed) for seed in range(6)]
    options = (
        '-p a4 -m 2cm --no-numbers --frame --title "Six Things" --signature "Me gj, 2026"'
    )
    sheet = execute(f"flashsheet {options}", in_layers(drawings))
    lines = list(sheet.layers[1])
    count = sum(map(len, drawings))
    designs, rest = shape(lines[:count]), lines[count:]
    frame, letters = shape(rest[:1]), shape(rest[1:])
    width, height = vp.PAGE_SIZES["a4"]
    border = shapely.box(2 * CM, 2 * CM, width - 2 * CM, height - 2 * CM)
    assert (
        frame.equals_exact(border.exterior, 0.01)
        or frame.hausdorff_distance(border.exterior) < 0.01
    )
    assert designs.distance(letters) >= 1 * CM - 1e-6
    assert designs.distance(frame) >= 1 * CM - 1e-6
    assert letters.distance(frame) >= 1 * CM - 1e-6
    for text, size in (("Six Things", 0.032 * height), ("Me gj, 2026", 0.42 * CM)):
        expected = [np.asarray(line) for line in vp.text_line(text, "futural", size)]
        starts = range(len(rest) - len(expected) + 1)
        assert any(similar(expected, rest[i : i + len(expected)], 1e-3) for i in starts)


# --- a sketch again --------------------------------------------------------------------------


def test_a_sketch_of_a_sheet_is_drawn_again(
    vpype: CommandLine, tiny: Path, tmp_path: Path
) -> None:
    """From the words on the sheet alone: the seed at the bottom, the number under a design."""
    common = f"sketchgen -m {tiny} -c cat,dog,owl --seed 1234 --no-smooth"
    sheet = execute(f"{common} -n 5 --layers sketch flashsheet")
    (layer,) = sheet.layers.values()
    seed = [np.asarray(line) for line in vp.text_line("seed 1234", size=0.42 * CM)]
    assert similar(seed, list(layer)[-len(seed) :], 1e-3)
    lines = list(layer)[: -len(seed)]
    for number in range(1, 6):
        again = execute(f"{common} --only {number} --size 12cm")
        assert max(again.layers[1].width(), again.layers[1].height()) == pytest.approx(12 * CM)
        original, lines = lines[: len(again.layers[1])], lines[len(again.layers[1]) :]
        assert similar(list(again.layers[1]), original)
        caption = [np.asarray(line) for line in vp.text_line(str(number), size=0.42 * CM)]
        assert similar(caption, lines[: len(caption)], 1e-3)
        lines = lines[len(caption) :]
    assert not lines


def test_a_sketch_is_drawn_again_in_curves(tiny: Path) -> None:
    common = f"sketchgen -m {tiny} -c cat --seed 9 --layers sketch"
    small = execute(f"{common} -n 3").layers[3]
    large = execute(f"{common} --only 3 --size 16cm").layers[1]
    assert large.property("vp_name") == small.property("vp_name") == "cat 3"
    for layer in (small, large):
        left, top, right, bottom = layer.bounds()
        layer.translate(-left, -top)
        layer.scale(16 * CM / max(right - left, bottom - top))
    assert len(small) == len(large)
    for one, other in zip(small, large, strict=True):
        assert shape([one]).hausdorff_distance(shape([other])) < 0.4 * MM  # 4 * 0.05 mm, twice


def test_a_line_is_drawn_again_in_the_same_way(tiny: Path) -> None:
    """What is joined does not hang on the size."""
    common = f"sketchgen -m {tiny} -c cat,dog,owl --seed 9 --one-line --layers sketch"
    sheet = execute(f"{common} -n 6")
    for number, layer in enumerate(sheet.layers.values(), start=1):
        again = execute(f"{common} --only {number} --size 16cm").layers[1]
        assert similar(list(again), list(layer))


def test_only_the_number_counts(tiny: Path) -> None:
    common = f"sketchgen -m {tiny} --seed 7"
    alone = execute(f"{common} --only 4")
    assert similar(list(alone.layers[1]), list(execute(f"{common} -n 20 --only 4").layers[1]))


def test_sheets_of_several_seeds_name_them(tiny: Path) -> None:
    sketch = f"sketchgen -m {tiny} -c cat --layers sketch --no-smooth"
    sheet = execute(
        f"{sketch} --seed 1 -n 2 {sketch} --seed 2 line -l new 0 0 1cm 1cm flashsheet"
    )
    lines = list(sheet.layers[1])
    for label in ("1:1", "1:2", "2:1", "4"):
        caption = [np.asarray(line) for line in vp.text_line(label, size=0.42 * CM)]
        starts = range(len(lines) - len(caption) + 1)
        assert any(similar(caption, lines[i : i + len(caption)], 1e-3) for i in starts), label


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("flashsheet", "no lines in the pipeline"),
        ("line 0 0 0 0 ldelete 1 flashsheet", "no lines in the pipeline"),
        ("line 0 0 1cm 1cm flashsheet -p b5", "'b5' is not a pagesize"),
        ("line 0 0 1cm 1cm flashsheet -p tight", "needs a page of a size"),
        ("line 0 0 1cm 1cm flashsheet -p 4x4cm -m 2cm", "no room within its margins of 2 cm"),
        ("line 0 0 1cm 1cm flashsheet -p 4x4cm -m 9cm --frame --title a", "title"),
        ("line 0 0 1cm 1cm flashsheet -m -1cm", "0 or more"),
        ("line 0 0 1cm 1cm flashsheet -g 1e999cm", "0 or more"),
        ("line 0 0 1cm 1cm flashsheet -g bla", "'bla' is not a length"),
        ("line 0 0 1cm 1cm flashsheet -s 0", "greater than zero"),
        ("line 0 0 1cm 1cm flashsheet --vary 3", "between 0 and 2"),
        ("line 0 0 1cm 1cm flashsheet --title мир", "'м'"),
        ("line 0 0 1cm 1cm flashsheet -f nofont", "nofont"),
        ("line 0 0 1cm 1cm flashsheet -p a6 --title " + 40 * "w", "does not fit"),
        ("line 0 0 1cm 1cm flashsheet --signature " + 300 * "w", "does not fit"),
        ("line 0 0 2cm 1cm flashsheet -p a6 -s 20cm", "design 1 does not fit on the page"),
        ("sketchgen --only 0", "0 is not at least 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(pipeline: str, message: str) -> None:
    with pytest.raises(click.UsageError) as error:
        execute(pipeline)
    assert error.value.exit_code == 2
    assert message in error.value.format_message()
    assert "\n" not in error.value.format_message()


@pytest.mark.parametrize("point", [np.nan, np.inf, 1j * -np.inf, 1e300])
def test_points_that_are_nowhere_are_refused(point: complex) -> None:
    document = in_layers([drawing(1), [np.array([0, 1, point])], drawing(2)])
    for options in ("", "--apart 1cm"):
        with pytest.raises(
            click.UsageError, match="layer 2: a point is not at a finite place"
        ):
            execute(f"flashsheet {options}", document)


def test_bad_input_writes_nothing(vpype: CommandLine, tmp_path: Path) -> None:
    line = "line 0 0 2cm 1cm flashsheet -p a6 -s 20cm write out.svg"
    result = vpype(*line.split())
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "design 1 does not fit on the page" in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_the_document_alone() -> None:
    document = in_layers([drawing(1), drawing(2)])
    copies = {lid: [line.copy() for line in layer] for lid, layer in document.layers.items()}
    with pytest.raises(click.UsageError):
        execute("flashsheet -p a6 -s 50cm", document)
    assert {lid: len(layer) for lid, layer in document.layers.items()} == {
        lid: len(lines) for lid, lines in copies.items()
    }


@pytest.mark.parametrize(
    "lines",
    [
        [[5 + 5j, 5 + 5j]],  # a dot
        [[0, 10], [3, 3], [3, 3, 3]],  # dots on a line
        [[0, 10 + 10j]] * 3000,  # duplicates
        [[0, 1e-9]],
        [[1e8, 1e8 + 1]],
        [[0, 100], [50j, 50j + 1e-12]],
    ],
)
def test_odd_lines_are_kept(lines: list[list[complex]]) -> None:
    """Alone in a layer, in a layer beside others, and as they lie on the page."""
    odd = [np.array(line, complex) for line in lines]
    others = [drawing(1), odd, drawing(2)]
    designs, _ = split(execute("flashsheet -p a4", in_layers(others)), others)
    assert all(map(similar, others, designs))
    for options in ("", "--apart 1mm"):
        sheet = execute(f"flashsheet --no-numbers {options}", in_layers([odd]))
        (layer,) = sheet.layers.values()
        assert sorted(map(len, layer)) == sorted(map(len, odd))
        assert all(np.isfinite(line).all() for line in layer)
