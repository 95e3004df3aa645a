"""Checkpoints: weights, config and class names in one .safetensors file.

Nothing in such a file can execute. Tensors are kept in float16; everything else is JSON in
the file's metadata, so that a model says by itself what it is and what it was trained on.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.model.sight import SEEN, STAGES, sight_shapes
from vpype_sketchformer.model.transformer import ModelConfig, expected_shapes
from vpype_sketchformer.wording import OneLineError, is_name

FORMAT = "sketchformer"
VERSION = 5
SUFFIX = ".safetensors"
#: What the names of the guide's tensors begin with.
GUIDE = "guide."
MODELS = Path(__file__).parents[1] / "models"

#: The most that is read of a file's description, bytes: it is parsed before anything is known.
LONGEST_HEADER = 4 * 2**20
#: What a network may have: whatever a file says, drawing with it takes bounded memory.
MOST_WEIGHTS = 64_000_000
MOST = ModelConfig(
    width=4096,
    heads=256,
    layers=256,
    hidden=32_768,
    mixtures=1024,
    pen_width=4096,
    context=4096,
    longest=4096,
    code=1024,
)
#: Pixels of the 0-255 frame per model unit.
SMALLEST_SCALE, LARGEST_SCALE = 1e-2, 1e4


class CheckpointError(OneLineError):
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
        guide: A small network that knows no classes, for guidance; None where it is the
            model's own null class.
    """

    config: ModelConfig
    tensors: Mapping[str, NDArray[np.float32]]
    classes: tuple[str, ...]
    scale: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    guide: Checkpoint | None = None


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
    guide = checkpoint.guide
    named = dict(checkpoint.tensors)
    if guide:
        named |= {GUIDE + name: tensor for name, tensor in guide.tensors.items()}
    # safetensors writes memory as it lies, so everything must lie in C order.
    tensors = {name: np.ascontiguousarray(t, np.float16) for name, t in named.items()}
    metadata = {
        "format": f"{FORMAT}-{VERSION}",
        "config": json.dumps(asdict(checkpoint.config)),
        "classes": json.dumps(checkpoint.classes),
        "scale": json.dumps(checkpoint.scale),
        "metadata": json.dumps(dict(checkpoint.metadata)),
    }
    if guide:
        metadata["guide"] = json.dumps({"config": asdict(guide.config), "scale": guide.scale})
    write_whole(path, safetensors.save(tensors, metadata))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Whatever the file says is checked before it is used: no more is read than the network
    needs, and that is bounded.

    Raises:
        CheckpointError: The file is missing, cut short, no checkpoint, of a newer version,
            describes what cannot be, or its weights do not fit its config or are not finite.
    """
    try:
        with open_tensors(path) as file:
            header = file.metadata() or {}
            version = _version(path, header.get("format", ""))
            config, classes, scale, metadata = _description(path, header, version)
            weights = {
                name: _weight(path, file, name, shape, version)
                for name, shape in all_shapes(config, len(classes)).items()
            }
            guide = _guide(path, file, header["guide"]) if "guide" in header else None
    except (OSError, SafetensorError, AttributeError, TypeError) as error:
        # The last two are how safetensors refuses types that NumPy does not have.
        raise CheckpointError(
            f"{path}: not a readable model file; is it complete? ({error})"
        ) from error
    return Checkpoint(config, weights, classes, scale, metadata, path.stem, guide)


@contextlib.contextmanager
def open_tensors(path: Path, framework: str = "numpy") -> Iterator[Any]:
    """Open a safetensors file, as ``safe_open`` does, if its description is not too long.

    Raises:
        OSError: It cannot be read.
        SafetensorError: It is none.
    """
    if not path.is_file():  # opening a pipe would wait for who writes into it
        raise OSError("not a file")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        raise SafetensorError(f"a description of {length:,} bytes")
    with safe_open(path, framework=framework) as file:
        yield file


def _description(
    path: Path, header: Mapping[str, str], version: int
) -> tuple[ModelConfig, tuple[str, ...], float, dict[str, Any]]:
    """Return what a file says of its network: config, classes, scale, metadata."""
    damaged = CheckpointError(f"{path}: the model's description is damaged.")
    try:
        shape = json.loads(header["config"])
        if version < 3:  # earlier models do not say how many hidden units they have
            shape["hidden"] = 4 * shape["width"]
        config = ModelConfig(**shape)
        classes = json.loads(header["classes"])
        scale = json.loads(header["scale"])
        metadata = json.loads(header["metadata"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged from error
    if not (isinstance(classes, list) and classes and isinstance(metadata, dict)):
        raise damaged
    if not (_is_scale(scale) and _is_possible(config, len(classes))):
        raise damaged
    for name in classes:
        if not is_name(name):
            raise CheckpointError(f"{path}: {name!r} cannot be the name of a class.")
    return config, tuple(classes), float(scale), metadata


def _guide(path: Path, file: Any, text: str) -> Checkpoint:
    """Read the network for guidance."""
    damaged = CheckpointError(f"{path}: the description of the model's guide is damaged.")
    try:
        told = json.loads(text)
        config, scale = ModelConfig(**told["config"]), told["scale"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged from error
    if not (_is_scale(scale) and _is_possible(config, 0)):
        raise damaged
    weights = {
        name: _weight(path, file, GUIDE + name, shape, VERSION)
        for name, shape in expected_shapes(config, 0).items()
    }
    return Checkpoint(config, weights, (), float(scale))


def all_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a model, those of its encoder too."""
    shapes = expected_shapes(config, classes)
    if config.code:
        shapes |= encoder_shapes(config.code, classes)
    return shapes


def encoder_shapes(code: int, classes: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of an encoder; see ``model.encoder``."""
    shapes = {f"encoder.{name}": shape for name, shape in sight_shapes().items()}
    return shapes | {
        "encoder.code.weight": (code, SEEN * SEEN * STAGES[-1]),
        "encoder.log_spread": (code,),
        "prior.mean": (classes + 1, code),
        "prior.log_spread": (classes + 1, code),
    }


def _is_scale(value: Any) -> bool:
    return type(value) in (int, float) and SMALLEST_SCALE <= value <= LARGEST_SCALE


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


def _is_possible(config: ModelConfig, classes: int) -> bool:
    """Tell whether there can be a network of this shape, and memory for it."""
    for part in fields(config):
        value = getattr(config, part.name)
        # A drawing has two points at least.
        least = {"code": 0, "context": 2}.get(part.name, 1)
        if type(value) is not int or not least <= value <= getattr(MOST, part.name):
            return False
    shapes = all_shapes(config, classes).values()
    return (
        config.width % (2 * config.heads) == 0 and sum(map(math.prod, shapes)) <= MOST_WEIGHTS
    )


def _weight(
    path: Path, file: Any, name: str, shape: tuple[int, ...], version: int
) -> NDArray[np.float32]:
    """Read a tensor in float32, if it is what the network needs."""
    misfit = CheckpointError(f"{path}: the model's weights do not fit ('{name}').")
    if version < 4 and name == "quality.weight":  # earlier models know of none
        return np.zeros(shape, np.float32)
    # Earlier models were asked for typical drawings, the last row, and have no quality.
    shrinks = version in (2, 3) and name == "strokes.weight"
    kept = (shape[0] + 1, *shape[1:]) if shrinks else shape
    if name not in file.keys() or tuple(file.get_slice(name).get_shape()) != kept:  # noqa: SIM118
        raise misfit
    tensor = file.get_tensor(name)
    if tensor.dtype.kind != "f":
        raise misfit
    with np.errstate(over="ignore"):
        weight = tensor.astype(np.float32)
    if not np.all(np.isfinite(weight)):
        raise CheckpointError(f"{path}: the model's weights are not numbers ('{name}').")
    return weight[[3, 1, 2]] if shrinks else weight
