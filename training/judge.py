r"""Judges: networks that tell what a drawing shows, trained on real drawings only.

Two of them, since a generator can fool one: the raster judge sees the picture, as people do;
the sequence judge follows the pen. Both are small enough for a CPU and lie in
``training/judges``, so that everybody measures with the same ones.

A judge learns in rounds, at the end of each of which the learning rate is zero, until another
round makes it better by less than half a point of a hundred on validation drawings: then it
has stopped getting better. Stopped with Ctrl-C, the same command goes on from there. How often
it is right on validation drawings after each round, and on all test drawings in the end, is
part of its file.

Examples:
    The judges that evaluation uses, hours of one core each:

        python -m training.judge raster data/quickdraw.safetensors
        python -m training.judge sequence data/quickdraw.safetensors

    Further rounds for one that was stopped before:

        python -m training.judge sequence data/quickdraw.safetensors \
            --from training/judges/sequence.safetensors
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors import SafetensorError
from safetensors.torch import save as serialize
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from training import FiniteRange, Refusal, help_from
from training.data import dataset as datasets
from training.data.batches import PLAIN, Augmentation, cut_batches, epoch_order, make_batch
from training.data.dataset import SPLITS, Dataset, DatasetError
from training.model import Batch, Block, norm, rotations
from training.muon import Muon
from training.precision import autocast
from vpype_sketchformer.files import replacing, write_whole
from vpype_sketchformer.model.checkpoint import open_tensors
from vpype_sketchformer.model.features import FEATURES
from vpype_sketchformer.model.transformer import ModelConfig
from vpype_sketchformer.sketch import DRAW

JUDGES = Path(__file__).parent / "judges"

#: Pictures are this wide and high; the drawing's longer side takes all but the margin, and is
#: centred. Lines are drawn four times as large and averaged, which leaves them 1.25 wide.
SIZE, MARGIN, OVERSAMPLING, LINE = 40, 3, 4, 5
#: Augmentation of pictures: moved by up to this many pixels each way.
SHIFT = 2
#: Drawings in a batch of the raster judge, points in one of the sequence judge.
DRAWINGS, POINTS = 128, 4096
LONGEST = 256
#: Classes come in proportion to n ** BALANCE.
BALANCE = 0.5
#: Where what Muon learns is, matrices and kernels; AdamW learns the rest.
INSIDE = ("blocks.", "stages.")
#: The highest rates of both.
MUON_RATE, LEARNING_RATE, WEIGHT_DECAY = 0.04, 1e-2, 0.05
#: Share of them in a round that begins with a judge, which higher ones would make forget.
FURTHER = 0.5
#: A round that makes a judge right this much more often is followed by another.
GAIN = 0.005
#: Steps after which a round is written down, to go on from.
KEEP = 100


def draw(points: NDArray[np.uint8], pen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a drawing in white on black, uint8 (SIZE, SIZE)."""
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    scale = (SIZE - 2 * MARGIN) * OVERSAMPLING / max(1.0, (high - low).max())
    places = (points - (low + high) / 2) * scale + SIZE * OVERSAMPLING / 2
    picture = Image.new("L", (SIZE * OVERSAMPLING, SIZE * OVERSAMPLING))
    canvas = ImageDraw.Draw(picture)
    for stroke in np.split(places, np.flatnonzero(pen[:-1] != DRAW) + 1):
        # A stroke of one point is a dot: a line as long as it is wide.
        line = stroke if len(stroke) > 1 else stroke + np.array([[0, 0], [LINE, 0]])
        canvas.line([(x, y) for x, y in line], fill=255, width=LINE, joint="curve")
    return np.asarray(picture.reduce(OVERSAMPLING))


def pictures(dataset: Dataset, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draw drawings, uint8 (n, SIZE, SIZE)."""
    result = np.empty((len(indices), SIZE, SIZE), np.uint8)
    for row, index in enumerate(tqdm(indices, desc="pictures", disable=None, leave=False)):
        drawing = dataset.drawing(int(index))
        result[row] = draw(drawing.points, drawing.pen)
    return result


class Residual(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016); the first may halve the size."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        stride = 1 if inner == outer else 2
        self.first = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.first_norm, self.second_norm = nn.BatchNorm2d(outer), nn.BatchNorm2d(outer)
        self.short = nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run on (n, inner, height, width)."""
        inside = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(inside)) + self.short(x))


class RasterJudge(nn.Module):
    """A small residual network on pictures."""

    kind = "raster"

    def __init__(self, classes: int) -> None:
        """Initialise."""
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(32)
        self.stages = nn.Sequential(
            Residual(32, 32), Residual(32, 64), Residual(64, 128), Residual(128, 256)
        )
        self.answer = nn.Linear(256, classes)

    def features(self, pictures: Tensor) -> Tensor:
        """What the network sees in pictures (n, SIZE, SIZE) of 0 to 255: (n, 256)."""
        x = pictures[:, None].to(memory_format=torch.channels_last).float() / 255.0
        x = F.relu(self.stem_norm(self.stem(x)))
        return self.stages(x).mean(dim=(2, 3)).float()

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits of the classes, (n, classes)."""
        return self.answer(self.features(pictures))


class SequenceJudge(nn.Module):
    """A small transformer on points; what its positions know is averaged."""

    kind = "sequence"
    shape = ModelConfig(width=128, heads=4, layers=3, hidden=512)

    def __init__(self, classes: int) -> None:
        """Initialise."""
        super().__init__()
        self.point = nn.Linear(FEATURES, self.shape.width, bias=False)
        self.pen = nn.Embedding(3, self.shape.width)
        self.blocks = nn.ModuleList(
            Block(self.shape, dropout=0.0) for _ in range(self.shape.layers)
        )
        self.answer = nn.Linear(self.shape.width, classes)

    def features(self, batch: Batch) -> Tensor:
        """What the network knows of drawings: (n, width)."""
        x = self.point(batch.features) + self.pen(batch.pens)
        cos, sin = rotations(self.shape, x)
        for block in self.blocks:
            x = block(x, cos, sin)
        real = batch.real[..., None]
        return (norm(x.float()) * real).sum(dim=1) / real.sum(dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of the classes, (n, classes)."""
        return self.answer(self.features(batch))


Judge = RasterJudge | SequenceJudge
#: How far a round has come.
State = list[dict[str, Any]]
KINDS: dict[str, type[RasterJudge] | type[SequenceJudge]] = {
    judge.kind: judge for judge in (RasterJudge, SequenceJudge)
}


def inputs(
    judge: Judge, dataset: Dataset, indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], Tensor | Batch]]:
    """Yield what a judge looks at, in batches, with the rows of ``indices`` they are."""
    if isinstance(judge, RasterJudge):
        seen = torch.from_numpy(pictures(dataset, indices))
        for rows in np.array_split(np.arange(len(indices)), -(-len(indices) // 512)):
            yield rows, seen[rows]
        return
    order = np.argsort(dataset.lengths[indices], kind="stable")
    rng = np.random.default_rng(0)
    for rows in cut_batches(dataset.lengths[indices], order, 4 * POINTS, rng):
        yield rows, make_batch(dataset, indices[rows], PLAIN, rng)


@torch.no_grad()
def look(
    judge: Judge, dataset: Dataset, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Let a judge look at drawings; returns features (n, width) and logits (n, classes)."""
    judge.eval()
    features = np.empty((len(indices), judge.answer.in_features), np.float32)
    logits = np.empty((len(indices), judge.answer.out_features), np.float32)
    for rows, batch in inputs(judge, dataset, indices):
        seen = judge.features(batch)  # type: ignore[arg-type]
        features[rows], logits[rows] = seen.numpy(), judge.answer(seen).numpy()
    return features, logits


def named(
    logits: NDArray[np.floating], labels: NDArray[np.int64], top: int
) -> NDArray[np.bool_]:
    """Tell which drawings have their class among the ``top`` answers; see ``accuracy``."""
    true = np.take_along_axis(logits, labels[:, None], axis=1)
    return (logits > true).sum(axis=1) < top


def accuracy(logits: NDArray[np.floating], labels: NDArray[np.int64], top: int) -> float:
    """Share of drawings whose class is among the ``top`` answers, mean of the classes' means.

    Args:
        logits: Answers, (n, classes).
        labels: Classes, (n,).
        top: How many answers count.
    """
    right = named(logits, labels, top)
    counts = np.bincount(labels)
    hits = np.bincount(labels, weights=right)
    return float((hits[counts > 0] / counts[counts > 0]).mean())


def _training_inputs(
    judge: Judge, dataset: Dataset, indices: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], Tensor | Batch]]:
    """Yield one pass of what a judge learns from, with the drawings' labels, for ever."""
    if isinstance(judge, SequenceJudge):
        augmentation = Augmentation(stretch=0.2)
        while True:
            order = epoch_order(dataset, indices, BALANCE, rng)
            for chosen in cut_batches(dataset.lengths, order, POINTS, rng):
                yield dataset.labels[chosen], make_batch(dataset, chosen, augmentation, rng)
    seen = pictures(dataset, indices)
    row_of = np.empty(len(dataset), np.int64)
    row_of[indices] = np.arange(len(indices))
    while True:
        order = epoch_order(dataset, indices, BALANCE, rng)
        size = min(DRAWINGS, len(order))
        for begin in range(0, len(order) - size + 1, size):
            chosen = order[begin : begin + size]
            shift = tuple(rng.integers(-SHIFT, SHIFT + 1, 2))
            moved = np.roll(seen[row_of[chosen]], shift, axis=(1, 2))
            if rng.random() < 0.5:
                moved = moved[:, :, ::-1]
            yield dataset.labels[chosen], torch.from_numpy(np.ascontiguousarray(moved))


def fit(
    judge: Judge,
    dataset: Dataset,
    indices: NDArray[np.int64],
    passes: float,
    *,
    share: float = 1.0,
    kept: State | None = None,
    keep: Callable[[State], None] | None = None,
) -> None:
    """Train a judge: Muon and AdamW, one cycle of the rates (Smith & Topin 2017).

    Args:
        judge: The judge, trained in place.
        dataset: The drawings.
        indices: Those to learn from, (n,).
        passes: Passes over them.
        share: Share of the highest rates that the cycle goes up to.
        kept: What ``keep`` was given when training stopped: it goes on from there, with other
            drawings than it would have seen.
        keep: Takes how far training has come, every ``KEEP`` steps: the states of the judge,
            the optimisers and their schedules.
    """
    size = DRAWINGS
    if isinstance(judge, SequenceJudge):
        size = int(0.95 * POINTS / dataset.lengths[indices].mean())
    steps = max(1, int(passes * len(indices) / size))
    optimizers, schedules = _cycle(judge, steps, share)
    parts: tuple[Any, ...] = (judge, *optimizers, *schedules)
    for part, state in zip(parts, kept or [], strict=bool(kept)):
        part.load_state_dict(state)
    first = schedules[0].last_epoch
    rng = np.random.default_rng([1, first])
    judge.train()
    bar = tqdm(range(first, steps), initial=first, total=steps, unit="step", mininterval=5)
    batches = _training_inputs(judge, dataset, indices, rng)
    for step, (labels, batch) in zip(bar, batches, strict=False):
        with autocast(torch.device("cpu")):
            logits = judge(batch)
        loss = F.cross_entropy(logits.float(), torch.from_numpy(labels), label_smoothing=0.05)
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        for schedule in schedules:
            schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
        if keep and (step + 1) % KEEP == 0:
            keep([part.state_dict() for part in parts])


def _cycle(
    judge: Judge, steps: int, share: float
) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.OneCycleLR]]:
    """Make the optimisers of a round, and the schedules of their rates."""
    inside: list[nn.Parameter] = []
    outside: list[nn.Parameter] = []
    for name, parameter in judge.named_parameters():
        chosen = name.startswith(INSIDE) and parameter.ndim > 1
        (inside if chosen else outside).append(parameter)
    optimizers = [
        Muon(inside, share * MUON_RATE, WEIGHT_DECAY),
        torch.optim.AdamW(outside, share * LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    ]
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            optimizer.defaults["lr"],
            total_steps=steps,
            pct_start=0.15,
            anneal_strategy="linear",
            cycle_momentum=False,
        )
        for optimizer in optimizers
    ]
    return optimizers, schedules


def save(judge: Judge, dataset: Dataset, scores: dict[str, Any], path: Path) -> None:
    """Write a judge as float16, whole or not at all."""
    tensors = {
        name: t.half() if t.is_floating_point() else t
        for name, t in judge.state_dict().items()
    }
    metadata = {
        "kind": judge.kind,
        "classes": json.dumps(dataset.classes),
        "sources": json.dumps(dataset.sources),
        "scores": json.dumps(scores),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, serialize(tensors, metadata))


def load(path: Path, dataset: Dataset) -> Judge:
    """Read a judge of the classes of a dataset.

    Raises:
        Refusal: The file is missing, cut, no judge, or a judge of other classes.
    """
    try:
        with open_tensors(path, "pt") as file:
            metadata = file.metadata() or {}
            judge = KINDS[metadata["kind"]](len(dataset.classes))
            known = tuple(json.loads(metadata["classes"]))
            if known == dataset.classes:
                expected = judge.state_dict()
                shapes = {n: file.get_slice(n).get_shape() for n in expected}
                if any(shapes[name] != list(t.shape) for name, t in expected.items()):
                    raise ValueError("its weights do not fit")
                tensors = {name: file.get_tensor(name) for name in expected}
                if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
                    raise ValueError("its weights are not numbers")
                judge.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise Refusal(f"{path}: cannot be read as a judge ({error}).") from error
    if known != dataset.classes:
        raise Refusal(
            f"{path}: a judge of other classes; train judges of these with training.judge, "
            "and name their folder with --judges."
        )
    return judge.eval()


@click.command(help=help_from(__doc__))
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (default: in training/judges).",
)
@click.option(
    "--from",
    "begin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Judge to begin with (default: nothing).",
)
@click.option(
    "--passes",
    type=FiniteRange(0, min_open=True),
    default=4.0,
    show_default=True,
    help="Passes over the drawings in a round.",
)
def main(kind: str, data: Path, out: Path | None, begin: Path | None, passes: float) -> None:
    """Train a judge."""
    try:
        dataset = datasets.load(data)
    except DatasetError as error:
        raise Refusal(str(error)) from error
    path = out or JUDGES / f"{kind}.safetensors"
    chosen, valid, test = (
        part[dataset.lengths[part] <= LONGEST] for part in map(dataset.of, SPLITS)
    )
    chosen = chosen[dataset.recognized[chosen] != 0]
    torch.manual_seed(1)
    judge = load(begin, dataset) if begin else KINDS[kind](len(dataset.classes))
    if judge.kind != kind:
        raise Refusal(f"{begin}: a {judge.kind} judge, no {kind} judge.")
    state = path.with_suffix(".state.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [kind, passes, str(begin), dataset.digest]

    def right(part: NDArray[np.int64]) -> dict[str, float]:
        _, logits = look(judge, dataset, part)
        return {f"top {k}": accuracy(logits, dataset.labels[part], k) for k in (1, 5)}

    def keep(round_: State) -> None:
        with replacing(state) as file:
            torch.save({"told": told, "curve": curve, "round": round_}, file)

    kept = _read_state(state, told) if state.exists() else None
    curve = kept["curve"] if kept else [right(valid)["top 1"] if begin else 0.0]
    while True:
        share = FURTHER if curve[-1] else 1.0
        begun = kept["round"] if kept else None
        fit(judge, dataset, chosen, passes, share=share, kept=begun, keep=keep)
        kept = None
        curve.append(right(valid)["top 1"])
        click.echo(
            f"{curve[-1]:.1%} of {len(valid):,} validation drawings right after a round of "
            f"{passes:g} passes ({curve[-2]:.1%} before)"
        )
        if curve[-1] > curve[-2]:
            scores = right(test)
            learnt = {"passes": passes, "curve": curve}
            save(judge, dataset, {"drawings": len(test), **scores, **learnt}, path)
            click.echo(
                f"{path}: of {len(test):,} test drawings, {scores['top 1']:.1%} right, "
                f"{scores['top 5']:.1%} among the first five (mean of the classes)"
            )
        if curve[-1] < curve[-2] + GAIN:
            break
    state.unlink(missing_ok=True)


def _read_state(path: Path, told: list[Any]) -> dict[str, Any]:
    """Read how far a training has come.

    Raises:
        Refusal: The file is damaged, or of a training that was told something else.
    """
    try:
        kept: dict[str, Any] = torch.load(path, weights_only=True)
        same = kept["told"] == told
    except Exception as error:  # a damaged file makes torch raise whatever it likes
        raise Refusal(f"{path}: cannot be read as the state of a training.") from error
    if not same:
        raise Refusal(f"{path}: of another training; remove it to begin anew.")
    return kept


if __name__ == "__main__":
    main()
