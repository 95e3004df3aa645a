"""Parameters of commands: evaluated when the pipeline gets there, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import vpype as vp
import vpype_cli


def evaluate(
    state: vpype_cli.State, ctx: click.Context, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Evaluate a command's parameters: expressions, properties, units.

    Args:
        state: The state of the pipeline.
        ctx: The context of the command.
        values: The parameters as parsed, by name.

    Raises:
        click.BadParameter: A value cannot be converted; the message names its parameter.
    """
    return {name: _evaluate(state, ctx, name, value) for name, value in values.items()}


def require(condition: bool, ctx: click.Context, name: str, message: str) -> None:
    """Refuse a parameter's value unless the condition holds.

    Raises:
        click.BadParameter: It does not; the message names the parameter.
    """
    if not condition:
        raise click.BadParameter(message, ctx, _parameter(ctx, name))


def varies(values: Mapping[str, Any]) -> bool:
    """Tell whether parameters may change from one run of the command to the next."""
    return any(mark in str(value) for value in values.values() for mark in "%{")


def _evaluate(state: vpype_cli.State, ctx: click.Context, name: str, value: Any) -> Any:
    try:
        return state.preprocess_argument(value)
    except click.BadParameter as error:
        param = _parameter(ctx, name)
        message = error.message
        if isinstance(error.__cause__, ValueError):
            whole = "whole " if isinstance(param.type, vpype_cli.IntegerType) else ""
            message = f"{value!r} is not a {whole}{param.type.name}."
            if param.type.name == "length":
                message += f" Units: {', '.join(vp.UNITS)}."
        raise click.BadParameter(message, ctx, param) from error


def _parameter(ctx: click.Context, name: str) -> click.Parameter:
    return next(param for param in ctx.command.params if param.name == name)
