r"""The recogniser: what a drawing so far shows, and how large it will be.

It learns from real drawings, cut anywhere, as users hand them over: place and size unknown, a
little turned and stretched, a quarter of them with their strokes in any order and direction,
so that they begin anywhere, and are named without people's ways as well.

Examples:
    One that begins with what a judge sees:

        python -m training.recogniser data/quickdraw.safetensors \
            --from runs/judges/half0.safetensors --out runs/recogniser
"""

from __future__ import annotations

import itertools
import json
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
from safetensors import SafetensorError
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
from training.model import KEPT, Eyes
from training.muon import Muon
from training.precision import autocast
from training.run_folder import RunFolder
from vpype_sketchformer.model import recogniser as runtime
from vpype_sketchformer.model.checkpoint import open_tensors
from vpype_sketchformer.model.recogniser import BOTH, FOLLOWED, HIDDEN, LABEL
from vpype_sketchformer.model.sight import STAGES, draw
from vpype_sketchformer.model.way import WAY, follow
from vpype_sketchformer.sketch import DRAW

#: Share of drawings whose class the head of sizes is not told.
HIDE_LABEL = 0.3
#: Classes come in proportion to n ** BALANCE.
BALANCE = 0.5
#: How often classes are expected, in the same way.
PRIOR = 0.25
LONGEST = 256
#: What AdamW learns; Muon learns the other matrices.
OUTSIDE = ("answer.", "label.", "size_out.")
#: Learning rates: Muon's, of the eyes and of the rest, and AdamW's.
EYES_RATE, MUON_RATE, LEARNING_RATE = 0.01, 0.02, 3e-3
WEIGHT_DECAY, WARMUP = 0.01, 50
#: Weight of the sizes' loss beside that of the classes.
SIZES = 0.5
#: Share of drawings that come whole; the others are cut at u ** EARLY of their points, u even
#: between 0 and 1: the less there is, the more there is to learn.
WHOLE, EARLY = 0.15, 1.5
#: Share of drawings whose strokes come in any order.
SHUFFLED = 0.25
#: Largest turn, in radians, largest change of one axis. Half of those whose strokes come in
#: any order are mirrored: in a mirror people's circles would run the other way.
TURN, STRETCH = 0.2, 0.25
CUTS = (0.1, 0.3, 0.5, 1.0)
VALIDATION_DRAWINGS = 3450
#: Test drawings of each class.
TEST_DRAWINGS = 20


@dataclass(frozen=True)
class Beginnings:
    """Beginnings of drawings.

    Attributes:
        seen: Their pictures, ink (n, SIZE, SIZE).
        ways: The pen's way, see ``way.follow``, (n, WAY).
        labels: Classes, (n,).
        sizes: What the head of sizes is to say, (n, 3): the logarithm of the finished
            drawing's longer side over the beginning's; how far its left and its upper edge
            lie beyond the beginning's, in longer sides of the beginning, as log(1 + x).
    """

    seen: NDArray[np.floating]
    ways: NDArray[np.floating]
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
    """Turn and stretch drawings; shuffle the strokes of some, and mirror half of those."""
    count = int(owners[-1]) + 1
    angle = rng.uniform(-TURN, TURN, count)
    shear = rng.uniform(-STRETCH, STRETCH, count) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.stack([np.stack([cos, shear - sin]), np.stack([sin, cos])])  # (2, 2, count)
    matrix[0] *= np.exp(rng.uniform(-STRETCH, STRETCH, count))
    shuffled = rng.random(count) < SHUFFLED
    matrix[0] *= np.where(shuffled & (rng.random(count) < 0.5), -1.0, 1.0)
    points = np.einsum("ijn,nj->ni", matrix[:, :, owners], points)
    strokes = np.cumsum(begins) - 1
    keys = np.arange(int(strokes[-1]) + 1, dtype=np.float64)
    owner = owners[begins]
    moved = shuffled[owner]
    keys[moved] = rng.random(int(moved.sum()))
    turned = moved & (rng.random(len(keys)) < 0.5)
    within = np.arange(len(points), dtype=np.float64)
    within[turned[strokes]] *= -1
    order = np.lexsort([within, keys[strokes], owners])
    owner = strokes[order]
    return points[order], np.append(True, owner[1:] != owner[:-1])


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
    drawn = draw(points, begins, owners), follow(points, begins, owners)
    return Beginnings(*drawn, labels, sizes.astype(np.float32))


def choose(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose drawings to train on, and to validate with: short enough; recognised."""
    train, valid = (
        part[dataset.lengths[part] <= LONGEST]
        for part in (dataset.of("train"), dataset.of("valid"))
    )
    valid = np.random.default_rng(0).permutation(valid)[:VALIDATION_DRAWINGS]
    return train[dataset.recognized[train] != 0], valid


def shuffled_batches(
    dataset: Dataset, indices: NDArray[np.int64], size: int, seed: int, first_step: int = 0
) -> Iterator[tuple[NDArray[np.int64], np.random.Generator]]:
    """Yield drawings and where their chance comes from, for ever, from ``first_step`` on."""
    step = 0
    for epoch in itertools.count():
        order = epoch_order(dataset, indices, BALANCE, np.random.default_rng([seed, 0, epoch]))
        for begin in range(0, max(len(order) - size, 0) + 1, size):
            if step >= first_step:
                yield order[begin : begin + size], np.random.default_rng([seed, 1, step])
            step += 1


def training_batches(
    dataset: Dataset, indices: NDArray[np.int64], size: int, seed: int, first_step: int = 0
) -> Iterator[Beginnings]:
    """Yield batches for ever, beginning with the one of ``first_step``."""
    for chosen, rng in shuffled_batches(dataset, indices, size, seed, first_step):
        points, begins, owners = gather(dataset, chosen)
        points, begins = vary(points, begins, owners, rng)
        whole, shares = rng.random((2, len(chosen)))
        shares = np.where(whole < WHOLE, 1.0, shares**EARLY)
        yield cut(points, begins, owners, shares, dataset.labels[chosen])


class Recogniser(nn.Module):
    """The network; see ``vpype_sketchformer.model.recogniser``."""

    def __init__(self, classes: int) -> None:
        """Initialise; what it knows already comes from a file, see ``begin_with``."""
        super().__init__()
        self.classes, seen = classes, STAGES[-1]
        self.eyes = Eyes()
        for part in (self.eyes.stem, self.eyes.stages[:KEPT]):
            part.requires_grad_(False)
        self.way = nn.Linear(WAY, FOLLOWED)
        self.both = nn.Linear(FOLLOWED + seen, BOTH)
        self.more = nn.Linear(BOTH, seen)
        self.answer = nn.Linear(seen, classes)
        self.label = nn.Embedding(classes + 1, LABEL)
        self.size_hidden = nn.Linear(seen + LABEL, HIDDEN)
        self.size_out = nn.Linear(HIDDEN, 3)
        for silent in (self.more, self.size_out):
            nn.init.zeros_(silent.weight)
            nn.init.zeros_(silent.bias)

    def features(self, pictures: Tensor, ways: Tensor) -> Tensor:
        """What is known of beginnings, (n, channels); see ``Beginnings``."""
        seen = self.eyes.see(pictures).mean(dim=(2, 3)).float()
        with torch.autocast(pictures.device.type, enabled=False):
            followed = F.relu(self.way(ways.float()))
            both = F.relu(self.both(torch.cat([followed, seen], dim=1)))
            return seen + self.more(both)

    def name(self, features: Tensor) -> Tensor:
        """Return the logits of the classes, (n, classes)."""
        return self.answer(features)

    def sizes(self, features: Tensor, labels: Tensor) -> Tensor:
        """How the drawings will grow, (n, 3), see ``Beginnings``."""
        joint = torch.cat([features, self.label(labels)], dim=1)
        return self.size_out(F.relu(self.size_hidden(joint)))

    def losses(
        self, seen: Tensor, ways: Tensor, labels: Tensor, sizes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Nats of the class, and mean absolute error of the sizes."""
        features = self.features(seen, ways)
        with torch.autocast(seen.device.type, enabled=False):
            told = torch.where(torch.rand(len(labels)) < HIDE_LABEL, self.classes, labels)
            # What is far is not looked for: a dot may become anything.
            error = (self.sizes(features, told) - sizes).abs().mean()
            return F.cross_entropy(self.name(features), labels), error


def join(parts: Sequence[Beginnings]) -> Beginnings:
    """Put beginnings one after the other."""
    return Beginnings(
        *(np.concatenate(a) for a in zip(*(vars(p).values() for p in parts), strict=True))
    )


@torch.no_grad()
def look(model: Recogniser, made: Beginnings) -> tuple[NDArray[np.float32], ...]:
    """Return logits (n, classes) and sizes of unknown class and true class, (n, 3)."""
    with autocast(torch.device("cpu")):
        parts = (torch.split(torch.from_numpy(a), 512) for a in (made.seen, made.ways))
        features = torch.cat(list(map(model.features, *parts)))
    labels = torch.from_numpy(made.labels)
    unknown = torch.full_like(labels, model.classes)
    told = (model.sizes(features, names) for names in (unknown, labels))
    return tuple(said.numpy() for said in (model.name(features), *told))


def cut_all(dataset: Dataset, indices: NDArray[np.int64]) -> list[Beginnings]:
    """Cut drawings at each of ``CUTS``, as users hand them over."""
    points, begins, owners = gather(dataset, indices)
    labels = dataset.labels[indices]
    return [
        cut(points, begins, owners, np.full(len(indices), share), labels) for share in CUTS
    ]


def validate(model: Recogniser, held: Sequence[Beginnings]) -> dict[str, float]:
    """Score beginnings, those of each of ``CUTS``."""
    figures: dict[str, float] = {}
    nats = []
    for share, made in zip(CUTS, held, strict=True):
        logits, unknown, known = look(model, made)
        for top in (1, 5):
            figures[f"{share:.0%} top {top}"] = judges.accuracy(logits, made.labels, top)
        logs = log_softmax(logits, axis=1)[np.arange(len(logits)), made.labels]
        nats.append(-float(logs.mean()))
        for name, said in (("size", unknown), ("size told", known)):
            error = np.abs(np.maximum(said[:, 0], 0) - made.sizes[:, 0])
            figures[f"{share:.0%} {name}"] = float(np.exp(np.median(error)))
    return figures | {"valid": float(np.mean(nats))}


def build_optimizers(model: Recogniser) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for what is inside, AdamW for what is told and what answers."""
    eyes: list[nn.Parameter] = []
    inside: list[nn.Parameter] = []
    outside: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2 or name.startswith(OUTSIDE):
            outside.append(parameter)
        else:
            (eyes if name.startswith("eyes.") else inside).append(parameter)
    return [
        Muon(eyes, EYES_RATE, WEIGHT_DECAY),
        Muon(inside, MUON_RATE, WEIGHT_DECAY),
        torch.optim.AdamW(outside, LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    ]


def fit(
    dataset: Dataset,
    begin: Path,
    out: Path,
    steps: int,
    size: int,
    seed: int,
) -> None:
    """Train, from where the run in ``out`` stopped, or anew."""
    device = torch.device("cpu")
    torch.manual_seed(seed)
    indices, valid = choose(dataset)
    model = Recogniser(len(dataset.classes))
    begin_with(model, begin, dataset)
    optimizers = build_optimizers(model)
    settings = {"steps": steps, "size": size, "seed": seed, "data": dataset.digest}
    run = RunFolder(out, {**settings, "from": str(begin)})
    first = run.restore(model, optimizers)
    run.cut_log(first)
    parameters = sum(p.numel() for p in model.parameters())
    click.echo(f"{len(indices):,} drawings, {parameters / 1e6:.2f} M parameters, step {first}")
    held = cut_all(dataset, valid)
    batches = training_batches(dataset, indices, size, seed, first)
    bar = tqdm(total=steps, initial=first, unit="step", mininterval=10)
    began = time.monotonic()
    with stop_when_asked() as stop:
        for step, batch in zip(range(first, steps), batches, strict=False):
            with autocast(device):
                nats, error = model.losses(
                    *(torch.from_numpy(a) for a in vars(batch).values())
                )
            torch.autograd.backward(nats + SIZES * error)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            share = min(1.0, (step + 1) / WARMUP, (steps - step) / (0.8 * steps))
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = share * optimizer.defaults["lr"]
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            run.recent.append(nats.item())
            if not math.isfinite(run.recent[-1]):
                raise Refusal(f"the loss is not a number at step {step}.")
            bar.update()
            done = step + 1
            if done % 200 == 0 or done == steps:
                figures = validate(model, held)
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
    finish(model, dataset, join(held), out, steps)


def begin_with(model: Recogniser, path: Path, dataset: Dataset) -> None:
    """Take what a raster judge or a recogniser, an earlier one too, knows already.

    Raises:
        Refusal: The file is neither, or knows other classes.
    """
    try:
        with open_tensors(path, "pt") as file:
            header = file.metadata() or {}
            known = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{path}: cannot be read ({error}).") from error
    if not header.get("format", "").startswith("sketchformer-recogniser"):
        judge = judges.load(path, dataset)
        if not isinstance(judge, RasterJudge):
            raise Refusal(f"{path}: a judge of another kind; a raster judge is needed.")
        known = {f"answer.{name}": t for name, t in judge.answer.named_parameters()}
        known |= _folded("stem", judge.stem, judge.stem_norm)
        for i, stage in enumerate(judge.stages):
            assert isinstance(stage, Residual)
            known |= _folded(f"stages.{i}.first", stage.first, stage.first_norm)
            known |= _folded(f"stages.{i}.second", stage.second, stage.second_norm)
            known[f"stages.{i}.short.weight"] = stage.short.weight.flatten(1)
    elif json.loads(header["classes"]) != list(dataset.classes):
        raise Refusal(f"{path}: a recogniser of other classes.")
    known = {
        _inside(name): tensor.float() for name, tensor in known.items() if name != "prior"
    }
    try:
        model.load_state_dict(known, strict=False)
    except RuntimeError as error:
        raise Refusal(f"{path}: its weights do not fit.") from error


def _inside(name: str) -> str:
    """Return what a tensor of a recogniser's file is called in training."""
    return f"eyes.{name}" if name.startswith(("stem.", "stages.")) else name


def to_recogniser(
    model: Recogniser, dataset: Dataset, valid: Beginnings, metadata: dict[str, Any]
) -> runtime.Recogniser:
    """Take the weights out of torch, and calibrate them (Guo et al. 2017)."""
    arrays = {
        name.removeprefix("eyes."): t.detach().float().numpy()
        for name, t in model.named_parameters()
    }
    # From how often classes came in training to how often they are expected.
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes)).clip(1)
    shift = (PRIOR - BALANCE) * np.log(counts)
    logits = look(model, valid)[0] + shift
    weights = (counts ** (PRIOR - 1.0))[valid.labels]
    temperature = fit_temperature(logits, valid.labels, weights)
    arrays["answer.weight"] = arrays["answer.weight"] / np.float32(temperature)
    arrays["answer.bias"] = ((arrays["answer.bias"] + shift) / temperature).astype(np.float32)
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
    labels = dataset.labels[indices]
    table, shares = {}, []
    for share, made in zip(CUTS, cut_all(dataset, indices), strict=True):
        seen = recogniser.see(made.seen, made.ways)
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
    model: Recogniser, dataset: Dataset, held: Beginnings, out: Path, steps: int
) -> None:
    """Write the file that ships, its figures on test drawings, and the picture."""
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
    help="A raster judge or a recogniser to begin with.",
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
    fit(dataset, begin, out, steps, size, seed=7)


if __name__ == "__main__":
    main()
