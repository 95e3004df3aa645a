"""Leave out training drawings that do not look like their class: a try of training/LOG.md.

    python -m training.recipes.clean data/quickdraw.safetensors data/clean.safetensors

keeps the drawings for validation and tests, and of those for training the ones whose class is
among the raster judge's first five answers.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click
import numpy as np

from training import judge
from training.data import dataset as datasets

TOP = 5
PART = 20_000


@click.command(help=inspect.cleandoc(__doc__ or ""))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(data: Path, out: Path) -> None:
    """Write the dataset without them."""
    dataset = datasets.load(data)
    raster = judge.load(judge.JUDGES / "raster.safetensors", dataset)
    kept = np.ones(len(dataset), bool)
    train = dataset.of("train")
    for part in np.array_split(train, -(-len(train) // PART)):
        _, logits = judge.look(raster, dataset, part)
        kept[part] = judge.named(logits, dataset.labels[part], TOP)
    drawings = (dataset.drawing(index) for index in np.flatnonzero(kept).tolist())
    datasets.save(drawings, out, dataset.sources)
    lost = np.bincount(dataset.labels[~kept], minlength=len(dataset.classes))
    share = lost / np.bincount(dataset.labels[train], minlength=len(dataset.classes))
    worst = ", ".join(
        f"{dataset.classes[c]} {share[c]:.0%}" for c in np.argsort(share)[:-6:-1]
    )
    click.echo(f"left out {np.mean(~kept[train]):.1%} of {len(train):,}; most of: {worst}")


if __name__ == "__main__":
    main()
