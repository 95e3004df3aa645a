"""From a trained network to the file that ships, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from training.model import Sketchformer
from vpype_sketchformer.checkpoint import Checkpoint

#: Tensors with a row for each class, and one for the null class.
CLASS_TABLES = ("start.weight", "label.weight")


def to_checkpoint(
    model: Sketchformer, classes: Sequence[str], metadata: dict[str, Any]
) -> Checkpoint:
    """Take the weights out of torch."""
    tensors = {
        name: t.detach().float().cpu().numpy() for name, t in model.state_dict().items()
    }
    return Checkpoint(model.config, tensors, tuple(classes), model.scale, metadata)


def from_checkpoint(checkpoint: Checkpoint) -> Sketchformer:
    """Put the weights back into torch, ready to evaluate."""
    model = Sketchformer(checkpoint.config, len(checkpoint.classes), checkpoint.scale)
    state = {name: torch.from_numpy(t) for name, t in checkpoint.tensors.items()}
    model.load_state_dict(state)
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
    model.load_state_dict(state)
    return model
