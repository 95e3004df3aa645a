"""What codes tell: how well drawings are drawn again, varied, and turned into one another.

Re-drawings and variations are those of `sketchvary`, in-betweens those of `sketchmorph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from tqdm import tqdm

from training import Refusal
from training.data import dataset as datasets
from training.data.batches import evaluation_batches
from training.data.dataset import Dataset, Split
from training.evaluation import Figures, metrics
from training.evaluation.samples import SIGHT, Plan, see, to_drawing, variety
from training.export import from_checkpoint
from training.judge import Judge, named
from vpype_sketchformer import (
    CALM_GUIDANCE,
    CALM_STRUCTURE_TEMPERATURE,
    CALM_TEMPERATURE,
    CALM_TRIES,
    DEFAULT_AMOUNT,
    MORPH_GUIDANCE,
)
from vpype_sketchformer.model import varying
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError
from vpype_sketchformer.model.encoder import Encoder
from vpype_sketchformer.sketch import Sketch

Codes = NDArray[np.float32]
Rows = list[tuple[str, Figures]]

#: How freely what codes tell is drawn, and how often.
CALM: dict[str, Any] = {
    "temperature": CALM_TEMPERATURE,
    "structure_temperature": CALM_STRUCTURE_TEMPERATURE,
    "tries": CALM_TRIES,
}
#: Drawings of its class, the source among them, that a re-drawing is held against.
AMONG = 100
#: How many variations are made of each drawing.
VARIATIONS = 8
#: In-betweens, both ends among them, and pairs of drawings.
STEPS, PAIRS = 8, 40
#: A number of a code is in use where it varies more than this (Burda et al. 2016).
IN_USE = 0.01


def rows(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    split: Split,
    per_class: int,
) -> Rows:
    """Measure an encoder on held-out drawings.

    Raises:
        Refusal: The model has none, or there is nothing to measure with.
    """
    try:
        encoder = varying.encoder_of(checkpoint)
    except CheckpointError as error:
        raise Refusal(f"{error} See training.encoder.") from error
    plan = Plan(dataset.classes, per_class, 1, split)
    sources, _ = plan.real_drawings(dataset, checkpoint.config.context, 0)
    if len(sources) < 2:
        raise Refusal(f"too few {split} drawings to measure codes with.")
    codes = encoder.encode([dataset.drawing(int(i)).strokes for i in sources])
    return [
        *likelihoods(checkpoint, dataset, split, codes),
        ("other order, place and size", moved(encoder, dataset, sources, codes)),
        *redrawn(checkpoint, dataset, judges, sources),
        *varied(checkpoint, dataset, judges, sources[::per_class]),
        *between(checkpoint, dataset, judges, sources),
    ]


@torch.no_grad()
def likelihoods(checkpoint: Checkpoint, dataset: Dataset, split: Split, codes: Codes) -> Rows:
    """Nats per point of a split's drawings, class told, without their code and with it."""
    network = from_checkpoint(checkpoint)
    held = dataset.of(split)
    held = held[dataset.lengths[held] <= checkpoint.config.context]
    sums = np.zeros(4)
    drawings = evaluation_batches(dataset, held, 16384, coded=True)
    for _, batch in tqdm(drawings, desc="codes", unit="batch", disable=None):
        told, nats = network.read_codes(batch)
        assert told is not None
        without, with_code = (
            float(sum(part.sum() for part in network.losses(batch, known)))
            for known in (None, told)
        )
        sums += [without, with_code, float(nats.sum()), float(batch.real.sum())]
    without, with_code = sums[:2] / sums[3]
    figures = {
        "without": without,
        "with": with_code,
        "gained": without - with_code,
        "nats of a code": sums[2] / len(held),
        "in use": float((codes.var(axis=0) > IN_USE).mean()),
    }
    return [("nats per point", figures)]


def moved(
    encoder: Encoder, dataset: Dataset, sources: NDArray[np.int64], codes: Codes
) -> Figures:
    """How far a code moves where the drawing is the same, against another of its class."""
    rng = np.random.default_rng(0)
    changed = []
    for index in sources:
        strokes = dataset.drawing(int(index)).strokes
        order = rng.permutation(len(strokes))
        factor, way = rng.uniform(0.2, 5), rng.uniform(-500, 500, 2)
        changed.append([strokes[i][:: rng.choice([1, -1])] * factor + way for i in order])
    away = np.linalg.norm(encoder.encode(changed) - codes, axis=1)
    other = metrics.nearest_other(codes, dataset.labels[sources])
    return {"moved by": float(away.max()), "nearest other": float(np.median(other))}


def vary(
    checkpoint: Checkpoint,
    dataset: Dataset,
    sources: NDArray[np.int64],
    amount: float,
    count: int,
) -> tuple[list[Sketch], list[str]]:
    """Draw so many variations of each drawing; returns them, and their classes."""
    sketches: list[Sketch] = []
    labels = []
    seeds = np.random.SeedSequence(1).spawn(len(sources))
    for index, seed in zip(tqdm(sources, desc="variations", disable=None), seeds, strict=True):
        drawing = dataset.drawing(int(index))
        seen = varying.see(checkpoint, drawing.strokes, drawing.label)
        sketches += varying.vary(
            checkpoint, seen, amount, seed.spawn(count), guidance=CALM_GUIDANCE, **CALM
        )
        labels += [drawing.label] * count
    return sketches, labels


def pack(sketches: Sequence[Sketch], labels: Sequence[str], classes: Sequence[str]) -> Dataset:
    """Make a dataset of sketches, their classes told."""
    drawings = [
        to_drawing(Sketch(s.strokes, n)) for s, n in zip(sketches, labels, strict=True)
    ]
    return datasets.pack(drawings, classes)


def redrawn(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
) -> Rows:
    """Tell how often a re-drawing is nearest to its source, of ``AMONG`` of the class."""
    again = pack(*vary(checkpoint, dataset, sources, 0.0, 1), dataset.classes)
    rng = np.random.default_rng(0)
    nearest = {"by sight": 0, "by shape": 0}
    drawn = see(again, np.arange(len(again)), judges)
    for label in np.unique(dataset.labels[sources]):
        mine = np.flatnonzero(dataset.labels[sources] == label)
        others = np.setdiff1d(np.flatnonzero(dataset.labels == label), sources[mine])
        others = rng.permutation(others)[: AMONG - 1]
        real = see(dataset, np.concatenate([sources[mine], others]), judges[:1])
        for name, ours, theirs in (
            ("by sight", drawn.features[SIGHT], real.features[SIGHT]),
            ("by shape", drawn.rasters, real.rasters),
        ):
            for i, row in enumerate(mine):
                among = [i, *range(len(mine), len(theirs))]
                distances = cdist(ours[row : row + 1], theirs[among])[0]
                nearest[name] += int(distances.argmin() == 0)
    count = len(sources)
    shares = {f"source first {name}": hits / count for name, hits in nearest.items()}
    real = see(dataset, sources, judges)
    return [
        ("re-drawn", shares | drawn.recognised()),
        ("real", dict.fromkeys(shares, 1.0) | real.recognised()),
    ]


def varied(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
) -> Rows:
    """Compare variations of a drawing of each class with as many real ones of the class."""
    made = pack(
        *vary(checkpoint, dataset, sources, DEFAULT_AMOUNT, VARIATIONS), dataset.classes
    )
    plan = Plan(dataset.classes, VARIATIONS, 1, "train")
    chosen, _ = plan.real_drawings(dataset, checkpoint.config.context, 0)
    real = see(dataset, chosen, judges)
    seen = see(made, np.arange(len(made)), judges)
    return [
        (f"variations, {DEFAULT_AMOUNT:g}", seen.recognised() | variety(seen, real)),
        ("real, others", real.recognised() | variety(real, real)),
    ]


def between(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
) -> Rows:
    """Turn drawings into one another."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(sources)[: len(sources) // 2 * 2].reshape(-1, 2)[:PAIRS]
    either, ratios = [], []
    for pair in tqdm(pairs, desc="in-betweens", disable=None):
        first, last = (dataset.drawing(int(index)) for index in pair)
        a, b = (varying.see(checkpoint, d.strokes, d.label) for d in (first, last))
        seed = np.random.SeedSequence(int(pair[0]))
        steps = varying.morph(checkpoint, (a, b), STEPS, seed, guidance=MORPH_GUIDANCE, **CALM)
        way = [Sketch(tuple(first.strokes)), *steps, Sketch(tuple(last.strokes))]
        labels = [first.label] * len(way)
        seen = see(pack(way, labels, dataset.classes), np.arange(len(way)), judges)
        answers = seen.answers[SIGHT][1:-1]
        ends = (np.full(len(answers), label) for label in dataset.labels[pair])
        either.append(np.any([named(answers, end, 1) for end in ends], axis=0))
        lengths = [float(np.linalg.norm(x - y)) for x, y in pairwise(seen.rasters)]
        ratios.append(max(lengths) / max(min(lengths), 1e-9))
    figures = {
        "an end is seen": float(np.mean(either)),
        "longest by shortest step": float(np.median(ratios)),
        "at most": float(np.max(ratios)),
    }
    return [(f"{STEPS} steps, {len(pairs)} pairs", figures)]
