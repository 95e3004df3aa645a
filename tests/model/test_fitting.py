"""What is kept of several rests of a beginning: what fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from vpype_sketchformer.model import checkpoint, fitting
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.completion import Placement, make_prefix
from vpype_sketchformer.model.fitting import retraced, sample_fitting
from vpype_sketchformer.model.prefix import Prefix
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.sketch import Sketch

Stroke = NDArray[np.float64]
DATA = Path(__file__).parents[1] / "data"


def line(*points: tuple[float, float]) -> Stroke:
    return np.array(points, np.float64)


SQUARE = [line((0, 0), (100, 0), (100, 100), (0, 100), (0, 0))]


@pytest.mark.parametrize(
    ("new", "share"),
    [
        ([line((100, 100), (0, 100))], 1.0),  # the other way round
        ([line((10, 1), (90, 1)), line((20, 99), (80, 99))], 1.0),
        ([line((10, 4), (90, 4))], 0.0),
        ([line((50, 20), (50, 80))], 0.0),
        ([line((50, -20), (50, 120))], 0.0),  # across
        ([line((0, 0), (60, 0)), line((20, 20), (80, 20))], 0.5),
        ([line((30, 30), (30, 30))], 0.0),  # a dot
    ],
)
@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (1e-6, 3), (1e6, -1e7)])
def test_lines_along_others_are_told(
    new: list[Stroke], share: float, factor: float, shift: float
) -> None:
    old, added = ([s * factor + shift for s in strokes] for strokes in (SQUARE, new))
    assert retraced(old, added) == pytest.approx(share, abs=0.03)


def test_people_hardly_retrace() -> None:
    """Shares agree with what shapely finds near; few drawings are above what is allowed."""
    much = []
    for path in sorted((DATA / "quickdraw").glob("*.ndjson")):
        for text in path.read_text().splitlines():
            strokes = [np.array(s[:2], np.float64).T for s in json.loads(text)["drawing"]]
            half = len(strokes) // 2
            if not half:
                continue
            old, new = strokes[:half], strokes[half:]
            share = retraced(old, new)
            size = np.ptp(np.concatenate(strokes), axis=0).max()
            near = shapely.MultiLineString([s.repeat(2, 0) for s in old]).buffer(0.025 * size)
            lines = shapely.MultiLineString([s.repeat(2, 0) for s in new])
            if lines.length:
                assert share <= lines.intersection(near).length / lines.length + 0.02
            much.append(share > fitting.MOST_RETRACED)
    assert len(much) > 20
    assert np.mean(much) < 0.1


@pytest.fixture(scope="module")
def model(tiny: Path) -> Checkpoint:
    return checkpoint.load(tiny)


def seeds(count: int) -> list[np.random.SeedSequence]:
    return [np.random.SeedSequence(7, spawn_key=(i,)) for i in range(count)]


def circle(radius: float, x: float, y: float) -> Stroke:
    angles = np.linspace(0, 2 * np.pi, 24)
    return np.rint(np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)]))


HEAD = [circle(100, 128, 128)]
EARS = [line((45, 70), (50, 5), (95, 35)), line((160, 35), (205, 5), (210, 70))]
FACE = [
    *(
        line((side * 40 + 128, y), (side * 110 + 128, y + 5))
        for side in (-1, 1)
        for y in (130, 145)
    ),
    *(circle(5, x, 110) for x in (100, 156)),
]
SCRIBBLE = [line((10, 250), (250, 10), (5, 5), (250, 250)), line((0, 128), (255, 128))]


@pytest.mark.parametrize(
    ("tries", "or_nothing", "kept"),
    [
        ([FACE, SCRIBBLE, HEAD, SCRIBBLE], True, FACE),
        ([SCRIBBLE, FACE, [], FACE[:2]], True, FACE),
        ([FACE, FACE, [], []], True, []),  # what half of the tries say
        ([FACE, FACE, [], []], False, FACE),
        ([HEAD, HEAD, HEAD, HEAD], True, []),  # none fits
        ([HEAD, [], HEAD, []], False, HEAD),  # but something was wanted
        ([[], [], [], []], False, []),
    ],
)
def test_what_fits_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    model: Checkpoint,
    tries: list[list[Stroke]],
    or_nothing: bool,
    kept: list[Stroke],
) -> None:
    """Of a face, a scribble, and the head again, which rest a cat's head gets."""
    begun = [*HEAD, *EARS]
    prefix = make_prefix(begun, Placement(np.zeros(2), 1.0, np.zeros(2)), join=False)

    def draw(_: Checkpoint, labels: list[str], *others: Any, **style: Any) -> list[Sketch]:
        assert len(labels) == len(tries) * 2
        return [Sketch((*begun, *rest), "cat") for rest in tries] * 2

    monkeypatch.setattr(fitting, "sample", draw)
    drawn = sample_fitting(
        model,
        "cat",
        seeds(2),
        prefix,
        tries=len(tries),
        or_nothing=or_nothing,
        temperature=0.5,
    )
    for sketch in drawn:
        rest = prefix.rest(sketch.strokes)
        assert [stroke.tolist() for stroke in rest] == [stroke.tolist() for stroke in kept]


def test_what_the_model_finds_likelier_is_kept(
    monkeypatch: pytest.MonkeyPatch, model: Checkpoint
) -> None:
    """Of two rests that look alike the one is that is more probable to the model."""
    prefix = make_prefix([*HEAD, *EARS], Placement(np.zeros(2), 1.0, np.zeros(2)), join=False)
    rests = [FACE, FACE[::-1]]
    for likelihoods in ((-7.0, -9.0), (-9.0, -7.0)):
        drawings = [
            Sketch((*HEAD, *EARS, *rest), "cat", likelihood=likelihood)
            for rest, likelihood in zip(rests, likelihoods, strict=True)
        ]
        monkeypatch.setattr(fitting, "sample", lambda *_, drawn=drawings, **style: drawn)
        style: dict[str, Any] = {"tries": 2, "or_nothing": True, "temperature": 1.0}
        (sketch,) = sample_fitting(model, "cat", seeds(1), prefix, **style)
        assert sketch is drawings[int(np.argmax(likelihoods))]


def test_what_is_added_spoils_nothing(model: Checkpoint) -> None:
    """Drawn by a model: what is kept leaves the class as probable as it may."""
    prefix = make_prefix(HEAD, Placement(np.zeros(2), 1.0, np.zeros(2)), join=False)
    style: dict[str, Any] = {"tries": 2, "temperature": 1.0}
    row = bundled().classes.index("circle")

    def shares(or_nothing: bool) -> NDArray[np.float64]:
        drawn = sample_fitting(
            model, "circle", seeds(12), prefix, or_nothing=or_nothing, **style
        )
        seen = bundled().probabilities([HEAD, *(sketch.strokes for sketch in drawn)])
        alike = seen / bundled().tensors["prior"]
        return alike[:, row] / alike.sum(axis=1)

    before, *after = shares(True)
    assert min(after) >= fitting.KEPT * before - 1e-9
    before, *after = shares(False)
    assert min(after) < fitting.KEPT * before  # the model would


def test_a_stroke_that_goes_on_is_cut_where_it_began() -> None:
    prefix = Prefix(line((0, 0), (10, 0), (5, 5), (5, 9)), np.array([0, 1, 0]), True)
    first, second = prefix.strokes
    new = line((1, 1), (2, 2))
    assert prefix.rest([first, second]) == []
    (rest,) = prefix.rest([first, second, new])
    assert rest.tolist() == new.tolist()
    more, rest = prefix.rest([first, np.concatenate([second, [[7, 9]]]), new])
    assert more.tolist() == [[5, 9], [7, 9]]
    assert rest.tolist() == new.tolist()
