"""SVGs are read in a process with limits, which is replaced where one breaks them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vpype_sketchformer import svg_reader
from vpype_sketchformer.svg_reader import SvgError, SvgReader


@pytest.fixture(scope="module")
def reader() -> Iterator[SvgReader]:
    with SvgReader(0.1, crop=True) as reader:
        yield reader


def svg(content: str) -> bytes:
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">'
    return f"{head}{content}</svg>".encode()


def check(reader: SvgReader) -> None:
    first, second = reader.read(svg('<path d="M0 0L5 5M190 50H210"/>'))
    np.testing.assert_array_equal(first, [[0, 0], [5, 5]])
    np.testing.assert_array_equal(second, [[190, 50], [200, 50]])


@pytest.mark.parametrize("limit", ["SECONDS", "MEMORY", "PATIENCE"])
def test_who_breaks_a_limit_is_stopped_and_the_next_file_is_read(
    reader: SvgReader, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    check(reader)
    with monkeypatch.context() as patch:
        patch.setattr(svg_reader, limit, 0)
        with pytest.raises(SvgError, match="too long, or too much memory"):
            reader.read(svg('<circle r="100000"/>'))
    check(reader)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<g>" * 1000 + '<path d="M0 0L5 5"/>' + "</g>" * 1000, "damaged, or not an SVG"),
        ("<text>cat</text>", "no lines"),
        ('<path d="M0 0A0 0 0 0 1 0 0A1e-300 1e300 0 0 1 5 5"/>', "SVG"),
    ],
)
def test_what_cannot_be_read_is_half_a_sentence(
    reader: SvgReader, content: str, words: str
) -> None:
    with pytest.raises(SvgError, match=words) as caught:
        reader.read(svg(content))
    assert str(caught.value).isprintable()
    check(reader)
