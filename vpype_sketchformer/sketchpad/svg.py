"""SVG in and out of the sketchpad, as vpype reads and writes it."""

from __future__ import annotations

import io
from xml.etree.ElementTree import ParseError

import numpy as np
import vpype as vp

from vpype_sketchformer.sketchpad.pad import (
    FARTHEST,
    MOST_POINTS,
    MOST_STROKES,
    WAYS,
    Pad,
    Stroke,
)
from vpype_sketchformer.units import FLATNESS


class SvgError(ValueError):
    """A file that cannot be put on the page; the message is one clear line."""


def read_strokes(data: bytes) -> list[Stroke]:
    """Read the lines of an SVG, in pixels.

    Raises:
        SvgError: It is none, or there are no lines in it, or too many.
    """
    try:
        document = vp.read_multilayer_svg(io.StringIO(data.decode("utf-8")), FLATNESS)
    except UnicodeDecodeError as error:
        raise SvgError("This file is no SVG.") from error
    except (ParseError, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        # svgelements raises any of these for what it does not understand.
        raise SvgError("This file is no SVG that vpype can read.") from error
    strokes = [vp.as_vector(line) for layer in document.layers.values() for line in layer]
    strokes = [s for s in strokes if np.all(np.abs(s) <= FARTHEST)]  # also drops NaN
    if not strokes:
        raise SvgError("There are no lines in this file.")
    if len(strokes) > MOST_STROKES or sum(map(len, strokes)) > MOST_POINTS:
        raise SvgError("There are too many lines in this file.")
    return strokes


def write_pad(pad: Pad, way: str) -> str:
    """Write what is on the page as an SVG, with the layers that the pipeline would get."""
    document = vp.Document(page_size=pad.size)
    for i, (name, strokes) in enumerate(pad.layers(way if way in WAYS else WAYS[0]), 1):
        layer = vp.LineCollection(stroke @ [1, 1j] for stroke in strokes)
        layer.set_property(vp.METADATA_FIELD_NAME, name)
        document.add(layer, i, with_metadata=True)
    return write_document(document)


def write_document(document: vp.Document) -> str:
    """Write a document as an SVG."""
    text = io.StringIO()
    vp.write_svg(text, document)
    return text.getvalue()
