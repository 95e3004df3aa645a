r"""Measure a model on held-out test drawings.

Prints tables for people and, as the last line, the same as JSON.

likelihood: negative log-likelihood in nats per real point, dequantised, in pixels of the
0-255 frame, the class told: over all points, as the mean of all classes, of the 40 largest,
and of the five worst. For a run of the seed's recipe, give its state.pt.

samples: as many samples of each class as real drawings: the share that ends by itself at the
first try ("ended"), and with those that were drawn again ("redrawn"); judged by the networks
of training.judge: how often they name the class (beside it the same for real drawings: the
ceiling); Fréchet and kernel distance of what the raster judge sees, precision and recall;
median distance to the nearest of 200 training drawings of the class, and how many are nearer
to one than all but 5 % of the real drawings are ("near": copies would be); how many are nearer
to a training drawing than to any of as many validation drawings of the class ("copying": all
copies would be, half of what is merely typical); distance of strokes, points, ink and aspect
from the real drawings', in their standard deviations. "real" are test drawings against other
test drawings. Mean and standard deviation over the seeds.

completion: drawings of 50 classes are cut after a share of their points and handed to the
model as a user would: their place and size in the frame unknown. Printed are the likelihood
of the true rest beside that of the rest of another drawing of the class, how often the class
guessed from the beginning is right, how far the estimated size of the finished drawing is off
(median factor), and how many completions come to an end.

one-line: samples in one unbroken line: the pen held down, and strokes joined afterwards (what
`sketchgen --one-line` does), beside samples of any number of strokes.

Examples:
    Everything:

        python -m training.evaluate quickdraw data/quickdraw.safetensors

    Only samples, for the curve of guidance at one temperature:

        python -m training.evaluate quickdraw data/quickdraw.safetensors --part samples \
            --temperature 0.3 --guidance 1 --guidance 1.5 --guidance 2

    A model of other classes, with judges of these:

        python -m training.judge raster data/mine.safetensors -o judges/raster.safetensors
        python -m training.judge sequence data/mine.safetensors -o judges/sequence.safetensors
        python -m training.evaluate runs/mine/model.safetensors data/mine.safetensors \
            --judges judges
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from training import FiniteRange, Refusal, help_from, judge
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError
from training.evaluation import Figures, completions, metrics, onelines, samples
from training.evaluation.likelihood import likelihood
from training.export import from_checkpoint
from training.train import Network, TrainConfig, build_model
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, find, load

PARTS = ("likelihood", "samples", "completion", "one-line")


def load_state(path: Path, dataset: Dataset) -> Network:
    """Read the network of a run from its state.

    Raises:
        Refusal: The file is no state of a run, or of one with other classes.
    """
    try:
        state = torch.load(path, "cpu", weights_only=True)
        settings = state["settings"]
        names = {f.name for f in fields(TrainConfig)} & settings.keys()
        config = TrainConfig(**{name: settings[name] for name in names})
        network = build_model(config, len(dataset.classes), settings["scale"])
        network.load_state_dict(state["model"])
    except Exception as error:  # a damaged file makes torch raise whatever it likes
        raise Refusal(f"{path}: cannot be read as the state of a run ({error}).") from error
    return network.eval()


def show(title: str, rows: Sequence[tuple[str, Figures, Figures | None]]) -> None:
    """Print a table: each row a name, its figures, and their spread over seeds if there is."""
    names = list(rows[0][1])
    width = max(16, *(len(label) + 2 for label, _, _ in rows))
    click.echo(f"\n{title:{width}}" + "".join(f"{name:>17}" for name in names))
    for label, figures, spread in rows:
        cells = [_cell(figures[name], spread[name] if spread else None) for name in names]
        click.echo(f"{label:{width}}" + "".join(f"{cell:>17}" for cell in cells))


def _cell(value: float, spread: float | None) -> str:
    text = f"{value:,d}" if isinstance(value, int) else f"{value:.3f}"
    return f"{text} ± {spread:.3f}" if spread else text


def show_likelihood(
    name: str, network: Network, dataset: Dataset, longest: int
) -> dict[str, Figures]:
    """Measure and print the likelihood of the test drawings."""
    test = dataset.of("test")
    test = test[dataset.lengths[test] <= longest]
    if not len(test):
        raise Refusal(f"no test drawings of up to {longest} points to measure with.")
    rows = likelihood(network, dataset, test).rows()
    show(f"{name}: nats per point", [(label, figures, None) for label, figures in rows])
    return dict(rows)


def show_samples(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[judge.Judge],
    styles: Sequence[samples.Style],
    per_class: int,
    seeds: int,
) -> dict[str, dict[str, Figures]]:
    """Measure and print how samples compare with real drawings."""
    chosen = samples.real_drawings(dataset, per_class, checkpoint.config.context)
    if min(map(len, chosen)) <= metrics.NEIGHBOURS:
        raise Refusal(
            f"too few test drawings to compare samples with ({len(chosen[0])} and as many "
            "others that they are compared with)."
        )
    real, others = (samples.see(dataset, indices, judges) for indices in chosen)
    training, unseen = (
        samples.see(dataset, samples.references(dataset, split), judges[:1])
        for split in ("train", "valid")
    )
    figures = {"ended": 1.0, "redrawn": 1.0} | samples.compare(others, real, training, unseen)
    rows: list[tuple[str, Figures, Figures | None]] = [("real", figures, None)]
    for style in tqdm(styles, desc="styles", disable=None, leave=False):
        runs = []
        for seed in range(seeds):
            drawn, ended = samples.draw(checkpoint, style, per_class, seed)
            seen = samples.see(drawn, np.arange(len(drawn)), judges)
            runs.append(ended | samples.compare(seen, real, training, unseen))
        rows.append((str(style), *samples.mean_and_spread(runs)))
    show(f"{len(chosen[0])} samples, {seeds} times", rows)
    return {label: {"mean": mean, "spread": spread or {}} for label, mean, spread in rows}


def show_completion(
    checkpoint: Checkpoint, dataset: Dataset, per_class: int
) -> dict[str, Figures]:
    """Measure and print how well drawings are completed."""
    count, rows = completions.rows(checkpoint, dataset, per_class)
    show(f"{count} completions", [(label, figures, None) for label, figures in rows])
    return dict(rows)


def show_one_lines(
    checkpoint: Checkpoint, judges: Sequence[judge.Judge], per_class: int
) -> dict[str, Figures]:
    """Measure and print ways to draw in one line."""
    rows = onelines.rows(checkpoint, judges, per_class)
    count = per_class * len(checkpoint.classes)
    show(f"{count} samples", [(label, figures, None) for label, figures in rows])
    return dict(rows)


@click.command(help=help_from(__doc__))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=PARTS,
    help="What to measure; may be repeated (default: everything).",
)
@click.option(
    "--temperature",
    "temperatures",
    type=FiniteRange(0, min_open=True),
    multiple=True,
    default=(0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
    show_default=True,
)
@click.option(
    "--guidance",
    "guidances",
    type=FiniteRange(1),
    multiple=True,
    default=(1.0,),
    show_default=True,
)
@click.option(
    "--best-of",
    "bests",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    show_default=True,
)
@click.option(
    "--per-class", type=click.IntRange(1), default=3, show_default=True, help="Samples."
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--judges",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=judge.JUDGES,
    help="Folder of the judges (default: training/judges, of Quick, Draw!'s 345 classes).",
)
@click.option(
    "--completions",
    "completed",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help=f"Drawings to complete in each of {completions.COMPLETED_CLASSES} classes.",
)
def main(
    model: str,
    data: Path,
    parts: tuple[str, ...],
    temperatures: tuple[float, ...],
    guidances: tuple[float, ...],
    bests: tuple[int, ...],
    per_class: int,
    seeds: int,
    folder: Path,
    completed: int,
) -> None:
    """Evaluate."""
    results: dict[str, Any] = {"model": model}
    try:
        dataset = datasets.load(data)
        if model.endswith(".pt"):
            network = load_state(Path(model), dataset)
            results["likelihood"] = show_likelihood(model, network, dataset, judge.LONGEST)
            click.echo(json.dumps(results))
            return
        checkpoint = load(find(model))
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if checkpoint.classes != dataset.classes:
        raise Refusal(f"{model} and {data} have different classes.")
    judges = []
    if {"samples", "one-line"} & set(parts):
        judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    if "likelihood" in parts:
        network = from_checkpoint(checkpoint)
        results["likelihood"] = show_likelihood(
            model, network, dataset, checkpoint.config.context
        )
    if "samples" in parts:
        styles = [
            samples.Style(*wishes)
            for wishes in itertools.product(temperatures, guidances, bests)
        ]
        results["samples"] = show_samples(
            checkpoint, dataset, judges, styles, per_class, seeds
        )
    if "completion" in parts:
        results["completion"] = show_completion(checkpoint, dataset, completed)
    if "one-line" in parts:
        results["one-line"] = show_one_lines(checkpoint, judges, per_class)
    click.echo(json.dumps(results))


if __name__ == "__main__":
    main()
