"""Drawings from the files that Google publishes, Quick, Draw! and sketch-rnn, and from SVG.

A record that is no drawing is reported and skipped, so that one bad line does not cost
100,000 good ones. A file that cannot be read, or in which no record is good, is an error.

The formats: https://github.com/googlecreativelab/quickdraw-dataset
"""

from __future__ import annotations

import functools
import io
import json
import logging
import math
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from xml.etree import ElementTree

import numpy as np
import shapely
from numpy.lib import format as npy
from numpy.typing import NDArray

from training.data.dataset import DatasetError, Drawing, drawing_from_strokes
from vpype_sketchformer.svg_reader import SvgError, SvgReader
from vpype_sketchformer.wording import OneLineError, is_name, plain

#: The longer side of a simplified drawing, in pixels.
FRAME = 255
#: Tolerance of Ramer-Douglas-Peucker in Google's simplification, in pixels.
EPSILON = 2.0
#: No raw stroke may be longer, in pixels: 20 seconds of drawing stay far below, and the cost
#: of resampling stays bounded.
LONGEST = 100_000
#: Longest piece of a curve in an SVG, in the SVG's pixels.
CURVE_STEP = 0.1
#: No coordinate may be larger, in any unit; keeps sums and differences finite.
LARGEST = 1e9
#: A drawing may have so many points, a line of ``.ndjson`` so many bytes.
MOST_POINTS, LONGEST_LINE = 100_000, 4 * 2**20
#: An SVG may have so many bytes; how much work it makes is limited besides.
LARGEST_SVG = 32 * 2**20
#: A part of an ``.npz`` may hold so many drawings and unpack to so many bytes: the largest of
#: Google's has 340,000 drawings, of some 350 bytes. Its zip's directory may have so many.
MOST_DRAWINGS, LARGEST_PART, LARGEST_DIRECTORY = 500_000, 160 * 2**20, 2**20
#: A pickle may take so many steps, and so many bytes of memory; a drawing takes 30 steps.
MOST_STEPS, MOST_MEMORY = 12_000_000, 512 * 2**20

Stroke = NDArray[np.float64]
Record = TypeVar("Record")


class ReaderError(OneLineError):
    """A file that cannot be read; the message is one clear line."""


@dataclass(frozen=True)
class Skipped:
    """A record that was left out.

    Attributes:
        path: The file.
        where: The place in the file, such as "line 7" or "train 7"; "" for all of it.
        why: What is wrong with the record.
    """

    path: Path
    where: str
    why: str

    def __str__(self) -> str:
        place = f"{self.path}, {self.where}" if self.where else f"{self.path}"
        return plain(f"{place}: skipped, {self.why}")


Report = Callable[[Skipped], None]


def log_skipped(skipped: Skipped) -> None:
    """Report a skipped record as a warning of this module's logger."""
    logging.getLogger(__name__).warning("%s", skipped)


def read(path: Path, report: Report = log_skipped) -> Iterator[Drawing]:
    """Read a file in the format that its name ends with, one of ``READERS``.

    Args:
        path: The file.
        report: Called with every record that is skipped.

    Yields:
        The drawings, in the order of the file.

    Raises:
        ReaderError: The file cannot be read, or no record of it is a drawing. Of an SVG, which
            is one drawing, a bad one is merely skipped.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReaderError(f"{path}: not a name that ends with {' or '.join(READERS)}")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ReaderError(f"{path}: not a file")  # reading a pipe might never end
    yield from reader(path, report)


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
    yield from _keep_good(path, _lines(path), _drawing_from_json, report)


def read_npz(path: Path, report: Report = log_skipped) -> Iterator[Drawing]:
    """Read a sketch-rnn file; the class is in its name.

    The drawings come simplified, in a scale of their own: they are aligned and scaled to a
    longer side of 255, no more. Which of train, valid and test they stood in is forgotten.

    Such a file holds pickles, which in general can execute anything. Here they can name
    NumPy's arrays only, and even for these they get stand-ins that do nothing.

    Args:
        path: A file named ``<class>.npz``, ``<class>.full.npz``, or either of the two with
            ``sketchrnn_`` in front, as browsers save it.
        report: Called with every drawing that is skipped.

    Yields:
        The drawings, in the order of the file.

    Raises:
        ReaderError: The file cannot be read, holds anything but arrays, or no drawing.
    """
    label = path.stem.removesuffix(".full").removeprefix("sketchrnn_")

    def parse(record: Any) -> Drawing:
        return _drawing(fit_frame(_strokes_from_offsets(record)), label)

    yield from _keep_good(path, _npz_records(path), parse, report)


def read_svg(path: Path, report: Report = log_skipped) -> Iterator[Drawing]:
    """Read an SVG file: one drawing, whose class is the name of the folder that it lies in.

    vpype reads it, so everything that has an outline is drawn, in the order of the file, on
    whatever layer, but for what lies wholly off the page; then it is simplified as Google
    simplifies Quick, Draw!.

    Args:
        path: A file with lines, curves or shapes in it.
        report: Called with the file if there is no drawing in it, and with what is off the
            page.

    Yields:
        The drawing, if there is one.

    Raises:
        ReaderError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SVG + 1)
    except OSError as error:
        raise ReaderError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        if len(content) > LARGEST_SVG:
            raise DatasetError(f"larger than {LARGEST_SVG:,} bytes")
        strokes = _strokes_from_svg(content)
        on = _on_page(strokes, _page(content))
        if off := len(strokes) - len(on):
            lines = f"{off} {'line' if off == 1 else 'lines'}"
            report(Skipped(path, lines, "off the page"))
        drawing = _drawing(simplify(on), path.resolve().parent.name)
    except DatasetError as error:
        report(Skipped(path, "", str(error)))
    else:
        yield drawing


#: What says how large a page is.
_SIDES = ("width", "height")

#: The formats that can be read, by the end of the file's name.
READERS = {".ndjson": read_ndjson, ".npz": read_npz, ".svg": read_svg}


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
    if sum(map(len, strokes)) > MOST_POINTS:
        raise DatasetError(f"more than {MOST_POINTS:,} points")
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
    extent = np.max(points - corner)
    if extent == 0:
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
    line = shapely.LineString(stroke).simplify(EPSILON, preserve_topology=False)
    return np.array(line.coords)


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
        raise ReaderError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not found:
        why = f"{first.where}: {first.why}" if first else "it is empty"
        raise ReaderError(f"{path}: no drawings in it ({why})")


def _drawing(strokes: list[Stroke], label: Any, recognized: bool | None = None) -> Drawing:
    """Pack strokes of whatever extent; the label is checked as well."""
    if not is_name(label):
        raise DatasetError("no class name")
    # Quick, Draw! writes a dot as two equal points: let the model see one spelling only.
    strokes = [np.repeat(s, 2, axis=0) if len(s) == 1 else s for s in strokes]
    drawing = drawing_from_strokes(strokes, label, recognized)
    if not np.ptp(drawing.points, axis=0).any():
        raise DatasetError("all points in one place")
    return drawing


# --- .ndjson ---


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = file.readline(LONGEST_LINE)
            if line.strip():
                yield f"line {number}", line


def _drawing_from_json(line: bytes) -> Drawing:
    if len(line) == LONGEST_LINE:
        raise DatasetError(f"longer than {LONGEST_LINE:,} bytes")
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
    return _drawing(simplify(strokes) if is_raw else strokes, record.get("word"), recognized)


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
        # By the exact type: to isinstance a bool is an int, and NumPy takes "1" for a number.
        if not isinstance(row, list) or not set(map(type, row)) <= {int, float}:
            raise DatasetError("coordinates are not lists of numbers")
    if not rows[0] or len({len(row) for row in rows}) > 1:
        raise DatasetError("lists of coordinates are empty or of unequal length")
    try:
        stroke = np.array(rows[:2], np.float64).T
    except OverflowError as error:
        raise DatasetError("a coordinate is out of range") from error
    _check_range(stroke)
    return stroke


def _check_range(values: NDArray[Any]) -> None:
    # As floats, since the least integer has no absolute value; "not <=", since NaN must fail.
    if not (np.abs(values, dtype=np.float64) <= LARGEST).all():
        raise DatasetError("a coordinate is out of range")


# --- .svg ---


@functools.cache
def _svg_reader() -> SvgReader:
    """Return what reads all files, one process; it ends when this one does."""
    return SvgReader(CURVE_STEP, crop=False)


def _strokes_from_svg(content: bytes) -> list[Stroke]:
    try:
        strokes = _svg_reader().read(content)
    except SvgError as error:
        raise DatasetError(str(error)) from error
    for stroke in strokes:
        _check_range(stroke)
    return strokes


def _page(content: bytes) -> tuple[float, float] | None:
    """Return width and height of an SVG's page in pixels, if it has one of a certain size."""
    import vpype  # heavy, and needed here only

    try:
        _, root = next(ElementTree.iterparse(io.BytesIO(content), events=("start",)))
        width, height = (vpype.convert_length(root.get(side, "")) for side in _SIDES)
    except (ElementTree.ParseError, StopIteration, ValueError):
        return None
    return (width, height) if min(width, height) > 0 else None


def _on_page(strokes: list[Stroke], page: tuple[float, float] | None) -> list[Stroke]:
    """Return the strokes of which something lies on the page; all, if nothing does."""
    on = [
        stroke
        for stroke in strokes
        if page and (stroke.max(axis=0) >= 0).all() and (stroke.min(axis=0) <= page).all()
    ]
    return on or strokes


# --- .npz ---


class _Dtype:
    """Stands in for ``numpy.dtype`` in a pickle: keeps what it is given."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = code
        self.order: Any = "|"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """Stands in for ``numpy.ndarray`` and its constructor: keeps what it is given."""

    __slots__ = ("by_columns", "content", "dtype", "shape")

    def __init__(self, *_: Any) -> None:
        self.shape: Any = None
        self.dtype: Any = None
        self.by_columns: Any = None
        self.content: Any = None

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.by_columns, self.content = state

    def numbers(self) -> NDArray[Any]:
        """Return the array of numbers that was pickled.

        Raises:
            DatasetError: It was something else.
        """
        try:
            code = self.dtype.order + self.dtype.code
            if not re.fullmatch("[<>|=][iuf][1248]", code):
                raise ValueError(code)
            # Python 2 pickled bytes as a string, which is read as Latin-1.
            is_text = isinstance(self.content, str)
            data = self.content.encode("latin-1") if is_text else self.content
            values: NDArray[Any] = np.frombuffer(data, np.dtype(code))
            return values.reshape(self.shape, order="F" if self.by_columns else "C")
        except (AttributeError, TypeError, ValueError) as error:
            raise DatasetError("not an array of numbers") from error


class _Bytes:
    """Stands in for ``_codecs.encode``, by which Python 3 writes bytes in old protocols."""

    def __new__(cls, text: Any, encoding: Any) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise _ForeignPickle("its pickle holds more than arrays")
        return text.encode("latin-1")


#: All that a pickle may name; both names of the constructor, in NumPy 1 and in NumPy 2.
_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Bytes,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays into stand-ins, and refuses everything else."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _STAND_INS:
            raise _ForeignPickle(f"its pickle asks for {module}.{name}")
        return _STAND_INS[module, name]


class _ForeignPickle(pickle.UnpicklingError):
    """A pickle that holds anything but arrays."""


#: What a pickle of arrays is made of: how long the argument of each instruction is, or how
#: its length is written, and about how many bytes of memory its result takes.
_INSTRUCTIONS: dict[int, tuple[int | str, int]] = {
    **dict.fromkeys(b"()]NRbaet\x85\x86\x87\x88\x89\x94", (0, 64)),
    **dict.fromkeys(b"\x80Khq", (1, 16)),
    **dict.fromkeys(b"M", (2, 48)),
    **dict.fromkeys(b"Jjr", (4, 48)),
    **dict.fromkeys(b"G\x95", (8, 48)),
    **dict.fromkeys(b"CU\x8a\x8c", ("<B", 64)),
    **dict.fromkeys(b"BTX", ("<I", 64)),
    **dict.fromkeys(b"\x8d\x8e", ("<Q", 64)),
    **dict.fromkeys(b"\x93", (0, 16)),
}
_GLOBAL, _STOP, _PUTS = ord("c"), ord("."), {ord("q"): "<B", ord("r"): "<I"}


def _check_pickle(data: bytes, at: int) -> None:
    """Look at the instructions of a pickle before any is followed.

    Args:
        data: What holds the pickle.
        at: Where it begins.

    Raises:
        _ForeignPickle: One has no place in a pickle of arrays, or they are too many, or would
            take too much memory.
        IndexError: It is cut short; the same for struct.error and ValueError.
    """
    steps = memory = 0
    while (code := data[at]) != _STOP:
        at += 1
        steps += 1
        if code == _GLOBAL:
            at = data.index(b"\n", data.index(b"\n", at) + 1) + 1
        else:
            argument, taken = _INSTRUCTIONS.get(code) or _refuse("holds more than arrays")
            memory += taken
            if code in _PUTS and struct.unpack_from(_PUTS[code], data, at)[0] > steps:
                _refuse("leaves holes in its memory")
            if isinstance(argument, str):
                (count,) = struct.unpack_from(argument, data, at)
                at += struct.calcsize(argument) + count
                memory += count
            else:
                at += argument
        if steps > MOST_STEPS or memory > MOST_MEMORY:
            _refuse("takes too many steps, or too much memory")


def _refuse(why: str) -> NoReturn:
    raise _ForeignPickle(f"its pickle {why}")


def _npz_records(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        arrays = _load_npz(path)
    except OSError:
        raise
    except _ForeignPickle as error:
        raise ReaderError(f"{path}: refused, {error}, and only arrays are read") from error
    # Each of zipfile, zlib, NumPy and pickle raises many kinds of errors over damaged data.
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ReaderError(f"{path}: damaged, or not a sketch-rnn file ({why})") from error
    for part, drawings in arrays.items():
        if len(drawings) > MOST_DRAWINGS:
            raise ReaderError(f"{path}: {len(drawings):,} drawings in {part}, too many")
        for index, offsets in enumerate(drawings):
            yield f"{part} {index}", offsets


class _ShortReads(io.BufferedReader):
    """A file of which nobody reads much at once.

    `zipfile` reads an archive's directory whole, however long that says it is.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > LARGEST_DIRECTORY:
            size = LARGEST_DIRECTORY
        return super().read(size)


def _load_npz(path: Path) -> dict[str, Any]:
    with _ShortReads(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        parts = [part for part in ("train", "valid", "test") if f"{part}.npy" in names]
        if not parts:
            raise ValueError("it holds none of train, valid and test")
        return {part: _load_npy(_unpack(archive, f"{part}.npy")) for part in parts}


def _unpack(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a file of an archive, if that is not too large."""
    info = archive.getinfo(name)
    if info.file_size > LARGEST_PART:
        raise ValueError(f"{name} unpacks to {info.file_size:,} bytes, too many")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed as NumPy compresses nothing")
    with archive.open(info) as file:
        # In pieces: each is bounded, and `zipfile` unpacks no more than the size it was told.
        return b"".join(iter(lambda: file.read(LARGEST_DIRECTORY), b""))


def _load_npy(data: bytes) -> Any:
    """Return the items of an array of arrays, without executing what it pickles."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, by_columns, dtype = readers[version](stream)
    at = stream.tell()
    if not dtype.hasobject:
        # Drawings of equal length were stacked into one array of numbers.
        left = len(data) - at
        if len(shape) != 3 or not 0 < math.prod(shape) * dtype.itemsize == left:
            raise ValueError(f"an array of numbers of shape {shape}")
        numbers: NDArray[Any] = np.frombuffer(data, dtype, offset=at)
        return numbers.reshape(shape, order="F" if by_columns else "C")
    _check_pickle(data, at)
    array = _ArrayUnpickler(stream, encoding="latin-1").load()
    if not isinstance(array, _Array) or not isinstance(array.content, list):
        raise ValueError("it holds no array of drawings")
    return array.content


def _strokes_from_offsets(record: Any) -> list[Stroke]:
    """Return the strokes of a drawing, in absolute coordinates, from sketch-rnn's offsets."""
    offsets = record.numbers() if isinstance(record, _Array) else record
    if not isinstance(offsets, np.ndarray) or offsets.dtype.kind not in "iuf":
        raise DatasetError("not an array of numbers")
    if offsets.ndim != 2 or offsets.shape[1] != 3 or not len(offsets):
        raise DatasetError(f"an array of shape {offsets.shape} instead of (n, 3)")
    if len(offsets) > MOST_POINTS:
        raise DatasetError(f"more than {MOST_POINTS:,} points")
    _check_range(offsets)
    if not np.isin(offsets[:, 2], (0, 1)).all():
        raise DatasetError("a pen state is neither 0 nor 1")
    points = np.cumsum(offsets[:, :2], axis=0, dtype=np.float64)
    return np.split(points, np.flatnonzero(offsets[:-1, 2]) + 1)
