"""From a drawing's beginning to its rest: what stands behind `sketchcomplete`.

The model knows drawings in one form only: Quick, Draw!'s simplified strokes in a frame of
255 pixels, whose corner is that of the finished drawing. A beginning comes in any unit, place
and number of points, and how large the drawing will be is not known. So the beginning is
simplified as the training data were, and put into the frame in many ways: smaller or larger,
left or right, in the given order or the longest stroke first. The model's own likelihood says
which of them is most like the beginning of something; with a class and without, it says which
class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import DEFAULT_STRUCTURE_TEMPERATURE
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.prefix import Prefix
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.model.transformer import Transformer, log_likelihood, on_one_thread
from vpype_sketchformer.sketch import DRAW, FRAME, LIFT, SIMPLIFICATION, Sketch
from vpype_sketchformer.smoothing import smooth

Stroke = NDArray[np.float64]

#: How much of the finished drawing's longer side a beginning may take up.
SHARES = (1.0, 0.85, 0.7, 0.55, 0.42, 0.32, 0.24)
#: Where it may lie within: shares of the room that is left, along each axis.
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: The share at which a beginning is simplified while its own is not known.
TYPICAL_SHARE = 0.7
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
        return np.rint((points - self.corner) * self.scale + self.offset)

    def to_own(self, points: Stroke) -> Stroke:
        """Take points (n, 2) of the frame back."""
        return (points - self.offset) / self.scale + self.corner


@dataclass(frozen=True)
class Completion:
    """What the model made of a beginning.

    Attributes:
        sketches: What is to be added, in the beginning's own unit and place, one for each
            seed; without strokes where the model finds that nothing is missing.
        label: The class it was drawn as.
        ranking: All classes by probability, the best first, where the class was guessed.
        thinned: Whether the beginning had too many points for the model.
        extent: The longer side that the model expects of the finished drawing.
    """

    sketches: list[Sketch]
    label: str
    ranking: tuple[tuple[str, float], ...]
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
    temperature: float,
    structure_temperature: float = DEFAULT_STRUCTURE_TEMPERATURE,
    pen_temperature: float = 1.0,
    guidance: float = 1.0,
    best_of: int = 1,
    one_line: bool = False,
    progress: Callable[[int], object] = lambda finished: None,
) -> Completion:
    """Finish a drawing, once for each seed.

    Args:
        checkpoint: The model.
        strokes: The beginning: arrays (n, 2) of x, y, y down, in any unit.
        seeds: What each completion is drawn from.
        label: The class; None to guess it from the beginning.
        extent: The longer side of the finished drawing, not less than the beginning's; None
            to estimate it.
        room: Left, top, right and bottom of where the finished drawing is expected to lie;
            the beginning lies in it. The model may still draw beyond.
        join: Let the model go on with the last stroke instead of beginning a new one.
        temperature: See ``sampling.sample``, as the rest.
        structure_temperature: See there.
        pen_temperature: See there.
        guidance: See there.
        best_of: See there.
        one_line: See there.
        progress: See there.

    Raises:
        CompletionError: There is nothing to complete.
    """
    network = Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)
    strokes = clean(strokes)
    _, size = bounds(strokes)
    limit = int(checkpoint.config.context * LONGEST_PREFIX)
    coarse, thinned = simplify(strokes, SIMPLIFICATION * size / (TYPICAL_SHARE * FRAME), limit)
    null = len(checkpoint.classes)
    index = null if label is None else checkpoint.classes.index(label)
    placements = list_placements(coarse, extent, room)
    order, placement = _choose_placement(network, index, coarse, placements, join or one_line)
    ranking: tuple[tuple[str, float], ...] = ()
    if label is None:
        ranking = _rank_classes(
            network, checkpoint.classes, _reorder(coarse, order), placement
        )
        label = ranking[0][0]
    fine, thinned_again = simplify(
        _reorder(strokes, order), SIMPLIFICATION / placement.scale, limit
    )
    prefix = make_prefix(fine, placement, join or one_line)
    drawn = sample(
        checkpoint,
        [label] * len(seeds),
        seeds,
        temperature=temperature,
        structure_temperature=structure_temperature,
        pen_temperature=pen_temperature,
        guidance=guidance,
        best_of=best_of,
        one_line=one_line,
        prefix=prefix,
        progress=progress,
    )
    last = fine[-1][-1]
    sketches = [
        Sketch(_rest(sketch, prefix, placement, last), label, sketch.finished)
        for sketch in drawn
    ]
    return Completion(
        sketches, label, ranking, thinned or thinned_again, FRAME / placement.scale
    )


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
        raise CompletionError("there is nothing to complete: no lines.")
    _, size = bounds(kept)
    if size == 0:
        raise CompletionError("there is nothing to complete: all points are in one place.")
    if not SMALLEST < size < LARGEST:
        raise CompletionError(f"a drawing of size {size:.1g} cannot be completed.")
    return kept


def simplify(
    strokes: Sequence[Stroke], tolerance: float, limit: int
) -> tuple[list[Stroke], bool]:
    """Simplify strokes as Quick, Draw! does (Ramer 1972; Douglas & Peucker 1973).

    Args:
        strokes: Arrays (n, 2).
        tolerance: Largest distance that a point may be from the simplified stroke, above 0.
        limit: Most points that may be left; the tolerance is raised until they fit, and
            where even that is not enough, the shortest strokes are left out.

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


def list_placements(
    strokes: Sequence[Stroke],
    extent: float | None,
    room: tuple[float, float, float, float] | None,
    places: Sequence[float] = PLACES,
) -> list[Placement]:
    """List the placements to try: sizes of the finished drawing, and places in it.

    Args:
        strokes: The beginning.
        extent: See ``complete``, as ``room``.
        room: See there.
        places: Where it may lie within, see ``PLACES``.
    """
    corner, size = bounds(strokes)
    far = np.concatenate(strokes).max(axis=0)
    extents = [extent] if extent else [size / share for share in SHARES]
    if room is None:
        begin, end = np.full(2, -np.inf), np.full(2, np.inf)
    else:
        begin, end = np.array(room[:2]), np.array(room[2:])
        if not extent:
            extents = sorted({min(e, max(size, *(end - begin))) for e in extents})
    placements = []
    for scale in (FRAME / e for e in extents):
        # A finished drawing begins at the frame's corner, but may fill one side of it only.
        most = np.minimum(
            np.maximum(FRAME - (far - corner) * scale, 0), (corner - begin) * scale
        )
        least = np.clip(FRAME - (end - corner) * scale, 0, most)
        placements += [
            Placement(corner, scale, least + (most - least) * np.array([x, y]))
            for x in places
            for y in places
        ]
    return placements


def _choose_placement(
    network: Transformer,
    label: int,
    strokes: Sequence[Stroke],
    placements: Sequence[Placement],
    ordered: bool,
) -> tuple[tuple[bool, bool], Placement]:
    """Find the order of strokes and the placement that the model finds likeliest.

    Args:
        network: The model.
        label: The class.
        strokes: The beginning.
        placements: The placements to choose from.
        ordered: Whether the order is given, since the last stroke is to go on.
    """
    order = (False, False)
    if not ordered:
        middle = [placements[len(placements) // 2]]
        orders = [(False, False), (False, True), (True, False), (True, True)]
        order = max(
            orders, key=lambda o: score(network, [label], _reorder(strokes, o), middle)[0]
        )
    scores = score(network, [label], _reorder(strokes, order), placements)
    return order, placements[int(scores.argmax())]


def _rank_classes(
    network: Transformer,
    classes: Sequence[str],
    strokes: Sequence[Stroke],
    placement: Placement,
) -> tuple[tuple[str, float], ...]:
    """Rank classes by p(class | beginning), all equally likely beforehand."""
    scores = score(network, range(len(classes)), strokes, [placement])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return tuple((classes[i], float(weights[i])) for i in np.argsort(-weights, kind="stable"))


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
    pens = _pens(strokes)
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


def _pens(strokes: Sequence[Stroke]) -> NDArray[np.intp]:
    pens = np.full(sum(map(len, strokes)), DRAW)
    pens[np.cumsum([len(stroke) for stroke in strokes]) - 1] = LIFT
    return pens


def make_prefix(strokes: Sequence[Stroke], placement: Placement, join: bool) -> Prefix:
    """Take simplified strokes into the frame; ``join`` as for a ``Prefix``."""
    positions = placement.to_frame(np.concatenate(strokes))
    return Prefix(positions, _pens(strokes)[:-1], join)


def _rest(
    sketch: Sketch, prefix: Prefix, placement: Placement, last: NDArray[np.float64]
) -> tuple[Stroke, ...]:
    """Cut the beginning off; a stroke that goes on begins at the beginning's last point."""
    before = len(prefix.positions)
    rest: list[Stroke] = []
    for stroke in sketch.strokes:
        if before < len(stroke):
            new = placement.to_own(stroke[max(before, 0) :])
            rest.append(np.concatenate([last[None], new]) if before > 0 else new)
        before -= len(stroke)
    return tuple(rest)
