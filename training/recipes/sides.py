"""How large a drawing will be: fits ``WEIGHTS`` of ``vpype_sketchformer.model.completion``.

    python -m training.recipes.sides data/quickdraw.safetensors

cuts validation drawings of 50 classes after 10, 30, 50, 80 and 100 % of their points, and
chooses the weights whose posterior mean misses the logarithm of the finished drawing's longer
side by least. It prints them, and the median factor by which sizes are off at each cut.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from tqdm import tqdm

from training.data import dataset as datasets
from training.data.dataset import Dataset
from training.evaluation.completions import choose_drawings, cut_point
from vpype_sketchformer.model import completion
from vpype_sketchformer.model.checkpoint import bundled, load
from vpype_sketchformer.model.sampling import network_of

CUTS = (0.1, 0.3, 0.5, 0.8, 1.0)
#: Misses of less than this are as good as none.
SMALL = 0.03


@click.command(help=inspect.cleandoc(__doc__ or ""))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--per-class", default=6, show_default=True, help="Drawings of each class.")
def main(data: Path, per_class: int) -> None:
    """Fit."""
    dataset = datasets.load(data)
    chosen = choose_drawings(dataset, "valid", per_class, 128)
    cuts = np.repeat(CUTS, len(chosen))
    rows = np.array(
        [row(dataset, int(i), c) for c in CUTS for i in tqdm(chosen, desc=f"{c:.0%}")]
    )
    true, said, densities = rows[:, 0], rows[:, 1], rows[:, 2:]

    def missed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        completion.WEIGHTS = tuple(weights)
        sides = [completion.expected_side(*pair) for pair in zip(densities, said, strict=True)]
        return np.abs(np.log(sides) - true)

    found = minimize(
        lambda weights: np.mean(np.hypot(missed(weights), SMALL)),
        completion.WEIGHTS,
        method="Nelder-Mead",
    )
    print("WEIGHTS =", found.x.round(2))
    for cut in CUTS:
        off = np.exp(np.median(missed(found.x)[cuts == cut]))
        print(f"{cut:4.0%} of the points: off by a factor of {off:.3f}")


def row(dataset: Dataset, index: int, cut: float) -> NDArray[np.float64]:
    """The true side's logarithm, the side that the recogniser says, and the densities."""
    checkpoint = load(bundled()["quickdraw"])
    network = network_of(checkpoint)
    drawing = dataset.drawing(index)
    end = cut_point(drawing, cut) if cut < 1 else len(drawing.pen)
    begun = replace(drawing, points=drawing.points[:end], pen=drawing.pen[:end])
    strokes = completion.clean(begun.strokes)
    _, size = completion.bounds(strokes)
    name, share = completion.rank_classes(network, checkpoint.classes, strokes)[0]
    growth = completion.expect_growth(strokes, name if share >= completion.SURE else None)
    densities = completion.side_densities(network, checkpoint.classes.index(name), strokes)
    true = np.ptp(drawing.points.astype(np.float64), axis=0).max()
    return np.array([np.log(true / size), growth.side, *densities])


if __name__ == "__main__":
    main()
