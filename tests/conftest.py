"""Fixtures: a model that draws in milliseconds, real drawings, and the real command line."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from vpype_sketchformer.model.checkpoint import load, save

# What is admitted must not hang on chance, nor on how busy a machine is;
# `--hypothesis-profile default` looks further.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

DATA = Path(__file__).parent / "data"
#: These need a pseudo-terminal, to stand in for a machine or for somebody who types.
NEED_A_TERMINAL = (
    "benchmarks/test_grbl.py",
    "commands/test_progress.py",
    "plotters/test_axidraw.py",
    "plotters/test_grbl.py",
    "sketchpad/test_sketchpad.py",
)
#: Windows has none.
collect_ignore = [] if importlib.util.find_spec("termios") else [*NEED_A_TERMINAL]
VPYPE = Path(sysconfig.get_path("scripts")) / "vpype"


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A model that scribbles, but goes through all of the code."""
    return DATA / "tiny.safetensors"


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that scribbles, with an encoder that it listens to."""
    # Here, since most tests need no torch.
    import torch

    from training.encoder import Autoencoder, tensors_of
    from training.export import with_encoder

    torch.manual_seed(0)
    tiny = load(DATA / "tiny.safetensors")
    model = with_encoder(tiny, tensors_of(Autoencoder(len(tiny.classes), 8)))
    rng = np.random.default_rng(0)
    heard = {
        name: rng.normal(0, 0.1, tensor.shape).astype(np.float32)
        for name, tensor in model.tensors.items()
        if name.startswith(("code_start", "code_point", "code_gain", "prior.mean"))
    }
    path = tmp_path_factory.mktemp("model") / "coded.safetensors"
    save(dataclasses.replace(model, tensors={**model.tensors, **heard}), path)
    return path


@pytest.fixture(scope="session")
def quickdraw() -> Path:
    """A folder of real drawings by class, ``cat.ndjson`` and others: see data/README.md."""
    return DATA / "quickdraw"


@pytest.fixture(scope="session")
def look() -> Path:
    """A file of an artist's one-line drawings, as tracing broke them."""
    return DATA / "oneline" / "look_joined.ndjson"


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
