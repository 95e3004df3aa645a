"""How a drawing could go on: the model's side of the sketchpad.

The recogniser says what the drawing shows, and where in the model's frame it lies. That place
is kept while the drawing fits, has not grown much and is taken for the same, and what the
network has read of it is kept as well: after a stroke, that stroke alone is read.

More is drawn than is shown. Once most of it is there, what does not come to an end, what the
recogniser does not see its class in, what is only a speck, and what is there twice, makes room
for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
import vpype as vp
from numpy.typing import NDArray

from vpype_sketchformer import COMPLETION_GUIDANCE, COMPLETION_STRUCTURE_TEMPERATURE
from vpype_sketchformer.layout.grid import plan_around
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.completion import (
    LONGEST_PREFIX,
    SURE,
    Placement,
    Ranking,
    answers,
    clean,
    expect_growth,
    make_prefix,
    pick,
    place,
    rank_classes,
    score,
    simplify,
)
from vpype_sketchformer.model.features import describe
from vpype_sketchformer.model.prefix import Prefix, Readings
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import grow, network_of, readings_at_large
from vpype_sketchformer.model.transformer import ANY_STROKES, ONE_STROKE
from vpype_sketchformer.model.varying import alike
from vpype_sketchformer.sketch import DRAW, END, FRAME, LIFT, SIMPLIFICATION, Sketch
from vpype_sketchformer.sketchpad.pad import Box, joined
from vpype_sketchformer.smoothing import smooth
from vpype_sketchformer.units import FLATNESS

Stroke = NDArray[np.float64]

#: Suggestions that are shown; how many are begun side by side, and how many of these are
#: waited for, to choose them from.
COUNT, BEGUN, ENOUGH = 8, 12, 10
#: Shares of the drawing's longer side: what is shorter than the first is a speck; what is
#: nowhere farther apart than the second is the same.
SPECK, TWIN = 0.1, 0.07
#: Classes that a guess names, and that suggestions are drawn of.
GUESSES = 4
#: How much of the shorter side of an empty page a new drawing takes up.
NEW_SHARE = 0.6
#: How much of it must be free for a new drawing to keep out of others' way; and how finely
#: free paper is looked for.
LEAST_SHARE, CELLS = 0.15, 40
#: By how many points a drawing must have grown before its placement is looked at again.
GROWTH = 1.5
#: How far beyond the frame a drawing may reach, in pixels of the frame.
MARGIN = 8


@dataclass(frozen=True)
class Wish:
    """What suggestions are to be like.

    Attributes:
        label: Their class; None to leave it to the model.
        temperature: See ``sampling.sample``.
        most_strokes: How many strokes they may have; None for a whole drawing.
        one_line: Whether they go on with the last stroke and never lift the pen.
        like: Whether they are others like the drawing, rather than what goes on with it.
    """

    label: str | None
    temperature: float
    most_strokes: int | None
    one_line: bool
    like: bool = False


@dataclass(frozen=True)
class Suggested:
    """A stroke of a suggestion.

    Attributes:
        number: The suggestion's number, from 0.
        label: Its class, or an empty string.
        strokes: The stroke, on the page; several pieces where it leaves the page.
        over: Whether that was the suggestion's last.
        finished: Whether the model ended it there by itself.
        anew: Whether it takes the place of what was suggested under its number before.
    """

    number: int
    label: str
    strokes: tuple[Stroke, ...]
    over: bool
    finished: bool
    anew: bool = False


@dataclass
class _Drawn:
    """What is drawn on: class, strokes on the page, and whether it is over, by itself."""

    label: str
    strokes: list[Stroke] = field(default_factory=list)
    over: bool = False
    finished: bool = False

    @property
    def length(self) -> float:
        """How much was drawn, pixels of the page."""
        return sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in self.strokes)


@dataclass
class _Known:
    """What is known of the drawing that is being drawn."""

    placement: Placement
    chosen_at: float = 0.0  # points that it had when its placement was chosen; 0: not yet
    chosen_for: tuple[str | None, bool] = (None, False)  # class, and whether in one line
    strokes: list[Stroke] = field(default_factory=list)
    turned: bool = False  # whether the model sees strokes the other way round
    room: Box = (0.0, 0.0, 0.0, 0.0)
    prefix: Prefix | None = None
    readings: dict[int, tuple[Readings, Readings]] = field(default_factory=dict)


class Companion:
    """Draws on, one drawing at a time."""

    def __init__(self, checkpoint: Checkpoint, seed: int) -> None:
        self.checkpoint, self.network = checkpoint, network_of(checkpoint)
        self.classes = checkpoint.classes
        #: Whether the model can read drawings, and draw others like them.
        self.sees = bool(checkpoint.config.code)
        self.limit = int(checkpoint.config.context * LONGEST_PREFIX)
        self.seed, self.asked = seed, 0
        self.drawing: int | None = None
        self.known: _Known | None = None

    def suggest(
        self,
        drawing: int,
        strokes: Sequence[Stroke],
        page: tuple[float, float],
        wish: Wish,
        others: Sequence[Box] = (),
    ) -> Iterator[list[Suggested]]:
        """Draw on, in several ways.

        Where it is not said what the drawing shows, they are of the classes of the `guess`.

        Args:
            drawing: Which drawing it is, to know it again.
            strokes: What there is of it, on the page; may be empty.
            page: Width and height of the page.
            wish: What the suggestions are to be like.
            others: Boxes around the other drawings: a new one keeps out of their way.

        Yields:
            After every point, the strokes that were finished by it. Who stops asking stops
            the drawing.

        Raises:
            CompletionError: The drawing cannot be gone on with.
        """
        ranking = self.guess(strokes)
        known = self._look(drawing, strokes, page, wish, others, ranking)
        condition = ONE_STROKE if wish.one_line else ANY_STROKES
        if condition not in known.readings:
            large = readings_at_large(self.checkpoint, self.network, condition)
            known.readings[condition] = Readings(self.network, condition), large
        readings, at_large = known.readings[condition]
        labels = self._labels(wish.label, ranking, known.prefix, readings)
        self.asked += 1
        seeds = np.random.SeedSequence(self.seed, spawn_key=(self.asked,)).spawn(BEGUN)
        last = strokes[-1][-1] if wish.one_line and strokes else None
        drawn = [_Drawn((*self.classes, "")[label]) for label in labels]
        speck = SPECK * _extent(strokes)
        for grown in grow(
            labels,
            seeds,
            readings,
            prefix=known.prefix,
            temperature=wish.temperature,
            structure_temperature=COMPLETION_STRUCTURE_TEMPERATURE,
            guidance=COMPLETION_GUIDANCE,
            at_large=at_large,
            one_line=wish.one_line,
            most_strokes=wish.most_strokes,
        ):
            suggested = []
            for growth in grown:
                each = drawn[growth.sketch]
                joint = None if each.strokes else last
                pieces = _on_page(growth.stroke, known.placement, joint, page)
                each.strokes += pieces
                each.over, each.finished = growth.over, growth.finished
                if growth.sketch < COUNT:
                    state = each.label, pieces, each.over, each.finished
                    suggested.append(Suggested(growth.sketch, *state))
            yield suggested
            if sum(each.over and each.length > speck for each in drawn) >= ENOUGH:
                break
        yield [
            Suggested(number, one.label, tuple(one.strokes), True, one.finished, anew=True)
            for number, one in enumerate(_better(drawn, strokes))
            if one is not drawn[number]
        ]

    def alike(
        self, strokes: Sequence[Stroke], page: tuple[float, float], wish: Wish
    ) -> list[Suggested]:
        """Draw others like a drawing, in its place and as large, as far as the page allows.

        All are drawn side by side, and there at once.

        Raises:
            CompletionError: There is nothing to be seen.
            CheckpointError: The model has no encoder, or there is no recogniser.
        """
        self.asked += 1
        seeds = np.random.SeedSequence(self.seed, spawn_key=(self.asked,)).spawn(COUNT)
        cleaned = clean(strokes)
        seen, sketches = alike(
            self.checkpoint, cleaned, wish.label, seeds, one_line=wish.one_line
        )
        points = np.concatenate(cleaned)
        sheet = plan_around((*points.min(axis=0), *points.max(axis=0)), 1)
        room = _room(strokes, page)
        return [
            Suggested(
                number,
                seen.label or "",
                _moved_into(room, sheet.place(sketch, 0)).strokes,
                True,
                sketch.finished,
            )
            for number, sketch in enumerate(sketches)
        ]

    def guess(self, strokes: Sequence[Stroke]) -> Ranking:
        """Guess what a drawing shows: the likeliest classes; none where nothing is drawn.

        Raises:
            CompletionError: It cannot be gone on with.
        """
        if not strokes:
            return ()
        return rank_classes(self.network, self.classes, clean(strokes))[:GUESSES]

    def _look(
        self,
        drawing: int,
        strokes: Sequence[Stroke],
        page: tuple[float, float],
        wish: Wish,
        others: Sequence[Box],
        ranking: Ranking,
    ) -> _Known:
        """Take in what has become of a drawing."""
        if self.known is None or self.drawing != drawing:
            self.drawing, self.known = drawing, _Known(_on_free_paper(page, ()))
        sure = ranking[0][0] if ranking and ranking[0][1] >= SURE else None
        known, chosen_for = self.known, (wish.label or sure, wish.one_line)
        before = known.prefix
        if not strokes:
            known.placement = _on_free_paper(page, others)
            known.prefix = None
            known.chosen_for, known.chosen_at = chosen_for, 0
            return known
        strokes = joined(clean(strokes))
        known.strokes = _turned(strokes) if known.turned else strokes
        known.room = _room(strokes, page)
        if known.chosen_at and known.chosen_for == chosen_for:
            known.prefix = prefix = self._prefix(known)
            moved = before is not None and len(before.pens) and not prefix.shared(before)
            grown = len(prefix.positions) >= GROWTH * known.chosen_at
            if _fits(prefix) and not moved and not grown:
                return known
        known.chosen_for = chosen_for
        self._choose(known, strokes)
        known.prefix = self._prefix(known)
        known.chosen_at = len(known.prefix.positions)
        return known

    def _choose(self, known: _Known, strokes: list[Stroke]) -> None:
        """Find where the drawing lies in the frame, and which way round it was drawn."""
        label, joins = known.chosen_for
        known.placement = place(strokes, expect_growth(strokes, label), None, known.room)
        ways = [strokes] if joins else [strokes, _turned(strokes)]
        likely = [self._score(way, label, known.placement) for way in ways]
        known.strokes = ways[int(np.argmax(likely))]
        known.turned = known.strokes is not strokes

    def _score(
        self, strokes: Sequence[Stroke], label: str | None, placement: Placement
    ) -> float:
        """Score a drawing in its place."""
        index = len(self.classes) if label is None else self.classes.index(label)
        coarse, _ = simplify(strokes, SIMPLIFICATION / placement.scale, self.limit)
        return float(score(self.network, [index], coarse, [placement])[0])

    def _prefix(self, known: _Known) -> Prefix:
        """Take a drawing into the frame."""
        tolerance = SIMPLIFICATION / known.placement.scale
        fine, _ = simplify(known.strokes, tolerance, self.limit)
        return make_prefix(fine, known.placement, known.chosen_for[1])

    def _labels(
        self, label: str | None, ranking: Ranking, prefix: Prefix | None, readings: Readings
    ) -> list[int]:
        """Choose the class of each that is drawn, first for those that are shown.

        Those of a guess are in proportion to how likely it is that the drawing shows them and
        is not finished; the likeliest come first.
        """
        if label is not None:
            return [self.classes.index(label)] * BEGUN
        if not ranking or prefix is None:
            return [len(self.classes)] * BEGUN
        ranking = answers(ranking)
        names = [name for name, _ in ranking]
        going = self._going_on(prefix, readings, [self.classes.index(name) for name in names])
        # Squared: what is nearly finished has little to add.
        weights = going**2 * [share for _, share in ranking]
        order = np.argsort(-weights, kind="stable")
        likely = tuple((names[i], float(weights[i])) for i in order)
        places = {name: place for place, (name, _) in enumerate(likely)}
        picked = [pick(likely, number) for number in range(BEGUN)]
        picked[:COUNT] = sorted(picked[:COUNT], key=lambda name: places[name])
        return [self.classes.index(name) for name in picked]

    def _going_on(
        self, prefix: Prefix, readings: Readings, labels: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return the probability that a drawing is not finished yet, for each class."""
        _, stream = readings.read(prefix, labels)
        features, _ = describe(prefix.positions[None], np.append(prefix.pens, DRAW))
        last = np.repeat(features[:, -1], len(labels), axis=0)
        logits = self.network.pen_logits(stream, last).astype(np.float64)
        going: NDArray[np.float64] = 1 / (1 + np.exp(logits[:, END] - logits[:, LIFT]))
        return going


def _better(drawn: Sequence[_Drawn], context: Sequence[Stroke]) -> list[_Drawn]:
    """Choose what is shown in the places of the first ``COUNT``.

    Args:
        drawn: All that was drawn.
        context: What all of it goes on with.

    Returns:
        ``COUNT`` of them, of the same classes where there are enough worth showing, in the
        same order of classes, the best of each first; without strokes where nothing is left.
    """
    extent = _extent(context) or _extent([line for each in drawn for line in each.strokes])
    lines = [shapely.MultiLineString(each.strokes) for each in drawn]
    best: list[int] = []
    for i in np.argsort(-_scores(drawn, context), kind="stable").tolist():
        twins = (shapely.hausdorff_distance(lines[i], lines[k]) < TWIN * extent for k in best)
        if drawn[i].over and drawn[i].length > SPECK * extent and not any(twins):
            best.append(i)
    # As many of each class as there were, as far as there are.
    places = Counter(each.label for each in drawn[:COUNT])
    kept: list[int] = []
    spare: list[int] = []
    for i in best:
        places[drawn[i].label] -= 1
        (kept if places[drawn[i].label] >= 0 else spare).append(i)
    order = list(dict.fromkeys(each.label for each in drawn))
    shown = [drawn[i] for i in [*kept, *spare][:COUNT]]
    shown.sort(key=lambda each: order.index(each.label))  # stable: the best come first
    return shown + [_Drawn("")] * (COUNT - len(shown))


def _extent(strokes: Sequence[Stroke]) -> float:
    """Return the longer side of strokes; 0 where there are none."""
    return float(np.ptp(np.concatenate(strokes), axis=0).max()) if strokes else 0.0


def _scores(drawn: Sequence[_Drawn], context: Sequence[Stroke]) -> NDArray[np.float64]:
    """Return how surely the recogniser sees its class in each; 0 for what it does not know."""
    recogniser, scores = bundled(), np.zeros(len(drawn))
    known = [
        i
        for i, each in enumerate(drawn)
        if each.over and each.strokes and each.label in recogniser.classes
    ]
    if known:
        shares = recogniser.probabilities([[*context, *drawn[i].strokes] for i in known])
        columns = [recogniser.classes.index(drawn[i].label) for i in known]
        scores[known] = shares[np.arange(len(known)), columns]
    return scores


def _room(strokes: Sequence[Stroke], page: tuple[float, float]) -> Box:
    """Return where the finished drawing may lie: the page, and the drawing itself."""
    points = np.concatenate([*strokes, [(0.0, 0.0), page]])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return left, top, right, bottom


def _moved_into(room: Box, sketch: Sketch) -> Sketch:
    """Move a sketch by no more than it reaches beyond a box."""
    if not sketch.strokes:
        return sketch
    low, high = np.reshape(sketch.bounds, (2, 2))
    return sketch.moved(*np.minimum(room[2:] - high, 0) + np.maximum(room[:2] - low, 0))


def _turned(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Turn each stroke round: many draw theirs the other way than the model expects."""
    return [stroke[::-1] for stroke in strokes]


def _on_free_paper(page: tuple[float, float], others: Sequence[Box]) -> Placement:
    """Place a new drawing: near the middle of the page, and between those that are there."""
    size, middle = NEW_SHARE * min(page), np.array(page) / 2
    corner = middle - size / 2
    if others:
        corners, sides = _free_squares(page, others)
        side = min(size, float(sides.max(initial=0)))
        if side >= LEAST_SHARE * min(page):
            corners = corners[sides >= side]
            distances = np.linalg.norm(corners + side / 2 - middle, axis=1)
            size = 0.9 * side
            corner = corners[np.argmin(distances)] + (side - size) / 2
    return Placement(corner, FRAME / size, np.zeros(2))


def _free_squares(
    page: tuple[float, float], boxes: Sequence[Box]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the largest square outside of all boxes, for each cell of the page.

    Returns:
        The squares' upper left corners, (n, 2), and their sides, (n,).
    """
    cell = min(page) / CELLS
    width, height = np.floor_divide(page, cell).astype(int)
    free = np.ones((height, width), bool)
    for box in boxes:
        left, top, right, bottom = np.maximum(np.floor_divide(box, cell), -1).astype(int)
        free[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = False
    sides = np.zeros((height + 1, width + 1))
    for i, j in np.argwhere(free)[::-1]:
        sides[i, j] = 1 + min(sides[i, j + 1], sides[i + 1, j], sides[i + 1, j + 1])
    rows, columns = np.nonzero(sides)
    corners = np.column_stack([columns, rows]).astype(float)
    return corners * cell, sides[rows, columns] * cell


def _fits(prefix: Prefix) -> bool:
    """Tell whether a beginning lies in the frame."""
    least, most = prefix.positions.min(), prefix.positions.max()
    return bool(least >= -MARGIN and most <= FRAME + MARGIN)


def _on_page(
    stroke: Stroke,
    placement: Placement,
    joint: Stroke | None,
    page: tuple[float, float],
) -> tuple[Stroke, ...]:
    """Take a stroke out of the frame: a smooth one, cut off where the paper ends.

    Args:
        stroke: The stroke in the frame, (n, 2).
        placement: Where the drawing lies in the frame.
        joint: Where on the page the stroke begins, if it goes on with another, (2,).
        page: Width and height of the page.
    """
    own = placement.to_own(stroke)
    if joint is not None:
        own[0] = joint
    (curve,) = smooth([own], FLATNESS, SIMPLIFICATION / placement.scale)
    lines = vp.LineCollection([curve @ [1, 1j]])
    lines.crop(0, 0, *page)
    return tuple(vp.as_vector(line) for line in lines)
