"""The recogniser: what cannot matter to it, what it must know, and files that are not one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from vpype_sketchformer.model.checkpoint import CheckpointError
from vpype_sketchformer.model.recogniser import BUNDLED, Recogniser, bundled, load
from vpype_sketchformer.model.sight import draw, join
from vpype_sketchformer.model.way import PLACES, follow

DATA = Path(__file__).parents[1] / "data"
BEGINNINGS = [json.loads(line) for line in (DATA / "beginnings.ndjson").open()]

Drawing = list[NDArray[np.float64]]


def strokes_of(beginning: Mapping[str, Any]) -> Drawing:
    return [np.array(stroke, float).T for stroke in beginning["strokes"]]


DRAWINGS = [strokes_of(beginning) for beginning in BEGINNINGS]


def reordered(strokes: Drawing) -> Drawing:
    return [stroke[::-1] for stroke in reversed(strokes)]


def with_more_points(strokes: Drawing) -> Drawing:
    """Put the middle of each segment between its ends."""
    return [
        np.insert(stroke, range(1, len(stroke)), (stroke[1:] + stroke[:-1]) / 2, axis=0)
        for stroke in strokes
    ]


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda strokes: [stroke * 0.013 + (-4000, 17) for stroke in strokes], 1 - 1e-4),
        (lambda strokes: [stroke * 1e30 for stroke in strokes], 1 - 1e-4),
        (with_more_points, 0.85),
    ],
)
def test_place_size_and_points_do_not_matter(
    change: Callable[[Drawing], Drawing], least: float
) -> None:
    """The shares of two views overlap: 1 where they are the same, 0 where all differs."""
    plain = bundled().probabilities(DRAWINGS)
    changed = bundled().probabilities([change(strokes) for strokes in DRAWINGS])
    assert np.minimum(plain, changed).sum(axis=1).min() >= least


@pytest.mark.parametrize("change", [list, reordered])
def test_beginnings_drawn_by_hand_are_recognised(change: Callable[[Drawing], Drawing]) -> None:
    """A class that a person would say is among the first five, in 32 of 40.

    So it is where the strokes come in another order and direction than people draw them.
    """
    recogniser = bundled()
    shares = recogniser.probabilities([change(strokes) for strokes in DRAWINGS])
    right = 0
    for beginning, share in zip(BEGINNINGS, shares, strict=True):
        first = {recogniser.classes[i] for i in np.argsort(-share)[:5]}
        right += not first.isdisjoint(beginning["classes"])
    assert len(BEGINNINGS) == 40
    assert right >= 32


def test_of_nothing_every_class_is_possible() -> None:
    nothing, something = bundled().probabilities([[], DRAWINGS[0]])
    assert nothing.sum() == pytest.approx(1)
    assert nothing.min() > 0 and nothing.max() < 0.02
    assert something.sum() == pytest.approx(1)
    assert bundled().probabilities([]).shape == (0, len(bundled().classes))


def test_many_at_once_are_seen_as_one_by_one() -> None:
    many = [strokes for strokes in DRAWINGS for _ in range(3)]
    together = bundled().probabilities(many)
    alone = np.concatenate([bundled().probabilities([strokes]) for strokes in many])
    assert np.allclose(together, alone, atol=1e-5)


def test_a_dot_and_a_line_leave_ink() -> None:
    dot, line = draw(*join([[np.zeros((1, 2))], [np.array([[0, 0], [10, 0.0]])]]))
    assert dot.sum() == pytest.approx(1.0, abs=0.3)
    rows, columns = np.nonzero(line > 0.2)
    assert len(set(rows)) <= 2 and len(set(columns)) >= 34


def test_a_way_is_followed_in_equal_steps() -> None:
    """Places lie on the drawing, in its order; a jump between strokes is told."""
    line = np.array([[0, 0], [10, 0.0]])
    up = np.array([[10, 5], [10, 2], [10, -5.0]])
    dot = np.array([[3.0, 3.0]])
    drawings = [[line, up], [up[::-1], line], [dot]]
    whole, other, still = follow(*join(drawings)).reshape(3, PLACES, 3)
    half = PLACES // 2
    assert np.allclose(np.diff(whole[:half, 0]), 2 / PLACES * 2)
    assert np.allclose(whole[:half, 1], 0) and np.allclose(whole[half:, 0], 1)
    assert np.all(np.diff(whole[half:, 1]) < 0) and np.all(np.diff(other[:half, 1]) > 0)
    for way in (whole, other):
        assert np.flatnonzero(way[:, 2]).tolist() == [half]
    assert np.all(still == 0)


def test_a_drawing_grows_or_stays() -> None:
    recogniser = bundled()
    seen = recogniser.look(DRAWINGS)
    for label in (None, "cat"):
        for growth in recogniser.growth(seen, label):
            assert growth.side >= 1 and growth.left >= 0 and growth.up >= 0


def test_fewer_classes_share_what_there_is() -> None:
    few = bundled().among(["dog", "cat", "house"])
    assert few is not None
    shares = bundled().probabilities(DRAWINGS)
    rows = [bundled().classes.index(name) for name in few.classes]
    expected = shares[:, rows] / shares[:, rows].sum(axis=1, keepdims=True)
    assert np.allclose(few.probabilities(DRAWINGS), expected, atol=1e-4)
    assert few.growth(few.look(DRAWINGS), "dog") == bundled().growth(
        bundled().look(DRAWINGS), "dog"
    )
    assert bundled().among(["cat", "nobody's class"]) is None


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, dict(file.metadata())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tensors, header: header.update(format="sketchformer-3"), "not a recogniser"),
        (lambda tensors, header: header.update(format="sketchformer-recogniser-9"), "not a"),
        (lambda tensors, header: header.update(classes="[1, 2]"), "description is damaged"),
        (lambda tensors, header: header.update(classes='["one"]'), "do not fit"),
        (lambda tensors, header: header.pop("metadata"), "description is damaged"),
        (lambda tensors, header: tensors.pop("stem.bias"), "do not fit"),
        (lambda tensors, header: tensors["stem.bias"].fill(np.nan), "do not fit"),
        (lambda tensors, header: tensors.update(prior=np.zeros((345, 1))), "do not fit"),
    ],
)
def test_damaged_files(
    tmp_path: Path, damage: Callable[[dict[str, Any], dict[str, str]], None], message: str
) -> None:
    tensors, header = read(BUNDLED)
    damage(tensors, header)
    path = tmp_path / "damaged.safetensors"
    save_file(tensors, path, header)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_cut_files(tmp_path: Path, share: float) -> None:
    content = BUNDLED.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="not a readable recogniser"):
        load(path)
    with pytest.raises(CheckpointError, match="not a readable recogniser"):
        load(tmp_path / "missing.safetensors")


def test_it_fits_into_three_megabytes() -> None:
    recogniser = load(BUNDLED)
    assert isinstance(recogniser, Recogniser)
    assert BUNDLED.stat().st_size < 3e6
    assert sum(tensor.size for tensor in recogniser.tensors.values()) <= 1.5e6
