"""What the board in an AxiDraw knows that its maker's module does not tell: power and place.

It is asked through the maker's own library `plotink`, which comes with the module. The board
(EiBotBoard) counts the steps of its motors since they were switched on, whoever is connected.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

#: Steps to the millimetre, by how the motors are set: 16-fold and 8-fold microstepping.
STEPS = {1: 80.0, 2: 40.0}


@dataclass(frozen=True)
class Board:
    """What a board says.

    Attributes:
        powered: Whether the motors have power; the board itself lives on the computer's.
        place: Where the carriage is, x + iy in mm from where the motors were switched on; None
            if they are off.
    """

    powered: bool
    place: complex | None


def look(port: str | None) -> Board | None:
    """Ask the board, before the maker's module begins, which sets the steps to 0.

    Args:
        port: Its port or nickname; None for the first one found.

    Returns:
        None if there is none, or it speaks another language, as one does that NextDraw has set
        up.
    """
    try:
        from plotink import ebb_motion, ebb_serial
    except ImportError:
        return None
    with contextlib.suppress(Exception):  # a board that does not answer says nothing
        found = ebb_serial.find_named_ebb(port) if port else ebb_serial.findPort()
        connection = ebb_serial.testPort(found)
        if connection is None:
            return None
        try:
            powered = bool(ebb_motion.queryVoltage(connection, False))
            setting, _ = ebb_motion.query_enable_motors(connection, False)
            a, b = ebb_motion.query_steps(connection, False)
        finally:
            ebb_serial.closePort(connection)
        logging.info("axidraw: power %s, motors %s, steps %s %s", powered, setting, a, b)
        if a is None or setting not in STEPS:
            return Board(powered, None)
        return Board(powered, complex(a + b, a - b) / (2 * STEPS[setting]))
    return None
