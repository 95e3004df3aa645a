r"""Take hidden units out of a model, so that it draws faster.

In each block's feed-forward part one unit after another goes: the one that the others can
stand in for best, over the points of training drawings; their weights change so that they do
(the optimal brain surgeon of Hassibi & Stork 1992, for whole units). What is still lost comes
back when the model is trained for some more steps: ``--from`` of training.train.

Examples:
    From 1,024 hidden units to 640, as for the model that ships:

        python -m training.prune runs/ending/model.safetensors data/ending.safetensors \
            --hidden 640 -o runs/pruned.safetensors
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from training import OutFile, Refusal, help_from
from training.config import TrainConfig
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError
from training.export import from_checkpoint, to_checkpoint
from training.loop import batches_of, training_indices, validate, validation_indices
from training.model import Sketchformer
from vpype_sketchformer.model.checkpoint import CheckpointError, find, load, save

#: Batches to look at.
BATCHES = 50
#: Added to the units' own products, as a share of their mean: where units are always active
#: together there would be no single answer.
RIDGE = 1e-4


@torch.no_grad()
def unit_products(model: Sketchformer, dataset: Dataset) -> list[Tensor]:
    """Sum up the products of all pairs of hidden units, over the points of training batches.

    Returns:
        For each block, (hidden, hidden).

    Raises:
        Refusal: There are no training drawings.
    """
    size = model.config.hidden
    sums = [torch.zeros(size, size, dtype=torch.float64) for _ in model.blocks]
    real = torch.empty(0)

    def adding_to(i: int) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def add(_: nn.Module, inputs: tuple[Tensor]) -> None:
            units = inputs[0][real]  # (points, hidden)
            sums[i] += units.T @ units

        return add

    config = TrainConfig(context=model.config.context)
    indices = training_indices(dataset, config)
    if not len(indices):
        raise Refusal("no training drawings to see what the units do.")
    with contextlib.ExitStack() as stack:
        for i in range(len(sums)):
            layer = model.get_submodule(f"blocks.{i}.down")
            stack.enter_context(layer.register_forward_pre_hook(adding_to(i)))
        for batch in islice(batches_of(config, dataset, indices), BATCHES):
            real = batch.real
            model.losses(batch)
    return sums


def fewer_units(weights: Tensor, products: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """Choose the units that stay, and fit their weights.

    Args:
        weights: What each unit gives to the stream, (width, units).
        products: Sums of the products of all pairs of units, (units, units).
        hidden: How many stay.

    Returns:
        Which stay, (hidden,), and what they give now, (width, hidden).
    """
    ridge = RIDGE * products.diagonal().mean() * torch.eye(len(products))
    inverse = torch.linalg.inv(products + ridge)
    weights = weights.clone()
    stays = torch.ones(len(products), dtype=torch.bool)
    for _ in range(len(products) - hidden):
        # The squared error that remains when the others stand in for a unit.
        losses = weights.square().sum(0) / inverse.diagonal()
        losses[~stays] = torch.inf
        unit = int(losses.argmin())
        share = inverse[unit] / inverse[unit, unit]
        weights -= torch.outer(weights[:, unit], share)
        inverse -= torch.outer(inverse[:, unit], share)
        stays[unit] = False
    return torch.nonzero(stays)[:, 0], weights[:, stays]


@torch.no_grad()
def prune(model: Sketchformer, dataset: Dataset, hidden: int) -> Sketchformer:
    """Return a model with fewer hidden units.

    Args:
        model: The model.
        dataset: Its training drawings tell what the units do.
        hidden: How many units stay in each block.
    """
    config = replace(model.config, hidden=hidden)
    state = model.state_dict()
    for i, products in enumerate(unit_products(model, dataset)):
        up, down = f"blocks.{i}.up.weight", f"blocks.{i}.down.weight"
        kept, fitted = fewer_units(state[down].double(), products, hidden)
        state[up], state[down] = state[up][kept], fitted.float()
    classes = model.start.num_embeddings - 1
    pruned = Sketchformer(config, classes, model.scale)
    pruned.load_state_dict(state)
    return pruned.eval()


@click.command(help=help_from(__doc__))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--hidden",
    type=click.IntRange(1),
    required=True,
    help="How many hidden units stay in each block.",
)
@click.option(
    "-o",
    "--out",
    type=OutFile(),
    required=True,
    help="The model file to write.",
)
def main(model: str, data: Path, hidden: int, out: Path) -> None:
    """Take hidden units out of a model."""
    try:
        checkpoint = load(find(model))
        dataset = datasets.load(data)
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if dataset.classes != checkpoint.classes:
        raise Refusal(f"{data}: not the classes of {model}.")
    if hidden > checkpoint.config.hidden:
        raise Refusal(f"{model} has only {checkpoint.config.hidden} hidden units.")
    whole = from_checkpoint(checkpoint)
    pruned = prune(whole, dataset, hidden)
    # What the whole model scored, the pruned one does not.
    metadata = {
        "data": checkpoint.metadata.get("data", []),
        "command": shlex.join(["python", "-m", "training.prune", *sys.argv[1:]]),
    }
    save(to_checkpoint(pruned, checkpoint.classes, metadata), out)
    indices = validation_indices(dataset, TrainConfig(context=checkpoint.config.context))
    before, after = (
        validate(network, dataset, indices, torch.device("cpu")).total
        for network in (whole, pruned)
    )
    click.echo(
        f"{out}: {hidden} of {checkpoint.config.hidden} hidden units; "
        f"{before:.3f} nats per point before, {after:.3f} after, on validation drawings"
    )


if __name__ == "__main__":
    main()
