"""Training: the command line as users run it, what goes into a batch, what the loss is."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import click.testing
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions
from vpype_cli import execute

from training import (
    evaluate,
    export,
    judge,
    loop,
    mend,
    prepare,
    profiling,
    prune,
    sample,
    train,
)
from training.build import build_model, build_optimizers
from training.config import TrainConfig, read_config
from training.data import dataset as datasets
from training.data.batches import (
    MOST_TURNED,
    MOST_WIDER,
    PLAIN,
    Augmentation,
    cut_batches,
    epoch_order,
    evaluation_batches,
    make_batch,
    offset_scale,
    training_batches,
)
from training.data.dataset import Dataset
from training.data.readers import read_ndjson
from training.loop import batches_of
from training.model import ALTERATIONS, Batch, Sketchformer
from vpype_sketchformer.model import sampling
from vpype_sketchformer.model.checkpoint import find, load, save
from vpype_sketchformer.model.transformer import (
    ANY_STROKES,
    ONE_STROKE,
    SEVERAL_STROKES,
    ModelConfig,
)
from vpype_sketchformer.sketch import DRAW, END, LIFT

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training/configs"
CLASSES = ("cat", "circle", "house", "sun", "zigzag")
SVG = "{http://www.w3.org/2000/svg}"

TINY = (
    *("width=16", "heads=2", "layers=1", "hidden=64", "pen_width=8"),
    *("points=1024", "warmup=5"),
)
TINY_BASELINE = ("width=16", "heads=2", "layers=1", "points=1024", "lr=3e-3")

Arguments = tuple[str | Path, ...]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order round differently, so equal bits need equal threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(quickdraw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file of real drawings, some of one stroke."""
    drawings = [
        drawing for name in CLASSES for drawing in read_ndjson(quickdraw / f"{name}.ndjson")
    ]
    path = tmp_path_factory.mktemp("data") / "few.safetensors"
    datasets.save(drawings, path, ["Some drawings, CC BY 4.0"])
    return path


@pytest.fixture(scope="module")
def dataset(data: Path) -> Dataset:
    return datasets.load(data)


def arguments(
    data: Path, out: Path, *changes: str, config: Path = CONFIGS / "tiny.toml"
) -> Arguments:
    """The command line's arguments, with changes of settings."""
    sets = [part for change in changes for part in ("--set", change)]
    return (config, data, "--out", out, *sets)


def run(command: click.Command, *args: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(command, [str(arg) for arg in args])


def succeed(*args: str | Path) -> None:
    result = run(train.main, *args)
    assert result.exit_code == 0, result.output


def refusal(result: click.testing.Result) -> str:
    """The one line that a refused command ends with."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    last = result.stderr.rstrip().splitlines()[-1]
    assert last.startswith("Error: ")
    return last


def subprocess_of(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )


def state_of(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "state.pt", weights_only=True)


def log_of(folder: Path) -> list[dict[str, float]]:
    """The log without the speed, the one thing that no two runs share."""
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert all(entry.pop("points_per_second") > 0 for entry in entries)
    return entries


def check_same_run(folder: Path, other: Path) -> None:
    """Compare two runs to the last bit."""
    assert log_of(folder) == log_of(other)
    state, expected = state_of(folder), state_of(other)
    assert state.pop("settings") == expected.pop("settings")
    torch.testing.assert_close(state, expected, rtol=0, atol=0)


# --- a run, from the command line to a model that draws --------------------------------


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended."""
    out = tmp_path_factory.mktemp("runs") / "deep/tiny run"
    changes = (*TINY, "steps=40", "validate_every=10", "sample_every=20", "save_every=10")
    result = subprocess_of("-m", "training.train", *arguments(data, out, *changes))
    assert result.returncode == 0, result.stderr
    return out


def test_a_model_learns(trained: Path) -> None:
    log = log_of(trained)
    assert [entry["step"] for entry in log] == [10, 20, 30, 40]
    for entry in log:
        assert entry["valid"] == pytest.approx(entry["offset"] + entry["pen"])
    first, last = log[0], log[-1]
    assert last["valid"] < first["valid"] - 0.5
    assert last["train"] < first["train"] - 0.5
    assert last["offset"] < first["offset"] - 0.2
    assert last["pen"] < first["pen"] - 0.1


def test_a_run_leaves_pictures(trained: Path) -> None:
    curve = ElementTree.parse(trained / "curve.svg")
    assert len(curve.findall(f".//{SVG}polyline")) == 2
    assert {path.name for path in trained.glob("samples-*")} == {
        "samples-000020.svg",
        "samples-000040.svg",
    }
    for path in trained.glob("samples-*"):
        assert ElementTree.parse(path).findall(f".//{SVG}polyline")


def test_the_exported_model_draws_and_says_what_it_is(trained: Path) -> None:
    checkpoint = load(trained / "model.safetensors")
    assert checkpoint.classes == CLASSES
    seeds = np.random.SeedSequence(1).spawn(2)
    sketches = sampling.sample(checkpoint, ["cat", "sun"], seeds, temperature=0.5)
    assert [sketch.label for sketch in sketches] == ["cat", "sun"]
    about = checkpoint.metadata
    assert about["data"] == ["Some drawings, CC BY 4.0"]
    assert about["command"].startswith("python -m training.train ")
    assert "--set width=16" in about["command"]
    assert "/tiny run'" in about["command"], "quoted, so that a shell reads it back"
    assert about["settings"]["width"] == 16
    assert about["settings"]["steps"] == about["step"] == 40
    assert about["validation"]["offset"] == log_of(trained)[-1]["offset"]


def test_the_baseline_learns(data: Path, tmp_path: Path) -> None:
    changes = (*TINY_BASELINE, "steps=20", "validate_every=5")
    succeed(*arguments(data, tmp_path, *changes, config=CONFIGS / "baseline.toml"))
    log = log_of(tmp_path)
    assert log[-1]["valid"] < log[0]["valid"] - 0.2


def test_a_run_begins_with_the_weights_of_a_model(
    quickdraw: Path, trained: Path, tmp_path: Path
) -> None:
    """Known classes keep their rows, the others begin as the null class."""
    drawings = [
        drawing
        for name in ("sun", "cat", "The Eiffel Tower")
        for drawing in read_ndjson(quickdraw / f"{name}.ndjson")
    ]
    other = tmp_path / "other.safetensors"
    datasets.save(drawings, other)
    model = trained / "model.safetensors"
    barely = ("steps=1", "lr=1e-9", "muon_lr=1e-9")
    succeed(*arguments(other, tmp_path / "run", *barely), "--from", model)

    begun, source = load(tmp_path / "run/model.safetensors"), load(model)
    assert begun.classes == ("The Eiffel Tower", "cat", "sun")
    # `longest` is that of the drawings.
    shape = dataclasses.replace(begun.config, longest=source.config.longest)
    assert (shape, begun.scale) == (source.config, source.scale)
    rows = [len(CLASSES), CLASSES.index("cat"), CLASSES.index("sun"), len(CLASSES)]
    for name, weight in source.tensors.items():
        expected = weight[rows] if name in ("start.weight", "label.weight") else weight
        np.testing.assert_allclose(begun.tensors[name], expected, atol=1e-6, err_msg=name)


def test_models_that_cannot_be_begun_with(data: Path, tmp_path: Path) -> None:
    args = (*arguments(data, tmp_path / "out"), "--from")
    assert "no model 'rembrandt'" in refusal(run(train.main, *args, "rembrandt"))
    assert "not a model" in refusal(run(train.main, *args, data))
    args = (*arguments(data, tmp_path / "out", "hidden=8"), "--from", "quickdraw")
    assert "--set hidden" in refusal(run(train.main, *args))
    assert not (tmp_path / "out").exists()


# --- your own drawings -----------------------------------------------------------------

BRIEF = ("--set", "steps=2")


def write_svgs(folder: Path, source: Path, count: int) -> None:
    """Write real drawings as SVGs."""
    folder.mkdir(parents=True)
    for i, drawing in enumerate(islice(read_ndjson(source), count)):
        strokes = np.split(drawing.points, np.flatnonzero(drawing.pen[:-1]) + 1)
        points = [" ".join(f"{x},{y}" for x, y in stroke) for stroke in strokes]
        lines = "".join(f'<polyline points="{line}"/>' for line in points)
        (folder / f"{i}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg">{lines}</svg>'
        )


def test_a_model_of_your_own_drawings(quickdraw: Path, tiny: Path, tmp_path: Path) -> None:
    mine, out = tmp_path / "mine", tmp_path / "out"
    write_svgs(mine / "cat", quickdraw / "cat.ndjson", 30)
    write_svgs(mine / "my house", quickdraw / "house.ndjson", 30)
    (mine / "cat/0.svg").write_text("no SVG")
    (mine / "cat/1.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    result = run(train.main, "--svg", mine, "--from", tiny, "--out", out, *BRIEF)
    assert result.exit_code == 0, result.output
    for number, why in ((0, "not an SVG"), (1, "no lines")):
        assert f"{mine / 'cat' / str(number)}.svg: skipped, " in result.stderr
        assert why in result.stderr

    model = load(out / "model.safetensors")
    assert model.classes == ("cat", "my house")
    shape = load(tiny).config
    assert model.config == dataclasses.replace(shape, longest=model.config.longest)
    assert 40 < model.config.longest < 128  # cats and houses are cut off where theirs end
    assert model.metadata["data"] == [*load(tiny).metadata["data"], "Drawings in 'mine'"]
    sketches = f"sketchgen --model '{out / 'model.safetensors'}' -n 2 --class 'my house'"
    assert not execute(sketches).is_empty()


def test_a_few_drawings_in_one_folder_go_on_from_the_model_that_ships(
    quickdraw: Path, tmp_path: Path
) -> None:
    """Too few for one to be on the side of validation; the folder names them."""
    mine, out = tmp_path / "house", tmp_path / "out"
    write_svgs(mine, quickdraw / "house.ndjson", 4)
    barely = ("--set", "steps=1", "--set", "lr=1e-9", "--set", "muon_lr=1e-9")
    result = run(train.main, "--svg", mine, "--from", "shipped", "--out", out, *barely)
    assert result.exit_code == 0, result.output
    assert "no drawings to validate with" in result.output
    begun, shipped = load(out / "model.safetensors"), load(find("quickdraw"))
    assert begun.classes == ("house",)
    house = shipped.classes.index("house")
    expected = shipped.tensors["label.weight"][[house, -1]]
    np.testing.assert_allclose(begun.tensors["label.weight"], expected, atol=1e-6)


def test_fifty_drawings_are_validated_with_five_at_least(
    quickdraw: Path, tiny: Path, tmp_path: Path
) -> None:
    mine, out = tmp_path / "cat", tmp_path / "out"
    write_svgs(mine, quickdraw / "cat.ndjson", 50)
    dataset, settings = train.own_drawings(mine), TrainConfig(only_recognized=False)
    trained = loop.training_indices(dataset, settings)
    held = loop.validation_indices(dataset, settings)
    assert len(held) >= 5
    assert not set(held) & set(trained)
    assert not set(dataset.of("test")) & {*held, *trained}
    assert len(trained) + len(held) + len(dataset.of("test")) == 50
    result = run(train.main, "--svg", mine, "--from", tiny, "--out", out, *BRIEF)
    assert "no drawings to validate with" not in result.output


def test_the_model_that_a_run_began_with_belongs_to_it(
    data: Path, tiny: Path, tmp_path: Path
) -> None:
    args = arguments(data, tmp_path / "out", "steps=1")
    succeed(*args, "--from", tiny)
    elsewhere = tmp_path / "copied.safetensors"
    elsewhere.write_bytes(tiny.read_bytes())
    succeed(*args, "--from", elsewhere)  # the weights count, not where they lie
    tensors = load(tiny).tensors
    other = {name: t * 1.5 if name == "pen_out.weight" else t for name, t in tensors.items()}
    save(dataclasses.replace(load(tiny), tensors=other), tmp_path / "other.safetensors")
    refused = refusal(run(train.main, *args, "--from", tmp_path / "other.safetensors"))
    assert "another run (from = " in refused


def test_the_best_model_is_kept_beside_the_last(data: Path, tmp_path: Path) -> None:
    """A rate that soon breaks everything: the first validation is the best one."""
    changes = ("steps=12", "validate_every=3", "sample_every=12", "lr=0.05", "warmup=0")
    succeed(*arguments(data, tmp_path, *TINY, *changes, "optimizer=adamw", "clip=1000"))
    entries = log_of(tmp_path)
    best = min(entries, key=lambda entry: entry["valid"])
    assert load(tmp_path / "model.safetensors").metadata["step"] == 12
    assert load(tmp_path / "best.safetensors").metadata["step"] == best["step"]
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["valid"]) for row in rows] == [entry["valid"] for entry in entries]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_only_what_multiplies_is_pulled_to_zero(optimizer: str) -> None:
    """Without gradients, a step moves what decays, and nothing else."""
    settings = TrainConfig(
        width=16, heads=2, layers=1, hidden=32, optimizer=optimizer, weight_decay=1.0
    )
    model = build_model(settings, 3, 30.0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
            parameter.grad = torch.zeros_like(parameter)
    for way in build_optimizers(model, settings):
        way.step()
    moved = {name for name, p in model.named_parameters() if bool((p != 0.5).any())}
    tables = {"start.weight", "label.weight", "strokes.weight", "quality.weight", "pen.weight"}
    named = dict(model.named_parameters())
    assert moved == {name for name, p in named.items() if p.ndim == 2} - tables


def test_mixed_datasets_have_their_shares(data: Path, quickdraw: Path, tmp_path: Path) -> None:
    """Twelve towers for a third of the training, beside three hundred other drawings."""
    towers = list(read_ndjson(quickdraw / "The Eiffel Tower.ndjson"))
    other = tmp_path / "towers.safetensors"
    datasets.save(towers, other, ["Towers"])
    parts = [datasets.load(data), datasets.load(other)]
    mixed = datasets.mix(parts, [2.0, 1.0])
    assert mixed.sources == ("Some drawings, CC BY 4.0", "Towers")
    for index in (0, len(parts[0]) - 1, len(parts[0]), len(mixed) - 1):
        part, i = divmod(index, len(parts[0])) if index < len(parts[0]) else (1, index - 300)
        expected = parts[part].drawing(i)
        np.testing.assert_array_equal(mixed.drawing(index).points, expected.points)
        assert mixed.drawing(index).label == expected.label
    order = epoch_order(mixed, mixed.of("train"), 0.6, np.random.default_rng(0))
    tower = mixed.classes.index("The Eiffel Tower")
    assert np.mean(mixed.labels[order] == tower) == pytest.approx(1 / 3, abs=0.03)
    out = tmp_path / "out"
    succeed(*arguments(data, out, *TINY, "steps=1"), "--mix", other, 0.25)
    assert state_of(out)["settings"]["shares"] == [0.75, 0.25]
    args = (*arguments(data, out, *TINY, "steps=1"), "--mix", other, 1)
    assert "leave some" in refusal(run(train.main, *args))


def test_longer_drawings_than_the_model_knew(tiny: Path, tmp_path: Path) -> None:
    """A line of many corners, whose model draws as far as that."""
    mine, out = tmp_path / "mine", tmp_path / "out"
    mine.mkdir()
    for i in range(12):
        points = " ".join(f"{k * 8},{(k + i) % 2 * 800}" for k in range(300))
        line = f'<polyline points="{points}"/>'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg">{line}</svg>'
        (mine / f"{i}.svg").write_text(svg)
    words = ("--svg", mine, "--from", tiny, "--out", out, *BRIEF, "--set", "context=320")
    result = run(train.main, *words)
    assert result.exit_code == 0, result.output
    config = load(out / "model.safetensors").config
    assert config.context == 320
    assert 128 < config.longest < 320
    never = "-c mine --pen-temperature 0.05 --no-smooth"
    document = execute(f"sketchgen --model '{out / 'model.safetensors'}' {never}")
    assert sum(map(len, document.layers[1])) == config.longest  # barely trained: no end


def test_drawings_that_have_changed_are_another_run(
    quickdraw: Path, tiny: Path, tmp_path: Path
) -> None:
    write_svgs(tmp_path / "mine/cat", quickdraw / "cat.ndjson", 5)
    args = ("--svg", tmp_path / "mine", "--from", tiny, "--out", tmp_path / "out", *BRIEF)
    succeed(*args)
    (tmp_path / "mine/cat").rename(tmp_path / "mine/dog")
    assert "another run" in refusal(run(train.main, *args))


def test_drawings_that_cannot_be_trained_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    empty, bad = tmp_path / "empty", tmp_path / "bad"
    empty.mkdir()
    bad.mkdir()
    (bad / "drawing.svg").write_text("no SVG")
    assert str(empty) in refusal(run(train.main, "--svg", empty, "--out", out))
    assert str(bad) in refusal(run(train.main, "--svg", bad, "--out", out))
    neither = refusal(run(train.main, "--out", out))
    both = refusal(run(train.main, *arguments(data, out), "--svg", bad))
    assert "DATA" in neither
    assert "--svg" in both
    assert not out.exists()


# --- a run that was killed -------------------------------------------------------------

HIT_IN_A_STEP = """
import itertools, os, signal
from training import loop, train
step, numbers = loop.train_step, itertools.count(1)
def hit(*args):
    if next(numbers) == {step}:
        os.kill(os.getpid(), signal.{signal})
    return step(*args)
loop.train_step = hit
train.main()
"""
DIES_IN_A_STEP = HIT_IN_A_STEP.format(step=18, signal="SIGKILL")
INTERRUPTED_IN_A_STEP = HIT_IN_A_STEP.format(step=12, signal="SIGINT")

DIES_WHILE_IT_SAVES = """
import io, itertools, os, signal
import torch
from training import train
save, numbers = torch.save, itertools.count(1)
def dying(state, file):
    if next(numbers) < 3:
        return save(state, file)
    whole = io.BytesIO()
    save(state, whole)
    file.write(whole.getvalue()[:-2000])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = dying
train.main()
"""


@pytest.mark.parametrize(
    ("death", "config", "changes"),
    [
        (DIES_IN_A_STEP, "tiny.toml", (*TINY, "dropout=0.1")),
        (DIES_WHILE_IT_SAVES, "baseline.toml", TINY_BASELINE),
    ],
    ids=["in a step", "while it saves"],
)
def test_a_killed_run_ends_as_one_never_stopped(
    data: Path, tmp_path: Path, death: str, config: str, changes: tuple[str, ...]
) -> None:
    changes = (*changes, "steps=25", "validate_every=10", "save_every=5", "sample_every=25")
    whole, killed = (
        arguments(data, tmp_path / name, *changes, config=CONFIGS / config)
        for name in ("whole", "killed")
    )
    succeed(*whole)
    assert subprocess_of("-c", death, *killed).returncode == -signal.SIGKILL
    assert len(log_of(tmp_path / "killed")) == 1, "it died between validations"
    succeed(*killed)

    check_same_run(tmp_path / "killed", tmp_path / "whole")
    for path in (tmp_path / "whole").glob("samples-*"):
        assert (tmp_path / "killed" / path.name).read_text() == path.read_text()


def test_an_interrupted_run_keeps_the_step_at_hand(data: Path, tmp_path: Path) -> None:
    changes = (*TINY, "steps=25", "validate_every=10", "save_every=100", "sample_every=25")
    whole, stopped = (
        arguments(data, tmp_path / name, *changes) for name in ("whole", "stopped")
    )
    succeed(*whole)
    ended = subprocess_of("-c", INTERRUPTED_IN_A_STEP, *stopped)
    assert ended.returncode == 128 + signal.SIGINT
    assert "stopped at step 12" in ended.stdout
    assert state_of(tmp_path / "stopped")["step"] == 12
    succeed(*stopped)
    check_same_run(tmp_path / "stopped", tmp_path / "whole")


def test_a_run_that_ended_is_left_as_it_is(data: Path, tmp_path: Path) -> None:
    args = arguments(data, tmp_path, *TINY, "steps=2")
    succeed(*args)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    succeed(*args)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# A timer of processor time whose signal nobody handles: the process ends where it stands.
DIES_AT_ANY_MOMENT = """
import os, random, signal
from training import loop, train
step, moments = loop.train_step, random.Random(1)
def dying(*args):
    if first_of_a_life.pop():
        signal.setitimer(signal.ITIMER_PROF, moment)
    first_of_a_life.append(False)
    return step(*args)
loop.train_step = dying
deaths = 0
for _ in range(5):
    moment, first_of_a_life = moments.uniform(0.01, 0.15), [True]
    child = os.fork()
    if not child:
        train.main()
    deaths += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGPROF
print(deaths, "deaths")
"""


def test_a_run_killed_again_and_again_loses_nothing(data: Path, tmp_path: Path) -> None:
    """It saves all the time, so that death finds it saving as well."""
    changes = (*TINY, "steps=30", "validate_every=7", "save_every=1", "sample_every=30")
    whole, killed = (
        arguments(data, tmp_path / name, *changes) for name in ("whole", "killed")
    )
    succeed(*whole)
    mortal = subprocess_of("-c", DIES_AT_ANY_MOMENT, *killed)
    assert int(mortal.stdout.split()[-2]) >= 2, mortal.stderr
    succeed(*killed)

    check_same_run(tmp_path / "killed", tmp_path / "whole")


# --- a run of several processes --------------------------------------------------------

EXACTLY = """
from contextlib import nullcontext
from training import loop, train
loop.autocast = lambda device: nullcontext()
train.main()
"""


def test_two_processes_train_what_one_trains(data: Path, tmp_path: Path) -> None:
    """In batches so small that half of them are one drawing, for one of the processes.

    With AdamW, since Muon rounds to bfloat16, and so carries a last bit on to a hundredth.
    """
    script = tmp_path / "exactly.py"
    script.write_text(EXACTLY)
    changes = (*TINY, "optimizer='adamw'", "context=64", "points=64", "steps=12")
    one, two = (arguments(data, tmp_path / name, *changes) for name in ("one", "two"))
    assert subprocess_of(script, *one).returncode == 0
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    result = subprocess_of(*torchrun, script, *two)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("M parameters") == 1, "one of them speaks"

    (entry,), (expected,) = log_of(tmp_path / "two"), log_of(tmp_path / "one")
    assert entry == pytest.approx(expected, abs=1e-5)
    # Twelve steps move the weights by 1e-3 to 1e-2.
    torch.testing.assert_close(
        state_of(tmp_path / "two")["model"],
        state_of(tmp_path / "one")["model"],
        rtol=0,
        atol=1e-6,
    )


INTERRUPTED_TOGETHER = """
import os, signal, time
from training import loop, train
step = loop.train_step
def hit(*args):
    if os.environ["RANK"] == "0":
        os.kill(os.getppid(), signal.SIGINT)  # torchrun, as Ctrl-C would
    time.sleep(0.5)
    return step(*args)
loop.train_step = hit
train.main()
"""


def test_several_processes_that_are_interrupted_keep_the_step_at_hand(
    data: Path, tmp_path: Path
) -> None:
    script, out = tmp_path / "interrupted.py", tmp_path / "out"
    script.write_text(INTERRUPTED_TOGETHER)
    args = arguments(data, out, *TINY, "steps=500", "validate_every=500", "save_every=500")
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    result = subprocess_of(*torchrun, script, *args)
    assert result.returncode
    assert result.stdout.count("stopped at step") == 1, result.stderr
    assert 0 < state_of(out)["step"] < 500


# --- what cannot be trained ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("widht=16", "unknown setting 'widht'"),
        ("width='16'", "'width' must be of type int"),
        ("width=16.0", "'width' must be of type int"),
        ("lr=true", "'lr' must be of type float"),
        ("only_recognized=1", "'only_recognized' must be of type bool"),
        ("width=", "--set width="),
        ("width=15", "width 15"),
        ("heads=32", "width 32"),
        ("points=100", "points (100) must be at least context"),
        ("model='lstm'", "sketchformer, baseline"),
        ("optimizer='sgd'", "muon, adamw"),
        ("steps=0", "'steps' must be above 0"),
        ("layers=-1", "'layers' must be above 0"),
        ("validate_every=0", "'validate_every' must be above 0"),
        ("lr=nan", "'lr' must be above 0"),
        ("decay=1.5", "'decay' must be from 0 to 1"),
        ("stretch=1.0", "'stretch' must be below 1"),
        ("seed=-1", "'seed' must be 0 or more"),
        ("context=2", "no drawings of up to 2 points"),
    ],
)
def test_settings_that_cannot_be(data: Path, tmp_path: Path, change: str, words: str) -> None:
    out = tmp_path / "out"
    assert words in refusal(run(train.main, *arguments(data, out, change)))
    assert not out.exists()


def test_the_baseline_has_positions_for_so_many_points(data: Path, tmp_path: Path) -> None:
    args = arguments(data, tmp_path, "context=513", config=CONFIGS / "baseline.toml")
    assert "at most 512" in refusal(run(train.main, *args))


def test_the_last_change_of_a_setting_holds() -> None:
    settings = read_config(CONFIGS / "tiny.toml", ("steps=1", "lr=1", "steps=2"))
    assert (settings.steps, settings.lr) == (2, 1.0)


@pytest.mark.parametrize("text", [b"width = ", b"\xff\xfe", b"[[[", b"width = 1\nwidth = 2"])
def test_a_config_that_is_not_toml(data: Path, tmp_path: Path, text: bytes) -> None:
    config = tmp_path / "broken.toml"
    config.write_bytes(text)
    args = arguments(data, tmp_path / "out", config=config)
    assert str(config) in refusal(run(train.main, *args))


def test_files_that_are_missing(data: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert "nowhere" in refusal(run(train.main, *arguments(nowhere, tmp_path)))
    assert "nowhere" in refusal(run(train.main, *arguments(data, tmp_path, config=nowhere)))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_data_cut_short(data: Path, tmp_path: Path, share: float) -> None:
    whole = data.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[: int(share * len(whole))])
    assert str(cut) in refusal(run(train.main, *arguments(cut, tmp_path / "out")))


def test_data_that_is_no_dataset(tiny: Path, tmp_path: Path) -> None:
    assert "not a dataset" in refusal(run(train.main, *arguments(tiny, tmp_path / "out")))


def test_a_folder_that_cannot_be(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "file" in refusal(run(train.main, *arguments(data, tmp_path / "file/out")))


# --- a state that is another's, damaged or hostile -------------------------------------


@pytest.fixture
def begun(data: Path, tmp_path: Path) -> Path:
    """The folder of a short run."""
    out = tmp_path / "run"
    succeed(*arguments(data, out, *TINY, "steps=2"))
    return out


@pytest.mark.parametrize("change", ["width=32", "lr=0.5", "seed=2", "optimizer='adamw'"])
def test_another_runs_folder_is_left_alone(data: Path, begun: Path, change: str) -> None:
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    result = run(train.main, *arguments(data, begun, *TINY, "steps=2", change))
    assert "another run" in refusal(result)
    assert change.split("=")[0] in refusal(result)
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before


def test_another_datasets_run_is_left_alone(
    quickdraw: Path, begun: Path, tmp_path: Path
) -> None:
    drawings = [
        drawing
        for name in CLASSES
        for drawing in islice(read_ndjson(quickdraw / f"{name}.ndjson"), 30)
    ]
    fewer = tmp_path / "fewer.safetensors"
    datasets.save(drawings, fewer)
    result = run(train.main, *arguments(fewer, begun, *TINY, "steps=2"))
    assert "another run" in refusal(result)


def test_a_state_that_fits_no_model(data: Path, begun: Path) -> None:
    """As of a version that did not note its settings."""
    state = torch.load(begun / "state.pt", weights_only=True)
    del state["settings"]
    torch.save(state, begun / "state.pt")
    result = run(train.main, *arguments(data, begun, *TINY, "steps=2", "width=32"))
    assert "another run" in refusal(result)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_state_cut_short(data: Path, begun: Path, share: float) -> None:
    path = begun / "state.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    result = run(train.main, *arguments(data, begun, *TINY, "steps=2"))
    assert str(path) in refusal(result)


class Hostile:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("bare", [True, False])
def test_a_hostile_state_executes_nothing(
    data: Path, begun: Path, tmp_path: Path, bare: bool
) -> None:
    path, folder = begun / "state.pt", tmp_path / "broken in"
    if bare:
        path.write_bytes(pickle.dumps(Hostile(folder), protocol=2))
    else:
        torch.save({"step": Hostile(folder)}, path)
    result = run(train.main, *arguments(data, begun, *TINY, "steps=2"))
    assert str(path) in refusal(result)
    assert not folder.exists()


# --- batches ---------------------------------------------------------------------------


def offsets_of(dataset: Dataset, index: int) -> np.ndarray:
    """The offsets of a drawing, the first one from the corner of the frame."""
    return np.diff(dataset.drawing(index).points.astype(float), axis=0, prepend=0)


def test_evaluation_sees_every_drawing_once(dataset: Dataset) -> None:
    chosen = dataset.of("valid")
    seen = list(evaluation_batches(dataset, chosen, 2000))
    assert sorted(np.concatenate([indices for indices, _ in seen])) == sorted(chosen)
    for indices, batch in seen:
        assert batch.real.numel() <= 2000
        assert batch.real.sum(dim=1).tolist() == dataset.lengths[indices].tolist()
        assert batch.labels.tolist() == dataset.labels[indices].tolist()


@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=300),
    st.integers(60, 500),
    st.integers(0, 99),
)
def test_batches_hold_every_drawing_once_and_no_more_points_than_allowed(
    lengths: list[int], points: int, seed: int
) -> None:
    sizes = np.array(lengths)
    batches = cut_batches(sizes, np.arange(len(sizes)), points, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == list(range(len(sizes)))
    assert all(len(batch) * sizes[batch].max() <= points for batch in batches)


def test_training_batches_waste_little(dataset: Dataset) -> None:
    """The point of sorting by length: padding is a small share."""
    batches = list(
        islice(
            training_batches(
                dataset,
                dataset.of("train"),
                points=512,
                balance=1.0,
                augmentation=lambda _: PLAIN,
                seed=1,
            ),
            15,
        )
    )
    assert all(batch.real.numel() <= 512 for batch in batches)
    real = sum(int(batch.real.sum()) for batch in batches)
    padded = sum(batch.real.numel() for batch in batches)
    assert real / padded > 0.8


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_classes_come_in_proportion_to_a_power_of_their_size(
    dataset: Dataset, balance: float
) -> None:
    sizes = {"cat": 60, "circle": 24, "sun": 6}
    indices = np.concatenate(
        [
            np.flatnonzero(dataset.labels == CLASSES.index(name))[:size]
            for name, size in sizes.items()
        ]
    )
    rng = np.random.default_rng(1)
    epochs = [epoch_order(dataset, indices, balance, rng) for _ in range(50)]
    drawn = np.concatenate(epochs)
    assert set(drawn) == set(indices)
    assert len(drawn) / 50 == pytest.approx(len(indices), rel=0.02)
    total = sum(size**balance for size in sizes.values())
    for name, size in sizes.items():
        share = np.mean(dataset.labels[drawn] == CLASSES.index(name))
        assert share == pytest.approx(size**balance / total, rel=0.05)
        # Within a class no drawing is dearer than another.
        times = np.bincount(epochs[0], minlength=len(dataset))[indices]
        times = times[dataset.labels[indices] == CLASSES.index(name)]
        assert times.max() - times.min() <= 1


def test_targets_are_dequantised_and_what_the_network_reads_is_exact(
    dataset: Dataset,
) -> None:
    indices = np.arange(0, len(dataset), 2)
    batch = make_batch(dataset, indices, PLAIN, np.random.default_rng(0))
    noise = []
    for row, index in enumerate(indices.tolist()):
        drawing, offsets = dataset.drawing(index), offsets_of(dataset, index)
        n = len(offsets)
        noise.append(batch.offsets[row, :n].numpy() - offsets)
        assert batch.pens[row, :n].tolist() == drawing.pen.tolist()
        starts = np.flatnonzero(np.concatenate([[True], drawing.pen[:-1] == LIFT]))
        strokes = np.split(drawing.points.astype(float), starts[1:])
        from_begin = np.concatenate([stroke - stroke[0] for stroke in strokes])
        features = batch.features[row, :n].double().numpy()
        np.testing.assert_array_equal(features[:, :2] * 64, offsets)
        np.testing.assert_allclose(np.sinh(features[:, 2:4] * 2) * 2, offsets, atol=1e-3)
        np.testing.assert_array_equal((features[:, 4:6] + 1) * 128, drawing.points)
        np.testing.assert_allclose(np.sinh(features[:, 6:8] * 2) * 2, from_begin, atol=1e-3)
    together = np.concatenate(noise)
    assert np.abs(together).max() <= 0.5 + 1e-4
    assert together.mean() == pytest.approx(0, abs=0.01)
    assert together.std() == pytest.approx(math.sqrt(1 / 12), rel=0.02)


def test_conditions_come_at_their_rates(dataset: Dataset) -> None:
    short = np.flatnonzero(dataset.lengths <= 20)
    indices = np.resize(short, 6000)
    augmentation = Augmentation(hide_label=0.1, tell_strokes=0.3)
    batch = make_batch(dataset, indices, augmentation, np.random.default_rng(0))
    hidden = batch.labels.numpy() == len(CLASSES)
    assert hidden.mean() == pytest.approx(0.1, abs=0.02)
    np.testing.assert_array_equal(
        batch.labels.numpy()[~hidden], dataset.labels[indices][~hidden]
    )
    told = batch.strokes.numpy() != ANY_STROKES
    assert told.mean() == pytest.approx(0.3, abs=0.03)
    strokes = [np.sum(dataset.drawing(i).pen != DRAW) for i in indices.tolist()]
    expected = np.where(np.equal(strokes, 1), ONE_STROKE, SEVERAL_STROKES)
    assert set(expected) == {ONE_STROKE, SEVERAL_STROKES}
    np.testing.assert_array_equal(batch.strokes.numpy()[told], expected[told])


def test_stretched_drawings_stay_in_the_frame(dataset: Dataset) -> None:
    indices = np.arange(len(dataset))
    augmentation = Augmentation(stretch=0.2)
    batch = make_batch(dataset, indices, augmentation, np.random.default_rng(0))
    ratios = []
    for row, index in enumerate(indices.tolist()):
        before = dataset.drawing(index).points.astype(float)
        after = (batch.features[row, : len(before), 4:6].double().numpy() + 1) * 128
        np.testing.assert_array_equal(after, np.rint(after))
        assert after.max() == 255
        if before.max(axis=0).min() > 100:  # so that rounding to pixels hides nothing
            ratios.append(np.divide(*(after.max(axis=0) / before.max(axis=0))))
    assert 0.79 < min(ratios) < 0.85
    assert 1.18 < max(ratios) < 1.26


def test_mirrored_drawings_are_mirrored(dataset: Dataset) -> None:
    indices = np.arange(len(dataset))
    augmentation = Augmentation(mirror=0.5)
    batch = make_batch(dataset, indices, augmentation, np.random.default_rng(0))
    mirrored = 0
    for row, index in enumerate(indices.tolist()):
        before = dataset.drawing(index).points.astype(float)
        after = (batch.features[row, : len(before), 4:6].double().numpy() + 1) * 128
        flipped = np.column_stack([before[:, 0].max() - before[:, 0], before[:, 1]])
        mirrored += np.array_equal(after, flipped)
        assert np.array_equal(after, flipped) or np.array_equal(after, before)
    assert mirrored / len(indices) == pytest.approx(0.5, abs=0.1)


def altered(strokes: list[np.ndarray], told: np.ndarray) -> list[np.ndarray]:
    """Alter one drawing as it is told, stroke by stroke."""
    mirrored, last_first, backwards, turned, wider = told.tolist()
    if last_first:
        strokes = strokes[::-1]
    if backwards:
        strokes = [stroke[::-1] for stroke in strokes]
    side = math.exp(MOST_WIDER * wider) * (-1 if mirrored else 1)
    turn = complex(math.cos(MOST_TURNED * turned), math.sin(MOST_TURNED * turned))
    moved = [(side * stroke[:, 0] + 1j * stroke[:, 1]) * turn for stroke in strokes]
    plane = [np.column_stack([stroke.real, stroke.imag]) for stroke in moved]
    corner = np.concatenate(plane).min(axis=0)
    extent = max((np.concatenate(plane) - corner).max(), 1e-9)
    return [(stroke - corner) * 255 / extent for stroke in plane]


def test_altered_drawings_tell_how(dataset: Dataset) -> None:
    indices = np.arange(len(dataset))
    augmentation = Augmentation(alter=0.6)
    batch = make_batch(dataset, indices, augmentation, np.random.default_rng(0))
    kinds = np.zeros(ALTERATIONS)
    for row, index in enumerate(indices.tolist()):
        told = batch.altered[row].double().numpy()
        kinds += told != 0
        before = dataset.drawing(index)
        strokes = np.split(before.points.astype(float), np.flatnonzero(before.pen)[:-1] + 1)
        expected = altered(strokes, told)
        after = (batch.features[row, : len(before.pen), 4:6].double().numpy() + 1) * 128
        np.testing.assert_allclose(after, np.concatenate(expected), atol=0.51)
        lifts = np.cumsum([len(stroke) for stroke in expected]) - 1
        pens = batch.pens[row, : len(before.pen)].numpy()
        np.testing.assert_array_equal(np.flatnonzero(pens != DRAW), lifts)
        assert pens[-1] == END and (pens == END).sum() == 1
    shares = kinds / len(indices)
    np.testing.assert_allclose(shares, [0.3, 0.15, 0.15, 0.3, 0.3], atol=0.1)


def test_altered_less_as_the_rate_falls(dataset: Dataset) -> None:
    """What a model learns last are drawings as people draw them."""
    config = TrainConfig(steps=60, warmup=1, decay=0.5, alter=0.8, points=2048)
    batches = islice(batches_of(config, dataset, dataset.of("train")), config.steps)
    shares = [float(batch.altered.any(dim=1).float().mean()) for batch in batches]
    # Of those that are chosen, one in fourteen has the luck to stay as it is.
    assert np.mean(shares[:30]) == pytest.approx(0.8 * 13 / 14, abs=0.06)
    assert np.mean(shares[30:]) == pytest.approx(0.4 * 13 / 14, abs=0.06)
    assert np.mean(shares[-3:]) < 0.15


def test_a_lone_dot_is_no_disaster(tmp_path: Path) -> None:
    dot = datasets.drawing_from_strokes([[(0, 0), (0, 0)]], "dot")
    dataset = datasets.save([dot], tmp_path / "dot.safetensors")
    batch = make_batch(
        dataset, np.array([0]), Augmentation(stretch=0.1), np.random.default_rng(0)
    )
    assert batch.features.isfinite().all()
    assert batch.offsets.isfinite().all()


def test_the_scale_is_the_deviation_of_the_offsets(dataset: Dataset) -> None:
    chosen = dataset.of("train")
    steps = [np.diff(dataset.drawing(i).points.astype(float), axis=0) for i in chosen.tolist()]
    assert offset_scale(dataset, chosen) == pytest.approx(np.concatenate(steps).std())


# --- the loss --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Sketchformer:
    """A model with opinions: heads that begin at zero would hide mistakes."""
    torch.manual_seed(0)
    config = ModelConfig(width=16, heads=2, layers=1, hidden=64, mixtures=5, pen_width=8)
    network = Sketchformer(config, len(CLASSES), offset_scale(dataset, dataset.of("train")))
    for head in (network.mixture, network.pen_out):
        torch.nn.init.normal_(head.weight, std=0.3)
    torch.nn.init.constant_(network.pen_out.bias[0], 2.0)  # drawings of few points cost more
    return network.eval()


def oracle(model: Sketchformer, batch: Batch) -> list[tuple[float, float, int]]:
    """Nats of offset and pen, and points, of each drawing, by torch's own distributions.

    Everything is said in pixels: means and deviations are multiplied by the scale.
    """
    results = []
    with torch.no_grad():
        stream = model.stream(batch)
        pen_input = torch.cat([stream, batch.features], dim=-1)
        pen_logits = model.pen_out(torch.relu(model.pen_hidden(pen_input)))
        output = model.mixture(stream).double()
    floor = math.log(0.2 / model.scale)
    for row, points in enumerate(batch.real.sum(dim=1).tolist()):
        logits, x, y, raw_x, raw_y, shear = output[row, :points].chunk(6, dim=-1)
        factor = torch.zeros(*logits.shape, 2, 2, dtype=torch.float64)
        for axis, raw in enumerate((raw_x, raw_y)):
            factor[..., axis, axis] = (floor + torch.log1p((raw - floor).exp())).exp()
        factor[..., 1, 0] = shear
        mixture = distributions.MixtureSameFamily(
            distributions.Categorical(logits=logits),
            distributions.MultivariateNormal(
                torch.stack([x, y], dim=-1) * model.scale, scale_tril=factor * model.scale
            ),
        )
        pen = distributions.Categorical(logits=pen_logits[row, :points])
        results.append(
            (
                -float(mixture.log_prob(batch.offsets[row, :points].double()).sum()),
                -float(pen.log_prob(batch.pens[row, :points]).sum()),
                points,
            )
        )
    return results


def test_the_loss_is_nats_per_real_point_in_pixels(
    model: Sketchformer, dataset: Dataset
) -> None:
    indices = np.argsort(dataset.lengths)[::25]  # of very different lengths
    batch = make_batch(dataset, indices, PLAIN, np.random.default_rng(0))
    assert batch.real.float().mean() < 0.6
    offset, pen, points = np.sum(oracle(model, batch), axis=0)
    untouched: list[torch.optim.Optimizer] = []
    losses = loop.train_step(model, untouched, batch, 1.0, TrainConfig())
    model.zero_grad()
    # Mixed precision rounds the stream; the loss itself does not.
    assert float(losses[0]) == pytest.approx(offset / points, rel=0.01)
    assert float(losses[1]) == pytest.approx(pen / points, rel=0.01)
    with torch.no_grad():
        exact = [float(loss.sum()) / points for loss in model.losses(batch)]
    assert exact == pytest.approx([offset / points, pen / points], rel=1e-4)


def test_validation_is_the_mean_over_points(model: Sketchformer, dataset: Dataset) -> None:
    chosen = dataset.of("valid")
    rng = np.random.default_rng(0)
    alone = [make_batch(dataset, chosen[i : i + 1], PLAIN, rng) for i in range(len(chosen))]
    scores = np.array([oracle(model, batch)[0] for batch in alone])
    offset, pen, points = scores.sum(axis=0)
    found = loop.validate(model, dataset, chosen, torch.device("cpu"))
    assert found.offset == pytest.approx(offset / points, rel=0.003)
    assert found.pen == pytest.approx(pen / points, rel=0.003)
    over_drawings = (scores[:, :2] / scores[:, 2:]).mean(axis=0)
    assert abs(found.pen - over_drawings[1]) > 0.02, "the two means can be told apart"


# --- sheets of samples -----------------------------------------------------------------


def cells_of(path: Path) -> set[tuple[int, int]]:
    """The cells of a sheet, 96 units each, that hold lines; no line may leave its cell."""
    cells = set()
    for line in ElementTree.parse(path).findall(f".//{SVG}polyline"):
        points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        (cell,) = {(int(x // 96), int(y // 96)) for x, y in points}
        cells.add(cell)
    return cells


def test_a_sheet_of_samples(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.svg"
    model = trained / "model.safetensors"
    args = ("--class", "sun, cat", "-n", 4, "--columns", 3, "--temperature", 0.8, "-o", out)
    result = run(sample.main, model, *map(str, args))
    assert result.exit_code == 0, result.output
    assert "8 sketches" in result.output
    assert cells_of(out) == {(i % 3, i // 3) for i in range(8)}
    first = out.read_text()
    run(sample.main, model, *map(str, args))
    assert out.read_text() == first
    run(sample.main, model, *map(str, args), "--seed", "1")
    assert out.read_text() != first


def test_a_sheet_of_every_class(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.svg"
    result = run(sample.main, trained / "model.safetensors", "-n", "1", "-o", out)
    assert result.exit_code == 0, result.output
    assert len(cells_of(out)) == len(CLASSES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--class", "cat,unicorn"), "unicorn"),
        (("-n", "0"), "-n"),
        (("--columns", "0"), "--columns"),
        (("--temperature", "0"), "--temperature"),
        (("--tries", "0"), "--tries"),
        (("--seed", "-1"), "--seed"),
        (("-o", "nowhere/sheet.svg"), "nowhere"),
    ],
)
def test_sheets_that_cannot_be(
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal(run(sample.main, tiny, "-n", "1", "--class", "cat", *change))
    assert not list(tmp_path.iterdir())


def test_models_that_cannot_be_drawn_with(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.svg"
    cut = tmp_path / "cut.safetensors"
    assert "cut" in refusal(run(sample.main, cut, "-o", out))
    cut.write_bytes(tiny.read_bytes()[:-100])
    assert str(cut) in refusal(run(sample.main, cut, "-o", out))
    assert not out.exists()


# --- pruning ---------------------------------------------------------------------------


def test_of_units_that_always_work_together_one_stays() -> None:
    rng = torch.Generator().manual_seed(0)
    first = torch.rand(500, 12, generator=rng, dtype=torch.float64)
    units = torch.cat([first, 0.5 * first], dim=1)
    weights = torch.randn(5, 24, generator=rng, dtype=torch.float64)
    kept, fitted = prune.fewer_units(weights, units.T @ units, 12)
    assert sorted(kept % 12) == list(range(12))
    torch.testing.assert_close(units[:, kept] @ fitted.T, units @ weights.T, rtol=0, atol=0.01)


def test_the_units_that_stay_stand_in_for_the_others_as_far_as_they_can() -> None:
    rng = np.random.default_rng(0)
    units = rng.normal(size=(400, 8)) @ rng.normal(size=(8, 16)) + rng.normal(size=(400, 16))
    weights = rng.normal(size=(3, 16))
    wanted = units @ weights.T
    kept, fitted = prune.fewer_units(
        torch.from_numpy(weights), torch.from_numpy(units.T @ units), 10
    )
    best, *_ = np.linalg.lstsq(units[:, kept], wanted, rcond=None)
    np.testing.assert_allclose(fitted.T, best, atol=0.01)

    def error(chosen: np.ndarray) -> float:
        return float(np.linalg.lstsq(units[:, chosen], wanted, rcond=None)[1].sum())

    chances = [error(rng.choice(16, 10, replace=False)) for _ in range(100)]
    assert error(kept.numpy()) < np.quantile(chances, 0.1)


def test_a_pruned_model_draws_and_learns_on(trained: Path, data: Path, tmp_path: Path) -> None:
    whole, out = trained / "model.safetensors", tmp_path / "pruned.safetensors"
    result = run(prune.main, whole, data, "--hidden", "48", "-o", out)
    assert result.exit_code == 0, result.output
    assert "48 of 64 hidden units" in result.output
    assert load(out).config == dataclasses.replace(load(whole).config, hidden=48)
    assert load(out).metadata["data"] == load(whole).metadata["data"]
    assert "validation" in load(whole).metadata
    assert "validation" not in load(out).metadata
    sheet = tmp_path / "sheet.svg"
    execute(f"sketchgen --model '{out}' -n 2 --class cat write '{sheet}'")
    assert sheet.exists()
    succeed(*arguments(data, tmp_path / "on", "steps=1"), "--from", out)
    assert load(tmp_path / "on/model.safetensors").config.hidden == 48


def test_models_that_cannot_be_pruned(
    trained: Path, data: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pruned.safetensors"
    whole = trained / "model.safetensors"
    for model, drawings, hidden, words in (
        (whole, data, "65", "only 64"),
        (tiny, data, "1", "classes"),
        (tmp_path / "no", data, "1", "no model"),
        (whole, tiny, "1", "dataset"),
    ):
        result = run(prune.main, model, drawings, "--hidden", hidden, "-o", out)
        assert words in refusal(result)
    nowhere = tmp_path / "nowhere/pruned.safetensors"
    result = run(prune.main, whole, data, "--hidden", "8", "-o", nowhere)
    assert "not a folder" in refusal(result)
    assert not out.exists()


def test_a_profile_names_what_takes_long(data: Path) -> None:
    result = run(profiling.main, CONFIGS / "tiny.toml", data, "--steps", "1")
    assert result.exit_code == 0, result.output
    share = re.search(r"^Optimizer.step#Muon.step +([\d.]+)%$", result.output, re.MULTILINE)
    assert share and 0 < float(share[1]) < 100


@pytest.mark.parametrize(
    "module",
    [train, sample, profiling, prune, evaluate, export, judge, mend, prepare],
)
def test_help_shows_real_commands(module: ModuleType) -> None:
    text = run(module.main, "--help").output
    assert f"    python -m {module.__name__} " in text
    written = f"{module.__doc__}{module.main.callback.__doc__}".partition("Examples:\n")[2]
    shown = {line.strip() for line in text.splitlines()}
    assert {line.strip() for line in written.splitlines() if line.startswith("    ")} <= shown
