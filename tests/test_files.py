"""Files are written whole or not at all, and never through a symbolic link."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from vpype_sketchformer.files import replacing, write_whole
from vpype_sketchformer.model import checkpoint
from vpype_sketchformer.plotters.job import JobFile, Progress
from vpype_sketchformer.sketchpad.keeping import Shelf

TINY = Path(__file__).parent / "data" / "tiny.safetensors"


@pytest.mark.parametrize("content", ["", "Äpfel\r\nund Birnen\n", b"\x00\xff\r\n"])
def test_the_content_arrives_as_it_is(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / ("a name as long as they come " * 9)[:255]
    for _ in range(2):  # a new file, then one that is there
        write_whole(path, content)
        expected = content.encode() if isinstance(content, str) else content
        assert path.read_bytes() == expected
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_what_is_cut_short_leaves_the_file_as_it_was(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "drawing.svg"
    path.write_text("before")
    with pytest.raises(type(error)), replacing(path) as file:
        file.write(b"half of ")
        file.flush()
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "drawing.svg").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "drawing.svg", "new")
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "drawing.svg", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["drawing.svg"]


def test_who_reads_meanwhile_finds_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "state"
    contents = [letter * 300_000 for letter in "ab"]
    write_whole(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for i in range(60):
            write_whole(path, contents[i % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_text() in contents
    writer.join()


def _save_job(path: Path) -> None:
    JobFile(path).save({"1": Progress("abc", 3)})


def _keep_page(path: Path) -> None:
    shelf = Shelf(path.parent)
    shelf.name = path.stem
    shelf.keep('{"strokes": []}')


def _save_model(path: Path) -> None:
    checkpoint.save(checkpoint.load(TINY), path)


@pytest.mark.skipif(os.name == "nt", reason="links and modes are of another kind there")
@pytest.mark.parametrize("save", [_save_job, _keep_page, _save_model])
def test_nothing_is_written_through_a_link(
    tmp_path: Path, save: Callable[[Path], None]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("somebody else's")
    path = tmp_path / "x.json"
    links = [path, path.with_name("x.json.partial"), path.with_suffix(".partial")]
    for link in links:
        link.symlink_to(victim)
    save(path)
    assert victim.read_text() == "somebody else's"
    assert path.is_file() and not path.is_symlink()
    assert all(link.is_symlink() for link in links[1:])


@pytest.mark.skipif(os.name == "nt", reason="links and modes are of another kind there")
def test_a_new_file_may_be_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "whole", "")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "whole")]
    assert modes[0] == modes[1]
