r"""From a trained network to the file that ships, and back.

As a command: write a model with a network for guidance, or with its scores in its description,
the JSON that training.evaluate wrote of it.

Examples:
    The model that ships:

        python -m training.export runs/mine/model.safetensors \
            --guide runs/guide/model.safetensors -o mine.safetensors

    A model with its scores:

        python -m training.evaluate runs/mine/model.safetensors data/mine.safetensors \
            --split test --json scores.json
        python -m training.export runs/mine/model.safetensors scores.json -o mine.safetensors
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import OutFile, Refusal, help_from
from training.model import Sketchformer
from vpype_sketchformer.model.checkpoint import (
    Checkpoint,
    CheckpointError,
    all_shapes,
    find,
    load,
    save,
)
from vpype_sketchformer.model.transformer import expected_shapes

#: Tensors with a row for each class, and one for the null class.
CLASS_TABLES = ("start.weight", "label.weight", "prior.mean", "prior.log_spread")
#: What tells a network in training how drawings were altered; no file keeps it.
ALTERED = "altered.weight"


def to_checkpoint(
    model: Sketchformer, classes: Sequence[str], metadata: dict[str, Any]
) -> Checkpoint:
    """Take the weights out of torch."""
    tensors = {
        name: t.detach().float().cpu().numpy()
        for name, t in model.state_dict().items()
        if name != ALTERED
    }
    return Checkpoint(model.config, tensors, tuple(classes), model.scale, metadata)


def digest(checkpoint: Checkpoint) -> str:
    """Name weights by their content alone."""
    content = hashlib.blake2b(digest_size=8)
    for name in sorted(checkpoint.tensors):
        content.update(np.ascontiguousarray(checkpoint.tensors[name]).tobytes())
    return content.hexdigest()


def from_checkpoint(checkpoint: Checkpoint) -> Sketchformer:
    """Put the weights back into torch, ready to evaluate."""
    model = Sketchformer(checkpoint.config, len(checkpoint.classes), checkpoint.scale)
    state = {name: torch.from_numpy(t) for name, t in checkpoint.tensors.items()}
    _fill(model, state)
    return model.eval()


def begin_from(
    checkpoint: Checkpoint, classes: Sequence[str], dropout: float = 0.0
) -> Sketchformer:
    """Begin a new model where another one stopped, for classes of its own.

    Classes that the other one does not know begin as its null class, which is a drawing of
    anything.
    """
    known = checkpoint.classes
    rows = [known.index(name) if name in known else len(known) for name in classes]
    state = {
        name: torch.from_numpy(t[[*rows, len(known)]] if name in CLASS_TABLES else t)
        for name, t in checkpoint.tensors.items()
    }
    model = Sketchformer(checkpoint.config, len(classes), checkpoint.scale, dropout)
    _fill(model, state)
    return model


def _fill(model: Sketchformer, weights: Mapping[str, Tensor]) -> None:
    """Give a model weights of a file."""
    model.load_state_dict({ALTERED: model.altered.weight, **weights})


def deepen(checkpoint: Checkpoint, layers: int, seed: int = 0) -> Checkpoint:
    """Put new blocks between those of a model, evenly, that begin as the identity.

    The deeper model draws what the other one draws (Chen, Goodfellow & Shlens 2016).

    Raises:
        Refusal: The model has more layers already.
    """
    old, rng = checkpoint.config.layers, np.random.default_rng(seed)
    if layers < old:
        raise Refusal(f"layers = {layers}: the model has {old} already.")
    config = replace(checkpoint.config, layers=layers)
    places = [-(-i * layers // old) for i in range(old)]
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, shape in all_shapes(config, len(checkpoint.classes)).items():
        if name == "code_gain.weight":
            gains = checkpoint.tensors[name].reshape(old, -1, shape[1])
            each = np.zeros((layers, *gains.shape[1:]), np.float32)
            each[places] = gains
            tensors[name] = each.reshape(shape)
            continue
        if not name.startswith("blocks."):
            tensors[name] = checkpoint.tensors[name]
            continue
        _, block, part = name.split(".", 2)
        if int(block) in places:
            tensors[name] = checkpoint.tensors[f"blocks.{places.index(int(block))}.{part}"]
        elif part in ("out.weight", "down.weight"):
            tensors[name] = np.zeros(shape, np.float32)
        else:
            most = shape[1] ** -0.5
            tensors[name] = rng.uniform(-most, most, shape).astype(np.float32)
    return replace(checkpoint, config=config, tensors=tensors)


def with_encoder(
    checkpoint: Checkpoint, encoder: Mapping[str, NDArray[np.float32]]
) -> Checkpoint:
    """Give a model an encoder, of whose codes it makes nothing yet.

    Args:
        checkpoint: The model.
        encoder: The encoder's weights, see ``training.encoder.load``.
    """
    code, classes = len(encoder["encoder.log_spread"]), len(checkpoint.classes)
    config = replace(checkpoint.config, code=code)
    torch.manual_seed(0)
    new = to_checkpoint(Sketchformer(config, classes, checkpoint.scale), (), {}).tensors
    tensors = {**new, **checkpoint.tensors, **encoder}
    return replace(checkpoint, config=config, tensors=tensors)


def without_encoder(checkpoint: Checkpoint) -> Checkpoint:
    """Take a model's encoder away, and what listens to its codes."""
    config = replace(checkpoint.config, code=0)
    kept = expected_shapes(config, len(checkpoint.classes))
    tensors = {name: checkpoint.tensors[name] for name in kept}
    return replace(checkpoint, config=config, tensors=tensors)


def as_guide(checkpoint: Checkpoint) -> Checkpoint:
    """Keep of a model what it knows of drawings of which no class is told."""
    plain = without_encoder(checkpoint)
    tensors = {n: t[-1:] if n in CLASS_TABLES else t for n, t in plain.tensors.items()}
    return Checkpoint(plain.config, tensors, (), plain.scale)


@click.command(help=help_from(__doc__))
@click.argument("model")
@click.argument(
    "scores", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--guide",
    metavar="MODEL",
    help="A smaller model, whose drawings of nothing in particular guidance leads away from; "
    "or one that has such a model in it, as 'quickdraw' does.",
)
@click.option(
    "-o",
    "--out",
    type=OutFile(),
    required=True,
    help="The model file to write.",
)
def main(model: str, scores: Path | None, guide: str | None, out: Path) -> None:
    """Write a model with its scores, with a network for guidance, or with both."""
    try:
        checkpoint = load(find(model))
        if guide:
            small = load(find(guide))
            checkpoint = replace(checkpoint, guide=small.guide or as_guide(small))
    except CheckpointError as error:
        raise Refusal(str(error)) from error
    if scores:
        metadata = {**checkpoint.metadata, "scores": _figures(scores, model)}
        checkpoint = replace(checkpoint, metadata=metadata)
    save(checkpoint, out)
    told = [*(["its scores"] if scores else []), *(["a guide"] if guide else [])]
    click.echo(f"{out}: {checkpoint.name}" + "".join(f", with {part}" for part in told))


def _figures(scores: Path, model: str) -> dict[str, Any]:
    """Read what training.evaluate wrote of a model."""
    try:
        figures = json.loads(scores.read_text())
    except ValueError as error:
        raise Refusal(f"{scores}: not JSON ({error}).") from error
    if not isinstance(figures, dict) or figures.pop("model", None) != model:
        raise Refusal(f"{scores}: not what training.evaluate wrote of {model}.")
    return figures


if __name__ == "__main__":
    main()
