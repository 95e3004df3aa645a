"""Model files: what is saved comes back, and no file can do worse than a clear line."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file as save_torch

from vpype_sketchformer.model import checkpoint
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, find, load, save
from vpype_sketchformer.model.transformer import ModelConfig
from vpype_sketchformer.wording import plain

Tensors = dict[str, np.ndarray]
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def model(tiny: Path) -> Checkpoint:
    return load(tiny)


@pytest.fixture
def contents(tiny: Path) -> tuple[Tensors, dict[str, str]]:
    """The tensors and the metadata of the tiny model, as they lie in the file."""
    with safetensors.safe_open(tiny, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def refusal(path: Path) -> str:
    """The one line, naming the file, with which a model is refused."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


# --- what is saved comes back ----------------------------------------------------------


def test_a_model_comes_back_in_half_precision(tmp_path: Path, model: Checkpoint) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.normal(size=tensor.shape).astype(np.float32)
        for name, tensor in model.tensors.items()
    }
    metadata = {"data": ["Émile's cats, CC BY 4.0"], "validation": {"offset": 7.5}}
    path = tmp_path / "my model.safetensors"
    save(replace(model, tensors=tensors, metadata=metadata), path)
    again = load(path)
    assert (again.config, again.classes, again.scale) == (
        model.config,
        model.classes,
        model.scale,
    )
    assert again.metadata == metadata
    assert again.name == "my model"
    assert again.tensors.keys() == tensors.keys()
    for name, tensor in again.tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_allclose(tensor, tensors[name], rtol=2**-11, atol=1e-7)
    assert path.stat().st_size < 2.5 * sum(t.size for t in tensors.values()) + 20000
    save(again, path)
    for name, tensor in load(path).tensors.items():
        np.testing.assert_array_equal(tensor, again.tensors[name])


def test_tensors_come_back_whatever_their_order_in_memory(
    tmp_path: Path, model: Checkpoint
) -> None:
    turned = {name: np.asfortranarray(t) for name, t in model.tensors.items()}
    save(replace(model, tensors=turned), tmp_path / "turned.safetensors")
    for name, tensor in load(tmp_path / "turned.safetensors").tensors.items():
        np.testing.assert_array_equal(tensor, model.tensors[name])


def test_a_model_is_written_whole_or_not_at_all(
    tmp_path: Path, model: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    save(model, path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save(replace(model, metadata={"not": object()}), path)

    def full(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(model, path)
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_a_model_is_readable_for_others(tmp_path: Path, model: Checkpoint) -> None:
    """As any file is that a program writes; some libraries keep theirs to the user."""
    path, ordinary = tmp_path / "model.safetensors", tmp_path / "ordinary"
    save(model, path)
    ordinary.touch()
    assert path.stat().st_mode == ordinary.stat().st_mode


# --- what cannot be read ---------------------------------------------------------------


def test_no_file(tmp_path: Path) -> None:
    refusal(tmp_path / "nothing.safetensors")
    refusal(tmp_path)


@fuzz
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere(tmp_path: Path, tiny: Path, share: float) -> None:
    whole = tiny.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: int(share * len(whole))])
    refusal(path)


def test_a_file_cut_by_one_byte_or_with_one_too_many(tmp_path: Path, tiny: Path) -> None:
    path = tmp_path / "odd.safetensors"
    for content in (tiny.read_bytes()[:-1], tiny.read_bytes() + b"\0"):
        path.write_bytes(content)
        refusal(path)


@fuzz
@given(content=st.binary(max_size=200))
def test_random_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "random.safetensors"
    path.write_bytes(content)
    refusal(path)


@fuzz
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_header_with_one_wrong_byte_is_read_or_refused(
    tmp_path: Path, tiny: Path, place: float, byte: int
) -> None:
    content = bytearray(tiny.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    content[int(place * header)] = byte
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(content)
    try:
        load(path)
    except CheckpointError:
        refusal(path)


@pytest.mark.parametrize(
    "content", [b"<svg></svg>", b"PK\x03\x04 a state of torch", b"\x80\x02}q\x00."]
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert "not a readable model" in refusal(path)


def test_a_model_of_someone_else(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path)
    assert "not a model of vpype-sketchformer" in refusal(path)
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path, {"format": "pt"})
    assert "not a model of vpype-sketchformer" in refusal(path)


# --- what is a checkpoint, but a wrong one ---------------------------------------------

Change = Callable[[Tensors, dict[str, str]], None]


def set_config(**values: Any) -> Change:
    def change(_: Tensors, metadata: dict[str, str]) -> None:
        metadata["config"] = json.dumps(json.loads(metadata["config"]) | values)

    return change


def set_metadata(**values: str | None) -> Change:
    def change(_: Tensors, metadata: dict[str, str]) -> None:
        for key, value in values.items():
            del metadata[key]
            if value is not None:
                metadata[key] = value

    return change


def set_tensor(name: str, tensor: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(tensors: Tensors, _: dict[str, str]) -> None:
        tensors[name] = tensor(tensors[name])

    return change


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(tensor: np.ndarray) -> np.ndarray:
        tensor = tensor.astype(np.float64)
        tensor.flat[3] = value
        return tensor

    return change


NEWER = "newer vpype-sketchformer"
DAMAGED = "description is damaged"
MISFIT = "weights do not fit"
NOT_NUMBERS = "weights are not numbers"
NO_NAME = "cannot be the name of a class"
#: Files of the format before do not say how many hidden units there are.
NUMBERS = sorted(asdict(ModelConfig()).keys() - {"hidden"})
WRONG_SCALES = (
    "0",
    "-1",
    "NaN",
    "Infinity",
    "1e300",
    "1e-320",
    "1" + "0" * 309,
    '"1"',
    "true",
)
WRONG_NAMES = (
    *("", "  ", "..", "../elsewhere/evil", "a/b", "a\\b", "C:evil", "n" * 101, 7, None),
    *("a\x01b", "a\x1b[2Jb", "a\0b", "a\nb", "a\ufffeb", "a\ud800b", "a\u202eb"),
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_metadata(format="sketchformer-6"), NEWER),
        (set_metadata(format="sketchformer-10"), NEWER),
        (set_metadata(format="sketchformer-²"), "not a model"),
        (set_metadata(format="sketchformer-" + "9" * 5000), "not a model"),
        (set_metadata(format="sketchformer"), "not a model"),
        (set_metadata(format=None), "not a model"),
        *[(set_metadata(**{key: None}), DAMAGED) for key in ("config", "classes", "scale")],
        *[
            (set_metadata(**{key: '{"cut'}), DAMAGED)
            for key in ("config", "classes", "scale", "metadata")
        ],
        (set_metadata(metadata="[" * 100_000), DAMAGED),
        (set_metadata(config="[1, 2]"), DAMAGED),
        (set_metadata(classes="[]"), DAMAGED),
        (set_metadata(classes="7"), DAMAGED),
        (set_metadata(classes='["cat", "dog"]'), MISFIT),
        *[(set_metadata(scale=text), DAMAGED) for text in WRONG_SCALES],
        *[(set_metadata(classes=json.dumps(["cat", name])), NO_NAME) for name in WRONG_NAMES],
        (set_config(colour="red"), DAMAGED),
        (set_config(width="32"), DAMAGED),
        (set_config(width=32.0), DAMAGED),
        (set_config(heads=0), DAMAGED),
        (set_config(heads=3), DAMAGED),
        (set_config(context=-1), DAMAGED),
        (set_config(context=1), DAMAGED),
        (set_config(layers=10**12), DAMAGED),
        *[(set_config(**{name: 10**9}), DAMAGED) for name in NUMBERS],
        (set_config(width=4096, heads=1, hidden=32_768, layers=200), DAMAGED),
        (set_config(width=64), MISFIT),
        (set_config(mixtures=1), MISFIT),
        (lambda tensors, _: tensors.pop("mixture.bias"), MISFIT),
        (set_tensor("point.weight", np.transpose), MISFIT),
        (set_tensor("pen_out.bias", lambda tensor: tensor[:2]), MISFIT),
        (set_tensor("pen_out.bias", lambda tensor: tensor.astype(np.int16)), MISFIT),
        (set_tensor("point.weight", with_value(np.nan)), NOT_NUMBERS),
        (set_tensor("mixture.weight", with_value(np.inf)), NOT_NUMBERS),
        (set_tensor("mixture.weight", with_value(1e300)), NOT_NUMBERS),
    ],
)
def test_wrong_models(
    tmp_path: Path, contents: tuple[Tensors, dict[str, str]], change: Change, words: str
) -> None:
    tensors, metadata = contents
    change(tensors, metadata)
    path = tmp_path / "wrong.safetensors"
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    safetensors.numpy.save_file(tensors, path, metadata)
    assert words in refusal(path)


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    os.mkfifo(path)
    assert "not a file" in refusal(path)


def test_no_more_is_read_than_the_network_needs(
    tmp_path: Path, contents: tuple[Tensors, dict[str, str]]
) -> None:
    tensors, metadata = contents
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(tensors | {"more": np.zeros(2**24)}, path, metadata)
    tracemalloc.start()
    load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20
    with path.open("r+b") as file:
        file.write((2**30).to_bytes(8, "little"))
    assert "1,073,741,824 bytes" in refusal(path)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn])
def test_numbers_that_numpy_does_not_have(
    tmp_path: Path, contents: tuple[Tensors, dict[str, str]], kind: torch.dtype
) -> None:
    tensors = {name: torch.from_numpy(t).to(kind) for name, t in contents[0].items()}
    path = tmp_path / "model.safetensors"
    save_torch(tensors, path, contents[1])
    assert "not a readable model" in refusal(path)


# --- finding models --------------------------------------------------------------------


def test_bundled_models_load() -> None:
    for name, path in checkpoint.bundled().items():
        assert find(name) == path
        assert load(path).name == name
        assert path.stat().st_size < 25e6


def test_models_are_found_by_name_and_by_path(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("owls", "cats"):
        (folder / f"{name}.safetensors").write_bytes(tiny.read_bytes())
    (folder / "README.md").write_text("no model")
    monkeypatch.setattr(checkpoint, "MODELS", folder)
    assert list(checkpoint.bundled()) == ["cats", "owls"]
    assert find("cats") == folder / "cats.safetensors"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").write_bytes(tiny.read_bytes())
    assert load(find("mine.safetensors")).name == "mine"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("~/mine.safetensors") == tmp_path / "mine.safetensors"
    for name in ("dogs", "models", "", "no/such/file", "~nobody-of-this-name/x", "a\0b"):
        with pytest.raises(CheckpointError) as caught:
            find(name)
        assert f"'{plain(name)}'" in str(caught.value)
        assert "cats, owls" in str(caught.value)
