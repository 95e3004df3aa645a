"""Whether samples are copies of training drawings.

Each is held against all drawings of its class, those that were trained on and those that were
not, by the way of the pen and by what the raster judge sees. What was not copied is as near to
one lot as to the other, so its nearest is a training drawing as often as these are among all
(after the data-copying test of Meehan, Chaudhuri & Dasgupta 2020); the nearest of a copy
always is. Copies are planted beside the samples, to show that they would be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from training import Refusal
from training.data import dataset as datasets
from training.data.dataset import Dataset, Drawing
from training.evaluation import Figures
from training.judge import Judge, look
from training.report import draw_sheet
from vpype_sketchformer.sketch import DRAW, FRAME, Sketch

#: Points that a drawing's way is compared by.
PLACES = 64
#: Share of real drawings that are nearer to a training drawing than what is called near.
NEAR = 0.05
#: Pairs on a sheet, and side by side.
PAIRS, PAIRS_IN_A_ROW = 24, 4


@dataclass(frozen=True)
class Drawings:
    """Drawings, ready to be compared.

    Attributes:
        dataset: Where they are from.
        indices: Which they are, (n,).
        ways: The pen's way, see ``ways``, (n, 2 PLACES).
        features: What a judge sees, (n, d), or None without one.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    ways: NDArray[np.float32]
    features: NDArray[np.float32] | None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes, (n,)."""
        return self.dataset.labels[self.indices]

    def among(self, chosen: NDArray[np.bool_]) -> Drawings:
        """Take some of them."""
        features = None if self.features is None else self.features[chosen]
        return Drawings(self.dataset, self.indices[chosen], self.ways[chosen], features)


def look_at(dataset: Dataset, indices: NDArray[np.int64], judge: Judge | None) -> Drawings:
    """Look at drawings, by the judge too if there is one."""
    features = look(judge, dataset, indices)[0] if judge else None
    return Drawings(dataset, indices, ways(dataset, indices), features)


def ways(dataset: Dataset, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Follow the pen through drawings: places at equal distances of ink, in drawing order.

    Returns:
        x and y of ``PLACES`` places, the middle of the drawing at the origin, in pixels,
        divided so that the distance of two ways is the mean over the places, (n, 2 PLACES).
    """
    lengths = dataset.lengths[indices]
    first = np.cumsum(lengths) - lengths
    rows = np.repeat(dataset.starts[indices] - first, lengths) + np.arange(lengths.sum())
    points = dataset.points[rows].astype(np.float64)
    low = np.minimum.reduceat(points, first)
    high = np.maximum.reduceat(points, first)
    points -= np.repeat((low + high) / 2, lengths, axis=0)
    steps = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    drawn = np.roll(dataset.pen[rows] == DRAW, 1)
    drawn[first] = False
    # A move without ink is given a hair of length, so that places never fall back.
    length = np.cumsum(np.where(drawn, steps, 0.0) + 1e-6)
    begin, end = length[first], length[first + lengths - 1]
    wanted = begin[:, None] + (end - begin)[:, None] * np.linspace(0.0, 1.0, PLACES)
    places = [np.interp(wanted.ravel(), length, axis) for axis in points.T]
    together = np.stack(places, axis=-1).reshape(len(indices), -1)
    return (together / PLACES).astype(np.float32)


@dataclass(frozen=True)
class Nearest:
    """What of a set of drawings is nearest to each of others.

    Attributes:
        distance: How far it is, (n,).
        which: Its number in the set, (n,).
    """

    distance: NDArray[np.float64]
    which: NDArray[np.int64]


def nearest(
    a: NDArray[np.float32],
    labels: NDArray[np.int64],
    b: NDArray[np.float32],
    b_labels: NDArray[np.int64],
) -> Nearest:
    """Find the nearest of the same class; infinitely far where there is none.

    Distances are sums over the columns (``cityblock``), since a place of a way that falls on
    the one or the other end of a move without ink must not count for all others.

    Args:
        a: Drawings, (n, d).
        labels: Their classes, (n,).
        b: The set, (m, d).
        b_labels: Its classes, (m,).
    """
    distance = np.full(len(a), np.inf)
    which = np.zeros(len(a), np.int64)
    for label in np.unique(labels):
        rows, others = np.flatnonzero(labels == label), np.flatnonzero(b_labels == label)
        if len(others):
            between = cdist(a[rows], b[others], "cityblock")
            which[rows] = others[between.argmin(axis=1)]
            distance[rows] = between.min(axis=1)
    return Nearest(distance, which)


def nearest_way(drawings: Drawings, others: Drawings) -> Nearest:
    """Find the nearest by the pen's way, mirrored ones too, as training mirrors."""
    mirrored = others.ways * np.tile([-1.0, 1.0], PLACES).astype(np.float32)
    found = nearest(
        drawings.ways,
        drawings.labels,
        np.concatenate([others.ways, mirrored]),
        np.tile(others.labels, 2),
    )
    return Nearest(found.distance, found.which % len(others.indices))


@dataclass(frozen=True)
class Originals:
    """What samples may be copies of.

    Attributes:
        training: All training drawings of the classes.
        unseen: All others, but those that samples are compared with.
        usual: How far a real drawing of each class is from the nearest training drawing, the
            median, (classes,).
        near: Share of that which all but ``NEAR`` of real drawings are farther than.
    """

    training: Drawings
    unseen: Drawings
    usual: NDArray[np.float64]
    near: float

    @classmethod
    def among(
        cls,
        dataset: Dataset,
        classes: Sequence[str],
        but: NDArray[np.int64],
        judge: Judge | None,
    ) -> Originals:
        """Look at all drawings of some classes, ``but`` those that are compared.

        Raises:
            Refusal: All of them were trained on.
        """
        wanted = np.isin(dataset.labels, [dataset.classes.index(name) for name in classes])
        trained = dataset.splits == datasets.SPLITS.index("train")
        others = wanted & ~trained
        others[but] = False
        if not others.any():
            raise Refusal("no drawings of these classes that were not trained on.")
        return cls.of(
            look_at(dataset, np.flatnonzero(wanted & trained), judge),
            look_at(dataset, np.flatnonzero(others), judge),
        )

    @classmethod
    def of(cls, training: Drawings, unseen: Drawings) -> Originals:
        """Measure how near unseen drawings are to the training drawings."""
        distance = nearest_way(unseen, training).distance
        classes = len(training.dataset.classes)
        usual = np.full(classes, np.median(distance))
        for label in np.unique(unseen.labels):
            usual[label] = np.median(distance[unseen.labels == label])
        usual = np.maximum(usual, 1.0)
        near = float(np.quantile(distance / usual[unseen.labels], NEAR))
        return cls(training, unseen, usual, near)

    def chance(self, labels: NDArray[np.int64]) -> float:
        """Share of training drawings among all of the classes."""
        classes = len(self.usual)
        trained, unseen = (
            np.bincount(group.labels, minlength=classes)[labels]
            for group in (self.training, self.unseen)
        )
        return float(np.mean(trained / (trained + unseen)))

    def figures(self, drawings: Drawings) -> tuple[Figures, Nearest]:
        """Measure how much drawings look like copies.

        Returns:
            The share whose nearest drawing is one that was trained on, by the pen's way
            ("copying") and by sight, and what chance makes of it; the part of the drawings
            that are copies, by that ("copied"); the share nearer to a training drawing than
            all but ``NEAR`` of real drawings of their class are ("near"), the median distance
            in pixels; and the nearest training drawing of each.
        """
        labels = drawings.labels
        trained = nearest_way(drawings, self.training)
        share = _prefers(trained.distance, nearest_way(drawings, self.unseen).distance)
        chance = self.chance(labels)
        figures: Figures = {"copying": share}
        if drawings.features is not None:
            to_training, to_unseen = (
                nearest(drawings.features, labels, group.features, group.labels).distance
                for group in (self.training, self.unseen)
                if group.features is not None
            )
            figures["by sight"] = _prefers(to_training, to_unseen)
        figures |= {
            "chance": chance,
            "copied": (share - chance) / (1.0 - chance),
            "near": float(np.mean(trained.distance < self.near * self.usual[labels])),
            "distance": float(np.median(trained.distance)),
        }
        return figures, trained

    def some(self, per_class: int) -> NDArray[np.int64]:
        """Choose training drawings, so many of each class, the same at every call."""
        chosen = np.random.default_rng(0).permutation(self.training.indices)
        labels = self.training.dataset.labels[chosen]
        rows = [chosen[labels == label][:per_class] for label in np.unique(labels)]
        return np.concatenate(rows)

    def pairs(
        self, drawings: Drawings, nearest: Nearest
    ) -> list[tuple[float, Sketch, Sketch]]:
        """List drawings with their nearest training drawing, and how near that is."""
        near = nearest.distance / self.usual[drawings.labels]
        originals = self.training.indices[nearest.which]
        return [
            (
                float(near[row]),
                _sketch(drawings.dataset, index),
                _sketch(self.training.dataset, o),
            )
            for row, (index, o) in enumerate(zip(drawings.indices, originals, strict=True))
        ]


def _sketch(dataset: Dataset, index: int) -> Sketch:
    drawing = dataset.drawing(int(index))
    return Sketch(tuple(drawing.strokes), drawing.label)


def draw_pairs(pairs: Sequence[tuple[float, Sketch, Sketch]], path: Path) -> None:
    """Draw the nearest pairs as an SVG: each drawing, and right of it its nearest."""
    nearest = sorted(pairs, key=lambda pair: pair[0])[:PAIRS]
    sketches = [sketch for _, *pair in nearest for sketch in pair]
    draw_sheet(sketches, 2 * PAIRS_IN_A_ROW, path)


def _prefers(to_training: NDArray[np.float64], to_unseen: NDArray[np.float64]) -> float:
    """Share that is nearer to training; what is as near to both counts half."""
    return float(np.mean(to_training < to_unseen) + np.mean(to_training == to_unseen) / 2)


def _noisy(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return points + rng.integers(-1, 2, points.shape)


def _stretched(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return points * np.where(rng.permutation(2), 1.0, 0.95)


def _mirrored(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return points * (-1.0, 1.0)


#: Copies that are planted, and how they are made of training drawings.
PLANTED: Mapping[
    str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]
] = {
    "copies": lambda points, rng: points,
    "... one pixel off": _noisy,
    "... stretched 5 %": _stretched,
    "... mirrored": _mirrored,
}


def plant(dataset: Dataset, indices: NDArray[np.int64], kind: str) -> Dataset:
    """Make copies of training drawings, of one of the kinds of ``PLANTED``."""
    rng = np.random.default_rng(0)
    drawings = []
    for drawing in map(dataset.drawing, indices.tolist()):
        points = PLANTED[kind](drawing.points.astype(np.float64), rng)
        points = points - points.min(axis=0)
        points *= FRAME / max(1.0, points.max())
        drawings.append(Drawing(np.rint(points).astype(np.uint8), drawing.pen, drawing.label))
    return datasets.pack(drawings, dataset.classes)
