"""The best of several rests of a beginning: the one that fits what is there.

The recogniser says which looks most like its class. Of a drawing that it knows already it says
the same whatever is added, so the model's own likelihood has a say as well.

What does not fit is known by what people hardly do when they finish a drawing, measured on
validation drawings: make it look less like what it is, or draw a line a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.choosing import further
from vpype_sketchformer.model.prefix import Prefix
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import Sketch

Stroke = NDArray[np.float64]

#: Of its probability before, what a class keeps at least when people finish a drawing: nine
#: times in ten.
KEPT = 0.75
#: How much of the rest, at most, runs along lines that were there: 98 times in 100.
MOST_RETRACED = 0.2
#: What a nat of a rest's likelihood, the mean of its points, counts beside one of its class's
#: probability.
LIKELIHOOD = 0.3
#: The least probability that is told from none.
LEAST = 1e-9
#: Lines nearer than this share of the drawing, within some 25 degrees, run along each other.
BESIDE, PARALLEL = 0.02, 0.9
#: Lines are looked at from places so far apart, as a share of the drawing.
STEP = 0.01


def sample_fitting(
    checkpoint: Checkpoint,
    label: str,
    seeds: Sequence[np.random.SeedSequence],
    prefix: Prefix,
    *,
    tries: int,
    or_nothing: bool,
    **style: Any,
) -> list[Sketch]:
    """Finish a beginning, once for each seed, and keep the best of several tries.

    Args:
        checkpoint: The model.
        label: What the drawing shows, one of the checkpoint's classes.
        seeds: What each drawing is drawn from; the first try is that of ``sample``.
        prefix: The beginning.
        tries: How often to draw each. Where it is 1, drawings are as they come.
        or_nothing: Whether nothing is added where half of the tries add nothing, or where
            none fits. Otherwise nothing is added only where no try adds anything.
        style: See ``sample``.

    Returns:
        One drawing for each seed, the beginning first: of the tries that fit, if there are
        any, and of those that ended, the one whose class the recogniser, and whose rest the
        model finds most probable: strokes that belong to nothing are unlikely.
        Of a class that the recogniser does not know, the model's word alone counts.

    Raises:
        CheckpointError: There is no recogniser.
    """
    if tries == 1:
        return sample(checkpoint, [label] * len(seeds), seeds, prefix=prefix, **style)
    drawn = sample(
        checkpoint,
        [label] * len(seeds) * tries,
        [further(seed, number) for seed in seeds for number in range(tries)],
        prefix=prefix,
        **style,
    )
    old = prefix.strokes
    rests = [prefix.rest(sketch.strokes) for sketch in drawn]
    fits = np.array([bool(rest) and retraced(old, rest) <= MOST_RETRACED for rest in rests])
    scores = LIKELIHOOD * np.array([sketch.likelihood for sketch in drawn])
    recogniser = bundled()
    if label in recogniser.classes:
        seen = recogniser.look([old, *(sketch.strokes for sketch in drawn)])
        alike = recogniser.name_if_alike(seen)
        before, *shares = alike[:, recogniser.classes.index(label)]
        fits &= np.array(shares) >= KEPT * before
        scores += np.log(np.maximum(shares, LEAST))

    result = []
    for first in range(0, len(drawn), tries):
        numbers = range(first, first + tries)
        adding = [number for number in numbers if rests[number]]
        kept = [number for number in numbers if fits[number]]
        if or_nothing and len(adding) <= tries / 2:
            kept = []
        elif not or_nothing:
            kept = kept or adding
        best = max(kept, key=lambda k: (drawn[k].finished, scores[k]), default=None)
        if best is None:
            ended = any(drawn[number].finished for number in numbers)
            result.append(Sketch(tuple(old), label, ended))
        else:
            result.append(drawn[best])
    return result


def retraced(old: Sequence[Stroke], new: Sequence[Stroke]) -> float:
    """Return which share of new lines runs along old ones.

    Args:
        old: Strokes, (n, 2) each, n >= 1, in any unit.
        new: Strokes that were added to them.
    """
    size = float(np.ptp(np.concatenate([*old, *new]), axis=0).max())
    begins, ways = _segments(new)
    if not len(ways):
        return 0.0
    counts = np.ceil(np.hypot(*ways.T) / (STEP * size)).astype(int)
    cut = np.repeat(np.arange(len(ways)), counts)
    number = np.arange(len(cut)) - (np.cumsum(counts) - counts)[cut]
    steps = ways[cut] / counts[cut, None]
    middles = begins[cut] + (number + 0.5)[:, None] * steps
    lengths = np.hypot(*steps.T)
    begins, ways = _segments(old)
    away = middles[:, None] - begins
    along = np.clip((away * ways).sum(axis=2) / (ways**2).sum(axis=1), 0, 1)
    apart = np.hypot(*np.moveaxis(away - along[..., None] * ways, 2, 0))
    parallel = np.abs(steps @ ways.T) > PARALLEL * lengths[:, None] * np.hypot(*ways.T)
    again = ((apart < BESIDE * size) & parallel).any(axis=1)
    return float(lengths[again].sum() / lengths.sum())


def _segments(strokes: Sequence[Stroke]) -> tuple[Stroke, Stroke]:
    """Return where the segments of strokes begin, and where they lead from there."""
    begins = np.concatenate([stroke[:-1] for stroke in strokes])
    ways = np.concatenate([np.diff(stroke, axis=0) for stroke in strokes])
    moved = np.any(ways != 0, axis=1)
    return begins[moved], ways[moved]
