"""From the network's output to drawings.

A batch of sketches grows point by point; finished ones leave it. Every sketch has a random
generator of its own, so one seed gives one drawing, whatever the batch it is drawn in.

Temperature is that of sketch-rnn (Ha & Eck 2017, section 3.2): the standard deviations are
multiplied by its square root. The mixture's logits, which sketch-rnn divides by the same, have
a temperature of their own here: which way a drawing goes on is its structure, how exactly it
goes there the calm of its line, and people's structures with calm lines is what one wants on
paper. So has the pen: the end of a sketch is a rare event at every point, and sharpening it
away leaves sketches that never end.

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

from vpype_sketchformer import DEFAULT_STRUCTURE_TEMPERATURE
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.prefix import Prefix, Readings
from vpype_sketchformer.model.transformer import (
    ANY_STROKES,
    BEST_QUALITY,
    ONE_STROKE,
    Cache,
    Conditions,
    Mixture,
    Transformer,
    on_one_thread,
    point_features,
)
from vpype_sketchformer.sketch import DRAW, END, LIFT, Sketch

#: Rows drawn at a time; more are drawn in turns, so that memory stays bounded.
MAX_ROWS = 256
#: How often a drawing that did not end is drawn again.
RETRIES = 3
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


@on_one_thread
def sample(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    temperature: float,
    structure_temperature: float = DEFAULT_STRUCTURE_TEMPERATURE,
    pen_temperature: float = 1.0,
    guidance: float = 1.0,
    quality: int = BEST_QUALITY,
    best_of: int = 1,
    one_line: bool = False,
    prefix: Prefix | None = None,
    retries: int = RETRIES,
    progress: Callable[[int], object] = lambda finished: None,
) -> list[Sketch]:
    """Draw sketches.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from.
        temperature: How freely lines are drawn, above 0; 1 is as people drew.
        structure_temperature: How freely a drawing chooses its way, above 0; 1 is as people
            did.
        pen_temperature: How freely it lifts the pen and ends.
        guidance: How much to insist on the class; 1 is not at all.
        quality: How good a drawing of its class to ask for, see
            ``transformer.UNKNOWN_QUALITY``.
        best_of: Draw this many of each and keep the one that most looks like its class by
            the model's own measure: the largest mean over its points of
            log p(point | class) - log p(point).
        one_line: Never lift the pen.
        prefix: What all drawings begin with.
        retries: How often a sketch that did not end by itself within the limit is drawn again.
        progress: Called with the number of sketches that have just been finished.

    Returns:
        One sketch for each label. Retries are drawn side by side, and the first to end is
        kept; if none ends, the sketch is not ``finished``.
    """
    network = Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)
    style = _Style(
        temperature,
        structure_temperature,
        pen_temperature,
        guidance,
        quality,
        one_line,
        scored=best_of > 1,
    )
    readings = Readings(network, style.strokes, quality)
    best: dict[int, tuple[bool, float, Sketch]] = {}
    todo = dict.fromkeys(range(len(labels)))
    for candidates in (range(best_of), range(best_of, best_of + retries)):
        again = candidates.start > 0
        tasks = [
            _Task(i, checkpoint.classes.index(labels[i]), _generator(seeds[i], k))
            for i in todo
            for k in candidates
        ]
        left = dict.fromkeys(todo, len(candidates))
        drawn = _draw_all(network, tasks, style, prefix, readings, race=again)
        for task, score, points in drawn:
            i = task.sketch
            sketch = Sketch.from_stroke3(points, 1.0, labels[i])
            if i not in best or (sketch.finished, score) > best[i][:2]:
                best[i] = (sketch.finished, score, sketch)
            left[i] -= 1
            if i in todo and best[i][0] and (again or not left[i]):
                del todo[i]
                progress(1)
    progress(len(todo))
    return [best[i][2] for i in range(len(labels))]


def _generator(seed: np.random.SeedSequence, candidate: int) -> np.random.Generator:
    key = (*seed.spawn_key, candidate)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


@dataclass(frozen=True)
class _Style:
    """How to draw: the options of ``sample``."""

    temperature: float
    structure_temperature: float
    pen_temperature: float
    guidance: float
    quality: int
    one_line: bool
    scored: bool

    @property
    def streams(self) -> int:
        """Rows of the network per drawing: with the class, and without where it is needed."""
        return 2 if self.scored or self.guidance != 1.0 else 1

    @property
    def strokes(self) -> int:
        """What the model is told that the drawing is to be."""
        return ONE_STROKE if self.one_line else ANY_STROKES


def _draw_all(
    network: Transformer,
    tasks: Sequence[_Task],
    style: _Style,
    prefix: Prefix | None,
    readings: Readings,
    race: bool,
) -> Iterator[tuple[_Task, float, NDArray[np.float64]]]:
    """Draw any number of tasks, some at a time; yields what ``_draw`` does."""
    rows = MAX_ROWS // style.streams
    if race and tasks:  # the rivals must start together
        rows -= rows % sum(task.sketch == tasks[0].sketch for task in tasks)
    for begin in range(0, len(tasks), rows):
        batch = tasks[begin : begin + rows]
        yield from _draw(network, batch, style, prefix, readings, race)


def _draw(
    network: Transformer,
    tasks: Sequence[_Task],
    style: _Style,
    prefix: Prefix | None = None,
    readings: Readings | None = None,
    race: bool = False,
) -> Iterator[tuple[_Task, float, NDArray[np.float64]]]:
    """Draw a batch; in a race, a sketch is over when one of its tasks comes to an end.

    Yields:
        Each task when its drawing is finished, its score, and its points: offsets in pixels
        and pen, (n, 3).
    """
    begun = 0 if prefix is None else len(prefix.positions)
    rows = _Rows(
        network, tasks, style, min(network.config.context, begun + network.config.longest)
    )
    if prefix is None:
        stream = rows.start()
        rows.move(stream)
    else:
        stream = rows.start_with(
            prefix, readings or Readings(network, style.strokes, style.quality)
        )
    while True:
        rows.set_pen(stream)
        yield from rows.finished(race)
        if not rows.alive.any():
            return
        rows.shrink()
        stream = rows.forward()
        rows.move(stream)


@dataclass(frozen=True)
class Growth:
    """A stroke that has just been drawn.

    Attributes:
        sketch: The number of its drawing.
        stroke: Its points in the frame, (n, 2), n >= 2; where it goes on with the
            beginning's last stroke, that one's last point is the first.
        over: Whether the drawing is over.
        finished: Whether that was the drawing's own end.
    """

    sketch: int
    stroke: NDArray[np.float64]
    over: bool
    finished: bool


def grow(
    labels: Sequence[int],
    seeds: Sequence[np.random.SeedSequence],
    readings: Readings,
    *,
    prefix: Prefix | None = None,
    temperature: float,
    structure_temperature: float = DEFAULT_STRUCTURE_TEMPERATURE,
    one_line: bool = False,
    most_strokes: int | None = None,
) -> Iterator[list[Growth]]:
    """Draw side by side, and hand out each stroke as soon as it is drawn.

    Args:
        labels: The class of each drawing, or the null class.
        seeds: What each drawing is drawn from.
        readings: What the network knows of the beginning already; it learns the rest.
        prefix: The beginning. Something is added to it, even where the model would end.
        temperature: See `sample`.
        structure_temperature: See `sample`.
        one_line: See `sample`.
        most_strokes: How many strokes a drawing may grow by.

    Yields:
        After every point, the strokes that were finished by it. Who stops asking stops the
        drawing.
    """
    network, style = (
        readings.network,
        _Style(temperature, temperature, 1.0, 1.0, readings.quality, one_line, scored=False),
    )
    tasks = [
        _Task(i, label, _generator(seed, 0))
        for i, (label, seed) in enumerate(zip(labels, seeds, strict=True))
    ]
    begun = 0 if prefix is None else len(prefix.positions)
    rows = _Rows(
        network, tasks, style, min(network.config.context, begun + network.config.longest)
    )
    strokes: list[list[NDArray[np.float64]]] = [[] for _ in tasks]
    drawn = [0] * len(tasks)
    if prefix is None:
        stream = rows.start()
        rows.move(stream)
    else:
        stream = rows.start_with(prefix, readings)
        rows.may_end = False
        rows.set_pen(stream)
        strokes = [[prefix.positions[-1]] if pen == DRAW else [] for pen in rows.pen]
        stream = rows.forward()
        rows.move(stream)
    while True:
        rows.set_pen(stream)
        full = rows.length == rows.history.shape[1]
        grown = []
        for row in np.flatnonzero(rows.alive):
            i, pen = rows.tasks[row].sketch, rows.pen[row]
            strokes[i].append(rows.position[row].copy())
            if pen == DRAW and not full:
                continue
            drawn[i] += 1
            over = bool(full or pen == END or drawn[i] == most_strokes)
            if len(strokes[i]) > 1:
                grown.append(Growth(i, np.array(strokes[i]), over, bool(pen == END)))
            strokes[i] = []
            rows.alive[row] = not over
        yield grown
        if not rows.alive.any():
            return
        rows.shrink()
        stream = rows.forward()
        rows.move(stream)


class _Rows:
    """Drawings that grow side by side, all at the same point."""

    def __init__(
        self, network: Transformer, tasks: Sequence[_Task], style: _Style, limit: int
    ) -> None:
        n = len(tasks)
        self.network, self.style = network, style
        self.tasks = list(tasks)
        self.alive = np.ones(n, bool)
        self.history = np.zeros((n, limit, 3))
        self.length = self.given = 0
        self.position, self.begin = np.zeros((n, 2)), np.zeros((n, 2))
        self.offset, self.scores = np.zeros((n, 2)), np.zeros(n)
        self.fresh = np.ones(n, bool)  # whether the point begins a stroke
        self.pen_may_stay = self.may_end = True
        labels = [task.label for task in self.tasks]
        # Rows of the network: all with the class first, then all without where it is needed.
        self.conditions = Conditions.of(
            (labels + [network.null] * n)[: n * style.streams],
            network.null,
            style.strokes,
            style.quality,
        )

    def start(self) -> NDArray[np.float32]:
        """Read the start token; returns what the rows know, (streams n, width)."""
        self.draw_numbers()
        self.cache = Cache(self.network.config, len(self.conditions.labels))
        x = self.network.embed_start(self.conditions)[:, None]
        return self.network.forward(x, self.cache)[:, 0]

    def start_with(self, prefix: Prefix, readings: Readings) -> NDArray[np.float32]:
        """Read a beginning, up to the pen after its last point."""
        self.cache, stream = readings.read(prefix, self.conditions.labels.tolist())
        before = len(prefix.positions) - 1
        offsets = np.diff(prefix.positions, axis=0, prepend=np.zeros((1, 2)))
        self.history[:, :before, 2] = prefix.pens
        self.history[:, : before + 1, :2] = offsets
        strokes_begin = np.flatnonzero(np.append(END, prefix.pens) != DRAW)
        self.position[:] = prefix.positions[-1]
        self.begin[:] = prefix.positions[strokes_begin[-1]]
        self.offset[:] = offsets[-1]
        self.fresh[:] = False
        self.length = self.given = before
        self.pen_may_stay = prefix.join
        self.draw_numbers()
        return stream

    def draw_numbers(self) -> None:
        """Draw the random numbers of all points, (n, points, NUMBERS)."""
        shape = (self.history.shape[1] - self.given, NUMBERS)
        self.numbers = np.array([task.generator.random(shape) for task in self.tasks])

    def numbers_now(self) -> NDArray[np.float64]:
        """Return the random numbers of the point at hand, (n, NUMBERS)."""
        return self.numbers[:, self.length - self.given]

    def move(self, stream: NDArray[np.float32]) -> None:
        """Choose where the next points fall."""
        offset, gain = _choose_offset(self.network, stream, self.numbers_now(), self.style)
        target = np.rint(self.position + offset)  # the model knows whole pixels only
        self.offset, self.position = target - self.position, target
        if self.length:
            self.fresh = self.history[:, self.length - 1, 2] != DRAW
        self.begin = np.where(self.fresh[:, None], target, self.begin)
        self.scores += gain

    def set_pen(self, stream: NDArray[np.float32]) -> None:
        """Choose what the pen does after the points, which are then complete."""
        self.features = point_features(self.offset, self.position, self.begin)
        barred = np.zeros((len(self.tasks), 3), bool)
        barred[:, DRAW] = not self.pen_may_stay
        barred[:, LIFT] = self.style.one_line
        barred[:, END] = not self.may_end
        # A stroke of one point would leave a stray dot.
        barred[self.fresh, LIFT] = barred[self.fresh, END] = True
        self.pen, gain = _choose_pen(
            self.network, stream, self.features, self.numbers_now()[:, -1], barred, self.style
        )
        self.scores += gain
        self.history[:, self.length, :2] = self.offset
        self.history[:, self.length, 2] = self.pen
        self.length += 1
        self.pen_may_stay = self.may_end = True

    def finished(self, race: bool) -> Iterator[tuple[_Task, float, NDArray[np.float64]]]:
        """Yield the drawings that ended with the last point."""
        full = self.length == self.history.shape[1]
        ended = self.alive & (self.pen == END)
        done = self.alive if full else ended
        for row in np.flatnonzero(done):
            points = self.history[row, : self.length]
            yield self.tasks[row], float(self.scores[row]) / self.length, points
        self.alive = self.alive & ~done
        if race and ended.any():
            won = {self.tasks[row].sketch for row in np.flatnonzero(ended)}
            self.alive &= [task.sketch not in won for task in self.tasks]

    def shrink(self) -> None:
        """Let finished rows leave, in groups, since leaving costs a copy of the cache."""
        n, keep = len(self.tasks), np.flatnonzero(self.alive)
        if len(keep) > 0.75 * n:
            return
        parts = np.concatenate([keep + s * n for s in range(self.style.streams)])
        self.cache.keep(parts)
        self.conditions = self.conditions.keep(parts)
        self.tasks = [self.tasks[i] for i in keep]
        for name in (
            "alive",
            "history",
            "position",
            "begin",
            "scores",
            "features",
            "pen",
            "numbers",
        ):
            setattr(self, name, getattr(self, name)[keep])

    def forward(self) -> NDArray[np.float32]:
        """Read the points; returns what the rows know, (streams n, width)."""
        streams = self.style.streams
        x = self.network.embed_points(
            self.conditions,
            np.tile(self.features, (streams, 1))[:, None],
            np.tile(self.pen, streams)[:, None],
        )
        return self.network.forward(x, self.cache)[:, 0]


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
    offsets = draw_offsets(  # (n, m, 2)
        mixture.rows(slice(0, n)), draws, style.temperature, style.structure_temperature
    )
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
    mixture: Mixture,
    numbers: NDArray[np.float64],
    temperature: float,
    structure_temperature: float,
) -> NDArray[np.float64]:
    """Draw offsets from mixtures.

    Args:
        mixture: One mixture per row, n rows.
        numbers: Uniform random numbers, (n, m, 3).
        temperature: Its root multiplies the deviations.
        structure_temperature: Divides the logits.

    Returns:
        Offsets in model units, (n, m, 2).
    """
    n, m, _ = numbers.shape
    logits = np.repeat(mixture.logits.astype(np.float64) / structure_temperature, m, axis=0)
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
    barred: NDArray[np.bool_],
    style: _Style,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Choose what the pen does after the points just drawn.

    Args:
        network: The model.
        stream: What the rows know, (streams n, width).
        features: The points just drawn, (n, FEATURES).
        numbers: Random numbers, (n,).
        barred: What the pen must not do, (n, 3).
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
    wanted[barred] = -np.inf
    pen = _categorical(wanted, numbers)
    return pen, gain[np.arange(n), pen]


def _categorical(
    logits: NDArray[np.float64], numbers: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Draw from softmax(logits), (n, K), with a uniform random number per row, (n,)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    heights = np.cumsum(weights, axis=-1)
    return (heights < numbers[:, None] * heights[:, -1:]).sum(axis=-1)
