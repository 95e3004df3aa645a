"""Where a training step's time goes: ``python -m training.profiling --help``."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import click
import torch
from torch.profiler import profile, record_function

from training.build import build_model, build_optimizers
from training.config import read_config
from training.data import dataset as datasets
from training.data.batches import offset_scale
from training.loop import batches_of, train_step, training_indices

WARM_UP = 3


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--steps", default=10, show_default=True, help="Steps to profile.")
def main(config: Path, data: Path, steps: int) -> None:
    """Profile training steps on one thread of the CPU.

    Prints the operations that take most, and the shares of a step's parts. Shares hold on a
    busy machine as well, given some steps; times do not.

    \b
    Examples:
      python -m training.profiling training/configs/base.toml data/quickdraw.safetensors
    """  # noqa: D301
    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings, dataset = read_config(config, ()), datasets.load(data)
    indices = training_indices(dataset, settings)
    model = build_model(settings, len(dataset.classes), offset_scale(dataset, indices))
    optimizers = build_optimizers(model, settings)
    batches = batches_of(settings, dataset, indices)
    for batch in islice(batches, WARM_UP):
        train_step(model, optimizers, batch, 1.0, settings)
    began = time.process_time()
    with profile() as profiled:
        for _ in range(steps):
            with record_function("make a batch"):
                batch = next(batches)
            train_step(model, optimizers, batch, 1.0, settings)
    seconds = time.process_time() - began
    averages = profiled.key_averages()
    click.echo(averages.table(sort_by="self_cpu_time_total", row_limit=25))
    spans = ("make a batch", "Optimizer.step#AdamW.step", "Optimizer.step#Muon.step")
    total = sum(entry.self_cpu_time_total for entry in averages)
    for entry in averages:
        if entry.key in spans:
            click.echo(f"{entry.key:28} {entry.cpu_time_total / total:6.1%}")
    click.echo(f"{seconds / steps:.2f} s of processor time per step, profiler included")


if __name__ == "__main__":
    main()
