r"""Put an artist's drawings in one line back into one line: a dataset for a one-line model.

The drawings were traced from scans, which broke their line where it crosses itself. Here each
is divided into its figures, and each figure becomes one path: ends that nearly touch are
joined, ends farther apart are linked rather than gone back from, what lies apart is bridged.
What takes too much of that is no longer what was drawn, and left out.

Examples:
    All that can be mended of a file of drawings:

        python -m training.mend data/look/look_joined.ndjson \
            -o data/oneline.safetensors
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import shapely
from safetensors import SafetensorError
from tqdm import tqdm

from training import Refusal, help_from
from training.data import dataset
from training.data.dataset import DatasetError, Drawing, drawing_from_strokes
from training.data.readers import ReaderError, Stroke, read, simplify
from vpype_sketchformer.oneline import Limits, unbroken
from vpype_sketchformer.oneline.graph import components

#: Who drew, and what must be written beside it.
LOOK = 'One-line drawings by Andrew Look, MIT, "Copyright (c) 2023 Andrew Look"'
#: The class of the mended drawings.
LABEL = "figure"

#: Strokes farther apart than this share of the drawing's size are of different figures ...
APART = 0.06
#: ... if these have such a share of the ink; less goes with the figure that it is nearest to
FIGURE = 0.2
#: and no farther from than this share of the drawing's size. The rest are specks.
NEAR = 0.15

#: Ends join what is nearer than this share of the figure's size; so were they traced.
TOLERANCE = 0.035
#: Ends up to this share of the figure's size apart may be linked, to save going back.
SHORTCUT = 0.15

#: What a mended figure may have: bridges and retraced ink as shares of its path, and points.
BRIDGED, RETRACED = 0.06, 0.25
FEWEST, MOST = 40, 400


class NotMended(ValueError):
    """A figure that is left out; the message tells why."""


def figures(strokes: list[Stroke]) -> list[list[Stroke]]:
    """Divide a drawing into its figures; specks are dropped."""
    lines = np.array([shapely.LineString(stroke) for stroke in strokes])
    size = np.ptp(np.concatenate(strokes), axis=0).max()
    near = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=APART * size)
    part = components(near.T, len(lines))
    ink = np.bincount(part, shapely.length(lines))
    large = np.flatnonzero(ink >= FIGURE * ink.sum())
    if not len(large):
        return []
    bodies = np.array([shapely.union_all(lines[part == number]) for number in large])
    distance = shapely.distance(lines[:, None], bodies)  # of each stroke from each figure
    whose = np.where(distance.min(axis=1) <= NEAR * size, distance.argmin(axis=1), -1)
    return [
        [stroke for stroke, owner in zip(strokes, whose, strict=True) if owner == number]
        for number in range(len(large))
    ]


def mend(strokes: list[Stroke]) -> Drawing:
    """Turn a figure into one path, from the upper of its ends to the other.

    Raises:
        NotMended: It cannot be done well.
    """
    size = np.ptp(np.concatenate(strokes), axis=0).max()
    limits = Limits(TOLERANCE * size, max_bridge=size)
    result = unbroken(strokes, limits, shortcut=SHORTCUT, smooth=True)
    (path,) = result.paths
    if result.bridges.sum() > BRIDGED * result.length:
        raise NotMended("too much of it would be bridges")
    if result.retraced > RETRACED * result.length:
        raise NotMended("too much of it would be drawn twice")
    if path[0, 1] > path[-1, 1]:
        path = path[::-1]
    drawing = drawing_from_strokes(simplify([path]), LABEL)
    if len(drawing.points) < FEWEST:
        raise NotMended(f"it has fewer than {FEWEST} points")
    if len(drawing.points) > MOST:
        raise NotMended(f"it has more than {MOST} points")
    return drawing


class Mending:
    """Mends the drawings of a file.

    Attributes:
        drawings: Drawings read.
        dropped: How many were left out, by the reason: of drawings, and of figures.
    """

    def __init__(self) -> None:
        self.drawings = 0
        self.dropped: Counter[str] = Counter()

    def mended(self, path: Path) -> Iterator[Drawing]:
        """Yield what could be mended, each once; the figures of a drawing share its side.

        Raises:
            ReaderError: The file cannot be read.
        """
        seen: set[bytes] = set()
        for drawing in tqdm(read(path), unit="drawing", disable=None):
            self.drawings += 1
            found = figures(drawing.strokes)
            if not found:
                self.dropped["drawings that fall into small parts"] += 1
            for strokes in found:
                try:
                    figure = mend(strokes)
                except NotMended as error:
                    self.dropped[f"figures: {error}"] += 1
                    continue
                if figure.digest in seen:
                    self.dropped["figures: it came before"] += 1
                    continue
                seen.add(figure.digest)
                yield replace(figure, origin=drawing.digest)


@click.command(help=help_from(__doc__))
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The dataset file to write.",
)
@click.option(
    "--source", default=LOOK, show_default=True, help="Name and licence of the drawings."
)
def main(path: Path, out: Path, source: str) -> None:
    """Mend the drawings of a file."""
    mending = Mending()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        packed = dataset.save(mending.mended(path), out, [source])
    except (ReaderError, DatasetError) as error:
        raise Refusal(str(error)) from error
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{out}: cannot be written ({error})") from error
    click.echo(f"{mending.drawings:6,} drawings read")
    for why, number in mending.dropped.most_common():
        click.echo(f"{number:6,} left out, {why}")
    points = np.percentile(packed.lengths, [50, 95, 100])
    click.echo(
        f"{len(packed):6,} figures mended; points: median {points[0]:.0f}, 95 % up to "
        f"{points[1]:.0f}, at most {points[2]:.0f}"
    )


if __name__ == "__main__":
    main()
