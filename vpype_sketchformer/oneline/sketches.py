"""A sketch in one unbroken line."""

from __future__ import annotations

import math
from dataclasses import replace

from vpype_sketchformer.oneline.bridging import Limits
from vpype_sketchformer.oneline.unbroken import unbroken
from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.units import CM, FLATNESS

#: Strokes are joined at this size, in pixels, so that a sketch is the same line at all sizes.
SIZE = 10 * CM

#: The pen's width at that size: 0.3 mm on a sketch of 4 cm.
PEN = 0.075 * CM


def in_one_line(sketch: Sketch, smooth: bool = True, tails: bool = False) -> Sketch:
    """Join the strokes of a sketch, however far they are apart.

    Args:
        sketch: The sketch.
        smooth: Draw its strokes as curves, and join them as a hand would, see `unbroken`.
        tails: Lead the line on to the left and to the right of the sketch.
    """
    if not sketch.strokes:
        return sketch
    sketch = sketch.fitted(SIZE)
    if smooth:
        sketch = sketch.smoothed(FLATNESS)
    limits = Limits(max_bridge=math.inf, pen=PEN)
    joined = unbroken(sketch.strokes, limits, smooth=smooth, tails=tails)
    return replace(sketch, strokes=tuple(joined.paths))
