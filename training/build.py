"""The network and the optimisers that a config asks for."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import nn

from training.baseline import Baseline
from training.config import TrainConfig
from training.model import Sketchformer
from training.muon import Muon
from vpype_sketchformer.model.transformer import ModelConfig

Network = Sketchformer | Baseline


def build_model(config: TrainConfig, classes: int, scale: float) -> Network:
    """Make the network that a config asks for."""
    if config.model == "baseline":
        return Baseline(
            config.width, config.heads, config.layers, config.mixtures, classes, scale
        )
    names = {f.name for f in fields(ModelConfig)} & {f.name for f in fields(TrainConfig)}
    shape = ModelConfig(**{name: getattr(config, name) for name in names})
    return Sketchformer(shape, classes, scale, config.dropout)


def build_optimizers(model: Network, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the blocks' matrices and AdamW for the rest, or AdamW alone."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    muon = config.optimizer == "muon"
    matrices = [
        p for n, p in named.items() if muon and n.startswith("blocks.") and p.ndim == 2
    ]
    vectors = [
        p
        for module in model.modules()
        for p in module.parameters(recurse=False)
        if p.requires_grad and (p.ndim < 2 or isinstance(module, nn.Embedding))
    ]
    elsewhere = {id(p) for p in [*matrices, *vectors]}
    rest = [p for p in named.values() if id(p) not in elsewhere]
    # Weight decay is for what multiplies; it would pull biases and embeddings to zero.
    groups = [
        {"params": rest, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95))
    ]
    if matrices:
        optimizers.append(Muon(matrices, config.muon_lr, config.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return optimizers
