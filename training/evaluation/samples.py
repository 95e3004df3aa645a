"""How samples compare with real drawings, seen by the judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.data import dataset as datasets
from training.data.dataset import Dataset, Drawing, drawing_from_strokes
from training.evaluation import Figures, metrics
from training.judge import Judge, accuracy, look
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import DRAW, FRAME, Sketch

#: Judge whose features stand for a drawing in the distances.
SIGHT = "raster"
#: Training drawings of each class, at most, that copies are looked for among.
ORIGINALS = 200
#: Share of real drawings that are nearer to one of these than what is called near.
NEAR = 0.05


@dataclass(frozen=True)
class Style:
    """How samples are drawn: options of ``sketchgen``."""

    temperature: float
    guidance: float = 1.0
    best_of: int = 1

    def __str__(self) -> str:
        extras = (("guidance", self.guidance), ("best of", self.best_of))
        return ", ".join(
            [f"t {self.temperature:g}", *(f"{name} {v:g}" for name, v in extras if v != 1)]
        )


@dataclass(frozen=True)
class Seen:
    """Drawings as the judges and the ruler see them.

    Attributes:
        labels: Classes, (n,).
        shapes: Strokes, points, ink and aspect of each, by name, (n,).
        features: What each judge sees, by its name, (n, d).
        answers: Each judge's logits, by its name, (n, classes).
    """

    labels: NDArray[np.int64]
    shapes: Mapping[str, NDArray[np.float64]]
    features: Mapping[str, NDArray[np.float32]]
    answers: Mapping[str, NDArray[np.float32]]

    def recognised(self) -> Figures:
        """How often the judges name the class, first or among the first five."""
        return {
            f"{name} top {k}": accuracy(answers, self.labels, k)
            for name, answers in self.answers.items()
            for k in (1, 5)
        }


def shape(drawing: Drawing) -> tuple[float, float, float, float]:
    """Strokes, points, ink (in frames) and aspect (logarithm of width by height)."""
    points = drawing.points.astype(np.float64)
    steps = np.hypot(*np.diff(points, axis=0).T)
    width, height = np.ptp(points, axis=0) + 1.0
    lifts = (drawing.pen != DRAW).sum()
    ink = steps[drawing.pen[:-1] == DRAW].sum() / FRAME
    return float(lifts), float(len(points)), float(ink), float(np.log(width / height))


def see(dataset: Dataset, indices: NDArray[np.int64], judges: Sequence[Judge]) -> Seen:
    """Look at drawings."""
    shapes = np.array([shape(dataset.drawing(int(index))) for index in indices])
    names = ("strokes", "points", "ink", "aspect")
    looks = {judge.kind: look(judge, dataset, indices) for judge in judges}
    return Seen(
        labels=dataset.labels[indices],
        shapes=dict(zip(names, shapes.T, strict=True)),
        features={kind: features for kind, (features, _) in looks.items()},
        answers={kind: logits for kind, (_, logits) in looks.items()},
    )


def to_drawing(sketch: Sketch) -> Drawing:
    """Put a sketch into Quick, Draw!'s frame: longer side 255, whole pixels."""
    return drawing_from_strokes(sketch.fitted(FRAME).strokes, sketch.label)


def draw(
    checkpoint: Checkpoint, style: Style, per_class: int, seed: int
) -> tuple[Dataset, Figures]:
    """Draw as `sketchgen` does, as many of each class.

    Returns:
        The drawings, and the shares that ended by themselves: at the first try, and with those
        that were drawn again.
    """
    labels = [name for name in checkpoint.classes for _ in range(per_class)]
    seeds = np.random.SeedSequence(seed).spawn(len(labels))
    draw_some = partial(
        sample,
        checkpoint,
        temperature=style.temperature,
        guidance=style.guidance,
        best_of=style.best_of,
    )
    with tqdm(total=len(labels), desc=f"{style}", disable=None, leave=False) as bar:
        sketches = draw_some(labels, seeds, retries=0, progress=bar.update)
    again = [i for i, sketch in enumerate(sketches) if not sketch.finished]
    redrawn = draw_some([labels[i] for i in again], [seeds[i] for i in again])
    for i, sketch in zip(again, redrawn, strict=True):
        sketches[i] = sketch
    drawings = [to_drawing(sketch) for sketch in sketches]
    finished = sum(sketch.finished for sketch in sketches)
    ended = {"ended": 1.0 - len(again) / len(labels), "redrawn": finished / len(labels)}
    return datasets.pack(drawings, checkpoint.classes), ended


def real_drawings(
    dataset: Dataset, per_class: int, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose test drawings, as many of each class, twice, the same at every call."""
    test = np.random.default_rng(0).permutation(dataset.of("test"))
    test = test[dataset.lengths[test] <= longest]
    by_class = [test[dataset.labels[test] == c] for c in range(len(dataset.classes))]
    first = np.concatenate([rows[:per_class] for rows in by_class])
    second = np.concatenate([rows[per_class : 2 * per_class] for rows in by_class])
    return first, second


def references(dataset: Dataset, split: datasets.Split) -> NDArray[np.int64]:
    """Choose drawings of a split, up to ``ORIGINALS`` of a class, the same at every call."""
    chosen = np.random.default_rng(0).permutation(dataset.of(split))
    return chosen[_rank(dataset.labels[chosen]) < ORIGINALS]


def _rank(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Tell how many of its class come before each row, (n,)."""
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    return rank


def compare(seen: Seen, real: Seen, training: Seen, unseen: Seen) -> Figures:
    """Compare drawings with real ones of the same number.

    Args:
        seen: The drawings.
        real: Test drawings.
        training: Training drawings that they may be copies of.
        unseen: Drawings that the model has never seen, other than these test drawings.
    """
    a, b = seen.features[SIGHT], real.features[SIGHT]
    precision, recall = metrics.precision_recall(b, a)
    figures = seen.recognised() | {
        "FID": metrics.frechet(a, b),
        "KID x1000": 1000.0 * metrics.kernel_distance(a, b),
        "precision": precision,
        "recall": recall,
    }
    originals = training.features[SIGHT], training.labels
    distances = metrics.nearest(a, seen.labels, *originals)
    near = np.quantile(metrics.nearest(b, real.labels, *originals), NEAR)
    figures["nearest"] = float(np.median(distances))
    figures["near"] = float((distances < near).mean())
    figures["copying"] = _copying(seen, training, unseen)
    return figures | {
        name: metrics.spread_distance(real.shapes[name], values)
        for name, values in seen.shapes.items()
    }


def _copying(seen: Seen, training: Seen, unseen: Seen) -> float:
    """Tell how many drawings are nearer to training drawings than to as many unseen ones.

    The data-copying test of Meehan, Chaudhuri & Dasgupta 2020, class by class: what is merely
    typical is as near to the ones as to the others.
    """
    classes = 1 + max(seen.labels.max(), training.labels.max(), unseen.labels.max())
    counts = [np.bincount(group.labels, minlength=classes) for group in (training, unseen)]
    fewer = np.minimum(*counts)
    rows = fewer[seen.labels] > 0  # a small class may have been dealt nothing unseen
    distances = []
    for group in (training, unseen):
        chosen = _rank(group.labels) < fewer[group.labels]
        features, labels = group.features[SIGHT][chosen], group.labels[chosen]
        distances.append(
            metrics.nearest(seen.features[SIGHT][rows], seen.labels[rows], features, labels)
        )
    to_training, to_unseen = distances
    return float(np.mean(to_training < to_unseen) + np.mean(to_training == to_unseen) / 2)


def mean_and_spread(runs: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Mean and standard deviation over seeds."""
    table = np.array([list(run.values()) for run in runs])
    names = list(runs[0])
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1 if len(runs) > 1 else 0)
    return (
        dict(zip(names, mean.tolist(), strict=True)),
        dict(zip(names, spread.tolist(), strict=True)),
    )
