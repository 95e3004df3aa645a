"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.data import dataset as datasets
from training.data.readers import read_ndjson

CLASSES = ("cat", "circle", "house")


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Networks that are made anew are the same in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def data(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file of real drawings."""
    drawings = [
        drawing for name in CLASSES for drawing in read_ndjson(quickdraw / f"{name}.ndjson")
    ]
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    datasets.save(drawings, path)
    return path
