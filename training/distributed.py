"""One training on several processes, as ``torchrun`` starts them.

Every process makes the same batch and takes its rows of it; the sums of their gradients are
those of the whole batch, so that all of them make the same step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, distributed


def join() -> torch.device:
    """Join the other processes, if torchrun started some; returns the device of this one."""
    on_gpu = torch.cuda.is_available()
    if not distributed.is_torchelastic_launched():
        return torch.device("cuda" if on_gpu else "cpu")
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    if not on_gpu:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


def leave() -> None:
    """Part from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def place() -> tuple[int, int]:
    """Tell which process this is, from 0, and of how many."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, in one message."""
    if not distributed.is_initialized():
        return
    sizes = [tensor.numel() for tensor in tensors]
    sums = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(sums)
    for tensor, total in zip(tensors, torch.split(sums, sizes), strict=True):
        tensor.copy_(total.view_as(tensor))


def anywhere(holds: bool, device: torch.device) -> bool:
    """Tell whether something holds in any of the processes."""
    if not distributed.is_initialized():
        return holds
    count = torch.tensor(float(holds), device=device)
    distributed.all_reduce(count)
    return bool(count > 0)
