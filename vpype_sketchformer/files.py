"""Writing a file whole or not at all.

The content goes to a temporary file in the same folder, which then takes the file's place in
one step: who reads the file finds the old content or the new, never half of it, even if the
power fails. The temporary file is created exclusively, so neither it nor the file is ever
written through a symbolic link that somebody else has put there: a link is replaced.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces another one when the block ends well.

    If the block raises anything, the file stays as it was.

    Args:
        path: The file to replace, or to create.

    Yields:
        What to write to.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, text as UTF-8.

    Raises:
        OSError: It cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as file:
        file.write(data)
