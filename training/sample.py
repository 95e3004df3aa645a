r"""Write a sheet of samples of a checkpoint as SVG.

Examples:
    Ten cats and ten owls, twenty columns to a row:

        python -m training.sample runs/base/model.safetensors --class cat,owl -n 10 \
            -o sheet.svg

    One drawing of every class the model knows:

        python -m training.sample runs/base/model.safetensors --class all -n 1 -o all.svg
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from training.report import draw_sheet
from vpype_sketchformer.checkpoint import CheckpointError, find, load
from vpype_sketchformer.sampling import sample


@click.command(help=inspect.cleandoc(__doc__).replace("\n    ", "\n\b\n    "))
@click.argument("model")
@click.option("-c", "--class", "names", default="all", show_default=True, help="Comma list.")
@click.option("-n", "--count", default=10, show_default=True, help="Sketches of each class.")
@click.option("--columns", default=10, show_default=True, help="Sketches in a row.")
@click.option("--temperature", default=0.4, show_default=True, help="Of the lines.")
@click.option("--pen-temperature", default=1.0, show_default=True, help="Of lift and end.")
@click.option("--guidance", default=1.0, show_default=True, help="How much to insist.")
@click.option("--best-of", default=1, show_default=True, help="Keep the best of so many.")
@click.option("--one-line", is_flag=True, help="Never lift the pen.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same sheet.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("sheet.svg"))
def main(
    model: str,
    names: str,
    count: int,
    columns: int,
    temperature: float,
    pen_temperature: float,
    guidance: float,
    best_of: int,
    one_line: bool,
    seed: int,
    out: Path,
) -> None:
    """Write a sheet."""
    try:
        checkpoint = load(find(model))
    except CheckpointError as error:
        raise click.UsageError(str(error)) from error
    wanted = checkpoint.classes if names == "all" else [n.strip() for n in names.split(",")]
    unknown = sorted(set(wanted) - set(checkpoint.classes))
    if unknown:
        raise click.UsageError(f"the model knows no class {', '.join(unknown)}.")
    labels = [name for name in wanted for _ in range(count)]
    with tqdm(total=len(labels), unit="sketch", disable=None) as bar:
        sketches = sample(
            checkpoint,
            labels,
            np.random.SeedSequence(seed).spawn(len(labels)),
            temperature=temperature,
            pen_temperature=pen_temperature,
            guidance=guidance,
            best_of=best_of,
            one_line=one_line,
            progress=bar.update,
        )
    draw_sheet(sketches, columns, out)
    ended = sum(sketch.finished for sketch in sketches)
    click.echo(f"{out}: {len(sketches)} sketches, {ended} ended by themselves")


if __name__ == "__main__":
    main()
