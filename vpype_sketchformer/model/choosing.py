"""The best of several drawings, as the recogniser sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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
    tries: int,
    until_recognised: bool = True,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw sketches several times, and keep of each the one that most looks like its class.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from; the first try is that of ``sample``.
        tries: How often to draw each, at most.
        until_recognised: Whether a sketch is drawn no more once it ended by itself and the
            recogniser takes it for its class first.
        progress: Called with the number of sketches that have just been finished.
        style: See ``sample``.

    Returns:
        One sketch for each label: of those that ended, the one whose class the recogniser
        finds most probable. Of classes that it does not know, the first try.

    Raises:
        CheckpointError: There is no recogniser.
    """
    recogniser = bundled()
    best: dict[int, tuple[bool, float, Sketch]] = {}
    todo = list(range(len(labels)))
    for number in range(tries):
        drawn = sample(
            checkpoint,
            [labels[i] for i in todo],
            [_further(seeds[i], number) for i in todo],
            **style,
        )
        shares = recogniser.probabilities([sketch.strokes for sketch in drawn])
        done = set()
        for i, sketch, share in zip(todo, drawn, shares, strict=True):
            known = labels[i] in recogniser.classes
            right = float(share[recogniser.classes.index(labels[i])]) if known else 0.0
            if i not in best or (sketch.finished, right) > best[i][:2]:
                best[i] = sketch.finished, right, sketch
            agreed = sketch.finished and right == share.max()
            if not known or (until_recognised and agreed):
                done.add(i)
        if number == tries - 1:
            done = set(todo)
        progress(len(done))
        todo = [i for i in todo if i not in done]
        if not todo:
            break
    return [best[i][2] for i in range(len(labels))]


def _further(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed of a try; that of the first one is the sketch's own."""
    if number == 0:
        return seed
    key = (*seed.spawn_key, FURTHER + number)
    return np.random.SeedSequence(seed.entropy, spawn_key=key)
