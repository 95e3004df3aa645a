"""The network that this project began with, kept to be beaten.

A decoder-only transformer after nanoGPT with a mixture head, trained as
``configs/baseline.toml`` says: LayerNorm first, learned positions, ReLU, dropout after the
feed-forward only, attention divided by the root of the full width, Cholesky factors without a
floor, and a pen that does not see the offset. Two things differ from the original, so that its
loss can be set beside others': a start token with the class precedes the first point, and the
loss runs over real points only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.model import Batch, init_mixture, mixture_log_density

#: So low that the floor never acts.
NO_FLOOR = -20.0
POSITIONS = 512


class BaselineBlock(nn.Module):
    """Attention and feed-forward as the baseline has them."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        """Initialise."""
        super().__init__()
        self.heads, self.scale = heads, width**-0.5
        self.attention_norm = nn.LayerNorm(width)
        self.feed_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.ReLU(),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run on the stream (B, T, width)."""
        qkv = self.queries_keys_values(self.attention_norm(x))
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, h, T, d)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.feed(self.feed_norm(x))


class Baseline(nn.Module):
    """The network, with the interface of ``Sketchformer``."""

    def __init__(
        self, width: int, heads: int, layers: int, mixtures: int, classes: int, scale: float
    ) -> None:
        """Initialise."""
        super().__init__()
        self.scale = scale
        self.start = nn.Embedding(classes + 1, width)
        self.stroke = nn.Linear(2, width)
        self.pen = nn.Embedding(3, width)
        self.position = nn.Embedding(POSITIONS, width)
        self.blocks = nn.Sequential(*(BaselineBlock(width, heads, 0.2) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.mixture = nn.Linear(width, 6 * mixtures)
        self.pen_out = nn.Linear(width, 3)
        init_mixture(self.mixture)

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of offset and pen, two (B, T), as ``Sketchformer``'s."""
        offsets = batch.offsets / self.scale
        points = self.stroke(offsets[:, :-1]) + self.pen(batch.pens[:, :-1])
        x = torch.cat([self.start(batch.labels)[:, None], points], dim=1)
        x = x + self.position(torch.arange(x.shape[1], device=x.device))
        stream = self.norm(self.blocks(x)).float()
        with torch.autocast(stream.device.type, enabled=False):
            density = mixture_log_density(self.mixture(stream), offsets, NO_FLOOR)
            logits = self.pen_out(stream)
            pen = F.cross_entropy(logits.transpose(1, 2), batch.pens, reduction="none")
        offset = 2 * math.log(self.scale) - density
        return offset * batch.real, pen * batch.real
