"""The recogniser's training: what it learns from, and the file that comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from training import judge as judges
from training.data import dataset as datasets
from training.data.dataset import Dataset
from training.judge import RasterJudge
from training.prepare import Preparation, find_files
from training.recogniser import (
    Beginnings,
    Recogniser,
    begin_with,
    cut,
    fit_temperature,
    gather,
    main,
    reliability,
    to_recogniser,
    vary,
)
from vpype_sketchformer.model import recogniser as runtime
from vpype_sketchformer.model import sight
from vpype_sketchformer.model.way import WAY

DRAWINGS = Path(__file__).parents[1] / "data" / "quickdraw"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    return datasets.save(
        Preparation().drawings(find_files([DRAWINGS])), path, ["Quick, Draw!"]
    )


@pytest.fixture(scope="module")
def judge(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    torch.manual_seed(0)
    judges.save(RasterJudge(len(dataset.classes)), dataset, {}, path)
    return path


def test_beginnings_are_what_users_hand_over(dataset: Dataset) -> None:
    """Half of the points; what is said of the size is true of the drawing itself."""
    chosen = np.arange(40)
    made = cut(*gather(dataset, chosen), np.full(40, 0.5), dataset.labels[chosen])
    for row, index in enumerate(chosen):
        points = dataset.drawing(int(index)).points.astype(float)
        begun = points[: max(2, round(len(points) / 2))]
        side = max(1.0, np.ptp(begun, axis=0).max())
        finished = max(1.0, np.ptp(points, axis=0).max())
        before = (begun.min(axis=0) - points.min(axis=0)) / side
        expected = [np.log(finished / side), *np.log1p(before)]
        assert made.sizes[row] == pytest.approx(expected, abs=1e-5)


def test_drawings_vary_and_stay_drawings(dataset: Dataset) -> None:
    points, begins, owners = gather(dataset, np.arange(60))
    varied, fresh = vary(points, begins, owners, np.random.default_rng(1))
    assert not np.allclose(varied, points)
    assert np.array_equal(np.bincount(owners[begins]), np.bincount(owners[fresh]))
    assert np.isfinite(varied).all()


def test_torch_and_numpy_are_one_network(dataset: Dataset, judge: Path) -> None:
    model = Recogniser(len(dataset.classes))
    begin_with(model, judge, dataset)
    for silent in (model.more, model.size_out):
        torch.nn.init.normal_(silent.weight)
    chosen = np.arange(50)
    made = cut(*gather(dataset, chosen), np.full(50, 0.7), dataset.labels[chosen])
    written = to_recogniser(model, dataset, made, {})
    seen = written.see(made.seen, made.ways)
    features = model.features(torch.from_numpy(made.seen), torch.from_numpy(made.ways))
    assert np.allclose(seen, features.detach().numpy(), atol=1e-4)
    label = dataset.classes[1]
    said = model.sizes(features, torch.ones(50, dtype=torch.long)).detach().numpy().clip(0)
    grown = written.growth(seen, label)
    assert [g.side for g in grown] == pytest.approx(np.exp(said[:, 0]).tolist(), abs=6e-3)


def test_a_judge_is_taken_in_as_it_is(dataset: Dataset, tmp_path: Path) -> None:
    """What it names in a picture, the recogniser names that begins with it."""
    torch.manual_seed(0)
    judge = RasterJudge(len(dataset.classes))
    for norm in (m for m in judge.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    judges.save(judge, dataset, {}, tmp_path / "judge.safetensors")
    model = Recogniser(len(dataset.classes))
    begin_with(model, tmp_path / "judge.safetensors", dataset)
    made = cut(*gather(dataset, np.arange(9)), np.full(9, 0.7), dataset.labels[:9])
    pictures = torch.from_numpy(made.seen)
    features = model.features(pictures, torch.from_numpy(made.ways))
    expected = judge.eval()(255 * pictures)
    assert torch.allclose(model.name(features), expected, rtol=0.01, atol=0.01)


def test_temperature_and_reliability_of_known_shares() -> None:
    """Answers that are drawn from the shares are as often right as the shares say."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20_000, 5))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((len(shares), 1))).sum(axis=1)
    weights = np.ones(len(labels))
    assert fit_temperature(3 * logits, labels, weights) == pytest.approx(3, rel=0.05)
    for sure, right, count in reliability(shares, labels):
        assert abs(sure - right) < 4 * 0.5 / count**0.5


def test_a_run_stops_goes_on_and_ends_with_a_file(
    dataset: Dataset, judge: Path, tmp_path: Path
) -> None:
    data = tmp_path / "few.safetensors"
    datasets.write(dataset, data)
    command = [str(data), "--from", str(judge), "--out", str(tmp_path / "run"), "--size", "16"]
    result = CliRunner().invoke(main, [*command, "--steps", "3"])
    assert result.exit_code == 0, result.output
    first = runtime.load(tmp_path / "run" / "recogniser.safetensors")
    assert first.classes == dataset.classes
    assert first.metadata["data"] == ["Quick, Draw!"]
    assert (tmp_path / "run" / "reliability.svg").stat().st_size > 500
    again = CliRunner().invoke(main, [*command, "--steps", "4"])
    assert again.exit_code == 0 and "step 3" in again.output
    other = CliRunner().invoke(main, [*command[:-1], "8", "--steps", "4"])
    assert other.exit_code == 2 and "another run" in other.output


def test_a_recogniser_is_taken_in_as_it_is(
    dataset: Dataset, judge: Path, tmp_path: Path
) -> None:
    """Training goes on with all that it knows."""
    model = Recogniser(len(dataset.classes))
    begin_with(model, judge, dataset)
    for part in (model.more, model.size_out):
        torch.nn.init.normal_(part.weight, std=0.1)
    made = cut(*gather(dataset, np.arange(20)), np.full(20, 0.7), dataset.labels[:20])
    runtime.save(to_recogniser(model, dataset, made, {}), tmp_path / "known.safetensors")
    known = runtime.load(tmp_path / "known.safetensors")
    other = Recogniser(len(dataset.classes))
    begin_with(other, tmp_path / "known.safetensors", dataset)
    features = other.features(torch.from_numpy(made.seen), torch.from_numpy(made.ways))
    seen = known.see(made.seen, made.ways)
    assert np.allclose(seen, features.detach().numpy(), atol=1e-2)
    named = other.name(features).softmax(dim=1).detach().numpy()
    assert np.allclose(known.name(seen), named, atol=1e-2)
    sizes = other.sizes(features, torch.ones(20, dtype=torch.long)).exp()[:, 0]
    grown = [g.side for g in known.growth(seen, dataset.classes[1])]
    assert grown == pytest.approx(sizes.clip(1).tolist(), abs=2e-2)


def test_a_judge_of_another_kind_is_refused(
    dataset: Dataset, judge: Path, tmp_path: Path
) -> None:
    data, sequence = tmp_path / "few.safetensors", tmp_path / "sequence.safetensors"
    datasets.write(dataset, data)
    judges.save(judges.SequenceJudge(len(dataset.classes)), dataset, {}, sequence)
    arguments = [str(data), "--out", str(tmp_path / "run"), "--from", str(sequence)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and "raster judge" in result.output


def test_beginnings_have_a_picture_each(dataset: Dataset) -> None:
    made = cut(*gather(dataset, np.arange(5)), np.full(5, 0.0), dataset.labels[:5])
    assert isinstance(made, Beginnings)
    assert made.seen.shape == (5, sight.SIZE, sight.SIZE)
    assert np.all(made.seen.sum(axis=(1, 2)) > 0)
    assert made.ways.shape == (5, WAY)
