"""What the commands sense around them, and each private thing that this leans on.

The tests of the second part look at vpype and click alone: they fail on the day that a new
version does it another way, and say what.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support import pipeline
from vpype_sketchformer.commands.support.pipeline import (
    LayoutCommand,
    Place,
    PlacedCommand,
    layers_around,
    note_in_command_line,
)

#: What a command of the tests has seen, call by call.
Seen = list[dict[str, Any]]


def numbers(grid: click.Context | None) -> str | None:
    """Columns and rows of a `grid`, as typed."""
    return grid and " ".join(map(str, grid.params["number"]))


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Give vpype two commands that look around: `look`, and `lay`, which takes a layout."""
    calls: Seen = []

    def look(ctx: click.Context, place: Place, **_: Any) -> Any:
        @vpype_cli.global_processor
        def process(document: vp.Document) -> vp.Document:
            grid = place.block("grid")
            calls.append(
                {
                    "loop": place.loop,
                    "remaining": place.remaining,
                    "grid": grid and " ".join(map(str, grid.params["number"])),
                    "layout": place.layout
                    and " ".join(map(str, place.layout.params["number"])),
                    "typed": (place.arguments, place.layout_arguments),
                    "layers": layers_around(),
                }
            )
            return document

        return process()

    def command(name: str, cls: type[PlacedCommand]) -> PlacedCommand:
        flag = click.Option(["-f", "--flag"], is_flag=True)
        return cls(name, callback=click.pass_context(look), params=[flag])

    commands = {"look": command("look", PlacedCommand), "lay": command("lay", LayoutCommand)}
    for name, added in commands.items():
        vpype_cli.cli.add_command(added, name)
    yield calls
    for name in commands:
        del vpype_cli.cli.commands[name]


def run(line: str) -> vp.Document:
    return vpype_cli.execute(line)


@pytest.mark.parametrize(
    ("line", "loop", "remaining"),
    [
        ("look", None, [1]),
        ("repeat 2 line 0 0 1 1 end look", None, [1]),
        ("repeat 3 look end", "repeat", [3, 2, 1]),
        ("grid 2 1 repeat 2 look end end", "repeat", [2, 1, 2, 1]),
        ("repeat 2 grid 2 1 line 0 0 1 1 end look end", "repeat", [2, 1]),
        ("begin grid 3 1 look end", "grid", [3, 2, 1]),
        ("line 0 0 1 1 line -l 4 0 0 1 1 forlayer look end", "forlayer", [2, 1]),
        ("forfile FILES look end", "forfile", [1, 1]),
        ("repeat 3 forfile FILES look end end", "forfile", [1] * 6),
    ],
)
def test_the_loop_and_how_often_it_still_runs(
    seen: Seen, tmp_path: Path, line: str, loop: str | None, remaining: list[int]
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").touch()
    run(line.replace("FILES", f"'{tmp_path}/*.txt'"))
    assert {call["loop"] for call in seen} == {loop}
    assert [call["remaining"] for call in seen] == remaining


def test_the_innermost_block_of_a_name(seen: Seen) -> None:
    run("grid 2 1 grid 1 3 repeat 1 look end end end look")
    assert [call["grid"] for call in seen] == ["1 3"] * 6 + [None]


def test_a_layout_is_for_commands_that_take_one(seen: Seen) -> None:
    run("lay -f grid 3 2 repeat 2 lay grid -k 1 1 end")
    assert [call["layout"] for call in seen] == ["3 2", "1 1", "1 1"]
    assert seen[0]["typed"] == (("-f",), ("grid", "3", "2"))
    assert seen[1]["typed"] == ((), ("grid", "-k", "1", "1"))
    with pytest.raises(click.ClickException, match="'end' command is missing"):
        run("look grid 3 2")


def test_layers_that_forlayer_hides(seen: Seen) -> None:
    run("line 0 0 1 1 line -l 4 0 0 1 1 line -l 5 0 0 1 1 forlayer look end look")
    shown = {1, 4, 5}
    assert [call["layers"] for call in seen] == [
        (shown, set()),
        (shown, {1}),
        (shown, {1, 4}),
        (set(), set()),
    ]


# --- what is private: vpype and click alone ------------------------------------------------


def frame_of(code: Any) -> Any:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame


def test_click_keeps_the_commands_of_a_chain_in_contexts() -> None:
    found: list[list[str | None]] = []

    class Probe(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            contexts = frame_of(click.Group.invoke.__code__).f_locals["contexts"]
            found.append([context.info_name for context in contexts])
            return super().parse_args(ctx, args)

    group = click.Group("group", chain=True)
    for name in ("one", "two", "three"):
        group.add_command(Probe(name, callback=lambda: None))
    group.main(["one", "two", "three"], standalone_mode=False)
    assert found == [[], ["one"], ["one", "two"]]


def test_click_goes_on_with_what_a_command_leaves_in_args() -> None:
    ran: list[str] = []

    class Greedy(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            rest = super().parse_args(ctx, args)
            ctx.args = rest[1:]
            return ctx.args

    group = click.Group("group", chain=True)
    group.add_command(Greedy("greedy", callback=lambda: ran.append("greedy")))
    group.add_command(click.Command("other", callback=lambda: ran.append("other")))
    group.main(["greedy", "swallowed", "other"], standalone_mode=False)
    assert ran == ["greedy", "other"]


def test_vpypes_blocks_have_one_function_in_common_that_nothing_else_has() -> None:
    run("line 0 0 1 1")  # loads the plug-ins
    blocks = {
        name for name, command in vpype_cli.cli.commands.items() if pipeline._is_block(command)
    }
    assert blocks >= {"grid", "repeat", "forfile", "forlayer"}
    others = {"begin", "end", "line", "read", "write", "linesort", "layout", "sketchgen"}
    assert not blocks & others


def test_forlayer_keeps_its_layers_in_lids_and_new_doc() -> None:
    code = vpype_cli.forlayer.callback.__wrapped__.__code__
    assert {"lids", "new_doc"} <= set(code.co_varnames)


def test_forfile_does_not_count_its_files(tmp_path: Path) -> None:
    """On the day that it does, it belongs to `pipeline.COUNTING`."""
    (tmp_path / "a.txt").touch()
    document = run(f"forfile '{tmp_path}/*.txt' propset -g -t int count %_n% end")
    assert document.property("count") == len(f"{tmp_path}/*.txt") != 1


def test_the_command_line_that_write_notes_is_the_groups_object(tmp_path: Path) -> None:
    def remark(ctx: click.Context) -> Any:
        return vpype_cli.global_processor(lambda document: document)()

    class Remarking(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            note_in_command_line(ctx, "a remark of ours")
            return super().parse_args(ctx, args)

    vpype_cli.cli.add_command(Remarking("remark", callback=click.pass_context(remark)))
    try:
        run(f"line 0 0 1 1 remark write '{tmp_path}/out.svg'")
    finally:
        del vpype_cli.cli.commands["remark"]
    assert "a remark of ours" in (tmp_path / "out.svg").read_text()
