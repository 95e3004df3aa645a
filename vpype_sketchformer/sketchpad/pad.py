"""What is on the page: strokes, whose they are, and which drawing they belong to.

Lengths are vpype's pixels, 96 to the inch, y pointing down. A stroke has a number that grows,
so that one that was erased and is brought back takes its old place in the drawing order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.wording import is_name

Stroke = NDArray[np.float64]
Box = tuple[float, float, float, float]

#: Who drew a stroke.
YOU, MODEL = "you", "model"
#: How strokes become layers.
BY_AUTHOR, BY_DRAWING, TOGETHER = "author", "drawing", "one"
WAYS = (BY_AUTHOR, BY_DRAWING, TOGETHER)
#: Pens to choose from besides the plain one, whose name is empty: colour, and width in mm.
PENS = {
    f"{name} {width} mm": (colour, width)
    for name, colour in {
        "black": "#000000",
        "red": "#c62828",
        "blue": "#1565c0",
        "green": "#2e7d32",
    }.items()
    for width in (0.3, 0.5, 0.8)
}
#: The most that a page takes, so that memory stays bounded.
MOST_STROKES, MOST_POINTS = 20_000, 1_000_000
#: Coordinates beyond this are no drawing, pixels.
LARGEST_COORDINATE = 1e5
#: Smallest and largest side of a page, pixels.
SHORTEST, LONGEST = 40.0, 20_000.0


class PadError(ValueError):
    """Something that cannot be put on a page; the message is one clear line."""


@dataclass(frozen=True)
class Inked:
    """A stroke on the page.

    Attributes:
        drawing: The number of the drawing it belongs to.
        by: Who drew it, ``YOU`` or ``MODEL``.
        points: Its points, (n, 2), n >= 2.
        pen: What it is drawn with, one of `PENS`; empty for the plain one.
        pressure: How hard a pen was pressed, from 0 to 1, at each point, for the screen only;
            empty where that is not known.
    """

    drawing: int
    by: str
    points: Stroke
    pen: str = ""
    pressure: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, value: Any) -> Inked:
        """Read a stroke: ``drawing``, ``by``, ``pen``, ``pressure``, ``points`` as x, y, x, y.

        Raises:
            PadError: It is none.
        """
        value = as_object(value)
        by, points, pen = value.get("by"), value.get("points"), value.get("pen", "")
        if by not in (YOU, MODEL):
            raise PadError("a stroke is drawn by you or by the model.")
        if not isinstance(pen, str) or (pen and pen not in PENS):
            raise PadError("nobody has such a pen.")
        if not isinstance(points, list) or len(points) < 4 or len(points) % 2:
            raise PadError("a stroke's points are two or more pairs of numbers.")
        numbers = [
            as_number(point, -LARGEST_COORDINATE, LARGEST_COORDINATE) for point in points
        ]
        pressure = value.get("pressure", [])
        if not isinstance(pressure, list) or len(pressure) not in (0, len(points) // 2):
            raise PadError("pressure is a number for each point.")
        return cls(
            as_count(value.get("drawing")),
            by,
            np.array(numbers).reshape(-1, 2),
            pen,
            tuple(as_number(share, 0, 1) for share in pressure),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        pen = {"pen": self.pen} if self.pen else {}
        pressure = {"pressure": list(self.pressure)} if self.pressure else {}
        points = flat(self.points)
        return {"drawing": self.drawing, "by": self.by, "points": points, **pen, **pressure}


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of the result.

    Attributes:
        name: Its name.
        pen: What it is drawn with, see `Inked`.
        strokes: Its strokes.
    """

    name: str
    pen: str
    strokes: list[Stroke]


@dataclass
class Pad:
    """A page with drawings.

    Attributes:
        size: Width and height.
        strokes: The strokes by number.
        labels: The class that was chosen for a drawing, by the drawing's number.
    """

    size: tuple[float, float]
    strokes: dict[int, Inked] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)

    def change(self, message: Mapping[str, Any]) -> None:
        """Change what is on the page, all of it or nothing.

        Args:
            message: ``put``, strokes by number; ``drop``, numbers of strokes that go;
                ``labels``, classes by drawing, null for none. All may be left out.

        Raises:
            PadError: It is no such message, or too much for a page.
        """
        put = {
            as_count(number): Inked.from_json(stroke)
            for number, stroke in as_object(message.get("put", {})).items()
        }
        drop = message.get("drop", [])
        if not isinstance(drop, list):
            raise PadError("what goes is a list of numbers.")
        strokes = self.strokes | put
        for number in drop:
            strokes.pop(as_count(number), None)
        if len(strokes) > MOST_STROKES:
            raise PadError(f"a page takes at most {MOST_STROKES} strokes.")
        if sum(len(stroke.points) for stroke in strokes.values()) > MOST_POINTS:
            raise PadError(f"a page takes at most {MOST_POINTS} points.")
        labels = {
            as_count(number): as_label(label)
            for number, label in as_object(message.get("labels", {})).items()
        }
        self.strokes = dict(sorted(strokes.items()))
        merged = self.labels | labels
        self.labels = {number: label for number, label in merged.items() if label}

    def resize(self, size: Any) -> None:
        """Take a page of another size.

        Raises:
            PadError: It is no size of a page.
        """
        self.size = as_size(size)

    def drawing(self, number: int) -> list[Stroke]:
        """Return the strokes of a drawing, in drawing order."""
        return [s.points for s in self.strokes.values() if s.drawing == number]

    def boxes(self, number: int) -> list[Box]:
        """Return the boxes around all drawings but this one: left, top, right, bottom."""
        others = {s.drawing for s in self.strokes.values()} - {number}
        drawings = [np.concatenate(self.drawing(other)) for other in sorted(others)]
        return [(*points.min(axis=0), *points.max(axis=0)) for points in drawings]

    def layers(self, way: str) -> list[Layer]:
        """Sort the strokes into layers, one for each pen; none is empty."""
        keys: list[Any]
        names: dict[Any, str]
        if way == BY_AUTHOR:
            names = {YOU: "drawn by hand", MODEL: "drawn by the model"}
            keys = [stroke.by for stroke in self.strokes.values()]
        elif way == BY_DRAWING:
            keys = [stroke.drawing for stroke in self.strokes.values()]
            names = {
                number: self.labels.get(number) or f"drawing {i}"
                for i, number in enumerate(sorted(set(keys)), 1)
            }
        else:
            names, keys = {None: "sketchpad"}, [None] * len(self.strokes)
        places = {key: i for i, key in enumerate(names)}
        found: dict[tuple[Any, str], list[Stroke]] = {}
        for key, stroke in zip(keys, self.strokes.values(), strict=True):
            found.setdefault((key, stroke.pen), []).append(stroke.points)
        return [
            Layer(f"{names[key]}, {pen}" if pen else names[key], pen, joined(strokes))
            for (key, pen), strokes in sorted(found.items(), key=lambda kv: places[kv[0][0]])
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return {
            "size": list(self.size),
            "strokes": {str(n): stroke.to_json() for n, stroke in self.strokes.items()},
            "labels": {str(n): label for n, label in self.labels.items()},
        }

    @classmethod
    def from_json(cls, value: Any) -> Pad:
        """Read a page.

        Raises:
            PadError: It is none.
        """
        value = as_object(value)
        pad = cls(as_size(value.get("size")))
        pad.change({"put": value.get("strokes", {}), "labels": value.get("labels", {})})
        return pad


def parse(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        PadError: It is none.
    """
    try:
        return as_object(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise PadError("that is no JSON object.") from error


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object; `PadError` if it is something else."""
    if not isinstance(value, dict):
        raise PadError("an object was expected.")
    return value


def as_number(value: Any, least: float, most: float) -> float:
    """Return a number in a range; `PadError` if it is something else."""
    if type(value) not in (int, float) or not least <= value <= most:
        raise PadError(f"a number from {least:g} to {most:g} was expected.")
    return float(value)


def as_count(value: Any) -> int:
    """Return a whole number, of a JSON key too; `PadError` if it is something else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if type(value) is not int or not 0 <= value < 2**53:
        raise PadError("a whole number was expected.")
    return value


def as_label(value: Any) -> str:
    """Return the name of a class, empty for none; `PadError` if it is something else."""
    if value is None or value == "":
        return ""
    if not is_name(value):
        raise PadError("the name of a class was expected.")
    return str(value)


def as_size(value: Any) -> tuple[float, float]:
    """Return the size of a page; `PadError` if it is something else."""
    if not isinstance(value, list) or len(value) != 2:
        raise PadError("a page has a width and a height.")
    width, height = (as_number(side, SHORTEST, LONGEST) for side in value)
    return width, height


def flat(points: Stroke) -> list[float]:
    """Return points as x, y, x, y, to a hundredth of a pixel."""
    return [0.0 if x == 0 else x for x in np.round(points, 2).ravel().tolist()]


def joined(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Make one stroke of strokes that go on where the one before ends."""
    result: list[Stroke] = []
    for stroke in strokes:
        if result and np.array_equal(result[-1][-1], stroke[0]):
            result[-1] = np.concatenate([result[-1], stroke[1:]])
        else:
            result.append(stroke)
    return result
