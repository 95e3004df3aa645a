r"""Measure a model on held-out test drawings.

Prints one table for people and, as the last line, the same as JSON.

Likelihood: negative log-likelihood in nats per real point, dequantised, in pixels of the
0-255 frame, the class told; the mean over all points, and the mean of the classes' means.

Completion: drawings of 40 and more classes are cut after a share of their points and handed
to the model as a user would: their place and size in the frame unknown. Printed are the
likelihood of the true rest beside that of the rest of another drawing of the class, how
often the class guessed from the beginning is right, how far the estimated size of the
finished drawing is off (median factor), and how many completions come to an end.

Examples:
    The figures of the model card:

        python -m training.evaluate quickdraw data/quickdraw.safetensors

    Quickly, likelihood only:

        python -m training.evaluate quickdraw data/quickdraw.safetensors --completions 0
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training import Refusal
from training import dataset as datasets
from training.batches import PLAIN, evaluation_batches, make_batch
from training.dataset import Dataset, DatasetError, Drawing
from training.export import from_checkpoint
from training.model import Sketchformer
from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.checkpoint import Checkpoint, CheckpointError, find, load
from vpype_sketchformer.completion import complete
from vpype_sketchformer.strokes import DRAW

CUTS = (0.1, 0.3, 0.5)
#: Classes that completions are drawn from; the largest, so that test drawings abound.
COMPLETED_CLASSES = 50
Figures = dict[str, float]


@torch.no_grad()
def likelihood(model: Sketchformer, dataset: Dataset, indices: NDArray[np.int64]) -> Figures:
    """Score whole drawings: nats per point, over all points and macro over the classes."""
    sums = np.zeros((len(dataset.classes), 3))  # offset, pen, points
    drawings = evaluation_batches(dataset, indices, 16384)
    for rows, batch in tqdm(drawings, desc="likelihood", unit="batch", disable=None):
        offset, pen = model.losses(batch)
        columns = [part.sum(dim=1).numpy() for part in (offset, pen, batch.real)]
        np.add.at(sums, dataset.labels[rows], np.stack(columns, axis=1))
    seen = sums[sums[:, 2] > 0]
    macro = (seen[:, :2] / seen[:, 2:]).mean(axis=0)
    offset, pen = sums[:, :2].sum(axis=0) / sums[:, 2].sum()
    return {
        "drawings": len(indices),
        "offset": float(offset),
        "pen": float(pen),
        "total": float(offset + pen),
        "macro offset": float(macro[0]),
        "macro pen": float(macro[1]),
        "macro total": float(macro.sum()),
    }


def choose_drawings(dataset: Dataset, per_class: int, longest: int) -> NDArray[np.int64]:
    """Choose test drawings of the classes that have most of them, the same at every call."""
    test = dataset.of("test")
    test = test[(dataset.lengths[test] <= longest) & (dataset.lengths[test] >= 10)]
    test = np.random.default_rng(0).permutation(test)
    sizes = np.bincount(dataset.labels[test], minlength=len(dataset.classes))
    largest = np.argsort(-sizes, kind="stable")[:COMPLETED_CLASSES]
    return np.concatenate([test[dataset.labels[test] == c][:per_class] for c in largest])


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
    checkpoint: Checkpoint, dataset: Dataset, indices: NDArray[np.int64], cut: float
) -> Figures:
    """Complete beginnings as a user's: guess class and size, draw one rest for each."""
    ranks, factors, ended = [], [], []
    for index in tqdm(indices, desc=f"cut at {cut:.0%}", unit="drawing", disable=None):
        drawing = dataset.drawing(int(index))
        begin = cut_point(drawing, cut)
        lifts = np.flatnonzero(drawing.pen[: begin - 1] != DRAW) + 1
        strokes = np.split(drawing.points[:begin].astype(np.float64), lifts)
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


def show(title: str, rows: Sequence[tuple[str, Figures]]) -> None:
    """Print a table."""
    names = list(rows[0][1])
    click.echo(f"\n{title:16}" + "".join(f"{name:>14}" for name in names))
    for label, figures in rows:
        cells = (
            f"{value:14,d}" if isinstance(value, int) else f"{value:14.3f}"
            for value in figures.values()
        )
        click.echo(f"{label:16}" + "".join(cells))


@click.command(help=inspect.cleandoc(__doc__ or "").replace("\n    ", "\n\b\n    "))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--completions",
    default=4,
    show_default=True,
    help=f"Drawings to complete in each of {COMPLETED_CLASSES} classes.",
)
def main(model: str, data: Path, completions: int) -> None:
    """Evaluate."""
    try:
        checkpoint, dataset = load(find(model)), datasets.load(data)
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if checkpoint.classes != dataset.classes:
        raise Refusal(f"{model} and {data} have different classes.")
    network = from_checkpoint(checkpoint)
    test = dataset.of("test")
    test = test[dataset.lengths[test] <= checkpoint.config.context]
    whole = likelihood(network, dataset, test)
    show("nats per point", [(model, whole)])
    rows = []
    if completions:
        chosen = choose_drawings(dataset, completions, checkpoint.config.context // 2)
        for cut in CUTS:
            true, other = rest_likelihood(network, dataset, chosen, cut)
            figures = {"true rest": true, "other's rest": other}
            figures |= completion(checkpoint, dataset, chosen, cut)
            rows.append((f"{cut:.0%} given", figures))
        show(f"{len(chosen)} completions", rows)
    click.echo(json.dumps({"likelihood": whole, "completion": dict(rows)}))


if __name__ == "__main__":
    main()
