"""A stand-in for the maker's `nextdraw`, after what is public of its interface.

It is the stand-in for `pyaxidraw` under other names: other modes, options, ranges, defaults.
Of the machines it shows nothing, and it speaks to the board as `pyaxidraw` does: the real one
wants another firmware.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "pyaxidraw_stub"))
from pyaxidraw import axidraw as _axidraw

# Not the last entry any more: what was imported may have added its own.
sys.path.remove(str(Path(__file__).parents[2] / "pyaxidraw_stub"))
for _name in [n for n in sys.modules if n.partition(".")[0] == "pyaxidraw"]:
    del sys.modules[_name]  # in place: another dictionary would not be the interpreter's

PERCENT = range(1, 101)
GONE = ("const_speed", "manual_cmd")
OPTIONS = {name: each for name, each in _axidraw.OPTIONS.items() if name not in GONE} | {
    "mode": ("plot", ("plot", "layers", "res_plot", "utility")),
    "utility_cmd": (
        "none",
        ("none", "raise_pen", "lower_pen", "walk_home", "walk_mmx", "walk_mmy", "find_home"),
    ),
    "model": (8, range(1, 11)),
    "pen_pos_down": (40, range(101)),
    "speed_pendown": (25, PERCENT),
    "speed_penup": (75, PERCENT),
    "penlift": (1, (1, 3)),
    "handling": (1, range(1, 5)),
    "homing": (True, (False, True)),
}


class NextDraw(_axidraw.AxiDraw):
    """The plot context."""

    table = OPTIONS
    travel = _axidraw.TRAVEL | {
        "8511": (11.81, 8.58),
        "1117": (16.93, 11.69),
        "2234": (34.02, 23.39),
    }
    by_hand = ("utility", "utility_cmd")
