"""The best of several drawings of each: like its class, in one piece, and unlike the others.

The recogniser says how much a drawing looks like its class. Whether it holds together the
model knows itself: strokes that belong to nothing, and lines that miss what they were meant to
meet, are unlikely. And twenty on a sheet differ where each is unlike those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import DEFAULT_TRIES
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.looks import looks, nearest
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import RETRIES, sample
from vpype_sketchformer.sketch import Sketch

#: What has been drawn of each class, as rows of ``looks``.
Others = dict[str, list[NDArray[np.float64]]]

#: Where the seeds of further tries begin, so that they are nobody else's.
FURTHER = 1_000_000
#: What counts beside a nat of the class's probability: how far the nearest of the others is,
#: and a nat of the drawing's own likelihood, the mean of its points.
DIFFERENCE, LIKELIHOOD = 5.0, 1.5
#: What is likelier than this, in the mean of its points, goes over one spot again and again.
LIKELIEST = -4.5
#: The least probability that is told from none.
LEAST = 1e-4


def sample_best(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    tries: int = DEFAULT_TRIES,
    others: Others | None = None,
    retries: int = RETRIES,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw each sketch several times, and keep the best.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from; the first try is that of ``sample``.
        tries: How often to draw each. Where it is 1, or the recogniser does not know all
            classes, sketches are as they come.
        others: What was drawn before these; they are added to it. A sketch depends on it, and
            on those of its class before it, not on those that follow.
        retries: How often one that did not end is drawn again where they are as they come.
        progress: Called with the number of sketches that have just been finished.
        style: See ``sample``.

    Returns:
        One sketch for each label: of the tries that ended, the one that looks most like its
        class, is likeliest, and looks least like those of its class before it.

    Raises:
        CheckpointError: There is no recogniser.
    """
    if tries == 1 or not labels or not set(labels) <= set(bundled().classes):
        return sample(checkpoint, labels, seeds, retries=retries, progress=progress, **style)
    drawn = sample(
        checkpoint,
        [label for label in labels for _ in range(tries)],
        [further(seed, number) for seed in seeds for number in range(tries)],
        retries=0,
        progress=_in_wholes(progress, tries),
        **style,
    )
    worth, rows = _judged(drawn)
    others = {} if others is None else others
    best = []
    for begin, label in zip(range(0, len(drawn), tries), labels, strict=True):
        before = others.setdefault(label, [])
        numbers = range(begin, begin + tries)
        away = nearest(rows[begin : begin + tries], before)
        values = worth[begin : begin + tries] + DIFFERENCE * away
        k = max(numbers, key=lambda k: (drawn[k].finished, values[k - begin]))
        before.append(rows[k])
        best.append(drawn[k])
    return best


def _in_wholes(progress: Callable[[int], object], parts: int) -> Callable[[int], None]:
    """Tell the progress of parts in wholes."""
    done = 0

    def advance(finished: int) -> None:
        nonlocal done
        before, done = done // parts, done + finished
        progress(done // parts - before)

    return advance


def _judged(sketches: Sequence[Sketch]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what sketches are worth alone, (n,), and how they look, see ``looks``."""
    recogniser = bundled()
    drawings = [sketch.strokes for sketch in sketches]
    seen = recogniser.look(drawings)
    rows = [recogniser.classes.index(sketch.label) for sketch in sketches]
    right = recogniser.name_if_alike(seen)[np.arange(len(rows)), rows]
    likelihoods = np.minimum([sketch.likelihood for sketch in sketches], LIKELIEST)
    worth = np.log(np.maximum(right, LEAST)) + LIKELIHOOD * likelihoods
    return worth, looks(drawings, seen)


def further(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed of a try; that of the first one is the sketch's own."""
    if number == 0:
        return seed
    key = (*seed.spawn_key, FURTHER + number)
    return np.random.SeedSequence(seed.entropy, spawn_key=key)
