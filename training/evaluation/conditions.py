"""How samples are drawn: keyword arguments of the sampler, as they are typed and printed."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping, Sequence

from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model.choosing import sample_best
from vpype_sketchformer.model.sampling import sample

#: Keyword arguments of ``sampling.sample``; all others have its defaults.
Condition = Mapping[str, float | str]

#: What the evaluation itself hands to the sampler.
_GIVEN = ("checkpoint", "labels", "seeds", "prefix", "codes", "retries", "others", "progress")
#: What can be asked of the sampler.
WISHES = tuple(
    name
    for draw in (sample, sample_best)
    for name in inspect.signature(draw).parameters
    if name not in (*_GIVEN, "style")
)

#: ``--part samples`` draws as `sketchgen` does, and the first that comes; ``--frontier`` so.
CURVE: Sequence[Condition] = [
    {"temperature": DEFAULT_TEMPERATURE},
    {"temperature": DEFAULT_TEMPERATURE, "tries": 1},
]
FRONTIER: Sequence[Condition] = [
    *({"temperature": t} for t in (0.2, DEFAULT_TEMPERATURE, 0.8)),
    *(
        {"temperature": DEFAULT_TEMPERATURE, "guidance": g, "tries": k}
        for g, k in ((1.0, 1), (1.5, 1), (2.0, 1), (1.0, 3), (2.0, 3))
    ),
    {"temperature": DEFAULT_TEMPERATURE, "structure_temperature": 0.5},
    {"temperature": DEFAULT_TEMPERATURE, "quality": 0},
    {"temperature": DEFAULT_TEMPERATURE, "quality": 4},
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
    least = {"tries": 1, "guidance": 1}.get(name, 0)
    if name in ("tries", "quality") and type(value) is not int:
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
