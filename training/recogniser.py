r"""The recogniser: what a drawing so far shows, and how large it will be.

It learns from real drawings, cut anywhere, as users hand them over: place and size unknown, a
little turned and stretched, a quarter of them with their strokes in any order, so that they
begin anywhere.

Examples:
    The recogniser that ships:

        python -m training.recogniser data/quickdraw.safetensors --out runs/recogniser
"""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import svgwrite
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from training import Refusal, help_from
from training import judge as judges
from training.data import dataset as datasets
from training.data.batches import epoch_order
from training.data.dataset import Dataset, DatasetError
from training.judge import RasterJudge, Residual
from training.loop import stop_when_asked
from training.precision import autocast
from training.run_folder import RunFolder
from vpype_sketchformer.model import recogniser as runtime
from vpype_sketchformer.model.recogniser import HIDDEN, LABEL
from vpype_sketchformer.model.sight import draw
from vpype_sketchformer.sketch import DRAW

#: Stages of the judge that stay as they are: they know lines already.
KEPT = 2
#: Share of drawings whose class the head of sizes is not told.
HIDE_LABEL = 0.3
#: Classes come in proportion to n ** BALANCE.
BALANCE = 0.5
#: How often classes are expected, in the same way.
PRIOR = 0.25
LONGEST = 256
LEARNING_RATE, WEIGHT_DECAY, WARMUP = 1.5e-3, 0.05, 50
#: Weight of the sizes' loss beside that of the classes.
SIZES = 0.5
#: Share of drawings that come whole; the others are cut at any point.
WHOLE = 0.15
#: Share of drawings whose strokes come in any order.
SHUFFLED = 0.25
#: Largest turn, in radians, largest change of one axis, share of mirrored drawings.
TURN, STRETCH, MIRRORED = 0.2, 0.25, 0.3
CUTS = (0.1, 0.3, 0.5, 1.0)
VALIDATION_DRAWINGS = 3450
#: Test drawings of each class.
TEST_DRAWINGS = 20


@dataclass(frozen=True)
class Beginnings:
    """Beginnings of drawings.

    Attributes:
        pictures: Ink, (n, SIZE, SIZE).
        labels: Classes, (n,).
        sizes: What the head of sizes is to say, (n, 3): the logarithm of the finished
            drawing's longer side over the beginning's; how far its left and its upper edge
            lie beyond the beginning's, in longer sides of the beginning, as log(1 + x).
    """

    pictures: NDArray[np.float32]
    labels: NDArray[np.int64]
    sizes: NDArray[np.float32]


def gather(
    dataset: Dataset, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Take the points of drawings: points (n, 2), which begin a stroke, whose they are."""
    lengths = dataset.lengths[indices]
    owners = np.repeat(np.arange(len(indices)), lengths)
    first = np.cumsum(lengths) - lengths
    rows = np.arange(len(owners)) - first[owners] + dataset.starts[indices][owners]
    begins = np.ones(len(rows), bool)
    begins[1:] = dataset.pen[rows[:-1]] != DRAW
    return dataset.points[rows].astype(np.float64), begins, owners


def vary(
    points: NDArray[np.float64],
    begins: NDArray[np.bool_],
    owners: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Turn, stretch and mirror drawings, and shuffle the strokes of some."""
    count = int(owners[-1]) + 1
    angle = rng.uniform(-TURN, TURN, count)
    shear = rng.uniform(-STRETCH, STRETCH, count) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.stack([np.stack([cos, shear - sin]), np.stack([sin, cos])])  # (2, 2, count)
    matrix[0] *= np.exp(rng.uniform(-STRETCH, STRETCH, count))
    matrix[0] *= np.where(rng.random(count) < MIRRORED, -1.0, 1.0)
    points = np.einsum("ijn,nj->ni", matrix[:, :, owners], points)
    strokes = np.cumsum(begins) - 1
    keys = np.arange(int(strokes[-1]) + 1, dtype=np.float64)
    owner = owners[begins]
    shuffled = (rng.random(count) < SHUFFLED)[owner]
    keys[shuffled] = rng.random(int(shuffled.sum()))
    turned = shuffled & (rng.random(len(keys)) < 0.5)
    within = np.arange(len(points), dtype=np.float64)
    within[turned[strokes]] *= -1
    order = np.lexsort([within, keys[strokes], owners])
    moved = strokes[order]
    return points[order], np.append(True, moved[1:] != moved[:-1])


def cut(
    points: NDArray[np.float64],
    begins: NDArray[np.bool_],
    owners: NDArray[np.int64],
    shares: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> Beginnings:
    """Keep a share of each drawing's points, two at least, and draw what is kept."""
    count = len(shares)
    lengths = np.bincount(owners, minlength=count)
    first = np.cumsum(lengths) - lengths
    kept = np.clip(np.rint(lengths * shares).astype(np.int64), np.minimum(2, lengths), lengths)
    inside = np.arange(len(points)) - first[owners] < kept[owners]
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    begun = np.cumsum(kept) - kept
    points, begins, owners = points[inside], begins[inside], owners[inside]
    near, far = np.minimum.reduceat(points, begun), np.maximum.reduceat(points, begun)
    side = np.maximum((far - near).max(axis=1), 1.0)
    ratio = np.maximum((high - low).max(axis=1), 1.0) / side
    sizes = np.column_stack([np.log(ratio), np.log1p((near - low) / side[:, None])])
    return Beginnings(draw(points, begins, owners), labels, sizes.astype(np.float32))


def training_batches(
    dataset: Dataset,
    indices: NDArray[np.int64],
    size: int,
    seed: int,
    first_step: int = 0,
) -> Iterator[Beginnings]:
    """Yield batches for ever, beginning with the one of ``first_step``."""
    step, epoch = 0, 0
    while True:
        order = epoch_order(dataset, indices, BALANCE, np.random.default_rng([seed, 0, epoch]))
        for begin in range(0, len(order) - size + 1, size):
            if step >= first_step:
                chosen = order[begin : begin + size]
                rng = np.random.default_rng([seed, 1, step])
                points, begins, owners = gather(dataset, chosen)
                points, begins = vary(points, begins, owners, rng)
                shares = np.where(rng.random(size) < WHOLE, 1.0, rng.random(size))
                yield cut(points, begins, owners, shares, dataset.labels[chosen])
            step += 1
        epoch += 1


class Recogniser(nn.Module):
    """The network; see ``vpype_sketchformer.model.recogniser``."""

    def __init__(self, judge: RasterJudge) -> None:
        """Begin with what a judge knows of finished drawings."""
        super().__init__()
        self.judge = judge
        self.classes, seen = judge.answer.out_features, judge.answer.in_features
        self.label = nn.Embedding(self.classes + 1, LABEL)
        self.size_hidden = nn.Linear(seen + LABEL, HIDDEN)
        self.size_out = nn.Linear(HIDDEN, 3)
        nn.init.zeros_(self.size_out.weight)
        for part in (judge.stem, judge.stem_norm, judge.stages[:KEPT]):
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Recogniser:
        """Set what learns to learning; the first stages stay as they are."""
        super().train(mode)
        for part in (self.judge.stem_norm, self.judge.stages[:KEPT]):
            part.eval()
        return self

    def features(self, pictures: Tensor) -> Tensor:
        """What the network sees in pictures (n, SIZE, SIZE): (n, channels)."""
        x = pictures[:, None].contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            x = F.relu(self.judge.stem_norm(self.judge.stem(x)))
            x = self.judge.stages[:KEPT](x)
        return self.judge.stages[KEPT:](x).mean(dim=(2, 3)).float()

    def name(self, features: Tensor) -> Tensor:
        """Return the logits of the classes, (n, classes)."""
        return self.judge.answer(features)

    def sizes(self, features: Tensor, labels: Tensor) -> Tensor:
        """How the drawings will grow, (n, 3), see ``Beginnings``."""
        joint = torch.cat([features, self.label(labels)], dim=1)
        return self.size_out(F.relu(self.size_hidden(joint)))

    def losses(self, pictures: Tensor, labels: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Nats of the class, and mean absolute error of the sizes."""
        features = self.features(pictures)
        with torch.autocast(pictures.device.type, enabled=False):
            told = torch.where(torch.rand(len(labels)) < HIDE_LABEL, self.classes, labels)
            # What is far is not looked for: a dot may become anything.
            error = (self.sizes(features, told) - sizes).abs().mean()
            return F.cross_entropy(self.name(features), labels), error


@torch.no_grad()
def look(model: Recogniser, made: Beginnings) -> tuple[NDArray[np.float32], ...]:
    """Return logits (n, classes) and sizes of unknown class and true class, (n, 3)."""
    model.eval()
    logits, unknown, known = [], [], []
    for rows in np.array_split(np.arange(len(made.labels)), -(-len(made.labels) // 512)):
        with autocast(torch.device("cpu")):
            features = model.features(torch.from_numpy(made.pictures[rows]))
        labels = torch.from_numpy(made.labels[rows])
        logits.append(model.name(features))
        unknown.append(model.sizes(features, torch.full_like(labels, model.classes)))
        known.append(model.sizes(features, labels))
    model.train()
    return tuple(torch.cat(parts).numpy() for parts in (logits, unknown, known))


def validate(
    model: Recogniser, dataset: Dataset, indices: NDArray[np.int64]
) -> dict[str, float]:
    """Score beginnings as users hand them over."""
    figures: dict[str, float] = {}
    nats = []
    points, begins, owners = gather(dataset, indices)
    labels = dataset.labels[indices]
    for share in CUTS:
        made = cut(points, begins, owners, np.full(len(indices), share), labels)
        logits, unknown, known = look(model, made)
        for top in (1, 5):
            figures[f"{share:.0%} top {top}"] = judges.accuracy(logits, labels, top)
        logs = log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
        nats.append(-float(logs.mean()))
        for name, said in (("size", unknown), ("size told", known)):
            error = np.abs(np.maximum(said[:, 0], 0) - made.sizes[:, 0])
            figures[f"{share:.0%} {name}"] = float(np.exp(np.median(error)))
    return figures | {"valid": float(np.mean(nats))}


def fit(dataset: Dataset, begin: Path, out: Path, steps: int, size: int, seed: int) -> None:
    """Train, from where the run in ``out`` stopped, or anew."""
    device = torch.device("cpu")
    torch.manual_seed(seed)
    indices, valid = (
        part[dataset.lengths[part] <= LONGEST]
        for part in (dataset.of("train"), dataset.of("valid"))
    )
    indices = indices[dataset.recognized[indices] != 0]
    valid = np.random.default_rng(0).permutation(valid)[:VALIDATION_DRAWINGS]
    judge = judges.load(begin, dataset)
    if not isinstance(judge, RasterJudge):
        raise Refusal(f"{begin}: a judge of another kind; a raster judge is needed.")
    model = Recogniser(judge).train()
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
        )
    ]
    run = RunFolder(out, {"steps": steps, "size": size, "seed": seed, "data": dataset.digest})
    first = run.restore(model, optimizers)
    run.cut_log(first)
    parameters = sum(p.numel() for p in model.parameters())
    click.echo(f"{len(indices):,} drawings, {parameters / 1e6:.2f} M parameters, step {first}")
    bar = tqdm(total=steps, initial=first, unit="step", mininterval=10)
    batches = training_batches(dataset, indices, size, seed, first)
    began = time.monotonic()
    with stop_when_asked() as stop:
        for step, batch in zip(range(first, steps), batches, strict=False):
            with autocast(device):
                nats, error = model.losses(
                    *(torch.from_numpy(a) for a in vars(batch).values())
                )
            torch.autograd.backward(nats + SIZES * error)
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            rate = LEARNING_RATE * min(
                1.0, (step + 1) / WARMUP, (steps - step) / (0.8 * steps)
            )
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            run.recent.append(nats.item())
            if not math.isfinite(run.recent[-1]):
                raise Refusal(f"the loss is not a number at step {step}.")
            bar.update()
            done = step + 1
            if done % 200 == 0 or done == steps:
                figures = validate(model, dataset, valid)
                train = float(np.mean(run.recent))
                run.recent.clear()
                run.log(
                    {"step": done, "train": train, "valid": figures["100% top 1"], **figures}
                )
                speed = (done - first) * size / (time.monotonic() - began)
                tops = ", ".join(
                    f"{share:.0%} {figures[f'{share:.0%} top 1']:.3f} "
                    f"{figures[f'{share:.0%} top 5']:.3f} {figures[f'{share:.0%} size']:.3f} "
                    f"{figures[f'{share:.0%} size told']:.3f}"
                    for share in CUTS
                )
                bar.write(f"step {done}: {train:.3f} nats; {tops}; {speed:.0f} drawings/s")
            if done % 50 == 0 or done == steps or stop.is_set():
                run.keep(done, model, optimizers)
            if stop.is_set():
                return
    finish(model, dataset, valid, out, steps)


def to_recogniser(
    model: Recogniser, dataset: Dataset, valid: Beginnings, metadata: dict[str, Any]
) -> runtime.Recogniser:
    """Take the weights out of torch, and calibrate them (Guo et al. 2017)."""
    judge = model.eval().judge
    tensors = {"label.weight": model.label.weight}
    tensors |= _folded("stem", judge.stem, judge.stem_norm)
    for i, stage in enumerate(judge.stages):
        assert isinstance(stage, Residual)
        tensors |= _folded(f"stages.{i}.first", stage.first, stage.first_norm)
        tensors |= _folded(f"stages.{i}.second", stage.second, stage.second_norm)
        tensors[f"stages.{i}.short.weight"] = stage.short.weight.flatten(1)
        tensors[f"stages.{i}.short.bias"] = torch.zeros(stage.short.out_channels)
    for name in ("size_hidden", "size_out"):
        tensors |= {f"{name}.{k}": t for k, t in getattr(model, name).named_parameters()}
    # From how often classes came in training to how often they are expected.
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes)).clip(1)
    shift = (PRIOR - BALANCE) * np.log(counts)
    logits = look(model, valid)[0] + shift
    weights = (counts ** (PRIOR - 1.0))[valid.labels]
    temperature = fit_temperature(logits, valid.labels, weights)
    answer = judge.answer
    tensors["answer.weight"] = answer.weight / temperature
    tensors["answer.bias"] = (answer.bias + torch.from_numpy(shift).float()) / temperature
    arrays = {name: t.detach().float().numpy() for name, t in tensors.items()}
    arrays["prior"] = (counts**PRIOR / (counts**PRIOR).sum()).astype(np.float32)
    told = {"temperature": temperature, **metadata}
    return runtime.Recogniser(dataset.classes, arrays, told)


def _folded(name: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> dict[str, Tensor]:
    """Make a convolution and its batch norm one matrix with a bias."""
    assert norm.running_var is not None and norm.running_mean is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return {
        f"{name}.weight": convolution.weight.flatten(1) * factor[:, None],
        f"{name}.bias": norm.bias - norm.running_mean * factor,
    }


def fit_temperature(
    logits: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.floating]
) -> float:
    """Return what to divide logits (n, classes) by, so that shares are right that often."""

    def nats(log_temperature: float) -> float:
        logs = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float((weights * logs[np.arange(len(labels)), labels]).sum())

    return float(np.exp(minimize_scalar(nats, bounds=(-2, 2), method="bounded").x))


def reliability(
    shares: NDArray[np.floating], labels: NDArray[np.int64]
) -> list[tuple[float, float, int]]:
    """Compare how sure the first answer is with how often it is right, by tenths.

    Returns:
        Mean share, how often right, and how many, for each tenth that has some.
    """
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    tenth = np.minimum((10 * sure).astype(int), 9)
    return [
        (float(sure[t].mean()), float(right[t].mean()), int(t.sum()))
        for t in (tenth == i for i in range(10))
        if t.any()
    ]


def draw_reliability(rows: Sequence[tuple[float, float, int]], path: Path) -> None:
    """Draw how often the first answer is right over how sure it is, as an SVG."""
    side, margin = 320, 44
    drawing = svgwrite.Drawing(str(path), size=(side, side))
    drawing.add(drawing.rect((0, 0), (side, side), fill="white"))

    def place(x: float, y: float) -> tuple[float, float]:
        span = side - 2 * margin
        return margin + x * span, side - margin - y * span

    text = {"font_family": "sans-serif", "font_size": 11, "fill": "#444"}
    for value in (0.0, 0.5, 1.0):
        for a, b in (((value, 0), (value, 1)), ((0, value), (1, value))):
            drawing.add(drawing.line(place(*a), place(*b), stroke="#ddd"))
        x, y = place(value, 0)
        drawing.add(drawing.text(f"{value:.0%}", (x, y + 15), text_anchor="middle", **text))
        x, y = place(0, value)
        drawing.add(drawing.text(f"{value:.0%}", (x - 6, y + 4), text_anchor="end", **text))
    drawing.add(drawing.line(place(0, 0), place(1, 1), stroke="#999"))
    most = max(count for _, _, count in rows)
    for sure, right, count in rows:
        size = 2 + 6 * (count / most) ** 0.5
        drawing.add(drawing.circle(place(sure, right), size, fill="#c33"))
    drawing.add(drawing.text("how sure", (side / 2, side - 8), text_anchor="middle", **text))
    drawing.add(drawing.text("how often right", (8, 16), **text))
    drawing.save()


def score(
    recogniser: runtime.Recogniser, dataset: Dataset, indices: NDArray[np.int64]
) -> tuple[dict[str, dict[str, float]], NDArray[np.float64], NDArray[np.int64]]:
    """Score the finished file on drawings cut as users hand them over.

    Returns:
        For each cut, the figures of the table: means of the classes, and the median factor
        by which the finished size is missed; the shares and labels of all cuts.
    """
    points, begins, owners = gather(dataset, indices)
    labels = dataset.labels[indices]
    table, shares = {}, []
    for share in CUTS:
        made = cut(points, begins, owners, np.full(len(indices), share), labels)
        seen = recogniser.see(made.pictures)
        named = recogniser.name(seen)
        shares.append(named)
        # As a completion does: the size of what the drawing is taken for.
        sides = [
            recogniser.growth(seen[i : i + 1], recogniser.classes[label])[0].side
            for i, label in enumerate(named.argmax(axis=1))
        ]
        missed = np.abs(np.log(sides) - made.sizes[:, 0])
        table[f"{share:.0%}"] = {
            "top 1": judges.accuracy(named, labels, 1),
            "top 5": judges.accuracy(named, labels, 5),
            "size factor": float(np.exp(np.median(missed))),
        }
    return table, np.concatenate(shares), np.tile(labels, len(CUTS))


def finish(
    model: Recogniser, dataset: Dataset, valid: NDArray[np.int64], out: Path, steps: int
) -> None:
    """Write the file that ships, its figures on test drawings, and the picture."""
    points, begins, owners = gather(dataset, valid)
    parts = [
        cut(points, begins, owners, np.full(len(valid), share), dataset.labels[valid])
        for share in CUTS
    ]
    held = Beginnings(
        *(np.concatenate(a) for a in zip(*(vars(p).values() for p in parts), strict=True))
    )
    command = shlex.join(["python", "-m", "training.recogniser", *sys.argv[1:]])
    metadata = {"data": list(dataset.sources), "command": command, "steps": steps}
    recogniser = to_recogniser(model, dataset, held, metadata)
    test = np.random.default_rng(0).permutation(dataset.of("test"))
    test = test[dataset.lengths[test] <= LONGEST]
    few = np.concatenate(
        [test[dataset.labels[test] == c][:TEST_DRAWINGS] for c in range(len(dataset.classes))]
    )
    table, shares, labels = score(recogniser, dataset, few)
    rows = reliability(shares, labels)
    recogniser = replace(
        recogniser, metadata={**recogniser.metadata, "scores": table, "reliability": rows}
    )
    runtime.save(recogniser, out / "recogniser.safetensors")
    draw_reliability(rows, out / "reliability.svg")
    click.echo(
        f"{len(few):,} test drawings, mean of the classes; temperature "
        f"{recogniser.metadata['temperature']:.2f}"
    )
    for share, figures in table.items():
        click.echo(f"{share:>5}  " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    for sure, right, count in rows:
        click.echo(f"{sure:.2f} sure: {right:.2f} right ({count:,})")


@click.command(help=help_from(__doc__))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--from",
    "begin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="A raster judge to begin with.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--steps", type=click.IntRange(1), default=3500, show_default=True)
@click.option("--size", type=click.IntRange(1), default=256, show_default=True)
def main(data: Path, begin: Path, out: Path, steps: int, size: int) -> None:
    """Train the recogniser."""
    try:
        dataset = datasets.load(data)
    except DatasetError as error:
        raise Refusal(str(error)) from error
    fit(dataset, begin, out, steps, size, seed=1)


if __name__ == "__main__":
    main()
