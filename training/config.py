"""The settings of a run: what there is, and what can be trained."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from training import Refusal
from training.baseline import POSITIONS
from training.data.batches import Augmentation
from vpype_sketchformer.model.checkpoint import MOST
from vpype_sketchformer.model.transformer import ModelConfig

MODELS = ("sketchformer", "baseline")
OPTIMIZERS = ("muon", "adamw")

#: Settings that a run may take up again with: how long it lasts, what it shows.
MAY_CHANGE = ("steps", "decay", "validate_every", "sample_every", "save_every")
#: Settings that must be above zero, and settings that are shares of one.
POSITIVE = (
    *("width", "heads", "layers", "hidden", "mixtures", "pen_width"),
    *("context", "steps", "points"),
    *("lr", "muon_lr", "clip", "validate_every", "sample_every", "save_every"),
)
SHARES = ("decay", "dropout", *(f.name for f in fields(Augmentation)))


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; ``training/configs`` has commented values.

    Attributes:
        model: "sketchformer", or "baseline" for the one this project began with.
        width: Channels.
        heads: Attention heads.
        layers: Blocks.
        hidden: Hidden units of a block's feed-forward part.
        mixtures: Gaussians in the mixture.
        pen_width: Hidden units of the pen's head.
        context: Longest drawing trained on, in points.
        steps: Optimiser steps in all.
        points: Points in a batch, padding included.
        warmup: Steps of linear warm-up.
        decay: Share of the steps, at the end, in which the learning rate falls to zero.
        optimizer: "muon" (matrices of the blocks; AdamW for the rest) or "adamw".
        lr: Learning rate of AdamW.
        muon_lr: Learning rate of Muon.
        weight_decay: Decoupled weight decay.
        clip: Largest norm of the gradient.
        dropout: Share of the blocks' outputs dropped.
        balance: Classes come in proportion to their size to this power.
        mirror: Augmentation: share of drawings whose left and right are swapped.
        alter: Augmentation: share of drawings that are altered (mirrored, turned, wider, their
            strokes in the other order, backwards) and tell how. It rises and falls with the
            learning rate, so that what is learnt last is how people draw.
        turn: Augmentation: half of the drawings are turned (radians) and sheared (a share)
            by up to this.
        stretch: Augmentation: one axis shrinks by up to this share.
        hide_label: Share of drawings whose class is hidden.
        tell_strokes: Share of drawings that tell whether they are one stroke.
        tell_quality: Share of drawings whose class is told that tell how good they are.
        tell_code: Share of drawings that tell their code.
        hide_coded: Share of these whose class is hidden.
        code_price: What a nat costs that a code tells beside the class, where the encoder goes
            on learning beside the model; 0: codes stay what they are.
        only_recognized: Leave out what the game did not recognise.
        compile: Compile the losses (``torch.compile``): twice as fast after two minutes, where
            there is a C++ compiler.
        seed: Of everything random.
        validate_every: Steps between validations.
        sample_every: Steps between sheets of samples.
        save_every: Steps between saved states.
    """

    model: str = "sketchformer"
    width: int = 256
    heads: int = 4
    layers: int = 6
    hidden: int = 1024
    mixtures: int = 20
    pen_width: int = 128
    context: int = 256
    steps: int = 8000
    points: int = 4096
    warmup: int = 100
    decay: float = 0.3
    optimizer: str = "muon"
    lr: float = 3e-3
    muon_lr: float = 0.02
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = 0.0
    balance: float = 0.6
    mirror: float = 0.0
    alter: float = 0.0
    turn: float = 0.0
    stretch: float = 0.1
    hide_label: float = 0.1
    tell_strokes: float = 0.3
    tell_quality: float = 0.85
    tell_code: float = 0.0
    hide_coded: float = 0.4
    code_price: float = 0.0
    only_recognized: bool = True
    compile: bool = False
    seed: int = 1
    validate_every: int = 500
    sample_every: int = 1000
    save_every: int = 250


def read_config(path: Path, changes: tuple[str, ...]) -> TrainConfig:
    """Read a config file and apply ``key=value`` changes, of which the last one holds.

    Raises:
        Refusal: An unknown setting, or a value of the wrong type or out of range.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refusal(f"{path}: cannot be read as a config ({error}).") from error
    for change in changes:
        values |= read_change(change)
    known = {f.name: type(f.default) for f in fields(TrainConfig)}
    for key, value in values.items():
        if key not in known:
            raise Refusal(f"unknown setting '{key}'; there are: {', '.join(known)}.")
        if known[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not known[key]:
            raise Refusal(f"setting '{key}' must be of type {known[key].__name__}.")
    config = TrainConfig(**values)
    check(config)
    return config


def read_change(change: str) -> dict[str, Any]:
    """Read a ``key=value`` as it is typed: text may have quotes or none.

    Raises:
        Refusal: It is nothing of the kind.
    """
    key, equals, text = (part.strip() for part in change.partition("="))
    if equals and text.isidentifier() and text not in ("true", "false", "inf", "nan"):
        return {key: text}
    try:
        return tomllib.loads(change)
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"--set {change}: not KEY=VALUE ({error}).") from error


def check(config: TrainConfig) -> None:
    """Refuse what cannot be trained."""

    def require(holds: bool, problem: str) -> None:
        if not holds:
            raise Refusal(problem)

    values = asdict(config)
    for name, choices in (("model", MODELS), ("optimizer", OPTIMIZERS)):
        require(
            values[name] in choices,
            f"setting '{name}' must be one of: {', '.join(choices)}.",
        )
    for name in POSITIVE:
        require(0 < values[name] < math.inf, f"setting '{name}' must be above 0.")
    for name in ("warmup", "weight_decay", "balance", "code_price", "seed"):
        require(0 <= values[name] < math.inf, f"setting '{name}' must be 0 or more.")
    for name in SHARES:
        require(0 <= values[name] <= 1, f"setting '{name}' must be from 0 to 1.")
    for name in ("dropout", "stretch"):
        require(values[name] < 1, f"setting '{name}' must be below 1.")
    for name in values.keys() & asdict(MOST).keys():
        most = getattr(MOST, name)
        require(values[name] <= most, f"setting '{name}' must be at most {most}.")
    # Rotary positions turn pairs of channels.
    parts = config.heads * (1 if config.model == "baseline" else 2)
    require(
        config.width % parts == 0,
        f"width {config.width} must be a multiple of {parts}, for {config.heads} heads.",
    )
    require(
        config.points >= config.context,
        f"points ({config.points}) must be at least context ({config.context}), "
        "so that the longest drawing fits a batch.",
    )
    require(
        config.model != "baseline" or config.context <= POSITIONS,
        f"context must be at most {POSITIONS} for the baseline.",
    )


def refuse_shapes(changes: tuple[str, ...]) -> None:
    """Refuse changes of what a model that a run begins with has settled: all but the depth.

    Raises:
        Refusal: One of the changes is of the network's shape.
    """
    settled = {f.name for f in fields(ModelConfig)} - {"context", "layers"} | {"model"}
    for change in changes:
        for key in read_change(change).keys() & settled:
            raise Refusal(f"--set {key}: with --from, the shape is that of the model.")


def augmentation(config: TrainConfig, rate: float) -> Augmentation:
    """Return what is done to drawings at a share of the learning rate."""
    settings = Augmentation(**{f.name: getattr(config, f.name) for f in fields(Augmentation)})
    return replace(settings, alter=config.alter * rate)
