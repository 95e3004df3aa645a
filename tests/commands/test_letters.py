"""Letters that vpype's fonts lack, held against those that they have."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import shapely
import vpype as vp

from tests.conftest import CommandLine
from vpype_sketchformer.commands.support.letters import has, text_line

FONTS = ("futural", "timesr", "scripts")
GERMAN, FRENCH, SPANISH = (
    "äöüÄÖÜß„“",
    "àâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸ«»’…—",
    "áéíñóúüÁÉÍÑÓÚÜ¿¡",
)


@pytest.mark.parametrize("font", FONTS)
def test_plain_text_is_as_vpype_writes_it(font: str) -> None:
    text = "".join(map(chr, range(32, 127)))
    ours, theirs = text_line(text, font, 20), vp.text_line(text, font, 20)
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("character", dict.fromkeys(GERMAN + FRENCH + SPANISH))
def test_every_letter_is_drawn_in_its_place(font: str, character: str) -> None:
    assert has(character)
    before, alone = text_line("n", font, 20), text_line(f"n{character}", font, 20)
    followed = text_line(f"n{character}n", font, 20)
    new = vp.LineCollection(alone[len(before) :])
    assert new.length() > 1
    assert all(np.isfinite(line).all() for line in new)
    assert followed.bounds()[2] > alone.bounds()[2]  # what comes next has room
    base, *marks = unicodedata.normalize("NFD", character)
    if marks and base != "i":
        plain = text_line(f"n{base}", font, 20)
        assert followed.bounds()[2] == text_line(f"n{base}n", font, 20).bounds()[2]
        letter = vp.LineCollection(plain[len(before) :])
        accent = vp.LineCollection(new[len(letter) :])
        assert len(accent)
        apart = shapely.distance(letter.as_mls(), accent.as_mls())
        assert (apart > 0.5) == (marks[0] != "\u0327")  # only a cedilla touches


def test_letters_as_they_are_put_together() -> None:
    """An accent may come as a character of its own; other alphabets are not there."""
    assert has("\u0301e") is False
    two, one = (
        text_line(unicodedata.normalize(f, "é"), "futural", 20) for f in ("NFD", "NFC")
    )
    assert all((a == b).all() for a, b in zip(two, one, strict=True))
    assert not any(map(has, "жλ漢🐈\n"))


def test_a_title_whatever_the_locale(
    vpype: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    words = "line 0 0 1cm 1cm flashsheet -p a6 --title Für --no-numbers write x.svg"
    result = vpype(*words.split())
    assert result.returncode == 0, result.stderr
