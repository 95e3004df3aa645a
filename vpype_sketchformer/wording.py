"""Text from outside, made fit to be printed: file names, class names, what machines say."""

from __future__ import annotations

#: Characters of text from outside that are shown; the rest is left out.
LONGEST = 1000
#: Characters that part the folders of a path, on whatever system; no name has them.
SEPARATORS = frozenset("/\\:")
#: Characters of the name of a class.
LONGEST_NAME = 100


def plain(text: object) -> str:
    r"""Return text as one line in which nothing moves the cursor or turns letters round.

    What is not printable is written as Python writes it: ``\x1b`` for the character that
    begins a terminal's commands, ``\n`` for the end of a line, ``\udc80`` for a byte of a file
    name that is no UTF-8. Such text can also stand in XML, which has no place for most of it.
    """
    line = str(text)
    if len(line) > LONGEST:
        line = line[:LONGEST] + "…"
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def is_name(value: object) -> bool:
    """Tell whether a value can be the name of a class, which becomes that of layers and files.

    It is printable, not blank, not too long, and leads into no other folder.
    """
    return (
        isinstance(value, str)
        and value.isprintable()
        and bool(value.strip(" ."))
        and len(value) <= LONGEST_NAME
        and SEPARATORS.isdisjoint(value)
    )


class OneLineError(ValueError):
    """An error that is told to the user as it is: its message is one line, printable."""

    def __init__(self, message: object = "") -> None:
        """Take the message, whatever text from outside is part of it."""
        super().__init__(plain(message))
