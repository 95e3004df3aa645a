"""Sampling: one seed one drawing, temperature, guidance, limits; judged from outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import stats
from torch import distributions

from training.export import as_guide
from training.export import main as export
from vpype_sketchformer.model import sampling
from vpype_sketchformer.model.checkpoint import Checkpoint, load, save
from vpype_sketchformer.model.mixture import Mixture
from vpype_sketchformer.model.prefix import Prefix, pens_of
from vpype_sketchformer.model.sampling import draw_offsets, sample
from vpype_sketchformer.model.transformer import UNKNOWN_QUALITY, log_likelihood
from vpype_sketchformer.sketch import DRAW, Sketch

TINY = Path(__file__).parents[1] / "data" / "tiny.safetensors"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load(TINY)


def seeds(count: int, entropy: int = 7) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(entropy).spawn(count)


def same(a: Sketch, b: Sketch) -> bool:
    return len(a.strokes) == len(b.strokes) and all(
        np.array_equal(s, t) for s, t in zip(a.strokes, b.strokes, strict=True)
    )


@pytest.mark.parametrize("options", [{}, {"guidance": 2.0}, {"one_line": True}])
def test_one_seed_gives_one_drawing_whatever_the_batch(
    checkpoint: Checkpoint, options: dict[str, float]
) -> None:
    names = [checkpoint.classes[i] for i in (3, 50, 120, 200) for _ in range(10)]
    together = sample(checkpoint, names, seeds(40), temperature=0.6, **options)
    for i in (0, 7, 39):
        alone = sample(
            checkpoint, names[i : i + 1], seeds(40)[i : i + 1], temperature=0.6, **options
        )
        assert same(alone[0], together[i])
    other = sample(checkpoint, names[:1], seeds(1, entropy=8), temperature=0.6, **options)
    assert not same(other[0], together[0])


def test_more_sketches_than_a_batch_holds(checkpoint: Checkpoint) -> None:
    counted: list[int] = []
    names = ["cat"] * 300
    sketches = sample(checkpoint, names, seeds(300), temperature=0.5, progress=counted.append)
    assert len(sketches) == sum(counted) == 300
    (last,) = sample(checkpoint, names[-1:], seeds(300)[-1:], temperature=0.5)
    assert same(last, sketches[-1])


def test_more_completions_than_a_batch_holds(checkpoint: Checkpoint) -> None:
    square = np.array([[20.0, 20], [90, 20], [90, 90], [20, 90], [20, 20]])
    named = [checkpoint.classes[i] for i in range(90)]

    def complete(start: int, count: int) -> list[Sketch]:
        part = slice(start, start + count)
        return sample(
            checkpoint,
            named[part],
            seeds(90)[part],
            temperature=0.5,
            prefix=Prefix(square, np.full(4, DRAW), join=False),
        )

    together = complete(0, 90)
    assert all(np.array_equal(sketch.strokes[0], square) for sketch in together)
    for i in (0, 31, 89):
        assert same(complete(i, 1)[0], together[i])


def test_sketches_keep_to_the_limits(checkpoint: Checkpoint) -> None:
    short = replace(checkpoint, config=replace(checkpoint.config, context=12))
    sketches = sample(short, ["cat"] * 50, seeds(50), temperature=1.0)
    points = [sum(len(stroke) for stroke in sketch.strokes) for sketch in sketches]
    assert max(points) == 12
    assert all(sketch.finished for sketch, n in zip(sketches, points, strict=True) if n < 12)
    assert any(not sketch.finished for sketch in sketches)
    assert all(len(stroke) >= 2 for sketch in sketches for stroke in sketch.strokes[:-1])


def test_one_line_never_lifts_the_pen(checkpoint: Checkpoint) -> None:
    sketches = sample(checkpoint, ["cat"] * 30, seeds(30), temperature=1.0, one_line=True)
    assert {len(sketch.strokes) for sketch in sketches} == {1}


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_sketches_know_how_likely_they_are(checkpoint: Checkpoint, guidance: float) -> None:
    """As likely as when their points, in whole pixels, are read: but for what the pen does."""
    style = {"temperature": 1.0, "guidance": guidance, "quality": UNKNOWN_QUALITY}
    drawn = sample(checkpoint, ["sun"] * 40, seeds(40), **style)
    network = sampling.network_of(checkpoint)
    label = np.array([checkpoint.classes.index("sun")])
    read = [
        log_likelihood(network, label, np.concatenate(s.strokes)[None], pens_of(s.strokes))[0]
        / sum(map(len, s.strokes))
        for s in drawn
    ]
    assert stats.pearsonr([s.likelihood for s in drawn], read).statistic > 0.9


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    output = np.random.default_rng(5).normal(size=(1, 6 * 4)).astype(np.float32)
    return Mixture.from_output(output, -3.0)


def draw(mixture: Mixture, temperature: float, count: int = 20000) -> np.ndarray:
    numbers = np.random.default_rng(6).random((1, count, 3))
    return draw_offsets(mixture, numbers, temperature, np.full(1, temperature))[0]


def oracle(mixture: Mixture, temperature: float) -> distributions.Distribution:
    factor = torch.zeros(1, 4, 2, 2, dtype=torch.float64)
    scales = np.exp(mixture.log_scales.astype(float)) * np.sqrt(temperature)
    factor[..., 0, 0] = torch.from_numpy(scales[..., 0])
    factor[..., 1, 1] = torch.from_numpy(scales[..., 1])
    factor[..., 1, 0] = torch.from_numpy(mixture.shears.astype(float)) * np.sqrt(temperature)
    logits = torch.from_numpy(mixture.logits.astype(float)) / temperature
    means = torch.from_numpy(mixture.means.astype(float))
    return distributions.MixtureSameFamily(
        distributions.Categorical(logits=logits),
        distributions.MultivariateNormal(means, scale_tril=factor),
    )


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_offsets_follow_the_distribution(mixture: Mixture, temperature: float) -> None:
    torch.manual_seed(0)
    expected = oracle(mixture, temperature).sample((20000,))[:, 0].numpy()
    drawn = draw(mixture, temperature)
    for direction in ([1, 0], [0, 1], [1, 1], [1, -1]):
        test = stats.ks_2samp(drawn @ direction, expected @ direction)
        assert test.pvalue > 1e-4


def test_guidance_moves_sketches_towards_their_class(checkpoint: Checkpoint) -> None:
    """The class's own log-likelihood ratio rises with guidance."""
    network = sampling.network_of(checkpoint)
    labels = np.array([checkpoint.classes.index("circle"), network.null])

    def mean_ratio(guidance: float) -> float:
        style = {"temperature": 1.0, "guidance": guidance, "retries": 0}
        ratios = []
        for sketch in sample(checkpoint, ["circle"] * 100, seeds(100), **style):
            points = np.concatenate(sketch.strokes)
            both = np.stack([points, points])
            ours, others = log_likelihood(network, labels, both, pens_of(sketch.strokes))
            ratios.append((ours - others) / len(points))
        return float(np.mean(ratios))

    assert mean_ratio(3.0) > mean_ratio(1.0) + 0.01


def test_a_guide_stands_for_the_null_class(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Kept in the model's file, it guides as the null class does whose copy it is."""
    copied = replace(checkpoint, guide=as_guide(checkpoint))
    save(copied, tmp_path / "guided.safetensors")
    kept = load(tmp_path / "guided.safetensors")
    assert kept.guide is not None
    assert kept.guide.classes == ()
    save(checkpoint, tmp_path / "later.safetensors")
    words = [tmp_path / "later.safetensors", "--guide", tmp_path / "guided.safetensors"]
    words += ["-o", tmp_path / "handed-on.safetensors"]
    result = CliRunner().invoke(export, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    handed_on = load(tmp_path / "handed-on.safetensors")
    labels, seeds = ["circle"] * 4, np.random.SeedSequence(2).spawn(4)
    drawn = [
        sampling.sample(model, labels, seeds, temperature=0.5, guidance=2.0)
        for model in (checkpoint, kept, handed_on)
    ]
    for before, *others in zip(*drawn, strict=True):
        for after in others:
            for a, b in zip(before.strokes, after.strokes, strict=True):
                np.testing.assert_array_equal(a, b)
