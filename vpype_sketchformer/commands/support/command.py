"""From a command line to what a command does: parsed, evaluated, checked, done.

vpype calls a command's function while it reads the line, and gets a processor from it: a
function that works on the pipeline's document later, once or, in a block, again and again.
Parameters may be expressions, such as ``-n %_i+1%``, so only the processor can evaluate and
check them. `processor` is that way from the one to the other, for all of our commands.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
import vpype as vp
import vpype_cli

from vpype_sketchformer.commands.support.parameters import evaluate, require
from vpype_sketchformer.commands.support.pipeline import Place
from vpype_sketchformer.wording import plain

if TYPE_CHECKING:
    from vpype_sketchformer.model.checkpoint import Checkpoint
    from vpype_sketchformer.sketch import Sketch


@dataclass
class Memory:
    """What a command keeps from one of its calls to the next.

    Attributes:
        command: The command's name.
        checkpoints: The models that it has loaded.
        warned: The kinds of things that it has warned of.
    """

    command: str
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a model, once.

        Raises:
            click.BadParameter: It cannot be loaded.
        """
        from vpype_sketchformer.model import checkpoint

        if name not in self.checkpoints:
            try:
                self.checkpoints[name] = checkpoint.load(checkpoint.find(name))
            except checkpoint.CheckpointError as error:
                raise click.BadParameter(str(error), param_hint="--model") from error
        return self.checkpoints[name]

    @contextlib.contextmanager
    def predicting(self, name: str) -> Iterator[None]:
        """Refuse a model that turns out to predict nothing of use, while it is drawn with.

        Raises:
            click.BadParameter: It does.
            click.UsageError: It, or the recogniser that ships, cannot be used.
        """
        from vpype_sketchformer.model.checkpoint import CheckpointError
        from vpype_sketchformer.model.mixture import PredictionError

        try:
            yield
        except PredictionError as error:
            message = f"{plain(name)}: {error}"
            raise click.BadParameter(message, param_hint="--model") from error
        except CheckpointError as error:  # mostly the recogniser's, which no option names
            raise click.UsageError(str(error)) from error

    def warn(self, kind: str, message: str) -> None:
        """Warn, once about each kind of thing."""
        if kind not in self.warned:
            self.warned.add(kind)
            logging.warning(f"{self.command}: {plain(message)}")

    def warn_of_cuts(self, sketches: Sequence[Sketch]) -> None:
        """Warn of sketches that did not come to an end."""
        cut = sum(not sketch.finished for sketch in sketches)
        if cut:
            self.warn(
                "cut",
                f"{cut} of {len(sketches)} sketches were cut at the length limit; a lower "
                "`--temperature` or more `--tries` may help",
            )


M = TypeVar("M", bound=Memory)


@dataclass(frozen=True)
class Call(Generic[M]):
    """One call of a command by the pipeline.

    Attributes:
        ctx: The command's context, from when the line was read.
        place: Where the command stands in the line.
        given: Its parameters as they were given, by name.
        values: The same, evaluated.
        state: The state of the pipeline.
        memory: What the command keeps from call to call.
    """

    ctx: click.Context
    place: Place
    given: dict[str, Any]
    values: dict[str, Any]
    state: vpype_cli.State
    memory: M

    def require(self, condition: bool, name: str, message: str) -> None:
        """Refuse a parameter's value unless the condition holds.

        Raises:
            click.BadParameter: It does not; the message names the parameter.
        """
        require(condition, self.ctx, name, message)


def processor(
    memory: Callable[[str], M], check: Callable[[Call[M]], None]
) -> Callable[[Callable[[Call[M], vp.Document], vp.Document]], Callable[..., Any]]:
    """Make a function the processor of a `PlacedCommand`, to stand below its options.

    Args:
        memory: What makes the command's memory, given its name.
        check: What refuses values outside their range.

    Returns:
        A decorator. The function gets the call and the document, and returns the document.
    """

    def decorate(work: Callable[[Call[M], vp.Document], vp.Document]) -> Callable[..., Any]:
        @functools.wraps(work)
        def command(place: Place, **given: Any) -> Callable[[vpype_cli.State], None]:
            ctx = click.get_current_context()
            kept = memory(ctx.command.name or "")

            @vpype_cli.global_processor
            @vpype_cli.pass_state
            @functools.wraps(work)
            def process(state: vpype_cli.State, document: vp.Document) -> vp.Document:
                values = evaluate(state, ctx, given)
                call = Call(ctx, place, given, values, state, kept)
                check(call)
                return work(call, document)

            return process()

        return command

    return decorate
