"""How good drawings are, as a condition; drawings turned; a model made deeper."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click.testing
import numpy as np
import pytest
import torch

from training import export, quality, train
from training.data import dataset as datasets
from training.data.batches import PLAIN, Augmentation, make_batch
from training.data.readers import read_ndjson
from vpype_sketchformer.model import sampling
from vpype_sketchformer.model.checkpoint import load

TINY = Path(__file__).parents[2] / "training/configs/tiny.toml"


@pytest.fixture(scope="module")
def data(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file of real drawings."""
    drawings = [
        drawing
        for name in ("cat", "sun")
        for drawing in islice(read_ndjson(quickdraw / f"{name}.ndjson"), 40)
    ]
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    datasets.save(drawings, path, ["Some drawings, CC BY 4.0"])
    return path


def test_fifths_are_of_each_class_and_the_best_is_the_surest() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [50, 200])
    scores = rng.normal(labels * 10, 1).astype(np.float32)
    scores[:5] = np.nan
    marked = quality.buckets(scores, labels)
    assert (marked[:5] == 0).all()
    for label, count in ((0, 9), (1, 40)):
        mine = (labels == label) & (marked > 0)
        assert np.bincount(marked[mine], minlength=6)[1:].tolist() == [count] * 5
        order = np.argsort(scores[mine])
        assert (np.diff(marked[mine][order].astype(int)) >= 0).all()


def test_training_drawings_are_marked_and_others_are_not(data: Path) -> None:
    marked = data.with_name("marked.safetensors")
    shutil.copy(data, marked)
    said = click.testing.CliRunner().invoke(quality.main, [str(marked), "--passes", "1"])
    assert said.exit_code == 0, said.output
    assert "1 to 5" in said.output
    before, after = datasets.load(data), datasets.load(marked)
    train = after.of("train")
    assert (after.quality[train] > 0).all()
    assert not after.quality[after.of("test")].any()
    np.testing.assert_array_equal(before.points, after.points)
    batch = make_batch(after, train, Augmentation(tell_quality=1.0), np.random.default_rng(0))
    np.testing.assert_array_equal(batch.quality.numpy(), after.quality[train])
    hidden = Augmentation(tell_quality=1.0, hide_label=1.0)
    batch = make_batch(after, train, hidden, np.random.default_rng(0))
    assert not batch.quality.any(), "of what no class is told, no quality is"


def test_training_tells_that_none_is_marked(data: Path, tmp_path: Path) -> None:
    """A model that takes all drawings for good forgets what good ones are."""
    marked = tmp_path / "marked.safetensors"
    dataset = datasets.load(data)
    datasets.write(replace(dataset, quality=np.ones_like(dataset.quality)), marked)
    for path in (data, marked):
        args = [TINY, path, "--out", tmp_path / path.stem, "--set", "steps=1"]
        said = click.testing.CliRunner().invoke(train.main, [str(arg) for arg in args])
        assert said.exit_code == 0, said.output
        assert ("training.quality marks them" in said.output) == (path == data)


def test_turned_drawings_stay_in_the_frame(data: Path) -> None:
    dataset = datasets.load(data)
    indices = np.arange(40)
    plain, turned = (
        make_batch(dataset, indices, augmentation, np.random.default_rng(0))
        for augmentation in (PLAIN, Augmentation(turn=0.1))
    )
    real = plain.real[..., None]
    before, after = (
        torch.where(real, torch.cumsum(torch.round(batch.offsets), dim=1), 0)
        for batch in (plain, turned)
    )
    assert after.min() >= -1
    assert after.max() <= 256
    moved = (before - after).abs().amax(dim=(1, 2)) > 3
    assert 10 < moved.sum() < 30, "about half are turned"


def test_a_deeper_model_begins_as_what_it_was(tiny: Path) -> None:
    shallow = load(tiny)
    deep = export.deepen(shallow, shallow.config.layers + 1)
    labels, seeds = [shallow.classes[0]] * 3, np.random.SeedSequence(1).spawn(3)
    drawn = [sampling.sample(m, labels, seeds, temperature=0.5) for m in (shallow, deep)]
    for before, after in zip(*drawn, strict=True):
        for a, b in zip(before.strokes, after.strokes, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(click.ClickException, match="already"):
        export.deepen(deep, shallow.config.layers)
