"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

torch has one as well, which rounds to bfloat16 everywhere: seconds a step on a CPU that only
emulates it. This one multiplies in the type that is fast on the device, and all matrices of
one shape at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from training.precision import product_dtype

MOMENTUM = 0.95
#: Quintic whose iteration drives singular values towards one, fast rather than exactly.
COEFFICIENTS = (3.4445, -4.775, 2.0315)
ITERATIONS = 5


def orthogonalise(matrices: Tensor) -> Tensor:
    """Set the singular values of matrices (k, n, m) to about one (0.7 to 1.2)."""
    a, b, c = COEFFICIENTS
    x = matrices.to(product_dtype(matrices.device))
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    norms = torch.linalg.matrix_norm(x.float(), keepdim=True).clamp(min=1e-7)
    x = x / norms.to(x.dtype)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, with decoupled weight decay; for matrices and kernels."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        """Initialise.

        Args:
            params: Matrices, each (n, m), and kernels, (n, k, height, width), which are taken
                for matrices of m = k × height × width.
            lr: Learning rate; tall matrices take steps larger by the root of n / m.
            weight_decay: Share of the weights, times ``lr``, that each step takes away.
        """
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make one step with the gradients as they are."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                alike.setdefault(matrix.flatten(1).shape, []).append(matrix)
            for shape, matrices in alike.items():
                wanted = [self._wanted(matrix).flatten(1) for matrix in matrices]
                updates = orthogonalise(torch.stack(wanted))
                factor = max(1.0, shape[0] / shape[1]) ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1.0 - group["lr"] * group["weight_decay"])
                    matrix.add_(
                        update.to(matrix.dtype).view_as(matrix), alpha=-group["lr"] * factor
                    )

    def _wanted(self, matrix: Tensor) -> Tensor:
        """Add a matrix's gradient to its momentum; returns where the two point."""
        gradient, state = matrix.grad, self.state[matrix]
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        momentum = state["momentum_buffer"].lerp_(gradient, 1.0 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM)
