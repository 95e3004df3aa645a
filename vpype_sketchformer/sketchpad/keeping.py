"""Pages kept on disk, each in a file of its own, so that nothing that was drawn is lost."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.sketchpad.pad import Pad, PadError, parse

#: Pages that stay; older ones go when a new one begins.
PAGES = 30
#: The largest file that is read, in bytes, and how many brackets and quotes it may have: more
#: than any page, and few enough to take little memory.
LARGEST, MOST_PARTS = 24 * 2**20, 500_000
NAME = re.compile(r"\d{4}-\d{2}-\d{2}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class Kept:
    """A page that was kept.

    Attributes:
        name: Its name on the shelf.
        when: When it was last drawn on, seconds since 1970.
        pad: The page.
    """

    name: str
    when: float
    pad: Pad


class Shelf:
    """A folder of pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        moment = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        self.name = f"{moment}-{secrets.token_hex(2)}"

    @property
    def path(self) -> Path:
        """The file of the page that is being drawn."""
        return self._path(self.name)

    def keep(self, text: str) -> None:
        """Write the page that is being drawn, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        if not self.path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in self._names()[PAGES - 1 :]:
                self._path(name).unlink(missing_ok=True)
        write_whole(self.path, text)

    def drop(self) -> None:
        """Forget the page that is being drawn: nothing is on it."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def earlier(self, count: int) -> list[Kept]:
        """Return the latest other pages that can be read and have something on them."""
        found: list[Kept] = []
        for name in self._names():
            if len(found) == count:
                break
            page = self.read(name)
            if page is not None and page.pad.strokes:
                found.append(page)
        return found

    def read(self, name: str) -> Kept | None:
        """Read a page; None if there is none of this name, or it is damaged."""
        if not NAME.fullmatch(name):
            return None
        path = self._path(name)
        try:
            return Kept(name, path.stat().st_mtime, Pad.from_json(parse(_content(path))))
        except (OSError, PadError):
            return None

    def _names(self) -> list[str]:
        """Names of the other pages, the latest first."""
        names = [path.stem for path in self.folder.glob("*.json")]
        return sorted((n for n in names if NAME.fullmatch(n) and n != self.name), reverse=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _content(path: Path) -> bytes:
    """Read a page's file, if it can be one: whatever is in it, memory stays bounded.

    Raises:
        OSError: It cannot be read; the same for PadError.
    """
    if not path.is_file():  # reading a pipe might never end
        raise PadError("that is no file.")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST or sum(map(content.count, (b"[", b"{", b'"'))) > MOST_PARTS:
        raise PadError("that is too large for a page.")
    return content


def as_text(pad: Pad) -> str:
    """Return what is written of a page."""
    return json.dumps(pad.to_json(), separators=(",", ":"))
