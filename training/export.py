"""From a trained network to the file that ships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from training.model import Sketchformer
from vpype_sketchformer.checkpoint import Checkpoint


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
