"""How samples compare with real drawings, seen by the judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from training.data import dataset as datasets
from training.data.dataset import Dataset, Drawing, drawing_from_strokes
from training.evaluation import Figures, metrics
from training.evaluation.conditions import Condition, title
from training.judge import Judge, accuracy, look, named, pictures
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.choosing import sample_best
from vpype_sketchformer.sketch import DRAW, FRAME, Sketch

#: Judge whose features stand for a drawing in the distances.
SIGHT = "raster"
#: Share of real drawings that are nearer to each other than what is called twins.
TWINS = 0.05
#: Pictures in which shapes are compared are so wide and high, and blurred by so many pixels.
RASTER, BLUR = 16, 1.0
#: Classes that are listed as the worst.
WORST = 20
#: Samples of each class, and in all where there are fewer classes.
PER_CLASS, ENOUGH = 8, 2000


@dataclass(frozen=True)
class Plan:
    """What is drawn, and compared with what.

    Attributes:
        classes: Names of the classes.
        per_class: Samples of each.
        seeds: How often all is done.
        split: Side of the real drawings.
    """

    classes: Sequence[str]
    per_class: int
    seeds: int
    split: datasets.Split

    def real_drawings(
        self, dataset: Dataset, longest: int, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose real drawings, as many of each class, twice, the same for a seed."""
        chosen = np.random.default_rng(seed).permutation(dataset.of(self.split))
        chosen = chosen[dataset.lengths[chosen] <= longest]
        labels = [dataset.classes.index(name) for name in self.classes]
        by_class = [chosen[dataset.labels[chosen] == label] for label in labels]
        first = np.concatenate([rows[: self.per_class] for rows in by_class])
        second = np.concatenate(
            [rows[self.per_class : 2 * self.per_class] for rows in by_class]
        )
        return first, second


def enough(dataset: Dataset, split: datasets.Split, classes: Sequence[str]) -> int:
    """Choose how many of each class to compare: the fewer classes, the more, if there are."""
    chosen = dataset.of(split)
    labels = [dataset.classes.index(name) for name in classes]
    sizes = np.bincount(dataset.labels[chosen], minlength=len(dataset.classes))[labels]
    most = int(np.median(sizes)) // 2  # others stand beside them
    return max(PER_CLASS, min(most, -(-ENOUGH // len(classes))))


@dataclass(frozen=True)
class Seen:
    """Drawings as the judges and the ruler see them.

    Attributes:
        labels: Classes, (n,).
        shapes: Strokes, points, ink and aspect of each, by name, (n,).
        features: What each judge sees, by its name, (n, d).
        answers: Each judge's logits, by its name, (n, classes).
        rasters: Small blurred pictures of length 1, (n, d).
    """

    labels: NDArray[np.int64]
    shapes: Mapping[str, NDArray[np.float64]]
    features: Mapping[str, NDArray[np.float32]]
    answers: Mapping[str, NDArray[np.float32]]
    rasters: NDArray[np.float64]

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
        rasters=rasters(dataset, indices),
    )


def rasters(dataset: Dataset, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draw drawings small and blurred, each a vector of length 1, (n, RASTER ** 2)."""
    small = np.empty((len(indices), RASTER, RASTER))
    for row, picture in zip(small, pictures(dataset, indices), strict=True):
        reduced = Image.fromarray(picture).resize((RASTER, RASTER), Image.Resampling.BOX)
        scipy.ndimage.gaussian_filter(np.asarray(reduced, np.float64), BLUR, output=row)
    flat = small.reshape(len(indices), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def to_drawing(sketch: Sketch) -> Drawing:
    """Put a sketch into Quick, Draw!'s frame: longer side 255, whole pixels."""
    return drawing_from_strokes(sketch.fitted(FRAME).strokes, sketch.label)


def draw(
    checkpoint: Checkpoint, condition: Condition, plan: Plan, seed: int
) -> tuple[Dataset, Figures]:
    """Draw as `sketchgen` does, as many of each class.

    Returns:
        The drawings, and the shares that ended by themselves, and that did with those drawn
        again because they had not.
    """
    labels = [name for name in plan.classes for _ in range(plan.per_class)]
    seeds = np.random.SeedSequence(seed).spawn(len(labels))
    options: dict[str, Any] = dict(condition)

    def draw_some(
        labels: Sequence[str], seeds: Sequence[np.random.SeedSequence], **named: Any
    ) -> list[Sketch]:
        return sample_best(checkpoint, labels, seeds, **options, **named)

    with tqdm(total=len(labels), desc=title(condition), disable=None, leave=False) as bar:
        sketches = draw_some(labels, seeds, retries=0, progress=bar.update)
    again = [i for i, sketch in enumerate(sketches) if not sketch.finished]
    redrawn = draw_some([labels[i] for i in again], [seeds[i] for i in again])
    for i, sketch in zip(again, redrawn, strict=True):
        sketches[i] = sketch
    drawings = [to_drawing(sketch) for sketch in sketches]
    finished = sum(sketch.finished for sketch in sketches)
    ended = {"ended": 1.0 - len(again) / len(labels), "redrawn": finished / len(labels)}
    return datasets.pack(drawings, checkpoint.classes), ended


def compare(seen: Seen, real: Seen) -> Figures:
    """Compare drawings with real ones of the same number."""
    figures = seen.recognised() | variety(seen, real)
    for kind in seen.features:
        figures |= _distances(kind, seen.features[kind], real.features[kind])
    return figures | {
        name: metrics.spread_distance(real.shapes[name], values)
        for name, values in seen.shapes.items()
    }


def _distances(kind: str, seen: NDArray[np.float32], real: NDArray[np.float32]) -> Figures:
    """Compare what a judge sees; too few drawings have no Fréchet distance."""
    precision, recall = metrics.precision_recall(real, seen)
    figures = {
        f"{kind} KID x1000": 1000.0 * metrics.kernel_distance(seen, real),
        f"{kind} precision": precision,
        f"{kind} density": metrics.density(real, seen),
        f"{kind} recall": recall,
    }
    if min(len(seen), len(real)) >= metrics.FEWEST * seen.shape[1]:
        figures[f"{kind} FID"] = metrics.frechet(seen, real)
    return figures


def variety(seen: Seen, real: Seen) -> Figures:
    """Compare how much drawings of a class differ with how much real ones do.

    Returns:
        The spread within a class of a judge's features, and of shapes, real = 1, and the share
        of twins: drawings nearer to another one of their class than all but ``TWINS`` of as
        many real drawings are.
    """
    a, b = seen.features[SIGHT], real.features[SIGHT]
    close = np.quantile(metrics.nearest_other(b, real.labels), TWINS)
    return {
        "variety": metrics.spread(a, seen.labels) / metrics.spread(b, real.labels),
        "of shapes": metrics.apart(seen.rasters, seen.labels)
        / metrics.apart(real.rasters, real.labels),
        "twins": float((metrics.nearest_other(a, seen.labels) < close).mean()),
    }


def worst_classes(
    seen: Sequence[Seen], real: Sequence[Seen], classes: Sequence[str]
) -> list[tuple[str, Figures]]:
    """List the classes that the raster judge recognises least, measured by the real ones."""
    (hits, counts), (real_hits, real_counts) = (_hits(group) for group in (seen, real))
    known = np.flatnonzero((counts > 0) & (real_hits > 0))
    drawn, true = hits[known] / counts[known], real_hits[known] / real_counts[known]
    order = np.argsort(drawn / true, kind="stable")[:WORST]
    return [
        (
            classes[known[i]],
            {"samples": float(drawn[i]), "real": float(true[i]), "share": drawn[i] / true[i]},
        )
        for i in order
    ]


def _hits(group: Sequence[Seen]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Count by class how many the raster judge names, and how many there are."""
    labels = np.concatenate([seen.labels for seen in group])
    right = np.concatenate([named(seen.answers[SIGHT], seen.labels, 1) for seen in group])
    classes = group[0].answers[SIGHT].shape[1]
    hits = np.bincount(labels[right], minlength=classes)
    return hits.astype(np.float64), np.bincount(labels, minlength=classes).astype(np.int64)


def mean_and_spread(runs: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Mean and standard deviation over seeds."""
    table = np.array([list(run.values()) for run in runs])
    names = list(runs[0])
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1 if len(runs) > 1 else 0)
    return (
        dict(zip(names, mean.tolist(), strict=True)),
        dict(zip(names, spread.tolist(), strict=True)),
    )
