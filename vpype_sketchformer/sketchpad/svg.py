"""SVG in and out of the sketchpad, as vpype reads and writes it."""

from __future__ import annotations

import io

import numpy as np
import vpype as vp

from vpype_sketchformer.sketchpad.pad import (
    LARGEST_COORDINATE,
    MOST_STROKES,
    PENS,
    WAYS,
    Pad,
    Stroke,
)
from vpype_sketchformer.svg_reader import SvgError, SvgReader
from vpype_sketchformer.units import CM


def read_strokes(reader: SvgReader, data: bytes) -> list[Stroke]:
    """Read the lines of an SVG that fit on a page, in pixels.

    Raises:
        SvgError: It is none, or there are no lines in it, or too many.
    """
    strokes = [
        s for s in reader.read(data) if np.all(np.abs(s) <= LARGEST_COORDINATE)
    ]  # drops NaN too
    if not strokes:
        raise SvgError("no lines in it")
    if len(strokes) > MOST_STROKES:
        raise SvgError(f"more than {MOST_STROKES:,} lines in it")
    return strokes


def write_pad(pad: Pad, way: str) -> str:
    """Write what is on the page as an SVG, with the layers that the pipeline would get."""
    document = vp.Document(page_size=pad.size)
    for i, drawn in enumerate(pad.layers(way if way in WAYS else WAYS[0]), 1):
        layer = vp.LineCollection(stroke @ [1, 1j] for stroke in drawn.strokes)
        layer.set_property(vp.METADATA_FIELD_NAME, drawn.name)
        dip(layer, drawn.pen)
        document.add(layer, i, with_metadata=True)
    return write_document(document)


def dip(layer: vp.LineCollection, pen: str) -> None:
    """Give a layer the colour and width of a pen, see `pad.PENS`; the plain one has none."""
    if pen:
        colour, width = PENS[pen]
        layer.set_property(vp.METADATA_FIELD_COLOR, vp.Color(colour))
        layer.set_property(vp.METADATA_FIELD_PEN_WIDTH, width * CM / 10)


def write_document(document: vp.Document) -> str:
    """Write a document as an SVG."""
    text = io.StringIO()
    vp.write_svg(text, document)
    return text.getvalue()
