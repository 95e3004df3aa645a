"""Who waits for long is told how long, and may stop, in a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
from pathlib import Path

from tests.conftest import VPYPE


def test_long_work_shows_the_time_left_and_ends_at_once(tmp_path: Path) -> None:
    """Ctrl-C leaves what was there as it was, and nothing else."""
    out = tmp_path / "out.svg"
    out.write_text("of value")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        # Where tests run in the background it is ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        line = "vpype random -n 700 random -l new -n 700 oneline write out.svg"
        os.execv(str(VPYPE), line.split())
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    said, stopped = "", False
    try:
        while select.select([terminal], [], [], 60)[0]:
            try:
                said += os.read(terminal, 1000).decode()
            except OSError:  # it has ended
                break
            if not stopped and re.search(r"%\|.*\[\d\d:\d\d<", said):
                os.write(terminal, b"\x03")
                stopped = True
        assert stopped, said
        assert said.rstrip().endswith("Aborted!")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)
    assert [path.name for path in tmp_path.iterdir()] == ["out.svg"]
    assert out.read_text() == "of value"
