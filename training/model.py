"""The network in torch, for training.

The same network as ``vpype_sketchformer.model.transformer`` (whose docstring names the
papers), with the same names of tensors; see there for what the features are. Loss: negative
log-likelihood over real points only, in nats per point in pixels of the 0-255 frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpype_sketchformer.model.features import FEATURES
from vpype_sketchformer.model.mixture import SIGMA_FLOOR
from vpype_sketchformer.model.sight import SEEN, STAGES, STEM
from vpype_sketchformer.model.transformer import (
    BEST_QUALITY,
    CODE_HIDDEN,
    NORM_EPSILON,
    ROPE_BASE,
    ModelConfig,
)

#: Numbers that tell how a drawing was altered: whether mirrored, its last stroke first, each
#: stroke backwards; how far turned and how much wider (shares of the most).
ALTERATIONS = 5
#: Stages of eyes that never learn here: they know lines already.
KEPT = 2


@dataclass(frozen=True)
class Batch:
    """Drawings, padded to one length T.

    Attributes:
        labels: Classes, the null class where hidden, (B,).
        strokes: What the model is told that the drawing is to be, (B,).
        quality: How surely judges name it, where that is told, (B,).
        features: Points as the network reads them, (B, T, FEATURES).
        offsets: Offsets in pixels, dequantised where they are targets, (B, T, 2).
        pens: What the pen does after each point, (B, T).
        real: Which points are real, bool (B, T).
        pictures: Ink of the drawings whose code is told, (B, SIZE, SIZE); where none is, no
            pixels.
        coded: Whose code is told, bool (B,).
        altered: How each was altered, zeros where it was not, (B, ALTERATIONS).
    """

    labels: Tensor
    strokes: Tensor
    quality: Tensor
    features: Tensor
    offsets: Tensor
    pens: Tensor
    real: Tensor
    pictures: Tensor
    coded: Tensor
    altered: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(*(t.to(device, non_blocking=True) for t in vars(self).values()))

    def part(self, rank: int, world: int) -> Batch:
        """Take the rows of one of several processes."""
        return Batch(*(t[rank::world] for t in vars(self).values()))


def mixture_log_density(output: Tensor, targets: Tensor, log_floor: float) -> Tensor:
    """Logarithm of the density of a mixture of full-covariance Gaussians (Bishop 1994).

    Args:
        output: The head's output, (..., 6 K): logits, two means, two log scales of the
            Cholesky factor's diagonal, and its entry below.
        targets: Where to evaluate, (..., 2), in the unit of the means.
        log_floor: Smallest log scale.

    Returns:
        Nats, (...).
    """
    logits, mean_x, mean_y, raw_x, raw_y, shear = output.reshape(
        *output.shape[:-1], 6, -1
    ).unbind(-2)
    log_x = log_floor + F.softplus(raw_x - log_floor)  # (..., K)
    log_y = log_floor + F.softplus(raw_y - log_floor)
    u = (targets[..., :1] - mean_x) * torch.exp(-log_x)
    v = (targets[..., 1:] - mean_y - shear * u) * torch.exp(-log_y)
    parts = logits.log_softmax(-1) - log_x - log_y - 0.5 * (u * u + v * v)
    return parts.logsumexp(-1) - math.log(2 * math.pi)


def init_mixture(head: nn.Linear) -> None:
    """Start a mixture head from spread-out centres that do not depend on the input."""
    count = head.out_features // 6
    with torch.no_grad():
        head.weight.zero_()
        bias = head.bias.view(6, count).zero_()
        bias[1:3].normal_()
        bias[3:5] = torch.linspace(-3, 0.5, count)[torch.randperm(count)]


def norm(x: Tensor) -> Tensor:
    """RMSNorm without gain."""
    return F.rms_norm(x, x.shape[-1:], eps=NORM_EPSILON)


class Block(nn.Module):
    """Attention and a feed-forward part, each added to the stream."""

    def __init__(self, config: ModelConfig, dropout: float) -> None:
        """Initialise; the outputs begin at zero, so a block begins as the identity."""
        super().__init__()
        d, h = config.width, config.hidden
        self.heads = config.heads
        self.query = nn.Linear(d, d, bias=False)
        self.key = nn.Linear(d, d, bias=False)
        self.value = nn.Linear(d, d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, h, bias=False)
        self.down = nn.Linear(h, d, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, gains: Tensor | None = None
    ) -> Tensor:
        """Run on the stream (B, T, width); gains of both parts, (B, 1, 2, width)."""
        a = norm(x) if gains is None else norm(x) * gains[:, :, 0]
        q, k, v = (
            part(a).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, h, T, d / h)
            for part in (self.query, self.key, self.value)
        )
        q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)
        mixed = attend(q, k, v.to(q.dtype))
        x = x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        a = norm(x) if gains is None else norm(x) * gains[:, :, 1]
        return x + self.dropout(self.down(F.relu(self.up(a)).square()))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, all (B, h, T, d)."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    # On a CPU, forward and backward of the library's kernel take four times as long as this
    # at the lengths of sketches (measured: 44 ms against 11 ms for 85 drawings of 48 points).
    steps = q.shape[2]
    future = torch.full((steps, steps), -torch.inf, dtype=q.dtype).triu(1)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + future  # (B, h, T, T)
    return scores.softmax(-1) @ v


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on (B, h, T, d); cos and sin are (T, d / 2)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def rotations(config: ModelConfig, x: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the positions of x (B, T, width), both (T, width / heads / 2)."""
    half = config.width // config.heads // 2
    rates = ROPE_BASE ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(x.shape[1], device=x.device)[:, None] * rates
    low = torch.is_autocast_enabled(x.device.type)
    dtype = torch.get_autocast_dtype(x.device.type) if low else x.dtype
    return angles.cos().to(dtype), angles.sin().to(dtype)


class Convolution(nn.Module):
    """A convolution, its weight laid out as ``model.sight`` has it."""

    def __init__(self, inner: int, outer: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.zeros(outer, inner * width * width))
        self.bias = nn.Parameter(torch.zeros(outer))

    def forward(self, x: Tensor, stride: int = 1) -> Tensor:
        """Run on (n, inner, y, x)."""
        weight = self.weight.view(len(self.weight), -1, self.width, self.width)
        return F.conv2d(x, weight, self.bias, stride, self.width // 2)


class Stage(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016); the first may halve the size."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.stride = 1 if inner == outer else 2
        self.first, self.second = Convolution(inner, outer, 3), Convolution(outer, outer, 3)
        self.short = Convolution(inner, outer, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Run on (n, inner, y, x)."""
        inside = F.relu(self.first(x, self.stride))
        return F.relu(self.second(inside) + self.short(x, self.stride))


class Eyes(nn.Module):
    """Looks at pictures, see ``vpype_sketchformer.model.sight``."""

    def __init__(self) -> None:
        """Initialise blind: they are to begin as those of a judge, or of a recogniser."""
        super().__init__()
        self.stem = Convolution(1, STAGES[0], STEM)
        self.stages = nn.ModuleList(Stage(*sizes) for sizes in pairwise(STAGES))

    def see(self, pictures: Tensor) -> Tensor:
        """Return what is seen where in pictures (n, y, x), (n, channels, SEEN, SEEN)."""
        x = pictures[:, None].contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem(x, 2))
        for stage in self.stages:
            x = stage(x)
        return x


class Encoder(Eyes):
    """From pictures to codes, see ``vpype_sketchformer.model.encoder``."""

    def __init__(self, code: int) -> None:
        """Initialise."""
        super().__init__()
        self.code = nn.Linear(SEEN * SEEN * STAGES[-1], code, bias=False)
        self.log_spread = nn.Parameter(torch.full((code,), -1.2))
        nn.init.normal_(self.code.weight, std=self.code.in_features**-0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the codes of pictures (n, SIZE, SIZE), (n, code)."""
        seen = norm(self.see(pictures).permute(0, 2, 3, 1).flatten(1).float())
        with torch.autocast(seen.device.type, enabled=False):
            return self.code(seen)


class Prior(nn.Module):
    """How the codes of each class are spread: a Gaussian, its axes apart."""

    def __init__(self, classes: int, code: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(classes + 1, code))
        self.log_spread = nn.Parameter(torch.zeros(classes + 1, code))

    def divergence(self, codes: Tensor, log_spread: Tensor, labels: Tensor) -> Tensor:
        """From codes (n, code), known this exactly, to the prior of their classes: nats (n,).

        See Kingma & Welling 2014, appendix B.
        """
        mean, wide = self.mean[labels], self.log_spread[labels]
        square = (2 * (log_spread - wide)).exp() + ((codes - mean) * (-wide).exp()) ** 2
        return (wide - log_spread + 0.5 * (square - 1)).sum(-1)


class Sketchformer(nn.Module):
    """The project's model."""

    def __init__(
        self, config: ModelConfig, classes: int, scale: float, dropout: float = 0.0
    ) -> None:
        """Initialise.

        Args:
            config: The shape of the network.
            classes: How many; one more, the null class, is added.
            scale: Pixels of the 0-255 frame per model unit.
            dropout: Share of each block's output dropped in training.
        """
        super().__init__()
        d = config.width
        self.config, self.scale = config, scale
        self.start = nn.Embedding(classes + 1, d)
        self.label = nn.Embedding(classes + 1, d)
        self.strokes = nn.Embedding(3, d)
        self.quality = nn.Embedding(BEST_QUALITY + 1, d)
        self.pen = nn.Embedding(3, d)
        self.point = nn.Linear(FEATURES, d, bias=False)
        # In training only: what is drawn is never altered.
        self.altered = nn.Linear(ALTERATIONS, 2 * d, bias=False)
        self.blocks = nn.ModuleList(Block(config, dropout) for _ in range(config.layers))
        self.mixture = nn.Linear(d, 6 * config.mixtures)
        self.pen_hidden = nn.Linear(d + FEATURES, config.pen_width)
        self.pen_out = nn.Linear(config.pen_width, 3)
        if config.code:
            self.code_hidden = nn.Linear(config.code + 1, CODE_HIDDEN, bias=False)
            self.code_start = nn.Linear(CODE_HIDDEN, d, bias=False)
            self.code_point = nn.Linear(CODE_HIDDEN, d, bias=False)
            self.code_gain = nn.Linear(CODE_HIDDEN, config.layers * 2 * d, bias=False)
            for part in (self.code_start, self.code_point, self.code_gain):
                nn.init.zeros_(part.weight)
            # Codes stay what they are, unless ``teach_encoder`` is called.
            self.encoder = Encoder(config.code).requires_grad_(False)
            self.prior = Prior(classes, config.code).requires_grad_(False)
        for table in (self.start, self.label, self.strokes, self.pen):
            nn.init.normal_(table.weight, std=0.3)
        nn.init.zeros_(self.quality.weight)
        nn.init.zeros_(self.altered.weight)
        init_mixture(self.mixture)
        nn.init.zeros_(self.pen_out.weight)

    def teach_encoder(self) -> None:
        """Let codes become what the drawings need most: the encoder learns on from now on.

        All but its first stages, which know lines already.
        """
        for part in (self.encoder.stages[KEPT:], self.encoder.code, self.prior):
            part.requires_grad_(True)
        self.encoder.log_spread.requires_grad_(True)

    def read_codes(self, batch: Batch) -> tuple[Tensor | None, Tensor]:
        """Read the codes of a batch, in training no more exactly than they are known.

        Returns:
            Codes with a 1 behind them, zeros where none is told, (B, code + 1), None of a
            model without an encoder; and what each tells beside the class, nats (B,).
        """
        nats = torch.zeros(len(batch.labels), device=batch.labels.device)
        if not self.config.code:
            return None, nats
        rows = batch.coded.nonzero()[:, 0]
        told = nats.new_zeros(len(nats), self.config.code + 1)
        if len(rows):
            codes, log_spread = self.encoder(batch.pictures[rows]), self.encoder.log_spread
            beside = self.prior.divergence(codes, log_spread, batch.labels[rows])
            nats = nats.index_put((rows,), beside)
            if self.training:
                codes = codes + torch.randn_like(codes) * log_spread.exp()
            known = torch.cat([codes, torch.ones_like(codes[:, :1])], dim=1)
            told = told.index_put((rows,), known)
        return told, nats

    def stream(self, batch: Batch, codes: Tensor | None = None) -> Tensor:
        """Return what each position knows before its point, (B, T, width).

        Args:
            batch: The drawings.
            codes: See `read_codes`.
        """
        quality = self.quality(batch.quality)  # (B, d)
        altered_start, altered = self.altered(batch.altered).chunk(2, dim=-1)
        start = self.start(batch.labels) + self.strokes(batch.strokes) + quality
        start, told = start + altered_start, self.label(batch.labels) + quality + altered
        gains: list[Tensor | None] = [None] * len(self.blocks)
        if codes is not None:
            hidden = F.relu(self.code_hidden(codes))
            start, told = start + self.code_start(hidden), told + self.code_point(hidden)
            each = self.code_gain(hidden).unflatten(1, (len(gains), 1, 2, -1))
            gains = list((1 + each).unbind(1))
        points = self.point(batch.features[:, :-1]) + self.pen(batch.pens[:, :-1])
        points = points + told[:, None]  # (B, T - 1, d)
        x = torch.cat([start[:, None], points], dim=1)
        cos, sin = rotations(self.config, x)
        x = x.to(cos.dtype)
        for block, gain in zip(self.blocks, gains, strict=True):
            x = block(x, cos, sin, gain)
        return norm(x.float())

    def losses(self, batch: Batch, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of offset and pen.

        Args:
            batch: The drawings.
            codes: See `read_codes`.

        Returns:
            Two (B, T), in nats in pixels; zero where points are not real.
        """
        stream = self.stream(batch, codes)
        with torch.autocast(stream.device.type, enabled=False):
            log_floor = math.log(SIGMA_FLOOR / self.scale)
            output = self.mixture(stream)
            density = mixture_log_density(output, batch.offsets / self.scale, log_floor)
            joint = torch.cat([stream, batch.features], dim=-1)
            logits = self.pen_out(F.relu(self.pen_hidden(joint)))
            pen = F.cross_entropy(logits.transpose(1, 2), batch.pens, reduction="none")
        offset = 2 * math.log(self.scale) - density
        return offset * batch.real, pen * batch.real
