"""What a drawing so far shows, and how large it will be: a small network in NumPy.

``training.recogniser`` is the same network in torch, and trains it; a parity test keeps the
two one. It looks at the drawing's picture, see ``model.sight``, and follows the pen, see
``model.way``: of a beginning a picture shows too little.

From what it sees, one head names the class, calibrated (Guo et al. 2017), and another says how
the drawing will grow: until it is finished, and whereto.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.model import sight
from vpype_sketchformer.model.checkpoint import MODELS, CheckpointError, open_tensors
from vpype_sketchformer.model.sight import STAGES, Array, Stroke, draw, join, sight_shapes
from vpype_sketchformer.model.way import WAY, follow
from vpype_sketchformer.wording import is_name

FORMAT = "sketchformer-recogniser-2"
BUNDLED = MODELS / "recogniser" / "quickdraw.safetensors"

#: Hidden units that follow the pen's way, and that know both, way and picture.
FOLLOWED, BOTH = 160, 160
#: Channels that tell the head of growth the class, and its hidden units.
LABEL, HIDDEN = 32, 64


@dataclass(frozen=True)
class Growth:
    """How a drawing is expected to grow, in longer sides of what there is.

    Attributes:
        side: The finished drawing's longer side, 1 or more.
        left: How far it will reach beyond what there is to the left, 0 or more.
        up: The same upwards.
    """

    side: float
    left: float
    up: float


@dataclass(frozen=True, eq=False)
class Recogniser:
    """The network with its weights.

    Attributes:
        classes: Names of the classes.
        tensors: float32 arrays by name, as ``expected_shapes`` names them.
        metadata: Training data with licences, training command, figures: JSON values.
    """

    classes: tuple[str, ...]
    tensors: Mapping[str, Array]
    metadata: Mapping[str, Any]

    def among(self, classes: Sequence[str]) -> Recogniser | None:
        """Return one that knows these classes only; None where some are not known."""
        if tuple(classes) == self.classes:
            return self
        if not set(classes) <= set(self.classes):
            return None
        rows = [self.classes.index(name) for name in classes]
        t = self.tensors
        fewer = {
            "prior": t["prior"][rows],
            "answer.weight": t["answer.weight"][rows],
            "answer.bias": t["answer.bias"][rows],
            "label.weight": t["label.weight"][[*rows, len(self.classes)]],
        }
        return replace(self, classes=tuple(classes), tensors={**t, **fewer})

    def look(self, drawings: Sequence[Sequence[Stroke]]) -> Array:
        """Look at drawings.

        Args:
            drawings: The strokes of each, (n, 2) of finite x, y, y down, in any unit; one
                point at least.

        Returns:
            What the network sees, (drawings, channels).
        """
        parts = [drawings[i : i + sight.ROWS] for i in range(0, len(drawings), sight.ROWS)]
        joined = map(join, parts)
        return np.concatenate([self.see(draw(*points), follow(*points)) for points in joined])

    @functools.cached_property
    def eyes(self) -> dict[str, Array]:
        """The weights of what looks, laid out for it."""
        return sight.lay_out(self.tensors)

    def see(self, pictures: Array, ways: Array) -> Array:
        """Return what the network sees, (n, channels).

        Args:
            pictures: Ink, (n, SIZE, SIZE).
            ways: How the pen went, (n, WAY).
        """
        seen = sight.see(self.eyes, pictures).mean(axis=(1, 2))
        followed = np.maximum(self._linear("way", ways), 0.0)
        both = np.concatenate([followed, seen], axis=1)
        return seen + self._linear("more", np.maximum(self._linear("both", both), 0.0))

    def name(self, seen: Array) -> NDArray[np.float64]:
        """Return the probability of every class, (n, classes), from what was seen."""
        t = self.tensors
        logits = (seen @ t["answer.weight"].T + t["answer.bias"]).astype(np.float64)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def name_if_alike(self, seen: Array) -> NDArray[np.float64]:
        """Return the same, were all classes as common, (n, classes)."""
        shares = self.name(seen) / self.tensors["prior"]
        return shares / shares.sum(axis=1, keepdims=True)

    def growth(self, seen: Array, label: str | None = None) -> list[Growth]:
        """Say how drawings will grow, from what was seen of them.

        Args:
            seen: What was seen, (n, channels).
            label: The class of all of them; None where it is not known.
        """
        t = self.tensors
        row = len(self.classes) if label is None else self.classes.index(label)
        told = np.broadcast_to(t["label.weight"][row], (len(seen), LABEL))
        joint = np.concatenate([seen, told], axis=1)
        hidden = np.maximum(self._linear("size_hidden", joint), 0.0)
        said = np.maximum(self._linear("size_out", hidden), 0.0).astype(np.float64)
        # Rounded, so that the same drawing in another place or unit grows alike.
        sizes = np.column_stack([np.exp(said[:, 0]), np.expm1(said[:, 1:])]).round(2)
        return [Growth(*size) for size in sizes.tolist()]

    def probabilities(self, drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float64]:
        """Return the probability of every class for each drawing, (drawings, classes).

        Of a drawing without strokes nothing is known: its classes are as common as people
        draw them.
        """
        shares = np.tile(self.tensors["prior"].astype(np.float64), (len(drawings), 1))
        some = [i for i, strokes in enumerate(drawings) if any(map(len, strokes))]
        if some:
            shares[some] = self.name(self.look([drawings[i] for i in some]))
        return shares / shares.sum(axis=1, keepdims=True)

    def _linear(self, name: str, rows: Array) -> Array:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return rows @ weight.T + bias


def expected_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a recogniser."""
    seen = STAGES[-1]
    layers = {
        "way": (FOLLOWED, WAY),
        "both": (BOTH, FOLLOWED + seen),
        "more": (seen, BOTH),
        "answer": (classes, seen),
        "size_hidden": (HIDDEN, seen + LABEL),
        "size_out": (3, HIDDEN),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "prior": (classes,),
        "label.weight": (classes + 1, LABEL),
        **sight_shapes(),
    }
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


@functools.cache
def bundled() -> Recogniser:
    """Return the recogniser that ships, loaded once.

    Raises:
        CheckpointError: Its file is missing or cannot be used.
    """
    return load(BUNDLED)


def save(recogniser: Recogniser, path: Path) -> None:
    """Write a recogniser, tensors as float16, whole or not at all."""
    tensors = {
        name: np.ascontiguousarray(tensor, np.float16)
        for name, tensor in recogniser.tensors.items()
    }
    header = {
        "format": FORMAT,
        "classes": json.dumps(recogniser.classes),
        "metadata": json.dumps(dict(recogniser.metadata)),
    }
    write_whole(path, safetensors.save(tensors, header))


def load(path: Path) -> Recogniser:
    """Read a recogniser; no more is read than the network needs.

    Raises:
        CheckpointError: The file is missing, cut short, no recogniser, of another version,
            or its weights do not fit or are not finite.
    """
    try:
        with open_tensors(path) as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise CheckpointError(f"{path}: not a recogniser that this version reads.")
            classes, metadata = _description(path, header)
            tensors = {
                name: _weight(path, file, name, shape)
                for name, shape in expected_shapes(len(classes)).items()
            }
    except (OSError, SafetensorError, AttributeError, TypeError) as error:
        # The last two are how safetensors refuses types that NumPy does not have.
        raise CheckpointError(
            f"{path}: not a readable recogniser; is it complete? ({error})"
        ) from error
    return Recogniser(classes, tensors, metadata)


def _description(
    path: Path, header: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the classes and the metadata that a file tells of."""
    damaged = CheckpointError(f"{path}: the recogniser's description is damaged.")
    try:
        classes, metadata = json.loads(header["classes"]), json.loads(header["metadata"])
    except (KeyError, ValueError, RecursionError) as error:
        raise damaged from error
    if not (isinstance(classes, list) and classes and isinstance(metadata, dict)):
        raise damaged
    if not all(map(is_name, classes)):
        raise damaged
    return tuple(classes), metadata


def _weight(path: Path, file: Any, name: str, shape: tuple[int, ...]) -> Array:
    """Read a tensor in float32, if it is what the network needs."""
    misfit = CheckpointError(f"{path}: the recogniser's weights do not fit ('{name}').")
    if name not in file.keys() or tuple(file.get_slice(name).get_shape()) != shape:  # noqa: SIM118
        raise misfit
    tensor = file.get_tensor(name)
    if tensor.dtype.kind != "f" or not np.all(np.isfinite(tensor)):
        raise misfit
    return tensor.astype(np.float32)
