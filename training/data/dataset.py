"""One compact file of drawings: the format, the split, and reading it back.

A dataset file is a safetensors file. All points of all drawings lie behind one another as
bytes, so 285,759 drawings take 40 MB, load in a blink, and nothing in the file can execute.

The split never changes: it hangs on the drawing alone (a hash of its points and pen lifts, or
of the drawing that it is a part of), so a drawing that comes again, in another file or another
year, stays on its side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import save as serialize

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.model.checkpoint import open_tensors
from vpype_sketchformer.model.transformer import BEST_QUALITY
from vpype_sketchformer.sketch import DRAW, END, LIFT
from vpype_sketchformer.wording import OneLineError, is_name

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
FORMAT = "sketchformer-dataset-1"


class DatasetError(OneLineError):
    """A drawing or a dataset file that cannot be used; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A real drawing in Quick, Draw!'s simplified frame.

    Attributes:
        points: Absolute x, y, uint8 (n, 2), y down, top left aligned, longer side 255.
        pen: What happens after each point, uint8 (n,): DRAW, LIFT or END.
        label: The class.
        recognized: Whether the game recognised the drawing, where that is known.
        origin: The digest of the drawing that this one is a part of, if it is.
    """

    points: NDArray[np.uint8]
    pen: NDArray[np.uint8]
    label: str
    recognized: bool | None = None
    origin: bytes = b""

    @property
    def strokes(self) -> list[NDArray[np.float64]]:
        """Its points, stroke by stroke, (n, 2) each."""
        lifts = np.flatnonzero(self.pen[:-1] != DRAW) + 1
        return np.split(self.points.astype(np.float64), lifts)

    @property
    def digest(self) -> bytes:
        """Eight bytes that name this drawing by its content alone."""
        content = self.points.tobytes() + self.pen.tobytes()
        return hashlib.blake2b(content, digest_size=8).digest()


def drawing_from_strokes(
    strokes: Sequence[ArrayLike], label: str, recognized: bool | None = None
) -> Drawing:
    """Pack strokes into a drawing, rounded to whole pixels.

    Args:
        strokes: One array (n, 2) of x, y per stroke, 0 to 255, in drawing order.
        label: The class.
        recognized: Whether the game recognised the drawing, where that is known.

    Raises:
        DatasetError: No points, fewer than two, or some outside of the frame.
    """
    arrays = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes]
    arrays = [array for array in arrays if len(array)]
    points = np.rint(np.concatenate(arrays)) if arrays else np.zeros((0, 2))
    if len(points) < 2:
        raise DatasetError("a drawing needs at least two points")
    if not np.all((points >= 0) & (points <= 255)):
        raise DatasetError("coordinates outside of 0 to 255")
    pen = np.full(len(points), DRAW, np.uint8)
    pen[np.cumsum([len(array) for array in arrays]) - 1] = LIFT
    pen[-1] = END
    return Drawing(points.astype(np.uint8), pen, label, recognized)


def split_of(drawing: Drawing) -> Split:
    """Tell the side of a drawing: 5 % test, 5 % valid, the rest train, by its digest.

    The parts of one drawing, which look alike, are on the same side.
    """
    twentieth = int.from_bytes(drawing.origin or drawing.digest, "little") % 20
    return "test" if twentieth == 0 else "valid" if twentieth == 1 else "train"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Drawings, packed.

    Attributes:
        points: All points, uint8 (N, 2).
        pen: What happens after each, uint8 (N,).
        starts: Where each drawing begins, int64 (M + 1,), the last one N.
        labels: Class of each drawing, an index into ``classes``, int64 (M,).
        splits: Side of each drawing, an index into ``SPLITS``, uint8 (M,).
        recognized: 1 yes, 0 no, 2 unknown, uint8 (M,).
        quality: How surely a judge names each, 1 to 5, where that is known; else 0; uint8
            (M,). See ``training.quality``.
        classes: Names of the classes, sorted.
        sources: Where the drawings came from, with their licences.
        part: Which of the mixed datasets each drawing is of, (M,); see ``mix``.
        shares: How much of the training each of these is; none where nothing is mixed.
    """

    points: NDArray[np.uint8]
    pen: NDArray[np.uint8]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.uint8]
    recognized: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    classes: tuple[str, ...]
    sources: tuple[str, ...]
    part: NDArray[np.uint8] | None = None
    shares: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """A name for these drawings, their order and their classes."""
        digest = hashlib.blake2b(json.dumps(self.classes).encode(), digest_size=8)
        for array in (self.points, self.pen, self.labels):
            digest.update(array.tobytes())
        return digest.hexdigest()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Points per drawing, (M,)."""
        return np.diff(self.starts)

    def of(self, split: Split) -> NDArray[np.int64]:
        """Indices of the drawings of a side."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    def drawing(self, index: int) -> Drawing:
        """Unpack one drawing."""
        span = slice(self.starts[index], self.starts[index + 1])
        known = {0: False, 1: True}.get(int(self.recognized[index]))
        return Drawing(
            self.points[span],
            self.pen[span],
            self.classes[self.labels[index]],
            known,
        )


def pack(
    drawings: Sequence[Drawing],
    classes: Sequence[str] | None = None,
    sources: Sequence[str] = (),
) -> Dataset:
    """Pack drawings, in this order.

    Args:
        drawings: One at least.
        classes: Names of the classes; None for those of the drawings, sorted.
        sources: Names and licences of what the drawings come from.
    """
    names = tuple(classes or sorted({drawing.label for drawing in drawings}))
    index = {name: i for i, name in enumerate(names)}
    starts = np.cumsum([0] + [len(drawing.pen) for drawing in drawings])
    return Dataset(
        points=np.concatenate([drawing.points for drawing in drawings]),
        pen=np.concatenate([drawing.pen for drawing in drawings]),
        starts=starts,
        labels=np.array([index[drawing.label] for drawing in drawings], np.int64),
        splits=np.array([SPLITS.index(split_of(drawing)) for drawing in drawings], np.uint8),
        recognized=np.array(
            [2 if d.recognized is None else int(d.recognized) for d in drawings], np.uint8
        ),
        quality=np.zeros(len(drawings), np.uint8),
        classes=names,
        sources=tuple(sources),
    )


def save(drawings: Iterable[Drawing], path: Path, sources: Sequence[str] = ()) -> Dataset:
    """Write drawings to a dataset file, whole or not at all.

    Args:
        drawings: The drawings, in any order; they are kept in this order.
        path: The file to write.
        sources: Names and licences of what the drawings come from.

    Returns:
        The dataset as written.

    Raises:
        DatasetError: There are no drawings.
    """
    kept = list(drawings)
    if not kept:
        raise DatasetError("no drawings to save")
    dataset = pack(kept, sources=sources)
    write(dataset, path)
    return dataset


def mix(parts: Sequence[Dataset], shares: Sequence[float]) -> Dataset:
    """Put datasets together, to be trained on in other proportions than their sizes.

    Args:
        parts: The datasets.
        shares: How much of the training each is, in proportion to each other.
    """
    classes = sorted({name for part in parts for name in part.classes})
    labels = [np.array([classes.index(name) for name in p.classes])[p.labels] for p in parts]
    points = np.cumsum([0] + [len(part.pen) for part in parts])
    starts = [p.starts[:-1] + begin for p, begin in zip(parts, points[:-1], strict=True)]
    return Dataset(
        points=np.concatenate([part.points for part in parts]),
        pen=np.concatenate([part.pen for part in parts]),
        starts=np.concatenate([*starts, points[-1:]]),
        labels=np.concatenate(labels),
        splits=np.concatenate([part.splits for part in parts]),
        recognized=np.concatenate([part.recognized for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        classes=tuple(classes),
        sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        part=np.repeat(np.arange(len(parts), dtype=np.uint8), [len(part) for part in parts]),
        shares=tuple(shares),
    )


def write(dataset: Dataset, path: Path) -> None:
    """Write a dataset to a file, whole or not at all."""
    tensors: dict[str, NDArray[Any]] = {
        "points": dataset.points,
        "pen": dataset.pen,
        "starts": dataset.starts.astype(np.int32),
        "labels": dataset.labels.astype(np.int16),
        "splits": dataset.splits,
        "recognized": dataset.recognized,
        "quality": dataset.quality,
    }
    metadata = {
        "format": FORMAT,
        "classes": json.dumps(dataset.classes),
        "sources": json.dumps(dataset.sources),
    }
    # safetensors writes memory as it lies, so everything must lie in C order.
    ordered = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_whole(path, serialize(ordered, metadata))


def load(path: Path) -> Dataset:
    """Read a dataset file.

    Raises:
        DatasetError: The file is missing, cut, not a dataset, or its parts do not fit.
    """
    try:
        with open_tensors(path) as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise DatasetError(f"{path}: not a dataset; make one with training.prepare")
            labels = file.get_tensor("labels").astype(np.int64)
            names = set(file.keys())
            dataset = Dataset(
                points=file.get_tensor("points"),
                pen=file.get_tensor("pen"),
                starts=file.get_tensor("starts").astype(np.int64),
                labels=labels,
                splits=file.get_tensor("splits"),
                recognized=file.get_tensor("recognized"),
                quality=file.get_tensor("quality")
                if "quality" in names
                else np.zeros(len(labels), np.uint8),
                classes=tuple(json.loads(metadata["classes"])),
                sources=tuple(json.loads(metadata["sources"])),
            )
    except (OSError, SafetensorError, AttributeError, LookupError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read as a dataset ({error})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path}: the dataset's description is damaged.") from error
    if not _fits(dataset):
        raise DatasetError(f"{path}: the parts of the dataset do not fit.")
    return dataset


def _fits(dataset: Dataset) -> bool:
    """Tell whether the parts of a dataset fit together, and hold what they should."""
    count, points = dataset.labels.shape, dataset.pen.shape
    of_drawings = (dataset.labels, dataset.splits, dataset.recognized, dataset.quality)
    bytes_only = (dataset.points, dataset.pen, *of_drawings[1:])
    starts, lengths = dataset.starts, np.diff(dataset.starts)
    return (
        len(count) == 1
        and len(points) == 1
        and all(array.shape == count for array in of_drawings)
        and all(array.dtype == np.uint8 for array in bytes_only)
        and dataset.points.shape == (*points, 2)
        and starts.shape == (len(dataset) + 1,)
        and starts[0] == 0
        and starts[-1] == len(dataset.pen)
        and bool(np.all(lengths >= 2))
        and bool(np.all(dataset.pen[starts[1:] - 1] == END))
        and bool(np.all((dataset.labels >= 0) & (dataset.labels < len(dataset.classes))))
        and bool(np.all(dataset.splits < len(SPLITS)))
        and bool(np.all(dataset.recognized <= 2))
        and bool(np.all(dataset.quality <= BEST_QUALITY))
        and bool(np.count_nonzero(dataset.pen == END) == len(dataset))
        and bool(np.all(dataset.pen <= END))
        and all(map(is_name, dataset.classes))
        and all(isinstance(source, str) for source in dataset.sources)
    )
