"""From the network's output to drawings.

A batch of sketches grows point by point; finished ones leave it. Every sketch has a random
generator of its own, so one seed gives one drawing, whatever the batch it is drawn in.

Temperature is that of sketch-rnn (Ha & Eck 2017, section 3.2): the mixture's logits are
divided by it and the standard deviations multiplied by its square root. The pen has one of
its own: the end of a sketch is a rare event at every point, and sharpening it away leaves
sketches that never end.

Guidance (Ho & Salimans 2022) leans on what makes the class different from drawings at large:
p(x | class) * (p(x | class) / p(x)) ** (guidance - 1). For the offset, whose mixture has no
closed form under this, a few candidates are drawn and one is chosen by the ratio
(sampling, importance resampling: Rubin 1987); for the pen it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.checkpoint import Checkpoint
from vpype_sketchformer.strokes import DRAW, END, LIFT, Sketch
from vpype_sketchformer.transformer import (
    ANY_STROKES,
    ONE_STROKE,
    Cache,
    Mixture,
    Transformer,
    point_features,
)

#: Rows drawn at a time; more are drawn in turns, so that memory stays bounded.
MAX_ROWS = 256
#: Products of fewer rows take another path through BLAS and round differently.
MIN_ROWS = 8
#: Offsets that guidance chooses from.
CANDIDATES = 8
#: Random numbers per point: three per candidate, one to choose it, one for the pen.
NUMBERS = 3 * CANDIDATES + 2


@dataclass(frozen=True)
class _Task:
    """One candidate drawing to make."""

    sketch: int
    label: int
    generator: np.random.Generator


def sample(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    temperature: float,
    pen_temperature: float = 1.0,
    guidance: float = 1.0,
    best_of: int = 1,
    one_line: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Sketch]:
    """Draw sketches.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from.
        temperature: How freely lines are drawn, above 0; 1 is as people drew.
        pen_temperature: The same for lifting the pen and ending.
        guidance: How much to insist on the class; 1 is not at all.
        best_of: Draw this many of each and keep the one that most looks like its class by
            the model's own measure: the largest log p(drawing | class) - log p(drawing).
            Drawings that did not end come last.
        one_line: Never lift the pen.
        progress: Called with the number of sketches that have just been finished.

    Returns:
        One sketch for each label.
    """
    tasks = [
        _Task(i, checkpoint.classes.index(label), _generator(seed, k))
        for i, (label, seed) in enumerate(zip(labels, seeds, strict=True))
        for k in range(best_of)
    ]
    network = Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)
    style = _Style(temperature, pen_temperature, guidance, one_line, scored=best_of > 1)
    best: list[tuple[bool, float, Sketch] | None] = [None] * len(labels)
    left = [best_of] * len(labels)
    rows = MAX_ROWS // style.streams
    for begin in range(0, len(tasks), rows):
        for task, score, points in _draw(network, tasks[begin : begin + rows], style):
            i = task.sketch
            sketch = Sketch.from_stroke3(points, 1.0, labels[i])
            rival = best[i]
            if rival is None or (sketch.finished, score) > rival[:2]:
                best[i] = (sketch.finished, score, sketch)
            left[i] -= 1
            if progress is not None and not left[i]:
                progress(1)
    return [entry[2] for entry in best if entry is not None]


def _generator(seed: np.random.SeedSequence, candidate: int) -> np.random.Generator:
    key = (*seed.spawn_key, candidate)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


@dataclass(frozen=True)
class _Style:
    """How to draw: the options of ``sample``."""

    temperature: float
    pen_temperature: float
    guidance: float
    one_line: bool
    scored: bool

    @property
    def streams(self) -> int:
        """Rows of the network per drawing: with the class, and without where it is needed."""
        return 2 if self.scored or self.guidance != 1.0 else 1


def _draw(
    network: Transformer, tasks: Sequence[_Task], style: _Style
) -> Iterator[tuple[_Task, float, NDArray[np.float64]]]:
    """Draw a batch.

    Yields:
        Each task when its drawing is finished, its score, and its points: offsets in pixels
        and pen, (n, 3).
    """
    context = network.config.context
    n = max(len(tasks), MIN_ROWS)
    row_tasks = np.minimum(np.arange(n), len(tasks) - 1)  # spare rows copy the last task
    alive = np.arange(n) < len(tasks)
    generators = [tasks[i].generator for i in row_tasks]
    labels = np.array([tasks[i].label for i in row_tasks])
    history = np.zeros((n, context, 3))
    position, begin, scores = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros(n)

    conditions = _conditions(labels, network, style)
    strokes = np.full(len(conditions), ONE_STROKE if style.one_line else ANY_STROKES)
    x = network.embed_start(conditions, strokes)[:, None]
    cache = Cache(network.config, len(conditions))
    for step in range(context):
        stream = network.forward(x, cache)[:, 0]
        numbers = np.array(
            [
                generator.random(NUMBERS) if lives else np.zeros(NUMBERS)
                for generator, lives in zip(generators, alive, strict=True)
            ]
        )
        offset, gain = _choose_offset(network, stream, numbers, style)
        target = np.rint(position + offset)  # the model knows whole pixels only
        offset, position = target - position, target
        fresh = (history[:, step - 1, 2] != DRAW) if step else np.ones(n, bool)
        begin = np.where(fresh[:, None], position, begin)
        features = point_features(offset, position, begin)
        pen, pen_gain = _choose_pen(network, stream, features, numbers[:, -1], fresh, style)
        scores += gain + pen_gain
        history[:, step, :2] = offset
        history[:, step, 2] = pen

        done = alive & ((pen == END) | (step == context - 1))
        for row in np.flatnonzero(done):
            yield tasks[row_tasks[row]], float(scores[row]), history[row, : step + 1]
        alive &= ~done
        if not alive.any():
            return
        # Leaving costs a copy of the cache, so finished rows leave in groups.
        if max(alive.sum(), MIN_ROWS) <= 0.75 * len(alive):
            keep = np.argsort(~alive, kind="stable")[: max(alive.sum(), MIN_ROWS)]
            parts = np.concatenate([keep + s * len(alive) for s in range(style.streams)])
            cache.keep(parts)
            generators = [generators[i] for i in keep]
            alive, row_tasks, labels = alive[keep], row_tasks[keep], labels[keep]
            history, position, begin = history[keep], position[keep], begin[keep]
            scores, features, pen = scores[keep], features[keep], pen[keep]
            n = len(keep)
            conditions = conditions[parts]
        x = network.embed_points(
            conditions,
            np.tile(features, (style.streams, 1))[:, None],
            np.tile(pen, style.streams)[:, None],
        )


def _conditions(
    labels: NDArray[np.intp], network: Transformer, style: _Style
) -> NDArray[np.intp]:
    """Classes for every row of the network: with the class first, then without."""
    null = network.weights["start.weight"].shape[0] - 1
    return np.concatenate([labels, np.full_like(labels, null)])[: len(labels) * style.streams]


def _choose_offset(
    network: Transformer,
    stream: NDArray[np.float32],
    numbers: NDArray[np.float64],
    style: _Style,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Choose the next offsets.

    Args:
        network: The model.
        stream: What the rows know, (streams n, width).
        numbers: Random numbers, (n, NUMBERS).
        style: How to draw.

    Returns:
        Offsets in pixels, (n, 2), and by how many nats the class speaks for them, (n,).
    """
    n = len(numbers)
    scale = network.scale
    mixture = network.mixture(stream)
    guided = style.guidance != 1.0
    count = CANDIDATES if guided else 1
    draws = numbers[:, : 3 * count].reshape(n, count, 3)
    offsets = draw_offsets(mixture.rows(slice(0, n)), draws, style.temperature)  # (n, m, 2)
    if style.streams == 1:
        return offsets[:, 0] * scale, np.zeros(n)
    with_class = mixture.rows(slice(0, n)).log_density(offsets)
    gain = with_class - mixture.rows(slice(n, 2 * n)).log_density(offsets)  # (n, m)
    chosen = np.zeros(n, np.intp)
    if guided:
        chosen = _categorical((style.guidance - 1.0) * gain, numbers[:, -2])
    rows = np.arange(n)
    return offsets[rows, chosen] * scale, gain[rows, chosen]


def draw_offsets(
    mixture: Mixture, numbers: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Draw offsets from mixtures.

    Args:
        mixture: One mixture per row, n rows.
        numbers: Uniform random numbers, (n, m, 3).
        temperature: Divides the logits; its root multiplies the deviations.

    Returns:
        Offsets in model units, (n, m, 2).
    """
    n, m, _ = numbers.shape
    logits = np.repeat(mixture.logits.astype(np.float64) / temperature, m, axis=0)
    chosen = _categorical(logits, numbers[..., 0].ravel()).reshape(n, m)
    rows = np.arange(n)[:, None]
    # Box & Muller 1958: two normal numbers from two uniform ones.
    radius = np.sqrt(-2.0 * np.log1p(-numbers[..., 1]) * temperature)
    angle = 2.0 * np.pi * numbers[..., 2]
    u, v = radius * np.cos(angle), radius * np.sin(angle)
    scales = np.exp(mixture.log_scales[rows, chosen].astype(np.float64))  # (n, m, 2)
    dx = scales[..., 0] * u
    dy = mixture.shears[rows, chosen] * u + scales[..., 1] * v
    return mixture.means[rows, chosen] + np.stack([dx, dy], axis=-1)


def _choose_pen(
    network: Transformer,
    stream: NDArray[np.float32],
    features: NDArray[np.float32],
    numbers: NDArray[np.float64],
    fresh: NDArray[np.bool_],
    style: _Style,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Choose what the pen does after the points just drawn.

    Args:
        network: The model.
        stream: What the rows know, (streams n, width).
        features: The points just drawn, (n, FEATURES).
        numbers: Random numbers, (n,).
        fresh: Which points begin a stroke; the pen cannot leave the paper there, or a lone
            dot would remain, (n,).
        style: How to draw.

    Returns:
        Pens, (n,), and by how many nats the class speaks for them, (n,).
    """
    n = len(numbers)
    logits = network.pen_logits(stream, np.tile(features, (style.streams, 1)))
    logs = logits.astype(np.float64)
    logs -= np.log(np.exp(logs).sum(axis=-1, keepdims=True))
    gain = logs[:n] - logs[-n:]  # zero where there is one stream only
    wanted = (logs[:n] + (style.guidance - 1.0) * gain) / style.pen_temperature
    wanted[fresh, LIFT] = wanted[fresh, END] = -np.inf
    if style.one_line:
        wanted[:, LIFT] = -np.inf
    pen = _categorical(wanted, numbers)
    return pen, gain[np.arange(n), pen]


def _categorical(
    logits: NDArray[np.float64], numbers: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Draw from softmax(logits), (n, K), with a uniform random number per row, (n,)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    heights = np.cumsum(weights, axis=-1)
    return (heights < numbers[:, None] * heights[:, -1:]).sum(axis=-1)
