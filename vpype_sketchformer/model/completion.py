"""From a drawing's beginning to its rest: what stands behind `sketchcomplete`.

The model knows drawings in one form only: Quick, Draw!'s simplified strokes in a frame of
255 pixels, whose corner is that of the finished drawing. A beginning comes in any unit, place
and number of points. The recogniser says what it shows, how large the drawing will be, and
where in it the beginning lies. So the beginning is simplified as the training data were and
put into the frame, in the order of strokes that the model finds likeliest: the given one, the
longest stroke first, or either turned round.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import (
    COMPLETION_GUIDANCE,
    COMPLETION_STRUCTURE_TEMPERATURE,
    COMPLETION_TEMPERATURE,
    COMPLETION_TRIES,
)
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.fitting import sample_fitting
from vpype_sketchformer.model.prefix import Prefix, pens_of
from vpype_sketchformer.model.recogniser import Growth, bundled
from vpype_sketchformer.model.sampling import network_of
from vpype_sketchformer.model.transformer import Transformer, log_likelihood, on_one_thread
from vpype_sketchformer.sketch import FRAME, SIMPLIFICATION, Sketch
from vpype_sketchformer.smoothing import smooth

Stroke = NDArray[np.float64]
#: Classes by probability, the best first.
Ranking = tuple[tuple[str, float], ...]

#: Classes that variants may be drawn of, where the class is guessed.
MOST_CLASSES = 8
#: Points that the recogniser looks at, at most.
MOST_SEEN = 2000
#: A guess that is less sure than this says nothing of the finished drawing's size.
SURE = 0.2
#: A class of less than this share of what the likeliest has is no answer; where nothing is
#: missing of that, one is that is at least so likely itself.
LEAST_OF_BEST, LEAST_LIKELY = 0.2, 0.05
#: How many classes are tried where nothing is missing of those before.
MOST_ANSWERS = 4
#: The golden ratio's fraction.
GOLDEN = (5**0.5 - 1) / 2
#: Longer sides of a finished drawing, in those of its beginning, and what speaks for them: the
#: network's log-density, the side's logarithm, being finished, distance from what is said.
SIDES = (1.0, 1.09, 1.18, 1.43, 1.82, 2.38, 3.13, 4.55, 7.14)
WEIGHTS = (0.51, 3.07, -1.32, -0.27)
#: A drawing that is to grow no more than this grows inside only.
FINISHED = 1.04
#: How large one is to be that nothing was added to, though somebody told what it shows.
GROWN = 1.3
#: Growth below which the recogniser expects none in particular, in longer sides.
LEAST_GROWTH = 0.02
#: The model's context is shared between the beginning and the rest.
LONGEST_PREFIX = 0.6
#: The finest tolerance of curves, as a share of the drawing.
FINEST = 1e-5
#: Sizes whose squares are still numbers.
SMALLEST, LARGEST = 1e-100, 1e100
#: Rows scored at a time, so that memory stays bounded.
ROWS = 64


class CompletionError(ValueError):
    """A beginning that cannot be completed; the message is one clear line."""


@dataclass(frozen=True)
class Placement:
    """Where a drawing lies in the model's frame: ``frame = (own - corner) * scale + offset``.

    Attributes:
        corner: The beginning's top left corner, in its own unit, (2,).
        scale: Pixels of the frame per own unit.
        offset: That corner in the frame, pixels, (2,).
    """

    corner: NDArray[np.float64]
    scale: float
    offset: NDArray[np.float64]

    def to_frame(self, points: Stroke) -> Stroke:
        """Take points (n, 2) into the frame, on whole pixels."""
        exact = (points - self.corner) * self.scale + self.offset
        # What lies between two pixels falls on the same one, in whatever unit it comes.
        return np.floor(exact + 0.5 + 1e-6)

    def to_own(self, points: Stroke) -> Stroke:
        """Take points (n, 2) of the frame back."""
        return (points - self.offset) / self.scale + self.corner


@dataclass(frozen=True)
class Completion:
    """What the model made of a beginning.

    Attributes:
        sketches: What is to be added, in the beginning's own unit and place, one for each
            seed, labelled with the class it was drawn as; without strokes where the model
            finds that nothing is missing.
        ranking: All classes by probability, the best first, where the class was guessed.
        thinned: Whether the beginning had too many points for the model.
        extent: The longer side that is expected of the finished drawing, for the first class.
    """

    sketches: list[Sketch]
    ranking: Ranking
    thinned: bool
    extent: float

    def smoothed(self, tolerance: float) -> list[Sketch]:
        """Replace the polylines that are added by smooth curves through their points.

        Args:
            tolerance: Largest distance between a curve and the polyline that stands for it,
                in the beginning's unit. Coarser where the drawing is so large that nobody
                sees the difference.
        """
        detail = self.extent * SIMPLIFICATION / FRAME
        tolerance = max(tolerance, self.extent * FINEST)
        return [
            replace(sketch, strokes=tuple(smooth(sketch.strokes, tolerance, detail)))
            for sketch in self.sketches
        ]


@on_one_thread
def complete(
    checkpoint: Checkpoint,
    strokes: Sequence[Stroke],
    seeds: Sequence[np.random.SeedSequence],
    *,
    label: str | None = None,
    extent: float | None = None,
    room: tuple[float, float, float, float] | None = None,
    join: bool = False,
    one_line: bool = False,
    temperature: float = COMPLETION_TEMPERATURE,
    structure_temperature: float = COMPLETION_STRUCTURE_TEMPERATURE,
    guidance: float = COMPLETION_GUIDANCE,
    tries: int = COMPLETION_TRIES,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> Completion:
    """Finish a drawing, once for each seed.

    Args:
        checkpoint: The model.
        strokes: The beginning: arrays (n, 2) of x, y, y down, in any unit.
        seeds: What each completion is drawn from.
        label: The class; None to guess it, for several drawings in proportion to what it may
            be.
        extent: The longer side of the finished drawing, not less than the beginning's; None
            to estimate it.
        room: Left, top, right and bottom of where the finished drawing is expected to lie;
            the beginning lies in it. The model may still draw beyond.
        join: Let the model go on with the last stroke instead of beginning a new one.
        one_line: See ``sampling.sample``.
        temperature: See there.
        structure_temperature: See there.
        guidance: See there.
        tries: How often to draw each, to keep the best of those that fit the beginning; see
            ``fitting.sample_fitting``.
        progress: See there.
        style: See there.

    Raises:
        CheckpointError: There is no recogniser.
        CompletionError: There is nothing to complete.
    """
    style |= {
        "one_line": one_line,
        "temperature": temperature,
        "structure_temperature": structure_temperature,
        "guidance": guidance,
    }
    begun = _Beginning(
        checkpoint, clean(strokes), extent, room, join or one_line, tries, style
    )
    if label:
        return _as_told(begun, label, seeds, progress)
    return _as_guessed(begun, seeds, progress)


@dataclass(frozen=True)
class _Beginning:
    """A beginning, cleaned, and how it is to be finished: see `complete`.

    Attributes:
        goes_on: Whether its last stroke may go on.
    """

    checkpoint: Checkpoint
    strokes: list[Stroke]
    extent: float | None
    room: tuple[float, float, float, float] | None
    goes_on: bool
    tries: int
    style: dict[str, Any]

    @cached_property
    def network(self) -> Transformer:
        """The model's network."""
        return network_of(self.checkpoint)

    def finish(
        self,
        label: str,
        seeds: Sequence[np.random.SeedSequence],
        *,
        told: bool,
        sure: bool = True,
        extent: float | None = None,
    ) -> Completion:
        """Finish it as a drawing of a class.

        Args:
            label: The class.
            seeds: What each drawing is drawn from.
            told: Whether somebody told the class: then something is to be added.
            sure: Whether the class says how the beginning will grow.
            extent: The finished drawing's longer side, where it is known.
        """
        extent = extent or self.extent
        growth = expect_growth(self.strokes, label if sure else None)
        network, index = self.network, self.checkpoint.classes.index(label)
        placement = _place_for(
            network, index, self.strokes, growth, extent, self.room, told=told
        )
        ordered = self.strokes
        if not self.goes_on:
            ordered = _order(network, index, self.strokes, placement)
        tolerance = SIMPLIFICATION / placement.scale
        fine, thinned = simplify(ordered, tolerance, _longest_prefix(network))
        prefix = make_prefix(fine, placement, self.goes_on)
        drawn = sample_fitting(
            self.checkpoint,
            label,
            seeds,
            prefix,
            tries=self.tries,
            or_nothing=not told and extent is None,
            **self.style,
        )
        last = fine[-1][-1]
        rests = [replace(s, strokes=_rest(s, prefix, placement, last)) for s in drawn]
        return Completion(rests, (), thinned, FRAME / placement.scale)


def _as_told(
    begun: _Beginning,
    label: str,
    seeds: Sequence[np.random.SeedSequence],
    progress: Callable[[int], object],
) -> Completion:
    """Finish a beginning as somebody says.

    Who tells a class wants something added: where nothing is, the drawing is to grow.
    """
    first = begun.finish(label, seeds, told=True)
    sketches = first.sketches
    bare = [i for i, sketch in enumerate(sketches) if not sketch.strokes]
    progress(len(seeds) - len(bare))
    if not bare or begun.extent is not None:
        progress(len(bare))
        return first
    grown = GROWN * bounds(begun.strokes)[1]
    again = begun.finish(label, [seeds[i] for i in bare], told=True, extent=grown)
    for i, sketch in zip(bare, again.sketches, strict=True):
        sketches[i] = sketch
    progress(len(bare))
    return replace(again, sketches=sketches, thinned=first.thinned or again.thinned)


def _as_guessed(
    begun: _Beginning,
    seeds: Sequence[np.random.SeedSequence],
    progress: Callable[[int], object],
) -> Completion:
    """Finish a beginning as what it looks like; what nothing is missing of is no answer."""
    ranking = rank_classes(begun.network, begun.checkpoint.classes, begun.strokes)
    shares = dict(ranking)
    sketches: dict[int, Sketch] = {}
    made: dict[str, Completion] = {}
    may_be = dict.fromkeys(range(len(seeds)), ranking[:MOST_CLASSES])
    for _ in range(MOST_ANSWERS):
        labels = {i: pick(answers(guesses), i) for i, guesses in may_be.items()}
        for label in dict.fromkeys(labels.values()):
            rows = [i for i in labels if labels[i] == label]
            made[label] = begun.finish(
                label, [seeds[i] for i in rows], told=False, sure=shares[label] >= SURE
            )
            sketches |= zip(rows, made[label].sketches, strict=True)
        progressed = len(may_be)
        others = {
            i: tuple(g for g in may_be[i] if g[0] != label and g[1] >= LEAST_LIKELY)
            for i, label in labels.items()
            if not sketches[i].strokes
        }
        may_be = {i: guesses for i, guesses in others.items() if guesses}
        progress(progressed - len(may_be))
        if not may_be:
            break
    progress(len(may_be))
    for i, sketch in sketches.items():
        if not sketch.strokes:  # it stays what it most looks like
            sketches[i] = replace(sketch, label=ranking[0][0])
    drawings = [sketches[i] for i in range(len(seeds))]
    thinned = any(completion.thinned for completion in made.values())
    return Completion(drawings, ranking, thinned, made[drawings[0].label].extent)


def _longest_prefix(network: Transformer) -> int:
    """Return how many points of a beginning the model may read."""
    return int(network.config.context * LONGEST_PREFIX)


def rank_classes(
    network: Transformer, classes: Sequence[str], strokes: Sequence[Stroke]
) -> Ranking:
    """Rank classes by p(class | beginning), the best first.

    The recogniser says so where it knows all of them; of a model with classes of its own, its
    likelihood, all classes equally likely beforehand.

    Args:
        network: The model.
        classes: Its classes.
        strokes: The beginning, cleaned.
    """
    recogniser = bundled().among(classes)
    if recogniser is not None:
        shares = recogniser.probabilities([_outline(strokes)])[0]
    else:
        placement = place(strokes, expect_growth(strokes, None))
        limit = _longest_prefix(network)
        coarse, _ = simplify(strokes, SIMPLIFICATION / placement.scale, limit)
        scores = score(network, range(len(classes)), coarse, [placement])
        weights = np.exp(scores - scores.max())
        shares = weights / weights.sum()
    return tuple((classes[i], float(shares[i])) for i in np.argsort(-shares, kind="stable"))


def answers(ranking: Ranking) -> Ranking:
    """Keep ``MOST_CLASSES`` at most, and none far less likely than the first one."""
    best = ranking[:MOST_CLASSES]
    return tuple(guess for guess in best if guess[1] >= LEAST_OF_BEST * best[0][1])


def pick(ranking: Ranking, number: int) -> str:
    """Pick a class for one of several drawings, in proportion to its probability.

    The first drawing is of the likeliest class, and none depends on how many there are:
    multiples of the golden ratio fall evenly (Weyl 1916), however many they are.

    Args:
        ranking: Classes by probability, the best first; ``MOST_CLASSES`` of them count.
        number: The drawing's number, from 0.
    """
    best = ranking[:MOST_CLASSES]
    ends = np.cumsum([share for _, share in best])
    place = number * GOLDEN % 1.0 * ends[-1]
    return best[min(int(np.searchsorted(ends, place, side="right")), len(best) - 1)][0]


def expect_growth(strokes: Sequence[Stroke], label: str | None) -> Growth:
    """Say how a beginning will grow, into a drawing of a class if that is known."""
    recogniser = bundled()
    known = label if label in recogniser.classes else None
    return recogniser.growth(recogniser.look([_outline(strokes)]), known)[0]


def _outline(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Leave out what a recogniser cannot see, so that it looks at few points."""
    _, size = bounds(strokes)
    outline, _ = simplify(strokes, SIMPLIFICATION * size / FRAME, MOST_SEEN)
    return outline


def place(
    strokes: Sequence[Stroke],
    growth: Growth,
    extent: float | None = None,
    room: tuple[float, float, float, float] | None = None,
) -> Placement:
    """Place a beginning in the frame of the finished drawing.

    Args:
        strokes: The beginning.
        growth: How it is expected to grow.
        extent: See ``complete``, as ``room``.
        room: See there.
    """
    corner, size = bounds(strokes)
    far = np.concatenate(strokes).max(axis=0)
    begin, end = np.full(2, -np.inf), np.full(2, np.inf)
    finished = extent or size * growth.side
    if room is not None:
        begin, end = np.array(room[:2]), np.array(room[2:])
        if not extent:
            finished = min(finished, max(size, *(end - begin)))
    before = np.full(2, (finished - size) / 2)
    if growth.side > 1 + LEAST_GROWTH:
        share = (finished - size) / (growth.side - 1)
        before = share * np.array([growth.left, growth.up])
    scale = FRAME / finished
    # A finished drawing begins at the frame's corner, but may fill one side of it only.
    most = np.minimum(np.maximum(FRAME - (far - corner) * scale, 0), (corner - begin) * scale)
    least = np.clip(FRAME - (end - corner) * scale, 0, most)
    return Placement(corner, scale, np.clip(before * scale, least, most))


def _place_for(
    network: Transformer,
    label: int,
    strokes: Sequence[Stroke],
    growth: Growth,
    extent: float | None,
    room: tuple[float, float, float, float] | None,
    *,
    told: bool,
) -> Placement:
    """Choose the likeliest placement of the size that is expected for a class."""
    if extent is None:
        densities = side_densities(network, label, strokes, room)
        grown = Growth(expected_side(densities, growth.side, told=told), 0.0, 0.0)
        extent = FRAME / place(strokes, grown, None, room).scale
    _, size = bounds(strokes)
    candidates = [
        place(strokes, each, extent, room) for each in (growth, *_ways_to_grow(extent / size))
    ]
    scores = score(network, [label], _coarse(network, strokes), candidates)
    return candidates[int(scores.argmax())]


def side_densities(
    network: Transformer,
    label: int,
    strokes: Sequence[Stroke],
    room: tuple[float, float, float, float] | None = None,
) -> NDArray[np.float64]:
    """Log-density of a beginning, were the finished drawing as large as each of ``SIDES``.

    Where in it the beginning lies is not known: the mean over nine places.
    """
    by_side = [
        [place(strokes, growth, None, room) for growth in _ways_to_grow(side)]
        for side in SIDES
    ]
    placements = list(itertools.chain(*by_side))
    scores = score(network, [label], _coarse(network, strokes), placements)
    parts = np.split(scores, np.cumsum([len(part) for part in by_side])[:-1])
    return np.array([np.logaddexp.reduce(part) - np.log(len(part)) for part in parts])


def _ways_to_grow(side: float) -> list[Growth]:
    """Grow to the left and up not at all, by half, or by all of it."""
    more = side - 1
    ways = itertools.product((0.0, 0.5, 1.0), repeat=2) if more > 0 else [(0.0, 0.0)]
    return [Growth(side, more * left, more * up) for left, up in ways]


def _coarse(network: Transformer, strokes: Sequence[Stroke]) -> list[Stroke]:
    """Simplify a beginning as one of its own size is."""
    _, size = bounds(strokes)
    limit = _longest_prefix(network)
    return simplify(strokes, SIMPLIFICATION * size / FRAME, limit)[0]


def expected_side(densities: NDArray[np.float64], said: float, *, told: bool = False) -> float:
    """Expect how large a finished drawing is, in longer sides of its beginning.

    The mean of the logarithm under a posterior of ``SIDES``, whose ``WEIGHTS`` were fitted to
    validation drawings (``training.recipes.sides``). The network's density counts half: its
    errors from point to point are alike. A drawing that both network and recogniser take for
    finished is.

    Args:
        densities: The log-density of the beginning at each of ``SIDES``.
        said: The side that the recogniser expects.
        told: Whether somebody told what the drawing is to be: then it is hardly finished.
    """
    sides = np.log(SIDES)
    features = [densities, sides, sides == 0, np.abs(sides - np.log(said))]
    logits = np.asarray(WEIGHTS) @ np.array(features, dtype=np.float64)
    weights = np.exp(logits - logits.max())
    # Rounded, so that the same beginning in another place or unit grows alike.
    side = round(float(np.exp(weights @ sides / weights.sum())), 2)
    agreed = said <= 1 + LEAST_GROWTH and densities.argmax() == 0
    return 1.0 if (agreed and not told) or side <= FINISHED else side


def clean(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Drop empty strokes and repeated points.

    Raises:
        CompletionError: Nothing is left to begin with.
    """
    kept = []
    for stroke in strokes:
        if not np.all(np.isfinite(stroke)):
            raise CompletionError("some coordinates are not finite numbers.")
        moved = np.any(np.diff(stroke, axis=0) != 0, axis=1)
        if len(stroke):
            kept.append(stroke[np.concatenate([[True], moved])])
    if not kept:
        raise CompletionError("there is nothing to begin with: no lines.")
    _, size = bounds(kept)
    if size == 0:
        raise CompletionError("there is nothing to begin with: all points are in one place.")
    if not SMALLEST < size < LARGEST:
        raise CompletionError(f"a drawing of size {size:.1g} cannot be used.")
    return kept


def simplify(
    strokes: Sequence[Stroke], tolerance: float, limit: int
) -> tuple[list[Stroke], bool]:
    """Simplify strokes as Quick, Draw! does (Ramer 1972; Douglas & Peucker 1973).

    Args:
        strokes: Arrays (n, 2).
        tolerance: Largest distance that a point may be from the simplified stroke, above 0.
        limit: Most points that may be left, but two at least are; the tolerance is raised
            until they fit, and where even that is not enough, the shortest strokes are left
            out.

    Returns:
        The strokes, each of two points at least, and whether the limit was felt.
    """
    import shapely

    def simplified(tolerance: float) -> list[Stroke]:
        return [
            shapely.get_coordinates(
                shapely.simplify(
                    shapely.LineString(
                        np.repeat(stroke, 2, axis=0) if len(stroke) == 1 else stroke
                    ),
                    tolerance,
                    preserve_topology=False,
                )
            )
            for stroke in strokes
        ]

    thinned = False
    limit = max(limit, 2)
    if 2 * len(strokes) > limit:
        thinned = True
        lengths = [np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes]
        longest = np.argsort(lengths, kind="stable")[-(limit // 2) :]
        strokes = [strokes[i] for i in sorted(longest)]
    result = simplified(tolerance)
    while sum(map(len, result)) > limit:
        thinned = True
        tolerance *= 1.3
        result = simplified(tolerance)
    return result, thinned


def bounds(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float64], float]:
    """Return top left corner, (2,), and longer side."""
    points = np.concatenate(strokes)
    corner = points.min(axis=0)
    return corner, float((points.max(axis=0) - corner).max())


def _reorder(strokes: Sequence[Stroke], order: tuple[bool, bool]) -> list[Stroke]:
    """Put the longest stroke first, turn all strokes round, or both, or neither."""
    longest_first, turned = order
    result = [stroke[::-1] if turned else stroke for stroke in strokes]
    if longest_first:
        result.sort(key=lambda stroke: -float(np.hypot(*np.diff(stroke, axis=0).T).sum()))
    return result


def _order(
    network: Transformer,
    label: int,
    strokes: Sequence[Stroke],
    placement: Placement,
) -> list[Stroke]:
    """Put strokes into the order that the model finds likeliest for a class."""
    limit = _longest_prefix(network)
    coarse, _ = simplify(strokes, SIMPLIFICATION / placement.scale, limit)
    orders = [(False, False), (False, True), (True, False), (True, True)]
    best = max(
        orders, key=lambda o: score(network, [label], _reorder(coarse, o), [placement])[0]
    )
    return _reorder(strokes, best)


def score(
    network: Transformer,
    labels: Sequence[int],
    strokes: Sequence[Stroke],
    placements: Sequence[Placement],
) -> NDArray[np.float64]:
    """Log-density of a beginning in its own unit, for every label and placement.

    Densities in pixels of different scales become comparable in the beginning's own unit:
    each point adds the logarithm of the pixels' area.
    """
    pens = pens_of(strokes)
    points = np.concatenate(strokes)
    pairs = [(label, placement) for label in labels for placement in placements]
    scores = []
    for first in range(0, len(pairs), ROWS):
        part = pairs[first : first + ROWS]
        positions = np.stack([placement.to_frame(points) for _, placement in part])
        logs = log_likelihood(network, np.array([label for label, _ in part]), positions, pens)
        areas = np.array([2 * np.log(placement.scale) for _, placement in part])
        scores.append(logs + len(points) * areas)
    return np.concatenate(scores)


def make_prefix(strokes: Sequence[Stroke], placement: Placement, join: bool) -> Prefix:
    """Take simplified strokes into the frame; ``join`` as for a ``Prefix``."""
    positions = placement.to_frame(np.concatenate(strokes))
    return Prefix(positions, pens_of(strokes)[:-1], join)


def _rest(
    sketch: Sketch, prefix: Prefix, placement: Placement, last: NDArray[np.float64]
) -> tuple[Stroke, ...]:
    """Cut the beginning off; a stroke that goes on begins at the beginning's last point."""
    rest = [placement.to_own(stroke) for stroke in prefix.rest(sketch.strokes)]
    if len(prefix.strokes) + len(rest) > len(sketch.strokes):  # the last stroke goes on
        rest[0][0] = last
    return tuple(rest)
