"""What GRBL 1.1 means by its numbers."""

from __future__ import annotations

ERRORS = {
    1: "a word of G-code begins with a letter, this one does not",
    2: "a number is missing or cannot be read",
    3: "there is no such `$` command",
    4: "a value below zero where none can be",
    5: "homing is switched off ($22=0)",
    6: "step pulses have to last 3 microseconds or more",
    7: "the settings in the machine's memory were lost; its defaults are back",
    8: "this `$` command needs an idle machine",
    9: "locked by an alarm, or busy with a jog",
    10: "soft limits need homing ($22=1)",
    11: "the line is longer than the machine can take",
    12: "more steps a second than the machine can make",
    13: "the safety door is open",
    14: "start-up line or build information too long to be kept",
    15: "this jog would leave the machine's travel",
    16: "a jog without `=`, or with G-code that does not belong in one",
    17: "laser mode needs a spindle output with PWM",
    20: "G-code that GRBL does not know",
    21: "two G-code words of the same kind in one line",
    22: "no feed has been set",
    23: "this G-code wants a whole number",
    24: "two words in the line both want the axes",
    25: "the same word twice in one line",
    26: "axes are needed and none is given",
    27: "a line number outside 1 to 9999999",
    28: "a value is missing",
    29: "work coordinates are G54 to G59 only",
    30: "G53 goes with G0 and G1 only",
    31: "axes are given where no motion wants them",
    32: "an arc needs an axis of its plane",
    33: "a target that cannot be reached: an arc that does not fit, or a probe already there",
    34: "an arc's radius that does not fit its ends",
    35: "an arc lacks its centre",
    36: "a value that nothing in the line uses",
    37: "the tool length offset belongs to another axis",
    38: "the tool's number is too high",
}

ALARMS = {
    1: "a limit switch was hit; the position is probably lost, home again",
    2: "the drawing would leave the machine's travel",
    3: "reset while moving; the position is probably lost",
    4: "the probe was not in its initial state",
    5: "the probe touched nothing",
    6: "homing failed: it was reset",
    7: "homing failed: the safety door was opened",
    8: "homing failed: the limit switch stayed closed, raise the pull-off ($27)",
    9: "homing failed: no limit switch was found",
    10: "homing failed: the second limit switch of an axis was not found",
}


def words(reply: str) -> str:
    """Return an ``error:N`` or ``ALARM:N`` with its meaning."""
    kind, _, number = reply.partition(":")
    table = ALARMS if kind == "ALARM" else ERRORS
    known = table.get(int(number)) if number.isdigit() else None
    return f"{reply} ({known or 'not a code of GRBL 1.1; see the controller’s own list'})"
