"""The same seeds, model and options give the same drawings, from one version to the next.

`data/drawings.json` holds a summary of what each of these lines draws: for each layer, how
many lines and points, how long they are, and where they lie. Who changes on purpose what is
drawn writes it anew, and says so in the change log:

    python -m tests.test_same_drawings
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import vpype as vp
import vpype_cli

DATA = Path(__file__).parent / "data"
RECORD = DATA / "drawings.json"

#: Options of all lines, unless they say otherwise.
PLAIN = "-t 0.3 --structure-temperature 0.3 --guidance 1"

LINES = {
    "a sheet": "sketchgen {} -t 0.6 --seed 5 -n 6 -c cat grid 3 2 linesort",
    "classes, one line each": "sketchgen {} --seed 6 -n 3 -c face,owl --one-line grid 3 1",
    "best of": "sketchgen {} --seed 8 -n 2 -c owl --tries 3 --guidance 1.5 --layers sketch",
    "any class, by class": "sketchgen {} --seed 7 -n 4 --layers class",
    "no curves": "sketchgen {} --seed 9 -n 2 -c cat --no-smooth --pen-temperature 0.5",
    "a block": "grid -o 4cm 4cm 2 2 sketchgen {} --seed 11 -c cat end",
    "completions": "read DATA/circle.svg sketchcomplete {} --seed 3 -c cat -n 2 grid 2 1",
    "a guessed class": "read DATA/spiral.svg sketchcomplete {} -t 0.8 --seed 6",
    "a joined line": "read DATA/letter.svg sketchcomplete {} --seed 2 -c cat --join",
    "one more line": "read DATA/eyes.svg sketchcomplete {} --seed 5 -c face --one-line",
    "a flash sheet": "sketchgen {} --seed 9 -n 3 --layers sketch flashsheet -p a4 --title T",
    "an unbroken line": "sketchgen {} --seed 9 -c dog oneline --smooth -b 1m",
}


def summary(document: vp.Document) -> dict[str, Any]:
    """What is in a document, layer by layer; lengths in pixels."""
    return {
        str(lid): {
            "name": layer.property("vp_name"),
            "lines": len(layer),
            "points": sum(map(len, layer)),
            "length": round(layer.length(), 2),
            "bounds": [round(x, 2) for x in layer.bounds() or ()],
        }
        for lid, layer in sorted(document.layers.items())
    }


def draw(name: str) -> vp.Document:
    # Defaults may change, as long as what they stand for draws the same.
    options = f"--model '{DATA / 'tiny.safetensors'}' {PLAIN}"
    line = LINES[name].replace("sketchgen {}", "sketchgen {} --tries 1").format(options)
    return vpype_cli.execute(line.replace("DATA", f"'{DATA}'"))


@pytest.mark.parametrize("name", LINES)
def test_the_same_drawing_as_ever(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = json.loads(RECORD.read_text("utf-8"))[name]
    drawn = summary(draw(name))
    assert list(drawn) == list(expected)
    for lid, layer in drawn.items():
        for key in ("name", "lines", "points"):
            assert layer[key] == expected[lid][key], f"layer {lid}: {key}"
        for key in ("length", "bounds"):
            # Other processors round the last digits of a sum otherwise.
            assert layer[key] == pytest.approx(expected[lid][key], rel=1e-3, abs=0.1)


def main() -> None:
    """Write the record anew."""
    record = {name: summary(draw(name)) for name in LINES}
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
