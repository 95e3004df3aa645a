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
