"""How samples are drawn: keyword arguments of the sampler, as they are typed and printed."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections.abc import Mapping, Sequence

from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model.sampling import sample

#: Keyword arguments of ``sampling.sample``; all others have its defaults.
Condition = Mapping[str, float | str]

#: What the evaluation itself hands to the sampler.
_GIVEN = ("checkpoint", "labels", "seeds", "prefix", "retries", "progress")
#: What can be asked of the sampler.
WISHES = tuple(name for name in inspect.signature(sample).parameters if name not in _GIVEN)

#: What ``--part samples`` draws at, and what ``--frontier`` does.
CURVE: Sequence[Condition] = [{"temperature": DEFAULT_TEMPERATURE}]
FRONTIER: Sequence[Condition] = [
    *({"temperature": t} for t in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)),
    *({"temperature": t, "guidance": g} for g, t in itertools.product((1.5, 2.0), (0.3, 1.0))),
    *({"temperature": t, "best_of": 4} for t in (0.3, 1.0)),
]


def read(text: str) -> Condition:
    """Read a condition as it is typed, ``temperature=0.3,guidance=2``.

    Raises:
        ValueError: It asks for what the sampler does not know, or cannot do.
    """
    condition: dict[str, float | str] = {"temperature": DEFAULT_TEMPERATURE}
    for wish in text.split(","):
        name, equals, value = (part.strip() for part in wish.partition("="))
        if name not in WISHES or not equals:
            raise ValueError(f"'{wish}' is not one of {', '.join(WISHES)}, '=' and a value")
        try:
            condition[name] = json.loads(value)
        except json.JSONDecodeError:
            condition[name] = value
        _check(name, condition[name])
    return condition


def _check(name: str, value: object) -> None:
    least = {"best_of": 1, "guidance": 1}.get(name, 0)
    if name == "best_of" and type(value) is not int:
        raise ValueError(f"{name} must be a whole number")
    if name in ("temperature", "guidance") and not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    if isinstance(value, int | float) and not (math.isfinite(value) and value >= least):
        raise ValueError(f"{name} must be a finite number of at least {least}")
    if name.endswith("temperature") and value == 0:
        raise ValueError(f"{name} must be above 0")


def title(condition: Condition) -> str:
    """Name a condition in a table: ``t 0.3, guidance 2``."""
    named = {"t" if name == "temperature" else name: v for name, v in condition.items()}
    return ", ".join(f"{name.replace('_', ' ')} {_text(v)}" for name, v in named.items())


def _text(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, int | float) else value
