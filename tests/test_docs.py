"""The README and the recipes: every line of theirs runs, and names files that are there."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from tests.command_lines import command_lines, run
from vpype_sketchformer.model import checkpoint

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/recipes.md", "docs/variations.md")
ALL_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
)
#: What these lines need, a machine, is tested elsewhere.
MACHINES = re.compile(r"\b(grbl|axidraw|sketchpad|sketchpick)\b")


def lines_of(page: str) -> list[str]:
    return command_lines((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_recipes_run_one_after_the_other(
    page: str, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a checkout's folder, with a model that scribbles."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "find", lambda name: coded)
    shutil.copytree(ROOT / "tests/data", tmp_path / "tests/data")
    lines = [line for line in lines_of(page) if not MACHINES.search(line)]
    assert len(lines) >= 7
    for line in lines:
        written = re.findall(r"\bg?write \"?([\w.%+\[\]]+)", line)
        assert written, line
        run(line)
        if "%" not in written[0]:
            assert (tmp_path / written[0]).stat().st_size > 0, line


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_short_enough_to_read(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert max(len(line) for line in text.splitlines() if line.startswith("    ")) <= 95


def test_recipes_with_a_picture_are_what_drew_it() -> None:
    """But for the file's name: lines that say `color black` are those of the script."""
    script = (ROOT / "training/recipes/pictures.sh").read_text(encoding="utf-8")
    indented = "\n".join(f"    {line}" for line in script.splitlines())
    drawn = {line.partition(" write ")[0] for line in command_lines(indented)}
    shown = [line for line in lines_of("docs/recipes.md") if "color black" in line]
    assert len(shown) == 4
    assert {line.partition(" write ")[0] for line in shown} <= drawn


def test_the_contract_stands_in_the_readme() -> None:
    contract = "vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg"
    assert contract in lines_of("README.md")


@pytest.mark.parametrize("page", ALL_PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    """Links of README and CONTRIBUTING (mkdocs checks those of the site), files, modules."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if not page.startswith("docs/"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (ROOT / target).exists(), target
    for name in re.findall(r"`((?:tests|training|docs|vpype_sketchformer)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for module in re.findall(r"python -m (training\.\w+)", text):
        assert importlib.util.find_spec(module), module
