"""Training: a step of ours against the baseline's, and a compiled one against a plain one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from training.baseline import Baseline
from training.build import build_model, build_optimizers
from training.config import read_config
from training.data import dataset as datasets
from training.data.batches import offset_scale
from training.data.dataset import Dataset
from training.data.readers import read_ndjson
from training.loop import batches_of, rate, train_step, training_indices
from training.model import ALTERATIONS, Batch

from .conftest import Judge, in_turns

ROOT = Path(__file__).parents[2]
BASELINE_SIZE = ("width=384", "heads=6", "layers=6")
#: The baseline padded every drawing to this and left out longer ones; so does this benchmark.
BASELINE_LENGTH = 128
BASELINE_BATCH = 64


@pytest.fixture(scope="module")
def dataset(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real drawings of the tests."""
    drawings = [
        drawing
        for path in sorted(quickdraw.glob("*.ndjson"))
        for drawing in read_ndjson(path)
        if len(drawing.pen) <= BASELINE_LENGTH
    ]
    return datasets.save(drawings, tmp_path_factory.mktemp("data") / "few.safetensors")


def baseline_steps(dataset: Dataset) -> Iterator[int]:
    """Train as the baseline did, yielding the real points of each step.

    float32, 64 drawings of any length padded to the longest allowed, and a loss that is the
    mean over all positions.
    """
    model = Baseline(
        384, 6, 6, 20, len(dataset.classes), offset_scale(dataset, dataset.of("train"))
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    rng = np.random.default_rng(0)
    while True:
        chosen = rng.choice(dataset.of("train"), BASELINE_BATCH, replace=False)
        offsets = np.zeros((BASELINE_BATCH, BASELINE_LENGTH, 2), np.float32)
        pens = np.full((BASELINE_BATCH, BASELINE_LENGTH), 2)
        for row, index in enumerate(chosen.tolist()):
            drawing = dataset.drawing(index)
            n = len(drawing.pen)
            offsets[row, 1:n] = np.diff(drawing.points.astype(np.float32), axis=0)
            pens[row, :n] = drawing.pen
        offset, pen = model.losses(
            Batch(
                labels=torch.from_numpy(dataset.labels[chosen]),
                strokes=torch.zeros(BASELINE_BATCH),
                quality=torch.zeros(BASELINE_BATCH),
                features=torch.zeros(0),
                offsets=torch.from_numpy(offsets),
                pens=torch.from_numpy(pens),
                real=torch.ones(BASELINE_BATCH, BASELINE_LENGTH, dtype=torch.bool),
                pictures=torch.zeros(BASELINE_BATCH, 0, 0),
                coded=torch.zeros(BASELINE_BATCH, dtype=torch.bool),
                altered=torch.zeros(BASELINE_BATCH, ALTERATIONS),
            )
        )
        torch.autograd.backward(offset.mean() + pen.mean())
        optimizer.step()
        optimizer.zero_grad()
        yield int(dataset.lengths[chosen].sum())


def our_steps(dataset: Dataset, changes: tuple[str, ...]) -> Iterator[int]:
    """Train as we do, yielding the real points of each step."""
    config = read_config(ROOT / "training/configs/base.toml", changes)
    indices = training_indices(dataset, config)
    model = build_model(config, len(dataset.classes), offset_scale(dataset, indices))
    if config.compile:
        model.losses = torch.compile(model.losses, dynamic=True)  # type: ignore[method-assign]
    optimizers = build_optimizers(model, config)
    for step, batch in enumerate(batches_of(config, dataset, indices)):
        train_step(model, optimizers, batch, rate(step, config), config)
        yield int(batch.real.sum())


@pytest.mark.parametrize(
    ("changes", "size"),
    [(BASELINE_SIZE, "the baseline's size"), ((), "the shipped model's size")],
)
def test_training_step(
    benchmark: BenchmarkFixture,
    judge: Judge,
    dataset: Dataset,
    changes: tuple[str, ...],
    size: str,
) -> None:
    """Ours goes through at least 3 times as many real points a second, at the same size."""
    steps = our_steps(dataset, changes), baseline_steps(dataset)
    points: tuple[list[int], list[int]] = [], []
    seconds = in_turns(
        benchmark,
        lambda: points[0].append(next(steps[0])),
        lambda: points[1].append(next(steps[1])),
        rounds=3,
    )
    ours, theirs = (sum(n[-len(t) :]) / sum(t) for n, t in zip(points, seconds, strict=True))
    judge(
        f"real points per second in training, at {size}, over the baseline's step",
        ours / theirs,
        "times",
        at_least=3 if changes else None,
        details=f"{ours:.0f} against {theirs:.0f} points per second",
    )


@pytest.mark.skipif(not shutil.which("g++"), reason="nothing that could compile")
def test_compiled_step(benchmark: BenchmarkFixture, judge: Judge, dataset: Dataset) -> None:
    """At the size of the base of the model that ships; one thread."""
    size = ("layers=6", "points=8192") if benchmark.enabled else ("layers=1", "points=1024")
    torch.set_num_threads(1)
    steps = our_steps(dataset, (*size, "compile=true")), our_steps(dataset, size)
    points: tuple[list[int], list[int]] = [], []
    for _ in range(3):  # compiles
        next(steps[0])
    seconds = in_turns(
        benchmark,
        lambda: points[0].append(next(steps[0])),
        lambda: points[1].append(next(steps[1])),
        rounds=5,
    )
    ours, theirs = (sum(n[-len(t) :]) / sum(t) for n, t in zip(points, seconds, strict=True))
    judge(
        "real points per second in training, compiled, over a plain step",
        ours / theirs,
        "times",
        details=f"{ours:.0f} against {theirs:.0f} points per second",
    )
