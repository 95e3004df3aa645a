"""How well beginnings of drawings are completed.

Drawings are cut after a share of their points and handed to the model as a user would: their
place and size in the frame unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training import Refusal
from training.data import dataset as datasets
from training.data.batches import PLAIN, make_batch
from training.data.dataset import Dataset, Drawing, Split
from training.evaluation import Figures, samples
from training.export import from_checkpoint
from training.judge import Judge
from training.model import Sketchformer
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.completion import Completion, Stroke, complete
from vpype_sketchformer.sketch import Sketch

CUTS = (0.1, 0.3, 0.5)
#: Where strokes in any order and direction are completed as well.
MIXED_CUT = 0.5
#: Classes that completions are drawn from; the largest, so that test drawings abound.
COMPLETED_CLASSES = 50


def rows(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[Judge],
    split: Split,
    per_class: int,
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
    for cut, mixed in (*((cut, False) for cut in CUTS), (MIXED_CUT, True)):
        rest = {} if mixed else rest_likelihood(network, dataset, chosen, cut)
        begun = begin(dataset, chosen, cut, mixed)
        figures = rest | completion(checkpoint, dataset, chosen, begun, judges)
        table.append((f"{cut:.0%}{', strokes mixed' if mixed else ' given'}", figures))
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
) -> Figures:
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
    return {"true rest": float(true), "other's rest": float(other)}


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


def begin(
    dataset: Dataset, indices: NDArray[np.int64], cut: float, mixed: bool
) -> list[list[Stroke]]:
    """Cut drawings off; ``mixed`` puts what is left of each in any order and direction."""
    begun = []
    for index in indices:
        drawing = dataset.drawing(int(index))
        end = cut_point(drawing, cut)
        strokes = replace(drawing, points=drawing.points[:end], pen=drawing.pen[:end]).strokes
        if mixed:
            rng = np.random.default_rng(int(index))
            strokes = [
                strokes[i][:: rng.choice([-1, 1])] for i in rng.permutation(len(strokes))
            ]
        begun.append(strokes)
    return begun


def completion(
    checkpoint: Checkpoint,
    dataset: Dataset,
    indices: NDArray[np.int64],
    begun: Sequence[Sequence[Stroke]],
    judges: Sequence[Judge],
) -> Figures:
    """Complete beginnings as a user's: guess class and size, draw one rest for each.

    Judges say how often the whole looks like what it was completed as.
    """
    ranks, factors, wholes, ended = [], [], [], []
    for index, strokes in zip(
        tqdm(indices, desc="completing", unit="drawing", disable=None), begun, strict=True
    ):
        drawing = dataset.drawing(int(index))
        seeds = [np.random.SeedSequence([0, int(index)])]
        result = complete(checkpoint, strokes, seeds, join=True)
        names = [name for name, _ in result.ranking]
        ranks.append(names.index(drawing.label))
        true = np.ptp(drawing.points.astype(np.float64), axis=0).max()
        factors.append(abs(np.log(result.extent / true)))
        wholes.append(samples.to_drawing(whole(strokes, result)))
        ended.append(result.sketches[0].finished)
    packed = datasets.pack(wholes, checkpoint.classes)
    seen = samples.see(packed, np.arange(len(packed)), judges)
    return {
        "class top 1": float(np.mean(np.array(ranks) < 1)),
        "class top 5": float(np.mean(np.array(ranks) < 5)),
        "size factor": float(np.exp(np.median(factors))),
        "ended": float(np.mean(ended)),
        **seen.recognised(),
    }


def whole(begun: Sequence[Stroke], result: Completion) -> Sketch:
    """Put a beginning and the first rest together: a stroke that goes on is one."""
    sketch = result.sketches[0]
    rest = list(sketch.strokes)
    strokes = [np.asarray(stroke, np.float64) for stroke in begun]
    if rest and np.array_equal(rest[0][0], strokes[-1][-1]):
        strokes[-1] = np.concatenate([strokes[-1], rest.pop(0)[1:]])
    return replace(sketch, strokes=(*strokes, *rest))
