"""One sitting at the sketchpad: the page, the model beside it, and what is kept of it.

Messages to the page go through `Session.say`, a function that the server sets while a browser
is connected. The model works in a thread of its own, one request at a time; a new one stops
the one before at its next point.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import shapely

from vpype_sketchformer.cleaning import clean_sketch
from vpype_sketchformer.model.completion import CompletionError
from vpype_sketchformer.oneline import Limits, unbroken
from vpype_sketchformer.sketch import Sketch
from vpype_sketchformer.sketchpad.keeping import Kept, Shelf, as_text
from vpype_sketchformer.sketchpad.pad import (
    PENS,
    WAYS,
    Box,
    Pad,
    PadError,
    Stroke,
    as_count,
    as_label,
    as_number,
    flat,
)
from vpype_sketchformer.sketchpad.suggesting import Companion, Suggested, Wish
from vpype_sketchformer.wording import OneLineError

Say = Callable[[Mapping[str, Any]], None]

#: Pages that are offered at the start.
OFFERED = 6
#: Range of the temperature, and most strokes of a suggestion.
COOLEST, HOTTEST, MOST_STROKES = 0.01, 2.0, 100
#: How far from a stroke a line still goes over it, pixels: half a millimetre.
INK = 2.0
#: Seconds between two writes of the page.
PAUSE = 0.2


@dataclass(frozen=True)
class Setting:
    """What the page starts with.

    Attributes:
        label: The class of the first drawing; None to leave it to the model.
        temperature: See ``sampling.sample``.
        one_line: Whether to draw in one line.
        way: How strokes become layers, see ``pad.WAYS``.
        sizes: Page sizes to choose from, by name; none if the page is given.
        pipeline: What is in the pipeline, as an SVG; empty if nothing is.
        taken: The boxes around its layers: a new drawing keeps out of their way.
    """

    label: str | None
    temperature: float
    one_line: bool
    way: str
    sizes: Mapping[str, tuple[float, float]]
    pipeline: str
    taken: Sequence[Box]


class Session:
    """What the page and the pipeline share while the sketchpad is open."""

    def __init__(
        self,
        pad: Pad,
        companion: Companion,
        shelf: Shelf,
        setting: Setting,
    ) -> None:
        self.pad, self.companion, self.shelf, self.setting = pad, companion, shelf, setting
        self.say: Say = _to_nobody
        #: How strokes become layers, once the page is done.
        self.way = setting.way
        self.ended = asyncio.Event()
        #: Set when the page has said all that it had to say.
        self.silent = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "sketchpad-model")
        self._cancel = Event()
        self._changed = asyncio.Event()
        self._number = 0  # of the last change
        self._writing = asyncio.Lock()
        #: Why the page as it is could not be written; empty where it was.
        self.trouble = ""
        self._kept_before = False  # whether a state of this page is on disk
        self._keeper = asyncio.create_task(self._keep_on_keeping())

    async def close(self) -> None:
        """Stop the model, and write what has not been written."""
        self._cancel.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self.keep()

    @property
    def standing(self) -> str:
        """What has become of the page on disk, in words; empty where nothing is on it."""
        if not self.pad.strokes:
            return ""
        if not self.trouble:
            return f"the drawing is kept in {self.shelf.path}"
        if self._kept_before:
            return (
                f"only an earlier state of the drawing is kept; what was drawn since is not "
                f"({self.trouble})"
            )
        return f"the drawing is not kept ({self.trouble})"

    def welcome(self, opened: bool = False) -> None:
        """Tell a page all that it needs to begin with, or to go on with a page it opened."""
        setting = self.setting
        earlier = [] if self.pad.strokes else self.shelf.earlier(OFFERED)
        self.say(
            {
                "type": "welcome",
                "opened": opened,
                **self.pad.to_json(),
                "sizes": {name: list(size) for name, size in setting.sizes.items()},
                "classes": self.companion.classes,
                "pens": PENS,
                "earlier": [_offer(kept) for kept in earlier],
                "sees": self.companion.sees,
                "pipeline": bool(setting.pipeline),
                "label": setting.label,
                "temperature": setting.temperature,
                "one_line": setting.one_line,
                "way": setting.way,
            }
        )

    def leave(self) -> None:
        """Go on without a page: until one comes back, there is nobody to draw for."""
        self.say = _to_nobody
        self._cancel.set()

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a page asks for.

        Raises:
            PadError: It is nothing that a page asks for.
        """
        kind = message.get("type")
        if kind == "change":
            self._change(message)
        elif kind == "suggest":
            self._suggest(message)
        elif kind == "rework":
            self._rework(message)
        elif kind == "hush":
            self._cancel.set()
        elif kind == "page":
            self._resize(message)
        elif kind == "open":
            self._open(message)
        elif kind == "done":
            self._done(message)
        elif kind == "bye":
            self.silent.set()
        else:
            raise PadError("nobody knows this kind of message.")

    def _change(self, message: Mapping[str, Any]) -> None:
        number = as_count(message.get("number"))
        self.pad.change(message)
        self._number = number
        self._changed.set()

    def _resize(self, message: Mapping[str, Any]) -> None:
        if not self.setting.sizes:
            raise PadError("the size of this page is given.")
        self.pad.resize(message.get("size"))
        self._changed.set()

    def _open(self, message: Mapping[str, Any]) -> None:
        name = message.get("name")
        kept = self.shelf.read(name) if isinstance(name, str) else None
        if kept is None:
            self.say({"type": "trouble", "text": "This page can no longer be read."})
            return
        size = kept.pad.size if self.setting.sizes else self.pad.size
        self.pad = Pad(size, kept.pad.strokes, kept.pad.labels)
        self._changed.set()
        self.welcome(opened=True)

    def _done(self, message: Mapping[str, Any]) -> None:
        way = message.get("way")
        if way not in WAYS:
            raise PadError("nobody knows this way of making layers.")
        self.way = way
        self.ended.set()

    def _suggest(self, message: Mapping[str, Any]) -> None:
        request, drawing = as_count(message.get("request")), as_count(message.get("drawing"))
        label = as_label(message.get("label")) or None
        if label is not None and label not in self.companion.classes:
            raise PadError("the model does not know this class.")
        most = message.get("strokes")
        wish = Wish(
            label,
            as_number(message.get("temperature"), COOLEST, HOTTEST),
            None if most is None else int(as_number(most, 1, MOST_STROKES)),
            message.get("one_line") is True,
            message.get("like") is True,
        )
        if wish.like and not self.companion.sees:
            raise PadError("the model cannot read drawings.")
        self._cancel.set()
        self._cancel = cancel = Event()
        strokes = self.pad.drawing(drawing)
        others = [*self.setting.taken, *self.pad.boxes(drawing)]
        arguments = drawing, strokes, self.pad.size, wish, others
        job = self._thread.submit(self._draw_on, request, cancel, *arguments)
        job.add_done_callback(_report)

    def _rework(self, message: Mapping[str, Any]) -> None:
        """Draw a drawing in another way; the page decides what becomes of it."""
        drawing, how = as_count(message.get("drawing")), message.get("how")
        if how not in REWORKS:
            raise PadError("nobody can do that to a drawing.")
        strokes = self.pad.drawing(drawing)
        self._cancel.set()

        def rework() -> None:
            lines = [line for line in REWORKS[how](strokes) if len(line) > 1]
            message = {
                "type": "reworked",
                "drawing": drawing,
                "how": how,
                "strokes": [flat(line) for line in lines],
                "bridges": [flat(line) for line in _bridges(strokes, lines)],
            }
            self._loop.call_soon_threadsafe(self._pass_on, message)

        self._thread.submit(rework).add_done_callback(_report)

    def _draw_on(
        self,
        request: int,
        cancel: Event,
        drawing: int,
        strokes: list[Stroke],
        size: tuple[float, float],
        wish: Wish,
        others: list[Box],
    ) -> None:
        """Suggest and guess, in the model's thread; see `Companion.suggest`."""

        def say(kind: str, **content: Any) -> None:
            if not cancel.is_set():
                message = {"type": kind, "request": request, **content}
                self._loop.call_soon_threadsafe(self._pass_on, message)

        def suggest() -> None:
            ways: Iterable[list[Suggested]]
            if wish.like:
                ways = [self.companion.alike(strokes, size, wish)]
            else:
                ways = self.companion.suggest(drawing, strokes, size, wish, others)
            for grown in ways:
                if cancel.is_set():
                    return
                for suggested in grown:
                    say("suggestion", **_suggestion(suggested))

        with contextlib.suppress(CompletionError):  # a dot
            if cancel.is_set():
                return
            ranking = self.companion.guess(strokes)
            if ranking:
                say("guess", ranking=ranking)
            suggest()
            say("suggested")
        say("rest")

    def _pass_on(self, message: Mapping[str, Any]) -> None:
        """Say something in the server's thread."""
        self.say(message)

    async def _keep_on_keeping(self) -> None:
        """Write the page whenever it has changed, and tell so."""
        while True:
            await self._changed.wait()
            await self.keep()
            await asyncio.sleep(PAUSE)

    async def keep(self) -> None:
        """Write the page, if what is on disk is not what is on the page."""
        async with self._writing:
            if not self._changed.is_set() and not self.trouble:
                return
            self._changed.clear()
            number, empty = self._number, not self.pad.strokes
            try:
                if empty:
                    self.shelf.drop()
                else:
                    await asyncio.to_thread(self.shelf.keep, as_text(self.pad))
            except OSError as error:
                self.trouble = f"{self.shelf.path}: {error.strerror or error}"
                self.say({"type": "not_kept", "text": self.trouble})
            else:
                self.trouble, self._kept_before = "", not empty
                self.say({"type": "kept", "number": number})


def _joined(strokes: Sequence[Stroke]) -> Sequence[Stroke]:
    """Join strokes to one unbroken line, however far they are apart."""
    return unbroken(strokes, Limits(max_bridge=math.inf), smooth=True).paths


def _bridges(strokes: Sequence[Stroke], lines: Sequence[Stroke]) -> list[Stroke]:
    """Return where lines run over paper that the strokes leave white."""
    near = shapely.MultiLineString([s for s in strokes if len(s) > 1]).buffer(INK)
    white = shapely.difference(shapely.MultiLineString(lines), near)
    parts = shapely.get_parts(shapely.line_merge(white))
    return [shapely.get_coordinates(part) for part in parts if part.length > INK]


def _cleaned(strokes: Sequence[Stroke]) -> Sequence[Stroke]:
    """Clean strokes for a fine pen: no specks, nothing twice, ends that meet."""
    return clean_sketch(Sketch(tuple(strokes))).strokes


#: What can be done to a drawing as a whole.
REWORKS = {"join": _joined, "clean": _cleaned}


def _to_nobody(message: Mapping[str, Any]) -> None:
    """Say something while no browser is connected."""


def _offer(kept: Kept) -> dict[str, Any]:
    """Describe a page that was kept; the picture leaves out what nobody would see."""
    return {
        "name": kept.name,
        "when": kept.when,
        "size": list(kept.pad.size),
        "strokes": [flat(stroke.points) for stroke in kept.pad.strokes.values()],
    }


def _suggestion(suggested: Suggested) -> dict[str, Any]:
    return {
        "number": suggested.number,
        "label": suggested.label,
        "strokes": [flat(stroke) for stroke in suggested.strokes],
        "over": suggested.over,
        "finished": suggested.finished,
        "anew": suggested.anew,
    }


def _report(job: Any) -> None:
    """Say in the terminal what went wrong with the model; the page goes on without it."""
    error = None if job.cancelled() else job.exception()
    if isinstance(error, OneLineError):
        logging.error(f"sketchpad: {error}")
    elif error is not None:
        logging.error("sketchpad: the model failed", exc_info=error)
