"""What a plotter is to draw, and the small file that keeps how far it got."""

from __future__ import annotations

import glob
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import vpype as vp

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.units import MM
from vpype_sketchformer.wording import OneLineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stroke = NDArray[np.complex128]


#: The first value in a job file, so that no other file is taken for one.
FORMAT = "vpype-sketchformer-job-1"

#: A job file that is larger, in bytes, is none.
LARGEST = 10_000_000

Place = tuple[float, float, float]


class JobError(OneLineError):
    """A drawing that cannot be plotted, or a job file that is of no use; says why."""


@dataclass(frozen=True, eq=False)
class Layer:
    """What one pen draws.

    Attributes:
        number: The layer's ID in vpype.
        name: Its name; empty if it has none.
        color: Its colour as ``#rrggbb``; empty if it has none.
        strokes: Points x + iy in mm; one point is a dot.
    """

    number: int
    name: str
    color: str
    strokes: tuple[Stroke, ...]

    def __str__(self) -> str:
        """Name the layer for the one who changes the pens."""
        details = [repr(self.name)] if self.name else []
        details += [self.color] if self.color else []
        return " ".join([f"layer {self.number}", *details])


@dataclass(frozen=True, eq=False)
class Job:
    """The strokes of a document in the order of drawing, y down as in vpype.

    Attributes:
        layers: The layers that have strokes.
        page: Width and height of the page in mm, None if the document has none.
    """

    layers: tuple[Layer, ...]
    page: tuple[float, float] | None

    @classmethod
    def from_document(cls, document: vp.Document) -> Job:
        """Take what is to be drawn from a document, which stays as it is.

        Raises:
            JobError: There is nothing to draw, or a point is nowhere.
        """
        layers = []
        for number, lines in document.layers.items():
            strokes = tuple(np.array(line, np.complex128) / MM for line in lines if len(line))
            color = lines.property(vp.METADATA_FIELD_COLOR)
            name = lines.property(vp.METADATA_FIELD_NAME) or ""
            if strokes:
                hexadecimal = vp.Color(color).as_hex()[:7] if color is not None else ""
                layers.append(Layer(number, str(name), hexadecimal, strokes))
        if not layers:
            raise JobError("nothing to draw, there are no lines in the pipeline.")
        if not all(np.isfinite(stroke).all() for layer in layers for stroke in layer.strokes):
            raise JobError("a point of the drawing is not at a finite place.")
        size = document.page_size
        return cls(tuple(layers), (size[0] / MM, size[1] / MM) if size else None)

    @property
    def strokes(self) -> Iterator[Stroke]:
        """All strokes, in the order of drawing."""
        return (stroke for layer in self.layers for stroke in layer.strokes)

    @cached_property
    def count(self) -> int:
        """How many strokes there are: how often the pen goes down."""
        return sum(len(layer.strokes) for layer in self.layers)

    @cached_property
    def points(self) -> Stroke:
        """All points, in the order of drawing."""
        return np.concatenate(list(self.strokes))

    @cached_property
    def drawn(self) -> float:
        """Length of all strokes in mm."""
        return float(sum(np.abs(np.diff(stroke)).sum() for stroke in self.strokes))

    @cached_property
    def fingerprint(self) -> str:
        """A hash that knows this job again: of the strokes, to a micrometre, and the page."""
        digest = hashlib.sha256(repr(self.page and np.round(self.page, 3).tolist()).encode())
        for layer in self.layers:
            for stroke in layer.strokes:
                digest.update(f"{layer.number} {len(stroke)} ".encode())
                digest.update(np.round(1000 * stroke.view(float)).astype("<i8").tobytes())
        return digest.hexdigest()

    def upright(self) -> Job:
        """Return the job with y up: within its page, or within its own height without one."""
        height = self.page[1] if self.page else self.points.imag.min() + self.points.imag.max()
        layers = (
            Layer(
                layer.number,
                layer.name,
                layer.color,
                tuple(stroke.conj() + 1j * height for stroke in layer.strokes),
            )
            for layer in self.layers
        )
        return Job(tuple(layers), self.page)


@dataclass
class Progress:
    """How far a job got.

    Attributes:
        fingerprint: Of the job.
        strokes: How many strokes the job has.
        drawn: How many of them are drawn completely.
        finishing: Whether the next one may be drawn completely as well, for all that is known.
        position: Where the pen stopped, x, y, z in mm in the coordinates of the machine's
            work; None if not known.
        offset: What the machine was last seen to add for its own coordinates, in mm.
        lost: Whether the machine has stopped in a way that may have cost it its place.
        setup: What must not change before the rest is drawn, such as a model.
        span: The least and the most that has been drawn, in mm, by a plot that counts so.
        base: Where in the drawing the file begins that it is resumed from, in mm.
        homed: Whether the machine was sent home since.
    """

    fingerprint: str
    strokes: int
    drawn: int = 0
    finishing: bool = False
    position: Place | None = None
    offset: Place | None = None
    lost: bool = False
    setup: str = ""
    span: tuple[float, float] = (0.0, 0.0)
    base: float = 0.0
    homed: bool = False

    @classmethod
    def read(cls, record: Any) -> Progress:
        """Take what a job file says of a job.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is nothing that was saved.
        """
        record = dict(record)
        for name, count in (("position", 3), ("offset", 3), ("span", 2)):
            if record.get(name) is not None or (name == "span" and name in record):
                record[name] = numbers = tuple(record[name])
                if len(numbers) != count or not all(map(_is_number, numbers)):
                    raise ValueError
        progress = cls(**record)
        if not _is_number(progress.base):
            raise ValueError
        kinds = {"str": str, "int": int, "bool": bool}
        for field in fields(cls):
            kind = kinds.get(str(field.type))
            if kind and type(getattr(progress, field.name)) is not kind:
                raise TypeError
        if not 0 <= progress.drawn <= progress.strokes:
            raise ValueError
        return progress

    @property
    def complete(self) -> bool:
        """Whether everything is drawn."""
        return self.drawn == self.strokes


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


class JobFile:
    """The file beside a drawing that knows what of it has been drawn.

    It holds the `Progress` of each job by its layers, for `forlayer` makes a job of each.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, document: vp.Document) -> JobFile:
        """Return the job file of a document: beside its source, or in this folder."""
        source = document.property(vp.METADATA_FIELD_SOURCE)
        return cls(Path(source).with_suffix(".job.json") if source else Path("plot.job.json"))

    def load(self) -> dict[str, Progress]:
        """Read the file; without one, nothing has been drawn.

        Raises:
            JobError: It is not a job file, or cannot be read.
        """
        try:
            if self.path.exists() and not self.path.is_file():
                raise ValueError
            with self.path.open(encoding="utf-8") as file:
                text = file.read(LARGEST + 1)
            if len(text) > LARGEST:
                raise ValueError
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError
            jobs = {key: Progress.read(record) for key, record in content["jobs"].items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise JobError(f"cannot read {self.path}: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise JobError(f"{self.path} is not a job file; move it away.") from error
        return jobs

    def save(self, jobs: dict[str, Progress]) -> None:
        """Write the file whole or not at all; without jobs, remove it.

        Raises:
            JobError: It cannot be written.
        """
        records = {key: asdict(progress) for key, progress in jobs.items()}
        content = json.dumps({"format": FORMAT, "jobs": records}, indent=1)
        try:
            if not jobs:
                self.path.unlink(missing_ok=True)
                temporary = f".{glob.escape(self.path.name[:40])}.{16 * '[0-9a-f]'}"
                for left in self.path.parent.glob(temporary):  # by a process that was killed
                    left.unlink(missing_ok=True)
                return
            write_whole(self.path, content + "\n")
        except OSError as error:
            raise JobError(f"cannot write {self.path}: {error.strerror}.") from error


def key(job: Job) -> str:
    """Return the name of a job in its file: the numbers of its layers."""
    return ",".join(str(layer.number) for layer in job.layers)
