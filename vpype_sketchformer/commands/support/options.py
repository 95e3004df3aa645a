"""Options of the commands that draw with a model, and what their values may be."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import numpy as np
import vpype_cli

from vpype_sketchformer import (
    DEFAULT_GUIDANCE,
    DEFAULT_STRUCTURE_TEMPERATURE,
    DEFAULT_TEMPERATURE,
    DEFAULT_TRIES,
)
from vpype_sketchformer.commands.support.command import Call
from vpype_sketchformer.commands.support.parameters import require
from vpype_sketchformer.commands.support.pipeline import note_in_command_line
from vpype_sketchformer.commands.support.synonyms import SYNONYMS

DEFAULT_MODEL = "quickdraw"

#: The highest temperature: beyond it nothing is left of a drawing.
MAX_TEMPERATURE = 2.0
MAX_GUIDANCE = 10.0

F = TypeVar("F", bound=Callable[..., Any])


def _draw_seed(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Draw a seed from vpype's own generator and note it in the command line.

    `write` stores that in the file, which then tells how to draw it again.
    """
    if value is not None or ctx.resilient_parsing:
        return value
    seed = int(np.random.randint(2**31))  # noqa: NPY002 -- what `vpype --seed` seeds
    note_in_command_line(ctx, f"{ctx.info_name} --seed {seed}")
    return seed


def temperature_of(default: float) -> Callable[[F], F]:
    """Return the option of how freely lines are drawn."""
    return click.option(
        "-t",
        "--temperature",
        type=vpype_cli.FloatType(),
        default=str(default),
        help=f"How freely lines are drawn: near 0 calm, above 1 wild (default: {default}).",
    )


def structure_temperature_of(default: float) -> Callable[[F], F]:
    """Return the option of how freely a drawing goes its own way."""
    return click.option(
        "--structure-temperature",
        type=vpype_cli.FloatType(),
        default=str(default),
        help="How freely a drawing goes its own way, whatever its lines: near 0 all are "
        f"alike, 1 as different as people's (default: {default}).",
    )


def guidance_of(default: float) -> Callable[[F], F]:
    """Return the option of how much to insist on the class."""
    return click.option(
        "--guidance",
        type=vpype_cli.FloatType(),
        default=str(default),
        help="How much to insist on the class: 1 as learnt, 2 and more exaggerates "
        f"(default: {default}).",
    )


def tries_of(default: int, why: str, *names: str) -> Callable[[F], F]:
    """Return the option of how often to draw; ``names`` are other names of it."""
    return click.option(
        "--tries",
        *names,
        "tries",
        type=vpype_cli.IntegerType(),
        default=str(default),
        metavar="K",
        help=f"{why} (default: {default}).",
    )


def count_of(things: str, default: str) -> Callable[[F], F]:
    """Return the option of how many things to draw."""
    return click.option(
        "-n",
        "--count",
        type=vpype_cli.IntegerType(),
        metavar="N",
        help=f"Number of {things} (default: {default}).",
    )


def layer_of(what: str) -> Callable[[F], F]:
    """Return the option of where lies what a command goes on from."""
    return click.option(
        "-l",
        "--layer",
        type=vpype_cli.LayerType(accept_multiple=True),
        default="all",
        help=f"Layer(s) that hold {what}, or 'all' (default: all).",
    )


temperature = temperature_of(DEFAULT_TEMPERATURE)
structure_temperature = structure_temperature_of(DEFAULT_STRUCTURE_TEMPERATURE)
guidance = guidance_of(DEFAULT_GUIDANCE)
pen_temperature = click.option(
    "--pen-temperature",
    type=vpype_cli.FloatType(),
    default="1",
    help="The same for when to lift the pen and when to end (default: 1).",
)
tries = tries_of(
    DEFAULT_TRIES,
    "Draw each sketch K times, and keep the one that looks most like its class and least like "
    "those before it, and holds together; 1 takes it as it comes",
    "--best-of",
)
smooth = click.option(
    "--smooth/--no-smooth",
    default=True,
    help="Draw curves, flattened to 0.05 mm, or straight lines from point to point "
    "(default: --smooth).",
)
model = click.option(
    "-m",
    "--model",
    type=vpype_cli.TextType(),
    default=DEFAULT_MODEL,
    metavar="MODEL",
    help=f"A model that ships, or the path of your own (default: {DEFAULT_MODEL}).",
)
seed = click.option(
    "--seed",
    type=vpype_cli.IntegerType(),
    callback=_draw_seed,
    help="Seed of the sketches (default: drawn from vpype's own, see `vpype --seed`).",
)


def check(call: Call[Any]) -> None:
    """Refuse values outside their range: of the options above, and of the count.

    Raises:
        click.BadParameter: A value is outside; the message names its option.
    """
    values = call.values
    count, strength = values["count"], values["guidance"]
    call.require(count is None or count >= 1, "count", f"{count} is not at least 1.")
    for name in ("temperature", "structure_temperature", "pen_temperature"):
        check_temperature(call, name)
    call.require(
        0 <= strength <= MAX_GUIDANCE,
        "guidance",
        f"{strength:g} is not between 0 and {MAX_GUIDANCE:g}.",
    )
    call.require(values["tries"] >= 1, "tries", f"{values['tries']} is not at least 1.")
    check_seed(call)


def check_temperature(call: Call[Any], name: str = "temperature") -> None:
    """Refuse a temperature at which nothing is left of a drawing.

    Raises:
        click.BadParameter: It is one; the message names its option.
    """
    value = call.values[name]
    call.require(
        0 < value <= MAX_TEMPERATURE,
        name,
        f"{value:g} is not above 0 and at most {MAX_TEMPERATURE:g}.",
    )


def check_seed(call: Call[Any]) -> None:
    """Refuse a seed below 0.

    Raises:
        click.BadParameter: It is one; the message names its option.
    """
    seed = call.values["seed"]
    call.require(seed >= 0, "seed", f"{seed} is negative.")


def find_class(
    ctx: click.Context, parameter: str, wanted: str, known: Sequence[str], listing: str
) -> str:
    """Return the class of a name, in whatever case it is written.

    Args:
        ctx: The context of the command.
        parameter: The parameter that names the class.
        wanted: The name.
        known: The model's classes.
        listing: What lists them.

    Raises:
        click.BadParameter: There is no such class; the message names those that are near, by
            their meaning or by their letters.
    """
    by_name = {name.casefold(): name for name in known}
    word = wanted.casefold()
    several = "," in wanted and word not in by_name
    require(not several, ctx, parameter, f"one class is needed, not {wanted!r}.")
    meant = SYNONYMS.get(word)
    near = (
        [meant]
        if meant in known
        else [by_name[name] for name in difflib.get_close_matches(word, by_name, n=3)]
    )
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    rest = (
        f"{listing} lists all {len(known)}."
        if len(known) > 1
        else f"the model draws {known[0]!r} only."
    )
    require(word in by_name, ctx, parameter, f"unknown class {wanted!r}; {hint}{rest}")
    return by_name[word]
