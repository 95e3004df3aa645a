"""A progress bar for work that may turn out to be long."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

#: How long work stays without a bar, in seconds.
PATIENCE = 1.0


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal once work on ``total`` things has taken a second.

    Short work does not wait for the bar's import either.

    Yields:
        What to call with the number of things that have just been done.
    """
    begun, done = time.monotonic(), 0
    bar: tqdm[None] | None = None

    def advance(count: int) -> None:
        nonlocal bar, done
        done += count
        if bar is None and time.monotonic() - begun > PATIENCE:
            from tqdm import tqdm

            bar = stack.enter_context(tqdm(total=total, disable=None, leave=False))
        if bar is not None:
            bar.update(done - bar.n)

    with contextlib.ExitStack() as stack:
        yield advance


def part_of(advance: Callable[[int], None], total: int) -> Callable[[float], None]:
    """Return what is told the share of ``total`` things that is done, for a bar."""
    done = 0

    def to(share: float) -> None:
        nonlocal done
        now = round(share * total)
        advance(now - done)
        done = now

    return to
