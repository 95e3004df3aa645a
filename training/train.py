"""Train a model on a dataset file: ``python -m training.train --help``."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import signal
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from training import Refusal
from training.baseline import POSITIONS, Seed
from training.data import dataset as datasets
from training.data.batches import (
    Augmentation,
    evaluation_batches,
    offset_scale,
    training_batches,
)
from training.data.dataset import Dataset, DatasetError
from training.data.readers import ReaderError
from training.distributed import add_up, join, leave, place
from training.export import begin_from, deepen, to_checkpoint
from training.model import Batch, Sketchformer
from training.muon import Muon
from training.precision import autocast
from training.prepare import Preparation, find_files
from training.report import draw_curve, draw_samples
from vpype_sketchformer.files import replacing, write_whole
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, find, load, save
from vpype_sketchformer.model.transformer import ModelConfig

Network = Sketchformer | Seed

#: The model that "shipped" stands for, and the settings for training it on a few drawings.
SHIPPED = "quickdraw"
FINETUNE = Path(__file__).parent / "configs/finetune.toml"

MODELS = ("sketchformer", "seed")
OPTIMIZERS = ("muon", "adamw")

#: Drawings that validation looks at: enough for 0.02 nats, few enough for a CPU.
VALIDATION_DRAWINGS = 2000

#: Settings that a run may take up again with: how long it lasts, what it shows.
MAY_CHANGE = ("steps", "decay", "validate_every", "sample_every", "save_every")
#: Settings that must be above zero, and settings that are shares of one.
POSITIVE = (
    *("width", "heads", "layers", "hidden", "mixtures", "pen_width"),
    *("context", "steps", "points"),
    *("lr", "muon_lr", "clip", "validate_every", "sample_every", "save_every"),
)
SHARES = ("decay", "dropout", *(f.name for f in fields(Augmentation)))


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a run; ``training/configs`` has commented values.

    Attributes:
        model: "sketchformer", or "seed" for the recipe this project began with.
        width: Channels.
        heads: Attention heads.
        layers: Blocks.
        hidden: Hidden units of a block's feed-forward part.
        mixtures: Gaussians in the mixture.
        pen_width: Hidden units of the pen's head.
        context: Longest drawing trained on, in points.
        steps: Optimiser steps in all.
        points: Points in a batch, padding included.
        warmup: Steps of linear warm-up.
        decay: Share of the steps, at the end, in which the learning rate falls to zero.
        optimizer: "muon" (matrices of the blocks; AdamW for the rest) or "adamw".
        lr: Learning rate of AdamW.
        muon_lr: Learning rate of Muon.
        weight_decay: Decoupled weight decay.
        clip: Largest norm of the gradient.
        dropout: Share of the blocks' outputs dropped.
        balance: Classes come in proportion to their size to this power.
        mirror: Augmentation: share of drawings whose left and right are swapped.
        turn: Augmentation: half of the drawings are turned (radians) and sheared (a share)
            by up to this.
        stretch: Augmentation: one axis shrinks by up to this share.
        hide_label: Share of drawings whose class is hidden.
        tell_strokes: Share of drawings that tell whether they are one stroke.
        tell_quality: Share of drawings whose class is told that tell how good they are.
        only_recognized: Leave out what the game did not recognise.
        compile: Compile the losses (``torch.compile``): twice as fast after two minutes, where
            there is a C++ compiler.
        seed: Of everything random.
        validate_every: Steps between validations.
        sample_every: Steps between sheets of samples.
        save_every: Steps between saved states.
    """

    model: str = "sketchformer"
    width: int = 256
    heads: int = 4
    layers: int = 6
    hidden: int = 1024
    mixtures: int = 20
    pen_width: int = 128
    context: int = 256
    steps: int = 8000
    points: int = 4096
    warmup: int = 100
    decay: float = 0.3
    optimizer: str = "muon"
    lr: float = 3e-3
    muon_lr: float = 0.02
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = 0.0
    balance: float = 0.6
    mirror: float = 0.0
    turn: float = 0.0
    stretch: float = 0.1
    hide_label: float = 0.1
    tell_strokes: float = 0.3
    tell_quality: float = 0.85
    only_recognized: bool = True
    compile: bool = False
    seed: int = 1
    validate_every: int = 500
    sample_every: int = 1000
    save_every: int = 250


def read_config(path: Path, changes: tuple[str, ...]) -> TrainConfig:
    """Read a config file and apply ``key=value`` changes, of which the last one holds.

    Raises:
        Refusal: An unknown setting, or a value of the wrong type or out of range.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refusal(f"{path}: cannot be read as a config ({error}).") from error
    for change in changes:
        try:
            values |= tomllib.loads(change)
        except tomllib.TOMLDecodeError as error:
            raise Refusal(f"--set {change}: {error}; text needs quotes.") from error
    known = {f.name: type(f.default) for f in fields(TrainConfig)}
    for key, value in values.items():
        if key not in known:
            raise Refusal(f"unknown setting '{key}'; there are: {', '.join(known)}.")
        if known[key] is float and type(value) is int:
            values[key] = float(value)
        elif type(value) is not known[key]:
            raise Refusal(f"setting '{key}' must be of type {known[key].__name__}.")
    config = TrainConfig(**values)
    check(config)
    return config


def check(config: TrainConfig) -> None:
    """Refuse what cannot be trained."""

    def require(holds: bool, problem: str) -> None:
        if not holds:
            raise Refusal(problem)

    values = asdict(config)
    for name, choices in (("model", MODELS), ("optimizer", OPTIMIZERS)):
        require(
            values[name] in choices,
            f"setting '{name}' must be one of: {', '.join(choices)}.",
        )
    for name in POSITIVE:
        require(0 < values[name] < math.inf, f"setting '{name}' must be above 0.")
    for name in ("warmup", "weight_decay", "balance", "seed"):
        require(0 <= values[name] < math.inf, f"setting '{name}' must be 0 or more.")
    for name in SHARES:
        require(0 <= values[name] <= 1, f"setting '{name}' must be from 0 to 1.")
    for name in ("dropout", "stretch"):
        require(values[name] < 1, f"setting '{name}' must be below 1.")
    # Rotary positions turn pairs of channels.
    parts = config.heads * (1 if config.model == "seed" else 2)
    require(
        config.width % parts == 0,
        f"width {config.width} must be a multiple of {parts}, for {config.heads} heads.",
    )
    require(
        config.points >= config.context,
        f"points ({config.points}) must be at least context ({config.context}), "
        "so that the longest drawing fits a batch.",
    )
    require(
        config.model != "seed" or config.context <= POSITIONS,
        f"context must be at most {POSITIONS} for the seed.",
    )


def refuse_shapes(changes: tuple[str, ...]) -> None:
    """Refuse changes of what a model that a run begins with has settled: all but the depth.

    Raises:
        Refusal: One of the changes is of the network's shape.
    """
    settled = {f.name for f in fields(ModelConfig)} - {"context", "layers"} | {"model"}
    for change in changes:
        for key in tomllib.loads(change).keys() & settled:
            raise Refusal(f"--set {key}: with --from, the shape is that of the model.")


def augmentation(config: TrainConfig) -> Augmentation:
    """Return what is done to drawings in training."""
    return Augmentation(**{f.name: getattr(config, f.name) for f in fields(Augmentation)})


def batches_of(
    config: TrainConfig, dataset: Dataset, indices: NDArray[np.int64], first_step: int = 0
) -> Iterator[Batch]:
    """Yield the batches of a run for ever, beginning with the one of ``first_step``."""
    return training_batches(
        dataset,
        indices,
        points=config.points,
        balance=config.balance,
        augmentation=augmentation(config),
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
    return chosen


def validation_indices(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    """Choose the drawings to validate with; where there are none, those of training."""
    chosen = dataset.of("valid")
    chosen = chosen[dataset.lengths[chosen] <= config.context]
    if not len(chosen):
        return training_indices(dataset, config)
    return np.random.default_rng(0).permutation(chosen)[:VALIDATION_DRAWINGS]


def build_model(config: TrainConfig, classes: int, scale: float) -> Network:
    """Make the network that a config asks for."""
    if config.model == "seed":
        return Seed(config.width, config.heads, config.layers, config.mixtures, classes, scale)
    names = {f.name for f in fields(ModelConfig)} & {f.name for f in fields(TrainConfig)}
    shape = ModelConfig(**{name: getattr(config, name) for name in names})
    return Sketchformer(shape, classes, scale, config.dropout)


def build_optimizers(model: Network, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the blocks' matrices and AdamW for the rest, or AdamW alone."""
    named = dict(model.named_parameters())
    muon = config.optimizer == "muon"
    matrices = [
        p for n, p in named.items() if muon and n.startswith("blocks.") and p.ndim == 2
    ]
    inside = {id(p) for p in matrices}
    rest = [p for p in named.values() if id(p) not in inside]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            rest, lr=config.lr, betas=(0.9, 0.95), weight_decay=config.weight_decay
        )
    ]
    if matrices:
        optimizers.append(Muon(matrices, config.muon_lr, config.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return optimizers


@dataclass(frozen=True)
class Scores:
    """Nats per real point in pixels: offset, pen."""

    offset: float
    pen: float

    @property
    def total(self) -> float:
        """Nats per point in all."""
        return self.offset + self.pen


@torch.no_grad()
def validate(
    model: Network, dataset: Dataset, indices: NDArray[np.int64], device: torch.device
) -> Scores:
    """Score drawings, plain, their class told."""
    model.eval()
    offset = pen = points = 0.0
    for _, batch in evaluation_batches(dataset, indices, 16384):
        batch = batch.to(device)
        with autocast(device):
            losses = model.losses(batch)
        offset += float(losses[0].sum())
        pen += float(losses[1].sum())
        points += float(batch.real.sum())
    model.train()
    return Scores(offset / points, pen / points)


def train_step(
    model: Network,
    optimizers: list[torch.optim.Optimizer],
    batch: Batch,
    factor: float,
    clip: float,
) -> tuple[Tensor, Tensor]:
    """One step of the optimisers, for which each process takes its rows of the batch.

    Returns:
        Offset and pen loss per point of the whole batch.
    """
    points, part = batch.real.sum(), batch.part(*place())
    if len(part.labels):
        with autocast(points.device):
            offset, pen = (loss.sum() / points for loss in model.losses(part))
        torch.autograd.backward(offset + pen)
        offset, pen = offset.detach(), pen.detach()
    else:  # fewer drawings than processes
        offset, pen = torch.zeros(2, device=points.device).unbind()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
    add_up([offset, pen, *(p.grad for p in model.parameters() if p.grad is not None)])
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full_lr"] * factor
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return offset, pen


class Run:
    """A run's folder: state, log, curve, samples.

    Attributes:
        folder: Where everything lies.
        settings: What the run was started with; a state is of use to the same run only.
        recent: Training losses since the last validation.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """Open or create the folder.

        Raises:
            Refusal: The folder cannot be made.
        """
        self.folder, self.settings = folder, settings
        self.recent: list[float] = []
        self.state_path = folder / "state.pt"
        self.log_path = folder / "log.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refusal(f"{folder}: cannot be made a folder ({error})") from error

    def restore(self, model: Network, optimizers: list[torch.optim.Optimizer]) -> int:
        """Load the last state, if there is one; returns the step to begin with.

        Raises:
            Refusal: The state cannot be read, or is that of another run.
        """
        if not self.state_path.exists():
            return 0
        state = self._read_state()
        saved = state.get("settings", {})
        others = [
            key
            for key, value in saved.items()
            if key not in MAY_CHANGE and self.settings.get(key) != value
        ]
        if others:
            was = ", ".join(f"{key} = {saved[key]}" for key in others[:3])
            raise Refusal(f"{self.folder} holds another run ({was}); choose another --out.")
        try:
            model.load_state_dict(state["model"])
            for optimizer, moments in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(moments)
            step = int(state["step"])
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise Refusal(f"{self.folder} holds another run; choose another --out.") from error
        self.recent = state.get("recent", [])
        return step

    def _read_state(self) -> dict[str, Any]:
        unreadable = Refusal(
            f"{self.state_path}: not the state of a run, or damaged; "
            "remove it to begin the run again."
        )
        try:
            state = torch.load(self.state_path, "cpu", weights_only=True)
            if isinstance(state, dict):
                return state
        except Exception as error:  # a damaged file makes torch raise whatever it likes
            raise unreadable from error
        raise unreadable

    def keep(self, step: int, model: Network, optimizers: list[torch.optim.Optimizer]) -> None:
        """Save the state after ``step`` steps, whole or not at all."""
        state = {
            "step": step,
            "settings": self.settings,
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "recent": self.recent,
        }
        with replacing(self.state_path) as file:
            torch.save(state, file)

    def cut_log(self, step: int) -> None:
        """Drop from the log what came after a step, since it will come again."""
        self._write_log([entry for entry in self.entries() if entry["step"] <= step])

    def log(self, entry: dict[str, float]) -> None:
        """Add a line to the log and redraw the curve."""
        entries = [*self.entries(), entry]
        self._write_log(entries)
        draw_curve(entries, self.folder / "curve.svg")

    def _write_log(self, entries: list[dict[str, float]]) -> None:
        """Write the log, whole or not at all."""
        write_whole(self.log_path, "".join(json.dumps(entry) + "\n" for entry in entries))

    def entries(self) -> list[dict[str, float]]:
        """The log so far."""
        if not self.log_path.exists():
            return []
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def export(self, model: Sketchformer, dataset: Dataset, step: int, scores: Scores) -> None:
        """Write the model as a checkpoint that vpype draws with, and a sheet of samples."""
        metadata = {
            "data": list(dataset.sources),
            "command": shlex.join(["python", "-m", "training.train", *sys.argv[1:]]),
            "settings": self.settings,
            "step": step,
            "validation": asdict(scores),
        }
        checkpoint = to_checkpoint(model, dataset.classes, metadata)
        save(checkpoint, self.folder / "model.safetensors")
        draw_samples(checkpoint, self.folder / f"samples-{step:06d}.svg")


def own_drawings(folder: Path) -> Dataset:
    """Read a folder of drawings; the names of the folders in it are the classes.

    Raises:
        ReaderError: There is nothing to read.
        DatasetError: Nothing that could be read is a drawing.
    """
    preparation = Preparation()
    drawings = list(preparation.drawings(find_files([folder])))
    if not drawings:
        raise DatasetError(f"{folder}: no drawings in this folder.")
    return datasets.pack(drawings, sources=[f"Drawings in '{folder.resolve().name}'"])


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: Path,
    device: torch.device,
    begin: Checkpoint | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Train, from where the run in ``out`` stopped, from the weights of ``begin``, or anew.

    Of several processes the first one alone validates and writes. When ``stop`` is set, the
    step at hand is the last one; its state is kept.
    """
    rank, _ = place()
    if begin is not None:
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
    if not len(indices):
        raise Refusal(f"no drawings of up to {config.context} points to train on.")
    valid = validation_indices(dataset, config)
    model: Network
    if begin is not None:
        model = begin_from(begin, dataset.classes, config.dropout)
    else:
        model = build_model(config, len(dataset.classes), offset_scale(dataset, indices))
    if isinstance(model, Sketchformer):
        longest = int(np.quantile(dataset.lengths[indices], 0.998)) + 1
        model.config = replace(model.config, longest=min(longest, config.context))
    model.to(device).train()
    if config.compile:
        model.losses = torch.compile(model.losses, dynamic=True)  # type: ignore[method-assign]
    optimizers = build_optimizers(model, config)
    # Settings, and what tells one dataset from another.
    told = {"drawings": len(indices), "scale": model.scale, "data": dataset.digest}
    run = Run(out, asdict(config) | told)
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
    began, seen = time.monotonic(), 0
    for step, batch in zip(range(first, config.steps), batches, strict=False):
        torch.manual_seed(step_seed(config.seed, step, rank))
        batch = batch.to(device)
        offset, pen = train_step(model, optimizers, batch, rate(step, config), config.clip)
        run.recent.append(float(offset + pen))
        if not math.isfinite(run.recent[-1]):
            bar.close()
            raise Refusal(f"the loss is not a number at step {step}; lower lr.")
        seen += int(batch.real.sum())
        bar.update()
        done = step + 1
        last = done == config.steps
        if rank > 0:
            continue
        if done % config.validate_every == 0 or last:
            scores = validate(model, dataset, valid, device)
            if not math.isfinite(scores.total):
                bar.close()
                raise Refusal(f"the loss is not a number after step {done}; lower lr.")
            speed = seen / (time.monotonic() - began)
            entry = {"step": done, "train": float(np.mean(run.recent)), **asdict(scores)}
            run.log(entry | {"valid": scores.total, "points_per_second": round(speed)})
            bar.write(
                f"step {done:6d}  train {entry['train']:.3f}  valid {scores.total:.3f} "
                f"(offset {scores.offset:.3f}, pen {scores.pen:.3f}) nats per point, "
                f"{speed:,.0f} points/s"
            )
            run.recent.clear()
            if isinstance(model, Sketchformer) and (done % config.sample_every == 0 or last):
                run.export(model, dataset, done, scores)
        stopped = stop is not None and stop.is_set()
        if done % config.save_every == 0 or last or stopped:
            run.keep(done, model, optimizers)
        if stopped and not last:
            bar.close()
            click.echo(f"stopped at step {done}; the same command goes on from there.")
            sys.exit(128 + signal.SIGINT)
    bar.close()


@contextlib.contextmanager
def stop_when_asked() -> Iterator[threading.Event]:
    """Take Ctrl-C as a wish to stop after the step at hand; the second one stops at once."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of a step's dropout, of its own for each process."""
    return int(np.random.SeedSequence([seed, 3, step, rank]).generate_state(1)[0])


@click.command()
@click.argument(
    "config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=FINETUNE,
)
@click.argument(
    "data", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--svg",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Train on the SVGs in a folder, one class per sub-folder, instead of on DATA.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for state, log, curve, samples and model.",
)
@click.option(
    "--from",
    "begin",
    metavar="MODEL",
    help="Begin with the weights and the shape of a model: 'shipped', the name of a bundled "
    "one, or a .safetensors file. It may become deeper: --set layers=6.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting. Can be repeated.",
)
def main(
    config: Path,
    data: Path | None,
    svg: Path | None,
    out: Path,
    begin: str | None,
    changes: tuple[str, ...],
) -> None:
    """Train a model on a dataset file, or on a folder of your own drawings.

    CONFIG is a file of settings, such as those in training/configs; DATA is a file made by
    training.prepare. Ctrl-C stops a run after the step at hand; stopped, it goes on where it
    was when the same command is given again.

    With --svg, each SVG in the folder is one drawing, and the folder it lies in names its
    class; CONFIG is training/configs/finetune.toml if you give none. An SVG without lines is
    reported and skipped. For a mixture of SVGs and other drawings, see training.prepare.

    Started by torchrun, each process takes its share of every batch, on its own GPU if there
    are some; --out is then a folder that all of them see. The model is that of one process,
    but for rounding (and dropout, which each process draws for itself).

    \b
    Examples:
      One minute on a laptop, to see that everything works:
        python -m training.train training/configs/tiny.toml data/quickdraw.safetensors \\
            --out runs/tiny
      The first lesson of the model that ships, then another twice as wide, on four GPUs:
        python -m training.train training/configs/base.toml data/quickdraw.safetensors \\
            --out runs/base
        torchrun --nproc-per-node 4 -m training.train training/configs/base.toml \\
            data/quickdraw.safetensors --out runs/wide --set width=512 --set hidden=2048
      The hand of your own drawings; then draw with it:
        python -m training.train --svg my-drawings --from shipped --out runs/own
        vpype sketchgen --model runs/own/model.safetensors -n 20 show
    """  # noqa: D301
    try:
        settings = read_config(config, changes)
        if begin:
            refuse_shapes(changes)
        checkpoint = load(find(SHIPPED if begin == "shipped" else begin)) if begin else None
        if checkpoint and any("layers" in tomllib.loads(change) for change in changes):
            checkpoint = deepen(checkpoint, settings.layers)
        if svg and not data:
            dataset = own_drawings(svg)
        elif data and not svg:
            dataset = datasets.load(data)
        else:
            raise click.UsageError(
                "give either DATA, a file made by training.prepare, or --svg FOLDER."
            )
        device = join()
        # Of several processes, one that stopped would leave the others waiting.
        alone = place()[1] == 1
        with stop_when_asked() if alone else contextlib.nullcontext() as stop:
            train(settings, dataset, out, device, checkpoint, stop)
        leave()
    except (CheckpointError, DatasetError, ReaderError) as error:
        raise Refusal(str(error)) from error


if __name__ == "__main__":
    main()
