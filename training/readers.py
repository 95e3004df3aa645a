"""Drawings from the files that Google publishes: Quick, Draw! ``.ndjson``, sketch-rnn ``.npz``.

A record that is no drawing is reported and skipped, so that one bad line does not cost
100,000 good ones. A file that cannot be read, or in which no record is good, is an error.

The formats: https://github.com/googlecreativelab/quickdraw-dataset
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from training.dataset import DatasetError, Drawing, drawing_from_strokes

#: The longer side of a simplified drawing, in pixels.
FRAME = 255
#: Tolerance of Ramer-Douglas-Peucker in Google's simplification, in pixels.
EPSILON = 2.0
#: No raw stroke may be longer, in pixels: 20 seconds of drawing stay far below, and the cost
#: of resampling stays bounded.
LONGEST = 100_000

Stroke = NDArray[np.float64]
Record = TypeVar("Record")


class ReaderError(ValueError):
    """A file that cannot be read; the message is one clear line."""


@dataclass(frozen=True)
class Skipped:
    """A record that was left out: where it stands (file, line or index), and why."""

    path: Path
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}, {self.where}: skipped, {self.why}"


Report = Callable[[Skipped], None]


def log_skipped(skipped: Skipped) -> None:
    """Report a skipped record as a warning of this module's logger."""
    logging.getLogger(__name__).warning("%s", skipped)


def read_ndjson(path: Path, report: Report = log_skipped) -> Iterator[Drawing]:
    """Read a Quick, Draw! file, simplified or raw, told apart line by line.

    Simplified drawings (x and y per stroke) stay as they are; raw ones (x, y and time) are
    simplified as Google simplifies them. Empty lines are passed over.

    Args:
        path: A file with one JSON object per line.
        report: Called with every line that is skipped.

    Yields:
        The drawings, in the order of the file.

    Raises:
        ReaderError: The file cannot be read, or no line of it is a drawing.
    """

    def records() -> Iterator[tuple[str, bytes]]:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"line {number}", line

    return _keep_good(path, records(), _drawing_from_json, report)


def simplify(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Simplify a raw drawing in the four steps that Google documents.

    Align to the top left corner, scale uniformly to a longer side of 255, resample every
    stroke at 1 pixel, simplify with Ramer-Douglas-Peucker, epsilon 2.

    Args:
        strokes: One array (n, 2) of x, y per stroke, n >= 1, in any unit.

    Returns:
        One array (m, 2) per stroke, in pixels, not rounded.

    Raises:
        DatasetError: The drawing has no extent, or a stroke is absurdly long.
    """
    return [_ramer_douglas_peucker(_resample(stroke)) for stroke in fit_frame(strokes)]


def fit_frame(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Align to the top left corner and scale uniformly to a longer side of 255.

    Args:
        strokes: One array (n, 2) of x, y per stroke, n >= 1, in any unit.

    Raises:
        DatasetError: The drawing has no extent.
    """
    points = np.concatenate(strokes)
    corner = points.min(axis=0)
    extent = float((points.max(axis=0) - corner).max())
    if not 0 < extent < np.inf:
        raise DatasetError("all points in one place")
    return [(stroke - corner) / extent * FRAME for stroke in strokes]


def _resample(stroke: Stroke) -> Stroke:
    """Walk along a stroke in steps of 1 pixel; the last point is kept."""
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] > LONGEST:
        raise DatasetError(f"a stroke is longer than {LONGEST} pixels")
    at = np.append(np.arange(0.0, along[-1]), along[-1])
    return np.column_stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)])


def _ramer_douglas_peucker(stroke: Stroke) -> Stroke:
    if len(stroke) < 2:
        return stroke
    line = shapely.LineString(stroke)
    return shapely.get_coordinates(line.simplify(EPSILON, preserve_topology=False))


def _drawing_from_json(line: bytes) -> Drawing:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError("not JSON") from error
    if not isinstance(record, dict):
        raise DatasetError("not a JSON object")
    recognized = record.get("recognized")
    if not (recognized is None or isinstance(recognized, bool)):
        raise DatasetError('"recognized" is neither true nor false')
    strokes, is_raw = _strokes_from_json(record.get("drawing"))
    if is_raw:
        strokes = simplify(strokes)
    return _drawing(strokes, record.get("word"), recognized)


def _strokes_from_json(drawing: Any) -> tuple[list[Stroke], bool]:
    """Return the strokes, and whether they are raw, that is, whether they have times."""
    if not isinstance(drawing, list) or not drawing:
        raise DatasetError('"drawing" is not a list of strokes')
    if not all(isinstance(stroke, list) for stroke in drawing):
        raise DatasetError("a stroke is not a list")
    rows = {len(stroke) for stroke in drawing}
    if rows != {2} and rows != {3}:
        raise DatasetError("strokes are neither all [x, y] nor all [x, y, t]")
    return [_stroke_from_json(stroke) for stroke in drawing], rows == {3}


def _stroke_from_json(rows: list[Any]) -> Stroke:
    for row in rows:
        # A bool is an int to isinstance, and NumPy would take "1" for a number.
        if not isinstance(row, list) or not set(map(type, row)) <= {int, float}:
            raise DatasetError("coordinates are not lists of numbers")
    if not rows[0] or len({len(row) for row in rows}) > 1:
        raise DatasetError("coordinate lists are empty or of unequal length")
    try:
        stroke = np.array(rows[:2], np.float64).T
    except OverflowError as error:
        raise DatasetError("a coordinate is out of range") from error
    if not np.isfinite(stroke).all():
        raise DatasetError("a coordinate is not finite")
    return stroke


def _drawing(strokes: list[Stroke], label: Any, recognized: bool | None = None) -> Drawing:
    """Pack strokes whose values are numbers; the label is still anything."""
    if not isinstance(label, str) or not label.strip() or not label.isprintable():
        raise DatasetError("no class name")
    # Quick, Draw! writes a dot as two equal points: the model shall know one spelling only.
    strokes = [np.repeat(stroke, 2, axis=0) if len(stroke) == 1 else stroke for stroke in strokes]
    drawing = drawing_from_strokes(strokes, label, recognized)
    if not np.ptp(drawing.points, axis=0).any():
        raise DatasetError("all points in one place")
    return drawing


def _keep_good(
    path: Path,
    records: Iterator[tuple[str, Record]],
    parse: Callable[[Record], Drawing],
    report: Report,
) -> Iterator[Drawing]:
    """Yield the drawings that parse, report those that do not.

    Raises:
        ReaderError: The file cannot be read, or nothing in it parses.
    """
    found = False
    first: Skipped | None = None
    try:
        for where, record in records:
            try:
                drawing = parse(record)
            except DatasetError as error:
                skipped = Skipped(path, where, str(error))
                first = first or skipped
                report(skipped)
            else:
                found = True
                yield drawing
    except OSError as error:
        raise ReaderError(f"{path}: {error.strerror or error}") from error
    if not found:
        why = f"the first, {first.where}: {first.why}" if first else "it is empty"
        raise ReaderError(f"{path}: no drawings in it ({why})")


READERS = {".ndjson": read_ndjson}


def read(path: Path, report: Report = log_skipped) -> Iterator[Drawing]:
    """Read a file in the format that its name ends with."""
    return READERS[path.suffix](path, report)
