"""Variations and in-betweens: what is chosen of what was drawn."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpype_sketchformer.model.checkpoint import CheckpointError, bundled, load
from vpype_sketchformer.model.varying import (
    _choose_path,
    _lengths,
    encoder_of,
    morph,
    see,
    vary,
)

FREEDOM: dict[str, Any] = {"temperature": 0.3, "structure_temperature": 0.5, "guidance": 1.0}


@pytest.mark.parametrize("ease", [False, True])
def test_paths_are_those_of_trying_all(ease: bool) -> None:
    """On a line that is walked along, the most even steps are known by trying all ways."""
    rng = np.random.default_rng(0)
    at = np.sort(rng.uniform(0, 1, 12))
    at[[0, -1]] = 0, 1
    lengths = _lengths(5, ease)
    chosen = _choose_path(at[:, None], at, np.zeros(12), (None, None), lengths)

    def uneven(path: tuple[int, ...]) -> float:
        steps = np.log(np.diff(at[list(path)]) * 4 / lengths)
        return float((np.abs(steps) ** 3).sum())

    ways = [(0, *inner, 11) for inner in itertools.combinations(range(1, 11), 3)]
    assert tuple(chosen) == min(ways, key=uneven)


def test_ends_that_are_given_are_not_drawn() -> None:
    at = np.linspace(0, 1, 9)
    ends = (np.array([[-0.1]]), np.array([[1.1]]))
    chosen = _choose_path(at[:, None], at, np.zeros(9), ends, _lengths(5, False))
    assert len(chosen) == 3
    assert chosen == sorted(chosen)
    costs = np.where(np.arange(9) == chosen[1], 100.0, 0.0)
    other = _choose_path(at[:, None], at, costs, ends, _lengths(5, False))
    assert chosen[1] not in other


def test_a_model_without_an_encoder_names_one_that_has(tiny: Path) -> None:
    with pytest.raises(CheckpointError, match="has no encoder") as caught:
        encoder_of(load(tiny))
    able = [name for name, path in bundled().items() if load(path).config.code]
    assert all(repr(name) in str(caught.value) for name in able)


@pytest.mark.parametrize(("first", "last"), [("cat", "rabbit"), ("fish", "bird")])
def test_steps_are_even_and_show_the_one_or_the_other(first: str, last: str) -> None:
    """Pictures are blurred here in another way than where the steps are chosen."""
    from scipy.ndimage import gaussian_filter

    from vpype_sketchformer.model.recogniser import bundled as recogniser
    from vpype_sketchformer.model.sight import draw, join

    checkpoint = load(bundled()["quickdraw"])
    seed = np.random.SeedSequence(1)
    steps = morph(checkpoint, (first, last), 8, seed, tries=4, **FREEDOM)
    pictures = draw(*join([sketch.strokes for sketch in steps]))
    coarse = gaussian_filter(pictures, (0, 2, 2))[:, 1::3, 1::3].reshape(8, -1)
    lengths = np.hypot.reduce(np.diff(coarse, axis=0), axis=1)
    assert lengths.max() <= 2.5 * lengths.min()
    shares = recogniser().probabilities([sketch.strokes for sketch in steps])
    named = [recogniser().classes[i] for i in shares.argmax(axis=1)]
    assert sum(name in (first, last) for name in named) >= 6
    assert named[0] == first
    assert named[-1] == last


def test_a_drawing_is_known_in_any_unit_and_place(quickdraw: Path) -> None:
    from training.data.readers import read_ndjson

    checkpoint = load(bundled()["quickdraw"])
    drawing = next(iter(read_ndjson(quickdraw / "cat.ndjson")))
    strokes = np.split(drawing.points.astype(float), np.flatnonzero(drawing.pen[:-1]) + 1)
    one, other = (see(checkpoint, [f * s + 100 for s in strokes]) for f in (1, 0.01))
    assert one.label == other.label == "cat"
    assert np.abs(one.code - other.code).max() < 0.02 * one.code.std()


def test_the_try_that_looks_like_the_drawing_is_kept(quickdraw: Path) -> None:
    """Pictures are blurred here in another way than where the try is chosen."""
    from scipy.ndimage import gaussian_filter

    from training.data.readers import read_ndjson
    from vpype_sketchformer.model.sight import draw, join

    checkpoint = load(bundled()["quickdraw"])
    style = FREEDOM | {"guidance": 2.0}
    unlike = []
    for path in sorted(quickdraw.glob("*.ndjson")):
        for drawing in itertools.islice(read_ndjson(path), 2):
            seen = see(checkpoint, drawing.strokes, drawing.label)
            drawings = [drawing.strokes]
            for tries in (6, 1):
                seeds = [np.random.SeedSequence(1)]
                [sketch] = vary(checkpoint, seen, 0.0, seeds, tries=tries, **style)
                drawings.append(list(sketch.strokes))
            pictures = gaussian_filter(draw(*join(drawings)), (0, 2, 2)).reshape(3, -1)
            pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
            unlike.append(np.linalg.norm(pictures[1:] - pictures[0], axis=1))
    kept, first = np.mean(unlike, axis=0)
    assert kept < 0.9 * first
