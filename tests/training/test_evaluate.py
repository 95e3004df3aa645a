"""Measuring a model: the distances against closed forms, the commands on real drawings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
import shapely
import torch
from click.testing import CliRunner, Result
from scipy.spatial import cKDTree
from torch import Tensor

from tests.training.conftest import CLASSES
from training import baseline, judge
from training.data import dataset as datasets
from training.data.dataset import Drawing
from training.encoder import Autoencoder, tensors_of
from training.evaluate import main as evaluate
from training.evaluation import (
    codes,
    completions,
    conditions,
    copies,
    linework,
    metrics,
    samples,
)
from training.evaluation.likelihood import likelihood
from training.export import from_checkpoint, to_checkpoint, with_encoder
from training.export import main as export
from training.model import Batch, Sketchformer
from vpype_sketchformer import DEFAULT_TEMPERATURE
from vpype_sketchformer.model import varying
from vpype_sketchformer.model.checkpoint import Checkpoint, find, load, save
from vpype_sketchformer.model.transformer import ModelConfig
from vpype_sketchformer.sketch import DRAW, END, LIFT, Sketch

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of judges that have seen the drawings many times, and of a newborn model."""
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("judges")
    for kind in judge.KINDS:
        path = out / f"{kind}.safetensors"
        words = [kind, str(data), "-o", str(path), "--passes", "60"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judge, "GAIN", 1.0)  # one round
            result = CliRunner().invoke(judge.main, words)
        assert result.exit_code == 0, result.output
        assert float(result.output.split("test drawings, ")[1].split("%")[0]) > 60
    model = Sketchformer(ModelConfig(32, 2, 1, 128, 4, 16, 256), len(CLASSES), scale=30.0)
    save(to_checkpoint(model, CLASSES, {}), out / "newborn.safetensors")
    return out


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    """The model that ships."""
    return load(find("quickdraw"))


@pytest.fixture(scope="module")
def begun(data: Path, shipped: Checkpoint) -> list[Drawing]:
    """Real drawings that the model that ships has not seen."""
    dataset = datasets.load(data)
    chosen = [
        dataset.of("test")[dataset.labels[dataset.of("test")] == c][:4] for c in range(3)
    ]
    return [dataset.drawing(int(index)) for index in np.concatenate(chosen)]


def measured(*words: str | Path) -> dict[str, Any]:
    """The figures that the command writes."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "figures.json"
        result = run(*words, "--json", path)
        assert result.exit_code == 0, result.output
        assert all(len(line) <= 100 for line in result.stdout.splitlines())
        return json.loads(path.read_text())


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(evaluate, [str(word) for word in words])


def test_samples_of_a_newborn_model_are_told_from_real_drawings(
    data: Path, folder: Path
) -> None:
    words = ("--part", "samples", "--per-class", "5", "--seeds", "2", "--split", "test")
    condition = ("--condition", "temperature=1", "--judges", folder)
    figures = measured(folder / "newborn.safetensors", data, *words, *condition)["samples"]
    real, newborn = figures["real"]["mean"], figures["t 1"]["mean"]
    assert real["raster top 1"] > newborn["raster top 1"] + 0.2
    for kind in judge.KINDS:
        assert real[f"{kind} KID x1000"] < newborn[f"{kind} KID x1000"]
        assert real[f"{kind} recall"] > newborn[f"{kind} recall"]
        assert f"{kind} FID" not in real, "fifteen drawings have none"
    assert real["ink"] < newborn["ink"]
    assert 0 <= newborn["ended"] <= 1


def test_the_first_try_stands_beside_the_best(data: Path, folder: Path) -> None:
    words = ("--part", "samples", "--per-class", "4", "--judges", folder)
    figures = measured(folder / "newborn.safetensors", data, *words)["samples"]
    often, first = (
        figures[f"t {DEFAULT_TEMPERATURE:g}{tries}"] for tries in ("", ", tries 1")
    )
    assert often["mean"] != first["mean"], "another try is better"
    assert often["mean"].keys() == first["mean"].keys()


def test_likelihood_says_which_classes_are_worst(data: Path, folder: Path) -> None:
    words = ("--part", "likelihood", "--split", "test")
    rows = measured(folder / "newborn.safetensors", data, *words)["likelihood"]
    test = datasets.load(data)
    points = test.lengths[test.of("test")].sum()
    assert rows["all points"]["points"] == points
    per_class = [rows[name]["total"] for name in CLASSES]
    assert rows["3 classes"]["total"] == pytest.approx(np.mean(per_class))
    assert [name for name in rows if name in CLASSES] == [
        CLASSES[i] for i in np.argsort(-np.array(per_class))
    ]


def test_one_lines(data: Path, folder: Path) -> None:
    words = ("--part", "one-line", "--per-class", "2", "--judges", folder)
    found = measured(folder / "newborn.safetensors", data, *words, "--artist", data)
    ways, run = found["one-line"], found["how lines run"]
    assert ways["any strokes"]["one stroke"] < 1
    assert ways["pen stays down"]["one stroke"] == ways["joined"]["one stroke"] == 1
    assert run["strokes"]["length"] == 1 < run["shortest"]["length"]
    assert run["strokes"]["white"] == 0
    assert run["by the artist"]["turning"] > 0


def test_how_lines_run() -> None:
    """A square is four corners but for the one where it begins, and nothing else."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float)
    plain = linework.run([square], [square])
    assert plain["corners"] == pytest.approx(3 / 4)
    assert plain["turning"] == pytest.approx(3 * np.pi / 2 / 4)
    assert (plain["retraced"], plain["white"], plain["length"]) == (0, 0, 1)
    across = np.concatenate([square, [[1, 1], [0, 0]]])
    crossed = linework.run([across], [square])
    way = 4 + 2 * 2**0.5
    assert crossed["length"] == pytest.approx(way / 4)
    assert crossed["retraced"] == pytest.approx(2**0.5 / way, abs=1e-3)
    assert crossed["white"] == pytest.approx((2**0.5 - 2 * 0.03 * 2**0.5) / way, rel=0.01)


def test_a_newborn_encoder_tells_nothing(data: Path, folder: Path, tmp_path: Path) -> None:
    """Its codes are read, but the model makes nothing of them yet."""
    newborn = folder / "newborn.safetensors"
    path = tmp_path / "coded.safetensors"
    encoder = tensors_of(Autoencoder(len(CLASSES), 16))
    save(with_encoder(load(newborn), encoder), path)
    words = (data, "--part", "codes", "--split", "test", "--judges", folder)
    figures = measured(path, *words)["codes"]
    assert figures["nats per point"]["gained"] == pytest.approx(0, abs=1e-6)
    same = figures["other order, place and size"]
    assert same["moved by"] < 0.01 * same["nearest other"]
    assert figures["re-drawn"]["source first by sight"] < 0.5
    assert figures["re-drawn"]["raster top 1"] < figures["real"]["raster top 1"]
    refused = run(newborn, *words)
    assert refused.exit_code == 2
    assert "no encoder" in refused.stderr


def test_what_is_drawn_again_exactly_is_nearest_to_its_source(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = datasets.load(data)
    sources = dataset.of("test")[:6]

    def perfect(_: object, seen: varying.Seen, *__: object, **___: object) -> list[Sketch]:
        return [Sketch(tuple(seen.strokes))]

    monkeypatch.setattr(varying, "vary", perfect)
    judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    encoder = tensors_of(Autoencoder(len(CLASSES), 16))
    checkpoint = with_encoder(load(folder / "newborn.safetensors"), encoder)
    (_, again), (_, real) = codes.redrawn(checkpoint, dataset, judges, sources)
    assert again == real


def test_a_drawings_own_code_tells_more_than_that_of_another(
    shipped: Checkpoint, begun: list[Drawing], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = datasets.pack(begun, shipped.classes)
    codes_alike = np.zeros((1, shipped.config.code), np.float32)

    def figures() -> dict[str, float]:
        ((_, figures),) = codes.likelihoods(shipped, packed, "test", codes_alike)
        return figures

    own = figures()
    assert own["gained"] > 0.05
    assert own["in use"] == 0
    read = Sketchformer.read_codes

    def elsewhere(model: Sketchformer, batch: Batch) -> tuple[Tensor | None, Tensor]:
        told, nats = read(model, batch)
        return None if told is None else told.roll(1, 0), nats

    monkeypatch.setattr(Sketchformer, "read_codes", elsewhere)
    assert figures()["gained"] < own["gained"] - 0.05


def test_what_lies_between_two_drawings_is_told_from_scribbles(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one to the other and back again is even; to stay and then jump is not."""
    dataset = datasets.load(data)
    judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    encoder = tensors_of(Autoencoder(len(CLASSES), 16))
    checkpoint = with_encoder(load(folder / "newborn.safetensors"), encoder)

    def between(way: Callable[[list[Sketch]], list[Sketch]]) -> dict[str, float]:
        def morph(_: object, ends: list[varying.Seen], *__: object, **___: object) -> Any:
            return way([Sketch(tuple(end.strokes)) for end in ends])

        monkeypatch.setattr(varying, "morph", morph)
        ((_, figures),) = codes.between(checkpoint, dataset, judges, dataset.of("test"))
        return figures

    def scribbles(ends: list[Sketch]) -> list[Sketch]:
        return [replace(ends[0], strokes=(RNG.uniform(0, 255, (40, 2)),)) for _ in range(8)]

    there, stays = between(lambda ends: ends[::-1] * 4), between(lambda ends: ends[:1] * 8)
    assert there["at most"] == pytest.approx(1)
    assert stays["longest by shortest step"] > 100
    assert there["an end is seen"] > between(scribbles)["an end is seen"] + 0.2


def test_a_model_says_how_it_scores(data: Path, folder: Path, tmp_path: Path) -> None:
    scores, out = tmp_path / "scores.json", tmp_path / "mine.safetensors"
    newborn = folder / "newborn.safetensors"
    result = run(newborn, data, "--part", "likelihood", "--json", scores)
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(export, [str(newborn), str(scores), "-o", str(out)])
    assert result.exit_code == 0, result.output
    expected = json.loads(scores.read_text())["likelihood"]
    assert load(out).metadata["scores"] == {"likelihood": expected}
    assert measured(out, data, "--part", "likelihood")["likelihood"] == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--condition", "temperature=nan"), "must be a number"),
        (("--condition", "temperature=0"), "above 0"),
        (("--condition", "guidance=inf"), "must be a number"),
        (("--condition", "tries=1.5"), "whole number"),
        (("--condition", "colour=red"), "not one of temperature, "),
        (("--classes", "4"), "there are 3"),
        (("--classes", "circle,whale"), "no class 'whale'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    data: Path, folder: Path, words: tuple[str, ...], said: str
) -> None:
    result = run(folder / "newborn.safetensors", data, *words, "--judges", folder)
    assert result.exit_code == 2
    assert said in result.output.splitlines()[-1]


@pytest.mark.parametrize("part", ["likelihood", "completion"])
def test_data_without_test_drawings_are_refused(
    data: Path, folder: Path, tmp_path: Path, part: str
) -> None:
    dataset = datasets.load(data)
    kept = [dataset.drawing(int(index)) for index in dataset.of("train")]
    datasets.save(kept, tmp_path / "train.safetensors")
    result = run(
        *(folder / "newborn.safetensors", tmp_path / "train.safetensors"),
        *("--part", part, "--split", "test", "--judges", folder),
    )
    assert result.exit_code == 2
    assert "test drawings" in result.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("12 %", "not JSON"),
        ('{"model": "another"}', "not what"),
        ("1", "not"),
    ],
)
def test_other_scores_are_refused(folder: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    words = [folder / "newborn.safetensors", tmp_path / "scores.json", "-o", tmp_path / "x"]
    result = CliRunner().invoke(export, [str(word) for word in words])
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "x").exists()


def test_likelihood_is_that_of_torch_distributions(data: Path) -> None:
    """The baseline's mixture and pen, written again with torch's own distributions."""
    dataset = datasets.load(data)
    torch.manual_seed(1)
    network = baseline.Baseline(16, 2, 1, 3, len(CLASSES), 30.0).eval()
    seen = []
    network.losses = lambda batch, inner=network.losses: seen.append(batch) or inner(batch)  # type: ignore[method-assign,misc]
    scores = likelihood(network, dataset, dataset.of("valid")[:7]).mean()
    nats = points = 0.0
    for batch in seen:
        offsets = batch.offsets / 30.0
        x = network.stroke(offsets[:, :-1]) + network.pen(batch.pens[:, :-1])
        x = torch.cat([network.start(batch.labels)[:, None], x], dim=1)
        x = network.norm(network.blocks(x + network.position(torch.arange(x.shape[1]))))
        logits, mx, my, sx, sy, shear = network.mixture(x).unflatten(-1, (6, 3)).unbind(-2)
        floor = baseline.NO_FLOOR
        sx, sy = (floor + torch.nn.functional.softplus(s - floor) for s in (sx, sy))
        lower = torch.stack([sx.exp(), torch.zeros_like(sx), shear, sy.exp()], dim=-1)
        components = torch.distributions.MultivariateNormal(
            torch.stack([mx, my], dim=-1), scale_tril=lower.unflatten(-1, (2, 2))
        )
        mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=logits), components
        )
        pens = torch.distributions.Categorical(logits=network.pen_out(x))
        log = mixture.log_prob(offsets) - 2 * np.log(30.0) + pens.log_prob(batch.pens)
        nats -= float((log * batch.real).sum().detach())
        points += float(batch.real.sum())
    assert scores["total"] == pytest.approx(nats / points, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("missing", "DATA"), "no model 'missing'"),
        (("quickdraw", "DATA"), "different classes"),
        (("NEWBORN", "NEWBORN"), "not a dataset"),
        (("BROKEN.pt", "DATA"), "cannot be read as the state of a run"),
        (("NEWBORN", "DATA", "--part", "samples"), "judge of other classes"),
        (("NEWBORN", "DATA", "--part", "samples", "--judges", "CUT"), "cannot be read"),
    ],
)
def test_bad_input(
    words: tuple[str, ...], says: str, data: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 cut")
    whole = (folder / "raster.safetensors").read_bytes()
    (tmp_path / "raster.safetensors").write_bytes(whole[: len(whole) // 2])
    paths = {
        "DATA": data,
        "NEWBORN": folder / "newborn.safetensors",
        "BROKEN.pt": tmp_path / "broken.pt",
        "CUT": tmp_path,
    }
    result = run(*(paths.get(word, word) for word in words))
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output


def test_frechet_distance_of_gaussians() -> None:
    """Against the closed form for independent coordinates."""
    scales = np.array([0.5, 1.0, 2.0])
    a = RNG.normal(0.0, 1.0, (200_000, 3))
    b = RNG.normal(0.0, 1.0, (200_000, 3)) * scales + [1.0, 0.0, -2.0]
    expected = 1.0 + 4.0 + ((scales - 1.0) ** 2).sum()
    assert metrics.frechet(a, b) == pytest.approx(expected, abs=0.05)
    assert metrics.frechet(a, a) == pytest.approx(0.0, abs=1e-6)


def test_kernel_distance_is_unbiased() -> None:
    same = [metrics.kernel_distance(*RNG.normal(size=(2, 40, 4))) for _ in range(400)]
    assert abs(np.mean(same)) < 4 * np.std(same) / 20
    assert metrics.kernel_distance(RNG.normal(size=(50, 4)), RNG.normal(2, 1, (50, 4))) > 1


def test_precision_and_recall() -> None:
    """A part of a shape is precise and not complete; another place is neither."""
    real = RNG.random((2000, 2))
    part = RNG.random((2000, 2)) * [0.5, 1.0]
    precision, recall = metrics.precision_recall(real, part)
    assert precision > 0.95
    assert recall == pytest.approx(0.5, abs=0.05)
    assert metrics.precision_recall(real, part + 5.0) == (0.0, 0.0)


def test_density_is_not_deceived_by_one_stray_drawing() -> None:
    real = np.concatenate([RNG.random((500, 2)), [[100.0, 100.0]]])
    far = RNG.uniform(20.0, 60.0, (500, 2))
    assert metrics.precision_recall(real, far)[0] == 1
    assert metrics.density(real, far) < 0.4
    assert metrics.density(real, RNG.random((500, 2))) == pytest.approx(1, abs=0.15)


def test_spread_is_that_of_the_distribution() -> None:
    """Of normal numbers, in closed form, whatever the count."""
    labels = np.repeat(np.arange(400), 4)
    features = RNG.normal(size=(1600, 9)) + 100.0 * labels[:, None]
    assert metrics.spread(features, labels) == pytest.approx(3.0, rel=0.05)
    # Two normal numbers differ by a normal number of twice the variance.
    expected = np.sqrt(2.0) * scipy.stats.chi(9).mean()
    assert metrics.apart(features, labels) == pytest.approx(expected, rel=0.02)


def test_nearest_other_is_of_the_same_class() -> None:
    features, labels = RNG.normal(size=(60, 5)), np.repeat([0, 1, 2], 20)
    distances, _ = cKDTree(features[20:40]).query(features[20:40], k=2)
    found = metrics.nearest_other(features, labels)[20:40]
    np.testing.assert_allclose(found, distances[:, 1])


def test_spread_distance_is_the_shift_in_deviations() -> None:
    real = scipy.stats.norm(3.0, 2.0).rvs(5000, random_state=1)
    assert metrics.spread_distance(real, real + real.std()) == pytest.approx(1.0)


PLAN = samples.Plan(CLASSES, per_class=5, seeds=1, split="test")


def test_settings_are_chosen_on_other_drawings_than_those_published(data: Path) -> None:
    dataset = datasets.load(data)
    for split in ("valid", "test"):
        plan = replace(PLAN, split=split)
        first, second = plan.real_drawings(dataset, 256, seed=0)
        assert not set(first) & set(second)
        assert np.all(dataset.splits[[*first, *second]] == datasets.SPLITS.index(split))
        assert np.bincount(dataset.labels[first]).tolist() == [5, 5, 5]


def test_variety_is_that_of_the_drawings(data: Path, folder: Path) -> None:
    """Real drawings differ as real drawings do; one, again and again, does not."""
    dataset = datasets.load(data)
    judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    first, second = PLAN.real_drawings(dataset, 256, seed=0)
    alike = np.repeat(second[::5], 5)
    real, others, same = (
        samples.see(dataset, rows, judges) for rows in (first, second, alike)
    )
    figures = samples.variety(others, real)
    assert 0.6 < figures["variety"] < 1.6
    assert 0.6 < figures["of shapes"] < 1.6
    assert figures["twins"] < 0.4
    figures = samples.variety(same, real)
    assert figures["variety"] == pytest.approx(0, abs=1e-3)
    assert figures["of shapes"] == pytest.approx(0, abs=1e-3)
    assert figures["twins"] == 1


def unfinished(drawing: Drawing) -> Drawing:
    """Stop a drawing after a third of its points."""
    count = max(2, len(drawing.pen) // 3)
    pen = drawing.pen[:count].copy()
    pen[-1] = END
    return replace(drawing, points=drawing.points[:count], pen=pen)


def scribbled(drawing: Drawing) -> Drawing:
    """Go anywhere, whatever it is: the number of points and strokes would tell."""
    rng = np.random.default_rng(len(drawing.pen))
    pen = np.full(40, DRAW, np.uint8)
    pen[9::10] = LIFT
    pen[-1] = END
    return replace(drawing, points=rng.integers(0, 256, (40, 2), np.uint8), pen=pen)


def narrow(drawing: Drawing) -> Drawing:
    return replace(drawing, points=(drawing.points * (0.3, 1.0)).astype(np.uint8))


def test_every_figure_tells_bad_drawings_from_good_ones(data: Path, folder: Path) -> None:
    """Other real drawings are good; for each figure there is a set that must be worse.

    But for precision, which scribbles of so few drawings pass: density stands beside it.
    """
    dataset = datasets.load(data)
    judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    test, valid = dataset.of("test"), dataset.of("valid")
    real, good = (samples.see(dataset, rows, judges) for rows in (test, valid))
    drawings = [dataset.drawing(int(index)) for index in valid]
    first = {drawing.label: drawing for drawing in reversed(drawings)}
    after = dict(zip(CLASSES, np.roll(CLASSES, 1).tolist(), strict=True))
    bad = {
        "alike": [first[drawing.label] for drawing in drawings],
        "another class": [replace(d, label=after[d.label]) for d in drawings],
        "scribbles": [scribbled(drawing) for drawing in drawings],
        "unfinished": [unfinished(drawing) for drawing in drawings],
        "narrow": [narrow(drawing) for drawing in drawings],
    }
    figures = {"good": samples.compare(good, real)}
    for name, changed in bad.items():
        packed = datasets.pack(changed, dataset.classes)
        seen = samples.see(packed, np.arange(len(packed)), judges)
        figures[name] = samples.compare(seen, real)
    for kind in judge.KINDS:
        for wrong in ("another class", "scribbles"):
            assert figures[wrong][f"{kind} top 1"] < figures["good"][f"{kind} top 1"] - 0.2
        for wrong in ("alike", "scribbles"):
            told = f"{kind} KID x1000"
            assert figures[wrong][told] > figures["good"][told]
        assert figures["scribbles"][f"{kind} density"] < figures["good"][f"{kind} density"]
        assert figures["alike"][f"{kind} recall"] < figures["good"][f"{kind} recall"]
    for told in ("variety", "of shapes"):
        assert figures["alike"][told] < 0.01
        assert figures["good"][told] > 0.7
    assert figures["alike"]["twins"] == 1
    assert figures["good"]["twins"] < 0.4
    for told in ("points", "strokes"):
        assert figures["unfinished"][told] > figures["good"][told] + 0.3
    assert figures["scribbles"]["ink"] > figures["good"]["ink"] + 1
    assert figures["narrow"]["aspect"] > figures["good"]["aspect"] + 0.5


def small_begun(drawing: Drawing) -> Drawing:
    """Draw the first half a quarter as large as the other."""
    points, half = drawing.points.copy(), len(drawing.pen) // 2
    points[:half] //= 4
    return replace(drawing, points=points)


def completed(checkpoint: Checkpoint, dataset: datasets.Dataset) -> dict[str, float]:
    """Cut all drawings in the middle and let a model complete them."""
    rows = np.arange(len(dataset))
    halves = completions.begin(dataset, rows, 0.5, mixed=False)
    return completions.completion(checkpoint, dataset, rows, halves, [])


def test_completion_tells_bad_drawings_from_good_ones(
    shipped: Checkpoint, begun: list[Drawing]
) -> None:
    """For class and size of a beginning, and the likelihood of the rest."""
    network = from_checkpoint(shipped)
    sets = {
        "good": begun,
        "scribbles": [scribbled(drawing) for drawing in begun],
        "small begun": [small_begun(drawing) for drawing in begun],
    }
    packed = {name: datasets.pack(some, shipped.classes) for name, some in sets.items()}
    rows = np.arange(len(begun))
    rests = {
        name: completions.rest_likelihood(network, some, rows, 0.5)
        for name, some in packed.items()
    }
    true = rests["good"]["true rest"]
    assert rests["good"]["other's rest"] > true + 0.2
    assert rests["scribbles"]["true rest"] > true + 1
    figures = {name: completed(shipped, some) for name, some in packed.items()}
    good = figures["good"]
    for told in ("class top 1", "class top 5"):
        assert figures["scribbles"][told] < good[told] - 0.2
    assert figures["small begun"]["size factor"] > good["size factor"] + 0.5
    assert good["size factor"] < 1.5


@pytest.mark.parametrize("ends", [True, False])
def test_who_never_ends_is_told_from_who_does(
    ends: bool, shipped: Checkpoint, begun: list[Drawing]
) -> None:
    torch.manual_seed(0)
    model = Sketchformer(ModelConfig(32, 2, 1, 64, 4, 16, 64), len(shipped.classes), 30.0)
    with torch.no_grad():
        model.pen_out.bias.copy_(torch.full((3,), -100.0))
        model.pen_out.bias[END if ends else DRAW] = 100.0
    checkpoint = to_checkpoint(model, shipped.classes, {})
    plan = samples.Plan(CLASSES, per_class=2, seeds=1, split="test")
    for condition in conditions.CURVE:
        _, ended = samples.draw(checkpoint, condition, plan, 0)
        assert ended == {"ended": ends, "redrawn": ends}
    packed = datasets.pack(begun[:2], shipped.classes)
    assert completed(checkpoint, packed)["ended"] == ends


def test_the_worst_classes_are_those_that_nobody_recognises(data: Path, folder: Path) -> None:
    dataset = datasets.load(data)
    judges = [judge.load(folder / f"{kind}.safetensors", dataset) for kind in judge.KINDS]
    first, second = PLAN.real_drawings(dataset, 256, seed=0)
    real, drawn = (samples.see(dataset, rows, judges) for rows in (first, second))
    labels = drawn.labels.copy()
    labels[drawn.labels == 0] = 1  # cats are passed off as circles
    worst = samples.worst_classes([replace(drawn, labels=labels)], [real], CLASSES)
    assert worst[0][0] == "circle"
    assert worst[0][1]["share"] < worst[1][1]["share"]


def test_the_frontier_shows_every_condition_and_real_drawings(
    data: Path, folder: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "frontier.svg"
    asked = [("--condition", c) for c in ("temperature=0.25", "temperature=0.75,guidance=2")]
    words = ("--frontier", picture, "--per-class", "5", "--classes", "3", "--judges", folder)
    result = run(folder / "newborn.safetensors", data, *words, *(w for c in asked for w in c))
    assert result.exit_code == 0, result.output
    drawn = picture.read_text()
    for text in ("0.25", "0.75", "guidance 2", "people's drawings", "recognised"):
        assert text in drawn


def test_copies_are_found_and_real_drawings_are_none(
    data: Path, folder: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.svg"
    words = ("--part", "copying", "--per-class", "5", "--pairs", pairs, "--judges", folder)
    rows = measured(folder / "newborn.safetensors", data, *words)["copying"]
    for kind in copies.PLANTED:
        assert rows[kind]["copying"] > 0.97, kind
        assert rows[kind]["by sight"] > 0.7, kind
        assert rows[kind]["copied"] > 0.7, kind
        assert rows[kind]["near"] == 1, kind
    chance = rows["real"]["chance"]
    assert chance == pytest.approx(36 / (60 - 5))  # those that are compared are left out
    deviation = np.sqrt(chance * (1 - chance) / 15)
    for kind in ("real", f"t {DEFAULT_TEMPERATURE:g}"):
        assert abs(rows[kind]["copying"] - chance) < 3 * deviation
        assert rows[kind]["near"] < 0.4
    assert pairs.read_text().count("<polyline") >= 2 * 15


def test_without_a_judge_copies_are_found_by_the_pen(
    data: Path, folder: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    words = ("--part", "copying", "--per-class", "5", "--judges", tmp_path, "--json", figures)
    result = run(folder / "newborn.safetensors", data, *words)
    assert result.exit_code == 0, result.output
    assert "by the pen's way only" in result.output
    rows = json.loads(figures.read_text())["copying"]
    assert "by sight" not in rows["copies"]
    assert rows["copies"]["copying"] == rows["copies"]["near"] == 1


def test_ways_are_places_along_the_ink() -> None:
    """Against shapely, which measures along a line."""
    line = np.array([(0, 0), (255, 0), (255, 100), (30, 100)])
    dataset = datasets.pack(
        [datasets.drawing_from_strokes(strokes, "t") for strokes in ([line], [line, line[:2]])]
    )
    one, two = copies.ways(dataset, np.array([0, 1])).reshape(2, copies.PLACES, 2)
    middle = np.array([127.5, 50.0])
    along = shapely.LineString(line)
    wanted = along.interpolate(np.linspace(0, 1, copies.PLACES), normalized=True)
    expected = shapely.get_coordinates(wanted)
    np.testing.assert_allclose(one * copies.PLACES + middle, expected, atol=0.1)
    # The move to the second stroke has no places of its own.
    places = two * copies.PLACES + middle
    off = [along.distance(shapely.Point(place)) for place in places]
    assert max(off) < 0.1


def test_pictures_show_all_strokes() -> None:
    """A picture is dark where the drawing is, and keeps the proportions."""
    drawing = datasets.drawing_from_strokes([[(0, 0), (255, 0)], [(128, 127)]], "t")
    picture = judge.draw(drawing.points, drawing.pen)
    assert picture.shape == (judge.SIZE, judge.SIZE)
    rows, columns = np.nonzero(picture > 100)
    assert np.ptp(columns) == pytest.approx(judge.SIZE - 2 * judge.MARGIN, abs=2)
    assert np.ptp(rows) == pytest.approx((judge.SIZE - 2 * judge.MARGIN) / 2, abs=2)
    dot = picture[rows.max(), columns[rows == rows.max()]]
    assert len(dot) <= 3
