"""Write sheets of samples as SVG: ``python -m training.sample --help``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from training import FiniteRange, Refusal
from training.report import draw_sheet
from vpype_sketchformer import (
    DEFAULT_GUIDANCE,
    DEFAULT_STRUCTURE_TEMPERATURE,
    DEFAULT_TEMPERATURE,
    DEFAULT_TRIES,
)
from vpype_sketchformer.commands.support.options import find_class
from vpype_sketchformer.model.checkpoint import CheckpointError, find, load
from vpype_sketchformer.model.choosing import sample_best

AT_LEAST_1 = click.IntRange(min=1)
ABOVE_0 = FiniteRange(min=0, min_open=True)


@click.command()
@click.argument("model")
@click.option("-c", "--class", "names", default="all", show_default=True, help="Comma list.")
@click.option(
    "-n", "--count", type=AT_LEAST_1, default=10, show_default=True, help="Of each class."
)
@click.option(
    "--columns", type=AT_LEAST_1, default=10, show_default=True, help="Sketches in a row."
)
@click.option(
    "--temperature",
    type=ABOVE_0,
    default=DEFAULT_TEMPERATURE,
    show_default=True,
    help="Of the lines.",
)
@click.option(
    "--structure-temperature",
    type=ABOVE_0,
    default=DEFAULT_STRUCTURE_TEMPERATURE,
    show_default=True,
    help="Of the way a drawing goes.",
)
@click.option(
    "--pen-temperature", type=ABOVE_0, default=1.0, show_default=True, help="Of lift and end."
)
@click.option(
    "--guidance",
    type=FiniteRange(min=1),
    default=DEFAULT_GUIDANCE,
    show_default=True,
    help="How much to insist.",
)
@click.option(
    "--tries",
    type=AT_LEAST_1,
    default=DEFAULT_TRIES,
    show_default=True,
    help="Draw each so often, and keep the best.",
)
@click.option("--one-line", is_flag=True, help="Never lift the pen.")
@click.option("--captions", is_flag=True, help="Write the class under each sketch.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed, the same sheet.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("sheet.svg"),
    show_default=True,
    help="The SVG to write.",
)
def main(
    model: str,
    names: str,
    count: int,
    columns: int,
    temperature: float,
    structure_temperature: float,
    pen_temperature: float,
    guidance: float,
    tries: int,
    one_line: bool,
    captions: bool,
    seed: int,
    out: Path,
) -> None:
    """Write a sheet of samples of a model as SVG, a class after the other.

    MODEL is a file, or the name of a model that ships.

    \b
    Examples:
      Ten cats and ten owls, a class in a row:
        python -m training.sample runs/base/model.safetensors --class cat,owl -o sheet.svg
      One drawing of every class that the model knows, twenty in a row:
        python -m training.sample quickdraw -n 1 --columns 20 --captions -o all.svg
    """  # noqa: D301
    try:
        checkpoint = load(find(model))
    except CheckpointError as error:
        raise Refusal(str(error)) from error
    wanted = checkpoint.classes if names == "all" else names.split(",")
    listing = f"`vpype sketchgen --model {model} --list-classes`"
    context = click.get_current_context()
    wanted = [
        find_class(context, "names", name.strip(), checkpoint.classes, listing)
        for name in wanted
    ]
    labels = [name for name in wanted for _ in range(count)]
    with tqdm(total=len(labels), unit="sketch", disable=None) as bar:
        sketches = sample_best(
            checkpoint,
            labels,
            np.random.SeedSequence(seed).spawn(len(labels)),
            temperature=temperature,
            structure_temperature=structure_temperature,
            pen_temperature=pen_temperature,
            guidance=guidance,
            tries=tries,
            one_line=one_line,
            progress=bar.update,
        )
    try:
        draw_sheet(sketches, columns, out, captions)
    except OSError as error:
        raise Refusal(f"{out}: cannot be written ({error})") from error
    ended = sum(sketch.finished for sketch in sketches)
    click.echo(f"{out}: {len(sketches)} sketches, {ended} ended by themselves")


if __name__ == "__main__":
    main()
