r"""The encoder: from a drawing to a code that tells its layout.

A variational autoencoder on pictures (Kingma & Welling 2014): a code has to tell what is
where, as a blurred picture, and what a recogniser sees, and costs what it tells beside the
class. It is trained before the model that listens to it, and stays as it is at first: codes
that were learnt together with a model that draws well already were hardly listened to
(training/LOG.md). Once the model listens, the encoder goes on learning beside it (the setting
``code_price``), and codes tell what a drawing needs instead of its picture.

Examples:
    The encoder of the model that ships, then a model that listens to it:

        python -m training.encoder data/quickdraw.safetensors --out runs/encoder
        python -m training.train training/configs/coded.toml data/quickdraw.safetensors \
            --from runs/deep/model.safetensors --encoder runs/encoder/encoder.safetensors \
            --out runs/coded
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save as serialize
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from training import Refusal, help_from
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError
from training.loop import stop_when_asked
from training.model import Encoder, Eyes, Prior
from training.precision import autocast
from training.recogniser import choose, gather, shuffled_batches, vary
from training.run_folder import RunFolder
from vpype_sketchformer.files import write_whole
from vpype_sketchformer.model.checkpoint import encoder_shapes, open_tensors
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sight import SIZE, STAGES, draw, sight_shapes

FORMAT = "sketchformer-encoder-1"
LEARNING_RATE, WEIGHT_DECAY, WARMUP = 1.5e-3, 0.02, 100
#: Share of drawings whose class is hidden: the last row of the prior learns of them.
HIDE_LABEL = 0.15
#: Pictures are told half as large, blurred by so many of their own pixels.
SMALL, BLUR = SIZE // 2, 0.8
#: What a wrong pixel and a wrong feature cost, in nats for a square.
PIXELS, FEATURES = 6.0, 0.25


class Autoencoder(nn.Module):
    """The encoder, the prior, and what has to be told from a code."""

    def __init__(self, classes: int, code: int) -> None:
        """Begin with the eyes of the recogniser that ships."""
        super().__init__()
        self.encoder, self.prior = Encoder(code), Prior(classes, code)
        known = bundled().tensors
        eyes = {name: torch.from_numpy(known[name].copy()) for name in sight_shapes()}
        self.encoder.load_state_dict(eyes, strict=False)
        self.teacher = Eyes().requires_grad_(False)
        self.teacher.load_state_dict(eyes)
        self.unfold = nn.Linear(code, 96 * 25)
        self.larger = nn.ConvTranspose2d(96, 48, 4, 2, 1)
        self.largest = nn.ConvTranspose2d(48, 24, 4, 2, 1)
        self.picture = nn.Conv2d(24, 1, 3, 1, 1)
        self.sight = nn.Sequential(nn.Linear(code, 512), nn.ReLU(), nn.Linear(512, STAGES[-1]))

    def tell(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Tell pictures (n, SMALL, SMALL) and features (n, channels) from codes."""
        x = F.relu(self.unfold(codes)).view(-1, 96, 5, 5)
        x = self.picture(F.relu(self.largest(F.relu(self.larger(x)))))
        return x[:, 0], self.sight(codes)

    def losses(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What pictures (n, SIZE, SIZE) of classes (n,) cost: pixels, features, code; nats."""
        codes = self.encoder(pictures)
        log_spread = self.encoder.log_spread
        nats = self.prior.divergence(codes, log_spread, labels).mean()
        if self.training:
            codes = codes + torch.randn_like(codes) * log_spread.exp()
        with torch.no_grad():
            seen = self.teacher.see(pictures).mean(dim=(2, 3)).float()
        said, felt = self.tell(codes)
        wrong = (said.float() - blurred(pictures)).square().sum(dim=(1, 2)).mean()
        unlike = (felt.float() - seen).square().sum(dim=1).mean()
        return PIXELS * wrong, FEATURES * unlike, nats


def blurred(pictures: Tensor) -> Tensor:
    """Make pictures (n, SIZE, SIZE) half as large, and blur them."""
    small = F.avg_pool2d(pictures[:, None], 2)
    place = torch.arange(-2, 3) / BLUR
    kernel = torch.exp(-0.5 * place.square())
    kernel = kernel / kernel.sum()
    small = F.conv2d(small, kernel.view(1, 1, 1, -1), padding=(0, 2))
    return 3.0 * F.conv2d(small, kernel.view(1, 1, -1, 1), padding=(2, 0))[:, 0]


def training_batches(
    dataset: Dataset, indices: NDArray[np.int64], size: int, seed: int, first_step: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pictures and labels for ever, beginning with the batch of ``first_step``."""
    for chosen, rng in shuffled_batches(dataset, indices, size, seed, first_step):
        points, begins, owners = gather(dataset, chosen)
        points, begins = vary(points, begins, owners, rng)
        labels = dataset.labels[chosen].copy()
        labels[rng.random(len(chosen)) < HIDE_LABEL] = len(dataset.classes)
        yield torch.from_numpy(draw(points, begins, owners)), torch.from_numpy(labels)


@torch.no_grad()
def validate(
    model: Autoencoder, dataset: Dataset, indices: NDArray[np.int64]
) -> dict[str, float]:
    """Score whole drawings, as they are."""
    model.eval()
    parts = np.array_split(indices, -(-len(indices) // 256))
    sums = np.zeros(3)
    for part in parts:
        pictures = torch.from_numpy(draw(*gather(dataset, part)))
        with autocast(torch.device("cpu")):
            losses = model.losses(pictures, torch.from_numpy(dataset.labels[part]))
        sums += [float(loss) for loss in losses]
    model.train()
    pixels, features, nats = (sums / len(parts)).tolist()
    return {
        "pixels": pixels,
        "features": features,
        "nats": nats,
        "valid": pixels + features + nats,
    }


def fit(
    dataset: Dataset, out: Path, code: int, steps: int, size: int, weight: float, seed: int
) -> None:
    """Train, from where the run in ``out`` stopped, or anew."""
    torch.manual_seed(seed)
    indices, valid = choose(dataset)
    model = Autoencoder(len(dataset.classes), code).train()
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(learning, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    ]
    told = {"code": code, "steps": steps, "size": size, "seed": seed, "weight": weight}
    run = RunFolder(out, {**told, "data": dataset.digest})
    first = run.restore(model, optimizers)
    run.cut_log(first)
    bar = tqdm(total=steps, initial=first, unit="step", mininterval=10)
    batches = training_batches(dataset, indices, size, seed, first)
    with stop_when_asked() as stop:
        for step, (pictures, labels) in zip(range(first, steps), batches, strict=False):
            torch.manual_seed(seed + step)
            with autocast(torch.device("cpu")):
                pixels, features, nats = model.losses(pictures, labels)
            # What a code costs comes slowly, so that it has something to tell before.
            cost = weight * min(1.0, (step + 1) / (0.3 * steps))
            torch.autograd.backward(pixels + features + cost * nats)
            nn.utils.clip_grad_norm_(learning, 50.0)
            rate = LEARNING_RATE * min(
                1.0, (step + 1) / WARMUP, (steps - step) / (0.7 * steps)
            )
            for group in optimizers[0].param_groups:
                group["lr"] = rate
            optimizers[0].step()
            optimizers[0].zero_grad(set_to_none=True)
            run.recent.append((pixels + features + nats).item())
            if not math.isfinite(run.recent[-1]):
                raise Refusal(f"the loss is not a number at step {step}.")
            bar.update()
            done = step + 1
            if done % 200 == 0 or done == steps:
                figures = validate(model, dataset, valid)
                run.log({"step": done, "train": float(np.mean(run.recent)), **figures})
                run.recent.clear()
                told_figures = ", ".join(f"{k} {v:.2f}" for k, v in figures.items())
                bar.write(f"step {done}: {told_figures}")
            if done % 100 == 0 or done == steps or stop.is_set():
                run.keep(done, model, optimizers)
            if stop.is_set():
                return
    save(model, dataset, out / "encoder.safetensors")


def tensors_of(model: Autoencoder) -> dict[str, NDArray[np.float32]]:
    """Take what a model needs out of torch, as ``encoder_shapes`` names it."""
    code, classes = len(model.encoder.log_spread), len(model.prior.mean) - 1
    kept = encoder_shapes(code, classes)
    return {
        name: np.ascontiguousarray(t.detach().float().numpy())
        for name, t in model.state_dict().items()
        if name in kept
    }


def save(model: Autoencoder, dataset: Dataset, path: Path) -> None:
    """Write what a model needs of it, whole or not at all."""
    header = {
        "format": FORMAT,
        "classes": json.dumps(dataset.classes),
        "code": json.dumps(len(model.encoder.log_spread)),
    }
    write_whole(path, serialize(tensors_of(model), header))


def load(path: Path, classes: tuple[str, ...]) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of an encoder of these classes, as ``encoder_shapes`` names them.

    Raises:
        Refusal: The file is missing, cut, no encoder, or one of other classes.
    """
    try:
        with open_tensors(path) as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise ValueError("another kind of file")
            known, code = json.loads(header["classes"]), json.loads(header["code"])
            if tuple(known) != classes:
                raise ValueError("it knows other classes than the model")
            shapes = encoder_shapes(code, len(classes))
            tensors = {name: file.get_tensor(name) for name in shapes}
        if any(tensors[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("its weights do not fit")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path}: cannot be read as an encoder ({error}).") from error
    return tensors


@click.command(help=help_from(__doc__))
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--code",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="Numbers in a code.",
)
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--size", type=click.IntRange(1), default=192, show_default=True)
@click.option(
    "--weight",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="What a nat costs that a code tells beside the class.",
)
def main(data: Path, out: Path, code: int, steps: int, size: int, weight: float) -> None:
    """Train an encoder."""
    try:
        dataset = datasets.load(data)
    except DatasetError as error:
        raise Refusal(str(error)) from error
    fit(dataset, out, code, steps, size, weight, seed=1)


if __name__ == "__main__":
    main()
