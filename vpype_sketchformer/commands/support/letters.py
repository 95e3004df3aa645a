"""Lines of text in vpype's single-line fonts, with the letters of Western Europe.

The fonts are Hershey's and have ASCII only. Accents are drawn here, above and below their
letters; some letters and marks are put together from others.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import vpype as vp

#: Accents as lines in a box from -0.5 to 0.5 that stands on 0, by their combining character.
#: The unit is the height of an x.
_ACCENTS: dict[str, list[list[complex]]] = {
    "\u0300": [[-0.2 + 0.4j, 0.1]],
    "\u0301": [[0.2 + 0.4j, -0.1]],
    "\u0302": [[-0.25, 0.35j, 0.25]],
    "\u0303": [[-0.3 + 0.05j, -0.15 + 0.25j, 0.15 + 0.05j, 0.3 + 0.25j]],
    "\u0308": [[-0.22 + 0.1j, -0.22 + 0.18j], [0.22 + 0.1j, 0.22 + 0.18j]],
    "\u030a": [(0.2j + 0.2 * np.exp(2j * np.pi * np.linspace(0, 1, 13))).tolist()],
    "\u030c": [[-0.25 + 0.35j, 0, 0.25 + 0.35j]],
}
#: The accent below a letter.
_CEDILLA = "\u0327"
_BELOW: list[complex] = [0, -0.12j, 0.12 - 0.18j, 0.12 - 0.32j, -0.12 - 0.36j]

#: What is put together: the characters, and how much closer, in heights of an x.
_TOGETHER: dict[str, tuple[str, float]] = {
    "æ": ("ae", 0.25),
    "Æ": ("AE", 0.45),
    "œ": ("oe", 0.25),
    "Œ": ("OE", 0.35),
    "«": ("<<", 0.3),
    "»": (">>", 0.3),
    "…": ("...", 0.0),
    "—": ("--", 1.0),
    "„": (",,", 0.1),
}
#: What looks like another character.
_LIKE = dict(zip("–‘’“”‹›·", "-''\"\"<>.", strict=True))
#: What is another character upside down.
_TURNED = {"¿": "?", "¡": "!"}
#: Letters with a line through them.
_CROSSED = {"ø": "o", "Ø": "O"}

#: ß, from its foot on: x and y in heights of an x, y up.
_SHARP_S = [
    *[0, 1.1j, 0.05 + 1.35j, 0.2 + 1.5j, 0.4 + 1.5j, 0.55 + 1.35j, 0.55 + 1.15j],
    *[0.42 + 0.95j, 0.3 + 0.85j, 0.5 + 0.75j, 0.68 + 0.55j, 0.7 + 0.3j, 0.58 + 0.08j],
    *[0.4 + 0j, 0.25 + 0.05j],
]


def has(character: str) -> bool:
    """Tell whether a character can be drawn."""
    base, *marks = list(unicodedata.normalize("NFD", character)) or [" "]
    known = all(mark in _ACCENTS or mark == _CEDILLA for mark in marks)
    others = _TOGETHER.keys() | _LIKE.keys() | _TURNED.keys() | _CROSSED.keys() | {"ß"}
    return known and (" " <= base <= "~" or base in others)


def text_line(text: str, font: str, size: float) -> vp.LineCollection:
    """Draw a line of text, as `vpype.text_line` does, from (0, 0) to the right.

    Args:
        text: What to write; all of its characters must be there, see `has`.
        font: One of vpype's fonts.
        size: The size of the font.
    """
    line, x = vp.LineCollection(), 0.0
    for character in unicodedata.normalize("NFC", text):
        glyph, width = _glyph(character, font, size)
        glyph.translate(x, 0)
        line.extend(glyph)
        x += width
    return line


def _glyph(character: str, font: str, size: float) -> tuple[vp.LineCollection, float]:
    """Return the lines of a character, and its width."""
    x_left, x_top, _, foot = vp.text_line("x", font, size).bounds()
    unit = foot - x_top
    if character in _TOGETHER:
        parts, closer = _TOGETHER[character]
        whole, width = vp.LineCollection(), closer * unit
        for part in parts:
            lines, wide = _plain(part, font, size)
            lines.translate(width - closer * unit, 0)
            whole.extend(lines)
            width += wide - closer * unit
        return whole, width
    if character == "ß":
        lines = vp.LineCollection([np.conj(np.array(_SHARP_S)) * unit])
        lines.translate(x_left, foot)
        return lines, lines.bounds()[2] + x_left
    if character in _TURNED:
        lines, width = _plain(_TURNED[character], font, size)
        left, _, right, _ = lines.bounds()
        # A turn by 180 degrees; it hangs from the top of an x.
        return vp.LineCollection(
            [complex(left + right, x_top + foot) - part for part in lines]
        ), width
    character = _LIKE.get(character, character)
    base, *marks = list(unicodedata.normalize("NFD", _CROSSED.get(character, character)))
    if marks and base == "i":
        base = "ı"
    lines, width = _plain(base, font, size)
    if not len(lines):
        return lines, width
    left, top, right, bottom = lines.bounds()
    middle = (left + right) / 2
    for mark in marks:
        at = complex(middle, bottom if mark == _CEDILLA else top - 0.2 * unit)
        for stroke in [_BELOW] if mark == _CEDILLA else _ACCENTS[mark]:
            lines.append(at + np.conj(np.array(stroke)) * unit)
    if character in _CROSSED:
        lines.append([complex(left, bottom), complex(right, top)])
    return lines, width


def _plain(character: str, font: str, size: float) -> tuple[vp.LineCollection, float]:
    """Return the lines of a character that the font has, and its width.

    An i without its dot, ``ı``, is made of the i.
    """
    bar = vp.text_line("|", font, size)
    both = vp.text_line(f"{'i' if character == 'ı' else character}|", font, size)
    lines = vp.LineCollection(both[: len(both) - len(bar)])
    width = float((both[len(both) - len(bar)][0] - bar[0][0]).real)
    if character == "ı":
        lowest = max(line.imag.max() for line in lines)
        lines = vp.LineCollection([line for line in lines if line.imag.max() == lowest])
    return lines, width
