"""Judges: trained until they stop getting better, whatever interrupts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from click.testing import CliRunner, Result

from training import judge
from training.data import dataset as datasets


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(judge.main, [str(word) for word in words])


def test_a_judge_is_trained_until_it_stops_getting_better(data: Path, tmp_path: Path) -> None:
    """The best of the curve is kept, by drawings that it did not learn from."""
    path = tmp_path / "raster.safetensors"
    result = run("raster", data, "-o", path, "--passes", "12")
    assert result.exit_code == 0, result.output
    with safetensors.safe_open(path, "pt") as file:
        scores = json.loads(file.metadata()["scores"])
    curve = scores["curve"]
    assert curve == sorted(curve)
    assert np.all(np.diff(curve)[:-1] >= judge.GAIN)
    rounds = result.output.count("after a round")
    flat = curve[-1] < curve[-2] + judge.GAIN
    assert rounds == len(curve) - flat, "the one after which it had stopped is the last"
    dataset = datasets.load(data)
    for split, expected in (("valid", curve[-1]), ("test", scores["top 1"])):
        held = dataset.of(split)  # type: ignore[arg-type]
        _, logits = judge.look(judge.load(path, dataset), dataset, held)
        right = logits.argmax(axis=1) == dataset.labels[held]
        of_classes = [right[dataset.labels[held] == label].mean() for label in range(3)]
        assert np.mean(of_classes) == pytest.approx(expected, abs=1 / len(held)), split
    assert list(tmp_path.iterdir()) == [path], "nothing else is left"


@pytest.mark.parametrize("kind", judge.KINDS)
def test_a_judge_goes_on_from_where_it_was_stopped(
    kind: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (kind, data, "-o", tmp_path / "judge.safetensors", "--passes", "12")
    seen: list[int] = []
    inputs: Callable[..., Iterator[Any]] = judge._training_inputs

    def watched(*arguments: Any) -> Iterator[Any]:
        for batch in inputs(*arguments):
            seen.append(len(batch[0]))
            if len(seen) == stop:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(judge, "_training_inputs", watched)
    monkeypatch.setattr(judge, "KEEP", 2)
    monkeypatch.setattr(judge, "GAIN", 1.0)  # one round
    stop = 0
    assert run(*words).exit_code == 0
    steps, stop = len(seen), len(seen) - 1
    (tmp_path / "judge.safetensors").unlink()
    seen.clear()
    assert run(*words).exit_code != 0
    assert not (tmp_path / "judge.safetensors").exists()
    stop = 0
    seen.clear()
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert len(seen) <= 4 < steps, "only what was missing is learnt"


def test_what_cannot_be_gone_on_from_is_refused(data: Path, tmp_path: Path) -> None:
    path, state = tmp_path / "raster.safetensors", tmp_path / "raster.state.pt"
    state.write_bytes(b"PK\x03\x04 cut")
    result = run("raster", data, "-o", path)
    assert result.exit_code == 2
    assert "cannot be read as the state" in result.output
    dataset = datasets.load(data)
    judge.save(judge.RasterJudge(len(dataset.classes)), dataset, {}, path)
    result = run("sequence", data, "--from", path)
    assert result.exit_code == 2
    assert "no sequence judge" in result.output
