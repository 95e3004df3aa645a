r"""Mark how good the drawings of a dataset are, as two judges see them that never saw them.

The training drawings are split in two halves; a raster judge learns from each half and looks
at the other (cross-fitting, Chernozhukov et al. 2018). Within each class, drawings are sorted
by the log-probability that the judge gives to their class, and cut into five buckets of equal
size: 1 for those that it names least surely, 5 for those it names most surely. Models are told
the bucket (``tell_quality``), and can then be asked for good drawings without having seen
fewer.

Examples:
    Two judges of four passes, half an hour on one core:

        python -m training.quality data/quickdraw.safetensors
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from training import FiniteRange, Refusal, help_from
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError
from training.judge import LONGEST, RasterJudge, fit, look, save
from vpype_sketchformer.model.transformer import BEST_QUALITY


def halves(indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Split drawings in two, whatever their order (Knuth's multiplicative hash), bool (n,)."""
    return (indices * 2654435761 >> 7) % 2 == 1


def cross_fitted(
    dataset: Dataset, passes: float, keep: Path | None = None
) -> NDArray[np.float32]:
    """Let judges name the training drawings that they did not learn from.

    Args:
        dataset: The drawings.
        passes: How often each judge sees its half.
        keep: A folder to keep the judges in.

    Returns:
        Log-probability of each drawing's class, (M,); not a number where it is none of the
        training drawings.
    """
    result = np.full(len(dataset), np.nan, np.float32)
    train = dataset.of("train")
    side = halves(train)
    for half in (False, True):
        mine, others = train[side == half], train[side != half]
        mine = mine[(dataset.lengths[mine] <= LONGEST) & (dataset.recognized[mine] != 0)]
        torch.manual_seed(1 + half)
        judge = RasterJudge(len(dataset.classes))
        fit(judge, dataset, mine, passes)
        if keep is not None:
            save(judge, dataset, {"half": int(half)}, keep / f"half{int(half)}.safetensors")
        _, logits = look(judge, dataset, others)
        logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        result[others] = logs[np.arange(len(others)), dataset.labels[others]]
    return result


def buckets(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Cut each class into fifths by score.

    Args:
        scores: One for each drawing, not a number where there is none, (M,).
        labels: The classes, (M,).

    Returns:
        1 to ``BEST_QUALITY``, 0 where there is no score, (M,).
    """
    result = np.zeros(len(scores), np.uint8)
    scored = np.flatnonzero(~np.isnan(scores))
    for label in np.unique(labels[scored]):
        chosen = scored[labels[scored] == label]
        ranks = np.argsort(np.argsort(scores[chosen], kind="stable"))
        result[chosen] = 1 + ranks * BEST_QUALITY // len(chosen)
    return result


@click.command(help=help_from(__doc__))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--passes",
    type=FiniteRange(0, min_open=True),
    default=4.0,
    show_default=True,
    help="How often each judge sees its half of the drawings.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to keep the two judges in: the recogniser begins with one of them.",
)
def main(data: Path, passes: float, keep: Path | None) -> None:
    """Mark how good the training drawings are, in the dataset file itself."""
    try:
        dataset = datasets.load(data)
    except DatasetError as error:
        raise Refusal(str(error)) from error
    scores = cross_fitted(dataset, passes, keep)
    quality = buckets(scores, dataset.labels)
    datasets.write(replace(dataset, quality=quality), data)
    click.echo(f"{data}: {np.count_nonzero(quality):,} drawings marked 1 to {BEST_QUALITY}")
    for bucket in range(1, BEST_QUALITY + 1):
        surely = float(np.exp(scores[quality == bucket]).mean())
        click.echo(f"  {bucket}: the judges give their class {surely:.0%} on average")


if __name__ == "__main__":
    main()
