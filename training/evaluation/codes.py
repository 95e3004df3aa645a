"""What codes tell: how well drawings are drawn again, varied, and turned into one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.encoder import Encoder
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import DRAW, Sketch

Codes = NDArray[np.float32]
Rows = list[tuple[str, Figures]]

#: How freely what codes tell is drawn: calm lines, and the likely way.
TEMPERATURE, STRUCTURE = 0.3, 0.5
#: Drawings of its class, the source among them, that a re-drawing is held against.
AMONG = 100
#: By how much variations are moved, how many are made of each drawing.
AMOUNT, VARIATIONS = 0.5, 8
#: In-betweens, both ends among them, and pairs of drawings.
STEPS, PAIRS = 8, 100
#: A number of a code is in use where it varies more than this (Burda et al. 2016).
IN_USE = 0.01
#: Drawings that are sampled at a time.
ROWS = 128


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
    encoder = Encoder.of(checkpoint)
    if encoder is None:
        raise Refusal("this model has no encoder: see training.encoder.")
    plan = Plan(dataset.classes, per_class, 1, split)
    sources, _ = plan.real_drawings(dataset, checkpoint.config.context, 0)
    if len(sources) < 2:
        raise Refusal(f"too few {split} drawings to measure codes with.")
    codes = encode(encoder, dataset, sources)
    return [
        *likelihoods(checkpoint, dataset, split, codes),
        ("other order, place and size", moved(encoder, dataset, sources, codes)),
        *redrawn(checkpoint, dataset, judges, sources, codes),
        *varied(checkpoint, encoder, dataset, judges, sources, codes, per_class),
        *between(checkpoint, dataset, judges, sources, codes),
    ]


def strokes_of(dataset: Dataset, index: int) -> list[NDArray[np.float64]]:
    """Return the strokes of a drawing, (n, 2) each."""
    drawing = dataset.drawing(int(index))
    lifts = np.flatnonzero(drawing.pen[:-1] != DRAW) + 1
    return np.split(drawing.points.astype(np.float64), lifts)


def encode(encoder: Encoder, dataset: Dataset, indices: NDArray[np.int64]) -> Codes:
    """Read the codes of drawings, (n, code)."""
    return encoder.encode([strokes_of(dataset, index) for index in indices])


@torch.no_grad()
def likelihoods(checkpoint: Checkpoint, dataset: Dataset, split: Split, codes: Codes) -> Rows:
    """Nats per point of a split's drawings, class told, without their code and with it."""
    network = from_checkpoint(checkpoint)
    held = dataset.of(split)
    held = held[dataset.lengths[held] <= checkpoint.config.context]
    sums = np.zeros(4)
    drawings = evaluation_batches(dataset, held, 16384, coded=True)
    for _, batch in tqdm(drawings, desc="codes", unit="batch", disable=None):
        told = network.read_codes(batch)
        assert told is not None
        nats = network.prior.divergence(told[:, :-1], network.encoder.log_spread, batch.labels)
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
        strokes = strokes_of(dataset, index)
        order = rng.permutation(len(strokes))
        factor, way = rng.uniform(0.2, 5), rng.uniform(-500, 500, 2)
        changed.append([strokes[i][:: rng.choice([1, -1])] * factor + way for i in order])
    away = np.linalg.norm(encoder.encode(changed) - codes, axis=1)
    other = metrics.nearest_other(codes, dataset.labels[sources])
    return {"moved by": float(away.max()), "nearest other": float(np.median(other))}


def draw(
    checkpoint: Checkpoint, labels: Sequence[str | None], codes: Codes, seed: int
) -> list[Sketch]:
    """Draw what codes tell, one sketch each."""
    seeds = np.random.SeedSequence(seed).spawn(len(labels))
    sketches: list[Sketch] = []
    for first in tqdm(range(0, len(labels), ROWS), desc="codes", disable=None, leave=False):
        part = slice(first, first + ROWS)
        sketches += sample(
            checkpoint,
            labels[part],
            seeds[part],
            temperature=TEMPERATURE,
            structure_temperature=STRUCTURE,
            codes=codes[part],
        )
    return sketches


def pack(sketches: Sequence[Sketch], labels: Sequence[str], classes: Sequence[str]) -> Dataset:
    """Make a dataset of sketches, their classes told."""
    drawings = [
        to_drawing(Sketch(s.strokes, n)) for s, n in zip(sketches, labels, strict=True)
    ]
    return datasets.pack(drawings, classes)


def names_of(dataset: Dataset, indices: NDArray[np.int64]) -> list[str]:
    """Return the names of the classes of drawings."""
    return [dataset.classes[label] for label in dataset.labels[indices]]


def redrawn(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
    codes: Codes,
) -> Rows:
    """Tell how often a re-drawing is nearest to its source, of ``AMONG`` of the class."""
    labels = names_of(dataset, sources)
    again = pack(draw(checkpoint, labels, codes, 1), labels, dataset.classes)
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
    encoder: Encoder,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
    codes: Codes,
    per_class: int,
) -> Rows:
    """Variations of one drawing of each class, beside as many real ones of the class."""
    rng = np.random.default_rng(0)
    chosen = np.arange(0, len(sources), per_class)
    plan = Plan(dataset.classes, VARIATIONS, 1, "train")
    others, _ = plan.real_drawings(dataset, checkpoint.config.context, 0)
    real = see(dataset, others, judges)
    table = []
    for amount in (0.0, AMOUNT, 1.0):
        labels, moved_codes = [], []
        for i in chosen:
            name = dataset.classes[dataset.labels[sources[i]]]
            labels += [name] * VARIATIONS
            moved_codes.append(encoder.vary(codes[i], name, amount, rng, VARIATIONS))
        sketches = draw(checkpoint, labels, np.concatenate(moved_codes), 2)
        made = pack(sketches, labels, dataset.classes)
        seen = see(made, np.arange(len(made)), judges)
        table.append((f"variations, {amount:g}", seen.recognised() | variety(seen, real)))
    table.append(("real, others", real.recognised() | variety(real, real)))
    return table


def between(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    sources: NDArray[np.int64],
    codes: Codes,
) -> Rows:
    """Draw what lies between the codes of two drawings, straight from one to the other."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(len(sources))[: len(sources) // 2 * 2].reshape(-1, 2)[:PAIRS]
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    ways = np.concatenate([codes[a] + shares * (codes[b] - codes[a]) for a, b in pairs])
    sketches = draw(checkpoint, [None] * len(ways), ways, 3)
    ends = np.repeat(dataset.labels[sources[pairs]], STEPS, axis=0)  # (pairs * steps, 2)
    one_end = [dataset.classes[label] for label in ends[:, 0]]
    seen = see(pack(sketches, one_end, dataset.classes), np.arange(len(ways)), judges)
    answers = seen.answers[SIGHT]
    either = named(answers, ends[:, 0], 1) | named(answers, ends[:, 1], 1)
    lengths = []
    for way in np.split(seen.rasters, len(pairs)):
        steps = [float(np.linalg.norm(a - b)) for a, b in pairwise(way)]
        lengths.append(max(steps) / max(min(steps), 1e-9))
    figures = {
        "an end is seen": float(either.mean()),
        "in the middle": float(either.reshape(-1, STEPS)[:, 3:5].mean()),
        "longest by shortest step": float(np.median(lengths)),
    }
    return [(f"{STEPS} steps, {len(pairs)} pairs", figures)]
