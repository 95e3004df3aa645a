"""Train a model on a dataset file: ``python -m training.train --help``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from training import FiniteRange, Refusal
from training.config import read_change, read_config, refuse_shapes
from training.data import dataset as datasets
from training.data.dataset import Dataset, DatasetError
from training.data.readers import ReaderError
from training.distributed import join, leave, place
from training.encoder import load as load_encoder
from training.export import deepen, with_encoder
from training.loop import stop_when_asked, train
from training.prepare import Preparation, find_files
from vpype_sketchformer.model.checkpoint import CheckpointError, find, load

#: The model that "shipped" stands for, and the settings for training it on a few drawings.
SHIPPED = "quickdraw"
FINETUNE = Path(__file__).parent / "configs/finetune.toml"


def own_drawings(folder: Path) -> Dataset:
    """Read a folder of drawings; the names of the folders in it are the classes.

    Raises:
        ReaderError: There is nothing to read.
        DatasetError: Nothing that could be read is a drawing.
    """
    preparation = Preparation()
    drawings = list(preparation.drawings(find_files([folder])))
    if not drawings:
        raise DatasetError(f"{folder}: no drawings in this folder.")
    return datasets.pack(drawings, sources=[f"Drawings in '{folder.resolve().name}'"])


def mix_in(dataset: Dataset, mixed: Sequence[tuple[Path, float]]) -> Dataset:
    """Mix other datasets into one, which is the rest of the training.

    Raises:
        Refusal: There is no rest.
        DatasetError: One cannot be read.
    """
    rest = 1.0 - sum(share for _, share in mixed)
    if rest <= 0 or min(share for _, share in mixed) <= 0:
        raise Refusal("--mix: shares must be above 0, and leave some to the other drawings.")
    others = [datasets.load(path) for path, _ in mixed]
    return datasets.mix([dataset, *others], [rest, *(share for _, share in mixed)])


@click.command()
@click.argument(
    "config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=FINETUNE,
)
@click.argument(
    "data", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--svg",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Train on the SVGs in a folder, one class per sub-folder, instead of on DATA.",
)
@click.option(
    "--mix",
    "mixed",
    type=(click.Path(exists=True, dir_okay=False, path_type=Path), FiniteRange(0, 1)),
    multiple=True,
    metavar="DATA SHARE",
    help="Train on another dataset file as well, for a share of the time. Can be repeated.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for state, log, curve, samples and model.",
)
@click.option(
    "--from",
    "begin",
    metavar="MODEL",
    help="Begin with the weights and the shape of a model: 'shipped', the name of a bundled "
    "one, or a .safetensors file. It may become deeper: --set layers=6.",
)
@click.option(
    "--encoder",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Give the model an encoder, made by training.encoder.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting. Can be repeated.",
)
def main(
    config: Path,
    data: Path | None,
    svg: Path | None,
    mixed: tuple[tuple[Path, float], ...],
    out: Path,
    begin: str | None,
    encoder: Path | None,
    changes: tuple[str, ...],
) -> None:
    """Train a model on a dataset file, or on a folder of your own drawings.

    CONFIG is a file of settings, such as those in training/configs; DATA is a file made by
    training.prepare. Ctrl-C stops a run after the step at hand; stopped, it goes on where it
    was when the same command is given again.

    With --svg, each SVG in the folder is one drawing, and the folder it lies in names its
    class; CONFIG is training/configs/finetune.toml if you give none. An SVG without lines is
    reported and skipped. --mix adds dataset files, each for a share of the training.

    Started by torchrun, each process takes its share of every batch, on its own GPU if there
    are some; --out is then a folder that all of them see. The model is that of one process,
    but for rounding (and dropout, which each process draws for itself).

    \b
    Examples:
      One minute on a laptop, to see that everything works:
        python -m training.train training/configs/tiny.toml data/quickdraw.safetensors \\
            --out runs/tiny
      The first lesson of the model that ships, then another twice as wide, on four GPUs:
        python -m training.train training/configs/base.toml data/quickdraw.safetensors \\
            --out runs/base
        torchrun --nproc-per-node 4 -m training.train training/configs/base.toml \\
            data/quickdraw.safetensors --out runs/wide --set width=512 --set hidden=2048
      The hand of your own drawings; then draw with it:
        python -m training.train --svg my-drawings --from shipped --out runs/own
        vpype sketchgen --model runs/own/model.safetensors -n 20 show
      The same, without forgetting cats: one drawing in five is of another dataset:
        python -m training.train --svg my-drawings --from shipped --out runs/own \\
            --mix data/quickdraw.safetensors 0.2
    """  # noqa: D301
    try:
        settings = read_config(config, changes)
        if begin:
            refuse_shapes(changes)
        checkpoint = load(find(SHIPPED if begin == "shipped" else begin)) if begin else None
        if checkpoint and any("layers" in read_change(change) for change in changes):
            checkpoint = deepen(checkpoint, settings.layers)
        if encoder and not checkpoint:
            raise click.UsageError("--encoder is for a model that draws already: --from.")
        if checkpoint and encoder:
            checkpoint = with_encoder(checkpoint, load_encoder(encoder, checkpoint.classes))
        if svg and not data:
            dataset = own_drawings(svg)
        elif data and not svg:
            dataset = datasets.load(data)
        else:
            raise click.UsageError(
                "give either DATA, a file made by training.prepare, or --svg FOLDER."
            )
        if mixed:
            dataset = mix_in(dataset, mixed)
        device = join()
        unmarked = data and settings.tell_quality and not dataset.quality.any()
        if unmarked and place()[0] == 0:
            click.echo(f"{data}: all drawings count as good; training.quality marks them.")
        with stop_when_asked() as stop:
            train(settings, dataset, out, device, checkpoint, stop)
        leave()
    except (CheckpointError, DatasetError, ReaderError) as error:
        raise Refusal(str(error)) from error


if __name__ == "__main__":
    main()
