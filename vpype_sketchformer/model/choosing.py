"""The best of several drawings, as the recogniser sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vpype_sketchformer import DEFAULT_TRIES
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import Sketch

#: Where the seeds of further tries begin, so that they are nobody else's.
FURTHER = 1_000_000


def sample_recognised(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    tries: int = DEFAULT_TRIES,
    best_of: int = 1,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw sketches that look like their classes: what does not is drawn again.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from; the first try is that of ``sample``.
        tries: How often to draw each, at most: one that did not end by itself, or that the
            recogniser does not take for its class first, is drawn again.
        best_of: Where it is more than 1: draw each as often, whatever it looks like.
        progress: Called with the number of sketches that have just been finished.
        style: See ``sample``.

    Returns:
        One sketch for each label: of those that ended, the one whose class the recogniser
        finds most probable. A model with classes that it does not know chooses for itself,
        see ``sample``.

    Raises:
        CheckpointError: There is no recogniser.
    """
    if max(tries, best_of) > 1:
        recogniser = bundled()
        if set(labels) <= set(recogniser.classes):
            return _choose(checkpoint, labels, seeds, tries, best_of, progress, style)
    return sample(checkpoint, labels, seeds, best_of=best_of, progress=progress, **style)


def _choose(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    tries: int,
    best_of: int,
    progress: Callable[[int], object],
    style: dict[str, Any],
) -> list[Sketch]:
    recogniser = bundled()
    best: dict[int, tuple[bool, float, Sketch]] = {}
    todo = list(range(len(labels)))
    # Further tries side by side: one after the other takes longer.
    rounds = [range(best_of)] if best_of > 1 else [range(1), range(1, tries)]
    for numbers in filter(len, rounds):
        wanted = [i for i in todo for _ in numbers]
        drawn = sample(
            checkpoint,
            [labels[i] for i in wanted],
            [further(seeds[i], number) for i in todo for number in numbers],
            **style,
        )
        shares = recogniser.probabilities([sketch.strokes for sketch in drawn])
        shares = shares / recogniser.tensors["prior"]  # all classes alike
        again = set(todo)
        for i, sketch, share in zip(wanted, drawn, shares, strict=True):
            right = float(share[recogniser.classes.index(labels[i])])
            if i not in best or (sketch.finished, right) > best[i][:2]:
                best[i] = sketch.finished, right, sketch
            if sketch.finished and right == share.max():
                again.discard(i)
        if numbers[-1] + 1 == max(tries, best_of) or best_of > 1:
            again = set()
        progress(len(todo) - len(again))
        todo = sorted(again)
        if not todo:
            break
    return [best[i][2] for i in range(len(labels))]


def further(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed of a try; that of the first one is the sketch's own."""
    if number == 0:
        return seed
    key = (*seed.spawn_key, FURTHER + number)
    return np.random.SeedSequence(seed.entropy, spawn_key=key)
