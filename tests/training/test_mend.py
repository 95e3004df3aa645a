"""Mending broken one-line drawings, run as users run it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from click.testing import CliRunner, Result

from training.data import dataset
from training.data.dataset import Dataset
from training.mend import main

Stroke = np.ndarray


def mend(drawings: list[list[Stroke]], folder: Path) -> tuple[Dataset, Result]:
    """Write drawings to a file and run the command on it."""
    records = [
        {"word": "one line", "drawing": [np.rint(s.T).astype(int).tolist() for s in strokes]}
        for strokes in drawings
    ]
    source, out = folder / "broken.ndjson", folder / "mended.safetensors"
    source.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    result = CliRunner().invoke(main, [str(source), "-o", str(out)])
    assert result.exit_code == 0, result.output
    return dataset.load(out), result


def knot(left: float, width: float, height: float) -> Stroke:
    """A line that crosses itself many times."""
    t = np.linspace(0.1, 6.2, 300)
    x, y = (1 + np.cos(3 * t)) / 2, (1 + np.sin(4 * t)) / 2
    return np.column_stack([left + width * x, height * y])


def broken(line: Stroke) -> list[Stroke]:
    """The pieces of a line, with gaps between them, in some order."""
    pieces = np.split(line, range(25, len(line), 25))
    return pieces[::-2] + pieces[-2::-2]


def length(line: Stroke) -> float:
    return float(shapely.length(shapely.linestrings(line)))


def test_a_broken_line_becomes_the_line_that_it_was(tmp_path: Path) -> None:
    line = knot(0, 255, 255)
    packed, result = mend([broken(line)], tmp_path)
    assert len(packed) == 1
    path = packed.drawing(0).points.astype(float)
    assert length(path) == pytest.approx(length(line), rel=0.02)  # nothing twice
    assert shapely.hausdorff_distance(*map(shapely.linestrings, (path, line))) < 8
    assert packed.classes == ("figure",)
    assert "Andrew Look" in packed.sources[0]
    assert "MIT" in packed.sources[0]
    assert "1 figures mended" in result.output


def test_figures_are_divided_and_specks_dropped(tmp_path: Path) -> None:
    """Two figures, and a signature far from both."""
    signature = np.array([[252.0, 252], [255, 255]])
    strokes = broken(knot(0, 100, 200)) + broken(knot(140, 100, 180)) + [signature]
    packed, _ = mend([strokes, strokes], tmp_path)  # what comes twice is kept once
    assert len(packed) == 2
    for figure, wide in enumerate((255 * 100 / 200, 255 * 100 / 180)):
        points = packed.drawing(figure).points
        assert np.ptp(points, axis=0) == pytest.approx([wide, 255], abs=5)


def test_what_cannot_be_mended_is_left_out(tmp_path: Path) -> None:
    dashes = [np.array([[0.0, y], [20, y + 4]]) for y in range(0, 250, 12)]
    packed, result = mend([broken(knot(0, 255, 255)), dashes], tmp_path)
    assert len(packed) == 1
    assert "1 left out, figures: too much of it would be" in result.output


def test_real_drawings(look: Path, tmp_path: Path) -> None:
    """Most are mended, each to one path that covers the ink and little else."""
    lines = look.read_text(encoding="utf-8").splitlines()
    drawings = [
        [np.array(stroke, float).T for stroke in json.loads(line)["drawing"]] for line in lines
    ]
    covered, on_ink = [], []
    for strokes in drawings:
        try:
            packed, _ = mend([strokes], tmp_path)
        except AssertionError:  # nothing of it could be mended
            continue
        drawing = packed.drawing(0)
        if (
            np.abs(np.ptp(np.concatenate(strokes), axis=0) - np.ptp(drawing.points, 0)).max()
            > 2
        ):
            continue  # a part of the drawing, in another scale
        assert np.flatnonzero(drawing.pen).tolist() == [len(drawing.pen) - 1]  # one stroke
        path = shapely.linestrings(drawing.points.astype(float))
        ink = shapely.union_all([shapely.linestrings(stroke) for stroke in strokes])
        covered.append(shapely.intersection(ink, path.buffer(6)).length / ink.length)
        on_ink.append(shapely.intersection(path, ink.buffer(6)).length / path.length)
    assert len(covered) >= 6
    assert np.mean(covered) > 0.95
    assert np.mean(on_ink) > 0.9


def test_no_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["none.ndjson", "-o", str(tmp_path / "x.safetensors")])
    assert result.exit_code == 2
    assert "none.ndjson" in result.output
    assert not list(tmp_path.iterdir())
