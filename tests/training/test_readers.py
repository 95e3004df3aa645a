"""Readers: what is in the files comes out, and nothing in a file can do harm."""

from __future__ import annotations

import codecs
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.dataset import Drawing
from training.data.readers import (
    ReaderError,
    Skipped,
    read,
    read_ndjson,
    read_npz,
    read_svg,
    simplify,
)

DATA = Path(__file__).parents[1] / "data"


def strokes_of(drawing: Drawing) -> list[list[list[int]]]:
    """Return a drawing in the layout of .ndjson, [[x…], [y…]] per stroke."""
    ends = np.flatnonzero(drawing.pen) + 1
    return [stroke.T.tolist() for stroke in np.split(drawing.points, ends[:-1])]


def records_of(path: Path, count: int | None = None) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:count]]


def write_lines(path: Path, *records: object) -> Path:
    """Write an .ndjson file; strings and bytes go in as they are."""
    with path.open("wb") as file:
        for record in records:
            if isinstance(record, str):
                record = record.encode()
            file.write(record if isinstance(record, bytes) else json.dumps(record).encode())
            file.write(b"\n")
    return path


def cat(*strokes: object, **more: object) -> dict[str, Any]:
    return {"word": "cat", "drawing": list(strokes), **more}


GOOD = cat([[0, 255], [0, 100]])


def read_all(path: Path) -> tuple[list[Drawing], list[Skipped]]:
    skipped: list[Skipped] = []
    return list(read(path, skipped.append)), skipped


# --- simplified .ndjson ---


@pytest.mark.parametrize("name", ["cat", "The Eiffel Tower", "zigzag", "sun"])
def test_simplified_drawings_come_out_as_they_stand_in_the_file(
    quickdraw: Path, name: str
) -> None:
    path = quickdraw / f"{name}.ndjson"
    for record, drawing in zip(records_of(path), read_ndjson(path), strict=True):
        assert strokes_of(drawing) == record["drawing"]
        assert drawing.label == record["word"]
        assert drawing.recognized == record.get("recognized")


def test_a_bad_line_is_reported_with_its_number_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    path = write_lines(
        tmp_path / "x.ndjson", GOOD, '{"word": "cat", "dra', "", b"\xff\xfe", GOOD
    )
    drawings, skipped = read_all(path)
    assert len(drawings) == 2
    assert [str(s) for s in skipped] == [
        f"{path}, line 2: skipped, not JSON",
        f"{path}, line 4: skipped, not JSON",
    ]


def test_a_skipped_line_is_logged_when_nobody_asks_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lines(tmp_path / "x.ndjson", GOOD, "nonsense")
    assert len(list(read_ndjson(path))) == 1
    assert "line 2" in caplog.text


BAD_RECORDS = {
    "no object": [1, 2],
    "no drawing": {"word": "cat"},
    "no strokes": cat(),
    "drawing is text": {"word": "cat", "drawing": "[[[0,1],[0,1]]]"},
    "stroke is a number": cat(7),
    "stroke has one list": cat([[0, 1]]),
    "stroke has four lists": cat([[0, 1], [0, 1], [0, 1], [0, 1]]),
    "some strokes with times, some without": cat([[0, 9], [0, 9]], [[0, 9], [0, 9], [0, 1]]),
    "empty stroke": cat([[], []]),
    "unequal lengths": cat([[0, 1, 2], [0, 1]]),
    "fewer times than points": cat([[0, 1], [0, 1], [0]]),
    "one point": cat([[5], [5]]),
    "one place": cat([[5, 5], [5, 5]], [[5], [5]]),
    "one place, raw": cat([[5, 5], [5, 5], [0, 1]]),
    "negative": cat([[-1, 255], [0, 1]]),
    "beyond the frame": cat([[0, 256], [0, 1]]),
    "not a number": cat([[0, float("nan")], [0, 1]]),
    "infinite": cat([[0, float("inf")], [0, 1]]),
    "infinite, raw": cat([[0, float("-inf")], [0, 1], [0, 1]]),
    "too large for a float": cat([[0, 10**400], [0, 1]]),
    "too large, raw": cat([[-1e308, 1e308], [0, 1], [0, 1]]),
    "too long a stroke": cat([[0, 1] * 1000, [0] * 2000, [0] * 2000]),
    "text as coordinate": cat([["0", "1"], [0, 1]]),
    "truth as coordinate": cat([[True, False], [0, 1]]),
    "null as coordinate": cat([[0, None], [0, 1]]),
    "nested coordinate": cat([[[0], [1]], [[0], [1]]]),
    "no class": {"drawing": GOOD["drawing"]},
    "class is a number": {**GOOD, "word": 3},
    "class is blank": {**GOOD, "word": " "},
    "class is no text": {**GOOD, "word": "\ud800\n"},
    "recognized is text": {**GOOD, "recognized": "yes"},
    "nested without end": "[" * 100_000,
    "nested drawing": '{"word":"cat","drawing":' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number of many digits": "9" * 10_000,
}


@pytest.mark.parametrize("record", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_what_is_no_drawing_is_skipped(tmp_path: Path, record: object) -> None:
    drawings, skipped = read_all(write_lines(tmp_path / "x.ndjson", record, GOOD))
    assert [strokes_of(d) for d in drawings] == [GOOD["drawing"]]
    assert [s.where for s in skipped] == ["line 1"]
    assert "\n" not in str(skipped[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)
NUMBERS = st.lists(st.integers(-2, 300) | st.floats(), max_size=4)
NEARLY = st.fixed_dictionaries(
    {"word": st.just("cat") | JSON, "drawing": st.lists(st.lists(NUMBERS | JSON), max_size=3)}
)


@settings(deadline=None)
@given(st.lists(JSON | NEARLY | st.binary(max_size=30), max_size=5))
def test_whatever_the_lines_are_each_is_read_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, records: list[object]
) -> None:
    path = write_lines(tmp_path_factory.mktemp("fuzz") / "x.ndjson", GOOD, *records)
    lines = sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
    drawings, skipped = read_all(path)
    assert len(drawings) + len(skipped) == lines
    assert all(len(d.points) >= 2 and d.pen[-1] == 2 for d in drawings)


def test_a_lone_point_is_spelled_like_every_other_dot(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.ndjson", cat([[0, 9], [0, 9]], [[7], [8]]))
    (drawing,), _ = read_all(path)
    assert strokes_of(drawing) == [[[0, 9], [0, 9]], [[7, 7], [8, 8]]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9,
        b"<svg></svg>\n",
        b"[]\n[]\n",
    ],
    ids=["empty", "blank", "image", "svg", "json of something else"],
)
@pytest.mark.parametrize("name", ["cat.ndjson", "cat.npz"])
def test_a_file_of_another_kind_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReaderError) as error:
        read_all(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["cat.ndjson", "cat.npz"])
def test_a_missing_file_or_a_folder_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReaderError, match="No such file"):
        read_all(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ReaderError, match="directory"):
        read_all(tmp_path / name)


def test_a_format_that_is_not_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"\.ndjson or \.npz"):
        read_all(tmp_path / "cat.bin")


# --- raw .ndjson ---


def as_raw(
    strokes: list[list[list[int]]], scale: float, shift: float
) -> list[list[list[float]]]:
    """Draw strokes anew as a hand would: many points, another scale, times."""
    raw = []
    for xs, ys in strokes:
        line = shapely.LineString(np.column_stack([xs, ys]))
        # A dot cannot be segmented.
        dense = shapely.segmentize(line, 0.3) if line.length else line
        points = shapely.get_coordinates(dense) * scale + shift
        raw.append([*points.T.tolist(), list(range(len(points)))])
    return raw


def distance_between(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Hausdorff distance of two polylines."""
    lines = [shapely.LineString(first), shapely.LineString(second)]
    walks = [
        shapely.line_interpolate_point(line, np.linspace(0, 1, 500), normalized=True)
        for line in lines
    ]
    return max(
        shapely.distance(walks[0], lines[1]).max(), shapely.distance(walks[1], lines[0]).max()
    )


@pytest.mark.parametrize("name", ["cat", "house", "zigzag", "circle"])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (3.7, -120.5), (0.01, 1e4)])
def test_raw_drawings_are_simplified_as_documented(
    quickdraw: Path, tmp_path: Path, name: str, scale: float, shift: float
) -> None:
    records = records_of(quickdraw / f"{name}.ndjson", 40)
    path = write_lines(
        tmp_path / "raw.ndjson",
        *({**r, "drawing": as_raw(r["drawing"], scale, shift)} for r in records),
    )
    drawings, skipped = read_all(path)
    assert not skipped
    for record, drawing in zip(records, drawings, strict=True):
        points = np.concatenate([np.array(s).T for s in record["drawing"]])
        corner = points.min(axis=0)
        factor = 255 / np.ptp(points, axis=0).max()
        # RDP may cut up to 2 pixels off the extremes.
        assert drawing.points.min() <= 2
        assert drawing.points.max() >= 253
        assert len(drawing.points) <= len(points) + 2
        assert len(strokes_of(drawing)) == len(record["drawing"])
        for before, after in zip(record["drawing"], strokes_of(drawing), strict=True):
            original = (np.array(before).T - corner) * factor
            # 2 of RDP, 0.71 of rounding, 0.5 of corners that fall between two steps.
            assert distance_between(original, np.array(after).T) <= 3.21


def test_simplify_drops_what_is_nearer_than_two_pixels_and_keeps_what_is_farther() -> None:
    xs = np.linspace(0, 255, 2000)
    low = np.column_stack([xs, 1.9 * np.sin(xs / 255 * np.pi)])
    high = np.column_stack([xs, 5.0 * np.sin(xs / 255 * np.pi)])
    (line,) = simplify([low])
    (arch,) = simplify([high])
    np.testing.assert_allclose(line, [[0, 0], [255, 0]], atol=1e-9)
    assert len(arch) > 2
    np.testing.assert_allclose(arch[[0, -1]], [[0, 0], [255, 0]], atol=1e-9)


# --- sketch-rnn .npz ---


def offsets_of(strokes: list[list[list[int]]]) -> np.ndarray:
    """Return sketch-rnn's rows of dx, dy, pen lift."""
    points = np.concatenate([np.array(stroke).T for stroke in strokes])
    lifts = np.zeros(len(points))
    lifts[np.cumsum([len(xs) for xs, _ in strokes]) - 1] = 1
    return np.column_stack([np.diff(points, axis=0, prepend=[[40, 30]]), lifts]).astype(
        np.int16
    )


def objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def test_npz_drawings_are_those_of_the_file_fitted_to_the_frame(
    quickdraw: Path, tmp_path: Path
) -> None:
    records = records_of(quickdraw / "cat.ndjson", 30)
    rows = [offsets_of(record["drawing"]) for record in records]
    path = tmp_path / "sketchrnn_hot air balloon.full.npz"
    np.savez_compressed(
        path, train=objects(rows[:20]), valid=objects(rows[20:25]), test=objects(rows[25:])
    )
    drawings, skipped = read_all(path)
    assert not skipped
    for record, drawing in zip(records, drawings, strict=True):
        points = np.concatenate([np.array(s).T for s in record["drawing"]])
        points = points - points.min(axis=0)
        np.testing.assert_array_equal(drawing.points, np.rint(points / points.max() * 255))
        assert list(map(np.shape, strokes_of(drawing))) == list(
            map(np.shape, record["drawing"])
        )
        assert drawing.label == "hot air balloon"
        assert drawing.recognized is None


@pytest.mark.parametrize("name", ["cat.npz", "cat.full.npz", "sketchrnn_cat.npz"])
def test_the_class_is_in_the_name(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / name, train=objects([offsets_of([[[0, 9], [0, 9]]])]))
    (drawing,), _ = read_all(tmp_path / name)
    assert drawing.label == "cat"


@pytest.mark.parametrize("dtype", ["int16", ">i2", "int8", "float32", "float64", "int64"])
@pytest.mark.parametrize("count", [1, 3])
def test_npz_of_any_number_type_and_of_equal_lengths(
    tmp_path: Path, dtype: str, count: int
) -> None:
    rows = np.array([[5, 5, 0], [10, 0, 1], [0, 51, 0], [7, 0, 1]], dtype)
    np.savez(tmp_path / "a.npz", train=objects([rows] * count), test=np.array([rows] * count))
    drawings, skipped = read_all(tmp_path / "a.npz")
    assert not skipped
    assert len(drawings) == 2 * count
    for drawing in drawings:
        assert strokes_of(drawing) == [[[0, 50], [0, 0]], [[50, 85], [255, 255]]]


def npz_of(path: Path, pickled: bytes) -> Path:
    """Write an .npz whose array of objects is this pickle."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.npy", header.getvalue() + pickled)
    return path


# By hand what Python 2 and NumPy 1 wrote, as Google's files have it: protocol 2, NumPy's old
# module names, bytes as strings.
PYTHON_2 = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
    b"\x87R(K\x01K\x01\x85cnumpy\ndtype\nq\x03U\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff"
    b"\xff\xffJ\xff\xff\xff\xffK?tb\x89]h\x01h\x02K\x00\x85U\x01b\x87R(K\x01K\x02K\x03\x86h\x03"
    b"U\x02i2K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x0c"
    b"\x00\x00\x00\x00\x00\x00\xff\x00\x80\xff\x01\x00tbatb."
)


def test_npz_as_python_2_wrote_it(tmp_path: Path) -> None:
    drawings, skipped = read_all(npz_of(tmp_path / "cat.npz", PYTHON_2))
    assert not skipped
    assert [strokes_of(d) for d in drawings] == [[[[0, 255], [128, 0]]]]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_npz_as_python_3_writes_it_in_any_protocol(tmp_path: Path, protocol: int) -> None:
    """In protocol 2 bytes are a call of a function that encodes text."""
    offsets = offsets_of([[[0, 128, 255], [255, 0, 128]]])
    pickled = pickle.dumps(objects([offsets]), protocol)
    assert (b"_codecs" in pickled) == (protocol == 2)
    drawings, skipped = read_all(npz_of(tmp_path / "cat.npz", pickled))
    assert not skipped
    assert [strokes_of(d) for d in drawings] == [[[[0, 128, 255], [255, 0, 128]]]]


def test_bytes_in_a_pickle_are_latin_1_and_nothing_else(tmp_path: Path) -> None:
    for arguments in (("x", "idna"), (b"x", "latin1"), ("x", "zlib")):
        pickled = pickle.dumps(objects([Hostile(codecs.encode, *arguments)]), 2)
        with pytest.raises(ReaderError):
            read_all(npz_of(tmp_path / "cat.npz", pickled))


class Hostile:
    """Runs a function when unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("inside", [True, False], ids=["inside an array", "alone"])
@pytest.mark.parametrize("function", [os.system, eval, exec])
def test_a_hostile_pickle_is_refused_and_executes_nothing(
    tmp_path: Path, protocol: int, inside: bool, function: object
) -> None:
    marker = tmp_path / "marker"
    shell = f"touch '{marker}'"
    python = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    hostile = Hostile(function, python if function in (eval, exec) else shell)
    content = objects([hostile]) if inside else hostile
    pickled = pickle.dumps(content, protocol)
    with pytest.raises(ReaderError, match="refused"):
        read_all(npz_of(tmp_path / "cat.npz", pickled))
    assert not marker.exists()
    pickle.loads(pickled)
    assert marker.exists(), "the pickle is harmless, so this test shows nothing"


def test_numpy_functions_are_refused_like_all_others(tmp_path: Path) -> None:
    # A whitelist by module would let these through; np.load of a pickle is as bad as pickle.
    for function in (np.load, np.memmap, np.fromfile, np.save):
        path = npz_of(tmp_path / "cat.npz", pickle.dumps(objects([Hostile(function, "x")])))
        with pytest.raises(ReaderError, match="refused"):
            read_all(path)


BAD_OFFSETS = {
    "text": "cat",
    "nothing": None,
    "list": [[1, 1, 0], [1, 1, 1]],
    "two columns": np.ones((4, 2), np.int16),
    "one dimension": np.ones(3, np.int16),
    "no rows": np.ones((0, 3), np.int16),
    "one row": np.array([[3, 4, 1]], np.int16),
    "no extent": np.zeros((5, 3), np.int16),
    "pen state 2": np.array([[1, 1, 2], [1, 1, 1]], np.int16),
    "not a number": np.array([[1, np.nan, 0], [1, 1, 1]]),
    "infinite": np.array([[1, np.inf, 0], [1, 1, 1]]),
    "complex": np.ones((4, 3), complex),
    "texts": np.array([["1", "1", "0"]] * 2),
    "objects": np.array([[1, 1, 0]] * 2, object),
}


@pytest.mark.parametrize("bad", BAD_OFFSETS.values(), ids=BAD_OFFSETS)
def test_a_bad_drawing_among_good_ones_is_skipped(tmp_path: Path, bad: object) -> None:
    good = offsets_of([[[0, 9], [0, 9]]])
    np.savez(tmp_path / "cat.npz", train=objects([good]), valid=objects([good, bad, good]))
    drawings, skipped = read_all(tmp_path / "cat.npz")
    assert len(drawings) == 3
    assert [s.where for s in skipped] == ["valid 1"]


@pytest.fixture(scope="module")
def npz_bytes(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("npz") / "cat.npz"
    records = records_of(quickdraw / "cat.ndjson", 8)
    rows = [offsets_of(record["drawing"]) for record in records]
    np.savez_compressed(path, train=objects(rows), valid=np.ones((2, 4, 3), np.int8))
    return path.read_bytes()


def test_a_cut_npz_is_an_error_wherever_it_is_cut(tmp_path: Path, npz_bytes: bytes) -> None:
    path = tmp_path / "cat.npz"
    for size in range(0, len(npz_bytes) - 1, 97):
        path.write_bytes(npz_bytes[:size])
        with pytest.raises(ReaderError, match=r"cat\.npz"):
            read_all(path)


def test_an_npz_of_other_arrays_is_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "cat.npz", weights=np.ones(3))
    with pytest.raises(ReaderError, match="train, valid and test"):
        read_all(tmp_path / "cat.npz")


@settings(deadline=None)
@given(st.data())
def test_a_damaged_npz_is_an_error_or_loses_drawings_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, npz_bytes: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(npz_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "cat.npz"
    path.write_bytes(damaged)
    try:
        read_all(path)
    except ReaderError as error:
        assert "cat.npz" in str(error)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_pickle_is_an_error_or_loses_drawings_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(PYTHON_2)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = npz_of(tmp_path_factory.mktemp("fuzz") / "cat.npz", bytes(damaged))
    try:
        read_all(path)
    except ReaderError as error:
        assert "cat.npz" in str(error)
    else:
        (drawing,) = read_npz(path)
        assert len(drawing.points) >= 2


# --- .svg ---


def write_svg(path: Path, *elements: str, page: str = 'viewBox="0 0 800 800"') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(elements)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {page}>{content}</svg>', "utf-8")
    return path


def polyline(xs: list[int], ys: list[int]) -> str:
    points = " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
    return f'<polyline points="{points}"/>'


def test_an_svg_is_read_as_a_raw_drawing_of_the_same_lines(
    quickdraw: Path, tmp_path: Path
) -> None:
    for i, record in enumerate(records_of(quickdraw / "cat.ndjson", 20)):
        strokes = [[xs, ys, list(range(len(xs)))] for xs, ys in record["drawing"]]
        raw = write_lines(tmp_path / "raw.ndjson", {"word": "cat", "drawing": strokes})
        lines = [polyline(xs, ys) for xs, ys in record["drawing"]]
        (expected,), (drawing,) = (
            read_ndjson(raw),
            read_svg(write_svg(tmp_path / f"cat/{i}.svg", *lines)),
        )
        assert strokes_of(drawing) == strokes_of(expected)
        assert (drawing.label, drawing.recognized) == ("cat", None)


def test_strokes_come_in_the_order_of_the_file_whatever_their_layers(tmp_path: Path) -> None:
    path = write_svg(
        tmp_path / "bars/drawing.svg",
        '<g id="layer9"><line x1="0" y1="0" x2="0" y2="255"/></g>',
        '<line x1="50" y1="0" x2="50" y2="255"/>',
        '<g id="layer2"><g transform="translate(100 0)">',
        '<path d="M0 0 V255 M50 0 V255"/></g></g>',
        '<g id="layer9"><line x1="255" y1="0" x2="255" y2="255"/></g>',
    )
    (drawing,) = read_svg(path)
    firsts = [stroke[0][0] for stroke in strokes_of(drawing)]
    assert firsts == [0, 50, 100, 150, 255]
    assert drawing.label == "bars"


@pytest.mark.parametrize("page", ['viewBox="0 0 2 2"', 'width="20cm" height="20cm"', ""])
def test_curves_keep_their_shape(tmp_path: Path, page: str) -> None:
    # The same circle as a share of 2 units, of 20 cm, and of 1000 pixels.
    radius = 0.8 if page.startswith("view") else 300
    at = 1 if page.startswith("view") else 380
    circle = f'<circle cx="{at}" cy="{at}" r="{radius}"/>'
    (drawing,) = read_svg(write_svg(tmp_path / "ring/ring.svg", circle, page=page))
    from_centre = np.hypot(*(drawing.points.astype(float) - 127.5).T)
    assert np.abs(from_centre - 127.5).max() < 1.5
    assert 10 < len(drawing.points) < 40
    ring = shapely.Polygon(drawing.points)
    assert ring.area == pytest.approx(np.pi * 127.5**2, rel=0.03)


def test_an_svg_of_tu_berlins_layout(tmp_path: Path) -> None:
    path = write_svg(
        tmp_path / "airplane/1.svg",
        '<g fill="none" stroke="black" stroke-linecap="round"><g transform="translate(9,9) '
        'scale(1) translate(-9,-9)"><g><path id="0" d="M30 400 C40 300 700 300 770 400 "/>'
        '<path id="1" d="M30 400 C40 500 700 500 770 400 "/></g></g></g>',
        page='viewBox="0 0 800 800" preserveAspectRatio="xMinYMin meet"',
    )
    (drawing,) = read_svg(path)
    upper, lower = (shapely.LineString(np.transpose(s)) for s in strokes_of(drawing))
    assert drawing.label == "airplane"
    assert upper.bounds[::2] == lower.bounds[::2] == (0, 255)
    assert upper.bounds[1] == 0
    assert lower.bounds[3] == pytest.approx(255 * 150 / 740, abs=1)


def test_what_lies_off_the_page_is_left_out_and_named(tmp_path: Path) -> None:
    """A swatch of colour two metres beside the page does not shrink the face on it."""
    folder = tmp_path / "face"
    folder.mkdir()
    path = folder / "swatch.svg"
    path.write_bytes((DATA / "offpage_swatch.svg").read_bytes())
    skipped: list[Skipped] = []
    (drawing,) = read_svg(path, skipped.append)
    assert len(strokes_of(drawing)) == 4
    assert np.ptp(drawing.points, axis=0).tolist() == pytest.approx([255, 255], abs=1)
    assert [(s.where, s.why) for s in skipped] == [("1 line", "off the page")]


BAD_SVGS = {
    "empty": b"",
    "no XML": b"\x00\x01 scribble",
    "cut short": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0 L9',
    "another language": b"<html><body><p>404</p></body></html>",
    "no lines": b'<svg xmlns="http://www.w3.org/2000/svg"><text>cat</text></svg>',
    "one place": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M5 5 h0 v0"/></svg>',
    "out of range": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0 H1e300"/></svg>',
}


@pytest.mark.parametrize("content", BAD_SVGS.values(), ids=BAD_SVGS)
def test_a_bad_svg_is_reported_and_skipped(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.svg"
    path.write_bytes(content)
    drawings, (skipped,) = read_all(path)
    assert not drawings
    assert str(skipped).startswith(f"{path}: skipped, ")
    assert "\n" not in str(skipped)


def test_an_svg_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="gone"):
        read_all(tmp_path / "gone.svg")
