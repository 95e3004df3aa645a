"""Whatever is in a file, it ends in success or in one line, and takes little time and memory.

A few hundred of the inputs that `make fuzz` makes tens of thousands of, those that broke
something once among them; `worker` says what is looked at.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.hostile.fuzz import watch
from tests.hostile.inputs import KINDS, NAMES
from training.data.readers import READERS, ReaderError, read
from vpype_sketchformer.sketchpad import keeping
from vpype_sketchformer.wording import is_name, plain

COUNTS = {
    "model": 160,
    "npz": 60,
    "svg": 50,
    "ndjson": 40,
    "page": 40,
    "job": 40,
    "config": 40,
    "dataset": 70,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_ends_well(kind: str) -> None:
    assert watch(kind, 1, COUNTS[kind]) == ""


def test_the_watch_sees_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hostile.fuzz.MEMORY", 2**20)
    assert "MiB" in watch("page", 1, 5)


@pytest.mark.parametrize("end", READERS)
def test_nobody_waits_for_a_pipe_of_drawings(tmp_path: Path, end: str) -> None:
    os.mkfifo(tmp_path / f"cat{end}")
    with pytest.raises(ReaderError, match="not a file"):
        list(read(tmp_path / f"cat{end}"))


def test_a_kept_page_that_is_a_pipe_or_too_large_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = keeping.Shelf(tmp_path)
    names = [f"2026-01-01-00000{i}-0000" for i in range(3)]
    page = '{"size": [400, 300], "strokes": {"1": {"drawing": 1, "by": "you", "points": '
    (tmp_path / f"{names[0]}.json").write_text(page + "[1, 2, 3, 4]}}}")
    os.mkfifo(tmp_path / f"{names[1]}.json")
    (tmp_path / f"{names[2]}.json").write_text(page + "[1, 2, 3, 4" + ", 5, 6" * 90 + "]}}}")
    monkeypatch.setattr(keeping, "LARGEST", 400)
    assert [kept.name for kept in shelf.earlier(6)] == names[:1]


def test_text_from_outside_is_one_printable_line() -> None:
    rng = random.Random(1)
    texts = [
        *NAMES,
        *("".join(map(chr, rng.choices(range(0x110000), k=9))) for _ in range(500)),
    ]
    for text in texts:
        line = plain(text)
        assert line.isprintable()
        line.encode()
        assert text.isprintable() is (line == text) or len(text) > 1000
    assert plain("a\x1b[2Jb\n") == r"a\x1b[2Jb\n"
    assert plain("Émile's 猫 / é") == "Émile's 猫 / é"


def test_names_lead_nowhere() -> None:
    assert {name for name in NAMES if is_name(name)} == {"%_name%", "<&\"'>", "é"}
    assert is_name("The Eiffel Tower")
