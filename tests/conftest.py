"""Fixtures: a model small enough to draw in milliseconds, and the real command line."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vpype_sketchformer.checkpoint import Checkpoint, save
from vpype_sketchformer.transformer import ModelConfig, expected_shapes

CLASSES = ("cat", "dog", "face", "flower", "hot dog", "owl", "The Mona Lisa")

VPYPE = Path(sysconfig.get_path("scripts")) / "vpype"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights: it scribbles, but through all of the code."""
    config = ModelConfig(width=32, heads=2, layers=2, mixtures=4, pen_width=16, context=48)
    random = np.random.default_rng(0)
    weights = {
        name: (0.3 * random.normal(size=shape)).astype(np.float32)
        for name, shape in expected_shapes(config, len(CLASSES)).items()
    }
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save(Checkpoint(config, weights, CLASSES, scale=40.0), path)
    return path


CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def vpype(tmp_path: Path) -> CommandLine:
    """Run the console script in an empty folder, as a user would."""

    def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(VPYPE), *map(str, args)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    return run
