"""From a dataset file to padded batches.

Everything random hangs on (seed, epoch) or (seed, step) alone, so a run that resumes at a step
draws the same batches as one that never stopped, on any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.model import ALTERATIONS, Batch
from vpype_sketchformer.model.features import describe
from vpype_sketchformer.model.sight import SIZE, draw
from vpype_sketchformer.model.transformer import (
    ANY_STROKES,
    BEST_QUALITY,
    ONE_STROKE,
    SEVERAL_STROKES,
    UNKNOWN_QUALITY,
)
from vpype_sketchformer.sketch import DRAW, END, LIFT

#: Drawings are sorted by length within chunks of this many, so that batches pad little.
CHUNK = 8192
#: How often an altered drawing is mirrored, begun with its last stroke, drawn backwards.
FLIPPED = (0.5, 0.25, 0.25)
#: Most that one is turned, radians, and the logarithm of most that one side grows beside the
#: other; each happens to half of them.
MOST_TURNED, MOST_WIDER = 0.35, 0.3


@dataclass(frozen=True)
class Augmentation:
    """What is done to drawings in training.

    Attributes:
        mirror: Share of drawings whose left and right are swapped.
        alter: Share of drawings that are altered, much, and tell how.
        turn: Half of the drawings are turned (radians) and sheared (a share) by up to this.
        stretch: One axis shrinks by up to this share; the longer side stays 255.
        hide_label: Share of drawings whose class is hidden (for guidance).
        tell_strokes: Share of drawings that tell whether they are one stroke.
        tell_quality: Share of drawings whose class is told that tell how good they are. Where
            none of them is marked, all are as good as can be.
        tell_code: Share of drawings that tell their code.
        hide_coded: Share of these whose class is hidden: the code alone has to tell it.
    """

    mirror: float = 0.0
    alter: float = 0.0
    stretch: float = 0.0
    turn: float = 0.0
    hide_label: float = 0.0
    tell_strokes: float = 0.0
    tell_quality: float = 0.0
    tell_code: float = 0.0
    hide_coded: float = 0.0


PLAIN = Augmentation()
CODED = Augmentation(tell_code=1.0)


def offset_scale(dataset: Dataset, indices: NDArray[np.int64]) -> float:
    """Standard deviation of the offsets, both axes together, in pixels."""
    steps = np.diff(dataset.points.astype(np.float32), axis=0)
    inner = np.ones(len(dataset.points), bool)
    inner[dataset.starts[1:] - 1] = False  # the step into the next drawing
    chosen = np.zeros(len(dataset), bool)
    chosen[indices] = True
    inner &= np.repeat(chosen, dataset.lengths)
    return float(steps[inner[:-1]].std())


def epoch_order(
    dataset: Dataset, indices: NDArray[np.int64], balance: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the drawings of one epoch, shuffled.

    Classes come in proportion to n ** balance (1: as they are, 0: all alike). A class that
    is wanted r times its size gives each drawing floor(r) or ceil(r) times. Of mixed datasets
    each has its share.
    """
    labels = dataset.labels[indices]
    sizes = np.bincount(labels, minlength=len(dataset.classes)).astype(np.float64)
    wanted = np.where(sizes > 0, sizes, 1.0) ** (balance - 1.0)
    rates = wanted[labels]
    if dataset.part is not None:
        part = dataset.part[indices]
        weights = np.bincount(part, rates, len(dataset.shares))
        rates *= (np.array(dataset.shares) / np.maximum(weights, 1e-9))[part]
    rates *= len(indices) / rates.sum()
    counts = np.floor(rates + rng.random(len(indices))).astype(np.int64)
    order = np.repeat(indices, counts)
    rng.shuffle(order)
    return order


def cut_batches(
    lengths: NDArray[np.int64], order: NDArray[np.int64], points: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cut drawings into batches of similar length and at most ``points`` padded points."""
    batches: list[NDArray[np.int64]] = []
    for begin in range(0, len(order), CHUNK):
        chunk = order[begin : begin + CHUNK]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        first = 0
        for last in range(1, len(chunk) + 1):
            longest = lengths[chunk[last]] if last < len(chunk) else np.inf
            if longest * (last + 1 - first) > points:
                batches.append(chunk[first:last])
                first = last
    return [batches[i] for i in rng.permutation(len(batches))]


def training_batches(
    dataset: Dataset,
    indices: NDArray[np.int64],
    *,
    points: int,
    balance: float,
    augmentation: Callable[[int], Augmentation],
    seed: int,
    first_step: int = 0,
) -> Iterator[Batch]:
    """Yield batches for ever, beginning with the one of ``first_step``.

    ``augmentation`` says what is done to drawings at a step.
    """
    step, epoch = 0, 0
    while True:
        rng = np.random.default_rng([seed, 0, epoch])
        order = epoch_order(dataset, indices, balance, rng)
        for batch in cut_batches(dataset.lengths, order, points, rng):
            if step >= first_step:
                rng_of_step = np.random.default_rng([seed, 1, step])
                yield make_batch(dataset, batch, augmentation(step), rng_of_step)
            step += 1
        epoch += 1


def evaluation_batches(
    dataset: Dataset,
    indices: NDArray[np.int64],
    points: int,
    seed: int = 0,
    coded: bool = False,
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Yield each drawing once, plain, with its index; with its code where that is wanted."""
    rng = np.random.default_rng([seed, 2])
    order = indices[np.argsort(dataset.lengths[indices], kind="stable")]
    for batch in cut_batches(dataset.lengths, order, points, rng):
        yield batch, make_batch(dataset, batch, CODED if coded else PLAIN, rng)


def make_batch(
    dataset: Dataset,
    indices: NDArray[np.int64],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Batch:
    """Pad, augment and describe drawings.

    Targets are dequantised (uniform noise of one pixel, since coordinates are whole
    pixels); what the network reads is exact.
    """
    lengths = dataset.lengths[indices]
    n, longest = len(indices), int(lengths.max())
    columns = np.arange(longest)
    real = columns < lengths[:, None]  # (n, T)
    gather = np.minimum(dataset.starts[indices][:, None] + columns, len(dataset.pen) - 1)
    positions = dataset.points[gather].astype(np.float32)
    pens = np.where(real, dataset.pen[gather], 0).astype(np.int64)
    if augmentation.mirror:
        turned = rng.random(n) < augmentation.mirror
        widths = np.where(real, positions[..., 0], 0.0).max(axis=1)
        positions[turned, :, 0] = widths[turned, None] - positions[turned, :, 0]
    altered = np.zeros((n, ALTERATIONS), np.float32)
    if augmentation.alter:
        altered = _alterations(rng.random(n) < augmentation.alter, rng)
        positions, pens = _altered(positions, pens, real, altered)
    if augmentation.turn:
        positions = _turned(positions, real, augmentation.turn, rng)
    if augmentation.stretch:
        factors = np.ones((n, 2), np.float32)
        factors[np.arange(n), rng.integers(2, size=n)] -= rng.random(n) * augmentation.stretch
        positions = positions * factors[:, None]
        positions = _fitted(positions, real)
    features, offsets = describe(positions, pens)
    labels = dataset.labels[indices].copy()
    labels[rng.random(n) < augmentation.hide_label] = len(dataset.classes)
    coded, pictures = np.zeros(n, bool), np.zeros((n, 0, 0), np.float32)
    if augmentation.tell_code:
        coded = rng.random(n) < augmentation.tell_code
        labels[coded & (rng.random(n) < augmentation.hide_coded)] = len(dataset.classes)
        pictures = _pictures(positions, pens, real, coded)
    quality = dataset.quality[indices].astype(np.int64)
    if not dataset.quality.any():
        quality[:] = BEST_QUALITY
    hidden = (labels == len(dataset.classes)) | (rng.random(n) >= augmentation.tell_quality)
    quality[hidden] = UNKNOWN_QUALITY
    lifts = (real & (pens != DRAW)).sum(axis=1)
    strokes = np.where(lifts == 1, ONE_STROKE, SEVERAL_STROKES)
    strokes[rng.random(n) >= augmentation.tell_strokes] = ANY_STROKES
    noise = rng.random(offsets.shape, dtype=np.float32) - np.float32(0.5)
    return Batch(
        labels=torch.from_numpy(labels),
        strokes=torch.from_numpy(strokes),
        quality=torch.from_numpy(quality),
        features=torch.from_numpy(features),
        offsets=torch.from_numpy(offsets + noise),
        pens=torch.from_numpy(pens),
        real=torch.from_numpy(real),
        pictures=torch.from_numpy(pictures),
        coded=torch.from_numpy(coded),
        altered=torch.from_numpy(altered),
    )


def _alterations(chosen: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw how those that are chosen are altered, (n, ALTERATIONS).

    Many times as many drawings to learn from, and since each tells how it was altered, what
    is drawn is not (Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based
    Generative Models", appendix F.2).
    """
    flips = rng.random((len(chosen), len(FLIPPED))) < FLIPPED
    amounts = rng.uniform(-1, 1, (len(chosen), ALTERATIONS - len(FLIPPED)))
    amounts *= rng.random(amounts.shape) < 0.5
    return (np.hstack([flips, amounts]) * chosen[:, None]).astype(np.float32)


def _altered(
    positions: NDArray[np.float32],
    pens: NDArray[np.int64],
    real: NDArray[np.bool_],
    altered: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Alter drawings, (n, T, 2) and (n, T), as told, (n, ALTERATIONS)."""
    mirrored, last_first, backwards, turned, wider = altered.T[..., None]
    strokes = np.cumsum(pens != DRAW, axis=1) - (pens != DRAW)
    columns = np.arange(pens.shape[1])
    keys = np.where(last_first, -strokes, strokes) * len(columns) * 2
    keys = keys + np.where(backwards, -columns, columns)
    order = np.argsort(np.where(real, keys, np.inf), axis=1, kind="stable")
    positions = np.take_along_axis(positions, order[..., None], axis=1)
    strokes = np.where(real, np.take_along_axis(strokes, order, axis=1), -1)
    ends = np.append(strokes, np.full((len(pens), 1), -1), axis=1)
    pens = np.where(ends[:, 1:] == ends[:, :-1], DRAW, np.where(ends[:, 1:] < 0, END, LIFT))
    pens = np.where(real, pens, 0)
    sides = np.exp(wider[:, 0] * MOST_WIDER) * (1 - 2 * mirrored[:, 0])
    angle = turned[:, 0] * MOST_TURNED
    return _moved(positions, real, sides, angle, np.zeros_like(angle)), pens


def _pictures(
    positions: NDArray[np.float32],
    pens: NDArray[np.int64],
    real: NDArray[np.bool_],
    coded: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Draw those of some drawings (n, T, 2) whose code is told: ink, (n, SIZE, SIZE)."""
    pictures = np.zeros((len(coded), SIZE, SIZE), np.float32)
    if coded.any():
        rows = real[coded]
        begins = np.ones(rows.shape, bool)
        begins[:, 1:] = pens[coded][:, :-1] != DRAW
        owners = np.repeat(np.arange(len(rows)), rows.sum(axis=1))
        pictures[coded] = draw(positions[coded][rows].astype(float), begins[rows], owners)
    return pictures


def _turned(
    positions: NDArray[np.float32],
    real: NDArray[np.bool_],
    most: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Turn and shear half of the drawings (n, T, 2), back into the frame."""
    n = len(positions)
    angle, shear = rng.uniform(-most, most, (2, n)) * (rng.random(n) < 0.5)
    return _moved(positions, real, np.ones(n), angle, shear)


def _moved(
    positions: NDArray[np.float32],
    real: NDArray[np.bool_],
    wider: NDArray[np.floating],
    angle: NDArray[np.floating],
    shear: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Make drawings (n, T, 2) wider, turn and shear them, (n,), back into the frame."""
    rows_x = np.stack([np.cos(angle) * wider, shear - np.sin(angle)], axis=-1)
    rows_y = np.stack([np.sin(angle) * wider, np.cos(angle)], axis=-1)
    matrices = np.stack([rows_x, rows_y], axis=1).astype(np.float32)  # (n, 2, 2)
    moved = positions @ matrices.swapaxes(1, 2)
    moved -= np.where(real[..., None], moved, np.inf).min(axis=1, keepdims=True)
    return _fitted(moved, real)


def _fitted(positions: NDArray[np.float32], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Scale drawings (n, T, 2) so that the longer side is 255, in whole pixels."""
    extents = np.where(real[..., None], positions, 0.0).max(axis=(1, 2))
    extents = np.maximum(extents, 1.0)  # a lone dot has none
    return np.rint(positions * (255.0 / extents)[:, None, None]).astype(np.float32)
