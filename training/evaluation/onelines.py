"""Ways to draw in one line: how many sketches become one stroke, and stay recognisable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from training.data import dataset as datasets
from training.evaluation import Figures
from training.evaluation.samples import see, to_drawing
from training.judge import Judge
from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.oneline import Limits, unbroken
from vpype_sketchformer.sketch import Sketch


def rows(
    checkpoint: Checkpoint, judges: Sequence[Judge], per_class: int
) -> list[tuple[str, Figures]]:
    """Draw as many of each class in every way; returns a row of the table for each."""
    labels = [name for name in checkpoint.classes for _ in range(per_class)]
    seeds = np.random.SeedSequence(0).spawn(len(labels))
    draw = partial(sample, checkpoint, labels, seeds, temperature=DEFAULT_TEMPERATURE)
    free = draw()
    ways = {
        "any strokes": free,
        "pen stays down": draw(one_line=True),
        "... best of 4": draw(one_line=True, best_of=4),
        "joined": [joined(sketch) for sketch in free],
    }
    return [(way, figures(sketches, checkpoint, judges)) for way, sketches in ways.items()]


def joined(sketch: Sketch) -> Sketch:
    """Join the strokes of a sketch, as `sketchgen --one-line` does."""
    paths = unbroken(sketch.strokes, Limits(max_bridge=math.inf)).paths
    return replace(sketch, strokes=tuple(paths))


def figures(
    sketches: Sequence[Sketch], checkpoint: Checkpoint, judges: Sequence[Judge]
) -> Figures:
    """Measure sketches that were drawn in one way."""
    drawn = datasets.pack([to_drawing(sketch) for sketch in sketches], checkpoint.classes)
    seen = see(drawn, np.arange(len(drawn)), judges)
    return {
        "one stroke": float(np.mean([len(sketch.strokes) == 1 for sketch in sketches])),
        "ended": float(np.mean([sketch.finished for sketch in sketches])),
        **seen.recognised(),
        "points": float(seen.shapes["points"].mean()),
        "ink": float(seen.shapes["ink"].mean()),
    }
