"""The drawing in the pipeline that a command goes on from: its lines, its layers, its page."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import vpype as vp
import vpype_cli
from numpy.typing import NDArray

from vpype_sketchformer.commands.support.command import Call, Memory
from vpype_sketchformer.commands.support.document import (
    extend_page,
    keeps_page_size,
)
from vpype_sketchformer.commands.support.pipeline import Place, layers_around
from vpype_sketchformer.layout.grid import Sheet
from vpype_sketchformer.units import CM

if TYPE_CHECKING:
    from vpype_sketchformer.model.checkpoint import Checkpoint
    from vpype_sketchformer.model.varying import Seen

#: Lines by layer.
Lines = dict[int, list[NDArray[np.complex128]]]
Stroke = NDArray[np.float64]
Box = tuple[float, float, float, float]

#: A page is the box around the lines if it differs by less, in pixels.
TIGHT = 1.0
#: How many classes are named where the class is guessed, beside the likeliest, and how likely
#: each is at least.
GUESSES, LEAST_SHARE = 3, 0.005
#: The options that say how freely a model draws, as `sample` takes them.
FREEDOM = ("temperature", "structure_temperature", "pen_temperature", "guidance")


@dataclass
class DrawingMemory(Memory):
    """What a command keeps that adds to the drawings in the pipeline.

    Attributes:
        drawn: How many sketches have been drawn with each seed.
        layers: The layers that they lie on, by name.
    """

    drawn: Counter[int] = field(default_factory=Counter)
    layers: dict[str, int] = field(default_factory=dict)

    def seeds(self, seed: int, count: int) -> list[np.random.SeedSequence]:
        """Return the seeds of the next sketches; each depends on its own number only."""
        first = self.drawn[seed]
        self.drawn[seed] += count
        return [np.random.SeedSequence(seed, spawn_key=(first + i,)) for i in range(count)]

    def layer_id(self, name: str, document: vp.Document) -> int:
        """Return a layer for what is added that holds nothing else: above all others."""
        shown, result = layers_around()
        taken = shown | {i for i in document.ids() if not _is_vacant(document[i], name)}
        if name not in self.layers or self.layers[name] in taken:
            self.layers[name] = max({0, *document.ids(), *shown, *result}) + 1
        return self.layers[name]


class SeeingMemory(DrawingMemory):
    """What a command keeps that looks at drawings with the encoder of a model."""

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a model with an encoder, once.

        Raises:
            click.BadParameter: It cannot be loaded, or has none.
        """
        from vpype_sketchformer.model.checkpoint import CheckpointError
        from vpype_sketchformer.model.varying import encoder_of

        checkpoint = super().checkpoint(name)
        try:
            encoder_of(checkpoint)
        except CheckpointError as error:
            raise click.BadParameter(str(error), param_hint="--model") from error
        return checkpoint

    def see(self, model: str, strokes: Sequence[Stroke], label: str | None = None) -> Seen:
        """Look at a drawing, and say what it shows where that is not known."""
        from vpype_sketchformer.model.varying import see

        with self.predicting(model):
            seen = see(self.checkpoint(model), strokes, label)
        report_guess(self, seen.ranking)
        if seen.thinned:
            self.warn(
                "thinned",
                "the drawing has more detail than the model draws: what it draws is simpler",
            )
        return seen


def count_of(call: Call[Any], grid: tuple[int, int] | None, things: str) -> int:
    """Return how many ``things`` are wanted: the cells of the grid, unless told."""
    count: int | None = call.values["count"]
    cells = grid[0] * grid[1] if grid else count or 1
    call.require(
        count is None or count <= cells,
        "count",
        f"{count} {things} do not fit into a grid of {cells} cells.",
    )
    return count or cells


def lines_of(
    call: Call[Any], document: vp.Document, layers: int | list[int], option: str = "layer"
) -> Lines:
    """Return the lines of layers, or of all of them, by layer.

    Raises:
        click.BadParameter: A layer does not exist; the message names the ``option``.
    """
    lids = document.ids() if layers == vpype_cli.LayerType.ALL else layers
    assert not isinstance(lids, int)
    for lid in lids:
        call.require(lid in document.layers, option, f"layer {lid} does not exist.")
    return {lid: list(document.layers[lid]) for lid in sorted(set(lids))}


def strokes_of(lines: Lines, place: Place) -> list[Stroke]:
    """Return lines as strokes of x, y, fit to go on from.

    Raises:
        click.UsageError: There is nothing to go on from.
    """
    from vpype_sketchformer.model.completion import CompletionError, clean

    chained = itertools.chain.from_iterable(lines.values())
    try:
        return clean([np.column_stack([line.real, line.imag]) for line in chained])
    except CompletionError as error:
        hint = ""
        if place.loop and not any(lines.values()):
            hint = f" Inside `{place.loop}` the pipeline begins empty"
            hint += ", or the file has no lines." if place.loop == "forfile" else "."
        raise click.UsageError(f"{error}{hint}") from error


def percent(label: str, share: float) -> str:
    """Write down a guess."""
    return f"{label} ({100 * share:.0f} %)"


def report_guess(memory: Memory, ranking: Sequence[tuple[str, float]]) -> None:
    """Say what the drawing was taken for, where it was guessed."""
    if len(ranking) > 1:
        first, *others = _guesses(ranking)
        rest = f", else {', '.join(others)}" if others else ""
        click.echo(f"{memory.command}: looks like {first}{rest}", err=True)


def guess(ranking: Sequence[tuple[str, float]]) -> str | None:
    """Write down what a drawing was taken for; None where it was not guessed."""
    return ", ".join(_guesses(ranking)) or None


def _guesses(ranking: Sequence[tuple[str, float]]) -> list[str]:
    """Write down the likeliest classes, of those that anything speaks for."""
    best = ranking[: GUESSES + 1]
    return [percent(*each) for each in best if each == best[0] or each[1] >= LEAST_SHARE]


def room_of(document: vp.Document, strokes: Sequence[Stroke]) -> Box | None:
    """Return where there is paper: the page, if there is one, and the drawing itself."""
    if document.page_size in (None, (0.0, 0.0)):
        return None
    points = np.concatenate([*strokes, [(0.0, 0.0), document.page_size]])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return left, top, right, bottom


def is_tight(document: vp.Document, place: Place) -> bool:
    """Tell whether the page is only the box around the lines, as `write` makes it of none."""
    bounds = document.bounds()
    if not document.page_size or bounds is None:
        return False
    if keeps_page_size(place) or place.block("forlayer"):
        return False
    page = (0.0, 0.0, *document.page_size)
    return bool(np.allclose(bounds, page, rtol=0, atol=TIGHT))


def loosen(memory: Memory, document: vp.Document) -> None:
    """Make a page that was only the box around the lines large enough for what is new."""
    left, top, right, bottom = document.bounds() or (0.0, 0.0, 0.0, 0.0)
    shift = max(0.0, -left), max(0.0, -top)
    size = right + shift[0], bottom + shift[1]
    if not (any(shift) or np.any(np.greater(size, document.page_size or (0.0, 0.0)))):
        return
    document.translate(*shift)
    document.extend_page_size(size)
    wide, high = (length / CM for length in document.page_size or size)
    moved = " and everything moved to the right and down" if any(shift) else ""
    click.echo(
        f"{memory.command}: the page was just the box around the drawing; it is "
        f"{wide:.3g} × {high:.3g} cm now{moved}",
        err=True,
    )


def extend_to(memory: Memory, document: vp.Document, sheet: Sheet, place: Place) -> None:
    """Make the page large enough for a sheet, unless it is to be tight or kept."""
    if document.page_size == (0.0, 0.0):
        return
    if not keeps_page_size(place):
        extend_page(document, sheet.corner)
    elif document.page_size and np.any(np.subtract(sheet.corner, document.page_size) > TIGHT):
        wide, high = (length / CM for length in sheet.corner)
        memory.warn(
            "kept",
            f"the sheet takes {wide:.3g} × {high:.3g} cm, more than the page, which `grid -k` "
            "keeps as it is",
        )


def _is_vacant(layer: vp.LineCollection, name: str) -> bool:
    """Tell whether a layer is one that a block emptied, and waits for what is added next."""
    return layer.is_empty() and layer.property(vp.METADATA_FIELD_NAME) == name
