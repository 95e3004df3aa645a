"""How well beginnings of drawings are completed.

Drawings are cut after a share of their points and handed to the model as a user would: their
place and size in the frame unknown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training import Refusal
from training.data import dataset as datasets
from training.data.batches import PLAIN, make_batch
from training.data.dataset import Dataset, Drawing, Split
from training.evaluation import Figures
from training.export import from_checkpoint
from training.model import Sketchformer
from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.completion import complete

CUTS = (0.1, 0.3, 0.5)
#: Where strokes in any order and direction are completed as well.
MIXED_CUT = 0.5
#: Classes that completions are drawn from; the largest, so that test drawings abound.
COMPLETED_CLASSES = 50


def rows(
    checkpoint: Checkpoint, dataset: Dataset, split: Split, per_class: int
) -> tuple[int, list[tuple[str, Figures]]]:
    """Complete drawings; returns how many, and a row of the table for each cut.

    The last row is of strokes in any order and direction.

    Raises:
        Refusal: There are no drawings to complete.
    """
    network = from_checkpoint(checkpoint)
    chosen = choose_drawings(dataset, split, per_class, checkpoint.config.context // 2)
    if not len(chosen):
        raise Refusal(f"no class has two {split} drawings of some length to complete.")
    table = []
    for cut in CUTS:
        true, other = rest_likelihood(network, dataset, chosen, cut)
        figures = {"true rest": true, "other's rest": other}
        table.append(
            (f"{cut:.0%} given", figures | completion(checkpoint, dataset, chosen, cut))
        )
    mixed = completion(checkpoint, dataset, chosen, MIXED_CUT, mixed=True)
    table.append((f"{MIXED_CUT:.0%}, strokes mixed", mixed))
    return len(chosen), table


def choose_drawings(
    dataset: Dataset, split: Split, per_class: int, longest: int
) -> NDArray[np.int64]:
    """Choose drawings of the classes that have most of them, the same at every call."""
    held = dataset.of(split)
    held = held[(dataset.lengths[held] <= longest) & (dataset.lengths[held] >= 10)]
    held = np.random.default_rng(0).permutation(held)
    sizes = np.bincount(dataset.labels[held], minlength=len(dataset.classes))
    largest = np.argsort(-sizes, kind="stable")[:COMPLETED_CLASSES]
    largest = largest[sizes[largest] > 1]  # each needs another of its class beside it
    rows = [held[dataset.labels[held] == c][:per_class] for c in largest]
    return np.concatenate([held[:0], *rows])


def cut_point(drawing: Drawing, share: float) -> int:
    """Return how many points a beginning has: a share, at least two places, not all."""
    length = len(drawing.pen)
    moved = np.any(drawing.points != drawing.points[0], axis=1)
    return min(max(int(moved.argmax()) + 1, round(length * share)), length - 1)


@torch.no_grad()
def rest_likelihood(
    model: Sketchformer, dataset: Dataset, indices: NDArray[np.int64], cut: float
) -> tuple[float, float]:
    """Nats per point of the true rest, and of the rest of another drawing of the class."""
    batch = make_batch(dataset, indices, PLAIN, np.random.default_rng(0))
    begins = [cut_point(dataset.drawing(int(index)), cut) for index in indices]
    rest = batch.real & (torch.arange(batch.real.shape[1]) >= torch.tensor(begins)[:, None])
    true = sum((part * rest).sum() for part in model.losses(batch)) / rest.sum()
    mixed = [
        mix(dataset, first, second, cut)
        for first, second in zip(indices, others(dataset, indices), strict=True)
    ]
    swapped = datasets.pack([drawing for drawing, _ in mixed], dataset.classes)
    batch = make_batch(swapped, np.arange(len(swapped)), PLAIN, np.random.default_rng(0))
    begins = [begin for _, begin in mixed]
    rest = batch.real & (torch.arange(batch.real.shape[1]) >= torch.tensor(begins)[:, None])
    other = sum((part * rest).sum() for part in model.losses(batch)) / rest.sum()
    return float(true), float(other)


def others(dataset: Dataset, indices: NDArray[np.int64]) -> list[int]:
    """Pair each drawing with the next of its class."""
    pairs = []
    for index in indices:
        mates = indices[dataset.labels[indices] == dataset.labels[index]]
        pairs.append(int(mates[(int(np.flatnonzero(mates == index)[0]) + 1) % len(mates)]))
    return pairs


def mix(dataset: Dataset, first: int, second: int, cut: float) -> tuple[Drawing, int]:
    """Join one drawing's beginning and another's rest; returns where the rest begins."""
    a, b = dataset.drawing(first), dataset.drawing(second)
    i, j = cut_point(a, cut), cut_point(b, cut)
    points = np.concatenate([a.points[:i], b.points[j:]])
    return Drawing(points, np.concatenate([a.pen[:i], b.pen[j:]]), a.label), i


def completion(
    checkpoint: Checkpoint,
    dataset: Dataset,
    indices: NDArray[np.int64],
    cut: float,
    *,
    mixed: bool = False,
) -> Figures:
    """Complete beginnings as a user's: guess class and size, draw one rest for each."""
    ranks, factors, ended = [], [], []
    for index in tqdm(indices, desc=f"cut at {cut:.0%}", unit="drawing", disable=None):
        drawing = dataset.drawing(int(index))
        begin = cut_point(drawing, cut)
        strokes = replace(
            drawing, points=drawing.points[:begin], pen=drawing.pen[:begin]
        ).strokes
        if mixed:
            rng = np.random.default_rng(int(index))
            strokes = [
                strokes[i][:: rng.choice([-1, 1])] for i in rng.permutation(len(strokes))
            ]
        seeds = [np.random.SeedSequence([0, int(index)])]
        result = complete(
            checkpoint, strokes, seeds, join=True, temperature=DEFAULT_TEMPERATURE
        )
        names = [name for name, _ in result.ranking]
        ranks.append(names.index(drawing.label))
        true = np.ptp(drawing.points.astype(np.float64), axis=0).max()
        factors.append(abs(np.log(result.extent / true)))
        ended.append(result.sketches[0].finished)
    return {
        "class top 1": float(np.mean(np.array(ranks) < 1)),
        "class top 5": float(np.mean(np.array(ranks) < 5)),
        "size factor": float(np.exp(np.median(factors))),
        "ended": float(np.mean(ended)),
    }
