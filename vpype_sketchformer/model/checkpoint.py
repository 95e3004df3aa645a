"""Checkpoints: weights, config and class names in one .safetensors file.

Nothing in such a file can execute. Tensors are kept in float16; everything else is JSON in
the file's metadata, so that a model says by itself what it is and what it was trained on.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from vpype_sketchformer.model.transformer import ModelConfig, expected_shapes

FORMAT = "sketchformer"
VERSION = 3
SUFFIX = ".safetensors"
MODELS = Path(__file__).parents[1] / "models"


class CheckpointError(ValueError):
    """A model that cannot be used; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model, ready to draw.

    Attributes:
        config: The shape of the network.
        tensors: float32 arrays by name, named as in ``training.model.Sketchformer``.
        classes: Names of the classes; index ``len(classes)`` is the null class.
        scale: Pixels of the 0-255 frame per model unit (the offsets' standard deviation).
        metadata: Training data with licences, training command, metrics: JSON values.
        name: What the model is called, for messages.
    """

    config: ModelConfig
    tensors: Mapping[str, NDArray[np.float32]]
    classes: tuple[str, ...]
    scale: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


def bundled() -> dict[str, Path]:
    """Return the models that ship with the package, by name."""
    return {path.stem: path for path in sorted(MODELS.glob(f"*{SUFFIX}"))}


def find(name: str) -> Path:
    """Find a model by the name of a bundled one, or by path.

    Raises:
        CheckpointError: There is no such model.
    """
    models = bundled()
    if name in models:
        return models[name]
    # Not Path.expanduser: that one fails on "~" with an unknown user.
    path = Path(os.path.expanduser(name))  # noqa: PTH111
    if not path.is_file():
        names = ", ".join(models) or "none"
        raise CheckpointError(
            f"no model '{name}': neither a file nor a bundled model ({names})."
        )
    return path


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint, tensors as float16, whole or not at all."""
    # safetensors writes memory as it lies, so everything must lie in C order.
    tensors = {
        name: np.ascontiguousarray(tensor, np.float16)
        for name, tensor in checkpoint.tensors.items()
    }
    metadata = {
        "format": f"{FORMAT}-{VERSION}",
        "config": json.dumps(asdict(checkpoint.config)),
        "classes": json.dumps(checkpoint.classes),
        "scale": json.dumps(checkpoint.scale),
        "metadata": json.dumps(dict(checkpoint.metadata)),
    }
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(safetensors.save(tensors, metadata))
    partial.replace(path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: The file is missing, cut short, no checkpoint, of a newer version,
            or its weights do not fit its config or are not finite.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            version = _version(path, header.get("format", ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, AttributeError, TypeError) as error:
        # The last two are how safetensors refuses types that NumPy does not have.
        raise CheckpointError(
            f"{path}: not a readable model file; is it complete? ({error})"
        ) from error
    damaged = CheckpointError(f"{path}: the model's description is damaged.")
    try:
        shape = json.loads(header["config"])
        if version < 3:  # earlier models do not say how many hidden units they have
            shape["hidden"] = 4 * shape["width"]
        config = ModelConfig(**shape)
        classes = tuple(str(name) for name in json.loads(header["classes"]))
        scale = float(json.loads(header["scale"]))
        metadata = dict(json.loads(header["metadata"]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged from error
    if not (_is_possible(config, len(tensors)) and 0 < scale < math.inf and classes):
        raise damaged
    table = tensors.get("strokes.weight")
    if version == 1 and table is not None and len(table):
        # The first models know of nothing typical: that is anything, to them.
        tensors["strokes.weight"] = np.concatenate([table, table[:1]])
    weights = {
        name: _weight(path, name, tensors.get(name), shape)
        for name, shape in expected_shapes(config, len(classes)).items()
    }
    return Checkpoint(config, weights, classes, scale, metadata, path.stem)


def _version(path: Path, text: str) -> int:
    """Return the version of a file's format, if it can be read."""
    match = re.fullmatch(FORMAT + "-([0-9]{1,9})", text)
    if not match:
        raise CheckpointError(f"{path}: not a model of vpype-sketchformer.")
    if int(match[1]) > VERSION:
        raise CheckpointError(
            f"{path}: made for a newer vpype-sketchformer (format {match[1]}, this one reads "
            f"{VERSION}); upgrade with 'pipx inject --force vpype vpype-sketchformer'."
        )
    return int(match[1])


def _is_possible(config: ModelConfig, tensors: int) -> bool:
    """Tell whether so many tensors could make a network of this shape."""
    whole = all(type(value) is int and value > 0 for value in asdict(config).values())
    return whole and config.width % (2 * config.heads) == 0 and config.layers <= tensors


def _weight(
    path: Path, name: str, tensor: NDArray[Any] | None, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a tensor in float32, if it is what the network needs."""
    if tensor is None or tensor.shape != shape or tensor.dtype.kind != "f":
        raise CheckpointError(f"{path}: the model's weights do not fit ('{name}').")
    with np.errstate(over="ignore"):
        weight = tensor.astype(np.float32)
    if not np.all(np.isfinite(weight)):
        raise CheckpointError(f"{path}: the model's weights are not numbers ('{name}').")
    return weight
