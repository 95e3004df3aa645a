"""What stands on a flash sheet beside its designs: frame, title, numbers, seed, signature.

All of it in vpype's single-line fonts (Hershey's), with accents (`letters.py`).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

import click
import vpype as vp

from vpype_sketchformer.commands.support.letters import has, text_line
from vpype_sketchformer.commands.support.parameters import require
from vpype_sketchformer.units import CM

#: Left, top, right and bottom of a part of the page.
Box = tuple[float, float, float, float]

#: The size of numbers, seed and signature; capitals are two thirds as high.
SIZE = 0.42 * CM

#: The size of the title, over the page's longer side.
TITLE_SHARE = 0.032


def check(ctx: click.Context, name: str, text: str | None) -> None:
    """Refuse a parameter's text if the fonts do not have its characters.

    Raises:
        click.BadParameter: They do not; the message names them.
    """
    characters = sorted(set(unicodedata.normalize("NFC", text or "")))
    strange = ", ".join(repr(one) for one in characters if not has(one))
    require(not strange, ctx, name, f"the fonts have no {strange}.")


def furnish(
    ctx: click.Context, page: tuple[float, float], values: Mapping[str, Any], seed: int | None
) -> tuple[vp.LineCollection, Box]:
    """Draw what every page has.

    Args:
        ctx: The context of the command.
        page: Width and height of the page.
        values: The command's parameters.
        seed: The seed to print, if any.

    Returns:
        The lines, and the part of the page that they leave to the designs.

    Raises:
        click.UsageError: They leave none.
    """
    margin, gap = values["margin"], values["gap"]
    left, top, right, bottom = margin, margin, page[0] - margin, page[1] - margin
    lines = vp.LineCollection()
    if values["frame"] and right > left and bottom > top:
        lines.append(vp.rect(left, top, right - left, bottom - top))
        left, top, right, bottom = left + gap, top + gap, right - gap, bottom - gap

    title = text_line(values["title"] or "", values["font"], TITLE_SHARE * max(page))
    foot = _foot(values, seed, right - left)
    for name, line in (("title", title), ("signature", foot)):
        width, height = extent(line)
        require(
            width <= right - left or not values[name],
            ctx,
            name,
            f"a line of {width / CM:.3g} cm does not fit on the page within its margins.",
        )
        if name == "title" and height:
            lines.extend(moved(line, (left + right - width) / 2, top))
            top += height + gap
        elif height:
            lines.extend(moved(line, left, bottom - height))
            bottom -= height + gap
    room = f"a page of {page[0] / CM:.4g} × {page[1] / CM:.4g} cm"
    if min(right - left, bottom - top) <= 0 or not math.isfinite(right + bottom):
        raise click.UsageError(
            f"{room} has no room within its margins of {margin / CM:.4g} cm for designs.", ctx
        )
    return lines, (left, top, right, bottom)


def extent(lines: vp.LineCollection) -> tuple[float, float]:
    """Return width and height of lines; zero where there are none."""
    left, top, right, bottom = lines.bounds() or (0.0, 0.0, 0.0, 0.0)
    return right - left, bottom - top


def moved(lines: vp.LineCollection, x: float, y: float) -> vp.LineCollection:
    """Return lines with the top left corner of their bounds at (x, y)."""
    left, top, _, _ = lines.bounds() or (0.0, 0.0, 0.0, 0.0)
    result = vp.LineCollection(lines)
    result.translate(x - left, y - top)
    return result


def _foot(values: Mapping[str, Any], seed: int | None, width: float) -> vp.LineCollection:
    """Draw the line at the bottom: the seed at its left, the signature at its right."""
    note = text_line("" if seed is None else f"seed {seed}", values["font"], SIZE)
    signature = text_line(values["signature"] or "", values["font"], SIZE)
    if len(signature):
        taken = extent(note)[0] + values["gap"] if len(note) else 0.0
        free = max(taken, width - extent(signature)[0])
        left = (note.bounds() or (0.0,))[0]
        signature.translate(left + free - signature.bounds()[0], 0)
    note.extend(signature)
    return note
