"""How likely real drawings are to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.baseline import Baseline
from training.data.batches import evaluation_batches
from training.data.dataset import Dataset
from training.evaluation import Figures
from training.model import Sketchformer

#: How many of the largest classes have a row of their own, and how many of the worst.
LARGEST, WORST = 40, 5


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of drawings, summed by class.

    Attributes:
        sums: Offset and pen, in nats, and real points, (classes, 3).
        sizes: Drawings of each class in all splits, (classes,).
        names: The classes.
    """

    sums: NDArray[np.float64]
    sizes: NDArray[np.int64]
    names: Sequence[str]

    def mean(self) -> Figures:
        """Nats per point over all points."""
        offset, pen, points = self.sums.sum(axis=0)
        return _figures(offset / points, pen / points, int(points))

    def macro(self, classes: NDArray[np.intp]) -> Figures:
        """Nats per point, the mean of the means of classes."""
        sums = self.sums[classes]
        sums = sums[sums[:, 2] > 0]
        offset, pen = (sums[:, :2] / sums[:, 2:]).mean(axis=0)
        return _figures(offset, pen, int(sums[:, 2].sum()))

    def rows(self) -> list[tuple[str, Figures]]:
        """Rows of the table: all points, all classes, the largest ones, the worst ones."""
        seen = np.flatnonzero(self.sums[:, 2])
        totals = self.sums[seen, :2].sum(axis=1) / self.sums[seen, 2]
        worst = seen[np.argsort(-totals, kind="stable")[:WORST]]
        largest = seen[np.argsort(-self.sizes[seen], kind="stable")[:LARGEST]]
        return [
            ("all points", self.mean()),
            (f"{len(seen)} classes", self.macro(seen)),
            (f"{len(largest)} largest", self.macro(largest)),
            *((self.names[index], self.macro(np.array([index]))) for index in worst),
        ]


def _figures(offset: float, pen: float, points: int) -> Figures:
    return {
        "offset": float(offset),
        "pen": float(pen),
        "total": float(offset + pen),
        "points": points,
    }


@torch.no_grad()
def likelihood(
    network: Sketchformer | Baseline, dataset: Dataset, indices: NDArray[np.int64]
) -> Likelihood:
    """Score whole drawings, their class told: dequantised, over real points only."""
    sums = np.zeros((len(dataset.classes), 3))
    drawings = evaluation_batches(dataset, indices, 16384)
    for rows, batch in tqdm(drawings, desc="likelihood", unit="batch", disable=None):
        parts = (*network.losses(batch), batch.real)
        columns = [part.sum(dim=1).double().numpy() for part in parts]
        np.add.at(sums, dataset.labels[rows], np.stack(columns, axis=1))
    sizes = np.bincount(dataset.labels, minlength=len(dataset.classes))
    return Likelihood(sums, sizes, dataset.classes)
