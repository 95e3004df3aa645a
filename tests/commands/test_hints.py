"""Errors say what to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import ClickException
from vpype_cli import execute

from training.download import CLASSES
from vpype_sketchformer.commands.support.synonyms import SYNONYMS


def refusal(line: str) -> str:
    """Return the error that a line ends with."""
    with pytest.raises(ClickException) as caught:
        execute(line)
    assert caught.value.exit_code == 2
    return caught.value.format_message()


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [("kitten", "cat"), ("Eagle", "bird"), ("sofa", "couch"), ("elephnat", "elephant")],
)
def test_a_class_that_is_near_by_meaning_or_letters_is_named(
    tiny: Path, wanted: str, meant: str
) -> None:
    message = refusal(f"sketchgen --model '{tiny}' --class {wanted}")
    assert f"did you mean {meant!r}" in message
    assert f"lists all {len(CLASSES)}" in message


def test_synonyms_are_no_classes_and_mean_classes() -> None:
    assert set(SYNONYMS.values()) <= set(CLASSES)
    assert not SYNONYMS.keys() & {name.casefold() for name in CLASSES}


def test_a_model_of_one_class_says_so() -> None:
    message = refusal("sketchgen --model oneline --class cat")
    assert "draws 'figure' only" in message


@pytest.mark.parametrize(
    ("line", "before", "command"),
    [
        ("sketchgen -n 4 linesort grid 2 2 write out.svg", "linesort", "sketchgen"),
        ("sketchgen -n 4 grid 2 2 grid 2 2", "grid", "sketchgen"),
        (
            "line 0 0 1cm 1cm sketchcomplete -n 4 linemerge grid 2 2",
            "linemerge",
            "sketchcomplete",
        ),
        ("sketchgen sketchcomplete linesort repeat 2 end grid 2 2", "end", "sketchcomplete"),
    ],
)
def test_a_grid_behind_another_command_is_told_where_it_belongs(
    line: str, before: str, command: str
) -> None:
    message = refusal(line)
    assert f"`grid` behind `{before}`" in message
    assert f"right behind `{command}`" in message


@pytest.mark.parametrize(
    "rest", ["linesort grid 2 1 line 0 0 1cm 1cm end", "grid 2 2 linesort grid 2 1 random end"]
)
def test_a_grid_with_an_end_stays_vpypes_own(tiny: Path, rest: str) -> None:
    assert not execute(f"sketchgen --model '{tiny}' -n 4 -c cat {rest}").is_empty()


def test_a_sketch_that_there_is_not_is_refused(tiny: Path) -> None:
    line = f"sketchgen --model '{tiny}' -c cat -n 5 --only"
    assert "no sketch 7" in refusal(f"{line} 7")
    assert not execute(f"{line} 5").is_empty()
