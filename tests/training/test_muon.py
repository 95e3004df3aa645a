"""Muon's steps, beside what a singular value decomposition says."""

from __future__ import annotations

import pytest
import torch

from training.muon import Muon


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (12, 4, 3, 3)])
def test_a_step_goes_as_far_in_all_directions_of_the_gradient(shape: tuple[int, ...]) -> None:
    """Kernels are taken for matrices; tall ones take steps larger by the root."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.zeros(shape))
    weights.grad = torch.randn(shape)
    Muon([weights], lr=0.5, weight_decay=0.0).step()
    u, _, v = torch.linalg.svd(weights.grad.flatten(1), full_matrices=False)
    along = u.mT @ -weights.detach().flatten(1) @ v.mT / 0.5
    along /= max(1.0, u.shape[0] / v.shape[1]) ** 0.5
    sizes = along.diagonal()
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3
    assert (along - torch.diag(sizes)).abs().max() < 0.05
