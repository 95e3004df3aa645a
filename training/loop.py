"""Training: batches in, steps of the optimisers, validation now and then."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from training import Refusal
from training.build import Network, build_model, build_optimizers
from training.config import TrainConfig, augmentation
from training.data.batches import evaluation_batches, offset_scale, training_batches
from training.data.dataset import Dataset
from training.distributed import add_up, anywhere, place
from training.export import begin_from, digest, without_encoder
from training.model import Batch, Sketchformer
from training.precision import autocast
from training.run_folder import RunFolder, Scores
from vpype_sketchformer.model.checkpoint import Checkpoint

#: Drawings that validation looks at: enough for 0.02 nats, few enough for a CPU.
VALIDATION_DRAWINGS = 2000
#: The curve of fewer than these hangs on the luck of each.
FEWEST = 5


def batches_of(
    config: TrainConfig, dataset: Dataset, indices: NDArray[np.int64], first_step: int = 0
) -> Iterator[Batch]:
    """Yield the batches of a run for ever, beginning with the one of ``first_step``."""
    return training_batches(
        dataset,
        indices,
        points=config.points,
        balance=config.balance,
        augmentation=lambda step: augmentation(config, rate(step, config)),
        seed=config.seed,
        first_step=first_step,
    )


def rate(step: int, config: TrainConfig) -> float:
    """Share of the learning rate at a step: linear warm-up, flat, linear decay to zero."""
    up = (step + 1) / max(1, config.warmup)
    down = (config.steps - step) / max(1.0, config.decay * config.steps)
    return min(1.0, up, down) if config.decay else min(1.0, up)


def training_indices(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    """Choose the drawings to train on: the train split, short enough, recognised."""
    chosen = dataset.of("train")
    chosen = chosen[dataset.lengths[chosen] <= config.context]
    if config.only_recognized:
        chosen = chosen[dataset.recognized[chosen] != 0]
    return np.setdiff1d(chosen, _held_back(dataset, config))


def validation_indices(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    """Choose the drawings to validate with; where there are too few, those of training."""
    chosen = np.concatenate([_valid(dataset, config), _held_back(dataset, config)])
    if not len(chosen):
        return training_indices(dataset, config)
    return np.random.default_rng(0).permutation(chosen)[:VALIDATION_DRAWINGS]


def _valid(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    chosen = dataset.of("valid")
    return chosen[dataset.lengths[chosen] <= config.context]


def _held_back(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    """Choose training drawings to validate with, where chance has dealt too few others.

    As many as make ``FEWEST`` of them, but no more than a fifth; always the same ones.
    """
    train = dataset.of("train")
    train = train[dataset.lengths[train] <= config.context]
    missing = min(FEWEST - len(_valid(dataset, config)), len(train) // 5)
    if missing <= 0:
        return train[:0]
    return np.sort(sorted(train, key=lambda i: dataset.drawing(int(i)).digest)[:missing])


@torch.no_grad()
def validate(
    model: Network,
    dataset: Dataset,
    indices: NDArray[np.int64],
    device: torch.device,
    coded: bool = False,
) -> Scores:
    """Score drawings, plain, their class told, and their code where that is wanted."""
    model.eval()
    offset = pen = points = 0.0
    for _, batch in evaluation_batches(dataset, indices, 16384, coded=coded):
        batch = batch.to(device)
        with autocast(device):
            losses = losses_of(model, batch)
        offset += float(losses[0].sum())
        pen += float(losses[1].sum())
        points += float(batch.real.sum())
    model.train()
    return Scores(offset / points, pen / points)


def losses_of(model: Network, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return a network's losses, offset and pen, (B, T), and what its codes tell, (B,).

    One that listens to codes reads them first.
    """
    if isinstance(model, Sketchformer):
        codes, nats = model.read_codes(batch)
        return *model.losses(batch, codes), nats
    return *model.losses(batch), batch.real.new_zeros(len(batch.real), dtype=torch.float)


def train_step(
    model: Network,
    optimizers: list[torch.optim.Optimizer],
    batch: Batch,
    factor: float,
    config: TrainConfig,
) -> tuple[Tensor, Tensor]:
    """One step of the optimisers, for which each process takes its rows of the batch.

    Returns:
        Offset and pen loss per point of the whole batch.
    """
    points, part = batch.real.sum(), batch.part(*place())
    offset, pen = torch.zeros(2, device=points.device).unbind()
    learning = [p for p in model.parameters() if p.requires_grad]
    if len(part.labels):  # there may be fewer drawings than processes
        with autocast(points.device):
            offset, pen, told = (loss.sum() / points for loss in losses_of(model, part))
        torch.autograd.backward(offset + pen + config.code_price * told)
        offset, pen = offset.detach(), pen.detach()
    for parameter in learning:
        if parameter.grad is None:  # nothing of it was needed here, but perhaps elsewhere
            parameter.grad = torch.zeros_like(parameter)
    add_up([offset, pen, *(p.grad for p in learning if p.grad is not None)])
    nn.utils.clip_grad_norm_(learning, config.clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full_lr"] * factor
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return offset, pen


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: Path,
    device: torch.device,
    begin: Checkpoint | None = None,
    stop: threading.Event | None = None,
    *,
    build: Callable[[TrainConfig, int, float], Network] = build_model,
    export: bool = True,
) -> None:
    """Train, from where the run in ``out`` stopped, from the weights of ``begin``, or anew.

    Of several processes the first one alone validates and writes. When ``stop`` is set in any
    of them, the step at hand is the last one; its state is kept.

    Args:
        config: The settings.
        dataset: The drawings.
        out: The run's folder.
        device: Where to train.
        begin: A model to begin with.
        stop: Ends the run early.
        build: Makes the network from the settings, the number of classes and the scale.
        export: Whether models that vpype draws with are written.

    Raises:
        Refusal: There is nothing to train on, or the loss is no number any more.
    """
    rank, _ = place()
    if begin is not None:
        if not config.tell_code:  # who is told no codes forgets what they mean
            begin = without_encoder(begin)
        shape = replace(begin.config, context=max(begin.config.context, config.context))
        begin = replace(begin, config=shape)
        names = asdict(shape).keys() & asdict(config).keys()
        config = replace(
            config, model="sketchformer", **{name: getattr(shape, name) for name in names}
        )
        # Whose drawings the weights know already.
        known = begin.metadata.get("data", [])
        dataset = replace(dataset, sources=tuple(dict.fromkeys([*known, *dataset.sources])))
    torch.manual_seed(config.seed)
    indices = training_indices(dataset, config)
    if config.tell_code and not (begin and begin.config.code):
        config = replace(config, tell_code=0.0)
        if rank == 0:
            click.echo("no codes are told: the model has no encoder (--from, --encoder).")
    if not len(indices):
        raise Refusal(f"no drawings of up to {config.context} points to train on.")
    valid = validation_indices(dataset, config)
    model: Network
    if begin is not None:
        model = begin_from(begin, dataset.classes, config.dropout)
    else:
        model = build(config, len(dataset.classes), offset_scale(dataset, indices))
    if isinstance(model, Sketchformer):
        longest = int(np.quantile(dataset.lengths[indices], 0.998)) + 1
        model.config = replace(model.config, longest=min(longest, config.context))
        if config.code_price and config.tell_code:
            model.teach_encoder()
    model.to(device).train()
    if config.compile:
        model.losses = torch.compile(model.losses, dynamic=True)  # type: ignore[method-assign]
    optimizers = build_optimizers(model, config)
    # Settings, and what tells one dataset from another.
    told: dict[str, Any] = {
        "drawings": len(indices),
        "scale": model.scale,
        "data": dataset.digest,
    }
    if dataset.shares:
        told["shares"] = list(dataset.shares)
    told["from"] = digest(begin) if begin else None
    run = RunFolder(out, asdict(config) | told)
    first = run.restore(model, optimizers)
    parameters = sum(p.numel() for p in model.parameters())
    if rank == 0:
        run.cut_log(first)
        click.echo(
            f"{len(indices):,} drawings, {dataset.lengths[indices].sum():,} points, "
            f"{len(dataset.classes)} classes ({np.sum(dataset.lengths > config.context):,} "
            f"drawings of more than {config.context} points left out); "
            f"{parameters / 1e6:.2f} M parameters; step {first} to {config.steps} on {device}"
        )
        if np.isin(valid, indices).any():
            click.echo("no drawings to validate with: 'valid' is of those of training.")
        if first >= config.steps:
            click.echo("nothing to do: this run has come so far already.")
    if first >= config.steps:
        return
    batches = batches_of(config, dataset, indices, first)
    bar = tqdm(
        total=config.steps, initial=first, unit="step", dynamic_ncols=True, disable=rank > 0
    )
    seconds, seen = 0.0, 0
    for step, batch in zip(range(first, config.steps), batches, strict=False):
        began = time.monotonic()
        torch.manual_seed(step_seed(config.seed, step, rank))
        batch = batch.to(device)
        offset, pen = train_step(model, optimizers, batch, rate(step, config), config)
        run.recent.append(float(offset + pen))
        if not math.isfinite(run.recent[-1]):
            bar.close()
            raise Refusal(f"the loss is not a number at step {step}; lower lr.")
        seen += int(batch.real.sum())
        seconds += time.monotonic() - began
        bar.update()
        done = step + 1
        last = done == config.steps
        stopped = anywhere(stop is not None and stop.is_set(), device)
        if rank > 0:
            if stopped and not last:
                sys.exit(128 + signal.SIGINT)
            continue
        if done % config.validate_every == 0 or last:
            scores = validate(model, dataset, valid, device)
            if not math.isfinite(scores.total):
                bar.close()
                raise Refusal(f"the loss is not a number after step {done}; lower lr.")
            speed = seen / seconds
            entry = {"step": done, "train": float(np.mean(run.recent)), **asdict(scores)}
            if config.tell_code:
                entry["coded"] = validate(model, dataset, valid, device, coded=True).total
            run.log(entry | {"valid": scores.total, "points_per_second": round(speed)})
            bar.write(
                f"step {done:6d}  train {entry['train']:.3f}  valid {scores.total:.3f} "
                f"(offset {scores.offset:.3f}, pen {scores.pen:.3f}"
                + (f"; code told {entry['coded']:.3f}" if "coded" in entry else "")
                + f") nats per point, {speed:,.0f} points/s"
            )
            run.recent.clear()
            if export and isinstance(model, Sketchformer):
                if run.is_best():
                    run.export(model, dataset, done, scores, "best")
                if done % config.sample_every == 0 or last:
                    run.show(run.export(model, dataset, done, scores, "model"), done)
        if done % config.save_every == 0 or last or stopped:
            run.keep(done, model, optimizers)
        if stopped and not last:
            bar.close()
            click.echo(f"stopped at step {done}; the same command goes on from there.")
            sys.exit(128 + signal.SIGINT)
    bar.close()


@contextlib.contextmanager
def stop_when_asked() -> Iterator[threading.Event]:
    """Take Ctrl-C as a wish to stop after the step at hand; the second one stops at once.

    torchrun ends its processes with SIGTERM as well, which means the same.
    """
    stop = threading.Event()

    def ask(*_: object) -> None:
        stop.set()
        if place()[1] == 1:  # of several processes, one that stopped would leave the others
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of a step's dropout, of its own for each process."""
    return int(np.random.SeedSequence([seed, 3, step, rank]).generate_state(1)[0])
