"""What the commands that draw with a model have in common while the pipeline runs."""

from __future__ import annotations

import contextlib
import logging
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import click
import vpype as vp
import vpype_cli
from click.core import ParameterSource

from vpype_sketchformer.commands.support.parameters import evaluate, require
from vpype_sketchformer.commands.support.pipeline import Place
from vpype_sketchformer.wording import plain

if TYPE_CHECKING:
    from vpype_sketchformer.model.checkpoint import Checkpoint
    from vpype_sketchformer.sketch import Sketch

#: Prefix of the document's properties that say how it was drawn.
PREFIX = "sketchformer_"

#: The property that an SVG keeps: the commands that draw the sketches again.
DESCRIPTION = "svg_dc_description"


@dataclass
class Run:
    """What one command keeps while the pipeline runs, however often a block runs it."""

    #: The command's name.
    command: ClassVar[str]

    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def checkpoint(self, name: str) -> Checkpoint:
        """Load a model, once.

        Raises:
            click.BadParameter: It cannot be loaded.
        """
        from vpype_sketchformer.model import checkpoint

        if name not in self.checkpoints:
            try:
                self.checkpoints[name] = checkpoint.load(checkpoint.find(name))
            except checkpoint.CheckpointError as error:
                raise click.BadParameter(str(error), param_hint="--model") from error
        return self.checkpoints[name]

    @contextlib.contextmanager
    def predicting(self, name: str) -> Iterator[None]:
        """Refuse a model that turns out to predict nothing of use, while it is drawn with.

        Raises:
            click.BadParameter: It does.
        """
        from vpype_sketchformer.model.transformer import PredictionError

        try:
            yield
        except PredictionError as error:
            message = f"{plain(name)}: {error}"
            raise click.BadParameter(message, param_hint="--model") from error

    def warn(self, kind: str, message: str) -> None:
        """Warn, once in a run about each kind of thing."""
        if kind not in self.warned:
            self.warned.add(kind)
            logging.warning(f"{self.command}: {plain(message)}")

    def warn_of_cuts(self, sketches: Sequence[Sketch]) -> None:
        """Warn of sketches that did not come to an end."""
        cut = sum(not sketch.finished for sketch in sketches)
        if cut:
            self.warn(
                "cut",
                f"{cut} of {len(sketches)} sketches were cut at the length limit; a lower "
                "`--temperature` or `--best-of 4` may help",
            )


def layout(
    state: vpype_cli.State, place: Place
) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    """Return columns and rows of the `grid` behind a command, and its cell, as far as given.

    Raises:
        click.BadParameter: There are no cells, or they have no size.
    """
    if place.layout is None:
        return None, None
    values = evaluate(state, place.layout, place.layout.params)
    number, offset = values["number"], values["offset"]
    require(min(number) >= 1, place.layout, "number", "a grid has 1 cell or more.")
    require_lengths(place.layout, offset)
    given = place.layout.get_parameter_source("offset") is not ParameterSource.DEFAULT
    return number, offset if given else None


def require_lengths(grid: click.Context, offset: tuple[float, float]) -> None:
    """Refuse the offset of a `grid` unless cells of that size can hold something.

    Raises:
        click.BadParameter: They cannot.
    """
    for length in offset:
        require(0 < length < math.inf, grid, "offset", "a cell must be greater than zero.")


def keeps_page_size(place: Place) -> bool:
    """Tell whether the `grid` behind a command asks to leave the page as it is."""
    return place.layout is not None and bool(place.layout.params["keep_page_size"])


def page_is_free(document: vp.Document) -> bool:
    """Tell whether the page may grow: it is not set, tight, or set by this plug-in itself."""
    own = document.property(f"{PREFIX}page_size")
    return document.page_size in (None, (0.0, 0.0), own)


def extend_page(document: vp.Document, size: tuple[float, float]) -> None:
    """Make the page at least this large, and note if all of it is this plug-in's doing."""
    free = page_is_free(document)
    document.extend_page_size(size)
    if free:
        document.set_property(f"{PREFIX}page_size", document.page_size)


def add(document: vp.Document, sketch: Sketch, layer_id: int, name: str) -> None:
    """Add a sketch to a layer, and name the layer where it has no name."""
    lines = [stroke[:, 0] + 1j * stroke[:, 1] for stroke in sketch.strokes]
    document.add(vp.LineCollection(lines), layer_id)
    layer = document.layers[layer_id]
    if not layer.property_exists(vp.METADATA_FIELD_NAME):
        layer.set_property(vp.METADATA_FIELD_NAME, plain(name))


def note(
    document: vp.Document, command: str, place: Place, properties: Mapping[str, Any]
) -> None:
    """Note in the document how it was drawn.

    Args:
        document: The document.
        command: The name of the command.
        place: Where it stands.
        properties: What the drawing depends on; among it the ``seed``.
    """
    for name, value in properties.items():
        text = isinstance(value, str)
        document.set_property(f"{PREFIX}{name}", plain(value) if text else value)
    line = plain(
        shlex.join(
            [
                command,
                *place.arguments,
                *("--seed", str(properties["seed"])),
                *place.layout_arguments,
            ]
        )
    )
    # Of all the document's properties, `write -r` and `read` keep those of this form.
    known = document.property(DESCRIPTION) or ""
    if line not in known:
        document.set_property(DESCRIPTION, "; ".join(filter(None, [known, line])))
