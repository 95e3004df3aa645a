"""The network: two forward passes that are one model, its density, its head."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributions, nn

from training.data import dataset as datasets
from training.data.batches import Augmentation, make_batch
from training.data.readers import read_ndjson
from training.export import from_checkpoint
from training.model import (
    Batch,
    Sketchformer,
    init_mixture,
    mixture_log_density,
)
from training.muon import Muon, orthogonalise
from vpype_sketchformer.model.checkpoint import Checkpoint, load
from vpype_sketchformer.model.mixture import SIGMA_FLOOR, Mixture
from vpype_sketchformer.model.transformer import Conditions, KVCache, Transformer

TINY = Path(__file__).parents[1] / "data" / "tiny.safetensors"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load(TINY)


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> Sketchformer:
    return from_checkpoint(checkpoint)


@pytest.fixture(scope="module")
def batch(
    quickdraw: Path, tmp_path_factory: pytest.TempPathFactory, checkpoint: Checkpoint
) -> Batch:
    """A few real drawings of very different lengths, labelled as the tiny model knows them."""
    drawings = [
        d
        for name in ("cat", "sun")
        for d in list(read_ndjson(quickdraw / f"{name}.ndjson"))[:5]
    ]
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    dataset = datasets.save(drawings, path)
    dataset = dataclasses.replace(dataset, quality=np.arange(len(dataset), dtype=np.uint8) % 6)
    told = Augmentation(tell_quality=1.0)
    return make_batch(dataset, np.arange(len(dataset)), told, np.random.default_rng(0))


def numpy_stream(network: Transformer, batch: Batch, chunk: int | None = None) -> np.ndarray:
    """Run the NumPy network over a batch, ``chunk`` positions at a time."""
    told = (batch.labels.numpy(), batch.strokes.numpy(), batch.quality.numpy())
    conditions = Conditions(*told)
    start = network.embed_start(conditions)[:, None]
    points = network.embed_points(
        conditions, batch.features.numpy()[:, :-1], batch.pens.numpy()[:, :-1]
    )
    x = np.concatenate([start, points], axis=1)
    cache = KVCache(network.config, len(x))
    chunk = chunk or x.shape[1]
    parts = [network.forward(x[:, i : i + chunk], cache) for i in range(0, x.shape[1], chunk)]
    return np.concatenate(parts, axis=1)


def test_numpy_and_torch_are_one_model(
    checkpoint: Checkpoint, model: Sketchformer, batch: Batch
) -> None:
    network = Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)
    stream = numpy_stream(network, batch)
    with torch.no_grad():
        torch_stream = model.stream(batch)
        offset, pen = model.losses(batch)
    real = batch.real.numpy()
    np.testing.assert_allclose(stream[real], torch_stream.numpy()[real], atol=1e-4)

    flat = stream.reshape(-1, checkpoint.config.width)
    targets = batch.offsets.numpy().reshape(-1, 1, 2) / checkpoint.scale
    density = network.mixture(flat).log_density(targets)[:, 0].reshape(real.shape)
    nll = 2 * math.log(checkpoint.scale) - density
    np.testing.assert_allclose(nll[real], offset.numpy()[real], rtol=1e-4, atol=1e-4)

    features = batch.features.numpy().reshape(len(flat), -1)
    logits = torch.from_numpy(network.pen_logits(flat, features)).reshape(*real.shape, 3)
    logs = logits.log_softmax(-1).gather(-1, batch.pens[..., None])[..., 0].numpy()
    np.testing.assert_allclose(-logs[real], pen.numpy()[real], atol=1e-4)


@pytest.mark.parametrize("chunk", [1, 7])
def test_cache_changes_nothing(checkpoint: Checkpoint, batch: Batch, chunk: int) -> None:
    network = Transformer(checkpoint.config, checkpoint.tensors, checkpoint.scale)
    whole, pieces = numpy_stream(network, batch), numpy_stream(network, batch, chunk)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


def test_padding_and_neighbours_change_nothing(model: Sketchformer, batch: Batch) -> None:
    with torch.no_grad():
        offset, pen = model.losses(batch)
        for row in range(len(batch.labels)):
            n = int(batch.real[row].sum())
            alone = Batch(
                *(
                    t[row : row + 1, :n]
                    if t.shape[1:2] == batch.real.shape[1:]
                    else t[row : row + 1]
                    for t in vars(batch).values()
                )
            )
            alone_offset, alone_pen = model.losses(alone)
            torch.testing.assert_close(offset[row, :n], alone_offset[0], rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(pen[row, :n], alone_pen[0], rtol=1e-4, atol=1e-4)
        assert not offset[~batch.real].any()
        assert not pen[~batch.real].any()


def oracle(output: torch.Tensor, log_floor: float) -> distributions.Distribution:
    """The same mixture, of torch.distributions' own parts."""
    logits, mean_x, mean_y, raw_x, raw_y, shear = output.chunk(6, dim=-1)
    factor = torch.zeros(*logits.shape, 2, 2, dtype=output.dtype)
    factor[..., 0, 0] = (log_floor + nn.functional.softplus(raw_x - log_floor)).exp()
    factor[..., 1, 1] = (log_floor + nn.functional.softplus(raw_y - log_floor)).exp()
    factor[..., 1, 0] = shear
    means = torch.stack([mean_x, mean_y], dim=-1)
    return distributions.MixtureSameFamily(
        distributions.Categorical(logits=logits),
        distributions.MultivariateNormal(means, scale_tril=factor),
    )


@pytest.fixture
def output() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 6 * 4, generator=generator, dtype=torch.float64)


def test_density_equals_torch_distributions(output: torch.Tensor) -> None:
    log_floor = math.log(SIGMA_FLOOR / 53.0)
    targets = torch.randn(
        5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4)
    )
    expected = oracle(output, log_floor).log_prob(targets)
    torch.testing.assert_close(mixture_log_density(output, targets, log_floor), expected)
    mixture = Mixture.from_output(output.numpy(), log_floor)
    ours = mixture.log_density(targets.numpy()[:, None])[:, 0]
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-5)


def test_density_integrates_to_one(output: torch.Tensor) -> None:
    axis = np.linspace(-40, 40, 2001)
    step = axis[1] - axis[0]
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(1, -1, 2)
    for row in range(2):
        mixture = Mixture.from_output(output[row : row + 1].numpy(), math.log(0.1))
        total = np.exp(mixture.log_density(grid)).sum() * step * step
        assert total == pytest.approx(1.0, abs=0.01)


def test_mixture_head_finds_the_branches_of_the_inverse_sinusoid() -> None:
    """Bishop's toy (1994): x = t + 0.3 sin(2 pi t) + noise has up to three t for one x.

    The second axis is the mirrored first with noise, so that the covariance matters.
    """
    torch.manual_seed(0)
    t = torch.rand(2000, 1)
    x = t + 0.3 * torch.sin(2 * math.pi * t) + 0.05 * (torch.rand(2000, 1) * 2 - 1)
    first = 4 * t - 2
    targets = torch.cat([first, 0.3 * torch.randn(2000, 1) - first], dim=1)
    head = nn.Linear(64, 6 * 8)
    init_mixture(head)
    network = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), head)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, 1000)
    for _ in range(1000):
        loss = -mixture_log_density(network(4 * x - 2), targets, -3.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    def peaks(at: float) -> torch.Tensor:
        """Find the answers t that the head holds likely at x."""
        line = torch.linspace(-2.2, 2.2, 221)
        with torch.no_grad():
            output = network(torch.tensor([[4 * at - 2]])).expand(len(line), -1)
            density = mixture_log_density(output, torch.stack([line, -line], dim=1), -3.0)
        inner = density[1:-1]
        tops = (inner > density[:-2]) & (inner > density[2:]) & (inner > density.max() - 3)
        return (line[1:-1][tops] + 2) / 4

    for at, answers in ((0.5, [0.209, 0.5, 0.791]), (0.02, [0.007])):
        distances = (peaks(at)[:, None] - torch.tensor(answers)).abs()  # (peaks, answers)
        assert distances.min(dim=0).values.max() < 0.04, "a branch is missing"
        assert distances.min(dim=1).values.max() < 0.04, "a branch that is none"


# --- the optimiser ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(96, 32), (32, 96)])
def test_an_update_of_muon_turns_and_does_not_stretch(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape)
    values = torch.linalg.svdvals(orthogonalise(matrices).float())
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_muon_goes_where_that_of_torch_goes() -> None:
    """Which rounds to bfloat16: three digits."""
    torch.manual_seed(0)
    begin, gradients = torch.randn(48, 16), torch.randn(5, 48, 16)
    ours, theirs = (nn.Parameter(begin.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.02, weight_decay=0.1),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1),
    )
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - begin).norm()
    assert (ours - theirs).norm() < 0.02 * moved
