r"""Let a model show itself what is typical: a dataset with drawings of its own.

Guidance makes drawings easier to recognise, and sketching twice as slow. A model that is
trained on its own guided drawings, marked as typical, learns to draw like that without (Meng
et al. 2023 distil guidance, too). Kept are the drawings that ended by themselves and that the
raster judge recognises. Real drawings stay what they are: what the model knows of them, it
still learns from them alone.

A drawing that did not end (hatching that goes on and on) is one that its model never saw in
training. With ``--cut`` it is kept up to the stroke with which the judge was sure of it first:
the model learns when to stop from where it has been itself (Ross et al. 2011).

Examples:
    The typical drawings that the model that ships was finished with:

        python -m training.distill runs/longer/model.safetensors data/quickdraw.safetensors \
            -o data/typical.safetensors

    Teach a model to end in time:

        python -m training.distill runs/typical2/model.safetensors data/quickdraw.safetensors \
            --guidance 1 --cut -o data/ending.safetensors
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
from scipy.special import softmax
from tqdm import tqdm

from training import OutFile, Refusal, help_from, judge
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError, Drawing
from training.evaluation.samples import to_drawing
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, find, load
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import DRAW, END

#: How freely the drawings are drawn: by the curves of training.evaluate, as easy to recognise
#: as calmer ones, and more various.
TEMPERATURE = 0.5
#: How near to the most that it ever was the judge's trust in the class must be for a cut.
SURE = 0.95
#: How often a drawing that was cut counts: they are few.
CUT_TIMES = 3


def draw_class(
    checkpoint: Checkpoint, count: int, seed: int, guidance: float, label: str
) -> list[tuple[Drawing, bool]]:
    """Draw a class; returns the drawings, and whether they ended by themselves."""
    number = checkpoint.classes.index(label)
    sketches = sample(
        checkpoint,
        [label] * count,
        np.random.SeedSequence([seed, number]).spawn(count),
        temperature=TEMPERATURE,
        guidance=guidance,
        retries=0,
    )
    return [(to_drawing(sketch), sketch.finished) for sketch in sketches]


def beginnings(drawing: Drawing) -> list[Drawing]:
    """Return what there was of a drawing after each stroke but the last, as typical ones."""
    ends = np.flatnonzero(drawing.pen != DRAW)[:-1] + 1
    parts = [(drawing.points[:end], drawing.pen[:end].copy()) for end in ends]
    for _, pen in parts:
        pen[-1] = END
    return [Drawing(points, pen, drawing.label, typical=True) for points, pen in parts]


def cut(drawing: Drawing, dataset: Dataset, by: judge.Judge) -> Drawing | None:
    """Cut a drawing after the stroke with which a judge was sure of its class first.

    Returns:
        The beginning, None if there is but one stroke or the judge never names the class.
    """
    parts = beginnings(drawing)
    if not parts:
        return None
    drawn = datasets.pack(parts, dataset.classes)
    _, logits = judge.look(by, drawn, np.arange(len(parts)))
    trust = softmax(logits, axis=1)[np.arange(len(parts)), drawn.labels]
    first = int(np.argmax(trust >= SURE * trust.max()))
    return parts[first] if logits[first].argmax() == drawn.labels[first] else None


def recognised(drawings: list[Drawing], dataset: Dataset, by: judge.Judge) -> list[Drawing]:
    """Keep the drawings whose class a judge names, and mark them as typical."""
    if not drawings:
        return []
    drawn = datasets.pack(drawings, dataset.classes)
    _, logits = judge.look(by, drawn, np.arange(len(drawn)))
    right = logits.argmax(axis=1) == drawn.labels
    return [
        Drawing(drawing.points, drawing.pen, drawing.label, typical=True)
        for drawing, keep in zip(drawings, right, strict=True)
        if keep
    ]


@click.command(help=help_from(__doc__))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=OutFile(),
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
@click.option(
    "--guidance", default=2.0, show_default=True, help="How much to insist on the class."
)
@click.option("--cut", "cuts", is_flag=True, help="Keep beginnings of what did not end.")
def main(
    model: str,
    data: Path,
    out: Path,
    per_class: int,
    folder: Path,
    seed: int,
    guidance: float,
    cuts: bool,
) -> None:
    """Add typical drawings to a dataset."""
    try:
        checkpoint, dataset = load(find(model)), datasets.load(data)
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if checkpoint.classes != dataset.classes:
        raise Refusal(f"{model} and {data} have different classes.")
    by = judge.load(folder / "raster.safetensors", dataset)
    drawn: list[tuple[Drawing, bool]] = []
    work = partial(draw_class, checkpoint, per_class, seed, guidance)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        classes = tqdm(
            pool.map(work, dataset.classes), total=len(dataset.classes), unit="class"
        )
        for drawings in classes:
            drawn += drawings
    typical = recognised([drawing for drawing, ended in drawn if ended], dataset, by)
    if cuts:
        endless = [drawing for drawing, ended in drawn if not ended]
        parts = [part for part in (cut(drawing, dataset, by) for drawing in endless) if part]
        typical += CUT_TIMES * parts
        click.echo(f"{len(parts):,} of {len(endless):,} drawings that did not end are cut")
    real = [dataset.drawing(index) for index in range(len(dataset))]
    datasets.save([*real, *typical], out, [*dataset.sources, f"drawings by {model}"])
    click.echo(
        f"{out}: {len(real):,} drawings of {data}, and {len(typical):,} typical ones, of "
        f"{per_class * len(dataset.classes):,} drawn"
    )


if __name__ == "__main__":
    main()
