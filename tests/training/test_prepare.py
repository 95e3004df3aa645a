"""``python -m training.prepare``: from files of drawings to one dataset file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from training.data import dataset
from training.data.dataset import SPLITS, Dataset, split_of
from training.data.readers import read_ndjson
from training.prepare import main


@pytest.fixture
def cats(quickdraw: Path) -> Path:
    return quickdraw / "cat.ndjson"


@pytest.fixture
def suns(quickdraw: Path) -> Path:
    return quickdraw / "sun.ndjson"


def prepare(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def figures(result: Result) -> dict[str, str]:
    """Return the table that the command prints, by the names of its rows."""
    assert result.exit_code == 0, result.output
    return dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines())


def refusal(result: Result) -> str:
    """Return the one line of an orderly refusal."""
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    return line


def drawings_file(path: Path, *drawings: tuple[str, list[list[list[int]]]]) -> Path:
    lines = [json.dumps({"word": word, "drawing": strokes}) for word, strokes in drawings]
    path.write_text("\n".join(lines), "utf-8")
    return path


def contents(packed: Dataset) -> list[tuple[str, bytes, bytes]]:
    drawings = (packed.drawing(index) for index in range(len(packed)))
    return [(d.label, d.points.tobytes(), d.pen.tobytes()) for d in drawings]


def test_what_goes_in_comes_out_again(cats: Path, suns: Path, tmp_path: Path) -> None:
    output = tmp_path / "new folder/two.safetensors"
    table = figures(prepare(suns, cats, "-o", output))
    packed = dataset.load(output)
    expected = [d for path in (cats, suns) for d in read_ndjson(path, lambda _: None)]
    assert contents(packed) == [
        (d.label, d.points.tobytes(), d.pen.tobytes()) for d in expected
    ]
    assert [packed.drawing(i).recognized for i in range(len(packed))] == [
        d.recognized for d in expected
    ]
    assert table["drawings"] == f"{len(expected):,}"
    assert table["points"] == f"{sum(len(d.pen) for d in expected):,}"
    assert table["classes"] == "2"
    for split in SPLITS:
        assert table[split] == f"{sum(split_of(d) == split for d in expected):,}"


def test_a_drawing_keeps_its_side_whatever_else_is_packed(
    cats: Path, suns: Path, tmp_path: Path
) -> None:
    prepare(cats, "-o", tmp_path / "one")
    prepare(suns, cats, "-o", tmp_path / "two")
    one, two = dataset.load(tmp_path / "one"), dataset.load(tmp_path / "two")
    sides = dict(zip(contents(two), two.splits, strict=True))
    assert [sides[content] for content in contents(one)] == one.splits.tolist()


def test_one_drawing_in_twenty_is_for_tests_and_one_for_validation() -> None:
    strokes = np.random.default_rng(0).integers(0, 256, (4000, 1, 3, 2), np.uint8)
    sides = [split_of(dataset.drawing_from_strokes(list(one), "any")) for one in strokes]
    shares = [sides.count(split) / len(sides) for split in SPLITS]
    np.testing.assert_allclose(shares, [0.9, 0.05, 0.05], atol=0.012)


def test_a_drawing_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    one, two = [[[0, 255], [0, 9]]], [[[0, 255], [0, 8]]]
    drawings_file(tmp_path / "a.ndjson", ("line", one), ("line", one))
    drawings_file(tmp_path / "b.ndjson", ("river", one), ("river", two))
    table = figures(prepare(tmp_path, "-o", tmp_path / "out"))
    assert (table["drawings"], table["duplicates"]) == ("2", "2")
    assert dataset.load(tmp_path / "out").classes == ("line", "river")


def test_a_file_named_twice_is_read_once(cats: Path, tmp_path: Path) -> None:
    table = figures(
        prepare(cats, cats.parent / "../quickdraw/cat.ndjson", "-o", tmp_path / "o")
    )
    assert table["duplicates"] == "0"


def test_folders_are_searched_to_the_bottom_for_both_formats(tmp_path: Path) -> None:
    (tmp_path / "data/deep").mkdir(parents=True)
    drawings_file(tmp_path / "data/deep/a.ndjson", ("a", [[[0, 255], [0, 9]]]))
    rows = np.array([[[0, 0, 0], [7, 3, 1]]], np.int16)
    np.savez(tmp_path / "data/b.npz", train=rows)
    (tmp_path / "data/readme.txt").write_text("not a drawing")
    figures(prepare(tmp_path / "data", "-o", tmp_path / "out"))
    assert dataset.load(tmp_path / "out").classes == ("a", "b")


def test_a_folder_of_svgs_has_a_class_per_folder_and_its_bad_ones_are_named(
    tmp_path: Path,
) -> None:
    for i in range(3):
        for name, height in (("cat", 9), ("dog", 8)):
            path = tmp_path / f"mine/{name}/{i}.SVG"
            path.parent.mkdir(parents=True, exist_ok=True)
            line = f'<line x1="0" y1="0" x2="{i}" y2="{height}"/>'
            path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{line}</svg>')
    bad = tmp_path / "mine/cat/0.svg"
    bad.write_text("no drawing")
    (tmp_path / "mine/dog/0.SVG").write_text("")
    result = prepare(tmp_path / "mine", "-o", tmp_path / "out")
    table = figures(result)
    assert (table["drawings"], table["skipped"]) == ("5", "2")
    assert all(str(path) in result.stderr for path in (bad, tmp_path / "mine/dog/0.SVG"))
    assert dataset.load(tmp_path / "out").classes == ("cat", "dog")


def test_the_limit_holds_for_each_class_over_all_files(tmp_path: Path) -> None:
    files = [
        drawings_file(
            tmp_path / f"{name}.ndjson",
            *(("cat", [[[0, 255], [first, i]]]) for i in range(5)),
            ("dog", [[[0, 255], [first, 99]]]),
        )
        for first, name in enumerate(["a", "b"])
    ]
    table = figures(prepare(*files, "--limit", 7, "-o", tmp_path / "out"))
    packed = dataset.load(tmp_path / "out")
    assert np.bincount(packed.labels).tolist() == [7, 2]
    assert table["over the limit"] == "3"


def test_bad_lines_are_shown_ten_a_file_then_counted(tmp_path: Path) -> None:
    path = drawings_file(tmp_path / "cat.ndjson", ("cat", [[[0, 255], [0, 9]]]))
    with path.open("a") as file:
        file.write("\n" + "nonsense\n" * 25)
    result = prepare(path, "-o", tmp_path / "out")
    assert figures(result)["skipped"] == "25"
    *shown, rest = result.stderr.splitlines()
    assert shown == [f"{path}, line {n}: skipped, not JSON" for n in range(2, 12)]
    assert rest == f"{path}: 15 more skipped"


SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9cm" height="9cm">
<polyline points="1,1 8,2 5,7" fill="none" stroke="black"/></svg>"""


def test_a_link_that_leads_nowhere_is_named_and_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / "a.svg").write_text(SVG)
    (folder / "b.svg").symlink_to(folder / "gone.svg")
    result = prepare(folder, "-o", tmp_path / "out")
    assert figures(result)["drawings"] == "1"
    assert f"{folder / 'b.svg'}: a link that leads nowhere" in result.stderr


def test_the_file_tells_where_the_drawings_come_from(cats: Path, tmp_path: Path) -> None:
    figures(prepare(cats, "-o", tmp_path / "google"))
    (source,) = dataset.load(tmp_path / "google").sources
    assert "Google" in source
    assert "CC BY 4.0" in source
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.svg").write_text(SVG)
    figures(prepare(tmp_path / "cat", "-o", tmp_path / "svg"))
    assert dataset.load(tmp_path / "svg").sources == ("Drawings of one's own",)
    figures(prepare(tmp_path / "cat", cats, "-o", tmp_path / "mixed"))
    assert dataset.load(tmp_path / "mixed").sources == (source, "Drawings of one's own")
    own = ["--source", "My own, all rights reserved", "--source", "TU-Berlin, CC BY 4.0"]
    figures(prepare(cats, *own, "-o", tmp_path / "own"))
    assert dataset.load(tmp_path / "own").sources == (own[1], own[3])


@pytest.mark.parametrize("name", ["cat.ndjson", "cat.npz", "cat.txt"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\x01\x02", b"PK\x03\x04 cut short"])
def test_a_file_that_cannot_be_read_ends_it_in_one_line_and_writes_nothing(
    cats: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    output = tmp_path / "out"
    output.write_bytes(b"what was there before")
    assert str(path) in refusal(prepare(cats, path, "-o", output))
    assert output.read_bytes() == b"what was there before"
    assert len(list(tmp_path.iterdir())) == 1 + (content is not None)


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    assert "no .ndjson or .npz" in refusal(prepare(tmp_path, "-o", tmp_path / "out"))


def test_an_output_that_cannot_be_written_is_one_clear_line(
    cats: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written" in refusal(prepare(cats, "-o", tmp_path / "file/out"))
