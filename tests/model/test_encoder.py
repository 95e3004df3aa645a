"""Codes: what the encoder reads, what the model makes of it, and codes that nobody drew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data import dataset as datasets
from training.data.batches import CODED, make_batch
from training.data.readers import read_ndjson
from training.export import from_checkpoint
from training.model import Batch
from vpype_sketchformer.model.checkpoint import Checkpoint, load
from vpype_sketchformer.model.encoder import INVENTED_SPREAD, Encoder
from vpype_sketchformer.model.sampling import network_of, sample
from vpype_sketchformer.model.transformer import ANY_STROKES, Conditions, KVCache

Strokes = list[np.ndarray]


@pytest.fixture(scope="module")
def checkpoint(coded: Path) -> Checkpoint:
    return load(coded)


@pytest.fixture(scope="module")
def encoder(checkpoint: Checkpoint) -> Encoder:
    found = Encoder.of(checkpoint)
    assert found
    return found


@pytest.fixture(scope="module")
def drawn(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Batch, list]:
    """Six cats, as training reads them, and as strokes."""
    cats = list(read_ndjson(quickdraw / "cat.ndjson"))[:6]
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    dataset = datasets.save(cats, path)
    rng = np.random.default_rng(0)
    batch = make_batch(dataset, np.arange(len(dataset)), CODED, rng)
    drawings = [dataset.drawing(i) for i in range(len(dataset))]
    return batch, [
        np.split(d.points.astype(float), np.flatnonzero(d.pen[:-1]) + 1) for d in drawings
    ]


def test_numpy_and_torch_are_one_model(
    checkpoint: Checkpoint, encoder: Encoder, drawn: tuple[Batch, list[Strokes]]
) -> None:
    batch, drawings = drawn
    model = from_checkpoint(checkpoint)
    with torch.no_grad():
        codes, _ = model.read_codes(batch)
        assert codes is not None
        told = model.stream(batch, codes).numpy()
        untold = model.stream(batch).numpy()
    found = encoder.encode(drawings)
    np.testing.assert_allclose(found, codes[:, :-1], atol=1e-4)
    assert (codes[:, -1] == 1).all()
    network = network_of(checkpoint)
    for code, expected in ((found, told), (None, untold)):
        conditions = Conditions.of(
            batch.labels.tolist(), network.null, ANY_STROKES, codes=code
        )
        points = network.embed_points(
            conditions, batch.features[:, :-1].numpy(), batch.pens[:, :-1].numpy()
        )
        x = np.concatenate([network.embed_start(conditions)[:, None], points], axis=1)
        gains = network.gains(conditions)
        stream = network.forward(x, KVCache(network.config, len(x)), gains)
        real = batch.real.numpy()
        np.testing.assert_allclose(stream[real], expected[real], atol=1e-4)
    assert np.abs(told - untold).max() > 0.01


def test_what_a_code_tells_beside_the_class(
    checkpoint: Checkpoint, drawn: tuple[Batch, list[Strokes]]
) -> None:
    """The divergence is that of torch's own Gaussians."""
    batch, _ = drawn
    model = from_checkpoint(checkpoint)
    normal = torch.distributions.Normal
    with torch.no_grad():
        codes, nats = model.read_codes(batch)
        assert codes is not None
        here = normal(codes[:, :-1], model.encoder.log_spread.exp())
        prior = normal(
            model.prior.mean[batch.labels], model.prior.log_spread[batch.labels].exp()
        )
        expected = torch.distributions.kl_divergence(here, prior).sum(-1)
    torch.testing.assert_close(nats, expected, rtol=1e-4, atol=1e-4)


def test_place_size_order_and_direction_are_not_in_the_code(
    encoder: Encoder, drawn: tuple[Batch, list[Strokes]]
) -> None:
    rng = np.random.default_rng(1)
    for strokes in drawn[1]:
        moved = [7.5 * stroke[:: rng.choice([1, -1])] + [300, -20] for stroke in strokes]
        others = [moved[i] for i in rng.permutation(len(moved))]
        here, there = encoder.encode([strokes, others])
        assert np.abs(here - there).max() < 0.01 * here.std()


def test_codes_are_spread_as_their_class_is(encoder: Encoder) -> None:
    rng = np.random.default_rng(0)
    mean, spread = encoder.tensors["prior.mean"][0], encoder.tensors["prior.log_spread"][0]
    code = mean + 2
    name = encoder.classes[0]
    assert np.allclose(encoder.vary(code, name, 0.0, rng, 3), code)
    for codes in (
        encoder.invent(name, rng, 4000),
        encoder.vary(code, name, 1.0, rng, 4000),
    ):
        np.testing.assert_allclose(codes.mean(axis=0), mean, atol=0.1)
        np.testing.assert_allclose(
            codes.std(axis=0), INVENTED_SPREAD * np.exp(spread), rtol=0.1
        )
    half = encoder.vary(code, name, 0.5, rng, 4000)
    np.testing.assert_allclose(
        half.std(axis=0), 0.5 * INVENTED_SPREAD * np.exp(spread), rtol=0.1
    )


def test_sketches_listen_to_their_codes(checkpoint: Checkpoint) -> None:
    label = checkpoint.classes[0]
    seeds = [np.random.SeedSequence(1)] * 2

    def drawn(codes: np.ndarray | None) -> list[list[list[float]]]:
        sketches = sample(checkpoint, [label] * 2, seeds, temperature=0.5, codes=codes)
        return [[stroke.tolist() for stroke in sketch.strokes] for sketch in sketches]

    codes = np.zeros((2, checkpoint.config.code), np.float32)
    same = drawn(codes)
    codes[1] = 5
    other = drawn(codes)
    assert same[0] == same[1] == other[0] != other[1]
    assert drawn(None)[0] == drawn(None)[1]


def test_a_model_without_an_encoder_has_none(tiny: Path) -> None:
    assert Encoder.of(load(tiny)) is None
