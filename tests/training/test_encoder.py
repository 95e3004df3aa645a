"""Training the encoder, and a model that listens to it, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.spatial.distance import cdist

from training import encoder, train
from training.data import dataset as datasets
from vpype_sketchformer.model.checkpoint import load
from vpype_sketchformer.model.encoder import Encoder


def learn(data: Path, out: Path, steps: int) -> Result:
    words = [data, "--out", out, "--steps", steps, "--size", 24, "--code", 12]
    return CliRunner().invoke(encoder.main, [str(word) for word in words])


@pytest.fixture(scope="module")
def learnt(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an encoder that has seen the drawings some times."""
    out = tmp_path_factory.mktemp("encoder")
    result = learn(data, out, 30)
    assert result.exit_code == 0, result.output
    return out


def test_what_looks_alike_has_codes_that_are_near(data: Path, learnt: Path) -> None:
    dataset = datasets.load(data)
    assert json.loads((learnt / "log.jsonl").read_text())["step"] == 30
    tensors = encoder.load(learnt / "encoder.safetensors", dataset.classes)
    reader = Encoder(tensors, dataset.classes)
    cats, circles = (
        reader.encode(
            [dataset.drawing(i).strokes for i in np.flatnonzero(dataset.labels == c)]
        )
        for c in (0, 1)
    )
    assert cdist(circles, circles).mean() < 0.8 * cdist(circles, cats).mean()


def train_with(data: Path, out: Path, *words: str | Path) -> Result:
    line = ["training/configs/tiny.toml", data, "--out", out, *words]
    settings = [f"--set={key}=2" for key in ("steps", "sample_every", "validate_every")]
    return CliRunner().invoke(train.main, [str(word) for word in [*line, *settings]])


def test_a_model_is_given_an_encoder_that_stays_as_it_is(
    data: Path, learnt: Path, tmp_path: Path
) -> None:
    file = learnt / "encoder.safetensors"
    first = train_with(data, tmp_path / "first")
    assert first.exit_code == 0, first.output
    model = tmp_path / "first" / "model.safetensors"
    said = train_with(
        data, tmp_path / "second", "--from", model, "--encoder", file, "--set", "tell_code=0.5"
    )
    assert said.exit_code == 0, said.output
    assert "code told" in said.output
    after = load(tmp_path / "second" / "model.safetensors")
    assert after.config.code == 12
    before = encoder.load(file, datasets.load(data).classes)
    for name, tensor in before.items():
        np.testing.assert_array_equal(after.tensors[name], tensor.astype(np.float16), name)
    assert after.tensors["code_gain.weight"].any()


def test_an_encoder_goes_on_learning_where_its_codes_have_a_price(
    data: Path, learnt: Path, tmp_path: Path
) -> None:
    """With the model, all but its first stages; its prior with it."""
    first = train_with(data, tmp_path / "first")
    assert first.exit_code == 0, first.output
    model = tmp_path / "first" / "model.safetensors"
    file = learnt / "encoder.safetensors"
    words = ("--from", model, "--encoder", file, "--set=tell_code=0.5", "--set=code_price=0.1")
    said = train_with(data, tmp_path / "second", *words)
    assert said.exit_code == 0, said.output
    after = load(tmp_path / "second" / "model.safetensors").tensors
    before = encoder.load(file, datasets.load(data).classes)
    kept = {
        name
        for name, tensor in before.items()
        if (after[name] == tensor.astype(np.float16)).all()
    }
    assert {"encoder.stem.weight", "encoder.stages.1.first.weight"} <= kept
    assert not kept & {
        "encoder.code.weight",
        "encoder.log_spread",
        "encoder.stages.2.first.weight",
        "prior.mean",
        "prior.log_spread",
    }


def test_without_an_encoder_no_codes_are_told(data: Path, tmp_path: Path) -> None:
    said = train_with(data, tmp_path, "--set", "tell_code=0.5")
    assert said.exit_code == 0
    assert "no codes are told" in said.output
    assert "code told" not in said.output


def test_what_cannot_be_used_is_refused(data: Path, learnt: Path, tmp_path: Path) -> None:
    file, out = learnt / "encoder.safetensors", tmp_path / "out"
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:5000])
    for words, said in (
        (("--encoder", file), "--from"),
        (("--from", "shipped", "--encoder", file), "other classes"),
        (("--from", "shipped", "--encoder", cut), "cannot be read as an encoder"),
    ):
        result = train_with(data, out, *words)
        assert result.exit_code == 2
        assert said in result.output
