r"""Variants of the network, each trained as long as the tries of `tries.sh`.

    python -m training.recipes.variants NAME data/quickdraw.safetensors

trains one for 225 steps of `configs/base.toml` in `runs/tries/NAME`; the last validation
stands in `training/LOG.md`. None is kept, so none can be exported.

no-place: the network is not told where on the page a point lies, nor how far from the
    beginning of its stroke.
learned-positions: learned vectors for the number of a point instead of rotary positions.
diagonal: Gaussians without correlation.
discretised: no mixture; one of 511 whole pixels for x, then one for y (given x).
blind-pen: whether the pen lifts is asked before it is known where the point falls.
averaged: validation with the moving average of the weights (a decay of 0.97).
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.build import build_model
from training.config import TrainConfig, read_config
from training.data import dataset as datasets
from training.loop import train
from training.model import Batch, Sketchformer
from vpype_sketchformer.model.features import FEATURES
from vpype_sketchformer.model.transformer import ModelConfig

CONFIG = Path(__file__).parents[1] / "configs" / "base.toml"
STEPS = 225
#: Largest offset in the frame, pixels.
REACH = 255
#: Offset over 64 and its arcsinh: the features of a point that do not tell its place.
PLACELESS = 4


class NoPlace(Sketchformer):
    """Knows offsets only."""

    def losses(self, batch: Batch, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Score points without their places."""
        known = torch.arange(FEATURES) < PLACELESS
        return super().losses(replace(batch, features=batch.features * known), codes)


class LearnedPositions(Sketchformer):
    """Learns a vector for the number of each point."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.numbers = nn.Parameter(
            0.02 * torch.randn(self.config.context + 1, self.config.width)
        )
        for block in self.blocks:
            block.register_forward_pre_hook(_unturned)
        self.blocks[0].register_forward_pre_hook(self._number)

    def _number(self, block: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = inputs
        return x + self.numbers[: x.shape[1]], *rest


def _unturned(block: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x, cos, sin = inputs
    return x, torch.ones_like(cos), torch.zeros_like(sin)


class Diagonal(Sketchformer):
    """Has no entry below the Cholesky factors' diagonals."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mixture.register_forward_hook(_without_shears)


def _without_shears(head: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    parts = output.reshape(*output.shape[:-1], 6, -1)
    return torch.cat([parts[..., :5, :], torch.zeros_like(parts[..., 5:, :])], dim=-2).flatten(
        -2
    )


class Discretised(Sketchformer):
    """Chooses whole pixels."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        width, pixels = self.config.width, torch.arange(-REACH, REACH + 1)
        self.x = nn.Linear(width, len(pixels))
        self.x_told = nn.Embedding(len(pixels), width)
        self.y_hidden = nn.Linear(width, width)
        self.y = nn.Linear(width, len(pixels))
        for head in (self.x, self.y):
            nn.init.zeros_(head.weight)
            head.bias.data = -pixels.abs() / 20.0

    def losses(self, batch: Batch, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Score whole pixels."""
        stream = self.stream(batch)
        x, y = (batch.offsets.round().long().clamp(-REACH, REACH) + REACH).unbind(-1)
        hidden = F.relu(self.y_hidden(stream) + self.x_told(x))
        logits = self.pen_out(
            F.relu(self.pen_hidden(torch.cat([stream, batch.features], dim=-1)))
        )
        offset = _choice(self.x(stream), x) + _choice(self.y(hidden), y)
        return offset * batch.real, _choice(logits, batch.pens) * batch.real


def _choice(logits: Tensor, chosen: Tensor) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), chosen, reduction="none")


class BlindPen(Sketchformer):
    """Asks offset and pen at once."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pen_hidden.register_forward_pre_hook(self._blind)

    def _blind(self, head: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        known = torch.arange(self.config.width + FEATURES) < self.config.width
        return (inputs[0] * known,)


class Averaged(Sketchformer):
    """Is validated with the moving average of its weights."""

    DECAY = 0.97

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.average = copy.deepcopy(self.state_dict())

    def losses(self, batch: Batch, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Average the weights, one step late, and score as usual."""
        if self.training:
            for name, weight in self.state_dict().items():
                self.average[name].lerp_(weight, 1 - self.DECAY)
        return super().losses(batch, codes)

    def train(self, mode: bool = True) -> Averaged:
        """Change weights and average when validation begins, and when it ends."""
        if mode != self.training:
            other = copy.deepcopy(self.state_dict())
            self.load_state_dict(self.average)
            self.average = other
        return super().train(mode)


DESIGNS = {
    "no-place": NoPlace,
    "learned-positions": LearnedPositions,
    "diagonal": Diagonal,
    "discretised": Discretised,
    "blind-pen": BlindPen,
    "averaged": Averaged,
}


@click.command(help=inspect.cleandoc(__doc__ or ""))
@click.argument("name", type=click.Choice(list(DESIGNS)))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(name: str, data: Path) -> None:
    """Train one variant."""
    changes = (f"steps={STEPS}", f"validate_every={STEPS}")
    config = read_config(CONFIG, changes)
    train(
        config,
        datasets.load(data),
        Path("runs/tries", name),
        torch.device("cpu"),
        build=partial(_build, DESIGNS[name]),
        export=False,
    )


def _build(
    variant: type[Sketchformer], config: TrainConfig, classes: int, scale: float
) -> Sketchformer:
    shape = build_model(config, classes, scale).config
    assert isinstance(shape, ModelConfig)
    return variant(shape, classes, scale, config.dropout)


if __name__ == "__main__":
    main()
