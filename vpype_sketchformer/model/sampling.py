"""From the network's output to drawings.

A batch of sketches grows point by point; finished ones leave it. Every sketch has a random
generator of its own, so one seed gives one drawing, whatever the batch it is drawn in.

Temperature is that of sketch-rnn (Ha & Eck 2017, section 3.2): the standard deviations are
multiplied by its square root. The mixture's logits, which sketch-rnn divides by the same, have
a temperature of their own here: which way a drawing goes on is its structure, how exactly it
goes there the calm of its line, and people's structures with calm lines is what one wants on
paper. Where a stroke begins it may be higher once more: that is a drawing's layout, while a
stroke that runs astray is lost. The pen has a temperature as well: the end of a sketch is a
rare event at every point, and sharpening it away leaves sketches that never end.

Guidance (Ho & Salimans 2022) leans on what makes the class different from drawings at large:
p(x | class) * (p(x | class) / p(x)) ** (guidance - 1). For the offset, whose mixture has no
closed form under this, a few candidates are drawn and one is chosen by the ratio
(sampling, importance resampling: Rubin 1987); for the pen it is exact. Drawings at large are
what the model's guide knows, a far smaller network that was told no classes (Karras et al.
2024 guide with a smaller one), or the model's own null class where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import (
    DEFAULT_GUIDANCE,
    DEFAULT_LAYOUT,
    DEFAULT_STRUCTURE_TEMPERATURE,
)
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.features import Array, point_features
from vpype_sketchformer.model.mixture import Mixture
from vpype_sketchformer.model.prefix import Prefix, Readings
from vpype_sketchformer.model.transformer import (
    ANY_STROKES,
    BEST_QUALITY,
    ONE_STROKE,
    UNKNOWN_QUALITY,
    Conditions,
    KVCache,
    Transformer,
    on_one_thread,
)
from vpype_sketchformer.sketch import DRAW, END, LIFT, Sketch

#: Rows drawn at a time; more are drawn in turns, so that memory stays bounded.
MAX_ROWS = 48
#: How often a drawing that did not end is drawn again.
RETRIES = 3
#: Offsets that guidance chooses from.
CANDIDATES = 8
#: Finished rows leave a batch when this share of it is left, since leaving copies the cache.
LEAVE = 0.75
#: Random numbers per point: three per candidate, one to choose it, one for the pen.
NUMBERS = 3 * CANDIDATES + 2


@dataclass(frozen=True)
class _Task:
    """One candidate drawing to make."""

    sketch: int
    label: int
    generator: np.random.Generator
    code: Array | None = None


@on_one_thread
def sample(
    checkpoint: Checkpoint,
    labels: Sequence[str | None],
    seeds: Sequence[np.random.SeedSequence],
    *,
    temperature: float,
    structure_temperature: float = DEFAULT_STRUCTURE_TEMPERATURE,
    layout: float = DEFAULT_LAYOUT,
    pen_temperature: float = 1.0,
    guidance: float = DEFAULT_GUIDANCE,
    quality: int = BEST_QUALITY,
    one_line: bool = False,
    prefix: Prefix | None = None,
    codes: Array | None = None,
    retries: int = RETRIES,
    progress: Callable[[int], object] = lambda finished: None,
) -> list[Sketch]:
    """Draw sketches.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's; None tells none.
        seeds: What each sketch is drawn from.
        temperature: How freely lines are drawn, above 0; 1 is as people drew.
        structure_temperature: How freely a drawing chooses its way, above 0; 1 is as people
            did.
        layout: How much more freely it chooses where a stroke begins: times that. Not where
            a prefix or a code tells the layout.
        pen_temperature: How freely it lifts the pen and ends.
        guidance: How much to insist on the class; 1 is not at all.
        quality: How good a drawing of its class to ask for, see
            ``transformer.UNKNOWN_QUALITY``.
        one_line: Never lift the pen.
        prefix: What all drawings begin with.
        codes: The code of each sketch, see ``model.encoder``, (n, code); not with a prefix.
        retries: How often a sketch that did not end by itself within the limit is drawn again.
        progress: Called with the number of sketches that have just been finished.

    Returns:
        One sketch for each label. Retries are drawn side by side, and the first to end is
        kept; if none ends, the sketch is not ``finished``.
    """
    if prefix is not None or codes is not None:
        layout = 1.0
    style = _Style(
        temperature, structure_temperature, layout, pen_temperature, guidance, one_line
    )
    strokes = ONE_STROKE if one_line else ANY_STROKES
    network = network_of(checkpoint)
    readings = Readings(network, strokes, quality)
    guided = guidance != 1.0
    at_large = readings_at_large(checkpoint, network, strokes) if guided else None
    best: dict[int, Sketch] = {}
    todo = dict.fromkeys(range(len(labels)))
    for candidates in (range(1), range(1, 1 + retries)):
        again = candidates.start > 0
        tasks = [
            _Task(
                i,
                _index(checkpoint, labels[i]),
                _generator(seeds[i], k),
                None if codes is None else codes[i],
            )
            for i in todo
            for k in candidates
        ]
        for task, drawn, last in _draw(tasks, style, prefix, readings, at_large, race=again):
            i = task.sketch
            sketch = Sketch(drawn, labels[i] or "", last.finished, last.likelihood)
            if i in todo and (sketch.finished or i not in best):
                best[i] = sketch
            if i in todo and sketch.finished:
                del todo[i]
                progress(1)
    progress(len(todo))
    return [best[i] for i in range(len(labels))]


def network_of(checkpoint: Checkpoint) -> Transformer:
    """Lay out the weights of a model."""
    return Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)


def readings_at_large(
    checkpoint: Checkpoint, network: Transformer, strokes: int = ANY_STROKES
) -> Readings:
    """Return what knows of drawings at large: the guide of a model, or its null class.

    Args:
        checkpoint: The model.
        network: Its network.
        strokes: What the null class is told, see ``transformer.ANY_STROKES``.
    """
    if checkpoint.guide:
        return Readings(network_of(checkpoint.guide), ANY_STROKES, UNKNOWN_QUALITY)
    return Readings(network, strokes, UNKNOWN_QUALITY)


def _index(checkpoint: Checkpoint, label: str | None) -> int:
    """Return the number of a class; of none, that of the null class."""
    return len(checkpoint.classes) if label is None else checkpoint.classes.index(label)


def _generator(seed: np.random.SeedSequence, candidate: int) -> np.random.Generator:
    key = (*seed.spawn_key, candidate)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


@dataclass(frozen=True)
class _Style:
    """How to draw: the options of ``sample``."""

    temperature: float
    structure_temperature: float
    layout: float
    pen_temperature: float
    guidance: float
    one_line: bool


class _Reader:
    """A network that reads drawings as they grow side by side, a row each.

    Attributes:
        network: The network.
        stream: What it knows of each now, (n, width).
        mixture: Where each goes on, in model units.
    """

    def __init__(
        self,
        readings: Readings,
        labels: Sequence[int],
        prefix: Prefix | None,
        codes: Array | None = None,
    ) -> None:
        """Read what all drawings begin with, under a class each, and a code where told."""
        self.network = network = readings.network
        self.conditions = Conditions.of(
            labels, network.null, readings.strokes, readings.quality, codes
        )
        self.gains = network.gains(self.conditions)
        if prefix is None:
            self.cache = KVCache(network.config, len(labels))
            start = network.embed_start(self.conditions)[:, None]
            self.stream = network.forward(start, self.cache, self.gains)[:, 0]
        else:
            self.cache, self.stream = readings.read(prefix, labels)
        self.mixture = network.mixture(self.stream)

    @classmethod
    def at_large(
        cls, readings: Readings | None, count: int, prefix: Prefix | None
    ) -> _Reader | None:
        """Read drawings of no class, where that is wanted."""
        if readings is None:
            return None
        return cls(readings, [readings.network.null] * count, prefix)

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep some of the drawings."""
        self.cache.keep(rows)
        self.conditions = self.conditions.keep(rows)
        self.gains = self.network.gains(self.conditions)

    def read(self, features: NDArray[np.float32], pens: NDArray[np.intp]) -> None:
        """Read the next point of each: its features (n, FEATURES), and its pen (n,)."""
        x = self.network.embed_points(self.conditions, features[:, None], pens[:, None])
        self.stream = self.network.forward(x, self.cache, self.gains)[:, 0]
        self.mixture = self.network.mixture(self.stream)

    def log_density(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-density of offsets in pixels, (n, m, 2): nats, (n, m)."""
        scale = self.network.scale
        return self.mixture.log_density(offsets / scale) - 2 * np.log(scale)

    def log_pens(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-probabilities of what the pen does after points (n, FEATURES): nats, (n, 3)."""
        logits = self.network.pen_logits(self.stream, features).astype(np.float64)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _draw(
    tasks: Sequence[_Task],
    style: _Style,
    prefix: Prefix | None,
    readings: Readings,
    at_large: Readings | None,
    race: bool,
) -> Iterator[tuple[_Task, tuple[NDArray[np.float64], ...], _Stroke]]:
    """Draw any number of tasks, some at a time.

    Yields:
        Each task when its drawing is over: its strokes, those of the prefix first, and once
        more the last one.
    """
    rows = MAX_ROWS
    if race and tasks:  # the rivals must start together
        rows -= rows % sum(task.sketch == tasks[0].sketch for task in tasks)
    given = [] if prefix is None else prefix.strokes[:-1]
    for begin in range(0, len(tasks), rows):
        batch = tasks[begin : begin + rows]
        drawn = [list(given) for _ in batch]
        for grown in _strokes(batch, style, prefix, readings, at_large, race=race):
            for stroke in grown:
                strokes = drawn[stroke.task]
                strokes.append(stroke.points)
                if stroke.over:
                    task = batch[stroke.task]
                    yield task, tuple(strokes), stroke


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
    guidance: float = 1.0,
    at_large: Readings | None = None,
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
        guidance: See `sample`.
        at_large: What guidance needs, see `readings_at_large`.
        one_line: See `sample`.
        most_strokes: How many strokes a drawing may grow by.

    Yields:
        After every point, the strokes that were finished by it. Who stops asking stops the
        drawing.
    """
    style = _Style(temperature, structure_temperature, 1.0, 1.0, guidance, one_line)
    tasks = [
        _Task(i, label, _generator(seed, 0))
        for i, (label, seed) in enumerate(zip(labels, seeds, strict=True))
    ]
    for grown in _strokes(
        tasks, style, prefix, readings, at_large, add=True, most_strokes=most_strokes
    ):
        yield [
            Growth(stroke.task, stroke.points[stroke.given :], stroke.over, stroke.finished)
            for stroke in grown
            if len(stroke.points) - stroke.given > 1
        ]


@dataclass(frozen=True)
class _Stroke:
    """A stroke that is finished.

    Attributes:
        task: The number of its task.
        points: Its points in the frame, (n, 2).
        given: How many of them the prefix has, but for its last one.
        over: Whether the drawing is over.
        finished: Whether that is the drawing's own end.
        likelihood: Log-density of the points that were drawn so far, their mean.
    """

    task: int
    points: NDArray[np.float64]
    given: int
    over: bool
    finished: bool
    likelihood: float


def _strokes(
    tasks: Sequence[_Task],
    style: _Style,
    prefix: Prefix | None,
    readings: Readings,
    at_large: Readings | None,
    *,
    race: bool = False,
    add: bool = False,
    most_strokes: int | None = None,
) -> Iterator[list[_Stroke]]:
    """Draw a batch side by side, point by point: the one loop behind all that is drawn.

    Args:
        tasks: What to draw.
        style: How.
        prefix: What all drawings begin with.
        readings: What the network knows of the prefix already.
        at_large: The same of what knows drawings at large, for guidance.
        race: Whether a sketch is over when one of its tasks comes to an end.
        add: Whether something is added to the prefix even where the model would end.
        most_strokes: How many strokes a drawing may grow by.

    Yields:
        After every point, the strokes that were finished by it.
    """
    given = 0 if prefix is None else len(prefix.positions)
    config = readings.network.config
    most = min(config.context, given + config.longest)
    rows = _Rows.begin(tasks, most, prefix)
    codes = [task.code for task in tasks if task.code is not None]
    labels = [task.label for task in tasks]
    reader = _Reader(readings, labels, prefix, np.stack(codes) if codes else None)
    other = _Reader.at_large(at_large, len(tasks), prefix)
    undrawn = max(given - 1, 0)  # what the pen does after the last given point is not given
    for at in range(undrawn, most):
        numbers = rows.numbers[:, at - undrawn]
        if at >= given:
            begins = rows.begins == at
            offset, density = _choose_offset(reader, other, numbers, begins, style)
            # The model knows whole pixels only.
            rows.points[:, at] = np.rint(rows.before(at) + offset)
            rows.densities += density
        features = rows.features(at)
        barred = np.zeros((len(rows.task), 3), bool)
        barred[:, LIFT] = style.one_line
        if at >= given:  # a stroke of one point would leave a stray dot
            barred[rows.begins == at, LIFT:] = True
        elif prefix is not None:
            barred[:, DRAW] = not prefix.join
            barred[:, END] = add
        pens = _choose_pen(reader, other, features, numbers[:, -1], barred, style)
        rows.strokes += (pens != DRAW) & (at >= given)
        over = (pens == END) | (rows.strokes == most_strokes) | (at + 1 == most)
        yield rows.finished(at, pens, over, given)
        if race:
            won = {tasks[i].sketch for i in rows.task[rows.alive & (pens == END)]}
            over |= [tasks[i].sketch in won for i in rows.task]
        rows.alive &= ~over
        if not rows.alive.any():
            return
        rows.begins[pens != DRAW] = at + 1
        kept = np.flatnonzero(rows.alive)
        if len(kept) <= LEAVE * len(rows.task):
            rows, pens, features = rows.keep(kept), pens[kept], features[kept]
            for each in filter(None, (reader, other)):
                each.keep(kept)
        for each in filter(None, (reader, other)):
            each.read(features, pens)


@dataclass
class _Rows:
    """Drawings that grow side by side, all at the same point, a row each.

    Attributes:
        task: The numbers of their tasks, (n,).
        points: Their points in the frame; what is not drawn yet is not set, (n, most, 2).
        begins: Where in that their strokes at hand begin, (n,).
        strokes: How many strokes they have grown by, (n,).
        densities: Log-densities of what was drawn of them, sums of points, (n,).
        numbers: The random numbers of all points that may be drawn, (n, points, NUMBERS).
        alive: Whether they go on, (n,).
    """

    task: NDArray[np.intp]
    points: NDArray[np.float64]
    begins: NDArray[np.intp]
    strokes: NDArray[np.intp]
    densities: NDArray[np.float64]
    numbers: NDArray[np.float64]
    alive: NDArray[np.bool_]

    @classmethod
    def begin(cls, tasks: Sequence[_Task], most: int, prefix: Prefix | None) -> _Rows:
        """Begin drawings of so many points at most, all with the prefix."""
        n, given = len(tasks), 0
        points, begins = np.zeros((n, most, 2)), np.zeros(n, np.intp)
        if prefix is not None:
            given = len(prefix.positions)
            points[:, :given] = prefix.positions
            begins[:] = given - len(prefix.strokes[-1])
        shape = (most - max(given - 1, 0), NUMBERS)
        return cls(
            np.arange(n),
            points,
            begins,
            np.zeros(n, np.intp),
            np.zeros(n),
            np.array([task.generator.random(shape) for task in tasks]),
            np.ones(n, bool),
        )

    def keep(self, rows: NDArray[np.intp]) -> _Rows:
        """Keep some of the drawings."""
        return _Rows(*(getattr(self, field.name)[rows] for field in fields(self)))

    def finished(
        self, at: int, pens: NDArray[np.intp], over: NDArray[np.bool_], given: int
    ) -> list[_Stroke]:
        """Return the strokes that are finished by a point.

        Args:
            at: The point.
            pens: What the pen does after it, (n,).
            over: Whether the drawing is over with it, (n,).
            given: How many points the prefix has.
        """
        return [
            _Stroke(
                int(self.task[row]),
                self.points[row, self.begins[row] : at + 1].copy(),
                max(0, given - 1 - int(self.begins[row])),
                bool(over[row]),
                bool(pens[row] == END),
                float(self.densities[row]) / max(at + 1 - given, 1),
            )
            for row in np.flatnonzero(self.alive & ((pens != DRAW) | over))
        ]

    def before(self, at: int) -> NDArray[np.float64]:
        """Return the points before a point, (n, 2)."""
        return self.points[:, at - 1] if at else np.zeros((len(self.task), 2))

    def features(self, at: int) -> NDArray[np.float32]:
        """Describe a point to the network, (n, FEATURES)."""
        points = self.points[:, at]
        begins = self.points[np.arange(len(points)), self.begins]
        return point_features(points - self.before(at), points, begins)


def _choose_offset(
    reader: _Reader,
    other: _Reader | None,
    numbers: NDArray[np.float64],
    begins: NDArray[np.bool_],
    style: _Style,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Choose the next offsets.

    Args:
        reader: What is known of the drawings.
        other: What is known of drawings at large.
        numbers: Random numbers, (n, NUMBERS).
        begins: Where a stroke begins, (n,).
        style: How to draw.

    Returns:
        Offsets in pixels, (n, 2), and their log-density, (n,).
    """
    n = len(numbers)
    count = 1 if other is None else CANDIDATES
    draws = numbers[:, : 3 * count].reshape(n, count, 3)
    structure = style.structure_temperature * np.where(begins, style.layout, 1.0)
    drawn = draw_offsets(reader.mixture, draws, style.temperature, structure)
    offsets = drawn * reader.network.scale  # (n, m, 2)
    density = reader.log_density(offsets)  # (n, m)
    if other is None:
        return offsets[:, 0], density[:, 0]
    gain = density - other.log_density(offsets)
    chosen = _categorical((style.guidance - 1.0) * gain, numbers[:, -2])
    rows = np.arange(n)
    return offsets[rows, chosen], density[rows, chosen]


def draw_offsets(
    mixture: Mixture,
    numbers: NDArray[np.float64],
    temperature: float,
    structure_temperature: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Draw offsets from mixtures.

    Args:
        mixture: One mixture per row, n rows.
        numbers: Uniform random numbers, (n, m, 3).
        temperature: Its root multiplies the deviations.
        structure_temperature: Divides the logits of each row, (n,).

    Returns:
        Offsets in model units, (n, m, 2).
    """
    n, m, _ = numbers.shape
    logits = mixture.logits.astype(np.float64) / structure_temperature[:, None]
    logits = np.repeat(logits, m, axis=0)
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
    reader: _Reader,
    other: _Reader | None,
    features: NDArray[np.float32],
    numbers: NDArray[np.float64],
    barred: NDArray[np.bool_],
    style: _Style,
) -> NDArray[np.intp]:
    """Choose what the pen does after the points just drawn.

    Args:
        reader: What is known of the drawings.
        other: What is known of drawings at large.
        features: The points just drawn, (n, FEATURES).
        numbers: Random numbers, (n,).
        barred: What the pen must not do, (n, 3).
        style: How to draw.

    Returns:
        Pens, (n,).
    """
    wanted = reader.log_pens(features)
    if other is not None:
        wanted += (style.guidance - 1.0) * (wanted - other.log_pens(features))
    wanted /= style.pen_temperature
    wanted[barred] = -np.inf
    return _categorical(wanted, numbers)


def _categorical(
    logits: NDArray[np.float64], numbers: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Draw from softmax(logits), (n, K), with a uniform random number per row, (n,)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    heights = np.cumsum(weights, axis=-1)
    return (heights < numbers[:, None] * heights[:, -1:]).sum(axis=-1)
