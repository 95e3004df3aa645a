"""`oneline`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import click
import numpy as np
import pytest
import shapely
import vpype as vp
import vpype_cli
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.conftest import CommandLine

CM = 96 / 2.54
MM = CM / 10

DATA = Path(__file__).parents[1] / "data"

Stroke = list[complex]


def draw(strokes: list[Stroke], options: str = "") -> vp.LineCollection:
    """Run the command on strokes and return what it makes of them."""
    document = vp.Document(vp.LineCollection(strokes))
    return vpype_cli.execute(f"oneline {options}", document).layers[1]


def ink(
    lines: list[Stroke] | vp.LineCollection, grid: float | None = None
) -> shapely.Geometry:
    """All that a pen would draw; lines without a length are dots.

    On a grid, what is gone over again counts once even where it was cut between its points.
    """
    marks = []
    for line in lines:
        points = vp.as_vector(np.array(line, complex))
        moves = np.ptp(points, axis=0).any()
        marks.append(shapely.linestrings(points) if moves else shapely.points(points[0]))
    return shapely.union_all(marks, grid_size=grid)


def size(strokes: list[Stroke]) -> float:
    points = np.concatenate([np.array(stroke, complex) for stroke in strokes])
    return float(max(np.ptp(points.real), np.ptp(points.imag)))


def assert_nothing_lost(
    strokes: list[Stroke], after: vp.LineCollection, deviation: float = 0
) -> None:
    pen = shapely.buffer(ink(after), deviation + 1e-6 * max(size(strokes), 1e-3))
    assert shapely.difference(ink(strokes), pen).is_empty


def lattice(edges: list[tuple[complex, complex]]) -> list[Stroke]:
    """Strokes of 1 cm between points of a lattice."""
    return [[a * CM, b * CM] for a, b in edges]


def arc(center: complex, radius: float, begin: float, end: float, count: int = 40) -> Stroke:
    """A piece of a circle; angles in turns."""
    return (center + radius * np.exp(2j * np.pi * np.linspace(begin, end, count))).tolist()


def face(corner: complex) -> list[Stroke]:
    """Four strokes that do not touch, 4 cm wide."""
    middle = corner + (2 + 2j) * CM
    return [
        arc(middle, 2 * CM, 0, 1),
        arc(middle - (0.7 + 0.5j) * CM, 0.3 * CM, 0, 1),
        arc(middle + (0.7 - 0.5j) * CM, 0.3 * CM, 0, 1),
        arc(middle, CM, 0.1, 0.4),
    ]


# --- nothing lost ----------------------------------------------------------------------------

whole = st.integers(0, 8).map(float)
anywhere = st.floats(-500, 500, allow_nan=False, width=32)


def strokes_of(number: st.SearchStrategy[float]) -> st.SearchStrategy[list[Stroke]]:
    point = st.builds(complex, number, number)
    return st.lists(st.lists(point, min_size=2, max_size=6), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    strokes_of(whole) | strokes_of(anywhere),
    st.sampled_from(["", "-t 0", "-b 0", "-t 0 -b 0", "-t 3mm -b 2mm", "-b 100m"]),
)
def test_every_segment_is_on_a_path(strokes: list[Stroke], options: str) -> None:
    after = draw(strokes, options)
    assert_nothing_lost(strokes, after)
    assert len(after) <= len(strokes)
    if options == "-b 100m":
        assert len(after) == 1


@settings(max_examples=30, deadline=None)
@given(strokes_of(whole) | strokes_of(anywhere))
def test_smoothing_moves_lines_by_no_more_than_it_says(strokes: list[Stroke]) -> None:
    for options in ("-b 0 -t 1", "-b 100m -t 1"):
        sharp, smooth = draw(strokes, options), draw(strokes, f"--smooth {options}")
        assert_nothing_lost(strokes, smooth, deviation=0.5)
        assert len(smooth) == len(sharp)
        beyond = np.subtract(ink(smooth).bounds, ink(strokes).bounds) * [-1, -1, 1, 1]
        assert beyond.max() <= 2.5 * 0.5 + 1e-6  # loops


@pytest.mark.parametrize(
    "strokes",
    [
        [[0, 100]] * 3000,
        [[0, 100, 50 + 50j]] * 1000 + [[50 + 50j, 100, 0]] * 1000,
        [[5, 5]] * 3000,
        [[3 + 4j, 3 + 4j], [0, 0], [10j, 10j, 10j]],
        [[0, 100], [50, 50], [40 + 30j, 40 + 30j]],
        [[0, 0, 100, 100, 100], [100, 100 + 1e-9j]],
        [[0, 100, 20], [10, 60], [30 + 1e-12j, 90]],
        [[0, 1e-300], [0, 5e-324j]],
        [[1e12, 1e12 + 100], [1e12 + 50, 1e12 + 50 + 70j]],
        [[-1e60, 1e60], [1e59j, -1e60j]],
        [[k * 7 % 100, (k * 13 % 100) * 1j] for k in range(60)],
    ],
)
def test_strange_strokes(strokes: list[Stroke]) -> None:
    for options in ("", "--smooth -t 0", "-b 1e99"):
        assert_nothing_lost(strokes, draw(strokes, options))
    assert len(draw(strokes, "-b 1e99")) == 1


def test_a_line_drawn_often_is_drawn_once() -> None:
    (path,) = draw([[0, 100, 50 + 50j]] * 500 + [[50 + 50j, 100, 0]] * 500)
    assert path.tolist() == [0, 100, 50 + 50j]


# --- what is added ---------------------------------------------------------------------------


def oracle(edges: list[tuple[complex, complex]]) -> list[float]:
    """The least that has to be retraced in each part, by trying everything."""
    nodes = sorted(set(itertools.chain.from_iterable(edges)), key=lambda z: (z.real, z.imag))
    index = {node: i for i, node in enumerate(nodes)}
    distance = np.full((len(nodes), len(nodes)), np.inf)
    np.fill_diagonal(distance, 0)
    degree = [0] * len(nodes)
    for a, b in edges:
        i, j = index[a], index[b]
        distance[i, j] = distance[j, i] = 1
        degree[i] += 1
        degree[j] += 1
    for k in range(len(nodes)):
        distance = np.minimum(distance, distance[:, k : k + 1] + distance[k])

    def least(odd: tuple[int, ...], free: int) -> float:
        if len(odd) <= free:
            return 0
        first, *rest = odd
        costs = [least(tuple(rest), free - 1)] if free else []
        for other in rest:
            left = tuple(node for node in rest if node != other)
            costs.append(distance[first, other] + least(left, free))
        return min(costs)

    parts = {tuple(np.flatnonzero(np.isfinite(row))) for row in distance}
    odd = [tuple(int(i) for i in part if degree[i] % 2) for part in parts]
    assume(all(len(nodes) <= 10 for nodes in odd))
    return [least(nodes, 2) for nodes in odd]


cells = [complex(x, y) for x in range(4) for y in range(4)]
sides = [(a, b) for a, b in itertools.combinations(cells, 2) if abs(a - b) == 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sides), min_size=1, max_size=24, unique=True))
def test_as_little_is_retraced_as_can_be(edges: list[tuple[complex, complex]]) -> None:
    expected = oracle(edges)
    after = draw(lattice(edges), "-t 0 -b 0")
    assert len(after) == len(expected)
    assert after.length() / CM == pytest.approx(len(edges) + sum(expected))
    assert_nothing_lost(lattice(edges), after)
    assert ink(after).length / CM == pytest.approx(len(edges))  # no white paper is crossed


def test_a_cross_goes_over_one_line_again() -> None:
    (path,) = draw([[0, 100 + 100j], [100j, 100]])
    assert np.abs(np.diff(path)).sum() == pytest.approx(1.5 * 200 * 2**0.5)


@pytest.mark.parametrize(
    ("strokes", "length"),
    [
        ([[0, 100], [101.5, 200]], 200),  # end to end
        ([[0, 100], [50 + 1j, 50 + 60j]], 210),  # an end at a line: one half again
        ([arc(0, 50, 0, 0.996, 400)], 100 * np.pi),  # a closed line
    ],
)
def test_ends_that_nearly_touch_are_joined(strokes: list[Stroke], length: float) -> None:
    (path,) = draw(strokes, "-b 0")
    assert np.abs(np.diff(path)).sum() == pytest.approx(length, rel=1e-4)
    assert_nothing_lost(strokes, draw(strokes))


def test_an_end_a_little_beyond_a_crossing_is_no_gap() -> None:
    strokes: list[Stroke] = [[0, 100], [50 - 1j, 50 + 60j]]
    assert ink(draw(strokes)).length == pytest.approx(161)


def test_the_tolerance_is_the_users() -> None:
    strokes: list[Stroke] = [[0, 10 * CM], [11 * CM, 20 * CM]]
    assert len(draw(strokes, "-b 0 -t 9.9mm")) == 2
    assert len(draw(strokes, "-b 0 -t 10.1mm")) == 1


def test_bridges_are_as_long_as_the_user_lets_them_be() -> None:
    strokes: list[Stroke] = [[0, 10 * CM], [1j * CM, (10 + 1j) * CM]]
    assert len(draw(strokes, "-b 9.9mm")) == 2
    (path,) = draw(strokes, "-b 10.1mm")
    assert np.abs(np.diff(path)).sum() == pytest.approx(21 * CM)


def test_parts_are_bridged_by_the_shortest_ways() -> None:
    """Rings in a row: two bridges of what is between them."""
    strokes = [arc(complex(x), 10, 0, 1, 121) for x in (0, 23, 47)]
    after = draw(strokes)
    assert len(after) == 1
    assert ink(after).length == pytest.approx(ink(strokes).length + 3 + 4, abs=0.01)


def test_ends_that_lead_to_a_bridge_already_are_no_ends() -> None:
    """A bridge from a free end, though a little longer, spares going back."""
    strokes: list[Stroke] = [[-100, 0], [10, 110], [12j, 100 + 12j]]
    (path,) = draw(strokes)
    assert np.abs(np.diff(path)).sum() == pytest.approx(300 + 10 + abs(10 + 12j))


def test_drawings_on_a_sheet_stay_apart() -> None:
    corners = [complex(x, y) * 5 * CM for y in range(4) for x in range(3)]
    faces = [face(corner) for corner in corners]
    after = draw([stroke for strokes in faces for stroke in strokes])
    assert len(after) == 12
    for strokes, path in zip(faces, after, strict=True):  # in the order they were drawn
        assert_nothing_lost(strokes, vp.LineCollection([path]))
    assert len(draw([stroke for strokes in faces for stroke in strokes], "-b 2cm")) == 1


# --- hatching, and other lines that are drawn one after the other ----------------------------


def added(strokes: list[Stroke], path: np.ndarray) -> float:
    """What a path draws beside the strokes, as a share of theirs."""
    own = sum(float(np.abs(np.diff(stroke)).sum()) for stroke in strokes)
    return float(np.abs(np.diff(path)).sum()) / own - 1


def hatching(count: int, apart: float, noise: float = 0.0) -> list[Stroke]:
    """Parallel lines of 10 cm."""
    moved = np.random.default_rng(0).uniform(-noise, noise, (count, 2))
    return [
        [(a + 1j * i * apart) * MM, (100 + b + 1j * i * apart) * MM]
        for i, (a, b) in enumerate(moved.tolist())
    ]


@pytest.mark.parametrize("noise", [0, 1e-9, 0.5])
@pytest.mark.parametrize(("count", "apart"), [(8, 5), (20, 2), (50, 0.5)])
def test_hatching_becomes_a_zigzag(count: int, apart: float, noise: float) -> None:
    strokes = hatching(count, apart, noise)
    (path,) = draw(strokes)
    assert added(strokes, path) < 1.02 * (count - 1) * (apart + noise) / (count * 100) + 1e-9


def test_hatching_as_it_comes_in_files() -> None:
    document = vp.read_multilayer_svg(str(DATA / "hatch8.svg"), 0.1)
    strokes = [line.tolist() for line in document.layers[1]]
    (path,) = draw(strokes)
    assert added(strokes, path) == pytest.approx(35 / 800, rel=0.01)


def test_hatching_that_an_outline_clips() -> None:
    """No more than from each line straight to the next one's nearer or farther end."""
    heights = np.arange(-45, 46, 3) * MM
    half = np.sqrt((50 * MM) ** 2 - heights**2)
    strokes = [[complex(-w, h), complex(w, h)] for w, h in zip(half, heights, strict=True)]
    (path,) = draw(strokes)
    zigzag = np.abs(np.diff([s[:: 1 if i % 2 else -1] for i, s in enumerate(strokes)])).sum()
    zigzag += np.abs(np.diff(half + 1j * heights)).sum()
    assert np.abs(np.diff(path)).sum() <= 1.02 * zigzag


def test_a_spiral_of_dashes_is_drawn_along() -> None:
    t = np.linspace(2, 10 * np.pi, 2000)
    spiral = 4 * t * np.exp(1j * t)
    strokes = [spiral[i : i + 16].tolist() for i in range(0, 1980, 20)]
    (path,) = draw(strokes, "-b 1m")
    assert np.abs(np.diff(path)).sum() <= 1.02 * np.abs(np.diff(spiral)).sum()


@pytest.mark.parametrize("options", ["", "--smooth"])
def test_rings_are_passed_once_where_they_are_near_each_other(options: str) -> None:
    """Rings in rings, each begun elsewhere, and dotted rows: no bridge is drawn twice."""
    nested = [arc(0, i * CM, 0.1 * i, 1 + 0.1 * i, 200) for i in range(1, 9)]
    squares = [
        [i * z * CM for z in (1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j, 1 + 1j)] for i in (2, 3, 4)
    ]
    dotted = [arc((i + 0.2j * (-1) ** i) * CM, MM, 0, 1) for i in range(12)]
    for strokes, gap in ((nested, CM), (squares, CM), (dotted, 0.9 * CM)):
        (path,) = draw(strokes, f"{options} -b 10cm")
        own = sum(np.abs(np.diff(stroke)).sum() for stroke in strokes)
        white = gap * (len(strokes) - 1)
        assert np.abs(np.diff(path)).sum() <= own + 1.5 * white


def shortest_way(strokes: list[Stroke]) -> float:
    """The least that bridges add if each stroke is drawn once, by trying all orders."""
    best = np.inf
    for order in itertools.permutations(strokes):
        for flips in itertools.product([1, -1], repeat=len(order)):
            ends = [stroke[::flip] for stroke, flip in zip(order, flips, strict=True)]
            best = min(best, sum(abs(a[-1] - b[0]) for a, b in itertools.pairwise(ends)))
    return best


@settings(max_examples=25, deadline=None)
@example(2, 3544)  # the shortest bridge lands inside a stroke
@given(st.integers(2, 5), st.integers(0, 10**6))
def test_as_good_as_the_best_order(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    starts, ways = random.uniform(0, 500, (2, count, 2)) @ [1, 1j]
    strokes = [[start, start + way / 10] for start, way in zip(starts, ways, strict=True)]
    assume(ink(strokes).length > 0.999 * sum(abs(s[1] - s[0]) for s in strokes))
    lines = [shapely.LineString([(z.real, z.imag) for z in s]) for s in strokes]
    assume(all(a.distance(b) > 5 for a, b in itertools.combinations(lines, 2)))
    (path,) = draw(strokes, "-b 100m -t 0")
    own = sum(abs(s[1] - s[0]) for s in strokes)
    white = ink([path.tolist()], 1e-6).length - own
    again = np.abs(np.diff(path)).sum() - own - white
    assert 2 * white + again <= 1.02 * 2 * shortest_way(strokes) + 1e-3


def test_small_letters_keep_their_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing with more white than a pen's width is joined on a wide sheet, and it is told."""
    vpype_cli.execute(f"read {DATA / 'text_futural.svg'} oneline")
    said = capsys.readouterr().err
    joins = re.search(r"(\d+) joins? \((\S+) cm\)", said)
    assert not joins or float(joins[2]) <= 0.06 * int(joins[1])


def test_joins_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    draw([[0, 10 * CM], [10.05 * CM, 20 * CM]])
    assert "1 join (0.05 cm)" in capsys.readouterr().err


# --- how the path runs -----------------------------------------------------------------------


def turns(path: np.ndarray) -> np.ndarray:
    """How much the path turns at each of its points, in degrees."""
    return np.abs(np.degrees(np.angle(np.diff(path)[1:] / np.diff(path)[:-1])))


def test_crossings_are_passed_straight() -> None:
    t = np.linspace(0, 2 * np.pi, 400)
    knot = 200 * np.cos(3 * t) + 200j * np.sin(2 * t + 0.3)
    pieces = [knot[a : b + 1].tolist() for a, b in itertools.pairwise([0, 90, 170, 290, 399])]
    (path,) = draw(pieces[::-1])
    assert turns(path).max() == pytest.approx(turns(knot).max(), abs=1)
    assert np.abs(np.diff(path)).sum() == pytest.approx(np.abs(np.diff(knot)).sum(), rel=1e-6)


def test_a_crossing_leaves_no_point_on_a_straight_line() -> None:
    (path,) = draw([[0, 100, 100 + 100j, 50 + 100j, 50 - 50j]])
    assert path.tolist() == [0, 100, 100 + 100j, 50 + 100j, 50 - 50j]


def test_a_path_starts_where_the_drawing_was_begun() -> None:
    stroke = arc(0, 50, 0, 0.7)
    (path,) = draw([stroke[20:], stroke[20::-1]])
    assert path[0] in (stroke[-1], stroke[0])
    (ring,) = draw([arc(0, 50, 0.3, 1.3)])
    assert ring[0] == ring[-1] == arc(0, 50, 0.3, 1.3)[0]


def test_smoothing_rounds_where_lines_meet() -> None:
    strokes: list[Stroke] = [[0, 100], [101 + 1j, 101 + 100j]]
    (sharp,), (smooth,) = draw(strokes), draw(strokes, "--smooth")
    assert turns(sharp).max() > 40
    assert turns(smooth).max() < 20


def test_smooth_bridges_flow() -> None:
    strokes: list[Stroke] = [[0, 100], [180 + 60j, 280 + 60j]]
    (sharp,), (smooth,) = draw(strokes, "-b 5cm"), draw(strokes, "-b 5cm --smooth")
    assert turns(sharp).max() > 30
    assert turns(smooth).max() < 15
    assert_nothing_lost(strokes, vp.LineCollection([smooth]), deviation=0.01 * 280)


def test_smooth_bridges_cross_nothing_and_stay_inside() -> None:
    rungs: list[Stroke] = [[0, 100], [30j, 100 + 30j]]
    for after in (draw(rungs, "-b 5cm --smooth"), draw(rungs, "-b 5cm")):
        assert after.bounds() == pytest.approx((0, 0, 100, 30))
    walls: list[Stroke] = [[20, 60], [60 + 30j, 20 + 30j], [62 - 5j, 62 + 35j], [100, 0]]
    wall = shapely.LineString([(62, -5), (62, 35)])
    (path,) = draw(walls, "-b 5cm --smooth")
    assert shapely.box(0, -5, 100, 35).buffer(1).covers(ink([path.tolist()]))
    assert wall.within(ink([path.tolist()]).buffer(1))


def test_a_bridge_to_what_lies_behind_turns_in_a_bow() -> None:
    corners = [100, 300 + 80j]
    strokes: list[Stroke] = [[0, 100, 100 + 100j], [180 + 20j, 300 + 80j, 300 + 250j]]
    (sharp,), (smooth,) = draw(strokes, "-b 5cm"), draw(strokes, "-b 5cm --smooth")
    for path, most in ((sharp, 180), (smooth, 35)):
        away = np.abs(path[1:-1, None] - corners).min(axis=1) > 1
        assert most / 4 < turns(path)[away].max() < most


def test_the_way_to_a_ring_and_back_is_a_narrow_loop() -> None:
    """Not a bead between the lines: a fifth of the bridge away from it at most."""
    strokes: list[Stroke] = [[-10 * CM, 10 * CM], arc((0.2 + 4j) * CM, 2 * CM, 0, 1, 200)]
    (path,) = draw(strokes, "--smooth -b 5cm")
    pen = ink(strokes).buffer(MM)
    white = shapely.difference(ink([path.tolist()]), pen)
    bridge = shapely.LineString([(0.2 * CM, 0), (0.2 * CM, 2 * CM)])
    assert white.length > 3 * CM
    assert shapely.hausdorff_distance(white, shapely.difference(bridge, pen)) < 0.4 * CM


def test_the_way_to_a_ring_and_back_does_not_cross_itself() -> None:
    """An eye in a face with ears: two lines beside each other, however the ring was drawn."""
    ears: list[Stroke] = [[100, 160], [-100, -160]]
    for way in (1, -1):
        face = [arc(0, 100, 0.3, 1.3), [z + 50j for z in arc(0, 20, 0, way)]]
        (path,) = draw([*face, *ears], "--smooth")
        line = shapely.LineString(np.column_stack([path.real, path.imag]))
        rings = ink([*face, *ears], 1e-3)
        inside = shapely.intersection(shapely.node(line), shapely.Point(0, 0).buffer(99))
        white = shapely.difference(inside, rings.buffer(1))
        assert len(shapely.get_parts(shapely.line_merge(white))) == 2


def test_what_the_pen_comes_back_from_is_a_narrow_loop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No ink twice, and the way back within a few widths of the pen."""
    cross: list[Stroke] = [[0, 200], [100 - 60j, 100 + 60j]]
    after = draw(cross, "--smooth")
    assert " 0 % retraced" in capsys.readouterr().err
    assert len(after) == 1
    assert ink(after, 1e-3).length > 0.99 * after.length()
    assert ink(cross).buffer(3 * 0.3 * MM).covers(ink(after))
    assert_nothing_lost(cross, after, deviation=0.3 * MM)
    assert np.abs(after[0][[0, -1]] - 100).max() == pytest.approx(100)  # it ends outside


def test_a_ring_is_closed_rather_than_gone_round_twice() -> None:
    ring = arc(0, 50, 0, 0.97, 100)
    strokes = [ring, arc(0, 100, 0, 1, 100), [51, 99]]
    sharp, smooth = draw(strokes), draw(strokes, "--smooth")
    assert smooth.length() < sharp.length()
    assert ink(smooth).length < ink(strokes).length + 0.06 * 100 * np.pi


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_tails_lead_to_both_sides(seed: int) -> None:
    random = np.random.default_rng(seed)
    stroke = np.cumsum(random.normal(size=(12, 2)), axis=0) @ [1, 1j] * CM
    (plain,), (path,) = draw([stroke.tolist()]), draw([stroke.tolist()], "--tails")
    side = 0.2 * size([plain.tolist()])
    ends = sorted(path[[0, -1]].real)
    assert ends[0] < plain.real.min() - side
    assert ends[1] > plain.real.max() + side
    level = np.diff(path)[[0, -1]]
    assert np.abs(level.imag / level.real).max() < 0.1
    assert_nothing_lost([plain.tolist()], vp.LineCollection([path]))


# --- documents, layers, reports --------------------------------------------------------------


def test_layers_are_done_one_by_one_and_keep_their_properties() -> None:
    document = vp.Document(page_size=(30 * CM, 20 * CM))
    contents = {2: face(0), 5: [], 7: [*face(4 * CM), [1, 2j]]}
    for i, (lid, content) in enumerate(contents.items()):
        layer = vp.LineCollection(content)
        layer.set_property("vp_name", f"pen {i}")
        layer.set_property("vp_color", vp.Color(["red", "lime", "blue"][i]))
        layer.set_property("vp_pen_width", 0.3 + i)
        layer.set_property("mine", i)
        document.add(layer, lid, with_metadata=True)
    document.set_property("also", "mine")
    before = {lid: dict(layer.metadata) for lid, layer in document.layers.items()}
    untouched = [line.tobytes() for line in document.layers[7]]
    after = vpype_cli.execute("oneline --layer 2,5", document)
    assert {lid: layer.metadata for lid, layer in after.layers.items()} == before
    assert (after.page_size, after.property("also")) == ((30 * CM, 20 * CM), "mine")
    assert [len(after.layers[lid]) for lid in (2, 5)] == [1, 0]
    assert [line.tobytes() for line in after.layers[7]] == untouched


def test_nothing_to_do() -> None:
    assert vpype_cli.execute("oneline").is_empty()
    assert vpype_cli.execute("oneline", vp.Document(vp.LineCollection())).is_empty()


def test_what_is_reported_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    strokes = face(0) + face(5 * CM)
    after = draw(strokes)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "layer 1: 8 strokes before, 2 now" in said
    assert re.search(r"apart by (\S+) cm", said)[1] == "1"
    bridges, length = re.search(r"(\d+) bridges \((\S+) cm\)", said).groups()
    assert bridges == "6"
    added = (ink(after).length - ink(strokes).length) / CM
    assert float(length) == pytest.approx(added, rel=0.05)
    again = 100 * (1 - ink(after).length / after.length())
    assert int(re.search(r"(\d+) % retraced", said)[1]) == pytest.approx(again, abs=0.6)


@pytest.mark.parametrize(
    ("number", "problem"), [(complex("nan"), "finite"), (1e150, "too large")]
)
def test_impossible_strokes_change_nothing(number: complex, problem: str) -> None:
    document = vp.Document(vp.LineCollection(face(0)))
    document.add(vp.LineCollection([[0, 1, number]]), 2)
    before = [line.tobytes() for line in document.layers[1]]
    with pytest.raises(click.UsageError, match=rf"layer 2: .*{problem}") as caught:
        vpype_cli.execute("oneline", document)
    assert caught.value.exit_code == 2
    assert [line.tobytes() for line in document.layers[1]] == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("-t -1mm", "--tolerance"),
        ("-t wide", "'wide' is not a length"),
        ("-b -1cm", "--max-bridge"),
        ("-b inf", "--max-bridge"),
        ("-b nan", "--max-bridge"),
        ("--layer x", "--layer"),
    ],
)
def test_wrong_options_get_one_line(vpype: CommandLine, options: str, problem: str) -> None:
    result = vpype(
        "line", "0", "0", "1cm", "1cm", "oneline", *options.split(), "write", "x.svg"
    )
    assert result.returncode == 2
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_line(vpype: CommandLine) -> None:
    line = "line 0 0 9cm 9cm line 0 9cm 9cm 0 circle 4cm 4cm 3cm oneline --smooth write x.svg"
    result = vpype(*line.split())
    assert result.returncode == 0
    assert "oneline: layer 1: 3 strokes before, 1 now" in result.stderr


@pytest.mark.parametrize("width", [0, -1, np.nan, np.inf])
def test_a_pen_that_cannot_be_is_the_usual_one(width: float) -> None:
    """Widths as other commands and scripts set them."""
    strokes: list[Stroke] = [[0, 5 * CM], [5.02 * CM, (9 + 3j) * CM], [0.1 * MM, 0.2 * MM]]
    for options in ("", "--clean", "--smooth"):
        document = vp.Document(vp.LineCollection(strokes))
        document.layers[1].set_property(vp.METADATA_FIELD_PEN_WIDTH, width)
        (path,) = vpype_cli.execute(f"oneline {options}", document).layers[1]
        assert path.tolist() == draw(strokes, options)[0].tolist()


def test_lines_are_cleaned_first_if_wished(capsys: pytest.CaptureFixture[str]) -> None:
    speck, double = [5 * CM + 1j, 5 * CM + 1.2j], [1 * CM + 0.1j * MM, 4 * CM + 0.1j * MM]
    strokes = [[0, 5 * CM], double, [2 * CM + CM * 1j, 2 * CM + 0.2j * MM], speck]
    draw(strokes)
    assert "4 strokes before" in capsys.readouterr().err
    path = draw(strokes, "--clean -b 1m")
    assert "4 strokes before" in capsys.readouterr().err
    # The upright is gone up and down: nothing else is there twice.
    assert ink(path).length == pytest.approx(6 * CM, abs=0.01 * CM)
    with pytest.raises(click.UsageError, match="too long to be cleaned"):
        draw([[0, 1e9]], "--clean")
    with pytest.raises(click.UsageError, match="finite"):
        draw([[0, complex("nan")]], "--clean")
