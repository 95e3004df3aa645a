"""Pictures of a run: its curve, and sheets of samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import svgwrite

from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import Sketch

#: What a sheet of samples shows, where the model knows it.
SHOWN = ("cat", "dog", "face", "flower", "bicycle", "house", "owl", "butterfly")
COLUMNS = 10
CELL = 96
#: Room for the name under a sketch.
CAPTION = 12
CURVE_SIZE = (640, 400)
MARGIN = 48


def draw_curve(entries: Sequence[dict[str, float]], path: Path) -> None:
    """Draw training and validation loss over steps as an SVG."""
    width, height = CURVE_SIZE
    steps = [entry["step"] for entry in entries]
    values = [entry[name] for entry in entries for name in ("train", "valid")]
    low, high = min(values), max(values)
    span = max(high - low, 1e-9)
    drawing = svgwrite.Drawing(str(path), size=CURVE_SIZE)
    drawing.add(drawing.rect((0, 0), CURVE_SIZE, fill="white"))
    text = {"font_family": "sans-serif", "font_size": 12}
    for value in (low, high):
        y = height - MARGIN - (value - low) / span * (height - 2 * MARGIN)
        drawing.add(drawing.text(f"{value:.2f}", (6, y + 4), **text))
        drawing.add(drawing.line((MARGIN, y), (width - MARGIN, y), stroke="#ccc"))
    for name, colour, row in (("train", "#999", 0), ("valid", "#c33", 1)):
        points = [
            (
                MARGIN + entry["step"] / max(steps) * (width - 2 * MARGIN),
                height - MARGIN - (entry[name] - low) / span * (height - 2 * MARGIN),
            )
            for entry in entries
        ]
        drawing.add(drawing.polyline(points, stroke=colour, fill="none", stroke_width=2))
        place = (width - 3 * MARGIN, MARGIN + 18 * row)
        drawing.add(drawing.text(f"{name}, nats per point", place, fill=colour, **text))
    drawing.add(drawing.text(f"step {max(steps)}", (width - 2 * MARGIN, height - 16), **text))
    drawing.save()


def draw_samples(checkpoint: Checkpoint, path: Path) -> None:
    """Draw a sheet of samples, a class per row, as an SVG."""
    names = [name for name in SHOWN if name in checkpoint.classes] or checkpoint.classes[:8]
    labels = [name for name in names for _ in range(COLUMNS)]
    seeds = np.random.SeedSequence(0).spawn(len(labels))
    sketches = sample(checkpoint, labels, seeds, temperature=DEFAULT_TEMPERATURE)
    draw_sheet(sketches, COLUMNS, path)


def draw_sheet(
    sketches: Sequence[Sketch], columns: int, path: Path, captions: bool = False
) -> None:
    """Draw sketches side by side in cells of the same size, as an SVG.

    Args:
        sketches: What to draw.
        columns: Cells in a row.
        path: The file.
        captions: Whether the name of its class stands under each sketch.
    """
    height = CELL + CAPTION if captions else CELL
    size = (columns * CELL, -(-len(sketches) // columns) * height)
    drawing = svgwrite.Drawing(str(path), size=size)
    drawing.add(drawing.rect((0, 0), size, fill="white"))
    pen = drawing.g(
        fill="none", stroke="black", stroke_linecap="round", stroke_linejoin="round"
    )
    words = drawing.g(font_family="sans-serif", font_size=9, text_anchor="middle", fill="#555")
    for i, sketch in enumerate(sketches):
        left, top = i % columns * CELL, i // columns * height
        placed = sketch.fitted(0.8 * CELL).smoothed(0.1)
        _, _, wide, high = placed.bounds
        placed = placed.moved(left + (CELL - wide) / 2, top + (CELL - high) / 2)
        for stroke in placed.strokes:
            pen.add(drawing.polyline(np.round(stroke, 2).tolist()))
        if captions:
            words.add(drawing.text(sketch.label, (left + CELL / 2, top + CELL + CAPTION / 2)))
    drawing.add(pen)
    drawing.add(words)
    drawing.save()
