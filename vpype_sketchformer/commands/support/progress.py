"""A progress bar for work that may turn out to be long."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

#: How long work stays without a bar, in seconds.
PATIENCE = 1.0

#: How often a bar is drawn anew, in seconds: its clock goes on while nothing is told.
TICK = 0.5


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal once work on ``total`` things has taken a second.

    It does so however long the work takes to tell of itself. Short work does not wait for the
    bar's import either.

    Yields:
        What to call with the number of things that have just been done.
    """
    ended = threading.Event()
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count

    def show() -> None:
        if ended.wait(PATIENCE):
            return
        from tqdm import tqdm

        with tqdm(total=total, disable=None, leave=False) as bar:
            if bar.disable:
                return
            bar.start_t -= PATIENCE
            while not ended.wait(TICK):
                bar.n = done
                bar.refresh()

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    try:
        yield advance
    finally:
        ended.set()
        shower.join()


def part_of(advance: Callable[[int], None], total: int) -> Callable[[float], None]:
    """Return what is told the share of ``total`` things that is done, for a bar."""
    done = 0

    def to(share: float) -> None:
        nonlocal done
        now = round(share * total)
        advance(now - done)
        done = now

    return to
