r"""Measure a model on drawings that it was not trained on.

Prints tables for people; --json writes the same into a file. Settings are chosen on validation
drawings, the default; what is published is measured with --split test.

likelihood: negative log-likelihood in nats per real point, dequantised, in pixels of the
0-255 frame, the class told: over all points, as the mean of all classes, of the 40 largest,
and of the five worst. For a run of the baseline, give its state.pt.

samples: sketches of each class beside as many real drawings, as `sketchgen` draws, which draws
again what the recogniser does not name, and the first that comes ("tries 1"): the share that
ends by itself ("ended"), and with those that were drawn again for that ("redrawn"); judged by
the networks of training.judge: how often they name the class (beside it the same for real
drawings: the ceiling); Fréchet and kernel distance of what each judge sees, precision, density
(as precision, but not deceived by one stray drawing; about 1) and recall; the spread within a
class, real = 1, of what the raster judge sees ("variety") and of blurred pictures of 16 x 16
("of shapes"), and how many are nearer to another of their class than all but 5 % of real
drawings are ("twins"); distance of strokes, points, ink and aspect from the real drawings', in
their standard deviations. "real" are real drawings against others. Mean and standard deviation
over the seeds, each of which chooses other real drawings. Then the classes that are recognised
least, measured by their real drawings.

copying: whether samples are copies. Each is held against all drawings of its class, by the
pen's way, mirrored ones too, and by what the raster judge sees, if it knows the classes: how
often the nearest is one that was trained on ("copying", "by sight"), what chance makes of it,
the part of copies that follows ("copied"), how many are nearer to a training drawing than all
but 5 % of real drawings of their class are ("near"), and the median distance in pixels.
Planted copies show what copies look like.

completion: drawings of 50 classes are cut after a share of their points and handed to the
model as a user would: their place and size in the frame unknown. Printed are the likelihood
of the true rest beside that of the rest of another drawing of the class, how often the class
guessed from the beginning is right, how far the estimated size of the finished drawing is off
(median factor), how many completions come to an end, and how often the judges name what the
whole was drawn as, first or among the first five.

one-line: samples in one unbroken line: the pen held down, and strokes joined afterwards (what
`sketchgen --one-line` does), beside samples of any number of strokes. Then how their lines
run, on a way as long as the drawing's longer side: turning in radians, and corners; shares of
the way that go over ink again, and across white paper; how many times as long as the strokes
the line is. "shortest" are the same strokes joined the shortest way, as `oneline` does.

codes, of a model with an encoder: nats per point without the code of a drawing and with it,
how many nats a code tells beside the class, and the share of its numbers that vary; how far a
code moves where only order, direction, place and size of the strokes change; how often a
drawing made from a code is nearest to the one that the code was read from, of 100 real ones of
the class, by what the raster judge sees and by shape; how variations are recognised, and how
they differ; what is seen on the straight way from one code to another, and how even its steps
are.

Examples:
    Everything:

        python -m training.evaluate quickdraw data/quickdraw.safetensors

    Only samples, in three ways; what can be told to the sampler can stand in a condition:

        python -m training.evaluate quickdraw data/quickdraw.safetensors --part samples \
            --condition temperature=0.3 --condition temperature=1 \
            --condition temperature=0.3,guidance=2

    The picture that defaults are chosen from, of a few classes for a first look:

        python -m training.evaluate quickdraw data/quickdraw.safetensors \
            --frontier docs/frontier.svg --classes 40

    A model of other classes, with judges of these:

        python -m training.judge raster data/mine.safetensors -o judges/raster.safetensors
        python -m training.judge sequence data/mine.safetensors -o judges/sequence.safetensors
        python -m training.evaluate runs/mine/model.safetensors data/mine.safetensors \
            --judges judges
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from training import OutFile, Refusal, help_from, judge
from training.build import Network, build_model
from training.config import TrainConfig
from training.data import dataset as datasets
from training.data.dataset import SPLITS, Dataset, DatasetError, Split
from training.evaluation import (
    Figures,
    codes,
    completions,
    conditions,
    copies,
    frontier,
    metrics,
    onelines,
    samples,
)
from training.evaluation.conditions import Condition
from training.evaluation.likelihood import likelihood
from training.export import from_checkpoint
from vpype_sketchformer.files import write_whole
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, find, load

PARTS = ("likelihood", "samples", "copying", "completion", "one-line", "codes")
#: Drawings of each class whose codes are measured, at most.
CODED = 2
#: Columns that a table takes at most.
WIDTH = 100


def load_state(path: Path, dataset: Dataset) -> Network:
    """Read the network of a run from its state.

    Raises:
        Refusal: The file is no state of a run, or of one with other classes.
    """
    try:
        state = torch.load(path, "cpu", weights_only=True)
        settings = state["settings"]
        names = {f.name for f in fields(TrainConfig)} & settings.keys()
        config = TrainConfig(**{name: settings[name] for name in names})
        network = build_model(config, len(dataset.classes), settings["scale"])
        network.load_state_dict(state["model"])
    except Exception as error:  # a damaged file makes torch raise whatever it likes
        raise Refusal(f"{path}: cannot be read as the state of a run ({error}).") from error
    return network.eval()


def show(title: str, rows: Sequence[tuple[str, Figures, Figures | None]]) -> None:
    """Print a table: each row a name, its figures, and their spread over seeds if there is.

    What does not fit in ``WIDTH`` columns goes on below.
    """
    width = max(len(title), *(len(label) for label, _, _ in rows))
    names = list(rows[0][1])
    cells = [
        [
            name,
            *(
                _cell(figures[name], spread[name] if spread else None)
                for _, figures, spread in rows
            ),
        ]
        for name in names
    ]
    columns = [[f"{cell:>{max(map(len, column)) + 2}}" for cell in column] for column in cells]
    heads = [title, *(label for label, _, _ in rows)]
    while columns:
        fitting = max(1, sum(room <= WIDTH - width for room in _ends(columns)))
        click.echo()
        for i, head in enumerate(heads):
            click.echo(f"{head:{width}}" + "".join(column[i] for column in columns[:fitting]))
        columns = columns[fitting:]


def _show_groups(title: str, rows: Sequence[tuple[str, Figures]]) -> None:
    """Print tables: rows with other figures than those before are one of their own."""
    for _, group in itertools.groupby(rows, lambda row: list(row[1])):
        show(title, [(label, figures, None) for label, figures in group])


def _ends(columns: Sequence[Sequence[str]]) -> Iterator[int]:
    return itertools.accumulate(len(column[0]) for column in columns)


def _cell(value: float, spread: float | None) -> str:
    text = f"{value:,d}" if isinstance(value, int) else f"{value:.3f}"
    return f"{text} ± {spread:.3f}" if spread else text


def show_likelihood(
    name: str, network: Network, dataset: Dataset, split: Split, longest: int
) -> dict[str, Figures]:
    """Measure and print the likelihood of the drawings of a split."""
    held = dataset.of(split)
    held = held[dataset.lengths[held] <= longest]
    if not len(held):
        raise Refusal(f"no {split} drawings of up to {longest} points to measure with.")
    rows = likelihood(network, dataset, held).rows()
    show(
        f"{Path(name).stem}: nats per point",
        [(label, figures, None) for label, figures in rows],
    )
    return dict(rows)


def show_samples(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[judge.Judge],
    plan: samples.Plan,
    asked: Sequence[Condition],
) -> dict[str, dict[str, Any]]:
    """Measure and print how samples compare with real drawings."""
    longest = checkpoint.config.context
    real = [plan.real_drawings(dataset, longest, seed) for seed in range(plan.seeds)]
    if min(len(part) for pair in real for part in pair) <= metrics.NEIGHBOURS:
        raise Refusal(
            f"too few {plan.split} drawings to compare samples with ({len(real[0][0])} and "
            "as many others that they are compared with)."
        )
    seen = [[samples.see(dataset, part, judges) for part in pair] for pair in real]
    whole = {"ended": 1.0, "redrawn": 1.0}
    runs = [whole | samples.compare(other, one) for one, other in seen]
    rows: list[tuple[str, Figures, Figures | None]] = [
        ("real", *samples.mean_and_spread(runs))
    ]
    worst = {}
    for condition in tqdm(asked, desc="conditions", disable=None, leave=False):
        title = conditions.title(condition)
        runs, drawn = [], []
        for seed, (one, _) in enumerate(seen):
            drawings, ended = samples.draw(checkpoint, condition, plan, seed)
            drawn.append(samples.see(drawings, np.arange(len(drawings)), judges))
            runs.append(ended | samples.compare(drawn[-1], one))
        rows.append((title, *samples.mean_and_spread(runs)))
        worst[title] = samples.worst_classes(drawn, [*itertools.chain(*seen)], dataset.classes)
    count, times = len(plan.classes) * plan.per_class, plan.seeds
    show(f"{count:,} samples" + (f", {times} times" if times > 1 else ""), rows)
    say_how_sure(count, "raster FID" in rows[0][1])
    title = conditions.title(asked[0])
    show(f"worst at {title}", [(name, figures, None) for name, figures in worst[title]])
    return {
        label: {"mean": mean, "spread": spread or {}, "worst": dict(worst.get(label, ()))}
        for label, mean, spread in rows
    }


def say_how_sure(count: int, has_frechet: bool) -> None:
    """Print what so many samples cannot tell."""
    click.echo(f"\nShares of {count:,} are uncertain by {50 / count**0.5:.1f} points of 100.")
    if not has_frechet:
        click.echo(
            "They are too few for a Fréchet distance (FID): see the kernel distance, KID."
        )


def show_copying(
    checkpoint: Checkpoint,
    dataset: Dataset,
    raster: judge.Judge | None,
    plan: samples.Plan,
    asked: Sequence[Condition],
    sheet: Path | None,
) -> dict[str, Figures]:
    """Measure and print whether samples are copies; draw the pairs that are nearest."""
    real, _ = plan.real_drawings(dataset, checkpoint.config.context, 0)
    originals = copies.Originals.among(dataset, plan.classes, real, raster)
    rows = [("real", originals.figures(copies.look_at(dataset, real, raster))[0])]
    pairs = []
    for condition in asked:
        drawn, _ = samples.draw(checkpoint, condition, plan, 0)
        looked = copies.look_at(drawn, np.arange(len(drawn)), raster)
        figures, nearest = originals.figures(looked)
        rows.append((conditions.title(condition), figures))
        pairs += originals.pairs(looked, nearest)
    planted = originals.some(plan.per_class)
    for kind in copies.PLANTED:
        copied = copies.plant(dataset, planted, kind)
        looked = copies.look_at(copied, np.arange(len(copied)), raster)
        rows.append((kind, originals.figures(looked)[0]))
    count = f"{len(plan.classes) * plan.per_class:,} samples"
    show(count, [(label, figures, None) for label, figures in rows])
    if sheet:
        copies.draw_pairs(pairs, sheet)
    return dict(rows)


def show_completion(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[judge.Judge],
    split: Split,
    per_class: int,
) -> dict[str, Figures]:
    """Measure and print how well drawings are completed."""
    count, rows = completions.rows(checkpoint, dataset, judges, split, per_class)
    _show_groups(f"{count} completions", rows)
    return dict(rows)


def show_one_lines(
    checkpoint: Checkpoint,
    judges: Sequence[judge.Judge],
    per_class: int,
    drawn: Dataset | None,
) -> dict[str, dict[str, Figures]]:
    """Measure and print ways to draw in one line, beside an artist's lines."""
    came, ran = onelines.rows(checkpoint, judges, per_class)
    if drawn is not None:
        ran.append(("by the artist", onelines.artist(drawn)))
    count = per_class * len(checkpoint.classes)
    show(f"{count} samples", [(label, figures, None) for label, figures in came])
    show("how lines run", [(label, figures, None) for label, figures in ran])
    return {"one-line": dict(came), "how lines run": dict(ran)}


def show_codes(
    checkpoint: Checkpoint,
    dataset: Dataset,
    judges: Sequence[judge.Judge],
    split: Split,
    per_class: int,
) -> dict[str, Figures]:
    """Measure and print what codes tell."""
    rows = codes.rows(checkpoint, dataset, judges, split, per_class)
    _show_groups("codes", rows)
    return dict(rows)


class ConditionType(click.ParamType[Condition]):
    """How samples are drawn, as it is typed."""

    name = "condition"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Condition:
        """Read a condition."""
        try:
            return conditions.read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def choose_classes(wanted: str | None, classes: Sequence[str]) -> Sequence[str]:
    """Choose classes by their names, or so many of them, the same at every call.

    Raises:
        Refusal: There is no such class, or there are not so many.
    """
    if wanted is None:
        return classes
    if wanted.isdecimal():
        if not 0 < int(wanted) <= len(classes):
            raise Refusal(f"--classes {wanted}: there are {len(classes)}.")
        order = np.random.default_rng(0).permutation(len(classes))
        return [classes[i] for i in sorted(order[: int(wanted)])]
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        if name not in classes:
            raise Refusal(f"--classes: there is no class '{name}'.")
    return names


def raster_judge(folder: Path, dataset: Dataset) -> judge.Judge | None:
    """Read the raster judge, if there is one of these classes."""
    try:
        return judge.load(folder / "raster.safetensors", dataset)
    except Refusal as refusal:
        click.echo(f"Copies are looked for by the pen's way only: {refusal.message}", err=True)
        return None


@click.command(help=help_from(__doc__))
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=PARTS,
    help="What to measure; may be repeated (default: everything).",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS[1:]),
    default="valid",
    show_default=True,
    help="Drawings to measure with: valid to choose settings, test to publish.",
)
@click.option(
    "--condition",
    "asked",
    type=ConditionType(),
    multiple=True,
    help="How samples are drawn; may be repeated (default: as sketchgen draws, and the first "
    "that comes).",
)
@click.option(
    "--frontier",
    "picture",
    type=OutFile(),
    help="Draw samples in many ways, and a picture of recognised against variety.",
)
@click.option(
    "--pairs",
    "sheet",
    type=OutFile(),
    help="SVG of the samples that are nearest to training drawings, for --part copying.",
)
@click.option(
    "--classes",
    "wanted",
    help="Names of the classes to sample, or how many (default: all).",
)
@click.option(
    "--per-class",
    type=click.IntRange(2),
    help="Samples of each (default: 8, of few classes as many as there are real drawings for, "
    f"up to {samples.ENOUGH:,} in all).",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Repetitions."
)
@click.option(
    "--judges",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=judge.JUDGES,
    help="Folder of the judges (default: training/judges, of Quick, Draw!'s 345 classes).",
)
@click.option("--json", "target", type=OutFile(), help="Write all figures as JSON.")
@click.option(
    "--artist",
    "lines",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Dataset of one-line drawings that `training.mend` made, for --part one-line: how "
    "the lines of a person run.",
)
@click.option(
    "--completions",
    "completed",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help=f"Drawings to complete in each of {completions.COMPLETED_CLASSES} classes.",
)
def main(
    model: str,
    data: Path,
    parts: tuple[str, ...],
    split: Split,
    asked: tuple[Condition, ...],
    picture: Path | None,
    sheet: Path | None,
    wanted: str | None,
    per_class: int | None,
    seeds: int,
    folder: Path,
    target: Path | None,
    lines: Path | None,
    completed: int,
) -> None:
    """Evaluate."""
    results: dict[str, Any] = {"model": model}
    try:
        dataset = datasets.load(data)
        drawn = datasets.load(lines) if lines else None
        if model.endswith(".pt"):
            network = load_state(Path(model), dataset)
            results["likelihood"] = show_likelihood(
                model, network, dataset, split, judge.LONGEST
            )
            write_json(results, target)
            return
        checkpoint = load(find(model))
    except (CheckpointError, DatasetError) as error:
        raise Refusal(str(error)) from error
    if checkpoint.classes != dataset.classes:
        raise Refusal(f"{model} and {data} have different classes.")
    names = choose_classes(wanted, dataset.classes)
    per_class = per_class or samples.enough(dataset, split, names)
    plan = samples.Plan(names, per_class, seeds, split)
    parts = ("samples",) if picture else parts
    judges = []
    if not checkpoint.config.code and parts == PARTS:
        parts = PARTS[:-1]
    if {"samples", "completion", "one-line", "codes"} & set(parts):
        judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    if "likelihood" in parts:
        network = from_checkpoint(checkpoint)
        results["likelihood"] = show_likelihood(
            model, network, dataset, split, checkpoint.config.context
        )
    ways = asked or tuple(conditions.FRONTIER if picture else conditions.CURVE)
    if "samples" in parts:
        results["samples"] = show_samples(checkpoint, dataset, judges, plan, ways)
    if picture:
        rows = [results["samples"][conditions.title(c)]["mean"] for c in ways]
        real = results["samples"]["real"]["mean"]
        frontier.draw(ways, rows, real, f"{checkpoint.name}, {split} drawings", picture)
    if "copying" in parts:
        results["copying"] = show_copying(
            checkpoint, dataset, raster_judge(folder, dataset), plan, asked or ways[:1], sheet
        )
    if "completion" in parts:
        results["completion"] = show_completion(checkpoint, dataset, judges, split, completed)
    if "one-line" in parts:
        results |= show_one_lines(checkpoint, judges, per_class, drawn)
    if "codes" in parts:
        few = min(per_class, CODED)
        results["codes"] = show_codes(checkpoint, dataset, judges, split, few)
    write_json(results, target)


def write_json(results: dict[str, Any], path: Path | None) -> None:
    """Write all figures, if there is a file for them."""
    if path:
        write_whole(path, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
