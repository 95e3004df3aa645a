"""What the hooks lean on in vpype-gcode: each test names one thing that it never promised."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import vpype as vp
import vpype_cli
import vpype_gcode.gwrite  # noqa: F401 -- brings its profiles, as a plug-in does

from vpype_sketchformer.plotters.gcode import PROFILES, register
from vpype_sketchformer.plotters.gwrite_hooks import Condition, Template, Variables


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "out.gcode"
    path.write_text("the last good file")
    return path


def gwrite(monkeypatch: pytest.MonkeyPatch, output: Path, **profile: object) -> vp.Document:
    """Write two lines with a profile of these entries; return the drawing."""
    monkeypatch.setitem(vp.config_manager.config["gwrite"], "probe", profile)
    document = vp.Document(page_size=(100.0, 100.0))
    document.add([[10 + 10j, 20 + 10j]], 1)
    document.add([[10 + 20j, 20 + 20j]], 3)
    vpype_cli.execute(f"gwrite -p probe '{output}'", document)
    return document


@pytest.mark.parametrize("entry", ["vertical_flip", "invert_y"])
def test_conditions_are_asked_before_the_file_is_opened(
    monkeypatch: pytest.MonkeyPatch, output: Path, entry: str
) -> None:
    asked = []

    def refuse(document: vp.Document) -> bool:
        asked.append((document, output.read_text()))
        raise click.UsageError("refused")

    with pytest.raises(click.UsageError, match="refused"):
        gwrite(monkeypatch, output, document_start="G21\n", **{entry: Condition(refuse)})
    ((document, content),) = asked
    assert content == "the last good file" == output.read_text()
    assert document.page_size == (100.0, 100.0)
    assert list(document.layers) == [1, 3]


@pytest.mark.parametrize(("answer", "expected"), [(False, "10 "), (True, "90 ")])
def test_a_condition_is_asked_for_its_truth(
    monkeypatch: pytest.MonkeyPatch, output: Path, answer: bool, expected: str
) -> None:
    gwrite(
        monkeypatch,
        output,
        unit="px",
        segment_first="{y:.0f} ",
        vertical_flip=Condition(lambda _: answer),
    )
    assert output.read_text().startswith(expected)


def test_templates_are_filled_in_by_format_map(
    monkeypatch: pytest.MonkeyPatch, output: Path
) -> None:
    seen: list[tuple[list[int], int]] = []

    def prepare(document: vp.Document, variables: Variables) -> Variables | None:
        seen.append((list(document.layers), variables["layer_id"]))
        layer_id = variables["layer_id"]
        return {**variables, "next": 7} if layer_id == 3 else None

    gwrite(
        monkeypatch,
        output,
        unit="px",
        line_end=Template("{layer_id} {next} {feed} {x:.0f}\n", prepare),
        default_values={"feed": 1500},
    )
    assert output.read_text() == "3 7 1500 20\n"
    assert seen == [([1, 3], 1), ([1, 3], 3)]


def test_vpype_keeps_profiles_as_they_are() -> None:
    """Not as copies, nor as text read from a file."""
    register()
    configured = vp.config_manager.config["gwrite"]["grbl_servo"]
    for name in ("document_start", "layer_join", "vertical_flip", "invert_y"):
        assert configured[name] is PROFILES["grbl_servo"][name]
