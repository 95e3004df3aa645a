"""What a command senses of the pipeline around it: all of that is here.

vpype tells a command what is in the pipeline, and nothing about its place in it. Ours need
more, and this is the one module that looks for it, some of it where nobody invited it. What
it leans on beyond vpype's and click's documentation, each with a test of its own in
`tests/commands/test_pipeline.py` that fails on the day that it changes:

* ``click.Group.invoke`` keeps the commands that it has parsed in its local ``contexts``, and
  takes what is left of the line from ``Context.args``.
* vpype's block commands have one function in common, the wrapper that ``block_processor``
  gives them, and no other command has it.
* ``forlayer`` keeps the layers it shows in its local ``lids``, and what it has done in
  ``new_doc``.
* ``forlayer``, ``grid`` and ``repeat`` count with the variables ``_i`` and ``_n``, as
  documented; ``forfile``'s ``_n`` is not the number of its files.
* The object of the command group's context is the command line as ``write`` notes it.

``docs/vpype-wishes.md`` says what vpype could offer in their place.

The `grid` that follows a command is one of these things. vpype's `grid` is a block and wants
an `end`. A line such as

    vpype sketchgen -n 20 --class cat grid 5 4 linesort write out.svg

has none: here, `grid 5 4` is the layout of the command before it. A `grid` that an `end`
closes, or that follows any other command, keeps vpype's meaning.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import click
import vpype_cli

#: The loops that count with ``_i`` and ``_n``.
COUNTING = ("forlayer", "grid", "repeat")


@dataclass(frozen=True)
class Place:
    """Where a command stands in the pipeline.

    Attributes:
        layout: The `grid` that the command takes as a layout, None if there is none.
        blocks: The block commands around it, the innermost last.
        arguments: What was typed behind the command's name, without the layout.
        layout_arguments: What was typed as the layout: empty, or `grid` and what follows it.
    """

    layout: click.Context | None
    blocks: tuple[click.Context, ...]
    arguments: tuple[str, ...]
    layout_arguments: tuple[str, ...]

    @property
    def loop(self) -> str | None:
        """The name of the innermost block around the command, None outside of blocks."""
        return self.blocks[-1].info_name if self.blocks else None

    @property
    def remaining(self) -> int:
        """How often the loop still runs the running command, this time included.

        1 where there is no loop, and where the loop does not tell.
        """
        if self.loop not in COUNTING:
            return 1
        return int(vpype_cli.State.get_current().substitute("%_n - _i%"))

    def block(self, name: str) -> click.Context | None:
        """Return the innermost block of a name around the command, None if there is none."""
        return next((block for block in self.blocks[::-1] if block.info_name == name), None)


class PlacedCommand(click.Command):
    """A command that knows where it stands: its callback gets its `Place` as ``place``."""

    #: The section of `vpype --help` that lists the command.
    help_group = "Plugins"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command's own arguments, then the layout behind them."""
        typed = tuple(args)
        rest = super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return rest
        arguments = typed[: len(typed) - len(rest)]
        blocks = _open_blocks(_contexts_before())
        layout = None
        if self._has_layout(ctx, rest, depth=len(blocks)):
            layout = _parse(ctx, rest)
            ctx.args = rest = layout.args
        ctx.params["place"] = Place(
            layout=layout,
            blocks=tuple(blocks),
            arguments=arguments,
            layout_arguments=typed[len(arguments) : len(typed) - len(rest)],
        )
        return rest

    def _has_layout(self, ctx: click.Context, rest: list[str], depth: int) -> bool:
        """Tell whether the rest of the line begins with a layout of the command's."""
        return False


class LayoutCommand(PlacedCommand):
    """A command that takes a `grid` right behind it as its layout."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command and its layout; refuse a `grid` farther on that nothing closes."""
        rest = super().parse_args(ctx, args)
        if "grid" in rest and not ctx.resilient_parsing:
            _refuse_lost_grid(ctx, rest)
        return rest

    def _has_layout(self, ctx: click.Context, rest: list[str], depth: int) -> bool:
        return rest[:1] == ["grid"] and _is_layout(ctx, rest, depth)


def note_in_command_line(ctx: click.Context, remark: str) -> None:
    """Add a remark to the command line that `write` notes in the file.

    vpype keeps it as the object of its group's context, and reads it when it parses `write`.

    Args:
        ctx: The context of the command, while it is being parsed.
        remark: The remark; `vpype -I` takes it for a comment.
    """
    if ctx.parent is not None and isinstance(ctx.parent.obj, str):
        ctx.parent.obj += f"# {remark}\n"


def layers_around() -> tuple[set[int], set[int]]:
    """Return the layers of the pipeline that the running command cannot see.

    `forlayer` shows one layer at a time, and keeps the others in its local variables.

    Returns:
        The layers that are shown in turn, and those of the result so far.
    """
    shown: set[int] = set()
    result: set[int] = set()
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is vpype_cli.forlayer.callback.__wrapped__.__code__:
            shown.update(frame.f_locals["lids"])
            result.update(frame.f_locals["new_doc"].ids())
        frame = frame.f_back
    return shown, result


def _parse(ctx: click.Context, args: list[str], **extra: Any) -> click.Context:
    """Parse the next command of the chain; the context's `args` are what comes after it.

    Raises:
        click.UsageError: There is no such command, or its arguments are wrong.
    """
    assert ctx.parent is not None and isinstance(ctx.parent.command, click.Group)
    name, command, rest = ctx.parent.command.resolve_command(ctx.parent, args)
    assert command is not None
    chain = {"allow_extra_args": True, "allow_interspersed_args": False}
    return command.make_context(name, rest, parent=ctx.parent, **chain, **extra)


def _contexts_before() -> list[click.Context]:
    """Return the contexts of the commands before the one that is being parsed.

    click keeps them in a local variable of the loop that parses a chain, and nowhere else.
    """
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not click.Group.invoke.__code__:
        frame = frame.f_back
    return list(frame.f_locals.get("contexts", ())) if frame else []


def _is_block(command: click.Command) -> bool:
    """Tell whether a command opens a block: vpype's decorator gives them all one function."""
    code = getattr(command.callback, "__code__", None)
    return code is vpype_cli.grid.callback.__code__


def _open_blocks(contexts: list[click.Context]) -> list[click.Context]:
    """Return the blocks that are still open after these commands, the outermost first."""
    blocks: list[click.Context] = []
    for context in contexts:
        if _is_block(context.command):
            blocks.append(context)
        elif context.command is vpype_cli.end and blocks:
            blocks.pop()
    return blocks


def _is_layout(ctx: click.Context, args: list[str], depth: int) -> bool:
    """Decide whether the `grid` at the head of ``args`` is a layout rather than a block.

    It is a block if the line has an `end` for it. Every block needs its own: the one in
    `repeat 2 sketchgen grid 2 2 end` belongs to `repeat`.

    Args:
        ctx: The command before the `grid`.
        args: The rest of the line.
        depth: How many blocks are open around the command.
    """
    steps, _ = _steps(ctx, args)
    commands = [step.command for step in steps]
    candidates = {  # a grid behind a command that could take it as a layout
        i
        for i, previous in enumerate([ctx.command, *commands[:-1]])
        if steps and steps[i].info_name == "grid" and isinstance(previous, LayoutCommand)
    }
    layouts: set[int] = set()
    while 0 not in layouts:
        opened, closed = _match(commands, depth, layouts)
        found = candidates.intersection(opened)
        if opened and not found:  # a true block lacks the end that a grid inside it took
            inside = [i for i in closed if i in candidates and i > opened[-1]]
            found = set(inside[-1:])
        if not found:
            return False
        layouts |= found
    return True


def _steps(ctx: click.Context, args: list[str]) -> tuple[list[click.Context], bool]:
    """Parse the rest of the line, as far as that goes.

    Returns:
        A context for each command, and whether these are all. Where they are not, there is a
        mistake in the line, which click reports when it gets there.
    """
    steps: list[click.Context] = []
    while args:
        try:
            steps.append(_parse(ctx, args, resilient_parsing=True))
        except click.UsageError:
            return steps, False
        args = steps[-1].args
    return steps, True


def _refuse_lost_grid(ctx: click.Context, args: list[str]) -> None:
    """Refuse a `grid` that was meant as a layout, but stands behind another command.

    Args:
        ctx: The command that could have taken it.
        args: What is left of the line behind it and its layout.

    Raises:
        click.UsageError: There is one; the message says where it belongs.
    """
    steps, complete = _steps(ctx, args)
    commands = [step.command for step in steps]
    if not complete or any(isinstance(command, LayoutCommand) for command in commands):
        return  # another mistake comes first; the last command that takes a layout looks
    opened, _ = _match(commands, 0, set())
    for i in opened:
        if steps[i].info_name == "grid":
            before = steps[i - 1].info_name if i else "grid"
            raise click.UsageError(
                f"the `grid` behind `{before}` is vpype's block, and has no `end`. To lay out "
                f"what `{ctx.info_name}` draws, put it right behind `{ctx.info_name}` and its "
                "options.",
                ctx,
            )


def _match(
    commands: list[click.Command], depth: int, layouts: set[int]
) -> tuple[list[int], list[int]]:
    """Match blocks and ends.

    Returns:
        The indices of the blocks that stay open, and of the closed ones in closing order; the
        ``depth`` blocks opened before the commands count as negative.
    """
    opened = list(range(-depth, 0))
    closed: list[int] = []
    for i, command in enumerate(commands):
        if command is vpype_cli.end and opened:
            closed.append(opened.pop())
        elif i not in layouts and _is_block(command):
            opened.append(i)
    return opened, closed
