"""SVG files from strangers, read as vpype reads them, in a process with limits.

A small file can ask for all the memory and time of a machine: a circle of a kilometre, a group
that holds itself. What vpype and svgelements do with it cannot be foreseen, but a process can
be watched, and killed. That works alike on Linux, macOS and Windows.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import signal
import struct
import subprocess
import sys
import time
from threading import Thread
from typing import IO, TYPE_CHECKING

import numpy as np

from vpype_sketchformer.wording import OneLineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stroke = NDArray[np.float64]

#: What one file may take: seconds of the processor, and bytes of memory.
SECONDS, MEMORY = 8.0, 700 * 2**20
#: Seconds by the clock, where the machine is so busy that the processor's do not come.
PATIENCE = 300.0
#: Seconds between two looks at the process.
PAUSE = 0.02
#: The most lines that are handed back.
MOST_POINTS = 1_000_000

#: What goes through the pipes: whether it is good, its length in bytes, then the bytes.
_HEAD = struct.Struct("<?Q")


TOO_MUCH = "reading it takes too long, or too much memory"


class SvgError(OneLineError):
    """An SVG that cannot be read; the message says why, in half a sentence."""


class SvgReader:
    """Reads files one after the other; start it with ``with``."""

    def __init__(self, step: float, *, crop: bool) -> None:
        """Start nothing yet.

        Args:
            step: Longest piece of a flattened curve, in pixels.
            crop: Whether to cut off what lies beyond the page.
        """
        self.arguments = [str(step), "crop" if crop else "whole"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SvgReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the process; who waits for it gets a `SvgError`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def read(self, content: bytes) -> list[Stroke]:
        """Read everything that has an outline, in the order of the file.

        Args:
            content: The file.

        Returns:
            The lines, (n, 2) each, in pixels.

        Raises:
            SvgError: It is no SVG, there is nothing in it, or too much.
        """
        import psutil

        process = self._process or self._start()
        answers: queue.Queue[tuple[bool, bytes]] = queue.Queue()
        Thread(target=_exchange, args=(process, content, answers), daemon=True).start()
        begun = time.monotonic()
        good, answer = False, b""
        try:
            watched = psutil.Process(process.pid)
            before = sum(watched.cpu_times()[:2])
            while True:
                with contextlib.suppress(queue.Empty):
                    good, answer = answers.get(timeout=PAUSE)
                    break
                worked = sum(watched.cpu_times()[:2]) - before
                if (
                    worked > SECONDS
                    or watched.memory_info().rss > MEMORY
                    or time.monotonic() - begun > PATIENCE
                ):
                    self.close()
                    raise SvgError(TOO_MUCH)
        except psutil.Error:  # it is gone
            answer = b""
        if good:
            arrays = np.load(io.BytesIO(answer), allow_pickle=False)
            return np.split(arrays["points"], arrays["ends"][:-1])
        if not answer:  # it crashed, or was closed
            self.close()
        raise SvgError(answer.decode() or "damaged, or not an SVG")

    def _start(self) -> subprocess.Popen[bytes]:
        # It imports what this process would, and with -P nothing from the current folder.
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vpype_sketchformer.svg_reader", *self.arguments],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._process


def _exchange(
    process: subprocess.Popen[bytes],
    content: bytes,
    answers: queue.Queue[tuple[bool, bytes]],
) -> None:
    """Send a file and wait for the answer; an empty one if the process ends before."""
    assert process.stdin is not None and process.stdout is not None
    try:
        _send(process.stdin, True, content)
        answers.put(_receive(process.stdout) or (False, b""))
    except (OSError, ValueError):  # the pipe is closed
        answers.put((False, b""))


def _send(stream: IO[bytes], good: bool, content: bytes) -> None:
    stream.write(_HEAD.pack(good, len(content)) + content)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[bool, bytes] | None:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    good, length = _HEAD.unpack(head)
    return good, stream.read(length)


def _read(content: bytes, step: float, crop: bool) -> bytes:
    """Read a file; returns its points, (N, 2), and where its lines end, as an ``.npz``.

    Raises:
        SvgError: It cannot be read.
    """
    import vpype as vp

    try:
        lines, _, _ = vp.read_svg(io.BytesIO(content), step, crop=crop)
    except MemoryError as error:
        raise SvgError(TOO_MUCH) from error
    # svgelements raises many kinds of errors over damaged data.
    except Exception as error:
        raise SvgError("damaged, or not an SVG") from error
    ends = np.cumsum([len(line) for line in lines])
    if not len(ends):
        raise SvgError("no lines in it")
    if ends[-1] > MOST_POINTS:
        raise SvgError(f"more than {MOST_POINTS:,} points in it")
    stream = io.BytesIO()
    np.savez(stream, points=vp.as_vector(np.concatenate(list(lines))), ends=ends)
    return stream.getvalue()


def main() -> None:
    """Read what comes in, one file after the other, until nothing comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started this
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever is printed on the way is no answer
    step, crop = float(sys.argv[1]), sys.argv[2] == "crop"
    while request := _receive(source):
        try:
            answer, good = _read(request[1], step, crop), True
        except SvgError as error:
            answer, good = str(error).encode(), False
        _send(target, good, answer)


if __name__ == "__main__":
    main()
