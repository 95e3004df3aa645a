"""Count held-out drawings that have a near-duplicate among the training drawings.

    python -m training.recipes.duplicates data/quickdraw.safetensors

holds each against all training drawings of its class, mirrored ones too, by the pen's way (see
`training.evaluation.copies`), and prints how many are nearer than some distances, and in which
classes.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click
import numpy as np

from training import Refusal
from training.data import dataset as datasets
from training.data.dataset import DatasetError
from training.evaluation.copies import look_at, nearest_way

#: Pixels of the 0-255 frame, |dx| + |dy| in the mean along the pen's way.
DISTANCES = (0.5, 1.0, 2.0, 4.0)
#: Classes that are named.
NAMED = 6


@click.command(help=inspect.cleandoc(__doc__ or ""))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(data: Path) -> None:
    """Count them."""
    try:
        dataset = datasets.load(data)
    except DatasetError as error:
        raise Refusal(str(error)) from error
    training = look_at(dataset, dataset.of("train"), None)
    for split in datasets.SPLITS[1:]:
        held = look_at(dataset, dataset.of(split), None)
        distance = nearest_way(held, training).distance
        click.echo(f"{split}: {len(distance):,} drawings")
        for limit in DISTANCES:
            near = distance < limit
            counts = np.bincount(held.labels[near], minlength=len(dataset.classes))
            most = [f"{dataset.classes[c]} {counts[c]}" for c in np.argsort(-counts)[:NAMED]]
            click.echo(f"  within {limit:g} px: {near.sum():,}; most: {', '.join(most)}")


if __name__ == "__main__":
    main()
