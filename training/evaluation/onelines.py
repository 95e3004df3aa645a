"""Ways to draw in one line: how many sketches become one stroke, and stay recognisable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from training.data import dataset as datasets
from training.data.dataset import Dataset
from training.data.readers import simplify
from training.evaluation import Figures
from training.evaluation.linework import run
from training.evaluation.samples import see, to_drawing
from training.judge import Judge
from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.cleaning import clean_sketch
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.oneline.sketches import SIZE, in_one_line
from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.units import FLATNESS


def rows(
    checkpoint: Checkpoint, judges: Sequence[Judge], per_class: int
) -> tuple[list[tuple[str, Figures]], list[tuple[str, Figures]]]:
    """Draw as many of each class in every way.

    Returns:
        Rows of two tables: how the sketches come out, and how their lines run.
    """
    labels = [name for name in checkpoint.classes for _ in range(per_class)]
    seeds = np.random.SeedSequence(0).spawn(len(labels))
    draw = partial(sample, checkpoint, labels, seeds, temperature=DEFAULT_TEMPERATURE)
    free = draw()
    joined = [in_one_line(clean_sketch(sketch)) for sketch in free]
    ways = {
        "any strokes": free,
        "pen stays down": draw(one_line=True),
        "joined": [sparse(sketch) for sketch in joined],
    }
    run_so = {
        "strokes": [curves(sketch) for sketch in free],
        "shortest": [in_one_line(curves(sketch), smooth=False) for sketch in free],
        "joined": joined,
    }
    came = [(way, figures(sketches, checkpoint, judges)) for way, sketches in ways.items()]
    ran = []
    for way, sketches in run_so.items():
        pairs = zip(sketches, run_so["strokes"], strict=True)
        found = [run(a.strokes, b.strokes) for a, b in pairs if any(b.bounds)]
        ran.append((way, mean(found)))
    return came, ran


def sparse(sketch: Sketch) -> Sketch:
    """Return a sketch with as few points as the judges know from drawings."""
    if not any(sketch.bounds):
        return sketch
    return replace(sketch, strokes=tuple(simplify(sketch.strokes)))


def curves(sketch: Sketch) -> Sketch:
    """Return the strokes of a sketch as they are joined: at one size, as curves."""
    return sketch.fitted(SIZE).smoothed(FLATNESS) if sketch.strokes else sketch


def artist(drawings: Dataset) -> Figures:
    """Measure how the lines of one-line drawings run that a person drew."""
    found = []
    for i in range(len(drawings)):
        strokes = drawings.drawing(i).strokes
        found.append(run(strokes, strokes))
    return mean(found)


def mean(found: Sequence[Figures]) -> Figures:
    """Return the mean of each figure."""
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}


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
