r"""Let a model show itself what is typical: a dataset with drawings of its own.

Guidance makes drawings easier to recognise, and sketching twice as slow. A model that is
trained on its own guided drawings, marked as typical, learns to draw like that without (Meng
et al. 2023 distil guidance, too). Kept are the drawings that ended by themselves and that the
raster judge recognises. Real drawings stay what they are: what the model knows of them, it
still learns from them alone.

Examples:
    The typical drawings that the model that ships was finished with:

        python -m training.distill runs/longer/model.safetensors data/quickdraw.safetensors \
            -o data/typical.safetensors
"""

from __future__ import annotations

import inspect
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from training import Refusal, judge
from training import dataset as datasets
from training.dataset import Dataset, DatasetError, Drawing
from training.evaluation.samples import to_drawing
from vpype_sketchformer.checkpoint import Checkpoint, CheckpointError, find, load
from vpype_sketchformer.sampling import sample

#: How the drawings are drawn: by the curves of training.evaluate, as easy to recognise as
#: calmer ones, and more various.
TEMPERATURE, GUIDANCE = 0.5, 2.0


def draw_class(checkpoint: Checkpoint, count: int, seed: int, label: str) -> list[Drawing]:
    """Draw a class; returns the drawings that ended by themselves."""
    number = checkpoint.classes.index(label)
    sketches = sample(
        checkpoint,
        [label] * count,
        np.random.SeedSequence([seed, number]).spawn(count),
        temperature=TEMPERATURE,
        guidance=GUIDANCE,
        retries=0,
    )
    return [to_drawing(sketch) for sketch in sketches if sketch.finished]


def recognised(drawings: list[Drawing], dataset: Dataset, by: judge.Judge) -> list[Drawing]:
    """Keep the drawings whose class a judge names, and mark them as typical."""
    drawn = datasets.pack(drawings, dataset.classes)
    _, logits = judge.look(by, drawn, np.arange(len(drawn)))
    right = logits.argmax(axis=1) == drawn.labels
    return [
        Drawing(drawing.points, drawing.pen, drawing.label, typical=True)
        for drawing, keep in zip(drawings, right, strict=True)
        if keep
    ]


@click.command(help=inspect.cleandoc(__doc__ or "").replace("\n    ", "\n\b\n    "))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The dataset to write: DATA and the typical drawings.",
)
@click.option(
    "--per-class",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Drawings of each class, before they are judged.",
)
@click.option(
    "--judges",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=judge.JUDGES,
    help="Folder of the raster judge (default: training/judges).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def main(model: str, data: Path, out: Path, per_class: int, folder: Path, seed: int) -> None:
    """Add typical drawings to a dataset."""
    try:
        checkpoint, dataset = load(find(model)), datasets.load(data)
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if checkpoint.classes != dataset.classes:
        raise Refusal(f"{model} and {data} have different classes.")
    by = judge.load(folder / "raster.safetensors", dataset)
    drawn: list[Drawing] = []
    work = partial(draw_class, checkpoint, per_class, seed)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        classes = tqdm(
            pool.map(work, dataset.classes), total=len(dataset.classes), unit="class"
        )
        for drawings in classes:
            drawn += drawings
    typical = recognised(drawn, dataset, by)
    real = [dataset.drawing(index) for index in range(len(dataset))]
    datasets.save([*real, *typical], out, [*dataset.sources, f"drawings by {model}"])
    click.echo(
        f"{out}: {len(real):,} drawings of {data}, and {len(typical):,} typical ones, of "
        f"{per_class * len(dataset.classes):,} drawn"
    )


if __name__ == "__main__":
    main()
