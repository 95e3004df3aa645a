"""Which of several drawings is kept: like their class, and unlike each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from vpype_sketchformer.model import choosing
from vpype_sketchformer.model.checkpoint import CheckpointError, bundled, load
from vpype_sketchformer.model.choosing import Drawn, sample_best
from vpype_sketchformer.model.recogniser import Recogniser
from vpype_sketchformer.model.recogniser import bundled as recogniser
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.model.sight import draw, join
from vpype_sketchformer.sketch import Sketch


def test_the_best_try_is_kept(tiny: Path) -> None:
    """It looks more like its class, and is likelier; the first try is that of `sample`."""
    model = load(tiny)
    labels = ["cat", "circle", "zigzag"] * 4
    seeds = [np.random.SeedSequence(5, spawn_key=(i,)) for i in range(len(labels))]
    plain = sample(model, labels, seeds, temperature=0.5)
    told: list[int] = []
    once = sample_best(model, labels, seeds, tries=1, progress=told.append, temperature=0.5)
    assert sum(told) == len(labels)
    for one, other in zip(plain, once, strict=True):
        assert all(map(np.array_equal, one.strokes, other.strokes))
    told.clear()
    more = sample_best(model, labels, seeds, tries=4, progress=told.append, temperature=0.5)
    assert sum(told) == len(labels)
    rows = [recogniser().classes.index(label) for label in labels]
    before, after = (
        recogniser().probabilities([s.strokes for s in drawn])[range(len(labels)), rows]
        for drawn in (plain, more)
    )
    assert np.log(after).mean() > np.log(before).mean()
    likelihoods = [np.mean([s.likelihood for s in drawn]) for drawn in (plain, more)]
    assert likelihoods[1] > likelihoods[0]


def test_those_of_a_class_differ() -> None:
    """More than if each is drawn alone, in pictures that are blurred in another way here."""
    model = load(bundled()["quickdraw"])
    labels = ["apple", "mug", "cactus"] * 8
    seeds = np.random.SeedSequence(2).spawn(len(labels))
    together = sample_best(model, labels, seeds, temperature=0.8)
    alone = [
        sample_best(model, [label], [seed], temperature=0.8)[0]
        for label, seed in zip(labels, seeds, strict=True)
    ]

    def nearest(sketches: Sequence[Sketch]) -> float:
        """The mean distance of a sketch's picture to the next of its class."""
        pictures = draw(*join([sketch.strokes for sketch in sketches]))
        rows = gaussian_filter(pictures, (0, 2, 2)).reshape(len(labels), -1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        apart = [cdist(rows[k::3], rows[k::3]) + 9 * np.eye(8) for k in range(3)]
        return float(np.mean([away.min(axis=1) for away in apart]))

    assert nearest(together) > 1.05 * nearest(alone)


def test_what_was_drawn_before_counts_as_if_drawn_at_once() -> None:
    model = load(bundled()["quickdraw"])
    labels = ["apple"] * 8
    seeds = np.random.SeedSequence(2).spawn(len(labels))
    at_once = sample_best(model, labels, seeds, temperature=0.8)
    before: Drawn = {}
    in_parts = [
        sketch
        for part in (slice(0, 3), slice(3, 8))
        for sketch in sample_best(
            model, labels[part], seeds[part], before=before, temperature=0.8
        )
    ]
    for one, other in zip(at_once, in_parts, strict=True):
        assert all(map(np.allclose, one.strokes, other.strokes))


def test_a_good_try_that_was_not_taken_serves_the_next(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two good ones in the tries of the first, none in those of the second."""
    house = np.array([[0, 100], [0, 0], [50, -60], [100, 0], [100, 100], [0, 100], [0, 0.0]])
    door = np.array([[40, 100], [40, 60], [60, 60], [60, 100.0]])
    scrap = np.array([[0.0, 95], [250, 100]])
    good = [
        Sketch((house * [1, k], house[[1, 3]] * [1, k], door), "house", True, likelihood=-6.5)
        for k in (1, 2)
    ]
    bad = [Sketch((scrap * [1, k],), "house", True, likelihood=-7.5) for k in (1, 2)]
    cut = Sketch((house, door), "house", finished=False, likelihood=-5.0)
    tries = [*good, cut, *bad, cut]
    monkeypatch.setattr(choosing, "sample", lambda *_, **__: tries)
    seeds = np.random.SeedSequence(5).spawn(2)
    taken = sample_best(load(tiny), ["house"] * 2, seeds, tries=3, temperature=0.5)
    assert sorted(map(tries.index, taken)) == [0, 1]


def test_going_over_the_same_spot_is_no_drawing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However likely each of its points is, once it goes on and on."""
    house = np.array([[0, 100], [0, 0], [50, -60], [100, 0], [100, 100], [0, 100], [0, 0.0]])
    spot = tuple(np.array([[100.0 + i % 2, 100], [101, 100 + i % 3]]) for i in range(70))
    line = np.array([[0.0, 95], [250, 100]])
    tries = [
        Sketch((line, *spot), "house", True, likelihood=-1.5),
        Sketch((house, house[[1, 3]]), "house", True, likelihood=-6.5),
    ]
    monkeypatch.setattr(choosing, "sample", lambda *_, **__: tries)
    seeds = [np.random.SeedSequence(5)]
    assert sample_best(load(tiny), ["house"], seeds, tries=2, temperature=0.5) == tries[1:]


def test_nothing_is_drawn_of_nothing(tiny: Path) -> None:
    assert sample_best(load(tiny), [], [], temperature=0.5) == []


def test_what_is_taken_as_it_comes_needs_no_recogniser(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Recogniser:
        raise CheckpointError("there is none")

    monkeypatch.setattr(choosing, "bundled", missing)
    seeds = [np.random.SeedSequence(5)]
    assert sample_best(load(tiny), ["cat"], seeds, tries=1, temperature=0.5)
    with pytest.raises(CheckpointError, match="there is none"):
        sample_best(load(tiny), ["cat"], seeds, tries=2, temperature=0.5)
