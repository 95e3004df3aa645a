"""One sitting at the contact sheet of `sketchpick`: what is on it, chosen, and its order.

What is chosen lives here and not in the page, so that closing the tab loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from vpype_sketchformer.sketchpad.pad import PadError, as_count, flat
from vpype_sketchformer.sketchpad.server import Server

Line = NDArray[np.complex128]

#: Pictures keep this share of their longer side in detail, and so many points at most.
DETAIL, MOST_POINTS = 1 / 400, 20_000


class PickServer(Server):
    """The contact sheet."""

    index = "pick.html"


class DrawingError(RuntimeError):
    """No further ones can be drawn; the message is one clear line."""


@dataclass(frozen=True, eq=False)
class Item:
    """Something to choose.

    Attributes:
        name: What it is called.
        lines: Its lines, to be shown.
        colour: Their colour, as CSS has it; empty for ink.
        origin: Where it lies in the pipeline: whatever the caller needs to find it again.
        again: Whether more like it can be drawn.
    """

    name: str
    lines: Sequence[Line]
    colour: str
    origin: Any
    again: bool = False


#: Draws more like an item, or more of all; slow. `DrawingError` if it cannot.
DrawMore = Callable[[Item | None], list[Item]]


class Picking:
    """What the contact sheet and the pipeline share while it is open.

    Attributes:
        items: What there is to choose from; only ever added to.
        order: The numbers of the items, as they stand on the sheet.
        chosen: Those that were chosen.
    """

    trouble = ""

    def __init__(self, items: list[Item], more: DrawMore, anew: bool) -> None:
        self.items, self._more, self._anew = items, more, anew
        self.order = list(range(len(items)))
        self.chosen: set[int] = set()
        self.say: Callable[[Mapping[str, Any]], None] = _to_nobody
        self.ended, self.silent = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "sketchpick-model")

    @property
    def picked(self) -> list[Item]:
        """What was chosen, in order."""
        return [self.items[number] for number in self.order if number in self.chosen]

    def close(self) -> None:
        """Draw no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def welcome(self) -> None:
        """Tell a page all that it needs to begin with."""
        self.say(
            {
                "type": "welcome",
                "items": [_picture(item) for item in self.items],
                "order": self.order,
                "chosen": sorted(self.chosen),
                "more": self._anew,
            }
        )

    def leave(self) -> None:
        """Go on without a page."""
        self.say = _to_nobody

    async def keep(self) -> None:
        """Nothing is kept on disk: what came down the pipeline can be made again."""

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a page asks for.

        Raises:
            PadError: It is nothing that a page asks for.
        """
        kind = message.get("type")
        if kind == "choice":
            self._choose(message)
        elif kind == "more":
            self._draw(message.get("like"))
        elif kind == "done":
            if not self.chosen:
                raise PadError("nothing is chosen.")
            self.ended.set()
        elif kind == "bye":
            self.silent.set()
        else:
            raise PadError("nobody knows this kind of message.")

    def _choose(self, message: Mapping[str, Any]) -> None:
        """Take over what is chosen; what the page does not know yet stays at the end."""
        order, chosen = message.get("order"), message.get("chosen")
        if not isinstance(order, list) or not isinstance(chosen, list):
            raise PadError("a choice is two lists of numbers.")
        known = [as_count(number) for number in order]
        picked = {as_count(number) for number in chosen}
        numbers = set(known)
        if len(numbers) != len(known) or not picked <= numbers <= set(self.order):
            raise PadError("a choice names what is there, once.")
        self.order = known + [number for number in self.order if number not in numbers]
        self.chosen = picked

    def _draw(self, like: Any) -> None:
        """Draw further ones, in a thread of their own."""
        number = None if like is None else as_count(like)
        if number is not None and number >= len(self.items):
            raise PadError("there is no such item.")
        item = None if number is None else self.items[number]
        if not (self._anew if item is None else item.again):
            raise PadError("there is nothing to draw more of.")

        def draw() -> None:
            try:
                found, trouble = self._more(item), ""
            except DrawingError as error:
                found, trouble = [], str(error)
            self._loop.call_soon_threadsafe(self._add, number, found, trouble)

        self._thread.submit(draw)

    def _add(self, like: int | None, found: list[Item], trouble: str) -> None:
        """Put further ones on the sheet, behind the one that they are like."""
        first = len(self.items)
        self.items += found
        numbers = list(range(first, len(self.items)))
        place = len(self.order) if like is None else self.order.index(like) + 1
        self.order[place:place] = numbers
        pictures = [_picture(item) for item in found]
        self.say({"type": "added", "items": pictures, "like": like, "trouble": trouble})


def _to_nobody(message: Mapping[str, Any]) -> None:
    """Say something while no browser is connected."""


def _picture(item: Item) -> dict[str, Any]:
    """Describe an item to the page; the picture leaves out what nobody would see."""
    points = np.concatenate(item.lines).view(np.float64).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    side = float(max(right - left, bottom - top)) or 1.0
    strokes, count = [], 0
    for line in item.lines:
        placed = (line - complex(left, top)) / side * 1000
        stroke = placed.view(np.float64).reshape(-1, 2)
        if len(stroke) > 2:
            thin = shapely.simplify(shapely.LineString(stroke), 1000 * DETAIL)
            stroke = shapely.get_coordinates(thin)
        count += len(stroke)
        if count > MOST_POINTS:
            break
        strokes.append(flat(stroke))
    return {
        "name": item.name,
        "colour": item.colour,
        "again": item.again,
        "size": [1000 * float(right - left) / side, 1000 * float(bottom - top) / side],
        "strokes": strokes,
    }
